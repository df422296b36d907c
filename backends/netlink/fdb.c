/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bridge's forwarding database: which address is behind which port. */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/netlink/bridge.h"

struct fdb {
	struct weir_arena *arena;
	uint32_t bridge;
	struct entry {
		int port;
		struct weir_fdb_entry entry;
	} * items;
	size_t n;
};

static int take_entry(const struct nlmsghdr *message, void *ctx)
{
	struct fdb *fdb = ctx;
	struct nlattr *attrs[NDA_MAX + 1];
	struct ndmsg header;
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */

	if (!message) {
		fdb->n = 0;
		return 0;
	}
	if (message->nlmsg_type != RTM_NEWNEIGH ||
	    nlmsg_parse(from, sizeof(header), attrs, NDA_MAX, NULL) < 0)
		return 0;
	memcpy(&header, nlmsg_data(message), sizeof(header));
	/* without a master: a device's own multicast list; with a VLAN: a copy that no packet meets,
	 * since weir's bridges do not filter VLANs; index of the bridge: the host's own addresses */
	if (!attrs[NDA_LLADDR] || nla_len(attrs[NDA_LLADDR]) != 6 || !attrs[NDA_MASTER] ||
	    nla_get_u32(attrs[NDA_MASTER]) != fdb->bridge || attrs[NDA_VLAN] ||
	    header.ndm_ifindex == (int)fdb->bridge)
		return 0;
	struct entry *items = weir_arena_grow(fdb->arena, fdb->items, fdb->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	fdb->items = items;
	struct entry *entry = &items[fdb->n++];
	*entry = (struct entry){ .port = header.ndm_ifindex };
	memcpy(entry->entry.mac.bytes, nla_data(attrs[NDA_LLADDR]), 6);
	entry->entry.permanent = header.ndm_state & NUD_PERMANENT;
	return 0;
}

static int name_port(const struct weir_iface *iface, void *ctx)
{
	struct fdb *fdb = ctx;

	for (size_t i = 0; iface && i < fdb->n; i++)
		if (fdb->items[i].port == iface->index)
			memcpy(fdb->items[i].entry.ifname, iface->name, WEIR_IFNAME_SIZE);
	return 0;
}

/* Those whose port has a name; it has none when it left between the two questions. */
static int copy_named(const struct fdb *fdb, struct weir_arena *arena, struct weir_fdb_entry **ret,
		      size_t *ret_n, struct weir_err *err)
{
	struct weir_fdb_entry *entries = weir_arena_alloc(arena, (fdb->n + 1) * sizeof(*entries));
	size_t n = 0;

	if (!entries)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < fdb->n; i++)
		if (fdb->items[i].entry.ifname[0])
			entries[n++] = fdb->items[i].entry;
	*ret = entries;
	*ret_n = n;
	return 0;
}

int weir_bridge_fdb(struct weir_links *links, const struct weir_network *net,
		    struct weir_arena *arena, struct weir_fdb_entry **ret, size_t *ret_n,
		    struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena scratch = { 0 };
	struct fdb fdb = { .arena = &scratch };
	struct ndmsg header = { .ndm_family = AF_BRIDGE };
	struct weir_iface bridge;

	if (!weir_mode_traits(net->mode)->bridge) {
		*ret = NULL;
		*ret_n = 0;
		return 0;
	}
	int r = weir_iface_get(&links->host, net->ifname, &bridge, err);
	if (r < 0)
		return r;
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETNEIGH, NLM_F_DUMP, &header, sizeof(header));
	fdb.bridge = (uint32_t)bridge.index;
	weir_request_u32(&request, NDA_MASTER, fdb.bridge);
	r = weir_request_walk(&links->host, &request, take_entry, &fdb, err, "fdb list %s",
			      net->ifname);
	if (r == 0)
		r = weir_iface_walk(&links->host, NULL, fdb.bridge, name_port, &fdb, err);
	return r < 0 ? r : copy_named(&fdb, arena, ret, ret_n, err);
}
