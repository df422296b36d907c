/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of one interface: exactly those that weir wants. */
#include "backends/netlink/address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#include "backends/netlink/connected.h"
#include "backends/netlink/family.h"
#include "backends/netlink/host.h"
#include "core/arena.h"

struct present {
	struct weir_arena arena;
	int index;
	struct weir_prefix *items;
	size_t n;
	bool leased; /* those with an end as well */
};

static bool parse_address(const struct nlmsghdr *message, const struct present *present,
			  struct weir_prefix *ret)
{
	struct nlattr *attrs[IFA_MAX + 1];
	struct ifaddrmsg header;
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */

	if (message->nlmsg_type != RTM_NEWADDR ||
	    nlmsg_parse(from, sizeof(header), attrs, IFA_MAX, NULL) < 0)
		return false;
	memcpy(&header, nlmsg_data(message), sizeof(header));
	uint32_t flags = attrs[IFA_FLAGS] ? nla_get_u32(attrs[IFA_FLAGS]) : header.ifa_flags;
	if ((int)header.ifa_index != present->index ||
	    !(present->leased || (flags & IFA_F_PERMANENT)))
		return false;
	struct nlattr *attr = attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS];
	if (!attr)
		return false;
	ret->addr = weir_addr_from_bytes(header.ifa_family, nla_data(attr), nla_len(attr));
	ret->len = header.ifa_prefixlen;
	return ret->addr.family != WEIR_NO_FAMILY;
}

static bool holds(const struct weir_prefix *items, size_t n, const struct weir_prefix *prefix)
{
	for (size_t i = 0; i < n; i++)
		if (items[i].len == prefix->len &&
		    weir_addr_cmp(&items[i].addr, &prefix->addr) == 0)
			return true;
	return false;
}

/* What nobody wants is too much, but for link-local addresses: the kernel makes those by itself. */
static bool is_unwanted(const struct weir_addresses *addresses, const struct weir_prefix *prefix)
{
	return !weir_addr_is_link_local(&prefix->addr) &&
	       !holds(addresses->want, addresses->n_want, prefix);
}

static int take_address(const struct nlmsghdr *message, void *ctx)
{
	struct present *present = ctx;
	struct weir_prefix prefix;

	if (!message) {
		present->n = 0;
		return 0;
	}
	if (!parse_address(message, present, &prefix))
		return 0;
	struct weir_prefix *items =
		weir_arena_grow(&present->arena, present->items, present->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	present->items = items;
	present->items[present->n++] = prefix;
	return 0;
}

static int read_addresses(struct weir_channel *channel, const struct weir_addresses *addresses,
			  struct present *present, struct weir_err *err)
{
	struct ifaddrmsg header = { .ifa_index = (uint32_t)addresses->index };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header));

	present->index = addresses->index;
	return weir_request_walk(channel, &request, take_address, present, err,
				 "address list dev %s", addresses->ifname);
}

int weir_host_addresses(struct weir_links *links, const char *ifname, struct weir_arena *arena,
			struct weir_addr **ret, size_t *ret_n, struct weir_err *err)
{
	struct present present = { .leased = true };
	struct weir_iface iface = { 0 };
	int r = weir_iface_find(&links->host, ifname, &iface, err);
	const struct weir_addresses of = { .ifname = ifname, .index = iface.index };

	if (r == 0 && iface.index)
		r = read_addresses(&links->host, &of, &present, err);
	struct weir_addr *addrs = r < 0 ? NULL
					: weir_arena_alloc(arena, (present.n + 1) * sizeof(*addrs));
	if (r == 0 && !addrs)
		r = weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < present.n; i++)
		addrs[i] = present.items[i].addr;
	if (r == 0) {
		*ret = addrs;
		*ret_n = present.n;
	}
	weir_arena_free(&present.arena);
	return r;
}

static int change_address(struct weir_channel *channel, uint16_t type, uint16_t flags,
			  const struct weir_addresses *addresses, const struct weir_prefix *prefix,
			  struct weir_err *err)
{
	struct ifaddrmsg header = {
		.ifa_family = weir_family_to_af(prefix->addr.family),
		.ifa_prefixlen = prefix->len,
		.ifa_index = (uint32_t)addresses->index,
	};
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(type, flags, &header, sizeof(header));
	char text[WEIR_PREFIX_TEXT];

	weir_request_addr(&request, IFA_LOCAL, &prefix->addr);
	weir_request_addr(&request, IFA_ADDRESS, &prefix->addr);
	/* duplicate address detection would keep it unusable for seconds */
	if (prefix->addr.family == WEIR_IPV6 && type == RTM_NEWADDR)
		weir_request_u32(&request, IFA_FLAGS, IFA_F_NODAD);
	return weir_request_send(channel, &request, err, "address %s %s dev %s",
				 type == RTM_NEWADDR ? "add" : "delete",
				 weir_prefix_text(prefix, text), addresses->ifname);
}

static int remove_unwanted(struct weir_channel *channel, const struct weir_addresses *addresses,
			   const struct present *present, bool *ret_removed, struct weir_err *err)
{
	bool removed = false;

	for (size_t i = 0; i < present->n; i++) {
		if (!is_unwanted(addresses, &present->items[i]))
			continue;
		struct weir_err why = { 0 };
		int r = change_address(channel, RTM_DELADDR, 0, addresses, &present->items[i],
				       &why);
		/* gone already: a secondary address goes with its primary one */
		r = weir_request_allow(r, EADDRNOTAVAIL, &why, err);
		if (r < 0)
			return r;
		removed = true;
	}
	*ret_removed = removed;
	return 0;
}

int weir_addresses_ensure(struct weir_channel *channel, const struct weir_addresses *addresses,
			  bool fresh, bool *ret_changed, struct weir_err *err)
{
	struct present present = { 0 };
	bool changed = false;
	int r = 0;

	if (!fresh) {
		r = read_addresses(channel, addresses, &present, err);
		if (r == 0)
			r = remove_unwanted(channel, addresses, &present, &changed, err);
		if (r == 0 && changed) /* wanted ones may have gone with an unwanted primary */
			r = read_addresses(channel, addresses, &present, err);
	}
	for (size_t i = 0; r == 0 && i < addresses->n_want; i++) {
		if (holds(present.items, present.n, &addresses->want[i]))
			continue;
		/* may be there with an end, which a replacement has not */
		r = change_address(channel, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, addresses,
				   &addresses->want[i], err);
		changed = true;
	}
	weir_arena_free(&present.arena);
	if (r == 0 && !fresh)
		r = weir_connected_ensure(channel, addresses, &changed, err);
	if (r == 0)
		*ret_changed = changed;
	return r;
}

int weir_addresses_follow_mac(struct weir_channel *channel, const struct weir_addresses *addresses,
			      const struct weir_mac *was, const struct weir_mac *is,
			      struct weir_err *err)
{
	const struct weir_prefix old = { weir_link_local(was), 64 },
				 now = { weir_link_local(is), 64 };
	struct weir_err why = { 0 };
	/* first, so that at no instant, be it the last of ours, there is neither */
	int r = change_address(channel, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, addresses, &now,
			       &why);
	bool added = r == 0;

	r = weir_request_allow(r, EEXIST, &why, err);
	if (r < 0)
		return r;
	r = change_address(channel, RTM_DELADDR, 0, addresses, &old, &why);
	if (r == -EADDRNOTAVAIL && added) /* it had none of the kernel's making */
		return change_address(channel, RTM_DELADDR, 0, addresses, &now, err);
	return weir_request_allow(r, EADDRNOTAVAIL, &why, err);
}

static int check_present(const struct weir_addresses *addresses, const struct present *present,
			 struct weir_err *err)
{
	char text[WEIR_PREFIX_TEXT];

	for (size_t i = 0; i < addresses->n_want; i++) {
		if (holds(present->items, present->n, &addresses->want[i]))
			continue;
		(void)weir_prefix_text(&addresses->want[i], text);
		if (addresses->others) /* whose owner is to give it */
			return weir_err_set(err, ESTALE,
					    "%s %s has no address %s (ip addr add %s dev %s)",
					    addresses->what, addresses->ifname, text, text,
					    addresses->ifname);
		return weir_err_set(err, ESTALE, "%s %s has lost %s", addresses->what,
				    addresses->ifname, text);
	}
	for (size_t i = 0; !addresses->others && i < present->n; i++)
		if (is_unwanted(addresses, &present->items[i]))
			return weir_err_set(err, ESTALE, "%s %s has %s, which it should not",
					    addresses->what, addresses->ifname,
					    weir_prefix_text(&present->items[i], text));
	return 0;
}

int weir_addresses_check(struct weir_channel *channel, const struct weir_addresses *addresses,
			 struct weir_err *err)
{
	struct present present = { .leased = addresses->others };
	int r = read_addresses(channel, addresses, &present, err);

	if (r == 0)
		r = check_present(addresses, &present, err);
	weir_arena_free(&present.arena);
	if (r == 0 && !addresses->others) /* whose owner may want other routes */
		r = weir_connected_check(channel, addresses, err);
	return r;
}
