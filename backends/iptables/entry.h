/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as the kernel's structures (struct ipt_entry, struct ip6t_entry), there and back. */
#ifndef WEIR_BACKENDS_IPTABLES_ENTRY_H
#define WEIR_BACKENDS_IPTABLES_ENTRY_H

#include "backends/iptables/rule.h"
#include "core/arena.h"

enum { WEIR_IPT_ENTRY_SIZE = 1408 }; /* with every match and the largest target: 1,270 */

/* Writes the rule's entry into buf; returns its length. */
size_t weir_ipt_entry_write(enum weir_family family, const struct weir_ipt_rule *rule, void *buf);

/* Reads an entry; label is libiptc's word for its target. Texts are copied into the arena. What
 * these words cannot say completely becomes a raw copy. -ENOMEM. */
int weir_ipt_entry_read(enum weir_family family, const void *entry, const char *label,
			struct weir_arena *arena, struct weir_ipt_rule *ret);

#endif
