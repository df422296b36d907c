/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connected routes: the one that the kernel makes with each address.
 *
 * How it works: a look-up of some other address of the prefix costs the same however many routes the host
 * has, and nearly always finds the route. Where it does not, a narrower route or a rule of the user's may
 * stand before it: then the interface's routes are listed, for which the kernel goes through all. */
#include "backends/netlink/connected.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#include "backends/netlink/family.h"
#include "backends/netlink/route.h"

enum { PREFIX_METRIC = 256 }; /* IP6_RT_PRIO_ADDRCONF, net/ipv6/addrconf.c */

/* An address for itself alone has no neighbours. */
static bool has_neighbours(const struct weir_prefix *prefix)
{
	return prefix->len < weir_family_bits(prefix->addr.family);
}

/* Neither the address itself nor, where there is room, one that stands for all of them. */
static struct weir_addr some_neighbour(const struct weir_prefix *prefix)
{
	struct weir_addr base = weir_prefix_base(prefix), neighbour = base;
	bool two = prefix->len + 1u == weir_family_bits(prefix->addr.family);

	(void)weir_addr_add(&base, 1, &neighbour); /* within the prefix, as is the next */
	if (weir_addr_cmp(&neighbour, &prefix->addr) == 0)
		(void)weir_addr_add(&base, two ? 0 : 2, &neighbour);
	return neighbour;
}

static bool is_connected(const struct weir_route_entry *entry, const struct weir_prefix *prefix,
			 int index)
{
	const struct weir_addr base = weir_prefix_base(prefix);

	return entry->index == index && entry->to.len == prefix->len && !entry->via.family &&
	       !entry->refuses && weir_addr_cmp(&entry->to.addr, &base) == 0;
}

struct search {
	const struct weir_prefix *prefix;
	int index;
	bool found;
};

static int match_connected(const struct weir_route_entry *entry, void *ctx)
{
	struct search *search = ctx;

	search->found = entry &&
			(search->found || is_connected(entry, search->prefix, search->index));
	return 0;
}

static int is_there(struct weir_channel *channel, const struct weir_prefix *prefix, int index,
		    bool *ret, struct weir_err *err)
{
	struct search search = { .prefix = prefix, .index = index };
	const struct weir_addr neighbour = some_neighbour(prefix);
	struct weir_route_entry found;
	int r = weir_route_find(channel, &neighbour, index, &found, err);

	search.found = r == 0 && is_connected(&found, prefix, index);
	if (r == 0 && !search.found)
		r = weir_routes_walk(channel, prefix->addr.family, index, 0, match_connected,
				     &search, err);
	if (r == 0)
		*ret = search.found;
	return r;
}

/* ip route append PREFIX dev IFNAME proto kernel scope link src ADDRESS
 * ip -6 route append PREFIX dev IFNAME proto kernel metric 256 */
static int put(struct weir_channel *channel, const struct weir_addresses *addresses,
	       const struct weir_prefix *prefix, struct weir_err *err)
{
	const struct weir_prefix to = { .addr = weir_prefix_base(prefix), .len = prefix->len };
	struct rtmsg header = {
		.rtm_family = weir_family_to_af(to.addr.family),
		.rtm_dst_len = to.len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_KERNEL,
		.rtm_scope = RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	/* appended, as the kernel does: the same prefix by another interface stays */
	WEIR_CLEAN_REQUEST struct weir_request request = weir_request_make(
		RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &header, sizeof(header));
	struct weir_err why = { 0 };
	char text[WEIR_PREFIX_TEXT];

	weir_request_addr(&request, RTA_DST, &to.addr);
	weir_request_u32(&request, RTA_OIF, (uint32_t)addresses->index);
	if (to.addr.family == WEIR_IPV6)
		weir_request_u32(&request, RTA_PRIORITY, PREFIX_METRIC);
	else
		weir_request_addr(&request, RTA_PREFSRC, &prefix->addr);
	int r = weir_request_send(channel, &request, &why, "route append %s dev %s",
				  weir_prefix_text(&to, text), addresses->ifname);
	return weir_request_allow(r, ENETDOWN, &why, err);
}

int weir_connected_ensure(struct weir_channel *channel, const struct weir_addresses *addresses,
			  bool *changed, struct weir_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < addresses->n_want; i++) {
		const struct weir_prefix *prefix = &addresses->want[i];
		bool there = true;
		if (has_neighbours(prefix))
			r = is_there(channel, prefix, addresses->index, &there, err);
		if (r < 0 || there)
			continue;
		*changed = true;
		r = put(channel, addresses, prefix, err);
	}
	return r;
}

int weir_connected_check(struct weir_channel *channel, const struct weir_addresses *addresses,
			 struct weir_err *err)
{
	char text[WEIR_PREFIX_TEXT];
	int r = 0;

	for (size_t i = 0; r == 0 && i < addresses->n_want; i++) {
		const struct weir_prefix *prefix = &addresses->want[i];
		const struct weir_prefix to = { weir_prefix_base(prefix), prefix->len };
		bool there = true;
		if (has_neighbours(prefix))
			r = is_there(channel, prefix, addresses->index, &there, err);
		if (r == 0 && !there)
			r = weir_err_set(err, ESTALE, "%s %s has lost its route to %s",
					 addresses->what, addresses->ifname,
					 weir_prefix_text(&to, text));
	}
	return r;
}
