/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change touches, as it stands in the store.
 *
 * How it works: an endpoint that is put or removed is loaded whole. One that only gets or loses a port is
 * loaded without its ports, so that the cost does not depend on how many it has; the ports in question
 * are added to the models one by one. */
#include <errno.h>
#include <string.h>

#include "core/nameset.h"
#include "core/resolve.h"

static int no_memory(struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "out of memory");
}

static bool is_mapping_op(const struct weir_op *op)
{
	return op->kind == WEIR_ADD_MAPPING || op->kind == WEIR_REMOVE_MAPPING;
}

static bool is_network_op(const struct weir_op *op)
{
	return op->kind == WEIR_PUT_NETWORK || op->kind == WEIR_REMOVE_NETWORK;
}

static bool is_policy_op(const struct weir_op *op)
{
	return op->kind == WEIR_PUT_POLICY || op->kind == WEIR_REMOVE_POLICY;
}

/* ---- names ---- */

static int twice(const char *what, const char *name, struct weir_err *err)
{
	return weir_err_set(err, EINVAL, "this would change %s \"%s\" twice: make it two changes",
			    what, name);
}

static int check_once(const struct weir_nameset *names, const char *what, struct weir_err *err)
{
	for (size_t i = 1; i < names->n; i++)
		if (strcmp(names->items[i - 1], names->items[i]) == 0)
			return twice(what, names->items[i], err);
	return 0;
}

/* What a change is about. */
struct objects {
	struct weir_nameset networks;
	struct weir_nameset endpoints; /* put or removed */
	struct weir_nameset published; /* that get or lose a port */
	struct weir_nameset used;      /* networks that endpoints attach to */
	struct weir_nameset policies;
};

static int name_objects(struct weir_session *s, const struct weir_change *change,
			struct objects *ret, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < change->n_ops; i++) {
		const struct weir_op *op = &change->ops[i];
		r = weir_nameset_add(is_network_op(op)	 ? &ret->networks
				     : is_mapping_op(op) ? &ret->published
				     : is_policy_op(op)	 ? &ret->policies
							 : &ret->endpoints,
				     &s->arena, op->name, err);
		for (size_t k = 0; r == 0 && op->endpoint && k < op->endpoint->n_attachments; k++)
			r = weir_nameset_add(&ret->used, &s->arena,
					     op->endpoint->attachments[k].network, err);
	}
	if (r < 0)
		return r;
	weir_nameset_sort(&ret->networks);
	weir_nameset_sort(&ret->endpoints);
	weir_nameset_sort(&ret->policies);
	weir_nameset_unite(&ret->published);
	weir_nameset_unite(&ret->used);
	r = check_once(&ret->networks, "network", err);
	if (r == 0)
		r = check_once(&ret->endpoints, "endpoint", err);
	if (r == 0)
		r = check_once(&ret->policies, "policy", err);
	for (size_t i = 0; r == 0 && i < ret->published.n; i++)
		if (weir_nameset_has(&ret->endpoints, ret->published.items[i]))
			r = twice("endpoint", ret->published.items[i], err);
	return r;
}

/* ---- loading ---- */

static int copy_network(struct weir_model *to, const struct weir_network *net, struct weir_err *err)
{
	struct weir_network *copy = weir_model_add_network(to);
	return copy && weir_network_copy(to, copy, net) == 0 ? 0 : no_memory(err);
}

static int copy_endpoint(struct weir_model *to, const struct weir_endpoint *ep,
			 struct weir_err *err)
{
	struct weir_endpoint *copy = weir_model_add_endpoint(to);
	return copy && weir_endpoint_copy(to, copy, ep) == 0 ? 0 : no_memory(err);
}

static int load_before(struct weir_session *s, const struct objects *objects,
		       struct weir_model *before, struct weir_err *err)
{
	const struct weir_scope published = { .endpoints = objects->published.items,
					      .n_endpoints = objects->published.n,
					      .no_mappings = true };
	const struct weir_scope whole = { .networks = objects->networks.items,
					  .n_networks = objects->networks.n,
					  .endpoints = objects->endpoints.items,
					  .n_endpoints = objects->endpoints.n };
	const struct weir_scope used = { .networks = objects->used.items,
					 .n_networks = objects->used.n };
	int r = weir_store_load(s->store, &published, before, err);
	if (r == 0)
		r = weir_store_load(s->store, &whole, before, err);
	return r < 0 ? r : weir_store_load(s->store, &used, before, err);
}

/* Objects that no op makes anew stand in `after` as they were. */
static int start_after(const struct objects *objects, const struct weir_model *before,
		       struct weir_model *after, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < before->n_networks; i++)
		r = copy_network(after, &before->networks[i], err);
	for (size_t i = 0; r == 0 && i < objects->published.n; i++) {
		const struct weir_endpoint *ep =
			weir_model_endpoint(before, objects->published.items[i]);
		if (ep)
			r = copy_endpoint(after, ep, err);
	}
	weir_model_sort(after);
	return r;
}

int weir_resolve_load(struct weir_session *s, const struct weir_change *change,
		      struct weir_model *before, struct weir_model *after, struct weir_err *err)
{
	struct objects objects = { 0 };
	int r = name_objects(s, change, &objects, err);
	if (r == 0)
		r = load_before(s, &objects, before, err);
	return r < 0 ? r : start_after(&objects, before, after, err);
}

/* ---- members ---- */

/* Adds to both models what `members` has and neither of them knows. */
static int add_unknown(struct weir_session *s, struct weir_model *before, struct weir_model *after,
		       const struct weir_model *members, struct weir_err *err)
{
	size_t n = 0;
	const struct weir_endpoint **unknown =
		weir_arena_alloc(&s->arena, (members->n_endpoints + 1) * sizeof(*unknown));
	if (!unknown)
		return no_memory(err);
	for (size_t i = 0; i < members->n_endpoints; i++) {
		const char *name = members->endpoints[i].name;
		if (!weir_model_endpoint(before, name) && !weir_model_endpoint(after, name))
			unknown[n++] = &members->endpoints[i];
	}
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = copy_endpoint(before, unknown[i], err);
		if (r == 0)
			r = copy_endpoint(after, unknown[i], err);
	}
	for (size_t i = 0; r == 0 && i < members->n_networks; i++) {
		const struct weir_network *net = &members->networks[i];
		if (weir_model_network(before, net->name) || weir_model_network(after, net->name))
			continue;
		r = copy_network(before, net, err);
		if (r == 0)
			r = copy_network(after, net, err);
		weir_model_sort(before);
		weir_model_sort(after);
	}
	return r;
}

/* Members of a network that changed follow it; so does the other end of a wire. */
int weir_resolve_members(struct weir_session *s, struct weir_model *before,
			 struct weir_model *after, struct weir_err *err)
{
	struct weir_nameset changed = { 0 };
	for (size_t i = 0; i < after->n_networks; i++) {
		const struct weir_network *net = &after->networks[i];
		const struct weir_network *prev = weir_model_network(before, net->name);
		if (!prev || (!weir_mode_traits(net->mode)->wire && weir_network_equal(prev, net)))
			continue;
		int r = weir_nameset_add(&changed, &s->arena, net->name, err);
		if (r < 0)
			return r;
	}
	if (!changed.n)
		return 0;
	const struct weir_scope scope = { .networks = changed.items,
					  .n_networks = changed.n,
					  .members = true };
	WEIR_CLEAN_MODEL struct weir_model members = { 0 };
	int r = weir_store_load(s->store, &scope, &members, err);
	return r < 0 ? r : add_unknown(s, before, after, &members, err);
}
