/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backend: which packet filter is in use, which could be, and the move to another one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/backends.h"
#include "cli/cli.h"

/* One of them, as this host has it. */
struct candidate {
	const struct weir_firewall_ops *firewall;
	int possible; /* 0, or why not */
	struct weir_err why;
};

struct choice {
	struct candidate items[8];
	size_t n, n_possible;
	const struct weir_firewall_ops *used, *next; /* now, and by the next change; or NULL */
	const char *by;				     /* who says so */
};

static void look(struct choice *c)
{
	const size_t max = sizeof(c->items) / sizeof(c->items[0]);
	for (; c->n < max && weir_firewalls[c->n]; c->n++) {
		struct candidate *item = &c->items[c->n];
		item->firewall = weir_firewalls[c->n];
		item->possible = item->firewall->probe(&item->why);
		c->n_possible += item->possible == 0;
	}
}

static const struct weir_firewall_ops *first_possible(const struct choice *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->items[i].possible == 0)
			return c->items[i].firewall;
	return NULL;
}

/* What holds this host's rules, else what the next change would take. */
static void choose(const struct weir_cli *cli, const char *stored, struct choice *c)
{
	bool any = strcmp(cli->backend, "auto") == 0;
	c->by = stored[0] ? "store" : any ? "auto" : "option";
	c->used = stored[0] ? weir_backend_find(stored) : NULL;
	c->next = c->used ? c->used : any ? first_possible(c) : weir_backend_find(cli->backend);
}

/* ---- the answer ---- */

static json_t *capabilities_json(const struct weir_firewall_ops *firewall)
{
	json_t *list = json_array();
	const char *words;
	for (unsigned i = 0; (words = weir_firewall_capability(i)); i++)
		if (firewall->capabilities & (1U << i))
			json_array_append_new(list, json_string(words));
	return list;
}

static void print_json(const struct choice *c)
{
	json_t *list = json_array();
	for (size_t i = 0; i < c->n; i++) {
		const struct candidate *item = &c->items[i];
		bool possible = item->possible == 0;
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:s?, s:o}", "name", item->firewall->name,
					"container", item->firewall->container, "possible",
					possible, "reason", possible ? NULL : item->why.text,
					"capabilities", capabilities_json(item->firewall)));
	}
	weir_print_json(json_pack("{s:s?, s:s?, s:s, s:o}", "in_use",
				  c->used ? c->used->name : NULL, "next",
				  c->next ? c->next->name : NULL, "by", c->by, "backends", list));
}

static void print_one(const struct candidate *item)
{
	const char *words;
	printf("%s (%s): %s%s\n", item->firewall->name, item->firewall->container,
	       item->possible == 0 ? "possible" : "not possible: ", item->why.text);
	for (unsigned i = 0; (words = weir_firewall_capability(i)); i++)
		printf("  %-3s %s\n", item->firewall->capabilities & (1U << i) ? "yes" : "no",
		       words);
}

static void print_text(const struct weir_cli *cli, const struct choice *c, const char *stored)
{
	bool any = strcmp(cli->backend, "auto") == 0;
	if (!c->next)
		puts("in use: none, and none is possible here");
	else if (c->used)
		printf("in use: %s\n", c->used->name);
	else
		printf("in use: none yet; the next change takes %s (%s)\n", c->next->name,
		       any ? "auto" : "as asked for");
	if (stored[0] && !any && strcmp(cli->backend, stored) != 0)
		printf("asked for: %s, which changes will refuse (weir backend use %s moves "
		       "everything)\n",
		       cli->backend, cli->backend);
	for (size_t i = 0; i < c->n; i++)
		print_one(&c->items[i]);
}

int weir_verb_backend(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_store_meta meta = { 0 };
	const struct weir_scope networks = { .all = true, .only_networks = true };
	struct choice c = { 0 };
	int r = weir_cli_load(cli, &networks, &model, &meta, err);
	if (r < 0)
		return r;
	look(&c);
	choose(cli, meta.backend, &c);
	if (cli->json)
		print_json(&c);
	else if (!cli->quiet)
		print_text(cli, &c, meta.backend);
	return c.n_possible ? WEIR_EXIT_DONE : WEIR_EXIT_CANNOT;
}

/* ---- the move ---- */

int weir_verb_backend_use(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_PLAN struct weir_plan plan = { 0 };
	const struct weir_firewall_ops *known = NULL;
	cli->backend = cli->words[0];
	if (!weir_backend_find(cli->backend) && strcmp(cli->backend, "auto") != 0) {
		cli->usage = true;
		return weir_backend_pick(cli->backend, &known, err); /* says which there are */
	}
	int r = weir_cli_engine(cli, err);
	if (r == 0 &&
	    strcmp(cli->backend, "auto") == 0) /* the first possible, whatever is in use */
		r = weir_cli_choose(cli, "", err);
	if (r < 0)
		return r;
	const struct weir_firewall_ops to = cli->firewall;
	cli->engine.choose = weir_cli_choose_stored; /* "": the new one is there already */
	r = weir_engine_move(&cli->engine, &to, cli->dry_run, &plan, err);
	return weir_cli_tell(cli, r, &plan, "nothing to change");
}
