/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams without end. Each is a flow of its own: one that conntrack knows would stay translated
 * without any rule. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* flood ADDR PORT */
int probe_flood(char **words)
{
	union probe_addr to;

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
	}
}
