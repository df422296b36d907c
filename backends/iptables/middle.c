/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset that holds while nat changes.
 *
 * How it works: tables are committed one after the other, so for a moment one is new and another old.
 * A packet must not meet a filter that lets it pass and a nat that does not translate it (yet, or any
 * more). So nat changes under a filter that is at least as closed as both: of two versions of an
 * entry the closed one, a network's sources only as far as they are both before and after; policies of
 * both, and where they differ those that are to come. */
#include "backends/iptables/middle.h"

#include <assert.h>

static bool closes(enum weir_entry_kind kind)
{
	return kind == WEIR_ENTRY_NETWORK || kind == WEIR_ENTRY_GATEWAY ||
	       kind == WEIR_ENTRY_GUARD || kind == WEIR_ENTRY_STRICT ||
	       kind == WEIR_ENTRY_ISOLATED || kind >= WEIR_ENTRY_CLASS;
}

/* Of an entry that both have. */
static struct weir_entry join(const struct weir_entry *old, const struct weir_entry *new)
{
	struct weir_entry entry = *new;
	if (entry.kind == WEIR_ENTRY_NETWORK) /* one of its flags opens, the others close */
		entry.flags = (uint8_t)(((old->flags | new->flags) & ~WEIR_INGRESS_ALLOW) |
					(old->flags & new->flags));
	if (entry.kind == WEIR_ENTRY_SUBNET && old->nat != WEIR_NAT_NONE) {
		entry.nat = old->nat;
		entry.to = old->to;
	}
	return entry;
}

int weir_ipt_middle(const struct weir_ruleset *old, const struct weir_ipt_view *new,
		    struct weir_ruleset *ret, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0, j = 0; r == 0 && (i < old->n || j < new->n);) {
		const struct weir_entry *a = i < old->n ? &old->entries[i] : NULL;
		const struct weir_entry *b = j < new->n ? new->entries[j] : NULL;
		int order = !a ? 1 : !b ? -1 : weir_entry_key_cmp(a, b);
		assert(a || b);
		struct weir_entry entry = order < 0 ? *a : *b;
		if (order == 0)
			entry = join(a, b);
		if (entry.kind != WEIR_ENTRY_MAPPING && (order == 0 || closes(entry.kind)))
			r = weir_ruleset_add(ret, &entry, err);
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}
