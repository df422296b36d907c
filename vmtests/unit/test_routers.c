/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Circles of routers: found by every way in, and nothing else taken for one. */
#include "vmtests/unit/cm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/routers.h"

static struct weir_model *model;

static int make_model(void **state)
{
	static struct weir_model it;
	(void)state;
	it = (struct weir_model){ 0 };
	model = &it;
	return 0;
}

static int free_model(void **state)
{
	(void)state;
	weir_model_free(model);
	return 0;
}

/* gateway: an endpoint; "host" */
static void add_network(const char *name, int number, const char *gateway)
{
	struct weir_network *net = weir_model_add_network(model);
	char text[32];

	net->name = name;
	net->gateway_endpoint = strcmp(gateway, "host") ? gateway : NULL;
	net->subnets = weir_arena_alloc(&model->arena, sizeof(*net->subnets));
	net->n_subnets = 1;
	net->origin = weir_place_make("spec.yaml", (unsigned)number, 1);
	(void)snprintf(text, sizeof(text), "10.0.%d.0/24", number);
	assert_int_equal(weir_prefix_parse(text, &net->subnets[0].prefix, NULL), 0);
	(void)snprintf(text, sizeof(text), "10.0.%d.1", number);
	assert_int_equal(weir_addr_parse(text, &net->subnets[0].gateway, NULL), 0);
}

static void add_router(const char *name, const char *first, const char *second, int priority)
{
	struct weir_endpoint *ep = weir_model_add_endpoint(model);

	ep->name = name;
	weir_endpoint_add_attachment(model, ep)->network = first;
	struct weir_attachment *att = weir_endpoint_add_attachment(model, ep);
	att->network = second;
	att->priority = priority;
}

static int check(struct weir_err *err)
{
	weir_model_sort(model);
	return weir_routers_check(model, model, err);
}

static void two_routers_that_point_at_each_other(void **state)
{
	struct weir_err err = { 0 };

	(void)state;
	add_network("a", 1, "r1");
	add_network("b", 2, "r2");
	add_router("r1", "a", "b", 0);
	add_router("r2", "a", "b", 0);
	assert_int_equal(check(&err), -EINVAL);
	assert_int_equal(err.at.line, 1);
	assert_non_null(strstr(err.text,
			       "\"r1\", which goes out by network \"b\", whose gateway is "
			       "\"r2\", which goes out by network \"a\""));
}

/* Each has two endpoints for gateways before it, and none of them is in the circle that they lead to. */
static void who_leads_into_a_circle_is_not_blamed(void **state)
{
	struct weir_err err = { 0 };

	(void)state;
	add_network("0", 1, "r0");
	add_network("a", 2, "r1");
	add_network("b", 3, "r2");
	add_router("r0", "0", "a", 0);
	add_router("r1", "a", "b", 0);
	add_router("r2", "a", "b", 0);
	assert_int_equal(check(&err), -EINVAL);
	assert_int_equal(err.at.line, 2);
}

static void a_chain_that_ends_at_the_host(void **state)
{
	(void)state;
	add_network("a", 1, "r1");
	add_network("b", 2, "r2");
	add_network("c", 3, "host");
	add_router("r1", "a", "b", 0);
	add_router("r2", "b", "c", 0);
	assert_int_equal(check(NULL), 0);
}

static void two_wings_of_one_router(void **state)
{
	(void)state;
	add_network("left", 1, "r");
	add_network("right", 2, "r");
	add_router("r", "left", "right", 0);
	assert_int_equal(check(NULL), 0);
}

int main(void)
{
#define TEST(what) cmocka_unit_test_setup_teardown(what, make_model, free_model)
	const struct CMUnitTest tests[] = {
		TEST(two_routers_that_point_at_each_other),
		TEST(who_leads_into_a_circle_is_not_blamed),
		TEST(a_chain_that_ends_at_the_host),
		TEST(two_wings_of_one_router),
	};
	return cmocka_run_group_tests_name("routers", tests, NULL, NULL);
}
