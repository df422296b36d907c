# SPDX-License-Identifier: GPL-2.0-or-later
"""S7: root in an endpoint sends as somebody else; nothing of it arrives anywhere.

Each forged frame goes to its own destination, a MAC that tells it from all others. It is watched for at a
neighbour of the endpoint, which the bridge floods it to, and at the host's bridge.
"""
import ipaddress
import struct

import frames
import pytest
from marks import behaviour, elsewhere
from specs import dual, on
from test_isolation import locked_or_skip
from world import FAMILIES, V4, wait_until

STRANGER = "02:ff:ff:00:00:01"
ALL_NODES = "ff02::1"
VLAN, QINQ, EXPERIMENT = 0x8100, 0x88A8, 0x88B5
NEXT_FRAGMENT, NEXT_DESTINATION = 44, 60
RS, RA, NS, NA, REDIRECT = 133, 134, 135, 136, 137
GUARD = "0x7765"  # the handle of its classifier


def link_local(mac):
    raw = bytearray(bytes.fromhex(mac.replace(":", "")))
    raw[0] ^= 2
    return str(ipaddress.IPv6Address(b"\xfe\x80" + b"\0" * 6 + bytes(raw[:3]) + b"\xff\xfe" + bytes(raw[3:])))


def icmp6(src, kind, body=b"", option=None, dst=ALL_NODES):
    """A neighbour discovery message; option: its number and the MAC."""
    tail = struct.pack("!BB", option[0], 1) + bytes.fromhex(option[1].replace(":", "")) if option else b""
    return frames.ip(src, dst, frames.ICMP6, struct.pack("!BBHI", kind, 0, 0, 0) + body + tail, ttl=255)


def packed(addr):
    return ipaddress.ip_address(addr).packed


def behind(packet, next_header, head):
    """An IPv6 packet's payload moved behind an extension header; head: it from its second byte on."""
    inner = bytes([packet[6]]) + head + packet[40:]
    return packet[:4] + struct.pack("!HB", len(inner), next_header) + packet[7:40] + inner


def tagged(tpid, packet):
    return tpid, struct.pack("!HH", 1, frames.ethertype_of(packet)) + packet


class Sender:
    """What an endpoint may say of itself, and what it may not say of `other`."""

    def __init__(self, world, name, other):
        self.ns = world.ns(name)
        self.mac, self.v4, self.v6 = self.ns.mac(), world.address(name), world.address(name, 6)
        self.other = world.ns(other).mac()
        self.other4, self.other6 = world.address(other), world.address(other, 6)

    def honest(self):
        """(what, ethertype, payload)"""
        own = link_local(self.mac)
        yield from (
            ("IPv4", frames.IPV4, frames.udp(self.v4, "10.88.1.99", 1, 2)),
            ("ARP", frames.ARP, frames.arp(1, self.mac, self.v4, STRANGER, self.other4)),
            ("ARP probe", frames.ARP, frames.arp(1, self.mac, "0.0.0.0", STRANGER, self.v4)),
            ("IPv6", frames.IPV6, frames.udp(self.v6, "fd00:88:1::99", 1, 2)),
            ("link-local", frames.IPV6, frames.udp(own, ALL_NODES, 1, 2)),
            ("NA", frames.IPV6, icmp6(self.v6, NA, packed(self.v6), (2, self.mac))),
            ("NA of the link-local", frames.IPV6, icmp6(own, NA, packed(own), (2, self.mac))),
            ("NS", frames.IPV6, icmp6(self.v6, NS, packed(self.other6), (1, self.mac))),
            ("DAD", frames.IPV6, icmp6("::", NS, packed(self.v6))),
            ("RS", frames.IPV6, icmp6(own, RS, b"", (1, self.mac))),
            ("other type", EXPERIMENT, b"experimental"),
            ("fragment", frames.IPV6, behind(frames.udp(self.v6, ALL_NODES, 1, 2), NEXT_FRAGMENT,
                                             struct.pack("!BHI", 0, 1, 7))),
        )

    def sources(self):
        """Another's source; a router's packets have them."""
        yield from (
            ("IPv4", frames.IPV4, frames.udp(self.other4, "10.88.1.99", 1, 2)),
            ("IPv4 of the gateway", frames.IPV4, frames.udp("10.88.1.1", "10.88.1.99", 1, 2)),
            ("IPv4 from outside", frames.IPV4, frames.udp("203.0.113.9", "10.88.1.99", 1, 2)),
            ("IPv6", frames.IPV6, frames.udp(self.other6, ALL_NODES, 1, 2)),
            ("IPv6 from outside", frames.IPV6, frames.udp("2001:db8:9::9", ALL_NODES, 1, 2)),
            ("link-local", frames.IPV6, frames.udp(link_local(self.other), ALL_NODES, 1, 2)),
            ("IPv6 from nobody", frames.IPV6, frames.udp("::", ALL_NODES, 1, 2)),
        )

    def forged(self):
        """What nobody may say, a router neither."""
        own, them = link_local(self.mac), link_local(self.other)
        lie = icmp6(own, NA, packed(self.other6), (2, self.mac))
        router = icmp6(own, RA, struct.pack("!II", 0, 0), (1, self.mac))
        yield from (
            ("ARP answer for another", frames.ARP, frames.arp(2, self.mac, self.other4, STRANGER, self.v4)),
            ("ARP answer for the gateway", frames.ARP, frames.arp(2, self.mac, "10.88.1.1", STRANGER, self.v4)),
            ("ARP of another's MAC", frames.ARP, frames.arp(2, self.other, self.v4, STRANGER, self.v4)),
            ("ARP question as another", frames.ARP, frames.arp(1, self.mac, self.other4, STRANGER, self.v4)),
            ("NA for another", frames.IPV6, lie),
            ("NA for another's link-local", frames.IPV6, icmp6(own, NA, packed(them), (2, self.mac))),
            ("NA of another's MAC", frames.IPV6, icmp6(own, NA, packed(own), (2, self.other))),
            ("NS with another's MAC", frames.IPV6, icmp6(own, NS, packed(self.other6), (1, self.other))),
            ("NS as another", frames.IPV6, icmp6(self.other6, NS, packed("fd00:88:1::99"), (1, self.mac))),
            ("NS as another's link-local", frames.IPV6, icmp6(them, NS, packed("fd00:88:1::99"), (1, self.mac))),
            ("NS as the gateway", frames.IPV6, icmp6("fd00:88:1::1", NS, packed("fd00:88:1::99"), (1, self.mac))),
            ("RS as another", frames.IPV6, icmp6(them, RS, b"", (1, self.mac))),
            ("NA as another", frames.IPV6, icmp6(self.other6, NA, packed(own), (2, self.mac))),
            ("RA", frames.IPV6, router),
            ("redirect", frames.IPV6, icmp6(own, REDIRECT, packed(self.v6) + packed("2001:db8::2"))),
            ("RA behind an option header", frames.IPV6, behind(router, NEXT_DESTINATION, b"\0\1\4\0\0\0\0")),
            ("RA in an atomic fragment", frames.IPV6, behind(router, NEXT_FRAGMENT, struct.pack("!BHI", 0, 0, 7))),
            ("RA in a first fragment", frames.IPV6, behind(router, NEXT_FRAGMENT, struct.pack("!BHI", 0, 1, 7))),
            ("NA behind an option header", frames.IPV6, behind(lie, NEXT_DESTINATION, b"\0\1\4\0\0\0\0")),
            ("VLAN", *tagged(VLAN, frames.udp(self.v4, "10.88.1.99", 1, 2))),
            ("VLAN of a provider", *tagged(QINQ, frames.udp(self.v6, ALL_NODES, 1, 2))),
        )


def marked(number):
    return "02:ee:ee:00:%02x:%02x" % divmod(number, 256)


def arrived(world, at, sender, packets, from_mac=None):
    """Which of them reach the neighbour, and which the host."""
    sent = list(packets)

    def send():
        for number, (_, ethertype, payload) in enumerate(sent):
            sender.ns.raw("eth0", frames.ethernet(marked(number), from_mac or sender.mac, ethertype, payload))

    world.host.run("ip", "link", "set", "wb-web", "promisc", "on")  # it takes what is flooded
    world.host.watch("wb-web")
    got = {f.to_mac for f in world.arrivals(at, send, lambda f: True)}
    got_by_host = {f.to_mac for f in world.host.frames()}
    world.host.run("ip", "link", "set", "wb-web", "promisc", "off")
    names = [what for number, (what, _, _) in enumerate(sent) if marked(number) in got]
    assert names == [what for number, (what, _, _) in enumerate(sent) if marked(number) in got_by_host]
    return names


def names_of(packets):
    return [what for what, _, _ in packets]


def three(**network):
    return {"networks": {"web": dual(1, **network)}, "endpoints": {name: on("web") for name in "abc"}}


def guarded(world, at="b"):
    """Endpoint a says what is true, and nothing else."""
    sender = Sender(world, "a", "c")
    at = world.ns(at)
    assert arrived(world, at, sender, sender.honest()) == names_of(sender.honest())
    assert arrived(world, at, sender, sender.sources()) == []
    assert arrived(world, at, sender, sender.forged()) == []
    assert arrived(world, at, sender, sender.honest(), from_mac=sender.other) == []


@behaviour("S7", "S9", "L5")
def test_a_question_as_another_teaches_nobody(world):
    """A router asks with the addresses of a neighbour and of the gateway: whom it asks keeps what it knows."""
    world.apply({"networks": {"web": dual(1)},
                 "endpoints": {"r": on("web", forward=True), "b": on("web"), "c": on("web")}})
    router, b = Sender(world, "r", "c"), world.ns("b")
    for family in FAMILIES:
        to, theirs = world.address("b", family.version), world.address("c", family.version)
        gateway = {4: "10.88.1.1", 6: "fd00:88:1::1"}[family.version]
        assert b.ping(theirs) and b.ping(gateway)
        for src in (theirs, gateway):
            question = frames.arp(1, router.mac, src, STRANGER, to) if family.version == 4 else \
                icmp6(src, NS, packed(to), (1, router.mac), dst=to)
            router.ns.raw("eth0", frames.ethernet(b.mac(), router.mac, frames.ARP if family.version == 4 else
                                                  frames.IPV6, question))
        assert router.ns.ping(to), "the frames before it were read"
        known = {n["dst"]: n.get("lladdr") for n in b.ip("-%d" % family.version, "neigh")}
        assert known[theirs] == router.other and known[gateway] != router.mac, known


@behaviour("S7", "S9", "L5", "L14")
@pytest.mark.parametrize("more", [{"mode": "routed"}, {}], ids=["routed", "locked"])
def test_the_host_is_not_misled(world, more):
    """By a router's question as another, on whichever kind of port: the host keeps what it knows, and learns nothing."""
    locked = {} if more else {"locked": True}
    spec = {"networks": {"web": dual(1, **more)},
            "endpoints": {"r": {"networks": {"web": locked}, "forward": True}, "c": on("web")}}
    locked_or_skip(world, spec)
    r = Sender(world, "r", "c")
    to = world.host.mac(world.endpoint("r")["attachments"][0]["host_ifname"] if more else "wb-web")
    for family, theirs in zip(FAMILIES, (r.other4, r.other6)):
        gateway = {4: "10.88.1.1", 6: "fd00:88:1::1"}[family.version]
        assert world.host.ping(theirs)
        for src in (theirs, "10.88.1.99" if family is V4 else "fd00:88:1::99"):
            question = frames.arp(1, r.mac, src, STRANGER, gateway) if family is V4 else \
                icmp6(src, NS, packed(gateway), (1, r.mac), dst=gateway)
            r.ns.raw("eth0", frames.ethernet(to, r.mac, frames.ARP if family is V4 else frames.IPV6, question))
        assert r.ns.ping(gateway), "the frames before it were read"
        known = {n["dst"] for n in world.host.ip("-%d" % family.version, "neigh") if n.get("lladdr") == r.mac}
        assert known & {theirs, "10.88.1.99", "fd00:88:1::99"} == set(), known


def redirect4(src, dst, target, via):
    """That dst should send to the target via another router; what it is said of: an echo reply of dst's."""
    said = frames.ip(dst, target, frames.ICMP, struct.pack("!BBHI", 0, 0, 0xFFFF, 0))
    body = packed(via) + said
    total = frames.checksum(b"\5\1\0\0" + body)
    return frames.ip(src, dst, frames.ICMP, struct.pack("!BBH", 5, 1, total) + body)


@behaviour("S7", "L5")
def test_only_the_gateway_redirects(world):
    """A router as the gateway: whom it says it to goes on by the gateway."""
    world.apply({"networks": {"web": dual(1)},
                 "endpoints": {"r": on("web", forward=True), "b": on("web"), "c": on("web")}})
    r, b = Sender(world, "r", "c"), world.ns("b")
    assert b.ping(V4.lan) and b.ping(r.v4)
    r.ns.raw("eth0", frames.ethernet(b.mac(), r.mac, frames.IPV4, redirect4("10.88.1.1", world.address("b"), V4.lan, r.v4)))
    assert r.ns.ping(world.address("b")), "the frame before it was read"
    assert [route["gateway"] for route in b.ip("route", "get", V4.lan)] == ["10.88.1.1"]


def spoofed(world):
    return {d["reason"]: d["packets"] for d in world.weir("status", json=True)["drops"]}["spoofed source"]


@behaviour("S7", "S9", "U5")
@elsewhere
def test_an_endpoint_speaks_for_itself_only(world):
    world.apply(three())
    guarded(world)
    sender = Sender(world, "a", "c")
    lies = sum(1 for packets in (sender.sources(), sender.forged(), sender.honest()) for _ in packets)
    by_a, by_b = (world.weir("endpoint", "show", name, json=True)["spoofed"] for name in "ab")
    assert by_a >= lies and by_b == 0  # the kernel of an endpoint may send some by itself
    assert spoofed(world) == by_a
    assert "frames with a spoofed source dropped" in world.weir("endpoint", "show", "a").out
    assert "spoofed source" in world.weir("status").out


@behaviour("S7", "S9")
@elsewhere
def test_a_lie_is_believed_by_nobody(world):
    """Neighbours' tables and the lan, after packets by the endpoint's own kernel with addresses that it took."""
    world.apply(three())
    a, b = world.ns("a"), world.ns("b")
    world.lan.serve(53, "udp")
    for family in FAMILIES:
        theirs = world.address("c", family.version)
        assert b.ping(theirs) == 64
        entry = [n["lladdr"] for n in b.ip("neigh", "show", theirs)]
        extra = ("nodad",) if family.version == 6 else ()
        a.run("ip", "addr", "add", theirs + ("/64" if extra else "/24"), "dev", "eth0", *extra)
        assert a.connect(family.lan, 53, "udp", src=theirs, ms=60).outcome != "ok"
        assert a.connect(world.address("b", family.version), 53, "udp", src=theirs, ms=60).outcome != "ok"
        assert b.ping(theirs) == 64
        assert [n["lladdr"] for n in b.ip("neigh", "show", theirs)] == entry
        assert a.connect(family.lan, 53, "udp", src=world.address("a", family.version)).server == "lan"


@behaviour("S7")
@elsewhere
def test_the_guard_lasts(world):
    """The endpoint's link down and up, and its MAC changed by itself; the host's link down and up; a flush of all rules."""
    world.apply(three())
    sender = Sender(world, "a", "c")
    port = world.endpoint("a")["attachments"][0]["host_ifname"]
    sender.ns.run("ip", "link", "set", "eth0", "down")
    sender.ns.run("ip", "link", "set", "eth0", "address", sender.other)
    sender.ns.run("ip", "link", "set", "eth0", "up")
    world.host.run("ip", "link", "set", port, "down")
    world.host.run("ip", "link", "set", port, "up")
    wait_until(lambda: world.host.link(port)["operstate"] == "UP", "the port is up")
    b = world.ns("b")
    assert arrived(world, b, sender, sender.honest(), from_mac=sender.other) == []
    assert arrived(world, b, sender, sender.forged()) == []
    assert arrived(world, b, sender, sender.honest()) == names_of(sender.honest())
    world.host.run("nft", "flush", "ruleset")
    assert arrived(world, b, sender, sender.forged()) == []


@behaviour("S7", "C4", "R3")
def test_a_lost_guard_is_mended(world):
    world.apply(three())
    before = world.snapshot()
    port = world.endpoint("a")["attachments"][0]["host_ifname"]
    let_all_pass = ("bpf", "direct-action", "bytecode", "1,6 0 0 0")
    for spoil in (("tc", "qdisc", "del", "dev", port, "clsact"), ("tc", "filter", "del", "dev", port, "ingress"),
                  ("tc", "filter", "replace", "dev", port, "ingress", "prio", "1", "handle", GUARD, *let_all_pass)):
        world.host.run(*spoil)
        status = world.weir("status", "--json", check=False)
        assert status.code == 1 and "guard" in status.out, str(status)
        world.weir("repair")
        guarded(world)
        world.same(before, world.snapshot())
        assert world.weir("status", json=True)["in_sync"]
    # another's classifier in front: it may stay, behind the guard
    theirs = ("dev", port, "ingress", "prio", "1", "handle", "1")
    world.host.run("tc", "filter", "add", *theirs, *let_all_pass)
    sender = Sender(world, "a", "c")
    assert arrived(world, world.ns("b"), sender, sender.forged()) == names_of(sender.forged())
    status = world.weir("status", "--json", check=False)
    assert status.code == 1 and "before its spoof guard" in status.out, str(status)
    world.weir("repair")
    guarded(world)
    assert world.weir("status", json=True)["in_sync"]
    world.host.run("tc", "filter", "del", *theirs, "bpf")
    world.same(before, world.snapshot())


@behaviour("S7", "R3")
def test_the_guard_follows_the_endpoint(world):
    """A new MAC, a new address: without a new link; what was its own is another's then."""
    spec = three()
    world.apply(spec)
    index = world.ns("a").link("eth0")["ifindex"]
    old = Sender(world, "a", "c")
    spec["endpoints"]["a"] = {"networks": {"web": {"mac": "02:00:00:00:00:aa", "ip": ["10.88.1.77", "fd00:88:1::77"]}}}
    world.apply(spec)
    assert world.ns("a").link("eth0")["ifindex"] == index
    guarded(world)
    sender = Sender(world, "a", "c")
    assert sender.mac == "02:00:00:00:00:aa" and sender.v4 == "10.88.1.77"
    scopes = [a["local"] for a in sender.ns.link("eth0")["addr_info"] if a["scope"] == "link"]
    assert scopes == [link_local(sender.mac)]
    assert sender.ns.ping(link_local(world.ns("b").mac()) + "%eth0") == 64
    for family in FAMILIES:
        assert world.ns("b").ping(world.address("a", family.version)) == 64
    assert arrived(world, world.ns("b"), sender, old.honest(), from_mac=old.mac) == []
    assert arrived(world, world.ns("b"), sender, [
        ("old IPv4", frames.IPV4, frames.udp(old.v4, "10.88.1.99", 1, 2)),
        ("old IPv6", frames.IPV6, frames.udp(old.v6, ALL_NODES, 1, 2))]) == []
    assert "nothing to change" in world.apply(spec).out


@behaviour("S7")
def test_without_the_guard(world):
    """Off per network, and on again while it runs; the words of the command line are the same."""
    spec = three(spoof_guard=False)
    world.apply(spec)
    sender = Sender(world, "a", "c")
    lies = [*sender.sources(), *sender.forged()]
    assert arrived(world, world.ns("b"), sender, lies) == names_of(lies)
    assert world.weir("network", "show", "web", json=True)["network"]["spoof_guard"] is False
    assert "spoof_guard" in world.apply(three(), "--dry-run", check=False).out
    world.apply(three())
    guarded(world)
    world.apply(spec)
    assert arrived(world, world.ns("b"), sender, lies) == names_of(lies)
    world.weir("network", "add", "free", "--subnet", "10.88.9.0/24", "--no-spoof-guard")
    assert world.weir("network", "show", "free", json=True)["network"]["spoof_guard"] is False
    assert "no-spoof-guard" in world.weir("network", "ls").out


@behaviour("S7")
def test_families_that_a_network_has_not(world):
    world.apply({"networks": {"web": {"subnet": "10.88.1.0/24"}, "six": {"subnet": "fd00:88:2::/64"}},
                 "endpoints": {name: on("web", "six") for name in "ab"}})
    a, b = world.ns("a"), world.ns("b")
    for ifname, honest, lies in (
            ("eth0", [frames.udp("10.88.1.2", "10.88.1.99", 1, 2)],
             [frames.udp(link_local(a.mac("eth0")), ALL_NODES, 1, 2), frames.udp("fd00:88:2::2", ALL_NODES, 1, 2)]),
            ("eth1", [frames.udp("fd00:88:2::2", ALL_NODES, 1, 2)], [frames.udp("10.88.1.2", "10.88.1.99", 1, 2)])):
        def send():
            for number, packet in enumerate(honest + lies):
                a.raw(ifname, frames.ethernet(marked(number), a.mac(ifname), frames.ethertype_of(packet), packet))
        got = world.arrivals(b, send, lambda f: f.to_mac.startswith("02:ee:ee"), ifname)
        assert [f.to_mac for f in got] == [marked(0)], got


@behaviour("S7", "L5")
def test_a_router_sends_for_others(world):
    """Sources are free for it, what it says of itself is not; only the network's gateway advertises."""
    world.apply({"networks": {"web": dual(1), "left": dual(2, gateway="r")},
                 "endpoints": {"r": on("web", "left", forward=True), "b": on("web"), "c": on("web"), "l": on("left")}})
    sender = Sender(world, "r", "c")
    b, left = world.ns("b"), world.ns("l")
    assert arrived(world, b, sender, sender.honest()) == names_of(sender.honest())
    assert arrived(world, b, sender, sender.sources()) == names_of(sender.sources())
    assert arrived(world, b, sender, sender.forged()) == []
    assert arrived(world, b, sender, sender.sources(), from_mac=sender.other) == []
    mac = sender.ns.mac("eth1")
    own, theirs = link_local(mac), link_local(left.mac())
    said = [icmp6(own, RA, struct.pack("!II", 0, 0), (1, mac)),
            icmp6(own, REDIRECT, packed("fd00:88:2::9") + packed("2001:db8::2"), (2, STRANGER)),
            icmp6(own, RA, struct.pack("!II", 0, 0), (1, STRANGER)),
            icmp6(own, NA, packed("fd00:88:2::9"), (2, mac)),
            icmp6(theirs, RA, struct.pack("!II", 0, 0), (1, mac)),
            icmp6(theirs, REDIRECT, packed(own) + packed("2001:db8::2"), (2, mac)),
            frames.udp(own, ALL_NODES, 1, 2)]  # the last: frames keep their order
    got = []
    left.watch()
    for number, packet in enumerate(said):
        sender.ns.raw("eth1", frames.ethernet(marked(number), mac, frames.IPV6, packet))
    wait_until(lambda: got.extend(f.to_mac for f in left.frames()) or marked(6) in got, "the last frame")
    assert [mac for mac in got if mac in map(marked, range(7))] == [marked(0), marked(1), marked(6)], got


@behaviour("S7", "R1")
def test_a_host_that_takes_no_program(world):
    """No endpoint without its guard, unless that is what was asked for; none without its rate."""
    world.apply({"networks": {"web": dual(1), "free": dual(2, spoof_guard=False)}})
    log = world.folder / "calls"
    world.weir("endpoint", "add", "a", "--network", "web", env=world.count_calls("netlink", log))
    world.weir("endpoint", "rm", "a")
    said = set()
    for error, words in (("EPERM", "may load no BPF program"), ("ENOENT", "this kernel lacks BPF")):
        for at in range(1, len(log.read_text().splitlines()) + 1):
            env = world.faults("netlink", at, "fail:" + error, "/dev/null")
            done = world.weir("endpoint", "add", "a", "--network", "web", env=env, check=False)
            if "no spoof guard is possible" in done.err:
                assert done.code == 4 and words in done.err and "spoof_guard: false" in done.err, str(done)
                said.add(words)
            if done.code == 0:
                world.weir("endpoint", "rm", "a")
    assert len(said) == 2
    for error, words in (("EACCES", "may load no BPF program"), ("ENOSYS", "this kernel lacks BPF")):
        env = world.faults("bpf", 1, "fail:" + error, "/dev/null")
        world.refused(4, "endpoint", "add", "a", "--network", "free", "--rate", "8mbit/4mbit", env=env,
                      says=[words, "what endpoint \"a\" sends"])
        world.weir("endpoint", "add", "b", "--network", "web", env=env)  # the guard asks nobody
        world.weir("endpoint", "rm", "b")


@behaviour("S7")
def test_a_wire_has_no_port_to_guard(world):
    world.refused(1, "apply", world.spec({"networks": {"wire": {"mode": "p2p", "subnet": "10.91.0.0/31",
                                                                "spoof_guard": True}}}), says="spoof_guard")
