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

static const char *const files[] = { "hosts", "resolv.conf" };
enum { HOSTS, RESOLV };

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
	size_t mark = strlen(place->mark), n;
	char *there = calloc(1, size + 1);
	FILE *in = there ? fopen(path, "re") : NULL;

	if (!in) {
		free(there);
		return errno == ENOENT ? ABSENT : FOREIGN; /* what cannot be read is left alone */
	}
	n = fread(there, 1, size + 1, in);
	(void)fclose(in); /* only read */
	enum present present = FOREIGN;
	if (n == size && memcmp(there, text, size) == 0)
		present = SAME;
	else if (n >= mark && memcmp(there, place->mark, mark) == 0)
		present = OURS;
	else if (n >= strlen(WEIRS) && memcmp(there, WEIRS, strlen(WEIRS)) == 0)
		present = STALE;
	free(there);
	return present;
}

/* What a killed writer leaves beside the file; mostly absent. */
static int remove_draft(const char *path, struct weir_err *err)
{
	char draft[PATH_SIZE + 8];

	(void)snprintf(draft, sizeof(draft), "%s.weir", path); /* fits */
	if (unlink(draft) < 0 && errno != ENOENT)
		return weir_err_errno(err, errno, "removing %s", draft);
	return 0;
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

static int ensure_resolv(const struct place *place, const struct weir_endpoint *ep, bool *changed,
			 struct weir_err *err)
{
	char path[PATH_SIZE];
	size_t size = 0;
	char *text = compose(place, ep, &size);
	bool wanted = ep->n_dns > 0 || weir_resolvers_are_out_of_reach();
	int r = 0;

	if (!text)
		return weir_err_set(err, ENOMEM, "out of memory");
	file_path(place, files[RESOLV], path);
	enum present present = compare(path, place, text, size);
	if (wanted && (present == ABSENT || present == OURS || present == STALE)) {
		*changed = true;
		r = write_file(path, text, size, err);
	} else if (!wanted && (present == OURS || present == STALE || present == SAME)) {
		*changed = true;
		if (unlink(path) < 0 && errno != ENOENT)
			r = weir_err_errno(err, errno, "removing %s", path);
	}
	free(text);
	return r;
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

static int ensure_hosts(struct weir_links *links, const struct place *place,
			const struct weir_endpoint *ep, bool *changed, struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	char path[PATH_SIZE], target[WEIR_HOSTS_TARGET];
	const char *networks = weir_endpoint_networks(ep, &arena);

	if (!networks)
		return weir_err_set(err, ENOMEM, "out of memory");
	weir_hosts_target(links, networks, target);
	file_path(place, files[HOSTS], path);
	enum present present = compare_link(place, path, target);
	if (present == SAME || present == FOREIGN)
		return 0;
	*changed = true;
	if (present == OURS && unlink(path) < 0)
		return weir_err_errno(err, errno, "removing %s", path);
	return symlink(target, path) < 0 ? weir_err_errno(err, errno, "making %s", path) : 0;
}

static int remove_hosts(const struct place *place, bool *changed, struct weir_err *err)
{
	char path[PATH_SIZE];

	file_path(place, files[HOSTS], path);
	if (compare_link(place, path, "") != OURS)
		return 0;
	*changed = true;
	return unlink(path) < 0 && errno != ENOENT ? weir_err_errno(err, errno, "removing %s", path)
						   : 0;
}

static int remove_resolv(const struct place *place, struct weir_err *err)
{
	char path[PATH_SIZE];

	file_path(place, files[RESOLV], path);
	int r = remove_draft(path, err);
	if (r < 0)
		return r;
	enum present present = compare(path, place, place->mark, strlen(place->mark));
	if (present != OURS && present != SAME)
		return 0;
	return unlink(path) < 0 && errno != ENOENT ? weir_err_errno(err, errno, "removing %s", path)
						   : 0;
}

int weir_names_ensure(struct weir_links *links, const struct weir_endpoint *ep, bool *ret_changed,
		      struct weir_err *err)
{
	struct place place;
	bool changed = false;
	int r = 0;

	if (ep->netns == WEIR_NETNS_OWN) {
		r = find_place(links, ep, &place, err);
		if (r == 0)
			r = weir_names_make_folder(FOLDER, err);
		if (r == 0)
			r = weir_names_make_folder(place.folder, err);
		if (r == 0)
			r = ep->n_attachments ? ensure_hosts(links, &place, ep, &changed, err)
					      : remove_hosts(&place, &changed, err);
		if (r == 0)
			r = ensure_resolv(&place, ep, &changed, err);
	}
	if (r == 0 && ret_changed)
		*ret_changed = changed;
	return r;
}

int weir_names_remove(struct weir_links *links, const struct weir_endpoint *ep,
		      struct weir_err *err)
{
	struct place place;
	bool changed;
	int r = find_place(links, ep, &place, err);

	if (r == 0)
		r = remove_hosts(&place, &changed, err);
	if (r == 0)
		r = remove_resolv(&place, err);
	if (r == 0)
		r = weir_names_remove_folder(place.folder, err);
	return r < 0 ? r : weir_names_remove_folder(FOLDER, err);
}
