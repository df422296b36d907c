# SPDX-License-Identifier: GPL-2.0-or-later
"""R1 and R2: each call of weir's that changes something fails once, or is its last.

A scenario is a command with its inverse. Call by call (fault/weirfault.c counts them), the command is run
with that one call failing: it must either fail and leave the machine as it was, or succeed and have done
all. Killed there, `weir repair` must lead to one of the two states, and the command repeated to the second.
Killing before the Nth call is also killing after the one before it: nothing else changes anything. For the
same reason answers that are read need no kill of their own, nor does each page of one transaction of the
store.

All of it takes minutes: WEIR_TEST_EXHAUSTIVE=1. Without it a sample is shown, spread over the calls.
"""
import collections
import os
import re

import pytest

import frames
import modes
import snapshot
from marks import behaviour, reckoned, slow
from specs import dual, on
from world import FAMILIES, V4, wait_until

RTM_DELLINK = 17  # linux/rtnetlink.h

Scenario = collections.namedtuple("Scenario", "prepare do undo")

SPEC = {"networks": {"web": dual(1), "db": dual(2, internal=True)},
        "endpoints": {"nginx": on("web", publish=["8080:80", "7000-7009:8000-8009/udp"]),
                      "api": {"networks": {"web": {}, "db": {"ip": "10.88.2.10"}}, "dns": ["192.0.2.53"]}}}
NGINX = ["endpoint", "add", "extra", "--network", "web,ip=10.88.1.50,ip=fd00:88:1::50", "--dns", "192.0.2.53",
         "-p", "9090:90"]

SCENARIOS = {
    "apply": Scenario([], ["apply", "spec.yaml"], [["delete", "--all"]]),
    "endpoint add": Scenario([["apply", "spec.yaml"]], NGINX, [["endpoint", "rm", "extra"]]),
    "endpoint rm": Scenario([["apply", "spec.yaml"], NGINX], ["endpoint", "rm", "extra"], [NGINX]),
    "port add": Scenario([["apply", "spec.yaml"]], ["port", "add", "nginx", "9090:90"],
                         [["port", "rm", "nginx", "9090:90"]]),
    "port rm": Scenario([["apply", "spec.yaml"]], ["port", "rm", "nginx", "8080:80"],
                        [["port", "add", "nginx", "8080:80"]]),
    "delete": Scenario([["apply", "spec.yaml"]], ["delete", "spec.yaml"], [["apply", "spec.yaml"]]),
    "network add": Scenario([["apply", "spec.yaml"]], ["network", "add", "more", "--subnet", "10.88.3.0/24"],
                            [["network", "rm", "more"]]),
    # as whoever says nothing of backends, which a test's world else does
    "backend use": Scenario([["backend", "use", "{this}"], ["apply", "spec.yaml"]], ["backend", "use", "{other}"],
                            [["backend", "use", "{this}"]]),
}

# The other modes, each with an endpoint that has a rate, a sysctl and neighbours whose names it knows.
ADOPTED = dual(5)["subnets"]


def in_other_modes(rate, queue, **more):
    return {"networks": {"lan": dual(1, mode="routed", **more), "own": {"subnets": ADOPTED, "bridge": "br2", "adopt": True},
                         "seg": {**dual(3), "mode": "macvlan", "parent": "eth0", **more}},
            "endpoints": {"r": {"networks": {"lan": {"sysctls": {"net.core.somaxconn": queue}}}, "rate": rate,
                                "publish": ["8080:80"]},
                          "o": on("own", "lan", rate=rate, publish=["8081:80"]), "m": on("seg", rate=rate)}}


CHANGED = in_other_modes("2mbit/3mbit", "2000", mtu=1400)
CHANGED["networks"]["lan"]["isolate"] = True
CHANGED["endpoints"]["m"]["networks"] = {"seg": {"ip": "10.88.3.50"}, "lan": {"ip": ["10.88.1.51", "fd00:88:1::51"]}}
OTHERS = [["apply", "others.yaml"]]


def another(network):
    ends = ("10.88.%d.60", "fd00:88:%d::60")
    number = {"lan": 1, "own": 5, "seg": 3}[network]
    return ["endpoint", "add", "extra", "--network", "%s,ip=%s,sysctl=net.core.somaxconn=1000" % (
        network, ",ip=".join(end % number for end in ends)), "--rate", "4mbit", "--dns", "192.0.2.53",
        *([] if network == "seg" else ["-p", "9090:90"])]


SCENARIOS.update({
    "others apply": Scenario([], *OTHERS, [["delete", "--all"]]),
    "others change": Scenario(OTHERS, ["apply", "changed.yaml"], OTHERS),
    "others delete": Scenario(OTHERS, ["delete", "others.yaml"], OTHERS),
    "endpoint set": Scenario(
        [["apply", "spec.yaml"], ["endpoint", "set", "nginx", "--network", "web,sysctl=net.core.somaxconn=1000"]],
        ["endpoint", "set", "nginx", "--rate", "8mbit/4mbit", "--network", "db,ip=10.88.2.70,ip=fd00:88:2::70", "--network",
         "web,ip=10.88.1.70,sysctl=net.core.somaxconn=2000"],
        [["endpoint", "set", "nginx", "--no-rate", "--no-network", "db", "--network",
          "web,ip=10.88.1.3,sysctl=net.core.somaxconn=1000"]]),
})
SCENARIOS["endpoint set, isolated"] = Scenario(
    [["apply", "spec.yaml"], ["endpoint", "set", "api", "--network", "web,isolated"]],
    ["endpoint", "set", "nginx", "--network", "web,isolated"],
    [["endpoint", "set", "nginx", "--network", "web,isolated=false"]])
EXHAUSTIVE = bool(os.environ.get("WEIR_TEST_EXHAUSTIVE"))
for net, mode in (("lan", "routed"), ("own", "adopted"), ("seg", "macvlan")):
    SCENARIOS["endpoint add, " + mode] = Scenario(OTHERS, another(net), [["endpoint", "rm", "extra"]])
    if EXHAUSTIVE:  # undone in the one above
        SCENARIOS["endpoint rm, " + mode] = Scenario([*OTHERS, another(net)], ["endpoint", "rm", "extra"], [another(net)])


# Attachments that no interface of the host's tells of: into a namespace that is made for them, the user's own, or an
# endpoint's that is there already.
INSIDE = {"networks": {"wire": dual(6, mode="p2p"), "seg": dual(3, mode="macvlan", parent="eth0")},
          "endpoints": {"left": on("wire"), "there": {"mode": "none"}}}


def attaching(network, where):
    number = {"wire": 6, "seg": 3}[network]
    words = ["--network", "%s,ip=10.88.%d.50,ip=fd00:88:%d::50" % (network, number, number)]
    prepare = [["apply", "inside.yaml"]]
    if where == "there":
        return Scenario(prepare, ["endpoint", "set", "there", *words], [["endpoint", "set", "there", "--no-network", network]])
    theirs = ["--netns", "theirs"] if where == "theirs" else []
    return Scenario(prepare, ["endpoint", "add", "right", *words, *theirs], [["endpoint", "rm", "right"]])


ATTACHING = {"%s, %s" % (network, where): attaching(network, where)
             for network in INSIDE["networks"] for where in ("new", "theirs", "there")}
# What is switched on in the user's own namespace goes with the endpoint, too.
ROUTER = ["endpoint", "add", "right", "--netns", "theirs", "--network", "web,ip=10.88.1.50,ip=fd00:88:1::50"]
ATTACHING.update({
    "router": Scenario([["apply", "spec.yaml"]], [*ROUTER, "--forward"], [["endpoint", "rm", "right"]]),
    "router, rm": Scenario([["apply", "spec.yaml"], [*ROUTER, "--forward"]], ["endpoint", "rm", "right"],
                           [[*ROUTER, "--forward"]]),
    "router, set": Scenario([["apply", "spec.yaml"], ROUTER], ["endpoint", "set", "right", "--forward"],
                            [["endpoint", "set", "right", "--no-forward"]])})
FAULTS = {"netlink": "ENOMEM", "xtables": "ENOMEM", "reply": "ENOBUFS", "store": "ENOSPC", "files": "ENOMEM",
          "bpf": "ENOMEM"}
FAILURES_MAX = 4  # told in one report; then the scenario ends


def sample(numbers, most):
    """At most so many of the numbers, the first and the last among them."""
    if EXHAUSTIVE or len(numbers) <= most:
        return numbers
    return [numbers[i * (len(numbers) - 1) // (most - 1)] for i in range(most)]


def of_this_world(world, scenario):
    """With the names of its backend and of the other one."""
    names = {"this": world.backend, "other": "iptables" if world.backend == "nftables" else "nftables"}
    filled = [[word.format(**names) for word in argv] for argv in (*scenario.prepare, scenario.do, *scenario.undo)]
    if "{other}" in scenario.do:
        world.backend = "auto"
    n = len(scenario.prepare)
    return Scenario(filled[:n], filled[n], filled[n + 1:])


class Run:
    """A scenario in a world, with the states before and after."""

    def __init__(self, world, scenario):
        self.world, self.scenario, self.wrong = world, of_this_world(world, {**SCENARIOS, **ATTACHING}[scenario]), []
        self.log = world.folder / "calls"
        modes.bridge_of_somebody(world, "br2", ADOPTED)
        for spec, name in ((SPEC, "spec.yaml"), (in_other_modes("8mbit", "1000"), "others.yaml"), (CHANGED, "changed.yaml"),
                           (INSIDE, "inside.yaml")):
            world.spec(spec, name)
        world.host.run("ip", "netns", "add", "theirs")
        for argv in self.scenario.prepare:
            world.weir(*argv)
        # once to and fro, so that what the first run leaves for good is there
        world.weir(*self.scenario.do)
        self.undo()
        self.before = self.state()
        world.weir(*self.scenario.do)
        self.after = self.state()
        self.undo()
        assert self.before != self.after
        world.same(self.before, self.state(), "the inverse is none")

    def calls(self, kinds):
        """The calls that the command makes, in words, when none fails."""
        result, _ = self.faulty(kinds, 0, "")
        assert result.code == 0, str(result)
        self.undo()
        return [line.split(" ", 1)[1] for line in self.log.read_text().splitlines()]

    def kills(self, most):
        """Numbers of the calls before which a kill differs from one before the call that precedes it."""
        calls = self.calls(KILLED)
        return sample([i for i, call in enumerate(calls, 1)
                       if not (call.startswith("store pwrite") and i > 1 and call == calls[i - 2])], most)

    def state(self):
        """What is told apart: everything but the state folder's own files, and the two folders that weir shares
        with `ip netns`: after a fault, whose they are cannot be known. (Without one they go: L15.) Nor what a
        parent is to interfaces on it: those of a namespace that was dropped go in the background."""
        shared = re.compile(r"files: . \d+ (/var/lib/.*|/etc/netns|/run/netns)|mounts: \S+ /run/netns"
                            r"|links: \S+ promiscuity=\d+")
        return [line for line in self.world.snapshot() if not shared.fullmatch(line)]

    def undo(self):
        for argv in self.scenario.undo:
            self.world.weir(*argv)

    def faulty(self, kinds, at, action):
        """Runs the command with its fault; the result and the call that was hit, None beyond the last."""
        self.log.unlink(missing_ok=True)
        result = self.world.weir(*self.scenario.do, check=False,
                                 env=self.world.faults(kinds, at, action, self.log))
        calls = self.log.read_text().splitlines() if self.log.exists() else []
        return result, calls[at - 1] if 0 < at <= len(calls) else None

    def complain(self, call, result, what, state=None):
        """Notes what went wrong, and goes back to where the next fault can start."""
        self.wrong.append("%s\n%s\n%s" % (call, what, result))
        for argv in (["repair"], *self.scenario.undo):
            self.world.weir(*argv, check=False)
        assert len(self.wrong) < FAILURES_MAX and self.state() == self.before, "\n\n".join(self.wrong)

    def difference(self, state):
        return min((snapshot.difference(known, state) for known in (self.before, self.after)), key=len)


KILLED = "netlink,xtables,store,files"
# The others go through the same code; where a kernel is emulated each takes minutes.
scenarios = pytest.mark.parametrize("name", [
    name if name in ("apply", "backend use", "others apply") else pytest.param(name, marks=reckoned) for name in SCENARIOS])


@slow
@behaviour("R1")
@scenarios
def test_each_call_fails_once(world, name):
    run = Run(world, name)
    for kind, error in FAULTS.items():
        calls = run.calls(kind)
        # the rules' transaction is one call among many, and the one that matters most
        rules = [at for at, call in enumerate(calls, 1) if call.endswith(" netfilter") or call.startswith("xtables")]
        for at in sorted({*sample(range(1, len(calls) + 1), 3), *sample(rules, 3)}):
            fail_once(run, kind, at, error)
    assert not run.wrong, "\n\n".join(run.wrong)


def fail_once(run, kind, at, error):
    result, call = run.faulty(kind, at, "fail:" + error)
    state = run.state()
    if result.code == 0 and state == run.after:
        run.undo()
    elif result.code == 0:
        run.complain(call, result, "said it was done\n" + snapshot.difference(run.after, state))
    elif result.code not in (1, 4) or not result.err.startswith("weir: "):
        run.complain(call, result, "no clean error")
    elif state != run.before:
        run.complain(call, result, "failed, but\n" + snapshot.difference(run.before, state))


@slow
@behaviour("R2")
@scenarios
def test_killed_before_each_call(world, name):
    run = Run(world, name)
    for at in run.kills(5):
        kill_once(run, at)
    assert not run.wrong, "\n\n".join(run.wrong)
    world.same(run.before, run.state())


def kill_once(run, at):
    result, call = run.faulty(KILLED, at, "kill")
    if call is None:  # it made fewer calls than when they were counted: nobody was killed
        assert result.code == 0, str(result)
        run.undo()
        return
    repaired = run.world.weir("repair", check=False)
    state = run.state()
    if result.code != -9 or repaired.code != 0 or state not in (run.before, run.after):
        run.complain(call, repaired, "after repair\n" + run.difference(state))
        return
    if state == run.before:
        again = run.world.weir(*run.scenario.do, check=False)
        state = run.state()
        if again.code != 0 or state != run.after:
            run.complain(call, again, "repeated\n" + snapshot.difference(run.after, state))
            return
    run.undo()


@slow
@behaviour("R2", "L3", "L14")
@pytest.mark.parametrize("name", [name if name.startswith(("wire", "router")) else pytest.param(name, marks=reckoned)
                                  for name in ATTACHING])
def test_killed_while_attaching_leaves_nothing_inside(world, name):
    run = Run(world, name)
    for at in run.kills(10):
        kill_once(run, at)
    assert not run.wrong, "\n\n".join(run.wrong)
    world.same(run.before, run.state())


@slow
@behaviour("R2")
@reckoned
@pytest.mark.parametrize("name", ["apply", "endpoint add", "endpoint rm", "backend use"])
def test_next_command_converges_without_repair(world, name):
    """Killed, and then simply run again."""
    run = Run(world, name)
    for at in run.kills(4):
        _, call = run.faulty(KILLED, at, "kill")
        again = world.weir(*run.scenario.do, check=False)
        state = run.state()
        gone = again.code == 1 and "extra" in again.err  # it had been removed already
        if state != run.after or not (again.code == 0 or gone):
            run.complain(call, again, "run again\n" + snapshot.difference(run.after, state))
        else:
            run.undo()
    assert not run.wrong, "\n\n".join(run.wrong)


@behaviour("R1", "P8")
@pytest.mark.parametrize("how", ["filtered", "no more"])
def test_going_back_over_what_ports_carry(world, how):
    """A network's traffic meets policies, or no longer: after a failure at any call its ports are as they were."""
    world.apply(SPEC)
    world.weir("endpoint", "add", "more", "--network", "web")
    do = ["policy", "add", "p", "--from", "endpoint:api", "--to", "endpoint:nginx", "--port", "80/tcp", "--action", "deny"]
    undo = ["policy", "rm", "p"]
    if how == "no more":
        world.weir(*do)
        do, undo = undo, do
    show = "bridge -d link | grep -o 'hairpin o[nf]*'; ip -d link show type bridge | grep -o 'nf_call_ip6*tables .'"
    seen = lambda: world.host.run("sh", "-c", show).out
    before, log = seen(), world.folder / "calls"
    world.weir(*do, env=world.count_calls("netlink", log))
    assert seen() != before
    world.weir(*undo)
    calls = log.read_text().splitlines()
    for at in sample(range(1, len(calls) + 1), 12):
        failed = world.weir(*do, check=False, env=world.faults("netlink", at, "fail:ENOMEM", log))
        if failed.code == 0:
            world.weir(*undo)
        assert seen() == before, "%s\n%s" % (calls[at - 1], failed)
    assert failed.code == 1


@behaviour("R1", "S10", "N8")
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_going_back_ends_what_came_in(world, protocol):
    """The disk is full when all else is done. Whoever has come through by then does not stay."""
    world.apply(SPEC)
    world.ns("nginx").serve(90, protocol)
    log, commits, ready, go = (world.folder / name for name in ("calls", "commits", "ready", "go"))
    add = ["port", "add", "nginx", "9090:90/" + protocol]
    world.weir(*add, env={**world.count_calls("store", log), "WEIR_FAULT_MEDDLE": "echo $1 >%s" % commits})
    at = next(i for i, call in enumerate(log.read_text().splitlines(), 1) if re.search("pwrite.*db-wal$", call))
    world.weir("port", "rm", *add[2:])
    log.unlink()
    wait = "test $1 != %d || { touch %s; while ! test -e %s; do sleep 0.05; done; }" % (int(commits.read_text()) + 1, ready, go)
    env = {**world.faults("store", at, "fail:ENOSPC", log), "WEIR_FAULT_MEDDLE": wait}
    command = ["env", *("%s=%s" % pair for pair in env.items()), str(world.place.weir), *add]
    process = world.machine.popen(command, None, {"WEIR_BACKEND": world.backend})
    wait_until(lambda: ready.exists() or process.poll() is not None, "the way back")
    assert world.lan.open(1, V4.host, 9090, protocol).server == "nginx"
    go.write_text("")
    result = world.machine.finish(process, command)
    assert result.code == 1 and "9090" not in world.weir("port", "ls").out, str(result)
    said = world.lan.say(1, "still", ms=500)
    assert said != "still" and "nginx" not in said
    assert world.weir("status", json=True)["in_sync"]


@behaviour("R2", "L1")
def test_what_is_to_go_has_gone(world):
    """repair removes a host's end whose other end was renamed. It goes before that by itself, as after `ip netns del`."""
    world.apply({"networks": {"web": dual(1)}, "endpoints": {"a": on("web")}})
    port = world.endpoint("a")["attachments"][0]["host_ifname"]
    log, lost = world.folder / "calls", "ip -n a link set eth0 down; ip -n a link set eth0 name lost"
    world.host.run("sh", "-c", lost)
    world.weir("repair", env=world.count_calls("netlink", log))
    (at,) = (int(call.split()[0]) for call in log.read_text().splitlines() if call.endswith("route %d" % RTM_DELLINK))
    world.host.run("sh", "-c", lost)
    world.weir("repair", env={**world.faults("netlink", at, "meddle", log), "WEIR_FAULT_MEDDLE": "ip link del " + port})
    assert world.host.ping(world.address("a")) and world.weir("status", json=True)["in_sync"]


@slow
@behaviour("S10", "R2", "S9")
def test_half_done_lets_nobody_in(world):
    """Killed in the middle of an apply: whatever is up by then, the lan does not get in."""
    run, looked = Run(world, "apply"), 0
    for at in run.kills(12):
        _, call = run.faulty(KILLED, at, "kill")
        if world.exists("/run/netns/nginx"):
            looked += look(world, call)
        world.leave()
        world.weir("repair")
        world.weir("delete", "--all")
    assert looked > 0


def look(world, call):
    """Sends to nginx from the lan what must not arrive; 1 when its interface was up to see it."""
    inside = world.host.run("nsenter", "--net=/run/netns/nginx", "ip", "-br", "link", "show", "eth0", check=False)
    if inside.code != 0 or "UP" not in inside.out:
        return 0
    nginx = world.ns("nginx")
    nginx.watch()
    for family in FAMILIES:
        for addr in nginx.addresses("eth0", family.version):
            for packet in (frames.tcp(family.lan, addr, 1000, 80, frames.SYN), frames.udp(family.lan, addr, 1, 53)):
                world.lan.raw("eth0", frames.ethernet(
                    world.host.mac("eth0"), world.lan.mac(), frames.ethertype_of(packet), packet))
    world.lan.ping(world.lan.addresses("eth0")[0])
    arrived = [f for f in nginx.frames() if f.src in [family.lan for family in FAMILIES]]
    assert not arrived, "%s: %s" % (call, arrived)
    return 1
