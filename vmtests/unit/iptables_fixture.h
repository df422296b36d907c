/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the legacy iptables backend share: rulesets by hand, and what a kernel makes of them. */
#ifndef WEIR_UNIT_IPTABLES_FIXTURE_H
#define WEIR_UNIT_IPTABLES_FIXTURE_H

#include "vmtests/unit/entries.h"
#include "vmtests/unit/golden.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "backends/iptables/image.h"
#include "backends/iptables/iptables.h"

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

static inline void add(struct weir_ruleset *rules, struct weir_entry entry, const char *ifname)
{
	(void)snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	if (!entry.owner)
		entry.owner = "";
	assert_return_code(weir_ruleset_add(rules, &entry, NULL), 0);
}

static inline void add_network(struct weir_ruleset *rules, const char *ifname, uint8_t flags,
			       const char *owner)
{
	add(rules,
	    (struct weir_entry){ .kind = WEIR_ENTRY_NETWORK, .flags = flags, .owner = owner },
	    ifname);
}

static inline void add_subnet(struct weir_ruleset *rules, const char *ifname, const char *base,
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

static inline void add_at(struct weir_ruleset *rules, enum weir_entry_kind kind, const char *ifname,
			  struct weir_addr at, const char *owner)
{
	add(rules,
	    (struct weir_entry){ .kind = kind, .family = at.family, .addr = at, .owner = owner },
	    ifname);
}

static inline void add_mapping(struct weir_ruleset *rules, const char *host, enum weir_proto proto,
			       uint16_t lo, uint16_t hi, const char *to, uint16_t to_port,
			       const char *owner)
{
	add(rules, mapping(host, proto, lo, hi, to, to_port, owner), "");
}

static inline void add_trusted(struct weir_ruleset *rules, const char *from, const char *ifname)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_TRUSTED, .owner = "web" };
	(void)snprintf(e.from_ifname, sizeof(e.from_ifname), "%s", from);
	add(rules, e, ifname);
}

/* ---- doing ---- */

/* What a shell command prints; it must succeed. The caller frees it. */
static inline char *run(const char *command)
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

static inline void doing(const char *command)
{
	free(run(command));
}

static inline int change(const struct weir_ruleset *from, const struct weir_ruleset *to, bool whole,
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

static inline void put(const struct weir_ruleset *rules)
{
	struct weir_err err = { 0 };
	if (change(&none, rules, true, &err) != 0)
		fail_msg("put: %s", err.text);
}

static inline int check(struct weir_err *err)
{
	struct weir_firewall *fw = NULL;
	assert_return_code(ops->open(OURS, NULL, &fw, err), 0);
	int r = ops->check(fw, err);
	ops->close(fw);
	return r;
}

static inline void assert_lists(const struct weir_ruleset *wanted)
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

static inline char *render(const struct weir_ruleset *rules)
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

static inline int fresh(void **ctx)
{
	(void)ctx;
	counter = 0;
	return unshare(CLONE_NEWNET);
}

/* These entries and nothing else, in whole chains. */
static inline bool is_there(const struct weir_ruleset *wanted, struct weir_err *err)
{
	WEIR_CLEAN_RULESET struct weir_ruleset there = { 0 };
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };
	struct weir_firewall *fw = NULL;
	assert_return_code(ops->open(OURS, NULL, &fw, err), 0);
	int r = ops->list(fw, &there, NULL, err);
	ops->close(fw);
	assert_return_code(weir_ruleset_diff(wanted, &there, &delta, NULL), 0);
	if (r == 0 && (delta.n_removed || delta.n_added)) {
		char text[WEIR_ENTRY_TEXT];
		return weir_err_set(err, ESTALE, "%s: %s", delta.n_removed ? "missing" : "too much",
				    weir_entry_text(delta.n_removed ? delta.removed[0]
								    : delta.added[0],
						    text)) == 0;
	}
	return r == 0;
}

/* What the two restore tools make of render() is what commit() makes, and reads back. */
static inline void assert_loads_as_committed(const struct weir_ruleset *rules)
{
	char path[] = "/tmp/weir-rules-XXXXXX", command[256];
	struct weir_err err = { 0 };
	char *text = render(rules);
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
	counter = 0;
	put(rules);
	char *committed = run(TABLES);
	assert_return_code(unshare(CLONE_NEWNET), errno);
	(void)snprintf(
		command, sizeof(command),
		"iptables-legacy-restore --noflush <%s && ip6tables-legacy-restore --noflush <%s",
		path, path);
	doing(command);
	char *restored = run(TABLES);
	assert_string_equal(committed, restored);
	assert_lists(rules); /* byte by byte, what iptables writes is what weir writes */
	assert_int_equal(check(&err), 0);
	assert_int_equal(unlink(path), 0);
	free(text);
	free(committed);
	free(restored);
}

/* The most rules that a packet meets from a chain on. */
static inline size_t longest(const struct weir_ipt_image *image, const char *name, int depth)
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

#define TEST(f) cmocka_unit_test_setup(f, fresh)

#endif
