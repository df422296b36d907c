// SPDX-License-Identifier: GPL-2.0-or-later
/* The sets and maps of `table inet weir`, and what stands in each. */
#include "backends/nftables/sets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How it works
 * Every set names the kind of entry that it is for, what picks among them, and its key
 * as a list of fields; a field knows how to be written from an entry, read back into one (pack.c) and
 * printed (sets_text.c). One walk over the table therefore serves prepare, list and render alike.
 *
 * An entry stands in exactly one set, so that an element deleted by hand is exactly one entry
 * missing. NETWORK is the exception: its flags are memberships of further sets, which list()
 * holds against `networks`.
 *
 * Mappings live in hash maps, one element per port, wherever the port changes on the way: nft has
 * no "add an offset". A range that keeps its ports needs only the address and is one element of an
 * interval map; those are slow to change, so nothing else goes there. */

/* Of a routed network nobody is told by one pair of interfaces who is in it. */
static bool is_whole(const struct weir_entry *e)
{
	return !e->family;
}

static bool keeps_ports(const struct weir_entry *e)
{
	return e->ports.hi > e->ports.lo && e->to_port == e->ports.lo;
}

static bool is_addr_single(const struct weir_entry *e)
{
	return weir_addr_is_set(&e->addr) && !keeps_ports(e);
}

static bool is_addr_range(const struct weir_entry *e)
{
	return weir_addr_is_set(&e->addr) && keeps_ports(e);
}

static bool is_any_single(const struct weir_entry *e)
{
	return !weir_addr_is_set(&e->addr) && !keeps_ports(e);
}

static bool is_any_range(const struct weir_entry *e)
{
	return !weir_addr_is_set(&e->addr) && keeps_ports(e);
}

#define BOTH(stem, ...)                          \
	{ stem "4", WEIR_IPV4, __VA_ARGS__ },    \
	{                                        \
		stem "6", WEIR_IPV6, __VA_ARGS__ \
	}
#define KEY(...) .key = { __VA_ARGS__ }
#define DATA(...) .data = { __VA_ARGS__ }
#define COMMENT(what) .comment = WEIR_NFT_##what
#define NO_FAMILY WEIR_NO_FAMILY

const struct weir_nft_set weir_nft_epoch_set = { "epoch", NO_FAMILY,	      WEIR_NUM_ENTRY_KINDS,
						 NULL,	  KEY(WEIR_NFT_MARK), COMMENT(OWNER) };

/* clang-format off */
const struct weir_nft_set weir_nft_sets[] = {
	{ "networks", NO_FAMILY, WEIR_ENTRY_NETWORK, NULL, KEY(WEIR_NFT_IFNAME), COMMENT(FROM_OWNER) },
	{ "segments", NO_FAMILY, WEIR_ENTRY_NETWORK, NULL, KEY(WEIR_NFT_IFNAME, WEIR_NFT_IFNAME),
	  .flag = WEIR_NFT_OPEN },
	{ "isolated", NO_FAMILY, WEIR_ENTRY_NETWORK, NULL, KEY(WEIR_NFT_IFNAME, WEIR_NFT_IFNAME),
	  .flag = WEIR_ISOLATED },
	{ "filtered", NO_FAMILY, WEIR_ENTRY_NETWORK, NULL, KEY(WEIR_NFT_IFNAME, WEIR_NFT_IFNAME),
	  .flag = WEIR_FILTERED },
	{ "egress_deny", NO_FAMILY, WEIR_ENTRY_NETWORK, NULL, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_EGRESS_DENY },
	{ "ingress_deny", NO_FAMILY, WEIR_ENTRY_NETWORK, NULL, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_INGRESS_DENY },
	{ "ingress_allow", NO_FAMILY, WEIR_ENTRY_NETWORK, NULL, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_INGRESS_ALLOW },
	{ "internal", NO_FAMILY, WEIR_ENTRY_NETWORK, NULL, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_CLOSED },
	{ "host_deny", NO_FAMILY, WEIR_ENTRY_NETWORK, NULL, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_HOST_DENY },
	{ "trusted", NO_FAMILY, WEIR_ENTRY_TRUSTED, is_whole, KEY(WEIR_NFT_FROM, WEIR_NFT_IFNAME),
	  COMMENT(OWNER) },
	{ "guard_families", NO_FAMILY, WEIR_ENTRY_GUARD, NULL, KEY(WEIR_NFT_NFPROTO), COMMENT(OWNER) },
	BOTH("masquerade", WEIR_ENTRY_SUBNET, NULL, KEY(WEIR_NFT_PREFIX), COMMENT(IFNAME_OWNER)),
	BOTH("snat", WEIR_ENTRY_SUBNET, NULL, KEY(WEIR_NFT_PREFIX), DATA(WEIR_NFT_TO),
	     COMMENT(IFNAME_OWNER), .nat = WEIR_NAT_ADDRESS),
	BOTH("masquerade_random", WEIR_ENTRY_SUBNET, NULL, KEY(WEIR_NFT_PREFIX),
	     COMMENT(IFNAME_OWNER), .flags = WEIR_NAT_RANDOM),
	BOTH("snat_random", WEIR_ENTRY_SUBNET, NULL, KEY(WEIR_NFT_PREFIX), DATA(WEIR_NFT_TO),
	     COMMENT(IFNAME_OWNER), .nat = WEIR_NAT_ADDRESS, .flags = WEIR_NAT_RANDOM),
	BOTH("routed", WEIR_ENTRY_SUBNET, NULL, KEY(WEIR_NFT_PREFIX), COMMENT(IFNAME_OWNER),
	     .nat = WEIR_NAT_NONE),
	BOTH("gateways", WEIR_ENTRY_GATEWAY, NULL, KEY(WEIR_NFT_ADDR), COMMENT(IFNAME_OWNER)),
	BOTH("trusted_to", WEIR_ENTRY_TRUSTED, NULL, KEY(WEIR_NFT_FROM, WEIR_NFT_BLOCK),
	     COMMENT(IFNAME_OWNER)),
	BOTH("neighbours", WEIR_ENTRY_SEGMENT, NULL, KEY(WEIR_NFT_BLOCK, WEIR_NFT_TO_BLOCK),
	     COMMENT(IFNAME_OWNER)),
	BOTH("sources", WEIR_ENTRY_SOURCE, NULL, KEY(WEIR_NFT_IFNAME, WEIR_NFT_ADDR), COMMENT(OWNER)),
	BOTH("isolated_ends", WEIR_ENTRY_ISOLATED, NULL, KEY(WEIR_NFT_IFNAME, WEIR_NFT_ADDR), COMMENT(OWNER)),
	BOTH("strict", WEIR_ENTRY_STRICT, NULL, KEY(WEIR_NFT_ADDR, WEIR_NFT_PROTO, WEIR_NFT_PORT),
	     COMMENT(OWNER)),
	BOTH("published_addr", WEIR_ENTRY_MAPPING, is_addr_single,
	     KEY(WEIR_NFT_ADDR, WEIR_NFT_PROTO, WEIR_NFT_PORT), DATA(WEIR_NFT_TO, WEIR_NFT_TO_PORT),
	     COMMENT(OWNER)),
	BOTH("published_addr_range", WEIR_ENTRY_MAPPING, is_addr_range,
	     KEY(WEIR_NFT_ADDR, WEIR_NFT_PROTO, WEIR_NFT_PORTS), DATA(WEIR_NFT_TO), COMMENT(OWNER)),
	BOTH("published", WEIR_ENTRY_MAPPING, is_any_single, KEY(WEIR_NFT_PROTO, WEIR_NFT_PORT),
	     DATA(WEIR_NFT_TO, WEIR_NFT_TO_PORT), COMMENT(OWNER)),
	BOTH("published_range", WEIR_ENTRY_MAPPING, is_any_range, KEY(WEIR_NFT_PROTO, WEIR_NFT_PORTS),
	     DATA(WEIR_NFT_TO), COMMENT(OWNER)),
	BOTH("policy_from", WEIR_ENTRY_MEMBER, NULL, KEY(WEIR_NFT_ADDR), DATA(WEIR_NFT_CLASS),
	     COMMENT(OWNER)),
	BOTH("policy_outside", WEIR_ENTRY_MEMBER, NULL, KEY(WEIR_NFT_PREFIX), DATA(WEIR_NFT_CLASS),
	     COMMENT(OWNER), .flags = WEIR_OUTSIDE),
	BOTH("host_in", WEIR_ENTRY_HOST_PAIR, NULL, KEY(WEIR_NFT_ADDR), DATA(WEIR_NFT_LIST),
	     COMMENT(OWNER)),
	BOTH("host_out", WEIR_ENTRY_HOST_PAIR, NULL, KEY(WEIR_NFT_ADDR), DATA(WEIR_NFT_LIST),
	     COMMENT(OWNER), .flags = WEIR_FROM_HOST_PAIR),
	{ "host_in_link", WEIR_IPV6, WEIR_ENTRY_HOST_PAIR, NULL, KEY(WEIR_NFT_IFNAME, WEIR_NFT_ADDR),
	  DATA(WEIR_NFT_LIST), COMMENT(OWNER) },
	{ "host_out_link", WEIR_IPV6, WEIR_ENTRY_HOST_PAIR, NULL, KEY(WEIR_NFT_IFNAME, WEIR_NFT_ADDR),
	  DATA(WEIR_NFT_LIST), COMMENT(OWNER), .flags = WEIR_FROM_HOST_PAIR },
};

static const struct weir_nft_set class_sets[WEIR_NFT_CLASS_SETS] = {
	BOTH("to", WEIR_ENTRY_PAIR, NULL, KEY(WEIR_NFT_ADDR), DATA(WEIR_NFT_LIST), COMMENT(OWNER)),
	BOTH("out", WEIR_ENTRY_PAIR, NULL, KEY(WEIR_NFT_PREFIX), DATA(WEIR_NFT_LIST), COMMENT(OWNER),
	     .flags = WEIR_OUTSIDE),
};
/* clang-format on */
const size_t weir_nft_n_sets = sizeof(weir_nft_sets) / sizeof(weir_nft_sets[0]);

void weir_nft_class_set(size_t i, uint64_t class, char name[WEIR_NFT_CHAIN_MAX],
			struct weir_nft_set *ret)
{
	*ret = class_sets[i];
	ret->class = class;
	ret->name = name;
	(void)snprintf(name, WEIR_NFT_CHAIN_MAX, "%s-%016" PRIx64, class_sets[i].name, class);
}

const char *weir_nft_class_chain(uint64_t class, char buf[WEIR_NFT_CHAIN_MAX])
{
	(void)snprintf(buf, WEIR_NFT_CHAIN_MAX, "class-%016" PRIx64, class);
	return buf;
}

const char *weir_nft_list_chain(uint64_t list, char buf[WEIR_NFT_CHAIN_MAX])
{
	(void)snprintf(buf, WEIR_NFT_CHAIN_MAX, "list-%016" PRIx64, list);
	return buf;
}

/* Sixteen digits as weir prints them, and nothing else. */
static bool number_of(const char *name, const char *stem, uint64_t *ret)
{
	enum { DIGITS = 16 };
	size_t len = strlen(stem);

	if (strncmp(name, stem, len) != 0 || strlen(name) != len + DIGITS ||
	    strspn(name + len, "0123456789abcdef") != DIGITS)
		return false;
	*ret = strtoull(name + len, NULL, 16);
	return true;
}

bool weir_nft_class_of(const char *chain, uint64_t *ret)
{
	return number_of(chain, "class-", ret);
}

bool weir_nft_list_of(const char *chain, uint64_t *ret)
{
	return number_of(chain, "list-", ret);
}

const struct weir_nft_set *weir_nft_set_find(const char *name)
{
	for (size_t i = 0; i < weir_nft_n_sets; i++)
		if (!strcmp(weir_nft_sets[i].name, name))
			return &weir_nft_sets[i];
	return strcmp(name, weir_nft_epoch_set.name) ? NULL : &weir_nft_epoch_set;
}

static bool has_flag(const struct weir_entry *e, uint8_t flag)
{
	if (flag == WEIR_NFT_OPEN)
		return !(e->flags & (WEIR_ISOLATED | WEIR_FILTERED)) && !e->from_ifname[0];
	return !flag || e->flags & flag;
}

bool weir_nft_set_holds(const struct weir_nft_set *set, const struct weir_entry *entry)
{
	if (entry->kind != set->kind || (set->family && entry->family != set->family))
		return false;
	switch (set->kind) {
	case WEIR_ENTRY_NETWORK:
		return has_flag(entry, set->flag);
	case WEIR_ENTRY_SUBNET:
		return entry->nat == set->nat && entry->flags == set->flags;
	case WEIR_ENTRY_PAIR:
		return entry->class == set->class && entry->flags == set->flags;
	case WEIR_ENTRY_MEMBER:
		return entry->flags == set->flags;
	case WEIR_ENTRY_HOST_PAIR:
		return entry->flags == set->flags &&
		       !entry->ifname[0] == (set->key[0] != WEIR_NFT_IFNAME);
	default:
		return !set->holds || set->holds(entry);
	}
}
