/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock that all users of legacy iptables share. */
#ifndef WEIR_BACKENDS_IPTABLES_XLOCK_H
#define WEIR_BACKENDS_IPTABLES_XLOCK_H

#include "core/err.h"

/* Takes /run/xtables.lock ($XTABLES_LOCKFILE) with a limit of ten seconds. *ret_fd: close it to let go.
 * -EBUSY: somebody holds it for longer. */
int weir_ipt_lock(unsigned timeout_ms, int *ret_fd, struct weir_err *err);

#endif
