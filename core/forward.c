/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forwarding on the host: switched on where a network needs it, remembered, restored, and guarded.
 *
 * How it works: the store keeps every sysctl that weir has changed with what it was. A family is
 * guarded exactly while its forwarding switch is among them. With IPv6 forwarding on, the kernel takes
 * router advertisements only where accept_ra is 2 (Documentation/networking/ip-sysctl) and drops what it
 * learnt elsewhere. So accept_ra becomes 2 wherever it is 1, whether or not there is a router yet, and
 * for interfaces that come later. */
#include "core/forward.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/plan.h"

static const char *const switches[WEIR_NUM_FAMILIES] = {
	[WEIR_IPV4] = "net/ipv4/ip_forward",
	[WEIR_IPV6] = "net/ipv6/conf/all/forwarding",
};
static_assert(sizeof(switches) / sizeof(*switches) == WEIR_NUM_FAMILIES, "one for each family");

static enum weir_family family_of(const char *key)
{
	return strncmp(key, "net/ipv6/", strlen("net/ipv6/")) == 0 ? WEIR_IPV6 : WEIR_IPV4;
}

/* What was changed in an earlier boot went with it: the values of now are the host's own. So they are where
 * the host keeps them. */
static int load_sysctls(struct weir_session *s, struct weir_stored_sysctl **ret, size_t *ret_n,
			struct weir_err *err)
{
	if (s->new_boot || s->engine->keep_forwarding)
		return 0;
	return weir_store_sysctls(s->store, &s->arena, ret, ret_n, err);
}

static bool is_switched(const struct weir_stored_sysctl *sysctls, size_t n, enum weir_family family)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(sysctls[i].key, switches[family]) == 0)
			return true;
	return false;
}

int weir_forwarding_plan(struct weir_session *s, struct weir_forwarding *ret, struct weir_err *err)
{
	struct weir_forwarding fwd = { .keep = s->engine->keep_forwarding };
	WEIR_CLEAN_MODEL struct weir_model networks = { 0 };
	struct weir_scope scope = { .all = true, .only_networks = true };
	int r = weir_store_load(s->store, &scope, &networks, err);
	if (r < 0)
		return r;
	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		for (size_t i = 0; i < networks.n_networks; i++)
			fwd.needed[f] |= weir_network_forwards(&networks.networks[i], f);

	struct weir_stored_sysctl *sysctls = NULL;
	size_t n = 0;
	r = load_sysctls(s, &sysctls, &n, err);
	for (enum weir_family f = WEIR_IPV4; r == 0 && f < WEIR_NUM_FAMILIES; f++) {
		long value = 1;
		fwd.guarded[f] = is_switched(sysctls, n, f);
		if (fwd.needed[f]) /* somebody may have switched it off again */
			r = s->engine->links->sysctl_get(s->links, switches[f], &value, err);
		fwd.switch_on[f] = value == 0;
		fwd.restore[f] = fwd.guarded[f] && !fwd.needed[f];
	}
	if (r == 0)
		*ret = fwd;
	return r;
}

static int record(struct weir_session *s, const struct weir_stored_sysctl *sysctl,
		  struct weir_err *err)
{
	int r = weir_store_put_sysctl(s->store, sysctl, err);
	return r < 0 ? r : weir_session_note_sysctl(s, sysctl->key, sysctl->old, err);
}

static int change(struct weir_session *s, const char *key, long value, struct weir_err *err)
{
	long old = value;
	int r = s->engine->links->sysctl_get(s->links, key, &old, err);
	if (r < 0 || old == value)
		return r;
	if (!s->engine->keep_forwarding)
		r = record(s, &(struct weir_stored_sysctl){ .key = key, .old = old, .set = value },
			   err);
	return r < 0 ? r : s->engine->links->sysctl_set(s->links, key, value, err);
}

/* Whoever forwards already has taken none so far. */
static int keep_uplink(struct weir_session *s, const char *ifname, struct weir_err *err)
{
	long accepts = 0, forwards = 0;
	const char *key = weir_arena_printf(&s->arena, "net/ipv6/conf/%s/accept_ra", ifname);
	const char *own = weir_arena_printf(&s->arena, "net/ipv6/conf/%s/forwarding", ifname);
	if (!key || !own)
		return weir_err_set(err, ENOMEM, "out of memory");
	int r = s->engine->links->sysctl_get(s->links, own, &forwards, err);
	if (r == 0)
		r = s->engine->links->sysctl_get(s->links, key, &accepts, err);
	if (r == 0 && accepts == 1 && !forwards)
		r = change(s, key, 2, err);
	return r == -ENOENT ? 0 : r; /* it is gone, or has no IPv6 */
}

static int keep_uplinks(struct weir_session *s, struct weir_err *err)
{
	char(*uplinks)[WEIR_IFNAME_SIZE] = NULL;
	size_t n = 0;
	int r = s->engine->links->uplinks(s->links, &s->arena, &uplinks, &n, err);
	if (r == 0)
		r = keep_uplink(s, "default", err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = keep_uplink(s, uplinks[i], err);
	return r;
}

int weir_forwarding_switch_on(struct weir_session *s, const struct weir_forwarding *fwd,
			      struct weir_err *err)
{
	int r = 0;
	if (fwd->switch_on[WEIR_IPV6])
		r = keep_uplinks(s, err);
	for (enum weir_family f = WEIR_IPV4; r == 0 && f < WEIR_NUM_FAMILIES; f++)
		if (fwd->switch_on[f])
			r = change(s, switches[f], 1, err);
	return r;
}

static int undo_restore(struct weir_session *s, const void *a, const void *b)
{
	const struct weir_stored_sysctl *sysctl = a;
	(void)b;
	return s->engine->links->sysctl_set(s->links, sysctl->key, sysctl->set, NULL);
}

/* A value that somebody else has given meanwhile is theirs. */
static int restore(struct weir_session *s, const struct weir_stored_sysctl *sysctl,
		   struct weir_err *err)
{
	long now = 0;
	int r = s->engine->links->sysctl_get(s->links, sysctl->key, &now, err);
	if (r == -ENOENT) /* the interface is gone */
		return weir_store_remove_sysctl(s->store, sysctl->key, err);
	if (r == 0 && now == sysctl->set) {
		r = weir_session_push_undo(s, undo_restore, sysctl, NULL, err);
		if (r == 0)
			r = s->engine->links->sysctl_set(s->links, sysctl->key, sysctl->old, err);
	}
	return r < 0 ? r : weir_store_remove_sysctl(s->store, sysctl->key, err);
}

int weir_forwarding_restore(struct weir_session *s, const struct weir_forwarding *fwd,
			    struct weir_err *err)
{
	struct weir_stored_sysctl *sysctls = NULL;
	size_t n = 0;
	if (!fwd->restore[WEIR_IPV4] && !fwd->restore[WEIR_IPV6])
		return 0;
	int r = load_sysctls(s, &sysctls, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (fwd->restore[family_of(sysctls[i].key)])
			r = restore(s, &sysctls[i], err);
	return r;
}

int weir_forwarding_guards(const struct weir_forwarding *fwd, bool after,
			   struct weir_ruleset *rules, struct weir_err *err)
{
	int r = 0;
	for (enum weir_family f = WEIR_IPV4; r == 0 && f < WEIR_NUM_FAMILIES; f++) {
		struct weir_entry guard = { .kind = WEIR_ENTRY_GUARD,
					    .family = f,
					    .owner = "forwarding" };
		bool there = fwd->guarded[f];
		if (after)
			there = (there && !fwd->restore[f]) || (fwd->switch_on[f] && !fwd->keep);
		if (there)
			r = weir_ruleset_add(rules, &guard, err);
	}
	return r;
}

int weir_engine_guards(const struct weir_stored_sysctl *sysctls, size_t n,
		       struct weir_ruleset *rules, struct weir_err *err)
{
	struct weir_forwarding fwd = { 0 };
	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		fwd.guarded[f] = is_switched(sysctls, n, f);
	return weir_forwarding_guards(&fwd, false, rules, err);
}

int weir_forwarding_forget(struct weir_session *s, struct weir_err *err)
{
	struct weir_stored_sysctl *sysctls = NULL;
	size_t n = 0;
	int r = weir_store_sysctls(s->store, &s->arena, &sysctls, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = weir_store_remove_sysctl(s->store, sysctls[i].key, err);
	return r;
}

static int tell_drift(struct weir_plan *plan, const struct weir_stored_sysctl *sysctl, long now,
		      struct weir_err *err)
{
	char detail[64];
	(void)snprintf(detail, sizeof(detail), "it is %ld, and should be %ld", now, sysctl->set);
	return weir_plan_add_drift(plan, WEIR_ACTION_CHANGE, "sysctl", sysctl->key, detail, err);
}

/* An uplink whose accept_ra is neither what it was nor what weir made it has a program of its own that
 * hears the advertisements, and has switched the kernel's ears off. */
static bool has_drifted(const struct weir_stored_sysctl *sysctl, long now)
{
	bool is_switch = strcmp(sysctl->key, switches[family_of(sysctl->key)]) == 0;
	return is_switch ? now != sysctl->set : now == sysctl->old;
}

static int tell_kept(struct weir_session *s, struct weir_plan *plan, struct weir_err *err)
{
	struct weir_stored_sysctl *sysctls = NULL;
	size_t n = 0;
	int r = weir_store_sysctls(s->store, &s->arena, &sysctls, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = weir_plan_add_drift(plan, WEIR_ACTION_CHANGE, "sysctl", sysctls[i].key,
					"the host's own from now on", err);
	return r;
}

int weir_forwarding_compare(struct weir_session *s, struct weir_plan *plan, struct weir_err *err)
{
	struct weir_stored_sysctl *sysctls = NULL;
	const struct weir_link_ops *links = s->engine->links;
	size_t n = 0;
	if (plan && s->engine->keep_forwarding)
		return tell_kept(s, plan, err);
	int r = load_sysctls(s, &sysctls, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		long now = sysctls[i].set;
		r = links->sysctl_get(s->links, sysctls[i].key, &now, err);
		if (r == -ENOENT) /* its interface is gone */
			r = 0;
		if (r < 0 || !has_drifted(&sysctls[i], now))
			continue;
		r = plan ? tell_drift(plan, &sysctls[i], now, err)
			 : links->sysctl_set(s->links, sysctls[i].key, sysctls[i].set, err);
	}
	return r;
}
