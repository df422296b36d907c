/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries as the bytes of set elements, and back. */
#ifndef WEIR_BACKENDS_NFTABLES_PACK_H
#define WEIR_BACKENDS_NFTABLES_PACK_H

#include "backends/nftables/sets.h"

enum {
	WEIR_NFT_KEY_MAX = 32,	/* ifname . ipv6_addr */
	WEIR_NFT_DATA_MAX = 20, /* ipv6_addr . inet_service */
};

/* One element as the kernel has it. */
struct weir_nft_element {
	uint8_t key[WEIR_NFT_KEY_MAX];
	uint8_t key_end[WEIR_NFT_KEY_MAX];
	uint8_t data[WEIR_NFT_DATA_MAX];
	size_t key_len, key_end_len, data_len; /* 0: absent */
	char chain[WEIR_NFT_CHAIN_MAX];	       /* jumped to, in a verdict map; or "" */
	bool interval_end; /* the first key behind an interval, not an element in its own right */
	char comment[WEIR_NFT_COMMENT_MAX];
	uint64_t packets, bytes;
};

/* How many elements of `set` the entry takes: one per port where the key has single ports. */
size_t weir_nft_set_count(const struct weir_nft_set *set, const struct weir_entry *entry);
/* The i-th of them. */
void weir_nft_set_pack(const struct weir_nft_set *set, const struct weir_entry *entry, size_t i,
		       struct weir_nft_element *ret);
/* The key behind the interval of an entry with WEIR_NFT_PREFIX; false: it ends with the family, and so has no
 * end of its own. */
bool weir_nft_set_pack_end(const struct weir_nft_set *set, const struct weir_entry *entry,
			   struct weir_nft_element *ret);
/* The way back: what the element says, `end` being the key behind its interval where the set has
 * prefixes. owner points into the element. False: not of weir's making. */
bool weir_nft_set_unpack(const struct weir_nft_set *set, const struct weir_nft_element *element,
			 const uint8_t *end, struct weir_entry *ret);

#endif
