/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy add, rm, ls, show. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/graph.h"
#include "cli/words.h"
#include "core/selector.h"
#include "policy/compile.h"

int weir_verb_policy_add(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	int r = weir_words_policy(cli, &model, err);
	if (r < 0)
		return r;
	struct weir_op op = {
		.kind = WEIR_PUT_POLICY,
		.name = model.policies[0].name,
		.policy = &model.policies[0],
		.add = true,
	};
	return weir_cli_change(cli, &(struct weir_change){ .ops = &op, .n_ops = 1 }, err);
}

int weir_verb_policy_rm(struct weir_cli *cli, struct weir_err *err)
{
	return weir_cli_remove(cli, WEIR_REMOVE_POLICY, err);
}

/* ---- looking ---- */

/* Everybody, every policy, and what the kernel has counted. */
struct view {
	struct weir_model model;
	struct weir_counters counters;
};

static void free_view(struct view *view)
{
	weir_model_free(&view->model);
	weir_counters_free(&view->counters);
}
#define CLEAN_VIEW __attribute__((cleanup(free_view)))

static int look(struct weir_cli *cli, struct view *view, struct weir_err *err)
{
	struct weir_store_meta meta;
	struct weir_scope scope = { .all = true, .no_mappings = true, .policies = true };
	int r = weir_cli_load(cli, &scope, &view->model, &meta, err);
	if (r == 0 && view->model.n_policies)
		r = weir_cli_counters(cli, &meta, &view->counters, err);
	return r;
}

/* "" without memory. */
static const char *selectors_text(struct weir_cli *cli, const struct weir_selector *sels, size_t n)
{
	const char *text = weir_selectors_text(&cli->arena, sels, n);
	return text ? text : "";
}

static const char *services_text(struct weir_cli *cli, const struct weir_policy *policy)
{
	const char *text = weir_services_text(&cli->arena, policy);
	return text ? text : "";
}

static void list_policies(struct weir_cli *cli, const struct view *view)
{
	static const char *const heads[] = { "POLICY", "ACTION",   "FROM",	 "TO",
					     "PORTS",  "PRIORITY", "CONNECTIONS" };
	struct weir_table table = { .n_columns = sizeof(heads) / sizeof(*heads) };
	for (size_t i = 0; i < table.n_columns; i++)
		weir_table_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < view->model.n_policies; i++) {
		const struct weir_policy *policy = &view->model.policies[i];
		weir_table_cell(&table, "%s", policy->name);
		weir_table_cell(&table, "%s", weir_policy_action_name(policy->action));
		weir_table_cell(&table, "%s", selectors_text(cli, policy->from, policy->n_from));
		weir_table_cell(&table, "%s", selectors_text(cli, policy->to, policy->n_to));
		weir_table_cell(&table, "%s", services_text(cli, policy));
		weir_table_cell(&table, "%d", policy->priority);
		weir_table_cell(
			&table, "%llu",
			(unsigned long long)weir_policy_count(&view->counters, policy).connections);
	}
	weir_table_print(&table);
}

int weir_verb_policy_ls(struct weir_cli *cli, struct weir_err *err)
{
	CLEAN_VIEW struct view view = { 0 };
	int r = look(cli, &view, err);
	if (r < 0)
		return r;
	if (!cli->json) {
		list_policies(cli, &view);
		return WEIR_EXIT_DONE;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < view.model.n_policies; i++)
		json_array_append_new(list,
				      weir_json_policy(&view.model.policies[i], &view.counters));
	weir_print_json(json_pack("{s:o}", "policies", list));
	return WEIR_EXIT_DONE;
}

/* ---- show ---- */

/* One address that a selector picks. */
typedef void member_fn(void *ctx, const struct weir_endpoint *ep, const struct weir_attachment *att,
		       const struct weir_addr *addr);

static void each_member(const struct weir_model *model, const struct weir_selector *sels, size_t n,
			member_fn *tell, void *ctx)
{
	for (size_t i = 0; i < model->n_endpoints; i++)
		for (size_t k = 0; k < model->endpoints[i].n_attachments; k++) {
			const struct weir_endpoint *ep = &model->endpoints[i];
			const struct weir_attachment *att = &ep->attachments[k];
			for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
				if (weir_selectors_pick(sels, n, ep, att, f))
					tell(ctx, ep, att, &att->addrs[f]);
		}
}

static void member_json(void *list, const struct weir_endpoint *ep,
			const struct weir_attachment *att, const struct weir_addr *addr)
{
	char text[WEIR_ADDR_TEXT];
	json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "endpoint", ep->name, "network",
					      att->network, "address", weir_addr_text(addr, text)));
}

static void member_row(void *table, const struct weir_endpoint *ep,
		       const struct weir_attachment *att, const struct weir_addr *addr)
{
	char text[WEIR_ADDR_TEXT];
	weir_table_cell(table, "  %s", ep->name);
	weir_table_cell(table, "%s", att->network);
	weir_table_cell(table, "%s", weir_addr_text(addr, text));
}

static json_t *members_json(const struct weir_model *model, const struct weir_selector *sels,
			    size_t n)
{
	json_t *list = json_array();
	each_member(model, sels, n, member_json, list);
	return list;
}

static void show_members(const char *head, const struct weir_model *model,
			 const struct weir_selector *sels, size_t n)
{
	struct weir_table table = { .n_columns = 3 };
	puts(head);
	each_member(model, sels, n, member_row, &table);
	if (!table.n_cells)
		puts("  no endpoint");
	weir_table_print(&table);
}

/* The lines that the policy decides, of the lists that pairs of endpoints lead to. */
static bool is_rule_of(const struct weir_entry *entry, const struct weir_policy *policy)
{
	return entry->kind == WEIR_ENTRY_CELL && strcmp(entry->owner, policy->name) == 0;
}

static void show_json(const struct view *view, const struct weir_policy *policy,
		      const struct weir_ruleset *rules)
{
	json_t *object = weir_json_policy(policy, &view->counters), *lines = json_array();
	char text[WEIR_ENTRY_TEXT];
	for (size_t i = 0; i < rules->n; i++)
		if (is_rule_of(&rules->entries[i], policy))
			json_array_append_new(
				lines, json_string(weir_entry_text(&rules->entries[i], text)));
	json_object_set_new(object, "senders",
			    members_json(&view->model, policy->from, policy->n_from));
	json_object_set_new(object, "receivers",
			    members_json(&view->model, policy->to, policy->n_to));
	json_object_set_new(object, "rules", lines);
	weir_print_json(json_pack("{s:o}", "policy", object));
}

static void show_text(struct weir_cli *cli, const struct view *view,
		      const struct weir_policy *policy, const struct weir_ruleset *rules)
{
	struct weir_policy_count count = weir_policy_count(&view->counters, policy);
	char text[WEIR_ENTRY_TEXT], place[128];
	weir_place_text(&policy->origin, place, sizeof(place));
	printf("policy %s: %s\n", policy->name, weir_policy_action_name(policy->action));
	printf("  from %s\n", selectors_text(cli, policy->from, policy->n_from));
	printf("  to %s\n", selectors_text(cli, policy->to, policy->n_to));
	printf("  ports %s\n", services_text(cli, policy));
	printf("  direction %s, priority %d, log %s\n", weir_policy_gate_name(policy->gate),
	       policy->priority, weir_policy_log_name(policy->log));
	printf("  written %s%s\n", place[0] ? "at " : "by `weir policy add`", place);
	printf("  decided %llu connections, %llu bytes\n", (unsigned long long)count.connections,
	       (unsigned long long)count.bytes);
	show_members("senders:", &view->model, policy->from, policy->n_from);
	show_members("receivers:", &view->model, policy->to, policy->n_to);
	puts("rules:");
	size_t told = 0;
	for (size_t i = 0; i < rules->n; i++)
		if (is_rule_of(&rules->entries[i], policy) && ++told)
			printf("  %s\n", weir_entry_text(&rules->entries[i], text));
	if (!told)
		puts("  none: nobody is at both ends, or others decide before it");
}

int weir_verb_policy_show(struct weir_cli *cli, struct weir_err *err)
{
	CLEAN_VIEW struct view view = { 0 };
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	int r = look(cli, &view, err);
	if (r < 0)
		return r;
	const struct weir_policy *policy = weir_model_policy(&view.model, cli->words[0]);
	if (!policy)
		return weir_err_set(err, ENOENT, "no policy named \"%s\" (weir policy ls)",
				    cli->words[0]);
	r = weir_compile(&view.model, &rules, err);
	if (r < 0)
		return r;
	if (cli->json)
		show_json(&view, policy, &rules);
	else
		show_text(cli, &view, policy, &rules);
	return WEIR_EXIT_DONE;
}
