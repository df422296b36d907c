/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address management: which address next. Cost does not depend on the size of the pool.
 *
 * How it works: each subnet keeps a cursor, the lowest address never handed out. Fresh addresses come
 * from there, stepping over what is excluded or taken by request; once the cursor is at the end, freed
 * addresses come back, the longest-freed first. Freed addresses are thereby reused last. */
#ifndef WEIR_CORE_IPAM_H
#define WEIR_CORE_IPAM_H

#include "core/store.h"

/* The next free address of the network's subnets of `family`, the first one that has any. Advances the
 * cursor, inside the caller's transaction; the address is taken once weir_store_put_endpoint() has it.
 * The network must be in the store, as it is in `net`.
 * Never the network address, the broadcast address (IPv4 prefixes shorter than /31), the
 * subnet-router anycast address (IPv6, RFC 4291 2.6.1), a gateway, or an excluded range.
 * -ENOSPC: the pool is exhausted, with its size and what to do. -EINVAL: no subnet of the family. */
int weir_ipam_choose(struct weir_store *store, const struct weir_network *net,
		     enum weir_family family, struct weir_addr *ret, struct weir_err *err);

/* May a user have this address in this network? -EINVAL: not in a subnet, the gateway's, the network or
 * broadcast address; -EEXIST: taken, naming by whom. `endpoint` may hold it itself. */
int weir_ipam_check(struct weir_store *store, const struct weir_network *net, const char *endpoint,
		    const struct weir_addr *addr, const struct weir_place *at,
		    struct weir_err *err);

/* The next free subnet of `family` out of the pools (none given: the store's, else the built-in
 * 10.144.0.0/12 in /24s, and for IPv6 an RFC 4193 /48 derived from the store's UUID in /64s).
 * Skips what overlaps networks in the store or any of `avoid` (host routes, without default routes).
 * -ENOSPC: none left, or none of the family is declared while others are. */
int weir_ipam_choose_subnet(struct weir_store *store, const struct weir_pool *pools, size_t n_pools,
			    enum weir_family family, const struct weir_prefix *avoid,
			    size_t n_avoid, struct weir_prefix *ret, struct weir_err *err);

#endif
