/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spoof guard: the program on a port that lets an endpoint speak for itself only. */
#ifndef WEIR_BACKENDS_NETLINK_GUARD_H
#define WEIR_BACKENDS_NETLINK_GUARD_H

#include "backends/netlink/bpf.h"
#include "core/addr.h"

/* Who the endpoint behind a port is. */
struct weir_guard {
	struct weir_mac mac;
	struct weir_addr addrs[WEIR_NUM_FAMILIES]; /* none: no packet of that family */
	bool router;   /* forwards others' packets: their sources are free */
	bool gateway;  /* of this network: may advertise itself and redirect */
	bool open;     /* no guard at all */
	uint64_t rate; /* bits per second that pass; 0: any number */
};

/* Writes the program, which counts frames above the rate as none of the port's drops. It passes a frame on to the next classifier, or drops it. */
void weir_guard_write(const struct weir_guard *guard, struct weir_bpf *ret);

#endif
