/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model: contradictions of endpoints. */
#include "vmtests/unit/model_fixture.h"

#include <errno.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contradictions_of_an_endpoint_are_refused),
	};
	return cmocka_run_group_tests_name("model_endpoint", tests, NULL, NULL);
}
