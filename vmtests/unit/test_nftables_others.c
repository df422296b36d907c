/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nftables backend beside others who write and destroy. */
#include "vmtests/unit/nftables_fixture.h"

#include <errno.h>
#include <unistd.h>

static void test_other_writers_are_seen(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 }, none = { 0 };
	struct weir_delta delta WEIR_CLEAN_DELTA = { 0 };
	struct weir_firewall *fw = open_store(OURS);
	struct weir_firewall_state got;
	struct weir_err err = { 0 };
	sample(&rules);
	must(weir_ruleset_diff(&none, &rules, &delta, &err), &err);
	must(ops->state(fw, &got, &err), &err);
	must(ops->prepare(fw, &delta, false, &got, &epoch, &err), &err);
	run("nft add table ip other");
	assert_int_equal(ops->commit(fw, NULL, &err), -EAGAIN);
	must(ops->state(fw, &got, &err), &err);
	assert_false(got.present);
	got.generation = 0; /* does not care */
	must(ops->prepare(fw, &delta, false, &got, &epoch, &err), &err);
	must(ops->commit(fw, NULL, &err), &err);
	assert_listed(fw, &rules);
	ops->close(fw);
}

static int prepare_whole(struct weir_firewall *fw, struct weir_err *err)
{
	struct weir_firewall_state got;
	struct weir_delta delta = { 0 };
	must(ops->state(fw, &got, err), err);
	assert_true(got.present);
	int r = ops->prepare(fw, &delta, true, &got, &epoch, err);
	if (r == 0)
		ops->abort(fw);
	return r;
}

static void test_other_owners_are_refused(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 };
	struct weir_firewall *fw = open_store(OURS), *other = open_store(THEIRS);
	struct weir_err err = { 0 };
	sample(&rules);
	commit_all(fw, &rules);
	assert_int_equal(prepare_whole(other, &err), -EBUSY);
	assert_non_null(strstr(err.text, OURS));
	assert_non_null(strstr(err.text, THEIRS));
	run("nft flush set inet weir epoch");
	assert_int_equal(prepare_whole(other, &err),
			 -EBUSY); /* the table's comment still says whose */
	assert_non_null(strstr(err.text, OURS));
	assert_int_equal(prepare_whole(fw, &err), 0);
	run("nft delete table inet weir; nft add table inet weir; nft add chain inet weir mine");
	assert_int_equal(prepare_whole(fw, &err), -EBUSY);
	run("nft delete table inet weir; nft add table inet weir; nft add chain inet weir publish");
	assert_int_equal(prepare_whole(fw, &err), 0);
	ops->close(fw);
	ops->close(other);
}

static void test_flush_ruleset_is_seen(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 }, got WEIR_CLEAN_RULESET = { 0 };
	struct weir_firewall *fw = open_store(OURS);
	struct weir_firewall_state now;
	sample(&rules);
	commit_all(fw, &rules);
	run("nft flush ruleset");
	assert_int_equal(ops->check(fw, NULL), -ESTALE);
	assert_int_equal(ops->list(fw, &got, &now, NULL), 0);
	assert_false(now.present);
	assert_int_equal(got.n, 0);
	ops->close(fw);
}

/* What a hand can do to the frame, and what check() calls it. */
static void test_damage_is_named(void **state)
{
	static const struct {
		const char *command, *says;
	} damages[] = {
		{ "nft flush chain inet weir forward", "chain forward lacks" },
		{ "nft add rule inet weir host accept", "at the end of chain host" },
		{ "nft insert rule inet weir forward accept", "iifname != @networks" },
		{ "nft delete rule inet weir source_nat handle $(nft -a list chain inet weir "
		  "source_nat |"
		  " sed -n 's/.*@masquerade4.*handle //p')",
		  "@masquerade4" },
		{ "nft replace rule inet weir publish_in handle $(nft -a list chain inet weir "
		  "publish_in |"
		  " sed -n 's/.*local.*handle //p') jump publish",
		  "fib daddr type local" },
		{ "nft add chain inet weir more", "chain more was added" },
		{ "nft add set inet weir more '{ type mark; }'", "set more was added" },
		{ "nft 'add chain inet weir forward { policy drop; }'", "forward has another" },
		{ "nft 'add table inet weir { flags dormant; }'", "dormant" },
		{ "nft 'flush chain inet weir publish_out; delete chain inet weir publish_out'",
		  "chain publish_out is missing" },
	};
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 };
	struct weir_firewall *fw = open_store(OURS);
	sample(&rules);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct weir_ruleset got WEIR_CLEAN_RULESET = { 0 };
		commit_all(fw, &rules);
		run(damages[i].command);
		assert_stale(fw, damages[i].says);
		assert_int_equal(ops->list(fw, &got, NULL, NULL), -ESTALE);
		assert_int_equal(got.n, rules.n);
	}
	commit_all(fw, &rules);
	assert_int_equal(ops->check(fw, NULL), 0);
	ops->close(fw);
}

/* What a hand can do to the elements: a difference where an entry says it, else -ESTALE. */
static void test_strange_elements_are_told(void **state)
{
	static const char *const commands[] = {
		"nft add element inet weir published4 '{ 50 . 80 : 10.0.0.1 . 80 }'",
		"nft add element inet weir masquerade4 '{ 10.1.0.0-10.1.0.5 }'",
		"nft add element inet weir segments '{ \"wb-web\" . \"wb-db\" }'",
		"nft add element inet weir internal '{ \"nowhere\" }'",
		"nft delete element inet weir segments '{ \"wb-web\" . \"wb-web\" }'",
		"nft add element inet weir gateways4 '{ 10.1.0.1 }'",
	};
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 };
	struct weir_firewall *fw = open_store(OURS);
	sample(&rules);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct weir_ruleset got WEIR_CLEAN_RULESET = { 0 };
		struct weir_err err = { 0 };
		commit_all(fw, &rules);
		run(commands[i]);
		assert_int_equal(ops->check(fw, NULL), 0); /* elements are none of its business */
		assert_int_equal(ops->list(fw, &got, NULL, &err), -ESTALE);
		assert_non_null(strstr(err.text, "set "));
	}
	ops->close(fw);
}

static void test_missing_elements_are_a_difference(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 }, got WEIR_CLEAN_RULESET = { 0 };
	struct weir_delta delta WEIR_CLEAN_DELTA = { 0 };
	struct weir_firewall *fw = open_store(OURS);
	struct weir_err err = { 0 };
	sample(&rules);
	commit_all(fw, &rules);
	run("nft 'delete element inet weir published4 { tcp . 7001 }; flush set inet weir "
	    "sources4; "
	    "delete element inet weir masquerade4 { 10.88.1.0/24 }'");
	must(ops->list(fw, &got, NULL, &err), &err);
	must(weir_ruleset_diff(&got, &rules, &delta, &err), &err);
	assert_int_equal(delta.n_added, 1 + 3 + 1);
	assert_int_equal(delta.n_removed, 2); /* 7000 and 7002-7003 */
	must(change(fw, &delta, false, &err), &err);
	assert_listed(fw, &rules);
	ops->close(fw);
}

/* The kernel's tables grow by themselves for a while after a change, and a dump meanwhile says some elements
 * twice and others not at all. */
static void test_growing_sets_are_listed_whole(void **state)
{
	enum { ROUNDS = 20, PORTS = 4000 };
	(void)state;
	NEEDS_NAMESPACE();
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 };
		struct weir_ruleset none = { 0 };
		struct weir_firewall *fw = open_store(OURS);
		struct weir_err err = { 0 };
		for (unsigned port = 1; port <= PORTS + 200 * round; port++)
			add(&rules, mapping("", WEIR_TCP, (uint16_t)port, (uint16_t)port,
					    "10.88.1.2", 80, "nginx"));
		must(weir_ruleset_sort(&rules, &err), &err);
		commit_all(fw, &rules);
		assert_listed(fw, &rules);
		commit_all(fw, &none);
		ops->close(fw);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NAMESPACE(test_other_writers_are_seen),
		IN_NAMESPACE(test_other_owners_are_refused),
		IN_NAMESPACE(test_flush_ruleset_is_seen),
		IN_NAMESPACE(test_growing_sets_are_listed_whole),
		IN_NAMESPACE(test_damage_is_named),
		IN_NAMESPACE(test_strange_elements_are_told),
		IN_NAMESPACE(test_missing_elements_are_a_difference),
	};
	return cmocka_run_group_tests_name("nftables_others", tests, NULL, NULL);
}
