# SPDX-License-Identifier: GPL-2.0-or-later
"""C5: which packet filter is in use, and the move to another one; and filters that are not as they should be.

A move is looked at with every call to the kernel slowed down, so that each state in between lasts while streams and
floods run. Counters at both ends of each flow tell what was lost on the way: nothing may be, and what must not
arrive is 0.
"""
import collections
import contextlib
import json

import pytest

from filters import FILTERS
from marks import behaviour, elsewhere, only
from specs import dual, on, web
from world import FAMILIES, V4, wait_until

OTHER = {"nftables": "iptables", "iptables": "nftables"}
SLOW_MS = 4
PAUSE_US = 2000
EMULATED = 5  # times slower, that floods leave an emulated processor time for the streams

Way = collections.namedtuple("Way", "source there at here")  # as nft says it where it leaves, and where it arrives


def moved(world):
    """Everybody speaks of the other filter from now on."""
    world.backend = OTHER[world.backend]
    world.filter = FILTERS[world.backend]


def move(world, **more):
    result = world.weir("backend", "use", OTHER[world.backend], **more)
    moved(world)
    return result


def running():
    spec = web()
    spec["networks"].update({"db": dual(2, internal=True), "open": dual(7, nat="none", trusted=["eth0"])})
    spec["endpoints"]["nginx"]["publish"] = ["8080:80", "5353:80/udp", "6000:4000/udp", "127.0.0.1:9000:80"]
    spec["endpoints"]["r"] = on("open")
    spec["policies"] = [
        {"name": "opens", "action": "allow", "from": "endpoint:nginx", "to": "endpoint:r", "ports": ["4003/udp"]},
        {"name": "closes", "action": "deny", "from": "outside", "to": "endpoint:r", "ports": ["4004/udp"]}]
    return spec


# -- counting --------------------------------------------------------------------------------------

def count(ns, places):
    """A counter for each place: (hook, match)."""
    hooks = {"postrouting": [], "prerouting": []}
    for number, (hook, match) in enumerate(places):
        hooks[hook].append("%s counter name c%d" % (match, number))
    ns.run("nft", "-f", "-", stdin="table inet seen {\n%s\n%s\n}\n" % (
        "\n".join("counter c%d {}" % number for number in range(len(places))),
        "\n".join("chain %s { type filter hook %s priority %d;\n%s\n}" % (
            hook, hook, 300 if hook == "postrouting" else -400, "\n".join(rules)) for hook, rules in hooks.items())))


def counted(ns):
    items = json.loads(ns.run("nft", "-j", "list", "counters", "table", "inet", "seen", record=False).out)["nftables"]
    return {item["counter"]["name"]: item["counter"]["packets"] for item in items if "counter" in item}


class Count:
    """Packets of each way at both of its ends."""

    def __init__(self, ways):
        self.ways, self.names, places = ways, {}, collections.defaultdict(list)
        for way, (source, there, at, here) in ways.items():
            for ns, hook, match in ((source, "postrouting", there), (at, "prerouting", here)):
                if match:
                    self.names[way, hook] = (ns, "c%d" % len(places[ns]))
                    places[ns].append((hook, match))
        for ns, rules in places.items():
            count(ns, rules)
        self.places = places

    def now(self):
        """By way: how many left, how many arrived."""
        seen = {ns: counted(ns) for ns in self.places}
        value = lambda key: seen[self.names[key][0]][self.names[key][1]] if key in self.names else None
        return {way: (value((way, "postrouting")), value((way, "prerouting"))) for way in self.ways}

    def lost(self):
        return {way: pair for way, pair in self.now().items() if pair[0] != pair[1]}


def there_and_back(name, source, at, ip, proto, dst, port, client, at_port):
    """Both directions of a flow: as its source sees it, and as it arrives behind the host."""
    yield name + " to", Way(source, "%s daddr %s %s dport %d" % (ip, dst, proto, port),
                            at, "%s saddr %s %s dport %d" % (ip, client, proto, at_port))
    yield name + " fro", Way(at, "%s daddr %s %s sport %d" % (ip, client, proto, at_port),
                             source, "%s saddr %s %s sport %d" % (ip, dst, proto, port))


class Traffic:
    """Streams that must lose nothing, floods that must arrive, and floods that must not."""

    def __init__(self, world):
        self.world, self.streams, self.floods, self.never = world, {}, [], set()
        self.slower = EMULATED if world.place.emulated else 1
        self.ways, self.plan = {}, [("127.0.0.1", world.host, "tcp", "127.0.0.1", 9000)]
        self.nginx, self.r, self.pg, self.lan = *(world.ns(name) for name in ("nginx", "r", "pg")), world.lan
        for ns, port in ((self.nginx, 80), (self.r, 80), (self.lan, 7000)):
            ns.serve(port, "tcp")
            ns.serve(port, "udp")
        for family in FAMILIES:
            self.family(family, "ip" if family.version == 4 else "ip6")
        self.count = Count(self.ways)  # before anything flows
        for stream in self.plan:
            self.stream(*stream)

    def family(self, f, ip):
        lan, nginx, r = self.lan, self.nginx, self.r
        addr = {ns: ns.addresses("eth0", f.version)[0] for ns in (nginx, r, self.pg)}
        for proto, port in (("tcp", 8080), ("udp", 5353)):
            for name, source, at, dst, port, client, at_port in (
                    ("published", lan, nginx, f.host, port, f.lan, 80), ("trusted", lan, r, addr[r], 80, f.lan, 80),
                    ("out", nginx, lan, f.outside, 7000, f.host, 7000)):
                name = "%s %s %s" % (name, ip, proto)
                self.ways.update(there_and_back(name, source, at, ip, proto, dst, port, client, at_port))
                self.plan.append((name, source, proto, dst, port))
        for name, source, dst, port, at, client, at_port in (
                ("new out", nginx, f.outside, 4000, lan, f.host, 4000),
                ("new in", lan, f.host, 6000, nginx, f.lan, 4000),
                ("opened", nginx, addr[r], 4003, r, addr[nginx], 4003),
                ("closed", lan, addr[r], 4004, r, f.lan, 4004),
                ("direct", lan, addr[nginx], 4001, nginx, f.lan, 4001),
                ("internal", nginx, addr[self.pg], 4002, self.pg, addr[nginx], 4002)):
            self.ways["%s %s" % (name, ip)] = Way(source, "%s daddr %s udp dport %d" % (ip, dst, port),
                                                  at, "%s saddr %s udp dport %d" % (ip, client, at_port))
            self.floods.append((source, dst, port))
        self.ways["untranslated " + ip] = Way(nginx, "", lan, "%s saddr %s" % (ip, addr[nginx]))
        self.never |= {"%s %s" % (name, ip) for name in ("closed", "direct", "internal", "untranslated")}

    def stream(self, name, ns, *words):
        self.streams[name] = self.world.machine.popen([self.world.place.probe, "stream", *words], ns.path, talk=True)

    def answered(self):
        streams = {name: self.streams[name] for name, *_ in self.plan}
        for stream in streams.values():
            stream.write("?\n")
        return {name: int(stream.line()) for name, stream in streams.items()}

    def going(self, since):
        """Have all of them got on since then?"""
        now = self.answered()
        assert all(now[name] >= since[name] for name in now)
        return all(now[name] > since[name] + 5 for name in now)

    def start_floods(self):
        """Neighbours are known by now: no packet waits for them."""
        for number, (ns, addr, port) in enumerate(self.floods):
            self.streams["flood %d" % number] = self.world.machine.popen(
                [self.world.place.probe, "flood", addr, port, PAUSE_US * self.slower], ns.path)

    def sending(self, since=None):
        """Has each way been gone some times since then?"""
        return all(left is None or left > 20 + (since[way][0] if since else 0)
                   for way, (left, _) in self.count.now().items())

    def stop(self):
        """Streams end between two words, with a proper farewell: what a killed one's socket refuses is lost to nobody."""
        for name, process in self.streams.items():
            if name.startswith("flood"):
                process.kill()
        for process in self.streams.values():
            process.finish()
        self.streams = {}

    def settle(self):
        """All that was sent has arrived, but for what must not."""
        for _ in range(50):
            lost = {way: pair for way, pair in self.count.lost().items() if way not in self.never}
            if not lost:
                return
        raise AssertionError("lost: %s" % lost)


@contextlib.contextmanager
def traffic(world):
    made = Traffic(world)
    try:
        began = made.answered()
        wait_until(lambda: made.going(began), "every stream")
        made.start_floods()
        wait_until(made.sending, "every flood")
        yield made
    finally:
        made.stop()


@behaviour("C5", "S9", "S10")
def test_move_of_a_running_host(world):
    """There and back: nothing that goes on is lost, nothing passes that must not."""
    world.apply(running())
    with traffic(world) as going:
        slow = world.faults("netlink,xtables", 0, "slow:%d" % (SLOW_MS * going.slower), world.folder / "calls")
        for _ in range(2):
            before, sent = going.answered(), going.count.now()
            move(world, env=slow)
            assert world.weir("status", json=True)["backend"] == world.backend
            wait_until(lambda: going.going(before), "every stream, after the move")
            wait_until(lambda: going.sending(sent), "every flood, after the move")
        going.stop()
        going.settle()
    arrived = {way: pair[1] for way, pair in going.count.now().items() if way in going.never}
    assert set(arrived.values()) == {0}, arrived
    assert world.weir("status", json=True)["in_sync"]


@behaviour("C5", "C1", "R3")
@elsewhere
def test_move_there_and_back_leaves_what_was(world):
    world.apply(web())
    before, old = world.snapshot(), world.backend
    plan = world.weir("backend", "use", OTHER[old], "--dry-run", check=False)
    assert plan.code == 3 and "instead of " + old in plan.out, str(plan)
    world.same(before, world.snapshot(), "a dry run")
    assert "instead of " + old in move(world).out
    assert "WEIR" not in world.host.run("sh", "-c", FILTERS[old].list).out.replace("inet weir", "WEIR")
    assert "nothing to change" in world.weir("backend", "use", world.backend).out
    assert world.weir("plan", "spec.yaml").code == 0 and "nothing to mend" in world.weir("repair").out
    world.weir("port", "add", "nginx", "9090:90")
    world.weir("port", "rm", "nginx", "9090:90")
    assert world.weir("backend", "use", old, json=True)["changes"] == [
        {"action": "change", "object": "backend", "name": old, "detail": "instead of " + world.backend}]
    moved(world)
    world.same(before, world.snapshot())
    world.leave()
    world.weir("delete", "--all")


@behaviour("C5")
def test_rules_of_the_other_are_refused(world):
    """Asked for by option or by environment."""
    world.apply(web())
    old, new = world.backend, OTHER[world.backend]
    for words in (["repair"], ["port", "add", "nginx", "9090:90"], ["delete", "--all"]):
        world.refused(1, "--backend", new, *words, says=("rules are in " + old, "weir backend use " + new))
    assert "asked for: " + new in world.weir("--backend", new, "backend").out
    ports = world.weir("port", "ls", json=True)
    assert ports["ports"][0]["target"] and world.weir("--backend", new, "port", "ls", json=True) == ports
    world.refused(2, "backend", "use", "nosuch", says=('"nosuch"', "nftables", "iptables"))


@behaviour("C5", "U2")
def test_which_are_there(world):
    """Before the first change, with a store, and where this kernel lacks one or all."""
    hide = lambda what: {"LD_PRELOAD": str(world.place.fault), "WEIR_FAULT_HIDE": what}
    legacy = "ip_tables_names,kernel/modprobe"
    before, auto = world.snapshot(), ["--backend", "auto", "backend"]
    data = world.weir(*auto, json=True)
    assert (data["in_use"], data["next"], data["by"]) == (None, "nftables", "auto")
    assert [(b["name"], b["possible"], b["reason"]) for b in data["backends"]] == [
        ("nftables", True, None), ("iptables", True, None)]
    assert len(data["backends"][0]["capabilities"]) > len(data["backends"][1]["capabilities"]) > 0
    assert "the next change takes nftables" in world.weir(*auto).out
    lacking = world.weir(*auto, json=True, env=hide("nfnetlink"))
    assert lacking["next"] == "iptables" and "CONFIG_NF_TABLES" in lacking["backends"][0]["reason"]
    lacking = world.weir(*auto, json=True, env=hide(legacy))
    assert lacking["next"] == "nftables" and "CONFIG_NETFILTER_XTABLES_LEGACY" in lacking["backends"][1]["reason"]
    none = world.weir(*auto, check=False, env=hide("nfnetlink," + legacy))
    assert none.code == 4 and "none is possible" in none.out
    assert "not possible: this kernel" in none.out, str(none)
    world.same(before, world.snapshot())
    world.weir("backend", "use", world.backend)  # on an empty host: what is to come
    world.weir("--backend", "auto", "apply", world.spec(web()))
    data = world.weir("--backend", "auto", "backend", json=True)
    assert (data["in_use"], data["next"], data["by"]) == (world.backend, world.backend, "store")


@behaviour("C5", "R1")
def test_move_to_what_this_kernel_lacks(world):
    world.apply(web())
    lack = {"nftables": "ip_tables_names,kernel/modprobe", "iptables": "nfnetlink"}[world.backend]
    world.refused(4, "backend", "use", OTHER[world.backend], says="this kernel",
                  env={"LD_PRELOAD": str(world.place.fault), "WEIR_FAULT_HIDE": lack})
    assert world.weir("status", json=True)["in_sync"]


@behaviour("C5", "C4")
def test_move_away_from_what_is_gone(world):
    """Flushed, or no more to be had: all of it is made anew in the other one."""
    world.apply(web())
    world.host.run("sh", "-c", world.filter.spoil["all rules"] + "\nip link del wb-web")
    lack = {"iptables": "ip_tables_names,kernel/modprobe", "nftables": "nothing"}[world.backend]
    move(world, env={"LD_PRELOAD": str(world.place.fault), "WEIR_FAULT_HIDE": lack})
    world.ns("nginx").serve(80)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).server == "nginx"
        world.denied(world.lan, world.address("nginx", family.version), 80, world.ns("nginx"))
    assert world.weir("status", json=True)["in_sync"]


@behaviour("C5", "C1", "R8")
def test_foreign_rules_in_the_other_one(world):
    world.apply(web())
    other = FILTERS[OTHER[world.backend]]
    world.host.run("sh", "-c", other.foreign)
    world.refused(1, "backend", "use", OTHER[world.backend], says=other.container)
    assert "nothing to mend" in world.weir("repair").out
    world.host.run("sh", "-c", other.no_foreign)
    move(world)


# -- filters that are not as they should be ----------------------------------------------------------

MEDDLE = {
    "nftables": "nft add table ip meddler; nft add chain ip meddler c$1",
    "iptables": "XTABLES_LOCKFILE=/run/meddler.lock iptables-legacy -A FORWARD -s 203.0.113.$1 -j ACCEPT; "
                "XTABLES_LOCKFILE=/run/meddler.lock ip6tables-legacy -A FORWARD -s 2001:db8:77::$1 -j ACCEPT; "
                "XTABLES_LOCKFILE=/run/meddler.lock iptables-legacy -t nat -A OUTPUT -d 203.0.113.$1 -j ACCEPT; "
                "XTABLES_LOCKFILE=/run/meddler.lock ip6tables-legacy -t nat -A OUTPUT -d 2001:db8:77::$1 -j ACCEPT",
}


def meddling(world, times):
    """Somebody commits between weir's look and its commit, so many times."""
    return {"LD_PRELOAD": str(world.place.fault),
            "WEIR_FAULT_MEDDLE": "test $1 -gt %d || { %s; }" % (times, MEDDLE[world.backend])}


def without_meddler(world):
    """A snapshot in which only weir and the kernel have their say."""
    return [line for line in world.snapshot()
            if not any(word in line for word in ("203.0.113.", "2001:db8:77::", "meddler", "chain c"))]


@behaviour("R4", "R1")
def test_others_commit_all_the_time(world):
    """A few times: weir is later. Again and again: it says so, and nothing is half done."""
    world.apply(web())
    world.weir("port", "add", "nginx", "9090:90", env=meddling(world, 3))
    before = without_meddler(world)
    result = world.weir("port", "add", "nginx", "9091:91", check=False, env=meddling(world, 200))
    assert result.code == 1 and "somebody else keeps changing" in result.err, str(result)
    world.same(before, without_meddler(world), result)
    assert world.weir("status", json=True)["in_sync"]
    world.weir("port", "add", "nginx", "9091:91")


def refused_by_the_lock(world, *words):
    holder = world.machine.popen(["flock", "--no-fork", "/run/xtables.lock", "sleep", "30"])
    world.machine.run(["sh", "-c", "until ! flock -n /run/xtables.lock true; do :; done"])
    world.refused(1, "--timeout", "0.3", *words, says=("/run/xtables.lock", "300 ms"))
    holder.kill()
    holder.finish()
    world.machine.run(["flock", "/run/xtables.lock", "true"])
    world.weir(*words)


@behaviour("R4", "R1")
@only("iptables")
@pytest.mark.parametrize("words", ["port add nginx 9090:90", "endpoint rm nginx", "apply spec.yaml --prune"])
def test_lock_of_all_users_of_iptables(world, words):
    """Held by somebody for longer than the timeout: that is said, and nothing is half written."""
    world.apply(web())
    world.spec({"networks": {"web": dual(1, isolate=True)}, "endpoints": {"api": on("web")}})
    refused_by_the_lock(world, *words.split())


@behaviour("C5", "R4")
def test_move_and_the_lock_of_all_users_of_iptables(world):
    world.apply(web())
    refused_by_the_lock(world, "backend", "use", OTHER[world.backend])


# by filter: what somebody does to a rule of ours, and the name that status must tell
EDITS = {
    "opened": {"nftables": ("nft insert rule inet weir forward accept", "forward"),
               "iptables": ("iptables-legacy -I WEIR-FORWARD -j ACCEPT", "WEIR-FORWARD")},
    "emptied": {"nftables": ("nft flush chain inet weir publish", "publish"),
                "iptables": ("ip6tables-legacy -t nat -F WEIR-PUBLISH", "WEIR-PUBLISH")},
    "another verdict": {"nftables": ("nft replace rule inet weir transit handle $(nft -a list chain inet weir transit"
                                     " | sed -n 's/.*accept # handle //p' | tail -1) drop", "transit"),
                        "iptables": ("iptables-legacy -R WEIR-STATE 1 -j ACCEPT", "WEIR-STATE")},
}


@behaviour("C4", "R2")
@pytest.mark.parametrize("what", EDITS)
def test_rule_of_ours_edited(world, what):
    """Found, named, mended: by repair, and by the next change before its own work."""
    world.apply(web())
    before, (command, name) = world.snapshot(), EDITS[what][world.backend]
    for words in (["repair"], ["port", "add", "nginx", "9090:90"]):
        world.host.run("sh", "-c", command)
        status = world.weir("status", json=True, check=False)
        assert any(name in sentence for sentence in status["drift"]), status["drift"]
        world.weir(*words)
        assert world.weir("status", json=True)["in_sync"]
    world.weir("port", "rm", "nginx", "9090:90")
    world.same(before, world.snapshot())
