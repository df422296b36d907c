/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of matches answers as asking each of them in turn does. */
#include "vmtests/unit/cm.h"

#include <stdlib.h>

#include "backends/flowset.h"

enum { ROUNDS = 2000, MATCHES_MAX = 40, CONNECTIONS = 200 };

static unsigned below(unsigned n)
{
	return (unsigned)random() % n;
}

/* Of so few that matches and connections meet. */
static struct weir_addr some_addr(enum weir_family family)
{
	struct weir_addr addr = { .family = (uint8_t)family, .bytes = { 10 } };
	addr.bytes[weir_family_bits(family) / 8 - 1] = (uint8_t)below(4);
	addr.bytes[1] = (uint8_t)(below(2) << 7);
	return addr;
}

static struct weir_prefix some_prefix(enum weir_family family)
{
	static const uint8_t from_end[] = { 0, 0, 0, 1, 2, 23, 24 };
	unsigned bits = weir_family_bits(family);
	if (below(2))
		return (struct weir_prefix){ 0 };
	if (below(20) == 0)
		return (struct weir_prefix){ some_addr(family), 0 };
	return (struct weir_prefix){ some_addr(family),
				     (uint8_t)(bits - from_end[below(N_OF(from_end))]) };
}

static struct weir_ports some_ports(void)
{
	uint16_t lo = (uint16_t)(1 + below(20));
	switch (below(5)) {
	case 0:
		return (struct weir_ports){ 0, 0 };
	case 1:
		return (struct weir_ports){ lo, (uint16_t)(lo + below(20)) };
	case 2:
		return (struct weir_ports){ (uint16_t)(UINT16_MAX - lo), UINT16_MAX };
	default:
		return (struct weir_ports){ lo, lo };
	}
}

static enum weir_family some_family(void)
{
	return below(2) ? WEIR_IPV4 : WEIR_IPV6;
}

static struct weir_flow_match some_match(void)
{
	enum weir_family family = some_family();
	struct weir_flow_match match = {
		.family = family,
		.src = some_prefix(family),
		.reply_src = some_prefix(family),
		.proto = (enum weir_proto)below(WEIR_NUM_PROTOS),
		.dst_ports = some_ports(),
		.untranslated = below(3) == 0,
		.published = below(3) == 0,
	};
	if (below(2))
		match.dst = some_addr(family);
	return match;
}

static struct weir_flow_match some_connection(void)
{
	enum weir_family family = some_family();
	enum weir_proto proto = (enum weir_proto)below(WEIR_NUM_PROTOS);
	uint16_t port = proto ? (uint16_t)(below(8) ? 1 + below(30) : UINT16_MAX - below(30)) : 0;
	return (struct weir_flow_match){
		.family = family,
		.src.addr = some_addr(family),
		.dst = some_addr(family),
		.reply_src.addr = some_addr(family),
		.proto = proto,
		.dst_ports = { port, port },
		.untranslated = below(2),
	};
}

/* As core/firewall.h has it. */
static bool matches(const struct weir_flow_match *m, const struct weir_flow_match *conn)
{
	uint16_t port = conn->dst_ports.lo;
	return m->family == conn->family &&
	       (!m->src.addr.family || weir_prefix_contains(&m->src, &conn->src.addr)) &&
	       (!m->dst.family || weir_addr_cmp(&m->dst, &conn->dst) == 0) &&
	       (!m->reply_src.addr.family ||
		weir_prefix_contains(&m->reply_src, &conn->reply_src.addr)) &&
	       (!m->proto || m->proto == conn->proto) &&
	       (!m->dst_ports.lo || (m->dst_ports.lo <= port && port <= m->dst_ports.hi)) &&
	       (!m->untranslated || conn->untranslated) &&
	       (!m->published || weir_addr_cmp(&conn->dst, &conn->reply_src.addr) != 0);
}

static void test_answers_as_each_in_turn(void **state)
{
	unsigned answers[2] = { 0 };
	(void)state;
	srandom(1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct weir_flow_match list[MATCHES_MAX];
		WEIR_CLEAN_FLOWSET struct weir_flowset set = { 0 };
		size_t n = below(MATCHES_MAX + 1);
		/* in some rounds all are of a few shapes, so that ports and addresses decide */
		for (size_t i = 0; i < n; i++) {
			list[i] = some_match();
			if (i > 1 && round % 2) {
				struct weir_flow_match like = list[below(2)];
				like.dst_ports = list[i].dst_ports;
				if (like.dst.family && below(2))
					like.dst = some_addr(like.family);
				list[i] = like;
			}
		}
		assert_int_equal(weir_flowset_make(list, n, &set, NULL), 0);
		for (unsigned k = 0; k < CONNECTIONS; k++) {
			const struct weir_flow_match conn = some_connection();
			bool expected = false;
			for (size_t i = 0; i < n && !expected; i++)
				expected = matches(&list[i], &conn);
			answers[expected]++;
			assert_int_equal(weir_flowset_matches(&set, &conn), expected);
		}
	}
	assert_true(answers[false] > ROUNDS * CONNECTIONS / 10);
	assert_true(answers[true] > ROUNDS * CONNECTIONS / 10);
}

/* Ports that touch are one item, others are not. */
static void test_ports_are_united(void **state)
{
	struct weir_flow_match list[] = {
		{ .family = WEIR_IPV4, .proto = WEIR_UDP, .dst_ports = { 53, 53 } },
		{ .family = WEIR_IPV4, .proto = WEIR_UDP, .dst_ports = { 60, 69 } },
		{ .family = WEIR_IPV4, .proto = WEIR_UDP, .dst_ports = { 54, 55 } },
		{ .family = WEIR_IPV4, .proto = WEIR_TCP, .dst_ports = { 56, 59 } },
	};
	WEIR_CLEAN_FLOWSET struct weir_flowset set = { 0 };
	(void)state;
	assert_int_equal(weir_flowset_make(list, N_OF(list), &set, NULL), 0);
	assert_int_equal(set.n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_as_each_in_turn),
		cmocka_unit_test(test_ports_are_united),
	};
	return cmocka_run_group_tests_name("flowset", tests, NULL, NULL);
}
