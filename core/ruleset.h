/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset: what the model means for a packet filter, in no filter's language.
 *
 * A sorted array of entries of a few kinds. Each has a key, which is unique, and a value. Both
 * backends write from it and read back into it, so "is it so already?" is an empty diff. */
#ifndef WEIR_CORE_RULESET_H
#define WEIR_CORE_RULESET_H

#include <stdio.h>

#include "core/addr.h"
#include "core/arena.h"
#include "core/model.h"

/* kind       key                            value
 * NETWORK    ifname                         flags, from_ifname, owner   an interface of weir's; what its network closes
 * SUBNET     prefix                         ifname, nat, to, flags  source NAT for it; never entered from outside
 * GATEWAY    ifname, addr                                    the host's own address in a network
 * SOURCE     ifname, addr                   owner            a live attachment: may send through the host
 * TRUSTED    from_ifname, ifname, prefix                     may reach the network's endpoints directly
 * MAPPING    addr or none, family, proto, ports   to, to_port, owner   a published port or range, offset kept
 * STRICT     addr, family, proto, ports      owner           a mapping of addr that only interfaces which have it serve
 * GUARD      family                                          weir switched forwarding on: close it to others
 * CLASS      class                          owner            senders that the same policies pick
 * MEMBER     outside, prefix                class, owner     a sender, and the class that it is in
 * PAIR       class, outside, prefix         list, owner      a receiver, and what its senders of this class may
 * HOST_PAIR  direction, addr, ifname        list, owner      an endpoint and the host: what one may to the other
 * CELL       list, l4, ports                verdict, log, owner   a line of a list: what a policy says of a service
 * ISOLATED   ifname, addr                   owner            reaches no other one of this network
 * SEGMENT    prefix, to/to_len              ifname, owner    subnets of one routed network, from here to there
 *
 * A routed network has an interface for each endpoint: a NETWORK each, whose from_ifname is what their names
 * begin with and '+'. That stands for the interface in the entries that there is only one of, and who is in
 * the network is told by the addresses: TRUSTED has a family and a prefix there.
 *
 * A HOST_PAIR has an ifname when its address is link-local, which means nothing without.
 *
 * Classes and lists are named by a digest of what they are, so that two models that mean the same by one
 * call it the same; an endpoint that comes into a known class adds MEMBERs and PAIRs, never a rule.
 */
enum weir_entry_kind {
	WEIR_ENTRY_NETWORK,
	WEIR_ENTRY_SUBNET,
	WEIR_ENTRY_GATEWAY,
	WEIR_ENTRY_SOURCE,
	WEIR_ENTRY_TRUSTED,
	WEIR_ENTRY_MAPPING,
	WEIR_ENTRY_STRICT,
	WEIR_ENTRY_GUARD,
	WEIR_ENTRY_SEGMENT,
	WEIR_ENTRY_ISOLATED,
	WEIR_ENTRY_CLASS,
	WEIR_ENTRY_MEMBER,
	WEIR_ENTRY_PAIR,
	WEIR_ENTRY_HOST_PAIR,
	WEIR_ENTRY_CELL,
	WEIR_NUM_ENTRY_KINDS
};

/* flags of SUBNET */
enum { WEIR_NAT_RANDOM = 1 << 0 }; /* the source port is any but its own */

/* flags of NETWORK */
enum {
	WEIR_CLOSED = 1 << 0,	   /* internal: nothing forwarded in or out */
	WEIR_ISOLATED = 1 << 1,	   /* nothing forwarded back into the network it came from */
	WEIR_HOST_DENY = 1 << 2,   /* nothing to the host but replies, ICMP and the resolver */
	WEIR_FILTERED = 1 << 3,	   /* policies or defaults bind its own traffic too (P8) */
	WEIR_EGRESS_DENY = 1 << 4, /* defaults of the network */
	WEIR_INGRESS_DENY = 1 << 5,
	WEIR_INGRESS_ALLOW = 1 << 6, /* from other networks as well */
};

/* flags of MEMBER, PAIR and HOST_PAIR */
enum {
	WEIR_OUTSIDE =
		1
		<< 0, /* MEMBER, PAIR: an address behind the host's other interfaces, not an endpoint's */
	WEIR_FROM_HOST_PAIR =
		1 << 1, /* HOST_PAIR: the host sends, the endpoint receives; else the other way */
};

/* What a line of a list says. Lines of one list never overlap, but for WEIR_L4_ANY, which is the last and
 * has no ports. owner is the policy's name, and "" where none speaks. Drops and rejects count as
 * WEIR_DROP_POLICY; those between host and endpoints are never ACCEPT_EGRESS or ACCEPT_INGRESS. */
enum weir_cell_verdict {
	WEIR_CELL_CONTINUE,	  /* no policy speaks: the defaults decide */
	WEIR_CELL_ACCEPT,	  /* at both gates */
	WEIR_CELL_ACCEPT_EGRESS,  /* the sender's gate only: the receiver's default decides */
	WEIR_CELL_ACCEPT_INGRESS, /* the receiver's gate only: the sender's default decides */
	WEIR_CELL_DROP,
	WEIR_CELL_REJECT, /* TCP: reset; others: ICMP "administratively prohibited" */
	WEIR_NUM_CELL_VERDICTS
};

/* Why a packet was dropped: the words of its counter, the same in every filter and in the evaluator. */
enum weir_drop {
	WEIR_DROP_LOOPBACK,   /* to 127.0.0.0/8 from an interface that is not lo */
	WEIR_DROP_DIRECT,     /* an endpoint's address, addressed from outside */
	WEIR_DROP_GATEWAY,    /* the host's address in another network */
	WEIR_DROP_INVALID,    /* conntrack cannot place it */
	WEIR_DROP_NOT_SYN,    /* TCP that opens a flow with anything but a bare SYN */
	WEIR_DROP_ISOLATION,  /* back into the isolated network it came from */
	WEIR_DROP_INTERNAL,   /* in or out of an internal network */
	WEIR_DROP_SOURCE,     /* from a network, but not from a live attachment's address */
	WEIR_DROP_DEFAULT,    /* into a network, neither published nor trusted */
	WEIR_DROP_HOST,	      /* to the host, from a network that it is closed to */
	WEIR_DROP_ROUTER,     /* between foreign interfaces, where weir switched forwarding on */
	WEIR_DROP_POLICY,     /* a policy says deny or reject */
	WEIR_DROP_EGRESS,     /* out of a network whose default is deny, and no policy allows it */
	WEIR_DROP_INGRESS,    /* into such a network */
	WEIR_DROP_STRICT,     /* published on an address that the interface it came by has not */
	WEIR_DROP_LINK_LOCAL, /* within a filtered network, by an address that no policy can mean */
	WEIR_NUM_DROPS
};
/* "isolation", …; never NULL. */
const char *weir_drop_reason(enum weir_drop drop);

/* An endpoint's name and the mapping's text fit; it becomes a comment in both filters. */
enum { WEIR_OWNER_MAX = 95 };

struct weir_entry {
	enum weir_entry_kind kind;
	enum weir_family
		family; /* of SUBNET, GATEWAY, SOURCE, MAPPING, STRICT, GUARD, SEGMENT, ISOLATED, MEMBER, PAIR, HOST_PAIR */
	char ifname[WEIR_IFNAME_SIZE];
	char from_ifname[WEIR_IFNAME_SIZE];
	struct weir_addr addr; /* SUBNET, MEMBER, PAIR: the base */
	uint8_t prefix_len;
	uint8_t to_len; /* SEGMENT: of `to` */
	uint8_t proto;	/* enum weir_proto */
	uint8_t flags;
	uint8_t nat;		 /* enum weir_nat */
	uint8_t l4;		 /* CELL: enum weir_l4 */
	uint8_t verdict;	 /* CELL: enum weir_cell_verdict */
	uint8_t log;		 /* CELL: enum weir_policy_log */
	struct weir_ports ports; /* MAPPING, STRICT: host ports; CELL: as in struct weir_service */
	uint16_t to_port;	 /* MAPPING: for ports.lo; ports.lo + n goes to to_port + n */
	/* MAPPING: the endpoint; SUBNET: with WEIR_NAT_ADDRESS; SEGMENT: the base of the other subnet */
	struct weir_addr to;
	uint64_t class; /* CLASS, MEMBER, PAIR */
	uint64_t list;	/* PAIR, HOST_PAIR, CELL */
	/* "web" or "nginx 8080:80"; never NULL in a complete entry; at most WEIR_OWNER_MAX. Empty in a
	 * MAPPING that was read back: its filter does not keep it, and any is equal. */
	const char *owner;
	struct weir_place origin;
};

/* { 0 } is an empty ruleset. */
struct weir_ruleset {
	struct weir_arena arena;
	struct weir_entry *entries;
	size_t n, room; /* room: what reserve() has made */
};

void weir_ruleset_free(struct weir_ruleset *rules);
#define WEIR_CLEAN_RULESET __attribute__((cleanup(weir_ruleset_free)))

/* Makes room for n more entries at once, where there may be many; -ENOMEM. */
int weir_ruleset_reserve(struct weir_ruleset *rules, size_t n, struct weir_err *err);

/* Appends a copy (owner copied too); -ENOMEM. */
int weir_ruleset_add(struct weir_ruleset *rules, const struct weir_entry *entry,
		     struct weir_err *err);

/* Sorts by key. Two entries with one key, or mappings whose host ports overlap, are -EEXIST, naming
 * both owners. */
int weir_ruleset_sort(struct weir_ruleset *rules, struct weir_err *err);

/* Of two that stand next to each other in order: -EEXIST when no ruleset can hold both. */
int weir_entry_check_neighbours(const struct weir_entry *a, const struct weir_entry *b,
				struct weir_err *err);

int weir_entry_key_cmp(const struct weir_entry *a, const struct weir_entry *b);
/* key and value, not origin */
bool weir_entry_equal(const struct weir_entry *a, const struct weir_entry *b);

/* The name of a list: a digest of its cells, all of them and in key order. So a list that is not what its
 * name says was changed by somebody. */
uint64_t weir_list_id(const struct weir_entry *cells, size_t n);

/* What turns one ruleset into another: pointers into both, which must outlive it. An entry whose
 * value changed is in both lists. */
struct weir_delta {
	struct weir_arena arena;
	const struct weir_entry **removed;
	size_t n_removed;
	const struct weir_entry **added;
	size_t n_added;
};

void weir_delta_free(struct weir_delta *delta);
#define WEIR_CLEAN_DELTA __attribute__((cleanup(weir_delta_free)))

/* A merge of two sorted rulesets. -ENOMEM. */
int weir_ruleset_diff(const struct weir_ruleset *from, const struct weir_ruleset *to,
		      struct weir_delta *ret, struct weir_err *err);

enum { WEIR_ENTRY_TEXT = 320 };
/* One line in words: "mapping any:8080/tcp -> 10.88.1.2:80 (nginx 8080:80)". Returns buf. */
const char *weir_entry_text(const struct weir_entry *entry, char buf[WEIR_ENTRY_TEXT]);
/* All of it, one entry a line. */
void weir_ruleset_print(const struct weir_ruleset *rules, FILE *out);

#endif
