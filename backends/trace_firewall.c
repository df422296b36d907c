/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firewall calls in words.
 *
 * How it works: a handle holds the inner table and the inner handle, so every call but open() knows
 * what it wraps. open() has no handle to look into; each backend has one of its own here, which is
 * all that there is to add for another one. */
#include "backends/trace.h"

#include <errno.h>
#include <stdlib.h>

#include "backends/iptables/iptables.h"
#include "backends/memory/memory.h"
#include "backends/nftables/nftables.h"

struct weir_firewall {
	const struct weir_firewall_ops *inner;
	struct weir_firewall *handle;
	const struct weir_trace *trace;
};

/* The inner call's error is needed for the words, whether or not the caller wants it. */
static int say_result(const struct weir_trace *trace, const char *call, int r,
		      const struct weir_err *why, struct weir_err *err)
{
	if (r < 0 && err)
		*err = *why;
	if (r < 0)
		weir_trace(trace, "< firewall %s: failed: %s", call, why->text);
	return r;
}

static int open_traced(const struct weir_firewall_ops *inner, const char *store,
		       const struct weir_trace *trace, struct weir_firewall **ret,
		       struct weir_err *err)
{
	struct weir_err why = { 0 };
	struct weir_firewall *fw = calloc(1, sizeof(*fw));

	if (!fw)
		return weir_err_set(err, ENOMEM, "no memory for a firewall handle");
	weir_trace(trace, "> firewall open %s for store %s", inner->name, store);
	int r = inner->open(store, trace, &fw->handle, &why);
	if (r < 0) {
		free(fw);
		return say_result(trace, "open", r, &why, err);
	}
	weir_trace(trace, "< firewall open: done");
	fw->inner = inner;
	fw->trace = trace;
	*ret = fw;
	return 0;
}

static void traced_close(struct weir_firewall *fw)
{
	if (!fw)
		return;
	weir_trace(fw->trace, "> firewall close");
	fw->inner->close(fw->handle);
	weir_trace(fw->trace, "< firewall close: done");
	free(fw);
}

/* ---- reading ---- */

static void say_state(const struct weir_firewall *fw, const char *call,
		      const struct weir_firewall_state *state)
{
	if (state->present)
		weir_trace(fw->trace, "< firewall %s: store %s, boot %s, counter %u, generation %u",
			   call, state->epoch.store[0] ? state->epoch.store : "unreadable",
			   state->epoch.boot[0] ? state->epoch.boot : "unreadable",
			   state->epoch.counter, state->generation);
	else
		weir_trace(fw->trace, "< firewall %s: nothing there, generation %u", call,
			   state->generation);
}

static int traced_state(struct weir_firewall *fw, struct weir_firewall_state *ret,
			struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(fw->trace, "> firewall state");
	int r = fw->inner->state(fw->handle, ret, &why);
	if (r == 0)
		say_state(fw, "state", ret);
	return say_result(fw->trace, "state", r, &why, err);
}

static int traced_check(struct weir_firewall *fw, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(fw->trace, "> firewall check");
	int r = fw->inner->check(fw->handle, &why);
	if (r == 0)
		weir_trace(fw->trace, "< firewall check: as it should be");
	return say_result(fw->trace, "check", r, &why, err);
}

static int traced_list(struct weir_firewall *fw, struct weir_ruleset *ret,
		       struct weir_firewall_state *state, struct weir_err *err)
{
	struct weir_err why = { 0 };
	char text[WEIR_ENTRY_TEXT];

	weir_trace(fw->trace, "> firewall list");
	int r = fw->inner->list(fw->handle, ret, state, &why);
	bool listed = r == 0 || r == -ESTALE; /* then what could be read is there as well */
	for (size_t i = 0; listed && fw->trace && i < ret->n; i++)
		weir_trace(fw->trace, "= %s", weir_entry_text(&ret->entries[i], text));
	if (r == 0)
		weir_trace(fw->trace, "< firewall list: %zu entries", ret->n);
	return say_result(fw->trace, "list", r, &why, err);
}

/* ---- the transaction ---- */

static void say_entries(const struct weir_trace *trace, char sign,
			const struct weir_entry *const *entries, size_t n)
{
	char text[WEIR_ENTRY_TEXT];

	for (size_t i = 0; trace && i < n; i++)
		weir_trace(trace, "%c %s", sign, weir_entry_text(entries[i], text));
}

static void traced_set_timeout(struct weir_firewall *fw, unsigned timeout_ms)
{
	if (fw->inner->set_timeout)
		fw->inner->set_timeout(fw->handle, timeout_ms);
}

static int traced_prepare(struct weir_firewall *fw, const struct weir_delta *delta, unsigned how,
			  const struct weir_firewall_state *old, const struct weir_epoch *epoch,
			  struct weir_err *err)
{
	struct weir_err why = { 0 };
	bool whole = how & WEIR_FW_WHOLE;

	weir_trace(fw->trace,
		   "> firewall prepare %s: %zu removed, %zu added, on generation %u, counter %u",
		   whole ? "everything anew" : "changes", whole ? 0 : delta->n_removed,
		   delta->n_added, old->generation, epoch->counter);
	if (!whole)
		say_entries(fw->trace, '-', delta->removed, delta->n_removed);
	say_entries(fw->trace, '+', delta->added, delta->n_added);
	int r = fw->inner->prepare(fw->handle, delta, how, old, epoch, &why);
	if (r == 0)
		weir_trace(fw->trace, "< firewall prepare: done");
	return say_result(fw->trace, "prepare", r, &why, err);
}

static int traced_validate(struct weir_firewall *fw, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(fw->trace, "> firewall validate");
	int r = fw->inner->validate(fw->handle, &why);
	if (r == 0)
		weir_trace(fw->trace, "< firewall validate: the kernel would take it");
	return say_result(fw->trace, "validate", r, &why, err);
}

static int traced_commit(struct weir_firewall *fw, uint32_t *ret_generation, struct weir_err *err)
{
	struct weir_err why = { 0 };
	uint32_t generation = 0;

	weir_trace(fw->trace, "> firewall commit");
	int r = fw->inner->commit(fw->handle, &generation, &why);
	if (r == 0)
		weir_trace(fw->trace, "< firewall commit: done, generation %u", generation);
	if (r == 0 && ret_generation)
		*ret_generation = generation;
	return say_result(fw->trace, "commit", r, &why, err);
}

static void traced_abort(struct weir_firewall *fw)
{
	weir_trace(fw->trace, "> firewall abort");
	fw->inner->abort(fw->handle);
	weir_trace(fw->trace, "< firewall abort: done");
}

/* ---- counters and connections ---- */

static int traced_counters(struct weir_firewall *fw, struct weir_counters *ret,
			   struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(fw->trace, "> firewall counters");
	int r = fw->inner->counters(fw->handle, ret, &why);
	if (r == 0)
		weir_trace(fw->trace, "< firewall counters: %zu", ret->n);
	return say_result(fw->trace, "counters", r, &why, err);
}

static void say_match(const struct weir_trace *trace, const struct weir_flow_match *match)
{
	char src[WEIR_PREFIX_TEXT] = "", dst[WEIR_ADDR_TEXT], reply[WEIR_PREFIX_TEXT] = "";
	char ports[WEIR_PORTS_TEXT];

	if (weir_addr_is_set(&match->src.addr))
		(void)weir_prefix_text(&match->src, src);
	if (weir_addr_is_set(&match->reply_src.addr))
		(void)weir_prefix_text(&match->reply_src, reply);
	weir_trace(trace, "- connections %s%s%s%s%s%s%s%s%s%s%s", weir_family_name(match->family),
		   match->proto ? " " : "", match->proto ? weir_proto_name(match->proto) : "",
		   src[0] ? " from " : "", src, weir_addr_is_set(&match->dst) ? " to " : "",
		   weir_addr_text(&match->dst, dst), match->dst_ports.lo ? " ports " : "",
		   match->dst_ports.lo ? weir_ports_text(match->dst_ports, ports) : "",
		   reply[0] ? " answered by " : "", reply);
}

static int traced_forget(struct weir_firewall *fw, const struct weir_flow_match *matches, size_t n,
			 size_t *ret_forgotten, struct weir_err *err)
{
	struct weir_err why = { 0 };
	size_t forgotten = 0;

	weir_trace(fw->trace, "> firewall forget");
	for (size_t i = 0; fw->trace && i < n; i++)
		say_match(fw->trace, &matches[i]);
	int r = fw->inner->forget(fw->handle, matches, n, &forgotten, &why);
	if (r == 0)
		weir_trace(fw->trace, "< firewall forget: %zu connections", forgotten);
	if (r == 0 && ret_forgotten)
		*ret_forgotten = forgotten;
	return say_result(fw->trace, "forget", r, &why, err);
}

static int traced_forget_if(struct weir_firewall *fw,
			    bool (*is_cut)(const void *ctx, const struct weir_connection *conn),
			    const void *ctx, size_t *ret_forgotten, struct weir_err *err)
{
	struct weir_err why = { 0 };
	size_t forgotten = 0;

	weir_trace(fw->trace, "> firewall forget_if");
	int r = fw->inner->forget_if(fw->handle, is_cut, ctx, &forgotten, &why);
	if (r == 0)
		weir_trace(fw->trace, "< firewall forget_if: %zu connections", forgotten);
	if (r == 0 && ret_forgotten)
		*ret_forgotten = forgotten;
	return say_result(fw->trace, "forget_if", r, &why, err);
}

/* ---- the tables ---- */

static int open_nftables(const char *store, const struct weir_trace *trace,
			 struct weir_firewall **ret, struct weir_err *err)
{
	return open_traced(&weir_nftables, store, trace, ret, err);
}

static int open_iptables(const char *store, const struct weir_trace *trace,
			 struct weir_firewall **ret, struct weir_err *err)
{
	return open_traced(&weir_iptables, store, trace, ret, err);
}

static int open_memory(const char *store, const struct weir_trace *trace,
		       struct weir_firewall **ret, struct weir_err *err)
{
	return open_traced(&weir_memory_firewall, store, trace, ret, err);
}

static const struct {
	const struct weir_firewall_ops *inner;
	int (*open)(const char *store, const struct weir_trace *trace, struct weir_firewall **ret,
		    struct weir_err *err);
} opens[] = {
	{ &weir_nftables, open_nftables },
	{ &weir_iptables, open_iptables },
	{ &weir_memory_firewall, open_memory },
};

struct weir_firewall_ops weir_trace_firewall(const struct weir_firewall_ops *inner)
{
	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++)
		if (opens[i].inner == inner)
			return (struct weir_firewall_ops){
				.name = inner->name,
				.container = inner->container,
				.capabilities = inner->capabilities,
				.probe = inner->probe,
				.open = opens[i].open,
				.close = traced_close,
				.state = traced_state,
				.check = traced_check,
				.list = traced_list,
				.set_timeout = traced_set_timeout,
				.prepare = traced_prepare,
				.validate = traced_validate,
				.commit = traced_commit,
				.abort = traced_abort,
				.render = inner->render,
				.counters = traced_counters,
				.forget = traced_forget,
				.forget_if = traced_forget_if,
			};
	return *inner;
}
