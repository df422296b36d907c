/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a TCP connection takes to open.
 *
 *	connect serve NETNS PORT		accepts and closes, until it is ended; says "ready"
 *	connect time NETNS ADDRESS PORT COUNT	prints the median of COUNT connects in microseconds
 *
 * NETNS is a file, e.g. /run/netns/web, or "-" for the caller's own namespace. */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 10000 };

static void enter(const char *path)
{
	if (strcmp(path, "-") == 0)
		return;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		err(1, "%s", path);
	(void)close(fd);
}

static struct sockaddr_in parse(const char *addr, const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1)
		errx(2, "%s is no address", addr);
	return sin;
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	return fd;
}

static void serve(const char *port)
{
	struct sockaddr_in sin = parse("0.0.0.0", port);
	int fd = open_socket(), on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
			 sizeof(on)); /* bind says if it mattered */
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 || listen(fd, 1024) < 0)
		err(1, "port %s", port);
	(void)puts("ready");
	(void)fflush(stdout);
	for (;;) {
		int peer = accept(fd, NULL, NULL);
		if (peer < 0)
			err(1, "accept");
		(void)close(peer);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Closed by a reset, so that no socket lingers and takes a port from the next. */
static double time_one(const struct sockaddr_in *sin)
{
	struct linger hard = { .l_onoff = 1 };
	struct timespec t0, t1;
	int fd = open_socket();

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard,
			 sizeof(hard)); /* only tidiness is lost */
	(void)clock_gettime(CLOCK_MONOTONIC, &t0);
	if (connect(fd, (const struct sockaddr *)sin, sizeof(*sin)) < 0)
		err(1, "connect");
	(void)clock_gettime(CLOCK_MONOTONIC, &t1);
	(void)close(fd);
	return (double)(t1.tv_sec - t0.tv_sec) * 1e6 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e3;
}

static void time_connects(const char *addr, const char *port, size_t count)
{
	static double took[MOST];
	struct sockaddr_in sin = parse(addr, port);

	if (count < 1 || count > MOST)
		errx(2, "COUNT is 1 to %d", MOST);
	(void)time_one(&sin); /* neighbours are learnt */
	for (size_t i = 0; i < count; i++)
		took[i] = time_one(&sin);
	qsort(took, count, sizeof(took[0]), compare);
	(void)printf("%.2f\n", took[count / 2]);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0) {
		enter(argv[2]);
		serve(argv[3]);
	} else if (argc == 6 && strcmp(argv[1], "time") == 0) {
		enter(argv[2]);
		time_connects(argv[3], argv[4], strtoul(argv[5], NULL, 10));
	} else {
		errx(2, "usage: connect serve NETNS PORT | connect time NETNS ADDRESS PORT COUNT");
	}
	return 0;
}
