/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store's file: made whole or not at all, refused when it is damaged, foreign or newer, migrated
 * when it is older, never reset; its log does not grow without end. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/store_db.h"
#include "store_fixture.h"

static off_t size_of(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 ? status.st_size : -1;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(close(fd), 0);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A store with something in it, closed, all of it in weir.db. */
static const char *make_store(struct fixture *f)
{
	open_store(f);
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	struct weir_endpoint ep = endpoint(f, "api", "web", "10.88.1.5", NULL);
	publish(f, &ep, "8000-8999:1000-1999");
	put_network(f, &net);
	put_endpoint(f, &ep);
	weir_store_close(f->store);
	f->store = NULL;
	run_sql(path_of(f, "weir.db"), "PRAGMA wal_checkpoint(TRUNCATE)");
	return path_of(f, "weir.db");
}

static void refused(struct fixture *f, int code, const char *text)
{
	const char *path = path_of(f, "weir.db");
	off_t size = size_of(path);
	FAILS(f, code, text, weir_store_open(f->dir, true, &f->store, &f->err));
	FAILS(f, code, text, weir_store_open(f->dir, false, &f->store, &f->err));
	assert_null(f->store);
	assert_int_equal(size_of(path), size); /* not reset */
}

static void absent_is_absent(void **state)
{
	struct fixture *f = *state;
	FAILS(f, ENOENT, "No such file", weir_store_open(f->dir, false, &f->store, &f->err));
	assert_int_equal(size_of(path_of(f, "weir.db")), -1);
	(void)snprintf(f->dir + strlen(f->dir), 4, "/x");
	FAILS(f, ENOENT, "No such file", weir_store_open(f->dir, false, &f->store, &f->err));
	assert_int_equal(size_of(f->dir), -1);
	open_store(f); /* makes the folder */
	struct stat status;
	assert_int_equal(stat(f->dir, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(size_of(path_of(f, "weir.db.new")), -1);
	f->dir[strlen(f->dir) - 2] = '\0';
}

static void leftovers_of_making_do_no_harm(void **state)
{
	struct fixture *f = *state;
	write_file(path_of(f, "weir.db.new"), "half a store", 12);
	write_file(path_of(f, "weir.db.new-journal"), "and its journal", 15);
	(void)make_store(f);
	assert_int_equal(size_of(path_of(f, "weir.db.new")), -1);
	assert_int_equal(size_of(path_of(f, "weir.db.new-journal")), -1);
	open_store(f);
	OK(f, weir_store_verify(f->store, &f->err));
}

/* The log of another store must not be read into a new one. */
static void old_log_is_not_read(void **state)
{
	struct fixture *f = *state;
	open_store(f);
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	put_network(f, &net);
	weir_store_close(f->store);
	f->store = NULL;
	assert_true(size_of(path_of(f, "weir.db-wal")) > 0);
	assert_int_equal(unlink(path_of(f, "weir.db")), 0);
	open_store(f);
	size_t n;
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	OK(f, weir_store_load(f->store, &(struct weir_scope){ .all = true }, &model, &f->err));
	assert_int_equal(model.n_networks, 0);
	OK(f, weir_store_count_attached(f->store, "web", &n, &f->err));
	OK(f, weir_store_verify(f->store, &f->err));
}

static void damage_is_refused(void **state)
{
	struct fixture *f = *state;
	const char *path = make_store(f);
	char noise[8192];
	write_file(path, "", 0);
	refused(f, EUCLEAN, "is damaged (empty): restore a copy or move it away");
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)(i * 7919 >> 3);
	write_file(path, noise, sizeof(noise));
	refused(f, EUCLEAN, "is damaged (file is not a database)");
	write_file(path, noise, 3);
	refused(f, EUCLEAN, "is damaged (file is not a database)");
	assert_int_equal(unlink(path), 0);
	run_sql(path, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
	refused(f, EUCLEAN, "is damaged (not a store of weir's)");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	refused(f, EUCLEAN, "is damaged (not a file)");
	assert_int_equal(rmdir(path), 0);
	open_store(f);
}

/* Wherever it is cut: refused at once, or by the first call that meets what is missing. */
static void truncation_is_found(void **state)
{
	struct fixture *f = *state;
	const char *path = make_store(f);
	off_t whole = size_of(path);
	for (off_t size = 1024; size < whole; size += 1024) {
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		assert_int_equal(truncate(path, size), 0);
		int r = weir_store_open(f->dir, true, &f->store, &f->err);
		if (r == 0)
			r = weir_store_load(f->store, &(struct weir_scope){ .all = true }, &model,
					    &f->err);
		if (r == 0)
			r = weir_store_verify(f->store, &f->err);
		if (r != -EUCLEAN || !strstr(f->err.text, "is damaged"))
			fail_msg("cut at %lld: %d %s", (long long)size, r, f->err.text);
		weir_store_close(f->store);
		f->store = NULL;
		assert_int_equal(unlink(path), 0);
		path = make_store(f);
		assert_int_equal(size_of(path), whole);
	}
}

/* Pages of noise in the middle: no call crashes, and verifying finds it. */
static void noise_is_found(void **state)
{
	struct fixture *f = *state;
	static const char noise[512] = "\x0d\x01\xff\xfe noise";
	off_t whole = size_of(make_store(f));
	for (off_t at = 100; at < whole; at += 1536) {
		(void)unlink(path_of(f, "weir.db"));
		int fd = open(make_store(f), O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
		assert_int_equal(close(fd), 0);
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		int r = weir_store_open(f->dir, true, &f->store, &f->err);
		if (r == 0)
			(void)weir_store_load(f->store, &(struct weir_scope){ .all = true }, &model,
					      &f->err);
		if (r == 0)
			r = weir_store_verify(f->store, &f->err);
		/* noise may also fall on bytes that mean nothing */
		if (r != 0 && r != -EUCLEAN)
			fail_msg("noise at %lld: %d %s", (long long)at, r, f->err.text);
		weir_store_close(f->store);
		f->store = NULL;
	}
}

static void contradictions_are_found(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *sql, *text;
	} cases[] = {
		{ "DELETE FROM host_port WHERE port = 8000", "host ports and mappings differ" },
		{ "UPDATE attachment SET network = 'gone'", "belongs to nothing" },
		{ "DELETE FROM meta", "meta has no row" },
		{ "UPDATE network SET mode = 77", NULL },
		{ "UPDATE network SET nat = -1", NULL },
		{ "UPDATE endpoint SET netns = 99", NULL },
		{ "UPDATE mapping SET proto = 0", NULL },
		{ "UPDATE subnet SET len = 250", NULL },
		{ "UPDATE subnet SET base = x'0299'", NULL },
		{ "INSERT INTO endpoint_item VALUES('api', 9, 0, 1, 2, 3)", NULL },
		{ "DROP TABLE mapping", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		run_sql(make_store(f), cases[i].sql);
		open_store(f);
		if (cases[i].text)
			FAILS(f, EUCLEAN, cases[i].text, weir_store_verify(f->store, &f->err));
		else
			FAILS(f, EUCLEAN, "is damaged",
			      weir_store_load(f->store, &(struct weir_scope){ .all = true }, &model,
					      &f->err));
		weir_store_close(f->store);
		f->store = NULL;
		OK(f, weir_store_destroy(f->dir, &f->err));
	}
}

static void newer_is_refused(void **state)
{
	struct fixture *f = *state;
	run_sql(make_store(f), "PRAGMA user_version=4711");
	refused(f, EPROTO, "was made by a newer weir (version 4711, this one knows");
}

static void older_is_migrated_by_writers(void **state)
{
	struct fixture *f = *state;
	const char *path = make_store(f);
	run_sql(path, "PRAGMA user_version=0; DROP TABLE host_port");
	FAILS(f, ESTALE, "was made by an older weir (version 0",
	      weir_store_open(f->dir, false, &f->store, &f->err));
	/* migration 1 meets the tables that are left of this fake: all of it is taken back */
	FAILS(f, EUCLEAN, "already exists", weir_store_open(f->dir, true, &f->store, &f->err));
	FAILS(f, ESTALE, "version 0", weir_store_open(f->dir, false, &f->store, &f->err));
	assert_int_equal(unlink(path), 0);
	run_sql(path, "PRAGMA application_id=0x77656972; PRAGMA journal_mode=WAL");
	open_store(f);
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	put_network(f, &net);
}

/* A store of the first version, with a network in it, is one of today's. */
static void first_version_is_migrated(void **state)
{
	struct fixture *f = *state;
	const char *path = path_of(f, "weir.db");
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	const struct weir_scope everything = { .all = true, .policies = true };
	run_sql(path, "PRAGMA application_id=0x77656972; PRAGMA journal_mode=WAL");
	run_sql(path, weir_store_migrations[0]);
	run_sql(path,
		"PRAGMA user_version=1;"
		"INSERT INTO meta VALUES(1, '01234567-89ab-4cde-8123-456789abcdef', 0, 0, '', "
		"'', 0, 0);"
		"INSERT INTO network VALUES('web', 0, 'wb-web', NULL, NULL, NULL, 0, NULL, "
		"NULL, 0, NULL, 1, 0, 0, 0, 1);"
		"INSERT INTO endpoint VALUES('nginx', 0, NULL, 4, 4026532000, 'boot', 0, 1)");
	open_store(f);
	OK(f, weir_store_load(f->store, &everything, &model, &f->err));
	assert_int_equal(model.n_networks, 1);
	assert_true(model.networks[0].internal && model.networks[0].declared);
	assert_int_equal(model.networks[0].ingress, WEIR_AS_USUAL);
	assert_false(model.networks[0].filtered);
	assert_int_equal(model.n_endpoints, 1);
	assert_true(model.endpoints[0].netns_id.ino == 4026532000);
	assert_true(model.endpoints[0].netns_id.cookie == 0); /* not known */
	struct weir_network net = network(f, "db", "10.88.2.0/24", NULL);
	put_network(f, &net);
	OK(f, weir_store_verify(f->store, &f->err));
}

static void migrations_go_on_from_where_a_store_is(void **state)
{
	struct fixture *f = *state;
	enum { STEPS_MAX = 64 };
	const char *steps[STEPS_MAX];
	const int there = weir_store_version, n = there + 2;
	assert_true(n <= STEPS_MAX);
	for (int i = 0; i < there; i++)
		steps[i] = "CREATE TABLE broken(";
	steps[there] = "CREATE TABLE a(x); INSERT INTO a VALUES(1)";
	steps[there + 1] = "ALTER TABLE a ADD COLUMN y DEFAULT 7";
	(void)make_store(f);
	open_store(f);
	FAILS(f, EPROTO, "newer weir", weir_store_migrate(f->store, steps, 0, &f->err));
	OK(f, weir_store_migrate(f->store, steps, n, &f->err)); /* the broken ones are past */
	OK(f, weir_store_migrate(f->store, steps, n, &f->err)); /* done already */
	sqlite3_stmt *row;
	assert_int_equal(sqlite3_prepare_v2(f->store->db, "SELECT y FROM a", -1, &row, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(row, 0), 7);
	assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
	OK(f, weir_store_exec_text(f->store, "PRAGMA user_version=99", &f->err));
	weir_store_close(f->store);
	f->store = NULL;
	refused(f, EPROTO, "version 99, this one knows");
}

static void log_does_not_grow(void **state)
{
	struct fixture *f = *state;
	off_t longest = 0;
	for (int i = 0; i < 100; i++) {
		open_store(f);
		struct weir_store_meta meta;
		OK(f, weir_store_meta(f->store, &meta, &f->err));
		assert_int_equal(meta.counter, i * 10);
		for (int j = 0; j < 10; j++) {
			meta.counter++;
			begin(f);
			OK(f, weir_store_set_meta(f->store, &meta, &f->err));
			commit(f);
		}
		weir_store_close(f->store);
		f->store = NULL;
		off_t size = size_of(path_of(f, "weir.db-wal"));
		longest = size > longest ? size : longest;
	}
	assert_true(longest > 100 * 1024); /* most commands leave it where it is */
	assert_true(longest < 600 * 1024);
}

static void readers_see_whole_transactions(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	open_store(f);
	begin(f);
	OK(f, weir_store_put_network(f->store, &net, &f->err));
	for (int i = 0; i < 2; i++) {
		WEIR_CLEAN_STORE struct weir_store *reader = NULL;
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		OK(f, weir_store_open(f->dir, false, &reader, &f->err));
		OK(f,
		   weir_store_load(reader, &(struct weir_scope){ .all = true }, &model, &f->err));
		assert_int_equal(model.n_networks, i);
		if (i == 0)
			commit(f);
	}
}

static void commit_network(struct fixture *f, const char *name, const char *subnet)
{
	struct weir_network net = network(f, name, subnet, NULL);
	struct weir_store_meta meta;
	OK(f, weir_store_meta(f->store, &meta, &f->err));
	meta.counter++;
	begin(f);
	OK(f, weir_store_put_network(f->store, &net, &f->err));
	OK(f, weir_store_set_meta(f->store, &meta, &f->err));
	commit(f);
}

/* Whatever is committed between its readings, while nobody waits for it. */
static void readers_see_one_moment(void **state)
{
	struct fixture *f = *state;
	const struct weir_scope everything = { .all = true, .policies = true };
	open_store(f);
	commit_network(f, "web", "10.88.1.0/24");
	for (int i = 0; i < 2; i++) {
		WEIR_CLEAN_STORE struct weir_store *reader = NULL;
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		struct weir_store_meta first, later;
		OK(f, weir_store_open(f->dir, false, &reader, &f->err));
		OK(f, weir_store_begin_reading(reader, &f->err));
		OK(f, weir_store_meta(reader, &first, &f->err));
		commit_network(f, i ? "third" : "second", i ? "10.88.3.0/24" : "10.88.2.0/24");
		OK(f, weir_store_load(reader, &everything, &model, &f->err));
		OK(f, weir_store_meta(reader, &later, &f->err));
		assert_int_equal(model.n_networks, 1 + i);
		assert_int_equal(first.counter, 1 + i);
		assert_int_equal(later.counter, first.counter);
	}
}

static void another_writer_is_named_as_such(void **state)
{
	struct fixture *f = *state;
	open_store(f);
	begin(f);
	WEIR_CLEAN_STORE struct weir_store *second = NULL;
	OK(f, weir_store_open(f->dir, true, &second, &f->err));
	FAILS(f, EBUSY, "is held by another program", weir_store_begin(second, false, &f->err));
	commit(f);
	OK(f, weir_store_begin(second, false, &f->err));
}

/* SIGKILL in the middle: what was not committed is not there. */
static void killed_writer_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	(void)make_store(f);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct weir_endpoint ep = { .name = "late" };
		publish(f, &ep, "10000-50000:10000-50000");
		if (weir_store_open(f->dir, true, &f->store, NULL) < 0 ||
		    weir_store_begin(f->store, false, NULL) < 0 ||
		    weir_store_put_endpoint(f->store, &ep, NULL) < 0)
			_exit(1);
		(void)raise(SIGKILL);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	open_store(f);
	OK(f, weir_store_verify(f->store, &f->err));
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	OK(f, weir_store_load(f->store, &(struct weir_scope){ .all = true }, &model, &f->err));
	assert_int_equal(model.n_endpoints, 1);
}

static void without_a_folder_it_lives_in_memory(void **state)
{
	struct fixture *f = *state;
	OK(f, weir_store_open(NULL, true, &f->store, &f->err));
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	put_network(f, &net);
	OK(f, weir_store_verify(f->store, &f->err));
	weir_store_close(f->store);
	OK(f, weir_store_open(NULL, true, &f->store, &f->err));
	put_network(f, &net);		    /* the first one is gone */
	assert_int_equal(rmdir(f->dir), 0); /* empty */
}

static void destroying_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	open_store(f);
	weir_store_close(f->store);
	f->store = NULL;
	OK(f, weir_store_destroy(f->dir, &f->err));
	OK(f, weir_store_destroy(f->dir, &f->err));
	assert_int_equal(rmdir(f->dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(absent_is_absent, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(leftovers_of_making_do_no_harm, set_up_folder,
						tear_down),
		cmocka_unit_test_setup_teardown(old_log_is_not_read, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_refused, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(truncation_is_found, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(noise_is_found, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(contradictions_are_found, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(newer_is_refused, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(older_is_migrated_by_writers, set_up_folder,
						tear_down),
		cmocka_unit_test_setup_teardown(first_version_is_migrated, set_up_folder,
						tear_down),
		cmocka_unit_test_setup_teardown(migrations_go_on_from_where_a_store_is,
						set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(log_does_not_grow, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(readers_see_whole_transactions, set_up_folder,
						tear_down),
		cmocka_unit_test_setup_teardown(readers_see_one_moment, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(another_writer_is_named_as_such, set_up_folder,
						tear_down),
		cmocka_unit_test_setup_teardown(killed_writer_leaves_nothing, set_up_folder,
						tear_down),
		cmocka_unit_test_setup_teardown(without_a_folder_it_lives_in_memory, set_up_folder,
						tear_down),
		cmocka_unit_test_setup_teardown(destroying_leaves_nothing, set_up_folder,
						tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
