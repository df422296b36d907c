/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The legacy iptables backend against the kernel and against iptables: what is common to all backends is
 * in test_contract.c.
 *
 * How it works: every test gets a fresh network namespace of this process and a lock file of its own;
 * without the right to make one they are skipped. The golden in backends/iptables/golden is compared
 * with render(); what the two restore tools make of it is compared with what commit() makes. */
#include "vmtests/unit/golden.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/iptables/build.h"
#include "backends/iptables/iptables.h"
#include "backends/iptables/table.h"

#define OURS "11111111-1111-4111-8111-111111111111"
#define BOOT "33333333-3333-4333-8333-333333333333"
#define GOLDEN "backends/iptables/golden/"
#define LOCK "/run/weir-test-xtables.lock"
#define TABLES                                                                                  \
	"for t in filter nat; do iptables-legacy-save -t $t; ip6tables-legacy-save -t $t; done" \
	" | grep -v '^#' | sed 's/\\[[0-9]*:[0-9]*\\]//g'"

static const struct weir_firewall_ops *const ops = &weir_iptables;
static const struct weir_ruleset none = { 0 };
static uint32_t counter;

/* ---- the sample ---- */

static struct weir_addr addr(const char *text)
{
	struct weir_addr ret = { 0 };
	if (text)
		assert_return_code(weir_addr_parse(text, &ret, NULL), 0);
	return ret;
}

static void add(struct weir_ruleset *rules, struct weir_entry entry, const char *ifname)
{
	(void)snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	if (!entry.owner)
		entry.owner = "";
	assert_return_code(weir_ruleset_add(rules, &entry, NULL), 0);
}

static void add_network(struct weir_ruleset *rules, const char *ifname, uint8_t flags,
			const char *owner)
{
	add(rules,
	    (struct weir_entry){ .kind = WEIR_ENTRY_NETWORK, .flags = flags, .owner = owner },
	    ifname);
}

static void add_subnet(struct weir_ruleset *rules, const char *ifname, const char *base,
		       uint8_t len, enum weir_nat nat, const char *to)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_SUBNET,
				.addr = addr(base),
				.prefix_len = len,
				.nat = (uint8_t)nat,
				.to = addr(to),
				.owner = ifname + 3 };
	e.family = e.addr.family;
	add(rules, e, ifname);
}

static void add_at(struct weir_ruleset *rules, enum weir_entry_kind kind, const char *ifname,
		   struct weir_addr at, const char *owner)
{
	add(rules,
	    (struct weir_entry){ .kind = kind, .family = at.family, .addr = at, .owner = owner },
	    ifname);
}

static void add_mapping(struct weir_ruleset *rules, const char *host, enum weir_proto proto,
			uint16_t lo, uint16_t hi, const char *to, uint16_t to_port,
			const char *owner)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_MAPPING,
				.addr = addr(host),
				.to = addr(to),
				.proto = (uint8_t)proto,
				.ports = { lo, hi },
				.to_port = to_port,
				.owner = owner };
	e.family = e.to.family;
	add(rules, e, "");
}

static void add_trusted(struct weir_ruleset *rules, const char *from, const char *ifname)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_TRUSTED, .owner = "web" };
	(void)snprintf(e.from_ifname, sizeof(e.from_ifname), "%s", from);
	add(rules, e, ifname);
}

static void sort(struct weir_ruleset *rules)
{
	assert_return_code(weir_ruleset_sort(rules, NULL), 0);
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
	add(rules, (struct weir_entry){ .kind = WEIR_ENTRY_GUARD, .family = WEIR_IPV4 }, "");
	add(rules, (struct weir_entry){ .kind = WEIR_ENTRY_GUARD, .family = WEIR_IPV6 }, "");
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

/* ---- doing ---- */

/* What a shell command prints; it must succeed. The caller frees it. */
static char *run(const char *command)
{
	char *text = NULL;
	size_t size = 0, len;
	char buf[4096];
	FILE *pipe = popen(command, "re"), *out = open_memstream(&text, &size);
	assert_non_null(pipe);
	assert_non_null(out);
	while ((len = fread(buf, 1, sizeof(buf), pipe)) > 0)
		assert_int_equal(fwrite(buf, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
	int status = pclose(pipe);
	if (status != 0)
		fail_msg("%s: status %d: %s", command, status, text);
	return text;
}

static void doing(const char *command)
{
	free(run(command));
}

static int change(const struct weir_ruleset *from, const struct weir_ruleset *to, bool whole,
		  struct weir_err *err)
{
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };
	struct weir_firewall *fw = NULL;
	struct weir_firewall_state old = { 0 };
	struct weir_epoch epoch = { OURS, BOOT, ++counter };
	assert_return_code(weir_ruleset_diff(from, to, &delta, NULL), 0);
	assert_return_code(ops->open(OURS, NULL, &fw, err), 0);
	int r = ops->state(fw, &old, err);
	if (r == 0)
		r = ops->prepare(fw, &delta, whole, &old, &epoch, err);
	if (r == 0)
		r = ops->commit(fw, NULL, err);
	ops->close(fw);
	return r;
}

static void put(const struct weir_ruleset *rules)
{
	struct weir_err err = { 0 };
	if (change(&none, rules, true, &err) != 0)
		fail_msg("put: %s", err.text);
}

static int check(struct weir_err *err)
{
	struct weir_firewall *fw = NULL;
	assert_return_code(ops->open(OURS, NULL, &fw, err), 0);
	int r = ops->check(fw, err);
	ops->close(fw);
	return r;
}

static void assert_lists(const struct weir_ruleset *wanted)
{
	WEIR_CLEAN_RULESET struct weir_ruleset there = { 0 };
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };
	struct weir_firewall *fw = NULL;
	struct weir_err err = { 0 };
	assert_return_code(ops->open(OURS, NULL, &fw, &err), 0);
	if (ops->list(fw, &there, NULL, &err) != 0)
		fail_msg("list: %s", err.text);
	ops->close(fw);
	assert_return_code(weir_ruleset_diff(wanted, &there, &delta, NULL), 0);
	assert_int_equal(delta.n_removed + delta.n_added, 0);
}

static char *render(const struct weir_ruleset *rules)
{
	struct weir_epoch epoch = { OURS, BOOT, 1 };
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	assert_return_code(ops->render(rules, &epoch, out, NULL), 0);
	assert_int_equal(fclose(out), 0);
	return text;
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
	char path[] = "/tmp/weir-rules-XXXXXX", command[256];
	struct weir_err err = { 0 };
	(void)ctx;
	fill(&rules);
	char *text = render(&rules);
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
	counter = 0;
	put(&rules);
	char *committed = run(TABLES);
	assert_return_code(unshare(CLONE_NEWNET), errno);
	(void)snprintf(
		command, sizeof(command),
		"iptables-legacy-restore --noflush <%s && ip6tables-legacy-restore --noflush <%s",
		path, path);
	doing(command);
	char *restored = run(TABLES);
	assert_string_equal(committed, restored);
	assert_lists(&rules); /* byte by byte, what iptables writes is what weir writes */
	assert_int_equal(check(&err), 0);
	assert_int_equal(unlink(path), 0);
	free(text);
	free(committed);
	free(restored);
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

/* The most rules that a packet meets from a chain on. */
static size_t longest(const struct weir_ipt_image *image, const char *name, int depth)
{
	const struct weir_ipt_chain *chain = weir_ipt_image_find(image, name);
	size_t most = 0;
	assert_true(depth < 16);
	assert_non_null(chain);
	for (size_t i = 0; i < chain->n; i++) {
		const struct weir_ipt_rule *rule = &chain->rules[i];
		size_t further = rule->verdict == WEIR_IPT_GOTO
					 ? longest(image, rule->target, depth + 1)
					 : 0;
		most = i + 1 + further > most ? i + 1 + further : most;
	}
	return most;
}

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

static int fresh(void **ctx)
{
	(void)ctx;
	counter = 0;
	return unshare(CLONE_NEWNET);
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_render_is_golden),
		TEST(test_render_loads_as_committed),
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
