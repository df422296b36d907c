/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long lists of rules as trees of chains.
 *
 * How it works: a packet meets a chain's rules one after the other, and a chain costs the kernel's
 * loader more than a rule. So a list stays a list up to LINEAR rules, and above that is split by the
 * next bits of the value, as few as bring the average below LEAF. A node leads on by goto: there is
 * nothing to come back for, since items do not overlap. What an item covers may be wider than a
 * child (a range of ports, a short prefix): it then stands in the node itself.
 *
 * The shape depends on the items alone, so that equal rulesets are equal trees and a change touches
 * few chains. */
#include "backends/iptables/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINEAR = 128, LEAF = 32 };

/* ---- values ---- */

void weir_ipt_item_ifname(struct weir_ipt_item *item, const char *ifname)
{
	size_t len = strnlen(ifname, WEIR_IFNAME_SIZE - 1);
	memset(item->key, 0, sizeof(item->key));
	memcpy(item->key, ifname, len);
	bool wild = len && ifname[len - 1] == '+';
	if (wild)
		item->key[len - 1] = 0;
	/* with the closing zero: this name alone */
	item->bits = (uint8_t)(8 * (wild ? len - 1 : len + 1));
}

void weir_ipt_item_prefix(struct weir_ipt_item *item, const struct weir_addr *addr, uint8_t len)
{
	struct weir_prefix prefix = { *addr, len };
	struct weir_addr base = weir_prefix_base(&prefix);
	memcpy(item->key, base.bytes, sizeof(item->key));
	item->bits = len;
}

void weir_ipt_item_ports(struct weir_ipt_item *item, struct weir_ports ports)
{
	memset(item->key, 0, sizeof(item->key));
	item->key[0] = (uint8_t)(ports.lo >> 8);
	item->key[1] = (uint8_t)ports.lo;
	item->bits = 16;
	item->last = ports.hi;
}

static unsigned port_of(const uint8_t *key)
{
	return (unsigned)key[0] << 8 | key[1];
}

static void narrow_ports(struct weir_ipt_rule *rule, const uint8_t *key, unsigned bits)
{
	rule->ports.lo = (uint16_t)port_of(key);
	rule->ports.hi = (uint16_t)(port_of(key) | 0xffffU >> bits);
	if (rule->ports.lo == 0)
		rule->ports.lo = 1; /* 0 is "none" here, and no port either */
}

static void name_ports(const uint8_t *key, unsigned bits, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%u/%u", port_of(key), bits);
}

static void wildcard(const uint8_t *key, unsigned bits, char name[WEIR_IFNAME_SIZE])
{
	(void)snprintf(name, WEIR_IFNAME_SIZE, "%.*s+", (int)(bits / 8), (const char *)key);
}

static void narrow_in(struct weir_ipt_rule *rule, const uint8_t *key, unsigned bits)
{
	wildcard(key, bits, rule->in);
}

static void narrow_out(struct weir_ipt_rule *rule, const uint8_t *key, unsigned bits)
{
	wildcard(key, bits, rule->out);
}

static void name_ifnames(const uint8_t *key, unsigned bits, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%.*s+", (int)(bits / 8), (const char *)key);
}

static struct weir_prefix prefix_of(enum weir_family family, const uint8_t *key, unsigned bits)
{
	struct weir_prefix prefix = { .addr = { .family = (uint8_t)family }, .len = (uint8_t)bits };
	memcpy(prefix.addr.bytes, key, weir_family_bits(family) / 8);
	return prefix;
}

static void name_prefix4(const uint8_t *key, unsigned bits, char *buf, size_t size)
{
	struct weir_prefix prefix = prefix_of(WEIR_IPV4, key, bits);
	char text[WEIR_PREFIX_TEXT];
	(void)snprintf(buf, size, "%s", weir_prefix_text(&prefix, text));
}

static const uint64_t FNV_BASIS = 0xcbf29ce484222325, FNV_PRIME = 0x100000001b3;

/* FNV-1a */
static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const uint8_t *)data)[i]) * FNV_PRIME;
	return h;
}

/* 39 characters do not fit into a chain's name. */
static void name_prefix6(const uint8_t *key, unsigned bits, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%016" PRIx64 "/%u", hash(FNV_BASIS, key, WEIR_IPT_KEY_SIZE),
		       bits);
}

#define PREFIX_DIMENSION(field, version, family_bits)                                          \
	static void narrow_##field##version(struct weir_ipt_rule *rule, const uint8_t *key,    \
					    unsigned bits)                                     \
	{                                                                                      \
		rule->field = prefix_of(WEIR_IPV##version, key, bits);                         \
	}                                                                                      \
	const struct weir_ipt_dimension weir_ipt_##field##version = { family_bits, 4,          \
								      narrow_##field##version, \
								      name_prefix##version }

PREFIX_DIMENSION(src, 4, 32);
PREFIX_DIMENSION(src, 6, 128);
PREFIX_DIMENSION(dst, 4, 32);
PREFIX_DIMENSION(dst, 6, 128);
PREFIX_DIMENSION(orig_dst, 4, 32);
PREFIX_DIMENSION(orig_dst, 6, 128);
const struct weir_ipt_dimension weir_ipt_ports = { 16, 4, narrow_ports, name_ports };
const struct weir_ipt_dimension weir_ipt_in = { 128, 8, narrow_in, name_ifnames };
const struct weir_ipt_dimension weir_ipt_out = { 128, 8, narrow_out, name_ifnames };

/* ---- splitting ---- */

static int compare_items(const void *a, const void *b)
{
	const struct weir_ipt_item *left = a, *right = b;
	int order = memcmp(left->key, right->key, WEIR_IPT_KEY_SIZE);
	return order ? order : (int)left->bits - (int)right->bits;
}

/* Ports are, as they come from sorted entries. */
static bool is_sorted(const struct weir_ipt_item *items, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (compare_items(&items[i - 1], &items[i]) > 0)
			return false;
	return true;
}

static bool same_start(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	return memcmp(a, b, whole) == 0 && (!rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* The bits that all of them share; items are sorted, so the first and the last tell. */
static unsigned common_bits(const struct weir_ipt_tree *tree, const struct weir_ipt_item *items,
			    size_t n)
{
	unsigned bits = tree->dimension->bits;
	while (bits && !same_start(items[0].key, items[n - 1].key, bits))
		bits--;
	return tree->dimension->step == 8 ? bits & ~7U : bits;
}

/* How deep the children of a node are that holds n items which share `bits` bits. */
static unsigned child_bits(const struct weir_ipt_tree *tree, unsigned bits, size_t n)
{
	unsigned step = tree->dimension->step, more = 1;
	if (step == 8)
		return bits + step;
	while (more < step && n >> more > LEAF)
		more++;
	bits += more;
	return bits < tree->dimension->bits ? bits : tree->dimension->bits;
}

/* Does the item stay in the node, being wider than the child of that depth? */
static bool stays(const struct weir_ipt_tree *tree, const struct weir_ipt_item *item, unsigned bits)
{
	if (item->bits < bits)
		return true;
	return tree->dimension == &weir_ipt_ports &&
	       port_of(item->key) >> (16 - bits) != (unsigned)item->last >> (16 - bits);
}

static void clear_rest(const uint8_t *key, unsigned bits, uint8_t ret[WEIR_IPT_KEY_SIZE])
{
	memset(ret, 0, WEIR_IPT_KEY_SIZE);
	memcpy(ret, key, (bits + 7) / 8);
	if (bits % 8)
		ret[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
}

/* A number where the name is too long for a chain. */
static const char *node_name(struct weir_ipt_image *image, const char *stem, const char *name)
{
	if (strlen(stem) + strlen(name) <= WEIR_IPT_CHAIN_MAX)
		return weir_ipt_image_text(image, "%s%s", stem, name);
	uint64_t number = hash(hash(FNV_BASIS, stem, strlen(stem)), name, strlen(name));
	return weir_ipt_image_text(image, WEIR_IPT_PREFIX "%016" PRIx64, number);
}

const char *weir_ipt_address_name(struct weir_ipt_image *image, const char *stem,
				  const struct weir_addr *addr)
{
	char name[64];
	(addr->family == WEIR_IPV4 ? name_prefix4 : name_prefix6)(
		addr->bytes, weir_family_bits(addr->family), name, sizeof(name));
	return node_name(image, stem, name);
}

static void fill(struct weir_ipt_image *image, const struct weir_ipt_tree *tree, size_t chain,
		 const struct weir_ipt_item *items, size_t n, size_t most);

static void lead_on(struct weir_ipt_image *image, const struct weir_ipt_tree *tree, size_t chain,
		    const struct weir_ipt_item *items, size_t n, unsigned bits)
{
	struct weir_ipt_rule rule = tree->common;
	uint8_t key[WEIR_IPT_KEY_SIZE];
	char name[64];
	clear_rest(items[0].key, bits, key);
	tree->dimension->narrow(&rule, key, bits);
	tree->dimension->name(key, bits, name, sizeof(name));
	rule.verdict = WEIR_IPT_GOTO;
	rule.target = node_name(image, tree->stem, name);
	weir_ipt_image_rule(image, chain, &rule, 0);
	if (rule.target)
		fill(image, tree, weir_ipt_image_chain(image, rule.target), items, n, LEAF);
}

static void split(struct weir_ipt_image *image, const struct weir_ipt_tree *tree, size_t chain,
		  const struct weir_ipt_item *items, size_t n)
{
	unsigned bits = child_bits(tree, common_bits(tree, items, n), n);
	for (size_t i = 0, next; i < n; i = next) {
		next = i + 1;
		if (stays(tree, &items[i], bits)) {
			weir_ipt_image_rule(image, chain, &items[i].rule, 0);
			continue;
		}
		while (next < n && !stays(tree, &items[next], bits) &&
		       same_start(items[i].key, items[next].key, bits))
			next++;
		if (next - i > 1)
			lead_on(image, tree, chain, &items[i], next - i, bits);
		else
			weir_ipt_image_rule(image, chain, &items[i].rule, 0);
	}
}

static void put_all(struct weir_ipt_image *image, size_t chain, const struct weir_ipt_item *items,
		    size_t n, bool and_one)
{
	weir_ipt_image_reserve(image, chain, n + and_one);
	for (size_t i = 0; i < n; i++)
		weir_ipt_image_rule(image, chain, &items[i].rule, 0);
}

static void fill(struct weir_ipt_image *image, const struct weir_ipt_tree *tree, size_t chain,
		 const struct weir_ipt_item *items, size_t n, size_t most)
{
	/* link-local addresses may be the same in many networks */
	if (n > most && common_bits(tree, items, n) < tree->dimension->bits)
		split(image, tree, chain, items, n);
	else
		put_all(image, chain, items, n, tree->otherwise != NULL);
	if (tree->otherwise)
		weir_ipt_image_rule(image, chain, tree->otherwise, 0);
}

void weir_ipt_tree_make(struct weir_ipt_image *image, const struct weir_ipt_tree *tree,
			struct weir_ipt_item *items, size_t n)
{
	if (!is_sorted(items, n))
		qsort(items, n, sizeof(items[0]), compare_items);
	fill(image, tree, weir_ipt_image_chain(image, tree->root), items, n, LINEAR);
}
