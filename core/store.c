/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening the store: finding, making, migrating, verifying and removing weir.db.
 *
 * How it works: a new store is built under another name, synced and then renamed, so weir.db is either
 * whole or absent: an empty or foreign file of that name is damage, and refused. The journal mode (WAL)
 * is kept in the file.
 *
 * Every command opens the store, writes about ten pages and closes it. By default SQLite's last
 * connection copies the log into weir.db on closing and syncs both: two syncs a command. So the log is
 * left where it is, and the next command reads it (its index does not outlive the last connection), at
 * about 1 us a page. Who has written and finds the log longer than LOG_PAGES closes as SQLite would, so
 * that the log begins anew. SQLite's own limit (1,000 pages, on commit) is for processes that stay:
 * alone it would not do, for a log that was copied but not begun anew is copied whole again by the
 * first commit of every process after. */
#include "core/store_db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUSY_MS = 2000,	  /* weir's own writers wait at weir's lock; this is for foreign ones */
	PAGE_SIZE = 2048, /* a change touches one page each of ten trees: smaller is less to log */
	LOG_PAGES = 200 /* about where reading the log costs as much as syncing it every so often */
};

static int set_path(char *path, size_t size, const char *dir, const char *suffix,
		    struct weir_err *err)
{
	int len = snprintf(path, size, "%s/weir.db%s", dir, suffix);
	if (len < 0 || (size_t)len >= size)
		return weir_err_set(err, ENAMETOOLONG, "the state folder's name is too long");
	return 0;
}

/* A command lives for a few milliseconds: no statistics, and no memory touched ahead of use. After the
 * first connection of a process this changes nothing. */
static void configure(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 4);
}

static int open_db(struct weir_store *store, int flags, struct weir_err *err)
{
	configure();
	int rc = sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (!store->db)
		return weir_store_no_memory(err);
	if (rc != SQLITE_OK)
		return weir_store_fail(store, rc, err);
	(void)sqlite3_extended_result_codes(store->db,
					    1); /* these cannot fail on an open connection */
	(void)sqlite3_busy_timeout(store->db, BUSY_MS);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	/* The file is root's, but a changed one must not make SQLite run what it says. */
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* What does not fit into memory must not need a second disk with room (/tmp). */
	return weir_store_exec_text(store, "PRAGMA temp_store=MEMORY", err);
}

static void keep_log(struct weir_store *store, bool keep)
{
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)keep, NULL);
}

static int read_number(struct weir_store *store, const char *sql, int *ret, struct weir_err *err)
{
	sqlite3_stmt *query = NULL;
	int rc = sqlite3_prepare_v2(store->db, sql, -1, &query, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(query);
	int r = 0;
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int(query, 0);
	else
		r = weir_store_fail(store, rc, err);
	(void)sqlite3_finalize(query);
	return r;
}

static int run_migrations(struct weir_store *store, const char *const *migrations, int n,
			  struct weir_err *err)
{
	int version = 0;
	int r = read_number(store, "PRAGMA user_version", &version, err);
	for (int i = version; r == 0 && i < n; i++)
		r = weir_store_exec_text(store, migrations[i], err);
	char sql[64];
	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", n);
	if (r == 0 && version < n)
		r = weir_store_exec_text(store, sql, err);
	return r;
}

int weir_store_migrate(struct weir_store *store, const char *const *migrations, int n,
		       struct weir_err *err)
{
	int version = 0;
	int r = read_number(store, "PRAGMA user_version", &version, err);
	if (r < 0 || version == n)
		return r;
	if (version > n)
		return weir_err_set(
			err, EPROTO,
			"%s was made by a newer weir (version %d, this one knows %d): update weir",
			store->path, version, n);
	r = weir_store_begin(store, true, err);
	if (r < 0)
		return r;
	r = run_migrations(store, migrations, n,
			   err); /* which reads the version again: it may be done */
	if (r == 0)
		return weir_store_commit(store, err);
	weir_store_rollback(store);
	return r;
}

static int read_uuid(char ret[WEIR_UUID_SIZE], struct weir_err *err)
{
	static const char source[] = "/proc/sys/kernel/random/uuid";
	int fd = open(source, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, ret, WEIR_UUID_SIZE - 1);
	int r = len < 0 ? -errno : 0;
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	if (r < 0)
		return weir_err_errno(err, r, "reading %s", source);
	if (len != WEIR_UUID_SIZE - 1)
		return weir_err_set(err, EIO, "%s gave %zd bytes", source, len);
	ret[len] = '\0';
	return 0;
}

/* The schema, a row of meta and the journal mode. Nobody sees the file yet, and it is synced as a whole
 * afterwards, so SQLite need not. */
static int fill(struct weir_store *store, struct weir_err *err)
{
	struct weir_store_meta meta = { 0 };
	int r = read_uuid(meta.uuid, err);
	char sql[128];
	(void)snprintf(sql, sizeof(sql),
		       "PRAGMA page_size=%d; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;"
		       "BEGIN; PRAGMA application_id=%d",
		       PAGE_SIZE, WEIR_STORE_APPLICATION);
	if (r == 0)
		r = weir_store_exec_text(store, sql, err);
	if (r == 0)
		r = run_migrations(store, weir_store_migrations, weir_store_version, err);
	store->in_transaction = true;
	if (r == 0)
		r = weir_store_set_meta(store, &meta, err);
	store->in_transaction = false;
	return r < 0 ? r : weir_store_exec_text(store, "COMMIT; PRAGMA journal_mode=WAL", err);
}

static int sync_path(const char *path, int flags, struct weir_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		(void)close(fd); /* it is synced, or has failed */
	return r < 0 ? weir_err_errno(err, r, "syncing %s", path) : 0;
}

static int build(const char *temporary, struct weir_err *err)
{
	WEIR_CLEAN_STORE struct weir_store *store = calloc(1, sizeof(*store));
	if (!store)
		return weir_store_no_memory(err);
	(void)snprintf(store->path, sizeof(store->path), "%s", temporary);
	int r = open_db(store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
	return r < 0 ? r : fill(store, err);
}

static void remove_beside(const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char name[PATH_MAX + 16];
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		(void)unlink(name); /* mostly absent; if it stays, building says why */
	}
}

static int create(const char *dir, const char *path, struct weir_err *err)
{
	char temporary[PATH_MAX];
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return weir_err_errno(err, errno, "making the state folder %s", dir);
	int r = set_path(temporary, sizeof(temporary), dir, ".new", err);
	if (r < 0)
		return r;
	remove_beside(temporary); /* of one who was killed here */
	remove_beside(path);	  /* a log without its store would be read into the new one */
	r = build(temporary, err);
	if (r == 0)
		r = sync_path(temporary, 0, err);
	if (r == 0 && rename(temporary, path) < 0)
		r = weir_err_errno(err, errno, "making %s", path);
	if (r < 0)
		remove_beside(temporary);
	return r < 0 ? r : sync_path(dir, O_DIRECTORY, err);
}

/* Is it a store of weir's, and of which version? */
static int identify(struct weir_store *store, bool migrate, struct weir_err *err)
{
	int id = 0, version = 0;
	int r = read_number(store, "PRAGMA application_id", &id, err);
	if (r == 0)
		r = read_number(store, "PRAGMA user_version", &version, err);
	if (r < 0)
		return r;
	if (id != WEIR_STORE_APPLICATION)
		return weir_store_damaged(store, "not a store of weir's", err);
	if (migrate || version > weir_store_version)
		return weir_store_migrate(store, weir_store_migrations, weir_store_version, err);
	if (version < weir_store_version)
		return weir_err_set(err, ESTALE,
				    "%s was made by an older weir (version %d, this one has %d):"
				    " `weir repair` brings it up to date",
				    store->path, version, weir_store_version);
	return 0;
}

static int open_existing(struct weir_store *store, bool migrate, struct weir_err *err)
{
	struct stat status;
	if (stat(store->path, &status) < 0)
		return weir_err_errno(err, errno, "opening %s", store->path);
	if (!S_ISREG(status.st_mode) ||
	    status.st_size == 0) /* SQLite takes an empty file for a new one */
		return weir_store_damaged(store, S_ISREG(status.st_mode) ? "empty" : "not a file",
					  err);
	int r = open_db(store, SQLITE_OPEN_READWRITE, err);
	if (r < 0)
		return r;
	keep_log(store, true);
	return identify(store, migrate, err);
}

/* For a dry run on a host without a store. */
static int open_in_memory(struct weir_store *store, struct weir_err *err)
{
	(void)snprintf(store->path, sizeof(store->path), ":memory:");
	int r = open_db(store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
	return r < 0 ? r : fill(store, err);
}

int weir_store_open(const char *dir, bool create_absent, struct weir_store **ret,
		    struct weir_err *err)
{
	WEIR_CLEAN_STORE struct weir_store *store = calloc(1, sizeof(*store));
	if (!store)
		return weir_store_no_memory(err);
	int r = dir ? set_path(store->path, sizeof(store->path), dir, "", err)
		    : open_in_memory(store, err);
	if (r == 0 && dir && create_absent && access(store->path, F_OK) < 0 && errno == ENOENT)
		r = create(dir, store->path, err);
	if (r == 0 && dir)
		r = open_existing(store, create_absent, err);
	if (r < 0)
		return r;
	*ret = store;
	store = NULL;
	return 0;
}

static bool log_is_long(const struct weir_store *store)
{
	char path[PATH_MAX + 8];
	struct stat status;
	(void)snprintf(path, sizeof(path), "%s-wal", store->path);
	return stat(path, &status) == 0 && status.st_size > (off_t)LOG_PAGES * PAGE_SIZE;
}

void weir_store_close(struct weir_store *store)
{
	if (!store)
		return;
	if (store->has_written && log_is_long(store))
		keep_log(store, false);
	for (size_t i = 0; i < WEIR_NUM_SQL; i++)
		(void)sqlite3_finalize(
			store->statements[i]); /* repeats an error that was reported */
	int rc = sqlite3_close(store->db);     /* rolls back what is open */
	assert(rc == SQLITE_OK);
	(void)rc;
	free(store);
}

int weir_store_destroy(const char *dir, struct weir_err *err)
{
	char path[PATH_MAX];
	int r = set_path(path, sizeof(path), dir, "", err);
	if (r < 0)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		return weir_err_errno(err, errno, "removing %s", path);
	remove_beside(path);
	return 0;
}

/* The first row of a check that speaks in rows; *ret is false when it says nothing (or "ok"). */
static int first_complaint(struct weir_store *store, const char *sql, char *text, size_t size,
			   bool *ret, struct weir_err *err)
{
	sqlite3_stmt *query = NULL;
	int rc = sqlite3_prepare_v2(store->db, sql, -1, &query, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(query);
	*ret = rc == SQLITE_ROW && strcmp(weir_store_text(query, 0), "ok") != 0;
	if (*ret)
		(void)snprintf(text, size, "%s", weir_store_text(query, 0));
	int r = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : weir_store_fail(store, rc, err);
	(void)sqlite3_finalize(query);
	return r;
}

int weir_store_verify(struct weir_store *store, struct weir_err *err)
{
	static const char *const checks[] = {
		"PRAGMA integrity_check(1)",
		"SELECT 'a row of ' || \"table\" || ' belongs to nothing' FROM "
		"pragma_foreign_key_check",
		"SELECT 'host ports and mappings differ' FROM (SELECT"
		" (SELECT count(*) FROM host_port) AS ports, (SELECT total(1 + hi - lo) FROM "
		"mapping) AS mapped)"
		" WHERE ports <> mapped",
		"SELECT 'meta has no row' WHERE NOT EXISTS(SELECT 1 FROM meta)",
	};
	char text[256];
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		bool complains;
		int r = first_complaint(store, checks[i], text, sizeof(text), &complains, err);
		if (r < 0)
			return r;
		if (complains)
			return weir_store_damaged(store, text, err);
	}
	return 0;
}
