# SPDX-License-Identifier: GPL-2.0-or-later
"""L12: what an endpoint receives and sends is limited to a rate, shown by real transfers.

A transfer lasts seconds at the limit, so that a busy machine cannot make it look slower than half of it; and
it cannot be faster than the limit and its burst.
"""
import json

import pytest

import frames
import modes
from marks import behaviour, elsewhere, here
from place import wait_until
from specs import dual, on

RECEIVE = """
import socket, sys, time
listener = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print(listener.getsockname()[1], flush=True)
peer, _ = listener.accept()
total, begin = 0, None
while data := peer.recv(65536):
    begin = begin or time.monotonic()
    total += len(data)
print(total * 8 / (time.monotonic() - begin))
"""
SEND = """
import socket, sys
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
peer.sendall(bytes(int(sys.argv[3])))
peer.close()
"""
MBIT = 1000000
measured = here("measures a rate, which an emulated processor does not keep")


class Transfer:
    """size bytes from one endpoint to another, in the background."""

    def __init__(self, world, source, target, size, version=4):
        addr = world.address(target, version)
        self.world = world
        self.receiver = self._python(target, RECEIVE, addr)
        port = self.receiver.line().strip()
        self.sender = self._python(source, SEND, addr, port, size)

    def _python(self, name, code, *argv):
        command = ["python3", "-c", code, *map(str, argv)]
        return self.world.machine.popen(command, self.world.ns(name).path, None)

    def rate(self):
        out, err = self.receiver.communicate(timeout=25)
        assert self.sender.wait(timeout=5) == 0 and self.receiver.returncode == 0, err
        return float(out)


def within(measured, limit):
    assert 0.5 * limit <= measured <= 1.3 * limit, "%.2f Mbit/s of %.2f" % (measured / MBIT, limit / MBIT)


def both_ways(world, to, from_, version=4):
    """Side by side: a direction takes nothing from the other."""
    there = Transfer(world, "b", "a", int(to * 2 / 8), version)
    back = Transfer(world, "a", "b", int(from_ * 2 / 8), version)
    within(there.rate(), to)
    within(back.rate(), from_)


def limited(rate=None):
    more = {"rate": rate} if rate else {}
    return {"networks": {"web": dual(1)}, "endpoints": {"a": on("web", **more), "b": on("web")}}


@behaviour("L12")
@measured
def test_rate_by_direction(world):
    world.apply(limited("8mbit/4mbit"))
    both_ways(world, 8 * MBIT, 4 * MBIT)
    both_ways(world, 8 * MBIT, 4 * MBIT, version=6)
    assert world.endpoint("a")["rate"] == "8mbit/4mbit" and world.endpoint("b")["rate"] is None
    assert "rate 8mbit/4mbit" in world.weir("endpoint", "show", "a").out


@behaviour("L12", "R3")
@measured
def test_rate_changes_while_it_runs(world):
    """No new link, no lost connection."""
    world.apply(limited())
    assert Transfer(world, "a", "b", 8 * MBIT).rate() > 40 * MBIT
    before, index = world.snapshot(), world.ns("a").link("eth0")["ifindex"]
    world.ns("b").serve(80)
    assert world.ns("a").open(1, world.address("b"), 80).outcome == "ok"
    assert "rate 4mbit" in world.weir("plan", world.spec(limited("4mbit")), check=False).out
    world.apply(limited("4mbit"))
    assert "nothing to change" in world.apply(limited("4mbit")).out
    both_ways(world, 4 * MBIT, 4 * MBIT)
    world.apply(limited("16mbit"))
    both_ways(world, 16 * MBIT, 16 * MBIT)
    world.apply(limited())
    assert Transfer(world, "a", "b", 8 * MBIT).rate() > 40 * MBIT
    assert world.ns("a").say(1, "hello") == "hello"
    assert world.ns("a").link("eth0")["ifindex"] == index
    world.same(before, world.snapshot())


@behaviour("L12", "C4")
@measured
def test_root_in_the_endpoint_cannot_lift_the_limit(world):
    world.apply(limited("4mbit"))
    before = world.snapshot()
    world.ns("a").run("tc", "qdisc", "del", "dev", "eth0", "root")
    assert Transfer(world, "a", "b", MBIT).rate() <= 1.5 * 4 * MBIT  # a quarter of a second comes at once
    port = world.endpoint("a")["attachments"][0]["host_ifname"]
    world.host.run("tc", "qdisc", "del", "dev", port, "root")
    status = world.weir("status", "--json", check=False)
    assert status.code == 1 and "rate limit" in json.loads(status.out)["drift"][0], str(status)
    world.weir("repair")
    world.same(before, world.snapshot())
    both_ways(world, 4 * MBIT, 4 * MBIT)


@behaviour("L12", "R2", "C4")
def test_a_limit_that_was_changed_is_told_and_mended(world):
    """Rate, burst and queue, at either end; what is told is what should be there."""
    world.apply(limited("8mbit/16mbit"))
    before = world.snapshot()
    port, free = (world.endpoint(name)["attachments"][0]["host_ifname"] for name in "ab")
    words = "tbf rate %(rate)s burst %(burst)d limit %(limit)d"
    for where, dev, want, others in (
            (world.host, port, {"rate": "1000000bps", "burst": 10000, "limit": 81920},
             ({"burst": 5000}, {"burst": 10100}, {"limit": 90000}, {"rate": "1mbit"})),
            (world.ns("a"), "eth0", {"rate": "2000000bps", "burst": 20000, "limit": 120000}, ({"burst": 5000}, {"rate": "17mbit"}))):
        for other in (None, *others):
            root = ["dev", dev, "root", "handle", "7765:"]
            if other:
                where.run("tc", "qdisc", "change", *root, *(words % {**want, **other}).split())
            else:
                where.run("tc", "qdisc", "del", *root)
            drift = world.weir("status", json=True, check=False)["drift"]
            lost = "another rate limit than " if other else "lost its rate limit, "
            assert len(drift) == 1 and drift[0].endswith("interface %s has " % dev + lost + words % want), drift
            world.weir("repair")
            assert world.weir("status", json=True)["in_sync"], other
            world.same(before, world.snapshot())
    world.host.run("tc", "qdisc", "add", "dev", free, "root", "tbf", "rate", "8mbit", "burst", "5000", "limit", "5000")
    drift = world.weir("status", json=True, check=False)["drift"]
    assert len(drift) == 1 and drift[0].endswith("interface %s has a rate limit, tbf rate 1000000bps" % free), drift
    world.weir("repair")
    world.same(before, world.snapshot())


@behaviour("L12", "R3")
@pytest.mark.parametrize("rate", ["8kbit", "1234567bit", "7mbit", "33333kbit", "34359739kbit", "100gbit"])
def test_a_limit_reads_back_as_it_was_set(world, rate):
    """Whatever the kernel rounds, from the lowest rate to the highest."""
    spec = limited(rate)
    for mtu in (1280, 1501, 65000):
        spec["networks"]["web"]["mtu"] = mtu
        world.apply(spec)
        assert world.weir("status", json=True)["in_sync"]
        assert "nothing to mend" in world.weir("repair").out


@behaviour("L12")
@measured
def test_limits_without_a_guard(world):
    spec = limited("4mbit")
    spec["networks"]["web"]["spoof_guard"] = False
    world.apply(spec)
    both_ways(world, 4 * MBIT, 4 * MBIT)


@behaviour("L12", "U2")
def test_limits_by_the_command_line(world):
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    before = world.snapshot()
    world.weir("endpoint", "add", "a", "--network", "web", "--rate", "1gbit/500kbit")
    assert world.endpoint("a")["rate"] == "1gbit/500kbit"
    world.weir("endpoint", "rm", "a")
    assert [l for l in world.snapshot() if l.startswith("tc:")] == [l for l in before if l.startswith("tc:")]
    for wrong in ("0mbit", "10", "fast", "10mbit/", "1kbit", "10mbit/0bit", "200gbit", "-1mbit", "10 mbit"):
        world.refused(2, "endpoint", "add", "b", "--network", "web", "--rate", wrong, says="rate")
    world.refused(2, "endpoint", "add", "c", "--mode", "none", "--rate", "1mbit", says=["rate", "no network"])


def limited_in(world, mode, rate=None):
    spec = limited(rate)
    subnets = ["10.88.1.0/30", "fd00:88:1::/126"] if mode == "p2p" else None
    spec["networks"]["web"] = modes.network(world, mode, subnets)
    return spec


@behaviour("L12", "L14")
@measured
@pytest.mark.parametrize("mode", ["routed", "p2p", "macvlan"])
def test_rate_in_each_mode(world, mode):
    world.apply(limited_in(world, mode))
    before, index = world.snapshot(), world.ns("a").link("eth0")["ifindex"]
    spec = limited_in(world, mode, "8mbit/4mbit")
    world.apply(spec)
    assert "nothing to change" in world.apply(spec).out
    assert world.weir("repair").out.startswith("nothing")
    both_ways(world, 8 * MBIT, 4 * MBIT, version=6)
    world.apply(limited_in(world, mode))
    assert Transfer(world, "a", "b", 8 * MBIT).rate() > 40 * MBIT
    assert world.ns("a").link("eth0")["ifindex"] == index
    world.same(before, world.snapshot())


@behaviour("L12", "L14")
@pytest.mark.parametrize("mode", ["bridge", "routed", "p2p", *modes.KINDS])
def test_whole_frames_pass_however_low_the_rate(world, mode):
    world.apply(limited_in(world, mode, "1mbit/8kbit"))
    for version in (4, 6):  # what sends them, and what drops them, let the same pass
        ping = "ping -n -c 1 -W 10 -M do -s 1400 " + world.address("b", version)
        world.ns("a").run("sh", "-c", "%s & first=$!; %s && wait $first" % (ping, ping))
    if mode in modes.KINDS:  # its burst follows
        world.host.run("ip", "link", "set", "eth0", "mtu", "1300")
        world.weir("repair")
        assert world.weir("status", json=True)["in_sync"]
        assert world.ns("a").ping(world.address("b"), size=1200)


@behaviour("L12", "L14")
@measured
def test_root_in_a_routed_endpoint_cannot_lift_the_limit(world):
    world.apply(limited_in(world, "routed", "4mbit"))
    world.ns("a").run("tc", "qdisc", "del", "dev", "eth0", "root")
    assert Transfer(world, "a", "b", MBIT).rate() <= 1.5 * 4 * MBIT  # a quarter of a second comes at once
    assert Transfer(world, "b", "a", MBIT).rate() <= 1.3 * 4 * MBIT


FRAMES = 30


def burst(source, ifname, mac, src, dst):
    """Frames of 1 kB, as fast as they go."""
    packet = frames.udp(src, dst, 1, 4242, bytes(1000))
    frame = frames.ethernet(mac, source.mac(ifname), frames.ethertype_of(packet), packet)
    for _ in range(FRAMES):
        source.raw(ifname, frame)


def received(ns):
    """Datagrams to a port where nobody listens: what is dropped on arrival is not among them."""
    lines = [line.split() for line in ns.run("cat", "/proc/net/snmp").out.splitlines() if line.startswith("Udp:")]
    return int(lines[1][lines[0].index("NoPorts")])


@behaviour("L12", "L14")
@elsewhere
@pytest.mark.parametrize("mode", [*modes.KINDS, "p2p"])
def test_limits_where_the_host_is_not_on_the_way(world, mode):
    """1 kB a second: of 30 at once hardly any come through, however slow the machine is. All do without a limit."""
    world.apply(limited_in(world, mode))
    a, address = world.ns("a"), world.address("a")
    source, ifname, src = (world.ns("b"), "eth0", world.address("b")) if mode == "p2p" else (world.lan, "eth0", "10.88.1.1")
    if mode == "vlan":
        ifname = "v31"
        world.lan.run("ip", "link", "add", "link", "eth0", "name", ifname, "type", "vlan", "id", "31")
        world.lan.run("ip", "link", "set", ifname, "up")

    def send(least):
        before = received(a)
        burst(source, ifname, a.mac(), src, address)
        wait_until(lambda: received(a) >= before + least, "%d datagrams" % least)
        return received(a) - before

    assert send(FRAMES) == FRAMES
    world.apply(limited_in(world, mode, "8kbit/64kbit"))
    assert "tbf" in a.run("tc", "qdisc", "show", "dev", "eth0").out
    assert world.weir("repair").out.startswith("nothing")
    assert send(1) <= FRAMES / 2
    for what, lost in ((["filter", "del", "dev", "eth0", "ingress"], "policer"),
                       (["qdisc", "del", "dev", "eth0", "root"], "rate limit")):
        a.run("tc", *what)
        status = world.weir("status", check=False)
        assert status.code == 1 and lost in status.out, str(status)
        world.weir("repair")
        assert world.weir("status").code == 0
    world.apply(limited_in(world, mode))
    assert send(FRAMES) == FRAMES
