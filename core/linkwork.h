/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: what lies between two models, done in the order that keeps every port closed. Private to the
 * engine. Each step pushes how to take it back. */
#ifndef WEIR_CORE_LINKWORK_H
#define WEIR_CORE_LINKWORK_H

#include "core/resolve.h"

/* The network's interface as it should be, down when made. Not taken back by itself. */
int weir_links_ensure_network(struct weir_session *s, const struct weir_network *net,
			      struct weir_err *err);
/* Makes and changes, host ends down; what changes beyond mending is taken away first. */
int weir_links_prepare(struct weir_session *s, const struct weir_resolution *res,
		       struct weir_err *err);
/* The rules are in force: host ends up, routes, neighbours told. */
int weir_links_up(struct weir_session *s, const struct weir_resolution *res, struct weir_err *err);
/* Takes away the links that `after` does not have any more; then, last of all, the namespaces. */
int weir_links_withdraw(struct weir_session *s, const struct weir_resolution *res,
			struct weir_err *err);
int weir_netns_withdraw(struct weir_session *s, const struct weir_resolution *res,
			struct weir_err *err);

#endif
