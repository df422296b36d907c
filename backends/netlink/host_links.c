/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weir's interfaces on the host: listed, and removed many at once.
 *
 * How it works: the kernel waits for RCU once per removal request (13 to 40 ms), however many
 * interfaces it names. A group of interfaces is one request: so what is to go moves into a group of
 * its own, by a number that nobody can have chosen, and the group is deleted. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backends/netlink/host.h"
#include "backends/netlink/refusal.h"
#include "core/names.h"

/* ---- removal ---- */

static bool is_ours(const struct weir_links *links, const struct weir_iface *now)
{
	struct weir_alias alias;

	return weir_alias_parse(now->alias, &alias) ? strcmp(alias.store, links->store) == 0
						    : now->group == WEIR_LINK_GROUP;
}

/* ret_present: the names of those that are there and ours; n_present may be 0. */
static int find_removable(struct weir_links *links, const char *const *ifnames, size_t n,
			  bool *ret_strangers, const char **ret_present, size_t *ret_n,
			  struct weir_err *err)
{
	size_t n_present = 0;

	for (size_t i = 0; i < n; i++) {
		struct weir_iface now;
		if (weir_names_are_ports(ifnames[i]))
			continue; /* routes */
		int r = weir_iface_find(&links->host, ifnames[i], &now, err);
		if (r < 0)
			return r;
		bool ours = is_ours(links, &now);
		if (now.index && ours)
			ret_present[n_present++] = ifnames[i];
		if (now.index && !ours && ret_strangers)
			ret_strangers[i] = true;
	}
	*ret_n = n_present;
	return 0;
}

static int choose_group(uint32_t *ret, struct weir_err *err)
{
	uint32_t group;

	if (getrandom(&group, sizeof(group), 0) != sizeof(group))
		return weir_err_errno(err, errno, "choosing a group number");
	*ret = group | 0x80000000; /* people's groups are small, and 0 is everybody's */
	return 0;
}

static int move_to_group(struct weir_channel *host, const char *ifname, uint32_t group,
			 struct weir_err *err)
{
	struct ifinfomsg header = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, 0, &header, sizeof(header));
	struct weir_err why = { 0 };

	weir_request_text(&request, IFLA_IFNAME, ifname);
	weir_request_u32(&request, IFLA_GROUP, group);
	int r = weir_request_send(host, &request, &why, "link set %s group %u", ifname, group);
	return weir_request_allow(r, ENODEV, &why, err); /* it went meanwhile */
}

static int delete_group(struct weir_channel *host, uint32_t group, struct weir_err *err)
{
	struct ifinfomsg header = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_DELLINK, 0, &header, sizeof(header));
	struct weir_err why = { 0 };

	weir_request_u32(&request, IFLA_GROUP, group);
	int r = weir_request_send(host, &request, &why, "link delete group %u", group);
	return weir_request_allow(r, ENODEV, &why, err);
}

static int delete_many(struct weir_channel *host, const char *const *ifnames, size_t n,
		       struct weir_err *err)
{
	uint32_t group = 0;
	int r = choose_group(&group, err);
	size_t moved = 0;

	for (; r == 0 && moved < n; moved++)
		r = move_to_group(host, ifnames[moved], group, err);
	if (r == 0)
		return delete_group(host, group, err);
	while (moved-- > 0) /* undoing: as far as it goes; `ensure` puts the group right as well */
		(void)move_to_group(host, ifnames[moved], WEIR_LINK_GROUP, NULL);
	return r;
}

int weir_host_links_remove(struct weir_links *links, const char *const *ifnames, size_t n,
			   bool *ret_strangers, struct weir_err *err)
{
	if (n == 0)
		return 0;
	const char **present = calloc(n, sizeof(*present));
	size_t n_present = 0;
	if (!present)
		return weir_err_set(err, ENOMEM, "out of memory");
	int r = find_removable(links, ifnames, n, ret_strangers, present, &n_present, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (weir_names_are_ports(ifnames[i]))
			r = weir_refusals_remove(links, ifnames[i], err);
	if (r == 0 && n_present == 1)
		r = weir_iface_delete(&links->host, present[0], err);
	else if (r == 0 && n_present > 1)
		r = delete_many(&links->host, present, n_present, err);
	free(present);
	return r;
}

/* ---- listing ---- */

struct listing {
	struct weir_links *links;
	struct weir_arena *arena;
	struct weir_link_info *items;
	size_t n;
};

static int list_one(const struct weir_iface *iface, void *ctx)
{
	struct listing *listing = ctx;
	struct weir_alias alias = { 0 };

	if (!iface) {
		listing->n = 0;
		return 0;
	}
	if (!weir_alias_parse(iface->alias, &alias)) {
		if (iface->alias[0] || iface->group != WEIR_LINK_GROUP)
			return 0;
		/* killed before it had its alias: counted as ours, so that it is cleared away */
		memcpy(alias.store, listing->links->store, sizeof(alias.store));
	}
	struct weir_link_info *items =
		weir_arena_grow(listing->arena, listing->items, listing->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	listing->items = items;
	struct weir_link_info *info = &items[listing->n++];
	*info = (struct weir_link_info){ .up = iface->up };
	memcpy(info->ifname, iface->name, sizeof(info->ifname));
	memcpy(info->store, alias.store, sizeof(info->store));
	memcpy(info->endpoint, alias.endpoint, sizeof(info->endpoint));
	memcpy(info->network, alias.network, sizeof(info->network));
	return 0;
}

/* What stands for a routed network; nothing tells whose, but others' are in another namespace. */
static int list_refusal(const char *ports, void *ctx)
{
	struct listing *listing = ctx;

	if (!ports)
		return 0; /* twice does no harm */
	for (size_t i = 0; i < listing->n; i++)
		if (strcmp(listing->items[i].ifname, ports) == 0)
			return 0;
	struct weir_link_info *items =
		weir_arena_grow(listing->arena, listing->items, listing->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	listing->items = items;
	struct weir_link_info *info = &items[listing->n++];
	*info = (struct weir_link_info){ .up = true };
	(void)snprintf(info->ifname, sizeof(info->ifname), "%s", ports);
	memcpy(info->store, listing->links->store, sizeof(info->store));
	return 0;
}

int weir_host_links_list(struct weir_links *links, struct weir_arena *arena,
			 struct weir_link_info **ret, size_t *ret_n, struct weir_err *err)
{
	struct listing listing = { .links = links, .arena = arena };
	/* all of them: the kernel filters by kind or master, not by group */
	int r = weir_iface_walk(&links->host, NULL, 0, list_one, &listing, err);

	if (r == 0)
		r = weir_refusals_walk(links, list_refusal, &listing, err);
	if (r < 0)
		return r;
	*ret = listing.items;
	*ret_n = listing.n;
	return 0;
}
