/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the nftables backend share: a sample of every kind of entry and every set of it, and tools.
 *
 * How it works: every test gets a fresh network namespace of this process; without the right to make
 * one they are skipped. */
#ifndef WEIR_UNIT_NFTABLES_FIXTURE_H
#define WEIR_UNIT_NFTABLES_FIXTURE_H

#include "vmtests/unit/cm.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

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

/* ---- the sample ---- */

static inline void add(struct weir_ruleset *rules, struct weir_entry entry)
{
	assert_return_code(weir_ruleset_add(rules, &entry, NULL), 0);
}

static inline void add_network(struct weir_ruleset *rules, const char *ifname, unsigned flags,
			       const char *owner)
{
	struct weir_entry entry = { .kind = WEIR_ENTRY_NETWORK,
				    .flags = (uint8_t)flags,
				    .owner = owner };
	snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	add(rules, entry);
}

static inline void add_addr(struct weir_ruleset *rules, enum weir_entry_kind kind,
			    const char *ifname, const char *text, const char *owner)
{
	struct weir_entry entry = { .kind = kind, .addr = addr(text), .owner = owner };
	entry.family = entry.addr.family;
	snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	add(rules, entry);
}

static inline void add_subnet(struct weir_ruleset *rules, const char *ifname, const char *text,
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

static inline void add_trusted(struct weir_ruleset *rules, const char *from, const char *ifname)
{
	struct weir_entry entry = { .kind = WEIR_ENTRY_TRUSTED, .owner = ifname + 3 };
	snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	snprintf(entry.from_ifname, sizeof(entry.from_ifname), "%s", from);
	add(rules, entry);
}

static inline void add_random(struct weir_ruleset *rules, const char *subnet, enum weir_nat nat,
			      const char *to)
{
	add_subnet(rules, "wb-web", subnet, nat, to, "web");
	rules->entries[rules->n - 1].flags = WEIR_NAT_RANDOM;
}

static inline void add_segment(struct weir_ruleset *rules, const char *from, const char *to)
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

static inline void sample_routed(struct weir_ruleset *to)
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

static inline void sample_networks(struct weir_ruleset *to)
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

static inline void sample(struct weir_ruleset *to)
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
static inline void full_sample(struct weir_ruleset *to)
{
	add_network(to, "wb-api", WEIR_FILTERED | WEIR_EGRESS_DENY | WEIR_INGRESS_DENY, "api");
	add_network(to, "wb-all", WEIR_INGRESS_ALLOW, "all");
	sample_policies(to, "api-to-pg");
	sample(to);
}

/* ---- tools ---- */

static inline void run(const char *command)
{
	int status = system(command);
	if (status != 0)
		fail_msg("`%s` ended with status %d", command, status);
}

/* All that a command prints, or all of a file; to be freed. */
static inline char *slurp(FILE *from)
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

static inline char *output_of(const char *command)
{
	FILE *from = popen(command, "re");
	char *text = slurp(from);
	assert_int_equal(pclose(from), 0);
	return text;
}

static inline struct weir_firewall *open_store(const char *store)
{
	struct weir_firewall *fw = NULL;
	assert_return_code(ops->open(store, NULL, &fw, NULL), 0);
	return fw;
}

static inline void must(int r, const struct weir_err *err)
{
	if (r < 0)
		fail_msg("%s (%d)", err->text, r);
}

static inline int change(struct weir_firewall *fw, const struct weir_delta *delta, bool whole,
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

static inline void commit_all(struct weir_firewall *fw, const struct weir_ruleset *rules)
{
	struct weir_delta delta WEIR_CLEAN_DELTA = { 0 };
	struct weir_ruleset none = { 0 };
	struct weir_err err = { 0 };
	must(weir_ruleset_diff(&none, rules, &delta, &err), &err);
	must(change(fw, &delta, true, &err), &err);
}

static inline void assert_elements(struct weir_firewall *fw, const struct weir_ruleset *want,
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

static inline void assert_listed(struct weir_firewall *fw, const struct weir_ruleset *want)
{
	assert_elements(fw, want, false);
}

static inline int assert_stale(struct weir_firewall *fw, const char *needle)
{
	struct weir_err err = { 0 };
	assert_int_equal(ops->check(fw, &err), -ESTALE);
	if (!strstr(err.text, needle))
		fail_msg("\"%s\" does not say \"%s\"", err.text, needle);
	return 0;
}

static bool allowed = true;

static inline int fresh(void **state)
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

#define IN_NAMESPACE(test) cmocka_unit_test_setup(test, fresh)

#endif
