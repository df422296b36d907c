# SPDX-License-Identifier: GPL-2.0-or-later
"""R: twice, at once, damaged, malformed, foreign. (Faults and kills have their own file.)"""
import json
import signal
import sqlite3
import time

import pytest

import modes
from marks import behaviour, elsewhere, every_switch, reckoned, words_only
from specs import dual, everything, on, web
from world import FAMILIES, V4, apart_from_store, wait_until

STORE = "/var/lib/weir/weir.db"


@behaviour("R3")
@elsewhere
def test_second_apply_changes_nothing(world):
    world.apply(everything())
    before, rules = world.snapshot(), world.ruleset()
    assert world.weir("plan", "spec.yaml").code == 0
    again = world.weir("apply", "spec.yaml")
    assert "nothing to change" in again.out
    world.same(before, world.snapshot())
    assert world.ruleset() == rules  # counters and epoch too: nothing was sent
    data = world.weir("plan", "spec.yaml", json=True)
    assert data["changes"] == [] and data["drift"] == []
    assert world.weir("apply", "spec.yaml", json=True)["changes"] == []


@behaviour("R3")
def test_second_endpoint_add(world):
    words = ["endpoint", "add", "nginx", "--network", "web", "-p", "8080:80", "--label", "role=front"]
    world.weir("network", "add", "web", "--subnet", "10.88.1.0/24")
    world.weir(*words)
    before = world.snapshot()
    assert "nothing to change" in world.weir(*words).out
    assert "nothing to change" in world.weir("network", "add", "web", "--subnet", "10.88.1.0/24").out
    world.same(before, world.snapshot())
    world.refused(1, "endpoint", "add", "nginx", "--network", "web", "-p", "8081:80", says="nginx")
    world.refused(1, "network", "add", "web", "--subnet", "10.88.2.0/24", says="web")


@behaviour("R3")
@reckoned
def test_order_in_the_file_does_not_matter(world):
    spec = web()
    spec["endpoints"]["nginx"]["publish"] = ["8080:80", "8081:81", "53:53/udp"]
    world.apply(spec)
    spec["endpoints"] = dict(reversed(spec["endpoints"].items()))
    spec["networks"] = dict(reversed(spec["networks"].items()))
    spec["endpoints"]["nginx"]["publish"].reverse()
    assert "nothing to change" in world.apply(spec).out


@behaviour("R3", "U1")
@reckoned
def test_prune(world):
    spec = web()
    world.apply(spec)
    world.weir("endpoint", "add", "byhand", "--network", "web")
    del spec["endpoints"]["pg"], spec["networks"]["db"]
    assert world.weir("plan", world.spec(spec)).code == 0  # without --prune what is not named stays
    plan = world.weir("plan", "spec.yaml", "--prune", check=False)
    assert plan.code == 3 and "pg" in plan.out and "db" in plan.out and "byhand" not in plan.out
    world.weir("apply", "spec.yaml", "--prune")
    assert [e["name"] for e in world.weir("endpoint", "ls", json=True)["endpoints"]] == ["api", "byhand", "nginx"]
    assert [n["name"] for n in world.weir("network", "ls", json=True)["networks"]] == ["web"]


@behaviour("R4")
@reckoned
def test_lock_has_a_limit(world):
    """Whoever waits too long is told who holds the lock; readers do not wait."""
    world.apply(web())
    holder = world.machine.popen(["flock", "--no-fork", "/var/lib/weir/weir.lock", "sleep", "30"])
    world.machine.run(["sh", "-c", "until ! flock -n /var/lib/weir/weir.lock true; do :; done"])
    begun = time.monotonic()
    result = world.weir("--timeout", "1", "network", "add", "more", "--subnet", "10.88.9.0/24", check=False)
    took = time.monotonic() - begun
    assert result.code == 1 and "weir.lock" in result.err + result.out, str(result)
    assert 0.5 < took < 5
    assert world.weir("endpoint", "ls").code == 0
    assert world.weir("port", "ls").code == 0
    holder.kill()
    world.machine.finish(holder, ["flock"])
    wait_until(lambda: world.machine.run(["flock", "-n", "/var/lib/weir/weir.lock", "true"], check=False).code == 0,
               "the lock")
    world.weir("network", "add", "more", "--subnet", "10.88.9.0/24")


@behaviour("R4")
@elsewhere
def test_two_applies_at_once(world):
    specs = []
    for number in (1, 2):
        specs.append(world.spec({"networks": {"n%d" % number: dual(number)}, "endpoints": {
            "e%d-%d" % (number, i): on("n%d" % number, publish=["%d:80" % (number * 1000 + i)])
            for i in range(10)}}, "s%d.yaml" % number))
    started = [world.start("apply", name) for name in specs]
    assert [world.finish(s).code for s in started] == [0, 0]
    assert len(world.weir("port", "ls", json=True)["ports"]) == 20
    assert [world.weir("plan", name).code for name in specs] == [0, 0]


@behaviour("R4")
def test_add_and_remove_of_the_same_at_once(world):
    world.apply(web())
    started = [world.start("endpoint", verb, "nginx", *more) for _ in range(6)
               for verb, more in (("rm", []), ("add", ["--network", "web", "-p", "8080:80"]))]
    codes = [world.finish(s).code for s in started]
    assert set(codes) <= {0, 1}
    world.weir("endpoint", "rm", "nginx", check=False)
    world.weir("endpoint", "add", "nginx", "--network", "web", "-p", "8080:80")
    world.ns("nginx").serve(80)
    assert world.lan.connect(V4.host, 8080).server == "nginx"
    assert world.weir("status", json=True)["in_sync"]


RENAME = """import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("pragma synchronous = off")
while True:
    for was, now in ("web", "other"), ("other", "web"):
        store.execute("begin immediate")
        for column in "network set name", "subnet set network", "attachment set network":
            store.execute("update %s = ? where %s = ?" % (column, column.split()[-1]), (now, was))
        store.execute("commit")
"""


@behaviour("R4")
@reckoned
def test_readers_see_one_moment(world):
    """A network has another name with every commit: whoever looks meanwhile finds its endpoints in it."""
    world.apply(web())
    writer = world.machine.popen(["python3", "-c", RENAME, STORE])
    for _ in range(40):
        world.weir("render")
        assert len(world.weir("graph", json=True)["networks"]) == 2
    assert writer.poll() is None
    writer.kill()
    writer.finish()


def settled(folder, copies, newer):
    """The store as one file, all of its log written back."""
    for name in ("weir.db", "weir.db-wal"):
        if (folder / name).exists():
            (copies / name).write_bytes((folder / name).read_bytes())
    database = sqlite3.connect(copies / "weir.db")
    assert database.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0
    if newer:
        database.execute("pragma user_version = 9999")
    database.close()
    return (copies / "weir.db").read_bytes()


def damage(world, how, copies):
    """Damages the store as a crash of the disk or another program would."""
    folder = world.machine.path("/var/lib/weir")
    data = settled(folder, copies, how == "newer")
    for name in ("weir.db-wal", "weir.db-shm"):
        (folder / name).unlink(missing_ok=True)
    changed = {"half": data[:len(data) // 2], "short": data[:100], "header": b"\xff" * 100 + data[100:],
               "text": b"this is no database\n" * 100, "newer": data}[how]
    (folder / "weir.db").write_bytes(changed)
    return changed


@behaviour("R5")
@pytest.mark.parametrize("how", ["half", "short", "header", "text", "newer"])
@reckoned
def test_damaged_store_is_not_reset(world, how, tmp_path):
    world.apply(web())
    world.ns("nginx").serve(80)
    data = damage(world, how, tmp_path)
    before = world.snapshot()
    for words in (["status"], ["endpoint", "ls"], ["apply", "spec.yaml"], ["endpoint", "rm", "nginx"],
                  ["network", "add", "more"], ["repair"], ["plan", "spec.yaml"]):
        result = world.weir(*words, check=False)
        assert result.code == 1 and "weir.db" in result.err, str(result)
        assert how != "newer" or "newer" in result.err, str(result)
    assert world.machine.path(STORE).read_bytes() == data
    world.same(before, world.snapshot())
    assert world.lan.connect(V4.host, 8080).server == "nginx"  # what runs goes on


@behaviour("R5")
@elsewhere
def test_store_that_cannot_be_written(world):
    world.host.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "/var/lib")
    before = world.snapshot()
    result = world.weir("apply", world.spec(web()), check=False)
    assert result.code == 1 and "/var/lib/weir" in result.err, str(result)
    world.same(before, world.snapshot())


@behaviour("R5")
@reckoned
def test_store_on_a_full_disk(world):
    world.host.run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "/var/lib")
    before = world.snapshot()
    result = world.weir("apply", world.spec(web()), check=False)
    assert result.code == 1 and "full" in result.err or "space" in result.err, str(result)
    kept = lambda lines: [line for line in lines if "/var/lib" not in line]
    world.same(kept(before), kept(world.snapshot()))


@behaviour("R5", "R1")
@reckoned
@pytest.mark.parametrize("pages", [0, 1, 2, 4])
def test_disk_that_fills_up(world, pages):
    """The words say why, and that something is to be mended when that is so. With room again all is well."""
    world.host.run("mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", "/var/lib")
    world.apply(web())
    world.host.run("dd", "if=/dev/zero", "of=/var/lib/free", "bs=4k", "count=%d" % max(pages, 1))
    world.host.run("sh", "-c", "cat /dev/zero >/var/lib/much 2>&-; true")
    if pages:
        world.host.run("rm", "/var/lib/free")
    before = world.snapshot()
    kept, said = lambda lines: [line for line in lines if "/var/lib" not in line], False
    for words in (["endpoint", "add", "late", "--network", "web"], ["endpoint", "rm", "api"], ["delete", "--all"]):
        result = world.refused(1, *words, says=["is full", "make room"])
        said = said or "going back failed" in result.err
        assert not said or "add" not in words, str(result)
        status = json.loads(world.weir("status", "--json", check=False).out)
        assert status["in_sync"] != said, (str(result), status["drift"])
        if not said:
            world.same(kept(before), kept(world.snapshot()))
    world.host.run("rm", "-f", "/var/lib/free", "/var/lib/much")
    world.weir("endpoint", "add", "late", "--network", "web")
    assert world.weir("status", json=True)["in_sync"]
    world.weir("endpoint", "rm", "late")
    world.same(kept(before), kept(world.snapshot()))
    world.weir("delete", "--all")


@behaviour("R5")
@reckoned
def test_status_without_a_store(world):
    before = world.snapshot()
    for words in (["status"], ["endpoint", "ls"], ["network", "ls"], ["port", "ls"]):
        assert world.weir(*words).code == 0
    world.same(before, world.snapshot())


# text, the place to blame, a word of the reason
MALFORMED = [
    ("networks: [", "", "bracket"),
    ("networks:\n\tweb: {}\n", "2:", ""),
    ("networks:\n  web: {subnt: 10.88.1.0/24}\n", "2:9", "subnet"),
    ("netwoks: {}\n", "1:1", "networks"),
    ("networks:\n  web: {subnet: 10.88.1.0/24}\n  web: {}\n", "3:", "web"),
    ("networks:\n  web:\n    subnet: 10.88.1.0/99\n", "3:13", "10.88.1.0/99"),
    ("networks:\n  web:\n    mtu: abc\n", "3:10", "mtu"),
    ("networks:\n  web:\n    mtu: 99999999999999999999\n", "3:10", "mtu"),
    ("networks:\n  web:\n    internal: perhaps\n", "3:15", "internal"),
    ("networks: 5\n", "1:11", "networks"),
    ("- networks\n", "1:1", ""),
    ("endpoints:\n  a: {networks: [absent]}\n", "2:", "absent"),
    ("endpoints:\n  a: {networks: {web: {ip: 10.88.1.999}}}\n", "2:", "10.88.1.999"),
    ("endpoints:\n  a: &x {networks: []}\n  b: *x\n", "3:", ""),
    ("networks: {web: {subnet: 10.88.1.0/24}}\nnetworks: {}\n", "2:", "networks"),
    ('{"networks": {"web": {"subnet": "10.88.1.0/24"}', "", "flow mapping"),
    ('{"networks": {"web": {"subnet": 5}}}', "1:", "subnet"),
    ("networks: {web: {subnet: \"10.88.1.0/24}}\n", "", ""),
    ("\x00\x01\x02", "", ""),
    ("networks: {web: {subnet: \xff}}\n", "", ""),
    ("a: " + "[" * 20000, "", ""),
]


@behaviour("R7")
@words_only
def test_malformed_specs(world):
    before, wrong = world.snapshot(), []
    for text, place, says in MALFORMED:
        (world.folder / "bad.yaml").write_text(text, encoding="latin-1")
        for verb in ("plan", "apply"):
            result = world.weir(verb, "bad.yaml", check=False)
            if result.code != 1 or "bad.yaml:" + place not in result.err or says not in result.err:
                wrong.append("%r: expected %r %r: %s" % (text[:80], place, says, result))
    assert not wrong, "\n".join(wrong)
    world.same(before, apart_from_store(world.snapshot()))


@behaviour("R7", "U2")
@words_only
def test_malformed_spec_as_json(world):
    (world.folder / "bad.yaml").write_text("networks:\n  web:\n    mtu: abc\n")
    result = world.weir("plan", "bad.yaml", "--json", check=False)
    error = json.loads(result.out)["error"]
    assert result.code == 1 and result.err == ""
    assert (error["code"], error["file"], error["line"], error["column"]) == ("EINVAL", "bad.yaml", 3, 10)
    assert "mtu" in error["text"]


@behaviour("R7")
@words_only
@pytest.mark.parametrize("argv", [
    [], ["nonsense"], ["network"], ["network", "nonsense"], ["network", "add"], ["network", "rm"],
    ["endpoint", "add"], ["endpoint", "add", "a", "--nonsense"], ["endpoint", "add", "a", "--network"],
    ["endpoint", "add", "a", "--network", "web,nonsense=1"], ["endpoint", "add", "a", "--mode", "nonsense"],
    ["endpoint", "add", "a", "b"], ["apply"], ["plan"], ["delete"], ["exec"], ["port", "add"],
    ["port", "add", "a"], ["network", "add", "web", "--mtu", "x"], ["network", "add", "web", "--mtu", "1x"],
    ["--backend", "nonsense", "status"], ["--timeout", "x", "status"], ["--backend"], ["status", "extra"],
    ["endpoint", "add", "a", "--netns", "x", "--pid", "1"]])
def test_wrong_words(world, argv):
    before = world.snapshot()
    result = world.weir(*argv, check=False)
    assert result.code == 2 and result.err.startswith("weir: ") or result.err.startswith("usage"), str(result)
    world.same(before, world.snapshot())


@behaviour("R7")
@elsewhere
def test_spec_from_standard_input(world):
    text = json.dumps({"networks": {"web": dual(1)}})
    world.weir("apply", "-", stdin=text)
    assert [n["name"] for n in world.weir("network", "ls", json=True)["networks"]] == ["web"]
    result = world.weir("apply", "-", stdin="networks: {web: {mtu: x}}", check=False)
    assert result.code == 1 and ":1:" in result.err, str(result)


@behaviour("R8")
@elsewhere
def test_second_store_on_the_same_host(world):
    world.apply(web())
    uuid = world.weir("status", json=True)["store"]
    other = ["--state-dir", "/var/lib/other"]
    before = world.snapshot()
    for words in (["apply", world.spec({"networks": {"x": {"subnet": "10.99.0.0/24"}}}, "x.yaml")],
                  ["network", "add", "x", "--subnet", "10.99.0.0/24"], ["repair"]):
        result = world.weir(*other, *words, check=False)
        assert result.code == 1 and uuid in result.err, str(result)
    without = lambda lines: [line for line in lines if "/var/lib/other" not in line]
    world.same(without(before), without(world.snapshot()))
    world.weir(*other, "delete", "--all", check=False)
    world.same(without(before), without(world.snapshot()))
    world.ns("nginx").serve(80)
    assert world.lan.connect(V4.host, 8080).server == "nginx"


@behaviour("R8", "R5")
def test_what_a_lost_store_leaves_is_named(world):
    """Weir does not take it for its own; what it says is enough to get rid of it by hand."""
    world.apply(web())
    uuid = world.weir("status", json=True)["store"]
    world.machine.run(["rm", "-r", "/var/lib/weir"])
    says = {world.weir("status", check=False).err for _ in range(2)}
    assert len(says) == 1 and uuid in min(says) and "in /var/lib/weir there is none" in min(says), says
    world.host.run("sh", "-c", world.filter.spoil["all rules"])
    for _ in range(2):  # without a store, and with one that is empty
        result = world.weir("status", "--json", check=False)
        status = json.loads(result.out)
        assert result.code == 1 and not status["in_sync"] and len(status["drift"]) == 5, str(result)
        assert all(line.startswith("interface w") and uuid in line for line in status["drift"]), str(result)
        assert any("wb-web" in line and 'network "web"' in line for line in status["drift"]), str(result)
        world.refused(1, "network", "add", "web", "--subnet", "10.88.1.0/24", says=[uuid, "--state-dir", "`ip link del wb-web`"])
    for line in status["drift"]:
        world.host.run("ip", "link", "del", line.split()[1].rstrip(":"))
    for name in ("nginx", "api", "pg"):
        world.host.run("ip", "netns", "del", name)
    assert "The host is what it should be." in world.weir("status").out
    world.apply(web())
    world.ns("nginx").serve(80)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).server == "nginx"


@behaviour("R8")
def test_store_of_another_namespace(world):
    """The same state folder, but run inside lan: nothing there is converged, here nothing is changed."""
    world.apply(web())
    before = world.snapshot()
    links = world.lan.run("ip", "link").out
    weir = str(world.place.weir)
    for words in (["apply", "spec.yaml"], ["repair"], ["endpoint", "rm", "nginx"], ["delete", "--all"]):
        result = world.lan.run(weir, *words, env={"WEIR_BACKEND": world.backend}, check=False)
        assert result.code == 1 and "namespace" in result.err, str(result)
    assert world.lan.run("ip", "link").out == links
    assert world.lan.run("sh", "-c", world.filter.list).out == ""
    world.same(before, world.snapshot())


BREAK = {
    "all rules": None,  # the filter's: filters.py
    "our table": None,
    "a chain's rules": None,
    "a veth": "ip link del $(ip -o link show master wb-web | head -1 | cut -d: -f2 | cut -d@ -f1)",
    "the bridge": "ip link del wb-web",
    "the gateway address": "ip addr del 10.88.1.1/24 dev wb-web",
    "a bridge's route": "ip route del 10.88.1.0/24 dev wb-web",
    "a bridge's IPv6 routes": "ip -6 route flush dev wb-web",
    "all routes": "ip route flush dev wb-web; ip route flush dev wb-db; ip -6 route flush dev wb-web",
    "the bridge is down": "ip link set wb-web down",
    "the bridge's ARP": "ip link set wb-web arp off",
    "an endpoint's ARP": "ip -n nginx link set eth0 arp off",
    "forwarding": "echo 0 > /proc/sys/net/ipv4/ip_forward",
    "a namespace": "ip netns del nginx",
    "an endpoint's address": "ip -n nginx addr flush dev eth0 scope global",
    "an endpoint's address ends": "ip -n nginx addr change $(ip -n nginx -o -4 addr show eth0 | grep -o '10[0-9./]*' | head -1)"
                                  " dev eth0 valid_lft 3600 preferred_lft 3600",
    "an endpoint's route": "ip -n nginx route del default",
    "an endpoint's routes": "ip -n nginx route flush dev eth0",
    "an endpoint's way to its network": "ip -n nginx route del 10.88.1.0/24; ip -n nginx -6 route del fd00:88:1::/64",
    "a mapping": None,
    "the owner's mark": None,
}


@behaviour("R2")
@pytest.mark.parametrize("what", BREAK)
def test_repair(world, what):
    """Whatever somebody else undid, status says so and repair brings it back."""
    world.apply(web())
    before = world.snapshot()
    assert world.weir("status").code == 0
    assert "nothing to mend" in world.weir("repair").out
    world.leave()
    world.host.run("sh", "-c", BREAK[what] or world.filter.spoil[what])
    status = world.weir("status", check=False)
    assert status.code == 1 and "weir repair" in status.out, str(status)
    assert world.weir("status", check=False).code == 1
    assert "nothing to mend" not in world.weir("repair").out
    world.same(before, world.snapshot())
    assert world.weir("status", json=True)["in_sync"]
    world.ns("nginx").serve(80)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).server == "nginx"


@behaviour("R2", "L14")
@pytest.mark.parametrize("mode", [*modes.WITH_GATEWAY, "p2p"])
def test_repair_of_an_endpoint_without_routes(world, mode):
    """In each mode, and in a namespace that was found, of either family."""
    theirs = world.netns("theirs")
    spec = {"networks": {"n": modes.network(world, mode)},
            "endpoints": {"a": on("n", netns="theirs"), "b": on("n")}}
    world.apply(spec)
    before = world.snapshot()
    whose = "119" if mode == "routed" else "kernel"  # a routed one's address has no neighbours
    for words in ("route flush", "-6 route flush root fd00::/8 proto " + whose):
        for name in ("theirs", "b"):
            world.host.run("sh", "-c", "ip -n %s %s dev eth0" % (name, words))
        status = world.weir("status", json=True, check=False)
        assert not status["in_sync"] and len(status["drift"]) == 2, status
        world.weir("repair")
        world.same(before, world.snapshot(), words)
        assert world.weir("status", json=True)["in_sync"]
    for family in FAMILIES:
        assert theirs.ping(world.address("b", family.version))


@behaviour("R2")
def test_route_behind_others_is_not_lost(world):
    """A narrower route of the user's and a rule stand before it; without them it is lost all the same."""
    world.apply(web())
    world.host.run("sh", "-ec", "ip route add 10.88.1.0/25 dev wb-web; ip -6 route add fd00:88:1::/96 dev wb-web\n"
                                "ip rule add pref 5 to 10.88.2.0/24 lookup 77; ip route add 10.88.2.0/25 dev wb-db table 77")
    before = world.snapshot()
    assert world.weir("status", json=True)["in_sync"]
    for route in ("10.88.1.0/24 dev wb-web", "fd00:88:1::/64 dev wb-web", "10.88.2.0/24 dev wb-db"):
        world.host.run("ip", "route", "del", *route.split())
        status = world.weir("status", check=False)
        assert "lost its route to %s" % route.split()[0] in status.out, str(status)
        world.weir("repair")
        world.same(before, world.snapshot(), route)


@behaviour("L5", "R2", "C4")
@pytest.mark.parametrize("netns", ["own", "foreign"])
def test_forwarding_inside_is_told_and_mended(world, netns):
    """In a namespace of the user's own weir switches it on only: what else is on there is the user's."""
    keys, more = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}, {"router": {}, "a": {}}
    if netns == "foreign":
        more = {name: {"netns": world.netns(name).name} for name in more}
    world.apply({"networks": {"left": dual(1, gateway="router"), "right": dual(2, gateway="router")}, "endpoints": {
        "router": on("left", "right", forward=True, **more["router"]), "a": on("left", **more["a"]), "b": on("right")}})

    def switch(name, version, value):
        world.ns(name).run("sh", "-c", "echo %d > /proc/sys/%s" % (value, keys[version]))
        return world.weir("status", json=True, check=False)["drift"]

    for version in (4, 6):
        ping = lambda **more: world.ns("a").ping(world.address("b", version), **more)
        assert ping() == 63
        assert switch("router", version, 0) == ["endpoint router: its %s is 0, and should be 1" % keys[version]]
        assert ping(seconds=1) is None
        assert "router" in world.weir("repair").out
        assert ping() == 63 and world.weir("status", json=True)["in_sync"]

        drift = switch("a", version, 1)
        if netns == "foreign":
            assert not drift and "nothing to mend" in world.weir("repair").out
            continue
        assert drift == ["endpoint a: its %s is 1, and should be 0" % keys[version]]
        world.weir("repair")
        assert world.ns("a").run("cat", "/proc/sys/" + keys[version]).out == "0\n"
        assert world.weir("status", json=True)["in_sync"]


@behaviour("R2", "C4")
@pytest.mark.parametrize("netns", ["own", "foreign"])
def test_a_namespace_that_is_gone_is_told(world, netns):
    more = {"netns": world.netns("nginx").name} if netns == "foreign" else {}
    world.apply({"networks": {"web": dual(1)}, "endpoints": {"nginx": on("web", **more)}})
    world.host.run("ip", "netns", "del", "nginx")
    said = "its namespace /run/netns/nginx is gone"
    drift = world.weir("status", json=True, check=False)["drift"]
    assert any(line.startswith("endpoint nginx: ") and line.endswith(said) for line in drift), drift
    assert said in world.weir("repair").out
    assert world.weir("status", json=True)["in_sync"]


# What root inside an endpoint, or the owner of an interface, can do at any time.
HOSTAGE = {
    "another alias": ("api", "ip -n api link set eth0 alias mine"),
    "another eth0": ("api", "ip -n api link set eth0 down; ip -n api link set eth0 name lan0;"
                            " ip -n api link add eth0 type veth peer name p0"),
    "no parent": ("macs", "ip link del dum"),
}


@behaviour("R2", "C4", "S2")
@elsewhere
@pytest.mark.parametrize("what", HOSTAGE)
def test_what_cannot_be_mended_holds_nothing_up(world, what):
    """It is told, and stays as it is; the rules and everything else are mended, and it can be removed."""
    spec = web()
    spec["networks"]["macs"] = {**dual(3), "mode": "macvlan", "parent": "dum"}
    world.host.run("sh", "-c", "ip link add dum type veth peer name mud; ip link set dum up")
    world.apply(spec)
    name, trick = HOSTAGE[what]
    world.host.run("sh", "-c", trick + "\n" + world.filter.spoil["all rules"] + "\nip -n nginx route del default")
    status = world.weir("status", json=True, check=False)
    assert not status["in_sync"] and any(name in line for line in status["drift"]), status
    for argv in (["repair"], ["apply", "spec.yaml"]):
        again = world.weir(*argv, check=False)
        assert again.code == 1 and '"%s"' % name in again.err, str(again)
        assert name not in again.out, "it was not mended"
    world.ns("nginx").serve(80)
    assert world.lan.connect(V4.host, 8080).server == "nginx"
    world.denied(world.lan, world.address("nginx"), 80, world.ns("nginx"))
    world.host.run("sh", "-c", world.filter.spoil["all rules"])
    added = world.weir("endpoint", "add", "new", "--network", "web")
    assert "warning" in added.err and '"%s"' % name in added.err, str(added)
    world.weir("port", "rm", "nginx", "8080:80")
    world.weir("endpoint" if name == "api" else "network", "rm", name)
    assert world.weir("status", json=True)["in_sync"]
    world.weir("delete", "--all")


# Somebody's interface in the place of one of weir's, or weir's under another alias: it is still in weir's group.
STRANGERS = {
    "another bridge": ("bridge", "wb-web", "ip link del {0}; ip link add {0} type bridge"),
    "another port": ("bridge", None, "ip link del {0}; ip link add {0} type bridge"),
    "another port of a routed network": ("routed", None, "ip link del {0}; ip link add {0} type bridge"),
    "a bridge's alias": ("bridge", "wb-web", "ip link set {0} alias mine"),
    "a port's alias": ("bridge", None, "ip link set {0} alias mine"),
    "the alias of a port of a routed network": ("routed", None, "ip link set {0} alias mine"),
}


@behaviour("L15", "R1", "R2", "C1")
@pytest.mark.parametrize("what", STRANGERS)
@pytest.mark.parametrize("verb", ["rm", "delete"])
def test_a_strangers_interface_holds_no_removal_up(world, what, verb):
    """What the store knows goes; an interface that is not weir's any more stays, and is named."""
    mode, name, trick = STRANGERS[what]
    before = world.snapshot()
    world.apply({"networks": {"web": {**dual(1), "mode": mode}, "db": dual(2)}, "endpoints": {"a": on("web", "db"), "b": on("web")}})
    name = name or world.endpoint("a")["attachments"][0]["host_ifname"]
    world.host.run("sh", "-c", trick.format(name))
    words = 'weir: warning: interface "%s": it is not weir\'s any more, and stays: `ip link del %s` removes it\n' % (name, name)
    if what == "another bridge":
        assert "going back" not in world.refused(1, "network", "set", "web", "--mtu", "1400", says=["wb-web", "not weir's"]).err
    said = ""
    for argv in {"rm": ["endpoint rm a", "endpoint rm b", "network rm web", "delete --all"], "delete": ["delete --all"]}[verb]:
        said += world.weir(*argv.split()).err
    assert ("going back" in said, said.count(words)) == (False, what.startswith("another")), said
    if words in said:
        world.host.run("ip", "link", "del", name)
    world.same(before, world.snapshot())


@behaviour("R2", "R3")
@elsewhere
@pytest.mark.parametrize("what", ["all rules", "our table", "a chain's rules"])
def test_next_command_mends_lost_rules(world, what):
    world.apply(web())
    world.host.run("sh", "-c", BREAK[what] or world.filter.spoil[what])
    world.weir("port", "add", "nginx", "9090:90")
    world.ns("nginx").serve(80)
    world.ns("nginx").serve(90)
    assert world.lan.connect(V4.host, 8080).server == "nginx"
    assert world.lan.connect(V4.host, 9090).server == "nginx"
    assert world.weir("status", json=True)["in_sync"]


@behaviour("R2", "C1")
@elsewhere
def test_a_kill_leaves_no_other_bridge_filtered(world):
    """Loaded, the filter is on in every bridge until weir has switched it off. weir dies in between."""
    keys = ["net/bridge/bridge-nf-call-" + name for name in ("iptables", "ip6tables", "arptables")]
    spec = web()
    spec["networks"]["web"]["filter_bridged"] = True
    world.apply(web())
    log, hide = world.folder / "calls", {"WEIR_FAULT_HIDE": "bridge-nf-call,kernel/modprobe"}  # as before it is loaded
    change = ["apply", world.spec(spec)]
    assert world.weir(*change, check=False, env={**world.count_calls("store", log), **hide}).code == 4
    noted = [at for at, call in enumerate(log.read_text().splitlines(), 1) if "write" in call and call.endswith("weir.lock")]
    killed = world.weir(*change, check=False, env={**world.faults("store", noted[-1], "kill-after", log), **hide})
    assert killed.code == -9, str(killed)
    world.host.run("sh", "-c", "modprobe -q br_netfilter; [ ! -e /proc/sys/%s ] || for key; do echo 1 >/proc/sys/$key; done" % keys[0],
                   "sh", *keys)
    world.weir("port", "add", "api", "9090:90")
    if world.exists("/proc/sys/" + keys[0]):
        assert [world.sysctl(key) for key in keys] == ["0", "0", "0"]
    assert world.weir("status", json=True)["in_sync"]


@behaviour("R2", "R3")
def test_apply_mends_what_plan_tells(world):
    """However fresh everything looks by its rules."""
    world.apply(web())
    world.host.run("sh", "-c", "ip -n nginx link del eth0")
    plan = world.weir("plan", "spec.yaml", check=False)
    assert plan.code == 3 and "nginx" in plan.out, str(plan)
    drift = world.weir("plan", "spec.yaml", "--json", check=False)
    assert drift.code == 3 and world.parse(drift)["drift"], str(drift)
    assert "nginx" in world.weir("apply", "spec.yaml").out
    assert world.host.ping(world.address("nginx")) and world.ns("nginx").ping(V4.lan)
    assert world.weir("plan", "spec.yaml").code == 0


@behaviour("C3", "C4")
def test_an_interface_from_which_nothing_is_forwarded_is_told(world):
    """It is the administrator's switch, and may be meant."""
    world.apply(web())
    world.ns("nginx").serve(80)
    assert world.lan.connect(V4.host, 8080).server == "nginx"
    assert world.weir("status", json=True)["notes"] == []
    key = "net/ipv4/conf/eth0/forwarding"
    world.host.run("sh", "-c", "ip link add idle type veth peer name idle2; echo 0 >/proc/sys/net/ipv4/conf/idle/forwarding")
    world.set_sysctl(key, 0)
    assert world.lan.connect(V4.host, 8080).outcome == "timeout"
    status = world.weir("status", json=True)
    assert status["in_sync"] and len(status["notes"]) == 1 and status["notes"][0].startswith(key + " is 0: "), status
    assert "note      %s is 0: " % key in world.weir("status").out
    world.weir("repair")
    assert world.sysctl(key) == "0"


@behaviour("C4", "R2")
@elsewhere
def test_forwarding_is_switched_on_again(world):
    keys = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
    assert [world.sysctl(key) for key in keys] == ["0", "0"]
    world.apply(web())
    for key in keys:
        world.set_sysctl(key, 0)
    drift = world.weir("status", json=True, check=False)["drift"]
    assert [line for line in drift if "sysctl" in line] == ["sysctl %s: it is 0, and should be 1" % key for key in keys], drift
    world.weir("network", "add", "k")
    assert world.sysctl(keys[0]) == "1"
    world.weir("network", "add", "six", "--subnet", "fd00:88:9::/64")
    assert [world.sysctl(key) for key in keys] == ["1", "1"]
    world.leave()
    world.weir("delete", "--all")
    assert [world.sysctl(key) for key in keys] == ["0", "0"]


@behaviour("C4", "R2", "N1")
@elsewhere
@pytest.mark.parametrize("mode", ["bridge", "routed"])
def test_interfaces_forward_for_themselves(world, mode):
    """The host forwards, but new interfaces do not, or somebody switches one off: status tells, repair mends."""
    for family in ("ipv4", "ipv6"):
        for where, value in (("all", 1), ("default", 0), ("eth0", 1)):
            world.set_sysctl("net/%s/conf/%s/forwarding" % (family, where), value)
    world.apply({"networks": {"web": {**dual(1), "mode": mode}, "db": dual(2, internal=True)},
                 "endpoints": {"a": on("web"), "pg": on("db")}})
    port = "wb-web" if mode == "bridge" else world.endpoint("a")["attachments"][0]["host_ifname"]
    key = "net/ipv4/conf/%s/forwarding" % port
    for mended in (False, True):
        assert world.sysctl(key) == "1"
        for family in FAMILIES:
            assert world.ns("a").ping(family.lan), (mended, family)
        if not mended:
            world.set_sysctl(key, 0)
            assert world.ns("a").ping(V4.lan, seconds=0.1) is None
            drift = world.weir("status", json=True, check=False)["drift"]
            assert any("%s has forwarding 0 instead of 1" % port in line for line in drift), drift
            world.weir("repair")
    assert world.sysctl("net/ipv4/conf/wb-db/forwarding") == "0", "nothing leaves it"
    assert world.weir("status", json=True)["in_sync"]


@behaviour("C4", "R2", "L4")
@elsewhere
def test_port_that_its_bridge_has_disabled(world):
    """All is up, and yet nothing passes. A port whose endpoint has its own end down is not the bridge's doing."""
    world.apply(web())
    port = world.endpoint("api")["attachments"][0]["host_ifname"]
    for family in FAMILIES:
        assert world.ns("api").ping(family.lan)
    world.host.run("bridge", "link", "set", "dev", port, "state", "0")
    assert world.ns("api").ping(V4.lan, seconds=0.1) is None
    drift = world.weir("status", json=True, check=False)["drift"]
    assert len(drift) == 1 and "interface %s is disabled by its bridge" % port in drift[0], drift
    world.weir("repair")
    for family in FAMILIES:
        assert world.ns("api").ping(family.lan) and world.ns("nginx").ping(world.address("api", family.version))
    assert world.weir("status", json=True)["in_sync"]
    world.ns("api").run("ip", "link", "set", "eth0", "down")
    drift = world.weir("status", json=True, check=False)["drift"]
    assert len(drift) == 1 and "eth0 is down" in drift[0], drift


@behaviour("S5", "S10", "C4")
def test_no_forwarding_before_the_rules(world):
    """The rules are gone and forwarding is off; repair is killed before each of its commits in turn."""
    keys = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/wb-web/forwarding")
    world.apply(web())
    for at in range(1, 20):
        world.host.run("sh", "-c", world.filter.spoil["all rules"])
        for key in keys:
            world.set_sysctl(key, 0)
        env = {"LD_PRELOAD": world.place.fault, "WEIR_FAULT_MEDDLE": "test $1 -lt %d || kill -9 $PPID" % at}
        if world.weir("repair", check=False, env=env).code == 0:
            break
        assert [world.sysctl(key) for key in keys] == ["0", "0", "0"], at
    assert at > 1
    assert [world.sysctl(key) for key in keys] == ["1", "1", "1"]
    world.denied(world.lan, world.address("nginx"), 80, world.ns("nginx"))


CONNTRACK = """
nft add table inet other
nft add chain inet other seen '{ type filter hook forward priority 5; }'
nft add rule inet other seen ct state invalid counter
"""


def goes_on(source, number, **more):
    """Over TCP a word comes back, over UDP who has got it."""
    said = source.say(number, "hello", **more)
    return said == "hello" or "|" in said


@behaviour("P1", "C4", "S9")
@every_switch
def test_what_began_without_rules_ends(world):
    """Between two networks, while the rules were gone: none of it goes on when they are back. What they allow does,
    through a router of the user's too."""
    spec = web()
    spec["networks"].update({"left": dual(3, gateway="router"), "right": dual(4, gateway="router")})
    spec["endpoints"].update({"router": on("left", "right", forward=True), "a": on("left"), "b": on("right")})
    world.apply(spec)
    world.host.run("sh", "-ec", CONNTRACK)  # somebody else's rules, for which connections are tracked all the time
    nginx, api, pg, a, b = (world.ns(name) for name in ("nginx", "api", "pg", "a", "b"))
    for server, port in ((nginx, 80), (pg, 90), (b, 90), (world.lan, 90)):
        server.serve(port)
        server.serve(port, "udp")
    ways, allowed, number = [(protocol, family) for protocol in ("tcp", "udp") for family in FAMILIES], [], 0
    for number, (protocol, family) in enumerate(ways, 1):
        for source, addr, port in ((api, world.address("nginx", family.version), 80),
                                   (a, world.address("b", family.version), 90), (nginx, family.lan, 90)):
            assert source.open(number, addr, port, protocol).outcome == "ok"
            allowed.append((source, number))
        if protocol == "tcp":
            assert world.lan.open(number, family.host, 8080).outcome == "ok"
            allowed.append((world.lan, number))
    world.host.run("sh", "-c", world.filter.spoil["our table" if world.backend == "nftables" else "all rules"])
    begun = range(11, 11 + len(ways))
    for number, (protocol, family) in zip(begun, ways):
        assert api.open(number, world.address("pg", family.version), 90, protocol).outcome == "ok"
        assert goes_on(api, number)
    world.weir("repair")
    assert not [ways[number - 11] for number in begun if goes_on(api, number, ms=300)]
    assert not [(source.name, ways[number - 1]) for source, number in allowed if not goes_on(source, number)]


@behaviour("N8", "R2", "S10")
def test_a_second_kill_forgets_no_connection(world):
    """A port's rules are in, somebody has come through, and it was never written down. Repair is killed on the way."""
    world.apply(web())
    world.ns("nginx").serve(90)
    log, add, stream = world.folder / "calls", ["port", "add", "nginx", "9090:90"], 10

    def calls_of(kinds, *argv):
        log.unlink(missing_ok=True)
        world.weir(*argv, env=world.count_calls(kinds, log))
        return log.read_text().splitlines()

    last = max(i for i, call in enumerate(calls_of("store", *add), 1) if "pwrite" in call)
    world.weir("port", "rm", "nginx", "9090:90")

    def come_through():
        assert world.weir(*add, check=False, env=world.faults("store", last, "kill", log)).code == -9
        assert world.lan.open(stream, V4.host, 9090).server == "nginx"
        assert world.lan.say(stream, "hello") == "hello"

    come_through()
    calls = len(calls_of("netlink,xtables", "repair"))
    assert world.lan.say(stream, "hello", ms=300) != "hello"
    for stream in range(1, 9):
        come_through()
        killed = world.weir("repair", check=False, env=world.faults("netlink,xtables", calls - stream, "kill", log))
        assert killed.code == -9
        world.weir("repair")
        assert world.lan.say(stream, "hello", ms=300) != "hello", "killed %d calls before the end" % stream


@behaviour("R6")
@pytest.mark.parametrize("made", ["declared", "at run time"])
@reckoned
def test_what_outlives_a_power_cut_is_on_disk(world, made):
    """What changes something that is declared, port by port too; what is of this boot waits for no disk."""
    world.apply({"networks": {"web": dual(1)}})
    log = world.folder / "calls"

    def syncs(*argv):
        log.unlink(missing_ok=True)
        world.weir(*argv, env=world.count_calls("store", log))
        return "sync" in log.read_text()

    if made == "declared":
        assert syncs("apply", world.spec({"endpoints": {"nginx": on("web", publish=["8080:80"])}}))
    else:
        assert not syncs("endpoint", "add", "nginx", "--network", "web", "-p", "8080:80")
    for argv in (["port", "add", "nginx", "9090:90"], ["port", "rm", "nginx", "8080:80"],
                 ["endpoint", "set", "nginx", "--rate", "8mbit"], ["endpoint", "rm", "nginx"]):
        assert syncs(*argv) == (made == "declared"), argv


def twenty(world):
    return world.spec({"networks": {"web": dual(1)}, "endpoints": {
        "e%d" % i: on("web", publish=["%d:80" % (8000 + i)]) for i in range(20)}})


@behaviour("R1", "U1")
@pytest.mark.parametrize("words", ["", "-v", "--json"])
@pytest.mark.parametrize("reader", ["head -1", "true"])
@reckoned
def test_reader_that_goes_away(world, words, reader):
    line = "%s %s apply %s 2>&1 | %s" % (world.place.weir, words, twenty(world), reader)
    world.host.run("sh", "-c", line, env={"WEIR_BACKEND": world.backend})
    # the pipe's end does not wait for its beginning
    world.host.run("flock", "/var/lib/weir/weir.lock", "true", check=False)
    assert len(world.weir("endpoint", "ls", json=True)["endpoints"]) == 20
    assert world.weir("status", json=True)["in_sync"]
    assert world.weir("plan", "spec.yaml").code == 0


@behaviour("R1", "R2")
@pytest.mark.parametrize("name", ["TERM", "INT", "HUP"])
@pytest.mark.parametrize("begun", ["wb-web", "e0", "e9", "e19"])
def test_asked_to_end(world, name, begun):
    """Whenever the signal comes, nothing or all of it is done; no repair is needed."""
    started = world.start("apply", twenty(world))
    place = world.machine.path("/run/netns/" + begun)
    watched = lambda: begun in world.machine.run(["ls", "/run/netns", "/sys/class/net"], check=False).out.split()
    if begun.startswith("e"):
        watched = place.exists
    while not watched() and started[0].poll() is None:
        pass
    started[0].send_signal(getattr(signal, "SIG" + name))
    result = world.finish(started)
    assert result.code in (0, -getattr(signal, "SIG" + name)), str(result)
    assert len(world.weir("endpoint", "ls", json=True)["endpoints"]) in (0, 20)
    assert world.weir("status", json=True)["in_sync"]
    plan = world.weir("plan", "spec.yaml", "--json", check=False)
    assert world.parse(plan)["drift"] == []
    assert world.weir("apply", "spec.yaml").code == 0
    assert world.weir("plan", "spec.yaml").code == 0
