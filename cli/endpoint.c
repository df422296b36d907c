/* SPDX-License-Identifier: GPL-2.0-or-later */
/* endpoint add, rm, ls, show. */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"

int weir_verb_endpoint_add(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	int r = weir_words_endpoint(cli, &model, err);
	if (r < 0)
		return r;
	struct weir_op op = {
		.kind = WEIR_PUT_ENDPOINT,
		.name = model.endpoints[0].name,
		.endpoint = &model.endpoints[0],
		.add = true,
	};
	return weir_cli_change(cli, &(struct weir_change){ .ops = &op, .n_ops = 1 }, err);
}

int weir_verb_endpoint_rm(struct weir_cli *cli, struct weir_err *err)
{
	return weir_cli_remove(cli, WEIR_REMOVE_ENDPOINT, err);
}

static void addr_list(const struct weir_endpoint *ep, char *buf, size_t size)
{
	char text[WEIR_ADDR_TEXT];
	buf[0] = '\0';
	for (size_t i = 0; i < ep->n_attachments; i++)
		for (int f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++) {
			size_t used = strlen(buf);
			const struct weir_addr *addr = &ep->attachments[i].addrs[f];
			if (weir_addr_is_set(addr))
				(void)snprintf(buf + used, size - used, "%s%s", used ? " " : "",
					       weir_addr_text(addr, text));
		}
}

static void port_list(const struct weir_endpoint *ep, char *buf, size_t size)
{
	enum { TOLD = 6 };
	char text[WEIR_MAPPING_TEXT];
	buf[0] = '\0';
	for (size_t i = 0; i < ep->n_mappings && i < TOLD; i++) {
		size_t used = strlen(buf);
		(void)snprintf(buf + used, size - used, "%s%s", used ? " " : "",
			       weir_mapping_text(&ep->mappings[i], text));
	}
	size_t used = strlen(buf);
	if (ep->n_mappings > TOLD)
		(void)snprintf(buf + used, size - used, " and %zu more", ep->n_mappings - TOLD);
}

static void list_endpoints(const struct weir_model *model)
{
	struct weir_table table = { .n_columns = 4 };
	static const char *const heads[] = { "ENDPOINT", "NETWORKS", "ADDRESSES", "PUBLISHED" };
	char text[512];
	for (size_t i = 0; i < table.n_columns; i++)
		weir_table_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &model->endpoints[i];
		weir_table_cell(&table, "%s", ep->name);
		text[0] = '\0';
		for (size_t k = 0; k < ep->n_attachments; k++) {
			size_t used = strlen(text);
			(void)snprintf(text + used, sizeof(text) - used, "%s%s", k ? " " : "",
				       ep->attachments[k].network);
		}
		weir_table_cell(&table, "%s",
				ep->netns == WEIR_NETNS_HOST ? "(host)"
				: text[0]		     ? text
							     : "-");
		addr_list(ep, text, sizeof(text));
		weir_table_cell(&table, "%s", text[0] ? text : "-");
		port_list(ep, text, sizeof(text));
		weir_table_cell(&table, "%s", text[0] ? text : "-");
	}
	weir_table_print(&table);
}

int weir_verb_endpoint_ls(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_scope scope = { .all = true };
	int r = weir_cli_load(cli, &scope, &model, NULL, err);
	if (r < 0)
		return r;
	if (!cli->json) {
		list_endpoints(&model);
		return WEIR_EXIT_DONE;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < model.n_endpoints; i++)
		json_array_append_new(list, weir_json_endpoint(&model, &model.endpoints[i]));
	weir_print_json(json_pack("{s:o}", "endpoints", list));
	return WEIR_EXIT_DONE;
}

static void show_attachment(const struct weir_model *model, const struct weir_endpoint *ep,
			    const struct weir_attachment *att)
{
	char v4[WEIR_ADDR_TEXT], v6[WEIR_ADDR_TEXT], mac[WEIR_MAC_TEXT];
	weir_addr_text(&att->addrs[WEIR_IPV4], v4);
	weir_addr_text(&att->addrs[WEIR_IPV6], v6);
	printf("  %s: network %s, %s%s%s, mac %s, host end %s%s%s%s\n", att->ifname, att->network,
	       v4, v4[0] && v6[0] ? " " : "", v6, weir_mac_text(&att->mac, mac), att->host_ifname,
	       weir_endpoint_default(model, ep, WEIR_NO_FAMILY) == att ? ", default route" : "",
	       att->isolated ? ", isolated" : "", att->locked ? ", locked" : "");
}

static void show_json(const struct weir_model *model, const struct weir_endpoint *ep,
		      uint64_t spoofed)
{
	weir_print_json(json_pack("{s:o, s:I}", "endpoint", weir_json_endpoint(model, ep),
				  "spoofed", (json_int_t)spoofed));
}

static void show_text(const struct weir_model *model, const struct weir_endpoint *ep,
		      uint64_t spoofed)
{
	static const char *const where[WEIR_NUM_NETNS_KINDS] = {
		[WEIR_NETNS_OWN] = "own namespace /run/netns/",
		[WEIR_NETNS_PATH] = "namespace ",
		[WEIR_NETNS_HOST] = "the host's namespace",
	};
	char text[WEIR_MAPPING_TEXT], to[WEIR_PREFIX_TEXT], via[WEIR_ADDR_TEXT];
	printf("endpoint %s: %s%s%s\n", ep->name, where[ep->netns],
	       ep->netns == WEIR_NETNS_OWN ? ep->name
	       : ep->netns_path		   ? ep->netns_path
					   : "",
	       ep->forward ? ", forwards" : "");
	if (ep->rate.to)
		printf("  rate %s\n", weir_rate_text(&ep->rate, text));
	for (size_t i = 0; i < ep->n_attachments; i++)
		show_attachment(model, ep, &ep->attachments[i]);
	for (size_t i = 0; i < ep->n_routes; i++)
		printf("  route %s via %s\n", weir_prefix_text(&ep->routes[i].to, to),
		       weir_addr_text(&ep->routes[i].via, via));
	for (size_t i = 0; i < ep->n_mappings; i++)
		printf("  published %s%s%s\n", weir_mapping_text(&ep->mappings[i], text),
		       ep->mappings[i].network ? " on " : "",
		       ep->mappings[i].network ? ep->mappings[i].network : "");
	for (size_t i = 0; i < ep->n_labels; i++)
		printf("  label %s=%s\n", ep->labels[i].key, ep->labels[i].value);
	for (size_t i = 0; i < ep->n_dns; i++)
		printf("  dns %s\n", weir_addr_text(&ep->dns[i], via));
	if (spoofed)
		printf("  %llu frames with a spoofed source dropped\n",
		       (unsigned long long)spoofed);
}

int weir_cli_spoofed(struct weir_cli *cli, struct weir_links *links, const struct weir_endpoint *ep,
		     uint64_t *sum, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < ep->n_attachments; i++) {
		uint64_t drops = 0;
		r = cli->links.port_drops(links, &ep->attachments[i], &drops, err);
		*sum += drops;
	}
	return r;
}

static int read_spoofed(struct weir_cli *cli, const char *store, const struct weir_endpoint *ep,
			uint64_t *ret, struct weir_err *err)
{
	struct weir_links *links = NULL;
	uint64_t sum = 0;
	int r = weir_cli_engine(cli, err);
	if (r == 0)
		r = cli->links.open(store, cli->engine.trace, &links, err);
	if (r < 0)
		return r;
	r = weir_cli_spoofed(cli, links, ep, &sum, err);
	cli->links.close(links);
	*ret = sum;
	return r;
}

int weir_verb_endpoint_show(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_scope scope = { .endpoints = cli->words, .n_endpoints = 1 };
	struct weir_store_meta meta;
	uint64_t spoofed = 0;
	int r = weir_cli_load(cli, &scope, &model, &meta, err);
	if (r < 0)
		return r;
	const struct weir_endpoint *ep = weir_model_endpoint(&model, cli->words[0]);
	if (!ep)
		return weir_err_set(err, ENOENT, "no endpoint named \"%s\" (weir endpoint ls)",
				    cli->words[0]);
	r = read_spoofed(cli, meta.uuid, ep, &spoofed, err);
	if (r < 0)
		return r;
	if (cli->json)
		show_json(&model, ep, spoofed);
	else
		show_text(&model, ep, spoofed);
	return WEIR_EXIT_DONE;
}
