/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies and the defaults of networks: their chains in table filter, and what their rules say. */
#ifndef WEIR_BACKENDS_IPTABLES_POLICIES_H
#define WEIR_BACKENDS_IPTABLES_POLICIES_H

#include "backends/iptables/builder.h"

/* The first chain that each asks. */
#define WEIR_IPT_INSIDE "WEIR-INSIDE"	  /* to networks: every word of theirs is the last */
#define WEIR_IPT_OUTWARD "WEIR-OUTWARD"	  /* from a network to the outside */
#define WEIR_IPT_OUTSIDE "WEIR-OUTSIDE"	  /* from the outside to a network */
#define WEIR_IPT_WITHIN "WEIR-WITHIN-"	  /* from a network to itself */
#define WEIR_IPT_HOST_IN "WEIR-HOST-IN"	  /* to the host */
#define WEIR_IPT_HOST_OUT "WEIR-HOST-OUT" /* from the host */
#define WEIR_IPT_GRANTED \
	"WEIR-GRANTED" /* where a line leads that lets go at the egress gate only */
#define WEIR_IPT_WELCOME "WEIR-WELCOME" /* at the ingress gate only */

/* Does anything that these chains are for stand in the ruleset? first: weir_ipt_find_kinds(). */
bool weir_ipt_has_policies(const struct weir_ipt_view *rules,
			   const size_t first[WEIR_NUM_ENTRY_KINDS + 1]);
/* Are there policies about the host and endpoints of this family? */
bool weir_ipt_has_host_pairs(const struct weir_ipt_builder *b);

/* The chains that others than FORWARD, INPUT and a network's own chains lead to. */
void weir_ipt_build_policies(struct weir_ipt_builder *b);
/* What becomes of a packet from this or another network of weir's to this one. */
void weir_ipt_build_network_policies(struct weir_ipt_builder *b, const struct weir_entry *net);

/* Lists and their lines (lists.c). What a line's comment says, in this order; before "policy NAME" of a
 * range of ICMP types also "types 3-4 ". */
#define WEIR_IPT_ALSO "also " /* another rule says the entry */
#define WEIR_IPT_LOGGED "logged "
#define WEIR_IPT_LOGGED_BY_KERNEL "kernel-logged "
#define WEIR_IPT_POLICY "policy "
void weir_ipt_build_lists(struct weir_ipt_builder *b);
/* The protocol's number in IP; 0: any. */
uint8_t weir_ipt_l4_proto(enum weir_l4 l4);
/* What a line's last rule does; ret_target: the chain, or NULL. */
enum weir_ipt_verdict weir_ipt_cell_verdict(enum weir_cell_verdict verdict,
					    const char **ret_target);

/* The entry of a policy's that a rule of this chain stands for, as weir_ipt_read_entry(). */
bool weir_ipt_read_policy(const struct weir_ipt_place *place, const char *chain,
			  const struct weir_ipt_rule *rule, struct weir_entry *ret);
/* The policy by which a rule of this chain gives its verdict; NULL: none. */
const char *weir_ipt_read_policy_name(const char *chain, const struct weir_ipt_rule *rule);

#endif
