/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firewall contract: what a change changes, and what it must not. */
#include "vmtests/unit/contract_fixture.h"

#include <errno.h>
#include <unistd.h>

static void test_nothing_there(void **ctx)
{
	struct bench *b = *ctx;

	assert_false(state_of(b).present);
	assert_there(b, &none);
	assert_int_equal(b->ops.check(b->fw, &b->err), -ESTALE);
	assert_string_not_equal(b->err.text, "");
}

static void test_put_is_listed(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	fill(&rules);
	put(b, &rules);
	assert_there(b, &rules);
	assert_int_equal(b->ops.check(b->fw, &b->err), 0);
	struct weir_firewall_state state = state_of(b);
	assert_true(state.present);
	assert_string_equal(state.epoch.store, OURS);
	assert_string_equal(state.epoch.boot, BOOT);
	assert_int_equal(state.epoch.counter, 1);
}

static void test_another_handle_sees_it(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	fill(&rules);
	put(b, &rules);
	b->ops.close(b->fw);
	b->fw = NULL;
	assert_int_equal(b->ops.open(OURS, &b->trace, &b->fw, &b->err), 0);
	assert_there(b, &rules);
}

static void test_change_on_an_empty_filter_makes_the_frame(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	fill(&rules);
	assert_int_equal(change(b, &none, &rules, false), 0);
	assert_there(b, &rules);
	assert_int_equal(b->ops.check(b->fw, &b->err), 0);
}

static void test_delta(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset before = { 0 }, after = { 0 };

	fill(&before);
	put(b, &before);
	/* removed: the range and a trust; added: a network; changed: two mappings and the flags of one */
	for (size_t i = 0; i < before.n; i++) {
		struct weir_entry e = before.entries[i];
		if (e.ports.hi == 9999 ||
		    (e.kind == WEIR_ENTRY_TRUSTED && !strcmp(e.ifname, "wb-db")))
			continue;
		if (e.ports.lo == 8080 && !weir_addr_is_set(&e.addr)) {
			e.to_port = 88;
			e.owner = "nginx 8080:88";
		}
		if (e.kind == WEIR_ENTRY_NETWORK && !strcmp(e.ifname, "wb-iso"))
			e.flags = WEIR_HOST_DENY;
		add(&after, e);
	}
	add_network(&after, "wb-new", WEIR_ISOLATED, "new");
	sort(&after);
	if (change(b, &before, &after, false) != 0)
		fail_msg("%s: delta: %s", subject->name, b->err.text);
	assert_there(b, &after);
	assert_int_equal(state_of(b).epoch.counter, 2);
	if (change(b, &after, &before, false) != 0)
		fail_msg("%s: delta back: %s", subject->name, b->err.text);
	assert_there(b, &before);
}

static void test_twice_is_once(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	fill(&rules);
	put(b, &rules);
	put(b, &rules);
	assert_there(b, &rules);
	assert_int_equal(change(b, &rules, &rules, false), 0);
	assert_there(b, &rules);
	assert_int_equal(b->ops.check(b->fw, &b->err), 0);
}

static void test_abort_leaves_nothing(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	fill(&rules);
	uint32_t generation = state_of(b).generation;
	assert_int_equal(prepare(b, &none, &rules, true), 0);
	b->ops.abort(b->fw);
	assert_false(state_of(b).present);
	assert_int_equal(state_of(b).generation, generation);
	assert_int_equal(prepare(b, &none, &rules, true), 0);
	b->ops.close(b->fw); /* with something prepared */
	b->fw = NULL;
	assert_int_equal(b->ops.open(OURS, &b->trace, &b->fw, &b->err), 0);
	assert_there(b, &none);
}

static void test_somebody_was_faster(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	if (!(b->ops.capabilities & WEIR_FW_GENERATION))
		skip();
	fill(&rules);
	assert_int_equal(prepare(b, &none, &rules, true), 0);
	subject->others_commit();
	assert_int_equal(b->ops.commit(b->fw, NULL, &b->err), -EAGAIN);
	assert_there(b, &none);
	put(b, &rules);
	assert_there(b, &rules);
}

static void test_generation_0_rests_on_nothing(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };
	struct weir_firewall_state old = state_of(b);
	struct weir_epoch epoch = next_epoch(&old);

	fill(&rules);
	old.generation = 0;
	assert_int_equal(weir_ruleset_diff(&none, &rules, &delta, NULL), 0);
	assert_int_equal(b->ops.prepare(b->fw, &delta, true, &old, &epoch, &b->err), 0);
	subject->others_commit();
	assert_int_equal(b->ops.commit(b->fw, NULL, &b->err), 0);
	assert_there(b, &rules);
}

static void test_another_store_is_refused(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_firewall *other = NULL;

	fill(&rules);
	put(b, &rules);
	assert_int_equal(b->ops.open(THEIRS, NULL, &other, &b->err), 0);
	struct weir_firewall_state old = state_of(b);
	struct weir_epoch epoch = { .store = THEIRS, .boot = BOOT, .counter = 1 };
	struct weir_delta empty = { 0 };
	for (int whole = 0; whole < 2; whole++) {
		struct weir_err err = { 0 };
		assert_int_equal(b->ops.prepare(other, &empty, whole, &old, &epoch, &err), -EBUSY);
		assert_non_null(strstr(err.text, OURS));
		assert_non_null(strstr(err.text, THEIRS));
	}
	b->ops.close(other);
	assert_there(b, &rules);
}

static void test_whole_replaces(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 }, few = { 0 };

	fill(&rules);
	add_network(&few, "wb-few", 0, "few");
	put(b, &rules);
	put(b, &few);
	assert_there(b, &few);
}

static void test_empty_whole_removes(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	fill(&rules);
	put(b, &rules);
	assert_int_equal(change(b, &none, &none, true), 0);
	assert_false(state_of(b).present);
	assert_int_equal(change(b, &none, &none, true), 0); /* twice is once here too */
	assert_false(state_of(b).present);
	assert_there(b, &none);
}

static void test_a_wrong_change_changes_nothing(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 }, absent = { 0 }, other = { 0 };

	fill(&rules);
	put(b, &rules);
	add_mapping(&absent, NULL, WEIR_TCP, (struct weir_ports){ 1, 1 }, "10.88.1.2", 1, "absent");
	assert_true(change(b, &absent, &none, false) < 0);
	assert_string_not_equal(b->err.text, "");
	assert_there(b, &rules);
	/* the same key with another value, and beside it an innocent one */
	add_mapping(&other, NULL, WEIR_TCP, (struct weir_ports){ 8080, 8080 }, "10.88.1.3", 80,
		    "other");
	add_mapping(&other, NULL, WEIR_TCP, (struct weir_ports){ 1, 1 }, "10.88.1.3", 1,
		    "innocent");
	sort(&other);
	assert_true(change(b, &none, &other, false) < 0);
	assert_there(b, &rules);
	assert_int_equal(state_of(b).epoch.counter, 1);
}

static void test_errors_carry_the_place(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 }, other = { 0 };

	fill(&rules);
	put(b, &rules);
	add_mapping(&other, NULL, WEIR_TCP, (struct weir_ports){ 8080, 8080 }, "10.88.1.3", 80,
		    "other");
	other.entries[0].origin = weir_place_make("web.yaml", 14, 5);
	assert_true(change(b, &none, &other, false) < 0);
	assert_string_equal(weir_place_file(&b->err.at), "web.yaml");
	assert_int_equal(b->err.at.line, 14);
}

static void test_flushed(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	fill(&rules);
	put(b, &rules);
	subject->others_flush();
	assert_false(state_of(b).present);
	assert_int_equal(b->ops.check(b->fw, &b->err), -ESTALE);
	assert_there(b, &none);
	put(b, &rules);
	assert_there(b, &rules);
}

static void test_broken_frame(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 }, there = { 0 };
	struct weir_firewall_state state;

	fill(&rules);
	put(b, &rules);
	subject->others_break();
	assert_int_equal(b->ops.check(b->fw, &b->err), -ESTALE);
	assert_int_equal(b->ops.list(b->fw, &there, &state, &b->err), -ESTALE);
	assert_same(&rules, &there); /* the entries could be read */
	assert_true(state.present);
	put(b, &rules);
	assert_int_equal(b->ops.check(b->fw, &b->err), 0);
	assert_there(b, &rules);
}

static void test_lost_entries_are_seen_and_mended(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 }, there = { 0 };
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };
	struct weir_firewall_state state;

	fill(&rules);
	put(b, &rules);
	subject->others_take();
	assert_int_equal(b->ops.list(b->fw, &there, &state, &b->err), 0);
	assert_int_equal(weir_ruleset_diff(&there, &rules, &delta, NULL), 0);
	assert_int_equal(delta.n_removed, 0);
	assert_int_equal(delta.n_added, 1);
	assert_int_equal(delta.added[0]->kind, WEIR_ENTRY_SOURCE);
	if (change(b, &there, &rules, false) != 0)
		fail_msg("%s: mending: %s", subject->name, b->err.text);
	assert_there(b, &rules);
}

static void test_validate_changes_nothing(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	if (!(b->ops.capabilities & WEIR_FW_DRY_VALIDATE))
		skip();
	fill(&rules);
	uint32_t generation = state_of(b).generation;
	assert_int_equal(prepare(b, &none, &rules, true), 0);
	if (b->ops.validate(b->fw, &b->err) != 0)
		fail_msg("%s: validate: %s", subject->name, b->err.text);
	assert_false(state_of(b).present);
	assert_int_equal(state_of(b).generation, generation);
	assert_int_equal(b->ops.commit(b->fw, NULL, &b->err), 0); /* still prepared */
	assert_there(b, &rules);
}

static void test_validate_says_no(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 }, absent = { 0 };

	if (!(b->ops.capabilities & WEIR_FW_DRY_VALIDATE))
		skip();
	fill(&rules);
	put(b, &rules);
	add_mapping(&absent, NULL, WEIR_TCP, (struct weir_ports){ 1, 1 }, "10.88.1.2", 1, "absent");
	assert_int_equal(prepare(b, &absent, &none, false), 0);
	assert_true(b->ops.validate(b->fw, &b->err) < 0);
	b->ops.abort(b->fw);
	assert_there(b, &rules);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_nothing_there),
		TEST(test_put_is_listed),
		TEST(test_another_handle_sees_it),
		TEST(test_change_on_an_empty_filter_makes_the_frame),
		TEST(test_delta),
		TEST(test_twice_is_once),
		TEST(test_abort_leaves_nothing),
		TEST(test_somebody_was_faster),
		TEST(test_generation_0_rests_on_nothing),
		TEST(test_another_store_is_refused),
		TEST(test_whole_replaces),
		TEST(test_empty_whole_removes),
		TEST(test_a_wrong_change_changes_nothing),
		TEST(test_errors_carry_the_place),
		TEST(test_flushed),
		TEST(test_broken_frame),
		TEST(test_lost_entries_are_seen_and_mended),
		TEST(test_validate_changes_nothing),
		TEST(test_validate_says_no),
	};

	RUN_OVER_SUBJECTS(tests);
}
