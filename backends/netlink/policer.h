/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policer: the program on a port that drops what an endpoint sends above its rate. */
#ifndef WEIR_BACKENDS_NETLINK_POLICER_H
#define WEIR_BACKENDS_NETLINK_POLICER_H

#include "backends/netlink/bpf.h"

/* Writes the program; rate: bits per second that pass, more than 0; burst: bytes that its sender may send at
 * once. It passes a frame on to the next classifier, or takes it away without counting it as one of the port's
 * drops. */
void weir_policer_write(uint64_t rate, uint64_t burst, struct weir_bpf *ret);

#endif
