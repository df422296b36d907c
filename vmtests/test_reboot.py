# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reboot and a power cut leave: a machine with a disk on which weir's store lies. Nothing of it but the disk
is there again, so these machines are made here, and not by a World."""
import json
import re
import subprocess
import time

import pytest

import place
from marks import behaviour, elsewhere, machines, slow
from specs import dual, on

pytestmark = [slow, machines]
SBIN = "/usr/local/sbin"
SPEC = {
    "networks": {"web": dual(1), "db": dual(2, internal=True)},
    "endpoints": {"nginx": on("web", publish=["8080:80", "9000-9010:9000-9010/udp"], labels={"role": "front"}),
                  "pg": on("db", "web")},
}


def installed(folder):
    """What `make install` puts where; the command of the unit."""
    subprocess.run(["make", "-s", "-C", place.ROOT, "-o", "build/weir", "install", "DESTDIR=%s" % folder], check=True,
                   capture_output=True)  # -o: as it was built, whatever the flags
    unit = (folder / "usr/local/lib/systemd/system/weir-restore.service").read_text()
    return re.search(r"^ExecStart=(.*)$", unit, re.M)[1].split()


class Host:
    """A machine that keeps /var/lib/weir on a disk. What else it knows, a reboot takes away."""

    def __init__(self, template, backend, folder):
        self.template, self.backend, self.disk = template, backend, folder / "disk"
        with open(self.disk, "wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.disk], check=True)
        self.machine = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.machine.close()

    def start(self):
        self.machine = self.template.clone(disk=self.disk)
        self.furnish()

    def furnish(self):
        self.machine.put(place.BUILD / "weir", SBIN + "/weir")
        self.machine.put(place.program("probe"), SBIN + "/probe")
        self.sh("mkdir -p /var/lib/weir && mount /dev/vda /var/lib/weir && rmdir /var/lib/weir/lost+found 2>&-; true")

    def reboot(self):
        self.machine.reboot()
        self.furnish()

    def power_cut(self):
        """The machine ends in the middle of whatever it does; its disk is kept."""
        self.machine.close()
        self.start()

    def run(self, *argv, stdin=b"", check=True):
        code, out, err = self.machine.exec(argv, stdin, timeout=120, cwd="/root", env={
            "PATH": SBIN + ":/usr/sbin:/usr/bin:/sbin:/bin", "WEIR_BACKEND": self.backend})
        text = "$ %s -> %d\n%s%s" % (" ".join(argv), code, out.decode(), err.decode())
        assert not check or code == 0, text
        return (code, out.decode(), text)

    def sh(self, script):
        return self.run("sh", "-c", script)[1]

    def weir(self, *argv, **more):
        return self.run("weir", *argv, **more)

    def data(self, *argv):
        return json.loads(self.run("weir", *argv, "--json")[1])

    def apply(self, spec):
        self.machine.put(json.dumps(spec).encode(), "/root/spec.yaml")
        return self.weir("apply", "spec.yaml")

    def boots(self):
        return self.machine.get("/proc/sys/kernel/random/boot_id")

    def lan(self):
        """A neighbour, by which the host's published ports are reached."""
        self.sh("""ip netns add lan && ip link add eth9 type veth peer name eth0 netns lan && ip link set eth9 up
                   ip addr add 192.0.2.1/24 dev eth9 && ip -n lan addr add 192.0.2.2/24 dev eth0
                   ip -n lan link set eth0 up && ip -n lan route add default via 192.0.2.1""")

    def _ask(self, netns, line):
        probe = self.machine.spawn([SBIN + "/probe", netns], net="/run/netns/" + netns)
        assert probe.line() == b"ready\n"
        probe.write(line.encode() + b"\n")
        return probe, probe.line().decode().strip()

    def reached(self, port):
        """Who answers the neighbour at the host's port, and as whom it sees the neighbour."""
        server, said = self._ask("nginx", "serve tcp - 80 80")
        assert said == "ok 80", said
        client, answer = self._ask("lan", "connect tcp - 0 192.0.2.1 %d %d 3000" % (port, port))
        for probe in (server, client):
            probe.kill()
            probe.wait()
        return answer.rsplit("|", 2)[0]


@pytest.fixture
def host(somewhere, backend, tmp_path):
    with Host(somewhere.template, backend, tmp_path) as made:
        yield made
        assert made.machine.taint() == 0, made.machine.tail()


def remembered(host):
    """What must be the same after a reboot as before."""
    endpoints = {e["name"]: e for e in host.data("endpoint", "ls")["endpoints"]}
    return {"networks": host.data("network", "ls")["networks"], "ports": host.data("port", "ls")["ports"],
            "endpoints": {name: [(a["network"], a["addresses"], a["mac"]) for a in e["attachments"]]
                          for name, e in endpoints.items()}}


def without(state, endpoint):
    return {**state, "ports": [p for p in state["ports"] if p["endpoint"] != endpoint],
            "endpoints": {n: e for n, e in state["endpoints"].items() if n != endpoint}}


@elsewhere
@behaviour("R6")
def test_reboot(host, tmp_path):
    unit = installed(tmp_path / "installed")
    assert unit == [SBIN + "/weir", "restore"]
    host.lan()
    host.apply(SPEC)
    host.weir("network", "add", "late", "--subnet", "10.88.9.0/24")
    before = remembered(host)
    host.weir("endpoint", "add", "guest", "--network", "web", "-p", "8081:80")
    assert "guest" in remembered(host)["endpoints"]
    assert host.reached(8080) == "nginx|192.0.2.2"
    # in the same boot, nothing that runs is dropped
    assert "nothing to mend" in host.run(*unit)[1]
    assert "guest" in remembered(host)["endpoints"]

    boot = host.boots()
    host.reboot()
    assert host.boots() != boot
    assert host.weir("status", check=False)[0] == 1
    assert "wb-web" not in host.sh("ip link")
    assert "1" not in host.sh("cat /proc/sys/net/ipv4/ip_forward")

    told = host.run(*unit)[1]
    assert "guest" in told, told
    assert remembered(host) == before
    assert host.weir("status")[0] == 0
    assert "nothing to mend" in host.run(*unit)[1]
    host.lan()
    assert host.reached(8080) == "nginx|192.0.2.2"
    assert "|" not in host.reached(8081)
    assert sorted(host.sh("ls /run/netns").split()) == ["lan", "nginx", "pg"]
    # twice is as once
    host.reboot()
    host.run(*unit)
    assert remembered(host) == before
    host.weir("delete", "--all")
    assert "1" not in host.sh("cat /proc/sys/net/ipv4/ip_forward")


@behaviour("R6")
def test_a_host_that_has_become_a_router_stays_one(host):
    """Forwarding was off when weir came and is on at the next start: that is the host's own wish then."""
    host.apply(SPEC)
    assert "net/ipv4/ip_forward = 1 (was 0)" in host.weir("status")[1]
    host.reboot()
    host.sh("echo 1 > /proc/sys/net/ipv4/ip_forward")
    host.weir("restore")
    assert "ip_forward" not in host.weir("status")[1]
    host.weir("delete", "--all")
    assert host.sh("cat /proc/sys/net/ipv4/ip_forward") == "1\n"


@behaviour("R6")
def test_a_foreign_namespace_that_a_reboot_took(host):
    host.sh("ip netns add theirs")
    host.apply(SPEC)
    host.weir("endpoint", "add", "held", "--netns", "theirs", "--network", "web")
    host.reboot()
    assert "held" in host.weir("restore")[1]
    assert "held" not in remembered(host)["endpoints"]
    assert host.weir("status")[0] == 0


@behaviour("R6")
def test_what_comes_late_is_made_by_the_next_try(host, tmp_path):
    """The unit runs before whoever makes bridges and bonds. What waits for one is told, and holds up no rules."""
    unit = installed(tmp_path / "installed")
    br9 = "ip link add br9 up type bridge && ip addr add 10.88.3.1/24 dev br9 && ip addr add fd00:88:3::1/64 dev br9"
    host.sh(br9)
    host.apply({"networks": {**SPEC["networks"], "theirs": {**dual(3), "bridge": "br9", "adopt": True}},
                "endpoints": {**SPEC["endpoints"], "late": on("theirs")}})
    before = remembered(host)
    host.reboot()
    host.lan()
    code, _, text = host.run(*unit, check=False)
    assert code == 1 and "br9" in text, text
    assert host.reached(8080) == "nginx|192.0.2.2"
    host.sh(br9)
    host.run(*unit)
    assert remembered(host)["endpoints"] == before["endpoints"] and host.weir("status")[0] == 0
    assert "master br9" in host.sh("ip link")


@behaviour("R2", "R6")
def test_power_cut_in_the_middle_of_apply(host):
    """Cut off anywhere, the disk holds the state before or the state after, and repair makes the host that."""
    small = {"networks": {"web": dual(1)}, "endpoints": {"nginx": on("web", publish=["8080:80"])}}
    large = {"networks": {"web": dual(1), "db": dual(2), "dmz": dual(3)},
             "endpoints": {"nginx": on("web", publish=["8080:80", "8443:443"]),
                           **{"e%d" % n: on("db", "dmz", publish=["%d:80" % (9000 + n)]) for n in range(12)}}}
    host.apply(small)
    before = remembered(host)
    begun = time.monotonic()
    host.apply(large)
    took = time.monotonic() - begun
    after = remembered(host)
    seen = set()
    for part in (0.1, 0.3, 0.5, 0.65, 0.8, 0.9, 1.0):
        host.apply(small)
        host.weir("apply", "spec.yaml", "--prune")
        assert remembered(host) == before
        host.machine.exec(["sync"])
        host.machine.put(json.dumps(large).encode(), "/root/spec.yaml")
        host.machine.spawn([SBIN + "/weir", "apply", "spec.yaml"], cwd="/root", env={"WEIR_BACKEND": host.backend})
        time.sleep(part * took)  # where it is cut does not matter; that it is cut in several places does
        host.power_cut()
        host.weir("repair")
        state = remembered(host)
        assert state in (before, after), "cut at %.0f%%" % (part * 100)
        assert host.weir("status")[0] == 0
        seen.add("before" if state == before else "after")
        host.machine.put(json.dumps(large).encode(), "/root/spec.yaml")
        host.weir("apply", "spec.yaml")
        assert remembered(host) == after
    assert "before" in seen, "never cut before the end"
