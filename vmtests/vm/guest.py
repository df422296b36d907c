# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines: a kernel boots once, and every test gets a clone of it.

    kernel + userland + modules -> a booted machine -> its memory (a file) and device state: the template
    a clone = QEMU with that memory mapped privately and the state read back: 0.2 s

The template is cached by what went into it. Where QEMU cannot leave the memory out of the state, the
whole machine is migrated through a file, which is slower and otherwise the same.
"""
import atexit
import collections
import ctypes
import fcntl
import functools
import json
import os
import pathlib
import shutil
import stat
import struct
import subprocess
import tempfile
import threading
import time
import weakref

from . import channel, files, qemu, userland
from .channel import GRACE, Channel, Dead, Process, Timeout

BOOT_TRIES = 5
BOOT_SECONDS = 120  # an emulated processor on a busy host; 3 s is usual
UNSIGNED_MODULE = 1 << 13
PLAIN = "console=ttyS0 panic=-1"
# What an emulated processor spends its boot on and no test needs: self-tests, certificates, randomisation
# (which makes exec some times slower under QEMU 7.2), the search for a clock it can trust. The watchdogs are
# off: on a busy host they bark at a machine that only had to wait.
FAST = (PLAIN + " quiet loglevel=4 norandmaps nokaslr mitigations=off cryptomgr.notests lsm=capability"
        " no_timer_check tsc=reliable random.trust_cpu=on initcall_blacklist=jent_mod_init,crypto_kdf108_init,"
        "load_system_certificate_list,blacklist_init,init_trusted_keyring nowatchdog rcupdate.rcu_cpu_stall_suppress=1")
# Loaded before the template is taken, because the kernel loads them itself when they are needed and each
# costs an emulated processor its time in every clone. Not among them: what a program must load.
WARM = """nf_tables nft_ct nft_nat nft_masq nft_chain_nat nft_fib nft_fib_inet nft_fib_ipv4 nft_fib_ipv6 nft_reject
nft_reject_inet nft_limit nft_log nft_counter nft_redir nft_hash nft_numgen nft_socket nft_objref nft_compat nft_meta_bridge
nft_reject_bridge nf_conntrack nf_conntrack_netlink nf_nat nfnetlink nfnetlink_log nf_log_syslog veth bridge tun macvlan
x_tables xt_conntrack xt_MASQUERADE xt_nat xt_addrtype xt_comment xt_mark xt_tcpudp xt_multiport xt_physdev xt_LOG xt_limit
inet_diag tcp_diag udp_diag xt_NFLOG ipt_REJECT ip6t_REJECT sch_tbf sch_ingress cls_u32 cls_bpf act_gact overlay af_packet""".split()

SET_ADDRESS = "ip link set eth%d address 02:%02x:%s\n"
# A card that is plugged into nothing is taken out of the driver's hands, and its name is free.
UNBIND = 'cd -P /sys/class/net/ETH/device; echo "${PWD##*/}" > /sys/bus/virtio/drivers/virtio_net/unbind\n'

Stat = collections.namedtuple("Stat", "st_mode st_ino st_size st_dev st_uid st_gid st_mtime")
_alive = weakref.WeakSet()


def template(kernel, plain=False, cold=False, whole=False):
    """The template of this kernel, booted now or taken from the cache. plain: with the plain command line;
    cold: no module is loaded but those of the agent's port; whole: the memory goes with the state, as where
    QEMU knows no other way."""
    files.need(1024)
    base = _base()
    line = PLAIN if plain else FAST
    accel = qemu.accelerator(lambda accel: _boots(kernel, base, accel))
    warm = [] if cold or plain else WARM
    about = {"kernel": files.digest(kernel.vmlinux, kernel.modules), "base": base.name, "line": line, "accel": accel,
             "qemu": qemu.version(), "memory": qemu.MEMORY, "warm": warm, "whole": whole, "clock": "checked",
             "devices": files.digest(pathlib.Path(qemu.__file__))}
    kind = "plain" if plain else "whole" if whole else "cold" if cold else "warm"
    key = files.digest(json.dumps(about, sort_keys=True))
    folder = files.cache() / "templates" / ("%s-%s-%s" % (kernel.name, kind, key))
    with files.locked("template-%s-%s" % (kernel.name, kind)):
        if not (folder / "template.json").exists():
            with files.fresh_folder(folder) as made:
                _make_template(kernel, base, about, made)
            _forget_old(folder.parent)
        os.utime(folder)
    return Template(kernel, folder)


class Template:
    """A kernel that has booted."""

    def __init__(self, kernel, folder):
        self.kernel, self.folder = kernel, folder
        self.about = json.loads((folder / "template.json").read_text())

    def clone(self, wires=(), disk=None, terminal=False):
        """A running machine, which is its user's alone. wires: at most two Wires, eth0 and eth1, which are down; disk: a file that is
        /dev/vda; terminal: the console is this process's terminal. To be called by a thread that lives as
        long as the machine."""
        machine = self._continue(self.folder / "ram", wires=wires, disk=disk, terminal=terminal)
        try:
            machine.made = {"wires": wires, "disk": disk}
            machine.attach(len(wires), int(bool(disk)))
        except BaseException as e:
            machine.fail(e)
        return machine

    def prepared(self, key, prepare):
        """A template of this one's clone in which prepare(machine) has run; cached by `key`, which stands
        for all that prepare() does."""
        folder = self.folder.parent / ("%s-%s" % (self.folder.name, files.digest(key)))
        with files.locked("template-" + self.folder.name):
            if not (folder / "template.json").exists():
                with files.fresh_folder(folder) as made:
                    self._prepare(prepare, made)
        return Template(self.kernel, folder)

    def _prepare(self, prepare, made):
        about = {key: self.about[key] for key in ("accel", "line")}
        os.link(self.folder / "initrd", made / "initrd")
        if self.about["shared"]:
            subprocess.run(["cp", "--sparse=always", self.folder / "ram", made / "ram"], check=True)
        machine = self._continue(made / "ram", share=True)
        try:
            prepare(machine)
            _take(machine, about, made, not self.about["shared"])
        except BaseException as e:
            machine.fail(e)
        machine.close()

    def _continue(self, ram, **more):
        """A machine that goes on where the template stopped."""
        os.utime(self.folder)
        shared = self.about["shared"]
        machine = _start(self, self.about["accel"], self.about["line"], self.folder / "initrd",
                         ram=ram if shared else None, incoming=True, **more)
        try:
            machine.qemu.monitor.restore(self.folder / "state", shared)
            machine.connect(lambda: machine.qemu.monitor.ask("cont"), GRACE * 3)
            machine.kmsg_next = self.about["kmsg"]
        except BaseException as e:
            machine.fail(e)
        return machine


def _start(of, accel, line, initrd, **more):
    machine = Machine(qemu.Qemu(accel, of.kernel.vmlinux, initrd, line, **more))
    machine.template = of
    return machine


class _Booting:
    """What a machine is made of before there is a template."""

    def __init__(self, kernel):
        self.kernel = kernel


def _check_clock(machine):
    """A kernel that measures its processor's clock while a busy host lets it wait may find one that runs fifty
    times too fast. Every time limit of every clone would be wrong."""
    begun, up = time.monotonic(), float(machine.get("/proc/uptime").split()[0])
    time.sleep(1)
    rate = (float(machine.get("/proc/uptime").split()[0]) - up) / (time.monotonic() - begun)
    if not 0.7 < rate < 1.4:
        raise Dead("the machine's clock runs %.2f times too fast" % rate)


def _boot(start, machine):
    """Boots the machine on the QEMU that start() makes. An emulated processor that a busy host lets wait at the
    wrong moment may not come through: then once more; what its console said is kept beside the templates."""
    for tries in range(BOOT_TRIES):
        machine.qemu = start()
        try:
            machine.connect(lambda: None, BOOT_SECONDS)
            _check_clock(machine)
            return
        except Dead as e:
            said = "%s\n%s" % (e, machine.tail(100))
            with open(files.cache() / "failed-boots.log", "a", encoding="utf-8") as log:
                log.write("%s\n%s\n\n" % (time.ctime(), said))
            machine.close()
            _alive.add(machine)
            if tries + 1 == BOOT_TRIES:
                raise Dead(said) from None


def _make_template(kernel, base, about, made):
    with open(made / "initrd", "wb") as initrd:
        for part in (base, kernel.modules):
            with open(part, "rb") as file:
                shutil.copyfileobj(file, initrd)
    machine = Machine(None)
    machine.template = _Booting(kernel)
    try:
        _boot(lambda: qemu.Qemu(about["accel"], kernel.vmlinux, made / "initrd", about["line"], ram=made / "ram",
                                share=True), machine)
        if about["warm"]:
            machine.exec(["modprobe", "-qa", *about["warm"]], timeout=BOOT_SECONDS)
        _take(machine, about, made, about["whole"])
    except BaseException as e:
        machine.fail(e)
    machine.close()


def _take(machine, about, made, whole):
    """The template of this machine as it is now, at rest."""
    about["kmsg"] = machine.kmsg_end()
    machine.exec(["sync"])
    about["shared"] = _save(machine.qemu.monitor, made, whole)
    if not about["shared"]:
        (made / "ram").unlink(missing_ok=True)
    (made / "template.json").write_text(json.dumps(about, indent=1) + "\n")


def _save(monitor, made, whole):
    """Writes the machine's state; False where its memory had to go with it."""
    if not whole:
        try:
            monitor.save(made / "state", True)
            return True
        except qemu.Unusable:
            pass
    monitor.save(made / "state", False)
    return False


def _forget_old(folder):
    """Templates that nobody has used for a day: other worktrees may share this cache."""
    for old in folder.iterdir():
        if old.stat().st_mtime < time.time() - 24 * 3600:
            shutil.rmtree(old, ignore_errors=True)


def _boots(kernel, base, accel):
    """Whether a machine answers under this accelerator within a time in which any real one does."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        with open(scratch / "initrd", "wb") as initrd:
            initrd.write(base.read_bytes() + kernel.modules.read_bytes())
        machine = None
        try:
            machine = _start(_Booting(kernel), accel, FAST, scratch / "initrd")
            machine.connect(lambda: None, 10)
            return True
        except (qemu.Unusable, Dead, Timeout, OSError):
            return False
        finally:
            if machine:
                machine.close()


def _agent():
    """The agent as `make` builds it; without it, or when it is old, the same is done here."""
    sources = sorted((files.ROOT / "vmtests/vm/agent").glob("*.[ch]"))
    target = files.ROOT / "build/vmtests/agent"
    if not target.exists() or target.stat().st_mtime < max(f.stat().st_mtime for f in sources):
        subprocess.run(["make", "-s", "-C", files.ROOT, "build/vmtests/agent"], check=True,
                       stdout=subprocess.DEVNULL)
    return target


@functools.cache
def _base():
    """The userland's archive, made anew when any file in it has changed."""
    agent = _agent()
    weir = [path for path in (pathlib.Path(os.environ.get("WEIR_BUILD", files.ROOT / "build")) / "weir",
                              files.ROOT / "build/vmtests/probe") if path.exists()]
    content = userland.content(weir)
    there = [(path, source, os.stat(source).st_size, os.stat(source).st_mtime_ns) for path, source in content.items()]
    key = files.digest(json.dumps(there), agent, pathlib.Path(userland.__file__))
    target = files.cache() / ("base-%s.cpio" % key)
    with files.locked("base"):
        if not target.exists():
            fresh = target.with_suffix(".new")
            userland.write(fresh, agent, weir)
            fresh.rename(target)
    return target


class Machine:
    """A running machine. Commands go through its agent; nothing in it outlives close()."""

    def __init__(self, running):
        self.qemu, self.channel, self.template, self.kmsg_next = running, None, None, 0
        self.made = {"wires": (), "disk": None}
        _alive.add(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- life and death -----------------------------------------------------------------------------

    def connect(self, go, seconds):
        """Connects to the agent, lets the machine go, waits until it answers."""
        self.channel = Channel(self.qemu.path("agent"))
        go()
        try:
            return self.channel.hello(seconds)
        except Timeout:
            raise Dead("the machine does not answer within %d s" % seconds) from None

    def attach(self, wires, disk):
        """Loads the drivers of what this machine has (numbers) and its template had not."""
        script = "modprobe virtio_blk\n" * disk + "modprobe virtio_net\n" * bool(wires)
        if wires:
            # Clones of one template have one address: each gets its own.
            tail = os.urandom(4).hex(":")
            for n in range(qemu.NICS):
                script += (SET_ADDRESS % (n, n, tail)) if n < wires else UNBIND.replace("ETH", "eth%d" % n)
        code, _, err = self.exec(["sh", "-ec", script]) if script else (0, b"", b"")
        if code:
            raise Dead("its cards or its disk do not work: %s" % err.decode(errors="replace"))

    def fail(self, error):
        """Raises `error` again, with the console's tail if the machine is the cause."""
        tail = self.tail()
        self.close()
        if isinstance(error, (Dead, Timeout, OSError, qemu.Unusable)):
            raise Dead("%s\n%s" % (error, tail)) from None
        raise error

    def tail(self, lines=30):
        """The end of the console, for a report."""
        text = self.console().splitlines()[-lines:]
        release = self.template.kernel.release
        return "\n".join(["-- console of %s, the last lines --" % release, *text]) if text else "(no console output)"

    def console(self):
        return self.qemu.console() if self.qemu else ""

    def running(self):
        return self.qemu.process.poll() is None and not self.channel.over

    def reboot(self):
        """The guest ends as for a reboot, and its kernel boots anew, from nothing; what is on its disk stays.
        QEMU is another one: a reset would begin with what the last boot left in the emulated devices."""
        self.channel.send(("r", 0, b""))
        try:
            self.qemu.process.wait(BOOT_SECONDS)
        except subprocess.TimeoutExpired:
            raise Dead("the machine does not end\n" + self.tail()) from None
        self.close()
        _alive.add(self)
        about, made = self.template.about, self.made
        _boot(lambda: qemu.Qemu(about["accel"], self.template.kernel.vmlinux, self.template.folder / "initrd",
                                about["line"], wires=made["wires"], disk=made["disk"]), self)
        self.kmsg_next = 0
        self.attach(len(made["wires"]), int(bool(made["disk"])))

    def close(self):
        _alive.discard(self)
        if self.qemu:
            self.qemu.close()
        if self.channel:
            self.channel.close()
            self.channel = None

    # -- commands -----------------------------------------------------------------------------------

    def spawn(self, argv, env=None, net=None, mnt=None, cwd=None):
        """A process that is talked to while it runs."""
        with self._dying():
            return Process(self.channel, argv, env, net, mnt, cwd).started()

    def exec(self, argv, stdin=b"", env=None, timeout=30, net=None, mnt=None, cwd=None):
        """Runs a command to its end: its code (minus the signal), its stdout, its stderr."""
        with self._dying():
            process = Process(self.channel, argv, env, net, mnt, cwd, stdin=stdin)
            try:
                process.wait(timeout)
            except Timeout:
                process.give_up()
                said = (process.out + process.err).decode(errors="replace")[-2000:]
                late = Timeout("%s: not within %g s\n%s" % (" ".join(process.argv), timeout, said))
                late.out, late.err = bytes(process.out), bytes(process.err)
                raise late from None
            return process.code, bytes(process.out), bytes(process.err)

    def _dying(self):
        return _Dying(self)

    # -- files --------------------------------------------------------------------------------------

    def put(self, local, path, mode=None, mnt=None):
        """A local file, or bytes, into the machine."""
        if isinstance(local, (bytes, bytearray)):
            data, mode = local, 0o644 if mode is None else mode
        else:
            data = pathlib.Path(local).read_bytes()
            mode = stat.S_IMODE(os.stat(local).st_mode) if mode is None else mode
        self._builtin(["@put", path, "%o" % mode], path, mnt, data)

    def get(self, path, mnt=None):
        return self._builtin(["@get", path], path, mnt)

    def stat(self, path, mnt=None):
        words = self._builtin(["@stat", path], path, mnt).split()
        return Stat(*map(int, words[:-1]), float(words[-1]))

    def _builtin(self, argv, path, mnt, data=b""):
        code, out, err = self.exec(argv, data, mnt=mnt)
        if code:
            raise OSError(code, err.decode(errors="replace").strip() or os.strerror(code), str(path))
        return out

    # -- the kernel ---------------------------------------------------------------------------------

    def kmsg(self):
        """The kernel's log since the last call, a line each; in a clone, since it is one."""
        out = self._builtin(["@kmsg", str(self.kmsg_next)], "/dev/kmsg", None).decode(errors="replace")
        lines = []
        for record in out.splitlines():
            head, _, text = record.partition(";")
            fields = head.split(",")
            if not record.startswith(" ") and len(fields) >= 3:
                self.kmsg_next = int(fields[1]) + 1
                lines.append(text)
        return lines

    def kmsg_end(self):
        self.kmsg()
        return self.kmsg_next

    def taint(self):
        """What is wrong with the kernel, as bits. That a module's signature was not checked is not wrong: the
        fast boot leaves out the certificates."""
        return int(self.get("/proc/sys/kernel/tainted")) & ~UNSIGNED_MODULE


class _Dying:
    """Adds the console's tail to what is said of a machine that dies."""

    def __init__(self, machine):
        self.machine = machine

    def __enter__(self):
        if self.machine.channel is None:
            raise Dead("the machine is closed")

    def __exit__(self, kind, error, trace):
        if kind is not None and issubclass(kind, Dead):
            raise Dead("%s\n%s" % (error, self.machine.tail())) from None


@atexit.register
def _close_all():
    for machine in list(_alive):
        machine.close()


class Wire:
    """What a network card is plugged into: another machine, or a tap."""

    def __init__(self, words, fd=None, folder=None):
        self.words, self.fd, self.folder = words, fd, folder

    def argument(self, number):
        return self.words % {"id": "n%d" % number}

    @classmethod
    def pair(cls):
        """Both ends of a wire between two machines. Either may start first, or again."""
        folder = tempfile.TemporaryDirectory(prefix="weir-wire-", dir="/tmp")
        ends = [os.path.join(folder.name, name) for name in "ab"]
        words = "dgram,id=%%(id)s,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s"
        return [cls(words % (mine, other), folder=folder) for mine, other in (ends, ends[::-1])]

    @classmethod
    def tap(cls, ifname, netns=None):
        """A new interface of this machine, in that network namespace (a path). It goes with the Wire."""
        made = {}

        def make():  # a namespace is entered by one thread, which ends
            try:
                made["fd"] = _open_tap(ifname, netns)
            except OSError as e:
                made["error"] = e
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if "error" in made:
            raise made["error"]
        return cls("tap,id=%%(id)s,fd=%d,vhost=off" % made["fd"], fd=made["fd"])

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None
        if self.folder:
            self.folder.cleanup()


def _open_tap(ifname, netns):
    if netns:
        fd = os.open(netns, os.O_RDONLY)
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.setns(fd, 0x40000000)  # CLONE_NEWNET
        os.close(fd)
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), netns)
    fd = os.open("/dev/net/tun", os.O_RDWR)
    try:
        # TUNSETIFF with IFF_TAP and IFF_NO_PI
        fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", ifname.encode(), 0x0002 | 0x1000))
    except OSError:
        os.close(fd)
        raise
    return fd


__all__ = ["template", "Template", "Machine", "Wire", "Dead", "Timeout", "Process"]
