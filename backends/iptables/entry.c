/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as the kernel's structures, there and back.
 *
 * How it works: an entry is a header (addresses, interfaces, protocol), matches, one target. Writing
 * walks the table of words. Reading does too, and then writes what it has understood once more: only
 * when that gives the same bytes has everything been understood. */
#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "backends/iptables/entry.h"
#include "backends/iptables/words.h"

static const char *const verdicts[] = {
	[WEIR_IPT_ACCEPT] = "ACCEPT",
	[WEIR_IPT_DROP] = "DROP",
	[WEIR_IPT_RETURN] = "RETURN",
};
enum { N_VERDICTS = sizeof(verdicts) / sizeof(verdicts[0]) };

/* Where things are in an entry of either family. */
struct layout {
	uint16_t header, target_offset, next_offset, counters;
	uint16_t src, dst, src_mask, dst_mask, addr_len;
	uint16_t in, out, in_mask, out_mask;
	uint16_t proto, flags, inverted;
	uint8_t flag_goto, flag_proto, inverted_in;
};

#define AT4(field) offsetof(struct ipt_entry, field)
#define AT6(field) offsetof(struct ip6t_entry, field)

static const struct layout layouts[WEIR_NUM_FAMILIES] = {
	[WEIR_IPV4] = { sizeof(struct ipt_entry), AT4(target_offset), AT4(next_offset),
			AT4(counters), AT4(ip.src), AT4(ip.dst), AT4(ip.smsk), AT4(ip.dmsk),
			sizeof(struct in_addr), AT4(ip.iniface), AT4(ip.outiface),
			AT4(ip.iniface_mask), AT4(ip.outiface_mask), AT4(ip.proto), AT4(ip.flags),
			AT4(ip.invflags), IPT_F_GOTO, 0, IPT_INV_VIA_IN },
	[WEIR_IPV6] = { sizeof(struct ip6t_entry), AT6(target_offset), AT6(next_offset),
			AT6(counters), AT6(ipv6.src), AT6(ipv6.dst), AT6(ipv6.smsk), AT6(ipv6.dmsk),
			sizeof(struct in6_addr), AT6(ipv6.iniface), AT6(ipv6.outiface),
			AT6(ipv6.iniface_mask), AT6(ipv6.outiface_mask), AT6(ipv6.proto),
			AT6(ipv6.flags), AT6(ipv6.invflags), IP6T_F_GOTO, IP6T_F_PROTO,
			IP6T_INV_VIA_IN },
};

/* ---- the header ---- */

static void put_u16(uint8_t *at, size_t value)
{
	uint16_t small = (uint16_t)value;
	memcpy(at, &small, sizeof(small));
}

static uint16_t get_u16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static void write_prefix(const struct weir_prefix *prefix, uint8_t *addr, uint8_t *mask, size_t len)
{
	if (!weir_addr_is_set(&prefix->addr))
		return;
	memcpy(addr, prefix->addr.bytes, len);
	for (unsigned bit = 0; bit < prefix->len; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

static void read_prefix(enum weir_family family, const uint8_t *addr, const uint8_t *mask,
			size_t len, struct weir_prefix *ret)
{
	static const uint8_t zero[16];
	if (memcmp(addr, zero, len) == 0 && memcmp(mask, zero, len) == 0)
		return;
	ret->addr.family = (uint8_t)family;
	memcpy(ret->addr.bytes, addr, len);
	while (ret->len < len * 8 && mask[ret->len / 8] & 0x80 >> ret->len % 8)
		ret->len++;
}

/* The mask of a whole name covers its closing zero; "wb-+" is a mask without. */
static void write_ifname(const char *name, uint8_t *at, uint8_t *mask)
{
	size_t len = strnlen(name, WEIR_IFNAME_SIZE - 1);
	if (len == 0)
		return;
	memcpy(at, name, len);
	memset(mask, 0xff, name[len - 1] == '+' ? len - 1 : len + 1);
}

static void write_header(enum weir_family family, const struct weir_ipt_rule *rule, uint8_t *entry)
{
	const struct layout *l = &layouts[family];
	write_prefix(&rule->src, entry + l->src, entry + l->src_mask, l->addr_len);
	write_prefix(&rule->dst, entry + l->dst, entry + l->dst_mask, l->addr_len);
	write_ifname(rule->in, entry + l->in, entry + l->in_mask);
	write_ifname(rule->out, entry + l->out, entry + l->out_mask);
	put_u16(entry + l->proto, rule->proto);
	if (rule->proto)
		entry[l->flags] |= l->flag_proto;
	if (rule->verdict == WEIR_IPT_GOTO)
		entry[l->flags] |= l->flag_goto;
	if (rule->not_in)
		entry[l->inverted] |= l->inverted_in;
}

static void read_header(enum weir_family family, const uint8_t *entry, struct weir_ipt_rule *rule)
{
	const struct layout *l = &layouts[family];
	read_prefix(family, entry + l->src, entry + l->src_mask, l->addr_len, &rule->src);
	read_prefix(family, entry + l->dst, entry + l->dst_mask, l->addr_len, &rule->dst);
	memcpy(rule->in, entry + l->in, WEIR_IFNAME_SIZE - 1);
	memcpy(rule->out, entry + l->out, WEIR_IFNAME_SIZE - 1);
	rule->proto = (uint8_t)get_u16(entry + l->proto);
	rule->not_in = entry[l->inverted] & l->inverted_in;
}

/* ---- writing ---- */

static const struct weir_ipt_word *target_word(enum weir_family family, uint8_t verdict)
{
	for (size_t i = 0; i < weir_ipt_n_targets; i++) {
		const struct weir_ipt_word *word = &weir_ipt_targets[i];
		if (word->verdict == verdict && (!word->family || word->family == family))
			return word;
	}
	return NULL;
}

static size_t write_match(enum weir_family family, const struct weir_ipt_rule *rule,
			  const struct weir_ipt_word *word, uint8_t *at)
{
	struct xt_entry_match *match = (void *)at;
	size_t size = XT_ALIGN(sizeof(*match) + word->size);
	memset(at, 0, size);
	match->u.match_size = (uint16_t)size;
	(void)strncpy(match->u.user.name, word->name, sizeof(match->u.user.name) - 1);
	match->u.user.revision = word->revision;
	word->write(family, rule, match->data);
	return size;
}

/* libiptc takes verdicts and chains by their names. */
static size_t write_target(enum weir_family family, const struct weir_ipt_rule *rule, uint8_t *at)
{
	const struct weir_ipt_word *word = target_word(family, rule->verdict);
	struct xt_entry_target *target = (void *)at;
	size_t size = XT_ALIGN(sizeof(*target) + (word ? word->size : sizeof(int)));
	const char *name = word				? word->name
			   : rule->verdict < N_VERDICTS ? verdicts[rule->verdict]
							: rule->target;
	memset(at, 0, size);
	target->u.target_size = (uint16_t)size;
	(void)strncpy(target->u.user.name, name, sizeof(target->u.user.name) - 1);
	if (word) {
		target->u.user.revision = word->revision;
		word->write(family, rule, target->data);
	}
	return size;
}

size_t weir_ipt_entry_write(enum weir_family family, const struct weir_ipt_rule *rule, void *buf)
{
	const struct layout *l = &layouts[family];
	uint8_t *entry = buf;
	size_t used = l->header;
	memset(entry, 0, l->header);
	write_header(family, rule, entry);
	for (size_t i = 0; i < weir_ipt_n_matches; i++)
		if (weir_ipt_matches[i].wanted(rule))
			used += write_match(family, rule, &weir_ipt_matches[i], entry + used);
	put_u16(entry + l->target_offset, used);
	used += write_target(family, rule, entry + used);
	put_u16(entry + l->next_offset, used);
	return used;
}

/* ---- reading ---- */

static bool is_word(const struct weir_ipt_word *word, const char *name, uint8_t revision,
		    size_t size, size_t head)
{
	return strcmp(word->name, name) == 0 && word->revision == revision &&
	       size == XT_ALIGN(head + word->size);
}

static bool read_match(enum weir_family family, const struct xt_entry_match *match,
		       struct weir_ipt_rule *rule)
{
	for (size_t i = 0; i < weir_ipt_n_matches; i++) {
		const struct weir_ipt_word *word = &weir_ipt_matches[i];
		if (!is_word(word, match->u.user.name, match->u.user.revision, match->u.match_size,
			     sizeof(*match)))
			continue;
		word->read(family, match->data, rule);
		return true;
	}
	return false;
}

static bool read_matches(enum weir_family family, const uint8_t *entry, struct weir_ipt_rule *rule)
{
	const struct layout *l = &layouts[family];
	size_t end = get_u16(entry + l->target_offset);
	for (size_t at = l->header; at < end;) {
		const struct xt_entry_match *match = (const void *)(entry + at);
		if (!read_match(family, match, rule))
			return false;
		at += match->u.match_size;
	}
	return true;
}

static bool read_module(enum weir_family family, const struct xt_entry_target *target,
			struct weir_ipt_rule *rule)
{
	for (size_t i = 0; i < weir_ipt_n_targets; i++) {
		const struct weir_ipt_word *word = &weir_ipt_targets[i];
		if ((word->family && word->family != family) ||
		    !is_word(word, target->u.user.name, target->u.user.revision,
			     target->u.target_size, sizeof(*target)))
			continue;
		rule->verdict = word->verdict;
		word->read(family, target->data, rule);
		return true;
	}
	return false;
}

static bool read_target(enum weir_family family, const uint8_t *entry, const char *label,
			struct weir_ipt_rule *rule)
{
	const struct layout *l = &layouts[family];
	const struct xt_entry_target *target =
		(const void *)(entry + get_u16(entry + l->target_offset));
	for (unsigned i = 0; i < N_VERDICTS; i++)
		if (strcmp(label, verdicts[i]) == 0) {
			rule->verdict = (uint8_t)i;
			return true;
		}
	if (target->u.user.name[0]) /* a chain has none: only libiptc knows its label */
		return read_module(family, target, rule);
	rule->verdict = entry[l->flags] & l->flag_goto ? WEIR_IPT_GOTO : WEIR_IPT_JUMP;
	rule->target = label;
	return label[0] != '\0';
}

/* Names are compared as texts: what is behind their closing zero is nobody's. */
static bool same_part(const struct xt_entry_match *a, const struct xt_entry_match *b)
{
	return a->u.match_size == b->u.match_size && a->u.user.revision == b->u.user.revision &&
	       strcmp(a->u.user.name, b->u.user.name) == 0 &&
	       memcmp(a->data, b->data, a->u.match_size - sizeof(*a)) == 0;
}

static_assert(sizeof(struct xt_entry_match) == sizeof(struct xt_entry_target),
	      "same_part() serves for both");

static bool says_all(enum weir_family family, const uint8_t *entry,
		     const struct weir_ipt_rule *rule)
{
	const struct layout *l = &layouts[family];
	uint8_t again[WEIR_IPT_ENTRY_SIZE] __attribute__((aligned(8)));
	size_t len = weir_ipt_entry_write(family, rule, again);
	size_t target = get_u16(again + l->target_offset);
	size_t ip_len = l->inverted + 1U;
	if (len != get_u16(entry + l->next_offset) || target != get_u16(entry + l->target_offset) ||
	    memcmp(again, entry, ip_len) != 0)
		return false;
	for (size_t at = l->header; at < target;) {
		const struct xt_entry_match *a = (const void *)(again + at);
		if (!same_part(a, (const void *)(entry + at)))
			return false;
		at += a->u.match_size;
	}
	return !target_word(family, rule->verdict) ||
	       same_part((const void *)(again + target), (const void *)(entry + target));
}

/* What libiptc's memory says outlives it. */
static int copy_texts(struct weir_ipt_rule *rule, struct weir_arena *arena)
{
	const char *text = rule->comment;
	const char *comment =
		text ? weir_arena_strndup(arena, text, strnlen(text, WEIR_IPT_COMMENT_MAX)) : NULL;
	const char *target = weir_arena_strdup(arena, rule->target);
	const char *prefix = weir_arena_strdup(arena, rule->prefix);
	if ((rule->comment && !comment) || (rule->target && !target) || (rule->prefix && !prefix))
		return -ENOMEM;
	rule->comment = comment;
	rule->target = target;
	rule->prefix = prefix;
	return 0;
}

/* An entry that can be appended again: chains by their names. */
static int copy_raw(enum weir_family family, const uint8_t *entry, const char *label,
		    struct weir_arena *arena, struct weir_ipt_rule *ret)
{
	const struct layout *l = &layouts[family];
	size_t len = get_u16(entry + l->next_offset), target = get_u16(entry + l->target_offset);
	uint8_t *copy = weir_arena_alloc(arena, len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, entry, len);
	struct xt_entry_target *t = (void *)(copy + target);
	if (!t->u.user.name[0])
		(void)strncpy(t->u.user.name, label, sizeof(t->u.user.name) - 1);
	memset(copy + l->counters, 0, sizeof(struct xt_counters));
	*ret = (struct weir_ipt_rule){ .raw = copy, .raw_len = len };
	return 0;
}

int weir_ipt_entry_read(enum weir_family family, const void *entry, const char *label,
			struct weir_arena *arena, struct weir_ipt_rule *ret)
{
	const struct layout *l = &layouts[family];
	struct weir_ipt_rule rule = { 0 };
	struct xt_counters counters;
	int r;

	read_header(family, entry, &rule);
	if (read_matches(family, entry, &rule) && read_target(family, entry, label, &rule) &&
	    says_all(family, entry, &rule))
		r = copy_texts(&rule, arena);
	else
		r = copy_raw(family, entry, label, arena, &rule);
	if (r < 0)
		return r;
	memcpy(&counters, (const uint8_t *)entry + l->counters, sizeof(counters));
	rule.packets = counters.pcnt;
	rule.bytes = counters.bcnt;
	*ret = rule;
	return 0;
}
