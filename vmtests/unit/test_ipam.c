/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address management: which address is next, what is never handed out, what is told when there is no
 * more, and that a large pool costs what a small one costs. */
#include <time.h>

#include "store_fixture.h"

static struct weir_addr choose(struct fixture *f, const struct weir_network *net,
			       enum weir_family family)
{
	struct weir_addr chosen = { 0 };
	OK(f, weir_ipam_choose(f->store, net, family, &chosen, &f->err));
	return chosen;
}

/* Chooses and attaches, as the engine does; `expected` NULL: any. */
static void attach(struct fixture *f, const struct weir_network *net, enum weir_family family,
		   const char *name, const char *expected)
{
	struct weir_endpoint ep = endpoint(f, name, net->name, NULL, NULL);
	char text[WEIR_ADDR_TEXT];
	begin(f);
	ep.attachments[0].addrs[family] = choose(f, net, family);
	ep.attachments[0].host_ifname[0] = '\0'; /* not what is shown here */
	OK(f, weir_store_put_endpoint(f->store, &ep, &f->err));
	commit(f);
	if (expected)
		assert_string_equal(weir_addr_text(&ep.attachments[0].addrs[family], text),
				    expected);
}

static void the_next_free_address(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/24", "fd00:88:1::/64", NULL);
	put_network(f, &net);
	attach(f, &net, WEIR_IPV4, "a", "10.88.1.2"); /* .0 is the network's, .1 the gateway's */
	attach(f, &net, WEIR_IPV4, "b", "10.88.1.3");
	attach(f, &net, WEIR_IPV6, "c", "fd00:88:1::2");
	attach(f, &net, WEIR_IPV6, "d", "fd00:88:1::3");
	reopen_store(f);
	attach(f, &net, WEIR_IPV4, "e", "10.88.1.4");
}

static void what_was_chosen_in_vain_is_not_lost(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	put_network(f, &net);
	begin(f);
	(void)choose(f, &net, WEIR_IPV4);
	weir_store_rollback(f->store);
	attach(f, &net, WEIR_IPV4, "a", "10.88.1.2");
}

static void freed_addresses_come_back_last(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/29", NULL); /* .2 to .6 */
	put_network(f, &net);
	attach(f, &net, WEIR_IPV4, "a", "10.88.1.2");
	attach(f, &net, WEIR_IPV4, "b", "10.88.1.3");
	remove_endpoint(f, "b");
	remove_endpoint(f, "a");
	struct weir_endpoint wish = endpoint(f, "wish", "web", "10.88.1.5", NULL);
	put_endpoint(f, &wish);
	remove_endpoint(f, "wish"); /* freed above the cursor: last as well */
	attach(f, &net, WEIR_IPV4, "c", "10.88.1.4");
	attach(f, &net, WEIR_IPV4, "d", "10.88.1.6");
	attach(f, &net, WEIR_IPV4, "e", "10.88.1.3"); /* from here on in the order of freeing */
	attach(f, &net, WEIR_IPV4, "g", "10.88.1.2");
	remove_endpoint(f, "d");
	remove_endpoint(f, "c");
	attach(f, &net, WEIR_IPV4, "h", "10.88.1.5");
	attach(f, &net, WEIR_IPV4, "i", "10.88.1.6");
	attach(f, &net, WEIR_IPV4, "j", "10.88.1.4");
	struct weir_addr none;
	begin(f);
	FAILS(f, ENOSPC,
	      "network \"web\": all 5 addresses of 10.88.1.0/29 are taken (add a subnet, or "
	      "remove endpoints)",
	      weir_ipam_choose(f->store, &net, WEIR_IPV4, &none, &f->err));
}

static void freed_and_taken_by_wish(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/30", NULL); /* .2 only */
	struct weir_addr none;
	put_network(f, &net);
	attach(f, &net, WEIR_IPV4, "a", "10.88.1.2");
	remove_endpoint(f, "a");
	struct weir_endpoint wish = endpoint(f, "wish", "web", "10.88.1.2", NULL);
	put_endpoint(f, &wish);
	begin(f);
	FAILS(f, ENOSPC, "all 1 addresses",
	      weir_ipam_choose(f->store, &net, WEIR_IPV4, &none, &f->err));
	weir_store_rollback(f->store);
	wish.attachments[0].priority = 9; /* replaced, its address kept: not freed */
	put_endpoint(f, &wish);
	begin(f);
	FAILS(f, ENOSPC, "all 1 addresses",
	      weir_ipam_choose(f->store, &net, WEIR_IPV4, &none, &f->err));
	weir_store_rollback(f->store);
	remove_endpoint(f, "wish");
	attach(f, &net, WEIR_IPV4, "b", "10.88.1.2");
}

static void a_24_has_253(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	struct weir_addr none;
	put_network(f, &net);
	for (int i = 2; i <= 254; i++) {
		char name[24], expected[24];
		(void)snprintf(name, sizeof(name), "e%d", i);
		(void)snprintf(expected, sizeof(expected), "10.88.1.%d", i);
		attach(f, &net, WEIR_IPV4, name, expected);
	}
	begin(f);
	FAILS(f, ENOSPC, "all 253 addresses of 10.88.1.0/24 are taken",
	      weir_ipam_choose(f->store, &net, WEIR_IPV4, &none, &f->err));
	weir_store_rollback(f->store);
	struct weir_network wider = network(f, "web", "10.88.1.0/24", "10.88.2.0/30", NULL);
	put_network(f, &wider);
	attach(f, &wider, WEIR_IPV4, "more", "10.88.2.2");
	begin(f);
	FAILS(f, ENOSPC, "all 254 addresses of 10.88.1.0/24, 10.88.2.0/30 are taken",
	      weir_ipam_choose(f->store, &wider, WEIR_IPV4, &none, &f->err));
}

static void what_is_never_handed_out(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.0.0.0/8", NULL);
	struct weir_range excluded[] = {
		{ addr("10.0.0.2"), addr("10.127.255.255") }, /* one step, not eight million */
		{ addr("10.128.0.1"), addr("10.128.0.2") },
		{ addr("10.128.0.2"), addr("10.128.0.3") },
	};
	net.excluded = excluded;
	net.n_excluded = 3;
	net.subnets[0].gateway = addr("10.128.0.4");
	put_network(f, &net);
	struct weir_endpoint wish = endpoint(f, "wish", "web", "10.128.0.5", NULL);
	put_endpoint(f, &wish);
	attach(f, &net, WEIR_IPV4, "a", "10.0.0.1");
	attach(f, &net, WEIR_IPV4, "b", "10.128.0.0");
	attach(f, &net, WEIR_IPV4, "c", "10.128.0.6");
	net.n_excluded = 0; /* what was excluded is found again */
	put_network(f, &net);
	attach(f, &net, WEIR_IPV4, "d", "10.0.0.2");
	net.n_excluded = 3;
	excluded[0].lo = addr("10.0.0.0");
	excluded[0].hi = addr("10.255.255.255");
	put_network(f, &net);
	remove_endpoint(f, "d"); /* freed, but excluded */
	struct weir_addr none;
	begin(f);
	FAILS(f, ENOSPC, "all 4 addresses",
	      weir_ipam_choose(f->store, &net, WEIR_IPV4, &none, &f->err));
	commit(f);
	net.n_excluded = 0;
	put_network(f, &net);
	attach(f, &net, WEIR_IPV4, "e", "10.0.0.2");
	/* nobody lives to see half a /64 counted through */
	struct weir_network six = network(f, "six", "fd00:6::/64", NULL);
	excluded[0] = (struct weir_range){ addr("fd00:6::2"), addr("fd00:6::8000:0:0:0") };
	six.excluded = excluded;
	six.n_excluded = 1;
	put_network(f, &six);
	attach(f, &six, WEIR_IPV6, "g", "fd00:6::8000:0:0:1");
}

static void the_ends_of_a_subnet(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum weir_family family;
		const char *prefix, *first, *last; /* handed out */
	} cases[] = {
		{ WEIR_IPV4, "10.0.0.0/31", "10.0.0.0", "10.0.0.1" },
		{ WEIR_IPV4, "255.255.255.252/30", "255.255.255.253", "255.255.255.254" },
		{ WEIR_IPV6, "fd00::/127", "fd00::", "fd00::1" },
		{ WEIR_IPV6, "fd00:1::/126", "fd00:1::1", "fd00:1::3" },
		{ WEIR_IPV6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[16], first[WEIR_ADDR_TEXT], last[WEIR_ADDR_TEXT];
		(void)snprintf(name, sizeof(name), "net%zu", i);
		struct weir_network net = network(f, name, cases[i].prefix, NULL);
		net.subnets[0].gateway = (struct weir_addr){ 0 };
		put_network(f, &net);
		begin(f);
		struct weir_addr chosen = choose(f, &net, cases[i].family);
		assert_string_equal(weir_addr_text(&chosen, first), cases[i].first);
		while (weir_ipam_choose(f->store, &net, cases[i].family, &chosen, &f->err) == 0)
			continue;
		assert_string_equal(weir_addr_text(&chosen, last), cases[i].last);
		assert_int_equal(f->err.code, -ENOSPC);
		commit(f);
	}
}

static void families_that_are_not_there(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	struct weir_addr none;
	begin(f);
	FAILS(f, EINVAL, "network \"web\" has no IPv6 subnet",
	      weir_ipam_choose(f->store, &net, WEIR_IPV6, &none, &f->err));
	FAILS(f, ENOENT, "network \"web\" has no subnet 10.88.1.0/24 in the store",
	      weir_ipam_choose(f->store, &net, WEIR_IPV4, &none, &f->err));
}

static void wishes(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *addr;
		int code;
		const char *text;
	} cases[] = {
		{ "10.88.1.7", 0, "" },
		{ "10.88.1.100", 0, "" }, /* excluded from being handed out only */
		{ "10.88.1.5", 0, "" },	  /* its own */
		{ "fd00:88:1::7", 0, "" },
		{ "10.88.2.7", EINVAL,
		  "address 10.88.2.7 is in no subnet of network \"web\" (10.88.1.0/24, "
		  "fd00:88:1::/64)" },
		{ "10.88.1.0", EINVAL, "address 10.88.1.0 is the network address of 10.88.1.0/24" },
		{ "10.88.1.255", EINVAL,
		  "address 10.88.1.255 is the broadcast address of 10.88.1.0/24" },
		{ "fd00:88:1::", EINVAL, "is the subnet-router anycast address of fd00:88:1::/64" },
		{ "10.88.1.1", EINVAL, "address 10.88.1.1 is the gateway's in network \"web\"" },
		{ "fd00:88:1::1", EINVAL,
		  "address fd00:88:1::1 is the gateway's in network \"web\"" },
		{ "10.88.1.6", EEXIST, "address 10.88.1.6 is taken by endpoint \"db\"" },
	};
	struct weir_network net = network(f, "web", "10.88.1.0/24", "fd00:88:1::/64", NULL);
	struct weir_range excluded = { addr("10.88.1.100"), addr("10.88.1.199") };
	net.excluded = &excluded;
	net.n_excluded = 1;
	put_network(f, &net);
	struct weir_endpoint api = endpoint(f, "api", "web", "10.88.1.5", NULL);
	struct weir_endpoint db = endpoint(f, "db", "web", "10.88.1.6", NULL);
	put_endpoint(f, &api);
	put_endpoint(f, &db);
	const struct weir_place at = weir_place_make("spec.yaml", 5, 9);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_addr wish = addr(cases[i].addr);
		if (!cases[i].code) {
			OK(f, weir_ipam_check(f->store, &net, "api", &wish, &at, &f->err));
			continue;
		}
		FAILS(f, cases[i].code, cases[i].text,
		      weir_ipam_check(f->store, &net, "api", &wish, &at, &f->err));
		assert_int_equal(f->err.at.line, 5);
	}
	net.gateway_endpoint = "api"; /* then it has the gateway's address */
	struct weir_addr gateway = addr("10.88.1.1");
	OK(f, weir_ipam_check(f->store, &net, "api", &gateway, &at, &f->err));
	FAILS(f, EINVAL, "is the gateway's",
	      weir_ipam_check(f->store, &net, "db", &gateway, &at, &f->err));
}

/* Chooses, expects it to be so, and gives it to a network, so that the next one is another. */
static void take_subnet(struct fixture *f, const struct weir_pool *pools, size_t n,
			enum weir_family family, const struct weir_prefix *avoid, size_t n_avoid,
			const char *expected)
{
	static int serial;
	struct weir_prefix chosen;
	char text[WEIR_PREFIX_TEXT], name[16];
	OK(f,
	   weir_ipam_choose_subnet(f->store, pools, n, family, avoid, n_avoid, &chosen, &f->err));
	(void)weir_prefix_text(&chosen, text);
	if (expected)
		assert_string_equal(text, expected);
	(void)snprintf(name, sizeof(name), "auto%d", serial++);
	struct weir_network net = network(f, name, text, NULL);
	put_network(f, &net);
}

static void subnets_from_the_built_in_pools(void **state)
{
	struct fixture *f = *state;
	const struct weir_prefix avoid[] = { prefix("10.144.1.0/24"), prefix("10.144.2.128/30"),
					     prefix("10.144.4.0/22"), prefix("0.0.0.0/5") };
	take_subnet(f, NULL, 0, WEIR_IPV4, avoid, 4, "10.144.0.0/24");
	take_subnet(f, NULL, 0, WEIR_IPV4, avoid, 4, "10.144.3.0/24");
	take_subnet(f, NULL, 0, WEIR_IPV4, avoid, 4, "10.144.8.0/24");
	take_subnet(f, NULL, 0, WEIR_IPV4, NULL, 0, "10.144.1.0/24");
	struct weir_store_meta meta;
	char expected[64];
	OK(f, weir_store_meta(f->store, &meta, &f->err));
	struct weir_prefix chosen, first;
	OK(f, weir_ipam_choose_subnet(f->store, NULL, 0, WEIR_IPV6, NULL, 0, &chosen, &f->err));
	(void)snprintf(expected, sizeof(expected), "fd%.2s:%.4s:%.2s%.2s::/64", meta.uuid,
		       meta.uuid + 2, meta.uuid + 6, meta.uuid + 9);
	first = prefix(expected);
	assert_int_equal(weir_prefix_cmp(&chosen, &first), 0);
}

static void subnets_from_declared_pools(void **state)
{
	struct fixture *f = *state;
	const struct weir_pool pools[] = { { prefix("172.30.0.0/25"), 26, { 0 } },
					   { prefix("fd99::/63"), 64, { 0 } },
					   { prefix("192.168.8.0/23"), 24, { 0 } } };
	struct weir_prefix none, wide = prefix("192.168.0.0/16");
	take_subnet(f, pools, 3, WEIR_IPV4, NULL, 0, "172.30.0.0/26");
	begin(f);
	OK(f, weir_store_set_pools(f->store, pools, 3, &f->err));
	commit(f);
	take_subnet(f, NULL, 0, WEIR_IPV4, NULL, 0, "172.30.0.64/26");
	FAILS(f, ENOSPC, "no free IPv4 subnet is left in 172.30.0.0/25, 192.168.8.0/23",
	      weir_ipam_choose_subnet(f->store, NULL, 0, WEIR_IPV4, &wide, 1, &none, &f->err));
	take_subnet(f, NULL, 0, WEIR_IPV4, NULL, 0, "192.168.8.0/24");
	take_subnet(f, NULL, 0, WEIR_IPV4, NULL, 0, "192.168.9.0/24");
	FAILS(f, ENOSPC, "no free IPv4 subnet is left",
	      weir_ipam_choose_subnet(f->store, NULL, 0, WEIR_IPV4, NULL, 0, &none, &f->err));
	take_subnet(f, NULL, 0, WEIR_IPV6, NULL, 0, "fd99::/64");
	take_subnet(f, NULL, 0, WEIR_IPV6, NULL, 0, "fd99:0:0:1::/64");
	FAILS(f, ENOSPC, "no pool of IPv6 subnets is declared",
	      weir_ipam_choose_subnet(f->store, pools, 1, WEIR_IPV6, NULL, 0, &none, &f->err));
	const struct weir_pool vast = { prefix("fd00::/16"), 64, { 0 } };
	wide = prefix("fd00::/17");
	take_subnet(f, &vast, 1, WEIR_IPV6, &wide, 1, "fd00:8000::/64");
	const struct weir_pool end = { prefix("255.255.255.0/24"), 25, { 0 } };
	take_subnet(f, &end, 1, WEIR_IPV4, NULL, 0, "255.255.255.0/25");
	take_subnet(f, &end, 1, WEIR_IPV4, NULL, 0, "255.255.255.128/25");
	FAILS(f, ENOSPC, "no free IPv4 subnet is left in 255.255.255.0/24",
	      weir_ipam_choose_subnet(f->store, &end, 1, WEIR_IPV4, NULL, 0, &none, &f->err));
}

static uint64_t steps; /* of SQLite's virtual machine, in tens */

static int count_steps(void *unused)
{
	(void)unused;
	steps++;
	return 0;
}

#include "core/store_db.h"

/* How much work 250 endpoints are, in steps that no clock disturbs; a /24 holds no more. */
static uint64_t work_for(struct fixture *f, const char *name, const char *text,
			 enum weir_family family)
{
	struct weir_network net = network(f, name, text, NULL);
	put_network(f, &net);
	steps = 0;
	sqlite3_progress_handler(f->store->db, 10, count_steps, NULL);
	for (int i = 0; i < 250; i++) {
		char ep[32];
		(void)snprintf(ep, sizeof(ep), "%s-%d", name, i);
		attach(f, &net, family, ep, NULL);
	}
	sqlite3_progress_handler(f->store->db, 0, NULL, NULL);
	return steps;
}

static void a_large_pool_costs_the_same(void **state)
{
	struct fixture *f = *state;
	uint64_t small = work_for(f, "small", "192.168.1.0/24", WEIR_IPV4);
	uint64_t large = work_for(f, "large", "10.0.0.0/8", WEIR_IPV4);
	uint64_t six = work_for(f, "six", "fd00::/64", WEIR_IPV6);
	assert_true(small > 1000);
	assert_true(large <= small + small / 50 && small <= large + large / 50);
	assert_true(six <= small + small / 50 && small <= six + six / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_next_free_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_chosen_in_vain_is_not_lost, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(freed_addresses_come_back_last, set_up, tear_down),
		cmocka_unit_test_setup_teardown(freed_and_taken_by_wish, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_24_has_253, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_never_handed_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_ends_of_a_subnet, set_up, tear_down),
		cmocka_unit_test_setup_teardown(families_that_are_not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wishes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(subnets_from_the_built_in_pools, set_up, tear_down),
		cmocka_unit_test_setup_teardown(subnets_from_declared_pools, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_large_pool_costs_the_same, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
