/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What weir has, or wants to have, in one table of one family: its chains and its jumps. */
#ifndef WEIR_BACKENDS_IPTABLES_IMAGE_H
#define WEIR_BACKENDS_IPTABLES_IMAGE_H

#include "backends/iptables/rule.h"
#include "core/arena.h"

#define WEIR_IPT_PREFIX "WEIR-"

struct weir_ipt_chain {
	const char *name;
	bool builtin; /* rules: only weir's, those that lead into its chains */
	struct weir_ipt_rule *rules;
	unsigned *lines; /* of a builtin's rules in the kernel, from 1; else NULL */
	size_t n, room;
};

/* { 0 } is empty: nothing of weir's. */
struct weir_ipt_image {
	struct weir_arena arena;
	struct weir_ipt_chain *chains;
	size_t n;
	bool no_memory; /* something is missing: weir_ipt_image_finish() says so */
};

void weir_ipt_image_free(struct weir_ipt_image *image);

/* A new chain; its index, valid until finish. */
size_t weir_ipt_image_chain(struct weir_ipt_image *image, const char *name);
/* So many rules will come: without it, room is found by doubling. */
void weir_ipt_image_reserve(struct weir_ipt_image *image, size_t index, size_t n);
/* Appends a rule to the chain of that index; its comment and target must live as long as the image. line: see lines; or 0. */
void weir_ipt_image_rule(struct weir_ipt_image *image, size_t index,
			 const struct weir_ipt_rule *rule, unsigned line);
/* A text in the image's arena; NULL notes no_memory. */
const char *weir_ipt_image_text(struct weir_ipt_image *image, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Sorts the chains by name, builtin ones first and only where they have rules. -ENOMEM when anything
 * before ran out of it. */
int weir_ipt_image_finish(struct weir_ipt_image *image);

/* Of finished images. */
const struct weir_ipt_chain *weir_ipt_image_find(const struct weir_ipt_image *image,
						 const char *name);
int weir_ipt_chain_cmp(const struct weir_ipt_chain *a, const struct weir_ipt_chain *b);
bool weir_ipt_chain_equal(const struct weir_ipt_chain *a, const struct weir_ipt_chain *b);
bool weir_ipt_image_equal(const struct weir_ipt_image *a, const struct weir_ipt_image *b);

enum { WEIR_IPT_DIFFERENCE_TEXT = 560 };
/* The first difference in words ("chain WEIR-STATE lacks \"-j DROP\""), or NULL. */
const char *weir_ipt_image_difference(const struct weir_ipt_image *there,
				      const struct weir_ipt_image *wanted,
				      char buf[WEIR_IPT_DIFFERENCE_TEXT]);

#endif
