// SPDX-License-Identifier: GPL-2.0-or-later
/* The chains and rules of `table inet weir`: the nft line and, beneath it, its netlink form. */
#include "backends/nftables/steps.h"

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

/* How it works
 * The frame is constant: no rule names a network, an address or a port; sets do (sets.c).
 *
 * Each packet meets the first rules of guard_in and forward, so these ask for its interface once and
 * part the ways: guard_network goes on with packets from weir's networks, from_outside with those from
 * elsewhere, and transit with those that are none of weir's. The rest of forward is left to packets
 * from weir's networks; some of its rules stand in from_outside too, in the same order.
 *
 * guard_in drops what must not come in from where it comes, before anybody's destination NAT. Nothing that
 * comes in is for 127.0.0.0/8. Of the rest it stands behind conntrack to let answers pass: what the host or an
 * endpoint opened from a gateway's or a strict mapping's address comes back by whatever interface leads
 * there. Who has no entry of conntrack's, an untracked packet too, is judged. Local addresses only; endpoints'
 * addresses wait for `forward`, where the output interface is known and trust is a matter of both interfaces.
 *
 * publish is entered for local destinations only, so that traffic passing through this host to
 * another machine's port of the same number is left alone. A mapping on one address is asked for
 * before one on all. At -101 it is before any other tool's destination NAT.
 *
 * forward, in this order: flows that the outside opened straight to a translated subnet, even if
 * conntrack has already accepted them (they can begin while the table was flushed); what is
 * established; what is none of weir's; what stays within one network, which goes before the checks
 * of state since frames between two ports of a bridge meet these hooks when br_netfilter is on,
 * and their replies may take another way; then the drops, then what is allowed in.
 * What is left comes from a network and goes outside.
 *
 * Policies (policies.c) come next: gates looks for the sender's class, whose chain looks for the receiver and
 * jumps to the list of what may be said to it; what that leaves open comes back, and meets the defaults of the
 * two networks (defaults, arrive) and then the usual rules. A list that lets a packet pass one gate goes on at
 * the other one: arrive, or depart. within is the same for what stays in a network whose own traffic is
 * bound; there nobody is lost who is looking for a neighbour (discovery), which is all that link-local
 * addresses are for there: policies mean the addresses that weir gives.
 *
 * A routed network has an interface for each endpoint. Who is in one with whom is told by the subnets of
 * source and destination (neighbours4), once the source is known to belong to the interface. So it is with
 * the gateway, which is the host's on all these interfaces: for IPv4 fib knows the first of them alone.
 *
 * source_nat never asks for the input interface: postrouting does not know it for
 * bridged packets. */

enum {
	R1 = NFT_REG_1,
	R2 = NFT_REG_2,
	R32_1 = NFT_REG32_01,
	R32_2 = NFT_REG32_02,
	R32_5 = NFT_REG32_05
};

#define IIF META(NFT_META_IIFNAME, R1)
#define OIF META(NFT_META_OIFNAME, R1)
#define IIF_IN(set) IIF, LOOKUP(R1, set)
#define IIF_NOT_IN(set) IIF, LOOKUP_NOT(R1, set)
#define OIF_IN(set) OIF, LOOKUP(R1, set)
#define OIF_NOT_IN(set) OIF, LOOKUP_NOT(R1, set)
#define IIF_OIF_IN(set) IIF, META(NFT_META_OIFNAME, R2), LOOKUP(R1, set)
#define IIF_OIF_NOT_IN(set) IIF, META(NFT_META_OIFNAME, R2), LOOKUP_NOT(R1, set)
#define IPV4 META(NFT_META_NFPROTO, R1), IS_U8(NFPROTO_IPV4)
#define IPV6 META(NFT_META_NFPROTO, R1), IS_U8(NFPROTO_IPV6)
#define L4(protocol) META(NFT_META_L4PROTO, R1), IS_U8(protocol)
#define SADDR4(reg) NETWORK_HEADER(12, 4, reg)
#define DADDR4(reg) NETWORK_HEADER(16, 4, reg)
#define SADDR6(reg) NETWORK_HEADER(8, 16, reg)
#define DADDR6(reg) NETWORK_HEADER(24, 16, reg)
#define LINK_LOCAL MASK(0xffc0, 2), IS_U16(0xfe80)
#define ICMPV6_IS(type) \
	IPV6, L4(IPPROTO_ICMPV6), TRANSPORT_HEADER(0, 1, R1), IS_U8(type), VERDICT(NF_ACCEPT)
#define NOT_SYN \
	L4(IPPROTO_TCP), TRANSPORT_HEADER(13, 1, R1), MASK_U8(TCP_FIN_SYN_RST_ACK), NOT_U8(TCP_SYN)
#define ESTABLISHED \
	STATE(STATE_BIT(IP_CT_ESTABLISHED) | STATE_BIT(IP_CT_RELATED)), VERDICT(NF_ACCEPT)
#define STATE(bits) CT(NFT_CT_STATE), MASK_U32(bits), NOT_U32(0)
#define STATE_BIT(state) (1U << ((state) + 1)) /* ct state's bit of an enum ip_conntrack_info */
#define STATE_INVALID 1U
#define DNATTED CT(NFT_CT_STATUS), MASK_U32(IPS_DST_NAT), NOT_U32(0)
#define NOT_DNATTED CT(NFT_CT_STATUS), MASK_U32(IPS_DST_NAT), IS_U32(0)
#define FIB_DADDR_TYPE FIB(NFTA_FIB_F_DADDR)
#define FIB_DADDR_IIF_TYPE FIB(NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF)
#define PROTO_PORT(reg, next) META(NFT_META_L4PROTO, reg), TRANSPORT_HEADER(2, 2, next)
#define TCP_FIN_SYN_RST_ACK 0x17
#define TCP_SYN 0x02

/* clang-format off */
const struct weir_nft_chain weir_nft_chains[] = {
	{ .name = "other_gateway" },
	{ .name = "guard_network" },
	{ "guard_in", "filter", "prerouting", "-190", NF_INET_PRE_ROUTING, -190 },
	{ .name = "publish" },
	{ "publish_in", "nat", "prerouting", "dstnat - 1", NF_INET_PRE_ROUTING, -101 },
	{ "publish_out", "nat", "output", "-101", NF_INET_LOCAL_OUT, -101 },
	{ .name = "outside" },
	{ .name = "transit" },
	{ .name = "discovery" },
	{ .name = "arrive" },
	{ .name = "depart" },
	{ .name = "defaults" },
	{ .name = "gates" },
	{ .name = "within" },
	{ .name = "from_outside" },
	{ .name = "neighbour" },
	{ "forward", "filter", "forward", "filter - 10", NF_INET_FORWARD, -10 },
	{ "host", "filter", "input", "filter - 10", NF_INET_LOCAL_IN, -10 },
	{ "host_out", "filter", "output", "filter - 10", NF_INET_LOCAL_OUT, -10 },
	{ "source_nat", "nat", "postrouting", "srcnat - 1", NF_INET_POST_ROUTING, 99 },
};
const size_t weir_nft_n_chains = sizeof(weir_nft_chains) / sizeof(weir_nft_chains[0]);

const struct weir_nft_rule weir_nft_rules[] = {
	{ "other_gateway", "iifname . ip saddr != @sources4",
	  STEPS(IPV4, IIF, SADDR4(R2), LOOKUP_NOT(R1, "sources4")), DROPS(GATEWAY) },
	{ "other_gateway", "ip saddr . ip daddr != @neighbours4",
	  STEPS(IPV4, SADDR4(R1), DADDR4(R32_1), LOOKUP_NOT(R1, "neighbours4")), DROPS(GATEWAY) },

	{ "guard_network", "ip daddr @gateways4 fib daddr . iif type != local goto other_gateway",
	  STEPS(IPV4, DADDR4(R1), LOOKUP(R1, "gateways4"), FIB_DADDR_IIF_TYPE, NOT_U32(RTN_LOCAL),
		GOTO("other_gateway")) },
	{ "guard_network", "ip6 daddr @gateways6 fib daddr . iif type != local",
	  STEPS(IPV6, DADDR6(R1), LOOKUP(R1, "gateways6"), FIB_DADDR_IIF_TYPE, NOT_U32(RTN_LOCAL)),
	  DROPS(GATEWAY) },

	{ "guard_in", "iifname \"lo\" accept",
	  STEPS(IIF, IS_NAME("lo"), VERDICT(NF_ACCEPT)) },
	{ "guard_in", "ip daddr 127.0.0.0/8", /* S1 */
	  STEPS(IPV4, NETWORK_HEADER(16, 1, R1), IS_U8(IN_LOOPBACKNET)), DROPS(LOOPBACK) },
	{ "guard_in", "ct direction reply accept",
	  STEPS(CT(NFT_CT_DIRECTION), IS_U8(IP_CT_DIR_REPLY), VERDICT(NF_ACCEPT)) },
	{ "guard_in", "iifname @networks goto guard_network",
	  STEPS(IIF_IN("networks"), GOTO("guard_network")) },
	{ "guard_in", "ip daddr @gateways4", /* S3 */
	  STEPS(IPV4, DADDR4(R1), LOOKUP(R1, "gateways4")), DROPS(GATEWAY) },
	{ "guard_in", "ip6 daddr @gateways6",
	  STEPS(IPV6, DADDR6(R1), LOOKUP(R1, "gateways6")), DROPS(GATEWAY) },

	/* S4; an address that is not the host's now is another machine's, and on its way there */
	{ "guard_in", "ip daddr . meta l4proto . th dport @strict4 fib daddr type local fib daddr . iif type != local",
	  STEPS(IPV4, DADDR4(R1), PROTO_PORT(R32_1, R32_2), LOOKUP(R1, "strict4"),
		FIB_DADDR_TYPE, IS_U32(RTN_LOCAL), FIB_DADDR_IIF_TYPE, NOT_U32(RTN_LOCAL)),
	  DROPS(STRICT) },
	{ "guard_in", "ip6 daddr . meta l4proto . th dport @strict6 fib daddr type local fib daddr . iif type != local",
	  STEPS(IPV6, DADDR6(R1), PROTO_PORT(R2, R32_5), LOOKUP(R1, "strict6"),
		FIB_DADDR_TYPE, IS_U32(RTN_LOCAL), FIB_DADDR_IIF_TYPE, NOT_U32(RTN_LOCAL)),
	  DROPS(STRICT) },

	/* no kernel sends ::1 out of an interface (RFC 4291 2.5.3), so a translated connection would hang;
	 * left alone, a client is refused at once and tries 127.0.0.1 */
	{ "publish", "ip6 daddr ::1 return",
	  STEPS(IPV6, DADDR6(R1), IS_IPV6_LAST(1), VERDICT(NFT_RETURN)) },
	{ "publish", "dnat ip to ip daddr . meta l4proto . th dport map @published_addr4",
	  STEPS(IPV4, DADDR4(R1), PROTO_PORT(R32_1, R32_2), MAP(R1, "published_addr4"),
		DNAT(IPV4, R1, R32_1)) },
	{ "publish", "dnat ip to ip daddr . meta l4proto . th dport map @published_addr_range4",
	  STEPS(IPV4, DADDR4(R1), PROTO_PORT(R32_1, R32_2), MAP(R1, "published_addr_range4"),
		DNAT_ADDR(IPV4, R1)) },
	{ "publish", "meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published4",
	  STEPS(IPV4, PROTO_PORT(R1, R32_1), MAP(R1, "published4"), DNAT(IPV4, R1, R32_1)) },
	{ "publish", "meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published_range4",
	  STEPS(IPV4, PROTO_PORT(R1, R32_1), MAP(R1, "published_range4"), DNAT_ADDR(IPV4, R1)) },
	{ "publish", "dnat ip6 to ip6 daddr . meta l4proto . th dport map @published_addr6",
	  STEPS(IPV6, DADDR6(R1), PROTO_PORT(R2, R32_5), MAP(R1, "published_addr6"),
		DNAT(IPV6, R1, R2)) },
	{ "publish", "dnat ip6 to ip6 daddr . meta l4proto . th dport map @published_addr_range6",
	  STEPS(IPV6, DADDR6(R1), PROTO_PORT(R2, R32_5), MAP(R1, "published_addr_range6"),
		DNAT_ADDR(IPV6, R1)) },
	{ "publish", "meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @published6",
	  STEPS(IPV6, PROTO_PORT(R1, R32_1), MAP(R1, "published6"), DNAT(IPV6, R1, R2)) },
	{ "publish", "meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @published_range6",
	  STEPS(IPV6, PROTO_PORT(R1, R32_1), MAP(R1, "published_range6"), DNAT_ADDR(IPV6, R1)) },

	{ "publish_in", "fib daddr type local jump publish", /* S6 */
	  STEPS(FIB_DADDR_TYPE, IS_U32(RTN_LOCAL), JUMP("publish")) },

	{ "publish_out", "fib daddr type local jump publish",
	  STEPS(FIB_DADDR_TYPE, IS_U32(RTN_LOCAL), JUMP("publish")) },

	{ "outside", "ip daddr @routed4 return",
	  STEPS(IPV4, DADDR4(R1), LOOKUP(R1, "routed4"), VERDICT(NFT_RETURN)) },
	{ "outside", "ip6 daddr @routed6 return",
	  STEPS(IPV6, DADDR6(R1), LOOKUP(R1, "routed6"), VERDICT(NFT_RETURN)) },
	{ "outside", "iifname . ip daddr @trusted_to4 return",
	  STEPS(IPV4, IIF, DADDR4(R2), LOOKUP(R1, "trusted_to4"), VERDICT(NFT_RETURN)) },
	{ "outside", "iifname . ip6 daddr @trusted_to6 return",
	  STEPS(IPV6, IIF, DADDR6(R2), LOOKUP(R1, "trusted_to6"), VERDICT(NFT_RETURN)) },
	{ "outside", "", /* S2 */
	  STEPS({ 0 }), DROPS(DIRECT) },

	{ "transit", "ct state established,related accept",
	  STEPS(ESTABLISHED) },
	{ "transit", "meta nfproto @guard_families", /* S5 */
	  STEPS(META(NFT_META_NFPROTO, R1), LOOKUP(R1, "guard_families")), DROPS(ROUTER) },
	{ "transit", "accept",
	  STEPS(VERDICT(NF_ACCEPT)) },

	{ "discovery", "icmpv6 type mld-listener-query accept",
	  STEPS(ICMPV6_IS(130)) },
	{ "discovery", "icmpv6 type mld-listener-report accept",
	  STEPS(ICMPV6_IS(131)) },
	{ "discovery", "icmpv6 type mld-listener-done accept",
	  STEPS(ICMPV6_IS(132)) },
	{ "discovery", "icmpv6 type nd-router-solicit accept",
	  STEPS(ICMPV6_IS(133)) },
	{ "discovery", "icmpv6 type nd-router-advert accept",
	  STEPS(ICMPV6_IS(134)) },
	{ "discovery", "icmpv6 type nd-neighbor-solicit accept",
	  STEPS(ICMPV6_IS(135)) },
	{ "discovery", "icmpv6 type nd-neighbor-advert accept",
	  STEPS(ICMPV6_IS(136)) },
	{ "discovery", "icmpv6 type nd-redirect accept",
	  STEPS(ICMPV6_IS(137)) },
	{ "discovery", "icmpv6 type mld2-listener-report accept",
	  STEPS(ICMPV6_IS(143)) },

	{ "arrive", "oifname @ingress_deny",
	  STEPS(OIF_IN("ingress_deny")), DROPS(INGRESS) },
	{ "arrive", "ct status dnat accept",
	  STEPS(DNATTED, VERDICT(NF_ACCEPT)) },
	{ "arrive", "iifname . oifname @trusted accept",
	  STEPS(IIF_OIF_IN("trusted"), VERDICT(NF_ACCEPT)) },
	{ "arrive", "iifname . ip daddr @trusted_to4 accept",
	  STEPS(IPV4, IIF, DADDR4(R2), LOOKUP(R1, "trusted_to4"), VERDICT(NF_ACCEPT)) },
	{ "arrive", "iifname . ip6 daddr @trusted_to6 accept",
	  STEPS(IPV6, IIF, DADDR6(R2), LOOKUP(R1, "trusted_to6"), VERDICT(NF_ACCEPT)) },
	{ "arrive", "iifname . oifname @filtered accept",
	  STEPS(IIF_OIF_IN("filtered"), VERDICT(NF_ACCEPT)) },
	{ "arrive", "iifname @networks ip saddr . ip daddr @neighbours4 accept",
	  STEPS(IIF_IN("networks"), IPV4, SADDR4(R1), DADDR4(R32_1), LOOKUP(R1, "neighbours4"), VERDICT(NF_ACCEPT)) },
	{ "arrive", "iifname @networks ip6 saddr . ip6 daddr @neighbours6 accept",
	  STEPS(IIF_IN("networks"), IPV6, SADDR6(R1), DADDR6(R2), LOOKUP(R1, "neighbours6"), VERDICT(NF_ACCEPT)) },
	{ "arrive", "iifname @networks oifname @ingress_allow accept",
	  STEPS(IIF_IN("networks"), OIF_IN("ingress_allow"), VERDICT(NF_ACCEPT)) },
	{ "arrive", "oifname @networks",
	  STEPS(OIF_IN("networks")), DROPS(DEFAULT) },
	{ "arrive", "accept",
	  STEPS(VERDICT(NF_ACCEPT)) },

	{ "depart", "iifname @egress_deny",
	  STEPS(IIF_IN("egress_deny")), DROPS(EGRESS) },
	{ "depart", "accept",
	  STEPS(VERDICT(NF_ACCEPT)) },

	{ "defaults", "iifname @egress_deny",
	  STEPS(IIF_IN("egress_deny")), DROPS(EGRESS) },
	{ "defaults", "goto arrive",
	  STEPS(GOTO("arrive")) },

	{ "gates", "ip saddr vmap @policy_from4",
	  STEPS(IPV4, SADDR4(R1), VMAP(R1, "policy_from4")) },
	{ "gates", "ip6 saddr vmap @policy_from6",
	  STEPS(IPV6, SADDR6(R1), VMAP(R1, "policy_from6")) },
	{ "gates", "goto defaults",
	  STEPS(GOTO("defaults")) },

	{ "within", "meta l4proto ipv6-icmp jump discovery",
	  STEPS(L4(IPPROTO_ICMPV6), JUMP("discovery")) },
	{ "within", "ct state invalid",
	  STEPS(STATE(STATE_INVALID)), DROPS(INVALID) },
	{ "within", "tcp flags != syn / fin,syn,rst,ack",
	  STEPS(NOT_SYN), DROPS(NOT_SYN) },
	/* source or destination in fe80::/10 */
	{ "within", "meta nfproto ipv6 @nh,64,16 & 0xffc0 == 0xfe80",
	  STEPS(IPV6, NETWORK_HEADER(8, 2, R1), LINK_LOCAL), DROPS(LINK_LOCAL) },
	{ "within", "meta nfproto ipv6 @nh,192,16 & 0xffc0 == 0xfe80",
	  STEPS(IPV6, NETWORK_HEADER(24, 2, R1), LINK_LOCAL), DROPS(LINK_LOCAL) },
	{ "within", "iifname . ip saddr @sources4 goto gates",
	  STEPS(IPV4, IIF, SADDR4(R2), LOOKUP(R1, "sources4"), GOTO("gates")) },
	{ "within", "iifname . ip6 saddr @sources6 goto gates",
	  STEPS(IPV6, IIF, SADDR6(R2), LOOKUP(R1, "sources6"), GOTO("gates")) },
	{ "within", "goto defaults",
	  STEPS(GOTO("defaults")) },

	{ "from_outside", "oifname != @networks goto transit",
	  STEPS(OIF_NOT_IN("networks"), GOTO("transit")) },
	{ "from_outside", "ct direction original ct status ! expected,dnat iifname . oifname != @trusted"
			  " jump outside",
	  STEPS(CT(NFT_CT_DIRECTION), IS_U8(IP_CT_DIR_ORIGINAL), CT(NFT_CT_STATUS),
		MASK_U32(IPS_EXPECTED | IPS_DST_NAT), IS_U32(0), IIF_OIF_NOT_IN("trusted"), JUMP("outside")) },
	{ "from_outside", "ct state established,related accept",
	  STEPS(ESTABLISHED) },
	{ "from_outside", "ct state invalid",
	  STEPS(STATE(STATE_INVALID)), DROPS(INVALID) },
	{ "from_outside", "tcp flags != syn / fin,syn,rst,ack",
	  STEPS(NOT_SYN), DROPS(NOT_SYN) },
	{ "from_outside", "oifname @internal",
	  STEPS(OIF_IN("internal")), DROPS(INTERNAL) },
	{ "from_outside", "ip saddr vmap @policy_outside4",
	  STEPS(IPV4, SADDR4(R1), VMAP(R1, "policy_outside4")) },
	{ "from_outside", "ip6 saddr vmap @policy_outside6",
	  STEPS(IPV6, SADDR6(R1), VMAP(R1, "policy_outside6")) },
	{ "from_outside", "goto arrive",
	  STEPS(GOTO("arrive")) },

	{ "neighbour", "iifname . ip saddr != @sources4",
	  STEPS(IPV4, IIF, SADDR4(R2), LOOKUP_NOT(R1, "sources4")), DROPS(SOURCE) },
	{ "neighbour", "iifname . ip6 saddr != @sources6",
	  STEPS(IPV6, IIF, SADDR6(R2), LOOKUP_NOT(R1, "sources6")), DROPS(SOURCE) },
	{ "neighbour", "iifname . iifname @isolated ct status ! dnat",
	  STEPS(IIF, META(NFT_META_IIFNAME, R2), LOOKUP(R1, "isolated"), NOT_DNATTED),
	  DROPS(ISOLATION) },
	{ "neighbour", "goto gates",
	  STEPS(GOTO("gates")) },

	{ "forward", "iifname != @networks goto from_outside",
	  STEPS(IIF_NOT_IN("networks"), GOTO("from_outside")) },
	{ "forward", "ct state established,related accept",
	  STEPS(ESTABLISHED) },
	/* two isolated ones of a network: it is the host that would route from one to the other */
	{ "forward", "iifname . ip saddr @isolated_ends4 iifname . ip daddr @isolated_ends4 ct status ! dnat",
	  STEPS(IPV4, IIF, SADDR4(R2), LOOKUP(R1, "isolated_ends4"), IIF, DADDR4(R2), LOOKUP(R1, "isolated_ends4"),
		NOT_DNATTED), DROPS(ISOLATION) },
	{ "forward", "iifname . ip6 saddr @isolated_ends6 iifname . ip6 daddr @isolated_ends6 ct status ! dnat",
	  STEPS(IPV6, IIF, SADDR6(R2), LOOKUP(R1, "isolated_ends6"), IIF, DADDR6(R2), LOOKUP(R1, "isolated_ends6"),
		NOT_DNATTED), DROPS(ISOLATION) },
	{ "forward", "iifname . oifname @segments accept",
	  STEPS(IIF_OIF_IN("segments"), VERDICT(NF_ACCEPT)) },
	{ "forward", "iifname . oifname @isolated ct status ! dnat",
	  STEPS(IIF_OIF_IN("isolated"), NOT_DNATTED), DROPS(ISOLATION) },
	{ "forward", "iifname . oifname @filtered goto within", /* P8 */
	  STEPS(IIF_OIF_IN("filtered"), GOTO("within")) },
	{ "forward", "ct state invalid",
	  STEPS(STATE(STATE_INVALID)), DROPS(INVALID) },
	{ "forward", "tcp flags != syn / fin,syn,rst,ack",
	  STEPS(NOT_SYN), DROPS(NOT_SYN) },
	{ "forward", "ip saddr . ip daddr @neighbours4 goto neighbour",
	  STEPS(IPV4, SADDR4(R1), DADDR4(R32_1), LOOKUP(R1, "neighbours4"), GOTO("neighbour")) },
	{ "forward", "ip6 saddr . ip6 daddr @neighbours6 goto neighbour",
	  STEPS(IPV6, SADDR6(R1), DADDR6(R2), LOOKUP(R1, "neighbours6"), GOTO("neighbour")) },
	{ "forward", "iifname @internal",
	  STEPS(IIF_IN("internal")), DROPS(INTERNAL) },
	{ "forward", "oifname @internal",
	  STEPS(OIF_IN("internal")), DROPS(INTERNAL) },
	{ "forward", "iifname . ip saddr != @sources4",
	  STEPS(IPV4, IIF, SADDR4(R2), LOOKUP_NOT(R1, "sources4")),
		DROPS(SOURCE) },
	{ "forward", "iifname . ip6 saddr != @sources6",
	  STEPS(IPV6, IIF, SADDR6(R2), LOOKUP_NOT(R1, "sources6")),
		DROPS(SOURCE) },
	{ "forward", "goto gates",
	  STEPS(GOTO("gates")) },

	{ "host", "iifname != @networks accept",
	  STEPS(IIF_NOT_IN("networks"), VERDICT(NF_ACCEPT)) },
	{ "host", "ct state established,related accept",
	  STEPS(ESTABLISHED) },
	{ "host", "tcp flags != syn / fin,syn,rst,ack", /* else what the host had opened, and was cut, comes back */
	  STEPS(NOT_SYN), DROPS(NOT_SYN) },
	{ "host", "meta l4proto ipv6-icmp jump discovery",
	  STEPS(L4(IPPROTO_ICMPV6), JUMP("discovery")) },
	{ "host", "iifname . ip saddr @sources4 ip saddr vmap @host_in4",
	  STEPS(IPV4, IIF, SADDR4(R2), LOOKUP(R1, "sources4"), SADDR4(R1), VMAP(R1, "host_in4")) },
	{ "host", "iifname . ip6 saddr @sources6 ip6 saddr vmap @host_in6",
	  STEPS(IPV6, IIF, SADDR6(R2), LOOKUP(R1, "sources6"), SADDR6(R1), VMAP(R1, "host_in6")) },
	{ "host", "iifname . ip6 saddr vmap @host_in_link",
	  STEPS(IPV6, IIF, SADDR6(R2), VMAP(R1, "host_in_link")) },
	{ "host", "iifname != @host_deny accept",
	  STEPS(IIF_NOT_IN("host_deny"), VERDICT(NF_ACCEPT)) },
	{ "host", "meta l4proto icmp accept",
	  STEPS(L4(IPPROTO_ICMP), VERDICT(NF_ACCEPT)) },
	{ "host", "meta l4proto ipv6-icmp accept",
	  STEPS(L4(IPPROTO_ICMPV6), VERDICT(NF_ACCEPT)) },
	{ "host", "udp dport 53 accept",
	  STEPS(L4(IPPROTO_UDP), TRANSPORT_HEADER(2, 2, R1), IS_U16(53), VERDICT(NF_ACCEPT)) },
	{ "host", "tcp dport 53 accept",
	  STEPS(L4(IPPROTO_TCP), TRANSPORT_HEADER(2, 2, R1), IS_U16(53), VERDICT(NF_ACCEPT)) },
	{ "host", "",
	  STEPS({ 0 }), DROPS(HOST) },

	{ "host_out", "ct state established,related accept",
	  STEPS(ESTABLISHED) },
	/* else what an endpoint had opened, and was cut, comes back as a flow of the host's; a reset is no new
	 * flow to conntrack, and may tell the other end */
	{ "host_out", "tcp flags != syn / fin,syn,rst,ack ct state new oifname @networks",
	  STEPS(NOT_SYN, STATE(STATE_BIT(IP_CT_NEW)), OIF_IN("networks")), DROPS(NOT_SYN) },
	/* from here on the interface is not asked for: it was chosen before the packet's translation */
	{ "host_out", "meta l4proto ipv6-icmp jump discovery",
	  STEPS(L4(IPPROTO_ICMPV6), JUMP("discovery")) },
	{ "host_out", "ip daddr vmap @host_out4",
	  STEPS(IPV4, DADDR4(R1), VMAP(R1, "host_out4")) },
	{ "host_out", "ip6 daddr vmap @host_out6",
	  STEPS(IPV6, DADDR6(R1), VMAP(R1, "host_out6")) },
	/* but of link-local addresses, to which nothing is translated */
	{ "host_out", "oifname . ip6 daddr vmap @host_out_link",
	  STEPS(IPV6, OIF, DADDR6(R2), VMAP(R1, "host_out_link")) },

	{ "source_nat", "oifname \"lo\" accept", /* the host to itself goes nowhere */
	  STEPS(OIF, IS_NAME("lo"), VERDICT(NF_ACCEPT)) },
	/* the host to a published port, from an address that the endpoint would answer elsewhere: another
	 * network's gateway, 127.0.0.1 */
	{ "source_nat", "oifname @networks ct status dnat ip saddr @gateways4 masquerade",
	  STEPS(OIF_IN("networks"), DNATTED, IPV4, SADDR4(R1), LOOKUP(R1, "gateways4"), MASQUERADE) },
	{ "source_nat", "oifname @networks ct status dnat ip6 saddr @gateways6 masquerade",
	  STEPS(OIF_IN("networks"), DNATTED, IPV6, SADDR6(R1), LOOKUP(R1, "gateways6"), MASQUERADE) },
	{ "source_nat", "oifname @networks ct status dnat ip saddr 127.0.0.0/8 masquerade",
	  STEPS(OIF_IN("networks"), DNATTED, IPV4, NETWORK_HEADER(12, 1, R1), IS_U8(IN_LOOPBACKNET),
		MASQUERADE) },
	/* an endpoint to its own network's published port: the answer must come back this way */
	{ "source_nat", "ct status dnat oifname . ip saddr @sources4 masquerade",
	  STEPS(DNATTED, IPV4, OIF, SADDR4(R2), LOOKUP(R1, "sources4"), MASQUERADE) },
	{ "source_nat", "ct status dnat oifname . ip6 saddr @sources6 masquerade",
	  STEPS(DNATTED, IPV6, OIF, SADDR6(R2), LOOKUP(R1, "sources6"), MASQUERADE) },
	{ "source_nat", "oifname @networks accept",
	  STEPS(OIF_IN("networks"), VERDICT(NF_ACCEPT)) },
	{ "source_nat", "snat ip to ip saddr map @snat4",
	  STEPS(IPV4, SADDR4(R1), MAP(R1, "snat4"), SNAT_ADDR(IPV4, R1)) },
	{ "source_nat", "ip saddr @masquerade4 masquerade",
	  STEPS(IPV4, SADDR4(R1), LOOKUP(R1, "masquerade4"), MASQUERADE) },
	{ "source_nat", "snat ip to ip saddr map @snat_random4 fully-random",
	  STEPS(IPV4, SADDR4(R1), MAP(R1, "snat_random4"), SNAT_ADDR_RANDOM(IPV4, R1)) },
	{ "source_nat", "ip saddr @masquerade_random4 masquerade fully-random",
	  STEPS(IPV4, SADDR4(R1), LOOKUP(R1, "masquerade_random4"), MASQUERADE_RANDOM) },
	{ "source_nat", "snat ip6 to ip6 saddr map @snat6",
	  STEPS(IPV6, SADDR6(R1), MAP(R1, "snat6"), SNAT_ADDR(IPV6, R1)) },
	{ "source_nat", "ip6 saddr @masquerade6 masquerade",
	  STEPS(IPV6, SADDR6(R1), LOOKUP(R1, "masquerade6"), MASQUERADE) },
	{ "source_nat", "snat ip6 to ip6 saddr map @snat_random6 fully-random",
	  STEPS(IPV6, SADDR6(R1), MAP(R1, "snat_random6"), SNAT_ADDR_RANDOM(IPV6, R1)) },
	{ "source_nat", "ip6 saddr @masquerade_random6 masquerade fully-random",
	  STEPS(IPV6, SADDR6(R1), LOOKUP(R1, "masquerade_random6"), MASQUERADE_RANDOM) },
};
/* clang-format on */
const size_t weir_nft_n_rules = sizeof(weir_nft_rules) / sizeof(weir_nft_rules[0]);
