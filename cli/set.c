/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network set, endpoint set: what the options name is changed, the rest stays.
 *
 * How it works: the engine gives the object as it is under the lock; what is no longer wanted is taken off
 * it, and the rest of the options goes through the spec's own readers, which put it over what is there. */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"

/* ---- taking away ---- */

static int absent(const struct weir_endpoint *ep, enum weir_option_id id, const char *value,
		  struct weir_err *err)
{
	return weir_err_set(err, ENOENT,
			    "--%s %s: endpoint \"%s\" has none (weir endpoint show %s)",
			    weir_cli_option_name(id), value, ep->name, ep->name);
}

static int take_network(struct weir_endpoint *ep, const struct weir_option *option,
			struct weir_err *err)
{
	struct weir_attachment *att = weir_endpoint_attachment(ep, option->value);
	if (!att)
		return absent(ep, option->id, option->value, err);
	size_t after = ep->n_attachments - (size_t)(att - ep->attachments) - 1;
	memmove(att, att + 1, after * sizeof(*att));
	ep->n_attachments--;
	return 0;
}

static int take_route(struct weir_endpoint *ep, const struct weir_option *option,
		      struct weir_err *err)
{
	struct weir_prefix to;
	int r = weir_prefix_parse(option->value, &to, err);
	if (r < 0)
		return weir_cli_blame(err, r, option->id, option->value);
	for (size_t i = 0; i < ep->n_routes; i++)
		if (weir_prefix_cmp(&ep->routes[i].to, &to) == 0) {
			ep->routes[i] = ep->routes[--ep->n_routes];
			return 0;
		}
	return absent(ep, option->id, option->value, err);
}

static int take_label(struct weir_endpoint *ep, const struct weir_option *option,
		      struct weir_err *err)
{
	size_t len = strlen(option->value) - 1;
	for (size_t i = 0; i < ep->n_labels; i++)
		if (strlen(ep->labels[i].key) == len &&
		    strncmp(ep->labels[i].key, option->value, len) == 0) {
			ep->labels[i] = ep->labels[--ep->n_labels];
			return 0;
		}
	return absent(ep, option->id, option->value, err);
}

static int take_away(const struct weir_cli *cli, struct weir_endpoint *ep, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < cli->n_options; i++) {
		const struct weir_option *option = &cli->options[i];
		if (option->id == OPT_NO_NETWORK)
			r = take_network(ep, option, err);
		else if (option->id == OPT_NO_ROUTE)
			r = take_route(ep, option, err);
		else if (option->id == OPT_NO_RATE)
			ep->rate = (struct weir_rate){ 0 };
		else if (weir_words_unlabel(cli, option))
			r = take_label(ep, option, err);
	}
	return r;
}

/* ---- the verbs ---- */

static int edit_network(void *ctx, struct weir_model *model, struct weir_err *err)
{
	struct weir_cli *cli = ctx;
	return weir_words_edit_network(cli, model, weir_model_network(model, cli->words[0]), err);
}

static int edit_endpoint(void *ctx, struct weir_model *model, struct weir_err *err)
{
	struct weir_cli *cli = ctx;
	struct weir_endpoint *ep = weir_model_endpoint(model, cli->words[0]);
	int r = take_away(cli, ep, err);
	return r < 0 ? r : weir_words_edit_endpoint(cli, model, ep, err);
}

static bool says_something(const struct weir_cli *cli)
{
	for (size_t i = 0; i < cli->n_options; i++)
		if (!weir_cli_option_is_global(cli->options[i].id))
			return true;
	return false;
}

static int set(struct weir_cli *cli, struct weir_edit edit, struct weir_err *err)
{
	edit.ctx = cli;
	if (!says_something(cli)) {
		cli->usage = true;
		return weir_err_set(err, EINVAL, "weir %s: change what? (weir %s --help)",
				    cli->verb->name, cli->verb->name);
	}
	return weir_cli_change(cli, &(struct weir_change){ .edit = &edit }, err);
}

int weir_verb_network_set(struct weir_cli *cli, struct weir_err *err)
{
	struct weir_edit edit = { .network = cli->words[0], .fn = edit_network };
	return set(cli, edit, err);
}

int weir_verb_endpoint_set(struct weir_cli *cli, struct weir_err *err)
{
	struct weir_edit edit = { .endpoint = cli->words[0], .fn = edit_endpoint };
	return set(cli, edit, err);
}
