/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections a change of rules has to cut. Private to the engine. */
#ifndef WEIR_CORE_FLOWS_H
#define WEIR_CORE_FLOWS_H

#include "core/firewall.h"

/* Connections that a removed entry had let through, and UDP flows that a new mapping takes over: they
 * would go on past the rules, since only a connection's first packet meets them. model holds the
 * networks of the removed entries. In the arena. */
int weir_flows_of(const struct weir_delta *delta, const struct weir_model *model,
		  struct weir_arena *arena, struct weir_flow_match **ret, size_t *ret_n,
		  struct weir_err *err);

/* Could a connection that is there be one that policies or defaults, as they are now, refuse? */
bool weir_flows_need_judging(const struct weir_delta *delta);

#endif
