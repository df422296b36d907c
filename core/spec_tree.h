/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A document as a tree of values that know where they stand. The only door to libfyaml. */
#ifndef WEIR_CORE_SPEC_TREE_H
#define WEIR_CORE_SPEC_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/err.h"

enum weir_spec_kind { WEIR_SPEC_SCALAR, WEIR_SPEC_LIST, WEIR_SPEC_MAP };

/* line and column count from 1. Those of a quoted scalar are its text's, behind the quote; those of
 * a value that is missing are its key's. */
struct weir_spec_node {
	enum weir_spec_kind kind;
	unsigned line, column;
	bool plain;		       /* a scalar without quotes: may be null, a number, true */
	bool one_line;		       /* byte n of text stands n columns further */
	const char *text;	       /* of a scalar, without NUL bytes inside; never NULL */
	struct weir_spec_node **keys;  /* of a map: n scalars, each once */
	struct weir_spec_node **items; /* of a list or a map: n values */
	size_t n;
};

/* Reads one document; *ret is NULL when there is nothing in it. Aliases are refused (a few bytes of
 * them can stand for gigabytes), so are tags, keys that are not scalars, the same key twice, and a
 * second document. `file` is for places. The tree is in the arena. -EINVAL, -ENOMEM. */
int weir_spec_tree_read(const char *text, size_t len, const char *file, struct weir_arena *arena,
			struct weir_spec_node **ret, struct weir_err *err);

/* The same of a file ("-": standard input). -ENOENT, -EACCES, -EFBIG as well. */
int weir_spec_tree_file(const char *file, struct weir_arena *arena, struct weir_spec_node **ret,
			struct weir_err *err);

#endif
