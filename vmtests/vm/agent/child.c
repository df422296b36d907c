/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A started process before it is the command: it enters namespaces and becomes the command. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void __attribute__((noreturn)) fail(const char *what)
{
	dprintf(STDERR_FILENO, "agent: %s: %s\n", what, strerror(errno));
	_exit(127);
}

/* Both are opened before either is entered: their names are those of the machine itself. */
static void enter_namespaces(const struct child *what)
{
	int mnt = *what->mnt ? open(what->mnt, O_RDONLY | O_CLOEXEC) : -1;
	int net = *what->net ? open(what->net, O_RDONLY | O_CLOEXEC) : -1;

	if (*what->mnt && mnt < 0)
		fail(what->mnt);
	if (*what->net && net < 0)
		fail(what->net);
	if (mnt >= 0 && setns(mnt, CLONE_NEWNS) < 0)
		fail(what->mnt);
	if (net >= 0 && setns(net, CLONE_NEWNET) < 0)
		fail(what->net);
}

void child_run(const struct child *what)
{
	enter_namespaces(what);
	if (*what->cwd && chdir(what->cwd) < 0)
		fail(what->cwd);
	environ = what->env;
	if (!getenv("PATH"))
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (what->argv[0][0] == '@')
		_exit(builtin_run(what->argv));
	execvp(what->argv[0], what->argv);
	fail(what->argv[0]);
}
