# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything weir may change on a machine, as text lines that two moments can be compared by.

Left out is what differs between two equal states: indices, timers, what the kernel learns by itself
(carrier, duplicate address detection), counters, and the store's UUID.
"""
import difflib
import json
import re

# Where programs start slowly each counts: few of them, each for all there is.
INSIDE = r"""
printf 'addr show\nroute show table all\n' | ip -d -j -batch -
echo "@$1tc"
tc qdisc show | {
	while read -r line; do
		echo "$line"
		dev=${line#* dev } dev=${dev%% *}
		case $line in "qdisc clsact "*) set -- "$@" "qdisc show dev $dev" "filter show dev $dev ingress";; esac
	done
	shift
	[ $# = 0 ] || printf '%s\n' "$@" | tc -batch -
}
echo "@$1keys"
for key in /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/conf/*/arp_ignore; do
	read -r value <$key && echo "$key $value"
done
"""
SCRIPT = r"""
inside=$(cat)
echo @links; sh -c "$inside" sh ''
echo @nft; nft -s list ruleset
[ ! -e /proc/net/ip_tables_names ] || while read -r t; do
	echo "@legacy4 $t"; iptables-legacy-save -t "$t"; done </proc/net/ip_tables_names
[ ! -e /proc/net/ip6_tables_names ] || while read -r t; do
	echo "@legacy6 $t"; ip6tables-legacy-save -t "$t"; done </proc/net/ip6_tables_names
echo @files; find /run /etc/netns /var/lib -printf '%y %m %p\n' 2>/dev/null
echo @texts; $1 texts /etc/netns
echo @mounts; while read -r _ _ _ root at _; do echo "$root $at"; done </proc/self/mountinfo
echo @sysctls; $1 texts /proc/sys/net neigh
for ns in /run/netns/*; do
	[ -e "$ns" ] || continue
	echo "@inside-links $ns"; nsenter --net="$ns" sh -c "$inside" sh "inside-$ns-" 2>/dev/null
done
exit 0
"""

# Keys of ip's JSON that say when or in which order, not what.
NOISE = re.compile(r".*_timer|ifindex|link_index|link_netnsid|operstate|port_id|port_no|designated_.*|root_.*"
                   r"|bridge_id|id|no|message_age|tentative|expires|protocol|dadfailed|mcast_hash_max|txqlen|tso_.*|gso_.*|gro_.*")
VOLATILE_SYSCTLS = re.compile(r"/proc/sys/net/(netfilter/nf_conntrack_(count|max|buckets)|nf_conntrack_max"
                              r"|bridge/bridge-nf-[a-z0-9-]*:0$"  # off is as good as not loaded
                              r"|ipv6/conf/wv-[^/]*/accept_ra:"  # a port of a bridge hears nobody: the default when it was made
                              r"|ipv4/tcp_fastopen_key|ipv4/tcp_mem|ipv4/udp_mem"
                              r"|ipv[46]/(conf|neigh)/[^/]*/(retrans_time|mtu|base_reachable_time))")
HOSTS = re.compile(r"@weir/[0-9a-f]{16}(?=:|$)")  # by a digest of the store, which is another one in each run
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NSFS = re.compile(r"net:\[\d+\]")
EPOCH = re.compile(r"\b0x[0-9a-f]{8}(?= comment \"UUID)|(?<=\"UUID UUID )\d+(?=\")")
# What a legacy table has when it is empty: it cannot be removed again.
EMPTY_TABLE = re.compile(r"#|\*|COMMIT$|:[A-Z]+ ACCEPT ")
PROGRAM = re.compile(r" id \d+ name")  # of a tc filter: when it was loaded
COUNTERS = re.compile(r" \[\d+:\d+\]")


def take(run, probe):
    """run(argv, stdin) gives the output of a command where weir lives, and probe is a program there."""
    lines, section, ports = [], "", []
    for line in run(["sh", "-c", SCRIPT, "sh", probe], INSIDE).splitlines():
        if line.startswith("@"):
            section, ports = line[1:], []
        elif line.startswith("qdisc clsact") and " dev " in line:
            ports.append(line.split(" dev ")[1].split()[0])
            lines += _normal(section, line)
        elif line.startswith("qdisc clsact"):  # it goes on with the filters of the next of them
            ports.append(ports.pop(0))
        elif not line.startswith("qdisc noqueue"):
            lines += _normal(section, "%s %s" % (ports[-1], line) if line.startswith("filter ") else line)
    return sorted(set(lines))


def difference(before, after):
    diff = difflib.unified_diff(before, after, "before", "after", n=0, lineterm="")
    return "\n".join(line for line in diff if not line.startswith("@@"))


def _normal(section, line):
    kind = section.split(" ")[0]
    if kind == "nft":
        return ["nft: " + NSFS.sub("net:[]", EPOCH.sub("EPOCH", UUID.sub("UUID", part)))
                for part in _elements(line)]
    if kind.endswith("links"):
        return ["%s: %s" % (section, text) for item in json.loads(line or "[]") for text in _object(item)]
    if kind == "sysctls" and VOLATILE_SYSCTLS.match(line):
        return []
    if kind.startswith("legacy"):
        if EMPTY_TABLE.match(line):
            return []
        line = COUNTERS.sub("", line)
    if kind == "files" and re.search(r"-(wal|shm)$|/run/xtables.lock$", line):
        return []
    line = HOSTS.sub("@weir/HOSTS", PROGRAM.sub(" name", line))
    line = NSFS.sub("net:[]", EPOCH.sub("EPOCH", UUID.sub("UUID", line))).strip()
    return ["%s: %s" % (section, line)] if line else []


def _elements(line):
    """A line of nft's listing, the elements of a set one by one: how it breaks lines depends on their number."""
    parts = [part.strip() for part in line.strip().removeprefix("elements = {").split(",")]
    return [part.removesuffix("}").strip() for part in parts if part.removesuffix("}").strip()]


def _object(item):
    """One link or route: a line for each property, so that a difference is short; a route in one line."""
    flags = item.get("flags")
    if flags is not None:
        item["flags"] = [f for f in flags if f not in ("LOWER_UP", "NO-CARRIER", "linkdown", "dead", "M-DOWN")]
    if item.get("ifalias", "").startswith("weir ") and item.get("linkinfo", {}).get("info_kind") == "veth":
        item["address"] = "random"
    name = item.get("ifname")
    if name is None and item.get("table") == "local" and ":" in item.get("dst", ""):
        return []  # they follow their addresses, but a moment later
    if name is None:
        return [json.dumps(_quiet(item), sort_keys=True)]
    lines = [json.dumps(_quiet(a), sort_keys=True) for a in item.pop("addr_info", []) if a]
    lines += ["%s=%s" % pair for pair in _properties(_quiet(item))]
    return ["%s %s" % (name, UUID.sub("UUID", line)) for line in lines]


def _properties(value, path=""):
    if not isinstance(value, dict):
        yield path, json.dumps(value)
        return
    for key, inner in value.items():
        yield from _properties(inner, path + "." + key if path else key)


def _quiet(value):
    if isinstance(value, dict):
        return {k: _quiet(v) for k, v in value.items() if not NOISE.fullmatch(k)}
    if isinstance(value, list):
        return [_quiet(v) for v in value]
    return value
