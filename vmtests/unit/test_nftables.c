/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nftables backend against the kernel and against nft: what is common to all backends is in
 * test_contract.c.
 *
 * How it works: every test gets a fresh network namespace of this process; without the right to make
 * one they are skipped. The goldens in backends/nftables/golden are compared with render() and
 * with what the kernel says after prepare() and commit(), by way of `nft list`. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/nftables/nftables.h"
#include "vmtests/unit/entries.h"
#include "vmtests/unit/policy_sample.h"

#define OURS "11111111-1111-4111-8111-111111111111"
#define THEIRS "22222222-2222-4222-8222-222222222222"
#define BOOT "33333333-3333-4333-8333-333333333333"
#define GOLDEN "backends/nftables/golden/"
#define LIST "nft list table inet weir"

static const struct weir_epoch epoch = { OURS, BOOT, 42 };
static const struct weir_firewall_ops *const ops = &weir_nftables;

/* ---- the sample: every kind of entry, and every set of it ---- */

static void add(struct weir_ruleset *rules, struct weir_entry entry)
{
	assert_return_code(weir_ruleset_add(rules, &entry, NULL), 0);
}

static void add_network(struct weir_ruleset *rules, const char *ifname, unsigned flags,
			const char *owner)
{
	struct weir_entry entry = { .kind = WEIR_ENTRY_NETWORK,
				    .flags = (uint8_t)flags,
				    .owner = owner };
	snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	add(rules, entry);
}

static void add_addr(struct weir_ruleset *rules, enum weir_entry_kind kind, const char *ifname,
		     const char *text, const char *owner)
{
	struct weir_entry entry = { .kind = kind, .addr = addr(text), .owner = owner };
	entry.family = entry.addr.family;
	snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	add(rules, entry);
}

static void add_subnet(struct weir_ruleset *rules, const char *ifname, const char *text,
		       enum weir_nat nat, const char *to, const char *owner)
{
	struct weir_prefix prefix = { 0 };
	assert_return_code(weir_prefix_parse(text, &prefix, NULL), 0);
	struct weir_entry entry = { .kind = WEIR_ENTRY_SUBNET,
				    .family = prefix.addr.family,
				    .addr = prefix.addr,
				    .prefix_len = prefix.len,
				    .nat = (uint8_t)nat,
				    .to = addr(to),
				    .owner = owner };
	snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	add(rules, entry);
}

static void add_trusted(struct weir_ruleset *rules, const char *from, const char *ifname)
{
	struct weir_entry entry = { .kind = WEIR_ENTRY_TRUSTED, .owner = ifname + 3 };
	snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	snprintf(entry.from_ifname, sizeof(entry.from_ifname), "%s", from);
	add(rules, entry);
}

static void add_random(struct weir_ruleset *rules, const char *subnet, enum weir_nat nat,
		       const char *to)
{
	add_subnet(rules, "wb-web", subnet, nat, to, "web");
	rules->entries[rules->n - 1].flags = WEIR_NAT_RANDOM;
}

static void add_segment(struct weir_ruleset *rules, const char *from, const char *to)
{
	struct weir_prefix near = { 0 }, far = { 0 };
	assert_return_code(weir_prefix_parse(from, &near, NULL), 0);
	assert_return_code(weir_prefix_parse(to, &far, NULL), 0);
	add(rules, (struct weir_entry){ .kind = WEIR_ENTRY_SEGMENT,
					.family = near.addr.family,
					.ifname = "wr1a2b3-+",
					.addr = near.addr,
					.prefix_len = near.len,
					.to = far.addr,
					.to_len = far.len,
					.owner = "lan" });
}

static void sample_routed(struct weir_ruleset *to)
{
	for (int i = 0; i < 2; i++)
		add(to, (struct weir_entry){ .kind = WEIR_ENTRY_NETWORK,
					     .ifname = { "wr1a2b3-000000" },
					     .from_ifname = "wr1a2b3-+",
					     .flags = WEIR_ISOLATED,
					     .owner = "lan" });
	to->entries[to->n - 1].ifname[13] = '1';
	to->entries[to->n - 1].flags = 0;
	add_addr(to, WEIR_ENTRY_GATEWAY, "wr1a2b3-+", "10.99.0.1", "lan");
	add_addr(to, WEIR_ENTRY_SOURCE, "wr1a2b3-000000", "10.99.0.2", "a");
	add_segment(to, "10.99.0.0/24", "10.99.0.0/24");
	add_segment(to, "10.99.0.0/24", "10.99.4.0/22");
	add_segment(to, "fd00:99::/64", "fd00:99::/64");
	add(to, (struct weir_entry){ .kind = WEIR_ENTRY_TRUSTED,
				     .family = WEIR_IPV4,
				     .from_ifname = "eth1",
				     .ifname = "wr1a2b3-+",
				     .addr = addr("10.99.0.0"),
				     .prefix_len = 24,
				     .owner = "lan" });
	add(to, (struct weir_entry){ .kind = WEIR_ENTRY_TRUSTED,
				     .family = WEIR_IPV6,
				     .from_ifname = "eth1",
				     .ifname = "wr1a2b3-+",
				     .addr = addr("fd00:99::"),
				     .prefix_len = 64,
				     .owner = "lan" });
}

static void sample_networks(struct weir_ruleset *to)
{
	sample_routed(to);
	add_network(to, "wb-web", 0, "web");
	add_network(to, "wb-db", WEIR_CLOSED | WEIR_HOST_DENY, "db");
	add_network(to, "wb-iso", WEIR_ISOLATED, "iso");
	add_subnet(to, "wb-web", "10.88.1.0/24", WEIR_NAT_MASQUERADE, "", "web");
	add_subnet(to, "wb-web", "10.88.2.0/24", WEIR_NAT_MASQUERADE, "", "web");
	add_subnet(to, "wb-web", "fd00:88:1::/64", WEIR_NAT_MASQUERADE, "", "web");
	add_subnet(to, "wb-db", "10.88.16.0/20", WEIR_NAT_NONE, "", "db");
	add_subnet(to, "wb-db", "fd00:88:2::/64", WEIR_NAT_NONE, "", "db");
	add_subnet(to, "wb-iso", "10.88.3.0/25", WEIR_NAT_ADDRESS, "192.0.2.9", "iso");
	add_subnet(to, "wb-iso", "fd00:88:3::/64", WEIR_NAT_ADDRESS, "2001:db8::9", "iso");
	add_addr(to, WEIR_ENTRY_GATEWAY, "wb-web", "10.88.1.1", "web");
	add_addr(to, WEIR_ENTRY_GATEWAY, "wb-web", "fd00:88:1::1", "web");
	add_addr(to, WEIR_ENTRY_GATEWAY, "wb-db", "10.88.16.1", "db");
	add_addr(to, WEIR_ENTRY_SOURCE, "wb-web", "10.88.1.2", "nginx");
	add_addr(to, WEIR_ENTRY_SOURCE, "wb-web", "fd00:88:1::2", "nginx");
	add_addr(to, WEIR_ENTRY_SOURCE, "wb-db", "10.88.16.2", "pg");
	add_addr(to, WEIR_ENTRY_ISOLATED, "wb-web", "10.88.1.2", "nginx");
	add_addr(to, WEIR_ENTRY_ISOLATED, "wb-web", "fd00:88:1::2", "nginx");
	add_random(to, "10.88.32.0/24", WEIR_NAT_MASQUERADE, "");
	add_random(to, "fd00:88:32::/64", WEIR_NAT_MASQUERADE, "");
	add_random(to, "10.88.33.0/24", WEIR_NAT_ADDRESS, "192.0.2.9");
	add_random(to, "fd00:88:33::/64", WEIR_NAT_ADDRESS, "2001:db8::9");
	add_trusted(to, "eth1", "wb-web");
	add_trusted(to, "eth1", "wb-db");
	add(to,
	    (struct weir_entry){ .kind = WEIR_ENTRY_GUARD, .family = WEIR_IPV4, .owner = "weir" });
	add(to,
	    (struct weir_entry){ .kind = WEIR_ENTRY_GUARD, .family = WEIR_IPV6, .owner = "weir" });
}

static void sample(struct weir_ruleset *to)
{
	sample_networks(to);
	add(to, mapping("", WEIR_TCP, 8080, 8080, "10.88.1.2", 80, "nginx 8080:80"));
	add(to, mapping("", WEIR_TCP, 8080, 8080, "fd00:88:1::2", 80, "nginx 8080:80"));
	add(to, mapping("", WEIR_SCTP, 8080, 8080, "10.88.1.2", 8080, "nginx 8080:8080/sctp"));
	add(to,
	    mapping("", WEIR_UDP, 9000, 9010, "10.88.1.2", 9000, "nginx 9000-9010:9000-9010/udp"));
	add(to, mapping("", WEIR_UDP, 9000, 9010, "fd00:88:1::2", 9000,
			"nginx 9000-9010:9000-9010/udp"));
	add(to, mapping("", WEIR_TCP, 7000, 7003, "10.88.1.2", 6000, "nginx 7000-7003:6000-6003"));
	add(to, mapping("", WEIR_TCP, 7004, 7004, "10.88.1.2", 6004, "nginx 7004:6004"));
	add(to,
	    mapping("192.0.2.1", WEIR_TCP, 8080, 8080, "10.88.1.2", 81, "nginx 192.0.2.1:8080:81"));
	add(to, mapping("192.0.2.1", WEIR_TCP, 100, 200, "10.88.1.2", 100,
			"nginx 192.0.2.1:100-200:100-200"));
	add(to, mapping("2001:db8::1", WEIR_TCP, 8443, 8443, "fd00:88:1::2", 443,
			"nginx [2001:db8::1]:8443:443"));
	add(to, mapping("2001:db8::1", WEIR_UDP, 100, 200, "fd00:88:1::2", 100,
			"nginx [2001:db8::1]:100-200:100-200/udp"));
	add(to, strict("192.0.2.1", WEIR_TCP, 8080, 8080, "nginx 192.0.2.1:8080:81"));
	add(to, strict("192.0.2.1", WEIR_TCP, 8081, 8083, "nginx 192.0.2.1:8081-8083:81-83"));
	add(to, strict("2001:db8::1", WEIR_UDP, 100, 102, "nginx [2001:db8::1]:100-102/udp"));
	assert_return_code(weir_ruleset_sort(to, NULL), 0);
}

/* With networks that policies and defaults bind, and the policies. */
static void full_sample(struct weir_ruleset *to)
{
	add_network(to, "wb-api", WEIR_FILTERED | WEIR_EGRESS_DENY | WEIR_INGRESS_DENY, "api");
	add_network(to, "wb-all", WEIR_INGRESS_ALLOW, "all");
	sample_policies(to, "api-to-pg");
	sample(to);
}

/* ---- tools ---- */

static void run(const char *command)
{
	int status = system(command);
	if (status != 0)
		fail_msg("`%s` ended with status %d", command, status);
}

/* All that a command prints, or all of a file; to be freed. */
static char *slurp(FILE *from)
{
	size_t len = 0, room = 1 << 16;
	char *text = malloc(room);
	assert_non_null(from);
	for (size_t n = 1; n > 0; len += n) {
		if (room - len < 4096)
			text = realloc(text, room *= 2);
		assert_non_null(text);
		n = fread(text + len, 1, room - len - 1, from);
	}
	text[len] = '\0';
	return text;
}

static char *output_of(const char *command)
{
	FILE *from = popen(command, "re");
	char *text = slurp(from);
	assert_int_equal(pclose(from), 0);
	return text;
}

static struct weir_firewall *open_store(const char *store)
{
	struct weir_firewall *fw = NULL;
	assert_return_code(ops->open(store, NULL, &fw, NULL), 0);
	return fw;
}

static void must(int r, const struct weir_err *err)
{
	if (r < 0)
		fail_msg("%s (%d)", err->text, r);
}

static int change(struct weir_firewall *fw, const struct weir_delta *delta, bool whole,
		  struct weir_err *err)
{
	struct weir_firewall_state state;
	uint32_t generation = 0, now = 0;
	must(ops->state(fw, &state, err), err);
	int r = ops->prepare(fw, delta, whole, &state, &epoch, err);
	if (r == 0)
		r = ops->commit(fw, &generation, err);
	if (r < 0)
		return r;
	must(ops->state(fw, &state, err), err);
	now = state.generation;
	assert_int_equal(generation, now); /* nobody else writes here */
	return 0;
}

static void commit_all(struct weir_firewall *fw, const struct weir_ruleset *rules)
{
	struct weir_delta delta WEIR_CLEAN_DELTA = { 0 };
	struct weir_ruleset none = { 0 };
	struct weir_err err = { 0 };
	must(weir_ruleset_diff(&none, rules, &delta, &err), &err);
	must(change(fw, &delta, true, &err), &err);
}

static void assert_elements(struct weir_firewall *fw, const struct weir_ruleset *want,
			    bool stale_too)
{
	struct weir_ruleset got WEIR_CLEAN_RULESET = { 0 };
	struct weir_delta delta WEIR_CLEAN_DELTA = { 0 };
	struct weir_firewall_state state;
	struct weir_err err = { 0 };
	int r = ops->list(fw, &got, &state, &err);
	if (r != -ESTALE || !stale_too)
		must(r, &err);
	must(weir_ruleset_diff(&got, want, &delta, &err), &err);
	if (delta.n_added || delta.n_removed) {
		fprintf(stderr, "wanted:\n");
		weir_ruleset_print(want, stderr);
		fprintf(stderr, "got:\n");
		weir_ruleset_print(&got, stderr);
		fail_msg("%zu to add, %zu to remove", delta.n_added, delta.n_removed);
	}
}

static void assert_listed(struct weir_firewall *fw, const struct weir_ruleset *want)
{
	assert_elements(fw, want, false);
}

static int assert_stale(struct weir_firewall *fw, const char *needle)
{
	struct weir_err err = { 0 };
	assert_int_equal(ops->check(fw, &err), -ESTALE);
	if (!strstr(err.text, needle))
		fail_msg("\"%s\" does not say \"%s\"", err.text, needle);
	return 0;
}

/* ---- every test in a namespace of its own ---- */

static bool allowed = true;

static int fresh(void **state)
{
	(void)state;
	allowed = unshare(CLONE_NEWNET) == 0;
	return 0;
}

#define NEEDS_NAMESPACE()                                                                 \
	do {                                                                              \
		if (!allowed) {                                                           \
			print_message("skipped: no right to make a network namespace\n"); \
			skip();                                                           \
		}                                                                         \
	} while (0)

/* ---- goldens ---- */

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

/* ---- the kernel's side of the contract ---- */

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
#define IN_NAMESPACE(test) cmocka_unit_test_setup(test, fresh)
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
		IN_NAMESPACE(test_other_writers_are_seen),
		IN_NAMESPACE(test_other_owners_are_refused),
		IN_NAMESPACE(test_flush_ruleset_is_seen),
		IN_NAMESPACE(test_damage_is_named),
		IN_NAMESPACE(test_strange_elements_are_told),
		IN_NAMESPACE(test_missing_elements_are_a_difference),
		IN_NAMESPACE(test_counters),
		IN_NAMESPACE(test_forget_is_exact),
	};
	return cmocka_run_group_tests_name("nftables", tests, NULL, NULL);
}
