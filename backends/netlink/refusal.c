/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes that refuse what no endpoint of a routed network has.
 *
 * How it works: the host has a route to each endpoint. What is sent to another address of the subnet would
 * go on by the default route, and perhaps come back from there; an unreachable route to the whole subnet
 * answers it instead. It is all that such a network has on the host, and stands for the interface that
 * other networks have: its metric is the name of the network's ports, five letters of five bits, so that
 * it can be listed and removed by that name whatever else is forgotten. */
#include "backends/netlink/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/netlink/route.h"

/* The rest of a metric; high, so that a route of somebody's goes first. */
static const uint32_t METRIC_TOP = 0x77U << 25;
static const char letters[] = "0123456789abcdefghijklmnopqrstuv";

enum { N_LETTERS = 5, BITS = 5, FIRST = 2 };

static uint32_t metric_of(const char *ports)
{
	uint32_t metric = 0;

	for (int i = 0; i < N_LETTERS; i++) {
		const char *at = strchr(letters, ports[FIRST + i]);
		metric = metric << BITS | (at ? (uint32_t)(at - letters) & 31 : 0);
	}
	return METRIC_TOP | metric;
}

static bool ports_of(uint32_t metric, char ret[WEIR_IFNAME_SIZE])
{
	if ((metric & ~0x1ffffffU) != METRIC_TOP)
		return false;
	(void)snprintf(ret, WEIR_IFNAME_SIZE, "wr00000-+");
	for (int i = N_LETTERS; i-- > 0; metric >>= BITS)
		ret[FIRST + i] = letters[metric & 31];
	return true;
}

/* ---- what is there ---- */

struct found {
	struct weir_arena *arena;
	uint32_t metric;
	struct weir_prefix *items;
	size_t n, keep;
};

static int take_refusal(const struct weir_route_entry *entry, void *ctx)
{
	struct found *found = ctx;

	if (!entry) {
		found->n = found->keep;
		return 0;
	}
	if (!entry->refuses || entry->metric != found->metric)
		return 0;
	struct weir_prefix *items =
		weir_arena_grow(found->arena, found->items, found->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	found->items = items;
	items[found->n++] = entry->to;
	return 0;
}

static int find_refusals(struct weir_links *links, const char *ports, struct weir_arena *arena,
			 struct found *ret, struct weir_err *err)
{
	struct found found = { .arena = arena, .metric = metric_of(ports) };
	int r = 0;

	for (int family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++) {
		struct weir_err why = { 0 };
		found.keep = found.n;
		r = weir_routes_walk(&links->host, family, 0, WEIR_RTPROT, take_refusal, &found,
				     &why);
		r = weir_request_allow(r, EOPNOTSUPP, &why, err); /* a kernel without IPv6 */
	}
	if (r == 0)
		*ret = found;
	return r;
}

static bool is_found(const struct found *found, const struct weir_prefix *subnet)
{
	for (size_t i = 0; i < found->n; i++)
		if (weir_prefix_cmp(&found->items[i], subnet) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct weir_network *net, const struct weir_prefix *found)
{
	for (size_t i = 0; i < net->n_subnets; i++)
		if (weir_prefix_cmp(&net->subnets[i].prefix, found) == 0)
			return true;
	return false;
}

/* ---- what should be ---- */

int weir_refusals_ensure(struct weir_links *links, const struct weir_network *net, bool *changed,
			 struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	struct found found;
	uint32_t metric = metric_of(net->ifname);
	int r = find_refusals(links, net->ifname, &arena, &found, err);

	for (size_t i = 0; r == 0 && i < found.n; i++)
		if (!is_wanted(net, &found.items[i])) {
			*changed = true;
			r = weir_route_refuse(&links->host, false, &found.items[i], metric, err);
		}
	for (size_t i = 0; r == 0 && i < net->n_subnets; i++)
		if (!is_found(&found, &net->subnets[i].prefix)) {
			*changed = true;
			r = weir_route_refuse(&links->host, true, &net->subnets[i].prefix, metric,
					      err);
		}
	return r;
}

int weir_refusals_check(struct weir_links *links, const struct weir_network *net,
			struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	struct found found;
	char text[WEIR_PREFIX_TEXT];
	int r = find_refusals(links, net->ifname, &arena, &found, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < net->n_subnets; i++)
		if (!is_found(&found, &net->subnets[i].prefix))
			return weir_err_set(err, ESTALE, "the unreachable route to %s is gone",
					    weir_prefix_text(&net->subnets[i].prefix, text));
	for (size_t i = 0; i < found.n; i++)
		if (!is_wanted(net, &found.items[i]))
			return weir_err_set(
				err, ESTALE,
				"there is an unreachable route to %s, which should not be",
				weir_prefix_text(&found.items[i], text));
	return 0;
}

int weir_refusals_remove(struct weir_links *links, const char *ports, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	struct found found;
	int r = find_refusals(links, ports, &arena, &found, err);

	for (size_t i = 0; r == 0 && i < found.n; i++)
		r = weir_route_refuse(&links->host, false, &found.items[i], metric_of(ports), err);
	return r;
}

/* ---- all of them ---- */

struct walk {
	weir_refusal_each each;
	void *ctx;
};

static int walk_one(const struct weir_route_entry *entry, void *ctx)
{
	const struct walk *walk = ctx;
	char ports[WEIR_IFNAME_SIZE];

	if (!entry)
		return walk->each(NULL, walk->ctx);
	if (!entry->refuses || !ports_of(entry->metric, ports))
		return 0;
	return walk->each(ports, walk->ctx);
}

int weir_refusals_walk(struct weir_links *links, weir_refusal_each each, void *ctx,
		       struct weir_err *err)
{
	struct walk walk = { .each = each, .ctx = ctx };
	int r = 0;

	for (int family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++) {
		struct weir_err why = { 0 };
		r = weir_routes_walk(&links->host, family, 0, WEIR_RTPROT, walk_one, &walk, &why);
		r = weir_request_allow(r, EOPNOTSUPP, &why, err); /* a kernel without IPv6 */
	}
	return r;
}
