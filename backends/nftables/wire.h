/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A netlink socket to nf_tables: questions and dumps. Writing is batch.h's. */
#ifndef WEIR_BACKENDS_NFTABLES_WIRE_H
#define WEIR_BACKENDS_NFTABLES_WIRE_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#include "core/err.h"

enum {
	WEIR_NFT_REQUEST_SIZE = 1024, /* a name or two */
	/* The kernel fills up to 32 kB of an answer when there is room for it (netlink_dump), which halves
	 * the time of a large dump against libmnl's page. */
	WEIR_NFT_RECEIVE_SIZE = 64 * 1024,
};

/* { 0 } is a closed one. */
struct weir_nft_wire {
	struct mnl_socket *socket;
	uint32_t seq;	/* of the last message sent */
	char *received; /* WEIR_NFT_RECEIVE_SIZE */
};

/* In the caller's network namespace. */
int weir_nft_wire_open(struct weir_nft_wire *ret, struct weir_err *err);
void weir_nft_wire_close(struct weir_nft_wire *wire);
#define WEIR_CLEAN_NFT_WIRE __attribute__((cleanup(weir_nft_wire_close)))

/* Starts a request about `inet` in buf (WEIR_NFT_REQUEST_SIZE): an NFT_MSG_GET… and flags. */
struct nlmsghdr *weir_nft_request(struct weir_nft_wire *wire, char *buf, uint16_t type,
				  uint16_t flags);

/* Sends it and hands every answer to `each` (NULL: none are awaited), which returns 0 to go on or a
 * -errno. -ENOENT and other errors are the kernel's; -EINTR: a dump that somebody wrote into. */
int weir_nft_ask(struct weir_nft_wire *wire, struct nlmsghdr *request,
		 int (*each)(const struct nlmsghdr *answer, void *ctx), void *ctx);

/* The number of nf_tables' last commit. */
int weir_nft_generation(struct weir_nft_wire *wire, uint32_t *ret);

#endif
