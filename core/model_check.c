/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be told of a name or a network from itself alone. */
#include "core/model_check.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/names.h"

enum {
	QUOTE_MAX = 80,	    /* of what a user wrote, in a message */
	TRUSTED_MAX = 64,   /* interfaces; no real network trusts so many, and each is compared */
	MTU_MIN_IPV6 = 1280 /* RFC 8200 5 */
};

/* ---- names ---- */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int weir_name_check(const char *what, const char *name, struct weir_err *err)
{
	static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
	size_t len = name ? strlen(name) : 0;

	if (!len)
		return weir_err_set(err, EINVAL, "the name of the %s is empty", what);
	if (len > WEIR_NAME_MAX)
		return weir_err_set(err, EINVAL,
				    "%s name \"%.*s…\" is too long: %zu bytes, at most %d", what,
				    20, name, len, WEIR_NAME_MAX);
	if (!is_alnum(name[0]))
		return weir_err_set(err, EINVAL,
				    "%s name \"%s\" must begin with a letter or a digit", what,
				    name);
	if (name[strspn(name, alphabet)])
		return weir_err_set(
			err, EINVAL,
			"%s name \"%s\" may have letters, digits, \"-\", \"_\" and \".\" only",
			what, name);
	return 0;
}

/* Beyond dev_valid_name(): quotes, '*' and '+' mean something to nft and iptables, '%' makes the
 * kernel number interfaces by itself, a leading '-' looks like an option. */
int weir_ifname_check(const char *name, struct weir_err *err)
{
	size_t len = strnlen(name, WEIR_IFNAME_SIZE);

	if (!len)
		return weir_err_set(err, EINVAL, "the interface name is empty");
	if (len >= WEIR_IFNAME_SIZE)
		return weir_err_set(
			err, EINVAL,
			"interface name \"%.*s\" is too long: the kernel takes %d bytes", QUOTE_MAX,
			name, WEIR_IFNAME_SIZE - 1);
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("/:\"'`\\*+%", *c))
			return weir_err_set(err, EINVAL,
					    "interface name \"%s\" may not contain spaces, control "
					    "characters or any of / : \" ' ` \\ * + %%",
					    name);
	if (name[0] == '-' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return weir_err_set(err, EINVAL, "\"%s\" is not a name for an interface", name);
	return 0;
}

int weir_own_ifname_check(const char *name, struct weir_err *err)
{
	static const char *const taken[] = { "lo", "all", "default" };

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0)
			return weir_err_set(
				err, EINVAL,
				"interface name \"%s\" is the kernel's own: choose another", name);
	return weir_ifname_check(name, err);
}

int weir_mtu_check(unsigned mtu, bool ipv6, struct weir_err *err)
{
	unsigned least = ipv6 ? MTU_MIN_IPV6 : WEIR_MTU_MIN;

	if (mtu && (mtu < least || mtu > WEIR_MTU_MAX))
		return weir_err_set(err, EINVAL, "mtu %u is not between %u and %d%s", mtu, least,
				    WEIR_MTU_MAX, ipv6 ? " (IPv6 needs 1280)" : "");
	return 0;
}

/* ---- subnets ---- */

/* How long a prefix may be. The short end is where a mistake begins, the long end leaves a
 * gateway and an endpoint; two addresses are enough where there is no gateway. */
static const struct {
	uint8_t shortest, longest, longest_p2p;
} lengths[] = {
	[WEIR_IPV4] = { 8, 30, 31 },
	[WEIR_IPV6] = { 48, 126, 127 },
};
static_assert(sizeof(lengths) / sizeof(lengths[0]) == WEIR_NUM_FAMILIES, "both families");

/* What no subnet may touch. */
static const struct {
	struct weir_prefix prefix;
	const char *what;
} reserved[] = {
	{ { { WEIR_IPV4, { 0 } }, 8 }, "\"this network\"" },
	{ { { WEIR_IPV4, { 127 } }, 8 }, "loopback" },
	{ { { WEIR_IPV4, { 169, 254 } }, 16 }, "link-local" },
	{ { { WEIR_IPV4, { 224 } }, 4 }, "multicast" },
	{ { { WEIR_IPV6, { 0 } }, 8 }, "loopback and reserved" },
	{ { { WEIR_IPV6, { 0xfe, 0x80 } }, 10 }, "link-local" },
	{ { { WEIR_IPV6, { 0xff } }, 8 }, "multicast" },
};

int weir_prefix_check(const char *what, const struct weir_prefix *prefix, struct weir_err *err)
{
	struct weir_prefix right = { weir_prefix_base(prefix), prefix->len };
	char text[WEIR_PREFIX_TEXT], want[WEIR_PREFIX_TEXT];

	if (weir_addr_cmp(&right.addr, &prefix->addr) == 0)
		return 0;
	return weir_err_set(err, EINVAL, "%s %s has host bits set: did you mean %s?", what,
			    weir_prefix_text(prefix, text), weir_prefix_text(&right, want));
}

static int check_length(const struct weir_prefix *prefix, enum weir_mode mode, struct weir_err *err)
{
	enum weir_family family = prefix->addr.family;
	unsigned longest = weir_mode_traits(mode)->wire ? lengths[family].longest_p2p
							: lengths[family].longest;
	char text[WEIR_PREFIX_TEXT];

	if (prefix->len >= lengths[family].shortest && prefix->len <= longest)
		return 0;
	return weir_err_set(err, EINVAL, "subnet %s: an %s subnet of a %s network is /%u to /%u",
			    weir_prefix_text(prefix, text), weir_family_name(family),
			    weir_mode_name(mode), lengths[family].shortest, longest);
}

static int check_reserved(const char *what, const struct weir_prefix *prefix, struct weir_err *err)
{
	char text[WEIR_PREFIX_TEXT], with[WEIR_PREFIX_TEXT];

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (weir_prefix_overlaps(&reserved[i].prefix, prefix))
			return weir_err_set(err, EINVAL,
					    "%s %s touches %s, which is for %s addresses", what,
					    weir_prefix_text(prefix, text),
					    weir_prefix_text(&reserved[i].prefix, with),
					    reserved[i].what);
	return 0;
}

static int check_subnet(const struct weir_prefix *prefix, enum weir_mode mode, struct weir_err *err)
{
	int r = weir_prefix_check("subnet", prefix, err);

	if (r == 0)
		r = check_length(prefix, mode, err);
	return r < 0 ? r : check_reserved("subnet", prefix, err);
}

int weir_pool_check(const struct weir_pool *pool, struct weir_err *err)
{
	struct weir_prefix first = { pool->prefix.addr, pool->size };
	char text[WEIR_PREFIX_TEXT];

	int r = weir_prefix_check("pool", &pool->prefix, err);
	if (r == 0)
		r = check_reserved("pool", &pool->prefix, err);
	if (r < 0)
		return r;
	if (pool->size < pool->prefix.len)
		return weir_err_set(err, EINVAL, "pool %s has no room for a subnet of /%u",
				    weir_prefix_text(&pool->prefix, text), pool->size);
	if (pool->size > weir_family_bits(first.addr.family))
		return weir_err_set(err, EINVAL, "pool %s: a subnet of /%u does not exist in %s",
				    weir_prefix_text(&pool->prefix, text), pool->size,
				    weir_family_name(first.addr.family));
	return check_length(&first, WEIR_MODE_BRIDGE, err);
}

static int check_subnets(const struct weir_network *net, struct weir_err *err)
{
	char a[WEIR_PREFIX_TEXT], b[WEIR_PREFIX_TEXT];

	if (net->n_subnets > WEIR_SUBNETS_MAX)
		return weir_err_set(err, EINVAL, "%zu subnets are too many: at most %d",
				    net->n_subnets, WEIR_SUBNETS_MAX);
	for (size_t i = 0; i < net->n_subnets; i++) {
		const struct weir_subnet *subnet = &net->subnets[i];
		int r = check_subnet(&subnet->prefix, net->mode, err);
		if (r < 0) {
			weir_err_place(err, &subnet->origin);
			return r;
		}
		for (size_t j = 0; j < i; j++)
			if (weir_prefix_overlaps(&net->subnets[j].prefix, &subnet->prefix))
				return weir_err_at(err, EINVAL, &subnet->origin,
						   "subnets %s and %s overlap",
						   weir_prefix_text(&net->subnets[j].prefix, a),
						   weir_prefix_text(&subnet->prefix, b));
	}
	return 0;
}

/* addr, which lies in prefix, may be a host's: not the network, anycast or broadcast address. */
static int check_host_address(const struct weir_prefix *prefix, const char *what,
			      const struct weir_addr *addr, struct weir_err *err)
{
	struct weir_addr base = weir_prefix_base(prefix), last = weir_prefix_last(prefix);
	char text[WEIR_ADDR_TEXT], in[WEIR_PREFIX_TEXT];
	bool four = addr->family == WEIR_IPV4;

	if (prefix->len >= weir_family_bits(addr->family) - 1)
		return 0; /* RFC 3021, RFC 6164: both addresses of a pair are hosts */
	if (weir_addr_cmp(addr, &base) == 0)
		return weir_err_set(err, EINVAL, "%s %s is the %s address of %s", what,
				    weir_addr_text(addr, text), four ? "network" : "anycast",
				    weir_prefix_text(prefix, in));
	if (four && weir_addr_cmp(addr, &last) == 0)
		return weir_err_set(err, EINVAL, "%s %s is the broadcast address of %s", what,
				    weir_addr_text(addr, text), weir_prefix_text(prefix, in));
	return 0;
}

/* ---- addresses of a network ---- */

static int check_gateway(const struct weir_network *net, enum weir_family family,
			 struct weir_err *err)
{
	const struct weir_addr *gateway = &net->gateways[family];
	const struct weir_subnet *subnet = weir_network_subnet_of(net, gateway);
	char text[WEIR_ADDR_TEXT];

	if (!weir_addr_is_set(gateway))
		return 0;
	(void)weir_addr_text(gateway, text);
	if (weir_mode_traits(net->mode)->wire)
		return weir_err_set(
			err, EINVAL,
			"gateway %s: the host has no address in a p2p network; the gateway "
			"can be the endpoint at the other end, by name",
			text);
	if (net->gateway_endpoint)
		return weir_err_set(err, EINVAL,
				    "gateway %s: the gateway is endpoint \"%s\" already", text,
				    net->gateway_endpoint);
	if (!net->n_subnets)
		return weir_err_set(
			err, EINVAL,
			"gateway %s: name the subnet as well, automatic ones choose theirs", text);
	if (!subnet)
		return weir_err_set(err, EINVAL, "gateway %s is outside the network's subnets",
				    text);
	return check_host_address(&subnet->prefix, "gateway", gateway, err);
}

static int check_excluded(const struct weir_network *net, struct weir_err *err)
{
	for (size_t i = 0; i < net->n_excluded; i++) {
		const struct weir_range *range = &net->excluded[i];
		const struct weir_subnet *subnet = weir_network_subnet_of(net, &range->lo);
		char lo[WEIR_ADDR_TEXT], hi[WEIR_ADDR_TEXT];

		(void)weir_addr_text(&range->lo, lo);
		(void)weir_addr_text(&range->hi, hi);
		if (range->lo.family != range->hi.family ||
		    weir_addr_cmp(&range->lo, &range->hi) > 0)
			return weir_err_set(err, EINVAL, "excluded range %s-%s is upside down", lo,
					    hi);
		if (!subnet || !weir_prefix_contains(&subnet->prefix, &range->hi))
			return weir_err_set(
				err, EINVAL,
				"excluded %s%s%s is not inside one subnet of the network", lo,
				strcmp(lo, hi) ? "-" : "", strcmp(lo, hi) ? hi : "");
	}
	return 0;
}

static int check_nat_address(const struct weir_network *net, const struct weir_addr *addr,
			     struct weir_err *err)
{
	char text[WEIR_ADDR_TEXT];

	(void)weir_addr_text(addr, text);
	if (weir_addr_is_any(addr) || weir_addr_is_loopback(addr) || weir_addr_is_multicast(addr))
		return weir_err_set(err, EINVAL, "nat %s: no packet can leave with that source",
				    text);
	if (weir_network_subnet_of(net, addr))
		return weir_err_set(
			err, EINVAL,
			"nat %s lies in the network itself: expected an address of the host's",
			text);
	if (net->n_subnets && !weir_network_subnet(net, addr->family))
		return weir_err_set(err, EINVAL, "nat %s: the network has no %s subnet", text,
				    weir_family_name(addr->family));
	return 0;
}

static int check_nat(const struct weir_network *net, struct weir_err *err)
{
	bool any = false;

	if (net->nat_random &&
	    (net->nat == WEIR_NAT_NONE || net->internal || net->gateway_endpoint))
		return weir_err_set(err, EINVAL,
				    "nat: random has no meaning where nothing is translated");
	if (net->nat != WEIR_NAT_ADDRESS)
		return 0;
	if (net->internal || net->gateway_endpoint)
		return weir_err_set(err, EINVAL,
				    "nat to an address: nothing leaves the host from %s",
				    net->internal ? "an internal network"
						  : "a network whose gateway is an endpoint");
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		const struct weir_addr *addr = &net->nat_addr[family];
		int r = weir_addr_is_set(addr) ? check_nat_address(net, addr, err) : 0;
		if (r < 0)
			return r;
		any |= weir_addr_is_set(addr);
	}
	return any ? 0 : weir_err_set(err, EINVAL, "nat to an address: none is given");
}

/* ---- contradictions ---- */

static int check_trusted(const struct weir_network *net, struct weir_err *err)
{
	if (net->n_trusted && (net->internal || net->gateway_endpoint))
		return weir_err_set(err, EINVAL, "trusted interfaces: nothing is forwarded into %s",
				    net->internal ? "an internal network"
						  : "a network whose gateway is an endpoint");
	if (net->n_trusted > TRUSTED_MAX)
		return weir_err_set(err, EINVAL, "%zu trusted interfaces are too many: at most %d",
				    net->n_trusted, TRUSTED_MAX);
	for (size_t i = 0; i < net->n_trusted; i++) {
		int r = weir_ifname_check(net->trusted[i], err);
		if (r < 0)
			return weir_err_wrap(err, r, "trusted");
		if (strcmp(net->trusted[i], net->ifname) == 0)
			return weir_err_set(err, EINVAL, "trusted %s is the network's own bridge",
					    net->trusted[i]);
		for (size_t j = 0; j < i; j++)
			if (strcmp(net->trusted[i], net->trusted[j]) == 0)
				return weir_err_set(err, EINVAL, "trusted %s is there twice",
						    net->trusted[i]);
	}
	return 0;
}

/* Without a bridge there is none to be named, and packets never meet the host's hooks. */
static int check_bridgeless(const struct weir_network *net, struct weir_err *err)
{
	const struct {
		bool set;
		const char *what;
	} bridge_only[] = {
		{ net->ifname[0] && !weir_mode_traits(net->mode)->device, "a bridge name" },
		{ net->adopt, "adopt" },
		{ net->nat == WEIR_NAT_ADDRESS, "nat to an address" },
		{ net->nat_random, "nat: random" },
		{ weir_mac_is_set(&net->mac), "a bridge address" },
		{ net->internal, "internal" },
		{ net->isolate, "isolate" },
		{ net->host_deny, "host: deny" },
		{ net->filter_bridged, "filter_bridged" },
		{ net->n_trusted, "trusted" },
		{ net->ingress || net->egress, "default" },
		{ net->strict, "strict" },
	};

	if (weir_mode_traits(net->mode)->host)
		return 0;
	for (size_t i = 0; i < sizeof(bridge_only) / sizeof(bridge_only[0]); i++)
		if (bridge_only[i].set)
			return weir_err_set(
				err, EINVAL,
				"%s has no meaning in a %s network: its packets %s and never meet "
				"the host",
				bridge_only[i].what, weir_mode_name(net->mode),
				weir_mode_traits(net->mode)->wire ? "go from endpoint to endpoint"
								  : "go out by the parent");
	return 0;
}

/* The host routes for each port by itself: what is said of a bridge finds none. */
static int check_routed(const struct weir_network *net, struct weir_err *err)
{
	const struct {
		bool set;
		const char *what;
	} bridge_only[] = {
		{ net->ifname[0] && !weir_names_are_ports(net->ifname), "a bridge name" },
		{ net->adopt, "adopt" },
		{ net->filter_bridged, "filter_bridged" },
		{ net->gateway_endpoint, "a gateway that is an endpoint" },
	};

	for (size_t i = 0; i < sizeof(bridge_only) / sizeof(bridge_only[0]); i++)
		if (weir_mode_traits(net->mode)->routed && bridge_only[i].set)
			return weir_err_set(err, EINVAL,
					    "%s has no meaning in a routed network: it has no "
					    "bridge, the host routes to each endpoint",
					    bridge_only[i].what);
	return 0;
}

static int check_parent(const struct weir_network *net, struct weir_err *err)
{
	const struct weir_mode_traits *mode = weir_mode_traits(net->mode);

	if (mode->parent && !net->parent[0])
		return weir_err_set(err, EINVAL, "a %s network needs a parent interface",
				    mode->name);
	if (!mode->parent && net->parent[0])
		return weir_err_set(err, EINVAL, "a %s network has no parent interface",
				    mode->name);
	if (net->mode == WEIR_MODE_VLAN && !net->vlan)
		return weir_err_set(err, EINVAL, "a vlan network needs a VLAN id, %d to %d",
				    WEIR_VLAN_MIN, WEIR_VLAN_MAX);
	if (net->mode != WEIR_MODE_VLAN && net->vlan)
		return weir_err_set(err, EINVAL, "a %s network has no VLAN id", mode->name);
	if (net->gateway_endpoint && mode->parent)
		return weir_err_set(err, EINVAL,
				    "the gateway of a %s network is a neighbour of its parent, by "
				    "address",
				    mode->name);
	return net->parent[0] ? weir_ifname_check(net->parent, err) : 0;
}

/* Somebody else's bridge is taken as it is. */
static int check_adopted(const struct weir_network *net, struct weir_err *err)
{
	const struct {
		bool set;
		const char *what;
	} ours_only[] = {
		{ weir_mac_is_set(&net->mac), "its MAC address" },
		{ net->filter_bridged, "filter_bridged" },
	};

	if (!net->adopt)
		return 0;
	if (!net->ifname[0])
		return weir_err_set(err, EINVAL, "adopt: name the bridge (bridge: IFNAME)");
	for (size_t i = 0; i < sizeof(ours_only) / sizeof(ours_only[0]); i++)
		if (ours_only[i].set)
			return weir_err_set(err, EINVAL,
					    "%s: bridge %s is adopted, and its owner's to set",
					    ours_only[i].what, net->ifname);
	return 0;
}

static int check_bridge(const struct weir_network *net, struct weir_err *err)
{
	bool named = net->ifname[0] && !weir_names_are_ports(net->ifname); /* weir's own choice */
	int r = named ? weir_own_ifname_check(net->ifname, err) : 0;

	if (r == 0 && !weir_mode_traits(net->mode)->routed && weir_names_like_port(net->ifname))
		r = weir_err_set(err, EINVAL,
				 "interface name \"%s\": names that begin like %.8s are those of "
				 "routed networks' ports",
				 net->ifname, net->ifname);
	if (r == 0 && (net->mac.bytes[0] & 1))
		r = weir_err_set(err, EINVAL, "the bridge's MAC address is a multicast one");
	return r;
}

int weir_network_check(const struct weir_network *net, struct weir_err *err)
{
	static int (*const checks[])(const struct weir_network *net, struct weir_err *err) = {
		check_parent,  check_bridgeless, check_routed, check_adopted, check_bridge,
		check_subnets, check_excluded,	 check_nat,    check_trusted,
	};

	int r = weir_name_check("network", net->name, err);
	if (r < 0) {
		weir_err_place(err, &net->origin);
		return r;
	}
	for (size_t i = 0; r == 0 && i < sizeof(checks) / sizeof(checks[0]); i++)
		r = checks[i](net, err);
	for (int family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++)
		r = check_gateway(net, (enum weir_family)family, err);
	if (r == 0 && net->gateway_endpoint)
		r = weir_name_check("endpoint", net->gateway_endpoint, err);
	if (r == 0)
		r = weir_mtu_check(net->mtu, weir_network_subnet(net, WEIR_IPV6) != NULL, err);
	if (r == 0)
		return 0;
	weir_err_place(err, &net->origin);
	return weir_err_wrap(err, r, "network \"%s\"", net->name);
}
