// SPDX-License-Identifier: GPL-2.0-or-later
/* The elements of `table inet weir`, read back into entries. */
#include "backends/nftables/read.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "backends/nftables/element.h"
#include "backends/nftables/frame.h"

/* How it works
 * Each set is dumped once. An element is an entry, with three exceptions:
 * - sets of prefixes hold both ends of an interval as elements of their own, in any order: they are
 *   kept aside and paired when the set is complete;
 * - sets beside `networks` are flags of the entries that came from there;
 * - a range whose ports are shifted, or which is strict, has one element for each: neighbours with one owner are one
 *   entry again. */

void weir_nft_items_free(struct weir_nft_items *items)
{
	weir_arena_free(&items->arena);
	free(items->items);
	*items = (struct weir_nft_items){ 0 };
}

struct reading {
	struct weir_nft_items *to;
	struct weir_err *err;
	int status; /* 0 or -ESTALE; only the first oddity is told */
	const struct weir_nft_set *set;
	struct weir_nft_element *ends; /* of a set of prefixes: starts and ends */
	size_t n_ends, ends_room;
};

static void oddity(struct reading *reading, const char *what)
{
	if (!reading->status)
		reading->status = weir_err_set(reading->err, ESTALE,
					       "set %s of table inet " WEIR_NFT_TABLE
					       " %s (weir repair)",
					       reading->set->name, what);
}

static void *grow(void *items, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return items;
	size_t more = *room ? *room * 2 : 64;
	void *grown = realloc(items, more * size);
	if (grown)
		*room = more;
	return grown;
}

int weir_nft_items_add(struct weir_nft_items *items, const struct weir_entry *entry,
		       uint64_t packets, uint64_t bytes)
{
	struct weir_nft_item *grown = grow(items->items, items->n, &items->room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	items->items = grown;
	grown[items->n] = (struct weir_nft_item){ *entry, packets, bytes };
	grown[items->n].entry.owner = weir_arena_strdup(&items->arena, entry->owner);
	return grown[items->n++].entry.owner ? 0 : -ENOMEM;
}

static void add_flag(struct reading *reading, const struct weir_entry *entry)
{
	for (size_t i = 0; i < reading->to->n; i++) {
		struct weir_entry *network = &reading->to->items[i].entry;
		if (network->kind != WEIR_ENTRY_NETWORK ||
		    strcmp(network->ifname, entry->ifname) != 0)
			continue;
		network->flags |= reading->set->flag;
		return;
	}
	oddity(reading, "names an interface that is not in networks");
}

static int keep_end(struct reading *reading, const struct weir_nft_element *element)
{
	struct weir_nft_element *ends =
		grow(reading->ends, reading->n_ends, &reading->ends_room, sizeof(*ends));
	if (!ends)
		return -ENOMEM;
	reading->ends = ends;
	ends[reading->n_ends++] = *element;
	return 0;
}

static int take_element(struct reading *reading, const struct weir_nft_element *element,
			const uint8_t *end)
{
	struct weir_entry entry;
	if (!weir_nft_set_unpack(reading->set, element, end, &entry)) {
		oddity(reading, "holds an element that weir did not write");
		return 0;
	}
	if (!reading->set->flag)
		return weir_nft_items_add(reading->to, &entry, element->packets, element->bytes);
	add_flag(reading, &entry);
	return 0;
}

static int take_elements(const struct nlmsghdr *answer, void *ctx)
{
	struct reading *reading = ctx;
	struct weir_nft_element element;
	const struct nlattr *list, *attr;
	bool paired = reading->set->key[0] == WEIR_NFT_PREFIX;
	mnl_attr_for_each(list, answer, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(attr, list)
		{
			if (!weir_nft_element_parse(attr, &element)) {
				oddity(reading, "holds an element that weir did not write");
				continue;
			}
			int r = paired ? keep_end(reading, &element)
				       : take_element(reading, &element, NULL);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* By key; at one address the end of an interval is before the start of the next. */
static int compare_ends(const void *a_ptr, const void *b_ptr)
{
	const struct weir_nft_element *a = a_ptr, *b = b_ptr;
	int order = memcmp(a->key, b->key, sizeof(a->key));
	return order ? order : (int)b->interval_end - (int)a->interval_end;
}

static int pair_ends(struct reading *reading)
{
	if (reading->n_ends)
		qsort(reading->ends, reading->n_ends, sizeof(reading->ends[0]), compare_ends);
	for (size_t i = 0; i < reading->n_ends; i++) {
		const struct weir_nft_element *start = &reading->ends[i], *end = start + 1;
		if (start->interval_end)
			continue; /* nft begins such a set with an end at address zero */
		bool open = i + 1 == reading->n_ends; /* to the end of all addresses */
		if (!open && !end->interval_end) {
			oddity(reading, "holds an interval without an end");
			continue;
		}
		int r = take_element(reading, start, open ? NULL : end->key);
		if (r < 0)
			return r;
	}
	reading->n_ends = 0;
	return 0;
}

static int read_set(struct weir_nft_wire *wire, struct reading *reading)
{
	char buf[WEIR_NFT_REQUEST_SIZE] = { 0 };
	struct nlmsghdr *request = weir_nft_request(wire, buf, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, WEIR_NFT_TABLE);
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, reading->set->name);
	int r = weir_nft_ask(wire, request, take_elements, reading);
	if (r == 0)
		r = pair_ends(reading);
	return r == -ENOENT ? 0 : r; /* the frame's check tells of a set that is missing */
}

/* A network is isolated, filtered or open, and the sets must agree about it. */
static void check_flags(struct reading *reading)
{
	reading->set = weir_nft_set_find("networks");
	for (size_t i = 0; i < reading->to->n; i++) {
		struct weir_entry *entry = &reading->to->items[i].entry;
		if (entry->kind != WEIR_ENTRY_NETWORK)
			continue;
		bool open = entry->flags & WEIR_NFT_OPEN, none = entry->from_ifname[0];
		if (none ? open : !(entry->flags & (WEIR_ISOLATED | WEIR_FILTERED)) == !open)
			oddity(reading, "disagrees with segments, isolated and filtered");
		entry->flags &= (uint8_t)~WEIR_NFT_OPEN;
	}
}

static int compare_items(const void *a, const void *b)
{
	return weir_entry_key_cmp(&((const struct weir_nft_item *)a)->entry,
				  &((const struct weir_nft_item *)b)->entry);
}

/* A hash table that is growing is walked from the beginning again: what a dump then says twice is no more
 * than a sign that it has left out something else. No set holds an element twice; lists may have a line so. */
static bool has_twins(const struct weir_nft_items *items)
{
	for (size_t i = 1; i < items->n; i++) {
		const struct weir_entry *a = &items->items[i - 1].entry;
		const struct weir_entry *b = &items->items[i].entry;
		if (b->kind != WEIR_ENTRY_CLASS && b->kind != WEIR_ENTRY_CELL &&
		    weir_entry_equal(a, b) && strcmp(a->owner, b->owner) == 0)
			return true;
	}
	return false;
}

/* True if b is the next port of the same shifted or strict range. */
static bool continues(const struct weir_entry *a, const struct weir_entry *b)
{
	bool strict = a->kind == WEIR_ENTRY_STRICT;
	return (strict || a->kind == WEIR_ENTRY_MAPPING) && b->kind == a->kind &&
	       a->family == b->family && a->proto == b->proto &&
	       (strict || a->to_port != a->ports.lo) && b->ports.lo == a->ports.hi + 1 &&
	       (strict || b->to_port - b->ports.lo == a->to_port - a->ports.lo) &&
	       weir_addr_cmp(&a->addr, &b->addr) == 0 && weir_addr_cmp(&a->to, &b->to) == 0 &&
	       !strcmp(a->owner, b->owner);
}

static void join_ranges(struct weir_nft_items *items)
{
	size_t n = 0;
	for (size_t i = 0; i < items->n; i++) {
		struct weir_nft_item *item = &items->items[i],
				     *last = n ? &items->items[n - 1] : NULL;
		if (!last || !continues(&last->entry, &item->entry)) {
			items->items[n++] = *item;
			continue;
		}
		last->entry.ports.hi = item->entry.ports.hi;
		last->packets += item->packets;
		last->bytes += item->bytes;
	}
	items->n = n;
}

static int read_class(struct weir_nft_wire *wire, struct reading *reading, uint64_t class)
{
	struct weir_nft_set set;
	char name[WEIR_NFT_CHAIN_MAX];
	int r = 0;
	for (size_t i = 0; i < WEIR_NFT_CLASS_SETS && r == 0; i++) {
		weir_nft_class_set(i, class, name, &set);
		reading->set = &set;
		r = read_set(wire, reading);
	}
	reading->set = weir_nft_set_find("networks"); /* the others end with this call */
	return r;
}

int weir_nft_read_items(struct weir_nft_wire *wire, struct weir_nft_items *ret,
			struct weir_err *err)
{
	struct reading reading = { .to = ret, .err = err };
	size_t known = ret->n;
	int r = 0;
	for (size_t i = 0; i < weir_nft_n_sets && r == 0; i++) {
		reading.set = &weir_nft_sets[i];
		r = read_set(wire, &reading);
	}
	for (size_t i = 0; i < known && r == 0; i++)
		if (ret->items[i].entry.kind == WEIR_ENTRY_CLASS)
			r = read_class(wire, &reading, ret->items[i].entry.class);
	free(reading.ends);
	if (r == -EINTR)
		return r;
	if (r < 0)
		return weir_err_errno(err, r, "listing set %s of table inet " WEIR_NFT_TABLE,
				      reading.set->name);
	check_flags(&reading);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(ret->items[0]), compare_items);
	if (has_twins(ret))
		return -EINTR;
	join_ranges(ret);
	return reading.status;
}
