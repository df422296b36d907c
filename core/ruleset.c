/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset: a sorted array of entries, and its difference from another. */
#include "core/ruleset.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"

/* ---- reasons ---- */

static const char *const drop_reasons[] = {
	[WEIR_DROP_LOOPBACK] = "loopback address from outside",
	[WEIR_DROP_DIRECT] = "direct access from outside",
	[WEIR_DROP_GATEWAY] = "gateway of another network",
	[WEIR_DROP_INVALID] = "invalid",
	[WEIR_DROP_NOT_SYN] = "not the start of a flow",
	[WEIR_DROP_ISOLATION] = "isolation",
	[WEIR_DROP_INTERNAL] = "internal network",
	[WEIR_DROP_SOURCE] = "not a live source",
	[WEIR_DROP_DEFAULT] = "not published",
	[WEIR_DROP_HOST] = "host closed to this network",
	[WEIR_DROP_ROUTER] = "forwarding not for weir",
	[WEIR_DROP_POLICY] = "policy",
	[WEIR_DROP_EGRESS] = "egress default",
	[WEIR_DROP_INGRESS] = "ingress default",
	[WEIR_DROP_STRICT] = "published on another interface",
	[WEIR_DROP_LINK_LOCAL] = "link-local address",
};
static_assert(sizeof(drop_reasons) / sizeof(drop_reasons[0]) == WEIR_NUM_DROPS,
	      "a reason for each");

const char *weir_drop_reason(enum weir_drop drop)
{
	assert((unsigned)drop < WEIR_NUM_DROPS);
	return drop_reasons[drop];
}

/* ---- order ---- */

static int compare_numbers(unsigned a, unsigned b)
{
	return (a > b) - (a < b);
}

static int compare_ids(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_ports(struct weir_ports a, struct weir_ports b)
{
	int order = compare_numbers(a.lo, b.lo);
	return order ? order : compare_numbers(a.hi, b.hi);
}

static int compare_prefixes(const struct weir_entry *a, const struct weir_entry *b)
{
	int order = weir_addr_cmp(&a->addr, &b->addr);
	return order ? order : compare_numbers(a->prefix_len, b->prefix_len);
}

/* Policies': ids before what differs within one class or list. */
static int compare_policy_key(const struct weir_entry *a, const struct weir_entry *b)
{
	bool cell = a->kind == WEIR_ENTRY_CELL;
	int order = cell ? compare_ids(a->list, b->list)
		    : a->kind == WEIR_ENTRY_CLASS || a->kind == WEIR_ENTRY_PAIR
			    ? compare_ids(a->class, b->class)
			    : 0;
	if (order || a->kind == WEIR_ENTRY_CLASS)
		return order;
	if (!cell) {
		order = compare_numbers(a->flags, b->flags);
		if (!order)
			order = compare_prefixes(a, b);
		return order ? order : strcmp(a->ifname, b->ifname);
	}
	/* WEIR_L4_ANY, which is 0, comes last */
	order = compare_numbers(a->l4 - 1U, b->l4 - 1U);
	return order ? order : compare_ports(a->ports, b->ports);
}

/* The fields that are not of a kind's key differ only in its value, so each kind names its own. */
static int compare_key(const struct weir_entry *a, const struct weir_entry *b)
{
	int order;

	switch (a->kind) {
	case WEIR_ENTRY_NETWORK:
		return strcmp(a->ifname, b->ifname);
	case WEIR_ENTRY_SUBNET:
		return compare_prefixes(a, b);
	case WEIR_ENTRY_GATEWAY:
	case WEIR_ENTRY_SOURCE:
	case WEIR_ENTRY_ISOLATED:
		order = strcmp(a->ifname, b->ifname);
		return order ? order : weir_addr_cmp(&a->addr, &b->addr);
	case WEIR_ENTRY_TRUSTED:
		order = strcmp(a->from_ifname, b->from_ifname);
		if (!order)
			order = strcmp(a->ifname, b->ifname);
		return order ? order : compare_prefixes(a, b);
	case WEIR_ENTRY_SEGMENT:
		order = compare_prefixes(a, b);
		if (!order)
			order = weir_addr_cmp(&a->to, &b->to);
		return order ? order : compare_numbers(a->to_len, b->to_len);
	case WEIR_ENTRY_MAPPING:
	case WEIR_ENTRY_STRICT:
		order = weir_addr_cmp(&a->addr, &b->addr);
		if (!order)
			order = compare_numbers(a->proto, b->proto);
		return order ? order : compare_ports(a->ports, b->ports);
	case WEIR_ENTRY_GUARD:
		return 0; /* its family is all */
	default:
		return compare_policy_key(a, b);
	}
}

int weir_entry_key_cmp(const struct weir_entry *a, const struct weir_entry *b)
{
	int order = compare_numbers(a->kind, b->kind);
	if (!order)
		order = compare_numbers(a->family, b->family);
	return order ? order : compare_key(a, b);
}

static bool owners_equal(const struct weir_entry *a, const struct weir_entry *b)
{
	const char *left = a->owner ? a->owner : "", *right = b->owner ? b->owner : "";
	bool unknown = a->kind == WEIR_ENTRY_MAPPING && (!*left || !*right);
	return unknown || strcmp(left, right) == 0;
}

bool weir_entry_equal(const struct weir_entry *a, const struct weir_entry *b)
{
	return weir_entry_key_cmp(a, b) == 0 && a->flags == b->flags && a->nat == b->nat &&
	       strcmp(a->ifname, b->ifname) == 0 && strcmp(a->from_ifname, b->from_ifname) == 0 &&
	       a->to_port == b->to_port && weir_addr_cmp(&a->to, &b->to) == 0 &&
	       a->class == b->class && a->list == b->list && a->verdict == b->verdict &&
	       a->log == b->log && owners_equal(a, b);
}

static int compare_entries(const void *a, const void *b)
{
	return weir_entry_key_cmp(a, b);
}

/* ---- building ---- */

void weir_ruleset_free(struct weir_ruleset *rules)
{
	weir_arena_free(&rules->arena);
	rules->entries = NULL;
	rules->n = rules->room = 0;
}

static int refuse_memory(const struct weir_ruleset *rules, size_t more, struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "no memory for a ruleset of %zu entries", rules->n + more);
}

int weir_ruleset_reserve(struct weir_ruleset *rules, size_t n, struct weir_err *err)
{
	size_t room = rules->n + n;
	if (room <= rules->room)
		return 0;
	struct weir_entry *entries = weir_arena_alloc(&rules->arena, room * sizeof(*entries));
	if (!entries)
		return refuse_memory(rules, n, err);
	if (rules->n)
		memcpy(entries, rules->entries, rules->n * sizeof(*entries));
	rules->entries = entries;
	rules->room = room;
	return 0;
}

int weir_ruleset_add(struct weir_ruleset *rules, const struct weir_entry *entry,
		     struct weir_err *err)
{
	const char *owner = entry->owner ? entry->owner : "";
	size_t len = strnlen(owner, WEIR_OWNER_MAX);
	const char *copy = len ? weir_arena_strndup(&rules->arena, owner, len) : "";

	if (!copy)
		return refuse_memory(rules, 1, err);
	if (rules->n == rules->room) {
		int r = weir_ruleset_reserve(rules, rules->n ? rules->n : 8, err);
		if (r < 0)
			return r;
	}
	rules->entries[rules->n] = *entry;
	rules->entries[rules->n++].owner = copy;
	return 0;
}

/* Overlapping ranges of one mapping table are as contradictory as equal ones: a packet would meet
 * whichever the filter looks at first. Neighbours in key order are enough to see a first one. */
static bool mappings_collide(const struct weir_entry *a, const struct weir_entry *b)
{
	return a->kind == WEIR_ENTRY_MAPPING && b->kind == WEIR_ENTRY_MAPPING &&
	       a->family == b->family && a->proto == b->proto &&
	       weir_addr_cmp(&a->addr, &b->addr) == 0 && b->ports.lo <= a->ports.hi;
}

static int report_collision(const struct weir_entry *a, const struct weir_entry *b,
			    struct weir_err *err)
{
	char text[WEIR_ENTRY_TEXT], place[128];

	if (a->kind == WEIR_ENTRY_MAPPING) {
		const struct weir_entry *later = b->origin.line > a->origin.line ? b : a;
		const struct weir_entry *first = later == a ? b : a;
		char host[WEIR_ADDR_TEXT], ports[WEIR_PORTS_TEXT];
		return weir_err_at(err, EEXIST, &later->origin,
				   "\"%s\": host port %s%s%s/%s is already published by \"%s\"%s%s",
				   later->owner, weir_addr_text(&first->addr, host),
				   weir_addr_is_set(&first->addr) ? " " : "",
				   weir_ports_text(first->ports, ports),
				   weir_proto_name(first->proto), first->owner,
				   first->origin.line ? " at " : "",
				   first->origin.line
					   ? weir_place_text(&first->origin, place, sizeof(place))
					   : "");
	}
	return weir_err_at(err, EEXIST, &b->origin, "\"%s\" and \"%s\" both want: %s", a->owner,
			   b->owner, weir_entry_text(a, text));
}

int weir_entry_check_neighbours(const struct weir_entry *a, const struct weir_entry *b,
				struct weir_err *err)
{
	return weir_entry_key_cmp(a, b) == 0 || mappings_collide(a, b) ? report_collision(a, b, err)
								       : 0;
}

static bool is_sorted(const struct weir_ruleset *rules)
{
	for (size_t i = 1; i < rules->n; i++)
		if (compare_entries(&rules->entries[i - 1], &rules->entries[i]) > 0)
			return false;
	return true;
}

int weir_ruleset_sort(struct weir_ruleset *rules, struct weir_err *err)
{
	if (!is_sorted(rules)) /* often it is, and always the second time */
		qsort(rules->entries, rules->n, sizeof(rules->entries[0]), compare_entries);
	int r = 0;
	for (size_t i = 1; r == 0 && i < rules->n; i++)
		r = weir_entry_check_neighbours(&rules->entries[i - 1], &rules->entries[i], err);
	return r;
}

uint64_t weir_list_id(const struct weir_entry *cells, size_t n)
{
	uint64_t d = WEIR_DIGEST_START;

	for (size_t i = 0; i < n; i++) {
		d = weir_digest_number(d, cells[i].l4);
		d = weir_digest_number(d, cells[i].ports.lo);
		d = weir_digest_number(d, cells[i].ports.hi);
		d = weir_digest_number(d, cells[i].verdict);
		d = weir_digest_number(d, cells[i].log);
		d = weir_digest_text(d, cells[i].owner);
	}
	return d;
}

/* ---- difference ---- */

void weir_delta_free(struct weir_delta *delta)
{
	weir_arena_free(&delta->arena);
	*delta = (struct weir_delta){ 0 };
}

/* Both lists at their largest, so that the merge itself cannot fail. */
static int make_room(struct weir_delta *delta, size_t n_from, size_t n_to)
{
	delta->removed = weir_arena_alloc(&delta->arena, (n_from + 1) * sizeof(delta->removed[0]));
	delta->added = weir_arena_alloc(&delta->arena, (n_to + 1) * sizeof(delta->added[0]));
	return delta->removed && delta->added ? 0 : -ENOMEM;
}

static void merge(struct weir_delta *delta, const struct weir_ruleset *from,
		  const struct weir_ruleset *to)
{
	for (size_t i = 0, j = 0; i < from->n || j < to->n;) {
		const struct weir_entry *old = i < from->n ? &from->entries[i] : NULL;
		const struct weir_entry *new = j < to->n ? &to->entries[j] : NULL;
		int order = !old ? 1 : !new ? -1 : weir_entry_key_cmp(old, new);
		bool same = order == 0 && weir_entry_equal(old, new);

		if (order <= 0 && !same)
			delta->removed[delta->n_removed++] = old;
		if (order >= 0 && !same)
			delta->added[delta->n_added++] = new;
		i += order <= 0;
		j += order >= 0;
	}
}

int weir_ruleset_diff(const struct weir_ruleset *from, const struct weir_ruleset *to,
		      struct weir_delta *ret, struct weir_err *err)
{
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };

	if (make_room(&delta, from->n, to->n) < 0)
		return weir_err_set(err, ENOMEM, "no memory to compare rulesets");
	merge(&delta, from, to);
	*ret = delta;
	delta = (struct weir_delta){ 0 };
	return 0;
}
