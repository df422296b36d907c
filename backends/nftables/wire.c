// SPDX-License-Identifier: GPL-2.0-or-later
/* A netlink socket to nf_tables: questions and dumps. */
#include "backends/nftables/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

int weir_nft_wire_open(struct weir_nft_wire *ret, struct weir_err *err)
{
	struct weir_nft_wire wire = { .received = malloc(WEIR_NFT_RECEIVE_SIZE) };
	int on = 1;
	if (!wire.received)
		return weir_err_set(err, ENOMEM, "no memory for a netlink socket");
	wire.socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!wire.socket || mnl_socket_bind(wire.socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = errno == EPROTONOSUPPORT
				? weir_err_set(err, EOPNOTSUPP,
					       "this kernel has no nf_tables netlink "
					       "(CONFIG_NF_TABLES; modprobe nf_tables)")
				: weir_err_errno(err, errno,
						 "opening a netlink socket to nf_tables");
		weir_nft_wire_close(&wire);
		return r;
	}
	/* errors come back with our own message's head only: thousands of them fit */
	(void)mnl_socket_setsockopt(wire.socket, NETLINK_CAP_ACK, &on, sizeof(on)); /* since 4.3 */
	*ret = wire;
	return 0;
}

void weir_nft_wire_close(struct weir_nft_wire *wire)
{
	if (wire->socket)
		(void)mnl_socket_close(wire->socket); /* nothing is pending */
	free(wire->received);
	*wire = (struct weir_nft_wire){ 0 };
}

struct nlmsghdr *weir_nft_request(struct weir_nft_wire *wire, char *buf, uint16_t type,
				  uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(buf, type, NFPROTO_INET, flags, ++wire->seq);
}

static int error_of(const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
	return error->error;
}

/* One buffer of answers. 1: there is more to come, 0: that was all, or a -errno. */
static int take_answers(struct weir_nft_wire *wire, size_t len, bool dump,
			int (*each)(const struct nlmsghdr *answer, void *ctx), void *ctx, int *torn)
{
	int left = (int)len;
	const struct nlmsghdr *message = (const struct nlmsghdr *)wire->received;
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_seq != wire->seq)
			continue; /* the rest of a dump that was given up */
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			*torn = 1;
		if (message->nlmsg_type == NLMSG_ERROR)
			return error_of(message);
		if (message->nlmsg_type == NLMSG_DONE)
			return *torn ? -EINTR : 0;
		int r = each ? each(message, ctx) : 0;
		if (r < 0)
			return r;
		if (!dump)
			return 0;
	}
	return 1;
}

int weir_nft_ask(struct weir_nft_wire *wire, struct nlmsghdr *request,
		 int (*each)(const struct nlmsghdr *answer, void *ctx), void *ctx)
{
	bool dump = request->nlmsg_flags & NLM_F_DUMP;
	int torn = 0, r = 1;
	if (mnl_socket_sendto(wire->socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (r > 0) {
		ssize_t len =
			mnl_socket_recvfrom(wire->socket, wire->received, WEIR_NFT_RECEIVE_SIZE);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		r = take_answers(wire, (size_t)len, dump, each, ctx, &torn);
	}
	return r;
}

static int take_generation(const struct nlmsghdr *answer, void *ctx)
{
	const struct nlattr *attr;
	mnl_attr_for_each(attr, answer,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
						       mnl_attr_validate(attr, MNL_TYPE_U32) == 0) *
		(uint32_t *)ctx = ntohl(mnl_attr_get_u32(attr));
	return 0;
}

int weir_nft_generation(struct weir_nft_wire *wire, uint32_t *ret)
{
	char buf[WEIR_NFT_REQUEST_SIZE] = { 0 };
	uint32_t generation = 0;
	int r = weir_nft_ask(wire, weir_nft_request(wire, buf, NFT_MSG_GETGEN, 0), take_generation,
			     &generation);
	if (r == 0 && generation == 0)
		r = -EBADMSG;
	if (r == 0)
		*ret = generation;
	return r;
}
