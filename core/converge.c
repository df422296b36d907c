/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Converging: the kernel becomes what the store says, whatever it is now.
 *
 * How it works: everything wanted is loaded, everything there is read back, and what differs is mended
 * in the order of any change: links down, rules in one transaction, connections forgotten, links up,
 * what is too much removed. Nothing is undone on failure: the mark stays, and the next command
 * converges again from wherever this one stopped.
 *
 * A network or an endpoint that cannot be mended is told and left, and so is the mark: root inside one
 * endpoint can see to that, and must not keep the others, nor the rules, from being mended. Rules allow
 * what the store says whether or not a link is there for it. */
#include "core/converge.h"

#include <errno.h>
#include <string.h>

#include "core/aside.h"
#include "core/flows.h"
#include "core/forward.h"
#include "core/hosts.h"
#include "core/linkwork.h"
#include "core/names.h"
#include "core/plan.h"

struct work {
	struct weir_session *s;
	struct weir_plan *plan;
	struct weir_err *err;
	struct weir_model want;
	bool *network_differs; /* by index in want.networks */
	bool *endpoint_differs;
	struct weir_nameset gone;
	struct weir_forwarding fwd;
	struct weir_ruleset want_rules, have_rules;
	struct weir_delta delta; /* have -> want, as far as the kernel's rules could be read */
	bool whole;
	struct weir_flow_match *flows; /* what the delta cuts */
	size_t n_flows;
	struct weir_nameset orphans; /* interfaces of ours that nobody wants */
	bool left;		     /* something could not be mended */
};

static void free_work(struct work *w)
{
	weir_model_free(&w->want);
	weir_ruleset_free(&w->want_rules);
	weir_ruleset_free(&w->have_rules);
	weir_delta_free(&w->delta);
}

static const struct weir_link_ops *ops_of(const struct work *w)
{
	return w->s->engine->links;
}

static int drift(struct work *w, enum weir_action action, const char *object, const char *name,
		 const char *detail)
{
	return weir_plan_add_drift(w->plan, action, object, name, detail, w->err);
}

/* An error of one object's, by which the others need not suffer. */
static bool is_its_own(int r)
{
	return r < 0 && r != -ENOMEM && r != -ENOTRECOVERABLE;
}

/* 0 when the rest can go on without this object. */
static int leave(struct work *w, int r, const char *object, const char *name,
		 const struct weir_err *why)
{
	if (is_its_own(r)) {
		w->left = true;
		return weir_plan_add_unmended(w->plan, object, name, why->text, w->err);
	}
	if (r < 0 && w->err)
		*w->err = *why;
	return r;
}

/* ---- a predecessor's mark ---- */

static bool knows_sysctl(const struct weir_stored_sysctl *sysctls, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(sysctls[i].key, key) == 0)
			return true;
	return false;
}

/* A sysctl that was changed but never recorded goes back. */
static int finish_sysctls(struct work *w)
{
	struct weir_lock *lock = &w->s->lock;
	struct weir_stored_sysctl *sysctls = NULL;
	size_t n = 0;
	int r = 0;
	if (w->s->new_boot) /* the host has its own values again */
		return 0;
	r = weir_store_sysctls(w->s->store, &w->s->arena, &sysctls, &n, w->err);
	for (size_t i = 0; r == 0 && i < lock->n_sysctls; i++) {
		if (knows_sysctl(sysctls, n, lock->sysctls[i].key))
			continue;
		r = ops_of(w)->sysctl_set(w->s->links, lock->sysctls[i].key, lock->sysctls[i].old,
					  w->err);
		if (r == -ENOENT)
			r = 0; /* its interface is gone */
	}
	if (r == 0 && lock->n_sysctls)
		weir_lock_settle_sysctls(lock);
	return r;
}

/* A namespace that was made but never recorded goes. */
static int finish_netns(struct work *w)
{
	struct weir_lock *lock = &w->s->lock;
	for (size_t i = 0; i < lock->n_netns; i++) {
		const struct weir_endpoint unknown = { .name = lock->netns[i] };
		const struct weir_endpoint *ep = weir_model_endpoint(&w->want, lock->netns[i]);
		if (ep && ep->netns == WEIR_NETNS_OWN && ep->netns_id.ino)
			continue;
		int r = ops_of(w)->netns_remove(w->s->links, &unknown, w->err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_stored(const struct work *w, const struct weir_noted_attachment *noted)
{
	const struct weir_endpoint *ep = weir_model_endpoint(&w->want, noted->ep.name);
	const struct weir_attachment *att = ep ? weir_endpoint_attachment(ep, noted->att.network)
					       : NULL;
	return att && weir_endpoint_same_netns(ep, &noted->ep) &&
	       strcmp(att->ifname, noted->att.ifname) == 0;
}

/* It may have been made a router. */
static int leave_foreign(struct work *w, const struct weir_endpoint *noted, struct weir_err *err)
{
	const struct weir_endpoint *ep = weir_model_endpoint(&w->want, noted->name);
	struct weir_endpoint router = *noted;
	if (noted->netns != WEIR_NETNS_PATH || (ep && weir_endpoint_same_netns(ep, noted)))
		return 0;
	router.forward = true;
	return ops_of(w)->netns_remove(w->s->links, &router, err);
}

/* So does an interface inside that was never recorded: no orphan on the host shows it. */
static int finish_attachments(struct work *w)
{
	struct weir_lock *lock = &w->s->lock;
	int r = 0;
	for (size_t i = 0; r == 0 && i < lock->n_attachments; i++) {
		const struct weir_noted_attachment *noted = &lock->attachments[i];
		struct weir_err why = { 0 };
		if (is_stored(w, noted))
			continue;
		r = ops_of(w)->wire_remove(w->s->links, &noted->ep, &noted->att, &why);
		if (r == 0)
			r = leave_foreign(w, &noted->ep, &why);
		r = leave(w, r, "endpoint", noted->ep.name, &why);
	}
	return r;
}

static int finish_mark(struct work *w)
{
	if (w->s->dry_run || !w->s->lock.dirty)
		return 0;
	int r = finish_sysctls(w);
	if (r == 0)
		r = finish_attachments(w);
	return r < 0 ? r : finish_netns(w);
}

/* ---- reading ---- */

static int load_wanted(struct work *w)
{
	struct weir_scope scope = { .all = true, .policies = true };
	int r = weir_store_load(w->s->store, &scope, &w->want, w->err);
	if (r < 0)
		return r;
	size_t n = w->want.n_networks + w->want.n_endpoints + 1;
	bool *flags = weir_arena_alloc(&w->s->arena, n * sizeof(*flags));
	if (!flags)
		return weir_err_set(w->err, ENOMEM, "out of memory");
	w->network_differs = flags;
	w->endpoint_differs = flags + w->want.n_networks;
	for (size_t i = 0; i < w->want.n_endpoints; i++) {
		struct weir_endpoint *ep = &w->want.endpoints[i];
		if (strcmp(ep->netns_id.boot, w->s->here.boot) != 0)
			ep->netns_id = (struct weir_netns_id){ 0 };
	}
	return 0;
}

static int compile_wanted(struct work *w)
{
	int r = w->s->engine->compile(&w->want, &w->want_rules, w->err);
	if (r == 0)
		r = weir_forwarding_guards(&w->fwd, true, &w->want_rules, w->err);
	return r < 0 ? r : weir_ruleset_sort(&w->want_rules, w->err);
}

/* Would the backend replace what is there at all? It refuses what is not ours: that has to be known
 * before links are touched. */
static int try_whole(struct work *w)
{
	struct weir_session *s = w->s;
	WEIR_CLEAN_DELTA struct weir_delta all = { 0 };
	const struct weir_ruleset nothing = { 0 };
	const struct weir_epoch epoch = weir_session_next_epoch(s);
	int r = weir_ruleset_diff(&nothing, &w->want_rules, &all, w->err);
	if (r == 0)
		r = s->engine->firewall->prepare(s->fw, &all, WEIR_FW_WHOLE, &s->kernel, &epoch,
						 w->err);
	if (r == 0)
		s->engine->firewall->abort(s->fw);
	return r;
}

static int read_rules(struct work *w)
{
	struct weir_err why = { 0 };
	struct weir_session *s = w->s;
	int r = s->engine->firewall->list(s->fw, &w->have_rules, &s->kernel, &why);
	if (r == -ESTALE) {
		w->whole = true;
		r = drift(w, WEIR_ACTION_CHANGE, "rules", s->engine->firewall->container, why.text);
	} else if (r < 0 && w->err) {
		*w->err = why;
	}
	if (r == 0)
		r = weir_session_refuse_foreign(s, w->err);
	if (r < 0)
		return r;
	w->whole |= s->kernel.present && !s->kernel.epoch.store[0];
	if (w->whole && s->kernel.present)
		r = try_whole(w);
	if (r < 0)
		return r;
	if (!s->kernel.present && w->want_rules.n)
		r = drift(w, WEIR_ACTION_ADD, "rules", s->engine->firewall->container, "not there");
	else if (s->kernel.present && !s->kernel.epoch.store[0])
		r = drift(w, WEIR_ACTION_CHANGE, "rules", s->engine->firewall->container,
			  "without an owner's mark");
	return r < 0 ? r : weir_ruleset_diff(&w->have_rules, &w->want_rules, &w->delta, w->err);
}

static int tell_rules(struct work *w)
{
	char text[WEIR_ENTRY_TEXT];
	int r = 0;
	if (!w->s->kernel.present)
		return 0; /* told already, in one line */
	for (size_t i = 0; r == 0 && i < w->delta.n_removed; i++)
		r = drift(w, WEIR_ACTION_REMOVE, "rule", "",
			  weir_entry_text(w->delta.removed[i], text));
	for (size_t i = 0; r == 0 && i < w->delta.n_added; i++)
		r = drift(w, WEIR_ACTION_ADD, "rule", "", weir_entry_text(w->delta.added[i], text));
	return r;
}

static int compare_networks(struct work *w)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < w->want.n_networks; i++) {
		struct weir_err why = { 0 };
		const struct weir_network *net = &w->want.networks[i];
		r = ops_of(w)->network_check(w->s->links, net, &why);
		if (is_its_own(r)) {
			w->network_differs[i] = true;
			r = drift(w, WEIR_ACTION_CHANGE, "network", net->name, why.text);
		} else if (r < 0 && w->err) {
			*w->err = why;
		}
	}
	return r;
}

static bool in_changed_network(const struct work *w, const struct weir_attachment *att)
{
	const struct weir_network *net = weir_model_network(&w->want, att->network);
	return w->network_differs[net - w->want.networks];
}

/* 0 same, -ENOENT its foreign namespace is gone, else it differs (but see is_its_own()) */
static int check_endpoint(struct work *w, const struct weir_endpoint *ep, struct weir_err *why)
{
	int r = ops_of(w)->netns_check(w->s->links, ep, why);
	for (size_t i = 0; r == 0 && i < ep->n_attachments; i++)
		r = ops_of(w)->attach_check(w->s->links, &w->want, ep, &ep->attachments[i], why);
	return r;
}

static int compare_endpoint(struct work *w, const struct weir_endpoint *ep, struct weir_err *why)
{
	int r = check_endpoint(w, ep, why);
	for (size_t i = 0; r == 0 && i < ep->n_attachments; i++)
		if (in_changed_network(w, &ep->attachments[i]))
			r = weir_err_set(why, ESTALE, "its network \"%s\" has changed",
					 ep->attachments[i].network);
	return r;
}

/* The name outlives the model. */
static int note_gone(struct work *w, const struct weir_endpoint *ep)
{
	const char *name = weir_arena_strdup(&w->s->arena, ep->name);
	return name ? weir_nameset_add(&w->gone, &w->s->arena, name, w->err)
		    : weir_err_set(w->err, ENOMEM, "out of memory");
}

/* Made at run time for something that the last boot ended. */
static bool is_past(const struct work *w, const struct weir_endpoint *ep, struct weir_err *why)
{
	if (!w->s->restoring || ep->declared || ep->netns_id.ino)
		return false;
	(void)weir_err_set(why, ENOENT, "made at run time, in an earlier boot");
	return true;
}

static int compare_endpoints(struct work *w)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < w->want.n_endpoints; i++) {
		struct weir_err why = { 0 };
		const struct weir_endpoint *ep = &w->want.endpoints[i];
		if (ep->netns == WEIR_NETNS_HOST)
			continue;
		bool past = is_past(w, ep, &why);
		r = past ? -ENOENT : compare_endpoint(w, ep, &why);
		bool gone = past || (r == -ENOENT && ep->netns == WEIR_NETNS_PATH);
		if (gone || is_its_own(r)) {
			w->endpoint_differs[i] = !gone;
			r = gone ? note_gone(w, ep) : 0;
			if (r == 0)
				r = drift(w, gone ? WEIR_ACTION_REMOVE : WEIR_ACTION_CHANGE,
					  "endpoint", ep->name, why.text);
		} else if (r < 0 && w->err) {
			*w->err = why;
		}
	}
	return r;
}

static bool is_wanted(const struct work *w, const struct weir_link_info *info)
{
	const struct weir_network *net = weir_model_network(&w->want, info->network);
	for (size_t i = 0; !info->network[0] && i < w->want.n_networks; i++)
		if (weir_names_are_ports(info->ifname) && /* routes, which have no alias */
		    strcmp(w->want.networks[i].ifname, info->ifname) == 0)
			return true;
	if (!info->endpoint[0])
		return net && strcmp(net->ifname, info->ifname) == 0;
	const struct weir_endpoint *ep = weir_model_endpoint(&w->want, info->endpoint);
	const struct weir_attachment *att = ep ? weir_endpoint_attachment(ep, info->network) : NULL;
	return att && strcmp(att->host_ifname, info->ifname) == 0;
}

static int find_orphans(struct work *w)
{
	struct weir_link_info *infos = NULL;
	size_t n = 0;
	int r = ops_of(w)->list(w->s->links, &w->s->arena, &infos, &n, w->err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (strcmp(infos[i].store, w->s->meta.uuid) != 0 || is_wanted(w, &infos[i]))
			continue;
		r = weir_nameset_add(&w->orphans, &w->s->arena, infos[i].ifname, w->err);
		if (r == 0)
			r = drift(w, WEIR_ACTION_REMOVE, "interface", infos[i].ifname,
				  "nothing of weir's wants it");
	}
	return r;
}

static int look(struct work *w)
{
	int r = load_wanted(w);
	if (r == 0)
		r = finish_mark(w);
	if (r == 0) /* what the mark gave back is switched on again, and recorded */
		r = weir_forwarding_plan(w->s, &w->fwd, w->err);
	if (r == 0)
		r = compile_wanted(w);
	if (r == 0)
		r = read_rules(w);
	if (r == 0)
		r = weir_asides_compare(w->s, w->plan, w->err);
	if (r == 0)
		r = tell_rules(w);
	if (r == 0)
		r = compare_networks(w);
	if (r == 0)
		r = compare_endpoints(w);
	if (r == 0)
		r = find_orphans(w);
	if (r == 0)
		r = weir_hosts_compare(w->s, &w->want, w->plan, w->err);
	if (r == 0)
		r = weir_forwarding_compare(w->s, w->plan, w->err);
	return r;
}

/* ---- mending ---- */

/* An own namespace that is not the one we know may still be ours, by its mark: a predecessor made it anew
 * and did not live to write it down. */
static int ensure_netns(struct work *w, const struct weir_endpoint *ep, struct weir_netns_id *ret,
			struct weir_err *err)
{
	struct weir_err why = { 0 };
	struct weir_endpoint marked = *ep;
	int r = ops_of(w)->netns_ensure(w->s->links, ep, ret, NULL, &why);
	marked.netns_id = (struct weir_netns_id){ 0 };
	if (r == -ESTALE && ep->netns == WEIR_NETNS_OWN)
		return ops_of(w)->netns_ensure(w->s->links, &marked, ret, NULL, err);
	if (r < 0)
		*err = why;
	return r;
}

static int mend_endpoint(struct work *w, struct weir_endpoint *ep, struct weir_err *err)
{
	struct weir_netns_id id = { 0 };
	int r = ensure_netns(w, ep, &id, err);
	if (r < 0)
		return r;
	if (!weir_netns_id_equal(&id, &ep->netns_id)) {
		ep->netns_id = id;
		r = weir_store_set_netns_id(w->s->store, ep->name, &id, err);
	}
	if (r == 0)
		r = ops_of(w)->names_ensure(w->s->links, ep, NULL, err);
	for (size_t i = 0; r == 0 && i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		r = ops_of(w)->attach_ensure(w->s->links,
					     weir_model_network(&w->want, att->network), ep, att,
					     NULL, err);
	}
	return r;
}

static int mend_links(struct work *w)
{
	int r = w->orphans.n ? ops_of(w)->remove(w->s->links, w->orphans.items, w->orphans.n, NULL,
						 w->err)
			     : 0;
	for (size_t i = 0; r == 0 && i < w->want.n_networks; i++) {
		const struct weir_network *net = &w->want.networks[i];
		struct weir_err why = { 0 };
		if (w->network_differs[i])
			r = weir_links_ensure_network(w->s, net, &why);
		w->network_differs[i] &= r == 0;
		r = leave(w, r, "network", net->name, &why);
	}
	for (size_t i = 0; r == 0 && i < w->want.n_endpoints; i++) {
		struct weir_endpoint *ep = &w->want.endpoints[i];
		struct weir_err why = { 0 };
		if (w->endpoint_differs[i])
			r = mend_endpoint(w, ep, &why);
		w->endpoint_differs[i] &= r == 0;
		r = leave(w, r, "endpoint", ep->name, &why);
	}
	return r;
}

/* All that was read is as it should be, the epoch included: there is nothing to write. */
static bool rules_are_so(const struct work *w)
{
	const struct weir_session *s = w->s;
	return s->kernel.present && !w->whole && !w->delta.n_added && !w->delta.n_removed &&
	       s->kernel.epoch.counter == s->meta.counter &&
	       strcmp(s->kernel.epoch.boot, s->here.boot) == 0;
}

static int mend_rules(struct work *w)
{
	struct weir_session *s = w->s;
	if (rules_are_so(w) && w->want_rules.n) {
		s->meta.generation = s->kernel.generation;
		return 0;
	}
	if (!s->kernel.present && !w->want_rules.n && !w->whole)
		return 0;
	if (!w->whole && w->want_rules.n && s->kernel.present)
		return weir_session_commit_rules(s, &w->delta, 0, w->err);

	WEIR_CLEAN_DELTA struct weir_delta all = { 0 };
	const struct weir_ruleset nothing = { 0 };
	int r = weir_ruleset_diff(&nothing, &w->want_rules, &all, w->err);
	return r < 0 ? r : weir_session_commit_rules(s, &all, WEIR_FW_WHOLE, w->err);
}

/* Before the rules change: afterwards nobody can tell any more what they had let through. */
static int note_flows(struct work *w)
{
	struct weir_session *s = w->s;
	int r = weir_flows_of(&w->delta, &w->want, &s->arena, &w->flows, &w->n_flows, w->err);
	return r < 0 ? r : weir_lock_note_flows(&s->lock, w->flows, w->n_flows, w->err);
}

/* Judged is what was opened while rules were not as they should be, or would have been cut by one who was
 * killed. */
static int forget(struct work *w)
{
	struct weir_session *s = w->s;
	bool judges = w->want_rules.n && (s->lock.dirty || !rules_are_so(w));
	size_t n = w->n_flows + s->lock.n_flows;
	struct weir_flow_match *all = weir_arena_alloc(&s->arena, (n + 1) * sizeof(*all));
	if (!all)
		return weir_err_set(w->err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		all[i] = i < w->n_flows ? w->flows[i] : s->lock.flows[i - w->n_flows];
	return weir_flows_cut(s, all, n, judges ? &w->want : NULL, w->err);
}

static int bring_up(struct work *w)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < w->want.n_networks; i++) {
		const struct weir_network *net = &w->want.networks[i];
		struct weir_err why = { 0 };
		if (w->network_differs[i])
			r = ops_of(w)->network_up(w->s->links, net, &why);
		w->network_differs[i] &= r == 0;
		r = leave(w, r, "network", net->name, &why);
	}
	for (size_t i = 0; r == 0 && i < w->want.n_endpoints; i++) {
		const struct weir_endpoint *ep = &w->want.endpoints[i];
		struct weir_err why = { 0 };
		for (size_t k = 0; r == 0 && w->endpoint_differs[i] && k < ep->n_attachments; k++)
			r = ops_of(w)->attach_up(w->s->links, &w->want, ep, &ep->attachments[k],
						 &why);
		w->endpoint_differs[i] &= r == 0;
		r = leave(w, r, "endpoint", ep->name, &why);
	}
	return r;
}

/* What took everything that was done to it and differs all the same is not for weir to mend: something
 * of the host's is in the way. When all are up, since one shows in the other. */
static int look_again(struct work *w)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < w->want.n_networks; i++) {
		const struct weir_network *net = &w->want.networks[i];
		struct weir_err why = { 0 };
		if (w->network_differs[i])
			r = ops_of(w)->network_check(w->s->links, net, &why);
		r = leave(w, r, "network", net->name, &why);
	}
	for (size_t i = 0; r == 0 && i < w->want.n_endpoints; i++) {
		const struct weir_endpoint *ep = &w->want.endpoints[i];
		struct weir_err why = { 0 };
		if (w->endpoint_differs[i])
			r = check_endpoint(w, ep, &why);
		r = leave(w, r, "endpoint", ep->name, &why);
	}
	return r;
}

static int mend(struct work *w)
{
	struct weir_session *s = w->s;
	s->dirty = true; /* until all of it is done */
	int r = weir_store_begin(s->store, false, w->err);
	if (r == 0 && (s->new_boot || s->engine->keep_forwarding))
		r = weir_forwarding_forget(s, w->err);
	if (r == 0)
		r = mend_links(w);
	if (r == 0)
		r = weir_forwarding_restore(s, &w->fwd, w->err);
	if (r == 0)
		r = note_flows(w);
	if (r == 0)
		r = mend_rules(w);
	if (r == 0) /* what is in charge is in force */
		r = weir_asides_compare(s, NULL, w->err);
	if (r == 0)
		r = weir_forwarding_switch_on(s, &w->fwd, w->err);
	if (r == 0)
		r = weir_forwarding_compare(s, NULL, w->err);
	if (r == 0)
		r = forget(w);
	if (r == 0)
		r = bring_up(w);
	if (r == 0)
		r = look_again(w);
	if (r == 0)
		r = weir_hosts_mend(s, &w->want, w->err);
	if (r == 0)
		r = weir_session_commit_store(s, w->err);
	if (r < 0)
		weir_store_rollback(s->store);
	else
		s->new_boot = false;
	s->dirty = r < 0;
	s->unmended = w->left; /* the next command tries again */
	s->undo = NULL;	       /* converging is not undone */
	return r;
}

int weir_converge(struct weir_session *s, struct weir_plan *plan, struct weir_nameset *ret_gone,
		  struct weir_err *err)
{
	struct work w = { .s = s, .plan = plan, .err = err };
	int r = look(&w);
	if (r == 0 && !s->dry_run)
		r = mend(&w);
	if (r == 0 && ret_gone)
		*ret_gone = w.gone;
	free_work(&w);
	return r;
}
