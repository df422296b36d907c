/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies: statements about who may talk to whom, as users say them.
 *
 * A policy picks the first packet of a flow by who sends it, to whom, and with which protocol; what
 * follows of the flow follows its verdict. The highest priority decides; at equal priority reject and
 * deny go before allow, then names. Where no policy says anything, the defaults of the networks do.
 *
 * A flow passes two gates: that of the sender (egress) and that of the receiver (ingress). A policy stands
 * at both, unless it says at which; a flow passes when both let it. So one end's rules can be
 * written without speaking for the other end. */
#ifndef WEIR_CORE_POLICY_H
#define WEIR_CORE_POLICY_H

#include "core/addr.h"
#include "core/err.h"

enum weir_policy_action { WEIR_ALLOW, WEIR_DENY, WEIR_REJECT, WEIR_NUM_POLICY_ACTIONS };
/* At which gate a policy stands. */
enum weir_policy_gate { WEIR_BOTH_GATES, WEIR_EGRESS, WEIR_INGRESS, WEIR_NUM_POLICY_GATES };
/* NFLOG reaches ulogd from any namespace; the kernel's own log only from the initial one. */
enum weir_policy_log { WEIR_LOG_NONE, WEIR_LOG_NFLOG, WEIR_LOG_KERNEL, WEIR_NUM_POLICY_LOGS };
/* What a network's endpoints do where no policy speaks. WEIR_AS_USUAL, outwards: everything passes;
 * inwards: what comes from the same network, from trusted interfaces, and what is published. */
enum weir_default { WEIR_AS_USUAL, WEIR_DEFAULT_ALLOW, WEIR_DEFAULT_DENY, WEIR_NUM_DEFAULTS };

/* "tcp" and the like, in the order in which a filter asks. WEIR_L4_ANY: every protocol. */
enum weir_l4 {
	WEIR_L4_ANY,
	WEIR_L4_TCP, /* as in enum weir_proto */
	WEIR_L4_UDP,
	WEIR_L4_SCTP,
	WEIR_L4_ICMP,	/* IPv4 only */
	WEIR_L4_ICMPV6, /* IPv6 only */
	WEIR_NUM_L4S
};

/* A label that an endpoint must carry. */
struct weir_label_match {
	const char *key;
	const char **values; /* any of these; none: any value */
	size_t n_values;
};

struct weir_block {
	struct weir_prefix prefix;  /* host bits clear */
	struct weir_prefix *except; /* inside prefix */
	size_t n_except;
};

/* What a selector speaks of. */
enum weir_selector_kind {
	WEIR_SELECT_ENDPOINTS, /* of weir's; narrowed by networks, endpoints and labels */
	WEIR_SELECT_BLOCKS,    /* addresses, whoever has them */
	WEIR_SELECT_OUTSIDE,   /* whatever is neither in a network of weir's nor the host */
	WEIR_SELECT_HOST,      /* this host's own processes */
	WEIR_NUM_SELECTOR_KINDS
};

/* Every condition that is given must hold; of networks and endpoints any one. An attachment is picked, not
 * an endpoint: with `networks`, only its addresses there. */
struct weir_selector {
	enum weir_selector_kind kind;
	const char **networks;
	size_t n_networks;
	const char **endpoints;
	size_t n_endpoints;
	struct weir_label_match *labels;
	size_t n_labels;
	struct weir_block *blocks;
	size_t n_blocks;
	struct weir_place origin;
};

/* A protocol, and ports (of ICMP: types) where it has them. */
enum { WEIR_PORT_MAX = 65535, WEIR_ICMP_TYPE_MAX = 255 };
struct weir_service {
	enum weir_l4 l4;	 /* not WEIR_L4_ANY */
	struct weir_ports ports; /* all: { 0, WEIR_PORT_MAX } or { 0, WEIR_ICMP_TYPE_MAX } */
	struct weir_place origin;
};

struct weir_policy {
	const char *name;
	/* any of these; none: every endpoint and the outside, but not the host */
	struct weir_selector *from;
	size_t n_from;
	struct weir_selector *to;
	size_t n_to;
	struct weir_service *services; /* any of these; none: everything */
	size_t n_services;
	enum weir_policy_action action;
	enum weir_policy_gate gate;
	enum weir_policy_log log;
	int priority; /* 0 unless said */
	bool declared;
	struct weir_place origin;
};

const char *weir_policy_action_name(enum weir_policy_action action); /* "allow" */
const char *weir_policy_gate_name(enum weir_policy_gate gate); /* "both", "egress", "ingress" */
const char *weir_policy_log_name(enum weir_policy_log log);    /* "none", "nflog", "kernel" */
const char *weir_default_name(enum weir_default def);	       /* "usual", "allow", "deny" */
const char *weir_l4_name(enum weir_l4 l4);		       /* "tcp", …, "any" */
/* The order in which policies are asked. */
int weir_policy_cmp(const struct weir_policy *a, const struct weir_policy *b);

#endif
