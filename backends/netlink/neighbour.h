/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Neighbours' caches: do they have to be told of an attachment, and telling them. */
#ifndef WEIR_BACKENDS_NETLINK_NEIGHBOUR_H
#define WEIR_BACKENDS_NETLINK_NEIGHBOUR_H

#include "backends/netlink/attach.h"

/* Tells the neighbours which MAC the attachment's addresses have. */
int weir_neighbours_tell(const struct weir_attach *a, struct weir_err *err);
/* Could they think otherwise? */
int weir_neighbours_may_be_wrong(const struct weir_attach *a, bool *ret, struct weir_err *err);

#endif
