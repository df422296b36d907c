/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock and its mark: who holds it, what a killed holder leaves to do, and who waits while the folder
 * goes away. */
#include "vmtests/unit/engine_fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/lock.h"

static const char spec[] = "networks: {web: {subnets: [10.1.0.0/24]}}\n"
			   "endpoints: {nginx: {networks: [web], publish: [\"8080:80\"]}}\n";

static int take(struct host *h, unsigned timeout_ms, const char *holder, struct weir_lock *ret)
{
	*ret = (struct weir_lock)WEIR_LOCK_INIT;
	h->err = (struct weir_err){ 0 };
	return weir_lock_take(h->state, timeout_ms, holder, ret, &h->err);
}

static off_t mark_size(const struct host *h)
{
	char path[128];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/weir.lock", h->state);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void write_mark(const struct host *h, const char *text)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/weir.lock", h->state);
	FILE *file = fopen(path, "ae");
	assert_non_null(file);
	(void)fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static struct weir_flow_match flow_to(const char *addr, uint16_t port)
{
	struct weir_flow_match flow = { .family = WEIR_IPV4, .proto = WEIR_UDP };
	assert_int_equal(weir_addr_parse(addr, &flow.dst, NULL), 0);
	flow.dst_ports = (struct weir_ports){ port, port };
	return flow;
}

/* ---- holding ---- */

static void test_a_timeout_names_the_holder(void **state)
{
	struct host *h = *state;
	struct weir_lock first, second;
	OK(h, take(h, 0, "weir apply", &first));
	struct weir_flow_match flows[100];
	for (size_t i = 0; i < N_OF(flows); i++)
		flows[i] = flow_to("192.0.2.1", 80);
	OK(h, weir_lock_note_flows(&first, flows, N_OF(flows), &h->err));
	OK(h, weir_lock_note_sysctl(&first, "net/ipv4/ip_forward", 0, &h->err));
	OK(h, weir_lock_note_netns(&first, "nginx", &h->err));
	char path[PATH_MAX] = "/";
	memset(path + 1, 'a', sizeof(path) - 2);
	const struct weir_endpoint ep = { .name = "nginx",
					  .netns = WEIR_NETNS_PATH,
					  .netns_path = path,
					  .netns_id = { .ino = 7, .boot = "b" } };
	const struct weir_attachment att = { .network = "seg",
					     .ifname = "eth0",
					     .host_ifname = "wv-1" };
	OK(h, weir_lock_note_attachment(&first, &ep, &att, &h->err));
	char words[80];
	(void)snprintf(words, sizeof(words), "is held by weir apply (pid %ld) after 20 ms",
		       (long)getpid());
	FAILS(h, ETIMEDOUT, words, take(h, 20, "weir status", &second));
	h->engine.timeout_ms = 20;
	FAILS(h, ETIMEDOUT, words, apply(h, spec));
	weir_lock_release(&first, true);
	assert_int_equal(mark_size(h), 0);
	OK(h, apply(h, spec));
}

static void test_a_clean_release_leaves_no_mark(void **state)
{
	struct host *h = *state;
	struct weir_lock lock;
	struct stat st;
	OK(h, take(h, 0, "weir apply", &lock));
	assert_false(lock.dirty);
	assert_true(mark_size(h) > 0);
	weir_lock_release(&lock, true);
	OK(h, take(h, 0, "weir apply", &lock));
	assert_false(lock.dirty);
	weir_lock_release(&lock, false);
	OK(h, take(h, 0, "weir apply", &lock));
	assert_true(lock.dirty);
	weir_lock_release(&lock, true);
	assert_int_equal(stat(h->state, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

/* ---- what a mark says ---- */

static void test_a_mark_is_read_back(void **state)
{
	struct host *h = *state;
	struct weir_lock lock;
	struct weir_flow_match flows[2] = { flow_to("192.0.2.1", 8080), { .family = WEIR_IPV6 } };
	assert_int_equal(weir_prefix_parse("fd01::/64", &flows[1].src, NULL), 0);
	assert_int_equal(weir_prefix_parse("fd02::5/128", &flows[1].reply_src, NULL), 0);
	flows[0].published = true;
	flows[1].untranslated = flows[1].outside = true;
	OK(h, take(h, 0, "weir apply", &lock));
	OK(h, weir_lock_note_flows(&lock, flows, 2, &h->err));
	OK(h, weir_lock_note_sysctl(&lock, "net/ipv4/ip_forward", -3, &h->err));
	OK(h, weir_lock_note_netns(&lock, "nginx", &h->err));
	OK(h, weir_lock_note_backend(&lock, "iptables", &h->err));
	struct weir_endpoint eps[] = { { .name = "pod",
					 .netns = WEIR_NETNS_PATH,
					 .netns_path = "/run/my pods/a",
					 .netns_id = { 4, UINT64_MAX - 5, "boot", 9 } },
				       { .name = "own", .netns_id = { 4, 7, "boot", 0 } } };
	const struct weir_attachment att = { .network = "seg",
					     .ifname = "eth0",
					     .host_ifname = "wv-1" };
	for (size_t i = 0; i < N_OF(eps); i++)
		OK(h, weir_lock_note_attachment(&lock, &eps[i], &att, &h->err));
	weir_lock_release(&lock, false);
	write_mark(h, "netns ngi"); /* cut off by the kill */
	OK(h, take(h, 0, "weir apply", &lock));
	assert_true(lock.dirty);
	assert_int_equal(lock.n_flows, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct weir_flow_match *a = &flows[i], *b = &lock.flows[i];
		assert_int_equal(a->family, b->family);
		assert_int_equal(a->proto, b->proto);
		assert_int_equal(weir_addr_cmp(&a->dst, &b->dst), 0);
		assert_int_equal(weir_prefix_cmp(&a->src, &b->src), 0);
		assert_int_equal(weir_prefix_cmp(&a->reply_src, &b->reply_src), 0);
		assert_memory_equal(&a->dst_ports, &b->dst_ports, sizeof(a->dst_ports));
		assert_int_equal(a->untranslated, b->untranslated);
		assert_int_equal(a->outside, b->outside);
		assert_int_equal(a->published, b->published);
	}
	assert_int_equal(lock.n_sysctls, 1);
	assert_string_equal(lock.sysctls[0].key, "net/ipv4/ip_forward");
	assert_int_equal(lock.sysctls[0].old, -3);
	assert_int_equal(lock.n_netns, 1);
	assert_string_equal(lock.netns[0], "nginx");
	assert_int_equal(lock.n_backends, 1);
	assert_string_equal(lock.backends[0], "iptables");
	assert_int_equal(lock.n_attachments, N_OF(eps));
	for (size_t i = 0; i < N_OF(eps); i++) {
		const struct weir_noted_attachment *noted = &lock.attachments[i];
		assert_string_equal(noted->ep.name, eps[i].name);
		assert_true(weir_endpoint_same_netns(&noted->ep, &eps[i]));
		assert_true(weir_netns_id_equal(&noted->ep.netns_id, &eps[i].netns_id));
		assert_true(noted->ep.netns_id.cookie == eps[i].netns_id.cookie);
		assert_string_equal(noted->att.network, "seg");
		assert_string_equal(noted->att.ifname, "eth0");
		assert_string_equal(noted->att.host_ifname, "wv-1");
	}
	weir_lock_release(&lock, false);
	/* What the next holder writes is no part of the line that was cut off. */
	OK(h, take(h, 0, "weir apply", &lock));
	assert_int_equal(lock.n_netns, 1);
	weir_lock_release(&lock, true);
}

static void test_nonsense_in_a_mark_is_only_a_mark(void **state)
{
	struct host *h = *state;
	struct weir_lock lock;
	OK(h, apply(h, spec));
	char *want = dump(h);
	write_mark(
		h,
		"forget 9 x y z 1 2-3 4\nforget\nsysctl\nsysctl a\nnetns\nbackend\n\n\x01\xff\n"
		"attach\nattach a b c d\nattach a b c d 1 2 3 boot\nattach a b c d x 2 3 boot /x\n"
		"forget 1 - - - 1 90-80 0\nforget 1 300.0.0.0/8 - - 1 1-2 0\n");
	OK(h, take(h, 0, "weir apply", &lock));
	assert_true(lock.dirty);
	assert_int_equal(lock.n_flows + lock.n_sysctls + lock.n_netns + lock.n_backends +
				 lock.n_attachments,
			 0);
	weir_lock_release(&lock, false);
	OK(h, apply(h, spec));
	assert_int_equal(mark_size(h), 0);
	char *now = dump(h);
	SAME(want, now, "nonsense\n");
	free(want);
	free(now);
}

/* A predecessor's notes: connections, sysctls and namespaces that the store does not know. */
static void test_notes_are_carried_out(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	char *want = dump(h);
	struct weir_flow_match hit = flow_to("192.0.2.1", 53), other = flow_to("192.0.2.1", 54);
	assert_int_equal(weir_memory_add_flow(&hit), 0);
	assert_int_equal(weir_memory_add_flow(&other), 0);
	assert_int_equal(weir_memory_set_sysctl("net/ipv6/conf/eth0/accept_ra", 2), 0);
	assert_int_equal(weir_memory_add_netns("/run/netns/theirs"), 0);
	write_mark(h, "forget 1 - 192.0.2.1 - 2 53-53 0\n"
		      "sysctl net/ipv6/conf/eth0/accept_ra 1\n"
		      "sysctl net/ipv6/conf/gone/accept_ra 1\n"
		      "sysctl net/ipv4/ip_forward 0\n" /* recorded: stays as it is */
		      "netns nginx\n"		       /* the store knows it */
		      "netns theirs\n");	       /* has no mark of ours */
	OK(h, apply(h, spec));
	assert_int_equal(weir_memory_flows(), 1);
	assert_true(weir_memory_drop_netns("/run/netns/theirs"));
	char *now = dump(h);
	char *line = strstr(now, "sysctl net/ipv6/conf/eth0/accept_ra 1\n");
	assert_non_null(line);
	memmove(line, strchr(line, '\n') + 1, strlen(strchr(line, '\n')));
	SAME(want, now, "notes\n");
	free(want);
	free(now);
}

/* Where something cannot be mended the mark stays, so that the next one tries; its notes do not: what they
 * cut once, and gave back, may be there again. */
static void test_notes_are_carried_out_once(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	assert_true(weir_memory_drop_netns("/run/netns/nginx"));
	assert_int_equal(weir_memory_add_netns("/run/netns/nginx"), 0);
	struct weir_flow_match flow = flow_to("192.0.2.1", 53);
	assert_int_equal(weir_memory_add_flow(&flow), 0);
	write_mark(h, "forget 1 - 192.0.2.1 - 2 53-53 0\n");
	OK(h, repair(h));
	assert_int_equal(h->plan.n_unmended, 1);
	assert_int_equal(weir_memory_flows(), 0);
	off_t size = mark_size(h);
	assert_true(size > 0);
	assert_int_equal(weir_memory_add_flow(&flow), 0);
	OK(h, apply(h, "networks: {db: {subnet: 10.2.0.0/24}}"));
	assert_int_equal(weir_memory_flows(), 1);
	assert_int_equal(mark_size(h), size);
	assert_true(weir_memory_drop_netns("/run/netns/nginx"));
	OK(h, apply(h, spec));
	assert_int_equal(mark_size(h), 0);
}

static size_t count_noted_sysctls(struct host *h)
{
	struct weir_lock lock;
	assert_int_equal(take(h, 0, NULL, &lock), 0);
	size_t n = lock.n_sysctls;
	assert_true(lock.dirty);
	weir_lock_release(&lock, false);
	return n;
}

/* So with sysctls, even where all the rest fails: somebody else may have set them meanwhile. */
static void test_sysctls_are_given_back_once(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	assert_int_equal(weir_memory_set_sysctl("net/ipv6/conf/eth0/accept_ra", 2), 0);
	write_mark(h, "sysctl net/ipv6/conf/eth0/accept_ra 1\n");
	for (unsigned n = 1; count_noted_sysctls(h); n++) {
		weir_memory_fail_at(n, ENOMEM);
		assert_int_equal(repair(h), -ENOMEM);
	}
	weir_memory_fail_at(0, 0);
	assert_int_equal(weir_memory_set_sysctl("net/ipv6/conf/eth0/accept_ra", 2), 0);
	OK(h, repair(h));
	char *now = dump(h);
	assert_non_null(strstr(now, "sysctl net/ipv6/conf/eth0/accept_ra 2\n"));
	free(now);
}

/* ---- killed and waiting ---- */

static void die(void *ctx, const char *what, size_t done, size_t total)
{
	(void)ctx;
	(void)done;
	(void)total;
	if (strcmp(what, "attaching") == 0)
		(void)kill(getpid(), SIGKILL);
}

static void expect_status(pid_t child, int want)
{
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, want);
}

/* A process that dies holding the lock, inside the store's transaction. */
static void test_a_killed_holder(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, "networks: {web: {subnets: [10.1.0.0/24]}}"));
	char *want = dump(h);
	pid_t child = fork();
	if (child == 0) {
		h->engine.progress = die;
		(void)apply(h, spec);
		_exit(1);
	}
	expect_status(child, SIGKILL);
	assert_true(mark_size(h) > 0);
	/* looking does not take the mark away */
	OK(h, plan(h, spec));
	assert_true(mark_size(h) > 0);
	OK(h, repair(h));
	assert_int_equal(mark_size(h), 0);
	char *now = dump(h);
	SAME(want, now, "killed\n");
	OK(h, apply(h, spec));
	assert_int_equal(h->plan.n_steps, 1);
	free(want);
	free(now);
}

/* Who waits meets a file that is no longer in the folder, and makes both anew. */
static void test_the_folder_goes_while_another_waits(void **state)
{
	struct host *h = *state;
	struct weir_lock lock;
	int ready[2];
	char byte;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	OK(h, take(h, 0, "weir delete", &lock));
	pid_t child = fork();
	if (child == 0) {
		struct weir_lock late;
		close(lock.fd);
		if (take(h, 0, "weir apply", &late) != -ETIMEDOUT || write(ready[1], "w", 1) != 1)
			_exit(2);
		if (take(h, 10000, "weir apply", &late) < 0 || !exists(h->state) || late.dirty)
			_exit(3);
		weir_lock_remove(&late, h->state);
		_exit(exists(h->state) ? 4 : 0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1); /* it knows the file, and that it is ours */
	weir_lock_remove(&lock, h->state);
	expect_status(child, 0);
	close(ready[0]);
	close(ready[1]);
}

/* Each of many publishes a port of its own: none is lost, none waits for ever. */
static void test_many_at_once(void **state)
{
	struct host *h = *state;
	enum { MANY = 20 };
	pid_t children[MANY];
	OK(h, apply(h, spec));
	h->engine.timeout_ms = 30000;
	for (int i = 0; i < MANY; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char text[32];
			(void)snprintf(text, sizeof(text), "%d:80", 9000 + i);
			_exit(add_port(h, "nginx", text) == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < MANY; i++)
		expect_status(children[i], 0);
	char *text = dump(h);
	for (int i = 0; i < MANY; i++) {
		char row[32];
		(void)snprintf(row, sizeof(row), "host_port  1 %d nginx\n", 9000 + i);
		assert_non_null(strstr(text, row));
	}
	free(text);
}

/* ---- folders that cannot be ---- */

static void test_impossible_folders(void **state)
{
	struct host *h = *state;
	struct weir_lock lock;
	char file[96];
	(void)snprintf(file, sizeof(file), "%s/file", h->dir);
	FILE *out = fopen(file, "we");
	assert_non_null(out);
	assert_int_equal(fclose(out), 0);
	(void)snprintf(h->state, sizeof(h->state), "%.70s/file", h->dir);
	FAILS(h, ENOTDIR, "weir.lock", take(h, 0, "weir apply", &lock));
	(void)snprintf(h->state, sizeof(h->state), "%.66s/file/state", h->dir);
	FAILS(h, ENOTDIR, "cannot make", take(h, 0, "weir apply", &lock));
	h->state[0] = '\0';
	FAILS(h, EINVAL, "not a usable path", take(h, 0, "weir apply", &lock));
	(void)snprintf(h->state, sizeof(h->state), "%.70s/a/b/", h->dir);
	OK(h, take(h, 0, "weir apply", &lock));
	struct stat st;
	assert_int_equal(stat(h->state, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	weir_lock_remove(&lock, h->state);
	assert_false(exists(h->state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_a_timeout_names_the_holder),
		HOST_TEST(test_a_clean_release_leaves_no_mark),
		HOST_TEST(test_a_mark_is_read_back),
		HOST_TEST(test_nonsense_in_a_mark_is_only_a_mark),
		HOST_TEST(test_notes_are_carried_out),
		HOST_TEST(test_notes_are_carried_out_once),
		HOST_TEST(test_sysctls_are_given_back_once),
		HOST_TEST(test_a_killed_holder),
		HOST_TEST(test_the_folder_goes_while_another_waits),
		HOST_TEST(test_many_at_once),
		HOST_TEST(test_impossible_folders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
