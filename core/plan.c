/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change does, in words. */
#include "core/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/selector.h"
#include "core/utf8.h"

enum { MAPPINGS_TOLD = 8 }; /* by name in one line; more are counted */

void weir_plan_free(struct weir_plan *plan)
{
	weir_arena_free(&plan->arena);
	weir_model_free(&plan->after);
}

int weir_plan_give(struct weir_plan *plan, int r, struct weir_plan *ret)
{
	if (r < 0)
		weir_plan_free(plan);
	else
		*ret = *plan;
	return r;
}

static int no_memory(struct weir_err *err)
{
	return weir_err_set(err, ENOMEM, "out of memory");
}

static int add(struct weir_plan *plan, struct weir_step **steps, size_t *n,
	       const struct weir_step *step, struct weir_err *err)
{
	struct weir_step copy = *step;
	struct weir_step *more = weir_arena_grow(&plan->arena, *steps, *n, sizeof(copy));
	copy.object = weir_arena_strdup(&plan->arena, step->object);
	copy.name = weir_arena_strdup(&plan->arena, step->name);
	char *detail = weir_arena_strdup(&plan->arena, step->detail ? step->detail : "");
	if (!more || !copy.object || !copy.name || !detail)
		return no_memory(err);
	weir_utf8_scrub(detail); /* words of the user's may have been cut anywhere */
	copy.detail = detail;
	*steps = more;
	more[(*n)++] = copy;
	return 0;
}

int weir_plan_add_step(struct weir_plan *plan, enum weir_action action, const char *object,
		       const char *name, const char *detail, struct weir_err *err)
{
	const struct weir_step step = {
		.action = action, .object = object, .name = name, .detail = detail
	};
	return add(plan, &plan->steps, &plan->n_steps, &step, err);
}

int weir_plan_add_drift(struct weir_plan *plan, enum weir_action action, const char *object,
			const char *name, const char *detail, struct weir_err *err)
{
	const struct weir_step step = {
		.action = action, .object = object, .name = name, .detail = detail
	};
	return add(plan, &plan->drift, &plan->n_drift, &step, err);
}

int weir_plan_add_warning(struct weir_plan *plan, const struct weir_step *step,
			  struct weir_err *err)
{
	return add(plan, &plan->warnings, &plan->n_warnings, step, err);
}

/* ---- words ---- */

static void say_mapping(FILE *out, const char *sign, const struct weir_mapping *m)
{
	char text[WEIR_MAPPING_TEXT];
	fputs(sign, out);
	fputs(weir_mapping_text(m, text), out);
	if (m->network)
		fprintf(out, " on %s", m->network);
	if (m->strict)
		fputs(" strict", out);
}

static void say_network(FILE *out, const struct weir_network *net)
{
	char text[WEIR_PREFIX_TEXT];
	fputs(weir_mode_name(net->mode), out);
	if (net->ifname[0])
		fprintf(out, " %s", net->ifname);
	if (net->adopt)
		fputs(" (adopted)", out);
	if (net->parent[0])
		fprintf(out, " on %s", net->parent);
	if (net->vlan)
		fprintf(out, " VLAN %u", net->vlan);
	for (size_t i = 0; i < net->n_subnets; i++)
		fprintf(out, "%s %s", i ? "," : "",
			weir_prefix_text(&net->subnets[i].prefix, text));
	fprintf(out, "%s%s", net->internal ? ", internal" : "", net->isolate ? ", isolated" : "");
}

static void say_addrs(FILE *out, const struct weir_attachment *att)
{
	char text[WEIR_ADDR_TEXT];
	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		if (weir_addr_is_set(&att->addrs[f]))
			fprintf(out, " %s", weir_addr_text(&att->addrs[f], text));
}

static void say_endpoint(FILE *out, const struct weir_endpoint *ep)
{
	for (size_t i = 0; i < ep->n_attachments; i++) {
		fprintf(out, "%s%s", i ? ", " : "", ep->attachments[i].network);
		say_addrs(out, &ep->attachments[i]);
	}
	if (ep->n_mappings)
		fputs(ep->n_attachments ? ", published" : "published", out);
	for (size_t i = 0; i < ep->n_mappings && i < MAPPINGS_TOLD; i++)
		say_mapping(out, " ", &ep->mappings[i]);
	if (ep->n_mappings > MAPPINGS_TOLD)
		fprintf(out, " and %zu more", ep->n_mappings - MAPPINGS_TOLD);
}

struct changes {
	FILE *out;
	bool any;
};

static FILE *next(struct changes *c)
{
	if (c->any)
		fputs(", ", c->out);
	c->any = true;
	return c->out;
}

/* One thing that can differ, as text. What differs in text is told, so nothing changes unsaid. */
struct aspect {
	const char *name;
	void (*say)(FILE *out, const void *object);
};

static char *aspect_text(const struct aspect *aspect, const void *object)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	aspect->say(out, object);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void say_aspects(struct changes *c, const struct aspect *aspects, size_t n, const void *a,
			const void *b)
{
	for (size_t i = 0; i < n; i++) {
		char *before = aspect_text(&aspects[i], a), *after = aspect_text(&aspects[i], b);
		if (before && after && strcmp(before, after) != 0)
			fprintf(next(c), "%s %s", aspects[i].name, after[0] ? after : "none");
		free(before);
		free(after);
	}
}

static void say_switch(FILE *out, bool on)
{
	fputs(on ? "on" : "off", out);
}

static void say_internal(FILE *out, const void *net)
{
	say_switch(out, ((const struct weir_network *)net)->internal);
}

static void say_isolate(FILE *out, const void *net)
{
	say_switch(out, ((const struct weir_network *)net)->isolate);
}

static void say_host(FILE *out, const void *net)
{
	fputs(((const struct weir_network *)net)->host_deny ? "deny" : "allow", out);
}

static void say_filter(FILE *out, const void *net)
{
	say_switch(out, ((const struct weir_network *)net)->filter_bridged);
}

static void say_spoof_guard(FILE *out, const void *net)
{
	say_switch(out, !((const struct weir_network *)net)->no_spoof_guard);
}

static void say_filtered(FILE *out, const void *net)
{
	fputs(((const struct weir_network *)net)->filtered ? "filtered by policies" : "passed",
	      out);
}

static void say_ingress(FILE *out, const void *net)
{
	fputs(weir_default_name(((const struct weir_network *)net)->ingress), out);
}

static void say_egress(FILE *out, const void *net)
{
	fputs(weir_default_name(((const struct weir_network *)net)->egress), out);
}

static void say_mtu(FILE *out, const void *net)
{
	unsigned mtu = ((const struct weir_network *)net)->mtu;
	if (mtu)
		fprintf(out, "%u", mtu);
	else
		fputs("default", out);
}

static void say_mac(FILE *out, const void *net)
{
	char text[WEIR_MAC_TEXT];
	fputs(weir_mac_text(&((const struct weir_network *)net)->mac, text), out);
}

static void say_subnets(FILE *out, const void *object)
{
	const struct weir_network *net = object;
	char prefix[WEIR_PREFIX_TEXT], gateway[WEIR_ADDR_TEXT];
	for (size_t i = 0; i < net->n_subnets; i++) {
		fprintf(out, "%s%s", i ? " " : "",
			weir_prefix_text(&net->subnets[i].prefix, prefix));
		if (weir_addr_is_set(&net->subnets[i].gateway))
			fprintf(out, " by %s", weir_addr_text(&net->subnets[i].gateway, gateway));
	}
}

static void say_gateway(FILE *out, const void *object)
{
	const struct weir_network *net = object;
	fputs(net->gateway_endpoint ? net->gateway_endpoint : "the host", out);
}

static void say_nat(FILE *out, const void *object)
{
	const struct weir_network *net = object;
	char text[WEIR_ADDR_TEXT];
	fputs(net->nat == WEIR_NAT_NONE	     ? "off"
	      : net->nat == WEIR_NAT_ADDRESS ? "to"
					     : "masquerade",
	      out);
	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		if (weir_addr_is_set(&net->nat_addr[f]))
			fprintf(out, " %s", weir_addr_text(&net->nat_addr[f], text));
	if (net->nat_random)
		fputs(" random", out);
}

static void say_trusted(FILE *out, const void *object)
{
	const struct weir_network *net = object;
	for (size_t i = 0; i < net->n_trusted; i++)
		fprintf(out, "%s%s", i ? " " : "", net->trusted[i]);
}

static void say_strict(FILE *out, const void *net)
{
	say_switch(out, ((const struct weir_network *)net)->strict);
}

static void say_excluded(FILE *out, const void *object)
{
	const struct weir_network *net = object;
	char lo[WEIR_ADDR_TEXT], hi[WEIR_ADDR_TEXT];
	for (size_t i = 0; i < net->n_excluded; i++)
		fprintf(out, "%s%s-%s", i ? " " : "", weir_addr_text(&net->excluded[i].lo, lo),
			weir_addr_text(&net->excluded[i].hi, hi));
}

static const struct aspect network_aspects[] = {
	{ "internal", say_internal }, { "isolate", say_isolate },
	{ "host", say_host },	      { "filter_bridged", say_filter },
	{ "mtu", say_mtu },	      { "mac", say_mac },
	{ "subnets", say_subnets },   { "gateway", say_gateway },
	{ "nat", say_nat },	      { "trusted", say_trusted },
	{ "exclude", say_excluded },  { "spoof_guard", say_spoof_guard },
	{ "strict", say_strict },     { "ingress", say_ingress },
	{ "egress", say_egress },     { "traffic within", say_filtered },
};

static void say_network_change(FILE *out, const struct weir_network *a,
			       const struct weir_network *b)
{
	struct changes c = { .out = out };
	say_aspects(&c, network_aspects, sizeof(network_aspects) / sizeof(*network_aspects), a, b);
}

static void say_namespace(FILE *out, const void *object)
{
	const struct weir_endpoint *ep = object;
	fputs(ep->netns == WEIR_NETNS_OWN    ? "own"
	      : ep->netns == WEIR_NETNS_HOST ? "the host's"
					     : ep->netns_path,
	      out);
}

static void say_forward(FILE *out, const void *ep)
{
	say_switch(out, ((const struct weir_endpoint *)ep)->forward);
}

static void say_rate(FILE *out, const void *ep)
{
	const struct weir_rate *rate = &((const struct weir_endpoint *)ep)->rate;
	char text[WEIR_RATE_TEXT];
	fputs(rate->to ? weir_rate_text(rate, text) : "unlimited", out);
}

static void say_labels(FILE *out, const void *object)
{
	const struct weir_endpoint *ep = object;
	for (size_t i = 0; i < ep->n_labels; i++)
		fprintf(out, "%s%s=%s", i ? " " : "", ep->labels[i].key, ep->labels[i].value);
}

static void say_routes(FILE *out, const void *object)
{
	const struct weir_endpoint *ep = object;
	char to[WEIR_PREFIX_TEXT], via[WEIR_ADDR_TEXT];
	for (size_t i = 0; i < ep->n_routes; i++)
		fprintf(out, "%s%s by %s", i ? " " : "", weir_prefix_text(&ep->routes[i].to, to),
			weir_addr_text(&ep->routes[i].via, via));
}

static void say_dns(FILE *out, const void *object)
{
	const struct weir_endpoint *ep = object;
	char text[WEIR_ADDR_TEXT];
	for (size_t i = 0; i < ep->n_dns; i++)
		fprintf(out, "%s%s", i ? " " : "", weir_addr_text(&ep->dns[i], text));
}

static const struct aspect endpoint_aspects[] = {
	{ "namespace", say_namespace }, { "forward", say_forward }, { "labels", say_labels },
	{ "routes", say_routes },	{ "dns", say_dns },	    { "rate", say_rate },
};

static void say_mapping_changes(struct changes *c, const struct weir_endpoint *of,
				const struct weir_endpoint *without, const char *sign)
{
	size_t told = 0;
	for (size_t i = 0; i < of->n_mappings; i++) {
		if (weir_mappings_hold(without->mappings, without->n_mappings, &of->mappings[i]))
			continue;
		if (told++ < MAPPINGS_TOLD)
			say_mapping(next(c), sign, &of->mappings[i]);
	}
	if (told > MAPPINGS_TOLD)
		fprintf(next(c), "%s%zu more", sign, told - MAPPINGS_TOLD);
}

/* Beside the addresses, which are told anyway. */
static void say_attachment_change(FILE *out, const struct weir_attachment *a,
				  const struct weir_attachment *b)
{
	char text[WEIR_MAC_TEXT];
	if (weir_mac_cmp(&a->mac, &b->mac) != 0)
		fprintf(out, " mac %s", weir_mac_text(&b->mac, text));
	if (strcmp(a->ifname, b->ifname) != 0)
		fprintf(out, " ifname %s", b->ifname);
	if (a->priority != b->priority)
		fprintf(out, " priority %d", b->priority);
	if (a->mtu != b->mtu)
		fprintf(out, " mtu %u", b->mtu);
	if (a->isolated != b->isolated)
		fputs(b->isolated ? " isolated" : " not isolated", out);
	if (a->locked != b->locked)
		fputs(b->locked ? " locked" : " not locked", out);
	for (size_t i = 0; i < b->n_sysctls; i++) {
		const struct weir_sysctl *sysctl = &b->sysctls[i];
		bool had = false;
		for (size_t k = 0; k < a->n_sysctls; k++)
			had |= strcmp(a->sysctls[k].key, sysctl->key) == 0 &&
			       strcmp(a->sysctls[k].value, sysctl->value) == 0;
		if (!had)
			fprintf(out, " %s=%s", sysctl->key, sysctl->value);
	}
}

static void say_endpoint_change(FILE *out, const struct weir_endpoint *a,
				const struct weir_endpoint *b)
{
	struct changes c = { .out = out };
	for (size_t i = 0; i < b->n_attachments; i++) {
		const struct weir_attachment *att = &b->attachments[i];
		const struct weir_attachment *old = weir_endpoint_attachment(a, att->network);
		if (old && weir_attachment_equal(old, att))
			continue;
		fprintf(next(&c), "%s%s", old ? "" : "+", att->network);
		say_addrs(out, att);
		if (old)
			say_attachment_change(out, old, att);
	}
	for (size_t i = 0; i < a->n_attachments; i++)
		if (!weir_endpoint_attachment(b, a->attachments[i].network))
			fprintf(next(&c), "-%s", a->attachments[i].network);
	say_mapping_changes(&c, a, b, "-");
	say_mapping_changes(&c, b, a, "+");
	say_aspects(&c, endpoint_aspects, sizeof(endpoint_aspects) / sizeof(*endpoint_aspects), a,
		    b);
}

/* ---- steps ---- */

typedef void say_fn(FILE *out, const void *a, const void *b);

static void say_one(FILE *out, const void *a, const void *b)
{
	(void)b;
	say_endpoint(out, a);
}

static void say_one_network(FILE *out, const void *a, const void *b)
{
	(void)b;
	say_network(out, a);
}

static void say_change(FILE *out, const void *a, const void *b)
{
	say_endpoint_change(out, a, b);
}

static void say_change_network(FILE *out, const void *a, const void *b)
{
	say_network_change(out, a, b);
}

static int add_said(struct weir_plan *plan, struct weir_step step, say_fn *say, const void *a,
		    const void *b, struct weir_err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return no_memory(err);
	say(out, a, b);
	int r = fclose(out) == 0 ? 0 : no_memory(err);
	if (r == 0) {
		step.detail = text;
		r = add(plan, &plan->steps, &plan->n_steps, &step, err);
	}
	free(text);
	return r;
}

static int describe_network(struct weir_plan *plan, const struct weir_network *a,
			    const struct weir_network *b, struct weir_err *err)
{
	struct weir_step step = { .object = "network", .name = (b ? b : a)->name };
	if (a && b && weir_network_equal(a, b))
		return 0;
	if (!b) {
		step.action = WEIR_ACTION_REMOVE;
		return add_said(plan, step, say_one_network, a, NULL, err);
	}
	step.origin = b->origin;
	step.action = a ? WEIR_ACTION_CHANGE : WEIR_ACTION_ADD;
	struct weir_network *copy = weir_model_add_network(&plan->after);
	if (!copy || weir_network_copy(&plan->after, copy, b) < 0)
		return no_memory(err);
	return a ? add_said(plan, step, say_change_network, a, b, err)
		 : add_said(plan, step, say_one_network, b, NULL, err);
}

static int describe_endpoint(struct weir_plan *plan, const struct weir_endpoint *a,
			     const struct weir_endpoint *b, struct weir_err *err)
{
	struct weir_step step = { .object = "endpoint", .name = (b ? b : a)->name };
	if (a && b && weir_endpoint_equal(a, b))
		return 0;
	if (!b) {
		step.action = WEIR_ACTION_REMOVE;
		return add_said(plan, step, say_one, a, NULL, err);
	}
	step.origin = b->origin;
	step.action = a ? WEIR_ACTION_CHANGE : WEIR_ACTION_ADD;
	struct weir_endpoint *copy = weir_model_add_endpoint(&plan->after);
	if (!copy || weir_endpoint_copy(&plan->after, copy, b) < 0)
		return no_memory(err);
	return a ? add_said(plan, step, say_change, a, b, err)
		 : add_said(plan, step, say_one, b, NULL, err);
}

/* ---- policies ---- */

static void say_action(FILE *out, const void *policy)
{
	fputs(weir_policy_action_name(((const struct weir_policy *)policy)->action), out);
}

static void say_from(FILE *out, const void *object)
{
	const struct weir_policy *policy = object;
	weir_selectors_print(policy->from, policy->n_from, out);
}

static void say_to(FILE *out, const void *object)
{
	const struct weir_policy *policy = object;
	weir_selectors_print(policy->to, policy->n_to, out);
}

static void say_services(FILE *out, const void *object)
{
	const struct weir_policy *policy = object;
	char text[WEIR_SERVICE_TEXT];
	if (!policy->n_services)
		fputs("all", out);
	for (size_t i = 0; i < policy->n_services; i++)
		fprintf(out, "%s%s", i ? " " : "", weir_service_text(&policy->services[i], text));
}

static void say_gate(FILE *out, const void *policy)
{
	fputs(weir_policy_gate_name(((const struct weir_policy *)policy)->gate), out);
}

static void say_log(FILE *out, const void *policy)
{
	fputs(weir_policy_log_name(((const struct weir_policy *)policy)->log), out);
}

static void say_priority(FILE *out, const void *policy)
{
	fprintf(out, "%d", ((const struct weir_policy *)policy)->priority);
}

static const struct aspect policy_aspects[] = {
	{ "action", say_action },     { "from", say_from },	 { "to", say_to },
	{ "ports", say_services },    { "direction", say_gate }, { "log", say_log },
	{ "priority", say_priority },
};

static void say_one_policy(FILE *out, const void *a, const void *b)
{
	const struct weir_policy *policy = a;
	(void)b;
	say_action(out, policy);
	fputs(" from ", out);
	say_from(out, policy);
	fputs(" to ", out);
	say_to(out, policy);
	if (policy->n_services) {
		fputs(" ports ", out);
		say_services(out, policy);
	}
	if (policy->gate != WEIR_BOTH_GATES)
		fprintf(out, ", %s only", weir_policy_gate_name(policy->gate));
	if (policy->log != WEIR_LOG_NONE)
		fprintf(out, ", log %s", weir_policy_log_name(policy->log));
	if (policy->priority)
		fprintf(out, ", priority %d", policy->priority);
}

static void say_change_policy(FILE *out, const void *a, const void *b)
{
	struct changes c = { .out = out };
	say_aspects(&c, policy_aspects, sizeof(policy_aspects) / sizeof(*policy_aspects), a, b);
}

static int describe_policy(struct weir_plan *plan, const struct weir_policy *a,
			   const struct weir_policy *b, struct weir_err *err)
{
	struct weir_step step = { .object = "policy", .name = (b ? b : a)->name };
	if (a && b && weir_policy_equal(a, b))
		return 0;
	if (!b) {
		step.action = WEIR_ACTION_REMOVE;
		return add_said(plan, step, say_one_policy, a, NULL, err);
	}
	step.origin = b->origin;
	step.action = a ? WEIR_ACTION_CHANGE : WEIR_ACTION_ADD;
	struct weir_policy *copy = weir_model_add_policy(&plan->after);
	if (!copy || weir_policy_copy(&plan->after, copy, b) < 0)
		return no_memory(err);
	return a ? add_said(plan, step, say_change_policy, a, b, err)
		 : add_said(plan, step, say_one_policy, b, NULL, err);
}

static int describe_policies(struct weir_plan *plan, const struct weir_model *before,
			     const struct weir_model *after, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < before->n_policies; i++)
		if (!weir_model_policy(after, before->policies[i].name))
			r = describe_policy(plan, &before->policies[i], NULL, err);
	for (size_t i = 0; r == 0 && i < after->n_policies; i++)
		r = describe_policy(plan, weir_model_policy(before, after->policies[i].name),
				    &after->policies[i], err);
	return r;
}

int weir_plan_describe(struct weir_plan *plan, const struct weir_resolution *res,
		       struct weir_err *err)
{
	const struct weir_model *before = &res->before, *after = &res->after;
	int r = 0;
	for (size_t i = 0; r == 0 && i < before->n_endpoints; i++)
		if (!weir_model_endpoint(after, before->endpoints[i].name))
			r = describe_endpoint(plan, &before->endpoints[i], NULL, err);
	for (size_t i = 0; r == 0 && i < before->n_networks; i++)
		if (!weir_model_network(after, before->networks[i].name))
			r = describe_network(plan, &before->networks[i], NULL, err);
	for (size_t i = 0; r == 0 && i < after->n_networks; i++)
		r = describe_network(plan, weir_model_network(before, after->networks[i].name),
				     &after->networks[i], err);
	for (size_t i = 0; r == 0 && i < after->n_endpoints; i++)
		r = describe_endpoint(plan, weir_model_endpoint(before, after->endpoints[i].name),
				      &after->endpoints[i], err);
	if (r == 0)
		r = describe_policies(plan, &res->all_before, &res->all_after, err);
	weir_model_sort(&plan->after);
	return r;
}
