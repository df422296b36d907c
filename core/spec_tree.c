/* SPDX-License-Identifier: GPL-2.0-or-later */
/* YAML into a tree of values, by libfyaml's events.
 *
 * How it works: libfyaml's own documents compare each key of a map with every other and follow
 * aliases. Its events do neither, so the tree is built from them here: keys are compared after
 * sorting, aliases are refused, and depth is bounded by what a spec can need. libfyaml collects
 * its complaints instead of printing them; the first becomes the error. */
#include "core/spec_tree.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

enum {
	DEPTH_MAX = 16, /* a spec needs six: endpoints, name, networks, name, ip, item */
	QUOTE_MAX = 60	/* of a user's text, in a message */
};

struct reader {
	struct fy_parser *parser;
	struct fy_diag *diag;
	struct fy_token_iter *iterator;
	char *text; /* of the scalar at hand */
	size_t room;
	const char *file;
	struct weir_arena *arena;
	struct weir_err *err;
};

static int refuse(struct reader *r, const struct fy_mark *mark, const char *text)
{
	struct weir_place at = weir_place_make(r->file, mark ? (unsigned)mark->line + 1 : 0,
					       mark ? (unsigned)mark->column + 1 : 0);
	return weir_err_at(r->err, EINVAL, &at, "%s", text);
}

static int no_memory(struct reader *r)
{
	return weir_err_set(r->err, ENOMEM, "no memory to read %s", r->file);
}

/* The first complaint is the cause, what follows are its consequences. */
static int report_diagnostics(struct reader *r)
{
	void *iterator = NULL;
	const struct fy_diag_error *first = fy_diag_errors_iterate(r->diag, &iterator);
	struct weir_place at;

	if (!first || !first->msg) {
		at = weir_place_make(r->file, 0, 0);
		return weir_err_at(r->err, EINVAL, &at, "not valid YAML");
	}
	at = weir_place_make(r->file, first->line > 0 ? (unsigned)first->line : 0,
			     first->column > 0 ? (unsigned)first->column : 0);
	return weir_err_at(r->err, EINVAL, &at, "not valid YAML: %s", first->msg);
}

/* ---- events ---- */

/* The next event, which the caller frees; NULL with err set at the end of the stream or on an
 * error. */
static struct fy_event *next_event(struct reader *r, int *ret_error)
{
	struct fy_event *event = fy_parser_parse(r->parser);

	*ret_error = 0;
	if (!event || fy_parser_get_stream_error(r->parser)) {
		*ret_error = report_diagnostics(r);
		if (event)
			fy_parser_event_free(r->parser, event);
		return NULL;
	}
	return event;
}

static struct weir_spec_node *make_node(struct reader *r, enum weir_spec_kind kind,
					struct fy_event *event)
{
	const struct fy_mark *mark = fy_event_start_mark(event);
	struct weir_spec_node *node = weir_arena_alloc(r->arena, sizeof(*node));

	if (node && mark) {
		node->line = (unsigned)mark->line + 1;
		node->column = (unsigned)mark->column + 1;
	}
	if (node) {
		node->kind = kind;
		node->text = "";
	}
	return node;
}

/* ---- values ---- */

/* Room for so many bytes of a scalar's text. */
static int reserve_text(struct reader *r, size_t need)
{
	size_t room = r->room ? r->room : 256; /* most values are shorter */

	while (room < need)
		room *= 2;
	if (room == r->room)
		return 0;
	char *text = realloc(r->text, room);
	if (!text)
		return no_memory(r);
	r->text = text;
	r->room = room;
	return 0;
}

/* The text of a token, unquoted, into r->text.
 *
 * libfyaml 0.7 is wrong about two or more quotes in a row inside single quotes (as in 'a''''b'): its
 * iterator gives too many, its fy_token_get_text() cuts what follows, and leaks. But its length is
 * right, so a difference tells; nothing that weir knows needs such a text. */
static int read_text(struct reader *r, struct fy_token *token, size_t *ret_len)
{
	const struct fy_iter_chunk *chunk = NULL;
	size_t len = 0;
	int error = 0, broken = 0;

	fy_token_iter_start(token, r->iterator);
	while (error == 0 && (chunk = fy_token_iter_chunk_next(r->iterator, chunk, &broken))) {
		error = reserve_text(r, len + chunk->len);
		if (error == 0 && chunk->len)
			memcpy(r->text + len, chunk->str, chunk->len);
		len += chunk->len;
	}
	fy_token_iter_finish(r->iterator);
	if (error < 0 || broken)
		return error < 0 ? error : no_memory(r);
	if (len != fy_token_get_text_length(token))
		return refuse(r, fy_token_start_mark(token),
			      "several quotes in a row: write this value in double quotes");
	*ret_len = len;
	return 0;
}

static int read_scalar(struct reader *r, struct fy_event *event, struct weir_spec_node **ret)
{
	struct weir_spec_node *node = make_node(r, WEIR_SPEC_SCALAR, event);
	struct fy_token *token = event->scalar.value;
	enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
	size_t len = 0;

	int error = node ? 0 : no_memory(r);
	if (error == 0 && token)
		error = read_text(r, token, &len);
	if (error < 0)
		return error;
	if (len && memchr(r->text, 0, len))
		return refuse(r, fy_event_start_mark(event),
			      "a NUL character has no place in a value");
	node->text = weir_arena_strndup(r->arena, len ? r->text : "", len);
	if (!node->text)
		return no_memory(r);
	node->plain = style == FYSS_PLAIN || style == FYSS_ANY;
	node->one_line =
		(node->plain || style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) &&
		!strchr(node->text, '\n');
	*ret = node;
	return 0;
}

static int read_node(struct reader *r, struct fy_event *event, unsigned depth,
		     struct weir_spec_node **ret);

/* Reads what the next event begins; *ret NULL when it is `end`. */
static int read_next(struct reader *r, enum fy_event_type end, unsigned depth,
		     struct weir_spec_node **ret)
{
	int error;
	struct fy_event *event = next_event(r, &error);

	*ret = NULL;
	if (!event)
		return error;
	if (event->type != end)
		error = read_node(r, event, depth, ret);
	fy_parser_event_free(r->parser, event);
	return error;
}

static int add_item(struct reader *r, struct weir_spec_node ***items, size_t n,
		    struct weir_spec_node *item)
{
	struct weir_spec_node **more = weir_arena_grow(r->arena, *items, n, sizeof(*more));

	if (!more)
		return no_memory(r);
	more[n] = item;
	*items = more;
	return 0;
}

static int read_list(struct reader *r, struct weir_spec_node *list, unsigned depth)
{
	struct weir_spec_node *item;

	for (;;) {
		int error = read_next(r, FYET_SEQUENCE_END, depth, &item);
		if (error < 0 || !item)
			return error;
		if (!item->line) {
			item->line = list->line;
			item->column = list->column;
		}
		error = add_item(r, &list->items, list->n, item);
		if (error < 0)
			return error;
		list->n++;
	}
}

/* ---- keys ---- */

static int compare_keys(const void *a, const void *b)
{
	const struct weir_spec_node *x = *(struct weir_spec_node *const *)a;
	const struct weir_spec_node *y = *(struct weir_spec_node *const *)b;
	int order = strcmp(x->text, y->text);

	if (!order)
		order = (x->line > y->line) - (x->line < y->line);
	return order ? order : (x->column > y->column) - (x->column < y->column);
}

static int refuse_twin(struct reader *r, const struct weir_spec_node *first,
		       const struct weir_spec_node *second)
{
	struct weir_place at = weir_place_make(r->file, second->line, second->column);

	return weir_err_at(r->err, EINVAL, &at, "key \"%.*s\" is there twice, first in line %u",
			   QUOTE_MAX, second->text, first->line);
}

static int check_keys_unique(struct reader *r, const struct weir_spec_node *map)
{
	struct weir_spec_node **sorted;
	int error = 0;

	if (map->n < 2)
		return 0;
	sorted = calloc(map->n, sizeof(struct weir_spec_node *));
	if (!sorted)
		return no_memory(r);
	memcpy(sorted, map->keys, map->n * sizeof(struct weir_spec_node *));
	qsort(sorted, map->n, sizeof(struct weir_spec_node *), compare_keys);
	for (size_t i = 1; i < map->n && error == 0; i++)
		if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0)
			error = refuse_twin(r, sorted[i - 1], sorted[i]);
	free(sorted);
	return error;
}

static int read_entry(struct reader *r, struct weir_spec_node *map, struct weir_spec_node *key,
		      unsigned depth)
{
	struct weir_place at = weir_place_make(r->file, key->line, key->column);
	struct weir_spec_node *value;

	if (key->kind != WEIR_SPEC_SCALAR)
		return weir_err_at(r->err, EINVAL, &at,
				   "a key must be a word, not a list or a map");
	int error = read_next(r, FYET_NONE, depth, &value);
	if (error < 0)
		return error;
	if (!value)
		return weir_err_at(r->err, EINVAL, &at, "a key without a value");
	if (!value->line) { /* nothing was written */
		value->line = key->line;
		value->column = key->column;
	}
	error = add_item(r, &map->keys, map->n, key);
	if (error == 0)
		error = add_item(r, &map->items, map->n, value);
	if (error == 0)
		map->n++;
	return error;
}

static int read_map(struct reader *r, struct weir_spec_node *map, unsigned depth)
{
	struct weir_spec_node *key;

	for (;;) {
		int error = read_next(r, FYET_MAPPING_END, depth, &key);
		if (error < 0)
			return error;
		if (!key)
			return check_keys_unique(r, map);
		error = read_entry(r, map, key, depth);
		if (error < 0)
			return error;
	}
}

static int read_collection(struct reader *r, struct fy_event *event, unsigned depth,
			   struct weir_spec_node **ret)
{
	bool list = event->type == FYET_SEQUENCE_START;
	struct weir_spec_node *node = make_node(r, list ? WEIR_SPEC_LIST : WEIR_SPEC_MAP, event);

	if (!node)
		return no_memory(r);
	if (depth >= DEPTH_MAX)
		return refuse(r, fy_event_start_mark(event),
			      "nested deeper than anything that weir knows");
	int error = list ? read_list(r, node, depth + 1) : read_map(r, node, depth + 1);
	if (error == 0)
		*ret = node;
	return error;
}

static int read_node(struct reader *r, struct fy_event *event, unsigned depth,
		     struct weir_spec_node **ret)
{
	if (event->type == FYET_ALIAS)
		return refuse(r, fy_event_start_mark(event),
			      "aliases are not known here: write the value out");
	if (fy_event_get_tag_token(event))
		return refuse(r, fy_event_start_mark(event),
			      "tags are not known here: write the value without \"!\"");
	if (event->type == FYET_SCALAR)
		return read_scalar(r, event, ret);
	if (event->type == FYET_SEQUENCE_START || event->type == FYET_MAPPING_START)
		return read_collection(r, event, depth, ret);
	return refuse(r, fy_event_start_mark(event), "a value was expected here");
}

/* ---- the document ---- */

static int read_stream(struct reader *r, struct weir_spec_node **ret)
{
	struct weir_spec_node *root = NULL;

	for (int error = 0;;) {
		struct fy_event *event = next_event(r, &error);
		if (!event)
			return error;
		bool end = event->type == FYET_STREAM_END;
		bool value = event->type != FYET_STREAM_START &&
			     event->type != FYET_DOCUMENT_START &&
			     event->type != FYET_DOCUMENT_END && !end;
		if (value && root)
			error = refuse(r, fy_event_start_mark(event),
				       "a second document: one file holds one");
		else if (value)
			error = read_node(r, event, 0, &root);
		fy_parser_event_free(r->parser, event);
		if (error < 0)
			return error;
		if (end)
			break;
	}
	*ret = root;
	return 0;
}

/* libfyaml takes a broken sequence for the end of its input and says nothing. */
static int check_bytes(struct reader *r, const char *text, size_t len)
{
	unsigned line = 1;

	for (size_t i = 0, step; i < len; i += step) {
		step = weir_utf8_length(text + i, len - i);
		line += text[i] == '\n';
		if (step)
			continue;
		struct weir_place place = weir_place_make(r->file, line, 0);
		return weir_err_at(r->err, EINVAL, &place,
				   "byte 0x%02x is not UTF-8 text: expected YAML",
				   (unsigned char)text[i]);
	}
	return 0;
}

/* Where libfyaml would print: its errors are collected as well. */
static void ignore_output(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
	(void)diag;
	(void)user;
	(void)buf;
	(void)len;
}

static struct fy_diag *make_diag(void)
{
	struct fy_diag_cfg config;

	fy_diag_cfg_default(&config);
	config.fp = NULL;
	config.output_fn = ignore_output;
	config.colorize = false;
	struct fy_diag *diag = fy_diag_create(&config);
	if (diag)
		fy_diag_set_collect_errors(diag, true);
	return diag;
}

int weir_spec_tree_read(const char *text, size_t len, const char *file, struct weir_arena *arena,
			struct weir_spec_node **ret, struct weir_err *err)
{
	struct reader r = { .file = file, .arena = arena, .err = err };

	int error = check_bytes(&r, text, len);
	if (error < 0)
		return error;
	r.diag = make_diag();
	struct fy_parse_cfg config = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
			 FYPCF_JSON_NONE,
		.diag = r.diag,
	};
	r.parser = r.diag ? fy_parser_create(&config) : NULL;
	r.iterator = fy_token_iter_create(NULL);
	if (!r.parser || !r.iterator || fy_parser_set_string(r.parser, text, len) < 0)
		error = no_memory(&r);
	else
		error = read_stream(&r, ret);
	if (r.iterator)
		fy_token_iter_destroy(r.iterator);
	fy_parser_destroy(r.parser);
	fy_diag_destroy(r.diag);
	free(r.text);
	return error;
}
