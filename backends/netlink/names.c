/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An own namespace's resolv.conf and hosts.
 *
 * How it works: a file of weir's begins with a comment that names store and endpoint; that line is
 * how it is known again; hosts is a link into a folder of weir's. With the namespace's name being ours, a file of another store is what a store
 * that is gone has left, and is replaced. Files are replaced by renaming, so that no reader sees half
 * of one. */
#include "backends/netlink/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/netlink/resolvers.h"

/* The sticky bit tells a folder of weir's: it means nothing where only root writes (backends/netns.c). */
enum { MADE_BY_WEIR = 01755 };

#define FOLDER WEIR_NAMES_FOLDER
#define WEIRS "# weir " /* what every mark begins with */

enum { PATH_SIZE = 128 /* the folder, a name of 63 bytes, a file's name */ };

enum { HOSTS, RESOLV, NUM_FILES };
static const char *const files[NUM_FILES] = { "hosts", "resolv.conf" };

struct place {
	char folder[PATH_SIZE];
	char mark[WEIR_ALIAS_SIZE + 4]; /* the first line */
};

static int find_place(const struct weir_links *links, const struct weir_endpoint *ep,
		      struct place *ret, struct weir_err *err)
{
	char alias[WEIR_ALIAS_SIZE];
	int r = weir_name_check("endpoint", ep->name, err); /* it becomes a folder's name */

	if (r < 0)
		return r;
	(void)snprintf(ret->folder, sizeof(ret->folder), FOLDER "/%s", ep->name); /* fits */
	(void)snprintf(ret->mark, sizeof(ret->mark), "# %s\n",
		       weir_alias_text(links->store, ep->name, NULL, alias));
	return 0;
}

static void file_path(const struct place *place, const char *name, char path[PATH_SIZE])
{
	(void)snprintf(path, PATH_SIZE, "%.90s/%s", place->folder, name); /* fits: see PATH_SIZE */
}

static void write_resolv(FILE *out, const struct weir_endpoint *ep)
{
	char text[WEIR_ADDR_TEXT];

	for (size_t i = 0; i < ep->n_dns; i++)
		(void)fprintf(out, "nameserver %s\n", weir_addr_text(&ep->dns[i], text));
	if (ep->n_dns == 0)
		weir_resolvers_write(out);
}

/* The text of resolv.conf, for free(); NULL: no memory. */
static char *compose(const struct place *place, const struct weir_endpoint *ep, size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);

	if (!out)
		return NULL;
	(void)fputs(place->mark, out);
	write_resolv(out, ep);
	/* fclose tells of every write before it that found no memory */
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* What stands there already. */
enum present { ABSENT, OURS, STALE, SAME, FOREIGN };

static enum present compare(const char *path, const struct place *place, const char *text,
			    size_t size)
{
	size_t mark = strlen(place->mark);
	char *there = calloc(1, size + 1);
	struct stat st;
	/* weir puts neither link nor pipe there */
	int fd = there ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;

	if (fd < 0) {
		free(there);
		return errno == ENOENT ? ABSENT : FOREIGN; /* what cannot be read is left alone */
	}
	bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	ssize_t n = file ? read(fd, there, size + 1) : -1;
	(void)close(fd); /* only read */
	enum present present = FOREIGN;
	if (n == (ssize_t)size && memcmp(there, text, size) == 0)
		present = SAME;
	else if (n >= (ssize_t)mark && memcmp(there, place->mark, mark) == 0)
		present = OURS;
	else if (n >= (ssize_t)strlen(WEIRS) && memcmp(there, WEIRS, strlen(WEIRS)) == 0)
		present = STALE;
	free(there);
	return present;
}

static int remove_file(const char *path, struct weir_err *err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return weir_err_errno(err, errno, "removing %s", path);
	return 0;
}

/* What a killed writer leaves beside the file; mostly absent. */
static int remove_draft(const char *path, struct weir_err *err)
{
	char draft[PATH_SIZE + 8];

	(void)snprintf(draft, sizeof(draft), "%s.weir", path); /* fits */
	return remove_file(draft, err);
}

static int write_file(const char *path, const char *text, size_t size, struct weir_err *err)
{
	char fresh[PATH_SIZE + 8];
	int r = remove_draft(path, err);

	if (r < 0)
		return r;
	(void)snprintf(fresh, sizeof(fresh), "%s.weir", path); /* fits */
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return weir_err_errno(err, errno, "making %s", fresh);
	ssize_t n = write(fd, text, size);
	int e = n < 0 ? errno : n == (ssize_t)size ? 0 : ENOSPC;
	if (close(fd) < 0 && e == 0)
		e = errno;
	if (e == 0 && rename(fresh, path) < 0)
		e = errno;
	if (e == 0)
		return 0;
	(void)unlink(fresh); /* undoing */
	return weir_err_errno(err, e, "writing %s", path);
}

int weir_names_make_folder(const char *path, struct weir_err *err)
{
	if (mkdir(path, MADE_BY_WEIR) < 0 && errno != EEXIST)
		return weir_err_errno(err, errno, "making %s", path);
	return 0;
}

/* Only one that weir has made; it stays when something else is in it. */
int weir_names_remove_folder(const char *path, struct weir_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || (st.st_mode & 07777) != MADE_BY_WEIR)
		return 0;
	if (rmdir(path) < 0 && errno != ENOTEMPTY && errno != ENOENT)
		return weir_err_errno(err, errno, "removing %s", path);
	return 0;
}

/* A link to what the endpoints of the same networks share (hosts.c). */
static enum present compare_link(const struct place *place, const char *path, const char *target)
{
	char there[WEIR_HOSTS_TARGET];
	ssize_t n = readlink(path, there, sizeof(there) - 1);

	if (n < 0 && errno == ENOENT)
		return ABSENT;
	if (n < 0) { /* a file, maybe one with a mark */
		enum present file = compare(path, place, place->mark, strlen(place->mark));
		return file == FOREIGN ? FOREIGN : OURS;
	}
	there[n] = '\0';
	if (strcmp(there, target) == 0)
		return SAME;
	return strncmp(there, WEIR_HOSTS_LINK, strlen(WEIR_HOSTS_LINK)) == 0 ? OURS : FOREIGN;
}

/* ---- both files, as they should be and are ---- */

struct file {
	char path[PATH_SIZE];
	bool wanted;
	enum present present;
};

struct names {
	struct place place;
	struct file files[NUM_FILES];
	char target[WEIR_HOSTS_TARGET]; /* of hosts */
	char *text;			/* of resolv.conf, for free() */
	size_t size;
};

static int look_at_hosts(struct weir_links *links, const struct weir_endpoint *ep,
			 struct names *names, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	struct file *file = &names->files[HOSTS];
	const char *networks = weir_endpoint_networks(ep, &arena);

	if (!networks)
		return weir_err_set(err, ENOMEM, "out of memory");
	weir_hosts_target(links, networks, names->target);
	file->wanted = ep->n_attachments > 0;
	file->present = compare_link(&names->place, file->path, names->target);
	return 0;
}

static int look_at_resolv(const struct weir_endpoint *ep, struct names *names, struct weir_err *err)
{
	struct file *file = &names->files[RESOLV];

	names->text = compose(&names->place, ep, &names->size);
	if (!names->text)
		return weir_err_set(err, ENOMEM, "out of memory");
	file->wanted = ep->n_dns > 0 || weir_resolvers_are_out_of_reach();
	file->present = compare(file->path, &names->place, names->text, names->size);
	return 0;
}

/* *names begins empty, and ends with free(names->text). */
static int look(struct weir_links *links, const struct weir_endpoint *ep, struct names *names,
		struct weir_err *err)
{
	int r = find_place(links, ep, &names->place, err);

	if (r < 0)
		return r;
	for (int i = 0; i < NUM_FILES; i++)
		file_path(&names->place, files[i], names->files[i].path);
	r = look_at_hosts(links, ep, names, err);
	return r < 0 ? r : look_at_resolv(ep, names, err);
}

static bool is_so(const struct file *file)
{
	return file->present == FOREIGN || file->present == (file->wanted ? SAME : ABSENT);
}

static int ensure_hosts(const struct file *file, const char *target, struct weir_err *err)
{
	int r = file->present == ABSENT ? 0 : remove_file(file->path, err);

	if (r < 0 || !file->wanted)
		return r;
	return symlink(target, file->path) < 0 ? weir_err_errno(err, errno, "making %s", file->path)
					       : 0;
}

static int ensure_resolv(const struct file *file, const struct names *names, struct weir_err *err)
{
	return file->wanted ? write_file(file->path, names->text, names->size, err)
			    : remove_file(file->path, err);
}

static int ensure_files(const struct names *names, bool *changed, struct weir_err *err)
{
	const struct file *hosts = &names->files[HOSTS], *resolv = &names->files[RESOLV];
	int r = weir_names_make_folder(FOLDER, err);

	if (r == 0)
		r = weir_names_make_folder(names->place.folder, err);
	*changed = !is_so(hosts) || !is_so(resolv);
	if (r == 0 && !is_so(hosts))
		r = ensure_hosts(hosts, names->target, err);
	if (r == 0 && !is_so(resolv))
		r = ensure_resolv(resolv, names, err);
	return r;
}

int weir_names_ensure(struct weir_links *links, const struct weir_endpoint *ep, bool *ret_changed,
		      struct weir_err *err)
{
	struct names names = { 0 };
	bool changed = false;
	int r = 0;

	if (ep->netns == WEIR_NETNS_OWN) {
		r = look(links, ep, &names, err);
		if (r == 0)
			r = ensure_files(&names, &changed, err);
	}
	free(names.text);
	if (r == 0 && ret_changed)
		*ret_changed = changed;
	return r;
}

static int check_files(const struct names *names, struct weir_err *err)
{
	struct stat st;

	if (lstat(names->place.folder, &st) < 0 && errno == ENOENT)
		return weir_err_set(err, ESTALE, "%s is not there", names->place.folder);
	for (int i = 0; i < NUM_FILES; i++) {
		const struct file *file = &names->files[i];
		if (!is_so(file))
			return weir_err_set(err, ESTALE, "%s is not %s", file->path,
					    file->present == ABSENT ? "there" : "what weir writes");
	}
	return 0;
}

int weir_names_check(struct weir_links *links, const struct weir_endpoint *ep, struct weir_err *err)
{
	struct names names = { 0 };
	int r = look(links, ep, &names, err);

	if (r == 0)
		r = check_files(&names, err);
	free(names.text);
	return r;
}

/* ---- removing ---- */

static int remove_hosts(const struct place *place, struct weir_err *err)
{
	char path[PATH_SIZE];

	file_path(place, files[HOSTS], path);
	return compare_link(place, path, "") == OURS ? remove_file(path, err) : 0;
}

static int remove_resolv(const struct place *place, struct weir_err *err)
{
	char path[PATH_SIZE];

	file_path(place, files[RESOLV], path);
	int r = remove_draft(path, err);
	if (r < 0)
		return r;
	enum present present = compare(path, place, place->mark, strlen(place->mark));
	return present == OURS || present == SAME ? remove_file(path, err) : 0;
}

int weir_names_remove(struct weir_links *links, const struct weir_endpoint *ep,
		      struct weir_err *err)
{
	struct place place;
	int r = find_place(links, ep, &place, err);

	if (r == 0)
		r = remove_hosts(&place, err);
	if (r == 0)
		r = remove_resolv(&place, err);
	if (r == 0)
		r = weir_names_remove_folder(place.folder, err);
	return r < 0 ? r : weir_names_remove_folder(FOLDER, err);
}
