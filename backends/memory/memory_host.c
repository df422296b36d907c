/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host in memory: what is there, and what others do to it. */
#include "backends/memory/memory_host.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_INO = 1, NSFS_DEV = 4 };

/* What a new kernel has. */
static const char *const boot_sysctls[] = {
	"net/ipv4/ip_forward",
	"net/ipv6/conf/all/forwarding",
};

static struct weir_memory_host host;

static struct weir_netns_id make_id(ino_t ino)
{
	static const char boot[] = "00000000-0000-0000-0000-00000000b007";
	struct weir_netns_id id = { .dev = NSFS_DEV, .ino = ino };
	memcpy(id.boot, boot, sizeof(boot));
	return id;
}

struct weir_netns_id weir_memory_host_id(void)
{
	return make_id(HOST_INO);
}

struct weir_memory_host *weir_memory_host(void)
{
	if (host.booted)
		return &host;
	host.booted = true;
	host.last_ino = HOST_INO;
	for (size_t i = 0; i < sizeof(boot_sysctls) / sizeof(boot_sysctls[0]); i++)
		if (weir_memory_set_sysctl(boot_sysctls[i], 0) < 0)
			host.booted = false;
	return host.booted ? &host : NULL;
}

/* ---- arrays ---- */

/* A zeroed item at the end of an array that has moved to *items, or NULL. */
static void *append(void **items, size_t *n, size_t size)
{
	char *grown = weir_arena_grow(&host.arena, *items, *n, size);
	if (!grown)
		return NULL;
	*items = grown;
	return memset(grown + (*n)++ * size, 0, size);
}

/* The array's pointer is of its own type: it is passed through a void * of the same value. */
#define APPEND(array, n)                                                 \
	({                                                               \
		void *items_ = (array);                                  \
		void *item_ = append(&items_, &(n), sizeof((array)[0])); \
		(array) = items_;                                        \
		(__typeof__(array))item_;                                \
	})

static void delete_at(void *items, size_t *n, size_t size, size_t i)
{
	char *at = (char *)items + i * size;
	memmove(at, at + size, (*n - i - 1) * size);
	(*n)--;
}

/* ---- looking up and making ---- */

struct weir_memory_link *weir_memory_find_link(const char *ifname)
{
	for (size_t i = 0; i < host.n_links; i++)
		if (!host.links[i].hidden && strcmp(host.links[i].ifname, ifname) == 0)
			return &host.links[i];
	return NULL;
}

struct weir_memory_link *weir_memory_find_attachment(const char *endpoint, const char *network)
{
	for (size_t i = 0; i < host.n_links; i++)
		if (host.links[i].netns && strcmp(host.links[i].info.endpoint, endpoint) == 0 &&
		    strcmp(host.links[i].info.network, network) == 0)
			return &host.links[i];
	return NULL;
}

struct weir_memory_netns *weir_memory_find_netns(const char *path)
{
	for (size_t i = 0; i < host.n_netns; i++)
		if (strcmp(host.netns[i].path, path) == 0)
			return &host.netns[i];
	return NULL;
}

struct weir_memory_sysctl *weir_memory_find_sysctl(const char *key)
{
	for (size_t i = 0; i < host.n_sysctls; i++)
		if (strcmp(host.sysctls[i].key, key) == 0)
			return &host.sysctls[i];
	return NULL;
}

struct weir_memory_link *weir_memory_make_link(const char *ifname)
{
	struct weir_memory_link *link = APPEND(host.links, host.n_links);
	if (!link)
		return NULL;
	(void)snprintf(link->ifname, sizeof(link->ifname), "%s", ifname);
	(void)snprintf(link->info.ifname, sizeof(link->info.ifname), "%s", ifname);
	return link;
}

struct weir_memory_netns *weir_memory_make_netns(const char *path)
{
	struct weir_memory_netns *netns = APPEND(host.netns, host.n_netns);
	if (!netns)
		return NULL;
	(void)snprintf(netns->path, sizeof(netns->path), "%s", path);
	netns->id = make_id(++host.last_ino);
	return netns;
}

/* ---- what others do ---- */

int weir_memory_add_link(const char *ifname, const char *store)
{
	struct weir_memory_link *link = weir_memory_make_link(ifname);
	if (!link)
		return -ENOMEM;
	if (store) {
		(void)snprintf(link->info.store, sizeof(link->info.store), "%s", store);
		(void)snprintf(link->alias, sizeof(link->alias), "weir %s", store);
	}
	return 0;
}

/* Both ends of a pair die together. */
static void drop_link_at(size_t i)
{
	struct weir_memory_link gone = host.links[i];
	delete_at(host.links, &host.n_links, sizeof(gone), i);
	for (size_t j = host.n_links; gone.hidden && j-- > 0;)
		if (host.links[j].hidden &&
		    strcmp(host.links[j].info.network, gone.info.network) == 0)
			delete_at(host.links, &host.n_links, sizeof(gone), j);
}

void weir_memory_remove_link(const struct weir_memory_link *link)
{
	drop_link_at((size_t)(link - host.links));
}

bool weir_memory_drop_link(const char *ifname)
{
	const struct weir_memory_link *link = weir_memory_find_link(ifname);
	if (link)
		weir_memory_remove_link(link);
	return link;
}

bool weir_memory_spoil_link(const char *ifname)
{
	struct weir_memory_link *link = weir_memory_find_link(ifname);
	if (link)
		(void)snprintf(link->setup, sizeof(link->setup), "spoilt");
	return link;
}

int weir_memory_add_netns(const char *path)
{
	return weir_memory_make_netns(path) ? 0 : -ENOMEM;
}

bool weir_memory_drop_netns(const char *path)
{
	struct weir_memory_netns *netns = weir_memory_find_netns(path);
	if (!netns)
		return false;
	ino_t ino = netns->id.ino;
	delete_at(host.netns, &host.n_netns, sizeof(*netns), (size_t)(netns - host.netns));
	for (size_t i = 0; i < host.n_links;) {
		if (host.links[i].netns == ino) {
			drop_link_at(i);
			i = 0; /* the other end may have stood before it */
		} else {
			i++;
		}
	}
	return true;
}

int weir_memory_add_route(const struct weir_host_route *route)
{
	struct weir_host_route *item = APPEND(host.routes, host.n_routes);
	if (item)
		*item = *route;
	return item ? 0 : -ENOMEM;
}

int weir_memory_add_socket(const struct weir_host_socket *sock)
{
	struct weir_host_socket *item = APPEND(host.sockets, host.n_sockets);
	if (item)
		*item = *sock;
	return item ? 0 : -ENOMEM;
}

int weir_memory_add_uplink(const char *ifname)
{
	char(*item)[WEIR_IFNAME_SIZE] = APPEND(host.uplinks, host.n_uplinks);
	char key[64];
	if (!item)
		return -ENOMEM;
	(void)snprintf(*item, sizeof(*item), "%s", ifname);
	(void)snprintf(key, sizeof(key), "net/ipv6/conf/%s/forwarding", ifname);
	if (weir_memory_set_sysctl(key, 0) < 0)
		return -ENOMEM;
	(void)snprintf(key, sizeof(key), "net/ipv6/conf/%s/accept_ra", ifname);
	return weir_memory_set_sysctl(key, 1);
}

int weir_memory_set_sysctl(const char *key, long value)
{
	struct weir_memory_sysctl *sysctl = weir_memory_find_sysctl(key);
	if (!sysctl) {
		sysctl = APPEND(host.sysctls, host.n_sysctls);
		if (!sysctl)
			return -ENOMEM;
		(void)snprintf(sysctl->key, sizeof(sysctl->key), "%s", key);
	}
	sysctl->value = value;
	return 0;
}

/* ---- all of it ---- */

void weir_memory_reset_links(void)
{
	weir_arena_free(&host.arena);
	memset(&host, 0, sizeof(host));
	(void)weir_memory_host(); /* without memory it is booted by whoever works on it first */
}

/* By the name that each begins with, so that the text does not tell in which order things were made. */
static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void sort_by_name(void *items, size_t n, size_t size)
{
	if (n)
		qsort(items, n, size, compare_names);
}

static_assert(offsetof(struct weir_memory_netns, path) == 0, "sorted by it");
static_assert(offsetof(struct weir_memory_link, ifname) == 0, "sorted by it");
static_assert(offsetof(struct weir_memory_sysctl, key) == 0, "sorted by it");

static void print_link(const struct weir_memory_link *link, FILE *out)
{
	(void)fprintf(out, "link %s%s (%s) %s: %s;%s\n", link->ifname,
		      link->hidden ? " (inside)" : "", link->alias, link->info.up ? "up" : "down",
		      link->setup, link->routes);
}

void weir_memory_print_links(FILE *out)
{
	if (!weir_memory_host())
		return;
	sort_by_name(host.netns, host.n_netns, sizeof(host.netns[0]));
	sort_by_name(host.links, host.n_links, sizeof(host.links[0]));
	sort_by_name(host.sysctls, host.n_sysctls, sizeof(host.sysctls[0]));
	for (size_t i = 0; i < host.n_netns; i++)
		(void)fprintf(out, "netns %s (%s) forward %d%s\n", host.netns[i].path,
			      host.netns[i].mark, host.netns[i].forward, host.netns[i].names);
	for (size_t i = 0; i < host.n_links; i++)
		print_link(&host.links[i], out);
	for (size_t i = 0; i < host.n_sysctls; i++)
		(void)fprintf(out, "sysctl %s %ld\n", host.sysctls[i].key, host.sysctls[i].value);
}
