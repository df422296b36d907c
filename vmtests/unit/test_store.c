/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store's objects: that they come back as they went in, that what must be unique is, with the
 * owner's name, and that a transaction is all or nothing. */
#include "core/spec.h"
#include "store_fixture.h"

static void load(struct fixture *f, const struct weir_scope *scope, struct weir_model *model)
{
	OK(f, weir_store_load(f->store, scope, model, &f->err));
}

static const struct weir_scope everything = { .all = true };

static struct weir_network full_network(struct fixture *f)
{
	struct weir_network net = network(f, "web", "10.88.1.0/24", "fd00:88:1::/64", NULL);
	static struct weir_range excluded[2];
	static const char *trusted[] = { "lan0", "lan1" };
	excluded[0] = (struct weir_range){ addr("10.88.1.100"), addr("10.88.1.199") };
	excluded[1] = (struct weir_range){ addr("fd00:88:1::10"), addr("fd00:88:1::1f") };
	net.excluded = excluded;
	net.n_excluded = 2;
	net.trusted = trusted;
	net.n_trusted = 2;
	net.gateway_endpoint = "router";
	net.gateways[WEIR_IPV4] = addr("10.88.1.1");
	net.nat = WEIR_NAT_ADDRESS;
	net.nat_addr[WEIR_IPV4] = addr("192.0.2.7");
	net.nat_addr[WEIR_IPV6] = addr("2001:db8::7");
	net.mtu = 1400;
	net.mac = (struct weir_mac){ { 2, 0, 0, 0, 0, 1 } };
	net.internal = net.isolate = net.host_deny = net.filter_bridged = net.declared = true;
	net.filtered = net.strict = true;
	net.ingress = WEIR_DEFAULT_DENY;
	net.egress = WEIR_DEFAULT_ALLOW;
	net.no_spoof_guard = true;
	return net;
}

static struct weir_endpoint full_endpoint(struct fixture *f)
{
	static struct weir_label labels[] = { { "role", "front" }, { "tier", "" } };
	static struct weir_route routes[1];
	static struct weir_addr dns[2];
	struct weir_endpoint ep = endpoint(f, "nginx", "web", "10.88.1.5", "fd00:88:1::5");
	struct weir_attachment *att = &ep.attachments[0];
	att->mac = (struct weir_mac){ { 2, 0, 0, 0, 0, 0x10 } };
	att->priority = -3;
	att->mtu = 1300;
	ep.netns = WEIR_NETNS_PATH;
	ep.netns_path = "/run/netns/nginx";
	ep.netns_id = (struct weir_netns_id){ 4, UINT64_MAX - 5,
					      "01234567-89ab-4cde-8123-456789abcdef",
					      UINT64_MAX - 6 };
	ep.labels = labels;
	ep.n_labels = 2;
	routes[0] = (struct weir_route){ .to = prefix("10.9.0.0/16"), .via = addr("10.88.1.9") };
	ep.routes = routes;
	ep.n_routes = 1;
	dns[0] = addr("9.9.9.9");
	dns[1] = addr("1.1.1.1");
	ep.dns = dns;
	ep.n_dns = 2;
	ep.forward = ep.declared = true;
	ep.rate = (struct weir_rate){ UINT64_C(5000000000), 8000 };
	publish(f, &ep, "8080:80");
	publish(f, &ep, "127.0.0.1:8080:81");
	publish(f, &ep, "[2001:db8::1]:8443:443/tcp");
	publish(f, &ep, "9000-9010:7000-7010/udp");
	ep.mappings[0].network = "web";
	ep.mappings[1].strict = true;
	return ep;
}

static void objects_come_back(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = full_network(f);
	struct weir_endpoint ep = full_endpoint(f);
	put_network(f, &net);
	put_endpoint(f, &ep);
	reopen_store(f);
	WEIR_CLEAN_MODEL struct weir_model stored = { 0 };
	WEIR_CLEAN_MODEL struct weir_model sorted = { 0 };
	load(f, &everything, &stored);
	assert_int_equal(weir_endpoint_copy(&sorted, weir_model_add_endpoint(&sorted), &ep), 0);
	weir_model_sort(&sorted);
	assert_int_equal(stored.n_networks, 1);
	assert_int_equal(stored.n_endpoints, 1);
	assert_true(weir_network_equal(&stored.networks[0], &net));
	assert_true(stored.networks[0].declared);
	assert_true(weir_endpoint_equal(&stored.endpoints[0], &sorted.endpoints[0]));
	assert_true(stored.endpoints[0].declared);
	assert_string_equal(stored.endpoints[0].attachments[0].host_ifname, "we-nginx");
	assert_true(stored.endpoints[0].netns_id.ino == UINT64_MAX - 5);
	assert_int_equal(stored.endpoints[0].netns_id.dev, 4);
	assert_true(stored.endpoints[0].netns_id.cookie == UINT64_MAX - 6);
	assert_string_equal(stored.endpoints[0].netns_id.boot, ep.netns_id.boot);
	OK(f, weir_store_verify(f->store, &f->err));
}

static void replacing_writes_the_difference(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = full_network(f), other = network(f, "db", "10.88.2.0/24", NULL);
	struct weir_endpoint ep = full_endpoint(f);
	put_network(f, &net);
	put_network(f, &other);
	put_endpoint(f, &ep);
	net.n_excluded = net.n_trusted = 0;
	net.n_subnets = 1;
	net.isolate = false;
	(void)snprintf(net.ifname, sizeof(net.ifname), "br7");
	put_network(f, &net);
	ep = endpoint(f, "nginx", "db", "10.88.2.5", NULL);
	publish(f, &ep, "8080:80");
	publish(f, &ep, "9005-9020:7005-7020/udp");
	put_endpoint(f, &ep);
	WEIR_CLEAN_MODEL struct weir_model stored = { 0 };
	load(f, &everything, &stored);
	assert_int_equal(stored.n_networks, 2);
	assert_true(weir_network_equal(&stored.networks[1], &net));
	assert_true(weir_endpoint_equal(&stored.endpoints[0], &ep));
	bool taken = true;
	OK(f, weir_store_ifname_taken(f->store, "wb-web", &taken, &f->err));
	assert_false(taken);
	OK(f, weir_store_ifname_taken(f->store, "br7", &taken, &f->err));
	assert_true(taken);
	OK(f, weir_store_verify(f->store, &f->err)); /* the ports are those of the mappings */
}

static void removing_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = full_network(f);
	struct weir_endpoint ep = full_endpoint(f);
	const char *owner = "";
	bool taken = true;
	put_network(f, &net);
	put_endpoint(f, &ep);
	begin(f);
	FAILS(f, EBUSY, "network \"web\" is in use by endpoint \"nginx\"",
	      weir_store_remove_network(f->store, "web", &f->err));
	weir_store_rollback(f->store);
	begin(f);
	OK(f, weir_store_remove_endpoint(f->store, "nginx", &f->err));
	OK(f, weir_store_remove_network(f->store, "web", &f->err));
	commit(f);
	WEIR_CLEAN_MODEL struct weir_model stored = { 0 };
	load(f, &everything, &stored);
	assert_int_equal(stored.n_networks + stored.n_endpoints, 0);
	OK(f, weir_store_port_owner(f->store, &ep.mappings[0].host, WEIR_TCP, 8080, &f->arena,
				    &owner, &f->err));
	assert_null(owner);
	OK(f, weir_store_ifname_taken(f->store, "we-nginx", &taken, &f->err));
	assert_false(taken);
	OK(f, weir_store_verify(f->store, &f->err));
	begin(f);
	FAILS(f, ENOENT, "no endpoint named \"nginx\"",
	      weir_store_remove_endpoint(f->store, "nginx", &f->err));
	FAILS(f, ENOENT, "no network named \"web\"",
	      weir_store_remove_network(f->store, "web", &f->err));
}

/* Puts what must be refused; the transaction is spoilt, and nothing of it stays. */
static void refused(struct fixture *f, const struct weir_endpoint *ep, int code, unsigned line,
		    const char *text)
{
	begin(f);
	FAILS(f, code, text, weir_store_put_endpoint(f->store, ep, &f->err));
	assert_int_equal(f->err.at.line, line);
	FAILS(f, ECANCELED, "nothing was written", weir_store_commit(f->store, &f->err));
	WEIR_CLEAN_MODEL struct weir_model stored = { 0 };
	load(f, &(struct weir_scope){ .endpoints = (const char *[]){ ep->name }, .n_endpoints = 1 },
	     &stored);
	assert_int_equal(stored.n_endpoints, 0);
}

static void conflicts_name_the_owner(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/24", "fd00:88:1::/64", NULL);
	struct weir_endpoint api = endpoint(f, "api", "web", "10.88.1.5", "fd00:88:1::5");
	struct weir_endpoint other = endpoint(f, "other", "web", "10.88.1.5", NULL);
	struct weir_attachment *att = &other.attachments[0];
	api.attachments[0].mac = (struct weir_mac){ { 2, 0, 0, 0, 0, 5 } };
	publish(f, &api, "8080:80");
	publish(f, &api, "[2001:db8::1]:90-99:90-99/udp");
	put_network(f, &net);
	put_endpoint(f, &api);
	refused(f, &other, EEXIST, 9, "address 10.88.1.5 is taken by endpoint \"api\"");
	att->addrs[WEIR_IPV4] = addr("10.88.1.6");
	att->addrs[WEIR_IPV6] = addr("fd00:88:1::5");
	refused(f, &other, EEXIST, 9, "address fd00:88:1::5 is taken by endpoint \"api\"");
	att->addrs[WEIR_IPV6] = (struct weir_addr){ 0 };
	att->mac = api.attachments[0].mac;
	refused(f, &other, EEXIST, 9,
		"MAC address 02:00:00:00:00:05 is taken by endpoint \"api\" in network \"web\"");
	att->mac = (struct weir_mac){ 0 };
	(void)snprintf(att->host_ifname, sizeof(att->host_ifname), "we-api");
	refused(f, &other, EEXIST, 9, "interface name we-api is taken by endpoint \"api\"");
	(void)snprintf(att->host_ifname, sizeof(att->host_ifname), "wb-web");
	refused(f, &other, EEXIST, 9, "interface name wb-web is taken by network \"web\"");
	(void)snprintf(att->host_ifname, sizeof(att->host_ifname), "we-other");
	att->network = "nowhere";
	refused(f, &other, ENOENT, 9, "no network named \"nowhere\"");
	att->network = "web";
	publish(f, &other, "8080:80");
	refused(f, &other, EEXIST, 14, "port 8080/tcp is taken by endpoint \"api\" (weir port ls)");
	other.mappings[0] = mapping("[2001:db8::1]:95:1/udp");
	refused(f, &other, EEXIST, 14, "port [2001:db8::1]:95/udp is taken by endpoint \"api\"");
	other.mappings[0] = mapping("7000-7010:1-11");
	publish(f, &other, "7010:80");
	refused(f, &other, EEXIST, 14, "port 7010/tcp is published twice by endpoint \"other\"");
	other.mappings[1] = mapping("80");
	refused(f, &other, EINVAL, 14, "no host port was chosen");
	other.n_mappings = 0;
	publish(f, &other, "127.0.0.1:8080:80"); /* one address beside any */
	publish(f, &other, "8080:80/udp");
	put_endpoint(f, &other);
	publish(f, &other, "8080:80/udp"); /* one that it has, and once more */
	begin(f);
	FAILS(f, EEXIST, "port 8080/udp is published twice by endpoint \"other\"",
	      weir_store_put_endpoint(f->store, &other, &f->err));
}

/* Many mappings go in by one statement: they come back the same, and it is said which one was refused. */
static void many_mappings_at_once(void **state)
{
	enum { SINGLE = 200 };
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	struct weir_endpoint api = endpoint(f, "api", "web", "10.88.1.5", NULL);
	struct weir_endpoint other = endpoint(f, "other", "web", "10.88.1.6", NULL);
	char text[WEIR_MAPPING_TEXT];
	for (unsigned port = 0; port < SINGLE; port++) {
		(void)snprintf(text, sizeof(text), "%u:80", 8000 + port);
		publish(f, &api, text);
		(void)snprintf(text, sizeof(text), "127.0.0.1:%u:80/udp", 8000 + port);
		publish(f, &other, text);
	}
	publish(f, &api, "[2001:db8::1]:90-99:1090-1099/udp");
	publish(f, &other, "65535:80");
	put_network(f, &net);
	put_endpoint(f, &api);
	publish(f, &other, "8150:80");
	refused(f, &other, EEXIST, 14, "port 8150/tcp is taken by endpoint \"api\" (weir port ls)");
	other.mappings[other.n_mappings - 1] = mapping("127.0.0.1:8007-8009:1-3/udp");
	refused(f, &other, EEXIST, 14,
		"port 127.0.0.1:8007/udp is published twice by endpoint \"other\"");
	other.n_mappings--;
	put_endpoint(f, &other);
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	load(f, &everything, &model);
	assert_int_equal(model.n_endpoints, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(model.endpoints[i].n_mappings, SINGLE + 1);
	const struct weir_mapping *m = &model.endpoints[0].mappings[SINGLE];
	assert_string_equal(weir_mapping_text(m, text), "[2001:db8::1]:90-99:1090-1099/udp");
	m = &model.endpoints[1].mappings[0];
	assert_string_equal(weir_mapping_text(m, text), "65535:80");
	OK(f, weir_store_verify(f->store, &f->err));
}

static void networks_do_not_overlap(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *prefix, *in_the_way;
	} cases[] = {
		{ "10.88.0.0/16", "10.88.1.0/24" },
		{ "10.88.1.128/25", "10.88.1.0/24" },
		{ "10.88.1.0/24", "10.88.1.0/24" },
		{ "10.0.0.0/8", "10.88.1.0/24" },
		{ "10.88.0.0/24", NULL },
		{ "10.88.2.0/24", NULL },
		{ "fd00:88::/32", "fd00:88:1::/64" },
		{ "fd00:88:1:0:1::/80", "fd00:88:1::/64" },
		{ "fd00:88:0:ffff::/64", NULL },
		{ "fd00:88:1:1::/64", NULL },
		{ "0.0.0.0/1", "10.88.1.0/24" },
	};
	struct weir_network net = network(f, "web", "10.88.1.0/24", "fd00:88:1::/64", NULL);
	put_network(f, &net);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_prefix asked = prefix(cases[i].prefix), found;
		char text[WEIR_PREFIX_TEXT];
		const char *name = "";
		OK(f,
		   weir_store_overlap(f->store, &asked, NULL, &f->arena, &name, &found, &f->err));
		if (cases[i].in_the_way) {
			assert_string_equal(name, "web");
			assert_string_equal(weir_prefix_text(&found, text), cases[i].in_the_way);
		} else {
			assert_null(name);
		}
		OK(f,
		   weir_store_overlap(f->store, &asked, "web", &f->arena, &name, &found, &f->err));
		assert_null(name);
	}
	struct weir_network wide = network(f, "wide", "10.0.0.0/8", NULL);
	begin(f);
	FAILS(f, EEXIST, "subnet 10.0.0.0/8 overlaps 10.88.1.0/24 of network \"web\"",
	      weir_store_put_network(f->store, &wide, &f->err));
	assert_int_equal(f->err.at.line, 2);
}

static void gateway_of_a_network_is_nobodys(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	struct weir_endpoint ep = endpoint(f, "api", "web", "10.88.1.254", NULL);
	put_network(f, &net);
	put_endpoint(f, &ep);
	net.subnets[0].gateway = addr("10.88.1.254");
	begin(f);
	FAILS(f, EEXIST,
	      "gateway 10.88.1.254 of network \"web\" is the address of endpoint \"api\"",
	      weir_store_put_network(f->store, &net, &f->err));
	weir_store_rollback(f->store);
	net.gateway_endpoint = "api";
	put_network(f, &net);
}

static void scopes_load_what_they_name(void **state)
{
	struct fixture *f = *state;
	struct weir_network web = network(f, "web", "10.88.1.0/24", NULL);
	struct weir_network db = network(f, "db", "10.88.2.0/24", NULL);
	struct weir_endpoint api = endpoint(f, "api", "web", "10.88.1.5", NULL);
	struct weir_endpoint pg = endpoint(f, "pg", "db", "10.88.2.5", NULL);
	publish(f, &pg, "5432:5432");
	put_network(f, &web);
	put_network(f, &db);
	put_endpoint(f, &api);
	put_endpoint(f, &pg);
	const char *endpoints[] = { "pg", "pg", "nobody" }, *networks[] = { "db", "nowhere" };
	struct weir_scope scope = { .networks = networks,
				    .n_networks = 2,
				    .endpoints = endpoints,
				    .n_endpoints = 3,
				    .no_mappings = true };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	load(f, &scope, &model);
	assert_int_equal(model.n_networks, 1);
	assert_int_equal(model.n_endpoints, 1);
	assert_int_equal(model.endpoints[0].n_mappings, 0);
	assert_non_null(weir_model_network(&model, "db"));
	load(f, &everything, &model); /* what is there stays as it is */
	assert_int_equal(model.n_networks, 2);
	assert_int_equal(model.n_endpoints, 2);
	assert_int_equal(weir_model_endpoint(&model, "pg")->n_mappings, 0);
	assert_string_equal(model.endpoints[0].name, "api");
	WEIR_CLEAN_MODEL struct weir_model members = { 0 }, bare = { 0 };
	scope = (struct weir_scope){ .networks = networks, .n_networks = 1, .members = true };
	load(f, &scope, &members);
	assert_int_equal(members.n_endpoints, 1);
	assert_string_equal(members.endpoints[0].name, "pg");
	assert_int_equal(members.n_networks, 1);
	load(f, &(struct weir_scope){ .all = true, .only_networks = true }, &bare);
	assert_true(bare.n_networks == 2 && bare.n_endpoints == 0);
	size_t n = 0;
	OK(f, weir_store_count_attached(f->store, "db", &n, &f->err));
	assert_int_equal(n, 1);
}

static void mappings_one_by_one(void **state)
{
	struct fixture *f = *state;
	struct weir_endpoint ep = { .name = "api" };
	struct weir_mapping added[] = { mapping("8080:80"), mapping("127.0.0.1:8080:80"),
					mapping("9000-9009:70-79/udp"), mapping("30001:80") };
	put_endpoint(f, &ep);
	begin(f);
	for (size_t i = 0; i < 4; i++)
		OK(f, weir_store_add_mapping(f->store, "api", &added[i], &f->err));
	commit(f);
	struct weir_mapping found, wanted = mapping("80"); /* of any host port: the lowest */
	begin(f);
	OK(f, weir_store_remove_mapping(f->store, "api", &wanted, &f->arena, &found, &f->err));
	assert_int_equal(weir_mapping_cmp(&found, &added[0]), 0);
	wanted = mapping("30000-30010:80");
	OK(f, weir_store_remove_mapping(f->store, "api", &wanted, &f->arena, &found, &f->err));
	assert_int_equal(weir_mapping_cmp(&found, &added[3]), 0);
	wanted = mapping("9000-9009:70-79/udp");
	OK(f, weir_store_remove_mapping(f->store, "api", &wanted, NULL, NULL, &f->err));
	commit(f);
	OK(f, weir_store_verify(f->store, &f->err));
	const char *owner = "";
	OK(f, weir_store_port_owner(f->store, &found.host, WEIR_UDP, 9005, &f->arena, &owner,
				    &f->err));
	assert_null(owner);
	OK(f, weir_store_port_owner(f->store, &added[1].host, WEIR_TCP, 8080, &f->arena, &owner,
				    &f->err));
	assert_string_equal(owner, "api");
	begin(f);
	FAILS(f, ENOENT, "endpoint \"api\" does not publish 8081:80",
	      weir_store_remove_mapping(f->store, "api",
					&(struct weir_mapping){ .proto = WEIR_TCP,
								.host_ports = { 8081, 8081 },
								.ports = { 80, 80 } },
					NULL, NULL, &f->err));
	FAILS(f, ENOENT, "no endpoint named \"nobody\"",
	      weir_store_add_mapping(f->store, "nobody", &added[0], &f->err));
}

/* ---- policies ---- */

static const char policies[] =
	"policies:\n"
	"- {name: full, action: reject, direction: egress, log: kernel, priority: -7, ports: "
	"[53/udp, 8000-8010/tcp, icmp/echo-request, sctp], from: [{networks: [web, db], endpoint: "
	"nginx, labels: {role: [api, front], tier: }}, outside], to: [{cidr: [{block: 10.0.0.0/8, "
	"except: [10.1.0.0/16, 10.2.0.0/16]}, '2001:db8::/32']}, host]}\n"
	"- {name: bare, action: allow}\n";

static void put_policies(struct fixture *f, const struct weir_model *model)
{
	OK(f, weir_store_begin(f->store, true, &f->err));
	for (size_t i = 0; i < model->n_policies; i++)
		OK(f, weir_store_put_policy(f->store, &model->policies[i], &f->err));
	OK(f, weir_store_commit(f->store, &f->err));
}

static void policies_come_back(void **state)
{
	struct fixture *f = *state;
	const struct weir_scope only = { .policies = true };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 }, stored = { 0 }, without = { 0 };
	bool any = true;
	OK(f, weir_spec_parse(policies, strlen(policies), "p.yaml", &model, &f->err));
	OK(f, weir_store_has_policies(f->store, &any, &f->err));
	assert_false(any);
	put_policies(f, &model);
	put_policies(f, &model); /* replaced */
	reopen_store(f);
	load(f, &only, &stored);
	load(f, &everything, &without);
	assert_int_equal(without.n_policies, 0);
	assert_int_equal(stored.n_policies, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct weir_policy *policy = &stored.policies[i];
		assert_true(weir_policy_equal(policy, &model.policies[i]));
		assert_true(policy->declared);
		assert_string_equal(weir_place_file(&policy->origin), "p.yaml");
		assert_int_equal(policy->origin.line, model.policies[i].origin.line);
		assert_int_equal(policy->origin.column, 3);
	}
	OK(f, weir_store_has_policies(f->store, &any, &f->err));
	assert_true(any);
	OK(f, weir_store_verify(f->store, &f->err));
}

static void policies_name_what_they_need(void **state)
{
	struct fixture *f = *state;
	const struct weir_scope only = { .policies = true };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 }, stored = { 0 };
	const char *name = NULL;
	bool any = true;
	OK(f, weir_spec_parse(policies, strlen(policies), "p.yaml", &model, &f->err));
	put_policies(f, &model);
	OK(f, weir_store_policy_naming_network(f->store, "db", &f->arena, &name, &f->err));
	assert_string_equal(name, "full");
	OK(f, weir_store_policy_naming_endpoint(f->store, "db", &f->arena, &name, &f->err));
	assert_null(name);
	OK(f, weir_store_policy_naming_endpoint(f->store, "nginx", &f->arena, &name, &f->err));
	assert_string_equal(name, "full");
	OK(f, weir_store_begin(f->store, true, &f->err));
	OK(f, weir_store_remove_policy(f->store, "full", &f->err));
	OK(f, weir_store_remove_policy(f->store, "bare", &f->err));
	OK(f, weir_store_commit(f->store, &f->err));
	OK(f, weir_store_begin(f->store, true, &f->err));
	FAILS(f, ENOENT, "no policy named \"full\"",
	      weir_store_remove_policy(f->store, "full", &f->err));
	weir_store_rollback(f->store);
	load(f, &only, &stored);
	assert_int_equal(stored.n_policies, 0);
	OK(f, weir_store_policy_naming_network(f->store, "db", &f->arena, &name, &f->err));
	assert_null(name);
	OK(f, weir_store_has_policies(f->store, &any, &f->err));
	assert_false(any);
	struct weir_network net = full_network(f); /* a default counts as well */
	put_network(f, &net);
	OK(f, weir_store_has_policies(f->store, &any, &f->err));
	assert_true(any);
}

static void facts_about_the_host(void **state)
{
	struct fixture *f = *state;
	struct weir_store_meta meta, again;
	OK(f, weir_store_meta(f->store, &meta, &f->err));
	assert_int_equal(strlen(meta.uuid), WEIR_UUID_SIZE - 1);
	assert_int_equal(meta.counter, 0);
	meta.owner = (struct weir_netns_id){ 7, 4026531840, "b", 0 };
	(void)snprintf(meta.backend, sizeof(meta.backend), "nftables");
	meta.counter = UINT32_MAX;
	meta.generation = 0x80000001;
	const struct weir_stored_sysctl forward = { "net/ipv4/ip_forward", 0, 1 },
					later = { forward.key, 1, 2 };
	const struct weir_pool pools[] = { { prefix("10.200.0.0/16"), 24, { 0 } },
					   { prefix("fd99::/48"), 64, { 0 } } };
	OK(f, weir_store_begin(f->store, true, &f->err));
	OK(f, weir_store_set_meta(f->store, &meta, &f->err));
	OK(f, weir_store_put_sysctl(f->store, &forward, &f->err));
	OK(f, weir_store_put_sysctl(f->store, &later, &f->err)); /* keeps the first old value */
	OK(f, weir_store_set_pools(f->store, pools, 2, &f->err));
	commit(f);
	reopen_store(f);
	OK(f, weir_store_meta(f->store, &again, &f->err));
	assert_memory_equal(&again.uuid, &meta.uuid, sizeof(meta.uuid));
	assert_true(again.owner.ino == 4026531840 && again.owner.dev == 7);
	assert_string_equal(again.backend, "nftables");
	assert_true(again.counter == UINT32_MAX && again.generation == 0x80000001);
	struct weir_stored_sysctl *sysctls;
	size_t n;
	OK(f, weir_store_sysctls(f->store, &f->arena, &sysctls, &n, &f->err));
	assert_int_equal(n, 1);
	assert_true(sysctls[0].old == 0 && sysctls[0].set == 2);
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	OK(f, weir_store_pools(f->store, &model, &f->err));
	assert_int_equal(model.n_pools, 2);
	assert_int_equal(weir_prefix_cmp(&model.pools[1].prefix, &pools[1].prefix), 0);
	assert_int_equal(model.pools[1].size, 64);
	begin(f);
	OK(f, weir_store_remove_sysctl(f->store, forward.key, &f->err));
	FAILS(f, ENOENT, "was not changed by weir",
	      weir_store_remove_sysctl(f->store, forward.key, &f->err));
}

static void namespaces_are_noted(void **state)
{
	struct fixture *f = *state;
	struct weir_endpoint ep = { .name = "api" };
	const struct weir_netns_id id = { 4, 4026532000, "boot", 9 };
	put_endpoint(f, &ep);
	begin(f);
	OK(f, weir_store_set_netns_id(f->store, "api", &id, &f->err));
	commit(f);
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	load(f, &everything, &model);
	assert_true(model.endpoints[0].netns_id.ino == id.ino);
	assert_true(model.endpoints[0].netns_id.cookie == id.cookie);

	/* whose is it? as far as the cookies are known */
	for (uint64_t cookie = 0; cookie <= 10; cookie++) {
		const struct weir_netns_id now = { 4, 4026532000, "boot", cookie };
		const bool same = cookie == 0 || cookie == 9;
		const char *owner = NULL;
		OK(f, weir_store_netns_owner(f->store, &now, "other", &f->arena, &owner, &f->err));
		assert_int_equal(owner != NULL, same);
		assert_int_equal(weir_netns_id_equal(&id, &now), same);
	}
	begin(f);
	FAILS(f, ENOENT, "no endpoint", weir_store_set_netns_id(f->store, "nobody", &id, &f->err));
}

static void rollback_takes_all_back(void **state)
{
	struct fixture *f = *state;
	struct weir_network net = network(f, "web", "10.88.1.0/24", NULL);
	begin(f);
	OK(f, weir_store_put_network(f->store, &net, &f->err));
	weir_store_rollback(f->store);
	weir_store_rollback(f->store);
	begin(f);
	OK(f, weir_store_put_network(f->store, &net, &f->err));
	reopen_store(f); /* closing rolls back */
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	load(f, &everything, &model);
	assert_int_equal(model.n_networks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(objects_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(replacing_writes_the_difference, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removing_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(conflicts_name_the_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_mappings_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(networks_do_not_overlap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gateway_of_a_network_is_nobodys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(scopes_load_what_they_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mappings_one_by_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(facts_about_the_host, set_up, tear_down),
		cmocka_unit_test_setup_teardown(policies_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(policies_name_what_they_need, set_up, tear_down),
		cmocka_unit_test_setup_teardown(namespaces_are_noted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rollback_takes_all_back, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
