# SPDX-License-Identifier: GPL-2.0-or-later
"""L14: routed networks: an address for each endpoint alone, a route of the host's to it, no bridge."""
import pytest

import frames
from marks import behaviour, elsewhere
from specs import dual, on
from world import FAMILIES, V4, V6

GATEWAY = {4: "10.88.1.1", 6: "fd00:88:1::1"}
NOBODY = {4: "10.88.1.77", 6: "fd00:88:1::77"}


def routed(number=1, **more):
    return dual(number, mode="routed", **more)


def three(publish=("8080:80", "5353:53/udp"), **network):
    """a publishes; b is beside it; w stands in a network with a bridge."""
    return {"networks": {"lan": routed(**network), "web": dual(2)},
            "endpoints": {"a": on("lan", publish=list(publish)) if publish else on("lan"), "b": on("lan"),
                          "w": on("web")}}


def endpoints(world):
    a, b, w = (world.ns(name) for name in "abw")
    for ns in (a, b, w, world.lan):
        ns.serve(80)
        ns.serve(53, "udp")
    return a, b, w


def port_of(world, name):
    return world.endpoint(name)["attachments"][0]["host_ifname"]


def drops(world):
    return {d["reason"]: d["packets"] for d in world.weir("status", json=True)["drops"]}


@behaviour("L14", "L13", "P1", "N1", "S9")
@elsewhere
def test_who_reaches_whom(world):
    world.apply(three())
    a, b, w = endpoints(world)
    assert not [link for link in world.host.ip("-d", "link") if link["ifname"].startswith("wr") and "master" in link]
    for family in FAMILIES:
        addr = {name: world.address(name, family.version) for name in "abw"}
        length = {4: 32, 6: 128}[family.version]
        assert [a.ip("addr", "show", "dev", "eth0")[0]["addr_info"][i]["prefixlen"]
                for i in range(2) if a.ip("addr", "show", "dev", "eth0")[0]["addr_info"][i]["local"] == addr["a"]] \
            == [length]
        assert world.host.ping(addr["a"]) == 64 and a.ping(GATEWAY[family.version]) == 64
        assert b.ping(GATEWAY[family.version]) == 64, "the gateway is there for each of them"
        assert b.ping(addr["a"]) == 63, "the host is a hop between them"
        for proto, port in (("tcp", 80), ("udp", 53)):
            got = b.connect(addr["a"], port, proto)
            assert (got.server, got.client) == ("a", addr["b"])
            world.denied(a, addr["w"], port, w, proto)
            world.denied(w, addr["a"], port, a, proto)
            world.denied(world.lan, addr["a"], port, a, proto)
            out = a.connect(family.outside, port, proto)
            assert (out.server, out.client) == ("lan", family.host)
            assert world.host.connect(addr["a"], port, proto).server == "a"


@behaviour("L14", "N3", "N5", "S9")
@elsewhere
def test_published(world):
    world.apply(three())
    a, b, w = endpoints(world)
    for family in FAMILIES:
        for proto, port in (("tcp", 8080), ("udp", 5353)):
            got = world.lan.connect(family.host, port, proto)
            assert (got.server, got.client) == ("a", family.lan)
            assert world.host.connect(family.host, port, proto).server == "a"
            assert world.host.connect(GATEWAY[family.version], port, proto).server == "a"
            assert w.connect(family.host, port, proto).server == "a"
            got = b.connect(family.host, port, proto)
            assert (got.server, got.client) == ("a", world.address("b", family.version))
            assert a.connect(family.host, port, proto).server == "a", "hairpin"
            assert a.connect(GATEWAY[family.version], port, proto).server == "a"
    assert world.host.connect("127.0.0.1", 8080).server == "a"


@behaviour("L14", "N2", "S9")
def test_untranslated(world):
    world.apply(three(nat="none"))
    a, b, _ = endpoints(world)
    for family in FAMILIES:
        addr = world.address("a", family.version)
        assert a.connect(family.outside, 80).client == addr
        # S2 is about networks that hide their addresses; what is not published stays closed all the same
        world.denied(world.lan, addr, 80, a)
        # nor by whoever says that he is in the network
        packet = frames.udp(world.address("b", family.version), addr, 1, 4242)
        got = world.arrivals(a, lambda: world.lan.raw("eth0", frames.ethernet(
            world.host.mac("eth0"), world.lan.mac(), frames.ethertype_of(packet), packet)), lambda f: f.dport == 4242)
        assert got == []
        assert b.connect(addr, 80).server == "a"
    world.apply(three(nat=[V4.other_host, V6.other_host]))
    for family in FAMILIES:
        assert world.ns("a").connect(family.outside, 80).client == family.other_host


@behaviour("L14", "P2", "S9")
def test_isolate(world):
    world.apply(three(isolate=True))
    a, b, _ = endpoints(world)
    for family in FAMILIES:
        addr = world.address("a", family.version)
        world.denied(b, addr, 80, a)
        world.denied(b, addr, 53, a, "udp")
        assert b.connect(family.host, 8080).server == "a", "what is published is for all"
        assert a.connect(family.host, 8080).server == "a"
        assert b.connect(family.outside, 80).server == "lan"
        assert world.host.connect(addr, 80).server == "a"
    assert drops(world)["isolation"] >= 4


@behaviour("L14", "P2", "S9")
def test_internal(world):
    world.apply(three(publish=(), internal=True))
    a, b, w = endpoints(world)
    world.host.serve(80)
    world.host.serve(53, "udp")
    for family in FAMILIES:
        addr = {name: world.address(name, family.version) for name in "abw"}
        for ns in (a, b):
            ns.run("ip", "route", "replace", "default", "via", GATEWAY[family.version])  # it would if it could
        assert b.connect(addr["a"], 80).server == "a"
        world.denied(a, family.lan, 80, world.lan, marker=family.lan)
        world.denied(a, addr["w"], 80, w)
        world.denied(w, addr["a"], 80, a)
        world.denied(world.lan, addr["a"], 80, a)
        assert world.host.connect(addr["a"], 80).server == "a"
        assert a.connect(GATEWAY[family.version], 80, ms=60).outcome != "ok"
        assert a.connect(GATEWAY[family.version], 53, "udp").server == "host"


@behaviour("L14", "P2", "S9")
def test_internal_and_alone(world):
    """No other network is there for which the host would forward."""
    world.apply({"networks": {"lan": routed(internal=True)}, "endpoints": {"a": on("lan"), "b": on("lan")}})
    world.ns("a").serve(80)
    for family in FAMILIES:
        assert world.ns("b").connect(world.address("a", family.version), 80).server == "a"
    world.weir("delete", "--all")
    assert world.host.run("cat", "/proc/sys/net/ipv4/ip_forward").out.strip() == "0"


@behaviour("L14", "P2", "S9")
def test_host_deny_and_trusted(world):
    world.apply(three(host="deny", trusted=["eth0"]))
    a, b, _ = endpoints(world)
    world.host.serve(81)
    for family in FAMILIES:
        for ns in (a, b):
            assert ns.connect(family.host, 81, ms=60).outcome != "ok"
            assert ns.ping(GATEWAY[family.version]) == 64
        for name in "ab":
            got = world.lan.connect(world.address(name, family.version), 80)
            assert (got.server, got.client) == (name, family.lan)
    world.apply(three(host="deny"))
    for family in FAMILIES:
        world.denied(world.lan, world.address("b", family.version), 80, b)


@behaviour("L14", "S1", "S2", "S3", "S9")
@elsewhere
def test_what_is_not_reached_from_the_lan(world):
    spec = three()
    spec["endpoints"]["a"]["publish"] = ["127.0.0.1:9000:80"]
    world.apply(spec)
    a, b, w = endpoints(world)
    world.host.serve(80)
    world.set_sysctl("net/ipv4/conf/eth0/route_localnet", 1)
    packet = frames.tcp(V4.lan, "127.0.0.1", 1000, 9000, frames.SYN)
    got = world.arrivals(a, lambda: world.lan.raw("eth0", frames.ethernet(
        world.host.mac("eth0"), world.lan.mac(), frames.IPV4, packet)), lambda f: f.src == V4.lan)
    assert got == []
    assert world.host.connect("127.0.0.1", 9000).server == "a"
    for family in FAMILIES:
        for name in "ab":
            world.denied(world.lan, world.address(name, family.version), 80, world.ns(name))
        assert world.lan.connect(GATEWAY[family.version], 80, ms=60).outcome != "ok", "the gateway, from the lan"
        assert w.connect(GATEWAY[family.version], 80, ms=60).outcome != "ok", "and from another network"
        for ns in (a, b):
            assert ns.connect(GATEWAY[family.version], 80).server == "host"
        other = {4: "10.88.2.1", 6: "fd00:88:2::1"}[family.version]
        assert a.connect(other, 80, ms=60).outcome != "ok"


@behaviour("L14", "S2")
def test_addresses_that_nobody_has(world):
    """They are refused here, and not sent on to come back."""
    world.apply(three())
    a = world.ns("a")
    for family in FAMILIES:
        got = [world.arrivals(world.lan, lambda: ns.connect(NOBODY[family.version], 80, ms=60),
                              lambda f: f.dst == NOBODY[family.version], marker=family.lan)
               for ns in (a, world.host)]
        assert got == [[], []]
        got = world.arrivals(world.lan, lambda: world.lan.connect(NOBODY[family.version], 80, ms=60),
                             lambda f: f.dst == NOBODY[family.version], marker=family.lan)
        assert got == [], "sent back to where it came from"


@behaviour("L14", "S7", "S9")
@pytest.mark.parametrize("guarded", [True, False])
def test_foreign_sources(world, guarded):
    """Guarded by the port, or caught where it would be forwarded."""
    world.apply(three(**{} if guarded else {"spoof_guard": False}))
    a, b, _ = endpoints(world)
    port_mac = {mac["ifname"]: mac["address"] for mac in world.host.ip("link")}[port_of(world, "a")]

    def send(packet):
        a.raw("eth0", frames.ethernet(port_mac, a.mac(), frames.ethertype_of(packet), packet))

    for family in FAMILIES:
        own, to = world.address("a", family.version), world.address("b", family.version)
        outside = {4: "203.0.113.9", 6: "2001:db8:9::9"}[family.version]
        third = world.address("w", family.version)

        def sent():
            for number, src in enumerate((own, outside, third, NOBODY[family.version])):
                send(frames.udp(src, to, 1000 + number, 4242))

        got = world.arrivals(b, sent, lambda f: f.dport == 4242)
        assert [f.src for f in got] == [own]
        got = world.arrivals(world.lan, lambda: send(frames.udp(outside, family.lan, 1, 4243)),
                             lambda f: f.dport == 4243, marker=family.lan)
        assert got == []
    if not guarded:
        assert drops(world)["not a live source"] >= 2


@behaviour("L14", "L15", "R2", "R3")
def test_what_is_lost_is_made_anew_and_nothing_stays(world):
    before = world.snapshot()
    spec = three()
    world.apply(spec)
    assert world.apply(spec).out.startswith("nothing")
    world.weir("plan", "spec.yaml")
    assert world.weir("repair").out.startswith("nothing")
    after, port = world.snapshot(), port_of(world, "a")
    address = world.address("a")
    for words in (["ip", "route", "del", address + "/32"], ["ip", "-6", "route", "del", world.address("a", 6)],
                  ["ip", "route", "del", "unreachable", "10.88.1.0/24"],
                  ["ip", "addr", "del", "10.88.1.1/32", "dev", port],
                  ["ip", "link", "set", port, "down"], ["ip", "link", "del", port]):
        world.host.run(*words)
        assert world.weir("status", check=False).code == 1, words
        world.weir("repair")
        world.same(after, world.snapshot(), words)
        assert world.ns("a").ping(GATEWAY[4]) and world.ns("b").ping(address) == 63
    a = world.ns("a")
    a.run("ip", "route", "flush", "dev", "eth0")
    world.weir("repair")
    assert a.ping(V4.lan) and a.ping(V6.lan)
    world.weir("delete", "--all")
    world.same(before, world.snapshot())


@behaviour("L14", "R2")
def test_a_route_that_a_kill_has_left(world):
    world.apply({"networks": {"lan": routed()}})
    left = [r for r in world.host.ip("route", "show", "type", "unreachable") if r["dst"] == "10.88.1.0/24"]
    assert left
    world.weir("delete", "--all")
    world.apply({"networks": {"other": dual(3)}})
    world.host.run("ip", "route", "add", "unreachable", "10.88.1.0/24", "proto", str(left[0]["protocol"]),
                   "metric", str(left[0]["metric"]))
    assert world.weir("status", check=False).code == 1
    world.weir("repair")
    assert not world.host.ip("route", "show", "type", "unreachable")


@behaviour("L14", "C1", "R1")
def test_a_route_of_the_users_to_an_endpoints_address(world):
    """It stays, wherever it leads: weir's would take its place."""
    world.apply({"networks": {"lan": routed()}})
    for family in FAMILIES:
        version = "-%d" % family.version
        to = {4: "10.88.1.5", 6: "fd00:88:1::5"}[family.version]
        world.host.run("ip", version, "route", "add", to, "via", family.lan)
        before = world.snapshot()
        world.refused(1, "endpoint", "add", "a", "--network", "lan,ip=" + to,
                      says=["the host has a route to %s" % to, "by eth0", "remove it"])
        assert [r["gateway"] for r in world.host.ip(version, "route", "show", to)] == [family.lan]
        world.same(before, world.snapshot())
        world.host.run("ip", version, "route", "del", to)
        world.weir("endpoint", "add", "a", "--network", "lan,ip=" + to)
        world.host.run("ip", version, "route", "replace", to, "dev", port_of(world, "a"))
        world.weir("repair")
        assert world.host.ping(to) == 64
        world.weir("endpoint", "rm", "a")


# What of the host's own sends the packets to an endpoint elsewhere, and how it is taken back.
DIVERSIONS = {
    "rule": ("rule add pref 50 to {to} unreachable", "rule del pref 50"),
    "table": ("rule add pref 50 lookup 77; ip -{v} route add default dev wb-web table 77", "rule del pref 50"),
    "address": ("addr add {to} dev lo", "addr del {to} dev lo"),
}


@behaviour("L14", "C1", "R2", "S9")
@pytest.mark.parametrize("what", DIVERSIONS)
def test_a_route_that_something_else_comes_before(world, what):
    """It is told, and is nothing that weir could mend; a route that is lost as well comes back."""
    world.apply(three())
    for family in FAMILIES:
        def ip(words):
            to = "%s/%d" % (addr, {4: 32, 6: 128}[family.version])
            world.host.run("sh", "-c", "ip -{v} {words}".format(v=family.version, words=words.format(v=family.version, to=to)))

        addr, port = world.address("a", family.version), port_of(world, "a")
        words = "what the host sends to %s goes another way than by %s" % (addr, port)
        ip(DIVERSIONS[what][0])
        for lost in (False, True):
            if lost:
                ip("route del {to} dev " + port)
            drift = [line for line in world.weir("status", json=True, check=False)["drift"] if "endpoint a:" in line]
            assert len(drift) == 1 and ("lost its route to %s" % addr if lost else words) in drift[0], drift
            for _ in range(2):
                repair = world.weir("repair", check=False)
                assert repair.code == 1 and 'warning: endpoint "a": ' in repair.err and words in repair.err, str(repair)
                assert "mended" not in repair.out, str(repair)
            assert port in world.host.run("ip", "-%d" % family.version, "route", "show", addr).out
        ip(DIVERSIONS[what][1])
        assert world.weir("repair").out.startswith("nothing") and world.weir("status", json=True)["in_sync"]
        assert world.ns("b").ping(addr) == 63


@behaviour("L14", "L11")
def test_changes_while_it_runs(world):
    spec = three()
    spec["endpoints"]["r"] = {"networks": {"web": {"priority": 9}, "lan": {"ip": "10.88.1.9", "mac": "02:00:00:00:09:09"}}}
    world.apply(spec)
    r, b = world.ns("r"), world.ns("b")
    assert r.ping("10.88.2.1") and r.ping(GATEWAY[4])
    assert b.ping("10.88.1.9") == 63, "its default route is elsewhere, and the way back is known"
    spec["endpoints"]["r"]["networks"]["lan"] = {"ip": "10.88.1.10", "mac": "02:00:00:00:0a:0a"}
    spec["networks"]["lan"]["mtu"] = 1400
    world.apply(spec)
    assert b.ping("10.88.1.10") == 63
    assert not [route for route in world.host.ip("route") if route["dst"] == "10.88.1.9"]
    assert world.host.link(port_of(world, "b"))["mtu"] == 1400
    spec["networks"]["lan"]["isolate"] = True
    world.apply(spec)
    assert b.ping("10.88.1.10", seconds=0.1) is None
    del spec["endpoints"]["r"]["networks"]["lan"]
    world.apply(spec)
    assert world.weir("repair").out.startswith("nothing")
    shown = world.weir("network", "show", "lan")
    assert "routed" in shown.out and "forwarding database" not in shown.out


@behaviour("L14", "A1", "A2", "A3", "A4")
def test_addresses(world):
    world.apply({"networks": {"lan": routed(subnets=["10.88.1.0/29"])}})
    world.refused(1, "endpoint", "add", "x", "--network", "lan,ip=10.88.1.1", says="gateway")
    world.refused(1, "network", "add", "n", "--subnet", "10.88.1.0/24", says="10.88.1.0/29")
    for name in "abcde":
        world.weir("endpoint", "add", name, "--network", "lan")
    assert [world.address(name) for name in "abcde"] == ["10.88.1.%d" % n for n in range(2, 7)]
    world.refused(1, "endpoint", "add", "f", "--network", "lan", says="are taken")
    world.refused(1, "endpoint", "add", "f", "--network", "lan,ip=10.88.1.3", says='"b"')
    for name in "abcde":
        assert world.ns(name).ping(GATEWAY[4])
    world.weir("delete", "--all")
    assert not world.host.ip("route", "show", "type", "unreachable")


@behaviour("L14")
@pytest.mark.parametrize("more, says", [
    ({"bridge": "br0"}, "bridge"), ({"adopt": True, "bridge": "br0"}, "bridge"), ({"filter_bridged": True}, "filter_bridged"),
    ({"gateway": "a"}, "gateway"), ({"parent": "eth0"}, "parent"), ({"vlan": 3}, "VLAN"),
])
def test_contradictions_are_told_with_their_place(world, more, says):
    spec = {"networks": {"lan": routed(**more)}, "endpoints": {"a": on("lan")}}
    world.refused(1, "apply", world.spec(spec), says=["spec.yaml:", says])


@behaviour("L14", "P3", "P5", "P7", "P8", "S9")
def test_policies(world):
    """They bind within the network as well: every packet meets the host."""
    spec = three()
    spec["policies"] = [
        {"name": "no-b", "from": {"endpoint": "b"}, "to": {"endpoint": "a"}, "ports": ["80/tcp"], "action": "deny"},
        {"name": "w-in", "from": {"endpoint": "w"}, "to": {"endpoint": "a"}, "ports": ["53/udp"], "action": "allow"}]
    assert "warning" not in world.apply(spec).err
    a, b, w = endpoints(world)
    for family in FAMILIES:
        addr = world.address("a", family.version)
        world.denied(b, addr, 80, a)
        world.denied(b, family.host, 8080, a, at_port=80)
        assert b.connect(addr, 53, "udp").server == "a"
        assert w.connect(addr, 53, "udp").server == "a"
        world.denied(w, addr, 80, a)
        assert world.lan.connect(family.host, 8080).server == "a"
    spec = three()
    spec["networks"]["lan"]["default"] = {"ingress": "deny"}
    world.apply(spec)
    for family in FAMILIES:
        addr = world.address("a", family.version)
        world.denied(b, addr, 80, a)
        world.denied(world.lan, family.host, 8080, a, at_port=80)
        assert a.connect(family.outside, 80).server == "lan"
    assert drops(world)["policy"] >= 2 and drops(world)["ingress default"] >= 2
    assert world.weir("repair").out.startswith("nothing")
