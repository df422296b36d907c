# SPDX-License-Identifier: GPL-2.0-or-later
"""What weir says of a kernel is what that kernel does, also where a part of it is missing."""
import pytest

from filters import FILTERS
from marks import behaviour, elsewhere
from specs import web
from world import FAMILIES, V4

OTHER = {"nftables": "iptables", "iptables": "nftables"}
# What each needs; the first is the one whose lack weir has to tell.
PARTS = {"nftables": ["nf_tables"], "iptables": ["ip_tables", "ip6_tables"]}
# Out of the kernel, with all that stands on it.
UNLOAD = """
depends() { awk -v m="$1" '$1 == m { gsub(",", " ", $4); print $4 == "-" ? "" : $4 }' /proc/modules; }
unload() { for user in $(depends $1); do unload $user; done; ! grep -q "^$1 " /proc/modules || rmmod $1; }
for module; do unload $module; done
"""
# And out of reach.
REMOVE = """
for module; do
	find /lib/modules/ -name "$module.ko*" -exec rm {} +
done
depmod
"""


def without(world, *modules):
    """The world's machine loses these; a kernel that has them built in cannot."""
    if not world.host.run("find", "/lib/modules/", "-name", modules[0] + ".ko*", check=False).out or \
            not world.place.emulated:
        pytest.skip("the host's own kernel keeps its modules")
    world.host.run("sh", "-ec", UNLOAD + REMOVE, "sh", *modules)


def said(world):
    """What `weir backend` tells of each, by name."""
    data = world.weir("--backend", "auto", "backend", json=True)
    return {b["name"]: b for b in data["backends"]}


@behaviour("C3", "C5")
@elsewhere
def test_what_is_possible_is_possible(world):
    before = world.snapshot()
    for name, told in said(world).items():
        result = world.weir("--backend", name, "apply", world.spec(web()), check=False)
        assert told["possible"] == (result.code == 0), str(result)
        if not told["possible"]:
            assert result.code == 4 and told["reason"] in result.err, str(result)
            world.same(before, world.snapshot())
            continue
        world.ns("nginx").serve(80)
        for family in FAMILIES:
            assert world.lan.connect(family.host, 8080).server == "nginx"
        assert FILTERS[name].ours(world.host.run("sh", "-c", FILTERS[name].list).out)
        counted = "connections and drops are counted" in told["capabilities"]
        ports = world.weir("--backend", name, "port", "show", "nginx", json=True)["ports"]
        assert (ports[0]["connections"] == 2) == counted
        asked = "the kernel is asked on a dry run" in told["capabilities"]
        dry = world.weir("-vv", "--backend", name, "port", "add", "nginx", "9090:90", "--dry-run", check=False)
        assert dry.code == 3 and ("validate" in dry.err) == asked, str(dry)
        world.leave()
        world.weir("--backend", name, "delete", "--all")
    world.weir("apply", "spec.yaml")


@behaviour("C3", "C5")
@elsewhere
def test_packet_filter_that_this_kernel_lacks(world):
    """Said with its reason, refused, and nothing is left behind; `auto` takes the other one."""
    without(world, *PARTS[world.backend])
    told, other = said(world), OTHER[world.backend]
    assert not told[world.backend]["possible"] and told[world.backend]["reason"]
    assert told[other]["possible"]
    result = world.refused(4, "apply", world.spec(web()), says=told[world.backend]["reason"])
    assert "CONFIG_" in result.err or "modprobe" in result.err, str(result)
    world.weir("--backend", "auto", "apply", "spec.yaml")
    assert world.weir("--backend", "auto", "status", json=True)["backend"] == other
    world.ns("nginx").serve(80)
    assert world.lan.connect(V4.host, 8080).server == "nginx"


@behaviour("C3", "P8")
@elsewhere
def test_bridge_filter_that_this_kernel_lacks(world):
    """What needs br_netfilter is refused without it; what does not is not."""
    without(world, "br_netfilter")
    spec = web()
    spec["networks"]["db"]["filter_bridged"] = True
    world.refused(4, "apply", world.spec(spec), says=["br_netfilter"])
    world.apply(web())
    world.ns("nginx").serve(80)
    assert world.lan.connect(V4.host, 8080).server == "nginx"


@behaviour("P8", "C1")
@elsewhere
def test_bridge_filter_is_loaded_where_it_is_needed(world):
    """Nobody else's bridges are filtered by that; gone again, it is missed."""
    keys = ["net/bridge/bridge-nf-call-" + name for name in ("iptables", "ip6tables", "arptables")]
    spec = web()
    spec["networks"]["web"]["filter_bridged"] = True
    world.apply(web())
    world.apply(spec)
    assert [world.sysctl(key) for key in keys] == ["0", "0", "0"]
    assert "nothing to change" in world.weir("plan", "spec.yaml").out
    if world.place.emulated:
        world.host.run("sh", "-ec", UNLOAD, "sh", "br_netfilter")
        assert "br_netfilter" in world.weir("status", check=False).out
        assert "nothing to mend" not in world.weir("repair").out
        assert [world.sysctl(key) for key in keys] == ["0", "0", "0"]
