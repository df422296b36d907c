/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine: carries a change of the model through to the store and the kernel, all or nothing.
 *
 * How it works: until the store commits, every step that touched the kernel has its undo on a list,
 * and the lock's file tells a successor that work is in progress. Rules come before links go up. On
 * the way back, an endpoint's rules go before its link, which costs nothing, since a network translates
 * and guards whatever comes from it; a network's own rules go after its links. So at no instant is a
 * port open that should not be. */
#include "core/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/converge.h"
#include "core/flows.h"
#include "core/forward.h"
#include "core/hosts.h"
#include "core/linkwork.h"
#include "core/nameset.h"
#include "core/plan.h"

/* What a change means for the filter. */
struct rules_work {
	const struct weir_resolution *res;
	struct weir_ruleset before, after;
	struct weir_delta delta;
	struct weir_forwarding fwd;
	bool empty; /* nothing is left: our tables go altogether */
	bool committed;
	bool networks_go; /* with them their translation and guards: links go before the rules */
};

static void free_rules(struct rules_work *w)
{
	weir_ruleset_free(&w->before);
	weir_ruleset_free(&w->after);
	weir_delta_free(&w->delta);
}

/* ---- what the change is ---- */

static int names_put(struct weir_session *s, const struct weir_change *change,
		     enum weir_op_kind kind, struct weir_nameset *ret, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < change->n_ops; i++)
		if (change->ops[i].kind == kind)
			r = weir_nameset_add(ret, &s->arena, change->ops[i].name, err);
	weir_nameset_sort(ret);
	return r;
}

/* Removes every object that an earlier apply has declared and this change does not; or every one. */
static int add_pruned(struct weir_session *s, struct weir_change *change, bool everything,
		      struct weir_model *all, struct weir_err *err)
{
	struct weir_scope scope = { .all = true, .no_mappings = true, .policies = true };
	struct weir_nameset networks = { 0 }, endpoints = { 0 }, policies = { 0 };
	int r = weir_store_load(s->store, &scope, all, err);
	if (r == 0)
		r = names_put(s, change, WEIR_PUT_NETWORK, &networks, err);
	if (r == 0)
		r = names_put(s, change, WEIR_PUT_ENDPOINT, &endpoints, err);
	if (r == 0)
		r = names_put(s, change, WEIR_PUT_POLICY, &policies, err);
	if (r < 0)
		return r;
	size_t n = change->n_ops;
	struct weir_op *ops = weir_arena_alloc(
		&s->arena,
		(n + all->n_networks + all->n_endpoints + all->n_policies + 1) * sizeof(*ops));
	if (!ops)
		return weir_err_set(err, ENOMEM, "out of memory");
	if (n)
		memcpy(ops, change->ops, n * sizeof(*ops));
	for (size_t i = 0; i < all->n_endpoints; i++) {
		const struct weir_endpoint *ep = &all->endpoints[i];
		if ((ep->declared || everything) && !weir_nameset_has(&endpoints, ep->name))
			ops[n++] =
				(struct weir_op){ .kind = WEIR_REMOVE_ENDPOINT, .name = ep->name };
	}
	for (size_t i = 0; i < all->n_networks; i++) {
		const struct weir_network *net = &all->networks[i];
		if ((net->declared || everything) && !weir_nameset_has(&networks, net->name))
			ops[n++] =
				(struct weir_op){ .kind = WEIR_REMOVE_NETWORK, .name = net->name };
	}
	for (size_t i = 0; i < all->n_policies; i++) {
		const struct weir_policy *policy = &all->policies[i];
		if ((policy->declared || everything) && !weir_nameset_has(&policies, policy->name))
			ops[n++] = (struct weir_op){ .kind = WEIR_REMOVE_POLICY,
						     .name = policy->name };
	}
	change->ops = ops;
	change->n_ops = n;
	return 0;
}

/* ---- rules ---- */

static bool networks_differ(const struct weir_resolution *res)
{
	if (res->before.n_networks != res->after.n_networks)
		return true;
	for (size_t i = 0; i < res->after.n_networks; i++)
		if (!weir_network_equal(&res->before.networks[i], &res->after.networks[i]))
			return true;
	return false;
}

/* `all` is everybody, for policies. */
static int compile_one(const struct weir_engine *engine, const struct weir_model *model,
		       const struct weir_model *all, const struct weir_forwarding *fwd, bool after,
		       struct weir_ruleset *ret, struct weir_err *err)
{
	int r = engine->compile(model, ret, err);
	if (r == 0 && engine->compile_policies && all->n_policies)
		r = engine->compile_policies(all, ret, err);
	if (r == 0)
		r = weir_forwarding_guards(fwd, after, ret, err);
	return r < 0 ? r : weir_ruleset_sort(ret, err);
}

static int is_store_empty(struct weir_session *s, bool *ret, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model networks = { 0 };
	struct weir_scope scope = { .all = true, .only_networks = true };
	int r = weir_store_load(s->store, &scope, &networks, err);
	if (r == 0)
		*ret = networks.n_networks == 0;
	return r;
}

static int compile_change(struct weir_session *s, const struct weir_resolution *res,
			  struct rules_work *w, struct weir_err *err)
{
	for (size_t i = 0; i < res->before.n_networks; i++)
		w->networks_go |= !weir_model_network(&res->after, res->before.networks[i].name);
	int r = 0;
	/* Endpoints come and go without a look at all networks. */
	if (networks_differ(res)) {
		r = weir_forwarding_plan(s, &w->fwd, err);
		if (r == 0)
			r = is_store_empty(s, &w->empty, err);
	}
	if (r == 0)
		r = compile_one(s->engine, &res->before, &res->all_before, &w->fwd, false,
				&w->before, err);
	if (r == 0)
		r = compile_one(s->engine, &res->after, &res->all_after, &w->fwd, true, &w->after,
				err);
	return r < 0 ? r : weir_ruleset_diff(&w->before, &w->after, &w->delta, err);
}

/* Connections that are no longer let through end: only their first packet has met the rules. Those that are
 * judged need not be remembered for a successor: it judges all of them by what then holds. */
static int cut_flows(struct weir_session *s, const struct weir_delta *delta,
		     const struct weir_flow_match *flows, size_t n,
		     const struct weir_model *everybody, struct weir_err *err)
{
	return weir_flows_cut(s, flows, n, weir_flows_need_judging(delta) ? everybody : NULL, err);
}

static struct weir_delta reverse(const struct weir_delta *delta)
{
	return (struct weir_delta){
		.removed = delta->added,
		.n_removed = delta->n_added,
		.added = delta->removed,
		.n_added = delta->n_removed,
	};
}

static int take_back(struct weir_session *s, const struct weir_delta *back, bool was_present)
{
	const struct weir_delta nothing = { 0 };
	if (was_present)
		return weir_session_commit_rules(s, back, 0, NULL);
	memcpy(s->meta.backend, s->saved_meta.backend, sizeof(s->meta.backend));
	return weir_session_commit_rules(s, &nothing, WEIR_FW_WHOLE, NULL);
}

/* What came meanwhile goes with the rules that let it in. */
static int undo_rules(struct weir_session *s, const void *a, const void *b)
{
	const struct rules_work *w = a;
	const bool *was_present = b;
	struct weir_flow_match *flows = NULL;
	size_t n_flows = 0;
	const struct weir_delta back = reverse(&w->delta);
	if (!w->committed)
		return 0;
	int found = weir_flows_of(&back, &w->res->after, &s->arena, &flows, &n_flows, NULL);
	if (found == 0) /* for a successor; where the disk is full, closing matters more */
		(void)weir_lock_note_flows(&s->lock, flows, n_flows, NULL);
	int r = take_back(s, &back, *was_present);
	if (r == 0)
		r = found;
	return r < 0 ? r : cut_flows(s, &back, flows, n_flows, &w->res->all_before, NULL);
}

static int commit_rules(struct weir_session *s, struct rules_work *w, struct weir_err *err)
{
	const struct weir_delta nothing = { 0 };
	bool whole = w->empty && s->kernel.present;
	if (!whole && !w->delta.n_added && !w->delta.n_removed)
		return 0;
	bool *was_present = weir_arena_alloc(&s->arena, sizeof(*was_present));
	if (!was_present)
		return weir_err_set(err, ENOMEM, "out of memory");
	*was_present = s->kernel.present;
	int r = weir_session_push_undo(s, undo_rules, w, was_present, err);
	if (r == 0)
		r = weir_session_commit_rules(s, whole ? &nothing : &w->delta,
					      whole ? WEIR_FW_WHOLE : 0, err);
	w->committed = r == 0;
	if (w->committed && whole)
		s->meta.backend[0] = '\0'; /* nothing is left that would bind the host to it */
	return r;
}

/* ---- the work ---- */

static int note_flows(struct weir_session *s, const struct weir_resolution *res,
		      const struct rules_work *w, struct weir_flow_match **ret, size_t *ret_n,
		      struct weir_err *err)
{
	int r = weir_flows_of(&w->delta, &res->before, &s->arena, ret, ret_n, err);
	return r < 0 ? r : weir_lock_note_flows(&s->lock, *ret, *ret_n, err);
}

/* Before the rules change, for those who judge, on the way there or back. */
static int load_everybody(struct weir_session *s, struct weir_resolution *res,
			  const struct rules_work *w, struct weir_err *err)
{
	const struct weir_delta back = reverse(&w->delta);
	if (!weir_flows_need_judging(&w->delta) && !weir_flows_need_judging(&back))
		return 0;
	return weir_resolve_everybody(s, res, err);
}

static int carry_out(struct weir_session *s, struct weir_resolution *res, struct rules_work *w,
		     struct weir_err *err)
{
	struct weir_flow_match *flows = NULL;
	size_t n_flows = 0;
	int r = load_everybody(s, res, w, err);
	if (r == 0)
		r = note_flows(s, res, w, &flows, &n_flows, err);
	if (r == 0)
		r = weir_links_prepare(s, res, err);
	if (r == 0)
		r = weir_forwarding_restore(s, &w->fwd, err);
	if (r == 0 && w->networks_go)
		r = weir_links_withdraw(s, res, err);
	if (r == 0)
		r = commit_rules(s, w, err);
	if (r == 0)
		r = weir_forwarding_switch_on(s, &w->fwd, err);
	if (r == 0)
		r = cut_flows(s, &w->delta, flows, n_flows, &res->all_after, err);
	if (r == 0)
		r = weir_links_up(s, res, err);
	if (r == 0 && !w->networks_go)
		r = weir_links_withdraw(s, res, err);
	if (r == 0)
		r = weir_netns_withdraw(s, res, err);
	if (r == 0)
		r = weir_hosts_follow(s, res, err);
	return r < 0 ? r : weir_session_commit_store(s, err);
}

/* Did somebody change, by hand, one object of a spec? Of ops on ports the first stands for all: they are
 * about one endpoint. */
static bool changes_declared(const struct weir_plan *plan, const struct weir_change *change)
{
	const struct weir_op *op = change->ops;
	if (!change->edit &&
	    (!change->n_ops || (op->kind != WEIR_ADD_MAPPING && op->kind != WEIR_REMOVE_MAPPING)))
		return false;
	const struct weir_network *net = weir_model_network(&plan->after, op->name);
	const struct weir_endpoint *ep = weir_model_endpoint(&plan->after, op->name);
	return op->kind == WEIR_PUT_NETWORK ? net && net->declared : ep && ep->declared;
}

/* The spec goes on saying what it said. */
static int warn_declared(struct weir_plan *plan, const struct weir_change *change,
			 struct weir_err *err)
{
	if (!changes_declared(plan, change))
		return 0;
	const struct weir_step step = {
		.object = change->ops->network ? "network" : "endpoint",
		.name = change->ops->name,
		.detail = "it is declared in a spec: the next apply of that says what holds",
	};
	return weir_plan_add_warning(plan, &step, err);
}

static int warn(struct weir_session *s, struct weir_plan *plan, const struct weir_change *change,
		const struct weir_resolution *res, struct weir_err *err)
{
	int r = warn_declared(plan, change, err);
	for (size_t i = 0; r == 0 && i < res->after.n_endpoints; i++)
		r = weir_plan_warn_ports(plan, s, res, &res->after.endpoints[i], err);
	for (size_t i = 0; r == 0 && i < res->after.n_networks; i++)
		r = weir_plan_warn_network(plan, s, res, &res->after.networks[i], err);
	for (size_t i = 0; r == 0 && i < change->n_ops; i++)
		if (change->ops[i].kind == WEIR_PUT_POLICY)
			r = weir_plan_warn_policy(plan, &res->all_after, change->ops[i].policy,
						  err);
	return r;
}

/* An interface in the place of one that was to go. */
static int warn_strangers(struct weir_session *s, struct weir_plan *plan, struct weir_err *err)
{
	char words[80];
	int r = 0;
	for (size_t i = 0; r == 0 && i < s->strangers.n; i++) {
		const struct weir_step step = { .object = "interface",
						.name = s->strangers.items[i],
						.detail = words };
		(void)snprintf(words, sizeof(words),
			       "it is not weir's any more, and stays: `ip link del %s` removes it",
			       step.name);
		r = weir_plan_add_warning(plan, &step, err);
	}
	return r;
}

/* The kernel is asked whether it would take the rules; links are not tried. */
static int validate(struct weir_session *s, const struct rules_work *w, struct weir_err *err)
{
	const struct weir_firewall_ops *fw = s->engine->firewall;
	const struct weir_epoch epoch = weir_session_next_epoch(s);
	if (!(fw->capabilities & WEIR_FW_DRY_VALIDATE) ||
	    (!w->delta.n_added && !w->delta.n_removed))
		return 0;
	int r = fw->prepare(s->fw, &w->delta, 0, &s->kernel, &epoch, err);
	if (r == 0) {
		r = fw->validate(s->fw, err);
		fw->abort(s->fw);
	}
	return r;
}

static int change_in_transaction(struct weir_session *s, const struct weir_change *change,
				 bool fresh, struct weir_plan *plan, struct weir_err *err)
{
	WEIR_CLEAN_RESOLUTION struct weir_resolution res = { 0 };
	__attribute__((cleanup(free_rules))) struct rules_work w = { .res = &res };
	int r = weir_resolve(s, change, &res, err);
	if (r == 0)
		r = compile_change(s, &res, &w, err);
	if (r == 0)
		r = weir_plan_describe(plan, &res, err);
	if (r == 0)
		r = warn(s, plan, change, &res, err);
	if (r < 0)
		return r;
	if (s->dry_run)
		return fresh ? validate(s, &w, err) : 0;
	sigset_t was;
	weir_session_hold_signals(&was);
	r = carry_out(s, &res, &w, err);
	if (r == -ENOTRECOVERABLE)
		s->dirty = true; /* in a foreign namespace: going back would be done to that */
	else if (r < 0)
		weir_session_undo(s, err); /* while what it refers to is still there */
	weir_session_let_signals(&was);
	return r < 0 ? r : warn_strangers(s, plan, err);
}

/* What is declared is there after a boot, and so has what changes it to be. */
static int is_durable(struct weir_session *s, const struct weir_op *op, bool *ret,
		      struct weir_err *err)
{
	if (op->kind == WEIR_REMOVE_ENDPOINT || op->kind == WEIR_ADD_MAPPING ||
	    op->kind == WEIR_REMOVE_MAPPING)
		return weir_store_is_declared(s->store, op->name, ret, err);
	*ret = op->kind != WEIR_PUT_ENDPOINT || op->endpoint->declared;
	return 0;
}

static int begin_store(struct weir_session *s, const struct weir_change *change,
		       struct weir_err *err)
{
	bool durable = change->prune;
	int r = 0;
	for (size_t i = 0; r == 0 && !durable && i < change->n_ops; i++) {
		const struct weir_op *op = &change->ops[i];
		/* ports of one endpoint come one after the other */
		bool same = i && op->mapping && op[-1].mapping &&
			    strcmp(op->name, op[-1].name) == 0;
		if (!same)
			r = is_durable(s, op, &durable, err);
	}
	return r < 0 ? r : weir_store_begin(s->store, durable, err);
}

/* The object as it is, changed, as the one op of `change`. */
static int edit_object(struct weir_session *s, struct weir_change *change, struct weir_model *model,
		       struct weir_err *err)
{
	const struct weir_edit *edit = change->edit;
	struct weir_scope scope = {
		.networks = &(const char *){ edit->network },
		.n_networks = edit->network != NULL,
		.endpoints = &(const char *){ edit->endpoint },
		.n_endpoints = edit->endpoint != NULL,
	};
	struct weir_op *op = weir_arena_alloc(&s->arena, sizeof(*op));
	int r = op ? weir_store_load(s->store, &scope, model, err)
		   : weir_err_set(err, ENOMEM, "out of memory");
	if (r < 0)
		return r;
	const char *what = edit->endpoint ? "endpoint" : "network";
	*op = (struct weir_op){
		.kind = edit->endpoint ? WEIR_PUT_ENDPOINT : WEIR_PUT_NETWORK,
		.name = edit->endpoint ? edit->endpoint : edit->network,
		.network = edit->network ? weir_model_network(model, edit->network) : NULL,
		.endpoint = edit->endpoint ? weir_model_endpoint(model, edit->endpoint) : NULL,
	};
	if (!op->network && !op->endpoint)
		return weir_err_set(err, ENOENT, "no %s named \"%s\" (weir %s ls)", what, op->name,
				    what);
	change->ops = op;
	change->n_ops = 1;
	return edit->fn(edit->ctx, model, err);
}

static int run_change(struct weir_session *s, const struct weir_change *wanted, bool everything,
		      struct weir_plan *plan, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model all = { 0 }, edited = { 0 };
	struct weir_change change = *wanted;
	bool fresh = false;
	int r = weir_session_is_fresh(s, &fresh, err);
	if (r == 0 && (!fresh || wanted->converge))
		r = weir_converge(s, plan, NULL, err);
	if (!wanted->converge)
		plan->n_unmended = 0; /* it was not asked for */
	if (r == 0 && change.edit)
		r = edit_object(s, &change, &edited, err);
	if (r == 0)
		r = begin_store(s, &change, err);
	if (r == 0 && (change.prune || everything))
		r = add_pruned(s, &change, everything, &all, err);
	if (r == 0)
		r = change_in_transaction(s, &change, fresh || !s->dry_run, plan, err);
	if (r < 0 || s->dry_run)
		weir_store_rollback(s->store);
	return r;
}

int weir_engine_change(const struct weir_engine *engine, const struct weir_change *change,
		       bool dry_run, struct weir_plan *ret, struct weir_err *err)
{
	WEIR_CLEAN_SESSION struct weir_session s = { .lock = WEIR_LOCK_INIT };
	struct weir_plan plan = { 0 };
	int r = weir_session_open(engine, dry_run, &s, err);
	if (r == 0)
		r = run_change(&s, change, false, &plan, err);
	return weir_plan_give(&plan, r, ret);
}

/* As any other change, so that rules, flows, gateways and wires follow. */
static int drop_gone(struct weir_session *s, const struct weir_nameset *gone, struct weir_err *err)
{
	struct weir_change change = { .n_ops = gone->n };
	struct weir_plan plan = { 0 }; /* told already, as drift */
	change.ops = weir_arena_alloc(&s->arena, gone->n * sizeof(*change.ops) + 1);
	if (!change.ops)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < gone->n; i++)
		change.ops[i] = (struct weir_op){ .kind = WEIR_REMOVE_ENDPOINT,
						  .name = gone->items[i],
						  .though_named = true };
	int r = weir_store_begin(s->store, true, err);
	if (r == 0)
		r = change_in_transaction(s, &change, true, &plan, err);
	if (r < 0)
		weir_store_rollback(s->store);
	weir_plan_free(&plan);
	return r;
}

static int mend_host(const struct weir_engine *engine, bool dry_run, bool restoring,
		     struct weir_plan *ret, struct weir_err *err)
{
	WEIR_CLEAN_SESSION struct weir_session s = { .lock = WEIR_LOCK_INIT };
	struct weir_plan plan = { 0 };
	struct weir_nameset gone = { 0 };
	int r = weir_session_open(engine, dry_run, &s, err);
	s.look_aside = true;
	s.restoring = restoring;
	if (r == 0 && !dry_run)
		r = weir_store_verify(s.store, err);
	if (r == 0)
		r = weir_converge(&s, &plan, &gone, err);
	if (r == 0 && gone.n && !dry_run)
		r = drop_gone(&s, &gone, err);
	return weir_plan_give(&plan, r, ret);
}

int weir_engine_repair(const struct weir_engine *engine, bool dry_run, struct weir_plan *ret,
		       struct weir_err *err)
{
	return mend_host(engine, dry_run, false, ret, err);
}

int weir_engine_restore(const struct weir_engine *engine, bool dry_run, struct weir_plan *ret,
			struct weir_err *err)
{
	return mend_host(engine, dry_run, true, ret, err);
}

/* The folder is nobody's any more: what weir keeps in it goes, the lock last. */
static int remove_state(struct weir_session *s, struct weir_err *err)
{
	weir_store_close(s->store);
	s->store = NULL;
	int r = weir_store_destroy(s->engine->state_dir, err);
	if (r == 0)
		weir_lock_remove(&s->lock, s->engine->state_dir);
	return r;
}

int weir_engine_delete_all(const struct weir_engine *engine, bool dry_run, struct weir_plan *ret,
			   struct weir_err *err)
{
	WEIR_CLEAN_SESSION struct weir_session s = { .lock = WEIR_LOCK_INIT };
	const struct weir_change nothing = { 0 };
	struct weir_plan plan = { 0 };
	int r = weir_session_open(engine, dry_run, &s, err);
	if (r == 0)
		r = run_change(&s, &nothing, true, &plan, err);
	if (r == 0 && !dry_run)
		r = remove_state(&s, err);
	return weir_plan_give(&plan, r, ret);
}
