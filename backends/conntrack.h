/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that a change of the ruleset has cut, taken out of conntrack. */
#ifndef WEIR_BACKENDS_CONNTRACK_H
#define WEIR_BACKENDS_CONNTRACK_H

#include "core/firewall.h"

/* Deletes the connections of the caller's network namespace that match any of n, by their exact
 * original tuples. ret_forgotten (may be NULL): how many. One that is gone already is no error.
 * -EPERM, -EOPNOTSUPP (no conntrack netlink in this kernel), -ENOMEM, -EIO. */
int weir_conntrack_forget(const struct weir_flow_match *matches, size_t n, size_t *ret_forgotten,
			  struct weir_err *err);

/* The same, of those that `is_cut` says so of; every connection is shown to it. */
int weir_conntrack_forget_if(bool (*is_cut)(const void *ctx, const struct weir_connection *conn),
			     const void *ctx, size_t *ret_forgotten, struct weir_err *err);

#endif
