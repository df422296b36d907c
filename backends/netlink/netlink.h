/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link backend on rtnetlink: core/link.h says what it does. */
#ifndef WEIR_BACKENDS_NETLINK_NETLINK_H
#define WEIR_BACKENDS_NETLINK_NETLINK_H

#include "core/link.h"

extern const struct weir_link_ops weir_netlink;

#endif
