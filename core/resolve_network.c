/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolving a network: subnets, gateways, the bridge's name and MAC. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/ipam.h"
#include "core/names.h"
#include "core/resolve.h"

static int load_routes(struct weir_session *s, struct weir_host_route **ret, size_t *ret_n,
		       struct weir_err *err)
{
	int r = 0;
	if (!s->have_routes)
		r = s->engine->links->routes(s->links, &s->arena, &s->routes, &s->n_routes, err);
	s->have_routes = r == 0;
	*ret = s->routes;
	*ret_n = r < 0 ? 0 : s->n_routes;
	return r;
}

static const struct weir_subnet *find_subnet(const struct weir_network *net,
					     const struct weir_prefix *prefix)
{
	for (size_t i = 0; net && i < net->n_subnets; i++)
		if (weir_prefix_cmp(&net->subnets[i].prefix, prefix) == 0)
			return &net->subnets[i];
	return NULL;
}

/* The host's own way into the segment that the network is on, or into the adopted bridge. */
static bool is_own_route(const struct weir_network *net, const struct weir_host_route *route)
{
	return strcmp(route->ifname, net->parent) == 0 ||
	       (net->adopt && strcmp(route->ifname, net->ifname) == 0);
}

static int check_overlap(struct weir_session *s, const struct weir_network *net,
			 const struct weir_subnet *subnet, struct weir_err *err)
{
	char text[WEIR_PREFIX_TEXT], other[WEIR_PREFIX_TEXT];
	const struct weir_place *at = subnet->origin.file ? &subnet->origin : &net->origin;
	const char *name = NULL;
	struct weir_prefix prefix;
	int r = weir_store_overlap(s->store, &subnet->prefix, net->name, &s->arena, &name, &prefix,
				   err);
	if (r < 0)
		return r;
	weir_prefix_text(&subnet->prefix, text);
	if (name)
		return weir_err_at(err, EEXIST, at,
				   "network \"%s\": subnet %s overlaps %s of network \"%s\"",
				   net->name, text, weir_prefix_text(&prefix, other), name);

	struct weir_host_route *routes = NULL;
	size_t n = 0;
	r = load_routes(s, &routes, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (weir_prefix_overlaps(&routes[i].to, &subnet->prefix) &&
		    !is_own_route(net, &routes[i]))
			return weir_err_at(
				err, EEXIST, at,
				"network \"%s\": subnet %s overlaps the host's route to %s by %s "
				"(ip route)",
				net->name, text, weir_prefix_text(&routes[i].to, other),
				routes[i].ifname);
	return r;
}

/* Only what is new has to be checked: the network's own route is there for what is not. */
static int check_subnets(struct weir_session *s, const struct weir_network *prev,
			 const struct weir_network *net, struct weir_err *err)
{
	for (size_t i = 0; i < net->n_subnets; i++) {
		if (find_subnet(prev, &net->subnets[i].prefix))
			continue;
		int r = check_overlap(s, net, &net->subnets[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int choose_subnet(struct weir_session *s, const struct weir_change *change,
			 enum weir_family family, struct weir_subnet *ret, struct weir_err *err)
{
	struct weir_host_route *routes = NULL;
	size_t n = 0;
	int r = load_routes(s, &routes, &n, err);
	if (r < 0)
		return r;
	struct weir_prefix *avoid = weir_arena_alloc(&s->arena, (n + 1) * sizeof(*avoid));
	if (!avoid)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		avoid[i] = routes[i].to;
	return weir_ipam_choose_subnet(s->store, change->pools, change->n_pools, family, avoid, n,
				       &ret->prefix, err);
}

/* No subnet given: one of each family out of the pools, or those it has. */
static int choose_subnets(struct weir_session *s, const struct weir_change *change,
			  const struct weir_network *prev, struct weir_network *net,
			  struct weir_model *model, struct weir_err *err)
{
	if (net->n_subnets)
		return 0;
	size_t n = prev ? prev->n_subnets : 2;
	struct weir_subnet *subnets = weir_arena_alloc(&model->arena, n * sizeof(*subnets));
	if (!subnets)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (prev) {
			subnets[i] = prev->subnets[i];
			subnets[i].gateway = (struct weir_addr){ 0 };
			continue;
		}
		int r = choose_subnet(s, change, i == 0 ? WEIR_IPV4 : WEIR_IPV6, &subnets[i], err);
		if (r < 0)
			return weir_err_wrap(err, r, "network \"%s\"", net->name);
	}
	net->subnets = subnets;
	net->n_subnets = n;
	return 0;
}

static int choose_ifname(struct weir_session *s, const struct weir_network *prev,
			 struct weir_network *net, struct weir_err *err)
{
	const struct weir_mode_traits *mode = weir_mode_traits(net->mode);
	if (!mode->device || net->ifname[0])
		return 0;
	if (prev && prev->ifname[0]) {
		memcpy(net->ifname, prev->ifname, sizeof(net->ifname));
		return 0;
	}
	for (unsigned salt = 0;; salt++) {
		bool taken = false;
		(mode->routed ? weir_names_ports : weir_names_bridge)(net->name, salt, net->ifname);
		int r = weir_store_ifname_taken(s->store, net->ifname, &taken, err);
		if (r < 0 || !taken)
			return r;
	}
}

/* What a change of a network in use may not do. */
static int check_change(const struct weir_network *prev, const struct weir_network *net,
			size_t attached, struct weir_err *err)
{
	if (!prev)
		return 0;
	if (prev->mode != net->mode || strcmp(prev->ifname, net->ifname) != 0 ||
	    prev->adopt != net->adopt || strcmp(prev->parent, net->parent) != 0 ||
	    prev->vlan != net->vlan)
		return weir_err_at(
			err, EBUSY, &net->origin,
			"network \"%s\" is there: its mode, bridge, parent and VLAN cannot "
			"change (weir network rm)",
			net->name);
	for (size_t i = 0; attached && i < prev->n_subnets; i++)
		if (!find_subnet(net, &prev->subnets[i].prefix)) {
			char text[WEIR_PREFIX_TEXT];
			return weir_err_at(
				err, EBUSY, &net->origin,
				"network \"%s\" has endpoints: subnet %s cannot be taken away "
				"(weir endpoint rm)",
				net->name, weir_prefix_text(&prev->subnets[i].prefix, text));
		}
	return 0;
}

/* A gateway that is an endpoint has the address that this endpoint has, once it is there. */
static int resolve_gateways(struct weir_session *s, struct weir_network *net, struct weir_err *err)
{
	if (!net->gateway_endpoint)
		return weir_network_resolve_gateways(net, err);
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	const char *names[] = { net->gateway_endpoint };
	struct weir_scope scope = { .endpoints = names, .n_endpoints = 1, .no_mappings = true };
	int r = weir_store_load(s->store, &scope, &model, err);
	const struct weir_endpoint *ep = r < 0 ? NULL : weir_model_endpoint(&model, names[0]);
	weir_network_set_gateway(net, ep ? weir_endpoint_attachment(ep, net->name) : NULL);
	return r;
}

int weir_resolve_network(struct weir_session *s, const struct weir_change *change, bool add,
			 const struct weir_network *prev, struct weir_network *net,
			 struct weir_model *model, struct weir_err *err)
{
	size_t attached = 0;
	int r = choose_subnets(s, change, prev, net, model, err);
	if (r == 0)
		r = resolve_gateways(s, net, err);
	if (r == 0)
		r = weir_network_check(net, err);
	if (r == 0)
		r = choose_ifname(s, prev, net, err);
	if (r == 0 && weir_mode_traits(net->mode)->host && !net->adopt &&
	    !weir_mac_is_set(&net->mac))
		weir_names_bridge_mac(net->name, &net->mac);
	if (r == 0 && prev)
		r = weir_store_count_attached(s->store, net->name, &attached, err);
	if (r == 0 && add && prev && !weir_network_equal(prev, net))
		r = weir_err_at(
			err, EEXIST, &net->origin,
			"network \"%s\" is there already, in another form (weir network show %s)",
			net->name, net->name);
	if (r == 0)
		r = check_change(prev, net, attached, err);
	if (r == 0)
		r = check_subnets(s, prev, net, err);
	return r;
}
