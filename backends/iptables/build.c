/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains of every table, and the entries that their rules stand for. */
#include "backends/iptables/build.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iptables/policies.h"

/* How it works
 * Each entry of the ruleset has one rule at home, from which it can be read back whole, and perhaps
 * others that follow from it. So what is there is read by its homes, built anew, and compared: a
 * rule that was edited, added or lost shows as a difference, wherever it stands.
 *
 *	NETWORK	 filter, IPv4	-i wb-web -g WEIR-FROM-wb-web		"open web"
 *		-i wr1a2b3-c4d5e6f -g WEIR-FROM-wr1a2b3-+	of a routed network
 *	SEGMENT	 filter		-s 10.88.1.0/24 -d 10.88.1.0/24 -o wr1a2b3-+ -g WEIR-NEAR-wr1a2b3-+	"web"
 *	SOURCE	 filter		-s 10.88.1.2/32 -i wb-web -j RETURN	"nginx"
 *	ISOLATED filter		-s 10.88.1.3/32 -g WEIR-APART-wb-web	"nginx"
 *	GATEWAY	 filter		-d 10.88.1.1/32 ! -i wb-web -g WEIR-DROP-GATEWAY   "web"
 *	TRUSTED	 filter, IPv4	-i eth1 -o wb-web -j ACCEPT		"web"
 *	GUARD	 filter		… -g WEIR-DROP-ROUTER
 *	STRICT	 nat		-d 192.0.2.1/32 -p tcp --dport 8080 -j ACCEPT	"nginx 192.0.2.1:8080:80"
 *	CLASS	 filter, IPv4	-g WEIR-C-0123456789abcdef		"api"
 *	MEMBER	 filter		-s 10.88.1.2/32 -g WEIR-C-…		"endpoint api"
 *	PAIR	 filter		-d 10.88.2.10/32 -g WEIR-L-…		"endpoint 0123456789abcdef pg"
 *	HOST_PAIR filter	-s 10.88.1.2/32 -g WEIR-L-…		"host api"
 *	CELL	 filter, IPv4	-p tcp --dport 5432 -j ACCEPT		"policy api-to-pg"
 *	SUBNET	 nat		-s 10.88.1.0/24 -j MASQUERADE		"wb-web web"
 *	MAPPING	 nat		-p tcp --dport 8080 -j DNAT …		without its owner (nat.c)
 */

const struct weir_ipt_place weir_ipt_places[WEIR_IPT_PLACES] = {
	{ WEIR_IPT_FILTER, WEIR_IPV6 },
	{ WEIR_IPT_NAT, WEIR_IPV6 },
	{ WEIR_IPT_FILTER, WEIR_IPV4 },
	{ WEIR_IPT_NAT, WEIR_IPV4 },
};

/* By bit. */
static const char *const flag_words[] = {
	"closed",      "isolated",     "host-deny",	"filtered",
	"egress-deny", "ingress-deny", "ingress-allow",
};
enum { N_FLAG_WORDS = sizeof(flag_words) / sizeof(flag_words[0]) };

const char *weir_ipt_flags_text(uint8_t flags, char buf[WEIR_IPT_FLAGS_TEXT])
{
	size_t used = 0;
	(void)snprintf(buf, WEIR_IPT_FLAGS_TEXT, "open");
	for (unsigned i = 0; i < N_FLAG_WORDS; i++)
		if (flags & 1U << i)
			used += (size_t)snprintf(buf + used, WEIR_IPT_FLAGS_TEXT - used, "%s%s",
						 used ? "," : "", flag_words[i]);
	return buf;
}

static void build_epoch(const struct weir_epoch *epoch, struct weir_ipt_image *image)
{
	size_t chain = weir_ipt_image_chain(image, WEIR_IPT_EPOCH_CHAIN);
	struct weir_ipt_rule rule = {
		.verdict = WEIR_IPT_RETURN,
		.comment = weir_ipt_image_text(image, "%s %s %" PRIu32, epoch->store, epoch->boot,
					       epoch->counter),
	};
	weir_ipt_image_rule(image, chain, &rule, 0);
}

void weir_ipt_view_free(struct weir_ipt_view *view)
{
	free(view->entries);
	*view = (struct weir_ipt_view){ 0 };
}

int weir_ipt_build(const struct weir_ipt_place *place, const struct weir_ruleset *rules,
		   const struct weir_epoch *epoch, struct weir_ipt_image *ret)
{
	WEIR_CLEAN_IPT_VIEW struct weir_ipt_view view = {
		.entries = calloc(rules->n + 1, sizeof(const struct weir_entry *)),
		.n = rules->n,
	};
	if (!view.entries)
		return -ENOMEM;
	for (size_t i = 0; i < rules->n; i++)
		view.entries[i] = &rules->entries[i];
	return weir_ipt_build_view(place, &view, epoch, ret);
}

int weir_ipt_build_view(const struct weir_ipt_place *place, const struct weir_ipt_view *rules,
			const struct weir_epoch *epoch, struct weir_ipt_image *ret)
{
	struct weir_ipt_image image = { 0 };
	if (place->table == WEIR_IPT_FILTER)
		weir_ipt_build_filter(place->family, rules, &image);
	else
		weir_ipt_build_nat(place->family, rules, &image);
	if (epoch && place == &weir_ipt_places[WEIR_IPT_HOME])
		build_epoch(epoch, &image);
	int r = weir_ipt_image_finish(&image);
	if (r < 0)
		weir_ipt_image_free(&image);
	else
		*ret = image;
	return r;
}

void weir_ipt_find_kinds(const struct weir_ipt_view *rules, size_t first[WEIR_NUM_ENTRY_KINDS + 1])
{
	size_t i = 0;
	for (int kind = 0; kind < WEIR_NUM_ENTRY_KINDS; kind++) {
		first[kind] = i;
		while (i < rules->n && rules->entries[i]->kind == (enum weir_entry_kind)kind)
			i++;
	}
	first[WEIR_NUM_ENTRY_KINDS] = i;
}

/* ---- reading ---- */

/* As weir_ipt_flags_text() says them, up to the comment's first space. */
static bool read_flags(const char *comment, uint8_t *ret)
{
	const char *at = comment;
	char text[WEIR_IPT_FLAGS_TEXT];
	uint8_t flags = 0;
	for (unsigned i = 0; i < N_FLAG_WORDS; i++) {
		size_t len = strlen(flag_words[i]);
		if (strncmp(at, flag_words[i], len) != 0 || !strchr(", ", at[len]))
			continue;
		flags |= (uint8_t)(1U << i);
		at += len + (at[len] == ',');
	}
	size_t len = strcspn(comment, " ");
	*ret = flags;
	return strlen(weir_ipt_flags_text(flags, text)) == len && memcmp(text, comment, len) == 0;
}

static bool read_network(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	const char *together = rule->target + strlen(WEIR_IPT_FROM);
	if (!rule->comment || !read_flags(rule->comment, &e->flags))
		return false;
	const char *space = strchr(rule->comment, ' ');
	e->kind = WEIR_ENTRY_NETWORK;
	e->owner = space ? space + 1 : "";
	memcpy(e->ifname, rule->in, sizeof(e->ifname));
	if (strcmp(together, e->ifname) != 0)
		(void)snprintf(e->from_ifname, sizeof(e->from_ifname), "%.15s", together);
	return true;
}

static bool read_segment(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_SEGMENT;
	e->addr = rule->src.addr;
	e->prefix_len = rule->src.len;
	e->to = rule->dst.addr;
	e->to_len = rule->dst.len;
	memcpy(e->ifname, rule->out, sizeof(e->ifname));
	return weir_addr_is_set(&e->addr) && weir_addr_is_set(&e->to);
}

static bool read_source(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_SOURCE;
	e->addr = rule->src.addr;
	memcpy(e->ifname, rule->in, sizeof(e->ifname));
	return true;
}

static bool read_isolated(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_ISOLATED;
	e->addr = rule->src.addr;
	(void)snprintf(e->ifname, sizeof(e->ifname), "%.15s",
		       rule->target + strlen(WEIR_IPT_ISOLATED));
	return true;
}

static bool read_gateway(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_GATEWAY;
	e->addr = rule->dst.addr;
	memcpy(e->ifname, rule->in, sizeof(e->ifname));
	return true;
}

static bool read_trusted(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_TRUSTED;
	e->family = rule->dst.addr.family;
	e->addr = rule->dst.addr;
	e->prefix_len = rule->dst.len;
	memcpy(e->from_ifname, rule->in, sizeof(e->from_ifname));
	memcpy(e->ifname, rule->out, sizeof(e->ifname));
	return true;
}

static bool read_filter(const struct weir_ipt_place *place, const struct weir_ipt_rule *rule,
			struct weir_entry *e)
{
	bool home = place == &weir_ipt_places[WEIR_IPT_HOME];
	bool whole_src = rule->src.len == weir_family_bits(place->family);
	if (rule->verdict == WEIR_IPT_GOTO && strcmp(rule->target, WEIR_IPT_DROP_ROUTER) == 0) {
		e->kind = WEIR_ENTRY_GUARD;
		return true;
	}
	if (rule->verdict == WEIR_IPT_GOTO && strcmp(rule->target, WEIR_IPT_DROP_GATEWAY) == 0)
		return rule->not_in && rule->dst.len && read_gateway(rule, e);
	if (rule->verdict == WEIR_IPT_RETURN && rule->in[0] && !rule->not_in)
		return whole_src && read_source(rule, e);
	if (rule->verdict == WEIR_IPT_GOTO &&
	    strncmp(rule->target, WEIR_IPT_ISOLATED, strlen(WEIR_IPT_ISOLATED)) == 0)
		return whole_src && read_isolated(rule, e);
	if (rule->verdict == WEIR_IPT_GOTO && rule->out[0] &&
	    strncmp(rule->target, WEIR_IPT_NEIGHBOUR, strlen(WEIR_IPT_NEIGHBOUR)) == 0)
		return read_segment(rule, e);
	if (rule->verdict == WEIR_IPT_ACCEPT && rule->in[0] && rule->out[0] &&
	    weir_addr_is_set(&rule->dst.addr))
		return read_trusted(rule, e);
	if (!home)
		return false;
	e->family = WEIR_NO_FAMILY;
	if (rule->verdict == WEIR_IPT_GOTO && rule->in[0] &&
	    strncmp(rule->target, WEIR_IPT_FROM, strlen(WEIR_IPT_FROM)) == 0)
		return read_network(rule, e);
	return rule->verdict == WEIR_IPT_ACCEPT && rule->in[0] && rule->out[0] &&
	       read_trusted(rule, e);
}

/* "wb-web web" */
static bool read_subnet(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	size_t len = strcspn(rule->comment, " ");
	if (len == 0 || len >= sizeof(e->ifname))
		return false;
	e->kind = WEIR_ENTRY_SUBNET;
	memcpy(e->ifname, rule->comment, len);
	e->owner = rule->comment[len] ? rule->comment + len + 1 : "";
	e->addr = rule->src.addr;
	e->prefix_len = rule->src.len;
	e->to = rule->to;
	e->flags = rule->random ? WEIR_NAT_RANDOM : 0;
	e->nat = rule->verdict == WEIR_IPT_MASQUERADE ? WEIR_NAT_MASQUERADE
		 : rule->verdict == WEIR_IPT_SNAT     ? WEIR_NAT_ADDRESS
						      : WEIR_NAT_NONE;
	return true;
}

static uint8_t proto_of(uint8_t ipproto)
{
	switch (ipproto) {
	case IPPROTO_TCP:
		return WEIR_TCP;
	case IPPROTO_UDP:
		return WEIR_UDP;
	case IPPROTO_SCTP:
		return WEIR_SCTP;
	default:
		return WEIR_NO_PROTO;
	}
}

static bool read_mapping(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_MAPPING;
	e->addr = rule->dst.addr;
	e->proto = proto_of(rule->proto);
	e->ports = rule->ports;
	e->to = rule->to;
	e->to_port = rule->to_ports.lo ? rule->to_ports.lo : rule->ports.lo;
	return e->proto && e->ports.lo;
}

static bool read_strict(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_STRICT;
	e->addr = rule->dst.addr;
	e->proto = proto_of(rule->proto);
	e->ports = rule->ports;
	return e->proto && e->ports.lo && weir_addr_is_set(&e->addr);
}

static bool read_nat(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	if (rule->verdict == WEIR_IPT_DNAT)
		return read_mapping(rule, e);
	if (rule->verdict == WEIR_IPT_ACCEPT && rule->proto)
		return read_strict(rule, e);
	return rule->comment && weir_addr_is_set(&rule->src.addr) && !rule->states &&
	       (rule->verdict == WEIR_IPT_MASQUERADE || rule->verdict == WEIR_IPT_SNAT ||
		rule->verdict == WEIR_IPT_RETURN) &&
	       read_subnet(rule, e);
}

bool weir_ipt_read_entry(const struct weir_ipt_place *place, const char *chain,
			 const struct weir_ipt_rule *rule, struct weir_entry *ret)
{
	struct weir_entry e = { .family = place->family,
				.owner = rule->comment ? rule->comment : "" };
	if (rule->raw ||
	    !(place->table == WEIR_IPT_NAT ? read_nat(rule, &e)
					   : read_filter(place, rule, &e) ||
						     weir_ipt_read_policy(place, chain, rule, &e)))
		return false;
	*ret = e;
	return true;
}

bool weir_ipt_read_epoch(const struct weir_ipt_image *home, struct weir_epoch *ret)
{
	const struct weir_ipt_chain *chain = weir_ipt_image_find(home, WEIR_IPT_EPOCH_CHAIN);
	struct weir_epoch epoch = { 0 };
	char rest;
	if (!chain)
		return false;
	if (chain->n != 1 || !chain->rules[0].comment ||
	    sscanf(chain->rules[0].comment, "%36s %36s %" SCNu32 "%c", epoch.store, epoch.boot,
		   &epoch.counter, &rest) != 3)
		epoch = (struct weir_epoch){ 0 };
	*ret = epoch;
	return true;
}
