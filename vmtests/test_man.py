# SPDX-License-Identifier: GPL-2.0-or-later
"""The man pages name what there is: every verb and option of --help, every key of the spec."""
import pathlib
import re

import pytest

from marks import behaviour, words_only

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ROOT / "cli" / "man"
COMMANDS = re.compile(r"^  ([a-z]+(?: [a-z]+)?)  +\S", re.M)
OPTION = re.compile(r"^ +(?:-([A-Za-z]), )?--([a-z-]+)(?: ([^\s,]+))?", re.M)
KEY = re.compile(r'^\t*\{ "([a-z_0-9]+)", read_\w+ \}|\{ "([a-z_0-9]+)", read_', re.M)


def page(name):
    return (PAGES / name).read_text()


def items(text):
    """What the lists of a page explain: the words of each .It line, without macros."""
    lines = [line[4:] for line in text.splitlines() if line.startswith(".It ")]
    return [re.sub(r"\\&", "", line) for line in lines]


@behaviour("U2")
@words_only
def test_every_verb_has_its_place(world):
    verbs = COMMANDS.findall(world.weir("--help").out.split("Global options:")[0])
    assert len(verbs) > 15
    explained = [re.sub(r"^Cm ", "", item) for item in items(page("weir.8"))]
    missing = [verb for verb in verbs if not any(re.match(verb + r"\b", item) for item in explained)]
    assert not missing


@behaviour("U2")
@words_only
def test_every_option_has_its_place(world):
    """Every option of every verb, and none that is not there."""
    overview = world.weir("--help").out
    verbs = COMMANDS.findall(overview.split("Global options:")[0])
    options = set()
    for verb in verbs:
        text = world.weir(*verb.split(), "--help").out
        options |= {(letter, name) for letter, name, _ in OPTION.findall(text)}
    assert ("p", "publish") in options and ("", "prune") in options and ("n", "dry-run") in options
    explained = items(page("weir.8"))
    for letter, name in sorted(options):
        words = ("Fl %s , " % letter if letter else "") + "Fl Fl " + name
        assert any(re.search(re.escape(words) + r"\b(?!-)", item) for item in explained), "not in weir.8: " + words
    told = {name for item in explained for name in re.findall(r"Fl Fl ([a-z][a-z-]*)", item)}
    assert told <= {name for _, name in options}, "weir.8 tells of options that are not there"


@behaviour("U2")
@words_only
def test_exit_codes_and_environment(world):
    text = page("weir.8")
    for code in re.findall(r"(\d) [a-z]", world.weir("--help").out.split("Exit codes:")[1]):
        assert ".It %s\n" % code in text
    for name in re.findall(r"\$(WEIR_[A-Z_]+)", world.weir("--help").out):
        assert ".It Ev " + name in text


@behaviour("U2")
def test_every_key_has_its_place():
    found = set()
    for source in sorted((ROOT / "core").glob("spec*.c")):
        found |= {a or b for a, b in KEY.findall(source.read_text())}
    assert {"networks", "subnet", "publish", "via", "prefix", "filter_bridged"} <= found
    text = page("weir.yaml.5")
    missing = [key for key in sorted(found) if not re.search(r"\bCm %s\b" % key, text)]
    assert not missing
    told = {key for item in items(text) for key in re.findall(r"^Cm (\w+) Ns", item)}
    assert told <= found, "weir.yaml.5 tells of keys that are not there"


def literals(name):
    """The examples of a page."""
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", page(name), re.M | re.S)
    return [block.replace("\\&", "") for block in blocks]


@behaviour("U2", "R3")
@words_only
def test_the_examples_of_specs_are_taken(world):
    world.netns("job")
    blocks = literals("weir.yaml.5")
    assert len(blocks) >= 4
    whole = blocks[1] + blocks[2]  # endpoints stand in the networks above them
    for index, text in enumerate([blocks[0], whole, blocks[3]]):
        name = "man%d.yaml" % index
        world.apply(text, name=name)
        assert "nothing to change" in world.weir("plan", name).out
        world.weir("delete", name)


@behaviour("U2")
@words_only
def test_the_examples_of_commands_work(world):
    commands = [line[2:] for line in "".join(literals("weir.8")).splitlines() if line.startswith("# ")]
    assert len(commands) >= 8
    for line in commands:
        if line.startswith("weir ") and "$!" not in line:
            world.weir(*line.split()[1:])


@pytest.mark.parametrize("name", ["weir.8", "weir.yaml.5"])
def test_pages_say_nothing_of_what_is_not_built(name):
    words = ["iptables backend", "weir watch", "weir doctor", "--confirm"]
    assert not [word for word in words if word in page(name)]
