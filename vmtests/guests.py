# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a world stands: a QEMU machine of another kernel, a fresh clone for every test (vm/guest.py).

The machine is the test's own, so weir runs in its first namespaces. Its neighbours are namespaces beside them.
"""
import hashlib
import pathlib
import re
import subprocess
import tempfile

import place
import world
from vm import guest, kernels

RUN_TIMEOUT = 120  # seconds; emulated, and on a busy host
FOLDER = "/root/world"
HOST, LAN = "/proc/1/ns/net", "/root/lan"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
# The kernel's own watchdogs are off: how long a processor stands still tells how busy its host is. For the same
# reason packets may wait for it in any number; and connections be followed in as many as on a host of some size.
FURNISH = """
mkdir -p %s
rmdir /etc/netns
echo 0 >/proc/sys/kernel/watchdog
echo 0 >/proc/sys/kernel/hung_task_timeout_secs
echo 100000 >/proc/sys/net/core/netdev_max_backlog
echo 262144 >/proc/sys/net/netfilter/nf_conntrack_max
echo 1 >/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress
""" % FOLDER
WIRED = "touch {0}\nunshare --net={0} true\n".format(LAN) + world.wiring(HOST, LAN)
# What a kernel says when something in it is broken.
COMPLAINT = re.compile(r"BUG|WARNING|Oops|general protection|Call Trace|refcount|scheduling while atomic|possible .* deadlock"
                       r"|suspicious RCU|Unable to handle|leaked|double free")


class Process:
    """A command in the guest; see place.Process."""

    def __init__(self, process):
        self._process, self.pid = process, process.pid
        self.write = lambda text: process.write(text.encode())
        self.poll, self.send_signal = process.poll, process.kill

    def line(self):
        return self._process.line(RUN_TIMEOUT).decode("utf-8", "replace")

    def kill(self):
        self._process.kill()

    def finish(self, stdin=None, timeout=RUN_TIMEOUT):
        late = ""
        try:
            out, err = self._process.communicate((stdin or "").encode(), timeout)
        except guest.Timeout:
            self._process.kill(group=True)
            out, err = self._process.communicate(timeout=RUN_TIMEOUT)
            late = place.LATE % timeout
        return self._process.wait(), out.decode("utf-8", "replace"), err.decode("utf-8", "replace") + late


class Machine(place.Machine):
    """A clone of a kernel's template."""
    folder, host = FOLDER, HOST
    holder = None  # its namespace stays without

    def __init__(self, where, clone, lan=None):
        super().__init__(where)
        self.guest, self.lan = clone, lan

    def popen(self, argv, net=None, env=None, talk=False):
        process = self.guest.spawn([str(word) for word in argv], env={**ENVIRONMENT, **(env or {})}, net=net, cwd=FOLDER)
        if not talk:
            process.eof()
        return Process(process)

    def inode(self, path):
        try:
            return self.guest.stat(path).st_ino
        except OSError:
            return None

    def read(self, path):
        return self.guest.get(path)

    def write(self, path, data):
        self.guest.put(data, path, 0o644)

    def unlink(self, path):
        return self.run(["rm", path], check=False, record=False).code == 0

    def complaints(self):
        """What the kernel has said that it should not, as text; a new taint as well."""
        said = [line for line in self.guest.kmsg() if COMPLAINT.search(line)]
        taint = self.guest.taint()
        return "\n".join(said + (["tainted: %d" % taint] if taint else []))

    def close(self):
        self.guest.close()  # and all that runs in it
        self.agents = []


def stripped(file):
    """A program without its symbols: it goes over a slow wire."""
    with tempfile.NamedTemporaryFile() as copy:
        subprocess.run(["strip", "-o", copy.name, file], check=True)
        return pathlib.Path(copy.name).read_bytes()


def furnish(machine, files):
    """What every test needs in its clone."""
    for path, data in files.items():
        machine.put(data, path, 0o755)
    machine.exec(["sh", "-c", FURNISH])  # some kernels lack one or the other


def wire(machine):
    """Most tests find their lan there."""
    code, _, err = machine.exec(["sh", "-ec", WIRED])
    if code:
        raise guest.Dead("its lan cannot be wired: %s" % err.decode(errors="replace"))


class Kernel:
    """One of Debian's kernels, in QEMU."""
    run_timeout = RUN_TIMEOUT
    emulated = True  # and it has one processor
    patience = 6
    probe, fault, weir = map(pathlib.PurePosixPath, (
        "/usr/local/bin/probe", "/usr/local/lib/libweirfault.so", "/usr/local/sbin/weir"))

    def __init__(self, name, host):
        """What is put into the template is what that place of this host's runs."""
        fetched = kernels.fetch(name)
        self.name, self.kernel = name, fetched.release
        self.template = guest.template(fetched)
        files = {self.weir: stripped(host.weir), self.probe: stripped(host.probe), self.fault: stripped(host.fault),
                 self.program("exchange"): stripped(place.program("exchange"))}
        key = hashlib.sha256(repr((FURNISH, sorted((str(path), data) for path, data in files.items()))).encode()).hexdigest()
        self.furnished = self.template.prepared(key, lambda machine: furnish(machine, files))
        self.wired = self.furnished.prepared(WIRED, wire)

    def program(self, name):
        return "/usr/local/bin/" + name

    def machine(self, _):
        return Machine(self, self.wired.clone(), LAN)

    def pair(self, _):
        """A machine and its neighbour's."""
        ends = guest.Wire.pair()
        return [Machine(self, self.furnished.clone(wires=[end])) for end in ends]
