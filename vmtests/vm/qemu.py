# SPDX-License-Identifier: GPL-2.0-or-later
"""One QEMU process: its arguments, its monitor (QMP), its end.

A clone must have the devices of its template, so every machine has the same ones: the agent's port, two
network cards, a disk. Which of them lead somewhere is the clone's own affair: the guest has not looked at
the others, because it loads their drivers only when a machine is made with wires or a disk.
"""
import functools
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import files

PROGRAM = "qemu-system-x86_64"
MEMORY = os.environ.get("WEIR_VM_MEMORY", "384M")
NICS = 2
FOLDER = "weir-vm-%d-"  # of whom
NO_WIRE = "hubport,id=n%d,hubid=%d"
NO_DISK = "driver=null-co,node-name=d0,read-zeroes=on,size=67108864"


class Unusable(Exception):
    """QEMU cannot be used here; one line says why."""


def version():
    try:
        said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        raise Unusable("%s is not installed (package qemu-system-x86)" % PROGRAM) from None
    return said.splitlines()[0]


@functools.cache
def _forget_dead():
    """Folders whose owner was killed before it could take them away."""
    for folder in pathlib.Path("/tmp").glob("weir-vm-*-*"):
        if not os.path.exists("/proc/" + folder.name.split("-")[2]):
            shutil.rmtree(folder, ignore_errors=True)


class Qemu:
    """A running machine. ram: the file its memory is, or is cloned from; state: what a clone continues."""

    def __init__(self, accel, kernel, initrd, command_line, ram=None, share=False, incoming=False, wires=(),
                 disk=None, terminal=False):
        _forget_dead()
        self.folder = tempfile.mkdtemp(prefix=FOLDER % os.getpid(), dir="/tmp")  # short: a socket's path has 107 bytes
        self.process = self.monitor = None
        wires = [*wires, *[None] * (NICS - len(wires))]
        backend = "memory-backend-file,id=ram0,size=%s,mem-path=%s,share=%s" % (
            MEMORY, ram, "on" if share else "off") if ram else "memory-backend-ram,id=ram0,size=" + MEMORY
        argv = [PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-M", "q35,memory-backend=ram0", "-m", MEMORY, "-object", backend,
                "-accel", accel, "-smp", "1", "-kernel", kernel, "-initrd", initrd, "-append", command_line,
                "-serial", "chardev:console", "-chardev",
                "stdio,id=console,signal=off" if terminal else "file,id=console,path=" + self.path("console"),
                "-qmp", "unix:%s,server=on,wait=off" % self.path("qmp"),
                "-device", "virtio-serial-pci",
                "-chardev", "socket,id=agent,path=%s,server=on,wait=off" % self.path("agent"),
                "-device", "virtserialport,chardev=agent,name=weir.agent",
                "-blockdev", disk_argument(disk), "-device", "virtio-blk-pci,drive=d0"]
        for n, wire in enumerate(wires):
            argv += ["-netdev", wire.argument(n) if wire else NO_WIRE % (n, n),
                     "-device", "virtio-net-pci,netdev=n%d,romfile=,mac=02:00:5e:00:53:%02x" % (n, n)]
        argv += ["-incoming", "defer"] if incoming else []
        try:
            self._start(argv, [wire.fd for wire in wires if wire and wire.fd is not None],
                        None if terminal else subprocess.DEVNULL)
        except BaseException:
            self.close()
            raise

    def _start(self, argv, fds, stdin):
        # setpriv becomes QEMU; the kernel kills it when the thread that started it ends, however it ends.
        with open(self.path("stderr"), "wb") as stderr:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *map(str, argv)], stdin=stdin, pass_fds=fds, stderr=stderr,
                stdout=None if stdin is None else subprocess.DEVNULL)
        self.monitor = self._monitor()

    def path(self, name):
        return os.path.join(self.folder, name)

    def _monitor(self):
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            try:
                return Monitor(self.path("qmp"))
            except OSError:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.005)
        raise Unusable("QEMU does not start: " + self.stderr())

    def stderr(self):
        text = pathlib.Path(self.path("stderr")).read_text(errors="replace").strip()
        return text.splitlines()[-1] if text else "no reason given"

    def console(self):
        try:
            return pathlib.Path(self.path("console")).read_text(errors="replace")
        except OSError:
            return ""

    def close(self):
        if self.monitor:
            self.monitor.close()
        if self.process:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def disk_argument(disk):
    return "driver=raw,node-name=d0,file.driver=file,file.filename=%s" % disk if disk else NO_DISK


class Monitor:
    """QMP: a question, its answer; events are passed over."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
            self.socket.settimeout(60)
            self.file = self.socket.makefile("rw", encoding="utf-8")
            self.file.readline()
            self.ask("qmp_capabilities")
        except BaseException:
            self.socket.close()
            raise

    def ask(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Unusable("QEMU refuses %s: %s" % (command, answer["error"]["desc"]))

    def _read(self):
        line = self.file.readline()
        if not line:
            raise OSError("QEMU is gone")
        return json.loads(line)

    def save(self, path, shared):
        """Stops the machine and writes its state; its memory too unless `shared`."""
        self.ask("stop")
        self._capabilities(shared)
        self.ask("migrate", uri="exec:cat > " + shlex.quote(str(path)))
        self._migrated()

    def restore(self, path, shared):
        """Continues where the template stopped."""
        self._capabilities(shared)
        self.ask("migrate-incoming", uri="exec:cat " + shlex.quote(str(path)))
        self._migrated()

    def _capabilities(self, shared):
        if shared:
            self.ask("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])
        else:
            self.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 34})

    def _migrated(self):
        deadline = time.monotonic() + 60
        while True:
            status = self.ask("query-migrate").get("status")
            if status == "completed":
                return
            if status in ("failed", "cancelled") or time.monotonic() > deadline:
                raise Unusable("QEMU cannot save or restore the machine (%s)" % status)
            time.sleep(0.002)

    def close(self):
        self.socket.close()


def accelerator(probe):
    """"kvm" where a machine really boots under it, else "tcg". The device may open and the machine still
    hang, so probe("kvm") is asked to boot one; what it found holds until this host boots anew."""
    chosen = os.environ.get("WEIR_VM_ACCEL")
    if chosen:
        return chosen
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    note = files.cache() / "accelerator.json"
    key = {"boot": boot, "qemu": version()}
    with files.locked("accelerator"):
        try:
            known = json.loads(note.read_text())
        except (OSError, ValueError):
            known = {}
        if {k: known.get(k) for k in key} != key:
            usable = os.access("/dev/kvm", os.R_OK | os.W_OK) and probe("kvm")
            known = {**key, "accel": "kvm" if usable else "tcg"}
            note.write_text(json.dumps(known) + "\n")
    return known["accel"]
