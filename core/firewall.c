/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the firewall contract's own values need. */
#include "core/firewall.h"

#include <stdlib.h>

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
