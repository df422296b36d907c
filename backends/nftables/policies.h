/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What policies add to the frame: a chain for each class and each list, as their rules and back. */
#ifndef WEIR_BACKENDS_NFTABLES_POLICIES_H
#define WEIR_BACKENDS_NFTABLES_POLICIES_H

#include "backends/nftables/batch.h"
#include "backends/nftables/steps.h"

enum { WEIR_NFT_CELL_RULES = 3, WEIR_NFT_PREFIX_MAX = 128 };

/* A rule, and the words that it points to. */
struct weir_nft_policy_rule {
	struct weir_nft_rule rule;
	char chain[WEIR_NFT_CHAIN_MAX];
	char text[WEIR_NFT_RULE_TEXT];
	char comment[WEIR_NFT_COMMENT_MAX];
	char prefix[WEIR_NFT_PREFIX_MAX];
	char set[WEIR_NFT_CHAIN_MAX];
};

/* The i-th of the WEIR_NFT_CLASS_SETS rules of a class's chain. */
void weir_nft_class_rule(uint64_t class, size_t i, struct weir_nft_policy_rule *ret);
/* The rules of a CELL; returns how many. */
size_t weir_nft_cell_rules(const struct weir_entry *cell,
			   struct weir_nft_policy_rule ret[WEIR_NFT_CELL_RULES]);

/* A rule of a list's chain as far as one can tell: a CELL, or the log that goes before one. */
struct weir_nft_cell_guess {
	struct weir_entry cell; /* without owner */
	bool has_verdict;
};
/* What it leaves out or takes for something else shows when the rules are built anew and compared. */
void weir_nft_cell_guess(struct nftnl_rule *rule, struct weir_nft_cell_guess *ret);
#define WEIR_NFT_POLICY_PREFIX "policy " /* of a rule's comment; the policy's name follows */

/* Chains, maps and rules of the CLASSes and CELLs among the entries, which are sorted; elements are the
 * caller's: they come after the chains that they jump to, and go before these do. */
void weir_nft_policies_add(struct weir_nft_batch *batch, const struct weir_entry *const *entries,
			   size_t n);
void weir_nft_policies_remove(struct weir_nft_batch *batch, const struct weir_entry *const *entries,
			      size_t n);

#endif
