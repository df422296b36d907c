/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link contract in memory.
 *
 * How it works: an interface is known by what it is set up as, in words ("mtu 1500 at 10.88.1.1/24").
 * `ensure` writes these words anew from the model and compares; `check` only compares, so that its
 * message can show both. A p2p pair waits in the host's namespace while it has one end, and leaves it
 * when the second comes. Like links, namespaces (memory_netns.c) die with what is in them. */
#include "backends/memory/memory_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int copy_out(struct weir_arena *arena, const void *items, size_t n, size_t size, void *ret,
		    size_t *ret_n, struct weir_err *err)
{
	void *copy = weir_arena_alloc(arena, n * size + 1);
	if (!copy)
		return weir_err_set(err, ENOMEM, "no memory for a list of %zu", n);
	if (n)
		memcpy(copy, items, n * size);
	memcpy(ret, &copy, sizeof(copy));
	*ret_n = n;
	return 0;
}

/* ---- the handle ---- */

static int links_open(const char *store, const struct weir_trace *trace, struct weir_links **ret,
		      struct weir_err *err)
{
	int r = weir_memory_step("opening links", err);
	if (r < 0)
		return r;
	struct weir_links *links = weir_memory_host() ? calloc(1, sizeof(*links)) : NULL;
	if (!links)
		return weir_err_set(err, ENOMEM, "no memory for a links handle");
	(void)trace; /* there are no messages to say */
	(void)snprintf(links->store, sizeof(links->store), "%s", store);
	*ret = links;
	return 0;
}

static void links_close(struct weir_links *links)
{
	free(links);
}

static int links_identity(struct weir_links *links, struct weir_netns_id *ret, struct weir_err *err)
{
	(void)links;
	int r = weir_memory_step("identifying the namespace", err);
	if (r == 0)
		*ret = weir_memory_host_id();
	return r;
}

/* ---- networks ---- */

static bool is_ours(const struct weir_links *links, const struct weir_memory_link *link)
{
	return strcmp(link->info.store, links->store) == 0;
}

static int refuse_foreign(const struct weir_links *links, const struct weir_memory_link *link,
			  const char *alias, struct weir_err *err)
{
	if (is_ours(links, link) && strcmp(link->alias, alias) == 0)
		return 0;
	return weir_err_set(err, EEXIST, "interface %s is there and belongs to %s", link->ifname,
			    link->alias[0] ? link->alias : "somebody else");
}

static struct weir_memory_link *make_ours(const struct weir_links *links, const char *ifname,
					  const char *endpoint, const char *network,
					  const char *alias)
{
	struct weir_memory_link *link = weir_memory_make_link(ifname);
	if (!link)
		return NULL;
	(void)snprintf(link->alias, sizeof(link->alias), "%s", alias);
	(void)snprintf(link->info.store, sizeof(link->info.store), "%s", links->store);
	(void)snprintf(link->info.endpoint, sizeof(link->info.endpoint), "%s", endpoint);
	(void)snprintf(link->info.network, sizeof(link->info.network), "%s", network);
	return link;
}

/* Writes the set-up; true when it was another. */
static bool set_up(struct weir_memory_link *link, const char setup[WEIR_MEMORY_SETUP])
{
	bool differs = strcmp(link->setup, setup) != 0;
	(void)snprintf(link->setup, sizeof(link->setup), "%s", setup);
	return differs;
}

static int network_ensure(struct weir_links *links, const struct weir_network *net,
			  bool *ret_changed, struct weir_err *err)
{
	char alias[WEIR_MEMORY_ALIAS], setup[WEIR_MEMORY_SETUP];
	bool changed = false;

	int r = weir_memory_step("making a bridge", err);
	if (r < 0)
		return r;
	if (weir_mode_traits(net->mode)->device && !net->adopt) {
		(void)snprintf(alias, sizeof(alias), "weir %s network %s", links->store, net->name);
		struct weir_memory_link *link = weir_memory_find_link(net->ifname);
		if (link && (r = refuse_foreign(links, link, alias, err)) < 0)
			return r;
		if (!link && !(link = make_ours(links, net->ifname, "", net->name, alias)))
			return weir_err_set(err, ENOMEM, "no memory for a bridge");
		weir_memory_describe_bridge(net, setup);
		changed = set_up(link, setup);
		link->mac = net->mac;
	}
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

static int network_up(struct weir_links *links, const struct weir_network *net,
		      struct weir_err *err)
{
	(void)links;
	int r = weir_memory_step("setting a bridge up", err);
	if (r < 0 || !weir_mode_traits(net->mode)->device || net->adopt)
		return r;
	struct weir_memory_link *link = weir_memory_find_link(net->ifname);
	if (!link)
		return weir_err_set(err, ENODEV, "no interface named %s", net->ifname);
	link->info.up = true;
	return 0;
}

static int network_check(struct weir_links *links, const struct weir_network *net,
			 struct weir_err *err)
{
	char setup[WEIR_MEMORY_SETUP];

	int r = weir_memory_step("checking a bridge", err);
	if (r < 0 || !weir_mode_traits(net->mode)->device || net->adopt)
		return r;
	const struct weir_memory_link *link = weir_memory_find_link(net->ifname);
	if (!link || !is_ours(links, link))
		return weir_err_set(err, ESTALE, "bridge %s is gone", net->ifname);
	weir_memory_describe_bridge(net, setup);
	if (strcmp(link->setup, setup) != 0)
		return weir_err_set(err, ESTALE, "bridge %s is \"%s\", not \"%s\"", net->ifname,
				    link->setup, setup);
	if (!link->info.up)
		return weir_err_set(err, ESTALE, "bridge %s is down", net->ifname);
	return 0;
}

/* ---- attachments ---- */

/* The second end of a pair takes the first out of the host's namespace. */
static void complete_pair(struct weir_memory_link *second)
{
	struct weir_memory_host *host = weir_memory_host();

	for (size_t i = 0; i < host->n_links; i++) {
		struct weir_memory_link *first = &host->links[i];
		if (first == second || !first->netns || first->hidden ||
		    strcmp(first->info.network, second->info.network) != 0)
			continue;
		first->hidden = second->hidden = true;
		first->info.up = second->info.up = true;
	}
}

static int make_attachment(struct weir_links *links, const struct weir_network *net,
			   const struct weir_endpoint *ep, const struct weir_attachment *att,
			   struct weir_memory_link **ret, struct weir_err *err)
{
	char alias[WEIR_MEMORY_ALIAS];
	struct weir_memory_netns *netns = NULL;
	int r = weir_memory_enter_netns(ep, &netns, err);

	if (r < 0)
		return r;
	if (weir_mode_traits(net->mode)->device && !weir_memory_find_link(net->ifname))
		return weir_err_set(err, ENODEV, "no bridge named %s", net->ifname);
	(void)snprintf(alias, sizeof(alias), "weir %s endpoint %s network %s", links->store,
		       ep->name, net->name);
	struct weir_memory_link *link = weir_memory_find_link(att->host_ifname);
	if (link)
		return weir_err_set(err, EEXIST, "interface %s is there and belongs to %s",
				    link->ifname, link->alias[0] ? link->alias : "somebody else");
	link = make_ours(links, att->host_ifname, ep->name, net->name, alias);
	if (!link)
		return weir_err_set(err, ENOMEM, "no memory for an interface");
	link->netns = netns->id.ino;
	link->hidden = weir_mode_traits(net->mode)->parent;
	if (weir_mode_traits(net->mode)->wire)
		complete_pair(link);
	*ret = link;
	return 0;
}

static int attach_ensure(struct weir_links *links, const struct weir_network *net,
			 const struct weir_endpoint *ep, const struct weir_attachment *att,
			 bool *ret_changed, struct weir_err *err)
{
	char setup[WEIR_MEMORY_SETUP];
	struct weir_memory_link *link = weir_memory_find_attachment(ep->name, net->name);
	struct weir_memory_netns *netns = NULL;

	int r = weir_memory_step("making an interface", err);
	if (r == 0)
		r = weir_memory_enter_netns(ep, &netns, err);
	if (r == 0 && !link)
		r = make_attachment(links, net, ep, att, &link, err);
	if (r < 0)
		return r;
	weir_memory_describe_attachment(net, att, setup);
	bool changed = set_up(link, setup);
	link->mac = att->mac;
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

static int attach_up(struct weir_links *links, const struct weir_model *model,
		     const struct weir_endpoint *ep, const struct weir_attachment *att,
		     struct weir_err *err)
{
	(void)links;
	struct weir_memory_netns *netns = NULL;
	int r = weir_memory_step("setting an interface up", err);
	if (r == 0)
		r = weir_memory_enter_netns(ep, &netns, err);
	if (r < 0)
		return r;
	struct weir_memory_link *link = weir_memory_find_attachment(ep->name, att->network);
	if (!link)
		return weir_err_set(err, ENODEV, "endpoint \"%s\" has no interface in \"%s\"",
				    ep->name, att->network);
	const struct weir_network *net = weir_model_network(model, att->network);
	link->info.up = link->hidden || !net || weir_mode_traits(net->mode)->host;
	weir_memory_describe_routes(model, ep, att, link->routes);
	return 0;
}

static int attach_check(struct weir_links *links, const struct weir_model *model,
			const struct weir_endpoint *ep, const struct weir_attachment *att,
			struct weir_err *err)
{
	char setup[WEIR_MEMORY_SETUP], routes[WEIR_MEMORY_SETUP];
	const struct weir_memory_link *link = weir_memory_find_attachment(ep->name, att->network);
	const struct weir_network *net = weir_model_network(model, att->network);

	int r = weir_memory_step("checking an interface", err);
	if (r < 0)
		return r;
	if (!link || !net || !is_ours(links, link))
		return weir_err_set(err, ESTALE, "endpoint \"%s\" has lost its interface in \"%s\"",
				    ep->name, att->network);
	weir_memory_describe_attachment(net, att, setup);
	weir_memory_describe_routes(model, ep, att, routes);
	if (strcmp(link->setup, setup) != 0)
		return weir_err_set(err, ESTALE, "interface %s is \"%s\", not \"%s\"", link->ifname,
				    link->setup, setup);
	if (strcmp(link->routes, routes) != 0)
		return weir_err_set(err, ESTALE, "endpoint \"%s\" routes \"%s\", not \"%s\"",
				    ep->name, link->routes, routes);
	if (!link->info.up && weir_mode_traits(net->mode)->host)
		return weir_err_set(err, ESTALE, "interface %s is down", link->ifname);
	return 0;
}

static int wire_remove(struct weir_links *links, const struct weir_endpoint *ep,
		       const struct weir_attachment *att, struct weir_err *err)
{
	struct weir_memory_netns *netns = NULL;

	int r = weir_memory_step("removing a wire", err);
	if (r < 0 || weir_memory_enter_netns(ep, &netns, NULL) < 0)
		return r; /* the wire went with the namespace */
	const struct weir_memory_link *link = weir_memory_find_attachment(ep->name, att->network);
	if (link && is_ours(links, link))
		weir_memory_remove_link(link);
	return 0;
}

static int links_remove(struct weir_links *links, const char *const *ifnames, size_t n,
			bool *ret_strangers, struct weir_err *err)
{
	int r = weir_memory_step("removing interfaces", err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct weir_memory_link *link = weir_memory_find_link(ifnames[i]);
		bool stays = link && !is_ours(links, link);
		if (!stays)
			(void)weir_memory_drop_link(ifnames[i]); /* absent is fine */
		else if (ret_strangers)
			ret_strangers[i] = true;
	}
	return r;
}

/* ---- lists ---- */

static int links_list(struct weir_links *links, struct weir_arena *arena,
		      struct weir_link_info **ret, size_t *ret_n, struct weir_err *err)
{
	const struct weir_memory_host *host = weir_memory_host();
	(void)links;
	int r = weir_memory_step("listing interfaces", err);
	if (r < 0)
		return r;
	size_t n = 0;
	struct weir_link_info *infos =
		weir_arena_alloc(arena, (host->n_links + 1) * sizeof(*infos));
	if (!infos)
		return weir_err_set(err, ENOMEM, "no memory for a list of interfaces");
	for (size_t i = 0; i < host->n_links; i++)
		if (host->links[i].alias[0] && !host->links[i].hidden)
			infos[n++] = host->links[i].info;
	*ret = infos;
	*ret_n = n;
	return 0;
}

static int links_fdb(struct weir_links *links, const struct weir_network *net,
		     struct weir_arena *arena, struct weir_fdb_entry **ret, size_t *ret_n,
		     struct weir_err *err)
{
	const struct weir_memory_host *host = weir_memory_host();
	(void)links;
	int r = weir_memory_step("listing the forwarding database", err);
	if (r < 0)
		return r;
	size_t n = 0;
	struct weir_fdb_entry *entries =
		weir_arena_alloc(arena, (host->n_links + 1) * sizeof(*entries));
	if (!entries)
		return weir_err_set(err, ENOMEM, "no memory for the forwarding database");
	for (size_t i = 0; i < host->n_links; i++) {
		const struct weir_memory_link *link = &host->links[i];
		if (!link->netns || link->hidden || strcmp(link->info.network, net->name) != 0)
			continue;
		entries[n].mac = link->mac;
		memcpy(entries[n++].ifname, link->ifname, sizeof(link->ifname));
	}
	*ret = entries;
	*ret_n = n;
	return 0;
}

/* Nobody sends packets here, so nobody is known. */
static int links_neighbours(struct weir_links *links, const struct weir_network *net,
			    struct weir_arena *arena, struct weir_neighbour **ret, size_t *ret_n,
			    struct weir_err *err)
{
	(void)links;
	(void)net;
	(void)arena;
	int r = weir_memory_step("listing neighbours", err);
	if (r < 0)
		return r;
	*ret = NULL;
	*ret_n = 0;
	return 0;
}

static int links_port_drops(struct weir_links *links, const struct weir_attachment *att,
			    uint64_t *ret, struct weir_err *err)
{
	(void)links;
	(void)att;
	int r = weir_memory_step("reading a port's counters", err);
	if (r == 0)
		*ret = 0;
	return r;
}

static int links_routes(struct weir_links *links, struct weir_arena *arena,
			struct weir_host_route **ret, size_t *ret_n, struct weir_err *err)
{
	const struct weir_memory_host *host = weir_memory_host();
	(void)links;
	int r = weir_memory_step("listing routes", err);
	return r < 0 ? r
		     : copy_out(arena, host->routes, host->n_routes, sizeof(host->routes[0]), ret,
				ret_n, err);
}

static int links_addresses(struct weir_links *links, const char *ifname, struct weir_arena *arena,
			   struct weir_addr **ret, size_t *ret_n, struct weir_err *err)
{
	int r = weir_memory_step("listing addresses", err);

	(void)links;
	(void)ifname;
	(void)arena;
	if (r == 0) {
		*ret = NULL; /* this host has none of its own */
		*ret_n = 0;
	}
	return r;
}

static int links_owns(struct weir_links *links, const struct weir_addr *addr, bool *ret,
		      struct weir_err *err)
{
	int r = weir_memory_step("looking for an address", err);

	(void)links;
	(void)addr;
	if (r == 0)
		*ret = true; /* whatever somebody asks for */
	return r;
}

static int links_uplinks(struct weir_links *links, struct weir_arena *arena,
			 char (**ret)[WEIR_IFNAME_SIZE], size_t *ret_n, struct weir_err *err)
{
	const struct weir_memory_host *host = weir_memory_host();
	(void)links;
	int r = weir_memory_step("listing uplinks", err);
	return r < 0 ? r
		     : copy_out(arena, host->uplinks, host->n_uplinks, sizeof(host->uplinks[0]),
				ret, ret_n, err);
}

static int links_sockets(struct weir_links *links, struct weir_arena *arena,
			 struct weir_host_socket **ret, size_t *ret_n, struct weir_err *err)
{
	const struct weir_memory_host *host = weir_memory_host();
	(void)links;
	int r = weir_memory_step("listing sockets", err);
	return r < 0 ? r
		     : copy_out(arena, host->sockets, host->n_sockets, sizeof(host->sockets[0]),
				ret, ret_n, err);
}

/* No process lives in memory. */
static void socket_owner(struct weir_links *links, uint32_t inode, char *buf, size_t size)
{
	(void)links;
	(void)snprintf(buf, size, "process of socket %u", inode);
}

static int links_port_range(struct weir_links *links, struct weir_ports *ret, struct weir_err *err)
{
	(void)links;
	int r = weir_memory_step("reading the range of free ports", err);
	if (r == 0)
		*ret = (struct weir_ports){ 32768, 60999 }; /* Linux's default */
	return r;
}

/* ---- sysctls ---- */

static int sysctl_get(struct weir_links *links, const char *key, long *ret, struct weir_err *err)
{
	(void)links;
	int r = weir_memory_step("reading a sysctl", err);
	const struct weir_memory_sysctl *sysctl = weir_memory_find_sysctl(key);
	if (r == 0 && !sysctl)
		return weir_err_set(err, ENOENT, "this kernel has no %s", key);
	if (r == 0)
		*ret = sysctl->value;
	return r;
}

static int sysctl_set(struct weir_links *links, const char *key, long value, struct weir_err *err)
{
	(void)links;
	int r = weir_memory_step("setting a sysctl", err);
	struct weir_memory_sysctl *sysctl = weir_memory_find_sysctl(key);
	if (r == 0 && !sysctl)
		return weir_err_set(err, ENOENT, "this kernel has no %s", key);
	if (r == 0)
		sysctl->value = value;
	return r;
}

const struct weir_link_ops weir_memory_links = {
	.name = "memory",
	.open = links_open,
	.close = links_close,
	.identity = links_identity,
	.network_ensure = network_ensure,
	.network_up = network_up,
	.netns_ensure = weir_memory_netns_ensure,
	.netns_taken = weir_memory_netns_taken,
	.netns_check = weir_memory_netns_check,
	.netns_remove = weir_memory_netns_remove,
	.attach_ensure = attach_ensure,
	.attach_up = attach_up,
	.wire_remove = wire_remove,
	.names_ensure = weir_memory_names_ensure,
	.hosts_list = weir_memory_hosts_list,
	.hosts_read = weir_memory_hosts_read,
	.hosts_write = weir_memory_hosts_write,
	.remove = links_remove,
	.list = links_list,
	.attach_check = attach_check,
	.network_check = network_check,
	.routes = links_routes,
	.addresses = links_addresses,
	.owns = links_owns,
	.uplinks = links_uplinks,
	.sockets = links_sockets,
	.socket_owner = socket_owner,
	.port_range = links_port_range,
	.fdb = links_fdb,
	.neighbours = links_neighbours,
	.port_drops = links_port_drops,
	.sysctl_get = sysctl_get,
	.sysctl_set = sysctl_set,
};
