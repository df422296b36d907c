/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The legacy iptables backend: the firewall contract over chains WEIR-… of filter and nat. */
#include "backends/iptables/iptables.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include "backends/conntrack.h"
#include "backends/iptables/next.h"
#include "backends/iptables/render.h"
#include "backends/iptables/transaction.h"

/* How it works
 * rule.c is a rule in weir's words, entry.c, matches.c and targets.c its kernel structures; image.c is what
 * weir has in a table, filter.c (and network.c), nat.c and tree.c what it should have, build.c reads entries back;
 * table.c, iptc.c and modules.c speak to the kernel, kernel.c holds all four tables, transaction.c
 * changes them. This file holds the handle and its states together.
 *
 * Every change is worked out whole: what is there is read as entries, changed, built anew and compared
 * chain by chain. libiptc reads and writes whole tables anyway. So a change mends our chains and jumps
 * wherever they were edited, and an edit that the generation does not show needs no look beforehand;
 * a lost entry is mended when everything is read back.
 *
 * Ownership: what begins with WEIR- is weir's. The jumps stand first when they are made; what an
 * administrator puts before them later is left there, and speaks first. */

enum { DEFAULT_TIMEOUT_MS = 10000 };

struct weir_firewall {
	char store[WEIR_UUID_SIZE];
	const struct weir_trace *trace;
	bool prepared;
	unsigned timeout_ms; /* for the lock that all users of iptables share */
	struct weir_ipt_transaction transaction;
};

/* ---- the handle ---- */

static int ipt_probe(struct weir_err *err)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0 && (errno == EPERM || errno == EACCES))
		return weir_err_set(err, EPERM,
				    "legacy iptables: weir needs to be root (CAP_NET_ADMIN)");
	if (fd >= 0)
		(void)close(fd); /* nothing was sent */
	int r = weir_ipt_load(WEIR_IPV4, true, err);
	if (r == 0 && weir_ipt_family_exists(WEIR_IPV6))
		r = weir_ipt_load(WEIR_IPV6, true, err);
	return r;
}

static int ipt_open(const char *store, const struct weir_trace *trace, struct weir_firewall **ret,
		    struct weir_err *err)
{
	struct weir_firewall *fw = calloc(1, sizeof(*fw));
	if (!fw)
		return weir_err_set(err, ENOMEM, "no memory for the iptables backend");
	(void)strncpy(fw->store, store, sizeof(fw->store) - 1);
	fw->trace = trace;
	fw->transaction.lock = -1;
	fw->timeout_ms = DEFAULT_TIMEOUT_MS;
	*ret = fw;
	return 0;
}

static void ipt_abort(struct weir_firewall *fw)
{
	weir_ipt_transaction_close(&fw->transaction);
	fw->prepared = false;
}

static void ipt_close(struct weir_firewall *fw)
{
	if (!fw)
		return;
	ipt_abort(fw);
	free(fw);
}

/* ---- reading ---- */

/* The epoch is in one chain; the others are only asked whether there is anything when it is missing. */
static int ipt_state(struct weir_firewall *fw, struct weir_firewall_state *ret,
		     struct weir_err *err)
{
	WEIR_CLEAN_IPT_KERNEL struct weir_ipt_kernel kernel = { 0 };
	struct weir_firewall_state state;
	(void)fw;
	int r = weir_ipt_kernel_read_place(&kernel, WEIR_IPT_HOME, WEIR_IPT_EPOCH_CHAIN, err);
	if (r == 0 && !kernel.images[WEIR_IPT_HOME].n)
		r = weir_ipt_kernel_read(&kernel, err);
	if (r < 0)
		return r;
	weir_ipt_kernel_state(&kernel, &state);
	state.generation = weir_ipt_kernel_generation();
	*ret = state;
	return 0;
}

/* What could be read is returned with -ESTALE too. */
static int read_all(struct weir_ipt_kernel *kernel, struct weir_ruleset *rules,
		    struct weir_err *err)
{
	struct weir_err why = { 0 };
	int r = weir_ipt_kernel_read(kernel, err);
	if (r < 0)
		return r;
	r = weir_ipt_kernel_entries(kernel, rules, &why);
	if (r == -EEXIST) /* nothing that weir would write */
		return weir_err_set(err, ESTALE, "%s (weir repair)", why.text);
	return r < 0 ? weir_err_set(err, r, "%s", why.text) : 0;
}

static int ipt_check(struct weir_firewall *fw, struct weir_err *err)
{
	WEIR_CLEAN_IPT_KERNEL struct weir_ipt_kernel kernel = { 0 };
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	(void)fw;
	int r = read_all(&kernel, &rules, err);
	return r < 0 ? r : weir_ipt_kernel_check(&kernel, &rules, err);
}

static int ipt_list(struct weir_firewall *fw, struct weir_ruleset *ret,
		    struct weir_firewall_state *ret_state, struct weir_err *err)
{
	WEIR_CLEAN_IPT_KERNEL struct weir_ipt_kernel kernel = { 0 };
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_firewall_state state;
	(void)fw;
	uint32_t generation = weir_ipt_kernel_generation(); /* before: what comes now is noticed */
	int r = read_all(&kernel, &rules, err);
	if (r < 0 && r != -ESTALE)
		return r;
	weir_ipt_kernel_state(&kernel, &state);
	state.generation = generation;
	if (r == 0 && state.present)
		r = weir_ipt_kernel_check(&kernel, &rules, err);
	if (r < 0 && r != -ESTALE)
		return r;
	*ret = rules;
	rules = (struct weir_ruleset){ 0 };
	if (ret_state)
		*ret_state = state;
	return r;
}

static int ipt_counters(struct weir_firewall *fw, struct weir_counters *ret, struct weir_err *err)
{
	WEIR_CLEAN_IPT_KERNEL struct weir_ipt_kernel kernel = { 0 };
	(void)fw;
	int r = weir_ipt_kernel_read(&kernel, err);
	return r < 0 ? r : weir_ipt_kernel_counters(&kernel, ret, err);
}

/* ---- ownership ---- */

/* Chains by which weir's own are told from those that only share the prefix. */
static bool has_frame(const struct weir_ipt_kernel *kernel)
{
	static const char *const known[] = { "WEIR-FORWARD", "WEIR-INPUT", "WEIR-PUBLISH",
					     "WEIR-POSTROUTING" };
	for (size_t i = 0; i < WEIR_IPT_PLACES; i++)
		for (size_t j = 0; j < sizeof(known) / sizeof(known[0]); j++)
			if (weir_ipt_image_find(&kernel->images[i], known[j]))
				return true;
	return false;
}

static int refuse_foreign(const struct weir_firewall *fw, struct weir_err *err)
{
	const struct weir_ipt_kernel *kernel = &fw->transaction.now;
	struct weir_firewall_state state;
	weir_ipt_kernel_state(kernel, &state);
	const char *theirs = state.epoch.store;
	if (!state.present || strcmp(theirs, fw->store) == 0)
		return 0;
	if (theirs[0])
		return weir_err_set(
			err, EBUSY,
			"chains WEIR-… belong to another store, %s; this one is %s (use that "
			"store, or remove the chains)",
			theirs, fw->store);
	if (weir_ipt_image_find(&kernel->images[WEIR_IPT_HOME], WEIR_IPT_EPOCH_CHAIN) ||
	    has_frame(kernel))
		return 0;
	return weir_err_set(err, EBUSY,
			    "there are chains WEIR-… that weir did not make (look at them: "
			    "iptables-legacy-save; ip6tables-legacy-save)");
}

/* ---- the change ---- */

static int refuse_ipv6(const struct weir_ipt_view *rules, struct weir_err *err)
{
	char text[WEIR_ENTRY_TEXT];
	for (size_t i = 0; !weir_ipt_family_exists(WEIR_IPV6) && i < rules->n; i++)
		if (rules->entries[i]->family == WEIR_IPV6 &&
		    rules->entries[i]->kind != WEIR_ENTRY_GUARD)
			return weir_err_at(err, EOPNOTSUPP, &rules->entries[i]->origin,
					   "%s: this kernel has no IPv6",
					   weir_entry_text(rules->entries[i], text));
	return 0;
}

/* Somebody with the same store was faster than the caller's look at the state. */
static int refuse_overtaken(const struct weir_ipt_transaction *t,
			    const struct weir_firewall_state *old, struct weir_err *err)
{
	struct weir_firewall_state state;
	weir_ipt_kernel_state(&t->now, &state);
	if (state.present == old->present &&
	    (!state.present || state.epoch.counter == old->epoch.counter) &&
	    (!old->generation || old->generation == weir_ipt_kernel_generation()))
		return 0;
	return weir_err_set(err, EAGAIN, "weir's chains were changed meanwhile");
}

static int plan(struct weir_firewall *fw, const struct weir_delta *delta, unsigned how,
		const struct weir_epoch *epoch, struct weir_err *err)
{
	WEIR_CLEAN_RULESET struct weir_ruleset now = { 0 };
	WEIR_CLEAN_IPT_VIEW struct weir_ipt_view next = { 0 };
	struct weir_ipt_transaction *t = &fw->transaction;
	bool whole = how & WEIR_FW_WHOLE;
	int r = weir_ipt_kernel_entries(&t->now, &now, whole ? NULL : err);
	if (r == -EEXIST && whole) { /* contradictions: nothing to keep open while it is replaced */
		weir_ruleset_free(&now);
		r = 0;
	}
	if (r == 0)
		r = weir_ipt_next(whole ? NULL : &now, delta, &next, err);
	if (r == 0)
		r = refuse_ipv6(&next, err);
	if (r < 0)
		return r;
	bool nothing = whole && !next.n;
	return weir_ipt_transaction_plan(t, &now, &next, nothing ? NULL : epoch,
					 how & WEIR_FW_COVERED, err);
}

static void ipt_set_timeout(struct weir_firewall *fw, unsigned timeout_ms)
{
	fw->timeout_ms = timeout_ms;
}

static int ipt_prepare(struct weir_firewall *fw, const struct weir_delta *delta, unsigned how,
		       const struct weir_firewall_state *old, const struct weir_epoch *epoch,
		       struct weir_err *err)
{
	assert(!fw->prepared);
	int r = weir_ipt_transaction_open(fw->trace, fw->timeout_ms, &fw->transaction, err);
	if (r < 0)
		return r;
	r = refuse_foreign(fw, err);
	if (r == 0 && !(how & WEIR_FW_WHOLE))
		r = refuse_overtaken(&fw->transaction, old, err);
	if (r == 0)
		r = plan(fw, delta, how, epoch, err);
	if (r < 0)
		ipt_abort(fw);
	else
		fw->prepared = true;
	return r;
}

static int ipt_validate(struct weir_firewall *fw, struct weir_err *err)
{
	assert(fw->prepared);
	return weir_err_set(err, EOPNOTSUPP, "legacy iptables has no dry run");
}

static int ipt_commit(struct weir_firewall *fw, uint32_t *ret_generation, struct weir_err *err)
{
	assert(fw->prepared);
	int r = weir_ipt_transaction_run(&fw->transaction, err);
	if (r == 0 && ret_generation)
		*ret_generation = weir_ipt_kernel_generation(); /* while the lock is held */
	ipt_abort(fw);						/* OPEN again either way */
	return r;
}

static int ipt_forget(struct weir_firewall *fw, const struct weir_flow_match *matches, size_t n,
		      size_t *ret_forgotten, struct weir_err *err)
{
	(void)fw;
	return weir_conntrack_forget(matches, n, ret_forgotten, err);
}

static int ipt_forget_if(struct weir_firewall *fw,
			 bool (*is_cut)(const void *ctx, const struct weir_connection *conn),
			 const void *ctx, size_t *ret_forgotten, struct weir_err *err)
{
	(void)fw;
	return weir_conntrack_forget_if(is_cut, ctx, ret_forgotten, err);
}

const struct weir_firewall_ops weir_iptables = {
	.name = "iptables",
	.container = "chains WEIR-…",
	.capabilities = WEIR_FW_COUNTERS,
	.probe = ipt_probe,
	.open = ipt_open,
	.close = ipt_close,
	.state = ipt_state,
	.check = ipt_check,
	.list = ipt_list,
	.set_timeout = ipt_set_timeout,
	.prepare = ipt_prepare,
	.validate = ipt_validate,
	.commit = ipt_commit,
	.abort = ipt_abort,
	.render = weir_ipt_render,
	.counters = ipt_counters,
	.forget = ipt_forget,
	.forget_if = ipt_forget_if,
};
