/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Converging: the kernel becomes what the store says, whatever it is now. Private to the engine. */
#ifndef WEIR_CORE_CONVERGE_H
#define WEIR_CORE_CONVERGE_H

#include "core/nameset.h"
#include "core/session.h"

/* Reads everything back, compares, and (unless the session is a dry run) mends. What differed goes to
 * plan->drift. Ends with the store's account of the kernel up to date and the session clean.
 * Endpoints whose foreign namespace is gone (in a session that restores, also those made at run time in
 * an earlier boot) stay as they are: ret_gone (may be NULL) names them, in the session's arena. */
int weir_converge(struct weir_session *s, struct weir_plan *plan, struct weir_nameset *ret_gone,
		  struct weir_err *err);

#endif
