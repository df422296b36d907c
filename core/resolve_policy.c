/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies in a change: put, removed, and what they mean for networks.
 *
 * How it works: what a policy means depends on everybody's labels and addresses, so where there are
 * any, or a default, everybody is loaded as before and as after, without their ports. A network that
 * becomes filtered, or stops being so, joins the change. */
#include "core/nameset.h"
#include "core/resolve.h"

#include <errno.h>
#include <string.h>

#include "core/selector.h"

static int no_memory(struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "out of memory");
}

static const struct weir_scope everybody = { .all = true, .no_mappings = true, .policies = true };

static bool speaks_of_policies(const struct weir_change *change)
{
	for (size_t i = 0; i < change->n_ops; i++) {
		const struct weir_op *op = &change->ops[i];
		if (op->kind == WEIR_PUT_POLICY || op->kind == WEIR_REMOVE_POLICY ||
		    (op->network && (op->network->egress || op->network->ingress)))
			return true;
	}
	return false;
}

int weir_resolve_load_everybody(struct weir_session *s, const struct weir_change *change,
				struct weir_resolution *res, struct weir_err *err)
{
	bool any = speaks_of_policies(change);
	int r = any ? 0 : weir_store_has_policies(s->store, &any, err);
	if (r == 0 && any)
		r = weir_store_load(s->store, &everybody, &res->all_before, err);
	if (r == 0)
		res->has_policies = any;
	return r;
}

/* Who stands in the change, as it was or as it will be, is loaded anew; all the others are shared with
 * all_before, which lives as long: reading them from the store again would be most of the work of an attach. */
static int name_all(struct weir_session *s, const struct weir_model *model,
		    struct weir_nameset *networks, struct weir_nameset *endpoints,
		    struct weir_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < model->n_networks; i++)
		r = weir_nameset_add(networks, &s->arena, model->networks[i].name, err);
	for (size_t i = 0; r == 0 && i < model->n_endpoints; i++)
		r = weir_nameset_add(endpoints, &s->arena, model->endpoints[i].name, err);
	return r;
}

static int name_touched(struct weir_session *s, const struct weir_resolution *res,
			struct weir_nameset *networks, struct weir_nameset *endpoints,
			struct weir_err *err)
{
	int r = name_all(s, &res->before, networks, endpoints, err);
	if (r == 0)
		r = name_all(s, &res->after, networks, endpoints, err);
	weir_nameset_sort(networks);
	weir_nameset_sort(endpoints);
	return r;
}

static int share_others(const struct weir_model *all, const struct weir_nameset *networks,
			const struct weir_nameset *endpoints, struct weir_model *ret,
			struct weir_err *err)
{
	for (size_t i = 0; i < all->n_networks; i++) {
		if (weir_nameset_has(networks, all->networks[i].name))
			continue;
		struct weir_network *net = weir_model_add_network(ret);
		if (!net)
			return no_memory(err);
		*net = all->networks[i];
	}
	for (size_t i = 0; i < all->n_endpoints; i++) {
		if (weir_nameset_has(endpoints, all->endpoints[i].name))
			continue;
		struct weir_endpoint *ep = weir_model_add_endpoint(ret);
		if (!ep)
			return no_memory(err);
		*ep = all->endpoints[i];
	}
	return 0;
}

static int load_everybody_after(struct weir_session *s, struct weir_resolution *res,
				struct weir_err *err)
{
	struct weir_nameset networks = { 0 }, endpoints = { 0 };
	int r = name_touched(s, res, &networks, &endpoints, err);
	if (r == 0)
		r = share_others(&res->all_before, &networks, &endpoints, &res->all_after, err);
	if (r < 0)
		return r;
	const struct weir_scope scope = { .networks = networks.items,
					  .n_networks = networks.n,
					  .endpoints = endpoints.items,
					  .n_endpoints = endpoints.n,
					  .no_mappings = true,
					  .policies = true };
	return weir_store_load(s->store, &scope, &res->all_after, err);
}

/* The store has them as after the change; what it does not touch is the same before. */
int weir_resolve_everybody(struct weir_session *s, struct weir_resolution *res,
			   struct weir_err *err)
{
	const struct weir_nameset nobody = { 0 };
	struct weir_nameset networks = { 0 }, endpoints = { 0 };
	if (res->has_policies)
		return 0;
	int r = weir_store_load(s->store, &everybody, &res->all_after, err);
	if (r == 0)
		r = name_touched(s, res, &networks, &endpoints, err);
	if (r == 0)
		r = share_others(&res->all_after, &networks, &endpoints, &res->all_before, err);
	if (r == 0)
		r = share_others(&res->before, &nobody, &nobody, &res->all_before, err);
	weir_model_sort(&res->all_before);
	return r;
}

/* ---- put and remove ---- */

static bool same_place(const struct weir_place *a, const struct weir_place *b)
{
	return a->file == b->file && a->line == b->line && a->column == b->column;
}

static int put_policy(struct weir_session *s, const struct weir_op *op, struct weir_resolution *res,
		      struct weir_err *err)
{
	const struct weir_policy *prev = weir_model_policy(&res->all_before, op->name);
	struct weir_policy policy = *op->policy;
	bool same = prev && weir_policy_equal(prev, &policy);
	if (op->add && prev && !same)
		return weir_err_at(err, EEXIST, &policy.origin,
				   "policy \"%s\" is there already, in another form "
				   "(weir policy show %s)",
				   policy.name, policy.name);
	policy.declared |= prev && prev->declared;
	if (same && policy.declared == prev->declared && same_place(&policy.origin, &prev->origin))
		return 0;
	return weir_store_put_policy(s->store, &policy, err);
}

static int remove_policy(struct weir_session *s, const struct weir_op *op,
			 struct weir_resolution *res, struct weir_err *err)
{
	if (op->absent_is_fine && !weir_model_policy(&res->all_before, op->name))
		return 0;
	return weir_store_remove_policy(s->store, op->name, err);
}

static int apply_ops(struct weir_session *s, const struct weir_change *change,
		     struct weir_resolution *res, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < change->n_ops; i++) {
		const struct weir_op *op = &change->ops[i];
		if (op->kind == WEIR_PUT_POLICY)
			r = put_policy(s, op, res, err);
		else if (op->kind == WEIR_REMOVE_POLICY)
			r = remove_policy(s, op, res, err);
	}
	return r;
}

/* ---- names ---- */

static int check_selector(const struct weir_model *all, const struct weir_policy *policy,
			  const struct weir_selector *sel, struct weir_err *err)
{
	for (size_t i = 0; i < sel->n_networks; i++) {
		const struct weir_network *net = weir_model_network(all, sel->networks[i]);
		if (!net)
			return weir_err_at(
				err, ENOENT, &sel->origin,
				"policy \"%s\": no network named \"%s\" (weir network ls)",
				policy->name, sel->networks[i]);
		if (!weir_mode_traits(net->mode)->host)
			return weir_err_at(err, EINVAL, &sel->origin,
					   "policy \"%s\": network \"%s\" is a %s one: its packets "
					   "never meet the host",
					   policy->name, net->name, weir_mode_name(net->mode));
	}
	for (size_t i = 0; i < sel->n_endpoints; i++)
		if (!weir_model_endpoint(all, sel->endpoints[i]))
			return weir_err_at(
				err, ENOENT, &sel->origin,
				"policy \"%s\": no endpoint named \"%s\" (weir endpoint ls)",
				policy->name, sel->endpoints[i]);
	return 0;
}

static int check_policy(const struct weir_model *all, const struct weir_policy *policy,
			struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < policy->n_from; i++)
		r = check_selector(all, policy, &policy->from[i], err);
	for (size_t i = 0; r == 0 && i < policy->n_to; i++)
		r = check_selector(all, policy, &policy->to[i], err);
	return r;
}

static int check_removed(struct weir_session *s, const struct weir_op *op, struct weir_err *err)
{
	bool network = op->kind == WEIR_REMOVE_NETWORK;
	const char *policy = NULL;
	int r = network ? weir_store_policy_naming_network(s->store, op->name, &s->arena, &policy,
							   err)
			: weir_store_policy_naming_endpoint(s->store, op->name, &s->arena, &policy,
							    err);
	if (r < 0 || !policy)
		return r;
	return weir_err_set(err, EBUSY,
			    "%s \"%s\" is named by policy \"%s\": remove or change that as well "
			    "(weir policy rm %s)",
			    network ? "network" : "endpoint", op->name, policy, policy);
}

/* A network that has lost its bridge, and is named. */
static int check_bridgeless(struct weir_session *s, const struct weir_model *all,
			    const struct weir_op *op, struct weir_err *err)
{
	const char *name = NULL;
	int r = weir_store_policy_naming_network(s->store, op->name, &s->arena, &name, err);
	const struct weir_policy *policy = name ? weir_model_policy(all, name) : NULL;
	if (r == 0 && policy)
		r = check_policy(all, policy, err);
	return r;
}

/* As all of it stands when the change is done. */
static int check_names(struct weir_session *s, const struct weir_change *change,
		       const struct weir_model *all, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < change->n_ops; i++) {
		const struct weir_op *op = &change->ops[i];
		if (op->kind == WEIR_PUT_POLICY)
			r = check_policy(all, op->policy, err);
		else if (op->kind == WEIR_PUT_NETWORK && !weir_mode_traits(op->network->mode)->host)
			r = check_bridgeless(s, all, op, err);
		else if ((op->kind == WEIR_REMOVE_NETWORK || op->kind == WEIR_REMOVE_ENDPOINT) &&
			 !op->though_named)
			r = check_removed(s, op, err);
	}
	return r;
}

/* ---- filtered networks ---- */

/* The network stands in both models, as it was and as it is. */
static int join_change(struct weir_resolution *res, const struct weir_network *net,
		       struct weir_err *err)
{
	struct weir_network *now = weir_model_network(&res->after, net->name);
	if (now) {
		now->filtered = net->filtered;
		return 0;
	}
	struct weir_network *before = weir_model_add_network(&res->before);
	now = weir_model_add_network(&res->after);
	if (!before || !now || weir_network_copy(&res->before, before, net) < 0 ||
	    weir_network_copy(&res->after, now, net) < 0)
		return no_memory(err);
	before->filtered = !net->filtered;
	weir_model_sort(&res->before);
	weir_model_sort(&res->after);
	return 0;
}

static int follow_filtered(struct weir_session *s, struct weir_resolution *res,
			   struct weir_err *err)
{
	struct weir_model *all = &res->all_after;
	bool *was = weir_arena_alloc(&s->arena, all->n_networks + 1);
	if (!was)
		return no_memory(err);
	for (size_t i = 0; i < all->n_networks; i++)
		was[i] = all->networks[i].filtered;
	int r = weir_policies_bind(all, err);
	for (size_t i = 0; r == 0 && i < all->n_networks; i++) {
		const struct weir_network *net = &all->networks[i];
		if (net->filtered == was[i])
			continue;
		r = weir_store_set_filtered(s->store, net->name, net->filtered, err);
		if (r == 0)
			r = join_change(res, net, err);
	}
	return r;
}

int weir_resolve_policies(struct weir_session *s, const struct weir_change *change,
			  struct weir_resolution *res, struct weir_err *err)
{
	if (!res->has_policies)
		return 0;
	int r = apply_ops(s, change, res, err);
	if (r == 0)
		r = load_everybody_after(s, res, err);
	if (r == 0)
		r = check_names(s, change, &res->all_after, err);
	return r < 0 ? r : follow_filtered(s, res, err);
}
