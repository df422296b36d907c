/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of core/firewall.h share, which run over every backend, bare and traced.
 *
 * How it works: a subject is a backend and the ways in which somebody else can spoil what it made.
 * Each test starts with an empty filter: memory is reset, the others get a network namespace of their
 * own. Without root those are skipped; memory always runs. */
#ifndef WEIR_UNIT_CONTRACT_FIXTURE_H
#define WEIR_UNIT_CONTRACT_FIXTURE_H

#include "vmtests/unit/cm.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

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

static inline void run(const char *const argv[])
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

static inline void nft_fresh(void)
{
	assert_return_code(unshare(CLONE_NEWNET), errno);
}

static inline void nft_other(void)
{
	run((const char *const[]){ "nft", "add", "table", "ip", "somebody", NULL });
}

static inline void nft_flush(void)
{
	run((const char *const[]){ "nft", "flush", "ruleset", NULL });
}

static inline void nft_break(void)
{
	run((const char *const[]){ "nft", "flush", "chain", "inet", "weir", "forward", NULL });
}

static inline void nft_take(void)
{
	run((const char *const[]){ "nft", "flush", "set", "inet", "weir", "sources4", NULL });
}

static inline void ipt_fresh(void)
{
	nft_fresh();
	assert_return_code(setenv("XTABLES_LOCKFILE", "/run/weir-test-xtables.lock", 1), errno);
}

/* Somebody who does not heed the lock. */
static inline void ipt_other(void)
{
	run((const char *const[]){ "env", "XTABLES_LOCKFILE=/run/weir-test-other.lock",
				   "iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s",
				   "192.0.2.99", "-j", "ACCEPT", NULL });
}

static inline void ipt_flush(void)
{
	static const char *const tools[] = { "iptables-legacy", "ip6tables-legacy" };
	static const char *const tables[] = { "filter", "nat" };
	for (int i = 0; i < 4; i++) {
		run((const char *const[]){ tools[i / 2], "-t", tables[i % 2], "-F", NULL });
		run((const char *const[]){ tools[i / 2], "-t", tables[i % 2], "-X", NULL });
	}
}

static inline void ipt_break(void)
{
	run((const char *const[]){ "ip6tables-legacy", "-F", "WEIR-STATE", NULL });
}

static inline void ipt_take(void)
{
	run((const char *const[]){ "iptables-legacy", "-D", "WEIR-SRC-wb-web", "1", NULL });
	run((const char *const[]){ "iptables-legacy", "-t", "nat", "-D", "WEIR-HAIRPIN-wb-web", "1",
				   NULL });
}

static inline void memory_other(void)
{
	weir_memory_damage(WEIR_MEMORY_OTHER);
}

static inline void memory_flush(void)
{
	weir_memory_damage(WEIR_MEMORY_FLUSHED);
}

static inline void memory_break(void)
{
	weir_memory_damage(WEIR_MEMORY_BROKEN);
}

static inline void memory_take(void)
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

static inline void add(struct weir_ruleset *rules, struct weir_entry entry)
{
	if (!entry.owner)
		entry.owner = "";
	assert_int_equal(weir_ruleset_add(rules, &entry, NULL), 0);
}

static inline void add_network(struct weir_ruleset *rules, const char *ifname, uint8_t flags,
			       const char *owner)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_NETWORK, .flags = flags, .owner = owner };
	(void)snprintf(e.ifname, sizeof(e.ifname), "%s", ifname);
	add(rules, e);
}

static inline void add_subnet(struct weir_ruleset *rules, const char *ifname, const char *base,
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

static inline void add_host(struct weir_ruleset *rules, enum weir_entry_kind kind,
			    const char *ifname, const char *at, const char *owner)
{
	struct weir_entry e = { .kind = kind, .addr = addr(at), .owner = owner };
	e.family = e.addr.family;
	(void)snprintf(e.ifname, sizeof(e.ifname), "%s", ifname);
	add(rules, e);
}

static inline void add_trusted(struct weir_ruleset *rules, const char *from, const char *ifname)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_TRUSTED };
	(void)snprintf(e.from_ifname, sizeof(e.from_ifname), "%s", from);
	(void)snprintf(e.ifname, sizeof(e.ifname), "%s", ifname);
	add(rules, e);
}

static inline void add_mapping(struct weir_ruleset *rules, const char *host, enum weir_proto proto,
			       struct weir_ports ports, const char *to, uint16_t to_port,
			       const char *owner)
{
	add(rules, mapping(host, proto, ports.lo, ports.hi, to, to_port, owner));
}

static inline void add_strict(struct weir_ruleset *rules, const char *host, struct weir_ports ports)
{
	add(rules, strict(host, WEIR_TCP, ports.lo, ports.hi, "nginx"));
}

static inline void add_guard(struct weir_ruleset *rules, enum weir_family family)
{
	add(rules, (struct weir_entry){ .kind = WEIR_ENTRY_GUARD, .family = family });
}

/* Every kind, both families, every form of a mapping. */
static inline void fill(struct weir_ruleset *rules)
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

static inline struct weir_firewall_state state_of(struct bench *b)
{
	struct weir_firewall_state state = { 0 };
	if (b->ops.state(b->fw, &state, &b->err) != 0)
		fail_msg("state: %s", b->err.text);
	return state;
}

static inline struct weir_epoch next_epoch(const struct weir_firewall_state *old)
{
	struct weir_epoch epoch = { .store = OURS,
				    .boot = BOOT,
				    .counter = old->epoch.counter + 1 };
	return epoch;
}

static inline int prepare(struct bench *b, const struct weir_ruleset *from,
			  const struct weir_ruleset *to, bool whole)
{
	struct weir_firewall_state old = state_of(b);
	struct weir_epoch epoch = next_epoch(&old);

	weir_delta_free(&b->delta);
	assert_int_equal(weir_ruleset_diff(from, to, &b->delta, NULL), 0);
	return b->ops.prepare(b->fw, &b->delta, whole, &old, &epoch, &b->err);
}

static inline int change(struct bench *b, const struct weir_ruleset *from,
			 const struct weir_ruleset *to, bool whole)
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

static inline void put(struct bench *b, const struct weir_ruleset *rules)
{
	if (change(b, &none, rules, true) != 0)
		fail_msg("%s: put: %s", subject->name, b->err.text);
}

static inline void show_difference(const struct weir_delta *delta)
{
	char text[WEIR_ENTRY_TEXT];

	for (size_t i = 0; i < delta->n_removed; i++)
		print_error("wanted, not there: %s\n", weir_entry_text(delta->removed[i], text));
	for (size_t i = 0; i < delta->n_added; i++)
		print_error("there, not wanted: %s\n", weir_entry_text(delta->added[i], text));
}

static inline void assert_same(const struct weir_ruleset *wanted, const struct weir_ruleset *there)
{
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };

	assert_int_equal(weir_ruleset_diff(wanted, there, &delta, NULL), 0);
	show_difference(&delta);
	assert_int_equal(delta.n_removed + delta.n_added, 0);
	assert_int_equal(wanted->n, there->n);
}

static inline void assert_there(struct bench *b, const struct weir_ruleset *wanted)
{
	WEIR_CLEAN_RULESET struct weir_ruleset there = { 0 };
	struct weir_firewall_state state;

	if (b->ops.list(b->fw, &there, &state, &b->err) != 0)
		fail_msg("%s: list: %s", subject->name, b->err.text);
	assert_same(wanted, &there);
}

/* ---- set-up ---- */

static inline void count_line(void *ctx, const char *text)
{
	struct bench *b = ctx;
	assert_string_not_equal(text, "");
	b->lines++;
}

static inline int set_up(void **ctx)
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

static inline int tear_down(void **ctx)
{
	struct bench *b = *ctx;
	b->ops.close(b->fw);
	weir_delta_free(&b->delta);
	free(b);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* The tests of a program, over all subjects. */
#define RUN_OVER_SUBJECTS(tests)                                                                   \
	do {                                                                                       \
		int failed_ = 0;                                                                   \
		for (size_t i_ = 0; i_ < N_OF(subjects); i_++) {                                   \
			subject = &subjects[i_];                                                   \
			if (subject->fresh != weir_memory_reset && geteuid() != 0)                 \
				print_message("skipped: %s: network namespaces need root\n",       \
					      subject->name);                                      \
			else                                                                       \
				failed_ += cmocka_run_group_tests_name(subject->name, tests, NULL, \
								       NULL);                      \
		}                                                                                  \
		return failed_ ? 1 : 0;                                                            \
	} while (0)

#endif
