# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests must know of a packet filter: how to list what weir made in it, and how somebody spoils it."""
import re

# without times and counters
LEGACY_LIST = """
{ for t in $(cat /proc/net/ip_tables_names 2>/dev/null); do iptables-legacy-save -t $t; done
  for t in $(cat /proc/net/ip6_tables_names 2>/dev/null); do ip6tables-legacy-save -t $t; done
} | sed '/^#/d; s/ \\[[0-9]*:[0-9]*\\]//'
"""
LEGACY_FLUSH = """
for t in filter nat; do
	iptables-legacy -t $t -F; iptables-legacy -t $t -X
	ip6tables-legacy -t $t -F; ip6tables-legacy -t $t -X
done
"""


class Nftables:
    container = "table inet weir"
    list = "nft list ruleset"
    spoil = {
        "all rules": "nft flush ruleset",
        "our table": "nft delete table inet weir",
        "a chain's rules": "nft flush chain inet weir forward",
        "the owner's mark": "nft flush set inet weir epoch",
        "a mapping": "nft delete element inet weir published4 { tcp . 8080 }",
    }
    # something of weir's name that weir did not make
    foreign = "nft add table inet weir; nft add chain inet weir mine"
    no_foreign = "nft delete table inet weir"
    load = ["nft -f -"]

    @staticmethod
    def ours(text):
        """Weir's part of a listing, without what differs between two hosts."""
        found = re.search(r"(?ms)^table inet weir \{.*?^\}\n", text)
        text = re.sub(r"counter packets \d+ bytes \d+", "counter", found.group(0) if found else "")
        return re.sub(r"0x[0-9a-f]+ comment \"[^\"]*\"", "EPOCH", text)


class Iptables:
    container = "chains WEIR-"
    list = LEGACY_LIST
    spoil = {
        "all rules": LEGACY_FLUSH,
        "our table": "ip6tables-legacy -t nat -F; ip6tables-legacy -t nat -X",
        "a chain's rules": "iptables-legacy -F WEIR-FORWARD",
        "the owner's mark": "iptables-legacy -F WEIR-STATE",
        "a mapping": "iptables-legacy -t nat -D WEIR-TCP 1",
    }
    foreign = "iptables-legacy -N WEIR-MINE"
    no_foreign = "iptables-legacy -X WEIR-MINE"
    load = ["iptables-legacy-restore --noflush", "ip6tables-legacy-restore --noflush"]

    @staticmethod
    def ours(text):
        lines = [line for line in text.splitlines() if "WEIR-" in line or line.startswith("*")]
        return re.sub(r"--comment \"[-0-9a-f]{36} [-0-9a-f]{36} \d+\"", "EPOCH", "\n".join(lines))


FILTERS = {"nftables": Nftables, "iptables": Iptables}
