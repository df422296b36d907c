/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolving an endpoint: addresses, MACs, interface names, host ports. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/ipam.h"
#include "core/names.h"
#include "core/resolve.h"

static const struct weir_place *place_of(const struct weir_attachment *att,
					 const struct weir_endpoint *ep)
{
	return att->origin.file ? &att->origin : &ep->origin;
}

static int find_network(const struct weir_model *model, const struct weir_endpoint *ep,
			const struct weir_attachment *att, const struct weir_network **ret,
			struct weir_err *err)
{
	*ret = weir_model_network(model, att->network);
	if (*ret)
		return 0;
	return weir_err_at(err, ENOENT, place_of(att, ep),
			   "endpoint \"%s\": no network named \"%s\" (weir network ls)", ep->name,
			   att->network);
}

/* A wire has two ends, a bridge 1,023 ports; a parent and the host's routes take as many as there are
 * addresses. */
static int check_room(struct weir_session *s, const struct weir_network *net,
		      const struct weir_endpoint *ep, const struct weir_attachment *att,
		      struct weir_err *err)
{
	const struct weir_mode_traits *mode = weir_mode_traits(net->mode);
	size_t attached = 0, room = mode->wire ? 2 : WEIR_BRIDGE_PORTS;
	if (mode->parent || mode->routed)
		return 0;
	int r = weir_store_count_attached(s->store, net->name, &attached, err);
	if (r < 0 || attached < room)
		return r;
	return weir_err_at(err, ENOSPC, place_of(att, ep),
			   "endpoint \"%s\": network \"%s\" has %zu endpoints, all that a %s takes",
			   ep->name, net->name, attached, mode->wire ? "p2p network" : "bridge");
}

/* Is the address the host's own? On a parent's segment, which both are on, nobody else may have it. */
static int is_hosts(struct weir_session *s, const struct weir_network *net,
		    const struct weir_addr *addr, bool *ret, struct weir_err *err)
{
	const struct weir_mode_traits *mode = weir_mode_traits(net->mode);
	struct weir_addr *taken = NULL;
	size_t n = 0;
	int r = 0;

	*ret = false;
	if (mode->parent && !mode->device) /* a VLAN is a segment of its own */
		r = s->engine->links->addresses(s->links, net->parent, &s->arena, &taken, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		*ret = *ret || weir_addr_cmp(&taken[i], addr) == 0;
	return r;
}

static int check_addr(struct weir_session *s, const struct weir_network *net,
		      const struct weir_endpoint *ep, const struct weir_attachment *att,
		      const struct weir_addr *addr, struct weir_err *err)
{
	char text[WEIR_ADDR_TEXT];
	bool hosts = false;
	int r = weir_ipam_check(s->store, net, ep->name, addr, place_of(att, ep), err);

	if (r == 0)
		r = is_hosts(s, net, addr, &hosts, err);
	if (r == 0 && hosts)
		r = weir_err_at(err, EINVAL, place_of(att, ep),
				"address %s is the host's own, on %s (ip addr)",
				weir_addr_text(addr, text), net->parent);
	return r;
}

/* The next free one that the host itself has not. */
static int choose_addr(struct weir_session *s, const struct weir_network *net,
		       enum weir_family family, struct weir_addr *ret, struct weir_err *err)
{
	bool hosts = true;
	int r = 0;

	while (r == 0 && hosts) {
		r = weir_ipam_choose(s->store, net, family, ret, err);
		if (r == 0)
			r = is_hosts(s, net, ret, &hosts, err);
	}
	return r;
}

/* An address that the user left open stays what it was. */
static int resolve_addrs(struct weir_session *s, const struct weir_network *net,
			 const struct weir_endpoint *ep, const struct weir_attachment *prev,
			 struct weir_attachment *att, struct weir_err *err)
{
	for (enum weir_family family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		struct weir_addr *addr = &att->addrs[family];
		if (weir_addr_is_set(addr)) {
			int r = check_addr(s, net, ep, att, addr, err);
			if (r < 0)
				return r;
			continue;
		}
		if (!weir_network_subnet(net, family))
			continue;
		if (prev && weir_network_subnet_of(net, &prev->addrs[family])) {
			*addr = prev->addrs[family];
			continue;
		}
		int r = choose_addr(s, net, family, addr, err);
		if (r < 0) {
			weir_err_place(err, place_of(att, ep));
			return weir_err_wrap(err, r, "endpoint \"%s\"", ep->name);
		}
	}
	return 0;
}

static const struct weir_addr *first_addr(const struct weir_attachment *att)
{
	return &att->addrs[weir_addr_is_set(&att->addrs[WEIR_IPV4]) ? WEIR_IPV4 : WEIR_IPV6];
}

/* A MAC address that was derived follows its address; one that was given and is no longer asked for
 * goes back to the derived one. */
static int resolve_mac(const struct weir_network *net, const struct weir_endpoint *ep,
		       struct weir_attachment *att, struct weir_err *err)
{
	bool given = weir_mac_is_set(&att->mac);

	if (net->mode == WEIR_MODE_IPVLAN)
		return !given ? 0
			      : weir_err_at(
					err, EINVAL, place_of(att, ep),
					"endpoint \"%s\": in the ipvlan network \"%s\" every "
					"endpoint has its parent's MAC address (macvlan: one of "
					"its own)",
					ep->name, net->name);
	if (!given)
		weir_names_mac(first_addr(att), &att->mac);
	return 0;
}

static bool ifname_used(const struct weir_endpoint *ep, const char *ifname)
{
	for (size_t i = 0; i < ep->n_attachments; i++)
		if (strcmp(ep->attachments[i].ifname, ifname) == 0)
			return true;
	return false;
}

static void choose_ifname(const struct weir_endpoint *ep, struct weir_attachment *att)
{
	char ifname[WEIR_IFNAME_SIZE] = "";
	for (unsigned n = 0; !ifname[0] || ifname_used(ep, ifname); n++)
		(void)snprintf(ifname, sizeof(ifname), "eth%u", n);
	memcpy(att->ifname, ifname, sizeof(ifname));
}

static int choose_host_ifname(struct weir_session *s, const struct weir_network *net,
			      const struct weir_endpoint *ep, struct weir_attachment *att,
			      struct weir_err *err)
{
	for (unsigned salt = 0;; salt++) {
		bool taken = false;
		if (weir_mode_traits(net->mode)->routed)
			weir_names_port(net->ifname, ep->name, salt, att->host_ifname);
		else
			weir_names_veth(ep->name, att->network, salt, att->host_ifname);
		int r = weir_store_ifname_taken(s->store, att->host_ifname, &taken, err);
		if (r < 0 || !taken)
			return r;
	}
}

static int resolve_attachment(struct weir_session *s, const struct weir_model *model,
			      const struct weir_endpoint *prev_ep, struct weir_endpoint *ep,
			      struct weir_attachment *att, struct weir_err *err)
{
	const struct weir_attachment *prev =
		prev_ep ? weir_endpoint_attachment(prev_ep, att->network) : NULL;
	const struct weir_network *net = NULL;
	int r = find_network(model, ep, att, &net, err);
	if (r == 0 && !prev)
		r = check_room(s, net, ep, att, err);
	if (r == 0)
		r = resolve_addrs(s, net, ep, prev, att, err);
	if (r == 0)
		r = resolve_mac(net, ep, att, err);
	if (r < 0)
		return r;
	if (!att->ifname[0])
		choose_ifname(ep, att);
	if (!prev)
		return choose_host_ifname(s, net, ep, att, err);
	memcpy(att->host_ifname, prev->host_ifname, sizeof(att->host_ifname));
	return 0;
}

/* Names that stand already are kept before new ones are chosen, so that these find others. */
static void keep_ifnames(const struct weir_endpoint *prev, struct weir_endpoint *ep)
{
	for (size_t i = 0; prev && i < ep->n_attachments; i++) {
		struct weir_attachment *att = &ep->attachments[i];
		const struct weir_attachment *old = weir_endpoint_attachment(prev, att->network);
		if (old && !att->ifname[0] && !ifname_used(ep, old->ifname))
			memcpy(att->ifname, old->ifname, sizeof(att->ifname));
	}
}

static int check_route(const struct weir_model *model, const struct weir_endpoint *ep,
		       const struct weir_route *route, struct weir_err *err)
{
	const char *wrong = "no network of this endpoint has that address";
	char via[WEIR_ADDR_TEXT];
	for (size_t i = 0; i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		const struct weir_network *net = weir_model_network(model, att->network);
		if (!net || !weir_network_subnet_of(net, &route->via))
			continue;
		if (weir_addr_cmp(&att->addrs[route->via.family], &route->via) != 0)
			return 0;
		wrong = "that is its own address";
	}
	return weir_err_at(err, EINVAL, &route->origin, "endpoint \"%s\": route via %s: %s",
			   ep->name, weir_addr_text(&route->via, via), wrong);
}

static int check_routes(const struct weir_model *model, const struct weir_endpoint *ep,
			struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < ep->n_routes; i++)
		r = check_route(model, ep, &ep->routes[i], err);
	return r;
}

int weir_resolve_endpoint(struct weir_session *s, const struct weir_endpoint *prev,
			  struct weir_endpoint *ep, struct weir_model *model, struct weir_err *err)
{
	int r = weir_endpoint_check(ep, err);
	if (r < 0)
		return r;
	if (prev && weir_endpoint_same_netns(prev, ep))
		ep->netns_id = prev->netns_id;
	keep_ifnames(prev, ep);
	for (size_t i = 0; i < ep->n_attachments; i++) {
		r = resolve_attachment(s, model, prev, ep, &ep->attachments[i], err);
		if (r < 0)
			return r;
	}
	r = check_routes(model, ep, err);
	if (r == 0)
		r = weir_resolve_mappings(s, prev ? prev->mappings : NULL,
					  prev ? prev->n_mappings : 0, ep->mappings, ep->n_mappings,
					  err);
	return r;
}
