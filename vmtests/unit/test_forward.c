/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forwarding of the host: switched on where a network needs it, recorded, guarded and given back. */
#include "vmtests/unit/engine_fixture.h"

#include "core/forward.h"

#define IPV4 "net/ipv4/ip_forward"
#define IPV6 "net/ipv6/conf/all/forwarding"
#define ETH0 "net/ipv6/conf/eth0/accept_ra"
#define DEFAULT "net/ipv6/conf/default/accept_ra"

static const char web[] = "networks: {web: {subnet: 10.1.0.0/24}}";
static const char web6[] = "networks: {web6: {subnet: \"fd01::/64\"}}";
static const char none[] = "networks: {}";

static void set(const char *key, long value)
{
	assert_int_equal(weir_memory_set_sysctl(key, value), 0);
}

static long get(const char *key)
{
	struct weir_links *links = NULL;
	long value = -1;
	assert_int_equal(weir_memory_links.open("", NULL, &links, NULL), 0);
	assert_int_equal(weir_memory_links.sysctl_get(links, key, &value, NULL), 0);
	weir_memory_links.close(links);
	return value;
}

/* The families with a GUARD, as bits. */
static unsigned guards(void)
{
	const struct weir_ruleset *rules = weir_memory_rules();
	unsigned found = 0;
	for (size_t i = 0; i < rules->n; i++)
		if (rules->entries[i].kind == WEIR_ENTRY_GUARD)
			found |= 1u << rules->entries[i].family;
	return found;
}

static size_t count_recorded(const struct host *h)
{
	WEIR_CLEAN_STORE struct weir_store *store = NULL;
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	struct weir_stored_sysctl *sysctls = NULL;
	size_t n = 0;
	assert_int_equal(weir_store_open(h->state, false, &store, NULL), 0);
	assert_int_equal(weir_store_sysctls(store, &arena, &sysctls, &n, NULL), 0);
	return n;
}

static void test_switched_on_and_given_back(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, web));
	assert_int_equal(get(IPV4), 1);
	assert_int_equal(get(IPV6), 0); /* nobody needs it */
	assert_int_equal(guards(), 1u << WEIR_IPV4);
	assert_int_equal(count_recorded(h), 1);
	OK(h, apply(h, "networks: {more: {subnet: 10.2.0.0/24}}"));
	OK(h, remove_network(h, "web"));
	assert_int_equal(get(IPV4), 1); /* one still needs it */
	assert_int_equal(guards(), 1u << WEIR_IPV4);
	OK(h, remove_network(h, "more"));
	assert_int_equal(get(IPV4), 0);
	assert_int_equal(guards(), 0);
	assert_int_equal(count_recorded(h), 0);
}

static void test_on_already_is_left_alone(void **state)
{
	struct host *h = *state;
	set(IPV4, 1);
	OK(h, apply(h, web));
	assert_int_equal(guards(), 0);
	assert_int_equal(count_recorded(h), 0);
	OK(h, prune(h, none));
	assert_int_equal(get(IPV4), 1);
}

static void test_changed_meanwhile_is_left_alone(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, web));
	set(IPV4, 2);
	OK(h, prune(h, none));
	assert_int_equal(get(IPV4), 2);
	assert_int_equal(count_recorded(h), 0);
}

static void test_the_last_of_a_family_goes(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, web));
	OK(h, apply(h, web6));
	assert_int_equal(guards(), 1u << WEIR_IPV4 | 1u << WEIR_IPV6);
	OK(h, remove_network(h, "web"));
	assert_int_equal(get(IPV4), 0);
	assert_int_equal(get(IPV6), 1);
	assert_int_equal(guards(), 1u << WEIR_IPV6);
	assert_converged(h);
}

/* Neither of them forwards through the host. */
static void test_networks_that_need_none(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, "networks:\n"
		       "  db: {subnet: 10.2.0.0/24, internal: true}\n"
		       "  wire: {mode: p2p, subnet: 10.9.0.0/30}\n"
		       "  left: {subnet: 10.4.1.0/24, gateway: router}\n"
		       "endpoints:\n"
		       "  router: {networks: {left: {}}, forward: true}\n"));
	assert_int_equal(get(IPV4), 0);
	assert_int_equal(guards(), 0);
	OK(h, apply(h, "networks: {db: {subnet: 10.2.0.0/24}}"));
	assert_int_equal(get(IPV4), 1);
	assert_int_equal(guards(), 1u << WEIR_IPV4);
	OK(h, apply(h, "networks: {db: {subnet: 10.2.0.0/24, internal: true}}"));
	assert_int_equal(get(IPV4), 0);
	assert_int_equal(guards(), 0);
}

static void add_uplink(const char *ifname)
{
	assert_int_equal(weir_memory_add_uplink(ifname), 0);
}

/* With forwarding on, the kernel takes router advertisements only where accept_ra is 2. */
static void test_uplinks_keep_their_routes(void **state)
{
	struct host *h = *state;
	add_uplink("eth0");
	add_uplink("eth1");
	add_uplink("eth2");
	add_uplink("eth3");
	add_uplink("default"); /* the kernel's row for those to come is one like theirs */
	set("net/ipv6/conf/eth1/accept_ra", 2);
	set("net/ipv6/conf/eth2/accept_ra", 0);
	set("net/ipv6/conf/eth3/forwarding", 1); /* takes none as it is */
	OK(h, apply(h, web));
	assert_int_equal(get(ETH0), 1); /* that is IPv6's alone */
	OK(h, apply(h, web6));
	assert_int_equal(get(ETH0), 2);
	assert_int_equal(get(DEFAULT), 2);
	assert_int_equal(get("net/ipv6/conf/eth1/accept_ra"), 2);
	assert_int_equal(get("net/ipv6/conf/eth2/accept_ra"), 0);
	assert_int_equal(get("net/ipv6/conf/eth3/accept_ra"), 1);
	assert_int_equal(count_recorded(h), 4);
	OK(h, remove_network(h, "web6"));
	assert_int_equal(get(ETH0), 1);
	assert_int_equal(get(DEFAULT), 1);
	assert_int_equal(get("net/ipv6/conf/eth1/accept_ra"), 2);
	assert_int_equal(get(IPV4), 1);
}

/* A program that hears the advertisements itself switches the kernel's ears off: no drift. */
static void test_uplink_in_other_hands(void **state)
{
	struct host *h = *state;
	add_uplink("eth0");
	OK(h, apply(h, web6));
	set(ETH0, 1);
	OK(h, repair(h));
	assert_int_equal(h->plan.n_drift, 1);
	assert_string_equal(h->plan.drift[0].name, ETH0);
	assert_int_equal(get(ETH0), 2);
	set(ETH0, 0);
	OK(h, repair(h));
	assert_int_equal(h->plan.n_drift, 0);
	OK(h, prune(h, none));
	assert_int_equal(get(ETH0), 0);
}

static void test_an_uplink_that_is_gone(void **state)
{
	struct host *h = *state;
	add_uplink("eth0");
	OK(h, apply(h, web6));
	sqlite3 *db = open_db(h);
	assert_int_equal(sqlite3_exec(db,
				      "UPDATE sysctl SET key = 'net/ipv6/conf/gone/accept_ra'"
				      " WHERE key LIKE '%eth0%'",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	OK(h, repair(h));
	OK(h, prune(h, none));
	assert_int_equal(get(IPV6), 0);
	assert_int_equal(count_recorded(h), 0);
}

/* What is recorded is kept so; what the first value was is not forgotten over it. */
static void test_repair_switches_on_again(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, web));
	set(IPV4, 0);
	OK(h, repair(h));
	assert_int_equal(h->plan.n_drift, 1);
	assert_string_equal(h->plan.drift[0].name, IPV4);
	assert_string_equal(h->plan.drift[0].detail, "it is 0, and should be 1");
	assert_int_equal(get(IPV4), 1);
	OK(h, prune(h, none));
	assert_int_equal(get(IPV4), 0);
}

/* The rules are gone, and repair fails at each call in turn: nothing is forwarded past a guard. */
static void test_repair_does_not_forward_without_rules(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, web));
	for (unsigned n = 1;; n++) {
		weir_memory_damage(WEIR_MEMORY_FLUSHED);
		set(IPV4, 0);
		weir_memory_fail_from(n, EIO);
		int r = repair(h);
		weir_memory_fail_at(0, 0);
		assert_true(!get(IPV4) || guards() == 1u << WEIR_IPV4);
		OK(h, repair(h));
		assert_int_equal(get(IPV4), 1);
		if (r == 0)
			break;
	}
}

/* Somebody else had it on and switches it off: the next repair needs it, records it and guards it. */
static void test_needed_and_switched_off_by_others(void **state)
{
	struct host *h = *state;
	set(IPV4, 1);
	OK(h, apply(h, web));
	set(IPV4, 0);
	OK(h, repair(h));
	assert_int_equal(get(IPV4), 1);
	assert_int_equal(guards(), 1u << WEIR_IPV4);
	assert_int_equal(count_recorded(h), 1);
	OK(h, prune(h, none));
	assert_int_equal(get(IPV4), 0);
}

/* Killed between writing the sysctl and recording it, on a host whose networks need it. */
static void test_given_back_and_switched_on_again(void **state)
{
	struct host *h = *state;
	char path[128];
	set(IPV4, 1);
	OK(h, apply(h, web));
	(void)snprintf(path, sizeof(path), "%s/weir.lock", h->state);
	FILE *mark = fopen(path, "we");
	assert_non_null(mark);
	(void)fputs("weir apply (pid 1)\nsysctl " IPV4 " 0\n", mark);
	assert_int_equal(fclose(mark), 0);
	OK(h, apply(h, web));
	assert_int_equal(get(IPV4), 1);
	assert_int_equal(guards(), 1u << WEIR_IPV4);
	assert_int_equal(count_recorded(h), 1);
}

/* On at the start of a boot: that is the host's own doing, whatever it was before. */
static void test_what_an_earlier_boot_recorded_is_void(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, web));
	boot_anew(h);
	set(IPV4, 1);
	OK(h, restore(h));
	assert_int_equal(count_recorded(h), 0);
	assert_int_equal(guards(), 0);
	OK(h, delete_all(h));
	assert_int_equal(get(IPV4), 1);
}

/* Off again: forwarding begins when the rules stand, and is recorded anew. */
static void test_switched_on_in_a_new_boot(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, web));
	boot_anew(h);
	OK(h, restore(h));
	assert_int_equal(get(IPV4), 1);
	assert_int_equal(count_recorded(h), 1);
	assert_int_equal(guards(), 1u << WEIR_IPV4);
	assert_converged(h);
	OK(h, delete_all(h));
	assert_int_equal(get(IPV4), 0);
}

static void test_guards_from_what_is_recorded(void **state)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	const struct weir_stored_sysctl sysctls[] = { { .key = ETH0, .old = 1, .set = 2 },
						      { .key = IPV6, .old = 0, .set = 1 } };
	(void)state;
	assert_int_equal(weir_engine_guards(sysctls, 1, &rules, NULL), 0);
	assert_int_equal(rules.n, 0);
	assert_int_equal(weir_engine_guards(sysctls, 2, &rules, NULL), 0);
	assert_int_equal(rules.n, 1);
	assert_int_equal(rules.entries[0].kind, WEIR_ENTRY_GUARD);
	assert_int_equal(rules.entries[0].family, WEIR_IPV6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_switched_on_and_given_back),
		HOST_TEST(test_on_already_is_left_alone),
		HOST_TEST(test_changed_meanwhile_is_left_alone),
		HOST_TEST(test_the_last_of_a_family_goes),
		HOST_TEST(test_networks_that_need_none),
		HOST_TEST(test_uplinks_keep_their_routes),
		HOST_TEST(test_an_uplink_that_is_gone),
		HOST_TEST(test_uplink_in_other_hands),
		HOST_TEST(test_repair_switches_on_again),
		HOST_TEST(test_repair_does_not_forward_without_rules),
		HOST_TEST(test_needed_and_switched_off_by_others),
		HOST_TEST(test_given_back_and_switched_on_again),
		HOST_TEST(test_what_an_earlier_boot_recorded_is_void),
		HOST_TEST(test_switched_on_in_a_new_boot),
		cmocka_unit_test(test_guards_from_what_is_recorded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
