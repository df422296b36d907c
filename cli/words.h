/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of `network add`, `endpoint add` and `policy add` as the spec that says the same. */
#ifndef WEIR_CLI_WORDS_H
#define WEIR_CLI_WORDS_H

#include "cli/cli.h"

/* Reads cli's options through the spec's own readers into the model, as one network, endpoint or policy named
 * by cli's first word. Errors name the key as in a file; a wrong -p has its column. -EINVAL. */
int weir_words_network(struct weir_cli *cli, struct weir_model *model, struct weir_err *err);
int weir_words_endpoint(struct weir_cli *cli, struct weir_model *model, struct weir_err *err);
int weir_words_policy(struct weir_cli *cli, struct weir_model *model, struct weir_err *err);

/* Puts the options of `network set` and `endpoint set` over what is there. */
int weir_words_edit_network(struct weir_cli *cli, struct weir_model *model,
			    struct weir_network *net, struct weir_err *err);
int weir_words_edit_endpoint(struct weir_cli *cli, struct weir_model *model,
			     struct weir_endpoint *ep, struct weir_err *err);
/* Is it --label KEY- of `endpoint set`, which takes the label away? */
bool weir_words_unlabel(const struct weir_cli *cli, const struct weir_option *option);
/* -p SPEC or a word of `port add`, with --net; the caret's column in err. */
int weir_words_mapping(struct weir_cli *cli, const char *text, struct weir_mapping *ret,
		       struct weir_err *err);

#endif
