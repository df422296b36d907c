/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model: making, ordering, finding and copying its objects. */
#include "core/model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct weir_mode_traits modes[] = {
	[WEIR_MODE_BRIDGE] = { "bridge", .host = true, .bridge = true, .device = true },
	[WEIR_MODE_P2P] = { "p2p", .wire = true },
	[WEIR_MODE_MACVLAN] = { "macvlan", .parent = true },
	[WEIR_MODE_IPVLAN] = { "ipvlan", .parent = true },
	[WEIR_MODE_VLAN] = { "vlan", .parent = true, .device = true },
	[WEIR_MODE_ROUTED] = { "routed", .host = true, .routed = true, .device = true },
};
static_assert(sizeof(modes) / sizeof(modes[0]) == WEIR_NUM_MODES, "a row for each");

const struct weir_mode_traits *weir_mode_traits(enum weir_mode mode)
{
	return &modes[mode];
}

const char *weir_mode_name(enum weir_mode mode)
{
	return modes[mode].name;
}

void weir_model_free(struct weir_model *model)
{
	weir_arena_free(&model->arena);
	*model = (struct weir_model){ 0 };
}

/* ---- making ---- */

/* One more zeroed item at the end of *items; what stood behind the old end may be stale. */
static void *append(struct weir_arena *arena, void **items, size_t *n, size_t size)
{
	char *more = weir_arena_grow(arena, *items, *n, size);

	if (!more)
		return NULL;
	*items = more;
	return memset(more + (*n)++ * size, 0, size);
}

#define APPEND(arena, items, n)                                                 \
	({                                                                      \
		void *items_ = (items);                                         \
		void *item_ = append((arena), &items_, &(n), sizeof(*(items))); \
		(items) = items_;                                               \
		item_;                                                          \
	})

struct weir_network *weir_model_add_network(struct weir_model *model)
{
	return APPEND(&model->arena, model->networks, model->n_networks);
}

struct weir_endpoint *weir_model_add_endpoint(struct weir_model *model)
{
	return APPEND(&model->arena, model->endpoints, model->n_endpoints);
}

struct weir_attachment *weir_endpoint_add_attachment(struct weir_model *model,
						     struct weir_endpoint *ep)
{
	return APPEND(&model->arena, ep->attachments, ep->n_attachments);
}

struct weir_mapping *weir_endpoint_add_mapping(struct weir_model *model, struct weir_endpoint *ep)
{
	return APPEND(&model->arena, ep->mappings, ep->n_mappings);
}

struct weir_policy *weir_model_add_policy(struct weir_model *model)
{
	return APPEND(&model->arena, model->policies, model->n_policies);
}

/* ---- order ---- */

static int compare_networks(const void *a, const void *b)
{
	return strcmp(((const struct weir_network *)a)->name,
		      ((const struct weir_network *)b)->name);
}

static int compare_endpoints(const void *a, const void *b)
{
	return strcmp(((const struct weir_endpoint *)a)->name,
		      ((const struct weir_endpoint *)b)->name);
}

static int compare_mappings(const void *a, const void *b)
{
	return weir_mapping_cmp(a, b);
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct weir_label *)a)->key, ((const struct weir_label *)b)->key);
}

static int compare_routes(const void *a, const void *b)
{
	const struct weir_route *x = a, *y = b;
	int order = weir_prefix_cmp(&x->to, &y->to);
	return order ? order : weir_addr_cmp(&x->via, &y->via);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct weir_range *x = a, *y = b;
	int order = weir_addr_cmp(&x->lo, &y->lo);
	return order ? order : weir_addr_cmp(&x->hi, &y->hi);
}

static int compare_policies(const void *a, const void *b)
{
	return weir_policy_cmp(a, b);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Most arrays are in order already: what comes out of the store, or a file written by a program. */
static void sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	const char *item = items;

	for (size_t i = 1; i < n; i++, item += size)
		if (compare(item, item + size) > 0) {
			qsort(items, n, size, compare);
			return;
		}
}

#define SORT(items, n, compare) sort((items), (n), sizeof(*(items)), (compare))

static int compare_sysctls(const void *a, const void *b)
{
	return strcmp(((const struct weir_sysctl *)a)->key, ((const struct weir_sysctl *)b)->key);
}

void weir_endpoint_sort(struct weir_endpoint *ep)
{
	SORT(ep->mappings, ep->n_mappings, compare_mappings);
	SORT(ep->labels, ep->n_labels, compare_labels);
	SORT(ep->routes, ep->n_routes, compare_routes);
	for (size_t i = 0; i < ep->n_attachments; i++)
		SORT(ep->attachments[i].sysctls, ep->attachments[i].n_sysctls, compare_sysctls);
}

void weir_model_sort(struct weir_model *model)
{
	SORT(model->networks, model->n_networks, compare_networks);
	SORT(model->endpoints, model->n_endpoints, compare_endpoints);
	for (size_t i = 0; i < model->n_networks; i++) {
		struct weir_network *net = &model->networks[i];
		SORT(net->excluded, net->n_excluded, compare_ranges);
		SORT(net->trusted, net->n_trusted, compare_strings);
	}
	for (size_t i = 0; i < model->n_endpoints; i++)
		weir_endpoint_sort(&model->endpoints[i]);
	SORT(model->policies, model->n_policies, compare_policies);
	for (size_t i = 0; i < model->n_policies; i++)
		weir_policy_sort(&model->policies[i]);
}

/* ---- finding ---- */

struct weir_network *weir_model_network(const struct weir_model *model, const char *name)
{
	const struct weir_network key = { .name = name };

	return !model->n_networks ? NULL
				  : bsearch(&key, model->networks, model->n_networks, sizeof(key),
					    compare_networks);
}

struct weir_endpoint *weir_model_endpoint(const struct weir_model *model, const char *name)
{
	const struct weir_endpoint key = { .name = name };

	return !model->n_endpoints ? NULL
				   : bsearch(&key, model->endpoints, model->n_endpoints,
					     sizeof(key), compare_endpoints);
}

/* Few, and asked for while they are still unsorted. */
struct weir_attachment *weir_endpoint_attachment(const struct weir_endpoint *ep,
						 const char *network)
{
	for (size_t i = 0; i < ep->n_attachments; i++)
		if (strcmp(ep->attachments[i].network, network) == 0)
			return &ep->attachments[i];
	return NULL;
}

/* Their order is not that of names. */
struct weir_policy *weir_model_policy(const struct weir_model *model, const char *name)
{
	for (size_t i = 0; i < model->n_policies; i++)
		if (strcmp(model->policies[i].name, name) == 0)
			return &model->policies[i];
	return NULL;
}

const char *weir_endpoint_networks(const struct weir_endpoint *ep, struct weir_arena *arena)
{
	const char **sorted = weir_arena_alloc(arena, (ep->n_attachments + 1) * sizeof(*sorted));
	char *list = sorted ? weir_arena_alloc(arena, ep->n_attachments * (WEIR_NAME_MAX + 1) + 1)
			    : NULL;
	size_t used = 0;

	if (!list)
		return NULL;
	for (size_t i = 0; i < ep->n_attachments; i++)
		sorted[i] = ep->attachments[i].network;
	qsort(sorted, ep->n_attachments, sizeof(*sorted), compare_strings);
	for (size_t i = 0; i < ep->n_attachments; i++) {
		size_t len = strlen(sorted[i]);
		if (used)
			list[used++] = ' ';
		memcpy(list + used, sorted[i], len);
		used += len;
	}
	return list;
}

/* ---- copies ---- */

/* 0, or -ENOMEM. */
#define COPY_ARRAY(arena, dst, src, items, n)                                                    \
	({                                                                                       \
		(dst)->items =                                                                   \
			weir_arena_copy((arena), (src)->items, (src)->n, sizeof(*(src)->items)); \
		(src)->n && !(dst)->items ? -ENOMEM : 0;                                         \
	})

/* A string in place; NULL stays NULL. */
static int copy_string(struct weir_arena *arena, const char **text)
{
	const char *copy = weir_arena_strdup(arena, *text);

	if (*text && !copy)
		return -ENOMEM;
	*text = copy;
	return 0;
}

int weir_network_copy(struct weir_model *to, struct weir_network *dst,
		      const struct weir_network *src)
{
	struct weir_arena *arena = &to->arena;
	struct weir_network net = *src;

	if (copy_string(arena, &net.name) < 0 || copy_string(arena, &net.gateway_endpoint) < 0 ||
	    COPY_ARRAY(arena, &net, src, subnets, n_subnets) < 0 ||
	    COPY_ARRAY(arena, &net, src, excluded, n_excluded) < 0 ||
	    COPY_ARRAY(arena, &net, src, trusted, n_trusted) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < net.n_trusted; i++)
		if (copy_string(arena, &net.trusted[i]) < 0)
			return -ENOMEM;
	*dst = net;
	return 0;
}

static int copy_attachment(struct weir_arena *arena, struct weir_attachment *att)
{
	const struct weir_attachment src = *att;
	int r = copy_string(arena, &att->network) |
		COPY_ARRAY(arena, att, &src, sysctls, n_sysctls);

	for (size_t i = 0; r == 0 && i < att->n_sysctls; i++)
		r = copy_string(arena, &att->sysctls[i].key) |
		    copy_string(arena, &att->sysctls[i].value);
	return r;
}

static int copy_endpoint_strings(struct weir_arena *arena, struct weir_endpoint *ep)
{
	int r = copy_string(arena, &ep->name) | copy_string(arena, &ep->netns_path);

	for (size_t i = 0; i < ep->n_attachments; i++)
		r |= copy_attachment(arena, &ep->attachments[i]);
	for (size_t i = 0; i < ep->n_mappings; i++)
		r |= copy_string(arena, &ep->mappings[i].network);
	for (size_t i = 0; i < ep->n_labels; i++)
		r |= copy_string(arena, &ep->labels[i].key) |
		     copy_string(arena, &ep->labels[i].value);
	return r < 0 ? -ENOMEM : 0;
}

int weir_endpoint_copy(struct weir_model *to, struct weir_endpoint *dst,
		       const struct weir_endpoint *src)
{
	struct weir_arena *arena = &to->arena;
	struct weir_endpoint ep = *src;

	if (COPY_ARRAY(arena, &ep, src, attachments, n_attachments) < 0 ||
	    COPY_ARRAY(arena, &ep, src, mappings, n_mappings) < 0 ||
	    COPY_ARRAY(arena, &ep, src, labels, n_labels) < 0 ||
	    COPY_ARRAY(arena, &ep, src, routes, n_routes) < 0 ||
	    COPY_ARRAY(arena, &ep, src, dns, n_dns) < 0)
		return -ENOMEM;
	int r = copy_endpoint_strings(arena, &ep);
	if (r == 0)
		*dst = ep;
	return r;
}

/* ---- equality ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_addrs(const struct weir_addr *a, const struct weir_addr *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (weir_addr_cmp(&a[i], &b[i]) != 0)
			return false;
	return true;
}

static bool same_subnets(const struct weir_network *a, const struct weir_network *b)
{
	if (a->n_subnets != b->n_subnets)
		return false;
	for (size_t i = 0; i < a->n_subnets; i++)
		if (weir_prefix_cmp(&a->subnets[i].prefix, &b->subnets[i].prefix) != 0 ||
		    weir_addr_cmp(&a->subnets[i].gateway, &b->subnets[i].gateway) != 0)
			return false;
	return true;
}

static bool same_network_lists(const struct weir_network *a, const struct weir_network *b)
{
	if (a->n_excluded != b->n_excluded || a->n_trusted != b->n_trusted)
		return false;
	for (size_t i = 0; i < a->n_excluded; i++)
		if (compare_ranges(&a->excluded[i], &b->excluded[i]) != 0)
			return false;
	for (size_t i = 0; i < a->n_trusted; i++)
		if (strcmp(a->trusted[i], b->trusted[i]) != 0)
			return false;
	return true;
}

bool weir_network_equal(const struct weir_network *a, const struct weir_network *b)
{
	return same_text(a->name, b->name) && a->mode == b->mode &&
	       strcmp(a->ifname, b->ifname) == 0 && same_subnets(a, b) &&
	       same_network_lists(a, b) && same_text(a->gateway_endpoint, b->gateway_endpoint) &&
	       same_addrs(a->gateways, b->gateways, WEIR_NUM_FAMILIES) && a->nat == b->nat &&
	       same_addrs(a->nat_addr, b->nat_addr, WEIR_NUM_FAMILIES) && a->mtu == b->mtu &&
	       weir_mac_cmp(&a->mac, &b->mac) == 0 && a->internal == b->internal &&
	       a->isolate == b->isolate && a->host_deny == b->host_deny &&
	       a->filter_bridged == b->filter_bridged && a->egress == b->egress &&
	       a->ingress == b->ingress && a->filtered == b->filtered &&
	       strcmp(a->parent, b->parent) == 0 && a->vlan == b->vlan && a->adopt == b->adopt &&
	       a->no_spoof_guard == b->no_spoof_guard && a->strict == b->strict &&
	       a->nat_random == b->nat_random;
}

static bool same_sysctls(const struct weir_attachment *a, const struct weir_attachment *b)
{
	if (a->n_sysctls != b->n_sysctls)
		return false;
	for (size_t i = 0; i < a->n_sysctls; i++)
		if (strcmp(a->sysctls[i].key, b->sysctls[i].key) != 0 ||
		    strcmp(a->sysctls[i].value, b->sysctls[i].value) != 0)
			return false;
	return true;
}

bool weir_attachment_equal(const struct weir_attachment *a, const struct weir_attachment *b)
{
	return same_text(a->network, b->network) &&
	       same_addrs(a->addrs, b->addrs, WEIR_NUM_FAMILIES) &&
	       weir_mac_cmp(&a->mac, &b->mac) == 0 && strcmp(a->ifname, b->ifname) == 0 &&
	       strcmp(a->host_ifname, b->host_ifname) == 0 && a->priority == b->priority &&
	       a->mtu == b->mtu && a->isolated == b->isolated && a->locked == b->locked &&
	       same_sysctls(a, b);
}

static bool same_connections(const struct weir_endpoint *a, const struct weir_endpoint *b)
{
	if (a->n_attachments != b->n_attachments || a->n_mappings != b->n_mappings ||
	    a->n_routes != b->n_routes)
		return false;
	for (size_t i = 0; i < a->n_attachments; i++) {
		const struct weir_attachment *att = &a->attachments[i];
		const struct weir_attachment *other = weir_endpoint_attachment(b, att->network);
		if (!other || !weir_attachment_equal(att, other))
			return false;
	}
	for (size_t i = 0; i < a->n_mappings; i++)
		if (weir_mapping_cmp(&a->mappings[i], &b->mappings[i]) != 0)
			return false;
	for (size_t i = 0; i < a->n_routes; i++)
		if (compare_routes(&a->routes[i], &b->routes[i]) != 0)
			return false;
	return true;
}

static bool same_labels(const struct weir_endpoint *a, const struct weir_endpoint *b)
{
	if (a->n_labels != b->n_labels)
		return false;
	for (size_t i = 0; i < a->n_labels; i++)
		if (!same_text(a->labels[i].key, b->labels[i].key) ||
		    !same_text(a->labels[i].value, b->labels[i].value))
			return false;
	return true;
}

bool weir_endpoint_equal(const struct weir_endpoint *a, const struct weir_endpoint *b)
{
	return same_text(a->name, b->name) && a->netns == b->netns &&
	       same_text(a->netns_path, b->netns_path) && same_connections(a, b) &&
	       same_labels(a, b) && a->n_dns == b->n_dns && same_addrs(a->dns, b->dns, a->n_dns) &&
	       a->forward == b->forward && weir_rate_equal(&a->rate, &b->rate);
}

bool weir_netns_id_equal(const struct weir_netns_id *a, const struct weir_netns_id *b)
{
	return a->ino == b->ino && a->dev == b->dev && strcmp(a->boot, b->boot) == 0 &&
	       (!a->cookie || !b->cookie || a->cookie == b->cookie);
}

bool weir_endpoint_same_netns(const struct weir_endpoint *a, const struct weir_endpoint *b)
{
	return a->netns == b->netns &&
	       (a->netns != WEIR_NETNS_PATH || strcmp(a->netns_path, b->netns_path) == 0);
}
