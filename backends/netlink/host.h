/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host has: weir's interfaces, routes, uplinks, sockets. Of struct weir_link_ops. */
#ifndef WEIR_BACKENDS_NETLINK_HOST_H
#define WEIR_BACKENDS_NETLINK_HOST_H

#include "backends/netlink/handle.h"

int weir_host_links_remove(struct weir_links *links, const char *const *ifnames, size_t n,
			   bool *ret_strangers, struct weir_err *err);
int weir_host_links_list(struct weir_links *links, struct weir_arena *arena,
			 struct weir_link_info **ret, size_t *ret_n, struct weir_err *err);
int weir_host_routes(struct weir_links *links, struct weir_arena *arena,
		     struct weir_host_route **ret, size_t *ret_n, struct weir_err *err);
int weir_host_addresses(struct weir_links *links, const char *ifname, struct weir_arena *arena,
			struct weir_addr **ret, size_t *ret_n, struct weir_err *err);
int weir_host_owns(struct weir_links *links, const struct weir_addr *addr, bool *ret,
		   struct weir_err *err);
int weir_host_uplinks(struct weir_links *links, struct weir_arena *arena,
		      char (**ret)[WEIR_IFNAME_SIZE], size_t *ret_n, struct weir_err *err);
int weir_host_sockets(struct weir_links *links, struct weir_arena *arena,
		      struct weir_host_socket **ret, size_t *ret_n, struct weir_err *err);
void weir_host_socket_owner(struct weir_links *links, uint32_t inode, char *buf, size_t size);

#endif
