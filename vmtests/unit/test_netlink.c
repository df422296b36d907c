/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rtnetlink backend against the kernel: bridges, what is foreign, what the host has. */
#include "vmtests/unit/netlink_fixture.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_bridge(void **state)
{
	struct bench *bench = *state;
	bool changed = true;

	assert_ok(bench, ops->network_ensure(bench->links, bench->web, &changed, &bench->err));
	assert_true(changed);
	assert_shows("ip -d link show wb-web", "state DOWN");
	assert_shows("ip -d link show wb-web", "forward_delay 0");
	assert_shows("ip -d link show wb-web", "stp_state 0");
	assert_shows("ip -d link show wb-web", "addrgenmode none");
	assert_shows("ip -d link show wb-web", "alias weir " OURS " network web");
	assert_shows("ip -d link show group 0x77656972", "wb-web");
	assert_shows("ip addr show wb-web", "inet 10.88.1.1/24 ");
	assert_shows("ip addr show wb-web", "inet6 fd00:88:1::1/64 scope global nodad");
	assert_shows("cat /proc/sys/net/ipv4/conf/wb-web/route_localnet", "1");
	assert_shows("cat /proc/sys/net/ipv6/conf/wb-web/accept_ra", "0");

	assert_fails(bench, ESTALE, "bridge wb-web is down",
		     ops->network_check(bench->links, bench->web, &bench->err));
	assert_ok(bench, ops->network_up(bench->links, bench->web, &bench->err));
	assert_ok(bench, ops->network_check(bench->links, bench->web, &bench->err));
	assert_ok(bench, ops->network_ensure(bench->links, bench->web, &changed, &bench->err));
	assert_false(changed);
	/* the one link-local address that it asks for neighbours from, usable at once */
	assert_shows("ip -6 addr show wb-web scope link", "nodad");

	assert_ok(bench, ops->network_ensure(bench->links, bench->v4only, &changed, &bench->err));
	assert_shows("cat /proc/sys/net/ipv6/conf/wb-plain/disable_ipv6", "1");
	clear_all(bench);
}

static void drift_of_bridge(struct bench *bench, const char *command, const char *words)
{
	bool changed = false;

	assert_int_equal(sh("%s", command), 0);
	assert_fails(bench, ESTALE, words,
		     ops->network_check(bench->links, bench->web, &bench->err));
	assert_ok(bench, ops->network_ensure(bench->links, bench->web, &changed, &bench->err));
	assert_true(changed);
	assert_ok(bench, ops->network_check(bench->links, bench->web, &bench->err));
}

static void test_bridge_drift(void **state)
{
	struct bench *bench = *state;

	make_network(bench, bench->web);
	drift_of_bridge(bench, "ip addr del 10.88.1.1/24 dev wb-web",
			"bridge wb-web has lost 10.88.1.1/24");
	drift_of_bridge(bench, "ip addr add 10.99.0.1/24 dev wb-web",
			"bridge wb-web has 10.99.0.1/24, which it should not");
	drift_of_bridge(bench, "ip link set wb-web up; ip route del 10.88.1.0/24 dev wb-web",
			"bridge wb-web has lost its route to 10.88.1.0/24");
	drift_of_bridge(bench, "ip link set wb-web mtu 1400", "has MTU 1400 instead of 1500");
	drift_of_bridge(bench, "ip link set wb-web address 02:00:00:00:00:99",
			"has MAC 02:00:00:00:00:99");
	drift_of_bridge(bench, "ip link set wb-web type bridge stp_state 1",
			"has STP 1 instead of 0");
	drift_of_bridge(bench, "ip link set wb-web type bridge nf_call_iptables 1",
			"has nf_call_iptables 1 instead of 0");
	drift_of_bridge(bench, "echo 0 > /proc/sys/net/ipv4/conf/wb-web/route_localnet",
			"has route_localnet 0 instead of 1");
	drift_of_bridge(bench, "echo 1 > /proc/sys/net/ipv6/conf/wb-web/accept_ra",
			"has accept_ra 1 instead of 0");
	bench->web->filter_bridged = true;
	assert_fails(bench, ESTALE, "nf_call_iptables",
		     ops->network_check(bench->links, bench->web, &bench->err));
	assert_ok(bench, ops->network_ensure(bench->links, bench->web, NULL, &bench->err));
	assert_shows("ip -d link show wb-web", "nf_call_iptables 1 nf_call_ip6tables 1");
	/* the address under which the host is the gateway moves to an endpoint */
	bench->web->gateway_endpoint = "a";
	assert_ok(bench, ops->network_ensure(bench->links, bench->web, NULL, &bench->err));
	assert_hides("ip addr show wb-web", "10.88.1.1");
	clear_all(bench);
}

static void test_foreign(void **state)
{
	struct bench *bench = *state;
	struct weir_links *theirs = NULL;
	struct weir_link_info *list = NULL;
	size_t n = 0;
	bool changed;
	const char *names[] = { "wb-plain", "wb-web" };
	bool strangers[2] = { false };

	assert_int_equal(sh("ip link add wb-web type bridge"), 0);
	assert_fails(bench, EEXIST, "an interface wb-web that is not weir's exists",
		     ops->network_ensure(bench->links, bench->web, &changed, &bench->err));
	make_network(bench, bench->v4only);
	assert_ok(bench, ops->remove(bench->links, names, 2, strangers, &bench->err));
	assert_true(!strangers[0] && strangers[1]);
	assert_hides("ip link", "wb-plain");
	assert_int_equal(sh("ip link del wb-web"), 0);
	make_network(bench, bench->v4only);

	assert_ok(bench, ops->open(THEIRS, NULL, &theirs, &bench->err));
	assert_ok(bench, ops->network_ensure(theirs, bench->web, &changed, &bench->err));
	assert_fails(bench, EEXIST, "belongs to another weir (store " THEIRS ")",
		     ops->network_ensure(bench->links, bench->web, &changed, &bench->err));
	strangers[1] = false;
	assert_ok(bench, ops->remove(bench->links, &names[1], 1, &strangers[1], &bench->err));
	assert_true(strangers[1]);
	assert_ok(bench, ops->list(bench->links, &bench->model.arena, &list, &n, &bench->err));
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(list[i].store, strcmp(list[i].network, "web") ? OURS : THEIRS);
	assert_ok(bench, ops->remove(theirs, &names[1], 1, NULL, &bench->err));
	ops->close(theirs);

	/* killed between creation and alias: in our group, and taken */
	assert_int_equal(sh("ip link add wb-web group 0x77656972 type bridge"), 0);
	assert_ok(bench, ops->list(bench->links, &bench->model.arena, &list, &n, &bench->err));
	assert_int_equal(n, 2);
	assert_ok(bench, ops->network_ensure(bench->links, bench->web, &changed, &bench->err));
	assert_shows("ip link show wb-web", "alias weir " OURS);
	clear_all(bench);
}

static void test_failure_leaves_nothing(void **state)
{
	struct bench *bench = *state;
	bool changed;

	make_network(bench, bench->web);
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &bench->a->netns_id, &changed,
					   &bench->err));
	bench->a->attachments[0].mac.bytes[0] = 0x01; /* multicast: the kernel takes no such MAC */
	assert_fails(bench, EADDRNOTAVAIL, "attaching \"a\" to \"web\"",
		     ops->attach_ensure(bench->links, bench->web, bench->a,
					&bench->a->attachments[0], &changed, &bench->err));
	assert_hides("ip link", "wv-a-web");
	bench->a->attachments[0].mac = (struct weir_mac){ 0 };
	bench->a->attachments[0].addrs[WEIR_IPV4] = addr("224.0.0.1"); /* after the veth is made */
	if (ops->attach_ensure(bench->links, bench->web, bench->a, &bench->a->attachments[0],
			       &changed, NULL) < 0)
		assert_hides("ip link", "wv-a-web");
	bench->web->mtu = 100000;
	assert_fails(bench, EINVAL, "link set wb-web",
		     ops->network_ensure(bench->links, bench->web, &changed, &bench->err));
	clear_all(bench);
}

static void test_remove_many(void **state)
{
	struct bench *bench = *state;
	char names[50][WEIR_IFNAME_SIZE];
	const char *list[50];
	bool changed;

	make_network(bench, bench->web);
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &bench->a->netns_id, &changed,
					   &bench->err));
	for (int i = 0; i < 50; i++) {
		struct weir_attachment att = bench->a->attachments[0];
		(void)snprintf(att.host_ifname, sizeof(att.host_ifname), "wv-%d", i);
		(void)snprintf(att.ifname, sizeof(att.ifname), "eth%d", i);
		att.addrs[WEIR_IPV4].bytes[3] = (uint8_t)(10 + i);
		att.addrs[WEIR_IPV6].bytes[15] = (uint8_t)(10 + i);
		assert_ok(bench, ops->attach_ensure(bench->links, bench->web, bench->a, &att,
						    &changed, &bench->err));
		memcpy(names[i], att.host_ifname, sizeof(names[i]));
		list[i] = names[i];
	}
	double start = now_ms();
	assert_ok(bench, ops->remove(bench->links, list, 1, NULL, &bench->err));
	double one = now_ms() - start;
	start = now_ms();
	assert_ok(bench, ops->remove(bench->links, list, 50, NULL,
				     &bench->err)); /* the first is gone already */
	double many = now_ms() - start;
	print_message("  removed 1 in %.1f ms, 49 in %.1f ms\n", one, many);
	assert_hides("ip link", "wv-");
	clear_all(bench);
}

static void test_host_facts(void **state)
{
	struct bench *bench = *state;
	struct weir_arena *arena = &bench->model.arena;
	struct weir_host_route *routes;
	char(*uplinks)[WEIR_IFNAME_SIZE];
	size_t n, ours = 0;
	long value = -1;
	struct weir_ports range;

	make_network(bench, bench->web);
	assert_int_equal(sh("ip link add up0 type veth peer name up1 && ip link set up0 up && "
			    "ip link set up1 up && ip addr add 192.0.2.5/24 dev up0 && "
			    "ip route add default via 192.0.2.1 && ip route add 198.51.100.0/24 "
			    "via 192.0.2.1 && "
			    "ip route add blackhole 203.0.113.0/24 && "
			    "ip -6 route add fd77::/64 dev up1 proto ra && "
			    "ip link add br0 type bridge && "
			    "ip link add slave type veth peer name free && "
			    "ip link set slave master br0"),
			 0);
	assert_ok(bench, ops->routes(bench->links, arena, &routes, &n, &bench->err));
	for (size_t i = 0; i < n; i++) {
		char text[WEIR_PREFIX_TEXT];
		assert_string_not_equal(routes[i].ifname, "wb-web");
		assert_true(routes[i].to.len > 0);
		(void)weir_prefix_text(&routes[i].to, text);
		ours += !strcmp(text, "192.0.2.0/24") || !strcmp(text, "198.51.100.0/24") ||
			!strcmp(text, "203.0.113.0/24") || !strcmp(text, "fd77::/64");
	}
	assert_int_equal(ours, 4);
	assert_int_equal(n, 4);
	static const struct {
		const char *addr;
		bool owned;
	} asked[] = { { "192.0.2.5", true },	{ "192.0.2.6", false }, { "198.51.100.1", false },
		      { "203.0.113.1", false }, { "fd77::1", false },	{ "2001:db8::1", false } };
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct weir_addr addr;
		bool owned = !asked[i].owned;
		assert_int_equal(weir_addr_parse(asked[i].addr, &addr, NULL), 0);
		assert_ok(bench, ops->owns(bench->links, &addr, &owned, &bench->err));
		assert_int_equal(owned, asked[i].owned);
	}
	assert_ok(bench, ops->uplinks(bench->links, arena, &uplinks, &n, &bench->err));
	for (size_t i = ours = 0; i < n; i++) {
		ours += !strcmp(uplinks[i], "up0") || !strcmp(uplinks[i], "up1");
		assert_string_not_equal(uplinks[i], "lo");
		assert_string_not_equal(uplinks[i], "wb-web");
		assert_string_not_equal(uplinks[i], "slave");
	}
	assert_int_equal(ours, 2);
	assert_int_equal(sh("ip link del up0 && ip link del slave && ip link del br0 && ip route "
			    "flush type blackhole"),
			 0);

	assert_ok(bench, ops->sysctl_set(bench->links, "net/ipv4/ip_forward", 1, &bench->err));
	assert_ok(bench, ops->sysctl_get(bench->links, "net/ipv4/ip_forward", &value, &bench->err));
	assert_int_equal(value, 1);
	assert_ok(bench, ops->sysctl_set(bench->links, "net/ipv4/ip_forward", 0, &bench->err));
	assert_fails(bench, ENOENT, "net/ipv4/none",
		     ops->sysctl_get(bench->links, "net/ipv4/none", &value, &bench->err));
	static const char *const bad[] = {
		"kernel/hostname", "net/../kernel/pid_max", "net/",    "/net/x",
		"net//x",	   "net/ipv4/..",	    "net/./x", "net"
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(bench, EINVAL, "is no network sysctl",
			     ops->sysctl_get(bench->links, bad[i], &value, &bench->err));
	assert_ok(bench, ops->port_range(bench->links, &range, &bench->err));
	assert_true(range.lo > 1000 && range.hi > range.lo);
	clear_all(bench);
}

/* Binds a socket; the port is in *ret_port. */
static int bound(int family, int type, const void *address, socklen_t size, bool v6only)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0), on = v6only;
	assert_true(fd >= 0);
	if (family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, address, size), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void test_sockets(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons(7001),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(7002) };
	struct weir_host_socket *list;
	size_t n, seen = 0;
	char owner[64], self[32];

	assert_int_equal(sh("ip link set lo up"), 0);
	int fds[] = { bound(AF_INET, SOCK_STREAM, &v4, sizeof(v4), false),
		      bound(AF_INET, SOCK_DGRAM, &v4, sizeof(v4), false),
		      bound(AF_INET6, SOCK_STREAM, &v6, sizeof(v6), true),
		      bound(AF_INET6, SOCK_DGRAM, &v6, sizeof(v6), false) };
	assert_ok(bench, ops->sockets(bench->links, &bench->model.arena, &list, &n, &bench->err));
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		bool tcp = list[i].proto == WEIR_TCP;
		if (list[i].addr.family == WEIR_IPV4)
			seen += weir_addr_is_loopback(&list[i].addr) && list[i].port == 7001;
		else
			seen += weir_addr_is_any(&list[i].addr) && list[i].port == 7002 &&
				list[i].v6only == tcp;
	}
	assert_int_equal(seen, 4);
	ops->socket_owner(bench->links, list[0].inode, owner, sizeof(owner));
	(void)snprintf(self, sizeof(self), "(pid %d)", (int)getpid());
	assert_non_null(strstr(owner, self));
	ops->socket_owner(bench->links, 1, owner, sizeof(owner));
	assert_string_equal(owner, "another process");
	for (size_t i = 0; i < 4; i++)
		(void)close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(bridge),	  ROW(bridge_drift), ROW(foreign), ROW(failure_leaves_nothing),
		ROW(remove_many), ROW(host_facts),   ROW(sockets),
	};

	RUN_IN_WORLD("test_netlink", tests);
}
