/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains of table filter. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iptables/builder.h"
#include "backends/iptables/network.h"
#include "backends/iptables/policies.h"
#include "backends/iptables/strict.h"

/* How it works
 * A packet is led to the chain of the network that it comes from, else of the one that it goes to,
 * else back to whoever else has rules: what is not weir's is neither accepted nor, without the guard,
 * dropped. What is weir's gets its verdict here, since ACCEPT is the last word of this table: a
 * policy of DROP behind weir's jump does not hurt, and rules that somebody puts before it come first.
 *
 * A routed network has one chain of each kind too; "wr1a2b3-+" matches all of its ports.
 *
 *	FORWARD → WEIR-FORWARD
 *		connections that began towards a loopback or a gateway address: by --ctorigdst, since nat
 *		has already spoken here
 *		→ WEIR-FROM  → WEIR-FROM-wb-web	state, isolation, internal, WEIR-SRC-wb-web, trusted
 *		→ WEIR-TO    → WEIR-TO-wb-web	direct access, state, published, trusted
 *		the guard
 *	INPUT → WEIR-INPUT	loopback, gateways, networks that the host is closed to
 *	OUTPUT → WEIR-OUTPUT	state
 *	policies		policies.c
 *
 * Only IPv4 says NETWORK and TRUSTED; in IPv6 the same rules carry no comment. */

/* ---- helpers ---- */

/* Only IPv4 carries the comment of what has no family: it is read there. */
static const char *comment_of(const struct weir_ipt_builder *b, const struct weir_entry *e)
{
	return b->family == WEIR_IPV4 && e->owner && e->owner[0] ? e->owner : NULL;
}

static void rule_from(struct weir_ipt_builder *b, const struct weir_entry *net,
		      struct weir_ipt_rule *rule)
{
	rule->verdict = WEIR_IPT_GOTO;
	rule->target = weir_ipt_image_text(b->image, WEIR_IPT_FROM "%s",
					   net->from_ifname[0] ? net->from_ifname : net->ifname);
	char flags[WEIR_IPT_FLAGS_TEXT];
	if (b->family == WEIR_IPV4)
		rule->comment = weir_ipt_image_text(b->image, "%s%s%s",
						    weir_ipt_flags_text(net->flags, flags),
						    weir_ipt_owner(net) ? " " : "",
						    weir_ipt_owner(net) ? net->owner : "");
}

/* Each port of a routed network by itself: the rule is where its entry is read back. */
static void make_from_tree(struct weir_ipt_builder *b)
{
	const struct weir_ipt_tree tree = { .dimension = &weir_ipt_in,
					    .root = "WEIR-FROM",
					    .stem = "WEIR-F-" };
	struct weir_ipt_item *items = b->items;
	const struct weir_entry *net;
	size_t n = 0, i = 0;
	while ((net = weir_ipt_next_entry(b, WEIR_ENTRY_NETWORK, NULL, &i))) {
		items[n].rule = (struct weir_ipt_rule){ 0 };
		rule_from(b, net, &items[n].rule);
		weir_ipt_set_ifname(items[n].rule.in, net->ifname);
		weir_ipt_item_ifname(&items[n++], net->ifname);
	}
	weir_ipt_tree_make(b->image, &tree, items, n);
}

static bool rule_to(struct weir_ipt_builder *b, const struct weir_entry *net,
		    struct weir_ipt_rule *rule)
{
	rule->verdict = WEIR_IPT_GOTO;
	rule->target = weir_ipt_image_text(b->image, "WEIR-TO-%s", net->ifname);
	return true;
}

static bool rule_drop(struct weir_ipt_builder *b, enum weir_drop why, struct weir_ipt_rule *rule)
{
	rule->verdict = WEIR_IPT_DROP;
	rule->comment = weir_ipt_image_text(b->image, WEIR_IPT_DROPS "%s", weir_drop_reason(why));
	return true;
}

static bool rule_internal(struct weir_ipt_builder *b, const struct weir_entry *net,
			  struct weir_ipt_rule *rule)
{
	return net->flags & WEIR_CLOSED && rule_drop(b, WEIR_DROP_INTERNAL, rule);
}

static bool rule_inside(struct weir_ipt_builder *b, const struct weir_entry *net,
			struct weir_ipt_rule *rule)
{
	if (!b->policies)
		return rule_drop(b, WEIR_DROP_DEFAULT, rule);
	rule->verdict = WEIR_IPT_GOTO;
	rule->target = weir_ipt_image_text(b->image, "WEIR-IN-%s", net->ifname);
	return true;
}

static bool rule_host(struct weir_ipt_builder *b, const struct weir_entry *net,
		      struct weir_ipt_rule *rule)
{
	(void)b;
	rule->verdict = WEIR_IPT_GOTO;
	rule->target = "WEIR-HOST-DENY";
	return net->flags & WEIR_HOST_DENY;
}

static bool rule_not_syn(struct weir_ipt_builder *b, const struct weir_entry *net,
			 struct weir_ipt_rule *rule)
{
	(void)net;
	return rule_drop(b, WEIR_DROP_NOT_SYN, rule);
}

/* ---- by address ---- */

static void make_gateways(struct weir_ipt_builder *b, const struct weir_ipt_tree *tree,
			  bool translated)
{
	struct weir_ipt_item *items = b->items;
	uint8_t bits = (uint8_t)weir_family_bits(b->family);
	const struct weir_entry *e;
	size_t n = 0, i = 0;
	while ((e = weir_ipt_next_entry(b, WEIR_ENTRY_GATEWAY, NULL, &i))) {
		struct weir_prefix addr = { e->addr, bits };
		struct weir_ipt_rule rule = { .not_in = true,
					      .verdict = WEIR_IPT_GOTO,
					      .target = WEIR_IPT_DROP_GATEWAY };
		weir_ipt_set_ifname(rule.in, e->ifname);
		*(translated ? &rule.orig_dst : &rule.dst) = addr;
		rule.comment = translated ? NULL : weir_ipt_owner(e);
		items[n].rule = rule;
		weir_ipt_item_prefix(&items[n++], &e->addr, bits);
	}
	weir_ipt_tree_make(b->image, tree, items, n);
}

static void make_all_gateways(struct weir_ipt_builder *b)
{
	bool four = b->family == WEIR_IPV4;
	make_gateways(b,
		      &(struct weir_ipt_tree){ .dimension = four ? &weir_ipt_dst4 : &weir_ipt_dst6,
					       .root = "WEIR-GATEWAYS",
					       .stem = "WEIR-G-" },
		      false);
	make_gateways(b,
		      &(struct weir_ipt_tree){ .dimension = four ? &weir_ipt_orig_dst4
								 : &weir_ipt_orig_dst6,
					       .root = "WEIR-GATEWAYS-DNAT",
					       .stem = "WEIR-N-" },
		      true);
	weir_ipt_put_drop(b, weir_ipt_image_chain(b->image, WEIR_IPT_DROP_GATEWAY),
			  WEIR_DROP_GATEWAY, (struct weir_ipt_rule){ 0 });
}

/* ---- the frame ---- */

static void make_trusted(struct weir_ipt_builder *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-TRUSTED");
	const struct weir_entry *e;
	for (size_t i = 0; (e = weir_ipt_next_entry(b, WEIR_ENTRY_TRUSTED, NULL, &i));) {
		struct weir_ipt_rule rule = { .dst = { e->addr, e->prefix_len },
					      .verdict = WEIR_IPT_ACCEPT,
					      .comment = e->family ? weir_ipt_owner(e)
								   : comment_of(b, e) };
		weir_ipt_set_ifname(rule.in, e->from_ifname);
		weir_ipt_set_ifname(rule.out, e->ifname);
		weir_ipt_put(b, chain, &rule);
	}
}

static void make_state(struct weir_ipt_builder *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-STATE");
	weir_ipt_put_drop(b, chain, WEIR_DROP_INVALID,
			  (struct weir_ipt_rule){ .states = WEIR_IPT_INVALID });
	weir_ipt_put_drop(b, chain, WEIR_DROP_NOT_SYN,
			  (struct weir_ipt_rule){ .proto = IPPROTO_TCP, .not_syn = true });
}

static const struct weir_prefix loopback4 = { { WEIR_IPV4, { 127 } }, 8 };

static void make_guard(struct weir_ipt_builder *b, size_t chain)
{
	size_t i = 0;
	const struct weir_entry *guard = weir_ipt_next_entry(b, WEIR_ENTRY_GUARD, NULL, &i);
	weir_ipt_put_drop(b, weir_ipt_image_chain(b->image, WEIR_IPT_DROP_ROUTER), WEIR_DROP_ROUTER,
			  (struct weir_ipt_rule){ 0 });
	if (!guard)
		return;
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.states = WEIR_IPT_ESTABLISHED | WEIR_IPT_RELATED,
				   .not_states = true, .verdict = WEIR_IPT_GOTO,
				   .target = WEIR_IPT_DROP_ROUTER,
				   .comment = weir_ipt_owner(guard)));
}

static void make_forward(struct weir_ipt_builder *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-FORWARD");
	if (b->family == WEIR_IPV4) /* S1 */
		weir_ipt_put_drop(b, chain, WEIR_DROP_LOOPBACK,
				  (struct weir_ipt_rule){ .orig_dst = loopback4,
							  .direction = WEIR_IPT_ORIGINAL });
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.states = WEIR_IPT_DNATTED, .direction = WEIR_IPT_ORIGINAL,
				   .verdict = WEIR_IPT_JUMP,
				   .target = "WEIR-GATEWAYS-DNAT")); /* S3 */
	weir_ipt_put_jump(b, chain, "WEIR-FROM");
	weir_ipt_put_jump(b, chain, "WEIR-TO");
	make_guard(b, chain);
	weir_ipt_put(b, weir_ipt_image_chain(b->image, "FORWARD"),
		     WEIR_IPT_RULE(.verdict = WEIR_IPT_JUMP, .target = "WEIR-FORWARD"));
}

/* Else what the host had opened towards an endpoint, and was cut, comes back as a flow of the endpoint's. */
static void put_not_syn_to_host(struct weir_ipt_builder *b, size_t chain)
{
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.states = WEIR_IPT_ESTABLISHED | WEIR_IPT_RELATED,
				   .not_states = true, .proto = IPPROTO_TCP, .not_syn = true,
				   .verdict = WEIR_IPT_JUMP, .target = "WEIR-HOST-NEW"));
}

static void make_input(struct weir_ipt_builder *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-INPUT");
	weir_ipt_put(b, chain, WEIR_IPT_RULE(.in = "lo", .verdict = WEIR_IPT_RETURN));
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.direction = WEIR_IPT_REPLY, .verdict = WEIR_IPT_RETURN));
	if (b->family == WEIR_IPV4) /* S1 */
		weir_ipt_put_drop(b, chain, WEIR_DROP_LOOPBACK,
				  (struct weir_ipt_rule){ .dst = loopback4,
							  .states = WEIR_IPT_DNATTED,
							  .not_states = true });
	if (weir_ipt_has_strict(b)) /* S4 */
		weir_ipt_put_jump(b, chain, WEIR_IPT_STRICT);
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.states = WEIR_IPT_DNATTED, .not_states = true,
				   .verdict = WEIR_IPT_JUMP, .target = "WEIR-GATEWAYS"));
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.states = WEIR_IPT_DNATTED, .verdict = WEIR_IPT_JUMP,
				   .target = "WEIR-GATEWAYS-DNAT"));
	put_not_syn_to_host(b, chain);
	if (weir_ipt_has_host_pairs(b))
		weir_ipt_put_jump(b, chain, WEIR_IPT_HOST_IN);
	weir_ipt_put_jump(b, chain, "WEIR-HOST");
	weir_ipt_put(b, weir_ipt_image_chain(b->image, "INPUT"),
		     WEIR_IPT_RULE(.verdict = WEIR_IPT_JUMP, .target = "WEIR-INPUT"));
}

/* Else what an endpoint had opened towards the host, and was cut, comes back as a flow of the host's. A
 * reset is no new flow to conntrack, and may tell the other end. */
static void make_output(struct weir_ipt_builder *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-OUTPUT");
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.states = WEIR_IPT_NEW, .proto = IPPROTO_TCP, .not_syn = true,
				   .verdict = WEIR_IPT_JUMP, .target = "WEIR-OUTPUT-NEW"));
	if (weir_ipt_has_host_pairs(b))
		weir_ipt_put_jump(b, chain, WEIR_IPT_HOST_OUT);
	weir_ipt_put_jump(b, weir_ipt_image_chain(b->image, "OUTPUT"), "WEIR-OUTPUT");
}

static void make_host_deny(struct weir_ipt_builder *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-HOST-DENY");
	struct weir_ports dns = { 53, 53 };
	weir_ipt_put_established(b, chain, WEIR_IPT_RETURN);
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.proto = b->family == WEIR_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
				   .verdict = WEIR_IPT_RETURN));
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.proto = IPPROTO_UDP, .ports = dns, .verdict = WEIR_IPT_RETURN));
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.proto = IPPROTO_TCP, .ports = dns, .verdict = WEIR_IPT_RETURN));
	weir_ipt_put_drop(b, chain, WEIR_DROP_HOST, (struct weir_ipt_rule){ 0 });
}

/* Trees of networks: the chain, the stem of its nodes, what they do. */
static void make_dispatch(struct weir_ipt_builder *b)
{
	static const struct {
		struct weir_ipt_tree tree;
		weir_ipt_network_rule make;
	} trees[] = {
		{ { .dimension = &weir_ipt_out, .root = "WEIR-TO", .stem = "WEIR-T-" }, rule_to },
		{ { .dimension = &weir_ipt_out, .root = "WEIR-INTERNAL", .stem = "WEIR-C-" },
		  rule_internal },
		{ { .dimension = &weir_ipt_out, .root = WEIR_IPT_INSIDE, .stem = "WEIR-I-" },
		  rule_inside },
		{ { .dimension = &weir_ipt_in, .root = "WEIR-HOST", .stem = "WEIR-H-" },
		  rule_host },
		{ { .dimension = &weir_ipt_in, .root = "WEIR-HOST-NEW", .stem = "WEIR-HN-" },
		  rule_not_syn },
		{ { .dimension = &weir_ipt_out, .root = "WEIR-OUTPUT-NEW", .stem = "WEIR-ON-" },
		  rule_not_syn },
	};
	make_from_tree(b);
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
		weir_ipt_make_networks(b, &trees[i].tree, trees[i].make);
}

void weir_ipt_build_filter(enum weir_family family, const struct weir_ipt_view *rules,
			   struct weir_ipt_image *image)
{
	struct weir_ipt_builder b;
	if (!weir_ipt_builder_init(&b, family, rules, image))
		return;
	make_forward(&b);
	make_input(&b);
	make_output(&b);
	make_dispatch(&b);
	weir_ipt_build_networks(&b);
	make_trusted(&b);
	make_state(&b);
	make_all_gateways(&b);
	make_host_deny(&b);
	if (b.policies)
		weir_ipt_build_policies(&b);
	if (weir_ipt_has_strict(&b))
		weir_ipt_build_strict(&b, WEIR_IPT_FILTER);
	weir_ipt_builder_free(&b);
}
