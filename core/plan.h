/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change does, in words. Private to the engine. */
#ifndef WEIR_CORE_PLAN_H
#define WEIR_CORE_PLAN_H

#include "core/resolve.h"

/* Steps for what differs between the two models; also copies what was made or changed to plan->after. */
int weir_plan_describe(struct weir_plan *plan, const struct weir_resolution *res,
		       struct weir_err *err);
/* Hands it over, or when r is an error frees it; returns r. */
int weir_plan_give(struct weir_plan *plan, int r, struct weir_plan *ret);
/* One more step of the change; the words are copied. */
int weir_plan_add_step(struct weir_plan *plan, enum weir_action action, const char *object,
		       const char *name, const char *detail, struct weir_err *err);
/* One more thing that the kernel had lost or had too much; the words are copied. */
int weir_plan_add_drift(struct weir_plan *plan, enum weir_action action, const char *object,
			const char *name, const char *detail, struct weir_err *err);
/* One more thing to look at again; step's words are copied, its action says nothing. */
int weir_plan_add_warning(struct weir_plan *plan, const struct weir_step *step,
			  struct weir_err *err);
/* What differed and could not be mended: a warning that says why, instead of drift. */
int weir_plan_add_unmended(struct weir_plan *plan, const char *object, const char *name,
			   const char *why, struct weir_err *err);
/* Warnings about a policy among everybody that it may pick (policy_warn.c). */
int weir_plan_warn_policy(struct weir_plan *plan, const struct weir_model *all,
			  const struct weir_policy *policy, struct weir_err *err);

/* Ports that are new: who reaches them by other interfaces than their address tells, and whether anybody
 * outside does (port_warn.c). One of an endpoint's stands for all of the same kind. */
int weir_plan_warn_ports(struct weir_plan *plan, struct weir_session *s,
			 const struct weir_resolution *res, const struct weir_endpoint *ep,
			 struct weir_err *err);
/* Will the host have the address, when the networks are as they will be? */
int weir_plan_owns(struct weir_session *s, const struct weir_model *after,
		   const struct weir_addr *addr, bool *ret, struct weir_err *err);

/* What else an adopted bridge carries, and escapes or suffers; gateways that are not there, and addresses
 * to translate to that the host does not have (network_warn.c). What was so already is not said again. */
int weir_plan_warn_network(struct weir_plan *plan, struct weir_session *s,
			   const struct weir_resolution *res, const struct weir_network *net,
			   struct weir_err *err);

#endif
