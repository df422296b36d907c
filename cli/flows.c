/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question as users put it, as flows that the evaluator knows.
 *
 * How it works: a user names who talks to whom; a packet has addresses. Of an endpoint in several
 * networks that address is taken by which it would talk to the other end: in a network that both are
 * in, else where its default route is. From outside an endpoint is reached by what it publishes, so a
 * question about its port is one about the host's. */
#include "cli/flows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- addresses ---- */

static const struct weir_attachment *with_family(const struct weir_attachment *att,
						 enum weir_family family)
{
	return att && weir_addr_is_set(&att->addrs[family]) ? att : NULL;
}

/* By which of its interfaces would it talk to the other? */
static const struct weir_attachment *choose(const struct weir_scene *scene,
					    const struct weir_end *end,
					    const struct weir_end *other, enum weir_family family)
{
	const struct weir_attachment *att;

	if (end->network)
		return with_family(weir_endpoint_attachment(end->ep, end->network), family);
	for (size_t i = 0; other->ep && i < end->ep->n_attachments; i++) {
		const char *network = end->ep->attachments[i].network;
		if (other->network && strcmp(other->network, network) != 0)
			continue;
		if (with_family(&end->ep->attachments[i], family) &&
		    with_family(weir_endpoint_attachment(other->ep, network), family))
			return &end->ep->attachments[i];
	}
	att = with_family(weir_endpoint_default(scene->model, end->ep, family), family);
	for (size_t i = 0; !att && i < end->ep->n_attachments; i++)
		att = with_family(&end->ep->attachments[i], family);
	return att;
}

/* The host as an endpoint's network knows it, or by any address. */
static struct weir_addr host_addr(const struct weir_scene *scene, const struct weir_attachment *of,
				  enum weir_family family)
{
	const struct weir_network *net = of ? weir_model_network(scene->model, of->network) : NULL;
	const struct weir_subnet *subnet = net ? weir_network_subnet(net, family) : NULL;

	if (subnet && !net->gateway_endpoint && weir_addr_is_set(&subnet->gateway))
		return subnet->gateway;
	for (size_t i = 0; i < scene->host.n_addrs; i++)
		if (scene->host.addrs[i].family == family)
			return scene->host.addrs[i];
	return (struct weir_addr){ 0 };
}

/* Does it lead to this port of the endpoint's, in the family? */
static bool is_for(const struct weir_mapping *m, const struct weir_service *service,
		   enum weir_family family)
{
	return (int)m->proto == (int)service->l4 && m->ports.lo <= service->ports.lo &&
	       service->ports.lo <= m->ports.hi &&
	       (!weir_addr_is_set(&m->host) ||
		(m->host.family == family && !weir_addr_is_loopback(&m->host)));
}

/* The mapping of the endpoint's that has this as a port of the host's. */
static const struct weir_mapping *mapping_at_host(const struct weir_end *to,
						  const struct weir_service *service)
{
	for (size_t i = 0; i < to->ep->n_mappings; i++) {
		const struct weir_mapping *m = &to->ep->mappings[i];
		if ((int)m->proto == (int)service->l4 && m->host_ports.lo <= service->ports.lo &&
		    service->ports.lo <= m->host_ports.hi)
			return m;
	}
	return NULL;
}

/* ---- flows ---- */

static void set_service(const struct weir_service *service, struct weir_flow *flow)
{
	bool ports = service->l4 >= WEIR_L4_TCP && service->l4 <= WEIR_L4_SCTP;

	flow->proto = ports ? (enum weir_proto)service->l4 : WEIR_NO_PROTO;
	flow->dport = ports ? service->ports.lo : 0;
	flow->icmp_type = ports ? 0 : (uint8_t)service->ports.lo;
	flow->opens = true;
}

/* Adds to what is said beside the answer. */
static void note(const struct weir_scene *scene, struct weir_case *c, const char *text)
{
	if (text)
		c->note = c->note ? weir_arena_printf(scene->arena, "%s; %s", c->note, text) : text;
}

/* Its attachment with the address; NULL: it has no such. */
static const struct weir_attachment *at_address(const struct weir_endpoint *ep,
						const struct weir_addr *addr)
{
	for (size_t i = 0; i < ep->n_attachments; i++)
		if (weir_addr_cmp(&ep->attachments[i].addrs[addr->family], addr) == 0)
			return &ep->attachments[i];
	return NULL;
}

/* Asks for the mapping at this address of the host's. False: it does not lead to the endpoint from there, as
 * another mapping has the address for itself. */
static bool ask_at(const struct weir_scene *scene, const struct weir_question *question,
		   const struct weir_mapping *m, const struct weir_addr *host, struct weir_case *c)
{
	const struct weir_end *to = &question->to;
	const struct weir_attachment *in;
	struct weir_flow flow = c->flow;
	struct weir_answer answer;

	flow.dst = *host;
	flow.dport = m->host_ports.lo;
	if (m->host_ports.lo != m->host_ports.hi)
		flow.dport = (uint16_t)(flow.dport + question->service.ports.lo - m->ports.lo);
	if (weir_eval(scene->model, &scene->host, &flow, &answer, NULL) < 0)
		return false;
	in = answer.dport == question->service.ports.lo ? at_address(to->ep, &answer.dst) : NULL;
	if (!in || (to->network && strcmp(to->network, in->network) != 0))
		return false;
	c->flow = flow;
	c->to = answer.dst;
	return true;
}

/* The same at any that it is published at. */
static bool ask_for(const struct weir_scene *scene, const struct weir_question *question,
		    const struct weir_mapping *m, enum weir_family family, struct weir_case *c)
{
	if (weir_addr_is_set(&m->host))
		return ask_at(scene, question, m, &m->host, c);
	for (size_t i = 0; i < scene->host.n_addrs; i++)
		if (scene->host.addrs[i].family == family &&
		    ask_at(scene, question, m, &scene->host.addrs[i], c))
			return true;
	return false;
}

/* An endpoint's port from outside: by what is published. */
static void go_by_mapping(const struct weir_scene *scene, const struct weir_question *question,
			  enum weir_family family, struct weir_case *c)
{
	const struct weir_endpoint *ep = question->to.ep;
	const struct weir_mapping *m;
	char text[WEIR_MAPPING_TEXT];

	for (size_t i = 0; i < ep->n_mappings; i++) {
		m = &ep->mappings[i];
		if (!is_for(m, &question->service, family) ||
		    !ask_for(scene, question, m, family, c))
			continue;
		const struct weir_attachment *in = at_address(ep, &c->to);
		const struct weir_network *net = weir_model_network(scene->model, in->network);
		bool strict = weir_addr_is_set(&m->host) && (m->strict || net->strict);
		note(scene, c,
		     weir_arena_printf(scene->arena, "by its published port %s%s",
				       weir_mapping_text(m, text),
				       strict ? ", for what comes by the interface that has the "
						"address"
					      : ""));
		return;
	}
	m = mapping_at_host(&question->to, &question->service);
	if (m)
		note(scene, c,
		     weir_arena_printf(scene->arena, "published is %s: ask for the endpoint's port",
				       weir_mapping_text(m, text)));
}

/* False: the ends have nothing in common in this family. */
static bool make_case(const struct weir_scene *scene, const struct weir_question *question,
		      enum weir_family family, struct weir_case *ret)
{
	const struct weir_end *from = &question->from, *to = &question->to;
	const struct weir_attachment *out = from->ep ? choose(scene, from, to, family) : NULL;
	const struct weir_attachment *in = to->ep ? choose(scene, to, from, family) : NULL;
	struct weir_case c = { 0 };

	if ((from->ep && !out) || (to->ep && !in))
		return false;
	c.from = out		 ? out->addrs[family]
		 : from->host	 ? host_addr(scene, in, family)
		 : from->outside ? weir_scene_stranger(scene, family)
				 : from->addr;
	c.to = in	     ? in->addrs[family]
	       : to->host    ? host_addr(scene, out, family)
	       : to->outside ? weir_scene_stranger(scene, family)
			     : to->addr;
	if (c.from.family != family || c.to.family != family)
		return false;
	if ((question->service.l4 == WEIR_L4_ICMP && family != WEIR_IPV4) ||
	    (question->service.l4 == WEIR_L4_ICMPV6 && family != WEIR_IPV6))
		return false;
	c.flow.origin = out ? WEIR_FROM_ENDPOINT : from->host ? WEIR_FROM_HOST : WEIR_FROM_OUTSIDE;
	c.flow.network = out ? out->network : NULL;
	c.flow.src = c.from;
	c.flow.dst = c.to;
	set_service(&question->service, &c.flow);
	if (in && c.flow.origin == WEIR_FROM_OUTSIDE && !weir_addr_is_set(&to->addr))
		go_by_mapping(scene, question, family, &c);
	*ret = c;
	return true;
}

/* ---- answers ---- */

/* Who is asked at an address in one network may have the way back in another, and answers there with that
 * address. What came with the host's own is answered where it came in. */
static void note_answers(const struct weir_scene *scene, const struct weir_endpoint *to,
			 struct weir_case *c)
{
	const struct weir_attachment *in;
	const struct weir_network *net;

	if (!to || c->answer.verdict != WEIR_ACCEPT || !weir_addr_is_set(&c->answer.src))
		return;
	in = at_address(to, &c->answer.dst);
	net = in ? weir_endpoint_answers_dropped(scene->model, to, in,
						 weir_endpoint_way(scene->model, to,
								   &c->answer.src))
		 : NULL;
	if (!net)
		return;
	c->unanswered = true;
	note(scene, c,
	     weir_arena_printf(scene->arena,
			       "answers leave by network \"%s\", whose spoof guard drops this "
			       "address: no connection comes up",
			       net->name));
}

/* By which interface somebody outside comes is not asked, and may matter. */
static void note_trust(const struct weir_scene *scene, const struct weir_endpoint *to,
		       struct weir_case *c)
{
	const struct weir_attachment *in = to ? at_address(to, &c->answer.dst) : NULL;
	const struct weir_network *net = in ? weir_model_network(scene->model, in->network) : NULL;

	if (!net || c->flow.origin != WEIR_FROM_OUTSIDE)
		return;
	for (size_t i = 0; i < net->n_trusted; i++) {
		struct weir_flow flow = c->flow;
		struct weir_answer answer;
		(void)snprintf(flow.ifname, sizeof(flow.ifname), "%s", net->trusted[i]);
		if (weir_eval(scene->model, &scene->host, &flow, &answer, NULL) == 0 &&
		    answer.verdict != c->answer.verdict)
			note(scene, c,
			     weir_arena_printf(scene->arena,
					       "%s for what comes by %s, which network \"%s\" "
					       "trusts",
					       weir_verdict_word(answer.verdict), net->trusted[i],
					       net->name));
	}
}

int weir_question_answer(const struct weir_scene *scene, const struct weir_question *question,
			 struct weir_case *ret, size_t *ret_n, struct weir_err *err)
{
	size_t n = 0;

	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++) {
		if (!make_case(scene, question, f, &ret[n]))
			continue;
		int r = weir_eval(scene->model, &scene->host, &ret[n].flow, &ret[n].answer, err);
		if (r < 0)
			return r;
		note_answers(scene, question->to.ep, &ret[n]);
		note_trust(scene, question->to.ep, &ret[n]);
		n++;
	}
	if (!n)
		return weir_err_set(
			err, EINVAL,
			"%s and %s have no address family in common, with this protocol",
			question->from.text, question->to.text);
	*ret_n = n;
	return 0;
}
