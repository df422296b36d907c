/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock that all users of legacy iptables share. Without it a writer that does not change the number
 * of rules is overwritten unseen: the kernel compares nothing else. */
#include "backends/iptables/xlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 5, STEP_MAX_MS = 100 };

static const char *lock_path(void)
{
	const char *path = getenv("XTABLES_LOCKFILE");
	return path && path[0] ? path : "/run/xtables.lock";
}

/* 0, or -errno; -EWOULDBLOCK after the limit. */
static int wait_for(int fd, unsigned timeout_ms)
{
	unsigned step = STEP_MS;
	for (unsigned waited = 0;;) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (waited >= timeout_ms)
			return -EWOULDBLOCK;
		struct timespec pause = { .tv_nsec = step * 1000000L };
		(void)nanosleep(&pause, NULL); /* a signal only shortens the wait */
		waited += step;
		step = step * 2 < STEP_MAX_MS ? step * 2 : STEP_MAX_MS;
	}
}

int weir_ipt_lock(unsigned timeout_ms, int *ret_fd, struct weir_err *err)
{
	const char *path = lock_path();
	int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return weir_err_errno(err, errno, "opening iptables' lock %s", path);
	int r = wait_for(fd, timeout_ms);
	if (r == 0) {
		*ret_fd = fd;
		return 0;
	}
	(void)close(fd); /* nothing was written */
	if (r == -EWOULDBLOCK)
		return weir_err_set(
			err, EBUSY,
			"somebody holds iptables' lock %s, still after %u ms (fuser %s tells "
			"who; wait longer with --timeout)",
			path, timeout_ms, path);
	return weir_err_errno(err, r, "taking iptables' lock %s", path);
}
