/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network's bridge. */
#ifndef WEIR_BACKENDS_NETLINK_BRIDGE_H
#define WEIR_BACKENDS_NETLINK_BRIDGE_H

#include "backends/netlink/handle.h"

/* weir's own bridge */
int weir_bridge_ensure(struct weir_links *links, const struct weir_network *net, bool *ret_changed,
		       struct weir_err *err);
int weir_bridge_check(struct weir_links *links, const struct weir_network *net,
		      struct weir_err *err);
/* Somebody else's: -ESTALE with what it lacks. */
int weir_bridge_check_adopted(struct weir_links *links, const struct weir_network *net,
			      struct weir_err *err);

/* Of struct weir_link_ops. */
int weir_bridge_fdb(struct weir_links *links, const struct weir_network *net,
		    struct weir_arena *arena, struct weir_fdb_entry **ret, size_t *ret_n,
		    struct weir_err *err);
/* host_neighbours.c */
int weir_bridge_neighbours(struct weir_links *links, const struct weir_network *net,
			   struct weir_arena *arena, struct weir_neighbour **ret, size_t *ret_n,
			   struct weir_err *err);

/* Does traffic between its ports meet the host's IP hooks? Its own switches or the global ones. */
bool weir_bridge_is_filtered(const struct weir_iface *bridge);

#endif
