/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes that refuse what no endpoint of a routed network has. */
#ifndef WEIR_BACKENDS_NETLINK_REFUSAL_H
#define WEIR_BACKENDS_NETLINK_REFUSAL_H

#include "backends/netlink/handle.h"

/* Of struct weir_link_ops: network_ensure, network_check. */
int weir_refusals_ensure(struct weir_links *links, const struct weir_network *net, bool *changed,
			 struct weir_err *err);
int weir_refusals_check(struct weir_links *links, const struct weir_network *net,
			struct weir_err *err);

/* By the name of the network's ports, as if it were an interface's. */
int weir_refusals_remove(struct weir_links *links, const char *ports, struct weir_err *err);
typedef int (*weir_refusal_each)(const char *ports, void *ctx); /* NULL: starts anew */
/* A name may come more than once. */
int weir_refusals_walk(struct weir_links *links, weir_refusal_each each, void *ctx,
		       struct weir_err *err);

#endif
