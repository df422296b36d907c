/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's own name servers, as far as they matter to endpoints. Private to backends/netlink. */
#ifndef WEIR_BACKENDS_NETLINK_RESOLVERS_H
#define WEIR_BACKENDS_NETLINK_RESOLVERS_H

#include <stdbool.h>
#include <stdio.h>

/* Does /etc/resolv.conf name nobody but servers on the host's loopback, and is it known whom they ask? */
bool weir_resolvers_are_out_of_reach(void);
/* What an endpoint's resolv.conf says instead: those whom they ask, and what else the host's says. */
void weir_resolvers_write(FILE *out);

#endif
