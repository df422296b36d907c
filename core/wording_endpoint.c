/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan says of an endpoint. */
#include <string.h>

#include "core/model.h"
#include "core/wording.h"

enum { MAPPINGS_TOLD = 8 }; /* by name in one line; more are counted */

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

static void say_addrs(FILE *out, const struct weir_attachment *att)
{
	char text[WEIR_ADDR_TEXT];
	for (enum weir_family f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		if (weir_addr_is_set(&att->addrs[f]))
			fprintf(out, " %s", weir_addr_text(&att->addrs[f], text));
}

static void say_endpoint(FILE *out, const void *object)
{
	const struct weir_endpoint *ep = object;
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
	weir_say_switch(out, ((const struct weir_endpoint *)ep)->forward);
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

static const struct weir_aspect aspects[] = {
	{ "namespace", say_namespace }, { "forward", say_forward }, { "labels", say_labels },
	{ "routes", say_routes },	{ "dns", say_dns },	    { "rate", say_rate },
};

static void say_mapping_changes(struct weir_changes *c, const struct weir_endpoint *of,
				const struct weir_endpoint *without, const char *sign)
{
	size_t told = 0;
	for (size_t i = 0; i < of->n_mappings; i++) {
		if (weir_mappings_hold(without->mappings, without->n_mappings, &of->mappings[i]))
			continue;
		if (told++ < MAPPINGS_TOLD)
			say_mapping(weir_changes_next(c), sign, &of->mappings[i]);
	}
	if (told > MAPPINGS_TOLD)
		fprintf(weir_changes_next(c), "%s%zu more", sign, told - MAPPINGS_TOLD);
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

static void say_change(FILE *out, const void *before, const void *after)
{
	const struct weir_endpoint *a = before, *b = after;
	struct weir_changes c = { .out = out };
	for (size_t i = 0; i < b->n_attachments; i++) {
		const struct weir_attachment *att = &b->attachments[i];
		const struct weir_attachment *old = weir_endpoint_attachment(a, att->network);
		if (old && weir_attachment_equal(old, att))
			continue;
		fprintf(weir_changes_next(&c), "%s%s", old ? "" : "+", att->network);
		say_addrs(out, att);
		if (old)
			say_attachment_change(out, old, att);
	}
	for (size_t i = 0; i < a->n_attachments; i++)
		if (!weir_endpoint_attachment(b, a->attachments[i].network))
			fprintf(weir_changes_next(&c), "-%s", a->attachments[i].network);
	say_mapping_changes(&c, a, b, "-");
	say_mapping_changes(&c, b, a, "+");
	weir_changes_say(&c, aspects, sizeof(aspects) / sizeof(*aspects), a, b);
}

const struct weir_wording weir_endpoint_wording = { "endpoint", say_endpoint, say_change };
