/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset as a file for iptables-legacy-restore and ip6tables-legacy-restore. */
#ifndef WEIR_BACKENDS_IPTABLES_RENDER_H
#define WEIR_BACKENDS_IPTABLES_RENDER_H

#include <stdio.h>

#include "core/firewall.h"

/* -EINVAL: a name that no comment can hold; -EIO, -ENOMEM. */
int weir_ipt_render(const struct weir_ruleset *rules, const struct weir_epoch *epoch, FILE *out,
		    struct weir_err *err);

#endif
