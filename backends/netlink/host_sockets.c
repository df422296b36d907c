/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports that processes on the host have bound: TCP that listens, UDP that is bound.
 *
 * How it works: sock_diag tells sockets of one protocol and family in one dump. Kernels without it
 * (or without its module for UDP) have /proc/net/tcp and its likes; they lack one bit, whether a
 * socket on :: takes IPv4 too, so it is taken to do so. SCTP is in neither where weir can rely on it:
 * its ports are left to the kernel to refuse. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/netlink/family.h"
#include "backends/netlink/host.h"

static const struct kind {
	enum weir_proto proto;
	uint8_t ipproto;
	enum weir_family family;
	unsigned state;	  /* that of a listening TCP socket, of an unconnected UDP one */
	const char *file; /* under /proc/net */
} kinds[] = {
	{ WEIR_TCP, IPPROTO_TCP, WEIR_IPV4, TCP_LISTEN, "tcp" },
	{ WEIR_TCP, IPPROTO_TCP, WEIR_IPV6, TCP_LISTEN, "tcp6" },
	{ WEIR_UDP, IPPROTO_UDP, WEIR_IPV4, TCP_CLOSE, "udp" },
	{ WEIR_UDP, IPPROTO_UDP, WEIR_IPV6, TCP_CLOSE, "udp6" },
};

struct sockets {
	struct weir_arena *arena;
	const struct kind *kind;
	struct weir_host_socket *items;
	size_t n, keep;
};

static int add_socket(struct sockets *sockets, const struct weir_host_socket *socket)
{
	if (socket->port == 0)
		return 0;
	struct weir_host_socket *items =
		weir_arena_grow(sockets->arena, sockets->items, sockets->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	sockets->items = items;
	sockets->items[sockets->n++] = *socket;
	return 0;
}

/* ---- sock_diag ---- */

static int take_socket(const struct nlmsghdr *message, void *ctx)
{
	struct sockets *sockets = ctx;
	const struct kind *kind = sockets->kind;
	struct nlattr *attrs[INET_DIAG_MAX + 1];
	struct inet_diag_msg header;
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */

	if (!message) {
		sockets->n = sockets->keep;
		return 0;
	}
	if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    nlmsg_parse(from, sizeof(header), attrs, INET_DIAG_MAX, NULL) < 0)
		return 0;
	memcpy(&header, nlmsg_data(message), sizeof(header));
	struct weir_host_socket socket = {
		.proto = kind->proto,
		.addr = weir_addr_from_bytes(weir_family_to_af(kind->family), header.id.idiag_src,
					     (int)weir_family_bits(kind->family) / 8),
		.port = ntohs(header.id.idiag_sport),
		.inode = header.idiag_inode,
		.v6only = attrs[INET_DIAG_SKV6ONLY] && nla_get_u8(attrs[INET_DIAG_SKV6ONLY]),
	};
	return add_socket(sockets, &socket);
}

static int ask_diag(struct weir_channel *channel, struct sockets *sockets, struct weir_err *err)
{
	struct inet_diag_req_v2 header = {
		.sdiag_family = weir_family_to_af(sockets->kind->family),
		.sdiag_protocol = sockets->kind->ipproto,
		.idiag_states = 1U << sockets->kind->state,
	};
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &header, sizeof(header));

	return weir_request_walk(channel, &request, take_socket, sockets, err, "socket list %s",
				 sockets->kind->file);
}

/* ---- /proc/net ---- */

/* Addresses stand there as 32-bit words of the machine's byte order, in hexadecimal. */
static bool parse_words(const char *text, unsigned bits, uint8_t bytes[16])
{
	for (unsigned i = 0; i < bits / 32; i++) {
		uint32_t word;
		if (sscanf(text + (size_t)i * 8, "%8" SCNx32, &word) != 1)
			return false;
		memcpy(bytes + (size_t)i * 4, &word, 4);
	}
	return true;
}

static int take_line(struct sockets *sockets, const char *line)
{
	struct weir_host_socket socket = { .proto = sockets->kind->proto };
	char addr[33];
	unsigned port, state;

	/* "sl: local:port remote:port state queues timer retransmits uid timeout inode" */
	if (sscanf(line, " %*u: %32[0-9A-F]:%4x %*[0-9A-F]:%*x %2x %*s %*s %*s %*u %*u %" SCNu32,
		   addr, &port, &state, &socket.inode) != 4)
		return 0; /* the heading */
	unsigned bits = weir_family_bits(sockets->kind->family);
	if (state != sockets->kind->state || strlen(addr) != bits / 4 ||
	    !parse_words(addr, bits, socket.addr.bytes))
		return 0;
	socket.addr.family = (uint8_t)sockets->kind->family;
	socket.port = (uint16_t)port;
	return add_socket(sockets, &socket);
}

static int read_proc(struct sockets *sockets, struct weir_err *err)
{
	char path[64], *line = NULL;
	size_t room = 0;
	int r = 0;

	(void)snprintf(path, sizeof(path), "/proc/thread-self/net/%s",
		       sockets->kind->file); /* fits */
	FILE *file = fopen(path, "re");
	if (!file) /* no such family in this kernel */
		return errno == ENOENT ? 0 : weir_err_errno(err, errno, "reading %s", path);
	while (r == 0 && getline(&line, &room, file) > 0)
		r = take_line(sockets, line);
	free(line);
	(void)fclose(file); /* only read */
	return r < 0 ? weir_err_errno(err, r, "reading %s", path) : 0;
}

int weir_host_sockets(struct weir_links *links, struct weir_arena *arena,
		      struct weir_host_socket **ret, size_t *ret_n, struct weir_err *err)
{
	struct sockets sockets = { .arena = arena };
	struct weir_channel diag = { 0 };
	bool have_diag = weir_channel_open(NETLINK_SOCK_DIAG, links->trace, &diag, NULL) == 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		sockets.kind = &kinds[i];
		sockets.keep = sockets.n;
		if (have_diag && ask_diag(&diag, &sockets, NULL) == 0)
			continue;
		sockets.n = sockets.keep;
		r = read_proc(&sockets, err);
	}
	weir_channel_close(&diag);
	if (r < 0)
		return r;
	*ret = sockets.items;
	*ret_n = sockets.n;
	return 0;
}

/* ---- owners ---- */

static bool holds_socket(const char *pid, const char *wanted)
{
	char path[300], target[64];
	const struct dirent *entry;
	bool found = false;

	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid); /* fits */
	DIR *dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		found = strcmp(target, wanted) == 0;
	}
	(void)closedir(dir);
	return found;
}

static void name_process(const char *pid, char *buf, size_t size)
{
	char path[300], name[32] = "";

	(void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	FILE *file = fopen(path, "re");
	if (file) {
		if (fgets(name, sizeof(name), file))
			name[strcspn(name, "\n")] = '\0';
		(void)fclose(file);
	}
	if (name[0])
		(void)snprintf(buf, size, "%s (pid %s)", name, pid);
	else
		(void)snprintf(buf, size, "pid %s", pid);
}

void weir_host_socket_owner(struct weir_links *links, uint32_t inode, char *buf, size_t size)
{
	char wanted[64];
	const struct dirent *entry;
	DIR *dir = opendir("/proc");

	(void)links;
	(void)snprintf(buf, size, "another process");
	(void)snprintf(wanted, sizeof(wanted), "socket:[%" PRIu32 "]", inode);
	while (dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !holds_socket(entry->d_name, wanted))
			continue;
		name_process(entry->d_name, buf, size);
		break;
	}
	if (dir)
		(void)closedir(dir);
}
