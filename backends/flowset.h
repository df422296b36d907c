/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of matches of connections, asked of each connection there is whether any of them matches. */
#ifndef WEIR_BACKENDS_FLOWSET_H
#define WEIR_BACKENDS_FLOWSET_H

#include "core/firewall.h"

/* { 0 } is an empty one. */
struct weir_flowset {
	struct weir_flow_match *items; /* from malloc; as flowset.c says */
	size_t n;
};

/* Of n matches, which it copies; -ENOMEM. */
int weir_flowset_make(const struct weir_flow_match *matches, size_t n, struct weir_flowset *ret,
		      struct weir_err *err);
void weir_flowset_free(struct weir_flowset *set);
#define WEIR_CLEAN_FLOWSET __attribute__((cleanup(weir_flowset_free)))

/* Does any of them match this connection? It is given as the narrowest match of it: of the addresses alone
 * (no prefix lengths), and of dst_ports only lo, 0 where its protocol has none. `untranslated`: no NAT
 * has touched it; whether it is `published` the addresses tell. */
bool weir_flowset_matches(const struct weir_flowset *set, const struct weir_flow_match *conn);

#endif
