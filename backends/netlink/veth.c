/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A veth pair, and what its end on the host should be. */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "backends/netlink/attach.h"
#include "backends/netlink/bridge.h"
#include "core/names.h"

enum { DEFAULT_MTU = 1500 }; /* ETH_DATA_LEN, linux/if_ether.h */

unsigned weir_attach_mtu(const struct weir_attach *a)
{
	unsigned usual = weir_mode_traits(a->net->mode)->parent ? 0 : DEFAULT_MTU;

	return a->att->mtu ? a->att->mtu : a->net->mtu ? a->net->mtu : usual;
}

struct weir_mac weir_attach_mac(const struct weir_attach *a)
{
	struct weir_mac mac = a->att->mac;

	if (a->net->mode == WEIR_MODE_IPVLAN) /* it has its parent's */
		return (struct weir_mac){ 0 };
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES && !weir_mac_is_set(&mac); family++)
		if (weir_addr_is_set(&a->att->addrs[family]))
			weir_names_mac(&a->att->addrs[family], &mac);
	return mac;
}

/* A bridge whose own address nobody has set takes the lowest of its ports': not one of ours, while there
 * is another. */
static void put_high_mac(struct weir_request *request, const struct weir_attach *a)
{
	struct weir_mac mac = weir_attach_mac(a);

	mac.bytes[0] = 0xfe; /* the highest that is unicast */
	weir_request_mac(request, IFLA_ADDRESS, &mac);
}

/* The far end is born in its namespace: moving it there would wait for RCU. */
static void put_peer(struct weir_request *request, const struct weir_attach *a)
{
	struct ifinfomsg header = { 0 };
	struct weir_mac mac = weir_attach_mac(a);
	struct nlattr *peer = weir_request_open(request, VETH_INFO_PEER);

	if (!request->broken &&
	    nlmsg_append(request->msg, &header, sizeof(header), NLMSG_ALIGNTO) < 0)
		request->broken = true;
	weir_request_text(request, IFLA_IFNAME, a->att->ifname);
	weir_request_u32(request, IFLA_NET_NS_FD, (uint32_t)a->inside->fd);
	weir_request_u32(request, IFLA_GROUP, WEIR_LINK_GROUP);
	weir_request_u32(request, IFLA_MTU, weir_attach_mtu(a));
	if (weir_mac_is_set(&mac))
		weir_request_mac(request, IFLA_ADDRESS, &mac);
	weir_request_close(request, peer);
}

int weir_veth_create(const struct weir_attach *a, uint32_t master, struct weir_err *err)
{
	struct ifinfomsg header = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	weir_request_text(&request, IFLA_IFNAME, a->att->host_ifname);
	weir_request_u32(&request, IFLA_GROUP, WEIR_LINK_GROUP);
	weir_request_u32(&request, IFLA_MTU, weir_attach_mtu(a));
	if (master)
		weir_request_u32(&request, IFLA_MASTER, master);
	if (a->net->adopt)
		put_high_mac(&request, a);
	struct nlattr *info = weir_request_open(&request, IFLA_LINKINFO);
	weir_request_text(&request, IFLA_INFO_KIND, "veth");
	struct nlattr *data = weir_request_open(&request, IFLA_INFO_DATA);
	put_peer(&request, a);
	weir_request_close(&request, data);
	weir_request_close(&request, info);
	return weir_request_send(&a->links->host, &request, err,
				 "link add %s type veth peer %s netns %s%s%s", a->att->host_ifname,
				 a->att->ifname, a->ep->name, master ? " master " : "",
				 master ? a->net->ifname : "");
}

/* One MAC address for all of them: each is alone with its endpoint. */
static struct weir_iface_want routed_end_want(const struct weir_attach *a)
{
	bool ipv6 = weir_network_subnet(a->net, WEIR_IPV6) != NULL;
	struct weir_iface_want want = {
		.name = a->att->host_ifname,
		.alias = a->alias,
		.what = "interface",
		.mtu = weir_attach_mtu(a),
		.mac = a->net->mac,
		.addr_gen_none = true,
		.gateway = true,
		.route_localnet = weir_network_subnet(a->net, WEIR_IPV4) != NULL,
		.ipv6 = WEIR_IPV6_CONF_ANY,
	};

	want.ipv6.disable_ipv6 = !ipv6;
	if (ipv6)
		want.ipv6.accept_ra = 0;
	if (!weir_mac_is_set(&want.mac))
		weir_names_bridge_mac(a->net->name, &want.mac);
	return want;
}

struct weir_iface_want weir_host_end_want(const struct weir_attach *a,
					  const struct weir_iface *bridge)
{
	if (!bridge)
		return routed_end_want(a);
	return (struct weir_iface_want){
		.name = a->att->host_ifname,
		.alias = a->alias,
		.what = "interface",
		.master = (uint32_t)bridge->index,
		.isolated = a->net->isolate || a->att->isolated,
		.locked = a->att->locked,
		/* with br_netfilter, a translated packet may go back to the port that it came from */
		.hairpin = weir_bridge_is_filtered(bridge),
		.mtu = weir_attach_mtu(a),
		.addr_gen_none = true,
		.ipv6 = WEIR_IPV6_CONF_ANY,
	};
}
