/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attachments: made, mended, brought up, compared. */
#include "backends/netlink/attach.h"

#include <errno.h>
#include <string.h>

#include "backends/netlink/locked.h"
#include "backends/netlink/namespace.h"
#include "backends/netlink/neighbour.h"
#include "backends/netlink/port.h"

static int attach_open(struct weir_attach *a, struct weir_err *err)
{
	(void)weir_alias_text(a->links->store, a->ep->name, a->net->name, a->alias);
	return weir_inside_open(a->links, a->ep, &a->inside, err);
}

static int find_bridge(const struct weir_attach *a, struct weir_iface *ret, struct weir_err *err)
{
	char alias[WEIR_ALIAS_SIZE];
	int r = weir_iface_find(&a->links->host, a->net->ifname, ret, err);

	if (r == 0 && ret->index == 0)
		return weir_err_set(err, ENOENT, "network \"%s\" has lost its bridge %s",
				    a->net->name, a->net->ifname);
	if (r < 0 || a->net->adopt)
		return r;
	return weir_alias_check(ret->name, ret->alias, ret->group,
				weir_alias_text(a->links->store, NULL, a->net->name, alias), err);
}

/* Is the other end of the host's end what stands in the endpoint under our name? */
static int is_paired(const struct weir_attach *a, const struct weir_iface *host_end, bool *ret,
		     struct weir_err *err)
{
	struct weir_iface inside;
	int r = weir_iface_find(&a->inside->channel, a->att->ifname, &inside, err);

	if (r == 0)
		*ret = inside.index && strcmp(inside.kind, "veth") == 0 &&
		       inside.peer == (uint32_t)host_end->index &&
		       host_end->peer == (uint32_t)inside.index;
	return r;
}

/* The host's end as it stands after this, or index 0: absent, or removed since its other end was
 * renamed or moved away, where nobody can find it again. */
static int find_host_end(const struct weir_attach *a, struct weir_iface *ret, struct weir_err *err)
{
	bool paired = false;
	int r = weir_iface_find(&a->links->host, a->att->host_ifname, ret, err);

	if (r < 0 || ret->index == 0)
		return r;
	r = weir_alias_check(a->att->host_ifname, ret->alias, ret->group, a->alias, err);
	if (r == 0)
		r = is_paired(a, ret, &paired, err);
	if (r < 0 || paired)
		return r;
	ret->index = 0;
	return weir_iface_delete(&a->links->host, a->att->host_ifname, err);
}

static int make_pair(const struct weir_attach *a, uint32_t master, struct weir_err *err)
{
	struct weir_err why = { 0 };
	struct weir_iface inside;
	int r = weir_veth_create(a, master, &why);

	/* the kernel says EEXIST for either end: whose is it? */
	if (r == -EEXIST &&
	    weir_iface_find(&a->inside->channel, a->att->ifname, &inside, NULL) == 0 &&
	    inside.index)
		return weir_err_set(
			err, EEXIST,
			"endpoint \"%s\" has an interface %s already that is not weir's",
			a->ep->name, a->att->ifname);
	return weir_request_allow(r, 0, &why, err);
}

/* now: as the port stood before, index 0: just made. bridge NULL: routed. */
static int ensure_ends(const struct weir_attach *a, const struct weir_iface *bridge,
		       struct weir_iface *now, bool *changed, struct weir_err *err)
{
	struct weir_iface_want want = weir_host_end_want(a, bridge);
	struct weir_iface before = *now;
	char difference[160];
	bool fresh = now->index == 0;
	int r = fresh ? 0 : weir_iface_widen(&a->links->host, now, &want, changed, err);

	if (r == 0 && (fresh || weir_iface_differs(now, &want, difference, sizeof(difference)))) {
		*changed = true;
		r = weir_iface_configure(&a->links->host, fresh ? NULL : now, &want, err);
	}
	if (r == 0 && now->cut_off) { /* going up again it is enabled, when the rules stand */
		*changed = true;
		r = weir_iface_set_up(&a->links->host, a->att->host_ifname, false, err);
	}
	if (r == 0 && fresh)
		r = weir_iface_get(&a->links->host, a->att->host_ifname, now, err);
	if (r < 0)
		return r;
	const struct weir_port port = weir_port_of_host(a, now->index);
	/* first: a new address is announced by its owner at once */
	r = weir_port_ensure(&port, fresh, changed, err);
	if (r == 0 && bridge)
		r = weir_locked_ensure(a, &before, now->index, changed, err);
	if (r == 0 && !bridge)
		r = weir_routed_end_ensure(a, now, fresh, changed, err);
	return r < 0 ? r : weir_inside_end_ensure(a, fresh, changed, err);
}

static int host_ensure(const struct weir_attach *a, bool *changed, struct weir_err *err)
{
	struct weir_iface bridge = { 0 }, now;
	bool routed = weir_mode_traits(a->net->mode)->routed;
	int r = routed ? 0 : find_bridge(a, &bridge, err);

	if (r == 0)
		r = find_host_end(a, &now, err);
	if (r < 0)
		return r;
	bool fresh = now.index == 0;
	if (fresh)
		r = make_pair(a, (uint32_t)bridge.index, err);
	if (r < 0)
		return r;
	r = ensure_ends(a, routed ? NULL : &bridge, &now, changed, err);
	if (r < 0 && fresh)
		(void)weir_iface_delete(&a->links->host, a->att->host_ifname, NULL); /* undoing */
	return r;
}

int weir_attach_ensure(struct weir_links *links, const struct weir_network *net,
		       const struct weir_endpoint *ep, const struct weir_attachment *att,
		       bool *ret_changed, struct weir_err *err)
{
	struct weir_attach a = { .links = links, .net = net, .ep = ep, .att = att };
	bool changed = false;
	int r = attach_open(&a, err);

	if (r == 0)
		r = weir_inside_end_check_free(&a, err);
	if (r == 0 && weir_mode_traits(net->mode)->wire)
		r = weir_p2p_ensure(&a, &changed, err);
	else if (r == 0 && weir_mode_traits(net->mode)->parent)
		r = weir_on_parent_ensure(&a, &changed, err);
	else if (r == 0)
		r = host_ensure(&a, &changed, err);
	if (r < 0)
		return weir_err_wrap(err, r, "attaching \"%s\" to \"%s\"", ep->name, net->name);
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

static int open_in_model(struct weir_attach *a, const struct weir_model *model,
			 struct weir_err *err)
{
	a->net = weir_model_network(model, a->att->network);
	if (!a->net)
		return weir_err_set(err, ENOENT, "no network named \"%s\"", a->att->network);
	return attach_open(a, err);
}

/* Packets pass from here on: out of the endpoint, through the port, into and out of the bridge. */
static void settle(const struct weir_attach *a)
{
	weir_iface_settle(&a->inside->channel, a->att->ifname);
	if (!weir_mode_traits(a->net->mode)->host)
		return;
	weir_iface_settle(&a->links->host, a->att->host_ifname);
	if (weir_mode_traits(a->net->mode)->bridge)
		weir_iface_settle(&a->links->host, a->net->ifname);
}

int weir_attach_up(struct weir_links *links, const struct weir_model *model,
		   const struct weir_endpoint *ep, const struct weir_attachment *att,
		   struct weir_err *err)
{
	struct weir_attach a = { .links = links, .ep = ep, .att = att };
	bool tell = false;
	int r = open_in_model(&a, model, err);

	if (r == 0)
		r = weir_namespace_up(links, ep, err);
	/* Our questions before the carrier: with it the kernel may send IPv6's first messages, which on a
	 * bridge of 1,000 ports keeps everybody waiting for 6 ms. */
	if (r == 0)
		r = weir_inside_end_up(&a, model, err);
	if (r == 0)
		r = weir_neighbours_may_be_wrong(&a, &tell, err);
	if (r == 0 && weir_mode_traits(a.net->mode)->bridge)
		r = weir_iface_set_up(&links->host, att->host_ifname, true, err);
	if (r == 0 && weir_mode_traits(a.net->mode)->routed)
		r = weir_routed_end_up(&a, err);
	if (r == 0)
		settle(&a);
	if (r == 0 && tell)
		r = weir_neighbours_tell(&a, err);
	if (r < 0)
		return weir_err_wrap(err, r, "bringing up \"%s\" in \"%s\"", ep->name,
				     att->network);
	return 0;
}

/* ---- comparing ---- */

static int check_host_end(const struct weir_attach *a, struct weir_err *err)
{
	struct weir_iface bridge, now;
	char difference[160];
	bool paired = false, routed = weir_mode_traits(a->net->mode)->routed;
	int r = routed ? 0 : weir_iface_find(&a->links->host, a->net->ifname, &bridge, err);

	if (r == 0)
		r = weir_iface_find(&a->links->host, a->att->host_ifname, &now, err);
	if (r < 0)
		return r;
	if (!routed && bridge.index == 0)
		return weir_err_set(err, ESTALE, "bridge %s is gone", a->net->ifname);
	if (now.index == 0)
		return weir_err_set(err, ESTALE, "interface %s is gone", a->att->host_ifname);
	struct weir_iface_want want = weir_host_end_want(a, routed ? NULL : &bridge);
	want.up = true;
	want.forwarding = routed && weir_network_forwards(a->net, WEIR_IPV4);
	if (weir_iface_differs(&now, &want, difference, sizeof(difference)))
		return weir_err_set(err, ESTALE, "%s", difference);
	const struct weir_port port = weir_port_of_host(a, now.index);
	r = weir_port_check(&port, err);
	if (r == 0 && !routed)
		r = weir_locked_check(a, &now, err);
	if (r == 0 && routed)
		r = weir_routed_end_check(a, now.index, err);
	if (r == 0)
		r = is_paired(a, &now, &paired, err);
	if (r == 0 && !paired)
		return weir_err_set(err, ESTALE, "interface %s has lost its other end, %s",
				    a->att->host_ifname, a->att->ifname);
	return r;
}

int weir_attach_check(struct weir_links *links, const struct weir_model *model,
		      const struct weir_endpoint *ep, const struct weir_attachment *att,
		      struct weir_err *err)
{
	struct weir_attach a = { .links = links, .ep = ep, .att = att };
	int r = open_in_model(&a, model, err);

	if (r == -ENOENT && a.net) /* what is gone differs */
		r = weir_err_set(err, ESTALE, "the namespace of endpoint \"%s\" is gone", ep->name);
	if (r == 0 && weir_mode_traits(a.net->mode)->host)
		r = check_host_end(&a, err);
	if (r == 0)
		r = weir_inside_end_check(&a, model, err);
	if (r < 0)
		return weir_err_wrap(err, r, "endpoint \"%s\" in \"%s\"", ep->name, att->network);
	return 0;
}
