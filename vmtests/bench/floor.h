/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an attach or detach is about, and its rules. */
#ifndef WEIR_VMTESTS_BENCH_FLOOR_H
#define WEIR_VMTESTS_BENCH_FLOOR_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct job {
	const char *name, *bridge;
	char path[64], host_end[IFNAMSIZ], alias[96];
	uint32_t number;
	uint32_t addr_be;
	uint8_t mac[6];
	unsigned port, count;
};

/* Adds or deletes the rules of one endpoint, or ends the program. */
void floor_rules(const struct job *job, bool add);

#endif
