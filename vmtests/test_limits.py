# SPDX-License-Identifier: GPL-2.0-or-later
"""L12: what an endpoint receives and sends is limited to a rate, shown by real transfers.

A transfer lasts seconds at the limit, so that a busy machine cannot make it look slower than half of it; and
it cannot be faster than the limit and its burst.
"""
import json

from marks import behaviour, here
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
    world.weir("network", "add", "wire", "--subnet", "10.91.0.0/31", "--mode", "p2p")
    world.refused(1, "endpoint", "add", "c", "--network", "wire", "--rate", "1mbit", says="no port on the host")
