/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The matches and targets that weir uses: for each its kernel structure and its words. */
#ifndef WEIR_BACKENDS_IPTABLES_WORDS_H
#define WEIR_BACKENDS_IPTABLES_WORDS_H

#include <stdio.h>

#include "backends/iptables/rule.h"

/* One match or target extension. */
struct weir_ipt_word {
	const char *name;
	uint8_t revision;
	uint8_t verdict; /* a target's */
	uint8_t family;	 /* enum weir_family; none: both */
	uint16_t size;	 /* of its payload */
	/* Does the rule need it? NULL for targets: their verdict says so. */
	bool (*wanted)(const struct weir_ipt_rule *rule);
	void (*write)(enum weir_family family, const struct weir_ipt_rule *rule, void *payload);
	/* What the payload says, as far as the words reach; the caller compares what they write. */
	void (*read)(enum weir_family family, const void *payload, struct weir_ipt_rule *rule);
	void (*text)(const struct weir_ipt_rule *rule, FILE *out);
};

/* In the order in which they stand in a rule. */
extern const struct weir_ipt_word weir_ipt_matches[];
extern const size_t weir_ipt_n_matches;
extern const struct weir_ipt_word weir_ipt_targets[];
extern const size_t weir_ipt_n_targets;

/* As the restore tools read it. */
void weir_ipt_say_quoted(const char *text, FILE *out);

#endif
