/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question as users put it ("api" to "pg:5432/tcp"), as flows that the evaluator knows. */
#ifndef WEIR_CLI_FLOWS_H
#define WEIR_CLI_FLOWS_H

#include "core/selector.h"
#include "policy/eval.h"

/* An endpoint (with @NETWORK at choice), an address, a prefix (its first address stands for it), "outside",
 * or "host". */
struct weir_end {
	const char *text;
	bool host, outside;
	const struct weir_endpoint *ep;
	const char *network; /* of ep; NULL: what suits the other end */
	struct weir_addr addr;
};

struct weir_question {
	struct weir_end from, to;
	struct weir_service service; /* one port or type; l4 WEIR_L4_ANY: an echo request */
};

/* What is asked in one family. */
struct weir_case {
	struct weir_flow flow;
	struct weir_answer answer;
	struct weir_addr from, to; /* as the policies see them */
	const char *
		note; /* what was taken for what, and for whom else the answer is another; or NULL */
	bool unanswered; /* what comes is let through, what it answers is not */
};

/* Who is asked: the model is whole, resolved and sorted; the host's own addresses may be empty. */
struct weir_scene {
	const struct weir_model *model;
	struct weir_eval_host host;
	struct weir_arena *arena;
};

/* An address that neither the host nor a network has: it stands for all who are not in the model. None (zero)
 * when every one of a short list is somebody's. */
struct weir_addr weir_scene_stranger(const struct weir_scene *scene, enum weir_family family);
/* "allow", "deny", "reject" */
const char *weir_verdict_word(enum weir_verdict verdict);

/* from: an end; to: END[:PORT/PROTO], IPv6 in brackets before a port. -EINVAL with the column, -ENOENT. */
int weir_question_parse(const struct weir_scene *scene, const char *from, const char *to,
			struct weir_question *ret, struct weir_err *err);
/* Answers it in each family that both ends have: ret has room for WEIR_NUM_FAMILIES, *ret_n tells how many
 * there are. -EINVAL when they have none in common. */
int weir_question_answer(const struct weir_scene *scene, const struct weir_question *question,
			 struct weir_case *ret, size_t *ret_n, struct weir_err *err);

#endif
