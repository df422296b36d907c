# SPDX-License-Identifier: GPL-2.0-or-later
"""Random models and random flows through them.

A model is a spec (a dict) that leaves nothing open: every address, bridge and port is in it, so that the
evaluator can be asked without a host. Everything comes out of one random.Random, so a seed gives the same
models and flows for ever.
"""
import collections
import ipaddress

from world import V4, V6

FAMILIES = {4: V4, 6: V6}
HOST = {4: (V4.host, V4.other_host, V4.host2), 6: (V6.host, V6.other_host, V6.host2)}
LAN = {4: (V4.lan, V4.outside), 6: (V6.lan, V6.outside)}
LAN2 = {4: (V4.lan2,), 6: (V6.lan2,)}
NAMES = ("web", "db", "ops", "lab")
MAPPINGS_MAX = 7
POLICIES_MAX = 8
LABELS = {"role": ("front", "api", "db"), "env": ("prod", "stage")}
PORTS = (22, 53, 80, 8080)
TIMESTAMP, NODE_QUERY = 13, 139  # requests that begin a connection as far as conntrack goes, beside echo
OTHER_ICMP = {4: TIMESTAMP, 6: NODE_QUERY}
MARKER_PORT, MARKER_PRIORITY = 9, 32767

# from: endpoint, host, outside; where: the network, "-", the host's interface; ns, ifname: who sends, by what.
Flow = collections.namedtuple("Flow", "origin where ns ifname src dst proto dport")
# An interface of an endpoint: name of the endpoint, of the network, of the interface; address by family.
Port = collections.namedtuple("Port", "endpoint network ifname addr")


def family(text):
    return 6 if ":" in text else 4


def listed(value):
    return [] if value is None else value if isinstance(value, list) else [value]


class Model:
    """A spec, and what is known of the host on which it is applied."""

    def __init__(self, rnd):
        self.rnd = rnd
        self.bridge_netfilter = rnd.choice(("off", "off", "on", "global"))
        self.forwarding = {4: rnd.random() < .4, 6: rnd.random() < .4}  # before weir came
        self.networks, self.endpoints, self.ports, self.gateways = {}, {}, [], {}
        self._taken, self._used = set(), set()
        for number, name in enumerate(NAMES[:rnd.randint(1, 4)], 1):
            self._network(name, number)
        for number in range(rnd.randint(2, 5)):
            self._endpoint("e%d" % number)
        for name, net in self.networks.items():  # without an endpoint nobody has a routed network's gateway
            if self.is_routed(name) and not [port for port in self.ports if port.network == name]:
                net.update(mode="bridge", bridge="br-" + name)
        for _ in range(rnd.randint(0, MAPPINGS_MAX)):
            self._mapping()
        self.marker = ("icmp", 0)  # by which the host and an endpoint always reach each other
        policies = Policies(self).take() if rnd.random() < .75 else []
        self.detours = [port for port in self.ports if rnd.random() < .3]
        self.spec = {"networks": self.networks, "endpoints": self.endpoints, "policies": policies}

    # -- networks -------------------------------------------------------------------------------------

    def _network(self, name, number):
        rnd = self.rnd
        kinds = rnd.choice(((4,), (6,), (4, 6), (4, 6), (4, 6)))
        subnets = [self._subnet(version, number) for version in kinds]
        if rnd.random() < .15:  # a second one of a family
            subnets.append(self._subnet(kinds[0], number + 100))
        wanted = [str(self._host_address(s)) for s in subnets[:len(kinds)]] if rnd.random() < .2 else []
        net = {"subnets": list(map(str, subnets)), "bridge": "br-" + name}
        # flows are sent from addresses that nobody has, which a guard on the port would stop before any rule;
        # only where there is one, endpoints may be isolated by themselves
        if rnd.random() < .6:
            net["spoof_guard"] = False
        if wanted:
            net["gateway"] = wanted
        net.update(self._openness(kinds, name))
        if rnd.random() < .25:
            net["isolate"] = True
        # with two gateways of a family, the kernel chooses either for what the host itself says
        if rnd.random() < .25 and len(kinds) == len(subnets):
            net["mode"] = "routed"
            del net["bridge"]
        elif rnd.random() < .1:
            net["filter_bridged"] = True
        if rnd.random() < .35:
            net["default"] = {way: rnd.choice(("usual", "allow", "deny"))
                              for way in rnd.choice((("ingress",), ("egress",), ("ingress", "egress")))}
        self.networks[name] = net
        for subnet in subnets:
            gateway = next((w for w in wanted if ipaddress.ip_address(w) in subnet), str(subnet[1]))
            self._used.add(gateway)
            self.gateways.setdefault(name, []).append(gateway)

    def _subnet(self, version, number):
        if version == 4:
            return ipaddress.ip_network("10.88.%d.0/%d" % (number, self.rnd.choice((24, 24, 26, 28))))
        return ipaddress.ip_network("fd00:88:%x::/%d" % (number, self.rnd.choice((64, 64, 112, 124))))

    def _host_address(self, subnet):
        while True:
            address = subnet[self.rnd.randint(2, min(subnet.num_addresses, 200) - 2)]
            if str(address) not in self._used:
                return address

    def _openness(self, kinds, name):
        rnd, net = self.rnd, {}
        if rnd.random() < .18:
            return {"internal": True}
        nat = rnd.random()
        if nat < .3:
            net["nat"] = "none"
        elif nat < .45:
            net["nat"] = [rnd.choice(HOST[v]) for v in kinds if rnd.random() < .7] or HOST[kinds[0]][0]
        if rnd.random() < .25:
            net["host"] = "deny"
        if rnd.random() < .25:
            others = ["br-" + other for other in self.networks if other != name]
            net["trusted"] = rnd.sample(["eth0", "eth1"] + others, rnd.randint(1, 2))
        return net

    def is_routed(self, name):
        return self.networks[name].get("mode") == "routed"

    def is_guarded(self, name):
        return self.networks[name].get("spoof_guard", True)

    def subnet_of(self, name, address):
        for text in self.networks[name]["subnets"]:
            subnet = ipaddress.ip_network(text)
            if ipaddress.ip_address(address) in subnet:
                return subnet
        return None

    # -- endpoints ------------------------------------------------------------------------------------

    def _endpoint(self, name):
        rnd, attachments = self.rnd, {}
        for number, net in enumerate(rnd.sample(sorted(self.networks), min(len(self.networks),
                                                                           rnd.choice((1, 1, 2))))):
            addresses = {}
            for version in sorted({family(s) for s in self.networks[net]["subnets"]}):
                subnet = ipaddress.ip_network(rnd.choice([s for s in self.networks[net]["subnets"]
                                                          if family(s) == version]))
                addresses[version] = str(self._host_address(subnet))
                self._used.add(addresses[version])
            attachments[net] = {"ip": list(addresses.values())}
            if rnd.random() < .3:
                attachments[net]["priority"] = rnd.randint(-1, 1)
            if self.is_guarded(net) and not self.is_routed(net) and rnd.random() < .5:
                attachments[net]["isolated"] = True
            self.ports.append(Port(name, net, "eth%d" % number, addresses))
        labels = {key: rnd.choice(values) for key, values in LABELS.items() if rnd.random() < .6}
        self.endpoints[name] = {"networks": attachments, "labels": labels}

    def ports_of(self, endpoint):
        return [port for port in self.ports if port.endpoint == endpoint]

    def gateway(self, network, address):
        subnet = self.subnet_of(network, address)
        return next(g for g in self.gateways[network] if self.subnet_of(network, g) == subnet)

    def routes(self, endpoint):
        """(to, via, interface) beside weir's own: a way out by every interface, for flows that leave by one where
        the default route is not, and neighbours that are asked for by way of the gateway."""
        for port in self.ports_of(endpoint):
            for version, address in port.addr.items():
                gateway = self.gateway(port.network, address)
                yield "default", gateway, port.ifname
                if port in self.detours and self.forwards(version):
                    for other in self.ports:
                        if other.network == port.network and other.endpoint != endpoint:
                            yield other.addr[version], gateway, port.ifname

    # -- mappings -------------------------------------------------------------------------------------

    def _mapping(self):
        rnd = self.rnd
        open_ports = [port for port in self.ports if not self.networks[port.network].get("internal")]
        if not open_ports:
            return
        port = rnd.choice(open_ports)
        named = rnd.random() < .3
        versions = sorted(port.addr) if named else \
            sorted({v for p in open_ports if p.endpoint == port.endpoint for v in p.addr})
        host = self._mapping_host(versions)
        proto = rnd.choice(("tcp", "tcp", "udp"))
        first = rnd.choice((80, 443, 5353, 8080, 8090, 9000)) + rnd.randint(0, 3)
        count = rnd.choice((1, 1, 1, 3, 10, 100))
        inside = first if rnd.random() < .4 else rnd.choice((80, 53, 3000, 8080, 60000)) + rnd.randint(0, 2)
        taken = {(host, proto, first + i) for i in range(count)}
        if taken & self._taken:
            return
        self._taken |= taken
        strict = rnd.random() < .3  # of a port on every address it says nothing
        text = "%s%s:%s/%s" % (self._host_text(host), _range(first, count), _range(inside, count), proto)
        self.endpoints[port.endpoint].setdefault("publish", []).append(
            {**({"net": port.network} if named else {}), **({"strict": True} if strict else {}), "port": text}
            if named or strict else text)

    def _mapping_host(self, versions):
        if self.rnd.random() < .55:
            return None
        choices = [a for v in versions for a in HOST[v]]
        if 4 in versions:
            choices.append("127.0.0.1")
        return self.rnd.choice(choices)

    @staticmethod
    def _host_text(host):
        return "" if host is None else "[%s]:" % host if ":" in host else host + ":"

    def published(self):
        """(host address or None, protocol, host port, inner port) of the ends of each mapping, and beside them."""
        for endpoint in self.endpoints.values():
            for spec in endpoint.get("publish", []):
                text, proto = (spec["port"] if isinstance(spec, dict) else spec).split("/")
                rest, inside = text.rsplit(":", 1)
                host, _, outside = rest.rpartition(":")
                lo, hi = ([int(p) for p in outside.split("-")] * 2)[:2]
                yield host.strip("[]") or None, proto, (lo, hi, lo - 1, hi + 1), int(inside.split("-")[0])

    # -- what can be said of the host -----------------------------------------------------------------

    def forwards(self, version):
        """Does the host forward this family once the model is applied?"""
        return self.forwarding[version] or self.needs_forwarding(version)

    def needs_forwarding(self, version):
        """An internal network does where it has two subnets, which meet at the gateway, or is routed."""
        return any(sum(version == family(s) for s in net["subnets"]) > (net.get("internal", False) and not self.is_routed(name))
                   for name, net in self.networks.items())

    def guarded(self, version):
        return self.needs_forwarding(version) and not self.forwarding[version]


class Policies:
    """Policies about a model. Most of them pick something of it; few ports and labels let them contradict."""

    def __init__(self, model):
        self.model, self.rnd = model, model.rnd
        self._inner = sorted({inside for *_, inside in model.published()})

    def take(self):
        policies = [self._policy("p%d" % number) for number in range(self.rnd.randint(1, POLICIES_MAX))]
        if any("host" in (listed(policy.get("from")) + listed(policy.get("to"))) for policy in policies):
            policies += self._markers()
        return policies

    def _markers(self):
        self.model.marker = ("tcp", MARKER_PORT)
        common = {"ports": ["%d/tcp" % MARKER_PORT], "action": "allow", "priority": MARKER_PRIORITY}
        return [{"name": "marker-out", "from": "host", "to": "endpoints", **common},
                {"name": "marker-in", "from": "endpoints", "to": "host", **common}]

    def _policy(self, name):
        rnd = self.rnd
        policy = {"name": name, "action": rnd.choice(("allow", "allow", "allow", "deny", "reject"))}
        for end in ("from", "to"):
            if rnd.random() < .8:
                policy[end] = [self._selector() for _ in range(rnd.choice((1, 1, 2)))]
        if all(word in ("host", "outside") for end in ("from", "to") for word in policy.get(end, ("any",))):
            policy["to"].append("endpoints")  # what passes between the others is not weir's
        for end, other in (("from", "to"), ("to", "from")):
            if "host" in policy.get(end, ()) and all(s in ("host", "outside") for s in policy.get(other, ("any",))):
                policy[other].append("endpoints")
        if rnd.random() < .6:
            policy["ports"] = [self._service() for _ in range(rnd.randint(1, 3))]
        if rnd.random() < .4:
            policy["direction"] = rnd.choice(("egress", "ingress"))
        if rnd.random() < .4:
            policy["priority"] = rnd.randint(-1, 1)
        if rnd.random() < .1:
            policy["log"] = True
        return policy

    # -- who ------------------------------------------------------------------------------------------

    def _selector(self):
        make = self.rnd.choice((self._named,) * 4 + (self._labelled,) * 3 + (self._blocks,) * 4 + (self._word,) * 3)
        return make()

    def _word(self):
        return self.rnd.choice(("any", "endpoints", "outside", "host", "host"))

    def _named(self):
        rnd, selector = self.rnd, {}
        kinds = rnd.choice((("networks",), ("endpoints",), ("networks", "endpoints"), ("networks", "labels")))
        for kind in kinds:
            if kind == "labels":
                selector.update(self._labelled())
                continue
            names = sorted(getattr(self.model, kind))
            selector[kind] = rnd.sample(names, rnd.randint(1, min(2, len(names))))
        return selector

    def _labelled(self):
        rnd, labels = self.rnd, {}
        for key in rnd.sample(sorted(LABELS), rnd.choice((1, 1, 2))):
            values = LABELS[key]
            labels[key] = rnd.choice((None, rnd.choice(values), rnd.sample(values, 2)))
        return {"labels": labels}

    def _blocks(self):
        return {"cidr": [self._block() for _ in range(self.rnd.choice((1, 1, 2)))]}

    def _block(self):
        rnd = self.rnd
        version = rnd.choice((4, 4, 6))
        block = self._prefix(version)
        inside = sorted({str(p) for p in (self._prefix(version) for _ in range(4)) if p != block and p.subnet_of(block)})
        if not inside or rnd.random() < .4:
            return {"block": str(block)}
        return {"block": str(block), "except": rnd.sample(inside, rnd.randint(1, min(2, len(inside))))}

    def _prefix(self, version):
        """Around an address that flows use."""
        rnd, bits = self.rnd, 32 if version == 4 else 128
        addresses = [p.addr[version] for p in self.model.ports if version in p.addr] + [*LAN[version], *LAN2[version]]
        lengths = (0, 8, 16, 24, 28, bits - 1, bits, bits) if version == 4 else (0, 16, 48, 64, 112, bits - 1, bits, bits)
        return ipaddress.ip_network("%s/%d" % (rnd.choice(addresses), rnd.choice(lengths)), strict=False)

    # -- what -----------------------------------------------------------------------------------------

    def _service(self):
        rnd = self.rnd
        kind = rnd.random()
        if kind < .3:
            return rnd.choice(("icmp", "icmpv6", "icmp/echo-request", "icmpv6/128", "icmp/0-12", "icmp/13", "icmpv6/129-255",
                               "sctp"))
        proto = rnd.choice(("tcp", "tcp", "udp"))
        if kind < .45:
            return proto
        port = rnd.choice([*PORTS, *self._inner])
        if kind < .7:
            return "%d/%s" % (port, proto)
        return "%d-%d/%s" % (max(port - rnd.choice((0, 1, 100)), 1), min(port + rnd.choice((1, 50, 10000)), 65535), proto)


def _range(first, count):
    return str(first) if count == 1 else "%d-%d" % (first, first + count - 1)


class Flows:
    """Flows through a model. None of them is one that the kernel of the sender would not send, or whose
    receiver is not there: then the model alone does not decide."""

    def __init__(self, model):
        self.model, self.rnd = model, model.rnd
        self._published = list(model.published())

    def take(self, count):
        flows = []
        while len(flows) < count:
            flow = self._one(self.rnd.choice((4, 4, 6)))
            if flow is not None:
                flows.append(flow)
        return flows

    def _one(self, version):
        make = self.rnd.choice((self._from_endpoint,) * 5 + (self._from_host,) * 2 + (self._from_outside,) * 3)
        return make(version)

    # -- senders --------------------------------------------------------------------------------------

    def _from_endpoint(self, version):
        port = self.rnd.choice(self.model.ports)
        if version not in port.addr:
            return None
        dst = self._destination(version, (LAN, LAN2))
        own = [p.addr.get(version) for p in self.model.ports_of(port.endpoint)]
        if dst in own:
            return None
        src = port.addr[version]
        if self.rnd.random() < .06 and not self.model.is_guarded(port.network) and not (self.model.is_routed(port.network) and
                                            dst in self.model.gateways[port.network]):
            src = self._spoofed(version, port)
        return self._flow("endpoint", port.network, port.endpoint, port.ifname, src, dst)

    def _spoofed(self, version, port):
        """Another endpoint's address, or one that is nobody's: one of the host's own would be turned away by the
        kernel before any filter. In a routed network each port has its own addresses alone, and a flow says the
        network, not the port."""
        others = [p.addr[version] for p in self.model.ports if version in p.addr and p.endpoint != port.endpoint and
                  not (p.network == port.network and self.model.is_routed(p.network))]
        subnet = self.model.subnet_of(port.network, port.addr[version])
        taken = set(self.model.gateways[port.network]) | {p.addr.get(version) for p in self.model.ports}
        nobodys = next(a for a in (str(subnet[-n]) for n in range(2, subnet.num_addresses)) if a not in taken)
        return self.rnd.choice(others + [nobodys])

    def _from_host(self, version):
        dst = self._destination(version, (LAN, LAN2))
        if dst in HOST[version] or any(dst in g for g in self.model.gateways.values()):
            return self._flow("host", "-", "host", "-", dst, dst)
        loop = ipaddress.ip_address(dst).is_loopback
        src = FAMILIES[version].loopback if loop else self._own_source(version, dst)
        return self._flow("host", "-", "host", "-", src, dst)

    def _own_source(self, version, dst):
        """As the kernel would choose it, mostly."""
        near = [g for name, gateways in self.model.gateways.items() for g in gateways
                if family(g) == version and self.model.subnet_of(name, g) == self.model.subnet_of(name, dst)]
        if dst in LAN2[version]:
            near = [FAMILIES[version].host2]
        return self.rnd.choice((near or [FAMILIES[version].host]) * 4 + list(HOST[version]))

    def _from_outside(self, version):
        lan2 = self.rnd.random() < .35
        own, others = (LAN2, LAN) if lan2 else (LAN, LAN2)
        dst = self._destination(version, (others,))
        if dst in others[version] and not self.model.forwards(version):
            return None
        src = self.rnd.choice(own[version])
        if self.rnd.random() < .06:
            src = self.rnd.choice([p.addr[version] for p in self.model.ports if version in p.addr] or [src])
        return self._flow("outside", "eth1" if lan2 else "eth0", "lan2" if lan2 else "lan", "eth0", src, dst)

    # -- destinations ---------------------------------------------------------------------------------

    def _destination(self, version, others):
        wide = FAMILIES[version]
        kinds = [
            [p.addr[version] for p in self.model.ports if version in p.addr],
            [g for gateways in self.model.gateways.values() for g in gateways if family(g) == version],
            list(HOST[version]),
            [h for h, *_ in self._published if h and family(h) == version],
            [wide.loopback] + (["127.0.0.2"] if version == 4 else []),
            [a for other in others for a in other[version]],
        ]
        while True:
            chosen = self.rnd.choices(kinds, weights=(30, 12, 22, 16, 6, 14))[0]
            if chosen:
                return self.rnd.choice(chosen)

    def _flow(self, origin, where, ns, ifname, src, dst):
        proto, port = self._port(dst)
        if proto == "tcp" and self.rnd.random() < .15:
            proto = "ack"
        return Flow(origin, where, ns, ifname, src, dst, proto, port)

    def _port(self, dst):
        kind = self.rnd.random()
        if kind < .16:
            return "icmp", self.rnd.choice((0, 0, OTHER_ICMP[family(dst)]))
        if kind < .75 and self._published:
            fits = [p for p in self._published if p[0] in (None, dst)] or self._published
            _, proto, outside, inside = self.rnd.choice(fits if self.rnd.random() < .8 else self._published)
            port = self.rnd.choice(outside + outside[:2] + (inside,))
            if self.rnd.random() < .1:
                proto = "udp" if proto == "tcp" else "tcp"
            return proto, min(port, 65535)
        return self.rnd.choice(("tcp", "udp")), self.rnd.choice((*PORTS, self.rnd.randint(1, 65535)))
