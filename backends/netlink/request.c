/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink requests: build one, send it, wait for the kernel's answer.
 *
 * How it works: libnl allocates, numbers, sends and receives. Its own error codes are fewer than the
 * kernel's, so the error callback takes the errno and the extended ACK from the raw message. Messages
 * are built attribute by attribute: half of those that weir needs (a peer's namespace, port flags,
 * address generation) libnl-route has no call for, and loading it costs each command 0.2 ms. */
#include "backends/netlink/request.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	WORDS_SIZE = 256,
	RECEIVE_SIZE = 32768, /* what the kernel fills at most per read of a dump (netlink_dump) */
	DUMP_TRIES = 10,      /* a dump disturbed this often: somebody else never rests */
};

static int connect_channel(struct nl_sock *sock, int protocol, struct weir_err *err)
{
	int on = 1;
	int r = nl_connect(sock, protocol);

	if (r < 0) {
		int e = errno ? errno : EIO;
		return weir_err_errno(err, e, "opening a netlink socket");
	}
	(void)nl_socket_set_msg_buf_size(sock, RECEIVE_SIZE); /* only stores the number */
	nl_socket_disable_msg_peek(sock);
	int fd = nl_socket_get_fd(sock);
	/* Comforts: without them (before 4.20) errors lack words, dumps are not filtered; both are
	 * checked where they matter. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return 0;
}

int weir_channel_open(int protocol, const struct weir_trace *trace, struct weir_channel *ret,
		      struct weir_err *err)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (!sock)
		return weir_err_set(err, ENOMEM, "out of memory");
	int r = connect_channel(sock, protocol, err);
	if (r < 0) {
		nl_socket_free(sock);
		return r;
	}
	*ret = (struct weir_channel){ .sock = sock, .trace = trace };
	return 0;
}

void weir_channel_close(struct weir_channel *channel)
{
	if (channel->sock)
		nl_socket_free(channel->sock);
	channel->sock = NULL;
}

struct weir_request weir_request_make(uint16_t type, uint16_t flags, const void *header,
				      size_t size)
{
	struct weir_request request = { .msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags) };

	if (!request.msg ||
	    nlmsg_append(request.msg, (void *)(uintptr_t)header, size, NLMSG_ALIGNTO) < 0)
		request.broken = true;
	return request;
}

void weir_request_free(struct weir_request *request)
{
	if (request->msg)
		nlmsg_free(request->msg);
	request->msg = NULL;
}

void weir_request_bytes(struct weir_request *request, int type, const void *data, size_t size)
{
	if (!request->broken && nla_put(request->msg, type, (int)size, data) < 0)
		request->broken = true;
}

void weir_request_u8(struct weir_request *request, int type, uint8_t value)
{
	weir_request_bytes(request, type, &value, sizeof(value));
}

void weir_request_u16(struct weir_request *request, int type, uint16_t value)
{
	weir_request_bytes(request, type, &value, sizeof(value));
}

void weir_request_u32(struct weir_request *request, int type, uint32_t value)
{
	weir_request_bytes(request, type, &value, sizeof(value));
}

void weir_request_text(struct weir_request *request, int type, const char *text)
{
	weir_request_bytes(request, type, text, strlen(text) + 1);
}

void weir_request_mac(struct weir_request *request, int type, const struct weir_mac *mac)
{
	weir_request_bytes(request, type, mac->bytes, sizeof(mac->bytes));
}

void weir_request_addr(struct weir_request *request, int type, const struct weir_addr *addr)
{
	weir_request_bytes(request, type, addr->bytes, weir_family_bits(addr->family) / 8);
}

struct nlattr *weir_request_open(struct weir_request *request, int type)
{
	struct nlattr *nest = request->broken ? NULL : nla_nest_start(request->msg, type);

	if (!nest)
		request->broken = true;
	return nest;
}

void weir_request_close(struct weir_request *request, struct nlattr *nest)
{
	/* _keep_empty: an empty nest is left out otherwise, which is right for none of ours */
	if (!request->broken && nla_nest_end_keep_empty(request->msg, nest) < 0)
		request->broken = true;
}

/* One request under way. */
struct exchange {
	weir_answer_each each; /* NULL: only the ACK counts */
	void *ctx;
	int error; /* the kernel's or each's, negative */
	bool finished;
	char reason[160];  /* the kernel's own words, or empty */
	uint32_t sequence; /* of the request */
};

static void take_reason(struct exchange *exchange, const struct nlmsgerr *error)
{
	const struct nlmsghdr *header = (const void *)((const char *)error - NLMSG_HDRLEN);
	struct nlattr *attrs[NLMSGERR_ATTR_MAX + 1];
	size_t skip = sizeof(*error);

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	/* the failed request follows whole, unless it is capped to its header */
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
	if (header->nlmsg_len < NLMSG_HDRLEN + skip)
		return;
	struct nlattr *first = (void *)(uintptr_t)((const char *)error + skip);
	int size = (int)(header->nlmsg_len - NLMSG_HDRLEN - skip);
	if (nla_parse(attrs, NLMSGERR_ATTR_MAX, first, size, NULL) < 0 || !attrs[NLMSGERR_ATTR_MSG])
		return;
	(void)nla_strlcpy(exchange->reason, attrs[NLMSGERR_ATTR_MSG], sizeof(exchange->reason));
	size_t len = strlen(exchange->reason);
	if (len && exchange->reason[len - 1] == '.') /* ours end without one */
		exchange->reason[len - 1] = '\0';
}

/* Answers to a request whose sending or receiving has failed may still come: they are none of ours. */
static int check_sequence(struct nl_msg *msg, void *ctx)
{
	const struct exchange *exchange = ctx;

	return nlmsg_hdr(msg)->nlmsg_seq == exchange->sequence ? NL_OK : NL_SKIP;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *ctx)
{
	struct exchange *exchange = ctx;

	(void)from;
	exchange->error = error->error;
	exchange->finished = true;
	take_reason(exchange, error);
	return NL_STOP;
}

static int on_end(struct nl_msg *msg, void *ctx)
{
	struct exchange *exchange = ctx;
	const struct nlmsghdr *header = nlmsg_hdr(msg);

	/* a dump that fails midway ends with DONE and its errno */
	if (header->nlmsg_type == NLMSG_DONE && nlmsg_datalen(header) >= (int)sizeof(int)) {
		int error;
		memcpy(&error, nlmsg_data(header), sizeof(error));
		if (error < 0)
			exchange->error = error;
	}
	exchange->finished = true;
	return NL_STOP;
}

static int on_message(struct nl_msg *msg, void *ctx)
{
	struct exchange *exchange = ctx;

	if (exchange->each && exchange->error == 0)
		exchange->error = exchange->each(nlmsg_hdr(msg), exchange->ctx);
	return NL_OK; /* the rest is read all the same, or the next request would find it */
}

static struct nl_cb *callbacks(struct exchange *exchange)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		return NULL;
	/* none of these can fail: the kinds are valid */
	(void)nl_cb_err(cb, NL_CB_CUSTOM, on_error, exchange);
	(void)nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, check_sequence, exchange);
	(void)nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_end, exchange);
	(void)nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_end, exchange);
	(void)nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_message, exchange);
	return cb;
}

static int receive_answer(struct nl_sock *sock, struct nl_cb *cb, struct exchange *exchange)
{
	while (!exchange->finished) {
		errno = 0;
		int r = nl_recvmsgs(sock, cb);
		if (r == -NLE_DUMP_INTR)
			return -EINTR;
		if (r < 0 && !exchange->finished) /* a kernel's error is in the exchange already */
			return errno ? -errno : -EIO;
	}
	return exchange->error;
}

/* The rest of an answer that could not be received: the kernel begins no other dump before this one's end
 * is read. What a request is answered by is there when sending returns. */
static void throw_away(struct nl_sock *sock)
{
	char scrap[64];

	do
		errno = 0;
	while (recv(nl_socket_get_fd(sock), scrap, sizeof(scrap), MSG_DONTWAIT) > 0 ||
	       errno == ENOBUFS || errno == EINTR);
}

/* One try; -EINTR: a dump was disturbed. */
static int run_exchange(struct weir_channel *channel, struct weir_request *request,
			struct exchange *exchange)
{
	struct nl_cb *cb = callbacks(exchange);
	int r = 0;

	if (!cb)
		return -ENOMEM;
	if (exchange->each)
		r = exchange->each(NULL, exchange->ctx);
	if (r == 0) {
		/* numbered anew: an answer to an earlier try must not be taken for this one's */
		nlmsg_hdr(request->msg)->nlmsg_seq = NL_AUTO_SEQ;
		nlmsg_hdr(request->msg)->nlmsg_flags |= NLM_F_ACK;
		errno = 0;
		if (nl_send_auto(channel->sock, request->msg) < 0)
			r = errno ? -errno : -EIO;
		exchange->sequence = nlmsg_hdr(request->msg)->nlmsg_seq;
	}
	if (r == 0)
		r = receive_answer(channel->sock, cb, exchange);
	if (r < 0 && !exchange->finished)
		throw_away(channel->sock);
	nl_cb_put(cb);
	return r;
}

static int fail(struct weir_err *err, int r, const char *words, const char *reason)
{
	if (reason[0])
		return weir_err_errno(err, r, "%s: the kernel says \"%s\"", words, reason);
	return weir_err_errno(err, r, "%s", words);
}

int weir_request_send(struct weir_channel *channel, struct weir_request *request,
		      struct weir_err *err, const char *words, ...)
{
	struct exchange exchange = { 0 };
	char text[WORDS_SIZE];
	va_list args;

	va_start(args, words);
	(void)vsnprintf(text, sizeof(text), words, args); /* a cut text is still a text */
	va_end(args);
	if (request->broken)
		return weir_err_set(err, ENOMEM, "%s: out of memory", text);
	int r = run_exchange(channel, request, &exchange);
	weir_trace(channel->trace, r < 0 ? "%s: %s" : "%s", text, strerror(-r));
	return r < 0 ? fail(err, r, text, exchange.reason) : 0;
}

int weir_request_walk(struct weir_channel *channel, struct weir_request *request,
		      weir_answer_each each, void *ctx, struct weir_err *err, const char *words,
		      ...)
{
	struct exchange exchange = { 0 };
	char text[WORDS_SIZE];
	int r = -EINTR;
	va_list args;

	va_start(args, words);
	(void)vsnprintf(text, sizeof(text), words, args);
	va_end(args);
	if (request->broken)
		return weir_err_set(err, ENOMEM, "%s: out of memory", text);
	for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
		exchange = (struct exchange){ .each = each, .ctx = ctx };
		r = run_exchange(channel, request, &exchange);
	}
	weir_trace(channel->trace, r < 0 ? "%s: %s" : "%s", text, strerror(-r));
	return r < 0 ? fail(err, r, text, exchange.reason) : 0;
}

int weir_request_allow(int r, int allowed, const struct weir_err *why, struct weir_err *err)
{
	if (r >= 0 || r == -allowed)
		return 0;
	if (err)
		*err = *why;
	return r;
}
