/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule of legacy iptables in weir's own words, and its line as iptables writes it. */
#ifndef WEIR_BACKENDS_IPTABLES_RULE_H
#define WEIR_BACKENDS_IPTABLES_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/model.h"

enum { WEIR_IPT_CHAIN_MAX = 28, WEIR_IPT_COMMENT_MAX = 255 };

/* conntrack's states, as far as weir asks for them */
enum {
	WEIR_IPT_INVALID = 1 << 0,
	WEIR_IPT_ESTABLISHED = 1 << 1,
	WEIR_IPT_RELATED = 1 << 2,
	WEIR_IPT_DNATTED = 1 << 3, /* the destination is translated */
	WEIR_IPT_NEW = 1 << 4,
};

enum weir_ipt_direction { WEIR_IPT_BOTH_WAYS, WEIR_IPT_ORIGINAL, WEIR_IPT_REPLY };

enum weir_ipt_verdict {
	WEIR_IPT_ACCEPT,
	WEIR_IPT_DROP,
	WEIR_IPT_RETURN,
	WEIR_IPT_JUMP, /* comes back to the rule behind */
	WEIR_IPT_GOTO, /* comes back to where this chain was jumped to from */
	WEIR_IPT_DNAT,
	WEIR_IPT_SNAT,
	WEIR_IPT_MASQUERADE,
	WEIR_IPT_REJECT, /* tcp: by a reset; else: administratively prohibited */
	WEIR_IPT_NFLOG,
	WEIR_IPT_LOG,
	WEIR_NUM_IPT_VERDICTS
};

/* { 0 } accepts everything. A field that is zero is not asked for. */
struct weir_ipt_rule {
	char in[WEIR_IFNAME_SIZE], out[WEIR_IFNAME_SIZE]; /* "wb-+": all that begin with "wb-" */
	bool not_in;
	struct weir_prefix src, dst;
	struct weir_prefix orig_dst; /* where the connection's first packet was sent */
	uint8_t proto;		     /* IPPROTO_… */
	struct weir_ports ports;     /* destination ports; needs tcp, udp or sctp */
	bool from_zero;		     /* ports.lo is 0 and asked for */
	bool by_type;		     /* of icmp or icmpv6: only this type */
	uint8_t icmp_type;
	bool not_syn;		    /* tcp: anything but a bare SYN */
	bool local;		    /* the destination is an address of this host */
	bool not_local_here;	    /* it is none of the interface that the packet came by */
	uint8_t states;		    /* any of them */
	bool not_states;	    /* none of them */
	uint8_t direction;	    /* enum weir_ipt_direction */
	bool not_expected;	    /* no helper has announced this connection */
	bool limited;		    /* 10 a second, after 20 at once; no more */
	uint8_t verdict;	    /* enum weir_ipt_verdict */
	const char *target;	    /* chain of JUMP and GOTO */
	const char *prefix;	    /* of NFLOG and LOG */
	struct weir_addr to;	    /* of DNAT and SNAT; of REJECT only the family */
	struct weir_ports to_ports; /* of DNAT; none: the port stays */
	bool random;		    /* of SNAT and MASQUERADE: another port, by chance */
	uint16_t base_port;	    /* of DNAT: the port that becomes to_ports.lo; 0: none */
	const char *comment;
	/* what only a kernel knows */
	uint64_t packets, bytes;
	const void *raw; /* the kernel's entry, when it cannot be put in these words */
	size_t raw_len;
};

/* Everything but the kernel's figures. */
bool weir_ipt_rule_equal(const struct weir_ipt_rule *a, const struct weir_ipt_rule *b);

enum { WEIR_IPT_RULE_TEXT = 1024 };
/* "-i wb-web -j ACCEPT", without the chain; returns buf. */
const char *weir_ipt_rule_text(const struct weir_ipt_rule *rule, char buf[WEIR_IPT_RULE_TEXT]);

#endif
