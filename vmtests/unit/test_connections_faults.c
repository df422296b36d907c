/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections end with what let them in: a policy that closes, labels that change, a mapping that goes; and
 * so they do where every call of the change, or of whoever converges after it, fails in turn. */
#include "vmtests/unit/engine_fixture.h"

#define TWO                                                                   \
	"networks: {web: {subnet: 10.1.0.0/24}, db: {subnet: 10.2.0.0/24}}\n" \
	"endpoints:\n"                                                        \
	"  api: {networks: {web: {ip: 10.1.0.10}}, labels: {role: api}}\n"    \
	"  pg: {networks: {db: {ip: 10.2.0.10}}}\n"
#define LET                                                                                       \
	"policies: [{name: p, from: 'label:role=api', to: 'endpoint:pg', ports: [5432], action: " \
	"allow}]"

static void add_flow_by(const char *from, const char *at, const char *to, uint16_t port)
{
	struct weir_flow_match flow = { .family = WEIR_IPV4, .proto = WEIR_TCP };
	flow.dst_ports = (struct weir_ports){ port, port };
	flow.src.len = flow.reply_src.len = 32;
	assert_int_equal(weir_addr_parse(from, &flow.src.addr, NULL), 0);
	assert_int_equal(weir_addr_parse(at, &flow.dst, NULL), 0);
	assert_int_equal(weir_addr_parse(to, &flow.reply_src.addr, NULL), 0);
	assert_int_equal(weir_memory_add_flow(&flow), 0);
}

static void add_flow(const char *from, const char *to, uint16_t port)
{
	add_flow_by(from, to, to, port);
}

/* From outside, by the port that the host publishes. */
static void add_published_flow(void)
{
	add_flow_by("203.0.113.9", "192.0.2.1", "10.1.0.10", 8080);
}

/* One that the policy has let through, and three that are none of its business. */
static void let_flow(struct host *h)
{
	OK(h, apply(h, TWO LET));
	add_flow("10.1.0.10", "10.2.0.10", 5432);
	add_flow("10.1.0.10", "203.0.113.9", 443);
	add_flow("203.0.113.9", "203.0.113.10", 22);
	add_flow("10.2.0.10", "203.0.113.9", 53);
}

static void test_what_is_closed_ends(void **state)
{
	struct host *h = *state;
	let_flow(h);
	OK(h, apply(h, TWO LET));
	assert_int_equal(weir_memory_flows(), 4);
	OK(h, apply(h, "endpoints: {other: {networks: [web], labels: {role: api}}}"));
	assert_int_equal(weir_memory_flows(), 4); /* who comes cuts nobody */
	OK(h, remove_policy(h, "p"));
	assert_int_equal(weir_memory_flows(), 3);
	OK(h, apply(h, "networks: {db: {subnet: 10.2.0.0/24, default: {egress: deny}}}"));
	assert_int_equal(weir_memory_flows(), 2);
	OK(h, apply(h, "policies: [{name: q, to: 'cidr:203.0.113.0/24', action: reject}]"));
	assert_int_equal(weir_memory_flows(), 1); /* what passes by is not weir's */
}

static void test_labels_end_connections(void **state)
{
	struct host *h = *state;
	let_flow(h);
	OK(h, apply(h, "endpoints: {api: {networks: {web: {ip: 10.1.0.10}}, labels: {role: x}}}"));
	assert_int_equal(weir_memory_flows(), 3);
}

/* Killed at any call: whoever converges cuts what the policies that then hold refuse. */
static void test_a_kill_forgets_no_connection(void **state)
{
	struct host *h = *state;
	for (unsigned n = 1;; n++) {
		weir_memory_reset();
		OK(h, delete_all(h));
		let_flow(h);
		weir_memory_fail_from(n, EIO);
		int r = remove_policy(h, "p");
		weir_memory_fail_at(0, 0);
		OK(h, repair(h));
		WEIR_CLEAN_STORE struct weir_store *store = NULL;
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		const struct weir_scope policies = { .policies = true };
		OK(h, weir_store_open(h->state, false, &store, &h->err));
		OK(h, weir_store_load(store, &policies, &model, &h->err));
		if (!model.n_policies)
			assert_int_equal(weir_memory_flows(), 3);
		assert_converged(h);
		if (r == 0)
			break;
	}
}

/* Neither what left with the old translation, nor what came in by trust, nor what came to the host. */
static void test_a_kill_forgets_none_of_a_network(void **state)
{
	struct host *h = *state;
	for (unsigned n = 1;; n++) {
		weir_memory_reset();
		OK(h, delete_all(h));
		OK(h, apply(h, TWO));
		OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, trusted: [eth0, eth1]}}"));
		add_flow("10.1.0.10", "203.0.113.9", 443);
		add_flow("203.0.113.9", "10.1.0.10", 22);
		add_flow("10.1.0.10", "10.1.0.1", 80);
		add_flow("10.1.0.1", "10.1.0.10", 80);
		weir_memory_fail_from(n, EIO);
		int r = apply(h,
			      "networks: {web: {subnet: 10.1.0.0/24, trusted: [eth1], host: deny,"
			      " nat: none}}");
		weir_memory_fail_at(0, 0);
		OK(h, repair(h));
		WEIR_CLEAN_STORE struct weir_store *store = NULL;
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		const struct weir_scope all = { .all = true };
		OK(h, weir_store_open(h->state, false, &store, &h->err));
		OK(h, weir_store_load(store, &all, &model, &h->err));
		if (weir_model_network(&model, "web")->host_deny)
			assert_int_equal(weir_memory_flows(), 1);
		assert_converged(h);
		if (r == 0)
			break;
	}
}

static bool holds_mapping(void)
{
	const struct weir_ruleset *rules = weir_memory_rules();
	for (size_t i = 0; i < rules->n; i++)
		if (rules->entries[i].kind == WEIR_ENTRY_MAPPING)
			return true;
	return false;
}

/* A mapping's rules are in, and whoever added it did not live to write it down. */
static void leave_mapping(struct host *h)
{
	bool left = false;
	for (unsigned n = 1; !left; n++) {
		weir_memory_reset();
		OK(h, delete_all(h));
		OK(h, apply(h, TWO));
		weir_memory_fail_from(n, EIO);
		assert_true(apply(h, "endpoints: {api: {networks: {web: {ip: 10.1.0.10}},"
				     " publish: [\"8080:80\"], rate: 8mbit}}") < 0);
		weir_memory_fail_at(0, 0);
		left = holds_mapping();
	}
}

/* Whoever converges and is killed as well, at any call, leaves word of what is still to be cut. */
static void test_a_second_kill_forgets_no_connection(void **state)
{
	struct host *h = *state;
	for (unsigned n = 1;; n++) {
		leave_mapping(h);
		add_published_flow();
		weir_memory_fail_from(n, EIO);
		int r = repair(h);
		weir_memory_fail_at(0, 0);
		OK(h, repair(h));
		assert_false(holds_mapping());
		assert_int_equal(weir_memory_flows(), 0);
		assert_converged(h);
		if (r == 0)
			break;
	}
}

static bool comes; /* with the next commit */

static int commit_and_come(struct weir_firewall *fw, uint32_t *ret, struct weir_err *err)
{
	int r = weir_memory_firewall.commit(fw, ret, err);
	if (r == 0 && comes) {
		add_published_flow();
		add_flow("10.1.0.10", "10.2.0.10", 5432);
	}
	comes &= r < 0;
	return r;
}

/* Each call of the change fails in turn. What came as soon as its rules were in goes with them. */
static void test_going_back_ends_what_was_let_in(void **state)
{
	struct host *h = *state;
	struct weir_firewall_ops ops = weir_memory_firewall;
	unsigned came = 0;
	ops.commit = commit_and_come;
	h->engine.firewall = &ops;
	OK(h, apply(h, TWO));
	for (unsigned n = 1, done = false; !done; n++) {
		comes = true;
		weir_memory_fail_at(n, EIO);
		int r = apply(h,
			      "endpoints: {api: {networks: {web: {ip: 10.1.0.10}},"
			      " labels: {role: api}, publish: [\"8080:80\"], rate: 8mbit}}\n" LET);
		weir_memory_fail_at(0, 0);
		came += !comes;
		done = r == 0;
		assert_int_equal(weir_memory_flows(), done ? 2 : 0);
	}
	assert_true(came > 1);
}

/* Begun while the rules were gone: what is usual is asked as well where there are no policies. */
static void test_what_began_without_rules_ends(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, TWO));
	weir_memory_damage(WEIR_MEMORY_FLUSHED);
	add_flow("10.1.0.10", "10.2.0.10", 5432);
	add_flow("10.1.0.10", "203.0.113.9", 443);
	add_flow("203.0.113.9", "203.0.113.10", 22);
	OK(h, repair(h));
	assert_int_equal(weir_memory_flows(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_what_is_closed_ends),
		HOST_TEST(test_labels_end_connections),
		HOST_TEST(test_a_kill_forgets_no_connection),
		HOST_TEST(test_a_kill_forgets_none_of_a_network),
		HOST_TEST(test_a_second_kill_forgets_no_connection),
		HOST_TEST(test_going_back_ends_what_was_let_in),
		HOST_TEST(test_what_began_without_rules_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
