/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and MAC addresses that weir derives. */
#include "core/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t FNV_BASIS = 14695981039346656037u, FNV_PRIME = 1099511628211u;

/* FNV-1a: short, and good enough for names that UNIQUE constraints guard. */
static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *byte = data;
	for (size_t i = 0; i < len; i++)
		h = (h ^ byte[i]) * FNV_PRIME;
	return h;
}

static uint64_t hash_words(const char *a, const char *b, unsigned salt)
{
	uint64_t h = hash(FNV_BASIS, a, strlen(a) + 1);
	h = hash(h, b, strlen(b) + 1);
	return hash(h, &salt, sizeof(salt));
}

void weir_names_bridge(const char *network, unsigned salt, char ret[WEIR_IFNAME_SIZE])
{
	memset(ret, 0, WEIR_IFNAME_SIZE);
	if (salt == 0 && strlen(network) + strlen("wb-") < WEIR_IFNAME_SIZE)
		(void)snprintf(ret, WEIR_IFNAME_SIZE, "wb-%s", network);
	else
		(void)snprintf(ret, WEIR_IFNAME_SIZE, "wb-%.5s-%06" PRIx64, network,
			       hash_words(network, "", salt) & 0xffffff);
}

void weir_names_veth(const char *endpoint, const char *network, unsigned salt,
		     char ret[WEIR_IFNAME_SIZE])
{
	memset(ret, 0, WEIR_IFNAME_SIZE);
	(void)snprintf(ret, WEIR_IFNAME_SIZE, "wv-%010" PRIx64,
		       hash_words(endpoint, network, salt) & 0xffffffffff);
}

static void mac_from(uint8_t second, uint64_t h, struct weir_mac *ret)
{
	*ret = (struct weir_mac){ { 0x02, second, (uint8_t)(h >> 24), (uint8_t)(h >> 16),
				    (uint8_t)(h >> 8), (uint8_t)h } };
}

void weir_names_bridge_mac(const char *network, struct weir_mac *ret)
{
	mac_from(0x62, hash_words(network, "bridge", 0), ret);
}

void weir_names_mac(const struct weir_addr *addr, struct weir_mac *ret)
{
	uint64_t h = 0;
	if (addr->family == WEIR_IPV4)
		for (int i = 0; i < 4; i++)
			h = h << 8 | addr->bytes[i];
	else
		h = hash(FNV_BASIS, addr->bytes, sizeof(addr->bytes));
	mac_from(addr->family == WEIR_IPV4 ? 0x77 : 0x76, h, ret);
}
