/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading `table inet weir` back: its owner, its frame, its elements and their figures. */
#ifndef WEIR_BACKENDS_NFTABLES_READ_H
#define WEIR_BACKENDS_NFTABLES_READ_H

#include "backends/nftables/wire.h"
#include "core/firewall.h"

/* An entry as the kernel has it. */
struct weir_nft_item {
	struct weir_entry entry; /* owner lives in the list's arena */
	uint64_t packets, bytes; /* of a mapping or a cell */
};

/* { 0 } is an empty one. */
struct weir_nft_items {
	struct weir_arena arena;
	struct weir_nft_item *items; /* sorted by key */
	size_t n, room;
};

void weir_nft_items_free(struct weir_nft_items *items);

/* Packets dropped, by enum weir_drop. */
struct weir_nft_drops {
	uint64_t packets[WEIR_NUM_DROPS], bytes[WEIR_NUM_DROPS];
};

/* Is there a table of the name? */
int weir_nft_read_presence(struct weir_nft_wire *wire, bool *ret);

int weir_nft_read_state(struct weir_nft_wire *wire, struct weir_firewall_state *ret,
			struct weir_err *err);

/* Appends a copy; -ENOMEM. */
int weir_nft_items_add(struct weir_nft_items *items, const struct weir_entry *entry,
		       uint64_t packets, uint64_t bytes);

/* Chains, sets and rules are as they should be: 0; -ESTALE names what is not; -ENOENT: there is no
 * table. drops (may be NULL) gets the figures of what could be read, items (may be NULL) the classes and
 * cells. */
int weir_nft_read_frame(struct weir_nft_wire *wire, struct weir_nft_drops *drops,
			struct weir_nft_items *items, struct weir_err *err);

/* All elements of all sets, and of those of the classes that are in ret already, which it sorts. -ESTALE: some are not of weir's making or contradict each other; what
 * could be read is in ret all the same. -EINTR: somebody wrote meanwhile, or the kernel's own tables are growing. */
int weir_nft_read_items(struct weir_nft_wire *wire, struct weir_nft_items *ret,
			struct weir_err *err);

/* For a table without an epoch: 0 if it can only be weir's own, mutilated; -EBUSY if not. */
int weir_nft_read_ownership(struct weir_nft_wire *wire, const char *store, struct weir_err *err);

#endif
