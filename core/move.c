/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves a host's rules from one packet filter to another.
 *
 * How it works: first the old filter is converged, so that both speak of the same; then all rules go
 * into the new one, while the old ones stay in force; then the old ones go; then the store names the
 * new one. In between a packet meets both. Both drop what one drops, and they agree; of two
 * translations the first that a connection's first packet meets counts, and they are the same. What is
 * established goes on: connection tracking, which knows how it is translated, belongs to neither, and
 * both let it pass by its state.
 *
 * The mark names both filters before either is touched. Until the store commits, the old one is in
 * charge: a step that fails puts its rules back, if they had gone, and only then takes the new ones out;
 * after a kill the next command does the same by converging (core/converge.c).
 *
 * Where the old filter holds nothing (flushed, after a reboot, with a kernel that does not have it any
 * more), nothing is to be handed over: the host is converged with the new one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/aside.h"
#include "core/converge.h"
#include "core/forward.h"
#include "core/plan.h"

struct move {
	struct weir_session *s;
	struct weir_aside *to;
	struct weir_model model;
	struct weir_ruleset rules;
	struct weir_delta all; /* from nothing to the rules */
	struct weir_store_meta before;
	bool withdrawing; /* the old rules may have gone */
};

static void free_move(struct move *m)
{
	weir_aside_close(m->to);
	weir_delta_free(&m->all);
	weir_ruleset_free(&m->rules);
	weir_model_free(&m->model);
}

static const char *new_name(const struct move *m)
{
	return m->to->engine.firewall->name;
}

static void put_in_charge(struct weir_session *s, const char *name)
{
	memset(s->meta.backend, 0, sizeof(s->meta.backend));
	memcpy(s->meta.backend, name, strnlen(name, sizeof(s->meta.backend) - 1));
}

/* ---- the rules ---- */

/* As the store has them, which is what the old filter holds. */
static int compile_all(struct move *m, struct weir_err *err)
{
	struct weir_session *s = m->s;
	const struct weir_scope all = { .all = true, .policies = true };
	const struct weir_ruleset nothing = { 0 };
	struct weir_forwarding fwd = { 0 };
	int r = weir_store_load(s->store, &all, &m->model, err);
	if (r == 0)
		r = s->engine->compile(&m->model, &m->rules, err);
	if (r == 0)
		r = weir_forwarding_plan(s, &fwd, err);
	if (r == 0)
		r = weir_forwarding_guards(&fwd, false, &m->rules, err);
	if (r == 0)
		r = weir_ruleset_sort(&m->rules, err);
	return r < 0 ? r : weir_ruleset_diff(&nothing, &m->rules, &m->all, err);
}

static int refuse_foreign(struct move *m, struct weir_err *err)
{
	weir_aside_turn(m->s, m->to);
	int r = weir_session_refuse_foreign(m->s, err);
	weir_aside_turn(m->s, m->to);
	return r;
}

/* Would the new filter take them? Nothing is touched yet; a filter that has no dry run may load modules
 * to prepare anything, so that it is not asked in one. */
static int rehearse(struct move *m, struct weir_err *err)
{
	struct weir_session *s = m->s;
	const struct weir_firewall_ops *fw = m->to->engine.firewall;
	const struct weir_epoch epoch = weir_session_next_epoch(s);
	if (s->dry_run && !(fw->capabilities & WEIR_FW_DRY_VALIDATE))
		return refuse_foreign(m, err);
	int r = fw->prepare(m->to->fw, &m->all, WEIR_FW_WHOLE | WEIR_FW_COVERED, &m->to->kernel,
			    &epoch, err);
	if (r < 0)
		return r;
	if (s->dry_run)
		r = fw->validate(m->to->fw, err);
	fw->abort(m->to->fw);
	return r;
}

/* The old rules are put back before the new ones go. */
static int go_back(struct weir_session *s, const void *a, const void *b)
{
	const struct move *m = a;
	const struct weir_firewall_ops *old = s->engine->firewall, *new = m->to->engine.firewall;
	int r = 0;
	(void)b;
	s->meta = m->before;
	if (m->withdrawing)
		r = old->state(s->fw, &s->kernel, NULL);
	if (r == 0 && m->withdrawing &&
	    (!s->kernel.present || s->kernel.epoch.counter != m->before.counter))
		r = weir_session_commit_rules(s, &m->all, WEIR_FW_WHOLE | WEIR_FW_COVERED, NULL);
	if (r == 0)
		r = new->state(m->to->fw, &m->to->kernel, NULL);
	if (r == 0 && m->to->kernel.present)
		r = weir_aside_withdraw(s, m->to, NULL);
	return r;
}

/* In an open transaction of the store. */
static int hand_over(struct move *m, struct weir_err *err)
{
	struct weir_session *s = m->s;
	const struct weir_delta nothing = { 0 };
	m->before = s->meta;
	int r = weir_lock_note_backend(&s->lock, s->engine->firewall->name, err);
	if (r == 0)
		r = weir_lock_note_backend(&s->lock, new_name(m), err);
	if (r == 0)
		r = weir_session_push_undo(s, go_back, m, NULL, err);
	if (r < 0)
		return r;
	weir_aside_turn(s, m->to);
	r = weir_session_commit_rules(s, &m->all, WEIR_FW_WHOLE | WEIR_FW_COVERED, err);
	weir_aside_turn(s, m->to);
	if (r < 0)
		return r;
	struct weir_store_meta meta = s->meta;
	m->withdrawing = true;
	r = weir_session_commit_rules(s, &nothing, WEIR_FW_WHOLE | WEIR_FW_COVERED, err);
	s->meta = meta; /* the account of the new one */
	put_in_charge(s, new_name(m));
	return r < 0 ? r : weir_session_commit_store(s, err);
}

static int move_rules(struct move *m, struct weir_err *err)
{
	struct weir_session *s = m->s;
	sigset_t was;
	int r = compile_all(m, err);
	if (r == 0)
		r = rehearse(m, err);
	if (r < 0 || s->dry_run)
		return r;
	r = weir_store_begin(s->store, true, err);
	if (r < 0)
		return r;
	weir_session_hold_signals(&was);
	r = hand_over(m, err);
	if (r < 0)
		weir_session_undo(s, err);
	weir_session_let_signals(&was);
	return r;
}

/* ---- where nothing is to be handed over ---- */

/* Not an error: this kernel does not have the old filter at all. */
static int ask_old(struct weir_session *s, struct weir_err *err)
{
	const struct weir_firewall_ops *fw = s->engine->firewall;
	struct weir_err why = { 0 };
	int r = fw->state(s->fw, &s->kernel, &why);
	if (r == 0)
		return weir_session_refuse_foreign(s, err);
	if (fw->probe(NULL) != -EOPNOTSUPP)
		return weir_err_set(err, r, "%s", why.text);
	s->kernel = (struct weir_firewall_state){ 0 };
	return 0;
}

static int begin_anew(struct move *m, struct weir_plan *plan, struct weir_err *err)
{
	struct weir_session *s = m->s;
	int r = s->dry_run ? 0 : weir_lock_note_backend(&s->lock, new_name(m), err);
	if (r < 0)
		return r;
	weir_aside_turn(s, m->to);
	put_in_charge(s, s->engine->firewall->name);
	r = weir_converge(s, plan, NULL, err);
	weir_aside_turn(s, m->to);
	return r;
}

/* ---- the whole ---- */

static int make_sure_of_old(struct weir_session *s, struct weir_plan *plan, struct weir_err *err)
{
	bool fresh = false;
	int r = weir_session_is_fresh(s, &fresh, err);
	return r == 0 && !fresh ? weir_converge(s, plan, NULL, err) : r;
}

static int tell(struct weir_plan *plan, const char *to, const char *from, struct weir_err *err)
{
	char text[64];
	(void)snprintf(text, sizeof(text), from[0] ? "instead of %s" : "chosen", from);
	return weir_plan_add_step(plan, WEIR_ACTION_CHANGE, "backend", to, text, err);
}

static int move_to(struct weir_session *s, const struct weir_firewall_ops *ops,
		   struct weir_plan *plan, struct weir_err *err)
{
	__attribute__((cleanup(free_move))) struct move m = { .s = s };
	char from[sizeof(s->saved_meta.backend)];
	memcpy(from, s->saved_meta.backend, sizeof(from));
	bool same = strcmp(s->engine->firewall->name, ops->name) == 0;
	int r = ask_old(s, err);
	if (same)
		put_in_charge(s, ops->name); /* by choice, and before any rule is there */
	if (r == 0 && (same || s->kernel.present))
		r = make_sure_of_old(s, plan, err);
	if (r == 0 && !same)
		r = weir_aside_open(s, ops, &m.to, err);
	if (r == 0 && !same)
		r = s->kernel.present ? move_rules(&m, err) : begin_anew(&m, plan, err);
	if (r == 0 && strcmp(from, ops->name) != 0)
		r = tell(plan, ops->name, from, err);
	return r;
}

int weir_engine_move(const struct weir_engine *engine, const struct weir_firewall_ops *to,
		     bool dry_run, struct weir_plan *ret, struct weir_err *err)
{
	WEIR_CLEAN_SESSION struct weir_session s = { .lock = WEIR_LOCK_INIT };
	struct weir_plan plan = { 0 };
	int r = weir_session_open(engine, dry_run, &s, err);
	if (r == 0)
		r = move_to(&s, to, &plan, err);
	return weir_plan_give(&plan, r, ret);
}
