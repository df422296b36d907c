/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies in the store.
 *
 * A policy is a row, and its lists are rows in the order of writing, each of which belongs to the last
 * one before it that can have it: a label's value to the label's key, that to the selector. They are
 * written anew as a whole. */
#include <errno.h>
#include <string.h>

#include "core/store_db.h"

/* ---- writing ---- */

struct writer {
	struct weir_store *store;
	const char *policy;
	int seq;
	struct weir_err *err;
};

static int put_text(struct writer *w, enum weir_policy_item kind, const char *text)
{
	return weir_store_exec(w->store, WEIR_SQL_ADD_POLICY_ITEM, NULL, w->err, "tiitii",
			       w->policy, w->seq++, (int)kind, text, 0, 0);
}

static int put_numbers(struct writer *w, enum weir_policy_item kind, int a, int b, int c)
{
	return weir_store_exec(w->store, WEIR_SQL_ADD_POLICY_ITEM, NULL, w->err, "tiiiii",
			       w->policy, w->seq++, (int)kind, a, b, c);
}

static int put_prefix(struct writer *w, enum weir_policy_item kind,
		      const struct weir_prefix *prefix)
{
	return weir_store_exec(w->store, WEIR_SQL_ADD_POLICY_ITEM, NULL, w->err, "tiiaii",
			       w->policy, w->seq++, (int)kind, &prefix->addr, prefix->len, 0);
}

static int put_names(struct writer *w, enum weir_policy_item kind, const char **names, size_t n)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = put_text(w, kind, names[i]);
	return r;
}

static int put_block(struct writer *w, const struct weir_block *block)
{
	int r = put_prefix(w, WEIR_ITEM_BLOCK, &block->prefix);
	for (size_t i = 0; r == 0 && i < block->n_except; i++)
		r = put_prefix(w, WEIR_ITEM_EXCEPT, &block->except[i]);
	return r;
}

static int put_selector(struct writer *w, enum weir_policy_item end,
			const struct weir_selector *sel)
{
	int r = put_numbers(w, end, (int)sel->kind, 0, 0);
	if (r == 0)
		r = put_names(w, WEIR_ITEM_OF_NETWORK, sel->networks, sel->n_networks);
	if (r == 0)
		r = put_names(w, WEIR_ITEM_OF_ENDPOINT, sel->endpoints, sel->n_endpoints);
	for (size_t i = 0; r == 0 && i < sel->n_labels; i++) {
		const struct weir_label_match *match = &sel->labels[i];
		r = put_text(w, WEIR_ITEM_LABEL_KEY, match->key);
		if (r == 0)
			r = put_names(w, WEIR_ITEM_LABEL_VALUE, match->values, match->n_values);
	}
	for (size_t i = 0; r == 0 && i < sel->n_blocks; i++)
		r = put_block(w, &sel->blocks[i]);
	return r;
}

static int put_lists(struct writer *w, const struct weir_policy *policy)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < policy->n_from; i++)
		r = put_selector(w, WEIR_ITEM_FROM, &policy->from[i]);
	for (size_t i = 0; r == 0 && i < policy->n_to; i++)
		r = put_selector(w, WEIR_ITEM_TO, &policy->to[i]);
	for (size_t i = 0; r == 0 && i < policy->n_services; i++)
		r = put_numbers(w, WEIR_ITEM_SERVICE, (int)policy->services[i].l4,
				policy->services[i].ports.lo, policy->services[i].ports.hi);
	return r;
}

int weir_store_put_policy(struct weir_store *store, const struct weir_policy *policy,
			  struct weir_err *err)
{
	struct writer w = { .store = store, .policy = policy->name, .err = err };
	const struct weir_place *at = &policy->origin;
	int r = weir_store_exec(store, WEIR_SQL_REMOVE_POLICY, NULL, err, "t", policy->name);
	if (r == 0)
		r = weir_store_exec(store, WEIR_SQL_PUT_POLICY, NULL, err, "tiiiiitii",
				    policy->name, (int)policy->action, (int)policy->gate,
				    (int)policy->log, policy->priority, policy->declared,
				    weir_place_file(at), (int)at->line, (int)at->column);
	if (r == 0)
		r = put_lists(&w, policy);
	return r < 0 ? weir_store_spoil(store, r) : 0;
}

int weir_store_remove_policy(struct weir_store *store, const char *name, struct weir_err *err)
{
	int rows = 0;
	int r = weir_store_exec(store, WEIR_SQL_REMOVE_POLICY, &rows, err, "t", name);
	if (r == 0 && !rows)
		r = weir_err_set(err, ENOENT, "no policy named \"%s\" (weir policy ls)", name);
	return r < 0 ? weir_store_spoil(store, r) : 0;
}

/* ---- reading ---- */

/* What the next row may belong to. */
struct reader {
	struct weir_arena *arena;
	struct weir_policy *policy;
	struct weir_selector *sel;
	struct weir_label_match *label;
	struct weir_block *block;
};

/* One more zeroed item; NULL without memory. */
#define GROW(reader, items, n)                                                                  \
	({                                                                                      \
		void *more_ = weir_arena_grow((reader)->arena, (items), (n), sizeof(*(items))); \
		if (more_) {                                                                    \
			(items) = more_;                                                        \
			more_ = memset(&(items)[(n)++], 0, sizeof(*(items)));                   \
		}                                                                               \
		(__typeof__(items))more_;                                                       \
	})

static bool add_selector(struct reader *reader, struct weir_selector *sel, sqlite3_stmt *row)
{
	if (sel)
		sel->kind = (enum weir_selector_kind)sqlite3_column_int(row, 1);
	reader->sel = sel;
	reader->label = NULL;
	reader->block = NULL;
	return sel && sel->kind < WEIR_NUM_SELECTOR_KINDS;
}

static bool add_from(struct reader *reader, sqlite3_stmt *row)
{
	return add_selector(reader, GROW(reader, reader->policy->from, reader->policy->n_from),
			    row);
}

static bool add_to(struct reader *reader, sqlite3_stmt *row)
{
	return add_selector(reader, GROW(reader, reader->policy->to, reader->policy->n_to), row);
}

static bool add_name(struct reader *reader, const char **slot, sqlite3_stmt *row)
{
	if (slot)
		*slot = weir_arena_strdup(reader->arena, weir_store_text(row, 1));
	return slot && *slot;
}

static bool add_network(struct reader *reader, sqlite3_stmt *row)
{
	struct weir_selector *sel = reader->sel;
	return sel && add_name(reader, GROW(reader, sel->networks, sel->n_networks), row);
}

static bool add_endpoint(struct reader *reader, sqlite3_stmt *row)
{
	struct weir_selector *sel = reader->sel;
	return sel && add_name(reader, GROW(reader, sel->endpoints, sel->n_endpoints), row);
}

static bool add_key(struct reader *reader, sqlite3_stmt *row)
{
	struct weir_selector *sel = reader->sel;
	reader->label = sel ? GROW(reader, sel->labels, sel->n_labels) : NULL;
	return reader->label && add_name(reader, &reader->label->key, row);
}

static bool add_value(struct reader *reader, sqlite3_stmt *row)
{
	struct weir_label_match *match = reader->label;
	return match && add_name(reader, GROW(reader, match->values, match->n_values), row);
}

static bool set_prefix(struct weir_prefix *prefix, sqlite3_stmt *row)
{
	if (!prefix)
		return false;
	*prefix = (struct weir_prefix){ weir_store_addr(row, 1),
					(uint8_t)sqlite3_column_int(row, 2) };
	return weir_addr_is_set(&prefix->addr) &&
	       prefix->len <= weir_family_bits(prefix->addr.family);
}

static bool add_block(struct reader *reader, sqlite3_stmt *row)
{
	struct weir_selector *sel = reader->sel;
	reader->block = sel ? GROW(reader, sel->blocks, sel->n_blocks) : NULL;
	return reader->block && set_prefix(&reader->block->prefix, row);
}

static bool add_except(struct reader *reader, sqlite3_stmt *row)
{
	struct weir_block *block = reader->block;
	return block && set_prefix(GROW(reader, block->except, block->n_except), row);
}

static bool add_service(struct reader *reader, sqlite3_stmt *row)
{
	struct weir_policy *policy = reader->policy;
	struct weir_service *service = GROW(reader, policy->services, policy->n_services);
	if (!service)
		return false;
	service->l4 = (enum weir_l4)sqlite3_column_int(row, 1);
	service->ports = (struct weir_ports){ (uint16_t)sqlite3_column_int(row, 2),
					      (uint16_t)sqlite3_column_int(row, 3) };
	return service->l4 > WEIR_L4_ANY && service->l4 < WEIR_NUM_L4S;
}

static bool (*const adders[WEIR_NUM_POLICY_ITEMS])(struct reader *reader, sqlite3_stmt *row) = {
	[WEIR_ITEM_FROM] = add_from,	      [WEIR_ITEM_TO] = add_to,
	[WEIR_ITEM_OF_NETWORK] = add_network, [WEIR_ITEM_OF_ENDPOINT] = add_endpoint,
	[WEIR_ITEM_LABEL_KEY] = add_key,      [WEIR_ITEM_LABEL_VALUE] = add_value,
	[WEIR_ITEM_BLOCK] = add_block,	      [WEIR_ITEM_EXCEPT] = add_except,
	[WEIR_ITEM_SERVICE] = add_service,
};

static int read_lists(struct weir_store *store, struct weir_model *model,
		      struct weir_policy *policy, struct weir_err *err)
{
	struct reader reader = { .arena = &model->arena, .policy = policy };
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_POLICY_ITEMS, &row, err, "t", policy->name);
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1) {
		unsigned kind = (unsigned)sqlite3_column_int(row, 0);
		r = kind < WEIR_NUM_POLICY_ITEMS && adders[kind](&reader, row)
			    ? 0
			    : weir_store_damaged(store, "an impossible policy", err);
	}
	return r;
}

static int read_row(struct weir_store *store, struct weir_model *model, sqlite3_stmt *row,
		    struct weir_err *err)
{
	struct weir_policy *policy = weir_model_add_policy(model);
	if (!policy || !(policy->name = weir_arena_strdup(&model->arena, weir_store_text(row, 0))))
		return weir_store_no_memory(err);
	policy->action = (enum weir_policy_action)sqlite3_column_int(row, 1);
	policy->gate = (enum weir_policy_gate)sqlite3_column_int(row, 2);
	policy->log = (enum weir_policy_log)sqlite3_column_int(row, 3);
	policy->priority = sqlite3_column_int(row, 4);
	policy->declared = sqlite3_column_int(row, 5);
	policy->origin = weir_place_make(weir_store_text(row, 6),
					 (unsigned)sqlite3_column_int(row, 7),
					 (unsigned)sqlite3_column_int(row, 8));
	if (policy->action >= WEIR_NUM_POLICY_ACTIONS || policy->gate >= WEIR_NUM_POLICY_GATES ||
	    policy->log >= WEIR_NUM_POLICY_LOGS)
		return weir_store_damaged(store, "an impossible policy", err);
	return read_lists(store, model, policy, err);
}

int weir_store_read_policies(struct weir_store *store, struct weir_model *model,
			     struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_POLICIES, &row, err, "");
	while (r == 0 && (r = weir_store_step(store, row, err)) == 1)
		r = read_row(store, model, row, err);
	return r;
}

/* ---- questions ---- */

int weir_store_has_policies(struct weir_store *store, bool *ret, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_HAS_POLICIES, &row, err, "");
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r < 0)
		return r;
	*ret = sqlite3_column_int(row, 0);
	return 0;
}

int weir_store_set_filtered(struct weir_store *store, const char *network, bool filtered,
			    struct weir_err *err)
{
	int r = weir_store_exec(store, WEIR_SQL_SET_FILTERED, NULL, err, "ti", network, filtered);
	return r < 0 ? weir_store_spoil(store, r) : 0;
}

static int find_naming(struct weir_store *store, enum weir_policy_item kind, const char *name,
		       struct weir_arena *arena, const char **ret, struct weir_err *err)
{
	WEIR_CLEAN_QUERY sqlite3_stmt *row = NULL;
	int r = weir_store_query(store, WEIR_SQL_POLICY_NAMING, &row, err, "it", (int)kind, name);
	if (r == 0)
		r = weir_store_step(store, row, err);
	if (r < 0)
		return r;
	const char *policy = r == 1 ? weir_arena_strdup(arena, weir_store_text(row, 0)) : NULL;
	if (r == 1 && !policy)
		return weir_store_no_memory(err);
	*ret = policy;
	return 0;
}

int weir_store_policy_naming_network(struct weir_store *store, const char *network,
				     struct weir_arena *arena, const char **ret_policy,
				     struct weir_err *err)
{
	return find_naming(store, WEIR_ITEM_OF_NETWORK, network, arena, ret_policy, err);
}

int weir_store_policy_naming_endpoint(struct weir_store *store, const char *endpoint,
				      struct weir_arena *arena, const char **ret_policy,
				      struct weir_err *err)
{
	return find_naming(store, WEIR_ITEM_OF_ENDPOINT, endpoint, arena, ret_policy, err);
}
