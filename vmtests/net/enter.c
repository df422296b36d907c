/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a command where a test world is: its mount namespace and one of its network namespaces.
 *
 * The mount namespace is the caller's to name; the network namespace's path is one inside of it. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int enter_one(int fd, int kind, const char *name)
{
	if (fd >= 0 && setns(fd, kind) == 0)
		return 0;
	fprintf(stderr, "probe: %s: %s\n", name, strerror(errno));
	return -1;
}

/* enter MOUNT-NAMESPACE NETWORK-NAMESPACE FOLDER COMMAND… */
int probe_enter(int argc, char **argv)
{
	int mount_fd, net_fd;

	if (argc < 6) {
		fprintf(stderr, "probe: enter MOUNTS NETWORK FOLDER COMMAND...\n");
		return 125;
	}
	mount_fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (enter_one(mount_fd, CLONE_NEWNS, argv[2]) != 0)
		return 125;
	net_fd = open(argv[3], O_RDONLY | O_CLOEXEC);
	if (enter_one(net_fd, CLONE_NEWNET, argv[3]) != 0)
		return 125;
	if (chdir(argv[4]) == 0)
		execvp(argv[5], argv + 5);
	fprintf(stderr, "probe: %s in %s: %s\n", argv[5], argv[4], strerror(errno));
	return 125;
}
