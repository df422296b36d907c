/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who knows whom by name: the hosts file of endpoints' namespaces. Private to the engine.
 *
 * An endpoint knows those with whom it shares a network, at their addresses there. So all endpoints in
 * the same networks share one file, and one more endpoint changes few. */
#ifndef WEIR_CORE_HOSTS_H
#define WEIR_CORE_HOSTS_H

#include "core/resolve.h"

/* After the change is in the store's transaction: the files follow it. Each pushes how to take it back. */
int weir_hosts_follow(struct weir_session *s, const struct weir_resolution *res,
		      struct weir_err *err);

/* The model is whole. Tells in the plan which files are not as they should be, */
int weir_hosts_compare(struct weir_session *s, const struct weir_model *model,
		       struct weir_plan *plan, struct weir_err *err);
/* and makes them so. */
int weir_hosts_mend(struct weir_session *s, const struct weir_model *model, struct weir_err *err);

#endif
