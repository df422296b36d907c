/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port add, rm, ls, show. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"
#include "policy/compile.h"

static bool is_among(const struct weir_mapping *mappings, size_t n, const struct weir_mapping *m)
{
	for (size_t i = 0; i < n; i++)
		if (weir_mapping_cmp(&mappings[i], m) == 0)
			return true;
	return false;
}

static int change_ports(struct weir_cli *cli, enum weir_op_kind kind, struct weir_err *err)
{
	size_t n = 0, n_specs = cli->n_words - 1;
	struct weir_op *ops = weir_arena_alloc(&cli->arena, n_specs * sizeof(*ops));
	struct weir_mapping *mappings = weir_arena_alloc(&cli->arena, n_specs * sizeof(*mappings));
	if (!ops || !mappings)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n_specs; i++) {
		int r = weir_words_mapping(cli, cli->words[i + 1], &mappings[n], err);
		if (r < 0)
			return r;
		if (kind == WEIR_REMOVE_MAPPING && is_among(mappings, n, &mappings[n]))
			continue; /* to take one thing back twice is to take it back */
		ops[n] = (struct weir_op){ .kind = kind,
					   .name = cli->words[0],
					   .mapping = &mappings[n] };
		n++;
	}
	return weir_cli_change(cli, &(struct weir_change){ .ops = ops, .n_ops = n }, err);
}

int weir_verb_port_add(struct weir_cli *cli, struct weir_err *err)
{
	return change_ports(cli, WEIR_ADD_MAPPING, err);
}

int weir_verb_port_rm(struct weir_cli *cli, struct weir_err *err)
{
	return change_ports(cli, WEIR_REMOVE_MAPPING, err);
}

/* ---- looking ---- */

struct sum {
	uint64_t connections, bytes;
};

/* Reasons of drops first, then the mappings in the order of their keys. */
static int compare_counters(const void *a, const void *b)
{
	const struct weir_entry *x = ((const struct weir_counter *)a)->mapping;
	const struct weir_entry *y = ((const struct weir_counter *)b)->mapping;
	return x && y ? weir_entry_key_cmp(x, y) : (x != NULL) - (y != NULL);
}

/* One mapping of the user's is an entry for each family. */
static struct sum sum_of(const struct weir_counters *counters, const struct weir_mapping *m)
{
	struct sum sum = { 0 };
	for (enum weir_family f = WEIR_IPV4; counters->n && f < WEIR_NUM_FAMILIES; f++) {
		const struct weir_entry entry = {
			.kind = WEIR_ENTRY_MAPPING,
			.family = f,
			.addr = m->host,
			.proto = m->proto,
			.ports = m->host_ports,
		};
		const struct weir_counter key = { .mapping = &entry };
		const struct weir_counter *found =
			bsearch(&key, counters->items, counters->n, sizeof(key), compare_counters);
		if (!found)
			continue;
		sum.connections += found->packets;
		sum.bytes += found->bytes;
	}
	return sum;
}

/* Where it leads, rules or no rules; "": nowhere in this family. Returns buf. */
static const char *target(const struct weir_model *model, const struct weir_endpoint *ep,
			  const struct weir_mapping *m, enum weir_family family,
			  char buf[WEIR_ADDR_TEXT])
{
	const struct weir_addr *to = weir_compile_target(model, ep, m, family);
	buf[0] = '\0';
	return to ? weir_addr_text(to, buf) : buf;
}

static json_t *port_json(const struct weir_model *model, const struct weir_endpoint *ep,
			 const struct weir_mapping *m, const struct sum *sum)
{
	json_t *port = weir_json_mapping(model, ep, m), *targets = json_array();
	char text[WEIR_ADDR_TEXT];
	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		if (target(model, ep, m, f, text)[0])
			json_array_append_new(targets, json_string(text));
	json_object_set_new(port, "endpoint", json_string(ep->name));
	json_object_set_new(port, "target", targets);
	json_object_set_new(port, "connections", json_integer((json_int_t)sum->connections));
	json_object_set_new(port, "bytes", json_integer((json_int_t)sum->bytes));
	return port;
}

static void port_row(struct weir_table *table, const struct weir_model *model,
		     const struct weir_endpoint *ep, const struct weir_mapping *m,
		     const struct sum *sum)
{
	char text[WEIR_MAPPING_TEXT], v4[WEIR_ADDR_TEXT], v6[WEIR_ADDR_TEXT];
	bool has4 = target(model, ep, m, WEIR_IPV4, v4)[0];
	bool has6 = target(model, ep, m, WEIR_IPV6, v6)[0];
	weir_table_cell(table, "%s", ep->name);
	weir_table_cell(table, "%s", weir_mapping_text(m, text));
	weir_table_cell(table, "%s", weir_proto_name(m->proto));
	weir_table_cell(table, "%s%s%s", v4, has4 && has6 ? " " : "", has4 || has6 ? v6 : "-");
	weir_table_cell(table, "%llu", (unsigned long long)sum->connections);
}

static bool is_asked_for(const struct weir_mapping *wanted, const struct weir_mapping *m)
{
	return !wanted || weir_mapping_is_within(wanted, m) ||
	       (wanted->proto == m->proto && weir_addr_cmp(&wanted->host, &m->host) == 0 &&
		wanted->ports.lo == m->ports.lo && wanted->ports.hi == m->ports.hi &&
		(!wanted->host_ports.lo || wanted->host_ports.lo == m->host_ports.lo));
}

static bool has_any(const struct weir_model *model, const struct weir_mapping *wanted)
{
	for (size_t i = 0; i < model->n_endpoints; i++)
		for (size_t k = 0; k < model->endpoints[i].n_mappings; k++)
			if (is_asked_for(wanted, &model->endpoints[i].mappings[k]))
				return true;
	return false;
}

static void print_ports(const struct weir_cli *cli, const struct weir_model *model,
			const struct weir_counters *counters, const struct weir_mapping *wanted)
{
	static const char *const heads[] = { "ENDPOINT", "PUBLISHED", "PROTO", "TO",
					     "CONNECTIONS" };
	struct weir_table table = { .n_columns = sizeof(heads) / sizeof(*heads) };
	json_t *list = json_array();
	for (size_t i = 0; i < table.n_columns; i++)
		weir_table_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < model->n_endpoints; i++)
		for (size_t k = 0; k < model->endpoints[i].n_mappings; k++) {
			const struct weir_endpoint *ep = &model->endpoints[i];
			struct sum sum = sum_of(counters, &ep->mappings[k]);
			if (!is_asked_for(wanted, &ep->mappings[k]))
				continue;
			if (cli->json)
				json_array_append_new(list,
						      port_json(model, ep, &ep->mappings[k], &sum));
			else
				port_row(&table, model, ep, &ep->mappings[k], &sum);
		}
	if (cli->json) {
		weir_print_json(json_pack("{s:o}", "ports", list));
		weir_arena_free(&table.arena);
		return;
	}
	json_decref(list);
	weir_table_print(&table);
}

int weir_verb_port_ls(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	WEIR_CLEAN_COUNTERS struct weir_counters counters = { 0 };
	struct weir_store_meta meta;
	struct weir_mapping wanted;
	struct weir_scope scope = { .all = !cli->n_words,
				    .endpoints = cli->words,
				    .n_endpoints = cli->n_words > 0 };
	int r = cli->n_words > 1 ? weir_words_mapping(cli, cli->words[1], &wanted, err) : 0;
	if (r == 0)
		r = weir_cli_load(cli, &scope, &model, &meta, err);
	if (r == 0 && cli->n_words && !model.n_endpoints)
		r = weir_err_set(err, ENOENT, "no endpoint named \"%s\" (weir endpoint ls)",
				 cli->words[0]);
	if (r == 0 && cli->n_words > 1 && !has_any(&model, &wanted))
		r = weir_err_set(err, ENOENT,
				 "endpoint \"%s\" does not publish %s (weir port ls %s)",
				 cli->words[0], cli->words[1], cli->words[0]);
	if (r == 0 && model.n_endpoints)
		r = weir_cli_counters(cli, &meta, &counters, err);
	if (r < 0)
		return r;
	if (counters.n)
		qsort(counters.items, counters.n, sizeof(*counters.items), compare_counters);
	print_ports(cli, &model, &counters, cli->n_words > 1 ? &wanted : NULL);
	return WEIR_EXIT_DONE;
}
