/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies as `weir graph` draws them, in each of its formats. */
#include <stdio.h>
#include <string.h>

#include "cli/graph.h"

/* What a policy does, and to what: "80/tcp allow". */
static const char *verdict_text(const struct weir_policy *policy, struct weir_arena *arena)
{
	const char *services = weir_services_text(arena, policy);
	const char *text = services ? weir_arena_printf(arena, "%s %s", services,
							weir_policy_action_name(policy->action))
				    : NULL;
	return text ? text : "";
}

/* Words with something else in the place of each quote and backslash; a label's value may have any. */
static const char *quoted(const char *words, const char *quote, const char *backslash,
			  struct weir_arena *arena)
{
	const char *text = "";
	while (text && *words) {
		int len = (int)strcspn(words, "\"\\");
		char stop = words[len];
		text = weir_arena_printf(arena, "%s%.*s%s", text, len, words,
					 stop == '"' ? quote
					 : stop	     ? backslash
						     : "");
		words += len + (stop != '\0');
	}
	return text ? text : "";
}

/* ---- text ---- */

void weir_graph_text(const struct weir_model *model, const struct weir_arrows *arrows,
		     struct weir_arena *arena)
{
	(void)arrows;
	if (model->n_policies)
		puts("policies");
	for (size_t i = 0; i < model->n_policies; i++) {
		const struct weir_policy *policy = &model->policies[i];
		const char *from = weir_selectors_text(arena, policy->from, policy->n_from);
		const char *to = weir_selectors_text(arena, policy->to, policy->n_to);
		printf("%s%s  %s → %s  %s", i + 1 == model->n_policies ? "└─ " : "├─ ",
		       policy->name, from ? from : "", to ? to : "", verdict_text(policy, arena));
		if (policy->gate != WEIR_BOTH_GATES)
			printf("  %s", weir_policy_gate_name(policy->gate));
		if (policy->priority)
			printf("  priority %d", policy->priority);
		putchar('\n');
	}
}

/* ---- Graphviz ---- */

static void dot_node(const struct weir_model *model, const struct weir_node *node)
{
	switch (node->kind) {
	case WEIR_NODE_OUTSIDE:
		printf("\"outside\"");
		break;
	case WEIR_NODE_HOST:
		printf("\"host\"");
		break;
	case WEIR_NODE_NETWORK:
		printf("\"network %s\"", model->networks[node->number].name);
		break;
	case WEIR_NODE_ENDPOINT:
		printf("\"endpoint %s\"", model->endpoints[node->number].name);
		break;
	case WEIR_NODE_WORDS:
		printf("\"selector %zu\"", node->number);
		break;
	}
}

void weir_graph_dot(const struct weir_model *model, const struct weir_arrows *arrows,
		    struct weir_arena *arena)
{
	if (arrows->host)
		puts("\t\"host\" [shape=ellipse];");
	for (size_t i = 0; i < arrows->n_words; i++)
		printf("\t\"selector %zu\" [shape=note, label=\"%s\"];\n", i,
		       quoted(arrows->words[i], "\\\"", "\\\\", arena));
	for (size_t i = 0; i < arrows->n; i++) {
		const struct weir_arrow *arrow = &arrows->items[i];
		bool allow = arrow->policy->action == WEIR_ALLOW;
		putchar('\t');
		dot_node(model, &arrow->from);
		printf(" -- ");
		dot_node(model, &arrow->to);
		printf(" [dir=forward, arrowhead=%s, color=%s, label=\"%s\\n%s\"];\n",
		       allow ? "normal" : "tee", allow ? "darkgreen" : "red", arrow->policy->name,
		       verdict_text(arrow->policy, arena));
	}
}

/* ---- Mermaid ---- */

static void mermaid_node(const struct weir_node *node)
{
	static const char letters[] = {
		[WEIR_NODE_NETWORK] = 'n',
		[WEIR_NODE_ENDPOINT] = 'e',
		[WEIR_NODE_WORDS] = 's',
	};
	if (node->kind == WEIR_NODE_OUTSIDE || node->kind == WEIR_NODE_HOST)
		printf("%s", node->kind == WEIR_NODE_HOST ? "host" : "outside");
	else
		printf("%c%zu", letters[node->kind], node->number);
}

void weir_graph_mermaid(const struct weir_model *model, const struct weir_arrows *arrows,
			struct weir_arena *arena)
{
	(void)model;
	if (arrows->host)
		puts("\thost([host])");
	for (size_t i = 0; i < arrows->n_words; i++)
		printf("\ts%zu>\"%s\"]\n", i, quoted(arrows->words[i], "#quot;", "\\", arena));
	for (size_t i = 0; i < arrows->n; i++) {
		const struct weir_arrow *arrow = &arrows->items[i];
		putchar('\t');
		mermaid_node(&arrow->from);
		printf(" == \"%s<br/>%s\" ==%c ", arrow->policy->name,
		       verdict_text(arrow->policy, arena),
		       arrow->policy->action == WEIR_ALLOW ? '>' : 'x');
		mermaid_node(&arrow->to);
		putchar('\n');
	}
}
