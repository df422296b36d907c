/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two packet filters in memory hold. Private to memory/. */
#ifndef WEIR_BACKENDS_MEMORY_KERNEL_H
#define WEIR_BACKENDS_MEMORY_KERNEL_H

#include "backends/memory/memory.h"

struct weir_memory_kernel {
	bool present;
	bool broken; /* chains and rules are not as they should be */
	struct weir_ruleset rules;
	struct weir_epoch epoch;
	uint32_t moved; /* the generation, less the 1 that it starts from */
	struct weir_arena flow_arena;
	struct weir_flow_match *flows;
	size_t n_flows;
};

/* of weir_memory_firewall and of weir_memory_other */
extern struct weir_memory_kernel weir_memory_kernels[2];

#endif
