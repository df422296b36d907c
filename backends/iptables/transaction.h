/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of all four places, in steps that fail closed, and back again when one fails. */
#ifndef WEIR_BACKENDS_IPTABLES_TRANSACTION_H
#define WEIR_BACKENDS_IPTABLES_TRANSACTION_H

#include "backends/iptables/kernel.h"

enum { WEIR_IPT_STEPS = 6 };

/* One commit. */
struct weir_ipt_step {
	size_t place;
	const struct weir_ipt_image *before, *after;
};

/* { .lock = -1 } is none. */
struct weir_ipt_transaction {
	int lock;
	const struct weir_trace *trace;
	struct weir_ipt_kernel now;    /* as it was found */
	struct weir_ipt_kernel middle; /* filter only, and only when needed */
	struct weir_ipt_kernel wanted;
	struct weir_ruleset rules; /* as it was found; what next and the texts of wanted point to */
	struct weir_ipt_view next;
	struct weir_ruleset between; /* what middle's texts belong to */
	struct weir_epoch epoch;
	bool dropped[WEIR_IPT_PLACES]; /* images of wanted: to be built again when asked for */
	struct weir_ipt_handle handles[WEIR_IPT_PLACES]; /* now's snapshots */
	struct weir_ipt_step steps[WEIR_IPT_STEPS];
	size_t n_steps;
};

/* Takes the lock and reads what is there. */
int weir_ipt_transaction_open(const struct weir_trace *trace, unsigned timeout_ms,
			      struct weir_ipt_transaction *ret, struct weir_err *err);

/* Plans the steps from what is there (`old`, as entries, sorted) to `next`. The transaction takes both
 * over: they are empty afterwards. epoch NULL: nothing is to remain.
 * covered: as WEIR_FW_COVERED says. */
int weir_ipt_transaction_plan(struct weir_ipt_transaction *t, struct weir_ruleset *old,
			      struct weir_ipt_view *next, const struct weir_epoch *epoch,
			      bool covered, struct weir_err *err);

/* Goes through the steps. On an error nothing is changed, or the error says that going back failed. */
int weir_ipt_transaction_run(struct weir_ipt_transaction *t, struct weir_err *err);

void weir_ipt_transaction_close(struct weir_ipt_transaction *t);

#endif
