/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change does, in words. */
#include "core/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAPPINGS_TOLD = 8 }; /* by name in one line; more are counted */

void weir_plan_free(struct weir_plan *plan)
{
	weir_arena_free(&plan->arena);
	weir_model_free(&plan->after);
}

static int no_memory(struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "out of memory");
}

static int add(struct weir_plan *plan, struct weir_step **steps, size_t *n, const struct weir_step *step,
	       struct weir_err *err)
{
	struct weir_step copy = *step;
	struct weir_step *more = weir_arena_grow(&plan->arena, *steps, *n, sizeof(copy));
	copy.object = weir_arena_strdup(&plan->arena, step->object);
	copy.name = weir_arena_strdup(&plan->arena, step->name);
	copy.detail = weir_arena_strdup(&plan->arena, step->detail ? step->detail : "");
	if (!more || !copy.object || !copy.name || !copy.detail)
		return no_memory(err);
	*steps = more;
	more[(*n)++] = copy;
	return 0;
}

int weir_plan_add_drift(struct weir_plan *plan, enum weir_action action, const char *object,
			const char *name, const char *detail, struct weir_err *err)
{
	const struct weir_step step = { .action = action, .object = object, .name = name, .detail = detail };
	return add(plan, &plan->drift, &plan->n_drift, &step, err);
}

/* ---- words ---- */

static void say_mapping(FILE *out, const char *sign, const struct weir_mapping *m)
{
	char text[WEIR_MAPPING_TEXT];
	fputs(sign, out);
	fputs(weir_mapping_text(m, text), out);
	if (m->network)
		fprintf(out, " on %s", m->network);
}

static void say_network(FILE *out, const struct weir_network *net)
{
	char text[WEIR_PREFIX_TEXT];
	fputs(weir_mode_name(net->mode), out);
	if (net->ifname[0])
		fprintf(out, " %s", net->ifname);
	for (size_t i = 0; i < net->n_subnets; i++)
		fprintf(out, "%s %s", i ? "," : "", weir_prefix_text(&net->subnets[i].prefix, text));
	fprintf(out, "%s%s", net->internal ? ", internal" : "", net->isolate ? ", isolated" : "");
}

static void say_addrs(FILE *out, const struct weir_attachment *att)
{
	char text[WEIR_ADDR_TEXT];
	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		if (weir_addr_is_set(&att->addrs[f]))
			fprintf(out, " %s", weir_addr_text(&att->addrs[f], text));
}

static void say_endpoint(FILE *out, const struct weir_endpoint *ep)
{
	for (size_t i = 0; i < ep->n_attachments; i++) {
		fprintf(out, "%s%s", i ? ", " : "", ep->attachments[i].network);
		say_addrs(out, &ep->attachments[i]);
	}
	if (ep->n_mappings)
		fputs(ep->n_attachments ? ", published" : "published", out);
	for (size_t i = 0; i < ep->n_mappings && i < MAPPINGS_TOLD; i++)
		say_mapping(out, " ", &ep->mappings[i]);
	if (ep->n_mappings > MAPPINGS_TOLD)
		fprintf(out, " and %zu more", ep->n_mappings - MAPPINGS_TOLD);
}

struct changes {
	FILE *out;
	bool any;
};

static FILE *next(struct changes *c)
{
	if (c->any)
		fputs(", ", c->out);
	c->any = true;
	return c->out;
}

static void flag_change(struct changes *c, const char *name, bool before, bool after)
{
	if (before != after)
		fprintf(next(c), "%s %s", name, after ? "on" : "off");
}

static void say_network_change(FILE *out, const struct weir_network *a, const struct weir_network *b)
{
	struct changes c = { .out = out };
	flag_change(&c, "internal", a->internal, b->internal);
	flag_change(&c, "isolate", a->isolate, b->isolate);
	flag_change(&c, "host deny", a->host_deny, b->host_deny);
	flag_change(&c, "filter_bridged", a->filter_bridged, b->filter_bridged);
	if (a->mtu != b->mtu)
		fprintf(next(&c), "mtu %u", b->mtu);
	if (a->nat != b->nat)
		fputs("nat", next(&c));
	if (a->n_trusted != b->n_trusted)
		fputs("trusted", next(&c));
	if (!c.any) {
		fputs("now ", out);
		say_network(out, b);
	}
}

static bool holds(const struct weir_endpoint *ep, const struct weir_mapping *m)
{
	size_t lo = 0, hi = ep->n_mappings;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = weir_mapping_cmp(&ep->mappings[mid], m);
		if (order == 0)
			return true;
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static void say_mapping_changes(struct changes *c, const struct weir_endpoint *of,
				const struct weir_endpoint *without, const char *sign)
{
	size_t told = 0;
	for (size_t i = 0; i < of->n_mappings; i++) {
		if (holds(without, &of->mappings[i]))
			continue;
		if (told++ < MAPPINGS_TOLD)
			say_mapping(next(c), sign, &of->mappings[i]);
	}
	if (told > MAPPINGS_TOLD)
		fprintf(next(c), "%s%zu more", sign, told - MAPPINGS_TOLD);
}

static void say_endpoint_change(FILE *out, const struct weir_endpoint *a, const struct weir_endpoint *b)
{
	struct changes c = { .out = out };
	for (size_t i = 0; i < b->n_attachments; i++) {
		const struct weir_attachment *att = &b->attachments[i];
		const struct weir_attachment *old = weir_endpoint_attachment(a, att->network);
		if (old && weir_attachment_equal(old, att))
			continue;
		fprintf(next(&c), "%s%s", old ? "" : "+", att->network);
		say_addrs(out, att);
	}
	for (size_t i = 0; i < a->n_attachments; i++)
		if (!weir_endpoint_attachment(b, a->attachments[i].network))
			fprintf(next(&c), "-%s", a->attachments[i].network);
	say_mapping_changes(&c, a, b, "-");
	say_mapping_changes(&c, b, a, "+");
	flag_change(&c, "forward", a->forward, b->forward);
	if (!c.any)
		fputs("labels, routes or names", out);
}

/* ---- steps ---- */

typedef void say_fn(FILE *out, const void *a, const void *b);

static void say_one(FILE *out, const void *a, const void *b)
{
	(void)b;
	say_endpoint(out, a);
}

static void say_one_network(FILE *out, const void *a, const void *b)
{
	(void)b;
	say_network(out, a);
}

static void say_change(FILE *out, const void *a, const void *b)
{
	say_endpoint_change(out, a, b);
}

static void say_change_network(FILE *out, const void *a, const void *b)
{
	say_network_change(out, a, b);
}

static int add_said(struct weir_plan *plan, struct weir_step step, say_fn *say, const void *a,
		    const void *b, struct weir_err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return no_memory(err);
	say(out, a, b);
	int r = fclose(out) == 0 ? 0 : no_memory(err);
	if (r == 0) {
		step.detail = text;
		r = add(plan, &plan->steps, &plan->n_steps, &step, err);
	}
	free(text);
	return r;
}

static int describe_network(struct weir_plan *plan, const struct weir_network *a,
			    const struct weir_network *b, struct weir_err *err)
{
	struct weir_step step = { .object = "network", .name = (b ? b : a)->name };
	if (a && b && weir_network_equal(a, b))
		return 0;
	if (!b) {
		step.action = WEIR_ACTION_REMOVE;
		return add_said(plan, step, say_one_network, a, NULL, err);
	}
	step.origin = b->origin;
	step.action = a ? WEIR_ACTION_CHANGE : WEIR_ACTION_ADD;
	struct weir_network *copy = weir_model_add_network(&plan->after);
	if (!copy || weir_network_copy(&plan->after, copy, b) < 0)
		return no_memory(err);
	return a ? add_said(plan, step, say_change_network, a, b, err) :
		   add_said(plan, step, say_one_network, b, NULL, err);
}

static int describe_endpoint(struct weir_plan *plan, const struct weir_endpoint *a,
			     const struct weir_endpoint *b, struct weir_err *err)
{
	struct weir_step step = { .object = "endpoint", .name = (b ? b : a)->name };
	if (a && b && weir_endpoint_equal(a, b))
		return 0;
	if (!b) {
		step.action = WEIR_ACTION_REMOVE;
		return add_said(plan, step, say_one, a, NULL, err);
	}
	step.origin = b->origin;
	step.action = a ? WEIR_ACTION_CHANGE : WEIR_ACTION_ADD;
	struct weir_endpoint *copy = weir_model_add_endpoint(&plan->after);
	if (!copy || weir_endpoint_copy(&plan->after, copy, b) < 0)
		return no_memory(err);
	return a ? add_said(plan, step, say_change, a, b, err) :
		   add_said(plan, step, say_one, b, NULL, err);
}

int weir_plan_describe(struct weir_plan *plan, const struct weir_resolution *res, struct weir_err *err)
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
	weir_model_sort(&plan->after);
	return r;
}
