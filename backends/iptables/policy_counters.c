/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came through the rules of each policy. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iptables/kernel.h"
#include "backends/iptables/policies.h"

struct list {
	struct weir_counter *items;
	size_t n, room;
};

static int add(struct list *list, const char *policy, const struct weir_ipt_rule *rule)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct weir_counter *items = realloc(list->items, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		list->items = items;
		list->room = room;
	}
	list->items[list->n++] = (struct weir_counter){ .policy = policy,
							.packets = rule->packets,
							.bytes = rule->bytes };
	return 0;
}

static int collect(const struct weir_ipt_image *image, struct list *list)
{
	int r = 0;
	for (size_t i = 0; i < image->n; i++)
		for (size_t j = 0; r == 0 && j < image->chains[i].n; j++) {
			const struct weir_ipt_rule *rule = &image->chains[i].rules[j];
			const char *policy = weir_ipt_read_policy_name(image->chains[i].name, rule);
			if (policy && policy[0])
				r = add(list, policy, rule);
		}
	return r;
}

/* The names outlive the images. */
static int append(const struct list *list, struct weir_counters *to)
{
	struct weir_counter *items = realloc(to->items, (to->n + list->n) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	to->items = items;
	for (size_t i = 0; i < list->n; i++) {
		items[to->n] = list->items[i];
		items[to->n].policy = weir_arena_strdup(&to->mappings.arena, list->items[i].policy);
		if (!items[to->n].policy)
			return -ENOMEM;
		to->n++;
	}
	return 0;
}

int weir_ipt_count_policies(const struct weir_ipt_kernel *kernel, struct weir_counters *to)
{
	struct list list = { 0 };
	int r = 0;
	for (size_t i = 0; r == 0 && i < WEIR_IPT_PLACES; i++)
		r = collect(&kernel->images[i], &list);
	list.n = weir_counters_join(list.items, list.n);
	if (r == 0 && list.n)
		r = append(&list, to);
	free(list.items);
	return r;
}
