/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoints in a spec. */
#include "core/spec.h"
#include "core/spec_read.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/model_check.h"

enum {
	WHAT_TEXT = 2 * WEIR_NAME_MAX + 64,
	PID_MAX = 4194304, /* PID_MAX_LIMIT, linux/threads.h */
};

/* An endpoint while it is read. */
struct reading {
	struct weir_endpoint *ep;
	const char *netns_key; /* which key has said where the namespace is */
	bool no_networks;      /* mode: none */
	const struct weir_spec_node *networks;
};

/* ---- networks ---- */

static int read_attachment(struct weir_spec *spec, const struct weir_spec_node *key,
			   const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_attachment(spec, key, value, ((struct reading *)object)->ep);
}

static int read_attachment_name(struct weir_spec *spec, const struct weir_spec_node *value,
				void *object)
{
	return weir_spec_read_attachment_name(spec, value, ((struct reading *)object)->ep);
}

static int read_networks(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	static const char what[] = "a list of network names or a map of them";

	((struct reading *)object)->networks = value;
	if (value->kind == WEIR_SPEC_LIST)
		return weir_spec_read_items(spec, value, what, read_attachment_name, object);
	return weir_spec_read_names(spec, value, what, read_attachment, object);
}

/* ---- published ports ---- */

static int read_port(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_mapping *m = object;
	const struct weir_mapping said = *m;

	if (value->kind != WEIR_SPEC_SCALAR || weir_spec_is_null(value))
		return weir_spec_expected(spec, value, "a published port like \"8080:80\"");
	int r = weir_mapping_parse(value->text, m, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, value, r);
	m->network = said.network;
	m->strict = said.strict;
	m->origin = weir_spec_place(spec, value);
	return 0;
}

static int read_net(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_name(spec, value, "network",
				   &((struct weir_mapping *)object)->network);
}

static int read_mapping_strict(struct weir_spec *spec, const struct weir_spec_node *value,
			       void *object)
{
	return weir_spec_read_bool(spec, value, &((struct weir_mapping *)object)->strict);
}

static const struct weir_spec_key mapping_keys[] = {
	{ "net", read_net },
	{ "port", read_port },
	{ "strict", read_mapping_strict },
};

static int read_mapping(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_mapping *m =
		weir_endpoint_add_mapping(spec->model, ((struct reading *)object)->ep);

	if (!m)
		return weir_spec_no_memory(spec);
	if (value->kind != WEIR_SPEC_MAP)
		return read_port(spec, value, m);
	int r = weir_spec_read_keys(spec, value, "a published port", mapping_keys,
				    sizeof(mapping_keys) / sizeof(mapping_keys[0]), m);
	if (r == 0 && !m->ports.lo)
		r = weir_spec_fail(spec, value, "a published port needs a \"port\"");
	return r;
}

static int read_publish(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_items(spec, value, "a list of published ports like [\"8080:80\"]",
				    read_mapping, object);
}

/* ---- the namespace ---- */

static int claim_netns(struct weir_spec *spec, const struct weir_spec_node *value,
		       struct reading *reading, const char *key)
{
	if (reading->netns_key)
		return weir_spec_fail(spec, value,
				      "\"%s\" and \"%s\" contradict each other: keep one",
				      reading->netns_key, key);
	reading->netns_key = key;
	return 0;
}

static int set_netns_path(struct weir_spec *spec, struct weir_endpoint *ep, const char *path)
{
	if (!path)
		return weir_spec_no_memory(spec);
	ep->netns = WEIR_NETNS_PATH;
	ep->netns_path = path;
	return 0;
}

static int read_netns(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct reading *reading = object;
	struct weir_arena *arena = &spec->model->arena;
	const char *text = "";

	int r = claim_netns(spec, value, reading, "netns");
	if (r == 0)
		r = weir_spec_read_text(spec, value, "the name or path of a network namespace",
					&text);
	if (r < 0)
		return r;
	if (text[0] == '/')
		return set_netns_path(spec, reading->ep, text);
	if (strchr(text, '/'))
		return weir_spec_fail(spec, value, "path \"%.80s\" must be absolute", text);
	r = weir_name_check("network namespace", text, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, value, r);
	return set_netns_path(spec, reading->ep, weir_arena_printf(arena, "/run/netns/%s", text));
}

static int read_pid(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct reading *reading = object;
	long pid;

	int r = claim_netns(spec, value, reading, "pid");
	if (r == 0)
		r = weir_spec_read_number(spec, value, 1, PID_MAX, &pid);
	if (r < 0)
		return r;
	return set_netns_path(spec, reading->ep,
			      weir_arena_printf(&spec->model->arena, "/proc/%ld/ns/net", pid));
}

static int read_mode(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	static const char *const words[] = { "host", "none" };
	struct reading *reading = object;
	size_t word;

	int r = claim_netns(spec, value, reading, "mode");
	if (r == 0)
		r = weir_spec_read_word(spec, value, words, 2, &word);
	if (r < 0)
		return r;
	reading->ep->netns = word == 0 ? WEIR_NETNS_HOST : WEIR_NETNS_OWN;
	reading->no_networks = word == 1;
	return 0;
}

/* ---- labels, routes, resolvers ---- */

static int read_label(struct weir_spec *spec, const struct weir_spec_node *key,
		      const struct weir_spec_node *value, void *object)
{
	struct weir_endpoint *ep = ((struct reading *)object)->ep;
	struct weir_arena *arena = &spec->model->arena;

	if (value->kind != WEIR_SPEC_SCALAR)
		return weir_spec_expected(spec, value, "a word");
	struct weir_label label = { weir_arena_strdup(arena, key->text),
				    weir_arena_strdup(
					    arena, weir_spec_is_null(value) ? "" : value->text) };
	if (!label.key || !label.value)
		return weir_spec_no_memory(spec);
	for (size_t i = 0; i < ep->n_labels; i++)
		if (strcmp(ep->labels[i].key, label.key) == 0) {
			ep->labels[i] = label;
			return 0;
		}
	struct weir_label *more = weir_arena_grow(arena, ep->labels, ep->n_labels, sizeof(*more));
	if (!more)
		return weir_spec_no_memory(spec);
	more[ep->n_labels++] = label;
	ep->labels = more;
	return 0;
}

static int read_labels(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_names(spec, value, "a map of labels", read_label, object);
}

static int read_to(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_prefix(spec, value, &((struct weir_route *)object)->to);
}

static int read_via(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_addr(spec, value, &((struct weir_route *)object)->via);
}

static const struct weir_spec_key route_keys[] = {
	{ "to", read_to },
	{ "via", read_via },
};

static int read_route(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_endpoint *ep = ((struct reading *)object)->ep;
	struct weir_route route = { .origin = weir_spec_place(spec, value) };

	int r = weir_spec_read_keys(spec, value, "a route", route_keys,
				    sizeof(route_keys) / sizeof(route_keys[0]), &route);
	if (r < 0)
		return r;
	if (!weir_addr_is_set(&route.to.addr) || !weir_addr_is_set(&route.via))
		return weir_spec_fail(spec, value, "a route needs \"to\" and \"via\"");
	struct weir_route *more =
		weir_arena_grow(&spec->model->arena, ep->routes, ep->n_routes, sizeof(*more));
	if (!more)
		return weir_spec_no_memory(spec);
	more[ep->n_routes++] = route;
	ep->routes = more;
	return 0;
}

static int read_routes(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_items(spec, value,
				    "a list of routes like [{to: 10.0.0.0/8, via: 10.88.1.9}]",
				    read_route, object);
}

static int read_server(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_endpoint *ep = ((struct reading *)object)->ep;
	struct weir_addr addr;

	int r = weir_spec_read_addr(spec, value, &addr);
	if (r < 0)
		return r;
	struct weir_addr *more =
		weir_arena_grow(&spec->model->arena, ep->dns, ep->n_dns, sizeof(*more));
	if (!more)
		return weir_spec_no_memory(spec);
	more[ep->n_dns++] = addr;
	ep->dns = more;
	return 0;
}

static int read_dns(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_items(spec, value, "a list of addresses", read_server, object);
}

static int read_forward(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_bool(spec, value, &((struct reading *)object)->ep->forward);
}

/* ---- the endpoint ---- */

static int read_rate(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	if (value->kind != WEIR_SPEC_SCALAR || weir_spec_is_null(value))
		return weir_spec_expected(spec, value, "a rate, as 10mbit or 10mbit/5mbit");
	int r = weir_rate_parse(value->text, &((struct reading *)object)->ep->rate, spec->err);
	return r < 0 ? weir_spec_blame(spec, value, r) : 0;
}

static const struct weir_spec_key endpoint_keys[] = {
	{ "networks", read_networks }, { "publish", read_publish }, { "labels", read_labels },
	{ "netns", read_netns },       { "pid", read_pid },	    { "mode", read_mode },
	{ "routes", read_routes },     { "dns", read_dns },	    { "forward", read_forward },
	{ "rate", read_rate },
};

int weir_spec_read_endpoint(struct weir_spec *spec, const struct weir_spec_node *key,
			    const struct weir_spec_node *value, void *unused)
{
	struct reading reading = { .ep = weir_model_add_endpoint(spec->model) };
	char what[WHAT_TEXT];

	(void)unused;
	if (!reading.ep)
		return weir_spec_no_memory(spec);
	reading.ep->declared = true;
	reading.ep->origin = weir_spec_place(spec, key);
	reading.ep->name = weir_arena_strdup(&spec->model->arena, key->text);
	if (!reading.ep->name)
		return weir_spec_no_memory(spec);
	int r = weir_name_check("endpoint", key->text, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, key, r);
	(void)snprintf(what, sizeof(what), "endpoint \"%s\"", key->text);
	r = weir_spec_read_keys(spec, value, what, endpoint_keys,
				sizeof(endpoint_keys) / sizeof(endpoint_keys[0]), &reading);
	if (r == 0 && reading.no_networks && reading.ep->n_attachments)
		r = weir_spec_fail(spec, reading.networks,
				   "networks: there are none with \"mode: none\"");
	return r < 0 ? r : weir_endpoint_check(reading.ep, spec->err);
}

/* ---- an endpoint that is there ---- */

/* A route to where one leads already takes its place. */
static void drop_routes_to(struct weir_endpoint *ep, size_t n_had)
{
	size_t kept = 0;

	for (size_t i = 0; i < ep->n_routes; i++) {
		bool replaced = false;
		for (size_t k = n_had; i < n_had && k < ep->n_routes; k++)
			replaced |= weir_prefix_cmp(&ep->routes[i].to, &ep->routes[k].to) == 0;
		if (!replaced)
			ep->routes[kept++] = ep->routes[i];
	}
	ep->n_routes = kept;
}

int weir_spec_edit_endpoint(const struct weir_spec_node *keys, struct weir_model *model,
			    struct weir_endpoint *ep, struct weir_err *err)
{
	struct weir_spec spec = { .model = model, .file = "", .err = err };
	struct reading reading = { .ep = ep };
	size_t n_routes = ep->n_routes;
	char what[WHAT_TEXT];

	if (weir_spec_has_key(keys, "dns"))
		ep->n_dns = 0;
	(void)snprintf(spec.path, sizeof(spec.path), "endpoints.%s", ep->name);
	(void)snprintf(what, sizeof(what), "endpoint \"%s\"", ep->name);
	int r = weir_spec_read_keys(&spec, keys, what, endpoint_keys,
				    sizeof(endpoint_keys) / sizeof(endpoint_keys[0]), &reading);
	drop_routes_to(ep, n_routes);
	return r < 0 ? r : weir_endpoint_check(ep, err);
}
