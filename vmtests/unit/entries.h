/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of a ruleset by hand, for tests of what holds them. */
#ifndef WEIR_UNIT_ENTRIES_H
#define WEIR_UNIT_ENTRIES_H

#include "vmtests/unit/cm.h"

#include "core/ruleset.h"

/* NULL and "": none. */
static inline struct weir_addr addr(const char *text)
{
	struct weir_addr ret = { 0 };
	if (text && *text)
		assert_int_equal(weir_addr_parse(text, &ret, NULL), 0);
	return ret;
}

static inline struct weir_entry mapping(const char *host, enum weir_proto proto, uint16_t lo,
					uint16_t hi, const char *to, uint16_t to_port,
					const char *owner)
{
	struct weir_entry entry = { .kind = WEIR_ENTRY_MAPPING,
				    .addr = addr(host),
				    .to = addr(to),
				    .proto = (uint8_t)proto,
				    .ports = { lo, hi },
				    .to_port = to_port,
				    .owner = owner };
	entry.family = entry.to.family;
	return entry;
}

static inline struct weir_entry strict(const char *host, enum weir_proto proto, uint16_t lo,
				       uint16_t hi, const char *owner)
{
	struct weir_entry entry = { .kind = WEIR_ENTRY_STRICT,
				    .addr = addr(host),
				    .proto = (uint8_t)proto,
				    .ports = { lo, hi },
				    .owner = owner };
	entry.family = entry.addr.family;
	return entry;
}

static inline void sort(struct weir_ruleset *rules)
{
	struct weir_err err = { 0 };
	if (weir_ruleset_sort(rules, &err) != 0)
		fail_msg("the sample contradicts itself: %s", err.text);
}

#endif
