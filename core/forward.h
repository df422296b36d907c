/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forwarding on the host: switched on where a network needs it, remembered, restored, and guarded: where
 * weir switched it on, nothing but weir's traffic is forwarded. Private to the engine. */
#ifndef WEIR_CORE_FORWARD_H
#define WEIR_CORE_FORWARD_H

#include "core/session.h"

/* What has to be done about forwarding of each family. */
struct weir_forwarding {
	bool needed[WEIR_NUM_FAMILIES];	 /* by the networks in the store */
	bool guarded[WEIR_NUM_FAMILIES]; /* weir has switched it on */
	bool switch_on[WEIR_NUM_FAMILIES];
	bool restore[WEIR_NUM_FAMILIES];
	bool keep; /* what is switched on is the host's own: neither guarded nor recorded */
};

/* Reads the store (with the change in it) and the kernel. */
int weir_forwarding_plan(struct weir_session *s, struct weir_forwarding *ret, struct weir_err *err);
/* Writes the sysctls that are needed and records what they were, unless the host keeps them; each recorded
 * one with its undo. */
int weir_forwarding_switch_on(struct weir_session *s, const struct weir_forwarding *fwd,
			      struct weir_err *err);
/* Puts back what was recorded, where no network needs it any more. */
int weir_forwarding_restore(struct weir_session *s, const struct weir_forwarding *fwd,
			    struct weir_err *err);
/* GUARD entries for the families that are guarded before (after: will be). */
int weir_forwarding_guards(const struct weir_forwarding *fwd, bool after,
			   struct weir_ruleset *rules, struct weir_err *err);
/* Recorded sysctls that have another value than weir gave them are told as drift, or without a plan get
 * it again: only when the rules stand, since forwarding may be among them. */
int weir_forwarding_compare(struct weir_session *s, struct weir_plan *plan, struct weir_err *err);

/* Takes the records out of the store: those of an earlier boot, or that the host keeps. */
int weir_forwarding_forget(struct weir_session *s, struct weir_err *err);

#endif
