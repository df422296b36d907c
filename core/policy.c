/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies: their words and their order. */
#include "core/policy.h"

#include <assert.h>
#include <string.h>

#define NAMES(table, count) \
	static_assert(sizeof(table) / sizeof((table)[0]) == (count), "a name for each")

static const char *const actions[] = {
	[WEIR_ALLOW] = "allow",
	[WEIR_DENY] = "deny",
	[WEIR_REJECT] = "reject",
};
NAMES(actions, WEIR_NUM_POLICY_ACTIONS);

static const char *const gates[] = {
	[WEIR_BOTH_GATES] = "both",
	[WEIR_EGRESS] = "egress",
	[WEIR_INGRESS] = "ingress",
};
NAMES(gates, WEIR_NUM_POLICY_GATES);

static const char *const logs[] = {
	[WEIR_LOG_NONE] = "none",
	[WEIR_LOG_NFLOG] = "nflog",
	[WEIR_LOG_KERNEL] = "kernel",
};
NAMES(logs, WEIR_NUM_POLICY_LOGS);

static const char *const defaults[] = {
	[WEIR_AS_USUAL] = "usual",
	[WEIR_DEFAULT_ALLOW] = "allow",
	[WEIR_DEFAULT_DENY] = "deny",
};
NAMES(defaults, WEIR_NUM_DEFAULTS);

static const char *const l4s[] = {
	[WEIR_L4_ANY] = "any",	 [WEIR_L4_TCP] = "tcp",	  [WEIR_L4_UDP] = "udp",
	[WEIR_L4_SCTP] = "sctp", [WEIR_L4_ICMP] = "icmp", [WEIR_L4_ICMPV6] = "icmpv6",
};
NAMES(l4s, WEIR_NUM_L4S);
static_assert((int)WEIR_L4_TCP == (int)WEIR_TCP && (int)WEIR_L4_UDP == (int)WEIR_UDP &&
		      (int)WEIR_L4_SCTP == (int)WEIR_SCTP,
	      "one numbering for protocols with ports");

const char *weir_policy_action_name(enum weir_policy_action action)
{
	return actions[action];
}

const char *weir_policy_gate_name(enum weir_policy_gate gate)
{
	return gates[gate];
}

const char *weir_policy_log_name(enum weir_policy_log log)
{
	return logs[log];
}

const char *weir_default_name(enum weir_default def)
{
	return defaults[def];
}

const char *weir_l4_name(enum weir_l4 l4)
{
	return l4s[l4];
}

/* What closes goes before what opens. */
static int rank(const struct weir_policy *policy)
{
	return policy->action == WEIR_ALLOW;
}

int weir_policy_cmp(const struct weir_policy *a, const struct weir_policy *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	if (rank(a) != rank(b))
		return rank(a) - rank(b);
	return strcmp(a->name, b->name);
}
