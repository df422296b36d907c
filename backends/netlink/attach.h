/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attachments: one interface of an endpoint in a network. Private to backends/netlink.
 *
 * attach.c carries them out; veth.c and inside_end.c know what either end should be, routed.c what the
 * host's has in a routed network; p2p.c finds the pair of a network without a bridge; on_parent.c makes what
 * needs no pair. */
#ifndef WEIR_BACKENDS_NETLINK_ATTACH_H
#define WEIR_BACKENDS_NETLINK_ATTACH_H

#include "backends/netlink/handle.h"

/* What all steps of one attachment share. */
struct weir_attach {
	struct weir_links *links;
	const struct weir_network *net;
	const struct weir_endpoint *ep;
	const struct weir_attachment *att;
	struct weir_inside *inside;
	char alias[WEIR_ALIAS_SIZE];
};

/* 0: that of the parent. */
unsigned weir_attach_mtu(const struct weir_attach *a);
struct weir_mac weir_attach_mac(const struct weir_attach *a);

/* A veth pair: one end here, down; the other born in the endpoint's namespace. master 0: none. */
int weir_veth_create(const struct weir_attach *a, uint32_t master, struct weir_err *err);

/* The host's end, as it should be on this bridge; routed: NULL. */
struct weir_iface_want weir_host_end_want(const struct weir_attach *a,
					  const struct weir_iface *bridge);

/* The host's end in a routed network: its addresses and settings; now: as it stands. Up: the host's routes to
 * the endpoint. */
int weir_routed_end_ensure(const struct weir_attach *a, const struct weir_iface *now, bool fresh,
			   bool *changed, struct weir_err *err);
int weir_routed_end_up(const struct weir_attach *a, struct weir_err *err);
int weir_routed_end_check(const struct weir_attach *a, int index, struct weir_err *err);

/* The end inside. fresh: just made. Foreign: -EEXIST. */
int weir_inside_end_ensure(const struct weir_attach *a, bool fresh, bool *changed,
			   struct weir_err *err);
/* Gives it its name. */
int weir_inside_end_name(const struct weir_attach *a, const struct weir_iface *now,
			 struct weir_err *err);
/* One that who lives there has renamed takes its own name again. */
int weir_inside_end_retake(const struct weir_attach *a, bool *ret_found, struct weir_err *err);
int weir_inside_end_check(const struct weir_attach *a, const struct weir_model *model,
			  struct weir_err *err);
/* Before it is made, in a namespace that was found. -EEXIST: a route of somebody's is where its is to be. */
int weir_inside_end_check_free(const struct weir_attach *a, struct weir_err *err);
/* Up, and its routes. */
int weir_inside_end_up(const struct weir_attach *a, const struct weir_model *model,
		       struct weir_err *err);

/* An interface on the network's parent, born inside; nothing of it stays on the host. */
int weir_on_parent_ensure(const struct weir_attach *a, bool *changed, struct weir_err *err);
int weir_p2p_ensure(const struct weir_attach *a, bool *changed, struct weir_err *err);

/* Of struct weir_link_ops. */
int weir_wire_remove(struct weir_links *links, const struct weir_endpoint *ep,
		     const struct weir_attachment *att, struct weir_err *err);
int weir_attach_ensure(struct weir_links *links, const struct weir_network *net,
		       const struct weir_endpoint *ep, const struct weir_attachment *att,
		       bool *ret_changed, struct weir_err *err);
int weir_attach_up(struct weir_links *links, const struct weir_model *model,
		   const struct weir_endpoint *ep, const struct weir_attachment *att,
		   struct weir_err *err);
int weir_attach_check(struct weir_links *links, const struct weir_model *model,
		      const struct weir_endpoint *ep, const struct weir_attachment *att,
		      struct weir_err *err);

#endif
