/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings as a table that SQL can read: many are inserted by one statement.
 *
 * How it works: the table `published` (a virtual one, of this connection only) has a row for each host
 * port of store->rows. A statement of its own for each row would look for the row's place from the
 * root, and cost more for its start and end than for the row; one INSERT … SELECT in the tree's order
 * appends. Which row a constraint refused it does not say: the caller asks again, row by row. */
#include <string.h>

#include "core/store_db.h"

enum column { ADDR, PROTO, PORT, LO, HI, TO_LO, TO_HI, NETWORK, STRICT };

static const char declaration[] =
	"CREATE TABLE published(addr, proto, port, lo, hi, to_lo, to_hi, network, strict)";

struct table {
	sqlite3_vtab base; /* SQLite's part, first */
	const struct weir_store *store;
};

struct cursor {
	sqlite3_vtab_cursor base; /* SQLite's part, first */
	const struct weir_store *store;
	size_t i;
	unsigned port;
	sqlite3_int64 rowid;
};

static int connect_table(sqlite3 *db, void *store, int argc, const char *const *argv,
			 sqlite3_vtab **ret, char **ret_text)
{
	(void)argc;
	(void)argv;
	(void)ret_text;
	int rc = sqlite3_declare_vtab(db, declaration);
	struct table *table = rc == SQLITE_OK ? sqlite3_malloc(sizeof(*table)) : NULL;
	if (!table)
		return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
	*table = (struct table){ .store = store };
	*ret = &table->base;
	return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

/* There is one way to read it: all of it, in order. */
static int plan_reading(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table;
	info->estimatedCost = 1000;
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
	struct cursor *cursor = sqlite3_malloc(sizeof(*cursor));
	if (!cursor)
		return SQLITE_NOMEM;
	*cursor = (struct cursor){ .store = ((struct table *)table)->store };
	*ret = &cursor->base;
	return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static const struct weir_mapping *mapping_at(const struct cursor *cursor)
{
	return cursor->store->rows[cursor->i];
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
	const struct cursor *cursor = (const struct cursor *)base;
	return cursor->i >= cursor->store->n_rows;
}

static int go_to_first(sqlite3_vtab_cursor *base, int way, const char *name, int argc,
		       sqlite3_value **argv)
{
	struct cursor *cursor = (struct cursor *)base;
	(void)way;
	(void)name;
	(void)argc;
	(void)argv;
	cursor->i = 0;
	cursor->rowid = 0;
	cursor->port = cursor->store->n_rows ? mapping_at(cursor)->host_ports.lo : 0;
	return SQLITE_OK;
}

static int go_to_next(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;
	cursor->rowid++;
	if (cursor->port < mapping_at(cursor)->host_ports.hi)
		cursor->port++;
	else if (++cursor->i < cursor->store->n_rows)
		cursor->port = mapping_at(cursor)->host_ports.lo;
	return SQLITE_OK;
}

static int give_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = ((struct cursor *)base)->rowid;
	return SQLITE_OK;
}

static int give_number(sqlite3_context *to, unsigned number)
{
	sqlite3_result_int(to, (int)number);
	return SQLITE_OK;
}

static int give_column(sqlite3_vtab_cursor *base, sqlite3_context *to, int column)
{
	const struct cursor *cursor = (const struct cursor *)base;
	const struct weir_mapping *m = mapping_at(cursor);
	const unsigned numbers[] = {
		[PROTO] = m->proto,	 [PORT] = cursor->port, [LO] = m->host_ports.lo,
		[HI] = m->host_ports.hi, [TO_LO] = m->ports.lo, [TO_HI] = m->ports.hi,
		[STRICT] = m->strict,
	};

	if (column == ADDR)
		sqlite3_result_blob(to, &m->host, weir_store_addr_size(&m->host), SQLITE_STATIC);
	else if (column == NETWORK)
		sqlite3_result_text(to, m->network, -1, SQLITE_STATIC); /* none: NULL */
	else
		return give_number(to, numbers[column]);
	return SQLITE_OK;
}

static const sqlite3_module module = {
	.xConnect = connect_table, /* no xCreate: nobody can make another one of these */
	.xDisconnect = disconnect_table,
	.xBestIndex = plan_reading,
	.xOpen = open_cursor,
	.xClose = close_cursor,
	.xFilter = go_to_first,
	.xNext = go_to_next,
	.xEof = is_at_end,
	.xColumn = give_column,
	.xRowid = give_rowid,
};

static int register_table(struct weir_store *store, struct weir_err *err)
{
	if (store->has_published)
		return 0;
	int rc = sqlite3_create_module(store->db, "published", &module, store);
	store->has_published = rc == SQLITE_OK;
	return rc == SQLITE_OK ? 0 : weir_store_fail(store, rc, err);
}

int weir_store_insert_mappings(struct weir_store *store, const char *endpoint,
			       const struct weir_mapping *const *mappings, size_t n,
			       struct weir_err *err)
{
	int r = register_table(store, err);
	if (r < 0)
		return weir_store_spoil(store, r);
	store->rows = mappings;
	store->n_rows = n;
	r = weir_store_exec(store, WEIR_SQL_TAKE_MANY_PORTS, NULL, err, "t", endpoint);
	if (r == 0)
		r = weir_store_exec(store, WEIR_SQL_ADD_MANY_MAPPINGS, NULL, err, "t", endpoint);
	store->rows = NULL;
	store->n_rows = 0;
	return r;
}
