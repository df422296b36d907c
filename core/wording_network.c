/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan says of a network. */
#include "core/model.h"
#include "core/wording.h"

static void say_network(FILE *out, const void *object)
{
	const struct weir_network *net = object;
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
	for (size_t i = 0; i < net->n_trusted; i++)
		fprintf(out, "%s%s", i ? " " : ", trusted ", net->trusted[i]);
}

static void say_internal(FILE *out, const void *net)
{
	weir_say_switch(out, ((const struct weir_network *)net)->internal);
}

static void say_isolate(FILE *out, const void *net)
{
	weir_say_switch(out, ((const struct weir_network *)net)->isolate);
}

static void say_host(FILE *out, const void *net)
{
	fputs(((const struct weir_network *)net)->host_deny ? "deny" : "allow", out);
}

static void say_filter(FILE *out, const void *net)
{
	weir_say_switch(out, ((const struct weir_network *)net)->filter_bridged);
}

static void say_spoof_guard(FILE *out, const void *net)
{
	weir_say_switch(out, !((const struct weir_network *)net)->no_spoof_guard);
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
	weir_say_switch(out, ((const struct weir_network *)net)->strict);
}

static void say_excluded(FILE *out, const void *object)
{
	const struct weir_network *net = object;
	char lo[WEIR_ADDR_TEXT], hi[WEIR_ADDR_TEXT];
	for (size_t i = 0; i < net->n_excluded; i++)
		fprintf(out, "%s%s-%s", i ? " " : "", weir_addr_text(&net->excluded[i].lo, lo),
			weir_addr_text(&net->excluded[i].hi, hi));
}

static const struct weir_aspect aspects[] = {
	{ "internal", say_internal }, { "isolate", say_isolate },
	{ "host", say_host },	      { "filter_bridged", say_filter },
	{ "mtu", say_mtu },	      { "mac", say_mac },
	{ "subnets", say_subnets },   { "gateway", say_gateway },
	{ "nat", say_nat },	      { "trusted", say_trusted },
	{ "exclude", say_excluded },  { "spoof_guard", say_spoof_guard },
	{ "strict", say_strict },     { "ingress", say_ingress },
	{ "egress", say_egress },     { "traffic within", say_filtered },
};

static void say_change(FILE *out, const void *before, const void *after)
{
	struct weir_changes c = { .out = out };
	weir_changes_say(&c, aspects, sizeof(aspects) / sizeof(*aspects), before, after);
}

const struct weir_wording weir_network_wording = { "network", say_network, say_change };
