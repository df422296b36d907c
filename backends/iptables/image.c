/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What weir has, or wants to have, in one table: its chains and its jumps. */
#include "backends/iptables/image.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void weir_ipt_image_free(struct weir_ipt_image *image)
{
	weir_arena_free(&image->arena);
	*image = (struct weir_ipt_image){ 0 };
}

size_t weir_ipt_image_chain(struct weir_ipt_image *image, const char *name)
{
	struct weir_ipt_chain *chains =
		weir_arena_grow(&image->arena, image->chains, image->n, sizeof(*chains));
	const char *copy = weir_arena_strdup(&image->arena, name);
	if (!chains || !copy) {
		image->no_memory = true;
		return 0;
	}
	image->chains = chains;
	chains[image->n] = (struct weir_ipt_chain){
		.name = copy,
		.builtin = strncmp(name, WEIR_IPT_PREFIX, strlen(WEIR_IPT_PREFIX)) != 0
	};
	return image->n++;
}

static bool note_line(struct weir_ipt_image *image, struct weir_ipt_chain *chain, unsigned line)
{
	unsigned *lines = weir_arena_grow(&image->arena, chain->lines, chain->n, sizeof(*lines));
	if (!lines)
		return false;
	chain->lines = lines;
	lines[chain->n] = line;
	return true;
}

void weir_ipt_image_reserve(struct weir_ipt_image *image, size_t index, size_t n)
{
	if (image->no_memory || index >= image->n || n <= image->chains[index].room)
		return;
	struct weir_ipt_chain *chain = &image->chains[index];
	struct weir_ipt_rule *rules = weir_arena_alloc(&image->arena, n * sizeof(*rules));
	if (!rules) {
		image->no_memory = true;
		return;
	}
	if (chain->n)
		memcpy(rules, chain->rules, chain->n * sizeof(*rules));
	chain->rules = rules;
	chain->room = n;
}

void weir_ipt_image_rule(struct weir_ipt_image *image, size_t index,
			 const struct weir_ipt_rule *rule, unsigned line)
{
	if (image->no_memory || index >= image->n)
		return; /* finish() tells */
	struct weir_ipt_chain *chain = &image->chains[index];
	if (chain->n == chain->room)
		weir_ipt_image_reserve(image, index, chain->n ? 2 * chain->n : 1);
	if (line && !note_line(image, chain, line))
		image->no_memory = true;
	if (!image->no_memory)
		chain->rules[chain->n++] = *rule;
}

const char *weir_ipt_image_text(struct weir_ipt_image *image, const char *fmt, ...)
{
	char text[512]; /* comments are shorter; what is longer is cut to a comment's length */
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	const char *copy =
		weir_arena_strndup(&image->arena, text, strnlen(text, WEIR_IPT_COMMENT_MAX));
	if (!copy)
		image->no_memory = true;
	return copy;
}

int weir_ipt_chain_cmp(const struct weir_ipt_chain *a, const struct weir_ipt_chain *b)
{
	int order = (int)b->builtin - (int)a->builtin;
	return order ? order : strcmp(a->name, b->name);
}

static int compare(const void *a, const void *b)
{
	return weir_ipt_chain_cmp(a, b);
}

int weir_ipt_image_finish(struct weir_ipt_image *image)
{
	size_t kept = 0;
	if (image->no_memory)
		return -ENOMEM;
	for (size_t i = 0; i < image->n; i++)
		if (!image->chains[i].builtin || image->chains[i].n)
			image->chains[kept++] = image->chains[i];
	image->n = kept;
	if (kept)
		qsort(image->chains, kept, sizeof(image->chains[0]), compare);
	return 0;
}

const struct weir_ipt_chain *weir_ipt_image_find(const struct weir_ipt_image *image,
						 const char *name)
{
	struct weir_ipt_chain key = { .name = name,
				      .builtin = strncmp(name, WEIR_IPT_PREFIX,
							 strlen(WEIR_IPT_PREFIX)) != 0 };
	return image->n ? bsearch(&key, image->chains, image->n, sizeof(key), compare) : NULL;
}

bool weir_ipt_chain_equal(const struct weir_ipt_chain *a, const struct weir_ipt_chain *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!weir_ipt_rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

bool weir_ipt_image_equal(const struct weir_ipt_image *a, const struct weir_ipt_image *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (weir_ipt_chain_cmp(&a->chains[i], &b->chains[i]) != 0 ||
		    !weir_ipt_chain_equal(&a->chains[i], &b->chains[i]))
			return false;
	return true;
}

/* ---- differences in words ---- */

enum { QUOTE = 200 }; /* of a rule: two of them fit */

static void say_rules(const struct weir_ipt_chain *there, const struct weir_ipt_chain *wanted,
		      char buf[WEIR_IPT_DIFFERENCE_TEXT])
{
	char a[WEIR_IPT_RULE_TEXT], b[WEIR_IPT_RULE_TEXT];
	size_t i = 0;
	while (i < there->n && i < wanted->n &&
	       weir_ipt_rule_equal(&there->rules[i], &wanted->rules[i]))
		i++;
	size_t line = there->lines && i < there->n ? there->lines[i] : i + 1;
	if (i >= there->n)
		(void)snprintf(buf, WEIR_IPT_DIFFERENCE_TEXT, "chain %s lacks \"%.*s\"",
			       there->name, QUOTE, weir_ipt_rule_text(&wanted->rules[i], b));
	else if (i >= wanted->n)
		(void)snprintf(buf, WEIR_IPT_DIFFERENCE_TEXT,
			       "in chain %s, line %zu was added: %.*s", there->name, line, QUOTE,
			       weir_ipt_rule_text(&there->rules[i], a));
	else
		(void)snprintf(buf, WEIR_IPT_DIFFERENCE_TEXT,
			       "in chain %s, line %zu, %s%.*s%s stands where \"%.*s\" should",
			       there->name, line, there->rules[i].raw ? "" : "\"", QUOTE,
			       weir_ipt_rule_text(&there->rules[i], a),
			       there->rules[i].raw ? "" : "\"", QUOTE,
			       weir_ipt_rule_text(&wanted->rules[i], b));
}

static void say_chain(const struct weir_ipt_chain *chain, bool missing,
		      char buf[WEIR_IPT_DIFFERENCE_TEXT])
{
	char text[WEIR_IPT_RULE_TEXT];
	if (chain->builtin)
		(void)snprintf(buf, WEIR_IPT_DIFFERENCE_TEXT, "chain %s %s \"%.*s\"", chain->name,
			       missing ? "lacks" : "has got", QUOTE,
			       weir_ipt_rule_text(&chain->rules[0], text));
	else
		(void)snprintf(buf, WEIR_IPT_DIFFERENCE_TEXT, "chain %s %s", chain->name,
			       missing ? "is missing" : "was added");
}

const char *weir_ipt_image_difference(const struct weir_ipt_image *there,
				      const struct weir_ipt_image *wanted,
				      char buf[WEIR_IPT_DIFFERENCE_TEXT])
{
	for (size_t i = 0, j = 0; i < there->n || j < wanted->n;) {
		const struct weir_ipt_chain *have = i < there->n ? &there->chains[i] : NULL;
		const struct weir_ipt_chain *want = j < wanted->n ? &wanted->chains[j] : NULL;
		int order = !have ? 1 : !want ? -1 : weir_ipt_chain_cmp(have, want);
		assert(have || want);
		if (order != 0) {
			say_chain(order < 0 ? have : want, order > 0, buf);
			return buf;
		}
		if (!weir_ipt_chain_equal(have, want)) {
			say_rules(have, want, buf);
			return buf;
		}
		i++, j++;
	}
	return NULL;
}
