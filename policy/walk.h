/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A flow's first packet on its way through the model. Private to the evaluator. */
#ifndef WEIR_POLICY_WALK_H
#define WEIR_POLICY_WALK_H

#include "core/ruleset.h"
#include "policy/eval.h"

struct weir_walk {
	const struct weir_model *model;
	const struct weir_eval_host *host;
	const struct weir_flow *flow;
	const struct weir_network *from; /* the network it comes from; NULL: host or outside */
	const struct weir_network *to;	 /* the network it goes to; NULL: the outside */
	const struct weir_endpoint *published; /* whose mapping translates it */
	const struct weir_mapping *mapping;
	struct weir_answer *answer;
};

/* How it ends. what and name: of the object that decides, "network" "web"; name and origin may be NULL. */
void weir_walk_answer(struct weir_walk *w, enum weir_verdict verdict, const char *reason,
		      const char *what, const char *name, const struct weir_place *origin);
/* net: whose rule it is; NULL: of no network's. */
void weir_walk_drop(struct weir_walk *w, enum weir_drop why, const struct weir_network *net);
void weir_walk_accept(struct weir_walk *w, const char *reason, const struct weir_network *net);
void weir_walk_accept_published(struct weir_walk *w);

/* A local destination may be a published port: sets published, mapping, and the answer's destination
 * (translate.c). */
void weir_walk_translate(struct weir_walk *w);

/* What policies and defaults say (walk_gates.c). True when the packet's way ends here, in either way; else
 * nothing of the answer is set. */
bool weir_walk_decide_forwarded(struct weir_walk *w);
/* Of what a bridge carries to an address elsewhere: it comes out of the network and goes into it. */
bool weir_walk_decide_carried(struct weir_walk *w);
bool weir_walk_decide_with_host(struct weir_walk *w, bool from_host);

/* Neighbour and listener discovery: without it nobody on a link finds anybody. */
bool weir_walk_is_discovery(const struct weir_walk *w);

#endif
