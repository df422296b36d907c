/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiler: what a model means, as a ruleset. Pure. */
#ifndef WEIR_POLICY_COMPILE_H
#define WEIR_POLICY_COMPILE_H

#include "core/ruleset.h"

/* Appends the entries of a resolved model, whole or partial, and sorts. Policies are compiled where the model
 * has any: then it is whole. Compiling part of a model gives
 * exactly the entries that its objects contribute to the whole; the difference of two such rulesets is
 * what a change of these objects does to the filter.
 * GUARD entries are not the model's (the engine adds them: they depend on who switched forwarding on).
 * -EEXIST when two objects want one key (two mappings of one host port). */
int weir_compile(const struct weir_model *model, struct weir_ruleset *ret, struct weir_err *err);

/* The policies' part of it alone: CLASS, MEMBER, PAIR, HOST_PAIR and CELL. It is about who there is, so the
 * model holds every network and endpoint (without mappings), is sorted, and never partial. Appends, unsorted;
 * a model without policies adds nothing. */
int weir_compile_policies(const struct weir_model *model, struct weir_ruleset *ret,
			  struct weir_err *err);

/* Where connections to a mapping of the endpoint's go in a family: an address in the model; NULL: nowhere. The
 * model is resolved and holds the endpoint's networks. */
const struct weir_addr *weir_compile_target(const struct weir_model *model,
					    const struct weir_endpoint *ep,
					    const struct weir_mapping *m, enum weir_family family);

#endif
