/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies: the compiler's entries, interpreted, say what the evaluator says, for random models and flows. */
#include "vmtests/unit/cm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "core/selector.h"
#include "policy/cells.h"
#include "policy/compile.h"
#include "policy/eval.h"

/* ---- chance ---- */

static uint64_t seed;

static unsigned below(unsigned n) /* xorshift64*, Vigna */
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % n;
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

static const char *pick_text(const char *const *texts, size_t n)
{
	return texts[below((unsigned)n)];
}
#define PICK(texts) pick_text((texts), sizeof(texts) / sizeof((texts)[0]))

static void *room(struct weir_model *model, size_t n, size_t size)
{
	void *items = weir_arena_alloc(&model->arena, n * size + 1);
	assert_non_null(items);
	return items;
}

/* ---- models ---- */

static const char *const networks[] = { "n0", "n1", "n2", "n3" };
static const char *const endpoints[] = { "a", "b", "c", "d", "e", "f" };
static const char *const keys[] = { "role", "env" };
static const char *const values[] = { "x", "y", "z" };
static const char *const blocks[] = {
	"0.0.0.0/0",
	"10.0.0.0/8",
	"10.1.0.0/24",
	"10.1.0.10/32",
	"10.2.0.0/24",
	"198.51.0.0/16",
	"198.51.100.0/24",
	"198.51.100.7/32",
	"128.0.0.0/1",
	"255.255.255.255/32",
	"::/0",
	"fd00::/16",
	"fd00:1::/64",
	"2001:db8::/32",
	"2001:db8:9::/48",
	"2001:db8:9::7/128",
};
static const char *const outsiders[] = { "198.51.100.7",  "198.51.7.7",	     "203.0.113.1",
					 "10.9.9.9",	  "255.255.255.255", "2001:db8:9::7",
					 "2001:db8:8::1", "fd00:9::9",	     "::2" };

static struct weir_addr addr(const char *text)
{
	struct weir_addr a;
	assert_int_equal(weir_addr_parse(text, &a, NULL), 0);
	return a;
}

static struct weir_prefix prefix(const char *text)
{
	struct weir_prefix p;
	assert_int_equal(weir_prefix_parse(text, &p, NULL), 0);
	return p;
}

__attribute__((format(printf, 2, 3))) static const char *textf(struct weir_model *model,
							       const char *fmt, ...)
{
	char *text = room(model, 1, 64);
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, 64, fmt, args);
	va_end(args);
	return text;
}

static void make_network(struct weir_model *model, unsigned i)
{
	struct weir_network *net = weir_model_add_network(model);

	net->name = networks[i];
	(void)snprintf(net->ifname, sizeof(net->ifname), "wb-%s", net->name);
	net->n_subnets = 2;
	net->subnets = room(model, 2, sizeof(*net->subnets));
	net->subnets[0].prefix = prefix(textf(model, "10.%u.0.0/24", i));
	net->subnets[1].prefix = prefix(textf(model, "fd00:%u::/64", i));
	net->nat = one_in(2) ? WEIR_NAT_NONE : WEIR_NAT_MASQUERADE;
	net->internal = one_in(6);
	net->isolate = one_in(6);
	net->host_deny = one_in(4);
	net->filter_bridged = one_in(4);
	net->egress = below(WEIR_NUM_DEFAULTS);
	net->ingress = below(WEIR_NUM_DEFAULTS);
	if (one_in(8))
		net->gateway_endpoint = endpoints[below(6)];
	if (one_in(3)) {
		net->trusted = room(model, 1, sizeof(*net->trusted));
		net->trusted[net->n_trusted++] = "eth1";
	}
}

static void make_labels(struct weir_model *model, struct weir_endpoint *ep)
{
	ep->labels = room(model, 2, sizeof(*ep->labels));
	for (size_t i = 0; i < 2; i++)
		if (one_in(2))
			ep->labels[ep->n_labels++] = (struct weir_label){ keys[i], PICK(values) };
}

static void make_endpoint(struct weir_model *model, unsigned i)
{
	struct weir_endpoint *ep = weir_model_add_endpoint(model);

	ep->name = endpoints[i];
	make_labels(model, ep);
	for (unsigned n = 0; n < 4; n++) {
		if (!one_in(3))
			continue;
		struct weir_attachment *att = weir_endpoint_add_attachment(model, ep);
		att->network = networks[n];
		if (!one_in(5))
			att->addrs[WEIR_IPV4] = addr(textf(model, "10.%u.0.%u", n, 10 + i));
		if (!one_in(5))
			att->addrs[WEIR_IPV6] = addr(textf(model, "fd00:%u::%u", n, 10 + i));
	}
	if (ep->n_attachments && one_in(2)) {
		struct weir_mapping *m = weir_endpoint_add_mapping(model, ep);
		m->proto = one_in(2) ? WEIR_TCP : WEIR_UDP;
		m->host_ports.lo = m->host_ports.hi = (uint16_t)(8000 + i);
		m->ports.lo = m->ports.hi = (uint16_t)(79 + below(4));
	}
}

static void make_blocks(struct weir_model *model, struct weir_selector *sel)
{
	sel->n_blocks = 1 + below(2);
	sel->blocks = room(model, sel->n_blocks, sizeof(*sel->blocks));
	for (size_t i = 0; i < sel->n_blocks; i++) {
		struct weir_block *block = &sel->blocks[i];
		block->prefix = prefix(PICK(blocks));
		block->except = room(model, 2, sizeof(*block->except));
		for (int n = 0; n < 4 && block->n_except < 2; n++) {
			struct weir_prefix inner = prefix(PICK(blocks));
			if (inner.len > block->prefix.len &&
			    weir_prefix_overlaps(&inner, &block->prefix))
				block->except[block->n_except++] = inner;
		}
	}
}

static void make_endpoints_selector(struct weir_model *model, struct weir_selector *sel)
{
	sel->networks = room(model, 2, sizeof(*sel->networks));
	sel->endpoints = room(model, 2, sizeof(*sel->endpoints));
	sel->labels = room(model, 2, sizeof(*sel->labels));
	while (one_in(3) && sel->n_networks < 2)
		sel->networks[sel->n_networks++] = PICK(networks);
	while (one_in(4) && sel->n_endpoints < 2)
		sel->endpoints[sel->n_endpoints++] = PICK(endpoints);
	for (size_t i = 0; i < 2; i++) {
		if (one_in(2))
			continue;
		struct weir_label_match *match = &sel->labels[sel->n_labels++];
		match->key = keys[i];
		match->values = room(model, 2, sizeof(*match->values));
		while (match->n_values < 2 && !one_in(3))
			match->values[match->n_values++] = PICK(values);
	}
}

static struct weir_selector *make_selectors(struct weir_model *model, size_t *ret_n)
{
	size_t n = below(3);
	struct weir_selector *sels = room(model, n, sizeof(*sels));

	for (size_t i = 0; i < n; i++) {
		sels[i].kind = below(WEIR_NUM_SELECTOR_KINDS);
		if (sels[i].kind == WEIR_SELECT_ENDPOINTS)
			make_endpoints_selector(model, &sels[i]);
		else if (sels[i].kind == WEIR_SELECT_BLOCKS)
			make_blocks(model, &sels[i]);
	}
	*ret_n = n;
	return sels;
}

static void make_service(struct weir_service *s)
{
	static const uint16_t ports[] = { 0, 1, 79, 80, 81, 82, 1000, 65534, 65535 };

	s->l4 = WEIR_L4_TCP + below(WEIR_NUM_L4S - 1);
	if (s->l4 >= WEIR_L4_ICMP) {
		s->ports.lo = s->l4 == WEIR_L4_ICMP ? 8 : 128;
		s->ports.hi = s->ports.lo;
		if (one_in(2))
			s->ports = (struct weir_ports){ 0, WEIR_ICMP_TYPE_MAX };
		return;
	}
	uint16_t a = ports[below(9)], b = ports[below(9)];
	s->ports = (struct weir_ports){ a < b ? a : b, a < b ? b : a };
}

static void make_policy(struct weir_model *model, unsigned i)
{
	struct weir_policy *policy = weir_model_add_policy(model);

	policy->name = textf(model, "p%02u", i);
	policy->from = make_selectors(model, &policy->n_from);
	policy->to = make_selectors(model, &policy->n_to);
	policy->n_services = below(4);
	policy->services = room(model, policy->n_services, sizeof(*policy->services));
	for (size_t k = 0; k < policy->n_services; k++)
		make_service(&policy->services[k]);
	policy->action = below(2) ? WEIR_ALLOW : below(WEIR_NUM_POLICY_ACTIONS);
	policy->gate = below(WEIR_NUM_POLICY_GATES);
	policy->log = below(WEIR_NUM_POLICY_LOGS);
	policy->priority = (int)below(4);
}

static void make_model(struct weir_model *model, unsigned n_policies)
{
	for (unsigned i = 0; i < 4; i++)
		make_network(model, i);
	for (unsigned i = 0; i < 6; i++)
		make_endpoint(model, i);
	weir_model_sort(model);
	for (size_t i = 0; i < model->n_networks; i++) {
		struct weir_network *net = &model->networks[i];
		const struct weir_endpoint *ep =
			net->gateway_endpoint ? weir_model_endpoint(model, net->gateway_endpoint)
					      : NULL;
		if (net->gateway_endpoint)
			weir_network_set_gateway(net, weir_endpoint_attachment(ep, net->name));
		else
			assert_int_equal(weir_network_resolve_gateways(net, NULL), 0);
	}
	for (unsigned i = 0; i < n_policies; i++)
		make_policy(model, i);
	weir_model_sort(model);
	assert_int_equal(weir_policies_bind(model, NULL), 0);
}

/* ---- flows ---- */

static struct weir_addr any_addr(const struct weir_model *model, bool endpoint)
{
	for (int tries = 0; endpoint && tries < 50; tries++) {
		const struct weir_endpoint *ep = &model->endpoints[below(6)];
		if (!ep->n_attachments)
			continue;
		const struct weir_attachment *att =
			&ep->attachments[below((unsigned)ep->n_attachments)];
		const struct weir_addr *a = &att->addrs[1 + below(2)];
		if (weir_addr_is_set(a))
			return *a;
	}
	static const char *const others[] = { "192.0.2.1", "2001:db8::1", "10.1.0.1",
					      "fd00:1::1", "10.2.0.99",	  "fd00:2::99" };
	return addr(one_in(3) ? PICK(others) : PICK(outsiders));
}

static struct weir_flow make_flow(const struct weir_model *model)
{
	static const uint16_t ports[] = { 1,	79,   80,   81,	  82,	83,   1000, 65535,
					  8000, 8001, 8002, 8003, 8004, 8005, 53,   22 };
	struct weir_flow flow = { .origin = below(3), .opens = true };

	flow.src = any_addr(model, flow.origin == WEIR_FROM_ENDPOINT);
	do
		flow.dst = any_addr(model, !one_in(3));
	while (flow.dst.family != flow.src.family);
	if (flow.origin == WEIR_FROM_ENDPOINT)
		for (size_t i = 0; i < model->n_networks; i++)
			if (!flow.network || weir_network_subnet_of(&model->networks[i], &flow.src))
				flow.network = model->networks[i].name;
	if (flow.origin == WEIR_FROM_OUTSIDE)
		(void)snprintf(flow.ifname, sizeof(flow.ifname), "eth%u", below(2));
	flow.proto = below(WEIR_NUM_PROTOS);
	if (flow.proto)
		flow.dport = ports[below(sizeof(ports) / sizeof(ports[0]))];
	else if (one_in(3))
		flow.icmp_type = (uint8_t)(1 + below(one_in(2) ? 255 : 143));
	flow.opens = flow.proto != WEIR_TCP || !one_in(8);
	return flow;
}

/* ---- the entries, interpreted ---- */

struct interpreter {
	const struct weir_ruleset *rules;
	const struct weir_flow *flow;
	struct weir_addr dst; /* after translation */
	uint16_t dport;
};

static bool holds(const struct weir_entry *e, const struct weir_addr *a)
{
	struct weir_prefix p = { e->addr, e->prefix_len };
	return e->family == a->family && weir_prefix_contains(&p, a);
}

/* At most one may hold. */
static const struct weir_entry *only(const struct weir_entry *found, const struct weir_entry *e)
{
	assert_null(found);
	return e;
}

static const struct weir_entry *find_cell(const struct interpreter *in, uint64_t list)
{
	bool six = in->dst.family == WEIR_IPV6;
	unsigned l4 = in->flow->proto ? (unsigned)in->flow->proto
		      : six	      ? WEIR_L4_ICMPV6
				      : WEIR_L4_ICMP;
	unsigned number = in->flow->proto ? in->dport : in->flow->icmp_type;
	const struct weir_entry *found = NULL, *any = NULL;

	if (!in->flow->proto && !number)
		number = six ? 128 : 8;
	for (size_t i = 0; i < in->rules->n; i++) {
		const struct weir_entry *e = &in->rules->entries[i];
		if (e->kind != WEIR_ENTRY_CELL || e->list != list)
			continue;
		if (e->l4 == WEIR_L4_ANY)
			any = only(any, e);
		else if (e->l4 == l4 && e->ports.lo <= number && number <= e->ports.hi)
			found = only(found, e);
	}
	return found ? found : any;
}

static const struct weir_entry *forward_cell(const struct interpreter *in, bool from_outside,
					     bool to_outside)
{
	const struct weir_entry *member = NULL, *pair = NULL;

	for (size_t i = 0; i < in->rules->n; i++) {
		const struct weir_entry *e = &in->rules->entries[i];
		if (e->kind == WEIR_ENTRY_MEMBER && holds(e, &in->flow->src) &&
		    !(e->flags & WEIR_OUTSIDE) == !from_outside)
			member = only(member, e);
	}
	for (size_t i = 0; member && i < in->rules->n; i++) {
		const struct weir_entry *e = &in->rules->entries[i];
		if (e->kind == WEIR_ENTRY_PAIR && e->class == member->class && holds(e, &in->dst) &&
		    !(e->flags & WEIR_OUTSIDE) == !to_outside)
			pair = only(pair, e);
	}
	return pair ? find_cell(in, pair->list) : NULL;
}

static const struct weir_entry *host_cell(const struct interpreter *in, bool from_host)
{
	for (size_t i = 0; i < in->rules->n; i++) {
		const struct weir_entry *e = &in->rules->entries[i];
		if (e->kind == WEIR_ENTRY_HOST_PAIR &&
		    weir_addr_cmp(&e->addr, from_host ? &in->dst : &in->flow->src) == 0 &&
		    !(e->flags & WEIR_FROM_HOST_PAIR) == !from_host)
			return find_cell(in, e->list);
	}
	return NULL;
}

static unsigned flags_of(const struct interpreter *in, const struct weir_network *net)
{
	for (size_t i = 0; net && i < in->rules->n; i++) {
		const struct weir_entry *e = &in->rules->entries[i];
		if (e->kind == WEIR_ENTRY_NETWORK && strcmp(e->ifname, net->ifname) == 0)
			return e->flags;
	}
	return 0;
}

/* Who decides, in words; NULL: the usual rules. */
static const char *by_cell(const struct weir_entry *cell, unsigned from, unsigned to)
{
	switch (cell ? cell->verdict : WEIR_CELL_CONTINUE) {
	case WEIR_CELL_DROP:
		return "drop";
	case WEIR_CELL_REJECT:
		return "refuse";
	case WEIR_CELL_ACCEPT:
		return "accept";
	case WEIR_CELL_ACCEPT_INGRESS:
		return from & WEIR_EGRESS_DENY ? "egress" : "accept";
	case WEIR_CELL_ACCEPT_EGRESS:
		return to & WEIR_INGRESS_DENY ? "ingress" : NULL;
	default:
		return from & WEIR_EGRESS_DENY	? "egress"
		       : to & WEIR_INGRESS_DENY ? "ingress"
						: NULL;
	}
}

/* ---- the two beside each other ---- */

/* The model as if nobody had said anything. */
static struct weir_model usual_of(const struct weir_model *model)
{
	struct weir_model usual = *model;

	usual.n_policies = 0;
	usual.arena = (struct weir_arena){ 0 };
	usual.networks =
		weir_arena_alloc(&usual.arena, model->n_networks * sizeof(*model->networks));
	assert_non_null(usual.networks);
	memcpy(usual.networks, model->networks, model->n_networks * sizeof(*model->networks));
	for (size_t i = 0; i < model->n_networks; i++)
		usual.networks[i].egress = usual.networks[i].ingress = WEIR_AS_USUAL;
	return usual;
}

static const struct weir_network *network_at(const struct weir_model *model,
					     const struct weir_addr *a, bool routed)
{
	for (size_t i = 0; i < model->n_networks; i++)
		if (weir_network_subnet_of(&model->networks[i], a) &&
		    !(routed && model->networks[i].gateway_endpoint))
			return &model->networks[i];
	return NULL;
}

static bool stands_before_policies(const struct weir_answer *usual)
{
	static const enum weir_drop reasons[] = { WEIR_DROP_LOOPBACK,  WEIR_DROP_DIRECT,
						  WEIR_DROP_GATEWAY,   WEIR_DROP_NOT_SYN,
						  WEIR_DROP_ISOLATION, WEIR_DROP_INTERNAL,
						  WEIR_DROP_SOURCE,    WEIR_DROP_ROUTER };
	for (size_t i = 0; usual->verdict == WEIR_DROP && i < sizeof(reasons) / sizeof(reasons[0]);
	     i++)
		if (strcmp(usual->reason, weir_drop_reason(reasons[i])) == 0)
			return true;
	return usual->verdict == WEIR_ACCEPT && strcmp(usual->reason, "not for weir") == 0;
}

static const char *expected(const struct interpreter *in, const struct weir_model *model,
			    const struct weir_answer *usual)
{
	const struct weir_flow *flow = in->flow;
	const struct weir_network *from = flow->origin == WEIR_FROM_ENDPOINT
						  ? weir_model_network(model, flow->network)
						  : NULL;
	bool to_host = usual->local || strcmp(usual->reason, weir_drop_reason(WEIR_DROP_HOST)) == 0;
	bool within = from && weir_network_subnet_of(from, &in->dst) && !to_host;
	const struct weir_network *to = within ? from : network_at(model, &in->dst, true);
	unsigned from_flags = flags_of(in, from), to_flags = flags_of(in, to);
	const char *by;

	bool discovery =
		!flow->proto && in->dst.family == WEIR_IPV6 &&
		((flow->icmp_type >= 130 && flow->icmp_type <= 137) || flow->icmp_type == 143);

	if (stands_before_policies(usual))
		return NULL;
	if (discovery && (to_host || within || flow->origin == WEIR_FROM_HOST ||
			  strcmp(usual->reason, "to the network's gateway") == 0))
		return NULL;
	if (flow->origin == WEIR_FROM_HOST)
		return to_host || !to ? NULL : by_cell(host_cell(in, true), 0, 0);
	if (to_host)
		return from ? by_cell(host_cell(in, false), 0, 0) : NULL;
	if (within && !(from_flags & (WEIR_FILTERED | WEIR_ISOLATED)))
		return NULL;
	if (strcmp(usual->reason, "to the network's gateway") == 0)
		return from_flags & WEIR_FILTERED
			       ? by_cell(forward_cell(in, false, false), from_flags, from_flags)
			       : NULL;
	by = by_cell(forward_cell(in, !from, !to), from_flags, to_flags);
	if (!by && from && to && to_flags & WEIR_INGRESS_ALLOW && usual->verdict == WEIR_DROP)
		return "accept";
	return by;
}

static const char *said(const struct weir_answer *a)
{
	if (a->verdict == WEIR_DROP && strcmp(a->reason, weir_drop_reason(WEIR_DROP_EGRESS)) == 0)
		return "egress";
	if (a->verdict == WEIR_DROP && strcmp(a->reason, weir_drop_reason(WEIR_DROP_INGRESS)) == 0)
		return "ingress";
	return a->verdict == WEIR_DROP ? "drop" : a->verdict == WEIR_REFUSE ? "refuse" : "accept";
}

static void print_flow(const struct weir_flow *flow, uint64_t start)
{
	char src[WEIR_ADDR_TEXT], dst[WEIR_ADDR_TEXT];
	print_error("seed %" PRIu64 ": %s %s%s %s -> %s proto %d port %u type %u opens %d\n", start,
		    (const char *[]){ "endpoint", "host", "outside" }[flow->origin],
		    flow->network ? flow->network : "", flow->ifname,
		    weir_addr_text(&flow->src, src), weir_addr_text(&flow->dst, dst), flow->proto,
		    flow->dport, flow->icmp_type, flow->opens);
}

/* Returns whether something other than the usual rules decided. */
static bool compare(const struct weir_model *model, const struct weir_model *usual,
		    const struct weir_ruleset *rules, const struct weir_flow *flow, uint64_t start)
{
	const struct weir_addr local[] = { addr("192.0.2.1"), addr("2001:db8::1") };
	const struct weir_eval_host host = { .addrs = local, .n_addrs = 2 };
	struct weir_answer a, b;

	assert_int_equal(weir_eval(usual, &host, flow, &b, NULL), 0);
	assert_int_equal(weir_eval(model, &host, flow, &a, NULL), 0);
	struct interpreter in = { rules, flow, b.dst, b.dport };
	const char *want = expected(&in, model, &b);
	if (strcmp(want ? want : said(&b), said(&a)) != 0) {
		print_flow(flow, start);
		weir_ruleset_print(rules, stderr);
		print_error("entries: %s; evaluator: %s\n", want ? want : said(&b), a.text);
		fail();
	}
	return want != NULL;
}

static void entries_say_what_the_evaluator_says(void **state)
{
	const char *given = getenv("WEIR_SEED"), *more = getenv("WEIR_MODELS");
	unsigned models = more ? (unsigned)strtoul(more, NULL, 10) : 400, decided = 0, flows = 0;
	uint64_t start = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2654435761U;

	(void)state;
	for (unsigned i = 0; i < models; i++, start++) {
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
		struct weir_err err = { 0 };
		seed = start * UINT64_C(0x9e3779b97f4a7c15) | 1;
		make_model(&model, below(12));
		if (weir_compile(&model, &rules, &err) < 0) {
			if (strstr(err.text, "cannot be published"))
				continue;
			fail_msg("seed %" PRIu64 ": %s", start, err.text);
		}
		WEIR_CLEAN_MODEL struct weir_model usual = usual_of(&model);
		for (int k = 0; k < 200; k++, flows++) {
			struct weir_flow flow = make_flow(&model);
			decided += compare(&model, &usual, &rules, &flow, start);
		}
	}
	print_message("%u of %u flows decided\n", decided, flows);
	assert_true(decided > flows / 10); /* or the test has become a test of nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_say_what_the_evaluator_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
