/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the rtnetlink backend share: a world of their own, a model, and a look at the kernel.
 *
 * How it works: the program moves into a network and a mount namespace of its own, with an empty /run
 * and /etc. Every test starts without interfaces but loopback and ends by showing that none is left.
 * The kernel is changed and read back by ip(8) and packets, not by the code under test. Without root:
 * skipped. */
#ifndef WEIR_UNIT_NETLINK_FIXTURE_H
#define WEIR_UNIT_NETLINK_FIXTURE_H

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

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

static inline struct weir_addr addr(const char *text)
{
	struct weir_addr ret;
	assert_int_equal(weir_addr_parse(text, &ret, NULL), 0);
	return ret;
}

static inline struct weir_prefix prefix(const char *text)
{
	struct weir_prefix ret;
	assert_int_equal(weir_prefix_parse(text, &ret, NULL), 0);
	return ret;
}

/* A shell command's exit code; what it prints goes to the test's output. */
__attribute__((format(printf, 1, 2))) static inline int sh(const char *fmt, ...)
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
static inline bool output_has(const char *command, const char *text, bool hoped)
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

static inline double now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static inline void count_line(void *ctx, const char *text)
{
	if (getenv("SHOW_TRACE"))
		print_message("  %s\n", text);
	((struct bench *)ctx)->lines++;
}

/* ---- the model of the tests ---- */

static inline void add_network(struct weir_model *model, const char *name, enum weir_mode mode,
			       const char *ifname, const char *const *subnets,
			       const char *const *gateways)
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

static inline void attach(struct weir_model *model, struct weir_endpoint *ep, const char *network,
			  const char *ifname, const char *host_ifname, const char *v4,
			  const char *v6)
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

static inline void build_model(struct bench *bench)
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	struct bench *bench = *state;
	ops->close(bench->links);
	weir_model_free(&bench->model);
	free(bench);
	return 0;
}

static inline void make_network(struct bench *bench, struct weir_network *net)
{
	bool changed = false;
	assert_ok(bench, ops->network_ensure(bench->links, net, &changed, &bench->err));
	assert_int_equal(changed, net->mode == WEIR_MODE_BRIDGE);
	assert_ok(bench, ops->network_up(bench->links, net, &bench->err));
}

static inline void make_endpoint(struct bench *bench, struct weir_endpoint *ep)
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

static inline void check_all(struct bench *bench, struct weir_endpoint *ep)
{
	for (size_t i = 0; i < ep->n_attachments; i++)
		assert_ok(bench, ops->attach_check(bench->links, &bench->model, ep,
						   &ep->attachments[i], &bench->err));
}

/* Removes all that the bench made, and shows that nothing is left. */
static inline void clear_all(struct bench *bench)
{
	const char *names[] = { "wv-a-web",  "wv-b-web",  "wv-c-plain", "wv-a-plain",
				"wv-a-wire", "wv-b-wire", "wb-web",	"wb-plain" };
	struct weir_endpoint *const eps[] = { bench->a, bench->b, bench->c };

	assert_ok(bench, ops->remove(bench->links, names, sizeof(names) / sizeof(names[0]), NULL,
				     &bench->err));
	for (size_t i = 0; i < sizeof(eps) / sizeof(eps[0]); i++)
		assert_ok(bench, ops->netns_remove(bench->links, eps[i], &bench->err));
	assert_int_equal(sh("test -z \"$(ls -A /run/netns 2>/dev/null)\""), 0);
	assert_int_equal(sh("test \"$(ip -o link | wc -l)\" = 1"), 0); /* loopback */
	assert_int_equal(sh("test ! -e /etc/netns/a && test ! -e /etc/netns/b"), 0);
}

/* ---- the world ---- */

static inline int enter_world(void)
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

#define ROW(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

/* The tests of a program; NAME is its own. */
#define RUN_IN_WORLD(NAME, tests)                                                          \
	do {                                                                               \
		int r_ = enter_world();                                                    \
		if (r_ < 0) {                                                              \
			print_message(NAME ": skipped: no namespaces of its own (%s); it " \
					   "needs root\n",                                 \
				      strerror(-r_));                                      \
			return 0;                                                          \
		}                                                                          \
		return cmocka_run_group_tests(tests, NULL, NULL);                          \
	} while (0)

#endif
