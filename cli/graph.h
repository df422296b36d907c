/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies in `weir graph`: arrows between what it draws. */
#ifndef WEIR_CLI_GRAPH_H
#define WEIR_CLI_GRAPH_H

#include "core/model.h"

/* Where an arrow begins or ends. */
enum weir_node_kind {
	WEIR_NODE_OUTSIDE,
	WEIR_NODE_HOST,
	WEIR_NODE_NETWORK, /* whoever is in it */
	WEIR_NODE_ENDPOINT,
	WEIR_NODE_WORDS, /* whom a selector picks, in its own words */
};

struct weir_node {
	enum weir_node_kind kind;
	size_t number; /* in the model; of words: in weir_arrows */
};

struct weir_arrow {
	const struct weir_policy *policy;
	struct weir_node from, to;
};

struct weir_arrows {
	struct weir_arrow *items; /* in the order in which policies are asked */
	size_t n;
	const char **words; /* each once */
	size_t n_words;
	bool host; /* does any begin or end at the host? */
};

/* An arrow for each two that a policy names, in the arena. A selector that picks more than a few endpoints,
 * or none, is a node of its own. -ENOMEM. */
int weir_arrows_draw(const struct weir_model *model, struct weir_arena *arena,
		     struct weir_arrows *ret, struct weir_err *err);

/* What each format has for policies: lines of text, or the arrows and the nodes that only they need. */
void weir_graph_text(const struct weir_model *model, const struct weir_arrows *arrows,
		     struct weir_arena *arena);
void weir_graph_dot(const struct weir_model *model, const struct weir_arrows *arrows,
		    struct weir_arena *arena);
void weir_graph_mermaid(const struct weir_model *model, const struct weir_arrows *arrows,
			struct weir_arena *arena);

/* In the arena: whom selectors pick ("any", "label:role=api outside"), and a policy's services
 * ("80/tcp 443/tcp", "all"). NULL without memory. */
const char *weir_selectors_text(struct weir_arena *arena, const struct weir_selector *sels,
				size_t n);
const char *weir_services_text(struct weir_arena *arena, const struct weir_policy *policy);

#endif
