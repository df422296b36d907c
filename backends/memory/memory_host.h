/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host in memory: namespaces, interfaces, sysctls. Private to backends/memory. */
#ifndef WEIR_BACKENDS_MEMORY_HOST_H
#define WEIR_BACKENDS_MEMORY_HOST_H

#include "backends/memory/memory.h"

enum { WEIR_MEMORY_SETUP = 512, WEIR_MEMORY_ALIAS = 160, WEIR_MEMORY_PATH = 128 };

struct weir_links {
	char store[40];
};

struct weir_memory_netns {
	char path[WEIR_MEMORY_PATH];
	struct weir_netns_id id;
	char mark[WEIR_MEMORY_ALIAS]; /* whose it is, in words; empty: somebody's who is not weir */
	char names[WEIR_MEMORY_SETUP];
	bool forward;
};

struct weir_memory_link {
	char ifname[WEIR_IFNAME_SIZE];
	char alias
		[WEIR_MEMORY_ALIAS]; /* whose it is, in words; empty: somebody's who is not weir */
	struct weir_link_info info;
	ino_t netns; /* of an attachment; 0 else */
	bool hidden; /* an end of a complete p2p pair: not in the host's namespace */
	char setup[WEIR_MEMORY_SETUP];
	char routes[WEIR_MEMORY_SETUP];
	struct weir_mac mac;
};

struct weir_memory_sysctl {
	char key[96];
	long value;
};

struct weir_memory_host {
	struct weir_arena arena;
	bool booted;
	ino_t last_ino;
	struct weir_memory_netns *netns;
	size_t n_netns;
	struct weir_memory_link *links;
	size_t n_links;
	struct weir_memory_sysctl *sysctls;
	size_t n_sysctls;
	struct weir_host_route *routes;
	size_t n_routes;
	struct weir_host_socket *sockets;
	size_t n_sockets;
	char (*uplinks)[WEIR_IFNAME_SIZE];
	size_t n_uplinks;
	struct weir_memory_hosts *hosts;
	size_t n_hosts;
};

struct weir_memory_hosts {
	const char *store, *networks;
	const char *text; /* NULL: removed */
};

/* The only one, booted: with what a new kernel has. NULL without memory. */
struct weir_memory_host *weir_memory_host(void);
struct weir_netns_id weir_memory_host_id(void);

/* NULL when absent. Pointers are valid until the next one is made or dropped. */
struct weir_memory_link *weir_memory_find_link(const char *ifname); /* in the host's namespace */
struct weir_memory_link *weir_memory_find_attachment(const char *endpoint, const char *network);
struct weir_memory_netns *weir_memory_find_netns(const char *path);
struct weir_memory_sysctl *weir_memory_find_sysctl(const char *key);

/* Zeroed but for the name; NULL without memory. */
struct weir_memory_link *weir_memory_make_link(const char *ifname);
struct weir_memory_netns *weir_memory_make_netns(const char *path);
/* With its other end, when it is one of a complete p2p pair. */
void weir_memory_remove_link(const struct weir_memory_link *link);

/* The endpoint's namespace, which has to be there (-ENOENT) and the one that it had (-ESTALE). */
int weir_memory_enter_netns(const struct weir_endpoint *ep, struct weir_memory_netns **ret,
			    struct weir_err *err);

/* core/link.h's, for the table */
int weir_memory_netns_ensure(struct weir_links *links, const struct weir_endpoint *ep,
			     struct weir_netns_id *ret_id, bool *ret_changed, struct weir_err *err);
int weir_memory_netns_taken(struct weir_links *links, const struct weir_endpoint *ep, bool *ret,
			    struct weir_err *err);
int weir_memory_netns_check(struct weir_links *links, const struct weir_endpoint *ep,
			    struct weir_err *err);
int weir_memory_netns_remove(struct weir_links *links, const struct weir_endpoint *ep,
			     struct weir_err *err);
int weir_memory_names_ensure(struct weir_links *links, const struct weir_endpoint *ep,
			     bool *ret_changed, struct weir_err *err);

/* How an object is to be set up, in words that are equal when the set-up is. */
void weir_memory_describe_bridge(const struct weir_network *net, char buf[WEIR_MEMORY_SETUP]);
void weir_memory_describe_attachment(const struct weir_network *net,
				     const struct weir_attachment *att,
				     char buf[WEIR_MEMORY_SETUP]);
void weir_memory_describe_routes(const struct weir_model *model, const struct weir_endpoint *ep,
				 const struct weir_attachment *att, char buf[WEIR_MEMORY_SETUP]);

/* memory_hosts.c */
int weir_memory_hosts_list(struct weir_links *links, struct weir_arena *arena,
			   const char ***ret_networks, size_t *ret_n, struct weir_err *err);
int weir_memory_hosts_read(struct weir_links *links, const char *networks, struct weir_arena *arena,
			   const char **ret_text, struct weir_err *err);
int weir_memory_hosts_write(struct weir_links *links, const char *networks, const char *text,
			    struct weir_err *err);

#endif
