/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies as objects: their normal order, copies, equality. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/model.h"

/* ---- order ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct weir_label_match *)a)->key,
		      ((const struct weir_label_match *)b)->key);
}

static int compare_prefixes(const void *a, const void *b)
{
	return weir_prefix_cmp(a, b);
}

static int compare_blocks(const void *a, const void *b)
{
	return weir_prefix_cmp(&((const struct weir_block *)a)->prefix,
			       &((const struct weir_block *)b)->prefix);
}

static int compare_services(const void *a, const void *b)
{
	const struct weir_service *x = a, *y = b;
	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	if (x->ports.lo != y->ports.lo)
		return x->ports.lo < y->ports.lo ? -1 : 1;
	return (x->ports.hi > y->ports.hi) - (x->ports.hi < y->ports.hi);
}

static void sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	if (n)
		qsort(items, n, size, compare);
}
#define SORT(items, n, compare) sort((items), (n), sizeof(*(items)), (compare))

static void sort_selector(struct weir_selector *sel)
{
	SORT(sel->networks, sel->n_networks, compare_names);
	SORT(sel->endpoints, sel->n_endpoints, compare_names);
	for (size_t i = 0; i < sel->n_labels; i++)
		SORT(sel->labels[i].values, sel->labels[i].n_values, compare_names);
	SORT(sel->labels, sel->n_labels, compare_labels);
	for (size_t i = 0; i < sel->n_blocks; i++)
		SORT(sel->blocks[i].except, sel->blocks[i].n_except, compare_prefixes);
	SORT(sel->blocks, sel->n_blocks, compare_blocks);
}

void weir_policy_sort(struct weir_policy *policy)
{
	for (size_t i = 0; i < policy->n_from; i++)
		sort_selector(&policy->from[i]);
	for (size_t i = 0; i < policy->n_to; i++)
		sort_selector(&policy->to[i]);
	SORT(policy->services, policy->n_services, compare_services);
}

/* ---- copies ---- */

/* An array in place, in another arena; false without memory. */
#define COPY(arena, object, items, n)                                                \
	({                                                                           \
		void *copy_ = weir_arena_copy((arena), (object)->items, (object)->n, \
					      sizeof(*(object)->items));             \
		(object)->items = copy_;                                             \
		copy_ || !(object)->n;                                               \
	})

static bool copy_names(struct weir_arena *arena, const char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(names[i] = weir_arena_strdup(arena, names[i])))
			return false;
	return true;
}

static bool copy_label(struct weir_arena *arena, struct weir_label_match *match)
{
	match->key = weir_arena_strdup(arena, match->key);
	return match->key && COPY(arena, match, values, n_values) &&
	       copy_names(arena, match->values, match->n_values);
}

static bool copy_selector(struct weir_arena *arena, struct weir_selector *sel)
{
	bool done = COPY(arena, sel, networks, n_networks) &&
		    COPY(arena, sel, endpoints, n_endpoints) &&
		    COPY(arena, sel, labels, n_labels) && COPY(arena, sel, blocks, n_blocks) &&
		    copy_names(arena, sel->networks, sel->n_networks) &&
		    copy_names(arena, sel->endpoints, sel->n_endpoints);
	for (size_t i = 0; done && i < sel->n_labels; i++)
		done = copy_label(arena, &sel->labels[i]);
	for (size_t i = 0; done && i < sel->n_blocks; i++)
		done = COPY(arena, &sel->blocks[i], except, n_except);
	return done;
}

static bool copy_selectors(struct weir_arena *arena, struct weir_selector *sels, size_t n)
{
	for (size_t i = 0; sels && i < n; i++)
		if (!copy_selector(arena, &sels[i]))
			return false;
	return true;
}

int weir_policy_copy(struct weir_model *to, struct weir_policy *dst, const struct weir_policy *src)
{
	struct weir_arena *arena = &to->arena;
	struct weir_policy copy = *src;

	copy.name = weir_arena_strdup(arena, src->name);
	if (!copy.name || !COPY(arena, &copy, from, n_from) || !COPY(arena, &copy, to, n_to) ||
	    !COPY(arena, &copy, services, n_services) ||
	    !copy_selectors(arena, copy.from, copy.n_from) ||
	    !copy_selectors(arena, copy.to, copy.n_to))
		return -ENOMEM;
	*dst = copy;
	return 0;
}

/* ---- equality ---- */

static bool same_names(const char **a, size_t n_a, const char **b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool same_block(const struct weir_block *a, const struct weir_block *b)
{
	if (weir_prefix_cmp(&a->prefix, &b->prefix) != 0 || a->n_except != b->n_except)
		return false;
	for (size_t i = 0; i < a->n_except; i++)
		if (weir_prefix_cmp(&a->except[i], &b->except[i]) != 0)
			return false;
	return true;
}

static bool same_selector(const struct weir_selector *a, const struct weir_selector *b)
{
	if (a->kind != b->kind || a->n_labels != b->n_labels || a->n_blocks != b->n_blocks ||
	    !same_names(a->networks, a->n_networks, b->networks, b->n_networks) ||
	    !same_names(a->endpoints, a->n_endpoints, b->endpoints, b->n_endpoints))
		return false;
	for (size_t i = 0; i < a->n_labels; i++) {
		const struct weir_label_match *x = &a->labels[i], *y = &b->labels[i];
		if (strcmp(x->key, y->key) != 0 ||
		    !same_names(x->values, x->n_values, y->values, y->n_values))
			return false;
	}
	for (size_t i = 0; i < a->n_blocks; i++)
		if (!same_block(&a->blocks[i], &b->blocks[i]))
			return false;
	return true;
}

static bool same_selectors(const struct weir_selector *a, size_t n_a, const struct weir_selector *b,
			   size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!same_selector(&a[i], &b[i]))
			return false;
	return true;
}

bool weir_policy_equal(const struct weir_policy *a, const struct weir_policy *b)
{
	if (strcmp(a->name, b->name) != 0 || a->action != b->action || a->gate != b->gate ||
	    a->log != b->log || a->priority != b->priority || a->n_services != b->n_services ||
	    !same_selectors(a->from, a->n_from, b->from, b->n_from) ||
	    !same_selectors(a->to, a->n_to, b->to, b->n_to))
		return false;
	for (size_t i = 0; i < a->n_services; i++)
		if (compare_services(&a->services[i], &b->services[i]) != 0)
			return false;
	return true;
}
