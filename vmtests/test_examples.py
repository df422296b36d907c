# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples do what their comments say.

Lines of a comment that begin with a tab and "weir" are commands to try. One whose remark ends in ": no"
must fail, every other one must not."""
import pathlib
import re
import shlex

import pytest

from marks import behaviour

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
    file = str(FOLDER / (name + ".yaml"))
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
