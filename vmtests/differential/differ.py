# SPDX-License-Identifier: GPL-2.0-or-later
"""Random models, random packets: what the evaluator says and what the kernel does are the same.

    /usr/bin/python3 vmtests/differential/differ.py [--seed N] [--models M] [--only K] [--flows F] [--backend B]

Each model gets a world of its own. Its flows are sent all at once (exchange.c), each with a number in its
payload; whatever arrives, arrives with that number, and is compared with the evaluator's answer
(evaluate.c): where it goes, translated to what, from whom as the receiver sees it. A round of markers by
every path closes a model: what has not arrived by then never will. Where something is accepted and there is
somebody to answer (a TCP reset, an echo reply), the answer must come back from the address that was asked.
"""
import argparse
import collections
import concurrent.futures
import functools
import json
import multiprocessing
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import place  # noqa: E402
import world as worlds  # noqa: E402
from models import FAMILIES, HOST, LAN, LAN2, Flow, Flows, Model, family  # noqa: E402

ROUND_MS = 10000  # only reached when something that must arrive does not
FORWARD = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}

Expected = collections.namedtuple("Expected", "verdict local dst dport src why")
# What the kernel did: arrivals are (ns, src, dst, dport), answers (ns, src, sport), refusals by ICMP (ns,).
Seen = collections.namedtuple("Seen", "arrivals answers refusals errors")


# -- the evaluator ------------------------------------------------------------------------------------

def evaluate(model, flows, file):
    lines = ["host %s %s" % (a, "eth1" if a == FAMILIES[version].host2 else "eth0")
             for version in HOST for a in HOST[version]]
    lines += ["guard %d" % version for version in FAMILIES if model.guarded(version)]
    lines += ["bridged"] if model.bridge_netfilter == "global" else []
    lines += ["flow %s %s %s %s %s %d" % (f.origin, f.where, f.src, f.dst, f.proto, f.dport) for f in flows]
    said = subprocess.run([place.program("evaluate"), file], input="\n".join(lines) + "\n", text=True, check=False,
                          capture_output=True)
    assert said.returncode == 0, said.stderr
    return [expected(line) for line in said.stdout.splitlines()]


def expected(line):
    verdict, local, dst, dport, src, why = line.split(" ", 5)
    return Expected(verdict, local == "local", dst, int(dport), None if src == "-" else src, why)


# -- the kernel ---------------------------------------------------------------------------------------

class Exchange:
    """exchange.c, in the world."""

    def __init__(self, world, cpu):
        self.process = world.machine.popen([world.place.program("exchange"), cpu], talk=True)
        self._number, self._said = 0, ""

    def say(self, *words):
        self._said += " ".join(map(str, words)) + "\n"

    def round(self, flows):
        """Sends; flows are (flow, how many lines it should cause). A Seen for each."""
        first = self._number
        for flow, wanted in flows:
            self.say("flow", self._number, flow.ns, flow.ifname, flow.src, flow.dst, flow.proto, flow.dport, wanted)
            self._number += 1
        self.say("go", ROUND_MS)
        self.process.write(self._said)
        self._said = ""
        seen = collections.defaultdict(lambda: Seen([], [], [], []))
        for line in iter(self.process.line, "done\n"):
            assert line, self.process.finish()[2]
            kind, number, *rest = line.split()
            {"at": seen[int(number)].arrivals, "back": seen[int(number)].answers, "prohibited": seen[int(number)].refusals,
             "error": seen[int(number)].errors}[kind].append(tuple(rest))
        self.late = {n: s for n, s in seen.items() if n < first}
        return [seen[first + i] for i in range(len(flows))]

    def close(self):
        self.process.kill()  # it has nothing to put right, and its sockets need time to close
        self.process.finish()


class Case:
    """One model, applied, and its flows."""

    def __init__(self, somewhere, backend, seed, number, flows, cpu):
        self.name = "--backend %s --seed %d --only %d --flows %d" % (backend, seed, number, flows)
        self.model = Model(random.Random("%d/%d" % (seed, number)))
        self.flows = Flows(self.model).take(flows)
        self.somewhere, self.backend, self.cpu = somewhere, backend, 0 if somewhere.emulated else cpu

    def run(self):
        """What differs, as texts."""
        with tempfile.TemporaryDirectory(prefix="weir-differ-") as folder:
            self.world = worlds.World(self.somewhere, self.backend, pathlib.Path(folder),
                                      self.model.bridge_netfilter, lan2=True)
            try:
                return self._compare(pathlib.Path(folder, "evaluate.yaml"))
            finally:
                self.world.close()

    def _compare(self, file):
        """The file is for the evaluator, which runs here."""
        self._prepare()
        applied = self.world.apply(self.model.spec, check=False)
        if applied.code != 0:
            return ["%s: the model is refused\n%s%s" % (self.name, applied, self._model_text())]
        self._routes()
        file.write_bytes((self.world.folder / "spec.yaml").read_bytes())
        answers = evaluate(self.model, self.flows, file)
        self.exchange = Exchange(self.world, self.cpu)
        try:
            self._places()
            seen = self.exchange.round([(f, self._wanted(f, e)) for f, e in zip(self.flows, answers)])
            self._markers(seen)
            wrong = [(f, e, s) for f, e, s in zip(self.flows, answers, seen) if self._differs(f, e, s)]
            return [self._tell(*one) for one in wrong]
        finally:
            self.exchange.close()

    def _prepare(self):
        """The switches on which the answers depend, as the model has them."""
        wanted = {FORWARD[version]: int(on) for version, on in self.model.forwarding.items()}
        wanted |= {"net/ipv4/icmp_ratemask": 0, "net/ipv6/icmp/ratemask": 128}  # refusals are not rationed
        wanted |= {"net/ipv4/conf/%s/rp_filter" % name: 0 for name in ("all", "default", "eth0", "eth1")}
        script = "".join("echo %d > /proc/sys/%s\n" % (value, key) for key, value in wanted.items())
        self.world.machine.run(["sh", "-ec", script], record=False)

    def _places(self):
        self.exchange.say("host", "host", "/proc/self/ns/net")
        for ns in (self.world.lan, self.world.lan2):
            self.exchange.say("guest", ns.name, ns.path)
        for name in self.model.endpoints:
            self.exchange.say("guest", name, "/run/netns/" + name)

    def _routes(self):
        """What the flows need beside weir's own routes: of the highest metric, so that weir's stay the first."""
        script = ""
        for name in self.model.endpoints:
            lines = "".join("route add %s via %s dev %s metric %d\n" % (*route, 5000 + number)
                            for number, route in enumerate(self.model.routes(name)))
            script += "ip -n %s -batch - <<'EOF'\n%sEOF\n" % (name, lines)
        self.world.machine.run(["sh", "-ec", script], record=False)

    def _markers(self, seen):
        """The host and every interface ask each other. What comes now of the flows is theirs still."""
        flows = []
        for port in self.model.ports:
            for address in port.addr.values():
                gateway = self.model.gateway(port.network, address)
                flows += [Flow("", "", "host", "-", gateway, address, *self.model.marker),
                          Flow("", "", port.endpoint, port.ifname, address, gateway, *self.model.marker)]
        for version, wide in FAMILIES.items():
            for ns, here, there in (("lan", wide.host, wide.lan), ("lan2", wide.host2, wide.lan2)):
                flows += [Flow("", "", "host", "-", here, there, "icmp", 0),
                          Flow("", "", ns, "eth0", there, here, "icmp", 0)]
        marked = self.exchange.round([(flow, 2) for flow in flows])
        for flow, one in zip(flows, marked):
            assert len(one.arrivals) == 1 and len(one.answers) == 1, \
                "%s: the marker %s: %s\n%s" % (self.name, flow, one, self._model_text())
        for number, late in self.exchange.late.items():
            for kind, more in zip(seen[number], late):
                kind.extend(more)

    # -- comparing --------------------------------------------------------------------------------

    def _owner(self, address):
        """Who has the address: a namespace, and the address that the host has on the way there."""
        version = family(address)
        for port in self.model.ports:
            if address in port.addr.values():
                return port.endpoint, self.model.gateway(port.network, address)
        if address in LAN2[version]:
            return "lan2", FAMILIES[version].host2
        return "lan", FAMILIES[version].host

    def _arrival(self, flow, answer):
        """What the evaluator's answer means for what is seen; None: nothing."""
        if answer.verdict != "accept":
            return None
        if answer.local:
            return ("host", answer.src, answer.dst, str(answer.dport))
        ns, near = self._owner(answer.dst)
        return (ns, answer.src or near, answer.dst, str(answer.dport))

    def _answered(self, flow, arrival):
        """Must an answer come back? UDP has none, nor has ICMP but echo requests; one to a borrowed source goes elsewhere, and so does one of a
        receiver with a shorter way to that source, by another of its networks, or with another one whose guard knows
        no such address."""
        if arrival is None or flow.proto not in ("tcp", "icmp") or (flow.proto == "icmp" and flow.dport):
            return False
        ns, src, dst, _ = arrival
        if any((self.model.subnet_of(port.network, src) or self.model.is_guarded(port.network)) and
               dst not in port.addr.values()
               for port in self.model.ports_of(ns)):
            return False
        return flow.ns == "host" or flow.src in self._addresses(flow)

    def _told(self, flow, answer):
        """Must a refusal reach the sender? One to a borrowed source goes elsewhere."""
        return answer.verdict == "refuse" and (flow.ns == "host" or flow.src in self._addresses(flow))

    def _addresses(self, flow):
        if flow.ns in ("lan", "lan2"):
            return (LAN2 if flow.ns == "lan2" else LAN)[family(flow.src)]
        return [p.addr.get(family(flow.src)) for p in self.model.ports_of(flow.ns) if p.network == flow.where]

    def _wanted(self, flow, answer):
        arrival = self._arrival(flow, answer)
        return (arrival is not None) + self._answered(flow, arrival) + self._told(flow, answer)

    def _differs(self, flow, answer, seen):
        arrival = self._arrival(flow, answer)
        if seen.arrivals != ([] if arrival is None else [arrival]):
            return True
        if answer.verdict != "accept":
            return self._refused_otherwise(flow, answer, seen)
        back = [(flow.ns, flow.dst, str(flow.dport if flow.proto == "tcp" else 0))]
        return bool(seen.errors or seen.refusals) or (self._answered(flow, arrival) and seen.answers != back)

    def _refused_otherwise(self, flow, answer, seen):
        """A process on the host is told by its own kernel. The others hear of a refusal only: by a reset, or by ICMP."""
        if seen.errors != [("EPERM",)] * (flow.ns == "host" and not answer.local):
            return True
        if answer.verdict == "refuse" and not self._told(flow, answer):
            return False  # whoever has the address hears of it, or the port that it came from
        told, reset = answer.verdict == "refuse", flow.proto in ("tcp", "ack")
        if seen.refusals != [(flow.ns,)] * (told and not reset):
            return True
        resets = [(flow.ns, flow.dst, str(flow.dport))]
        if flow.origin == "endpoint":  # where frames of a bridge meet the IP hooks, a reset goes past the translation
            resets += [(flow.ns, answer.dst, str(answer.dport))]
        return len(seen.answers) != (told and reset) or any(one not in resets for one in seen.answers)

    def _tell(self, flow, answer, seen):
        said = "%s:%s from %s at %s" % (answer.dst, answer.dport, answer.src or "the interface's",
                                        (self._arrival(flow, answer) or ("nobody",))[0])
        return "%s\n  flow      %s\n  evaluator %s (%s): %s\n  kernel    %s\n%s" % (
            self.name, flow, answer.verdict, answer.why, said, seen, self._model_text())

    def _model_text(self):
        drops = [line.strip() for line in self.world.ruleset().splitlines()
                 if "counter packets" in line and "counter packets 0 " not in line]
        return "  forwarding before: %s, bridge netfilter: %s\n%s\n%s\n" % (
            self.model.forwarding, self.model.bridge_netfilter, json.dumps(self.model.spec, indent=1),
            "\n".join("    " + line for line in drops))


# -- many models --------------------------------------------------------------------------------------

own_cpu, own_place = 0, None  # of this worker


def begin(free, somewhere):
    global own_cpu, own_place
    own_cpu, own_place = free.get(), somewhere


def one(backend, seed, flows, number):
    """Texts of what differs in one model."""
    case = Case(own_place, backend, seed, number, flows, own_cpu)
    try:
        return case.run()
    except AssertionError as error:
        return ["%s: %s" % (case.name, error)]


def differ(somewhere, backend, seed, numbers, flows, progress=lambda done: None):
    """The same for many models, on all CPUs."""
    cpus, free = sorted(os.sched_getaffinity(0)), multiprocessing.Queue()
    for cpu in cpus:
        free.put(cpu)
    differences = []
    with concurrent.futures.ProcessPoolExecutor(len(cpus), initializer=begin, initargs=(free, somewhere)) as pool:
        run = functools.partial(one, backend, seed, flows)
        for done, found in enumerate(pool.map(run, numbers, chunksize=4), 1):
            differences += found
            progress(done)
    return differences


def main():
    parser = argparse.ArgumentParser(description="evaluator = kernel, for random models and flows")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1000000))
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--only", type=int, help="only this model of the seed")
    parser.add_argument("--flows", type=int, default=50)
    parser.add_argument("--backend", default="nftables")
    args = parser.parse_args()
    numbers = list(range(args.models)) if args.only is None else [args.only]
    print("seed %d, %d models of %d flows, %s" % (args.seed, len(numbers), args.flows, args.backend), flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weir-differ-") as folder:
        differences = differ(place.HostKernel(folder), args.backend, args.seed, numbers, args.flows,
                             lambda done: done % 100 or print("%d models" % done, file=sys.stderr, flush=True))
    print("\n".join(differences))
    print("seed %d: %d flows differ, %.1f s" % (args.seed, len(differences), time.monotonic() - start))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
