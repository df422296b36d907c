/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spec reader: YAML (JSON is YAML) into a model, by libfyaml. Every value knows its line and
 * column; an unknown key is refused with the nearest known one. weir.yaml(5) is the reference. */
#ifndef WEIR_CORE_SPEC_H
#define WEIR_CORE_SPEC_H

#include "core/model.h"

enum {
	WEIR_SPEC_MAX_BYTES = 16 * 1024 * 1024 /* 100,000 endpoints fit; more is a mistake */
};

/* Reads a file ("-": standard input) and appends what it declares to the model, everything
 * marked declared, then sorts. The same name in two files is -EEXIST with both places. Runs the
 * checks of weir_network_check() and weir_endpoint_check(); a network that an endpoint names may
 * stand in the store, so whether it exists is the engine's to check. An empty file declares
 * nothing, which is fine. After an error the model is good for weir_model_free() only. -ENOENT,
 * -EACCES, -EINVAL, -EFBIG; err->at tells file, line and column. */
int weir_spec_read(const char *file, struct weir_model *model, struct weir_err *err);

/* The same from memory; `file` is for messages. */
int weir_spec_parse(const char *text, size_t len, const char *file, struct weir_model *model,
		    struct weir_err *err);

struct weir_spec_node;
/* The same from a tree (core/spec_tree.h) that the caller has built: the command line's words go
 * through the same readers and checks as a file's. */
int weir_spec_from_tree(const struct weir_spec_node *root, const char *file,
			struct weir_model *model, struct weir_err *err);

/* What the keys of one network or endpoint say, put over one that is there; what they do not name stays:
 * labels and attachments are added or changed by name, routes by where they lead, other lists replaced. */
int weir_spec_edit_network(const struct weir_spec_node *keys, struct weir_model *model,
			   struct weir_network *net, struct weir_err *err);
int weir_spec_edit_endpoint(const struct weir_spec_node *keys, struct weir_model *model,
			    struct weir_endpoint *ep, struct weir_err *err);

/* The candidate nearest to word by edit distance, when near enough to be meant; else NULL. */
const char *weir_spec_nearest(const char *word, const char *const *candidates, size_t n);

#endif
