/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network in memory: that it behaves as core/link.h says, fails on demand, and leaves nothing
 * behind when it does; bare and traced. (Its filter is shown by test_contract.c.) */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/memory/memory.h"
#include "backends/trace.h"

#define OURS "11111111-1111-4111-8111-111111111111"
#define THEIRS "22222222-2222-4222-8222-222222222222"

struct bench {
	struct weir_link_ops ops;
	struct weir_trace trace;
	size_t lines;
	struct weir_links *links;
	struct weir_model model;
	struct weir_network *net, *pair;
	struct weir_endpoint *ep, *far;
	struct weir_err err;
};

static bool traced;

static struct weir_addr addr(const char *text)
{
	struct weir_addr parsed;
	assert_int_equal(weir_addr_parse(text, &parsed, NULL), 0);
	return parsed;
}

static struct weir_network *add_network(struct bench *b, const char *name, enum weir_mode mode,
					const char *prefix, const char *gateway)
{
	struct weir_network *net = weir_model_add_network(&b->model);
	assert_non_null(net);
	net->name = name;
	net->mode = mode;
	(void)snprintf(net->ifname, sizeof(net->ifname), "wb-%s", name);
	net->subnets = weir_arena_alloc(&b->model.arena, sizeof(net->subnets[0]));
	net->n_subnets = 1;
	assert_int_equal(weir_prefix_parse(prefix, &net->subnets[0].prefix, NULL), 0);
	if (gateway)
		net->subnets[0].gateway = addr(gateway);
	return net;
}

static struct weir_attachment *attach(struct bench *b, struct weir_endpoint *ep,
				      const char *network, const char *at, const char *host_ifname)
{
	struct weir_attachment *att = weir_endpoint_add_attachment(&b->model, ep);
	assert_non_null(att);
	att->network = network;
	att->addrs[WEIR_IPV4] = addr(at);
	(void)snprintf(att->ifname, sizeof(att->ifname), "eth%zu", ep->n_attachments - 1);
	(void)snprintf(att->host_ifname, sizeof(att->host_ifname), "%s", host_ifname);
	return att;
}

/* Two endpoints, "api" and "db", on the bridge network "web" and joined by the pair "wire". */
static void fill(struct bench *b)
{
	(void)add_network(b, "web", WEIR_MODE_BRIDGE, "10.88.1.0/24", "10.88.1.1");
	(void)add_network(b, "wire", WEIR_MODE_P2P, "10.88.9.0/31", NULL);
	weir_model_add_endpoint(&b->model)->name = "api";
	weir_model_add_endpoint(&b->model)->name = "db";
	weir_model_sort(&b->model);
	b->net = weir_model_network(&b->model, "web");
	b->pair = weir_model_network(&b->model, "wire");
	b->ep = weir_model_endpoint(&b->model, "api");
	b->far = weir_model_endpoint(&b->model, "db");
	(void)attach(b, b->ep, "web", "10.88.1.2", "wv-api-web");
	(void)attach(b, b->ep, "wire", "10.88.9.0", "wv-api-wire");
	(void)attach(b, b->far, "web", "10.88.1.3", "wv-db-web");
	(void)attach(b, b->far, "wire", "10.88.9.1", "wv-db-wire");
}

/* ---- all of it, up and down ---- */

static int bring_up_endpoint(struct bench *b, struct weir_endpoint *ep, bool *ret_changed)
{
	bool changed = false;
	int r = b->ops.netns_ensure(b->links, ep, &ep->netns_id, &changed, &b->err);
	*ret_changed |= changed;
	for (size_t i = 0; r == 0 && i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		const struct weir_network *net = weir_model_network(&b->model, att->network);
		r = b->ops.attach_ensure(b->links, net, ep, att, &changed, &b->err);
		*ret_changed |= r == 0 && changed;
	}
	for (size_t i = 0; r == 0 && i < ep->n_attachments; i++)
		r = b->ops.attach_up(b->links, &b->model, ep, &ep->attachments[i], &b->err);
	return r;
}

static int bring_up(struct bench *b, bool *ret_changed)
{
	bool changed = false;

	*ret_changed = false;
	for (size_t i = 0; i < b->model.n_networks; i++) {
		int r = b->ops.network_ensure(b->links, &b->model.networks[i], &changed, &b->err);
		if (r == 0)
			r = b->ops.network_up(b->links, &b->model.networks[i], &b->err);
		if (r < 0)
			return r;
		*ret_changed |= changed;
	}
	for (size_t i = 0; i < b->model.n_endpoints; i++) {
		int r = bring_up_endpoint(b, &b->model.endpoints[i], ret_changed);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check(struct bench *b)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < b->model.n_networks; i++)
		r = b->ops.network_check(b->links, &b->model.networks[i], &b->err);
	for (size_t i = 0; r == 0 && i < b->model.n_endpoints; i++) {
		const struct weir_endpoint *ep = &b->model.endpoints[i];
		for (size_t a = 0; r == 0 && a < ep->n_attachments; a++)
			r = b->ops.attach_check(b->links, &b->model, ep, &ep->attachments[a],
						&b->err);
	}
	return r;
}

static char *snapshot(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	weir_memory_print(out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void up(struct bench *b)
{
	bool changed;
	if (bring_up(b, &changed) != 0)
		fail_msg("%s", b->err.text);
	assert_true(changed);
}

/* ---- tests ---- */

static void test_up_twice_is_once(void **ctx)
{
	struct bench *b = *ctx;
	bool changed;

	assert_int_equal(check(b), -ESTALE);
	up(b);
	assert_int_equal(check(b), 0);
	char *once = snapshot();
	assert_int_equal(bring_up(b, &changed), 0);
	assert_false(changed);
	char *twice = snapshot();
	assert_string_equal(once, twice);
	free(once);
	free(twice);
}

static void test_it_survives_the_handle(void **ctx)
{
	struct bench *b = *ctx;

	up(b);
	b->ops.close(b->links);
	b->links = NULL;
	assert_int_equal(b->ops.open(OURS, &b->trace, &b->links, &b->err), 0);
	assert_int_equal(check(b), 0);
}

static void test_lists(void **ctx)
{
	struct bench *b = *ctx;
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	struct weir_link_info *infos;
	struct weir_fdb_entry *fdb;
	size_t n;

	up(b);
	assert_int_equal(weir_memory_add_link("foreign0", NULL), 0);
	assert_int_equal(weir_memory_add_link("theirs0", THEIRS), 0);
	assert_int_equal(b->ops.list(b->links, &arena, &infos, &n, &b->err), 0);
	assert_int_equal(n, 4); /* the bridge, two ports, another weir's; the pair is inside */
	assert_int_equal(b->ops.fdb(b->links, b->net, &arena, &fdb, &n, &b->err), 0);
	assert_int_equal(n, 2);
	struct weir_neighbour *neighbours;
	assert_int_equal(b->ops.neighbours(b->links, b->net, &arena, &neighbours, &n, &b->err), 0);
	assert_int_equal(n, 0);
	struct weir_host_socket *sockets, sock = { .proto = WEIR_TCP, .port = 80, .inode = 7 };
	assert_int_equal(weir_memory_add_socket(&sock), 0);
	assert_int_equal(b->ops.sockets(b->links, &arena, &sockets, &n, &b->err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(sockets[0].port, 80);
	struct weir_host_route *routes, route = { .ifname = "eth0" };
	assert_int_equal(weir_prefix_parse("192.0.2.0/24", &route.to, NULL), 0);
	assert_int_equal(weir_memory_add_route(&route), 0);
	assert_int_equal(b->ops.routes(b->links, &arena, &routes, &n, &b->err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(routes[0].ifname, "eth0");
	char(*uplinks)[WEIR_IFNAME_SIZE];
	assert_int_equal(weir_memory_add_uplink("eth0"), 0);
	assert_int_equal(b->ops.uplinks(b->links, &arena, &uplinks, &n, &b->err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(uplinks[0], "eth0");
}

static void test_drift(void **ctx)
{
	struct bench *b = *ctx;
	bool changed;

	up(b);
	assert_true(weir_memory_spoil_link("wv-api-web"));
	assert_int_equal(check(b), -ESTALE);
	assert_int_equal(bring_up(b, &changed), 0);
	assert_true(changed);
	assert_int_equal(check(b), 0);
	assert_true(weir_memory_drop_link("wb-web"));
	assert_int_equal(check(b), -ESTALE);
	ino_t before = b->far->netns_id.ino;
	assert_true(
		weir_memory_drop_netns("/run/netns/db")); /* takes both ends of the pair along */
	assert_int_equal(b->ops.attach_check(b->links, &b->model, b->ep, &b->ep->attachments[1],
					     &b->err),
			 -ESTALE);
	assert_int_equal(bring_up(b, &changed), 0);
	assert_int_equal(check(b), 0);
	assert_true(b->far->netns_id.ino != before); /* it came back as another */
}

static void test_namespaces(void **ctx)
{
	struct bench *b = *ctx;
	struct weir_netns_id id;
	struct weir_endpoint pod = { .name = "pod",
				     .netns = WEIR_NETNS_PATH,
				     .netns_path = "/run/netns/p" };

	assert_int_equal(b->ops.netns_ensure(b->links, &pod, &id, NULL, &b->err), -ENOENT);
	assert_int_equal(weir_memory_add_netns("/run/netns/p"), 0);
	assert_int_equal(b->ops.netns_ensure(b->links, &pod, &pod.netns_id, NULL, &b->err), 0);
	assert_true(weir_memory_drop_netns("/run/netns/p"));
	assert_int_equal(weir_memory_add_netns("/run/netns/p"), 0);
	assert_int_equal(b->ops.netns_ensure(b->links, &pod, &id, NULL, &b->err), -ESTALE);
	assert_int_equal(b->ops.netns_remove(b->links, &pod, &b->err), 0);
	assert_true(weir_memory_drop_netns("/run/netns/p")); /* remove has left it */
	assert_int_equal(weir_memory_add_netns("/run/netns/api"), 0);
	assert_int_equal(b->ops.netns_ensure(b->links, b->ep, &id, NULL, &b->err), -EEXIST);
	assert_int_equal(b->ops.netns_remove(b->links, b->ep, &b->err), 0);
	assert_true(weir_memory_drop_netns("/run/netns/api")); /* nor a foreign one of our name */
}

static void test_foreign_links(void **ctx)
{
	struct bench *b = *ctx;
	const char *three[] = { "wv-api-web", "theirs0", "absent0" };
	bool strangers[3] = { false };

	assert_int_equal(weir_memory_add_link("wb-web", NULL), 0);
	assert_int_equal(b->ops.network_ensure(b->links, b->net, NULL, &b->err), -EEXIST);
	assert_true(weir_memory_drop_link("wb-web"));
	up(b);
	assert_int_equal(weir_memory_add_link("theirs0", THEIRS), 0);
	assert_int_equal(b->ops.remove(b->links, three, 3, strangers, &b->err), 0);
	assert_int_equal(check(b), -ESTALE);
	assert_false(strangers[0] || strangers[2]);
	assert_true(strangers[1]);
	assert_true(weir_memory_drop_link("theirs0"));
}

static void test_sysctls(void **ctx)
{
	struct bench *b = *ctx;
	long value = 7;

	assert_int_equal(b->ops.sysctl_get(b->links, "net/ipv4/ip_forward", &value, &b->err), 0);
	assert_int_equal(value, 0);
	assert_int_equal(b->ops.sysctl_set(b->links, "net/ipv4/ip_forward", 1, &b->err), 0);
	assert_int_equal(b->ops.sysctl_get(b->links, "net/ipv4/ip_forward", &value, &b->err), 0);
	assert_int_equal(value, 1);
	assert_int_equal(b->ops.sysctl_get(b->links, "net/nonsense", &value, &b->err), -ENOENT);
	assert_int_equal(value, 1);
	assert_int_equal(weir_memory_set_sysctl("net/nonsense", 3), 0);
	assert_int_equal(b->ops.sysctl_get(b->links, "net/nonsense", &value, &b->err), 0);
	assert_int_equal(value, 3);
}

/* ---- the filter: what the contract's test has no need of ---- */

static struct weir_flow_match flow_to(const char *dst, uint16_t port, bool untranslated)
{
	struct weir_flow_match flow = { .family = WEIR_IPV4,
					.proto = WEIR_TCP,
					.dst = addr(dst),
					.dst_ports = { port, port },
					.untranslated = untranslated };
	flow.src = (struct weir_prefix){ .addr = addr("198.51.100.7"), .len = 32 };
	flow.reply_src = (struct weir_prefix){ .addr = addr("10.88.1.2"), .len = 32 };
	return flow;
}

static void test_flows_are_forgotten(void **ctx)
{
	struct weir_firewall *fw;
	struct weir_flow_match flows[] = { flow_to("192.0.2.1", 8080, false),
					   flow_to("192.0.2.1", 8081, false),
					   flow_to("192.0.2.2", 9000, true) };
	size_t n = 0;

	(void)ctx;
	for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++)
		assert_int_equal(weir_memory_add_flow(&flows[i]), 0);
	assert_int_equal(weir_memory_firewall.open(OURS, NULL, &fw, NULL), 0);
	struct weir_flow_match none = flow_to("192.0.2.9", 8080, false);
	assert_int_equal(weir_memory_firewall.forget(fw, &none, 1, &n, NULL), 0);
	assert_int_equal(n, 0);
	struct weir_flow_match any = { .family = WEIR_IPV4, .untranslated = true };
	assert_int_equal(weir_memory_firewall.forget(fw, &any, 1, &n, NULL), 0);
	assert_int_equal(n, 1);
	struct weir_flow_match ports = { .family = WEIR_IPV4, .dst_ports = { 8081, 8090 } };
	assert_int_equal(weir_memory_firewall.forget(fw, &ports, 1, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(weir_memory_flows(), 1);
	weir_memory_firewall.close(fw);
}

static void test_races_are_lost(void **ctx)
{
	struct weir_firewall *fw;
	const struct weir_delta nothing = { 0 };
	const struct weir_epoch epoch = { .store = OURS, .counter = 1 };

	(void)ctx;
	assert_int_equal(weir_memory_firewall.open(OURS, NULL, &fw, NULL), 0);
	weir_memory_race(2);
	for (int i = 0; i < 3; i++) {
		struct weir_firewall_state state;
		assert_int_equal(weir_memory_firewall.state(fw, &state, NULL), 0);
		assert_int_equal(
			weir_memory_firewall.prepare(fw, &nothing, false, &state, &epoch, NULL), 0);
		assert_int_equal(weir_memory_firewall.commit(fw, NULL, NULL), i < 2 ? -EAGAIN : 0);
	}
	weir_memory_firewall.close(fw);
}

/* Every call in turn: its fault comes out, it has done nothing, and without the fault all is well. */
static void test_each_call_fails(void **ctx)
{
	struct bench *b = *ctx;
	bool changed;
	unsigned calls;

	weir_memory_fail_at(0, 0);
	up(b);
	calls = weir_memory_calls();
	assert_true(calls > 10);
	for (unsigned n = 1; n <= calls; n++) {
		weir_memory_fail_at(n, ENOBUFS);
		assert_int_equal(bring_up(b, &changed), -ENOBUFS);
		assert_int_equal(weir_memory_calls(), n);
		assert_non_null(strstr(b->err.text, strerror(ENOBUFS)));
	}
	weir_memory_fail_at(calls + 1, ENOBUFS);
	assert_int_equal(bring_up(b, &changed), 0);
	weir_memory_fail_at(1, ENOMEM);
	struct weir_links *links = b->links;
	assert_int_equal(b->ops.open(OURS, &b->trace, &links, &b->err), -ENOMEM);
	assert_ptr_equal(links, b->links);
}

static void test_trace_speaks(void **ctx)
{
	struct bench *b = *ctx;

	up(b);
	if (traced)
		assert_true(b->lines >= 2 * (size_t)weir_memory_calls());
	else
		assert_int_equal(b->lines, 0);
}

/* ---- set-up ---- */

static void count_line(void *ctx, const char *text)
{
	struct bench *b = ctx;
	assert_string_not_equal(text, "");
	b->lines++;
}

static int set_up(void **ctx)
{
	struct bench *b = calloc(1, sizeof(*b));
	if (!b)
		return -1;
	weir_memory_reset();
	b->ops = traced ? weir_trace_links(&weir_memory_links) : weir_memory_links;
	b->trace = (struct weir_trace){ .line = traced ? count_line : NULL, .ctx = b };
	fill(b);
	*ctx = b;
	return b->ops.open(OURS, &b->trace, &b->links, &b->err);
}

static int tear_down(void **ctx)
{
	struct bench *b = *ctx;
	b->ops.close(b->links);
	weir_model_free(&b->model);
	free(b);
	weir_memory_reset();
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_up_twice_is_once),
		TEST(test_it_survives_the_handle),
		TEST(test_lists),
		TEST(test_drift),
		TEST(test_namespaces),
		TEST(test_foreign_links),
		TEST(test_sysctls),
		TEST(test_flows_are_forgotten),
		TEST(test_races_are_lost),
		TEST(test_each_call_fails),
		TEST(test_trace_speaks),
	};
	int failed = cmocka_run_group_tests_name("memory", tests, NULL, NULL);
	traced = true;
	failed += cmocka_run_group_tests_name("memory, traced", tests, NULL, NULL);
	return failed ? 1 : 0;
}
