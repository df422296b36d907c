/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rtnetlink backend against the kernel: the namespaces of endpoints, and the files of theirs. */
#include "vmtests/unit/netlink_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

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
	assert_int_equal(sh("ip netns exec a ping -c1 -W10 -q 127.0.0.1 >/dev/null"), 0);
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

	/* its inode, too: told by the cookie, and where there is none (before 5.14) by the mark */
	struct stat st;
	assert_return_code(stat("/run/netns/a", &st), errno);
	bench->a->netns_id.ino = st.st_ino;
	if (bench->a->netns_id.cookie)
		assert_fails(bench, ESTALE, "is not the one that endpoint \"a\" had",
			     ops->netns_ensure(bench->links, bench->a, &again, &changed,
					       &bench->err));
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	bench->a->netns_id.cookie = 0;
	assert_fails(bench, EEXIST, "a namespace that is not weir's is at /run/netns/a",
		     ops->netns_ensure(bench->links, bench->a, &again, &changed, &bench->err));
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_shows("ip netns list", "a");
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
	assert_ok(bench, ops->remove(bench->links, names, 1, NULL, &bench->err));
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
	assert_ok(bench, ops->netns_check(bench->links, bench->a, &bench->err));
	bench->a->n_dns = 0;
	assert_fails(bench, ESTALE, "/etc/netns/a/resolv.conf is not what weir writes",
		     ops->netns_check(bench->links, bench->a, &bench->err));
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
	assert_ok(bench, ops->netns_check(bench->links, bench->a, &bench->err));
	assert_ok(bench, ops->netns_remove(bench->links, bench->a, &bench->err));
	assert_shows("cat /etc/netns/a/hosts", "# mine");
	assert_ok(bench, ops->hosts_write(bench->links, networks, NULL, &bench->err));
	assert_int_equal(sh("rm -r /etc/netns/a && rmdir /etc/netns"), 0);
	clear_all(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(namespace),		ROW(namespace_ends), ROW(namespace_folder),
		ROW(namespace_by_path), ROW(names),
	};

	RUN_IN_WORLD("test_netlink_namespace", tests);
}
