/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine on a host in memory: twice is once, plans make nothing, what is as it should be is not
 * listed, what is not is mended, and what belongs to others is refused. (Faults: test_engine_faults.c.) */
#include "vmtests/unit/engine_fixture.h"

#define WEB "networks:\n  web: {subnets: [10.1.0.0/24, \"fd01::/64\"]}\n"

static const char spec[] = WEB
	"  db: {subnet: 10.2.0.0/24, internal: true}\n"
	"  wire: {mode: p2p, subnet: 10.9.0.0/30}\n"
	"endpoints:\n"
	"  nginx: {networks: [web], publish: [\"8080:80\", \"80\", \"8100-8200:80\"], dns: "
	"[10.1.0.1]}\n"
	"  api: {networks: {web: {}, db: {ip: 10.2.0.10}, wire: {}}, forward: true}\n"
	"  pg: {networks: [db, wire], labels: {role: db}}\n";

/* ---- what was called ---- */

static struct {
	char *text;
	size_t len;
	FILE *out;
	struct weir_firewall_ops firewall;
	struct weir_link_ops links;
	struct weir_trace trace;
} calls;

static void write_line(void *ctx, const char *line)
{
	(void)ctx;
	(void)fprintf(calls.out, "%s\n", line);
}

static void listen_to(struct host *h)
{
	calls.out = open_memstream(&calls.text, &calls.len);
	assert_non_null(calls.out);
	calls.firewall = weir_trace_firewall(&weir_memory_firewall);
	calls.links = weir_trace_links(&weir_memory_links);
	calls.trace = (struct weir_trace){ .line = write_line };
	h->engine.firewall = &calls.firewall;
	h->engine.links = &calls.links;
	h->engine.trace = &calls.trace;
}

static void stop_listening(void)
{
	assert_int_equal(fclose(calls.out), 0);
	free(calls.text);
	memset(&calls, 0, sizeof(calls));
}

/* How often since the last time anybody asked for anything. */
static size_t count_calls(const char *line)
{
	size_t n = 0;
	assert_int_equal(fflush(calls.out), 0);
	for (const char *at = calls.text; (at = strstr(at, line)); at++)
		n++;
	return n;
}

static void forget_calls(void)
{
	assert_int_equal(fflush(calls.out), 0);
	rewind(calls.out);
	assert_int_equal(fflush(calls.out), 0);
	calls.text[0] = '\0';
}

/* ---- once, twice, never ---- */

static void test_twice_is_once(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	assert_int_equal(h->plan.n_steps, 6);
	char *once = dump(h);
	OK(h, apply(h, spec));
	char *twice = dump(h);
	SAME(once, twice, "applied twice\n");
	assert_int_equal(h->plan.n_steps, 0);
	assert_int_equal(h->plan.n_drift, 0);
	OK(h, plan(h, spec));
	assert_int_equal(h->plan.n_steps, 0);
	assert_int_equal(h->plan.n_drift, 0);
	assert_converged(h);
	free(once);
	free(twice);
}

static void test_a_plan_makes_nothing(void **state)
{
	struct host *h = *state;
	char *before = dump(h);
	OK(h, plan(h, spec));
	assert_int_equal(h->plan.n_steps, 6);
	assert_false(exists(h->state));
	OK(h, apply(h, WEB));
	char *web = dump(h);
	OK(h, apply_how(h, spec, (struct how){ .prune = true, .dry_run = true }));
	assert_int_equal(h->plan.n_steps, 5);
	char *after = dump(h);
	SAME(web, after, "a plan has changed something\n");
	assert_string_not_equal(before, web);
	free(before);
	free(web);
	free(after);
}

/* A plan says what an apply then does, word for word. */
static void test_a_plan_comes_true(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, WEB));
	OK(h, plan(h, "networks: {x: {}}\nendpoints: {a: {networks: [x]}}"));
	char *said = strdup(h->plan.steps[0].detail);
	OK(h, apply(h, "networks: {x: {}}\nendpoints: {a: {networks: [x]}}"));
	assert_string_equal(h->plan.steps[0].detail, said);
	free(said);
}

static void test_the_order_of_writing(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, "networks: {b: {}, a: {}, c: {}}\n"
		       "endpoints: {x: {networks: {c: {}, a: {ifname: eth1}, b: {}}}}"));
	char *text = dump(h);
	assert_non_null(strstr(text, "attachment x c "));
	const struct weir_endpoint *ep = weir_model_endpoint(&h->plan.after, "x");
	assert_string_equal(weir_endpoint_attachment(ep, "c")->ifname, "eth0");
	assert_string_equal(weir_endpoint_attachment(ep, "a")->ifname, "eth1");
	assert_string_equal(weir_endpoint_attachment(ep, "b")->ifname, "eth2");
	OK(h, apply(h, "endpoints: {x: {networks: {b: {}, c: {}, a: {}}}}"));
	assert_int_equal(h->plan.n_steps, 0); /* names that stand are kept */
	free(text);
}

/* ---- the fast path ---- */

static void test_what_is_fresh_is_not_listed(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	listen_to(h);
	OK(h, add(h, "endpoints: {more: {networks: [web], publish: [\"99:9\"]}}"));
	OK(h, add_port(h, "more", "98:9"));
	OK(h, remove_port(h, "more", "98:9"));
	OK(h, remove_endpoint(h, "more"));
	assert_int_equal(count_calls("> firewall list"), 0);
	assert_int_equal(count_calls("> firewall check"), 0);
	assert_int_equal(count_calls("> links list"), 0);
	assert_int_equal(count_calls("-check"), 0);
	assert_int_equal(count_calls("> firewall commit"), 4);
	assert_converged(h); /* that is one list */
	assert_int_equal(count_calls("> firewall list"), 1);
	stop_listening();
}

static void test_others_commits_are_checked(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	listen_to(h);
	weir_memory_damage(WEIR_MEMORY_OTHER);
	OK(h, add_port(h, "nginx", "98:9"));
	assert_int_equal(count_calls("> firewall check"), 1);
	assert_int_equal(count_calls("> firewall list"), 0);
	forget_calls();
	OK(h, add_port(h, "nginx", "97:9"));
	assert_int_equal(count_calls("> firewall check"), 0);
	weir_memory_damage(WEIR_MEMORY_BROKEN);
	OK(h, add_port(h, "nginx", "96:9"));
	assert_int_equal(count_calls("> firewall check"), 1);
	assert_int_equal(count_calls("> firewall list"), 1);
	assert_true(h->plan.n_drift > 0);
	assert_converged(h);
	stop_listening();
}

static void test_races(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	weir_memory_race(3);
	OK(h, add_port(h, "nginx", "98:9"));
	assert_converged(h);
	char *before = dump(h);
	weir_memory_race(100);
	FAILS(h, EBUSY, "keeps changing", add_port(h, "nginx", "97:9"));
	weir_memory_race(0);
	char *after = dump(h);
	SAME(before, after, "a race that was lost\n");
	OK(h, add_port(h, "nginx", "97:9"));
	assert_converged(h);
	free(before);
	free(after);
}

/* ---- mending ---- */

static void flushed(void)
{
	weir_memory_damage(WEIR_MEMORY_FLUSHED);
}

static void emptied(void)
{
	weir_memory_damage(WEIR_MEMORY_EMPTIED);
}

static void broken(void)
{
	weir_memory_damage(WEIR_MEMORY_BROKEN);
}

static void without_epoch(void)
{
	weir_memory_damage(WEIR_MEMORY_NO_EPOCH);
}

static void without_an_entry(void)
{
	assert_true(weir_memory_drop_entry(3));
}

static void without_a_bridge(void)
{
	assert_true(weir_memory_drop_link("wb-web"));
}

static void with_a_spoilt_bridge(void)
{
	assert_true(weir_memory_spoil_link("wb-db"));
}

static void without_a_namespace(void)
{
	assert_true(weir_memory_drop_netns("/run/netns/api"));
}

static void switched_off(void)
{
	assert_int_equal(weir_memory_set_sysctl("net/ipv4/ip_forward", 0), 0);
}

static void nothing_left(void)
{
	flushed();
	without_a_bridge();
	assert_true(weir_memory_drop_link("wb-db"));
	without_a_namespace();
	assert_true(weir_memory_drop_netns("/run/netns/nginx"));
	assert_true(weir_memory_drop_netns("/run/netns/pg"));
	switched_off();
}

static const struct {
	const char *name;
	void (*hurt)(void);
} damages[] = {
	{ "flushed", flushed },
	{ "emptied", emptied },
	{ "broken", broken },
	{ "without an epoch", without_epoch },
	{ "without an entry", without_an_entry },
	{ "without a bridge", without_a_bridge },
	{ "with a spoilt bridge", with_a_spoilt_bridge },
	{ "without a namespace", without_a_namespace },
	{ "switched off", switched_off },
	{ "nothing left", nothing_left },
};

static void leave_a_mark(const struct host *h)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/weir.lock", h->state);
	FILE *file = fopen(path, "ae");
	assert_non_null(file);
	(void)fputs("weir test (pid 1)\n", file);
	assert_int_equal(fclose(file), 0);
}

static void test_damage_is_mended(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	char *want = dump(h);
	for (size_t i = 0; i < N_OF(damages); i++) {
		damages[i].hurt();
		char *hurt = dump(h);
		OK(h, repair_how(h, true));
		assert_true(h->plan.n_drift > 0);
		char *seen = dump(h);
		SAME(hurt, seen, "%s: looking has changed something\n", damages[i].name);
		OK(h, repair(h));
		assert_true(h->plan.n_drift > 0);
		char *now = dump(h);
		SAME(want, now, "%s: repaired\n", damages[i].name);
		damages[i].hurt();
		leave_a_mark(h);
		OK(h, apply(h, spec));
		free(now);
		now = dump(h);
		SAME(want, now, "%s: the next change after a kill\n", damages[i].name);
		assert_int_equal(h->plan.n_steps, 0);
		OK(h, repair(h));
		assert_int_equal(h->plan.n_drift, 0);
		free(hurt);
		free(seen);
		free(now);
	}
	free(want);
}

/* Interfaces that carry our alias and that nobody wants; those of others stay. */
static void test_orphans_go(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	char *want = dump(h);
	struct weir_store *store = NULL;
	struct weir_store_meta meta;
	OK(h, weir_store_open(h->state, false, &store, &h->err));
	OK(h, weir_store_meta(store, &meta, &h->err));
	weir_store_close(store);
	assert_int_equal(weir_memory_add_link("wb-old", meta.uuid), 0);
	assert_int_equal(weir_memory_add_link("wb-theirs", "another"), 0);
	assert_int_equal(weir_memory_add_link("docker0", NULL), 0);
	OK(h, repair(h));
	assert_int_equal(h->plan.n_drift, 1);
	assert_string_equal(h->plan.drift[0].name, "wb-old");
	assert_true(weir_memory_drop_link("wb-theirs"));
	assert_true(weir_memory_drop_link("docker0"));
	char *now = dump(h);
	SAME(want, now, "orphans\n");
	free(want);
	free(now);
}

/* ---- what belongs to others ---- */

/* Refused by name, and nothing is different afterwards. */
static void refused(struct host *h, int code, const char *words)
{
	char *before = dump(h);
	FAILS(h, code, words, apply(h, spec));
	char *after = dump(h);
	SAME(before, after, "%s\n", words);
	free(before);
	free(after);
}

static void test_another_store(void **state)
{
	struct host *h = *state, *theirs;
	OK(h, apply(h, WEB));
	assert_int_equal(host_set_up((void **)&theirs), 0); /* boots a new kernel */
	OK(theirs, apply(theirs, WEB));
	refused(h, EBUSY, "another weir has made memory (store ");
	assert_non_null(strstr(h->err.text, h->state));
	FAILS(h, EBUSY, "another weir has made", repair(h));
	FAILS(h, EBUSY, "another weir has made", delete_all(h));
	FAILS(h, EBUSY, "another weir has made", plan(h, spec));
	assert_converged(theirs);
	assert_int_equal(host_tear_down((void **)&theirs), 0);
}

static void test_another_namespace(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, WEB));
	sql(h, "UPDATE meta SET ino = ino + 1");
	refused(h, EBUSY, "belongs to another network namespace (2, this is 1)");
	FAILS(h, EBUSY, "another network namespace", repair(h));
	FAILS(h, EBUSY, "another network namespace", plan(h, spec));
	/* of an earlier boot: that namespace is gone */
	sql(h, "UPDATE meta SET boot = '00000000-0000-0000-0000-000000000000'");
	OK(h, apply(h, spec));
	assert_converged(h);
}

static void test_another_backend(void **state)
{
	struct host *h = *state;
	struct weir_firewall_ops renamed = weir_memory_firewall;
	OK(h, apply(h, WEB));
	renamed.name = "iptables";
	h->engine.firewall = &renamed;
	refused(h, EBUSY, "rules are in memory, not iptables");
}

/* A filter in which nothing of ours ever was does not bind the host. */
static void test_a_backend_that_cannot_is_not_kept(void **state)
{
	struct host *h = *state;
	struct weir_firewall_ops renamed = weir_memory_firewall;
	renamed.name = "iptables";
	h->engine.firewall = &renamed;
	unsigned failed = 0;
	for (unsigned n = 1; n < 200; n++) {
		weir_memory_fail_at(n, EOPNOTSUPP);
		if (apply(h, WEB) == 0)
			break;
		failed++;
		h->engine.firewall = &weir_memory_firewall;
		weir_memory_fail_at(0, 0);
		OK(h, repair(h));
		h->engine.firewall = &renamed;
	}
	assert_true(failed > 5);
	h->engine.firewall = &weir_memory_firewall;
	refused(h, EBUSY, "rules are in iptables, not memory");
}

static void test_foreign_interfaces_and_namespaces(void **state)
{
	struct host *h = *state;
	assert_int_equal(weir_memory_add_link("wb-db", NULL), 0);
	refused(h, EEXIST, "wb-db");
	assert_true(weir_memory_drop_link("wb-db"));
	assert_int_equal(weir_memory_add_netns("/run/netns/pg"), 0);
	refused(h, EEXIST, "endpoint \"pg\"");
	assert_true(weir_memory_drop_netns("/run/netns/pg"));
	OK(h, apply(h, spec));
	/* Somebody puts another one in its place: ours is not found, theirs is not touched. */
	assert_true(weir_memory_drop_netns("/run/netns/pg"));
	assert_int_equal(weir_memory_add_netns("/run/netns/pg"), 0);
	OK(h, repair(h));
	assert_int_equal(h->plan.n_unmended, 1);
	assert_non_null(strstr(h->plan.warnings[0].detail, "not weir's"));
}

/* ---- namespaces that come and go ---- */

static const char pods[] = WEB "  wire: {mode: p2p, subnet: 10.9.0.0/30}\n"
			       "endpoints:\n"
			       "  a: {networks: [web, wire], netns: /run/netns/pod1}\n"
			       "  b: {networks: [web, wire], netns: /run/netns/pod2}\n"
			       "  c: {networks: [web]}\n";

static void make_pods(struct host *h)
{
	assert_int_equal(weir_memory_add_netns("/run/netns/pod1"), 0);
	assert_int_equal(weir_memory_add_netns("/run/netns/pod2"), 0);
	OK(h, apply(h, pods));
}

static void test_repair_drops_what_is_gone(void **state)
{
	struct host *h = *state;
	make_pods(h);
	OK(h, add_port(h, "a", "8080:80"));
	assert_true(weir_memory_drop_netns("/run/netns/pod1"));
	OK(h, repair_how(h, true));
	assert_int_equal(h->plan.n_drift, 2); /* b has lost the other end of its wire */
	OK(h, add_port(h, "c", "8081:80"));   /* everything else goes on */
	OK(h, repair(h));
	assert_int_equal(h->plan.n_drift, 2);
	char *text = dump(h);
	assert_null(strstr(text, "\nendpoint a "));
	assert_null(strstr(text, "8080"));
	assert_non_null(strstr(text, "8081"));
	free(text);
	assert_converged(h);
}

/* The same path, another namespace: the first one lives on elsewhere with our interface in it. */
static void test_repair_takes_links_out_of_what_was_replaced(void **state)
{
	struct host *h = *state;
	make_pods(h);
	OK(h, remove_endpoint(h, "b"));
	assert_true(weir_memory_drop_netns("/run/netns/pod1"));
	assert_int_equal(weir_memory_add_netns("/run/netns/pod1"), 0);
	FAILS(h, ESTALE, "another namespace",
	      apply(h, WEB "endpoints: {a: {networks: [web], netns: "
			   "/run/netns/pod1, forward: true}}"));
	assert_null(strstr(h->err.text, "going back"));
	OK(h, repair(h));
	assert_converged(h);
	char *text = dump(h);
	assert_null(strstr(text, "endpoint a"));
	free(text);
	OK(h, apply(h, "endpoints: {a: {networks: [web], netns: /run/netns/pod1}}"));
	assert_converged(h);
}

/* What was declared comes back, what was made at run time does not; only after a reboot. */
static void test_restore(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, spec));
	OK(h, apply(h, "endpoints: {late: {networks: [web], publish: [\"8081:80\"]}}"));
	sql(h, "UPDATE endpoint SET declared = 0 WHERE name = 'late'");
	OK(h, restore(h));
	assert_int_equal(h->plan.n_drift, 0);
	boot_anew(h);
	OK(h, restore(h));
	assert_converged(h);
	char *text = dump(h);
	assert_null(strstr(text, "\nendpoint late"));
	assert_null(strstr(text, "8081"));
	assert_non_null(strstr(text, "\nendpoint pg "));
	free(text);
}

static void test_networks_of_what_is_gone(void **state)
{
	struct host *h = *state;
	make_pods(h);
	assert_true(weir_memory_drop_netns("/run/netns/pod1"));
	OK(h,
	   apply(h, "networks:\n  web: {subnets: [10.1.0.0/24, \"fd01::/64\"], isolate: true}\n"));
	OK(h, remove_endpoint(h, "b")); /* the wire's other end is gone as well */
	OK(h, repair(h));
	assert_converged(h);
}

static void test_endpoints_move_between_namespaces(void **state)
{
	struct host *h = *state;
	make_pods(h);
	OK(h, apply(h, "endpoints: {a: {networks: [web, wire]}, c: {mode: none}}"));
	assert_converged(h);
	char *text = dump(h);
	assert_non_null(strstr(text, "netns /run/netns/pod1"));
	free(text);
	assert_int_equal(weir_memory_add_netns("/run/netns/pod3"), 0);
	OK(h, apply(h, "endpoints: {b: {networks: [web, wire], netns: /run/netns/pod3}}"));
	assert_converged(h);
}

/* ---- the end ---- */

static void test_delete_all_leaves_nothing(void **state)
{
	struct host *h = *state;
	char *want = dump(h);
	OK(h, apply(h, spec));
	OK(h, add(h, "networks: {x: {}}"));
	OK(h, delete_all(h));
	assert_int_equal(h->plan.n_steps, 7);
	assert_false(exists(h->state));
	char *now = dump(h);
	SAME(want, now, "deleted\n");
	OK(h, delete_all(h)); /* of nothing */
	assert_false(exists(h->state));
	free(want);
	free(now);
}

static void test_prune_spares_what_nobody_declared(void **state)
{
	struct host *h = *state;
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	OK(h, apply(h, spec));
	parse("endpoints: {runtime: {networks: [web]}}", &model);
	model.endpoints[0].declared = false;
	OK(h, change_one(h, (struct weir_op){ .kind = WEIR_PUT_ENDPOINT,
					      .name = "runtime",
					      .endpoint = &model.endpoints[0] }));
	FAILS(h, EBUSY, "runtime", prune(h, "networks: {x: {}}"));
	OK(h, prune(h, WEB));
	assert_int_equal(h->plan.n_steps, 5);
	assert_converged(h);
	char *text = dump(h);
	assert_non_null(strstr(text, "\nendpoint runtime"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_twice_is_once),
		HOST_TEST(test_a_plan_makes_nothing),
		HOST_TEST(test_a_plan_comes_true),
		HOST_TEST(test_the_order_of_writing),
		HOST_TEST(test_what_is_fresh_is_not_listed),
		HOST_TEST(test_others_commits_are_checked),
		HOST_TEST(test_races),
		HOST_TEST(test_damage_is_mended),
		HOST_TEST(test_orphans_go),
		HOST_TEST(test_another_store),
		HOST_TEST(test_another_namespace),
		HOST_TEST(test_another_backend),
		HOST_TEST(test_a_backend_that_cannot_is_not_kept),
		HOST_TEST(test_foreign_interfaces_and_namespaces),
		HOST_TEST(test_repair_drops_what_is_gone),
		HOST_TEST(test_repair_takes_links_out_of_what_was_replaced),
		HOST_TEST(test_networks_of_what_is_gone),
		HOST_TEST(test_restore),
		HOST_TEST(test_endpoints_move_between_namespaces),
		HOST_TEST(test_delete_all_leaves_nothing),
		HOST_TEST(test_prune_spares_what_nobody_declared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
