/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of `network add`, `endpoint add` and `policy add` as the spec that says the same.
 *
 * How it works: a table says which key of weir.yaml an option is; from the options a tree of values is
 * built, as the reader of files builds one, and given to the same readers. So the command line and the
 * file cannot mean different things. */
#include "cli/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/selector.h"
#include "core/spec.h"
#include "core/spec_tree.h"

typedef struct weir_spec_node *value_fn(struct weir_arena *arena, const char *text);

struct word_def {
	enum weir_option_id id;
	const char *key;
	bool list;	 /* may be given again */
	value_fn *value; /* NULL: the text itself */
};

static struct weir_spec_node *scalar(struct weir_arena *arena, const char *text)
{
	struct weir_spec_node *node = weir_arena_alloc(arena, sizeof(*node));
	if (node)
		*node = (struct weir_spec_node){
			.kind = WEIR_SPEC_SCALAR, .plain = true, .one_line = true, .text = text
		};
	return node;
}

static struct weir_spec_node *container(struct weir_arena *arena, enum weir_spec_kind kind)
{
	struct weir_spec_node *node = weir_arena_alloc(arena, sizeof(*node));
	if (node)
		node->kind = kind;
	return node;
}

/* Appends to a list, or (with key) to a map; false without memory. */
static bool put(struct weir_arena *arena, struct weir_spec_node *to, struct weir_spec_node *key,
		struct weir_spec_node *value)
{
	if (!to || !value || (to->kind == WEIR_SPEC_MAP && !key))
		return false;
	if (key) {
		struct weir_spec_node **keys =
			weir_arena_grow(arena, to->keys, to->n, sizeof(*keys));
		if (!keys)
			return false;
		to->keys = keys;
		keys[to->n] = key;
	}
	struct weir_spec_node **items = weir_arena_grow(arena, to->items, to->n, sizeof(*items));
	if (!items)
		return false;
	to->items = items;
	items[to->n++] = value;
	return true;
}

static bool put_named(struct weir_arena *arena, struct weir_spec_node *map, const char *key,
		      struct weir_spec_node *value)
{
	return put(arena, map, scalar(arena, key), value);
}

static struct weir_spec_node *find(const struct weir_spec_node *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->items[i];
	return NULL;
}

/* sysctl=KEY=VALUE, again for more: they become a map. */
static bool put_sysctl(struct weir_arena *arena, struct weir_spec_node *map, char *text)
{
	struct weir_spec_node *sysctls = find(map, "sysctls");
	char *equals = strchr(text, '=');
	if (!sysctls) {
		sysctls = container(arena, WEIR_SPEC_MAP);
		if (!put_named(arena, map, "sysctls", sysctls))
			return false;
	}
	if (equals)
		*equals++ = '\0';
	return put_named(arena, sysctls, text, scalar(arena, equals ? equals : ""));
}

/* "a=b,c=d": a word without '=' has no value. ip may be there twice: it becomes a list. */
static bool put_pairs(struct weir_arena *arena, struct weir_spec_node *map, char *text)
{
	char *rest = NULL;
	for (char *pair = strtok_r(text, ",", &rest); pair; pair = strtok_r(NULL, ",", &rest)) {
		char *equals = strchr(pair, '=');
		if (equals)
			*equals++ = '\0';
		if (equals && strcmp(pair, "sysctl") == 0) {
			if (!put_sysctl(arena, map, equals))
				return false;
			continue;
		}
		bool alone = !equals && (!strcmp(pair, "isolated") || !strcmp(pair, "locked"));
		struct weir_spec_node *value = scalar(arena, alone ? "true" : equals ? equals : "");
		struct weir_spec_node *there = find(map, pair);
		if (!there) {
			if (!put_named(arena, map, pair, value))
				return false;
			continue;
		}
		if (there->kind != WEIR_SPEC_LIST) {
			struct weir_spec_node *first = scalar(arena, there->text);
			*there = (struct weir_spec_node){ .kind = WEIR_SPEC_LIST };
			if (!put(arena, there, NULL, first))
				return false;
		}
		if (!put(arena, there, NULL, value))
			return false;
	}
	return true;
}

static struct weir_spec_node *no(struct weir_arena *arena, const char *text)
{
	(void)text;
	return scalar(arena, "false");
}

static struct weir_spec_node *yes(struct weir_arena *arena, const char *text)
{
	(void)text;
	return scalar(arena, "true");
}

static struct weir_spec_node *empty(struct weir_arena *arena, const char *text)
{
	(void)text;
	return container(arena, WEIR_SPEC_LIST);
}

/* A,B: a list; one word is itself. */
static struct weir_spec_node *listed(struct weir_arena *arena, const char *text)
{
	char *copy = weir_arena_strdup(arena, text), *rest = NULL;
	struct weir_spec_node *list = container(arena, WEIR_SPEC_LIST);
	if (!strchr(text, ',') || !copy || !list)
		return copy && list ? scalar(arena, text) : NULL;
	for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		if (!put(arena, list, NULL, scalar(arena, word)))
			return NULL;
	return list;
}

/* PREFIX,via=ADDR */
static struct weir_spec_node *route(struct weir_arena *arena, const char *text)
{
	struct weir_spec_node *map = container(arena, WEIR_SPEC_MAP);
	char *copy = weir_arena_strdup(arena, text);
	if (!map || !copy)
		return NULL;
	char *comma = strchr(copy, ',');
	if (comma)
		*comma++ = '\0';
	bool done = put_named(arena, map, "to", scalar(arena, copy)) &&
		    (!comma || put_pairs(arena, map, comma));
	return done ? map : NULL;
}

static struct weir_spec_node *mapping(struct weir_arena *arena, const char *text)
{
	struct weir_spec_node *node = scalar(arena, text);
	if (node)
		node->plain = false; /* 80 is a port here, not a number */
	return node;
}

static const struct word_def network_words[] = {
	{ OPT_SUBNET, "subnets", true, NULL },
	{ OPT_GATEWAY, "gateway", false, NULL },
	{ OPT_MODE, "mode", false, NULL },
	{ OPT_NAT, "nat", false, listed },
	{ OPT_INTERNAL, "internal", false, yes },
	{ OPT_ISOLATE, "isolate", false, yes },
	{ OPT_HOST, "host", false, NULL },
	{ OPT_MTU, "mtu", false, NULL },
	{ OPT_BRIDGE, "bridge", false, NULL },
	{ OPT_EXCLUDE, "exclude", true, NULL },
	{ OPT_TRUSTED, "trusted", true, NULL },
	{ OPT_FILTER_BRIDGED, "filter_bridged", false, yes },
	{ OPT_PARENT, "parent", false, NULL },
	{ OPT_VLAN, "vlan", false, NULL },
	{ OPT_ADOPT, "adopt", false, yes },
	{ OPT_NO_SPOOF_GUARD, "spoof_guard", false, no },
	{ OPT_SPOOF_GUARD, "spoof_guard", false, yes },
	{ OPT_NO_INTERNAL, "internal", false, no },
	{ OPT_NO_ISOLATE, "isolate", false, no },
	{ OPT_NO_FILTER_BRIDGED, "filter_bridged", false, no },
	{ OPT_NO_STRICT, "strict", false, no },
	{ OPT_NO_TRUSTED, "trusted", false, empty },
	{ OPT_STRICT, "strict", false, yes },
};
static const struct word_def endpoint_words[] = {
	{ OPT_PUBLISH, "publish", true, mapping },
	{ OPT_NETNS, "netns", false, NULL },
	{ OPT_PID, "pid", false, NULL },
	{ OPT_MODE, "mode", false, NULL },
	{ OPT_DNS, "dns", true, NULL },
	{ OPT_ROUTE, "routes", true, route },
	{ OPT_FORWARD, "forward", false, yes },
	{ OPT_RATE, "rate", false, NULL },
	{ OPT_NO_FORWARD, "forward", false, no },
	{ OPT_NO_DNS, "dns", false, empty },
};

static struct weir_spec_node *log_word(struct weir_arena *arena, const char *text)
{
	return scalar(arena, text ? text : "true");
}

static const struct word_def default_words[] = {
	{ OPT_DEFAULT_INGRESS, "ingress", false, NULL },
	{ OPT_DEFAULT_EGRESS, "egress", false, NULL },
};
static const struct word_def policy_words[] = {
	{ OPT_FROM, "from", true, NULL },
	{ OPT_TO, "to", true, NULL },
	{ OPT_PORT, "ports", true, mapping },
	{ OPT_ACTION, "action", false, NULL },
	{ OPT_DIRECTION, "direction", false, NULL },
	{ OPT_LOG, "log", false, log_word },
	{ OPT_PRIORITY, "priority", false, NULL },
};

enum {
	N_DEFAULT_WORDS = sizeof(default_words) / sizeof(*default_words),
	N_POLICY_WORDS = sizeof(policy_words) / sizeof(*policy_words),
	N_NETWORK_WORDS = sizeof(network_words) / sizeof(*network_words),
	N_ENDPOINT_WORDS = sizeof(endpoint_words) / sizeof(*endpoint_words)
};

static int no_memory(struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "out of memory");
}

static bool put_option(struct weir_arena *arena, struct weir_spec_node *map,
		       const struct word_def *def, const char *text)
{
	struct weir_spec_node *value = def->value ? def->value(arena, text) : scalar(arena, text);
	struct weir_spec_node *there = find(map, def->key);
	if (!there) {
		struct weir_spec_node *list = def->list ? container(arena, WEIR_SPEC_LIST) : value;
		if (def->list && !put(arena, list, NULL, value))
			return false;
		return put_named(arena, map, def->key, list);
	}
	if (def->list)
		return put(arena, there, NULL, value);
	*there = *value; /* the last one counts */
	return true;
}

static int put_options(struct weir_cli *cli, struct weir_spec_node *map,
		       const struct word_def *defs, size_t n_defs, struct weir_err *err)
{
	for (size_t i = 0; i < cli->n_options; i++)
		for (size_t k = 0; k < n_defs; k++)
			if (defs[k].id == cli->options[i].id &&
			    !put_option(&cli->arena, map, &defs[k], cli->options[i].value))
				return no_memory(err);
	return 0;
}

static bool is_given(const struct weir_cli *cli, enum weir_option_id id)
{
	for (size_t i = 0; i < cli->n_options; i++)
		if (cli->options[i].id == id)
			return true;
	return false;
}

/* "endpoints.web.mode: expected …" in a file is "--mode: expected …" here. */
static void name_option(const struct weir_cli *cli, const char *path, const struct word_def *defs,
			size_t n_defs, struct weir_err *err)
{
	char text[sizeof(err->text)];
	size_t skip = strlen(path);
	if (strncmp(err->text, path, skip) != 0)
		return;
	if (strncmp(err->text + skip, ": ", 2) == 0) { /* of the object as a whole */
		(void)snprintf(text, sizeof(text), "%s", err->text + skip + 2);
		memcpy(err->text, text, sizeof(text));
		return;
	}
	static const char defaults[] = "default.";
	const char *option = "network", *key = err->text + skip + 1;
	if (strncmp(key, defaults, strlen(defaults)) == 0) {
		(void)snprintf(text, sizeof(text), "--default-%s", key + strlen(defaults));
		memcpy(err->text, text, sizeof(text));
		return;
	}
	size_t len = strcspn(key, ".[:");
	for (size_t i = 0; i < n_defs; i++)
		if (strlen(defs[i].key) == len && strncmp(defs[i].key, key, len) == 0 &&
		    is_given(cli, defs[i].id))
			option = weir_cli_option_name(defs[i].id);
	(void)snprintf(text, sizeof(text), "--%s%s%s", option, key[len] == '.' ? " " : "",
		       key + len + (key[len] == '.'));
	memcpy(err->text, text, sizeof(text));
}

/* { <kind>: objects } through the readers of spec files; path is that of the object. */
static int read_root(struct weir_cli *cli, const char *kind, struct weir_spec_node *objects,
		     const char *path, const struct word_def *defs, size_t n_defs,
		     struct weir_model *model, struct weir_err *err)
{
	struct weir_spec_node *root = container(&cli->arena, WEIR_SPEC_MAP);
	if (!put_named(&cli->arena, root, kind, objects))
		return no_memory(err);
	int r = weir_spec_from_tree(root, "", model, err);
	cli->usage = r < 0;
	if (r < 0)
		name_option(cli, path, defs, n_defs, err);
	for (size_t i = 0; i < model->n_networks; i++)
		model->networks[i].declared = false;
	for (size_t i = 0; i < model->n_endpoints; i++)
		model->endpoints[i].declared = false;
	for (size_t i = 0; i < model->n_policies; i++)
		model->policies[i].declared = false;
	return r;
}

static const char *object_path(struct weir_cli *cli, const char *kind)
{
	const char *path = weir_arena_printf(&cli->arena, "%s.%s", kind, cli->words[0]);
	return path ? path : kind;
}

/* { <kind>: { <name>: object } } */
static int read_object(struct weir_cli *cli, const char *kind, const struct word_def *defs,
		       size_t n_defs, struct weir_spec_node *object, struct weir_model *model,
		       struct weir_err *err)
{
	struct weir_spec_node *names = container(&cli->arena, WEIR_SPEC_MAP);
	if (!put_named(&cli->arena, names, cli->words[0], object))
		return no_memory(err);
	return read_root(cli, kind, names, object_path(cli, kind), defs, n_defs, model, err);
}

/* --default-ingress, --default-egress */
static int put_defaults(struct weir_cli *cli, struct weir_spec_node *map, struct weir_err *err)
{
	struct weir_spec_node *defaults = container(&cli->arena, WEIR_SPEC_MAP);
	int r = !defaults ? no_memory(err)
			  : put_options(cli, defaults, default_words, N_DEFAULT_WORDS, err);
	if (r == 0 && defaults->n && !put_named(&cli->arena, map, "default", defaults))
		return no_memory(err);
	return r;
}

int weir_words_network(struct weir_cli *cli, struct weir_model *model, struct weir_err *err)
{
	struct weir_spec_node *map = container(&cli->arena, WEIR_SPEC_MAP);
	int r = !map ? no_memory(err) : put_options(cli, map, network_words, N_NETWORK_WORDS, err);
	if (r == 0)
		r = put_defaults(cli, map, err);
	return r < 0 ? r
		     : read_object(cli, "networks", network_words, N_NETWORK_WORDS, map, model,
				   err);
}

/* --network NET[,ip=A,…] */
static bool put_network(struct weir_arena *arena, struct weir_spec_node *networks, const char *text)
{
	struct weir_spec_node *map = container(arena, WEIR_SPEC_MAP);
	char *copy = weir_arena_strdup(arena, text);
	if (!map || !copy)
		return false;
	char *comma = strchr(copy, ',');
	if (comma)
		*comma++ = '\0';
	return put_named(arena, networks, copy, map) && (!comma || put_pairs(arena, map, comma));
}

static bool put_label(struct weir_arena *arena, struct weir_spec_node *labels, const char *text)
{
	char *copy = weir_arena_strdup(arena, text);
	char *equals = copy ? strchr(copy, '=') : NULL;
	if (equals)
		*equals++ = '\0';
	struct weir_spec_node *value = copy ? scalar(arena, equals ? equals : "") : NULL;
	if (value)
		value->plain = false;
	return put_named(arena, labels, copy, value);
}

static int put_maps(struct weir_cli *cli, struct weir_spec_node *map, struct weir_err *err)
{
	struct weir_arena *arena = &cli->arena;
	struct weir_spec_node *networks = container(arena, WEIR_SPEC_MAP);
	struct weir_spec_node *labels = container(arena, WEIR_SPEC_MAP);
	bool done = networks && labels;
	for (size_t i = 0; done && i < cli->n_options; i++) {
		if (cli->options[i].id == OPT_NETWORK)
			done = put_network(arena, networks, cli->options[i].value);
		if (cli->options[i].id == OPT_LABEL && !weir_words_unlabel(cli, &cli->options[i]))
			done = put_label(arena, labels, cli->options[i].value);
	}
	if (done && networks->n)
		done = put_named(arena, map, "networks", networks);
	if (done && labels->n)
		done = put_named(arena, map, "labels", labels);
	return done ? 0 : no_memory(err);
}

bool weir_words_unlabel(const struct weir_cli *cli, const struct weir_option *option)
{
	size_t len = option->id == OPT_LABEL ? strlen(option->value) : 0;
	return cli->verb->run == weir_verb_endpoint_set && len > 1 &&
	       option->value[len - 1] == '-' && !strchr(option->value, '=');
}

static int check_mappings(struct weir_cli *cli, struct weir_err *err)
{
	for (size_t i = 0; i < cli->n_options; i++) {
		struct weir_mapping m;
		const struct weir_option *option = &cli->options[i];
		int r = option->id == OPT_PUBLISH ? weir_mapping_parse(option->value, &m, err) : 0;
		if (r < 0)
			return weir_cli_blame(err, r, OPT_PUBLISH, option->value);
	}
	return 0;
}

int weir_words_endpoint(struct weir_cli *cli, struct weir_model *model, struct weir_err *err)
{
	struct weir_spec_node *map = container(&cli->arena, WEIR_SPEC_MAP);
	int r = map ? check_mappings(cli, err) : no_memory(err);
	if (r == 0)
		r = put_options(cli, map, endpoint_words, N_ENDPOINT_WORDS, err);
	if (r == 0)
		r = put_maps(cli, map, err);
	return r < 0 ? r
		     : read_object(cli, "endpoints", endpoint_words, N_ENDPOINT_WORDS, map, model,
				   err);
}

/* With the column in the option's value, which the readers of files cannot tell. */
static int check_policy_words(struct weir_cli *cli, struct weir_err *err)
{
	for (size_t i = 0; i < cli->n_options; i++) {
		const struct weir_option *option = &cli->options[i];
		struct weir_selector *sels = NULL;
		struct weir_service service;
		size_t n = 0;
		int r = 0;
		if (option->id == OPT_FROM || option->id == OPT_TO)
			r = weir_selector_parse(option->value, &cli->arena, &sels, &n, err);
		else if (option->id == OPT_PORT)
			r = weir_service_parse(option->value, &service, err);
		if (r < 0)
			return weir_cli_blame(err, r, option->id, option->value);
	}
	return 0;
}

int weir_words_policy(struct weir_cli *cli, struct weir_model *model, struct weir_err *err)
{
	struct weir_spec_node *map = container(&cli->arena, WEIR_SPEC_MAP);
	struct weir_spec_node *list = container(&cli->arena, WEIR_SPEC_LIST);
	int r = map && list ? check_policy_words(cli, err) : no_memory(err);
	if (r == 0 && (!put_named(&cli->arena, map, "name", scalar(&cli->arena, cli->words[0])) ||
		       !put(&cli->arena, list, NULL, map)))
		r = no_memory(err);
	if (r == 0)
		r = put_options(cli, map, policy_words, N_POLICY_WORDS, err);
	return r < 0 ? r
		     : read_root(cli, "policies", list, "policies[0]", policy_words, N_POLICY_WORDS,
				 model, err);
}

/* Would the same words be wrong for a new one? Else it is the object as it stands that does not go with them. */
static bool network_words_are_wrong(const struct weir_spec_node *map, const char *name)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_network fresh = { .name = name };
	struct weir_err why = { 0 };
	return weir_spec_edit_network(map, &model, &fresh, &why) < 0;
}

static bool endpoint_words_are_wrong(const struct weir_spec_node *map, const char *name)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_endpoint fresh = { .name = name };
	struct weir_err why = { 0 };
	return weir_spec_edit_endpoint(map, &model, &fresh, &why) < 0;
}

int weir_words_edit_network(struct weir_cli *cli, struct weir_model *model,
			    struct weir_network *net, struct weir_err *err)
{
	struct weir_spec_node *map = container(&cli->arena, WEIR_SPEC_MAP);
	int r = map ? put_options(cli, map, network_words, N_NETWORK_WORDS, err) : no_memory(err);
	if (r == 0)
		r = put_defaults(cli, map, err);
	if (r == 0) {
		r = weir_spec_edit_network(map, model, net, err);
		cli->usage = r < 0 && network_words_are_wrong(map, net->name);
	}
	if (r < 0)
		name_option(cli, object_path(cli, "networks"), network_words, N_NETWORK_WORDS, err);
	return r;
}

int weir_words_edit_endpoint(struct weir_cli *cli, struct weir_model *model,
			     struct weir_endpoint *ep, struct weir_err *err)
{
	struct weir_spec_node *map = container(&cli->arena, WEIR_SPEC_MAP);
	int r = map ? put_options(cli, map, endpoint_words, N_ENDPOINT_WORDS, err) : no_memory(err);
	if (r == 0)
		r = put_maps(cli, map, err);
	if (r == 0) {
		r = weir_spec_edit_endpoint(map, model, ep, err);
		cli->usage = r < 0 && endpoint_words_are_wrong(map, ep->name);
	}
	if (r < 0)
		name_option(cli, object_path(cli, "endpoints"), endpoint_words, N_ENDPOINT_WORDS,
			    err);
	return r;
}

int weir_words_mapping(struct weir_cli *cli, const char *text, struct weir_mapping *ret,
		       struct weir_err *err)
{
	struct weir_mapping m;
	int r = weir_mapping_parse(text, &m, err);
	if (r < 0) {
		err->at = weir_place_make(text, 0, err->at.column ? err->at.column : 1);
		return r;
	}
	m.network = weir_cli_value(cli, OPT_NET);
	m.strict = weir_cli_flag(cli, OPT_STRICT);
	*ret = m;
	return 0;
}
