/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hosts files that endpoints of the same networks share.
 *
 * How it works: they lie in a folder that no endpoint can be called like, each under a digest of its store and
 * networks, which its first line says in words; an endpoint's own hosts is a link to it (names.c). A bind
 * mount holds on to an inode, so a file is written in place, at one go: a reader may see it shorter or
 * longer for a moment, but what was there before the end stays there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/netlink/names.h"
#include "core/digest.h"

enum { PATH_SIZE = 64, FILE_MAX_SIZE = 16 << 20 };

static void file_name(const struct weir_links *links, const char *networks, char name[17])
{
	uint64_t digest = weir_digest_text(WEIR_DIGEST_START, links->store);

	(void)snprintf(name, 17, "%016" PRIx64, weir_digest_text(digest, networks));
}

static void file_path(const struct weir_links *links, const char *networks, char path[PATH_SIZE])
{
	char name[17];

	file_name(links, networks, name);
	(void)snprintf(path, PATH_SIZE, WEIR_HOSTS_FOLDER "/%s", name);
}

void weir_hosts_target(const struct weir_links *links, const char *networks,
		       char target[WEIR_HOSTS_TARGET])
{
	char name[17];

	file_name(links, networks, name);
	(void)snprintf(target, WEIR_HOSTS_TARGET, WEIR_HOSTS_LINK "%s", name);
}

/* "# weir <store> networks ", what the first line begins with */
static void mark(const struct weir_links *links, char buf[96])
{
	(void)snprintf(buf, 96, "# weir %s networks ", links->store);
}

/* ---- reading ---- */

/* A link or a pipe in the place of a file, which nobody may wait for. */
static bool is_no_file(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* All of a file, in the arena; of what is none, nothing. -ENOENT: absent. */
static int read_file(const char *path, struct weir_arena *arena, char **ret, struct weir_err *err)
{
	static char nothing[] = "";
	struct stat st;

	if (is_no_file(path)) {
		*ret = nothing;
		return 0;
	}
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return weir_err_errno(err, errno, "opening %s", path);
	int r = fstat(fd, &st) < 0 ? -errno : 0;
	size_t size = r == 0 && st.st_size < FILE_MAX_SIZE ? (size_t)st.st_size : 0;
	char *text = weir_arena_alloc(arena, size + 1);
	ssize_t n = text && r == 0 ? read(fd, text, size) : 0;
	if (r == 0 && n < 0)
		r = -errno;
	(void)close(fd); /* only read */
	if (!text)
		return weir_err_set(err, ENOMEM, "out of memory");
	if (r < 0)
		return weir_err_errno(err, -r, "reading %s", path);
	text[n] = '\0';
	*ret = text;
	return 0;
}

/* The networks in the first line, cut out of the text in place; NULL: another store's, or torn. */
static char *networks_of(const struct weir_links *links, char *text, char **ret_rest)
{
	char begin[96];
	char *end = strchr(text, '\n');

	mark(links, begin);
	if (!end || strncmp(text, begin, strlen(begin)) != 0)
		return NULL;
	*end = '\0';
	*ret_rest = end + 1;
	return text + strlen(begin);
}

int weir_hosts_read(struct weir_links *links, const char *networks, struct weir_arena *arena,
		    const char **ret_text, struct weir_err *err)
{
	char path[PATH_SIZE], *text = NULL, *rest = NULL;

	file_path(links, networks, path);
	int r = read_file(path, arena, &text, err);
	if (r == -ENOENT) {
		*ret_text = NULL;
		return 0;
	}
	if (r < 0)
		return r;
	*ret_text = networks_of(links, text, &rest) ? rest : "";
	return 0;
}

/* Its networks, or NULL where the file is not this store's. */
static int read_networks(const struct weir_links *links, const char *name, struct weir_arena *arena,
			 const char **ret, struct weir_err *err)
{
	char path[PATH_SIZE], own[17], *text = NULL, *rest;

	*ret = NULL;
	(void)snprintf(path, sizeof(path), WEIR_HOSTS_FOLDER "/%.16s", name);
	int r = read_file(path, arena, &text, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	const char *networks = networks_of(links, text, &rest);
	if (networks)
		file_name(links, networks, own);
	*ret = networks && strcmp(own, name) == 0 ? networks : NULL;
	return 0;
}

int weir_hosts_list(struct weir_links *links, struct weir_arena *arena, const char ***ret_networks,
		    size_t *ret_n, struct weir_err *err)
{
	const char **list = NULL;
	size_t n = 0;
	int r = 0;
	DIR *dir = opendir(WEIR_HOSTS_FOLDER);

	if (!dir && errno != ENOENT)
		return weir_err_errno(err, errno, "opening " WEIR_HOSTS_FOLDER);
	for (struct dirent *item; r == 0 && dir && (item = readdir(dir));) {
		const char *networks = NULL;
		if (item->d_name[0] == '.')
			continue;
		r = read_networks(links, item->d_name, arena, &networks, err);
		if (r < 0 || !networks)
			continue;
		const char **more = weir_arena_grow(arena, list, n, sizeof(*more));
		if (!more) {
			r = weir_err_set(err, ENOMEM, "out of memory");
			continue;
		}
		list = more;
		list[n++] = networks;
	}
	if (dir)
		(void)closedir(dir); /* only read */
	if (r < 0)
		return r;
	*ret_networks = list;
	*ret_n = n;
	return 0;
}

/* ---- writing ---- */

static int write_all(int fd, const char *text, size_t size)
{
	ssize_t n = pwrite(fd, text, size, 0);

	if (n < 0)
		return errno;
	if (n != (ssize_t)size)
		return ENOSPC;
	return ftruncate(fd, (off_t)size) < 0 ? errno : 0;
}

/* A new one has no name before it is whole, where the file system knows of such files: what a change that
 * is killed leaves then goes with it. */
static int open_file(const char *path, bool *ret_nameless)
{
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	*ret_nameless = false;
	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = open(WEIR_HOSTS_FOLDER, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644);
	*ret_nameless = fd >= 0;
	return fd >= 0 ? fd : open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
}

static int name_file(int fd, const char *path)
{
	char self[32];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
}

static int write_file(const char *path, const char *text, size_t size, struct weir_err *err)
{
	bool nameless;

	if (is_no_file(path))
		(void)unlink(path); /* what stays is told by what follows */
	int fd = open_file(path, &nameless);
	if (fd < 0)
		return weir_err_errno(err, errno, "making %s", path);
	int e = write_all(fd, text, size);
	if (e == 0 && nameless)
		e = name_file(fd, path);
	if (close(fd) < 0 && e == 0)
		e = errno;
	return e == 0 ? 0 : weir_err_errno(err, e, "writing %s", path);
}

static int remove_file(const char *path, struct weir_err *err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return weir_err_errno(err, errno, "removing %s", path);
	int r = weir_names_remove_folder(WEIR_HOSTS_FOLDER, err);
	return r < 0 ? r : weir_names_remove_folder(WEIR_NAMES_FOLDER, err);
}

int weir_hosts_write(struct weir_links *links, const char *networks, const char *text,
		     struct weir_err *err)
{
	char path[PATH_SIZE], begin[96], *all = NULL;

	file_path(links, networks, path);
	if (!text)
		return remove_file(path, err);
	mark(links, begin);
	int size = asprintf(&all, "%s%s\n%s", begin, networks, text);
	if (size < 0)
		return weir_err_set(err, ENOMEM, "out of memory");
	int r = weir_names_make_folder(WEIR_NAMES_FOLDER, err);
	if (r == 0)
		r = weir_names_make_folder(WEIR_HOSTS_FOLDER, err);
	if (r == 0)
		r = write_file(path, all, (size_t)size, err);
	free(all);
	return r;
}
