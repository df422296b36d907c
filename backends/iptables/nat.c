/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains of table nat. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iptables/strict.h"

/* How it works
 * Only the first packet of a connection comes here.
 *
 *	PREROUTING, OUTPUT → WEIR-PUBLISH	for local destinations only, so that what passes through
 *						to another machine's port is left alone
 *		→ WEIR-ADDR → WEIR-TCP-c0000201	mappings of one address, asked first
 *		→ WEIR-TCP, -UDP, -SCTP		mappings of all addresses, as a tree of ports
 *	PREROUTING → WEIR-STRICT		before that, by WEIR-PREROUTING: what filter is to drop (strict.c)
 *	POSTROUTING → WEIR-POSTROUTING
 *		→ WEIR-POST → WEIR-POST-wb-web	into a network: only what the endpoint could not answer
 *		→ WEIR-SNAT			by source: the network's translation
 *
 * The input interface is never asked for on the way out: it is not known there for bridged packets. */

static const struct {
	enum weir_proto proto;
	uint8_t ipproto;
	const char *name;
} protocols[] = {
	{ WEIR_TCP, IPPROTO_TCP, "WEIR-TCP" },
	{ WEIR_UDP, IPPROTO_UDP, "WEIR-UDP" },
	{ WEIR_SCTP, IPPROTO_SCTP, "WEIR-SCTP" },
};
enum { N_PROTOCOLS = sizeof(protocols) / sizeof(protocols[0]) };

/* ---- publishing ---- */

/* One rule for a range too: to_ports with a base keep the offset, none at all keeps the port. No comment:
 * it would be more than half of the rule, and the kernel copies and checks all rules of the table
 * whenever one is changed. Whose mapping it is follows from its target. */
static struct weir_ipt_rule mapping_rule(const struct weir_entry *e, uint8_t ipproto)
{
	uint16_t width = (uint16_t)(e->ports.hi - e->ports.lo);
	struct weir_ipt_rule rule = {
		.proto = ipproto,
		.ports = e->ports,
		.verdict = WEIR_IPT_DNAT,
		.to = e->to,
	};
	if (weir_addr_is_set(&e->addr)) {
		rule.dst.addr = e->addr;
		rule.dst.len = (uint8_t)weir_family_bits(e->family);
	}
	if (width == 0 || e->to_port != e->ports.lo)
		rule.to_ports = (struct weir_ports){ e->to_port, (uint16_t)(e->to_port + width) };
	if (width && e->to_port != e->ports.lo)
		rule.base_port = e->ports.lo;
	return rule;
}

static bool is_for(const struct weir_entry *e, enum weir_family family,
		   const struct weir_addr *addr, enum weir_proto proto)
{
	return e->kind == WEIR_ENTRY_MAPPING && e->family == family && e->proto == proto &&
	       weir_addr_cmp(&e->addr, addr) == 0;
}

/* The mappings that share address and protocol; the first of them is not before i. Entries are sorted,
 * so they stand together. Returns how many. */
static size_t collect(struct weir_ipt_builder *b, size_t i, const struct weir_addr *addr,
		      enum weir_proto proto, uint8_t ipproto)
{
	size_t n = 0;
	for (; i < b->rules->n; i++) {
		const struct weir_entry *e = b->rules->entries[i];
		if (!is_for(e, b->family, addr, proto)) {
			if (n)
				break;
			continue;
		}
		b->items[n].rule = mapping_rule(e, ipproto);
		weir_ipt_item_ports(&b->items[n++], e->ports);
	}
	return n;
}

static void make_ports(struct weir_ipt_builder *b, const char *root, const char *stem,
		       uint8_t ipproto, size_t n)
{
	weir_ipt_tree_make(b->image,
			   &(struct weir_ipt_tree){ .dimension = &weir_ipt_ports,
						    .root = root,
						    .stem = stem,
						    .common = { .proto = ipproto } },
			   b->items, n);
}

/* 8 digits: an IPv4 address as it is, an IPv6 address folded. */
static uint32_t fold(const struct weir_addr *addr)
{
	uint32_t folded = 0;
	for (unsigned i = 0; i < weir_family_bits(addr->family) / 8; i += 4)
		folded = (folded * 0x01000193U) ^
			 ((uint32_t)addr->bytes[i] << 24 | (uint32_t)addr->bytes[i + 1] << 16 |
			  (uint32_t)addr->bytes[i + 2] << 8 | addr->bytes[i + 3]);
	return folded;
}

struct lead { /* to the chain of an address and protocol */
	struct weir_addr addr;
	uint8_t ipproto;
	const char *chain;
};

static bool same_lead(const struct weir_entry *e, const struct weir_entry *before)
{
	return before && before->kind == e->kind && before->family == e->family &&
	       before->proto == e->proto && weir_addr_cmp(&before->addr, &e->addr) == 0;
}

/* A name that no lead has: two IPv6 addresses may fold alike. */
static const char *address_chain(struct weir_ipt_builder *b, const struct lead *leads, size_t n,
				 size_t protocol, const struct weir_addr *addr)
{
	uint32_t number = fold(addr);
	for (;; number++) {
		const char *name =
			weir_ipt_image_text(b->image, "%s-%08x", protocols[protocol].name, number);
		size_t i = 0;
		while (name && i < n && leads[i].chain && strcmp(leads[i].chain, name) != 0)
			i++;
		if (!name || i == n)
			return name;
	}
}

static size_t protocol_index(uint8_t proto)
{
	size_t i = 0;
	while (i < N_PROTOCOLS - 1 && protocols[i].proto != proto)
		i++;
	return i;
}

/* A chain for each address and protocol; entries are sorted by both. Returns how many. */
static size_t make_addresses(struct weir_ipt_builder *b, struct lead *leads)
{
	size_t n = 0;
	const struct weir_entry *before = NULL;
	for (size_t i = 0; i < b->rules->n && !b->image->no_memory; i++) {
		const struct weir_entry *e = b->rules->entries[i];
		if (e->kind != WEIR_ENTRY_MAPPING || e->family != b->family ||
		    !weir_addr_is_set(&e->addr) || same_lead(e, before))
			continue;
		before = e;
		size_t p = protocol_index(e->proto);
		const char *root = address_chain(b, leads, n, p, &e->addr);
		const char *stem = root ? weir_ipt_image_text(b->image, "%s-", root) : NULL;
		if (!stem)
			break; /* out of memory, which the image has noted */
		leads[n++] = (struct lead){ e->addr, protocols[p].ipproto, root };
		make_ports(b, root, stem, protocols[p].ipproto,
			   collect(b, i, &e->addr, e->proto, protocols[p].ipproto));
	}
	return n;
}

/* A port that the address does not publish comes back and is looked for among those of all. */
static void make_leads(struct weir_ipt_builder *b, const struct lead *leads, size_t n)
{
	bool four = b->family == WEIR_IPV4;
	uint8_t bits = (uint8_t)weir_family_bits(b->family);
	for (size_t i = 0; i < n; i++) {
		b->items[i].rule = (struct weir_ipt_rule){ .dst = { leads[i].addr, bits },
							   .proto = leads[i].ipproto,
							   .verdict = WEIR_IPT_GOTO,
							   .target = leads[i].chain };
		weir_ipt_item_prefix(&b->items[i], &leads[i].addr, bits);
	}
	weir_ipt_tree_make(b->image,
			   &(struct weir_ipt_tree){ .dimension = four ? &weir_ipt_dst4
								      : &weir_ipt_dst6,
						    .root = "WEIR-ADDR",
						    .stem = "WEIR-A-" },
			   b->items, n);
}

static void make_specific(struct weir_ipt_builder *b)
{
	struct lead *leads = calloc(b->rules->n + 1, sizeof(*leads));
	if (leads)
		make_leads(b, leads, make_addresses(b, leads));
	else
		b->image->no_memory = true;
	free(leads);
}

static void make_publish(struct weir_ipt_builder *b)
{
	static const struct weir_addr any = { 0 };
	static const struct weir_addr loopback6 = { WEIR_IPV6, { [15] = 1 } };
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-PUBLISH");
	/* no kernel sends ::1 out of an interface, so a translated connection would hang; left alone, a
	 * client is refused at once and tries 127.0.0.1 */
	if (b->family == WEIR_IPV6)
		weir_ipt_put(b, chain,
			     WEIR_IPT_RULE(.dst = { loopback6, 128 }, .verdict = WEIR_IPT_RETURN));
	weir_ipt_put_jump(b, chain, "WEIR-ADDR");
	for (size_t p = 0; p < N_PROTOCOLS; p++) {
		char stem[WEIR_IPT_CHAIN_MAX];
		weir_ipt_put(b, chain,
			     WEIR_IPT_RULE(.proto = protocols[p].ipproto, .verdict = WEIR_IPT_GOTO,
					   .target = protocols[p].name));
		(void)snprintf(stem, sizeof(stem), "%s-", protocols[p].name);
		make_ports(b, protocols[p].name, stem, protocols[p].ipproto,
			   collect(b, 0, &any, protocols[p].proto, protocols[p].ipproto));
	}
	make_specific(b);
}

/* ---- sources ---- */

static const struct weir_prefix loopback4 = { { WEIR_IPV4, { 127 } }, 8 };

static void add_masquerade(struct weir_ipt_builder *b, size_t *n, const struct weir_addr *addr,
			   uint8_t bits)
{
	struct weir_ipt_item *item = &b->items[(*n)++];
	item->rule =
		(struct weir_ipt_rule){ .src = { *addr, bits }, .verdict = WEIR_IPT_MASQUERADE };
	weir_ipt_item_prefix(item, addr, bits);
}

static void make_source_tree(struct weir_ipt_builder *b, const char *root, const char *stem,
			     size_t n)
{
	weir_ipt_tree_make(b->image,
			   &(struct weir_ipt_tree){ .dimension = b->family == WEIR_IPV4
									 ? &weir_ipt_src4
									 : &weir_ipt_src6,
						    .root = root,
						    .stem = stem },
			   b->items, n);
}

/* An endpoint to its own network's published port: the answer must come back this way. */
static void make_hairpin(struct weir_ipt_builder *b, const char *root, const char *ifname)
{
	uint8_t bits = (uint8_t)weir_family_bits(b->family);
	const struct weir_entry *e;
	size_t n = 0, i = 0;
	while ((e = weir_ipt_next_entry(b, WEIR_ENTRY_SOURCE, ifname, &i))) {
		add_masquerade(b, &n, &e->addr, bits);
		if (strcmp(e->ifname, ifname) != 0) /* routed: only what comes back to its sender */
			weir_ipt_set_ifname(b->items[n - 1].rule.out, e->ifname);
	}
	const char *stem = weir_ipt_image_text(b->image, "%s-", root);
	make_source_tree(b, root, stem ? stem : "", n);
}

static void make_post(struct weir_ipt_builder *b, const struct weir_entry *net)
{
	const char *name = weir_ipt_image_text(b->image, "WEIR-POST-%s", net->ifname);
	const char *hairpin = weir_ipt_image_text(b->image, "WEIR-HAIRPIN-%s", net->ifname);
	if (!name || !hairpin)
		return; /* out of memory, which the image has noted */
	size_t chain = weir_ipt_image_chain(b->image, name);
	static const char *const own = "WEIR-OWN";
	struct weir_ipt_rule rule = { .states = WEIR_IPT_DNATTED,
				      .verdict = WEIR_IPT_JUMP,
				      .target = own };
	weir_ipt_put(b, chain, &rule);
	rule.target = hairpin;
	weir_ipt_put(b, chain, &rule);
	weir_ipt_put(b, chain, WEIR_IPT_RULE(.verdict = WEIR_IPT_ACCEPT));
	make_hairpin(b, hairpin, net->ifname);
}

/* The host to a published port, from an address that the endpoint would answer elsewhere: another
 * network's gateway, 127.0.0.1. */
static void make_own(struct weir_ipt_builder *b)
{
	size_t n = 0;
	if (b->family == WEIR_IPV4)
		add_masquerade(b, &n, &loopback4.addr, loopback4.len);
	for (size_t i = b->first[WEIR_ENTRY_GATEWAY]; i < b->first[WEIR_ENTRY_GATEWAY + 1]; i++) {
		const struct weir_entry *e = b->rules->entries[i];
		if (e->family == b->family)
			add_masquerade(b, &n, &e->addr, (uint8_t)weir_family_bits(e->family));
	}
	make_source_tree(b, "WEIR-OWN", "WEIR-O-", n);
}

static void make_posts(struct weir_ipt_builder *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->n_networks; i++)
		make_post(b, &b->networks[i]);
	for (size_t i = 0; i < b->n_networks; i++) {
		const char *ifname = b->networks[i].ifname;
		b->items[n].rule = (struct weir_ipt_rule){
			.verdict = WEIR_IPT_GOTO,
			.target = weir_ipt_image_text(b->image, "WEIR-POST-%s", ifname)
		};
		weir_ipt_set_ifname(b->items[n].rule.out, ifname);
		weir_ipt_item_ifname(&b->items[n++], ifname);
	}
	weir_ipt_tree_make(b->image,
			   &(struct weir_ipt_tree){ .dimension = &weir_ipt_out,
						    .root = "WEIR-POST",
						    .stem = "WEIR-P-" },
			   b->items, n);
}

static struct weir_ipt_rule subnet_rule(struct weir_ipt_builder *b, const struct weir_entry *e)
{
	static const uint8_t verdicts[] = {
		[WEIR_NAT_MASQUERADE] = WEIR_IPT_MASQUERADE,
		[WEIR_NAT_ADDRESS] = WEIR_IPT_SNAT,
		[WEIR_NAT_NONE] = WEIR_IPT_RETURN,
	};
	return (struct weir_ipt_rule){
		.src = { e->addr, e->prefix_len },
		.verdict = verdicts[e->nat],
		.to = e->nat == WEIR_NAT_ADDRESS ? e->to : (struct weir_addr){ 0 },
		.random = e->flags & WEIR_NAT_RANDOM,
		.comment = weir_ipt_image_text(b->image, "%s%s%s", e->ifname,
					       weir_ipt_owner(e) ? " " : "",
					       weir_ipt_owner(e) ? e->owner : ""),
	};
}

static void make_snat(struct weir_ipt_builder *b)
{
	size_t n = 0;
	for (size_t i = b->first[WEIR_ENTRY_SUBNET]; i < b->first[WEIR_ENTRY_SUBNET + 1]; i++) {
		const struct weir_entry *e = b->rules->entries[i];
		if (e->family != b->family)
			continue;
		b->items[n].rule = subnet_rule(b, e);
		weir_ipt_item_prefix(&b->items[n++], &e->addr, e->prefix_len);
	}
	make_source_tree(b, "WEIR-SNAT", "WEIR-M-", n);
}

/* ---- the frame ---- */

static void make_jumps(struct weir_ipt_builder *b)
{
	struct weir_ipt_rule publish = { .local = true,
					 .verdict = WEIR_IPT_JUMP,
					 .target = "WEIR-PUBLISH" };
	struct weir_ipt_rule arriving = publish;
	if (weir_ipt_has_strict(b)) { /* S4 */
		size_t chain = weir_ipt_image_chain(b->image, "WEIR-PREROUTING");
		weir_ipt_put_jump(b, chain, WEIR_IPT_STRICT);
		weir_ipt_put_goto(b, chain, publish.target);
		arriving.target = "WEIR-PREROUTING";
	}
	weir_ipt_put(b, weir_ipt_image_chain(b->image, "PREROUTING"), &arriving);
	weir_ipt_put(b, weir_ipt_image_chain(b->image, "OUTPUT"), &publish);
	weir_ipt_put_jump(b, weir_ipt_image_chain(b->image, "POSTROUTING"), "WEIR-POSTROUTING");
	size_t chain = weir_ipt_image_chain(b->image, "WEIR-POSTROUTING");
	weir_ipt_put(b, chain,
		     WEIR_IPT_RULE(.out = "lo",
				   .verdict = WEIR_IPT_RETURN)); /* to itself goes nowhere */
	weir_ipt_put_jump(b, chain, "WEIR-POST");
	weir_ipt_put_jump(b, chain, "WEIR-SNAT");
}

void weir_ipt_build_nat(enum weir_family family, const struct weir_ipt_view *rules,
			struct weir_ipt_image *image)
{
	struct weir_ipt_builder b;
	if (!weir_ipt_builder_init(&b, family, rules, image))
		return;
	make_jumps(&b);
	make_publish(&b);
	make_own(&b);
	make_posts(&b);
	make_snat(&b);
	if (weir_ipt_has_strict(&b))
		weir_ipt_build_strict(&b, WEIR_IPT_NAT);
	weir_ipt_builder_free(&b);
}
