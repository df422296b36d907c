/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be told of an endpoint from itself alone. */
#include "core/model_check.h"
#include "core/sysctl.h"
#include "core/utf8.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
	LABEL_KEY_MAX = 253, /* a DNS name, which prefixed keys begin with */
	LABEL_VALUE_MAX = 255,
	LABELS_MAX = 256,  /* these three: no real endpoint has so many, and each is */
	ROUTES_MAX = 1024, /* compared with every other */
	ATTACHMENTS_MAX = 256,
	DNS_MAX = 3 /* MAXNS, resolv.h: what comes after is never asked */
};

/* ---- the namespace ---- */

/* What an endpoint with nothing of its own to set up may not ask for. */
static int check_bare(const struct weir_endpoint *ep, const char *why, struct weir_err *err)
{
	const struct {
		size_t n;
		const char *what;
	} wishes[] = {
		{ ep->n_mappings, "publish" },
		{ ep->n_routes, "routes" },
		{ ep->n_dns && ep->netns == WEIR_NETNS_HOST, "dns" },
		{ ep->forward, "forward" },
		{ ep->rate.to, "rate" },
	};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if (wishes[i].n)
			return weir_err_at(err, EINVAL,
					   i == 0 ? &ep->mappings[0].origin : &ep->origin, "%s: %s",
					   wishes[i].what, why);
	return 0;
}

static int check_netns(const struct weir_endpoint *ep, struct weir_err *err)
{
	const char *path = ep->netns_path;

	if (ep->netns == WEIR_NETNS_HOST && ep->n_attachments)
		return weir_err_at(
			err, EINVAL, &ep->attachments[0].origin,
			"networks: it shares the host's namespace (mode host) and has none of "
			"its own");
	if (ep->netns == WEIR_NETNS_HOST)
		return check_bare(ep,
				  "it shares the host's namespace (mode host): its ports are the "
				  "host's already",
				  err);
	if (ep->netns == WEIR_NETNS_PATH && (!path || path[0] != '/' || strlen(path) >= PATH_MAX))
		return weir_err_set(err, EINVAL, "netns \"%.80s\" is not an absolute path",
				    path ? path : "");
	if (path && !weir_utf8_is_plain(path))
		return weir_err_set(
			err, EINVAL,
			"netns \"%.80s\" has a control character or bytes that are not UTF-8",
			path);
	if (!ep->n_attachments)
		return check_bare(ep, "it has no network: name one under networks", err);
	return 0;
}

/* ---- attachments ---- */

static int check_address(const struct weir_attachment *att, enum weir_family family,
			 struct weir_err *err)
{
	const struct weir_addr *addr = &att->addrs[family];
	char text[WEIR_ADDR_TEXT];

	if (!weir_addr_is_set(addr))
		return 0;
	if (addr->family != family || weir_addr_is_any(addr) || weir_addr_is_loopback(addr) ||
	    weir_addr_is_multicast(addr))
		return weir_err_set(err, EINVAL, "ip %s: no interface can have that address",
				    weir_addr_text(addr, text));
	return 0;
}

static int check_attachment(const struct weir_attachment *att, struct weir_err *err)
{
	int r = weir_name_check("network", att->network, err);

	for (int family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++)
		r = check_address(att, (enum weir_family)family, err);
	if (r == 0 && att->ifname[0])
		r = weir_own_ifname_check(att->ifname, err);
	if (r == 0 && (att->mac.bytes[0] & 1))
		r = weir_err_set(err, EINVAL, "its MAC address is a multicast one");
	if (r == 0)
		r = weir_mtu_check(att->mtu, weir_addr_is_set(&att->addrs[WEIR_IPV6]), err);
	return r;
}

static int check_sysctls(const struct weir_endpoint *ep, const struct weir_attachment *att,
			 struct weir_err *err)
{
	if (att->n_sysctls && ep->netns != WEIR_NETNS_OWN)
		return weir_err_set(err, EINVAL,
				    "sysctls: only in a namespace that weir makes, since nobody "
				    "knows what another one's were for");
	if (att->n_sysctls > WEIR_SYSCTLS_MAX)
		return weir_err_set(err, EINVAL, "%zu sysctls are too many: at most %d",
				    att->n_sysctls, WEIR_SYSCTLS_MAX);
	for (size_t i = 0; i < att->n_sysctls; i++) {
		int r = weir_sysctl_check(&att->sysctls[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One namespace has one value. */
static int check_shared(const struct weir_attachment *a, const struct weir_attachment *b,
			struct weir_err *err)
{
	for (size_t i = 0; i < a->n_sysctls; i++)
		for (size_t k = 0; k < b->n_sysctls; k++) {
			const struct weir_sysctl *x = &a->sysctls[i], *y = &b->sysctls[k];
			if (strcmp(x->key, y->key) == 0 && strcmp(x->value, y->value) != 0 &&
			    weir_sysctl_is_shared(x->key))
				return weir_err_set(
					err, EINVAL,
					"sysctl %s is that of the whole namespace, and networks "
					"\"%s\" and \"%s\" want another value each",
					x->key, a->network, b->network);
		}
	return 0;
}

static int check_pair(const struct weir_attachment *a, const struct weir_attachment *b,
		      struct weir_err *err)
{
	char text[WEIR_ADDR_TEXT];

	if (strcmp(a->network, b->network) == 0)
		return weir_err_set(err, EINVAL, "it is attached to network \"%s\" twice",
				    a->network);
	if (a->ifname[0] && strcmp(a->ifname, b->ifname) == 0)
		return weir_err_set(err, EINVAL,
				    "interface name \"%s\" is asked for in networks \"%s\" "
				    "and \"%s\"",
				    a->ifname, a->network, b->network);
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++)
		if (weir_addr_is_set(&a->addrs[family]) &&
		    weir_addr_cmp(&a->addrs[family], &b->addrs[family]) == 0)
			return weir_err_set(err, EINVAL,
					    "ip %s is asked for in networks \"%s\" and \"%s\"",
					    weir_addr_text(&a->addrs[family], text), a->network,
					    b->network);
	return check_shared(a, b, err);
}

static int check_attachments(const struct weir_endpoint *ep, struct weir_err *err)
{
	if (ep->n_attachments > ATTACHMENTS_MAX)
		return weir_err_set(err, EINVAL, "%zu networks are too many: at most %d",
				    ep->n_attachments, ATTACHMENTS_MAX);
	for (size_t i = 0; i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		int r = check_attachment(att, err);
		if (r == 0)
			r = check_sysctls(ep, att, err);

		for (size_t j = 0; r == 0 && j < i; j++)
			r = check_pair(&ep->attachments[j], att, err);
		if (r < 0) {
			weir_err_place(err, &att->origin);
			return r;
		}
	}
	return 0;
}

/* ---- mappings ---- */

static bool overlap(const struct weir_mapping *a, const struct weir_mapping *b)
{
	return a->proto == b->proto && weir_addr_cmp(&a->host, &b->host) == 0 &&
	       b->host_ports.lo <= a->host_ports.hi;
}

static int compare_pointers(const void *a, const void *b)
{
	return weir_mapping_cmp(*(const struct weir_mapping *const *)a,
				*(const struct weir_mapping *const *)b);
}

static int refuse_pair(const struct weir_mapping *a, const struct weir_mapping *b, const char *how,
		       struct weir_err *err)
{
	const struct weir_mapping *later = b->origin.line > a->origin.line ||
							   (b->origin.line == a->origin.line &&
							    b->origin.column >= a->origin.column)
						   ? b
						   : a;
	char one[WEIR_MAPPING_TEXT], two[WEIR_MAPPING_TEXT];

	return weir_err_at(err, EINVAL, &later->origin, "published ports %s and %s %s",
			   weir_mapping_text(a, one), weir_mapping_text(b, two), how);
}

/* In order, every overlap shows in neighbours; ports that are still to be chosen take what is
 * free. */
static int check_neighbours(const struct weir_mapping *const *sorted, size_t n,
			    struct weir_err *err)
{
	const struct weir_mapping *last = NULL;

	for (size_t i = 0; i < n; i++) {
		if (i && weir_mapping_cmp(sorted[i - 1], sorted[i]) == 0)
			return refuse_pair(sorted[i - 1], sorted[i], "are the same", err);
		if (weir_mapping_is_open(sorted[i]))
			continue;
		if (last && overlap(last, sorted[i]))
			return refuse_pair(last, sorted[i], "want the same host port", err);
		last = sorted[i];
	}
	return 0;
}

static int check_mapping(const struct weir_endpoint *ep, const struct weir_mapping *m,
			 struct weir_err *err)
{
	char text[WEIR_MAPPING_TEXT];

	if (m->proto <= WEIR_NO_PROTO || m->proto >= WEIR_NUM_PROTOS || !m->ports.lo ||
	    m->ports.lo > m->ports.hi || m->host_ports.lo > m->host_ports.hi)
		return weir_err_at(err, EINVAL, &m->origin,
				   "a published port needs ports and a protocol");
	if (m->network && !weir_endpoint_attachment(ep, m->network))
		return weir_err_at(err, EINVAL, &m->origin,
				   "published port %s: it is not attached to network \"%s\"",
				   weir_mapping_text(m, text), m->network);
	return 0;
}

static int check_mappings(const struct weir_endpoint *ep, struct weir_err *err)
{
	const struct weir_mapping **sorted;

	if (!ep->n_mappings)
		return 0;
	for (size_t i = 0; i < ep->n_mappings; i++) {
		int r = check_mapping(ep, &ep->mappings[i], err);
		if (r < 0)
			return r;
	}
	sorted = calloc(ep->n_mappings, sizeof(*sorted));
	if (!sorted)
		return weir_err_set(err, ENOMEM, "no memory to compare %zu published ports",
				    ep->n_mappings);
	bool in_order = true;
	for (size_t i = 0; i < ep->n_mappings; i++) {
		sorted[i] = &ep->mappings[i];
		in_order = in_order && (!i || compare_pointers(&sorted[i - 1], &sorted[i]) <= 0);
	}
	if (!in_order)
		qsort(sorted, ep->n_mappings, sizeof(*sorted), compare_pointers);
	int r = check_neighbours(sorted, ep->n_mappings, err);
	free(sorted);
	return r;
}

/* ---- labels, routes, resolvers ---- */

int weir_label_check(const struct weir_label *label, struct weir_err *err)
{
	static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./";
	size_t len = strlen(label->key);

	if (!len || len > LABEL_KEY_MAX || label->key[strspn(label->key, alphabet)])
		return weir_err_set(
			err, EINVAL,
			"label \"%.80s\" may have letters, digits and any of - _ . / and "
			"up to %d bytes",
			label->key, LABEL_KEY_MAX);
	if (strlen(label->value) > LABEL_VALUE_MAX)
		return weir_err_set(err, EINVAL, "the value of label \"%s\" has more than %d bytes",
				    label->key, LABEL_VALUE_MAX);
	if (!weir_utf8_is_plain(label->value))
		return weir_err_set(
			err, EINVAL,
			"the value of label \"%s\" has a control character or bytes that "
			"are not UTF-8",
			label->key);
	return 0;
}

static int check_labels(const struct weir_endpoint *ep, struct weir_err *err)
{
	if (ep->n_labels > LABELS_MAX)
		return weir_err_set(err, EINVAL, "%zu labels are too many: at most %d",
				    ep->n_labels, LABELS_MAX);
	for (size_t i = 0; i < ep->n_labels; i++) {
		int r = weir_label_check(&ep->labels[i], err);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (strcmp(ep->labels[i].key, ep->labels[j].key) == 0)
				return weir_err_set(err, EINVAL, "label \"%s\" is there twice",
						    ep->labels[i].key);
	}
	return 0;
}

static int check_route(const struct weir_route *route, struct weir_err *err)
{
	char to[WEIR_PREFIX_TEXT], via[WEIR_ADDR_TEXT];

	(void)weir_prefix_text(&route->to, to);
	(void)weir_addr_text(&route->via, via);
	if (!weir_addr_is_set(&route->via) || route->via.family != route->to.addr.family)
		return weir_err_set(err, EINVAL, "route to %s via %s: both must be of one family",
				    to, via);
	if (!route->to.len)
		return weir_err_set(err, EINVAL,
				    "route to %s: the default route goes to the gateway of "
				    "the network with the highest priority",
				    to);
	int r = weir_prefix_check("route to", &route->to, err);
	if (r < 0)
		return r;
	if (weir_addr_is_any(&route->via) || weir_addr_is_multicast(&route->via) ||
	    weir_addr_is_loopback(&route->via))
		return weir_err_set(err, EINVAL, "route to %s via %s: no router has that address",
				    to, via);
	return 0;
}

static int check_routes(const struct weir_endpoint *ep, struct weir_err *err)
{
	char text[WEIR_PREFIX_TEXT];

	if (ep->n_routes > ROUTES_MAX)
		return weir_err_set(err, EINVAL, "%zu routes are too many: at most %d",
				    ep->n_routes, ROUTES_MAX);
	for (size_t i = 0; i < ep->n_routes; i++) {
		const struct weir_route *route = &ep->routes[i];
		int r = check_route(route, err);

		for (size_t j = 0; r == 0 && j < i; j++)
			if (weir_prefix_cmp(&route->to, &ep->routes[j].to) == 0)
				r = weir_err_set(err, EINVAL, "route to %s is there twice",
						 weir_prefix_text(&route->to, text));
		if (r < 0) {
			weir_err_place(err, &route->origin);
			return r;
		}
	}
	return 0;
}

static int check_dns(const struct weir_endpoint *ep, struct weir_err *err)
{
	char text[WEIR_ADDR_TEXT];

	if (ep->n_dns > DNS_MAX)
		return weir_err_set(err, EINVAL,
				    "%zu dns servers are too many: a resolver asks at most %d",
				    ep->n_dns, DNS_MAX);
	for (size_t i = 0; i < ep->n_dns; i++)
		if (!weir_addr_is_set(&ep->dns[i]) || weir_addr_is_any(&ep->dns[i]) ||
		    weir_addr_is_multicast(&ep->dns[i]))
			return weir_err_set(err, EINVAL, "dns \"%s\": no server has that address",
					    weir_addr_text(&ep->dns[i], text));
	return 0;
}

int weir_endpoint_check(const struct weir_endpoint *ep, struct weir_err *err)
{
	static int (*const checks[])(const struct weir_endpoint *ep, struct weir_err *err) = {
		check_netns,  check_attachments, check_mappings,
		check_labels, check_routes,	 check_dns,
	};

	int r = weir_name_check("endpoint", ep->name, err);
	if (r < 0) {
		weir_err_place(err, &ep->origin);
		return r;
	}
	for (size_t i = 0; r == 0 && i < sizeof(checks) / sizeof(checks[0]); i++)
		r = checks[i](ep, err);
	if (r == 0)
		return 0;
	weir_err_place(err, &ep->origin);
	return weir_err_wrap(err, r, "endpoint \"%s\"", ep->name);
}
