/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens on a port, the host's end of an attachment: whose frames it lets in. */
#ifndef WEIR_BACKENDS_NETLINK_PORT_H
#define WEIR_BACKENDS_NETLINK_PORT_H

#include "backends/netlink/attach.h"

/* The port's index; fresh: it was just made, and nothing is on it. */
int weir_port_ensure(const struct weir_attach *a, int index, bool fresh, bool *changed,
		     struct weir_err *err);
/* -ESTALE with what differs. */
int weir_port_check(const struct weir_attach *a, int index, struct weir_err *err);

/* Of struct weir_link_ops. */
int weir_port_drops(struct weir_links *links, const struct weir_attachment *att, uint64_t *ret,
		    struct weir_err *err);

#endif
