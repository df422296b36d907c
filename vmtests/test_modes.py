# SPDX-License-Identifier: GPL-2.0-or-later
"""L14: networks on an interface of the host's, and on a bridge that is somebody else's."""
import pytest

from marks import behaviour, elsewhere, words_only
from modes import KINDS, bridge_of_somebody, needs, on_lan
from specs import dual, on
from world import ATTEMPT_MS, FAMILIES, V4, V6


@behaviour("L14")
@elsewhere
@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_endpoints_stand_on_the_segment_of_the_parent(world, kind):
    needs(world, kind)
    before = world.snapshot()
    world.apply({"networks": {"lan": on_lan(kind)}, "endpoints": {"a": on("lan"), "b": on("lan")}})
    a, b, links = world.ns("a"), world.ns("b"), world.host.ip("link")
    assert not [link for link in links if link["ifname"].startswith("w")], "nothing of it is on the host"
    mac = {name: world.ns(name).mac() for name in ("a", "b")}
    parent = world.host.mac("eth0")
    world.lan.serve(80)
    a.serve(8080)
    assert (mac["a"] == parent) == (kind == "ipvlan") and (mac["a"] == mac["b"]) == (kind == "ipvlan")
    for family in FAMILIES:
        address = world.address("a", family.version)
        got = a.connect(family.lan, 80, src=address)
        assert got.outcome == "ok" and got.client == address, "untranslated: %s" % (got,)
        assert world.lan.connect(address, 8080).outcome == "ok"
        assert a.ping(world.address("b", family.version))
        assert a.ping(family.outside), "the gateway is the lan"
    assert b.ping(V4.lan)
    world.weir("plan", "spec.yaml")
    assert world.weir("repair").out.startswith("nothing")
    world.weir("delete", "--all")
    world.same(before, world.snapshot())


@behaviour("L14")
@elsewhere
def test_a_vlan_of_the_parent(world):
    needs(world, "vlan")
    before = world.snapshot()
    world.host.run("true")
    world.apply({"networks": {"tagged": {**dual(9), **KINDS["vlan"], "gateway": ["10.88.9.1", "fd00:88:9::1"]}},
                 "endpoints": {"a": on("tagged")}})
    world.lan.run("ip", "link", "add", "link", "eth0", "name", "v30", "type", "vlan", "id", "30")
    world.lan.run("ip", "addr", "add", "10.88.9.1/24", "dev", "v30")
    world.lan.run("ip", "addr", "add", "fd00:88:9::1/64", "dev", "v30", "nodad")
    world.lan.run("ip", "link", "set", "v30", "up")
    a = world.ns("a")
    assert a.ping("10.88.9.1") and a.ping("fd00:88:9::1")
    assert world.weir("status").code == 0 and world.weir("repair").out.startswith("nothing")
    world.refused(1, "network", "add", "other", "--mode", "vlan", "--parent", "eth0", "--vlan", "30",
                  "--subnet", "10.88.10.0/24", says=["VLAN 30 on eth0", '"tagged"'])
    ifname = world.weir("network", "show", "tagged", json=True)["network"]["ifname"]
    world.host.run("ip", "link", "del", ifname)
    assert world.weir("status", check=False).code == 1
    world.weir("repair")
    assert world.ns("a").ping("10.88.9.1")
    world.lan.run("ip", "link", "del", "v30")
    world.weir("delete", "--all")
    world.same(before, world.snapshot())


@behaviour("L14", "A1", "A2")
@elsewhere
@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_the_hosts_own_addresses_are_not_handed_out(world, kind):
    """They are on the same segment. eth0 has .1 and .11, ::1 and ::11; the lan is the gateway."""
    needs(world, kind)
    world.host.run("ip", "addr", "add", "192.0.2.4/24", "dev", "eth0", "valid_lft", "1000", "preferred_lft", "1000")
    world.apply({"networks": {"lan": on_lan(kind, exclude=[])}})
    for name in "ab":
        world.weir("endpoint", "add", name, "--network", "lan")
    assert [world.address(name) for name in "ab"] == ["192.0.2.3", "192.0.2.5"]
    assert [world.address(name, 6) for name in "ab"] == ["2001:db8::3", "2001:db8::4"]
    world.host.run("ip", "addr", "del", "192.0.2.4/24", "dev", "eth0")  # its lease would tick between two looks
    for address in (V4.other_host, V6.other_host):
        world.refused(1, "endpoint", "add", "c", "--network", "lan,ip=" + address, says=["the host's own", "eth0"])
    assert world.ns("a").ping(V4.lan) and world.ns("b").ping(V6.lan)


@behaviour("L14", "L11", "R3")
@pytest.mark.parametrize("kind", KINDS)
def test_without_an_mtu_it_is_the_parents(world, kind):
    needs(world, kind)
    host = world.host
    spec = {"networks": {"lan": on_lan(kind, mtu=1400)}, "endpoints": {"a": on("lan")}}
    world.apply(spec)
    def mtus():
        own = [link["mtu"] for link in host.ip("link") if link["ifname"].startswith("wb-")]
        return {world.ns("a").link("eth0")["mtu"], *own}
    assert mtus() == {1400}
    del spec["networks"]["lan"]["mtu"]
    world.apply(spec)
    assert mtus() == {1500} and world.weir("repair").out.startswith("nothing")
    spec["endpoints"]["a"]["networks"] = {"lan": {"mtu": 1300}}
    world.apply(spec)
    spec["endpoints"]["a"] = on("lan")
    world.apply(spec)
    assert mtus() == {1500}
    for mtu in (1300, 1500):
        host.run("ip", "link", "set", "eth0", "mtu", str(mtu))
        world.weir("repair")
        assert mtus() == {mtu} and world.weir("status", json=True)["in_sync"]


@behaviour("L14", "R2")
def test_what_is_lost_is_made_anew(world):
    world.apply({"networks": {"lan": on_lan("macvlan")}, "endpoints": {"a": on("lan")}})
    address = world.address("a")
    world.ns("a").run("ip", "link", "del", "eth0")
    assert "eth0" in world.weir("status", check=False).out
    world.weir("repair")
    assert world.address("a") == address and world.ns("a").ping(V4.lan)
    # killed between its birth and its name
    a = world.ns("a")
    host_ifname = world.endpoint("a")["attachments"][0]["host_ifname"]
    a.run("ip", "link", "set", "eth0", "down")
    a.run("ip", "link", "set", "eth0", "name", host_ifname)
    world.weir("repair")
    assert {link["ifname"] for link in a.ip("link")} == {"lo", "eth0"}
    assert a.ping(V4.lan)


@behaviour("L14", "L15", "L3")
@pytest.mark.parametrize("mode", ["macvlan", "p2p"])
@pytest.mark.parametrize("mended", [False, True])
def test_an_interface_that_was_renamed_goes_too(world, mode, mended):
    """By whoever lives in the namespace; the host has no other end of it by which to remove it."""
    parent = {"parent": "eth0"} if mode == "macvlan" else {}
    theirs = world.netns("theirs")
    world.apply({"networks": {"seg": dual(3, mode=mode, **parent)},
                 "endpoints": {"a": on("seg", netns="theirs"), "b": on("seg")}})
    theirs.run("ip", "-batch", "-", stdin="link set eth0 down\nlink set eth0 name lan0\nlink set lan0 up\n")
    if mended:
        world.weir("repair")
        assert sorted(link["ifname"] for link in theirs.ip("link")) == ["eth0", "lo"]
        assert theirs.ping(world.address("b")) == 64 and world.weir("status", json=True)["in_sync"]
    world.weir("endpoint", "rm", "a")
    assert [link["ifname"] for link in theirs.ip("link")] == ["lo"]
    assert "nothing to mend" in world.weir("repair").out


@behaviour("L14", "A3")
@words_only
@pytest.mark.parametrize("network, says", [
    ({"mode": "macvlan"}, "needs a parent"),
    ({"mode": "macvlan", "parent": "eth7"}, "parent eth7 is not there"),
    ({"mode": "vlan", "parent": "eth0"}, "needs a VLAN id"),
    ({"mode": "macvlan", "parent": "eth0", "vlan": 3}, "has no VLAN id"),
    ({"parent": "eth0"}, "a bridge network has no parent"),
    ({"mode": "macvlan", "parent": "eth0", "isolate": True}, "isolate has no meaning in a macvlan network"),
    ({"mode": "ipvlan", "parent": "eth0", "nat": "192.0.2.1"}, "nat to an address has no meaning"),
    ({"mode": "macvlan", "parent": "eth0", "bridge": "br9"}, "a bridge name has no meaning"),
    ({"mode": "macvlan", "parent": "a-name-much-too-long"}, "too long"),
])
def test_contradictions_are_told_with_their_place(world, network, says):
    spec = {"networks": {"lan": {"subnet": "10.9.0.0/24", **network}}, "endpoints": {"a": on("lan")}}
    world.refused(1, "apply", world.spec(spec), says=["spec.yaml:", says])


@behaviour("L14", "A3")
@words_only
@pytest.mark.parametrize("network", [{"mode": "macvlan"}, {"mode": "vlan", "vlan": 5}])
def test_a_parent_too_narrow_for_ipv6(world, network):
    world.host.run("ip", "link", "set", "eth0", "mtu", "1000")
    subnets = {"subnets": ["10.9.0.0/24", "fd00:9::/64"], "parent": "eth0", **network}
    world.refused(1, "apply", world.spec({"networks": {"lan": subnets}, "endpoints": {"a": on("lan")}}),
                  says=["spec.yaml:3:4", "parent eth0", "mtu 1000", "IPv6 needs 1280"])


@behaviour("L14")
def test_publishing_is_refused_where_the_host_is_not_on_the_way(world):
    spec = {"networks": {"lan": on_lan("macvlan")}, "endpoints": {"a": on("lan", publish=["8080:80"])}}
    world.refused(1, "apply", world.spec(spec), says=["8080:80 cannot be published", "pass the host by"])
    spec = {"networks": {"lan": on_lan("macvlan"), "web": dual(1)},
            "endpoints": {"a": on("lan", "web", publish=[{"net": "web", "port": "8080:80"}])}}
    world.apply(spec)
    world.ns("a").serve(80)
    assert world.lan.connect(V4.host, 8080).outcome in ("ok", "timeout")


@behaviour("L14", "C1")
@elsewhere
def test_an_adopted_bridge_is_used_and_left_alone(world):
    bridge_of_somebody(world, "br0", ["10.88.1.0/24", "10.77.0.0/24", "fd00:88:1::/64"])
    world.host.run("ip", "addr", "add", "fe80::b0/64", "dev", "br0", "nodad")
    before = world.snapshot()
    world.apply({"networks": {"web": dual(1, bridge="br0", adopt=True)},
                 "endpoints": {"nginx": on("web", publish=["8080:80"]), "api": on("web")}})
    nginx = world.ns("nginx")
    nginx.serve(80)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).outcome == "ok", family
        assert nginx.ping(world.address("api", family.version)) and nginx.ping(family.outside)
    assert world.weir("plan", "spec.yaml").code == 0 and world.weir("status").code == 0
    world.host.run("ip", "addr", "del", "10.88.1.1/24", "dev", "br0")
    assert "10.88.1.1" in world.weir("status", check=False).out, "what its owner takes away is told"
    world.host.run("ip", "addr", "add", "10.88.1.1/24", "dev", "br0", "valid_lft", "3600", "preferred_lft", "3600")
    assert world.weir("status").code == 0, "a lease is as good"
    world.host.run("ip", "addr", "change", "10.88.1.1/24", "dev", "br0")
    world.host.run("ip", "link", "set", "br0", "down")
    for _ in range(2):
        repair = world.weir("repair", check=False)
        assert repair.code == 1 and "mended" not in repair.out, "that is for its owner to do"
        for name in ("web", "nginx", "api"):
            assert '"%s": ' % name in repair.err, str(repair)
        assert world.weir("status", check=False).code == 1
    world.host.run("ip", "link", "set", "br0", "up")
    for address in ("fd00:88:1::1/64", "fe80::b0/64"):
        world.host.run("ip", "addr", "replace", address, "dev", "br0", "nodad")
    world.weir("repair")
    assert world.weir("status").code == 0 and nginx.ping(world.address("api"))
    world.weir("delete", "--all")
    world.same(before, world.snapshot())


@behaviour("L14", "P5", "U1")
def test_what_else_is_on_an_adopted_bridge(world):
    """It goes past the network's default, and the host forwards nothing for it: `plan` says so, once."""
    world.host.run("ip", "-batch", "-", stdin="""
        link add br0 address 02:00:00:00:00:b0 type bridge
        addr add 10.88.1.1/24 dev br0
        link set br0 up
        addr add fd00:88:1::1/64 dev br0 nodad
    """)
    world.netns("guest")
    world.host.run("ip", "link", "add", "guest0", "type", "veth", "peer", "name", "eth0", "netns", "guest")
    world.host.run("ip", "link", "set", "guest0", "master", "br0", "up")
    world.ns("guest").run("ip", "-batch", "-", stdin="""
        link set eth0 up
        addr add 10.88.1.77/24 dev eth0
        addr add fd00:88:1::77/64 dev eth0 nodad
        route add default via 10.88.1.1
        route add default via fd00:88:1::1
    """)
    world.lan.serve(80)
    world.lan.run("ip", "route", "add", "10.88.1.0/24", "via", V4.host)
    world.lan.run("ip", "-6", "route", "add", "fd00:88:1::/64", "via", V6.host)
    world.host.serve(22)
    guest = world.ns("guest")
    spec = {"networks": {"web": dual(1, bridge="br0", adopt=True, default={"ingress": "deny", "egress": "deny"})},
            "endpoints": {"api": on("web")}}
    others = "bridge br0 is somebody else's: "
    words = [others + "the host forwards for the network's endpoints only", others + "no default binds what passes within it"]
    planned = world.weir("plan", world.spec(spec), check=False)
    assert planned.code == 3 and all(word in planned.err for word in words) and "spec.yaml:" in planned.err, str(planned)
    world.apply(spec)
    world.ns("api").serve(80)
    for family, here in ((V4, "10.88.1.1"), (V6, "fd00:88:1::1")):
        assert guest.connect(world.address("api", family.version), 80).server == "api"
        world.denied(guest, family.lan, 80, world.lan, marker=family.lan)
        assert guest.connect(here, 22).server == "host"
    spec["networks"]["web"].update(host="deny", isolate=True)
    planned = world.weir("plan", world.spec(spec), json=True, check=False)
    said = [warning["detail"] for warning in planned["warnings"]]
    assert said == [others + "endpoints are isolated from each other only", others + "the host is closed to all that is on it"]
    world.apply(spec)
    assert guest.connect("10.88.1.1", 22, ms=ATTEMPT_MS).outcome == "timeout"
    assert guest.connect(world.address("api"), 80).server == "api"
    assert not world.weir("plan", "spec.yaml").err


@behaviour("L14")
def test_what_cannot_be_adopted(world):
    def refused(*says, **network):
        spec = {"networks": {"web": {"subnet": "10.88.1.0/24", "adopt": True, **network}}}
        world.refused(1, "apply", world.spec(spec), says=["spec.yaml:", *says])
    refused("name the bridge")
    refused("there is no bridge br7", bridge="br7")
    refused("is no bridge", bridge="eth0")
    refused("filter_bridged", "its owner's", bridge="br0", filter_bridged=True)
    world.host.run("ip", "link", "add", "br0", "type", "bridge")
    refused("down", bridge="br0")
    world.host.run("ip", "link", "set", "br0", "up")
    refused("10.88.1.1", "ip addr add", bridge="br0")
