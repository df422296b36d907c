/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network add, rm, ls, show. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"

int weir_verb_network_add(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	int r = weir_words_network(cli, &model, err);
	if (r < 0)
		return r;
	struct weir_op op = {
		.kind = WEIR_PUT_NETWORK,
		.name = model.networks[0].name,
		.network = &model.networks[0],
		.add = true,
	};
	return weir_cli_change(cli, &(struct weir_change){ .ops = &op, .n_ops = 1 }, err);
}

int weir_verb_network_rm(struct weir_cli *cli, struct weir_err *err)
{
	return weir_cli_remove(cli, WEIR_REMOVE_NETWORK, err);
}

static size_t count_members(const struct weir_model *model, const char *network)
{
	size_t n = 0;
	for (size_t i = 0; i < model->n_endpoints; i++)
		n += weir_endpoint_attachment(&model->endpoints[i], network) != NULL;
	return n;
}

static void subnet_cell(struct weir_table *table, const struct weir_network *net)
{
	char text[256] = "", prefix[WEIR_PREFIX_TEXT];
	for (size_t i = 0; i < net->n_subnets; i++) {
		size_t used = strlen(text);
		(void)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
			       weir_prefix_text(&net->subnets[i].prefix, prefix));
	}
	weir_table_cell(table, "%s", text);
}

static void flags_cell(struct weir_table *table, const struct weir_network *net)
{
	char text[128];
	(void)snprintf(text, sizeof(text), "%s%s%s%s%s%s", net->internal ? " internal" : "",
		       net->isolate ? " isolated" : "", net->host_deny ? " host-deny" : "",
		       weir_network_is_filtered(net) && weir_mode_traits(net->mode)->bridge
			       ? " filter-bridged"
			       : "",
		       net->no_spoof_guard ? " no-spoof-guard" : "", net->strict ? " strict" : "");
	weir_table_cell(table, "%s", text[0] ? text + 1 : "-");
}

static void list_networks(const struct weir_model *model)
{
	struct weir_table table = { .n_columns = 6 };
	static const char *const heads[] = { "NETWORK", "MODE",	     "BRIDGE",
					     "SUBNETS", "ENDPOINTS", "FLAGS" };
	for (size_t i = 0; i < table.n_columns; i++)
		weir_table_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < model->n_networks; i++) {
		const struct weir_network *net = &model->networks[i];
		weir_table_cell(&table, "%s", net->name);
		weir_table_cell(&table, "%s", weir_mode_name(net->mode));
		weir_table_cell(&table, "%s", net->ifname[0] ? net->ifname : "-");
		subnet_cell(&table, net);
		weir_table_cell(&table, "%zu", count_members(model, net->name));
		flags_cell(&table, net);
	}
	weir_table_print(&table);
}

int weir_verb_network_ls(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_scope scope = { .all = true, .no_mappings = true };
	int r = weir_cli_load(cli, &scope, &model, NULL, err);
	if (r < 0)
		return r;
	if (!cli->json) {
		list_networks(&model);
		return WEIR_EXIT_DONE;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < model.n_networks; i++)
		json_array_append_new(
			list, weir_json_network(&model.networks[i],
						count_members(&model, model.networks[i].name)));
	weir_print_json(json_pack("{s:o}", "networks", list));
	return WEIR_EXIT_DONE;
}

/* ---- show ---- */

struct shown {
	const struct weir_model *model;
	const struct weir_network *net;
	struct weir_fdb_entry *fdb;
	size_t n_fdb;
	struct weir_neighbour *neighbours;
	size_t n_neighbours;
};

/* The endpoint behind a MAC address, or NULL. */
static const char *owner_of(const struct shown *s, const struct weir_mac *mac)
{
	for (size_t i = 0; i < s->model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &s->model->endpoints[i];
		const struct weir_attachment *att = weir_endpoint_attachment(ep, s->net->name);
		if (att && weir_mac_cmp(&att->mac, mac) == 0)
			return ep->name;
	}
	return NULL;
}

static json_t *neighbours_json(const struct shown *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < s->n_neighbours; i++) {
		const struct weir_neighbour *known = &s->neighbours[i];
		char addr[WEIR_ADDR_TEXT], mac[WEIR_MAC_TEXT];
		bool answered = weir_mac_is_set(&known->mac);
		json_array_append_new(list,
				      json_pack("{s:s, s:s?, s:b, s:s?}", "address",
						weir_addr_text(&known->addr, addr), "mac",
						answered ? weir_mac_text(&known->mac, mac) : NULL,
						"stale", known->stale, "endpoint",
						answered ? owner_of(s, &known->mac) : NULL));
	}
	return list;
}

static void show_json(const struct shown *s)
{
	char text[WEIR_MAC_TEXT];
	json_t *members = json_array(), *fdb = json_array();
	for (size_t i = 0; i < s->model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &s->model->endpoints[i];
		const struct weir_attachment *att = weir_endpoint_attachment(ep, s->net->name);
		json_t *addrs = json_array();
		char addr[WEIR_ADDR_TEXT];
		if (!att) {
			json_decref(addrs);
			continue;
		}
		for (int f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
			if (weir_addr_is_set(&att->addrs[f]))
				json_array_append_new(
					addrs, json_string(weir_addr_text(&att->addrs[f], addr)));
		json_array_append_new(members,
				      json_pack("{s:s, s:o, s:s, s:s, s:s}", "endpoint", ep->name,
						"addresses", addrs, "mac",
						weir_mac_text(&att->mac, text), "ifname",
						att->ifname, "host_ifname", att->host_ifname));
	}
	for (size_t i = 0; i < s->n_fdb; i++)
		json_array_append_new(fdb,
				      json_pack("{s:s, s:s, s:b, s:s?}", "mac",
						weir_mac_text(&s->fdb[i].mac, text), "port",
						s->fdb[i].ifname, "permanent", s->fdb[i].permanent,
						"endpoint", owner_of(s, &s->fdb[i].mac)));
	json_t *net = weir_json_network(s->net, count_members(s->model, s->net->name));
	json_object_set_new(net, "members", members);
	json_object_set_new(net, "fdb", fdb);
	json_object_set_new(net, "neighbours", neighbours_json(s));
	weir_print_json(json_pack("{s:o}", "network", net));
}

static void show_neighbours(const struct shown *s)
{
	struct weir_table table = { .n_columns = 4 };
	char addr[WEIR_ADDR_TEXT], mac[WEIR_MAC_TEXT];
	if (s->n_neighbours)
		puts("neighbours:");
	for (size_t i = 0; i < s->n_neighbours; i++) {
		const struct weir_neighbour *known = &s->neighbours[i];
		bool answered = weir_mac_is_set(&known->mac);
		const char *owner = answered ? owner_of(s, &known->mac) : NULL;
		weir_table_cell(&table, "  %s", weir_addr_text(&known->addr, addr));
		weir_table_cell(&table, "%s", answered ? weir_mac_text(&known->mac, mac) : "-");
		weir_table_cell(&table, "%s", owner ? owner : "-");
		weir_table_cell(&table, "%s",
				!answered      ? "no answer"
				: known->stale ? "stale"
					       : "");
	}
	weir_table_print(&table);
}

static void show_text(const struct shown *s)
{
	struct weir_table members = { .n_columns = 5 }, fdb = { .n_columns = 3 };
	char mac[WEIR_MAC_TEXT], v4[WEIR_ADDR_TEXT], v6[WEIR_ADDR_TEXT], text[WEIR_PREFIX_TEXT];
	const struct weir_network *net = s->net;
	printf("network %s: %s %s\n", net->name, weir_mode_name(net->mode), net->ifname);
	for (size_t i = 0; i < net->n_subnets; i++)
		printf("  subnet %s gateway %s%s%s%s\n",
		       weir_prefix_text(&net->subnets[i].prefix, text),
		       weir_addr_is_set(&net->subnets[i].gateway)
			       ? weir_addr_text(&net->subnets[i].gateway, v4)
			       : "none",
		       net->gateway_endpoint ? " (endpoint " : "",
		       net->gateway_endpoint ? net->gateway_endpoint : "",
		       net->gateway_endpoint ? ")" : "");
	for (size_t i = 0; i < s->model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &s->model->endpoints[i];
		const struct weir_attachment *att = weir_endpoint_attachment(ep, net->name);
		if (!att)
			continue;
		weir_table_cell(&members, "  %s", ep->name);
		weir_table_cell(&members, "%s", weir_addr_text(&att->addrs[WEIR_IPV4], v4));
		weir_table_cell(&members, "%s", weir_addr_text(&att->addrs[WEIR_IPV6], v6));
		weir_table_cell(&members, "%s", weir_mac_text(&att->mac, mac));
		weir_table_cell(&members, "%s", att->host_ifname);
	}
	puts("members:");
	weir_table_print(&members);
	if (weir_mode_traits(net->mode)->bridge)
		puts("forwarding database:");
	for (size_t i = 0; i < s->n_fdb; i++) {
		const char *owner = owner_of(s, &s->fdb[i].mac);
		weir_table_cell(&fdb, "  %s", weir_mac_text(&s->fdb[i].mac, mac));
		weir_table_cell(&fdb, "%s", s->fdb[i].ifname);
		weir_table_cell(&fdb, "%s", owner ? owner : s->fdb[i].permanent ? "permanent" : "");
	}
	weir_table_print(&fdb);
	show_neighbours(s);
}

/* The kernel tells them in no order. */
static int compare_fdb(const void *a, const void *b)
{
	const struct weir_fdb_entry *x = a, *y = b;
	int order = x->permanent - y->permanent;
	return order ? order : weir_mac_cmp(&x->mac, &y->mac);
}

static int compare_neighbours(const void *a, const void *b)
{
	return weir_addr_cmp(&((const struct weir_neighbour *)a)->addr,
			     &((const struct weir_neighbour *)b)->addr);
}

static void sort(struct shown *s)
{
	if (s->n_fdb)
		qsort(s->fdb, s->n_fdb, sizeof(*s->fdb), compare_fdb);
	if (s->n_neighbours)
		qsort(s->neighbours, s->n_neighbours, sizeof(*s->neighbours), compare_neighbours);
}

/* What the kernel knows of the bridge. */
static int read_bridge(struct weir_cli *cli, const char *store, struct shown *s,
		       struct weir_err *err)
{
	struct weir_links *links = NULL;
	const struct weir_mode_traits *mode = weir_mode_traits(s->net->mode);
	if (!mode->host)
		return 0;
	int r = weir_cli_engine(cli, err);
	if (r == 0)
		r = cli->links.open(store, cli->engine.trace, &links, err);
	if (r < 0)
		return r;
	if (mode->bridge)
		r = cli->links.fdb(links, s->net, &cli->arena, &s->fdb, &s->n_fdb, err);
	if (r == 0)
		r = cli->links.neighbours(links, s->net, &cli->arena, &s->neighbours,
					  &s->n_neighbours, err);
	sort(s);
	cli->links.close(links);
	return r;
}

int weir_verb_network_show(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_store_meta meta;
	struct weir_scope scope = { .networks = cli->words, .n_networks = 1, .members = true };
	int r = weir_cli_load(cli, &scope, &model, &meta, err);
	if (r < 0)
		return r;
	struct shown shown = { .model = &model, .net = weir_model_network(&model, cli->words[0]) };
	if (!shown.net)
		return weir_err_set(err, ENOENT, "no network named \"%s\" (weir network ls)",
				    cli->words[0]);
	r = read_bridge(cli, meta.uuid, &shown, err);
	if (r < 0)
		return r;
	if (cli->json)
		show_json(&shown);
	else
		show_text(&shown);
	return WEIR_EXIT_DONE;
}
