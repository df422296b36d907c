/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What policies say, as arrows.
 *
 * How it works: each selector becomes a few nodes: the outside, the host, the networks that it names, the
 * endpoints that it picks. Where that would draw more lines than an eye can follow, it becomes one node with
 * the selector's words. A policy is an arrow from each node of its senders to each one of its receivers. */
#include "cli/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/selector.h"

enum { MANY = 6 /* endpoints of a selector that still are drawn one by one */ };

/* One end of a policy. */
struct end {
	struct weir_node *nodes;
	size_t n;
};

struct drawing {
	const struct weir_model *model;
	struct weir_arena *arena;
	struct weir_arrows arrows;
};

const char *weir_selectors_text(struct weir_arena *arena, const struct weir_selector *sels,
				size_t n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	const char *kept = NULL;
	if (!out)
		return NULL;
	weir_selectors_print(sels, n, out);
	if (fclose(out) == 0)
		kept = weir_arena_strdup(arena, text);
	free(text);
	return kept;
}

const char *weir_services_text(struct weir_arena *arena, const struct weir_policy *policy)
{
	const char *all = policy->n_services ? "" : "all";
	char text[WEIR_SERVICE_TEXT];
	for (size_t i = 0; all && i < policy->n_services; i++)
		all = weir_arena_printf(arena, "%s%s%s", all, i ? " " : "",
					weir_service_text(&policy->services[i], text));
	return all;
}

/* ---- nodes ---- */

static bool same(const struct weir_node *a, const struct weir_node *b)
{
	return a->kind == b->kind && a->number == b->number;
}

static int add_node(struct drawing *on, struct end *end, enum weir_node_kind kind, size_t number)
{
	struct weir_node node = { .kind = kind, .number = number };
	for (size_t i = 0; i < end->n; i++)
		if (same(&end->nodes[i], &node))
			return 0;
	struct weir_node *grown =
		weir_arena_grow(on->arena, end->nodes, end->n, sizeof(*end->nodes));
	if (!grown)
		return -ENOMEM;
	end->nodes = grown;
	end->nodes[end->n++] = node;
	on->arrows.host |= kind == WEIR_NODE_HOST;
	return 0;
}

static int add_words(struct drawing *on, struct end *end, const struct weir_selector *sels,
		     size_t n)
{
	struct weir_arrows *arrows = &on->arrows;
	const char *text = weir_selectors_text(on->arena, sels, n);
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < arrows->n_words; i++)
		if (strcmp(arrows->words[i], text) == 0)
			return add_node(on, end, WEIR_NODE_WORDS, i);
	const char **grown =
		weir_arena_grow(on->arena, arrows->words, arrows->n_words, sizeof(*arrows->words));
	if (!grown)
		return -ENOMEM;
	arrows->words = grown;
	arrows->words[arrows->n_words] = text;
	return add_node(on, end, WEIR_NODE_WORDS, arrows->n_words++);
}

static bool picked(const struct weir_selector *sel, const struct weir_endpoint *ep)
{
	for (size_t k = 0; k < ep->n_attachments; k++)
		for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
			if (weir_selectors_pick(sel, 1, ep, &ep->attachments[k], f))
				return true;
	return false;
}

static int add_networks(struct drawing *on, struct end *end, const struct weir_selector *sel)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < sel->n_networks; i++) {
		const struct weir_network *net = weir_model_network(on->model, sel->networks[i]);
		if (net)
			r = add_node(on, end, WEIR_NODE_NETWORK,
				     (size_t)(net - on->model->networks));
	}
	return r;
}

static int add_endpoints(struct drawing *on, struct end *end, const struct weir_selector *sel)
{
	size_t n = 0;
	int r = 0;
	for (size_t i = 0; n <= MANY && i < on->model->n_endpoints; i++)
		n += picked(sel, &on->model->endpoints[i]);
	if (n == 0 || n > MANY)
		return add_words(on, end, sel, 1);
	for (size_t i = 0; r == 0 && i < on->model->n_endpoints; i++)
		if (picked(sel, &on->model->endpoints[i]))
			r = add_node(on, end, WEIR_NODE_ENDPOINT, i);
	return r;
}

static int add_selector(struct drawing *on, struct end *end, const struct weir_selector *sel)
{
	if (sel->kind == WEIR_SELECT_OUTSIDE)
		return add_node(on, end, WEIR_NODE_OUTSIDE, 0);
	if (sel->kind == WEIR_SELECT_HOST)
		return add_node(on, end, WEIR_NODE_HOST, 0);
	if (sel->kind == WEIR_SELECT_BLOCKS)
		return add_words(on, end, sel, 1);
	return sel->n_networks && !sel->n_endpoints && !sel->n_labels ? add_networks(on, end, sel)
								      : add_endpoints(on, end, sel);
}

static int add_selectors(struct drawing *on, struct end *end, const struct weir_selector *sels,
			 size_t n)
{
	int r = n ? 0 : add_words(on, end, NULL, 0);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_selector(on, end, &sels[i]);
	return r;
}

/* ---- arrows ---- */

/* What an endpoint says to itself meets no policy. */
static bool means_nothing(const struct weir_node *from, const struct weir_node *to)
{
	return from->kind == WEIR_NODE_ENDPOINT && same(from, to);
}

static int add_arrow(struct drawing *on, const struct weir_arrow *arrow)
{
	struct weir_arrow *grown = weir_arena_grow(on->arena, on->arrows.items, on->arrows.n,
						   sizeof(*on->arrows.items));
	if (!grown)
		return -ENOMEM;
	on->arrows.items = grown;
	on->arrows.items[on->arrows.n++] = *arrow;
	return 0;
}

static int draw(struct drawing *on, const struct weir_policy *policy)
{
	struct end from = { 0 }, to = { 0 };
	int r = add_selectors(on, &from, policy->from, policy->n_from);
	if (r == 0)
		r = add_selectors(on, &to, policy->to, policy->n_to);
	for (size_t i = 0; r == 0 && i < from.n; i++)
		for (size_t k = 0; r == 0 && k < to.n; k++)
			if (!means_nothing(&from.nodes[i], &to.nodes[k]))
				r = add_arrow(on, &(struct weir_arrow){ policy, from.nodes[i],
									to.nodes[k] });
	return r;
}

int weir_arrows_draw(const struct weir_model *model, struct weir_arena *arena,
		     struct weir_arrows *ret, struct weir_err *err)
{
	struct drawing on = { .model = model, .arena = arena };
	for (size_t i = 0; i < model->n_policies; i++)
		if (draw(&on, &model->policies[i]) < 0)
			return weir_err_set(err, ENOMEM, "out of memory");
	*ret = on.arrows;
	return 0;
}
