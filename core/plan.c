/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change does, in words. */
#include "core/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "core/wording.h"

void weir_plan_free(struct weir_plan *plan)
{
	weir_arena_free(&plan->arena);
	weir_model_free(&plan->after);
}

int weir_plan_give(struct weir_plan *plan, int r, struct weir_plan *ret)
{
	if (r < 0)
		weir_plan_free(plan);
	else
		*ret = *plan;
	return r;
}

static int no_memory(struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "out of memory");
}

static int add(struct weir_plan *plan, struct weir_step **steps, size_t *n,
	       const struct weir_step *step, struct weir_err *err)
{
	struct weir_step copy = *step;
	struct weir_step *more = weir_arena_grow(&plan->arena, *steps, *n, sizeof(copy));
	copy.object = weir_arena_strdup(&plan->arena, step->object);
	copy.name = weir_arena_strdup(&plan->arena, step->name);
	char *detail = weir_arena_strdup(&plan->arena, step->detail ? step->detail : "");
	if (!more || !copy.object || !copy.name || !detail)
		return no_memory(err);
	weir_utf8_scrub(detail); /* words of the user's may have been cut anywhere */
	copy.detail = detail;
	*steps = more;
	more[(*n)++] = copy;
	return 0;
}

int weir_plan_add_step(struct weir_plan *plan, enum weir_action action, const char *object,
		       const char *name, const char *detail, struct weir_err *err)
{
	const struct weir_step step = {
		.action = action, .object = object, .name = name, .detail = detail
	};
	return add(plan, &plan->steps, &plan->n_steps, &step, err);
}

int weir_plan_add_drift(struct weir_plan *plan, enum weir_action action, const char *object,
			const char *name, const char *detail, struct weir_err *err)
{
	const struct weir_step step = {
		.action = action, .object = object, .name = name, .detail = detail
	};
	return add(plan, &plan->drift, &plan->n_drift, &step, err);
}

int weir_plan_add_warning(struct weir_plan *plan, const struct weir_step *step,
			  struct weir_err *err)
{
	return add(plan, &plan->warnings, &plan->n_warnings, step, err);
}

int weir_plan_add_unmended(struct weir_plan *plan, const char *object, const char *name,
			   const char *why, struct weir_err *err)
{
	const struct weir_step step = { .object = object, .name = name, .detail = why };
	size_t n = 0;
	for (size_t i = 0; i < plan->n_drift; i++)
		if (strcmp(plan->drift[i].object, object) != 0 ||
		    strcmp(plan->drift[i].name, name) != 0)
			plan->drift[n++] = plan->drift[i];
	plan->n_drift = n;
	plan->n_unmended++;
	return weir_plan_add_warning(plan, &step, err);
}

/* ---- what differs ---- */

/* a, b: the object before and after, one of them NULL when it comes or goes. */
static int describe(struct weir_plan *plan, const struct weir_wording *wording, const void *a,
		    const void *b, const char *name, const struct weir_place *origin,
		    struct weir_err *err)
{
	struct weir_step step = { .object = wording->object, .name = name };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return no_memory(err);
	if (a && b)
		wording->say_change(out, a, b);
	else
		wording->say(out, a ? a : b);
	int r = fclose(out) == 0 ? 0 : no_memory(err);
	step.action = !a ? WEIR_ACTION_ADD : !b ? WEIR_ACTION_REMOVE : WEIR_ACTION_CHANGE;
	step.detail = text;
	if (origin)
		step.origin = *origin;
	if (r == 0)
		r = add(plan, &plan->steps, &plan->n_steps, &step, err);
	free(text);
	return r;
}

static int describe_network(struct weir_plan *plan, const struct weir_network *a,
			    const struct weir_network *b, struct weir_err *err)
{
	if (a && b && weir_network_equal(a, b))
		return 0;
	struct weir_network *copy = b ? weir_model_add_network(&plan->after) : NULL;
	if (b && (!copy || weir_network_copy(&plan->after, copy, b) < 0))
		return no_memory(err);
	return describe(plan, &weir_network_wording, a, b, (b ? b : a)->name, b ? &b->origin : NULL,
			err);
}

static int describe_endpoint(struct weir_plan *plan, const struct weir_endpoint *a,
			     const struct weir_endpoint *b, struct weir_err *err)
{
	if (a && b && weir_endpoint_equal(a, b))
		return 0;
	struct weir_endpoint *copy = b ? weir_model_add_endpoint(&plan->after) : NULL;
	if (b && (!copy || weir_endpoint_copy(&plan->after, copy, b) < 0))
		return no_memory(err);
	return describe(plan, &weir_endpoint_wording, a, b, (b ? b : a)->name,
			b ? &b->origin : NULL, err);
}

static int describe_policy(struct weir_plan *plan, const struct weir_policy *a,
			   const struct weir_policy *b, struct weir_err *err)
{
	if (a && b && weir_policy_equal(a, b))
		return 0;
	struct weir_policy *copy = b ? weir_model_add_policy(&plan->after) : NULL;
	if (b && (!copy || weir_policy_copy(&plan->after, copy, b) < 0))
		return no_memory(err);
	return describe(plan, &weir_policy_wording, a, b, (b ? b : a)->name, b ? &b->origin : NULL,
			err);
}

static int describe_policies(struct weir_plan *plan, const struct weir_model *before,
			     const struct weir_model *after, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < before->n_policies; i++)
		if (!weir_model_policy(after, before->policies[i].name))
			r = describe_policy(plan, &before->policies[i], NULL, err);
	for (size_t i = 0; r == 0 && i < after->n_policies; i++)
		r = describe_policy(plan, weir_model_policy(before, after->policies[i].name),
				    &after->policies[i], err);
	return r;
}

int weir_plan_describe(struct weir_plan *plan, const struct weir_resolution *res,
		       struct weir_err *err)
{
	const struct weir_model *before = &res->before, *after = &res->after;
	int r = 0;
	for (size_t i = 0; r == 0 && i < before->n_endpoints; i++)
		if (!weir_model_endpoint(after, before->endpoints[i].name))
			r = describe_endpoint(plan, &before->endpoints[i], NULL, err);
	for (size_t i = 0; r == 0 && i < before->n_networks; i++)
		if (!weir_model_network(after, before->networks[i].name))
			r = describe_network(plan, &before->networks[i], NULL, err);
	for (size_t i = 0; r == 0 && i < after->n_networks; i++)
		r = describe_network(plan, weir_model_network(before, after->networks[i].name),
				     &after->networks[i], err);
	for (size_t i = 0; r == 0 && i < after->n_endpoints; i++)
		r = describe_endpoint(plan, weir_model_endpoint(before, after->endpoints[i].name),
				      &after->endpoints[i], err);
	if (r == 0)
		r = describe_policies(plan, &res->all_before, &res->all_after, err);
	weir_model_sort(&plan->after);
	return r;
}
