# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of what runs, by verb: what no option names goes on, streams and counters included."""
import pytest

from marks import behaviour, words_only
from specs import dual, on, web
from world import ARRIVE_MS, ATTEMPT_MS, FAMILIES, V4, wait_until


class Running:
    """nginx publishes 8080 and 9090; a stream of each family goes through the first, and one from api beside it."""

    def __init__(self, world):
        self.world = world
        spec = web()
        spec["endpoints"]["nginx"].update(publish=["8080:80", "9090:90"], labels={"role": "front"})
        world.apply(spec)
        world.ns("nginx").serve(80)
        for number, family in enumerate(FAMILIES, 1):
            assert world.lan.open(number, family.host, 8080).server == "nginx"
            assert world.ns("api").open(number, world.address("nginx", family.version), 80).outcome == "ok"
        self.index = world.ns("nginx").link("eth0")["ifindex"]
        self.counters = self.count()

    def count(self):
        ports = self.world.weir("port", "ls", "nginx", json=True)["ports"]
        [counted] = [p["connections"] for p in ports if p["host_ports"] == [8080, 8080]]
        return counted

    def goes_on(self):
        for number in range(1, len(FAMILIES) + 1):
            assert self.world.lan.say(number, "hello") == "hello"
            assert self.world.ns("api").say(number, "there") == "there"
        assert self.world.ns("nginx").link("eth0")["ifindex"] == self.index
        assert self.count() == self.counters > 0


def again(world, *argv):
    """Twice is once."""
    assert "nothing to change" in world.weir(*argv).out
    assert world.weir("status", json=True)["in_sync"]


@behaviour("N8", "L11", "R3")
@pytest.mark.parametrize("options, seen", [
    (["--network", "db,priority=-1"], lambda w: w.ns("nginx").addresses("eth1", 4) != []),
    (["--rate", "100mbit/100mbit"], lambda w: w.endpoint("nginx")["rate"] == "100mbit"),
    (["--label", "tier=a", "--label", "role-"], lambda w: w.endpoint("nginx")["labels"] == {"tier": "a"}),
    (["--network", "web,mtu=1400"], lambda w: w.ns("nginx").link("eth0")["mtu"] == 1400),
    (["--route", "203.0.113.128/25,via=10.88.1.9"],
     lambda w: w.ns("nginx").ip("route", "get", "203.0.113.200")[0]["gateway"] == "10.88.1.9"),
    (["--dns", "192.0.2.53"], lambda w: "192.0.2.53" in w.weir("exec", "nginx", "--", "cat", "/etc/resolv.conf").out),
    (["--forward"], lambda w: w.endpoint("nginx")["forward"] is True),
], ids=lambda value: value[0][2:] if isinstance(value, list) else "")
def test_a_change_of_one_thing(world, options, seen):
    running = Running(world)
    before = world.endpoint("nginx")
    dry = world.weir("endpoint", "set", "nginx", *options, "--dry-run", check=False)
    assert dry.code == 3 and world.endpoint("nginx") == before, str(dry)
    world.weir("endpoint", "set", "nginx", *options)
    assert seen(world), world.endpoint("nginx")
    running.goes_on()
    if not any(option.endswith("-") for option in options):
        again(world, "endpoint", "set", "nginx", *options)
    assert world.endpoint("nginx")["published"] == before["published"]


@behaviour("N8", "L11", "R3")
def test_what_was_set_is_taken_back(world):
    running = Running(world)
    before = world.endpoint("nginx")
    world.weir("endpoint", "set", "nginx", "--network", "db,priority=-1", "--rate", "100mbit", "--dns", "192.0.2.53",
               "--route", "203.0.113.128/25,via=10.88.1.9", "--forward", "--label", "tier=a")
    assert world.ns("nginx").ping(world.address("pg")) == 64
    world.weir("endpoint", "set", "nginx", "--no-network", "db", "--no-rate", "--no-dns", "--no-route",
               "203.0.113.128/25", "--no-forward", "--label", "tier-")
    assert world.endpoint("nginx") == before
    assert [link["ifname"] for link in world.ns("nginx").ip("link")] == ["lo", "eth0"]
    assert world.ns("nginx").ping(world.address("pg"), seconds=0.2) is None
    running.goes_on()
    assert world.weir("status", json=True)["in_sync"]


@behaviour("N8", "L11", "P2", "R3")
def test_a_network_is_changed(world):
    running = Running(world)
    world.weir("network", "set", "db", "--internal", "--mtu", "1400")
    assert world.ns("pg").link("eth0")["mtu"] == 1400
    assert world.ns("pg").ping(V4.outside, seconds=0.2) is None
    running.goes_on()
    again(world, "network", "set", "db", "--internal")
    world.weir("network", "set", "db", "--no-internal", "--host", "allow", "--nat", "192.0.2.1")
    assert world.ns("pg").ping(V4.outside) == 63
    assert world.weir("network", "show", "db", json=True)["network"]["nat"] == ["192.0.2.1"]
    world.weir("network", "set", "web", "--mtu", "1300")
    assert world.ns("nginx").link("eth0")["mtu"] == 1300
    running.goes_on()


class Streams:
    """Streams of each family between all kinds of ends: a, which publishes 8080 and 80, and b in n, which trusts eth0;
    c in m, which is open; the host, and the lan."""

    def __init__(self, world, mode):
        world.apply({"networks": {"n": dual(1, mode=mode, trusted=["eth0"]), "m": dual(2, default={"ingress": "allow"})},
                     "endpoints": {"a": on("n", publish=["8080:80", "80:80"]), "b": on("n"), "c": on("m")}})
        a, b, c = (world.ns(name) for name in "abc")
        for ns, ports in ((a, [80]), (c, [80]), (world.lan, [80]), (world.host, [70, 53])):
            for port in ports:
                ns.serve(port)
        self.streams = {}
        for base, family in enumerate(FAMILIES):
            at = {name: world.address(name, family.version) for name in "ac"}
            ways = {"published": (world.lan, family.host, 8080), "hairpin": (b, family.host, 8080),
                    "direct": (world.lan, at["a"], 80), "near": (b, at["a"], 80), "to host": (a, family.host, 70),
                    "resolver": (a, family.host, 53), "from host": (world.host, at["a"], 80),
                    "across": (a, at["c"], 80), "out": (a, family.outside, 80)}
            for number, (way, (ns, address, port)) in enumerate(ways.items(), 1 + 10 * base):
                assert ns.open(number, address, port).outcome == "ok", (way, family.version)
                assert ns.say(number, "before") == "before", (way, family.version)
                self.streams[way, family.version] = ns, number

    def ended(self, suspected):
        """Those of the suspected get less time."""
        return {key for key, (ns, number) in self.streams.items()
                if ns.say(number, "after", ms=ATTEMPT_MS if key in suspected else ARRIVE_MS) != "after"}


SET_N, SET_M = ["network", "set", "n"], ["network", "set", "m"]
APART = [["endpoint", "set", name, "--network", "n,isolated"] for name in "ab"]
TO_HOST = ["policy", "add", "to-host", "--from", "endpoint:a", "--to", "host", "--action", "allow"]


# what is done, which streams end by it, and of which families
CHANGES = {
    "host deny": ([[*SET_N, "--host", "deny"]], ["to host"], (4, 6)),
    "host deny but a policy": ([TO_HOST, [*SET_N, "--host", "deny"]], [], (4, 6)),
    "isolate": ([[*SET_N, "--isolate"]], ["near"], (4, 6)),
    "nat address": ([[*SET_N, "--nat", "192.0.2.11"]], ["out"], (4,)),
    "nat random": ([[*SET_N, "--nat", "masquerade,random"]], ["out"], (4, 6)),
    "nat none": ([[*SET_N, "--nat", "none"]], ["out"], (4, 6)),
    "none trusted": ([[*SET_N, "--no-trusted"]], ["direct"], (4, 6)),
    "more trusted": ([[*SET_N, "--trusted", "eth0", "--trusted", "eth1"]], [], (4, 6)),
    "others trusted": ([[*SET_N, "--trusted", "eth1"]], ["direct"], (4, 6)),
    "one isolated": (APART[:1], [], (4, 6)),
    "two isolated": (APART, ["near"], (4, 6)),
    "internal": ([[*SET_M, "--internal"]], ["across"], (4, 6)),
    "ingress deny": ([[*SET_M, "--default-ingress", "deny"]], ["across"], (4, 6)),
    "isolate and filter": ([[*SET_N, "--isolate"], [*SET_N, "--filter-bridged"]], ["near", "hairpin"], (4, 6)),
    "unpublish": ([["port", "rm", "a", "8080:80"]], ["published", "hairpin"], (4, 6)),
    "unpublish another": ([["port", "rm", "a", "80:80"]], [], (4, 6)),  # of the number that others know directly
}
ON_A_BRIDGE = ["one isolated", "two isolated", "isolate and filter"]


@behaviour("L11", "N8", "P2", "P6", "R3", "S9")
@pytest.mark.parametrize("change, mode", [(change, mode) for change in CHANGES for mode in ("bridge", "routed")
                                          if mode == "bridge" or change not in ON_A_BRIDGE])
def test_a_change_ends_what_it_refuses(world, change, mode):
    """Or translates otherwise, and nothing else."""
    changes, ways, versions = CHANGES[change]
    streams = Streams(world, mode)
    for argv in changes:
        world.weir(*argv)
    want = {(way, version) for way in ways for version in versions}
    assert streams.ended(want) == want


def roles(**of):
    """Endpoints of n, by their last numbers; a policy lets the front ones alone reach pg."""
    at = {name: {"networks": {"n": {"ip": ["10.88.1.%d" % number, "fd00:88:1::%d" % number]}}, "labels": {"role": role}}
          for name, (number, role) in of.items()}
    return {"networks": {"n": dual(1), "db": dual(2)}, "endpoints": {**at, "pg": on("db")},
            "policies": [{"name": "front", "from": {"labels": {"role": "front"}}, "to": {"endpoint": "pg"}, "action": "allow"}]}


@behaviour("N8", "P6", "S9")
@pytest.mark.parametrize("after", [
    {"other": (5, "back"), "third": (6, "front")},
    {"one": (6, "front"), "other": (5, "back")},
], ids=["replaced", "swapped"])
def test_an_address_handed_on(world, after):
    """In one change: who has it now has none of the connections that it was seen in."""
    before = {"one": (5, "front"), "other": (6, "back")} if "one" in after else {"one": (5, "front")}
    world.apply(roles(**before))
    world.ns("pg").serve(5000, "udp")
    there = [world.address("pg", family.version) for family in FAMILIES]
    for address in there:
        assert world.ns("one").connect(address, 5000, "udp", sport=4000).server == "pg"
    world.apply(roles(**after), "--prune")
    front = next(name for name, (_, role) in after.items() if role == "front")
    for address in there:
        assert world.ns("other").connect(address, 5000, "udp", sport=4000, ms=ATTEMPT_MS).outcome == "timeout"
        assert world.ns(front).connect(address, 5000, "udp", sport=4000).server == "pg"


@behaviour("L6", "L11")
@pytest.mark.parametrize("verb", ["set", "apply"])
def test_a_new_address_is_told(world, verb):
    """Another endpoint's address, known to the neighbour with that one's MAC, goes to this one."""
    spec = {"networks": {"web": dual(1)}, "endpoints": {
        "one": {"networks": {"web": {"ip": ["10.88.1.10", "fd00:88:1::10"]}}},
        "two": {"networks": {"web": {"ip": ["10.88.1.20", "fd00:88:1::20"]}}}, "peer": on("web")}}
    world.apply(spec)
    addresses = ["10.88.1.10", "fd00:88:1::10"]
    assert [world.ns("peer").ping(a) for a in addresses] == [64, 64]
    if verb == "set":
        world.weir("endpoint", "set", "one", "--network", "web,ip=10.88.1.11,ip=fd00:88:1::11")
        world.weir("endpoint", "set", "two", "--network", "web,ip=10.88.1.10,ip=fd00:88:1::10")
    else:
        spec["endpoints"]["one"]["networks"]["web"]["ip"] = ["10.88.1.11", "fd00:88:1::11"]
        world.apply(spec)
        spec["endpoints"]["two"]["networks"]["web"]["ip"] = addresses
        world.apply(spec)
    mac = world.ns("two").mac()

    def caches():
        known = {n["dst"]: n.get("lladdr") for n in world.ns("peer").ip("neigh", "show", "dev", "eth0")}
        return all(known.get(a) == mac for a in addresses)
    wait_until(caches, "the neighbour's caches")
    assert [world.ns("peer").ping(a) for a in addresses] == [64, 64]
    assert world.weir("status", json=True)["in_sync"]


@behaviour("U2", "R1")
@pytest.mark.parametrize("words, says", [
    (["endpoint", "set", "nobody", "--forward"], ["nobody", "weir endpoint ls"]),
    (["endpoint", "set", "nginx", "--no-network", "db"], ["db", "nginx"]),
    (["endpoint", "set", "nginx", "--label", "color-"], ["color-", "nginx"]),
    (["endpoint", "set", "nginx", "--network", "nowhere"], ["nowhere"]),
    (["endpoint", "set", "nginx", "--network", "web,ip=10.88.1.1"], ["10.88.1.1"]),
    (["endpoint", "set", "nginx", "--rate", "0"], ["--rate"]),
    (["network", "set", "web", "--subnet", "10.99.0.0/24"], ["web", "10.88.1.0/24"]),
    (["network", "set", "web", "--mtu", "5"], ["--mtu"]),
    (["network", "set", "nowhere", "--internal"], ["nowhere", "weir network ls"]),
])
@words_only
def test_what_cannot_be_leaves_all_as_it_was(world, words, says):
    world.apply(web())
    before = world.snapshot()
    result = world.weir(*words, check=False)
    assert result.code in (1, 2) and all(word in result.err for word in says), str(result)
    world.same(before, world.snapshot())


@behaviour("U2", "R7")
@words_only
def test_wrong_words_are_wrong_for_add_and_set(world):
    """And what only the host refuses is a failure for both."""
    world.apply(web())
    rows = [(2, "network", ["--mtu", "20"]), (2, "network", ["--nat", "foo"]), (2, "network", ["--host", "dny"]),
            (2, "network", ["--subnet", "10.88.9.0/33"]), (2, "network", ["--subnet", "10.88.9.1/24"]),
            (2, "endpoint", ["--rate", "10"]), (2, "endpoint", ["--dns", "1.2.3"]), (2, "endpoint", ["--network", "web,ipp=1"]),
            (2, "endpoint", ["--network", "web,mtu=7"]), (1, "endpoint", ["--network", "nowhere"]),
            (1, "endpoint", ["--network", "web,ip=10.99.0.1"])]
    there = {"network": "web", "endpoint": "nginx"}
    for code, kind, words in rows:
        added = world.refused(code, kind, "add", "new", *words)
        world.refused(code, kind, "set", there[kind], *words, says=added.err.replace('"new"', '"%s"' % there[kind]))


@behaviour("U2", "R7")
@words_only
def test_right_words_that_do_not_go_with_what_is_there_are_a_failure(world):
    spec = web(trusted=["eth0"])
    spec["endpoints"]["lone"] = on("web", publish=["9090:90"])
    world.apply(spec)
    world.refused(1, "endpoint", "set", "lone", "--no-network", "web", says="publish: it has no network")
    world.refused(1, "network", "set", "web", "--internal", says=["trusted interfaces", "internal"])


@behaviour("U2")
@words_only
def test_the_next_apply_of_its_file_says_what_holds(world):
    world.apply(web())
    said = world.weir("endpoint", "set", "nginx", "--label", "a=b")
    assert "nginx" in said.err and "apply" in said.err
    assert world.endpoint("nginx")["declared"] is True
    world.weir("endpoint", "add", "extra", "--network", "web")
    assert world.weir("endpoint", "set", "extra", "--label", "a=b").err == ""
    world.apply(web())
    assert world.endpoint("nginx")["labels"] == {}
    assert world.weir("endpoint", "set", "nginx", check=False).code == 2


def inside(world, name, path):
    return world.ns(name).run("cat", "/proc/sys/" + path).out.split()


@behaviour("L11", "R3")
def test_sysctls_of_an_attachment(world):
    spec = {"networks": {"web": dual(1)}, "endpoints": {"nginx": {"networks": {"web": {"ifname": "front", "sysctls": {
        "net.ipv4.conf.IFNAME.arp_ignore": 2, "net.ipv4.ping_group_range": "0 7", "net.core.somaxconn": "1234"}}}}}}
    world.apply(spec)
    assert inside(world, "nginx", "net/ipv4/conf/front/arp_ignore") == ["2"]
    assert inside(world, "nginx", "net/ipv4/ping_group_range") == ["0", "7"]
    assert "nothing to change" in world.apply(spec).out
    assert world.weir("status", json=True)["in_sync"]
    world.ns("nginx").run("sh", "-c", "echo 9 >/proc/sys/net/core/somaxconn")
    status = world.weir("status", "--json", check=False)
    assert status.code == 1 and "somaxconn" in status.out
    world.weir("repair")
    assert inside(world, "nginx", "net/core/somaxconn") == ["1234"]
    world.weir("endpoint", "set", "nginx", "--network", "web,sysctl=net.ipv4.tcp_syncookies=0")
    assert inside(world, "nginx", "net/ipv4/tcp_syncookies") == ["0"]
    [attachment] = world.endpoint("nginx")["attachments"]
    assert attachment["sysctls"] == {
        "net.core.somaxconn": "1234", "net.ipv4.conf.IFNAME.arp_ignore": "2", "net.ipv4.ping_group_range": "0 7",
        "net.ipv4.tcp_syncookies": "0"}
    assert world.ns("nginx").ping(V4.host) == 64


@behaviour("L11", "S11")
def test_settings_without_a_procfs_of_its_own(world):
    """Where the kernel has no fsopen(2), or somebody forbids it: those of the endpoint, none of the host's."""
    bare = {"LD_PRELOAD": str(world.place.fault), "WEIR_FAULT_HIDE": "fsopen"}
    keys = ["net/ipv4/conf/all/arp_ignore", "net/core/somaxconn"]
    before = [world.sysctl(key) for key in keys]
    words = "web,sysctl=net.ipv4.conf.IFNAME.arp_ignore=2,sysctl=net.core.somaxconn=1234"
    world.apply({"networks": {"web": dual(1)}})
    for name, env in (("own", {}), ("shared", bare)):
        world.weir("endpoint", "add", name, "--network", words, env=env)
        assert inside(world, name, "net/ipv4/conf/eth0/arp_ignore") == ["2"]
        assert inside(world, name, "net/core/somaxconn") == ["1234"]
        assert inside(world, name, "net/ipv6/conf/eth0/accept_ra") == ["0"]
        assert world.weir("status", json=True, env=env)["in_sync"]
    assert [world.sysctl(key) for key in keys] == before


@behaviour("L11", "S11", "R1")
@pytest.mark.parametrize("key, value, says", [
    ("kernel.hostname", "x", "not one that may be set"), ("net.ipv4.ip_forward", "1", "not one that may be set"),
    ("net.ipv4.conf.all.rp_filter", "0", "not one that may be set"),
    ("net.ipv4.conf.IFNAME.../../../kernel/hostname", "1", "not one that may be set"),
    ("net.ipv4.conf.IFNAME.forwarding", "1", "forward: true"), ("net.ipv6.conf.IFNAME.accept_ra", "2", "weir's"),
    ("net.ipv4.conf.IFNAME.arp_ignore", "1\n2", "single spaces"), ("net.core.somaxconn", "", "expected"),
    ("net.ipv4.conf.IFNAME.no_such_thing", "1", "no_such_thing"), ("net.core.somaxconn", "many", "somaxconn")])
@words_only
def test_sysctls_that_cannot_be(world, key, value, says):
    world.apply({"networks": {"web": dual(1)}})
    before = world.snapshot()
    result = world.apply({"networks": {"web": dual(1)}, "endpoints": {
        "nginx": {"networks": {"web": {"sysctls": {key: value or None}}}}}}, check=False)
    assert result.code == 1 and says in result.err, str(result)
    assert "spec.yaml:" in result.err
    world.same(before, world.snapshot())


@behaviour("L10", "L11", "R1")
def test_sysctls_stay_out_of_a_foreign_namespace(world):
    world.netns("theirs")
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.refused(2, "endpoint", "add", "nginx", "--netns", "theirs", "--network",
                  "web,sysctl=net.core.somaxconn=1", says=["sysctls", "namespace"])
    world.refused(2, "endpoint", "add", "nginx", "--network", "web,sysctl=net.core.somaxconn=1", "--network",
                  "nowhere,sysctl=net.core.somaxconn=2", says=["somaxconn", "web"])
