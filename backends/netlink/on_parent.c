/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An attachment on an interface of the host's: macvlan, or ipvlan in L2 mode.
 *
 * How it works: the kernel looks a new interface's name up where the request is made, not where the
 * interface is to be, so "eth0" would collide with the host's own. It is born inside under the name that the
 * host's end of a pair would have, which is unique, and takes its own name there. One that was left under
 * the first name is found again by it. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "backends/netlink/attach.h"
#include "backends/netlink/segment.h"

/* A VLAN's interface is shared like a parent. */
static bool is_ipvlan(const struct weir_attach *a)
{
	return a->net->mode == WEIR_MODE_IPVLAN;
}

static void put_kind(struct weir_request *request, const struct weir_attach *a)
{
	struct nlattr *info = weir_request_open(request, IFLA_LINKINFO);

	weir_request_text(request, IFLA_INFO_KIND, is_ipvlan(a) ? "ipvlan" : "macvlan");
	struct nlattr *data = weir_request_open(request, IFLA_INFO_DATA);
	if (is_ipvlan(a))
		weir_request_u16(request, IFLA_IPVLAN_MODE, IPVLAN_MODE_L2);
	else
		weir_request_u32(request, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
	weir_request_close(request, data);
	weir_request_close(request, info);
}

/* ip link add link PARENT name FIRST netns ENDPOINT address MAC type macvlan mode bridge */
static int create(const struct weir_attach *a, struct weir_err *err)
{
	struct ifinfomsg header = { 0 };
	struct weir_mac mac = weir_attach_mac(a);
	struct weir_err why = { 0 };
	struct weir_iface parent;
	int r = weir_segment_parent(a->links, a->net, &parent, err);

	if (r < 0)
		return r;
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	weir_request_text(&request, IFLA_IFNAME, a->att->host_ifname);
	weir_request_u32(&request, IFLA_LINK, (uint32_t)parent.index);
	weir_request_u32(&request, IFLA_NET_NS_FD, (uint32_t)a->inside->fd);
	weir_request_u32(&request, IFLA_GROUP, WEIR_LINK_GROUP);
	if (weir_mac_is_set(&mac))
		weir_request_mac(&request, IFLA_ADDRESS, &mac);
	put_kind(&request, a);
	r = weir_request_send(&a->links->host, &request, &why,
			      "link add %s link %s netns %s type %s", a->att->host_ifname,
			      parent.name, a->ep->name, is_ipvlan(a) ? "ipvlan" : "macvlan");
	if (r == -EOPNOTSUPP)
		return weir_err_set(err, EOPNOTSUPP, "this kernel has no %s (CONFIG_%s)",
				    is_ipvlan(a) ? "ipvlan" : "macvlan",
				    is_ipvlan(a) ? "IPVLAN" : "MACVLAN");
	return weir_request_allow(r, 0, &why, err);
}

/* Under its first name, inside; then under its own. ret_fresh: it has nothing yet. */
static int make(const struct weir_attach *a, bool *ret_fresh, struct weir_err *err)
{
	struct weir_iface first;
	int r = weir_iface_find(&a->inside->channel, a->att->host_ifname, &first, err);

	*ret_fresh = r == 0 && first.index == 0;
	if (*ret_fresh) {
		r = create(a, err);
		if (r == 0)
			r = weir_iface_get(&a->inside->channel, a->att->host_ifname, &first, err);
	}
	if (r == 0)
		r = weir_alias_check(first.name, first.alias, first.group, a->alias, err);
	if (r < 0)
		return r;
	r = weir_inside_end_name(a, &first, err);
	if (r < 0)
		(void)weir_iface_delete(&a->inside->channel, first.name, NULL); /* undoing */
	return r;
}

int weir_on_parent_ensure(const struct weir_attach *a, bool *changed, struct weir_err *err)
{
	struct weir_iface now;
	int r = weir_iface_find(&a->inside->channel, a->att->ifname, &now, err);

	if (r < 0)
		return r;
	bool absent = now.index == 0, fresh = false, found = false;
	if (absent) {
		*changed = true;
		r = weir_inside_end_retake(a, &found, err);
		if (r == 0 && !found)
			r = make(a, &fresh, err);
		if (r < 0)
			return r;
	}
	r = weir_inside_end_ensure(a, fresh, changed, err);
	if (r < 0 && absent && !found)
		(void)weir_iface_delete(&a->inside->channel, a->att->ifname, NULL); /* undoing */
	return r;
}
