/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset that holds while nat changes. */
#ifndef WEIR_BACKENDS_IPTABLES_MIDDLE_H
#define WEIR_BACKENDS_IPTABLES_MIDDLE_H

#include "backends/iptables/build.h"

/* What closes is in it when either ruleset has it, what opens when both have it. Both sorted, and so
 * is the result. -ENOMEM. */
int weir_ipt_middle(const struct weir_ruleset *old, const struct weir_ipt_view *new,
		    struct weir_ruleset *ret, struct weir_err *err);

#endif
