/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoints' namespaces: made, found, prepared, removed. */
#include "backends/netlink/namespace.h"

#include <errno.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/netlink/inside_forward.h"
#include "backends/netlink/names.h"
#include "backends/netns.h"

void weir_inside_close(struct weir_inside *inside)
{
	weir_channel_close(&inside->channel);
	if (inside->fd >= 0)
		(void)close(inside->fd); /* a reference, no data */
	*inside = (struct weir_inside){ .fd = -1 };
}

static int namespace_path(const struct weir_endpoint *ep, char path[PATH_MAX], struct weir_err *err)
{
	if (ep->netns == WEIR_NETNS_HOST)
		return weir_err_set(err, EINVAL, "endpoint \"%s\" has no namespace of its own",
				    ep->name);
	if (ep->netns == WEIR_NETNS_PATH) {
		if (!ep->netns_path || snprintf(path, PATH_MAX, "%s", ep->netns_path) >= PATH_MAX)
			return weir_err_set(err, ENAMETOOLONG, "endpoint \"%s\": no usable path",
					    ep->name);
		return 0;
	}
	int r = weir_name_check("endpoint", ep->name, err); /* it becomes a file's name */
	if (r == 0)
		(void)snprintf(path, PATH_MAX, WEIR_NETNS_DIR "/%s", ep->name); /* 63 bytes: fits */
	return r;
}

struct opening {
	struct weir_channel channel;
	const struct weir_trace *trace;
};

static int open_channel(void *ctx, struct weir_err *err)
{
	struct opening *opening = ctx;

	return weir_channel_open(NETLINK_ROUTE, opening->trace, &opening->channel, err);
}

/* Takes the descriptor over, whatever comes of it. */
static int inside_enter(struct weir_links *links, int fd, struct weir_err *err)
{
	struct opening opening = { .trace = links->trace };
	struct weir_netns_id id;
	int r = weir_netns_identify(fd, &id, err);

	/* the socket pins the namespace: equal ids mean the same one */
	if (r == 0 && links->inside.fd >= 0 && weir_netns_id_equal(&links->inside.id, &id)) {
		(void)close(fd);
		return 0;
	}
	if (r == 0)
		r = weir_netns_run(fd, open_channel, &opening, err);
	if (r < 0) {
		weir_channel_close(&opening.channel);
		(void)close(fd);
		return r;
	}
	id.cookie = weir_netns_cookie(nl_socket_get_fd(opening.channel.sock));
	weir_inside_close(&links->inside);
	links->inside = (struct weir_inside){ .fd = fd, .id = id, .channel = opening.channel };
	return 0;
}

static int open_known(struct weir_links *links, const struct weir_endpoint *ep,
		      struct weir_err *err)
{
	char path[PATH_MAX];
	int fd, r = namespace_path(ep, path, err);

	if (r == 0)
		r = weir_netns_open(path, &fd, err);
	if (r == 0)
		r = inside_enter(links, fd, err);
	if (r < 0)
		return r;
	if (weir_netns_id_is_set(&ep->netns_id) &&
	    !weir_netns_id_equal(&links->inside.id, &ep->netns_id))
		return weir_err_set(err, ESTALE,
				    "the namespace at %s is not the one that endpoint \"%s\" had",
				    path, ep->name);
	if (weir_netns_id_equal(&links->inside.id, &links->id))
		return weir_err_set(err, EBUSY, "the namespace at %s is the host's own", path);
	return 0;
}

int weir_inside_open(struct weir_links *links, const struct weir_endpoint *ep,
		     struct weir_inside **ret, struct weir_err *err)
{
	int r = open_known(links, ep, err);

	if (r == 0)
		*ret = &links->inside;
	return r;
}

/* ---- loopback and forwarding ---- */

static int set_loopback(struct weir_channel *channel, const char *alias, struct weir_err *err)
{
	struct ifinfomsg header = { .ifi_change = IFF_UP, .ifi_flags = IFF_UP };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, 0, &header, sizeof(header));

	weir_request_text(&request, IFLA_IFNAME, "lo");
	if (alias)
		weir_request_text(&request, IFLA_IFALIAS, alias);
	return weir_request_send(channel, &request, err, "link set lo up");
}

static int ensure_loopback(struct weir_channel *channel, const struct weir_iface *lo, bool *changed,
			   struct weir_err *err)
{
	if (lo->up)
		return 0;
	*changed = true;
	return set_loopback(channel, NULL, err);
}

struct preparing {
	struct weir_links *links;
	const struct weir_endpoint *ep;
	struct weir_channel channel; /* of a new namespace */
	struct weir_iface lo;
	bool changed;
};

static int ensure_forwarding(void *ctx, struct weir_err *err)
{
	struct preparing *preparing = ctx;
	const struct weir_inside_forward inside = {
		.links = preparing->links,
		.ep = preparing->ep,
		.channel = preparing->channel.sock ? &preparing->channel
						   : &preparing->links->inside.channel,
		.lo_alias = preparing->lo.alias,
	};

	return weir_inside_forward_ensure(&inside, &preparing->changed, err);
}

static int ensure_settings(struct preparing *preparing, struct weir_err *err)
{
	struct weir_inside *inside = &preparing->links->inside;
	int r = weir_iface_get(&inside->channel, "lo", &preparing->lo, err);

	if (r == 0)
		r = ensure_loopback(&inside->channel, &preparing->lo, &preparing->changed, err);
	if (r == 0)
		r = weir_netns_run(inside->fd, ensure_forwarding, preparing, err);
	return r;
}

/* ---- namespaces that weir makes ---- */

static int prepare_new(void *ctx, struct weir_err *err)
{
	struct preparing *preparing = ctx;
	char alias[WEIR_ALIAS_SIZE];
	int r = weir_channel_open(NETLINK_ROUTE, preparing->links->trace, &preparing->channel, err);

	if (r == 0)
		r = set_loopback(&preparing->channel,
				 weir_alias_text(preparing->links->store, preparing->ep->name, NULL,
						 alias),
				 err);
	if (r == 0)
		r = ensure_forwarding(preparing, err);
	return r;
}

static int create_own(struct weir_links *links, const struct weir_endpoint *ep, const char *path,
		      struct weir_err *err)
{
	struct preparing preparing = { .links = links, .ep = ep };
	struct weir_netns_id id;
	int fd, r = weir_netns_create(path, prepare_new, &preparing, &fd, err);

	weir_trace(links->trace, "namespace add %s%s", path, r < 0 ? ": failed" : "");
	if (r == 0) {
		r = weir_netns_identify(fd, &id, err);
		if (r < 0) {
			(void)weir_netns_delete(path, NULL); /* undoing: as far as it goes */
			(void)close(fd);
		}
	}
	if (r < 0) {
		weir_channel_close(&preparing.channel);
		return r;
	}
	id.cookie = weir_netns_cookie(nl_socket_get_fd(preparing.channel.sock));
	weir_inside_close(&links->inside);
	links->inside = (struct weir_inside){ .fd = fd, .id = id, .channel = preparing.channel };
	return 0;
}

/* Is the namespace that is open, and was not refused, the endpoint's own? One whose cookie is known is. Else
 * it is by the mark of this store and endpoint: an inode alone may be somebody else's by now. */
static int is_own(struct weir_links *links, const struct weir_endpoint *ep, bool *ret,
		  struct weir_err *err)
{
	char alias[WEIR_ALIAS_SIZE];
	struct weir_iface lo;

	if (ep->netns_id.cookie && links->inside.id.cookie) {
		*ret = true;
		return 0;
	}
	int r = weir_iface_get(&links->inside.channel, "lo", &lo, err);
	if (r == 0)
		*ret = strcmp(lo.alias, weir_alias_text(links->store, ep->name, NULL, alias)) == 0;
	return r;
}

static int check_own(struct weir_links *links, const struct weir_endpoint *ep, const char *path,
		     struct weir_err *err)
{
	bool ours = true;
	int r = is_own(links, ep, &ours, err);

	if (r == 0 && !ours)
		return weir_err_set(err, EEXIST,
				    "a namespace that is not weir's is at %s (--netns %s uses it)",
				    path, ep->name);
	return r;
}

static int ensure_own(struct weir_links *links, const struct weir_endpoint *ep,
		      struct preparing *preparing, struct weir_err *err)
{
	char path[PATH_MAX];
	struct weir_err why = { 0 };
	int r = namespace_path(ep, path, err);

	if (r < 0)
		return r;
	r = open_known(links, ep, &why);
	if (r == -ENOENT || r == -EINVAL) { /* nothing there, or a file that is no namespace */
		preparing->changed = true;
		return create_own(links, ep, path, err);
	}
	r = weir_request_allow(r, 0, &why, err);
	if (r == 0)
		r = check_own(links, ep, path, err);
	return r < 0 ? r : ensure_settings(preparing, err);
}

int weir_namespace_ensure(struct weir_links *links, const struct weir_endpoint *ep,
			  struct weir_netns_id *ret_id, bool *ret_changed, struct weir_err *err)
{
	struct preparing preparing = { .links = links, .ep = ep };
	int r;

	if (ep->netns == WEIR_NETNS_HOST) {
		*ret_id = links->id;
		if (ret_changed)
			*ret_changed = false;
		return 0;
	}
	if (ep->netns == WEIR_NETNS_OWN) {
		r = ensure_own(links, ep, &preparing, err);
	} else {
		r = open_known(links, ep, err);
		if (r == 0 && !ep->n_attachments)
			r = ensure_settings(&preparing, err);
	}
	if (r < 0)
		return r;
	*ret_id = links->inside.id;
	if (ret_changed)
		*ret_changed = preparing.changed;
	return 0;
}

int weir_namespace_up(struct weir_links *links, const struct weir_endpoint *ep,
		      struct weir_err *err)
{
	struct preparing preparing = { .links = links, .ep = ep };

	return ep->netns == WEIR_NETNS_OWN ? 0 : ensure_settings(&preparing, err);
}

static int gone(const struct weir_endpoint *ep, struct weir_err *err)
{
	char path[PATH_MAX];
	int r = namespace_path(ep, path, err);

	return r < 0 ? r : weir_err_set(err, ENOENT, "its namespace %s is gone", path);
}

int weir_namespace_check(struct weir_links *links, const struct weir_endpoint *ep,
			 struct weir_err *err)
{
	struct weir_err why = { 0 };
	struct weir_iface lo;
	int r = open_known(links, ep, &why);

	if (r == -ENOENT)
		(void)gone(ep, &why);
	if (r == -ENOENT || r == -ESTALE || r == -EINVAL)
		return weir_err_set(err, ep->netns == WEIR_NETNS_OWN ? ESTALE : ENOENT, "%s",
				    why.text);
	r = weir_request_allow(r, 0, &why, err);
	if (r == 0)
		r = weir_iface_get(&links->inside.channel, "lo", &lo, err);
	if (r == 0 && !lo.up)
		r = weir_err_set(err, ESTALE, "its loopback is down");
	if (r == 0)
		r = weir_inside_forward_check(
			&(struct weir_inside_forward){ .links = links,
						       .ep = ep,
						       .channel = &links->inside.channel,
						       .lo_alias = lo.alias },
			err);
	if (r == 0 && ep->netns == WEIR_NETNS_OWN)
		r = weir_names_check(links, ep, err);
	return r;
}

int weir_namespace_taken(struct weir_links *links, const struct weir_endpoint *ep, bool *ret,
			 struct weir_err *err)
{
	char path[PATH_MAX];
	int r = namespace_path(ep, path, err);

	(void)links;
	if (r == 0)
		*ret = access(path, F_OK) == 0 && !weir_netns_is_remnant(path);
	return r;
}

struct search {
	const struct weir_links *links;
	const struct weir_endpoint *ep;
	const char *network;
	struct weir_iface found;
};

static int match_ours(const struct weir_iface *iface, void *ctx)
{
	struct search *search = ctx;
	struct weir_alias alias;

	if (!iface) {
		search->found.index = 0;
		return 0;
	}
	if (weir_alias_parse(iface->alias, &alias) && alias.network[0] &&
	    strcmp(alias.store, search->links->store) == 0 &&
	    strcmp(alias.endpoint, search->ep->name) == 0 &&
	    (!search->network || strcmp(alias.network, search->network) == 0))
		search->found = *iface;
	return 0;
}

int weir_inside_find(struct weir_links *links, const struct weir_endpoint *ep, const char *network,
		     struct weir_iface *ret, struct weir_err *err)
{
	struct search search = { .links = links, .ep = ep, .network = network };
	int r = weir_iface_walk(&links->inside.channel, NULL, 0, match_ours, &search, err);

	if (r == 0)
		*ret = search.found;
	return r;
}

int weir_inside_clear(struct weir_links *links, const struct weir_endpoint *ep, const char *network,
		      struct weir_err *err)
{
	for (;;) {
		struct weir_iface found;
		int r = weir_inside_find(links, ep, network, &found, err);
		if (r < 0 || found.index == 0)
			return r;
		r = weir_iface_delete(&links->inside.channel, found.name, err);
		if (r < 0)
			return r;
	}
}

static int remove_own(struct weir_links *links, const struct weir_endpoint *ep, const char *path,
		      struct weir_err *err)
{
	struct weir_err why = { 0 };
	bool ours = true;
	int r = open_known(links, ep, &why);
	if (r == -ENOENT || weir_netns_is_remnant(path))
		return weir_netns_delete(path, err); /* the folder may be a killed maker's */
	if (r == 0)
		r = is_own(links, ep, &ours, &why);
	bool foreign = r == -ESTALE || r == -EINVAL || r == -EBUSY || !ours;
	/* The kernel takes a namespace down later: by then somebody may have found a wire's other end sound. */
	if (r == 0 && ours)
		r = weir_inside_clear(links, ep, NULL, &why);
	weir_inside_close(&links->inside); /* or it would live on behind our socket */
	if (foreign) {
		weir_trace(links->trace, "namespace %s stays: it is not weir's", path);
		return 0;
	}
	r = weir_request_allow(r, 0, &why, err);
	if (r < 0)
		return r;
	weir_trace(links->trace, "namespace delete %s", path);
	return weir_netns_delete(path, err);
}

/* One of the user's own stays, and forwards no more than before. */
static int leave_foreign(struct weir_links *links, const struct weir_endpoint *ep,
			 struct weir_err *err)
{
	struct weir_endpoint gone = *ep;
	struct preparing preparing = { .links = links, .ep = &gone };
	struct weir_err why = { 0 };

	if (ep->netns != WEIR_NETNS_PATH || !ep->forward)
		return 0;
	gone.forward = false;
	int r = open_known(links, ep, &why);
	if (r == -ENOENT || r == -ESTALE || r == -EINVAL || r == -EBUSY)
		return 0; /* it is gone, or not the endpoint's */
	if (r == 0)
		r = weir_iface_get(&links->inside.channel, "lo", &preparing.lo, &why);
	if (r == 0)
		r = weir_netns_run(links->inside.fd, ensure_forwarding, &preparing, &why);
	return weir_request_allow(r, 0, &why, err);
}

int weir_namespace_remove(struct weir_links *links, const struct weir_endpoint *ep,
			  struct weir_err *err)
{
	char path[PATH_MAX];

	if (ep->netns != WEIR_NETNS_OWN)
		return leave_foreign(links, ep, err);
	int r = namespace_path(ep, path, err);
	if (r == 0)
		r = weir_names_remove(links, ep, err);
	return r < 0 ? r : remove_own(links, ep, path, err);
}
