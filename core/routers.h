/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks whose gateways are endpoints: where the way out leads. */
#ifndef WEIR_CORE_ROUTERS_H
#define WEIR_CORE_ROUTERS_H

#include "core/model.h"

/* -EINVAL, naming the chain, when the way out of a network comes back to it. all holds everybody, resolved
 * and sorted; placed, some of them with their places. */
int weir_routers_check(const struct weir_model *all, const struct weir_model *placed,
		       struct weir_err *err);

#endif
