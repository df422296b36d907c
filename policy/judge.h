/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that are there, judged by what networks, policies and defaults say now. Pure. */
#ifndef WEIR_POLICY_JUDGE_H
#define WEIR_POLICY_JUDGE_H

#include "core/firewall.h"

/* Would the connection be refused if it came now? By what a network closes, by a policy, by a default, or
 * since nothing lets it through any more. everybody is a const struct weir_model *: every network, endpoint
 * and policy, sorted (mappings are not needed). Of connections that no endpoint takes part in it says no. */
bool weir_judge_refuses(const void *everybody, const struct weir_connection *conn);

#endif
