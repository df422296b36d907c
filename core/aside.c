/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another packet filter than the one in charge. */
#include "core/aside.h"

#include <errno.h>
#include <string.h>

#include "core/plan.h"

int weir_aside_open(struct weir_session *s, const struct weir_firewall_ops *ops,
		    struct weir_aside **ret, struct weir_err *err)
{
	struct weir_aside *aside = weir_arena_alloc(&s->arena, sizeof(*aside));
	if (!aside)
		return weir_err_set(err, ENOMEM, "out of memory");
	*aside = (struct weir_aside){ .engine = *s->engine };
	aside->engine.firewall = ops;
	aside->at = &aside->engine;
	int r = ops->open(s->meta.uuid, s->engine->trace, &aside->fw, err);
	if (r < 0)
		return r;
	if (ops->set_timeout)
		ops->set_timeout(aside->fw, s->engine->timeout_ms);
	r = ops->state(aside->fw, &aside->kernel, err);
	if (r < 0)
		weir_aside_close(aside);
	else
		*ret = aside;
	return r;
}

void weir_aside_close(struct weir_aside *aside)
{
	if (!aside)
		return;
	aside->at->firewall->close(aside->fw);
	aside->fw = NULL;
}

void weir_aside_turn(struct weir_session *s, struct weir_aside *aside)
{
	const struct weir_engine *engine = s->engine;
	struct weir_firewall *fw = s->fw;
	struct weir_firewall_state kernel = s->kernel;
	s->engine = aside->at;
	s->fw = aside->fw;
	s->kernel = aside->kernel;
	aside->at = engine;
	aside->fw = fw;
	aside->kernel = kernel;
}

int weir_aside_withdraw(struct weir_session *s, struct weir_aside *aside, struct weir_err *err)
{
	const struct weir_delta nothing = { 0 };
	struct weir_store_meta meta = s->meta;
	weir_aside_turn(s, aside);
	int r = weir_session_commit_rules(s, &nothing, WEIR_FW_WHOLE | WEIR_FW_COVERED, err);
	weir_aside_turn(s, aside);
	s->meta = meta;
	return r;
}

/* ---- what others hold ---- */

static bool is_marked(const struct weir_session *s, const char *backend)
{
	for (size_t i = 0; i < s->lock.n_backends; i++)
		if (strcmp(s->lock.backends[i], backend) == 0)
			return true;
	return false;
}

/* A half-written one may not tell whose it is; the mark does then. */
static bool is_ours(const struct weir_session *s, const struct weir_aside *aside, bool marked)
{
	const char *store = aside->kernel.epoch.store;
	return aside->kernel.present && (strcmp(store, s->meta.uuid) == 0 || (marked && !store[0]));
}

static int look_at(struct weir_session *s, const struct weir_firewall_ops *ops,
		   struct weir_plan *plan, struct weir_err *err)
{
	WEIR_CLEAN_ASIDE struct weir_aside *aside = NULL;
	struct weir_err why = { 0 };
	bool marked = is_marked(s, ops->name);
	if (!marked && !s->look_aside)
		return 0;
	int r = weir_aside_open(s, ops, &aside, &why);
	if (r < 0 && marked && ops->probe(NULL) != -EOPNOTSUPP) /* else it holds nothing */
		return weir_err_set(err, r, "%s", why.text);
	if (r < 0 || !is_ours(s, aside, marked))
		return 0;
	if (plan)
		return weir_plan_add_drift(plan, WEIR_ACTION_REMOVE, "rules", ops->container,
					   "left there by a move to another backend", err);
	return weir_aside_withdraw(s, aside, err);
}

int weir_asides_compare(struct weir_session *s, struct weir_plan *plan, struct weir_err *err)
{
	const struct weir_firewall_ops *const *all = s->engine->firewalls;
	int r = 0;
	for (; r == 0 && all && *all; all++)
		if (strcmp((*all)->name, s->engine->firewall->name) != 0)
			r = look_at(s, *all, plan, err);
	return r;
}
