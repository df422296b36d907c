/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the firewall contract's own values need. */
#include "core/firewall.h"

#include <stdlib.h>

const char *weir_firewall_capability(unsigned i)
{
	static const char *const words[] = {
		"the kernel tries what a dry run would do", /* WEIR_FW_DRY_VALIDATE */
		"a commit notices those of others",	    /* WEIR_FW_GENERATION */
		"counts connections and drops",		    /* WEIR_FW_COUNTERS */
	};
	return i < sizeof(words) / sizeof(words[0]) ? words[i] : NULL;
}

void weir_counters_free(struct weir_counters *counters)
{
	weir_ruleset_free(&counters->mappings);
	free(counters->items);
	*counters = (struct weir_counters){ 0 };
}
