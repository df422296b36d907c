/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The channel to the host: frames over a virtio-serial port. */
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 12, ROOM = 4 * AGENT_PAYLOAD };

static int port_fd = -1;
static unsigned char room[ROOM];
static size_t first, last; /* what has been read and not been handed out */

static bool has_name(const char *port, const char *name)
{
	char path[300], text[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", port);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, name) == 0;
}

bool port_open(const char *name)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	char path[300];

	while (dir && port_fd < 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !has_name(entry->d_name, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		port_fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return port_fd >= 0;
}

struct pollfd port_poll(void)
{
	return (struct pollfd){ .fd = port_fd, .events = POLLIN };
}

bool port_read(void)
{
	ssize_t n;

	memmove(room, room + first, last - first);
	last -= first;
	first = 0;
	n = read(port_fd, room + last, ROOM - last);
	if (n > 0)
		last += (size_t)n;
	return n > 0;
}

bool port_next(struct agent_frame *ret_frame)
{
	uint32_t head[3];

	if (last - first < HEADER)
		return false;
	memcpy(head, room + first, HEADER);
	if (last - first - HEADER < head[0])
		return false;
	*ret_frame = (struct agent_frame){
		.kind = head[2], .id = head[1], .len = head[0], .data = room + first + HEADER
	};
	first += HEADER + head[0];
	return true;
}

/* The host always reads, so this does not wait for long; while it is not connected, as between a
 * template and its clone, the port says so by POLLHUP at once. */
static void send_all(const unsigned char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(port_fd, data, len);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		struct pollfd fd = { .fd = port_fd, .events = POLLOUT };

		poll(&fd, 1, 100);
		if (fd.revents & POLLHUP)
			usleep(1000);
	}
}

void port_send(uint32_t kind, uint32_t id, const void *data, size_t len)
{
	static unsigned char out[HEADER + AGENT_PAYLOAD];
	const uint32_t head[3] = { (uint32_t)len, id, kind };

	memcpy(out, head, HEADER);
	if (len > 0)
		memcpy(out + HEADER, data, len);
	send_all(out, HEADER + len);
}
