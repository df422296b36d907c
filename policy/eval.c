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
 * defaults bind the network's own traffic (`filtered`), or it is routed. Of what is left after the checks
 * of state and source, policies are asked first (walk_gates.c), and then the usual rules. */
#include "policy/eval.h"

#include <errno.h>
#include <string.h>

#include "policy/locate.h"
#include "policy/walk.h"

enum { DNS_PORT = 53 };

/* ---- what a packet is ---- */

static bool is_routed(const struct weir_network *net)
{
	return weir_mode_traits(net->mode)->routed;
}

static bool is_attached(const struct weir_walk *w, const struct weir_network *net)
{
	return weir_locate_owner(w->model, net, &w->flow->src) != NULL;
}

static bool is_trusted(const struct weir_walk *w)
{
	return w->to && weir_locate_is_trusted(w->to, w->from ? w->from->ifname : w->flow->ifname);
}

/* A network whose endpoints leave under another address is not to be addressed from outside. */
static bool hides_addresses(const struct weir_network *net)
{
	return net->internal || net->nat != WEIR_NAT_NONE;
}

static bool opens_nothing(const struct weir_walk *w)
{
	return w->flow->proto == WEIR_TCP && !w->flow->opens;
}

/* ---- arrival ---- */

/* True when the packet ends here. */
static bool refused_on_arrival(struct weir_walk *w)
{
	const struct weir_network *gateway = weir_locate_gateway(w->model, &w->flow->dst);

	if (w->flow->origin == WEIR_FROM_HOST)
		return false;
	if (weir_addr_is_loopback(&w->flow->dst)) {
		weir_walk_drop(w, WEIR_DROP_LOOPBACK, NULL);
		return true;
	}
	if (gateway && gateway != w->from) {
		weir_walk_drop(w, WEIR_DROP_GATEWAY, gateway);
		return true;
	}
	return false;
}

/* ---- translation ---- */

/* Is the published address one of another interface's only? */
static bool is_elsewhere(const struct weir_walk *w)
{
	for (size_t i = 0; i < w->host->n_addrs; i++)
		if (weir_addr_cmp(&w->host->addrs[i], &w->flow->dst) == 0 &&
		    strcmp(w->host->ifnames[i], w->flow->ifname) == 0)
			return false;
	return true;
}

/* True when the packet ends here: it came by an interface that has nothing to do with the address. */
static bool refused_by_strictness(struct weir_walk *w)
{
	const struct weir_mapping *m = w->mapping;
	const struct weir_network *net =
		w->published ? weir_locate_network(w->model, &w->answer->dst) : NULL;

	if (!net || w->flow->origin != WEIR_FROM_OUTSIDE || !(m->strict || net->strict) ||
	    !weir_addr_is_set(&m->host) || !w->host->ifnames || !is_elsewhere(w))
		return false;
	w->answer->dst = w->flow->dst;
	w->answer->dport = w->flow->dport;
	weir_walk_answer(w, WEIR_DROP, weir_drop_reason(WEIR_DROP_STRICT), "endpoint",
			 w->published->name, &m->origin);
	return true;
}

/* ---- delivery to the host ---- */

static void deliver(struct weir_walk *w)
{
	const struct weir_flow *flow = w->flow;
	bool resolver = (flow->proto == WEIR_UDP || flow->proto == WEIR_TCP) &&
			flow->dport == DNS_PORT;

	if (w->from && opens_nothing(w)) {
		weir_walk_drop(w, WEIR_DROP_NOT_SYN, NULL);
		return;
	}
	if (weir_walk_decide_with_host(w, false)) {
		w->answer->local = w->answer->verdict == WEIR_ACCEPT;
		return;
	}
	if (w->from && (w->from->host_deny || w->from->internal) && !resolver &&
	    flow->proto != WEIR_NO_PROTO) {
		weir_walk_drop(w, WEIR_DROP_HOST, w->from);
		return;
	}
	w->answer->local = true;
	weir_walk_accept(w, "to the host", NULL);
}

/* ---- forwarding ---- */

/* Where bridged packets meet the IP hooks, br_netfilter bridges what is translated to an endpoint of
 * the same bridge instead of routing it, and an isolated port takes nothing from another one. */
static bool stays_on_bridge(const struct weir_walk *w)
{
	return weir_network_is_filtered(w->to) || w->host->filter_bridged[w->flow->dst.family];
}

/* What is refused before anything allows: of what the host forwards. within: to the network it comes from.
 * True when the packet ends here. */
static bool refused_on_the_way(struct weir_walk *w, bool within)
{
	if (opens_nothing(w))
		weir_walk_drop(w, WEIR_DROP_NOT_SYN, NULL);
	else if (!within && w->from && w->from->internal)
		weir_walk_drop(w, WEIR_DROP_INTERNAL, w->from);
	else if (!within && w->to && w->to->internal)
		weir_walk_drop(w, WEIR_DROP_INTERNAL, w->to);
	else if (w->from && !is_attached(w, w->from))
		weir_walk_drop(w, WEIR_DROP_SOURCE, w->from);
	else if (within && w->to->isolate && !w->published)
		weir_walk_drop(w, WEIR_DROP_ISOLATION, w->to);
	else
		return false;
	return true;
}

static bool is_isolated(const struct weir_walk *w, const struct weir_addr *addr)
{
	const struct weir_endpoint *ep = weir_locate_owner(w->model, w->to, addr);

	return w->to->isolate || (ep && weir_endpoint_attachment(ep, w->to->name)->isolated);
}

/* The same, of what two ports of a bridge say to each other. */
static bool refused_on_bridge(struct weir_walk *w)
{
	bool isolated = is_isolated(w, &w->flow->src) && is_isolated(w, &w->answer->dst);

	if (isolated && (!w->published || stays_on_bridge(w)))
		weir_walk_drop(w, WEIR_DROP_ISOLATION, w->to);
	else if (w->to->isolate)
		return refused_on_the_way(w, true);
	else if (w->to->filtered && opens_nothing(w))
		weir_walk_drop(w, WEIR_DROP_NOT_SYN, NULL);
	else
		return false;
	return true;
}

/* Do policies and defaults see what two ports of a bridge say? */
static bool is_bound(const struct weir_walk *w)
{
	return (w->to->filtered || w->to->isolate) && !weir_walk_is_discovery(w);
}

/* From one of weir's networks, or to one. Who is in a routed network is told by the subnets. */
static void pass_on(struct weir_walk *w)
{
	bool within = w->from == w->to &&
		      (!is_routed(w->to) || weir_network_subnet_of(w->to, &w->flow->src));
	bool bridged = within && !is_routed(w->to);

	if (bridged ? refused_on_bridge(w) : refused_on_the_way(w, within))
		return;
	if ((!bridged || is_bound(w)) && weir_walk_decide_forwarded(w))
		return;
	if (w->published)
		weir_walk_accept_published(w);
	else if (within)
		weir_walk_accept(w, "same network", w->to);
	else if (is_trusted(w))
		weir_walk_accept(w, "trusted interface", w->to);
	else if (w->from && w->to && w->to->ingress == WEIR_DEFAULT_ALLOW)
		weir_walk_accept(w, "open network", w->to);
	else if (w->to)
		weir_walk_drop(w, WEIR_DROP_DEFAULT, w->to);
	else
		weir_walk_accept(w, "to the outside", w->from);
}

static void forward_for_others(struct weir_walk *w)
{
	if (w->host->guard[w->flow->dst.family])
		weir_walk_drop(w, WEIR_DROP_ROUTER, NULL);
	else
		weir_walk_accept(w, "not for weir", NULL);
}

static void forward(struct weir_walk *w)
{
	if (!w->from && !w->to)
		forward_for_others(w);
	else if (!w->from && !w->published && !is_trusted(w) && hides_addresses(w->to))
		weir_walk_drop(w, WEIR_DROP_DIRECT, w->to);
	else
		pass_on(w);
}

/* ---- departure ---- */

static void choose_source(struct weir_walk *w)
{
	const struct weir_addr *src = &w->flow->src;
	const struct weir_network *net = weir_locate_network(w->model, src);

	w->answer->src = *src;
	if (w->answer->local)
		return;
	if (w->to) { /* the answer must come back this way: to the host's own, or to a neighbour */
		bool answers = is_routed(w->to) ? weir_addr_cmp(src, &w->answer->dst) == 0
						: is_attached(w, w->to);
		bool returns = !weir_addr_is_loopback(src) && !weir_locate_gateway(w->model, src) &&
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

static void route(struct weir_walk *w)
{
	w->to = weir_locate_network(w->model, &w->answer->dst);
	if (!w->published && weir_locate_is_local(w->model, w->host, &w->flow->dst))
		deliver(w);
	else if (w->flow->origin != WEIR_FROM_HOST)
		forward(w);
	else if (w->to && !w->published && opens_nothing(w))
		weir_walk_drop(w, WEIR_DROP_NOT_SYN, NULL);
	else if (weir_walk_decide_with_host(w, true))
		return;
	else if (w->published)
		weir_walk_accept_published(w);
	else
		weir_walk_accept(w, "from the host", NULL);
}

/* What a bridge carries to an address elsewhere, by an endpoint that is a router: policies know endpoints of
 * other networks there, and nobody outside. */
static bool refused_towards_gateway(struct weir_walk *w)
{
	if (weir_walk_is_discovery(w))
		return false;
	w->to = w->from;
	if (!opens_nothing(w))
		return weir_walk_decide_carried(w);
	weir_walk_drop(w, WEIR_DROP_NOT_SYN, NULL);
	return true;
}

/* Between two ports of one bridge or the two ends of a pair, or towards a gateway that is an
 * endpoint: the host has no part in it. False: it has. */
static bool passes_by(struct weir_walk *w)
{
	const struct weir_network *from = w->from;

	if (!from || is_routed(from))
		return false;
	if (weir_network_subnet_of(from, &w->flow->dst) &&
	    !weir_locate_is_gateway(from, &w->flow->dst)) {
		w->to = from;
		w->answer->src = w->flow->src;
		pass_on(w);
		return true;
	}
	if (weir_mode_traits(from->mode)->parent) {
		w->answer->src = w->flow->src;
		weir_walk_accept(w, "by the parent interface", from);
		return true;
	}
	if (!from->gateway_endpoint)
		return false;
	w->answer->src = w->flow->src;
	if (!from->filtered || !refused_towards_gateway(w))
		weir_walk_answer(w, WEIR_ACCEPT, "to the network's gateway", "endpoint",
				 from->gateway_endpoint, &from->origin);
	return true;
}

static int check_flow(struct weir_walk *w, struct weir_err *err)
{
	const struct weir_flow *flow = w->flow;

	if (!flow->src.family || flow->src.family != flow->dst.family)
		return weir_err_set(err, EINVAL,
				    "a flow needs a source and a destination of one family");
	if (weir_addr_is_link_local(&flow->src) || weir_addr_is_link_local(&flow->dst))
		return weir_err_set(err, EINVAL,
				    "a link-local address means nothing without its interface: ask "
				    "about an address that weir gives");
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
	struct weir_walk w = { .model = model, .host = host, .flow = flow, .answer = &a };

	int r = check_flow(&w, err);
	if (r < 0)
		return r;
	if (!passes_by(&w) && !refused_on_arrival(&w)) {
		weir_walk_translate(&w);
		if (!refused_by_strictness(&w)) {
			route(&w);
			choose_source(&w);
		}
	}
	*ret = a;
	return 0;
}
