/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rtnetlink backend against the kernel: made, found so, mended, refused, removed without a trace.
 *
 * How it works: the program moves into a network and a mount namespace of its own, with an empty /run
 * and /etc. Every test starts without interfaces but loopback and ends by showing that none is left.
 * The kernel is changed and read back by ip(8) and packets, not by the code under test. Without root:
 * skipped. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cmocka.h>

#include "backends/netlink/netlink.h"

#define OURS "11111111-1111-4111-8111-111111111111"
#define THEIRS "22222222-2222-4222-8222-222222222222"

static const struct weir_link_ops *const ops = &weir_netlink;

/* What one test works with. */
struct bench {
	struct weir_links *links;
	struct weir_trace trace;
	size_t lines; /* that were traced */
	struct weir_model model;
	struct weir_network *web, *v4only, *wire;
	struct weir_endpoint *a, *b, *c;
	struct weir_err err;
};

/* ---- helpers ---- */

static struct weir_addr addr(const char *text)
{
	struct weir_addr ret;
	assert_int_equal(weir_addr_parse(text, &ret, NULL), 0);
	return ret;
}

static struct weir_prefix prefix(const char *text)
{
	struct weir_prefix ret;
	assert_int_equal(weir_prefix_parse(text, &ret, NULL), 0);
	return ret;
}

/* A shell command's exit code; what it prints goes to the test's output. */
__attribute__((format(printf, 1, 2))) static int sh(const char *fmt, ...)
{
	char command[512];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	int status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Does a command's output hold the text? Prints the output if not as hoped. */
static bool output_has(const char *command, const char *text, bool hoped)
{
	static char output[65536];
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	size_t n = fread(output, 1, sizeof(output) - 1, pipe);
	output[n] = '\0';
	(void)pclose(pipe);
	bool has = strstr(output, text) != NULL;
	if (has != hoped)
		print_error("%s: \"%s\" %s in\n%s\n", command, text, has ? "is" : "is not", output);
	return has;
}
#define assert_shows(command, text) assert_true(output_has(command, text, true))
#define assert_hides(command, text) assert_false(output_has(command, text, false))

#define assert_ok(bench, call)                                                    \
	do {                                                                      \
		int r_ = (call);                                                  \
		if (r_ != 0)                                                      \
			print_error("%s: %d %s\n", #call, r_, (bench)->err.text); \
		assert_int_equal(r_, 0);                                          \
	} while (0)
#define assert_fails(bench, code_, words, call)                                       \
	do {                                                                          \
		int r_ = (call);                                                      \
		if (r_ != -(code_) || !strstr((bench)->err.text, words))              \
			print_error("%s: %d \"%s\"\n", #call, r_, (bench)->err.text); \
		assert_int_equal(r_, -(code_));                                       \
		assert_non_null(strstr((bench)->err.text, words));                    \
		(bench)->err = (struct weir_err){ 0 };                                \
	} while (0)

static double now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void count_line(void *ctx, const char *text)
{
	if (getenv("SHOW_TRACE"))
		print_message("  %s\n", text);
	((struct bench *)ctx)->lines++;
}

/* ---- the model of the tests ---- */

static void add_network(struct weir_model *model, const char *name, enum weir_mode mode,
			const char *ifname, const char *const *subnets, const char *const *gateways)
{
	struct weir_network *net = weir_model_add_network(model);
	assert_non_null(net);
	net->name = name;
	net->mode = mode;
	(void)snprintf(net->ifname, sizeof(net->ifname), "%s", ifname);
	while (subnets[net->n_subnets])
		net->n_subnets++;
	net->subnets = weir_arena_alloc(&model->arena, net->n_subnets * sizeof(*net->subnets));
	for (size_t i = 0; i < net->n_subnets; i++) {
		net->subnets[i].prefix = prefix(subnets[i]);
		if (gateways)
			net->subnets[i].gateway = addr(gateways[i]);
	}
}

static void attach(struct weir_model *model, struct weir_endpoint *ep, const char *network,
		   const char *ifname, const char *host_ifname, const char *v4, const char *v6)
{
	struct weir_attachment *att = weir_endpoint_add_attachment(model, ep);
	assert_non_null(att);
	att->network = network;
	(void)snprintf(att->ifname, sizeof(att->ifname), "%s", ifname);
	(void)snprintf(att->host_ifname, sizeof(att->host_ifname), "%s", host_ifname);
	att->addrs[WEIR_IPV4] = addr(v4);
	if (v6)
		att->addrs[WEIR_IPV6] = addr(v6);
}

static void build_model(struct bench *bench)
{
	struct weir_model *model = &bench->model;

	add_network(model, "web", WEIR_MODE_BRIDGE, "wb-web",
		    (const char *[]){ "10.88.1.0/24", "fd00:88:1::/64", NULL },
		    (const char *[]){ "10.88.1.1", "fd00:88:1::1" });
	add_network(model, "plain", WEIR_MODE_BRIDGE, "wb-plain",
		    (const char *[]){ "10.88.2.0/24", NULL }, (const char *[]){ "10.88.2.1" });
	add_network(model, "wire", WEIR_MODE_P2P, "", (const char *[]){ "10.88.3.0/30", NULL },
		    NULL);

	struct weir_endpoint *ep = weir_model_add_endpoint(model);
	ep->name = "a";
	attach(model, ep, "web", "eth0", "wv-a-web", "10.88.1.2", "fd00:88:1::2");
	ep = weir_model_add_endpoint(model);
	ep->name = "b";
	attach(model, ep, "web", "eth0", "wv-b-web", "10.88.1.3", "fd00:88:1::3");
	ep = weir_model_add_endpoint(model);
	ep->name = "c";
	attach(model, ep, "plain", "eth0", "wv-c-plain", "10.88.2.2", NULL);
	weir_model_sort(model);
	bench->web = weir_model_network(model, "web");
	bench->v4only = weir_model_network(model, "plain");
	bench->wire = weir_model_network(model, "wire");
	bench->a = weir_model_endpoint(model, "a");
	bench->b = weir_model_endpoint(model, "b");
	bench->c = weir_model_endpoint(model, "c");
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	if (!bench)
		return -1;
	*state = bench;
	bench->trace = (struct weir_trace){ .line = count_line, .ctx = bench };
	build_model(bench);
	int r = ops->open(OURS, &bench->trace, &bench->links, &bench->err);
	if (r < 0)
		print_error("open: %s\n", bench->err.text);
	return r;
}

static int teardown(void **state)
{
	struct bench *bench = *state;
	ops->close(bench->links);
	weir_model_free(&bench->model);
	free(bench);
	return 0;
}

static void make_network(struct bench *bench, struct weir_network *net)
{
	bool changed = false;
	assert_ok(bench, ops->network_ensure(bench->links, net, &changed, &bench->err));
	assert_int_equal(changed, net->mode == WEIR_MODE_BRIDGE);
	assert_ok(bench, ops->network_up(bench->links, net, &bench->err));
}

static void make_endpoint(struct bench *bench, struct weir_endpoint *ep)
{
	bool changed = false;
	assert_ok(bench, ops->netns_ensure(bench->links, ep, &ep->netns_id, &changed, &bench->err));
	for (size_t i = 0; i < ep->n_attachments; i++) {
		struct weir_attachment *att = &ep->attachments[i];
		const struct weir_network *net = weir_model_network(&bench->model, att->network);
		assert_ok(bench,
			  ops->attach_ensure(bench->links, net, ep, att, &changed, &bench->err));
		assert_true(changed);
	}
	for (size_t i = 0; i < ep->n_attachments; i++)
		assert_ok(bench, ops->attach_up(bench->links, &bench->model, ep,
						&ep->attachments[i], &bench->err));
}

static void check_all(struct bench *bench, struct weir_endpoint *ep)
{
	for (size_t i = 0; i < ep->n_attachments; i++)
		assert_ok(bench, ops->attach_check(bench->links, &bench->model, ep,
						   &ep->attachments[i], &bench->err));
}

/* Removes all that the bench made, and shows that nothing is left. */
static void clear_all(struct bench *bench)
{
	const char *names[] = { "wv-a-web",  "wv-b-web",  "wv-c-plain", "wv-a-plain",
				"wv-a-wire", "wv-b-wire", "wb-web",	"wb-plain" };
	struct weir_endpoint *const eps[] = { bench->a, bench->b, bench->c };

	assert_ok(bench,
		  ops->remove(bench->links, names, sizeof(names) / sizeof(names[0]), &bench->err));
	for (size_t i = 0; i < sizeof(eps) / sizeof(eps[0]); i++)
		assert_ok(bench, ops->netns_remove(bench->links, eps[i], &bench->err));
	assert_int_equal(sh("test -z \"$(ls -A /run/netns 2>/dev/null)\""), 0);
	assert_int_equal(sh("test \"$(ip -o link | wc -l)\" = 1"), 0); /* loopback */
	assert_int_equal(sh("test ! -e /etc/netns/a && test ! -e /etc/netns/b"), 0);
}

/* ---- tests ---- */

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

static void test_namespace(void **state)
{
	struct bench *bench = *state;
	struct weir_netns_id id, again;
	bool changed = false, taken = true;

	assert_ok(bench, ops->netns_taken(bench->links, bench->a, &taken, &bench->err));
	assert_false(taken);
	bench->a->forward = true;
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &id, &changed, &bench->err));
	assert_true(changed);
	assert_shows("ip netns list", "a");
	assert_shows("ip netns exec a ip link show lo", "UP");
	assert_int_equal(sh("ip netns exec a ping -c1 -W1 -q 127.0.0.1 >/dev/null"), 0);
	assert_shows("ip netns exec a cat /proc/sys/net/ipv4/ip_forward", "1");
	assert_shows("ip netns exec a cat /proc/sys/net/ipv6/conf/all/forwarding", "1");
	assert_ok(bench, ops->netns_taken(bench->links, bench->a, &taken, &bench->err));
	assert_true(taken);

	bench->a->forward = false;
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &again, &changed, &bench->err));
	assert_true(changed); /* not recorded yet, but known by its mark: taken over, not refused */
	assert_int_equal(again.ino, id.ino);
	assert_shows("ip netns exec a cat /proc/sys/net/ipv4/ip_forward", "0");
	bench->a->netns_id = id;
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &again, &changed, &bench->err));
	assert_false(changed);

	/* its place is taken by another one */
	assert_int_equal(sh("ip netns del a && ip netns add a"), 0);
	assert_fails(bench, ESTALE, "is not the one that endpoint \"a\" had",
		     ops->netns_ensure(bench->links, bench->a, &again, &changed, &bench->err));
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_shows("ip netns list", "a"); /* foreign: it stays */
	bench->a->netns_id = (struct weir_netns_id){ 0 };
	assert_fails(bench, EEXIST, "a namespace that is not weir's is at /run/netns/a",
		     ops->netns_ensure(bench->links, bench->a, &again, &changed, &bench->err));
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_int_equal(sh("ip netns del a"), 0);

	/* the remnant of a killed maker */
	assert_int_equal(sh("mkdir -p /run/netns && : > /run/netns/a"), 0);
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &again, &changed, &bench->err));
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_int_equal(sh("mkdir -p /run/netns && echo mine > /run/netns/a"), 0);
	assert_fails(bench, EEXIST, "/run/netns/a",
		     ops->netns_ensure(bench->links, bench->a, &again, &changed, &bench->err));
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_shows("cat /run/netns/a", "mine");
	assert_int_equal(sh("rm /run/netns/a"), 0);
	clear_all(bench);
}

/* Does a shell condition come true within five seconds? */
static bool comes_true(const char *condition)
{
	double deadline = now_ms() + 5000;
	while (now_ms() < deadline)
		if (sh("%s", condition) == 0)
			return true;
	return false;
}

/* The handle's own socket must not keep a removed namespace alive. */
static void test_namespace_ends(void **state)
{
	struct bench *bench = *state;

	make_network(bench, bench->web);
	make_endpoint(bench, bench->a);
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_true(comes_true("test ! -e /sys/class/net/wv-a-web"));
	clear_all(bench);
}

/* The folder comes and goes with its content; one that somebody else has made stays. */
static void test_namespace_folder(void **state)
{
	struct bench *bench = *state;
	struct weir_netns_id id;

	(void)sh("umount /run/netns 2>/dev/null; rmdir /run/netns 2>/dev/null");
	assert_int_equal(sh("test ! -e /run/netns && mount --make-shared /run"), 0);
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &id, NULL, &bench->err));
	assert_shows("cut -d' ' -f5 /proc/self/mountinfo", "/run/netns\n");
	assert_int_equal(sh("ip netns add t0 && ip netns del t0"),
			 0); /* which leaves it as it is */
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_int_equal(sh("test ! -e /run/netns"), 0);

	assert_int_equal(sh("mount --make-private /run"), 0);
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &id, NULL, &bench->err));
	assert_shows("findmnt -no PROPAGATION /run/netns", "shared");
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_int_equal(sh("test ! -e /run/netns"), 0);

	assert_int_equal(sh("mkdir /run/netns"), 0);
	bench->a->netns_id = (struct weir_netns_id){ 0 };
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &id, NULL, &bench->err));
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_shows("ls -d /run/netns", "/run/netns");
	clear_all(bench);
}

static void test_namespace_by_path(void **state)
{
	struct bench *bench = *state;
	struct weir_netns_id id, here;
	bool changed = false;

	bench->a->netns = WEIR_NETNS_PATH;
	bench->a->netns_path = "/run/netns/pod";
	assert_fails(bench, ENOENT, "/run/netns/pod",
		     ops->netns_ensure(bench->links, bench->a, &id, &changed, &bench->err));
	assert_int_equal(sh("ip netns add pod"), 0);
	make_network(bench, bench->web);
	make_endpoint(bench, bench->a);
	check_all(bench, bench->a);
	assert_shows("ip -n pod addr show eth0", "10.88.1.2/24");
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_shows("ip netns list", "pod"); /* never removed */
	/* an interface there that is not ours stays */
	const char *names[] = { "wv-a-web" };
	assert_ok(bench, ops->remove(bench->links, names, 1, &bench->err));
	assert_int_equal(sh("ip -n pod link add eth0 type bridge"), 0);
	assert_fails(bench, EEXIST, "has an interface eth0 already",
		     ops->attach_ensure(bench->links, bench->web, bench->a,
					&bench->a->attachments[0], &changed, &bench->err));
	assert_hides("ip link", "wv-a-web");
	assert_int_equal(sh("ip netns del pod"), 0);

	bench->a->netns_id = (struct weir_netns_id){ 0 };
	bench->a->netns_path = "/dev/null";
	assert_fails(bench, EINVAL, "/dev/null is not a network namespace",
		     ops->netns_ensure(bench->links, bench->a, &id, &changed, &bench->err));
	bench->a->netns_path = "/proc/self/ns/mnt";
	assert_fails(bench, EINVAL, "is a namespace, but not of networks",
		     ops->netns_ensure(bench->links, bench->a, &id, &changed, &bench->err));
	bench->a->netns_path = "/proc/self/ns/net";
	assert_fails(bench, EBUSY, "is the host's own",
		     ops->netns_ensure(bench->links, bench->a, &id, &changed, &bench->err));
	bench->a->netns = WEIR_NETNS_HOST;
	assert_ok(bench, ops->netns_ensure(bench->links, bench->a, &id, &changed, &bench->err));
	assert_ok(bench, ops->identity(bench->links, &here, &bench->err));
	assert_int_equal(id.ino, here.ino);
	bench->a->netns = WEIR_NETNS_OWN;
	clear_all(bench);
}

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
	assert_int_equal(sh("ip netns exec a ping -c1 -W1 -q 10.88.1.3 >/dev/null"), 0);
	assert_int_equal(sh("ip netns exec a ping -c1 -W1 -q fd00:88:1::3 >/dev/null"), 0);
	assert_int_equal(sh("ip netns exec b ping -c1 -W1 -q fd00:88:1::1 >/dev/null"), 0);
	assert_int_equal(sh("ping -c1 -W1 -q 10.88.1.2 >/dev/null"), 0);
	assert_int_equal(sh("ping -c1 -W1 -q fd00:88:1::2 >/dev/null"), 0);
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
	assert_int_equal(sh("ping -c1 -W1 -q 10.88.1.2 >/dev/null"), 0);
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
	assert_int_equal(sh("ip netns exec b ping -c1 -W1 -q 10.88.1.2 >/dev/null"), 0);
	assert_int_equal(sh("ip netns exec b ping -c1 -W1 -q fd00:88:1::2 >/dev/null"), 0);
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
	assert_int_equal(sh("ip netns exec b ping -c1 -W1 -q 10.88.1.77 >/dev/null"), 0);
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
	assert_int_equal(sh("ping -c1 -W1 -q 10.88.1.2 >/dev/null && "
			    "ping -c1 -W1 -q fd00:88:1::2 >/dev/null"),
			 0);
	assert_ok(bench, ops->remove(bench->links, names, 1, &bench->err));
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
	assert_ok(bench, ops->remove(bench->links, names, 1, &bench->err));
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
	assert_int_equal(sh("ip netns exec c ping -c1 -W1 -q 10.88.2.1 >/dev/null"), 0);
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
	assert_int_equal(sh("ip netns exec a ping -c1 -W1 -q 10.88.3.2 >/dev/null"), 0);
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

static void test_foreign(void **state)
{
	struct bench *bench = *state;
	struct weir_links *theirs = NULL;
	struct weir_link_info *list = NULL;
	size_t n = 0;
	bool changed;
	const char *names[] = { "wb-plain", "wb-web" };

	assert_int_equal(sh("ip link add wb-web type bridge"), 0);
	assert_fails(bench, EEXIST, "an interface wb-web that is not weir's exists",
		     ops->network_ensure(bench->links, bench->web, &changed, &bench->err));
	make_network(bench, bench->v4only);
	assert_fails(bench, EPERM, "wb-web is not weir's",
		     ops->remove(bench->links, names, 2, &bench->err));
	assert_shows("ip link", "wb-plain"); /* nothing was removed */
	assert_int_equal(sh("ip link del wb-web"), 0);

	assert_ok(bench, ops->open(THEIRS, NULL, &theirs, &bench->err));
	assert_ok(bench, ops->network_ensure(theirs, bench->web, &changed, &bench->err));
	assert_fails(bench, EEXIST, "belongs to another weir (store " THEIRS ")",
		     ops->network_ensure(bench->links, bench->web, &changed, &bench->err));
	assert_fails(bench, EPERM, "belongs to another weir",
		     ops->remove(bench->links, names, 2, &bench->err));
	assert_ok(bench, ops->list(bench->links, &bench->model.arena, &list, &n, &bench->err));
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(list[i].store, strcmp(list[i].network, "web") ? OURS : THEIRS);
	assert_ok(bench, ops->remove(theirs, &names[1], 1, &bench->err));
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
	assert_ok(bench, ops->remove(bench->links, list, 1, &bench->err));
	double one = now_ms() - start;
	start = now_ms();
	assert_ok(bench,
		  ops->remove(bench->links, list, 50, &bench->err)); /* the first is gone already */
	double many = now_ms() - start;
	print_message("  removed 1 in %.1f ms, 49 in %.1f ms\n", one, many);
	assert_hides("ip link", "wv-");
	clear_all(bench);
}

static void check_hosts_files(struct bench *bench, const char *networks)
{
	const char **list, *text;
	size_t n;

	assert_ok(bench,
		  ops->hosts_list(bench->links, &bench->model.arena, &list, &n, &bench->err));
	assert_int_equal(n, 1);
	assert_string_equal(list[0], networks);
	assert_ok(bench,
		  ops->hosts_read(bench->links, list[0], &bench->model.arena, &text, &bench->err));
	assert_string_equal(text, "10.88.1.2\ta\n");
	assert_ok(bench,
		  ops->hosts_read(bench->links, "no", &bench->model.arena, &text, &bench->err));
	assert_null(text);
}

static void test_names(void **state)
{
	struct bench *bench = *state;
	struct weir_addr dns[] = { addr("9.9.9.9"), addr("2620:fe::fe") };
	bool changed = false;

	make_network(bench, bench->web);
	make_endpoint(bench, bench->a);
	bench->a->dns = dns;
	bench->a->n_dns = 2;
	assert_ok(bench, ops->names_ensure(bench->links, bench->a, &changed, &bench->err));
	assert_true(changed);
	assert_shows("ip netns exec a cat /etc/resolv.conf",
		     "nameserver 9.9.9.9\nnameserver 2620:fe::fe\n");
	const char *networks = weir_endpoint_networks(bench->a, &bench->model.arena);
	assert_non_null(networks);
	assert_ok(bench, ops->hosts_write(bench->links, networks, "10.88.1.2\ta\n", &bench->err));
	assert_shows("ip netns exec a cat /etc/hosts", "10.88.1.2\ta\n");
	check_hosts_files(bench, networks);
	assert_ok(bench, ops->names_ensure(bench->links, bench->a, &changed, &bench->err));
	assert_false(changed);
	bench->a->n_dns = 0;
	assert_ok(bench, ops->names_ensure(bench->links, bench->a, &changed, &bench->err));
	assert_int_equal(sh("test ! -e /etc/netns/a/resolv.conf"), 0);
	/* what a store that is gone has left */
	assert_int_equal(sh("rm /etc/netns/a/hosts; echo '# weir " THEIRS
			    " endpoint a' > /etc/netns/a/hosts"),
			 0);
	assert_ok(bench, ops->names_ensure(bench->links, bench->a, &changed, &bench->err));
	assert_true(changed);
	assert_shows("cat /etc/netns/a/hosts", "10.88.1.2\ta\n");
	assert_int_equal(sh("rm /etc/netns/a/hosts; echo '# mine' > /etc/netns/a/hosts"), 0);
	assert_ok(bench, ops->names_ensure(bench->links, bench->a, &changed, &bench->err));
	assert_false(changed);
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_shows("cat /etc/netns/a/hosts", "# mine");
	assert_ok(bench, ops->hosts_write(bench->links, networks, NULL, &bench->err));
	assert_int_equal(sh("rm -r /etc/netns/a && rmdir /etc/netns"), 0);
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
			    "ip -6 route add fd77::/64 dev up1 proto ra"),
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
	assert_ok(bench, ops->ra_uplinks(bench->links, arena, &uplinks, &n, &bench->err));
	assert_int_equal(n, 1);
	assert_string_equal(uplinks[0], "up1");
	assert_int_equal(sh("ip link del up0 && ip route flush type blackhole"), 0);

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
		assert_ok(bench, ops->remove(bench->links, &name, 1, &bench->err));
		assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
		bench->a->netns_id = (struct weir_netns_id){ 0 };
	}
	print_message("  namespace %.2f ms, attach %.2f ms, up %.2f ms\n", space / ROUNDS,
		      ensure / ROUNDS, up / ROUNDS);
	clear_all(bench);
}

/* ---- the world ---- */

static int enter_world(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return -errno;
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/run", "tmpfs", 0, "mode=0755") < 0 ||
	    mount("none", "/etc", "tmpfs", 0, "mode=0755") < 0)
		return -errno;
	/* what `ip netns exec` binds an endpoint's own files over */
	return sh(": > /etc/resolv.conf && : > /etc/hosts") ? -EIO : 0;
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		ROW(bridge),
		ROW(bridge_drift),
		ROW(namespace),
		ROW(namespace_ends),
		ROW(namespace_folder),
		ROW(namespace_by_path),
		ROW(attach),
		ROW(attach_drift),
		ROW(hairpin),
		ROW(change_in_place),
		ROW(address_used_again),
		ROW(ipv4_only),
		ROW(two_networks),
		ROW(wire),
		ROW(foreign),
		ROW(failure_leaves_nothing),
		ROW(remove_many),
		ROW(names),
		ROW(host_facts),
		ROW(sockets),
		ROW(cost),
	};
	int r = enter_world();

	if (r < 0) {
		print_message(
			"test_netlink: skipped: no namespaces of its own (%s); it needs root\n",
			strerror(-r));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
