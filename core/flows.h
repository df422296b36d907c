/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections a change of rules has to cut. Private to the engine. */
#ifndef WEIR_CORE_FLOWS_H
#define WEIR_CORE_FLOWS_H

#include "core/session.h"

/* Connections that a removed entry had let through or translated, and UDP flows that a new mapping takes over:
 * they would go on past the rules, since only a connection's first packet meets them. model holds the
 * networks of the removed entries. In the arena. */
int weir_flows_of(const struct weir_delta *delta, const struct weir_model *model,
		  struct weir_arena *arena, struct weir_flow_match **ret, size_t *ret_n,
		  struct weir_err *err);

/* Could a connection that is there be one that networks, policies or defaults, as they are now, refuse? So it is
 * with every delta that has matches with `outside` in it, but of what goes. */
bool weir_flows_need_judging(const struct weir_delta *delta);

/* Ends the connections that match, and, with everybody (as the engine's `refuses` wants it; else NULL), those
 * that would be refused now. A match with `outside` is for these: who is in its src and has left for the
 * outside, and who has come from there into its reply_src, by an interface that is not trusted any more. */
int weir_flows_cut(struct weir_session *s, const struct weir_flow_match *flows, size_t n,
		   const struct weir_model *everybody, struct weir_err *err);

#endif
