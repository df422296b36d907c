/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole table as a file for `nft -f`. */
#ifndef WEIR_BACKENDS_NFTABLES_RENDER_H
#define WEIR_BACKENDS_NFTABLES_RENDER_H

#include "core/firewall.h"

/* Loading the file replaces the table. -EINVAL: an owner that nft's quotes cannot hold. */
int weir_nft_render(const struct weir_ruleset *rules, const struct weir_epoch *epoch, FILE *out,
		    struct weir_err *err);

#endif
