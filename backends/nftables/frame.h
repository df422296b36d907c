/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What never changes in `table inet weir`: the chains and the rules, as nft's words and as what is
 * sent to the kernel, side by side. */
#ifndef WEIR_BACKENDS_NFTABLES_FRAME_H
#define WEIR_BACKENDS_NFTABLES_FRAME_H

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>

#include "backends/nftables/sets.h"

#define WEIR_NFT_TABLE "weir"
#define WEIR_NFT_TABLE_PREFIX "made by weir, store " /* the store's UUID follows */
#define WEIR_NFT_DROP_PREFIX "drop: "		     /* the reason follows */

enum { WEIR_NFT_RULE_TEXT = 320 };

struct weir_nft_chain {
	const char *name;
	const char *type;	   /* "filter", "nat"; NULL: entered by a jump only */
	const char *hook;	   /* "prerouting" */
	const char *priority_text; /* as nft says it */
	uint32_t hooknum;
	int32_t priority;
};

struct weir_nft_rule;

extern const struct weir_nft_chain weir_nft_chains[];
extern const size_t weir_nft_n_chains;
extern const size_t weir_nft_n_rules;

/* The i-th rule of the table; rules of one chain stand together and in order. */
const struct weir_nft_rule *weir_nft_rule_at(size_t i);
const char *weir_nft_rule_chain(const struct weir_nft_rule *rule);
/* In nft's words, as `nft list` prints it but for the counter's figures; returns buf. */
const char *weir_nft_rule_text(const struct weir_nft_rule *rule, char buf[WEIR_NFT_RULE_TEXT]);

enum { WEIR_NFT_TABLE_COMMENT = 64 };
const char *weir_nft_table_comment(const char *store, char buf[WEIR_NFT_TABLE_COMMENT]);

/* As libnftnl's objects, complete; NULL without memory. */
struct nftnl_table *weir_nft_table_build(const char *store);
/* comment may be NULL */
struct nftnl_chain *weir_nft_chain_build(const struct weir_nft_chain *chain, const char *comment);
struct nftnl_set *weir_nft_set_build(const struct weir_nft_set *set, uint32_t id);
struct nftnl_rule *weir_nft_rule_build(const struct weir_nft_rule *rule);

/* A rule in libnftnl's own words, to compare it; false: too long. */
enum { WEIR_NFT_RULE_WORDS = 4096 }; /* twice the longest of ours */
bool weir_nft_rule_words(const struct nftnl_rule *rule, char buf[WEIR_NFT_RULE_WORDS]);

/* The comment in an object's userdata (type 0 in all of them), or "". */
const char *weir_nft_comment_read(const void *userdata, uint32_t len, char *buf, size_t size);

void weir_nft_table_clean(struct nftnl_table **table);
void weir_nft_chain_clean(struct nftnl_chain **chain);
void weir_nft_set_clean(struct nftnl_set **set);
void weir_nft_rule_clean(struct nftnl_rule **rule);
#define WEIR_CLEAN_NFT_TABLE __attribute__((cleanup(weir_nft_table_clean)))
#define WEIR_CLEAN_NFT_CHAIN __attribute__((cleanup(weir_nft_chain_clean)))
#define WEIR_CLEAN_NFT_SET __attribute__((cleanup(weir_nft_set_clean)))
#define WEIR_CLEAN_NFT_RULE __attribute__((cleanup(weir_nft_rule_clean)))

#endif
