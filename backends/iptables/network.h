/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains of each network in table filter. */
#ifndef WEIR_BACKENDS_IPTABLES_NETWORK_H
#define WEIR_BACKENDS_IPTABLES_NETWORK_H

#include "backends/iptables/builder.h"

/* Of all of them, and of sources and segments whose network is not there. */
void weir_ipt_build_networks(struct weir_ipt_builder *b);

#endif
