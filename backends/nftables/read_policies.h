/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains of classes and lists, read back and judged: taken one by one while the kernel dumps its chains,
 * sets and rules, then looked at together. */
#ifndef WEIR_BACKENDS_NFTABLES_READ_POLICIES_H
#define WEIR_BACKENDS_NFTABLES_READ_POLICIES_H

#include "backends/nftables/frame.h"
#include "backends/nftables/read.h"

struct weir_nft_policy_chain;

/* { 0 } is an empty one. */
struct weir_nft_policy_chains {
	struct weir_arena arena;
	struct weir_nft_policy_chain *chains;
	size_t n;
	size_t last; /* where the last rule was */
};

void weir_nft_policy_chains_free(struct weir_nft_policy_chains *chains);

/* 1: it is a class or a list, and noted; 0: it is neither; -ENOMEM. */
int weir_nft_policy_chain_take(struct weir_nft_policy_chains *chains,
			       const struct nftnl_chain *chain);
/* A map of a class that was taken before: true, and how it should be (name is the caller's). */
bool weir_nft_policy_set_take(struct weir_nft_policy_chains *chains, const char *name,
			      char name_buf[WEIR_NFT_CHAIN_MAX], struct weir_nft_set *ret);
/* A rule, its counter cleared; those of chains that were not taken are left alone. -ENOMEM. */
int weir_nft_policy_rule_take(struct weir_nft_policy_chains *chains, struct nftnl_rule *rule,
			      uint64_t packets, uint64_t bytes);
/* Appends classes and cells to items and what they dropped to drops (both may be NULL). odd: what is not as
 * weir writes it, else untouched. -ENOMEM. */
int weir_nft_policy_chains_judge(struct weir_nft_policy_chains *chains,
				 struct weir_nft_drops *drops, struct weir_nft_items *items,
				 char *odd, size_t size);

#endif
