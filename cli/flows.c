/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question as users put it, as flows that the evaluator knows.
 *
 * How it works: a user names who talks to whom; a packet has addresses. Of an endpoint in several
 * networks that address is taken by which it would talk to the other end: in a network that both are
 * in, else where its default route is. From outside an endpoint is reached by what it publishes, so a
 * question about its port is one about the host's. */
#include "cli/flows.h"

#include <errno.h>
#include <string.h>

/* Addresses for documentation (RFC 5737, RFC 3849, RFC 9637): few have them, so one can stand for all. */
static const struct weir_addr strangers[] = {
	{ WEIR_IPV4, { 203, 0, 113, 1 } },
	{ WEIR_IPV4, { 198, 51, 100, 1 } },
	{ WEIR_IPV4, { 192, 0, 2, 1 } },
	{ WEIR_IPV4, { 203, 0, 113, 254 } },
	{ WEIR_IPV4, { 198, 51, 100, 254 } },
	{ WEIR_IPV4, { 192, 0, 2, 254 } },
	{ WEIR_IPV6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } },
	{ WEIR_IPV6, { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, [15] = 1 } },
	{ WEIR_IPV6, { 0x3f, 0xff, [15] = 1 } },
	{ WEIR_IPV6, { 0x3f, 0xff, 0x0f, 0xff, 0xff, 0xff, [15] = 1 } },
};

/* What is published at it is the host's own, whether the host is known or not. */
static bool is_published_at(const struct weir_endpoint *ep, const struct weir_addr *addr)
{
	for (size_t i = 0; i < ep->n_mappings; i++)
		if (weir_addr_cmp(&ep->mappings[i].host, addr) == 0)
			return true;
	return false;
}

static bool is_somebodys(const struct weir_scene *scene, const struct weir_addr *addr)
{
	const struct weir_model *model = scene->model;

	for (size_t i = 0; i < scene->host.n_addrs; i++)
		if (weir_addr_cmp(&scene->host.addrs[i], addr) == 0)
			return true;
	for (size_t i = 0; i < model->n_networks; i++)
		for (size_t k = 0; k < model->networks[i].n_subnets; k++)
			if (weir_prefix_contains(&model->networks[i].subnets[k].prefix, addr))
				return true;
	for (size_t i = 0; i < model->n_endpoints; i++)
		if (is_published_at(&model->endpoints[i], addr))
			return true;
	return false;
}

struct weir_addr weir_scene_stranger(const struct weir_scene *scene, enum weir_family family)
{
	for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++)
		if (strangers[i].family == family && !is_somebodys(scene, &strangers[i]))
			return strangers[i];
	return (struct weir_addr){ 0 };
}

const char *weir_verdict_word(enum weir_verdict verdict)
{
	static const char *const words[WEIR_NUM_VERDICTS] = {
		[WEIR_ACCEPT] = "allow",
		[WEIR_DROP] = "deny",
		[WEIR_REFUSE] = "reject",
	};

	return words[verdict];
}

/* ---- words ---- */

/* NAME[@NETWORK] */
static int parse_endpoint(const struct weir_scene *scene, const char *text, struct weir_end *ret,
			  struct weir_err *err)
{
	char *name = weir_arena_strdup(scene->arena, text), *at = name ? strchr(name, '@') : NULL;

	if (!name)
		return weir_err_set(err, ENOMEM, "out of memory");
	if (at)
		*at++ = '\0';
	ret->ep = weir_model_endpoint(scene->model, name);
	ret->network = at;
	if (!ret->ep)
		return weir_err_set(
			err, ENOENT,
			"\"%s\" is no endpoint, address, prefix, \"outside\" or \"host\" "
			"(weir endpoint ls)",
			name);
	if (at && !weir_endpoint_attachment(ret->ep, at))
		return weir_err_set(err, ENOENT, "endpoint \"%s\" is not in network \"%s\"", name,
				    at);
	return 0;
}

/* An address of an endpoint's is that endpoint. */
static void find_owner(const struct weir_model *model, struct weir_end *end)
{
	for (size_t i = 0; i < model->n_endpoints; i++)
		for (size_t k = 0; k < model->endpoints[i].n_attachments; k++) {
			const struct weir_attachment *att = &model->endpoints[i].attachments[k];
			if (weir_addr_cmp(&att->addrs[end->addr.family], &end->addr) != 0)
				continue;
			end->ep = &model->endpoints[i];
			end->network = att->network;
		}
}

/* The first address that somebody could have. */
static struct weir_addr first_of(const struct weir_prefix *prefix)
{
	struct weir_addr addr = weir_prefix_base(prefix);

	if (prefix->len < weir_family_bits(addr.family) - 1)
		(void)weir_addr_add(&addr, 1, &addr);
	return addr;
}

static int parse_end(const struct weir_scene *scene, const char *text, struct weir_end *ret,
		     struct weir_err *err)
{
	struct weir_end end = { .text = text };
	struct weir_prefix prefix;
	int r = 0;

	end.host = strcmp(text, "host") == 0;
	end.outside = strcmp(text, "outside") == 0;
	if (strchr(text, '/')) {
		r = weir_prefix_parse(text, &prefix, err);
		if (r == 0)
			end.addr = first_of(&prefix);
	} else if (!end.host && !end.outside && weir_addr_parse(text, &end.addr, NULL) < 0) {
		r = parse_endpoint(scene, text, &end, err);
	}
	if (r < 0)
		return r;
	if (weir_addr_is_set(&end.addr))
		find_owner(scene->model, &end);
	*ret = end;
	return 0;
}

/* Where the end stops and ":PORT/PROTO" begins; NULL: there is no port. */
static const char *find_service(const char *text)
{
	struct weir_addr addr;
	struct weir_prefix prefix;
	const char *bracket = strchr(text, ']');

	if (text[0] == '[' && bracket)
		return bracket[1] == ':' ? bracket + 1 : NULL;
	if (weir_addr_parse(text, &addr, NULL) == 0 || weir_prefix_parse(text, &prefix, NULL) == 0)
		return NULL;
	return strrchr(text, ':');
}

static int parse_service(const char *text, struct weir_service *ret, struct weir_err *err)
{
	int r = weir_service_parse(text, ret, err);
	bool icmp = r == 0 && (ret->l4 == WEIR_L4_ICMP || ret->l4 == WEIR_L4_ICMPV6);

	if (r < 0 || ret->ports.lo == ret->ports.hi)
		return r;
	if (icmp && ret->ports.lo == 0 && ret->ports.hi == WEIR_ICMP_TYPE_MAX) {
		ret->ports.lo = ret->ports.hi = ret->l4 == WEIR_L4_ICMP ? 8 : 128; /* echo */
		return 0;
	}
	return weir_err_set(err, EINVAL, "\"%s\": name one port", text);
}

/* A piece of the user's word cannot be read; its parser knows the column in the piece only. */
static int blame(struct weir_err *err, const char *word, const char *piece, int code)
{
	unsigned column = err && err->at.column ? err->at.column : 1;

	if (err && code == -EINVAL)
		err->at = weir_place_make(word, 0, (unsigned)(piece - word) + column);
	return code;
}

int weir_question_parse(const struct weir_scene *scene, const char *from, const char *to,
			struct weir_question *ret, struct weir_err *err)
{
	struct weir_question question = { 0 };
	const char *colon = find_service(to);
	bool bracket = to[0] == '[' && strchr(to, ']');
	size_t len = bracket ? (size_t)(strchr(to, ']') - to - 1)
		     : colon ? (size_t)(colon - to)
			     : strlen(to);
	const char *end = weir_arena_strndup(scene->arena, to + bracket, len);

	if (!end)
		return weir_err_set(err, ENOMEM, "out of memory");
	int r = parse_end(scene, from, &question.from, err);
	if (r < 0)
		return blame(err, from, from, r);
	r = parse_end(scene, end, &question.to, err);
	if (r < 0)
		return blame(err, to, to + bracket, r);
	if (colon)
		r = parse_service(colon + 1, &question.service, err);
	if (r < 0)
		return blame(err, to, colon + 1, r);
	if ((question.from.host || (question.from.outside && !question.to.ep)) &&
	    (question.to.host || question.to.outside))
		return weir_err_set(
			err, EINVAL,
			"one end must be an endpoint: what passes by them is not weir's");
	*ret = question;
	return 0;
}

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

/* The mapping that leads to this port of the endpoint's, in the family; NULL: none. */
static const struct weir_mapping *find_mapping(const struct weir_end *to,
					       const struct weir_service *service,
					       enum weir_family family)
{
	for (size_t i = 0; i < to->ep->n_mappings; i++) {
		const struct weir_mapping *m = &to->ep->mappings[i];
		if ((int)m->proto == (int)service->l4 && m->ports.lo <= service->ports.lo &&
		    service->ports.lo <= m->ports.hi &&
		    (!weir_addr_is_set(&m->host) ||
		     (m->host.family == family && !weir_addr_is_loopback(&m->host))))
			return m;
	}
	return NULL;
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

/* An endpoint's port from outside: by what is published. */
static void go_by_mapping(const struct weir_scene *scene, const struct weir_question *question,
			  enum weir_family family, struct weir_case *c)
{
	const struct weir_mapping *m = find_mapping(&question->to, &question->service, family);
	struct weir_addr host = host_addr(scene, NULL, family);
	char text[WEIR_MAPPING_TEXT];

	if (!m) {
		m = mapping_at_host(&question->to, &question->service);
		if (m)
			c->note = weir_arena_printf(scene->arena,
						    "published is %s: ask for the endpoint's port",
						    weir_mapping_text(m, text));
		return;
	}
	if (weir_addr_is_set(&m->host))
		host = m->host;
	if (!weir_addr_is_set(&host))
		return;
	c->flow.dst = host;
	c->flow.dport =
		(uint16_t)(m->host_ports.lo + (m->host_ports.lo == m->host_ports.hi
						       ? 0
						       : question->service.ports.lo - m->ports.lo));
	c->note = weir_arena_printf(scene->arena, "by its published port %s",
				    weir_mapping_text(m, text));
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
	if (in && c.flow.origin == WEIR_FROM_OUTSIDE)
		go_by_mapping(scene, question, family, &c);
	*ret = c;
	return true;
}

/* ---- answers ---- */

/* Its attachment with the address; NULL: it has no such. */
static const struct weir_attachment *at_address(const struct weir_endpoint *ep,
						const struct weir_addr *addr)
{
	for (size_t i = 0; i < ep->n_attachments; i++)
		if (weir_addr_cmp(&ep->attachments[i].addrs[addr->family], addr) == 0)
			return &ep->attachments[i];
	return NULL;
}

/* Who is asked at an address in one network may have the way back in another, and answers there with that
 * address. What came with the host's own is answered where it came in. */
static int note_answers(const struct weir_scene *scene, const struct weir_endpoint *to,
			struct weir_case *c, struct weir_err *err)
{
	const struct weir_attachment *in, *back;
	const struct weir_network *net;

	if (!to || to->forward || c->answer.verdict != WEIR_ACCEPT ||
	    !weir_addr_is_set(&c->answer.src))
		return 0;
	in = at_address(to, &c->answer.dst);
	back = in ? weir_endpoint_way(scene->model, to, &c->answer.src) : NULL;
	net = back ? weir_model_network(scene->model, back->network) : NULL;
	if (!net || back == in || net->no_spoof_guard || !weir_mode_traits(net->mode)->host)
		return 0;
	c->note = weir_arena_printf(scene->arena,
				    "%s%sanswers leave by network \"%s\", whose spoof guard drops "
				    "this address: no connection comes up",
				    c->note ? c->note : "", c->note ? "; " : "", net->name);
	return c->note ? 0 : weir_err_set(err, ENOMEM, "out of memory");
}

int weir_question_answer(const struct weir_scene *scene, const struct weir_question *question,
			 struct weir_case *ret, size_t *ret_n, struct weir_err *err)
{
	size_t n = 0;

	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++) {
		if (!make_case(scene, question, f, &ret[n]))
			continue;
		int r = weir_eval(scene->model, &scene->host, &ret[n].flow, &ret[n].answer, err);
		if (r == 0)
			r = note_answers(scene, question->to.ep, &ret[n], err);
		if (r < 0)
			return r;
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
