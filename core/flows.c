/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections a change of rules has to cut. */
#include "core/flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Flags of a network that close it to everything that they are about; policies' exceptions do not count. */
enum { CLOSES_ALL = WEIR_CLOSED | WEIR_ISOLATED | WEIR_HOST_DENY };
/* Those that leave room for policies: connections are judged one by one. */
enum { JUDGED = WEIR_FILTERED | WEIR_EGRESS_DENY | WEIR_INGRESS_DENY | WEIR_INGRESS_ALLOW };

struct list {
	const struct weir_model *model;
	struct weir_arena *arena;
	const struct weir_network *judged; /* the last one that was cut whole */
	struct weir_flow_match *items;
	size_t n;
};

static int add(struct list *list, struct weir_flow_match flow)
{
	void *more = weir_arena_grow(list->arena, list->items, list->n, sizeof(flow));
	if (!more)
		return -ENOMEM;
	list->items = more;
	list->items[list->n++] = flow;
	return 0;
}

static struct weir_prefix whole(const struct weir_addr *addr)
{
	return (struct weir_prefix){ *addr, (uint8_t)weir_family_bits(addr->family) };
}

static int cut_mapping(struct list *list, const struct weir_entry *entry)
{
	return add(list, (struct weir_flow_match){
				 .family = entry->family,
				 .dst = entry->addr,
				 .reply_src = whole(&entry->to),
				 .proto = entry->proto,
				 .dst_ports = entry->ports,
			 });
}

/* An endpoint's address: what it sent and what came to it. */
static int cut_prefix(struct list *list, struct weir_prefix prefix)
{
	int r = add(list, (struct weir_flow_match){ .family = prefix.addr.family, .src = prefix });
	return r < 0 ? r
		     : add(list, (struct weir_flow_match){ .family = prefix.addr.family,
							   .reply_src = prefix });
}

static int cut_source(struct list *list, const struct weir_entry *entry)
{
	return cut_prefix(list, whole(&entry->addr));
}

static int cut_subnet(struct list *list, const struct weir_entry *entry)
{
	return cut_prefix(list, (struct weir_prefix){ entry->addr, entry->prefix_len });
}

/* What a network lets through has changed: its members' connections are judged again. */
static int cut_network(struct list *list, const struct weir_entry *entry)
{
	bool port = entry->kind == WEIR_ENTRY_NETWORK && entry->from_ifname[0];
	const char *ifname = port ? entry->from_ifname : entry->ifname;
	int r = 0;
	for (size_t i = 0; i < list->model->n_networks; i++) {
		const struct weir_network *net = &list->model->networks[i];
		if (strcmp(net->ifname, ifname) != 0 || net == list->judged)
			continue;
		list->judged = net; /* ports of one network stand together */
		for (size_t k = 0; r == 0 && k < net->n_subnets; k++)
			r = cut_prefix(list, net->subnets[k].prefix);
	}
	return r;
}

/* Of other kinds nothing is cut here; what policies say of connections is weir_flows_need_judging()'s. */
static int (*const cuts[WEIR_NUM_ENTRY_KINDS])(struct list *, const struct weir_entry *) = {
	[WEIR_ENTRY_NETWORK] = cut_network, [WEIR_ENTRY_SUBNET] = cut_subnet,
	[WEIR_ENTRY_SOURCE] = cut_source,   [WEIR_ENTRY_TRUSTED] = cut_network,
	[WEIR_ENTRY_MAPPING] = cut_mapping,
};

/* Clients that have been sending to the host's port have a connection that no rule translates, or one
 * that a mapping on every address has; those that came by an interface which may not, one that is
 * translated as before. On every address, only untranslated ones are cut: others may be
 * endpoints' own to somebody else's port of that number. TCP needs none of this: a refused connection
 * leaves nothing behind, and an accepted one goes on. */
static int take_over(struct list *list, const struct weir_entry *entry)
{
	if (entry->kind == WEIR_ENTRY_STRICT)
		return add(list, (struct weir_flow_match){ .family = entry->family,
							   .dst = entry->addr,
							   .proto = entry->proto,
							   .dst_ports = entry->ports });
	if (entry->kind != WEIR_ENTRY_MAPPING || entry->proto != WEIR_UDP)
		return 0;
	return add(list, (struct weir_flow_match){
				 .family = entry->family,
				 .dst = entry->addr,
				 .proto = WEIR_UDP,
				 .dst_ports = entry->ports,
				 .untranslated = !weir_addr_is_set(&entry->addr),
			 });
}

/* Between it and its network, what the host has routed back: both ways, since either may be isolated now. */
static int cut_detours(struct list *list, const struct weir_entry *entry)
{
	int r = 0;
	for (size_t i = 0; i < list->model->n_networks; i++) {
		const struct weir_network *net = &list->model->networks[i];
		for (size_t k = 0; r == 0 && k < net->n_subnets; k++) {
			const struct weir_prefix *subnet = &net->subnets[k].prefix;
			struct weir_flow_match flow = { .family = entry->family,
							.src = whole(&entry->addr),
							.reply_src = *subnet,
							.untranslated = true };
			if (strcmp(net->ifname, entry->ifname) != 0 ||
			    subnet->addr.family != entry->family)
				continue;
			r = add(list, flow);
			flow.src = *subnet;
			flow.reply_src = whole(&entry->addr);
			if (r == 0)
				r = add(list, flow);
		}
	}
	return r;
}

static int compare_keys(const void *a, const void *b)
{
	return weir_entry_key_cmp(a, *(const struct weir_entry *const *)b);
}

/* One that comes has no connections yet. */
static bool is_new(const struct weir_delta *delta, const struct weir_entry *isolated)
{
	struct weir_entry source = *isolated;
	source.kind = WEIR_ENTRY_SOURCE;
	return bsearch(&source, delta->added, delta->n_added, sizeof(const struct weir_entry *),
		       compare_keys);
}

/* Nothing that the entry let through is closed by what stands in its place. */
static bool stays_open(const struct weir_delta *delta, const struct weir_entry *entry)
{
	if (!delta->n_added ||
	    (entry->kind != WEIR_ENTRY_NETWORK && entry->kind != WEIR_ENTRY_SOURCE))
		return false;
	const struct weir_entry *const *now = bsearch(entry, delta->added, delta->n_added,
						      sizeof(const struct weir_entry *),
						      compare_keys);
	return now && !((*now)->flags & ~entry->flags & CLOSES_ALL);
}

/* A routed network's port that goes: its endpoint's connections are cut by its addresses. */
static bool is_port_gone(const struct weir_delta *delta, const struct weir_entry *entry)
{
	return entry->kind == WEIR_ENTRY_NETWORK && entry->from_ifname[0] &&
	       !(delta->n_added && bsearch(entry, delta->added, delta->n_added,
					   sizeof(const struct weir_entry *), compare_keys));
}

static int compare_addrs(const void *a, const void *b)
{
	return weir_addr_cmp(*(const struct weir_addr *const *)a,
			     *(const struct weir_addr *const *)b);
}

int weir_flows_of(const struct weir_delta *delta, const struct weir_model *model,
		  struct weir_arena *arena, struct weir_flow_match **ret, size_t *ret_n,
		  struct weir_err *err)
{
	struct list list = { .model = model, .arena = arena };
	size_t n_gone = 0;
	const struct weir_addr **gone =
		weir_arena_alloc(arena, (delta->n_removed + 1) * sizeof(*gone));
	int r = gone ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < delta->n_removed; i++)
		if (delta->removed[i]->kind == WEIR_ENTRY_SOURCE &&
		    !stays_open(delta, delta->removed[i]))
			gone[n_gone++] = &delta->removed[i]->addr;
	if (n_gone)
		qsort(gone, n_gone, sizeof(*gone), compare_addrs);
	for (size_t i = 0; r == 0 && i < delta->n_removed; i++) {
		const struct weir_entry *entry = delta->removed[i];
		const struct weir_addr *target = &entry->to;
		/* an endpoint that goes takes all that came to it along, ten thousand ports or one */
		bool covered = entry->kind == WEIR_ENTRY_MAPPING && n_gone &&
			       bsearch(&target, gone, n_gone, sizeof(*gone), compare_addrs);
		if (!covered && cuts[entry->kind] && !stays_open(delta, entry) &&
		    !is_port_gone(delta, entry))
			r = cuts[entry->kind](&list, entry);
	}
	for (size_t i = 0; r == 0 && i < delta->n_added; i++)
		r = delta->added[i]->kind != WEIR_ENTRY_ISOLATED ? take_over(&list, delta->added[i])
		    : is_new(delta, delta->added[i])		 ? 0
						     : cut_detours(&list, delta->added[i]);
	if (r < 0)
		return weir_err_set(err, -r, "out of memory");
	*ret = list.items;
	*ret_n = list.n;
	return 0;
}

/* ---- policies ---- */

/* Live addresses, sorted. */
struct addrs {
	const struct weir_addr **items;
	size_t n;
};

static int collect_sources(const struct weir_entry *const *entries, size_t n,
			   struct weir_arena *arena, struct addrs *ret)
{
	ret->items = weir_arena_alloc(arena, (n + 1) * sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (entries[i]->kind == WEIR_ENTRY_SOURCE)
			ret->items[ret->n++] = &entries[i]->addr;
	qsort(ret->items, ret->n, sizeof(*ret->items), compare_addrs);
	return 0;
}

static bool holds(const struct addrs *addrs, const struct weir_addr *addr)
{
	return addrs->n &&
	       bsearch(&addr, addrs->items, addrs->n, sizeof(*addrs->items), compare_addrs);
}

/* Who may talk to whom has changed for an address that has been there before and still is. One that
 * comes has no connections yet, and those of one that goes are cut anyway. */
static bool changes_somebody(const struct weir_entry *const *entries, size_t n,
			     struct weir_arena *arena)
{
	struct addrs moving = { 0 };
	if (collect_sources(entries, n, arena, &moving) < 0)
		return true; /* looking once too often is harmless */
	for (size_t i = 0; i < n; i++) {
		const struct weir_entry *entry = entries[i];
		bool is_pair = entry->kind == WEIR_ENTRY_MEMBER || entry->kind == WEIR_ENTRY_PAIR ||
			       entry->kind == WEIR_ENTRY_HOST_PAIR;
		/* a link-local address comes and goes with another one */
		if (is_pair && !entry->ifname[0] &&
		    ((entry->flags & WEIR_OUTSIDE) || !holds(&moving, &entry->addr)))
			return true;
	}
	return false;
}

/* A network that comes or goes has nobody in it. */
static bool changes_defaults(const struct weir_delta *delta)
{
	for (size_t i = 0; i < delta->n_removed; i++) {
		const struct weir_entry *was = delta->removed[i];
		const struct weir_entry *const *now =
			was->kind != WEIR_ENTRY_NETWORK || !delta->n_added
				? NULL
				: bsearch(was, delta->added, delta->n_added,
					  sizeof(const struct weir_entry *), compare_keys);
		if (now && ((was->flags ^ (*now)->flags) & JUDGED))
			return true;
	}
	return false;
}

bool weir_flows_need_judging(const struct weir_delta *delta)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	return changes_defaults(delta) ||
	       changes_somebody(delta->removed, delta->n_removed, &arena) ||
	       changes_somebody(delta->added, delta->n_added, &arena);
}
