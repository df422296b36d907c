/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The targets that weir uses beside verdicts and chains, by their kernel structures. */
#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>

#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_NFLOG.h>
#include <linux/netfilter_ipv4/ipt_LOG.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_LOG.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>

#include <arpa/inet.h>
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "backends/iptables/words.h"

/* Revision 0 of DNAT is accepted by the kernel, but iptables cannot print it. SNAT's own printer knows
 * revision 0 for IPv4 and 1 for IPv6 only. */

static void write_addr(const struct weir_addr *addr, union nf_inet_addr *min,
		       union nf_inet_addr *max)
{
	memcpy(min, addr->bytes, sizeof(*min));
	memcpy(max, addr->bytes, sizeof(*max));
}

static struct weir_addr read_addr(enum weir_family family, const void *from)
{
	struct weir_addr addr = { .family = (uint8_t)family };
	memcpy(addr.bytes, from, weir_family_bits(family) / 8);
	return addr;
}

/* ---- -j DNAT --to-destination 10.88.1.2:6000-6009/7000 ---- */

static void write_dnat(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct nf_nat_range2 *range = payload;
	(void)family;
	range->flags = NF_NAT_RANGE_MAP_IPS;
	write_addr(&rule->to, &range->min_addr, &range->max_addr);
	if (!rule->to_ports.lo)
		return;
	range->flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
	range->min_proto.all = htons(rule->to_ports.lo);
	range->max_proto.all = htons(rule->to_ports.hi);
	if (!rule->base_port)
		return;
	range->flags |= NF_NAT_RANGE_PROTO_OFFSET;
	range->base_proto.all = htons(rule->base_port);
}

static void read_dnat(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	const struct nf_nat_range2 *range = payload;
	rule->to = read_addr(family, &range->min_addr);
	rule->to_ports.lo = ntohs(range->min_proto.all);
	rule->to_ports.hi = ntohs(range->max_proto.all);
	rule->base_port = ntohs(range->base_proto.all);
}

static void say_dnat(const struct weir_ipt_rule *rule, FILE *out)
{
	char text[WEIR_ADDR_TEXT];
	bool brackets = rule->to.family == WEIR_IPV6 && rule->to_ports.lo;
	fprintf(out, " --to-destination %s%s%s", brackets ? "[" : "",
		weir_addr_text(&rule->to, text), brackets ? "]" : "");
	if (rule->to_ports.lo)
		fprintf(out, ":%u", rule->to_ports.lo);
	if (rule->to_ports.hi > rule->to_ports.lo)
		fprintf(out, "-%u", rule->to_ports.hi);
	if (rule->base_port)
		fprintf(out, "/%u", rule->base_port);
}

/* ---- -j SNAT --to-source 192.0.2.7 --random-fully ---- */

static unsigned random_flag(const struct weir_ipt_rule *rule)
{
	return rule->random ? NF_NAT_RANGE_PROTO_RANDOM_FULLY : 0;
}

static void say_random(const struct weir_ipt_rule *rule, FILE *out)
{
	if (rule->random)
		fputs(" --random-fully", out);
}

static void write_snat4(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct nf_nat_ipv4_multi_range_compat *range = payload;
	(void)family;
	range->rangesize = 1;
	range->range[0].flags = NF_NAT_RANGE_MAP_IPS | random_flag(rule);
	memcpy(&range->range[0].min_ip, rule->to.bytes, sizeof(range->range[0].min_ip));
	memcpy(&range->range[0].max_ip, rule->to.bytes, sizeof(range->range[0].max_ip));
}

static void read_snat4(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	const struct nf_nat_ipv4_multi_range_compat *range = payload;
	rule->to = read_addr(family, &range->range[0].min_ip);
	rule->random = range->range[0].flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY;
}

static void write_snat6(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct nf_nat_range *range = payload;
	(void)family;
	range->flags = NF_NAT_RANGE_MAP_IPS | random_flag(rule);
	write_addr(&rule->to, &range->min_addr, &range->max_addr);
}

static void read_snat6(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	const struct nf_nat_range *range = payload;
	rule->to = read_addr(family, &range->min_addr);
	rule->random = range->flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY;
}

static void say_snat(const struct weir_ipt_rule *rule, FILE *out)
{
	char text[WEIR_ADDR_TEXT];
	fprintf(out, " --to-source %s", weir_addr_text(&rule->to, text));
	say_random(rule, out);
}

/* ---- -j MASQUERADE --random-fully ---- */

static void write_masquerade4(enum weir_family family, const struct weir_ipt_rule *rule,
			      void *payload)
{
	struct nf_nat_ipv4_multi_range_compat *range = payload;
	(void)family;
	range->rangesize = 1;
	range->range[0].flags = random_flag(rule);
}

static void read_masquerade4(enum weir_family family, const void *payload,
			     struct weir_ipt_rule *rule)
{
	const struct nf_nat_ipv4_multi_range_compat *range = payload;
	(void)family;
	rule->random = range->range[0].flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY;
}

static void write_masquerade6(enum weir_family family, const struct weir_ipt_rule *rule,
			      void *payload)
{
	(void)family;
	((struct nf_nat_range *)payload)->flags = random_flag(rule);
}

static void read_masquerade6(enum weir_family family, const void *payload,
			     struct weir_ipt_rule *rule)
{
	(void)family;
	rule->random = ((const struct nf_nat_range *)payload)->flags &
		       NF_NAT_RANGE_PROTO_RANDOM_FULLY;
}

/* ---- -j REJECT --reject-with tcp-reset ---- */

static void write_reject4(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	(void)family;
	((struct ipt_reject_info *)payload)->with =
		rule->proto == IPPROTO_TCP ? IPT_TCP_RESET : IPT_ICMP_ADMIN_PROHIBITED;
}

static void write_reject6(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	(void)family;
	((struct ip6t_reject_info *)payload)->with =
		rule->proto == IPPROTO_TCP ? IP6T_TCP_RESET : IP6T_ICMP6_ADM_PROHIBITED;
}

static void read_reject(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	(void)payload;
	rule->to.family = (uint8_t)family;
}

static void say_reject(const struct weir_ipt_rule *rule, FILE *out)
{
	fprintf(out, " --reject-with %s",
		rule->proto == IPPROTO_TCP     ? "tcp-reset"
		: rule->to.family == WEIR_IPV6 ? "icmp6-adm-prohibited"
					       : "icmp-admin-prohibited");
}

/* ---- -j NFLOG --nflog-prefix "weir: api-to-pg: " ---- */

static void write_nflog(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct xt_nflog_info *info = payload;
	(void)family;
	memcpy(info->prefix, rule->prefix, strnlen(rule->prefix, sizeof(info->prefix) - 1));
}

static void read_nflog(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	(void)family;
	rule->prefix = ((const struct xt_nflog_info *)payload)->prefix;
}

static void say_nflog(const struct weir_ipt_rule *rule, FILE *out)
{
	fputs(" --nflog-prefix ", out);
	weir_ipt_say_quoted(rule->prefix, out);
}

/* ---- -j LOG --log-prefix "weir: api-to-pg: " ---- */

enum { LOG_LEVEL = 4 }; /* what iptables takes for "nothing said" */

static_assert(sizeof(struct ipt_log_info) == sizeof(struct ip6t_log_info) &&
		      offsetof(struct ipt_log_info, prefix) ==
			      offsetof(struct ip6t_log_info, prefix),
	      "one writer serves both");

static void write_log(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct ipt_log_info *info = payload;
	(void)family;
	info->level = LOG_LEVEL;
	memcpy(info->prefix, rule->prefix, strnlen(rule->prefix, sizeof(info->prefix) - 1));
}

static void read_log(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	(void)family;
	rule->prefix = ((const struct ipt_log_info *)payload)->prefix;
}

static void say_log(const struct weir_ipt_rule *rule, FILE *out)
{
	fputs(" --log-prefix ", out);
	weir_ipt_say_quoted(rule->prefix, out);
}

#define IPV4_RANGE sizeof(struct nf_nat_ipv4_multi_range_compat)
#define IPV6_RANGE sizeof(struct nf_nat_range)

const struct weir_ipt_word weir_ipt_targets[] = {
	{ "DNAT", 2, WEIR_IPT_DNAT, WEIR_NO_FAMILY, sizeof(struct nf_nat_range2), NULL, write_dnat,
	  read_dnat, say_dnat },
	{ "SNAT", 0, WEIR_IPT_SNAT, WEIR_IPV4, IPV4_RANGE, NULL, write_snat4, read_snat4,
	  say_snat },
	{ "SNAT", 1, WEIR_IPT_SNAT, WEIR_IPV6, IPV6_RANGE, NULL, write_snat6, read_snat6,
	  say_snat },
	{ "MASQUERADE", 0, WEIR_IPT_MASQUERADE, WEIR_IPV4, IPV4_RANGE, NULL, write_masquerade4,
	  read_masquerade4, say_random },
	{ "MASQUERADE", 0, WEIR_IPT_MASQUERADE, WEIR_IPV6, IPV6_RANGE, NULL, write_masquerade6,
	  read_masquerade6, say_random },
	{ "REJECT", 0, WEIR_IPT_REJECT, WEIR_IPV4, sizeof(struct ipt_reject_info), NULL,
	  write_reject4, read_reject, say_reject },
	{ "REJECT", 0, WEIR_IPT_REJECT, WEIR_IPV6, sizeof(struct ip6t_reject_info), NULL,
	  write_reject6, read_reject, say_reject },
	{ "NFLOG", 0, WEIR_IPT_NFLOG, WEIR_NO_FAMILY, sizeof(struct xt_nflog_info), NULL,
	  write_nflog, read_nflog, say_nflog },
	{ "LOG", 0, WEIR_IPT_LOG, WEIR_NO_FAMILY, sizeof(struct ipt_log_info), NULL, write_log,
	  read_log, say_log },
};
const size_t weir_ipt_n_targets = sizeof(weir_ipt_targets) / sizeof(weir_ipt_targets[0]);
