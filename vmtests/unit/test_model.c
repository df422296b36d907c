/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model: names, order, copies, equality, gateways and default routes. */
#include "vmtests/unit/model_fixture.h"

#include <errno.h>

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
		cmocka_unit_test(gateways_are_the_first_or_the_wished),
		cmocka_unit_test(a_gateway_can_be_an_endpoint_or_nobody),
		cmocka_unit_test(the_default_route_goes_by_priority_then_name),
		cmocka_unit_test(a_router_has_no_default_route_through_itself),
	};
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
