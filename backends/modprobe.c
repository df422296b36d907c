/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Modules that the kernel does not load by itself. */
#include "backends/modprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program that the administrator has named for this; an empty name: none. */
static bool modprobe_path(char *buf, size_t size)
{
	FILE *file = fopen("/proc/sys/kernel/modprobe", "re");
	char *line = file ? fgets(buf, (int)size, file) : NULL;
	if (file)
		(void)fclose(file); /* only read */
	if (!line)
		return false;
	buf[strcspn(buf, "\n")] = '\0';
	return buf[0] == '/';
}

static int run_quietly(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status = -1;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	int r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY,
						     0);
	if (r == 0)
		r = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions); /* always 0 */
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOENT;
}

int weir_modprobe(const char *module, bool dry)
{
	char path[256], options[] = "-q", dry_run[] = "-n", name[32];
	(void)snprintf(name, sizeof(name), "%s", module);
	char *argv[] = { path, options, dry ? dry_run : name, dry ? name : NULL, NULL };
	return modprobe_path(path, sizeof(path)) ? run_quietly(argv) : -ENOENT;
}
