/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address management: cursors and freed addresses.
 *
 * How it works: everything from a subnet's cursor on has never been handed out; everything below is
 * attached, freed, or not for handing out. An empty cursor is one that has passed the last address. A
 * freed address above the cursor (it was somebody's wish) is stepped over as well, so that it comes
 * back last like the others. An excluded range is one step, whatever its size.
 *
 * A freed address is forgotten when it is handed out, and also when it may not be handed out now: if
 * it may be again, that is by a change of the network, and this takes the cursor back to the start. */
#include "core/ipam.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store_db.h"

/* The pool that addresses come from. */
struct source {
	struct weir_store *store;
	const struct weir_network *net;
	const struct weir_subnet *subnet;
	struct weir_addr base, last;
};

static struct source make_source(struct weir_store *store, const struct weir_network *net,
				 const struct weir_subnet *subnet)
{
	return (struct source){ store, net, subnet, weir_prefix_base(&subnet->prefix),
				weir_prefix_last(&subnet->prefix) };
}

static bool is_gateway(const struct weir_network *net, const struct weir_addr *addr)
{
	for (size_t i = 0; i < net->n_subnets; i++)
		if (weir_addr_cmp(&net->subnets[i].gateway, addr) == 0)
			return true;
	return false;
}

/* What the address is for by its place in the subnet, or NULL. The two ends mean nothing where only two
 * addresses are (RFC 3021, RFC 6164). */
static const char *special_use(const struct source *from, const struct weir_addr *addr)
{
	if (from->subnet->prefix.len + 1u >= weir_family_bits(addr->family))
		return NULL;
	bool ipv4 = addr->family == WEIR_IPV4;
	if (weir_addr_cmp(addr, &from->base) == 0)
		return ipv4 ? "network address" : "subnet-router anycast address";
	return ipv4 && weir_addr_cmp(addr, &from->last) == 0 ? "broadcast address" : NULL;
}

static const struct weir_range *excluding(const struct weir_network *net,
					  const struct weir_addr *addr)
{
	for (size_t i = 0; i < net->n_excluded; i++)
		if (weir_addr_cmp(&net->excluded[i].lo, addr) <= 0 &&
		    weir_addr_cmp(addr, &net->excluded[i].hi) <= 0)
			return &net->excluded[i];
	return NULL;
}

/* Attached, or freed: 1 or 0. */
static int is_held(const struct source *from, const struct weir_addr *addr, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	enum weir_sql id = addr->family == WEIR_IPV4 ? WEIR_SQL_HELD_IPV4 : WEIR_SQL_HELD_IPV6;
	int r = weir_store_query(from->store, id, &row, err, "taa", from->net->name, addr,
				 &from->base);
	if (r == 0)
		r = weir_store_step(from->store, row, err);
	return r < 0 ? r : sqlite3_column_int(row, 0);
}

/* The address after addr, or none when that was the subnet's last. */
static struct weir_addr after(const struct source *from, const struct weir_addr *addr)
{
	struct weir_addr next;
	if (!weir_addr_add(addr, 1, &next) || weir_addr_cmp(&next, &from->last) > 0)
		return (struct weir_addr){ 0 };
	return next;
}

/* The first address from `at` on that can be handed out (none: there is no more). */
static int find_fresh(const struct source *from, struct weir_addr at, struct weir_addr *ret,
		      struct weir_err *err)
{
	while (weir_addr_is_set(&at)) {
		const struct weir_range *range = excluding(from->net, &at);
		if (range) {
			at = after(from, &range->hi);
			continue;
		}
		if (!special_use(from, &at) && !is_gateway(from->net, &at)) {
			int held = is_held(from, &at, err);
			if (held < 0)
				return held;
			if (!held)
				break;
		}
		at = after(from, &at);
	}
	*ret = at;
	return 0;
}

static int read_cursor(const struct source *from, struct weir_addr *ret, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(from->store, WEIR_SQL_CURSOR, &row, err, "at", &from->base,
				 from->net->name);
	if (r == 0)
		r = weir_store_step(from->store, row, err);
	if (r < 0)
		return r;
	if (r == 0) {
		char text[WEIR_PREFIX_TEXT];
		return weir_err_set(err, ENOENT, "network \"%s\" has no subnet %s in the store",
				    from->net->name, weir_prefix_text(&from->subnet->prefix, text));
	}
	*ret = weir_store_addr(row, 0);
	return 0;
}

static int take_fresh(const struct source *from, struct weir_addr *ret, struct weir_err *err)
{
	struct weir_addr cursor, found;
	int r = read_cursor(from, &cursor, err);
	if (r < 0)
		return r;
	r = find_fresh(from, cursor, &found, err);
	if (r < 0)
		return r;
	if (weir_addr_is_set(&cursor)) {
		struct weir_addr next = { 0 };
		if (weir_addr_is_set(&found))
			next = after(from, &found);
		r = weir_store_exec(from->store, WEIR_SQL_SET_CURSOR, NULL, err, "aa", &from->base,
				    &next);
	}
	if (r == 0)
		*ret = found;
	return r;
}

/* Takes the address that was freed first off the list: 1, or 0 when there is none. */
static int pop_freed(const struct source *from, struct weir_addr *ret, struct weir_err *err)
{
	int64_t seq;
	{
		WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
		int r = weir_store_query(from->store, WEIR_SQL_OLDEST_FREED, &row, err, "a",
					 &from->base);
		if (r == 0)
			r = weir_store_step(from->store, row, err);
		if (r <= 0)
			return r;
		seq = sqlite3_column_int64(row, 0);
		*ret = weir_store_addr(row, 1);
	}
	int r = weir_store_exec(from->store, WEIR_SQL_FORGET_FREED, NULL, err, "al", &from->base,
				seq);
	return r < 0 ? r : 1;
}

/* The longest-freed address that may be handed out (none: there is none). */
static int take_freed(const struct source *from, struct weir_addr *ret, struct weir_err *err)
{
	for (;;) {
		struct weir_addr addr;
		int r = pop_freed(from, &addr, err);
		if (r < 0)
			return r;
		if (r == 0) {
			*ret = (struct weir_addr){ 0 };
			return 0;
		}
		if (!weir_prefix_contains(&from->subnet->prefix, &addr) ||
		    special_use(from, &addr) || is_gateway(from->net, &addr) ||
		    excluding(from->net, &addr))
			continue;
		r = is_held(from, &addr, err); /* somebody may have wished for it */
		if (r < 0)
			return r;
		if (r == 0) {
			*ret = addr;
			return 0;
		}
	}
}

static int count_taken(const struct source *from, int64_t *ret, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	enum weir_sql id = from->base.family == WEIR_IPV4 ? WEIR_SQL_COUNT_IPV4
							  : WEIR_SQL_COUNT_IPV6;
	int r = weir_store_query(from->store, id, &row, err, "taa", from->net->name, &from->base,
				 &from->last);
	if (r == 0)
		r = weir_store_step(from->store, row, err);
	if (r < 0)
		return r;
	*ret = sqlite3_column_int64(row, 0);
	return 0;
}

static int exhausted(struct weir_store *store, const struct weir_network *net,
		     enum weir_family family, struct weir_err *err)
{
	char subnets[WEIR_SUBNETS_MAX * (WEIR_PREFIX_TEXT + 2)] = "", text[WEIR_PREFIX_TEXT];
	int64_t taken = 0;
	for (size_t i = 0; i < net->n_subnets; i++) {
		const struct source from = make_source(store, net, &net->subnets[i]);
		int64_t n = 0;
		if (from.base.family != family)
			continue;
		int r = count_taken(&from, &n, err);
		if (r < 0)
			return r;
		taken += n;
		size_t used = strlen(subnets);
		(void)snprintf(subnets + used, sizeof(subnets) - used, "%s%s", used ? ", " : "",
			       weir_prefix_text(&net->subnets[i].prefix, text));
	}
	if (taken == 0)
		return weir_err_set(
			err, ENOSPC,
			"network \"%s\": no address of %s can be handed out (add a subnet, or "
			"exclude less)",
			net->name, subnets);
	return weir_err_set(
		err, ENOSPC,
		"network \"%s\": all %lld addresses of %s are taken (add a subnet, or remove "
		"endpoints)",
		net->name, (long long)taken, subnets);
}

int weir_ipam_choose(struct weir_store *store, const struct weir_network *net,
		     enum weir_family family, struct weir_addr *ret, struct weir_err *err)
{
	const char *name = weir_family_name(family);
	if (!weir_network_subnet(net, family))
		return weir_err_set(err, EINVAL, "network \"%s\" has no %s subnet", net->name,
				    name);
	for (size_t i = 0; i < net->n_subnets; i++) {
		const struct source from = make_source(store, net, &net->subnets[i]);
		struct weir_addr found = { 0 };
		if (from.base.family != family)
			continue;
		int r = take_fresh(&from, &found, err);
		if (r == 0 && !weir_addr_is_set(&found))
			r = take_freed(&from, &found, err);
		if (r < 0)
			return r;
		if (weir_addr_is_set(&found)) {
			*ret = found;
			return 0;
		}
	}
	return exhausted(store, net, family, err);
}

static int not_in_subnet(const struct weir_network *net, const char *addr,
			 const struct weir_place *at, struct weir_err *err)
{
	char list[WEIR_SUBNETS_MAX * (WEIR_PREFIX_TEXT + 2)] = "", text[WEIR_PREFIX_TEXT];
	for (size_t i = 0; i < net->n_subnets; i++) {
		size_t used = strlen(list);
		(void)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "",
			       weir_prefix_text(&net->subnets[i].prefix, text));
	}
	return weir_err_at(err, EINVAL, at, "address %s is in no subnet of network \"%s\" (%s)",
			   addr, net->name, *list ? list : "it has none");
}

int weir_ipam_check(struct weir_store *store, const struct weir_network *net, const char *endpoint,
		    const struct weir_addr *addr, const struct weir_place *at, struct weir_err *err)
{
	char text[WEIR_ADDR_TEXT], prefix[WEIR_PREFIX_TEXT], owner[WEIR_NAME_MAX + 1] = "";
	const struct weir_subnet *subnet = weir_network_subnet_of(net, addr);
	(void)weir_addr_text(addr, text);
	if (!subnet)
		return not_in_subnet(net, text, at, err);
	const struct source from = make_source(store, net, subnet);
	const char *use = special_use(&from, addr);
	if (use)
		return weir_err_at(err, EINVAL, at, "address %s is the %s of %s", text, use,
				   weir_prefix_text(&subnet->prefix, prefix));
	bool is_router = net->gateway_endpoint && strcmp(net->gateway_endpoint, endpoint) == 0;
	if (is_gateway(net, addr) && !is_router)
		return weir_err_at(err, EINVAL, at, "address %s is the gateway's in network \"%s\"",
				   text, net->name);
	int r = weir_store_addr_owner(store, net->name, addr, owner, err);
	if (r < 0)
		return r;
	if (*owner && strcmp(owner, endpoint) != 0)
		return weir_err_at(err, EEXIST, at, "address %s is taken by endpoint \"%s\"", text,
				   owner);
	return 0;
}
