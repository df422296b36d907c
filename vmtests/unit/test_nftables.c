/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nftables backend against the kernel and against nft: what is common to all backends is in
 * test_contract.c.
 *
 * How it works: the goldens in backends/nftables/golden are compared with render() and with what the kernel
 * says after prepare() and commit(), by way of `nft list`. */
#include "vmtests/unit/nftables_fixture.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

static char *render(const struct weir_ruleset *rules)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct weir_err err = { 0 };
	assert_non_null(out);
	must(ops->render(rules, &epoch, out, &err), &err);
	fclose(out);
	return text;
}

static void assert_golden(const char *path, const char *text)
{
	if (getenv("WEIR_GOLDEN")) {
		FILE *out = fopen(path, "we");
		assert_non_null(out);
		fputs(text, out);
		fclose(out);
	}
	FILE *from = fopen(path, "re");
	char *want = slurp(from);
	fclose(from);
	assert_string_equal(text, want);
	free(want);
}

static void test_render_is_golden(void **state)
{
	(void)state;
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 }, none = { 0 };
	full_sample(&rules);
	char *text = render(&rules), *empty = render(&none);
	assert_golden(GOLDEN "sample.nft", text);
	assert_golden(GOLDEN "empty.nft", empty);
	free(text);
	free(empty);
}

static void test_render_refuses_quotes(void **state)
{
	(void)state;
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 };
	struct weir_err err = { 0 };
	FILE *out = fopen("/dev/null", "we");
	add(&rules, mapping("", WEIR_TCP, 1, 1, "10.0.0.1", 1, "a\" : 1.2.3.4 }"));
	assert_int_equal(ops->render(&rules, &epoch, out, &err), -EINVAL);
	fclose(out);
}

/* The file that nft loads and the messages that weir sends are the same table to the kernel, and
 * what nft lists it loads again. */
static void test_text_and_netlink_agree(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 };
	full_sample(&rules);
	run("nft -f " GOLDEN "sample.nft");
	char *by_text = output_of(LIST);
	struct weir_firewall *fw = open_store(OURS);
	/* nft puts a byte order conversion of no effect before lookups in intervals of concatenations */
	assert_elements(fw, &rules, true);
	run("nft flush ruleset");
	commit_all(fw, &rules);
	char *by_netlink = output_of(LIST);
	assert_golden(GOLDEN "sample.list", by_netlink);
	assert_string_equal(by_text, by_netlink);
	run(LIST " > /tmp/weir-test-$$.nft; nft flush ruleset; nft -f /tmp/weir-test-$$.nft; r=$?; "
		 "rm -f /tmp/weir-test-$$.nft; exit $r");
	char *again = output_of(LIST);
	assert_string_equal(again, by_netlink);
	free(by_text);
	free(by_netlink);
	free(again);
	ops->close(fw);
}

static void test_probe_leaves_nothing(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_err err = { 0 };
	must(ops->probe(&err), &err);
	char *text = output_of("nft list ruleset");
	assert_string_equal(text, "");
	free(text);
}

static void test_probe_blames_what_is_to_blame(void **state)
{
	struct rlimit usual, none;
	struct weir_err err = { 0 };
	(void)state;
	assert_return_code(getrlimit(RLIMIT_NOFILE, &usual), errno);
	none = usual;
	none.rlim_cur = 0;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &none), errno);
	int r = ops->probe(&err);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &usual), errno);
	assert_int_equal(r, -EMFILE);
	assert_null(strstr(err.text, "CONFIG_NF_TABLES"));
}

static void test_reads_back_what_it_wrote(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 };
	struct weir_firewall_state got;
	struct weir_firewall *fw = open_store(OURS);
	struct weir_err err = { 0 };
	must(ops->state(fw, &got, &err), &err);
	assert_false(got.present);
	full_sample(&rules);
	commit_all(fw, &rules);
	assert_listed(fw, &rules);
	must(ops->check(fw, &err), &err);
	must(ops->state(fw, &got, &err), &err);
	assert_true(got.present);
	assert_memory_equal(&got.epoch, &epoch, sizeof(epoch));
	ops->close(fw);
}

static void swap(struct weir_firewall *fw, const struct weir_ruleset *from,
		 const struct weir_ruleset *to)
{
	struct weir_delta delta WEIR_CLEAN_DELTA = { 0 };
	struct weir_err err = { 0 };
	must(weir_ruleset_diff(from, to, &delta, &err), &err);
	must(change(fw, &delta, false, &err), &err);
	assert_listed(fw, to);
}

/* Every entry removed, changed and added again, alone and all at once. */
static void test_deltas(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 }, none = { 0 };
	struct weir_firewall *fw = open_store(OURS);
	sample(&rules);
	commit_all(fw, &rules);
	for (size_t i = 0; i < rules.n; i++) {
		struct weir_ruleset fewer WEIR_CLEAN_RULESET = { 0 },
					  other WEIR_CLEAN_RULESET = { 0 };
		for (size_t j = 0; j < rules.n; j++) {
			struct weir_entry entry = rules.entries[j];
			if (j != i)
				add(&fewer, entry);
			else
				entry.owner = "somebody else";
			add(&other, entry);
		}
		swap(fw, &rules, &fewer);
		swap(fw, &fewer, &rules);
		swap(fw, &rules, &other);
		swap(fw, &other, &rules);
	}
	swap(fw, &rules, &none);
	swap(fw, &none, &rules);
	assert_int_equal(ops->check(fw, NULL), 0);
	ops->close(fw);
}

/* A network that changes its flags, a subnet its NAT, a mapping from one map to another. */
static void test_changed_values_move_between_sets(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_firewall *fw = open_store(OURS);
	struct weir_ruleset last WEIR_CLEAN_RULESET = { 0 };
	for (unsigned i = 0; i < 12; i++) {
		struct weir_ruleset next WEIR_CLEAN_RULESET = { 0 };
		add_network(&next, "wb-web", i % 8, "web");
		add_subnet(&next, "wb-web", "10.88.1.0/24", i % WEIR_NUM_NATS,
			   i % WEIR_NUM_NATS == WEIR_NAT_ADDRESS ? "192.0.2.9" : "", "web");
		add(&next, mapping("", WEIR_TCP, 80, 83, "10.88.1.2", (uint16_t)(80 + i % 2), "x"));
		assert_return_code(weir_ruleset_sort(&next, NULL), 0);
		swap(fw, &last, &next);
		weir_ruleset_free(&last);
		last = next;
		next = (struct weir_ruleset){ 0 };
	}
	ops->close(fw);
}

static void test_empty_whole_removes_the_table(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 }, none = { 0 };
	struct weir_firewall *fw = open_store(OURS);
	commit_all(fw, &none);
	sample(&rules);
	commit_all(fw, &rules);
	commit_all(fw, &rules);
	assert_listed(fw, &rules);
	commit_all(fw, &none);
	char *text = output_of("nft list ruleset");
	assert_string_equal(text, "");
	free(text);
	ops->close(fw);
}

static void test_validate_changes_nothing(void **state)
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
	must(ops->validate(fw, &err), &err);
	uint32_t before = got.generation;
	must(ops->state(fw, &got, &err), &err);
	assert_false(got.present);
	assert_int_equal(got.generation, before);
	must(ops->commit(fw, NULL, &err), &err);
	assert_listed(fw, &rules);
	ops->close(fw);
}

/* The n-th of many is wrong: the error is about that one, and nothing has changed. */
static void test_errors_name_the_entry(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 }, more WEIR_CLEAN_RULESET = { 0 };
	struct weir_ruleset none = { 0 };
	struct weir_delta delta WEIR_CLEAN_DELTA = { 0 };
	struct weir_firewall *fw = open_store(OURS);
	struct weir_err err = { 0 };
	add(&rules, mapping("", WEIR_TCP, 777, 777, "10.88.1.2", 80, "first"));
	commit_all(fw, &rules);
	for (uint16_t port = 1; port < 2000; port++) {
		struct weir_entry entry =
			mapping("", WEIR_TCP, port, port, "10.88.1.9", 80, "second");
		entry.origin = weir_place_make("web.yaml", port, 3);
		add(&more, entry);
	}
	must(weir_ruleset_diff(&none, &more, &delta, &err), &err);
	assert_int_equal(change(fw, &delta, false, &err), -EEXIST);
	assert_int_equal(err.at.line, 777);
	assert_non_null(strstr(err.text, "any:777/tcp"));
	assert_listed(fw, &rules);
	err = (struct weir_err){ 0 };
	delta.removed = delta.added;
	delta.n_removed = 5;
	delta.n_added = 0;
	assert_int_equal(change(fw, &delta, false, &err), -ENOENT);
	assert_int_equal(err.at.line, 1);
	assert_listed(fw, &rules);
	ops->close(fw);
}

static void test_counters(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 };
	struct weir_counters counters WEIR_CLEAN_COUNTERS = { 0 };
	struct weir_firewall *fw = open_store(OURS);
	struct weir_err err = { 0 };
	size_t mappings = 0, loopback = 0;
	sample(&rules);
	commit_all(fw, &rules);
	/* connections to a mapping count although nobody answers */
	run("ip link set lo up; ip link add wb-web type bridge; ip link set wb-web up;"
	    "ip addr add 10.88.1.1/24 dev wb-web;"
	    "for i in 1 2 3; do echo | socat -u - UDP:10.88.1.1:9003,sourceport=400$i; done");
	must(ops->counters(fw, &counters, &err), &err);
	for (size_t i = 0; i < counters.n; i++) {
		const struct weir_counter *counter = &counters.items[i];
		bool ours = counter->mapping && counter->mapping->ports.hi == 9010 &&
			    counter->mapping->family == WEIR_IPV4;
		mappings += counter->mapping != NULL;
		loopback += counter->reason &&
			    !strcmp(counter->reason, weir_drop_reason(WEIR_DROP_LOOPBACK));
		assert_int_equal(counter->packets, ours ? 3 : 0);
	}
	assert_int_equal(mappings, 11);
	assert_int_equal(loopback, 1);
	ops->close(fw);
}

/* Flows to two ports and between families, told apart by each field of a match. */
static void test_forget_is_exact(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	struct weir_firewall *fw = open_store(OURS);
	struct weir_err err = { 0 };
	size_t forgotten = 99;
	const struct weir_flow_match other_port = { .family = WEIR_IPV4,
						    .proto = WEIR_UDP,
						    .dst_ports = { 5003, 5009 } };
	const struct weir_flow_match tcp = { .family = WEIR_IPV4,
					     .proto = WEIR_TCP,
					     .dst_ports = { 5001, 5001 } };
	const struct weir_flow_match first = { .family = WEIR_IPV4,
					       .proto = WEIR_UDP,
					       .dst = addr("127.0.0.1"),
					       .dst_ports = { 5000, 5001 } };
	const struct weir_flow_match rest = { .family = WEIR_IPV4,
					      .untranslated = true,
					      .src = { addr("127.0.0.0"), 8 },
					      .reply_src = { addr("127.0.0.1"), 32 } };
	const struct weir_flow_match six = { .family = WEIR_IPV6, .dst = addr("::1") };
	run("ip link set lo up; nft add table inet t;"
	    "nft 'add chain inet t c { type filter hook input priority 0; }';"
	    "nft add rule inet t c ct state new;"
	    "for to in 127.0.0.1:5001 127.0.0.1:5002 [::1]:5001; do"
	    "  echo | socat -u - UDP-SENDTO:$to; done");
	must(ops->forget(fw, &other_port, 1, &forgotten, &err), &err);
	assert_int_equal(forgotten, 0);
	must(ops->forget(fw, &tcp, 1, &forgotten, &err), &err);
	assert_int_equal(forgotten, 0);
	must(ops->forget(fw, &first, 1, &forgotten, &err), &err);
	assert_int_equal(forgotten, 1);
	must(ops->forget(fw, &rest, 1, &forgotten, &err), &err);
	assert_in_range(forgotten, 1, 3); /* port 5002, and what ICMP says about it */
	must(ops->forget(fw, &six, 1, &forgotten, &err), &err);
	assert_in_range(forgotten, 1, 3);
	must(ops->forget(fw, (struct weir_flow_match[]){ rest, six }, 2, &forgotten, &err), &err);
	assert_int_equal(forgotten, 0);
	ops->close(fw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_render_is_golden),
		cmocka_unit_test(test_render_refuses_quotes),
		IN_NAMESPACE(test_text_and_netlink_agree),
		IN_NAMESPACE(test_probe_leaves_nothing),
		cmocka_unit_test(test_probe_blames_what_is_to_blame),
		IN_NAMESPACE(test_reads_back_what_it_wrote),
		IN_NAMESPACE(test_deltas),
		IN_NAMESPACE(test_changed_values_move_between_sets),
		IN_NAMESPACE(test_empty_whole_removes_the_table),
		IN_NAMESPACE(test_validate_changes_nothing),
		IN_NAMESPACE(test_errors_name_the_entry),
		IN_NAMESPACE(test_counters),
		IN_NAMESPACE(test_forget_is_exact),
	};
	return cmocka_run_group_tests_name("nftables", tests, NULL, NULL);
}
