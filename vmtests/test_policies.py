# SPDX-License-Identifier: GPL-2.0-or-later
"""P3 to P8, P10: what policies and defaults let pass and close, as packets."""
import time

import frames
import pytest
from marks import behaviour, elsewhere, every_switch, machines
from place import wait_until
from specs import dual, on
from world import ATTEMPT_MS, FAMILIES

# what a UDP client hears of ICMP "administratively prohibited": of IPv4, of IPv6
PROHIBITED = {4: "EHOSTUNREACH", 6: "EACCES"}
GATEWAY = {4: "10.88.%d.1", 6: "fd00:88:%d::1"}


def policy(name, action="allow", **keys):
    return {"name": name, "action": action, **keys}


def two(policies=(), web=None, db=None):
    """api and front in web, pg and spare in db; nothing passes between the two but by a policy."""
    return {"networks": {"web": dual(1, **(web or {})), "db": dual(2, **(db or {}))},
            "endpoints": {"api": on("web", labels={"role": "api", "env": "prod"}),
                          "front": on("web", labels={"role": "front"}, publish=["8080:80"]),
                          "pg": on("db", labels={"role": "db", "env": "prod"}),
                          "spare": on("db", labels={"role": "db"})},
            "policies": list(policies)}


def put(world, spec):
    """This and nothing else."""
    world.apply(spec, "--prune")


def serve(world, ports=(80, 5432), names=("api", "front", "pg", "spare"), more=()):
    for ns in [world.ns(name) for name in names] + list(more):
        for port in ports:
            ns.serve(port)
            ns.serve(port, "udp")


def passes(world, source, to, port, proto="tcp", families=FAMILIES):
    for family in families:
        said = world.ns(source).connect(world.address(to, family.version), port, proto)
        assert said.server == to, "%s -> %s:%s/%s IPv%d: %s" % (source, to, port, proto, family.version, said)


def closed(world, source, to, port, proto="tcp", families=FAMILIES):
    for family in families:
        world.denied(world.ns(source), world.address(to, family.version), port, world.ns(to), proto)


def by_link(ns, ifname, source_ifname="eth0"):
    """Its link-local address there, as who sends by source_ifname calls it."""
    own = [a["local"] for a in ns.link(ifname)["addr_info"] if a["local"].startswith("fe80:")]
    return "%s%%%s" % (own[0], source_ifname)


def drops(world):
    return {d["reason"]: d["packets"] for d in world.weir("status", json=True)["drops"]}


# ---- P3 ------------------------------------------------------------------------------------------


@behaviour("P3", "P5", "S9")
@elsewhere
def test_allow_deny_reject(world):
    put(world, two([policy("api-to-pg", to={"endpoint": "pg"}, ports=["5432/tcp"], **{"from": {"labels": {"role": "api"}}}),
                     policy("no-web", "reject", to={"endpoint": "pg"}, ports=["80/tcp", "80/udp"],
                            **{"from": {"network": "web"}}),
                     policy("quiet", "deny", to={"endpoint": "front"}, ports=["5432/tcp"],
                            **{"from": {"network": "web"}})]))
    serve(world)
    passes(world, "api", "pg", 5432)
    closed(world, "api", "spare", 5432)
    closed(world, "front", "pg", 5432)
    closed(world, "api", "pg", 5432, "udp")
    passes(world, "api", "front", 80)
    for family in FAMILIES:
        pg, front = world.address("pg", family.version), world.address("front", family.version)
        # a reset at once, not after a wait; ICMP for what has none
        assert world.denied(world.ns("api"), pg, 80, world.ns("pg")) == "refused"
        assert world.denied(world.ns("api"), pg, 80, world.ns("pg"), "udp") == PROHIBITED[family.version]
        assert world.denied(world.ns("api"), front, 5432, world.ns("front")) == "timeout"
    assert drops(world)["policy"] >= 6


@behaviour("P3", "U5")
def test_logs_name_the_policy_and_are_limited(world):
    put(world, two([policy("seen", "deny", log=True, to={"endpoint": "pg"}, ports=["1000-1999/udp"], **{"from": {"network": "web"}}),
                     policy("let-in", log=True, to={"endpoint": "pg"}, ports=["80/tcp"], **{"from": {"network": "web"}}),
                     policy("unseen", "deny", to={"endpoint": "pg"}, ports=["2000-2999/udp"], **{"from": {"network": "web"}})]))
    serve(world)
    api = world.ns("api")
    world.host.listen()
    for family in FAMILIES:
        addr = world.address("pg", family.version)
        assert api.connect(addr, 80).server == "pg"
        api.connect(addr, 1000, "udp", ms=1)
        api.connect(addr, 2000, "udp", ms=1)
    assert sorted(world.host.logged()) == ["weir: let-in: "] * 2 + ["weir: seen: "] * 2
    began = time.monotonic()
    api.sweep(world.address("pg"), 1001, 1300, "udp", ms=1)
    lines, took = world.host.logged(), time.monotonic() - began
    assert set(lines) == {"weir: seen: "} and 10 <= len(lines) < 25 + 11 * took, (len(lines), took)
    assert drops(world)["policy"] >= 304  # what is not logged is dropped all the same


@behaviour("P3", "U5")
@machines
@elsewhere
def test_the_kernels_own_log(world):
    """In the first network namespace of a machine only: no other one's lines get there."""
    from_web = {"from": {"network": "web"}, "to": {"endpoint": "pg"}}
    put(world, two([policy("seen", "deny", log="kernel", ports=["1000/udp"], **from_web),
                    policy("let-in", log="kernel", ports=["80/tcp"], **from_web),
                    policy("unseen", "deny", ports=["2000/udp"], **from_web)]))
    serve(world, ports=(80,))
    for family in FAMILIES:
        addr = world.address("pg", family.version)
        assert world.ns("api").connect(addr, 80).server == "pg"
        for port in (1000, 2000):
            world.denied(world.ns("api"), addr, port, world.ns("pg"), "udp")
    lines = [line.split("weir: ", 1)[1] for line in world.host.run("dmesg").out.splitlines() if "weir: " in line]
    assert sorted(line.split(": ")[0] for line in lines) == ["let-in"] * 2 + ["seen"] * 2, lines
    for line in lines:
        assert "DPT=80 " in line if line.startswith("let-in") else "DPT=1000 " in line


# ---- P4 ------------------------------------------------------------------------------------------

SELECTORS = [
    # (from, to, who may to pg, who may to spare)
    ({"network": "web"}, {"network": "db"}, ("api", "front"), ("api", "front")),
    ({"endpoint": "api"}, {"endpoint": "pg"}, ("api",), ()),
    ({"endpoints": ["api", "front"]}, {"labels": {"env": "prod"}}, ("api", "front"), ()),
    ({"labels": {"role": ["api", "front"], "env": "prod"}}, {"labels": {"role": "db"}}, ("api",), ("api",)),
    ({"labels": {"env": None}}, {"network": "db", "endpoints": ["spare"]}, (), ("api",)),
    ({"labels": {"nobody": "x"}}, {"network": "db"}, (), ()),
    ([{"endpoint": "front"}, {"labels": {"role": "api"}}], "any", ("api", "front"), ("api", "front")),
    ("endpoints", {"cidr": [{"block": "10.88.2.0/24", "except": ["10.88.2.20/32"]},
                            {"block": "fd00:88:2::/64", "except": ["fd00:88:2::20/128"]}]}, ("api", "front"), ()),
    ("outside", {"network": "db"}, (), ()),
    ("host", {"network": "db"}, (), ()),
]


@behaviour("P4", "S9")
@pytest.mark.parametrize("number", range(len(SELECTORS)))
def test_selectors(world, number):
    sender, receiver, to_pg, to_spare = SELECTORS[number]
    spec = two([policy("it", to=receiver, **{"from": sender})])
    spec["endpoints"]["spare"]["networks"] = {"db": {"ip": ["10.88.2.20", "fd00:88:2::20"]}}
    put(world, spec)
    serve(world, ports=(80,))
    for source in ("api", "front"):
        for to, allowed in (("pg", to_pg), ("spare", to_spare)):
            (passes if source in allowed else closed)(world, source, to, 80)
    assert world.ns("pg").connect(world.address("api"), 80, ms=ATTEMPT_MS).outcome == "timeout"


@behaviour("P4", "S9")
def test_the_outside_by_address(world):
    """A block and its exception, as receivers; whatever names one family leaves the other alone."""
    put(world, two([policy("out", "deny", to={"cidr": {"block": "192.0.2.0/24", "except": ["192.0.2.2/32"]}}),
                     policy("out6", "reject", to={"cidr": "2001:db8:ffff::/48"}, ports=["tcp"])]))
    world.lan.run("ip", "addr", "add", "192.0.2.3/24", "dev", "eth0")
    for port in (80, 81):
        world.lan.serve(port)
        world.lan.serve(port, "udp")
    api = world.ns("api")
    assert api.connect("192.0.2.2", 80).server == "lan"
    assert api.connect("203.0.113.1", 80).server == "lan"
    assert api.connect("2001:db8::2", 80).server == "lan"
    assert api.connect("2001:db8:ffff::1", 80, "udp").server == "lan"
    world.denied(api, "192.0.2.3", 80, world.lan, marker="192.0.2.2")
    assert world.denied(api, "2001:db8:ffff::1", 80, world.lan, marker="2001:db8::2") == "refused"


@behaviour("P4", "S9")
def test_the_outside_as_sender(world):
    """Into a network that is not hidden; a policy never opens one that is (S2)."""
    put(world, two([policy("in", ports=["80/tcp"], to={"network": "db"},
                            **{"from": {"cidr": ["192.0.2.0/24", "2001:db8::/64"]}}),
                     policy("hidden", ports=["80/tcp"], to={"endpoint": "api"}, **{"from": "outside"})],
                    db={"nat": "none"}))
    serve(world)
    for family in FAMILIES:
        pg = world.address("pg", family.version)
        assert world.lan.connect(pg, 80).server == "pg"
        world.denied(world.lan, pg, 5432, world.ns("pg"))
        world.denied(world.lan, pg, 80, world.ns("pg"), src=family.outside)  # of no block
        world.denied(world.lan, world.address("api", family.version), 80, world.ns("api"))


@behaviour("P4", "P5", "S9")
@elsewhere
def test_the_host(world):
    """Between the host and endpoints nothing is closed but by a policy that names the host."""
    put(world, two([policy("no-ssh", "reject", ports=["22/tcp"], to="host", **{"from": {"network": "web"}}),
                     policy("alone", "deny", ports=["80/tcp"], to={"endpoint": "pg"}, **{"from": "host"}),
                     policy("all", "deny", **{"from": {"endpoint": "spare"}})],
                    web={"default": {"ingress": "deny", "egress": "deny"}}))
    serve(world, ports=(80, 5432))
    for port in (22, 80):
        world.host.serve(port)
    for family in FAMILIES:
        at = {name: world.address(name, family.version) for name in ("api", "front", "pg", "spare")}
        here = GATEWAY[family.version] % 1
        assert world.ns("api").connect(here, 22).outcome == "refused"
        assert world.ns("api").connect(here, 80).server == "host"
        assert world.ns("pg").connect(GATEWAY[family.version] % 2, 22).server == "host"
        assert world.ns("spare").connect(GATEWAY[family.version] % 2, 22).server == "host"  # "all" is not the host
        assert world.host.connect(at["api"], 80).server == "api"
        assert world.host.connect(at["pg"], 5432).server == "pg"
        world.denied(world.host, at["pg"], 80, world.ns("pg"))
        assert world.host.connect(family.host, 8080).server == "front"  # published, from the host
        assert world.ns("api").ping(here) == 64


@behaviour("P4", "S9")
def test_host_is_opened_where_it_is_closed(world):
    put(world, two([policy("dns-over-80", ports=["80/tcp"], to="host", **{"from": {"endpoint": "api"}})],
                    web={"host": "deny"}))
    world.host.serve(80)
    world.host.serve(81)
    for family in FAMILIES:
        here = GATEWAY[family.version] % 1
        assert world.ns("api").connect(here, 80).server == "host"
        assert world.ns("api").connect(here, 81, ms=ATTEMPT_MS).outcome == "timeout"
        assert world.ns("front").connect(here, 80, ms=ATTEMPT_MS).outcome == "timeout"


@behaviour("P4", "S9")
def test_services(world):
    """Ports, ranges, whole protocols, ICMP by type; each family's ICMP is its own."""
    put(world, two([policy("ports", to={"network": "db"}, ports=["80/tcp", "8000-8002/udp"], **{"from": {"endpoint": "api"}}),
                     policy("whole", to={"endpoint": "spare"}, ports=["udp"], **{"from": {"endpoint": "front"}}),
                     policy("ping", to={"endpoint": "pg"}, ports=["icmp/echo-request"], **{"from": {"endpoint": "api"}}),
                     policy("ping6", to={"endpoint": "spare"}, ports=["icmpv6"], **{"from": {"endpoint": "api"}})]))
    for name in ("pg", "spare"):
        world.ns(name).serve(80)
        world.ns(name).serve(79)
        world.ns(name).serve(7999, "udp", last=8003)
    passes(world, "api", "pg", 80)
    closed(world, "api", "pg", 79)
    closed(world, "api", "pg", 7999, "udp")
    passes(world, "api", "pg", 8000, "udp")
    passes(world, "api", "spare", 8002, "udp")
    closed(world, "api", "pg", 8003, "udp")
    passes(world, "front", "spare", 7999, "udp")
    closed(world, "front", "spare", 80)
    api = world.ns("api")
    assert api.ping(world.address("pg", 4)) == 63
    assert api.ping(world.address("pg", 6), seconds=0.1) is None
    assert api.ping(world.address("spare", 4), seconds=0.1) is None
    assert api.ping(world.address("spare", 6)) == 63


@behaviour("P4", "P7", "N4", "S9")
@machines
@elsewhere
def test_sctp(world):
    """By sockets of the kernel's own, which this host's has not: through a policy, and to a published port."""
    spec = two([policy("diameter", to={"endpoint": "pg"}, ports=["3868/sctp"], **{"from": {"endpoint": "api"}}),
                policy("not-here", "deny", to={"endpoint": "front"}, ports=["3870/sctp"])])
    spec["endpoints"]["front"]["publish"] = ["13868:3868/sctp", "13870:3870/sctp"]
    put(world, spec)
    for name in ("pg", "front"):
        for port in (3868, 3869, 3870):
            world.ns(name).serve(port, "sctp")
    passes(world, "api", "pg", 3868, "sctp")
    closed(world, "api", "pg", 3869, "sctp")
    closed(world, "front", "pg", 3868, "sctp")
    for family in FAMILIES:
        assert world.lan.connect(family.host, 13868, "sctp").server == "front"
        world.denied(world.lan, family.host, 13870, world.ns("front"), "sctp", at_port=3870)


# ---- P5 ------------------------------------------------------------------------------------------

ANYONE = {"from": "endpoints", "to": {"network": "db"}}
ORDERS = [
    # (policies, may 80, may 5432)
    ([policy("a", "deny", **ANYONE), policy("b", "allow", ports=["80/tcp"], **ANYONE)], False, False),
    ([policy("a", "deny", **ANYONE), policy("b", "allow", ports=["80/tcp"], priority=1, **ANYONE)], True, False),
    ([policy("a", "allow", priority=2, **ANYONE), policy("b", "deny", ports=["80/tcp"], priority=1, **ANYONE)], True, True),
    ([policy("a", "allow", **ANYONE), policy("b", "reject", ports=["80/tcp"], **ANYONE)], False, True),
    ([policy("a", "allow", priority=-1, **ANYONE), policy("b", "deny", ports=["1-1000/tcp"], **ANYONE)], False, True),
]


@behaviour("P5", "S9")
@pytest.mark.parametrize("number", range(len(ORDERS)))
def test_order(world, number):
    policies, may_80, may_5432 = ORDERS[number]
    put(world, two(policies))
    serve(world)
    (passes if may_80 else closed)(world, "api", "pg", 80)
    (passes if may_5432 else closed)(world, "api", "pg", 5432)


@behaviour("P5", "S9")
@elsewhere
def test_defaults(world):
    """A network that lets nothing out, and one that lets everybody in."""
    put(world, two(web={"default": {"egress": "deny"}}, db={"default": {"ingress": "allow"}}))
    world.lan.serve(80)
    serve(world, ports=(80,))
    closed(world, "api", "pg", 80)
    closed(world, "api", "front", 80)  # of the same network
    for family in FAMILIES:
        world.denied(world.ns("api"), family.outside, 80, world.lan, marker=family.lan)
        assert world.ns("pg").connect(family.outside, 80).server == "lan"
        assert world.lan.connect(family.host, 8080).server == "front"  # published: replies follow
        world.denied(world.lan, world.address("pg", family.version), 80, world.ns("pg"))  # no outsider is let in
    assert drops(world)["egress default"] >= 6
    put(world, two(db={"default": {"ingress": "allow"}}))
    passes(world, "api", "pg", 80)
    passes(world, "pg", "spare", 80)
    closed(world, "pg", "api", 80)


@behaviour("P5", "S9")
def test_default_deny_and_what_is_let_through(world):
    """Both gates of both networks are closed; one end's word is not enough."""
    shut = {"default": {"ingress": "deny", "egress": "deny"}}
    api_to_pg = {"from": {"endpoint": "api"}, "to": {"endpoint": "pg"}}
    put(world, two(web=shut, db=shut))
    serve(world)
    closed(world, "api", "pg", 80)
    closed(world, "pg", "spare", 80)
    put(world, two([policy("out", direction="egress", **api_to_pg)], web=shut, db=shut))
    closed(world, "api", "pg", 80)
    put(world, two([policy("in", direction="ingress", **api_to_pg)], web=shut, db=shut))
    closed(world, "api", "pg", 80)
    put(world, two([policy("out", direction="egress", **api_to_pg),
                     policy("in", direction="ingress", ports=["80/tcp"], **api_to_pg)], web=shut, db=shut))
    passes(world, "api", "pg", 80)
    closed(world, "api", "pg", 5432)
    closed(world, "front", "pg", 80)
    closed(world, "pg", "api", 80)
    put(world, two([policy("both", ports=["5432/tcp"], **api_to_pg)], web=shut, db=shut))
    passes(world, "api", "pg", 5432)
    closed(world, "api", "pg", 80)


@behaviour("P2", "P5", "S9")
def test_no_policy_opens_what_is_internal_or_isolated(world):
    everything = policy("everything", priority=100)
    put(world, two([everything], web={"isolate": True}, db={"internal": True}))
    world.lan.serve(80)
    serve(world, ports=(80,))
    closed(world, "api", "pg", 80)
    closed(world, "pg", "api", 80)
    closed(world, "api", "front", 80)
    for family in FAMILIES:
        world.denied(world.ns("pg"), family.outside, 80, world.lan, marker=family.lan)
        assert world.ns("api").connect(family.outside, 80).server == "lan"


# ---- P7, P8, P10 -----------------------------------------------------------------------------------


@behaviour("P7", "S9")
@elsewhere
def test_published_traffic(world):
    """By the client's address, and by the endpoint's own port behind the mapping."""
    world.lan.run("ip", "addr", "add", "192.0.2.3/24", "dev", "eth0")
    world.lan.run("ip", "addr", "add", "2001:db8::3/64", "dev", "eth0", "nodad", "preferred_lft", "0")
    put(world, two([policy("blocked", "deny", to={"endpoint": "front"}, ports=["80/tcp"],
                            **{"from": {"cidr": ["192.0.2.3/32", "2001:db8::3/128"]}}),
                     policy("not-this", "deny", to={"endpoint": "front"}, ports=["8080/tcp"], **{"from": "any"})]))
    serve(world, ports=(80,))
    front = world.ns("front")
    for family, other in zip(FAMILIES, ("192.0.2.3", "2001:db8::3")):
        assert world.lan.connect(family.host, 8080).server == "front"
        world.denied(world.lan, family.host, 8080, front, at_port=80, src=other)
        assert world.ns("pg").connect(family.host, 8080).server == "front"
    put(world, two([policy("some", to={"endpoint": "front"}, ports=["80/tcp"],
                            **{"from": {"cidr": ["192.0.2.3/32", "2001:db8::3/128"]}})],
                    web={"default": {"ingress": "deny"}}))
    for family, other in zip(FAMILIES, ("192.0.2.3", "2001:db8::3")):
        assert world.lan.connect(family.host, 8080, src=other).server == "front"
        world.denied(world.lan, family.host, 8080, front, at_port=80)
        world.denied(world.ns("pg"), family.host, 8080, front, at_port=80)


@behaviour("P8", "S9")
@elsewhere
@every_switch
def test_within_one_bridge(world):
    put(world, two([policy("only-80", "deny", ports=["5432/tcp", "5432/udp"], to={"endpoint": "front"},
                            **{"from": {"endpoint": "api"}})]))
    world.lan.serve(80)
    serve(world)
    passes(world, "api", "front", 80)
    closed(world, "api", "front", 5432)
    closed(world, "api", "front", 5432, "udp")
    passes(world, "front", "api", 5432)
    passes(world, "pg", "spare", 5432)  # their network is none of it
    for family in FAMILIES:
        assert world.ns("api").ping(world.address("front", family.version)) == 64
        assert world.ns("api").connect(family.host, 8080).server == "front"
        assert world.ns("front").connect(family.host, 8080).server == "front"  # itself, by the host
        assert world.ns("api").connect(family.outside, 80).server == "lan"
    put(world, two())
    passes(world, "api", "front", 5432)


@behaviour("P8", "S9")
@every_switch
def test_a_closed_bridge(world):
    """Nothing within, but what is let through; neighbours still find each other."""
    put(world, two([policy("one", ports=["80/tcp"], to={"endpoint": "front"}, **{"from": {"endpoint": "api"}})],
                    web={"default": {"ingress": "deny"}}))
    serve(world)
    passes(world, "api", "front", 80)
    closed(world, "api", "front", 5432)
    closed(world, "front", "api", 80)
    assert drops(world)["ingress default"] >= 4


@behaviour("P8", "S9")
@elsewhere
@every_switch
def test_link_local_within_one_bridge(world):
    """No policy can mean these addresses, so nothing but discovery has them; where nothing is bound, they are free."""
    put(world, two([policy("only-80", "deny", ports=["5432/tcp", "5432/udp"], to={"endpoint": "front"},
                           **{"from": {"endpoint": "api"}})]))
    serve(world)
    api, front = world.ns("api"), world.ns("front")
    passes(world, "api", "front", 80)
    for ns in (api, front):
        ns.run("ip", "neigh", "flush", "dev", "eth0")
    for proto in ("tcp", "udp"):
        world.denied(api, by_link(front, "eth0"), 5432, front, proto)
        world.denied(api, by_link(front, "eth0"), 5432, front, proto, src=world.address("api", 6))
        world.denied(api, world.address("front", 6), 5432, front, proto, src=by_link(api, "eth0"))
    assert drops(world)["link-local address"] >= 6
    passes(world, "api", "front", 80)
    assert world.ns("pg").connect(by_link(world.ns("spare"), "eth0"), 5432).server == "spare"
    put(world, two())
    assert api.connect(by_link(front, "eth0"), 5432).server == "front"


TWINS = "02:00:00:00:88:10"


@behaviour("P4", "P6", "S9")
@elsewhere
@pytest.mark.parametrize("mode", ["bridge", "routed"])
def test_link_local_and_the_host(world, mode):
    """Between the host and an endpoint it is the endpoint's address as the others are, in its own network."""
    spec = two(web={"mode": mode}, db={"mode": mode})
    spec["endpoints"]["api"]["networks"] = {"web": {"mac": TWINS}}
    spec["endpoints"]["pg"]["networks"] = {"db": {"mac": TWINS}}
    put(world, spec)
    serve(world)
    for port in (22, 80):
        world.host.serve(port)
    ns = {name: world.ns(name) for name in ("api", "front", "pg")}
    port = {name: world.endpoint(name)["attachments"][0]["host_ifname"] if mode == "routed" else "wb-" + net
            for name, net in (("api", "web"), ("front", "web"), ("pg", "db"))}
    here = {name: by_link(world.host, port[name]) for name in ns}
    assert ns["api"].open(1, here["api"], 22).server == "host"
    spec["policies"] = [policy("no-ssh", "reject", ports=["22/tcp"], to="host", **{"from": {"endpoint": "api"}}),
                        policy("alone", "deny", ports=["80/tcp"], to={"endpoint": "front"}, **{"from": "host"})]
    put(world, spec)
    assert ns["api"].say(1, "still", ms=ATTEMPT_MS) != "still"
    silent = ("refused", "timeout")  # some kernels send the reset nowhere: it names no interface
    assert ns["api"].connect(here["api"], 22, ms=ATTEMPT_MS).outcome in silent
    assert ns["api"].connect(GATEWAY[6] % 1, 22, src=by_link(ns["api"], "eth0"), ms=ATTEMPT_MS).outcome in silent
    assert ns["api"].connect(here["api"], 80).server == "host"
    assert ns["front"].connect(here["front"], 22).server == "host"
    assert ns["pg"].connect(here["pg"], 22).server == "host"  # api's MAC, in another network
    world.denied(world.host, by_link(ns["front"], "eth0", port["front"]), 80, ns["front"])
    for name, there in (("front", 5432), ("api", 80), ("pg", 80)):
        assert world.host.connect(by_link(ns[name], "eth0", port[name]), there).server == name


@behaviour("P10", "S9", "S10")
@elsewhere
def test_an_endpoint_attached_later(world):
    put(world, two([policy("db", ports=["5432/tcp"], to={"labels": {"role": "db"}}, **{"from": {"labels": {"role": "api"}}})]))
    serve(world)
    closed(world, "front", "pg", 5432)
    world.weir("endpoint", "add", "api2", "--network", "web", "--label", "role=api")
    world.weir("endpoint", "add", "pg2", "--network", "db", "--label", "role=db")
    world.ns("pg2").serve(5432)
    world.ns("pg2").serve(80)
    passes(world, "api2", "pg", 5432)
    passes(world, "api2", "pg2", 5432)
    passes(world, "api", "pg2", 5432)
    closed(world, "api", "pg2", 80)
    closed(world, "front", "pg2", 5432)
    address = world.address("api2")
    world.weir("endpoint", "rm", "api2")
    world.weir("endpoint", "add", "later", "--network", "web,ip=" + address)  # its address, not its labels
    closed(world, "later", "pg", 5432, families=FAMILIES[:1])


@behaviour("S10", "P5", "S9")
def test_no_gap_while_policies_change(world):
    """A flood that must never pass, while other policies come and go and the lists are made anew."""
    shut = {"default": {"ingress": "deny"}}
    never = policy("never", "deny", priority=9, ports=["7000/udp"], to={"endpoint": "pg"})

    def spec(number):
        return two([never, policy("some", ports=["%d/tcp" % (1000 + number)], to={"network": "db"}),
                    policy("p%d" % number, "deny", to={"cidr": ["10.%d.0.0/16" % number, "fd00:%d::/32" % number]})], db=shut)

    put(world, spec(0))
    pg = world.ns("pg")
    pg.watch()
    floods = [world.machine.popen([world.place.probe, "flood", world.address("pg", family.version), "7000", "200"],
                                  world.ns("api").path) for family in FAMILIES]
    try:
        for number in range(1, 6):
            put(world, spec(number))
    finally:
        for flood in floods:
            flood.kill()
            flood.finish()
    assert drops(world)["policy"] > 0
    for family in FAMILIES:
        seen = [f for f in world.until_marker(pg, pg.addresses("eth0", family.version)[0]) if f.dport == 7000]
        assert not seen, "%d packets came through" % len(seen)


@behaviour("U5")
def test_counters(world):
    put(world, two([policy("api-to-pg", ports=["5432/tcp"], to={"endpoint": "pg"}, **{"from": {"endpoint": "api"}}),
                     policy("no-udp", "deny", ports=["udp"], to={"network": "db"}, **{"from": {"network": "web"}})]))
    serve(world)
    for _ in range(3):
        passes(world, "api", "pg", 5432)
    closed(world, "front", "spare", 80, "udp")

    def connections():
        return {p["name"]: p["connections"] for p in world.weir("policy", "ls", json=True)["policies"]}

    wait_until(lambda: connections() == {"api-to-pg": 6, "no-udp": 2}, "the counters")
    assert drops(world)["policy"] == 2


@behaviour("U4")
def test_one_more_endpoint_is_elements_only(world):
    put(world, two([policy("db", ports=["5432/tcp"], to={"labels": {"role": "db"}}, **{"from": {"labels": {"role": "api"}}})]))
    said = world.weir("-vv", "endpoint", "add", "api2", "--network", "web", "--label", "role=api", "--label", "env=prod").err
    if world.backend == "nftables":
        assert "nft add element inet weir policy_from4" in said
        assert "nft add chain" not in said and "nft add rule" not in said and "nft add set" not in said


# ---- P6: what is cut stays cut -------------------------------------------------------------------


@behaviour("P6", "S9")
def test_streams_of_the_host_stay_cut(world):
    """The next segment of the other end is no flow of its own, in which the host's segments would be replies."""
    put(world, two())
    world.host.run("sh", "-c", "echo 1 >/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal")  # numbers do not matter
    pg = world.ns("pg")
    pg.serve(5432)
    opened = {}
    for number, family in enumerate(FAMILIES, 1):
        opened[number] = world.host.open(number, world.address("pg", family.version), 5432)
        assert opened[number].server == "pg"
        assert world.host.say(number, "hello") == "hello"
    put(world, two([policy("no-host", "deny", to={"endpoint": "pg"}, **{"from": "host"})]))
    for number, family in enumerate(FAMILIES, 1):
        addr, here = world.address("pg", family.version), GATEWAY[family.version] % 2
        segment = frames.tcp(addr, here, 5432, opened[number].client_port, 0x10)
        ethernet = frames.ethernet(world.host.mac("wb-db"), pg.mac(), frames.ethertype_of(segment), segment)
        before = drops(world)["not the start of a flow"]
        pg.raw("eth0", ethernet)
        wait_until(lambda: drops(world)["not the start of a flow"] > before, "the segment is dropped")
        assert world.host.say(number, "still", ms=60) != "still"
        assert pg.connect(here, 22).outcome == "refused"  # what begins is let in


def cut_from_the_host(world):
    """A stream of each family that pg has opened to the host, and that a policy denies since."""
    put(world, two())
    world.host.serve(5432)
    pg = world.ns("pg")
    for family in FAMILIES:
        assert pg.open(family.version, GATEWAY[family.version] % 2, 5432).server == "host"
        assert pg.say(family.version, "hello") == "hello"
    put(world, two([policy("no-host", "deny", to="host", **{"from": {"endpoint": "pg"}})]))
    return pg


@behaviour("P6", "S9")
@elsewhere
def test_streams_to_the_host_stay_cut(world):
    """What the host says next is no flow of its own, in which the endpoint's segments would be replies."""
    pg = cut_from_the_host(world)
    before = drops(world)["not the start of a flow"]
    world.host.shout("again")
    wait_until(lambda: drops(world)["not the start of a flow"] >= before + len(FAMILIES), "the host's segments are dropped")
    pg.serve(80)
    for family in FAMILIES:
        assert pg.say(family.version, "still", ms=ATTEMPT_MS) == "timeout"
        assert world.host.connect(world.address("pg", family.version), 80).server == "pg"  # what begins is let go


@behaviour("P6", "S9")
def test_the_host_may_end_what_was_cut(world):
    """A reset opens nothing, and the other end need not wait for its own patience to end."""
    pg = cut_from_the_host(world)
    world.host.hang_up()
    for family in FAMILIES:
        assert pg.say(family.version, "still") == "ECONNRESET"
