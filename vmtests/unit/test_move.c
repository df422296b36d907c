/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The move to another packet filter: all of it, or nothing of it, whatever fails; and at every instant
 * one of the two holds all rules. */
#include "vmtests/unit/engine_fixture.h"

static const char spec[] = "networks:\n"
			   "  web: {subnets: [10.1.0.0/24, \"fd01::/64\"]}\n"
			   "  db: {subnet: 10.2.0.0/24, internal: true}\n"
			   "endpoints:\n"
			   "  nginx: {networks: [web], publish: [\"8080:80\", \"5353:53/udp\"]}\n"
			   "  api: {networks: {web: {}, db: {ip: 10.2.0.10}}}\n";

static const struct weir_firewall_ops *const all[] = { &weir_memory_firewall, &weir_memory_other,
						       NULL };
static struct weir_firewall_ops chosen; /* what the engine works with */

/* As the command line does: the one that the store names, else the first. */
static int choose(void *ctx, const char *stored, struct weir_err *err)
{
	(void)ctx;
	(void)err;
	chosen = strcmp(stored, "other") == 0 ? weir_memory_other : weir_memory_firewall;
	return 0;
}

static int set_up(void **state)
{
	int r = host_set_up(state);
	struct host *h = *state;
	h->engine.firewall = &chosen;
	h->engine.choose = choose;
	h->engine.firewalls = all;
	return r;
}

#define MOVE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, host_tear_down)

static int move_how(struct host *h, const struct weir_firewall_ops *to, bool dry_run)
{
	struct weir_plan plan_ = { 0 };
	h->err = (struct weir_err){ 0 };
	return finish_change(h, weir_engine_move(&h->engine, to, dry_run, &plan_, &h->err), &plan_);
}

static int move(struct host *h, const struct weir_firewall_ops *to)
{
	return move_how(h, to, false);
}

static void assert_in_charge(struct host *h, const char *name)
{
	WEIR_CLEAN_STORE struct weir_store *store = NULL;
	struct weir_store_meta meta;
	OK(h, weir_store_open(h->state, false, &store, &h->err));
	OK(h, weir_store_meta(store, &meta, &h->err));
	assert_string_equal(meta.backend, name);
}

/* How many of the two hold all of n rules; none holds a part. */
static unsigned holders(size_t n)
{
	size_t here = weir_memory_rules()->n, there = weir_memory_other_rules()->n;
	assert_true(here == n || here == 0);
	assert_true(there == n || there == 0);
	return (here == n) + (there == n);
}

static size_t start(struct host *h)
{
	weir_memory_reset();
	OK(h, apply(h, spec));
	assert_true(weir_memory_rules()->n > 5);
	return weir_memory_rules()->n;
}

/* ---- what it does ---- */

static void test_there_and_back(void **state)
{
	struct host *h = *state;
	size_t n = start(h);
	char *before = dump(h);
	OK(h, move(h, &weir_memory_other));
	assert_int_equal(h->plan.n_steps, 1);
	assert_string_equal(h->plan.steps[0].detail, "instead of memory");
	assert_int_equal(weir_memory_rules()->n, 0);
	assert_int_equal(weir_memory_other_rules()->n, n);
	assert_in_charge(h, "other");
	assert_converged(h);
	OK(h, move(h, &weir_memory_other));
	assert_int_equal(h->plan.n_steps + h->plan.n_drift, 0);
	OK(h, add_port(h, "nginx", "99:9"));
	OK(h, remove_port(h, "nginx", "99:9"));
	OK(h, move(h, &weir_memory_firewall));
	assert_in_charge(h, "memory");
	char *after = dump(h);
	SAME(before, after, "there and back");
	free(before);
	free(after);
}

static void test_dry_run_touches_nothing(void **state)
{
	struct host *h = *state;
	start(h);
	char *before = dump(h);
	OK(h, move_how(h, &weir_memory_other, true));
	assert_int_equal(h->plan.n_steps, 1);
	char *after = dump(h);
	SAME(before, after, "a dry run");
	assert_in_charge(h, "memory");
	free(before);
	free(after);
}

static void test_empty_host_remembers(void **state)
{
	struct host *h = *state;
	OK(h, move(h, &weir_memory_other));
	assert_in_charge(h, "other");
	OK(h, apply(h, spec));
	assert_int_equal(weir_memory_rules()->n, 0);
	assert_true(weir_memory_other_rules()->n > 5);
}

/* Flushed, or a kernel without it: there is nothing to hand over, and all of it is made anew. */
static void test_old_one_holds_nothing(void **state)
{
	struct host *h = *state;
	size_t n = start(h);
	weir_memory_damage(WEIR_MEMORY_FLUSHED);
	assert_true(weir_memory_drop_link("wb-web"));
	OK(h, move(h, &weir_memory_other));
	assert_int_equal(weir_memory_other_rules()->n, n);
	assert_in_charge(h, "other");
	assert_converged(h);
}

static void test_damage_is_mended_first(void **state)
{
	struct host *h = *state;
	size_t n = start(h);
	weir_memory_damage(WEIR_MEMORY_BROKEN);
	OK(h, move(h, &weir_memory_other));
	assert_int_equal(weir_memory_other_rules()->n, n);
	assert_int_equal(holders(n), 1);
	assert_converged(h);
}

/* ---- what it refuses ---- */

static void commit_to_other(const char *store)
{
	struct weir_firewall *fw = NULL;
	struct weir_firewall_state now = { 0 };
	struct weir_epoch epoch = { .counter = 7 };
	const struct weir_entry any = { .kind = WEIR_ENTRY_GUARD,
					.family = WEIR_IPV4,
					.owner = "" };
	const struct weir_entry *added[] = { &any };
	const struct weir_delta delta = { .added = added, .n_added = 1 };
	(void)snprintf(epoch.store, sizeof(epoch.store), "%s", store);
	assert_int_equal(weir_memory_other.open(store, NULL, &fw, NULL), 0);
	assert_int_equal(weir_memory_other.state(fw, &now, NULL), 0);
	assert_int_equal(weir_memory_other.prepare(fw, &delta, WEIR_FW_WHOLE, &now, &epoch, NULL),
			 0);
	assert_int_equal(weir_memory_other.commit(fw, NULL, NULL), 0);
	weir_memory_other.close(fw);
}

static void test_foreign_rules_in_the_new_one(void **state)
{
	struct host *h = *state;
	start(h);
	commit_to_other("11111111-1111-1111-1111-111111111111");
	char *before = dump(h);
	FAILS(h, EBUSY, "belong to another weir", move(h, &weir_memory_other));
	OK(h, repair(h));
	char *after = dump(h);
	SAME(before, after, "refused");
	assert_in_charge(h, "memory");
	free(before);
	free(after);
}

static void test_repair_clears_what_is_left_over(void **state)
{
	struct host *h = *state;
	WEIR_CLEAN_STORE struct weir_store *store = NULL;
	struct weir_store_meta meta;
	start(h);
	OK(h, weir_store_open(h->state, false, &store, &h->err));
	OK(h, weir_store_meta(store, &meta, &h->err));
	commit_to_other(meta.uuid);
	OK(h, repair_how(h, true));
	assert_int_equal(h->plan.n_drift, 1);
	assert_string_equal(h->plan.drift[0].name, "other memory");
	OK(h, repair(h));
	assert_int_equal(weir_memory_other_rules()->n, 0);
	assert_converged(h);
}

static void test_others_commit_all_the_time(void **state)
{
	struct host *h = *state;
	size_t n = start(h);
	weir_memory_race(3);
	OK(h, move(h, &weir_memory_other));
	assert_int_equal(weir_memory_other_rules()->n, n);
	weir_memory_race(1000);
	FAILS(h, EBUSY, "somebody else keeps changing", move(h, &weir_memory_firewall));
	weir_memory_race(0);
	assert_in_charge(h, "other");
	assert_int_equal(weir_memory_other_rules()->n, n);
	assert_int_equal(holders(n), 1);
}

/* ---- what fails ---- */

static void test_each_call_fails(void **state)
{
	struct host *h = *state;
	size_t n = start(h);
	char *before = dump(h);
	for (unsigned at = 1;; at++) {
		weir_memory_fail_at(at, EIO);
		int r = move(h, &weir_memory_other);
		bool fired = weir_memory_calls() >= at;
		weir_memory_fail_at(0, 0);
		if (!fired) {
			assert_true(at > 10);
			break;
		}
		if (r != -EIO || strstr(h->err.text, "going back"))
			fail_msg("call %u: %d %s", at, r, h->err.text);
		assert_in_charge(h, "memory");
		char *now = dump(h);
		SAME(before, now, "after call %u failed (%s)", at, h->err.text);
		free(now);
		assert_converged(h);
	}
	assert_int_equal(weir_memory_other_rules()->n, n);
	assert_int_equal(weir_memory_rules()->n, 0);
	assert_in_charge(h, "other");
	free(before);
}

/* From a call on nothing works: as after a kill, both may stand, never none; the next one ends it. */
static bool killed_at(unsigned at)
{
	struct host *h;
	assert_int_equal(set_up((void **)&h), 0);
	size_t n = start(h);
	char *before = dump(h);
	weir_memory_fail_from(at, EIO);
	int r = move(h, &weir_memory_other);
	bool fired = weir_memory_calls() >= at;
	weir_memory_fail_at(0, 0);
	assert_true(fired ? r < 0 : r == 0);
	assert_true(holders(n) >= 1);
	if (fired) {
		assert_in_charge(h, "memory");
		OK(h, at % 2 ? repair(h) : apply(h, spec)); /* any command does */
		char *now = dump(h);
		SAME(before, now, "killed at call %u", at);
		free(now);
		assert_converged(h);
		OK(h, move(h, &weir_memory_other));
	}
	assert_int_equal(weir_memory_other_rules()->n, n);
	assert_int_equal(holders(n), 1);
	assert_converged(h);
	free(before);
	assert_int_equal(host_tear_down((void **)&h), 0);
	return fired;
}

static void test_killed_at_each_call(void **state)
{
	(void)state;
	for (unsigned at = 1; killed_at(at);)
		at++;
}

/* The store cannot name the new one: by then the old rules have gone, and they come back. */
static void test_store_does_not_take_it(void **state)
{
	struct host *h = *state;
	size_t n = start(h);
	char *before = dump(h);
	sqlite3 *db = open_db(h);
	assert_int_equal(sqlite3_exec(db,
				      "CREATE TRIGGER no BEFORE INSERT ON meta "
				      "WHEN NEW.backend = 'other' "
				      "BEGIN SELECT RAISE(ABORT, 'not today'); END",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_true(move(h, &weir_memory_other) < 0);
	assert_null(strstr(h->err.text, "going back"));
	assert_in_charge(h, "memory");
	assert_int_equal(weir_memory_rules()->n, n);
	assert_int_equal(holders(n), 1);
	char *after = dump(h);
	SAME(before, after, "the store refused");
	assert_converged(h);
	free(before);
	free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOVE_TEST(test_there_and_back),
		MOVE_TEST(test_dry_run_touches_nothing),
		MOVE_TEST(test_empty_host_remembers),
		MOVE_TEST(test_old_one_holds_nothing),
		MOVE_TEST(test_damage_is_mended_first),
		MOVE_TEST(test_foreign_rules_in_the_new_one),
		MOVE_TEST(test_repair_clears_what_is_left_over),
		MOVE_TEST(test_others_commit_all_the_time),
		MOVE_TEST(test_each_call_fails),
		cmocka_unit_test(test_killed_at_each_call),
		MOVE_TEST(test_store_does_not_take_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
