/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers under /proc/sys/net of the calling thread's namespace. */
#include "backends/netlink/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/netlink/request.h"
#include "backends/netns.h"

enum { PATH_SIZE = 256, TEXT_SIZE = 64 };

/* Each part of the key is one plain path component. Interface names may have dots in them, and the
 * kernel's names for them are taken as they are, but none is "." or "..". */
static bool part_is_safe(const char *part, size_t len)
{
	return len > 0 && !(len <= 2 && strncmp(part, "..", len) == 0);
}

static bool key_is_safe(const char *key)
{
	if (strncmp(key, "net/", 4) != 0)
		return false;
	for (const char *part = key;; part++) {
		size_t len = strcspn(part, "/");
		if (!part_is_safe(part, len))
			return false;
		part += len;
		if (!*part)
			return true;
	}
}

static int open_key(const char *key, int flags, int *ret_fd, struct weir_err *err)
{
	char path[PATH_SIZE];
	int proc = weir_netns_proc();
	const char *root = proc < 0 ? "/proc/" : "";

	if (!key_is_safe(key) || snprintf(path, sizeof(path), "%ssys/%s", root, key) >= PATH_SIZE)
		return weir_err_set(err, EINVAL, "\"%s\" is no network sysctl", key);
	int fd = openat(proc, path, flags | O_CLOEXEC);
	if (fd < 0)
		return weir_err_errno(err, errno, "sysctl %s", key);
	*ret_fd = fd;
	return 0;
}

static int read_text(const char *key, char text[TEXT_SIZE], struct weir_err *err)
{
	int fd, r = open_key(key, O_RDONLY, &fd, err);

	if (r < 0)
		return r;
	ssize_t n = read(fd, text, TEXT_SIZE - 1);
	int e = errno;
	(void)close(fd); /* only read */
	if (n < 0)
		return weir_err_errno(err, e, "reading sysctl %s", key);
	text[n] = '\0';
	return 0;
}

static int read_numbers(const char *key, long *ret, size_t n, struct weir_err *err)
{
	char text[TEXT_SIZE], *at = text, *end;
	long values[2];
	int r = read_text(key, text, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++, at = end) {
		errno = 0;
		values[i] = strtol(at, &end, 10);
		if (end == at || errno)
			return weir_err_set(err, EPROTO, "sysctl %s is not a number", key);
	}
	memcpy(ret, values, n * sizeof(*ret));
	return 0;
}

int weir_sysctl_read(const char *key, long *ret, struct weir_err *err)
{
	return read_numbers(key, ret, 1, err);
}

int weir_sysctl_read_pair(const char *key, long ret[2], struct weir_err *err)
{
	return read_numbers(key, ret, 2, err);
}

static int write_text(const struct weir_trace *trace, const char *key, const char *value,
		      struct weir_err *err)
{
	int fd, r = open_key(key, O_WRONLY, &fd, err);

	if (r < 0)
		return r;
	ssize_t n = write(fd, value, strlen(value));
	int e = errno;
	(void)close(fd); /* the kernel has answered the write already */
	weir_trace(trace, n < 0 ? "sysctl %s = %s: %s" : "sysctl %s = %s", key, value, strerror(e));
	if (n < 0)
		return weir_err_errno(err, e, "setting sysctl %s to %s", key, value);
	return 0;
}

int weir_sysctl_write(const struct weir_trace *trace, const char *key, long value,
		      struct weir_err *err)
{
	char text[TEXT_SIZE];

	(void)snprintf(text, sizeof(text), "%ld", value);
	return write_text(trace, key, text, err);
}

/* ---- text ---- */

/* The words of a text with single spaces between them. */
static void squeeze(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		bool blank = strchr(" \t\n", *from) != NULL;
		if (!blank)
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	if (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

int weir_sysctl_check_text(const char *key, const char *value, struct weir_err *err)
{
	char now[TEXT_SIZE];
	int r = read_text(key, now, err);

	if (r < 0)
		return r;
	squeeze(now);
	return strcmp(now, value) == 0
		       ? 0
		       : weir_err_set(err, ESTALE, "sysctl %s is \"%s\" instead of \"%s\"", key,
				      now, value);
}

int weir_sysctl_ensure_text(const struct weir_trace *trace, const char *key, const char *value,
			    bool *ret_changed, struct weir_err *err)
{
	struct weir_err why = { 0 };
	int r = weir_sysctl_check_text(key, value, &why);

	if (r == 0)
		return 0;
	if (r != -ESTALE)
		return weir_request_allow(r, 0, &why, err);
	*ret_changed = true;
	r = write_text(trace, key, value, err);
	if (r == 0 && weir_sysctl_check_text(key, value, &why) < 0)
		r = weir_err_set(err, EINVAL, "the kernel does not take it: %s", why.text);
	return r;
}

/* ---- numbers ---- */

int weir_sysctl_ensure(const struct weir_trace *trace, const char *key, long value,
		       bool *ret_changed, struct weir_err *err)
{
	struct weir_err why = { 0 };
	long now = 0;
	/* a kernel without it (IPv6 is off) reads as 0 */
	int r = weir_request_allow(weir_sysctl_read(key, &now, &why), ENOENT, &why, err);

	if (r < 0 || now == value)
		return r;
	r = weir_sysctl_write(trace, key, value, err);
	if (r == 0)
		*ret_changed = true;
	return r;
}

int weir_sysctl_ipv6_ensure(const struct weir_trace *trace, const char *ifname,
			    const struct weir_ipv6_conf *have, const struct weir_ipv6_conf *want,
			    struct weir_err *err)
{
	const struct {
		const char *name;
		int have, want;
	} rows[] = {
		{ "disable_ipv6", have->disable_ipv6, want->disable_ipv6 },
		{ "accept_ra", have->accept_ra, want->accept_ra },
		{ "accept_dad", have->accept_dad, want->accept_dad },
	};
	char key[PATH_SIZE];
	struct weir_err why = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].want < 0 || rows[i].have < 0 || rows[i].want == rows[i].have)
			continue;
		(void)snprintf(key, sizeof(key), "net/ipv6/conf/%s/%s", ifname,
			       rows[i].name); /* fits */
		/* a small MTU has just taken IPv6 from the interface, and its sysctls with it */
		int r = weir_request_allow(weir_sysctl_write(trace, key, rows[i].want, &why),
					   ENOENT, &why, err);
		if (r < 0)
			return r;
	}
	return 0;
}
