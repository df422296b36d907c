/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoints' namespaces: made, found, prepared, removed.
 *
 * One that weir made carries an alias on its loopback, set before the namespace is bound to its
 * file. So a maker that is killed before it could record the id leaves nothing that is taken for a
 * foreign namespace afterwards. */
#ifndef WEIR_BACKENDS_NETLINK_NAMESPACE_H
#define WEIR_BACKENDS_NETLINK_NAMESPACE_H

#include "backends/netlink/handle.h"

/* The endpoint's namespace, ready for work; it belongs to the handle and is valid until the next
 * call. -ENOENT: not there; -ESTALE: another one than ep->netns_id. */
int weir_inside_open(struct weir_links *links, const struct weir_endpoint *ep,
		     struct weir_inside **ret, struct weir_err *err);

/* An interface of the endpoint's, by its alias, in the namespace that is open, or index 0; network NULL: any. */
int weir_inside_find(struct weir_links *links, const struct weir_endpoint *ep, const char *network,
		     struct weir_iface *ret, struct weir_err *err);
/* Removes all of these. */
int weir_inside_clear(struct weir_links *links, const struct weir_endpoint *ep, const char *network,
		      struct weir_err *err);

/* Of struct weir_link_ops. */
int weir_namespace_ensure(struct weir_links *links, const struct weir_endpoint *ep,
			  struct weir_netns_id *ret_id, bool *ret_changed, struct weir_err *err);
int weir_namespace_check(struct weir_links *links, const struct weir_endpoint *ep,
			 struct weir_err *err);
int weir_namespace_taken(struct weir_links *links, const struct weir_endpoint *ep, bool *ret,
			 struct weir_err *err);
int weir_namespace_remove(struct weir_links *links, const struct weir_endpoint *ep,
			  struct weir_err *err);

/* A foreign namespace's loopback and forwarding, when an attachment of it comes up: nothing takes the
 * loopback back, so no change that may still be refused touches it. Own ones have theirs from the start. */
int weir_namespace_up(struct weir_links *links, const struct weir_endpoint *ep,
		      struct weir_err *err);

#endif
