/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom the host knows in a network, behind its bridge or its ports: its ARP and neighbour caches (RTM_GETNEIGH, rtnetlink(7)). */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/netlink/bridge.h"

struct cache {
	struct weir_arena *arena;
	const struct weir_network *net;
	int bridge; /* 0: none, any interface with an address of the network's */
	struct weir_neighbour *items;
	size_t n;
};

static bool read_addr(const struct nlattr *attr, struct weir_addr *ret)
{
	int len = attr ? nla_len(attr) : 0;

	if (len != 4 && len != 16)
		return false;
	*ret = (struct weir_addr){ .family = len == 4 ? WEIR_IPV4 : WEIR_IPV6 };
	memcpy(ret->bytes, nla_data(attr), (size_t)len);
	return true;
}

static int take_neighbour(const struct nlmsghdr *message, void *ctx)
{
	struct cache *cache = ctx;
	struct nlattr *attrs[NDA_MAX + 1];
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */
	struct weir_neighbour found = { 0 };
	struct ndmsg header;

	if (!message) {
		cache->n = 0;
		return 0;
	}
	if (message->nlmsg_type != RTM_NEWNEIGH ||
	    nlmsg_parse(from, sizeof(header), attrs, NDA_MAX, NULL) < 0)
		return 0;
	memcpy(&header, nlmsg_data(message), sizeof(header));
	/* NOARP: multicast and the like, which nobody was asked for */
	if ((cache->bridge && header.ndm_ifindex != cache->bridge) ||
	    header.ndm_state & (NUD_NOARP | NUD_NONE) || !read_addr(attrs[NDA_DST], &found.addr) ||
	    !weir_network_subnet_of(cache->net, &found.addr))
		return 0;
	if (attrs[NDA_LLADDR] && nla_len(attrs[NDA_LLADDR]) == (int)sizeof(found.mac.bytes))
		memcpy(found.mac.bytes, nla_data(attrs[NDA_LLADDR]), sizeof(found.mac.bytes));
	found.stale = !(header.ndm_state & (NUD_REACHABLE | NUD_PERMANENT));
	struct weir_neighbour *items =
		weir_arena_grow(cache->arena, cache->items, cache->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	cache->items = items;
	items[cache->n++] = found;
	return 0;
}

int weir_bridge_neighbours(struct weir_links *links, const struct weir_network *net,
			   struct weir_arena *arena, struct weir_neighbour **ret, size_t *ret_n,
			   struct weir_err *err)
{
	struct cache cache = { .arena = arena, .net = net };
	struct ndmsg header = { .ndm_family = AF_UNSPEC };
	struct weir_iface bridge = { 0 };

	int r = weir_mode_traits(net->mode)->bridge
			? weir_iface_get(&links->host, net->ifname, &bridge, err)
			: 0;
	if (r < 0)
		return r;
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETNEIGH, NLM_F_DUMP, &header, sizeof(header));
	cache.bridge = bridge.index;
	if (bridge.index)
		weir_request_u32(&request, NDA_IFINDEX, (uint32_t)bridge.index);
	r = weir_request_walk(&links->host, &request, take_neighbour, &cache, err, "neigh show%s%s",
			      bridge.index ? " dev " : "", bridge.index ? net->ifname : "");
	if (r < 0)
		return r;
	*ret = cache.items;
	*ret_n = cache.n;
	return 0;
}
