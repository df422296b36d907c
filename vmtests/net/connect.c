/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients. `connect` runs in a child, so that a probe can reach its own servers. */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD_MAX = 64 };

static int held[HELD_MAX + 1]; /* descriptor by ID from 1; 0 is none */

static const char *outcome(int error)
{
	static char text[32];

	if (error == ECONNREFUSED)
		return "refused";
	if (error == ETIMEDOUT || error == EAGAIN)
		return "timeout";
	snprintf(text, sizeof(text), "%s", strerrorname_np(error));
	return text;
}

static bool wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	if (poll(&pfd, 1, timeout_ms) > 0)
		return true;
	errno = ETIMEDOUT;
	return false;
}

/* A connected socket, or -1 with errno. */
static int dial(const char *proto, const union probe_addr *src, const union probe_addr *dst,
		int timeout_ms)
{
	int fd = probe_socket(proto, dst->any.sa_family, SOCK_NONBLOCK);
	int one = 1, error = 0;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (src && bind(fd, &src->any, probe_addr_len(src)) != 0)
		goto fail;
	if (connect(fd, &dst->any, probe_addr_len(dst)) != 0) {
		if (errno != EINPROGRESS || !wait_for(fd, POLLOUT, timeout_ms))
			goto fail;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
			goto fail;
		errno = error;
		if (error)
			goto fail;
	}
	if (strcmp(proto, "udp") != 0 || send(fd, "hello", 5, 0) == 5)
		return fd;
fail:
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Reads one line without its end; false with errno. */
static bool read_line(int fd, char *buf, size_t size, int timeout_ms)
{
	ssize_t n;

	if (!wait_for(fd, POLLIN, timeout_ms))
		return false;
	n = read(fd, buf, size - 1);
	if (n <= 0) {
		if (n == 0)
			errno = ECONNRESET;
		return false;
	}
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

/* False when nothing came back in time. */
static bool connect_one(char **words, unsigned port, const char *separator)
{
	union probe_addr src, dst;
	unsigned sport = (unsigned)strtoul(words[3], NULL, 10);
	int timeout_ms = (int)strtol(words[7], NULL, 10);
	bool bound = sport || strcmp(words[2], "-") != 0;
	char answer[256];
	int fd, error;

	if (!probe_addr_parse(words[4], port, AF_INET, &dst) ||
	    !probe_addr_parse(words[2], sport, dst.any.sa_family, &src)) {
		printf("EINVAL%s", separator);
		return false;
	}
	fd = dial(words[1], bound ? &src : NULL, &dst, timeout_ms);
	if (fd >= 0 && read_line(fd, answer, sizeof(answer), timeout_ms)) {
		printf("%s%s", answer, separator);
		error = 0;
	} else {
		error = errno;
		printf("%s%s", outcome(error), separator);
	}
	if (fd >= 0)
		close(fd);
	return error != ETIMEDOUT;
}

/* connect PROTO SRC SPORT DST LO HI MS */
void probe_connect(char **words)
{
	static char soon[] = "10"; /* ms */
	unsigned lo = (unsigned)strtoul(words[5], NULL, 10);
	unsigned hi = (unsigned)strtoul(words[6], NULL, 10);
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		printf("%s\n", strerrorname_np(errno));
	if (child != 0)
		return;
	for (unsigned port = lo; port <= hi; port++)
		if (!connect_one(words, port, port == hi ? "\n" : " "))
			words[7] = soon; /* a range that is not there would take for ever */
	fflush(stdout);
	_exit(0);
}

/* open ID PROTO DST PORT MS: a connection that stays; its greeting is read. */
void probe_open(char **words)
{
	unsigned long id = strtoul(words[1], NULL, 10);
	int timeout_ms = (int)strtol(words[5], NULL, 10);
	union probe_addr dst;
	char answer[256];
	int fd;

	if (id == 0 || id > HELD_MAX ||
	    !probe_addr_parse(words[3], (unsigned)strtoul(words[4], NULL, 10), AF_INET, &dst)) {
		printf("EINVAL\n");
		return;
	}
	fd = dial(words[2], NULL, &dst, timeout_ms);
	if (fd >= 0 && read_line(fd, answer, sizeof(answer), timeout_ms)) {
		held[id] = fd;
		printf("%s\n", answer);
		return;
	}
	printf("%s\n", outcome(errno));
	if (fd >= 0)
		close(fd);
}

/* say ID WORD MS */
void probe_say(char **words)
{
	unsigned long id = strtoul(words[1], NULL, 10);
	char answer[256];

	if (id == 0 || id > HELD_MAX || held[id] == 0)
		printf("EBADF\n");
	else if (send(held[id], words[2], strlen(words[2]), MSG_NOSIGNAL) > 0 &&
		 read_line(held[id], answer, sizeof(answer), (int)strtol(words[3], NULL, 10)))
		printf("%s\n", answer);
	else
		printf("%s\n", outcome(errno));
}
