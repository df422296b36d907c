# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a world stands: here, namespaces on this host's own kernel; guests.py has the machines of other kernels.

A place makes machines. A machine is a host on which weir runs, and further network namespaces beside it; commands
are run and files are read by its methods only, so that no test knows where it is. Here it is one mount namespace
(whatever weir writes stays inside and dies with it) and one network namespace. Every namespace is held by a probe
(net/probe.h): when the probes are gone, so is the machine.
"""
import os
import pathlib
import shutil
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
RUN_TIMEOUT = 30  # seconds; nothing here takes one, on a busy host neither
LATE = "\nkilled by the test after %d s\n"

# /etc is an overlay because weir writes /etc/netns; its upper half lies on a tmpfs.
MOUNTS = """
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lock
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work overlay /etc
rm -rf /etc/netns
mount -t sysfs sysfs /sys
"""


class Result:
    """What a command said."""

    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def __str__(self):
        text = "$ %s  -> %d\n" % (" ".join(map(str, self.argv)), self.code)
        return text + "".join("    " + line + "\n" for line in (self.out + self.err).splitlines())


class Process(subprocess.Popen):
    """A command that goes on beside the test. What another place offers has the same methods: write, line, poll,
    send_signal, kill, finish, and the pid by which it is known inside."""

    def __init__(self, argv, talk, **more):
        # Lines at once, so that what was read is what was answered.
        super().__init__(argv, text=True, bufsize=1, stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def write(self, text):
        self.stdin.write(text)
        self.stdin.flush()

    def line(self):
        """The next line of its output; empty when there is no more."""
        return self.stdout.readline()

    def finish(self, stdin=None, timeout=RUN_TIMEOUT):
        """Waits for its end: exit code (a signal's number below 0), output, errors."""
        try:
            out, err = self.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            out, err = self.communicate()
            err += LATE % timeout
        return self.returncode, out, err


class Agent:
    """A probe: one line asked, one line answered."""

    def __init__(self, process, name):
        self.process = process
        if process.line() != "ready\n":
            process.kill()
            raise RuntimeError("the probe %s: %s" % (name, process.finish()[2]))
        self.pid = process.pid

    def send(self, *words):
        self.process.write(" ".join(map(str, words)) + "\n")

    def line(self):
        return self.process.line().rstrip("\n")

    def ask(self, *words):
        self.send(*words)
        return self.line()

    def close(self):
        self.process.kill()
        self.process.finish()


class File:
    """A file of a machine; as pathlib.Path where the names are the same."""

    def __init__(self, machine, path):
        self.machine, self.path = machine, str(path)

    def __truediv__(self, name):
        return File(self.machine, self.path.rstrip("/") + "/" + str(name))

    def __str__(self):
        return self.path

    def inode(self):
        """Its number; None when it is not there."""
        return self.machine.inode(self.path)

    def exists(self):
        return self.inode() is not None

    def unlink(self, missing_ok=False):
        if not self.machine.unlink(self.path) and not missing_ok:
            raise FileNotFoundError(self.path)

    def read_bytes(self):
        return self.machine.read(self.path)

    def read_text(self, encoding="utf-8"):
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data):
        self.machine.write(self.path, data)

    def write_text(self, text, encoding="utf-8"):
        self.write_bytes(text.encode(encoding))


class Machine:
    """A host's namespaces and files, wherever it is; paths given to it are paths inside. What a place adds: popen,
    inode, read, write, unlink, and the folder in which commands run."""
    folder = "/"
    lan = None  # the path of the lan's namespace, where it is there and wired already

    def __init__(self, place):
        self.place, self.agents, self.history, self.ran = place, [], [], 0

    def agent(self, net, name, before=()):
        """A probe in that network namespace; None: the host's."""
        agent = Agent(self.popen([*before, self.place.probe, name], net, talk=True), name)
        self.agents.append(agent)
        return agent

    def netns(self, name):
        """Another network namespace beside the host's; its probe and how to enter it."""
        agent = self.agent(None, name, ["unshare", "--net", "--"])
        return agent, "/proc/%d/ns/net" % agent.pid

    def drop(self, agent):
        agent.close()
        self.agents.remove(agent)

    def finish(self, process, argv, stdin=None, timeout=None):
        self.ran += 1
        return Result(argv, *process.finish(stdin, timeout or self.place.run_timeout))

    def run(self, argv, net=None, env=None, check=True, stdin=None, record=True, timeout=None):
        result = self.finish(self.popen(argv, net, env, talk=stdin is not None), argv, stdin, timeout)
        if record:
            self.history.append(result)
        if check and result.code != 0:
            raise AssertionError("failed: %s" % result)
        return result

    def path(self, inside):
        return File(self, inside)

    def complaints(self):
        """What the kernel has said during the test that none should say; here others use it too."""
        return ""

    def close(self):
        for agent in reversed(self.agents):
            agent.close()
        self.agents = []


class Namespaces(Machine):
    """Namespaces of this kernel."""

    def __init__(self, place, folder):
        super().__init__(place)
        self.folder = str(folder)
        self.holder = Agent(Process(["unshare", "--mount", "--net", "--", place.probe, "host"], True), "host")
        self.agents.append(self.holder)
        self.host = "/proc/%d/ns/net" % self.holder.pid
        self.run(["sh", "-c", MOUNTS], record=False)

    def popen(self, argv, net=None, env=None, talk=False):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", **(env or {})}
        enter = [self.place.probe, "enter", "/proc/%d/ns/mnt" % self.holder.pid, net or self.host, self.folder]
        return Process([str(word) for word in (*enter, *argv)], talk, env=environment)

    def _outside(self, path):
        return pathlib.Path("/proc/%d/root" % self.holder.pid) / path.lstrip("/")

    def inode(self, path):
        try:
            return self._outside(path).stat().st_ino
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, path):
        return self._outside(path).read_bytes()

    def write(self, path, data):
        self._outside(path).write_bytes(data)

    def unlink(self, path):
        """False when there was none."""
        try:
            self._outside(path).unlink()
        except FileNotFoundError:
            return False
        return True


class HostKernel:
    """This host's kernel."""
    name = "host"
    run_timeout = RUN_TIMEOUT
    emulated = False
    patience = 1  # how much longer than here a test may take

    def __init__(self, folder=None):
        """With a folder weir is copied there: a build meanwhile disturbs nobody."""
        self.kernel = os.uname().release
        self.probe = built("probe", "vmtests/net", ["-D_GNU_SOURCE"])
        self.fault = built("../libweirfault.so", "vmtests/fault", ["-D_GNU_SOURCE", "-shared", "-fPIC", "-ldl"])
        self.weir = pathlib.Path(shutil.copy(BUILD / "weir", folder) if folder else BUILD / "weir")

    def machine(self, folder):
        return Namespaces(self, folder)

    def pair(self, folder):
        """A machine and its neighbour's; here that is a namespace beside it."""
        return self.machine(folder), None

    def program(self, name):
        """Where it is inside; one of those that `make behaviour-programs` builds."""
        return program(name)


def program(name):
    for folder in (BUILD, ROOT / "build"):
        if (folder / "vmtests" / name).exists():
            return folder / "vmtests" / name
    raise RuntimeError("%s is not built: make behaviour-programs" % name)


def built(name, sources, flags):
    """What `make` builds; without it, or when it is old, the same is done here."""
    target, files = BUILD / "vmtests" / name, sorted((ROOT / sources).glob("*.[ch]"))
    if not target.exists() or target.stat().st_mtime < max(f.stat().st_mtime for f in files):
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".%d" % os.getpid())
        subprocess.run(["gcc", "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT), "-o", fresh,
                        *[f for f in files if f.suffix == ".c"], *flags], check=True)
        fresh.rename(target)
    return target


def wait_until(condition, what, seconds=20):
    """Polls until condition() is true; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %d s: %s" % (seconds, what))
        time.sleep(0.005)
