/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is legal in a policy, and yet worth a word: it picks nobody, or can never match. */
#include "core/plan.h"

#include <errno.h>
#include <string.h>

#include "core/selector.h"

struct warner {
	struct weir_plan *plan;
	const struct weir_model *all;
	const struct weir_policy *policy;
	struct weir_err *err;
};

static int warn(const struct warner *w, const struct weir_place *at, const char *detail)
{
	const struct weir_step step = {
		.object = "policy",
		.name = w->policy->name,
		.detail = detail,
		.origin = at->line ? *at : w->policy->origin,
	};
	return weir_plan_add_warning(w->plan, &step, w->err);
}

/* ---- labels ---- */

static bool anybody_has(const struct weir_model *all, const struct weir_label_match *match)
{
	for (size_t i = 0; i < all->n_endpoints; i++)
		if (weir_label_holds(match, &all->endpoints[i]))
			return true;
	return false;
}

static int warn_label(const struct warner *w, const struct weir_selector *sel,
		      const struct weir_label_match *match)
{
	const struct weir_label_match key = { .key = match->key };
	char text[256];

	if (!anybody_has(w->all, &key)) {
		(void)snprintf(text, sizeof(text), "no endpoint has a label \"%.100s\"",
			       match->key);
		return warn(w, &sel->origin, text);
	}
	for (size_t i = 0; i < match->n_values; i++) {
		const struct weir_label_match one = { match->key, &match->values[i], 1 };
		if (anybody_has(w->all, &one))
			continue;
		(void)snprintf(text, sizeof(text), "no endpoint has the label %.100s=%.100s",
			       match->key, match->values[i]);
		int r = warn(w, &sel->origin, text);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- selectors ---- */

static bool picks_anybody(const struct weir_model *all, const struct weir_selector *sel)
{
	for (size_t i = 0; i < all->n_endpoints; i++)
		for (size_t k = 0; k < all->endpoints[i].n_attachments; k++)
			for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
				if (weir_selectors_pick(sel, 1, &all->endpoints[i],
							&all->endpoints[i].attachments[k], f))
					return true;
	return false;
}

/* Does the selector pick anybody in the network? */
static bool picks_in(const struct weir_model *all, const struct weir_selector *sel,
		     const struct weir_network *net)
{
	for (size_t k = 0; k < all->n_endpoints; k++) {
		const struct weir_endpoint *ep = &all->endpoints[k];
		const struct weir_attachment *att = weir_endpoint_attachment(ep, net->name);
		for (enum weir_family f = WEIR_IPV4; att && f < WEIR_NUM_FAMILIES; f++)
			if (weir_selectors_pick(sel, 1, ep, att, f))
				return true;
	}
	return false;
}

/* Where packets pass by the host's hooks, no policy binds them. */
static int warn_networks(const struct warner *w, const struct weir_selector *sel)
{
	char text[256];
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->all->n_networks; i++) {
		const struct weir_network *net = &w->all->networks[i];
		bool host = weir_mode_traits(net->mode)->host;
		if ((host && !net->adopt) || !picks_in(w->all, sel, net))
			continue;
		(void)snprintf(
			text, sizeof(text),
			"it also picks an endpoint of network \"%s\": %s, so no policy binds it",
			net->name,
			host ? "what passes within stays on a bridge that is somebody else's"
			     : "what passes there never meets the host");
		r = warn(w, &sel->origin, text);
	}
	return r;
}

static int warn_selector(const struct warner *w, const struct weir_selector *sel)
{
	int r = 0;

	if (sel->kind != WEIR_SELECT_ENDPOINTS)
		return 0;
	size_t before = w->plan->n_warnings;
	for (size_t i = 0; r == 0 && i < sel->n_labels; i++)
		r = warn_label(w, sel, &sel->labels[i]);
	if (r == 0 && w->plan->n_warnings == before && !picks_anybody(w->all, sel))
		r = warn(w, &sel->origin, "the selector picks no endpoint, as things are");
	return r < 0 ? r : warn_networks(w, sel);
}

static int warn_selectors(const struct warner *w, const struct weir_selector *sels, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = warn_selector(w, &sels[i]);
	return r;
}

/* ---- families ---- */

static bool has_family(const struct weir_selector *sel, enum weir_family family)
{
	for (size_t i = 0; i < sel->n_blocks; i++)
		if (sel->blocks[i].prefix.addr.family == family)
			return true;
	return sel->kind != WEIR_SELECT_BLOCKS;
}

static bool any_has_family(const struct weir_selector *sels, size_t n, enum weir_family family)
{
	for (size_t i = 0; i < n; i++)
		if (has_family(&sels[i], family))
			return true;
	return n == 0;
}

static bool service_has_family(const struct weir_service *service, enum weir_family family)
{
	return (service->l4 != WEIR_L4_ICMP || family == WEIR_IPV4) &&
	       (service->l4 != WEIR_L4_ICMPV6 || family == WEIR_IPV6);
}

static bool can_match(const struct weir_policy *policy, const struct weir_service *service)
{
	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		if (any_has_family(policy->from, policy->n_from, f) &&
		    any_has_family(policy->to, policy->n_to, f) &&
		    (!service || service_has_family(service, f)))
			return true;
	return false;
}

static int warn_families(const struct warner *w)
{
	const struct weir_policy *policy = w->policy;
	char text[128], name[WEIR_SERVICE_TEXT];
	int r = 0;

	if (!can_match(policy, NULL))
		return warn(w, &policy->origin,
			    "it can never match: one end is IPv4 and the other IPv6");
	for (size_t i = 0; r == 0 && i < policy->n_services; i++) {
		const struct weir_service *service = &policy->services[i];
		if (can_match(policy, service))
			continue;
		(void)snprintf(text, sizeof(text), "%s can never match: the addresses are %s",
			       weir_service_text(service, name),
			       service->l4 == WEIR_L4_ICMP ? "IPv6" : "IPv4");
		r = warn(w, &service->origin, text);
	}
	return r;
}

static bool is_host(const struct weir_selector *sels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sels[i].kind != WEIR_SELECT_HOST)
			return false;
	return n > 0;
}

/* ---- internal networks ---- */

enum { SENDS = 1, TAKES = 2 };

static bool are_endpoints(const struct weir_selector *sels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sels[i].kind != WEIR_SELECT_ENDPOINTS)
			return false;
	return n > 0;
}

static unsigned role_of(const struct weir_policy *policy, const struct weir_endpoint *ep,
			const struct weir_attachment *att)
{
	unsigned role = 0;

	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++) {
		if (weir_selectors_pick(policy->from, policy->n_from, ep, att, f))
			role |= SENDS;
		if (weir_selectors_pick(policy->to, policy->n_to, ep, att, f))
			role |= TAKES;
	}
	return role;
}

/* roles: of each network's endpoints. */
static void find_roles(const struct warner *w, unsigned char *roles)
{
	for (size_t i = 0; i < w->all->n_endpoints; i++) {
		const struct weir_endpoint *ep = &w->all->endpoints[i];
		for (size_t k = 0; k < ep->n_attachments; k++) {
			const struct weir_network *net =
				weir_model_network(w->all, ep->attachments[k].network);
			if (net)
				roles[net - w->all->networks] |=
					role_of(w->policy, ep, &ep->attachments[k]);
		}
	}
}

static bool has_internal(const struct weir_model *model)
{
	for (size_t i = 0; i < model->n_networks; i++)
		if (model->networks[i].internal)
			return true;
	return false;
}

/* Between an internal network and another one nothing passes, whatever a policy allows. */
static int warn_internal(const struct warner *w)
{
	const struct weir_policy *policy = w->policy;
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	unsigned open = 0, any = 0;

	if (policy->action != WEIR_ALLOW || !are_endpoints(policy->from, policy->n_from) ||
	    !are_endpoints(policy->to, policy->n_to) || !has_internal(w->all))
		return 0; /* without one, everybody is looked at for nothing */
	unsigned char *roles = weir_arena_alloc(&arena, w->all->n_networks + 1);
	if (!roles)
		return weir_err_set(w->err, ENOMEM, "out of memory");
	find_roles(w, roles);
	for (size_t i = 0; i < w->all->n_networks; i++) {
		any |= roles[i];
		if (!w->all->networks[i].internal)
			open |= roles[i];
		if (roles[i] == (SENDS | TAKES))
			return 0;
	}
	if (any != (SENDS | TAKES) || open == (SENDS | TAKES))
		return 0; /* that nobody is picked is told */
	return warn(w, &policy->origin,
		    "it allows nothing, as things are: between an internal network and another "
		    "nothing passes");
}

/* ---- all of it ---- */

int weir_plan_warn_policy(struct weir_plan *plan, const struct weir_model *all,
			  const struct weir_policy *policy, struct weir_err *err)
{
	const struct warner w = { plan, all, policy, err };
	int r = warn_selectors(&w, policy->from, policy->n_from);

	if (r == 0)
		r = warn_selectors(&w, policy->to, policy->n_to);
	if (r == 0)
		r = warn_families(&w);
	if (r == 0)
		r = warn_internal(&w);
	if (r == 0 && ((policy->gate == WEIR_EGRESS && is_host(policy->from, policy->n_from)) ||
		       (policy->gate == WEIR_INGRESS && is_host(policy->to, policy->n_to))))
		r = warn(&w, &policy->origin,
			 "the host has no gate of its own: leave \"direction\" out, or name the "
			 "endpoint's");
	return r;
}
