/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entries that are to be there after a change: a merge of what is there and what is added, without
 * what is removed. Nothing is copied: there may be tens of thousands. */
#include "backends/iptables/next.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *a, const void *b)
{
	return weir_entry_key_cmp(*(const struct weir_entry *const *)a,
				  *(const struct weir_entry *const *)b);
}

static int sorted(const struct weir_entry *const *entries, size_t n, struct weir_ipt_view *ret)
{
	ret->entries = calloc(n + 1, sizeof(const struct weir_entry *));
	if (!ret->entries)
		return -ENOMEM;
	ret->n = n;
	for (size_t i = 0; i < n; i++)
		ret->entries[i] = entries[i];
	if (n)
		qsort(ret->entries, n, sizeof(const struct weir_entry *), compare_keys);
	return 0;
}

static int refuse_absent(const struct weir_entry *entry, struct weir_err *err)
{
	char text[WEIR_ENTRY_TEXT];
	return weir_err_at(err, ENOENT, &entry->origin, "deleting %s: it is not there",
			   weir_entry_text(entry, text));
}

/* What stays, in order. */
static int keep(const struct weir_ruleset *now, const struct weir_ipt_view *removed,
		struct weir_ipt_view *ret, struct weir_err *err)
{
	size_t gone = 0;
	for (size_t i = 0; i < now->n; i++) {
		const struct weir_entry *entry = &now->entries[i];
		int order = gone < removed->n ? weir_entry_key_cmp(removed->entries[gone], entry)
					      : 1;
		if (order < 0)
			return refuse_absent(removed->entries[gone], err);
		if (order == 0)
			gone++;
		else
			ret->entries[ret->n++] = entry;
	}
	return gone < removed->n ? refuse_absent(removed->entries[gone], err) : 0;
}

static int put(struct weir_ipt_view *ret, const struct weir_entry *entry, struct weir_err *err)
{
	int r = ret->n ? weir_entry_check_neighbours(ret->entries[ret->n - 1], entry, err) : 0;
	ret->entries[ret->n++] = entry;
	return r;
}

/* What is there already must be the same. */
static int merge(const struct weir_ipt_view *kept, const struct weir_ipt_view *added,
		 struct weir_ipt_view *ret, struct weir_err *err)
{
	char text[WEIR_ENTRY_TEXT];
	int r = 0;
	for (size_t i = 0, j = 0; r == 0 && (i < kept->n || j < added->n);) {
		const struct weir_entry *there = i < kept->n ? kept->entries[i] : NULL;
		const struct weir_entry *more = j < added->n ? added->entries[j] : NULL;
		int order = !there ? 1 : !more ? -1 : weir_entry_key_cmp(there, more);
		if (order == 0 && !weir_entry_equal(there, more))
			return weir_err_at(err, EEXIST, &more->origin,
					   "adding %s: it is there with another value",
					   weir_entry_text(more, text));
		r = put(ret, order <= 0 ? there : more, err);
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}

static int apply(const struct weir_ruleset *now, const struct weir_delta *delta,
		 struct weir_ipt_view *ret, struct weir_err *err)
{
	struct weir_ipt_view removed = { 0 }, added = { 0 }, kept = { 0 };
	int r = -ENOMEM;
	kept.entries = calloc(now->n + 1, sizeof(const struct weir_entry *));
	ret->entries = calloc(now->n + delta->n_added + 1, sizeof(const struct weir_entry *));
	if (kept.entries && ret->entries &&
	    sorted(delta->removed, delta->n_removed, &removed) == 0 &&
	    sorted(delta->added, delta->n_added, &added) == 0)
		r = keep(now, &removed, &kept, err);
	else
		r = weir_err_set(err, r, "no memory to prepare the rules");
	if (r == 0)
		r = merge(&kept, &added, ret, err);
	weir_ipt_view_free(&removed);
	weir_ipt_view_free(&added);
	weir_ipt_view_free(&kept);
	return r;
}

int weir_ipt_next(const struct weir_ruleset *now, const struct weir_delta *delta,
		  struct weir_ipt_view *ret, struct weir_err *err)
{
	static const struct weir_ruleset nothing = { 0 };
	const struct weir_delta all = { .added = delta->added, .n_added = delta->n_added };
	struct weir_ipt_view view = { 0 };
	int r = apply(now ? now : &nothing, now ? delta : &all, &view, err);
	if (r < 0)
		weir_ipt_view_free(&view);
	else
		*ret = view;
	return r;
}
