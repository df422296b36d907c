/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The short form of selectors: what `--from` takes, and what is printed. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "core/selector.h"
#include "core/spec.h"

/* The copy that is cut into pieces; a piece's offset in it is its column. */
struct reader {
	char *copy;
	struct weir_arena *arena;
	struct weir_err *err;
};

static int blame(const struct reader *reader, const char *at, int code)
{
	if (reader->err)
		reader->err->at =
			(struct weir_place){ .column = (unsigned)(at - reader->copy) + 1 };
	return code;
}

static int fail(const struct reader *reader, const char *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(const struct reader *reader, const char *at, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)weir_err_set(reader->err, EINVAL, "%s", text);
	return blame(reader, at, -EINVAL);
}

static int no_memory(const struct reader *reader)
{
	return weir_err_set(reader->err, ENOMEM, "out of memory");
}

/* The piece up to the separator; *rest is NULL behind the last one. */
static char *cut(char **rest, char separator)
{
	char *piece = *rest, *end = strchr(piece, separator);

	*rest = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return piece;
}

static int add_text(const struct reader *reader, const char *text, const char ***items, size_t *n)
{
	const char **more = weir_arena_grow(reader->arena, *items, *n, sizeof(*more));

	if (!more)
		return no_memory(reader);
	*items = more;
	more[(*n)++] = text;
	return 0;
}

static int read_names(const struct reader *reader, const char *what, char *text,
		      const char ***names, size_t *n)
{
	int r = 0;

	if (*n)
		return fail(reader, text, "nothing is in two: did you mean %s:%s|%s?", what,
			    (*names)[0], text);
	for (char *rest = text; r == 0 && rest;) {
		const char *name = cut(&rest, '|');
		r = weir_name_check(what, name, reader->err);
		r = r < 0 ? blame(reader, name, r) : add_text(reader, name, names, n);
	}
	return r;
}

static int read_networks(const struct reader *reader, char *text, struct weir_selector *sel)
{
	return read_names(reader, "network", text, &sel->networks, &sel->n_networks);
}

static int read_endpoints(const struct reader *reader, char *text, struct weir_selector *sel)
{
	return read_names(reader, "endpoint", text, &sel->endpoints, &sel->n_endpoints);
}

/* KEY, KEY=VALUE, KEY=A|B */
static int read_label(const struct reader *reader, char *text, struct weir_selector *sel)
{
	struct weir_label_match match = { .key = text };
	char *values = strchr(text, '=');
	int r = 0;

	if (values)
		*values++ = '\0';
	if (!match.key[0])
		return fail(reader, text, "expected a label's key");
	while (r == 0 && values) {
		const char *value = cut(&values, '|');
		r = add_text(reader, value, &match.values, &match.n_values);
	}
	struct weir_label_match *more =
		weir_arena_grow(reader->arena, sel->labels, sel->n_labels, sizeof(*more));
	if (r < 0 || !more)
		return no_memory(reader);
	sel->labels = more;
	more[sel->n_labels++] = match;
	return 0;
}

static int read_labels(const struct reader *reader, char *text, struct weir_selector *sel)
{
	int r = 0;

	for (char *rest = text; r == 0 && rest;)
		r = read_label(reader, cut(&rest, ','), sel);
	return r;
}

static int read_prefix(const struct reader *reader, const char *text, struct weir_prefix *ret)
{
	int r = weir_prefix_parse(text, ret, reader->err);

	return r < 0 ? blame(reader, text, r) : 0;
}

static int read_except(const struct reader *reader, char *text, struct weir_block *block)
{
	static const char word[] = "except=";

	if (strncmp(text, word, strlen(word)) != 0)
		return fail(reader, text, "expected except=PREFIX, got \"%.40s\"", text);
	struct weir_prefix *more =
		weir_arena_grow(reader->arena, block->except, block->n_except, sizeof(*more));
	if (!more)
		return no_memory(reader);
	block->except = more;
	return read_prefix(reader, text + strlen(word), &more[block->n_except++]);
}

static int read_block(const struct reader *reader, char *text, struct weir_selector *sel)
{
	struct weir_block block = { 0 };
	int r = read_prefix(reader, cut(&text, ','), &block.prefix);

	while (r == 0 && text)
		r = read_except(reader, cut(&text, ','), &block);
	if (r < 0)
		return r;
	struct weir_block *more =
		weir_arena_grow(reader->arena, sel->blocks, sel->n_blocks, sizeof(*more));
	if (!more)
		return no_memory(reader);
	sel->blocks = more;
	more[sel->n_blocks++] = block;
	return 0;
}

static int read_blocks(const struct reader *reader, char *text, struct weir_selector *sel)
{
	int r = 0;

	sel->kind = WEIR_SELECT_BLOCKS;
	for (char *rest = text; r == 0 && rest;)
		r = read_block(reader, cut(&rest, '|'), sel);
	return r;
}

static const struct term {
	const char *name;
	int (*read)(const struct reader *reader, char *text, struct weir_selector *sel);
} terms[] = {
	{ "network", read_networks },
	{ "endpoint", read_endpoints },
	{ "label", read_labels },
	{ "cidr", read_blocks },
};
enum { N_TERMS = sizeof(terms) / sizeof(*terms) };

static int refuse_term(const struct reader *reader, const char *term)
{
	static const char *const words[] = { "network", "endpoint",  "label",	"cidr",
					     "any",	"endpoints", "outside", "host" };
	const char *near = weir_spec_nearest(term, words, sizeof(words) / sizeof(*words));
	bool is_word = near && (strcmp(near, "any") == 0 || strcmp(near, "endpoints") == 0 ||
				strcmp(near, "outside") == 0 || strcmp(near, "host") == 0);

	if (is_word && strcmp(near, term) == 0)
		return fail(reader, term, "\"%s\" stands alone: make it a selector of its own",
			    near);
	if (near)
		return fail(reader, term, "unknown selector \"%.40s\" (did you mean \"%s%s\"?)",
			    term, near, is_word ? "" : ":…");
	if (weir_name_check("endpoint", term, NULL) == 0)
		return fail(reader, term,
			    "\"%.63s\" is no selector (did you mean \"endpoint:%.63s\"?)", term,
			    term);
	return fail(reader, term,
		    "expected any, endpoints, outside, host, network:…, endpoint:…, label:… or "
		    "cidr:…, got \"%.40s\"",
		    term);
}

static int read_term(const struct reader *reader, char *text, struct weir_selector *sel)
{
	char *colon = strchr(text, ':');

	if (colon)
		*colon = '\0';
	for (size_t i = 0; colon && i < N_TERMS; i++)
		if (strcmp(terms[i].name, text) == 0)
			return terms[i].read(reader, colon + 1, sel);
	return refuse_term(reader, text);
}

static const struct word {
	const char *name;
	enum weir_selector_kind kinds[2];
	size_t n;
} words[] = {
	{ "any", { WEIR_SELECT_ENDPOINTS, WEIR_SELECT_OUTSIDE }, 2 },
	{ "endpoints", { WEIR_SELECT_ENDPOINTS }, 1 },
	{ "outside", { WEIR_SELECT_OUTSIDE }, 1 },
	{ "host", { WEIR_SELECT_HOST }, 1 },
};
enum { N_WORDS = sizeof(words) / sizeof(*words) };

static int add(const struct reader *reader, const struct weir_selector *sel,
	       struct weir_selector **sels, size_t *n)
{
	struct weir_selector *more = weir_arena_grow(reader->arena, *sels, *n, sizeof(*more));

	if (!more)
		return no_memory(reader);
	*sels = more;
	more[(*n)++] = *sel;
	return 0;
}

int weir_selector_parse(const char *text, struct weir_arena *arena, struct weir_selector **sels,
			size_t *n, struct weir_err *err)
{
	struct reader reader = { weir_arena_strdup(arena, text), arena, err };
	struct weir_selector sel = { 0 };
	size_t n_terms = 0;
	int r = 0;

	if (!reader.copy)
		return no_memory(&reader);
	for (size_t i = 0; i < N_WORDS; i++) {
		if (strcmp(words[i].name, text) != 0)
			continue;
		for (size_t k = 0; r == 0 && k < words[i].n; k++)
			r = add(&reader, &(struct weir_selector){ .kind = words[i].kinds[k] }, sels,
				n);
		return r;
	}
	for (char *rest = reader.copy; r == 0 && rest; n_terms++) {
		char *term = cut(&rest, '+');
		r = read_term(&reader, term, &sel);
		if (r == 0 && sel.kind == WEIR_SELECT_BLOCKS && (n_terms || rest))
			r = fail(&reader, term,
				 "cidr picks addresses, whoever has them: make it a selector of "
				 "its own");
	}
	return r < 0 ? r : add(&reader, &sel, sels, n);
}

/* ---- printing ---- */

static void print_names(const char *term, const char **names, size_t n, const char **plus,
			FILE *out)
{
	if (!n)
		return;
	(void)fprintf(out, "%s%s:", *plus, term);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(out, "%s%s", i ? "|" : "", names[i]);
	*plus = "+";
}

static void print_labels(const struct weir_selector *sel, const char *plus, FILE *out)
{
	if (sel->n_labels)
		(void)fprintf(out, "%slabel:", plus);
	for (size_t i = 0; i < sel->n_labels; i++) {
		const struct weir_label_match *match = &sel->labels[i];
		(void)fprintf(out, "%s%s", i ? "," : "", match->key);
		for (size_t k = 0; k < match->n_values; k++)
			(void)fprintf(out, "%s%s", k ? "|" : "=", match->values[k]);
	}
}

static void print_blocks(const struct weir_selector *sel, FILE *out)
{
	char text[WEIR_PREFIX_TEXT];

	fputs("cidr:", out);
	for (size_t i = 0; i < sel->n_blocks; i++) {
		const struct weir_block *block = &sel->blocks[i];
		(void)fprintf(out, "%s%s", i ? "|" : "", weir_prefix_text(&block->prefix, text));
		for (size_t k = 0; k < block->n_except; k++)
			(void)fprintf(out, ",except=%s", weir_prefix_text(&block->except[k], text));
	}
}

static void print_one(const struct weir_selector *sel, FILE *out)
{
	const char *plus = "";

	if (sel->kind == WEIR_SELECT_BLOCKS) {
		print_blocks(sel, out);
	} else if (sel->kind == WEIR_SELECT_ENDPOINTS) {
		print_names("network", sel->networks, sel->n_networks, &plus, out);
		print_names("endpoint", sel->endpoints, sel->n_endpoints, &plus, out);
		print_labels(sel, plus, out);
		if (!sel->n_networks && !sel->n_endpoints && !sel->n_labels)
			fputs("endpoints", out);
	} else {
		fputs(sel->kind == WEIR_SELECT_HOST ? "host" : "outside", out);
	}
}

void weir_selectors_print(const struct weir_selector *sels, size_t n, FILE *out)
{
	if (!n)
		fputs("any", out);
	for (size_t i = 0; i < n; i++) {
		if (i)
			fputc(' ', out);
		print_one(&sels[i], out);
	}
}
