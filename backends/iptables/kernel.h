/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All four places as they are in the kernel, and what they say together. */
#ifndef WEIR_BACKENDS_IPTABLES_KERNEL_H
#define WEIR_BACKENDS_IPTABLES_KERNEL_H

#include "backends/iptables/table.h"

/* { 0 } is nothing read. */
struct weir_ipt_kernel {
	struct weir_ipt_image images[WEIR_IPT_PLACES];
};

void weir_ipt_kernel_free(struct weir_ipt_kernel *kernel);
#define WEIR_CLEAN_IPT_KERNEL __attribute__((cleanup(weir_ipt_kernel_free)))

/* Reads a place, or only one chain of it; a table that is absent is empty and stays absent. */
int weir_ipt_kernel_read_place(struct weir_ipt_kernel *kernel, size_t place, const char *only,
			       struct weir_err *err);
/* Reads all of them. */
int weir_ipt_kernel_read(struct weir_ipt_kernel *kernel, struct weir_err *err);

/* Is anything of weir's there, and whose? */
void weir_ipt_kernel_state(const struct weir_ipt_kernel *kernel, struct weir_firewall_state *ret);

/* A number that changes when rules come or go in any of the tables, by whomever. One that is put in the
 * place of another of the same size is not noticed. 0: the kernel does not tell. */
uint32_t weir_ipt_kernel_generation(void);

/* The entries that the rules stand for, sorted. -EEXIST when they contradict one another. */
int weir_ipt_kernel_entries(const struct weir_ipt_kernel *kernel, struct weir_ruleset *ret,
			    struct weir_err *err);

/* Are all chains and rules those of these entries? 0, or -ESTALE naming the first difference. */
int weir_ipt_kernel_check(const struct weir_ipt_kernel *kernel, const struct weir_ruleset *rules,
			  struct weir_err *err);

/* Adds a counter for each policy, all of its rules in both families together. -ENOMEM. */
int weir_ipt_count_policies(const struct weir_ipt_kernel *kernel, struct weir_counters *to);

/* Counters of mappings, policies and drops. */
int weir_ipt_kernel_counters(const struct weir_ipt_kernel *kernel, struct weir_counters *ret,
			     struct weir_err *err);

#endif
