/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rulesets: order, collisions, difference, text. */
#include "vmtests/unit/cm.h"

#include <errno.h>

#include "core/ruleset.h"

static struct weir_addr addr(const char *text)
{
	struct weir_addr a = { 0 };

	if (text)
		assert_int_equal(weir_addr_parse(text, &a, NULL), 0);
	return a;
}

static struct weir_entry mapping(const char *host, uint16_t lo, uint16_t hi, const char *to,
				 uint16_t to_port)
{
	return (struct weir_entry){
		.kind = WEIR_ENTRY_MAPPING,
		.family = addr(to).family,
		.addr = addr(host),
		.proto = WEIR_TCP,
		.ports = { lo, hi },
		.to = addr(to),
		.to_port = to_port,
		.owner = "nginx 8080:80",
	};
}

static struct weir_entry network(const char *ifname, unsigned flags)
{
	struct weir_entry e = { .kind = WEIR_ENTRY_NETWORK,
				.flags = (uint8_t)flags,
				.owner = "web" };

	(void)snprintf(e.ifname, sizeof(e.ifname), "%s", ifname);
	return e;
}

static void add(struct weir_ruleset *rules, struct weir_entry e)
{
	assert_int_equal(weir_ruleset_add(rules, &e, NULL), 0);
}

static void each_kind_has_its_words(void **state)
{
	const struct {
		struct weir_entry entry;
		const char *text;
	} rows[] = {
		{ network("wb-web", 0), "network wb-web (web)" },
		{ network("wb-db", WEIR_CLOSED | WEIR_ISOLATED | WEIR_HOST_DENY),
		  "network wb-db closed isolated host-deny (web)" },
		{ { .kind = WEIR_ENTRY_SUBNET,
		    .family = WEIR_IPV4,
		    .ifname = "wb-web",
		    .addr = addr("10.88.1.0"),
		    .prefix_len = 24,
		    .owner = "web" },
		  "subnet 10.88.1.0/24 on wb-web nat masquerade (web)" },
		{ { .kind = WEIR_ENTRY_SUBNET,
		    .family = WEIR_IPV6,
		    .ifname = "wb-web",
		    .addr = addr("fd00::"),
		    .prefix_len = 64,
		    .nat = WEIR_NAT_ADDRESS,
		    .to = addr("2001:db8::1"),
		    .owner = "web" },
		  "subnet fd00::/64 on wb-web nat 2001:db8::1 (web)" },
		{ { .kind = WEIR_ENTRY_SUBNET,
		    .family = WEIR_IPV4,
		    .ifname = "b",
		    .addr = addr("10.0.0.0"),
		    .prefix_len = 8,
		    .nat = WEIR_NAT_NONE,
		    .owner = "web" },
		  "subnet 10.0.0.0/8 on b nat none (web)" },
		{ { .kind = WEIR_ENTRY_GATEWAY,
		    .family = WEIR_IPV4,
		    .ifname = "b",
		    .addr = addr("10.0.0.1"),
		    .owner = "web" },
		  "gateway 10.0.0.1 on b (web)" },
		{ { .kind = WEIR_ENTRY_SOURCE,
		    .family = WEIR_IPV4,
		    .ifname = "b",
		    .addr = addr("10.0.0.2"),
		    .owner = "api" },
		  "source 10.0.0.2 on b (api)" },
		{ { .kind = WEIR_ENTRY_TRUSTED,
		    .from_ifname = "eth0",
		    .ifname = "b",
		    .owner = "web" },
		  "trusted eth0 to b (web)" },
		{ mapping(NULL, 8080, 8080, "10.88.1.2", 80),
		  "mapping any:8080/tcp -> 10.88.1.2:80 (nginx 8080:80)" },
		{ mapping("2001:db8::1", 8000, 8010, "fd00::2", 9000),
		  "mapping [2001:db8::1]:8000-8010/tcp -> [fd00::2]:9000-9010 (nginx 8080:80)" },
		{ { .kind = WEIR_ENTRY_GUARD, .family = WEIR_IPV6, .owner = "" }, "guard IPv6" },
	};
	char text[WEIR_ENTRY_TEXT];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_string_equal(weir_entry_text(&rows[i].entry, text), rows[i].text);
}

static void reasons_are_told_apart(void **state)
{
	(void)state;
	for (int i = 0; i < WEIR_NUM_DROPS; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(weir_drop_reason((enum weir_drop)i),
						weir_drop_reason((enum weir_drop)j));
}

static void entries_are_copied(void **state)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	char owner[200];
	struct weir_entry e = network("b", 0);

	(void)state;
	memset(owner, 'x', sizeof(owner) - 1);
	owner[sizeof(owner) - 1] = '\0';
	e.owner = owner;
	add(&rules, e);
	e.owner = NULL;
	add(&rules, e);
	memset(owner, 'y', sizeof(owner) - 1);
	assert_int_equal(strlen(rules.entries[0].owner), WEIR_OWNER_MAX); /* a longer one is cut */
	assert_int_equal(rules.entries[0].owner[0], 'x');
	assert_string_equal(rules.entries[1].owner, "");
}

static void order_is_by_kind_and_key(void **state)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	(void)state;
	add(&rules, mapping("192.0.2.1", 80, 80, "10.0.0.2", 80));
	add(&rules, mapping(NULL, 8080, 8080, "fd00::2", 80));
	add(&rules, mapping(NULL, 8080, 8080, "10.0.0.2", 80));
	add(&rules, mapping(NULL, 80, 80, "10.0.0.2", 80));
	add(&rules, network("wb-web", 0));
	add(&rules, network("wb-db", 0));
	assert_int_equal(weir_ruleset_sort(&rules, NULL), 0);
	assert_string_equal(rules.entries[0].ifname, "wb-db");
	assert_string_equal(rules.entries[1].ifname, "wb-web");
	assert_int_equal(rules.entries[2].ports.lo, 80); /* any address first */
	assert_int_equal(rules.entries[3].ports.lo, 8080);
	assert_true(weir_addr_is_set(&rules.entries[4].addr));
	assert_int_equal(rules.entries[5].family, WEIR_IPV6);
	for (size_t i = 0; i < rules.n; i++)
		for (size_t j = 0; j < rules.n; j++) {
			int order = weir_entry_key_cmp(&rules.entries[i], &rules.entries[j]);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
}

static int sort_two(struct weir_entry a, struct weir_entry b, struct weir_err *err)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	a.owner = "nginx 8080:80";
	a.origin = weir_place_make("web.yaml", 3, 1);
	b.owner = "api 8080:81";
	b.origin = weir_place_make("web.yaml", 9, 1);
	add(&rules, a);
	add(&rules, b);
	return weir_ruleset_sort(&rules, err);
}

static void collisions_name_both_owners(void **state)
{
	struct weir_err err = { 0 };

	(void)state;
	assert_int_equal(sort_two(mapping(NULL, 8080, 8080, "10.0.0.2", 80),
				  mapping(NULL, 8080, 8080, "10.0.0.3", 81), &err),
			 -EEXIST);
	assert_string_equal(err.text, "\"api 8080:81\": host port 8080/tcp is already published by "
				      "\"nginx 8080:80\" at web.yaml:3:1");
	assert_int_equal(err.at.line, 9);
	assert_int_equal(sort_two(mapping("192.0.2.1", 8085, 8085, "10.0.0.2", 80),
				  mapping("192.0.2.1", 8080, 8090, "10.0.0.3", 81), &err),
			 -EEXIST);
	assert_non_null(strstr(err.text, "nginx"));
	assert_non_null(strstr(err.text, "api"));
	assert_int_equal(sort_two(network("b", 0), network("b", WEIR_CLOSED), &err), -EEXIST);
	assert_non_null(strstr(err.text, "network b"));
	assert_int_equal(sort_two(mapping(NULL, 8080, 8080, "10.0.0.2", 80),
				  mapping("192.0.2.1", 8080, 8080, "10.0.0.3", 81), NULL),
			 0);
	assert_int_equal(sort_two(mapping(NULL, 8080, 8080, "10.0.0.2", 80),
				  mapping(NULL, 8080, 8080, "fd00::2", 80), NULL),
			 0);
	assert_int_equal(sort_two(mapping(NULL, 8080, 8089, "10.0.0.2", 80),
				  mapping(NULL, 8090, 8090, "10.0.0.2", 80), NULL),
			 0);
}

static void a_difference_is_what_turns_one_into_the_other(void **state)
{
	WEIR_CLEAN_RULESET struct weir_ruleset from = { 0 }, to = { 0 };
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };

	(void)state;
	add(&from, network("a-gone", 0));
	add(&from, network("b-stays", 0));
	add(&from, network("c-changes", 0));
	add(&to, network("b-stays", 0));
	add(&to, network("c-changes", WEIR_CLOSED));
	add(&to, network("d-new", 0));
	to.entries[0].origin.line = 99; /* a place is no difference */
	assert_int_equal(weir_ruleset_diff(&from, &to, &delta, NULL), 0);
	assert_int_equal(delta.n_removed, 2);
	assert_int_equal(delta.n_added, 2);
	assert_string_equal(delta.removed[0]->ifname, "a-gone");
	assert_string_equal(delta.removed[1]->ifname, "c-changes");
	assert_string_equal(delta.added[0]->ifname, "c-changes");
	assert_int_equal(delta.added[0]->flags, WEIR_CLOSED);
	assert_string_equal(delta.added[1]->ifname, "d-new");
}

static void equal_and_empty_rulesets_do_not_differ(void **state)
{
	WEIR_CLEAN_RULESET struct weir_ruleset some = { 0 }, none = { 0 };
	WEIR_CLEAN_DELTA struct weir_delta same = { 0 }, nothing = { 0 }, all = { 0 };

	(void)state;
	add(&some, mapping(NULL, 80, 80, "10.0.0.2", 80));
	assert_int_equal(weir_ruleset_diff(&some, &some, &same, NULL), 0);
	assert_int_equal(same.n_added + same.n_removed, 0);
	assert_int_equal(weir_ruleset_diff(&none, &none, &nothing, NULL), 0);
	assert_int_equal(nothing.n_added + nothing.n_removed, 0);
	assert_int_equal(weir_ruleset_diff(&some, &none, &all, NULL), 0);
	assert_int_equal(all.n_removed, 1);
	assert_int_equal(all.n_added, 0);
}

static void every_part_of_a_value_counts(void **state)
{
	struct weir_entry a = mapping(NULL, 80, 90, "10.0.0.2", 80), b;

	(void)state;
	assert_true(weir_entry_equal(&a, &a));
#define DIFFERS(change)                                 \
	do {                                            \
		b = a;                                  \
		b.change;                               \
		assert_false(weir_entry_equal(&a, &b)); \
	} while (0)
	DIFFERS(to = addr("10.0.0.3"));
	DIFFERS(to_port = 81);
	DIFFERS(owner = "other");
	DIFFERS(ports.hi = 91);
	DIFFERS(proto = WEIR_UDP);
	DIFFERS(family = WEIR_IPV6);
	DIFFERS(flags = 1);
	DIFFERS(nat = 1);
	DIFFERS(ifname[0] = 'x');
#undef DIFFERS
	b = a;
	b.origin.line = 5;
	assert_true(weir_entry_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_its_words),
		cmocka_unit_test(reasons_are_told_apart),
		cmocka_unit_test(entries_are_copied),
		cmocka_unit_test(order_is_by_kind_and_key),
		cmocka_unit_test(collisions_name_both_owners),
		cmocka_unit_test(a_difference_is_what_turns_one_into_the_other),
		cmocka_unit_test(equal_and_empty_rulesets_do_not_differ),
		cmocka_unit_test(every_part_of_a_value_counts),
	};
	return cmocka_run_group_tests_name("ruleset", tests, NULL, NULL);
}
