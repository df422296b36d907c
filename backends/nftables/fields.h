/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The types of keys and data, as nft and the kernel count them. */
#ifndef WEIR_BACKENDS_NFTABLES_FIELDS_H
#define WEIR_BACKENDS_NFTABLES_FIELDS_H

#include "backends/nftables/sets.h"

bool weir_nft_has_field(const uint8_t *fields, enum weir_nft_field field);
bool weir_nft_set_is_verdict(const struct weir_nft_set *set);
bool weir_nft_set_is_map(const struct weir_nft_set *set);
/* Is a part of the key an interval, which ends in the same element? */
bool weir_nft_set_has_end(const struct weir_nft_set *set);
bool weir_nft_set_is_interval(const struct weir_nft_set *set);
/* nft's numbers for the types of the key or the data, six bits each. */
uint32_t weir_nft_fields_type(const struct weir_nft_set *set, const uint8_t *fields);
/* Bytes in the kernel's registers, every field padded to four. */
size_t weir_nft_fields_len(const struct weir_nft_set *set, const uint8_t *fields);
/* Bytes of one field, not padded; and padded, as it stands among others. */
size_t weir_nft_field_len(const struct weir_nft_set *set, enum weir_nft_field field);
size_t weir_nft_padded(size_t len);
/* nft's byte order number for the listing: 0 mixed, 1 host, 2 network. */
uint32_t weir_nft_fields_byteorder(const struct weir_nft_set *set, const uint8_t *fields);
/* "ipv4_addr . inet_proto"; returns buf. */
const char *weir_nft_fields_type_text(const struct weir_nft_set *set, const uint8_t *fields,
				      char *buf, size_t size);

#endif
