/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes of the main table. Those that weir makes carry a protocol number of their own, so that a
 * user's in the same namespace are told from them and stay; default routes alone are weir's to decide
 * on its interfaces, whoever made them.
 *
 * The kernel has one route of a destination and a metric: putting weir's may be in the place of another. In
 * a namespace of weir's own that one goes; elsewhere it stays, by another interface, unless it is weir's. */
#ifndef WEIR_BACKENDS_NETLINK_ROUTE_H
#define WEIR_BACKENDS_NETLINK_ROUTE_H

#include "backends/netlink/request.h"

enum { WEIR_RTPROT = 0x77 }; /* "w"; nobody's in rt_protos or linux/rtnetlink.h */

/* A route as the kernel tells it. */
struct weir_route_entry {
	struct weir_prefix to;
	struct weir_addr via; /* none: on the link */
	int index;	      /* 0: through no interface (blackhole) */
	uint32_t metric;
	uint8_t protocol; /* RTPROT_… */
	bool refuses;	  /* unreachable, prohibit, blackhole */
};

typedef int (*weir_route_each)(const struct weir_route_entry *entry,
			       void *ctx); /* NULL: starts anew */

/* Unicast and refusing routes of the main table; index, protocol 0: any. */
int weir_routes_walk(struct weir_channel *channel, enum weir_family family, int index,
		     uint8_t protocol, weir_route_each each, void *ctx, struct weir_err *err);

struct weir_route_want {
	struct weir_prefix to; /* length 0: default */
	struct weir_addr via;  /* none: on the link */
};

/* An interface and the routes that weir wants through it. */
struct weir_routes {
	const char *ifname;
	int index;
	const struct weir_route_want *want;
	size_t n_want;
	bool without_ipv6;  /* it is off there: no use asking for routes */
	const char *others; /* whose namespace it is ("the host"); NULL: weir's own */
};

/* Adds or replaces those that are wanted, and looks for no others: for an interface that has just come up.
 * -EEXIST: somebody's stands there. */
int weir_routes_put(struct weir_channel *channel, const struct weir_routes *routes,
		    struct weir_err *err);
/* The route of the main table by which addr is reached; by: through this interface (0: any). Index 0 where
 * there is none. Costs the same however many routes there are. */
int weir_route_find(struct weir_channel *channel, const struct weir_addr *addr, int by,
		    struct weir_route_entry *ret, struct weir_err *err);
/* Does the host reach addr by a route of weir's to it alone, through this interface? */
int weir_route_is_by(struct weir_channel *channel, const struct weir_addr *addr, int index,
		     bool *ret, struct weir_err *err);
/* Is it there, whatever else comes before it? For this the kernel goes through all routes. */
int weir_route_is_there(struct weir_channel *channel, const struct weir_routes *routes,
			const struct weir_route_want *want, bool *ret, struct weir_err *err);
/* Is what the host sends there delivered to itself? */
int weir_route_is_local(struct weir_channel *channel, const struct weir_addr *addr, bool *ret,
			struct weir_err *err);
/* A route that refuses what is sent to the prefix; absent on removal is fine. */
int weir_route_refuse(struct weir_channel *channel, bool add, const struct weir_prefix *to,
		      uint32_t metric, struct weir_err *err);

/* -EEXIST: somebody's route stands where a wanted one is to be. index may be 0, for an interface to come. */
int weir_routes_check_free(struct weir_channel *channel, const struct weir_routes *routes,
			   struct weir_err *err);
/* As weir_routes_put(), and takes those away that are not wanted. */
int weir_routes_ensure(struct weir_channel *channel, const struct weir_routes *routes,
		       struct weir_err *err);
/* -ESTALE with the first difference. */
int weir_routes_check(struct weir_channel *channel, const struct weir_routes *routes,
		      struct weir_err *err);

#endif
