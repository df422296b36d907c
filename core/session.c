/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of the engine: lock, store, kernel handles, and what to undo. */
#include "core/session.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	COMMIT_TRIES = 8
}; /* a change takes milliseconds: whoever beats us so often does nothing else */

int weir_session_note_netns(struct weir_session *s, const char *endpoint,
			    const struct weir_netns_id *id)
{
	struct weir_new_netns *item = weir_arena_alloc(&s->arena, sizeof(*item));
	if (!item)
		return -ENOMEM;
	*item = (struct weir_new_netns){ .next = s->new_netns, .endpoint = endpoint, .id = *id };
	s->new_netns = item;
	return 0;
}

/* The store belongs to one network namespace of one boot. After a reboot it goes with whoever comes
 * first: the namespace it belonged to is gone. */
static int check_owner(struct weir_session *s, struct weir_err *err)
{
	const struct weir_netns_id *owner = &s->meta.owner;
	if (owner->ino && strcmp(owner->boot, s->here.boot) == 0 &&
	    !weir_netns_id_equal(owner, &s->here))
		return weir_err_set(err, EBUSY,
				    "state folder %s belongs to another network namespace "
				    "(%lu, this is %lu): use another --state-dir here",
				    s->engine->state_dir, (unsigned long)owner->ino,
				    (unsigned long)s->here.ino);
	s->new_boot = owner->ino && strcmp(owner->boot, s->here.boot) != 0;
	s->meta.owner = s->here;
	return 0;
}

static bool has_store(const char *dir)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/weir.db", dir);
	return len > 0 && len < PATH_MAX && access(path, F_OK) == 0;
}

static int open_store(struct weir_session *s, struct weir_err *err)
{
	const struct weir_engine *engine = s->engine;
	if (s->dry_run && !has_store(engine->state_dir))
		return weir_store_open(NULL, true, &s->store, err);
	int r = weir_lock_take(engine->state_dir, engine->timeout_ms,
			       s->dry_run ? NULL : engine->holder, &s->lock, err);
	if (r < 0)
		return r;
	s->dirty = s->lock.dirty;
	return weir_store_open(engine->state_dir, !s->dry_run, &s->store, err);
}

static int check_backend(struct weir_session *s, struct weir_err *err)
{
	const char *name = s->engine->firewall->name;
	if (s->meta.backend[0] && strcmp(s->meta.backend, name) != 0)
		return weir_err_set(
			err, EBUSY,
			"this host's rules are in %s, not %s (weir backend use %s moves "
			"them; else leave --backend and WEIR_BACKEND out)",
			s->meta.backend, name, name);
	return 0;
}

static int open_all(struct weir_session *s, struct weir_err *err)
{
	const struct weir_engine *engine = s->engine;
	int r = open_store(s, err);
	if (r == 0)
		r = weir_store_meta(s->store, &s->meta, err);
	s->saved_meta = s->meta;
	if (r == 0 && engine->choose)
		r = engine->choose(engine->choose_ctx, s->meta.backend, err);
	if (r == 0)
		r = check_backend(s, err);
	if (r == 0)
		r = engine->links->open(s->meta.uuid, engine->trace, &s->links, err);
	if (r == 0)
		r = engine->links->identity(s->links, &s->here, err);
	if (r == 0)
		r = check_owner(s, err);
	if (r == 0)
		r = engine->firewall->open(s->meta.uuid, engine->trace, &s->fw, err);
	if (r == 0 && engine->firewall->set_timeout)
		engine->firewall->set_timeout(s->fw, engine->timeout_ms);
	return r;
}

int weir_session_open(const struct weir_engine *engine, bool dry_run, struct weir_session *ret,
		      struct weir_err *err)
{
	*ret = (struct weir_session){ .engine = engine,
				      .dry_run = dry_run,
				      .lock = WEIR_LOCK_INIT };
	int r = open_all(ret, err);
	if (r < 0)
		weir_session_close(ret);
	return r;
}

void weir_session_close(struct weir_session *s)
{
	if (!s->engine)
		return;
	if (s->fw)
		s->engine->firewall->close(s->fw);
	if (s->links)
		s->engine->links->close(s->links);
	weir_store_close(s->store);
	if (s->unmended && !s->dirty)
		weir_lock_settle(&s->lock);
	weir_lock_release(&s->lock, !s->dirty && !s->unmended);
	weir_arena_free(&s->arena);
	*s = (struct weir_session){ .lock = WEIR_LOCK_INIT };
}

int weir_session_refuse_foreign(struct weir_session *s, struct weir_err *err)
{
	const char *theirs = s->kernel.epoch.store, *dir = s->engine->state_dir;
	if (!s->kernel.present || !theirs[0] || strcmp(theirs, s->meta.uuid) == 0)
		return 0;
	bool none = s->dry_run && !has_store(dir); /* the id of one in memory is nobody's */
	return weir_err_set(err, EBUSY,
			    "another weir has made %s (store %s, in %s there is %s): use its "
			    "--state-dir; where that store is lost, remove its rules by hand, and "
			    "then what `weir status` names",
			    s->engine->firewall->container, theirs, dir,
			    none ? "none" : s->meta.uuid);
}

/* Are no rules there because none are wanted, as in networks that pass the host by? */
static bool has_no_rules(const struct weir_session *s)
{
	return !s->kernel.present && !s->meta.backend[0] && s->saved_meta.owner.ino && !s->new_boot;
}

int weir_session_is_fresh(struct weir_session *s, bool *ret, struct weir_err *err)
{
	const struct weir_firewall_ops *fw = s->engine->firewall;
	int r = fw->state(s->fw, &s->kernel, err);
	if (r == 0)
		r = weir_session_refuse_foreign(s, err);
	if (r < 0)
		return r;
	*ret = !s->dirty && has_no_rules(s);
	if (*ret || s->dirty || !s->kernel.present || s->kernel.epoch.counter != s->meta.counter ||
	    strcmp(s->kernel.epoch.boot, s->here.boot) != 0)
		return 0;
	if (s->kernel.generation && s->kernel.generation == s->meta.generation) {
		*ret = true;
		return 0;
	}
	/* Somebody else has written: our chains and rules may have been hit as well. */
	r = fw->check(s->fw, err);
	if (r < 0 && r != -ESTALE)
		return r;
	*ret = r == 0;
	return 0;
}

int weir_session_push_undo(struct weir_session *s,
			   int (*undo)(struct weir_session *s, const void *a, const void *b),
			   const void *a, const void *b, struct weir_err *err)
{
	struct weir_undo *item = weir_arena_alloc(&s->arena, sizeof(*item));
	if (!item)
		return weir_err_set(err, ENOMEM, "out of memory");
	*item = (struct weir_undo){ .next = s->undo, .undo = undo, .a = a, .b = b };
	s->undo = item;
	return 0;
}

static int undo_sysctl(struct weir_session *s, const void *a, const void *b)
{
	const struct weir_old_sysctl *sysctl = a;
	(void)b;
	int r = s->engine->links->sysctl_set(s->links, sysctl->key, sysctl->old, NULL);
	return r == -ENOENT ? 0 : r;
}

int weir_session_note_sysctl(struct weir_session *s, const char *key, long old,
			     struct weir_err *err)
{
	struct weir_old_sysctl *sysctl = weir_arena_alloc(&s->arena, sizeof(*sysctl));
	if (!sysctl)
		return weir_err_set(err, ENOMEM, "out of memory");
	*sysctl = (struct weir_old_sysctl){ .key = key, .old = old };
	int r = weir_lock_note_sysctl(&s->lock, key, old, err);
	return r < 0 ? r : weir_session_push_undo(s, undo_sysctl, sysctl, NULL, err);
}

static bool same_meta(const struct weir_store_meta *a, const struct weir_store_meta *b)
{
	return weir_netns_id_equal(&a->owner, &b->owner) && strcmp(a->backend, b->backend) == 0 &&
	       a->counter == b->counter && a->generation == b->generation;
}

/* The kernel is as it was, but for numbers: our commits count on, namespaces have new ids. */
static int keep_account(struct weir_session *s)
{
	weir_store_rollback(s->store);
	if (!s->new_netns && same_meta(&s->saved_meta, &s->meta))
		return 0;
	int r = weir_store_begin(s->store, false, NULL);
	for (struct weir_new_netns *item = s->new_netns; r == 0 && item; item = item->next)
		r = weir_store_set_netns_id(s->store, item->endpoint, &item->id, NULL);
	return r < 0 ? r : weir_session_commit_store(s, NULL);
}

void weir_session_undo(struct weir_session *s, struct weir_err *err)
{
	int failed = 0;
	for (; s->undo; s->undo = s->undo->next) {
		int r = s->undo->undo(s, s->undo->a, s->undo->b);
		if (r < 0 && !failed)
			failed = r;
	}
	int kept = failed ? 0 : keep_account(s);
	if (kept < 0 && s->new_netns)
		failed = kept; /* the store takes the namespaces for somebody else's */
	if (!failed && !kept)
		return;
	/* Of numbers alone nobody need know: the next command counts on from the kernel's. */
	s->dirty = true;
	if (failed && err) {
		size_t used = strlen(err->text);
		(void)snprintf(err->text + used, sizeof(err->text) - used,
			       "; going back failed as well (%s): run `weir repair`",
			       strerror(-failed));
	}
}

struct weir_epoch weir_session_next_epoch(const struct weir_session *s)
{
	/* A store that is older than the kernel (a failure, a copy put back) counts on from there. */
	uint32_t last = s->kernel.present && s->kernel.epoch.counter > s->meta.counter
				? s->kernel.epoch.counter
				: s->meta.counter;
	struct weir_epoch epoch = { .counter = last + 1 };
	memcpy(epoch.store, s->meta.uuid, sizeof(epoch.store));
	memcpy(epoch.boot, s->here.boot, sizeof(epoch.boot));
	return epoch;
}

static int try_commit(struct weir_session *s, const struct weir_delta *delta, unsigned how,
		      struct weir_err *err)
{
	const struct weir_firewall_ops *fw = s->engine->firewall;
	const struct weir_epoch epoch = weir_session_next_epoch(s);
	int r = fw->prepare(s->fw, delta, how, &s->kernel, &epoch, err);
	if (r < 0)
		return r;
	uint32_t generation = 0;
	r = fw->commit(s->fw, &generation, err);
	if (r < 0)
		return r;
	s->meta.counter = epoch.counter;
	s->meta.generation = generation;
	s->kernel = (struct weir_firewall_state){
		.present = !(how & WEIR_FW_WHOLE) || delta->n_added,
		.epoch = epoch,
		.generation = generation,
	};
	/* Only a filter that has rules of ours binds the host: one that cannot hold any must not. */
	if (s->kernel.present)
		(void)snprintf(s->meta.backend, sizeof(s->meta.backend), "%s", fw->name);
	return 0;
}

int weir_session_commit_rules(struct weir_session *s, const struct weir_delta *delta, unsigned how,
			      struct weir_err *err)
{
	bool whole = how & WEIR_FW_WHOLE;
	const struct weir_firewall_ops *fw = s->engine->firewall;
	for (int tries = 0;; tries++) {
		int r = try_commit(s, delta, how, err);
		if (r != -EAGAIN)
			return r;
		if (tries == COMMIT_TRIES)
			return weir_err_wrap(err, EBUSY, "somebody else keeps changing %s's rules",
					     fw->name);
		uint32_t counter = s->kernel.epoch.counter;
		r = fw->state(s->fw, &s->kernel, err);
		if (r == 0 && !whole && s->kernel.epoch.counter != counter)
			r = weir_err_set(err, EBUSY,
					 "somebody has changed %s under our hands: try again",
					 fw->container);
		if (r == 0 && !whole && s->kernel.present)
			r = fw->check(s->fw, err);
		if (r < 0)
			return r;
	}
}

int weir_session_commit_store(struct weir_session *s, struct weir_err *err)
{
	int r = same_meta(&s->saved_meta, &s->meta) ? 0
						    : weir_store_set_meta(s->store, &s->meta, err);
	if (r == 0)
		r = weir_store_commit(s->store, err);
	if (r == 0)
		s->saved_meta = s->meta;
	return r;
}

void weir_session_hold_signals(sigset_t *ret_was)
{
	sigset_t asked_to_end;
	(void)sigemptyset(&asked_to_end); /* none of these four can fail */
	(void)sigaddset(&asked_to_end, SIGINT);
	(void)sigaddset(&asked_to_end, SIGTERM);
	(void)sigaddset(&asked_to_end, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &asked_to_end, ret_was);
}

void weir_session_let_signals(const sigset_t *was)
{
	(void)sigprocmask(SIG_SETMASK, was, NULL);
}

void weir_session_progress(const struct weir_session *s, const char *what, size_t done,
			   size_t total)
{
	if (s->engine->progress)
		s->engine->progress(s->engine->progress_ctx, what, done, total);
}
