/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of one interface, with their connected routes: exactly those that weir wants. Link-local
 * addresses and those that expire (router advertisements) are the kernel's and left alone. */
#ifndef WEIR_BACKENDS_NETLINK_ADDRESS_H
#define WEIR_BACKENDS_NETLINK_ADDRESS_H

#include "backends/netlink/request.h"

/* An interface and its wanted addresses, each with its prefix length. */
struct weir_addresses {
	const char *what, *ifname; /* "bridge", "wb-web" */
	int index;
	const struct weir_prefix *want;
	size_t n_want;
	bool others; /* for checking: more may be there, the interface is somebody else's */
};

/* Removes what is not wanted, then adds what is missing. fresh: the interface has none yet, and needs no
 * look at what the kernel makes with them. */
int weir_addresses_ensure(struct weir_channel *channel, const struct weir_addresses *addresses,
			  bool fresh, bool *ret_changed, struct weir_err *err);
/* The link-local address after a change of the MAC: the kernel keeps the old one until the link goes down. */
int weir_addresses_follow_mac(struct weir_channel *channel, const struct weir_addresses *addresses,
			      const struct weir_mac *was, const struct weir_mac *is,
			      struct weir_err *err);
/* -ESTALE with the first difference. */
int weir_addresses_check(struct weir_channel *channel, const struct weir_addresses *addresses,
			 struct weir_err *err);

#endif
