/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of names: collected in any order, sorted, and then asked. */
#ifndef WEIR_CORE_NAMESET_H
#define WEIR_CORE_NAMESET_H

#include <stdbool.h>

#include "core/arena.h"
#include "core/err.h"

/* { 0 } is an empty one. The array is in the arena of who adds; the names are those given. */
struct weir_nameset {
	const char **items;
	size_t n;
};

/* -ENOMEM. Always with the same arena. */
int weir_nameset_add(struct weir_nameset *set, struct weir_arena *arena, const char *name,
		     struct weir_err *err);
/* In the order of strcmp. */
void weir_nameset_sort(struct weir_nameset *set);
/* The same, and each one once. */
void weir_nameset_unite(struct weir_nameset *set);
/* Of a sorted set. */
bool weir_nameset_has(const struct weir_nameset *set, const char *name);

#endif
