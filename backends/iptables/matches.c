/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The matches that weir uses, by their kernel structures. */
#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>

#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_sctp.h>
#include <linux/netfilter/xt_tcpudp.h>

#include <assert.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "backends/iptables/words.h"

#define TCP_FLAGS 0x17 /* FIN, SYN, RST, ACK */
#define TCP_SYN 0x02

/* ---- -m tcp --dport 8000:8010 ! --tcp-flags FIN,SYN,RST,ACK SYN ---- */

static bool asks_for_ports(const struct weir_ipt_rule *rule)
{
	return rule->ports.lo || rule->from_zero;
}

static bool wants_tcp(const struct weir_ipt_rule *rule)
{
	return rule->proto == IPPROTO_TCP && (asks_for_ports(rule) || rule->not_syn);
}

/* No port asked for is every port. */
static void write_ports(const struct weir_ipt_rule *rule, uint16_t at[2])
{
	at[0] = rule->ports.lo;
	at[1] = asks_for_ports(rule) ? rule->ports.hi : UINT16_MAX;
}

static void read_ports(const uint16_t at[2], struct weir_ipt_rule *rule)
{
	if (at[0] == 0 && at[1] == UINT16_MAX)
		return;
	rule->ports = (struct weir_ports){ at[0], at[1] };
	rule->from_zero = at[0] == 0;
}

static void write_tcp(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct xt_tcp *tcp = payload;
	(void)family;
	tcp->spts[1] = UINT16_MAX;
	write_ports(rule, tcp->dpts);
	if (rule->not_syn) {
		tcp->flg_mask = TCP_FLAGS;
		tcp->flg_cmp = TCP_SYN;
		tcp->invflags = XT_TCP_INV_FLAGS;
	}
}

static void read_tcp(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	const struct xt_tcp *tcp = payload;
	(void)family;
	read_ports(tcp->dpts, rule);
	rule->not_syn = tcp->flg_mask != 0;
}

static void say_ports(const struct weir_ipt_rule *rule, FILE *out)
{
	if (asks_for_ports(rule))
		fprintf(out, " --dport %u", rule->ports.lo);
	if (rule->ports.hi > rule->ports.lo)
		fprintf(out, ":%u", rule->ports.hi);
}

static void say_tcp(const struct weir_ipt_rule *rule, FILE *out)
{
	say_ports(rule, out);
	if (rule->not_syn)
		fputs(" ! --tcp-flags FIN,SYN,RST,ACK SYN", out);
}

/* ---- -m udp --dport 53 ---- */

static bool wants_udp(const struct weir_ipt_rule *rule)
{
	return rule->proto == IPPROTO_UDP && asks_for_ports(rule);
}

static void write_udp(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct xt_udp *udp = payload;
	(void)family;
	udp->spts[1] = UINT16_MAX;
	write_ports(rule, udp->dpts);
}

static void read_udp(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	(void)family;
	read_ports(((const struct xt_udp *)payload)->dpts, rule);
}

/* ---- -m sctp --dport 5000 ---- */

static bool wants_sctp(const struct weir_ipt_rule *rule)
{
	return rule->proto == IPPROTO_SCTP && asks_for_ports(rule);
}

static void write_sctp(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct xt_sctp_info *sctp = payload;
	(void)family;
	write_ports(rule, sctp->dpts);
	sctp->flags = XT_SCTP_DEST_PORTS;
	for (int i = 0; i < XT_NUM_SCTP_FLAGS; i++) /* as iptables fills it */
		sctp->flag_info[i].chunktype = UINT8_MAX;
}

static void read_sctp(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	(void)family;
	read_ports(((const struct xt_sctp_info *)payload)->dpts, rule);
}

/* ---- -m icmp --icmp-type 8, -m icmp6 --icmpv6-type 128 ---- */

static_assert(sizeof(struct ipt_icmp) == sizeof(struct ip6t_icmp) &&
		      offsetof(struct ipt_icmp, type) == offsetof(struct ip6t_icmp, type) &&
		      offsetof(struct ipt_icmp, code) == offsetof(struct ip6t_icmp, code),
	      "one writer serves both");

static bool wants_icmp4(const struct weir_ipt_rule *rule)
{
	return rule->by_type && rule->proto == IPPROTO_ICMP;
}

static bool wants_icmp6(const struct weir_ipt_rule *rule)
{
	return rule->by_type && rule->proto == IPPROTO_ICMPV6;
}

static void write_icmp(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct ipt_icmp *icmp = payload;
	(void)family;
	icmp->type = rule->icmp_type;
	icmp->code[1] = UINT8_MAX;
}

static void read_icmp(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	(void)family;
	rule->by_type = true;
	rule->icmp_type = ((const struct ipt_icmp *)payload)->type;
}

static void say_icmp4(const struct weir_ipt_rule *rule, FILE *out)
{
	fprintf(out, " --icmp-type %u", rule->icmp_type);
}

static void say_icmp6(const struct weir_ipt_rule *rule, FILE *out)
{
	fprintf(out, " --icmpv6-type %u", rule->icmp_type);
}

/* ---- -m limit --limit 10/sec --limit-burst 20 ---- */

enum { LIMIT_RATE = 10, LIMIT_BURST = 20 };

static bool wants_limit(const struct weir_ipt_rule *rule)
{
	return rule->limited;
}

/* Behind these two fields is what the kernel counts with, which it does not show. */
static void write_limit(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct xt_rateinfo *limit = payload;
	(void)family, (void)rule;
	limit->avg = XT_LIMIT_SCALE / LIMIT_RATE;
	limit->burst = LIMIT_BURST;
}

static void read_limit(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	(void)family, (void)payload;
	rule->limited = true;
}

static void say_limit(const struct weir_ipt_rule *rule, FILE *out)
{
	(void)rule;
	fprintf(out, " --limit %d/sec --limit-burst %d", LIMIT_RATE, LIMIT_BURST);
}

/* ---- -m addrtype --dst-type LOCAL, ! --dst-type LOCAL --limit-iface-in ---- */

static bool wants_addrtype(const struct weir_ipt_rule *rule)
{
	return rule->local || rule->not_local_here;
}

static void write_addrtype(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct xt_addrtype_info_v1 *info = payload;
	(void)family;
	info->dest = XT_ADDRTYPE_LOCAL;
	if (rule->not_local_here)
		info->flags = XT_ADDRTYPE_INVERT_DEST | XT_ADDRTYPE_LIMIT_IFACE_IN;
}

static void read_addrtype(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	(void)family;
	rule->not_local_here = ((const struct xt_addrtype_info_v1 *)payload)->flags != 0;
	rule->local = !rule->not_local_here;
}

static void say_addrtype(const struct weir_ipt_rule *rule, FILE *out)
{
	fputs(rule->not_local_here ? " ! --dst-type LOCAL --limit-iface-in" : " --dst-type LOCAL",
	      out);
}

/* ---- -m conntrack --ctstate … --ctstatus … --ctorigdst … --ctdir … ---- */

static const struct {
	uint8_t state;
	uint16_t bit;
	const char *name;
} states[] = {
	{ WEIR_IPT_INVALID, XT_CONNTRACK_STATE_INVALID, "INVALID" },
	{ WEIR_IPT_NEW, XT_CONNTRACK_STATE_BIT(IP_CT_NEW), "NEW" },
	{ WEIR_IPT_RELATED, XT_CONNTRACK_STATE_BIT(IP_CT_RELATED), "RELATED" },
	{ WEIR_IPT_ESTABLISHED, XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED), "ESTABLISHED" },
	{ WEIR_IPT_DNATTED, XT_CONNTRACK_STATE_DNAT, "DNAT" },
};
enum { N_STATES = sizeof(states) / sizeof(states[0]) };

static bool wants_conntrack(const struct weir_ipt_rule *rule)
{
	return rule->states || rule->direction || rule->not_expected ||
	       weir_addr_is_set(&rule->orig_dst.addr);
}

static void write_mask(uint8_t bytes[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned left = bits > 8 * i ? bits - 8 * i : 0;
		bytes[i] = left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);
	}
}

static unsigned read_mask(const uint8_t bytes[16])
{
	unsigned bits = 0;
	while (bits < 128 && bytes[bits / 8] & 0x80 >> bits % 8)
		bits++;
	return bits;
}

static void write_conntrack(enum weir_family family, const struct weir_ipt_rule *rule,
			    void *payload)
{
	struct xt_conntrack_mtinfo3 *ct = payload;
	(void)family;
	for (size_t i = 0; i < N_STATES; i++)
		if (rule->states & states[i].state)
			ct->state_mask |= states[i].bit;
	if (rule->states)
		ct->match_flags |= XT_CONNTRACK_STATE;
	if (rule->not_states)
		ct->invert_flags |= XT_CONNTRACK_STATE;
	if (rule->not_expected) {
		ct->match_flags |= XT_CONNTRACK_STATUS;
		ct->invert_flags |= XT_CONNTRACK_STATUS;
		ct->status_mask = IPS_EXPECTED;
	}
	if (rule->direction)
		ct->match_flags |= XT_CONNTRACK_DIRECTION;
	if (rule->direction == WEIR_IPT_REPLY)
		ct->invert_flags |= XT_CONNTRACK_DIRECTION;
	if (weir_addr_is_set(&rule->orig_dst.addr)) {
		ct->match_flags |= XT_CONNTRACK_ORIGDST;
		memcpy(&ct->origdst_addr, rule->orig_dst.addr.bytes, 16);
		write_mask((uint8_t *)&ct->origdst_mask, rule->orig_dst.len);
	}
}

static void read_conntrack(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	const struct xt_conntrack_mtinfo3 *ct = payload;
	for (size_t i = 0; i < N_STATES; i++)
		if (ct->state_mask & states[i].bit)
			rule->states |= states[i].state;
	rule->not_states = ct->invert_flags & XT_CONNTRACK_STATE;
	rule->not_expected = ct->match_flags & XT_CONNTRACK_STATUS;
	if (ct->match_flags & XT_CONNTRACK_DIRECTION)
		rule->direction = ct->invert_flags & XT_CONNTRACK_DIRECTION ? WEIR_IPT_REPLY
									    : WEIR_IPT_ORIGINAL;
	if (ct->match_flags & XT_CONNTRACK_ORIGDST) {
		rule->orig_dst.addr.family = (uint8_t)family;
		memcpy(rule->orig_dst.addr.bytes, &ct->origdst_addr, weir_family_bits(family) / 8);
		rule->orig_dst.len = (uint8_t)read_mask((const uint8_t *)&ct->origdst_mask);
	}
}

static void say_conntrack(const struct weir_ipt_rule *rule, FILE *out)
{
	char text[WEIR_PREFIX_TEXT];
	if (rule->states)
		fputs(rule->not_states ? " ! --ctstate" : " --ctstate", out);
	for (size_t i = 0, said = 0; i < N_STATES; i++)
		if (rule->states & states[i].state)
			fprintf(out, "%c%s", said++ ? ',' : ' ', states[i].name);
	if (weir_addr_is_set(&rule->orig_dst.addr))
		fprintf(out, " --ctorigdst %s", weir_prefix_text(&rule->orig_dst, text));
	if (rule->not_expected)
		fputs(" ! --ctstatus EXPECTED", out);
	if (rule->direction)
		fputs(rule->direction == WEIR_IPT_REPLY ? " --ctdir REPLY" : " --ctdir ORIGINAL",
		      out);
}

/* ---- -m comment --comment "nginx 8080:80" ---- */

static bool wants_comment(const struct weir_ipt_rule *rule)
{
	return rule->comment;
}

static void write_comment(enum weir_family family, const struct weir_ipt_rule *rule, void *payload)
{
	struct xt_comment_info *info = payload;
	(void)family;
	memcpy(info->comment, rule->comment, strnlen(rule->comment, WEIR_IPT_COMMENT_MAX));
}

static void read_comment(enum weir_family family, const void *payload, struct weir_ipt_rule *rule)
{
	(void)family;
	rule->comment = ((const struct xt_comment_info *)payload)->comment;
}

static void say_comment(const struct weir_ipt_rule *rule, FILE *out)
{
	fputs(" --comment ", out);
	weir_ipt_say_quoted(rule->comment, out);
}

#define WORD(name, revision, type) name, revision, 0, WEIR_NO_FAMILY, sizeof(type)

const struct weir_ipt_word weir_ipt_matches[] = {
	{ WORD("tcp", 0, struct xt_tcp), wants_tcp, write_tcp, read_tcp, say_tcp },
	{ WORD("udp", 0, struct xt_udp), wants_udp, write_udp, read_udp, say_ports },
	{ WORD("sctp", 0, struct xt_sctp_info), wants_sctp, write_sctp, read_sctp, say_ports },
	{ WORD("icmp", 0, struct ipt_icmp), wants_icmp4, write_icmp, read_icmp, say_icmp4 },
	{ WORD("icmp6", 0, struct ip6t_icmp), wants_icmp6, write_icmp, read_icmp, say_icmp6 },
	{ WORD("addrtype", 1, struct xt_addrtype_info_v1), wants_addrtype, write_addrtype,
	  read_addrtype, say_addrtype },
	{ WORD("conntrack", 3, struct xt_conntrack_mtinfo3), wants_conntrack, write_conntrack,
	  read_conntrack, say_conntrack },
	{ WORD("limit", 0, struct xt_rateinfo), wants_limit, write_limit, read_limit, say_limit },
	{ WORD("comment", 0, struct xt_comment_info), wants_comment, write_comment, read_comment,
	  say_comment },
};
const size_t weir_ipt_n_matches = sizeof(weir_ipt_matches) / sizeof(weir_ipt_matches[0]);
