/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One transaction: messages collected in memory, sent at once, their errors walked back. */
#ifndef WEIR_BACKENDS_NFTABLES_BATCH_H
#define WEIR_BACKENDS_NFTABLES_BATCH_H

#include "backends/nftables/element.h"
#include "backends/nftables/wire.h"
#include "core/trace.h"

struct nftnl_table;
struct nftnl_chain;
struct nftnl_set;
struct nftnl_rule;

/* What a message was about, in case the kernel refuses it. */
struct weir_nft_message {
	const char *verb;		/* "add rule" */
	const char *object;		/* constant text: a name, a rule in words */
	const struct weir_nft_set *set; /* of elements, else NULL */
	const struct weir_entry *entry; /* the first of the elements, or NULL */
	size_t n_entries;
};

/* { 0 } is an empty one. */
struct weir_nft_batch {
	char *data;
	size_t len, room;
	size_t open;	 /* where the unfinished message of elements begins; 0: there is none */
	size_t elements; /* where its list of elements begins, from its own beginning */
	struct weir_nft_message *messages;
	size_t n, messages_room;
	bool no_memory;		 /* nothing more is added; sending says so */
	struct weir_arena arena; /* names and sets that are of this batch alone */
	uint32_t set_id;	 /* the last one given */
	bool one_by_one;	 /* each element in a message of its own, to find the one refused */
	const struct weir_trace *trace;
};

void weir_nft_batch_free(struct weir_nft_batch *batch);
#define WEIR_CLEAN_NFT_BATCH __attribute__((cleanup(weir_nft_batch_free)))

/* What messages refer to must live as long as the batch: a copy of a name, and a map of a class. NULL: no
 * memory, which sending will say. */
const char *weir_nft_batch_keep(struct weir_nft_batch *batch, const char *name);
const struct weir_nft_set *weir_nft_batch_class_set(struct weir_nft_batch *batch, size_t i,
						    uint64_t class);
/* A number for a new set, of this batch. */
uint32_t weir_nft_batch_set_id(struct weir_nft_batch *batch);

/* Opens it; with a generation other than 0 the kernel takes it only if that is still its own. */
void weir_nft_batch_begin(struct weir_nft_batch *batch, uint32_t generation);

/* Take the object over (NULL: no memory). words is what trace and errors call it. */
void weir_nft_batch_add_table(struct weir_nft_batch *batch, struct nftnl_table *table);
void weir_nft_batch_delete_table(struct weir_nft_batch *batch);
void weir_nft_batch_add_chain(struct weir_nft_batch *batch, struct nftnl_chain *chain,
			      const char *name);
void weir_nft_batch_add_set(struct weir_nft_batch *batch, struct nftnl_set *set, const char *name);
void weir_nft_batch_delete_chain(struct weir_nft_batch *batch, const char *name);
void weir_nft_batch_delete_set(struct weir_nft_batch *batch, const char *name);
void weir_nft_batch_add_rule(struct weir_nft_batch *batch, struct nftnl_rule *rule,
			     const char *chain);

/* Elements of one set in a row share a message. entry: to blame, may be NULL. */
void weir_nft_batch_element(struct weir_nft_batch *batch, bool add, const struct weir_nft_set *set,
			    const struct weir_nft_element *element, const struct weir_entry *entry);
/* Deletes all rules of the table. */
void weir_nft_batch_flush_rules(struct weir_nft_batch *batch);
/* Deletes all elements of a set. */
void weir_nft_batch_flush(struct weir_nft_batch *batch, const struct weir_nft_set *set);

/* Closes it. */
void weir_nft_batch_end(struct weir_nft_batch *batch);

/* Sends it; dry: without its end, so that the kernel checks everything and changes nothing.
 * 0; -EAGAIN: the generation has moved; else the kernel's error. ret_failed: the message that it is
 * about, or NULL when it is about the whole. */
int weir_nft_batch_send(struct weir_nft_batch *batch, struct weir_nft_wire *wire, bool dry,
			const struct weir_nft_message **ret_failed, struct weir_err *err);

#endif
