/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that are there, judged by what networks, policies and defaults say now.
 *
 * How it works: a filter sees a connection's first packet only, so what was let through goes on when
 * it would not be let through any more. What conntrack knows is who sends and who answers, behind
 * every translation; by which interface it came it does not know. So whose address it is tells the network,
 * and what comes from outside may have come by whatever interface the network trusts.
 *
 * The order is that of the rules: what no policy opens (refused_always), policies, the host's door, and then
 * the defaults and what is usual. */
#include "policy/judge.h"

#include "policy/gates.h"
#include "policy/locate.h"

enum { DNS_PORT = 53 };

static const enum weir_l4 l4s[UINT8_MAX + 1] = {
	[6] = WEIR_L4_TCP,  [17] = WEIR_L4_UDP,	   [132] = WEIR_L4_SCTP,
	[1] = WEIR_L4_ICMP, [58] = WEIR_L4_ICMPV6,
};

static bool has_addr(const struct weir_attachment *att, const struct weir_addr *addr)
{
	struct weir_addr own = att->addrs[addr->family];

	if (weir_addr_is_set(&own) && weir_addr_is_link_local(addr))
		own = weir_link_local(&att->mac);
	return weir_addr_cmp(&own, addr) == 0;
}

static struct weir_peer find_peer(const struct weir_model *model, const struct weir_addr *addr,
				  bool host)
{
	struct weir_peer peer = { .host = host || weir_locate_gateway(model, addr), .addr = *addr };

	for (size_t i = 0; !peer.host && !peer.ep && i < model->n_endpoints; i++)
		for (size_t k = 0; k < model->endpoints[i].n_attachments; k++) {
			const struct weir_attachment *att = &model->endpoints[i].attachments[k];
			if (!has_addr(att, addr))
				continue;
			peer.ep = &model->endpoints[i];
			peer.att = att;
		}
	return peer;
}

/* On a bridge there may be others than weir's endpoints; the rules ask for the interface. */
static const struct weir_network *network_of(const struct weir_model *model,
					     const struct weir_peer *peer)
{
	if (peer->host)
		return NULL;
	return peer->ep ? weir_model_network(model, peer->att->network)
			: weir_locate_network(model, &peer->addr);
}

static bool denies(const struct weir_policy *policy)
{
	return policy && policy->action != WEIR_ALLOW;
}

/* What an endpoint routes, its network's bridge carries on its way to the router or from it. */
static bool is_carried(const struct weir_network *net, const struct weir_network *other)
{
	return net && net != other && net->gateway_endpoint;
}

/* ---- what no policy opens ---- */

static bool is_isolated(const struct weir_network *net, const struct weir_peer *peer)
{
	return net->isolate || (peer->ep && peer->att->isolated);
}

/* Where bridged packets meet the IP hooks, what is published meets the ports' isolation as well. */
static bool is_apart(const struct weir_network *net, const struct weir_peer *from,
		     const struct weir_peer *to, bool published)
{
	bool bridged = weir_mode_traits(net->mode)->bridge && weir_network_is_filtered(net);

	return is_isolated(net, from) && is_isolated(net, to) && (!published || bridged);
}

static bool is_internal(const struct weir_network *net)
{
	return net && net->internal && weir_locate_is_hosted(net);
}

/* From outside, straight to an address that the outside is not to know. */
static bool is_direct(const struct weir_network *to, bool distrusted)
{
	return to && weir_locate_is_hosted(to) && (to->internal || to->nat != WEIR_NAT_NONE) &&
	       (distrusted || !to->n_trusted);
}

static bool refused_always(const struct weir_connection *conn, const struct weir_peer *from,
			   const struct weir_peer *to, const struct weir_network *out,
			   const struct weir_network *in, bool published)
{
	if (from->host || to->host)
		return false;
	if (out && out == in)
		return is_apart(out, from, to, published);
	if ((is_carried(out, in) && out->isolate) || (is_carried(in, out) && in->isolate))
		return !published;
	return is_internal(out) || is_internal(in) ||
	       (!out && !published && is_direct(in, conn->distrusted));
}

/* ---- the host's door ---- */

static bool is_closed_to(const struct weir_network *out, const struct weir_connection *conn)
{
	enum weir_l4 l4 = l4s[conn->protocol];
	bool resolver = (l4 == WEIR_L4_TCP || l4 == WEIR_L4_UDP) && conn->port == DNS_PORT;

	return (out->host_deny || out->internal) && !resolver && l4 != WEIR_L4_ICMP &&
	       l4 != WEIR_L4_ICMPV6;
}

/* ---- policies ---- */

/* Do policies and defaults see what two of the network say to each other? */
static bool is_bound(const struct weir_network *net)
{
	return net->filtered || net->isolate || weir_mode_traits(net->mode)->routed;
}

/* Can a policy mean both? It means endpoints and the outside, never somebody else in a network; and on the
 * bridge that carries it to a router, or from one, nothing looks like the outside. */
static bool is_meant(const struct weir_peer *from, const struct weir_peer *to,
		     const struct weir_network *out, const struct weir_network *in)
{
	if (is_carried(out, in))
		return is_bound(out) && from->ep && to->ep;
	if (is_carried(in, out))
		return from->ep;
	return (from->host || from->ep || !out) && (to->host || to->ep || !in);
}

/* ---- the defaults ---- */

/* Of a network by which it passes: what a bridge carries comes out of the network and goes into it. */
static bool is_kept(const struct weir_network *net, const struct weir_gates *gates)
{
	return net && is_bound(net) &&
	       ((!gates->egress && net->egress == WEIR_DEFAULT_DENY) ||
		(!gates->ingress && net->ingress == WEIR_DEFAULT_DENY));
}

/* Does the host route it, and lets nothing pass by itself? From outside it may have come by an interface
 * that is trusted. */
static bool is_closed(const struct weir_network *from, const struct weir_network *to,
		      bool distrusted)
{
	if (!to || from == to || !weir_locate_is_hosted(to))
		return false;
	if (from && weir_locate_is_hosted(from))
		return to->ingress == WEIR_AS_USUAL && !weir_locate_is_trusted(to, from->ifname);
	return distrusted || !to->n_trusted;
}

/* No policy denies: do the defaults, or what is usual? */
static bool refused_by_default(const struct weir_network *from, const struct weir_network *to,
			       const struct weir_gates *gates, bool published, bool distrusted)
{
	if (!gates->egress && from && from->egress == WEIR_DEFAULT_DENY)
		return true;
	return !gates->ingress && ((to && to->ingress == WEIR_DEFAULT_DENY) ||
				   (!published && is_closed(from, to, distrusted)));
}

bool weir_judge_refuses(const void *everybody, const struct weir_connection *conn)
{
	const struct weir_model *model = everybody;
	struct weir_peer from = find_peer(model, &conn->from, conn->from_host);
	struct weir_peer to = find_peer(model, &conn->to, conn->to_host);
	const struct weir_network *out = network_of(model, &from), *in = network_of(model, &to);
	const struct weir_gates silent = { 0 };
	struct weir_gates gates = silent;
	/* nobody knows by which interface came what had announced it */
	bool published = conn->published || (conn->expected && !conn->distrusted);

	/* these pass nobody by */
	if (!out && !from.host && weir_addr_is_link_local(&from.addr))
		out = in;
	if (!in && !to.host && weir_addr_is_link_local(&to.addr))
		in = out;
	if (!out && !in)
		return false;
	if (refused_always(conn, &from, &to, out, in, published))
		return true;
	if (out && out == in && !is_bound(out))
		return false;
	/* no policy can mean these there */
	if (out && out == in && out->filtered &&
	    (weir_addr_is_link_local(&conn->from) || weir_addr_is_link_local(&conn->to)))
		return true;
	if (is_meant(&from, &to, out, in))
		weir_gates_ask(model, &from, &to, l4s[conn->protocol], conn->port, &gates);
	if (denies(gates.egress) || denies(gates.ingress))
		return true;
	/* where it arrives, its sender is nobody of the network's */
	if (is_carried(out, in) || is_carried(in, out))
		return is_kept(out, &gates) || is_kept(in, &silent);
	if (to.host)
		return !gates.ingress && is_closed_to(out, conn);
	return !from.host && refused_by_default(out, in, &gates, published, conn->distrusted);
}
