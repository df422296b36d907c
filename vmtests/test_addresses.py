# SPDX-License-Identifier: GPL-2.0-or-later
"""A: addresses. What the modes share is shown in each of them; a wire, which has two ends, by itself."""
import ipaddress

import pytest

import modes
import snapshot
from marks import behaviour, elsewhere, reckoned
from specs import dual, on
from world import apart_from_store


def add(world, name, *words, network="web"):
    world.weir("endpoint", "add", name, "--network", network, *words)
    return world.address(name)


each_mode = pytest.mark.parametrize("mode", modes.WITH_GATEWAY)


@behaviour("A1", "L14")
@each_mode
def test_next_free_address(world, mode):
    world.apply({"networks": {"web": modes.network(world, mode, ["10.88.1.0/28"],
                                                   exclude=["10.88.1.4", "10.88.1.6-10.88.1.8"])}})
    got = [add(world, "e%d" % i) for i in range(3)]
    assert got == ["10.88.1.2", "10.88.1.3", "10.88.1.5"]
    world.weir("endpoint", "rm", "e0")
    world.weir("endpoint", "rm", "e1")
    # freed ones come last, the longest-freed first
    got = [add(world, "f%d" % i) for i in range(8)]
    assert got == ["10.88.1.%d" % n for n in (9, 10, 11, 12, 13, 14, 2, 3)]
    world.refused(1, "endpoint", "add", "over", "--network", "web", says=["web", "10.88.1.0/28"])


@behaviour("A1")
@reckoned
def test_gateway_of_choice_is_not_handed_out(world):
    world.apply({"networks": {"web": {"subnet": "10.88.1.0/29", "gateway": "10.88.1.3"}}})
    assert [add(world, "e%d" % i) for i in range(5)] == ["10.88.1.%d" % n for n in (1, 2, 4, 5, 6)]
    assert world.host.addresses("wb-web", 4) == ["10.88.1.3"]
    assert world.ns("e0").ping("10.88.1.3") == 64


@behaviour("A1", "A2", "A4", "L3")
@elsewhere
def test_addresses_of_a_wire(world):
    """Two at a time, of both families: the next free one, freed ones last, and never more than there are."""
    world.apply({"networks": {"web": modes.network(world, "p2p", ["10.88.1.0/30", "fd00:88:1::/126"])}})
    assert [add(world, name) for name in "ab"] == ["10.88.1.1", "10.88.1.2"]
    assert [world.address(name, 6) for name in "ab"] == ["fd00:88:1::1", "fd00:88:1::2"]
    world.refused(1, "endpoint", "add", "c", "--network", "web", says=["web", "two"])
    world.weir("endpoint", "rm", "a")
    world.refused(1, "endpoint", "add", "c", "--network", "web,ip=10.88.1.2", says='"b"')
    world.refused(1, "endpoint", "add", "c", "--network", "web,ip=10.88.1.9", says="10.88.1.9")
    started = [world.start("endpoint", "add", "e%d" % i, "--network", "web") for i in range(8)]
    results = [world.finish(s) for s in started]
    assert sorted(r.code for r in results) == [0] + [1] * 7
    assert all("two" in r.err for r in results if r.code)
    assert len(world.host.run("ip", "netns", "list").out.splitlines()) == 2
    late = next(e["name"] for e in world.weir("endpoint", "ls", json=True)["endpoints"] if e["name"] != "b")
    assert world.ns(late).ping("10.88.1.2") and world.ns(late).ping("fd00:88:1::2")


@behaviour("A1", "L13", "L14")
@each_mode
def test_ipv6_addresses_in_order(world, mode):
    world.apply({"networks": {"web": modes.network(world, mode, ["fd00:88:1::/64"])}})
    for name in ("a", "b"):
        world.weir("endpoint", "add", name, "--network", "web")
    assert [world.address(name, 6) for name in ("a", "b")] == ["fd00:88:1::2", "fd00:88:1::3"]


@behaviour("A1")
@reckoned
def test_address_is_kept(world):
    spec = {"networks": {"web": dual(1)}, "endpoints": {"a": on("web"), "b": on("web")}}
    world.apply(spec)
    before = {name: world.endpoint(name)["attachments"][0]["addresses"] for name in "ab"}
    spec["endpoints"]["a"]["publish"] = ["8080:80"]
    spec["endpoints"]["0"] = on("web")
    world.apply(spec)
    assert {name: world.endpoint(name)["attachments"][0]["addresses"] for name in "ab"} == before


@behaviour("A2")
@elsewhere
def test_fixed_address(world):
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24", "--subnet", "fd00:88:1::/64")
    world.weir("endpoint", "add", "nginx", "--network", "web,ip=10.88.1.77,ip=fd00:88:1::77")
    assert world.ns("nginx").addresses("eth0") == ["10.88.1.77", "fd00:88:1::77"]
    assert world.host.ping("10.88.1.77") == 64
    assert add(world, "api") == "10.88.1.2"


@behaviour("A2")
@pytest.mark.parametrize("address, says", [
    ("10.88.1.77", "nginx"), ("10.88.2.5", "10.88.2.5"), ("10.88.1.1", "gateway"), ("10.88.1.0", "10.88.1.0"),
    ("10.88.1.255", "broadcast"), ("fd00:88:1::77", "nginx"), ("fd00:88:1::1", "gateway"),
    ("fd00:88:1::", "fd00:88:1::"), ("fd00:88:2::5", "fd00:88:2::5")])
@reckoned
def test_fixed_address_that_cannot_be(world, address, says):
    world.apply({"networks": {"web": dual(1)},
                 "endpoints": {"nginx": {"networks": {"web": {"ip": ["10.88.1.77", "fd00:88:1::77"]}}}}})
    world.refused(1, "endpoint", "add", "api", "--network", "web,ip=" + address, says=[says, "api"][:1])
    name = world.spec({"endpoints": {"api": {"networks": {"web": {"ip": address}}}}}, "api.yaml")
    world.refused(1, "apply", name, says=["api.yaml:", says])


@behaviour("A2", "L14")
@pytest.mark.parametrize("mode", [mode for mode in modes.WITH_GATEWAY if mode != "bridge"])
def test_fixed_address_in_each_mode(world, mode):
    """As asked for, or not at all."""
    world.apply({"networks": {"web": modes.network(world, mode)}})
    world.weir("endpoint", "add", "nginx", "--network", "web,ip=10.88.1.77,ip=fd00:88:1::77")
    assert world.ns("nginx").addresses("eth0") == ["10.88.1.77", "fd00:88:1::77"]
    for address, says in (("10.88.1.77", "nginx"), ("10.88.2.5", "10.88.2.5"), ("10.88.1.1", "gateway"),
                          ("10.88.1.0", "10.88.1.0"), ("10.88.1.255", "broadcast"), ("fd00:88:1::77", "nginx"),
                          ("fd00:88:1::1", "gateway"), ("fd00:88:1::", "fd00:88:1::")):
        world.refused(1, "endpoint", "add", "api", "--network", "web,ip=" + address, says=says)
    assert add(world, "api") == "10.88.1.2"
    if mode not in modes.KINDS:
        assert world.host.ping("10.88.1.77") == 64


@behaviour("A3", "L14")
@pytest.mark.parametrize("mode", [mode for mode in (*modes.WITH_GATEWAY, "p2p") if mode not in ("bridge", "adopted")])
def test_subnets_in_each_mode(world, mode):
    """Those of the host's own are refused, and without one they come from the pools."""
    words = {"parent": "--parent", "vlan": "--vlan"}
    kind = modes.network(world, mode)
    options = ["--mode", mode, *(word for key in words if key in kind for word in (words[key], kind[key]))]
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/30", "--subnet", "fd00:88:1::/64")
    modes.bridge_of_somebody(world, "br9", ["10.144.0.0/24"])
    for subnet, says in (("10.88.1.0/30", "web"), ("10.88.0.0/16", "web"), ("fd00:88:1::/80", "web"),
                         ("10.144.0.0/30", "br9"), ("127.0.0.0/30", "127.0.0.0/30"), ("10.88.9.1/30", "10.88.9.0/30")):
        before = world.snapshot()
        result = world.weir("network", "add", "other", *options, "--subnet", subnet, check=False)
        assert result.code in (1, 2) and says in result.err, str(result)
        world.same(before, world.snapshot())
    world.weir("network", "add", "other", *options)
    subnets = [ipaddress.ip_network(s["prefix"])
               for s in world.weir("network", "show", "other", json=True)["network"]["subnets"]]
    assert {s.version for s in subnets} == {4, 6}
    assert not any(s.overlaps(ipaddress.ip_network("10.144.0.0/24")) for s in subnets if s.version == 4)
    world.weir("endpoint", "add", "a", "--network", "other")
    assert ipaddress.ip_address(world.address("a")) in subnets[0]


@behaviour("A3")
@pytest.mark.parametrize("subnet, says", [
    ("10.88.1.0/24", "web"), ("10.88.1.128/25", "web"), ("10.88.0.0/16", "web"), ("fd00:88:1::/80", "web"),
    ("192.0.2.0/25", "eth0"), ("2001:db8::/48", "eth0"), ("10.88.9.1/24", "10.88.9.0/24"),
    ("0.0.0.0/0", "0.0.0.0/0"), ("127.0.0.0/24", "127.0.0.0/24"), ("224.0.0.0/24", "224.0.0.0/24"),
    ("10.88.9.0/33", "10.88.9.0/33"), ("fe80::/64", "fe80::/64"), ("10.88.9.0", "10.88.9.0")])
@reckoned
def test_subnet_that_cannot_be(world, subnet, says):
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24", "--subnet", "fd00:88:1::/64")
    before = world.snapshot()
    result = world.weir("network", "add", "other", "--subnet", subnet, check=False)
    assert result.code in (1, 2) and says in result.err, str(result)
    world.same(before, world.snapshot())
    name = world.spec({"networks": {"other": {"subnet": subnet}}}, "other.yaml")
    world.refused(1, "apply", name, says=["other.yaml:", says])


@behaviour("A3")
@reckoned
def test_subnets_of_one_change_that_overlap(world):
    before = world.snapshot()
    for networks in ({"a": {"subnets": ["10.88.1.0/24", "10.88.1.64/26"]}},
                     {"a": {"subnet": "10.88.1.0/24"}, "b": {"subnet": "10.88.0.0/20"}}):
        result = world.weir("apply", world.spec({"networks": networks}), check=False)
        assert result.code == 1 and "spec.yaml:" in result.err and "10.88." in result.err, str(result)
        world.same(before, apart_from_store(world.snapshot()))


@behaviour("A3")
@elsewhere
def test_automatic_subnets(world):
    world.host.run("ip", "route", "add", "10.144.0.0/24", "via", "192.0.2.2")
    for name in "ab":
        world.weir("network", "add", name)
    subnets = [[ipaddress.ip_network(s["prefix"]) for s in n["subnets"]]
               for n in world.weir("network", "ls", json=True)["networks"]]
    taken = ipaddress.ip_network("10.144.0.0/24")
    assert all({s.version for s in pair} == {4, 6} for pair in subnets)
    flat = [s for pair in subnets for s in pair]
    assert all(not one.overlaps(other) for one in flat for other in flat
               if one is not other and one.version == other.version)
    assert all(not s.overlaps(taken) and s.subnet_of(ipaddress.ip_network("10.144.0.0/12"))
               for s in flat if s.version == 4)
    assert all(s.subnet_of(ipaddress.ip_network("fd00::/8")) and s.prefixlen == 64 for s in flat if s.version == 6)


@behaviour("A3")
@reckoned
def test_pools_of_choice(world):
    spec = {"pools": [{"prefix": "10.200.0.0/23", "size": 24}, {"prefix": "fd00:200::/63", "size": 64}],
            "networks": {"a": {}, "b": {}}}
    world.apply(spec)
    prefixes = sorted(s["prefix"] for n in world.weir("network", "ls", json=True)["networks"] for s in n["subnets"])
    assert prefixes == ["10.200.0.0/24", "10.200.1.0/24", "fd00:200:0:1::/64", "fd00:200::/64"]
    world.refused(1, "network", "add", "c", says="10.200.0.0/23")


@behaviour("A4", "R4", "L14")
@pytest.mark.parametrize("mode, count", [
    (mode, 100 if mode in ("bridge", "routed") else 20) for mode in modes.WITH_GATEWAY])
def test_many_at_once(world, mode, count):
    count = min(count, 20) if world.place.emulated else count
    world.apply({"networks": {"web": modes.network(world, mode)}})
    publish = mode not in modes.KINDS
    started = [world.start("endpoint", "add", "e%d" % i, "--network", "web", "-q",
                           *(["-p", "%d:80" % (9000 + i)] if publish else []))
               for i in range(count)]
    failed = [str(r) for r in map(world.finish, started) if r.code != 0]
    assert not failed, failed[:3]
    endpoints = world.weir("endpoint", "ls", json=True)["endpoints"]
    addresses = [a for e in endpoints for a in e["attachments"][0]["addresses"]]
    assert len(endpoints) == count and len(addresses) == len(set(addresses)) == 2 * count
    assert world.weir("status", json=True)["in_sync"]
    last = "e%d" % (count - 1)
    if publish:
        assert len(world.weir("port", "ls", json=True)["ports"]) == count
        world.ns(last).serve(80)
        assert world.lan.connect("192.0.2.1", 9000 + count - 1).server == last
    assert world.ns(last).ping(world.address("e0"))


@behaviour("A4", "R4", "L14")
@each_mode
def test_exhausted_at_once(world, mode):
    world.apply({"networks": {"web": modes.network(world, mode, ["10.88.1.0/29"])}})
    links = len(world.host.ip("link"))
    started = [world.start("endpoint", "add", "e%d" % i, "--network", "web") for i in range(12)]
    results = [world.finish(s) for s in started]
    assert sorted(r.code for r in results) == [0] * 5 + [1] * 7
    assert all("10.88.1.0/29" in r.err for r in results if r.code)
    assert len(world.host.run("ip", "netns", "list").out.splitlines()) == 5
    assert len(world.host.ip("link")) == links + (0 if mode in modes.KINDS else 5)
    world.weir("endpoint", "rm", next(e["name"] for e in world.weir("endpoint", "ls", json=True)["endpoints"]))
    world.weir("endpoint", "add", "late", "--network", "web")


@behaviour("A5", "L14")
@each_mode
def test_large_pool_costs_no_more(world, mode):
    """The same system calls in a /24 and a /8, a /120 and a /64, also with most addresses excluded."""
    world.apply({"networks": {
        "small": modes.network(world, mode, ["10.88.1.0/24", "fd00:88:1::/120"], 1),
        "large": modes.network(world, mode, ["11.0.0.0/8", "fd00:88:2::/64"], 2,
                               exclude=["11.0.0.2-11.200.0.0", "fd00:88:2::2-fd00:88:2:0:ffff::"])}})
    calls = {}
    for network in ("small", "large"):
        world.weir("endpoint", "add", "first-" + network, "--network", network)
        log = world.folder / (network + ".log")
        world.weir("endpoint", "add", "e-" + network, "--network", network, env=world.count_calls("any", log))
        calls[network] = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert world.address("e-large") == "11.200.0.2"
    assert abs(len(calls["small"]) - len(calls["large"])) <= 2, snapshot.difference(calls["small"], calls["large"])
