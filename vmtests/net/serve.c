/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Servers: each answers with its name and with the client as it saw it, then echoes. */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum kind { LISTENER, DATAGRAM, STREAM };

static int epoll_fd = -1;
static int streams[PROBE_STREAMS];
static size_t n_streams;

int probe_serve_fd(void)
{
	return epoll_fd;
}

static bool add_service(int fd, enum kind kind)
{
	struct epoll_event event = { .events = EPOLLIN,
				     .data.u64 = (uint64_t)kind << 32 | (unsigned)fd };

	if (epoll_fd < 0)
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (kind == STREAM && n_streams == PROBE_STREAMS) {
		errno = ENFILE;
		return false;
	}
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return false;
	if (kind == STREAM)
		streams[n_streams++] = fd;
	return true;
}

/* Taken out by name: a child may still have it open. */
static void end_stream(int fd)
{
	size_t i = 0;

	while (i < n_streams && streams[i] != fd)
		i++;
	if (i < n_streams)
		streams[i] = streams[--n_streams];
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

static unsigned local_port(int fd)
{
	union probe_addr addr = { 0 };
	socklen_t len = sizeof(addr);
	char text[INET6_ADDRSTRLEN];
	unsigned port = 0;

	if (getsockname(fd, &addr.any, &len) == 0)
		probe_addr_text(&addr, text, sizeof(text), &port);
	return port;
}

static int bind_one(const char *proto, const char *where, unsigned port)
{
	union probe_addr addr;
	int one = 1, fd;

	if (!probe_addr_parse(where, port, AF_INET6, &addr)) {
		errno = EINVAL;
		return -1;
	}
	fd = probe_socket(proto, addr.any.sa_family, SOCK_NONBLOCK);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	if (bind(fd, &addr.any, probe_addr_len(&addr)) == 0 &&
	    (strcmp(proto, "udp") == 0 || listen(fd, 64) == 0) &&
	    add_service(fd, strcmp(proto, "udp") == 0 ? DATAGRAM : LISTENER))
		return fd;
	one = errno;
	close(fd);
	errno = one;
	return -1;
}

/* serve PROTO ADDR LO HI; port 0: the kernel's choice, told in the answer. */
void probe_serve(char **words)
{
	unsigned lo = (unsigned)strtoul(words[3], NULL, 10);
	unsigned hi = (unsigned)strtoul(words[4], NULL, 10);
	unsigned bound = lo;

	for (unsigned port = lo; port <= hi; port++) {
		int fd = bind_one(words[1], words[2], port);

		if (fd < 0) {
			printf("error %s at port %u\n", strerrorname_np(errno), port);
			return;
		}
		bound = local_port(fd);
	}
	printf("ok %u\n", bound);
}

static int greeting(char *buf, size_t size, const union probe_addr *client, int fd)
{
	char text[INET6_ADDRSTRLEN];
	unsigned port;

	probe_addr_text(client, text, sizeof(text), &port);
	return snprintf(buf, size, "%s|%s|%u|%u\n", probe_name, text, port, local_port(fd));
}

static void accept_one(int listener)
{
	union probe_addr client = { 0 };
	socklen_t len = sizeof(client);
	int fd = accept4(listener, &client.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char line[128];

	if (fd < 0)
		return;
	(void)!write(fd, line, (size_t)greeting(line, sizeof(line), &client, fd));
	if (!add_service(fd, STREAM))
		close(fd);
}

/* Routing chooses the way of the answer, not the interface that the question came by. */
static void forget_interface(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_ifindex = 0;
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)(void *)CMSG_DATA(c))->ipi6_ifindex = 0;
	}
}

/* Answers from the address that was asked, as a server with several addresses has to: what tells the
 * destination of what came in is, handed back, the source of what goes out. */
static void answer_one(int fd)
{
	union probe_addr client = { 0 };
	char line[2048];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
					      CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct iovec data = { .iov_base = line, .iov_len = sizeof(line) };
	struct msghdr msg = { .msg_name = &client,
			      .msg_namelen = sizeof(client),
			      .msg_iov = &data,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };

	if (recvmsg(fd, &msg, 0) < 0)
		return;
	forget_interface(&msg);
	data.iov_len = (size_t)greeting(line, sizeof(line), &client, fd);
	(void)sendmsg(fd, &msg, 0);
}

/* False when the peer has gone. */
static bool echo_one(int fd)
{
	char buf[2048];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EAGAIN;
	if (n > 0)
		(void)!write(fd, buf, (size_t)n);
	return n > 0;
}

/* shout WORD: the servers' ends of all streams say it, unasked. */
void probe_shout(char **words)
{
	for (size_t i = 0; i < n_streams; i++)
		(void)!write(streams[i], words[1], strlen(words[1]));
	printf("ok\n");
}

/* hangup: the servers' ends of all streams are gone, by a reset. */
void probe_hangup(char **words)
{
	const struct linger at_once = { .l_onoff = 1 };

	(void)words;
	while (n_streams > 0) {
		int fd = streams[n_streams - 1];

		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		end_stream(fd);
	}
	printf("ok\n");
}

void probe_serve_ready(void)
{
	struct epoll_event events[64];
	int n = epoll_wait(epoll_fd, events, sizeof(events) / sizeof(events[0]), 0);

	for (int i = 0; i < n; i++) {
		int fd = (int)(uint32_t)events[i].data.u64;
		enum kind kind = (enum kind)(events[i].data.u64 >> 32);

		if (kind == LISTENER)
			accept_one(fd);
		else if (kind == DATAGRAM)
			answer_one(fd);
		else if (!echo_one(fd))
			end_stream(fd);
	}
}
