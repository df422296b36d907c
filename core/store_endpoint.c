/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoints and their attachments in the store.
 *
 * Replacing an endpoint compares it with what is stored and writes the difference: rows that stay are
 * not touched, rows that go are deleted before others come, so that what they held is free again. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store_db.h"
#include "core/sysctl.h"

static int write_endpoint(struct weir_store *store, enum weir_sql id,
			  const struct weir_endpoint *ep, int *ret_rows, struct weir_err *err)
{
	return weir_store_exec(store, id, ret_rows, err, "titlltiilll", ep->name, (int)ep->netns,
			       ep->netns_path, (int64_t)ep->netns_id.dev, (int64_t)ep->netns_id.ino,
			       ep->netns_id.boot, ep->forward, ep->declared, (int64_t)ep->rate.to,
			       (int64_t)ep->rate.from, (int64_t)ep->netns_id.cookie);
}

static int put_sysctls(struct weir_store *store, const struct weir_endpoint *ep,
		       struct weir_err *err)
{
	char text[WEIR_SYSCTL_PATH + WEIR_SYSCTL_VALUE_MAX + 2];
	int r = 0, seq = 0;
	for (size_t i = 0; i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		for (size_t k = 0; r == 0 && k < att->n_sysctls; k++) {
			(void)snprintf(text, sizeof(text), "%s=%s", att->sysctls[k].key,
				       att->sysctls[k].value); /* fits: they were checked */
			r = weir_store_exec(store, WEIR_SQL_ADD_ENDPOINT_ITEM, NULL, err, "tiitti",
					    ep->name, WEIR_ITEM_SYSCTL, seq++, att->network, text,
					    0);
		}
	}
	return r;
}

static int put_lists(struct weir_store *store, const struct weir_endpoint *ep, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < ep->n_labels; i++)
		r = weir_store_exec(store, WEIR_SQL_ADD_ENDPOINT_ITEM, NULL, err, "tiitti",
				    ep->name, WEIR_ITEM_LABEL, (int)i, ep->labels[i].key,
				    ep->labels[i].value, 0);
	for (size_t i = 0; r == 0 && i < ep->n_routes; i++)
		r = weir_store_exec(store, WEIR_SQL_ADD_ENDPOINT_ITEM, NULL, err, "tiiaai",
				    ep->name, WEIR_ITEM_ROUTE, (int)i, &ep->routes[i].to.addr,
				    &ep->routes[i].via, ep->routes[i].to.len);
	for (size_t i = 0; r == 0 && i < ep->n_dns; i++)
		r = weir_store_exec(store, WEIR_SQL_ADD_ENDPOINT_ITEM, NULL, err, "tiiati",
				    ep->name, WEIR_ITEM_DNS, (int)i, &ep->dns[i],
				    (const char *)NULL, 0);
	return r < 0 ? r : put_sysctls(store, ep, err);
}

/* The first row's first column, cut to a name; empty when there is no row. */
static int read_owner(struct weir_store *store, sqlite3_stmt *row, char ret[WEIR_NAME_MAX + 1],
		      struct weir_err *err)
{
	int r = weir_store_step(store, row, err);
	if (r < 0)
		return r;
	(void)snprintf(ret, WEIR_NAME_MAX + 1, "%s", r == 1 ? weir_store_text(row, 0) : "");
	return 0;
}

int weir_store_addr_owner(struct weir_store *store, const char *network,
			  const struct weir_addr *addr, char ret[WEIR_NAME_MAX + 1],
			  struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	enum weir_sql id = addr->family == WEIR_IPV4 ? WEIR_SQL_OWNER_IPV4 : WEIR_SQL_OWNER_IPV6;
	int r = weir_store_query(store, id, &row, err, "ta", network, addr);
	return r < 0 ? r : read_owner(store, row, ret, err);
}

/* A constraint refused the attachment: which, and who is in the way? */
static int blame_attachment(struct weir_store *store, const struct weir_endpoint *ep,
			    const struct weir_attachment *att, struct weir_err *err)
{
	char owner[WEIR_NAME_MAX + 1] = "", text[WEIR_ADDR_TEXT];
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		const struct weir_addr *addr = &att->addrs[family];
		if (!weir_addr_is_set(addr))
			continue;
		int r = weir_store_addr_owner(store, att->network, addr, owner, err);
		if (r < 0)
			return r;
		if (*owner)
			return weir_err_at(err, EEXIST, &att->origin,
					   "address %s is taken by endpoint \"%s\"",
					   weir_addr_text(addr, text), owner);
	}
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_OWNER_MAC, &row, err, "tm", att->network,
				 &att->mac);
	if (r == 0)
		r = read_owner(store, row, owner, err);
	if (r < 0)
		return r;
	if (*owner)
		return weir_err_at(err, EEXIST, &att->origin,
				   "MAC address %s is taken by endpoint \"%s\" in network \"%s\"",
				   weir_mac_text(&att->mac, text), owner, att->network);
	return weir_err_at(err, ENOENT, &att->origin,
			   "endpoint \"%s\": no network named \"%s\" (weir network ls)", ep->name,
			   att->network);
}

static int add_attachment(struct weir_store *store, const struct weir_endpoint *ep,
			  const struct weir_attachment *att, struct weir_err *err)
{
	int r = weir_store_exec(store, WEIR_SQL_ADD_ATTACHMENT, NULL, err, "ttAAmttiiiii", ep->name,
				att->network, &att->addrs[WEIR_IPV4], &att->addrs[WEIR_IPV6],
				&att->mac, att->ifname, att->host_ifname, att->priority,
				(int)att->mtu, (int)(att - ep->attachments), att->isolated,
				att->locked);
	if (r == -EEXIST)
		return blame_attachment(store, ep, att, err);
	if (r < 0)
		return r;
	return weir_store_take_ifname(store, att->host_ifname, att->network, ep->name, &att->origin,
				      err);
}

/* An address that comes back at once counts as freed in the meantime; whoever hands out freed addresses
 * looks whether they still are. */
static int remove_attachment(struct weir_store *store, const char *endpoint,
			     const struct weir_attachment *att, struct weir_err *err)
{
	int r = weir_store_exec(store, WEIR_SQL_REMOVE_ATTACHMENT, NULL, err, "tt", endpoint,
				att->network);
	if (r == 0)
		r = weir_store_exec(store, WEIR_SQL_RELEASE_IFNAME, NULL, err, "t",
				    att->host_ifname);
	for (int family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++)
		if (weir_addr_is_set(&att->addrs[family]))
			r = weir_store_exec(store, WEIR_SQL_FREE, NULL, err, "at",
					    &att->addrs[family], att->network);
	return r;
}

static const struct weir_attachment *find_attachment(const struct weir_endpoint *ep,
						     const char *network)
{
	for (size_t i = 0; i < ep->n_attachments; i++)
		if (strcmp(ep->attachments[i].network, network) == 0)
			return &ep->attachments[i];
	return NULL;
}

static int replace_attachments(struct weir_store *store, const struct weir_endpoint *old,
			       const struct weir_endpoint *ep, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < old->n_attachments; i++) {
		const struct weir_attachment *had = &old->attachments[i];
		const struct weir_attachment *next = find_attachment(ep, had->network);
		if (!next || !weir_attachment_equal(had, next))
			r = remove_attachment(store, ep->name, had, err);
	}
	for (size_t i = 0; r == 0 && i < ep->n_attachments; i++) {
		const struct weir_attachment *next = &ep->attachments[i];
		const struct weir_attachment *had = find_attachment(old, next->network);
		if (!had || !weir_attachment_equal(had, next))
			r = add_attachment(store, ep, next, err);
	}
	return r;
}

static int put_endpoint(struct weir_store *store, const struct weir_endpoint *ep,
			struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model stored = { 0 };
	struct weir_endpoint *old = weir_model_add_endpoint(&stored);
	if (!old)
		return weir_store_no_memory(err);
	old->name = ep->name;
	int added = 0;
	int r = write_endpoint(store, WEIR_SQL_ADD_ENDPOINT, ep, &added, err);
	if (r == 0 && !added) {
		r = write_endpoint(store, WEIR_SQL_CHANGE_ENDPOINT, ep, NULL, err);
		if (r == 0)
			r = weir_store_exec(store, WEIR_SQL_CLEAR_ENDPOINT_ITEMS, NULL, err, "t",
					    ep->name);
		if (r == 0)
			r = weir_store_read_attachments(store, &stored, old, err);
		if (r == 0)
			r = weir_store_read_mappings(store, &stored, old, err);
	}
	if (r == 0)
		r = put_lists(store, ep, err);
	if (r == 0)
		r = replace_attachments(store, old, ep, err);
	return r < 0 ? r : weir_store_replace_mappings(store, old, ep, err);
}

int weir_store_put_endpoint(struct weir_store *store, const struct weir_endpoint *ep,
			    struct weir_err *err)
{
	int r = put_endpoint(store, ep, err);
	return r < 0 ? weir_store_spoil(store, r) : 0;
}

static int no_endpoint(const char *name, struct weir_err *err)
{
	return weir_err_set(err, ENOENT, "no endpoint named \"%s\" (weir endpoint ls)", name);
}

/* Takes away what the endpoint holds; its row takes the rest along (ON DELETE CASCADE). */
static int remove_endpoint(struct weir_store *store, const char *name, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model stored = { 0 };
	struct weir_endpoint *old = weir_model_add_endpoint(&stored);
	if (!old)
		return weir_store_no_memory(err);
	old->name = name;
	const struct weir_endpoint nothing = { .name = name };
	int rows = 0;
	int r = weir_store_read_attachments(store, &stored, old, err);
	if (r == 0)
		r = weir_store_read_mappings(store, &stored, old, err);
	if (r == 0)
		r = replace_attachments(store, old, &nothing, err);
	if (r == 0)
		r = weir_store_replace_mappings(store, old, &nothing, err);
	if (r == 0)
		r = weir_store_exec(store, WEIR_SQL_REMOVE_ENDPOINT, &rows, err, "t", name);
	return r == 0 && !rows ? no_endpoint(name, err) : r;
}

int weir_store_remove_endpoint(struct weir_store *store, const char *name, struct weir_err *err)
{
	int r = remove_endpoint(store, name, err);
	return r < 0 ? weir_store_spoil(store, r) : 0;
}

int weir_store_is_declared(struct weir_store *store, const char *endpoint, bool *ret,
			   struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_IS_DECLARED, &row, err, "t", endpoint);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r < 0)
		return r;
	*ret = r == 1 && sqlite3_column_int(row, 0);
	return 0;
}

int weir_store_set_netns_id(struct weir_store *store, const char *endpoint,
			    const struct weir_netns_id *id, struct weir_err *err)
{
	int rows = 0;
	int r = weir_store_exec(store, WEIR_SQL_SET_NETNS, &rows, err, "tlltl", endpoint,
				(int64_t)id->dev, (int64_t)id->ino, id->boot, (int64_t)id->cookie);
	return r == 0 && !rows ? weir_store_spoil(store, no_endpoint(endpoint, err)) : r;
}

int weir_store_netns_owner(struct weir_store *store, const struct weir_netns_id *id,
			   const char *except, struct weir_arena *arena, const char **ret_name,
			   struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_NETNS_OWNER, &row, err, "llttl", (int64_t)id->dev,
				 (int64_t)id->ino, id->boot, except, (int64_t)id->cookie);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r < 0)
		return r;
	const char *name = r == 1 ? weir_arena_strdup(arena, weir_store_text(row, 0)) : NULL;
	if (r == 1 && !name)
		return weir_store_no_memory(err);
	*ret_name = name;
	return 0;
}
