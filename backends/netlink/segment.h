/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network has on the host: a bridge of weir's or an adopted one, a VLAN's interface on its parent,
 * a parent, routes (refusal.h), or nothing. */
#ifndef WEIR_BACKENDS_NETLINK_SEGMENT_H
#define WEIR_BACKENDS_NETLINK_SEGMENT_H

#include "backends/netlink/handle.h"

/* Of struct weir_link_ops: network_ensure, network_up, network_check. */
int weir_segment_ensure(struct weir_links *links, const struct weir_network *net, bool *ret_changed,
			struct weir_err *err);
int weir_segment_up(struct weir_links *links, const struct weir_network *net, struct weir_err *err);
int weir_segment_check(struct weir_links *links, const struct weir_network *net,
		       struct weir_err *err);

/* The interface that attachments are made on: the parent, or the VLAN's interface on it. -ENOENT: it is
 * not there. */
int weir_segment_parent(struct weir_links *links, const struct weir_network *net,
			struct weir_iface *ret, struct weir_err *err);
/* The MTU of what stands on a parent and has none of its own. */
int weir_segment_mtu(struct weir_links *links, const struct weir_network *net, uint32_t *ret,
		     struct weir_err *err);

#endif
