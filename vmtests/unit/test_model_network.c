/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model: contradictions of networks. */
#include "vmtests/unit/model_fixture.h"

#include <errno.h>

static void subnets_are_sensible(void **state)
{
	static const struct {
		const char *subnet;
		enum weir_mode mode;
		const char *says; /* NULL: fine */
	} rows[] = {
		{ "10.88.1.0/24", WEIR_MODE_BRIDGE, NULL },
		{ "10.0.0.0/8", WEIR_MODE_BRIDGE, NULL },
		{ "10.0.0.0/7", WEIR_MODE_BRIDGE, "/8 to /30" },
		{ "10.0.0.0/30", WEIR_MODE_BRIDGE, NULL },
		{ "10.0.0.0/31", WEIR_MODE_BRIDGE, "/8 to /30" },
		{ "10.0.0.0/31", WEIR_MODE_P2P, NULL },
		{ "10.0.0.0/32", WEIR_MODE_P2P, "/8 to /31" },
		{ "fd00::/48", WEIR_MODE_BRIDGE, NULL },
		{ "fd00::/126", WEIR_MODE_BRIDGE, NULL },
		{ "fd00::/127", WEIR_MODE_BRIDGE, "/48 to /126" },
		{ "fd00::/127", WEIR_MODE_P2P, NULL },
		{ "10.88.1.5/24", WEIR_MODE_BRIDGE, "did you mean 10.88.1.0/24?" },
		{ "fd00::1/64", WEIR_MODE_BRIDGE, "did you mean fd00::/64?" },
		{ "0.0.0.0/0", WEIR_MODE_BRIDGE, "/8 to /30" },
		{ "127.1.0.0/16", WEIR_MODE_BRIDGE, "loopback" },
		{ "169.254.0.0/16", WEIR_MODE_BRIDGE, "link-local" },
		{ "169.0.0.0/8", WEIR_MODE_BRIDGE, "link-local" },
		{ "224.1.0.0/16", WEIR_MODE_BRIDGE, "multicast" },
		{ "0.1.0.0/16", WEIR_MODE_BRIDGE, "this network" },
		{ "fe80::/64", WEIR_MODE_BRIDGE, "link-local" },
		{ "ff02::/64", WEIR_MODE_BRIDGE, "multicast" },
		{ "::/64", WEIR_MODE_BRIDGE, "reserved" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		struct weir_network *net = add_network(&model, "web", rows[i].subnet);
		struct weir_err err = { 0 };

		net->mode = rows[i].mode;
		int r = weir_network_check(net, &err);
		if (r != (rows[i].says ? -EINVAL : 0) || (r && !strstr(err.text, rows[i].says)))
			fail_msg("%s: %d %s", rows[i].subnet, r, err.text);
	}
}

static void set_gateway(struct weir_network *net)
{
	net->gateways[WEIR_IPV4] = addr("10.88.1.254");
}

static void set_foreign_gateway(struct weir_network *net)
{
	net->gateways[WEIR_IPV4] = addr("10.88.2.1");
}

static void set_network_gateway(struct weir_network *net)
{
	net->gateways[WEIR_IPV4] = addr("10.88.1.0");
}

static void set_broadcast_gateway(struct weir_network *net)
{
	net->gateways[WEIR_IPV4] = addr("10.88.1.255");
}

static void set_p2p_gateway(struct weir_network *net)
{
	net->mode = WEIR_MODE_P2P;
	set_gateway(net);
}

static void set_two_gateways(struct weir_network *net)
{
	set_gateway(net);
	net->gateway_endpoint = "r";
}

static void set_p2p_internal(struct weir_network *net)
{
	net->mode = WEIR_MODE_P2P;
	net->internal = true;
}

static void set_p2p_isolate(struct weir_network *net)
{
	net->mode = WEIR_MODE_P2P;
	net->isolate = true;
}

static void set_nat(struct weir_network *net)
{
	net->nat = WEIR_NAT_ADDRESS;
	net->nat_addr[WEIR_IPV4] = addr("192.0.2.1");
}

static void set_empty_nat(struct weir_network *net)
{
	net->nat = WEIR_NAT_ADDRESS;
}

static void set_inner_nat(struct weir_network *net)
{
	set_nat(net);
	net->nat_addr[WEIR_IPV4] = addr("10.88.1.9");
}

static void set_nat6(struct weir_network *net)
{
	set_nat(net);
	net->nat_addr[WEIR_IPV6] = addr("2001:db8::1");
}

static void set_loopback_nat(struct weir_network *net)
{
	set_nat(net);
	net->nat_addr[WEIR_IPV4] = addr("127.0.0.1");
}

static void set_internal_nat(struct weir_network *net)
{
	set_nat(net);
	net->internal = true;
}

static void set_router_nat(struct weir_network *net)
{
	set_nat(net);
	net->gateway_endpoint = "r";
}

static void trust(struct weir_network *net, const char **names, size_t n)
{
	net->trusted = names;
	net->n_trusted = n;
}

static void set_trusted(struct weir_network *net)
{
	static const char *n[] = { "eth0", "eth1" };
	trust(net, n, 2);
}

static void set_trusted_twice(struct weir_network *net)
{
	static const char *n[] = { "eth0", "eth0" };
	trust(net, n, 2);
}

static void set_trusted_bad(struct weir_network *net)
{
	static const char *n[] = { "eth 0" };
	trust(net, n, 1);
}

static void set_trusted_internal(struct weir_network *net)
{
	set_trusted(net);
	net->internal = true;
}

static void set_mtu(struct weir_network *net)
{
	net->mtu = 1400;
}

static void set_small_mtu(struct weir_network *net)
{
	net->mtu = 67;
}

static void set_large_mtu(struct weir_network *net)
{
	net->mtu = 65536;
}

static void set_lo(struct weir_network *net)
{
	memcpy(net->ifname, "lo", 3);
}

static void exclude(struct weir_network *net, const char *lo, const char *hi)
{
	static struct weir_range range;

	range = (struct weir_range){ addr(lo), addr(hi) };
	net->excluded = &range;
	net->n_excluded = 1;
}

static void set_excluded(struct weir_network *net)
{
	exclude(net, "10.88.1.10", "10.88.1.20");
}

static void set_excluded_down(struct weir_network *net)
{
	exclude(net, "10.88.1.20", "10.88.1.10");
}

static void set_excluded_out(struct weir_network *net)
{
	exclude(net, "10.88.1.250", "10.88.2.10");
}

static void set_bad_name(struct weir_network *net)
{
	net->name = "../web";
}

static void set_bad_router(struct weir_network *net)
{
	net->gateway_endpoint = "../r";
}

static void contradictions_of_a_network_are_refused(void **state)
{
	static const struct {
		void (*set)(struct weir_network *net);
		const char *says; /* NULL: fine */
	} rows[] = {
		{ set_gateway, NULL },
		{ set_foreign_gateway, "outside the network's subnets" },
		{ set_network_gateway, "network address" },
		{ set_broadcast_gateway, "broadcast address" },
		{ set_p2p_gateway, "p2p" },
		{ set_two_gateways, "endpoint \"r\" already" },
		{ set_p2p_internal, "internal has no meaning" },
		{ set_p2p_isolate, "isolate has no meaning" },
		{ set_nat, NULL },
		{ set_empty_nat, "none is given" },
		{ set_inner_nat, "in the network itself" },
		{ set_nat6, "no IPv6 subnet" },
		{ set_loopback_nat, "no packet can leave" },
		{ set_internal_nat, "internal" },
		{ set_router_nat, "endpoint" },
		{ set_trusted, NULL },
		{ set_trusted_twice, "twice" },
		{ set_trusted_bad, "interface name" },
		{ set_trusted_internal, "internal" },
		{ set_mtu, NULL },
		{ set_small_mtu, "not between 68" },
		{ set_large_mtu, "not between 68" },
		{ set_lo, "kernel's own" },
		{ set_excluded, NULL },
		{ set_excluded_down, "upside down" },
		{ set_excluded_out, "not inside one subnet" },
		{ set_bad_name, "must begin" },
		{ set_bad_router, "must begin" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		struct weir_network *net = add_network(&model, "web", "10.88.1.0/24");
		struct weir_err err = { 0 };

		net->origin = weir_place_make("web.yaml", 3, 2);
		rows[i].set(net);
		int r = weir_network_check(net, &err);
		if (r != (rows[i].says ? -EINVAL : 0) || (r && !strstr(err.text, rows[i].says)))
			fail_msg("row %zu: %d %s", i, r, err.text);
		assert_int_equal(err.at.line, rows[i].says ? 3 : 0);
	}
}

static void overlapping_subnets_are_refused(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_network *net = add_network(&model, "web", "10.88.0.0/16");
	struct weir_subnet two[2] = { net->subnets[0],
				      { .origin = weir_place_make("web.yaml", 5, 9) } };
	struct weir_err err = { 0 };

	(void)state;
	assert_int_equal(weir_prefix_parse("10.88.1.0/24", &two[1].prefix, NULL), 0);
	net->subnets = two;
	net->n_subnets = 2;
	assert_int_equal(weir_network_check(net, &err), -EINVAL);
	assert_string_equal(err.text,
			    "network \"web\": subnets 10.88.0.0/16 and 10.88.1.0/24 overlap");
	assert_int_equal(err.at.line, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subnets_are_sensible),
		cmocka_unit_test(contradictions_of_a_network_are_refused),
		cmocka_unit_test(overlapping_subnets_are_refused),
	};
	return cmocka_run_group_tests_name("model_network", tests, NULL, NULL);
}
