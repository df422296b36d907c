/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of an attachment inside the endpoint's namespace. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/netlink/address.h"
#include "backends/netlink/attach.h"
#include "backends/netlink/family.h"
#include "backends/netlink/namespace.h"
#include "backends/netlink/neighbour.h"
#include "backends/netlink/port.h"
#include "backends/netlink/route.h"
#include "backends/netlink/segment.h"
#include "backends/netlink/sysctl.h"
#include "backends/netns.h"
#include "core/sysctl.h"

enum { UP_TRIES = 150 }; /* 3 s: the kernel clears a namespace away in some hundred ms */

static int inside_want(const struct weir_attach *a, struct weir_iface_want *ret,
		       struct weir_err *err)
{
	bool ipv6 = weir_network_subnet(a->net, WEIR_IPV6) != NULL;
	struct weir_iface_want want = {
		.name = a->att->ifname,
		.alias = a->alias,
		.what = "interface",
		.mtu = weir_attach_mtu(a),
		.mac = weir_attach_mac(a),
		.arp_notify = true,
		.ipv6 = WEIR_IPV6_CONF_ANY,
	};

	want.ipv6.disable_ipv6 = !ipv6;
	if (ipv6) {
		want.ipv6.accept_ra = 0;
		want.ipv6.accept_dad = 0; /* the link-local address is usable at once */
	}
	int r = want.mtu ? 0 : weir_segment_mtu(a->links, a->net, &want.mtu, err);
	if (r == 0)
		*ret = want;
	return r;
}

/* ---- addresses ---- */

static size_t wanted_addresses(const struct weir_attach *a, struct weir_prefix *want)
{
	size_t n = 0;

	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		const struct weir_addr *addr = &a->att->addrs[family];
		if (!weir_addr_is_set(addr))
			continue;
		const struct weir_subnet *subnet = weir_network_subnet_of(a->net, addr);
		want[n].addr = *addr;
		want[n++].len = subnet && !weir_mode_traits(a->net->mode)->routed
					? subnet->prefix.len
					: (uint8_t)weir_family_bits(family);
	}
	return n;
}

/* The kernel makes a link-local address when the carrier comes, and has every port of the bridge hear of it
 * at once: an attach waits 3 ms for that, 7 ms among 1,000 ports. Of one that was there before they hear
 * within a second, by timers. Not on somebody else's bridge, which may wait to hear (with a querier,
 * multicast goes where it was asked for). */
static void add_link_local(const struct weir_attach *a, const struct weir_iface_want *iface,
			   struct weir_prefix *want, size_t *n)
{
	if (weir_mode_traits(a->net->mode)->host && !a->net->adopt &&
	    iface->ipv6.disable_ipv6 == 0 && weir_mac_is_set(&iface->mac))
		want[(*n)++] = (struct weir_prefix){ weir_link_local(&iface->mac), 64 };
}

static struct weir_addresses addresses_of(const struct weir_attach *a,
					  const struct weir_prefix *want, size_t n, int index)
{
	return (struct weir_addresses){
		.what = "interface",
		.ifname = a->att->ifname,
		.index = index,
		.want = want,
		.n_want = n,
	};
}

/* ---- settings ---- */

struct settings {
	const struct weir_attach *a;
	const struct weir_iface *now;
	const struct weir_iface_want *want;
};

static int write_sysctls(void *ctx, struct weir_err *err)
{
	const struct settings *settings = ctx;

	return weir_sysctl_ipv6_ensure(settings->a->links->trace, settings->want->name,
				       &settings->now->ipv6, &settings->want->ipv6, err);
}

static int configure(const struct weir_attach *a, const struct weir_iface *now,
		     const struct weir_iface_want *want, struct weir_err *err)
{
	struct settings settings = { .a = a, .now = now, .want = want };
	int r = weir_netns_run(a->inside->fd, write_sysctls, &settings, err);

	if (r == 0)
		r = weir_iface_configure(&a->inside->channel, now, want, err);
	return r;
}

/* The sysctls that the user has asked for. */
struct asked {
	const struct weir_attach *a;
	bool check, changed;
};

static int see_to_sysctls(void *ctx, struct weir_err *err)
{
	struct asked *asked = ctx;
	const struct weir_attachment *att = asked->a->att;
	char path[WEIR_SYSCTL_PATH];
	int r = 0;

	for (size_t i = 0; r == 0 && i < att->n_sysctls; i++) {
		const char *value = att->sysctls[i].value;
		weir_sysctl_path(att->sysctls[i].key, att->ifname, path);
		r = asked->check ? weir_sysctl_check_text(path, value, err)
				 : weir_sysctl_ensure_text(asked->a->links->trace, path, value,
							   &asked->changed, err);
	}
	return r;
}

static int sysctls_ensure(const struct weir_attach *a, bool *changed, struct weir_err *err)
{
	struct asked asked = { .a = a };
	int r = a->att->n_sysctls ? weir_netns_run(a->inside->fd, see_to_sysctls, &asked, err) : 0;

	*changed |= asked.changed;
	return r;
}

static int sysctls_check(const struct weir_attach *a, struct weir_err *err)
{
	struct asked asked = { .a = a, .check = true };

	return a->att->n_sysctls ? weir_netns_run(a->inside->fd, see_to_sysctls, &asked, err) : 0;
}

/* On a parent no two have one MAC: the one before may still be going, with a namespace that was dropped. */
static int set_up(const struct weir_attach *a, struct weir_err *err)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct weir_err why = { 0 };
	int r = weir_iface_set_up(&a->inside->channel, a->att->ifname, true, &why);

	for (int tries = 0; r == -EADDRINUSE && tries < UP_TRIES; tries++) {
		(void)nanosleep(&pause, NULL); /* woken early, it asks early */
		why = (struct weir_err){ 0 };
		r = weir_iface_set_up(&a->inside->channel, a->att->ifname, true, &why);
	}
	return weir_request_allow(r, 0, &why, err);
}

int weir_inside_end_name(const struct weir_attach *a, const struct weir_iface *now,
			 struct weir_err *err)
{
	struct ifinfomsg header = { .ifi_index = now->index };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, 0, &header, sizeof(header));

	weir_request_text(&request, IFLA_IFNAME, a->att->ifname);
	return weir_request_send(&a->inside->channel, &request, err, "link set %s name %s",
				 now->name, a->att->ifname);
}

int weir_inside_end_retake(const struct weir_attach *a, bool *ret_found, struct weir_err *err)
{
	struct weir_iface now;
	int r = weir_inside_find(a->links, a->ep, a->net->name, &now, err);

	if (r < 0 || now.index == 0)
		return r;
	if (now.up) /* the kernel renames no other */
		r = weir_iface_set_up(&a->inside->channel, now.name, false, err);
	if (r == 0)
		r = weir_inside_end_name(a, &now, err);
	*ret_found = r == 0;
	return r;
}

int weir_inside_end_ensure(const struct weir_attach *a, bool fresh, bool *changed,
			   struct weir_err *err)
{
	struct weir_iface_want want;
	struct weir_prefix addrs[WEIR_NUM_FAMILIES + 1];
	size_t n_addrs = wanted_addresses(a, addrs);
	struct weir_iface now;
	char difference[160];
	bool moved = false;
	int r = weir_iface_get(&a->inside->channel, a->att->ifname, &now, err);

	if (r == 0)
		r = weir_alias_check(a->att->ifname, now.alias, now.group, a->alias, err);
	if (r == 0)
		r = inside_want(a, &want, err);
	if (r == 0)
		r = weir_iface_widen(&a->inside->channel, &now, &want, changed, err);
	if (r == 0 && weir_iface_differs(&now, &want, difference, sizeof(difference))) {
		*changed = true;
		r = configure(a, &now, &want, err);
	}
	if (r == 0)
		r = sysctls_ensure(a, changed, err);
	if (r == 0 && !now.up) {
		*changed = true;
		r = set_up(a, err);
	}
	if (r < 0)
		return r;
	if (fresh)
		add_link_local(a, &want, addrs, &n_addrs);
	struct weir_addresses addresses = addresses_of(a, addrs, n_addrs, now.index);
	const struct weir_port port = weir_port_inside(a, now.index, want.mtu);
	r = weir_addresses_ensure(&a->inside->channel, &addresses, fresh, &moved, err);
	*changed |= moved;
	if (r == 0)
		r = weir_port_ensure(&port, fresh, changed, err);
	bool same_mac = !weir_mac_is_set(&want.mac) || weir_mac_cmp(&now.mac, &want.mac) == 0;
	if (r < 0 || fresh || same_mac)
		return r;
	if (!want.ipv6.disable_ipv6)
		r = weir_addresses_follow_mac(&a->inside->channel, &addresses, &now.mac, &want.mac,
					      err);
	if (r == 0)
		r = weir_neighbours_tell(a, err);
	return r;
}

/* ---- routes ---- */

static bool gives_default(const struct weir_attach *a, const struct weir_model *model,
			  enum weir_family family)
{
	const struct weir_attachment *att = weir_endpoint_default(model, a->ep, family);

	return att && strcmp(att->network, a->att->network) == 0;
}

static void want_default(const struct weir_attach *a, const struct weir_model *model,
			 enum weir_family family, struct weir_route_want *want, size_t *n)
{
	if (!weir_addr_is_set(&a->att->addrs[family]))
		return;
	const struct weir_subnet *subnet = weir_network_subnet_of(a->net, &a->att->addrs[family]);

	if (!subnet || !weir_addr_is_set(&subnet->gateway) ||
	    weir_addr_cmp(&subnet->gateway, &a->att->addrs[family]) == 0 ||
	    !gives_default(a, model, family))
		return;
	want[(*n)++] = (struct weir_route_want){ .to.addr.family = (uint8_t)family,
						 .via = subnet->gateway };
}

/* Where an address stands for itself alone, a route leads to the gateway, and by that one to the subnet.
 * First: other routes are by way of it. */
static void want_subnet(const struct weir_attach *a, const struct weir_subnet *subnet,
			struct weir_route_want *want, size_t *n)
{
	const struct weir_addr *gateway = &subnet->gateway;
	uint8_t bits = (uint8_t)weir_family_bits(gateway->family);

	if (!weir_addr_is_set(gateway) || !weir_addr_is_set(&a->att->addrs[gateway->family]))
		return;
	want[(*n)++].to = (struct weir_prefix){ .addr = *gateway, .len = bits };
	want[(*n)++] = (struct weir_route_want){ .to = subnet->prefix, .via = *gateway };
}

/* The routes of this attachment; the caller frees. NULL: no memory. */
static struct weir_route_want *wanted_routes(const struct weir_attach *a,
					     const struct weir_model *model, size_t *ret_n)
{
	size_t room = WEIR_NUM_FAMILIES + 2 * a->net->n_subnets + a->ep->n_routes;
	struct weir_route_want *want = calloc(room, sizeof(*want));
	size_t n = 0;

	if (!want)
		return NULL;
	for (size_t i = 0; weir_mode_traits(a->net->mode)->routed && i < a->net->n_subnets; i++)
		want_subnet(a, &a->net->subnets[i], want, &n);
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++)
		want_default(a, model, family, want, &n);
	for (size_t i = 0; i < a->ep->n_routes; i++) {
		const struct weir_route *route = &a->ep->routes[i];
		if (!weir_network_subnet_of(a->net, &route->via))
			continue;
		want[n].to = (struct weir_prefix){ .addr = weir_prefix_base(&route->to),
						   .len = route->to.len };
		want[n++].via = route->via;
	}
	*ret_n = n;
	return want;
}

typedef int (*routes_work)(struct weir_channel *channel, const struct weir_routes *routes,
			   struct weir_err *err);

static int with_routes(const struct weir_attach *a, const struct weir_model *model,
		       const struct weir_iface *now, routes_work work, struct weir_err *err)
{
	size_t n;
	struct weir_route_want *want = wanted_routes(a, model, &n);

	if (!want)
		return weir_err_set(err, ENOMEM, "out of memory");
	struct weir_routes routes = {
		.ifname = a->att->ifname,
		.index = now->index,
		.want = want,
		.n_want = n,
		.without_ipv6 = now->ipv6.disable_ipv6 > 0,
		.others = a->ep->netns == WEIR_NETNS_PATH ? a->ep->netns_path : NULL,
	};
	int r = work(&a->inside->channel, &routes, err);
	free(want);
	return r;
}

/* With several networks that lead out one gives the default route: which one makes no difference here. */
int weir_inside_end_check_free(const struct weir_attach *a, struct weir_err *err)
{
	struct weir_network net = *a->net;
	const struct weir_model alone = { .networks = &net, .n_networks = 1 };
	struct weir_iface now;

	if (a->ep->netns != WEIR_NETNS_PATH)
		return 0;
	int r = weir_iface_find(&a->inside->channel, a->att->ifname, &now, err);
	if (r < 0 || now.index)
		return r;
	return with_routes(a, &alone, &now, weir_routes_check_free, err);
}

/* ---- up ---- */

int weir_inside_end_up(const struct weir_attach *a, const struct weir_model *model,
		       struct weir_err *err)
{
	struct weir_iface now;
	int r = weir_iface_get(&a->inside->channel, a->att->ifname, &now, err);

	if (r == 0)
		r = weir_alias_check(a->att->ifname, now.alias, now.group, a->alias, err);
	if (r == 0 && !now.up)
		r = weir_iface_set_up(&a->inside->channel, a->att->ifname, true, err);
	if (r < 0)
		return r;
	return with_routes(a, model, &now, weir_routes_ensure, err);
}

int weir_inside_end_check(const struct weir_attach *a, const struct weir_model *model,
			  struct weir_err *err)
{
	struct weir_iface_want want;
	struct weir_prefix addrs[WEIR_NUM_FAMILIES];
	size_t n_addrs = wanted_addresses(a, addrs);
	struct weir_iface now;
	char difference[160];
	int r = weir_iface_find(&a->inside->channel, a->att->ifname, &now, err);

	if (r < 0)
		return r;
	if (now.index == 0)
		return weir_err_set(err, ESTALE, "interface %s is gone", a->att->ifname);
	r = inside_want(a, &want, err);
	if (r < 0)
		return r;
	want.up = true;
	if (weir_iface_differs(&now, &want, difference, sizeof(difference)))
		return weir_err_set(err, ESTALE, "%s", difference);
	struct weir_addresses addresses = addresses_of(a, addrs, n_addrs, now.index);
	const struct weir_port port = weir_port_inside(a, now.index, want.mtu);
	r = weir_addresses_check(&a->inside->channel, &addresses, err);
	if (r == 0)
		r = sysctls_check(a, err);
	if (r == 0)
		r = weir_port_check(&port, err);
	return r < 0 ? r : with_routes(a, model, &now, weir_routes_check, err);
}
