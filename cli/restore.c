/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weir repair, weir restore: the host as the store says, now or at the start of a boot. */
#include "cli/cli.h"

static int mend(struct weir_cli *cli,
		int (*engine_mend)(const struct weir_engine *engine, bool dry_run,
				   struct weir_plan *ret, struct weir_err *err),
		struct weir_err *err)
{
	WEIR_CLEAN_PLAN struct weir_plan plan = { 0 };
	int r = weir_cli_engine(cli, err);
	cli->engine.keep_forwarding = weir_cli_flag(cli, OPT_KEEP_FORWARDING);
	if (r == 0)
		r = engine_mend(&cli->engine, cli->dry_run, &plan, err);
	return weir_cli_tell(cli, r, &plan, "nothing to mend");
}

int weir_verb_repair(struct weir_cli *cli, struct weir_err *err)
{
	return mend(cli, weir_engine_repair, err);
}

int weir_verb_restore(struct weir_cli *cli, struct weir_err *err)
{
	return mend(cli, weir_engine_restore, err);
}
