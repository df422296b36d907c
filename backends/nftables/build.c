// SPDX-License-Identifier: GPL-2.0-or-later
/* A change of the ruleset as one transaction. */
#include "backends/nftables/build.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/nftables/frame.h"
#include "backends/nftables/policies.h"

/* How it works
 * First the elements that go, then those that come, so that one whose data changes is deleted and
 * added within one transaction; set by set, so that the elements of one share messages. Chains that
 * policies need are made before, and those they need no more go after them. The epoch comes last: its message carries the request for the acknowledgement. */

/* Where the entries of each kind are in a list, to leave the others out of the walk. Lists are
 * usually sorted by kind; where they are not, the spans are merely wider. */
struct spans {
	size_t first[WEIR_NUM_ENTRY_KINDS], behind[WEIR_NUM_ENTRY_KINDS];
};

static struct spans find_spans(const struct weir_entry *const *entries, size_t n)
{
	struct spans spans = { 0 };
	for (size_t i = n; i-- > 0;) {
		enum weir_entry_kind kind = entries[i]->kind;
		spans.first[kind] = i;
		if (spans.behind[kind] == 0)
			spans.behind[kind] = i + 1;
	}
	return spans;
}

static void trace_element(const struct weir_nft_batch *batch, bool add,
			  const struct weir_nft_set *set, const struct weir_entry *entry, size_t i)
{
	char text[WEIR_NFT_ELEMENT_TEXT];
	if (!batch->trace)
		return;
	weir_trace(batch->trace, "nft %s element inet " WEIR_NFT_TABLE " %s { %s }",
		   add ? "add" : "delete", set->name, weir_nft_set_text(set, entry, i, text));
}

static int put_entry(struct weir_nft_batch *batch, bool add, const struct weir_nft_set *set,
		     const struct weir_entry *entry, struct weir_err *err)
{
	struct weir_nft_element element;
	char text[WEIR_ENTRY_TEXT];
	size_t n = weir_nft_set_count(set, entry);
	for (size_t i = 0; i < n; i++) {
		weir_nft_set_pack(set, entry, i, &element);
		weir_nft_batch_element(batch, add, set, &element, entry);
		trace_element(batch, add, set, entry, i);
	}
	if (set->key[0] != WEIR_NFT_PREFIX)
		return 0;
	if (weir_nft_set_pack_end(set, entry, &element))
		weir_nft_batch_element(batch, add, set, &element, entry);
	else if (entry->kind == WEIR_ENTRY_SUBNET)
		return weir_err_at(err, EINVAL, &entry->origin,
				   "%s: a subnet at the very end of the address space",
				   weir_entry_text(entry, text));
	return 0;
}

/* Into the maps of their classes; entries are sorted, so that those of one map stand together. */
static int put_pairs(struct weir_nft_batch *batch, bool add,
		     const struct weir_entry *const *entries, size_t n, struct weir_err *err)
{
	const struct weir_nft_set *set = NULL;
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		for (size_t k = 0; k < WEIR_NFT_CLASS_SETS; k++) {
			if (set && weir_nft_set_holds(set, entries[i]))
				break;
			set = weir_nft_batch_class_set(batch, k, entries[i]->class);
			if (!set)
				return weir_err_set(err, ENOMEM, "no memory for a transaction");
		}
		r = put_entry(batch, add, set, entries[i], err);
	}
	return r;
}

static int put_entries(struct weir_nft_batch *batch, bool add,
		       const struct weir_entry *const *entries, size_t n, struct weir_err *err)
{
	struct spans spans = find_spans(entries, n);
	for (size_t s = 0; s < weir_nft_n_sets; s++) {
		const struct weir_nft_set *set = &weir_nft_sets[s];
		for (size_t i = spans.first[set->kind]; i < spans.behind[set->kind]; i++) {
			int r = weir_nft_set_holds(set, entries[i])
					? put_entry(batch, add, set, entries[i], err)
					: 0;
			if (r < 0)
				return r;
		}
	}
	size_t first = spans.first[WEIR_ENTRY_PAIR], behind = spans.behind[WEIR_ENTRY_PAIR];
	return put_pairs(batch, add, entries + first, behind - first, err);
}

static void put_frame(struct weir_nft_batch *batch, const char *store)
{
	weir_nft_batch_add_table(batch, weir_nft_table_build(store));
	weir_nft_batch_add_set(
		batch, weir_nft_set_build(&weir_nft_epoch_set, weir_nft_batch_set_id(batch)),
		weir_nft_epoch_set.name);
	for (size_t i = 0; i < weir_nft_n_sets; i++)
		weir_nft_batch_add_set(
			batch, weir_nft_set_build(&weir_nft_sets[i], weir_nft_batch_set_id(batch)),
			weir_nft_sets[i].name);
	for (size_t i = 0; i < weir_nft_n_chains; i++)
		weir_nft_batch_add_chain(batch, weir_nft_chain_build(&weir_nft_chains[i], NULL),
					 weir_nft_chains[i].name);
	for (size_t i = 0; i < weir_nft_n_rules; i++) {
		const struct weir_nft_rule *rule = weir_nft_rule_at(i);
		weir_nft_batch_add_rule(batch, weir_nft_rule_build(rule),
					weir_nft_rule_chain(rule));
	}
}

/* Deleting an element makes the kernel wait for an RCU grace period when the socket is closed (10 to
 * 15 ms), so a batch that only adds leaves the old epochs beside the new one; the highest counts. A
 * batch that deletes anyway, and every EPOCHS_KEPT-th, sweeps them out. */
enum { EPOCHS_KEPT = 16 };

static bool sweeps_epochs(const struct weir_nft_change *change)
{
	return change->delta.n_removed || change->epoch.counter % EPOCHS_KEPT == 0 ||
	       change->epoch.counter <= change->old.epoch.counter;
}

static void put_epoch(struct weir_nft_batch *batch, const struct weir_epoch *epoch, bool replaces)
{
	struct weir_nft_element element = { .key_len = sizeof(epoch->counter) };
	if (replaces)
		weir_nft_batch_flush(batch, &weir_nft_epoch_set);
	memcpy(element.key, &epoch->counter, sizeof(epoch->counter));
	(void)snprintf(element.comment, sizeof(element.comment), "%s %s", epoch->store,
		       epoch->boot);
	weir_nft_batch_element(batch, true, &weir_nft_epoch_set, &element, NULL);
	weir_trace(batch->trace,
		   "nft add element inet " WEIR_NFT_TABLE " %s { 0x%08x comment \"%s\" }",
		   weir_nft_epoch_set.name, epoch->counter, element.comment);
}

static bool removes_all(const struct weir_nft_change *change)
{
	return change->whole && change->delta.n_added == 0;
}

/* While the kernel takes a table away, its chains go on for a moment with rules whose maps are empty
 * already (nf_tables_commit() in the kernel's net/netfilter/nf_tables_api.c): what only an element of a
 * map allows is dropped. Where another packet filter says the same, the rules therefore go first; with
 * the epoch, so that nobody takes the rest for whole. */
static bool stops_rules(const struct weir_nft_change *change)
{
	return removes_all(change) && change->covered && change->old.present;
}

void weir_nft_build_before(const struct weir_nft_change *change, struct weir_nft_batch *ret)
{
	if (!stops_rules(change))
		return;
	weir_nft_batch_begin(ret, change->old.generation);
	weir_nft_batch_flush_rules(ret);
	weir_nft_batch_flush(ret, &weir_nft_epoch_set);
	weir_nft_batch_end(ret);
}

int weir_nft_build(const struct weir_nft_change *change, struct weir_nft_batch *ret,
		   struct weir_err *err)
{
	const struct weir_delta *delta = &change->delta;
	bool remove_all = removes_all(change);
	bool make_frame = !remove_all && (change->whole || !change->old.present);
	int r = 0;
	if (remove_all && !change->old.present)
		return 0;
	weir_nft_batch_begin(ret, stops_rules(change) ? 0 : change->old.generation);
	if (change->whole && change->old.present)
		weir_nft_batch_delete_table(ret);
	if (make_frame)
		put_frame(ret, change->epoch.store);
	weir_nft_policies_add(ret, delta->added, delta->n_added);
	if (!change->whole)
		r = put_entries(ret, false, delta->removed, delta->n_removed, err);
	if (r == 0)
		r = put_entries(ret, true, delta->added, delta->n_added, err);
	if (r == 0 && !change->whole)
		weir_nft_policies_remove(ret, delta->removed, delta->n_removed);
	if (r == 0 && !remove_all)
		put_epoch(ret, &change->epoch, !make_frame && sweeps_epochs(change));
	if (r == 0)
		weir_nft_batch_end(ret);
	return r;
}
