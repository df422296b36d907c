/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies and the defaults of networks: their chains in table filter. */
#include "backends/iptables/policies.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How it works
 * Where there are policies, a packet that has passed the checks of state and source goes on
 *
 *	to a network	→ WEIR-INSIDE → WEIR-IN-wb-web, which always has the last word:
 *			→ WEIR-POLICY → WEIR-C-<class> → WEIR-L-<list>
 *			the default of where it comes from, then → WEIR-INGRESS-wb-web
 *	to the outside	→ WEIR-OUTWARD → WEIR-D-<class> → WEIR-L-<list>, the egress default, out
 *	from outside	→ WEIR-OUTSIDE → WEIR-C-<class> → WEIR-L-<list>, the ingress default, as usual
 *
 * by trees: of senders, then of receivers. All of these lead on by goto, so that "no policy
 * says anything" comes back to where the defaults stand. WEIR-C and WEIR-D are two since an outside prefix
 * may cover addresses of weir's; where it goes tells them apart.
 *
 * A list knows neither sender nor receiver. So a line that lets go at one gate only leads to where
 * the other is found by the packet's interfaces: WEIR-GRANTED, WEIR-WELCOME.
 *
 * Packets of one network meet these rules when its bridge shows them to the host. Then neighbours must
 * still find each other, whatever policies say: in IPv6 that is ICMP, and all that link-local addresses are
 * for there: policies mean the addresses that weir gives. */

bool weir_ipt_has_policies(const struct weir_ipt_view *rules,
			   const size_t first[WEIR_NUM_ENTRY_KINDS + 1])
{
	static const uint8_t defaults = WEIR_FILTERED | WEIR_EGRESS_DENY | WEIR_INGRESS_DENY |
					WEIR_INGRESS_ALLOW;
	for (size_t i = first[WEIR_ENTRY_NETWORK]; i < first[WEIR_ENTRY_NETWORK + 1]; i++)
		if (rules->entries[i]->flags & defaults)
			return true;
	return first[WEIR_ENTRY_CLASS] < rules->n;
}

bool weir_ipt_has_host_pairs(const struct weir_ipt_builder *b)
{
	size_t i = 0;
	return weir_ipt_next_entry(b, WEIR_ENTRY_HOST_PAIR, NULL, &i);
}

/* ---- by address ---- */

static const struct weir_ipt_dimension *by_source(const struct weir_ipt_builder *b)
{
	return b->family == WEIR_IPV4 ? &weir_ipt_src4 : &weir_ipt_src6;
}

static const struct weir_ipt_dimension *by_destination(const struct weir_ipt_builder *b)
{
	return b->family == WEIR_IPV4 ? &weir_ipt_dst4 : &weir_ipt_dst6;
}

static const char *class_chain(struct weir_ipt_builder *b, bool outward, uint64_t class)
{
	return weir_ipt_image_text(b->image, "%s%016" PRIx64,
				   outward ? WEIR_IPT_CLASS_OUTSIDE : WEIR_IPT_CLASS, class);
}

static const char *list_chain(struct weir_ipt_builder *b, uint64_t list)
{
	return weir_ipt_image_text(b->image, WEIR_IPT_LIST "%016" PRIx64, list);
}

static void add_item(struct weir_ipt_builder *b, size_t *n, const struct weir_entry *e,
		     const struct weir_ipt_rule *rule)
{
	struct weir_ipt_item *item = &b->items[(*n)++];
	item->rule = *rule;
	weir_ipt_item_prefix(item, &e->addr, e->prefix_len);
}

/* That of every address is not asked for. */
static struct weir_prefix prefix_of(const struct weir_entry *e)
{
	return e->prefix_len ? (struct weir_prefix){ e->addr, e->prefix_len }
			     : (struct weir_prefix){ 0 };
}

/* Receivers of one class: "-d 10.88.2.10/32 -g WEIR-L-…", "endpoint 0123456789abcdef pg". *i is at the
 * first of them and goes behind the last: they are sorted by class, then by where they are. */
static void make_receivers(struct weir_ipt_builder *b, uint64_t class, bool outside, size_t *i)
{
	const char *root = class_chain(b, outside, class);
	const char *stem = root ? weir_ipt_image_text(b->image, "%s-", root) : NULL;
	const struct weir_entry *e;
	size_t n = 0, next = *i;
	if (!stem)
		return; /* out of memory, which the image has noted */
	for (; (e = weir_ipt_next_entry(b, WEIR_ENTRY_PAIR, NULL, &next)); *i = next) {
		if (e->class != class || !(e->flags & WEIR_OUTSIDE) == outside)
			break;
		add_item(b, &n, e,
			 WEIR_IPT_RULE(.dst = prefix_of(e), .verdict = WEIR_IPT_GOTO,
				       .target = list_chain(b, e->list),
				       .comment =
					       weir_ipt_image_text(b->image, "%s %016" PRIx64 " %s",
								   outside ? WEIR_IPT_SAYS_OUTSIDE
									   : WEIR_IPT_SAYS_ENDPOINT,
								   class, e->owner)));
	}
	weir_ipt_tree_make(b->image,
			   &(struct weir_ipt_tree){
				   .dimension = by_destination(b), .root = root, .stem = stem },
			   b->items, n);
}

/* Every class that anything speaks of, in either family, so that nothing leads nowhere. */
static void make_classes(struct weir_ipt_builder *b)
{
	size_t end = b->first[WEIR_ENTRY_PAIR + 1], n = 0;
	uint64_t *classes = calloc(end - b->first[WEIR_ENTRY_CLASS] + 1, sizeof(*classes));
	if (!classes) {
		b->image->no_memory = true;
		return;
	}
	for (size_t i = b->first[WEIR_ENTRY_CLASS]; i < end; i++)
		classes[n++] = b->rules->entries[i]->class;
	n = weir_ipt_distinct(classes, n);
	for (size_t i = 0, pair = 0; i < n; i++) {
		make_receivers(b, classes[i], false, &pair);
		make_receivers(b, classes[i], true, &pair);
	}
	free(classes);
}

/* Who sends: "-s 10.88.1.2/32 -g WEIR-C-…", "endpoint api". Leads to the chain of receivers outside
 * (outward) or in networks; only the latter says the entry. */
static void make_senders(struct weir_ipt_builder *b, const char *root, const char *stem,
			 bool from_outside, bool outward)
{
	const struct weir_entry *e;
	size_t n = 0, i = 0;
	while ((e = weir_ipt_next_entry(b, WEIR_ENTRY_MEMBER, NULL, &i))) {
		if (!(e->flags & WEIR_OUTSIDE) == from_outside)
			continue;
		struct weir_ipt_rule rule = { .src = prefix_of(e),
					      .verdict = WEIR_IPT_GOTO,
					      .target = class_chain(b, outward, e->class) };
		if (!outward)
			rule.comment = weir_ipt_image_text(b->image, "%s %s",
							   from_outside ? WEIR_IPT_SAYS_OUTSIDE
									: WEIR_IPT_SAYS_ENDPOINT,
							   e->owner);
		add_item(b, &n, e, &rule);
	}
	weir_ipt_tree_make(
		b->image,
		&(struct weir_ipt_tree){ .dimension = by_source(b), .root = root, .stem = stem },
		b->items, n);
}

/* The names of classes: nothing leads here. */
static void make_names(struct weir_ipt_builder *b)
{
	size_t chain = weir_ipt_image_chain(b->image, WEIR_IPT_CLASSES), i = 0;
	const struct weir_entry *e;
	while ((e = weir_ipt_next_entry(b, WEIR_ENTRY_CLASS, NULL, &i)))
		weir_ipt_put(b, chain,
			     WEIR_IPT_RULE(.verdict = WEIR_IPT_GOTO,
					   .target = class_chain(b, false, e->class),
					   .comment = weir_ipt_owner(e)));
}

/* ---- the host ---- */

static int compare_addrs(const void *a, const void *b)
{
	return weir_addr_cmp(&(*(const struct weir_entry *const *)a)->addr,
			     &(*(const struct weir_entry *const *)b)->addr);
}

/* The SOURCEs of this family by address; from malloc. They may be as many as HOST_PAIRs. */
static const struct weir_entry **sort_sources(struct weir_ipt_builder *b, size_t *ret_n)
{
	size_t room = b->first[WEIR_ENTRY_SOURCE + 1] - b->first[WEIR_ENTRY_SOURCE], n = 0, i = 0;
	const struct weir_entry **sources = calloc(room + 1, sizeof(const struct weir_entry *));
	const struct weir_entry *e;
	b->image->no_memory |= !sources;
	while (sources && (e = weir_ipt_next_entry(b, WEIR_ENTRY_SOURCE, NULL, &i)))
		sources[n++] = e;
	if (n)
		qsort(sources, n, sizeof(const struct weir_entry *), compare_addrs);
	*ret_n = n;
	return sources;
}

/* By which interface it may send; "lo" never comes here: an address that is not live is nobody's. */
static const char *interface_of(const struct weir_entry *const *sources, size_t n,
				const struct weir_entry *who)
{
	const struct weir_entry *const *found =
		n ? bsearch(&who, sources, n, sizeof(const struct weir_entry *), compare_addrs)
		  : NULL;
	return found ? (*found)->ifname : "lo";
}

/* "-s 10.88.1.2/32 -i wb-web -g WEIR-L-…", "host api" */
static void make_host_pairs(struct weir_ipt_builder *b, const char *root, const char *stem,
			    bool from_host)
{
	uint8_t bits = (uint8_t)weir_family_bits(b->family);
	size_t n_sources = 0, n = 0, i = 0;
	const struct weir_entry **sources = sort_sources(b, &n_sources), *e;
	while ((e = weir_ipt_next_entry(b, WEIR_ENTRY_HOST_PAIR, NULL, &i))) {
		struct weir_ipt_rule rule = { .verdict = WEIR_IPT_GOTO,
					      .target = list_chain(b, e->list) };
		if (!(e->flags & WEIR_FROM_HOST_PAIR) == from_host)
			continue;
		*(from_host ? &rule.dst : &rule.src) = (struct weir_prefix){ e->addr, bits };
		if (!from_host)
			weir_ipt_set_ifname(rule.in, e->ifname[0]
							     ? e->ifname
							     : interface_of(sources, n_sources, e));
		else
			weir_ipt_set_ifname(rule.out, e->ifname);
		rule.comment = weir_ipt_image_text(b->image, WEIR_IPT_SAYS_HOST " %s", e->owner);
		b->items[n].rule = rule;
		weir_ipt_item_prefix(&b->items[n++], &e->addr, bits);
	}
	weir_ipt_tree_make(b->image,
			   &(struct weir_ipt_tree){ .dimension = from_host ? by_destination(b)
									   : by_source(b),
						    .root = root,
						    .stem = stem },
			   b->items, n);
	free(sources);
}

/* What neighbours say to each other: solicitations, advertisements and redirects; who listens to which
 * group. */
static void put_neighbours(struct weir_ipt_builder *b, size_t chain, enum weir_ipt_verdict verdict)
{
	static const uint8_t types[] = { 130, 131, 132, 133, 134, 135, 136, 137, 143 };
	for (size_t i = 0; b->family == WEIR_IPV6 && i < sizeof(types); i++)
		weir_ipt_put(b, chain,
			     WEIR_IPT_RULE(.proto = IPPROTO_ICMPV6, .by_type = true,
					   .icmp_type = types[i], .verdict = (uint8_t)verdict));
}

/* What is established comes back as it went. */
static void make_host_side(struct weir_ipt_builder *b, const char *chain, const char *root,
			   const char *stem, bool from_host)
{
	size_t at = weir_ipt_image_chain(b->image, chain);
	weir_ipt_put_established(b, at, WEIR_IPT_RETURN);
	put_neighbours(b, at, WEIR_IPT_RETURN);
	weir_ipt_put_goto(b, at, root);
	make_host_pairs(b, root, stem, from_host);
}

/* ---- the gates ---- */

static bool rule_egress(struct weir_ipt_builder *b, const struct weir_entry *net,
			struct weir_ipt_rule *rule)
{
	rule->verdict = WEIR_IPT_DROP;
	rule->comment = weir_ipt_image_text(b->image, WEIR_IPT_DROPS "%s",
					    weir_drop_reason(WEIR_DROP_EGRESS));
	return net->flags & WEIR_EGRESS_DENY;
}

static bool rule_granted(struct weir_ipt_builder *b, const struct weir_entry *net,
			 struct weir_ipt_rule *rule)
{
	(void)b, (void)net;
	rule->verdict = WEIR_IPT_GOTO;
	rule->target = "WEIR-GRANTED-TO";
	return true;
}

static bool rule_ingress(struct weir_ipt_builder *b, const struct weir_entry *net,
			 struct weir_ipt_rule *rule)
{
	rule->verdict = WEIR_IPT_GOTO;
	rule->target = weir_ipt_image_text(b->image, "WEIR-INGRESS-%s", net->ifname);
	return true;
}

/* The one gate or the other by the packet's interfaces. What does not come from a network of weir's is
 * only asked for at the ingress gate, by the chain that it comes from. */
static void make_gates(struct weir_ipt_builder *b)
{
	static const struct weir_ipt_rule accept = { .verdict = WEIR_IPT_ACCEPT };
	static const struct {
		struct weir_ipt_tree tree;
		weir_ipt_network_rule make;
	} trees[] = {
		{ { .dimension = &weir_ipt_in, .root = "WEIR-EGRESS", .stem = "WEIR-E-" },
		  rule_egress },
		{ { .dimension = &weir_ipt_in,
		    .root = WEIR_IPT_WELCOME,
		    .stem = "WEIR-W-",
		    .otherwise = &accept },
		  rule_egress },
		{ { .dimension = &weir_ipt_in, .root = WEIR_IPT_GRANTED, .stem = "WEIR-GF-" },
		  rule_granted },
		{ { .dimension = &weir_ipt_out,
		    .root = "WEIR-GRANTED-TO",
		    .stem = "WEIR-GT-",
		    .otherwise = &accept },
		  rule_ingress },
	};
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
		weir_ipt_make_networks(b, &trees[i].tree, trees[i].make);
}

/* Behind the egress gate, when the packet comes from a network of weir's. */
static void make_ingress(struct weir_ipt_builder *b, const struct weir_entry *net)
{
	size_t chain = weir_ipt_chain_of(b, "WEIR-INGRESS-", net->ifname);
	struct weir_ipt_rule within = { .verdict = WEIR_IPT_ACCEPT };
	if (net->flags & WEIR_INGRESS_DENY) {
		weir_ipt_put_drop(b, chain, WEIR_DROP_INGRESS, (struct weir_ipt_rule){ 0 });
		return;
	}
	if (!(net->flags & WEIR_INGRESS_ALLOW)) {
		weir_ipt_set_ifname(within.in, net->ifname);
		weir_ipt_put(b, chain, &within);
		weir_ipt_put(b, chain,
			     WEIR_IPT_RULE(.states = WEIR_IPT_DNATTED, .verdict = WEIR_IPT_ACCEPT));
		weir_ipt_put_jump(b, chain, "WEIR-TRUSTED");
		weir_ipt_put_drop(b, chain, WEIR_DROP_DEFAULT, (struct weir_ipt_rule){ 0 });
		return;
	}
	weir_ipt_put(b, chain, &within);
}

/* Who may send meets policies; the bridge carries the rest by the defaults alone, since no policy can mean
 * it. */
static void make_live(struct weir_ipt_builder *b, const struct weir_entry *net)
{
	const char *past = weir_ipt_image_text(b->image, "WEIR-PAST-%s", net->ifname);
	const char *root = weir_ipt_image_text(b->image, "WEIR-LIVE-%s", net->ifname);
	const char *in = weir_ipt_image_text(b->image, "WEIR-IN-%s", net->ifname);
	const char *ingress = weir_ipt_image_text(b->image, "WEIR-INGRESS-%s", net->ifname);
	struct weir_ipt_rule otherwise = { .verdict = WEIR_IPT_GOTO, .target = past };
	uint8_t bits = (uint8_t)weir_family_bits(b->family);
	const struct weir_entry *e;
	size_t n = 0, i = 0;
	/* of the network's own: two networks' addresses may begin alike */
	const char *stem = root ? weir_ipt_image_text(b->image, "%s-", root) : NULL;
	if (!past || !stem)
		return; /* out of memory, which the image has noted */
	while ((e = weir_ipt_next_entry(b, WEIR_ENTRY_SOURCE, net->ifname, &i))) {
		b->items[n].rule = (struct weir_ipt_rule){ .src = { e->addr, bits },
							   .verdict = WEIR_IPT_GOTO,
							   .target = in };
		weir_ipt_item_prefix(&b->items[n++], &e->addr, bits);
	}
	weir_ipt_tree_make(b->image,
			   &(struct weir_ipt_tree){ .dimension = by_source(b),
						    .root = root,
						    .stem = stem,
						    .otherwise = &otherwise },
			   b->items, n);
	size_t chain = weir_ipt_image_chain(b->image, past);
	weir_ipt_put_jump(b, chain, "WEIR-EGRESS");
	weir_ipt_put_goto(b, chain, ingress);
}

static const struct weir_prefix link_local = { { WEIR_IPV6, { 0xfe, 0x80 } }, 10 };

static void make_within(struct weir_ipt_builder *b, const struct weir_entry *net)
{
	size_t chain = weir_ipt_chain_of(b, WEIR_IPT_WITHIN, net->ifname);
	const char *live = weir_ipt_image_text(b->image, "WEIR-LIVE-%s", net->ifname);
	if (b->family == WEIR_IPV6)
		weir_ipt_put(b, chain,
			     WEIR_IPT_RULE(.proto = IPPROTO_ICMPV6, .verdict = WEIR_IPT_JUMP,
					   .target = "WEIR-NEIGHBOURS"));
	weir_ipt_put_jump(b, chain, "WEIR-STATE");
	if (b->family == WEIR_IPV6) {
		weir_ipt_put_drop(b, chain, WEIR_DROP_LINK_LOCAL,
				  (struct weir_ipt_rule){ .src = link_local });
		weir_ipt_put_drop(b, chain, WEIR_DROP_LINK_LOCAL,
				  (struct weir_ipt_rule){ .dst = link_local });
	}
	weir_ipt_put_goto(b, chain, live);
	make_live(b, net);
}

void weir_ipt_build_network_policies(struct weir_ipt_builder *b, const struct weir_entry *net)
{
	size_t chain = weir_ipt_chain_of(b, "WEIR-IN-", net->ifname);
	const char *ingress = weir_ipt_image_text(b->image, "WEIR-INGRESS-%s", net->ifname);
	weir_ipt_put_jump(b, chain, "WEIR-POLICY");
	weir_ipt_put_jump(b, chain, "WEIR-EGRESS");
	weir_ipt_put_goto(b, chain, ingress);
	make_ingress(b, net);
	if (net->flags & WEIR_FILTERED)
		make_within(b, net);
}

void weir_ipt_build_policies(struct weir_ipt_builder *b)
{
	make_senders(b, "WEIR-POLICY", "WEIR-PI-", false, false);
	make_senders(b, WEIR_IPT_OUTWARD, "WEIR-PO-", false, true);
	make_senders(b, WEIR_IPT_OUTSIDE, "WEIR-PX-", true, false);
	make_classes(b);
	make_names(b);
	weir_ipt_build_lists(b);
	make_gates(b);
	if (b->family == WEIR_IPV6)
		put_neighbours(b, weir_ipt_image_chain(b->image, "WEIR-NEIGHBOURS"),
			       WEIR_IPT_ACCEPT);
	if (weir_ipt_has_host_pairs(b)) {
		make_host_side(b, WEIR_IPT_HOST_IN, "WEIR-HOST-PAIRS", "WEIR-HP-", false);
		make_host_side(b, WEIR_IPT_HOST_OUT, "WEIR-HOST-TO", "WEIR-HO-", true);
	}
}
