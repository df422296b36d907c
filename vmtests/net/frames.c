/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames: what arrives at an interface, exactly, and frames of the test's own making.
 *
 * A watched interface's frames are kept whole (their first bytes) and given out as hexadecimal; the
 * test reads them. Frames that leave are not kept. */
#include "probe.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FRAME_KEPT = 128, /* headers, options and the start of the payload */
	FRAMES_MAX = 8192,
	WATCHED_MAX = 8,
	BUFFER = 4 * 1024 * 1024
};

struct frame {
	char ifname[IF_NAMESIZE];
	unsigned char bytes[FRAME_KEPT];
	size_t len;
};

static struct frame frames[FRAMES_MAX];
static size_t n_frames;
static int watched[WATCHED_MAX];
static size_t n_watched;

static int packet_socket(const char *ifname, int protocol)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons((uint16_t)protocol) };
	int size = BUFFER;
	int fd;

	addr.sll_ifindex = (int)if_nametoindex(ifname);
	if (addr.sll_ifindex == 0)
		return -1;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* watch IFNAME */
void probe_watch(char **words)
{
	int fd = n_watched < WATCHED_MAX ? packet_socket(words[1], ETH_P_ALL) : -1;

	if (fd < 0) {
		printf("%s\n", strerrorname_np(errno));
		return;
	}
	watched[n_watched++] = fd;
	printf("ok\n");
}

static void drain(int fd)
{
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	unsigned char bytes[FRAME_KEPT];
	ssize_t n;

	while ((n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len)) >= 0) {
		struct frame *frame = &frames[n_frames];

		if (from.sll_pkttype == PACKET_OUTGOING || n_frames == FRAMES_MAX)
			continue;
		*frame = (struct frame){ .len = (size_t)n };
		memcpy(frame->bytes, bytes, (size_t)n);
		if (!if_indextoname((unsigned)from.sll_ifindex, frame->ifname))
			frame->ifname[0] = '?';
		n_frames++;
		len = sizeof(from);
	}
}

size_t probe_frames_poll(struct pollfd *fds, size_t max)
{
	size_t n = n_watched < max ? n_watched : max;

	for (size_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = watched[i], .events = POLLIN };
	return n;
}

void probe_frames_ready(void)
{
	for (size_t i = 0; i < n_watched; i++)
		drain(watched[i]);
}

/* frames: gives them out and forgets them. */
void probe_frames(char **words)
{
	(void)words;
	probe_frames_ready();
	printf("%zu\n", n_frames);
	for (size_t i = 0; i < n_frames; i++) {
		printf("%s ", frames[i].ifname);
		for (size_t j = 0; j < frames[i].len; j++)
			printf("%02x", frames[i].bytes[j]);
		putchar('\n');
	}
	n_frames = 0;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The number of bytes; 0 when text is not hexadecimal. */
static size_t unhex(const char *text, unsigned char *bytes, size_t size)
{
	size_t n = 0;

	for (; text[0] && n < size; text += 2) {
		int high = hex_digit(text[0]), low = hex_digit(text[1]);

		if (high < 0 || low < 0)
			return 0;
		bytes[n++] = (unsigned char)(high << 4 | low);
	}
	return n;
}

/* raw IFNAME HEX */
void probe_raw(char **words)
{
	unsigned char bytes[PROBE_LINE / 2];
	size_t len = unhex(words[2], bytes, sizeof(bytes));
	int fd = packet_socket(words[1], 0);

	if (fd < 0 || len == 0 || send(fd, bytes, len, 0) != (ssize_t)len)
		printf("%s\n", len == 0 ? "EINVAL" : strerrorname_np(errno));
	else
		printf("ok\n");
	if (fd >= 0)
		close(fd);
}
