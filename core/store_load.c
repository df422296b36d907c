/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the store into a model: whole, or the part that a change touches. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/nameset.h"
#include "core/store_db.h"

/* Text of a column in the model's arena; NULL stays NULL. -ENOMEM. */
static int copy_text(struct weir_model *model, sqlite3_stmt *row, int column, const char **ret,
		     struct weir_err *err)
{
	if (sqlite3_column_type(row, column) == SQLITE_NULL)
		return 0;
	const char *text = weir_arena_strdup(&model->arena, weir_store_text(row, column));
	if (!text)
		return weir_store_no_memory(err);
	*ret = text;
	return 0;
}

static int read_subnets(struct weir_store *store, struct weir_model *model,
			struct weir_network *net, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_SUBNETS, &row, err, "t", net->name);
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1) {
		struct weir_subnet *subnets = weir_arena_grow(&model->arena, net->subnets,
							      net->n_subnets, sizeof(*subnets));
		if (!subnets)
			return weir_store_no_memory(err);
		net->subnets = subnets;
		struct weir_prefix prefix = { weir_store_addr(row, 0),
					      (uint8_t)sqlite3_column_int(row, 1) };
		if (!weir_addr_is_set(&prefix.addr) ||
		    prefix.len > weir_family_bits(prefix.addr.family))
			return weir_store_damaged(store, "an impossible subnet", err);
		subnets[net->n_subnets++] =
			(struct weir_subnet){ .prefix = prefix,
					      .gateway = weir_store_addr(row, 2) };
		r = 0;
	}
	return r;
}

static int add_excluded(struct weir_model *model, struct weir_network *net, sqlite3_stmt *row,
			struct weir_err *err)
{
	struct weir_range *items =
		weir_arena_grow(&model->arena, net->excluded, net->n_excluded, sizeof(*items));
	if (!items)
		return weir_store_no_memory(err);
	net->excluded = items;
	items[net->n_excluded++] =
		(struct weir_range){ weir_store_addr(row, 1), weir_store_addr(row, 2) };
	return 0;
}

static int add_trusted(struct weir_model *model, struct weir_network *net, sqlite3_stmt *row,
		       struct weir_err *err)
{
	const char **items =
		weir_arena_grow(&model->arena, net->trusted, net->n_trusted, sizeof(*items));
	const char *ifname = weir_arena_strdup(&model->arena, weir_store_text(row, 1));
	if (!items || !ifname)
		return weir_store_no_memory(err);
	net->trusted = items;
	items[net->n_trusted++] = ifname;
	return 0;
}

static int add_item(struct weir_store *store, struct weir_model *model, struct weir_network *net,
		    sqlite3_stmt *row, struct weir_err *err)
{
	switch (sqlite3_column_int(row, 0)) {
	case WEIR_ITEM_EXCLUDED:
		return add_excluded(model, net, row, err);
	case WEIR_ITEM_TRUSTED:
		return add_trusted(model, net, row, err);
	case WEIR_ITEM_PARENT:
		weir_store_ifname(row, 1, net->parent);
		net->vlan = (unsigned)sqlite3_column_int(row, 2);
		return 0;
	case WEIR_ITEM_ADOPTED:
		net->adopt = true;
		return 0;
	default:
		return weir_store_damaged(store, "an impossible network", err);
	}
}

static int read_network_lists(struct weir_store *store, struct weir_model *model,
			      struct weir_network *net, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_NETWORK_ITEMS, &row, err, "t", net->name);
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1)
		r = add_item(store, model, net, row, err);
	return r;
}

static int read_network_row(struct weir_store *store, struct weir_model *model,
			    struct weir_network *net, sqlite3_stmt *row, struct weir_err *err)
{
	net->mode = (enum weir_mode)sqlite3_column_int(row, 0);
	weir_store_ifname(row, 1, net->ifname);
	net->gateways[WEIR_IPV4] = weir_store_addr(row, 3);
	net->gateways[WEIR_IPV6] = weir_store_addr(row, 4);
	net->nat = (enum weir_nat)sqlite3_column_int(row, 5);
	net->nat_addr[WEIR_IPV4] = weir_store_addr(row, 6);
	net->nat_addr[WEIR_IPV6] = weir_store_addr(row, 7);
	net->mtu = (unsigned)sqlite3_column_int(row, 8);
	net->mac = weir_store_mac(row, 9);
	net->internal = sqlite3_column_int(row, 10);
	net->isolate = sqlite3_column_int(row, 11);
	net->host_deny = sqlite3_column_int(row, 12);
	net->filter_bridged = sqlite3_column_int(row, 13);
	net->declared = sqlite3_column_int(row, 14);
	net->egress = (enum weir_default)sqlite3_column_int(row, 15);
	net->ingress = (enum weir_default)sqlite3_column_int(row, 16);
	net->filtered = sqlite3_column_int(row, 17);
	net->no_spoof_guard = sqlite3_column_int(row, 18);
	net->strict = sqlite3_column_int(row, 19);
	net->nat_random = sqlite3_column_int(row, 20);
	if (net->mode >= WEIR_NUM_MODES || net->nat >= WEIR_NUM_NATS ||
	    net->egress >= WEIR_NUM_DEFAULTS || net->ingress >= WEIR_NUM_DEFAULTS)
		return weir_store_damaged(store, "an impossible network", err);
	return copy_text(model, row, 2, &net->gateway_endpoint, err);
}

/* The row of an object by its name: 1 there is, 0 there is none, -errno. */
static int find(struct weir_store *store, enum weir_sql id, const char *name, sqlite3_stmt **ret,
		struct weir_err *err)
{
	int r = weir_store_query(store, id, ret, err, "t", name);
	return r < 0 ? r : weir_store_step(store, *ret, err);
}

static int load_network(struct weir_store *store, const char *name, struct weir_model *model,
			struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = find(store, WEIR_SQL_NETWORK, name, &row, err);
	if (r <= 0)
		return r;
	struct weir_network *net = weir_model_add_network(model);
	if (!net || !(net->name = weir_arena_strdup(&model->arena, name)))
		return weir_store_no_memory(err);
	r = read_network_row(store, model, net, row, err);
	if (r == 0)
		r = read_subnets(store, model, net, err);
	return r < 0 ? r : read_network_lists(store, model, net, err);
}

static int add_label(struct weir_model *model, struct weir_endpoint *ep, sqlite3_stmt *row,
		     struct weir_err *err)
{
	struct weir_label *items =
		weir_arena_grow(&model->arena, ep->labels, ep->n_labels, sizeof(*items));
	const char *key = weir_arena_strdup(&model->arena, weir_store_text(row, 1));
	const char *value = weir_arena_strdup(&model->arena, weir_store_text(row, 2));
	if (!items || !key || !value)
		return weir_store_no_memory(err);
	ep->labels = items;
	items[ep->n_labels++] = (struct weir_label){ key, value };
	return 0;
}

static int add_route(struct weir_model *model, struct weir_endpoint *ep, sqlite3_stmt *row,
		     struct weir_err *err)
{
	struct weir_route *items =
		weir_arena_grow(&model->arena, ep->routes, ep->n_routes, sizeof(*items));
	if (!items)
		return weir_store_no_memory(err);
	ep->routes = items;
	items[ep->n_routes++] = (struct weir_route){
		.to = { weir_store_addr(row, 1), (uint8_t)sqlite3_column_int(row, 3) },
		.via = weir_store_addr(row, 2),
	};
	return 0;
}

static int add_dns(struct weir_model *model, struct weir_endpoint *ep, sqlite3_stmt *row,
		   struct weir_err *err)
{
	struct weir_addr *items =
		weir_arena_grow(&model->arena, ep->dns, ep->n_dns, sizeof(*items));
	if (!items)
		return weir_store_no_memory(err);
	ep->dns = items;
	items[ep->n_dns++] = weir_store_addr(row, 1);
	return 0;
}

static int add_sysctl(struct weir_model *model, struct weir_endpoint *ep, sqlite3_stmt *row,
		      struct weir_err *err)
{
	struct weir_attachment *att = weir_endpoint_attachment(ep, weir_store_text(row, 1));
	char *key = weir_arena_strdup(&model->arena, weir_store_text(row, 2));
	char *equals = key ? strchr(key, '=') : NULL;
	if (!key)
		return weir_store_no_memory(err);
	if (!att || !equals)
		return weir_err_set(err, EBADMSG, "the store has a sysctl of no attachment");
	*equals = '\0';
	struct weir_sysctl *items =
		weir_arena_grow(&model->arena, att->sysctls, att->n_sysctls, sizeof(*items));
	if (!items)
		return weir_store_no_memory(err);
	att->sysctls = items;
	items[att->n_sysctls++] = (struct weir_sysctl){ key, equals + 1 };
	return 0;
}

static int read_endpoint_lists(struct weir_store *store, struct weir_model *model,
			       struct weir_endpoint *ep, struct weir_err *err)
{
	static int (*const adders[])(struct weir_model *, struct weir_endpoint *, sqlite3_stmt *,
				     struct weir_err *) = {
		[WEIR_ITEM_LABEL] = add_label,
		[WEIR_ITEM_ROUTE] = add_route,
		[WEIR_ITEM_DNS] = add_dns,
		[WEIR_ITEM_SYSCTL] = add_sysctl,
	};
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_ENDPOINT_ITEMS, &row, err, "t", ep->name);
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1) {
		unsigned kind = (unsigned)sqlite3_column_int(row, 0);
		if (kind >= sizeof(adders) / sizeof(adders[0]))
			return weir_store_damaged(store, "an endpoint with something unknown", err);
		r = adders[kind](model, ep, row, err);
	}
	return r;
}

int weir_store_read_attachments(struct weir_store *store, struct weir_model *model,
				struct weir_endpoint *ep, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_ATTACHMENTS, &row, err, "t", ep->name);
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1) {
		struct weir_attachment *att = weir_endpoint_add_attachment(model, ep);
		if (!att)
			return weir_store_no_memory(err);
		att->addrs[WEIR_IPV4] = weir_store_addr(row, 1);
		att->addrs[WEIR_IPV6] = weir_store_addr(row, 2);
		att->mac = weir_store_mac(row, 3);
		weir_store_ifname(row, 4, att->ifname);
		weir_store_ifname(row, 5, att->host_ifname);
		att->priority = sqlite3_column_int(row, 6);
		att->mtu = (unsigned)sqlite3_column_int(row, 7);
		att->isolated = sqlite3_column_int(row, 8);
		att->locked = sqlite3_column_int(row, 9);
		r = copy_text(model, row, 0, &att->network, err);
	}
	return r;
}

static int read_endpoint_row(struct weir_store *store, struct weir_model *model,
			     struct weir_endpoint *ep, sqlite3_stmt *row, struct weir_err *err)
{
	ep->netns = (enum weir_netns_kind)sqlite3_column_int(row, 0);
	ep->netns_id.dev = (dev_t)sqlite3_column_int64(row, 2);
	ep->netns_id.ino = (ino_t)sqlite3_column_int64(row, 3);
	(void)snprintf(ep->netns_id.boot, sizeof(ep->netns_id.boot), "%s", weir_store_text(row, 4));
	ep->forward = sqlite3_column_int(row, 5);
	ep->declared = sqlite3_column_int(row, 6);
	ep->rate.to = (uint64_t)sqlite3_column_int64(row, 7);
	ep->rate.from = (uint64_t)sqlite3_column_int64(row, 8);
	ep->netns_id.cookie = (uint64_t)sqlite3_column_int64(row, 9);
	if (ep->netns >= WEIR_NUM_NETNS_KINDS)
		return weir_store_damaged(store, "an impossible endpoint", err);
	return copy_text(model, row, 1, &ep->netns_path, err);
}

static int load_endpoint(struct weir_store *store, const char *name, bool mappings,
			 struct weir_model *model, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = find(store, WEIR_SQL_ENDPOINT, name, &row, err);
	if (r <= 0)
		return r;
	struct weir_endpoint *ep = weir_model_add_endpoint(model);
	if (!ep || !(ep->name = weir_arena_strdup(&model->arena, name)))
		return weir_store_no_memory(err);
	r = read_endpoint_row(store, model, ep, row, err);
	if (r == 0)
		r = weir_store_read_attachments(store, model, ep, err);
	if (r == 0)
		r = read_endpoint_lists(store, model, ep, err);
	return r == 0 && mappings ? weir_store_read_mappings(store, model, ep, err) : r;
}

/* Names to load, each once. */
struct names {
	struct weir_arena arena;
	struct weir_nameset set;
};

static void free_names(struct names *names)
{
	weir_arena_free(&names->arena);
}
#define CLEAN_NAMES __attribute__((cleanup(free_names)))

static int add_name(struct names *names, const char *name, struct weir_err *err)
{
	return weir_nameset_add(&names->set, &names->arena, name, err);
}

/* The first column of each row. */
static int add_rows(struct weir_store *store, sqlite3_stmt *row, struct names *names,
		    struct weir_err *err)
{
	int r = 0;
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1) {
		const char *name = weir_arena_strdup(&names->arena, weir_store_text(row, 0));
		r = name ? add_name(names, name, err) : weir_store_no_memory(err);
	}
	return r;
}

/* The names that are given, or with `all` those that the store has. Sorted. */
static int collect(struct weir_store *store, enum weir_sql all_sql, bool all, const char **given,
		   size_t n_given, struct names *names, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && !all && i < n_given; i++)
		r = add_name(names, given[i], err);
	if (r == 0 && all) {
		WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
		r = weir_store_query(store, all_sql, &row, err, "");
		if (r == 0)
			r = add_rows(store, row, names, err);
	}
	weir_nameset_unite(&names->set);
	return r;
}

static int add_members(struct weir_store *store, const char *network, struct names *names,
		       struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_ATTACHED, &row, err, "t", network);
	return r < 0 ? r : add_rows(store, row, names, err);
}

static int load_endpoints(struct weir_store *store, const struct weir_scope *scope,
			  struct weir_model *model, struct weir_err *err)
{
	CLEAN_NAMES struct names names = { 0 };
	int r = collect(store, WEIR_SQL_ENDPOINTS, scope->all, scope->endpoints, scope->n_endpoints,
			&names, err);
	for (size_t i = 0; r == 0 && scope->members && i < scope->n_networks; i++)
		r = add_members(store, scope->networks[i], &names, err);
	weir_nameset_unite(&names.set);
	const struct weir_model had = *model; /* sorted; what is added now has other names */
	for (size_t i = 0; r == 0 && i < names.set.n; i++)
		if (!weir_model_endpoint(&had, names.set.items[i]))
			r = load_endpoint(store, names.set.items[i], !scope->no_mappings, model,
					  err);
	return r;
}

static int load_networks(struct weir_store *store, const struct weir_scope *scope,
			 size_t first_endpoint, struct weir_model *model, struct weir_err *err)
{
	CLEAN_NAMES struct names names = { 0 };
	int r = collect(store, WEIR_SQL_NETWORKS, scope->all, scope->networks, scope->n_networks,
			&names, err);
	for (size_t i = first_endpoint; r == 0 && !scope->all && i < model->n_endpoints; i++)
		for (size_t j = 0; r == 0 && j < model->endpoints[i].n_attachments; j++)
			r = add_name(&names, model->endpoints[i].attachments[j].network, err);
	weir_nameset_unite(&names.set);
	const struct weir_model had = *model; /* as above */
	for (size_t i = 0; r == 0 && i < names.set.n; i++)
		if (!weir_model_network(&had, names.set.items[i]))
			r = load_network(store, names.set.items[i], model, err);
	return r;
}

int weir_store_load(struct weir_store *store, const struct weir_scope *scope,
		    struct weir_model *model, struct weir_err *err)
{
	weir_model_sort(model);
	size_t first_endpoint = model->n_endpoints;
	int r = scope->only_networks ? 0 : load_endpoints(store, scope, model, err);
	if (r == 0)
		r = load_networks(store, scope, first_endpoint, model, err);
	if (r == 0 && scope->policies && !model->n_policies)
		r = weir_store_read_policies(store, model, err);
	weir_model_sort(model);
	return r;
}
