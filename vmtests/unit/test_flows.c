/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections a change cuts, and which live through it. */
#include "vmtests/unit/engine_fixture.h"

static const char spec[] = "networks:\n"
			   "  web: {subnet: 10.1.0.0/24}\n"
			   "  db: {subnet: 10.2.0.0/24}\n"
			   "endpoints:\n"
			   "  a: {networks: {web: {ip: 10.1.0.10}}, publish: [\"8080:80\"]}\n"
			   "  b: {networks: {web: {ip: 10.1.0.11}}}\n"
			   "  c: {networks: {db: {ip: 10.2.0.10}}}\n";

/* A connection as conntrack shows it: who speaks to whom, and who answers. */
struct flow {
	const char *src, *dst, *answers;
	uint16_t port;
	enum weir_proto proto;
};

static const struct flow flows[] = {
	{ "192.0.2.9", "192.0.2.1", "10.1.0.10", 8080, WEIR_TCP }, /* published, to a */
	{ "192.0.2.9", "192.0.2.1", "192.0.2.1", 53, WEIR_UDP },   /* to the host itself */
	{ "192.0.2.9", "192.0.2.1", "192.0.2.1", 22, WEIR_TCP },
	{ "10.1.0.10", "198.51.100.7", "198.51.100.7", 443, WEIR_TCP }, /* a to the outside */
	{ "10.1.0.11", "198.51.100.7", "198.51.100.7", 53, WEIR_UDP },	/* b to a resolver */
	{ "10.1.0.10", "10.1.0.11", "10.1.0.11", 5432, WEIR_TCP },	/* a to b */
	{ "10.2.0.10", "198.51.100.7", "198.51.100.7", 443, WEIR_TCP }, /* c to the outside */
	{ "192.0.2.9", "192.0.2.2", "10.1.0.11", 53, WEIR_UDP }, /* published by others, to b */
	{ "10.1.0.11", "10.1.0.1", "10.1.0.1", 80, WEIR_TCP },	 /* b to the host */
	{ "10.1.0.11", "10.1.0.1", "10.1.0.1", 53, WEIR_UDP },
	{ "10.1.0.1", "10.1.0.11", "10.1.0.11", 80, WEIR_TCP },	   /* the host to b */
	{ "10.1.0.11", "192.0.2.1", "10.1.0.10", 8080, WEIR_TCP }, /* b to what a publishes */
	{ "10.1.0.99", "10.1.0.1", "10.1.0.1", 80, WEIR_TCP },	   /* somebody else on the bridge */
	{ "10.1.0.1", "10.1.0.10", "10.1.0.10", 8080,
	  WEIR_TCP }, /* the host to a's port, past what is published */
};

static struct weir_addr addr(const char *text)
{
	struct weir_addr parsed = { 0 };
	assert_int_equal(weir_addr_parse(text, &parsed, NULL), 0);
	return parsed;
}

static struct weir_flow_match make(const struct flow *f)
{
	struct weir_flow_match flow = { .family = WEIR_IPV4, .proto = f->proto };
	flow.src = (struct weir_prefix){ addr(f->src), 32 };
	flow.dst = addr(f->dst);
	flow.reply_src = (struct weir_prefix){ addr(f->answers), 32 };
	flow.dst_ports = (struct weir_ports){ f->port, f->port };
	flow.untranslated = strcmp(f->dst, f->answers) == 0 && strncmp(f->src, "10.", 3) != 0;
	return flow;
}

static void let_flow(void)
{
	for (size_t i = 0; i < N_OF(flows); i++) {
		struct weir_flow_match flow = make(&flows[i]);
		assert_int_equal(weir_memory_add_flow(&flow), 0);
	}
}

/* Exactly these connections are gone: each of them once, by its number above, -1 at the end. */
static void assert_cut(const int *gone)
{
	struct weir_firewall *fw = NULL;
	size_t n_gone = 0;
	for (size_t i = 0; gone[i] >= 0; i++)
		n_gone++;
	assert_int_equal(weir_memory_flows(), N_OF(flows) - n_gone);
	assert_int_equal(weir_memory_firewall.open("", NULL, &fw, NULL), 0);
	for (size_t i = 0; gone[i] >= 0; i++) {
		struct weir_flow_match flow = make(&flows[gone[i]]);
		size_t forgotten = 0;
		assert_int_equal(weir_memory_firewall.forget(fw, &flow, 1, &forgotten, NULL), 0);
		if (forgotten)
			fail_msg("connection %d has lived on", gone[i]);
	}
	weir_memory_firewall.close(fw);
}

#define CUT(...) assert_cut((const int[]){ __VA_ARGS__ __VA_OPT__(, ) - 1 })

static void start(struct host *h)
{
	OK(h, apply(h, spec));
	let_flow();
}

static void test_unpublishing_cuts_its_connections(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, remove_port(h, "a", "8080:80"));
	CUT(0, 11);
}

static void test_moving_a_port_cuts_its_connections(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, apply(h, "endpoints:\n"
		       "  a: {networks: {web: {ip: 10.1.0.10}}}\n"
		       "  b: {networks: {web: {ip: 10.1.0.11}}, publish: [\"8080:80\"]}\n"));
	CUT(0, 11);
}

static void test_detaching_cuts_both_directions(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, remove_endpoint(h, "a"));
	CUT(0, 3, 5, 11, 13);
}

static void test_publishing_udp_takes_over(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, add_port(h, "a", "53:53/udp"));
	CUT(1); /* b's own to a resolver is none of the host's */
}

static void test_publishing_udp_on_one_address(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, add_port(h, "a", "192.0.2.2:53:53/udp"));
	CUT(7); /* it beats what serves every address */
}

static void test_publishing_tcp_cuts_nothing(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, add_port(h, "a", "22:22"));
	CUT();
}

static void test_isolating_cuts_neighbours(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, isolate: true}}"));
	CUT(5);
}

static void test_isolating_one_endpoint_cuts_nothing(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, apply(h, "endpoints: {b: {networks: {web: {ip: 10.1.0.11, isolated: true}}}}"));
	CUT();
	OK(h, apply(h, "endpoints: {a: {networks: {web: {ip: 10.1.0.10, isolated: true}},"
		       " publish: [\"8080:80\"]}}"));
	CUT(5); /* there are two now */
}

static void test_closing_the_host_cuts_what_came_to_it(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, host: deny}}"));
	CUT(8, 12);
}

static void test_a_policy_keeps_the_host_open(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, host: deny}}\n"
		       "policies: [{name: p, from: 'endpoint:b', to: host, action: allow}]"));
	CUT(12);
	OK(h, remove_policy(h, "p"));
	CUT(8, 12);
}

static void test_internal_cuts_what_leaves_and_what_came_to_the_host(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, remove_port(h, "a", "8080:80"));
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, internal: true}}"));
	CUT(0, 3, 4, 7, 8, 11, 12);
}

static void test_another_translation_cuts_what_has_left(void **state)
{
	static const char *const nats[] = { "none", "192.0.2.5", "[masquerade, random]" };
	struct host *h = *state;
	for (size_t i = 0; i < N_OF(nats); i++) {
		char text[96];
		weir_memory_reset();
		OK(h, delete_all(h));
		start(h);
		(void)snprintf(text, sizeof(text),
			       "networks: {web: {subnet: 10.1.0.0/24, nat: %s}}", nats[i]);
		OK(h, apply(h, text));
		CUT(3, 4);
	}
}

/* What came in by one interface looks like what came by another. */
static void test_trusting_fewer_cuts_what_came_in(void **state)
{
	static const struct flow direct = { "192.0.2.9", "10.1.0.11", "10.1.0.11", 22, WEIR_TCP };
	const struct weir_flow_match came_in = make(&direct);
	struct host *h = *state;
	OK(h, apply(h, spec));
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, trusted: [eth0, eth1]}}"));
	let_flow();
	assert_int_equal(weir_memory_add_flow(&came_in), 0);
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, trusted: [eth0, eth1], mtu: 1400}}"));
	assert_int_equal(weir_memory_flows(), N_OF(flows) + 1);
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, trusted: [eth1], mtu: 1400}}"));
	CUT();
}

/* Policies do not see it where they do not see what neighbours say to each other. */
static void test_what_an_endpoint_says_to_itself(void **state)
{
	static const struct flow own = { "10.1.0.10", "192.0.2.1", "10.1.0.10", 8080, WEIR_TCP };
	const struct weir_flow_match to_itself = make(&own);
	struct host *h = *state;
	start(h);
	assert_int_equal(weir_memory_add_flow(&to_itself), 0);
	OK(h,
	   apply(h, "policies: [{name: own, from: 'endpoint:a', to: 'endpoint:a', action: deny}]"));
	assert_int_equal(weir_memory_flows(), N_OF(flows) + 1);
	OK(h, remove_policy(h, "own"));
	OK(h, apply(h, "policies:\n"
		       "  - {name: neighbours, from: 'endpoint:b', to: 'endpoint:a', ports: "
		       "[9/tcp], action: deny}\n"
		       "  - {name: own, from: 'endpoint:a', to: 'endpoint:a', action: deny}\n"));
	assert_int_equal(weir_memory_flows(), N_OF(flows));
}

/* A stream that lost its entry would never be let in again: it is no bare SYN. */
static void test_opening_a_network_cuts_nothing(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, isolate: true, host: deny}}"));
	let_flow();
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, host: deny}}"));
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24}}"));
	CUT();
}

static void test_what_is_not_touched_lives_on(void **state)
{
	struct host *h = *state;
	start(h);
	OK(h, apply(h, spec));
	OK(h, add(h, "endpoints: {d: {networks: [web], publish: [\"99:9\"]}}"));
	OK(h, remove_endpoint(h, "d"));
	OK(h, apply(h, "networks: {web: {subnet: 10.1.0.0/24, mtu: 1400}}"));
	OK(h, repair(h));
	CUT();
}

/* A flush lets nobody in that was not in before. */
static void test_repair_cuts_nothing_of_what_comes_back(void **state)
{
	struct host *h = *state;
	start(h);
	weir_memory_damage(WEIR_MEMORY_FLUSHED);
	OK(h, repair(h));
	CUT();
}

static void test_a_vanished_namespace(void **state)
{
	struct host *h = *state;
	assert_int_equal(weir_memory_add_netns("/run/netns/pod"), 0);
	start(h);
	OK(h, apply(h, "endpoints: {c: {networks: {db: {ip: 10.2.0.10}}, netns: /run/netns/pod}}"));
	CUT();
	assert_true(weir_memory_drop_netns("/run/netns/pod"));
	OK(h, repair(h));
	CUT(6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_unpublishing_cuts_its_connections),
		HOST_TEST(test_moving_a_port_cuts_its_connections),
		HOST_TEST(test_detaching_cuts_both_directions),
		HOST_TEST(test_publishing_udp_takes_over),
		HOST_TEST(test_publishing_udp_on_one_address),
		HOST_TEST(test_publishing_tcp_cuts_nothing),
		HOST_TEST(test_isolating_cuts_neighbours),
		HOST_TEST(test_isolating_one_endpoint_cuts_nothing),
		HOST_TEST(test_closing_the_host_cuts_what_came_to_it),
		HOST_TEST(test_a_policy_keeps_the_host_open),
		HOST_TEST(test_internal_cuts_what_leaves_and_what_came_to_the_host),
		HOST_TEST(test_another_translation_cuts_what_has_left),
		HOST_TEST(test_trusting_fewer_cuts_what_came_in),
		HOST_TEST(test_what_an_endpoint_says_to_itself),
		HOST_TEST(test_opening_a_network_cuts_nothing),
		HOST_TEST(test_what_is_not_touched_lives_on),
		HOST_TEST(test_repair_cuts_nothing_of_what_comes_back),
		HOST_TEST(test_a_vanished_namespace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
