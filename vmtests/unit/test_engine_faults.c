/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All or nothing: every call of a backend fails once in turn, in changes of every kind. The error comes
 * back, store and kernel are exactly as before, and the same change then succeeds and leaves exactly
 * what it leaves on a host where nothing ever failed. The same where everything fails from a call on,
 * as after a kill: the next command finishes or takes back what was begun. */
#include "vmtests/unit/engine_fixture.h"

#define WEB "networks:\n  web: {subnets: [10.1.0.0/24, \"fd01::/64\"]}\n"

static const char whole[] = WEB
	"  db: {subnet: 10.2.0.0/24, internal: true}\n"
	"  wire: {mode: p2p, subnet: 10.9.0.0/30}\n"
	"endpoints:\n"
	"  nginx: {networks: [web], publish: [\"8080:80\", \"5353:53/udp\"], dns: [10.1.0.1]}\n"
	"  api: {networks: {web: {}, db: {ip: 10.2.0.10}, wire: {}}, forward: true}\n"
	"  pg: {networks: [db, wire]}\n";

/* Changed, added and removed, with endpoints that stay. */
static const char other[] = WEB
	"  db: {subnet: 10.2.0.0/24, isolate: true}\n"
	"  more: {subnet: 10.3.0.0/24, mtu: 1400}\n"
	"  wire: {mode: p2p, subnet: 10.9.0.0/30}\n"
	"endpoints:\n"
	"  nginx: {networks: [web, more], publish: [\"8081:80\", \"5353:54/udp\"]}\n"
	"  api: {networks: {web: {ip: 10.1.0.77, ifname: lan0}, wire: {}}}\n"
	"  pg: {networks: [db, wire], publish: [\"5432:5432\"]}\n"
	"  fresh: {networks: [more], publish: [\"9000-9009:9000-9009\"]}\n";

static const char router[] =
	"networks:\n"
	"  left: {subnet: 10.4.1.0/24, gateway: router}\n"
	"  right: {subnet: 10.4.2.0/24, gateway: router}\n"
	"endpoints:\n"
	"  a: {networks: [left]}\n"
	"  b: {networks: [right]}\n"
	"  router: {networks: {left: {ip: 10.4.1.11}, right: {ip: 10.4.2.11}}, forward: true}\n";

static const char moved_router[] =
	"networks:\n"
	"  left: {subnet: 10.4.1.0/24, gateway: router}\n"
	"  right: {subnet: 10.4.2.0/24, gateway: router}\n"
	"endpoints:\n"
	"  a: {networks: [left]}\n"
	"  b: {networks: [right]}\n"
	"  router: {networks: {left: {ip: 10.4.1.12}, right: {ip: 10.4.2.12}}, forward: true}\n";

static const char elsewhere[] = WEB "endpoints:\n"
				    "  nginx: {networks: [web], netns: /run/netns/pod}\n";

static const char at_home[] = WEB "endpoints:\n"
				  "  nginx: {networks: [web]}\n";

/* ---- kinds of changes ---- */

static int put(struct host *h, const char *text)
{
	return apply(h, text);
}

static int put_only(struct host *h, const char *text)
{
	return prune(h, text);
}

static int put_new(struct host *h, const char *text)
{
	return add(h, text);
}

static int publish(struct host *h, const char *text)
{
	return add_port(h, "nginx", text);
}

static int unpublish(struct host *h, const char *text)
{
	return remove_port(h, "nginx", text);
}

static int delete (struct host *h, const char *text)
{
	(void)text;
	return delete_all(h);
}

struct scenario {
	const char *name;
	const char *before; /* NULL: nothing yet */
	int (*run)(struct host *h, const char *text);
	const char *text;
};

static const struct scenario scenarios[] = {
	{ "first apply", NULL, put, whole },
	{ "change, add and remove", whole, put_only, other },
	{ "and back", other, put_only, whole },
	{ "add an endpoint", whole, put_new,
	  "endpoints: {x: {networks: [web], publish: [\"99:9\"]}}" },
	{ "remove an endpoint", whole, remove_endpoint, "nginx" },
	{ "remove an end of a wire", whole, remove_endpoint, "pg" },
	{ "remove what is in three networks", whole, remove_endpoint, "api" },
	{ "add a network", whole, put_new, "networks: {x: {subnet: 10.7.0.0/24}}" },
	{ "remove a network", "networks: {x: {subnet: 10.7.0.0/24}}", remove_network, "x" },
	{ "publish", whole, publish, "9090:90" },
	{ "publish a range", whole, publish, "9000-9100:8000-8100/udp" },
	{ "publish with a port out of one", whole, publish, "127.0.0.1:7000:70" },
	{ "unpublish", whole, unpublish, "8080:80" },
	{ "unpublish UDP", whole, unpublish, "5353:53/udp" },
	{ "isolate", whole, put, WEB "  db: {subnet: 10.2.0.0/24, internal: true, isolate: true}" },
	{ "prune everything", whole, put_only, "networks: {}" },
	{ "prune to one", whole, put_only, WEB },
	{ "delete all", whole, delete, NULL },
	{ "a router", NULL, put, router },
	{ "a router moves", router, put, moved_router },
	{ "a router goes", router, remove_endpoint, "router" },
	{ "a namespace of somebody else's", at_home, put, elsewhere },
	{ "a namespace of its own", elsewhere, put, at_home },
	{ "one that has no network any more", whole, put, "endpoints: {nginx: {networks: []}}" },
};

/* ---- the test ---- */

static void start(struct host *h, const struct scenario *s)
{
	weir_memory_reset();
	assert_int_equal(weir_memory_add_netns("/run/netns/pod"), 0);
	assert_int_equal(weir_memory_add_uplink("eth9"), 0);
	if (s->before && apply(h, s->before) < 0)
		fail_msg("%s: %s", s->name, h->err.text);
}

/* What the change leaves where nothing fails. */
static char *reference(const struct scenario *s)
{
	struct host *h;
	assert_int_equal(host_set_up((void **)&h), 0);
	start(h, s);
	if (s->run(h, s->text) < 0)
		fail_msg("%s: %s", s->name, h->err.text);
	char *text = dump(h);
	assert_converged(h);
	assert_int_equal(host_tear_down((void **)&h), 0);
	return text;
}

/* True when the n-th call was there to fail. */
static bool fails_at(struct host *h, const struct scenario *s, unsigned n, const char *before)
{
	weir_memory_fail_at(n, EIO);
	int r = s->run(h, s->text);
	bool fired = weir_memory_calls() >= n;
	weir_memory_fail_at(0, 0);
	if (!fired) {
		if (r < 0)
			fail_msg("%s: %s", s->name, h->err.text);
		return false;
	}
	if (r != -EIO || !strstr(h->err.text, strerror(EIO)) || strstr(h->err.text, "going back"))
		fail_msg("%s: call %u: %d %s", s->name, n, r, h->err.text);
	char *now = dump(h);
	SAME(before, now, "%s: after call %u failed (%s)\n", s->name, n, h->err.text);
	free(now);
	assert_converged(h);
	return true;
}

static void test_each_call_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++) {
		const struct scenario *s = &scenarios[i];
		char *want = reference(s);
		struct host *h;
		assert_int_equal(host_set_up((void **)&h), 0);
		start(h, s);
		char *before = dump(h);
		unsigned n = 1;
		while (fails_at(h, s, n, before))
			n++;
		char *after = dump(h);
		SAME(want, after, "%s: after all of %u faults\n", s->name, n - 1);
		assert_true(n > 3);
		free(before);
		free(after);
		free(want);
		assert_int_equal(host_tear_down((void **)&h), 0);
	}
}

/* ---- killed ---- */

/* From the n-th call on nothing works any more, going back neither. */
static bool killed_at(const struct scenario *s, unsigned n, const char *want)
{
	struct host *h;
	assert_int_equal(host_set_up((void **)&h), 0);
	start(h, s);
	char *before = dump(h);
	weir_memory_fail_from(n, EIO);
	int r = s->run(h, s->text);
	bool fired = weir_memory_calls() >= n;
	weir_memory_fail_at(0, 0);
	assert_true(fired ? r < 0 : r == 0);
	if (fired) {
		OK(h, repair(h));
		char *now = dump(h);
		SAME(before, now, "%s: killed at call %u\n", s->name, n);
		free(now);
		assert_converged(h);
		OK(h, s->run(h, s->text));
	}
	char *now = dump(h);
	SAME(want, now, "%s: after a kill at call %u\n", s->name, n);
	free(now);
	free(before);
	assert_int_equal(host_tear_down((void **)&h), 0);
	return fired;
}

static void test_killed_at_each_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++) {
		char *want = reference(&scenarios[i]);
		for (unsigned n = 1; killed_at(&scenarios[i], n, want);)
			n++;
		free(want);
	}
}

/* A call that failed is told, or one that only looked, and all is well. */
static void was_told(struct host *h, bool fired, int r, const char *want)
{
	if (r == 0 && h->plan.n_unmended == 0) {
		char *now = dump(h);
		SAME(want, now, "repair said that all was well\n");
		free(now);
	} else {
		assert_true(fired && (r == -EIO || r == 0));
	}
}

/* Converging from damage fails at each call too: the next one goes on from there. */
static void test_repair_fails_at_each_call(void **state)
{
	struct host *h = *state;
	const struct scenario s = { "repair", whole, put, whole };
	start(h, &s);
	char *want = dump(h);
	for (unsigned n = 1;; n++) {
		weir_memory_damage(WEIR_MEMORY_FLUSHED);
		assert_true(weir_memory_drop_link("wb-web"));
		assert_true(weir_memory_drop_netns("/run/netns/pg"));
		weir_memory_fail_at(n, EIO);
		int r = repair(h);
		bool fired = weir_memory_calls() >= n;
		weir_memory_fail_at(0, 0);
		was_told(h, fired, r, want);
		OK(h, repair(h));
		char *now = dump(h);
		SAME(want, now, "repair after call %u failed\n", n);
		free(now);
		if (!fired)
			break;
	}
	free(want);
}

/* One that failed half-way leaves its mark: nobody else would look for a bridge that is gone. */
static void test_the_next_change_ends_a_repair(void **state)
{
	struct host *h = *state;
	const struct scenario s = { "repair", whole, put, whole };
	start(h, &s);
	char *want = dump(h);
	unsigned half_way = 0;
	for (unsigned n = 1, fired = 1; fired; n++) {
		assert_true(weir_memory_drop_link("wb-web"));
		assert_true(weir_memory_drop_link("wb-db"));
		char *hurt = dump(h);
		weir_memory_fail_at(n, EIO);
		int r = repair(h);
		fired = weir_memory_calls() >= n;
		weir_memory_fail_at(0, 0);
		was_told(h, fired, r, want);
		char *left = dump(h);
		bool begun = fired && strcmp(hurt, left) != 0;
		half_way += begun;
		OK(h, begun ? put(h, whole) : repair(h));
		char *now = dump(h);
		SAME(want, now, "the change after call %u of a repair failed\n", n);
		free(hurt);
		free(left);
		free(now);
	}
	assert_true(half_way > 3);
	free(want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_fails),
		cmocka_unit_test(test_killed_at_each_call),
		HOST_TEST(test_repair_fails_at_each_call),
		HOST_TEST(test_the_next_change_ends_a_repair),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
