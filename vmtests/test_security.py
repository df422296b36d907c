# SPDX-License-Identifier: GPL-2.0-or-later
"""S: holes of others that weir does not have."""
import contextlib
import json

import pytest

import frames
from marks import across, behaviour, elsewhere, every_switch, neighbours, words_only
from specs import dual, on, web
from world import ATTEMPT_MS, FAMILIES, V4, V6, wait_until


def from_lan(world, packet, ifname="eth0"):
    """A packet from the lan, handed to the host's NIC whatever routing says."""
    world.lan.raw("eth0", frames.ethernet(world.host.mac(ifname), world.lan.mac(),
                                          frames.ethertype_of(packet), packet))


@behaviour("S1")
@across
@elsewhere
@every_switch
def test_loopback_port_is_not_reached_from_the_lan(world):
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["127.0.0.1:8080:80", "5353:53/udp"]
    world.apply(spec)
    world.set_sysctl("net/ipv4/conf/eth0/route_localnet", 1)  # the worst case
    nginx = world.ns("nginx")
    nginx.serve(80)
    nginx.serve(53, "udp")
    for dst, port, count in (("127.0.0.1", 8080, 0), ("127.0.0.1", 5353, 0), ("127.1.2.3", 5353, 0),
                             (V4.host, 5353, 1)):
        got = world.arrivals(
            nginx, lambda: (from_lan(world, frames.tcp(V4.lan, dst, 1000, port, frames.SYN)),
                            from_lan(world, frames.udp(V4.lan, dst, 1000, port))),
            lambda f: f.src == V4.lan and f.proto in (frames.TCP, frames.UDP))
        assert len(got) == count, (dst, got)
    assert world.host.connect("127.0.0.1", 8080).server == "nginx"


@behaviour("S1")
def test_loopback_services_are_not_reached_by_endpoints(world):
    """route_localnet is on for the bridge; what listens on 127.0.0.1 stays the host's own."""
    world.apply(web())
    world.host.serve(6000, "udp", "127.0.0.1")
    api = world.ns("api")
    packet = frames.udp(world.address("api"), "127.0.0.1", 1000, 6000)
    got = world.arrivals(api, lambda: api.raw("eth0", frames.ethernet(
        world.host.mac("wb-web"), api.mac(), frames.IPV4, packet)), lambda f: f.src == "127.0.0.1")
    assert got == []


@behaviour("S2", "S9")
@across
@elsewhere
@every_switch
def test_endpoint_is_not_reached_directly(world):
    world.apply(web())
    nginx = world.ns("nginx")
    nginx.serve(80)
    nginx.serve(53, "udp")
    for family in FAMILIES:
        addr = world.address("nginx", family.version)
        world.denied(world.lan, addr, 80, nginx)  # its port is published, its address is not
        world.denied(world.lan, addr, 53, nginx, "udp")
        assert world.lan.ping(addr, seconds=0.1) is None
        assert world.lan.connect(family.host, 8080).server == "nginx"


@behaviour("S2", "S9")
@across
@every_switch
@neighbours
def test_trusted_interface(world):
    world.apply(web(trusted=["eth0"]))
    for name in ("nginx", "pg"):
        world.ns(name).serve(80)
    for family in FAMILIES:
        got = world.lan.connect(world.address("nginx", family.version), 80)
        assert (got.server, got.client) == ("nginx", family.lan)
        world.denied(world.lan, world.address("pg", family.version), 80, world.ns("pg"))
        world.denied(world.lan2, world.address("nginx", family.version), 80, world.ns("nginx"))
    world.apply(web())
    for family in FAMILIES:
        world.denied(world.lan, world.address("nginx", family.version), 80, world.ns("nginx"))


@behaviour("S3", "S9")
@across
@elsewhere
@every_switch
def test_gateway_address_is_not_reached(world):
    world.apply(web())
    world.host.serve(80)
    world.host.serve(53, "udp")
    for family, gateway in ((V4, "10.88.1.1"), (V6, "fd00:88:1::1")):
        assert world.lan.connect(family.host, 80).server == "host"
        assert world.lan.connect(gateway, 80, ms=ATTEMPT_MS).outcome == "timeout"
        assert world.lan.connect(gateway, 53, "udp", ms=ATTEMPT_MS).outcome == "timeout"
        assert world.lan.connect(gateway, 8080, ms=ATTEMPT_MS).outcome == "timeout"
        assert world.lan.ping(gateway, seconds=0.1) is None
    drops = {d["reason"]: d["packets"] for d in world.weir("status", json=True)["drops"]}
    assert sum(drops.values()) == 8, drops  # each of the eight, once


@behaviour("S3", "N2", "S9")
@across
@elsewhere
@every_switch
def test_replies_to_a_gateway_address(world):
    """The host speaks from a network's gateway address to the lan, and to an endpoint of another network."""
    world.apply({"networks": {"web": dual(1, nat="none"), "db": dual(2)}, "endpoints": {"pg": on("db")}})
    world.lan.serve(80)
    world.lan.serve(53, "udp")
    world.ns("pg").serve(80)
    for family, gateway in ((V4, "10.88.1.1"), (V6, "fd00:88:1::1")):
        for port, proto in ((80, "tcp"), (53, "udp")):
            got = world.host.connect(family.lan, port, proto, src=gateway)
            assert (got.server, got.client) == ("lan", gateway)
        assert world.host.ping(family.lan, src=gateway) is not None
        assert world.host.connect(world.address("pg", family.version), 80, src=gateway).server == "pg"
        # it opens nothing to those who have not been asked
        assert world.lan.connect(gateway, 80, ms=ATTEMPT_MS).outcome == "timeout"
        assert world.lan.connect(gateway, 53, "udp", src=family.outside, ms=ATTEMPT_MS).outcome == "timeout"


def strict_spec(mapping=False, network=False):
    """nginx behind both of the NIC's addresses, and a port of every address beside it."""
    spec = web(strict=network)
    spec["endpoints"]["nginx"]["publish"] = [
        {"port": (f"[{f.host}]" if f is V6 else f.host) + ports, "strict": mapping}
        for f in FAMILIES for ports in (":8080:80", ":5353:53/udp", ":7000-7002:9000-9002")] + ["8081:80"]
    spec["endpoints"]["api"]["publish"] = ["8090:90"]
    return spec


@behaviour("S4", "S9")
@across
@elsewhere
@every_switch
@neighbours
@pytest.mark.parametrize("by", ["mapping", "network"])
def test_strict_port_is_not_reached_through_another_nic(world, by):
    world.apply(strict_spec())
    nginx = world.ns("nginx")
    nginx.serve(80)
    nginx.serve(53, "udp")
    nginx.serve(9001)
    world.host.serve(8080)  # what is not translated must not reach the host's own either
    for family in FAMILIES:
        assert world.lan2.connect(family.host, 8080).server == "nginx"  # the hole, as everywhere
        assert world.lan2.connect(family.host, 5353, "udp").server == "nginx"
    world.apply(strict_spec(**{by: True}))
    for family in FAMILIES:
        for port, proto, at in ((8080, "tcp", 80), (5353, "udp", 53), (7001, "tcp", 9001)):
            world.denied(world.lan2, family.host, port, nginx, proto, at_port=at)
            got = world.lan.connect(family.host, port, proto)
            assert (got.server, got.client) == ("nginx", family.lan)
            assert world.host.connect(family.host, port, proto).server == "nginx"
            assert world.ns("api").connect(family.host, port, proto).server == "nginx"
        assert world.lan2.connect(family.host, 8081).server == "nginx"  # of every address: not concerned
    drops = {d["reason"]: d["packets"] for d in world.weir("status", json=True)["drops"]}
    assert drops["published on another interface"] >= 6, drops
    world.apply(strict_spec())
    for family in FAMILIES:
        assert world.lan2.connect(family.host, 8080).server == "nginx"


@behaviour("S4", "N2", "S9")
@across
@elsewhere
@every_switch
@neighbours
def test_replies_to_a_strict_port(world):
    """api speaks from nginx's strict address and port; its answers come by another NIC."""
    spec = web(nat=[V4.host2, V6.host2])
    spec["endpoints"]["nginx"]["publish"] = [
        {"port": (f"[{f.host2}]" if f is V6 else f.host2) + ports, "strict": True}
        for f in FAMILIES for ports in (":8080:80", ":5353:53/udp")]
    world.apply(spec)
    for at in (world.lan, world.ns("nginx")):
        at.serve(80)
        at.serve(53, "udp")
    for family in FAMILIES:
        for port, proto, sport in ((80, "tcp", 8080), (53, "udp", 5353)):
            got = world.ns("api").connect(family.outside, port, proto, sport=sport)
            assert (got.server, got.client, got.client_port) == ("lan", family.host2, sport)
            world.denied(world.lan, family.host2, sport, world.ns("nginx"), proto, at_port=port)


@behaviour("S4", "S6", "S9")
@across
@elsewhere
@every_switch
@neighbours
def test_strict_address_of_another_machine(world):
    """It has moved there from the host, which leads to it: the port is that machine's now."""
    world.set_sysctl("net/ipv4/ip_forward", 1)
    world.set_sysctl("net/ipv6/conf/all/forwarding", 1)
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = [
        {"port": (f"[{f.lan2}]" if f is V6 else f.lan2) + ":8080:80", "strict": True} for f in FAMILIES]
    world.apply(spec)
    world.lan2.serve(8080)
    for family in FAMILIES:
        got = world.lan.connect(family.lan2, 8080)
        assert (got.server, got.client) == ("lan2", family.lan)


@behaviour("S4", "U1")
def test_plan_tells_that_an_address_is_no_interface(world):
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["192.0.2.1:8080:80"]
    for argv in (["plan"], ["apply"]):
        result = world.weir(*argv, world.spec(spec), check=False)
        assert "192.0.2.1:8080:80 can be reached by every interface" in result.err and "strict" in result.err
    assert "every interface" not in world.weir("plan", "spec.yaml").err, "said once"
    for quiet in ("127.0.0.1:8081:80", {"port": "192.0.2.1:8082:80", "strict": True}, "8083:80"):
        spec["endpoints"]["nginx"]["publish"] = [quiet]
        assert "every interface" not in world.weir("plan", world.spec(spec), check=False).err
    result = world.weir("port", "add", "nginx", "8084:80", "--strict", "--dry-run", check=False)
    assert "strict says nothing" in result.err


@behaviour("N4", "N10", "U1")
@pytest.mark.parametrize("family", FAMILIES)
def test_an_address_that_the_host_does_not_have(world, family):
    """It may come later, so it is taken; whoever published on it is told, once for an endpoint."""
    absent, there = ("192.0.2.99", "198.51.100.9") if family is V4 else ("2001:db8::99", "2001:db8:9::9")
    where = absent if family is V4 else "[%s]" % absent
    words = "%s:8080:80: the host does not have %s, and nobody reaches the port until it does" % (where, absent)
    world.apply({"networks": {"web": dual(1)}, "endpoints": {}})
    for argv in (["plan"], ["apply"]):
        spec = {"networks": {"web": dual(1)}, "endpoints": {"nginx": on("web", publish=[where + ":8080:80", where + ":8081:80"])}}
        said = world.weir(*argv, world.spec(spec), check=False).err
        assert words in said and said.count("warning") == 1, said
    assert "warning" not in world.weir("plan", "spec.yaml").err, "said once"
    world.ns("nginx").serve(80)
    strict = world.weir("port", "add", "nginx", where + ":8082:80", "--strict").err
    assert "does not have" in strict, strict
    world.host.run("ip", "addr", "add", absent + ("/24" if family is V4 else "/64"), "dev", "eth0",
                   *([] if family is V4 else ["nodad"]))
    assert world.lan.connect(absent, 8080).server == "nginx"
    for text in (absent, there):  # an address of the host's may stand on no interface
        if text == there:
            world.host.run("ip", "-4" if family is V4 else "-6", "route", "add", "local", there, "dev", "lo")
        told = world.weir("port", "add", "nginx", where.replace(absent, text) + ":8083:80", "--dry-run", check=False).err
        assert "every interface" in told and "does not have" not in told, told
    spec = {"networks": {"web": dual(1), "new": dual(7)},
            "endpoints": {"nginx": on("web", publish=["10.88.7.1:8084:80", "[fd00:88:7::1]:8084:80"])}}
    assert "does not have" not in world.weir("plan", world.spec(spec), check=False).err, "the change brings it"


@behaviour("S4", "N8")
@neighbours
def test_a_port_becomes_strict(world):
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["192.0.2.1:5353:53/udp"]
    world.apply(spec)
    nginx = world.ns("nginx")
    nginx.serve(53, "udp")
    assert world.lan2.connect(V4.host, 5353, "udp", sport=1234).server == "nginx"
    out = world.weir("port", "add", "nginx", "192.0.2.1:5353:53/udp", "--strict").out
    assert "strict" in out, out
    for sport in (1234, 0):  # the flow that there is, and a new one
        got = world.arrivals(nginx, lambda: world.lan2.connect(V4.host, 5353, "udp", sport=sport, ms=ATTEMPT_MS),
                             lambda f: f.src == V4.lan2)
        assert got == []
    assert world.lan.connect(V4.host, 5353, "udp").server == "nginx"
    assert [p["strict"] for p in world.weir("port", "ls", json=True)["ports"]] == [True]
    again = world.weir("port", "add", "nginx", "192.0.2.1:5353:53/udp").out  # is published already
    assert "strict" not in again and world.published("nginx")
    assert world.weir("apply", world.spec(spec)).out.count("strict") == 1  # the file says otherwise
    assert world.lan2.connect(V4.host, 5353, "udp").server == "nginx"


UNTRACKED = """
table inet untracked {
	chain pre { type filter hook prerouting priority -300; iifname { "eth0", "eth1" } notrack; }
}
"""


@behaviour("S1", "S3", "S4", "S9")
@neighbours
def test_untracked_packets_are_judged(world):
    """Whom conntrack does not know has no reply to give."""
    spec = strict_spec(mapping=True)
    spec["endpoints"]["nginx"]["publish"].append("127.0.0.1:6000:60/udp")
    world.apply(spec)
    world.set_sysctl("net/ipv4/conf/eth0/route_localnet", 1)
    world.host.serve(53, "udp")
    world.host.serve(5353, "udp")
    world.host.serve(6000, "udp", "127.0.0.1")
    world.host.run("nft", "-f", "-", stdin=UNTRACKED)
    for family, gateway in ((V4, "10.88.1.1"), (V6, "fd00:88:1::1")):
        assert world.lan.connect(family.host, 53, "udp").server == "host"
        assert world.lan.connect(gateway, 53, "udp", ms=ATTEMPT_MS).outcome == "timeout"
        assert world.lan2.connect(family.host, 5353, "udp", ms=ATTEMPT_MS).outcome == "timeout"
    assert world.arrivals(world.lan, lambda: from_lan(world, frames.udp(V4.lan, "127.0.0.1", 1000, 6000)),
                          lambda f: f.sport == 6000 and f.dport == 1000) == []


@behaviour("S5", "S9")
@across
@elsewhere
@every_switch
@neighbours
def test_host_becomes_no_router(world):
    world.apply(web())
    assert world.sysctl("net/ipv4/ip_forward") == world.sysctl("net/ipv6/conf/all/forwarding") == "1"
    world.ns("nginx").serve(80)
    for family in FAMILIES:
        world.lan2.serve(80 + family.version)
        world.denied(world.lan, family.lan2, 80 + family.version, world.lan2, marker=family.lan2)
        assert world.lan.ping(family.lan2, seconds=0.1) is None
        assert world.lan.connect(family.host, 8080).server == "nginx"
        assert world.ns("nginx").connect(family.lan2, 80 + family.version).server == "lan2"


@behaviour("S5", "C1")
@across
@neighbours
def test_router_stays_a_router(world):
    """Where somebody else had switched forwarding on, it is none of weir's business."""
    world.set_sysctl("net/ipv4/ip_forward", 1)
    world.apply(web())
    world.lan2.serve(80)
    assert world.lan.connect(V4.lan2, 80).client == V4.lan
    world.denied(world.lan, V6.lan2, 80, world.lan2, marker=V6.lan2)
    world.weir("delete", "--all")
    assert world.lan.connect(V4.lan2, 80).client == V4.lan


@behaviour("S5", "C1")
@across
@elsewhere
@neighbours
def test_a_host_may_become_a_router(world):
    """Whoever comes after weir and needs forwarding as well, such as Docker, finds it on."""
    world.apply(web())
    servers = {family: world.lan2.serve(80 + family.version) for family in FAMILIES}
    assert world.weir("repair", "-n", "--keep-forwarding", check=False).code == 3
    for family in servers:
        world.denied(world.lan, family.lan2, 80 + family.version, world.lan2, marker=family.lan2)
    told = world.weir("repair", "--keep-forwarding").out
    assert "net/ipv4/ip_forward" in told and "net/ipv6/conf/all/forwarding" in told
    assert "nothing to mend" in world.weir("repair", "--keep-forwarding").out
    world.weir("port", "add", "nginx", "9090:90")
    assert "(was " not in world.weir("status").out
    for last in (False, True):
        for family in servers:
            assert world.lan.connect(family.lan2, 80 + family.version).client == family.lan
        if not last:
            world.denied(world.lan, world.address("nginx"), 80, world.ns("nginx"))
            world.weir("delete", "--all")


@behaviour("S5", "C1")
@across
@neighbours
def test_kept_forwarding_that_is_off_comes_on_as_the_hosts_own(world):
    """Somebody has switched it off, and weir's networks need it: it is not recorded again, nor guarded."""
    world.apply(web())
    keys = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
    servers = {family: world.lan2.serve(80 + family.version) for family in FAMILIES}
    for key in keys:
        world.set_sysctl(key, 0)
    told = world.weir("repair", "--keep-forwarding").out
    assert all(key in told for key in keys), told
    assert "nothing to mend" in world.weir("repair").out
    assert "(was " not in world.weir("status").out
    for last in (False, True):
        assert [world.sysctl(key) for key in keys] == ["1", "1"]
        for family in servers:
            assert world.lan.connect(family.lan2, 80 + family.version).client == family.lan
        if not last:
            assert world.ns("nginx").ping(V4.lan) and world.ns("nginx").ping(V6.lan)
            world.weir("delete", "--all")


@behaviour("S6", "S9")
@across
@elsewhere
@every_switch
@neighbours
def test_transit_traffic_is_not_hijacked(world):
    world.set_sysctl("net/ipv4/ip_forward", 1)
    world.set_sysctl("net/ipv6/conf/all/forwarding", 1)
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["8080:80", "7000-7009:7000-7009", "6000-6009:7000-7009"]
    world.apply(spec)
    world.ns("nginx").serve(80)
    for port in (8080, 7005, 6005):
        world.lan2.serve(port)
        world.lan.serve(port)
        for family in FAMILIES:
            assert world.lan.connect(family.lan2, port).server == "lan2"      # through the host
            assert world.ns("api").connect(family.lan, port).server == "lan"  # from an endpoint
            assert world.host.connect(family.lan, port).server == "lan"       # from the host itself


@behaviour("S10", "S9")
@across
@elsewhere
@every_switch
def test_middle_of_a_stream_opens_nothing(world):
    world.apply(web())
    nginx = world.ns("nginx")
    for family in FAMILIES:
        for flags, count in ((frames.SYN, 1), (frames.ACK, 0), (frames.PSH | frames.ACK, 0), (frames.FIN, 0),
                             (frames.SYN | frames.FIN, 0), (0, 0), (frames.RST, 0)):
            packet = frames.tcp(family.lan, family.host, 1000 + flags, 8080, flags)
            got = world.arrivals(nginx, lambda: from_lan(world, packet),
                                 lambda f: f.src == family.lan and f.dport == 80)
            assert len(got) == count, (flags, got)


@behaviour("S10", "S9")
@across
@every_switch
def test_only_live_addresses_go_out(world):
    """An address that no attachment has passes neither translated nor untranslated."""
    world.apply(web())
    nginx = world.ns("nginx")
    world.lan.serve(53, "udp")
    for family, forged in ((V4, "10.88.1.99"), (V6, "fd00:88:1::99")):
        nginx.run("ip", "addr", "add", forged, "dev", "eth0", "preferred_lft", "0",
                  *(["nodad"] if family is V6 else []))
        world.denied(nginx, family.lan, 53, world.lan, "udp", src=forged, marker=family.lan)
        assert nginx.connect(family.lan, 53, "udp").client == family.host


@behaviour("S10")
def test_removed_endpoint_sends_nothing(world):
    """A namespace that lives on after its endpoint is gone has no way out, nor has its last flow."""
    world.netns("foreign")
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("endpoint", "add", "nginx", "--network", "web", "--netns", "foreign", "-p", "8080:80")
    world.ns("foreign").serve(80)
    assert world.lan.open(1, V4.host, 8080).server == "foreign"
    world.weir("endpoint", "rm", "nginx")
    assert world.lan.say(1, "hello", ms=ATTEMPT_MS) != "hello"
    assert world.lan.connect(V4.host, 8080).outcome == "refused"
    assert world.ruleset().count("10.88.1.2") == 0


@behaviour("S10", "R1")
@elsewhere
@pytest.mark.parametrize("error", ["ENOMEM", "ENOBUFS", "EPERM"])
def test_failed_update_leaves_the_old_rules(world, error):
    """Each message to the kernel fails once; the old port stays open, the new one never opens."""
    world.apply(web())
    world.ns("nginx").serve(80)
    world.ns("nginx").serve(90)
    before, log = world.snapshot(), world.folder / "calls"
    for at in range(1, 40):
        log.unlink(missing_ok=True)
        result = world.weir("port", "add", "nginx", "9090:90", check=False,
                            env=world.faults("netlink", at, "fail:" + error, log))
        if len(log.read_text().splitlines()) < at:
            break
        if result.code == 0:  # it could do without that answer
            world.weir("port", "rm", "nginx", "9090:90")
            continue
        assert result.code in (1, 4) and result.err, str(result)
        assert world.lan.connect(V4.host, 8080).server == "nginx", at
        assert world.lan.connect(V4.host, 9090).outcome == "refused", at
        world.same(before, world.snapshot(), "%d: %s" % (at, result))
    assert at > 1


@behaviour("S10", "S9")
def test_no_instant_without_rules(world):
    """While ports come and go, a neighbour that tries all the time never gets in by another way."""
    world.apply(web())
    nginx = world.ns("nginx")
    nginx.serve(80)
    nginx.watch()
    targets = [(f, nginx.addresses("eth0", f.version)[0]) for f in FAMILIES]
    started = [world.start("port", "add", "nginx", "9090:90", "-q"),
               world.start("endpoint", "add", "extra", "--network", "web", "-p", "9191:91", "-q")]
    tried = 0
    while any(process.poll() is None for process, _ in started) or tried < 20:
        for family, addr in targets:
            from_lan(world, frames.tcp(family.lan, addr, 2000 + tried, 80, frames.SYN))
        tried += 1
    assert [world.finish(s).code for s in started] == [0, 0]
    assert [f for f in world.until_marker(nginx, targets[0][1]) if f.dport == 80] == [], tried


HOSTILE = ["../../etc/x", "a/b", "..", ".", "", "-rf", "--all", "a b", "a\nb", "a\x1b[2Jb", "a\tb", "é",
           "a" * 64, "a" * 5000, "a;id", "$(id)", "a'b", 'a"b', "%s%n", "*", "a\\b", "web@2"]


@behaviour("S11", "R7")
def test_hostile_names(world):
    """As the name of a network and of an endpoint, in words and in a spec."""
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    before, wrong = world.snapshot(), []
    for name in HOSTILE:
        dashed = ["--", name] if name.startswith("-") else [name]
        spec = {"endpoints": {name: {"networks": ["web"]}}}
        other = {"networks": {name: {"subnet": "10.88.2.0/24"}}}
        for argv in (["network", "add", "--subnet", "10.88.2.0/24", *dashed],
                     ["endpoint", "add", "--mode", "none", *dashed], ["endpoint", "rm", *dashed],
                     ["apply", world.spec(spec, "one.yaml")], ["apply", world.spec(other, "two.yaml")]):
            result = world.weir(*argv, check=False)
            if result.code not in (1, 2) or not clean(result.err) or len(result.err) > 2000:
                wrong.append("%r: %r -> %d %r" % (name, argv, result.code, result.err[:300]))
    assert not wrong, "\n".join(wrong)
    world.same(before, world.snapshot())


def clean(text):
    """Printable: no control characters of somebody else's reach the terminal."""
    return bool(text) and all(c == "\n" or c == "\t" or c.isprintable() for c in text)


@behaviour("S11")
@words_only
@pytest.mark.parametrize("spec", [
    {"networks": {"web": {"subnet": "10.88.1.0/24", "bridge": "../x"}}},
    {"networks": {"web": {"subnet": "10.88.1.0/24", "bridge": "eth0"}}},
    {"networks": {"web": {"subnet": "10.88.1.0/24", "bridge": "lo"}}},
    {"networks": {"web": {"subnet": "10.88.1.0/24", "trusted": ["a b"]}}},
    {"endpoints": {"a": {"netns": "../../etc/passwd"}}},
    {"endpoints": {"a": {"netns": "/run/netns/../../etc/passwd"}}},
    {"endpoints": {"a": {"mode": "none", "labels": {"a\nb": "c"}}}},
    {"endpoints": {"a": {"mode": "none", "dns": ["192.0.2.1\noptions x"]}}}])
def test_hostile_values(world, spec):
    result = world.refused(1, "apply", world.spec(spec), says="spec.yaml:")
    assert clean(result.err), repr(result.err)


@behaviour("S11")
@words_only
@pytest.mark.parametrize("argv", [  # each lone surrogate is a byte (PEP 383)
    ["network", "add", "\udcff\udcfe"], ["endpoint", "add", "a", "--mode", "none", "--label", "role=\udcff"],
    ["endpoint", "add", "a", "--netns", "/run/\udcc3"], ["apply", "/run/\udcc2\udc9b"]])
def test_words_that_are_no_text(world, argv):
    """They are refused, and the refusal is an answer that programs can read."""
    result = world.weir("--json", *argv, check=False)
    assert result.code in (1, 2), result
    assert json.loads(result.out)["error"]["text"], result.out
    assert json.loads(world.weir("--json", "endpoint", "ls").out)["endpoints"] == []


@behaviour("S11")
@elsewhere
def test_symbolic_links_are_not_followed(world):
    """What somebody planted under /run/netns is neither entered, nor written through, nor removed."""
    world.host.run("sh", "-c", "mkdir -p /run/netns && echo keep > /run/victim && ln -s /run/victim /run/netns/nginx")
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.refused(1, "endpoint", "add", "nginx", "--network", "web", says="nginx")
    assert world.host.run("cat", "/run/victim").out == "keep\n"


@behaviour("S11")
@words_only
def test_hostile_file_names(world):
    for name in ("--all", "-", "/dev/null/x", "/proc/self/mem", "/", "a" * 5000):
        result = world.weir("apply", "--", name, check=False, stdin="{")
        assert result.code in (1, 2) and result.err, str(result)


@behaviour("S2", "S9")
@across
@neighbours
def test_direct_access_is_counted(world):
    world.apply(web())
    for family in FAMILIES:
        world.denied(world.lan, world.address("nginx", family.version), 80, world.ns("nginx"))
        world.denied(world.lan2, world.address("pg", family.version), 80, world.ns("pg"))
    drops = [d for d in world.weir("status", json=True)["drops"] if d["packets"]]
    assert len(drops) == 1 and drops[0]["packets"] == 4 and "direct" in drops[0]["reason"], drops


@behaviour("S9", "P1")
def test_endpoints_accept_no_router_advertisements(world):
    """An endpoint beside others does not become their router by saying so."""
    world.apply({"networks": {"web": dual(1)}, "endpoints": {"a": on("web"), "b": on("web")}})
    a, b = world.ns("a"), world.ns("b")
    for ns in (a, b):
        assert ns.run("cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra").out == "0\n"
    assert world.sysctl("net/ipv6/conf/wb-web/accept_ra") == "0"


COUNT = """
table ip seen {
	chain flood {
		type filter hook %s priority 300
		udp dport 53 ip saddr %s counter
		udp dport 53 ip daddr %s counter
	}
}
"""


def seen(ns):
    """Packets from the one address and to the other, as COUNT has them."""
    rules = json.loads(ns.run("nft", "-j", "list", "chain", "ip", "seen", "flood").out)["nftables"]
    return [expr["counter"]["packets"] for item in rules for expr in item.get("rule", {}).get("expr", [])
            if "counter" in expr]


@contextlib.contextmanager
def flooded(world, source, at, to, addresses):
    """The flood runs; at both ends COUNT counts it."""
    at.run("nft", "-f", "-", stdin=COUNT % ("prerouting", *addresses))
    source.run("nft", "-f", "-", stdin=COUNT % ("postrouting", *addresses))
    flood = world.machine.popen([world.place.probe, "flood", to, 53], source.path)
    try:
        yield
    finally:
        flood.kill()
        flood.finish()


def forwarding_host(world):
    """A host that forwards by itself, and an endpoint in a namespace that outlives it."""
    world.set_sysctl("net/ipv4/ip_forward", 1)
    world.apply({"networks": {"web": {"subnet": "10.88.1.0/24"}},
                 "endpoints": {"nginx": on("web", netns=world.netns("foreign").name)}})
    return world.ns("foreign"), world.address("nginx")


def ends(world, way, foreign, addr):
    """Source, receiver, the address to flood, and the two that COUNT asks for."""
    return {"out": (foreign, world.lan, V4.lan, (addr, V4.lan)),
            "in": (world.lan, foreign, addr, (V4.lan, addr))}[way]


@behaviour("S10", "N1")
@pytest.mark.parametrize("how", ["delete --all", "apply none.yaml --prune", "endpoint rm nginx"])
@pytest.mark.parametrize("way", ["out", "in"])
def test_no_packet_passes_unguarded_while_all_goes(world, way, how):
    """Whatever comes last of a network's, it is not its rules' end."""
    world.spec("networks: {}\n", "none.yaml")
    source, at, to, addresses = ends(world, way, *forwarding_host(world))
    with flooded(world, source, at, to, addresses):
        wait_until(lambda: seen(source)[1] > 100, "the flood")
        world.weir(*how.split())
        if way == "in":
            sent = seen(source)[1]
            wait_until(lambda: seen(source)[1] > sent + 100, "more of the flood")
    assert seen(at)[0] == 0, "came through with the endpoint's own address: %s" % seen(at)
    assert way == "in" or seen(at)[1] > 100  # translated they came


@behaviour("S10", "R1")
@pytest.mark.parametrize("way", ["out", "in"])
def test_failed_update_lets_no_packet_pass_unguarded(world, way):
    """The last of the store's calls fail, when all else is done and has to be undone."""
    source, at, to, addresses = ends(world, way, *forwarding_host(world))
    world.weir("delete", "--all")
    log = world.folder / "calls"
    world.weir("apply", "spec.yaml", env=world.count_calls("store", log))
    calls = len(log.read_text().splitlines())
    world.weir("delete", "--all")
    failed = 0
    with flooded(world, source, at, to, addresses):
        for number in range(calls - 20, calls, 2):
            result = world.weir("apply", "spec.yaml", check=False,
                                env=world.faults("store", number, "fail:ENOSPC", log))
            failed += result.code != 0
            world.weir("delete", "--all")
    assert failed > 2
    assert seen(at)[0] == 0, "came through with the endpoint's own address: %s" % seen(at)
