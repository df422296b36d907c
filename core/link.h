/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link contract: namespaces, interfaces, addresses, routes and the sysctls that go with them.
 *
 * Everything a backend makes is recognisable: interface alias "weir <store> network <name>" or
 * "weir <store> endpoint <name> network <name>", interface group WEIR_LINK_GROUP. Interfaces with
 * another alias are never touched; one that stands where ours should be is -EEXIST, by name.
 *
 * Calls act in the network namespace in which the handle was opened. `ensure` means: make it when
 * absent, mend it when it differs, do nothing when it is so; ret_changed (may be NULL) tells. */
#ifndef WEIR_CORE_LINK_H
#define WEIR_CORE_LINK_H

#include "core/model.h"
#include "core/trace.h"

enum { WEIR_LINK_GROUP = 0x77656972 }; /* "weir" in ASCII */

struct weir_links;

/* An interface of weir's in the host's namespace. */
struct weir_link_info {
	char ifname[WEIR_IFNAME_SIZE];
	char store[40];			  /* UUID in the alias */
	char endpoint[WEIR_NAME_MAX + 1]; /* empty for a network's bridge */
	char network[WEIR_NAME_MAX + 1];  /* empty for what stands for a routed network */
	bool up;
};

struct weir_host_route {
	struct weir_prefix to;
	char ifname[WEIR_IFNAME_SIZE];
};

/* A socket bound on the host: one that listens (TCP) or is bound (UDP). */
struct weir_host_socket {
	enum weir_proto proto;
	struct weir_addr addr; /* any: weir_addr_is_any */
	uint16_t port;
	uint32_t inode; /* for naming the process */
	bool v6only;	/* with addr ::, IPv4 is not bound */
};

/* One entry of a bridge's forwarding database. */
struct weir_fdb_entry {
	struct weir_mac mac;
	char ifname[WEIR_IFNAME_SIZE]; /* the port */
	bool permanent;		       /* the port's own address */
};

/* Whom the host knows behind a network's bridge (its ARP and neighbour caches). */
struct weir_neighbour {
	struct weir_addr addr;
	struct weir_mac mac; /* none: asked for, not answered */
	bool stale;	     /* not confirmed lately */
};

struct weir_link_ops {
	const char *name; /* "netlink" */

	int (*open)(const char *store, const struct weir_trace *trace, struct weir_links **ret,
		    struct weir_err *err);
	void (*close)(struct weir_links *links);

	/* The namespace that the handle works in: who owns the store. */
	int (*identity)(struct weir_links *links, struct weir_netns_id *ret, struct weir_err *err);

	/* The network's bridge, with addresses, MTU, MAC, STP off, forward delay 0, host end settings; an
	 * adopted one is only looked at; or the VLAN's interface on its parent; routed: routes that refuse what
	 * no endpoint has, which stand for an interface of the name net->ifname. Left down when made.
	 * Nothing to make for p2p, macvlan and ipvlan. -EEXIST: a foreign interface has the name;
	 * -ENOENT: no such parent, or nothing to adopt; -EOPNOTSUPP: the kernel has no such interfaces. */
	int (*network_ensure)(struct weir_links *links, const struct weir_network *net,
			      bool *ret_changed, struct weir_err *err);
	int (*network_up)(struct weir_links *links, const struct weir_network *net,
			  struct weir_err *err);

	/* The endpoint's namespace: made under /run/netns (own), or found and identified (path). Loopback
	 * up, forwarding set as ep->forward: of a found one when its attachments come up. Fills ret_id.
	 * -ENOENT: not there; -EEXIST: a foreign namespace has the name; -ESTALE: another namespace than
	 * ep->netns_id (when that is set). */
	int (*netns_ensure)(struct weir_links *links, const struct weir_endpoint *ep,
			    struct weir_netns_id *ret_id, bool *ret_changed, struct weir_err *err);
	/* Is there something under the name of an own namespace? */
	int (*netns_taken)(struct weir_links *links, const struct weir_endpoint *ep, bool *ret,
			   struct weir_err *err);
	/* 0: the endpoint's namespace is there, loopback up, forwarding and names as they should be.
	 * -ESTALE with what differs; -ENOENT: a foreign one is gone, or is another one now. */
	int (*netns_check)(struct weir_links *links, const struct weir_endpoint *ep,
			   struct weir_err *err);
	/* Removes an own namespace; absent is fine; a foreign one stays: it has another id, or where
	 * ep->netns_id is not set, not the mark that every namespace of weir's is made with. One at
	 * ep->netns_path forwards no more than it did before ep->forward. */
	int (*netns_remove)(struct weir_links *links, const struct weir_endpoint *ep,
			    struct weir_err *err);

	/* One attachment: veth whose far end is born in the namespace, addresses, MTU, MAC, IPv6 off where
	 * unused. The host's end is left down when made, enslaved, its port flags set (isolated, hairpin), its
	 * spoof guard in force. -EPERM, -EOPNOTSUPP, …: this host takes no guard (what to do is in err).
	 * -EEXIST also: a namespace that was found has a route where weir's is to be.
	 * routed: without a master, with the network's gateway addresses.
	 * p2p: `peer` is the other attachment of the network, or NULL: the near end then waits, parked
	 * and down, in the host's namespace. */
	int (*attach_ensure)(struct weir_links *links, const struct weir_network *net,
			     const struct weir_endpoint *ep, const struct weir_attachment *att,
			     bool *ret_changed, struct weir_err *err);
	/* The settings of a namespace that was found; host end up, routed: with the host's routes to the
	 * endpoint; then the endpoint's routes (default route, extra ones that lie in the attachment),
	 * neighbours told (gratuitous ARP, unsolicited neighbour advertisement). Idempotent. model holds
	 * the endpoint's networks: routes are chosen by weir_endpoint_default(). */
	int (*attach_up)(struct weir_links *links, const struct weir_model *model,
			 const struct weir_endpoint *ep, const struct weir_attachment *att,
			 struct weir_err *err);

	/* Takes an attachment out of its namespace, in modes where no interface of the host's leads there;
	 * the other end of a wire goes with it; whatever it is named by now. Absent is fine. */
	int (*wire_remove)(struct weir_links *links, const struct weir_endpoint *ep,
			   const struct weir_attachment *att, struct weir_err *err);
	/* /etc/netns/<endpoint>/resolv.conf and hosts of an own namespace, where `ip netns exec` and
	 * `weir exec` find them; netns_remove takes them away. hosts is the file that hosts_write() has for
	 * weir_endpoint_networks(); without networks there is none. Where the host's own resolvers are on its loopback, out of reach from
	 * inside, and the endpoint has none of its own, resolv.conf names those that they ask. */
	int (*names_ensure)(struct weir_links *links, const struct weir_endpoint *ep,
			    bool *ret_changed, struct weir_err *err);

	/* Hosts files, each known by the networks of the endpoints that read it (weir_endpoint_networks());
	 * the store's own only. The list is grown by weir_arena_grow(). read: NULL when absent. write: NULL
	 * removes. A file keeps its inode, so that namespaces in use see what changes. */
	int (*hosts_list)(struct weir_links *links, struct weir_arena *arena,
			  const char ***ret_networks, size_t *ret_n, struct weir_err *err);
	int (*hosts_read)(struct weir_links *links, const char *networks, struct weir_arena *arena,
			  const char **ret_text, struct weir_err *err);
	int (*hosts_write)(struct weir_links *links, const char *networks, const char *text,
			   struct weir_err *err);

	/* Removes interfaces of the host's namespace by name, all in one go (the kernel's wait for RCU is
	 * paid once). Absent is fine; one that is not weir's stays, and is true in ret_strangers (n of them, or
	 * NULL). One in weir's group whose alias is nobody's is weir's: the store knows its name. */
	int (*remove)(struct weir_links *links, const char *const *ifnames, size_t n,
		      bool *ret_strangers, struct weir_err *err);

	/* All interfaces that carry weir's alias, any store's. The array is in the arena. */
	int (*list)(struct weir_links *links, struct weir_arena *arena, struct weir_link_info **ret,
		    size_t *ret_n, struct weir_err *err);
	/* Does the attachment exist as it should? 0 yes; -ESTALE with what differs. Changes nothing. */
	int (*attach_check)(struct weir_links *links, const struct weir_model *model,
			    const struct weir_endpoint *ep, const struct weir_attachment *att,
			    struct weir_err *err);
	int (*network_check)(struct weir_links *links, const struct weir_network *net,
			     struct weir_err *err);

	/* Routes of the host's main table, but not default routes and not those of weir's own bridges. */
	int (*routes)(struct weir_links *links, struct weir_arena *arena,
		      struct weir_host_route **ret, size_t *ret_n, struct weir_err *err);
	/* Addresses that the host has on an interface; none where there is no such interface. */
	int (*addresses)(struct weir_links *links, const char *ifname, struct weir_arena *arena,
			 struct weir_addr **ret, size_t *ret_n, struct weir_err *err);
	/* Does the host take what is sent to this address for itself, on whatever interface? */
	int (*owns)(struct weir_links *links, const struct weir_addr *addr, bool *ret,
		    struct weir_err *err);
	/* Interfaces (by name) that are not weir's and by which the host itself may reach a router: no
	 * loopback, no port of a bridge or a bond. */
	int (*uplinks)(struct weir_links *links, struct weir_arena *arena,
		       char (**ret)[WEIR_IFNAME_SIZE], size_t *ret_n, struct weir_err *err);
	int (*sockets)(struct weir_links *links, struct weir_arena *arena,
		       struct weir_host_socket **ret, size_t *ret_n, struct weir_err *err);
	/* Who holds a socket, "nginx (pid 812)"; "another process" when that cannot be seen. */
	void (*socket_owner)(struct weir_links *links, uint32_t inode, char *buf, size_t size);
	/* Where free host ports come from: net/ipv4/ip_local_port_range. */
	int (*port_range)(struct weir_links *links, struct weir_ports *ret, struct weir_err *err);
	int (*fdb)(struct weir_links *links, const struct weir_network *net,
		   struct weir_arena *arena, struct weir_fdb_entry **ret, size_t *ret_n,
		   struct weir_err *err);

	/* Entries without an address in the network's subnets are left out. */
	int (*neighbours)(struct weir_links *links, const struct weir_network *net,
			  struct weir_arena *arena, struct weir_neighbour **ret, size_t *ret_n,
			  struct weir_err *err);

	/* Frames that the attachment's spoof guard has dropped since it was made; 0 without one. */
	int (*port_drops)(struct weir_links *links, const struct weir_attachment *att,
			  uint64_t *ret, struct weir_err *err);

	/* A number under /proc/sys of the host's namespace; key as "net/ipv4/ip_forward". -ENOENT: this
	 * kernel (or interface) has none. */
	int (*sysctl_get)(struct weir_links *links, const char *key, long *ret,
			  struct weir_err *err);
	int (*sysctl_set)(struct weir_links *links, const char *key, long value,
			  struct weir_err *err);
};

#endif
