/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What policies say of a flow, asked one by one in their order. */
#include "policy/gates.h"

#include "core/selector.h"

static bool block_picks(const struct weir_selector *sel, const struct weir_addr *addr)
{
	for (size_t i = 0; i < sel->n_blocks; i++)
		if (weir_block_holds(&sel->blocks[i], addr))
			return true;
	return false;
}

static bool selector_picks(const struct weir_selector *sel, const struct weir_peer *peer)
{
	switch (sel->kind) {
	case WEIR_SELECT_HOST:
		return peer->host;
	case WEIR_SELECT_OUTSIDE:
		return !peer->host && !peer->ep;
	case WEIR_SELECT_BLOCKS:
		return !peer->host && block_picks(sel, &peer->addr);
	default:
		return peer->ep &&
		       weir_selectors_pick(sel, 1, peer->ep, peer->att, peer->addr.family);
	}
}

static bool picks(const struct weir_selector *sels, size_t n, const struct weir_peer *peer)
{
	for (size_t i = 0; i < n; i++)
		if (selector_picks(&sels[i], peer))
			return true;
	return n == 0 && !peer->host;
}

static bool serves(const struct weir_policy *policy, enum weir_l4 l4, uint16_t number)
{
	for (size_t i = 0; i < policy->n_services; i++) {
		const struct weir_service *s = &policy->services[i];
		if (s->l4 == l4 && s->ports.lo <= number && number <= s->ports.hi)
			return true;
	}
	return policy->n_services == 0;
}

void weir_gates_ask(const struct weir_model *model, const struct weir_peer *from,
		    const struct weir_peer *to, enum weir_l4 l4, uint16_t number,
		    struct weir_gates *ret)
{
	struct weir_gates gates = { 0 };

	for (size_t i = 0; i < model->n_policies; i++) {
		const struct weir_policy *policy = &model->policies[i];
		if (!picks(policy->from, policy->n_from, from) ||
		    !picks(policy->to, policy->n_to, to) || !serves(policy, l4, number))
			continue;
		if (policy->gate != WEIR_INGRESS && !gates.egress)
			gates.egress = policy;
		if (policy->gate != WEIR_EGRESS && !gates.ingress)
			gates.ingress = policy;
	}
	*ret = gates;
}
