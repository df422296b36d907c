/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All four places as they are in the kernel, and what they say together. */
#include "backends/iptables/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iptables/policies.h"

void weir_ipt_kernel_free(struct weir_ipt_kernel *kernel)
{
	for (size_t i = 0; i < WEIR_IPT_PLACES; i++)
		weir_ipt_image_free(&kernel->images[i]);
}

int weir_ipt_kernel_read_place(struct weir_ipt_kernel *kernel, size_t place, const char *only,
			       struct weir_err *err)
{
	struct weir_ipt_handle handle = { 0 };
	if (!weir_ipt_table_exists(&weir_ipt_places[place]))
		return 0;
	int r = weir_ipt_table_open(&weir_ipt_places[place], &handle, err);
	if (r == 0)
		r = weir_ipt_table_read(&handle, only, &kernel->images[place], err);
	weir_ipt_table_close(&handle);
	return r;
}

int weir_ipt_kernel_read(struct weir_ipt_kernel *kernel, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < WEIR_IPT_PLACES; i++)
		r = weir_ipt_kernel_read_place(kernel, i, NULL, err);
	return r;
}

void weir_ipt_kernel_state(const struct weir_ipt_kernel *kernel, struct weir_firewall_state *ret)
{
	struct weir_firewall_state state = { 0 };
	for (size_t i = 0; i < WEIR_IPT_PLACES; i++)
		state.present |= kernel->images[i].n > 0;
	(void)weir_ipt_read_epoch(&kernel->images[WEIR_IPT_HOME], &state.epoch); /* none: empty */
	*ret = state;
}

uint32_t weir_ipt_kernel_generation(void)
{
	uint32_t hash = 0x811c9dc5; /* of nothing */
	for (size_t i = 0; i < WEIR_IPT_PLACES; i++)
		if (!weir_ipt_table_stir(&weir_ipt_places[i], &hash))
			return 0;
	return hash ? hash : 1;
}

/* ---- entries ---- */

/* What is done with an entry and the rule that it was read from. */
struct reader {
	int (*take)(struct reader *reader, const struct weir_entry *entry,
		    const struct weir_ipt_rule *rule);
	void *to;
	struct weir_err *err;
};

static int read_chain(struct reader *reader, const struct weir_ipt_place *place,
		      const struct weir_ipt_chain *chain)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < chain->n; i++) {
		struct weir_entry entry;
		if (weir_ipt_read_entry(place, chain->name, &chain->rules[i], &entry))
			r = reader->take(reader, &entry, &chain->rules[i]);
	}
	return r;
}

static int read_all(const struct weir_ipt_kernel *kernel, struct reader *reader)
{
	int r = 0;
	for (size_t i = 0; i < WEIR_IPT_PLACES; i++)
		for (size_t j = 0; r == 0 && j < kernel->images[i].n; j++)
			r = read_chain(reader, &weir_ipt_places[i], &kernel->images[i].chains[j]);
	return r;
}

static int take_entry(struct reader *reader, const struct weir_entry *entry,
		      const struct weir_ipt_rule *rule)
{
	(void)rule;
	return weir_ruleset_add(reader->to, entry, reader->err);
}

int weir_ipt_kernel_entries(const struct weir_ipt_kernel *kernel, struct weir_ruleset *ret,
			    struct weir_err *err)
{
	struct reader reader = { .take = take_entry, .to = ret, .err = err };
	size_t most = 0;
	for (size_t i = 0; i < WEIR_IPT_PLACES; i++)
		for (size_t j = 0; j < kernel->images[i].n; j++)
			most += kernel->images[i].chains[j].n;
	int r = weir_ruleset_reserve(ret, most, err);
	if (r == 0)
		r = read_all(kernel, &reader);
	return r < 0 ? r : weir_ruleset_sort(ret, err);
}

/* ---- checking ---- */

static int check_place(const struct weir_ipt_image *there, size_t place,
		       const struct weir_ruleset *rules, const struct weir_epoch *epoch,
		       struct weir_err *err)
{
	struct weir_ipt_image wanted = { 0 };
	char text[WEIR_IPT_DIFFERENCE_TEXT];
	int r = weir_ipt_build(&weir_ipt_places[place], rules, epoch, &wanted);
	if (r < 0)
		return weir_err_set(err, r, "no memory to check the rules");
	const char *difference = weir_ipt_image_difference(there, &wanted, text);
	if (difference)
		r = weir_err_set(err, ESTALE, "table %s was changed: %s (weir repair)",
				 weir_ipt_place_name(&weir_ipt_places[place]), difference);
	weir_ipt_image_free(&wanted);
	return r;
}

int weir_ipt_kernel_check(const struct weir_ipt_kernel *kernel, const struct weir_ruleset *rules,
			  struct weir_err *err)
{
	struct weir_epoch epoch;
	bool owned = weir_ipt_read_epoch(&kernel->images[WEIR_IPT_HOME], &epoch);
	if (!owned || !epoch.store[0])
		return weir_err_set(err, ESTALE,
				    "chain " WEIR_IPT_EPOCH_CHAIN " of table %s is %s "
				    "(weir repair)",
				    weir_ipt_place_name(&weir_ipt_places[WEIR_IPT_HOME]),
				    owned ? "not as weir wrote it" : "missing");
	int r = 0;
	for (size_t i = 0; r == 0 && i < WEIR_IPT_PLACES; i++)
		if (weir_ipt_family_exists(weir_ipt_places[i].family))
			r = check_place(&kernel->images[i], i, rules, &epoch, err);
	return r;
}

/* ---- counters ---- */

struct counted {
	struct weir_entry entry;
	uint64_t packets, bytes;
};

struct counting {
	struct counted *items;
	size_t n, room;
};

static int take_mapping(struct reader *reader, const struct weir_entry *entry,
			const struct weir_ipt_rule *rule)
{
	struct counting *to = reader->to;
	if (entry->kind != WEIR_ENTRY_MAPPING)
		return 0;
	if (to->n == to->room) {
		size_t room = to->room ? to->room * 2 : 64;
		struct counted *items = realloc(to->items, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		to->items = items;
		to->room = room;
	}
	to->items[to->n++] = (struct counted){ *entry, rule->packets, rule->bytes };
	return 0;
}

static int compare_counted(const void *a, const void *b)
{
	return weir_entry_key_cmp(&((const struct counted *)a)->entry,
				  &((const struct counted *)b)->entry);
}

static void count_drop(const char *chain, const struct weir_ipt_rule *rule,
		       struct weir_counter drops[WEIR_NUM_DROPS])
{
	size_t skip = strlen(WEIR_IPT_DROPS);
	if ((rule->verdict == WEIR_IPT_DROP || rule->verdict == WEIR_IPT_REJECT) &&
	    weir_ipt_read_policy_name(chain, rule)) {
		drops[WEIR_DROP_POLICY].packets += rule->packets;
		drops[WEIR_DROP_POLICY].bytes += rule->bytes;
		return;
	}
	if (rule->verdict != WEIR_IPT_DROP || !rule->comment ||
	    strncmp(rule->comment, WEIR_IPT_DROPS, skip) != 0)
		return;
	for (int i = 0; i < WEIR_NUM_DROPS; i++) {
		if (strcmp(rule->comment + skip, weir_drop_reason(i)) != 0)
			continue;
		drops[i].packets += rule->packets;
		drops[i].bytes += rule->bytes;
	}
}

static void count_drops(const struct weir_ipt_kernel *kernel,
			struct weir_counter drops[WEIR_NUM_DROPS])
{
	for (int i = 0; i < WEIR_NUM_DROPS; i++)
		drops[i] = (struct weir_counter){ .reason = weir_drop_reason(i) };
	for (size_t i = 0; i < WEIR_IPT_PLACES; i++)
		for (size_t j = 0; j < kernel->images[i].n; j++)
			for (size_t k = 0; k < kernel->images[i].chains[j].n; k++)
				count_drop(kernel->images[i].chains[j].name,
					   &kernel->images[i].chains[j].rules[k], drops);
}

static int fill_counters(const struct weir_ipt_kernel *kernel, const struct counting *counting,
			 struct weir_counters *counters, struct weir_err *err)
{
	struct weir_ruleset *mappings = &counters->mappings;
	struct weir_firewall_state state;
	int r = 0;
	for (size_t i = 0; r == 0 && i < counting->n; i++)
		r = weir_ruleset_add(mappings, &counting->items[i].entry, err);
	counters->items = calloc(counting->n + WEIR_NUM_DROPS, sizeof(counters->items[0]));
	if (r < 0 || !counters->items)
		return weir_err_set(err, ENOMEM, "no memory for counters");
	for (size_t i = 0; i < counting->n; i++) /* in the same order */
		counters->items[counters->n++] =
			(struct weir_counter){ .mapping = &mappings->entries[i],
					       .packets = counting->items[i].packets,
					       .bytes = counting->items[i].bytes };
	weir_ipt_kernel_state(kernel, &state);
	if (!state.present)
		return 0;
	count_drops(kernel, &counters->items[counters->n]);
	counters->n += WEIR_NUM_DROPS;
	return 0;
}

int weir_ipt_kernel_counters(const struct weir_ipt_kernel *kernel, struct weir_counters *ret,
			     struct weir_err *err)
{
	struct counting counting = { 0 };
	struct weir_counters counters = { 0 };
	struct reader reader = { .take = take_mapping, .to = &counting, .err = err };
	int r = read_all(kernel, &reader);
	if (r == 0) {
		if (counting.n)
			qsort(counting.items, counting.n, sizeof(counting.items[0]),
			      compare_counted);
		r = fill_counters(kernel, &counting, &counters, err);
		if (r == 0 && weir_ipt_count_policies(kernel, &counters) < 0)
			r = weir_err_set(err, ENOMEM, "no memory for counters");
	} else {
		(void)weir_err_set(err, r, "no memory for counters");
	}
	free(counting.items);
	if (r < 0)
		weir_counters_free(&counters);
	else
		*ret = counters;
	return r;
}
