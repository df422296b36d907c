/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains of endpoints that are isolated from each other. */
#ifndef WEIR_BACKENDS_IPTABLES_ISOLATED_H
#define WEIR_BACKENDS_IPTABLES_ISOLATED_H

#include "backends/iptables/builder.h"

/* Of each network that has some, be it there (yet) or not. */
void weir_ipt_build_isolated(struct weir_ipt_builder *b);
/* Leads there what goes from a network to itself. */
void weir_ipt_put_isolated(struct weir_ipt_builder *b, size_t chain, const struct weir_entry *net);

#endif
