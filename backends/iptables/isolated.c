/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains of endpoints that are isolated from each other: what the host would route from one to another.
 *
 *	WEIR-FROM-wb-web	-o wb-web -j WEIR-ALONE-wb-web
 *	WEIR-ALONE-wb-web	-s 10.88.1.2/32 -g WEIR-APART-wb-web	each sender; here its entry is read
 *	WEIR-APART-wb-web	-d 10.88.1.3/32 -m conntrack ! --ctstate DNAT -j DROP	each receiver */
#include "backends/iptables/isolated.h"

#include <string.h>

#define SENDERS "WEIR-ALONE-"

static void make_sender(struct weir_ipt_builder *b, const struct weir_entry *e,
			struct weir_ipt_rule *ret)
{
	*ret = (struct weir_ipt_rule){
		.src = { e->addr, (uint8_t)weir_family_bits(b->family) },
		.verdict = WEIR_IPT_GOTO,
		.target = weir_ipt_image_text(b->image, WEIR_IPT_ISOLATED "%s", e->ifname),
		.comment = weir_ipt_owner(e),
	};
}

static void make_receiver(struct weir_ipt_builder *b, const struct weir_entry *e,
			  struct weir_ipt_rule *ret)
{
	*ret = (struct weir_ipt_rule){
		.dst = { e->addr, (uint8_t)weir_family_bits(b->family) },
		.states = WEIR_IPT_DNATTED,
		.not_states = true,
		.verdict = WEIR_IPT_DROP,
		.comment = weir_ipt_image_text(b->image, WEIR_IPT_DROPS "%s",
					       weir_drop_reason(WEIR_DROP_ISOLATION)),
	};
}

static void make_tree(struct weir_ipt_builder *b, const char *prefix, const char *ifname,
		      const struct weir_ipt_dimension *dimension,
		      void (*make)(struct weir_ipt_builder *, const struct weir_entry *,
				   struct weir_ipt_rule *))
{
	const char *root = weir_ipt_image_text(b->image, "%s%s", prefix, ifname);
	const char *stem = weir_ipt_image_text(b->image, "%s%s-", prefix, ifname);
	const struct weir_ipt_tree tree = { .dimension = dimension,
					    .root = root ? root : "",
					    .stem = stem ? stem : "" };
	struct weir_ipt_item *items = b->items;
	const struct weir_entry *e;
	size_t n = 0, i = 0;

	while ((e = weir_ipt_next_entry(b, WEIR_ENTRY_ISOLATED, ifname, &i))) {
		make(b, e, &items[n].rule);
		weir_ipt_item_prefix(&items[n++], &e->addr, (uint8_t)weir_family_bits(b->family));
	}
	weir_ipt_tree_make(b->image, &tree, items, n);
}

void weir_ipt_build_isolated(struct weir_ipt_builder *b)
{
	bool four = b->family == WEIR_IPV4;
	const struct weir_entry *e, *last = NULL;

	for (size_t i = 0; (e = weir_ipt_next_entry(b, WEIR_ENTRY_ISOLATED, NULL, &i)); last = e) {
		if (last && strcmp(last->ifname, e->ifname) == 0)
			continue;
		make_tree(b, WEIR_IPT_ISOLATED, e->ifname, four ? &weir_ipt_dst4 : &weir_ipt_dst6,
			  make_receiver);
		make_tree(b, SENDERS, e->ifname, four ? &weir_ipt_src4 : &weir_ipt_src6,
			  make_sender);
	}
}

void weir_ipt_put_isolated(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *net)
{
	struct weir_ipt_rule rule = {
		.verdict = WEIR_IPT_JUMP,
		.target = weir_ipt_image_text(b->image, SENDERS "%s", net->ifname),
	};
	size_t i = 0;

	weir_ipt_set_ifname(rule.out, net->ifname);
	if (weir_ipt_next_entry(b, WEIR_ENTRY_ISOLATED, net->ifname, &i))
		weir_ipt_put(b, chain, &rule);
}
