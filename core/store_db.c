/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running the store's statements, its transactions, and SQLite's errors in words. */
#include "core/store_db.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Addresses are bound and read as they lie in memory: the family, then the bytes. */
static_assert(sizeof(struct weir_addr) == 17 && offsetof(struct weir_addr, bytes) == 1,
	      "an address is its own BLOB");

int weir_store_no_memory(struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "out of memory");
}

int weir_store_damaged(struct weir_store *store, const char *what, struct weir_err *err)
{
	return weir_err_set(err, EUCLEAN,
			    "%s is damaged (%s): restore a copy or move it away, %s-wal as well, "
			    "then run `weir repair`",
			    store->path, what, store->path);
}

static int fail_io(struct weir_store *store, struct weir_err *err)
{
	int cause = sqlite3_system_errno(store->db);
	if (cause == ENOSPC || cause == EDQUOT)
		return weir_err_set(err, ENOSPC,
				    "the disk under %s is full: make room and try again",
				    store->path);
	return weir_err_errno(err, cause > 0 ? cause : EIO, "reading or writing %s", store->path);
}

static int fail_open(struct weir_store *store, struct weir_err *err)
{
	int cause = sqlite3_system_errno(store->db);
	return weir_err_errno(err, cause > 0 ? cause : EIO, "opening %s", store->path);
}

static int fail_words(struct weir_store *store, int rc, struct weir_err *err)
{
	static const struct {
		int rc, code;
		const char *words; /* with the store's path */
	} causes[] = {
		{ SQLITE_FULL, ENOSPC, "the disk under %s is full: make room and try again" },
		{ SQLITE_READONLY, EROFS,
		  "%s cannot be written: is its file system mounted read-only?" },
		{ SQLITE_BUSY, EBUSY,
		  "%s is held by another program (a backup, a shell?): try again" },
		{ SQLITE_LOCKED, EBUSY,
		  "%s is held by another program (a backup, a shell?): try again" },
		{ SQLITE_PROTOCOL, EBUSY,
		  "%s is held by another program (a backup, a shell?): try again" },
		{ SQLITE_PERM, EACCES, "%s: permission denied" },
		{ SQLITE_NOLFS, EFBIG, "%s is too large for this system" },
	};
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (causes[i].rc == (rc & 0xff)) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the table above */
			return weir_err_set(err, causes[i].code, causes[i].words, store->path);
#pragma GCC diagnostic pop
		}
	return weir_store_damaged(store, sqlite3_errmsg(store->db), err);
}

int weir_store_fail(struct weir_store *store, int rc, struct weir_err *err)
{
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return weir_store_no_memory(err);
	case SQLITE_IOERR:
		return rc == SQLITE_IOERR_NOMEM ? weir_store_no_memory(err) : fail_io(store, err);
	case SQLITE_CANTOPEN:
		return fail_open(store, err);
	default: /* what remains (a table is missing, a page is nonsense) only damage explains */
		return fail_words(store, rc, err);
	}
}

int weir_store_spoil(struct weir_store *store, int r)
{
	store->spoilt = true;
	return r;
}

static int prepare(struct weir_store *store, enum weir_sql id, struct weir_err *err)
{
	if (store->statements[id])
		return 0;
	int rc =
		sqlite3_prepare_v2(store->db, weir_store_sql[id], -1, &store->statements[id], NULL);
	return rc == SQLITE_OK ? 0 : weir_store_fail(store, rc, err);
}

static int bind_blob(sqlite3_stmt *query, int i, const void *bytes, int size, bool none_is_null)
{
	if (!size && none_is_null)
		return sqlite3_bind_null(query, i);
	return sqlite3_bind_blob(query, i, bytes, size, SQLITE_STATIC);
}

int weir_store_addr_size(const struct weir_addr *addr)
{
	return weir_addr_is_set(addr) ? 1 + (int)weir_family_bits(addr->family) / 8 : 0;
}

static int bind(sqlite3_stmt *query, const char *format, va_list args)
{
	int rc = SQLITE_OK;
	for (int i = 1; *format && rc == SQLITE_OK; i++, format++) {
		if (*format == 'i') {
			rc = sqlite3_bind_int(query, i, va_arg(args, int));
		} else if (*format == 'l') {
			rc = sqlite3_bind_int64(query, i, va_arg(args, int64_t));
		} else if (*format == 't') {
			rc = sqlite3_bind_text(query, i, va_arg(args, const char *), -1,
					       SQLITE_STATIC);
		} else if (*format == 'm') {
			const struct weir_mac *mac = va_arg(args, const struct weir_mac *);
			rc = bind_blob(query, i, mac->bytes, weir_mac_is_set(mac) ? 6 : 0, true);
		} else {
			assert(*format == 'a' || *format == 'A');
			const struct weir_addr *addr = va_arg(args, const struct weir_addr *);
			rc = bind_blob(query, i, addr, weir_store_addr_size(addr), *format == 'A');
		}
	}
	return rc;
}

static int ready(struct weir_store *store, enum weir_sql id, const char *format, va_list args,
		 struct weir_err *err)
{
	int r = prepare(store, id, err);
	if (r < 0)
		return r;
	(void)sqlite3_reset(store->statements[id]); /* what it says belongs to its last run */
	int rc = bind(store->statements[id], format, args);
	return rc == SQLITE_OK ? 0 : weir_store_fail(store, rc, err);
}

int weir_store_query(struct weir_store *store, enum weir_sql id, sqlite3_stmt **ret,
		     struct weir_err *err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int r = ready(store, id, format, args, err);
	va_end(args);
	if (r == 0)
		*ret = store->statements[id];
	return r;
}

int weir_store_step(struct weir_store *store, sqlite3_stmt *query, struct weir_err *err)
{
	int rc = sqlite3_step(query);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : weir_store_fail(store, rc, err);
}

int weir_store_exec(struct weir_store *store, enum weir_sql id, int *ret_rows, struct weir_err *err,
		    const char *format, ...)
{
	assert(store->in_transaction || id == WEIR_SQL_BEGIN);
	va_list args;
	va_start(args, format);
	int r = ready(store, id, format, args, err);
	va_end(args);
	if (r < 0)
		return weir_store_spoil(store, r);
	int rc = sqlite3_step(store->statements[id]);
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		r = -EEXIST;
	else if (rc != SQLITE_DONE)
		r = weir_store_fail(store, rc, err);
	(void)sqlite3_reset(store->statements[id]); /* repeats rc */
	if (r < 0)
		return weir_store_spoil(store, r);
	if (ret_rows)
		*ret_rows = sqlite3_changes(store->db);
	return 0;
}

int weir_store_exec_text(struct weir_store *store, const char *sql, struct weir_err *err)
{
	int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : weir_store_fail(store, rc, err);
}

int weir_store_begin_reading(struct weir_store *store, struct weir_err *err)
{
	return weir_store_exec_text(store, "BEGIN DEFERRED", err);
}

int weir_store_begin(struct weir_store *store, bool durable, struct weir_err *err)
{
	assert(!store->in_transaction);
	if (store->normal == durable) {
		int r = weir_store_exec_text(
			store, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
			err);
		if (r < 0)
			return r;
		store->normal = !durable;
	}
	store->spoilt = false;
	int r = weir_store_exec(store, WEIR_SQL_BEGIN, NULL, err, "");
	if (r == 0)
		store->in_transaction = true;
	return r;
}

/* A commit whose sync failed stands complete in the log: this connection disregards it, but the next
 * process would read it as done. Another write takes its place in the log: of the id that is there
 * already, since that always writes, whereas an UPDATE to the same values does not. */
static void bury_failed_commit(struct weir_store *store)
{
	char sql[96];
	(void)snprintf(sql, sizeof(sql), "PRAGMA synchronous=NORMAL; PRAGMA application_id=%d",
		       WEIR_STORE_APPLICATION);
	(void)sqlite3_exec(store->db, sql, NULL, NULL,
			   NULL); /* should this fail, too, nothing is left to try */
	store->normal = true;
}

int weir_store_commit(struct weir_store *store, struct weir_err *err)
{
	assert(store->in_transaction);
	if (store->spoilt) {
		weir_store_rollback(store);
		return weir_err_set(err, ECANCELED,
				    "nothing was written to %s: a part of it had failed",
				    store->path);
	}
	int r = weir_store_exec(store, WEIR_SQL_COMMIT, NULL, err, "");
	if (r < 0) {
		weir_store_rollback(store);
		bury_failed_commit(store);
		return r;
	}
	store->in_transaction = false;
	store->has_written = true;
	return 0;
}

void weir_store_rollback(struct weir_store *store)
{
	if (!store->in_transaction)
		return;
	/* After a failed write SQLite may have rolled back by itself; and should rolling back fail,
	 * closing the connection does it, since only a commit's frame makes the others count. */
	if (!sqlite3_get_autocommit(store->db))
		(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	store->in_transaction = false;
	store->spoilt = false;
}

struct weir_addr weir_store_addr(sqlite3_stmt *query, int column)
{
	struct weir_addr addr = { 0 };
	const void *blob = sqlite3_column_blob(query, column);
	int size = sqlite3_column_bytes(query, column);
	if (blob && size > 1 && size <= (int)sizeof(addr))
		memcpy(&addr, blob, (size_t)size);
	bool sound = addr.family < WEIR_NUM_FAMILIES && size == weir_store_addr_size(&addr);
	return sound ? addr : (struct weir_addr){ 0 };
}

struct weir_mac weir_store_mac(sqlite3_stmt *query, int column)
{
	struct weir_mac mac = { 0 };
	const void *blob = sqlite3_column_blob(query, column);
	if (blob && sqlite3_column_bytes(query, column) == (int)sizeof(mac.bytes))
		memcpy(mac.bytes, blob, sizeof(mac.bytes));
	return mac;
}

const char *weir_store_text(sqlite3_stmt *query, int column)
{
	const unsigned char *text = sqlite3_column_text(query, column);
	return text ? (const char *)text : "";
}

void weir_store_ifname(sqlite3_stmt *query, int column, char ret[WEIR_IFNAME_SIZE])
{
	size_t len = strnlen(weir_store_text(query, column), WEIR_IFNAME_SIZE - 1);
	memcpy(ret, weir_store_text(query, column), len);
	ret[len] = '\0';
}
