/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Published ports in the store: a row for each mapping, and a row for each host port that it takes. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/store_db.h"

enum { MANY = 16 }; /* about where one statement for all is cheaper */

static int blame_port(struct weir_store *store, const char *endpoint,
		      const struct weir_mapping *mapping, uint16_t port, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	char addr[WEIR_ADDR_TEXT];
	const char *owner, *proto = weir_proto_name(mapping->proto);
	int r = weir_store_port_owner(store, &mapping->host, mapping->proto, port, &arena, &owner,
				      err);
	if (r < 0)
		return r;
	(void)weir_addr_text(&mapping->host, addr);
	const char *open = mapping->host.family == WEIR_IPV6 ? "[" : "";
	const char *close = mapping->host.family == WEIR_IPV6 ? "]:" : *addr ? ":" : "";
	if (owner && strcmp(owner, endpoint) == 0)
		return weir_err_at(err, EEXIST, &mapping->origin,
				   "port %s%s%s%u/%s is published twice by endpoint \"%s\"", open,
				   addr, close, port, proto, owner);
	return weir_err_at(err, EEXIST, &mapping->origin,
			   "port %s%s%s%u/%s is taken by endpoint \"%s\" (weir port ls)", open,
			   addr, close, port, proto, owner ? owner : "?");
}

static int take_ports(struct weir_store *store, const char *endpoint,
		      const struct weir_mapping *mapping, struct weir_err *err)
{
	for (unsigned port = mapping->host_ports.lo; port <= mapping->host_ports.hi; port++) {
		int r = weir_store_exec(store, WEIR_SQL_TAKE_PORT, NULL, err, "aiit",
					&mapping->host, (int)mapping->proto, (int)port, endpoint);
		if (r == -EEXIST)
			return blame_port(store, endpoint, mapping, (uint16_t)port, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The ports first: two mappings that begin with one port are refused there, by name. */
static int add_mapping(struct weir_store *store, const char *endpoint,
		       const struct weir_mapping *mapping, struct weir_err *err)
{
	if (weir_mapping_is_open(mapping))
		return weir_err_at(err, EINVAL, &mapping->origin, "no host port was chosen");
	int r = take_ports(store, endpoint, mapping, err);
	if (r < 0)
		return r;
	r = weir_store_exec(store, WEIR_SQL_ADD_MAPPING, NULL, err, "taiiiiiti", endpoint,
			    &mapping->host, (int)mapping->proto, mapping->host_ports.lo,
			    mapping->host_ports.hi, mapping->ports.lo, mapping->ports.hi,
			    mapping->network, mapping->strict);
	if (r == -EEXIST) /* the ports were free, so it is the foreign key */
		return weir_err_at(err, ENOENT, &mapping->origin,
				   "no endpoint named \"%s\" (weir endpoint ls)", endpoint);
	return r;
}

static int drop_mapping(struct weir_store *store, const char *endpoint,
			const struct weir_mapping *mapping, struct weir_err *err)
{
	int r = weir_store_exec(store, WEIR_SQL_REMOVE_MAPPING, NULL, err, "taii", endpoint,
				&mapping->host, (int)mapping->proto, mapping->host_ports.lo);
	if (r < 0)
		return r;
	return weir_store_exec(store, WEIR_SQL_RELEASE_PORTS, NULL, err, "aiii", &mapping->host,
			       (int)mapping->proto, mapping->host_ports.lo, mapping->host_ports.hi);
}

static int compare(const void *a, const void *b)
{
	return weir_mapping_cmp(*(const struct weir_mapping *const *)a,
				*(const struct weir_mapping *const *)b);
}

static int sorted_mappings(struct weir_arena *arena, const struct weir_endpoint *ep,
			   const struct weir_mapping ***ret, struct weir_err *err)
{
	const struct weir_mapping **list = weir_arena_alloc(arena, ep->n_mappings * sizeof(*list));
	if (!list)
		return weir_store_no_memory(err);
	bool sorted = true;
	for (size_t i = 0; i < ep->n_mappings; i++) {
		list[i] = &ep->mappings[i];
		sorted = sorted && (i == 0 || compare(&list[i - 1], &list[i]) <= 0);
	}
	if (!sorted)
		qsort(list, ep->n_mappings, sizeof(*list), compare);
	*ret = list;
	return 0;
}

/* What of a is not in b, in order. Both are sorted. */
static int find_new(struct weir_arena *arena, const struct weir_mapping **a, size_t n_a,
		    const struct weir_mapping **b, size_t n_b, const struct weir_mapping ***ret,
		    size_t *ret_n, struct weir_err *err)
{
	const struct weir_mapping **list = weir_arena_alloc(arena, n_a * sizeof(*list));
	size_t n = 0;
	if (!list)
		return weir_store_no_memory(err);
	for (size_t i = 0, j = 0; i < n_a; i++) {
		while (j < n_b && weir_mapping_cmp(b[j], a[i]) < 0)
			j++;
		if (j < n_b && weir_mapping_cmp(b[j], a[i]) == 0)
			j++; /* one of b answers for one of a only */
		else
			list[n++] = a[i];
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

static int drop_all(struct weir_store *store, const char *endpoint,
		    const struct weir_mapping *const *mappings, size_t n, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = drop_mapping(store, endpoint, mappings[i], err);
	return r;
}

static bool any_open(const struct weir_mapping *const *mappings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (weir_mapping_is_open(mappings[i]))
			return true;
	return false;
}

/* Many at once; where that is refused, one by one, which says whom to blame. */
static int add_mappings(struct weir_store *store, const char *endpoint,
			const struct weir_mapping *const *mappings, size_t n, struct weir_err *err)
{
	int r = -EEXIST;
	if (n >= MANY && !any_open(mappings, n))
		r = weir_store_insert_mappings(store, endpoint, mappings, n, err);
	if (r != -EEXIST)
		return r;
	r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_mapping(store, endpoint, mappings[i], err);
	return r;
}

int weir_store_replace_mappings(struct weir_store *store, const struct weir_endpoint *old,
				const struct weir_endpoint *ep, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	const struct weir_mapping **had, **want, **gone, **new;
	size_t n_gone, n_new;
	int r = sorted_mappings(&arena, old, &had, err);
	if (r == 0)
		r = sorted_mappings(&arena, ep, &want, err);
	if (r == 0)
		r = find_new(&arena, had, old->n_mappings, want, ep->n_mappings, &gone, &n_gone,
			     err);
	if (r == 0)
		r = find_new(&arena, want, ep->n_mappings, had, old->n_mappings, &new, &n_new, err);
	if (r == 0)
		r = drop_all(store, ep->name, gone, n_gone, err);
	return r < 0 ? r : add_mappings(store, ep->name, new, n_new, err);
}

int weir_store_add_mapping(struct weir_store *store, const char *endpoint,
			   const struct weir_mapping *mapping, struct weir_err *err)
{
	int r = add_mapping(store, endpoint, mapping, err);
	return r < 0 ? weir_store_spoil(store, r) : 0;
}

/* network in the arena; -EUCLEAN when the row makes no sense. */
static int read_mapping(struct weir_store *store, sqlite3_stmt *row, struct weir_arena *arena,
			struct weir_mapping *ret, struct weir_err *err)
{
	struct weir_mapping mapping = {
		.host = weir_store_addr(row, 0),
		.proto = (enum weir_proto)sqlite3_column_int(row, 1),
		.host_ports = { (uint16_t)sqlite3_column_int(row, 2),
				(uint16_t)sqlite3_column_int(row, 3) },
		.ports = { (uint16_t)sqlite3_column_int(row, 4),
			   (uint16_t)sqlite3_column_int(row, 5) },
		.strict = sqlite3_column_int(row, 7),
	};
	if (mapping.proto <= WEIR_NO_PROTO || mapping.proto >= WEIR_NUM_PROTOS)
		return weir_store_damaged(store, "a mapping of no protocol", err);
	if (sqlite3_column_type(row, 6) != SQLITE_NULL) {
		mapping.network = weir_arena_strdup(arena, weir_store_text(row, 6));
		if (!mapping.network)
			return weir_store_no_memory(err);
	}
	*ret = mapping;
	return 0;
}

int weir_store_read_mappings(struct weir_store *store, struct weir_model *model,
			     struct weir_endpoint *ep, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_MAPPINGS, &row, err, "t", ep->name);
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1) {
		struct weir_mapping *mapping = weir_endpoint_add_mapping(model, ep);
		if (!mapping)
			return weir_store_no_memory(err);
		r = read_mapping(store, row, &model->arena, mapping, err);
	}
	return r;
}

/* Exact host ports are two look-ups; an open one looks through the endpoint's own. */
int weir_store_find_mapping(struct weir_store *store, const char *endpoint,
			    const struct weir_mapping *mapping, struct weir_arena *arena,
			    struct weir_mapping *ret, struct weir_err *err)
{
	bool open = weir_mapping_is_open(mapping);
	struct weir_ports host = mapping->host_ports;
	if (!host.lo)
		host = (struct weir_ports){ 1, UINT16_MAX };
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, open ? WEIR_SQL_FIND_MAPPING : WEIR_SQL_MAPPING, &row, err,
				 "taiiiiit", endpoint, &mapping->host, (int)mapping->proto, host.lo,
				 host.hi, mapping->ports.lo, mapping->ports.hi, mapping->network);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r == 1)
		return read_mapping(store, row, arena, ret, err);
	char text[WEIR_MAPPING_TEXT];
	return r < 0 ? r
		     : weir_err_at(err, ENOENT, &mapping->origin,
				   "endpoint \"%s\" does not publish %s (weir port ls)", endpoint,
				   weir_mapping_text(mapping, text));
}

/* What is found is what is meant, unless this is a part of it. */
static int refuse_part(const char *endpoint, const struct weir_mapping *mapping,
		       const struct weir_mapping *found, struct weir_err *err)
{
	char text[WEIR_MAPPING_TEXT], whole[WEIR_MAPPING_TEXT];
	if (weir_mapping_is_open(mapping) || weir_mapping_is_within(found, mapping))
		return 0;
	(void)weir_mapping_text(found, whole);
	return weir_err_at(err, EEXIST, &mapping->origin,
			   "endpoint \"%s\" publishes %s as a part of %s, which is changed as a "
			   "whole only (weir port rm %s %s, then add what is to stay)",
			   endpoint, weir_mapping_text(mapping, text), whole, endpoint, whole);
}

int weir_store_remove_mapping(struct weir_store *store, const char *endpoint,
			      const struct weir_mapping *mapping, struct weir_arena *arena,
			      struct weir_mapping *ret, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena own = { 0 };
	struct weir_mapping found;
	int r = weir_store_find_mapping(store, endpoint, mapping, ret ? arena : &own, &found, err);
	if (r == 0)
		r = refuse_part(endpoint, mapping, &found, err);
	if (r == 0)
		r = drop_mapping(store, endpoint, &found, err);
	if (r < 0)
		return weir_store_spoil(store, r);
	if (ret)
		*ret = found;
	return 0;
}

int weir_store_port_owner(struct weir_store *store, const struct weir_addr *addr,
			  enum weir_proto proto, uint16_t port, struct weir_arena *arena,
			  const char **ret_owner, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_PORT_OWNER, &row, err, "aii", addr, (int)proto,
				 (int)port);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r < 0)
		return r;
	const char *owner = NULL;
	if (r == 1) {
		owner = weir_arena_strdup(arena, weir_store_text(row, 0));
		if (!owner)
			return weir_store_no_memory(err);
	}
	*ret_owner = owner;
	return 0;
}
