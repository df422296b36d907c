/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolving: turns a change into objects with nothing left open, inside the store's transaction.
 *
 * How it works: what the change names is loaded as `before`. Removals come first, and what endpoints
 * give up, so that all of it can be taken; then networks; then endpoints, those with fixed addresses
 * before those that take the next free one. `after` is what the store then holds of the same objects. Members of a network that changed
 * are in both, unchanged, since their links have to follow it. */
#include "core/resolve.h"
#include "core/routers.h"

#include <errno.h>
#include <string.h>

struct work {
	struct weir_session *s;
	const struct weir_change *change;
	struct weir_model *before, *after;
	struct weir_resolution *res;
	struct weir_err *err;
};

void weir_resolution_free(struct weir_resolution *res)
{
	weir_model_free(&res->before);
	weir_model_free(&res->after);
	weir_model_free(&res->all_before);
	weir_model_free(&res->all_after);
}

static int no_memory(struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "out of memory");
}

/* ---- networks ---- */

static struct weir_network *put_into(struct weir_model *model, const char *name)
{
	struct weir_network *net = weir_model_network(model, name);
	return net ? net : weir_model_add_network(model);
}

static int put_network(struct work *w, const struct weir_op *op)
{
	const struct weir_network *prev = weir_model_network(w->before, op->name);
	struct weir_network net;
	if (weir_network_copy(w->after, &net, op->network) < 0)
		return no_memory(w->err);
	int r = weir_resolve_network(w->s, w->change, op->add, prev, &net, w->after, w->err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < w->before->n_networks; i++) {
		const struct weir_network *other = &w->before->networks[i];
		if (net.ifname[0] && strcmp(other->ifname, net.ifname) == 0 &&
		    strcmp(other->name, net.name) != 0)
			return weir_err_at(
				w->err, EBUSY, &net.origin,
				"network \"%s\": bridge %s is that of network \"%s\": remove "
				"that one first (weir network rm)",
				net.name, net.ifname, other->name);
	}
	net.filtered = prev && prev->filtered; /* as long as nobody has looked again */
	bool same = prev && weir_network_equal(prev, &net);
	net.declared |= prev && prev->declared;
	if (!same || net.declared != prev->declared)
		r = weir_store_put_network(w->s->store, &net, w->err);
	struct weir_network *slot = r < 0 ? NULL : put_into(w->after, net.name);
	if (r == 0 && !slot)
		return no_memory(w->err);
	if (slot)
		*slot = net;
	weir_model_sort(w->after);
	return r;
}

static void drop_network(struct weir_model *model, const char *name)
{
	struct weir_network *net = weir_model_network(model, name);
	if (!net)
		return;
	size_t after = model->n_networks - (size_t)(net - model->networks) - 1;
	memmove(net, net + 1, after * sizeof(*net));
	model->n_networks--;
}

static int remove_network(struct work *w, const char *name)
{
	int r = weir_store_remove_network(w->s->store, name, w->err);
	if (r == 0)
		drop_network(w->after, name);
	return r;
}

/* Those that nobody needs any more go first and make room for new ones; one that is still in use is
 * left for the end, where the store refuses it by name. */
static int remove_empty_networks(struct work *w)
{
	for (size_t i = 0; i < w->change->n_ops; i++) {
		const struct weir_op *op = &w->change->ops[i];
		size_t attached = 0;
		if (op->kind != WEIR_REMOVE_NETWORK || !weir_model_network(w->after, op->name))
			continue;
		int r = weir_store_count_attached(w->s->store, op->name, &attached, w->err);
		if (r == 0 && !attached)
			r = remove_network(w, op->name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int remove_networks_left(struct work *w, const struct weir_op *op)
{
	if (weir_model_network(w->after, op->name))
		return remove_network(w, op->name);
	if (op->absent_is_fine || weir_model_network(w->before, op->name))
		return 0;
	return weir_err_set(w->err, ENOENT, "no network named \"%s\" (weir network ls)", op->name);
}

/* ---- endpoints ---- */

static int no_endpoint(struct work *w, const char *name)
{
	return weir_err_set(w->err, ENOENT, "no endpoint named \"%s\" (weir endpoint ls)", name);
}

static int put_endpoint(struct work *w, const struct weir_op *op)
{
	const struct weir_endpoint *prev = weir_model_endpoint(w->before, op->name);
	struct weir_endpoint ep;
	if (weir_endpoint_copy(w->after, &ep, op->endpoint) < 0)
		return no_memory(w->err);
	int r = weir_resolve_endpoint(w->s, prev, &ep, w->after, w->err);
	if (r < 0)
		return r;
	weir_endpoint_sort(&ep);
	bool same = prev && weir_endpoint_equal(prev, &ep);
	if (op->add && prev && !same)
		return weir_err_at(w->err, EEXIST, &ep.origin,
				   "endpoint \"%s\" is there already, in another form "
				   "(weir endpoint show %s; weir endpoint set %s changes it)",
				   ep.name, ep.name, ep.name);
	ep.declared |= prev && prev->declared;
	if (!same || ep.declared != prev->declared)
		r = weir_store_put_endpoint(w->s->store, &ep, w->err);
	if (r < 0)
		return r;
	struct weir_endpoint *slot = weir_model_add_endpoint(w->after);
	if (!slot)
		return no_memory(w->err);
	*slot = ep;
	return 0;
}

static int remove_endpoint(struct work *w, const struct weir_op *op)
{
	if (!weir_model_endpoint(w->before, op->name))
		return op->absent_is_fine ? 0 : no_endpoint(w, op->name);
	return weir_store_remove_endpoint(w->s->store, op->name, w->err);
}

static bool has_fixed_addr(const struct weir_endpoint *ep)
{
	for (size_t i = 0; i < ep->n_attachments; i++)
		if (weir_addr_is_set(&ep->attachments[i].addrs[WEIR_IPV4]) ||
		    weir_addr_is_set(&ep->attachments[i].addrs[WEIR_IPV6]))
			return true;
	return false;
}

/* ---- letting go ---- */

static bool keeps_mapping(const struct weir_endpoint *ep, const struct weir_mapping *m)
{
	if (weir_mappings_hold(ep->mappings, ep->n_mappings, m))
		return true;
	for (size_t i = 0; i < ep->n_mappings; i++)
		if (weir_mapping_is_open(&ep->mappings[i]) &&
		    weir_mapping_could_be(&ep->mappings[i], m))
			return true;
	return false;
}

static bool keeps_attachment(const struct weir_endpoint *ep, const struct weir_attachment *old)
{
	const struct weir_attachment *att = weir_endpoint_attachment(ep, old->network);
	for (enum weir_family f = WEIR_IPV4; att && f < WEIR_NUM_FAMILIES; f++)
		if (weir_addr_is_set(&att->addrs[f]) &&
		    weir_addr_cmp(&att->addrs[f], &old->addrs[f]) != 0)
			return false;
	if (att && weir_mac_is_set(&att->mac) && weir_mac_cmp(&att->mac, &old->mac) != 0)
		return false;
	return att != NULL;
}

/* What an endpoint gives up is free before anybody takes it, so that two may change places. */
static int let_go(struct work *w, const struct weir_op *op)
{
	const struct weir_endpoint *prev = weir_model_endpoint(w->before, op->name);
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_endpoint ep;
	size_t n_mappings = 0, n_attachments = 0;
	if (!prev || op->add)
		return 0;
	if (weir_endpoint_copy(&model, &ep, prev) < 0)
		return no_memory(w->err);
	for (size_t i = 0; i < ep.n_mappings; i++)
		if (keeps_mapping(op->endpoint, &ep.mappings[i]))
			ep.mappings[n_mappings++] = ep.mappings[i];
	for (size_t i = 0; i < ep.n_attachments; i++)
		if (keeps_attachment(op->endpoint, &ep.attachments[i]))
			ep.attachments[n_attachments++] = ep.attachments[i];
	if (n_mappings == prev->n_mappings && n_attachments == prev->n_attachments)
		return 0;
	ep.n_mappings = n_mappings;
	ep.n_attachments = n_attachments;
	return weir_store_put_endpoint(w->s->store, &ep, w->err);
}

static int put_endpoints(struct work *w)
{
	size_t done = 0;
	for (int fixed = 1; fixed >= 0; fixed--)
		for (size_t i = 0; i < w->change->n_ops; i++) {
			const struct weir_op *op = &w->change->ops[i];
			if (op->kind != WEIR_PUT_ENDPOINT || has_fixed_addr(op->endpoint) != fixed)
				continue;
			weir_session_progress(w->s, "checking", done++, w->change->n_ops);
			int r = put_endpoint(w, op);
			if (r < 0)
				return r;
		}
	return 0;
}

/* ---- single mappings ---- */

/* The endpoint in `model`, as yet without mappings (they are not loaded), gets this one. */
static int show_mapping(struct work *w, struct weir_model *model, const char *name,
			const struct weir_mapping *m)
{
	struct weir_endpoint *ep = weir_model_endpoint(model, name);
	struct weir_mapping *slot = weir_endpoint_add_mapping(model, ep);
	if (!slot)
		return no_memory(w->err);
	*slot = *m;
	slot->network = weir_arena_strdup(&model->arena, m->network);
	return m->network && !slot->network ? no_memory(w->err) : 0;
}

/* What is published already, and stays so for fewer. */
static int make_strict(struct work *w, const struct weir_op *op)
{
	struct weir_mapping removed;
	int r = weir_store_remove_mapping(w->s->store, op->name, op->mapping, &w->s->arena,
					  &removed, w->err);
	if (r == 0 && weir_model_endpoint(w->before, op->name))
		r = show_mapping(w, w->before, op->name, &removed);
	if (r < 0)
		return r;
	removed.strict = true;
	removed.origin = op->mapping->origin;
	r = weir_store_add_mapping(w->s->store, op->name, &removed, w->err);
	return r < 0 ? r : show_mapping(w, w->after, op->name, &removed);
}

static int add_mapping(struct work *w, const struct weir_op *op)
{
	struct weir_mapping m = *op->mapping, present;
	struct weir_err why = { 0 };
	if (!weir_model_endpoint(w->after, op->name))
		return no_endpoint(w, op->name);
	int r = weir_store_find_mapping(w->s->store, op->name, &m, &w->s->arena, &present, &why);
	if (r == 0 && m.strict && !present.strict)
		return make_strict(w, op);
	if (r < 0 && r != -ENOENT && w->err)
		*w->err = why;
	if (r != -ENOENT)
		return r;
	r = weir_resolve_mappings(w->s, NULL, 0, &m, 1, w->err);
	if (r == 0)
		r = weir_store_add_mapping(w->s->store, op->name, &m, w->err);
	return r < 0 ? r : show_mapping(w, w->after, op->name, &m);
}

static int remove_mapping(struct work *w, const struct weir_op *op)
{
	struct weir_mapping removed;
	if (!weir_model_endpoint(w->before, op->name))
		return no_endpoint(w, op->name);
	int r = weir_store_remove_mapping(w->s->store, op->name, op->mapping, &w->s->arena,
					  &removed, w->err);
	if (r == -ENOENT && op->absent_is_fine)
		return 0;
	return r < 0 ? r : show_mapping(w, w->before, op->name, &removed);
}

/* ---- all of it ---- */

typedef int op_fn(struct work *w, const struct weir_op *op);

static int each(struct work *w, enum weir_op_kind kind, op_fn *fn)
{
	for (size_t i = 0; i < w->change->n_ops; i++) {
		if (w->change->ops[i].kind != kind)
			continue;
		int r = fn(w, &w->change->ops[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A network whose gateway is an endpoint follows that endpoint. */
static int follow_gateways(struct work *w)
{
	for (size_t i = 0; i < w->after->n_networks; i++) {
		struct weir_network *net = &w->after->networks[i];
		if (!net->gateway_endpoint)
			continue;
		const struct weir_endpoint *ep =
			weir_model_endpoint(w->after, net->gateway_endpoint);
		if (!ep && !weir_model_endpoint(w->before, net->gateway_endpoint))
			continue; /* not touched */
		struct weir_network now;
		if (weir_network_copy(w->after, &now, net) < 0)
			return no_memory(w->err);
		weir_network_set_gateway(&now, ep ? weir_endpoint_attachment(ep, net->name) : NULL);
		if (weir_network_equal(&now, net))
			continue;
		*net = now;
		int r = weir_store_put_network(w->s->store, net, w->err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* May the change have closed a circle? By a network that changes, or by an endpoint that is a gateway. */
static bool changes_ways(const struct work *w)
{
	for (size_t i = 0; i < w->change->n_ops; i++)
		if (w->change->ops[i].kind == WEIR_PUT_NETWORK)
			return true;
	for (size_t i = 0; i < w->after->n_networks; i++) {
		const char *gateway = w->after->networks[i].gateway_endpoint;
		if (gateway && (weir_model_endpoint(w->after, gateway) ||
				weir_model_endpoint(w->before, gateway)))
			return true;
	}
	return false;
}

static int check_routers(struct work *w)
{
	WEIR_CLEAN_MODEL struct weir_model all = { 0 };
	struct weir_scope scope = { .all = true, .only_networks = true };
	bool any = false;
	if (!changes_ways(w))
		return 0;
	int r = weir_store_load(w->s->store, &scope, &all, w->err);
	for (size_t i = 0; i < all.n_networks; i++)
		any |= all.networks[i].gateway_endpoint != NULL;
	scope = (struct weir_scope){ .all = true, .no_mappings = true };
	if (r == 0 && any)
		r = weir_store_load(w->s->store, &scope, &all, w->err);
	weir_model_sort(&all);
	return r < 0 || !any ? r : weir_routers_check(&all, w->after, w->err);
}

static int apply_ops(struct work *w)
{
	const struct weir_change *change = w->change;
	int r = 0;
	if (change->n_pools)
		r = weir_store_set_pools(w->s->store, change->pools, change->n_pools, w->err);
	if (r == 0)
		r = each(w, WEIR_REMOVE_ENDPOINT, remove_endpoint);
	if (r == 0)
		r = each(w, WEIR_PUT_ENDPOINT, let_go);
	if (r == 0)
		r = remove_empty_networks(w);
	if (r == 0)
		r = each(w, WEIR_PUT_NETWORK, put_network);
	if (r == 0)
		r = put_endpoints(w);
	if (r == 0)
		r = each(w, WEIR_REMOVE_NETWORK, remove_networks_left);
	weir_model_sort(w->after);
	if (r == 0)
		r = follow_gateways(w);
	if (r == 0)
		r = check_routers(w);
	if (r == 0)
		r = each(w, WEIR_REMOVE_MAPPING, remove_mapping);
	if (r == 0)
		r = each(w, WEIR_ADD_MAPPING, add_mapping);
	if (r == 0)
		r = weir_resolve_policies(w->s, change, w->res, w->err);
	if (r == 0)
		r = weir_resolve_members(w->s, w->before, w->after, w->err);
	weir_model_sort(w->before);
	weir_model_sort(w->after);
	return r;
}

int weir_resolve(struct weir_session *s, const struct weir_change *change,
		 struct weir_resolution *ret, struct weir_err *err)
{
	WEIR_CLEAN_RESOLUTION struct weir_resolution res = { 0 };
	struct work w = {
		.s = s,
		.change = change,
		.before = &res.before,
		.after = &res.after,
		.res = &res,
		.err = err,
	};
	int r = weir_resolve_load(s, change, w.before, w.after, err);
	if (r == 0)
		r = weir_resolve_load_everybody(s, change, &res, err);
	if (r == 0)
		r = apply_ops(&w);
	if (r < 0)
		return r;
	*ret = res;
	res = (struct weir_resolution){ 0 };
	return 0;
}
