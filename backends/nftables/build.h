/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of the ruleset as one transaction. */
#ifndef WEIR_BACKENDS_NFTABLES_BUILD_H
#define WEIR_BACKENDS_NFTABLES_BUILD_H

#include "backends/nftables/batch.h"
#include "core/firewall.h"

/* What prepare() was asked for; the delta's entries are the caller's. */
struct weir_nft_change {
	struct weir_delta delta; /* arena unused */
	bool whole;
	bool covered; /* as WEIR_FW_COVERED says */
	struct weir_firewall_state old;
	struct weir_epoch epoch;
};

/* Writes the messages into an empty batch. It stays without messages when there is nothing to do.
 * -EINVAL: an entry that nftables cannot hold, at its origin. */
int weir_nft_build(const struct weir_nft_change *change, struct weir_nft_batch *ret,
		   struct weir_err *err);

/* What goes before it, in a transaction of its own; no messages: nothing. */
void weir_nft_build_before(const struct weir_nft_change *change, struct weir_nft_batch *ret);

#endif
