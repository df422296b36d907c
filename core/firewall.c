/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the firewall contract's own values need. */
#include "core/firewall.h"

#include <stdlib.h>

void weir_counters_free(struct weir_counters *counters)
{
	weir_ruleset_free(&counters->mappings);
	free(counters->items);
	*counters = (struct weir_counters){ 0 };
}
