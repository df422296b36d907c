/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change whose store cannot be written or read: what was done in the kernel is taken back, the store says
 * what it said before, of the packet filter in charge as well, and the error has its words. A plan writes nothing.
 *
 * How it works: this program defines the calls with which SQLite writes, and fails one of them. */
#include <sys/syscall.h>

#include "vmtests/unit/engine_fixture.h"

#define WEB "networks:\n  web: {subnet: 10.1.0.0/24}\n"

static unsigned calls, fail_at;

static bool fails(void)
{
	if (++calls != fail_at)
		return false;
	errno = EIO;
	return true;
}

#undef pwrite64
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at);

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	return fails() ? -1 : syscall(SYS_pwrite64, fd, buf, n, at);
}

int fdatasync(int fd)
{
	return fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static void read_meta(const struct host *h, struct weir_store_meta *ret)
{
	WEIR_CLEAN_STORE struct weir_store *store = NULL;
	struct weir_err err = { 0 };
	if (weir_store_open(h->state, false, &store, &err) < 0 ||
	    weir_store_meta(store, ret, &err) < 0)
		fail_msg("%s", err.text);
}

/* The change, with its n-th write failing; whether there was one. */
static bool change_with_fault(struct host *h, unsigned n, int *ret)
{
	calls = 0;
	fail_at = n;
	*ret = apply(h, WEB);
	fail_at = 0;
	return calls >= n;
}

static void test_no_backend_is_bound(void **state)
{
	unsigned refused = 0;
	(void)state;
	for (unsigned n = 1;; n++) {
		struct host *h;
		struct weir_store_meta meta;
		int r;
		assert_int_equal(host_set_up((void **)&h), 0);
		OK(h, apply(h, "networks: {}")); /* makes the store */
		bool reached = change_with_fault(h, n, &r);
		read_meta(h, &meta);
		if (r < 0) {
			refused++;
			assert_null(strstr(h->err.text, "going back"));
			assert_string_equal(meta.backend, "");
			OK(h, apply(h, WEB));
			read_meta(h, &meta);
		}
		assert_string_equal(meta.backend, weir_memory_firewall.name);
		assert_converged(h);
		assert_int_equal(host_tear_down((void **)&h), 0);
		if (!reached)
			break;
	}
	assert_true(refused > 0);
}

static void exec_sql(const struct host *h, const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof(path), "%s/weir.db", h->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A table that is gone stands for a page that cannot be read. */
static void test_an_unreadable_mapping_is_told(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, WEB "endpoints: {a: {networks: [web]}}"));
	exec_sql(h, "DROP TABLE mapping");
	assert_int_equal(add_port(h, "a", "8080:80"), -EUCLEAN);
	assert_non_null(strstr(h->err.text, "mapping"));
}

/* Or the weir that was there before could not read it any more. */
static void test_a_plan_does_not_migrate(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, WEB));
	exec_sql(h, "PRAGMA user_version=1");
	assert_int_equal(plan(h, WEB), -ESTALE);
	assert_non_null(strstr(h->err.text, "weir repair"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_backend_is_bound),
		HOST_TEST(test_an_unreadable_mapping_is_told),
		HOST_TEST(test_a_plan_does_not_migrate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
