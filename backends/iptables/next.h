/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entries that are to be there after a change. */
#ifndef WEIR_BACKENDS_IPTABLES_NEXT_H
#define WEIR_BACKENDS_IPTABLES_NEXT_H

#include "backends/iptables/build.h"

/* What is there, sorted, changed by the delta; now NULL: what the delta adds is all. The view is of now
 * and of the delta. -ENOENT: what is to be removed is not there; -EEXIST: what is to be added is, with
 * another value, or collides; -ENOMEM. */
int weir_ipt_next(const struct weir_ruleset *now, const struct weir_delta *delta,
		  struct weir_ipt_view *ret, struct weir_err *err);

#endif
