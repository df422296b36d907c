# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's own IPv6: it goes on hearing the routers of its uplinks while weir has it forward."""
import struct

import pytest

import frames
from marks import behaviour, elsewhere
from modes import KINDS, needs
from specs import dual, on
from test_spoofing import ALL_NODES, RA, link_local
from world import wait_until

SWITCH = "net/ipv6/conf/all/forwarding"


def accepts(world, ifname):
    return world.sysctl("net/ipv6/conf/%s/accept_ra" % ifname)


def advertise(router, ifname="eth0"):
    """A router says that it is one, for half an hour."""
    mac = router.mac(ifname)
    body = struct.pack("!BBHBBHII", RA, 0, 0, 64, 0, 1800, 0, 0)
    packet = frames.ip(link_local(mac), ALL_NODES, frames.ICMP6, body, ttl=255)
    router.raw(ifname, frames.ethernet("33:33:00:00:00:01", mac, frames.IPV6, packet))


def learnt(world):
    """The interfaces behind which the host knows a router."""
    return {route["dev"] for route in world.host.ip("-6", "route", "show", "proto", "ra")}


def hears(world, router, ifname="eth0", at="eth0"):
    def heard():
        advertise(router, ifname)
        return at in learnt(world)

    wait_until(heard, "a router behind %s" % at)


def uplink(world, name):
    """One more wire to the lan; its end there has the same name."""
    world.host.run("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", world.lan.path)
    world.lan.run("ip", "link", "set", name, "up")
    world.host.run("ip", "link", "set", name, "up")


@behaviour("C1", "L13", "R6")
@elsewhere
def test_routers_are_heard_while_the_host_forwards(world):
    """No router has spoken when weir switches forwarding on, as at boot; an interface that comes later is another uplink."""
    uplink(world, "passing")
    world.host.run("sh", "-ec", "ip link add br0 type bridge; ip link add port type veth peer name other; ip link set port master br0")
    world.set_sysctl("net/ipv6/conf/other/accept_ra", 0)
    apart = world.host.run("sh", "-ec", "ip link add blue type vrf table 10; ip link set br0 master blue", check=False).code == 0
    before = {ifname: accepts(world, ifname) for ifname in ("default", "eth0", "passing", "br0")}
    assert set(before.values()) == {"1"} and world.sysctl(SWITCH) == "0" and not learnt(world), before
    world.apply({"networks": {"web": dual(1)}})
    assert world.sysctl(SWITCH) == "1"
    uplink(world, "late")
    for ifname in ("eth0", "late"):
        hears(world, world.lan, ifname, ifname)
    assert [accepts(world, ifname) for ifname in ("port", "lo", "other", "br0", "wb-web")] == ["1", "1", "0", "2", "0"], apart
    world.host.run("ip", "link", "del", "passing")
    assert world.weir("status", json=True)["in_sync"]
    world.weir("delete", "--all")
    assert world.sysctl(SWITCH) == "0"
    assert [accepts(world, ifname) for ifname in ("default", "eth0", "br0")] == ["1", "1", "1"]
    assert {"eth0", "late"} <= learnt(world), "the host lost its routers as it ceased to forward"


@behaviour("R2", "C4")
def test_who_is_deaf_to_routers(world):
    """Set back to 1, the kernel hears no router: told and mended. 0 is of a program that listens itself."""
    world.apply({"networks": {"web": dual(1)}})
    for ifname in ("eth0", "default"):
        key = "net/ipv6/conf/%s/accept_ra" % ifname
        world.set_sysctl(key, 1)
        drift = world.weir("status", json=True, check=False)["drift"]
        assert drift == ["sysctl %s: it is 1, and should be 2" % key], drift
        world.weir("repair")
        assert accepts(world, ifname) == "2"
        world.set_sysctl(key, 0)
        assert world.weir("status", json=True)["in_sync"]
        assert "nothing to mend" in world.weir("repair").out and accepts(world, ifname) == "0"
    world.weir("delete", "--all")
    assert accepts(world, "eth0") == accepts(world, "default") == "0"


@behaviour("C1")
def test_where_no_router_was_heard(world):
    """Neither where the host forwards already nor where it was told not to listen does it begin to."""
    for ifname in ("deaf", "router"):
        uplink(world, ifname)
    world.set_sysctl("net/ipv6/conf/deaf/accept_ra", 0)
    world.set_sysctl("net/ipv6/conf/router/forwarding", 1)
    world.apply({"networks": {"web": dual(1)}})
    assert (accepts(world, "deaf"), accepts(world, "router")) == ("0", "1")
    for ifname in ("deaf", "router"):
        advertise(world.lan, ifname)
    hears(world, world.lan)
    assert learnt(world) == {"eth0"}
    world.weir("delete", "--all")
    world.set_sysctl(SWITCH, 1)
    world.apply({"networks": {"web": dual(1)}})
    assert accepts(world, "eth0") == "1", "whoever switched forwarding on has seen to the uplinks"


@behaviour("C1", "S5", "L14")
@pytest.mark.parametrize("mode", ["bridge", "routed", "vlan"])
def test_endpoints_are_no_routers_of_the_host(world, mode):
    """Not even unguarded, though every new interface of the host's listens."""
    needs(world, mode)
    spec = {"networks": {"first": dual(1), "web": {**dual(2), "spoof_guard": False, **KINDS.get(mode, {"mode": mode})}},
            "endpoints": {"a": on("web")}}
    world.apply({"networks": {"first": dual(1)}})
    assert accepts(world, "default") == "2"
    world.apply(spec)
    ours = [link["ifname"] for link in world.host.ip("-d", "link")
            if link.get("ifalias", "").startswith("weir ") and "master" not in link]
    assert ours and {accepts(world, ifname) for ifname in ours} == {"0"}, ours
    advertise(world.ns("a"))
    assert mode == "vlan" or world.ns("a").ping("fd00:88:2::1"), "what it said before has arrived"
    hears(world, world.lan)
    assert learnt(world) == {"eth0"}
    world.set_sysctl("net/ipv6/conf/%s/accept_ra" % ours[-1], 2)
    assert world.weir("status", check=False).code == 1
    world.weir("repair")
    assert accepts(world, ours[-1]) == "0"
