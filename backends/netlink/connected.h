/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connected routes: the one that the kernel makes with each address, to all that share its prefix. It may
 * be deleted while the address stays, and everything else that leads by the interface needs it. */
#ifndef WEIR_BACKENDS_NETLINK_CONNECTED_H
#define WEIR_BACKENDS_NETLINK_CONNECTED_H

#include "backends/netlink/address.h"

/* Puts back those that are missing, as the kernel made them. An interface that is down has none, and gets
 * them when it goes up. */
int weir_connected_ensure(struct weir_channel *channel, const struct weir_addresses *addresses,
			  bool *changed, struct weir_err *err);
/* -ESTALE with the first that is missing. */
int weir_connected_check(struct weir_channel *channel, const struct weir_addresses *addresses,
			 struct weir_err *err);

#endif
