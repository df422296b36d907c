/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firewall contract in memory.
 *
 * How it works: a "kernel" holds one sorted ruleset, the epoch beside it and a generation that each
 * commit moves on. prepare() only copies what it is given; commit() builds the next ruleset aside and
 * puts it in place by one assignment, so that it is whole or not at all. As nf_tables does, commit()
 * refuses to delete what is absent and to add a key that is there with another value. */
#include "backends/memory/memory_kernel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct weir_firewall {
	struct weir_memory_kernel *kernel;
	char store[WEIR_UUID_SIZE];
	bool prepared;
	/* what is prepared */
	bool whole;
	struct weir_ruleset removed, added;
	uint32_t generation; /* that the transaction rests on; 0: on none */
	struct weir_epoch epoch;
};

static uint32_t generation(const struct weir_memory_kernel *kernel)
{
	return kernel->moved + 1;
}

static void take_over(struct weir_ruleset *to, struct weir_ruleset *from)
{
	weir_ruleset_free(to);
	*to = *from;
	*from = (struct weir_ruleset){ 0 };
}

/* ---- the handle ---- */

static int memory_probe(struct weir_err *err)
{
	return weir_memory_step("probing memory", err);
}

static int open_kernel(struct weir_memory_kernel *kernel, const char *store,
		       struct weir_firewall **ret, struct weir_err *err)
{
	int r = weir_memory_step("opening memory", err);
	if (r < 0)
		return r;
	if (strlen(store) >= WEIR_UUID_SIZE)
		return weir_err_set(err, EINVAL, "\"%s\" is no UUID of a store", store);
	struct weir_firewall *fw = calloc(1, sizeof(*fw));
	if (!fw)
		return weir_err_set(err, ENOMEM, "no memory for a firewall handle");
	fw->kernel = kernel;
	memcpy(fw->store, store, strlen(store) + 1);
	*ret = fw;
	return 0;
}

static int memory_open(const char *store, const struct weir_trace *trace,
		       struct weir_firewall **ret, struct weir_err *err)
{
	(void)trace; /* there are no messages to say */
	return open_kernel(&weir_memory_kernels[0], store, ret, err);
}

static int other_open(const char *store, const struct weir_trace *trace, struct weir_firewall **ret,
		      struct weir_err *err)
{
	(void)trace;
	return open_kernel(&weir_memory_kernels[1], store, ret, err);
}

static void memory_abort(struct weir_firewall *fw)
{
	weir_ruleset_free(&fw->removed);
	weir_ruleset_free(&fw->added);
	fw->prepared = false;
}

static void memory_close(struct weir_firewall *fw)
{
	if (!fw)
		return;
	memory_abort(fw);
	free(fw);
}

/* ---- reading ---- */

static struct weir_firewall_state current_state(const struct weir_memory_kernel *kernel)
{
	struct weir_firewall_state state = { .present = kernel->present,
					     .generation = generation(kernel) };
	if (kernel->present)
		state.epoch = kernel->epoch;
	return state;
}

static int memory_state(struct weir_firewall *fw, struct weir_firewall_state *ret,
			struct weir_err *err)
{
	int r = weir_memory_step("asking for the state", err);
	if (r < 0)
		return r;
	*ret = current_state(fw->kernel);
	return 0;
}

static int check_frame(const struct weir_memory_kernel *kernel, struct weir_err *err)
{
	if (!kernel->present)
		return weir_err_set(err, ESTALE, "the rules are gone");
	if (kernel->broken)
		return weir_err_set(err, ESTALE, "a rule is missing");
	return 0;
}

static int memory_check(struct weir_firewall *fw, struct weir_err *err)
{
	int r = weir_memory_step("checking the rules", err);
	return r < 0 ? r : check_frame(fw->kernel, err);
}

/* Places are of the user's file; a kernel does not know them. */
static int copy_entries(struct weir_ruleset *to, const struct weir_ruleset *from,
			struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; i < from->n && r == 0; i++) {
		struct weir_entry entry = from->entries[i];
		entry.origin = (struct weir_place){ 0 };
		r = weir_ruleset_add(to, &entry, err);
	}
	return r;
}

static int memory_list(struct weir_firewall *fw, struct weir_ruleset *ret,
		       struct weir_firewall_state *state, struct weir_err *err)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };

	int r = weir_memory_step("listing the rules", err);
	if (r == 0)
		r = copy_entries(&rules, &fw->kernel->rules, err);
	if (r < 0)
		return r;
	*ret = rules;
	rules = (struct weir_ruleset){ 0 };
	if (state)
		*state = current_state(fw->kernel);
	return fw->kernel->present ? check_frame(fw->kernel, err) : 0;
}

/* ---- the transaction ---- */

static int copy_side(struct weir_ruleset *to, const struct weir_entry *const *entries, size_t n,
		     struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = weir_ruleset_add(to, entries[i], err);
	return r == 0 ? weir_ruleset_sort(to, err) : r;
}

static int refuse_foreign(const struct weir_firewall *fw, struct weir_err *err)
{
	if (!fw->kernel->present || !fw->kernel->epoch.store[0] ||
	    strcmp(fw->kernel->epoch.store, fw->store) == 0)
		return 0;
	return weir_err_set(err, EBUSY,
			    "the rules belong to another weir (store %s, this one is %s)",
			    fw->kernel->epoch.store, fw->store);
}

static int memory_prepare(struct weir_firewall *fw, const struct weir_delta *delta, unsigned how,
			  const struct weir_firewall_state *old, const struct weir_epoch *epoch,
			  struct weir_err *err)
{
	WEIR_CLEAN_RULESET struct weir_ruleset removed = { 0 }, added = { 0 };
	bool whole = how & WEIR_FW_WHOLE;

	assert(!fw->prepared);
	int r = weir_memory_step("preparing rules", err);
	if (r == 0)
		r = refuse_foreign(fw, err);
	if (r == 0 && !whole)
		r = copy_side(&removed, delta->removed, delta->n_removed, err);
	if (r == 0)
		r = copy_side(&added, delta->added, delta->n_added, err);
	if (r < 0)
		return r;
	take_over(&fw->removed, &removed);
	take_over(&fw->added, &added);
	fw->whole = whole;
	fw->generation = old->generation;
	fw->epoch = *epoch;
	fw->prepared = true;
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	return weir_entry_key_cmp(a, b);
}

static const struct weir_entry *find_entry(const struct weir_ruleset *rules,
					   const struct weir_entry *key)
{
	if (!rules->n)
		return NULL;
	return bsearch(key, rules->entries, rules->n, sizeof(*key), compare_entries);
}

static int check_removed(const struct weir_firewall *fw, struct weir_err *err)
{
	char text[WEIR_ENTRY_TEXT];

	for (size_t i = 0; i < fw->removed.n; i++) {
		const struct weir_entry *gone = &fw->removed.entries[i];
		if (!find_entry(&fw->kernel->rules, gone))
			return weir_err_at(err, ENOENT, &gone->origin,
					   "deleting %s: it is not there",
					   weir_entry_text(gone, text));
	}
	return 0;
}

static int add_kept(const struct weir_firewall *fw, struct weir_ruleset *next, struct weir_err *err)
{
	for (size_t i = 0; i < fw->kernel->rules.n; i++) {
		const struct weir_entry *entry = &fw->kernel->rules.entries[i];
		int r = find_entry(&fw->removed, entry) ? 0 : weir_ruleset_add(next, entry, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* next holds what is kept, in order; what is added is looked up in that part only. */
static int add_added(const struct weir_firewall *fw, struct weir_ruleset *next,
		     struct weir_err *err)
{
	struct weir_ruleset kept = { .n = next->n };

	for (size_t i = 0; i < fw->added.n; i++) {
		struct weir_entry entry = fw->added.entries[i];
		char text[WEIR_ENTRY_TEXT];
		kept.entries = next->entries;
		const struct weir_entry *there = find_entry(&kept, &entry);
		if (there && !weir_entry_equal(there, &entry))
			return weir_err_at(err, EEXIST, &entry.origin,
					   "adding %s: it is there with another value",
					   weir_entry_text(&entry, text));
		entry.origin = (struct weir_place){ 0 };
		int r = there ? 0 : weir_ruleset_add(next, &entry, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int build_next(const struct weir_firewall *fw, struct weir_ruleset *next,
		      struct weir_err *err)
{
	int r = 0;
	if (!fw->whole)
		r = check_removed(fw, err);
	if (r == 0 && !fw->whole)
		r = add_kept(fw, next, err);
	if (r == 0)
		r = add_added(fw, next, err);
	return r == 0 ? weir_ruleset_sort(next, err) : r;
}

static int memory_validate(struct weir_firewall *fw, struct weir_err *err)
{
	WEIR_CLEAN_RULESET struct weir_ruleset next = { 0 };

	assert(fw->prepared);
	int r = weir_memory_step("validating rules", err);
	return r == 0 ? build_next(fw, &next, err) : r;
}

static void put_in_place(const struct weir_firewall *fw, struct weir_ruleset *next)
{
	fw->kernel->present = !(fw->whole && next->n == 0);
	if (fw->whole)
		fw->kernel->broken = false;
	fw->kernel->epoch = fw->kernel->present ? fw->epoch : (struct weir_epoch){ 0 };
	take_over(&fw->kernel->rules, next);
	fw->kernel->moved++;
}

static int commit_prepared(const struct weir_firewall *fw, struct weir_err *err)
{
	WEIR_CLEAN_RULESET struct weir_ruleset next = { 0 };

	int r = weir_memory_step("committing rules", err);
	if (r < 0)
		return r;
	if (weir_memory_lose_race())
		fw->kernel->moved++;
	if (fw->generation && fw->generation != generation(fw->kernel))
		return weir_err_set(err, EAGAIN, "somebody else has changed the rules meanwhile");
	r = build_next(fw, &next, err);
	if (r == 0)
		put_in_place(fw, &next);
	return r;
}

static int memory_commit(struct weir_firewall *fw, uint32_t *ret_generation, struct weir_err *err)
{
	assert(fw->prepared);
	int r = commit_prepared(fw, err);
	memory_abort(fw); /* OPEN again either way */
	if (r == 0 && ret_generation)
		*ret_generation = generation(fw->kernel);
	return r;
}

static int memory_render(const struct weir_ruleset *rules, const struct weir_epoch *epoch,
			 FILE *out, struct weir_err *err)
{
	int r = weir_memory_step("rendering rules", err);
	if (r < 0)
		return r;
	(void)fprintf(out, "# weir (store %s)\n", epoch->store);
	weir_ruleset_print(rules, out);
	return ferror(out) ? weir_err_set(err, EIO, "the rules cannot be written") : 0;
}

/* ---- counters and connections ---- */

/* Has the policy a counter already? */
static bool is_counted(const struct weir_counters *counters, const char *policy)
{
	for (size_t i = 0; i < counters->n; i++)
		if (counters->items[i].policy && strcmp(counters->items[i].policy, policy) == 0)
			return true;
	return false;
}

/* Nothing flows in memory: every counter that a kernel would have is there, and is 0. */
static int memory_counters(struct weir_firewall *fw, struct weir_counters *ret,
			   struct weir_err *err)
{
	struct weir_counters counters = { 0 };

	int r = weir_memory_step("reading counters", err);
	if (r == 0)
		r = copy_entries(&counters.mappings, &fw->kernel->rules, err);
	size_t n = counters.mappings.n + WEIR_NUM_DROPS;
	counters.items = r == 0 ? calloc(n, sizeof(counters.items[0])) : NULL;
	if (!counters.items) {
		weir_ruleset_free(&counters.mappings);
		return r < 0 ? r : weir_err_set(err, ENOMEM, "no memory for counters");
	}
	for (size_t i = 0; i < counters.mappings.n; i++)
		if (counters.mappings.entries[i].kind == WEIR_ENTRY_MAPPING)
			counters.items[counters.n++].mapping = &counters.mappings.entries[i];
	for (size_t i = 0; i < counters.mappings.n; i++) {
		const struct weir_entry *entry = &counters.mappings.entries[i];
		if (entry->kind == WEIR_ENTRY_CELL && entry->owner[0] &&
		    !is_counted(&counters, entry->owner))
			counters.items[counters.n++].policy = entry->owner;
	}
	for (unsigned drop = 0; fw->kernel->present && drop < WEIR_NUM_DROPS; drop++)
		counters.items[counters.n++].reason = weir_drop_reason(drop);
	*ret = counters;
	return 0;
}

static bool addr_matches(const struct weir_addr *wanted, const struct weir_addr *addr)
{
	return !weir_addr_is_set(wanted) || weir_addr_cmp(wanted, addr) == 0;
}

static bool prefix_matches(const struct weir_prefix *wanted, const struct weir_prefix *flow)
{
	return !weir_addr_is_set(&wanted->addr) || weir_prefix_contains(wanted, &flow->addr);
}

static bool ports_match(struct weir_ports wanted, struct weir_ports flow)
{
	return (!wanted.lo && !wanted.hi) || (flow.lo >= wanted.lo && flow.lo <= wanted.hi);
}

static bool flow_matches(const struct weir_flow_match *wanted, const struct weir_flow_match *flow)
{
	return wanted->family == flow->family && prefix_matches(&wanted->src, &flow->src) &&
	       addr_matches(&wanted->dst, &flow->dst) &&
	       prefix_matches(&wanted->reply_src, &flow->reply_src) &&
	       (!wanted->proto || wanted->proto == flow->proto) &&
	       ports_match(wanted->dst_ports, flow->dst_ports) &&
	       (!wanted->untranslated || flow->untranslated) &&
	       (!wanted->published || weir_addr_cmp(&flow->dst, &flow->reply_src.addr) != 0);
}

static int memory_forget(struct weir_firewall *fw, const struct weir_flow_match *matches, size_t n,
			 size_t *ret_forgotten, struct weir_err *err)
{
	int r = weir_memory_step("forgetting connections", err);
	if (r < 0)
		return r;
	size_t kept = 0, before = fw->kernel->n_flows;
	for (size_t i = 0; i < before; i++) {
		bool hit = false;
		for (size_t m = 0; m < n && !hit; m++)
			hit = flow_matches(&matches[m], &fw->kernel->flows[i]);
		if (!hit)
			fw->kernel->flows[kept++] = fw->kernel->flows[i];
	}
	fw->kernel->n_flows = kept;
	if (ret_forgotten)
		*ret_forgotten = before - kept;
	return 0;
}

/* Nothing in memory is the host's own. */
static int memory_forget_if(struct weir_firewall *fw,
			    bool (*is_cut)(const void *ctx, const struct weir_connection *conn),
			    const void *ctx, size_t *ret_forgotten, struct weir_err *err)
{
	static const uint8_t protocols[WEIR_NUM_PROTOS] = {
		[WEIR_TCP] = 6, [WEIR_UDP] = 17, [WEIR_SCTP] = 132
	};
	int r = weir_memory_step("judging connections", err);
	if (r < 0)
		return r;
	size_t kept = 0, before = fw->kernel->n_flows;
	for (size_t i = 0; i < before; i++) {
		const struct weir_flow_match *flow = &fw->kernel->flows[i];
		const struct weir_connection conn = {
			.family = flow->family,
			.protocol = protocols[flow->proto],
			.from = flow->src.addr,
			.to = flow->reply_src.addr,
			.port = flow->dst_ports.lo,
			.published = weir_addr_cmp(&flow->dst, &flow->reply_src.addr) != 0,
		};
		if (!is_cut(ctx, &conn))
			fw->kernel->flows[kept++] = *flow;
	}
	fw->kernel->n_flows = kept;
	if (ret_forgotten)
		*ret_forgotten = before - kept;
	return 0;
}

/* All but the name and the kernel. */
#define MEMORY_OPS                                                                     \
	.capabilities = WEIR_FW_DRY_VALIDATE | WEIR_FW_GENERATION | WEIR_FW_COUNTERS | \
			WEIR_FW_ONE_COMMIT,                                            \
	.probe = memory_probe, .close = memory_close, .state = memory_state,           \
	.check = memory_check, .list = memory_list, .prepare = memory_prepare,         \
	.validate = memory_validate, .commit = memory_commit, .abort = memory_abort,   \
	.render = memory_render, .counters = memory_counters, .forget = memory_forget, \
	.forget_if = memory_forget_if

const struct weir_firewall_ops weir_memory_firewall = {
	.name = "memory",
	.container = "memory",
	.open = memory_open,
	MEMORY_OPS,
};

const struct weir_firewall_ops weir_memory_other = {
	.name = "other",
	.container = "other memory",
	.open = other_open,
	MEMORY_OPS,
};
