/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes of the main table: read, made, removed. */
#include "backends/netlink/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>

#include "backends/netlink/family.h"
#include "backends/netlink/iface.h"
#include "core/arena.h"

struct walk {
	weir_route_each each;
	void *ctx;
	int index;
	uint8_t protocol;
};

/* The interface of a route: its own, or that of its first next hop. */
static int route_index(struct nlattr **attrs)
{
	if (attrs[RTA_OIF])
		return (int)nla_get_u32(attrs[RTA_OIF]);
	struct rtnexthop hop;
	if (!attrs[RTA_MULTIPATH] || nla_len(attrs[RTA_MULTIPATH]) < (int)sizeof(hop))
		return 0;
	memcpy(&hop, nla_data(attrs[RTA_MULTIPATH]), sizeof(hop));
	return hop.rtnh_ifindex;
}

static bool type_counts(uint8_t type)
{
	return type == RTN_UNICAST || type == RTN_BLACKHOLE || type == RTN_UNREACHABLE ||
	       type == RTN_PROHIBIT;
}

static struct weir_addr route_addr(const struct rtmsg *header, struct nlattr *attr)
{
	if (!attr)
		return (struct weir_addr){ 0 };
	return weir_addr_from_bytes(header->rtm_family, nla_data(attr), nla_len(attr));
}

static bool parse_route(const struct nlmsghdr *message, struct weir_route_entry *ret)
{
	struct nlattr *attrs[RTA_MAX + 1];
	struct rtmsg header;
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(from, sizeof(header), attrs, RTA_MAX, NULL) < 0)
		return false;
	memcpy(&header, nlmsg_data(message), sizeof(header));
	uint32_t table = attrs[RTA_TABLE] ? nla_get_u32(attrs[RTA_TABLE]) : header.rtm_table;
	if (table != RT_TABLE_MAIN || (header.rtm_flags & RTM_F_CLONED) ||
	    !type_counts(header.rtm_type))
		return false;
	struct weir_route_entry entry = { .protocol = header.rtm_protocol,
					  .index = route_index(attrs),
					  .refuses = header.rtm_type != RTN_UNICAST };
	entry.to.addr = route_addr(&header, attrs[RTA_DST]);
	entry.to.addr.family =
		(uint8_t)weir_family_from_af(header.rtm_family); /* default has no RTA_DST */
	entry.to.len = header.rtm_dst_len;
	entry.via = route_addr(&header, attrs[RTA_GATEWAY]);
	entry.metric = attrs[RTA_PRIORITY] ? nla_get_u32(attrs[RTA_PRIORITY]) : 0;
	*ret = entry;
	return true;
}

static int walk_one(const struct nlmsghdr *message, void *ctx)
{
	const struct walk *walk = ctx;
	struct weir_route_entry entry;

	if (!message)
		return walk->each(NULL, walk->ctx);
	if (!parse_route(message, &entry))
		return 0;
	/* a kernel that does not filter sends all */
	if ((walk->index && walk->index != entry.index) ||
	    (walk->protocol && walk->protocol != entry.protocol))
		return 0;
	return walk->each(&entry, walk->ctx);
}

int weir_routes_walk(struct weir_channel *channel, enum weir_family family, int index,
		     uint8_t protocol, weir_route_each each, void *ctx, struct weir_err *err)
{
	struct rtmsg header = {
		.rtm_family = weir_family_to_af(family),
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = protocol,
	};
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));
	struct walk walk = { .each = each, .ctx = ctx, .index = index, .protocol = protocol };

	if (index)
		weir_request_u32(&request, RTA_OIF, (uint32_t)index);
	struct weir_err why = { 0 };
	int r = weir_request_walk(channel, &request, walk_one, &walk, &why, "route list %s",
				  weir_family_name(family));
	/* a namespace that never had a route has no table yet */
	return weir_request_allow(r, ENOENT, &why, err);
}

struct present {
	struct weir_arena arena;
	struct weir_route_entry *items;
	size_t n, keep; /* keep: those of the family before, when a walk starts anew */
};

static int take_route(const struct weir_route_entry *entry, void *ctx)
{
	struct present *present = ctx;

	if (!entry) {
		present->n = present->keep;
		return 0;
	}
	if (entry->protocol != WEIR_RTPROT && entry->to.len != 0)
		return 0;
	struct weir_route_entry *items =
		weir_arena_grow(&present->arena, present->items, present->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	present->items = items;
	present->items[present->n++] = *entry;
	return 0;
}

/* weir's routes and all default routes through the interface, of both families. */
static int read_routes(struct weir_channel *channel, const struct weir_routes *routes,
		       struct present *present, struct weir_err *err)
{
	int last = routes->without_ipv6 ? WEIR_IPV4 : WEIR_IPV6;

	for (int family = WEIR_IPV4; family <= last; family++) {
		present->keep = present->n;
		struct weir_err why = { 0 };
		int r = weir_routes_walk(channel, family, routes->index, 0, take_route, present,
					 &why);
		r = weir_request_allow(r, EOPNOTSUPP, &why, err); /* a kernel without IPv6 */
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_wanted(const struct weir_route_entry *entry, const struct weir_route_want *want)
{
	return entry->to.len == want->to.len && weir_addr_cmp(&entry->via, &want->via) == 0 &&
	       weir_addr_cmp(&entry->to.addr, &want->to.addr) == 0;
}

/* ---- in the way ---- */

struct search {
	const struct weir_routes *routes;
	const struct weir_route_want *want;
	struct weir_route_entry found;
	bool is_found;
};

/* What weir's route gets when it asks for none (IP6_RT_PRIO_USER, linux/ipv6_route.h). */
static uint32_t usual_metric(enum weir_family family)
{
	return family == WEIR_IPV6 ? 1024 : 0;
}

static int match_others(const struct weir_route_entry *entry, void *ctx)
{
	struct search *search = ctx;
	const struct weir_prefix *to = &search->want->to;

	if (!entry) {
		search->is_found = false;
		return 0;
	}
	if (entry->protocol == WEIR_RTPROT ||
	    (entry->index && entry->index == search->routes->index) || entry->to.len != to->len ||
	    weir_addr_cmp(&entry->to.addr, &to->addr) != 0 ||
	    entry->metric != usual_metric(to->addr.family))
		return 0;
	search->found = *entry;
	search->is_found = true;
	return 0;
}

static int check_free(struct weir_channel *channel, const struct weir_routes *routes,
		      const struct weir_route_want *want, struct weir_err *err)
{
	struct search search = { .routes = routes, .want = want };
	enum weir_family family = want->to.addr.family;
	struct weir_iface by = { 0 };
	struct weir_err why = { 0 };
	char to[WEIR_PREFIX_TEXT], what[WEIR_PREFIX_TEXT + 16];

	int r = weir_routes_walk(channel, family, 0, 0, match_others, &search, &why);
	r = weir_request_allow(r, EOPNOTSUPP, &why, err); /* a kernel without IPv6 */
	if (r == 0 && search.is_found && search.found.index)
		r = weir_iface_by_index(channel, search.found.index, &by, err);
	if (r < 0 || !search.is_found)
		return r;
	if (want->to.len)
		(void)snprintf(what, sizeof(what), "a route to %s",
			       weir_prefix_text(&want->to, to));
	else
		(void)snprintf(what, sizeof(what), "an %s default route", weir_family_name(family));
	return weir_err_set(err, EEXIST,
			    "%s has %s%s%s already that is not weir's: remove it, or give it a "
			    "metric above %u",
			    routes->others, what, by.index ? " by " : "", by.name,
			    usual_metric(family));
}

int weir_routes_check_free(struct weir_channel *channel, const struct weir_routes *routes,
			   struct weir_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < routes->n_want; i++)
		r = check_free(channel, routes, &routes->want[i], err);
	return r;
}

/* ---- changing ---- */

static int change_route(struct weir_channel *channel, uint16_t type, uint16_t flags,
			const struct weir_routes *routes, const struct weir_route_entry *entry,
			struct weir_err *err)
{
	bool add = type == RTM_NEWROUTE;
	struct rtmsg header = {
		.rtm_family = weir_family_to_af(entry->to.addr.family),
		.rtm_dst_len = entry->to.len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = entry->protocol,
		.rtm_scope = !add		 ? RT_SCOPE_NOWHERE
			     : entry->via.family ? RT_SCOPE_UNIVERSE
						 : RT_SCOPE_LINK,
		.rtm_type = add ? RTN_UNICAST : RTN_UNSPEC,
	};
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(type, flags, &header, sizeof(header));
	char to[WEIR_PREFIX_TEXT], via[WEIR_ADDR_TEXT];

	if (entry->to.len)
		weir_request_addr(&request, RTA_DST, &entry->to.addr);
	if (entry->via.family)
		weir_request_addr(&request, RTA_GATEWAY, &entry->via);
	weir_request_u32(&request, RTA_OIF, (uint32_t)routes->index);
	if (entry->metric)
		weir_request_u32(&request, RTA_PRIORITY, entry->metric);
	return weir_request_send(channel, &request, err, "route %s %s via %s dev %s",
				 !add			 ? "delete"
				 : flags & NLM_F_REPLACE ? "replace"
							 : "add",
				 weir_prefix_text(&entry->to, to), weir_addr_text(&entry->via, via),
				 routes->ifname);
}

static int put_route(struct weir_channel *channel, const struct weir_routes *routes,
		     const struct weir_route_want *want, struct weir_err *err)
{
	const struct weir_route_entry entry = { .to = want->to,
						.via = want->via,
						.protocol = WEIR_RTPROT };
	struct weir_err why = { 0 };
	int r = -EEXIST;

	if (routes->others)
		r = change_route(channel, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, routes, &entry,
				 &why);
	if (r != -EEXIST)
		return weir_request_allow(r, 0, &why, err);
	r = routes->others ? check_free(channel, routes, want, err) : 0;
	return r < 0 ? r
		     : change_route(channel, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, routes,
				    &entry, err);
}

static const struct weir_route_want *find_want(const struct weir_routes *routes,
					       const struct weir_route_entry *entry)
{
	for (size_t i = 0; i < routes->n_want; i++)
		if (is_wanted(entry, &routes->want[i]))
			return &routes->want[i];
	return NULL;
}

static bool is_present(const struct present *present, const struct weir_route_want *want)
{
	for (size_t i = 0; i < present->n; i++)
		if (is_wanted(&present->items[i], want))
			return true;
	return false;
}

static int sync_routes(struct weir_channel *channel, const struct weir_routes *routes,
		       const struct present *present, struct weir_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < present->n; i++) {
		if (find_want(routes, &present->items[i]))
			continue;
		struct weir_err why = { 0 };
		r = change_route(channel, RTM_DELROUTE, 0, routes, &present->items[i], &why);
		r = weir_request_allow(r, ESRCH, &why, err); /* it went meanwhile */
	}
	for (size_t i = 0; r == 0 && i < routes->n_want; i++)
		if (!is_present(present, &routes->want[i]))
			r = put_route(channel, routes, &routes->want[i], err);
	return r;
}

int weir_routes_ensure(struct weir_channel *channel, const struct weir_routes *routes,
		       struct weir_err *err)
{
	struct present present = { 0 };
	int r = read_routes(channel, routes, &present, err);

	if (r == 0)
		r = sync_routes(channel, routes, &present, err);
	weir_arena_free(&present.arena);
	return r;
}

static int check_present(const struct weir_routes *routes, const struct present *present,
			 struct weir_err *err)
{
	char to[WEIR_PREFIX_TEXT], via[WEIR_ADDR_TEXT];

	for (size_t i = 0; i < routes->n_want; i++)
		if (!is_present(present, &routes->want[i]))
			return weir_err_set(err, ESTALE,
					    "interface %s has lost its route to %s via %s",
					    routes->ifname,
					    weir_prefix_text(&routes->want[i].to, to),
					    weir_addr_text(&routes->want[i].via, via));
	for (size_t i = 0; i < present->n; i++)
		if (!find_want(routes, &present->items[i]))
			return weir_err_set(
				err, ESTALE,
				"interface %s has a route to %s via %s, which it should not",
				routes->ifname, weir_prefix_text(&present->items[i].to, to),
				weir_addr_text(&present->items[i].via, via));
	return 0;
}

int weir_routes_check(struct weir_channel *channel, const struct weir_routes *routes,
		      struct weir_err *err)
{
	struct present present = { 0 };
	int r = read_routes(channel, routes, &present, err);

	if (r == 0)
		r = check_present(routes, &present, err);
	weir_arena_free(&present.arena);
	return r;
}

int weir_route_is_there(struct weir_channel *channel, const struct weir_routes *routes,
			const struct weir_route_want *want, bool *ret, struct weir_err *err)
{
	struct present present = { 0 };
	int r = read_routes(channel, routes, &present, err);

	if (r == 0)
		*ret = is_present(&present, want);
	weir_arena_free(&present.arena);
	return r;
}

int weir_routes_put(struct weir_channel *channel, const struct weir_routes *routes,
		    struct weir_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < routes->n_want; i++)
		r = put_route(channel, routes, &routes->want[i], err);
	return r;
}

/* ---- one route ---- */

static int take_match(const struct nlmsghdr *message, void *ctx)
{
	struct weir_route_entry *found = ctx;

	if (!message)
		*found = (struct weir_route_entry){ 0 };
	else if (!parse_route(message, found))
		found->index = 0;
	return 0;
}

/* How the kernel says that it knows no way, by the kind of route that refuses. */
static bool is_no_way(int r)
{
	return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EACCES || r == -EINVAL ||
	       r == -EAFNOSUPPORT || r == -EOPNOTSUPP;
}

int weir_route_find(struct weir_channel *channel, const struct weir_addr *addr, int by,
		    struct weir_route_entry *ret, struct weir_err *err)
{
	struct rtmsg header = {
		.rtm_family = weir_family_to_af(addr->family),
		.rtm_dst_len = (uint8_t)weir_family_bits(addr->family),
		.rtm_flags = RTM_F_FIB_MATCH, /* the route, not the way of a packet */
	};
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETROUTE, 0, &header, sizeof(header));
	struct weir_route_entry found = { 0 };
	struct weir_err why = { 0 };
	char text[WEIR_ADDR_TEXT];

	weir_request_addr(&request, RTA_DST, addr);
	if (by)
		weir_request_u32(&request, RTA_OIF, (uint32_t)by);
	int r = weir_request_walk(channel, &request, take_match, &found, &why,
				  "route get fibmatch %s", weir_addr_text(addr, text));
	if (r < 0 && !is_no_way(r))
		return weir_request_allow(r, 0, &why, err);
	if (r < 0)
		found = (struct weir_route_entry){ 0 };
	*ret = found;
	return 0;
}

int weir_route_is_by(struct weir_channel *channel, const struct weir_addr *addr, int index,
		     bool *ret, struct weir_err *err)
{
	struct weir_route_entry found;
	int r = weir_route_find(channel, addr, 0, &found, err);

	if (r == 0)
		*ret = found.index == index && found.to.len == weir_family_bits(addr->family) &&
		       found.protocol == WEIR_RTPROT && !found.refuses;
	return r;
}

static int take_type(const struct nlmsghdr *message, void *ctx)
{
	uint8_t *type = ctx;
	struct rtmsg header;

	*type = RTN_UNSPEC;
	if (message && message->nlmsg_type == RTM_NEWROUTE) {
		memcpy(&header, nlmsg_data(message), sizeof(header));
		*type = header.rtm_type;
	}
	return 0;
}

int weir_route_is_local(struct weir_channel *channel, const struct weir_addr *addr, bool *ret,
			struct weir_err *err)
{
	struct rtmsg header = {
		.rtm_family = weir_family_to_af(addr->family),
		.rtm_dst_len = (uint8_t)weir_family_bits(addr->family),
	};
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETROUTE, 0, &header, sizeof(header));
	struct weir_err why = { 0 };
	char text[WEIR_ADDR_TEXT];
	uint8_t type = RTN_UNSPEC;

	weir_request_addr(&request, RTA_DST, addr);
	int r = weir_request_walk(channel, &request, take_type, &type, &why, "route get %s",
				  weir_addr_text(addr, text));
	if (r < 0 && !is_no_way(r)) {
		if (err)
			*err = why;
		return r;
	}
	*ret = r == 0 && type == RTN_LOCAL;
	return 0;
}

int weir_route_refuse(struct weir_channel *channel, bool add, const struct weir_prefix *to,
		      uint32_t metric, struct weir_err *err)
{
	struct rtmsg header = {
		.rtm_family = weir_family_to_af(to->addr.family),
		.rtm_dst_len = to->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = WEIR_RTPROT,
		.rtm_scope = add ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE,
		.rtm_type = RTN_UNREACHABLE,
	};
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(add ? RTM_NEWROUTE : RTM_DELROUTE,
				  add ? NLM_F_CREATE | NLM_F_EXCL : 0, &header, sizeof(header));
	struct weir_err why = { 0 };
	char text[WEIR_PREFIX_TEXT];

	weir_request_addr(&request, RTA_DST, &to->addr);
	weir_request_u32(&request, RTA_PRIORITY, metric);
	int r = weir_request_send(channel, &request, &why, "route %s unreachable %s metric %u",
				  add ? "add" : "delete", weir_prefix_text(to, text), metric);
	return weir_request_allow(r, add ? 0 : ESRCH, &why, err);
}
