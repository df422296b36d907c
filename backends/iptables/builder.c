/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What those share that make chains out of entries. */
#include "backends/iptables/builder.h"

#include <stdlib.h>
#include <string.h>

#include "backends/iptables/policies.h"

/* Ports of one network stand together, and are alike but for their names. */
static bool collect_networks(struct weir_ipt_builder *b)
{
	size_t first = b->first[WEIR_ENTRY_NETWORK], behind = b->first[WEIR_ENTRY_NETWORK + 1];
	b->networks = calloc(behind - first + 1, sizeof(b->networks[0]));
	for (size_t i = first; b->networks && i < behind; i++) {
		struct weir_entry net = *b->rules->entries[i];
		const struct weir_entry *last = b->n_networks ? &b->networks[b->n_networks - 1]
							      : NULL;
		if (net.from_ifname[0])
			memcpy(net.ifname, net.from_ifname, sizeof(net.ifname));
		if (!last || strcmp(last->ifname, net.ifname) != 0)
			b->networks[b->n_networks++] = net;
	}
	return b->networks;
}

bool weir_ipt_builder_init(struct weir_ipt_builder *b, enum weir_family family,
			   const struct weir_ipt_view *rules, struct weir_ipt_image *image)
{
	*b = (struct weir_ipt_builder){ .image = image, .family = family, .rules = rules };
	weir_ipt_find_kinds(rules, b->first);
	b->policies = weir_ipt_has_policies(rules, b->first);
	b->items = calloc(rules->n + 1, sizeof(b->items[0]));
	if (b->items && collect_networks(b))
		return true;
	weir_ipt_builder_free(b);
	image->no_memory = true;
	return false;
}

void weir_ipt_builder_free(struct weir_ipt_builder *b)
{
	free(b->items);
	free(b->networks);
	b->items = NULL;
	b->networks = NULL;
}

void weir_ipt_put(struct weir_ipt_builder *b, size_t chain, const struct weir_ipt_rule *rule)
{
	weir_ipt_image_rule(b->image, chain, rule, 0);
}

void weir_ipt_put_jump(struct weir_ipt_builder *b, size_t chain, const char *target)
{
	weir_ipt_put(b, chain, WEIR_IPT_RULE(.verdict = WEIR_IPT_JUMP, .target = target));
}

void weir_ipt_put_goto(struct weir_ipt_builder *b, size_t chain, const char *target)
{
	weir_ipt_put(b, chain, WEIR_IPT_RULE(.verdict = WEIR_IPT_GOTO, .target = target));
}

void weir_ipt_put_established(struct weir_ipt_builder *b, size_t chain,
			      enum weir_ipt_verdict verdict)
{
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.states = WEIR_IPT_ESTABLISHED | WEIR_IPT_RELATED,
				   .verdict = (uint8_t)verdict));
}

void weir_ipt_put_drop(struct weir_ipt_builder *b, size_t chain, enum weir_drop why,
		       struct weir_ipt_rule rule)
{
	rule.verdict = WEIR_IPT_DROP;
	rule.comment = weir_ipt_image_text(b->image, WEIR_IPT_DROPS "%s", weir_drop_reason(why));
	weir_ipt_put(b, chain, &rule);
}

size_t weir_ipt_chain_of(struct weir_ipt_builder *b, const char *prefix, const char *ifname)
{
	const char *name = weir_ipt_image_text(b->image, "%s%s", prefix, ifname);
	return weir_ipt_image_chain(b->image, name ? name : "");
}

const char *weir_ipt_owner(const struct weir_entry *e)
{
	return e->owner && e->owner[0] ? e->owner : NULL;
}

void weir_ipt_set_ifname(char to[WEIR_IFNAME_SIZE], const char *from)
{
	memcpy(to, from, strnlen(from, WEIR_IFNAME_SIZE - 1));
}

static bool is_of(const struct weir_entry *e, const char *ifname)
{
	size_t len = strlen(ifname);
	return len && ifname[len - 1] == '+' ? strncmp(e->ifname, ifname, len - 1) == 0
					     : strcmp(e->ifname, ifname) == 0;
}

const struct weir_entry *weir_ipt_next_entry(const struct weir_ipt_builder *b,
					     enum weir_entry_kind kind, const char *ifname,
					     size_t *i)
{
	while (b->first[kind] + *i < b->first[kind + 1]) {
		const struct weir_entry *e = b->rules->entries[b->first[kind] + (*i)++];
		if ((!e->family || e->family == b->family) && (!ifname || is_of(e, ifname)))
			return e;
	}
	return NULL;
}

void weir_ipt_make_networks(struct weir_ipt_builder *b, const struct weir_ipt_tree *tree,
			    weir_ipt_network_rule make)
{
	struct weir_ipt_item *items = b->items;
	size_t n = 0;
	for (size_t i = 0; i < b->n_networks; i++) {
		const struct weir_entry *net = &b->networks[i];
		items[n].rule = (struct weir_ipt_rule){ 0 };
		if (!make(b, net, &items[n].rule))
			continue;
		weir_ipt_set_ifname(tree->dimension == &weir_ipt_in ? items[n].rule.in
								    : items[n].rule.out,
				    net->ifname);
		weir_ipt_item_ifname(&items[n++], net->ifname);
	}
	weir_ipt_tree_make(b->image, tree, items, n);
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

size_t weir_ipt_distinct(uint64_t *numbers, size_t n)
{
	size_t kept = 0;
	if (n)
		qsort(numbers, n, sizeof(*numbers), compare_numbers);
	for (size_t i = 0; i < n; i++)
		if (!kept || numbers[kept - 1] != numbers[i])
			numbers[kept++] = numbers[i];
	return kept;
}
