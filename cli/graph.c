/* SPDX-License-Identifier: GPL-2.0-or-later */
/* graph: what is there, drawn: networks, who is in them, what leads in and out, what policies say.
 *
 * How it works: one walk over the model tells a pen what comes next; each format is a pen. Policies come
 * last: as lines, or as arrows between what has been drawn (graph_arrows.c). */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/graph.h"

/* Where the walk stands. */
struct spot {
	const struct weir_model *model;
	const struct weir_network *net; /* NULL: an endpoint without networks */
	const struct weir_endpoint *ep;
	const struct weir_attachment *att;
	const struct weir_mapping *mapping;
	bool last_network, last_member, last_mapping; /* of its kind, here */
};

struct pen {
	const char *format;
	void (*begin)(const struct weir_model *model);
	void (*network)(const struct spot *at);
	void (*endpoint)(const struct spot *at); /* a member of net, or of none */
	void (*mapping)(const struct spot *at);
	void (*policies)(const struct weir_model *model, const struct weir_arrows *arrows,
			 struct weir_arena *arena);
	void (*end)(void);
};

/* ---- words ---- */

enum { LABEL = 512 };

static void append(char label[LABEL], const char *before, const char *word)
{
	size_t used = strlen(label);
	(void)snprintf(label + used, LABEL - used, "%s%s", used ? before : "", word);
}

static const char *subnets_text(const struct weir_network *net, const char *between,
				char label[LABEL])
{
	char prefix[WEIR_PREFIX_TEXT];
	label[0] = '\0';
	for (size_t i = 0; i < net->n_subnets; i++)
		append(label, between, weir_prefix_text(&net->subnets[i].prefix, prefix));
	return label;
}

static const char *attachment_text(const struct weir_attachment *att, const char *between,
				   char label[LABEL])
{
	char addr[WEIR_ADDR_TEXT];
	label[0] = '\0';
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++)
		if (weir_addr_is_set(&att->addrs[family]))
			append(label, between, weir_addr_text(&att->addrs[family], addr));
	if (att->isolated)
		append(label, between, "isolated");
	if (att->locked)
		append(label, between, "locked");
	return label;
}

/* How a network meets the outside; NULL: not at all. */
static const char *way_out(const struct weir_network *net)
{
	const struct weir_mode_traits *mode = weir_mode_traits(net->mode);
	if (net->internal || (mode->wire && !net->gateway_endpoint))
		return NULL;
	if (mode->parent)
		return net->parent;
	if (net->gateway_endpoint)
		return net->gateway_endpoint;
	return net->nat == WEIR_NAT_NONE      ? "routed"
	       : net->nat == WEIR_NAT_ADDRESS ? "source NAT"
					      : "masquerade";
}

static void append_default(char label[LABEL], const char *direction, enum weir_default def)
{
	if (def == WEIR_AS_USUAL)
		return;
	append(label, "  ", direction);
	append(label, " ", weir_default_name(def));
}

static const char *network_text(const struct weir_network *net, char label[LABEL])
{
	char subnets[LABEL];
	const char *out = way_out(net);
	(void)snprintf(label, LABEL, "%s", weir_mode_name(net->mode));
	if (net->ifname[0])
		append(label, " ", net->ifname);
	append(label, "  ", subnets_text(net, " ", subnets));
	if (net->isolate)
		append(label, "  ", "isolated");
	if (net->gateway_endpoint)
		append(label, "  ", "gateway");
	if (out)
		append(label, net->gateway_endpoint ? " " : "  ", out);
	else if (net->internal)
		append(label, "  ", "internal");
	append_default(label, "ingress", net->ingress);
	append_default(label, "egress", net->egress);
	return label;
}

static const char *mapping_text(const struct weir_mapping *m, const char *arrow, char label[LABEL])
{
	char host[WEIR_ADDR_TEXT], ports[WEIR_PORTS_TEXT], to[WEIR_PORTS_TEXT];
	bool six = m->host.family == WEIR_IPV6, any = !weir_addr_is_set(&m->host);
	(void)snprintf(label, LABEL, "%s%s%s%s%s/%s%s%s", six ? "[" : "",
		       any ? "" : weir_addr_text(&m->host, host), six ? "]" : "", any ? "" : ":",
		       weir_ports_text(m->host_ports, ports), weir_proto_name(m->proto), arrow,
		       weir_ports_text(m->ports, to));
	return label;
}

/* ---- the walk ---- */

/* Is it published from this network? */
static bool leads_here(const struct spot *at, const struct weir_mapping *m)
{
	const struct weir_attachment *att =
		weir_endpoint_default(at->model, at->ep, WEIR_NO_FAMILY);
	return m->network ? strcmp(m->network, at->net->name) == 0 : att == at->att;
}

static void walk_mappings(const struct pen *pen, struct spot *at)
{
	const struct weir_mapping *next = NULL;
	for (size_t i = 0; i <= at->ep->n_mappings; i++) {
		const struct weir_mapping *m = i < at->ep->n_mappings ? &at->ep->mappings[i] : NULL;
		if (m && !leads_here(at, m))
			continue;
		at->mapping = next;
		at->last_mapping = !m;
		if (next)
			pen->mapping(at);
		next = m;
	}
}

static void walk_member(const struct pen *pen, struct spot *at, const struct weir_endpoint *ep)
{
	at->ep = ep;
	at->att = weir_endpoint_attachment(ep, at->net->name);
	pen->endpoint(at);
	walk_mappings(pen, at);
}

static void walk_network(const struct pen *pen, struct spot *at)
{
	const struct weir_endpoint *next = NULL;
	pen->network(at);
	for (size_t i = 0; i < at->model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &at->model->endpoints[i];
		if (!weir_endpoint_attachment(ep, at->net->name))
			continue;
		at->last_member = false;
		if (next)
			walk_member(pen, at, next);
		next = ep;
	}
	at->last_member = true;
	if (next)
		walk_member(pen, at, next);
}

static void walk(const struct pen *pen, const struct weir_model *model,
		 const struct weir_arrows *arrows, struct weir_arena *arena)
{
	struct spot at = { .model = model };
	size_t loose = 0;
	pen->begin(model);
	for (size_t i = 0; i < model->n_endpoints; i++)
		loose += model->endpoints[i].n_attachments == 0;
	for (size_t i = 0; i < model->n_networks; i++) {
		at.net = &model->networks[i];
		at.last_network = i + 1 == model->n_networks && !loose;
		walk_network(pen, &at);
	}
	at = (struct spot){ .model = model };
	for (size_t i = 0; i < model->n_endpoints; i++) {
		at.ep = &model->endpoints[i];
		if (at.ep->n_attachments)
			continue;
		at.last_network = --loose == 0;
		pen->endpoint(&at);
	}
	pen->policies(model, arrows, arena);
	pen->end();
}

/* ---- text ---- */

static const char *branch(bool last)
{
	return last ? "└─ " : "├─ ";
}

static const char *trunk(bool last)
{
	return last ? "   " : "│  ";
}

static void text_begin(const struct weir_model *model)
{
	puts(model->n_networks || model->n_endpoints ? "host" : "host: nothing of weir's is there");
}

static void text_network(const struct spot *at)
{
	char label[LABEL];
	printf("%s%s  %s\n", branch(at->last_network), at->net->name, network_text(at->net, label));
}

static void text_endpoint(const struct spot *at)
{
	static const char *const kinds[WEIR_NUM_NETNS_KINDS] = {
		[WEIR_NETNS_OWN] = "no network",
		[WEIR_NETNS_PATH] = "no network",
		[WEIR_NETNS_HOST] = "the host's namespace",
	};
	char label[LABEL];
	if (!at->net) {
		printf("%s%s  %s\n", branch(at->last_network), at->ep->name, kinds[at->ep->netns]);
		return;
	}
	printf("%s%s%s  %s %s%s\n", trunk(at->last_network), branch(at->last_member), at->ep->name,
	       at->att->ifname, attachment_text(at->att, " ", label),
	       at->ep->forward ? "  router" : "");
}

static void text_mapping(const struct spot *at)
{
	char label[LABEL];
	printf("%s%s%spublished %s\n", trunk(at->last_network), trunk(at->last_member),
	       branch(at->last_mapping), mapping_text(at->mapping, " → ", label));
}

static void text_end(void)
{
}

/* ---- Graphviz ---- */

/* Names hold nothing that must be escaped in quotes (weir_name_check). */
static void dot_begin(const struct weir_model *model)
{
	puts("graph weir {\n"
	     "\tnode [fontname=\"sans-serif\"]; edge [fontname=\"sans-serif\", fontsize=10];\n"
	     "\t\"outside\" [shape=ellipse];");
	for (size_t i = 0; i < model->n_endpoints; i++)
		printf("\t\"endpoint %s\" [shape=%s, label=\"%s\"];\n", model->endpoints[i].name,
		       model->endpoints[i].forward ? "diamond" : "box", model->endpoints[i].name);
}

static void dot_network(const struct spot *at)
{
	char label[LABEL];
	const struct weir_network *net = at->net;
	const char *out = way_out(net);
	printf("\t\"network %s\" [shape=hexagon, label=\"%s\\n%s\"];\n", net->name, net->name,
	       subnets_text(net, "\\n", label));
	if (out && !net->gateway_endpoint)
		printf("\t\"outside\" -- \"network %s\" [style=dashed, label=\"%s\"];\n", net->name,
		       out);
}

static void dot_endpoint(const struct spot *at)
{
	char label[LABEL];
	if (at->net)
		printf("\t\"network %s\" -- \"endpoint %s\" [label=\"%s\\n%s\"];\n", at->net->name,
		       at->ep->name, at->att->ifname, attachment_text(at->att, "\\n", label));
}

static void dot_mapping(const struct spot *at)
{
	char label[LABEL];
	printf("\t\"outside\" -- \"endpoint %s\" [dir=forward, color=blue, label=\"%s\"];\n",
	       at->ep->name, mapping_text(at->mapping, " → ", label));
}

static void dot_end(void)
{
	puts("}");
}

/* ---- Mermaid ---- */

static size_t network_number(const struct spot *at)
{
	return (size_t)(at->net - at->model->networks);
}

static size_t endpoint_number(const struct spot *at)
{
	return (size_t)(at->ep - at->model->endpoints);
}

static void mermaid_begin(const struct weir_model *model)
{
	puts("flowchart LR\n\toutside([outside])");
	for (size_t i = 0; i < model->n_endpoints; i++)
		printf(model->endpoints[i].forward ? "\te%zu{\"%s\"}\n" : "\te%zu[\"%s\"]\n", i,
		       model->endpoints[i].name);
}

static void mermaid_network(const struct spot *at)
{
	char label[LABEL];
	const char *out = way_out(at->net);
	printf("\tn%zu{{\"%s<br/>%s\"}}\n", network_number(at), at->net->name,
	       subnets_text(at->net, "<br/>", label));
	if (out && !at->net->gateway_endpoint)
		printf("\toutside -. \"%s\" .- n%zu\n", out, network_number(at));
}

static void mermaid_endpoint(const struct spot *at)
{
	char label[LABEL];
	if (at->net)
		printf("\tn%zu -- \"%s %s\" --- e%zu\n", network_number(at), at->att->ifname,
		       attachment_text(at->att, " ", label), endpoint_number(at));
}

static void mermaid_mapping(const struct spot *at)
{
	char label[LABEL];
	printf("\toutside -- \"%s\" --> e%zu\n", mapping_text(at->mapping, " → ", label),
	       endpoint_number(at));
}

/* ---- the verb ---- */

static const struct pen pens[] = {
	{ "text", text_begin, text_network, text_endpoint, text_mapping, weir_graph_text,
	  text_end },
	{ "dot", dot_begin, dot_network, dot_endpoint, dot_mapping, weir_graph_dot, dot_end },
	{ "mermaid", mermaid_begin, mermaid_network, mermaid_endpoint, mermaid_mapping,
	  weir_graph_mermaid, text_end },
};

static const struct pen *find_pen(const char *format)
{
	for (size_t i = 0; i < sizeof(pens) / sizeof(pens[0]); i++)
		if (strcmp(pens[i].format, format) == 0)
			return &pens[i];
	return NULL;
}

static void print_json(const struct weir_model *model, const struct weir_counters *counters)
{
	json_t *networks = json_array(), *endpoints = json_array(), *policies = json_array();
	for (size_t i = 0; i < model->n_networks; i++) {
		size_t members = 0;
		for (size_t j = 0; j < model->n_endpoints; j++)
			members += weir_endpoint_attachment(&model->endpoints[j],
							    model->networks[i].name) != NULL;
		json_array_append_new(networks, weir_json_network(&model->networks[i], members));
	}
	for (size_t i = 0; i < model->n_endpoints; i++)
		json_array_append_new(endpoints, weir_json_endpoint(model, &model->endpoints[i]));
	for (size_t i = 0; i < model->n_policies; i++)
		json_array_append_new(policies, weir_json_policy(&model->policies[i], counters));
	weir_print_json(json_pack("{s:o, s:o, s:o}", "networks", networks, "endpoints", endpoints,
				  "policies", policies));
}

int weir_verb_graph(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	const char *format = weir_cli_value(cli, OPT_FORMAT);
	const struct pen *pen = find_pen(format ? format : "text");
	struct weir_scope all = { .all = true, .policies = true };
	WEIR_CLEAN_COUNTERS struct weir_counters counters = { 0 };
	struct weir_store_meta meta;
	struct weir_arrows arrows;

	if (!pen) {
		(void)weir_err_set(err, EINVAL, "expected text, dot or mermaid");
		return weir_cli_blame(err, -EINVAL, OPT_FORMAT, format);
	}
	int r = weir_cli_load(cli, &all, &model, &meta, err);
	if (r == 0 && cli->json && model.n_policies)
		r = weir_cli_counters(cli, &meta, &counters, err);
	if (r == 0)
		r = weir_arrows_draw(&model, &cli->arena, &arrows, err);
	if (r < 0)
		return r;
	if (cli->json)
		print_json(&model, &counters);
	else
		walk(pen, &model, &arrows, &cli->arena);
	return WEIR_EXIT_DONE;
}
