// SPDX-License-Identifier: GPL-2.0-or-later
/* The types of keys and data, as nft and the kernel count them. */
#include "backends/nftables/fields.h"

#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

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

bool weir_nft_has_field(const uint8_t *fields, enum weir_nft_field field)
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

bool weir_nft_set_has_end(const struct weir_nft_set *set)
{
	return weir_nft_has_field(set->key, WEIR_NFT_PORTS) ||
	       weir_nft_has_field(set->key, WEIR_NFT_BLOCK);
}

bool weir_nft_set_is_interval(const struct weir_nft_set *set)
{
	return weir_nft_has_field(set->key, WEIR_NFT_PREFIX) || weir_nft_set_has_end(set);
}

static const struct type *type_of(const struct weir_nft_set *set, enum weir_nft_field field)
{
	return field_types[field][set->family == WEIR_IPV6];
}

size_t weir_nft_padded(size_t len)
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
		len += weir_nft_padded(type_of(set, *fields)->len);
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
