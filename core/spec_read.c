/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of keys, and readers of single values. */
#include "core/spec_read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec.h"

enum {
	QUOTE_MAX = 60, /* of a user's text, in a message */
	KEYS_MAX = 24,	/* in any table of keys */
	DIGITS_MAX = 18 /* of a number, so that it fits a long */
};

/* ---- complaints ---- */

struct weir_place weir_spec_place(const struct weir_spec *spec, const struct weir_spec_node *node)
{
	return weir_place_make(spec->file, node->line, node->column);
}

static const char *separator(const struct weir_spec *spec)
{
	return spec->path[0] ? ": " : "";
}

int weir_spec_fail(struct weir_spec *spec, const struct weir_spec_node *node, const char *fmt, ...)
{
	struct weir_place at = weir_spec_place(spec, node);
	char text[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return weir_err_at(spec->err, EINVAL, &at, "%s%s%s", spec->path, separator(spec), text);
}

int weir_spec_expected(struct weir_spec *spec, const struct weir_spec_node *node, const char *what)
{
	if (node->kind == WEIR_SPEC_LIST)
		return weir_spec_fail(spec, node, "expected %s, got a list", what);
	if (node->kind == WEIR_SPEC_MAP)
		return weir_spec_fail(spec, node, "expected %s, got a map", what);
	if (weir_spec_is_null(node))
		return weir_spec_fail(spec, node, "expected %s, got nothing", what);
	return weir_spec_fail(spec, node, "expected %s, got \"%.*s\"", what, QUOTE_MAX, node->text);
}

/* A parser that knows the byte leaves its column; byte and column agree in text of one line. */
int weir_spec_blame(struct weir_spec *spec, const struct weir_spec_node *node, int code)
{
	if (!spec->err)
		return code;
	struct weir_place at = weir_spec_place(spec, node);
	if (node->one_line && !spec->err->at.line && spec->err->at.column)
		at.column += spec->err->at.column - 1;
	spec->err->at = at;
	return spec->path[0] ? weir_err_wrap(spec->err, code, "%s", spec->path) : code;
}

int weir_spec_no_memory(struct weir_spec *spec)
{
	return weir_err_set(spec->err, ENOMEM, "no memory to read %s", spec->file);
}

/* ---- paths ---- */

/* Adds a step to the path; returns what to give pop_path(). */
static size_t push_path(struct weir_spec *spec, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static size_t push_path(struct weir_spec *spec, const char *fmt, ...)
{
	size_t used = strlen(spec->path);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(spec->path + used, sizeof(spec->path) - used, fmt, args);
	va_end(args);
	return used;
}

static void pop_path(struct weir_spec *spec, size_t used)
{
	spec->path[used] = '\0';
}

/* "[12]", by hand: of 10,000 items each would be printed for a message that never comes. */
static size_t push_index(struct weir_spec *spec, size_t index)
{
	size_t used = strlen(spec->path);
	char digits[24], *at = digits + sizeof(digits);

	*--at = '\0';
	*--at = ']';
	do {
		*--at = (char)('0' + index % 10);
	} while (index /= 10);
	*--at = '[';
	size_t len = strlen(at), room = sizeof(spec->path) - 1 - used;
	memcpy(spec->path + used, at, len < room ? len : room);
	spec->path[used + (len < room ? len : room)] = '\0';
	return used;
}

static size_t push_key(struct weir_spec *spec, const char *key)
{
	return push_path(spec, "%s%.*s", spec->path[0] ? "." : "", QUOTE_MAX, key);
}

/* ---- maps and lists ---- */

bool weir_spec_is_null(const struct weir_spec_node *node)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	if (node->kind != WEIR_SPEC_SCALAR || !node->plain)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(node->text, words[i]) == 0)
			return true;
	return false;
}

bool weir_spec_has_key(const struct weir_spec_node *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return true;
	return false;
}

static void list_words(char *buf, size_t size, const char *const *words, size_t n)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++) {
		const char *before = !i ? "" : i + 1 < n ? ", " : " or ";
		int len = snprintf(buf + used, size - used, "%s%s", before, words[i]);
		used += len > 0 ? (size_t)len : 0;
	}
}

static int refuse_key(struct weir_spec *spec, const struct weir_spec_node *key, const char *what,
		      const struct weir_spec_key *keys, size_t n_keys)
{
	struct weir_place at = weir_spec_place(spec, key);
	const char *names[KEYS_MAX];
	char known[256];
	size_t n = n_keys < KEYS_MAX ? n_keys : KEYS_MAX;

	for (size_t i = 0; i < n; i++)
		names[i] = keys[i].name;
	const char *nearest = weir_spec_nearest(key->text, names, n);
	if (nearest)
		return weir_err_at(spec->err, EINVAL, &at,
				   "unknown key \"%.*s\" in %s (did you mean \"%s\"?)", QUOTE_MAX,
				   key->text, what, nearest);
	list_words(known, sizeof(known), names, n);
	return weir_err_at(spec->err, EINVAL, &at, "unknown key \"%.*s\" in %s: expected %s",
			   QUOTE_MAX, key->text, what, known);
}

static const struct weir_spec_key *find_key(const char *name, const struct weir_spec_key *keys,
					    size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

int weir_spec_read_keys(struct weir_spec *spec, const struct weir_spec_node *map, const char *what,
			const struct weir_spec_key *keys, size_t n_keys, void *object)
{
	if (weir_spec_is_null(map))
		return 0;
	if (map->kind != WEIR_SPEC_MAP)
		return weir_spec_expected(spec, map, "a map of keys");
	for (size_t i = 0; i < map->n; i++) {
		const struct weir_spec_key *key = find_key(map->keys[i]->text, keys, n_keys);
		if (!key)
			return refuse_key(spec, map->keys[i], what, keys, n_keys);
		size_t path = push_key(spec, key->name);
		int r = key->read(spec, map->items[i], object);
		pop_path(spec, path);
		if (r < 0)
			return r;
	}
	return 0;
}

int weir_spec_read_items(struct weir_spec *spec, const struct weir_spec_node *list,
			 const char *what, weir_spec_reader read, void *object)
{
	if (list->kind != WEIR_SPEC_LIST)
		return weir_spec_expected(spec, list, what);
	for (size_t i = 0; i < list->n; i++) {
		size_t path = push_index(spec, i);
		int r = read(spec, list->items[i], object);
		pop_path(spec, path);
		if (r < 0)
			return r;
	}
	return 0;
}

int weir_spec_read_one_or_more(struct weir_spec *spec, const struct weir_spec_node *node,
			       const char *what, weir_spec_reader read, void *object)
{
	if (node->kind == WEIR_SPEC_LIST)
		return weir_spec_read_items(spec, node, what, read, object);
	return read(spec, node, object);
}

int weir_spec_read_names(struct weir_spec *spec, const struct weir_spec_node *map, const char *what,
			 int (*read_name)(struct weir_spec *spec, const struct weir_spec_node *key,
					  const struct weir_spec_node *value, void *object),
			 void *object)
{
	if (weir_spec_is_null(map))
		return 0;
	if (map->kind != WEIR_SPEC_MAP)
		return weir_spec_expected(spec, map, what);
	for (size_t i = 0; i < map->n; i++) {
		size_t path = push_key(spec, map->keys[i]->text);
		int r = read_name(spec, map->keys[i], map->items[i], object);
		pop_path(spec, path);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- single values ---- */

static bool is_text(const struct weir_spec_node *node)
{
	return node->kind == WEIR_SPEC_SCALAR && !weir_spec_is_null(node);
}

int weir_spec_read_text(struct weir_spec *spec, const struct weir_spec_node *node, const char *what,
			const char **ret)
{
	if (!is_text(node))
		return weir_spec_expected(spec, node, what);
	const char *copy = weir_arena_strdup(&spec->model->arena, node->text);
	if (!copy)
		return weir_spec_no_memory(spec);
	*ret = copy;
	return 0;
}

int weir_spec_read_bool(struct weir_spec *spec, const struct weir_spec_node *node, bool *ret)
{
	static const char *const words[] = { "false", "False", "FALSE", "true", "True", "TRUE" };

	if (is_text(node) && node->plain)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strcmp(node->text, words[i]) == 0) {
				*ret = i >= 3;
				return 0;
			}
	return weir_spec_expected(spec, node, "true or false");
}

int weir_spec_read_number(struct weir_spec *spec, const struct weir_spec_node *node, long least,
			  long most, long *ret)
{
	char what[80];
	const char *text = node->text;
	bool negative = text[0] == '-';
	const char *digits = text + negative;
	size_t len = strspn(digits, "0123456789");
	long value = 0;

	(void)snprintf(what, sizeof(what), "a number from %ld to %ld", least, most);
	if (!is_text(node) || !len || len > DIGITS_MAX || digits[len] ||
	    (digits[0] == '0' && len > 1))
		return weir_spec_expected(spec, node, what);
	for (size_t i = 0; i < len; i++)
		value = value * 10 + (digits[i] - '0');
	if (negative)
		value = -value;
	if (value < least || value > most)
		return weir_spec_expected(spec, node, what);
	*ret = value;
	return 0;
}

int weir_spec_read_word(struct weir_spec *spec, const struct weir_spec_node *node,
			const char *const *words, size_t n, size_t *ret)
{
	char what[128];

	for (size_t i = 0; is_text(node) && i < n; i++)
		if (strcmp(node->text, words[i]) == 0) {
			*ret = i;
			return 0;
		}
	list_words(what, sizeof(what), words, n);
	return weir_spec_expected(spec, node, what);
}

int weir_spec_read_addr(struct weir_spec *spec, const struct weir_spec_node *node,
			struct weir_addr *ret)
{
	if (!is_text(node))
		return weir_spec_expected(spec, node, "an address");
	int r = weir_addr_parse(node->text, ret, spec->err);
	return r < 0 ? weir_spec_blame(spec, node, r) : 0;
}

int weir_spec_read_prefix(struct weir_spec *spec, const struct weir_spec_node *node,
			  struct weir_prefix *ret)
{
	if (!is_text(node))
		return weir_spec_expected(spec, node, "a prefix like 10.88.1.0/24");
	int r = weir_prefix_parse(node->text, ret, spec->err);
	return r < 0 ? weir_spec_blame(spec, node, r) : 0;
}

int weir_spec_read_mac(struct weir_spec *spec, const struct weir_spec_node *node,
		       struct weir_mac *ret)
{
	if (!is_text(node))
		return weir_spec_expected(spec, node, "a MAC address like \"02:00:00:00:00:10\"");
	int r = weir_mac_parse(node->text, ret, spec->err);
	return r < 0 ? weir_spec_blame(spec, node, r) : 0;
}

int weir_spec_read_name(struct weir_spec *spec, const struct weir_spec_node *node, const char *what,
			const char **ret)
{
	char wish[64];

	(void)snprintf(wish, sizeof(wish), "the name of a %s", what);
	if (!is_text(node))
		return weir_spec_expected(spec, node, wish);
	int r = weir_name_check(what, node->text, spec->err);
	return r < 0 ? weir_spec_blame(spec, node, r) : weir_spec_read_text(spec, node, wish, ret);
}

int weir_spec_read_ifname(struct weir_spec *spec, const struct weir_spec_node *node,
			  char ret[WEIR_IFNAME_SIZE])
{
	if (!is_text(node))
		return weir_spec_expected(spec, node, "an interface name");
	int r = weir_ifname_check(node->text, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, node, r);
	(void)snprintf(ret, WEIR_IFNAME_SIZE, "%s", node->text);
	return 0;
}

int weir_spec_read_addr_slot(struct weir_spec *spec, const struct weir_spec_node *node,
			     struct weir_addr slots[WEIR_NUM_FAMILIES])
{
	struct weir_addr addr;
	char text[WEIR_ADDR_TEXT];

	int r = weir_spec_read_addr(spec, node, &addr);
	if (r < 0)
		return r;
	if (weir_addr_is_set(&slots[addr.family]))
		return weir_spec_fail(spec, node, "one %s address is enough, %s is there already",
				      weir_family_name(addr.family),
				      weir_addr_text(&slots[addr.family], text));
	slots[addr.family] = addr;
	return 0;
}
