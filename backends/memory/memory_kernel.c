/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the packet filters in memory hold, and what others than weir do to it. */
#include "backends/memory/memory_kernel.h"

#include <errno.h>
#include <string.h>

struct weir_memory_kernel weir_memory_kernels[2];

int weir_memory_add_flow(const struct weir_flow_match *flow)
{
	struct weir_flow_match *flows =
		weir_arena_grow(&weir_memory_kernels[0].flow_arena, weir_memory_kernels[0].flows,
				weir_memory_kernels[0].n_flows, sizeof(*flows));
	if (!flows)
		return -ENOMEM;
	flows[weir_memory_kernels[0].n_flows++] = *flow;
	weir_memory_kernels[0].flows = flows;
	return 0;
}

size_t weir_memory_flows(void)
{
	return weir_memory_kernels[0].n_flows;
}

const struct weir_ruleset *weir_memory_rules(void)
{
	return &weir_memory_kernels[0].rules;
}

const struct weir_ruleset *weir_memory_other_rules(void)
{
	return &weir_memory_kernels[1].rules;
}

bool weir_memory_drop_entry(size_t i)
{
	if (i >= weir_memory_kernels[0].rules.n)
		return false;
	struct weir_entry *entries = weir_memory_kernels[0].rules.entries;
	memmove(&entries[i], &entries[i + 1],
		(weir_memory_kernels[0].rules.n - i - 1) * sizeof(entries[0]));
	weir_memory_kernels[0].rules.n--;
	weir_memory_kernels[0].moved++;
	return true;
}

void weir_memory_damage(enum weir_memory_damage damage)
{
	weir_memory_kernels[0].moved++;
	if (damage == WEIR_MEMORY_OTHER || !weir_memory_kernels[0].present)
		return;
	if (damage == WEIR_MEMORY_FLUSHED || damage == WEIR_MEMORY_EMPTIED)
		weir_ruleset_free(&weir_memory_kernels[0].rules);
	if (damage == WEIR_MEMORY_FLUSHED)
		weir_memory_kernels[0].present = weir_memory_kernels[0].broken = false;
	if (damage == WEIR_MEMORY_BROKEN)
		weir_memory_kernels[0].broken = true;
	if (damage == WEIR_MEMORY_FLUSHED || damage == WEIR_MEMORY_NO_EPOCH)
		weir_memory_kernels[0].epoch = (struct weir_epoch){ 0 };
}

void weir_memory_reset_firewall(void)
{
	for (size_t i = 0; i < 2; i++) {
		weir_ruleset_free(&weir_memory_kernels[i].rules);
		weir_arena_free(&weir_memory_kernels[i].flow_arena);
	}
	memset(weir_memory_kernels, 0, sizeof(weir_memory_kernels));
}

void weir_memory_print_firewall(FILE *out)
{
	for (size_t i = 0; i < 2; i++) {
		const struct weir_memory_kernel *kernel = &weir_memory_kernels[i];
		if (!kernel->present)
			continue;
		(void)fprintf(out, "%srules of %s%s\n", i ? "other " : "", kernel->epoch.store,
			      kernel->broken ? " (broken)" : "");
		weir_ruleset_print(&kernel->rules, out);
	}
}
