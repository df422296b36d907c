/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's end of an attachment in a routed network.
 *
 * How it works: there is no bridge. Every end has the network's gateway addresses, for itself alone (/32,
 * /128), and the host one route for each address of the endpoint behind it. An endpoint has its address for
 * itself too and reaches all else by the gateway, so that whatever it sends is routed. IPv6 asks for
 * neighbours from a link-local address: the end has one. */
#include <errno.h>
#include <linux/rtnetlink.h>

#include "backends/netlink/address.h"
#include "backends/netlink/attach.h"
#include "backends/netlink/family.h"
#include "backends/netlink/route.h"
#include "backends/netlink/sysctl.h"

/* ---- addresses ---- */

static size_t want_addresses(const struct weir_attach *a, const struct weir_iface_want *want,
			     struct weir_prefix addrs[WEIR_SUBNETS_MAX + 1])
{
	size_t n = 0;
	bool ipv6 = false;

	for (size_t i = 0; i < a->net->n_subnets && i < WEIR_SUBNETS_MAX; i++) {
		const struct weir_addr *gateway = &a->net->subnets[i].gateway;
		if (!weir_addr_is_set(gateway))
			continue;
		addrs[n++] =
			(struct weir_prefix){ .addr = *gateway,
					      .len = (uint8_t)weir_family_bits(gateway->family) };
		ipv6 |= gateway->family == WEIR_IPV6;
	}
	if (ipv6)
		addrs[n++] = (struct weir_prefix){ weir_link_local(&want->mac), 64 };
	return n;
}

static struct weir_addresses addresses_of(const struct weir_attach *a, int index,
					  const struct weir_prefix *addrs, size_t n)
{
	return (struct weir_addresses){
		.what = "interface",
		.ifname = a->att->host_ifname,
		.index = index,
		.want = addrs,
		.n_want = n,
	};
}

int weir_routed_end_ensure(const struct weir_attach *a, const struct weir_iface *now, bool fresh,
			   bool *changed, struct weir_err *err)
{
	struct weir_iface_want want = weir_host_end_want(a, NULL);
	struct weir_prefix addrs[WEIR_SUBNETS_MAX + 1];
	struct weir_addresses addresses =
		addresses_of(a, now->index, addrs, want_addresses(a, &want, addrs));
	bool moved = false;

	int r = weir_sysctl_ipv6_ensure(a->links->trace, want.name, &now->ipv6, &want.ipv6, err);
	if (r == 0)
		r = weir_addresses_ensure(&a->links->host, &addresses, fresh, &moved, err);
	*changed |= moved;
	return r;
}

/* ---- routes ---- */

static size_t want_routes(const struct weir_attach *a,
			  struct weir_route_want want[WEIR_NUM_FAMILIES])
{
	size_t n = 0;

	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		const struct weir_addr *addr = &a->att->addrs[family];
		if (weir_addr_is_set(addr))
			want[n++].to =
				(struct weir_prefix){ .addr = *addr,
						      .len = (uint8_t)weir_family_bits(family) };
	}
	return n;
}

/* One that was down has no routes. */
int weir_routed_end_up(const struct weir_attach *a, struct weir_err *err)
{
	struct weir_route_want want[WEIR_NUM_FAMILIES] = { 0 };
	struct weir_iface now;
	int r = weir_iface_get(&a->links->host, a->att->host_ifname, &now, err);

	if (r == 0 && !now.forwarding && weir_network_forwards(a->net, WEIR_IPV4))
		r = weir_iface_set_forwarding(&a->links->host, a->att->host_ifname, err);
	if (r < 0)
		return r;
	struct weir_routes routes = {
		.ifname = a->att->host_ifname,
		.index = now.index,
		.want = want,
		.n_want = want_routes(a, want),
		.without_ipv6 = now.ipv6.disable_ipv6 > 0,
		.others = "the host",
	};
	if (now.up)
		return weir_routes_ensure(&a->links->host, &routes, err);
	r = weir_iface_set_up(&a->links->host, a->att->host_ifname, true, err);
	return r < 0 ? r : weir_routes_put(&a->links->host, &routes, err);
}

/* A rule of the user's, or what another table has, may come before a route that is there. */
static int check_route(const struct weir_attach *a, int index, const struct weir_route_want *want,
		       struct weir_err *err)
{
	const struct weir_routes routes = { .ifname = a->att->host_ifname, .index = index };
	bool used = false, there = false;
	char text[WEIR_ADDR_TEXT];
	int r = weir_route_is_by(&a->links->host, &want->to.addr, index, &used, err);

	if (r == 0 && !used)
		r = weir_route_is_there(&a->links->host, &routes, want, &there, err);
	if (r < 0 || used)
		return r;
	(void)weir_addr_text(&want->to.addr, text);
	if (!there)
		return weir_err_set(err, ESTALE, "the host has lost its route to %s by %s", text,
				    a->att->host_ifname);
	return weir_err_set(err, ESTALE,
			    "what the host sends to %s goes another way than by %s: a rule, an "
			    "address or another route of the host's comes first (ip rule; ip "
			    "route get %s)",
			    text, a->att->host_ifname, text);
}

int weir_routed_end_check(const struct weir_attach *a, int index, struct weir_err *err)
{
	struct weir_iface_want want = weir_host_end_want(a, NULL);
	struct weir_prefix addrs[WEIR_SUBNETS_MAX + 1];
	struct weir_addresses addresses =
		addresses_of(a, index, addrs, want_addresses(a, &want, addrs));
	struct weir_route_want routes[WEIR_NUM_FAMILIES] = { 0 };
	size_t n = want_routes(a, routes);

	int r = weir_addresses_check(&a->links->host, &addresses, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_route(a, index, &routes[i], err);
	return r;
}
