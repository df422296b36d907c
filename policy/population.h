/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everybody whom policies can pick, and which ones do. Private to the compiler. */
#ifndef WEIR_POLICY_POPULATION_H
#define WEIR_POLICY_POPULATION_H

#include "core/model.h"

/* Policies, by their place in the model. Equal sets are one set. */
struct weir_picks {
	const uint64_t *bits;
	uint64_t digest;
};

/* An address of an endpoint, or a range of addresses outside. */
struct weir_inhabitant {
	enum weir_family family;
	const char *name;	     /* the endpoint's; NULL: outside */
	struct weir_addr lo, hi;     /* lo == hi of an endpoint */
	size_t from, to;	     /* sets: by whom it is picked as sender and as receiver */
	bool meets_host;	     /* the host routes for its network */
	const char *ifname;	     /* of an endpoint: the host's, by which its packets come */
	struct weir_addr link_local; /* of an endpoint's IPv6 */
	struct weir_place origin;    /* of an endpoint's attachment */
};

struct weir_population {
	const struct weir_model *model;
	struct weir_arena *arena;
	size_t words; /* of a set */
	struct weir_picks *sets;
	size_t n_sets;
	struct weir_inhabitant
		*items; /* endpoints first; ranges of one family in order, without gaps */
	size_t n;
	size_t host_from, host_to; /* sets: the policies that name the host */
};

/* In the arena; -ENOMEM. The model is whole and sorted. */
int weir_population_take(const struct weir_model *model, struct weir_arena *arena,
			 struct weir_population *ret);

#endif
