/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address management: subnets out of pools. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/ipam.h"
#include "core/store_db.h"

/* The built-in pool. IPv4: a part of 10/8 that few use. IPv6: an RFC 4193 prefix whose random part is
 * the beginning of the store's UUID, so that two hosts differ. */
static int builtin_pool(struct weir_store *store, enum weir_family family, struct weir_pool *ret,
			struct weir_err *err)
{
	if (family == WEIR_IPV4) {
		*ret = (struct weir_pool){ .prefix = { { WEIR_IPV4, { 10, 144 } }, 12 },
					   .size = 24 };
		return 0;
	}
	struct weir_store_meta meta;
	int r = weir_store_meta(store, &meta, err);
	if (r < 0)
		return r;
	unsigned high = 0, low = 0; /* 32 and 8 bits */
	if (sscanf(meta.uuid, "%8x-%2x", &high, &low) != 2)
		return weir_store_damaged(store, "its UUID", err);
	*ret = (struct weir_pool){
		.prefix = { { WEIR_IPV6,
			      { 0xfd, (uint8_t)(high >> 24), (uint8_t)(high >> 16),
				(uint8_t)(high >> 8), (uint8_t)high, (uint8_t)low } },
			    48 },
		.size = 64,
	};
	return 0;
}

/* What stands in the way of a subnet: 1 and its prefix, or 0. */
static int in_the_way(struct weir_store *store, const struct weir_prefix *subnet,
		      const struct weir_prefix *avoid, size_t n_avoid, struct weir_prefix *ret,
		      struct weir_err *err)
{
	for (size_t i = 0; i < n_avoid; i++)
		if (weir_prefix_overlaps(subnet, &avoid[i])) {
			*ret = avoid[i];
			return 1;
		}
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	const char *name;
	int r = weir_store_overlap(store, subnet, NULL, &arena, &name, ret, err);
	return r < 0 ? r : name != NULL;
}

/* The pool's first subnet that nothing is in the way of: 1, or 0 when there is none. What is in the way
 * is passed as a whole, so the work grows with the number of obstacles, not with the pool. */
static int search_pool(struct weir_store *store, const struct weir_pool *pool,
		       const struct weir_prefix *avoid, size_t n_avoid, struct weir_prefix *ret,
		       struct weir_err *err)
{
	struct weir_prefix subnet = { weir_prefix_base(&pool->prefix), pool->size };
	while (weir_prefix_contains(&pool->prefix, &subnet.addr)) {
		struct weir_prefix obstacle;
		int r = in_the_way(store, &subnet, avoid, n_avoid, &obstacle, err);
		if (r < 0)
			return r;
		if (r == 0) {
			*ret = subnet;
			return 1;
		}
		const struct weir_prefix *wider = obstacle.len < subnet.len ? &obstacle : &subnet;
		struct weir_addr last = weir_prefix_last(wider);
		if (!weir_addr_add(&last, 1,
				   &subnet.addr)) /* aligned: the wider one's end is ours, too */
			break;
	}
	return 0;
}

/* Describes where was searched, for the message that nothing was found. */
static void name_pool(char *text, size_t size, const struct weir_pool *pool)
{
	char prefix[WEIR_PREFIX_TEXT];
	size_t used = strlen(text);
	(void)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
		       weir_prefix_text(&pool->prefix, prefix));
}

int weir_ipam_choose_subnet(struct weir_store *store, const struct weir_pool *pools, size_t n_pools,
			    enum weir_family family, const struct weir_prefix *avoid,
			    size_t n_avoid, struct weir_prefix *ret, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model stored = { 0 };
	struct weir_pool builtin;
	int r = n_pools ? 0 : weir_store_pools(store, &stored, err);
	if (r == 0 && !n_pools) {
		pools = stored.pools;
		n_pools = stored.n_pools;
	}
	if (r == 0 && !n_pools) {
		r = builtin_pool(store, family, &builtin, err);
		pools = &builtin;
		n_pools = 1;
	}
	char searched[256] = "";
	for (size_t i = 0; r == 0 && i < n_pools; i++) {
		if (pools[i].prefix.addr.family != family)
			continue;
		name_pool(searched, sizeof(searched), &pools[i]);
		r = search_pool(store, &pools[i], avoid, n_avoid, ret, err);
	}
	if (r != 0)
		return r < 0 ? r : 0;
	if (!*searched)
		return weir_err_set(err, ENOSPC, "no pool of %s subnets is declared (pools)",
				    weir_family_name(family));
	return weir_err_set(
		err, ENOSPC,
		"no free %s subnet is left in %s (name one with --subnet, or declare pools)",
		weir_family_name(family), searched);
}
