/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The token bucket (tbf) in front of an interface: what it sends is delayed to a rate. */
#ifndef WEIR_BACKENDS_NETLINK_SHAPE_H
#define WEIR_BACKENDS_NETLINK_SHAPE_H

#include "backends/netlink/request.h"

struct weir_shaped {
	struct weir_channel *channel;
	const char *ifname;
	int index;
	unsigned mtu;
};

/* Bytes that pass at once, at a rate in bits per second. */
uint64_t weir_shape_burst(uint64_t rate, unsigned mtu);
/* rate in bits per second; 0: none. fresh: the interface was just made. */
int weir_shape_ensure(const struct weir_shaped *iface, uint64_t rate, bool fresh, bool *changed,
		      struct weir_err *err);
/* -ESTALE with what differs. */
int weir_shape_check(const struct weir_shaped *iface, uint64_t rate, struct weir_err *err);

#endif
