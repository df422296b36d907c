/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An own namespace's resolv.conf and hosts, under /etc/netns/<endpoint>, where `ip netns exec` binds
 * them over those of the host. Files there that weir did not write are the user's and stay as they
 * are. An endpoint without name servers of its own has the host's resolv.conf, but for name servers on the
 * host's loopback, which it could not reach: those that they ask stand in its own then. */
#ifndef WEIR_BACKENDS_NETLINK_NAMES_H
#define WEIR_BACKENDS_NETLINK_NAMES_H

#include "backends/netlink/handle.h"

#define WEIR_NAMES_FOLDER "/etc/netns"
/* no endpoint's name has an '@' */
#define WEIR_HOSTS_FOLDER WEIR_NAMES_FOLDER "/@weir"
#define WEIR_HOSTS_LINK "../@weir/"
enum { WEIR_HOSTS_TARGET = 32 };

/* Of struct weir_link_ops. */
int weir_names_ensure(struct weir_links *links, const struct weir_endpoint *ep, bool *ret_changed,
		      struct weir_err *err);
/* Of an own namespace. -ESTALE with what weir_names_ensure() would change. */
int weir_names_check(struct weir_links *links, const struct weir_endpoint *ep,
		     struct weir_err *err);
/* What weir wrote, and the folders when they are empty then. */
int weir_names_remove(struct weir_links *links, const struct weir_endpoint *ep,
		      struct weir_err *err);

int weir_hosts_list(struct weir_links *links, struct weir_arena *arena, const char ***ret_networks,
		    size_t *ret_n, struct weir_err *err);
int weir_hosts_read(struct weir_links *links, const char *networks, struct weir_arena *arena,
		    const char **ret_text, struct weir_err *err);
int weir_hosts_write(struct weir_links *links, const char *networks, const char *text,
		     struct weir_err *err);

/* Where an endpoint's hosts leads, from its own folder. */
void weir_hosts_target(const struct weir_links *links, const char *networks,
		       char target[WEIR_HOSTS_TARGET]);
/* Folders that weir makes go with the last that is in them; others stay. */
int weir_names_make_folder(const char *path, struct weir_err *err);
int weir_names_remove_folder(const char *path, struct weir_err *err);

#endif
