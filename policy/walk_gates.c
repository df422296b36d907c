/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What policies and defaults say of a packet.
 *
 * How it works: what is forwarded has a gate at either end, the sender's and the receiver's. What a policy
 * denies at one of them is dropped; then the networks' defaults speak where no policy did; what a policy allows
 * at the receiver's gate passes; nothing is said of all else. Between the host and an endpoint no default
 * stands. */
#include "policy/gates.h"
#include "policy/locate.h"
#include "policy/walk.h"

enum { ECHO4 = 8, ECHO6 = 128 };
/* ICMPv6 types; between the first two: the rest of MLD and all of neighbour discovery */
enum { LISTENER_QUERY = 130, REDIRECT = 137, LISTENER_REPORT2 = 143 };

bool weir_walk_is_discovery(const struct weir_walk *w)
{
	uint8_t type = w->flow->icmp_type;

	return w->flow->proto == WEIR_NO_PROTO && w->flow->dst.family == WEIR_IPV6 &&
	       ((type >= LISTENER_QUERY && type <= REDIRECT) || type == LISTENER_REPORT2);
}

/* Somebody with addr in a network, or outside. False: nobody has it there, so no policy can mean it. */
static bool find_peer(const struct weir_walk *w, const struct weir_network *net,
		      const struct weir_addr *addr, struct weir_peer *ret)
{
	*ret = (struct weir_peer){ .addr = *addr };
	if (!net)
		return true;
	ret->ep = weir_locate_owner(w->model, net, addr);
	ret->att = ret->ep ? weir_endpoint_attachment(ret->ep, net->name) : NULL;
	return ret->ep != NULL;
}

static void ask_gates(const struct weir_walk *w, const struct weir_peer *from,
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
static bool denied_by_policy(struct weir_walk *w, const struct weir_gates *gates)
{
	const struct weir_policy *egress = gates->egress, *ingress = gates->ingress;
	bool out = egress && egress->action != WEIR_ALLOW;
	const struct weir_policy *denies = out ? egress : ingress;

	if (!denies || denies->action == WEIR_ALLOW)
		return false;
	weir_walk_answer(w, denies->action == WEIR_REJECT ? WEIR_REFUSE : WEIR_DROP,
			 weir_drop_reason(WEIR_DROP_POLICY), "denied by", denies->name,
			 &denies->origin);
	w->answer->policy = denies;
	w->answer->gate = egress == ingress ? WEIR_BOTH_GATES : out ? WEIR_EGRESS : WEIR_INGRESS;
	return true;
}

static bool denied_by_default(struct weir_walk *w, const struct weir_gates *gates)
{
	if (!gates->egress && w->from && w->from->egress == WEIR_DEFAULT_DENY)
		weir_walk_drop(w, WEIR_DROP_EGRESS, w->from);
	else if (!gates->ingress && w->to && w->to->ingress == WEIR_DEFAULT_DENY)
		weir_walk_drop(w, WEIR_DROP_INGRESS, w->to);
	else
		return false;
	return true;
}

/* Of what none denies. */
static bool allowed_by_policy(struct weir_walk *w, const struct weir_gates *gates)
{
	const struct weir_policy *allows = gates->ingress;

	if (!allows)
		return false;
	weir_walk_answer(w, WEIR_ACCEPT, "policy", "allowed by", allows->name, &allows->origin);
	w->answer->policy = allows;
	w->answer->gate = gates->egress == allows ? WEIR_BOTH_GATES : WEIR_INGRESS;
	return true;
}

bool weir_walk_decide_forwarded(struct weir_walk *w)
{
	struct weir_gates gates = { 0 };
	struct weir_peer from, to;

	if (find_peer(w, w->from, &w->flow->src, &from) &&
	    find_peer(w, w->to, &w->answer->dst, &to))
		ask_gates(w, &from, &to, &gates);
	return denied_by_policy(w, &gates) || denied_by_default(w, &gates) ||
	       allowed_by_policy(w, &gates);
}

/* Whoever of weir's has it, in whatever network. */
static bool find_anywhere(const struct weir_walk *w, const struct weir_addr *addr,
			  struct weir_peer *ret)
{
	for (size_t i = 0; i < w->model->n_networks; i++) {
		const struct weir_network *net = &w->model->networks[i];
		if (weir_mode_traits(net->mode)->host && find_peer(w, net, addr, ret))
			return true;
	}
	return false;
}

bool weir_walk_decide_carried(struct weir_walk *w)
{
	struct weir_gates gates = { 0 };
	struct weir_peer from, to;

	if (find_peer(w, w->from, &w->flow->src, &from) && find_anywhere(w, &w->answer->dst, &to))
		ask_gates(w, &from, &to, &gates);
	return denied_by_policy(w, &gates) || denied_by_default(w, &gates);
}

bool weir_walk_decide_with_host(struct weir_walk *w, bool from_host)
{
	struct weir_gates gates = { 0 };
	struct weir_peer host = { .host = true }, peer;
	const struct weir_network *net = from_host ? w->to : w->from;

	if (!net || weir_walk_is_discovery(w) ||
	    !find_peer(w, net, from_host ? &w->answer->dst : &w->flow->src, &peer))
		return false;
	ask_gates(w, from_host ? &host : &peer, from_host ? &peer : &host, &gates);
	return denied_by_policy(w, &gates) || allowed_by_policy(w, &gates);
}
