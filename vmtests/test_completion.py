# SPDX-License-Identifier: GPL-2.0-or-later
"""U2: completion for bash and zsh, asked as the shells ask."""
import os
import pty
import re
import select
import subprocess
import time

import pytest

from marks import behaviour, words_only
from specs import web

BASH = """
PATH="$1:$PATH"
source <(weir completion bash)
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_weir
printf '%s\\n' "${COMPREPLY[@]}"
"""
COMMANDS = {"apply", "plan", "network", "endpoint", "port", "exec", "status", "graph", "completion"}


@pytest.fixture
def in_bash(world):
    """What bash would offer for the last word of a line."""
    folder = str(world.place.weir.parent)

    def complete(*words):
        said = world.host.run("bash", "-c", BASH, "bash", folder, "weir", *words)
        assert not said.err, str(said)
        return set(said.out.split())
    return complete


@behaviour("U2")
@words_only
def test_bash_completes_from_the_tables_of_help(world, in_bash):
    verbs = re.findall(r"(?m)^  ([a-z]+)(?: [a-z]+)?  +\S", world.weir("--help").out.split("Global options:")[0])
    assert in_bash("") == set(verbs) and COMMANDS <= set(verbs)
    assert in_bash("net") == {"network"}
    assert in_bash("network", "") == {"add", "set", "rm", "ls", "show"}
    options = set(re.findall(r"--[a-z][a-z-]+", world.weir("network", "add", "--help").out))
    assert in_bash("network", "add", "new", "--") == options
    assert in_bash("network", "add", "new", "--nat", "") == {"masquerade", "none"}
    assert in_bash("graph", "--format", "=", "m") == {"mermaid"}
    assert in_bash("completion", "") == {"bash", "zsh"}
    assert in_bash("backend", "") == {"use"} and in_bash("backend", "use", "") == {"nftables", "iptables", "auto"}
    assert in_bash("exec", "nginx", "--", "l") == set(), "what follows is another command"


@behaviour("U2")
@words_only
def test_bash_completes_names_and_files(world, in_bash):
    world.apply(web())
    assert in_bash("network", "rm", "") == {"web", "db"}
    assert in_bash("--json", "endpoint", "show", "n") == {"nginx"}
    assert {"nginx"} <= in_bash("port", "add", "")
    assert in_bash("endpoint", "add", "new", "--network", "w") == {"web"}
    assert "spec.yaml" in in_bash("apply", "s")
    world.weir("port", "add", "nginx", "5353:53/udp")
    assert in_bash("port", "add", "nginx", "") == set()
    assert in_bash("port", "rm", "") == in_bash("endpoint", "rm", "") == {"nginx", "api", "pg"}
    assert in_bash("port", "rm", "nginx", "") == in_bash("port", "show", "nginx", "") == {"8080:80", "5353:53/udp"}
    assert in_bash("port", "rm", "nginx", "8080", ":", "8") == set()
    assert in_bash("endpoint", "rm", "nginx", "p") == {"pg"}


@behaviour("U2")
@words_only
def test_bash_completes_who_is_asked_about(world, in_bash):
    world.apply(web())
    for option in ("--from", "--to"):
        assert in_bash("policy", "test", option, "") == {"outside", "host", "nginx", "api", "pg"}
        assert in_bash("policy", "add", "p", option, "") == set(), "that is a selector"
    assert in_bash("policy", "test", "--from", "api", "--to", "n") == {"nginx"}


@behaviour("U2")
@words_only
def test_bash_completes_what_help_is_asked_of(in_bash):
    assert in_bash("help", "") == in_bash("") and in_bash("help", "network", "s") == {"set", "show"}


def zsh(folder, line):
    """What zsh shows when somebody types this line and asks for its completions."""
    master, slave = pty.openpty()
    environment = {"PATH": folder + ":" + os.environ["PATH"], "TERM": "dumb", "HOME": "/nonexistent", "COLUMNS": "200"}
    shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, env=environment,
                             start_new_session=True)
    os.close(slave)
    heard = b""

    def until(mark, seconds=20):
        nonlocal heard
        deadline = time.monotonic() + seconds
        while mark not in heard:
            assert time.monotonic() < deadline, "zsh said: %r" % heard
            if select.select([master], [], [], 0.1)[0]:
                heard += os.read(master, 65536)
    try:
        # only at its prompt zsh reads keys by itself; the marks are split, so that the echo of what is typed is not taken for the answer
        os.write(master, b"autoload -U compinit; compinit -D -u; source <(weir completion zsh); "
                         b"unsetopt beep; bindkey '^D' list-choices; PS1='REA''DY>'\n")
        until(b"READY>")
        os.write(master, line.encode() + b"\x04")
        os.write(master, b"\x15echo E''ND\n")
        until(b"END")
    finally:
        shell.kill()
        shell.wait()
        os.close(master)
    return heard.decode(errors="replace").split("READY", 1)[1]


@behaviour("U2")
@words_only
def test_zsh_completes_with_what_things_are(world):
    folder = str(world.place.weir.parent)
    shown = zsh(folder, "weir ")
    assert re.search(r"apply +-- make the host what the files say", shown), shown
    shown = zsh(folder, "weir network ")
    assert re.search(r"add +-- make a network", shown), shown
    shown = zsh(folder, "weir network add new --na")
    assert "--nat" in shown, shown
    shown = zsh(folder, "weir graph --format ")
    assert "mermaid" in shown, shown


@behaviour("U2")
@words_only
def test_another_shell_is_refused(world):
    world.refused(2, "completion", "fish", says=["fish", "bash or zsh"])
