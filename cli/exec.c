/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec: a command inside an endpoint. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/netns.h"
#include "cli/cli.h"

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 }; /* as env(1) and sh(1) have them */

static int find_endpoint(struct weir_cli *cli, struct weir_model *model,
			 const struct weir_endpoint **ret, struct weir_err *err)
{
	struct weir_scope scope = { .endpoints = cli->words,
				    .n_endpoints = 1,
				    .no_mappings = true };
	int r = weir_cli_load(cli, &scope, model, NULL, err);
	if (r < 0)
		return r;
	*ret = weir_model_endpoint(model, cli->words[0]);
	return *ret ? 0
		    : weir_err_set(err, ENOENT, "no endpoint named \"%s\" (weir endpoint ls)",
				   cli->words[0]);
}

int weir_verb_exec(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	const struct weir_endpoint *ep = NULL;
	char **command = cli->command;
	if (!command &&
	    cli->n_words > 1) /* "--" may be left out where the command has no options */
		command = (char **)(cli->words + 1);
	if (!command || !*command) {
		(void)weir_err_set(err, EINVAL, "usage: weir exec ENDPOINT -- COMMAND…");
		weir_print_error(cli, err);
		return WEIR_EXIT_USAGE;
	}
	if (geteuid() != 0)
		return weir_err_set(err, EPERM, "this needs root (CAP_SYS_ADMIN): try sudo weir");
	int r = find_endpoint(cli, &model, &ep, err);
	if (r == 0 && ep->netns != WEIR_NETNS_HOST)
		r = weir_netns_become(ep, err);
	if (r < 0)
		return r;
	(void)signal(SIGPIPE, SIG_DFL); /* main() ignores it; the command need not */
	(void)umask(cli->umask);
	execvp(command[0], command);
	int why = errno;
	fprintf(stderr, "weir: cannot run %s: %s\n", command[0], strerror(why));
	return why == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
}
