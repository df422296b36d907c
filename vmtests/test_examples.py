# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples do what their comments say, and the tour of README.md prints what it prints.

Lines of a comment that begin with a tab and "weir" are commands to try. One whose remark ends in ": no"
must fail, every other one must not."""
import difflib
import os
import pathlib
import re
import shlex

import pytest

from marks import behaviour, here

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
COMMAND = re.compile(r"#\tweir ([^#]+?)\s*(?:#\s*(.*))?$")


def commands(name):
    """(words, must fail) of each command that the file suggests."""
    lines = (FOLDER / (name + ".yaml")).read_text().splitlines()
    found = [match for match in map(COMMAND.match, lines) if match]
    return [(shlex.split(match[1]), (match[2] or "").endswith(": no")) for match in found]


def test_there_are_examples():
    assert len(NAMES) >= 6


@behaviour("R3", "L15")
@pytest.mark.parametrize("name", NAMES)
def test_example(world, name):
    file = world.spec((FOLDER / (name + ".yaml")).read_text(), name + ".yaml")
    suggested = commands(name)
    assert suggested[0] == (["apply", "examples/%s.yaml" % name], False), "the first thing to try is apply"
    assert suggested[-1] == (["delete", "examples/%s.yaml" % name], False), "the last thing to try is delete"
    before = world.snapshot()
    world.weir("apply", file)
    assert "nothing to change" in world.weir("plan", file).out
    for words, fails in suggested[1:-1]:
        result = world.weir(*words, check=False)
        assert (result.code != 0) == fails, "%s was expected: %s" % ("failure" if fails else "success", result)
    assert world.weir("status", json=True)["in_sync"]
    world.weir("delete", file)
    world.weir("delete", "--all")
    world.same(before, world.snapshot(), name)


README = FOLDER.parent / "README.md"
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.S)
TIMES = re.compile(r"(?<=time[= ])[0-9.]+(?= ?ms)|(?<=^dropped   )\d+", re.M)  # a lost answer is asked for again
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def script(blocks):
    """The commands of the tour (lines that begin with "# ") as one script that prints what a terminal shows."""
    lines = ["cd %s && exec 2>&1" % shlex.quote(str(README.parent)), "trap 'kill $(jobs -p) 2>/dev/null' EXIT"]
    for block in blocks:
        lines.append("echo @")
        for command in [line[2:] for line in block.splitlines() if line.startswith("# ")]:
            lines += ["echo %s" % shlex.quote("# " + command), command]
            if command.endswith("&"):  # a server, by `weir exec NAME --`
                lines.append("until weir exec %s -- ss -Hltn | grep -q .; do sleep 0.02; done" % command.split()[2])
    return "\n".join(lines)


def plain(text):
    """Without what differs from run to run, and with widths of columns that do not matter."""
    text = TIMES.sub("N", UUID.sub("UUID", text))
    return [" ".join(line.split()) for line in text.strip().splitlines()]


@behaviour("U1", "R3")
@here("the tour of README.md needs a checkout")
def test_tour(world):
    """With WEIR_GOLDEN=write in the environment README.md is written instead of compared."""
    text = README.read_text()
    blocks = BLOCK.findall(text)
    if world.backend == "iptables":
        blocks = [b.replace("nftables (table inet weir)", "iptables (chains WEIR-…)") for b in blocks]
    assert len(blocks) >= 5
    said = world.machine.run(["timeout", "60", "bash", "-c", script(blocks)], None, {"WEIR_BACKEND": world.backend})
    found = ["\n".join(line.rstrip() for line in part.strip().splitlines()) + "\n" for part in said.out.split("@\n")[1:]]
    assert len(found) == len(blocks), str(said)
    if os.environ.get("WEIR_GOLDEN") == "write" and world.backend == "nftables":
        fresh = iter(found)
        README.write_text(BLOCK.sub(lambda _: next(fresh), text))
        return
    for expected, got in zip(blocks, found):
        diff = list(difflib.unified_diff(plain(expected), plain(got), "README.md", "printed", lineterm=""))
        assert not diff, "\n".join(diff)


def test_the_spec_of_the_readme_is_taken(world):
    specs = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.S)
    assert specs
    for text in specs:
        world.apply(text, name="readme.yaml")
        assert "nothing to change" in world.weir("plan", "readme.yaml").out
        world.weir("delete", "--all")
