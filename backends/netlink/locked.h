/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lets frames in through a locked port: its MAC address in the bridge's forwarding database. */
#ifndef WEIR_BACKENDS_NETLINK_LOCKED_H
#define WEIR_BACKENDS_NETLINK_LOCKED_H

#include "backends/netlink/attach.h"

/* now: the port as it stood before its flags were set, index 0: just made; index: its own.
 * -EOPNOTSUPP: this kernel locks no ports. */
int weir_locked_ensure(const struct weir_attach *a, const struct weir_iface *now, int index,
		       bool *changed, struct weir_err *err);
/* -ESTALE with what differs. */
int weir_locked_check(const struct weir_attach *a, const struct weir_iface *now,
		      struct weir_err *err);

#endif
