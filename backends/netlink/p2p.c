/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network of two endpoints, joined by one veth pair and no bridge.
 *
 * How it works: the first attachment makes the pair; its own end is born inside, the other waits in
 * the host's namespace, down, under the first one's host name and alias. The second attachment finds
 * it there by the network in the alias, takes it in and gives it its own name and alias. So neither
 * needs to know which of them came first. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "backends/netlink/attach.h"
#include "backends/netlink/namespace.h"
#include "backends/netns.h"

struct search {
	const struct weir_attach *a;
	struct weir_iface parked;
};

static int match_parked(const struct weir_iface *iface, void *ctx)
{
	struct search *search = ctx;
	struct weir_alias alias;

	if (!iface) {
		search->parked.index = 0;
		return 0;
	}
	if (!weir_alias_parse(iface->alias, &alias) || !alias.endpoint[0] ||
	    strcmp(alias.store, search->a->links->store) != 0 ||
	    strcmp(alias.network, search->a->net->name) != 0 ||
	    strcmp(alias.endpoint, search->a->ep->name) == 0)
		return 0;
	search->parked = *iface;
	return 0;
}

static int take_parked(const struct weir_attach *a, const struct weir_iface *parked,
		       struct weir_err *err)
{
	struct ifinfomsg header = { .ifi_index = parked->index };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, 0, &header, sizeof(header));

	weir_request_u32(&request, IFLA_NET_NS_FD, (uint32_t)a->inside->fd);
	weir_request_text(&request, IFLA_IFNAME, a->att->ifname);
	weir_request_text(&request, IFLA_IFALIAS, a->alias);
	return weir_request_send(&a->links->host, &request, err, "link set %s netns %s name %s",
				 parked->name, a->ep->name, a->att->ifname);
}

/* Back to where take_parked() found it. */
static void return_parked(const struct weir_attach *a, const struct weir_iface *parked)
{
	struct weir_iface now;
	int home;

	if (weir_iface_get(&a->inside->channel, a->att->ifname, &now, NULL) < 0 ||
	    weir_netns_open_current(&home, NULL) < 0)
		return;
	struct ifinfomsg header = { .ifi_index = now.index };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, 0, &header, sizeof(header));
	weir_request_u32(&request, IFLA_NET_NS_FD, (uint32_t)home);
	weir_request_text(&request, IFLA_IFNAME, parked->name);
	weir_request_text(&request, IFLA_IFALIAS, parked->alias);
	(void)weir_request_send(&a->inside->channel, &request, NULL, "link set %s netns back",
				a->att->ifname); /* undoing: as far as it goes */
	(void)close(home);
}

/* A new pair, of which the near end is parked. */
static int make_parked(const struct weir_attach *a, struct weir_err *err)
{
	struct weir_iface_want want = {
		.name = a->att->host_ifname,
		.alias = a->alias,
		.what = "interface",
		.mtu = weir_attach_mtu(a),
		.addr_gen_none =
			false, /* the endpoint that takes it in wants a link-local address */
		.ipv6 = WEIR_IPV6_CONF_ANY,
	};
	struct weir_iface there;
	int r = weir_iface_find(&a->links->host, a->att->host_ifname, &there, err);

	if (r == 0 && there.index) { /* its other end is not inside: a pair that lost itself */
		r = weir_alias_check(there.name, there.alias, there.group, a->alias, err);
		if (r == 0)
			r = weir_iface_delete(&a->links->host, there.name, err);
	}
	if (r == 0)
		r = weir_veth_create(a, 0, err);
	if (r < 0)
		return r;
	r = weir_iface_configure(&a->links->host, NULL, &want, err);
	if (r < 0)
		(void)weir_iface_delete(&a->links->host, a->att->host_ifname, NULL); /* undoing */
	return r;
}

/* ret_parked: as it was found, or index 0. */
static int obtain_end(const struct weir_attach *a, struct weir_iface *ret_parked,
		      struct weir_err *err)
{
	struct search search = { .a = a };
	int r = weir_iface_walk(&a->links->host, "veth", 0, match_parked, &search, err);

	if (r == 0)
		r = search.parked.index ? take_parked(a, &search.parked, err) : make_parked(a, err);
	if (r == 0)
		*ret_parked = search.parked;
	return r;
}

int weir_p2p_ensure(const struct weir_attach *a, bool *changed, struct weir_err *err)
{
	struct weir_iface inside, parked = { 0 };
	int r = weir_iface_find(&a->inside->channel, a->att->ifname, &inside, err);

	if (r < 0)
		return r;
	bool absent = inside.index == 0, found = false;
	if (absent) {
		*changed = true;
		r = weir_inside_end_retake(a, &found, err);
	}
	bool fresh = absent && !found;
	if (r == 0 && fresh)
		r = obtain_end(a, &parked, err);
	if (r < 0)
		return r;
	r = weir_inside_end_ensure(a, fresh, changed, err);
	if (r < 0 && parked.index)
		return_parked(a, &parked);
	else if (r < 0 && fresh)
		(void)weir_iface_delete(&a->inside->channel, a->att->ifname,
					NULL); /* both ends go */
	return r;
}

/* Where it is ours. */
static int remove_named(const struct weir_attach *a, const char *name, bool *ret_removed,
			struct weir_err *err)
{
	struct weir_iface now;
	int r = weir_iface_find(&a->inside->channel, name, &now, err);

	if (r < 0 || now.index == 0 ||
	    weir_alias_check(name, now.alias, now.group, a->alias, NULL) < 0)
		return r;
	r = weir_iface_delete(&a->inside->channel, name, err);
	*ret_removed = r == 0;
	return r;
}

int weir_wire_remove(struct weir_links *links, const struct weir_endpoint *ep,
		     const struct weir_attachment *att, struct weir_err *err)
{
	struct weir_attach a = { .links = links, .ep = ep, .att = att };
	struct weir_err why = { 0 };
	bool removed = false;
	int r = weir_inside_open(links, ep, &a.inside, &why);

	if (r == -ENOENT || r == -ESTALE || r == -EINVAL || r == -EBUSY)
		return 0; /* gone, or another one by now, and the interface with it */
	r = weir_request_allow(r, 0, &why, err);
	(void)weir_alias_text(links->store, ep->name, att->network, a.alias);
	if (r == 0)
		r = remove_named(&a, att->ifname, &removed, err);
	if (r == 0 && !removed) /* on a parent, born under this name, without an alias yet */
		r = remove_named(&a, att->host_ifname, &removed, err);
	if (r == 0 && !removed) /* who lives there may have renamed it */
		r = weir_inside_clear(links, ep, att->network, err);
	return r;
}
