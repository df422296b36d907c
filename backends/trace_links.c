/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Link calls in words; built as trace_firewall.c is. */
#include "backends/trace.h"

#include <errno.h>
#include <stdlib.h>

#include "backends/memory/memory.h"
#include "backends/netlink/netlink.h"

struct weir_links {
	const struct weir_link_ops *inner;
	struct weir_links *handle;
	const struct weir_trace *trace;
};

static int say_failure(const struct weir_trace *trace, const char *call, int r,
		       const struct weir_err *why, struct weir_err *err)
{
	if (err)
		*err = *why;
	weir_trace(trace, "< links %s: failed: %s", call, why->text);
	return r;
}

static int say_done(const struct weir_links *links, const char *call, int r,
		    const struct weir_err *why, struct weir_err *err)
{
	if (r < 0)
		return say_failure(links->trace, call, r, why, err);
	weir_trace(links->trace, "< links %s: done", call);
	return r;
}

/* Of ensure: the caller may not want to know whether anything changed, the reader does. */
static int say_changed(const struct weir_links *links, const char *call, int r, bool changed,
		       bool *ret_changed, const struct weir_err *why, struct weir_err *err)
{
	if (r < 0)
		return say_failure(links->trace, call, r, why, err);
	weir_trace(links->trace, "< links %s: %s", call, changed ? "changed" : "is so already");
	if (ret_changed)
		*ret_changed = changed;
	return r;
}

static int say_count(const struct weir_links *links, const char *call, int r, const size_t *n,
		     const struct weir_err *why, struct weir_err *err)
{
	if (r < 0)
		return say_failure(links->trace, call, r, why, err);
	weir_trace(links->trace, "< links %s: %zu", call, *n);
	return r;
}

/* ---- the handle ---- */

static int open_traced(const struct weir_link_ops *inner, const char *store,
		       const struct weir_trace *trace, struct weir_links **ret,
		       struct weir_err *err)
{
	struct weir_err why = { 0 };
	struct weir_links *links = calloc(1, sizeof(*links));

	if (!links)
		return weir_err_set(err, ENOMEM, "no memory for a links handle");
	weir_trace(trace, "> links open %s for store %s", inner->name, store);
	int r = inner->open(store, trace, &links->handle, &why);
	if (r < 0) {
		free(links);
		return say_failure(trace, "open", r, &why, err);
	}
	weir_trace(trace, "< links open: done");
	links->inner = inner;
	links->trace = trace;
	*ret = links;
	return 0;
}

static void traced_close(struct weir_links *links)
{
	if (!links)
		return;
	weir_trace(links->trace, "> links close");
	links->inner->close(links->handle);
	weir_trace(links->trace, "< links close: done");
	free(links);
}

static int traced_identity(struct weir_links *links, struct weir_netns_id *ret,
			   struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links identity");
	int r = links->inner->identity(links->handle, ret, &why);
	if (r < 0)
		return say_failure(links->trace, "identity", r, &why, err);
	weir_trace(links->trace, "< links identity: inode %ju of device %ju", (uintmax_t)ret->ino,
		   (uintmax_t)ret->dev);
	return r;
}

/* ---- networks ---- */

static int traced_network_ensure(struct weir_links *links, const struct weir_network *net,
				 bool *ret_changed, struct weir_err *err)
{
	struct weir_err why = { 0 };
	bool changed = false;

	weir_trace(links->trace, "> links network-ensure \"%s\" as %s", net->name, net->ifname);
	int r = links->inner->network_ensure(links->handle, net, &changed, &why);
	return say_changed(links, "network-ensure", r, changed, ret_changed, &why, err);
}

static int traced_network_up(struct weir_links *links, const struct weir_network *net,
			     struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links network-up \"%s\"", net->name);
	int r = links->inner->network_up(links->handle, net, &why);
	return say_done(links, "network-up", r, &why, err);
}

static int traced_network_check(struct weir_links *links, const struct weir_network *net,
				struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links network-check \"%s\"", net->name);
	int r = links->inner->network_check(links->handle, net, &why);
	return say_done(links, "network-check", r, &why, err);
}

/* ---- namespaces ---- */

static int traced_netns_ensure(struct weir_links *links, const struct weir_endpoint *ep,
			       struct weir_netns_id *ret_id, bool *ret_changed,
			       struct weir_err *err)
{
	struct weir_err why = { 0 };
	bool changed = false;

	weir_trace(links->trace, "> links netns-ensure \"%s\"%s%s", ep->name,
		   ep->netns == WEIR_NETNS_PATH ? " at " : "",
		   ep->netns == WEIR_NETNS_PATH ? ep->netns_path : "");
	int r = links->inner->netns_ensure(links->handle, ep, ret_id, &changed, &why);
	return say_changed(links, "netns-ensure", r, changed, ret_changed, &why, err);
}

static int traced_netns_taken(struct weir_links *links, const struct weir_endpoint *ep, bool *ret,
			      struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links netns-taken \"%s\"", ep->name);
	int r = links->inner->netns_taken(links->handle, ep, ret, &why);
	if (r < 0)
		return say_failure(links->trace, "netns-taken", r, &why, err);
	weir_trace(links->trace, "< links netns-taken: %s", *ret ? "yes" : "no");
	return r;
}

static int traced_netns_check(struct weir_links *links, const struct weir_endpoint *ep,
			      struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links netns-check \"%s\"", ep->name);
	int r = links->inner->netns_check(links->handle, ep, &why);
	return say_done(links, "netns-check", r, &why, err);
}

static int traced_names_ensure(struct weir_links *links, const struct weir_endpoint *ep,
			       bool *ret_changed, struct weir_err *err)
{
	struct weir_err why = { 0 };
	bool changed = false;

	weir_trace(links->trace, "> links names-ensure \"%s\"", ep->name);
	int r = links->inner->names_ensure(links->handle, ep, &changed, &why);
	return say_changed(links, "names-ensure", r, changed, ret_changed, &why, err);
}

static int traced_hosts_list(struct weir_links *links, struct weir_arena *arena,
			     const char ***ret_networks, size_t *ret_n, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links hosts-list");
	int r = links->inner->hosts_list(links->handle, arena, ret_networks, ret_n, &why);
	return say_count(links, "hosts-list", r, ret_n, &why, err);
}

static int traced_hosts_read(struct weir_links *links, const char *networks,
			     struct weir_arena *arena, const char **ret_text, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links hosts-read \"%s\"", networks);
	int r = links->inner->hosts_read(links->handle, networks, arena, ret_text, &why);
	return say_done(links, "hosts-read", r, &why, err);
}

static int traced_hosts_write(struct weir_links *links, const char *networks, const char *text,
			      struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links hosts-write \"%s\"%s", networks, text ? "" : " (none)");
	int r = links->inner->hosts_write(links->handle, networks, text, &why);
	return say_done(links, "hosts-write", r, &why, err);
}

static int traced_netns_remove(struct weir_links *links, const struct weir_endpoint *ep,
			       struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links netns-remove \"%s\"", ep->name);
	int r = links->inner->netns_remove(links->handle, ep, &why);
	return say_done(links, "netns-remove", r, &why, err);
}

/* ---- attachments ---- */

static void say_attachment(const struct weir_links *links, const char *call,
			   const struct weir_endpoint *ep, const struct weir_attachment *att)
{
	char v4[WEIR_ADDR_TEXT], v6[WEIR_ADDR_TEXT], mac[WEIR_MAC_TEXT];

	weir_trace(links->trace, "> links %s \"%s\" in \"%s\": %s inside %s, mac %s, %s %s", call,
		   ep->name, att->network, att->host_ifname, att->ifname,
		   weir_mac_text(&att->mac, mac), weir_addr_text(&att->addrs[WEIR_IPV4], v4),
		   weir_addr_text(&att->addrs[WEIR_IPV6], v6));
}

static int traced_attach_ensure(struct weir_links *links, const struct weir_network *net,
				const struct weir_endpoint *ep, const struct weir_attachment *att,
				bool *ret_changed, struct weir_err *err)
{
	struct weir_err why = { 0 };
	bool changed = false;

	say_attachment(links, "attach-ensure", ep, att);
	int r = links->inner->attach_ensure(links->handle, net, ep, att, &changed, &why);
	return say_changed(links, "attach-ensure", r, changed, ret_changed, &why, err);
}

static int traced_attach_up(struct weir_links *links, const struct weir_model *model,
			    const struct weir_endpoint *ep, const struct weir_attachment *att,
			    struct weir_err *err)
{
	struct weir_err why = { 0 };

	say_attachment(links, "attach-up", ep, att);
	int r = links->inner->attach_up(links->handle, model, ep, att, &why);
	return say_done(links, "attach-up", r, &why, err);
}

static int traced_attach_check(struct weir_links *links, const struct weir_model *model,
			       const struct weir_endpoint *ep, const struct weir_attachment *att,
			       struct weir_err *err)
{
	struct weir_err why = { 0 };

	say_attachment(links, "attach-check", ep, att);
	int r = links->inner->attach_check(links->handle, model, ep, att, &why);
	return say_done(links, "attach-check", r, &why, err);
}

static int traced_wire_remove(struct weir_links *links, const struct weir_endpoint *ep,
			      const struct weir_attachment *att, struct weir_err *err)
{
	struct weir_err why = { 0 };

	say_attachment(links, "wire-remove", ep, att);
	int r = links->inner->wire_remove(links->handle, ep, att, &why);
	return say_done(links, "wire-remove", r, &why, err);
}

static int traced_remove(struct weir_links *links, const char *const *ifnames, size_t n,
			 bool *ret_strangers, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links remove");
	for (size_t i = 0; links->trace && i < n; i++)
		weir_trace(links->trace, "- %s", ifnames[i]);
	int r = links->inner->remove(links->handle, ifnames, n, ret_strangers, &why);
	return say_done(links, "remove", r, &why, err);
}

/* ---- lists ---- */

static int traced_list(struct weir_links *links, struct weir_arena *arena,
		       struct weir_link_info **ret, size_t *ret_n, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links list");
	int r = links->inner->list(links->handle, arena, ret, ret_n, &why);
	for (size_t i = 0; r == 0 && links->trace && i < *ret_n; i++)
		weir_trace(links->trace, "= %s, store %s, network \"%s\", endpoint \"%s\"",
			   (*ret)[i].ifname, (*ret)[i].store, (*ret)[i].network,
			   (*ret)[i].endpoint);
	return say_count(links, "list", r, ret_n, &why, err);
}

static int traced_routes(struct weir_links *links, struct weir_arena *arena,
			 struct weir_host_route **ret, size_t *ret_n, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links routes");
	int r = links->inner->routes(links->handle, arena, ret, ret_n, &why);
	return say_count(links, "routes", r, ret_n, &why, err);
}

static int traced_addresses(struct weir_links *links, const char *ifname, struct weir_arena *arena,
			    struct weir_addr **ret, size_t *ret_n, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links addresses of %s", ifname);
	int r = links->inner->addresses(links->handle, ifname, arena, ret, ret_n, &why);
	return say_count(links, "addresses", r, ret_n, &why, err);
}

static int traced_owns(struct weir_links *links, const struct weir_addr *addr, bool *ret,
		       struct weir_err *err)
{
	struct weir_err why = { 0 };
	char text[WEIR_ADDR_TEXT];

	weir_trace(links->trace, "> links owns %s", weir_addr_text(addr, text));
	int r = links->inner->owns(links->handle, addr, ret, &why);
	if (r < 0)
		return say_failure(links->trace, "owns", r, &why, err);
	weir_trace(links->trace, "< links owns: %s", *ret ? "yes" : "no");
	return r;
}

static int traced_uplinks(struct weir_links *links, struct weir_arena *arena,
			  char (**ret)[WEIR_IFNAME_SIZE], size_t *ret_n, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links uplinks");
	int r = links->inner->uplinks(links->handle, arena, ret, ret_n, &why);
	return say_count(links, "uplinks", r, ret_n, &why, err);
}

static int traced_sockets(struct weir_links *links, struct weir_arena *arena,
			  struct weir_host_socket **ret, size_t *ret_n, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links sockets");
	int r = links->inner->sockets(links->handle, arena, ret, ret_n, &why);
	return say_count(links, "sockets", r, ret_n, &why, err);
}

static void traced_socket_owner(struct weir_links *links, uint32_t inode, char *buf, size_t size)
{
	weir_trace(links->trace, "> links socket-owner of inode %u", inode);
	links->inner->socket_owner(links->handle, inode, buf, size);
	weir_trace(links->trace, "< links socket-owner: %s", buf);
}

static int traced_port_range(struct weir_links *links, struct weir_ports *ret, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links port-range");
	int r = links->inner->port_range(links->handle, ret, &why);
	if (r < 0)
		return say_failure(links->trace, "port-range", r, &why, err);
	weir_trace(links->trace, "< links port-range: %u-%u", ret->lo, ret->hi);
	return r;
}

static int traced_fdb(struct weir_links *links, const struct weir_network *net,
		      struct weir_arena *arena, struct weir_fdb_entry **ret, size_t *ret_n,
		      struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links fdb \"%s\"", net->name);
	int r = links->inner->fdb(links->handle, net, arena, ret, ret_n, &why);
	return say_count(links, "fdb", r, ret_n, &why, err);
}

static int traced_neighbours(struct weir_links *links, const struct weir_network *net,
			     struct weir_arena *arena, struct weir_neighbour **ret, size_t *ret_n,
			     struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links neighbours \"%s\"", net->name);
	int r = links->inner->neighbours(links->handle, net, arena, ret, ret_n, &why);
	return say_count(links, "neighbours", r, ret_n, &why, err);
}

static int traced_port_drops(struct weir_links *links, const struct weir_attachment *att,
			     uint64_t *ret, struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links port-drops %s", att->host_ifname);
	int r = links->inner->port_drops(links->handle, att, ret, &why);
	return say_done(links, "port-drops", r, &why, err);
}

/* ---- sysctls ---- */

static int traced_sysctl_get(struct weir_links *links, const char *key, long *ret,
			     struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links sysctl-get %s", key);
	int r = links->inner->sysctl_get(links->handle, key, ret, &why);
	if (r < 0)
		return say_failure(links->trace, "sysctl-get", r, &why, err);
	weir_trace(links->trace, "< links sysctl-get: %ld", *ret);
	return r;
}

static int traced_sysctl_set(struct weir_links *links, const char *key, long value,
			     struct weir_err *err)
{
	struct weir_err why = { 0 };

	weir_trace(links->trace, "> links sysctl-set %s %ld", key, value);
	int r = links->inner->sysctl_set(links->handle, key, value, &why);
	return say_done(links, "sysctl-set", r, &why, err);
}

/* ---- the tables ---- */

static int open_netlink(const char *store, const struct weir_trace *trace, struct weir_links **ret,
			struct weir_err *err)
{
	return open_traced(&weir_netlink, store, trace, ret, err);
}

static int open_memory(const char *store, const struct weir_trace *trace, struct weir_links **ret,
		       struct weir_err *err)
{
	return open_traced(&weir_memory_links, store, trace, ret, err);
}

static const struct {
	const struct weir_link_ops *inner;
	int (*open)(const char *store, const struct weir_trace *trace, struct weir_links **ret,
		    struct weir_err *err);
} opens[] = {
	{ &weir_netlink, open_netlink },
	{ &weir_memory_links, open_memory },
};

struct weir_link_ops weir_trace_links(const struct weir_link_ops *inner)
{
	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++)
		if (opens[i].inner == inner)
			return (struct weir_link_ops){
				.name = inner->name,
				.open = opens[i].open,
				.close = traced_close,
				.identity = traced_identity,
				.network_ensure = traced_network_ensure,
				.network_up = traced_network_up,
				.network_check = traced_network_check,
				.netns_ensure = traced_netns_ensure,
				.netns_taken = traced_netns_taken,
				.netns_check = traced_netns_check,
				.netns_remove = traced_netns_remove,
				.names_ensure = traced_names_ensure,
				.hosts_list = traced_hosts_list,
				.hosts_read = traced_hosts_read,
				.hosts_write = traced_hosts_write,
				.attach_ensure = traced_attach_ensure,
				.attach_up = traced_attach_up,
				.attach_check = traced_attach_check,
				.wire_remove = traced_wire_remove,
				.remove = traced_remove,
				.list = traced_list,
				.routes = traced_routes,
				.addresses = traced_addresses,
				.owns = traced_owns,
				.uplinks = traced_uplinks,
				.sockets = traced_sockets,
				.socket_owner = traced_socket_owner,
				.port_range = traced_port_range,
				.fdb = traced_fdb,
				.neighbours = traced_neighbours,
				.port_drops = traced_port_drops,
				.sysctl_get = traced_sysctl_get,
				.sysctl_set = traced_sysctl_set,
			};
	return *inner;
}
