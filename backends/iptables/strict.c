/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings that only the interfaces serve which have their address.
 *
 * How it works: what came by another interface is not translated, so it is delivered to the host itself,
 * and dropped there. Only nat's PREROUTING can tell, before it has changed the destination, and only
 * filter may drop:
 *
 *	WEIR-STRICT			from a network of weir's: back; else
 *	→ WEIR-STRICT-ADDR		! --dst-type LOCAL --limit-iface-in: by address, → WEIR-X-192.0.2.1/32
 *	→ WEIR-X-192.0.2.1/32		the ports, one after the other: few packets come so far
 *		nat	-d 192.0.2.1/32 -p tcp --dport 8080 -j ACCEPT	"nginx 192.0.2.1:8080:80"
 *		filter	-d 192.0.2.1/32 -p tcp --dport 8080 -g WEIR-DROP-STRICT
 *
 * nat says the entries. */
#include "backends/iptables/strict.h"

#include <netinet/in.h>

bool weir_ipt_has_strict(const struct weir_ipt_builder *b)
{
	size_t i = 0;
	return weir_ipt_next_entry(b, WEIR_ENTRY_STRICT, NULL, &i);
}

static bool rule_back(struct weir_ipt_builder *b, const struct weir_entry *net,
		      struct weir_ipt_rule *rule)
{
	(void)b, (void)net;
	rule->verdict = WEIR_IPT_RETURN;
	return true;
}

static struct weir_ipt_rule port_rule(const struct weir_entry *e, enum weir_ipt_table table)
{
	static const uint8_t protocols[WEIR_NUM_PROTOS] = {
		[WEIR_TCP] = IPPROTO_TCP, [WEIR_UDP] = IPPROTO_UDP, [WEIR_SCTP] = IPPROTO_SCTP
	};
	struct weir_ipt_rule rule = { .dst = { e->addr, (uint8_t)weir_family_bits(e->family) },
				      .proto = protocols[e->proto],
				      .ports = e->ports,
				      .verdict = WEIR_IPT_ACCEPT,
				      .comment = weir_ipt_owner(e) };
	if (table == WEIR_IPT_FILTER) {
		rule.verdict = WEIR_IPT_GOTO;
		rule.target = "WEIR-DROP-STRICT";
		rule.comment = NULL;
	}
	return rule;
}

/* A chain for each address; entries are sorted by it. Returns how many. */
static size_t make_addresses(struct weir_ipt_builder *b, enum weir_ipt_table table)
{
	const struct weir_entry *e, *before = NULL;
	uint8_t bits = (uint8_t)weir_family_bits(b->family);
	size_t chain = 0, n = 0, i = 0;
	for (; (e = weir_ipt_next_entry(b, WEIR_ENTRY_STRICT, NULL, &i)); before = e) {
		if (!before || weir_addr_cmp(&before->addr, &e->addr) != 0) {
			struct weir_ipt_rule lead = { .dst = { e->addr, bits },
						      .not_local_here = true,
						      .verdict = WEIR_IPT_GOTO };
			lead.target = weir_ipt_address_name(b->image, "WEIR-X-", &e->addr);
			if (!lead.target)
				return 0; /* out of memory, which the image has noted */
			chain = weir_ipt_image_chain(b->image, lead.target);
			b->items[n].rule = lead;
			weir_ipt_item_prefix(&b->items[n++], &e->addr, bits);
		}
		struct weir_ipt_rule rule = port_rule(e, table);
		weir_ipt_put(b, chain, &rule);
	}
	return n;
}

void weir_ipt_build_strict(struct weir_ipt_builder *b, enum weir_ipt_table table)
{
	static const struct weir_ipt_rule otherwise = { .verdict = WEIR_IPT_GOTO,
							.target = "WEIR-STRICT-ADDR" };
	weir_ipt_make_networks(b,
			       &(struct weir_ipt_tree){ .dimension = &weir_ipt_in,
							.root = WEIR_IPT_STRICT,
							.stem = "WEIR-Y-",
							.otherwise = &otherwise },
			       rule_back);
	size_t n = make_addresses(b, table);
	weir_ipt_tree_make(b->image,
			   &(struct weir_ipt_tree){ .dimension = b->family == WEIR_IPV4
									 ? &weir_ipt_dst4
									 : &weir_ipt_dst6,
						    .root = "WEIR-STRICT-ADDR",
						    .stem = "WEIR-Z-" },
			   b->items, n);
	if (table == WEIR_IPT_FILTER)
		weir_ipt_put_drop(b, weir_ipt_image_chain(b->image, "WEIR-DROP-STRICT"),
				  WEIR_DROP_STRICT, (struct weir_ipt_rule){ 0 });
}
