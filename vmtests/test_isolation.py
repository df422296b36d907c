# SPDX-License-Identifier: GPL-2.0-or-later
"""P: what may pass without policies, and what `internal`, `isolate` and `host: deny` close."""
import pytest

import frames
from marks import behaviour, elsewhere, every_switch
from specs import dual, on, web
from world import FAMILIES, V4, V6


@behaviour("P1", "S9", "L13")
@elsewhere
@every_switch
def test_who_reaches_whom(world):
    world.apply(web())
    nginx, api, pg = (world.ns(name) for name in ("nginx", "api", "pg"))
    for ns in (nginx, api, pg, world.lan):
        ns.serve(80)
        ns.serve(53, "udp")
    for family in FAMILIES:
        for proto, port in (("tcp", 80), ("udp", 53)):
            addr = {name: world.address(name, family.version) for name in ("nginx", "api", "pg")}
            assert api.connect(addr["nginx"], port, proto).server == "nginx"
            assert nginx.connect(addr["api"], port, proto).server == "api"
            world.denied(api, addr["pg"], port, pg, proto)
            world.denied(pg, addr["nginx"], port, nginx, proto)
            world.denied(world.lan, addr["pg"], port, pg, proto)
            assert pg.connect(family.outside, port, proto).server == "lan"
            assert world.host.connect(addr["pg"], port, proto).server == "pg"
        assert api.ping(addr["nginx"]) == 64
        assert api.ping(addr["pg"], seconds=0.1) is None
        assert world.lan.ping(addr["pg"], seconds=0.1) is None


@behaviour("P1", "S9")
@every_switch
def test_published_port_is_open_between_networks(world):
    world.apply(web())
    world.ns("nginx").serve(80)
    world.ns("nginx").serve(81)
    for family in FAMILIES:
        assert world.ns("pg").connect(family.host, 8080).server == "nginx"
        world.denied(world.ns("pg"), world.address("nginx", family.version), 81, world.ns("nginx"))


@behaviour("P2", "S9")
@elsewhere
@every_switch
def test_internal(world):
    world.apply({"networks": {"closed": dual(1, internal=True), "web": dual(2)},
                 "endpoints": {"a": on("closed"), "b": on("closed"), "w": on("web")}})
    a, b, other = (world.ns(name) for name in ("a", "b", "w"))
    for ns in (a, b, other, world.lan, world.host):
        ns.serve(80)
        ns.serve(53, "udp")
    gateway = {4: "10.88.1.1", 6: "fd00:88:1::1"}
    for family in FAMILIES:
        addr = {name: world.address(name, family.version) for name in ("a", "b", "w")}
        a.run("ip", "route", "replace", "default", "via", gateway[family.version])  # it would if it could
        assert a.connect(addr["b"], 80).server == "b"
        world.denied(a, family.lan, 80, world.lan, marker=family.lan)
        world.denied(a, family.lan, 53, world.lan, "udp", marker=family.lan)
        world.denied(a, addr["w"], 80, other)
        world.denied(other, addr["a"], 80, a)
        world.denied(world.lan, addr["a"], 80, a)
        assert world.host.connect(addr["a"], 80).server == "a"
        # the host is closed but for echo and the resolver
        assert a.connect(family.host, 80, ms=60).outcome != "ok"
        assert a.connect(gateway[family.version], 80, ms=60).outcome != "ok"
        assert a.connect(gateway[family.version], 53, "udp").server == "host"
        assert a.ping(gateway[family.version]) == 64


@behaviour("P2", "S9")
@every_switch
def test_host_deny(world):
    world.apply({"networks": {"web": dual(1, host="deny")}, "endpoints": {"a": on("web")}})
    world.host.serve(80)
    world.host.serve(53, "udp")
    world.lan.serve(80)
    world.ns("a").serve(80)
    for family in FAMILIES:
        assert world.ns("a").connect(family.host, 80, ms=60).outcome != "ok"
        assert world.ns("a").connect(family.host, 53, "udp").server == "host"
        assert world.ns("a").ping(family.host) == 64
        assert world.ns("a").connect(family.outside, 80).server == "lan"
        assert world.host.connect(world.address("a", family.version), 80).server == "a"


@behaviour("P2", "S8", "S9")
@elsewhere
@every_switch
def test_isolate(world):
    world.apply({"networks": {"apart": dual(1, isolate=True)}, "endpoints": {"a": on("apart"), "b": on("apart")}})
    a, b = world.ns("a"), world.ns("b")
    for ns in (a, b, world.lan, world.host):
        ns.serve(80)
    for family, gateway in ((V4, "10.88.1.1"), (V6, "fd00:88:1::1")):
        addr = world.address("b", family.version)
        world.denied(a, addr, 80, b)
        assert a.ping(addr, seconds=0.1) is None
        assert a.connect(gateway, 80).server == "host"
        assert a.connect(family.outside, 80).server == "lan"
        assert world.host.connect(addr, 80).server == "b"
        # nor by a detour through the gateway, with the neighbour's address known or not
        a.run("ip", "route", "add", addr, "via", gateway)
        b.run("ip", "route", "add", world.address("a", family.version), "via", gateway)
        world.denied(a, addr, 80, b)
    drops = {d["reason"]: d["packets"] for d in world.weir("status", json=True)["drops"]}
    assert drops["isolation"] >= 2, drops  # one of each family took the detour


@behaviour("P2", "N5")
def test_isolated_neighbours_published_port(world):
    """What is published is for all, isolated neighbours included."""
    world.apply({"networks": {"apart": dual(1, isolate=True)},
                 "endpoints": {"a": on("apart"), "b": on("apart", publish=["8080:80"])}})
    world.ns("b").serve(80)
    for family in FAMILIES:
        assert world.ns("a").connect(family.host, 8080).server == "b"
        assert world.ns("b").connect(family.host, 8080).server == "b"


@behaviour("S8")
@elsewhere
@every_switch
def test_isolated_endpoints_exchange_no_frames(world):
    """Frames of IP, ARP, with a VLAN tag and of a type that nobody knows; by unicast, broadcast, multicast and
    flooding. The ports' isolation alone sees to it, no spoof guard does."""
    world.apply({"networks": {"apart": dual(1, isolate=True, spoof_guard=False), "web": dual(2, spoof_guard=False)},
                 "endpoints": {"a": on("apart"), "b": on("apart"), "c": on("web"), "d": on("web")}})

    def sent(source, target):
        mine, theirs = source.mac(), target.mac()
        packets = [frames.udp(source.addresses("eth0", v)[0], target.addresses("eth0", v)[0], 1, 4242)
                   for v in (4, 6)]
        for to in (theirs, frames.BROADCAST, "02:ff:ff:ff:ff:fe"):
            source.raw("eth0", frames.ethernet(to, mine, 0x88B5, b"experimental"))
            source.raw("eth0", frames.ethernet(to, mine, frames.ARP, frames.arp(
                1, mine, source.addresses("eth0", 4)[0], theirs, target.addresses("eth0", 4)[0])))
            for packet in packets:
                source.raw("eth0", frames.ethernet(to, mine, frames.ethertype_of(packet), packet))
        for to in ("01:80:c2:00:00:40", "33:33:00:00:00:01"):
            source.raw("eth0", frames.ethernet(to, mine, 0x88B5, b"experimental"))
        source.raw("eth0", frames.ethernet(theirs, mine, 0x8100, b"\0\1\x88\xb5experimental"))

    one, other = world.ns("c"), world.ns("d")
    got = world.arrivals(other, lambda: sent(one, other), lambda f: f.ethertype == 0x88B5 or f.dport == 4242)
    # with the IP hooks on for the bridge, an IP packet in a broadcast frame may be dropped by them
    assert len(got) == 12 if world.bridge_netfilter == "off" else len(got) >= 8, got
    one, other = world.ns("a"), world.ns("b")
    mac = one.mac()
    got = world.arrivals(other, lambda: sent(one, other), lambda f: f.from_mac == mac)
    assert got == []  # not even what the kernel sends by itself


def apart(*isolated):
    """a, b and c in one network; the named ones isolated in it."""
    return {"networks": {"web": dual(1)}, "endpoints": {
        name: {"networks": {"web": {"isolated": True} if name in isolated else {}}} for name in ("a", "b", "c")}}


@behaviour("P2", "S9", "R3")
@elsewhere
@every_switch
def test_isolated_endpoints_of_a_network(world):
    """They reach the ordinary ones and the gateway, and are reached by these; not one another."""
    spec = apart("a", "b")
    world.apply(spec)
    assert "nothing to change" in world.apply(spec).out
    a, b, c = (world.ns(name) for name in "abc")
    for ns in (a, b, c, world.lan, world.host):
        ns.serve(80)
        ns.serve(53, "udp")
    for family, gateway in ((V4, "10.88.1.1"), (V6, "fd00:88:1::1")):
        addr = {ns: world.address(ns.name, family.version) for ns in (a, b, c)}
        for one in (a, b):
            assert one.connect(addr[c], 80).server == "c" and c.connect(addr[one], 80).server == one.name
            assert one.connect(gateway, 80).server == "host" and one.connect(family.outside, 80).server == "lan"
            assert world.host.connect(addr[one], 80).server == one.name
        world.denied(a, addr[b], 80, b)
        for one, other in ((a, b), (b, a)):
            one.run("ip", "route", "add", addr[other], "via", gateway)
        a.run("ip", "route", "add", addr[c], "via", gateway)
        for one, other in ((a, b), (b, a)):
            world.denied(one, addr[other], 80, other)
            world.denied(one, addr[other], 53, other, "udp")
        assert a.connect(addr[c], 80).server == "c"  # the detour as such is open
    drops = {d["reason"]: d["packets"] for d in world.weir("status", json=True)["drops"]}
    assert drops["isolation"] >= 4, drops
    assert [world.endpoint(name)["attachments"][0]["isolated"] for name in "abc"] == [True, True, False]
    lines = [line for line in world.weir("graph").out.splitlines() if "eth0" in line]
    assert ["isolated" in line for line in lines] == [True, True, False], lines


@behaviour("P2", "S10", "R3", "C4")
def test_isolation_is_set_lifted_and_mended(world):
    world.apply(apart("a"))
    a, b = world.ns("a"), world.ns("b")
    b.serve(80)
    for family, gateway in ((V4, "10.88.1.1"), (V6, "fd00:88:1::1")):
        a.run("ip", "route", "add", world.address("b", family.version), "via", gateway)
        assert a.open(family.version, world.address("b", family.version), 80).outcome == "ok"
    out = world.weir("endpoint", "set", "b", "--network", "web,isolated").out
    assert "isolated" in out, out
    for family in FAMILIES:
        assert a.say(family.version, "still there?", ms=60) != "still there?"  # what took the detour is cut
        world.denied(a, world.address("b", family.version), 80, b)
    port = world.endpoint("b")["attachments"][0]["host_ifname"]
    world.host.run("bridge", "link", "set", "dev", port, "isolated", "off")
    assert "isolated" in world.weir("status", check=False).out
    world.weir("repair")
    assert world.weir("status", json=True)["in_sync"]
    world.denied(a, world.address("b"), 80, b)
    assert "not isolated" in world.weir("endpoint", "set", "a", "--network", "web,isolated=false").out
    for family in FAMILIES:
        assert a.connect(world.address("b", family.version), 80).server == "b"
    assert world.weir("status", json=True)["in_sync"]


@behaviour("P2", "N5")
def test_published_port_of_an_isolated_endpoint(world):
    spec = apart("a", "b")
    spec["endpoints"]["b"]["publish"] = ["8080:80"]
    world.apply(spec)
    world.ns("b").serve(80)
    for family in FAMILIES:
        for name in "abc":
            assert world.ns(name).connect(family.host, 8080).server == "b"


@behaviour("S8")
@elsewhere
@every_switch
def test_isolated_ones_of_a_network_exchange_no_frames(world):
    world.apply(apart("a", "b"))
    a, b, c = (world.ns(name) for name in "abc")
    mac = a.mac()

    def sent():
        for to in (b.mac(), c.mac(), frames.BROADCAST, "02:ff:ff:ff:ff:fe", "01:80:c2:00:00:40", "33:33:00:00:00:01"):
            a.raw("eth0", frames.ethernet(to, mac, 0x88B5, b"experimental"))
        for to in (b, c):
            a.raw("eth0", frames.ethernet(to.mac(), mac, frames.ARP, frames.arp(
                1, mac, a.addresses("eth0", 4)[0], to.mac(), to.addresses("eth0", 4)[0])))

    own = lambda f: f.from_mac == mac and f.ethertype in (0x88B5, frames.ARP)
    assert len(world.arrivals(c, sent, own)) >= 6
    assert world.arrivals(b, sent, lambda f: f.from_mac == mac) == []


@behaviour("P2", "R1", "U1")
@pytest.mark.parametrize("network, endpoint, says", [
    ({"mode": "p2p"}, {}, "a p2p network has no bridge"), ({"mode": "routed"}, {}, "a routed network has no bridge"),
    ({"spoof_guard": False}, {}, "spoof guard"), ({}, {"forward": True}, "forwards for others"),
    ({"gateway": "r"}, {}, "gateway")])
def test_isolation_that_would_leak_is_refused(world, network, endpoint, says):
    spec = {"networks": {"web": dual(1, **network)}, "endpoints": {
        "a": {"networks": {"web": {"isolated": True}}, **endpoint}, "r": on("web", forward=True)}}
    for verb in ("plan", "apply"):
        world.refused(1, verb, world.spec(spec), says=[says, "spec.yaml:", '"web"'])
    world.apply(apart("a"))
    world.refused(1, "network", "set", "web", "--no-spoof-guard", says=["spoof guard", '"a"'])
    world.refused(1, "endpoint", "set", "a", "--forward", says=["forwards for others"])


LOCKS = "5.18"


def locked_or_skip(world, spec):
    """Where the kernel locks no ports, weir says so and does nothing."""
    result = world.apply(spec, check=False)
    if result.code == 4:
        assert LOCKS in result.err and "locked" in result.err, str(result)
        assert "nothing to change" not in world.weir("plan", "spec.yaml", check=False).out
        pytest.skip("this kernel locks no bridge ports")
    assert result.code == 0, str(result)


@behaviour("S7", "S8", "R3")
@elsewhere
@every_switch
def test_locked_port(world):
    """Its own MAC passes, another one does not, though no guard sees to it; nobody takes that MAC away from it."""
    spec = {"networks": {"web": dual(1, spoof_guard=False)}, "endpoints": {
        "a": {"networks": {"web": {"locked": True, "mac": "02:00:00:00:00:0a"}}}, "b": on("web"), "c": on("web")}}
    locked_or_skip(world, spec)
    a, b, c = (world.ns(name) for name in "abc")
    other, own = "02:ff:ff:00:00:01", a.mac()
    forged = lambda: [a.raw("eth0", frames.ethernet(to, mac, 0x88B5, b"experimental"))
                      for mac in (other, own) for to in (b.mac(), frames.BROADCAST)]
    got = world.arrivals(b, forged, lambda f: f.ethertype == 0x88B5)
    assert [f.from_mac for f in got] == [own] * 2, got
    c.raw("eth0", frames.ethernet(b.mac(), own, 0x88B5, b"experimental"))
    c.raw("eth0", frames.ethernet(frames.BROADCAST, own, 0x88B5, b"experimental"))
    a.serve(80)
    for family in FAMILIES:
        assert b.connect(world.address("a", family.version), 80).server == "a"
    assert "nothing to change" in world.weir("apply", "spec.yaml").out
    assert world.endpoint("a")["attachments"][0]["locked"]


@behaviour("S7", "R3", "L6")
@elsewhere
def test_locked_port_changes_while_it_runs(world):
    spec = {"networks": {"web": dual(1)}, "endpoints": {
        "a": {"networks": {"web": {"locked": True, "mac": "02:00:00:00:00:0a"}}}, "b": on("web")}}
    locked_or_skip(world, spec)
    a, b = world.ns("a"), world.ns("b")
    a.serve(80)
    reached = lambda: [b.connect(world.address("a", f.version), 80).server for f in FAMILIES] == ["a"] * 2
    assert reached()
    port = world.endpoint("a")["attachments"][0]["host_ifname"]
    world.host.run("bridge", "fdb", "del", "02:00:00:00:00:0a", "dev", port, "master")
    assert "02:00:00:00:00:0a" in world.weir("status", check=False).out
    world.weir("repair")
    assert world.weir("status", json=True)["in_sync"] and reached()
    world.weir("endpoint", "set", "a", "--network", "web,mac=02:00:00:00:00:0b")
    fdb = world.host.run("bridge", "fdb", "show", "brport", port).out
    assert "02:00:00:00:00:0b" in fdb and "02:00:00:00:00:0a" not in fdb, fdb
    assert reached()
    world.weir("endpoint", "set", "a", "--network", "web,locked=false")
    assert "static" not in world.host.run("bridge", "fdb", "show", "brport", port).out
    assert reached() and world.weir("status", json=True)["in_sync"]
    world.weir("endpoint", "set", "a", "--network", "web,locked")
    assert reached() and world.weir("status", json=True)["in_sync"]


@behaviour("P1", "S9")
@every_switch
def test_gateways_of_other_networks_are_closed(world):
    world.apply(web())
    world.host.serve(80)
    for family, own, other in ((V4, "10.88.1.1", "10.88.2.1"), (V6, "fd00:88:1::1", "fd00:88:2::1")):
        assert world.ns("nginx").connect(own, 80).server == "host"
        assert world.ns("nginx").connect(family.host, 80).server == "host"
        assert world.ns("nginx").connect(other, 80, ms=60).outcome != "ok"
        assert world.ns("nginx").ping(other, seconds=0.1) is None


@behaviour("P1", "S9")
def test_routed_network_is_closed_as_well(world):
    """Without translation its addresses are known outside; they are open to whom it trusts only."""
    world.apply({"networks": {"routed": dual(1, nat="none")}, "endpoints": {"r": on("routed")}})
    world.ns("r").serve(80)
    world.lan.serve(80)
    for family in FAMILIES:
        assert world.ns("r").connect(family.lan, 80).client == world.address("r", family.version)
        world.denied(world.lan, world.address("r", family.version), 80, world.ns("r"))


@behaviour("P2")
def test_switches_of_a_network_change_while_it_runs(world):
    spec = web()
    world.apply(spec)
    for name in ("nginx", "api"):
        world.ns(name).serve(80)
    reach = lambda **more: world.ns("api").connect(world.address("nginx"), 80, **more).outcome
    assert reach() == "ok"
    spec["networks"]["web"]["isolate"] = True
    world.apply(spec)
    assert reach(ms=60) != "ok"
    spec["networks"]["web"]["isolate"] = False
    world.apply(spec)
    assert world.ns("api").connect(world.address("nginx"), 80).server == "nginx"
