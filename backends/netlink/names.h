/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An own namespace's resolv.conf and hosts, under /etc/netns/<endpoint>, where `ip netns exec` binds
 * them over those of the host. Files there that weir did not write are the user's and stay as they
 * are; so an endpoint without name servers of its own has the host's resolv.conf. */
#ifndef WEIR_BACKENDS_NETLINK_NAMES_H
#define WEIR_BACKENDS_NETLINK_NAMES_H

#include "backends/netlink/handle.h"

/* Of struct weir_link_ops. */
int weir_names_ensure(struct weir_links *links, const struct weir_endpoint *ep, bool *ret_changed,
		      struct weir_err *err);
/* What weir wrote, and the folders when they are empty then. */
int weir_names_remove(struct weir_links *links, const struct weir_endpoint *ep,
		      struct weir_err *err);

#endif
