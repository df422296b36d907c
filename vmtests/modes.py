# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of each mode that gives addresses, and which of them this kernel can make."""
import ipaddress

import pytest

from specs import dual, on
from world import V4, V6

# On the lan's own segment: 192.0.2.0/24 and 2001:db8::/64, whose gateway is the lan.
LAN = {"subnets": ["192.0.2.0/24", "2001:db8::/64"], "gateway": [V4.lan, V6.lan],
       "exclude": ["192.0.2.0-192.0.2.63", "2001:db8::/120"]}
KINDS = {
    "macvlan": {"mode": "macvlan", "parent": "eth0"},
    "ipvlan": {"mode": "ipvlan", "parent": "eth0"},
    "vlan": {"mode": "vlan", "parent": "eth0", "vlan": 30},
}
WITH_GATEWAY = ("bridge", "adopted", "routed", *KINDS)  # a wire has none


def on_lan(kind, **more):
    return {**LAN, **KINDS[kind], **more}


def can(world, kind):
    """Does this kernel have such interfaces? Asked of `ip`, so that weir's own word is checked by it."""
    words = ["type", "vlan", "id", "99"] if kind == "vlan" else ["type", kind]
    made = world.host.run("ip", "link", "add", "link", "eth0", "name", "probe0", *words, check=False)
    if made.code == 0:
        world.host.run("ip", "link", "del", "probe0")
    return made.code == 0


def needs(world, kind):
    """Where this kernel has no such interfaces, weir refuses them with the reason, and the test is skipped."""
    if kind not in KINDS or can(world, kind):
        return
    world.refused(4, "network", "add", "lan", "--mode", kind, "--parent", "eth0", "--subnet", "10.9.0.0/24",
                  *(["--vlan", "30"] if kind == "vlan" else []), says=["kernel has no", "CONFIG_"]) \
        if kind == "vlan" else refused_at_endpoint(world, kind)
    pytest.skip("this kernel has no %s" % kind)


def refused_at_endpoint(world, kind):
    spec = {"networks": {"lan": on_lan(kind)}, "endpoints": {"a": on("lan")}}
    world.refused(4, "apply", world.spec(spec), says=["kernel has no " + kind, "CONFIG_"])


def bridge_of_somebody(world, name, subnets):
    """A bridge that weir finds, with the first address of each subnet."""
    lines = ["link add %s address 02:00:00:00:00:b0 type bridge" % name, "link set %s addrgenmode none" % name,
             "link set %s up" % name]
    for subnet in map(ipaddress.ip_network, subnets):
        lines.append("addr add %s/%d dev %s%s" % (subnet[1], subnet.prefixlen, name,
                                                  " nodad" if subnet.version == 6 else ""))
    world.host.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")


def network(world, mode, subnets=None, number=1, **more):
    """A network of this mode, whose gateway has each subnet's first address; what it stands on is made."""
    needs(world, mode)
    subnets = subnets or dual(number)["subnets"]
    if mode == "adopted":
        bridge_of_somebody(world, "br%d" % number, subnets)
        kind = {"bridge": "br%d" % number, "adopt": True}
    else:
        kind = {**KINDS.get(mode, {"mode": mode})}
    if "vlan" in kind:
        kind["vlan"] += number
    if mode in KINDS:  # the gateway is a neighbour there, whom weir cannot know
        kind["gateway"] = [str(ipaddress.ip_network(subnet)[1]) for subnet in subnets]
    return {"subnets": subnets, **kind, **more}
