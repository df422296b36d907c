/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every system call with which the store reads or writes fails once: each time there is an error or it
 * did not matter, and what the next process finds is the state before or the state after, whole.
 *
 * How it works: this program defines the calls, so SQLite's land here as well as the store's. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "store_fixture.h"

static int calls, fail_at, fail_with;
static bool unsynced;	  /* something was written since the last sync */
static bool disk_is_full; /* from fail_at on no write succeeds, but the rest does */

static bool fails(void)
{
	calls += !disk_is_full;
	if (disk_is_full || calls != fail_at)
		return false;
	errno = fail_with;
	return true;
}

static bool write_fails(void)
{
	if (!disk_is_full)
		return fails();
	if (!fail_at || ++calls < fail_at)
		return false;
	errno = fail_with;
	return true;
}

/* The C library's headers name some of these by macros; both names are met. */
#undef pwrite64
#undef pread64
#undef ftruncate64
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at);
ssize_t pread64(int fd, void *buf, size_t n, off64_t at);
int ftruncate64(int fd, off64_t size);

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	unsynced = true;
	return write_fails() ? -1 : syscall(SYS_pwrite64, fd, buf, n, at);
}

ssize_t pread64(int fd, void *buf, size_t n, off64_t at)
{
	return fails() ? -1 : syscall(SYS_pread64, fd, buf, n, at);
}

int ftruncate64(int fd, off64_t size)
{
	return fails() ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int fsync(int fd)
{
	unsynced = false;
	return fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* Else a power cut could leave an empty file of the new name. */
int rename(const char *from, const char *to)
{
	assert_false(unsynced);
	return fails() ? -1 : (int)syscall(SYS_rename, from, to);
}

/* What a store can answer with; anything else would mislead. */
static void check_code(int n, int r, const struct weir_err *err)
{
	if (r != -EIO && r != -ENOSPC && r != -EBUSY && r != -ENOENT && r != -EUCLEAN)
		fail_msg("fault %d: %d %s", n, r, err->text);
	assert_int_equal(err->code, r);
}

static void making_a_store(void **state)
{
	struct fixture *f = *state;
	int refused = 0;
	for (int n = 1;; n++) {
		calls = 0;
		fail_at = n;
		fail_with = n % 2 ? ENOSPC : EIO;
		int r = weir_store_open(f->dir, true, &f->store, &f->err);
		bool reached = calls >= n;
		fail_at = 0;
		if (r < 0) {
			refused++;
			check_code(n, r, &f->err);
			open_store(f);
		}
		OK(f, weir_store_verify(f->store, &f->err));
		weir_store_close(f->store);
		f->store = NULL;
		OK(f, weir_store_destroy(f->dir, &f->err));
		if (!reached)
			break;
	}
	assert_true(refused > 10);
}

static struct weir_endpoint before, after;

/* One change, as a command does it. */
static int change(struct fixture *f, bool durable)
{
	int r = weir_store_open(f->dir, true, &f->store, &f->err);
	if (r == 0)
		r = weir_store_begin(f->store, durable, &f->err);
	if (r < 0)
		return r;
	struct weir_network net = network(f, "db", "10.88.2.0/24", NULL);
	int written = weir_store_put_network(f->store, &net, &f->err);
	if (written == 0)
		written = weir_store_remove_endpoint(f->store, "before", &f->err);
	if (written == 0)
		written = weir_store_put_endpoint(f->store, &after, &f->err);
	if (written == 0)
		return weir_store_commit(f->store, &f->err);
	assert_int_equal(weir_store_commit(f->store, NULL), -ECANCELED); /* there is no way on */
	return written;
}

static bool is_changed(struct fixture *f)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	open_store(f);
	OK(f, weir_store_verify(f->store, &f->err));
	OK(f, weir_store_load(f->store, &(struct weir_scope){ .all = true }, &model, &f->err));
	weir_store_close(f->store);
	f->store = NULL;
	assert_int_equal(model.n_endpoints, 1);
	bool changed = strcmp(model.endpoints[0].name, "after") == 0;
	assert_true(weir_endpoint_equal(&model.endpoints[0], changed ? &after : &before));
	assert_int_equal(model.n_networks, changed ? 2 : 1);
	return changed;
}

static void start_anew(struct fixture *f)
{
	OK(f, weir_store_destroy(f->dir, &f->err));
	open_store(f);
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	put_network(f, &net);
	put_endpoint(f, &before);
	weir_store_close(f->store);
	f->store = NULL;
}

static void changing(struct fixture *f, bool durable, int code)
{
	int refused = 0;
	before = endpoint(f, "before", "web", "10.88.1.5", NULL);
	publish(f, &before, "8000-8999:1000-1999");
	after = endpoint(f, "after", "web", "10.88.1.5", NULL);
	publish(f, &after, "8500-9999:1500-2999");
	for (int n = 1;; n++) {
		start_anew(f);
		calls = 0;
		fail_at = n;
		fail_with = code;
		f->err = (struct weir_err){ 0 };
		int r = change(f, durable);
		weir_store_close(f->store); /* which may meet the fault as well */
		f->store = NULL;
		bool reached = calls >= n;
		fail_at = 0;
		if (r < 0) {
			refused++;
			check_code(n, r, &f->err);
		}
		if (is_changed(f) != (r == 0))
			fail_msg("fault %d: %d %s, and yet", n, r, f->err.text);
		if (!reached)
			break;
	}
	assert_true(refused > 30);
}

static void changing_lightly(void **state)
{
	changing(*state, false, EIO);
}

static void changing_durably(void **state)
{
	changing(*state, true, EIO);
}

static void changing_on_a_full_disk(void **state)
{
	disk_is_full = true;
	changing(*state, true, ENOSPC);
	disk_is_full = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(making_a_store, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(changing_lightly, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(changing_durably, set_up_folder, tear_down),
		cmocka_unit_test_setup_teardown(changing_on_a_full_disk, set_up_folder, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
