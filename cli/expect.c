/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expectations of policies, from a file. */
#include "cli/expect.h"

#include <errno.h>
#include <string.h>

#include "core/spec.h"
#include "core/spec_read.h"

struct list {
	struct weir_expectation *items;
	size_t n;
};

static int read_from(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_text(spec, value, "an endpoint, an address, outside or host",
				   &((struct weir_expectation *)object)->from);
}

static int read_to(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_text(spec, value,
				   "an endpoint, an address, outside or host, and :PORT/PROTO",
				   &((struct weir_expectation *)object)->to);
}

static int read_expect(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	static const char *const words[] = { "allow", "deny", "reject" };
	size_t word;
	int r = weir_spec_read_word(spec, value, words, sizeof(words) / sizeof(*words), &word);

	if (r == 0)
		((struct weir_expectation *)object)->expect = words[word];
	return r;
}

static int read_policy(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_name(spec, value, "policy",
				   &((struct weir_expectation *)object)->policy);
}

static const struct weir_spec_key keys[] = {
	{ "from", read_from },
	{ "to", read_to },
	{ "expect", read_expect },
	{ "policy", read_policy },
};

static int read_one(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct list *list = object;
	struct weir_expectation one = { .origin = weir_spec_place(spec, value) };
	int r = weir_spec_read_keys(spec, value, "an expectation", keys,
				    sizeof(keys) / sizeof(keys[0]), &one);

	if (r == 0 && (!one.from || !one.to || !one.expect))
		r = weir_spec_fail(spec, value,
				   "an expectation needs \"from\", \"to\" and \"expect\"");
	if (r < 0)
		return r;
	struct weir_expectation *more =
		weir_arena_grow(&spec->model->arena, list->items, list->n, sizeof(*more));
	if (!more)
		return weir_spec_no_memory(spec);
	list->items = more;
	more[list->n++] = one;
	return 0;
}

int weir_expect_read(const struct weir_scene *scene, const char *file,
		     struct weir_expectation **ret, size_t *ret_n, struct weir_err *err)
{
	struct weir_model words = { .arena = *scene->arena }; /* where the readers put text */
	struct weir_spec spec = { .model = &words, .file = file, .err = err };
	struct weir_spec_node *root = NULL;
	struct list list = { 0 };
	int r = weir_spec_tree_file(file, &words.arena, &root, err);

	if (r == 0 && root)
		r = weir_spec_read_items(&spec, root, "a list of expectations", read_one, &list);
	*scene->arena = words.arena;
	if (r < 0)
		return r;
	*ret = list.items;
	*ret_n = list.n;
	return 0;
}

static bool is_as_expected(const struct weir_answer *answer, const char *expect)
{
	if (strcmp(expect, "allow") == 0)
		return answer->verdict == WEIR_ACCEPT;
	if (strcmp(expect, "reject") == 0)
		return answer->verdict == WEIR_REFUSE;
	return answer->verdict != WEIR_ACCEPT;
}

static int check_case(const struct weir_expectation *e, const struct weir_case *c,
		      struct weir_err *err)
{
	const struct weir_policy *policy = c->answer.policy;

	if (!is_as_expected(&c->answer, e->expect))
		return weir_err_at(err, EINVAL, &e->origin,
				   "%s to %s (%s): expected %s, got %s (%s)", e->from, e->to,
				   weir_family_name(c->from.family), e->expect,
				   weir_verdict_word(c->answer.verdict), c->answer.text);
	if (c->unanswered && strcmp(e->expect, "allow") == 0)
		return weir_err_at(err, EINVAL, &e->origin, "%s to %s (%s): expected allow, but %s",
				   e->from, e->to, weir_family_name(c->from.family), c->note);
	if (e->policy && (!policy || strcmp(policy->name, e->policy) != 0))
		return weir_err_at(err, EINVAL, &e->origin,
				   "%s to %s (%s): expected policy \"%s\" to decide, got %s (%s)",
				   e->from, e->to, weir_family_name(c->from.family), e->policy,
				   weir_verdict_word(c->answer.verdict), c->answer.text);
	return 0;
}

int weir_expect_check(const struct weir_scene *scene, const struct weir_expectation *e,
		      struct weir_err *err)
{
	struct weir_question question;
	struct weir_case cases[WEIR_NUM_FAMILIES];
	size_t n = 0;
	int r = weir_question_parse(scene, e->from, e->to, &question, err);

	if (r == 0)
		r = weir_question_answer(scene, &question, cases, &n, err);
	if (r < 0) {
		if (err)
			err->at = e->origin;
		return r;
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_case(e, &cases[i], err);
	return r;
}
