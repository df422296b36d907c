# SPDX-License-Identifier: GPL-2.0-or-later
"""N: translation and publishing."""
import itertools

import pytest

from marks import across, behaviour, elsewhere, every_switch, neighbours
from specs import dual, on, web
from world import ATTEMPT_MS, FAMILIES, V4, V6, wait_until


@behaviour("N1", "S9")
@across
@elsewhere
@every_switch
def test_masquerade(world):
    spec = web()
    spec["networks"]["more"] = dual(3)
    spec["endpoints"]["pg"] = on("db", "more")
    spec["endpoints"]["m"] = on("more")
    world.apply(spec)
    world.lan.serve(80)
    world.lan.serve(53, "udp")
    world.ns("api").serve(80)
    world.ns("api").serve(53, "udp")
    for family in FAMILIES:
        for proto, port in (("tcp", 80), ("udp", 53)):
            out = world.ns("nginx").connect(family.outside, port, proto)
            assert (out.server, out.client) == ("lan", family.host)
            inside = world.ns("nginx").connect(world.address("api", family.version), port, proto)
            assert (inside.server, inside.client) == ("api", world.address("nginx", family.version))
        assert world.ns("pg").connect(family.outside, 80).client == family.host


@behaviour("N1")
@every_switch
def test_host_sees_endpoints_as_they_are(world):
    world.apply(web())
    world.host.serve(80)
    for family, gateway in ((V4, "10.88.1.1"), (V6, "fd00:88:1::1")):
        assert world.ns("nginx").connect(gateway, 80).client == world.address("nginx", family.version)


@behaviour("N2", "U1")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_source_address_that_the_host_does_not_have(world, family):
    """Somebody may route it here, or it may come later: taken, and told once."""
    absent, there = ("192.0.2.77", V4.other_host) if family is V4 else ("2001:db8::77", V6.other_host)
    words = 'warning: network "web": nat %s: the host does not have that address' % absent
    world.apply({"networks": {"web": dual(1)}, "endpoints": {"api": on("web")}})
    world.lan.serve(80)
    assert words in world.weir("network", "set", "web", "--nat", absent, "--dry-run", check=False).err
    assert words in world.weir("network", "set", "web", "--nat", absent).err
    assert "does not have" not in world.weir("network", "set", "web", "--isolate").err, "said once"
    assert world.ns("api").connect(family.lan, 80, ms=ATTEMPT_MS).outcome == "timeout"
    world.lan.run("ip", "route", "add", absent, "via", family.host)
    said = world.ns("api").connect(family.lan, 80)
    assert (said.server, said.client) == ("lan", absent)
    assert "does not have" not in world.weir("network", "set", "web", "--nat", there).err
    assert world.ns("api").connect(family.lan, 80).client == there


@behaviour("N2", "S9")
@across
@elsewhere
@every_switch
def test_source_address_of_choice(world):
    world.apply({"networks": {"fixed": dual(1, nat=[V4.other_host, V6.other_host]), "routed": dual(2, nat="none")},
                 "endpoints": {"f": on("fixed"), "r": on("routed")}})
    world.lan.serve(80)
    for family in FAMILIES:
        assert world.ns("f").connect(family.outside, 80).client == family.other_host
        assert world.ns("r").connect(family.outside, 80).client == world.address("r", family.version)


def meeting():
    """A network of each kind of translation, open to the others; `far` is behind a router that stands in `web`."""
    open_ = {"default": {"ingress": "allow"}}
    kinds = {"web": {}, "fixed": {"nat": [V4.other_host, V6.other_host]}, "any": {"nat": ["masquerade", "random"]},
             "plain": {"nat": "none"}, "lan": {"mode": "routed"}, "own": {"mode": "routed", "nat": "none"}}
    networks = {name: dual(number, **more, **open_) for number, (name, more) in enumerate(kinds.items(), 1)}
    networks["far"] = dual(9, gateway="router")
    endpoints = {"in-" + name: on(name) for name in kinds}
    endpoints["in-web"]["routes"] = [{"to": "10.88.9.0/24", "via": "10.88.1.9"},
                                     {"to": "fd00:88:9::/64", "via": "fd00:88:1::9"}]
    endpoints["router"] = {"networks": {"web": {"ip": ["10.88.1.9", "fd00:88:1::9"]}, "far": {}}, "forward": True}
    endpoints["y"] = on("far")
    return {"networks": networks, "endpoints": endpoints}


@behaviour("N1", "N2", "L5", "L14", "S9")
@elsewhere
@every_switch
def test_between_own_networks_nothing_is_translated(world):
    """Whatever becomes of what leaves for the outside; and not on the way over a router either."""
    world.apply(meeting())
    names = ["in-web", "in-fixed", "in-any", "in-plain", "in-lan", "in-own"]
    for name in [*names, "y"]:
        world.ns(name).serve(80)
        world.ns(name).serve(53, "udp")
    world.lan.serve(80)
    for family in FAMILIES:
        addr = {name: world.address(name, family.version) for name in [*names, "y"]}
        ways = [*itertools.permutations(names, 2), ("in-web", "y"), ("y", "in-web")]
        for one, other in ways:
            for proto, port in (("tcp", 80), ("udp", 53)):
                got = world.ns(one).connect(addr[other], port, proto)
                assert (got.server, got.client) == (other, addr[one]), "%s to %s/%s: %s" % (one, other, proto, got)
        seen = [world.ns(name).connect(family.outside, 80).client for name in names]
        assert seen == [family.host, family.other_host, family.host, addr["in-plain"], family.host, addr["in-own"]]


@behaviour("N2", "S9", "R3")
@across
@elsewhere
def test_source_ports_by_chance(world):
    """Where it is wished no source port is kept; elsewhere each is that is free."""
    spec = {"networks": {"kept": dual(1), "any": dual(2, nat=["masquerade", "random"]),
                         "fixed": dual(3, nat=["random", V4.other_host, V6.other_host])},
            "endpoints": {"k": on("kept"), "a": on("any"), "f": on("fixed")}}
    world.apply(spec)
    assert "nothing to change" in world.apply(spec).out
    world.lan.serve(80)
    world.lan.serve(53, "udp")
    sent = list(range(30000, 30004))
    taken = set()  # by chance also what is sent from later: then another must be found

    def seen(name, family):
        """The ports that the lan sees, and those that it sees when each that is free is kept."""
        address, ports, wanted = family.other_host if name == "f" else family.host, [], []
        for proto, port in (("tcp", 80), ("udp", 53)):
            for own in sent:
                answer = world.ns(name).connect(family.outside, port, proto, sport=own)
                assert answer.client == address
                wanted.append(answer.client_port if (address, proto, own) in taken else own)
                ports.append(answer.client_port)
                taken.add((address, proto, answer.client_port))
        return ports, wanted

    def keeps(name, family):
        ports, wanted = seen(name, family)
        return ports == wanted

    def random(name, family):  # one may meet its own again, two hardly ever do
        ports, _ = seen(name, family)
        return sum(map(int.__eq__, ports, sent * 2)) <= 1

    for family in FAMILIES:
        assert keeps("k", family) and random("a", family) and random("f", family)
    networks = {net["name"]: net for net in world.weir("network", "ls", json=True)["networks"]}
    assert [networks[name]["nat_random"] for name in ("kept", "any", "fixed")] == [False, True, True]
    sent = list(range(30010, 30014))
    assert "random" in world.weir("network", "set", "kept", "--nat", "masquerade,random").out
    world.weir("network", "set", "any", "--nat", "masquerade")
    world.weir("network", "set", "fixed", "--nat", "%s,%s" % (V4.other_host, V6.other_host))
    for family in FAMILIES:
        assert random("k", family) and keeps("a", family) and keeps("f", family)
    assert world.weir("status", json=True)["in_sync"]


@behaviour("N3", "S9")
@across
@elsewhere
@every_switch
def test_published_port_sees_the_client(world):
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["8080:80", "5353:53/udp"]
    world.apply(spec)
    world.ns("nginx").serve(80)
    world.ns("nginx").serve(53, "udp")
    for family in FAMILIES:
        for proto, port in (("tcp", 8080), ("udp", 5353)):
            for host in (family.host, family.other_host):
                got = world.lan.connect(host, port, proto)
                assert (got.server, got.client) == ("nginx", family.lan)
            assert world.lan.connect(family.host, port, proto, src=family.outside).client == family.outside
        # a port of the endpoint that is not published is none of the host's either
        assert world.lan.connect(family.host, 80).outcome == "refused"


@behaviour("N5", "S9")
@across
@elsewhere
@every_switch
def test_published_port_from_everywhere(world):
    world.apply(web())
    nginx = world.ns("nginx")
    nginx.serve(80)
    for family in FAMILIES:
        assert world.host.connect(family.host, 8080).server == "nginx"
        for client in ("nginx", "api", "pg"):
            assert world.ns(client).connect(family.host, 8080).server == "nginx", (client, family.host)
    assert world.host.connect("127.0.0.1", 8080).server == "nginx"
    assert world.host.connect("127.0.0.2", 8080).server == "nginx"
    assert world.host.connect("::1", 8080).outcome == "refused"
    gateway = {4: "10.88.1.1", 6: "fd00:88:1::1"}
    for family in FAMILIES:
        assert world.ns("api").connect(gateway[family.version], 8080).server == "nginx"
        # another's port is seen with the client's own address where the networks differ
        assert world.ns("pg").connect(family.host, 8080).client == world.address("pg", family.version)


@behaviour("N5", "N10")
def test_published_on_loopback_only(world):
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["127.0.0.1:8080:80"]
    world.apply(spec)
    world.ns("nginx").serve(80)
    assert world.host.connect("127.0.0.1", 8080).server == "nginx"
    assert world.host.connect(V4.host, 8080).outcome == "refused"
    assert world.lan.connect(V4.host, 8080).outcome == "refused"
    assert world.ns("api").connect(V4.host, 8080).outcome == "refused"


@behaviour("N6")
@elsewhere
def test_free_host_port(world):
    low, high = map(int, world.sysctl("net/ipv4/ip_local_port_range").split())
    world.apply({"networks": {"web": dual(1)}, "endpoints": {"a": on("web", publish=["80", "53/udp"])}})
    ports = {p["proto"]: p["host_ports"][0] for p in world.published("a")}
    assert all(low <= port <= high for port in ports.values())
    world.ns("a").serve(80)
    world.ns("a").serve(53, "udp")
    for family in FAMILIES:
        assert world.lan.connect(family.host, ports["tcp"]).server == "a"
        assert world.lan.connect(family.host, ports["udp"], "udp").server == "a"
    said = world.weir("endpoint", "add", "b", "--network", "web", "-p", "80").out
    chosen = world.published("b")[0]["host_ports"][0]
    assert str(chosen) in said and chosen != ports["tcp"]


@behaviour("N6")
def test_free_host_port_of_a_range(world):
    """Taken ones are stepped over, whoever has them; none left is said."""
    world.apply({"networks": {"web": dual(1)}, "endpoints": {"a": on("web", publish=["8000:80"])}})
    world.host.serve(8001, addr=V4.other_host)
    world.host.serve(8002, addr="::")
    for name in "bc":
        world.weir("endpoint", "add", name, "--network", "web", "-p", "8000-8004:80")
    assert sorted(world.published(name)[0]["host_ports"] for name in "bc") == [[8003, 8003], [8004, 8004]]
    world.refused(1, "endpoint", "add", "d", "--network", "web", "-p", "8000-8004:80", says="8000-8004")


@behaviour("N6")
def test_chosen_port_is_kept(world):
    spec = {"networks": {"web": dual(1)}, "endpoints": {"a": on("web", publish=["80"])}}
    world.apply(spec)
    before = world.published("a")
    spec["endpoints"]["a"]["labels"] = {"role": "front"}
    world.apply(spec)
    assert world.published("a") == before


@behaviour("N7")
@pytest.mark.parametrize("addr, spec", [
    ("0.0.0.0", "8080:80"), ("::", "8080:80"), (V4.host, "8080:80"), (V6.host, "8080:80"),
    ("127.0.0.1", "8080:80"), ("127.0.0.1", "127.0.0.1:8080:80"), ("0.0.0.0", "127.0.0.1:8080:80"),
    ("::", V4.host + ":8080:80"), (V4.host, "8070-8089:70-89"), (V6.host, "[%s]:8080:80" % V6.host)])
def test_port_that_a_process_has(world, addr, spec):
    world.host.serve(8080, addr=addr)
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24", "--subnet", "fd00:88:1::/64")
    result = world.refused(1, "endpoint", "add", "a", "--network", "web", "-p", spec, says="8080")
    assert "probe" in result.err, str(result)  # the process by its name


@behaviour("N7")
@elsewhere
def test_port_that_a_process_has_elsewhere(world):
    """Another address, another protocol: no conflict."""
    world.host.serve(8080, addr=V4.other_host)
    world.host.serve(8080, "udp")
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("endpoint", "add", "a", "--network", "web", "-p", V4.host + ":8080:80")
    world.ns("a").serve(80)
    assert world.lan.connect(V4.host, 8080).server == "a"
    assert world.lan.connect(V4.other_host, 8080).server == "host"


@behaviour("N7")
@pytest.mark.parametrize("spec, taken", [
    ("8080:81", "8080/tcp"), ("8000-8080:9000-9080", "8080/tcp"), ("8085:86/udp", "8085/udp"),
    ("127.0.0.1:9000:1", "9000/tcp")])
def test_port_that_is_published(world, spec, taken):
    world.apply({"networks": {"web": dual(1)}, "endpoints": {
        "a": on("web", publish=["8080:80", "8080-8089:80-89/udp", "127.0.0.1:9000:90"])}})
    world.refused(1, "endpoint", "add", "b", "--network", "web", "-p", spec, says=[taken, "a"])
    world.refused(1, "port", "add", "a", spec, says=taken)
    name = world.spec({"endpoints": {"b": on("web", publish=[spec])}}, "b.yaml")
    world.refused(1, "apply", name, says=["b.yaml:", taken, "a"])


@behaviour("N8", "S9")
@across
@every_switch
def test_publish_and_unpublish(world):
    spec = web()
    del spec["endpoints"]["nginx"]["publish"]
    world.apply(spec)
    nginx = world.ns("nginx")
    nginx.serve(80)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).outcome == "refused"
    world.weir("port", "add", "nginx", "8080:80")
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).server == "nginx"
    assert [p["spec"] for p in world.weir("port", "ls", json=True)["ports"]] == ["8080:80"]
    world.weir("port", "rm", "nginx", "8080:80")
    for family in FAMILIES:
        world.denied(world.lan, family.host, 8080, nginx, at_port=80)
    assert world.published("nginx") == []
    world.refused(1, "port", "rm", "nginx", "8080:80", says="8080:80")


@behaviour("N8", "S9")
@across
@elsewhere
@every_switch
def test_live_udp_flows_move(world):
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["5353:53/udp"]
    world.apply(spec)
    for name in ("nginx", "api"):
        world.ns(name).serve(53, "udp")
    flow = {"proto": "udp", "sport": 5555}
    for family in FAMILIES:
        for _ in range(2):
            assert world.lan.connect(family.host, 5353, **flow).server == "nginx"
    spec["endpoints"]["api"]["publish"] = spec["endpoints"]["nginx"].pop("publish")
    world.apply(spec)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 5353, **flow).server == "api"
    world.weir("port", "rm", "api", "5353:53/udp")
    for family in FAMILIES:
        world.denied(world.lan, family.host, 5353, world.ns("api"), "udp", at_port=53)


@behaviour("N8")
@across
def test_unpublishing_cuts_streams(world):
    world.apply(web())
    world.ns("nginx").serve(80)
    for number, family in enumerate(FAMILIES, 1):
        assert world.lan.open(number, family.host, 8080).server == "nginx"
        assert world.lan.say(number, "hello") == "hello"
    world.weir("port", "add", "nginx", "9090:90")
    assert [world.lan.say(n, "again") for n in (1, 2)] == ["again", "again"]  # others' changes cut nothing
    world.weir("port", "rm", "nginx", "8080:80")
    for number in (1, 2):
        assert world.lan.say(number, "still", ms=60) != "still"


@behaviour("N9", "S9")
@every_switch
@pytest.mark.parametrize("shift", [0, 1000])
def test_range_of_a_thousand(world, shift):
    spec = {"networks": {"web": dual(1)}, "endpoints": {
        "a": on("web", publish=["8000-8999:%d-%d/udp" % (8000 + shift, 8999 + shift)])}}
    world.apply(spec)
    world.ns("a").serve(8000 + shift, "udp", last=8999 + shift)
    for family in FAMILIES:
        answers = world.lan.sweep(family.host, 8000, 8999, "udp")
        wrong = [(8000 + i, a) for i, a in enumerate(answers) if a.port != 8000 + i + shift]
        assert len(answers) == 1000 and not wrong, wrong[:3]
        for outside in (7999, 9000):
            assert world.lan.connect(family.host, outside, "udp").outcome == "refused"
    ports = world.weir("port", "ls", json=True)["ports"]
    assert [p["host_ports"] for p in ports] == [[8000, 8999]]
    world.weir("port", "rm", "a", "8000-8999:%d-%d/udp" % (8000 + shift, 8999 + shift))
    assert world.weir("port", "ls", json=True)["ports"] == []
    assert world.lan.connect(V4.host, 8500, "udp").outcome == "refused"


@behaviour("N9")
@elsewhere
def test_neighbouring_ranges_are_two_objects(world):
    world.apply({"networks": {"web": dual(1)}, "endpoints": {
        "a": on("web", publish=["8000-8004:9000-9004", "8005-8009:9005-9009"]),
        "b": on("web", publish=["8010-8014:8010-8014"])}})
    world.ns("a").serve(9000, last=9009)
    world.ns("b").serve(8010, last=8014)
    assert [a.port for a in world.lan.sweep(V4.host, 8000, 8014)] == [*range(9000, 9010), *range(8010, 8015)]
    world.weir("port", "rm", "a", "8000-8004:9000-9004")
    assert [a.outcome for a in world.lan.sweep(V4.host, 8004, 8005)] == ["refused", "ok"]
    assert len(world.published("a")) == 1
    assert world.weir("status", json=True)["in_sync"]


@behaviour("N10", "S9")
@every_switch
def test_specific_address_beats_all(world):
    world.apply({"networks": {"web": dual(1)}, "endpoints": {
        "all": on("web", publish=["8080:80", "7000-7009:7000-7009"]),
        "one": on("web", publish=["%s:8080:80" % V4.other_host, "[%s]:8080:80" % V6.other_host,
                                  "%s:7000-7009:7000-7009" % V4.other_host, "127.0.0.1:8080:80"])}})
    for name in ("all", "one"):
        world.ns(name).serve(80)
        world.ns(name).serve(7000, last=7009)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).server == "all"
        assert world.lan.connect(family.other_host, 8080).server == "one"
    assert world.lan.connect(V4.host, 7005).server == "all"
    assert world.lan.connect(V4.other_host, 7005).server == "one"
    assert world.host.connect("127.0.0.1", 8080).server == "one"
    assert world.host.connect("127.0.0.2", 8080).server == "all"


@behaviour("N10", "N8")
@elsewhere
def test_specific_address_withdrawn(world):
    """What it had hidden is there again, also for a flow that lives."""
    world.apply({"networks": {"web": dual(1)}, "endpoints": {
        "all": on("web", publish=["8080:80/udp"]), "one": on("web", publish=[V4.host + ":8080:80/udp"])}})
    for name in ("all", "one"):
        world.ns(name).serve(80, "udp")
    assert world.lan.connect(V4.host, 8080, "udp", sport=5555).server == "one"
    world.weir("endpoint", "rm", "one")
    assert world.lan.connect(V4.host, 8080, "udp", sport=5555).server == "all"
    world.weir("endpoint", "add", "one", "--network", "web", "-p", V4.host + ":8080:80/udp")
    world.ns("one").serve(80, "udp")
    assert world.lan.connect(V4.host, 8080, "udp", sport=5555).server == "one"


@behaviour("N3", "L11")
def test_mapping_goes_where_the_default_route_is(world):
    world.apply({"networks": {"web": dual(1), "db": dual(2)}, "endpoints": {"api": {
        "networks": {"web": {"priority": 1}, "db": {}},
        "publish": ["8080:80", {"net": "db", "port": "8081:80"}]}}})
    targets = {p["spec"]: p["target"][0] for p in world.published("api")}
    assert targets == {"8080:80": world.address("api", network="web"), "8081:80": world.address("api", network="db")}
    world.ns("api").serve(80)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).server == "api"


@behaviour("N3")
@pytest.mark.parametrize("network, publish, says", [
    ({"internal": True}, "8080:80", "internal"), ({"mode": "p2p"}, "8080:80", "p2p"),
    ({}, {"net": "absent", "port": "8080:80"}, "absent"), ({}, "[2001:db8::1]:8080:80", "IPv6")])
def test_mapping_that_cannot_be(world, network, publish, says):
    name = world.spec({"networks": {"web": {"subnet": "10.88.1.0/24", **network}},
                       "endpoints": {"a": on("web", publish=[publish])}})
    world.refused(1, "apply", name, says=["spec.yaml:", says])


@behaviour("N3")
@neighbours
def test_published_on_every_nic(world):
    world.apply(web())
    world.ns("nginx").serve(80)
    for family in FAMILIES:
        got = world.lan2.connect(family.host2, 8080)
        assert (got.server, got.client) == ("nginx", family.lan2)


def test_receiver_counts_exactly(world):
    """The proof that denied() rests on: what arrives is seen, once each."""
    world.apply(web())
    nginx = world.ns("nginx")
    nginx.serve(53, "udp")
    world.weir("port", "add", "nginx", "5353:53/udp")

    def send():
        for _ in range(7):
            world.lan.connect(V4.host, 5353, "udp")
    assert len(world.arrivals(nginx, send, lambda f: f.proto == 17 and f.dport == 53)) == 7
    wait_until(lambda: nginx.frames() == [], "quiet")
    with pytest.raises(AssertionError):
        world.denied(world.lan, V4.host, 5353, nginx, "udp", at_port=53)
