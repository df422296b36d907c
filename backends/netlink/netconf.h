/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a namespace's settings the kernel tells without /proc/sys. */
#ifndef WEIR_BACKENDS_NETLINK_NETCONF_H
#define WEIR_BACKENDS_NETLINK_NETCONF_H

#include "backends/netlink/request.h"

/* net/ipv4/ip_forward or net/ipv6/conf/all/forwarding of the channel's namespace; -1: the kernel does
 * not tell, or has no such family. */
int weir_netconf_forwarding(struct weir_channel *channel, enum weir_family family);

#endif
