// SPDX-License-Identifier: GPL-2.0-or-later
/* Table, chains, sets and rules as libnftnl's objects. */
#include "backends/nftables/frame.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "backends/nftables/fields.h"
#include "backends/nftables/steps.h"

void weir_nft_table_clean(struct nftnl_table **table)
{
	if (*table)
		nftnl_table_free(*table);
}

void weir_nft_chain_clean(struct nftnl_chain **chain)
{
	if (*chain)
		nftnl_chain_free(*chain);
}

void weir_nft_set_clean(struct nftnl_set **set)
{
	if (*set)
		nftnl_set_free(*set);
}

void weir_nft_rule_clean(struct nftnl_rule **rule)
{
	if (*rule)
		nftnl_rule_free(*rule);
}

const struct weir_nft_rule *weir_nft_rule_at(size_t i)
{
	return &weir_nft_rules[i];
}

const char *weir_nft_rule_chain(const struct weir_nft_rule *rule)
{
	return rule->chain;
}

static const char *drop_comment(const struct weir_nft_rule *rule, char *buf, size_t size)
{
	(void)snprintf(buf, size, WEIR_NFT_DROP_PREFIX "%s", weir_drop_reason(rule->drop));
	return buf;
}

const char *weir_nft_rule_text(const struct weir_nft_rule *rule, char buf[WEIR_NFT_RULE_TEXT])
{
	char comment[WEIR_NFT_COMMENT_MAX];
	if (!rule->drops)
		(void)snprintf(buf, WEIR_NFT_RULE_TEXT, "%s", rule->text);
	else
		(void)snprintf(buf, WEIR_NFT_RULE_TEXT, "%s%scounter drop comment \"%s\"",
			       rule->text, *rule->text ? " " : "",
			       drop_comment(rule, comment, sizeof(comment)));
	return buf;
}

const char *weir_nft_table_comment(const char *store, char buf[WEIR_NFT_TABLE_COMMENT])
{
	(void)snprintf(buf, WEIR_NFT_TABLE_COMMENT, WEIR_NFT_TABLE_PREFIX "%s", store);
	return buf;
}

/* A comment is type 0 in tables, chains, rules and elements alike. NULL: no memory. */
static struct nftnl_udata_buf *comment_build(const char *comment)
{
	struct nftnl_udata_buf *userdata = nftnl_udata_buf_alloc(WEIR_NFT_COMMENT_MAX + 2);
	if (userdata)
		(void)nftnl_udata_put_strz(userdata, NFTNL_UDATA_RULE_COMMENT, comment); /* fits */
	return userdata;
}

const char *weir_nft_comment_read(const void *userdata, uint32_t len, char *buf, size_t size)
{
	const uint8_t *at = userdata, *end = at + len;
	buf[0] = '\0';
	for (; end - at >= 2 && end - at >= 2 + at[1]; at += 2 + at[1])
		if (at[0] == NFTNL_UDATA_RULE_COMMENT)
			(void)snprintf(buf, size, "%.*s", at[1], (const char *)(at + 2));
	return buf;
}

struct nftnl_table *weir_nft_table_build(const char *store)
{
	char comment[WEIR_NFT_TABLE_COMMENT];
	struct nftnl_table *t = nftnl_table_alloc();
	struct nftnl_udata_buf *userdata = comment_build(weir_nft_table_comment(store, comment));
	bool ok = t && userdata &&
		  nftnl_table_set_data(t, NFTNL_TABLE_USERDATA, nftnl_udata_buf_data(userdata),
				       nftnl_udata_buf_len(userdata)) == 0;
	if (userdata)
		nftnl_udata_buf_free(userdata);
	if (ok) {
		nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, NFPROTO_INET);
		(void)nftnl_table_set_str(t, NFTNL_TABLE_NAME, WEIR_NFT_TABLE);
		return t;
	}
	if (t)
		nftnl_table_free(t);
	return NULL;
}

static bool comment_chain(struct nftnl_chain *c, const char *comment)
{
	struct nftnl_udata_buf *userdata = comment_build(comment);
	if (!userdata)
		return false;
	int r = nftnl_chain_set_data(c, NFTNL_CHAIN_USERDATA, nftnl_udata_buf_data(userdata),
				     nftnl_udata_buf_len(userdata));
	nftnl_udata_buf_free(userdata);
	return r == 0;
}

struct nftnl_chain *weir_nft_chain_build(const struct weir_nft_chain *chain, const char *comment)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	if (!c)
		return NULL;
	nftnl_chain_set_u32(c, NFTNL_CHAIN_FAMILY, NFPROTO_INET);
	(void)nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, WEIR_NFT_TABLE);
	(void)nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, chain->name);
	if (comment && *comment && !comment_chain(c, comment)) {
		nftnl_chain_free(c);
		return NULL;
	}
	if (!chain->type)
		return c;
	(void)nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, chain->type);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, chain->hooknum);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, chain->priority);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	return c;
}

static uint32_t set_flags(const struct weir_nft_set *set)
{
	uint32_t flags = weir_nft_set_is_map(set) ? NFT_SET_MAP : 0;
	if (!weir_nft_set_is_interval(set))
		return flags;
	return flags | NFT_SET_INTERVAL | (set->key[1] ? NFT_SET_CONCAT : 0);
}

/* The widths of the parts of a key, for the kernel's interval sets of concatenations. */
static void set_concat(struct nftnl_set *s, const struct weir_nft_set *set)
{
	uint8_t lens[WEIR_NFT_FIELDS_MAX];
	uint32_t n = 0;
	for (; set->key[n]; n++)
		lens[n] = (uint8_t)weir_nft_field_len(set, set->key[n]);
	(void)nftnl_set_set_data(s, NFTNL_SET_DESC_CONCAT, lens, n);
}

/* What nft needs to print numbers the right way round. */
static bool set_byteorder(struct nftnl_set *s, const struct weir_nft_set *set)
{
	struct nftnl_udata_buf *userdata = nftnl_udata_buf_alloc(WEIR_NFT_COMMENT_MAX);
	if (!userdata)
		return false;
	(void)nftnl_udata_put_u32(userdata, NFTNL_UDATA_SET_KEYBYTEORDER,
				  weir_nft_fields_byteorder(set, set->key));
	if (weir_nft_set_is_map(set))
		(void)nftnl_udata_put_u32(userdata, NFTNL_UDATA_SET_DATABYTEORDER,
					  weir_nft_fields_byteorder(set, set->data));
	(void)nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(userdata),
				 nftnl_udata_buf_len(userdata));
	nftnl_udata_buf_free(userdata);
	return true;
}

static bool set_counter(struct nftnl_set *s)
{
	struct nftnl_expr *counter = nftnl_expr_alloc("counter");
	if (!counter)
		return false;
	nftnl_set_add_expr(s, counter);
	return true;
}

struct nftnl_set *weir_nft_set_build(const struct weir_nft_set *set, uint32_t id)
{
	struct nftnl_set *s = nftnl_set_alloc();
	if (!s)
		return NULL;
	uint32_t flags = set_flags(set);
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, NFPROTO_INET);
	(void)nftnl_set_set_str(s, NFTNL_SET_TABLE, WEIR_NFT_TABLE);
	(void)nftnl_set_set_str(s, NFTNL_SET_NAME, set->name);
	nftnl_set_set_u32(s, NFTNL_SET_ID, id);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, flags);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, weir_nft_fields_type(set, set->key));
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, (uint32_t)weir_nft_fields_len(set, set->key));
	if (flags & NFT_SET_MAP) {
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, weir_nft_fields_type(set, set->data));
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN,
				  (uint32_t)weir_nft_fields_len(set, set->data));
	}
	if (flags & NFT_SET_CONCAT)
		set_concat(s, set);
	if (set_byteorder(s, set) && (set->kind != WEIR_ENTRY_MAPPING || set_counter(s)))
		return s;
	nftnl_set_free(s);
	return NULL;
}

/* ---- rules: one builder for each operation ---- */

static void build_meta(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, (uint32_t)s->value);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, s->reg);
}

static void build_ct(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, (uint32_t)s->value);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, s->reg);
}

static void build_fib(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, (uint32_t)s->value);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, s->reg);
}

static void build_payload(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, s->base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, s->offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, s->len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, s->reg);
}

/* A value as registers hold it: ports in network order, what the kernel counts in its own. */
static uint32_t in_register(const struct weir_nft_step *s)
{
	if (s->len == 2)
		return htons((uint16_t)s->value);
	uint8_t byte = (uint8_t)s->value;
	uint32_t ret = (uint32_t)s->value;
	if (s->len == 1) {
		ret = 0;
		memcpy(&ret, &byte, 1);
	}
	return ret;
}

static void build_mask(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	uint32_t mask = in_register(s), zero = 0;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, s->reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, s->reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, s->len);
	(void)nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &mask, s->len);
	(void)nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, s->len);
}

static void build_cmp(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	char name[WEIR_IFNAME_SIZE] = {
		0
	}; /* or an address with one byte set: as long, by chance */
	uint32_t value = in_register(s);
	if (s->name)
		(void)snprintf(name, sizeof(name), "%s", s->name);
	else if (s->len == sizeof(name))
		name[sizeof(name) - 1] = (char)s->value;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, s->reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, s->inverted ? NFT_CMP_NEQ : s->compare);
	(void)nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA,
			     s->len == sizeof(name) ? (const void *)name : &value, s->len);
}

static void build_lookup(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, s->reg);
	(void)nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, s->name);
	/* given even when zero, as the kernel does */
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, s->inverted ? NFT_LOOKUP_F_INV : 0);
}

static void build_map(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	build_lookup(e, s);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, s->reg);
}

static void build_vmap(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	build_lookup(e, s);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
}

static void build_verdict(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)s->value);
	if (s->name)
		(void)nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, s->name);
}

/* The upper ends and the flags are what the kernel fills in: given, so that rules compare equal. */
static void build_nat(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	uint32_t flags = NF_NAT_RANGE_MAP_IPS;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, (uint32_t)s->value);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, s->family);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, s->reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX, s->reg);
	if (s->next_reg) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, s->next_reg);
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX, s->next_reg);
		flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
	}
	if (s->random)
		flags |= NF_NAT_RANGE_PROTO_RANDOM_FULLY;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS, flags);
}

static void build_masquerade(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	if (s->random)
		nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM_FULLY);
}

static void build_counter(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	(void)s;
	nftnl_expr_set_u64(e, NFTNL_EXPR_CTR_PACKETS, 0);
	nftnl_expr_set_u64(e, NFTNL_EXPR_CTR_BYTES, 0);
}

/* limit rate 10/second burst 20 packets: a log is for people, and must not become a way to fill a disk */
static void build_limit(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	(void)s;
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, 10);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, 1); /* seconds */
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, 20);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_FLAGS, 0);
}

/* The level is the kernel's choice: given, so that rules compare equal. */
static void build_log(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	(void)nftnl_expr_set_str(e, NFTNL_EXPR_LOG_PREFIX, s->name);
	if (s->value >= 0)
		nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, (uint16_t)s->value);
	else
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOG_LEVEL, NFT_LOGLEVEL_WARNING);
}

static void build_reject(struct nftnl_expr *e, const struct weir_nft_step *s)
{
	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, (uint32_t)s->value);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, s->reg);
}

static const struct {
	const char *name;
	void (*build)(struct nftnl_expr *e, const struct weir_nft_step *s);
} ops[WEIR_NFT_NUM_OPS] = {
	[WEIR_NFT_OP_META] = { "meta", build_meta },
	[WEIR_NFT_OP_CT] = { "ct", build_ct },
	[WEIR_NFT_OP_FIB] = { "fib", build_fib },
	[WEIR_NFT_OP_PAYLOAD] = { "payload", build_payload },
	[WEIR_NFT_OP_MASK] = { "bitwise", build_mask },
	[WEIR_NFT_OP_CMP] = { "cmp", build_cmp },
	[WEIR_NFT_OP_LOOKUP] = { "lookup", build_lookup },
	[WEIR_NFT_OP_MAP] = { "lookup", build_map },
	[WEIR_NFT_OP_VERDICT] = { "immediate", build_verdict },
	[WEIR_NFT_OP_NAT] = { "nat", build_nat },
	[WEIR_NFT_OP_MASQUERADE] = { "masq", build_masquerade },
	[WEIR_NFT_OP_COUNTER] = { "counter", build_counter },
	[WEIR_NFT_OP_VMAP] = { "lookup", build_vmap },
	[WEIR_NFT_OP_LIMIT] = { "limit", build_limit },
	[WEIR_NFT_OP_LOG] = { "log", build_log },
	[WEIR_NFT_OP_REJECT] = { "reject", build_reject },
};

static bool add_step(struct nftnl_rule *r, const struct weir_nft_step *step)
{
	struct nftnl_expr *e = nftnl_expr_alloc(ops[step->op].name);
	if (!e)
		return false;
	ops[step->op].build(e, step);
	nftnl_rule_add_expr(r, e);
	return true;
}

static bool add_comment(struct nftnl_rule *r, const char *comment)
{
	struct nftnl_udata_buf *userdata = comment_build(comment);
	if (!userdata)
		return false;
	int r_set = nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(userdata),
					nftnl_udata_buf_len(userdata));
	nftnl_udata_buf_free(userdata);
	return r_set == 0;
}

/* counter drop comment "drop: …" */
static bool add_drop(struct nftnl_rule *r, const struct weir_nft_rule *rule)
{
	static const struct weir_nft_step counter = COUNTER, drop = VERDICT(NF_DROP);
	char comment[WEIR_NFT_COMMENT_MAX];
	return add_comment(r, drop_comment(rule, comment, sizeof(comment))) &&
	       add_step(r, &counter) && add_step(r, &drop);
}

struct nftnl_rule *weir_nft_rule_build(const struct weir_nft_rule *rule)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	if (!r)
		return NULL;
	nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, NFPROTO_INET);
	(void)nftnl_rule_set_str(r, NFTNL_RULE_TABLE, WEIR_NFT_TABLE);
	(void)nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, rule->chain);
	bool ok = true;
	for (const struct weir_nft_step *step = rule->steps; ok && step->op; step++)
		ok = add_step(r, step);
	if (ok && (!rule->drops || add_drop(r, rule)) &&
	    (!rule->comment || add_comment(r, rule->comment)))
		return r;
	nftnl_rule_free(r);
	return NULL;
}

bool weir_nft_rule_words(const struct nftnl_rule *rule, char buf[WEIR_NFT_RULE_WORDS])
{
	int n = nftnl_rule_snprintf(buf, WEIR_NFT_RULE_WORDS, rule, NFTNL_OUTPUT_DEFAULT, 0);
	return n > 0 && n < WEIR_NFT_RULE_WORDS;
}
