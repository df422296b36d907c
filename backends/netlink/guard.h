/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spoof guard: the program on a port that lets an endpoint speak for itself only. */
#ifndef WEIR_BACKENDS_NETLINK_GUARD_H
#define WEIR_BACKENDS_NETLINK_GUARD_H

#include "backends/netlink/classic.h"
#include "core/addr.h"

/* Who the endpoint behind a port is. */
struct weir_guard {
	struct weir_mac mac;
	struct weir_addr addrs[WEIR_NUM_FAMILIES]; /* none: no packet of that family */
	bool router;  /* forwards others' packets: their sources are free */
	bool gateway; /* of this network: may advertise itself and redirect */
};

/* Writes the program. It answers TC_ACT_UNSPEC, which passes a frame on to the next classifier, or
 * TC_ACT_SHOT, and nothing else. */
void weir_guard_write(const struct weir_guard *guard, struct weir_classic *ret);

#endif
