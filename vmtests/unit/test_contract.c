/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One test of core/firewall.h for every backend, bare and traced.
 *
 * How it works: a subject is a backend and the ways in which somebody else can spoil what it made.
 * Each test starts with an empty filter: memory is reset, the others get a network namespace of their
 * own. Without root those are skipped; memory always runs. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/iptables/iptables.h"
#include "backends/memory/memory.h"
#include "backends/nftables/nftables.h"
#include "backends/trace.h"
#include "vmtests/unit/entries.h"
#include "vmtests/unit/policy_sample.h"

#define OURS "11111111-1111-4111-8111-111111111111"
#define THEIRS "22222222-2222-4222-8222-222222222222"
#define BOOT "33333333-3333-4333-8333-333333333333"

struct subject {
	const char *name;
	const struct weir_firewall_ops *inner;
	bool traced;
	void (*fresh)(void);
	void (*others_commit)(void); /* something that is none of ours */
	void (*others_flush)(void);  /* all of ours */
	void (*others_break)(void);  /* a rule of ours */
	void (*others_take)(void);   /* all SOURCE entries of IPv4 */
};

/* What one test works with. */
struct bench {
	struct weir_firewall_ops ops;
	struct weir_trace trace;
	size_t lines; /* that were traced */
	struct weir_firewall *fw;
	struct weir_delta delta; /* outlives what is prepared from it */
	struct weir_err err;
};

static const struct subject *subject;

/* ---- the ways of others ---- */

static void run(const char *const argv[])
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status != 0)
		fail_msg("%s %s %s … ended with status %d", argv[0], argv[1], argv[2], status);
}

static void nft_fresh(void)
{
	assert_return_code(unshare(CLONE_NEWNET), errno);
}

static void nft_other(void)
{
	run((const char *const[]){ "nft", "add", "table", "ip", "somebody", NULL });
}

static void nft_flush(void)
{
	run((const char *const[]){ "nft", "flush", "ruleset", NULL });
}

static void nft_break(void)
{
	run((const char *const[]){ "nft", "flush", "chain", "inet", "weir", "forward", NULL });
}

static void nft_take(void)
{
	run((const char *const[]){ "nft", "flush", "set", "inet", "weir", "sources4", NULL });
}

static void ipt_fresh(void)
{
	nft_fresh();
	assert_return_code(setenv("XTABLES_LOCKFILE", "/run/weir-test-xtables.lock", 1), errno);
}

/* Somebody who does not heed the lock. */
static void ipt_other(void)
{
	run((const char *const[]){ "env", "XTABLES_LOCKFILE=/run/weir-test-other.lock",
				   "iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s",
				   "192.0.2.99", "-j", "ACCEPT", NULL });
}

static void ipt_flush(void)
{
	static const char *const tools[] = { "iptables-legacy", "ip6tables-legacy" };
	static const char *const tables[] = { "filter", "nat" };
	for (int i = 0; i < 4; i++) {
		run((const char *const[]){ tools[i / 2], "-t", tables[i % 2], "-F", NULL });
		run((const char *const[]){ tools[i / 2], "-t", tables[i % 2], "-X", NULL });
	}
}

static void ipt_break(void)
{
	run((const char *const[]){ "ip6tables-legacy", "-F", "WEIR-STATE", NULL });
}

static void ipt_take(void)
{
	run((const char *const[]){ "iptables-legacy", "-D", "WEIR-SRC-wb-web", "1", NULL });
	run((const char *const[]){ "iptables-legacy", "-t", "nat", "-D", "WEIR-HAIRPIN-wb-web", "1",
				   NULL });
}

static void memory_other(void)
{
	weir_memory_damage(WEIR_MEMORY_OTHER);
}

static void memory_flush(void)
{
	weir_memory_damage(WEIR_MEMORY_FLUSHED);
}

static void memory_break(void)
{
	weir_memory_damage(WEIR_MEMORY_BROKEN);
}

static void memory_take(void)
{
	for (size_t i = 0; i < weir_memory_rules()->n;)
		if (weir_memory_rules()->entries[i].kind == WEIR_ENTRY_SOURCE &&
		    weir_memory_rules()->entries[i].family == WEIR_IPV4)
			assert_true(weir_memory_drop_entry(i));
		else
			i++;
}

static const struct subject subjects[] = {
	{ "memory", &weir_memory_firewall, false, weir_memory_reset, memory_other, memory_flush,
	  memory_break, memory_take },
	{ "memory, traced", &weir_memory_firewall, true, weir_memory_reset, memory_other,
	  memory_flush, memory_break, memory_take },
	{ "nftables", &weir_nftables, false, nft_fresh, nft_other, nft_flush, nft_break, nft_take },
	{ "nftables, traced", &weir_nftables, true, nft_fresh, nft_other, nft_flush, nft_break,
	  nft_take },
	{ "iptables", &weir_iptables, false, ipt_fresh, ipt_other, ipt_flush, ipt_break, ipt_take },
	{ "iptables, traced", &weir_iptables, true, ipt_fresh, ipt_other, ipt_flush, ipt_break,
	  ipt_take },
};

/* ---- rulesets ---- */

static void add(struct weir_ruleset *rules, struct weir_entry entry)
{
	if (!entry.owner)
		entry.owner = "";
	assert_int_equal(weir_ruleset_add(rules, &entry, NULL), 0);
}

static void add_network(struct weir_ruleset *rules, const char *ifname, uint8_t flags,
			const char *owner)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_NETWORK, .flags = flags, .owner = owner };
	(void)snprintf(e.ifname, sizeof(e.ifname), "%s", ifname);
	add(rules, e);
}

static void add_subnet(struct weir_ruleset *rules, const char *ifname, const char *base,
		       uint8_t len, enum weir_nat nat, const char *to)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_SUBNET,
				.addr = addr(base),
				.prefix_len = len,
				.nat = (uint8_t)nat,
				.to = addr(to) };
	e.family = e.addr.family;
	(void)snprintf(e.ifname, sizeof(e.ifname), "%s", ifname);
	add(rules, e);
}

static void add_host(struct weir_ruleset *rules, enum weir_entry_kind kind, const char *ifname,
		     const char *at, const char *owner)
{
	struct weir_entry e = { .kind = kind, .addr = addr(at), .owner = owner };
	e.family = e.addr.family;
	(void)snprintf(e.ifname, sizeof(e.ifname), "%s", ifname);
	add(rules, e);
}

static void add_trusted(struct weir_ruleset *rules, const char *from, const char *ifname)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_TRUSTED };
	(void)snprintf(e.from_ifname, sizeof(e.from_ifname), "%s", from);
	(void)snprintf(e.ifname, sizeof(e.ifname), "%s", ifname);
	add(rules, e);
}

static void add_mapping(struct weir_ruleset *rules, const char *host, enum weir_proto proto,
			struct weir_ports ports, const char *to, uint16_t to_port,
			const char *owner)
{
	add(rules, mapping(host, proto, ports.lo, ports.hi, to, to_port, owner));
}

static void add_strict(struct weir_ruleset *rules, const char *host, struct weir_ports ports)
{
	add(rules, strict(host, WEIR_TCP, ports.lo, ports.hi, "nginx"));
}

static void add_guard(struct weir_ruleset *rules, enum weir_family family)
{
	add(rules, (struct weir_entry){ .kind = WEIR_ENTRY_GUARD, .family = family });
}

/* Every kind, both families, every form of a mapping. */
static void fill(struct weir_ruleset *rules)
{
	add_network(rules, "wb-web", 0, "web");
	add_network(rules, "wb-db", WEIR_CLOSED | WEIR_HOST_DENY, "db");
	add_network(rules, "wb-iso", WEIR_ISOLATED, "iso");
	add_subnet(rules, "wb-web", "10.88.1.0", 24, WEIR_NAT_MASQUERADE, NULL);
	add_subnet(rules, "wb-web", "fd00:88:1::", 64, WEIR_NAT_MASQUERADE, NULL);
	add_subnet(rules, "wb-iso", "10.88.3.0", 25, WEIR_NAT_ADDRESS, "192.0.2.7");
	add_subnet(rules, "wb-db", "10.88.2.0", 24, WEIR_NAT_NONE, NULL);
	add_host(rules, WEIR_ENTRY_GATEWAY, "wb-web", "10.88.1.1", NULL);
	add_host(rules, WEIR_ENTRY_GATEWAY, "wb-web", "fd00:88:1::1", NULL);
	add_host(rules, WEIR_ENTRY_SOURCE, "wb-web", "10.88.1.2", "nginx");
	add_host(rules, WEIR_ENTRY_SOURCE, "wb-web", "fd00:88:1::2", "nginx");
	add_host(rules, WEIR_ENTRY_ISOLATED, "wb-web", "10.88.1.2", "nginx");
	add_host(rules, WEIR_ENTRY_ISOLATED, "wb-web", "fd00:88:1::2", "nginx");
	add_subnet(rules, "wb-web", "10.88.4.0", 24, WEIR_NAT_MASQUERADE, NULL);
	rules->entries[rules->n - 1].flags = WEIR_NAT_RANDOM;
	add_subnet(rules, "wb-web", "fd00:88:4::", 64, WEIR_NAT_ADDRESS, "2001:db8::7");
	rules->entries[rules->n - 1].flags = WEIR_NAT_RANDOM;
	add_trusted(rules, "eth1", "wb-web");
	add_trusted(rules, "eth1", "wb-db");
	add_mapping(rules, NULL, WEIR_TCP, (struct weir_ports){ 8080, 8080 }, "10.88.1.2", 80,
		    "nginx 8080:80");
	add_mapping(rules, NULL, WEIR_TCP, (struct weir_ports){ 8080, 8080 }, "fd00:88:1::2", 80,
		    "nginx 8080:80");
	add_mapping(rules, "127.0.0.1", WEIR_TCP, (struct weir_ports){ 8080, 8080 }, "10.88.1.2",
		    81, "nginx 127.0.0.1:8080:81");
	add_mapping(rules, NULL, WEIR_UDP, (struct weir_ports){ 9000, 9999 }, "10.88.1.2", 9000,
		    "nginx 9000-9999:9000-9999/udp");
	add_mapping(rules, NULL, WEIR_TCP, (struct weir_ports){ 7000, 7009 }, "10.88.1.2", 6000,
		    "nginx 7000-7009:6000-6009");
	add_mapping(rules, "2001:db8::1", WEIR_TCP, (struct weir_ports){ 500, 502 }, "fd00:88:1::2",
		    500, "nginx [2001:db8::1]:500-502:500-502");
	add_strict(rules, "127.0.0.1", (struct weir_ports){ 8080, 8080 });
	add_strict(rules, "2001:db8::1", (struct weir_ports){ 500, 502 });
	add_guard(rules, WEIR_IPV4);
	add_guard(rules, WEIR_IPV6);
	sort(rules);
}

/* ---- doing ---- */

static struct weir_firewall_state state_of(struct bench *b)
{
	struct weir_firewall_state state = { 0 };
	if (b->ops.state(b->fw, &state, &b->err) != 0)
		fail_msg("state: %s", b->err.text);
	return state;
}

static struct weir_epoch next_epoch(const struct weir_firewall_state *old)
{
	struct weir_epoch epoch = { .store = OURS,
				    .boot = BOOT,
				    .counter = old->epoch.counter + 1 };
	return epoch;
}

static int prepare(struct bench *b, const struct weir_ruleset *from, const struct weir_ruleset *to,
		   bool whole)
{
	struct weir_firewall_state old = state_of(b);
	struct weir_epoch epoch = next_epoch(&old);

	weir_delta_free(&b->delta);
	assert_int_equal(weir_ruleset_diff(from, to, &b->delta, NULL), 0);
	return b->ops.prepare(b->fw, &b->delta, whole, &old, &epoch, &b->err);
}

static int change(struct bench *b, const struct weir_ruleset *from, const struct weir_ruleset *to,
		  bool whole)
{
	uint32_t generation = 0;
	int r = prepare(b, from, to, whole);

	if (r == 0)
		r = b->ops.commit(b->fw, &generation, &b->err);
	if (r == 0)
		assert_int_equal(generation, state_of(b).generation);
	return r;
}

static const struct weir_ruleset none = { 0 };

static void put(struct bench *b, const struct weir_ruleset *rules)
{
	if (change(b, &none, rules, true) != 0)
		fail_msg("%s: put: %s", subject->name, b->err.text);
}

static void show_difference(const struct weir_delta *delta)
{
	char text[WEIR_ENTRY_TEXT];

	for (size_t i = 0; i < delta->n_removed; i++)
		print_error("wanted, not there: %s\n", weir_entry_text(delta->removed[i], text));
	for (size_t i = 0; i < delta->n_added; i++)
		print_error("there, not wanted: %s\n", weir_entry_text(delta->added[i], text));
}

static void assert_same(const struct weir_ruleset *wanted, const struct weir_ruleset *there)
{
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };

	assert_int_equal(weir_ruleset_diff(wanted, there, &delta, NULL), 0);
	show_difference(&delta);
	assert_int_equal(delta.n_removed + delta.n_added, 0);
	assert_int_equal(wanted->n, there->n);
}

static void assert_there(struct bench *b, const struct weir_ruleset *wanted)
{
	WEIR_CLEAN_RULESET struct weir_ruleset there = { 0 };
	struct weir_firewall_state state;

	if (b->ops.list(b->fw, &there, &state, &b->err) != 0)
		fail_msg("%s: list: %s", subject->name, b->err.text);
	assert_same(wanted, &there);
}

/* ---- tests ---- */

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

static char *render(struct bench *b, const struct weir_ruleset *rules)
{
	struct weir_epoch epoch = { .store = OURS, .boot = BOOT, .counter = 1 };
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	int r = b->ops.render(rules, &epoch, out, &b->err);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(r, 0);
	return text;
}

static void test_render(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	fill(&rules);
	char *once = render(b, &rules), *again = render(b, &rules);
	assert_non_null(strstr(once, "wb-web"));
	assert_non_null(strstr(once, "10.88.1.2"));
	assert_string_equal(once, again);
	assert_false(state_of(b).present); /* no kernel was asked */
	free(once);
	free(again);
}

static void test_counters(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	WEIR_CLEAN_COUNTERS struct weir_counters counters = { 0 };
	size_t mappings = 0, wanted = 0, reasons = 0;

	if (!(b->ops.capabilities & WEIR_FW_COUNTERS))
		skip();
	fill(&rules);
	put(b, &rules);
	assert_int_equal(b->ops.counters(b->fw, &counters, &b->err), 0);
	for (size_t i = 0; i < rules.n; i++)
		wanted += rules.entries[i].kind == WEIR_ENTRY_MAPPING;
	for (size_t i = 0; i < counters.n; i++) {
		mappings += counters.items[i].mapping != NULL;
		reasons += counters.items[i].reason != NULL;
		assert_true(!counters.items[i].mapping != !counters.items[i].reason);
		assert_int_equal(counters.items[i].packets, 0);
	}
	assert_int_equal(mappings, wanted);
	assert_int_equal(reasons, WEIR_NUM_DROPS);
}

/* Networks that policies bind, and the policies; `owner` makes one sample another. */
static void fill_bound(struct weir_ruleset *rules, const char *owner)
{
	fill(rules);
	add_network(rules, "wb-api", WEIR_FILTERED | WEIR_EGRESS_DENY | WEIR_INGRESS_DENY, "api");
	add_network(rules, "wb-all", WEIR_INGRESS_ALLOW, "all");
	sample_policies(rules, owner);
	sort(rules);
}

/* Policies come, say something else, and go; what is there is always what was asked for. */
static void test_policies(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset plain = { 0 }, one = { 0 }, other = { 0 };

	fill(&plain);
	fill_bound(&one, "api-to-pg");
	fill_bound(&other, "api-to-all");
	put(b, &plain);
	const struct weir_ruleset *const steps[] = { &plain, &one, &other, &plain, &other };
	for (size_t i = 1; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(change(b, steps[i - 1], steps[i], false), 0);
		assert_there(b, steps[i]);
		assert_int_equal(b->ops.check(b->fw, &b->err), 0);
	}
	put(b, &one);
	assert_there(b, &one);
}

static void test_policy_counters(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	WEIR_CLEAN_COUNTERS struct weir_counters counters = { 0 };
	size_t policies = 0, mine = 0;

	if (!(b->ops.capabilities & WEIR_FW_COUNTERS))
		skip();
	fill_bound(&rules, "api-to-pg");
	put(b, &rules);
	assert_int_equal(b->ops.counters(b->fw, &counters, &b->err), 0);
	for (size_t i = 0; i < counters.n; i++) {
		const char *policy = counters.items[i].policy;
		policies += policy != NULL;
		mine += policy && strcmp(policy, "api-to-pg") == 0;
	}
	if (strcmp(b->ops.name, "iptables") == 0 && policies == 0)
		return;			/* XXX */
	assert_int_equal(policies, 10); /* one each, however many cells it owns */
	assert_int_equal(mine, 1);
}

static void test_forget_nothing(void **ctx)
{
	struct bench *b = *ctx;
	size_t forgotten = 7;

	assert_int_equal(b->ops.forget(b->fw, NULL, 0, &forgotten, &b->err), 0);
	assert_int_equal(forgotten, 0);
	assert_int_equal(b->ops.forget(b->fw, NULL, 0, NULL, &b->err), 0);
	struct weir_flow_match match = { .family = WEIR_IPV4,
					 .proto = WEIR_TCP,
					 .dst_ports = { 8080, 8080 } };
	assert_int_equal(b->ops.forget(b->fw, &match, 1, &forgotten, &b->err), 0);
	assert_int_equal(forgotten, 0);
}

static void test_many(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset many = { 0 }, more = { 0 };
	char owner[16];

	for (uint16_t port = 1; port <= 5000; port++) { /* more than one message holds */
		(void)snprintf(owner, sizeof(owner), "many %u", port);
		add_mapping(&many, NULL, WEIR_TCP, (struct weir_ports){ port, port }, "10.88.1.2",
			    (uint16_t)(port + 1), owner);
	}
	for (size_t i = 0; i < many.n; i++)
		add(&more, many.entries[i]);
	add_mapping(&more, NULL, WEIR_UDP, (struct weir_ports){ 53, 53 }, "10.88.1.2", 53, "one");
	sort(&many);
	sort(&more);
	put(b, &many);
	if (change(b, &many, &more, false) != 0)
		fail_msg("%s: one more: %s", subject->name, b->err.text);
	assert_there(b, &more);
}

static void test_trace_speaks(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	fill(&rules);
	size_t before = b->lines;
	put(b, &rules);
	/* each entry, and both lines of both calls; nothing where nobody listens */
	if (subject->traced)
		assert_true(b->lines >= before + rules.n + 4);
	else
		assert_int_equal(b->lines, 0);
}

/* ---- set-up ---- */

static void count_line(void *ctx, const char *text)
{
	struct bench *b = ctx;
	assert_string_not_equal(text, "");
	b->lines++;
}

static int set_up(void **ctx)
{
	subject->fresh();
	struct bench *b = calloc(1, sizeof(*b));
	if (!b)
		return -1;
	b->ops = subject->traced ? weir_trace_firewall(subject->inner) : *subject->inner;
	b->trace = (struct weir_trace){ .line = subject->traced ? count_line : NULL, .ctx = b };
	if (b->ops.open(OURS, &b->trace, &b->fw, &b->err) != 0) {
		print_error("open: %s\n", b->err.text);
		free(b);
		return -1;
	}
	*ctx = b;
	return 0;
}

static int tear_down(void **ctx)
{
	struct bench *b = *ctx;
	b->ops.close(b->fw);
	weir_delta_free(&b->delta);
	free(b);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
	TEST(test_render),
	TEST(test_counters),
	TEST(test_policies),
	TEST(test_policy_counters),
	TEST(test_forget_nothing),
	TEST(test_many),
	TEST(test_trace_speaks),
};

int main(void)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		subject = &subjects[i];
		if (subject->fresh != weir_memory_reset && geteuid() != 0) {
			print_message("skipped: %s: network namespaces need root\n", subject->name);
			continue;
		}
		failed += cmocka_run_group_tests_name(subject->name, tests, NULL, NULL);
	}
	return failed ? 1 : 0;
}
