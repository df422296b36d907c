/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the store knows about the host: whose it is, its epoch, the address pools, changed sysctls. */
#include <errno.h>
#include <stdio.h>

#include "core/store_db.h"

int weir_store_meta(struct weir_store *store, struct weir_store_meta *ret, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_META, &row, err, "");
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r <= 0)
		return r < 0 ? r : weir_store_damaged(store, "it does not say whose it is", err);
	struct weir_store_meta meta = {
		.owner = { .dev = (dev_t)sqlite3_column_int64(row, 1),
			   .ino = (ino_t)sqlite3_column_int64(row, 2) },
		.counter = (uint32_t)sqlite3_column_int64(row, 5),
		.generation = (uint32_t)sqlite3_column_int64(row, 6),
	};
	(void)snprintf(meta.uuid, sizeof(meta.uuid), "%s", weir_store_text(row, 0));
	(void)snprintf(meta.owner.boot, sizeof(meta.owner.boot), "%s", weir_store_text(row, 3));
	(void)snprintf(meta.backend, sizeof(meta.backend), "%s", weir_store_text(row, 4));
	*ret = meta;
	return 0;
}

int weir_store_set_meta(struct weir_store *store, const struct weir_store_meta *meta,
			struct weir_err *err)
{
	return weir_store_exec(store, WEIR_SQL_SET_META, NULL, err, "tllttll", meta->uuid,
			       (int64_t)meta->owner.dev, (int64_t)meta->owner.ino, meta->owner.boot,
			       meta->backend, (int64_t)meta->counter, (int64_t)meta->generation);
}

int weir_store_pools(struct weir_store *store, struct weir_model *model, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_POOLS, &row, err, "");
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1) {
		struct weir_pool *pools = weir_arena_grow(&model->arena, model->pools,
							  model->n_pools, sizeof(*pools));
		if (!pools)
			return weir_store_no_memory(err);
		model->pools = pools;
		pools[model->n_pools++] = (struct weir_pool){
			.prefix = { weir_store_addr(row, 0), (uint8_t)sqlite3_column_int(row, 1) },
			.size = (uint8_t)sqlite3_column_int(row, 2),
		};
		r = 0;
	}
	return r;
}

int weir_store_set_pools(struct weir_store *store, const struct weir_pool *pools, size_t n,
			 struct weir_err *err)
{
	int r = weir_store_exec(store, WEIR_SQL_CLEAR_POOLS, NULL, err, "");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = weir_store_exec(store, WEIR_SQL_ADD_POOL, NULL, err, "iaii", (int)i,
				    &pools[i].prefix.addr, pools[i].prefix.len, pools[i].size);
	return r;
}

int weir_store_sysctls(struct weir_store *store, struct weir_arena *arena,
		       struct weir_stored_sysctl **ret, size_t *ret_n, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	struct weir_stored_sysctl *items = NULL;
	size_t n = 0;
	int r = weir_store_query(store, WEIR_SQL_SYSCTLS, &row, err, "");
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1) {
		items = weir_arena_grow(arena, items, n, sizeof(*items));
		const char *key = weir_arena_strdup(arena, weir_store_text(row, 0));
		if (!items || !key)
			return weir_store_no_memory(err);
		items[n++] = (struct weir_stored_sysctl){ key, sqlite3_column_int64(row, 1),
							  sqlite3_column_int64(row, 2) };
		r = 0;
	}
	if (r < 0)
		return r;
	*ret = items;
	*ret_n = n;
	return 0;
}

int weir_store_put_sysctl(struct weir_store *store, const struct weir_stored_sysctl *sysctl,
			  struct weir_err *err)
{
	return weir_store_exec(store, WEIR_SQL_PUT_SYSCTL, NULL, err, "tll", sysctl->key,
			       (int64_t)sysctl->old, (int64_t)sysctl->set);
}

int weir_store_remove_sysctl(struct weir_store *store, const char *key, struct weir_err *err)
{
	int rows = 0;
	int r = weir_store_exec(store, WEIR_SQL_REMOVE_SYSCTL, &rows, err, "t", key);
	if (r == 0 && rows == 0)
		return weir_err_set(err, ENOENT, "%s was not changed by weir", key);
	return r;
}
