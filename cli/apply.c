/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply, plan, delete: whole files. */
#include <errno.h>

#include "cli/cli.h"
#include "core/spec.h"

static int read_files(struct weir_cli *cli, struct weir_model *model, struct weir_err *err)
{
	for (size_t i = 0; i < cli->n_words; i++) {
		int r = weir_spec_read(cli->words[i], model, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int weir_cli_ops(struct weir_cli *cli, const struct weir_model *model, bool remove,
		 struct weir_change *ret, struct weir_err *err)
{
	size_t n = 0;
	struct weir_op *ops = weir_arena_alloc(
		&cli->arena,
		(model->n_networks + model->n_endpoints + model->n_policies + 1) * sizeof(*ops));
	if (!ops)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < model->n_networks; i++)
		ops[n++] = (struct weir_op){
			.kind = remove ? WEIR_REMOVE_NETWORK : WEIR_PUT_NETWORK,
			.name = model->networks[i].name,
			.network = remove ? NULL : &model->networks[i],
			.absent_is_fine = true,
		};
	for (size_t i = 0; i < model->n_endpoints; i++)
		ops[n++] = (struct weir_op){
			.kind = remove ? WEIR_REMOVE_ENDPOINT : WEIR_PUT_ENDPOINT,
			.name = model->endpoints[i].name,
			.endpoint = remove ? NULL : &model->endpoints[i],
			.absent_is_fine = true,
		};
	for (size_t i = 0; i < model->n_policies; i++)
		ops[n++] = (struct weir_op){
			.kind = remove ? WEIR_REMOVE_POLICY : WEIR_PUT_POLICY,
			.name = model->policies[i].name,
			.policy = remove ? NULL : &model->policies[i],
			.absent_is_fine = true,
		};
	*ret = (struct weir_change){
		.ops = ops,
		.n_ops = n,
		.converge = true, /* whole files say what all of the host should be */
		.prune = weir_cli_flag(cli, OPT_PRUNE),
		.pools = remove ? NULL : model->pools,
		.n_pools = remove ? 0 : model->n_pools,
	};
	return 0;
}

int weir_verb_apply(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_change change;
	int r = read_files(cli, &model, err);
	if (r == 0)
		r = weir_cli_ops(cli, &model, false, &change, err);
	return r < 0 ? r : weir_cli_change(cli, &change, err);
}

int weir_verb_plan(struct weir_cli *cli, struct weir_err *err)
{
	cli->dry_run = true;
	return weir_verb_apply(cli, err);
}

static int delete_all(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_PLAN struct weir_plan plan = { 0 };
	int r = weir_cli_engine(cli, err);
	if (r == 0)
		r = weir_engine_delete_all(&cli->engine, cli->dry_run, &plan, err);
	return weir_cli_tell(cli, r, &plan, "nothing to remove");
}

int weir_verb_delete(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_change change;
	bool all = weir_cli_flag(cli, OPT_ALL);
	if (all == (cli->n_words > 0)) {
		(void)weir_err_set(err, EINVAL, "usage: weir delete FILE… | --all");
		weir_print_error(cli, err);
		return WEIR_EXIT_USAGE;
	}
	if (all)
		return delete_all(cli, err);
	int r = read_files(cli, &model, err);
	if (r == 0)
		r = weir_cli_ops(cli, &model, true, &change, err);
	return r < 0 ? r : weir_cli_change(cli, &change, err);
}
