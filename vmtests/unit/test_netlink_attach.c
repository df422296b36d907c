/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rtnetlink backend against the kernel: attachments, as they are made, mended and found so. */
#include "vmtests/unit/netlink_fixture.h"

static void test_attach(void **state)
{
	struct bench *bench = *state;
	struct weir_fdb_entry *fdb;
	bool changed = true;
	size_t n_fdb, found = 0;

	make_network(bench, bench->web);
	make_endpoint(bench, bench->a);
	make_endpoint(bench, bench->b);
	/* usable at once, both families, the first packet included */
	assert_int_equal(sh("ip netns exec a ping -c1 -W10 -q 10.88.1.3 >/dev/null"), 0);
	assert_int_equal(sh("ip netns exec a ping -c1 -W10 -q fd00:88:1::3 >/dev/null"), 0);
	assert_int_equal(sh("ip netns exec b ping -c1 -W10 -q fd00:88:1::1 >/dev/null"), 0);
	assert_int_equal(sh("ping -c1 -W10 -q 10.88.1.2 >/dev/null"), 0);
	assert_int_equal(sh("ping -c1 -W10 -q fd00:88:1::2 >/dev/null"), 0);
	assert_shows("ip -n a route", "default via 10.88.1.1 dev eth0 proto 119");
	assert_shows("ip -n a -6 route", "default via fd00:88:1::1 dev eth0 proto 119");
	assert_shows("ip -d link show wv-a-web", "addrgenmode none");
	assert_shows("ip -n a link show eth0", "02:77:0a:58:01:02"); /* derived from the address */

	check_all(bench, bench->a);
	assert_ok(bench, ops->attach_ensure(bench->links, bench->web, bench->a,
					    &bench->a->attachments[0], &changed, &bench->err));
	assert_false(changed);
	assert_ok(bench, ops->attach_up(bench->links, &bench->model, bench->a,
					&bench->a->attachments[0], &bench->err));
	check_all(bench, bench->a);

	assert_ok(bench, ops->fdb(bench->links, bench->web, &bench->model.arena, &fdb, &n_fdb,
				  &bench->err));
	for (size_t i = 0; i < n_fdb; i++)
		if (!fdb[i].permanent &&
		    fdb[i].mac.bytes[5] == (strcmp(fdb[i].ifname, "wv-a-web") ? 3 : 2))
			found++;
	assert_int_equal(found, 2);
	clear_all(bench);
}

static void drift_of_attachment(struct bench *bench, const char *command, const char *words)
{
	struct weir_attachment *att = &bench->a->attachments[0];

	assert_int_equal(sh("%s", command), 0);
	assert_fails(bench, ESTALE, words,
		     ops->attach_check(bench->links, &bench->model, bench->a, att, &bench->err));
	assert_ok(bench,
		  ops->attach_ensure(bench->links, bench->web, bench->a, att, NULL, &bench->err));
	assert_ok(bench, ops->attach_up(bench->links, &bench->model, bench->a, att, &bench->err));
	check_all(bench, bench->a);
	assert_int_equal(sh("ping -c1 -W10 -q 10.88.1.2 >/dev/null"), 0);
}

static void test_attach_drift(void **state)
{
	struct bench *bench = *state;

	make_network(bench, bench->web);
	make_endpoint(bench, bench->a);
	drift_of_attachment(bench, "ip link set wv-a-web down", "interface wv-a-web is down");
	drift_of_attachment(bench, "ip link set wv-a-web nomaster",
			    "wv-a-web is not a port of its bridge");
	drift_of_attachment(bench, "bridge link set dev wv-a-web hairpin on isolated on",
			    "the isolated flag 1 instead of 0");
	drift_of_attachment(bench, "bridge link set dev wv-a-web state 0",
			    "interface wv-a-web is disabled by its bridge");
	drift_of_attachment(bench, "ip link set wv-a-web group default", "has left weir's group");
	drift_of_attachment(bench, "ip link del wv-a-web", "interface wv-a-web is gone");
	drift_of_attachment(bench, "ip -n a link set eth0 down", "interface eth0 is down");
	drift_of_attachment(bench, "ip -n a link set eth0 mtu 1300", "MTU 1300 instead of 1500");
	drift_of_attachment(bench, "ip -n a link set eth0 address 02:00:00:00:00:07", "has MAC");
	drift_of_attachment(bench, "ip -n a addr del 10.88.1.2/24 dev eth0",
			    "has lost 10.88.1.2/24");
	drift_of_attachment(bench, "ip -n a addr add 10.88.1.9/24 dev eth0", "has 10.88.1.9/24");
	drift_of_attachment(bench, "ip -n a route del default", "has lost its route to 0.0.0.0/0");
	drift_of_attachment(bench, "ip -n a -6 route add default via fd00:88:1::9 metric 50",
			    "has a route to ::/0 via fd00:88:1::9");
	drift_of_attachment(bench, "ip -n a link set eth0 down && ip -n a link set eth0 name eth9",
			    "has lost its other end");
	drift_of_attachment(
		bench, "ip netns exec a sh -c 'echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_ra'",
		"has accept_ra 1 instead of 0");
	/* a route of the user's own stays */
	assert_int_equal(sh("ip -n a route add 192.0.2.0/24 via 10.88.1.1"), 0);
	check_all(bench, bench->a);
	assert_ok(bench, ops->attach_up(bench->links, &bench->model, bench->a,
					&bench->a->attachments[0], &bench->err));
	assert_shows("ip -n a route", "192.0.2.0/24");

	bench->web->isolate = true;
	assert_fails(bench, ESTALE, "the isolated flag 0 instead of 1",
		     ops->attach_check(bench->links, &bench->model, bench->a,
				       &bench->a->attachments[0], &bench->err));
	assert_int_equal(sh("ip netns del a"), 0);
	assert_fails(bench, ESTALE, "the namespace of endpoint \"a\" is gone",
		     ops->attach_check(bench->links, &bench->model, bench->a,
				       &bench->a->attachments[0], &bench->err));
	clear_all(bench);
}

/* The hairpin flag goes with br_netfilter, whichever switch has it on. */
static void test_hairpin(void **state)
{
	struct bench *bench = *state;
	struct weir_attachment *att = &bench->a->attachments[0];
	bool global = sh("test -e /proc/sys/net/bridge/bridge-nf-call-iptables") == 0;

	if (global)
		assert_int_equal(sh("for i in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do "
				    "echo 0 > $i; done"),
				 0);
	make_network(bench, bench->web);
	make_endpoint(bench, bench->a);
	assert_shows("bridge -d link show dev wv-a-web", "hairpin off");
	bench->web->filter_bridged = true;
	assert_ok(bench, ops->network_ensure(bench->links, bench->web, NULL, &bench->err));
	assert_fails(bench, ESTALE, "the hairpin flag 0 instead of 1",
		     ops->attach_check(bench->links, &bench->model, bench->a, att, &bench->err));
	assert_ok(bench,
		  ops->attach_ensure(bench->links, bench->web, bench->a, att, NULL, &bench->err));
	assert_shows("bridge -d link show dev wv-a-web", "hairpin on");
	bench->web->filter_bridged = false;
	assert_ok(bench, ops->network_ensure(bench->links, bench->web, NULL, &bench->err));
	assert_ok(bench,
		  ops->attach_ensure(bench->links, bench->web, bench->a, att, NULL, &bench->err));
	assert_shows("bridge -d link show dev wv-a-web", "hairpin off");
	if (global) {
		assert_int_equal(sh("echo 1 > /proc/sys/net/bridge/bridge-nf-call-ip6tables"), 0);
		assert_ok(bench, ops->attach_ensure(bench->links, bench->web, bench->a, att, NULL,
						    &bench->err));
		assert_shows("bridge -d link show dev wv-a-web", "hairpin on");
	}
	clear_all(bench);
}

/* Another MAC and another address, in place: the neighbours know at once. */
static void test_change_in_place(void **state)
{
	struct bench *bench = *state;
	struct weir_attachment *att = &bench->a->attachments[0];
	bool changed = false;

	make_network(bench, bench->web);
	make_endpoint(bench, bench->a);
	make_endpoint(bench, bench->b);
	assert_int_equal(sh("ip netns exec b ping -c1 -W10 -q 10.88.1.2 >/dev/null"), 0);
	assert_int_equal(sh("ip netns exec b ping -c1 -W10 -q fd00:88:1::2 >/dev/null"), 0);
	assert_shows("ip -n b neigh", "10.88.1.2 dev eth0 lladdr 02:77:0a:58:01:02");
	assert_int_equal(weir_mac_parse("02:00:00:00:02:10", &att->mac, NULL), 0);
	assert_ok(bench, ops->attach_ensure(bench->links, bench->web, bench->a, att, &changed,
					    &bench->err));
	assert_true(changed);
	assert_ok(bench, ops->attach_up(bench->links, &bench->model, bench->a, att, &bench->err));
	assert_shows("ip -n b neigh", "10.88.1.2 dev eth0 lladdr 02:00:00:00:02:10");
	assert_shows("ip -n b -6 neigh", "fd00:88:1::2 dev eth0 lladdr 02:00:00:00:02:10");

	att->addrs[WEIR_IPV4] = addr("10.88.1.77");
	att->mtu = 1400;
	assert_ok(bench, ops->attach_ensure(bench->links, bench->web, bench->a, att, &changed,
					    &bench->err));
	assert_ok(bench, ops->attach_up(bench->links, &bench->model, bench->a, att, &bench->err));
	assert_int_equal(sh("ip netns exec b ping -c1 -W10 -q 10.88.1.77 >/dev/null"), 0);
	assert_hides("ip -n a addr", "10.88.1.2/24");
	assert_shows("ip -n a route", "default via 10.88.1.1");
	assert_shows("ip -n a link show eth0", "mtu 1400");
	assert_shows("ip link show wv-a-web", "mtu 1400");
	clear_all(bench);
}

/* An address passes to another endpoint: neighbours that knew the old holder know the new one at once. */
static void test_address_used_again(void **state)
{
	struct bench *bench = *state;
	struct weir_attachment *att = &bench->b->attachments[0];
	const char *names[] = { "wv-a-web" };

	make_network(bench, bench->web);
	assert_int_equal(weir_mac_parse("02:00:00:00:00:0b", &att->mac, NULL), 0);
	make_endpoint(bench, bench->a);
	make_endpoint(bench, bench->b);
	assert_int_equal(sh("ping -c1 -W10 -q 10.88.1.2 >/dev/null && "
			    "ping -c1 -W10 -q fd00:88:1::2 >/dev/null"),
			 0);
	assert_ok(bench, ops->remove(bench->links, names, 1, NULL, &bench->err));
	assert_shows("ip neigh", "10.88.1.2 dev wb-web lladdr 02:77:0a:58:01:02");
	att->addrs[WEIR_IPV4] = addr("10.88.1.2");
	att->addrs[WEIR_IPV6] = addr("fd00:88:1::2");
	assert_ok(bench,
		  ops->attach_ensure(bench->links, bench->web, bench->b, att, NULL, &bench->err));
	assert_ok(bench, ops->attach_up(bench->links, &bench->model, bench->b, att, &bench->err));
	assert_shows("ip neigh", "10.88.1.2 dev wb-web lladdr 02:00:00:00:00:0b");
	assert_shows("ip neigh", "fd00:88:1::2 dev wb-web lladdr 02:00:00:00:00:0b");

	/* and by an interface that was not there a moment ago; another port keeps the bridge's carrier */
	assert_int_equal(
		sh("ip link add d0 type veth peer d1 && ip link set d0 master wb-web up && "
		   "ip link set d1 up"),
		0);
	names[0] = "wv-b-web";
	assert_ok(bench, ops->remove(bench->links, names, 1, NULL, &bench->err));
	assert_shows("ip neigh", "10.88.1.2 dev wb-web lladdr 02:00:00:00:00:0b");
	make_endpoint(bench, bench->a);
	assert_shows("ip neigh", "10.88.1.2 dev wb-web lladdr 02:77:0a:58:01:02");
	assert_shows("ip neigh", "fd00:88:1::2 dev wb-web lladdr 02:77:0a:58:01:02");
	assert_int_equal(sh("ip link del d0"), 0);
	clear_all(bench);
}

static void test_ipv4_only(void **state)
{
	struct bench *bench = *state;

	make_network(bench, bench->v4only);
	make_endpoint(bench, bench->c);
	check_all(bench, bench->c);
	assert_int_equal(sh("ip netns exec c ping -c1 -W10 -q 10.88.2.1 >/dev/null"), 0);
	assert_hides("ip -n c addr show eth0", "inet6");
	assert_shows("ip netns exec c cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1");
	clear_all(bench);
}

static void test_two_networks(void **state)
{
	struct bench *bench = *state;
	struct weir_route route = { .to = prefix("192.0.2.0/24"), .via = addr("10.88.2.9") };

	attach(&bench->model, bench->a, "plain", "eth1", "wv-a-plain", "10.88.2.5", NULL);
	bench->a->attachments[1].priority = 5;
	bench->a->routes = &route;
	bench->a->n_routes = 1;
	weir_model_sort(&bench->model);
	make_network(bench, bench->web);
	make_network(bench, bench->v4only);
	make_endpoint(bench, bench->a);
	check_all(bench, bench->a);
	assert_shows("ip -n a route", "default via 10.88.2.1 dev eth1");
	assert_hides("ip -n a route", "default via 10.88.1.1");
	assert_shows("ip -n a -6 route", "default via fd00:88:1::1 dev eth0");
	assert_shows("ip -n a route", "192.0.2.0/24 via 10.88.2.9 dev eth1 proto 119");

	/* the other one becomes the default, the extra route goes */
	weir_endpoint_attachment(bench->a, "web")->priority = 9;
	bench->a->n_routes = 0;
	for (size_t i = 0; i < 2; i++)
		assert_ok(bench, ops->attach_up(bench->links, &bench->model, bench->a,
						&bench->a->attachments[i], &bench->err));
	assert_shows("ip -n a route", "default via 10.88.1.1 dev eth0");
	assert_hides("ip -n a route", "eth1 proto 119");
	check_all(bench, bench->a);
	clear_all(bench);
}

static void test_wire(void **state)
{
	struct bench *bench = *state;
	struct weir_attachment *a, *b;

	bench->a->n_attachments = bench->b->n_attachments = 0;
	attach(&bench->model, bench->a, "wire", "eth0", "wv-a-wire", "10.88.3.1", NULL);
	attach(&bench->model, bench->b, "wire", "eth0", "wv-b-wire", "10.88.3.2", NULL);
	a = &bench->a->attachments[0];
	b = &bench->b->attachments[0];
	make_network(bench, bench->wire);
	make_endpoint(bench, bench->a);
	assert_shows("ip -d link show wv-a-wire", "state DOWN"); /* parked */
	make_endpoint(bench, bench->b);
	assert_hides("ip link", "wv-");
	assert_int_equal(sh("ip netns exec a ping -c1 -W10 -q 10.88.3.2 >/dev/null"), 0);
	check_all(bench, bench->a);
	check_all(bench, bench->b);
	bool changed = true;
	assert_ok(bench, ops->attach_ensure(bench->links, bench->wire, bench->a, a, &changed,
					    &bench->err));
	assert_false(changed);

	assert_ok(bench, ops->wire_remove(bench->links, bench->b, b, &bench->err));
	assert_ok(bench,
		  ops->wire_remove(bench->links, bench->b, b, &bench->err)); /* absent is fine */
	assert_fails(bench, ESTALE, "interface eth0 is gone",
		     ops->attach_check(bench->links, &bench->model, bench->a, a, &bench->err));
	assert_ok(bench, ops->attach_ensure(bench->links, bench->wire, bench->a, a, &changed,
					    &bench->err));
	assert_shows("ip link", "wv-a-wire");
	clear_all(bench);
}

/* No time is asserted: the figure is for the reader. */
static void test_cost(void **state)
{
	struct bench *bench = *state;
	double space = 0, ensure = 0, up = 0;
	bool changed;
	enum { ROUNDS = 20 };

	make_network(bench, bench->web);
	bench->trace.line = NULL;
	for (int i = 0; i < ROUNDS; i++) {
		struct weir_attachment *att = &bench->a->attachments[0];
		const char *name = att->host_ifname;
		double t0 = now_ms();
		assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &bench->a->netns_id,
						   &changed, &bench->err));
		double t1 = now_ms();
		assert_ok(bench, ops->attach_ensure(bench->links, bench->web, bench->a, att,
						    &changed, &bench->err));
		double t2 = now_ms();
		assert_ok(bench,
			  ops->attach_up(bench->links, &bench->model, bench->a, att, &bench->err));
		double t3 = now_ms();
		space += t1 - t0, ensure += t2 - t1, up += t3 - t2;
		assert_ok(bench, ops->remove(bench->links, &name, 1, NULL, &bench->err));
		assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
		bench->a->netns_id = (struct weir_netns_id){ 0 };
	}
	print_message("  namespace %.2f ms, attach %.2f ms, up %.2f ms\n", space / ROUNDS,
		      ensure / ROUNDS, up / ROUNDS);
	clear_all(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(attach),
		ROW(attach_drift),
		ROW(hairpin),
		ROW(change_in_place),
		ROW(address_used_again),
		ROW(ipv4_only),
		ROW(two_networks),
		ROW(wire),
		ROW(cost),
	};

	RUN_IN_WORLD("test_netlink_attach", tests);
}
