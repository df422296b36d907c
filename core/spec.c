/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A spec file into a model. */
#include "core/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/spec_read.h"

/* ---- the top level ---- */

static int read_networks(struct weir_spec *spec, const struct weir_spec_node *value, void *unused)
{
	return weir_spec_read_names(spec, value, "a map of networks", weir_spec_read_network,
				    unused);
}

static int read_endpoints(struct weir_spec *spec, const struct weir_spec_node *value, void *unused)
{
	return weir_spec_read_names(spec, value, "a map of endpoints", weir_spec_read_endpoint,
				    unused);
}

static int read_pools(struct weir_spec *spec, const struct weir_spec_node *value, void *unused)
{
	return weir_spec_read_items(spec, value, "a list of pools like [10.144.0.0/12]",
				    weir_spec_read_pool, unused);
}

static int read_policies(struct weir_spec *spec, const struct weir_spec_node *value, void *unused)
{
	return weir_spec_is_null(value) ? 0
					: weir_spec_read_items(spec, value, "a list of policies",
							       weir_spec_read_policy, unused);
}

static const struct weir_spec_key top_keys[] = {
	{ "networks", read_networks },
	{ "endpoints", read_endpoints },
	{ "pools", read_pools },
	{ "policies", read_policies },
};

static int refuse_twin(const char *what, const char *name, const struct weir_place *a,
		       const struct weir_place *b, struct weir_err *err)
{
	char place[128];

	return weir_err_at(err, EEXIST, b, "%s \"%s\" is declared twice, first at %s", what, name,
			   weir_place_text(a, place, sizeof(place)));
}

static int compare_places(const struct weir_place *a, const struct weir_place *b)
{
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return (a->column > b->column) - (a->column < b->column);
}

/* By name; then as they were read: the later one is to blame. */
static int compare_policies(const void *a, const void *b)
{
	const struct weir_policy *x = *(const struct weir_policy *const *)a,
				 *y = *(const struct weir_policy *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : compare_places(&x->origin, &y->origin);
}

/* They stand in a list, and not in the order of their names. */
static int check_policy_twins(const struct weir_model *model, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	const struct weir_policy **all =
		weir_arena_alloc(&arena, (model->n_policies + 1) * sizeof(const void *));

	if (!all)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < model->n_policies; i++)
		all[i] = &model->policies[i];
	qsort(all, model->n_policies, sizeof(const void *), compare_policies);
	for (size_t i = 1; i < model->n_policies; i++)
		if (strcmp(all[i - 1]->name, all[i]->name) == 0)
			return refuse_twin("policy", all[i]->name, &all[i - 1]->origin,
					   &all[i]->origin, err);
	return 0;
}

/* Within one file the tree has seen to it; here two files meet. */
static int check_twins(const struct weir_model *model, struct weir_err *err)
{
	for (size_t i = 1; i < model->n_networks; i++) {
		const struct weir_network *a = &model->networks[i - 1], *b = a + 1;
		if (strcmp(a->name, b->name) == 0)
			return refuse_twin("network", a->name, &a->origin, &b->origin, err);
	}
	for (size_t i = 1; i < model->n_endpoints; i++) {
		const struct weir_endpoint *a = &model->endpoints[i - 1], *b = a + 1;
		if (strcmp(a->name, b->name) == 0)
			return refuse_twin("endpoint", a->name, &a->origin, &b->origin, err);
	}
	return check_policy_twins(model, err);
}

int weir_spec_from_tree(const struct weir_spec_node *root, const char *file,
			struct weir_model *model, struct weir_err *err)
{
	struct weir_spec spec = { .model = model, .file = file, .err = err };

	int r = weir_spec_read_keys(&spec, root, "the spec", top_keys,
				    sizeof(top_keys) / sizeof(top_keys[0]), NULL);
	if (r < 0)
		return r;
	weir_model_sort(model);
	return check_twins(model, err);
}

static int too_large(const char *file, struct weir_err *err)
{
	return weir_err_set(err, EFBIG, "%s is larger than %d MiB", file,
			    WEIR_SPEC_MAX_BYTES / 1024 / 1024);
}

int weir_spec_parse(const char *text, size_t len, const char *file, struct weir_model *model,
		    struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena tree = { 0 };
	struct weir_spec_node *root = NULL;

	if (len > WEIR_SPEC_MAX_BYTES)
		return too_large(file, err);
	int r = weir_spec_tree_read(text, len, file, &tree, &root, err);
	return r < 0 || !root ? r : weir_spec_from_tree(root, file, model, err);
}

/* ---- files ---- */

static void close_file(const int *fd)
{
	if (*fd > STDERR_FILENO)
		(void)close(*fd); /* nothing was written */
}

static void free_text(char **text)
{
	free(*text);
}

/* All of fd, which may be a pipe; the caller frees *ret. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
	size_t len = 0, size = 0;
	__attribute__((cleanup(free_text))) char *text = NULL;

	for (;;) {
		if (len == size) {
			size = size ? size * 2 : 65536;
			char *more = size > 2 * (size_t)WEIR_SPEC_MAX_BYTES ? NULL
									    : realloc(text, size);
			if (!more)
				return len > WEIR_SPEC_MAX_BYTES ? -EFBIG : -ENOMEM;
			text = more;
		}
		ssize_t got = read(fd, text + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
		if (len > WEIR_SPEC_MAX_BYTES)
			return -EFBIG;
	}
	*ret = text;
	*ret_len = len;
	text = NULL;
	return 0;
}

int weir_spec_tree_file(const char *file, struct weir_arena *arena, struct weir_spec_node **ret,
			struct weir_err *err)
{
	bool standard_input = strcmp(file, "-") == 0;
	__attribute__((cleanup(close_file))) int fd =
		standard_input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	__attribute__((cleanup(free_text))) char *text = NULL;
	size_t len = 0;

	if (fd < 0)
		return weir_err_errno(err, errno, "cannot open %s", file);
	int r = read_all(fd, &text, &len);
	if (r == -EFBIG)
		return too_large(file, err);
	if (r < 0)
		return weir_err_errno(err, r, "cannot read %s", file);
	return weir_spec_tree_read(text, len, file, arena, ret, err);
}

int weir_spec_read(const char *file, struct weir_model *model, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena tree = { 0 };
	struct weir_spec_node *root = NULL;
	int r = weir_spec_tree_file(file, &tree, &root, err);

	return r < 0 || !root ? r : weir_spec_from_tree(root, file, model, err);
}
