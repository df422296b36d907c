/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock of a state folder, which is also its dirty mark.
 *
 * How it works: weir.lock is held by flock(2). Its holder writes who it is into it and, before it
 * touches them, what the kernel could not tell afterwards: connections to forget, the old values of
 * sysctls, namespaces that it makes, interfaces that it makes inside of them and nowhere else, packet
 * filters that it moves the rules between. A holder that is done empties it. So whoever takes the lock and
 * finds words in it knows that its predecessor was killed at work, and what is left to do. After a power
 * cut the words may be missing: the boot id tells that case. */
#ifndef WEIR_CORE_LOCK_H
#define WEIR_CORE_LOCK_H

#include "core/firewall.h"
#include "core/model.h"

struct weir_old_sysctl {
	const char *key;
	long old;
};

/* An interface that may be inside a namespace and that no other on the host tells of. */
struct weir_noted_attachment {
	struct weir_endpoint ep;    /* its name and namespace */
	struct weir_attachment att; /* its network, and both of its names */
};

struct weir_lock {
	int fd;	    /* -1 when not held */
	bool dirty; /* the predecessor did not finish */
	struct weir_arena arena;
	struct weir_flow_match *flows; /* what it may still have to forget */
	size_t n_flows;
	struct weir_old_sysctl *sysctls; /* what it may have changed */
	size_t n_sysctls;
	const char **netns; /* of endpoints that it may have made */
	size_t n_netns;
	struct weir_noted_attachment *attachments; /* that it may have made */
	size_t n_attachments;
	const char **backends; /* that it may have left rules in */
	size_t n_backends;
};
#define WEIR_LOCK_INIT   \
	{                \
		.fd = -1 \
	}

/* Makes dir (0700) when absent. Waits at most timeout_ms; then -ETIMEDOUT naming the holder.
 * holder: one line, e.g. "weir apply"; NULL: only looks, and writes nothing, so that a full disk does
 * not keep anybody from looking. -EACCES, -EROFS, -ENOSPC with what to do. */
int weir_lock_take(const char *dir, unsigned timeout_ms, const char *holder, struct weir_lock *ret,
		   struct weir_err *err);

/* Add to the mark. */
int weir_lock_note_flows(struct weir_lock *lock, const struct weir_flow_match *matches, size_t n,
			 struct weir_err *err);
int weir_lock_note_sysctl(struct weir_lock *lock, const char *key, long old, struct weir_err *err);
int weir_lock_note_netns(struct weir_lock *lock, const char *endpoint, struct weir_err *err);
int weir_lock_note_attachment(struct weir_lock *lock, const struct weir_endpoint *ep,
			      const struct weir_attachment *att, struct weir_err *err);
int weir_lock_note_backend(struct weir_lock *lock, const char *name, struct weir_err *err);

/* The sysctls noted so far are as they should be: from now on they are whoever's sets them. */
void weir_lock_settle_sysctls(struct weir_lock *lock);
/* What is noted has been done, and something else could not be: a mark without notes stays. */
void weir_lock_settle(struct weir_lock *lock);
/* Gives the lock up; `clean`: all work is done, or undone. Without it the mark stays. */
void weir_lock_release(struct weir_lock *lock, bool clean);
/* The same, removing the file and, when it is empty, the folder. */
void weir_lock_remove(struct weir_lock *lock, const char *dir);

#endif
