/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firewall contract: what is rendered, counted, traced and forgotten; policies, and very many ports. */
#include "vmtests/unit/contract_fixture.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_render),	    TEST(test_counters),       TEST(test_policies),
		TEST(test_policy_counters), TEST(test_forget_nothing), TEST(test_many),
		TEST(test_trace_speaks),
	};

	RUN_OVER_SUBJECTS(tests);
}
