// SPDX-License-Identifier: GPL-2.0-or-later
/* Entries as the bytes of set elements, and back. */
#include "backends/nftables/pack.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#include "backends/nftables/fields.h"

size_t weir_nft_set_count(const struct weir_nft_set *set, const struct weir_entry *entry)
{
	return weir_nft_has_field(set->key, WEIR_NFT_PORT) ? entry->ports.hi - entry->ports.lo + 1U
							   : 1;
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
	size_t len = weir_nft_field_len(set, field);
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
		used += weir_nft_padded(weir_nft_field_len(set, *field));
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
		size_t len = weir_nft_field_len(set, *field);
		if (*field == WEIR_NFT_PORTS)
			pack_port(at, e->ports.hi);
		else if (*field == WEIR_NFT_BLOCK)
			pack_last(&e->addr, e->prefix_len, len, at);
		else if (*field == WEIR_NFT_TO_BLOCK)
			pack_last(&e->to, e->to_len, len, at);
		at += weir_nft_padded(len);
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
	if (weir_nft_set_has_end(set)) {
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
	assert(weir_nft_has_field(set->key, WEIR_NFT_PREFIX));
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
	for (enum weir_proto i = WEIR_TCP; i < WEIR_NUM_PROTOS; i++) {
		if (protocols[i] != protocol)
			continue;
		*ret = (uint8_t)i;
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
		bits = prefix_len_before(at, end, weir_nft_field_len(set, field));
		e->prefix_len = (uint8_t)bits;
		return bits >= 0 && unpack_addr(set, at, &e->addr);
	case WEIR_NFT_BLOCK:
		bits = end ? prefix_len_of(at, end, weir_nft_field_len(set, field)) : -1;
		e->prefix_len = (uint8_t)bits;
		return bits >= 0 && unpack_addr(set, at, &e->addr);
	case WEIR_NFT_TO_BLOCK:
		bits = end ? prefix_len_of(at, end, weir_nft_field_len(set, field)) : -1;
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
		used += weir_nft_padded(weir_nft_field_len(set, *fields));
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
				.nat = set->nat,
				.class = set->class,
				.owner = element->comment };
	bool inner_end = weir_nft_set_has_end(set);
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
	if ((set->kind == WEIR_ENTRY_MEMBER || set->kind == WEIR_ENTRY_PAIR) &&
	    set->key[0] == WEIR_NFT_ADDR)
		e.prefix_len = (uint8_t)weir_family_bits(set->family);
	*ret = e;
	return true;
}
