/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains of each network in table filter: from it, to it, within it (filter.c says how they are reached). */
#include "backends/iptables/network.h"

#include <stdlib.h>
#include <string.h>

#include "backends/iptables/isolated.h"
#include "backends/iptables/policies.h"

static void make_sources(struct weir_ipt_builder *b, const char *ifname)
{
	struct weir_ipt_rule otherwise = {
		.verdict = WEIR_IPT_DROP,
		.comment = weir_ipt_image_text(b->image, WEIR_IPT_DROPS "%s",
					       weir_drop_reason(WEIR_DROP_SOURCE)),
	};
	const char *root = weir_ipt_image_text(b->image, "WEIR-SRC-%s", ifname);
	const char *stem = weir_ipt_image_text(b->image, "WEIR-SRC-%s-", ifname);
	struct weir_ipt_tree tree = {
		.dimension = b->family == WEIR_IPV4 ? &weir_ipt_src4 : &weir_ipt_src6,
		.root = root ? root : "",
		.stem = stem ? stem : "",
		.otherwise = &otherwise,
	};
	struct weir_ipt_item *items = b->items;
	uint8_t bits = (uint8_t)weir_family_bits(b->family);
	const struct weir_entry *e;
	size_t n = 0, i = 0;
	while ((e = weir_ipt_next_entry(b, WEIR_ENTRY_SOURCE, ifname, &i))) {
		struct weir_ipt_rule rule = { .src = { e->addr, bits },
					      .verdict = WEIR_IPT_RETURN,
					      .comment = weir_ipt_owner(e) };
		weir_ipt_set_ifname(rule.in, e->ifname);
		items[n].rule = rule;
		weir_ipt_item_prefix(&items[n++], &e->addr, bits);
	}
	weir_ipt_tree_make(b->image, &tree, items, n);
}

/* From this network to itself. */
static void put_within(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *net)
{
	struct weir_ipt_rule rule = { 0 };
	weir_ipt_put_isolated(b, chain, net);
	weir_ipt_set_ifname(rule.out, net->ifname);
	if (net->flags & WEIR_ISOLATED) {
		struct weir_ipt_rule untranslated = rule;
		untranslated.states = WEIR_IPT_DNATTED;
		untranslated.not_states = true;
		weir_ipt_put_drop(b, chain, WEIR_DROP_ISOLATION, untranslated);
	}
	if (net->flags & WEIR_FILTERED) {
		rule.verdict = WEIR_IPT_GOTO;
		rule.target = weir_ipt_image_text(b->image, WEIR_IPT_WITHIN "%s", net->ifname);
	}
	if (net->flags & WEIR_FILTERED || !(net->flags & WEIR_ISOLATED))
		weir_ipt_put(b, chain, &rule);
}

/* From a routed network to itself: each packet passes the host, so each is asked for its sender. */
static void make_neighbour(struct weir_ipt_builder *b, const struct weir_entry *net)
{
	size_t chain = weir_ipt_chain_of(b, WEIR_IPT_NEIGHBOUR, net->ifname);
	weir_ipt_put_jump(b, chain, "WEIR-STATE");
	weir_ipt_put_jump(b, chain, weir_ipt_image_text(b->image, "WEIR-SRC-%s", net->ifname));
	if (net->flags & WEIR_ISOLATED)
		weir_ipt_put_drop(b, chain, WEIR_DROP_ISOLATION,
				  (struct weir_ipt_rule){ .states = WEIR_IPT_DNATTED,
							  .not_states = true });
	if (b->policies)
		weir_ipt_put_goto(b, chain,
				  weir_ipt_image_text(b->image, "WEIR-IN-%s", net->ifname));
	else
		weir_ipt_put(b, chain, WEIR_IPT_RULE(.verdict = WEIR_IPT_ACCEPT));
}

static void put_segment(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *e)
{
	struct weir_ipt_rule rule = {
		.src = { e->addr, e->prefix_len },
		.dst = { e->to, e->to_len },
		.verdict = WEIR_IPT_GOTO,
		.target = weir_ipt_image_text(b->image, WEIR_IPT_NEIGHBOUR "%s", e->ifname),
		.comment = weir_ipt_owner(e),
	};
	weir_ipt_set_ifname(rule.out, e->ifname);
	weir_ipt_put(b, chain, &rule);
}

static void put_segments(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *net)
{
	const struct weir_entry *e;
	for (size_t i = 0; (e = weir_ipt_next_entry(b, WEIR_ENTRY_SEGMENT, net->ifname, &i));)
		put_segment(b, chain, e);
	make_neighbour(b, net);
}

/* From this network to others and outside, what has passed the checks. */
static void put_onward(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *net)
{
	if (b->policies) {
		weir_ipt_put_jump(b, chain, WEIR_IPT_INSIDE);
		weir_ipt_put_jump(b, chain, WEIR_IPT_OUTWARD);
		if (net->flags & WEIR_EGRESS_DENY)
			weir_ipt_put_drop(b, chain, WEIR_DROP_EGRESS, (struct weir_ipt_rule){ 0 });
	} else {
		weir_ipt_put(b, chain,
			     WEIR_IPT_RULE(.states = WEIR_IPT_DNATTED, .verdict = WEIR_IPT_ACCEPT));
		weir_ipt_put_jump(b, chain, "WEIR-TRUSTED");
		weir_ipt_put_jump(b, chain, WEIR_IPT_INSIDE);
	}
	weir_ipt_put(b, chain, WEIR_IPT_RULE(.verdict = WEIR_IPT_ACCEPT));
}

/* From this network: to itself, to others, outside. */
static void make_from(struct weir_ipt_builder *b, const struct weir_entry *net)
{
	size_t chain = weir_ipt_chain_of(b, WEIR_IPT_FROM, net->ifname);

	weir_ipt_put_established(b, chain, WEIR_IPT_ACCEPT);
	if (net->from_ifname[0])
		put_segments(b, chain, net);
	else
		put_within(b, chain, net);
	weir_ipt_put_jump(b, chain, "WEIR-STATE");
	if (net->flags & WEIR_CLOSED)
		weir_ipt_put_drop(b, chain, WEIR_DROP_INTERNAL, (struct weir_ipt_rule){ 0 });
	weir_ipt_put_jump(b, chain, "WEIR-INTERNAL");
	weir_ipt_put_jump(b, chain, weir_ipt_image_text(b->image, "WEIR-SRC-%s", net->ifname));
	put_onward(b, chain, net);
	make_sources(b, net->ifname);
}

/* From outside straight to an endpoint: those who are trusted, and addresses that are not hidden. */
static const char *make_direct(struct weir_ipt_builder *b, const struct weir_entry *net)
{
	const char *name = weir_ipt_image_text(b->image, "WEIR-DIRECT-%s", net->ifname);
	size_t chain = weir_ipt_image_chain(b->image, name ? name : "");
	const struct weir_entry *e;
	for (size_t i = 0; (e = weir_ipt_next_entry(b, WEIR_ENTRY_TRUSTED, net->ifname, &i));) {
		struct weir_ipt_rule trusted = { .dst = { e->addr, e->prefix_len },
						 .verdict = WEIR_IPT_RETURN };
		weir_ipt_set_ifname(trusted.in, e->from_ifname);
		weir_ipt_put(b, chain, &trusted);
	}
	for (size_t i = 0; (e = weir_ipt_next_entry(b, WEIR_ENTRY_SUBNET, net->ifname, &i));)
		if (e->nat == WEIR_NAT_NONE)
			weir_ipt_put(b, chain,
				     WEIR_IPT_RULE(.dst = { e->addr, e->prefix_len },
						   .verdict = WEIR_IPT_RETURN));
	weir_ipt_put_drop(b, chain, WEIR_DROP_DIRECT, (struct weir_ipt_rule){ 0 });
	return name;
}

/* To this network from outside. */
static void make_to(struct weir_ipt_builder *b, const struct weir_entry *net)
{
	size_t chain = weir_ipt_chain_of(b, "WEIR-TO-", net->ifname);
	/* first, even if conntrack has accepted it: it may have begun while there were no rules */
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.states = WEIR_IPT_DNATTED, .not_states = true,
				   .direction = WEIR_IPT_ORIGINAL, .not_expected = true,
				   .verdict = WEIR_IPT_JUMP, .target = make_direct(b, net)));
	weir_ipt_put_established(b, chain, WEIR_IPT_ACCEPT);
	weir_ipt_put_jump(b, chain, "WEIR-STATE");
	if (net->flags & WEIR_CLOSED)
		weir_ipt_put_drop(b, chain, WEIR_DROP_INTERNAL, (struct weir_ipt_rule){ 0 });
	if (b->policies)
		weir_ipt_put_jump(b, chain, WEIR_IPT_OUTSIDE);
	if (net->flags & WEIR_INGRESS_DENY)
		weir_ipt_put_drop(b, chain, WEIR_DROP_INGRESS, (struct weir_ipt_rule){ 0 });
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.states = WEIR_IPT_DNATTED, .verdict = WEIR_IPT_ACCEPT));
	weir_ipt_put_jump(b, chain, "WEIR-TRUSTED");
	weir_ipt_put_drop(b, chain, WEIR_DROP_DEFAULT, (struct weir_ipt_rule){ 0 });
}

static int compare_ifname(const void *name, const void *entry)
{
	return strcmp(name, (*(const struct weir_entry *const *)entry)->ifname);
}

/* They are sorted by it. */
static bool has_network(const struct weir_ipt_builder *b, const char *ifname)
{
	size_t first = b->first[WEIR_ENTRY_NETWORK], n = b->first[WEIR_ENTRY_NETWORK + 1] - first;
	return n && bsearch(ifname, b->rules->entries + first, n, sizeof(const struct weir_entry *),
			    compare_ifname);
}

/* Sources of a network that is not there (yet): their own home all the same. */
static void make_stray_sources(struct weir_ipt_builder *b)
{
	const struct weir_entry *e, *last = NULL;
	for (size_t i = 0; (e = weir_ipt_next_entry(b, WEIR_ENTRY_SOURCE, NULL, &i));) {
		bool again = last && strcmp(last->ifname, e->ifname) == 0;
		last = e;
		if (!again && !has_network(b, e->ifname))
			make_sources(b, e->ifname);
	}
}

/* A routed network without a port: nothing leads to its chain. */
static void make_stray_segments(struct weir_ipt_builder *b)
{
	const struct weir_entry *e;
	for (size_t i = 0; (e = weir_ipt_next_entry(b, WEIR_ENTRY_SEGMENT, NULL, &i));) {
		size_t k = 0;
		while (k < b->n_networks && strcmp(b->networks[k].ifname, e->ifname) != 0)
			k++;
		if (k < b->n_networks)
			continue;
		(void)weir_ipt_chain_of(b, WEIR_IPT_NEIGHBOUR, e->ifname);
		put_segment(b, weir_ipt_chain_of(b, WEIR_IPT_FROM, e->ifname), e);
	}
}

void weir_ipt_build_networks(struct weir_ipt_builder *b)
{
	for (size_t i = 0; i < b->n_networks; i++) {
		const struct weir_entry *net = &b->networks[i];
		make_from(b, net);
		make_to(b, net);
		if (b->policies)
			weir_ipt_build_network_policies(b, net);
	}
	weir_ipt_build_isolated(b);
	make_stray_sources(b);
	make_stray_segments(b);
}
