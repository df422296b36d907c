# SPDX-License-Identifier: GPL-2.0-or-later
"""C: beside other firewalls."""
import re

from marks import behaviour, elsewhere, only
from specs import web
from world import FAMILIES, V4

FOREIGN = """
table inet admin {
	chain input { type filter hook input priority 0; policy accept; tcp dport 22 counter accept; }
	chain forward { type filter hook forward priority 0; policy accept; }
	chain pre { type nat hook prerouting priority -100; policy accept; tcp dport 2222 redirect to :22; }
}
table ip weird {
	set weir { type ipv4_addr; elements = { 10.0.0.1 }; }
}
table bridge weirless {
	chain forward { type filter hook forward priority 0; policy accept; }
}
"""


# Their names; the files come with the modules.
LEGACY_TABLES = "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true"


def foreign(world):
    """Every rule but weir's own table, chains and jumps."""
    text = world.host.run("sh", "-c", "nft -s list ruleset; iptables-legacy-save -t filter; "
                          + LEGACY_TABLES).out
    text = re.sub(r"\[\d+:\d+\]", "", text)  # what foreign chains count is theirs
    if world.backend == "iptables":
        return re.sub(r"(?m)^(.*WEIR-|#|filter$|nat$).*\n", "", text)
    return re.sub(r"(?ms)^table (inet|bridge|netdev) weir \{.*?^\}\n|^#[^\n]*\n", "", text)


@behaviour("C1")
@elsewhere
def test_foreign_rules_are_untouched(world):
    world.host.run("nft", "-f", "-", stdin=FOREIGN)
    world.host.run("iptables-nft", "-A", "FORWARD", "-s", "203.0.113.0/24", "-j", "ACCEPT")
    world.host.run("iptables-legacy", "-A", "FORWARD", "-s", "203.0.113.0/24", "-j", "ACCEPT")
    before, whole = foreign(world), world.snapshot()
    world.apply(web())
    assert foreign(world) == before
    world.ns("nginx").serve(80)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).server == "nginx"
    world.weir("port", "add", "nginx", "9090:90")
    world.weir("endpoint", "rm", "api")
    world.weir("repair")
    assert foreign(world) == before
    world.leave()
    world.weir("delete", "--all")
    assert foreign(world) == before
    world.same([line for line in whole if "# Completed" not in line and "# Generated" not in line],
               [line for line in world.snapshot() if "# Completed" not in line and "# Generated" not in line])


@behaviour("C1")
@only("nftables")
def test_legacy_tables_are_not_made_by_looking(world):
    world.apply(web())
    world.weir("status")
    world.weir("render")
    assert world.host.run("sh", "-c", LEGACY_TABLES).out == ""


@behaviour("C1")
@only("iptables")
def test_tables_are_made_by_the_first_change(world):
    for words in ("status",), ("render",), ("plan", world.spec(web())), ("repair",), ("delete", "--all"):
        world.weir(*words, check=False)
        assert world.host.run("sh", "-c", LEGACY_TABLES).out == "", words
    world.apply(web())
    assert sorted(world.host.run("sh", "-c", LEGACY_TABLES).out.split()) == ["filter", "filter", "nat", "nat"]


@behaviour("C1")
@only("iptables")
def test_one_jump_in_each_builtin_chain(world):
    """What an administrator puts before it later stays there."""
    world.host.run("iptables-legacy", "-A", "FORWARD", "-s", "203.0.113.9", "-j", "DROP")
    world.apply(web())
    world.host.run("iptables-legacy", "-I", "FORWARD", "-s", "203.0.113.8", "-j", "DROP")
    world.weir("port", "add", "nginx", "9090:90")
    assert "nothing to mend" in world.weir("repair").out
    rules = world.host.run("iptables-legacy", "-S", "FORWARD").out.splitlines()
    assert rules == ["-P FORWARD ACCEPT", "-A FORWARD -s 203.0.113.8/32 -j DROP", "-A FORWARD -j WEIR-FORWARD",
                     "-A FORWARD -s 203.0.113.9/32 -j DROP"]


@behaviour("C1", "C2")
@only("iptables")
def test_policy_of_drop_does_not_hurt(world):
    for tool in ("iptables-legacy", "ip6tables-legacy"):
        world.host.run(tool, "-P", "FORWARD", "DROP")
    world.apply(web())
    world.ns("nginx").serve(80)
    for family in FAMILIES:
        assert world.lan.connect(family.host, 8080).server == "nginx"
        assert world.ns("nginx").ping(family.outside) == 63


@behaviour("C1")
@only("nftables")
def test_only_one_table_is_weirs(world):
    world.apply(web())
    tables = world.host.run("nft", "list", "tables").out.splitlines()
    assert tables == ["table inet weir"]
    assert "table inet weir" in world.weir("status").out


@behaviour("C1")
def test_foreign_nat_at_the_same_hook(world):
    """Somebody else's port map does not take what weir publishes, and keeps what is its own."""
    world.host.run("nft", "-f", "-", stdin=FOREIGN)
    world.host.serve(22)
    world.apply(web())
    world.ns("nginx").serve(80)
    assert world.lan.connect(V4.host, 2222).server == "host"
    assert world.lan.connect(V4.host, 8080).server == "nginx"


@behaviour("C1")
@elsewhere
def test_foreign_table_of_our_name_is_not_taken(world):
    world.host.run("sh", "-c", world.filter.foreign)
    world.refused(1, "apply", world.spec(web()), says=world.filter.container)
    assert "mine" in world.ruleset().lower()


@behaviour("C1", "R1")
def test_foreign_table_in_place_of_ours(world):
    """Ours is gone and another one has its name: that is told before anything else is mended."""
    world.apply(web())
    world.host.run("sh", "-c", world.filter.spoil["all rules"] + "\nip link del wb-web")
    world.host.run("sh", "-c", world.filter.foreign)
    for words in (["apply", "spec.yaml"], ["repair"], ["network", "add", "more", "--subnet", "10.88.9.0/24"],
                  ["delete", "--all"]):
        world.refused(1, *words, says=world.filter.container)
    world.host.run("sh", "-c", world.filter.no_foreign)
    world.weir("apply", "spec.yaml")
    world.ns("nginx").serve(80)
    assert world.lan.connect(V4.host, 8080).server == "nginx"
