/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of matches of connections. */
#include "backends/flowset.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* How it works
 * A change may ask for ten thousand ports, and a host may have a hundred thousand connections. Matches that
 * look at the same bits of a connection are of one *shape*, and there are few shapes in any change:
 * a connection cut down to a shape is looked up among the matches of that shape.
 *
 * Invariants: items are in the order of compare_items(), bits that they do not look at are zero, and those
 * that differ in ports only are apart: at most one can have a given port, the last to begin at or
 * before it. */

static uint64_t shape_of(const struct weir_flow_match *m)
{
	uint64_t shape = (uint64_t)m->family;
	shape = shape << 2 | m->src.addr.family;
	shape = shape << 8 | m->src.len;
	shape = shape << 2 | m->dst.family;
	shape = shape << 2 | m->reply_src.addr.family;
	shape = shape << 8 | m->reply_src.len;
	shape = shape << 2 | (uint64_t)m->proto;
	shape = shape << 1 | m->untranslated;
	return shape << 1 | m->published;
}

static_assert(WEIR_NUM_FAMILIES <= 4 && WEIR_NUM_PROTOS <= 4, "each has two bits of a shape");

static int compare_shapes(const struct weir_flow_match *a, const struct weir_flow_match *b)
{
	uint64_t x = shape_of(a), y = shape_of(b);
	return (x > y) - (x < y);
}

/* In all but their ports. */
static int compare_hosts(const struct weir_flow_match *a, const struct weir_flow_match *b)
{
	int order = compare_shapes(a, b);
	if (order == 0)
		order = weir_addr_cmp(&a->dst, &b->dst);
	if (order == 0)
		order = weir_addr_cmp(&a->reply_src.addr, &b->reply_src.addr);
	return order ? order : weir_addr_cmp(&a->src.addr, &b->src.addr);
}

static int compare_items(const struct weir_flow_match *a, const struct weir_flow_match *b)
{
	int order = compare_hosts(a, b);
	return order ? order : (int)a->dst_ports.lo - (int)b->dst_ports.lo;
}

static int compare_void(const void *a, const void *b)
{
	return compare_items(a, b);
}

static struct weir_prefix cut_prefix(const struct weir_addr *addr, const struct weir_prefix *like)
{
	struct weir_prefix prefix = { *addr, like->len };
	if (!weir_addr_is_set(&like->addr))
		return (struct weir_prefix){ 0 };
	prefix.addr = weir_prefix_base(&prefix);
	return prefix;
}

/* What a match of the shape of `like` sees of this one. */
static struct weir_flow_match cut(const struct weir_flow_match *m,
				  const struct weir_flow_match *like)
{
	return (struct weir_flow_match){
		.family = like->family,
		.src = cut_prefix(&m->src.addr, &like->src),
		.dst = weir_addr_is_set(&like->dst) ? m->dst : (struct weir_addr){ 0 },
		.reply_src = cut_prefix(&m->reply_src.addr, &like->reply_src),
		.proto = like->proto,
		.dst_ports = m->dst_ports,
		.untranslated = like->untranslated,
		.published = like->published,
	};
}

/* Sorted items; those that overlap or touch become one. */
static size_t unite_ports(struct weir_flow_match *items, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		struct weir_flow_match *last = kept ? &items[kept - 1] : NULL;
		if (!last || compare_hosts(last, &items[i]) != 0 ||
		    items[i].dst_ports.lo > last->dst_ports.hi + 1)
			items[kept++] = items[i];
		else if (items[i].dst_ports.hi > last->dst_ports.hi)
			last->dst_ports.hi = items[i].dst_ports.hi;
	}
	return kept;
}

int weir_flowset_make(const struct weir_flow_match *matches, size_t n, struct weir_flowset *ret,
		      struct weir_err *err)
{
	struct weir_flow_match *items = calloc(n + 1, sizeof(*items));
	if (!items)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		items[i] = cut(&matches[i], &matches[i]);
		if (!items[i].dst_ports.lo)
			items[i].dst_ports = (struct weir_ports){ 0, UINT16_MAX };
	}
	qsort(items, n, sizeof(*items), compare_void);
	*ret = (struct weir_flowset){ items, unite_ports(items, n) };
	return 0;
}

void weir_flowset_free(struct weir_flowset *set)
{
	free(set->items);
}

/* The first item from `at` on that comes after the key. */
static size_t find_after(const struct weir_flowset *set, size_t at,
			 const struct weir_flow_match *key,
			 int (*compare)(const struct weir_flow_match *,
					const struct weir_flow_match *))
{
	size_t end = set->n;
	while (at < end) {
		size_t middle = at + (end - at) / 2;
		if (compare(&set->items[middle], key) > 0)
			end = middle;
		else
			at = middle + 1;
	}
	return at;
}

/* Those of the shape begin at `first`. */
static bool shape_matches(const struct weir_flowset *set, size_t first,
			  const struct weir_flow_match *conn)
{
	const struct weir_flow_match *like = &set->items[first];
	if (like->family != conn->family || (like->proto && like->proto != conn->proto) ||
	    (like->untranslated && !conn->untranslated) ||
	    (like->published && weir_addr_cmp(&conn->dst, &conn->reply_src.addr) == 0))
		return false;
	struct weir_flow_match key = cut(conn, like);
	size_t after = find_after(set, first, &key, compare_items);
	const struct weir_flow_match *last = after > first ? &set->items[after - 1] : NULL;
	return last && compare_hosts(last, &key) == 0 && key.dst_ports.lo <= last->dst_ports.hi;
}

bool weir_flowset_matches(const struct weir_flowset *set, const struct weir_flow_match *conn)
{
	for (size_t i = 0; i < set->n; i = find_after(set, i, &set->items[i], compare_shapes))
		if (shape_matches(set, i, conn))
			return true;
	return false;
}
