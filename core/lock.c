/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock of a state folder, which is also its dirty mark. */
#include "core/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char SYSCTLS_SETTLED[] = "sysctl settled"; /* of those before it */

enum {
	FIRST_WAIT_US = 500,	     /* a change takes about 3 ms */
	LONGEST_WAIT_US = 10000,     /* keeps a hundred waiters from eating the processor */
	MARK_MAX = 64 * 1024 * 1024, /* a longer mark is not ours */
	LINE_MAX_SIZE = PATH_MAX + 512
};

static const char FLOW_FORMAT[] = "forget %u %s %s %s %u %u-%u %u %u %u\n";

#define ATTACHMENT_FORMAT "attach %s %s %s %s %" PRIuMAX " %" PRIuMAX " %" PRIuMAX " %s %s\n"

static int lock_path(const char *dir, char path[PATH_MAX], struct weir_err *err)
{
	int len = snprintf(path, PATH_MAX, "%s/weir.lock", dir);
	if (len < 0 || len >= PATH_MAX)
		return weir_err_set(err, ENAMETOOLONG, "state folder %s: the path is too long",
				    dir);
	return 0;
}

static int make_dir(const char *dir, struct weir_err *err)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s", dir);
	if (len <= 0 || len >= PATH_MAX)
		return weir_err_set(err, EINVAL, "state folder \"%s\": not a usable path", dir);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0'; /* or the last folder would count as a parent */
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return weir_err_errno(err, errno, "cannot make the folder %s", path);
		*slash = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return weir_err_errno(err, errno, "cannot make the state folder %s", path);
	return 0;
}

static bool is_note(const char *line)
{
	static const char *const words[] = { "forget ", "sysctl ", "netns ", "attach ",
					     "backend " };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(line, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

/* The last line that is no note: a killed predecessor's words may stand before it, ten thousand notes
 * of the holder's behind it. */
static void read_holder(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");
	char line[LINE_MAX_SIZE];
	buf[0] = '\0';
	while (file && fgets(line, sizeof(line), file))
		if (!is_note(line))
			(void)snprintf(buf, size, "%.*s", (int)strcspn(line, "\n"), line);
	if (file)
		(void)fclose(file);
}

static int wait_for(int fd, const char *path, unsigned timeout_ms, struct weir_err *err)
{
	uint64_t waited_us = 0;
	useconds_t wait_us = FIRST_WAIT_US;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return weir_err_errno(err, errno, "cannot lock %s", path);
		if (waited_us >= (uint64_t)timeout_ms * 1000) {
			char holder[128];
			read_holder(path, holder, sizeof(holder));
			return weir_err_set(
				err, ETIMEDOUT,
				"%s is held by %s after %u ms (wait longer with --timeout)", path,
				holder[0] ? holder : "another process", timeout_ms);
		}
		(void)usleep(wait_us); /* an early wake-up only asks earlier */
		waited_us += wait_us;
		wait_us = wait_us * 2 > LONGEST_WAIT_US ? LONGEST_WAIT_US : wait_us * 2;
	}
	return 0;
}

/* Somebody may have removed the file between our open() and our lock. */
static bool is_current(int fd, const char *path)
{
	struct stat held, named;
	return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
	       held.st_dev == named.st_dev;
}

static const char *text_or_dash(const char *text)
{
	return text[0] ? text : "-";
}

static bool parse_prefix(const char *text, struct weir_prefix *ret)
{
	return strcmp(text, "-") == 0 || weir_prefix_parse(text, ret, NULL) == 0;
}

static bool parse_flow(const char *line, struct weir_flow_match *ret)
{
	struct weir_flow_match flow = { 0 };
	unsigned family, proto, lo, hi, untranslated, outside = 0, published = 0;
	char src[WEIR_PREFIX_TEXT], dst[WEIR_PREFIX_TEXT], reply[WEIR_PREFIX_TEXT];

	if (sscanf(line, "forget %u %49s %49s %49s %u %u-%u %u %u %u", &family, src, dst, reply,
		   &proto, &lo, &hi, &untranslated, &outside, &published) < 8)
		return false;
	if (family >= WEIR_NUM_FAMILIES || proto >= WEIR_NUM_PROTOS || lo > hi || hi > UINT16_MAX)
		return false;
	flow.family = family;
	flow.proto = proto;
	flow.dst_ports = (struct weir_ports){ (uint16_t)lo, (uint16_t)hi };
	flow.untranslated = untranslated;
	flow.outside = outside;
	flow.published = published;
	if (strcmp(dst, "-") != 0 && weir_addr_parse(dst, &flow.dst, NULL) < 0)
		return false;
	if (!parse_prefix(src, &flow.src) || !parse_prefix(reply, &flow.reply_src))
		return false;
	*ret = flow;
	return true;
}

/* The namespace's path ends the line: it may have spaces. "-": one of weir's own. */
static bool parse_attachment(const char *line, struct weir_arena *arena,
			     struct weir_noted_attachment *ret)
{
	char endpoint[WEIR_NAME_MAX + 1], network[WEIR_NAME_MAX + 1];
	struct weir_noted_attachment noted = { 0 };
	struct weir_netns_id *id = &noted.ep.netns_id;
	uintmax_t dev, ino, cookie;
	int at = 0;

	if (sscanf(line, "attach %63s %63s %15s %15s %ju %ju %ju %36s %n", endpoint, network,
		   noted.att.ifname, noted.att.host_ifname, &dev, &ino, &cookie, id->boot,
		   &at) != 8 ||
	    !at || !line[at])
		return false;
	id->dev = (dev_t)dev;
	id->ino = (ino_t)ino;
	id->cookie = cookie;
	noted.ep.name = weir_arena_strdup(arena, endpoint);
	noted.att.network = weir_arena_strdup(arena, network);
	if (strcmp(line + at, "-") != 0) {
		noted.ep.netns = WEIR_NETNS_PATH;
		noted.ep.netns_path = weir_arena_strdup(arena, line + at);
	}
	*ret = noted;
	return true;
}

static void *append(struct weir_lock *lock, void *items, size_t *n, const void *item, size_t size)
{
	char *more = weir_arena_grow(&lock->arena, items, *n, size);
	if (more)
		memcpy(more + (*n)++ * size, item, size);
	return more;
}

static void *append_name(struct weir_lock *lock, const char **names, size_t *n, const char *word)
{
	const char *name = weir_arena_strdup(&lock->arena, word);
	return name ? append(lock, names, n, &name, sizeof(name)) : NULL;
}

/* One line of a mark; who held the lock is for people. -ENOMEM. */
static int read_line(struct weir_lock *lock, const char *line)
{
	struct weir_flow_match flow;
	struct weir_noted_attachment noted;
	struct weir_old_sysctl sysctl;
	char word[128];
	const void *kept = line;

	if (parse_flow(line, &flow)) {
		kept = lock->flows = append(lock, lock->flows, &lock->n_flows, &flow, sizeof(flow));
	} else if (strcmp(line, SYSCTLS_SETTLED) == 0) {
		lock->n_sysctls = 0;
	} else if (sscanf(line, "sysctl %127s %ld", word, &sysctl.old) == 2) {
		sysctl.key = weir_arena_strdup(&lock->arena, word);
		if (!sysctl.key)
			return -ENOMEM;
		kept = lock->sysctls =
			append(lock, lock->sysctls, &lock->n_sysctls, &sysctl, sizeof(sysctl));
	} else if (sscanf(line, "netns %127s", word) == 1) {
		kept = lock->netns = append_name(lock, lock->netns, &lock->n_netns, word);
	} else if (parse_attachment(line, &lock->arena, &noted)) {
		if (!noted.ep.name || !noted.att.network ||
		    (noted.ep.netns == WEIR_NETNS_PATH && !noted.ep.netns_path))
			return -ENOMEM;
		kept = lock->attachments = append(lock, lock->attachments, &lock->n_attachments,
						  &noted, sizeof(noted));
	} else if (sscanf(line, "backend %127s", word) == 1) {
		kept = lock->backends = append_name(lock, lock->backends, &lock->n_backends, word);
	}
	return kept ? 0 : -ENOMEM;
}

/* A mark may be cut off in the middle of a line; what is whole counts, and the rest goes, so that nothing
 * is written behind it. */
static int read_mark(struct weir_lock *lock, struct weir_err *err)
{
	struct stat st;
	if (fstat(lock->fd, &st) < 0)
		return weir_err_errno(err, errno, "cannot read the lock");
	if (st.st_size == 0)
		return 0;
	lock->dirty = true;
	size_t size = st.st_size > MARK_MAX ? MARK_MAX : (size_t)st.st_size;
	char *text = weir_arena_alloc(&lock->arena, size + 1);
	if (!text)
		return weir_err_set(err, ENOMEM, "out of memory");
	ssize_t got = pread(lock->fd, text, size, 0);
	if (got < 0)
		return weir_err_errno(err, errno, "cannot read the lock");
	size_t whole = (size_t)got;
	while (whole > 0 && text[whole - 1] != '\n')
		whole--;
	if (whole < (size_t)got && ftruncate(lock->fd, (off_t)whole) < 0)
		return weir_err_errno(err, errno, "cannot write weir.lock");
	text[whole] = '\0';
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (read_line(lock, line) < 0)
			return weir_err_set(err, ENOMEM, "out of memory");
	return 0;
}

static int write_all(int fd, const char *text, size_t len, struct weir_err *err)
{
	while (len) {
		ssize_t done = write(fd, text, len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && (errno == ENOSPC || errno == EDQUOT))
			return weir_err_set(err, ENOSPC,
					    "cannot write weir.lock, the disk under the state "
					    "folder is full: make room and try again");
		if (done < 0)
			return weir_err_errno(err, errno, "cannot write weir.lock");
		text += done;
		len -= (size_t)done;
	}
	return 0;
}

int weir_lock_take(const char *dir, unsigned timeout_ms, const char *holder, struct weir_lock *ret,
		   struct weir_err *err)
{
	char path[PATH_MAX], line[160];
	struct weir_lock lock = WEIR_LOCK_INIT;
	int r = lock_path(dir, path, err);

	if (r < 0)
		return r;
	do {
		if (lock.fd >= 0)
			close(lock.fd);
		r = make_dir(dir, err);
		if (r < 0)
			return r;
		lock.fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (lock.fd < 0 && errno == ENOENT)
			continue; /* the folder went away in between */
		if (lock.fd < 0)
			return weir_err_errno(err, errno, "cannot open %s", path);
		r = wait_for(lock.fd, path, timeout_ms, err);
		if (r < 0) {
			close(lock.fd);
			return r;
		}
	} while (lock.fd < 0 || !is_current(lock.fd, path));

	r = read_mark(&lock, err);
	int len = snprintf(line, sizeof(line), "%.100s (pid %ld)\n", holder ? holder : "",
			   (long)getpid());
	/* After a predecessor's words, so that its mark stays whole until we are done with it. */
	if (r == 0 && holder)
		r = write_all(lock.fd, line, (size_t)len, err);
	if (r < 0) {
		if (!lock.dirty)
			(void)ftruncate(lock.fd,
					0); /* half a line would be a false mark: only costs time */
		close(lock.fd);
		weir_arena_free(&lock.arena);
		return r;
	}
	*ret = lock;
	return 0;
}

int weir_lock_note_flows(struct weir_lock *lock, const struct weir_flow_match *matches, size_t n,
			 struct weir_err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = n ? open_memstream(&text, &len) : NULL;
	for (size_t i = 0; out && i < n; i++) {
		const struct weir_flow_match *flow = &matches[i];
		char src[WEIR_PREFIX_TEXT] = "", dst[WEIR_ADDR_TEXT] = "",
		     reply[WEIR_PREFIX_TEXT] = "";
		if (flow->src.addr.family)
			weir_prefix_text(&flow->src, src);
		weir_addr_text(&flow->dst, dst);
		if (flow->reply_src.addr.family)
			weir_prefix_text(&flow->reply_src, reply);
		(void)fprintf(out, FLOW_FORMAT, (unsigned)flow->family, text_or_dash(src),
			      text_or_dash(dst), text_or_dash(reply), (unsigned)flow->proto,
			      flow->dst_ports.lo, flow->dst_ports.hi, (unsigned)flow->untranslated,
			      (unsigned)flow->outside, (unsigned)flow->published);
	}
	bool failed = n && (!out || ferror(out));
	if (out && fclose(out) != 0)
		failed = true;
	int r = failed ? weir_err_set(err, ENOMEM, "out of memory")
		: n    ? write_all(lock->fd, text, len, err)
		       : 0;
	free(text);
	return r;
}

int weir_lock_note_sysctl(struct weir_lock *lock, const char *key, long old, struct weir_err *err)
{
	char line[192];
	int len = snprintf(line, sizeof(line), "sysctl %.120s %ld\n", key, old);
	return write_all(lock->fd, line, (size_t)len, err);
}

int weir_lock_note_netns(struct weir_lock *lock, const char *endpoint, struct weir_err *err)
{
	char line[96];
	int len = snprintf(line, sizeof(line), "netns %.63s\n", endpoint);
	return write_all(lock->fd, line, (size_t)len, err);
}

int weir_lock_note_attachment(struct weir_lock *lock, const struct weir_endpoint *ep,
			      const struct weir_attachment *att, struct weir_err *err)
{
	char line[LINE_MAX_SIZE];
	const struct weir_netns_id *id = &ep->netns_id;
	int len = snprintf(line, sizeof(line), ATTACHMENT_FORMAT, ep->name, att->network,
			   att->ifname, att->host_ifname, (uintmax_t)id->dev, (uintmax_t)id->ino,
			   (uintmax_t)id->cookie, id->boot,
			   ep->netns == WEIR_NETNS_PATH ? ep->netns_path : "-");
	return write_all(lock->fd, line, (size_t)len, err); /* it fits: all were checked */
}

int weir_lock_note_backend(struct weir_lock *lock, const char *name, struct weir_err *err)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "backend %.31s\n", name);
	return write_all(lock->fd, line, (size_t)len, err);
}

void weir_lock_settle_sysctls(struct weir_lock *lock)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "%s\n", SYSCTLS_SETTLED);
	(void)write_all(lock->fd, line, (size_t)len, NULL); /* failing, it is done once more */
}

void weir_lock_settle(struct weir_lock *lock)
{
	static const char word[] = "something was left unmended\n";
	/* failing, the next command does once more what is noted, or waits for `weir repair` to look */
	if (lock->fd >= 0 && ftruncate(lock->fd, 0) == 0)
		(void)write_all(lock->fd, word, strlen(word), NULL);
}

void weir_lock_release(struct weir_lock *lock, bool clean)
{
	if (lock->fd < 0)
		return;
	if (clean)
		(void)ftruncate(lock->fd,
				0); /* failing, the next command converges once for nothing */
	close(lock->fd);
	lock->fd = -1;
	weir_arena_free(&lock->arena);
}

void weir_lock_remove(struct weir_lock *lock, const char *dir)
{
	char path[PATH_MAX];
	if (lock->fd >= 0 && lock_path(dir, path, NULL) == 0) {
		(void)unlink(
			path); /* what stays is an empty file or folder: nothing depends on it */
		(void)rmdir(dir);
	}
	weir_lock_release(lock, true);
}
