/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link handle holds. Private to backends/netlink. */
#ifndef WEIR_BACKENDS_NETLINK_HANDLE_H
#define WEIR_BACKENDS_NETLINK_HANDLE_H

#include "backends/netlink/iface.h"
#include "core/link.h"

/* A namespace that is being worked in: its descriptor and a socket inside it. */
struct weir_inside {
	int fd; /* -1: none */
	struct weir_netns_id id;
	struct weir_channel channel;
};

struct weir_links {
	char store[40];
	const struct weir_trace *trace;
	struct weir_channel host;
	struct weir_netns_id id;
	/* The endpoint's namespace that was used last: attach_ensure and attach_up follow each other,
	 * and one socket serves both. It pins that namespace until the next one, or close. */
	struct weir_inside inside;
};

void weir_inside_close(struct weir_inside *inside);

#endif
