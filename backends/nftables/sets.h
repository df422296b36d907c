/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sets and maps of `table inet weir`, as data: what each is keyed by, and which entries of a
 * ruleset stand in it. Everything that writes, reads or prints elements goes by this table. */
#ifndef WEIR_BACKENDS_NFTABLES_SETS_H
#define WEIR_BACKENDS_NFTABLES_SETS_H

#include "core/ruleset.h"

enum {
	WEIR_NFT_FIELDS_MAX = 3,
	WEIR_NFT_COMMENT_MAX = 128, /* NFTNL_UDATA_COMMENT_MAXLEN, with the closing zero */
	WEIR_NFT_ELEMENT_TEXT = 320,
	WEIR_NFT_CHAIN_MAX = 32, /* "class-" and sixteen digits */
};

/* A part of a key or of what a map gives, and the field of an entry that it is made from. */
enum weir_nft_field {
	WEIR_NFT_END, /* ends a list of fields */
	WEIR_NFT_IFNAME,
	WEIR_NFT_FROM, /* from_ifname */
	WEIR_NFT_ADDR,
	WEIR_NFT_PREFIX,   /* addr/prefix_len: an interval with an element at either end */
	WEIR_NFT_BLOCK,	   /* the same as part of a key: an interval within one element */
	WEIR_NFT_TO_BLOCK, /* to/to_len */
	WEIR_NFT_PROTO,
	WEIR_NFT_PORT,	/* one of ports */
	WEIR_NFT_PORTS, /* all of ports: an interval within one element */
	WEIR_NFT_TO,
	WEIR_NFT_TO_PORT, /* the counterpart of WEIR_NFT_PORT */
	WEIR_NFT_NFPROTO, /* family */
	WEIR_NFT_MARK,	  /* the epoch's counter */
	WEIR_NFT_CLASS,	  /* a verdict: jump class-<class> */
	WEIR_NFT_LIST,	  /* a verdict: jump list-<list> */
	WEIR_NFT_NUM_FIELDS
};

enum weir_nft_comment {
	WEIR_NFT_BARE,	       /* repeats another set: says nothing of its own */
	WEIR_NFT_OWNER,	       /* "nginx 8080:80" */
	WEIR_NFT_IFNAME_OWNER, /* "wb-web web": the interface is no part of the key */
	WEIR_NFT_FROM_OWNER,   /* "wr1a2b3-+ web": from_ifname; without one, the owner alone */
};

struct weir_nft_set {
	const char *name;
	enum weir_family family; /* of its addresses; WEIR_NO_FAMILY: it has none */
	enum weir_entry_kind kind;
	bool (*holds)(const struct weir_entry
			      *entry); /* which of them, beside what is said below; NULL: all */
	uint8_t key[WEIR_NFT_FIELDS_MAX + 1];  /* enum weir_nft_field */
	uint8_t data[WEIR_NFT_FIELDS_MAX + 1]; /* of a map */
	uint8_t comment;		       /* enum weir_nft_comment */
	uint8_t flag; /* NETWORK: a set beside `networks`, for those with this flag (or none of it) */
	uint8_t nat;	/* SUBNET: of its entries */
	uint8_t flags;	/* SUBNET, MEMBER, PAIR, HOST_PAIR: of its entries */
	uint64_t class; /* PAIR: of its entries */
};

/* Pseudo flag of the set that holds networks which are neither isolated nor filtered. */
enum { WEIR_NFT_OPEN = 1 << 7 };

extern const struct weir_nft_set weir_nft_sets[];
extern const size_t weir_nft_n_sets;
/* Owner and age; stands beside the others since no entry is in it. */
extern const struct weir_nft_set weir_nft_epoch_set;

/* Each class has maps of its own, of receivers: addresses of endpoints and of the outside, by family. */
enum { WEIR_NFT_CLASS_SETS = 4 };
/* The i-th of them; name is the caller's and lives with it. */
void weir_nft_class_set(size_t i, uint64_t class, char name[WEIR_NFT_CHAIN_MAX],
			struct weir_nft_set *ret);
/* "class-0123456789abcdef", "list-…"; returns buf. */
const char *weir_nft_class_chain(uint64_t class, char buf[WEIR_NFT_CHAIN_MAX]);
const char *weir_nft_list_chain(uint64_t list, char buf[WEIR_NFT_CHAIN_MAX]);
/* The way back; false: it is no such name. */
bool weir_nft_class_of(const char *chain, uint64_t *ret);
bool weir_nft_list_of(const char *chain, uint64_t *ret);

const struct weir_nft_set *weir_nft_set_find(const char *name);
/* True if `entry` stands in `set`. */
bool weir_nft_set_holds(const struct weir_nft_set *set, const struct weir_entry *entry);

/* "tcp . 8080 comment \"nginx 8080:80\" : 10.88.1.2 . 80" into buf; returns buf. */
const char *weir_nft_set_text(const struct weir_nft_set *set, const struct weir_entry *entry,
			      size_t i, char buf[WEIR_NFT_ELEMENT_TEXT]);

#endif
