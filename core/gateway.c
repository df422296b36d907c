/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network's subnets and gateways, and which of them an endpoint's default route takes. */
#include "core/model.h"

#include <errno.h>
#include <string.h>

const struct weir_subnet *weir_network_subnet(const struct weir_network *net,
					      enum weir_family family)
{
	for (size_t i = 0; i < net->n_subnets; i++)
		if (net->subnets[i].prefix.addr.family == family)
			return &net->subnets[i];
	return NULL;
}

const struct weir_subnet *weir_network_subnet_of(const struct weir_network *net,
						 const struct weir_addr *addr)
{
	for (size_t i = 0; i < net->n_subnets; i++)
		if (weir_prefix_contains(&net->subnets[i].prefix, addr))
			return &net->subnets[i];
	return NULL;
}

bool weir_network_forwards(const struct weir_network *net, enum weir_family family)
{
	size_t routed = 0;
	if (!weir_mode_traits(net->mode)->host || net->gateway_endpoint)
		return false;
	for (size_t i = 0; i < net->n_subnets; i++)
		routed += net->subnets[i].gateway.family == family;
	/* nothing leaves an internal network, but from one of its subnets to another is by the gateway, and
	 * from one endpoint to another where each has a link of its own */
	return routed > (net->internal && !weir_mode_traits(net->mode)->routed ? 1 : 0);
}

int weir_network_resolve_gateways(struct weir_network *net, struct weir_err *err)
{
	char text[WEIR_ADDR_TEXT];

	const struct weir_mode_traits *mode = weir_mode_traits(net->mode);

	if (mode->wire || net->gateway_endpoint)
		return 0;
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		const struct weir_addr *wish = &net->gateways[family];
		if (weir_addr_is_set(wish) && !weir_network_subnet_of(net, wish))
			return weir_err_at(err, EINVAL, &net->origin,
					   "network \"%s\": gateway %s is outside its subnets",
					   net->name, weir_addr_text(wish, text));
	}
	for (size_t i = 0; i < net->n_subnets; i++) {
		struct weir_subnet *subnet = &net->subnets[i];
		const struct weir_addr *wish = &net->gateways[subnet->prefix.addr.family];
		struct weir_addr base = weir_prefix_base(&subnet->prefix);

		if (weir_prefix_contains(&subnet->prefix, wish))
			subnet->gateway = *wish;
		else if (mode->host)
			(void)weir_addr_add(&base, 1,
					    &subnet->gateway); /* the check refuses a last one */
	}
	return 0;
}

void weir_network_set_gateway(struct weir_network *net, const struct weir_attachment *att)
{
	for (size_t i = 0; i < net->n_subnets; i++) {
		struct weir_subnet *subnet = &net->subnets[i];
		enum weir_family family = subnet->prefix.addr.family;

		subnet->gateway = (struct weir_addr){ 0 };
		if (att && weir_prefix_contains(&subnet->prefix, &att->addrs[family]))
			subnet->gateway = att->addrs[family];
	}
}

static bool leads_out(const struct weir_network *net, const struct weir_endpoint *ep,
		      enum weir_family family)
{
	if (net->internal ||
	    (net->gateway_endpoint && strcmp(net->gateway_endpoint, ep->name) == 0))
		return false;
	for (size_t i = 0; i < net->n_subnets; i++) {
		const struct weir_addr *gateway = &net->subnets[i].gateway;
		if (weir_addr_is_set(gateway) && (!family || gateway->family == family))
			return true;
	}
	return false;
}

const struct weir_attachment *weir_endpoint_default(const struct weir_model *model,
						    const struct weir_endpoint *ep,
						    enum weir_family family)
{
	const struct weir_attachment *best = NULL;

	for (size_t i = 0; i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		const struct weir_network *net = weir_model_network(model, att->network);
		bool better = !best || att->priority > best->priority ||
			      (att->priority == best->priority &&
			       strcmp(att->network, best->network) < 0);
		if (better && net && leads_out(net, ep, family))
			best = att;
	}
	return best;
}

/* The default route is in the model even where its network has no address of the family: then there is none. */
static bool has_default(const struct weir_model *model, const struct weir_attachment *att,
			enum weir_family family)
{
	const struct weir_network *net = weir_model_network(model, att->network);
	const struct weir_subnet *subnet = net ? weir_network_subnet(net, family) : NULL;

	return subnet && weir_addr_is_set(&subnet->gateway) &&
	       weir_addr_is_set(&att->addrs[family]);
}

const struct weir_attachment *weir_endpoint_way(const struct weir_model *model,
						const struct weir_endpoint *ep,
						const struct weir_addr *to)
{
	const struct weir_attachment *best = weir_endpoint_default(model, ep, to->family);
	int longest = -1; /* of a route that is longer than the default one */

	if (best && !has_default(model, best, to->family))
		best = NULL;
	for (size_t i = 0; i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		const struct weir_network *net = weir_model_network(model, att->network);
		const struct weir_subnet *subnet = net ? weir_network_subnet_of(net, to) : NULL;

		if (!net || !weir_addr_is_set(&att->addrs[to->family]))
			continue;
		if (subnet && subnet->prefix.len > longest) {
			longest = subnet->prefix.len;
			best = att;
		}
		for (size_t k = 0; k < ep->n_routes; k++) {
			const struct weir_route *route = &ep->routes[k];
			if (route->to.len <= longest || !weir_prefix_contains(&route->to, to) ||
			    !weir_network_subnet_of(net, &route->via))
				continue;
			longest = route->to.len;
			best = att;
		}
	}
	return best;
}

const struct weir_network *weir_endpoint_answers_dropped(const struct weir_model *model,
							 const struct weir_endpoint *ep,
							 const struct weir_attachment *asked,
							 const struct weir_attachment *way)
{
	const struct weir_network *net = way && way != asked && !ep->forward
						 ? weir_model_network(model, way->network)
						 : NULL;

	return net && !net->no_spoof_guard && weir_mode_traits(net->mode)->host ? net : NULL;
}
