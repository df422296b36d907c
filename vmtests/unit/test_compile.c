/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiler: goldens of rulesets, and that parts add up to the whole. */
#include "vmtests/unit/cm.h"

#include <errno.h>

#include "policy/compile.h"
#include "vmtests/unit/golden.h"
#include "vmtests/unit/simple.h"

/* ---- goldens ---- */

static bool check_golden(const char *yaml)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };
	char path[256], place[128], *got = NULL, *text = golden_read(yaml);
	size_t len = 0;
	bool same = true;

	int r = weir_spec_parse(text, strlen(text), strrchr(yaml, '/') + 1, &model, NULL);
	free(text);
	if (r < 0)
		return true; /* test_spec's */
	simple_resolve(&model);
	FILE *out = open_memstream(&got, &len);
	r = weir_compile(&model, &rules, &err);
	if (r < 0)
		(void)fprintf(out, "%s: %s\n", weir_place_text(&err.at, place, sizeof(place)),
			      err.text);
	else
		weir_ruleset_print(&rules, out);
	(void)fclose(out);
	golden_beside(path, sizeof(path), yaml, ".rules");
	same = golden_same(path, got);
	if ((r < 0) != (strstr(yaml, "/refused-") != NULL)) {
		print_error("%s: %s", yaml, r < 0 ? got : "no error\n");
		same = false;
	}
	free(got);
	return same;
}

static void goldens_are_as_they_were(void **state)
{
	(void)state;
	assert_int_equal(golden_each("vmtests/golden/spec/*.yaml", check_golden), 0);
}

/* ---- parts and the whole ---- */

static const char sample[] =
	"networks:\n"
	"  web: {subnets: [10.88.1.0/24, \"fd00:88:1::/64\"], trusted: [eth1]}\n"
	"  db: {subnet: 10.88.2.0/24, internal: true}\n"
	"endpoints:\n"
	"  nginx: {networks: [web], publish: [8080:80, 53:53/udp, 9000-9010:100-110]}\n"
	"  api: {networks: [web, db], publish: [127.0.0.1:8081:81]}\n"
	"  pg: {networks: [db]}\n";

static void parse(struct weir_model *model, const char *text)
{
	struct weir_err err = { 0 };

	if (weir_spec_parse(text, strlen(text), "sample", model, &err) < 0)
		fail_msg("%s", err.text);
	simple_resolve(model);
}

/* One object, with the networks that it needs to be understood. */
static void compile_part(const struct weir_model *whole, size_t endpoint,
			 struct weir_ruleset *rules)
{
	WEIR_CLEAN_MODEL struct weir_model part = { 0 };

	for (size_t i = 0; i < whole->n_networks; i++)
		assert_int_equal(weir_network_copy(&part, weir_model_add_network(&part),
						   &whole->networks[i]),
				 0);
	if (endpoint < whole->n_endpoints)
		assert_int_equal(weir_endpoint_copy(&part, weir_model_add_endpoint(&part),
						    &whole->endpoints[endpoint]),
				 0);
	assert_int_equal(weir_compile(&part, rules, NULL), 0);
}

static bool has(const struct weir_ruleset *rules, const struct weir_entry *entry)
{
	for (size_t i = 0; i < rules->n; i++)
		if (weir_entry_equal(&rules->entries[i], entry))
			return true;
	return false;
}

static void parts_add_up_to_the_whole(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	WEIR_CLEAN_RULESET struct weir_ruleset whole = { 0 }, nets = { 0 };
	size_t sum;

	(void)state;
	parse(&model, sample);
	assert_int_equal(weir_compile(&model, &whole, NULL), 0);
	compile_part(&model, SIZE_MAX, &nets);
	sum = nets.n;
	for (size_t i = 0; i < model.n_endpoints; i++) {
		WEIR_CLEAN_RULESET struct weir_ruleset part = { 0 };
		compile_part(&model, i, &part);
		for (size_t j = 0; j < part.n; j++)
			assert_true(has(&whole, &part.entries[j]));
		sum += part.n - nets.n;
	}
	assert_int_equal(sum, whole.n);
}

static void a_change_is_the_difference_of_two_parts(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	WEIR_CLEAN_RULESET struct weir_ruleset before = { 0 }, after = { 0 };
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };

	(void)state;
	parse(&model, sample);
	assert_int_equal(weir_compile(&model, &before, NULL), 0);
	weir_model_endpoint(&model, "api")->n_mappings = 0;
	assert_int_equal(weir_compile(&model, &after, NULL), 0);
	assert_int_equal(weir_ruleset_diff(&before, &after, &delta, NULL), 0);
	assert_int_equal(delta.n_added, 0);
	assert_int_equal(delta.n_removed, 1);
	assert_string_equal(delta.removed[0]->owner, "api 127.0.0.1:8081:81");
	assert_int_equal(delta.removed[0]->origin.line, 6);
}

static void compiling_twice_gives_the_same(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	WEIR_CLEAN_RULESET struct weir_ruleset a = { 0 }, b = { 0 };
	WEIR_CLEAN_DELTA struct weir_delta delta = { 0 };

	(void)state;
	parse(&model, sample);
	assert_int_equal(weir_compile(&model, &a, NULL), 0);
	assert_int_equal(weir_compile(&model, &b, NULL), 0);
	assert_int_equal(weir_ruleset_diff(&a, &b, &delta, NULL), 0);
	assert_int_equal(delta.n_added + delta.n_removed, 0);
}

static void an_unresolved_port_is_refused(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };

	(void)state;
	parse(&model, sample);
	weir_model_endpoint(&model, "api")->mappings[0].host_ports = (struct weir_ports){ 0 };
	assert_int_equal(weir_compile(&model, &rules, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no host port yet"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goldens_are_as_they_were),
		cmocka_unit_test(parts_add_up_to_the_whole),
		cmocka_unit_test(a_change_is_the_difference_of_two_parts),
		cmocka_unit_test(compiling_twice_gives_the_same),
		cmocka_unit_test(an_unresolved_port_is_refused),
	};
	return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
