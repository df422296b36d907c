/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolving: what is left open is chosen and kept, what changes places may do so in one change, what
 * collides is refused by name. */
#include "vmtests/unit/engine_fixture.h"

#define NETS                             \
	"networks:\n"                    \
	"  web: {subnet: 10.1.0.0/24}\n" \
	"  both: {subnets: [10.3.0.0/24, \"fd03::/64\"]}\n"

static const struct weir_endpoint *endpoint(const struct host *h, const char *name)
{
	const struct weir_endpoint *ep = weir_model_endpoint(&h->plan.after, name);
	if (!ep)
		fail_msg("the change says nothing of %s", name);
	return ep;
}

static const char *addr_of(const struct host *h, const char *name, const char *network,
			   enum weir_family family)
{
	static char text[WEIR_ADDR_TEXT];
	const struct weir_attachment *att = weir_endpoint_attachment(endpoint(h, name), network);
	assert_non_null(att);
	return weir_addr_text(&att->addrs[family], text);
}

/* Everything in the store that stands in a row with this word. */
static void assert_row(const struct host *h, const char *row)
{
	char *text = dump(h);
	if (!strstr(text, row)) {
		print_error("%s", text);
		fail_msg("no row %s", row);
	}
	free(text);
}

/* ---- addresses ---- */

static void test_what_was_chosen_is_kept(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS "endpoints:\n"
			    "  a: {networks: [both]}\n  b: {networks: [both]}\n"));
	char first[WEIR_ADDR_TEXT];
	(void)snprintf(first, sizeof(first), "%s", addr_of(h, "b", "both", WEIR_IPV6));
	OK(h, remove_endpoint(h, "a"));
	OK(h, apply(h, "endpoints: {b: {networks: {both: {ip: 10.3.0.77}}}}"));
	assert_string_equal(addr_of(h, "b", "both", WEIR_IPV6), first);
	assert_string_equal(addr_of(h, "b", "both", WEIR_IPV4), "10.3.0.77");
	OK(h, apply(h, "endpoints: {b: {networks: [both]}}"));
	assert_int_equal(h->plan.n_steps, 0); /* open again: stays what it was */
	assert_converged(h);
}

static void test_fixed_addresses_come_first(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS "endpoints:\n"
			    "  a: {networks: [web]}\n"
			    "  b: {networks: {web: {ip: 10.1.0.2}}}\n"));
	assert_string_equal(addr_of(h, "b", "web", WEIR_IPV4), "10.1.0.2");
	assert_string_equal(addr_of(h, "a", "web", WEIR_IPV4), "10.1.0.3");
}

static void test_two_swap_addresses(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS "endpoints:\n"
			    "  a: {networks: {both: {ip: 10.3.0.10}}}\n"
			    "  b: {networks: {both: {ip: 10.3.0.11}}}\n"));
	OK(h, apply(h, "endpoints:\n"
		       "  a: {networks: {both: {ip: 10.3.0.11}}}\n"
		       "  b: {networks: {both: {ip: 10.3.0.10}}}\n"));
	assert_string_equal(addr_of(h, "a", "both", WEIR_IPV4), "10.3.0.11");
	assert_string_equal(addr_of(h, "b", "both", WEIR_IPV4), "10.3.0.10");
	assert_string_equal(addr_of(h, "a", "both", WEIR_IPV6),
			    "fd03::2"); /* each keeps the other */
	assert_converged(h);
}

static void test_an_address_is_taken(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS "endpoints: {a: {networks: {web: {ip: 10.1.0.10}}}}"));
	char *before = dump(h);
	FAILS(h, EEXIST, "\"a\"", add(h, "endpoints: {b: {networks: {web: {ip: 10.1.0.10}}}}"));
	FAILS(h, EINVAL, "gateway", add(h, "endpoints: {b: {networks: {web: {ip: 10.1.0.1}}}}"));
	FAILS(h, EINVAL, "10.2.0.1", add(h, "endpoints: {b: {networks: {web: {ip: 10.2.0.1}}}}"));
	FAILS(h, ENOENT, "no network named \"nowhere\"",
	      add(h, "endpoints: {b: {networks: [nowhere]}}"));
	assert_int_equal(h->err.at.line, 1);
	char *after = dump(h);
	SAME(before, after, "refused\n");
	free(before);
	free(after);
}

static void test_a_router_is_where_its_endpoint_is(void **state)
{
	struct host *h = *state;
	static const char spec[] = "networks: {left: {subnet: 10.4.1.0/24, gateway: router}}\n"
				   "endpoints:\n"
				   "  a: {networks: [left]}\n"
				   "  router: {networks: {left: {ip: 10.4.1.11}}, forward: true}\n";
	char *text;
	OK(h, apply(h, spec));
	text = dump(h);
	assert_non_null(strstr(text, "default via 10.4.1.11"));
	free(text);
	OK(h, apply(h, spec));
	assert_int_equal(h->plan.n_steps, 0);
	OK(h, apply(h, "endpoints: {router: {networks: {left: {ip: 10.4.1.12}}, forward: true}}"));
	text = dump(h);
	assert_non_null(strstr(text, "default via 10.4.1.12"));
	free(text);
	assert_converged(h);
	OK(h, remove_endpoint(h, "router"));
	text = dump(h);
	assert_null(strstr(text, "default via"));
	free(text);
	OK(h, add(h, "endpoints: {router: {networks: {left: {ip: 10.4.1.13}}, forward: true}}"));
	assert_converged(h);
}

/* ---- networks ---- */

static void test_subnets_that_overlap(void **state)
{
	struct host *h = *state;
	const struct weir_host_route route = {
		.to = { .addr = { .family = WEIR_IPV4, .bytes = { 10, 99 } }, .len = 16 },
		.ifname = "eth0"
	};
	assert_int_equal(weir_memory_add_route(&route), 0);
	OK(h, apply(h, NETS));
	FAILS(h, EEXIST, "overlaps 10.1.0.0/24 of network \"web\"",
	      add(h, "networks: {x: {subnet: 10.1.0.128/25}}"));
	assert_int_equal(h->err.at.line, 1);
	FAILS(h, EEXIST, "of network", add(h, "networks: {x: {subnet: 10.0.0.0/8}}"));
	FAILS(h, EEXIST, "overlaps the host's route to 10.99.0.0/16 by eth0",
	      add(h, "networks: {x: {subnet: 10.99.3.0/24}}"));
	FAILS(h, EEXIST, "overlaps",
	      add(h, "networks: {x: {subnet: 10.5.0.0/24}, y: {subnet: 10.5.0.0/16}}"));
	OK(h, add(h, "networks: {x: {subnet: 10.1.1.0/24}}"));
}

static void test_subnets_out_of_pools(void **state)
{
	struct host *h = *state;
	OK(h,
	   apply(h, "pools: [{prefix: 10.50.0.0/23, size: 24}, {prefix: \"fd50::/48\", size: 64}]\n"
		    "networks: {a: {}, b: {}}"));
	assert_row(h, "0a320000 24");
	assert_row(h, "0a320100 24");
	FAILS(h, ENOSPC, "network \"c\"", apply(h, "networks: {c: {}}"));
	OK(h, apply(h, "networks: {a: {mtu: 1400}, b: {}}"));
	assert_int_equal(h->plan.n_steps, 1);
	assert_row(h, "0a320000 24"); /* kept */
	OK(h, remove_network(h, "a"));
	OK(h, apply(h, "networks: {c: {}}"));
	assert_row(h, "0a320000 24");
	assert_converged(h);
}

static void test_a_network_in_use(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS "endpoints: {a: {networks: [web]}}"));
	char *before = dump(h);
	FAILS(h, EBUSY, "\"a\"", remove_network(h, "web"));
	FAILS(h, EBUSY, "cannot be taken away", apply(h, "networks: {web: {subnet: 10.6.0.0/24}}"));
	FAILS(h, EBUSY, "mode, bridge",
	      apply(h, "networks: {web: {subnet: 10.1.0.0/24, bridge: br9}}"));
	FAILS(h, EEXIST, "another form", add(h, "networks: {web: {subnet: 10.6.0.0/24}}"));
	FAILS(h, EEXIST, "another form", add(h, "endpoints: {a: {networks: [both]}}"));
	FAILS(h, ENOENT, "no network named \"no\"", remove_network(h, "no"));
	FAILS(h, ENOENT, "no endpoint named \"no\"", remove_endpoint(h, "no"));
	char *after = dump(h);
	SAME(before, after, "refused\n");
	OK(h, add(h, "networks: {web: {subnet: 10.1.0.0/24}}")); /* the same form */
	assert_int_equal(h->plan.n_steps, 0);
	free(before);
	free(after);
}

/* Another name with the same subnet, and the endpoint moves over. */
static void test_a_network_gets_another_name(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS
		    "endpoints: {a: {networks: {web: {ip: 10.1.0.10}}, publish: [\"80:80\"]}}"));
	OK(h, prune(h, "networks: {www: {subnet: 10.1.0.0/24}}\n"
		       "endpoints: {a: {networks: {www: {ip: 10.1.0.10}}, publish: [\"80:80\"]}}"));
	assert_string_equal(addr_of(h, "a", "www", WEIR_IPV4), "10.1.0.10");
	char *text = dump(h);
	assert_null(strstr(text, "wb-web"));
	free(text);
	assert_converged(h);
}

static void test_networks_swap_subnets_once_empty(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, "networks: {a: {subnet: 10.1.0.0/24}}"));
	OK(h, prune(h, "networks: {b: {subnet: 10.1.0.0/24}}"));
	assert_converged(h);
}

static void test_long_names(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, "networks:\n"
		       "  a-network-with-a-long-name-1: {subnet: 10.1.0.0/24}\n"
		       "  a-network-with-a-long-name-2: {subnet: 10.2.0.0/24}\n"
		       "endpoints:\n"
		       "  x: {networks: [a-network-with-a-long-name-1, "
		       "a-network-with-a-long-name-2]}\n"));
	assert_converged(h);
	FAILS(h, EEXIST, "wb-x",
	      apply(h, "networks: {y: {subnet: 10.4.0.0/24, bridge: wb-x}, "
		       "z: {subnet: 10.5.0.0/24, bridge: wb-x}}"));
	/* the name that x would get is taken */
	OK(h, apply(h, "networks: {y: {subnet: 10.4.0.0/24, bridge: wb-x}}"));
	OK(h, apply(h, "networks: {x: {subnet: 10.5.0.0/24}}"));
	assert_row(h, "ifname wb-x-");
}

/* ---- host ports ---- */

static const struct weir_mapping *mapping_to(const struct host *h, const char *name, uint16_t port)
{
	const struct weir_endpoint *ep = endpoint(h, name);
	for (size_t i = 0; i < ep->n_mappings; i++)
		if (ep->mappings[i].ports.lo == port)
			return &ep->mappings[i];
	fail_msg("%s has nothing to port %u", name, port);
	return NULL;
}

static void test_free_ports(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS
		    "endpoints:\n"
		    "  a: {networks: [web], publish: [\"80\", \"81\", \"80/udp\"]}\n"
		    "  b: {networks: [web], publish: [\"127.0.0.1::80\", \"8000-8002:80\"]}\n"));
	uint16_t first = mapping_to(h, "a", 80)->host_ports.lo;
	assert_in_range(first, 32768, 60999);
	assert_int_not_equal(first, mapping_to(h, "a", 81)->host_ports.lo);
	OK(h, apply(h, NETS
		    "endpoints:\n"
		    "  a: {networks: [web], publish: [\"80\", \"81\", \"80/udp\"]}\n"
		    "  b: {networks: [web], publish: [\"127.0.0.1::80\", \"8000-8002:80\"]}\n"));
	assert_int_equal(h->plan.n_steps, 0);
	assert_converged(h);
}

static void test_a_range_is_used_up(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS "endpoints: {a: {networks: [web]}}"));
	OK(h, add_port(h, "a", "8000-8002:80"));
	OK(h, add_port(h, "a", "8000-8002:81"));
	OK(h, add_port(h, "a", "8000-8002:82"));
	FAILS(h, ENOSPC, "no 1 free port in 8000-8002", add_port(h, "a", "8000-8002:83"));
	OK(h, add_port(h, "a", "8000-8002:83/udp"));
	assert_row(h, "host_port  1 8000 a\nhost_port  1 8001 a\nhost_port  1 8002 a\n");
}

static void test_two_swap_ports(void **state)
{
	struct host *h = *state;
	OK(h,
	   apply(h, NETS "endpoints:\n"
			 "  a: {networks: [web], publish: [\"8080:80\", \"1000-1009:1000-1009\"]}\n"
			 "  b: {networks: [web], publish: [\"8081:80\"]}\n"));
	OK(h,
	   apply(h, "endpoints:\n"
		    "  a: {networks: [web], publish: [\"8081:80\"]}\n"
		    "  b: {networks: [web], publish: [\"8080:80\", \"1000-1009:1000-1009\"]}\n"));
	assert_row(h, "host_port  1 8080 b\nhost_port  1 8081 a\n");
	assert_converged(h);
}

static void test_a_port_is_taken(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS "endpoints: {a: {networks: [web], publish: [\"8080-8089:80-89\"]}}"));
	char *before = dump(h);
	FAILS(h, EEXIST, "\"a\"",
	      add(h, "endpoints: {b: {networks: [web], publish: [\"8085:80\"]}}"));
	FAILS(h, EEXIST, "a", add_port(h, "a", "8085:86"));
	FAILS(h, EEXIST, "a", add_port(h, "a", "8085-8090:85-90"));
	FAILS(h, EEXIST, "as a part of 8080-8089:80-89", remove_port(h, "a", "8085:85"));
	FAILS(h, ENOENT, "no endpoint", add_port(h, "no", "80:80"));
	FAILS(h, ENOENT, "", remove_port(h, "a", "99:99"));
	char *after = dump(h);
	SAME(before, after, "refused\n");
	/* there already: nothing */
	OK(h, add_port(h, "a", "8080-8089:80-89"));
	assert_int_equal(h->plan.n_steps, 0);
	OK(h, add_port(h, "a", "8085:85"));
	assert_int_equal(h->plan.n_steps, 0);
	free(before);
	free(after);
}

static void bind_socket(const char *addr, enum weir_proto proto, uint16_t port, bool v6only)
{
	struct weir_host_socket sock = {
		.proto = proto, .port = port, .inode = 4711, .v6only = v6only
	};
	assert_int_equal(weir_addr_parse(addr, &sock.addr, NULL), 0);
	assert_int_equal(weir_memory_add_socket(&sock), 0);
}

static void test_a_process_has_the_port(void **state)
{
	struct host *h = *state;
	bind_socket("0.0.0.0", WEIR_TCP, 22, false);
	bind_socket("192.0.2.1", WEIR_UDP, 53, false);
	bind_socket("::", WEIR_TCP, 443, false);
	bind_socket("::", WEIR_TCP, 444, true);
	bind_socket("0.0.0.0", WEIR_TCP, 8000, false);
	OK(h, apply(h, NETS "endpoints: {a: {networks: [web]}}"));
	FAILS(h, EADDRINUSE,
	      "port 22/tcp is bound on the host by process of socket 4711, at 0.0.0.0",
	      add_port(h, "a", "22:22"));
	FAILS(h, EADDRINUSE, "22/tcp", add_port(h, "a", "192.0.2.1:20-30:20-30"));
	FAILS(h, EADDRINUSE, "53/udp", add_port(h, "a", "53:53/udp"));
	FAILS(h, EADDRINUSE, "53/udp", add_port(h, "a", "192.0.2.1:53:53/udp"));
	FAILS(h, EADDRINUSE, "443/tcp", add_port(h, "a", "192.0.2.1:443:443"));
	OK(h, add_port(h, "a", "192.0.2.2:53:53/udp")); /* another address */
	OK(h, add_port(h, "a", "22:22/udp"));		/* another protocol */
	OK(h, add_port(h, "a", "192.0.2.1:444:444"));	/* IPv6 only */
	OK(h, add_port(h, "a", "8000-8001:80"));	/* the free one of two */
	assert_row(h, "host_port  1 8001 a");
	FAILS(h, EADDRINUSE, "bound",
	      apply(h, "endpoints: {a: {networks: [web], publish: [\"22:22\"]}}"));
	/* What was published before the process came stays: it is the process that gets nothing. */
	bind_socket("0.0.0.0", WEIR_TCP, 8001, false);
	OK(h, apply(h, "endpoints: {a: {networks: [web], publish: [\"8000-8001:80\"]}}"));
	assert_row(h, "host_port  1 8001 a");
}

static unsigned listings; /* of sockets */

static int count_listings(struct weir_links *links, struct weir_arena *arena,
			  struct weir_host_socket **ret, size_t *ret_n, struct weir_err *err)
{
	listings++;
	return weir_memory_links.sockets(links, arena, ret, ret_n, err);
}

/* However many ports a change asks for, and of however many endpoints; and the last is refused as the first. */
static void test_sockets_are_listed_once(void **state)
{
	struct host *h = *state;
	struct weir_link_ops links = weir_memory_links;
	struct weir_mapping ports[3];
	struct weir_op ops[N_OF(ports)];
	const struct weir_change all = { .ops = ops, .n_ops = N_OF(ops) };
	OK(h, apply(h, NETS "endpoints: {a: {networks: [web]}, b: {networks: [web]}}"));
	links.sockets = count_listings;
	h->engine.links = &links;
	bind_socket("0.0.0.0", WEIR_TCP, 8082, false);
	for (size_t i = 0; i < N_OF(ops); i++) {
		static const char *const texts[] = { "8080:80", "8081:81", "8082:82" };
		assert_int_equal(weir_mapping_parse(texts[i], &ports[i], NULL), 0);
		ops[i] = (struct weir_op){ WEIR_ADD_MAPPING, .name = "a", .mapping = &ports[i] };
	}
	listings = 0;
	FAILS(h, EADDRINUSE, "8082/tcp", change(h, &all, false));
	assert_int_equal(listings, 1);
	ports[2].host_ports = (struct weir_ports){ 8083, 8083 };
	listings = 0;
	OK(h, change(h, &all, false));
	assert_int_equal(listings, 1);
	listings = 0;
	OK(h, apply(h, "endpoints: {a: {networks: [web], publish: [\"1:1\", \"2:2\"]},"
		       " b: {networks: [web], publish: [\"3:3\", \"4\"]}}"));
	assert_int_equal(listings, 1);
}

/* One address of the host beside all of them. */
static void test_specific_beside_any(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS "endpoints:\n"
			    "  a: {networks: [web], publish: [\"8080:80\"]}\n"
			    "  b: {networks: [web], publish: [\"192.0.2.1:8080:80\"]}\n"));
	assert_converged(h);
	OK(h, apply(h, "endpoints:\n"
		       "  a: {networks: [web], publish: [\"192.0.2.1:8080:80\"]}\n"
		       "  b: {networks: [web], publish: [\"8080:80\"]}\n"));
	assert_converged(h);
	OK(h, remove_port(h, "a", "192.0.2.1:8080:80"));
	assert_converged(h);
}

static void test_open_ports_are_removed_as_written(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS "endpoints: {a: {networks: [web], publish: [\"80\", \"81\"]}}"));
	OK(h, remove_port(h, "a", "80"));
	assert_int_equal(h->plan.n_steps, 1);
	FAILS(h, ENOENT, "", remove_port(h, "a", "80"));
	assert_converged(h);
}

/* ---- interface names ---- */

static void test_interfaces_are_named_as_written(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, NETS
		    "endpoints: {a: {networks: {web: {}, both: {}}}, b: {networks: {both: {ifname: "
		    "eth1}, web: {}}}}"));
	assert_string_equal(weir_endpoint_attachment(endpoint(h, "a"), "web")->ifname, "eth0");
	assert_string_equal(weir_endpoint_attachment(endpoint(h, "a"), "both")->ifname, "eth1");
	assert_string_equal(weir_endpoint_attachment(endpoint(h, "b"), "web")->ifname, "eth0");
	OK(h, apply(h, NETS "endpoints: {a: {networks: [both]}}"));
	assert_string_equal(weir_endpoint_attachment(endpoint(h, "a"), "both")->ifname, "eth1");
	OK(h, apply(h, NETS "endpoints: {a: {networks: [web, both]}}"));
	assert_string_equal(weir_endpoint_attachment(endpoint(h, "a"), "web")->ifname, "eth0");
	assert_converged(h);
}

static void test_a_wire_has_two_ends(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, "networks: {wire: {mode: p2p, subnet: 10.9.0.0/29}}\n"
		       "endpoints: {a: {networks: [wire]}, b: {networks: [wire]}}"));
	FAILS(h, ENOSPC, "\"wire\" has 2 endpoints", add(h, "endpoints: {c: {networks: [wire]}}"));
	OK(h, apply_how(h, "endpoints: {a: {networks: [wire]}, c: {networks: [wire]}}",
			(struct how){ .prune = true, .dry_run = true }) == -EBUSY
		      ? 0
		      : -1); /* the network would go with b */
	OK(h, prune(h, "networks: {wire: {mode: p2p, subnet: 10.9.0.0/29}}\n"
		       "endpoints: {a: {networks: [wire]}, c: {networks: [wire]}}"));
	assert_converged(h);
}

static void test_an_object_is_changed_once(void **state)
{
	struct host *h = *state;
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_mapping mapping = { 0 };
	OK(h, apply(h, NETS "endpoints: {a: {networks: [web]}}"));
	parse("endpoints: {a: {networks: [web], publish: [\"80:80\"]}, b: {networks: [web]}}",
	      &model);
	assert_int_equal(weir_mapping_parse("81:81", &mapping, NULL), 0);
	struct weir_op ops[] = {
		{ .kind = WEIR_ADD_MAPPING, .name = "a", .mapping = &mapping },
		{ .kind = WEIR_PUT_ENDPOINT, .name = "a", .endpoint = &model.endpoints[0] },
	};
	const struct weir_change twice = { .ops = ops, .n_ops = 2 };
	FAILS(h, EINVAL, "endpoint \"a\" twice", change(h, &twice, false));
	ops[1].name = "b";
	ops[1].endpoint = &model.endpoints[1];
	OK(h, change(h, &twice, false));
	assert_int_equal(h->plan.n_steps, 2);
	assert_converged(h);
	ops[0].kind = WEIR_REMOVE_MAPPING;
	OK(h, change(h, &twice, false));
	assert_int_equal(h->plan.n_steps, 1);
	assert_converged(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_what_was_chosen_is_kept),
		HOST_TEST(test_fixed_addresses_come_first),
		HOST_TEST(test_two_swap_addresses),
		HOST_TEST(test_an_address_is_taken),
		HOST_TEST(test_a_router_is_where_its_endpoint_is),
		HOST_TEST(test_subnets_that_overlap),
		HOST_TEST(test_subnets_out_of_pools),
		HOST_TEST(test_a_network_in_use),
		HOST_TEST(test_a_network_gets_another_name),
		HOST_TEST(test_networks_swap_subnets_once_empty),
		HOST_TEST(test_long_names),
		HOST_TEST(test_free_ports),
		HOST_TEST(test_a_range_is_used_up),
		HOST_TEST(test_two_swap_ports),
		HOST_TEST(test_a_port_is_taken),
		HOST_TEST(test_a_process_has_the_port),
		HOST_TEST(test_sockets_are_listed_once),
		HOST_TEST(test_specific_beside_any),
		HOST_TEST(test_open_ports_are_removed_as_written),
		HOST_TEST(test_interfaces_are_named_as_written),
		HOST_TEST(test_a_wire_has_two_ends),
		HOST_TEST(test_an_object_is_changed_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
