/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks whose gateways are endpoints: where the way out leads.
 *
 * How it works: out of such a network goes what its gateway endpoint sends by its own default route, in
 * another network, whose gateway may be an endpoint again. A way that comes back to where it began leads
 * nowhere: packets would go round until their TTL is used up. Each network has one way out for each family,
 * so it is followed from network to network, at most as many times as there are. */
#include "core/routers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CHAIN = 480 }; /* of the message; a longer one is cut */

/* The network by which the gateway of this one goes out; NULL: the host is the gateway, or it has none. */
static const struct weir_network *next_of(const struct weir_model *all,
					  const struct weir_network *net, enum weir_family family)
{
	const struct weir_endpoint *ep =
		net->gateway_endpoint ? weir_model_endpoint(all, net->gateway_endpoint) : NULL;
	const struct weir_attachment *att = ep ? weir_endpoint_default(all, ep, family) : NULL;

	return att ? weir_model_network(all, att->network) : NULL;
}

static bool comes_back(const struct weir_model *all, const struct weir_network *start,
		       enum weir_family family)
{
	const struct weir_network *net = next_of(all, start, family);

	for (size_t i = 0; net && net != start && i < all->n_networks; i++)
		net = next_of(all, net, family);
	return net == start;
}

static int refuse(const struct weir_model *all, const struct weir_network *start,
		  const struct weir_place *at, enum weir_family family, struct weir_err *err)
{
	const struct weir_network *net = start;
	char chain[CHAIN] = "";

	do {
		const struct weir_network *next = next_of(all, net, family);
		size_t used = strlen(chain);
		(void)snprintf(chain + used, sizeof(chain) - used,
			       "%s \"%s\", which goes out by network \"%s\"",
			       net == start ? "" : ", whose gateway is", net->gateway_endpoint,
			       next->name);
		net = next;
	} while (net != start);
	return weir_err_at(
		err, EINVAL, at,
		"network \"%s\": its %s gateway is%s: a circle (let one of them go out by "
		"another network, with a higher priority)",
		start->name, weir_family_name(family), chain);
}

/* The network of a circle that the user has written now, else any. */
static const struct weir_network *to_blame(const struct weir_model *all,
					   const struct weir_model *placed,
					   const struct weir_network *start,
					   enum weir_family family, struct weir_place *ret)
{
	const struct weir_network *net = start;

	do {
		const struct weir_network *written = weir_model_network(placed, net->name);
		if (written && written->origin.file) {
			*ret = written->origin;
			return net;
		}
		net = next_of(all, net, family);
	} while (net != start);
	return start;
}

int weir_routers_check(const struct weir_model *all, const struct weir_model *placed,
		       struct weir_err *err)
{
	for (size_t i = 0; i < all->n_networks; i++)
		for (int f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++) {
			const struct weir_network *net = &all->networks[i];
			enum weir_family family = (enum weir_family)f;
			struct weir_place at = { 0 };
			if (!comes_back(all, net, family))
				continue;
			net = to_blame(all, placed, net, family, &at);
			return refuse(all, net, &at, family, err);
		}
	return 0;
}
