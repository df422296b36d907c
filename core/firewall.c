/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the firewall contract's own values need. */
#include "core/firewall.h"

#include <stdlib.h>
#include <string.h>

const char *weir_firewall_capability(unsigned i)
{
	static const char *const words[] = {
		"the kernel is asked on a dry run", /* WEIR_FW_DRY_VALIDATE */
		"changes of others are noticed without reading the rules", /* WEIR_FW_GENERATION */
		"connections and drops are counted",			   /* WEIR_FW_COUNTERS */
		"a change is one commit",				   /* WEIR_FW_ONE_COMMIT */
	};
	return i < sizeof(words) / sizeof(words[0]) ? words[i] : NULL;
}

void weir_counters_free(struct weir_counters *counters)
{
	weir_ruleset_free(&counters->mappings);
	free(counters->items);
	*counters = (struct weir_counters){ 0 };
}

static int compare_policies(const void *a, const void *b)
{
	return strcmp(((const struct weir_counter *)a)->policy,
		      ((const struct weir_counter *)b)->policy);
}

size_t weir_counters_join(struct weir_counter *items, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(items, n, sizeof(*items), compare_policies);
	for (size_t i = 0; i < n; i++) {
		if (!kept || compare_policies(&items[kept - 1], &items[i]) != 0) {
			items[kept++] = items[i];
			continue;
		}
		items[kept - 1].packets += items[i].packets;
		items[kept - 1].bytes += items[i].bytes;
	}
	return kept;
}
