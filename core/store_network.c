/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks in the store: their subnets and lists, and the names of host interfaces.
 *
 * Replacing a network takes its subnets' cursors (core/ipam.c) back to the start: what was excluded
 * may be free now, and stepping over what is taken costs one look-up each, once. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store_db.h"

static int write_network(struct weir_store *store, enum weir_sql id, const struct weir_network *net,
			 int *ret_rows, struct weir_err *err)
{
	return weir_store_exec(store, id, ret_rows, err,
			       "titt"
			       "AAiAA"
			       "im"
			       "iiiii"
			       "iiiiii",
			       net->name, (int)net->mode, net->ifname, net->gateway_endpoint,
			       &net->gateways[WEIR_IPV4], &net->gateways[WEIR_IPV6], (int)net->nat,
			       &net->nat_addr[WEIR_IPV4], &net->nat_addr[WEIR_IPV6], (int)net->mtu,
			       &net->mac, net->internal, net->isolate, net->host_deny,
			       net->filter_bridged, net->declared, (int)net->egress,
			       (int)net->ingress, net->filtered, net->no_spoof_guard, net->strict,
			       net->nat_random);
}

static int release_ifname_of(struct weir_store *store, const char *network, struct weir_err *err)
{
	char ifname[WEIR_IFNAME_SIZE] = "";
	{
		WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
		int r = weir_store_query(store, WEIR_SQL_NETWORK, &row, err, "t", network);
		if (r == 0)
			r = weir_store_step(store, row, err);
		if (r < 0)
			return r;
		if (r == 1)
			weir_store_ifname(row, 1, ifname);
	}
	return weir_store_exec(store, WEIR_SQL_RELEASE_IFNAME, NULL, err, "t", ifname);
}

/* What an existing network had, out of the way of what it gets. */
static int clear_network(struct weir_store *store, const char *name, struct weir_err *err)
{
	int r = release_ifname_of(store, name, err);
	if (r == 0)
		r = weir_store_exec(store, WEIR_SQL_CLEAR_NETWORK_ITEMS, NULL, err, "t", name);
	if (r == 0)
		r = weir_store_exec(store, WEIR_SQL_MARK_SUBNETS, NULL, err, "t", name);
	return r;
}

static int check_overlap(struct weir_store *store, const struct weir_network *net,
			 const struct weir_subnet *subnet, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	const char *other;
	struct weir_prefix prefix;
	int r = weir_store_overlap(store, &subnet->prefix, net->name, &arena, &other, &prefix, err);
	if (r < 0 || !other)
		return r;
	char asked[WEIR_PREFIX_TEXT], has[WEIR_PREFIX_TEXT];
	return weir_err_at(err, EEXIST, &subnet->origin,
			   "subnet %s overlaps %s of network \"%s\" (weir network ls)",
			   weir_prefix_text(&subnet->prefix, asked), weir_prefix_text(&prefix, has),
			   other);
}

static int check_gateway(struct weir_store *store, const struct weir_network *net,
			 const struct weir_subnet *subnet, struct weir_err *err)
{
	char owner[WEIR_NAME_MAX + 1] = "";
	if (!weir_addr_is_set(&subnet->gateway) || net->gateway_endpoint)
		return 0;
	int r = weir_store_addr_owner(store, net->name, &subnet->gateway, owner, err);
	if (r < 0 || !*owner)
		return r;
	char text[WEIR_ADDR_TEXT];
	return weir_err_at(err, EEXIST, &subnet->origin,
			   "gateway %s of network \"%s\" is the address of endpoint \"%s\"",
			   weir_addr_text(&subnet->gateway, text), net->name, owner);
}

static int put_subnets(struct weir_store *store, const struct weir_network *net,
		       struct weir_err *err)
{
	for (size_t i = 0; i < net->n_subnets; i++) {
		const struct weir_subnet *subnet = &net->subnets[i];
		struct weir_addr base = weir_prefix_base(&subnet->prefix);
		struct weir_addr last = weir_prefix_last(&subnet->prefix);
		int r = check_overlap(store, net, subnet, err);
		if (r == 0)
			r = check_gateway(store, net, subnet, err);
		if (r == 0)
			r = weir_store_exec(store, WEIR_SQL_PUT_SUBNET, NULL, err, "aiatiA", &base,
					    subnet->prefix.len, &last, net->name, (int)i,
					    &subnet->gateway);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_vlan(struct weir_store *store, const struct weir_network *net,
		      struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_VLAN_OWNER, &row, err, "ti", net->parent,
				 (int)net->vlan);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r <= 0)
		return r;
	return weir_err_at(err, EEXIST, &net->origin,
			   "network \"%s\": VLAN %u on %s is network \"%s\" already", net->name,
			   net->vlan, net->parent, weir_store_text(row, 0));
}

static int put_place(struct weir_store *store, const struct weir_network *net, struct weir_err *err)
{
	int r = 0;
	if (net->vlan)
		r = check_vlan(store, net, err);
	if (r == 0 && net->parent[0])
		r = weir_store_exec(store, WEIR_SQL_ADD_NETWORK_ITEM, NULL, err, "tiiti", net->name,
				    WEIR_ITEM_PARENT, 0, net->parent, (int)net->vlan);
	if (r == 0 && net->adopt)
		r = weir_store_exec(store, WEIR_SQL_ADD_NETWORK_ITEM, NULL, err, "tiitt", net->name,
				    WEIR_ITEM_ADOPTED, 0, net->ifname, (const char *)NULL);
	return r;
}

static int put_lists(struct weir_store *store, const struct weir_network *net, struct weir_err *err)
{
	int r = put_place(store, net, err);
	for (size_t i = 0; r == 0 && i < net->n_excluded; i++)
		r = weir_store_exec(store, WEIR_SQL_ADD_NETWORK_ITEM, NULL, err, "tiiaa", net->name,
				    WEIR_ITEM_EXCLUDED, (int)i, &net->excluded[i].lo,
				    &net->excluded[i].hi);
	for (size_t i = 0; r == 0 && i < net->n_trusted; i++)
		r = weir_store_exec(store, WEIR_SQL_ADD_NETWORK_ITEM, NULL, err, "tiitt", net->name,
				    WEIR_ITEM_TRUSTED, (int)i, net->trusted[i], (const char *)NULL);
	return r;
}

static int put_network(struct weir_store *store, const struct weir_network *net,
		       struct weir_err *err)
{
	int added = 0;
	int r = write_network(store, WEIR_SQL_ADD_NETWORK, net, &added, err);
	if (r == 0 && !added) {
		r = clear_network(store, net->name, err);
		if (r == 0)
			r = write_network(store, WEIR_SQL_CHANGE_NETWORK, net, NULL, err);
	}
	if (r == 0)
		r = weir_store_take_ifname(store, net->ifname, net->name, NULL, &net->origin, err);
	if (r == 0)
		r = put_subnets(store, net, err);
	if (r == 0 && !added)
		r = weir_store_exec(store, WEIR_SQL_SWEEP_SUBNETS, NULL, err, "t", net->name);
	return r < 0 ? r : put_lists(store, net, err);
}

int weir_store_put_network(struct weir_store *store, const struct weir_network *net,
			   struct weir_err *err)
{
	int r = put_network(store, net, err);
	return r < 0 ? weir_store_spoil(store, r) : 0;
}

static int check_unused(struct weir_store *store, const char *name, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_ATTACHED, &row, err, "t", name);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r == 1)
		return weir_err_set(err, EBUSY, "network \"%s\" is in use by endpoint \"%s\"", name,
				    weir_store_text(row, 0));
	return r;
}

int weir_store_remove_network(struct weir_store *store, const char *name, struct weir_err *err)
{
	int rows = 0;
	int r = check_unused(store, name, err);
	if (r == 0)
		r = release_ifname_of(store, name, err);
	if (r == 0)
		r = weir_store_exec(store, WEIR_SQL_REMOVE_NETWORK, &rows, err, "t", name);
	if (r == 0 && !rows)
		r = weir_err_set(err, ENOENT, "no network named \"%s\" (weir network ls)", name);
	return r < 0 ? weir_store_spoil(store, r) : 0;
}

int weir_store_overlap(struct weir_store *store, const struct weir_prefix *prefix,
		       const char *except, struct weir_arena *arena, const char **ret_name,
		       struct weir_prefix *ret_prefix, struct weir_err *err)
{
	struct weir_addr base = weir_prefix_base(prefix), last = weir_prefix_last(prefix);
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_OVERLAP, &row, err, "aat", &base, &last, except);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r < 0)
		return r;
	const char *name = NULL;
	if (r == 1) {
		struct weir_addr their_last = weir_store_addr(row, 3);
		/* of another family, it has a lower one: then its last address is lower as well */
		if (weir_addr_cmp(&their_last, &base) >= 0) {
			name = weir_arena_strdup(arena, weir_store_text(row, 0));
			if (!name)
				return weir_store_no_memory(err);
			*ret_prefix = (struct weir_prefix){ weir_store_addr(row, 1),
							    (uint8_t)sqlite3_column_int(row, 2) };
		}
	}
	*ret_name = name;
	return 0;
}

int weir_store_count_attached(struct weir_store *store, const char *network, size_t *ret,
			      struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_COUNT_ATTACHED, &row, err, "t", network);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r < 0)
		return r;
	*ret = (size_t)sqlite3_column_int64(row, 0);
	return 0;
}

int weir_store_ifname_taken(struct weir_store *store, const char *ifname, bool *ret,
			    struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_IFNAME, &row, err, "t", ifname);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r < 0)
		return r;
	*ret = r == 1;
	return 0;
}

int weir_store_take_ifname(struct weir_store *store, const char *ifname, const char *network,
			   const char *endpoint, const struct weir_place *at, struct weir_err *err)
{
	if (!*ifname)
		return 0;
	int r = weir_store_exec(store, WEIR_SQL_TAKE_IFNAME, NULL, err, "ttt", ifname, network,
				endpoint);
	if (r != -EEXIST)
		return r;
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	r = weir_store_query(store, WEIR_SQL_IFNAME, &row, err, "t", ifname);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r <= 0)
		return r < 0 ? r : weir_store_damaged(store, "interface names", err);
	bool is_network = sqlite3_column_type(row, 1) == SQLITE_NULL;
	return weir_err_at(err, EEXIST, at, "interface name %s is taken by %s \"%s\"", ifname,
			   is_network ? "network" : "endpoint",
			   weir_store_text(row, is_network ? 0 : 1));
}
