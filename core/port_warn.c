/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is legal in a published port, and yet worth a word: an address of the host's is no interface of the
 * host's, what is no address of its leads nowhere, and what is asked in one network is answered by the
 * default route, which may be in another. */
#include <stdio.h>
#include <string.h>

#include "core/plan.h"

static bool is_strict(const struct weir_model *model, const struct weir_endpoint *ep,
		      const struct weir_mapping *m)
{
	const struct weir_attachment *att =
		m->network ? weir_endpoint_attachment(ep, m->network)
			   : weir_endpoint_default(model, ep, (enum weir_family)m->host.family);
	const struct weir_network *net = att ? weir_model_network(model, att->network) : NULL;

	return m->strict || (net && net->strict);
}

int weir_plan_owns(struct weir_session *s, const struct weir_model *after,
		   const struct weir_addr *addr, bool *ret, struct weir_err *err)
{
	for (size_t i = 0; i < after->n_networks; i++) {
		const struct weir_network *net = &after->networks[i];
		for (size_t k = 0; weir_mode_traits(net->mode)->host && k < net->n_subnets; k++)
			if (!net->gateway_endpoint &&
			    weir_addr_cmp(&net->subnets[k].gateway, addr) == 0) {
				*ret = true; /* by an interface that this change makes */
				return 0;
			}
	}
	return s->engine->links->owns(s->links, addr, ret, err);
}

/* By which network answers to the outside leave, where that is another one than the mapping's and drops them;
 * NULL: nothing is wrong. */
static const struct weir_network *drops_answers(const struct weir_model *model,
						const struct weir_endpoint *ep,
						const struct weir_mapping *m)
{
	const struct weir_attachment *att = m->network ? weir_endpoint_attachment(ep, m->network)
						       : NULL;

	for (enum weir_family f = WEIR_IPV4; att && f < WEIR_NUM_FAMILIES; f++) {
		const struct weir_network *net = weir_endpoint_answers_dropped(
			model, ep, att, weir_endpoint_default(model, ep, f));
		if (net && weir_addr_is_set(&att->addrs[f]) &&
		    (!weir_addr_is_set(&m->host) || m->host.family == f))
			return net;
	}
	return NULL;
}

enum worth { NOTHING, STRICT_OF_ALL, NOWHERE, EVERYWHERE, UNANSWERED, NUM_WORTHS };

static int judge(struct weir_session *s, const struct weir_model *model,
		 const struct weir_endpoint *ep, const struct weir_mapping *m, enum worth *ret,
		 struct weir_err *err)
{
	bool owns = true;
	int r = 0;

	*ret = NOTHING;
	if (weir_addr_is_loopback(&m->host))
		return 0;
	if (drops_answers(model, ep, m)) {
		*ret = UNANSWERED;
		return 0;
	}
	if (!weir_addr_is_set(&m->host)) {
		*ret = m->strict ? STRICT_OF_ALL : NOTHING;
		return 0;
	}
	r = weir_plan_owns(s, model, &m->host, &owns, err);
	if (r == 0 && !owns)
		*ret = NOWHERE;
	else if (r == 0 && !is_strict(model, ep, m))
		*ret = EVERYWHERE;
	return r;
}

static int say(struct weir_plan *plan, const struct weir_model *model,
	       const struct weir_endpoint *ep, const struct weir_mapping *m, enum worth worth,
	       struct weir_err *err)
{
	char text[WEIR_MAPPING_TEXT], detail[320], host[WEIR_ADDR_TEXT];
	const struct weir_step step = {
		.object = "mapping", .name = ep->name, .detail = detail, .origin = m->origin
	};

	(void)weir_mapping_text(m, text);
	(void)weir_addr_text(&m->host, host);
	if (worth == STRICT_OF_ALL)
		(void)snprintf(detail, sizeof(detail),
			       "%s: strict says nothing of a port on every address", text);
	else if (worth == UNANSWERED)
		(void)snprintf(
			detail, sizeof(detail),
			"%s: nobody outside reaches the port, as answers leave by network "
			"\"%s\", whose spoof guard drops them (the default route goes by the "
			"network with the highest priority)",
			text, drops_answers(model, ep, m)->name);
	else if (worth == NOWHERE)
		(void)snprintf(detail, sizeof(detail),
			       "%s: the host does not have %s, and nobody reaches the port until "
			       "it does",
			       text, host);
	else
		(void)snprintf(detail, sizeof(detail),
			       "%s can be reached by every interface of the host, not only by that "
			       "with %s (strict closes the others)",
			       text, host);
	return weir_plan_add_warning(plan, &step, err);
}

static bool is_new(const struct weir_endpoint *prev, const struct weir_mapping *m)
{
	return !prev || !weir_mappings_hold(prev->mappings, prev->n_mappings, m);
}

/* Whatever is worth a word about one is so of the other. */
static bool is_alike(const struct weir_mapping *a, const struct weir_mapping *b)
{
	bool same_network = a->network == b->network ||
			    (a->network && b->network && strcmp(a->network, b->network) == 0);
	return same_network && a->strict == b->strict && weir_addr_cmp(&a->host, &b->host) == 0;
}

int weir_plan_warn_ports(struct weir_plan *plan, struct weir_session *s,
			 const struct weir_resolution *res, const struct weir_endpoint *ep,
			 struct weir_err *err)
{
	const struct weir_endpoint *prev = weir_model_endpoint(&res->before, ep->name);
	const struct weir_mapping *last = NULL;
	bool told[NUM_WORTHS] = { [NOTHING] = true }, judged = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ep->n_mappings; i++) {
		const struct weir_mapping *m = &ep->mappings[i];
		enum worth worth = NOTHING;
		if ((!weir_addr_is_set(&m->host) && !m->strict && !m->network) ||
		    (judged && is_alike(m, last)) || !is_new(prev, m))
			continue;
		last = m;
		judged = true;
		r = judge(s, &res->after, ep, m, &worth, err);
		if (r == 0 && !told[worth])
			r = say(plan, &res->after, ep, m, worth, err);
		told[worth] = true;
	}
	return r;
}
