/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which published port a packet meets, and where that leads. */
#include "policy/locate.h"
#include "policy/walk.h"

/* The address behind a mapping; NULL when it has none of the family. */
static const struct weir_addr *target(const struct weir_walk *w, const struct weir_endpoint *ep,
				      const struct weir_mapping *m, enum weir_family family)
{
	const struct weir_attachment *att = m->network
						    ? weir_endpoint_attachment(ep, m->network)
						    : weir_endpoint_default(w->model, ep, family);
	const struct weir_network *net = att ? weir_model_network(w->model, att->network) : NULL;

	if (!net || !weir_locate_is_hosted(net) || net->internal ||
	    !weir_addr_is_set(&att->addrs[family]))
		return NULL;
	return &att->addrs[family];
}

static bool mapping_matches(const struct weir_mapping *m, const struct weir_flow *flow,
			    bool specific)
{
	if (m->proto != flow->proto || flow->dport < m->host_ports.lo ||
	    flow->dport > m->host_ports.hi)
		return false;
	return specific ? weir_addr_cmp(&m->host, &flow->dst) == 0 : !weir_addr_is_set(&m->host);
}

static bool translate_by(struct weir_walk *w, const struct weir_endpoint *ep,
			 const struct weir_mapping *m)
{
	const struct weir_addr *to = target(w, ep, m, w->flow->dst.family);

	if (!to)
		return false;
	w->published = ep;
	w->mapping = m;
	w->answer->dst = *to;
	w->answer->dport = (uint16_t)(m->ports.lo + (w->flow->dport - m->host_ports.lo));
	return true;
}

static bool find_mapping(struct weir_walk *w, bool specific)
{
	for (size_t i = 0; i < w->model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &w->model->endpoints[i];
		for (size_t j = 0; j < ep->n_mappings; j++)
			if (mapping_matches(&ep->mappings[j], w->flow, specific) &&
			    translate_by(w, ep, &ep->mappings[j]))
				return true;
	}
	return false;
}

/* A mapping of one address goes before one of all. Nothing translates ::1: a reply could not
 * come back. */
void weir_walk_translate(struct weir_walk *w)
{
	const struct weir_addr *dst = &w->flow->dst;
	bool six_loopback = dst->family == WEIR_IPV6 && weir_addr_is_loopback(dst);

	if (w->flow->proto == WEIR_NO_PROTO || six_loopback ||
	    !weir_locate_is_local(w->model, w->host, dst))
		return;
	if (!find_mapping(w, true))
		(void)find_mapping(w, false);
}
