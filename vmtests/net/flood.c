/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams without end, each a flow of its own: one that conntrack knows would stay translated without
 * any rule. And the contrary: one flow that goes on. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* flood ADDR PORT [PAUSE-US] */
int probe_flood(char **words)
{
	union probe_addr to;
	useconds_t pause_us = words[2] ? (useconds_t)strtoul(words[2], NULL, 10) : 0;

	if (!probe_addr_parse(words[0], (unsigned)strtoul(words[1], NULL, 10), AF_INET, &to)) {
		fprintf(stderr, "probe: no address: %s\n", words[0]);
		return 125;
	}
	for (;;) {
		int fd = probe_socket("udp", to.any.sa_family, 0);

		if (fd < 0)
			continue;
		(void)sendto(fd, "x", 1, 0, &to.any, probe_addr_len(&to));
		close(fd);
		if (pause_us)
			usleep(pause_us);
	}
}

/* True when there is something to read. */
static bool wait_ms(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, ms) > 0;
}

/* One word there and back; false when nothing came in time. */
static bool exchange(int fd)
{
	enum { PATIENCE_MS = 1000 };
	char buf[2048];

	(void)!send(fd, "word", 4, MSG_NOSIGNAL);
	return wait_ms(fd, PATIENCE_MS) && recv(fd, buf, sizeof(buf), 0) > 0;
}

/* stream PROTO ADDR PORT: word for word, one a millisecond. Each line of input is answered by how many
 * came back; the end of it ends the stream. */
int probe_stream(char **words)
{
	union probe_addr to;
	unsigned long answered = 0;
	char line[16];
	int fd = -1;

	if (probe_addr_parse(words[1], (unsigned)strtoul(words[2], NULL, 10), AF_INET, &to))
		fd = probe_socket(words[0], to.any.sa_family, 0);
	if (fd < 0 || connect(fd, &to.any, probe_addr_len(&to)) != 0) {
		perror("probe: stream");
		return 125;
	}
	for (;;) {
		answered += exchange(fd);
		if (!wait_ms(STDIN_FILENO, 1))
			continue;
		if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
			return 0;
		printf("%lu\n", answered);
		fflush(stdout);
	}
}
