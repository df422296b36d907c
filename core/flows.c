/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections a change of rules has to cut. */
#include "core/flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Flags of a network that close something as soon as they are set, */
enum { CLOSES = WEIR_CLOSED | WEIR_ISOLATED | WEIR_HOST_DENY };
/* and those that may close something either way. */
enum { DEFAULTS = WEIR_FILTERED | WEIR_EGRESS_DENY | WEIR_INGRESS_DENY | WEIR_INGRESS_ALLOW };

struct list {
	const struct weir_model *model;
	struct weir_arena *arena;
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
				 .published = true,
			 });
}

/* An endpoint's address: what it sent and what came to it. Somebody else may have it now. */
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

/* What came in by one interface looks like what came by another. */
static int distrust(struct list *list, struct weir_prefix subnet)
{
	return add(list, (struct weir_flow_match){ .family = subnet.addr.family,
						   .reply_src = subnet,
						   .outside = true });
}

static int each_subnet(struct list *list, const char *ifname,
		       int (*fn)(struct list *list, struct weir_prefix subnet))
{
	int r = 0;
	for (size_t i = 0; i < list->model->n_networks; i++) {
		const struct weir_network *net = &list->model->networks[i];
		if (strcmp(net->ifname, ifname) != 0)
			continue;
		for (size_t k = 0; r == 0 && k < net->n_subnets; k++)
			r = fn(list, net->subnets[k].prefix);
	}
	return r;
}

/* A bridge that goes. No network is called as a routed one's port, whose endpoint's connections are cut by its
 * addresses. */
static int cut_network(struct list *list, const struct weir_entry *entry)
{
	return each_subnet(list, entry->ifname, cut_prefix);
}

static int cut_trusted(struct list *list, const struct weir_entry *entry)
{
	const struct weir_prefix subnet = { entry->addr, entry->prefix_len };
	return weir_addr_is_set(&entry->addr) ? distrust(list, subnet) /* of a routed network */
					      : each_subnet(list, entry->ifname, distrust);
}

/* Who leaves is seen with another address from now on: what has left goes on with the old one. */
static int cut_departed(struct list *list, const struct weir_entry *entry)
{
	return add(list, (struct weir_flow_match){
				 .family = entry->family,
				 .src = { entry->addr, entry->prefix_len },
				 .outside = true,
			 });
}

/* Of other kinds nothing is cut here; what the rest of the rules say of connections is judged. */
static int (*const cuts[WEIR_NUM_ENTRY_KINDS])(struct list *, const struct weir_entry *) = {
	[WEIR_ENTRY_NETWORK] = cut_network, [WEIR_ENTRY_SUBNET] = cut_subnet,
	[WEIR_ENTRY_SOURCE] = cut_source,   [WEIR_ENTRY_TRUSTED] = cut_trusted,
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

static int compare_keys(const void *a, const void *b)
{
	return weir_entry_key_cmp(a, *(const struct weir_entry *const *)b);
}

/* What stands in its place, if anything. */
static const struct weir_entry *replacement(const struct weir_delta *delta,
					    const struct weir_entry *entry)
{
	const struct weir_entry *const *now =
		!delta->n_added ? NULL
				: bsearch(entry, delta->added, delta->n_added,
					  sizeof(const struct weir_entry *), compare_keys);
	return now ? *now : NULL;
}

static int cut_one(struct list *list, const struct weir_delta *delta,
		   const struct weir_entry *entry)
{
	const struct weir_entry *now = replacement(delta, entry);
	if (now && entry->kind == WEIR_ENTRY_NETWORK)
		return 0; /* judged */
	if (now && entry->kind == WEIR_ENTRY_SUBNET && strcmp(now->ifname, entry->ifname) == 0)
		return cut_departed(list, entry);
	return cuts[entry->kind] ? cuts[entry->kind](list, entry) : 0;
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
		if (delta->removed[i]->kind == WEIR_ENTRY_SOURCE)
			gone[n_gone++] = &delta->removed[i]->addr;
	if (n_gone)
		qsort(gone, n_gone, sizeof(*gone), compare_addrs);
	for (size_t i = 0; r == 0 && i < delta->n_removed; i++) {
		const struct weir_entry *entry = delta->removed[i];
		const struct weir_addr *target = &entry->to;
		/* an endpoint that goes takes all that came to it along, ten thousand ports or one */
		bool covered = entry->kind == WEIR_ENTRY_MAPPING && n_gone &&
			       bsearch(&target, gone, n_gone, sizeof(*gone), compare_addrs);
		if (!covered)
			r = cut_one(&list, delta, entry);
	}
	for (size_t i = 0; r == 0 && i < delta->n_added; i++)
		r = take_over(&list, delta->added[i]);
	if (r < 0)
		return weir_err_set(err, -r, "out of memory");
	*ret = list.items;
	*ret_n = list.n;
	return 0;
}

/* ---- judging ---- */

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

/* Who may talk to whom has changed for an address that has been there before and still is, with the same
 * owner. One that comes has no connections yet, and those of one that goes are cut anyway. */
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

/* One that comes has no connections yet. */
static bool is_new(const struct weir_delta *delta, const struct weir_entry *isolated)
{
	struct weir_entry source = *isolated;
	source.kind = WEIR_ENTRY_SOURCE;
	return bsearch(&source, delta->added, delta->n_added, sizeof(const struct weir_entry *),
		       compare_keys);
}

/* A network that comes or goes has nobody in it. */
static bool changes_network(const struct weir_delta *delta)
{
	for (size_t i = 0; i < delta->n_removed; i++) {
		const struct weir_entry *was = delta->removed[i], *now = replacement(delta, was);
		if (was->kind == WEIR_ENTRY_TRUSTED || (now && was->kind == WEIR_ENTRY_SUBNET))
			return true;
		if (now && was->kind == WEIR_ENTRY_NETWORK &&
		    (((was->flags ^ now->flags) & DEFAULTS) || (now->flags & ~was->flags & CLOSES)))
			return true;
	}
	for (size_t i = 0; i < delta->n_added; i++)
		if (delta->added[i]->kind == WEIR_ENTRY_ISOLATED && !is_new(delta, delta->added[i]))
			return true;
	return false;
}

bool weir_flows_need_judging(const struct weir_delta *delta)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	return changes_network(delta) ||
	       changes_somebody(delta->removed, delta->n_removed, &arena) ||
	       changes_somebody(delta->added, delta->n_added, &arena);
}

/* ---- cutting ---- */

struct question {
	const struct weir_engine *engine;
	const struct weir_model *everybody;
	const struct weir_flow_match *outside;
	size_t n;
};

static bool is_weirs(const struct weir_model *everybody, const struct weir_addr *addr)
{
	for (size_t i = 0; i < everybody->n_networks; i++)
		if (weir_mode_traits(everybody->networks[i].mode)->host &&
		    weir_network_subnet_of(&everybody->networks[i], addr))
			return true;
	return false;
}

static bool has_left(const struct question *q, const struct weir_flow_match *match,
		     const struct weir_connection *conn)
{
	return weir_addr_is_set(&match->src.addr) &&
	       weir_prefix_contains(&match->src, &conn->from) && !conn->to_host &&
	       !is_weirs(q->everybody, &conn->to);
}

static bool is_cut(const void *ctx, const struct weir_connection *conn)
{
	const struct question *q = ctx;
	struct weir_connection asked = *conn;
	for (size_t i = 0; i < q->n; i++) {
		const struct weir_flow_match *match = &q->outside[i];
		if (has_left(q, match, conn))
			return true;
		asked.distrusted |= weir_addr_is_set(&match->reply_src.addr) &&
				    weir_prefix_contains(&match->reply_src, &conn->to);
	}
	return q->engine->refuses(q->everybody, &asked);
}

int weir_flows_cut(struct weir_session *s, const struct weir_flow_match *flows, size_t n,
		   const struct weir_model *everybody, struct weir_err *err)
{
	size_t n_plain = 0, n_outside = 0;
	struct weir_flow_match *plain = weir_arena_alloc(&s->arena, (2 * n + 1) * sizeof(*plain));
	if (!plain)
		return weir_err_set(err, ENOMEM, "out of memory");
	struct weir_flow_match *outside = plain + n;
	for (size_t i = 0; i < n; i++)
		if (flows[i].outside)
			outside[n_outside++] = flows[i];
		else
			plain[n_plain++] = flows[i];
	const struct question question = { s->engine, everybody, outside, n_outside };
	const struct weir_firewall_ops *fw = s->engine->firewall;
	int r = n_plain ? fw->forget(s->fw, plain, n_plain, NULL, err) : 0;
	if (r == 0 && everybody && s->engine->refuses)
		r = fw->forget_if(s->fw, is_cut, &question, NULL, err);
	return r;
}
