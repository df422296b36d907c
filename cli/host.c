/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verbs work with: the engine wired to its backends, the store for looking, changes run and told. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/backends.h"
#include "backends/netlink/netlink.h"
#include "backends/trace.h"
#include "cli/cli.h"
#include "policy/compile.h"
#include "policy/judge.h"

static void trace_line(void *ctx, const char *text)
{
	const struct weir_cli *cli = ctx;
	/* -v: what the engine asks of the backends and what came of it; -vv: their messages as well */
	if (cli->verbose > 1 || strchr("<>+-", text[0]))
		fprintf(stderr, "%s\n", text);
}

/* Long work tells how far it is, on a terminal, in one line that goes away. */
static void progress(void *ctx, const char *what, size_t done, size_t total)
{
	enum { WORTH_TELLING = 50, EVERY = 16 };
	struct weir_cli *cli = ctx;
	if (total < WORTH_TELLING || done % EVERY)
		return;
	fprintf(stderr, "\r\033[K%s %zu of %zu", what, done, total);
	cli->telling = true;
}

int weir_cli_tell(struct weir_cli *cli, int r, const struct weir_plan *plan, const char *nothing)
{
	if (cli->telling)
		fputs("\r\033[K", stderr); /* the line about how far the work is */
	cli->telling = false;
	if (r < 0)
		return r;
	cli->changed = !cli->dry_run && (plan->n_steps || plan->n_drift);
	weir_print_plan(cli, plan, nothing);
	if (plan->n_unmended)
		return WEIR_EXIT_FAILED;
	return cli->dry_run && (plan->n_steps || plan->n_drift) ? WEIR_EXIT_CHANGES
								: WEIR_EXIT_DONE;
}

static int need_root(struct weir_err *err)
{
	if (geteuid() == 0)
		return 0;
	return weir_err_set(err, EPERM,
			    "this needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN): try sudo weir");
}

int weir_cli_choose(void *ctx, const char *stored, struct weir_err *err)
{
	struct weir_cli *cli = ctx;
	const struct weir_firewall_ops *firewall = NULL;
	bool any = strcmp(cli->backend, "auto") == 0;
	int r = 0;
	if (any && stored[0]) /* its rules are there: no need to try whether they could be */
		firewall = weir_backend_find(stored);
	if (!firewall)
		r = weir_backend_pick(any && stored[0] ? stored : cli->backend, &firewall, err);
	if (r == 0)
		cli->firewall = cli->verbose ? weir_trace_firewall(firewall) : *firewall;
	return r;
}

/* All that there are, as the engine is to see them. */
static int list_firewalls(struct weir_cli *cli, struct weir_err *err)
{
	size_t n = 0;
	if (!cli->verbose) {
		cli->firewalls = weir_firewalls;
		return 0;
	}
	while (weir_firewalls[n])
		n++;
	struct weir_firewall_ops *ops = weir_arena_alloc(&cli->arena, n * sizeof(*ops));
	const struct weir_firewall_ops **list =
		weir_arena_alloc(&cli->arena, (n + 1) * sizeof(*list));
	if (!ops || !list)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		ops[i] = weir_trace_firewall(weir_firewalls[i]);
		list[i] = &ops[i];
	}
	list[n] = NULL;
	cli->firewalls = list;
	return 0;
}

int weir_cli_choose_stored(void *ctx, const char *stored, struct weir_err *err)
{
	struct weir_cli *cli = ctx;
	if (!stored[0])
		return 0;
	for (const struct weir_firewall_ops *const *all = cli->firewalls; *all; all++)
		if (strcmp((*all)->name, stored) == 0) {
			cli->firewall = **all;
			return 0;
		}
	return weir_err_set(err, EINVAL,
			    "the store says that the rules are in \"%s\", which this "
			    "weir does not know",
			    stored);
}

int weir_cli_engine(struct weir_cli *cli, struct weir_err *err)
{
	bool any = strcmp(cli->backend, "auto") == 0;
	int r = need_root(err);
	if (r == 0 && !any) /* one that this kernel lacks is told before anything is opened */
		r = weir_cli_choose(cli, "", err);
	if (r == 0)
		r = list_firewalls(cli, err);
	if (r < 0)
		return r;
	cli->links = weir_netlink;
	if (cli->verbose) {
		cli->trace = (struct weir_trace){ .line = trace_line, .ctx = cli };
		cli->links = weir_trace_links(&weir_netlink);
	}
	bool tells = isatty(STDERR_FILENO) && !cli->quiet && !cli->json && !cli->verbose;
	cli->engine = (struct weir_engine){
		.state_dir = cli->state_dir,
		.holder = weir_arena_printf(&cli->arena, "weir %s", cli->verb->name),
		.timeout_ms = cli->timeout_ms,
		.compile = weir_compile,
		.compile_policies = weir_compile_policies,
		.refuses = weir_judge_refuses,
		.firewall = &cli->firewall,
		.choose = any ? weir_cli_choose : NULL,
		.choose_ctx = cli,
		.firewalls = cli->firewalls,
		.links = &cli->links,
		.trace = cli->verbose ? &cli->trace : NULL,
		.progress = tells ? progress : NULL,
		.progress_ctx = cli,
	};
	return cli->engine.holder ? 0 : weir_err_set(err, ENOMEM, "out of memory");
}

int weir_cli_load_host(struct weir_cli *cli, const struct weir_scope *scope, struct weir_model *ret,
		       struct weir_store_meta *ret_meta, struct weir_stored_sysctl **ret_sysctls,
		       size_t *ret_n, struct weir_err *err)
{
	WEIR_CLEAN_STORE struct weir_store *store = NULL;
	struct weir_store_meta meta = { 0 };
	int r = weir_store_open(cli->state_dir, false, &store, err);
	if (r == -EACCES)
		return need_root(err) < 0 ? -EPERM : r;
	if (r == -ENOENT) {
		r = 0; /* nothing was ever made here */
	} else if (r == 0) {
		r = weir_store_begin_reading(store, err);
		if (r == 0)
			r = weir_store_meta(store, &meta, err);
		if (r == 0 && ret_sysctls)
			r = weir_store_sysctls(store, &cli->arena, ret_sysctls, ret_n, err);
		if (r == 0)
			r = weir_store_load(store, scope, ret, err);
	}
	if (r == 0 && ret_meta)
		*ret_meta = meta;
	return r;
}

int weir_cli_load(struct weir_cli *cli, const struct weir_scope *scope, struct weir_model *ret,
		  struct weir_store_meta *ret_meta, struct weir_err *err)
{
	return weir_cli_load_host(cli, scope, ret, ret_meta, NULL, NULL, err);
}

int weir_cli_counters(struct weir_cli *cli, const struct weir_store_meta *meta,
		      struct weir_counters *ret, struct weir_err *err)
{
	struct weir_firewall *fw = NULL;
	if (!meta->backend[0])
		return 0; /* nothing of ours is in any of them */
	int r = weir_cli_engine(cli, err);
	if (r == 0)
		r = weir_cli_choose_stored(cli, meta->backend, err);
	if (r == 0)
		r = cli->firewall.open(meta->uuid, cli->engine.trace, &fw, err);
	if (r < 0)
		return r;
	r = cli->firewall.counters(fw, ret, err);
	cli->firewall.close(fw);
	return r;
}

int weir_cli_change(struct weir_cli *cli, const struct weir_change *change, struct weir_err *err)
{
	WEIR_CLEAN_PLAN struct weir_plan plan = { 0 };
	int r = weir_cli_engine(cli, err);
	if (r == 0)
		r = weir_engine_change(&cli->engine, change, cli->dry_run, &plan, err);
	return weir_cli_tell(cli, r, &plan, "nothing to change");
}

static bool is_among(const struct weir_op *ops, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ops[i].name, name) == 0)
			return true;
	return false;
}

int weir_cli_remove(struct weir_cli *cli, enum weir_op_kind kind, struct weir_err *err)
{
	size_t n = 0;
	struct weir_op *ops = weir_arena_alloc(&cli->arena, cli->n_words * sizeof(*ops));
	if (!ops)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < cli->n_words; i++)
		if (!is_among(ops, n, cli->words[i]))
			ops[n++] = (struct weir_op){ .kind = kind, .name = cli->words[i] };
	return weir_cli_change(cli, &(struct weir_change){ .ops = ops, .n_ops = n }, err);
}
