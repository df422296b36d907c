// SPDX-License-Identifier: GPL-2.0-or-later
/* The sets and maps of `table inet weir`, and what their elements are made of. */
#include "backends/nftables/sets.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How it works
 * Every set names the kind of entry that it is for, a predicate that picks among them, and its key
 * as a list of fields; a field knows how to be written from an entry, read back into one and
 * printed. One walk over the table therefore serves prepare, list and render alike.
 *
 * An entry stands in exactly one set, so that an element deleted by hand is exactly one entry
 * missing. NETWORK is the exception: its flags are memberships of further sets, which list()
 * holds against `networks`.
 *
 * Mappings live in hash maps, one element per port, wherever the port changes on the way: nft has
 * no "add an offset". A range that keeps its ports needs only the address and is one element of an
 * interval map; those are slow to change, so nothing else goes there. */

/* nft's own numbers (datatype.h there), in which it stores what to print a key as. */
struct type {
	const char *name;
	uint8_t number, len,
		byteorder; /* byteorder: 1 host, 2 network, as nft writes it for single keys */
};

static const struct type type_nfproto = { "nf_proto", 2, 1, 0 };
static const struct type type_ipv4 = { "ipv4_addr", 7, 4, 2 };
static const struct type type_ipv6 = { "ipv6_addr", 8, 16, 2 };
static const struct type type_proto = { "inet_proto", 12, 1, 0 };
static const struct type type_service = { "inet_service", 13, 2, 2 };
static const struct type type_mark = { "mark", 19, 4, 1 };
static const struct type type_verdict = { "verdict", 0, 0, 0 }; /* apart from the others */
static const struct type type_ifname = { "ifname", 41, WEIR_IFNAME_SIZE, 1 };

/* Types of the fields by family; the first where there is no family. */
static const struct type *const field_types[WEIR_NFT_NUM_FIELDS][2] = {
	[WEIR_NFT_IFNAME] = { &type_ifname, &type_ifname },
	[WEIR_NFT_FROM] = { &type_ifname, &type_ifname },
	[WEIR_NFT_ADDR] = { &type_ipv4, &type_ipv6 },
	[WEIR_NFT_PREFIX] = { &type_ipv4, &type_ipv6 },
	[WEIR_NFT_BLOCK] = { &type_ipv4, &type_ipv6 },
	[WEIR_NFT_TO_BLOCK] = { &type_ipv4, &type_ipv6 },
	[WEIR_NFT_PROTO] = { &type_proto, &type_proto },
	[WEIR_NFT_PORT] = { &type_service, &type_service },
	[WEIR_NFT_PORTS] = { &type_service, &type_service },
	[WEIR_NFT_TO] = { &type_ipv4, &type_ipv6 },
	[WEIR_NFT_TO_PORT] = { &type_service, &type_service },
	[WEIR_NFT_NFPROTO] = { &type_nfproto, &type_nfproto },
	[WEIR_NFT_MARK] = { &type_mark, &type_mark },
	[WEIR_NFT_CLASS] = { &type_verdict, &type_verdict },
	[WEIR_NFT_LIST] = { &type_verdict, &type_verdict },
};

static bool is_open(const struct weir_entry *e)
{
	return !(e->flags & (WEIR_ISOLATED | WEIR_FILTERED)) && !e->from_ifname[0];
}
/* Of a routed network nobody is told by one pair of interfaces who is in it. */
static bool is_whole(const struct weir_entry *e)
{
	return !e->family;
}
static bool is_by_subnet(const struct weir_entry *e)
{
	return e->family;
}
static bool is_isolated(const struct weir_entry *e)
{
	return e->flags & WEIR_ISOLATED;
}
static bool is_closed(const struct weir_entry *e)
{
	return e->flags & WEIR_CLOSED;
}
static bool is_host_deny(const struct weir_entry *e)
{
	return e->flags & WEIR_HOST_DENY;
}
static bool is_filtered(const struct weir_entry *e)
{
	return e->flags & WEIR_FILTERED;
}
static bool is_egress_deny(const struct weir_entry *e)
{
	return e->flags & WEIR_EGRESS_DENY;
}
static bool is_ingress_deny(const struct weir_entry *e)
{
	return e->flags & WEIR_INGRESS_DENY;
}
static bool is_ingress_allow(const struct weir_entry *e)
{
	return e->flags & WEIR_INGRESS_ALLOW;
}
static bool is_masqueraded(const struct weir_entry *e)
{
	return e->nat == WEIR_NAT_MASQUERADE && !(e->flags & WEIR_NAT_RANDOM);
}
static bool is_masqueraded_at_random(const struct weir_entry *e)
{
	return e->nat == WEIR_NAT_MASQUERADE && e->flags & WEIR_NAT_RANDOM;
}
static bool is_routed(const struct weir_entry *e)
{
	return e->nat == WEIR_NAT_NONE;
}
static bool is_translated(const struct weir_entry *e)
{
	return e->nat == WEIR_NAT_ADDRESS && !(e->flags & WEIR_NAT_RANDOM);
}
static bool is_translated_at_random(const struct weir_entry *e)
{
	return e->nat == WEIR_NAT_ADDRESS && e->flags & WEIR_NAT_RANDOM;
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
	{ "segments", NO_FAMILY, WEIR_ENTRY_NETWORK, is_open, KEY(WEIR_NFT_IFNAME, WEIR_NFT_IFNAME),
	  .flag = WEIR_NFT_OPEN },
	{ "isolated", NO_FAMILY, WEIR_ENTRY_NETWORK, is_isolated, KEY(WEIR_NFT_IFNAME, WEIR_NFT_IFNAME),
	  .flag = WEIR_ISOLATED },
	{ "filtered", NO_FAMILY, WEIR_ENTRY_NETWORK, is_filtered, KEY(WEIR_NFT_IFNAME, WEIR_NFT_IFNAME),
	  .flag = WEIR_FILTERED },
	{ "egress_deny", NO_FAMILY, WEIR_ENTRY_NETWORK, is_egress_deny, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_EGRESS_DENY },
	{ "ingress_deny", NO_FAMILY, WEIR_ENTRY_NETWORK, is_ingress_deny, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_INGRESS_DENY },
	{ "ingress_allow", NO_FAMILY, WEIR_ENTRY_NETWORK, is_ingress_allow, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_INGRESS_ALLOW },
	{ "internal", NO_FAMILY, WEIR_ENTRY_NETWORK, is_closed, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_CLOSED },
	{ "host_deny", NO_FAMILY, WEIR_ENTRY_NETWORK, is_host_deny, KEY(WEIR_NFT_IFNAME),
	  .flag = WEIR_HOST_DENY },
	{ "trusted", NO_FAMILY, WEIR_ENTRY_TRUSTED, is_whole, KEY(WEIR_NFT_FROM, WEIR_NFT_IFNAME),
	  COMMENT(OWNER) },
	{ "guard_families", NO_FAMILY, WEIR_ENTRY_GUARD, NULL, KEY(WEIR_NFT_NFPROTO), COMMENT(OWNER) },
	BOTH("masquerade", WEIR_ENTRY_SUBNET, is_masqueraded, KEY(WEIR_NFT_PREFIX), COMMENT(IFNAME_OWNER)),
	BOTH("snat", WEIR_ENTRY_SUBNET, is_translated, KEY(WEIR_NFT_PREFIX), DATA(WEIR_NFT_TO),
	     COMMENT(IFNAME_OWNER)),
	BOTH("masquerade_random", WEIR_ENTRY_SUBNET, is_masqueraded_at_random, KEY(WEIR_NFT_PREFIX),
	     COMMENT(IFNAME_OWNER), .flags = WEIR_NAT_RANDOM),
	BOTH("snat_random", WEIR_ENTRY_SUBNET, is_translated_at_random, KEY(WEIR_NFT_PREFIX), DATA(WEIR_NFT_TO),
	     COMMENT(IFNAME_OWNER), .flags = WEIR_NAT_RANDOM),
	BOTH("routed", WEIR_ENTRY_SUBNET, is_routed, KEY(WEIR_NFT_PREFIX), COMMENT(IFNAME_OWNER)),
	BOTH("gateways", WEIR_ENTRY_GATEWAY, NULL, KEY(WEIR_NFT_ADDR), COMMENT(IFNAME_OWNER)),
	BOTH("trusted_to", WEIR_ENTRY_TRUSTED, is_by_subnet, KEY(WEIR_NFT_FROM, WEIR_NFT_BLOCK),
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

bool weir_nft_set_holds(const struct weir_nft_set *set, const struct weir_entry *entry)
{
	if (entry->kind != set->kind || (set->family && entry->family != set->family))
		return false;
	if (set->kind >= WEIR_ENTRY_MEMBER && entry->flags != set->flags)
		return false;
	if (set->kind == WEIR_ENTRY_PAIR && entry->class != set->class)
		return false;
	return !set->holds || set->holds(entry);
}

static bool has_field(const uint8_t *fields, enum weir_nft_field field)
{
	for (; *fields; fields++)
		if (*fields == field)
			return true;
	return false;
}

bool weir_nft_set_is_verdict(const struct weir_nft_set *set)
{
	return set->data[0] == WEIR_NFT_CLASS || set->data[0] == WEIR_NFT_LIST;
}

bool weir_nft_set_is_map(const struct weir_nft_set *set)
{
	return set->data[0] != WEIR_NFT_END;
}

/* Is a part of the key an interval, which ends in the same element? */
static bool has_end(const struct weir_nft_set *set)
{
	return has_field(set->key, WEIR_NFT_PORTS) || has_field(set->key, WEIR_NFT_BLOCK);
}

bool weir_nft_set_is_interval(const struct weir_nft_set *set)
{
	return has_field(set->key, WEIR_NFT_PREFIX) || has_end(set);
}

static const struct type *type_of(const struct weir_nft_set *set, enum weir_nft_field field)
{
	return field_types[field][set->family == WEIR_IPV6];
}

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

uint32_t weir_nft_fields_type(const struct weir_nft_set *set, const uint8_t *fields)
{
	uint32_t type = 0;
	if (fields == set->data && weir_nft_set_is_verdict(set))
		return NFT_DATA_VERDICT;
	for (; *fields; fields++)
		type = type << 6 | type_of(set, *fields)->number;
	return type;
}

size_t weir_nft_field_len(const struct weir_nft_set *set, enum weir_nft_field field)
{
	return type_of(set, field)->len;
}

size_t weir_nft_fields_len(const struct weir_nft_set *set, const uint8_t *fields)
{
	if (!fields[0])
		return 0;
	if (!fields[1])
		return type_of(set, fields[0])->len; /* alone, a field is not padded */
	size_t len = 0;
	for (; *fields; fields++)
		len += padded(type_of(set, *fields)->len);
	return len;
}

uint32_t weir_nft_fields_byteorder(const struct weir_nft_set *set, const uint8_t *fields)
{
	return fields[0] && !fields[1] ? type_of(set, fields[0])->byteorder : 0;
}

const char *weir_nft_fields_type_text(const struct weir_nft_set *set, const uint8_t *fields,
				      char *buf, size_t size)
{
	size_t used = 0;
	buf[0] = '\0';
	for (const uint8_t *field = fields; *field && used < size; field++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s",
					 field == fields ? "" : " . ", type_of(set, *field)->name);
	return buf;
}

size_t weir_nft_set_count(const struct weir_nft_set *set, const struct weir_entry *entry)
{
	return has_field(set->key, WEIR_NFT_PORT) ? entry->ports.hi - entry->ports.lo + 1U : 1;
}

static const uint8_t protocols[WEIR_NUM_PROTOS] = {
	[WEIR_TCP] = IPPROTO_TCP, [WEIR_UDP] = IPPROTO_UDP, [WEIR_SCTP] = IPPROTO_SCTP
};

static void pack_port(uint8_t *at, size_t port)
{
	at[0] = (uint8_t)(port >> 8);
	at[1] = (uint8_t)port;
}

static void pack_field(const struct weir_nft_set *set, enum weir_nft_field field,
		       const struct weir_entry *e, size_t i, uint8_t *at)
{
	size_t len = type_of(set, field)->len;
	switch (field) {
	case WEIR_NFT_IFNAME:
		memcpy(at, e->ifname, len);
		break;
	case WEIR_NFT_FROM:
		memcpy(at, e->from_ifname, len);
		break;
	case WEIR_NFT_ADDR:
	case WEIR_NFT_PREFIX:
	case WEIR_NFT_BLOCK:
		memcpy(at, e->addr.bytes, len);
		break;
	case WEIR_NFT_TO:
	case WEIR_NFT_TO_BLOCK:
		memcpy(at, e->to.bytes, len);
		break;
	case WEIR_NFT_PROTO:
		at[0] = protocols[e->proto];
		break;
	case WEIR_NFT_PORT:
	case WEIR_NFT_PORTS:
		pack_port(at, e->ports.lo + i);
		break;
	case WEIR_NFT_TO_PORT:
		pack_port(at, e->to_port + i);
		break;
	case WEIR_NFT_NFPROTO:
		at[0] = e->family == WEIR_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
		break;
	case WEIR_NFT_CLASS: /* a verdict is no value: weir_nft_set_pack */
	case WEIR_NFT_LIST:
		break;
	default:
		assert(!"a field that entries do not have");
	}
}

static size_t pack_fields(const struct weir_nft_set *set, const uint8_t *fields,
			  const struct weir_entry *e, size_t i, uint8_t *at)
{
	size_t used = 0;
	for (const uint8_t *field = fields; *field; field++) {
		pack_field(set, *field, e, i, at + used);
		used += padded(type_of(set, *field)->len);
	}
	return weir_nft_fields_len(set, fields);
}

static void pack_last(const struct weir_addr *base, uint8_t prefix_len, size_t len, uint8_t *at)
{
	struct weir_prefix prefix = { *base, prefix_len };
	struct weir_addr last = weir_prefix_last(&prefix);
	memcpy(at, last.bytes, len);
}

/* The other end of a key whose parts may be intervals. */
static void pack_end(const struct weir_nft_set *set, const struct weir_entry *e, uint8_t *at)
{
	for (const uint8_t *field = set->key; *field; field++) {
		size_t len = type_of(set, *field)->len;
		if (*field == WEIR_NFT_PORTS)
			pack_port(at, e->ports.hi);
		else if (*field == WEIR_NFT_BLOCK)
			pack_last(&e->addr, e->prefix_len, len, at);
		else if (*field == WEIR_NFT_TO_BLOCK)
			pack_last(&e->to, e->to_len, len, at);
		at += padded(len);
	}
}

void weir_nft_set_pack(const struct weir_nft_set *set, const struct weir_entry *entry, size_t i,
		       struct weir_nft_element *ret)
{
	memset(ret, 0, offsetof(struct weir_nft_element, comment) + 1);
	ret->key_len = pack_fields(set, set->key, entry, i, ret->key);
	ret->data_len = pack_fields(set, set->data, entry, i, ret->data);
	if (set->data[0] == WEIR_NFT_CLASS)
		(void)weir_nft_class_chain(entry->class, ret->chain);
	else if (set->data[0] == WEIR_NFT_LIST)
		(void)weir_nft_list_chain(entry->list, ret->chain);
	if (has_end(set)) {
		memcpy(ret->key_end, ret->key, ret->key_len);
		ret->key_end_len = ret->key_len;
		pack_end(set, entry, ret->key_end);
	}
	const char *owner = entry->owner ? entry->owner : "";
	if (set->comment == WEIR_NFT_OWNER)
		(void)snprintf(ret->comment, sizeof(ret->comment), "%s", owner);
	else if (set->comment == WEIR_NFT_IFNAME_OWNER)
		(void)snprintf(ret->comment, sizeof(ret->comment), "%s %s", entry->ifname, owner);
	else if (set->comment == WEIR_NFT_FROM_OWNER)
		(void)snprintf(ret->comment, sizeof(ret->comment), "%s%s%s", entry->from_ifname,
			       entry->from_ifname[0] ? " " : "", owner);
}

bool weir_nft_set_pack_end(const struct weir_nft_set *set, const struct weir_entry *entry,
			   struct weir_nft_element *ret)
{
	assert(has_field(set->key, WEIR_NFT_PREFIX));
	struct weir_prefix prefix = { entry->addr, entry->prefix_len };
	struct weir_addr last = weir_prefix_last(&prefix), behind;
	if (!weir_addr_add(&last, 1, &behind))
		return false;
	memset(ret, 0, offsetof(struct weir_nft_element, comment) + 1);
	ret->key_len = weir_nft_fields_len(set, set->key);
	memcpy(ret->key, behind.bytes, ret->key_len);
	ret->interval_end = true;
	return true;
}

/* Addresses from `lo` up to `last` as a prefix length; -1: they are none. */
static int prefix_len_of(const uint8_t *lo, const uint8_t *last, size_t len)
{
	int bits = 0, total = (int)len * 8;
	while (bits < total && !((lo[bits / 8] ^ last[bits / 8]) & 0x80 >> bits % 8))
		bits++;
	for (int i = bits; i < total; i++)
		if (lo[i / 8] & 0x80 >> i % 8 || !(last[i / 8] & 0x80 >> i % 8))
			return -1;
	return bits;
}

/* The same up to but not including `behind` (NULL: to the last of all). */
static int prefix_len_before(const uint8_t *lo, const uint8_t *behind, size_t len)
{
	uint8_t last[16];
	memset(last, 0xff, sizeof(last));
	if (behind)
		memcpy(last, behind, len);
	for (size_t i = len; behind && i-- > 0 && last[i]-- == 0;)
		continue;
	return prefix_len_of(lo, last, len);
}

static uint16_t unpack_port(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool unpack_ifname(const uint8_t *at, char ret[WEIR_IFNAME_SIZE])
{
	memcpy(ret, at, WEIR_IFNAME_SIZE);
	return ret[0] && !ret[WEIR_IFNAME_SIZE - 1];
}

static bool unpack_proto(uint8_t protocol, uint8_t *ret)
{
	for (uint8_t i = WEIR_TCP; i < WEIR_NUM_PROTOS; i++) {
		if (protocols[i] != protocol)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

static bool unpack_addr(const struct weir_nft_set *set, const uint8_t *at, struct weir_addr *ret)
{
	*ret = (struct weir_addr){ .family = (uint8_t)set->family };
	memcpy(ret->bytes, at, set->family == WEIR_IPV6 ? 16 : 4);
	return true;
}

static bool unpack_nfproto(uint8_t nfproto, enum weir_family *ret)
{
	*ret = nfproto == NFPROTO_IPV4	 ? WEIR_IPV4
	       : nfproto == NFPROTO_IPV6 ? WEIR_IPV6
					 : WEIR_NO_FAMILY;
	return *ret != WEIR_NO_FAMILY;
}

/* `end` is where the same field stands in the key behind (PREFIX) or at the end (PORTS) of an interval. */
static bool unpack_field(const struct weir_nft_set *set, enum weir_nft_field field,
			 const uint8_t *at, const uint8_t *end, struct weir_entry *e)
{
	int bits;
	switch (field) {
	case WEIR_NFT_IFNAME:
		return unpack_ifname(at, e->ifname);
	case WEIR_NFT_FROM:
		return unpack_ifname(at, e->from_ifname);
	case WEIR_NFT_ADDR:
		return unpack_addr(set, at, &e->addr);
	case WEIR_NFT_PREFIX:
		bits = prefix_len_before(at, end, type_of(set, field)->len);
		e->prefix_len = (uint8_t)bits;
		return bits >= 0 && unpack_addr(set, at, &e->addr);
	case WEIR_NFT_BLOCK:
		bits = end ? prefix_len_of(at, end, type_of(set, field)->len) : -1;
		e->prefix_len = (uint8_t)bits;
		return bits >= 0 && unpack_addr(set, at, &e->addr);
	case WEIR_NFT_TO_BLOCK:
		bits = end ? prefix_len_of(at, end, type_of(set, field)->len) : -1;
		e->to_len = (uint8_t)bits;
		return bits >= 0 && unpack_addr(set, at, &e->to);
	case WEIR_NFT_TO:
		return unpack_addr(set, at, &e->to);
	case WEIR_NFT_PROTO:
		return unpack_proto(at[0], &e->proto);
	case WEIR_NFT_PORT:
		e->ports = (struct weir_ports){ unpack_port(at), unpack_port(at) };
		return e->ports.lo != 0;
	case WEIR_NFT_PORTS:
		if (!end)
			return false;
		e->ports = (struct weir_ports){ unpack_port(at), unpack_port(end) };
		e->to_port = e->ports.lo;
		return e->ports.lo && e->ports.lo < e->ports.hi;
	case WEIR_NFT_TO_PORT:
		e->to_port = unpack_port(at);
		return e->to_port != 0;
	case WEIR_NFT_NFPROTO:
		return unpack_nfproto(at[0], &e->family);
	case WEIR_NFT_CLASS: /* a verdict is no value: unpack_verdict */
	case WEIR_NFT_LIST:
		return true;
	default:
		return false;
	}
}

static bool unpack_fields(const struct weir_nft_set *set, const uint8_t *fields, const uint8_t *at,
			  const uint8_t *end, struct weir_entry *e)
{
	size_t used = 0;
	for (; *fields; fields++) {
		if (!unpack_field(set, *fields, at + used, end ? end + used : NULL, e))
			return false;
		used += padded(type_of(set, *fields)->len);
	}
	return true;
}

/* "wb-web web" is an interface and an owner. */
static bool unpack_ifname_owner(const char *comment, struct weir_entry *e)
{
	const char *space = strchr(comment, ' ');
	size_t len = space ? (size_t)(space - comment) : 0;
	if (len == 0 || len >= sizeof(e->ifname))
		return false;
	memcpy(e->ifname, comment, len);
	e->owner = space + 1;
	return true;
}

/* "wr1a2b3-+ web", or the owner alone. */
static bool unpack_from_owner(const char *comment, struct weir_entry *e)
{
	const char *space = strstr(comment, "+ ");
	size_t len = space ? (size_t)(space + 1 - comment) : 0;
	if (len >= sizeof(e->from_ifname))
		return false;
	memcpy(e->from_ifname, comment, len);
	e->owner = space ? space + 2 : comment;
	return true;
}

static enum weir_nat nat_of(const struct weir_nft_set *set)
{
	if (weir_nft_set_is_map(set))
		return WEIR_NAT_ADDRESS;
	return set->holds == is_routed ? WEIR_NAT_NONE : WEIR_NAT_MASQUERADE;
}

static bool unpack_verdict(const struct weir_nft_set *set, const char *chain, struct weir_entry *e)
{
	if (set->data[0] == WEIR_NFT_CLASS)
		return weir_nft_class_of(chain, &e->class);
	if (set->data[0] == WEIR_NFT_LIST)
		return weir_nft_list_of(chain, &e->list);
	return !chain[0];
}

bool weir_nft_set_unpack(const struct weir_nft_set *set, const struct weir_nft_element *element,
			 const uint8_t *end, struct weir_entry *ret)
{
	struct weir_entry e = { .kind = set->kind,
				.family = set->family,
				.flags = set->flags,
				.class = set->class,
				.owner = element->comment };
	bool inner_end = has_end(set);
	if (element->key_len != weir_nft_fields_len(set, set->key) || element->interval_end ||
	    element->data_len != weir_nft_fields_len(set, set->data) ||
	    element->key_end_len != (inner_end ? element->key_len : 0))
		return false;
	if (!unpack_fields(set, set->key, element->key, inner_end ? element->key_end : end, &e) ||
	    !unpack_fields(set, set->data, element->data, NULL, &e) ||
	    !unpack_verdict(set, element->chain, &e))
		return false;
	if (set->comment == WEIR_NFT_IFNAME_OWNER && !unpack_ifname_owner(element->comment, &e))
		return false;
	if (set->comment == WEIR_NFT_FROM_OWNER && !unpack_from_owner(element->comment, &e))
		return false;
	/* what does not come out again as it went in ("a" . "b" where weir writes "a" . "a") is not ours */
	uint8_t again[WEIR_NFT_KEY_MAX] = { 0 };
	(void)pack_fields(set, set->key, &e, 0, again);
	if (memcmp(again, element->key, element->key_len) != 0)
		return false;
	if (set->kind == WEIR_ENTRY_SUBNET)
		e.nat = (uint8_t)nat_of(set);
	if ((set->kind == WEIR_ENTRY_MEMBER || set->kind == WEIR_ENTRY_PAIR) &&
	    set->key[0] == WEIR_NFT_ADDR)
		e.prefix_len = (uint8_t)weir_family_bits(set->family);
	*ret = e;
	return true;
}
