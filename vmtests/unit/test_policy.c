/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies as objects: selectors and services in words, whom they pick, order, copies, what binds. */
#include "vmtests/unit/cm.h"

#include <errno.h>

#include "core/selector.h"
#include "core/spec.h"

static void read_spec(struct weir_model *model, const char *text)
{
	struct weir_err err = { 0 };

	if (weir_spec_parse(text, strlen(text), "t.yaml", model, &err) < 0)
		fail_msg("%s: %s", text, err.text);
}

/* ---- words ---- */

static char *selectors_text(const struct weir_selector *sels, size_t n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	weir_selectors_print(sels, n, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void selectors_read_back(void **state)
{
	static const char *const same[] = {
		"endpoints",
		"outside",
		"host",
		"network:web",
		"network:web|db",
		"endpoint:api|a.b-c_d",
		"label:role=api",
		"label:role",
		"label:role=,tier",
		"label:role=api,env=prod|stage",
		"network:web+endpoint:a|b+label:role=x:y z",
		"cidr:10.0.0.0/8",
		"cidr:10.0.0.0/8,except=10.1.0.0/16,except=10.2.0.0/16|2001:db8::/32",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(same); i++) {
		WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
		struct weir_selector *sels = NULL;
		struct weir_err err = { 0 };
		size_t n = 0;
		if (weir_selector_parse(same[i], &arena, &sels, &n, &err) < 0)
			fail_msg("%s: %s", same[i], err.text);
		assert_int_equal(n, 1);
		char *text = selectors_text(sels, n);
		assert_string_equal(text, same[i]);
		free(text);
	}
	char *any = selectors_text(NULL, 0);
	assert_string_equal(any, "any");
	free(any);
}

static void wrong_selectors_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
		unsigned column;
	} wrong[] = {
		{ "api", "\"api\" is no selector (did you mean \"endpoint:api\"?)", 1 },
		{ "outsde", "did you mean \"outside\"?", 1 },
		{ "netwrk:web", "did you mean \"network:…\"?", 1 },
		{ "", "expected any, endpoints", 1 },
		{ "network:", "name of the network is empty", 9 },
		{ "network:web|", "name of the network is empty", 13 },
		{ "network:a+network:b", "did you mean network:a|b?", 19 },
		{ "endpoint:-x", "must begin with a letter", 10 },
		{ "label:", "expected a label's key", 7 },
		{ "label:=x", "expected a label's key", 7 },
		{ "cidr:10.0.0.0", "", 6 },
		{ "cidr:10.0.0.0/8,10.1.0.0/16", "expected except=PREFIX", 17 },
		{ "cidr:10.0.0.0/8,except=x", "", 24 },
		{ "label:a+cidr:10.0.0.0/8", "a selector of its own", 9 },
		{ "cidr:10.0.0.0/8+label:a", "a selector of its own", 1 },
		{ "host+network:web", "selector", 1 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(wrong); i++) {
		WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
		struct weir_selector *sels = NULL;
		struct weir_err err = { 0 };
		size_t n = 0;
		int r = weir_selector_parse(wrong[i].text, &arena, &sels, &n, &err);
		if (r != -EINVAL || !strstr(err.text, wrong[i].says) ||
		    err.at.column != wrong[i].column || err.at.line)
			fail_msg("%s: %d %s at %u", wrong[i].text, r, err.text, err.at.column);
	}
}

static void services_read_back(void **state)
{
	static const struct {
		const char *text, *canonical;
		enum weir_l4 l4;
		unsigned lo, hi;
	} services[] = {
		{ "5432/tcp", "5432/tcp", WEIR_L4_TCP, 5432, 5432 },
		{ "443", "443/tcp", WEIR_L4_TCP, 443, 443 },
		{ "8000-8010/udp", "8000-8010/udp", WEIR_L4_UDP, 8000, 8010 },
		{ "1-65535/sctp", "1-65535/sctp", WEIR_L4_SCTP, 1, 65535 },
		{ "tcp", "tcp", WEIR_L4_TCP, 0, 65535 },
		{ "icmp", "icmp", WEIR_L4_ICMP, 0, 255 },
		{ "icmp/8", "icmp/echo-request", WEIR_L4_ICMP, 8, 8 },
		{ "icmp/echo-request", "icmp/echo-request", WEIR_L4_ICMP, 8, 8 },
		{ "icmp/200", "icmp/200", WEIR_L4_ICMP, 200, 200 },
		{ "icmpv6/128", "icmpv6/echo-request", WEIR_L4_ICMPV6, 128, 128 },
		{ "icmpv6/128-129", "icmpv6/128-129", WEIR_L4_ICMPV6, 128, 129 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(services); i++) {
		struct weir_service service;
		struct weir_err err = { 0 };
		char text[WEIR_SERVICE_TEXT];
		if (weir_service_parse(services[i].text, &service, &err) < 0)
			fail_msg("%s: %s", services[i].text, err.text);
		assert_int_equal(service.l4, services[i].l4);
		assert_int_equal(service.ports.lo, services[i].lo);
		assert_int_equal(service.ports.hi, services[i].hi);
		assert_string_equal(weir_service_text(&service, text), services[i].canonical);
	}
}

static void wrong_services_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
		unsigned column;
	} wrong[] = {
		{ "0/tcp", "", 1 },
		{ "70000/tcp", "", 1 },
		{ "20-10/tcp", "upside down", 1 },
		{ "80/tpc", "did you mean \"tcp\"?", 4 },
		{ "80/", "unknown protocol", 4 },
		{ "80/icmp", "icmp has no ports: did you mean icmp/80", 1 },
		{ "tcp/80", "did you mean 80/tcp?", 5 },
		{ "icmp/echo-reqest", "did you mean \"echo-request\"?", 6 },
		{ "icmp/256", "unknown icmp type", 6 },
		{ "icmp/9-8", "did you mean 8-9?", 6 },
		{ "icmpv6/", "unknown icmpv6 type", 8 },
		{ "", "unknown protocol", 1 },
		{ "any", "unknown protocol", 1 },
		{ "80/tcp/udp", "unknown protocol", 4 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(wrong); i++) {
		struct weir_service service;
		struct weir_err err = { 0 };
		int r = weir_service_parse(wrong[i].text, &service, &err);
		if (r != -EINVAL || !strstr(err.text, wrong[i].says) ||
		    err.at.column != wrong[i].column)
			fail_msg("%s: %d %s at %u", wrong[i].text, r, err.text, err.at.column);
	}
}

/* ---- whom they pick ---- */

static const char two_networks[] = "networks: {web: {}, db: {}}\n"
				   "endpoints:\n"
				   "  api: {networks: {web: {ip: 10.88.1.2}, db: {ip: [10.88.2.2, "
				   "'fd00::2']}}, labels: {role: "
				   "api, env: prod}}\n"
				   "  pg: {networks: {db: {ip: 10.88.2.3}}, labels: {role: db}}\n"
				   "  ui: {networks: {web: {ip: 10.88.1.4}}}\n";

/* "api@web api@db": who is picked, with IPv4 */
static void assert_picks(const char *selector, const char *want)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_selector *sels = NULL;
	size_t n = 0;
	char got[256] = "";

	read_spec(&model, two_networks);
	assert_int_equal(weir_selector_parse(selector, &model.arena, &sels, &n, NULL), 0);
	for (size_t i = 0; i < model.n_endpoints; i++)
		for (size_t k = 0; k < model.endpoints[i].n_attachments; k++) {
			const struct weir_endpoint *ep = &model.endpoints[i];
			const struct weir_attachment *att = &ep->attachments[k];
			size_t used = strlen(got);
			if (weir_selectors_pick(sels, n, ep, att, WEIR_IPV4))
				(void)snprintf(got + used, sizeof(got) - used, "%s%s@%s",
					       used ? " " : "", ep->name, att->network);
		}
	assert_string_equal(got, want);
}

static void selectors_pick_attachments(void **state)
{
	(void)state;
	assert_picks("endpoints", "api@web api@db pg@db ui@web");
	assert_picks("any", "api@web api@db pg@db ui@web");
	assert_picks("outside", "");
	assert_picks("host", "");
	assert_picks("network:db", "api@db pg@db");
	assert_picks("endpoint:api", "api@web api@db");
	assert_picks("endpoint:api+network:db", "api@db");
	assert_picks("label:role", "api@web api@db pg@db");
	assert_picks("label:role=db|x", "pg@db");
	assert_picks("label:role=api,env=stage", "");
	assert_picks("label:nobody", "");
	assert_picks("cidr:10.88.2.0/24,except=10.88.2.3/32", "api@db");
	assert_picks("cidr:10.88.2.0/24,except=10.88.2.3/32|10.88.2.3/32", "api@db pg@db");
	assert_picks("cidr:fd00::/64", "");
}

static bool binds(const char *policies, const char *network)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };

	read_spec(&model, two_networks);
	read_spec(&model, policies);
	assert_int_equal(weir_policies_bind(&model, NULL), 0);
	return weir_model_network(&model, network)->filtered;
}

static void policies_bind_where_two_endpoints_meet(void **state)
{
	(void)state;
	assert_false(binds("", "db"));
	assert_true(binds("policies: [{name: p, action: deny}]", "db"));
	assert_true(binds("policies: [{name: p, from: 'endpoint:api', to: 'endpoint:pg', action: "
			  "deny}]",
			  "db"));
	assert_false(binds("policies: [{name: p, from: 'endpoint:api', to: 'endpoint:pg', action: "
			   "deny}]",
			   "web"));
	assert_false(binds("policies: [{name: p, from: 'endpoint:pg', to: 'endpoint:pg', action: "
			   "deny}]",
			   "db"));
	assert_false(binds("policies: [{name: p, from: outside, action: deny}]", "db"));
	/* of one family at one end, of the other at the other */
	assert_false(binds("policies: [{name: p, from: 'cidr:fd00::/64', to: 'endpoint:pg', "
			   "action: deny}]",
			   "db"));
}

static void defaults_bind_their_network(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };

	(void)state;
	read_spec(&model, "networks: {a: {default: {ingress: deny}}, b: {default: {egress: deny}},"
			  " c: {default: {ingress: allow, egress: allow}}, d: {isolate: true, "
			  "default: {ingress: deny}}}");
	model.networks[2].filtered = true; /* of before */
	assert_int_equal(weir_policies_bind(&model, NULL), 0);
	assert_true(model.networks[0].filtered);
	assert_true(model.networks[1].filtered);
	assert_false(model.networks[2].filtered);
	assert_false(model.networks[3].filtered); /* isolation says it all */
}

/* ---- objects ---- */

static void order_means_nothing_in_lists(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model a = { 0 }, b = { 0 };

	(void)state;
	read_spec(&a,
		  "policies: [{name: p, action: deny, ports: [80, icmp, 22], from: {networks: "
		  "[a, b], labels: {x: [1, 2], y: z}}, to: {cidr: [10.0.0.0/8, 10.1.0.0/16]}}]");
	read_spec(&b,
		  "policies: [{name: p, action: deny, ports: [22, 80, icmp], from: {networks: "
		  "[b, a], labels: {y: z, x: [2, 1]}}, to: {cidr: [10.1.0.0/16, 10.0.0.0/8]}}]");
	assert_true(weir_policy_equal(&a.policies[0], &b.policies[0]));
}

static void everything_counts(void **state)
{
	static const char *const others[] = {
		"name: p, action: reject, ports: [80], from: 'label:a=b', to: 'cidr:10.0.0.0/8'",
		"name: q, action: deny, ports: [80], from: 'label:a=b', to: 'cidr:10.0.0.0/8'",
		"name: p, action: deny, ports: [81], from: 'label:a=b', to: 'cidr:10.0.0.0/8'",
		"name: p, action: deny, from: 'label:a=b', to: 'cidr:10.0.0.0/8'",
		"name: p, action: deny, ports: [80], from: 'label:a=c', to: 'cidr:10.0.0.0/8'",
		"name: p, action: deny, ports: [80], from: 'label:a', to: 'cidr:10.0.0.0/8'",
		"name: p, action: deny, ports: [80], from: 'endpoint:a', to: 'cidr:10.0.0.0/8'",
		"name: p, action: deny, ports: [80], from: any, to: 'cidr:10.0.0.0/8'",
		"name: p, action: deny, ports: [80], from: 'label:a=b', to: 'cidr:10.0.0.0/9'",
		"name: p, action: deny, ports: [80], from: 'label:a=b', to: "
		"'cidr:10.0.0.0/8,except=10.1.0.0/16'",
		"name: p, action: deny, ports: [80], from: 'label:a=b', to: 'cidr:10.0.0.0/8', "
		"log: "
		"true",
		"name: p, action: deny, ports: [80], from: 'label:a=b', to: 'cidr:10.0.0.0/8', "
		"priority: 1",
		"name: p, action: deny, ports: [80], from: 'label:a=b', to: 'cidr:10.0.0.0/8', "
		"direction: egress",
	};
	WEIR_CLEAN_MODEL struct weir_model model = { 0 }, copies = { 0 };
	struct weir_policy copy;

	(void)state;
	read_spec(&model, "policies: [{name: p, action: deny, ports: [80], from: 'label:a=b', to: "
			  "'cidr:10.0.0.0/8'}]");
	assert_int_equal(weir_policy_copy(&copies, &copy, &model.policies[0]), 0);
	assert_true(weir_policy_equal(&copy, &model.policies[0]));
	for (size_t i = 0; i < N_OF(others); i++) {
		WEIR_CLEAN_MODEL struct weir_model other = { 0 };
		char text[512];
		(void)snprintf(text, sizeof(text), "policies: [{%s}]", others[i]);
		read_spec(&other, text);
		if (weir_policy_equal(&copy, &other.policies[0]))
			fail_msg("%s is the same", others[i]);
	}
}

static void policies_stand_in_their_order(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	static const char *const order[] = { "z", "c", "d", "a", "b" };

	(void)state;
	read_spec(&model, "policies: [{name: a, action: allow}, {name: b, action: deny, priority: "
			  "-1}, {name: c, action: reject}, {name: d, action: deny}, {name: z, "
			  "action: allow, priority: 5}]");
	for (size_t i = 0; i < N_OF(order); i++)
		assert_string_equal(model.policies[i].name, order[i]);
	assert_non_null(weir_model_policy(&model, "a"));
	assert_null(weir_model_policy(&model, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selectors_read_back),
		cmocka_unit_test(wrong_selectors_are_refused),
		cmocka_unit_test(services_read_back),
		cmocka_unit_test(wrong_services_are_refused),
		cmocka_unit_test(selectors_pick_attachments),
		cmocka_unit_test(policies_bind_where_two_endpoints_meet),
		cmocka_unit_test(defaults_bind_their_network),
		cmocka_unit_test(order_means_nothing_in_lists),
		cmocka_unit_test(everything_counts),
		cmocka_unit_test(policies_stand_in_their_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
