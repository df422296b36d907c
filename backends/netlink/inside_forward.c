/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forwarding inside an endpoint's namespace.
 *
 * How it works: a namespace that weir made forwards as its endpoint says. In one of the user's own, weir
 * switches on for a router what is off, and off again only that: others may want the rest. What was
 * there before stands in the alias of the loopback. So it lives as long as the namespace, whatever becomes of
 * the store, and is there before anything is switched. An alias of somebody else's stays; then nothing
 * is written down, and nothing is switched off. */
#include "backends/netlink/inside_forward.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>

#include "backends/netlink/netconf.h"
#include "backends/netlink/sysctl.h"

static const char *const switches[WEIR_NUM_FAMILIES] = {
	[WEIR_IPV4] = "net/ipv4/ip_forward", [WEIR_IPV6] = "net/ipv6/conf/all/forwarding"
};

/* What is given back, in this order: the kernel writes the last one with IPv4's switch. */
enum { N_KEYS = 3 };
static const struct {
	enum weir_family family;
	const char *key;
} keys[N_KEYS] = {
	{ WEIR_IPV4, "net/ipv4/ip_forward" },
	{ WEIR_IPV6, "net/ipv6/conf/all/forwarding" },
	{ WEIR_IPV4, "net/ipv4/conf/all/accept_redirects" },
};

enum { UNTOUCHED = -1 };

static bool is_own(const struct weir_inside_forward *inside)
{
	return inside->ep->netns == WEIR_NETNS_OWN;
}

static bool parse_record(const struct weir_inside_forward *inside, long was[N_KEYS])
{
	char begin[WEIR_ALIAS_SIZE];
	int len = snprintf(begin, sizeof(begin), "weir %s forwards, was ", inside->links->store);

	return strncmp(inside->lo_alias, begin, (size_t)len) == 0 &&
	       sscanf(inside->lo_alias + len, "%ld %ld %ld", &was[0], &was[1], &was[2]) == N_KEYS;
}

static int set_alias(const struct weir_inside_forward *inside, const char *alias,
		     struct weir_err *err)
{
	struct ifinfomsg header = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, 0, &header, sizeof(header));

	weir_request_text(&request, IFLA_IFNAME, "lo");
	weir_request_text(&request, IFLA_IFALIAS, alias);
	return weir_request_send(inside->channel, &request, err, "link set lo alias \"%s\"", alias);
}

static int record(const struct weir_inside_forward *inside, const bool off[WEIR_NUM_FAMILIES],
		  struct weir_err *err)
{
	long was[N_KEYS];
	char alias[WEIR_ALIAS_SIZE];

	if (is_own(inside) || inside->lo_alias[0])
		return 0;
	for (size_t i = 0; i < N_KEYS; i++) {
		was[i] = UNTOUCHED;
		int r = off[keys[i].family] ? weir_sysctl_read(keys[i].key, &was[i], err) : 0;
		if (r < 0)
			return r;
	}
	(void)snprintf(alias, sizeof(alias), "weir %s forwards, was %ld %ld %ld", /* fits */
		       inside->links->store, was[0], was[1], was[2]);
	return set_alias(inside, alias, err);
}

static int give_back(const struct weir_inside_forward *inside, bool *ret_changed,
		     struct weir_err *err)
{
	long was[N_KEYS];

	if (!parse_record(inside, was))
		return 0;
	for (size_t i = 0; i < N_KEYS; i++) {
		int r = was[i] == UNTOUCHED ? 0
					    : weir_sysctl_ensure(inside->links->trace, keys[i].key,
								 was[i], ret_changed, err);
		if (r < 0)
			return r;
	}
	*ret_changed = true;
	return set_alias(inside, "", err);
}

/* Of each family: is it other than ep->forward says? A kernel that does not tell is asked by sysctl. */
static int find_wrong(const struct weir_inside_forward *inside, bool ret[WEIR_NUM_FAMILIES],
		      struct weir_err *err)
{
	for (enum weir_family family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		long now = weir_netconf_forwarding(inside->channel, family);
		bool there = family == WEIR_IPV4 || weir_iface_have_ipv6();
		int r = now < 0 && there ? weir_sysctl_read(switches[family], &now, err) : 0;
		if (r < 0)
			return r;
		ret[family] = there && (now != 0) != inside->ep->forward;
	}
	return 0;
}

int weir_inside_forward_ensure(const struct weir_inside_forward *inside, bool *ret_changed,
			       struct weir_err *err)
{
	bool wrong[WEIR_NUM_FAMILIES];

	if (!is_own(inside) && !inside->ep->forward)
		return give_back(inside, ret_changed, err);
	int r = find_wrong(inside, wrong, err);
	if (r < 0 || (!wrong[WEIR_IPV4] && !wrong[WEIR_IPV6]))
		return r;
	r = record(inside, wrong, err);
	for (enum weir_family family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++)
		if (wrong[family])
			r = weir_sysctl_ensure(inside->links->trace, switches[family],
					       inside->ep->forward, ret_changed, err);
	return r;
}

int weir_inside_forward_check(const struct weir_inside_forward *inside, struct weir_err *err)
{
	long was[N_KEYS];

	if (!is_own(inside) && !inside->ep->forward)
		return parse_record(inside, was)
			       ? weir_err_set(err, ESTALE, "it forwards still, as a router did")
			       : 0;
	for (enum weir_family family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		int now = weir_netconf_forwarding(inside->channel, family);
		if (now >= 0 && now != inside->ep->forward) /* without IPv6 there is no answer */
			return weir_err_set(err, ESTALE, "its %s is %d, and should be %d",
					    switches[family], now, inside->ep->forward);
	}
	return 0;
}
