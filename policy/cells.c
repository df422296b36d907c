/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several policies say together of each protocol and port.
 *
 * How it works: the services of all policies cut each protocol's ports (or ICMP types) into ranges, within
 * which every policy says the same of all. For each range the first policy that speaks at either gate is
 * found, and the two make a verdict; neighbours that say the same are joined. What is said of protocols that
 * no service names is the last cell, and ranges that say no more than it are left out. */
#include "policy/cells.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct flattening {
	const struct weir_policy *const *policies;
	size_t n;
	enum weir_cells_use use;
	struct weir_arena *arena;
	uint32_t *cuts; /* where ranges begin */
	size_t n_cuts;
	struct weir_cells *to;
};

/* ---- one range ---- */

static bool serves(const struct weir_policy *policy, enum weir_l4 l4, uint16_t number)
{
	for (size_t i = 0; i < policy->n_services; i++) {
		const struct weir_service *s = &policy->services[i];
		if (s->l4 == l4 && number >= s->ports.lo && number <= s->ports.hi)
			return true;
	}
	return policy->n_services == 0;
}

static const struct weir_policy *first_at(const struct flattening *f, enum weir_policy_gate gate,
					  enum weir_l4 l4, uint16_t number)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct weir_policy *policy = f->policies[i];
		if ((policy->gate == WEIR_BOTH_GATES || policy->gate == gate) &&
		    serves(policy, l4, number))
			return policy;
	}
	return NULL;
}

static bool denies(const struct weir_policy *policy)
{
	return policy && policy->action != WEIR_ALLOW;
}

static void set_verdict(struct weir_entry *cell, enum weir_cell_verdict verdict,
			const struct weir_policy *owner)
{
	cell->verdict = (uint8_t)verdict;
	cell->log = (uint8_t)owner->log;
	cell->owner = owner->name;
	cell->origin = owner->origin;
}

static struct weir_entry decide(const struct flattening *f, enum weir_l4 l4, uint16_t number)
{
	const struct weir_policy *egress = first_at(f, WEIR_EGRESS, l4, number);
	const struct weir_policy *ingress = first_at(f, WEIR_INGRESS, l4, number);
	const struct weir_policy *closes = denies(egress)    ? egress
					   : denies(ingress) ? ingress
							     : NULL;
	bool host = f->use == WEIR_CELLS_HOST;
	struct weir_entry cell = { .kind = WEIR_ENTRY_CELL, .l4 = (uint8_t)l4, .owner = "" };

	if (closes)
		set_verdict(&cell,
			    closes->action == WEIR_REJECT ? WEIR_CELL_REJECT : WEIR_CELL_DROP,
			    closes);
	else if (ingress)
		set_verdict(&cell, egress || host ? WEIR_CELL_ACCEPT : WEIR_CELL_ACCEPT_INGRESS,
			    ingress);
	else if (egress && !host)
		set_verdict(&cell, WEIR_CELL_ACCEPT_EGRESS, egress);
	return cell;
}

static bool says_the_same(const struct weir_entry *a, const struct weir_entry *b)
{
	return a->verdict == b->verdict && strcmp(a->owner, b->owner) == 0;
}

/* ---- one protocol ---- */

static int compare_cuts(const void *a_ptr, const void *b_ptr)
{
	uint32_t a = *(const uint32_t *)a_ptr, b = *(const uint32_t *)b_ptr;
	return (a > b) - (a < b);
}

static uint32_t number_max(enum weir_l4 l4)
{
	return l4 >= WEIR_L4_ICMP ? (uint32_t)WEIR_ICMP_TYPE_MAX : (uint32_t)WEIR_PORT_MAX;
}

static void find_cuts(struct flattening *f, enum weir_l4 l4)
{
	f->n_cuts = 0;
	f->cuts[f->n_cuts++] = 0;
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->policies[i]->n_services; k++) {
			const struct weir_service *s = &f->policies[i]->services[k];
			if (s->l4 != l4)
				continue;
			f->cuts[f->n_cuts++] = s->ports.lo;
			f->cuts[f->n_cuts++] = s->ports.hi + 1U;
		}
	qsort(f->cuts, f->n_cuts, sizeof(f->cuts[0]), compare_cuts);
}

static bool add_cell(struct flattening *f, const struct weir_entry *cell)
{
	struct weir_cells *to = f->to;
	struct weir_entry *items = weir_arena_grow(f->arena, to->items, to->n, sizeof(*items));
	if (!items)
		return false;
	to->items = items;
	items[to->n++] = *cell;
	return true;
}

/* A range is added when the next one says something else; `any` says it already: it is not. */
static bool flatten_protocol(struct flattening *f, enum weir_l4 l4, const struct weir_entry *any)
{
	struct weir_entry run = { .owner = "" };
	uint32_t max = number_max(l4);

	find_cuts(f, l4);
	if (f->n_cuts == 1)
		return true; /* no service names it */
	for (size_t i = 0; i < f->n_cuts && f->cuts[i] <= max; i++) {
		uint32_t end = i + 1 < f->n_cuts ? f->cuts[i + 1] : max + 1;
		if (end > max + 1)
			end = max + 1;
		if (end == f->cuts[i])
			continue;
		struct weir_entry cell = decide(f, l4, (uint16_t)f->cuts[i]);
		cell.ports = (struct weir_ports){ (uint16_t)f->cuts[i], (uint16_t)(end - 1) };
		if (i > 0 && run.l4 && says_the_same(&run, &cell)) {
			run.ports.hi = cell.ports.hi;
			continue;
		}
		if (run.l4 && !says_the_same(&run, any) && !add_cell(f, &run))
			return false;
		run = cell;
	}
	return says_the_same(&run, any) || add_cell(f, &run);
}

/* ---- all of them ---- */

bool weir_cells_equal(const struct weir_cells *a, const struct weir_cells *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!weir_entry_equal(&a->items[i], &b->items[i]))
			return false;
	return true;
}

static bool make_room(struct flattening *f)
{
	size_t n = 1;
	for (size_t i = 0; i < f->n; i++)
		n += 2 * f->policies[i]->n_services;
	f->cuts = weir_arena_alloc(f->arena, n * sizeof(f->cuts[0]));
	return f->cuts != NULL;
}

/* A protocol that no service names, of either family. */
static struct weir_entry decide_any(const struct flattening *f)
{
	return decide(f, WEIR_L4_ANY, 0);
}

int weir_cells_flatten(const struct weir_policy *const *policies, size_t n, enum weir_family family,
		       enum weir_cells_use use, struct weir_arena *arena, struct weir_cells *ret)
{
	struct weir_cells cells = { 0 };
	struct flattening f = {
		.policies = policies, .n = n, .use = use, .arena = arena, .to = &cells
	};
	const enum weir_l4 foreign = family == WEIR_IPV4 ? WEIR_L4_ICMPV6 : WEIR_L4_ICMP;
	const struct weir_entry any = decide_any(&f);

	if (!make_room(&f))
		return -ENOMEM;
	for (enum weir_l4 l4 = WEIR_L4_TCP; l4 < WEIR_NUM_L4S; l4++)
		if (l4 != foreign && !flatten_protocol(&f, l4, &any))
			return -ENOMEM;
	if (any.verdict != WEIR_CELL_CONTINUE && !add_cell(&f, &any))
		return -ENOMEM;
	cells.id = weir_list_id(cells.items, cells.n);
	for (size_t i = 0; i < cells.n; i++)
		cells.items[i].list = cells.id;
	*ret = cells;
	return 0;
}
