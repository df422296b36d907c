/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backends that say what they are asked and what came of it, around any backend of the table.
 *
 * For each call of a contract two lines go to the trace that open() is given: "> firewall commit",
 * then "< firewall commit: done, generation 8" or "< firewall commit: failed: <words>"; the changes
 * of prepare() stand one to a line as "+ <entry>" and "- <entry>". Between the two are the messages
 * that the backend itself says: it is handed the same trace. */
#ifndef WEIR_BACKENDS_TRACE_H
#define WEIR_BACKENDS_TRACE_H

#include "core/firewall.h"
#include "core/link.h"

/* A copy of `inner` whose handles are wrapped. probe and render, which have no handle, stay inner's.
 * A table that is none of backends/ comes back as it is. */
struct weir_firewall_ops weir_trace_firewall(const struct weir_firewall_ops *inner);
struct weir_link_ops weir_trace_links(const struct weir_link_ops *inner);

#endif
