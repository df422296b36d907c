# SPDX-License-Identifier: GPL-2.0-or-later
"""A test's own world: a host on which weir runs, and neighbours on its network.

    lan (192.0.2.2) ── eth0 host eth1 ── lan2 (198.51.100.2, where asked for)

The lan also stands for the outside: 203.0.113.1 is behind it. Its routes lead to every address by the
host, so that a packet that the host lets through untranslated, or should not have let in, would arrive.

"Does not arrive" is shown by denied(): one short attempt, then a packet that may pass, which the
receiver must have seen without having seen the attempt.
"""
import collections
import ipaddress
import json

import frames
import snapshot
from filters import FILTERS
from place import BUILD, wait_until

ATTEMPT_MS = 60    # of what must not arrive: one SYN; a marker packet proves that it was not just late
ARRIVE_MS = 3000   # of what must: only reached when the test fails
MARKER_PORT = 9    # nothing listens there: the marker comes back as "refused"

Family = collections.namedtuple(
    "Family", "version host lan outside host2 lan2 other_host loopback prefix any_host")
V4 = Family(4, "192.0.2.1", "192.0.2.2", "203.0.113.1", "198.51.100.1", "198.51.100.2", "192.0.2.11",
            "127.0.0.1", "10.88.%d.0/24", "0.0.0.0")
V6 = Family(6, "2001:db8::1", "2001:db8::2", "2001:db8:ffff::1", "2001:db8:2::1", "2001:db8:2::2",
            "2001:db8::11", "::1", "fd00:88:%d::/64", "::")
FAMILIES = (V4, V6)

# IPv6 takes an interface into use when it goes up with a carrier; when the carrier comes later, only after
# up to a second. So each side goes up once more when the other one is. Link-local addresses are given: an
# interface's own choice counts only after a second or two, and until then no neighbour is asked for.
WIRE = """
link add {here} type veth peer name eth0 netns {there}
link set {here} addrgenmode none
link set {here} up
"""
CARD = """
link set {here} addrgenmode none
"""
NEIGHBOUR = """
link set lo up
link set eth0 addrgenmode none
link set eth0 up
addr add fe80::2/64 dev eth0 nodad
"""
HOST = """
link set lo up
link set {here} down
link set {here} up
addr add fe80::1/64 dev {here} nodad
"""
# Deprecated, the host's other address is one to connect to, never one that the kernel chooses.
HOST1 = """
addr add {v4.host}/24 dev eth0
addr add {v4.other_host}/24 dev eth0
addr add {v6.host}/64 dev eth0 nodad
addr add {v6.other_host}/64 dev eth0 nodad preferred_lft 0
route add default via {v4.lan}
route add default via {v6.lan}
"""
HOST2 = """
addr add {v4.host2}/24 dev eth1
addr add {v6.host2}/64 dev eth1 nodad
"""
LAN = """
addr add {v4.lan}/24 dev eth0
addr add {v6.lan}/64 dev eth0 nodad
addr add {v4.outside}/32 dev lo
addr add {v6.outside}/128 dev lo
route add default via {v4.host}
route add default via {v6.host}
"""
LAN2 = """
addr add {v4.lan2}/24 dev eth0
addr add {v6.lan2}/64 dev eth0 nodad
route add default via {v4.host2}
route add default via {v6.host2}
"""

# A module where it is one; without it nothing of the bridge meets the hooks of IP. Loading it switches them on.
BRIDGE_NETFILTER = """
[ {on} = 0 ] || [ -e /proc/sys/net/bridge ] || modprobe br_netfilter
for key in /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables; do
	[ ! -e $key ] || echo {on} >$key
done
[ ! -e /proc/sys/net/bridge ] || echo 0 >/proc/sys/net/bridge/bridge-nf-call-arptables
"""
BATCH = """
nsenter --net={path} ip -batch - <<'EOF'
{lines}EOF
"""


def cable(host, neighbour, here, at_host, at_neighbour):
    """A script: a wire between two network namespaces (paths), and what is at its ends."""
    batches = ((host, WIRE), (neighbour, NEIGHBOUR + at_neighbour), (host, HOST + at_host))
    return "".join(BATCH.format(path=path, lines=text.format(v4=V4, v6=V6, here=here, there=neighbour))
                   for path, text in batches)


def wiring(host, lan):
    """A script: the least of a world, with the bridge-netfilter switches off."""
    return BRIDGE_NETFILTER.format(on=0) + cable(host, lan, "eth0", HOST1, LAN)


Answer = collections.namedtuple("Answer", "outcome server client client_port port")


def apart_from_store(lines):
    """A snapshot without the state folder's own files."""
    return [line for line in lines if not (line.startswith("files:") and "/var/lib/weir" in line)]


def answer(word):
    """What connect() said: outcome is "ok", "refused", "timeout" or an errno's name."""
    parts = word.split("|")
    if len(parts) == 4:
        return Answer("ok", parts[0], parts[1], int(parts[2]), int(parts[3]))
    return Answer(word, None, None, None, None)


class Namespace:
    """One network namespace of the world. Its probe is started when first needed."""

    def __init__(self, world, name, path=None, agent=None, machine=None):
        self.world, self.name, self.path, self._agent = world, name, path, agent
        self.machine = machine or world.machine
        self._watched = set()

    @property
    def agent(self):
        if self._agent is None:
            self._agent = self.machine.agent(self.path, self.name)
        return self._agent

    def run(self, *argv, **more):
        return self.machine.run(argv, self.path, **more)

    def ip(self, *argv):
        """`ip -j` as data."""
        return json.loads(self.run("ip", "-j", *argv).out or "[]")

    def link(self, ifname):
        return self.ip("-d", "addr", "show", "dev", ifname)[0]

    def addresses(self, ifname, version=None):
        return [a["local"] for a in self.link(ifname)["addr_info"]
                if a.get("scope") == "global" and version in (None, 4 if a["family"] == "inet" else 6)]

    def mac(self, ifname="eth0"):
        return self.link(ifname)["address"]

    def serve(self, port, proto="tcp", addr="-", last=None):
        """Serves a port, or all up to `last`; the port, which the kernel chose when it was 0."""
        said = self.agent.ask("serve", proto, addr, port, last or port)
        assert said.startswith("ok "), "%s: serve %s/%s: %s" % (self.name, port, proto, said)
        return int(said.split()[1])

    def connect(self, addr, port, proto="tcp", src="-", sport=0, ms=ARRIVE_MS):
        return answer(self.agent.ask("connect", proto, src, sport, addr, port, port, ms))

    def sweep(self, addr, first, last, proto="tcp", ms=ARRIVE_MS):
        """Connects to each port of a range; the answers in order."""
        said = self.agent.ask("connect", proto, "-", 0, addr, first, last, ms)
        return [answer(word) for word in said.split()]

    def open(self, number, addr, port, proto="tcp", ms=ARRIVE_MS):
        """A connection that stays, for say()."""
        return answer(self.agent.ask("open", number, proto, addr, port, ms))

    def say(self, number, word, ms=ARRIVE_MS):
        return self.agent.ask("say", number, word, ms)

    def shout(self, word):
        """The servers here say it to all who are connected, unasked."""
        assert self.agent.ask("shout", word) == "ok"

    def hang_up(self):
        """The servers here reset all streams."""
        assert self.agent.ask("hangup") == "ok"

    def watch(self, ifname="eth0"):
        """From here on frames() gives what arrives there."""
        if ifname not in self._watched:
            assert self.agent.ask("watch", ifname) == "ok"
            self._watched.add(ifname)
        self.frames()

    def frames(self):
        count = int(self.agent.ask("frames"))
        return [frames.parse(self.agent.line()) for _ in range(count)]

    def listen(self):
        """From here on logged() gives what rules of this namespace log by NFLOG."""
        assert self.agent.ask("listen") == "ok"

    def logged(self):
        """The prefixes of the lines since it was last asked."""
        count = int(self.agent.ask("lines"))
        return [self.agent.line() for _ in range(count)]

    def raw(self, ifname, frame):
        assert self.agent.ask("raw", ifname, frame.hex()) == "ok"

    def ping(self, addr, seconds=5, size=None, src=None):
        """The reply's TTL; None without a reply."""
        argv = ["ping", "-n", "-c", "1", "-W", str(seconds)]
        argv += ["-s", str(size), "-M", "do"] if size else []
        argv += ["-I", src] if src else []
        result = self.run(*argv, addr, check=False)
        return int(result.out.split("ttl=")[1].split()[0]) if result.code == 0 else None

    def close(self):
        """Ends the probe: a process inside would keep a removed namespace alive."""
        if self._agent is not None:
            self.machine.drop(self._agent)
        self._agent, self._watched = None, set()


class World:
    """host, lan and the endpoints that weir makes. across: the lan is a machine of its own, where there are
    machines; else, and the lan2 always, a namespace beside the host's."""

    def __init__(self, place, backend, folder, bridge_netfilter="off", lan2=False, across=False):
        self.place, self.backend, self.bridge_netfilter = place, backend, bridge_netfilter
        self.filter = FILTERS[backend]
        self.machine, self.other = place.pair(folder) if across else (place.machine(folder), None)
        self.folder = self.machine.path(self.machine.folder)  # where commands run
        self._endpoints = {}
        self._refusal = None, None  # the last one: how many commands had been run, and what the machine was like
        self.host = Namespace(self, "host", agent=self.machine.holder)
        self.lan = self._lan()
        self.lan2 = self._neighbour("lan2") if lan2 else None
        self._wire()

    def _lan(self):
        if self.other:
            return Namespace(self, "lan", machine=self.other)
        return Namespace(self, "lan", self.machine.lan) if self.machine.lan else self._neighbour("lan")

    def _neighbour(self, name):
        agent, path = self.machine.netns(name)
        return Namespace(self, name, path, agent)

    def _wire(self):
        """In one go: where programs start slowly, each counts."""
        script = ""
        if self.other:
            script = BRIDGE_NETFILTER.format(on=0) + self._card()
        elif not self.machine.lan:
            script = wiring(self.machine.host, self.lan.path)
        if self.lan2:
            script += cable(self.machine.host, self.lan2.path, "eth1", HOST2, LAN2)
        if self.bridge_netfilter == "global":
            script += BRIDGE_NETFILTER.format(on=1)
        if script:
            self.machine.run(["sh", "-ec", script], record=False)

    def _card(self):
        """The neighbour is at the other end of a real wire, and gets its addresses now."""
        names = {"v4": V4, "v6": V6, "here": "eth0"}
        self.lan.run("sh", "-ec", BATCH.format(path=self.other.host, lines=(NEIGHBOUR + LAN).format(**names)), record=False)
        return BATCH.format(path=self.machine.host, lines=(CARD + HOST + HOST1).format(**names))

    # -- weir ---------------------------------------------------------------------------------------

    def weir(self, *argv, check=True, json=False, env=None, **more):
        """Runs weir on the host. With json=True the answer's data."""
        command = self.command(argv, env) + (["--json"] if json else [])
        result = self.machine.run(command, None, {"WEIR_BACKEND": self.backend}, check, **more)
        return self.parse(result) if json else result

    def faults(self, kinds, at, action, log):
        """The environment in which a call of weir's fails (fault/weirfault.c)."""
        return {"LD_PRELOAD": str(self.place.fault), "WEIR_FAULT": kinds, "WEIR_FAULT_AT": str(at),
                "WEIR_FAULT_DO": action, "WEIR_FAULT_LOG": str(log)}

    def count_calls(self, kinds, log):
        """The environment in which weir's calls are written to `log` and none fails."""
        return self.faults(kinds, 0, "", log)

    def command(self, argv, env=None):
        """env: for weir only: a preloaded library must not count what the way into the world does."""
        words = [str(self.place.weir), *map(str, argv)]
        return ["env", *("%s=%s" % pair for pair in env.items()), *words] if env else words

    def start(self, *argv, env=None):
        """weir in the background; finish() waits for it."""
        command = self.command(argv, env)
        process = self.machine.popen(command, None, {"WEIR_BACKEND": self.backend})
        return process, command

    def finish(self, started):
        result = self.machine.finish(started[0], started[1])
        self.machine.history.append(result)
        return result

    @staticmethod
    def parse(result):
        try:
            data = json.loads(result.out)
        except ValueError:
            raise AssertionError("not JSON: %s" % result) from None
        assert data.get("version") == 1, str(result)
        return data

    def spec(self, spec, name="spec.yaml"):
        """Writes a spec file where weir finds it; a dict gets the world's bridge-netfilter switch."""
        if isinstance(spec, dict):
            spec = json.loads(json.dumps(spec))
            for network in spec.get("networks", {}).values():
                if self.bridge_netfilter == "on" and network.get("mode", "bridge") == "bridge":
                    network["filter_bridged"] = True
            spec = json.dumps(spec, indent=1)
        (self.folder / name).write_text(spec)
        return name

    def apply(self, spec, *argv, name="spec.yaml", **more):
        return self.weir("apply", self.spec(spec, name), *argv, **more)

    def endpoint(self, name):
        return self.weir("endpoint", "show", name, json=True)["endpoint"]

    def address(self, name, version=4, network=None):
        """An endpoint's address, by default in its first network."""
        for attachment in self.endpoint(name)["attachments"]:
            if network in (None, attachment["network"]):
                for text in attachment["addresses"]:
                    if ipaddress.ip_address(text.split("/")[0]).version == version:
                        return text.split("/")[0]
        raise AssertionError("%s has no IPv%d address" % (name, version))

    def published(self, name):
        return self.weir("port", "show", name, json=True)["ports"]

    def refused(self, code, *argv, says=(), **more):
        """weir must fail with this exit code, these words, and leave everything as it was (an empty store may
        stay: the folder is where the lock is)."""
        ran, before = self._refusal
        if ran != self.machine.ran:  # one refusal after another needs to look once
            before = self.snapshot()
        result = self.weir(*argv, check=False, **more)
        assert result.code == code, "exit code %d expected: %s" % (code, result)
        for words in [says] if isinstance(says, str) else says:
            assert words in result.err + result.out, "expected %r in: %s" % (words, result)
        after = self.snapshot()
        self.same(apart_from_store(before), apart_from_store(after), result)
        self._refusal = self.machine.ran, after
        return result

    # -- the world ----------------------------------------------------------------------------------

    def ns(self, name):
        """An endpoint's namespace, as it is now: made anew, it is another."""
        path = self.machine.path("/run/netns/" + name)
        inode = path.inode()
        assert inode is not None, "there is no %s" % path
        known = self._endpoints.get(name)
        if known and known[0] == inode:
            return known[1]
        if known:
            known[1].close()
        self._endpoints[name] = (inode, Namespace(self, name, str(path)))
        return self._endpoints[name][1]

    def leave(self):
        """Ends the probes inside endpoints."""
        for _, namespace in self._endpoints.values():
            namespace.close()
        self._endpoints = {}

    def netns(self, name):
        """A namespace that is not weir's, under /run/netns."""
        self.host.run("ip", "netns", "add", name)
        return self.ns(name)

    def exists(self, path):
        return self.machine.path(path).exists()

    def sysctl(self, key):
        return self.host.run("cat", "/proc/sys/" + key).out.strip()

    def set_sysctl(self, key, value):
        self.machine.run(["sh", "-c", "echo %s > /proc/sys/%s" % (value, key)], record=False)

    def ruleset(self):
        """Everybody's rules in weir's packet filter."""
        return self.host.run("sh", "-c", self.filter.list, record=False).out

    def snapshot(self):
        return snapshot.take(lambda argv, stdin: self.machine.run(argv, stdin=stdin, record=False).out,
                             str(self.place.probe))

    def same(self, before, after, why=""):
        diff = snapshot.difference(before, after)
        assert not diff, "the machine changed\n%s\n%s" % (diff, why)

    def denied(self, source, addr, port, at, proto="tcp", at_port=None, ifname="eth0", marker=None, src="-",
               answers=("timeout", "refused", "EHOSTUNREACH", "ENETUNREACH", "EACCES", "EPERM")):
        """The attempt gets no answer and nothing of it arrives at the namespace `at`.

        The marker comes from the host, whose own packets may always reach an endpoint: (address) of the
        receiver. When it has arrived and the attempt has not, the attempt never will."""
        port_there = at_port or port
        self._settle()
        at.watch(ifname)
        said = source.connect(addr, port, proto, src=src, ms=ATTEMPT_MS)
        assert said.outcome in answers, "%s reached %s:%s at %s: %s" % (source.name, addr, port, at.name, said)
        seen = self.until_marker(at, marker or at.addresses(ifname)[0])
        # an earlier connection may still say goodbye: an attempt begins with a SYN
        arrived = [f for f in seen if f.proto == frames.PROTOCOLS[proto] and f.dport == port_there
                   and (f.flags is None or f.flags & frames.SYN)]
        assert not arrived, "%s must not arrive at %s: %s" % (addr, at.name, arrived)
        return said.outcome

    def _settle(self):
        """What was on the wire to the host has come through: it keeps the order, and this came last."""
        if self.other:
            said = self.lan.connect(V4.host, MARKER_PORT)  # a reset comes at once, ICMP at a limited rate
            assert said.outcome == "refused", said

    def until_marker(self, at, addr):
        """What has arrived at `at`, up to a packet that the host sends there now."""
        seen = []

        def marked():
            seen.extend(at.frames())
            return any(f.proto == frames.UDP and f.dport == MARKER_PORT for f in seen)

        self._settle()
        self.host.connect(addr, MARKER_PORT, "udp", ms=ATTEMPT_MS)
        wait_until(marked, "the marker at %s by %s" % (at.name, addr))
        return seen

    def arrivals(self, at, act, want, ifname="eth0", marker=None):
        """Frames that satisfy want() and reach `at` when act() is done."""
        at.watch(ifname)
        act()
        return [f for f in self.until_marker(at, marker or at.addresses(ifname)[0]) if want(f)]

    def report(self):
        """For a failing test: what was run, and the rules as they are."""
        rules = self.machine.run(["sh", "-c", self.filter.list], check=False, record=False).out
        return "".join(map(str, self.machine.history[-60:])), rules

    def complaints(self):
        """What the kernels have said that they should not."""
        return "".join(machine.complaints() for machine in (self.machine, self.other) if machine)

    def close(self):
        self.machine.close()
        if self.other:
            self.other.close()


__all__ = ["World", "V4", "V6", "FAMILIES", "BUILD", "apart_from_store", "wait_until"]
