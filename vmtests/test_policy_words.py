# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies in words: planned, applied twice, refused with their place, asked about; what tightening cuts."""
import json

import pytest
from marks import behaviour, elsewhere, words_only
from specs import dual, on
from world import ARRIVE_MS, ATTEMPT_MS, FAMILIES, V4

OPEN = {"name": "api-to-pg", "from": {"labels": {"role": "api"}}, "to": {"endpoint": "pg"}, "ports": ["5432/tcp", "53/udp"],
        "action": "allow"}


def two(*policies):
    return {"networks": {"web": dual(1), "db": dual(2, default={"ingress": "deny"})},
            "endpoints": {"api": on("web", labels={"role": "api"}), "ui": on("web"), "pg": on("db")},
            "policies": list(policies)}


@behaviour("U1", "R3")
def test_planned_and_applied_twice(world):
    file = world.spec(two(OPEN, dict(OPEN, name="odd", **{"from": {"labels": {"tier": "x"}}})))
    before = world.snapshot()
    planned = world.weir("plan", file, check=False)
    assert planned.code == 3 and "+ policy api-to-pg: allow from label:role=api to endpoint:pg" in planned.out, str(planned)
    assert 'warning: %s:' % file in planned.err and 'no endpoint has a label "tier"' in planned.err, str(planned)
    world.same(before, world.snapshot())
    world.weir("apply", file)
    after = world.snapshot()
    assert "nothing to change" in world.weir("apply", file).out
    assert "nothing to change" in world.weir("plan", file).out
    world.same(after, world.snapshot())
    said = world.weir("policy", "show", "api-to-pg", json=True)["policy"]
    assert {m["endpoint"] for m in said["senders"]} == {"api"} and {m["endpoint"] for m in said["receivers"]} == {"pg"}
    assert said["place"].startswith(file) and said["rules"], said


@behaviour("R7")
def test_refused_with_its_place(world):
    world.apply(two(OPEN))
    for text, says in [("from: 'endpoint:nobody'", 'no endpoint named "nobody"'), ("to: {network: nix}", 'no network named "nix"'),
                       ("from: nobody", 'did you mean "endpoint:nobody"?'), ("ports: [20-10/tcp]", "upside down"),
                       ("from: {endpoints: []}", "no endpoint is in the list"), ("from: {networks: []}", "no network is in the list"),
                       ("from: {labels: {}}", "no label is in the map"), ("to: {}", "nothing is in the selector"),
                       ("to: {cidr: 10.0.0.1/8}", "did you mean 10.0.0.0/8?"), ("ports: [80/tpc]", 'did you mean "tcp"?')]:
        file = world.spec("policies:\n- name: p\n  action: deny\n  %s\n" % text)
        world.refused(1, "apply", file, says=[says, "%s:" % file])
    world.refused(1, "endpoint", "rm", "pg", says='is named by policy "api-to-pg"')
    world.refused(2, "policy", "add", "p", "--from", "nobody", "--action", "deny", says="--from nobody")
    world.refused(2, "policy", "add", "p", "--action", "dney", says="--action")
    for word in ("any", "endpoints", "outside", "host"):
        for text in ("endpoint:api+" + word, word + "+endpoint:api", word + ":"):
            world.refused(2, "policy", "add", "p", "--from", text, "--action", "deny", says='"%s" stands alone' % word)
    for empty in ("", "endpoint:", "network:", "label:", "cidr:", "endpoints:", "endpoint:api+", "endpoint:api|", "label:role,"):
        world.refused(2, "policy", "add", "p", "--from", empty, "--action", "deny", says="--from %s" % empty)


@behaviour("P9", "S9")
def test_who_answers_by_another_way(world):
    """Asked at its address in one network by somebody of the other: what comes is let through, what it answers is not."""
    world.apply({"networks": {"web": dual(1), "db": dual(2, default={"ingress": "allow"})},
                 "endpoints": {"a": on("web"), "b": on("web", "db"), "c": on("db")}})
    for name, note in (("b@db", 'answers leave by network "web", whose spoof guard drops this address: no connection comes up'),
                       ("b@web", None), ("c", None)):
        if name != "b@web":
            world.ns(name[0]).serve(80)
        for answer in world.weir("policy", "test", "--from", "a", "--to", name + ":80", json=True)["answers"]:
            assert (answer["verdict"], answer["note"]) == ("allow", note), answer
            got = world.ns("a").connect(answer["to"]["address"], 80, ms=ATTEMPT_MS if note else ARRIVE_MS).outcome
            assert got == ("timeout" if note else "ok"), (name, got)


@behaviour("P9", "S9")
@pytest.mark.parametrize("mode", ["bridge", "routed"])
def test_who_answers_by_its_default_route(world, mode):
    """Where the asker is makes no difference: the way back is in another network than that of the address that is asked."""
    opened = {"default": {"ingress": "allow"}}
    world.apply({"networks": {"n1": dual(1, **opened), "n2": dual(2, **opened), "n3": dual(3, mode=mode, **opened)},
                 "endpoints": {"a": on("n1"), "c": on("n2"), "e": on("n3"),
                               "d": on("n2", "n3", publish=[{"net": "n3", "port": "8081:80"}]), "r": on("n2", "n3", routes=[
                                   {"to": "10.88.1.0/24", "via": "10.88.3.1"}, {"to": "fd00:88:1::/64", "via": "fd00:88:3::1"}])}})
    for name in "dr":
        world.ns(name).serve(80)
    for source, to, by in (("a", "d@n2", None), ("a", "d@n3", "n2"), ("c", "d@n3", "n2"), ("c", "d@n2", None), ("e", "d@n3", None),
                           ("e", "d@n2", "n3"), ("a", "r@n3", None), ("a", "r@n2", "n3"), ("host", "d@n3", None)):
        note = by and 'answers leave by network "%s", whose spoof guard drops this address: no connection comes up' % by
        answers = world.weir("policy", "test", "--from", source, "--to", to + ":80", json=True)["answers"]
        assert len(answers) == 2
        for answer in answers:
            assert (answer["verdict"], answer["note"]) == ("allow", note), (source, to, answer)
            client = world.host if source == "host" else world.ns(source)
            got = client.connect(answer["to"]["address"], 80, ms=ATTEMPT_MS if by else ARRIVE_MS).outcome
            assert got == ("timeout" if by else "ok"), (source, to, got)
    for answer in world.weir("policy", "test", "--from", "outside", "--to", "d:80", json=True)["answers"]:
        assert answer["note"].startswith("by its published port 8081:80; answers leave by network"), answer
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8081, ms=ATTEMPT_MS).outcome == "timeout"


@behaviour("P9", "S9")
def test_asked_and_tried(world):
    """What `policy test` says is what happens, in both families."""
    world.apply(two(OPEN))
    world.ns("pg").serve(5432)
    world.ns("pg").serve(80)
    for source, port in [("api", 5432), ("api", 80), ("ui", 5432)]:
        said = world.weir("policy", "test", "--from", source, "--to", "pg:%d/tcp" % port, json=True)["answers"]
        assert [a["family"] for a in said] == ["IPv4", "IPv6"], said
        for family, answer in zip(FAMILIES, said):
            address = world.address("pg", family.version)
            if answer["verdict"] == "allow":
                assert answer["policy"] == "api-to-pg" and answer["place"], answer
                assert world.ns(source).connect(address, port).server == "pg", answer
            else:
                world.denied(world.ns(source), address, port, world.ns("pg"))
    assert said[0]["verdict"] == "deny"


@behaviour("P9")
@words_only
def test_expectations(world):
    spec = world.spec(two(OPEN))
    good = [{"from": "api", "to": "pg:5432/tcp", "expect": "allow", "policy": "api-to-pg"},
            {"from": "ui", "to": "pg:5432/tcp", "expect": "deny"}, {"from": "host", "to": "pg:22/tcp", "expect": "allow"},
            {"from": "192.0.2.0/24", "to": "pg:5432/tcp", "expect": "deny"}]
    before = world.snapshot()
    assert world.weir("policy", "test", world.spec(json.dumps(good), "good.yaml"), "--spec", spec).out == "4 expectations hold\n"
    bad = world.spec(json.dumps(good + [{"from": "ui", "to": "pg", "expect": "allow"}]), "bad.yaml")
    result = world.weir("policy", "test", bad, "--spec", spec, check=False)
    assert result.code == 1 and "expected allow" in result.err and bad in result.err, str(result)
    world.same(before, world.snapshot())


@behaviour("R7", "P9")
@pytest.mark.parametrize("ends, column, says", [
    (["outside", "pg:99999"], 4, 'port "99999"'), (["outside", "pg:http"], 4, 'unknown protocol "http"'),
    (["outside", "[pg]:80/tpc"], 9, 'did you mean "tcp"?'), (["outside", "pg:80-90/tcp"], 4, "name one port"),
    (["outside", "10.0.0.0/33"], 1, "is not a prefix"), (["10.0.0.0/33", "pg:80"], 1, "is not a prefix")])
@words_only
def test_wrong_questions_point_at_what_is_wrong(world, ends, column, says):
    source, to = ends
    result = world.refused(2, "policy", "test", "--spec", world.spec(two()), "--from", source, "--to", to, says=says)
    wrong = source if source != "outside" else to
    assert result.err.splitlines()[1:] == ["  " + wrong, " " * (1 + column) + "^"], str(result)


@behaviour("P9", "S9")
@words_only
def test_outside_is_nobody_known(world):
    """Whatever addresses the host and the networks have: an answer about the outside is never one about them."""
    world.host.run("ip", "addr", "add", "203.0.113.1/32", "dev", "eth0")
    world.apply({"networks": {"web": dual(1), "db": {"subnets": ["198.51.100.0/24", "2001:db8:ffff::/64"]}},
                 "endpoints": {"api": on("web"), "pg": on("db", publish=["5432:5432", "[3fff::1]:80:80"])}})
    theirs = {"203.0.113.1", "2001:db8::1"}

    def ask(source, to, *more):
        answers = world.weir("policy", "test", "--from", source, "--to", to, *more, json=True)["answers"]
        assert [a["family"] for a in answers] == ["IPv4", "IPv6"], answers
        return answers

    for more in ((), ("--spec", "spec.yaml")):
        out = ask("api", "outside:80/tcp", *more)
        assert [a["verdict"] for a in out] == ["allow"] * 2 and all("to the host" not in a["text"] for a in out), out
        back = ask("outside", "pg:5432/tcp", *more)
        assert [a["verdict"] for a in back] == ["allow"] * 2 and all("published" in a["note"] for a in back), back
        for answer in out:
            address = answer["to"]["address"]
            assert not address.startswith(("198.51.100.", "2001:db8:ffff:", "3fff::1")), answer
            assert more or address not in theirs, answer
    file = world.spec(json.dumps([{"from": "api", "to": "203.0.113.1:22/tcp", "expect": "deny"}]), "expect.yaml")
    world.refused(1, "policy", "test", file, says="expected deny, got allow (to the host)")


@behaviour("P9", "U5")
@words_only
def test_the_hosts_port_is_not_the_endpoints(world):
    """Whoever asks for the wrong one is told of the other."""
    spec = two()
    spec["endpoints"]["ui"]["publish"] = ["8080:80"]
    world.apply(spec)
    asked = world.weir("policy", "test", "--from", "outside", "--to", "ui:8080/tcp", json=True)["answers"]
    assert [a["verdict"] for a in asked] == ["deny"] * 2 and all("8080:80" in a["note"] for a in asked), asked
    asked = world.weir("policy", "test", "--from", "outside", "--to", "ui:81/tcp", json=True)["answers"]
    assert [(a["verdict"], a["note"]) for a in asked] == [("deny", None)] * 2, asked
    world.refused(1, "port", "show", "ui", "8080", says='endpoint "ui" does not publish 8080')
    assert len(world.weir("port", "show", "ui", "80", json=True)["ports"]) == 1


@behaviour("P9", "N4")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_port_that_another_has_on_one_address(world, family):
    """Asked is whom the mapping leads to, at an address of the host's where it does."""
    where = family.host if family is V4 else "[%s]" % family.host
    spec = {"networks": {"web": dual(1)}, "endpoints": {"m": on("web", publish=["9000:80"]), "o": on("web", publish=[where + ":9000:80"])}}
    servers = {"m": family.other_host, "o": family.host}
    world.apply(spec)
    for name in servers:
        world.ns(name).serve(80)
    for denied in "mo":
        spec["policies"] = [{"name": "no", "from": "outside", "to": {"endpoint": denied}, "action": "deny"}]
        world.apply(spec)
        for name, address in servers.items():
            answers = world.weir("policy", "test", "--from", "outside", "--to", name + ":80/tcp", json=True)["answers"]
            answer = next(a for a in answers if a["family"] == "IPv%d" % family.version)
            assert answer["note"].startswith("by its published port"), answer
            assert answer["to"]["address"] == world.address(name, family.version), answer
            assert answer["verdict"] == ("deny" if name == denied else "allow"), answer
            got = world.lan.connect(address, 9000, ms=ATTEMPT_MS if name == denied else ARRIVE_MS)
            assert (got.outcome == "ok" and got.server == name) == (name != denied), (name, denied, got)
    world.apply({**spec, "endpoints": {"m": on("web", publish=["9000:81"]), "o": on("web", publish=[
        {"port": where + ":9000:80", "strict": True}, where.replace(family.host, family.other_host) + ":9000:80"])}})
    answers = world.weir("policy", "test", "--from", "outside", "--to", "o:80/tcp", json=True)["answers"]
    notes = [a["note"] for a in answers if a["family"] == "IPv%d" % family.version]
    assert len(notes) == 1 and "by the interface that has the address" in notes[0], answers


@behaviour("P9", "S9")
@pytest.mark.parametrize("mode", ["bridge", "routed"])
def test_asked_of_what_comes_by_a_trusted_interface(world, mode):
    """An address is asked for as it is, not as what it publishes; who is trusted is named."""
    world.apply({"networks": {"web": dual(1, mode=mode, trusted=["eth0"])}, "endpoints": {"a": on("web", publish=["8080:80"])}})
    world.ns("a").serve(80)
    for family in FAMILIES:
        address = world.address("a", family.version)
        asked = "%s:80" % address if family is V4 else "[%s]:80" % address
        answer, = world.weir("policy", "test", "--from", family.lan, "--to", asked, json=True)["answers"]
        assert (answer["verdict"], answer["note"]) == ("deny", 'allow for what comes by eth0, which network "web" trusts'), answer
        assert world.lan.connect(address, 80).server == "a"


@behaviour("P9", "N4")
def test_a_port_in_a_network_that_is_not_the_way_out(world):
    """Nobody outside gets an answer by it: who publishes it is told, and no expectation holds that says otherwise."""
    world.apply({"networks": {"n1": dual(1), "n2": dual(2)}, "endpoints": {"d": on("n1", "n2")}})
    world.ns("d").serve(80)
    words = 'nobody outside reaches the port, as answers leave by network "n1"'
    said = world.weir("port", "add", "d", "8080:80", "8081:80", "--net", "n2").err
    assert said.count(words) == 1, said
    assert words not in world.weir("port", "add", "d", "127.0.0.1:8083:80", "--net", "n2").err
    assert world.host.connect("127.0.0.1", 8083).server == "d"
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080, ms=ATTEMPT_MS).outcome == "timeout"
    for answer in world.weir("policy", "test", "--from", "outside", "--to", "d@n2:80", json=True)["answers"]:
        assert "no connection comes up" in answer["note"], answer
    expected = world.spec(json.dumps([{"from": "outside", "to": "d@n2:80/tcp", "expect": "allow"}]), "expect.yaml")
    world.refused(1, "policy", "test", expected, says="expected allow, but")
    assert words not in world.weir("port", "add", "d", "8082:80", "--net", "n1").err
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8082).server == "d"


@behaviour("P6", "S9")
@pytest.mark.parametrize("how", [pytest.param("policy", marks=elsewhere), "label", "default"])
def test_tightening_cuts(world, how):
    """Streams and UDP that are denied now end in both directions; what is still allowed goes on."""
    spec = two(OPEN, dict(OPEN, name="stays", to={"endpoint": "pg"}, ports=["80/tcp"], **{"from": {"endpoint": "ui"}}))
    world.apply(spec)
    for port, proto in [(5432, "tcp"), (53, "udp"), (80, "tcp")]:
        world.ns("pg").serve(port, proto)
    api, ui = world.ns("api"), world.ns("ui")
    for n, family in enumerate(FAMILIES):
        address = world.address("pg", family.version)
        assert api.open(10 + n, address, 5432).outcome == "ok"
        assert api.open(20 + n, address, 53, "udp").outcome == "ok"
        assert ui.open(30 + n, address, 80).outcome == "ok"
    for n in range(len(FAMILIES)):
        assert [api.say(10 + n, "a"), ui.say(30 + n, "a")] == ["a", "a"] and api.say(20 + n, "a").startswith("pg|")
    if how == "policy":
        world.weir("policy", "add", "cut", "--from", "label:role=api", "--to", "endpoint:pg", "--action", "deny", "--priority", "9")
    elif how == "label":
        spec["endpoints"]["api"]["labels"] = {"role": "retired"}
        world.apply(spec)
    else:
        world.weir("policy", "rm", "api-to-pg")
    for n in range(len(FAMILIES)):
        assert ui.say(30 + n, "b") == "b", "what is allowed was cut"
        assert api.say(10 + n, "b", ms=ATTEMPT_MS) != "b", "TCP lives on after " + how
        assert not api.say(20 + n, "b", ms=ATTEMPT_MS).startswith("pg|"), "UDP lives on after " + how


NOISE = {"name": "noise", "from": {"endpoint": "ui"}, "to": {"endpoint": "pg"}, "ports": ["25/tcp"], "action": "deny"}


FAR = {4: "10.99.0.2", 6: "fd00:99::2"}


def where(world, name, family):
    return FAR[family.version] if name == "far" else world.address(name, family.version)


def opened(world, sender, receiver):
    """A stream of each family, known by its version."""
    ns = world.lan if sender == "lan" else world.ns(sender)
    world.ns(receiver).serve(80)
    for family in FAMILIES:
        assert ns.open(family.version, where(world, receiver, family), 80).server == receiver
        assert ns.say(family.version, "before") == "before"


ALIVE, CUT = True, False


def fares(world, sender, receiver, then):
    """New streams and old ones get through, or neither do, in either family."""
    ns = world.lan if sender == "lan" else world.ns(sender)
    ms = ARRIVE_MS if then == ALIVE else ATTEMPT_MS
    for family in FAMILIES:
        new = ns.connect(where(world, receiver, family), 80, ms=ms).server == receiver
        old = ns.say(family.version, "after", ms=ms) == "after"
        assert (new, old) == (then, then), family


@behaviour("P6", "S9")
def test_what_a_network_trusts_goes_on(world):
    """Another network's bridge, as long as it is trusted."""
    spec = two()
    spec["networks"]["db"] = dual(2, trusted=["wb-web"])
    world.apply(spec)
    opened(world, "api", "pg")
    world.apply(dict(spec, policies=[NOISE]))
    fares(world, "api", "pg", ALIVE)
    spec["networks"]["db"] = dual(2)
    world.apply(spec)
    fares(world, "api", "pg", CUT)


@behaviour("P6", "L5", "S9")
@pytest.mark.parametrize("default", ["ingress", "egress"])
@pytest.mark.parametrize("name", ["web", "db"])
def test_what_a_router_joins_goes_on(world, name, default):
    """The host sees what a filtered bridge carries to the router or from it; the bridge's defaults bind that."""
    spec = {"networks": {net: dual(n, gateway="router") for net, n in (("web", 1), ("db", 2))},
            "endpoints": {"router": on("web", "db", forward=True), "api": on("web"), "ui": on("web"), "pg": on("db")}}
    spec["networks"][name]["filter_bridged"] = True
    world.apply(spec)
    opened(world, "api", "pg")
    world.apply(dict(spec, policies=[NOISE]))
    fares(world, "api", "pg", ALIVE)
    world.weir("network", "set", name, "--default-" + default, "deny")
    fares(world, "api", "pg", CUT)


def stranger(world, bridge, number):
    """Somebody on the bridge of network `number` who is no endpoint."""
    theirs = world.netns("vm")
    world.host.run("sh", "-ec", "ip link add v0 type veth peer name eth0 netns vm; ip link set v0 master %s up" % bridge)
    theirs.run("sh", "-ec", "ip link set eth0 up; ip addr add 10.88.{0}.250/24 dev eth0; "
               "ip addr add fd00:88:{0}::250/64 dev eth0 nodad".format(number))


@behaviour("P6", "P8", "S9")
@pytest.mark.parametrize("action, default, then", [("deny", "usual", ALIVE), ("allow", "deny", CUT)], ids=["denied", "allowed"])
def test_who_is_no_endpoint(world, action, default, then):
    """Policies do not speak of others on the bridge; its defaults do."""
    spec = {"networks": {"web": dual(1)}, "endpoints": {name: on("web") for name in ("api", "ui", "pg")},
            "policies": [{"name": "all", "to": {"endpoint": "pg"}, "ports": ["80/tcp"], "action": action}]}
    world.apply(spec)
    stranger(world, "wb-web", 1)
    opened(world, "vm", "pg")
    world.apply(dict(spec, policies=[*spec["policies"], NOISE]))
    fares(world, "vm", "pg", ALIVE)
    world.weir("network", "set", "web", "--default-ingress", default)
    fares(world, "vm", "pg", then)


WITHIN = dict(NOISE, **{"from": "any", "to": {"network": "web"}})


def to_router(seen, *policies):
    """web's way out is a router that leads to db's endpoint, and to far, which is none of weir's. One network is named
    whose bridge shows the host what passes; on two a cut stream could begin anew where nothing is bound."""
    return {"networks": {net: dual(n, gateway="router", filter_bridged=net == seen) for net, n in (("web", 1), ("db", 2))},
            "endpoints": {"router": on("web", "db", forward=True), "api": on("web"), "ui": on("web"), "pg": on("db")},
            "policies": list(policies)}


def far(world):
    theirs, router = world.netns("far"), world.ns("router")
    world.host.run("ip", "link", "add", "r0", "netns", "router", "type", "veth", "peer", "name", "eth0", "netns", "far")
    router.run("ip", "link", "set", "r0", "up")
    theirs.run("ip", "link", "set", "eth0", "up")
    router.run("sh", "-ec", "ip link set r0 down; ip link set r0 up; ip addr add 10.99.0.1/24 dev r0; "
               "ip addr add fd00:99::1/64 dev r0 nodad")
    theirs.run("sh", "-ec", "ip addr add 10.99.0.2/24 dev eth0; ip addr add fd00:99::2/64 dev eth0 nodad; "
               "ip route add default via 10.99.0.1; ip route add default via fd00:99::1")


@behaviour("P6", "L5", "S9")
@pytest.mark.parametrize("action, default, then", [("deny", "usual", ALIVE), ("allow", "deny", CUT)], ids=["denied", "allowed"])
@pytest.mark.parametrize("way", ["out", "in"])
def test_what_a_router_leads_elsewhere(world, way, action, default, then):
    """Policies do not see it; the defaults of the bridge that carries it do."""
    ends = {"out": ("api", "far"), "in": ("far", "api")}[way]
    said = {"out": {"from": {"endpoint": "api"}, "to": "outside"}, "in": {"from": "outside", "to": {"endpoint": "api"}}}[way]
    spec = to_router("web", {"name": "all", "ports": ["80/tcp"], "action": action, **said})
    world.apply(spec)
    far(world)
    opened(world, *ends)
    world.apply(dict(spec, policies=[*spec["policies"], WITHIN]))
    fares(world, *ends, ALIVE)
    world.weir("network", "set", "web", "--default-egress", default)
    fares(world, *ends, then)


@behaviour("P6", "P9", "L5", "S9")
@pytest.mark.parametrize("bound", [True, False], ids=["bound", "free"])
@pytest.mark.parametrize("action, default", [("deny", "usual"), ("allow", "deny")], ids=["denied", "allowed"])
def test_what_a_router_leads_to_an_endpoint(world, action, default, bound):
    """A bridge whose own traffic is bound knows both by their addresses, and `policy test` says so."""
    also = ["web", WITHIN] if bound else ["db"]
    world.apply(to_router(*also))
    opened(world, "api", "pg")
    world.apply(to_router(*also, {"name": "all", "from": {"endpoint": "api"}, "to": {"endpoint": "pg"}, "action": action}))
    world.weir("network", "set", "web", "--default-egress", default)
    denied = action == "deny" and bound
    fares(world, "api", "pg", CUT if denied else ALIVE)
    said = world.weir("policy", "test", "--from", "api", "--to", "pg:80/tcp", json=True)["answers"]
    assert [answer["verdict"] for answer in said] == ["deny" if denied else "allow"] * 2, said
    world.weir("network", "set", "db", "--default-ingress", "deny")
    fares(world, "api", "pg", CUT)


@behaviour("P6", "S9")
@pytest.mark.parametrize("network, then", [({}, CUT), ({"default": {"ingress": "allow"}}, CUT), ({"trusted": ["eth0"]}, ALIVE)],
                         ids=["usual", "open", "trusted"])
def test_what_the_outside_may_no_longer(world, network, then):
    """A policy has let it in, without which it may come by an interface that is trusted only."""
    spec = {"networks": {"web": dual(1, nat="none", **network)}, "endpoints": {"api": on("web")}, "policies": [
        {"name": "in", "from": "outside", "to": {"endpoint": "api"}, "ports": ["80/tcp"], "action": "allow"}]}
    world.apply(spec)
    opened(world, "lan", "api")
    world.weir("policy", "rm", "in")
    fares(world, "lan", "api", then)
