/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several policies say together of each protocol and port, as lines that do not overlap.
 * Private to the compiler. */
#ifndef WEIR_POLICY_CELLS_H
#define WEIR_POLICY_CELLS_H

#include "core/ruleset.h"

struct weir_cells {
	struct weir_entry
		*items; /* CELLs of one list, in key order; owner and origin are a policy's */
	size_t n;	/* 0: nothing is said */
	uint64_t id;	/* of the list */
};

/* Between endpoints, or endpoints and the outside; or between an endpoint and the host, where no default
 * stands and what is not allowed at the receiver's gate is as if nobody had spoken. */
enum weir_cells_use { WEIR_CELLS_FORWARD, WEIR_CELLS_HOST, WEIR_NUM_CELLS_USES };

/* Policies in their order, each of which picks both ends. In the arena; -ENOMEM. */
int weir_cells_flatten(const struct weir_policy *const *policies, size_t n, enum weir_family family,
		       enum weir_cells_use use, struct weir_arena *arena, struct weir_cells *ret);
bool weir_cells_equal(const struct weir_cells *a, const struct weir_cells *b);

#endif
