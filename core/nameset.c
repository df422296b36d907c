/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of names. */
#include "core/nameset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int weir_nameset_add(struct weir_nameset *set, struct weir_arena *arena, const char *name,
		     struct weir_err *err)
{
	const char **more = weir_arena_grow(arena, set->items, set->n, sizeof(*more));

	if (!more)
		return weir_err_set(err, ENOMEM, "out of memory");
	set->items = more;
	more[set->n++] = name;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void weir_nameset_sort(struct weir_nameset *set)
{
	if (set->n)
		qsort(set->items, set->n, sizeof(*set->items), compare);
}

void weir_nameset_unite(struct weir_nameset *set)
{
	size_t kept = 0;

	weir_nameset_sort(set);
	for (size_t i = 0; i < set->n; i++)
		if (!kept || strcmp(set->items[kept - 1], set->items[i]) != 0)
			set->items[kept++] = set->items[i];
	set->n = kept;
}

bool weir_nameset_has(const struct weir_nameset *set, const char *name)
{
	return set->n && bsearch(&name, set->items, set->n, sizeof(name), compare);
}
