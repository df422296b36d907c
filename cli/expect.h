/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expectations of policies, from a file: who may reach whom, and by which policy. */
#ifndef WEIR_CLI_EXPECT_H
#define WEIR_CLI_EXPECT_H

#include "cli/flows.h"

struct weir_expectation {
	const char *from, *to; /* as in weir_question_parse() */
	const char *expect;    /* "allow", "deny" (whether the sender is told or not), "reject" */
	const char *policy;    /* that decides; NULL: any */
	struct weir_place origin;
};

/* A YAML list of {from, to, expect, policy}, in the scene's arena. -EINVAL with the place. */
int weir_expect_read(const struct weir_scene *scene, const char *file,
		     struct weir_expectation **ret, size_t *ret_n, struct weir_err *err);
/* 0: it is so, in every family that both ends have. -EINVAL with its place and what is so instead. */
int weir_expect_check(const struct weir_scene *scene, const struct weir_expectation *expectation,
		      struct weir_err *err);

#endif
