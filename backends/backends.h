/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which packet filters weir can drive. */
#ifndef WEIR_BACKENDS_BACKENDS_H
#define WEIR_BACKENDS_BACKENDS_H

#include "core/firewall.h"

/* In the order in which "auto" tries them; NULL at the end. The one in memory is the tests' alone. */
extern const struct weir_firewall_ops *const weir_firewalls[];

/* By name; NULL when there is none of that name. */
const struct weir_firewall_ops *weir_backend_find(const char *name);

/* The backend of that name, probed; for "auto" the first that this kernel can, where there are several.
 * -EINVAL: no such name, with those that there are. -EPERM, -EOPNOTSUPP: this host cannot; for
 * "auto" with every backend's reason. */
int weir_backend_pick(const char *name, const struct weir_firewall_ops **ret, struct weir_err *err);

#endif
