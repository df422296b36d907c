/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selectors: whom they pick, and what policies bind within a network. */
#include "core/selector.h"

#include <errno.h>
#include <string.h>

static bool has(const char **names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

bool weir_block_holds(const struct weir_block *block, const struct weir_addr *addr)
{
	if (!weir_prefix_contains(&block->prefix, addr))
		return false;
	for (size_t i = 0; i < block->n_except; i++)
		if (weir_prefix_contains(&block->except[i], addr))
			return false;
	return true;
}

bool weir_label_holds(const struct weir_label_match *match, const struct weir_endpoint *ep)
{
	for (size_t i = 0; i < ep->n_labels; i++)
		if (strcmp(ep->labels[i].key, match->key) == 0)
			return !match->n_values ||
			       has(match->values, match->n_values, ep->labels[i].value);
	return false;
}

static bool picks_endpoint(const struct weir_selector *sel, const struct weir_endpoint *ep,
			   const struct weir_attachment *att)
{
	if ((sel->n_networks && !has(sel->networks, sel->n_networks, att->network)) ||
	    (sel->n_endpoints && !has(sel->endpoints, sel->n_endpoints, ep->name)))
		return false;
	for (size_t i = 0; i < sel->n_labels; i++)
		if (!weir_label_holds(&sel->labels[i], ep))
			return false;
	return true;
}

static bool picks(const struct weir_selector *sel, const struct weir_endpoint *ep,
		  const struct weir_attachment *att, enum weir_family family)
{
	const struct weir_addr *addr = &att->addrs[family];

	if (!weir_addr_is_set(addr))
		return false;
	if (sel->kind == WEIR_SELECT_ENDPOINTS)
		return picks_endpoint(sel, ep, att);
	for (size_t i = 0; sel->kind == WEIR_SELECT_BLOCKS && i < sel->n_blocks; i++)
		if (weir_block_holds(&sel->blocks[i], addr))
			return true;
	return false;
}

bool weir_selectors_pick(const struct weir_selector *sels, size_t n, const struct weir_endpoint *ep,
			 const struct weir_attachment *att, enum weir_family family)
{
	for (size_t i = 0; i < n; i++)
		if (picks(&sels[i], ep, att, family))
			return true;
	return n == 0 && weir_addr_is_set(&att->addrs[family]);
}

/* ---- what is bound within a network ---- */

/* Without a bridge nothing meets the host; one that is somebody else's is not ours to switch; between
 * isolated ports nothing passes that a policy could let through or stop, and what is translated from one to
 * another would have to stay on the bridge. */
static bool can_bind(const struct weir_network *net)
{
	return weir_mode_traits(net->mode)->bridge && !net->isolate && !net->adopt;
}

/* Somebody in a network whose own traffic nothing binds yet. */
struct seat {
	const struct weir_endpoint *ep;
	const struct weir_attachment *att;
	size_t network;
};

/* Of one network, while one policy is looked at: who was picked at each end. */
struct ends {
	size_t n_from, n_to;
	const struct weir_endpoint *from, *to; /* the last one */
};

static void count_ends(const struct weir_policy *policy, const struct seat *seat,
		       enum weir_family family, struct ends *ends)
{
	if (weir_selectors_pick(policy->from, policy->n_from, seat->ep, seat->att, family)) {
		ends->n_from++;
		ends->from = seat->ep;
	}
	if (weir_selectors_pick(policy->to, policy->n_to, seat->ep, seat->att, family)) {
		ends->n_to++;
		ends->to = seat->ep;
	}
}

/* Two different endpoints, one at each end. */
static bool meet(const struct ends *ends)
{
	return ends->n_from && ends->n_to &&
	       (ends->n_from > 1 || ends->n_to > 1 || ends->from != ends->to);
}

static void bind_policy(struct weir_model *model, const struct seat *seats, size_t n_seats,
			const struct weir_policy *policy, enum weir_family family,
			struct ends *ends)
{
	memset(ends, 0, model->n_networks * sizeof(*ends));
	for (size_t i = 0; i < n_seats; i++)
		if (!model->networks[seats[i].network].filtered)
			count_ends(policy, &seats[i], family, &ends[seats[i].network]);
	for (size_t i = 0; i < model->n_networks; i++)
		model->networks[i].filtered |= meet(&ends[i]);
}

static size_t count_attachments(const struct weir_model *model)
{
	size_t n = 0;
	for (size_t i = 0; i < model->n_endpoints; i++)
		n += model->endpoints[i].n_attachments;
	return n;
}

/* Looked up once: there may be very many, and as many policies ask for each. */
static size_t take_seats(const struct weir_model *model, struct seat *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &model->endpoints[i];
		for (size_t k = 0; k < ep->n_attachments; k++) {
			const struct weir_attachment *att = &ep->attachments[k];
			const struct weir_network *net = weir_model_network(model, att->network);
			if (net && can_bind(net) && !net->filtered)
				ret[n++] =
					(struct seat){ ep, att, (size_t)(net - model->networks) };
		}
	}
	return n;
}

int weir_policies_bind(struct weir_model *model, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	struct ends *ends = weir_arena_alloc(&arena, (model->n_networks + 1) * sizeof(*ends));
	struct seat *seats =
		weir_arena_alloc(&arena, (count_attachments(model) + 1) * sizeof(*seats));

	if (!ends || !seats)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < model->n_networks; i++) {
		struct weir_network *net = &model->networks[i];
		net->filtered = can_bind(net) && (net->ingress == WEIR_DEFAULT_DENY ||
						  net->egress == WEIR_DEFAULT_DENY);
	}
	size_t n_seats = take_seats(model, seats);
	for (size_t i = 0; i < model->n_policies; i++)
		for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
			bind_policy(model, seats, n_seats, &model->policies[i], f, ends);
	return 0;
}
