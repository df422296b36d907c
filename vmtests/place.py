# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a world stands: here, namespaces on this host's own kernel.

A place makes machines. A machine is one mount namespace of its own (so that whatever weir writes stays
inside and dies with it), one network namespace in which weir runs, and further network namespaces beside
it. Every namespace is held by a probe (net/probe.h): when the probes are gone, so is the machine.
"""
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
RUN_TIMEOUT = 30  # seconds; nothing here takes one, on a busy host neither

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


class Agent:
    """A probe: one line asked, one line answered."""

    def __init__(self, argv):
        # Unbuffered, so that what was read is what was answered.
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1)
        if self.process.stdout.readline() != "ready\n":
            self.process.kill()
            raise RuntimeError("%s: %s" % (" ".join(argv), self.process.communicate()[1]))
        self.pid = self.process.pid

    def send(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, *words):
        self.send(*words)
        return self.line()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


class Machine:
    """Namespaces of this kernel. Paths given to it are paths inside."""

    def __init__(self, place, folder):
        self.place, self.folder, self.agents, self.history = place, str(folder), [], []
        self.holder = self._agent(["unshare", "--mount", "--net", "--", place.probe, "host"])
        self.host = "/proc/%d/ns/net" % self.holder.pid
        self.mounts = "/proc/%d/ns/mnt" % self.holder.pid
        self.run(["sh", "-c", MOUNTS], record=False)

    def _agent(self, argv):
        agent = Agent([str(word) for word in argv])
        self.agents.append(agent)
        return agent

    def enter(self, argv, net=None):
        return [str(word) for word in
                (self.place.probe, "enter", self.mounts, net or self.host, self.folder, *argv)]

    def netns(self, name):
        """Another network namespace beside the host's; its probe and how to enter it."""
        agent = self._agent(self.enter(["unshare", "--net", "--", self.place.probe, name]))
        return agent, "/proc/%d/ns/net" % agent.pid

    def agent(self, net, name):
        return self._agent(self.enter([self.place.probe, name], net))

    def drop(self, agent):
        agent.close()
        self.agents.remove(agent)

    def popen(self, argv, net=None, env=None, **more):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", **(env or {})}
        return subprocess.Popen(self.enter(argv, net), env=environment, text=True,
                                stdin=more.pop("stdin", subprocess.DEVNULL),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def finish(self, process, argv, stdin=None, timeout=RUN_TIMEOUT):
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += "\nkilled by the test after %d s\n" % timeout
        return Result(argv, process.returncode, out, err)

    def run(self, argv, net=None, env=None, check=True, stdin=None, record=True, timeout=RUN_TIMEOUT):
        process = self.popen(argv, net, env, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        result = self.finish(process, argv, stdin, timeout)
        if record:
            self.history.append(result)
        if check and result.code != 0:
            raise AssertionError("failed: %s" % result)
        return result

    def path(self, inside):
        """The file as seen from outside."""
        return pathlib.Path("/proc/%d/root" % self.holder.pid) / inside.lstrip("/")

    def close(self):
        for agent in reversed(self.agents):
            agent.close()
        self.agents = []


class HostKernel:
    """This host's kernel."""
    name = "host"

    def __init__(self):
        self.kernel = os.uname().release
        self.probe = _built("probe", ROOT / "vmtests/net", ["-D_GNU_SOURCE"])
        self.fault = _built("../libweirfault.so", ROOT / "vmtests/fault",
                            ["-D_GNU_SOURCE", "-shared", "-fPIC", "-ldl"])
        self.weir = BUILD / "weir"

    def machine(self, folder):
        return Machine(self, folder)


def _built(name, sources, flags):
    """What `make` builds; without it, or when it is old, the same is done here."""
    target, files = BUILD / "vmtests" / name, sorted(sources.glob("*.[ch]"))
    if not files:
        return None
    if not target.exists() or target.stat().st_mtime < max(f.stat().st_mtime for f in files):
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".%d" % os.getpid())
        subprocess.run(["gcc", "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT), "-o", fresh,
                        *[f for f in files if f.suffix == ".c"], *flags], check=True)
        fresh.rename(target)
    return target


def wait_until(condition, what, seconds=5):
    """Polls until condition() is true; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %d s: %s" % (seconds, what))
        time.sleep(0.005)
