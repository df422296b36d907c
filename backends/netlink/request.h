/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink requests: build one, send it, wait for the kernel's answer. Each is acknowledged on its
 * own; an error keeps the kernel's errno, its own words (extended ACK) and ours. */
#ifndef WEIR_BACKENDS_NETLINK_REQUEST_H
#define WEIR_BACKENDS_NETLINK_REQUEST_H

#include <netlink/msg.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/trace.h"

/* A connected socket; it stays in the namespace in which it was opened. */
struct weir_channel {
	struct nl_sock *sock;
	const struct weir_trace *trace;
};

/* protocol: NETLINK_ROUTE, NETLINK_SOCK_DIAG. -EPROTONOSUPPORT: this kernel has none. */
int weir_channel_open(int protocol, const struct weir_trace *trace, struct weir_channel *ret,
		      struct weir_err *err);
void weir_channel_close(struct weir_channel *channel);

/* A message under construction. What does not fit makes it `broken`, and sending it -ENOMEM, so
 * that builders need not check each attribute. */
struct weir_request {
	struct nl_msg *msg;
	bool broken;
};

/* Starts with the family's header (ifinfomsg, ifaddrmsg, …); flags beside NLM_F_REQUEST. */
struct weir_request weir_request_make(uint16_t type, uint16_t flags, const void *header,
				      size_t size);
void weir_request_free(struct weir_request *request);
#define WEIR_CLEAN_REQUEST __attribute__((cleanup(weir_request_free)))

void weir_request_bytes(struct weir_request *request, int type, const void *data, size_t size);
void weir_request_u8(struct weir_request *request, int type, uint8_t value);
void weir_request_u16(struct weir_request *request, int type, uint16_t value);
void weir_request_u32(struct weir_request *request, int type, uint32_t value);
void weir_request_text(struct weir_request *request, int type, const char *text);
void weir_request_mac(struct weir_request *request, int type, const struct weir_mac *mac);
void weir_request_addr(struct weir_request *request, int type, const struct weir_addr *addr);
/* A nest; close what open returned (NULL when broken). */
struct nlattr *weir_request_open(struct weir_request *request, int type);
void weir_request_close(struct weir_request *request, struct nlattr *nest);

/* Sends and waits for the ACK. The words say what it does ("link add wv-1 type veth"): for the trace
 * and, with the kernel's reason, for the error. */
int weir_request_send(struct weir_channel *channel, struct weir_request *request,
		      struct weir_err *err, const char *words, ...)
	__attribute__((format(printf, 4, 5)));

/* For calls where one error is an answer ("is it there?"): 0 when r is -allowed; any other error is
 * handed on, with its words, from why to err. */
int weir_request_allow(int r, int allowed, const struct weir_err *why, struct weir_err *err);

/* Called for each message of an answer; with NULL when the answer (re)starts: a dump that changes
 * disturbed begins again. 0, or -errno, which ends the walk and is returned. */
typedef int (*weir_answer_each)(const struct nlmsghdr *message, void *ctx);

/* Sends a get (or a dump, with NLM_F_DUMP) and walks the answer. */
int weir_request_walk(struct weir_channel *channel, struct weir_request *request,
		      weir_answer_each each, void *ctx, struct weir_err *err, const char *words,
		      ...) __attribute__((format(printf, 6, 7)));

#endif
