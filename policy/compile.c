/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a model means, as a ruleset.
 *
 * How it works: each object contributes entries of its own, and none depends on what other
 * objects of its kind there are; an endpoint's depend on the networks that it attaches to. So
 * part of a model compiles to part of the ruleset. A p2p network contributes nothing: its
 * packets never meet the host. Of a routed one each port is a network's interface. */
#include "policy/compile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct compiler {
	const struct weir_model *model;
	struct weir_ruleset *rules;
	struct weir_err *err;
};

static int add(struct compiler *c, const struct weir_entry *entry)
{
	return weir_ruleset_add(c->rules, entry, c->err);
}

static void set_ifname(char to[WEIR_IFNAME_SIZE], const char *from)
{
	(void)snprintf(to, WEIR_IFNAME_SIZE, "%s", from);
}

/* ---- networks ---- */

/* A bridge, or one of a routed network's ports, which are `together`. */
static int add_network(struct compiler *c, const struct weir_network *net, const char *ifname,
		       const char *together)
{
	struct weir_entry entry = { .kind = WEIR_ENTRY_NETWORK,
				    .owner = net->name,
				    .origin = net->origin };

	set_ifname(entry.ifname, ifname);
	set_ifname(entry.from_ifname, together);
	if (net->internal)
		entry.flags |= WEIR_CLOSED | WEIR_HOST_DENY;
	if (net->isolate)
		entry.flags |= WEIR_ISOLATED;
	if (net->host_deny)
		entry.flags |= WEIR_HOST_DENY;
	if (net->filtered)
		entry.flags |= WEIR_FILTERED;
	if (net->egress == WEIR_DEFAULT_DENY)
		entry.flags |= WEIR_EGRESS_DENY;
	if (net->ingress == WEIR_DEFAULT_DENY)
		entry.flags |= WEIR_INGRESS_DENY;
	if (net->ingress == WEIR_DEFAULT_ALLOW)
		entry.flags |= WEIR_INGRESS_ALLOW;
	return add(c, &entry);
}

/* The host does not route for a network whose gateway is an endpoint: nothing to translate.
 * Nothing leaves an internal network, but what has a translation is guarded against direct
 * access from outside, so it gets one. A family without the address that the user wished for the
 * other is masqueraded. */
static enum weir_nat subnet_nat(const struct weir_network *net, enum weir_family family)
{
	if (net->gateway_endpoint)
		return WEIR_NAT_NONE;
	if (net->internal)
		return WEIR_NAT_MASQUERADE;
	if (net->nat == WEIR_NAT_ADDRESS && !weir_addr_is_set(&net->nat_addr[family]))
		return WEIR_NAT_MASQUERADE;
	return net->nat;
}

static int add_subnet(struct compiler *c, const struct weir_network *net,
		      const struct weir_subnet *subnet)
{
	enum weir_family family = subnet->prefix.addr.family;
	enum weir_nat nat = subnet_nat(net, family);
	struct weir_entry entry = {
		.kind = WEIR_ENTRY_SUBNET,
		.family = family,
		.addr = weir_prefix_base(&subnet->prefix),
		.prefix_len = subnet->prefix.len,
		.nat = (uint8_t)nat,
		.flags = net->nat_random && nat != WEIR_NAT_NONE ? WEIR_NAT_RANDOM : 0,
		.to = nat == WEIR_NAT_ADDRESS ? net->nat_addr[family] : (struct weir_addr){ 0 },
		.owner = net->name,
		.origin = subnet->origin,
	};

	set_ifname(entry.ifname, net->ifname);
	return add(c, &entry);
}

static int add_gateway(struct compiler *c, const struct weir_network *net,
		       const struct weir_subnet *subnet)
{
	struct weir_entry entry = {
		.kind = WEIR_ENTRY_GATEWAY,
		.family = subnet->gateway.family,
		.addr = subnet->gateway,
		.owner = net->name,
		.origin = subnet->origin,
	};

	if (net->gateway_endpoint || !weir_addr_is_set(&subnet->gateway))
		return 0;
	set_ifname(entry.ifname, net->ifname);
	return add(c, &entry);
}

/* to: a subnet of a routed network, else NULL. */
static int add_trusted(struct compiler *c, const struct weir_network *net, const char *from,
		       const struct weir_prefix *to)
{
	struct weir_entry entry = { .kind = WEIR_ENTRY_TRUSTED,
				    .owner = net->name,
				    .origin = net->origin };

	if (to) {
		entry.family = to->addr.family;
		entry.addr = weir_prefix_base(to);
		entry.prefix_len = to->len;
	}
	set_ifname(entry.from_ifname, from);
	set_ifname(entry.ifname, net->ifname);
	return add(c, &entry);
}

static int add_segment(struct compiler *c, const struct weir_network *net,
		       const struct weir_subnet *from, const struct weir_subnet *to)
{
	struct weir_entry entry = {
		.kind = WEIR_ENTRY_SEGMENT,
		.family = from->prefix.addr.family,
		.addr = weir_prefix_base(&from->prefix),
		.prefix_len = from->prefix.len,
		.to = weir_prefix_base(&to->prefix),
		.to_len = to->prefix.len,
		.owner = net->name,
		.origin = from->origin,
	};

	if (from->prefix.addr.family != to->prefix.addr.family)
		return 0;
	set_ifname(entry.ifname, net->ifname);
	return add(c, &entry);
}

/* Who is in a routed network, and who may come in, is told by the addresses: there is no one interface. */
static int add_routed(struct compiler *c, const struct weir_network *net,
		      const struct weir_subnet *subnet)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < net->n_subnets; i++)
		r = add_segment(c, net, subnet, &net->subnets[i]);
	for (size_t i = 0; r == 0 && i < net->n_trusted; i++)
		r = add_trusted(c, net, net->trusted[i], &subnet->prefix);
	return r;
}

static int compile_network(struct compiler *c, const struct weir_network *net)
{
	const struct weir_mode_traits *mode = weir_mode_traits(net->mode);

	if (!mode->host)
		return 0;
	int r = mode->routed ? 0 : add_network(c, net, net->ifname, "");
	for (size_t i = 0; r == 0 && i < net->n_subnets; i++) {
		r = add_subnet(c, net, &net->subnets[i]);
		if (r == 0)
			r = add_gateway(c, net, &net->subnets[i]);
	}
	for (size_t i = 0; r == 0 && !mode->routed && i < net->n_trusted; i++)
		r = add_trusted(c, net, net->trusted[i], NULL);
	for (size_t i = 0; r == 0 && mode->routed && i < net->n_subnets; i++)
		r = add_routed(c, net, &net->subnets[i]);
	return r;
}

/* ---- attachments ---- */

/* What the host routes back is known by its source: nobody may send with another one, and nobody but the
 * host may route. */
static const char *isolation_leaks(const struct weir_network *net, const struct weir_endpoint *ep)
{
	if (net->no_spoof_guard)
		return "has no spoof guard, and is told by its address from those that are not "
		       "isolated "
		       "(isolate: true in the network needs none)";
	if (ep->forward)
		return "holds an endpoint that forwards for others, with their addresses";
	if (net->gateway_endpoint)
		return "has an endpoint for its gateway, which would route from one to the other";
	return NULL;
}

static int check_port_flags(struct compiler *c, const struct weir_network *net,
			    const struct weir_endpoint *ep, const struct weir_attachment *att)
{
	const char *leak = att->isolated ? isolation_leaks(net, ep) : NULL;

	if ((att->isolated || att->locked) && !weir_mode_traits(net->mode)->bridge)
		return weir_err_at(
			c->err, EINVAL, &att->origin,
			"endpoint \"%s\": %s in network \"%s\": a %s network has no bridge "
			"with a port to be that",
			ep->name, att->isolated ? "isolated" : "locked", net->name,
			weir_mode_name(net->mode));
	return !leak ? 0
		     : weir_err_at(c->err, EINVAL, &att->origin,
				   "endpoint \"%s\" cannot be isolated: network \"%s\" %s",
				   ep->name, net->name, leak);
}

static int add_isolated(struct compiler *c, const struct weir_network *net,
			const struct weir_endpoint *ep, const struct weir_attachment *att)
{
	int r = 0;

	for (int family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++) {
		struct weir_entry entry = {
			.kind = WEIR_ENTRY_ISOLATED,
			.family = (enum weir_family)family,
			.addr = att->addrs[family],
			.owner = ep->name,
			.origin = att->origin,
		};
		set_ifname(entry.ifname, net->ifname);
		if (weir_addr_is_set(&att->addrs[family]))
			r = add(c, &entry);
	}
	return r;
}

static int add_sources(struct compiler *c, const struct weir_endpoint *ep,
		       const struct weir_attachment *att, const char *ifname)
{
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		struct weir_entry entry = {
			.kind = WEIR_ENTRY_SOURCE,
			.family = (enum weir_family)family,
			.addr = att->addrs[family],
			.owner = ep->name,
			.origin = att->origin,
		};
		set_ifname(entry.ifname, ifname);
		int r = weir_addr_is_set(&att->addrs[family]) ? add(c, &entry) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int compile_attachment(struct compiler *c, const struct weir_endpoint *ep,
			      const struct weir_attachment *att)
{
	const struct weir_network *net = weir_model_network(c->model, att->network);

	if (!net)
		return weir_err_at(c->err, ENOENT, &att->origin,
				   "endpoint \"%s\": no network named \"%s\" (weir network ls)",
				   ep->name, att->network);
	int r = check_port_flags(c, net, ep, att);
	if (r < 0 || !weir_mode_traits(net->mode)->host)
		return r;
	if (!weir_mode_traits(net->mode)->routed) {
		r = add_sources(c, ep, att, net->ifname);
		return r < 0 || !att->isolated ? r : add_isolated(c, net, ep, att);
	}
	r = add_network(c, net, att->host_ifname, net->ifname);
	return r < 0 ? r : add_sources(c, ep, att, att->host_ifname);
}

/* ---- mappings ---- */

/* Why nothing can be published in a network; NULL when it can. */
static const char *unpublishable(const struct weir_network *net)
{
	const struct weir_mode_traits *mode = weir_mode_traits(net->mode);

	if (mode->wire)
		return "is p2p: its packets never meet the host";
	if (mode->parent)
		return "is on a parent interface: its packets pass the host by";
	if (net->internal)
		return "is internal: nothing comes in from outside";
	if (net->gateway_endpoint)
		return "has an endpoint for its gateway: replies would not come back to the host";
	return NULL;
}

/* The error of a mapping that has no target: the reason of the attachment that comes nearest. */
static int refuse_mapping(struct compiler *c, const struct weir_endpoint *ep,
			  const struct weir_mapping *m)
{
	char text[WEIR_MAPPING_TEXT];

	(void)weir_mapping_text(m, text);
	if (m->network && !weir_endpoint_attachment(ep, m->network))
		return weir_err_at(c->err, EINVAL, &m->origin,
				   "endpoint \"%s\": %s cannot be published: it is not attached to "
				   "network \"%s\"",
				   ep->name, text, m->network);
	for (size_t i = 0; i < ep->n_attachments; i++) {
		const struct weir_network *net =
			weir_model_network(c->model, ep->attachments[i].network);
		const char *why = net ? unpublishable(net) : NULL;
		if (why && (!m->network || strcmp(m->network, net->name) == 0))
			return weir_err_at(
				c->err, EINVAL, &m->origin,
				"endpoint \"%s\": %s cannot be published: network \"%s\" %s",
				ep->name, text, net->name, why);
	}
	return weir_err_at(
		c->err, EINVAL, &m->origin,
		"endpoint \"%s\": %s cannot be published: it has no %s%saddress in %s%s%s",
		ep->name, text, weir_addr_is_set(&m->host) ? weir_family_name(m->host.family) : "",
		weir_addr_is_set(&m->host) ? " " : "",
		m->network ? "network \"" : "any network with a gateway",
		m->network ? m->network : "", m->network ? "\"" : "");
}

/* Where connections of one family go; NULL: nowhere. */
static const struct weir_addr *mapping_target(const struct weir_model *model,
					      const struct weir_endpoint *ep,
					      const struct weir_mapping *m, enum weir_family family,
					      bool *ret_strict)
{
	const struct weir_attachment *att = m->network ? weir_endpoint_attachment(ep, m->network)
						       : weir_endpoint_default(model, ep, family);
	const struct weir_network *net = att ? weir_model_network(model, att->network) : NULL;

	if (weir_addr_is_set(&m->host) && m->host.family != family)
		return NULL;
	if (!net || unpublishable(net) || !weir_addr_is_set(&att->addrs[family]))
		return NULL;
	*ret_strict = m->strict || net->strict;
	return &att->addrs[family];
}

const struct weir_addr *weir_compile_target(const struct weir_model *model,
					    const struct weir_endpoint *ep,
					    const struct weir_mapping *m, enum weir_family family)
{
	bool strict;

	return mapping_target(model, ep, m, family, &strict);
}

static int add_mapping(struct compiler *c, const struct weir_mapping *m, enum weir_family family,
		       const struct weir_addr *to, bool strict, const char *owner)
{
	struct weir_entry entry = {
		.kind = WEIR_ENTRY_MAPPING,
		.family = family,
		.addr = m->host,
		.proto = (uint8_t)m->proto,
		.ports = m->host_ports,
		.to_port = m->ports.lo,
		.to = *to,
		.owner = owner,
		.origin = m->origin,
	};

	int r = add(c, &entry);
	if (r < 0 || !strict || !weir_addr_is_set(&m->host))
		return r;
	entry.kind = WEIR_ENTRY_STRICT;
	entry.to_port = 0;
	entry.to = (struct weir_addr){ 0 };
	return add(c, &entry);
}

/* "nginx 8080:80"; a longer one is cut */
static void join_owner(char owner[WEIR_OWNER_MAX + 1], const char *endpoint, const char *mapping)
{
	size_t used = strnlen(endpoint, WEIR_OWNER_MAX - 1);
	size_t len = strnlen(mapping, WEIR_OWNER_MAX - 1 - used);

	memcpy(owner, endpoint, used);
	owner[used] = ' ';
	memcpy(owner + used + 1, mapping, len);
	owner[used + 1 + len] = '\0';
}

static int compile_mapping(struct compiler *c, const struct weir_endpoint *ep,
			   const struct weir_mapping *m)
{
	char text[WEIR_MAPPING_TEXT], owner[WEIR_OWNER_MAX + 1];
	bool any = false;

	(void)weir_mapping_text(m, text);
	if (weir_mapping_is_open(m))
		return weir_err_at(c->err, EINVAL, &m->origin,
				   "endpoint \"%s\": %s has no host port yet", ep->name, text);
	join_owner(owner, ep->name, text);
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		bool strict;
		const struct weir_addr *to =
			mapping_target(c->model, ep, m, (enum weir_family)family, &strict);
		if (!to)
			continue;
		int r = add_mapping(c, m, (enum weir_family)family, to, strict, owner);
		if (r < 0)
			return r;
		any = true;
	}
	return any ? 0 : refuse_mapping(c, ep, m);
}

static int compile_endpoint(struct compiler *c, const struct weir_endpoint *ep)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ep->n_attachments; i++)
		r = compile_attachment(c, ep, &ep->attachments[i]);
	for (size_t i = 0; r == 0 && i < ep->n_mappings; i++)
		r = compile_mapping(c, ep, &ep->mappings[i]);
	return r;
}

/* Mappings are what there may be very many of; each is an entry of one family or of both. */
static size_t guess_entries(const struct weir_model *model)
{
	size_t n = 16;
	for (size_t i = 0; i < model->n_endpoints; i++)
		n += 2 * model->endpoints[i].n_mappings + 2;
	return n;
}

int weir_compile(const struct weir_model *model, struct weir_ruleset *ret, struct weir_err *err)
{
	struct compiler c = { .model = model, .rules = ret, .err = err };
	int r = weir_ruleset_reserve(ret, guess_entries(model), err);

	for (size_t i = 0; r == 0 && i < model->n_networks; i++)
		r = compile_network(&c, &model->networks[i]);
	for (size_t i = 0; r == 0 && i < model->n_endpoints; i++)
		r = compile_endpoint(&c, &model->endpoints[i]);
	if (r == 0)
		r = weir_compile_policies(model, ret, err);
	return r < 0 ? r : weir_ruleset_sort(ret, err);
}
