/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's routes and uplinks that are not weir's. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "backends/netlink/host.h"
#include "backends/netlink/route.h"

/* Names of interfaces, and which of them are weir's. */
struct names {
	struct weir_arena *arena;
	struct name {
		int index;
		char name[WEIR_IFNAME_SIZE];
		bool weirs;
	} * items;
	size_t n;
};

static int take_name(const struct weir_iface *iface, void *ctx)
{
	struct names *names = ctx;
	struct weir_alias alias;

	if (!iface) {
		names->n = 0;
		return 0;
	}
	struct name *items = weir_arena_grow(names->arena, names->items, names->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	names->items = items;
	struct name *name = &items[names->n++];
	name->index = iface->index;
	memcpy(name->name, iface->name, sizeof(name->name));
	name->weirs = weir_alias_parse(iface->alias, &alias);
	return 0;
}

static const struct name *name_of(const struct names *names, int index)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->items[i].index == index)
			return &names->items[i];
	return NULL;
}

/* ---- routes ---- */

struct routes {
	struct weir_arena *arena;
	const struct names *names;
	struct weir_host_route *items;
	size_t n, keep;
};

/* fe80::/10 is on every link and ff00::/8 on all of them: no route to anywhere. */
static bool is_everywhere(const struct weir_prefix *to)
{
	return to->addr.family == WEIR_IPV6 &&
	       (weir_addr_is_link_local(&to->addr) || weir_addr_is_multicast(&to->addr));
}

static int take_route(const struct weir_route_entry *entry, void *ctx)
{
	struct routes *routes = ctx;

	if (!entry) {
		routes->n = routes->keep;
		return 0;
	}
	const struct name *name = name_of(routes->names, entry->index);
	if (entry->to.len == 0 || is_everywhere(&entry->to) || (name && name->weirs) ||
	    entry->protocol == WEIR_RTPROT)
		return 0;
	struct weir_host_route *items =
		weir_arena_grow(routes->arena, routes->items, routes->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	routes->items = items;
	struct weir_host_route *route = &items[routes->n++];
	*route = (struct weir_host_route){ .to = entry->to };
	if (name) /* else a blackhole: it takes the prefix all the same */
		memcpy(route->ifname, name->name, sizeof(route->ifname));
	return 0;
}

int weir_host_routes(struct weir_links *links, struct weir_arena *arena,
		     struct weir_host_route **ret, size_t *ret_n, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena scratch = { 0 };
	struct names names = { .arena = &scratch };
	struct routes routes = { .arena = arena, .names = &names };
	int r = weir_iface_walk(&links->host, NULL, 0, take_name, &names, err);

	for (int family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++) {
		struct weir_err why = { 0 };
		routes.keep = routes.n;
		r = weir_routes_walk(&links->host, family, 0, 0, take_route, &routes, &why);
		r = weir_request_allow(r, EOPNOTSUPP, &why, err); /* a kernel without IPv6 */
	}
	if (r < 0)
		return r;
	*ret = routes.items;
	*ret_n = routes.n;
	return 0;
}

int weir_host_owns(struct weir_links *links, const struct weir_addr *addr, bool *ret,
		   struct weir_err *err)
{
	return weir_route_is_local(&links->host, addr, ret, err);
}

/* ---- uplinks ---- */

struct uplinks {
	struct weir_arena *arena;
	char (*items)[WEIR_IFNAME_SIZE];
	size_t n;
};

static int take_uplink(const struct weir_iface *iface, void *ctx)
{
	struct uplinks *uplinks = ctx;
	struct weir_alias alias;

	if (!iface) {
		uplinks->n = 0;
		return 0;
	}
	if (iface->loopback || iface->enslaved || weir_alias_parse(iface->alias, &alias))
		return 0;
	void *items = weir_arena_grow(uplinks->arena, uplinks->items, uplinks->n, WEIR_IFNAME_SIZE);
	if (!items)
		return -ENOMEM;
	uplinks->items = items;
	memcpy(uplinks->items[uplinks->n++], iface->name, WEIR_IFNAME_SIZE);
	return 0;
}

int weir_host_uplinks(struct weir_links *links, struct weir_arena *arena,
		      char (**ret)[WEIR_IFNAME_SIZE], size_t *ret_n, struct weir_err *err)
{
	struct uplinks uplinks = { .arena = arena };
	int r = weir_iface_walk(&links->host, NULL, 0, take_uplink, &uplinks, err);

	if (r < 0)
		return r;
	*ret = uplinks.items;
	*ret_n = uplinks.n;
	return 0;
}
