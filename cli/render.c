/* SPDX-License-Identifier: GPL-2.0-or-later */
/* render: the rules as a file that the native tool loads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backends.h"
#include "cli/cli.h"
#include "policy/compile.h"

/* "auto" without asking the kernel: nothing is touched, so any host can render. */
static int find_backend(const struct weir_cli *cli, const char *stored,
			const struct weir_firewall_ops **ret, struct weir_err *err)
{
	bool any = strcmp(cli->backend, "auto") == 0;
	const char *name = !any ? cli->backend : stored[0] ? stored : weir_firewalls[0]->name;
	const struct weir_firewall_ops *found = weir_backend_find(name);
	if (found) {
		*ret = found;
		return 0;
	}
	return weir_backend_pick(name, &found, err); /* the store's: says which there are */
}

/* Whole or not at all: what goes wrong on the way out is told where all answers are. */
static int print(const struct weir_cli *cli, const struct weir_firewall_ops *firewall,
		 const struct weir_ruleset *rules, const struct weir_epoch *epoch,
		 struct weir_err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return weir_err_set(err, ENOMEM, "out of memory");
	int r = firewall->render(rules, epoch, out, err);
	if (fclose(out) != 0 && r == 0)
		r = weir_err_set(err, ENOMEM, "out of memory");
	if (r == 0 && cli->json)
		weir_print_json(
			json_pack("{s:s, s:s}", "backend", firewall->name, "ruleset", text));
	else if (r == 0)
		(void)fwrite(text, 1, len, stdout); /* main() looks */
	free(text);
	return r;
}

int weir_verb_render(struct weir_cli *cli, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_store_meta meta = { 0 };
	struct weir_scope all = { .all = true, .policies = true };
	const struct weir_firewall_ops *firewall = NULL;
	struct weir_stored_sysctl *sysctls = NULL;
	size_t n_sysctls = 0;
	int r = weir_cli_load_host(cli, &all, &model, &meta, &sysctls, &n_sysctls, err);
	if (r == 0)
		r = find_backend(cli, meta.backend, &firewall, err);
	if (r < 0 || !firewall)
		return r;
	r = weir_compile(&model, &rules, err);
	if (r == 0) /* they belong to the host that switched forwarding on, not to the model */
		r = weir_engine_guards(sysctls, n_sysctls, &rules, err);
	if (r == 0)
		r = weir_ruleset_sort(&rules, err);
	if (r < 0)
		return r;
	struct weir_epoch epoch = { .counter = meta.counter };
	memcpy(epoch.store, meta.uuid, sizeof(epoch.store));
	memcpy(epoch.boot, meta.owner.boot, sizeof(epoch.boot));
	r = print(cli, firewall, &rules, &epoch, err);
	return r < 0 ? r : WEIR_EXIT_DONE;
}
