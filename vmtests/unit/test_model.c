/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model: order, copies, equality, checks, gateways and default routes. */
#include "vmtests/unit/cm.h"

#include <errno.h>

#include "core/model.h"

static struct weir_addr addr(const char *text)
{
	struct weir_addr a = { 0 };

	assert_int_equal(weir_addr_parse(text, &a, NULL), 0);
	return a;
}

static struct weir_network *add_network(struct weir_model *model, const char *name,
					const char *subnet)
{
	struct weir_network *net = weir_model_add_network(model);

	net->name = name;
	net->subnets = weir_arena_alloc(&model->arena, sizeof(*net->subnets));
	net->n_subnets = 1;
	assert_int_equal(weir_prefix_parse(subnet, &net->subnets[0].prefix, NULL), 0);
	return net;
}

static struct weir_attachment *attach(struct weir_model *model, struct weir_endpoint *ep,
				      const char *network, int priority)
{
	struct weir_attachment *att = weir_endpoint_add_attachment(model, ep);

	att->network = network;
	att->priority = priority;
	return att;
}

static void publish(struct weir_model *model, struct weir_endpoint *ep, const char *text)
{
	assert_int_equal(weir_mapping_parse(text, weir_endpoint_add_mapping(model, ep), NULL), 0);
}

/* ---- names ---- */

static void names_are_dns_labels_and_file_names(void **state)
{
	static const char *const good[] = {
		"a",	   "0",
		"web",	   "Web-1",
		"a.b_c-d", "123456789012345678901234567890123456789012345678901234567890123"
	};
	static const char *const bad[] = {
		"",	".",	"..",
		"../x", "-x",	"_x",
		".x",	"a/b",	"a b",
		"a\n",	"a%",	"ä",
		"a:b",	"a\"b", "1234567890123456789012345678901234567890123456789012345678901234"
	};

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++)
		assert_int_equal(weir_name_check("network", good[i], NULL), 0);
	for (size_t i = 0; i < N_OF(bad); i++)
		if (weir_name_check("network", bad[i], NULL) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(weir_name_check("network", NULL, NULL), -EINVAL);
}

static void interface_names_are_the_kernels_and_safe(void **state)
{
	static const char *const good[] = { "eth0",	"wb-web", "a",	   "123456789012345",
					    "eth0.100", "br@x",	  "veth_1" };
	static const char *const bad[] = {
		"",	    ".",   "..", "a/b", "a:b",	 "a b", "a\tb",
		"a\"b",	    "a'b", "a*", "a+",	"eth%d", "-x",	"1234567890123456",
		"\xc3\xa9", "a\\b"
	};

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++)
		assert_int_equal(weir_ifname_check(good[i], NULL), 0);
	for (size_t i = 0; i < N_OF(bad); i++)
		if (weir_ifname_check(bad[i], NULL) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
}

/* ---- order and finding ---- */

static void sorted_objects_are_found(void **state)
{
	static const char *const names[] = { "web", "db", "api", "z", "a", "m" };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };

	(void)state;
	assert_null(weir_model_network(&model, "web"));
	for (size_t i = 0; i < N_OF(names); i++) {
		weir_model_add_network(&model)->name = names[i];
		weir_model_add_endpoint(&model)->name = names[i];
	}
	weir_model_sort(&model);
	for (size_t i = 0; i < N_OF(names); i++) {
		assert_string_equal(weir_model_network(&model, names[i])->name, names[i]);
		assert_string_equal(weir_model_endpoint(&model, names[i])->name, names[i]);
	}
	assert_string_equal(model.networks[0].name, "a");
	assert_string_equal(model.endpoints[5].name, "z");
	assert_null(weir_model_endpoint(&model, "nobody"));
}

static void sorting_reaches_into_endpoints(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_endpoint *ep = weir_model_add_endpoint(&model);

	(void)state;
	ep->name = "api";
	attach(&model, ep, "web", 0);
	attach(&model, ep, "db", 0);
	publish(&model, ep, "9090:90");
	publish(&model, ep, "8080:80");
	weir_model_sort(&model);
	assert_string_equal(ep->attachments[0].network, "web"); /* as written: eth0, eth1 */
	assert_int_equal(ep->mappings[0].host_ports.lo, 8080);
	assert_ptr_equal(weir_endpoint_attachment(ep, "db"), &ep->attachments[1]);
	assert_null(weir_endpoint_attachment(ep, "none"));
}

/* ---- copies ---- */

static struct weir_endpoint *sample_endpoint(struct weir_model *model)
{
	struct weir_endpoint *ep = weir_model_add_endpoint(model);

	ep->name = weir_arena_strdup(&model->arena, "api");
	for (int i = 0; i < 3; i++) {
		static const char *const nets[] = { "a", "b", "c" };
		attach(model, ep, weir_arena_strdup(&model->arena, nets[i]), i);
	}
	publish(model, ep, "8080:80");
	ep->mappings[0].network = weir_arena_strdup(&model->arena, "b");
	ep->labels = weir_arena_alloc(&model->arena, sizeof(*ep->labels));
	ep->labels[0].key = weir_arena_strdup(&model->arena, "role");
	ep->labels[0].value = weir_arena_strdup(&model->arena, "front");
	ep->n_labels = 1;
	return ep;
}

static void copies_outlive_the_original_and_grow(void **state)
{
	struct weir_model from = { 0 };
	WEIR_CLEAN_MODEL struct weir_model to = { 0 };
	struct weir_endpoint *copy = weir_model_add_endpoint(&to);

	(void)state;
	assert_int_equal(weir_endpoint_copy(&to, copy, sample_endpoint(&from)), 0);
	weir_model_free(&from);
	assert_string_equal(copy->name, "api");
	assert_string_equal(copy->attachments[2].network, "c");
	assert_string_equal(copy->mappings[0].network, "b");
	assert_string_equal(copy->labels[0].value, "front");
	for (int i = 0; i < 9; i++) /* three items have room for a fourth, not for more */
		attach(&to, copy, "more", i);
	assert_int_equal(copy->n_attachments, 12);
	assert_string_equal(copy->attachments[2].network, "c");
}

static void networks_are_copied_whole(void **state)
{
	struct weir_model from = { 0 };
	WEIR_CLEAN_MODEL struct weir_model to = { 0 };
	struct weir_network *net =
		add_network(&from, weir_arena_strdup(&from.arena, "web"), "10.88.1.0/24");
	struct weir_network *copy = weir_model_add_network(&to);

	(void)state;
	net->trusted = weir_arena_alloc(&from.arena, sizeof(*net->trusted));
	net->trusted[0] = weir_arena_strdup(&from.arena, "eth0");
	net->n_trusted = 1;
	net->gateway_endpoint = weir_arena_strdup(&from.arena, "router");
	assert_int_equal(weir_network_copy(&to, copy, net), 0);
	assert_true(weir_network_equal(copy, net));
	weir_model_free(&from);
	assert_string_equal(copy->trusted[0], "eth0");
	assert_string_equal(copy->gateway_endpoint, "router");
	assert_int_equal(copy->subnets[0].prefix.len, 24);
}

static void any_difference_is_seen(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_endpoint *a = sample_endpoint(&model), b;

	(void)state;
#define DIFFERS(change)                                                 \
	do {                                                            \
		assert_int_equal(weir_endpoint_copy(&model, &b, a), 0); \
		assert_true(weir_endpoint_equal(a, &b));                \
		b.change;                                               \
		assert_false(weir_endpoint_equal(a, &b));               \
	} while (0)
	DIFFERS(name = "other");
	DIFFERS(netns = WEIR_NETNS_HOST);
	DIFFERS(netns_path = "/x");
	DIFFERS(n_attachments = 2);
	DIFFERS(attachments[0].priority = 9);
	DIFFERS(attachments[0].mtu = 9);
	DIFFERS(attachments[1].addrs[WEIR_IPV4] = addr("10.0.0.1"));
	DIFFERS(attachments[1].mac.bytes[5] = 9);
	DIFFERS(attachments[1].ifname[0] = 'x');
	DIFFERS(attachments[1].host_ifname[0] = 'x');
	DIFFERS(mappings[0].network = NULL);
	DIFFERS(mappings[0].host_ports.hi = 9999);
	DIFFERS(labels[0].value = "back");
	DIFFERS(forward = true);
#undef DIFFERS
	assert_int_equal(weir_endpoint_copy(&model, &b, a), 0);
	b.origin.line = 7;
	b.declared = true;
	b.netns_id.ino = 7;
	assert_true(weir_endpoint_equal(a, &b)); /* these are not what it is */
}

/* ---- checks of networks ---- */

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

/* ---- checks of endpoints ---- */

static void twice_in_one_network(struct weir_model *m, struct weir_endpoint *ep)
{
	attach(m, ep, "web", 0);
}
static void one_ifname_twice(struct weir_model *m, struct weir_endpoint *ep)
{
	memcpy(ep->attachments[0].ifname, "eth9", 5);
	memcpy(attach(m, ep, "db", 0)->ifname, "eth9", 5);
}
static void one_address_twice(struct weir_model *m, struct weir_endpoint *ep)
{
	ep->attachments[0].addrs[WEIR_IPV4] = addr("10.0.0.5");
	attach(m, ep, "db", 0)->addrs[WEIR_IPV4] = addr("10.0.0.5");
}
static void two_networks(struct weir_model *m, struct weir_endpoint *ep)
{
	attach(m, ep, "db", 0);
}
static void multicast_address(struct weir_model *m, struct weir_endpoint *ep)
{
	(void)m;
	ep->attachments[0].addrs[WEIR_IPV4] = addr("224.0.0.5");
}
static void interface_lo(struct weir_model *m, struct weir_endpoint *ep)
{
	(void)m;
	memcpy(ep->attachments[0].ifname, "lo", 3);
}
static void mtu_too_small_for_ipv6(struct weir_model *m, struct weir_endpoint *ep)
{
	(void)m;
	ep->attachments[0].addrs[WEIR_IPV6] = addr("fd00::5");
	ep->attachments[0].mtu = 1279;
}
static void host_mode(struct weir_model *m, struct weir_endpoint *ep)
{
	(void)m;
	ep->netns = WEIR_NETNS_HOST;
	ep->n_attachments = 0;
}
static void host_mode_with_networks(struct weir_model *m, struct weir_endpoint *ep)
{
	(void)m;
	ep->netns = WEIR_NETNS_HOST;
}
static void host_mode_publishing(struct weir_model *m, struct weir_endpoint *ep)
{
	host_mode(m, ep);
	publish(m, ep, "8080:80");
}
static void publishing_without_network(struct weir_model *m, struct weir_endpoint *ep)
{
	ep->n_attachments = 0;
	publish(m, ep, "8080:80");
}
static void relative_path(struct weir_model *m, struct weir_endpoint *ep)
{
	(void)m;
	ep->netns = WEIR_NETNS_PATH;
	ep->netns_path = "run/netns/x";
}
static void same_host_port(struct weir_model *m, struct weir_endpoint *ep)
{
	publish(m, ep, "8080:80");
	publish(m, ep, "8080:81");
}
static void overlapping_ranges(struct weir_model *m, struct weir_endpoint *ep)
{
	publish(m, ep, "8000-8100:8000-8100");
	publish(m, ep, "9000:80");
	publish(m, ep, "8100:80");
}
static void same_mapping_twice(struct weir_model *m, struct weir_endpoint *ep)
{
	publish(m, ep, "80");
	publish(m, ep, "80");
}
static void neighbours_that_do_not_meet(struct weir_model *m, struct weir_endpoint *ep)
{
	publish(m, ep, "8080:80");
	publish(m, ep, "8080:80/udp");
	publish(m, ep, "127.0.0.1:8080:80");
	publish(m, ep, "192.0.2.1:8080:80");
	publish(m, ep, "80");
	publish(m, ep, "8000-9000:80");
	publish(m, ep, "8081-8090:1-10");
}
static void foreign_network(struct weir_model *m, struct weir_endpoint *ep)
{
	publish(m, ep, "8080:80");
	ep->mappings[0].network = "db";
}
static void label(struct weir_model *m, struct weir_endpoint *ep, const char *key,
		  const char *value)
{
	struct weir_label *labels =
		weir_arena_grow(&m->arena, ep->labels, ep->n_labels, sizeof(*labels));
	labels[ep->n_labels++] = (struct weir_label){ key, value };
	ep->labels = labels;
}
static void labels_fine(struct weir_model *m, struct weir_endpoint *ep)
{
	label(m, ep, "example.org/role", "größe");
	label(m, ep, "empty", "");
}
static void label_key_bad(struct weir_model *m, struct weir_endpoint *ep)
{
	label(m, ep, "a b", "x");
}
static void label_value_bad(struct weir_model *m, struct weir_endpoint *ep)
{
	label(m, ep, "a", "x\ny");
}
static void label_value_broken(struct weir_model *m, struct weir_endpoint *ep)
{
	label(m, ep, "a", "\xff");
}
static void label_twice(struct weir_model *m, struct weir_endpoint *ep)
{
	label(m, ep, "a", "x");
	label(m, ep, "a", "y");
}
static void route(struct weir_model *m, struct weir_endpoint *ep, const char *to, const char *via)
{
	struct weir_route *routes =
		weir_arena_grow(&m->arena, ep->routes, ep->n_routes, sizeof(*routes));
	struct weir_route *last = &routes[ep->n_routes++];

	assert_int_equal(weir_prefix_parse(to, &last->to, NULL), 0);
	last->via = addr(via);
	ep->routes = routes;
}
static void route_fine(struct weir_model *m, struct weir_endpoint *ep)
{
	route(m, ep, "10.1.0.0/16", "10.0.0.9");
}
static void route_mixed(struct weir_model *m, struct weir_endpoint *ep)
{
	route(m, ep, "10.1.0.0/16", "fd00::1");
}
static void route_default(struct weir_model *m, struct weir_endpoint *ep)
{
	route(m, ep, "0.0.0.0/0", "10.0.0.9");
}
static void route_host_bits(struct weir_model *m, struct weir_endpoint *ep)
{
	route(m, ep, "10.1.0.1/16", "10.0.0.9");
}
static void route_twice(struct weir_model *m, struct weir_endpoint *ep)
{
	route_fine(m, ep);
	route_fine(m, ep);
}
static void resolvers(struct weir_model *m, struct weir_endpoint *ep, size_t n, const char *server)
{
	ep->dns = weir_arena_alloc(&m->arena, n * sizeof(*ep->dns));
	for (ep->n_dns = 0; ep->n_dns < n; ep->n_dns++)
		ep->dns[ep->n_dns] = addr(server);
}
static void dns_fine(struct weir_model *m, struct weir_endpoint *ep)
{
	resolvers(m, ep, 3, "192.0.2.53");
}
static void dns_many(struct weir_model *m, struct weir_endpoint *ep)
{
	resolvers(m, ep, 4, "192.0.2.53");
}
static void dns_any(struct weir_model *m, struct weir_endpoint *ep)
{
	resolvers(m, ep, 1, "0.0.0.0");
}

static void contradictions_of_an_endpoint_are_refused(void **state)
{
	static const struct {
		void (*set)(struct weir_model *model, struct weir_endpoint *ep);
		const char *says; /* NULL: fine */
	} rows[] = {
		{ two_networks, NULL },
		{ twice_in_one_network, "\"web\" twice" },
		{ one_ifname_twice, "\"eth9\"" },
		{ one_address_twice, "ip 10.0.0.5" },
		{ multicast_address, "no interface" },
		{ interface_lo, "kernel's own" },
		{ mtu_too_small_for_ipv6, "1280" },
		{ host_mode, NULL },
		{ host_mode_with_networks, "shares the host's namespace" },
		{ host_mode_publishing, "publish: it shares" },
		{ publishing_without_network, "publish: it has no network" },
		{ relative_path, "absolute" },
		{ same_host_port, "8080:80 and 8080:81 want the same host port" },
		{ overlapping_ranges, "want the same host port" },
		{ same_mapping_twice, "are the same" },
		{ neighbours_that_do_not_meet, NULL },
		{ foreign_network, "not attached to network \"db\"" },
		{ labels_fine, NULL },
		{ label_key_bad, "label \"a b\"" },
		{ label_value_bad, "control character" },
		{ label_value_broken, "UTF-8" },
		{ label_twice, "twice" },
		{ route_fine, NULL },
		{ route_mixed, "one family" },
		{ route_default, "default route" },
		{ route_host_bits, "did you mean 10.1.0.0/16?" },
		{ route_twice, "twice" },
		{ dns_fine, NULL },
		{ dns_many, "at most 3" },
		{ dns_any, "no server" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		struct weir_endpoint *ep = weir_model_add_endpoint(&model);
		struct weir_err err = { 0 };

		ep->name = "api";
		attach(&model, ep, "web", 0);
		rows[i].set(&model, ep);
		int r = weir_endpoint_check(ep, &err);
		if (r != (rows[i].says ? -EINVAL : 0) || (r && !strstr(err.text, rows[i].says)))
			fail_msg("row %zu: %d %s", i, r, err.text);
	}
}

/* ---- gateways and default routes ---- */

static void gateways_are_the_first_or_the_wished(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_network *net = add_network(&model, "web", "10.88.1.0/24");
	char text[WEIR_ADDR_TEXT];

	(void)state;
	assert_int_equal(weir_network_resolve_gateways(net, NULL), 0);
	assert_string_equal(weir_addr_text(&net->subnets[0].gateway, text), "10.88.1.1");
	net->gateways[WEIR_IPV4] = addr("10.88.1.254");
	assert_int_equal(weir_network_resolve_gateways(net, NULL), 0);
	assert_string_equal(weir_addr_text(&net->subnets[0].gateway, text), "10.88.1.254");
	net->gateways[WEIR_IPV4] = addr("10.88.2.254");
	assert_int_equal(weir_network_resolve_gateways(net, NULL), -EINVAL);
}

static void a_gateway_can_be_an_endpoint_or_nobody(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_network *net = add_network(&model, "left", "10.0.1.0/24");
	struct weir_attachment att = { .network = "left" };

	(void)state;
	net->gateway_endpoint = "router";
	assert_int_equal(weir_network_resolve_gateways(net, NULL), 0);
	assert_false(weir_addr_is_set(&net->subnets[0].gateway));
	att.addrs[WEIR_IPV4] = addr("10.0.1.11");
	weir_network_set_gateway(net, &att);
	assert_int_equal(weir_addr_cmp(&net->subnets[0].gateway, &att.addrs[WEIR_IPV4]), 0);
	weir_network_set_gateway(net, NULL);
	assert_false(weir_addr_is_set(&net->subnets[0].gateway));
	net->gateway_endpoint = NULL;
	net->mode = WEIR_MODE_P2P;
	assert_int_equal(weir_network_resolve_gateways(net, NULL), 0);
	assert_false(weir_addr_is_set(&net->subnets[0].gateway));
}

static const char *default_of(const struct weir_model *model, const char *ep,
			      enum weir_family family)
{
	const struct weir_attachment *att =
		weir_endpoint_default(model, weir_model_endpoint(model, ep), family);
	return att ? att->network : NULL;
}

static void the_default_route_goes_by_priority_then_name(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_endpoint *ep = weir_model_add_endpoint(&model);

	(void)state;
	ep->name = "api";
	add_network(&model, "a-internal", "10.0.1.0/24")->internal = true;
	add_network(&model, "b", "10.0.2.0/24");
	add_network(&model, "c", "10.0.3.0/24");
	add_network(&model, "six", "fd00::/64");
	attach(&model, ep, "a-internal", 50); /* leads nowhere, whatever its priority */
	attach(&model, ep, "c", 0);
	attach(&model, ep, "b", 0);
	attach(&model, ep, "six", -5);
	weir_model_sort(&model);
	assert_null(default_of(&model, "api", WEIR_IPV4)); /* no gateways yet */
	for (size_t i = 0; i < model.n_networks; i++)
		assert_int_equal(weir_network_resolve_gateways(&model.networks[i], NULL), 0);
	assert_string_equal(default_of(&model, "api", WEIR_IPV4), "b");
	assert_string_equal(default_of(&model, "api", WEIR_IPV6), "six");
	assert_string_equal(default_of(&model, "api", WEIR_NO_FAMILY), "b");
	weir_endpoint_attachment(weir_model_endpoint(&model, "api"), "c")->priority = 1;
	assert_string_equal(default_of(&model, "api", WEIR_IPV4), "c");
}

static void a_router_has_no_default_route_through_itself(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_endpoint *router = weir_model_add_endpoint(&model);
	struct weir_network *net = add_network(&model, "left", "10.0.1.0/24");

	(void)state;
	router->name = "router";
	attach(&model, router, "left", 0)->addrs[WEIR_IPV4] = addr("10.0.1.11");
	net->gateway_endpoint = "router";
	weir_network_set_gateway(net, &router->attachments[0]);
	assert_null(default_of(&model, "router", WEIR_IPV4));
	router->name = "host-a";
	assert_string_equal(default_of(&model, "host-a", WEIR_IPV4), "left");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_dns_labels_and_file_names),
		cmocka_unit_test(interface_names_are_the_kernels_and_safe),
		cmocka_unit_test(sorted_objects_are_found),
		cmocka_unit_test(sorting_reaches_into_endpoints),
		cmocka_unit_test(copies_outlive_the_original_and_grow),
		cmocka_unit_test(networks_are_copied_whole),
		cmocka_unit_test(any_difference_is_seen),
		cmocka_unit_test(subnets_are_sensible),
		cmocka_unit_test(contradictions_of_a_network_are_refused),
		cmocka_unit_test(overlapping_subnets_are_refused),
		cmocka_unit_test(contradictions_of_an_endpoint_are_refused),
		cmocka_unit_test(gateways_are_the_first_or_the_wished),
		cmocka_unit_test(a_gateway_can_be_an_endpoint_or_nobody),
		cmocka_unit_test(the_default_route_goes_by_priority_then_name),
		cmocka_unit_test(a_router_has_no_default_route_through_itself),
	};
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
