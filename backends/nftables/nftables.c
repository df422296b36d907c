// SPDX-License-Identifier: GPL-2.0-or-later
/* The nftables backend: the firewall contract over one table, `inet weir`. */
#include "backends/nftables/nftables.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/conntrack.h"
#include "backends/nftables/build.h"
#include "backends/nftables/frame.h"
#include "backends/nftables/read.h"
#include "backends/nftables/render.h"

/* How it works
 * sets.c says what elements there are, fields.c of which types, pack.c in which bytes; rules.c what looks
 * at them, frame.c turns all of it into libnftnl's objects, policies.c what policies add; build.c makes a
 * change a transaction, batch.c sends it, state.c and read.c read the table back, render.c prints it. This
 * file holds the handle and its states together.
 *
 * A refused transaction names a message, and a message may hold a thousand elements. To name the
 * one to blame, the change is then built once more with a message for each and given to the kernel
 * without its end: it is checked and thrown away. That costs time only where time does not matter. */

enum { ATTEMPTS = 8 }; /* at reading while somebody else writes */

struct weir_firewall {
	char store[WEIR_UUID_SIZE];
	const struct weir_trace *trace;
	struct weir_nft_wire wire;
	bool prepared;
	struct weir_nft_change change;
	struct weir_nft_batch batch;
};

static int nft_open(const char *store, const struct weir_trace *trace, struct weir_firewall **ret,
		    struct weir_err *err)
{
	struct weir_firewall *fw = calloc(1, sizeof(*fw));
	if (!fw)
		return weir_err_set(err, ENOMEM, "no memory for the nftables backend");
	(void)snprintf(fw->store, sizeof(fw->store), "%s", store);
	fw->trace = trace;
	int r = weir_nft_wire_open(&fw->wire, err);
	if (r < 0) {
		free(fw);
		return r;
	}
	*ret = fw;
	return 0;
}

static void nft_abort(struct weir_firewall *fw)
{
	weir_nft_batch_free(&fw->batch);
	fw->prepared = false;
}

static void nft_close(struct weir_firewall *fw)
{
	if (!fw)
		return;
	nft_abort(fw);
	weir_nft_wire_close(&fw->wire);
	free(fw);
}

static int nft_state(struct weir_firewall *fw, struct weir_firewall_state *ret,
		     struct weir_err *err)
{
	return weir_nft_read_state(&fw->wire, ret, err);
}

static int nft_check(struct weir_firewall *fw, struct weir_err *err)
{
	struct weir_err why = { 0 };
	int r = -EINTR;
	for (int i = 0; i < ATTEMPTS && r == -EINTR; i++)
		r = weir_nft_read_frame(&fw->wire, NULL, NULL, &why);
	if (r < 0 && err)
		*err = why;
	return r == -ENOENT ? weir_err_set(err, ESTALE, "%s", why.text) : r;
}

/* ---- reading back ---- */

/* Everything at one generation. */
struct listing {
	struct weir_firewall_state state;
	struct weir_nft_items items;
	struct weir_nft_drops drops;
	int frame; /* 0 or -ESTALE */
	struct weir_err why;
};

/* -EINTR: somebody wrote meanwhile, or sets are growing. */
static int list_once(struct weir_nft_wire *wire, struct listing *ret, struct weir_err *err)
{
	struct weir_err why = { 0 };
	uint32_t generation = 0;
	int r = weir_nft_read_state(wire, &ret->state, err);
	if (r < 0 || !ret->state.present)
		return r;
	ret->frame = weir_nft_read_frame(wire, &ret->drops, &ret->items, &ret->why);
	if (ret->frame == -ENOENT)
		return -EINTR; /* it was there a moment ago */
	if (ret->frame < 0 && ret->frame != -ESTALE)
		return ret->frame == -EINTR ? -EINTR
					    : weir_err_set(err, ret->frame, "%s", ret->why.text);
	r = weir_nft_read_items(wire, &ret->items, &why);
	if (r == -ESTALE && ret->frame == 0) {
		ret->frame = r;
		ret->why = why;
	} else if (r < 0 && r != -ESTALE) {
		return r == -EINTR ? r : weir_err_set(err, r, "%s", why.text);
	}
	r = weir_nft_generation(wire, &generation);
	if (r < 0)
		return weir_err_errno(err, r, "asking nf_tables for its generation");
	return generation == ret->state.generation ? 0 : -EINTR;
}

static int list_all(struct weir_nft_wire *wire, struct listing *ret, struct weir_err *err)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		struct listing listing = { 0 };
		int r = list_once(wire, &listing, err);
		if (r == 0) {
			*ret = listing;
			return 0;
		}
		weir_nft_items_free(&listing.items);
		if (r != -EINTR)
			return r;
	}
	return weir_err_set(err, EAGAIN, "nf_tables changes faster than it can be listed");
}

static int to_ruleset(const struct weir_nft_items *items, struct weir_ruleset *ret,
		      struct weir_err *err)
{
	for (size_t i = 0; i < items->n; i++) {
		int r = weir_ruleset_add(ret, &items->items[i].entry, err);
		if (r < 0)
			return r;
	}
	return weir_ruleset_sort(ret, err);
}

static int nft_list(struct weir_firewall *fw, struct weir_ruleset *ret,
		    struct weir_firewall_state *state, struct weir_err *err)
{
	struct listing listing = { 0 };
	struct weir_ruleset rules WEIR_CLEAN_RULESET = { 0 };
	struct weir_err why = { 0 };
	int r = list_all(&fw->wire, &listing, err);
	if (r < 0)
		return r;
	r = to_ruleset(&listing.items, &rules, &why);
	weir_nft_items_free(&listing.items);
	if (r == -EEXIST &&
	    listing.frame == 0) { /* ranges that overlap: nothing that weir would write */
		listing.frame = -ESTALE;
		listing.why = why;
	} else if (r < 0 && r != -EEXIST) {
		return weir_err_set(err, r, "%s", why.text);
	}
	*ret = rules;
	rules = (struct weir_ruleset){ 0 };
	if (state)
		*state = listing.state;
	return listing.frame ? weir_err_set(err, listing.frame, "%s", listing.why.text) : 0;
}

static bool is_counted(const struct weir_nft_item *item)
{
	const struct weir_entry *entry = &item->entry;
	return entry->kind == WEIR_ENTRY_MAPPING ||
	       (entry->kind == WEIR_ENTRY_CELL && entry->owner[0]);
}

static int keep_counters(const struct weir_nft_items *items, const struct weir_nft_drops *drops,
			 struct weir_counters *ret)
{
	const struct weir_ruleset *counted = &ret->mappings;
	ret->items = calloc(counted->n + WEIR_NUM_DROPS, sizeof(ret->items[0]));
	if (!ret->items)
		return -ENOMEM;
	size_t cells = 0;
	for (size_t i = 0; i < counted->n; i++) { /* sorted alike: mappings, then cells */
		const struct weir_entry *entry = &counted->entries[i];
		bool cell = entry->kind == WEIR_ENTRY_CELL;
		ret->items[ret->n++] = (struct weir_counter){ .mapping = cell ? NULL : entry,
							      .policy = cell ? entry->owner : NULL,
							      .packets = items->items[i].packets,
							      .bytes = items->items[i].bytes };
		cells += cell;
	}
	ret->n -= cells;
	ret->n += weir_counters_join(&ret->items[ret->n], cells);
	for (int i = 0; i < WEIR_NUM_DROPS; i++)
		ret->items[ret->n++] = (struct weir_counter){ .reason = weir_drop_reason(i),
							      .packets = drops->packets[i],
							      .bytes = drops->bytes[i] };
	return 0;
}

static void keep_counted(struct weir_nft_items *items)
{
	size_t n = 0;
	for (size_t i = 0; i < items->n; i++)
		if (is_counted(&items->items[i]))
			items->items[n++] = items->items[i];
	items->n = n;
}

static int nft_counters(struct weir_firewall *fw, struct weir_counters *ret, struct weir_err *err)
{
	struct weir_counters counters = { 0 };
	struct listing listing = { 0 };
	int r = list_all(&fw->wire, &listing, err);
	if (r < 0)
		return r;
	keep_counted(&listing.items);
	r = to_ruleset(&listing.items, &counters.mappings, err);
	if (r == 0)
		r = keep_counters(&listing.items, &listing.drops, &counters);
	weir_nft_items_free(&listing.items);
	if (r == -ENOMEM)
		r = weir_err_set(err, r, "no memory for the counters");
	if (r < 0) {
		weir_ruleset_free(&counters.mappings);
		return r;
	}
	*ret = counters;
	return 0;
}

/* ---- writing ---- */

static int check_owner(struct weir_firewall *fw, bool whole, const struct weir_firewall_state *old,
		       struct weir_err *err)
{
	if (!old->present || !strcmp(old->epoch.store, fw->store))
		return 0;
	if (old->epoch.store[0])
		return weir_err_set(
			err, EBUSY,
			"table inet " WEIR_NFT_TABLE
			" belongs to another store, %s; this one is %s (use that store, or "
			"remove the table: nft delete table inet " WEIR_NFT_TABLE ")",
			old->epoch.store, fw->store);
	int r = weir_nft_read_ownership(&fw->wire, fw->store, err);
	if (r < 0 || whole)
		return r;
	return weir_err_set(err, ESTALE,
			    "the epoch of table inet " WEIR_NFT_TABLE " is gone (weir repair)");
}

static int nft_prepare(struct weir_firewall *fw, const struct weir_delta *delta, unsigned how,
		       const struct weir_firewall_state *old, const struct weir_epoch *epoch,
		       struct weir_err *err)
{
	bool whole = how & WEIR_FW_WHOLE;
	assert(!fw->prepared);
	int r = check_owner(fw, whole, old, err);
	if (r < 0)
		return r;
	if (!whole && !old->present && delta->n_removed)
		return weir_err_set(err, ESTALE,
				    "table inet " WEIR_NFT_TABLE " is gone (weir repair)");
	fw->change = (struct weir_nft_change){ *delta, whole, how & WEIR_FW_COVERED, *old, *epoch };
	fw->batch = (struct weir_nft_batch){ .trace = fw->trace };
	r = weir_nft_build(&fw->change, &fw->batch, err);
	if (r == 0 && fw->batch.no_memory)
		r = weir_err_set(err, ENOMEM, "no memory for a transaction");
	if (r < 0) {
		nft_abort(fw);
		return r;
	}
	fw->prepared = true;
	return 0;
}

static const char *advice(int code)
{
	switch (code) {
	case -EEXIST:
		return ": it is there already";
	case -ENOENT:
		return ": it is not there";
	case -EPERM:
		return ": this needs CAP_NET_ADMIN in the network namespace";
	default:
		return "";
	}
}

static int blame(const struct weir_nft_message *message, int code, struct weir_err *err)
{
	char text[WEIR_ENTRY_TEXT];
	if (!message->entry)
		return weir_err_errno(err, code, "nf_tables refused to %s %s%s", message->verb,
				      message->object, advice(code));
	return weir_err_at(err, code, &message->entry->origin,
			   "nf_tables refused to %s %s: %s: %s%s", message->verb, message->object,
			   weir_entry_text(message->entry, text), strerror(-code), advice(code));
}

/* The change again, one element a message and without its end, to find the one to blame. */
static int find_culprit(struct weir_firewall *fw, const struct weir_nft_message *failed, int code,
			struct weir_err *err)
{
	struct weir_nft_batch batch WEIR_CLEAN_NFT_BATCH = { .one_by_one = true };
	const struct weir_nft_message *closer = NULL;
	struct weir_err why = { 0 };
	if (weir_nft_build(&fw->change, &batch, &why) < 0)
		return blame(failed, code, err);
	int r = weir_nft_batch_send(&batch, &fw->wire, true, &closer, &why);
	return r == code && closer ? blame(closer, code, err) : blame(failed, code, err);
}

static int send_prepared(struct weir_firewall *fw, bool dry, struct weir_err *err)
{
	const struct weir_nft_message *failed = NULL;
	if (fw->batch.n == 0)
		return 0;
	int r = weir_nft_batch_send(&fw->batch, &fw->wire, dry, &failed, err);
	if (r == 0 || !failed)
		return r;
	return failed->n_entries > 1 ? find_culprit(fw, failed, r, err) : blame(failed, r, err);
}

static int nft_validate(struct weir_firewall *fw, struct weir_err *err)
{
	assert(fw->prepared);
	return send_prepared(fw, true, err);
}

/* An answer can get lost (ENOBUFS, no memory) when the work is done already. The epoch in the kernel
 * tells, asked for anew. */
static bool has_taken(struct weir_firewall *fw)
{
	struct weir_nft_wire wire WEIR_CLEAN_NFT_WIRE = { 0 };
	const struct weir_nft_change *change = &fw->change;
	struct weir_firewall_state now;
	if (weir_nft_wire_open(&wire, NULL) < 0 || weir_nft_read_state(&wire, &now, NULL) < 0)
		return false;
	if (change->whole && change->delta.n_added == 0)
		return !now.present;
	return now.present && now.epoch.counter == change->epoch.counter &&
	       !strcmp(now.epoch.store, change->epoch.store) &&
	       change->old.epoch.counter != change->epoch.counter;
}

/* *generation is the one compared with; 0: whichever, from now on. */
static int send_before(struct weir_firewall *fw, uint32_t *generation, struct weir_err *err)
{
	struct weir_nft_batch batch WEIR_CLEAN_NFT_BATCH = { .trace = fw->trace };
	const struct weir_nft_message *failed = NULL;
	weir_nft_build_before(&fw->change, &batch);
	if (batch.n == 0 && !batch.no_memory)
		return 0;
	*generation = 0;
	int r = weir_nft_batch_send(&batch, &fw->wire, false, &failed, err);
	return r < 0 && failed ? blame(failed, r, err) : r;
}

static int nft_commit(struct weir_firewall *fw, uint32_t *ret_generation, struct weir_err *err)
{
	assert(fw->prepared);
	uint32_t generation = fw->change.old.generation;
	bool moved = fw->batch.n > 0;
	struct weir_err why = { 0 };
	int r = send_before(fw, &generation, &why);
	if (r == 0)
		r = send_prepared(fw, false, &why);
	if (r < 0 && r != -EAGAIN && moved && has_taken(fw))
		r = 0;
	nft_abort(fw);
	if (r < 0 && err)
		*err = why;
	if (r < 0)
		return r;
	/* the number that followed the one compared with is ours, whoever came after; never 0 */
	if (generation && moved)
		generation = generation + 1 ? generation + 1 : 1;
	else if (weir_nft_generation(&fw->wire, &generation) < 0)
		generation = 0; /* it is committed all the same: the next one will list */
	if (ret_generation)
		*ret_generation = generation;
	return 0;
}

static int nft_probe(struct weir_err *err)
{
	struct weir_nft_wire wire WEIR_CLEAN_NFT_WIRE = { 0 };
	struct weir_nft_batch batch WEIR_CLEAN_NFT_BATCH = { 0 };
	const struct weir_nft_message *failed = NULL;
	bool present = false;
	int r = weir_nft_wire_open(&wire, err);
	if (r < 0)
		return r;
	r = weir_nft_read_presence(&wire, &present);
	if (r == -EPERM)
		return weir_err_set(err, EPERM,
				    "nf_tables: this needs CAP_NET_ADMIN in the network namespace");
	if (r < 0)
		return weir_err_set(err, EOPNOTSUPP,
				    "this kernel does not answer for nf_tables (CONFIG_NF_TABLES; "
				    "modprobe nf_tables)");
	if (present)
		return 0; /* a kernel that holds the frame can */
	/* the frame asks for all that is needed: NAT, fib, conntrack, intervals of concatenations */
	struct weir_nft_change change = { .whole = true };
	const struct weir_entry any = { .kind = WEIR_ENTRY_GUARD,
					.family = WEIR_IPV4,
					.owner = "" };
	const struct weir_entry *added[] = { &any };
	change.delta.added = added;
	change.delta.n_added = 1;
	r = weir_nft_build(&change, &batch, err);
	if (r < 0)
		return r;
	r = weir_nft_batch_send(&batch, &wire, true, &failed, err);
	if (r == 0 || r == -EPERM || !failed)
		return r;
	return weir_err_errno(err, EOPNOTSUPP, "this kernel's nf_tables cannot %s %s (%s)",
			      failed->verb, failed->object, strerror(-r));
}

static int nft_forget(struct weir_firewall *fw, const struct weir_flow_match *matches, size_t n,
		      size_t *ret_forgotten, struct weir_err *err)
{
	(void)fw;
	return weir_conntrack_forget(matches, n, ret_forgotten, err);
}

static int nft_forget_if(struct weir_firewall *fw,
			 bool (*is_cut)(const void *ctx, const struct weir_connection *conn),
			 const void *ctx, size_t *ret_forgotten, struct weir_err *err)
{
	(void)fw;
	return weir_conntrack_forget_if(is_cut, ctx, ret_forgotten, err);
}

const struct weir_firewall_ops weir_nftables = {
	.name = "nftables",
	.container = "table inet " WEIR_NFT_TABLE,
	.capabilities = WEIR_FW_DRY_VALIDATE | WEIR_FW_GENERATION | WEIR_FW_COUNTERS |
			WEIR_FW_ONE_COMMIT,
	.probe = nft_probe,
	.open = nft_open,
	.close = nft_close,
	.state = nft_state,
	.check = nft_check,
	.list = nft_list,
	.prepare = nft_prepare,
	.validate = nft_validate,
	.commit = nft_commit,
	.abort = nft_abort,
	.render = weir_nft_render,
	.counters = nft_counters,
	.forget = nft_forget,
	.forget_if = nft_forget_if,
};
