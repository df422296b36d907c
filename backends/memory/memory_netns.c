/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces in memory, and what stands in their resolv.conf and hosts.
 *
 * How it works: as on Linux, a namespace is known by its inode; one of weir's own also carries a mark of
 * store and endpoint, by which it is known again when nobody has written its inode down. */
#include "backends/memory/memory_host.h"

#include <errno.h>
#include <string.h>

static const char *netns_path(const struct weir_endpoint *ep, char buf[WEIR_MEMORY_PATH])
{
	if (ep->netns == WEIR_NETNS_PATH)
		(void)snprintf(buf, WEIR_MEMORY_PATH, "%s", ep->netns_path);
	else
		(void)snprintf(buf, WEIR_MEMORY_PATH, "/run/netns/%s", ep->name);
	return buf;
}

static struct weir_memory_netns *netns_of(const struct weir_endpoint *ep)
{
	char path[WEIR_MEMORY_PATH];
	return weir_memory_find_netns(netns_path(ep, path));
}

/* What a namespace of weir's is made with. */
static const char *netns_mark(const struct weir_links *links, const struct weir_endpoint *ep,
			      char buf[WEIR_MEMORY_ALIAS])
{
	(void)snprintf(buf, WEIR_MEMORY_ALIAS, "weir %s endpoint %s", links->store, ep->name);
	return buf;
}

/* Is an own namespace that is there the endpoint's? */
static bool is_own(const struct weir_links *links, const struct weir_endpoint *ep,
		   const struct weir_memory_netns *netns)
{
	char mark[WEIR_MEMORY_ALIAS];
	if (ep->netns_id.ino)
		return weir_netns_id_equal(&netns->id, &ep->netns_id);
	return strcmp(netns->mark, netns_mark(links, ep, mark)) == 0;
}

/* The endpoint's namespace, which has to be there and the one that it had. */
int weir_memory_enter_netns(const struct weir_endpoint *ep, struct weir_memory_netns **ret,
			    struct weir_err *err)
{
	struct weir_memory_netns *netns = netns_of(ep);
	if (!netns)
		return weir_err_set(err, ENOENT, "the namespace of endpoint \"%s\" is gone",
				    ep->name);
	if (ep->netns_id.ino && !weir_netns_id_equal(&netns->id, &ep->netns_id))
		return weir_err_set(err, ESTALE, "%s is not the namespace that endpoint \"%s\" had",
				    netns->path, ep->name);
	*ret = netns;
	return 0;
}

/* Finds or makes; *ret_made tells which. */
static int take_netns(const struct weir_links *links, const struct weir_endpoint *ep,
		      struct weir_memory_netns **ret, bool *ret_made, struct weir_err *err)
{
	char path[WEIR_MEMORY_PATH];
	struct weir_memory_netns *netns = weir_memory_find_netns(netns_path(ep, path));
	bool seen = ep->netns_id.ino != 0;

	*ret_made = false;
	if (!netns && ep->netns == WEIR_NETNS_PATH)
		return weir_err_at(err, ENOENT, &ep->origin, "no namespace at %s", path);
	if (netns && !seen && ep->netns == WEIR_NETNS_OWN && !is_own(links, ep, netns))
		return weir_err_at(err, EEXIST, &ep->origin, "%s is there and is not weir's", path);
	if (netns && seen && !weir_netns_id_equal(&netns->id, &ep->netns_id))
		return weir_err_at(err, ESTALE, &ep->origin, "%s is another namespace now", path);
	if (!netns) {
		netns = weir_memory_make_netns(path);
		if (!netns)
			return weir_err_set(err, ENOMEM, "no memory for a namespace");
		(void)netns_mark(links, ep, netns->mark);
		*ret_made = true;
	}
	*ret = netns;
	return 0;
}

int weir_memory_netns_ensure(struct weir_links *links, const struct weir_endpoint *ep,
			     struct weir_netns_id *ret_id, bool *ret_changed, struct weir_err *err)
{
	struct weir_memory_netns *netns = NULL;
	bool changed = false;

	int r = weir_memory_step("making a namespace", err);
	if (r < 0)
		return r;
	if (ep->netns == WEIR_NETNS_HOST) {
		*ret_id = weir_memory_host_id();
		return 0;
	}
	r = take_netns(links, ep, &netns, &changed, err);
	if (r < 0)
		return r;
	changed |= netns->forward != ep->forward;
	netns->forward = ep->forward;
	*ret_id = netns->id;
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

int weir_memory_netns_taken(struct weir_links *links, const struct weir_endpoint *ep, bool *ret,
			    struct weir_err *err)
{
	(void)links;
	int r = weir_memory_step("looking for a namespace", err);
	if (r == 0)
		*ret = ep->netns == WEIR_NETNS_OWN && netns_of(ep);
	return r;
}

/* What stands in an own namespace's resolv.conf and hosts. */
static void describe_names(const struct weir_endpoint *ep, char buf[WEIR_MEMORY_SETUP])
{
	char text[WEIR_ADDR_TEXT];
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ep->n_dns && used < WEIR_MEMORY_SETUP; i++)
		used += (size_t)snprintf(buf + used, WEIR_MEMORY_SETUP - used, " ask %s",
					 weir_addr_text(&ep->dns[i], text));
	for (size_t i = 0; i < ep->n_attachments; i++)
		for (unsigned f = WEIR_IPV4; f < WEIR_NUM_FAMILIES && used < WEIR_MEMORY_SETUP; f++)
			if (weir_addr_is_set(&ep->attachments[i].addrs[f]))
				used += (size_t)snprintf(
					buf + used, WEIR_MEMORY_SETUP - used, " at %s",
					weir_addr_text(&ep->attachments[i].addrs[f], text));
}

int weir_memory_names_ensure(struct weir_links *links, const struct weir_endpoint *ep,
			     bool *ret_changed, struct weir_err *err)
{
	struct weir_memory_netns *netns = NULL;
	char names[WEIR_MEMORY_SETUP] = "";

	(void)links;
	int r = weir_memory_step("writing names", err);
	if (r == 0 && ep->netns == WEIR_NETNS_OWN)
		r = weir_memory_enter_netns(ep, &netns, err);
	if (r < 0)
		return r;
	if (netns)
		describe_names(ep, names);
	bool changed = netns && strcmp(netns->names, names) != 0;
	if (changed)
		memcpy(netns->names, names, sizeof(names));
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

int weir_memory_netns_check(struct weir_links *links, const struct weir_endpoint *ep,
			    struct weir_err *err)
{
	struct weir_memory_netns *netns = NULL;
	char names[WEIR_MEMORY_SETUP];

	(void)links;
	int r = weir_memory_step("checking a namespace", err);
	if (r < 0 || ep->netns == WEIR_NETNS_HOST)
		return r;
	if (weir_memory_enter_netns(ep, &netns, err) < 0)
		return weir_err_wrap(err, ep->netns == WEIR_NETNS_OWN ? ESTALE : ENOENT,
				     "checking");
	if (netns->forward != ep->forward)
		return weir_err_set(err, ESTALE, "forwarding in %s is %d, not %d", netns->path,
				    netns->forward, ep->forward);
	if (ep->netns != WEIR_NETNS_OWN)
		return 0;
	describe_names(ep, names);
	if (strcmp(netns->names, names) != 0)
		return weir_err_set(err, ESTALE, "%s knows the names \"%s\", not \"%s\"",
				    netns->path, netns->names, names);
	return 0;
}

int weir_memory_netns_remove(struct weir_links *links, const struct weir_endpoint *ep,
			     struct weir_err *err)
{
	int r = weir_memory_step("removing a namespace", err);
	if (r < 0 || ep->netns == WEIR_NETNS_HOST)
		return r;
	struct weir_memory_netns *netns = netns_of(ep);
	if (netns && ep->netns == WEIR_NETNS_PATH)
		netns->forward &= !ep->forward;
	else if (netns && is_own(links, ep, netns))
		(void)weir_memory_drop_netns(netns->path); /* it is there */
	return 0;
}
