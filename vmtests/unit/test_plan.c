/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change says that it does. */
#include "vmtests/unit/engine_fixture.h"

#define WEB "networks: {web: {subnet: 10.1.0.0/24}, db: {subnet: 10.2.0.0/24}}\n"

/* "+ network web: bridge …", one step a line. */
static char *words(const struct host *h)
{
	static const char signs[] = { '+', '~', '-' };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	for (size_t i = 0; i < h->plan.n_steps; i++) {
		const struct weir_step *step = &h->plan.steps[i];
		assert_in_range(step->action, 0, WEIR_NUM_ACTIONS - 1);
		(void)fprintf(out, "%c %s %s: %s\n", signs[step->action], step->object, step->name,
			      step->detail);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

#define SAYS(h, want)                              \
	do {                                       \
		char *says = words(h);             \
		SAME(want, says, "other words\n"); \
		free(says);                        \
	} while (0)

static void test_made(void **state)
{
	struct host *h = *state;
	OK(h, plan(h, "networks:\n"
		      "  web: {subnets: [10.1.0.0/24, \"fd01::/64\"], isolate: true,\n"
		      "    trusted: [up0, up1]}\n"
		      "  wire: {mode: p2p, subnet: 10.9.0.0/30}\n"
		      "endpoints:\n"
		      "  a: {networks: [web, wire], publish: [\"8080:80\", \"53:53/udp\"]}\n"
		      "  b: {mode: none}\n"));
	SAYS(h, "+ network web: bridge wb-web 10.1.0.0/24, fd01::/64, isolated, trusted up0 up1\n"
		"+ network wire: p2p 10.9.0.0/30\n"
		"+ endpoint a: web 10.1.0.2 fd01::2, wire 10.9.0.1, published 8080:80 53:53/udp\n"
		"+ endpoint b: \n");
	assert_int_equal(h->plan.steps[0].origin.line, 2);
	assert_int_equal(h->plan.steps[2].origin.line, 6);
	assert_string_equal(weir_place_file(&h->plan.steps[2].origin), "spec");
	assert_non_null(weir_model_endpoint(&h->plan.after, "a"));
	assert_non_null(weir_model_network(&h->plan.after, "web"));
}

static void test_changed(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, WEB "endpoints:\n"
			   "  a: {networks: [web], publish: [\"8080:80\"]}\n"
			   "  b: {networks: [web], labels: {role: x}}\n"));
	OK(h,
	   plan(h,
		"networks: {web: {subnet: 10.1.0.0/24, mtu: 1400, internal: false, host: deny}}\n"
		"endpoints:\n"
		"  a: {networks: [db], publish: [\"8081:80\"], forward: true}\n"
		"  b: {networks: [web], labels: {role: y}}\n"));
	SAYS(h, "~ network web: host deny, mtu 1400\n"
		"~ endpoint a: +db 10.2.0.2, -web, -8080:80, +8081:80, forward on\n"
		"~ endpoint b: labels role=y\n");
	OK(h, add_port(h, "a", "9090:90"));
	SAYS(h, "~ endpoint a: +9090:90\n");
	OK(h, remove_port(h, "a", "9090:90"));
	SAYS(h, "~ endpoint a: -9090:90\n");
}

static void test_removed(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, WEB "endpoints: {a: {networks: [web]}}"));
	OK(h, prune(h, "networks: {web: {subnet: 10.1.0.0/24}}"));
	SAYS(h, "- endpoint a: web 10.1.0.2\n"
		"- network db: bridge wb-db 10.2.0.0/24\n");
	assert_null(weir_model_endpoint(&h->plan.after, "a"));
}

static void test_many_ports_are_counted(void **state)
{
	struct host *h = *state;
	char yaml[4096] = WEB "endpoints: {a: {networks: [web], publish: [";
	for (int i = 0; i < 20; i++) {
		size_t used = strlen(yaml);
		(void)snprintf(yaml + used, sizeof(yaml) - used, "\"%d:80\", ", 9000 + i);
	}
	(void)strncat(yaml, "]}}", sizeof(yaml) - strlen(yaml) - 1);
	OK(h, apply(h, yaml));
	assert_non_null(strstr(h->plan.steps[2].detail, "9007:80 and 12 more"));
	OK(h, apply(h, "endpoints: {a: {networks: [web]}}"));
	assert_non_null(strstr(h->plan.steps[0].detail, "-9007:80, -12 more"));
}

static void test_drift_is_no_step(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, WEB));
	assert_true(weir_memory_drop_link("wb-web"));
	assert_true(weir_memory_drop_entry(0));
	OK(h, plan(h, WEB));
	assert_int_equal(h->plan.n_steps, 0);
	assert_int_equal(h->plan.n_drift, 2);
	assert_int_equal(h->plan.drift[0].action, WEIR_ACTION_ADD);
	assert_string_equal(h->plan.drift[0].object, "rule");
	assert_string_equal(h->plan.drift[1].object, "network");
	assert_string_equal(h->plan.drift[1].name, "web");
	assert_string_equal(h->plan.drift[1].detail, "bridge wb-web is gone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_made),
		HOST_TEST(test_changed),
		HOST_TEST(test_removed),
		HOST_TEST(test_many_ports_are_counted),
		HOST_TEST(test_drift_is_no_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
