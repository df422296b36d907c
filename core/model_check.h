/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that the model's objects, the spec reader and the command line share. */
#ifndef WEIR_CORE_MODEL_CHECK_H
#define WEIR_CORE_MODEL_CHECK_H

#include "core/model.h"

enum {
	WEIR_MTU_MIN = 68,	  /* ETH_MIN_MTU, linux/if_ether.h */
	WEIR_MTU_MAX = 65535,	  /* ETH_MAX_MTU */
	WEIR_POOL_SIZE_IPV4 = 24, /* subnets out of a pool that names no size */
	WEIR_POOL_SIZE_IPV6 = 64
};

/* -EINVAL with the reason, every one; see also weir_name_check() and its kin in core/model.h. */

/* An interface name that weir itself may give: not one that the kernel keeps for itself. */
int weir_own_ifname_check(const char *name, struct weir_err *err);

/* A label's key and value. */
int weir_label_check(const struct weir_label *label, struct weir_err *err);

/* 0 is "the default"; ipv6: the link carries IPv6, which needs 1280. */
int weir_mtu_check(unsigned mtu, bool ipv6, struct weir_err *err);

/* Host bits clear; else what was meant, of a `what` ("subnet"). */
int weir_prefix_check(const char *what, const struct weir_prefix *prefix, struct weir_err *err);

/* Host bits clear, no reserved addresses, subnets of `size` are sensible and fit. */
int weir_pool_check(const struct weir_pool *pool, struct weir_err *err);

#endif
