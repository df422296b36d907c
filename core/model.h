/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model: networks, endpoints, their attachments and mappings, and policies, as users declare them
 * and, once the engine has chosen what they left open, as the host should be.
 *
 * A model is whole or partial: the engine loads only what a change touches. Everything in it lives
 * in its arena. Networks and endpoints are sorted by name, mappings by weir_mapping_cmp, policies by
 * weir_policy_cmp, after weir_model_sort(); attachments keep the order in which they were written, which names eth0,
 * eth1. */
#ifndef WEIR_CORE_MODEL_H
#define WEIR_CORE_MODEL_H

#include <sys/types.h>

#include "core/addr.h"
#include "core/arena.h"
#include "core/policy.h"
#include "core/publish.h"
#include "core/rate.h"

enum {
	WEIR_NAME_MAX = 63,    /* a DNS label, RFC 1035 2.3.4: names become host names */
	WEIR_IFNAME_SIZE = 16, /* IFNAMSIZ, linux/if.h, with the closing zero */
	WEIR_SUBNETS_MAX = 8,  /* per network; a limit that no real network meets */
	WEIR_VLAN_MIN = 1,     /* IEEE 802.1Q 9.6: 0 is for priority tags, 4095 reserved */
	WEIR_VLAN_MAX = 4094,
	WEIR_BRIDGE_PORTS = 1023 /* BR_MAX_PORTS, net/bridge/br_private.h */
};

enum weir_mode {
	WEIR_MODE_BRIDGE,
	WEIR_MODE_P2P,
	WEIR_MODE_MACVLAN,
	WEIR_MODE_IPVLAN,
	WEIR_MODE_VLAN,
	WEIR_MODE_ROUTED,
	WEIR_NUM_MODES
};
enum weir_nat { WEIR_NAT_MASQUERADE, WEIR_NAT_NONE, WEIR_NAT_ADDRESS, WEIR_NUM_NATS };

struct weir_range { /* inclusive */
	struct weir_addr lo, hi;
};

struct weir_subnet {
	struct weir_prefix prefix; /* host bits clear */
	struct weir_addr gateway;  /* none: no gateway in this subnet (p2p) */
	struct weir_place origin;
};

struct weir_network {
	const char *name;
	enum weir_mode mode;
	/* the bridge, or the VLAN's interface; routed: what the names of its ports begin with, and '+'; empty
	 * until chosen, and where the mode has none */
	char ifname[WEIR_IFNAME_SIZE];
	char parent[WEIR_IFNAME_SIZE]; /* macvlan, ipvlan, vlan: the host's interface beneath */
	unsigned vlan;		       /* VLAN id, with WEIR_MODE_VLAN */
	bool adopt; /* the bridge is somebody else's: used as it is, never changed or removed */
	struct weir_subnet *subnets; /* none: the engine takes one per family from the pools */
	size_t n_subnets;
	struct weir_range *excluded; /* never handed out */
	size_t n_excluded;
	const char *gateway_endpoint; /* the gateway is this endpoint, not the host; or NULL */
	/* wished by the user; what it has is in subnets[].gateway */
	struct weir_addr gateways[WEIR_NUM_FAMILIES];
	enum weir_nat nat;
	struct weir_addr nat_addr[WEIR_NUM_FAMILIES]; /* with WEIR_NAT_ADDRESS */
	bool nat_random;     /* what is translated gets a source port by chance, never its own */
	unsigned mtu;	     /* 0: the kernel's default */
	struct weir_mac mac; /* the bridge's; chosen when none */
	bool internal;	     /* nothing in or out */
	bool isolate;	     /* endpoints of this network cannot reach each other */
	bool host_deny;	     /* endpoint -> host closed but for replies, ICMP and the resolver */
	enum weir_default egress, ingress; /* where no policy speaks */
	bool filter_bridged; /* traffic between ports of the bridge meets the host's IP hooks */
	bool filtered; /* the same, because policies or defaults bind it (weir_policies_bind); chosen */
	bool no_spoof_guard;  /* its endpoints may send with others' addresses */
	bool strict;	      /* its published ports, as in struct weir_mapping */
	const char **trusted; /* host interfaces that may reach endpoints directly */
	size_t n_trusted;
	bool declared; /* by `apply`: --prune may remove it */
	struct weir_place origin;
};

struct weir_route {
	struct weir_prefix to;
	struct weir_addr via;
	struct weir_place origin;
};

struct weir_sysctl { /* core/sysctl.h */
	const char *key, *value;
};

/* One interface of an endpoint in a network. */
struct weir_attachment {
	const char *network;
	/* by family; none: chosen, where the network has the family */
	struct weir_addr addrs[WEIR_NUM_FAMILIES];
	struct weir_mac mac;		    /* none: derived from the first address */
	char ifname[WEIR_IFNAME_SIZE];	    /* inside the endpoint; empty: eth0, eth1, … */
	char host_ifname[WEIR_IFNAME_SIZE]; /* the host's end; chosen */
	/* the highest gives the default route; ties: by network name */
	int priority;
	unsigned mtu;		     /* 0: the network's */
	struct weir_sysctl *sysctls; /* sorted by key */
	size_t n_sysctls;
	bool isolated; /* from the isolated ones of its network, whichever way they try */
	bool locked;   /* its port lets in frames of its MAC only, and learns nothing */
	struct weir_place origin;
};

enum weir_netns_kind {
	WEIR_NETNS_OWN,	 /* made and removed by weir, /run/netns/<endpoint> */
	WEIR_NETNS_PATH, /* found at netns_path; never removed */
	WEIR_NETNS_HOST, /* shares the host's */
	WEIR_NUM_NETNS_KINDS
};

/* What a namespace is known by: never by PID. Zero until it was seen. */
struct weir_netns_id {
	dev_t dev;
	ino_t ino;
	char boot[37]; /* /proc/sys/kernel/random/boot_id */
	/* SO_NETNS_COOKIE: inodes are given anew, cookies never; 0: not known (before Linux 5.14) */
	uint64_t cookie;
};

struct weir_label {
	const char *key, *value;
};

struct weir_endpoint {
	const char *name;
	enum weir_netns_kind netns;
	const char *netns_path; /* with WEIR_NETNS_PATH: absolute */
	struct weir_netns_id netns_id;
	struct weir_attachment *attachments;
	size_t n_attachments;
	struct weir_mapping *mappings;
	size_t n_mappings;
	struct weir_label *labels; /* sorted by key */
	size_t n_labels;
	struct weir_route *routes;
	size_t n_routes;
	struct weir_addr *dns;
	size_t n_dns;
	bool forward;	       /* a router: forwarding is on inside */
	struct weir_rate rate; /* of each of its interfaces */
	bool declared;
	struct weir_place origin;
};

/* Where automatic subnets come from. */
struct weir_pool {
	struct weir_prefix prefix;
	uint8_t size; /* prefix length of each subnet taken from it */
	struct weir_place origin;
};

struct weir_model {
	struct weir_arena arena;
	struct weir_network *networks;
	size_t n_networks;
	struct weir_endpoint *endpoints;
	size_t n_endpoints;
	struct weir_pool *pools; /* none declared: the store's, else the built-in ones */
	size_t n_pools;
	struct weir_policy *policies; /* in the order of weir_policy_cmp */
	size_t n_policies;
};

void weir_model_free(struct weir_model *model);
#define WEIR_CLEAN_MODEL __attribute__((cleanup(weir_model_free)))

/* Append a zeroed object; NULL without memory. The pointer is valid until the next append. */
struct weir_network *weir_model_add_network(struct weir_model *model);
struct weir_endpoint *weir_model_add_endpoint(struct weir_model *model);
struct weir_attachment *weir_endpoint_add_attachment(struct weir_model *model,
						     struct weir_endpoint *ep);
struct weir_mapping *weir_endpoint_add_mapping(struct weir_model *model, struct weir_endpoint *ep);
struct weir_policy *weir_model_add_policy(struct weir_model *model);

void weir_model_sort(struct weir_model *model);
void weir_endpoint_sort(struct weir_endpoint *ep); /* one endpoint's own lists */
void weir_policy_sort(struct weir_policy *policy); /* the lists in which order means nothing */

/* By name, in a sorted model; NULL when absent. */
struct weir_network *weir_model_network(const struct weir_model *model, const char *name);
struct weir_endpoint *weir_model_endpoint(const struct weir_model *model, const char *name);
struct weir_attachment *weir_endpoint_attachment(const struct weir_endpoint *ep,
						 const char *network);

/* By name; NULL when absent. A walk through all of them. */
struct weir_policy *weir_model_policy(const struct weir_model *model, const char *name);

/* Deep copies into another model's arena; -ENOMEM. */
int weir_network_copy(struct weir_model *to, struct weir_network *dst,
		      const struct weir_network *src);
int weir_endpoint_copy(struct weir_model *to, struct weir_endpoint *dst,
		       const struct weir_endpoint *src);
int weir_policy_copy(struct weir_model *to, struct weir_policy *dst, const struct weir_policy *src);

/* The same for the kernel and the user alike, in sorted models. Not compared: places, `declared` (who
 * said it, not what it is) and netns_id (found, not wished). */
bool weir_network_equal(const struct weir_network *a, const struct weir_network *b);
/* As far as both know. */
bool weir_netns_id_equal(const struct weir_netns_id *a, const struct weir_netns_id *b);
bool weir_attachment_equal(const struct weir_attachment *a, const struct weir_attachment *b);
/* Do both live in the same kind of namespace, and at the same path? */
bool weir_endpoint_same_netns(const struct weir_endpoint *a, const struct weir_endpoint *b);
bool weir_endpoint_equal(const struct weir_endpoint *a, const struct weir_endpoint *b);
bool weir_policy_equal(const struct weir_policy *a, const struct weir_policy *b);

/* A name of a network or an endpoint: letters, digits, '-', '_' and '.', first a letter or digit,
 * at most WEIR_NAME_MAX. Names become file names and host names, so nothing else is let in.
 * `what` ("network") is for the message. */
int weir_name_check(const char *what, const char *name, struct weir_err *err);
/* An interface name that the kernel takes (dev_valid_name) and weir too: printable ASCII without
 * spaces, '/', ':' , quotes or '*', not "." or "..", at most 15 bytes. */
int weir_ifname_check(const char *name, struct weir_err *err);

/* What can be told from one object alone, places included: names, lengths, contradictions (internal
 * and NAT to an address, gateway outside the subnet, p2p with publish, host mode with networks, two
 * attachments in one network, …). The engine checks what needs the others. -EINVAL. */
int weir_network_check(const struct weir_network *net, struct weir_err *err);
int weir_endpoint_check(const struct weir_endpoint *ep, struct weir_err *err);
int weir_policy_check(const struct weir_policy *policy, struct weir_err *err);

/* Fills subnets[].gateway of a bridge network whose gateway is the host: what the user wished, where
 * it lies in the subnet, else the subnet's first host address. On a parent the gateway is a neighbour's
 * address: only what the user wished. Leaves p2p networks and those with gateway_endpoint alone.
 * -EINVAL: a wished gateway lies in no subnet. */
int weir_network_resolve_gateways(struct weir_network *net, struct weir_err *err);
/* The same for a network with gateway_endpoint: att is that endpoint's attachment in it, with its
 * addresses; NULL (not there yet): no gateway. */
void weir_network_set_gateway(struct weir_network *net, const struct weir_attachment *att);

/* The attachment that gives the default route: among those in networks with a gateway of `family`
 * (WEIR_NO_FAMILY: of any), the highest priority. Internal networks lead nowhere and give none, nor
 * does a network whose gateway is the endpoint itself. NULL: none. The model holds the networks. */
const struct weir_attachment *weir_endpoint_default(const struct weir_model *model,
						    const struct weir_endpoint *ep,
						    enum weir_family family);
/* The attachment by which it sends to an address: in a subnet of its own, by the longest of its routes,
 * else by the default one. NULL: it has no way there. */
const struct weir_attachment *weir_endpoint_way(const struct weir_model *model,
						const struct weir_endpoint *ep,
						const struct weir_addr *to);
/* The network whose spoof guard drops what it answers by `way`, asked at the address that it has in `asked`;
 * NULL: answers pass. */
const struct weir_network *weir_endpoint_answers_dropped(const struct weir_model *model,
							 const struct weir_endpoint *ep,
							 const struct weir_attachment *asked,
							 const struct weir_attachment *way);
/* Its networks by name, sorted, with spaces between: "db web"; "" without any. NULL: no memory. */
const char *weir_endpoint_networks(const struct weir_endpoint *ep, struct weir_arena *arena);
/* The subnet of `family` of a network, or NULL. The first one is where addresses come from. */
const struct weir_subnet *weir_network_subnet(const struct weir_network *net,
					      enum weir_family family);
/* The subnet that holds addr, or NULL. */
const struct weir_subnet *weir_network_subnet_of(const struct weir_network *net,
						 const struct weir_addr *addr);
/* Does the host have to forward packets of this family for it? */
bool weir_network_forwards(const struct weir_network *net, enum weir_family family);

/* What a mode has. */
struct weir_mode_traits {
	const char *name;
	bool host;   /* packets meet the host, which may be the gateway */
	bool bridge; /* by ports on a bridge of the host's */
	bool routed; /* by ports that the host routes to, one by one */
	/* an interface of the network's own on the host: ifname; routed: routes that stand for one */
	bool device;
	bool parent; /* on an interface of the host's: packets pass the host by */
	bool wire;   /* one veth pair between two endpoints */
};
const struct weir_mode_traits *weir_mode_traits(enum weir_mode mode);
const char *weir_mode_name(enum weir_mode mode);

/* Does traffic within the network meet the host's IP hooks? */
static inline bool weir_network_is_filtered(const struct weir_network *net)
{
	return net->filter_bridged || net->filtered || weir_mode_traits(net->mode)->routed;
}

#endif
