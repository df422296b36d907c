/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forwarding inside an endpoint's namespace. */
#ifndef WEIR_BACKENDS_NETLINK_INSIDE_FORWARD_H
#define WEIR_BACKENDS_NETLINK_INSIDE_FORWARD_H

#include "backends/netlink/handle.h"

struct weir_inside_forward {
	const struct weir_links *links;
	const struct weir_endpoint *ep;
	struct weir_channel *channel; /* in the namespace */
	const char *lo_alias;	      /* of its loopback, as it is */
};

/* As ep->forward says; the calling thread is in the namespace. *ret_changed becomes true where something was
 * written. */
int weir_inside_forward_ensure(const struct weir_inside_forward *inside, bool *ret_changed,
			       struct weir_err *err);
/* Is it so? -ESTALE with what differs. */
int weir_inside_forward_check(const struct weir_inside_forward *inside, struct weir_err *err);

#endif
