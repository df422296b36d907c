/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies in legacy iptables: what each entry becomes, and that the kernel's rules read back into it.
 *
 * How it works: as in test_iptables.c. The rounds make rulesets at random, put one in the other's place
 * and read back. */
#include "vmtests/unit/iptables_fixture.h"

#include "backends/iptables/build.h"
#include "backends/iptables/middle.h"

enum { API = 0xa1, OUT = 0xb2, PG = 0xc3, MIXED = 0xd4, PINGS = 0xe5 };

/* ---- entries ---- */

static void add_class(struct weir_ruleset *rules, uint64_t class, const char *owner)
{
	add(rules, (struct weir_entry){ .kind = WEIR_ENTRY_CLASS, .class = class, .owner = owner },
	    "");
}

static void add_side(struct weir_ruleset *rules, enum weir_entry_kind kind, uint64_t class,
		     uint64_t list, uint8_t flags, const char *base, uint8_t len, const char *owner)
{
	struct weir_entry e = { .kind = kind,
				.class = class,
				.list = list,
				.flags = flags,
				.addr = addr(base),
				.prefix_len = len,
				.owner = owner };
	e.family = e.addr.family;
	add(rules, e, "");
}

#define MEMBER(...) add_side(rules, WEIR_ENTRY_MEMBER, __VA_ARGS__)
#define PAIR(...) add_side(rules, WEIR_ENTRY_PAIR, __VA_ARGS__)
#define HOST_PAIR(...) add_side(rules, WEIR_ENTRY_HOST_PAIR, 0, __VA_ARGS__)

/* The same address in each of many networks. */
static void add_link(struct weir_ruleset *rules, unsigned i)
{
	char ifname[WEIR_IFNAME_SIZE];
	struct weir_entry e = { .kind = WEIR_ENTRY_HOST_PAIR,
				.family = WEIR_IPV6,
				.list = PG,
				.addr = addr("fe80::1"),
				.owner = "twin" };
	(void)snprintf(ifname, sizeof(ifname), "wb-%u", i);
	add(rules, e, ifname);
	e.flags = WEIR_FROM_HOST_PAIR;
	add(rules, e, ifname);
}

static void add_cell(struct weir_ruleset *rules, uint64_t list, enum weir_l4 l4, uint16_t lo,
		     uint16_t hi, enum weir_cell_verdict verdict, enum weir_policy_log log,
		     const char *owner)
{
	add(rules,
	    (struct weir_entry){ .kind = WEIR_ENTRY_CELL,
				 .list = list,
				 .l4 = (uint8_t)l4,
				 .ports = { lo, hi },
				 .verdict = (uint8_t)verdict,
				 .log = (uint8_t)log,
				 .owner = owner },
	    "");
}

#define CELL(...) add_cell(rules, __VA_ARGS__)

/* Every kind of entry, every flag, verdict, log and protocol, both families. */
static void fill_policies(struct weir_ruleset *rules)
{
	add_network(rules, "wb-web", WEIR_FILTERED, "web");
	add_network(rules, "wb-db", WEIR_INGRESS_DENY | WEIR_EGRESS_DENY | WEIR_FILTERED, "db");
	add_network(rules, "wb-open", WEIR_INGRESS_ALLOW, "open");
	add_network(rules, "wb-iso", WEIR_ISOLATED | WEIR_FILTERED, "iso");
	add_network(rules, "wb-all", 0x7f, "all");
	add_at(rules, WEIR_ENTRY_SOURCE, "wb-web", addr("10.88.1.2"), "api");
	add_at(rules, WEIR_ENTRY_SOURCE, "wb-web", addr("fd00:88:1::2"), "api");
	add_class(rules, API, "role=api");
	add_class(rules, OUT, "");
	MEMBER(API, 0, 0, "10.88.1.2", 32, "api");
	MEMBER(API, 0, 0, "fd00:88:1::2", 128, "api");
	MEMBER(OUT, 0, 0, "10.88.1.3", 32, "web");
	MEMBER(API, 0, WEIR_OUTSIDE, "192.0.2.0", 25, "partners");
	MEMBER(API, 0, WEIR_OUTSIDE, "2001:db8::", 32, "outside or so");
	PAIR(API, PG, 0, "10.88.2.10", 32, "pg");
	PAIR(API, PG, 0, "fd00:88:2::10", 128, "pg");
	PAIR(API, MIXED, WEIR_OUTSIDE, "0.0.0.0", 0, "");
	PAIR(OUT, MIXED, WEIR_OUTSIDE, "198.51.100.0", 24, "ours");
	PAIR(OUT, PINGS, WEIR_OUTSIDE, "::", 0, "host names");
	HOST_PAIR(PG, 0, "10.88.1.2", 0, "api");
	HOST_PAIR(PINGS, WEIR_FROM_HOST_PAIR, "10.88.1.2", 0, "api");
	HOST_PAIR(PG, 0, "fd00:88:1::2", 0, "api");
	add_link(rules, 7);
	CELL(PG, WEIR_L4_TCP, 5432, 5432, WEIR_CELL_ACCEPT, WEIR_LOG_NFLOG, "api-to-pg");
	CELL(PG, WEIR_L4_TCP, 6000, 6009, WEIR_CELL_ACCEPT_EGRESS, WEIR_LOG_NONE, "outs");
	CELL(PG, WEIR_L4_UDP, 0, WEIR_PORT_MAX, WEIR_CELL_ACCEPT_INGRESS, WEIR_LOG_NONE, "ins");
	CELL(PG, WEIR_L4_ANY, 0, 0, WEIR_CELL_REJECT, WEIR_LOG_KERNEL,
	     "a-name-that-is-too-long-for-the-kernel's-log");
	CELL(MIXED, WEIR_L4_TCP, 0, 79, WEIR_CELL_DROP, WEIR_LOG_NONE, "quiet");
	CELL(MIXED, WEIR_L4_TCP, 80, 80, WEIR_CELL_REJECT, WEIR_LOG_NFLOG, "loud \"one\"");
	CELL(MIXED, WEIR_L4_UDP, 0, 0, WEIR_CELL_DROP, WEIR_LOG_NONE, "port 0");
	CELL(MIXED, WEIR_L4_SCTP, 1, WEIR_PORT_MAX, WEIR_CELL_REJECT, WEIR_LOG_NONE, "sctp");
	CELL(MIXED, WEIR_L4_ANY, 0, 0, WEIR_CELL_DROP, WEIR_LOG_NFLOG, "rest");
	CELL(PINGS, WEIR_L4_ICMP, 8, 8, WEIR_CELL_CONTINUE, WEIR_LOG_NONE, "ping");
	CELL(PINGS, WEIR_L4_ICMP, 9, 11, WEIR_CELL_DROP, WEIR_LOG_NFLOG, "types 1-2 policy");
	CELL(PINGS, WEIR_L4_ICMPV6, 128, 128, WEIR_CELL_ACCEPT, WEIR_LOG_NONE, "ping6");
	CELL(PINGS, WEIR_L4_ICMPV6, 129, 130, WEIR_CELL_ACCEPT, WEIR_LOG_NONE, "pong6");
	CELL(PINGS, WEIR_L4_ANY, 0, 0, WEIR_CELL_ACCEPT, WEIR_LOG_NONE, "also policy");
	sort(rules);
}

/* ---- tests ---- */

static void test_render_is_golden(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	(void)ctx;
	fill_policies(&rules);
	char *text = render(&rules);
	assert_true(golden_same(GOLDEN "policies.rules", text));
	free(text);
}

static void test_render_loads_as_committed(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	(void)ctx;
	fill_policies(&rules);
	assert_loads_as_committed(&rules);
}

static void test_edits_are_named_and_mended(void **ctx)
{
	static const struct {
		const char *command, *says;
	} edits[] = {
		{ "iptables-legacy -F WEIR-L-00000000000000c3", "WEIR-L-00000000000000c3" },
		{ "iptables-legacy -I WEIR-L-00000000000000c3 -j ACCEPT",
		  "WEIR-L-00000000000000c3" },
		{ "ip6tables-legacy -F WEIR-C-00000000000000a1", "WEIR-C-00000000000000a1" },
		{ "ip6tables-legacy -D WEIR-POLICY 1", "WEIR-POLICY" },
		{ "iptables-legacy -F WEIR-CLASSES", "WEIR-CLASSES" },
		{ "iptables-legacy -D OUTPUT -j WEIR-OUTPUT", "OUTPUT" },
		{ "iptables-legacy -F WEIR-OUTPUT", "WEIR-OUTPUT" },
		{ "ip6tables-legacy -F WEIR-NEIGHBOURS", "WEIR-NEIGHBOURS" },
		{ "iptables-legacy -F WEIR-WITHIN-wb-web", "WEIR-WITHIN-wb-web" },
		{ "iptables-legacy -R WEIR-L-00000000000000d4 1 -p tcp --dport 0:79 -j RETURN",
		  "WEIR-L-00000000000000d4" },
	};
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	(void)ctx;
	fill_policies(&rules);
	put(&rules);
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		struct weir_err err = { 0 };
		doing(edits[i].command);
		if (is_there(&rules, &err))
			fail_msg("%s: nothing is missed", edits[i].command);
		put(&rules);
		if (!is_there(&rules, &err))
			fail_msg("%s, mended: %s", edits[i].command, err.text);
	}
}

/* Without policies there is none of their chains, nor of OUTPUT. */
static void test_nothing_remains(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 }, few = { 0 };
	struct weir_err err = { 0 };
	(void)ctx;
	add_network(&few, "wb-web", 0, "web");
	sort(&few);
	fill_policies(&rules);
	put(&few);
	char *before = run(TABLES " | grep -v WEIR-EPOCH");
	assert_return_code(change(&few, &rules, false, &err), 0);
	assert_lists(&rules);
	assert_return_code(change(&rules, &few, false, &err), 0);
	char *after = run(TABLES " | grep -v WEIR-EPOCH");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* A new endpoint of a known class is rules of trees, and no chain. */
static void test_one_more_endpoint(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset few = { 0 }, more = { 0 };
	struct weir_ruleset *rules = &more;
	struct weir_err err = { 0 };
	(void)ctx;
	fill_policies(&few);
	fill_policies(&more);
	MEMBER(API, 0, 0, "10.88.1.9", 32, "api-2");
	PAIR(API, PG, 0, "10.88.1.9", 32, "api-2");
	sort(&more);
	put(&few);
	char *before = run("iptables-legacy-save | grep -c '^:'");
	assert_return_code(change(&few, &more, false, &err), 0);
	assert_lists(&more);
	char *after = run("iptables-legacy-save | grep -c '^:'");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* What a policy drops or rejects counts for "policy", all of its rules together. */
static void test_drops_are_counted(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	WEIR_CLEAN_COUNTERS struct weir_counters counters = { 0 };
	struct weir_firewall *fw = NULL;
	uint64_t packets = 0, bytes = 0, of_policy = 0;
	(void)ctx;
	fill_policies(&rules);
	put(&rules);
	doing("iptables-legacy-save -c -t filter | sed 's/^\\[0:0\\] \\(-A WEIR-L-.*\\)/[3:40] "
	      "\\1/'"
	      " | iptables-legacy-restore -c");
	assert_return_code(ops->open(OURS, NULL, &fw, NULL), 0);
	assert_return_code(ops->counters(fw, &counters, NULL), 0);
	ops->close(fw);
	for (size_t i = 0; i < counters.n; i++)
		if (counters.items[i].policy && strcmp(counters.items[i].policy, "api-to-pg") == 0)
			of_policy += counters.items[i].packets;
	assert_int_equal(of_policy, 3);
	for (size_t i = 0; i < counters.n; i++)
		if (counters.items[i].reason &&
		    strcmp(counters.items[i].reason, weir_drop_reason(WEIR_DROP_POLICY)) == 0) {
			packets += counters.items[i].packets;
			bytes += counters.items[i].bytes;
		}
	enum { CLOSING = 2 + 5 + 3 }; /* rules of lists c3, d4 and e5 in IPv4 */
	assert_int_equal(packets, 3 * CLOSING);
	assert_int_equal(bytes, 40 * CLOSING);
}

/* ---- many ---- */

static void fill_many(struct weir_ruleset *rules, unsigned n)
{
	char text[40];
	add_network(rules, "wb-web", 0, "web");
	for (unsigned class = 1; class <= 3; class ++)
		add_class(rules, class << 20, "many");
	CELL(PG, WEIR_L4_TCP, 80, 80, WEIR_CELL_ACCEPT, WEIR_LOG_NONE, "web");
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text), "10.90.%u.%u", i / 250, i % 250 + 2);
		MEMBER((uint64_t)(i % 3 + 1) << 20, 0, 0, text, 32, text);
		for (unsigned class = 1; class <= 3; class ++)
			PAIR((uint64_t) class << 20, PG, 0, text, 32, text);
		(void)snprintf(text, sizeof(text), "fd00:90::%x", i + 2);
		MEMBER((uint64_t)(i % 3 + 1) << 20, 0, 0, text, 128, text);
		PAIR((uint64_t)(i % 3 + 1) << 20, PG, 0, text, 128, text);
		HOST_PAIR(PG, WEIR_FROM_HOST_PAIR, text, 0, text);
		add_link(rules, i);
	}
	sort(rules);
}

/* Two networks with two subnets each, whose addresses lie between one another's. */
static void test_networks_between_one_another(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };
	char text[40];
	(void)ctx;
	add_network(&rules, "wb-a", WEIR_FILTERED, "a");
	add_network(&rules, "wb-b", WEIR_FILTERED, "b");
	for (unsigned i = 0; i < 4 * 100; i++) {
		(void)snprintf(text, sizeof(text), "10.88.%u.%u", 1 + i % 4, i / 4 + 2);
		add_at(&rules, WEIR_ENTRY_SOURCE, i % 2 ? "wb-a" : "wb-b", addr(text), "some");
	}
	sort(&rules);
	put(&rules);
	if (!is_there(&rules, &err))
		fail_msg("%s", err.text);
}

static void test_senders_and_receivers_are_trees(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };
	(void)ctx;
	fill_many(&rules, 600);
	for (size_t place = 0; place < WEIR_IPT_PLACES; place += 2) {
		struct weir_ipt_image image = { 0 };
		assert_return_code(weir_ipt_build(&weir_ipt_places[place], &rules, NULL, &image),
				   0);
		size_t most = longest(&image, "WEIR-POLICY", 0);
		if (most > 130)
			fail_msg("%zu rules", most);
		weir_ipt_image_free(&image);
	}
	put(&rules);
	assert_true(is_there(&rules, &err));
}

/* ---- rounds ---- */

static unsigned chance(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

static void random_cells(struct weir_ruleset *rules, uint64_t list, unsigned *seed)
{
	for (int l4 = WEIR_L4_TCP; l4 < WEIR_NUM_L4S; l4++) {
		bool types = l4 >= WEIR_L4_ICMP;
		unsigned most = types ? WEIR_ICMP_TYPE_MAX : WEIR_PORT_MAX;
		unsigned lo = chance(seed, 4) ? chance(seed, most + 1) : 0;
		while (chance(seed, 3) && lo <= most) {
			unsigned hi = chance(seed, 3) ? lo + chance(seed, types ? 9 : 999) : lo;
			hi = hi > most || chance(seed, 8) == 0 ? most : hi;
			CELL(list, (enum weir_l4)l4, (uint16_t)lo, (uint16_t)hi,
			     chance(seed, WEIR_NUM_CELL_VERDICTS),
			     chance(seed, WEIR_NUM_POLICY_LOGS), chance(seed, 2) ? "some" : "");
			lo = hi + 1 + chance(seed, 2);
		}
	}
	if (chance(seed, 2))
		CELL(list, WEIR_L4_ANY, 0, 0, chance(seed, WEIR_NUM_CELL_VERDICTS),
		     chance(seed, WEIR_NUM_POLICY_LOGS), "rest");
}

static void random_side(struct weir_ruleset *rules, enum weir_entry_kind kind, uint64_t class,
			unsigned i, unsigned *seed)
{
	static const char *const owners[] = { "", "api", "outside", "host", "a b  c" };
	char text[40];
	bool six = chance(seed, 2);
	uint8_t flags = kind == WEIR_ENTRY_HOST_PAIR && chance(seed, 2) ? WEIR_FROM_HOST_PAIR : 0;
	uint64_t list = kind == WEIR_ENTRY_MEMBER ? 0 : 1 + chance(seed, 4);
	bool outside = kind != WEIR_ENTRY_HOST_PAIR && chance(seed, 3) == 0;
	(void)snprintf(text, sizeof(text), six ? "fd00:9%u::%s" : "10.9%u.0.%s", i,
		       outside ? six ? "" : "0" : "7");
	uint8_t len = kind == WEIR_ENTRY_HOST_PAIR ? 0 : six ? 128 : 32;
	if (outside)
		len = six ? 64 : 16;
	add_side(rules, kind, class, list, outside ? WEIR_OUTSIDE : flags, text, len,
		 owners[chance(seed, 5)]);
}

static void fill_random(struct weir_ruleset *rules, unsigned seed)
{
	for (unsigned i = 0; i < chance(&seed, 4); i++) {
		char ifname[16];
		(void)snprintf(ifname, sizeof(ifname), "wb-n%u", i);
		add_network(rules, ifname, (uint8_t)chance(&seed, 0x80), "net");
	}
	for (unsigned class = 1; class <= chance(&seed, 4); class ++)
		add_class(rules, class, chance(&seed, 2) ? "named" : "");
	for (unsigned i = 0; i < chance(&seed, 9); i++)
		random_side(rules, WEIR_ENTRY_MEMBER, 1 + chance(&seed, 4), i, &seed);
	for (unsigned i = 0; i < chance(&seed, 9); i++)
		random_side(rules, WEIR_ENTRY_PAIR, 1 + chance(&seed, 4), i, &seed);
	for (unsigned i = 0; i < chance(&seed, 5); i++)
		random_side(rules, WEIR_ENTRY_HOST_PAIR, 0, i, &seed);
	for (uint64_t list = 1; list <= 4; list++)
		if (chance(&seed, 2))
			random_cells(rules, list, &seed);
	sort(rules);
}

static void test_rounds(void **ctx)
{
	enum { ROUNDS = 60 };
	struct weir_ruleset there = { 0 };
	(void)ctx;
	put(&there);
	for (unsigned seed = 1; seed <= ROUNDS; seed++) {
		struct weir_ruleset next = { 0 };
		struct weir_err err = { 0 };
		fill_random(&next, seed);
		bool whole = seed % 5 == 0;
		if (change(whole ? &none : &there, &next, whole, &err) != 0)
			fail_msg("seed %u: %s", seed, err.text);
		if (!is_there(&next, &err)) {
			weir_ruleset_print(&next, stderr);
			fail_msg("seed %u: %s", seed, err.text);
		}
		weir_ruleset_free(&there);
		there = next;
	}
	weir_ruleset_free(&there);
}

/* ---- the words of a network, and the moment between two rulesets ---- */

static void test_every_flag_reads_back(void **ctx)
{
	enum { FLAGS = WEIR_INGRESS_ALLOW << 1 };
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	char ifname[WEIR_IFNAME_SIZE];
	(void)ctx;
	for (unsigned flags = 0; flags < FLAGS; flags++) {
		(void)snprintf(ifname, sizeof(ifname), "wb-n%u", flags);
		add_network(&rules, ifname, (uint8_t)flags, flags % 2 ? "open,closed" : "");
	}
	sort(&rules);
	put(&rules);
	assert_lists(&rules);
}

static void test_middle_is_as_closed_as_both(void **ctx)
{
	enum { OPENED = WEIR_INGRESS_ALLOW, CLOSED = WEIR_EGRESS_DENY | WEIR_ISOLATED };
	WEIR_CLEAN_RULESET struct weir_ruleset old = { 0 }, new = { 0 }, middle = { 0 };
	struct weir_addr nginx = addr("10.88.1.2");
	(void)ctx;
	add_network(&old, "wb-a", OPENED, "a");
	add_network(&new, "wb-a", CLOSED, "a");
	add_network(&old, "wb-b", CLOSED, "b");
	add_network(&new, "wb-b", OPENED, "b");
	add_network(&old, "wb-c", OPENED, "c");
	add_network(&new, "wb-c", OPENED, "c");
	add_at(&old, WEIR_ENTRY_ISOLATED, "wb-c", nginx, "nginx");
	const struct weir_entry *entries[] = { &new.entries[0], &new.entries[1], &new.entries[2] };
	const struct weir_ipt_view view = { entries, 3 };
	assert_return_code(weir_ipt_middle(&old, &view, &middle, NULL), 0);
	assert_int_equal(middle.n, 4);
	assert_int_equal(middle.entries[0].flags, CLOSED);
	assert_int_equal(middle.entries[1].flags, CLOSED);
	assert_int_equal(middle.entries[2].flags, OPENED);
	assert_int_equal(middle.entries[3].kind, WEIR_ENTRY_ISOLATED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_render_is_golden),
		TEST(test_render_loads_as_committed),
		TEST(test_edits_are_named_and_mended),
		TEST(test_nothing_remains),
		TEST(test_one_more_endpoint),
		TEST(test_drops_are_counted),
		TEST(test_networks_between_one_another),
		TEST(test_senders_and_receivers_are_trees),
		TEST(test_rounds),
		TEST(test_every_flag_reads_back),
		TEST(test_middle_is_as_closed_as_both),
	};

	if (geteuid() != 0) {
		print_message("skipped: network namespaces need root\n");
		return 0;
	}
	assert_return_code(setenv("XTABLES_LOCKFILE", LOCK, 1), errno);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
