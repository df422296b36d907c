/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces: what the kernel has, what weir wants, and the one message that makes it so. */
#ifndef WEIR_BACKENDS_NETLINK_IFACE_H
#define WEIR_BACKENDS_NETLINK_IFACE_H

#include "backends/netlink/alias.h"
#include "backends/netlink/request.h"

/* On and off where the kernel may also have no such thing. */
enum weir_tri { WEIR_TRI_UNKNOWN = -1, WEIR_TRI_OFF, WEIR_TRI_ON };

/* Settings of /proc/sys/net/ipv6/conf/<if>/, -1 unknown. */
struct weir_ipv6_conf {
	int disable_ipv6, accept_ra, accept_dad;
};

/* An interface as the kernel tells it. */
struct weir_iface {
	int index;
	char name[WEIR_IFNAME_SIZE];
	char alias[WEIR_ALIAS_SIZE];
	char kind[16];
	uint32_t group, master, mtu, peer; /* peer: index of a veth's other end, in its namespace */
	struct weir_mac mac;
	bool up, running, loopback, no_arp;
	bool enslaved; /* a port of a bridge, a bond, …, without IP of its own; a VRF's has it */
	bool addr_gen_none;
	int isolated, hairpin, locked, learning; /* of a bridge's port, enum weir_tri */
	bool cut_off; /* a port that its bridge has disabled, though it runs */
	int stp, nf_call_iptables, nf_call_ip6tables; /* of a bridge */
	uint32_t forward_delay;			      /* of a bridge */
	int arp_notify, route_localnet, forwarding;   /* IPv4's */
	struct weir_ipv6_conf ipv6;
};

/* An interface as it should be. { 0 } in a field leaves it alone, unless said otherwise. */
struct weir_iface_want {
	const char *name, *alias;
	const char *what; /* for messages: "bridge" */
	uint32_t master;  /* with it also the port's flags: */
	bool isolated, hairpin;
	bool locked; /* and learns nothing */
	uint32_t mtu;
	struct weir_mac mac;
	bool addr_gen_none; /* no IPv6 link-local address */
	bool arp_notify, route_localnet;
	bool gateway; /* the host's address in a network is here: route_localnet counts */
	bool bridge;  /* the same, and its settings, of which one varies: */
	bool nf_call;
	/* For differences only: weir_iface_set_up() and _set_forwarding() do these, in their own time. */
	bool up, forwarding;
	/* Inside of namespaces and on bridges, by sysctl (-1 leaves alone). */
	struct weir_ipv6_conf ipv6;
};
#define WEIR_IPV6_CONF_ANY \
	{                  \
		-1, -1, -1 \
	}

/* -ENODEV when there is none (with words in err). */
int weir_iface_get(struct weir_channel *channel, const char *name, struct weir_iface *ret,
		   struct weir_err *err);

/* The same, but 0 with index 0 when there is none. */
int weir_iface_find(struct weir_channel *channel, const char *name, struct weir_iface *ret,
		    struct weir_err *err);

int weir_iface_by_index(struct weir_channel *channel, int index, struct weir_iface *ret,
			struct weir_err *err);

/* All interfaces of a kind (NULL: any) or in a master (0: any). each: 0, or -errno to end. */
typedef int (*weir_iface_each)(const struct weir_iface *iface, void *ctx); /* NULL: starts anew */
int weir_iface_walk(struct weir_channel *channel, const char *kind, uint32_t master,
		    weir_iface_each each, void *ctx, struct weir_err *err);

/* The first difference in words ("bridge wb-web has MTU 1500, not 1400"), or false. */
bool weir_iface_differs(const struct weir_iface *iface, const struct weir_iface_want *want,
			char *text, size_t size);
/* Everything of want but `up`, `forwarding` and the IPv6 settings, in one message. now (NULL: just made) may ask
 * for one before it: flags can only be set on what is a port of the bridge already. */
int weir_iface_configure(struct weir_channel *channel, const struct weir_iface *now,
			 const struct weir_iface_want *want, struct weir_err *err);
/* Before anything is compared: with an MTU below IPv6's least an interface has nothing of IPv6, and no
 * settings of it can be sent; what comes back with a larger one is new. Then it is raised, and now is as
 * the interface is after that: down, where it is to have no link-local address. */
int weir_iface_widen(struct weir_channel *channel, struct weir_iface *now,
		     const struct weir_iface_want *want, bool *changed, struct weir_err *err);
int weir_iface_set_up(struct weir_channel *channel, const char *name, bool up,
		      struct weir_err *err);
/* The kernel forwards IPv4 that comes from an interface whose own switch is on, whatever the host's says,
 * so rules stand first. (IPv6 asks the host's switch alone.) */
int weir_iface_set_forwarding(struct weir_channel *channel, const char *name, struct weir_err *err);
/* Has the kernel act on a change of the carrier now. It does so in a work queue of its own, and until
 * then a device drops what it is to send, and a bridge what comes from the port. */
void weir_iface_settle(struct weir_channel *channel, const char *name);
/* One that is gone is deleted: the kernel takes them along with a namespace, some time after that. */
int weir_iface_delete(struct weir_channel *channel, const char *name, struct weir_err *err);

/* The attributes of a bridge into an IFLA_INFO_DATA. */
void weir_iface_put_bridge(struct weir_request *request, const struct weir_iface_want *want);

/* Does this kernel run IPv6? */
bool weir_iface_have_ipv6(void);

#endif
