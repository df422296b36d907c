/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What those share that make chains out of entries. */
#ifndef WEIR_BACKENDS_IPTABLES_BUILDER_H
#define WEIR_BACKENDS_IPTABLES_BUILDER_H

#include "backends/iptables/build.h"
#include "backends/iptables/tree.h"

struct weir_ipt_builder {
	struct weir_ipt_image *image;
	enum weir_family family;
	const struct weir_ipt_view *rules;
	size_t first[WEIR_NUM_ENTRY_KINDS + 1]; /* entry of each kind: they are sorted */
	struct weir_ipt_item *items;		/* room for one of each entry, and one */
	struct weir_entry *
		networks; /* one for each network: the ports of a routed one stand as "wr1a2b3-+" */
	size_t n_networks;
	bool policies; /* there are policies or defaults of networks */
};

#define WEIR_IPT_RULE(...) (&(struct weir_ipt_rule){ __VA_ARGS__ })

/* False, noted in the image: no memory. */
bool weir_ipt_builder_init(struct weir_ipt_builder *b, enum weir_family family,
			   const struct weir_ipt_view *rules, struct weir_ipt_image *image);
void weir_ipt_builder_free(struct weir_ipt_builder *b);

void weir_ipt_put(struct weir_ipt_builder *b, size_t chain, const struct weir_ipt_rule *rule);
void weir_ipt_put_jump(struct weir_ipt_builder *b, size_t chain, const char *target);
void weir_ipt_put_goto(struct weir_ipt_builder *b, size_t chain, const char *target);
/* What is established or related. */
void weir_ipt_put_established(struct weir_ipt_builder *b, size_t chain,
			      enum weir_ipt_verdict verdict);
/* "drop: REASON" */
void weir_ipt_put_drop(struct weir_ipt_builder *b, size_t chain, enum weir_drop why,
		       struct weir_ipt_rule rule);
/* A chain named prefix and ifname together. */
size_t weir_ipt_chain_of(struct weir_ipt_builder *b, const char *prefix, const char *ifname);

/* A comment for it; NULL: none. */
const char *weir_ipt_owner(const struct weir_entry *e);
void weir_ipt_set_ifname(char to[WEIR_IFNAME_SIZE], const char *from);

/* The next entry of a kind, of this family or of none, and, when given, of a network (whose interfaces may
 * be "wr1a2b3-+"); *i counts from 0. NULL: no more. */
const struct weir_entry *weir_ipt_next_entry(const struct weir_ipt_builder *b,
					     enum weir_entry_kind kind, const char *ifname,
					     size_t *i);

/* Sorts numbers and leaves each only once. Returns how many are left. */
size_t weir_ipt_distinct(uint64_t *numbers, size_t n);

/* What a tree of networks does with one of them; false: it is not for this one. */
typedef bool (*weir_ipt_network_rule)(struct weir_ipt_builder *b, const struct weir_entry *net,
				      struct weir_ipt_rule *rule);
void weir_ipt_make_networks(struct weir_ipt_builder *b, const struct weir_ipt_tree *tree,
			    weir_ipt_network_rule make);

#endif
