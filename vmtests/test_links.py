# SPDX-License-Identifier: GPL-2.0-or-later
"""L: links and namespaces."""
import itertools
import shlex

import pytest

import modes
from marks import behaviour, elsewhere, words_only
from specs import dual, everything, on, web
from world import FAMILIES, V4, V6, wait_until


@behaviour("L1")
@elsewhere
def test_namespace_is_seen_by_ip_netns(world):
    world.weir("endpoint", "add", "plain", "--mode", "none")
    assert world.host.run("ip", "netns", "list").out.split() == ["plain"]
    assert [e["name"] for e in world.weir("endpoint", "ls", json=True)["endpoints"]] == ["plain"]
    assert "plain" in world.weir("endpoint", "ls").out
    assert world.host.run("ip", "netns", "exec", "plain", "cat", "/proc/net/dev").out.count(":") == 1
    world.weir("endpoint", "rm", "plain")
    assert not world.exists("/run/netns/plain")
    assert world.weir("endpoint", "ls", json=True)["endpoints"] == []


@behaviour("L1")
def test_foreign_namespace_is_not_taken_over(world):
    foreign = world.netns("taken")
    foreign.serve(80)
    world.refused(1, "endpoint", "add", "taken", "--mode", "none", says="taken")
    assert foreign.connect("::1", 80).outcome != "ok"  # its loopback is still down: nobody was inside
    world.refused(1, "endpoint", "rm", "taken", says="taken")
    assert world.exists("/run/netns/taken")


@behaviour("L2")
@elsewhere
def test_exec_has_its_own_files(world):
    before = world.host.run("cat", "/etc/resolv.conf", check=False).out
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("endpoint", "add", "nginx", "--network", "web", "--dns", "192.0.2.53", "--dns", "2001:db8::53")
    inside = world.weir("exec", "nginx", "--", "cat", "/etc/resolv.conf").out
    assert [line.split() for line in inside.splitlines() if line.startswith("nameserver")] == [
        ["nameserver", "192.0.2.53"], ["nameserver", "2001:db8::53"]]
    hosts = [line.split() for line in world.weir("exec", "nginx", "--", "cat", "/etc/hosts").out.splitlines()]
    assert [world.address("nginx"), "nginx"] in hosts
    assert any(line[:2] == ["127.0.0.1", "localhost"] for line in hosts)
    assert world.host.run("cat", "/etc/resolv.conf", check=False).out == before
    links = world.weir("exec", "nginx", "--", "ls", "/sys/class/net").out.split()
    assert links == ["eth0", "lo"]


@behaviour("L2")
@pytest.mark.parametrize("command, code", [
    (["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["sh", "-c", "kill $$"], 143),
    (["/nonexistent"], 127), (["/etc/passwd"], 126)])
def test_exec_passes_the_exit_code(world, command, code):
    world.weir("endpoint", "add", "plain", "--mode", "none")
    # seen from a shell, as users do
    line = " ".join(map(shlex.quote, [str(world.place.weir), "exec", "plain", "--", *command]))
    assert world.host.run("sh", "-c", line + "; exit $?", check=False).code == code


@behaviour("L2")
def test_exec_passes_words_and_input(world):
    world.weir("endpoint", "add", "plain", "--mode", "none")
    assert world.weir("exec", "plain", "--", "cat", stdin="a b\n").out == "a b\n"
    assert world.weir("exec", "plain", "--", "printf", "%s.", "", "--json", "a b").out == ".--json.a b."
    assert world.weir("exec", "plain", "sh", "-c", "exit 3", check=False).code in (2, 3)
    result = world.weir("exec", "nobody", "--", "true", check=False)
    assert result.code == 1 and "nobody" in result.err


@behaviour("L3", "L13")
@elsewhere
def test_wire_without_a_bridge(world):
    world.apply({"networks": {"wire": {**dual(1), "mode": "p2p"}},
                 "endpoints": {"left": on("wire"), "right": on("wire")}})
    left, right = world.ns("left"), world.ns("right")
    assert world.host.run("ip", "-br", "link", "show", "type", "bridge").out == ""
    assert [l["ifname"] for l in world.host.ip("link")] == ["lo", "eth0"]
    for family in FAMILIES:
        assert left.ping(world.address("right", family.version)) == 64
        assert right.ping(world.address("left", family.version)) == 64
    world.weir("endpoint", "rm", "left")
    assert not world.exists("/run/netns/left")
    world.apply({"networks": {"wire": {**dual(1), "mode": "p2p"}},
                 "endpoints": {"left": on("wire"), "right": on("wire")}})
    assert world.ns("left").ping(world.address("right")) == 64


@behaviour("L3")
def test_wire_has_two_ends(world):
    world.apply({"networks": {"wire": {**dual(1), "mode": "p2p"}},
                 "endpoints": {"left": on("wire"), "right": on("wire")}})
    world.refused(1, "endpoint", "add", "third", "--network", "wire", says="wire")


@behaviour("L4", "L13")
@elsewhere
def test_all_pairs_on_one_bridge(world):
    names = ["e%d" % i for i in range(5)]
    world.apply({"networks": {"web": dual(1)}, "endpoints": {name: on("web") for name in names}})
    for one, other in itertools.permutations(names, 2):
        for family in FAMILIES:
            assert world.ns(one).ping(world.address(other, family.version)) == 64
    shown = world.weir("network", "show", "web", json=True)["network"]
    learnt = {entry["mac"]: entry.get("endpoint") for entry in shown["fdb"] if not entry["permanent"]}
    assert learnt == {world.ns(name).mac(): name for name in names}
    text = world.weir("network", "show", "web").out
    assert all(world.ns(name).mac() in text for name in names)
    assert shown["endpoints"] == 5 and [m["endpoint"] for m in shown["members"]] == names


@behaviour("L5", "L13")
@elsewhere
def test_router_between_two_segments(world):
    world.apply({
        "networks": {"left": dual(1, gateway="router"), "right": dual(2, gateway="router")},
        "endpoints": {
            "router": {"networks": {"left": {"ip": "10.88.1.11"}, "right": {"ip": "10.88.2.11"}}, "forward": True},
            "a": on("left"), "b": on("right")}})
    for family in FAMILIES:
        assert world.ns("a").ping(world.address("b", family.version)) == 63
        assert world.ns("b").ping(world.address("a", family.version)) == 63
    route = world.ns("a").ip("route", "show", "default")
    assert [r["gateway"] for r in route] == ["10.88.1.11"]
    assert [a for a in world.host.addresses("wb-left", 4)] == []
    assert world.sysctl("net/ipv4/ip_forward") == "0"  # the host forwards nothing for them


@behaviour("L5", "U1")
@words_only
def test_a_gateway_that_is_not_there(world):
    """It may come later; until then whoever reads is told that nobody has a default route."""
    words = "no endpoint of that name is in the network, and until it is, nobody there has a default route"
    spec = {"networks": {"left": dual(1, gateway="ruoter"), "right": dual(2)},
            "endpoints": {"api": on("left"), "router": on("left", "right", forward=True)}}
    for argv in (["plan"], ["apply"]):
        said = world.weir(*argv, world.spec(spec), check=False)
        assert said.err.startswith("weir: warning: spec.yaml:") and "gateway ruoter: " + words in said.err, str(said)
        assert said.err.count("warning") == 1
    assert not world.weir("apply", "spec.yaml").err, "said once"
    assert "subnet 10.88.1.0/24 gateway none (endpoint ruoter)\n" in world.weir("network", "show", "left").out
    assert "gateway 10.88.1.l: " + words in world.weir("network", "set", "left", "--gateway", "10.88.1.l", "-n", check=False).err
    assert words not in world.weir("network", "set", "left", "--gateway", "router").err
    shown = world.weir("network", "show", "left").out
    assert "gateway %s (endpoint router)\n" % world.address("router") in shown and "none" not in shown, shown
    assert "gateway router: " + words in world.weir("endpoint", "rm", "router").err
    made = world.weir("network", "add", "more", "--gateway", "later")
    assert 'warning: network "more": gateway later: ' + words in made.err, str(made)
    assert not world.weir("endpoint", "add", "later", "--network", "more", "--forward").err


@behaviour("L6")
@elsewhere
def test_mac_of_choice_and_its_change(world):
    spec = web()
    spec["endpoints"]["nginx"]["networks"] = {"web": {"mac": "02:00:00:00:02:10", "ip": "10.88.1.10"}}
    world.apply(spec)
    assert world.ns("nginx").mac() == "02:00:00:00:02:10"
    for family in FAMILIES:
        assert world.ns("api").ping(world.address("nginx", family.version)) == 64
    spec["endpoints"]["nginx"]["networks"] = {"web": {"mac": "02:00:00:00:02:11", "ip": "10.88.1.10"}}
    world.apply(spec)
    assert world.ns("nginx").mac() == "02:00:00:00:02:11"

    def caches():
        known = {n["dst"]: n.get("lladdr") for n in world.ns("api").ip("neigh", "show", "dev", "eth0")}
        return all(known.get(world.address("nginx", f.version)) == "02:00:00:00:02:11" for f in FAMILIES)
    wait_until(caches, "the neighbour's caches")
    for family in FAMILIES:
        assert world.ns("api").ping(world.address("nginx", family.version)) == 64


@behaviour("L6")
@words_only
@pytest.mark.parametrize("mac, says", [
    ("01:00:5e:00:00:01", "multicast"), ("00:00:00:00:00:00", "mac"), ("02:00:00:00:02", "mac"),
    ("02-00-00-00-02-xx", "mac")])
def test_mac_that_cannot_be(world, mac, says):
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    result = world.weir("endpoint", "add", "nginx", "--network", "web,mac=" + mac, check=False)
    assert result.code in (1, 2) and (says in result.err.lower() or mac in result.err), str(result)
    assert world.weir("endpoint", "ls", json=True)["endpoints"] == []


@behaviour("L6")
def test_mac_taken(world):
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("endpoint", "add", "nginx", "--network", "web,mac=02:00:00:00:02:10")
    world.refused(1, "endpoint", "add", "api", "--network", "web,mac=02:00:00:00:02:10",
                  says=["nginx", "02:00:00:00:02:10"])


@behaviour("L7")
@elsewhere
def test_loopback_is_up_everywhere(world):
    world.netns("foreign")
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("endpoint", "add", "own", "--network", "web")
    world.weir("endpoint", "add", "none", "--mode", "none")
    world.weir("endpoint", "add", "attached", "--network", "web", "--netns", "foreign")
    for name in ("own", "none", "foreign"):
        assert "UP" in world.ns(name).link("lo")["flags"], name
        assert world.ns(name).ping("127.0.0.1") == 64


@behaviour("L8", "L13")
@elsewhere
def test_bridge_joins_host_endpoint_and_outside(world):
    world.apply(web())
    for family in FAMILIES:
        addr = world.address("nginx", family.version)
        assert world.host.ping(addr) == 64
        assert world.ns("nginx").ping(family.host) == 64
        assert world.ns("nginx").ping(family.outside) == 63
        assert world.ns("nginx").ping("10.88.1.1" if family is V4 else "fd00:88:1::1") == 64
    bridge = world.host.link("wb-web")
    assert bridge["linkinfo"]["info_data"]["stp_state"] == 0
    assert bridge["linkinfo"]["info_data"]["forward_delay"] == 0
    assert sorted(world.host.addresses("wb-web")) == ["10.88.1.1", "fd00:88:1::1"]


@behaviour("L8")
def test_first_packet_passes_at_once(world):
    """Neither the bridge's learning nor IPv6's address detection makes anybody wait."""
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24", "--subnet", "fd00:88:1::/64")
    for number, family in enumerate(FAMILIES):
        name = "e%d" % number
        world.weir("endpoint", "add", name, "--network", "web")
        assert world.ns(name).ping(family.outside) == 63


@behaviour("L8")
def test_bridge_mac_stays(world):
    world.apply(web())
    mac = world.host.mac("wb-web")
    world.weir("endpoint", "add", "low", "--network", "web,mac=02:00:00:00:00:01")
    world.weir("endpoint", "rm", "nginx")
    assert world.host.mac("wb-web") == mac


@behaviour("L9")
@elsewhere
def test_host_mode(world):
    world.weir("endpoint", "add", "agent", "--mode", "host")
    inside = world.weir("exec", "agent", "--", "readlink", "/proc/self/ns/net").out
    assert inside == world.host.run("readlink", "/proc/self/ns/net").out
    assert not world.exists("/run/netns/agent")
    before = world.snapshot()
    result = world.weir("endpoint", "add", "other", "--mode", "host", "-p", "8080:80", check=False)
    assert result.code in (1, 2) and "host" in result.err and "publish" in result.err, str(result)
    world.same(before, world.snapshot())
    world.weir("endpoint", "rm", "agent")
    assert world.host.ping(V4.lan) == 64


@behaviour("L9")
def test_none_mode(world):
    world.weir("endpoint", "add", "alone", "--mode", "none")
    assert [l["ifname"] for l in world.ns("alone").ip("link")] == ["lo"]
    assert world.ns("alone").ping(V4.lan) is None
    assert [l["ifname"] for l in world.host.ip("link")] == ["lo", "eth0"]


@behaviour("L10")
@elsewhere
@pytest.mark.parametrize("how", ["name", "path", "pid"])
def test_existing_namespace(world, how):
    if how == "pid":
        agent, path = world.machine.netns("foreign")
        words = ["--pid", agent.pid]
    else:
        path = world.netns("foreign").path
        words = ["--netns", "foreign" if how == "name" else "/run/netns/foreign"]
    def links():
        return world.machine.run(["ls", "/proc/self/net/dev_snmp6"], path).out.split()
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("endpoint", "add", "nginx", "--network", "web", *words, "-p", "8080:80")
    assert links() == ["eth0", "lo"]
    assert world.host.ping(world.address("nginx")) == 64
    assert world.endpoint("nginx")["netns"] == "path"
    world.weir("endpoint", "rm", "nginx")
    assert links() == ["lo"]
    assert how == "pid" or world.exists("/run/netns/foreign")


@behaviour("L10", "R1")
def test_refused_a_foreign_namespace_is_as_it_was(world):
    """What weir switches on there is last: the loopback is never switched off again."""
    theirs = world.netns("foreign")
    def settings():
        up = "UP" in theirs.ip("link", "show", "dev", "lo")[0]["flags"]
        return up, theirs.run("cat", "/proc/sys/net/ipv4/ip_forward").out.strip()
    theirs.run("ip", "link", "set", "lo", "down")
    theirs.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "other")
    spec = {"networks": {"web": dual(1), "db": dual(2)}, "endpoints": {"nginx": {
        "netns": "foreign", "forward": True, "networks": ["web", "db"]}}}
    world.refused(1, "apply", world.spec(spec), says=["eth1", "not weir's"])
    assert settings() == (False, "0")
    theirs.run("ip", "link", "del", "eth1")
    world.apply(spec)
    assert settings() == (True, "1")
    theirs.run("ip", "link", "set", "lo", "down")
    assert "loopback is down" in world.weir("status", check=False).out
    world.weir("repair")
    assert settings() == (True, "1") and world.weir("status", json=True)["in_sync"]


FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}


@behaviour("L5", "L10")
@pytest.mark.parametrize("how", ["set", "rm", "delete", "moved"])
@pytest.mark.parametrize("on_before", [(), (4,), (6,)], ids=["none", "IPv4", "IPv6"])
def test_a_foreign_namespace_gets_back_what_it_forwarded(world, on_before, how):
    """The kernel writes others with it. What was on before weir came stays on."""
    theirs, keys = world.netns("foreign"), (
        *FORWARDING.values(), "net/ipv4/conf/all/accept_redirects", "net/ipv4/conf/all/forwarding",
        "net/ipv4/conf/default/forwarding", "net/ipv4/conf/lo/forwarding", "net/ipv6/conf/default/forwarding")
    def settings():
        return theirs.run("sh", "-c", 'for key; do cat "/proc/sys/$key"; done', "sh", *keys).out.split()
    for version in on_before:
        theirs.run("sh", "-c", "echo 1 >/proc/sys/" + FORWARDING[version])
    theirs.run("sh", "-c", "echo 0 >/proc/sys/net/ipv4/conf/all/accept_redirects")
    before = settings()
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    for again in range(2):
        world.weir("endpoint", "add", "e", "--netns", "foreign", "--network", "web", "--forward")
        assert settings()[:2] == ["1", "1"]
        assert world.weir("status", json=True)["in_sync"]
        if how == "set":
            world.weir("endpoint", "set", "e", "--no-forward")
            assert settings() == before
            world.weir("endpoint", "set", "e", "--forward")
            assert settings()[:2] == ["1", "1"]
            world.weir("endpoint", "set", "e", "--no-forward")
            assert world.weir("status", json=True)["in_sync"]
        if how == "moved":
            world.netns("other-%d" % again)
            world.apply({"endpoints": {"e": on("web", netns="other-%d" % again, forward=True)}})
            assert settings() == before
        world.weir(*{"delete": ["delete", "--all"]}.get(how, ["endpoint", "rm", "e"]))
        assert settings() == before
        if how == "delete":
            world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    assert "ifalias" not in theirs.ip("link", "show", "dev", "lo")[0]


@behaviour("L5", "L10")
def test_a_foreign_namespace_with_an_alias_goes_on_forwarding(world):
    theirs = world.netns("foreign")
    def settings():
        return theirs.run("sh", "-c", 'for key; do cat "/proc/sys/$key"; done', "sh", *FORWARDING.values()).out.split()
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    theirs.run("ip", "link", "set", "lo", "alias", "mine")
    world.weir("endpoint", "add", "e", "--netns", "foreign", "--network", "web", "--forward")
    assert settings() == ["1", "1"]
    world.weir("endpoint", "rm", "e")  # nothing says what it was
    assert settings() == ["1", "1"] and theirs.ip("link", "show", "dev", "lo")[0]["ifalias"] == "mine"


@behaviour("L11")
@words_only
@pytest.mark.parametrize("to, own", [("10.99.0.0/16", "10.88.1.9"), ("fd00:99::/64", "fd00:88:1::9")])
def test_a_route_by_way_of_oneself_is_refused(world, to, own):
    """Whether the address was named or chosen."""
    named = {"networks": {"web": {"ip": [own]}}, "routes": [{"to": to, "via": own}]}
    world.refused(1, "apply", world.spec({"networks": {"web": dual(1)}, "endpoints": {"e": named}}),
                  says=["spec.yaml", "via " + own, "its own address"])
    world.apply({"networks": {"web": dual(1)}, "endpoints": {"e": on("web")}})
    chosen = world.address("e", 4 if "." in to else 6)
    world.refused(1, "endpoint", "set", "e", "--route", "%s,via=%s" % (to, chosen), says=["via " + chosen, "its own address"])


@behaviour("L10", "L11", "R1")
@elsewhere
def test_a_foreign_namespace_keeps_its_default_route(world):
    """The kernel would put weir's in its place. What has another metric stands beside weir's."""
    theirs = world.netns("foreign")
    theirs.run("ip", "-batch", "-", stdin="""
        link add eth9 type veth peer name other
        link set other up
        link set eth9 up
        addr add 172.16.0.2/24 dev eth9
        addr add fd00:9::2/64 dev eth9 nodad
    """)
    gateway = {4: "172.16.0.1", 6: "fd00:9::1"}
    def route(verb, version, *words):
        return theirs.run("ip", "-%d" % version, "route", verb, "default", "via", gateway[version], "dev", "eth9", *words)
    def default(version):
        return [(r["gateway"], r["dev"]) for r in theirs.ip("-%d" % version, "route", "show", "default")]
    spec = {"networks": {"web": dual(1), "db": dual(2)},
            "endpoints": {"api": {"netns": "foreign", "networks": {"web": {}, "db": {"priority": 1}}}}}
    world.apply({"networks": spec["networks"]})
    name = world.spec(spec)
    for version in (4, 6):
        route("add", version)
        before = world.snapshot()
        world.refused(1, "apply", name, says=["/run/netns/foreign", "IPv%d default route by eth9" % version, "remove it"])
        assert default(version) == [(gateway[version], "eth9")]
        world.same(before, world.snapshot())
        route("del", version)
        route("add", version, "metric", "2000")
    world.apply(spec)
    assert (default(4)[0][0], default(6)[0][0]) == ("10.88.2.1", "fd00:88:2::1")
    spec["endpoints"]["api"]["networks"]["web"]["priority"] = 2
    world.apply(spec)
    assert (default(4)[0][0], default(6)[0][0]) == ("10.88.1.1", "fd00:88:1::1"), "between weir's own it moves"
    for version in (4, 6):
        metric = {4: "0", 6: "1024"}[version]
        route("replace", version, "metric", metric)
        assert "default route by eth9" in world.weir("repair", check=False).err
        assert default(version)[0] == (gateway[version], "eth9")
        route("del", version, "metric", metric)
        world.weir("repair")
    world.weir("delete", "--all")
    assert [default(4), default(6)] == [[(gateway[4], "eth9")], [(gateway[6], "eth9")]]


@behaviour("L10")
@pytest.mark.parametrize("words, says", [
    (["--netns", "absent"], "absent"),
    (["--netns", "/run/netns/absent"], "/run/netns/absent"),
    (["--netns", "/etc/passwd"], "/etc/passwd"),
    (["--netns", "/"], "/"),
    (["--netns", "/proc/self/ns/mnt"], "/proc/self/ns/mnt"),
    (["--pid", "4194303"], "4194303")])
def test_wrong_namespace(world, words, says):
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.refused(1, "endpoint", "add", "nginx", "--network", "web", *words, "-p", "8080:80", says=says)
    assert world.weir("endpoint", "ls", json=True)["endpoints"] == []


@behaviour("L10")
@words_only
@pytest.mark.parametrize("pid", ["0", "-1", "x", "99999999999999999999"])
def test_wrong_pid(world, pid):
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    before = world.snapshot()
    result = world.weir("endpoint", "add", "nginx", "--network", "web", "--pid=" + pid, check=False)
    assert result.code in (1, 2) and pid in result.err, str(result)
    world.same(before, world.snapshot())


@behaviour("L10", "R2")
def test_vanished_namespace_is_dropped_by_repair(world):
    world.netns("foreign")
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    before = world.snapshot()
    world.weir("endpoint", "add", "nginx", "--network", "web", "--netns", "foreign", "-p", "8080:80")
    world.leave()
    world.host.run("ip", "netns", "del", "foreign")
    wait_until(lambda: len(world.host.ip("link")) == 3, "the veth to go with its namespace")
    assert "nginx" in world.weir("repair").out
    assert world.weir("endpoint", "ls", json=True)["endpoints"] == []
    lines = [line for line in before if "foreign" not in line]
    world.same(lines, world.snapshot())


def again_with_its_inode(world, name):
    """The user's own namespace in the place of one that is gone. The kernel gives inodes anew as soon as it is
    done with who had them; where somebody else was faster, another one is as good."""
    path = world.machine.path("/run/netns/" + name)
    was = path.inode()
    world.leave()
    for _ in range(20):
        world.host.run("ip", "netns", "del", name)
        world.host.run("ip", "netns", "add", name)
        if path.inode() == was:
            break
    return world.ns(name)


def tells_namespaces_apart(world):
    """By SO_NETNS_COOKIE, where two have the same inode."""
    return tuple(int(number) for number in world.place.kernel.split(".")[:2]) >= (5, 14)


@behaviour("L1", "R2")
@elsewhere
def test_another_namespace_with_the_same_inode_stays(world):
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("endpoint", "add", "nginx", "--network", "web")
    theirs = again_with_its_inode(world, "nginx")
    theirs.run("ip", "link", "add", "mine", "type", "veth", "peer", "name", "mine2")
    theirs.run("ip", "link", "set", "lo", "up")
    result = world.weir("repair", check=False)
    assert result.code == 1 and "not weir's" in result.err, str(result)
    if tells_namespaces_apart(world):
        assert world.weir("exec", "nginx", "true", check=False).code == 1
    world.weir("endpoint", "rm", "nginx")
    assert sorted(link["ifname"] for link in theirs.ip("link")) == ["lo", "mine", "mine2"]
    assert world.exists("/run/netns/nginx")


@behaviour("L10", "R2", "S1")
def test_next_user_of_an_inode_inherits_nothing(world):
    """A container's namespace is gone, and the next one has its path and its inode."""
    if not tells_namespaces_apart(world):
        pytest.skip("this kernel tells no namespace from the next one with its inode")
    world.netns("foreign")
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("endpoint", "add", "nginx", "--network", "web", "--netns", "foreign", "-p", "8080:80")
    theirs = again_with_its_inode(world, "foreign")
    assert world.weir("exec", "nginx", "true", check=False).code == 1 and world.weir("status", check=False).code == 1
    assert "nginx" in world.weir("repair").out
    assert world.weir("endpoint", "ls", json=True)["endpoints"] == []
    assert [link["ifname"] for link in theirs.ip("link")] == ["lo"]


@behaviour("L11")
@elsewhere
def test_several_networks(world):
    world.apply({
        "networks": {"web": dual(1, mtu=1400), "db": dual(2)},
        "endpoints": {"api": {
            "networks": {"web": {"ifname": "front"}, "db": {"ifname": "back", "priority": 10}},
            "routes": [{"to": "203.0.113.128/25", "via": "10.88.1.9"},
                       {"to": "2001:db8:ffff:1::/64", "via": "fd00:88:1::9"}]}}})
    api = world.ns("api")
    assert sorted(l["ifname"] for l in api.ip("link")) == ["back", "front", "lo"]
    assert (api.link("front")["mtu"], api.link("back")["mtu"]) == (1400, 1500)
    for version, gateway in (("-4", "10.88.2.1"), ("-6", "fd00:88:2::1")):
        assert [(r["gateway"], r["dev"]) for r in api.ip(version, "route", "show", "default")] == [(gateway, "back")]
    assert api.ip("route", "get", "203.0.113.200")[0]["gateway"] == "10.88.1.9"
    assert api.ip("-6", "route", "get", "2001:db8:ffff:1::5")[0]["gateway"] == "fd00:88:1::9"
    attachments = {a["network"]: a for a in world.endpoint("api")["attachments"]}
    assert attachments["db"]["default"] and not attachments["web"]["default"]


@behaviour("L11")
def test_interfaces_are_named_in_the_order_of_the_spec(world):
    networks = ["web", "db", "more"]
    world.apply({"networks": {name: dual(number) for number, name in enumerate(networks, 1)},
                 "endpoints": {"api": on(*networks)}})
    for number in (1, 2, 3):
        [address] = world.ns("api").addresses("eth%d" % (number - 1), 4)
        assert address.startswith("10.88.%d." % number)


@behaviour("L11")
def test_default_route_follows_priority(world):
    spec = {"networks": {"web": dual(1), "db": dual(2)},
            "endpoints": {"api": {"networks": {"db": {"priority": 1}, "web": {"priority": 2}}}}}
    world.apply(spec)
    gateway = lambda: [r["gateway"] for r in world.ns("api").ip("route", "show", "default")]
    assert gateway() == ["10.88.1.1"]
    spec["endpoints"]["api"]["networks"]["db"]["priority"] = 3
    world.apply(spec)
    assert gateway() == ["10.88.2.1"]
    assert world.ns("api").ping(V4.outside) == 63


@behaviour("L11")
def test_mtu_is_that_of_the_path(world):
    world.apply({"networks": {"web": dual(1, mtu=1400)}, "endpoints": {"a": on("web"), "b": on("web")}})
    assert world.host.link("wb-web")["mtu"] == 1400
    assert world.ns("a").ping(world.address("b"), size=1372) == 64
    assert world.ns("a").ping(world.address("b"), size=1373, seconds=0.1) is None


@behaviour("L11", "S11")
@words_only
@pytest.mark.parametrize("ifname", ["a/b", "..", "0123456789abcdef", "a b", "a:b", "lo", "%d"])
def test_interface_name_that_cannot_be(world, ifname):
    name = world.spec({"networks": {"web": dual(1)},
                       "endpoints": {"api": {"networks": {"web": {"ifname": ifname}}}}})
    world.refused(1, "apply", name, says="spec.yaml:")


@behaviour("L13")
@elsewhere
def test_only_ipv6(world):
    world.apply({"networks": {"six": {"subnet": "fd00:88:1::/64"}},
                 "endpoints": {"a": on("six", publish=["8080:80"]), "b": on("six")}})
    a = world.ns("a")
    assert a.addresses("eth0", 4) == [] and world.host.addresses("wb-six", 4) == []
    assert a.ping(world.address("b", 6)) == 64
    assert a.ping(V6.outside) == 63
    a.serve(80)
    assert world.lan.connect(V6.host, 8080).server == "a"
    assert world.lan.connect(V4.host, 8080).outcome == "refused"


@behaviour("L13")
@elsewhere
def test_only_ipv4(world):
    world.apply({"networks": {"four": {"subnet": "10.88.1.0/24"}}, "endpoints": {"a": on("four")}})
    assert world.ns("a").run("cat", "/proc/sys/net/ipv6/conf/eth0/disable_ipv6").out == "1\n"
    assert world.sysctl("net/ipv6/conf/wb-four/disable_ipv6") == "1"
    assert [a["family"] for a in world.ns("a").link("eth0")["addr_info"]] == ["inet"]
    assert [a["family"] for a in world.host.link("wb-four")["addr_info"]] == ["inet"]


@behaviour("L15")
@elsewhere
@pytest.mark.parametrize("how", ["all", "file", "one by one"])
def test_deletion_leaves_nothing(world, how):
    before = world.snapshot()
    world.apply(everything())
    assert world.ns("nginx").ping(V4.outside) == 63
    assert world.snapshot() != before
    world.leave()
    if how == "all":
        world.weir("delete", "--all")
    elif how == "file":
        world.weir("delete", "spec.yaml")
        world.weir("delete", "--all")  # the state folder
    else:
        for endpoint in everything()["endpoints"]:
            world.weir("endpoint", "rm", endpoint)
        for network in everything()["networks"]:
            world.weir("network", "rm", network)
        state = [line for line in world.snapshot() if "/var/lib/weir" not in line]
        world.same([line for line in before if not line.startswith(("nft:", "legacy"))],
                   [line for line in state if not line.startswith(("nft:", "legacy"))], "before the state folder is gone")
        world.weir("delete", "--all")
    world.same(before, world.snapshot())


@behaviour("L15", "S5")
@elsewhere
def test_sysctls_are_restored_to_what_they_were(world):
    world.set_sysctl("net/ipv4/ip_forward", 1)
    before = world.snapshot()
    world.apply(web())
    assert world.sysctl("net/ipv6/conf/all/forwarding") == "1"
    world.weir("delete", "--all")
    world.same(before, world.snapshot())


@behaviour("L1", "L15")
def test_who_comes_while_the_last_namespace_goes(world):
    """Somebody else's namespace is made just before weir takes down the folder that it had made."""
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("endpoint", "add", "last", "--network", "web")
    world.leave()
    log = world.machine.path("/run/calls")
    rm = world.start("endpoint", "rm", "last", env=world.faults("files", 0, "slow:500", log))
    wait_until(lambda: log.exists() and "umount2 /run/netns\n" in log.read_text(), "the folder is taken down")
    world.host.run("ip", "netns", "add", "victim")
    assert world.finish(rm).code == 0
    world.host.run("ip", "netns", "exec", "victim", "true")


@behaviour("L15")
def test_network_in_use_stays(world):
    world.apply(web())
    world.refused(1, "network", "rm", "web", says=["web", "api"])
    world.refused(1, "network", "rm", "absent", says="absent")
    world.refused(1, "endpoint", "rm", "absent", says="absent")


@behaviour("L15", "C1")
def test_foreign_link_with_our_name_is_not_touched(world):
    world.host.run("ip", "link", "add", "wb-web", "type", "bridge")
    world.refused(1, "network", "add", "web", "--subnet", "10.88.1.0/24", says="wb-web")


def test_the_suite_finds_its_own_leaks(world):
    """The snapshot that L15 relies on sees each kind of thing that can be left behind."""
    for leave, undo in (("ip link add x type bridge", "ip link del x"),
                        ("ip addr add 10.9.9.9/32 dev lo", "ip addr del 10.9.9.9/32 dev lo"),
                        ("ip route add 10.9.9.0/24 via 192.0.2.2", "ip route del 10.9.9.0/24"),
                        ("nft add table inet x", "nft delete table inet x"),
                        ("touch /run/x", "rm /run/x"), ("mkdir -p /etc/netns/x", "rm -r /etc/netns"),
                        ("mkdir /var/lib/weir", "rmdir /var/lib/weir"),
                        ("echo 1 > /proc/sys/net/ipv4/ip_forward", "echo 0 > /proc/sys/net/ipv4/ip_forward")):
        before = world.snapshot()
        world.host.run("sh", "-c", leave)
        assert world.snapshot() != before, leave
        world.host.run("sh", "-c", undo)
        world.same(before, world.snapshot(), undo)


@behaviour("L11", "L13")
def test_mtu_below_that_of_ipv6(world):
    """A network of IPv4 only may have it; where IPv6 is, it cannot."""
    world.weir("network", "add", "small", "--subnet", "10.88.1.0/24", "--mtu", "1000")
    world.weir("endpoint", "add", "a", "--network", "small", "-p", "8080:80")
    a = world.ns("a")
    assert (world.host.link("wb-small")["mtu"], a.link("eth0")["mtu"]) == (1000, 1000)
    assert a.ping(V4.lan, size=972) and not a.ping(V4.lan, size=973)
    assert world.host.ping(world.address("a"))
    a.serve(80)
    assert world.lan.connect(V4.host, 8080).server == "a"
    assert world.weir("status", json=True)["in_sync"]
    spec = {"networks": {"both": dual(2, mtu=1000)}}
    world.refused(1, "apply", world.spec(spec), says=["spec.yaml:", "1280"])


def small_ones(namespace):
    """What weir has there, by its alias."""
    return [link["ifname"] for link in namespace.ip("link") if link["ifname"] != "lo" and link.get("ifalias", "").startswith("weir ")]


def link_locals(namespace, ifname):
    return [a["local"] for a in namespace.link(ifname)["addr_info"] if a["scope"] == "link"]


@behaviour("L11", "L13", "R2")
@pytest.mark.parametrize("mode", [*modes.WITH_GATEWAY, "p2p"])
def test_mtu_comes_back_from_below_that_of_ipv6(world, mode):
    """The kernel has then taken all of IPv6 from the interface: whoever lowered it, once is enough."""
    v4 = modes.network(world, mode, ["10.88.1.0/24"])
    spec = {"networks": {"n": {**v4, "mtu": 600}}, "endpoints": {"a": on("n"), "b": on("n")}}
    world.apply(spec)
    for mtu in (1400, 600, 1500):
        world.weir("network", "set", "n", "--mtu", str(mtu))
        assert world.weir("status", json=True)["in_sync"], mtu
        assert {world.ns("a").link("eth0")["mtu"], *(world.host.link(i)["mtu"] for i in small_ones(world.host))} == {mtu}
        assert world.ns("a").ping(world.address("b"))
    assert not link_locals(world.ns("a"), "eth0")


@behaviour("L11", "L13", "R2")
@pytest.mark.parametrize("mode", [*modes.WITH_GATEWAY, "p2p"])
@pytest.mark.parametrize("versions", [4, 46])
def test_one_repair_of_a_small_mtu_is_enough(world, mode, versions):
    subnets = dual(1)["subnets"][:1 if versions == 4 else 2]
    world.apply({"networks": {"n": modes.network(world, mode, subnets)}, "endpoints": {"a": on("n"), "b": on("n")}})
    a, host = world.ns("a"), world.host
    if mode == "adopted":  # until it has an MTU of its own it follows its ports', and its addresses are not weir's to give
        host.run("sh", "-c", "ip link set br1 mtu 1400; ip link set br1 mtu 1500")
    everywhere = [(where, ifname) for where in (a, host) for ifname in small_ones(where)]
    before = [link_locals(*at) for at in everywhere]
    for where, ifname in everywhere:
        where.run("ip", "link", "set", ifname, "mtu", "1000")
        status = world.weir("status", json=True, check=False)
        assert any("%s has MTU 1000" % ifname in line for line in status["drift"]), status
        world.weir("repair")
        status = world.weir("status", json=True, check=False)
        assert status["in_sync"], status
        for family in FAMILIES[:len(subnets)]:
            assert a.ping(world.address("b", family.version)), (ifname, family)
            assert "bridge" not in mode or host.ping(world.address("a", family.version)), (ifname, family)
    assert [link_locals(*at) for at in everywhere] == before


@behaviour("L8", "R1")
@pytest.mark.parametrize("change", [{"bridge": "br-other"}, {"mode": "p2p"}])
@pytest.mark.parametrize("attached", [True, False])
def test_bridge_and_mode_of_a_network_stay(world, change, attached):
    spec = {"networks": {"web": dual(1)}, "endpoints": {"a": on("web")} if attached else {}}
    world.apply(spec)
    spec["networks"]["web"].update(change)
    world.refused(1, "apply", world.spec(spec), says=["web", "spec.yaml:"])
    assert world.weir("plan", "spec.yaml", check=False).code == 1


@behaviour("L8", "R1")
def test_bridge_of_a_network_that_goes(world):
    """What the same run removes is not free yet."""
    world.apply({"networks": {"old": dual(1, bridge="br-mine")}})
    spec = {"networks": {"new": dual(2, bridge="br-mine")}}
    world.refused(1, "apply", world.spec(spec), "--prune", says=["br-mine", '"old"'])
    world.weir("network", "rm", "old")
    world.weir("apply", "spec.yaml", "--prune")
    assert world.host.addresses("br-mine", 4) == ["10.88.2.1"]


@behaviour("L10")
def test_namespace_has_one_endpoint(world):
    world.netns("foreign")
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir("network", "add", "db", "--subnet", "10.88.2.0/24")
    world.weir("endpoint", "add", "first", "--network", "web", "--netns", "foreign")
    for path in ("foreign", "/run/netns/foreign"):
        world.refused(1, "endpoint", "add", "second", "--network", "db,ifname=eth5", "--netns", path,
                      says=["foreign", '"first"'])
    spec = {"endpoints": {"second": {"networks": ["db"], "netns": "foreign"}}}
    world.refused(1, "apply", world.spec(spec), says=["spec.yaml:", '"first"'])
    world.weir("endpoint", "rm", "first")
    world.weir("apply", "spec.yaml")
    assert world.ns("foreign").addresses("eth0") == ["10.88.2.2"]
