/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and MAC addresses that weir derives. */
#include "core/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/digest.h"

/* Good enough for names that UNIQUE constraints guard. */
static uint64_t hash_words(const char *a, const char *b, unsigned salt)
{
	uint64_t h = weir_digest_text(weir_digest_text(WEIR_DIGEST_START, a), b);
	return weir_digest(h, &salt, sizeof(salt));
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

/* ---- ports of routed networks ---- */

enum { PORTS_LEN = 8, PORT_LEN = WEIR_IFNAME_SIZE - 1 };

/* Five bits a character. */
static void put_letters(uint64_t h, char *to, size_t n)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuv";
	for (size_t i = 0; i < n; i++, h >>= 5)
		to[i] = letters[h & 31];
}

void weir_names_ports(const char *network, unsigned salt, char ret[WEIR_IFNAME_SIZE])
{
	memset(ret, 0, WEIR_IFNAME_SIZE);
	memcpy(ret, "wr", 2);
	put_letters(hash_words(network, "ports", salt), ret + 2, PORTS_LEN - 3);
	memcpy(ret + PORTS_LEN - 1, "-+", 2);
}

void weir_names_port(const char *ports, const char *endpoint, unsigned salt,
		     char ret[WEIR_IFNAME_SIZE])
{
	memset(ret, 0, WEIR_IFNAME_SIZE);
	memcpy(ret, ports, PORTS_LEN);
	put_letters(hash_words(endpoint, ports, salt), ret + PORTS_LEN, PORT_LEN - PORTS_LEN);
}

bool weir_names_are_ports(const char *name)
{
	return strlen(name) == PORTS_LEN + 1 && memcmp(name, "wr", 2) == 0 &&
	       strcmp(name + PORTS_LEN - 1, "-+") == 0;
}

bool weir_names_like_port(const char *name)
{
	return strlen(name) >= PORTS_LEN && memcmp(name, "wr", 2) == 0 &&
	       name[PORTS_LEN - 1] == '-';
}

/* ---- MAC addresses ---- */

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
		h = weir_digest(WEIR_DIGEST_START, addr->bytes, sizeof(addr->bytes));
	mac_from(addr->family == WEIR_IPV4 ? 0x77 : 0x76, h, ret);
}
