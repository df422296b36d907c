/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network has on the host. */
#include "backends/netlink/segment.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "backends/netlink/bridge.h"
#include "backends/netlink/refusal.h"
#include "backends/netlink/sysctl.h"
#include "core/model_check.h"

enum { VLAN_TAG = 4 }; /* VLAN_HLEN, linux/if_vlan.h */

/* ---- parents ---- */

static int find_parent(struct weir_links *links, const struct weir_network *net,
		       struct weir_iface *ret, struct weir_err *err)
{
	int r = weir_iface_find(&links->host, net->parent, ret, err);

	if (r == 0 && ret->index == 0)
		r = weir_err_set(err, ENOENT, "network \"%s\": parent %s is not there (ip link)",
				 net->name, net->parent);
	return r;
}

/* What takes its MTU from the parent is as narrow. */
static int find_wide_parent(struct weir_links *links, const struct weir_network *net,
			    struct weir_iface *ret, struct weir_err *err)
{
	struct weir_err why = { 0 };
	int r = find_parent(links, net, ret, err);

	if (r == 0 && !net->mtu &&
	    weir_mtu_check(ret->mtu, weir_network_subnet(net, WEIR_IPV6) != NULL, &why) < 0)
		r = weir_err_set(err, EINVAL, "network \"%s\": parent %s: %s", net->name,
				 net->parent, why.text);
	return r;
}

int weir_segment_parent(struct weir_links *links, const struct weir_network *net,
			struct weir_iface *ret, struct weir_err *err)
{
	if (net->mode != WEIR_MODE_VLAN)
		return find_parent(links, net, ret, err);
	int r = weir_iface_find(&links->host, net->ifname, ret, err);
	if (r == 0 && ret->index == 0)
		r = weir_err_set(err, ENOENT, "network \"%s\" has lost its interface %s", net->name,
				 net->ifname);
	return r;
}

/* MACsec leaves no room for a tag: the kernel takes no more, and as much if nothing is said. */
static uint32_t usual_mtu(const struct weir_network *net, const struct weir_iface *parent)
{
	bool narrow = net->mode == WEIR_MODE_VLAN && strcmp(parent->kind, "macsec") == 0;

	return narrow ? parent->mtu - VLAN_TAG : parent->mtu;
}

int weir_segment_mtu(struct weir_links *links, const struct weir_network *net, uint32_t *ret,
		     struct weir_err *err)
{
	struct weir_iface parent;
	int r = find_parent(links, net, &parent, err);

	if (r == 0)
		*ret = usual_mtu(net, &parent);
	return r;
}

/* ---- VLANs ---- */

static struct weir_iface_want vlan_want(const struct weir_links *links,
					const struct weir_network *net,
					const struct weir_iface *parent,
					char alias[WEIR_ALIAS_SIZE])
{
	return (struct weir_iface_want){
		.name = net->ifname,
		.alias = weir_alias_text(links->store, NULL, net->name, alias),
		.what = "VLAN interface",
		.mtu = net->mtu ? net->mtu : usual_mtu(net, parent),
		.addr_gen_none = true, /* the host has no part in it */
		.ipv6 = { .disable_ipv6 = -1, .accept_ra = 0, .accept_dad = -1 },
	};
}

/* ip link add link PARENT name IFNAME type vlan id N */
static int create_vlan(struct weir_links *links, const struct weir_network *net,
		       struct weir_err *err)
{
	struct ifinfomsg header = { 0 };
	struct weir_err why = { 0 };
	struct weir_iface parent;
	int r = find_parent(links, net, &parent, err);

	if (r < 0)
		return r;
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	weir_request_text(&request, IFLA_IFNAME, net->ifname);
	weir_request_u32(&request, IFLA_LINK, (uint32_t)parent.index);
	weir_request_u32(&request, IFLA_GROUP, WEIR_LINK_GROUP);
	struct nlattr *info = weir_request_open(&request, IFLA_LINKINFO);
	weir_request_text(&request, IFLA_INFO_KIND, "vlan");
	struct nlattr *data = weir_request_open(&request, IFLA_INFO_DATA);
	weir_request_u16(&request, IFLA_VLAN_ID, (uint16_t)net->vlan);
	weir_request_close(&request, data);
	weir_request_close(&request, info);
	r = weir_request_send(&links->host, &request, &why, "link add %s link %s type vlan id %u",
			      net->ifname, net->parent, net->vlan);
	if (r == -EOPNOTSUPP)
		return weir_err_set(err, EOPNOTSUPP,
				    "network \"%s\": this kernel has no VLANs (CONFIG_VLAN_8021Q)",
				    net->name);
	if (r == -EEXIST)
		return weir_err_set(
			err, EEXIST,
			"network \"%s\": VLAN %u on %s is an interface already, and not "
			"weir's (ip -d link)",
			net->name, net->vlan, net->parent);
	return weir_request_allow(r, 0, &why, err);
}

static int check_vlan_owner(const struct weir_network *net, const struct weir_iface *now,
			    const struct weir_iface_want *want, const struct weir_iface *parent,
			    struct weir_err *err)
{
	int r = weir_alias_check(net->ifname, now->alias, now->group, want->alias, err);

	if (r == 0 && (strcmp(now->kind, "vlan") != 0 || now->peer != (uint32_t)parent->index))
		r = weir_err_set(err, EEXIST, "interface %s is no VLAN on %s", net->ifname,
				 net->parent);
	return r;
}

static int ensure_vlan(struct weir_links *links, const struct weir_network *net, bool *ret_changed,
		       struct weir_err *err)
{
	char alias[WEIR_ALIAS_SIZE], difference[160];
	struct weir_iface now, parent;

	int r = find_wide_parent(links, net, &parent, err);
	if (r == 0)
		r = weir_iface_find(&links->host, net->ifname, &now, err);
	if (r < 0)
		return r;
	const struct weir_iface_want want = vlan_want(links, net, &parent, alias);
	bool made = now.index == 0, differs = false;
	if (made) {
		r = create_vlan(links, net, err);
		if (r < 0)
			return r;
		r = weir_iface_get(&links->host, net->ifname, &now, err);
	} else {
		r = check_vlan_owner(net, &now, &want, &parent, err);
	}
	if (r == 0)
		r = weir_iface_widen(&links->host, &now, &want, &differs, err);
	if (r == 0 && weir_iface_differs(&now, &want, difference, sizeof(difference))) {
		differs = true;
		r = weir_iface_configure(&links->host, &now, &want, err);
	}
	if (r == 0)
		r = weir_sysctl_ipv6_ensure(links->trace, want.name, &now.ipv6, &want.ipv6, err);
	if (r < 0 && made)
		(void)weir_iface_delete(&links->host, net->ifname, NULL); /* undoing */
	if (r == 0)
		*ret_changed = made || differs;
	return r;
}

static int check_vlan(struct weir_links *links, const struct weir_network *net,
		      struct weir_err *err)
{
	char alias[WEIR_ALIAS_SIZE], difference[160];
	struct weir_iface now, parent;

	int r = find_parent(links, net, &parent, err);
	if (r == 0)
		r = weir_iface_find(&links->host, net->ifname, &now, err);
	if (r < 0)
		return r;
	if (now.index == 0)
		return weir_err_set(err, ESTALE, "interface %s is gone", net->ifname);
	struct weir_iface_want want = vlan_want(links, net, &parent, alias);
	want.up = true;
	r = check_vlan_owner(net, &now, &want, &parent, err);
	if (r == 0 && weir_iface_differs(&now, &want, difference, sizeof(difference)))
		r = weir_err_set(err, ESTALE, "%s", difference);
	return r;
}

/* ---- by mode ---- */

static int as_absent(int r) /* what there is to adopt is wanted, not mended */
{
	return r == -ESTALE ? -ENOENT : r;
}

int weir_segment_ensure(struct weir_links *links, const struct weir_network *net, bool *ret_changed,
			struct weir_err *err)
{
	struct weir_iface parent;
	bool changed = false;
	int r = 0;

	if (net->adopt)
		r = as_absent(weir_bridge_check_adopted(links, net, err));
	else if (weir_mode_traits(net->mode)->bridge)
		r = weir_bridge_ensure(links, net, &changed, err);
	else if (weir_mode_traits(net->mode)->routed)
		r = weir_refusals_ensure(links, net, &changed, err);
	else if (net->mode == WEIR_MODE_VLAN)
		r = ensure_vlan(links, net, &changed, err);
	else if (weir_mode_traits(net->mode)->parent)
		r = find_wide_parent(links, net, &parent, err);
	if (r == 0 && ret_changed)
		*ret_changed = changed;
	return r;
}

int weir_segment_up(struct weir_links *links, const struct weir_network *net, struct weir_err *err)
{
	const struct weir_mode_traits *mode = weir_mode_traits(net->mode);
	int r = 0;

	if (!mode->device || mode->routed || net->adopt)
		return 0;
	if (weir_network_forwards(net, WEIR_IPV4))
		r = weir_iface_set_forwarding(&links->host, net->ifname, err);
	return r < 0 ? r : weir_iface_set_up(&links->host, net->ifname, true, err);
}

int weir_segment_check(struct weir_links *links, const struct weir_network *net,
		       struct weir_err *err)
{
	struct weir_iface parent;

	if (net->adopt)
		return weir_bridge_check_adopted(links, net, err);
	if (weir_mode_traits(net->mode)->bridge)
		return weir_bridge_check(links, net, err);
	if (weir_mode_traits(net->mode)->routed)
		return weir_refusals_check(links, net, err);
	if (!weir_mode_traits(net->mode)->parent)
		return 0;
	int r = net->mode == WEIR_MODE_VLAN ? check_vlan(links, net, err)
					    : find_parent(links, net, &parent, err);
	return r == -ENOENT ? -ESTALE : r;
}
