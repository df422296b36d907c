/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Set elements on the wire. */
#ifndef WEIR_BACKENDS_NFTABLES_ELEMENT_H
#define WEIR_BACKENDS_NFTABLES_ELEMENT_H

#include <libmnl/libmnl.h>

#include "backends/nftables/pack.h"

/* More than any element takes: two keys, data or a chain, a comment, and a dozen attribute heads. */
enum { WEIR_NFT_ELEMENT_WIRE_MAX = 384 };

/* Appends an NFTA_LIST_ELEM to a message with WEIR_NFT_ELEMENT_WIRE_MAX bytes of room; without data
 * and comment when `key_only` (to delete). */
void weir_nft_element_put(struct nlmsghdr *to, const struct weir_nft_element *element,
			  bool key_only);

/* Reads one NFTA_LIST_ELEM; false: of a form that weir never writes. */
bool weir_nft_element_parse(const struct nlattr *attr, struct weir_nft_element *ret);

#endif
