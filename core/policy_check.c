/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be told of a policy from itself alone. */
#include <errno.h>
#include <string.h>

#include "core/model_check.h"
#include "core/selector.h"

enum {
	SELECTORS_MAX = 256, /* at one end; each is tried on every endpoint */
	SERVICES_MAX = 1024
};

/* ---- selectors ---- */

static int check_names(const char *what, const char **names, size_t n, struct weir_err *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = weir_name_check(what, names[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_labels(const struct weir_selector *sel, struct weir_err *err)
{
	for (size_t i = 0; i < sel->n_labels; i++) {
		const struct weir_label_match *match = &sel->labels[i];
		struct weir_label label = { match->key, "" };
		int r = weir_label_check(&label, err);
		for (size_t k = 0; r == 0 && k < match->n_values; k++) {
			label.value = match->values[k];
			r = weir_label_check(&label, err);
		}
		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (strcmp(sel->labels[k].key, match->key) == 0)
				return weir_err_set(err, EINVAL,
						    "label \"%s\" is there twice: name its values "
						    "in one list",
						    match->key);
	}
	return 0;
}

static int check_block(const struct weir_block *block, struct weir_err *err)
{
	char except[WEIR_PREFIX_TEXT], text[WEIR_PREFIX_TEXT];
	int r = weir_prefix_check("cidr", &block->prefix, err);

	for (size_t i = 0; r == 0 && i < block->n_except; i++) {
		const struct weir_prefix *cut = &block->except[i];
		r = weir_prefix_check("except", cut, err);
		if (r < 0)
			return r;
		if (!weir_prefix_contains(&block->prefix, &cut->addr) ||
		    cut->len < block->prefix.len)
			return weir_err_set(err, EINVAL, "except %s is not inside its block, %s",
					    weir_prefix_text(cut, except),
					    weir_prefix_text(&block->prefix, text));
		if (cut->len == block->prefix.len)
			return weir_err_set(err, EINVAL, "except %s leaves nothing of its block",
					    weir_prefix_text(cut, except));
	}
	return r;
}

static int check_selector(const struct weir_selector *sel, struct weir_err *err)
{
	bool picks_endpoints = sel->n_networks || sel->n_endpoints || sel->n_labels;
	int r = 0;

	if (sel->kind != WEIR_SELECT_ENDPOINTS && picks_endpoints)
		return weir_err_set(err, EINVAL,
				    "networks, endpoints and labels pick endpoints: make it a "
				    "selector of its own");
	if ((sel->kind == WEIR_SELECT_BLOCKS) != (sel->n_blocks > 0))
		return weir_err_set(err, EINVAL, "cidr needs a prefix");
	for (size_t i = 0; r == 0 && i < sel->n_blocks; i++)
		r = check_block(&sel->blocks[i], err);
	if (r == 0)
		r = check_names("network", sel->networks, sel->n_networks, err);
	if (r == 0)
		r = check_names("endpoint", sel->endpoints, sel->n_endpoints, err);
	return r < 0 ? r : check_labels(sel, err);
}

static int check_selectors(const char *end, const struct weir_selector *sels, size_t n,
			   struct weir_err *err)
{
	if (n > SELECTORS_MAX)
		return weir_err_set(err, EINVAL, "%s: %zu selectors are too many: at most %d", end,
				    n, SELECTORS_MAX);
	for (size_t i = 0; i < n; i++) {
		int r = check_selector(&sels[i], err);
		if (r < 0) {
			weir_err_place(err, &sels[i].origin);
			return weir_err_wrap(err, r, "%s", end);
		}
	}
	return 0;
}

/* ---- the two ends ---- */

static bool is_of(const struct weir_selector *sels, size_t n, enum weir_selector_kind kind)
{
	for (size_t i = 0; i < n; i++)
		if (sels[i].kind != kind)
			return false;
	return n > 0;
}

static bool is_beyond(const struct weir_selector *sels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sels[i].kind != WEIR_SELECT_HOST && sels[i].kind != WEIR_SELECT_OUTSIDE)
			return false;
	return n > 0;
}

static int check_ends(const struct weir_policy *policy, struct weir_err *err)
{
	if (!is_beyond(policy->from, policy->n_from) || !is_beyond(policy->to, policy->n_to))
		return 0;
	return weir_err_set(
		err, EINVAL,
		"from %s to %s: one end must be endpoints, what passes by them is "
		"not weir's",
		is_of(policy->from, policy->n_from, WEIR_SELECT_HOST) ? "the host" : "the outside",
		is_of(policy->to, policy->n_to, WEIR_SELECT_HOST) ? "the host" : "the outside");
}

/* ---- services ---- */

static int check_service(const struct weir_service *service, struct weir_err *err)
{
	bool icmp = service->l4 == WEIR_L4_ICMP || service->l4 == WEIR_L4_ICMPV6;
	unsigned lo = service->ports.lo, hi = service->ports.hi;
	bool all = lo == 0 && hi == WEIR_PORT_MAX;

	if (service->l4 <= WEIR_L4_ANY || service->l4 >= WEIR_NUM_L4S)
		return weir_err_set(err, EINVAL, "ports: no protocol is named");
	if (lo > hi)
		return weir_err_set(err, EINVAL, "ports %u-%u are upside down", lo, hi);
	if (icmp && hi > WEIR_ICMP_TYPE_MAX)
		return weir_err_set(err, EINVAL, "ports: %s has types up to %d",
				    weir_l4_name(service->l4), WEIR_ICMP_TYPE_MAX);
	if (!icmp && !all && lo == 0)
		return weir_err_set(err, EINVAL, "ports: there is no port 0");
	return 0;
}

static int check_services(const struct weir_policy *policy, struct weir_err *err)
{
	if (policy->n_services > SERVICES_MAX)
		return weir_err_set(err, EINVAL, "%zu ports are too many: at most %d",
				    policy->n_services, SERVICES_MAX);
	for (size_t i = 0; i < policy->n_services; i++) {
		int r = check_service(&policy->services[i], err);
		if (r < 0) {
			weir_err_place(err, &policy->services[i].origin);
			return r;
		}
	}
	return 0;
}

int weir_policy_check(const struct weir_policy *policy, struct weir_err *err)
{
	int r = weir_name_check("policy", policy->name, err);

	if (r < 0) {
		weir_err_place(err, &policy->origin);
		return r;
	}
	r = check_selectors("from", policy->from, policy->n_from, err);
	if (r == 0)
		r = check_selectors("to", policy->to, policy->n_to, err);
	if (r == 0)
		r = check_ends(policy, err);
	if (r == 0)
		r = check_services(policy, err);
	if (r == 0)
		return 0;
	weir_err_place(err, &policy->origin);
	return weir_err_wrap(err, r, "policy \"%s\"", policy->name);
}
