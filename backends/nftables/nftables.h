/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nftables backend: the ruleset as elements of one table, `inet weir`. */
#ifndef WEIR_BACKENDS_NFTABLES_NFTABLES_H
#define WEIR_BACKENDS_NFTABLES_NFTABLES_H

#include "core/firewall.h"

extern const struct weir_firewall_ops weir_nftables;

#endif
