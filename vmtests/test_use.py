# SPDX-License-Identifier: GPL-2.0-or-later
"""U: plan, JSON, help, render, readable rules, counters."""
import json
import re

import pytest

from marks import behaviour, elsewhere, only, reckoned, words_only
from specs import dual, everything, on, web
from world import FAMILIES, V4, V6


@behaviour("U1")
@elsewhere
def test_plan_shows_and_does_nothing(world):
    before = world.snapshot()
    name = world.spec(web())
    for argv in (["plan", name], ["apply", name, "--dry-run"], ["--dry-run", "apply", name]):
        result = world.weir(*argv, check=False)
        assert result.code == 3, str(result)
        assert {"+ network web", "+ network db", "+ endpoint nginx", "+ endpoint pg"} <= {
            " ".join(line.split()[:3]).rstrip(":") for line in result.out.splitlines()}, str(result)
    world.same(before, world.snapshot())
    data = world.parse(world.weir("plan", name, "--json", check=False))
    assert {(c["action"], c["object"], c["name"]) for c in data["changes"]} >= {
        ("add", "network", "web"), ("add", "endpoint", "nginx")}
    assert any(c.get("place", "").startswith("spec.yaml:") for c in data["changes"])
    world.same(before, world.snapshot())
    world.weir("apply", name)
    assert world.weir("plan", name).code == 0


@behaviour("U1")
@pytest.mark.parametrize("argv", [
    ["network", "add", "new", "--subnet", "10.88.9.0/24"], ["endpoint", "add", "new", "--network", "web"],
    ["endpoint", "rm", "nginx"], ["port", "add", "nginx", "9090:90"], ["port", "rm", "nginx", "8080:80"],
    ["network", "rm", "empty"], ["delete", "--all"], ["delete", "spec.yaml"]])
@words_only
def test_dry_run_everywhere(world, argv):
    spec = web()
    spec["networks"]["empty"] = dual(3)
    world.apply(spec)
    before = world.snapshot()
    result = world.weir(*argv, "--dry-run", check=False)
    assert result.code == 3 and result.out[:2] in ("+ ", "- ", "~ "), str(result)
    world.same(before, world.snapshot())
    assert world.weir(*argv).code == 0
    assert world.snapshot() != before


@behaviour("U1")
@words_only
def test_changes_are_told_and_quiet_is_quiet(world):
    spec = web()
    said = world.apply(spec).out
    assert re.search(r"(?m)^\+ network web\b", said) and re.search(r"(?m)^\+ endpoint nginx\b", said)
    spec["endpoints"]["nginx"]["publish"] = ["8081:80"]
    said = world.apply(spec).out
    assert re.search(r"(?m)^[~+-] (endpoint nginx|mapping nginx)\b", said), said
    added = world.weir("endpoint", "add", "extra", "--network", "web", "-p", "80")
    assert world.address("extra") in added.out
    quiet = world.weir("endpoint", "rm", "extra", "-q")
    assert quiet.out == quiet.err == ""


@behaviour("U1")
def test_unchanged_objects_are_left_alone(world):
    """A change of one endpoint is seen by nobody else: streams go on, interfaces stay the same."""
    spec = web()
    world.apply(spec)
    world.ns("nginx").serve(80)
    index = world.ns("nginx").link("eth0")["ifindex"]
    assert world.lan.open(1, V4.host, 8080).outcome == "ok"
    spec["endpoints"]["extra"] = on("web", publish=["9000:90"])
    del spec["endpoints"]["pg"]
    said = world.apply(spec, "--prune").out
    assert "nginx" not in said and "extra" in said and "pg" in said
    assert world.lan.say(1, "hello") == "hello"
    assert world.ns("nginx").link("eth0")["ifindex"] == index


VERBS = [["apply"], ["plan"], ["delete"], ["network"], ["network", "add"], ["network", "rm"], ["network", "ls"], ["network", "set"],
         ["network", "show"], ["endpoint"], ["endpoint", "add"], ["endpoint", "rm"], ["endpoint", "set"], ["endpoint", "ls"],
         ["endpoint", "show"], ["port"], ["port", "add"], ["port", "rm"], ["port", "ls"], ["port", "show"],
         ["exec"], ["status"], ["render"], ["repair"], []]


@behaviour("U2")
@words_only
def test_help(world):
    before, seen = world.snapshot(), set()
    for verb in VERBS:
        result = world.weir(*verb, "--help")
        assert result.out.lower().startswith("usage") and result.err == "", str(result)
        assert verb[-1:] == [] or verb[-1] in result.out, str(result)
        seen.add(result.out)
    assert len(seen) >= 10
    assert "locked]\n" in world.weir("endpoint", "add", "--help").out, "the longest option is cut off"
    assert re.match(r"weir \d+\.\d+", world.weir("--version").out)
    assert world.weir("version").out == world.weir("--version").out
    world.same(before, world.snapshot())


@behaviour("U2")
@words_only
def test_help_by_its_name(world):
    for verb in ([], ["network"], ["network", "add"], ["backend"], ["exec"]):
        assert world.weir("help", *verb).out == world.weir(*verb, "--help").out
    world.refused(2, "help", "ntework", says="unknown command")
    network, endpoint = (world.weir("help", what, "add").out for what in ("network", "endpoint"))
    assert "p2p" in network and "loopback only" not in network
    assert "p2p" not in endpoint and "loopback only" in endpoint
    world.refused(2, "backend", "foo", says="usage: weir backend, or weir backend use nftables|iptables|auto")
    assert world.weir("status", "foo", check=False).err == "weir: usage: weir status\n"


NOTHING = type(None)  # a network without a bridge has no interface of its own
NETWORK = {"name": str, "mode": str, "ifname": (str, NOTHING), "mac": (str, NOTHING), "mtu": int, "subnets": list, "nat": (str, list),
           "internal": bool, "isolate": bool, "host": str, "filter_bridged": bool, "trusted": list,
           "declared": bool, "endpoints": int, "spoof_guard": bool, "nat_random": bool,
           "default": dict, "filtered": bool}
ENDPOINT = {"name": str, "netns": str, "attachments": list, "published": list, "labels": dict, "routes": list,
            "dns": list, "forward": bool, "declared": bool}
ATTACHMENT = {"network": str, "addresses": list, "mac": str, "ifname": str, "host_ifname": str, "mtu": int,
              "priority": int, "default": bool, "sysctls": dict, "isolated": bool, "locked": bool}
PORT = {"spec": str, "proto": str, "host_ports": list, "ports": list, "network": (str, NOTHING)}
STATUS = {"backend": str, "store": str, "state_dir": str, "networks": int, "endpoints": int, "mappings": int, "policies": int,
          "in_sync": bool, "drift": list, "drops": list, "sysctls": list, "notes": list, "container": str}


def shape(item, wanted):
    for key, kind in wanted.items():
        assert isinstance(item[key], kind), (key, item)


@behaviour("U2")
@elsewhere
def test_json_shapes(world):
    spec = everything()
    spec["endpoints"]["r"]["dns"] = ["192.0.2.53"]
    world.apply(spec)
    for network in world.weir("network", "ls", json=True)["networks"]:
        shape(network, NETWORK)
        assert (not network["ifname"]) == (network["mode"] == "p2p")
        shape(world.weir("network", "show", network["name"], json=True)["network"],
              {**NETWORK, "members": list, "fdb": list})
    for endpoint in world.weir("endpoint", "ls", json=True)["endpoints"]:
        shape(endpoint, ENDPOINT)
        assert world.endpoint(endpoint["name"]) == endpoint
        for attachment in endpoint["attachments"]:
            shape(attachment, ATTACHMENT)
    ports = world.weir("port", "ls", json=True)["ports"]
    for port in ports:
        shape(port, {**PORT, "endpoint": str, "target": list, "connections": int, "bytes": int})
    assert [p["spec"] for p in world.weir("port", "ls", "f", json=True)["ports"]] == [
        p["spec"] for p in ports if p["endpoint"] == "f"]
    status = world.weir("status", json=True)
    shape(status, STATUS)
    assert (status["networks"], status["endpoints"]) == (len(spec["networks"]), len(spec["endpoints"]))
    forward = {s["key"]: (s["old"], s["set"]) for s in status["sysctls"]}
    assert forward["net/ipv4/ip_forward"] == (0, 1)


@behaviour("U2")
@words_only
def test_json_of_changes(world):
    said = world.weir("network", "add", "web", "--subnet", "10.88.1.0/24", json=True)
    assert [(c["action"], c["object"], c["name"]) for c in said["changes"]] == [("add", "network", "web")]
    assert said["drift"] == []
    said = world.weir("endpoint", "add", "a", "--network", "web", "-p", "8080:80", json=True)
    assert ("add", "endpoint", "a") in [(c["action"], c["object"], c["name"]) for c in said["changes"]]
    said = world.weir("endpoint", "rm", "a", json=True)
    assert ("remove", "endpoint", "a") in [(c["action"], c["object"], c["name"]) for c in said["changes"]]


@behaviour("U2")
@words_only
@pytest.mark.parametrize("argv, code, errno", [
    (["endpoint", "show", "absent"], 1, "ENOENT"), (["network", "show", "absent"], 1, "ENOENT"),
    (["port", "add", "absent", "80:80"], 1, "ENOENT"), (["endpoint", "add", "a", "-p", "x"], 2, "EINVAL"),
    (["apply", "absent.yaml"], 1, "ENOENT")])
def test_json_of_errors(world, argv, code, errno):
    result = world.weir(*argv, "--json", check=False)
    data = json.loads(result.out)
    assert (result.code, data["version"], data["error"]["code"], result.err) == (code, 1, errno, ""), str(result)
    plain = world.weir(*argv, check=False)
    assert plain.err.startswith("weir: ") and plain.out == "" and data["error"]["text"] in plain.err


@behaviour("U2")
@words_only
@pytest.mark.parametrize("argv, word, column", [
    (["port", "add", "nginx", "80:0"], "80:0", 4), (["graph", "--format", "x"], "x", 1),
    (["status", "--backend", "foo"], "foo", 1), ([], None, None), (["network"], None, None)])
def test_json_of_wrong_words(world, argv, word, column):
    """A word of the command line is told as such, and is no file."""
    result = world.weir(*argv, "--json", check=False)
    error = json.loads(result.out)["error"]
    assert (result.code, result.err) == (2, ""), str(result)
    assert (error.get("word"), error.get("column")) == (word, column) and "file" not in error, str(result)


@behaviour("U1", "U2")
@words_only
@pytest.mark.parametrize("argv", [
    ["endpoint", "set", "nginx", "--label", "a=b"], ["network", "set", "web", "--host", "deny"],
    ["port", "add", "nginx", "9090:90", "9091:91"], ["port", "rm", "nginx", "8080:80"]])
def test_what_a_spec_declares_is_the_specs(world, argv):
    """The next apply undoes what is changed by hand: told once, and not where nothing changes."""
    hint = "it is declared in a spec: the next apply of that says what holds"
    world.apply(web())
    said = world.weir(*argv, "--dry-run", "--json", check=False)
    assert [w["detail"] for w in world.parse(said)["warnings"]] == [hint]
    assert world.weir(*argv).err == 'weir: warning: %s "%s": %s\n' % (argv[0].replace("port", "endpoint"), argv[2], hint)
    assert argv[1] == "rm" or world.weir(*argv).err == ""
    assert "nothing to change" not in world.apply(web()).out
    world.weir("endpoint", "add", "mine", "--network", "web")
    assert world.weir("port", "add", "mine", "9092:92").err == world.weir("endpoint", "set", "mine", "--label", "a=b").err == ""


@behaviour("U2", "U3")
@words_only
def test_json_of_version_and_rules(world):
    assert "weir %s\n" % world.weir("version", json=True)["weir"] == world.weir("version").out
    assert world.weir("--version", json=True) == world.weir("version", json=True)
    world.apply(web())
    said = world.weir("render", json=True)
    assert said["ruleset"] == world.weir("render").out and said["backend"] == world.backend


@behaviour("U2")
@words_only
def test_status_says_what_the_kernel_has(world):
    """And not what weir wrote there once; nor that there is a store where there is none."""
    assert world.weir("status", json=True)["store"] is None
    world.host.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1")
    key = "net/ipv6/conf/up0/accept_ra"
    world.set_sysctl(key, 1)
    world.apply(web())
    told = lambda: {s["key"]: s for s in world.weir("status", json=True)["sysctls"]}[key]
    assert told() == {"key": key, "old": 1, "set": 2, "now": 2}
    assert "%s = 2 (was 1)\n" % key in world.weir("status").out
    world.set_sysctl(key, 0)
    assert told()["now"] == 0 and "%s = 0 (was 1, weir has set 2)\n" % key in world.weir("status").out
    world.host.run("ip", "link", "del", "up0")
    assert told()["now"] is None and key not in world.weir("status").out
    assert world.weir("status", json=True)["store"]


# nft up to 1.0.6 turns the byte order of a single byte here, which kernels from 7 on refuse.
PROTOCOL_IN_INTERVALS = """
table inet x {
	set s { type inet_proto . inet_service; flags interval; }
	chain c { type filter hook input priority 0; meta l4proto . th dport @s drop; }
}
delete table inet x
"""


def nft_is_understood(world, path):
    """The kernel takes what this nft makes of an interval with a protocol; else the test is skipped."""
    if world.machine.run(["nft", "-f", "-"], path, stdin=PROTOCOL_IN_INTERVALS, check=False).code != 0:
        pytest.skip("this kernel refuses what this nft makes of a protocol in an interval")


@behaviour("U3")
@elsewhere
def test_render_loads_as_it_is(world):
    world.apply(everything())
    ours = world.filter.ours
    text = world.weir("render", "--backend", world.backend).out
    agent, path = world.machine.netns("fresh")
    if world.backend == "nftables":
        nft_is_understood(world, path)
    for tool in world.filter.load:
        world.machine.run(tool.split(), path, stdin=text)
    there = world.machine.run(["sh", "-c", world.filter.list], path).out
    assert ours(there) == ours(world.ruleset()) != ""
    if world.backend == "nftables":
        world.machine.run(["nft", "-f", "-"], path, stdin=text)  # twice: it replaces
        assert ours(world.machine.run(["sh", "-c", world.filter.list], path).out) == ours(there)
    world.machine.drop(agent)


@behaviour("U3", "C4")
def test_render_is_what_the_host_has(world):
    """Loaded by the tool where the rules were lost, it is what weir would have written."""
    world.apply(everything())
    text = world.weir("render").out
    if world.backend == "nftables":
        agent, path = world.machine.netns("fresh")
        nft_is_understood(world, path)
        world.machine.drop(agent)
    world.host.run("sh", "-c", world.filter.spoil["all rules"])
    assert not world.weir("status", json=True, check=False)["in_sync"]
    for tool in world.filter.load:
        world.host.run(*tool.split(), stdin=text)
    status = world.weir("status", json=True, check=False)
    assert status["in_sync"], status
    world.weir("port", "add", "nginx", "9090:90")
    world.ns("nginx").serve(90)
    assert world.lan.connect(V4.host, 9090).server == "nginx" and world.weir("status", json=True)["in_sync"]


@behaviour("U4")
@elsewhere
@only("nftables")
def test_rules_are_readable(world):
    spec = everything()
    spec["endpoints"]["f"]["publish"].append("6000-6003:7000-7003")
    world.apply(spec)
    text = world.host.run("nft", "list", "table", "inet", "weir").out
    address = world.address("nginx")
    for word in ("tcp . 8080", address + " . 80", '"nginx 8080:80', "type ifname", "wb-web", "drop"):
        assert word in text, word
    published = [line for line in text.splitlines() if "tcp . 8080" in line]
    assert published and not any("0x" in line for line in published)
    assert max(map(len, text.splitlines())) < 300
    agent, path = world.machine.netns("fresh")
    nft_is_understood(world, path)
    world.machine.run(["nft", "-f", "-"], path, stdin=text)  # nft reads what it lists
    again = world.machine.run(["nft", "list", "table", "inet", "weir"], path).out
    assert world.filter.ours(again) == world.filter.ours(text)
    world.machine.drop(agent)


@behaviour("U5")
@elsewhere
def test_counters(world):
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["8080:80", "5353:53/udp", "7000-7009:7000-7009"]
    world.apply(spec)
    nginx = world.ns("nginx")
    nginx.serve(80)
    nginx.serve(53, "udp")
    nginx.serve(7000, last=7009)
    for family in FAMILIES:
        for _ in range(3):
            world.lan.connect(family.host, 8080)
        world.lan.connect(family.host, 5353, "udp")
        world.lan.sweep(family.host, 7000, 7004)
    counted = {p["spec"]: p["connections"] for p in world.published("nginx")}
    assert counted == {"8080:80": 6, "5353:53/udp": 2, "7000-7009:7000-7009": 10}
    world.weir("port", "add", "nginx", "9090:90")
    assert {p["spec"]: p["connections"] for p in world.published("nginx")} == {**counted, "9090:90": 0}
    for _ in range(4):
        world.lan.connect(world.address("nginx"), 80, ms=20)
    drops = {d["reason"]: d["packets"] for d in world.weir("status", json=True)["drops"]}
    assert [reason for reason, packets in drops.items() if packets == 4 and "direct" in reason], drops
    text = world.weir("status").out
    assert "direct" in text and re.search(r"\b4\b", text)


@behaviour("U5", "S9")
@reckoned
def test_ports_lead_where_they_lead_without_rules(world):
    """What a port leads to is known without asking the kernel, which only counts."""
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["8080:80", "192.0.2.1:8081:80"]
    world.apply(spec)
    targets = [world.address("nginx", family.version) for family in FAMILIES]
    before = world.published("nginx")
    assert sorted(p["target"] for p in before) == [targets[:1], targets], before
    world.host.run("sh", "-c", world.filter.spoil["all rules"])
    assert world.published("nginx") == before
    rows = [line.split()[3:] for line in world.weir("port", "ls").out.splitlines()[1:]]
    assert sorted(rows) == sorted([[targets[0], "0"], [*targets, "0"]]), rows


@behaviour("U2", "R3")
@words_only
def test_named_twice_is_removed_once(world):
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["8080:80", "8081:80", "8082:82"]
    spec["policies"] = [{"name": "p", "from": "outside", "action": "deny"}]
    world.apply(spec)
    assert world.weir("port", "rm", "nginx", "8082:82", "8082:82/tcp").out.count("8082") == 1
    world.weir("port", "rm", "nginx", "80", "80")
    assert len(world.published("nginx")) == 1, "one of two that the word could mean"
    assert world.weir("policy", "rm", "p", "p").out.count("policy") == 1
    names = list(spec["endpoints"])
    world.weir("endpoint", "rm", *names, *names)
    world.weir("network", "rm", *spec["networks"], *spec["networks"])
    assert not world.weir("network", "ls", json=True)["networks"]
    world.refused(1, "network", "rm", "web", "web", says='no network named "web"')


@behaviour("U1", "R1")
@words_only
def test_answer_that_cannot_be_written(world):
    """It is told with its cause, and whether something was changed all the same."""
    def into_full(*words, code=1):
        command = ["sh", "-c", '"$0" "$@" >/dev/full', str(world.place.weir), *words]
        result = world.machine.run(command, None, {"WEIR_BACKEND": world.backend}, False)
        assert result.code == code and result.err.count("\n") == 1, str(result)
        return result.err

    cannot = "weir: cannot write the answer: No space left on device"
    for more in ([], ["--json"]):
        name = "q%d" % len(more)
        assert into_full("network", "add", name, *more) == cannot + "; the change was made\n"
        assert world.weir("network", "show", name).code == 0
    for words in (["network", "ls"], ["render"], ["render", "--backend", "nftables"], ["render", "--backend", "iptables"],
                  ["repair"], ["status", "--json"]):
        assert into_full(*words) == cannot + "\n", words
    assert into_full("network", "rm", "q1", "--dry-run", code=3) == cannot + "\n"
    assert world.weir("network", "show", "q1").code == 0
    assert "change was made" in into_full("delete", "--all")


@behaviour("U2")
def test_without_root(world):
    name = world.spec(web())
    result = world.host.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                            str(world.place.weir), "apply", "-",
                            stdin=(world.folder / name).read_text(), check=False)
    assert result.code == 4 and "root" in result.err, str(result)


@behaviour("U5")
def test_counters_among_thousands(world):
    """Singles, ranges, a protocol and an address of the same numbers: each connection counts once, where it went."""
    singles = ["%d:80" % port for port in range(10000, 14995)]
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = singles
    spec["endpoints"]["api"]["publish"] = [
        "20000-20999:20000-20999", "21000-21099:31000-31099", "192.0.2.11:12345:81", "12345:82/udp"]
    world.apply(spec)
    nginx, api = world.ns("nginx"), world.ns("api")
    nginx.serve(80)
    for port in (81, 20500, 31050):
        api.serve(port)
    api.serve(82, "udp")
    want = {"10000:80": 1, "12345:80": 2, "14994:80": 1, "20000-20999:20000-20999": 1,
            "21000-21099:31000-31099": 1, "192.0.2.11:12345:81": 1, "12345:82/udp": 1}
    for port, family in ((10000, V4), (12345, V4), (12345, V6), (14994, V6)):
        assert world.lan.connect(family.host, port).server == "nginx"
    for addr, port, proto in ((V4.host, 20500, "tcp"), (V6.host, 21050, "tcp"), (V4.other_host, 12345, "tcp"),
                              (V4.host, 12345, "udp")):
        assert world.lan.connect(addr, port, proto).server == "api"
    ports = world.weir("port", "ls", json=True)["ports"]
    assert len(ports) == len(singles) + 4
    assert {p["spec"]: p["connections"] for p in ports if p["connections"]} == want
