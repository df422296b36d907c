/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is legal in a network, and yet worth a word: an adopted bridge carries others too, and weir binds
 * these by accident or not at all; an address to translate to, or a gateway, that is not there. */
#include "core/plan.h"

#include <stdio.h>
#include <string.h>

static bool is_adopted(const struct weir_network *net)
{
	return net->adopt;
}

static bool denies_by_default(const struct weir_network *net)
{
	return net->adopt &&
	       (net->ingress == WEIR_DEFAULT_DENY || net->egress == WEIR_DEFAULT_DENY);
}

static bool isolates(const struct weir_network *net)
{
	return net->adopt && net->isolate;
}

static bool closes_host(const struct weir_network *net)
{
	return net->adopt && (net->host_deny || net->internal);
}

static const struct {
	bool (*holds)(const struct weir_network *net);
	const char *detail;
} words[] = {
	{ is_adopted, "the host forwards for the network's endpoints only" },
	{ denies_by_default, "no default binds what passes within it" },
	{ isolates, "endpoints are isolated from each other only" },
	{ closes_host, "the host is closed to all that is on it" },
};

static int warn(struct weir_plan *plan, const struct weir_network *net, const char *detail,
		struct weir_err *err)
{
	const struct weir_step step = {
		.object = "network", .name = net->name, .detail = detail, .origin = net->origin
	};
	return weir_plan_add_warning(plan, &step, err);
}

static int warn_adopted(struct weir_plan *plan, const struct weir_network *prev,
			const struct weir_network *net, struct weir_err *err)
{
	char detail[256];
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
		if (!words[i].holds(net) || (prev && words[i].holds(prev)))
			continue;
		(void)snprintf(detail, sizeof(detail), "bridge %s is somebody else's: %s",
			       net->ifname, words[i].detail);
		r = warn(plan, net, detail, err);
	}
	return r;
}

/* Where replies are routed here, connection tracking knows them all the same. */
static int warn_nat(struct weir_plan *plan, struct weir_session *s, const struct weir_model *after,
		    const struct weir_network *prev, const struct weir_network *net,
		    struct weir_err *err)
{
	char detail[256], text[WEIR_ADDR_TEXT];
	int r = 0;

	for (int f = WEIR_IPV4; r == 0 && f < WEIR_NUM_FAMILIES; f++) {
		const struct weir_addr *addr = &net->nat_addr[f];
		bool owns = true;
		if (net->nat != WEIR_NAT_ADDRESS || !weir_addr_is_set(addr) ||
		    (prev && weir_addr_cmp(&prev->nat_addr[f], addr) == 0))
			continue;
		r = weir_plan_owns(s, after, addr, &owns, err);
		if (r < 0 || owns)
			continue;
		(void)snprintf(detail, sizeof(detail),
			       "nat %s: the host does not have that address, and until it does, "
			       "replies come back only where others route it here",
			       weir_addr_text(addr, text));
		r = warn(plan, net, detail, err);
	}
	return r;
}

/* Whoever is in the network waits for it. */
static bool lacks_gateway(const struct weir_network *net)
{
	if (!net->gateway_endpoint)
		return false;
	for (size_t i = 0; i < net->n_subnets; i++)
		if (weir_addr_is_set(&net->subnets[i].gateway))
			return false;
	return true;
}

static int warn_gateway(struct weir_plan *plan, const struct weir_network *prev,
			const struct weir_network *net, struct weir_err *err)
{
	char detail[256];

	if (!lacks_gateway(net) || (prev && lacks_gateway(prev) &&
				    strcmp(prev->gateway_endpoint, net->gateway_endpoint) == 0))
		return 0;
	(void)snprintf(detail, sizeof(detail),
		       "gateway %s: no endpoint of that name is in the network, and until it is, "
		       "nobody there has a default route",
		       net->gateway_endpoint);
	return warn(plan, net, detail, err);
}

int weir_plan_warn_network(struct weir_plan *plan, struct weir_session *s,
			   const struct weir_resolution *res, const struct weir_network *net,
			   struct weir_err *err)
{
	const struct weir_network *prev = weir_model_network(&res->before, net->name);
	int r = warn_adopted(plan, prev, net, err);

	if (r == 0)
		r = warn_nat(plan, s, &res->after, prev, net, err);
	return r < 0 ? r : warn_gateway(plan, prev, net, err);
}
