/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens on a port, an end of an attachment: whose frames it lets in, and how fast. */
#ifndef WEIR_BACKENDS_NETLINK_PORT_H
#define WEIR_BACKENDS_NETLINK_PORT_H

#include "backends/netlink/attach.h"

struct weir_port {
	const struct weir_attach *attach;
	struct weir_channel *channel; /* into the namespace that it is in */
	const char *ifname;
	int index;
	unsigned mtu;
	uint64_t sends, takes; /* bits per second; 0: no limit */
	bool guarded;
	bool classifies; /* something of weir's may see what it takes */
};

struct weir_port weir_port_of_host(const struct weir_attach *a, int index);
/* mtu: as wanted there */
struct weir_port weir_port_inside(const struct weir_attach *a, int index, unsigned mtu);

/* fresh: it was just made, and nothing is on it. */
int weir_port_ensure(const struct weir_port *port, bool fresh, bool *changed, struct weir_err *err);
/* -ESTALE with what differs. */
int weir_port_check(const struct weir_port *port, struct weir_err *err);

/* Of struct weir_link_ops. */
int weir_port_drops(struct weir_links *links, const struct weir_attachment *att, uint64_t *ret,
		    struct weir_err *err);

#endif
