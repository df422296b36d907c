/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings that only the interfaces serve which have their address. */
#ifndef WEIR_BACKENDS_IPTABLES_STRICT_H
#define WEIR_BACKENDS_IPTABLES_STRICT_H

#include "backends/iptables/builder.h"

/* Are there any of this family? */
bool weir_ipt_has_strict(const struct weir_ipt_builder *b);

/* The chain that PREROUTING (of nat) or INPUT (of filter) jumps to before all else. */
#define WEIR_IPT_STRICT "WEIR-STRICT"
/* Makes it, and those beneath it. */
void weir_ipt_build_strict(struct weir_ipt_builder *b, enum weir_ipt_table table);

#endif
