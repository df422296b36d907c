/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The legacy iptables backend against the kernel and against iptables: what is common to all backends is
 * in test_contract.c.
 *
 * How it works: every test gets a fresh network namespace of this process and a lock file of its own;
 * without the right to make one they are skipped. The golden in backends/iptables/golden is compared
 * with render(); what the two restore tools make of it is compared with what commit() makes. */
#include "vmtests/unit/iptables_fixture.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "backends/iptables/build.h"
#include "backends/iptables/table.h"

static void add_random(struct weir_ruleset *rules, const char *subnet, uint8_t len,
		       enum weir_nat nat, const char *to)
{
	add_subnet(rules, "wb-web", subnet, len, nat, to);
	rules->entries[rules->n - 1].flags = WEIR_NAT_RANDOM;
}

/* Every kind, both families, every form of a mapping. */
static void fill(struct weir_ruleset *rules)
{
	add_network(rules, "wb-web", 0, "web");
	add_network(rules, "wb-db", WEIR_CLOSED | WEIR_HOST_DENY, "db");
	add_network(rules, "wb-iso", WEIR_ISOLATED, "iso");
	add_subnet(rules, "wb-web", "10.88.1.0", 24, WEIR_NAT_MASQUERADE, NULL);
	add_subnet(rules, "wb-web", "fd00:88:1::", 64, WEIR_NAT_MASQUERADE, NULL);
	add_subnet(rules, "wb-db", "10.88.2.0", 24, WEIR_NAT_NONE, NULL);
	add_subnet(rules, "wb-iso", "10.88.3.0", 25, WEIR_NAT_ADDRESS, "192.0.2.7");
	add_subnet(rules, "wb-iso", "fd00:88:3::", 64, WEIR_NAT_ADDRESS, "2001:db8::7");
	add_at(rules, WEIR_ENTRY_GATEWAY, "wb-web", addr("10.88.1.1"), "web");
	add_at(rules, WEIR_ENTRY_GATEWAY, "wb-web", addr("fd00:88:1::1"), "web");
	add_at(rules, WEIR_ENTRY_SOURCE, "wb-web", addr("10.88.1.2"), "nginx");
	add_at(rules, WEIR_ENTRY_SOURCE, "wb-web", addr("fd00:88:1::2"), "with \"quotes\" and \\");
	add_at(rules, WEIR_ENTRY_ISOLATED, "wb-web", addr("10.88.1.2"), "nginx");
	add_at(rules, WEIR_ENTRY_ISOLATED, "wb-web", addr("10.88.1.3"), "");
	add_at(rules, WEIR_ENTRY_ISOLATED, "wb-web", addr("fd00:88:1::2"), "nginx");
	add_random(rules, "10.88.7.0", 24, WEIR_NAT_MASQUERADE, NULL);
	add_random(rules, "fd00:88:7::", 64, WEIR_NAT_MASQUERADE, NULL);
	add_random(rules, "10.88.8.0", 24, WEIR_NAT_ADDRESS, "192.0.2.7");
	add_random(rules, "fd00:88:8::", 64, WEIR_NAT_ADDRESS, "2001:db8::7");
	add_trusted(rules, "eth1", "wb-web");
	add_trusted(rules, "wb-iso", "wb-web");
	add_mapping(rules, NULL, WEIR_TCP, 8080, 8080, "10.88.1.2", 80, "nginx 8080:80");
	add_mapping(rules, NULL, WEIR_TCP, 8080, 8080, "fd00:88:1::2", 80, "nginx 8080:80");
	add_mapping(rules, "127.0.0.1", WEIR_TCP, 8080, 8080, "10.88.1.2", 81, "nginx");
	add_mapping(rules, NULL, WEIR_UDP, 9000, 9999, "10.88.1.2", 9000, "nginx 9000-9999/udp");
	add_mapping(rules, NULL, WEIR_TCP, 7000, 7009, "10.88.1.2", 6000,
		    "nginx 7000-7009:6000-6009");
	add_mapping(rules, "2001:db8::1", WEIR_TCP, 500, 502, "fd00:88:1::2", 600, "nginx");
	add_mapping(rules, "2001:db8::1", WEIR_TCP, 700, 702, "fd00:88:1::2", 700, "nginx");
	add(rules, strict("127.0.0.1", WEIR_TCP, 8080, 8080, "nginx"), "");
	add(rules, strict("192.0.2.1", WEIR_SCTP, 5000, 5009, "nginx 192.0.2.1:5000-5009/sctp"),
	    "");
	add(rules, strict("192.0.2.1", WEIR_UDP, 53, 53, ""), "");
	add(rules, strict("2001:db8::1", WEIR_TCP, 500, 502, "nginx"), "");
	add(rules, (struct weir_entry){ .kind = WEIR_ENTRY_GUARD, .family = WEIR_IPV4 }, "");
	add(rules, (struct weir_entry){ .kind = WEIR_ENTRY_GUARD, .family = WEIR_IPV6 }, "");
	sort(rules);
}

static struct weir_entry segment(const char *from, uint8_t from_len, const char *to, uint8_t to_len)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_SEGMENT,
				.owner = "lan",
				.addr = addr(from),
				.prefix_len = from_len,
				.to = addr(to),
				.to_len = to_len };
	e.family = e.addr.family;
	return e;
}

/* A network of ports that the host routes to, which keep each other out; an outside that is trusted. */
static void fill_routed(struct weir_ruleset *rules)
{
	for (unsigned i = 0; i < 2; i++) {
		char ifname[16];
		struct weir_entry port = { .kind = WEIR_ENTRY_NETWORK,
					   .owner = "lan",
					   .from_ifname = "wr1a2b3-+",
					   .flags = WEIR_ISOLATED };
		(void)snprintf(ifname, sizeof(ifname), "wr1a2b3-00000%u", i);
		add(rules, port, ifname);
	}
	add_subnet(rules, "wr1a2b3-+", "10.99.0.0", 24, WEIR_NAT_MASQUERADE, NULL);
	add_subnet(rules, "wr1a2b3-+", "fd00:99::", 64, WEIR_NAT_NONE, NULL);
	add_at(rules, WEIR_ENTRY_GATEWAY, "wr1a2b3-+", addr("10.99.0.1"), "lan");
	add_at(rules, WEIR_ENTRY_SOURCE, "wr1a2b3-000000", addr("10.99.0.2"), "a");
	add_at(rules, WEIR_ENTRY_SOURCE, "wr1a2b3-000001", addr("fd00:99::2"), "b");
	add(rules, segment("10.99.0.0", 24, "10.99.0.0", 24), "wr1a2b3-+");
	add(rules, segment("10.99.0.0", 24, "10.99.4.0", 22), "wr1a2b3-+");
	add(rules, segment("fd00:99::", 64, "fd00:99::", 64), "wr1a2b3-+");
	add(rules,
	    (struct weir_entry){ .kind = WEIR_ENTRY_TRUSTED,
				 .family = WEIR_IPV4,
				 .from_ifname = "eth1",
				 .owner = "lan",
				 .addr = addr("10.99.0.0"),
				 .prefix_len = 24 },
	    "wr1a2b3-+");
	add_mapping(rules, NULL, WEIR_TCP, 8080, 8080, "10.99.0.2", 80, "a 8080:80");
	sort(rules);
}

/* n mappings of one address, from port 1024 on. */
static void fill_ports(struct weir_ruleset *rules, unsigned n)
{
	char owner[32];
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(owner, sizeof(owner), "many %u", 1024 + i);
		add_mapping(rules, NULL, WEIR_TCP, (uint16_t)(1024 + i), (uint16_t)(1024 + i),
			    "10.88.1.2", (uint16_t)(1 + i), owner);
	}
	sort(rules);
}

/* ---- tests ---- */

static void test_render_is_golden(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	(void)ctx;
	fill(&rules);
	char *text = render(&rules);
	assert_true(golden_same(GOLDEN "sample.rules", text));
	free(text);
}

static void test_render_loads_as_committed(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	(void)ctx;
	fill(&rules);
	assert_loads_as_committed(&rules);
}

static void test_routed_networks(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };
	(void)ctx;
	fill_routed(&rules);
	char *text = render(&rules);
	assert_true(golden_same(GOLDEN "routed.rules", text));
	free(text);
	assert_loads_as_committed(&rules);
	put(&rules);
	assert_lists(&rules);
	assert_int_equal(check(&err), 0);
}

static void test_control_character_in_a_name(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };
	struct weir_epoch epoch = { OURS, BOOT, 1 };
	(void)ctx;
	add_network(&rules, "wb-web", 0, "a\nb");
	assert_int_equal(ops->render(&rules, &epoch, stdout, &err), -EINVAL);
}

static void test_rules_that_stay_keep_counters(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset few = { 0 }, more = { 0 };
	struct weir_err err = { 0 };
	(void)ctx;
	fill(&few);
	fill(&more);
	add_mapping(&more, NULL, WEIR_TCP, 8000, 8000, "10.88.1.2", 80, "before it");
	add_network(&more, "wb-more", 0, "more");
	sort(&more);
	put(&few);
	doing("iptables-legacy -t nat -L WEIR-TCP -v -n >/dev/null");
	doing("iptables-legacy-save -c -t nat | sed 's/^\\[0:0\\] \\(.*--dport 8080 .*\\)/[7:420] "
	      "\\1/'"
	      " | iptables-legacy-restore -c");
	if (change(&few, &more, false, &err) != 0)
		fail_msg("%s", err.text);
	doing("iptables-legacy-save -c -t nat | grep -q '^\\[7:420\\].*-A WEIR-TCP .*--dport 8080 "
	      "'");
}

static void test_foreign_rules_stay(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };
	(void)ctx;
	fill(&rules);
	doing("iptables-legacy -N mine; iptables-legacy -A mine -j DROP; iptables-legacy -A "
	      "FORWARD -j mine;"
	      "ip6tables-legacy -t nat -A POSTROUTING -o eth9 -j MASQUERADE");
	char *before = run(TABLES);
	put(&rules);
	char *during = run(TABLES " | grep -v WEIR-");
	assert_string_equal(before, during);
	doing("iptables-legacy -S FORWARD | sed -n 2p | grep -qx -e '-A FORWARD -j WEIR-FORWARD'");
	assert_return_code(change(&none, &none, true, &err), 0);
	char *after = run(TABLES);
	assert_string_equal(before, after);
	free(before);
	free(during);
	free(after);
}

/* Each way in which somebody edits our rules, and the word by which the difference is told. */
static const struct {
	const char *command, *says;
} edits[] = {
	{ "iptables-legacy -F WEIR-STATE", "WEIR-STATE" },
	{ "ip6tables-legacy -D FORWARD -j WEIR-FORWARD", "FORWARD" },
	{ "iptables-legacy -t nat -A PREROUTING -j WEIR-PUBLISH", "line 2" },
	{ "iptables-legacy -I WEIR-FORWARD -s 192.0.2.1 -j ACCEPT", "line 1" },
	{ "iptables-legacy -I WEIR-FORWARD 2 -m limit --limit 1/s -j ACCEPT", "line 2" },
	{ "iptables-legacy -R WEIR-FROM-wb-web 1 -p tcp --sport 80 -j ACCEPT", "WEIR-FROM-wb-web" },
	{ "iptables-legacy -N WEIR-MORE", "WEIR-MORE" },
	{ "iptables-legacy -F WEIR-EPOCH", "WEIR-EPOCH" },
	{ "iptables-legacy -t nat -R WEIR-TCP 1 -p tcp --dport 7000:7009 -j DNAT --to-destination "
	  "10.88.1.2:6000-6009 -m comment --comment x",
	  "WEIR-TCP" },
	{ "iptables-legacy -t nat -A WEIR-TCP -p tcp --dport 8080 -j DNAT --to-destination "
	  "10.88.1.9:80",
	  "8080" },
};

static void test_edits_are_named_and_mended(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	(void)ctx;
	fill(&rules);
	put(&rules);
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		struct weir_err err = { 0 };
		doing(edits[i].command);
		if (check(&err) != -ESTALE || !strstr(err.text, edits[i].says))
			fail_msg("%s: %s", edits[i].command, err.text);
		put(&rules);
		err = (struct weir_err){ 0 };
		if (check(&err) != 0)
			fail_msg("%s, mended: %s", edits[i].command, err.text);
		assert_lists(&rules);
	}
}

static uint32_t generation(void)
{
	struct weir_firewall_state state;
	struct weir_firewall *fw = NULL;
	assert_return_code(ops->open(OURS, NULL, &fw, NULL), 0);
	assert_return_code(ops->state(fw, &state, NULL), 0);
	ops->close(fw);
	return state.generation;
}

static void test_generation_tells_of_rules_that_come_and_go(void **ctx)
{
	static const char *const writes[] = {
		"iptables-legacy -A INPUT -s 192.0.2.1 -j ACCEPT",
		"iptables-legacy -t nat -F WEIR-PUBLISH",
		"ip6tables-legacy -N mine",
		"ip6tables-legacy -t nat -D POSTROUTING -j WEIR-POSTROUTING",
	};
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	(void)ctx;
	uint32_t before = generation();
	assert_int_not_equal(before, 0);
	char *tables = run("cat /proc/self/net/ip_tables_names /proc/self/net/ip6_tables_names");
	assert_string_equal(tables, ""); /* looking makes none */
	free(tables);
	fill(&rules);
	put(&rules);
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		before = generation();
		assert_int_equal(generation(), before);
		doing(writes[i]);
		assert_int_not_equal(generation(), before);
	}
}

/* Our frame is mended by whatever changes next, even where the generation says nothing. */
static void test_a_change_mends_the_frame(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset few = { 0 }, more = { 0 };
	struct weir_err err = { 0 };
	(void)ctx;
	fill(&few);
	fill(&more);
	add_mapping(&more, NULL, WEIR_TCP, 8000, 8000, "10.88.1.2", 80, "one more");
	sort(&more);
	put(&few);
	uint32_t before = generation();
	doing("iptables-legacy -R FORWARD 1 -j ACCEPT"); /* of the same size as the jump */
	assert_int_equal(generation(), before);
	if (change(&few, &more, false, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(check(&err), 0);
	doing("iptables-legacy -S FORWARD | grep -qx -e '-A FORWARD -j WEIR-FORWARD'");
}

/* A rule of somebody's keeps one of our chains from going: the families before it go back. */
static void test_failure_in_the_middle_goes_back(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };
	(void)ctx;
	fill(&rules);
	put(&rules);
	doing("iptables-legacy -N mine; iptables-legacy -A mine -j WEIR-STATE");
	char *before = run(TABLES);
	assert_int_equal(change(&none, &none, true, &err), -EBUSY);
	assert_non_null(strstr(err.text, "WEIR-STATE"));
	char *after = run(TABLES);
	assert_string_equal(before, after);
	assert_lists(&rules);
	free(before);
	free(after);
}

static void test_lock_is_waited_for(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	int ready[2];
	char c;
	(void)ctx;
	fill(&rules);
	assert_return_code(pipe2(ready, O_CLOEXEC), errno);
	pid_t child = fork();
	if (child == 0) { /* holds it until somebody waits, or a little longer */
		int fd = open(LOCK, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		(void)usleep(50000);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(read(ready[0], &c, 1), 1);
	put(&rules);
	int status = -1;
	assert_int_equal(waitpid(child, &status, WNOHANG),
			 child); /* it had ended before we went on */
	assert_int_equal(status, 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
	assert_lists(&rules);
}

/* ---- trees ---- */

static void test_ports_are_a_tree(void **ctx)
{
	static const struct {
		unsigned ports, most;
	} cases[] = { { 100, 100 }, { 128, 128 }, { 129, 64 }, { 10000, 64 }, { 50000, 72 } };
	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
		struct weir_ipt_image image = { 0 };
		fill_ports(&rules, cases[i].ports);
		assert_return_code(weir_ipt_build(&weir_ipt_places[3], &rules, NULL, &image), 0);
		size_t most = longest(&image, "WEIR-TCP", 0);
		if (most > cases[i].most)
			fail_msg("%u ports: %zu rules", cases[i].ports, most);
		weir_ipt_image_free(&image);
	}
}

static void fill_wide(struct weir_ruleset *rules, unsigned networks, unsigned sources)
{
	char ifname[16], text[40];
	for (unsigned i = 0; i < networks; i++) {
		(void)snprintf(ifname, sizeof(ifname), "wb-n%u", i);
		add_network(rules, ifname, 0, ifname + 3);
		(void)snprintf(text, sizeof(text), "10.%u.%u.0", 100 + i / 256, i % 256);
		add_subnet(rules, ifname, text, 24, WEIR_NAT_MASQUERADE, NULL);
		text[strlen(text) - 1] = '1';
		add_at(rules, WEIR_ENTRY_GATEWAY, ifname, addr(text), "gw");
	}
	for (unsigned i = 0; i < sources; i++) {
		(void)snprintf(text, sizeof(text), "10.90.%u.%u", i / 250, i % 250 + 2);
		add_at(rules, WEIR_ENTRY_SOURCE, "wb-n0", addr(text), "source");
		(void)snprintf(text, sizeof(text), "fd00:90::%x", i + 2);
		add_at(rules, WEIR_ENTRY_SOURCE, "wb-n0", addr(text), "source");
	}
	sort(rules);
}

static void test_networks_and_sources_are_trees(void **ctx)
{
	static const char *const filter[] = { "WEIR-FROM", "WEIR-TO", "WEIR-INSIDE",
					      "WEIR-GATEWAYS", "WEIR-SRC-wb-n0" };
	static const char *const nat[] = { "WEIR-POST", "WEIR-SNAT", "WEIR-OWN",
					   "WEIR-HAIRPIN-wb-n0" };
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };
	(void)ctx;
	fill_wide(&rules, 1000, 2000);
	for (size_t place = 2; place < 4; place++) {
		struct weir_ipt_image image = { 0 };
		assert_return_code(weir_ipt_build(&weir_ipt_places[place], &rules, NULL, &image),
				   0);
		for (size_t i = 0; i < (place == 2 ? 5 : 4); i++) {
			/* a chain of a network itself is a few rules more */
			size_t most = longest(&image, place == 2 ? filter[i] : nat[i], 0);
			if (most > 140)
				fail_msg("%s: %zu rules", place == 2 ? filter[i] : nat[i], most);
		}
		weir_ipt_image_free(&image);
	}
	put(&rules);
	assert_lists(&rules);
	assert_int_equal(check(&err), 0);
}

static void test_many_addresses(void **ctx)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	char text[40];
	(void)ctx;
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(text, sizeof(text), "192.0.%u.%u", 2 + i / 200, i % 200 + 1);
		add_mapping(&rules, text, WEIR_TCP, 80, 80, "10.88.1.2", 80, "a");
		add_mapping(&rules, text, WEIR_SCTP, 80, 90, "10.88.1.2", 180, "b");
		(void)snprintf(text, sizeof(text), "2001:db8::%x", i + 1);
		add_mapping(&rules, text, WEIR_UDP, 80, 80, "fd00:88::2", 80, "c");
	}
	sort(&rules);
	put(&rules);
	assert_lists(&rules);
}

/* ---- set-up ---- */

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_render_is_golden),
		TEST(test_render_loads_as_committed),
		TEST(test_routed_networks),
		TEST(test_control_character_in_a_name),
		TEST(test_rules_that_stay_keep_counters),
		TEST(test_foreign_rules_stay),
		TEST(test_edits_are_named_and_mended),
		TEST(test_generation_tells_of_rules_that_come_and_go),
		TEST(test_a_change_mends_the_frame),
		TEST(test_failure_in_the_middle_goes_back),
		TEST(test_lock_is_waited_for),
		TEST(test_ports_are_a_tree),
		TEST(test_networks_and_sources_are_trees),
		TEST(test_many_addresses),
	};

	if (geteuid() != 0) {
		print_message("skipped: network namespaces need root\n");
		return 0;
	}
	assert_return_code(setenv("XTABLES_LOCKFILE", LOCK, 1), errno);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
