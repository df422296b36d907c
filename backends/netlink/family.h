/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between weir's families and the kernel's. */
#ifndef WEIR_BACKENDS_NETLINK_FAMILY_H
#define WEIR_BACKENDS_NETLINK_FAMILY_H

#include <string.h>
#include <sys/socket.h>

#include "core/addr.h"

static inline uint8_t weir_family_to_af(uint8_t family)
{
	return family == WEIR_IPV4 ? AF_INET : family == WEIR_IPV6 ? AF_INET6 : AF_UNSPEC;
}

static inline enum weir_family weir_family_from_af(uint8_t af)
{
	return af == AF_INET ? WEIR_IPV4 : af == AF_INET6 ? WEIR_IPV6 : WEIR_NO_FAMILY;
}

/* From an attribute's bytes; none when the size is not the family's. */
static inline struct weir_addr weir_addr_from_bytes(uint8_t af, const void *bytes, int size)
{
	struct weir_addr addr = { .family = (uint8_t)weir_family_from_af(af) };

	if (!addr.family || size != (int)weir_family_bits(addr.family) / 8)
		return (struct weir_addr){ 0 };
	memcpy(addr.bytes, bytes, (size_t)size);
	return addr;
}

#endif
