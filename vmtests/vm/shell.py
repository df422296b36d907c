#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A shell in a throwaway machine, with weir in it: `make vm KERNEL=6.12`.

The machine's serial console is this terminal. Leaving the shell ends the machine; so does Ctrl-C before
the prompt is there. With a command after the kernel's name, that runs instead, and its exit code is passed on.
"""
import os
import pathlib
import shutil
import sys
import termios

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from vm import files, guest, kernels, qemu, userland  # noqa: E402

# stty: the serial line knows no window size. HISTFILE: nothing is to be written at the end.
WELCOME = """stty rows {rows} cols {columns} 2>/dev/null
unset HISTFILE
echo "Linux $(uname -r); weir is in PATH, /root/examples has specs; exit ends the machine."
"""


def weir():
    return pathlib.Path(os.environ.get("WEIR_BUILD", files.ROOT / "build")) / "weir"


def furnish(machine):
    """What a user's hands are to find."""
    machine.put(weir(), "/usr/sbin/weir")
    for path in sorted((files.ROOT / "examples").rglob("*")):
        if path.is_file():
            machine.put(path, "/root/examples/%s" % path.relative_to(files.ROOT / "examples"))


def interactive(template):
    """The shell on the serial console; QEMU makes this terminal raw, and we give it back as it was."""
    terminal = termios.tcgetattr(0)
    try:
        with template.clone(terminal=True) as machine:
            furnish(machine)
            size = shutil.get_terminal_size()
            machine.put(WELCOME.format(rows=size.lines, columns=size.columns).encode(), "/root/.welcome")
            shell = machine.spawn(["@tty", "/dev/ttyS0", "bash", "-c",
                                   ". /root/.welcome; exec bash --rcfile /root/.profile"],
                                  env={"HOME": "/root", "TERM": os.environ.get("TERM", "linux"),
                                       "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, cwd="/root")
            return shell.wait(timeout=None)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, terminal)


def command(template, argv):
    with template.clone() as machine:
        furnish(machine)
        code, out, err = machine.exec(argv, env={"HOME": "/root"}, cwd="/root", timeout=600)
        sys.stdout.buffer.write(out)
        sys.stderr.buffer.write(err)
        return code if code >= 0 else 128 - code


def main(argv):
    name, words = (argv or ["6.12"])[0], argv[1:]
    if not weir().exists():
        sys.exit("%s is not built" % weir())
    if not words and not sys.stdin.isatty():
        sys.exit("this is no terminal; give a command: %s KERNEL COMMAND…" % sys.argv[0])
    try:
        template = guest.template(kernels.fetch(name))
        sys.exit(command(template, words) if words else interactive(template))
    except (kernels.Unavailable, qemu.Unusable, userland.Missing, files.NoSpace, guest.Dead, guest.Timeout) as e:
        sys.exit("vm: %s" % e)


if __name__ == "__main__":
    main(sys.argv[1:])
