// SPDX-License-Identifier: GPL-2.0-or-later
/* Set elements on the wire. */
#include "backends/nftables/element.h"

#include <arpa/inet.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "backends/nftables/frame.h"

/* How it works
 * libnftnl would do, with an object and three allocations per element; thousands of elements are
 * the daily work, so they are written into the batch and read from the dump without a detour. */

static void put_value(struct nlmsghdr *to, uint16_t type, const void *value, size_t len)
{
	if (len == 0)
		return;
	struct nlattr *nest = mnl_attr_nest_start(to, type);
	mnl_attr_put(to, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(to, nest);
}

/* jump CHAIN */
static void put_verdict(struct nlmsghdr *to, const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(to, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(to, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(to, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_JUMP));
	mnl_attr_put_strz(to, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(to, verdict);
	mnl_attr_nest_end(to, data);
}

/* The comment as nft keeps it: type, length and a closing zero. */
static void put_comment(struct nlmsghdr *to, const char *comment)
{
	uint8_t userdata[2 + WEIR_NFT_COMMENT_MAX];
	size_t len = strlen(comment) + 1;
	if (len == 1)
		return;
	userdata[0] = NFTNL_UDATA_SET_ELEM_COMMENT;
	userdata[1] = (uint8_t)len;
	memcpy(userdata + 2, comment, len);
	mnl_attr_put(to, NFTA_SET_ELEM_USERDATA, 2 + len, userdata);
}

void weir_nft_element_put(struct nlmsghdr *to, const struct weir_nft_element *element,
			  bool key_only)
{
	struct nlattr *nest = mnl_attr_nest_start(to, NFTA_LIST_ELEM);
	if (element->interval_end)
		mnl_attr_put_u32(to, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	put_value(to, NFTA_SET_ELEM_KEY, element->key, element->key_len);
	put_value(to, NFTA_SET_ELEM_KEY_END, element->key_end, element->key_end_len);
	if (!key_only) {
		put_value(to, NFTA_SET_ELEM_DATA, element->data, element->data_len);
		if (element->chain[0])
			put_verdict(to, element->chain);
		put_comment(to, element->comment);
	}
	mnl_attr_nest_end(to, nest);
}

static bool take_value(const struct nlattr *nest, uint8_t *to, size_t room, size_t *len)
{
	const struct nlattr *attr;
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) != NFTA_DATA_VALUE ||
		    mnl_attr_get_payload_len(attr) > room)
			return false;
		*len = mnl_attr_get_payload_len(attr);
		memcpy(to, mnl_attr_get_payload(attr), *len);
	}
	return true;
}

/* Nothing but a jump. */
static bool take_verdict(const struct nlattr *nest, struct weir_nft_element *to)
{
	const struct nlattr *attr;
	bool jump = false;
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == NFTA_VERDICT_CODE)
			jump = mnl_attr_validate(attr, MNL_TYPE_U32) == 0 &&
			       ntohl(mnl_attr_get_u32(attr)) == (uint32_t)NFT_JUMP;
		else if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN &&
			 mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			(void)snprintf(to->chain, sizeof(to->chain), "%s", mnl_attr_get_str(attr));
	}
	return jump && to->chain[0];
}

static bool take_data(const struct nlattr *nest, struct weir_nft_element *to)
{
	const struct nlattr *attr;
	mnl_attr_for_each_nested(attr, nest) if (mnl_attr_get_type(attr) ==
						 NFTA_DATA_VERDICT) return take_verdict(attr, to);
	return take_value(nest, to->data, sizeof(to->data), &to->data_len);
}

static void take_figures(const struct nlattr *nest, struct weir_nft_element *to)
{
	const struct nlattr *attr;
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_validate(attr, MNL_TYPE_U64) < 0)
			continue;
		if (mnl_attr_get_type(attr) == NFTA_COUNTER_PACKETS)
			to->packets = be64toh(mnl_attr_get_u64(attr));
		else if (mnl_attr_get_type(attr) == NFTA_COUNTER_BYTES)
			to->bytes = be64toh(mnl_attr_get_u64(attr));
	}
}

/* Mappings are declared with a counter, so the only expression that can be there is one. */
static bool take_counter(const struct nlattr *nest, struct weir_nft_element *to)
{
	const struct nlattr *attr, *data = NULL;
	bool counter = false;
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME)
			counter = mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 &&
				  !strcmp(mnl_attr_get_str(attr), "counter");
		else if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	}
	if (counter && data)
		take_figures(data, to);
	return counter;
}

static bool take_flags(const struct nlattr *attr, struct weir_nft_element *to)
{
	if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return false;
	uint32_t flags = ntohl(mnl_attr_get_u32(attr));
	to->interval_end = flags & NFT_SET_ELEM_INTERVAL_END;
	return !(flags & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END);
}

static bool take_attr(const struct nlattr *attr, struct weir_nft_element *to)
{
	switch (mnl_attr_get_type(attr)) {
	case NFTA_SET_ELEM_KEY:
		return take_value(attr, to->key, sizeof(to->key), &to->key_len);
	case NFTA_SET_ELEM_KEY_END:
		return take_value(attr, to->key_end, sizeof(to->key_end), &to->key_end_len);
	case NFTA_SET_ELEM_DATA:
		return take_data(attr, to);
	case NFTA_SET_ELEM_FLAGS:
		return take_flags(attr, to);
	case NFTA_SET_ELEM_USERDATA:
		(void)weir_nft_comment_read(mnl_attr_get_payload(attr),
					    mnl_attr_get_payload_len(attr), to->comment,
					    sizeof(to->comment));
		return true;
	case NFTA_SET_ELEM_EXPR:
		return take_counter(attr, to);
	case NFTA_SET_ELEM_PAD:
		return true;
	default:
		return false; /* a timeout, an object: nothing of weir's */
	}
}

bool weir_nft_element_parse(const struct nlattr *attr, struct weir_nft_element *ret)
{
	const struct nlattr *part;
	memset(ret, 0, offsetof(struct weir_nft_element, comment) + 1);
	ret->packets = ret->bytes = 0;
	mnl_attr_for_each_nested(part, attr) if (!take_attr(part, ret)) return false;
	return ret->key_len > 0;
}
