/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FNV-1a, 64 bits: names for what has none. The same on every host and in every run. */
#ifndef WEIR_CORE_DIGEST_H
#define WEIR_CORE_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WEIR_DIGEST_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t weir_digest(uint64_t digest, const void *data, size_t len)
{
	const uint8_t *at = data;
	for (size_t i = 0; i < len; i++)
		digest = (digest ^ at[i]) * UINT64_C(0x100000001b3);
	return digest;
}

/* With its closing zero, so that "a" "bc" and "ab" "c" differ. */
static inline uint64_t weir_digest_text(uint64_t digest, const char *text)
{
	return weir_digest(digest, text, strlen(text) + 1);
}

/* As two bytes, whatever the host's order. */
static inline uint64_t weir_digest_number(uint64_t digest, uint16_t number)
{
	const uint8_t bytes[] = { (uint8_t)(number >> 8), (uint8_t)number };
	return weir_digest(digest, bytes, sizeof(bytes));
}

#endif
