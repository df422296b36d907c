/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Becoming a process of an endpoint. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backends/netns.h"

#define FILES_DIR "/etc/netns"

static int read_cookie(void *ctx, struct weir_err *err)
{
	struct weir_netns_id *id = ctx;
	int inside = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (inside < 0)
		return weir_err_errno(err, errno, "opening a socket");
	id->cookie = weir_netns_cookie(inside);
	(void)close(inside); /* never used */
	return 0;
}

static int open_endpoint(const struct weir_endpoint *ep, int *ret_fd, struct weir_err *err)
{
	char own[PATH_MAX];
	struct weir_netns_id id;
	int fd = -1;

	(void)snprintf(own, sizeof(own), WEIR_NETNS_DIR "/%s", ep->name);
	int r = weir_netns_open(ep->netns == WEIR_NETNS_OWN ? own : ep->netns_path, &fd, err);
	if (r == 0)
		r = weir_netns_identify(fd, &id, err);
	if (r == 0)
		r = weir_netns_run(fd, read_cookie, &id, err);
	if (r == 0 && weir_netns_id_is_set(&ep->netns_id) &&
	    !weir_netns_id_equal(&id, &ep->netns_id))
		r = weir_err_set(err, ESTALE,
				 "another namespace than the one weir knows (weir repair)");
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		return weir_err_wrap(err, r, "endpoint \"%s\"", ep->name);
	}
	*ret_fd = fd;
	return 0;
}

/* sysfs shows the network namespace in which it was mounted. */
static int remount_sys(struct weir_err *err)
{
	struct statvfs st;
	unsigned long flags = 0;

	if (umount2("/sys", MNT_DETACH) < 0) {
		if (statvfs("/sys", &st) == 0 && (st.f_flag & ST_RDONLY))
			flags = MS_RDONLY; /* containers have it so: leave it under the new one */
	}
	if (mount("sysfs", "/sys", "sysfs", flags, NULL) < 0)
		return weir_err_errno(err, errno, "mounting /sys");
	return 0;
}

static int bind_file(const char *name, const char *file, struct weir_err *err)
{
	char from[PATH_MAX], to[PATH_MAX];

	(void)snprintf(from, sizeof(from), FILES_DIR "/%s/%s", name, file);
	(void)snprintf(to, sizeof(to), "/etc/%s", file);
	if (mount(from, to, "none", MS_BIND, NULL) < 0 && errno != ENOENT)
		return weir_err_errno(err, errno, "putting %s in place of %s", from, to);
	return 0;
}

static int bind_files(const char *name, struct weir_err *err)
{
	char path[PATH_MAX];
	int r = 0;

	(void)snprintf(path, sizeof(path), FILES_DIR "/%s", name);
	DIR *dir = opendir(path);
	if (!dir)
		return 0; /* no files of its own */
	for (struct dirent *item; r == 0 && (item = readdir(dir));)
		if (item->d_name[0] != '.')
			r = bind_file(name, item->d_name, err);
	(void)closedir(dir);
	return r;
}

int weir_netns_become(const struct weir_endpoint *ep, struct weir_err *err)
{
	const char *name = ep->name;
	int fd = -1;

	if (ep->netns == WEIR_NETNS_PATH) {
		const char *slash = strrchr(ep->netns_path, '/');
		name = strncmp(ep->netns_path, WEIR_NETNS_DIR "/", strlen(WEIR_NETNS_DIR "/")) == 0
			       ? slash + 1
			       : NULL;
	}
	int r = open_endpoint(ep, &fd, err);
	if (r < 0)
		return r;
	r = weir_netns_enter(fd, err);
	(void)close(fd);
	if (r == 0)
		r = remount_sys(err);
	return r < 0 || !name ? r : bind_files(name, err);
}
