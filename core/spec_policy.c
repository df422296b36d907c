/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies in a spec. */
#include "core/spec_read.h"

#include <stdio.h>
#include <string.h>

#include "core/selector.h"

enum {
	WHAT_TEXT = WEIR_NAME_MAX + 32,
	PRIORITY_MIN = -32768, /* as of attachments: any order is possible within */
	PRIORITY_MAX = 32767
};

static const char one_or_more[] = "a selector or a list of selectors";

/* A policy while it is read. */
struct reading {
	struct weir_policy *policy;
	bool has_action;
};

/* One more zeroed item of an array in the model's arena; NULL without memory. */
#define GROW(spec, items, n)                                                                    \
	({                                                                                      \
		void *more_ =                                                                   \
			weir_arena_grow(&(spec)->model->arena, (items), (n), sizeof(*(items))); \
		if (more_) {                                                                    \
			(items) = more_;                                                        \
			more_ = memset(&(items)[(n)++], 0, sizeof(*(items)));                   \
		}                                                                               \
		(__typeof__(items))more_;                                                       \
	})

/* ---- selectors ---- */

/* One or more: of none there would be no condition left, and without any a selector is everybody. */
static int read_some(struct weir_spec *spec, const struct weir_spec_node *value, const char *one,
		     const char *wanted, weir_spec_reader read, void *object)
{
	if (value->kind == WEIR_SPEC_LIST && !value->n)
		return weir_spec_fail(spec, value, "no %s is in the list: nothing would match",
				      one);
	return weir_spec_read_one_or_more(spec, value, wanted, read, object);
}

struct name_list {
	const char *what;
	const char ***names;
	size_t *n;
};

static int read_one_name(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	const struct name_list *list = object;
	const char *name;

	int r = weir_spec_read_name(spec, value, list->what, &name);
	if (r < 0)
		return r;
	const char **slot = GROW(spec, *list->names, *list->n);
	if (!slot)
		return weir_spec_no_memory(spec);
	*slot = name;
	return 0;
}

static int read_networks(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_selector *sel = object;
	struct name_list list = { "network", &sel->networks, &sel->n_networks };

	if (sel->n_networks)
		return weir_spec_fail(spec, value,
				      "\"network\" and \"networks\" say the same: keep one");
	return read_some(spec, value, list.what, "names of networks", read_one_name, &list);
}

static int read_endpoints(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_selector *sel = object;
	struct name_list list = { "endpoint", &sel->endpoints, &sel->n_endpoints };

	if (sel->n_endpoints)
		return weir_spec_fail(spec, value,
				      "\"endpoint\" and \"endpoints\" say the same: keep one");
	return read_some(spec, value, list.what, "names of endpoints", read_one_name, &list);
}

static int read_label_value(struct weir_spec *spec, const struct weir_spec_node *value,
			    void *object)
{
	struct weir_label_match *match = object;

	if (value->kind != WEIR_SPEC_SCALAR)
		return weir_spec_expected(spec, value, "a word or a list of words");
	const char **slot = GROW(spec, match->values, match->n_values);
	if (!slot)
		return weir_spec_no_memory(spec);
	*slot = weir_arena_strdup(&spec->model->arena, value->text);
	return *slot ? 0 : weir_spec_no_memory(spec);
}

/* KEY: VALUE, KEY: [VALUE, …]; KEY: with nothing behind it: any value */
static int read_label(struct weir_spec *spec, const struct weir_spec_node *key,
		      const struct weir_spec_node *value, void *object)
{
	struct weir_selector *sel = object;
	struct weir_label_match *match = GROW(spec, sel->labels, sel->n_labels);

	if (!match)
		return weir_spec_no_memory(spec);
	match->key = weir_arena_strdup(&spec->model->arena, key->text);
	if (!match->key)
		return weir_spec_no_memory(spec);
	if (weir_spec_is_null(value))
		return 0;
	return read_some(spec, value, "value", "a word or a list of words", read_label_value,
			 match);
}

static int read_labels(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	if (weir_spec_is_null(value) || (value->kind == WEIR_SPEC_MAP && !value->n))
		return weir_spec_fail(spec, value, "no label is in the map: nothing would match");
	return weir_spec_read_names(spec, value, "a map of labels", read_label, object);
}

static int read_block_prefix(struct weir_spec *spec, const struct weir_spec_node *value,
			     void *object)
{
	return weir_spec_read_prefix(spec, value, &((struct weir_block *)object)->prefix);
}

static int read_except_one(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_block *block = object;
	struct weir_prefix *slot = GROW(spec, block->except, block->n_except);

	return slot ? weir_spec_read_prefix(spec, value, slot) : weir_spec_no_memory(spec);
}

static int read_except(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_one_or_more(spec, value, "a prefix or a list of prefixes",
					  read_except_one, object);
}

static const struct weir_spec_key block_keys[] = {
	{ "block", read_block_prefix },
	{ "except", read_except },
};

static int read_cidr_one(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_selector *sel = object;
	struct weir_block block = { 0 };
	int r;

	if (value->kind == WEIR_SPEC_MAP)
		r = weir_spec_read_keys(spec, value, "a cidr", block_keys,
					sizeof(block_keys) / sizeof(block_keys[0]), &block);
	else
		r = weir_spec_read_prefix(spec, value, &block.prefix);
	if (r == 0 && !weir_addr_is_set(&block.prefix.addr))
		r = weir_spec_fail(spec, value, "a cidr needs a \"block\"");
	if (r < 0)
		return r;
	struct weir_block *slot = GROW(spec, sel->blocks, sel->n_blocks);
	if (!slot)
		return weir_spec_no_memory(spec);
	*slot = block;
	return 0;
}

static int read_cidr(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_selector *sel = object;

	sel->kind = WEIR_SELECT_BLOCKS;
	return read_some(spec, value, "prefix",
			 "a prefix, {block: …, except: […]} or a list of them", read_cidr_one,
			 object);
}

static const struct weir_spec_key selector_keys[] = {
	{ "network", read_networks },	{ "networks", read_networks },
	{ "endpoint", read_endpoints }, { "endpoints", read_endpoints },
	{ "labels", read_labels },	{ "cidr", read_cidr },
};

/* The selectors of one end. */
struct end {
	struct weir_selector **sels;
	size_t *n;
};

static int read_selector_map(struct weir_spec *spec, const struct weir_spec_node *value,
			     const struct end *end)
{
	struct weir_selector sel = { .origin = weir_spec_place(spec, value) };

	if (!value->n)
		return weir_spec_fail(spec, value,
				      "nothing is in the selector: write \"endpoints\" for "
				      "every endpoint");
	int r = weir_spec_read_keys(spec, value, "a selector", selector_keys,
				    sizeof(selector_keys) / sizeof(selector_keys[0]), &sel);
	if (r < 0)
		return r;
	struct weir_selector *slot = GROW(spec, *end->sels, *end->n);
	if (!slot)
		return weir_spec_no_memory(spec);
	*slot = sel;
	return 0;
}

/* A map, or the short form. */
static int read_selector(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	const struct end *end = object;
	size_t first = *end->n;

	if (value->kind == WEIR_SPEC_MAP)
		return read_selector_map(spec, value, end);
	if (value->kind != WEIR_SPEC_SCALAR || weir_spec_is_null(value))
		return weir_spec_expected(spec, value, one_or_more);
	int r = weir_selector_parse(value->text, &spec->model->arena, end->sels, end->n, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, value, r);
	for (size_t i = first; i < *end->n; i++)
		(*end->sels)[i].origin = weir_spec_place(spec, value);
	return 0;
}

/* "any" alone is no condition at all. */
static bool is_any(const struct weir_spec_node *value)
{
	if (value->kind == WEIR_SPEC_LIST && value->n == 1)
		value = value->items[0];
	return value->kind == WEIR_SPEC_SCALAR && strcmp(value->text, "any") == 0;
}

static int read_end(struct weir_spec *spec, const struct weir_spec_node *value, struct end *end)
{
	if (is_any(value))
		return 0;
	if (value->kind == WEIR_SPEC_LIST && !value->n)
		return weir_spec_fail(spec, value,
				      "no selector is in the list: write \"any\" for everybody");
	return weir_spec_read_one_or_more(spec, value, one_or_more, read_selector, end);
}

static int read_from(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_policy *policy = ((struct reading *)object)->policy;

	return read_end(spec, value, &(struct end){ &policy->from, &policy->n_from });
}

static int read_to(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_policy *policy = ((struct reading *)object)->policy;

	return read_end(spec, value, &(struct end){ &policy->to, &policy->n_to });
}

/* ---- the rest ---- */

static int read_service(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_policy *policy = ((struct reading *)object)->policy;
	struct weir_service service;

	if (value->kind != WEIR_SPEC_SCALAR || weir_spec_is_null(value))
		return weir_spec_expected(spec, value, "ports like 5432/tcp, or a protocol");
	int r = weir_service_parse(value->text, &service, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, value, r);
	service.origin = weir_spec_place(spec, value);
	struct weir_service *slot = GROW(spec, policy->services, policy->n_services);
	if (!slot)
		return weir_spec_no_memory(spec);
	*slot = service;
	return 0;
}

static int read_services(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	if (value->kind == WEIR_SPEC_LIST && !value->n)
		return weir_spec_fail(
			spec, value,
			"no port is in the list: leave \"ports\" out for every protocol");
	return weir_spec_read_one_or_more(spec, value, "a list of ports like [5432/tcp]",
					  read_service, object);
}

static int read_name(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_policy *policy = ((struct reading *)object)->policy;

	return weir_spec_read_name(spec, value, "policy", &policy->name);
}

static int read_action(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct reading *reading = object;
	const char *words[WEIR_NUM_POLICY_ACTIONS];
	size_t word;

	for (int i = 0; i < WEIR_NUM_POLICY_ACTIONS; i++)
		words[i] = weir_policy_action_name((enum weir_policy_action)i);
	int r = weir_spec_read_word(spec, value, words, WEIR_NUM_POLICY_ACTIONS, &word);
	if (r < 0)
		return r;
	reading->policy->action = (enum weir_policy_action)word;
	reading->has_action = true;
	return 0;
}

static int read_direction(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	const char *words[WEIR_NUM_POLICY_GATES];
	size_t word;

	for (int i = 0; i < WEIR_NUM_POLICY_GATES; i++)
		words[i] = weir_policy_gate_name((enum weir_policy_gate)i);
	int r = weir_spec_read_word(spec, value, words, WEIR_NUM_POLICY_GATES, &word);
	if (r == 0)
		((struct reading *)object)->policy->gate = (enum weir_policy_gate)word;
	return r;
}

static int read_log(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	static const char *const words[] = { "false", "true", "nflog", "kernel" };
	static const enum weir_policy_log logs[] = { WEIR_LOG_NONE, WEIR_LOG_NFLOG, WEIR_LOG_NFLOG,
						     WEIR_LOG_KERNEL };
	size_t word;

	int r = weir_spec_read_word(spec, value, words, sizeof(words) / sizeof(words[0]), &word);
	if (r == 0)
		((struct reading *)object)->policy->log = logs[word];
	return r;
}

static int read_priority(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	long priority;

	int r = weir_spec_read_number(spec, value, PRIORITY_MIN, PRIORITY_MAX, &priority);
	if (r == 0)
		((struct reading *)object)->policy->priority = (int)priority;
	return r;
}

static const struct weir_spec_key policy_keys[] = {
	{ "name", read_name },		 { "from", read_from },		{ "to", read_to },
	{ "ports", read_services },	 { "action", read_action },	{ "log", read_log },
	{ "direction", read_direction }, { "priority", read_priority },
};

int weir_spec_read_policy(struct weir_spec *spec, const struct weir_spec_node *value, void *unused)
{
	struct reading reading = { .policy = weir_model_add_policy(spec->model) };

	(void)unused;
	if (!reading.policy)
		return weir_spec_no_memory(spec);
	reading.policy->name = ""; /* for the order, should reading end here */
	reading.policy->declared = true;
	reading.policy->origin = weir_spec_place(spec, value);
	if (value->kind != WEIR_SPEC_MAP)
		return weir_spec_expected(spec, value,
					  "a policy like {name: …, from: …, to: …, "
					  "action: allow}");
	int r = weir_spec_read_keys(spec, value, "a policy", policy_keys,
				    sizeof(policy_keys) / sizeof(policy_keys[0]), &reading);
	if (r == 0 && !reading.policy->name[0])
		r = weir_spec_fail(spec, value, "a policy needs a \"name\"");
	if (r == 0 && !reading.has_action)
		r = weir_spec_fail(spec, value,
				   "a policy needs an \"action\": allow, deny or reject");
	return r < 0 ? r : weir_policy_check(reading.policy, spec->err);
}
