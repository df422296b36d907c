/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains of table filter. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iptables/build.h"
#include "backends/iptables/tree.h"

/* How it works
 * A packet is led to the chain of the network that it comes from, else of the one that it goes to,
 * else back to whoever else has rules: what is not weir's is neither accepted nor, without the guard,
 * dropped. What is weir's gets its verdict here, since ACCEPT is the last word of this table: a
 * policy of DROP behind weir's jump does not hurt, and rules that somebody puts before it come first.
 *
 *	FORWARD → WEIR-FORWARD
 *		connections that began towards a loopback or a gateway address: by --ctorigdst, since nat
 *		has already spoken here
 *		→ WEIR-FROM  → WEIR-FROM-wb-web	state, isolation, internal, WEIR-SRC-wb-web, trusted
 *		→ WEIR-TO    → WEIR-TO-wb-web	direct access, state, published, trusted
 *		the guard
 *	INPUT → WEIR-INPUT	loopback, gateways, networks that the host is closed to
 *
 * Only IPv4 says NETWORK and TRUSTED; in IPv6 the same rules carry no comment. */

struct build {
	struct weir_ipt_image *image;
	enum weir_family family;
	const struct weir_ruleset *rules;
	size_t first[WEIR_NUM_ENTRY_KINDS + 1]; /* entry of each kind: they are sorted */
	struct weir_ipt_item *items;		/* room for one of each entry but mappings */
};

/* ---- helpers ---- */

#define RULE(...) (&(struct weir_ipt_rule){ __VA_ARGS__ })

static void put(struct build *b, size_t chain, const struct weir_ipt_rule *rule)
{
	weir_ipt_image_rule(b->image, chain, rule, 0);
}

static void put_drop(struct build *b, size_t chain, enum weir_drop why, struct weir_ipt_rule rule)
{
	rule.verdict = WEIR_IPT_DROP;
	rule.comment = weir_ipt_image_text(b->image, WEIR_IPT_DROPS "%s", weir_drop_reason(why));
	put(b, chain, &rule);
}

static size_t chain_of(struct build *b, const char *prefix, const char *ifname)
{
	const char *name = weir_ipt_image_text(b->image, "%s%s", prefix, ifname);
	return weir_ipt_image_chain(b->image, name ? name : "");
}

static struct weir_ipt_rule jump(const char *chain)
{
	return (struct weir_ipt_rule){ .verdict = WEIR_IPT_JUMP, .target = chain };
}

static void set_ifname(char to[WEIR_IFNAME_SIZE], const char *from)
{
	memcpy(to, from, strnlen(from, WEIR_IFNAME_SIZE - 1));
}

/* Only IPv4 carries the comment of what has no family: it is read there. */
static const char *comment_of(const struct build *b, const struct weir_entry *e)
{
	return b->family == WEIR_IPV4 && e->owner && e->owner[0] ? e->owner : NULL;
}

static const char *owner_of(const struct weir_entry *e)
{
	return e->owner && e->owner[0] ? e->owner : NULL;
}

static bool belongs(const struct build *b, const struct weir_entry *e)
{
	return !e->family || e->family == b->family;
}

/* The next entry of a kind and, when given, of a network; *i counts from 0. NULL: no more. */
static const struct weir_entry *next_entry(const struct build *b, enum weir_entry_kind kind,
					   const char *ifname, size_t *i)
{
	while (b->first[kind] + *i < b->first[kind + 1]) {
		const struct weir_entry *e = &b->rules->entries[b->first[kind] + (*i)++];
		if (belongs(b, e) && (!ifname || strcmp(e->ifname, ifname) == 0))
			return e;
	}
	return NULL;
}

/* ---- by interface ---- */

/* What a tree of networks does with one of them; false: it is not for this one. */
typedef bool (*network_rule)(struct build *b, const struct weir_entry *net,
			     struct weir_ipt_rule *rule);

static void make_networks(struct build *b, const struct weir_ipt_tree *tree, network_rule make)
{
	struct weir_ipt_item *items = b->items;
	const struct weir_entry *net;
	size_t n = 0, i = 0;
	while ((net = next_entry(b, WEIR_ENTRY_NETWORK, NULL, &i))) {
		items[n].rule = (struct weir_ipt_rule){ 0 };
		if (!make(b, net, &items[n].rule))
			continue;
		set_ifname(tree->dimension == &weir_ipt_in ? items[n].rule.in : items[n].rule.out,
			   net->ifname);
		weir_ipt_item_ifname(&items[n++], net->ifname);
	}
	weir_ipt_tree_make(b->image, tree, items, n);
}

static bool rule_from(struct build *b, const struct weir_entry *net, struct weir_ipt_rule *rule)
{
	rule->verdict = WEIR_IPT_GOTO;
	rule->target = weir_ipt_image_text(b->image, WEIR_IPT_FROM "%s", net->ifname);
	if (b->family == WEIR_IPV4)
		rule->comment = weir_ipt_image_text(b->image, "%s%s%s",
						    weir_ipt_flags_word(net->flags),
						    owner_of(net) ? " " : "",
						    owner_of(net) ? net->owner : "");
	return true;
}

static bool rule_to(struct build *b, const struct weir_entry *net, struct weir_ipt_rule *rule)
{
	rule->verdict = WEIR_IPT_GOTO;
	rule->target = weir_ipt_image_text(b->image, "WEIR-TO-%s", net->ifname);
	return true;
}

static bool rule_drop(struct build *b, enum weir_drop why, struct weir_ipt_rule *rule)
{
	rule->verdict = WEIR_IPT_DROP;
	rule->comment = weir_ipt_image_text(b->image, WEIR_IPT_DROPS "%s", weir_drop_reason(why));
	return true;
}

static bool rule_internal(struct build *b, const struct weir_entry *net, struct weir_ipt_rule *rule)
{
	return net->flags & WEIR_CLOSED && rule_drop(b, WEIR_DROP_INTERNAL, rule);
}

static bool rule_inside(struct build *b, const struct weir_entry *net, struct weir_ipt_rule *rule)
{
	(void)net;
	return rule_drop(b, WEIR_DROP_DEFAULT, rule);
}

static bool rule_host(struct build *b, const struct weir_entry *net, struct weir_ipt_rule *rule)
{
	(void)b;
	rule->verdict = WEIR_IPT_GOTO;
	rule->target = "WEIR-HOST-DENY";
	return net->flags & WEIR_HOST_DENY;
}

/* ---- by address ---- */

static void make_sources(struct build *b, const char *ifname)
{
	struct weir_ipt_rule otherwise = {
		.verdict = WEIR_IPT_DROP,
		.comment = weir_ipt_image_text(b->image, WEIR_IPT_DROPS "%s",
					       weir_drop_reason(WEIR_DROP_SOURCE)),
	};
	const char *root = weir_ipt_image_text(b->image, "WEIR-SRC-%s", ifname);
	struct weir_ipt_tree tree = {
		.dimension = b->family == WEIR_IPV4 ? &weir_ipt_src4 : &weir_ipt_src6,
		.root = root ? root : "",
		.stem = "WEIR-S-",
		.otherwise = &otherwise,
	};
	struct weir_ipt_item *items = b->items;
	uint8_t bits = (uint8_t)weir_family_bits(b->family);
	const struct weir_entry *e;
	size_t n = 0, i = 0;
	while ((e = next_entry(b, WEIR_ENTRY_SOURCE, ifname, &i))) {
		struct weir_ipt_rule rule = { .src = { e->addr, bits },
					      .verdict = WEIR_IPT_RETURN,
					      .comment = owner_of(e) };
		set_ifname(rule.in, ifname);
		items[n].rule = rule;
		weir_ipt_item_prefix(&items[n++], &e->addr, bits);
	}
	weir_ipt_tree_make(b->image, &tree, items, n);
}

static void make_gateways(struct build *b, const struct weir_ipt_tree *tree, bool translated)
{
	struct weir_ipt_item *items = b->items;
	uint8_t bits = (uint8_t)weir_family_bits(b->family);
	const struct weir_entry *e;
	size_t n = 0, i = 0;
	while ((e = next_entry(b, WEIR_ENTRY_GATEWAY, NULL, &i))) {
		struct weir_prefix addr = { e->addr, bits };
		struct weir_ipt_rule rule = { .not_in = true,
					      .verdict = WEIR_IPT_GOTO,
					      .target = WEIR_IPT_DROP_GATEWAY };
		set_ifname(rule.in, e->ifname);
		*(translated ? &rule.orig_dst : &rule.dst) = addr;
		rule.comment = translated ? NULL : owner_of(e);
		items[n].rule = rule;
		weir_ipt_item_prefix(&items[n++], &e->addr, bits);
	}
	weir_ipt_tree_make(b->image, tree, items, n);
}

static void make_all_gateways(struct build *b)
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
	put_drop(b, weir_ipt_image_chain(b->image, WEIR_IPT_DROP_GATEWAY), WEIR_DROP_GATEWAY,
		 (struct weir_ipt_rule){ 0 });
}

/* ---- a network's chains ---- */

static const struct weir_ipt_rule established = { .states = WEIR_IPT_ESTABLISHED |
							    WEIR_IPT_RELATED };

static struct weir_ipt_rule with(struct weir_ipt_rule rule, enum weir_ipt_verdict verdict)
{
	rule.verdict = (uint8_t)verdict;
	return rule;
}

static void put_jump(struct build *b, size_t chain, const char *target)
{
	struct weir_ipt_rule rule = jump(target);
	put(b, chain, &rule);
}

/* From this network: to itself, to others, outside. */
static void make_from(struct build *b, const struct weir_entry *net)
{
	size_t chain = chain_of(b, WEIR_IPT_FROM, net->ifname);
	struct weir_ipt_rule accept = with(established, WEIR_IPT_ACCEPT), within = { 0 };
	const char *sources = weir_ipt_image_text(b->image, "WEIR-SRC-%s", net->ifname);

	put(b, chain, &accept);
	set_ifname(within.out, net->ifname);
	if (net->flags & WEIR_ISOLATED) {
		within.states = WEIR_IPT_DNATTED;
		within.not_states = true;
		put_drop(b, chain, WEIR_DROP_ISOLATION, within);
	} else {
		put(b, chain, &within);
	}
	put_jump(b, chain, "WEIR-STATE");
	if (net->flags & WEIR_CLOSED)
		put_drop(b, chain, WEIR_DROP_INTERNAL, (struct weir_ipt_rule){ 0 });
	put_jump(b, chain, "WEIR-INTERNAL");
	if (sources)
		put_jump(b, chain, sources);
	put(b, chain, RULE(.states = WEIR_IPT_DNATTED, .verdict = WEIR_IPT_ACCEPT));
	put_jump(b, chain, "WEIR-TRUSTED");
	put_jump(b, chain, "WEIR-INSIDE");
	put(b, chain, RULE(.verdict = WEIR_IPT_ACCEPT));
	make_sources(b, net->ifname);
}

/* From outside straight to an endpoint: those who are trusted, and addresses that are not hidden. */
static const char *make_direct(struct build *b, const struct weir_entry *net)
{
	const char *name = weir_ipt_image_text(b->image, "WEIR-DIRECT-%s", net->ifname);
	size_t chain = weir_ipt_image_chain(b->image, name ? name : "");
	const struct weir_entry *e;
	for (size_t i = 0; (e = next_entry(b, WEIR_ENTRY_TRUSTED, net->ifname, &i));) {
		struct weir_ipt_rule trusted = { .verdict = WEIR_IPT_RETURN };
		set_ifname(trusted.in, e->from_ifname);
		put(b, chain, &trusted);
	}
	for (size_t i = 0; (e = next_entry(b, WEIR_ENTRY_SUBNET, net->ifname, &i));)
		if (e->nat == WEIR_NAT_NONE)
			put(b, chain,
			    RULE(.dst = { e->addr, e->prefix_len }, .verdict = WEIR_IPT_RETURN));
	put_drop(b, chain, WEIR_DROP_DIRECT, (struct weir_ipt_rule){ 0 });
	return name;
}

/* To this network from outside. */
static void make_to(struct build *b, const struct weir_entry *net)
{
	size_t chain = chain_of(b, "WEIR-TO-", net->ifname);
	struct weir_ipt_rule accept = with(established, WEIR_IPT_ACCEPT);
	/* first, even if conntrack has accepted it: it may have begun while there were no rules */
	put(b, chain,
	    RULE(.states = WEIR_IPT_DNATTED, .not_states = true, .direction = WEIR_IPT_ORIGINAL,
		 .not_expected = true, .verdict = WEIR_IPT_JUMP, .target = make_direct(b, net)));
	put(b, chain, &accept);
	put_jump(b, chain, "WEIR-STATE");
	if (net->flags & WEIR_CLOSED)
		put_drop(b, chain, WEIR_DROP_INTERNAL, (struct weir_ipt_rule){ 0 });
	put(b, chain, RULE(.states = WEIR_IPT_DNATTED, .verdict = WEIR_IPT_ACCEPT));
	put_jump(b, chain, "WEIR-TRUSTED");
	put_drop(b, chain, WEIR_DROP_DEFAULT, (struct weir_ipt_rule){ 0 });
}

/* Sources of a network that is not there (yet): their own home all the same. */
static void make_stray_sources(struct build *b)
{
	const struct weir_entry *e, *last = NULL;
	for (size_t i = 0; (e = next_entry(b, WEIR_ENTRY_SOURCE, NULL, &i));) {
		bool again = last && strcmp(last->ifname, e->ifname) == 0;
		size_t j = 0;
		last = e;
		if (!again && !next_entry(b, WEIR_ENTRY_NETWORK, e->ifname, &j))
			make_sources(b, e->ifname);
	}
}

static void make_each_network(struct build *b)
{
	const struct weir_entry *net;
	for (size_t i = 0; (net = next_entry(b, WEIR_ENTRY_NETWORK, NULL, &i));) {
		make_from(b, net);
		make_to(b, net);
	}
	make_stray_sources(b);
}

/* ---- the frame ---- */

static void make_trusted(struct build *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-TRUSTED");
	const struct weir_entry *e;
	for (size_t i = 0; (e = next_entry(b, WEIR_ENTRY_TRUSTED, NULL, &i));) {
		struct weir_ipt_rule rule = { .verdict = WEIR_IPT_ACCEPT,
					      .comment = comment_of(b, e) };
		set_ifname(rule.in, e->from_ifname);
		set_ifname(rule.out, e->ifname);
		put(b, chain, &rule);
	}
}

static void make_state(struct build *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-STATE");
	put_drop(b, chain, WEIR_DROP_INVALID, (struct weir_ipt_rule){ .states = WEIR_IPT_INVALID });
	put_drop(b, chain, WEIR_DROP_NOT_SYN,
		 (struct weir_ipt_rule){ .proto = IPPROTO_TCP, .not_syn = true });
}

static const struct weir_prefix loopback4 = { { WEIR_IPV4, { 127 } }, 8 };

static void make_guard(struct build *b, size_t chain)
{
	size_t i = 0;
	const struct weir_entry *guard = next_entry(b, WEIR_ENTRY_GUARD, NULL, &i);
	put_drop(b, weir_ipt_image_chain(b->image, WEIR_IPT_DROP_ROUTER), WEIR_DROP_ROUTER,
		 (struct weir_ipt_rule){ 0 });
	if (!guard)
		return;
	struct weir_ipt_rule rule = with(established, WEIR_IPT_GOTO);
	rule.not_states = true;
	rule.target = WEIR_IPT_DROP_ROUTER;
	rule.comment = owner_of(guard);
	put(b, chain, &rule);
}

static void make_forward(struct build *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-FORWARD");
	if (b->family == WEIR_IPV4) /* S1 */
		put_drop(b, chain, WEIR_DROP_LOOPBACK,
			 (struct weir_ipt_rule){ .orig_dst = loopback4,
						 .direction = WEIR_IPT_ORIGINAL });
	put(b, chain,
	    RULE(.states = WEIR_IPT_DNATTED, .direction = WEIR_IPT_ORIGINAL,
		 .verdict = WEIR_IPT_JUMP, .target = "WEIR-GATEWAYS-DNAT")); /* S3 */
	put_jump(b, chain, "WEIR-FROM");
	put_jump(b, chain, "WEIR-TO");
	make_guard(b, chain);
	put(b, weir_ipt_image_chain(b->image, "FORWARD"),
	    RULE(.verdict = WEIR_IPT_JUMP, .target = "WEIR-FORWARD"));
}

static void make_input(struct build *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-INPUT");
	put(b, chain, RULE(.in = "lo", .verdict = WEIR_IPT_RETURN));
	put(b, chain, RULE(.direction = WEIR_IPT_REPLY, .verdict = WEIR_IPT_RETURN));
	if (b->family == WEIR_IPV4) /* S1 */
		put_drop(b, chain, WEIR_DROP_LOOPBACK,
			 (struct weir_ipt_rule){ .dst = loopback4,
						 .states = WEIR_IPT_DNATTED,
						 .not_states = true });
	put(b, chain,
	    RULE(.states = WEIR_IPT_DNATTED, .not_states = true, .verdict = WEIR_IPT_JUMP,
		 .target = "WEIR-GATEWAYS"));
	put(b, chain,
	    RULE(.states = WEIR_IPT_DNATTED, .verdict = WEIR_IPT_JUMP,
		 .target = "WEIR-GATEWAYS-DNAT"));
	put_jump(b, chain, "WEIR-HOST");
	put(b, weir_ipt_image_chain(b->image, "INPUT"),
	    RULE(.verdict = WEIR_IPT_JUMP, .target = "WEIR-INPUT"));
}

static void make_host_deny(struct build *b)
{
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-HOST-DENY");
	struct weir_ports dns = { 53, 53 };
	struct weir_ipt_rule back = with(established, WEIR_IPT_RETURN);
	put(b, chain, &back);
	put(b, chain,
	    RULE(.proto = b->family == WEIR_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
		 .verdict = WEIR_IPT_RETURN));
	put(b, chain, RULE(.proto = IPPROTO_UDP, .ports = dns, .verdict = WEIR_IPT_RETURN));
	put(b, chain, RULE(.proto = IPPROTO_TCP, .ports = dns, .verdict = WEIR_IPT_RETURN));
	put_drop(b, chain, WEIR_DROP_HOST, (struct weir_ipt_rule){ 0 });
}

/* Trees of networks: the chain, the stem of its nodes, what they do. */
static void make_dispatch(struct build *b)
{
	static const struct {
		struct weir_ipt_tree tree;
		network_rule make;
	} trees[] = {
		{ { .dimension = &weir_ipt_in, .root = "WEIR-FROM", .stem = "WEIR-F-" },
		  rule_from },
		{ { .dimension = &weir_ipt_out, .root = "WEIR-TO", .stem = "WEIR-T-" }, rule_to },
		{ { .dimension = &weir_ipt_out, .root = "WEIR-INTERNAL", .stem = "WEIR-C-" },
		  rule_internal },
		{ { .dimension = &weir_ipt_out, .root = "WEIR-INSIDE", .stem = "WEIR-I-" },
		  rule_inside },
		{ { .dimension = &weir_ipt_in, .root = "WEIR-HOST", .stem = "WEIR-H-" },
		  rule_host },
	};
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
		make_networks(b, &trees[i].tree, trees[i].make);
}

void weir_ipt_build_filter(enum weir_family family, const struct weir_ruleset *rules,
			   struct weir_ipt_image *image)
{
	struct build b = { .image = image, .family = family, .rules = rules };
	weir_ipt_find_kinds(rules, b.first);
	b.items = calloc(b.first[WEIR_ENTRY_MAPPING] + 1, sizeof(b.items[0]));
	if (!b.items) {
		image->no_memory = true;
		return;
	}
	make_forward(&b);
	make_input(&b);
	make_dispatch(&b);
	make_each_network(&b);
	make_trusted(&b);
	make_state(&b);
	make_all_gateways(&b);
	make_host_deny(&b);
	free(b.items);
}
