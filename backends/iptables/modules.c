/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this kernel has legacy iptables, and its modules. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/iptables/iptc.h"
#include "backends/iptables/table.h"

bool weir_ipt_family_exists(enum weir_family family)
{
	return family != WEIR_IPV6 || access("/proc/thread-self/net/if_inet6", F_OK) == 0;
}

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

int weir_ipt_load(enum weir_family family, bool dry, struct weir_err *err)
{
	const struct weir_iptc *iptc = &weir_iptc[family];
	char path[256], options[] = "-q", dry_run[] = "-n", module[32];
	if (access(iptc->names, F_OK) == 0)
		return 0;
	(void)snprintf(module, sizeof(module), "%s", iptc->module);
	char *argv[] = { path, options, dry ? dry_run : module, dry ? module : NULL, NULL };
	if (modprobe_path(path, sizeof(path)) && run_quietly(argv) == 0 &&
	    (dry || access(iptc->names, F_OK) == 0))
		return 0;
	return weir_err_set(err, EOPNOTSUPP,
			    "this kernel has no legacy iptables for %s and no module %s to load "
			    "(CONFIG_NETFILTER_XTABLES_LEGACY; use --backend nftables)",
			    weir_family_name(family), iptc->module);
}
