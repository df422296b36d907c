# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines themselves: what is said of a command, what a dead or hung one looks like, that clones are
apart, that each kernel boots as its maker meant it to.

    pytest -c vmtests/pytest.ini vmtests/vm/test_vm.py      (WEIR_VM_KERNELS=6.12,7.3 narrows it)
"""
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from vm import files, guest, kernels, qemu  # noqa: E402

CHOSEN = os.environ.get("WEIR_VM_KERNELS", ",".join(kernels.KNOWN)).split(",")
pytestmark = pytest.mark.slow  # a template may have to boot first


@pytest.fixture(scope="module")
def template():
    return guest.template(kernels.fetch(CHOSEN[-1]))


@pytest.fixture
def machine(template):
    with template.clone() as made:
        yield made


def alive(pid):
    """Whether it still runs; a zombie does not."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within %d s: %s" % (seconds, what)
        time.sleep(0.01)


# -- commands ---------------------------------------------------------------------------------------


def test_exit_codes_and_streams(machine):
    assert machine.exec(["sh", "-c", "echo out; echo err >&2; exit 7"]) == (7, b"out\n", b"err\n")
    assert machine.exec(["true"]) == (0, b"", b"")
    assert machine.exec(["sh", "-c", "kill -9 $$"])[0] == -signal.SIGKILL
    code, out, err = machine.exec(["no-such-program"])
    assert code == 127 and out == b"" and b"no-such-program" in err


def test_input_environment_and_folder(machine):
    assert machine.exec(["cat"], stdin=b"a\0b") == (0, b"a\0b", b"")
    assert machine.exec(["env"], env={"ONE": "1 2", "PATH": "/usr/bin"})[1] == b"ONE=1 2\nPATH=/usr/bin\n"
    assert machine.exec(["env"])[1] == b"PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
    assert machine.exec(["pwd"], cwd="/usr/lib")[1] == b"/usr/lib\n"
    assert machine.exec(["true"], cwd="/nowhere")[0] == 127


def test_much_of_everything(machine):
    """More than any pipe holds, both ways, and to a command that does not read."""
    much = os.urandom(3 << 20)
    assert machine.exec(["cat"], stdin=much) == (0, much, b"")
    code, out, err = machine.exec(["sh", "-c", "head -c 1000000 /dev/zero; head -c 2000000 /dev/zero >&2"])
    assert (code, len(out), len(err)) == (0, 1000000, 2000000)
    assert machine.exec(["sh", "-c", "exit 3"], stdin=much)[0] == 3


def test_a_conversation(machine):
    talk = machine.spawn(["sh", "-c", "while read word; do echo got $word; echo seen >&2; done; exit 4"])
    assert machine.exec(["cat", "/proc/%d/comm" % talk.pid])[1] == b"sh\n"
    for word in (b"one", b"two"):
        talk.write(word + b"\n")
        assert talk.line() == b"got " + word + b"\n"
        assert talk.error_line() == b"seen\n"
    assert talk.poll() is None
    talk.eof()
    assert talk.wait() == 4 and talk.line() == b""
    victim = machine.spawn(["sleep", "1000"])
    victim.kill(signal.SIGTERM)
    assert victim.wait() == -signal.SIGTERM


def test_a_hundred_at_once(machine):
    several = [machine.spawn(["sh", "-c", "read x; echo $x; exit %d" % n]) for n in range(100)]
    for n, process in reversed(list(enumerate(several))):
        assert process.communicate(b"%d\n" % n) == (b"%d\n" % n, b"") and process.wait() == n


def test_who_inherits_the_output_is_not_waited_for(machine):
    assert machine.exec(["sh", "-c", "sleep 1000 & echo done"])[:2] == (0, b"done\n")


def test_a_command_that_takes_too_long(machine):
    with pytest.raises(guest.Timeout, match="sleep 1000") as late:
        machine.exec(["sh", "-c", "echo $$ > /tmp/pid; echo so far; sleep 1000; true"], timeout=5)
    assert late.value.out == b"so far\n"
    pid = machine.get("/tmp/pid").decode().strip()
    assert machine.exec(["test", "-e", "/proc/" + pid])[0] == 1
    assert machine.exec(["pgrep", "-x", "sleep"])[0] == 1  # what it had started went with it


def test_namespaces(machine):
    assert machine.exec(["ip", "netns", "add", "blue"])[0] == 0
    assert machine.exec(["ip", "link", "add", "br7", "type", "bridge"], net="/run/netns/blue")[0] == 0
    assert machine.exec(["ip", "link", "show", "br7"])[0] == 1
    holder = machine.spawn(["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt && echo up && read x"])
    assert holder.line() == b"up\n"
    inside = "/proc/%d/ns/mnt" % holder.pid
    machine.put(b"hidden", "/mnt/file", mnt=inside)
    assert machine.get("/mnt/file", mnt=inside) == b"hidden"
    with pytest.raises(FileNotFoundError):
        machine.get("/mnt/file")
    assert machine.exec(["true"], net="/run/netns/red")[0] == 127


# -- files ------------------------------------------------------------------------------------------


def test_files(machine, tmp_path):
    here = tmp_path / "tool"
    here.write_bytes(b"#!/bin/sh\necho fine\n")
    here.chmod(0o751)
    machine.put(here, "/opt/made/tool")
    about = machine.stat("/opt/made/tool")
    assert about.st_mode & 0o7777 == 0o751 and about.st_size == 20 and about.st_uid == 0
    assert machine.exec(["/opt/made/tool"])[1] == b"fine\n"
    machine.put(b"1", "/proc/sys/net/ipv4/ip_forward")
    assert machine.get("/proc/sys/net/ipv4/ip_forward") == b"1\n"
    with pytest.raises(FileNotFoundError):
        machine.get("/nothing")
    with pytest.raises(FileNotFoundError):
        machine.stat("/nothing")
    with pytest.raises(IsADirectoryError):
        machine.put(b"", "/usr")


# -- life and death ---------------------------------------------------------------------------------


def test_a_panic_is_reported_and_the_next_clone_lives(template):
    with template.clone() as machine:
        machine.put(b"1", "/proc/sys/kernel/sysrq")
        with pytest.raises(guest.Dead, match="(?s)console of .*sysrq"):
            machine.exec(["sh", "-c", "echo c > /proc/sysrq-trigger"])
        with pytest.raises(guest.Dead):
            machine.exec(["true"])
        assert not machine.running()
    with template.clone() as machine:
        assert machine.exec(["true"])[0] == 0


def test_a_kernel_that_does_not_come_up(monkeypatch):
    """It is tried again, and what it said is told; no template is left that is none."""
    tries = []
    start = guest.qemu.Qemu
    monkeypatch.setattr(guest, "PLAIN", guest.PLAIN + " rdinit=/nothing")
    monkeypatch.setattr(guest, "BOOT_TRIES", 2)
    monkeypatch.setattr(guest.qemu, "Qemu", lambda *args, **more: tries.append(1) or start(*args, **more))
    with pytest.raises(guest.Dead, match="(?s)console of .*[Kk]ernel panic"):
        guest.template(kernels.fetch(CHOSEN[-1]), plain=True)
    assert len(tries) == 2
    assert not [p for p in (files.cache() / "templates").glob(CHOSEN[-1] + "-plain-*") if not (p / "template.json").exists()]


def test_a_hung_machine_is_reported(template, monkeypatch):
    monkeypatch.setattr(guest.channel, "GRACE", 1)
    with template.clone() as machine:
        machine.qemu.monitor.ask("stop")
        with pytest.raises(guest.Dead, match="does not answer"):
            machine.exec(["true"], timeout=1)


def test_nothing_is_left(template):
    machine = template.clone()
    pid, folder = machine.qemu.process.pid, pathlib.Path(machine.qemu.folder)
    assert alive(pid) and folder.is_dir()
    machine.close()
    assert not alive(pid) and not folder.exists()
    with pytest.raises(guest.Dead, match="closed"):
        machine.exec(["true"])


def test_machines_die_with_who_made_them(template):
    """Even when it is killed."""
    script = ("import sys; sys.path.insert(0, %r)\nfrom vm import guest, kernels\n"
              "m = guest.template(kernels.fetch(%r)).clone()\nprint(m.qemu.process.pid, m.qemu.folder, flush=True)\n"
              "sys.stdin.read()" % (str(files.ROOT / "vmtests"), template.kernel.name))
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as maker:
        pid, folder = maker.stdout.readline().split()
        assert alive(int(pid))
        maker.kill()
    until(lambda: not alive(int(pid)), "QEMU's end")
    assert subprocess.run(["rm", "-r", folder], check=False).returncode == 0


def test_the_developers_door(template):
    """What `make vm` opens: a shell at a terminal; elsewhere it tells the command, which works as it is told."""
    door, name = str(files.ROOT / "vmtests/vm/shell.py"), template.kernel.name
    said = subprocess.run([door, name], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert said.returncode == 1 and "give a command: %s KERNEL" % door in said.stderr, said
    said = subprocess.run([door, name, "sh", "-c", "uname -r; weir --version; exit 7"], capture_output=True, text=True,
                          check=False)
    assert said.returncode == 7 and said.stdout.startswith(template.kernel.release + "\nweir "), said
    ours, its = pty.openpty()
    with subprocess.Popen([door, name], stdin=its, stdout=its, stderr=its) as shell:
        os.close(its)
        heard = b""
        while b"weir-vm" not in heard:
            heard += os.read(ours, 4096)
        os.write(ours, b"exit 9\n")
        assert shell.wait(60) == 9
    os.close(ours)


def test_kernel_log_and_taint(machine):
    machine.kmsg()
    machine.put(b"<4>weir was here\n", "/dev/kmsg", mode=0)
    assert "weir was here" in machine.kmsg()
    assert machine.kmsg() == []
    assert machine.taint() == 0
    machine.put(b"512", "/proc/sys/kernel/tainted")  # as after a warning
    assert machine.taint() == 512


def test_clones_are_apart(template):
    with template.clone() as one, template.clone() as two:
        one.put(b"mine", "/root/file")
        one.exec(["ip", "link", "add", "br7", "type", "bridge"])
        for other in (two, template.clone()):
            assert other.exec(["test", "-e", "/root/file"])[0] == 1
            assert other.exec(["ip", "link", "show", "br7"])[0] == 1
        other.close()
        for path in ("/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/random/uuid"):
            assert one.get(path) != two.get(path)
        assert abs(float(one.exec(["date", "+%s"])[1]) - time.time()) < 30


def test_a_prepared_template(template):
    """Made once by its key; the template that it comes from does not change."""
    calls = []

    def prepare(machine):
        calls.append(machine.exec(["sh", "-c", "echo ready > /root/file; ip link add br7 type bridge"])[0])
    key = str(time.monotonic_ns())
    for prepared in (template.prepared(key, prepare), template.prepared(key, prepare)):
        with prepared.clone() as machine, prepared.clone() as other:
            assert machine.get("/root/file") == b"ready\n"
            assert machine.exec(["ip", "link", "show", "br7"])[0] == 0
            machine.put(b"changed", "/root/file")
            assert other.get("/root/file") == b"ready\n"
    assert calls == [0]
    with template.clone() as machine:
        assert machine.exec(["test", "-e", "/root/file"])[0] == 1
    shutil.rmtree(prepared.folder)


def test_the_whole_state_through_a_file():
    """Where QEMU cannot leave the memory out."""
    template = guest.template(kernels.fetch(CHOSEN[-1]), whole=True)
    assert not template.about["shared"] and not (template.folder / "ram").exists()
    with template.clone() as one, template.clone() as two:
        one.put(b"mine", "/root/file")
        assert two.exec(["test", "-e", "/root/file"])[0] == 1


# -- wires and disks --------------------------------------------------------------------------------


def up(machine, *addresses, card="eth0"):
    for address in addresses:
        assert machine.exec(["ip", "addr", "add", address, "dev", card, *["nodad"] * (":" in address)])[0] == 0
    assert machine.exec(["ip", "link", "set", card, "up"])[0] == 0


def pings(machine, address):
    return machine.exec(["ping", "-n", "-c", "1", "-W", "1", address])[0] == 0


def test_two_machines_on_a_wire(template):
    here, there = guest.Wire.pair()
    with template.clone(wires=[here]) as one, template.clone(wires=[there]) as two, template.clone() as none:
        assert none.exec(["ip", "link", "show", "eth0"])[0] == 1
        assert one.exec(["ip", "link", "show", "eth1"])[0] == 1
        up(one, "192.0.2.1/24", "2001:db8::1/64")
        up(two, "192.0.2.2/24", "2001:db8::2/64")
        until(lambda: pings(one, "192.0.2.2"), "a ping over the wire")
        until(lambda: pings(two, "2001:db8::1"), "an IPv6 ping over the wire")
        assert not pings(one, "192.0.2.3")
    here.close()
    there.close()


def test_a_wire_to_a_namespace(template):
    holder = subprocess.Popen(["unshare", "--net", "sleep", "1000"])
    netns = "/proc/%d/ns/net" % holder.pid
    try:
        until(lambda: os.stat(netns).st_ino != os.stat("/proc/self/ns/net").st_ino, "the namespace")
        wire = guest.Wire.tap("tap0", netns)
        enter = ["nsenter", "--net=" + netns, "--"]
        with template.clone(wires=[wire]) as machine:
            up(machine, "192.0.2.1/24")
            for words in ("addr add 192.0.2.2/24 dev tap0", "link set tap0 up"):
                subprocess.run([*enter, "ip", *words.split()], check=True)
            until(lambda: pings(machine, "192.0.2.2"), "a ping to the namespace")
            assert subprocess.run([*enter, "ping", "-c1", "-W5", "192.0.2.1"], stdout=subprocess.DEVNULL,
                                  check=False).returncode == 0
        wire.close()
    finally:
        holder.kill()
        holder.wait()


def test_a_disk_outlives_a_reboot_and_a_power_cut(template, tmp_path):
    disk = tmp_path / "disk"
    with open(disk, "wb") as file:
        file.truncate(32 << 20)
    with template.clone(disk=disk) as machine:
        assert machine.exec(["mkfs.ext4", "-q", "/dev/vda"])[0] == 0
        assert machine.exec(["mount", "/dev/vda", "/mnt"])[0] == 0
        machine.put(b"kept", "/mnt/file")
        machine.put(b"not kept", "/root/file")
        before = machine.get("/proc/sys/kernel/random/boot_id")
        machine.exec(["sync"])
        machine.reboot()
        assert machine.get("/proc/sys/kernel/random/boot_id") != before
        assert machine.exec(["test", "-e", "/root/file"])[0] == 1
        assert machine.exec(["mount", "/dev/vda", "/mnt"])[0] == 0
        assert machine.get("/mnt/file") == b"kept"
        machine.put(b"more", "/mnt/more")
        machine.exec(["sync"])
    with template.clone(disk=disk) as machine:
        assert machine.exec(["mount", "/dev/vda", "/mnt"])[0] == 0
        assert machine.get("/mnt/more") == b"more"


# -- kernels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHOSEN)
def test_each_kernel_boots_plainly(name):
    """Without anything on the command line that makes the boot fast."""
    kernel = kernels.fetch(name)
    with guest.template(kernel, plain=True).clone() as machine:
        assert machine.exec(["uname", "-r"])[1].decode().strip() == kernel.release
        assert machine.get("/proc/cmdline").decode().strip() == guest.PLAIN
        assert machine.exec(["nft", "add", "table", "inet", "t"])[0] == 0
        assert b"nf_tables" in machine.get("/proc/modules")


@pytest.mark.parametrize("name", CHOSEN)
def test_a_cold_machine_has_loaded_nothing(name):
    with guest.template(kernels.fetch(name), cold=True).clone() as machine:
        loaded = {line.split()[0] for line in machine.get("/proc/modules").decode().splitlines()}
        assert not loaded & {"nf_tables", "ip_tables", "bridge", "veth", "virtio_net"}
        assert machine.exec(["iptables-legacy", "-t", "nat", "-S"])[0] == 0
        assert b"ip_tables" in machine.get("/proc/modules")


def test_a_kernel_that_cannot_be_had(monkeypatch, tmp_path):
    """One line that says what and why, whatever it is."""
    with pytest.raises(kernels.Unavailable, match=r"^no kernel 2\.4 is known \(there are 5\.10 .*\)$"):
        kernels.fetch("2.4")
    monkeypatch.setenv("WEIR_VM_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "_mirrors", lambda: dict.fromkeys(("main", "security"), "http://127.0.0.1:1/debian"))
    with pytest.raises(kernels.Unavailable, match=r"^downloading http://127\.0\.0\.1:1/debian/dists/\S+: Could not connect "):
        kernels.fetch("6.12")
    monkeypatch.setattr(kernels, "_index", lambda *_: {})
    with pytest.raises(kernels.Unavailable, match=r"^kernel 6\.12: trixie-security has no linux-image-6\.12"):
        kernels.fetch("6.12")
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_a_damaged_package_is_refused(monkeypatch, tmp_path):
    wrong = tmp_path / "Packages"
    wrong.write_bytes(b"x")
    with pytest.raises(kernels.Unavailable, match=r"^downloading file:\S+: Hash Sum mismatch$"):
        kernels._download("file:%s" % wrong, tmp_path / "got", "0" * 64)


def test_no_space(monkeypatch, tmp_path):
    used = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: used._replace(free=100 << 20))
    with pytest.raises(files.NoSpace, match="has 100 MB left, 1024 are needed"):
        guest.template(kernels.fetch(CHOSEN[-1]))
    monkeypatch.setenv("WEIR_VM_CACHE", str(tmp_path))
    with pytest.raises(kernels.Unavailable, match="^kernel 6.12: .* has 100 MB left, 512 are needed"):
        kernels.fetch("6.12")


def test_no_qemu(monkeypatch):
    monkeypatch.setattr(qemu, "PROGRAM", "qemu-system-none")
    with pytest.raises(qemu.Unusable, match="not installed"):
        guest.template(kernels.fetch(CHOSEN[-1]))
