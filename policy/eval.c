/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens to the first packet of a flow.
 *
 * How it works: the packet's way is walked as a filter sees it, but over the model, never over the
 * ruleset, so that a mistake of the compiler shows as a difference:
 *
 *	arrival      what must not come in from where it comes
 *	translation  a local destination may be a published port
 *	forwarding   or, when the destination is the host itself, delivery
 *	departure    the source that the other side sees
 *
 * Two endpoints of one network meet on its bridge; the host sees nothing of it, unless policies or
 * defaults bind the network's own traffic (`filtered`), or it is routed.
 *
 * What is forwarded has a gate at either end, the sender's and the receiver's. What a policy denies at
 * one of them is dropped; then the networks' defaults speak where no policy did; what a policy allows
 * at the receiver's gate passes; of all else the usual rules decide. */
#include "policy/eval.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/ruleset.h"
#include "policy/gates.h"

enum { DNS_PORT = 53, ECHO4 = 8, ECHO6 = 128 };
/* ICMPv6 types; between the first two: the rest of MLD and all of neighbour discovery */
enum { LISTENER_QUERY = 130, REDIRECT = 137, LISTENER_REPORT2 = 143 };

/* The packet on its way. */
struct walk {
	const struct weir_model *model;
	const struct weir_eval_host *host;
	const struct weir_flow *flow;
	const struct weir_network *from; /* the network it comes from; NULL: host or outside */
	const struct weir_network *to;	 /* the network it goes to; NULL: the outside */
	const struct weir_endpoint *published; /* whose mapping translates it */
	const struct weir_mapping *mapping;
	struct weir_answer *answer;
};

/* ---- answers ---- */

static void answer(struct walk *w, enum weir_verdict verdict, const char *reason, const char *what,
		   const char *name, const struct weir_place *origin)
{
	struct weir_answer *a = w->answer;

	a->verdict = verdict;
	a->reason = reason;
	if (origin)
		a->origin = *origin;
	if (name)
		(void)snprintf(a->text, sizeof(a->text), "%s: %s \"%s\"", reason, what, name);
	else
		(void)snprintf(a->text, sizeof(a->text), "%s", reason);
}

static void drop(struct walk *w, enum weir_drop why, const struct weir_network *net)
{
	answer(w, WEIR_DROP, weir_drop_reason(why), "network", net ? net->name : NULL,
	       net ? &net->origin : NULL);
}

static void accept(struct walk *w, const char *reason, const struct weir_network *net)
{
	answer(w, WEIR_ACCEPT, reason, "network", net ? net->name : NULL,
	       net ? &net->origin : NULL);
}

static void accept_published(struct walk *w)
{
	char text[WEIR_MAPPING_TEXT];

	w->answer->verdict = WEIR_ACCEPT;
	w->answer->reason = "published";
	w->answer->origin = w->mapping->origin;
	(void)snprintf(w->answer->text, sizeof(w->answer->text), "published: %s %s",
		       w->published->name, weir_mapping_text(w->mapping, text));
}

static void refuse_by_policy(struct walk *w, const struct weir_policy *policy)
{
	answer(w, policy->action == WEIR_REJECT ? WEIR_REFUSE : WEIR_DROP,
	       weir_drop_reason(WEIR_DROP_POLICY), "denied by", policy->name, &policy->origin);
	w->answer->policy = policy;
}

static void accept_by_policy(struct walk *w, const struct weir_policy *policy)
{
	answer(w, WEIR_ACCEPT, "policy", "allowed by", policy->name, &policy->origin);
	w->answer->policy = policy;
}

/* ---- places ---- */

/* Does the host route for this network? */
static bool host_routes(const struct weir_network *net)
{
	return weir_mode_traits(net->mode)->host && !net->gateway_endpoint;
}

static bool is_routed(const struct weir_network *net)
{
	return weir_mode_traits(net->mode)->routed;
}

/* The network that the host would send addr into. */
static const struct weir_network *network_of(const struct weir_model *model,
					     const struct weir_addr *addr)
{
	for (size_t i = 0; i < model->n_networks; i++)
		if (host_routes(&model->networks[i]) &&
		    weir_network_subnet_of(&model->networks[i], addr))
			return &model->networks[i];
	return NULL;
}

static bool is_gateway(const struct weir_network *net, const struct weir_addr *addr)
{
	const struct weir_subnet *subnet = weir_network_subnet_of(net, addr);

	return host_routes(net) && subnet && weir_addr_cmp(&subnet->gateway, addr) == 0;
}

/* The network in which addr is the host's own. */
static const struct weir_network *gateway_of(const struct weir_model *model,
					     const struct weir_addr *addr)
{
	const struct weir_network *net = network_of(model, addr);

	return net && is_gateway(net, addr) ? net : NULL;
}

static bool is_local(const struct walk *w, const struct weir_addr *addr)
{
	for (size_t i = 0; i < w->host->n_addrs; i++)
		if (weir_addr_cmp(&w->host->addrs[i], addr) == 0)
			return true;
	return weir_addr_is_loopback(addr) || gateway_of(w->model, addr);
}

/* Whose addr is in the network. */
static const struct weir_endpoint *owner_of(const struct weir_model *model,
					    const struct weir_network *net,
					    const struct weir_addr *addr)
{
	for (size_t i = 0; i < model->n_endpoints; i++) {
		const struct weir_attachment *att =
			weir_endpoint_attachment(&model->endpoints[i], net->name);
		if (att && weir_addr_cmp(&att->addrs[addr->family], addr) == 0)
			return &model->endpoints[i];
	}
	return NULL;
}

static bool is_attached(const struct weir_model *model, const struct weir_network *net,
			const struct weir_addr *addr)
{
	return owner_of(model, net, addr) != NULL;
}

static bool is_trusted(const struct walk *w)
{
	const char *from = w->from ? w->from->ifname : w->flow->ifname;

	for (size_t i = 0; w->to && i < w->to->n_trusted; i++)
		if (strcmp(w->to->trusted[i], from) == 0)
			return true;
	return false;
}

/* A network whose endpoints leave under another address is not to be addressed from outside. */
static bool hides_addresses(const struct weir_network *net)
{
	return net->internal || net->nat != WEIR_NAT_NONE;
}

/* ---- arrival ---- */

/* True when the packet ends here. */
static bool refused_on_arrival(struct walk *w)
{
	const struct weir_network *gateway = gateway_of(w->model, &w->flow->dst);

	if (w->flow->origin == WEIR_FROM_HOST)
		return false;
	if (weir_addr_is_loopback(&w->flow->dst)) {
		drop(w, WEIR_DROP_LOOPBACK, NULL);
		return true;
	}
	if (gateway && gateway != w->from) {
		drop(w, WEIR_DROP_GATEWAY, gateway);
		return true;
	}
	return false;
}

/* ---- translation ---- */

/* The address behind a mapping; NULL when it has none of the family. */
static const struct weir_addr *target(const struct walk *w, const struct weir_endpoint *ep,
				      const struct weir_mapping *m, enum weir_family family)
{
	const struct weir_attachment *att = m->network
						    ? weir_endpoint_attachment(ep, m->network)
						    : weir_endpoint_default(w->model, ep, family);
	const struct weir_network *net = att ? weir_model_network(w->model, att->network) : NULL;

	if (!net || !host_routes(net) || net->internal || !weir_addr_is_set(&att->addrs[family]))
		return NULL;
	return &att->addrs[family];
}

static bool mapping_matches(const struct weir_mapping *m, const struct weir_flow *flow,
			    bool specific)
{
	if (m->proto != flow->proto || flow->dport < m->host_ports.lo ||
	    flow->dport > m->host_ports.hi)
		return false;
	return specific ? weir_addr_cmp(&m->host, &flow->dst) == 0 : !weir_addr_is_set(&m->host);
}

static bool translate_by(struct walk *w, const struct weir_endpoint *ep,
			 const struct weir_mapping *m)
{
	const struct weir_addr *to = target(w, ep, m, w->flow->dst.family);

	if (!to)
		return false;
	w->published = ep;
	w->mapping = m;
	w->answer->dst = *to;
	w->answer->dport = (uint16_t)(m->ports.lo + (w->flow->dport - m->host_ports.lo));
	return true;
}

static bool find_mapping(struct walk *w, bool specific)
{
	for (size_t i = 0; i < w->model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &w->model->endpoints[i];
		for (size_t j = 0; j < ep->n_mappings; j++)
			if (mapping_matches(&ep->mappings[j], w->flow, specific) &&
			    translate_by(w, ep, &ep->mappings[j]))
				return true;
	}
	return false;
}

/* A mapping of one address goes before one of all. Nothing translates ::1: a reply could not
 * come back. */
static void translate(struct walk *w)
{
	const struct weir_addr *dst = &w->flow->dst;
	bool six_loopback = dst->family == WEIR_IPV6 && weir_addr_is_loopback(dst);

	if (w->flow->proto == WEIR_NO_PROTO || six_loopback || !is_local(w, dst))
		return;
	if (!find_mapping(w, true))
		(void)find_mapping(w, false);
}

/* ---- gates ---- */

/* Somebody with addr in a network, or outside. False: nobody has it there, so no policy can mean it. */
static bool find_peer(const struct walk *w, const struct weir_network *net,
		      const struct weir_addr *addr, struct weir_peer *ret)
{
	*ret = (struct weir_peer){ .addr = *addr };
	if (!net)
		return true;
	ret->ep = owner_of(w->model, net, addr);
	ret->att = ret->ep ? weir_endpoint_attachment(ret->ep, net->name) : NULL;
	return ret->ep != NULL;
}

static void ask_gates(const struct walk *w, const struct weir_peer *from,
		      const struct weir_peer *to, struct weir_gates *ret)
{
	bool six = w->flow->dst.family == WEIR_IPV6;
	enum weir_l4 l4 = w->flow->proto ? (enum weir_l4)w->flow->proto
			  : six		 ? WEIR_L4_ICMPV6
					 : WEIR_L4_ICMP;
	uint8_t type = w->flow->icmp_type ? w->flow->icmp_type : six ? ECHO6 : ECHO4;

	weir_gates_ask(w->model, from, to, l4, w->flow->proto ? w->answer->dport : type, ret);
}

/* True when a policy denies at one of the gates; the sender's is asked first. */
static bool denied_by_policy(struct walk *w, const struct weir_gates *gates)
{
	const struct weir_policy *egress = gates->egress, *ingress = gates->ingress;
	bool out = egress && egress->action != WEIR_ALLOW;

	if (!out && (!ingress || ingress->action == WEIR_ALLOW))
		return false;
	refuse_by_policy(w, out ? egress : ingress);
	w->answer->gate = egress == ingress ? WEIR_BOTH_GATES : out ? WEIR_EGRESS : WEIR_INGRESS;
	return true;
}

/* Neighbour and listener discovery: without it nobody on a link finds anybody. */
static bool is_discovery(const struct weir_flow *flow)
{
	return flow->proto == WEIR_NO_PROTO && flow->dst.family == WEIR_IPV6 &&
	       ((flow->icmp_type >= LISTENER_QUERY && flow->icmp_type <= REDIRECT) ||
		flow->icmp_type == LISTENER_REPORT2);
}

/* The whole of it, for what is forwarded. True when it is decided. */
static bool decided_at_gates(struct walk *w)
{
	struct weir_gates gates = { 0 };
	struct weir_peer from, to;

	if (find_peer(w, w->from, &w->flow->src, &from) &&
	    find_peer(w, w->to, &w->answer->dst, &to))
		ask_gates(w, &from, &to, &gates);
	if (denied_by_policy(w, &gates))
		return true;
	if (!gates.egress && w->from && w->from->egress == WEIR_DEFAULT_DENY) {
		drop(w, WEIR_DROP_EGRESS, w->from);
		return true;
	}
	if (!gates.ingress && w->to && w->to->ingress == WEIR_DEFAULT_DENY) {
		drop(w, WEIR_DROP_INGRESS, w->to);
		return true;
	}
	if (!gates.ingress)
		return false;
	accept_by_policy(w, gates.ingress);
	w->answer->gate = gates.egress == gates.ingress ? WEIR_BOTH_GATES : WEIR_INGRESS;
	return true;
}

/* Between the host and an endpoint no default stands. */
static bool decided_with_host(struct walk *w, bool from_host)
{
	struct weir_gates gates = { 0 };
	struct weir_peer host = { .host = true }, peer;
	const struct weir_network *net = from_host ? w->to : w->from;

	if (!net || is_discovery(w->flow) ||
	    !find_peer(w, net, from_host ? &w->answer->dst : &w->flow->src, &peer))
		return false;
	ask_gates(w, from_host ? &host : &peer, from_host ? &peer : &host, &gates);
	if (denied_by_policy(w, &gates))
		return true;
	if (!gates.ingress)
		return false;
	accept_by_policy(w, gates.ingress);
	w->answer->gate = gates.egress == gates.ingress ? WEIR_BOTH_GATES : WEIR_INGRESS;
	return true;
}

/* Is the published address one of another interface's only? */
static bool is_elsewhere(const struct walk *w)
{
	for (size_t i = 0; i < w->host->n_addrs; i++)
		if (weir_addr_cmp(&w->host->addrs[i], &w->flow->dst) == 0 &&
		    strcmp(w->host->ifnames[i], w->flow->ifname) == 0)
			return false;
	return true;
}

/* True when the packet ends here: it came by an interface that has nothing to do with the address. */
static bool refused_by_strictness(struct walk *w)
{
	const struct weir_mapping *m = w->mapping;
	const struct weir_network *net = w->published ? network_of(w->model, &w->answer->dst)
						      : NULL;

	if (!net || w->flow->origin != WEIR_FROM_OUTSIDE || !(m->strict || net->strict) ||
	    !weir_addr_is_set(&m->host) || !w->host->ifnames || !is_elsewhere(w))
		return false;
	w->answer->dst = w->flow->dst;
	w->answer->dport = w->flow->dport;
	answer(w, WEIR_DROP, weir_drop_reason(WEIR_DROP_STRICT), "endpoint", w->published->name,
	       &m->origin);
	return true;
}

static bool opens_nothing(const struct walk *w)
{
	return w->flow->proto == WEIR_TCP && !w->flow->opens;
}

/* ---- delivery to the host ---- */

static void deliver(struct walk *w)
{
	const struct weir_flow *flow = w->flow;
	bool resolver = (flow->proto == WEIR_UDP || flow->proto == WEIR_TCP) &&
			flow->dport == DNS_PORT;

	if (w->from && opens_nothing(w)) {
		drop(w, WEIR_DROP_NOT_SYN, NULL);
		return;
	}
	if (decided_with_host(w, false)) {
		w->answer->local = w->answer->verdict == WEIR_ACCEPT;
		return;
	}
	if (w->from && (w->from->host_deny || w->from->internal) && !resolver &&
	    flow->proto != WEIR_NO_PROTO) {
		drop(w, WEIR_DROP_HOST, w->from);
		return;
	}
	w->answer->local = true;
	accept(w, "to the host", NULL);
}

/* ---- forwarding ---- */

/* What the states of a flow forbid before anything allows. True when the packet ends here. */
static bool refused_on_the_way(struct walk *w)
{
	if (opens_nothing(w))
		drop(w, WEIR_DROP_NOT_SYN, NULL);
	else if (w->from && w->from->internal)
		drop(w, WEIR_DROP_INTERNAL, w->from);
	else if (w->to && w->to->internal)
		drop(w, WEIR_DROP_INTERNAL, w->to);
	else if (w->from && !is_attached(w->model, w->from, &w->flow->src))
		drop(w, WEIR_DROP_SOURCE, w->from);
	else
		return false;
	return true;
}

/* Where bridged packets meet the IP hooks, br_netfilter bridges what is translated to an endpoint of
 * the same bridge instead of routing it, and an isolated port takes nothing from another one. */
static bool stays_on_bridge(const struct walk *w)
{
	return weir_network_is_filtered(w->to) || w->host->filter_bridged[w->flow->dst.family];
}

static bool is_isolated(const struct walk *w, const struct weir_addr *addr)
{
	const struct weir_endpoint *ep = owner_of(w->model, w->to, addr);

	return w->to->isolate || (ep && weir_endpoint_attachment(ep, w->to->name)->isolated);
}

static void forward_within(struct walk *w)
{
	bool isolated = is_isolated(w, &w->flow->src) && is_isolated(w, &w->answer->dst);

	if (isolated && (!w->published || stays_on_bridge(w)))
		drop(w, WEIR_DROP_ISOLATION, w->to);
	else if (w->to->isolate && refused_on_the_way(w))
		return;
	else if (w->to->filtered && opens_nothing(w))
		drop(w, WEIR_DROP_NOT_SYN, NULL);
	else if ((w->to->filtered || w->to->isolate) && !is_discovery(w->flow) &&
		 decided_at_gates(w))
		return;
	else if (w->published)
		accept_published(w);
	else
		accept(w, "same network", w->to);
}

/* Everything passes the host, so the sender is asked for before all else that the network allows. */
static void forward_routed(struct walk *w)
{
	if (opens_nothing(w))
		drop(w, WEIR_DROP_NOT_SYN, NULL);
	else if (!is_attached(w->model, w->from, &w->flow->src))
		drop(w, WEIR_DROP_SOURCE, w->from);
	else if (w->to->isolate && !w->published)
		drop(w, WEIR_DROP_ISOLATION, w->to);
	else if (decided_at_gates(w))
		return;
	else if (w->published)
		accept_published(w);
	else
		accept(w, "same network", w->to);
}

static void forward_for_others(struct walk *w)
{
	if (w->host->guard[w->flow->dst.family])
		drop(w, WEIR_DROP_ROUTER, NULL);
	else
		accept(w, "not for weir", NULL);
}

static void forward(struct walk *w)
{
	bool from_outside = !w->from;

	if (from_outside && w->to && !w->published && !is_trusted(w) && hides_addresses(w->to))
		drop(w, WEIR_DROP_DIRECT, w->to);
	else if (from_outside && !w->to)
		forward_for_others(w);
	else if (w->from == w->to && !is_routed(w->to))
		forward_within(w);
	else if (w->from == w->to && weir_network_subnet_of(w->to, &w->flow->src))
		forward_routed(w);
	else if (refused_on_the_way(w) || decided_at_gates(w))
		return;
	else if (w->published)
		accept_published(w);
	else if (is_trusted(w))
		accept(w, "trusted interface", w->to);
	else if (w->from && w->to && w->to->ingress == WEIR_DEFAULT_ALLOW)
		accept(w, "open network", w->to);
	else if (w->to)
		drop(w, WEIR_DROP_DEFAULT, w->to);
	else
		accept(w, "to the outside", w->from);
}

/* ---- departure ---- */

static void choose_source(struct walk *w)
{
	const struct weir_addr *src = &w->flow->src;
	const struct weir_network *net = network_of(w->model, src);

	w->answer->src = *src;
	if (w->answer->local)
		return;
	if (w->to) { /* the answer must come back this way: to the host's own, or to a neighbour */
		bool answers = is_routed(w->to) ? weir_addr_cmp(src, &w->answer->dst) == 0
						: is_attached(w->model, w->to, src);
		bool returns = !weir_addr_is_loopback(src) && !gateway_of(w->model, src) &&
			       !answers;
		if (w->published && !returns)
			w->answer->src = (struct weir_addr){ 0 };
		return;
	}
	if (!net || net->nat == WEIR_NAT_NONE)
		return;
	w->answer->src = (struct weir_addr){ 0 };
	if (net->nat == WEIR_NAT_ADDRESS)
		w->answer->src = net->nat_addr[src->family];
}

/* ---- the walk ---- */

static void route(struct walk *w)
{
	w->to = network_of(w->model, &w->answer->dst);
	if (!w->published && is_local(w, &w->flow->dst))
		deliver(w);
	else if (w->flow->origin != WEIR_FROM_HOST)
		forward(w);
	else if (w->to && !w->published && opens_nothing(w))
		drop(w, WEIR_DROP_NOT_SYN, NULL);
	else if (decided_with_host(w, true))
		return;
	else if (w->published)
		accept_published(w);
	else
		accept(w, "from the host", NULL);
}

/* What a bridge carries to an address elsewhere, by an endpoint that is a router, no policy knows: only the
 * defaults of its network bind it. */
static bool refused_towards_gateway(struct walk *w)
{
	if (is_discovery(w->flow))
		return false;
	if (opens_nothing(w))
		drop(w, WEIR_DROP_NOT_SYN, NULL);
	else if (w->from->egress == WEIR_DEFAULT_DENY)
		drop(w, WEIR_DROP_EGRESS, w->from);
	else if (w->from->ingress == WEIR_DEFAULT_DENY)
		drop(w, WEIR_DROP_INGRESS, w->from);
	else
		return false;
	return true;
}

/* Between two ports of one bridge or the two ends of a pair, or towards a gateway that is an
 * endpoint: the host has no part in it. False: it has. */
static bool passes_by(struct walk *w)
{
	const struct weir_network *from = w->from;

	if (!from || is_routed(from))
		return false;
	if (weir_network_subnet_of(from, &w->flow->dst) && !is_gateway(from, &w->flow->dst)) {
		w->to = from;
		w->answer->src = w->flow->src;
		forward_within(w);
		return true;
	}
	if (weir_mode_traits(from->mode)->parent) {
		w->answer->src = w->flow->src;
		accept(w, "by the parent interface", from);
		return true;
	}
	if (!from->gateway_endpoint)
		return false;
	w->answer->src = w->flow->src;
	if (!from->filtered || !refused_towards_gateway(w))
		answer(w, WEIR_ACCEPT, "to the network's gateway", "endpoint",
		       from->gateway_endpoint, &from->origin);
	return true;
}

static int check_flow(struct walk *w, struct weir_err *err)
{
	const struct weir_flow *flow = w->flow;

	if (!flow->src.family || flow->src.family != flow->dst.family)
		return weir_err_set(err, EINVAL,
				    "a flow needs a source and a destination of one family");
	if ((flow->proto == WEIR_NO_PROTO) != (flow->dport == 0))
		return weir_err_set(err, EINVAL, "tcp, udp and sctp need a port, icmp has none");
	if (flow->proto != WEIR_NO_PROTO && flow->icmp_type)
		return weir_err_set(err, EINVAL, "only icmp has a type");
	if (flow->origin == WEIR_FROM_OUTSIDE && flow->ifname[0])
		for (size_t i = 0; i < w->model->n_networks; i++)
			if (strcmp(w->model->networks[i].ifname, flow->ifname) == 0)
				return weir_err_set(err, EINVAL,
						    "%s belongs to network \"%s\": not the outside",
						    flow->ifname, w->model->networks[i].name);
	if (flow->origin != WEIR_FROM_ENDPOINT)
		return 0;
	w->from = flow->network ? weir_model_network(w->model, flow->network) : NULL;
	if (!w->from)
		return weir_err_set(err, ENOENT, "no network named \"%s\"",
				    flow->network ? flow->network : "");
	if (weir_mode_traits(w->from->mode)->wire && !w->from->gateway_endpoint &&
	    !weir_network_subnet_of(w->from, &flow->dst))
		return weir_err_set(err, EINVAL, "network \"%s\" is p2p and leads nowhere else",
				    w->from->name);
	return 0;
}

int weir_eval(const struct weir_model *model, const struct weir_eval_host *host,
	      const struct weir_flow *flow, struct weir_answer *ret, struct weir_err *err)
{
	struct weir_answer a = { .dst = flow->dst, .dport = flow->dport };
	struct walk w = { .model = model, .host = host, .flow = flow, .answer = &a };

	int r = check_flow(&w, err);
	if (r < 0)
		return r;
	if (!passes_by(&w) && !refused_on_arrival(&w)) {
		translate(&w);
		if (!refused_by_strictness(&w)) {
			route(&w);
			choose_source(&w);
		}
	}
	*ret = a;
	return 0;
}
