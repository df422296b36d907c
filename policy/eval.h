/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The evaluator: what happens to the first packet of a flow, and why. Pure; the reference for every
 * backend. */
#ifndef WEIR_POLICY_EVAL_H
#define WEIR_POLICY_EVAL_H

#include "core/model.h"

/* Where a flow starts. */
enum weir_flow_origin {
	/* out of one of weir's networks: `network`; of a routed one, out of the port of who has the source */
	WEIR_FROM_ENDPOINT,
	WEIR_FROM_HOST,	  /* a process on the host */
	WEIR_FROM_OUTSIDE /* another interface of the host's: `ifname`, may be empty */
};

struct weir_flow {
	enum weir_flow_origin origin;
	const char *network;
	char ifname[WEIR_IFNAME_SIZE];
	struct weir_addr src, dst; /* of one family */
	enum weir_proto proto;	   /* WEIR_NO_PROTO: ICMP, of the addresses' family */
	uint16_t dport;		   /* 0 for ICMP */
	uint8_t icmp_type;	   /* with WEIR_NO_PROTO; 0: an echo request */
	bool opens;		   /* TCP: a bare SYN; others: true */
};

/* WEIR_REFUSE: dropped, and the sender is told so (TCP reset, ICMP). */
enum weir_verdict { WEIR_ACCEPT, WEIR_DROP, WEIR_REFUSE, WEIR_NUM_VERDICTS };

struct weir_answer {
	enum weir_verdict verdict;
	const char *reason; /* a constant: the words of the drop's counter, or why it passes */
	char text[320];	    /* the same with names: "published: nginx 8080:80", for people */
	struct weir_place origin; /* of the object that decides, when there is one */
	/* The policy that decides, of the model; NULL: none does. At which gate it does so: at both where
	 * it is the one that speaks at both. */
	const struct weir_policy *policy;
	enum weir_policy_gate gate;
	bool local;	      /* delivered to the host itself */
	struct weir_addr dst; /* after translation */
	uint16_t dport;
	/* after translation; none: the address of the interface it leaves by */
	struct weir_addr src;
};

/* What the model does not know of its host. addrs: its own addresses besides loopback and the
 * model's gateways (for "is it local?"); ifnames: by which interface each, NULL: unknown, and then
 * what is strict is as open as the rest. guard[family]: weir switched forwarding on.
 * filter_bridged[family]: br_netfilter is on for all bridges (net.bridge.bridge-nf-call-…). */
struct weir_eval_host {
	const struct weir_addr *addrs;
	const char (*ifnames)[WEIR_IFNAME_SIZE];
	size_t n_addrs;
	bool guard[WEIR_NUM_FAMILIES];
	bool filter_bridged[WEIR_NUM_FAMILIES];
};

/* The model is whole, resolved and sorted, and weir_policies_bind() has looked at it. -EINVAL when the flow contradicts itself, -ENOENT
 * when its network is not in the model. */
int weir_eval(const struct weir_model *model, const struct weir_eval_host *host,
	      const struct weir_flow *flow, struct weir_answer *ret, struct weir_err *err);

#endif
