/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolving: turns a change into objects with nothing left open, inside the store's transaction.
 * Private to the engine. */
#ifndef WEIR_CORE_RESOLVE_H
#define WEIR_CORE_RESOLVE_H

#include "core/session.h"

/* What a change touches, before and after: partial models that differ in what the change does.
 * Networks that are only referred to stand in both. */
struct weir_resolution {
	struct weir_model before, after;
	/* Where policies or defaults are in force, before or after: everybody, without ports, and every
	 * policy. Else empty, or everybody (weir_resolve_everybody()). */
	struct weir_model all_before, all_after;
	bool has_policies;
};
void weir_resolution_free(struct weir_resolution *res);
#define WEIR_CLEAN_RESOLUTION __attribute__((cleanup(weir_resolution_free)))

/* Applies the change to the store, choosing what was left open: subnets, addresses, MACs, interface
 * names, free host ports. What an object had before, and still may have, it keeps. */
int weir_resolve(struct weir_session *s, const struct weir_change *change,
		 struct weir_resolution *ret, struct weir_err *err);

/* What the change touches as it stands (resolve_load.c): before as it is, after without the endpoints that
 * are put or removed. -EINVAL: an object is changed twice. */
int weir_resolve_load(struct weir_session *s, const struct weir_change *change,
		      struct weir_model *before, struct weir_model *after, struct weir_err *err);
/* Adds to both the members of networks that have changed, and the other ends of wires. */
int weir_resolve_members(struct weir_session *s, struct weir_model *before,
			 struct weir_model *after, struct weir_err *err);

/* Policies (resolve_policy.c): everybody as before the change, where it matters; and when endpoints and
 * networks are what they will be, the policies' own ops, everybody as after, and networks that become
 * filtered or stop being so. */
int weir_resolve_load_everybody(struct weir_session *s, const struct weir_change *change,
				struct weir_resolution *res, struct weir_err *err);
int weir_resolve_policies(struct weir_session *s, const struct weir_change *change,
			  struct weir_resolution *res, struct weir_err *err);
/* Everybody in any case, for a resolution that is complete. */
int weir_resolve_everybody(struct weir_session *s, struct weir_resolution *res,
			   struct weir_err *err);

/* The pieces, one file each (resolve_network.c, resolve_endpoint.c, resolve_ports.c).
 * `net` and `ep` are copies that are completed in place; prev is what stands in the store, or NULL.
 * add: -EEXIST when that is of another form. */
int weir_resolve_network(struct weir_session *s, const struct weir_change *change, bool add,
			 const struct weir_network *prev, struct weir_network *net,
			 struct weir_model *model, struct weir_err *err);
int weir_resolve_endpoint(struct weir_session *s, const struct weir_endpoint *prev,
			  struct weir_endpoint *ep, struct weir_model *model, struct weir_err *err);
/* Chooses the host port of an open mapping, keeping prev's; refuses one that a process on the host has
 * bound. n_prev may be 0. */
int weir_resolve_mappings(struct weir_session *s, const struct weir_mapping *prev, size_t n_prev,
			  struct weir_mapping *mappings, size_t n, struct weir_err *err);

#endif
