/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link backend on rtnetlink: its handle and its table.
 *
 * How it works: the kernel is asked by name, never by a list of all interfaces, so that an attachment
 * costs the same on an empty host and on a full one. What should be stands in a description
 * (struct weir_iface_want, lists of addresses and routes), which the same code compares with what is:
 * for `ensure`, to send what differs, and for `check`, to say it. Every request is acknowledged;
 * a call that fails removes what it made itself.
 *
 * The invariants: the thread is in the host's namespace between calls; nothing without weir's alias or
 * group is changed. An interface is born with the group and given its alias in the message that
 * follows: one in our group that has no alias is the remnant of a kill. */
#include "backends/netlink/netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/netlink/attach.h"
#include "backends/netlink/bridge.h"
#include "backends/netlink/host.h"
#include "backends/netlink/names.h"
#include "backends/netlink/namespace.h"
#include "backends/netlink/port.h"
#include "backends/netlink/segment.h"
#include "backends/netlink/sysctl.h"
#include "backends/netns.h"

static int read_identity(struct weir_netns_id *ret, struct weir_err *err)
{
	int fd, r = weir_netns_open_current(&fd, err);

	if (r < 0)
		return r;
	r = weir_netns_identify(fd, ret, err);
	(void)close(fd); /* a reference, no data */
	return r;
}

static void close_links(struct weir_links *links)
{
	if (!links)
		return;
	weir_inside_close(&links->inside);
	weir_channel_close(&links->host);
	free(links);
}

static int open_links(const char *store, const struct weir_trace *trace, struct weir_links **ret,
		      struct weir_err *err)
{
	struct weir_links *links = calloc(1, sizeof(*links));

	if (!links)
		return weir_err_set(err, ENOMEM, "out of memory");
	links->inside.fd = -1;
	links->trace = trace;
	int r = 0;
	if (strlen(store) >= sizeof(links->store) || strpbrk(store, " \n"))
		r = weir_err_set(err, EINVAL, "\"%s\" is no store's id", store);
	else
		memcpy(links->store, store, strlen(store)); /* zeroed behind it */
	if (r == 0)
		r = read_identity(&links->id, err);
	if (r == 0)
		r = weir_channel_open(NETLINK_ROUTE, trace, &links->host, err);
	if (r < 0) {
		close_links(links);
		return r;
	}
	*ret = links;
	return 0;
}

static int identity(struct weir_links *links, struct weir_netns_id *ret, struct weir_err *err)
{
	(void)err;
	*ret = links->id;
	return 0;
}

static int sysctl_get(struct weir_links *links, const char *key, long *ret, struct weir_err *err)
{
	(void)links;
	return weir_sysctl_read(key, ret, err);
}

static int sysctl_set(struct weir_links *links, const char *key, long value, struct weir_err *err)
{
	return weir_sysctl_write(links->trace, key, value, err);
}

static int port_range(struct weir_links *links, struct weir_ports *ret, struct weir_err *err)
{
	long range[2];
	int r = weir_sysctl_read_pair("net/ipv4/ip_local_port_range", range, err);

	(void)links;
	if (r < 0)
		return r;
	if (range[0] < 1 || range[1] > UINT16_MAX || range[0] > range[1])
		return weir_err_set(err, EPROTO,
				    "net/ipv4/ip_local_port_range is no range of ports");
	*ret = (struct weir_ports){ .lo = (uint16_t)range[0], .hi = (uint16_t)range[1] };
	return 0;
}

const struct weir_link_ops weir_netlink = {
	.name = "netlink",
	.open = open_links,
	.close = close_links,
	.identity = identity,
	.network_ensure = weir_segment_ensure,
	.network_up = weir_segment_up,
	.network_check = weir_segment_check,
	.netns_ensure = weir_namespace_ensure,
	.netns_check = weir_namespace_check,
	.netns_taken = weir_namespace_taken,
	.names_ensure = weir_names_ensure,
	.hosts_list = weir_hosts_list,
	.hosts_read = weir_hosts_read,
	.hosts_write = weir_hosts_write,
	.netns_remove = weir_namespace_remove,
	.attach_ensure = weir_attach_ensure,
	.attach_up = weir_attach_up,
	.attach_check = weir_attach_check,
	.wire_remove = weir_wire_remove,
	.remove = weir_host_links_remove,
	.list = weir_host_links_list,
	.routes = weir_host_routes,
	.addresses = weir_host_addresses,
	.owns = weir_host_owns,
	.uplinks = weir_host_uplinks,
	.sockets = weir_host_sockets,
	.socket_owner = weir_host_socket_owner,
	.port_range = port_range,
	.fdb = weir_bridge_fdb,
	.neighbours = weir_bridge_neighbours,
	.port_drops = weir_port_drops,
	.sysctl_get = sysctl_get,
	.sysctl_set = sysctl_set,
};
