/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a ruleset to the chains of each table, and back. */
#ifndef WEIR_BACKENDS_IPTABLES_BUILD_H
#define WEIR_BACKENDS_IPTABLES_BUILD_H

#include "backends/iptables/image.h"
#include "core/firewall.h"

enum weir_ipt_table { WEIR_IPT_FILTER, WEIR_IPT_NAT, WEIR_NUM_IPT_TABLES };

/* One table of one family. */
struct weir_ipt_place {
	enum weir_ipt_table table;
	enum weir_family family;
};

/* Everything, in the order in which places are changed: IPv6 first. */
enum { WEIR_IPT_PLACES = 4 };
extern const struct weir_ipt_place weir_ipt_places[WEIR_IPT_PLACES];
#define WEIR_IPT_HOME 2 /* filter of IPv4: here are the epoch and what has no family */

/* The words that make a rule one of a certain kind of entry, for writing and for reading. */
#define WEIR_IPT_EPOCH_CHAIN "WEIR-EPOCH"
#define WEIR_IPT_FROM "WEIR-FROM-"
#define WEIR_IPT_NEIGHBOUR "WEIR-NEAR-"
#define WEIR_IPT_ISOLATED "WEIR-APART-"
#define WEIR_IPT_DROP_GATEWAY "WEIR-DROP-GATEWAY"
#define WEIR_IPT_DROP_ROUTER "WEIR-DROP-ROUTER"
#define WEIR_IPT_DROPS "drop: " /* begins the comment of a rule that drops; the reason follows */

/* Policies: a class's receivers in networks and outside, a list; 16 digits of the number follow. */
#define WEIR_IPT_CLASSES "WEIR-CLASSES"
#define WEIR_IPT_CLASS "WEIR-C-"
#define WEIR_IPT_CLASS_OUTSIDE "WEIR-D-"
#define WEIR_IPT_LIST "WEIR-L-"
/* A MEMBER's, PAIR's or HOST_PAIR's comment begins with what it speaks of. */
#define WEIR_IPT_SAYS_ENDPOINT "endpoint"
#define WEIR_IPT_SAYS_OUTSIDE "outside"
#define WEIR_IPT_SAYS_HOST "host"

/* Entries of several rulesets in one order; they, and their texts, belong to those. */
struct weir_ipt_view {
	const struct weir_entry **entries; /* from malloc */
	size_t n;
};
void weir_ipt_view_free(struct weir_ipt_view *view);
#define WEIR_CLEAN_IPT_VIEW __attribute__((cleanup(weir_ipt_view_free)))

/* Chains of filter and of nat for sorted entries; -ENOMEM. epoch: written into WEIR_IPT_HOME; NULL:
 * into none. The image is finished. */
int weir_ipt_build_view(const struct weir_ipt_place *place, const struct weir_ipt_view *rules,
			const struct weir_epoch *epoch, struct weir_ipt_image *ret);
int weir_ipt_build(const struct weir_ipt_place *place, const struct weir_ruleset *rules,
		   const struct weir_epoch *epoch, struct weir_ipt_image *ret);
void weir_ipt_build_filter(enum weir_family family, const struct weir_ipt_view *rules,
			   struct weir_ipt_image *image);
void weir_ipt_build_nat(enum weir_family family, const struct weir_ipt_view *rules,
			struct weir_ipt_image *image);

/* Where the entries of each kind begin; behind the last kind, where they end. */
void weir_ipt_find_kinds(const struct weir_ipt_view *rules, size_t first[WEIR_NUM_ENTRY_KINDS + 1]);

/* The entry that a rule of this chain stands for; texts are the rule's own. False: it is part of the
 * frame, or follows from an entry that another rule says. */
bool weir_ipt_read_entry(const struct weir_ipt_place *place, const char *chain,
			 const struct weir_ipt_rule *rule, struct weir_entry *ret);
/* Fields that cannot be read are empty. False: no epoch here. */
bool weir_ipt_read_epoch(const struct weir_ipt_image *home, struct weir_epoch *ret);

/* What the flags of a network are called in its rule's comment: "open", "closed,host-deny". */
enum { WEIR_IPT_FLAGS_TEXT = 96 };
const char *weir_ipt_flags_text(uint8_t flags, char buf[WEIR_IPT_FLAGS_TEXT]);

#endif
