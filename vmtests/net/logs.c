/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines of rules, as NFLOG gives them to whoever listens in the namespace: their prefixes.
 *
 * What the kernel's packet logger is asked, by hand: give group 0 to this socket, without the packets, and each
 * line at once. */
#include "probe.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINES_MAX = 1024, PREFIX_MAX = 128, MESSAGE = 128, BUFFER = 1024 * 1024 };

static char lines[LINES_MAX][PREFIX_MAX];
static size_t n_lines;
static int listener = -1;

struct request {
	struct nlmsghdr head;
	struct nfgenmsg about;
	char attrs[MESSAGE];
};

static void put(struct request *r, unsigned type, const void *data, size_t len)
{
	struct nlattr *attr = (struct nlattr *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	attr->nla_type = (unsigned short)type;
	attr->nla_len = (unsigned short)(NLA_HDRLEN + len);
	memcpy((char *)attr + NLA_HDRLEN, data, len);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + (unsigned)NLA_ALIGN(attr->nla_len);
}

static struct request configure(void)
{
	struct request r = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.about)),
				       .nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG,
				       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };
	return r;
}

/* 0, or the kernel's errno. */
static int ask(int fd, const struct request *r)
{
	char answer[4096];
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(fd, r, r->head.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return errno;
	for (;;) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);
		const struct nlmsghdr *head = (const struct nlmsghdr *)answer;
		if (n < 0)
			return errno;
		if ((size_t)n >= sizeof(*head) && head->nlmsg_type == NLMSG_ERROR)
			return -((const struct nlmsgerr *)NLMSG_DATA(head))->error;
	}
}

static int listen_to_group(int fd)
{
	const struct nfulnl_msg_config_cmd bind_group = { NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = { .copy_mode = NFULNL_COPY_META };
	const unsigned at_once = htonl(1);
	struct request r = configure();

	put(&r, NFULA_CFG_CMD, &bind_group, sizeof(bind_group));
	int error = ask(fd, &r);
	if (error)
		return error;
	r = configure();
	put(&r, NFULA_CFG_MODE, &mode, sizeof(mode));
	put(&r, NFULA_CFG_QTHRESH, &at_once, sizeof(at_once));
	return ask(fd, &r);
}

/* listen: from here on `lines` gives what is logged. */
void probe_listen(char **words)
{
	int size = BUFFER, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int error = fd < 0 ? errno : listen_to_group(fd);

	(void)words;
	if (error) {
		printf("%s\n", strerrorname_np(error));
		if (fd >= 0)
			close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	listener = fd;
	printf("ok\n");
}

static void take_line(const struct nlmsghdr *head)
{
	size_t at = NLMSG_ALIGN(sizeof(struct nfgenmsg));
	const char *payload = NLMSG_DATA(head);
	size_t len = NLMSG_PAYLOAD(head, 0);

	while (at + NLA_HDRLEN <= len && n_lines < LINES_MAX) {
		const struct nlattr *attr = (const struct nlattr *)(payload + at);
		if (attr->nla_len < NLA_HDRLEN)
			return;
		if (attr->nla_type == NFULA_PREFIX)
			snprintf(lines[n_lines++], PREFIX_MAX, "%.*s",
				 (int)(attr->nla_len - NLA_HDRLEN), payload + at + NLA_HDRLEN);
		at += NLA_ALIGN(attr->nla_len);
	}
}

static void drain(void)
{
	static char buf[BUFFER];
	ssize_t n;

	while (listener >= 0 && (n = recv(listener, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		unsigned left = (unsigned)n;
		for (const struct nlmsghdr *head = (const struct nlmsghdr *)buf;
		     NLMSG_OK(head, left); head = NLMSG_NEXT(head, left))
			if (head->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
				take_line(head);
	}
}

/* lines: gives them out and forgets them. */
void probe_lines(char **words)
{
	(void)words;
	drain();
	printf("%zu\n", n_lines);
	for (size_t i = 0; i < n_lines; i++)
		printf("%s\n", lines[i]);
	n_lines = 0;
}
