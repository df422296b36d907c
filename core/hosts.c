/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who knows whom by name.
 *
 * How it works: a file is known by the networks whose endpoints read it, "db web", and holds the addresses
 * in these networks, by endpoint. An endpoint that only comes is put into its place in the files that stand
 * there; for any other change the files of the networks that it touches are composed anew from the
 * store. What a file was is kept in memory until the change is done. */
#include "core/hosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/plan.h"

static const char head[] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

static const struct weir_link_ops *ops_of(const struct weir_session *s)
{
	return s->engine->links;
}

static int no_memory(struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "out of memory");
}

/* ---- lists of networks ---- */

/* Is the word one of those in a list with spaces between them? */
static bool names(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- texts ---- */

static void write_endpoint(FILE *out, const struct weir_endpoint *ep, const char *networks)
{
	char text[WEIR_ADDR_TEXT];

	for (size_t i = 0; i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		if (!names(networks, att->network))
			continue;
		for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++)
			if (weir_addr_is_set(&att->addrs[family]))
				(void)fprintf(out, "%s\t%s\n",
					      weir_addr_text(&att->addrs[family], text), ep->name);
	}
}

/* Into the arena what was written into the stream; NULL: no memory. */
static const char *keep(struct weir_arena *arena, FILE *out, char **text)
{
	const char *kept = fclose(out) == 0 ? weir_arena_strdup(arena, *text) : NULL;

	free(*text);
	return kept;
}

static const char *compose(struct weir_arena *arena, const struct weir_model *model,
			   const char *networks)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	(void)fputs(head, out);
	for (size_t i = 0; i < model->n_endpoints; i++)
		write_endpoint(out, &model->endpoints[i], networks);
	return keep(arena, out, &text);
}

/* Where the lines of an endpoint belong: before the first one of a later name. */
static size_t place_of(const char *text, const char *name)
{
	const char *line = text;

	if (strncmp(text, head, strlen(head)) == 0)
		line += strlen(head);
	while (*line) {
		const char *end = strchr(line, '\n'), *tab = strchr(line, '\t');
		if (!end || !tab || tab > end)
			break;
		size_t len = (size_t)(end - tab) - 1, known = strlen(name);
		int order = strncmp(tab + 1, name, len < known ? len : known);
		if (order > 0 || (order == 0 && len > known))
			break;
		line = end + 1;
	}
	return (size_t)(line - text);
}

static const char *insert(struct weir_arena *arena, const char *text, const char *networks,
			  const struct weir_endpoint *ep)
{
	size_t size, at = place_of(text, ep->name);
	char *more = NULL;
	FILE *out = open_memstream(&more, &size);

	if (!out)
		return NULL;
	(void)fwrite(text, 1, at, out);
	write_endpoint(out, ep, networks);
	(void)fputs(text + at, out);
	return keep(arena, out, &more);
}

/* ---- files ---- */

static int undo_write(struct weir_session *s, const void *networks, const void *text)
{
	return ops_of(s)->hosts_write(s->links, networks, text, NULL);
}

/* text NULL: away with it. */
static int replace(struct weir_session *s, const char *networks, const char *text,
		   struct weir_err *err)
{
	const char *was = NULL;
	int r = ops_of(s)->hosts_read(s->links, networks, &s->arena, &was, err);

	if (r < 0 || (!was && !text) || (was && text && strcmp(was, text) == 0))
		return r;
	r = weir_session_push_undo(s, undo_write, networks, was, err);
	return r < 0 ? r : ops_of(s)->hosts_write(s->links, networks, text, err);
}

/* The endpoints of these networks, as the store has them by now. */
static int load_members(struct weir_session *s, const char *networks, struct weir_model *ret,
			struct weir_err *err)
{
	struct weir_scope scope = { .members = true, .no_mappings = true };
	char *list = weir_arena_strdup(&s->arena, networks), *rest = list;
	const char **items = weir_arena_alloc(&s->arena, (strlen(networks) + 1) * sizeof(*items));

	if (!list || !items)
		return no_memory(err);
	for (char *word; (word = strsep(&rest, " "));)
		if (*word)
			items[scope.n_networks++] = word;
	scope.networks = items;
	return weir_store_load(s->store, &scope, ret, err);
}

static bool is_read(const struct weir_model *model, const char *networks, struct weir_arena *arena)
{
	for (size_t i = 0; i < model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &model->endpoints[i];
		const char *own = weir_endpoint_networks(ep, arena);
		if (ep->netns == WEIR_NETNS_OWN && own && strcmp(own, networks) == 0)
			return true;
	}
	return false;
}

static int write_anew(struct weir_session *s, const char *networks, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model members = { 0 };
	int r = load_members(s, networks, &members, err);

	if (r < 0)
		return r;
	if (!is_read(&members, networks, &members.arena))
		return replace(s, networks, NULL, err);
	const char *text = compose(&s->arena, &members, networks);
	return text ? replace(s, networks, text, err) : no_memory(err);
}

/* ---- what a change does ---- */

/* An endpoint that stands elsewhere after the change than before. */
struct move {
	const struct weir_endpoint *before, *after; /* NULL: it is not there */
	const char *was, *is;			    /* the networks of the file that it reads */
};

struct follow {
	struct weir_session *s;
	const struct weir_resolution *res;
	struct move *moves;
	size_t n_moves;
	const char **files; /* by their networks */
	size_t n_files;
};

static bool same_place(const struct weir_attachment *a, const struct weir_attachment *b)
{
	return a && b && weir_addr_cmp(&a->addrs[WEIR_IPV4], &b->addrs[WEIR_IPV4]) == 0 &&
	       weir_addr_cmp(&a->addrs[WEIR_IPV6], &b->addrs[WEIR_IPV6]) == 0;
}

/* Does ep, of one side of the change, stand elsewhere in these networks (NULL: in any) than on the other? */
static bool differs(const struct weir_endpoint *ep, const struct weir_endpoint *other,
		    const char *networks)
{
	for (size_t i = 0; i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		if ((!networks || names(networks, att->network)) &&
		    !same_place(att, other ? weir_endpoint_attachment(other, att->network) : NULL))
			return true;
	}
	return other && other->netns != ep->netns;
}

static const char *file_of(const struct follow *f, const struct weir_endpoint *ep)
{
	return ep ? weir_endpoint_networks(ep, &f->s->arena) : "";
}

static int add_move(struct follow *f, const struct weir_endpoint *before,
		    const struct weir_endpoint *after, struct weir_err *err)
{
	if (!(before && differs(before, after, NULL)) && !(after && differs(after, before, NULL)))
		return 0;
	struct move *more = weir_arena_grow(&f->s->arena, f->moves, f->n_moves, sizeof(*more));
	struct move move = { before, after, file_of(f, before), file_of(f, after) };
	if (!more || !move.was || !move.is)
		return no_memory(err);
	f->moves = more;
	f->moves[f->n_moves++] = move;
	return 0;
}

/* Most changes move nobody. */
static int find_moves(struct follow *f, struct weir_err *err)
{
	const struct weir_model *before = &f->res->before, *after = &f->res->after;
	int r = 0;

	for (size_t i = 0; r == 0 && i < before->n_endpoints; i++)
		r = add_move(f, &before->endpoints[i],
			     weir_model_endpoint(after, before->endpoints[i].name), err);
	for (size_t i = 0; r == 0 && i < after->n_endpoints; i++)
		if (!weir_model_endpoint(before, after->endpoints[i].name))
			r = add_move(f, NULL, &after->endpoints[i], err);
	return r;
}

static bool anybody_leaves(const struct follow *f, const char *networks)
{
	for (size_t i = 0; i < f->n_moves; i++) {
		const struct move *move = &f->moves[i];
		if (!move->before)
			continue;
		if (differs(move->before, move->after, networks) ||
		    (strcmp(move->was, networks) == 0 && strcmp(move->is, networks) != 0))
			return true;
	}
	return false;
}

/* Nobody leaves: those who come are put into their places. */
static int put_newcomers(const struct follow *f, const char *networks, struct weir_err *err)
{
	struct weir_session *s = f->s;
	const char *text = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->n_moves; i++) {
		const struct weir_endpoint *ep = f->moves[i].after;
		if (!ep || !differs(ep, f->moves[i].before, networks))
			continue;
		if (f->moves[i].before) /* it has one more network: some of its lines are there */
			return write_anew(s, networks, err);
		if (!text)
			r = ops_of(s)->hosts_read(s->links, networks, &s->arena, &text, err);
		text = text ? insert(&s->arena, text, networks, ep) : NULL;
		if (r == 0 && !text)
			return no_memory(err);
	}
	return r < 0 || !text ? r : replace(s, networks, text, err);
}

static bool has_file(const struct follow *f, const char *networks)
{
	for (size_t i = 0; i < f->n_files; i++)
		if (strcmp(f->files[i], networks) == 0)
			return true;
	return false;
}

static int make_missing(struct follow *f, struct weir_err *err)
{
	const struct weir_model *after = &f->res->after;
	int r = 0;

	for (size_t i = 0; r == 0 && i < after->n_endpoints; i++) {
		const char *networks = weir_endpoint_networks(&after->endpoints[i], &f->s->arena);
		if (!networks)
			return no_memory(err);
		if (after->endpoints[i].netns != WEIR_NETNS_OWN || !*networks ||
		    has_file(f, networks))
			continue;
		const char **more =
			weir_arena_grow(&f->s->arena, f->files, f->n_files, sizeof(*more));
		if (!more)
			return no_memory(err);
		f->files = more;
		f->files[f->n_files++] = networks;
		r = write_anew(f->s, networks, err);
	}
	return r;
}

int weir_hosts_follow(struct weir_session *s, const struct weir_resolution *res,
		      struct weir_err *err)
{
	struct follow f = { .s = s, .res = res };
	int r = find_moves(&f, err);

	if (r < 0 || !f.n_moves)
		return r;
	r = ops_of(s)->hosts_list(s->links, &s->arena, &f.files, &f.n_files, err);
	for (size_t i = 0; r == 0 && i < f.n_files; i++)
		r = anybody_leaves(&f, f.files[i]) ? write_anew(s, f.files[i], err)
						   : put_newcomers(&f, f.files[i], err);
	return r < 0 ? r : make_missing(&f, err);
}

/* ---- all of them ---- */

/* For each file that should be there; text NULL: one that should not. */
typedef int (*each_file)(struct weir_session *s, const char *networks, const char *text, void *ctx,
			 struct weir_err *err);

static int wanted_files(struct weir_session *s, const struct weir_model *model, const char ***ret,
			size_t *ret_n, struct weir_err *err)
{
	const char **list = weir_arena_alloc(&s->arena, (model->n_endpoints + 1) * sizeof(*list));
	size_t n = 0, kept = 0;

	if (!list)
		return no_memory(err);
	for (size_t i = 0; i < model->n_endpoints; i++) {
		if (model->endpoints[i].netns != WEIR_NETNS_OWN ||
		    !model->endpoints[i].n_attachments)
			continue;
		list[n] = weir_endpoint_networks(&model->endpoints[i], &s->arena);
		if (!list[n++])
			return no_memory(err);
	}
	qsort(list, n, sizeof(*list), compare_texts);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(list[i], list[kept - 1]) != 0)
			list[kept++] = list[i];
	*ret = list;
	*ret_n = kept;
	return 0;
}

static int walk_files(struct weir_session *s, const struct weir_model *model, each_file each,
		      void *ctx, struct weir_err *err)
{
	const char **wanted = NULL, **there = NULL;
	size_t n = 0, n_there = 0;
	int r = wanted_files(s, model, &wanted, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *text = compose(&s->arena, model, wanted[i]);
		r = text ? each(s, wanted[i], text, ctx, err) : no_memory(err);
	}
	if (r == 0)
		r = ops_of(s)->hosts_list(s->links, &s->arena, &there, &n_there, err);
	for (size_t i = 0; r == 0 && i < n_there; i++)
		if (!n || !bsearch(&there[i], wanted, n, sizeof(*wanted), compare_texts))
			r = each(s, there[i], NULL, ctx, err);
	return r;
}

static int tell(struct weir_session *s, const char *networks, const char *text, void *plan,
		struct weir_err *err)
{
	const char *now = NULL;
	int r = ops_of(s)->hosts_read(s->links, networks, &s->arena, &now, err);

	if (r < 0 || (text && now && strcmp(text, now) == 0))
		return r;
	return weir_plan_add_drift(plan,
				   !now	  ? WEIR_ACTION_ADD
				   : text ? WEIR_ACTION_CHANGE
					  : WEIR_ACTION_REMOVE,
				   "names", networks, "the endpoints' hosts file", err);
}

int weir_hosts_compare(struct weir_session *s, const struct weir_model *model,
		       struct weir_plan *plan, struct weir_err *err)
{
	return walk_files(s, model, tell, plan, err);
}

static int mend(struct weir_session *s, const char *networks, const char *text, void *unused,
		struct weir_err *err)
{
	(void)unused;
	return replace(s, networks, text, err);
}

int weir_hosts_mend(struct weir_session *s, const struct weir_model *model, struct weir_err *err)
{
	int r = walk_files(s, model, mend, NULL, err);

	/* nobody's file is never there, but folders of a change that was killed may be */
	return r < 0 ? r : ops_of(s)->hosts_write(s->links, "", NULL, err);
}
