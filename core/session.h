/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of the engine: lock, store, kernel handles, and what to undo. Private to the engine. */
#ifndef WEIR_CORE_SESSION_H
#define WEIR_CORE_SESSION_H

#include <signal.h>

#include "core/engine.h"
#include "core/lock.h"
#include "core/nameset.h"
#include "core/store.h"

struct weir_session;

struct weir_undo {
	struct weir_undo *next;
	int (*undo)(struct weir_session *s, const void *a, const void *b);
	const void *a, *b; /* what undo needs; they live until the session ends */
};

struct weir_new_netns {
	struct weir_new_netns *next;
	const char *endpoint;
	struct weir_netns_id id;
};

struct weir_session {
	const struct weir_engine *engine;
	bool dry_run;
	struct weir_arena arena;
	struct weir_lock lock;
	struct weir_store *store;
	struct weir_store_meta meta, saved_meta; /* as it is, and as the store has it */
	struct weir_netns_id here;		 /* the network namespace we are in */
	struct weir_links *links;
	struct weir_firewall *fw;
	struct weir_firewall_state kernel; /* as last asked */
	struct weir_host_route *routes;	   /* the host's, once somebody asked */
	size_t n_routes;
	bool have_routes;
	struct weir_host_socket *sockets; /* the same of its bound sockets */
	size_t n_sockets;
	bool have_sockets;
	struct weir_undo *undo;		  /* the latest first */
	struct weir_new_netns *new_netns; /* made anew while going back */
	struct weir_nameset strangers; /* interfaces that were to go, but are not weir's any more */
	bool new_boot;	 /* the store's last commit was in an earlier boot of this host */
	bool restoring;	 /* what was made at run time in an earlier boot does not come back */
	bool look_aside; /* also into packet filters that are not in charge (core/aside.h) */
	bool dirty;	 /* leave the mark: somebody must converge */
	bool unmended;	 /* the same, though all that the mark notes is done */
};

/* Takes the lock, opens the store and both backends, and checks that the store belongs to this
 * namespace. A dry run on a host without a store works on an empty one in memory and makes nothing; an older one
 * it does not migrate: -ESTALE. */
int weir_session_open(const struct weir_engine *engine, bool dry_run, struct weir_session *ret,
		      struct weir_err *err);
void weir_session_close(struct weir_session *s);
#define WEIR_CLEAN_SESSION __attribute__((cleanup(weir_session_close)))

/* Is the kernel's side what our last commit left? Asks for its state; elements are not looked at.
 * ret: true on the fast path. A foreign owner is -EBUSY. */
int weir_session_is_fresh(struct weir_session *s, bool *ret, struct weir_err *err);

/* -EBUSY when what s->kernel says was there belongs to another store. */
int weir_session_refuse_foreign(struct weir_session *s, struct weir_err *err);

/* Remembers how to take a step back; -ENOMEM. */
int weir_session_push_undo(struct weir_session *s,
			   int (*undo)(struct weir_session *s, const void *a, const void *b),
			   const void *a, const void *b, struct weir_err *err);
/* Before a sysctl changes: it has `old` again when the step is taken back, and when a successor finds
 * that this run was killed. key lives as long as the session. -ENOMEM. */
int weir_session_note_sysctl(struct weir_session *s, const char *key, long old,
			     struct weir_err *err);
/* A namespace has another id than the store says; written when all is undone. */
int weir_session_note_netns(struct weir_session *s, const char *endpoint,
			    const struct weir_netns_id *id);
/* Goes back through all of them, rolls the store's transaction back and writes what the kernel counts
 * now; what cannot be undone is told in err's text and leaves the mark. */
void weir_session_undo(struct weir_session *s, struct weir_err *err);

/* What our next commit is to be known by. */
struct weir_epoch weir_session_next_epoch(const struct weir_session *s);
/* One firewall transaction with it (how: WEIR_FW_WHOLE, …); s->kernel and s->meta follow. Repeats on -EAGAIN after
 * looking whether our frame is still as it should be. */
int weir_session_commit_rules(struct weir_session *s, const struct weir_delta *delta, unsigned how,
			      struct weir_err *err);

/* Ends the store's transaction, with what the store is to know of the kernel, when that is news. */
int weir_session_commit_store(struct weir_session *s, struct weir_err *err);

/* Whoever asks weir to end waits until the work is whole. */
void weir_session_hold_signals(sigset_t *ret_was);
void weir_session_let_signals(const sigset_t *was);

void weir_session_progress(const struct weir_session *s, const char *what, size_t done,
			   size_t total);

#endif
