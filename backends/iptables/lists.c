/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of policies' lists: "WEIR-L-<list>". */
#include "backends/iptables/policies.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How it works
 * A line is one rule, or several: one that logs before it; for a range of ICMP types, which no match
 * knows, one of each type; to reject every protocol, one that resets TCP before one that answers the
 * rest. One of these says the entry, in its comment; the others say "also", so that what they count
 * is the policy's too:
 *
 *	-p tcp --dport 5432 -m limit … -j NFLOG --nflog-prefix "weir: api-to-pg: "
 *	-p tcp --dport 5432 -j ACCEPT				"logged policy api-to-pg"
 *	-p icmp --icmp-type 3 -j DROP				"types 3-4 policy quiet"
 *	-p icmp --icmp-type 4 -j DROP				"also policy quiet"
 *
 * Lines have no family, so both families' tables have them; IPv4's say the entry, but that of ICMPv6. */

static const struct {
	uint8_t proto;
	bool ports, types;
} services[WEIR_NUM_L4S] = {
	[WEIR_L4_ANY] = { 0, false, false },
	[WEIR_L4_TCP] = { IPPROTO_TCP, true, false },
	[WEIR_L4_UDP] = { IPPROTO_UDP, true, false },
	[WEIR_L4_SCTP] = { IPPROTO_SCTP, true, false },
	[WEIR_L4_ICMP] = { IPPROTO_ICMP, false, true },
	[WEIR_L4_ICMPV6] = { IPPROTO_ICMPV6, false, true },
};

static const uint8_t verdicts[WEIR_NUM_CELL_VERDICTS] = {
	[WEIR_CELL_CONTINUE] = WEIR_IPT_RETURN,	   [WEIR_CELL_ACCEPT] = WEIR_IPT_ACCEPT,
	[WEIR_CELL_ACCEPT_EGRESS] = WEIR_IPT_GOTO, [WEIR_CELL_ACCEPT_INGRESS] = WEIR_IPT_GOTO,
	[WEIR_CELL_DROP] = WEIR_IPT_DROP,	   [WEIR_CELL_REJECT] = WEIR_IPT_REJECT,
};

static const char *const targets[WEIR_NUM_CELL_VERDICTS] = {
	[WEIR_CELL_ACCEPT_EGRESS] = WEIR_IPT_GRANTED,
	[WEIR_CELL_ACCEPT_INGRESS] = WEIR_IPT_WELCOME,
};

uint8_t weir_ipt_l4_proto(enum weir_l4 l4)
{
	return services[l4].proto;
}

enum weir_ipt_verdict weir_ipt_cell_verdict(enum weir_cell_verdict verdict, const char **ret_target)
{
	*ret_target = targets[verdict];
	return (enum weir_ipt_verdict)verdicts[verdict];
}

static bool is_of_family(const struct weir_entry *cell, enum weir_family family)
{
	return cell->l4 == WEIR_L4_ICMP	    ? family == WEIR_IPV4
	       : cell->l4 == WEIR_L4_ICMPV6 ? family == WEIR_IPV6
					    : true;
}

static enum weir_family home_of(const struct weir_entry *cell)
{
	return cell->l4 == WEIR_L4_ICMPV6 ? WEIR_IPV6 : WEIR_IPV4;
}

static const char *also(struct weir_ipt_builder *b, const struct weir_entry *cell)
{
	return weir_ipt_image_text(b->image, WEIR_IPT_ALSO WEIR_IPT_POLICY "%s", cell->owner);
}

static const char *comment_of(struct weir_ipt_builder *b, const struct weir_entry *cell)
{
	static const char *const logs[WEIR_NUM_POLICY_LOGS] = { "", WEIR_IPT_LOGGED,
								WEIR_IPT_LOGGED_BY_KERNEL };
	char range[32] = "";
	if (home_of(cell) != b->family)
		return also(b, cell);
	if (services[cell->l4].types && cell->ports.lo != cell->ports.hi &&
	    cell->ports.hi - cell->ports.lo != WEIR_ICMP_TYPE_MAX)
		(void)snprintf(range, sizeof(range), "types %u-%u ", cell->ports.lo,
			       cell->ports.hi);
	return weir_ipt_image_text(b->image, "%s%s" WEIR_IPT_POLICY "%s", logs[cell->log], range,
				   cell->owner);
}

/* The prefix is cut to what the target holds. */
static void put_log(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *cell,
		    struct weir_ipt_rule rule)
{
	enum { NFLOG_PREFIX = 63, LOG_PREFIX = 29 };
	bool kernel = cell->log == WEIR_LOG_KERNEL;
	int room = (kernel ? LOG_PREFIX : NFLOG_PREFIX) - (int)strlen("weir: : ");
	if (cell->log == WEIR_LOG_NONE)
		return;
	rule.limited = true;
	rule.prefix = weir_ipt_image_text(b->image, "weir: %.*s: ", room, cell->owner);
	rule.verdict = kernel ? WEIR_IPT_LOG : WEIR_IPT_NFLOG;
	weir_ipt_put(b, chain, &rule);
}

/* What is rejected is answered as its protocol is. */
static void put_reset(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *cell)
{
	if (cell->verdict == WEIR_CELL_REJECT && cell->l4 == WEIR_L4_ANY)
		weir_ipt_put(b, chain,
			     WEIR_IPT_RULE(.proto = IPPROTO_TCP, .verdict = WEIR_IPT_REJECT,
					   .to.family = (uint8_t)b->family,
					   .comment = also(b, cell)));
}

static void put_line(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *cell,
		     struct weir_ipt_rule rule, const char *comment)
{
	put_log(b, chain, cell, rule);
	put_reset(b, chain, cell);
	rule.verdict = verdicts[cell->verdict];
	rule.target = targets[cell->verdict];
	rule.comment = comment;
	if (rule.verdict == WEIR_IPT_REJECT)
		rule.to.family = (uint8_t)b->family;
	weir_ipt_put(b, chain, &rule);
}

/* To the match of IPv4, 255 is every type; a type that ICMP does not have, so its rule is for nobody. */
static const struct weir_prefix nobody = { { WEIR_IPV4, { 255, 255, 255, 255 } }, 32 };

static void put_types(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *cell,
		      struct weir_ipt_rule rule)
{
	rule.by_type = true;
	for (unsigned type = cell->ports.lo; type <= cell->ports.hi; type++) {
		rule.icmp_type = (uint8_t)type;
		if (type == WEIR_ICMP_TYPE_MAX && cell->l4 == WEIR_L4_ICMP)
			rule.src = nobody;
		put_line(b, chain, cell, rule,
			 type == cell->ports.lo ? comment_of(b, cell) : also(b, cell));
	}
}

static void put_cell(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *cell)
{
	struct weir_ipt_rule rule = { .proto = services[cell->l4].proto };
	if (!is_of_family(cell, b->family))
		return;
	if (services[cell->l4].types && cell->ports.hi - cell->ports.lo != WEIR_ICMP_TYPE_MAX) {
		put_types(b, chain, cell, rule);
		return;
	}
	if (services[cell->l4].ports && cell->ports.hi - cell->ports.lo != WEIR_PORT_MAX) {
		rule.ports = cell->ports;
		rule.from_zero = cell->ports.lo == 0;
	}
	put_line(b, chain, cell, rule, comment_of(b, cell));
}

static void make_list(struct weir_ipt_builder *b, uint64_t list, size_t *i)
{
	const char *name = weir_ipt_image_text(b->image, WEIR_IPT_LIST "%016" PRIx64, list);
	size_t chain = weir_ipt_image_chain(b->image, name ? name : ""), next = *i;
	const struct weir_entry *cell;
	for (; (cell = weir_ipt_next_entry(b, WEIR_ENTRY_CELL, NULL, &next)); *i = next) {
		if (cell->list != list)
			break;
		put_cell(b, chain, cell);
	}
}

/* Every list that anything speaks of, in either family, so that nothing leads nowhere. */
void weir_ipt_build_lists(struct weir_ipt_builder *b)
{
	size_t first = b->first[WEIR_ENTRY_PAIR], n = 0;
	uint64_t *lists = calloc(b->rules->n - first + 1, sizeof(*lists));
	if (!lists) {
		b->image->no_memory = true;
		return;
	}
	for (size_t i = first; i < b->rules->n; i++)
		lists[n++] = b->rules->entries[i]->list;
	n = weir_ipt_distinct(lists, n);
	for (size_t i = 0, cell = 0; i < n; i++)
		make_list(b, lists[i], &cell);
	free(lists);
}
