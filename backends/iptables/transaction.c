/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of all four places, in steps that fail closed, and back again when one fails.
 *
 * How it works: for each family, IPv6 first,
 *
 *	filter, as closed as what is there and what is to come (middle.c)
 *	nat
 *	filter, as it is to be
 *
 * where the first one is left out while another packet filter says the same (WEIR_FW_COVERED): so that
 * nothing which both let pass is dropped in between. Steps that change nothing are left out too: publishing a port is nat and filter, withdrawing an
 * endpoint filter and nat. The epoch is in the last filter, IPv4's. The kernel's tables
 * know no transaction beyond one commit; so the lock is held from reading to the last step, and
 * when a step fails those before it are done backwards. */
#include "backends/iptables/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/iptables/middle.h"
#include "backends/iptables/xlock.h"

enum { COMMIT_TRIES = 8 }; /* only those who ignore the lock can be faster */

/* ---- opening ---- */

static int read_place(struct weir_ipt_transaction *t, size_t place, struct weir_err *err)
{
	if (!weir_ipt_table_exists(&weir_ipt_places[place]))
		return 0;
	int r = weir_ipt_table_open(&weir_ipt_places[place], &t->handles[place], err);
	return r < 0 ? r
		     : weir_ipt_table_read(&t->handles[place], NULL, &t->now.images[place], err);
}

int weir_ipt_transaction_open(const struct weir_trace *trace, unsigned timeout_ms,
			      struct weir_ipt_transaction *ret, struct weir_err *err)
{
	struct weir_ipt_transaction t = { .lock = -1, .trace = trace };
	int r = weir_ipt_lock(timeout_ms, &t.lock, err);
	for (size_t i = 0; r == 0 && i < WEIR_IPT_PLACES; i++)
		r = read_place(&t, i, err);
	if (r < 0)
		weir_ipt_transaction_close(&t);
	else
		*ret = t;
	return r;
}

void weir_ipt_transaction_close(struct weir_ipt_transaction *t)
{
	for (size_t i = 0; i < WEIR_IPT_PLACES; i++)
		weir_ipt_table_close(&t->handles[i]);
	weir_ipt_kernel_free(&t->now);
	weir_ipt_kernel_free(&t->middle);
	weir_ipt_kernel_free(&t->wanted);
	weir_ruleset_free(&t->rules);
	weir_ipt_view_free(&t->next);
	weir_ruleset_free(&t->between);
	if (t->lock >= 0)
		(void)close(t->lock); /* nothing was written to it */
	*t = (struct weir_ipt_transaction){ .lock = -1 };
}

/* ---- planning ---- */

static void add_step(struct weir_ipt_transaction *t, size_t place,
		     const struct weir_ipt_image *before, const struct weir_ipt_image *after)
{
	if (!weir_ipt_image_equal(before, after))
		t->steps[t->n_steps++] = (struct weir_ipt_step){ place, before, after };
}

/* Whether filter needs a step of its own before nat changes; the image is left in t->middle. */
static int plan_middle(struct weir_ipt_transaction *t, size_t filter,
		       const struct weir_ruleset *middle, const struct weir_epoch *old,
		       const struct weir_epoch *new, bool *ret_needed,
		       const struct weir_ipt_image **ret_image)
{
	struct weir_ipt_image *image = &t->middle.images[filter];
	*ret_needed = false;
	int r = weir_ipt_build(&weir_ipt_places[filter], middle, old, image);
	if (r < 0 || weir_ipt_image_equal(image, &t->now.images[filter]))
		return r;
	weir_ipt_image_free(image);
	r = weir_ipt_build(&weir_ipt_places[filter], middle, new ? new : old, image);
	*ret_needed = true;
	*ret_image = weir_ipt_image_equal(image, &t->wanted.images[filter])
			     ? &t->wanted.images[filter]
			     : image;
	return r;
}

/* middle NULL: nothing has to be as closed as that. */
static int plan_family(struct weir_ipt_transaction *t, size_t filter,
		       const struct weir_ruleset *middle, const struct weir_epoch *old,
		       const struct weir_epoch *new)
{
	size_t nat = filter + 1; /* as in weir_ipt_places */
	const struct weir_ipt_image *at = &t->now.images[filter], *image = NULL;
	bool needed = false;
	/* without a change of nat there is no moment in between */
	if (middle && !weir_ipt_image_equal(&t->now.images[nat], &t->wanted.images[nat])) {
		int r = plan_middle(t, filter, middle, old, new, &needed, &image);
		if (r < 0)
			return r;
	}
	if (needed) {
		add_step(t, filter, at, image);
		at = image;
	}
	add_step(t, nat, &t->now.images[nat], &t->wanted.images[nat]);
	add_step(t, filter, at, &t->wanted.images[filter]);
	return 0;
}

static int build_wanted(struct weir_ipt_transaction *t)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < WEIR_IPT_PLACES; i++)
		if (weir_ipt_family_exists(weir_ipt_places[i].family))
			r = weir_ipt_build_view(&weir_ipt_places[i], &t->next, &t->epoch,
						&t->wanted.images[i]);
	return r;
}

/* Loaded before the first step, so that what cannot be had is missed before anything is changed. */
static int load_modules(const struct weir_ipt_transaction *t, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < t->n_steps; i++)
		r = weir_ipt_load(weir_ipt_places[t->steps[i].place].family, false, err);
	return r;
}

int weir_ipt_transaction_plan(struct weir_ipt_transaction *t, struct weir_ruleset *old,
			      struct weir_ipt_view *next, const struct weir_epoch *epoch,
			      bool covered, struct weir_err *err)
{
	struct weir_firewall_state state;
	weir_ipt_kernel_state(&t->now, &state);
	const struct weir_epoch *before = state.epoch.store[0] ? &state.epoch : NULL;
	t->rules = *old;
	t->next = *next;
	*old = (struct weir_ruleset){ 0 };
	*next = (struct weir_ipt_view){ 0 };
	int r = weir_ipt_middle(&t->rules, &t->next, &t->between, err);
	if (r < 0)
		return r;
	if (epoch) {
		t->epoch = *epoch;
		r = build_wanted(t);
	}
	for (size_t i = 0; r == 0 && i < WEIR_IPT_PLACES; i += 2)
		if (weir_ipt_family_exists(weir_ipt_places[i].family))
			r = plan_family(t, i, covered ? NULL : &t->between, before, epoch);
	if (r < 0)
		return weir_err_set(err, r, "no memory to prepare the rules");
	return load_modules(t, err);
}

/* ---- running ---- */

/* The image of a large table is no longer needed once libiptc has made its own of it, and that is copied
 * again for the commit. */
static void drop(struct weir_ipt_transaction *t, size_t place, const struct weir_ipt_image *image)
{
	if (image != &t->wanted.images[place] || weir_ipt_places[place].table != WEIR_IPT_NAT ||
	    !image->n)
		return;
	weir_ipt_image_free(&t->wanted.images[place]);
	t->dropped[place] = true;
}

/* For another try, and for the way back. */
static int build_again(struct weir_ipt_transaction *t, size_t place,
		       const struct weir_ipt_image *image, struct weir_err *err)
{
	if (image != &t->wanted.images[place] || !t->dropped[place])
		return 0;
	t->dropped[place] = false;
	int r = weir_ipt_build_view(&weir_ipt_places[place], &t->next, &t->epoch,
				    &t->wanted.images[place]);
	return r < 0 ? weir_err_set(err, r, "no memory to prepare the rules") : 0;
}

/* A new snapshot, in which what is weir's must be as planned. */
static int open_step(struct weir_ipt_transaction *t, const struct weir_ipt_step *step,
		     struct weir_ipt_handle *handle, struct weir_ipt_image *there,
		     struct weir_err *err)
{
	int r = weir_ipt_table_open(&weir_ipt_places[step->place], handle, err);
	if (r == 0)
		r = weir_ipt_table_read(handle, NULL, there, err);
	if (r == 0)
		r = build_again(t, step->place, step->before, err);
	if (r == 0 && !weir_ipt_image_equal(there, step->before))
		r = weir_err_set(err, EAGAIN,
				 "weir's own chains in table %s were changed meanwhile",
				 weir_ipt_place_name(&weir_ipt_places[step->place]));
	return r;
}

static int try_step(struct weir_ipt_transaction *t, const struct weir_ipt_step *step,
		    struct weir_err *err)
{
	struct weir_ipt_handle handle = t->handles[step->place];
	struct weir_ipt_image read = { 0 };
	const struct weir_ipt_image *there = step->before;
	size_t changes = 0;
	int r = 0;
	/* the snapshot that was read first serves the first step of its place */
	t->handles[step->place] = (struct weir_ipt_handle){ 0 };
	if (!handle.iptc) {
		r = open_step(t, step, &handle, &read, err);
		there = &read; /* with the lines of now */
	}
	if (r == 0)
		r = build_again(t, step->place, step->after, err);
	if (r == 0)
		r = weir_ipt_table_change(&handle, there, step->after, t->trace, &changes, err);
	drop(t, step->place, step->after);
	if (r == 0)
		r = weir_ipt_table_commit(&handle, err);
	weir_ipt_table_close(&handle);
	weir_ipt_image_free(&read);
	return r;
}

/* A commit is two calls: the table and its counters. When only the second one fails, the table has
 * changed all the same. */
static bool has_taken(struct weir_ipt_transaction *t, const struct weir_ipt_step *step)
{
	struct weir_ipt_handle handle = { 0 };
	struct weir_ipt_image there = { 0 };
	int r = weir_ipt_table_open(&weir_ipt_places[step->place], &handle, NULL);
	if (r == 0)
		r = weir_ipt_table_read(&handle, NULL, &there, NULL);
	if (r == 0)
		r = build_again(t, step->place, step->after, NULL);
	bool taken = r == 0 && weir_ipt_image_equal(&there, step->after);
	weir_ipt_table_close(&handle);
	weir_ipt_image_free(&there);
	return taken;
}

static int run_step(struct weir_ipt_transaction *t, const struct weir_ipt_step *step,
		    struct weir_err *err)
{
	struct weir_err why = { 0 };
	int r = -EAGAIN;
	for (int i = 0; i < COMMIT_TRIES && r == -EAGAIN; i++)
		r = try_step(t, step, &why);
	if (r < 0 && r != -EAGAIN && has_taken(t, step))
		r = 0;
	if (r < 0 && err)
		*err = why;
	return r;
}

static void go_back(struct weir_ipt_transaction *t, size_t done, struct weir_err *err)
{
	struct weir_err why = { 0 };
	int failed = 0;
	while (done-- > 0) {
		const struct weir_ipt_step *step = &t->steps[done];
		struct weir_ipt_step back = { step->place, step->after, step->before };
		int r = run_step(t, &back, failed ? NULL : &why);
		failed = failed ? failed : r;
	}
	if (!failed || !err)
		return;
	size_t used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used,
		       "; going back failed as well (%s): run `weir repair`", why.text);
}

int weir_ipt_transaction_run(struct weir_ipt_transaction *t, struct weir_err *err)
{
	for (size_t i = 0; i < t->n_steps; i++) {
		int r = run_step(t, &t->steps[i], err);
		if (r < 0) {
			go_back(t, i, err);
			return r;
		}
	}
	return 0;
}
