/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Neighbours' caches: do they have to be told of an attachment, and telling them.
 *
 * How it works: neighbours are told by the kernel itself. With arp_notify and ndisc_notify set, giving
 * an interface its MAC (the same one will do) sends gratuitous ARP and unsolicited neighbour
 * advertisements for all its addresses. A packet socket of our own would cost 8 to 16 ms to close,
 * since packet_release waits for RCU.
 *
 * Telling floods every port of the bridge: 15 ms at 1,000 ports. So it is done where it is needed, and
 * ndisc_notify, which would flood at each change of the carrier, is on only then. A MAC that weir
 * derives from the address is the same whoever has the address, and no cache can be wrong; unless an
 * earlier holder had a MAC of the user's choice, which the host knows if it ever spoke to it. */
#include "backends/netlink/neighbour.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#include "backends/netlink/family.h"
#include "backends/netlink/sysctl.h"
#include "backends/netns.h"
#include "core/names.h"

static bool is_derived(const struct weir_attach *a, const struct weir_mac *mac)
{
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		struct weir_mac derived;
		if (!weir_addr_is_set(&a->att->addrs[family]))
			continue;
		weir_names_mac(&a->att->addrs[family], &derived);
		return weir_mac_cmp(&derived, mac) == 0; /* from the first address */
	}
	return false;
}

static int take_mac(const struct nlmsghdr *message, void *ctx)
{
	struct nlattr *attrs[NDA_MAX + 1];
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */

	if (!message || message->nlmsg_type != RTM_NEWNEIGH ||
	    nlmsg_parse(from, sizeof(struct ndmsg), attrs, NDA_MAX, NULL) < 0)
		return 0;
	if (attrs[NDA_LLADDR] && nla_len(attrs[NDA_LLADDR]) == sizeof(struct weir_mac))
		memcpy(ctx, nla_data(attrs[NDA_LLADDR]), sizeof(struct weir_mac));
	return 0;
}

/* Does the host think that the address has another MAC? */
static bool host_is_wrong(const struct weir_attach *a, int bridge, const struct weir_addr *addr,
			  const struct weir_mac *mac)
{
	struct ndmsg header = { .ndm_family = weir_family_to_af(addr->family),
				.ndm_ifindex = bridge };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETNEIGH, 0, &header, sizeof(header));
	struct weir_mac known = { 0 };
	char text[WEIR_ADDR_TEXT];

	weir_request_addr(&request, NDA_DST, addr);
	/* no entry, or a kernel that cannot be asked for one: nothing known */
	if (weir_request_walk(&a->links->host, &request, take_mac, &known, NULL,
			      "neighbour show %s dev %s", weir_addr_text(addr, text),
			      a->net->ifname) < 0)
		return false;
	return weir_mac_is_set(&known) && weir_mac_cmp(&known, mac) != 0;
}

int weir_neighbours_may_be_wrong(const struct weir_attach *a, bool *ret, struct weir_err *err)
{
	struct weir_mac mac = weir_attach_mac(a);
	struct weir_iface bridge;
	bool wrong = false;

	/* on a wire there is one neighbour, and nobody to look into its cache for us */
	if (!weir_mode_traits(a->net->mode)->bridge || !is_derived(a, &mac)) {
		*ret = true;
		return 0;
	}
	int r = weir_iface_get(&a->links->host, a->net->ifname, &bridge, err);
	for (int family = WEIR_IPV4; r == 0 && !wrong && family < WEIR_NUM_FAMILIES; family++)
		if (weir_addr_is_set(&a->att->addrs[family]))
			wrong = host_is_wrong(a, bridge.index, &a->att->addrs[family], &mac);
	if (r == 0)
		*ret = wrong;
	return r;
}

static int enable_notify(void *ctx, struct weir_err *err)
{
	const struct weir_attach *a = ctx;
	char key[64 + WEIR_IFNAME_SIZE];
	bool changed;

	(void)snprintf(key, sizeof(key), "net/ipv6/conf/%s/ndisc_notify",
		       a->att->ifname); /* fits */
	return weir_sysctl_ensure(a->links->trace, key, 1, &changed, err);
}

int weir_neighbours_tell(const struct weir_attach *a, struct weir_err *err)
{
	struct weir_mac mac = weir_attach_mac(a);
	struct ifinfomsg header = { 0 };
	struct weir_attach inside = *a;
	char text[WEIR_MAC_TEXT];
	int r = 0;

	/* ipvlan: the MAC is the parent's and cannot be given, so there is nothing that would make the
	 * kernel speak. Whoever had the address on this parent before had the same one. */
	if (!weir_mac_is_set(&mac))
		return 0;
	if (weir_addr_is_set(&a->att->addrs[WEIR_IPV6]))
		r = weir_netns_run(a->inside->fd, enable_notify, &inside, err);
	if (r < 0)
		return r;
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, 0, &header, sizeof(header));
	weir_request_text(&request, IFLA_IFNAME, a->att->ifname);
	weir_request_mac(&request, IFLA_ADDRESS, &mac);
	return weir_request_send(&a->inside->channel, &request, err,
				 "link set %s address %s (neighbours are told)", a->att->ifname,
				 weir_mac_text(&mac, text));
}
