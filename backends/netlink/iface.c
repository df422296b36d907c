/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces: what the kernel has, what weir wants, and the one message that makes it so. */
#include "backends/netlink/iface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A link that tells of IPv6 is an answer too; asking takes 50 us. */
static enum weir_tri have_ipv6 = WEIR_TRI_UNKNOWN;

bool weir_iface_have_ipv6(void)
{
	if (have_ipv6 == WEIR_TRI_UNKNOWN)
		have_ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	return have_ipv6;
}

static struct weir_request link_request(uint16_t type, uint16_t flags, const char *name)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct weir_request request = weir_request_make(type, flags, &header, sizeof(header));

	if (name)
		weir_request_text(&request, IFLA_IFNAME, name);
	return request;
}

/* ---- reading ---- */

/* Number `index` of an array of 32 bits, or -1: older kernels have shorter ones. */
static int conf_value(struct nlattr *array, int index)
{
	int32_t value;

	if (!array || nla_len(array) < (index + 1) * (int)sizeof(value))
		return -1;
	memcpy(&value, (const char *)nla_data(array) + (size_t)index * sizeof(value),
	       sizeof(value));
	return value;
}

static void parse_ipv4(struct nlattr *nest, struct weir_iface *iface)
{
	struct nlattr *attrs[IFLA_INET_MAX + 1];

	if (!nest || nla_parse_nested(attrs, IFLA_INET_MAX, nest, NULL) < 0)
		return;
	/* IPV4_DEVCONF_ numbers count from 1, the array from 0 */
	iface->arp_notify = conf_value(attrs[IFLA_INET_CONF], IPV4_DEVCONF_ARP_NOTIFY - 1);
	iface->route_localnet = conf_value(attrs[IFLA_INET_CONF], IPV4_DEVCONF_ROUTE_LOCALNET - 1);
	iface->forwarding = conf_value(attrs[IFLA_INET_CONF], IPV4_DEVCONF_FORWARDING - 1);
}

static void parse_ipv6(struct nlattr *nest, struct weir_iface *iface)
{
	struct nlattr *attrs[IFLA_INET6_MAX + 1];

	if (!nest || nla_parse_nested(attrs, IFLA_INET6_MAX, nest, NULL) < 0)
		return;
	iface->ipv6 = (struct weir_ipv6_conf){
		.disable_ipv6 = conf_value(attrs[IFLA_INET6_CONF], DEVCONF_DISABLE_IPV6),
		.accept_ra = conf_value(attrs[IFLA_INET6_CONF], DEVCONF_ACCEPT_RA),
		.accept_dad = conf_value(attrs[IFLA_INET6_CONF], DEVCONF_ACCEPT_DAD),
	};
	if (attrs[IFLA_INET6_ADDR_GEN_MODE])
		iface->addr_gen_none = nla_get_u8(attrs[IFLA_INET6_ADDR_GEN_MODE]) ==
				       IN6_ADDR_GEN_MODE_NONE;
}

static void parse_families(struct nlattr *nest, struct weir_iface *iface)
{
	struct nlattr *attrs[AF_INET6 + 1];

	iface->arp_notify = iface->route_localnet = iface->forwarding = -1;
	iface->ipv6 = (struct weir_ipv6_conf)WEIR_IPV6_CONF_ANY;
	if (!nest || nla_parse_nested(attrs, AF_INET6, nest, NULL) < 0)
		return;
	if (attrs[AF_INET6])
		have_ipv6 = WEIR_TRI_ON;
	parse_ipv4(attrs[AF_INET], iface);
	parse_ipv6(attrs[AF_INET6], iface);
}

static int tri(struct nlattr *attr)
{
	return attr ? nla_get_u8(attr) != 0 : WEIR_TRI_UNKNOWN;
}

static void parse_bridge(struct nlattr *nest, struct weir_iface *iface)
{
	struct nlattr *attrs[IFLA_BR_MAX + 1];

	if (!nest || nla_parse_nested(attrs, IFLA_BR_MAX, nest, NULL) < 0)
		return;
	if (attrs[IFLA_BR_STP_STATE])
		iface->stp = nla_get_u32(attrs[IFLA_BR_STP_STATE]) != 0;
	if (attrs[IFLA_BR_FORWARD_DELAY])
		iface->forward_delay = nla_get_u32(attrs[IFLA_BR_FORWARD_DELAY]);
	iface->nf_call_iptables = tri(attrs[IFLA_BR_NF_CALL_IPTABLES]);
	iface->nf_call_ip6tables = tri(attrs[IFLA_BR_NF_CALL_IP6TABLES]);
}

static void parse_port(struct nlattr *nest, struct weir_iface *iface)
{
	struct nlattr *attrs[IFLA_BRPORT_MAX + 1];

	if (!nest || nla_parse_nested(attrs, IFLA_BRPORT_MAX, nest, NULL) < 0)
		return;
	iface->isolated = tri(attrs[IFLA_BRPORT_ISOLATED]);
	iface->hairpin = tri(attrs[IFLA_BRPORT_MODE]);
	iface->learning = tri(attrs[IFLA_BRPORT_LEARNING]);
	iface->locked = tri(attrs[IFLA_BRPORT_LOCKED]);
	if (attrs[IFLA_BRPORT_STATE]) /* without a carrier it is disabled by rights */
		iface->cut_off = iface->running &&
				 nla_get_u8(attrs[IFLA_BRPORT_STATE]) == BR_STATE_DISABLED;
}

static void parse_info(struct nlattr *nest, struct weir_iface *iface)
{
	struct nlattr *attrs[IFLA_INFO_MAX + 1];

	iface->stp = iface->nf_call_iptables = iface->nf_call_ip6tables = WEIR_TRI_UNKNOWN;
	iface->isolated = iface->hairpin = WEIR_TRI_UNKNOWN;
	iface->locked = iface->learning = WEIR_TRI_UNKNOWN;
	iface->enslaved = iface->master != 0;
	if (!nest || nla_parse_nested(attrs, IFLA_INFO_MAX, nest, NULL) < 0)
		return;
	if (attrs[IFLA_INFO_KIND])
		(void)nla_strlcpy(iface->kind, attrs[IFLA_INFO_KIND], sizeof(iface->kind));
	if (strcmp(iface->kind, "bridge") == 0)
		parse_bridge(attrs[IFLA_INFO_DATA], iface);
	if (!attrs[IFLA_INFO_SLAVE_KIND])
		return;
	if (nla_strcmp(attrs[IFLA_INFO_SLAVE_KIND], "bridge") == 0)
		parse_port(attrs[IFLA_INFO_SLAVE_DATA], iface);
	else if (nla_strcmp(attrs[IFLA_INFO_SLAVE_KIND], "vrf") == 0)
		iface->enslaved = false;
}

static uint32_t number(struct nlattr *attr)
{
	return attr ? nla_get_u32(attr) : 0;
}

/* False: no message about an interface. */
static bool parse_iface(const struct nlmsghdr *message, struct weir_iface *ret)
{
	struct nlattr *attrs[IFLA_MAX + 1];
	struct weir_iface iface = { 0 };
	struct ifinfomsg header;
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */

	if (message->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse(from, sizeof(header), attrs, IFLA_MAX, NULL) < 0 || !attrs[IFLA_IFNAME])
		return false;
	memcpy(&header, nlmsg_data(message), sizeof(header));
	iface.index = header.ifi_index;
	iface.up = header.ifi_flags & IFF_UP;
	iface.running = header.ifi_flags & IFF_RUNNING;
	iface.loopback = header.ifi_flags & IFF_LOOPBACK;
	iface.no_arp = header.ifi_flags & IFF_NOARP;
	(void)nla_strlcpy(iface.name, attrs[IFLA_IFNAME], sizeof(iface.name));
	if (attrs[IFLA_IFALIAS])
		(void)nla_strlcpy(iface.alias, attrs[IFLA_IFALIAS], sizeof(iface.alias));
	iface.group = number(attrs[IFLA_GROUP]);
	iface.master = number(attrs[IFLA_MASTER]);
	iface.mtu = number(attrs[IFLA_MTU]);
	iface.peer = number(attrs[IFLA_LINK]);
	if (attrs[IFLA_ADDRESS] && nla_len(attrs[IFLA_ADDRESS]) == sizeof(iface.mac.bytes))
		memcpy(iface.mac.bytes, nla_data(attrs[IFLA_ADDRESS]), sizeof(iface.mac.bytes));
	parse_info(attrs[IFLA_LINKINFO], &iface);
	parse_families(attrs[IFLA_AF_SPEC], &iface);
	*ret = iface;
	return true;
}

struct one {
	struct weir_iface iface;
	bool found;
};

static int take_one(const struct nlmsghdr *message, void *ctx)
{
	struct one *one = ctx;

	if (message && parse_iface(message, &one->iface))
		one->found = true;
	return 0;
}

static int get_one(struct weir_channel *channel, struct weir_request *request, const char *name,
		   struct weir_iface *ret, struct weir_err *err)
{
	struct one one = { 0 };

	weir_request_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	int r = weir_request_walk(channel, request, take_one, &one, err, "link show %s", name);

	if (r < 0)
		return r;
	if (!one.found)
		return weir_err_set(err, EPROTO, "link show %s: the kernel's answer says nothing",
				    name);
	*ret = one.iface;
	return 0;
}

int weir_iface_get(struct weir_channel *channel, const char *name, struct weir_iface *ret,
		   struct weir_err *err)
{
	WEIR_CLEAN_REQUEST struct weir_request request = link_request(RTM_GETLINK, 0, name);

	return get_one(channel, &request, name, ret, err);
}

int weir_iface_by_index(struct weir_channel *channel, int index, struct weir_iface *ret,
			struct weir_err *err)
{
	struct ifinfomsg header = { .ifi_index = index };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETLINK, 0, &header, sizeof(header));
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", index);
	return get_one(channel, &request, number, ret, err);
}

int weir_iface_find(struct weir_channel *channel, const char *name, struct weir_iface *ret,
		    struct weir_err *err)
{
	struct weir_iface iface = { 0 };
	struct weir_err why = { 0 };
	int r = weir_request_allow(weir_iface_get(channel, name, &iface, &why), ENODEV, &why, err);

	if (r == 0)
		*ret = iface;
	return r;
}

struct walk {
	weir_iface_each each;
	void *ctx;
	const char *kind;
	uint32_t master;
};

static int walk_one(const struct nlmsghdr *message, void *ctx)
{
	const struct walk *walk = ctx;
	struct weir_iface iface;

	if (!message)
		return walk->each(NULL, walk->ctx);
	if (!parse_iface(message, &iface))
		return 0;
	/* a kernel that does not filter sends all */
	if (walk->kind && strcmp(walk->kind, iface.kind) != 0)
		return 0;
	if (walk->master && walk->master != iface.master)
		return 0;
	return walk->each(&iface, walk->ctx);
}

int weir_iface_walk(struct weir_channel *channel, const char *kind, uint32_t master,
		    weir_iface_each each, void *ctx, struct weir_err *err)
{
	WEIR_CLEAN_REQUEST struct weir_request request =
		link_request(RTM_GETLINK, NLM_F_DUMP, NULL);
	struct walk walk = { .each = each, .ctx = ctx, .kind = kind, .master = master };

	weir_request_u32(&request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (master)
		weir_request_u32(&request, IFLA_MASTER, master);
	if (kind) {
		struct nlattr *info = weir_request_open(&request, IFLA_LINKINFO);
		weir_request_text(&request, IFLA_INFO_KIND, kind);
		weir_request_close(&request, info);
	}
	return weir_request_walk(channel, &request, walk_one, &walk, err, "link list%s%s",
				 kind ? " type " : "", kind ? kind : "");
}

/* ---- comparing ---- */

/* A number that may be unknown to this kernel (-1), or that nobody asked for (want < 0). */
struct number_row {
	const char *what;
	long have, want;
};

static bool numbers_differ(const struct number_row *rows, size_t n,
			   const struct weir_iface_want *want, char *text, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].want < 0 || rows[i].have < 0 || rows[i].have == rows[i].want)
			continue;
		(void)snprintf(text, size, "%s %s has %s %ld instead of %ld", want->what,
			       want->name, rows[i].what, rows[i].have, rows[i].want);
		return true;
	}
	return false;
}

static bool identity_differs(const struct weir_iface *iface, const struct weir_iface_want *want,
			     char *text, size_t size)
{
	char have[WEIR_MAC_TEXT], should[WEIR_MAC_TEXT];

	if (want->alias && strcmp(iface->alias, want->alias) != 0)
		(void)snprintf(text, size, "%s %s has lost its alias", want->what, want->name);
	else if (want->alias && iface->group != WEIR_LINK_GROUP)
		(void)snprintf(text, size, "%s %s has left weir's group", want->what, want->name);
	else if (want->master && iface->master != want->master)
		(void)snprintf(text, size, "%s %s is not a port of its bridge", want->what,
			       want->name);
	else if (weir_mac_is_set(&want->mac) && weir_mac_cmp(&iface->mac, &want->mac) != 0)
		(void)snprintf(text, size, "%s %s has MAC %s instead of %s", want->what, want->name,
			       weir_mac_text(&iface->mac, have), weir_mac_text(&want->mac, should));
	else
		return false;
	return true;
}

/* One that has addresses is asked for them. */
static bool has_addresses(const struct weir_iface_want *want)
{
	return want->bridge || want->gateway || want->arp_notify;
}

bool weir_iface_differs(const struct weir_iface *iface, const struct weir_iface_want *want,
			char *text, size_t size)
{
	bool port = want->master != 0, bridge = want->bridge, gateway = bridge || want->gateway;
	const struct number_row rows[] = {
		{ "MTU", iface->mtu, want->mtu ? (long)want->mtu : -1 },
		{ "the isolated flag", iface->isolated, port ? want->isolated : -1 },
		{ "the hairpin flag", iface->hairpin, port ? want->hairpin : -1 },
		{ "the locked flag", iface->locked, port ? want->locked : -1 },
		{ "the learning flag", iface->learning, port ? !want->locked : -1 },
		{ "STP", iface->stp, bridge ? 0 : -1 },
		{ "forward delay", iface->forward_delay, bridge ? 0 : -1 },
		{ "nf_call_iptables", iface->nf_call_iptables, bridge ? want->nf_call : -1 },
		{ "nf_call_ip6tables", iface->nf_call_ip6tables, bridge ? want->nf_call : -1 },
		{ "arp_notify", iface->arp_notify, want->arp_notify ? 1 : -1 },
		{ "route_localnet", iface->route_localnet, gateway ? want->route_localnet : -1 },
		{ "forwarding", iface->forwarding, want->forwarding && iface->up ? 1 : -1 },
		{ "disable_ipv6", iface->ipv6.disable_ipv6, want->ipv6.disable_ipv6 },
		{ "accept_ra", iface->ipv6.accept_ra, want->ipv6.accept_ra },
		{ "accept_dad", iface->ipv6.accept_dad, want->ipv6.accept_dad },
	};

	if (identity_differs(iface, want, text, size))
		return true;
	if (numbers_differ(rows, sizeof(rows) / sizeof(rows[0]), want, text, size))
		return true;
	/* without IPv6 in use there are no link-local addresses to be made */
	if (want->addr_gen_none && !iface->addr_gen_none && iface->ipv6.disable_ipv6 == 0)
		(void)snprintf(text, size, "%s %s makes IPv6 link-local addresses", want->what,
			       want->name);
	else if (want->up && !iface->up)
		(void)snprintf(text, size, "%s %s is down", want->what, want->name);
	else if (want->up && want->master && iface->cut_off)
		(void)snprintf(text, size, "%s %s is disabled by its bridge", want->what,
			       want->name);
	else if (has_addresses(want) && iface->no_arp)
		(void)snprintf(text, size, "%s %s has ARP off", want->what, want->name);
	else
		return false;
	return true;
}

/* ---- changing ---- */

void weir_iface_put_bridge(struct weir_request *request, const struct weir_iface_want *want)
{
	weir_request_u32(request, IFLA_BR_STP_STATE, 0);
	weir_request_u32(request, IFLA_BR_FORWARD_DELAY, 0);
	/* ignored by kernels that were built without br_netfilter */
	weir_request_u8(request, IFLA_BR_NF_CALL_IPTABLES, want->nf_call);
	weir_request_u8(request, IFLA_BR_NF_CALL_IP6TABLES, want->nf_call);
}

static void put_info(struct weir_request *request, const struct weir_iface_want *want)
{
	struct nlattr *info = weir_request_open(request, IFLA_LINKINFO), *data;

	if (want->bridge) {
		weir_request_text(request, IFLA_INFO_KIND, "bridge");
		data = weir_request_open(request, IFLA_INFO_DATA);
		weir_iface_put_bridge(request, want);
		weir_request_close(request, data);
	}
	if (want->master) {
		weir_request_text(request, IFLA_INFO_SLAVE_KIND, "bridge");
		data = weir_request_open(request, IFLA_INFO_SLAVE_DATA);
		weir_request_u8(request, IFLA_BRPORT_ISOLATED, want->isolated);
		weir_request_u8(request, IFLA_BRPORT_MODE, want->hairpin);
		weir_request_u8(request, IFLA_BRPORT_LEARNING, !want->locked);
		weir_request_u8(request, IFLA_BRPORT_LOCKED, want->locked);
		weir_request_close(request, data);
	}
	weir_request_close(request, info);
}

enum { SMALLEST_IPV6_MTU = 1280 }; /* RFC 8200 5; with less, an interface has no IPv6 to speak of */

static void put_families(struct weir_request *request, const struct weir_iface_want *want)
{
	struct nlattr *families = weir_request_open(request, IFLA_AF_SPEC), *family;

	if (has_addresses(want)) {
		family = weir_request_open(request, AF_INET);
		struct nlattr *conf = weir_request_open(request, IFLA_INET_CONF);
		if (want->arp_notify)
			weir_request_u32(request, IPV4_DEVCONF_ARP_NOTIFY, 1);
		if (want->bridge || want->gateway)
			weir_request_u32(request, IPV4_DEVCONF_ROUTE_LOCALNET,
					 want->route_localnet);
		weir_request_close(request, conf);
		weir_request_close(request, family);
	}
	if (want->addr_gen_none && weir_iface_have_ipv6() &&
	    (!want->mtu || want->mtu >= SMALLEST_IPV6_MTU)) {
		family = weir_request_open(request, AF_INET6);
		weir_request_u8(request, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
		weir_request_close(request, family);
	}
	weir_request_close(request, families);
}

static int set_mtu(struct weir_channel *channel, const struct weir_iface_want *want,
		   struct weir_err *err)
{
	WEIR_CLEAN_REQUEST struct weir_request request = link_request(RTM_NEWLINK, 0, want->name);

	weir_request_u32(&request, IFLA_MTU, want->mtu);
	return weir_request_send(channel, &request, err, "link set %s mtu %u", want->name,
				 want->mtu);
}

int weir_iface_widen(struct weir_channel *channel, struct weir_iface *now,
		     const struct weir_iface_want *want, bool *changed, struct weir_err *err)
{
	int r = 0;

	if (now->mtu >= SMALLEST_IPV6_MTU || want->mtu < SMALLEST_IPV6_MTU)
		return 0;
	*changed = true;
	/* one that is up gets a link-local address at once; a bridge has such a one anyway, or no IPv6, and
	 * with it would go the user's routes */
	if (now->up && want->addr_gen_none && !want->bridge)
		r = weir_iface_set_up(channel, want->name, false, err);
	if (r == 0)
		r = set_mtu(channel, want, err);
	return r < 0 ? r : weir_iface_get(channel, want->name, now, err);
}

static int set_master(struct weir_channel *channel, const struct weir_iface_want *want,
		      struct weir_err *err)
{
	WEIR_CLEAN_REQUEST struct weir_request request = link_request(RTM_SETLINK, 0, want->name);

	weir_request_u32(&request, IFLA_MASTER, want->master);
	return weir_request_send(channel, &request, err, "link set %s master %u", want->name,
				 want->master);
}

/* The kernel looks at the delay before it looks at STP, and takes none of 0 while STP is on. */
static int stop_stp(struct weir_channel *channel, const char *name, struct weir_err *err)
{
	WEIR_CLEAN_REQUEST struct weir_request request = link_request(RTM_NEWLINK, 0, name);
	struct nlattr *info = weir_request_open(&request, IFLA_LINKINFO);

	weir_request_text(&request, IFLA_INFO_KIND, "bridge");
	struct nlattr *data = weir_request_open(&request, IFLA_INFO_DATA);
	weir_request_u32(&request, IFLA_BR_STP_STATE, 0);
	weir_request_close(&request, data);
	weir_request_close(&request, info);
	return weir_request_send(channel, &request, err, "link set %s type bridge stp_state 0",
				 name);
}

int weir_iface_configure(struct weir_channel *channel, const struct weir_iface *now,
			 const struct weir_iface_want *want, struct weir_err *err)
{
	const bool no_arp = now && now->no_arp && has_addresses(want);
	const struct ifinfomsg header = { .ifi_change = no_arp ? IFF_NOARP : 0 }; /* off */
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, 0, &header, sizeof(header));
	int r = 0;

	weir_request_text(&request, IFLA_IFNAME, want->name);
	if (now && want->master && now->master != want->master)
		r = set_master(channel, want, err);
	if (r == 0 && now && want->bridge && now->stp > 0)
		r = stop_stp(channel, want->name, err);
	if (r < 0)
		return r;
	if (want->alias) {
		weir_request_text(&request, IFLA_IFALIAS, want->alias);
		weir_request_u32(&request, IFLA_GROUP, WEIR_LINK_GROUP);
	}
	if (want->mtu)
		weir_request_u32(&request, IFLA_MTU, want->mtu);
	if (weir_mac_is_set(&want->mac))
		weir_request_mac(&request, IFLA_ADDRESS, &want->mac);
	if (want->bridge || want->master)
		put_info(&request, want);
	if (has_addresses(want) || want->addr_gen_none)
		put_families(&request, want);
	return weir_request_send(channel, &request, err, "link set %s alias \"%s\"%s%s%s%s",
				 want->name, want->alias ? want->alias : "",
				 want->isolated ? " isolated" : "", want->hairpin ? " hairpin" : "",
				 want->locked ? " locked" : "", want->nf_call ? " nf_call" : "");
}

int weir_iface_set_up(struct weir_channel *channel, const char *name, bool up, struct weir_err *err)
{
	struct ifinfomsg header = { .ifi_change = IFF_UP, .ifi_flags = up ? IFF_UP : 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, 0, &header, sizeof(header));

	weir_request_text(&request, IFLA_IFNAME, name);
	return weir_request_send(channel, &request, err, "link set %s %s", name,
				 up ? "up" : "down");
}

int weir_iface_set_forwarding(struct weir_channel *channel, const char *name, struct weir_err *err)
{
	WEIR_CLEAN_REQUEST struct weir_request request = link_request(RTM_NEWLINK, 0, name);
	struct nlattr *families = weir_request_open(&request, IFLA_AF_SPEC);
	struct nlattr *family = weir_request_open(&request, AF_INET);
	struct nlattr *conf = weir_request_open(&request, IFLA_INET_CONF);

	weir_request_u32(&request, IPV4_DEVCONF_FORWARDING, 1);
	weir_request_close(&request, conf);
	weir_request_close(&request, family);
	weir_request_close(&request, families);
	return weir_request_send(channel, &request, err, "link set %s: IPv4 forwarding", name);
}

void weir_iface_settle(struct weir_channel *channel, const char *name)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GLINK };
	struct ifreq request = { .ifr_data = (void *)&value };

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name); /* fits */
	/* Asking is the point (ethtool_op_get_link); RTM_GETLINK does the same, but from 6.8 on only.
	 * Without an answer the carrier settles a little later. */
	(void)ioctl(nl_socket_get_fd(channel->sock), SIOCETHTOOL, &request);
}

int weir_iface_delete(struct weir_channel *channel, const char *name, struct weir_err *err)
{
	WEIR_CLEAN_REQUEST struct weir_request request = link_request(RTM_DELLINK, 0, name);
	struct weir_err why = { 0 };
	int r = weir_request_send(channel, &request, &why, "link delete %s", name);

	return weir_request_allow(r, ENODEV, &why, err);
}
