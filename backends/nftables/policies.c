// SPDX-License-Identifier: GPL-2.0-or-later
/* What policies add to the frame: a chain for each class and each list. */
#include "backends/nftables/policies.h"

#include <netinet/in.h>

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How it works
 * The frame's map policy_from4 sends a sender to the chain of its class:
 *
 *	chain class-0123456789abcdef {
 *		comment "front-to-api, api-to-pg"
 *		oifname @networks ip daddr vmap @to4-0123456789abcdef
 *		…
 *
 * and that to the list of what it may say to this receiver, a rule for each cell:
 *
 *	chain list-fedcba9876543210 {
 *		tcp dport 5432 counter accept comment "policy api-to-pg"
 *		counter drop comment "policy nobody-else"
 *
 * Whatever a list does not decide returns to the frame. Lists never change: what says something else has
 * another name. */

enum { R1 = NFT_REG_1 };

#define NFPROTO(family) META(NFT_META_NFPROTO, R1), IS_U8(family)
#define L4(protocol) META(NFT_META_L4PROTO, R1), IS_U8(protocol)

static const uint8_t protocols[WEIR_NUM_L4S] = {
	[WEIR_L4_TCP] = IPPROTO_TCP,	   [WEIR_L4_UDP] = IPPROTO_UDP,
	[WEIR_L4_SCTP] = IPPROTO_SCTP,	   [WEIR_L4_ICMP] = IPPROTO_ICMP,
	[WEIR_L4_ICMPV6] = IPPROTO_ICMPV6,
};

/* As nft says them, of a protocol as a whole. */
static const char *const protocol_words[WEIR_NUM_L4S] = {
	[WEIR_L4_TCP] = "tcp",	 [WEIR_L4_UDP] = "udp",		 [WEIR_L4_SCTP] = "sctp",
	[WEIR_L4_ICMP] = "icmp", [WEIR_L4_ICMPV6] = "ipv6-icmp",
};

/* ---- writing a rule ---- */

struct writer {
	struct weir_nft_policy_rule *to;
	size_t steps, text;
};

static struct writer start_rule(struct weir_nft_policy_rule *to)
{
	memset(to, 0, sizeof(*to));
	to->rule.chain = to->chain;
	to->rule.text = to->text;
	return (struct writer){ .to = to };
}

static void add_steps(struct writer *w, const struct weir_nft_step *steps, size_t n)
{
	memcpy(&w->to->rule.steps[w->steps], steps, n * sizeof(*steps));
	w->steps += n;
}
#define ADD(w, ...)                                                         \
	do {                                                                \
		const struct weir_nft_step added_[] = { __VA_ARGS__ };      \
		add_steps((w), added_, sizeof(added_) / sizeof(added_[0])); \
	} while (0)

__attribute__((format(printf, 2, 3))) static void say(struct writer *w, const char *fmt, ...)
{
	size_t room = sizeof(w->to->text) - w->text;
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(w->to->text + w->text, room, fmt, args);
	va_end(args);
	if (n > 0)
		w->text += (size_t)n < room ? (size_t)n : room - 1;
}

/* ---- classes ---- */

/* oifname @networks ip daddr vmap @to4-… */
void weir_nft_class_rule(uint64_t class, size_t i, struct weir_nft_policy_rule *ret)
{
	struct writer w = start_rule(ret);
	struct weir_nft_set set;

	(void)weir_nft_class_chain(class, ret->chain);
	weir_nft_class_set(i, class, ret->set, &set);
	if (set.flags & WEIR_OUTSIDE)
		ADD(&w, META(NFT_META_OIFNAME, R1), LOOKUP_NOT(R1, "networks"));
	else
		ADD(&w, META(NFT_META_OIFNAME, R1), LOOKUP(R1, "networks"));
	if (set.family == WEIR_IPV4)
		ADD(&w, NFPROTO(NFPROTO_IPV4), NETWORK_HEADER(16, 4, R1), VMAP(R1, ret->set));
	else
		ADD(&w, NFPROTO(NFPROTO_IPV6), NETWORK_HEADER(24, 16, R1), VMAP(R1, ret->set));
	say(&w, "oifname %s@networks %s daddr vmap @%s", set.flags & WEIR_OUTSIDE ? "!= " : "",
	    set.family == WEIR_IPV4 ? "ip" : "ip6", ret->set);
}

/* ---- cells ---- */

static bool is_icmp(enum weir_l4 l4)
{
	return l4 == WEIR_L4_ICMP || l4 == WEIR_L4_ICMPV6;
}

static bool is_whole(const struct weir_entry *cell)
{
	return cell->ports.lo == 0 &&
	       cell->ports.hi == (is_icmp(cell->l4) ? WEIR_ICMP_TYPE_MAX : WEIR_PORT_MAX);
}

static void match_numbers(struct writer *w, const struct weir_entry *cell, const char *words)
{
	uint16_t lo = cell->ports.lo, hi = cell->ports.hi;
	uint8_t len = is_icmp(cell->l4) ? 1 : 2;

	if (len == 1)
		ADD(w, TRANSPORT_HEADER(0, 1, R1));
	else
		ADD(w, TRANSPORT_HEADER(2, 2, R1));
	if (lo == hi)
		ADD(w, CMP(lo, len, false));
	else
		ADD(w, FROM_TO(lo, hi, len));
	if (lo == hi)
		say(w, "%s %u ", words, lo);
	else
		say(w, "%s %u-%u ", words, lo, hi);
}

/* tcp dport 8000-8010 · icmp type 8 · meta l4proto udp; nothing of WEIR_L4_ANY. */
static void match_cell(struct writer *w, const struct weir_entry *cell)
{
	static const char *const words[WEIR_NUM_L4S] = {
		[WEIR_L4_TCP] = "tcp dport",	  [WEIR_L4_UDP] = "udp dport",
		[WEIR_L4_SCTP] = "sctp dport",	  [WEIR_L4_ICMP] = "icmp type",
		[WEIR_L4_ICMPV6] = "icmpv6 type",
	};

	if (cell->l4 == WEIR_L4_ANY)
		return;
	if (is_icmp(cell->l4) && !is_whole(cell))
		ADD(w, NFPROTO(cell->l4 == WEIR_L4_ICMP ? NFPROTO_IPV4 : NFPROTO_IPV6));
	ADD(w, L4(protocols[cell->l4]));
	if (is_whole(cell))
		say(w, "meta l4proto %s ", protocol_words[cell->l4]);
	else
		match_numbers(w, cell, words[cell->l4]);
}

static struct writer start_cell(const struct weir_entry *cell, struct weir_nft_policy_rule *to)
{
	struct writer w = start_rule(to);

	(void)weir_nft_list_chain(cell->list, to->chain);
	if (cell->owner && cell->owner[0]) {
		(void)snprintf(to->comment, sizeof(to->comment), WEIR_NFT_POLICY_PREFIX "%s",
			       cell->owner);
		to->rule.comment = to->comment;
	}
	return w;
}

static void end_cell(struct writer *w)
{
	if (w->to->rule.comment)
		say(w, " comment \"%s\"", w->to->rule.comment);
}

/* tcp dport 80 limit rate 10/second burst 20 packets log prefix "weir: api-to-pg: " group 0 */
static void write_log(const struct weir_entry *cell, struct weir_nft_policy_rule *to)
{
	struct writer w = start_cell(cell, to);
	bool group = cell->log == WEIR_LOG_NFLOG;

	(void)snprintf(to->prefix, sizeof(to->prefix), "weir: %s: ", cell->owner);
	match_cell(&w, cell);
	ADD(&w, { WEIR_NFT_OP_LIMIT, .reg = 0 },
	    { WEIR_NFT_OP_LOG, .name = to->prefix, .value = group ? 0 : -1 });
	say(&w, "limit rate 10/second burst 20 packets log prefix \"%s\"%s", to->prefix,
	    group ? " group 0" : "");
	end_cell(&w);
}

static void write_verdict(struct writer *w, enum weir_cell_verdict verdict)
{
	switch (verdict) {
	case WEIR_CELL_ACCEPT:
		ADD(w, COUNTER, VERDICT(NF_ACCEPT));
		say(w, "counter accept");
		break;
	case WEIR_CELL_ACCEPT_EGRESS:
		ADD(w, COUNTER, GOTO("arrive"));
		say(w, "counter goto arrive");
		break;
	case WEIR_CELL_ACCEPT_INGRESS:
		ADD(w, COUNTER, GOTO("depart"));
		say(w, "counter goto depart");
		break;
	case WEIR_CELL_DROP:
		ADD(w, COUNTER, VERDICT(NF_DROP));
		say(w, "counter drop");
		break;
	default:
		ADD(w, VERDICT(NFT_RETURN));
		say(w, "return");
	}
}

/* counter reject with icmpx admin-prohibited */
static void write_reject(struct writer *w, bool tcp)
{
	if (tcp)
		ADD(w, COUNTER, REJECT(NFT_REJECT_TCP_RST, 0));
	else
		ADD(w, COUNTER,
		    REJECT(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED));
	say(w, "counter reject with %s", tcp ? "tcp reset" : "icmpx admin-prohibited");
}

size_t weir_nft_cell_rules(const struct weir_entry *cell,
			   struct weir_nft_policy_rule ret[WEIR_NFT_CELL_RULES])
{
	size_t n = 0;
	struct writer w;

	if (cell->log)
		write_log(cell, &ret[n++]);
	if (cell->verdict == WEIR_CELL_REJECT && cell->l4 == WEIR_L4_ANY) {
		w = start_cell(cell, &ret[n++]);
		ADD(&w, L4(IPPROTO_TCP));
		say(&w, "meta l4proto tcp ");
		write_reject(&w, true);
		end_cell(&w);
	}
	w = start_cell(cell, &ret[n++]);
	match_cell(&w, cell);
	if (cell->verdict == WEIR_CELL_REJECT)
		write_reject(&w, cell->l4 == WEIR_L4_TCP);
	else
		write_verdict(&w, cell->verdict);
	end_cell(&w);
	return n;
}

/* ---- reading one ---- */

struct guessing {
	struct weir_nft_cell_guess *to;
	enum { NOTHING, PROTOCOL, PORT, TYPE } loaded;
};

static void guess_load(struct guessing *g, struct nftnl_expr *e, const char *name)
{
	g->loaded = NOTHING;
	if (strcmp(name, "meta") == 0 &&
	    nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY) == NFT_META_L4PROTO)
		g->loaded = PROTOCOL;
	if (strcmp(name, "payload") == 0)
		g->loaded = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN) == 1 ? TYPE : PORT;
}

static enum weir_l4 l4_of(uint8_t protocol)
{
	enum weir_l4 l4 = WEIR_NUM_L4S;
	while (--l4 > WEIR_L4_ANY && protocols[l4] != protocol)
		continue;
	return l4;
}

static void guess_compare(struct guessing *g, struct nftnl_expr *e)
{
	struct weir_ports *ports = &g->to->cell.ports;
	uint32_t op = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP), len = 0;
	const uint8_t *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);

	if (!data || len == 0 || g->loaded == NOTHING)
		return;
	if (g->loaded == PROTOCOL) {
		g->to->cell.l4 = (uint8_t)l4_of(data[0]);
		ports->hi = is_icmp(g->to->cell.l4) ? WEIR_ICMP_TYPE_MAX : WEIR_PORT_MAX;
		return;
	}
	uint16_t number = len == 2 ? (uint16_t)(data[0] << 8 | data[1]) : data[0];
	if (op != NFT_CMP_LTE)
		ports->lo = number;
	if (op != NFT_CMP_GTE)
		ports->hi = number;
}

static void guess_verdict(struct guessing *g, struct nftnl_expr *e)
{
	const char *chain = nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN);
	uint32_t code = nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT);

	g->to->has_verdict = true;
	g->to->cell.verdict = code == NF_ACCEPT			       ? WEIR_CELL_ACCEPT
			      : code == NF_DROP			       ? WEIR_CELL_DROP
			      : code == (uint32_t)NFT_RETURN || !chain ? WEIR_CELL_CONTINUE
			      : strcmp(chain, "arrive") == 0	       ? WEIR_CELL_ACCEPT_EGRESS
								       : WEIR_CELL_ACCEPT_INGRESS;
}

static int guess_expr(struct nftnl_expr *e, void *ctx)
{
	struct guessing *g = ctx;
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

	if (strcmp(name, "meta") == 0 || strcmp(name, "payload") == 0) {
		guess_load(g, e, name);
	} else if (strcmp(name, "cmp") == 0) {
		guess_compare(g, e);
	} else if (strcmp(name, "immediate") == 0) {
		guess_verdict(g, e);
	} else if (strcmp(name, "reject") == 0) {
		g->to->has_verdict = true;
		g->to->cell.verdict = WEIR_CELL_REJECT;
	} else if (strcmp(name, "log") == 0) {
		g->to->cell.log = nftnl_expr_is_set(e, NFTNL_EXPR_LOG_GROUP) ? WEIR_LOG_NFLOG
									     : WEIR_LOG_KERNEL;
	}
	return 0;
}

void weir_nft_cell_guess(struct nftnl_rule *rule, struct weir_nft_cell_guess *ret)
{
	struct guessing g = { .to = ret };

	*ret = (struct weir_nft_cell_guess){ .cell.kind = WEIR_ENTRY_CELL };
	(void)nftnl_expr_foreach(rule, guess_expr, &g); /* cannot fail: the callback does not */
}

/* ---- in a transaction ---- */

static void put_chain(struct weir_nft_batch *batch, bool add, const char *name, const char *comment)
{
	const char *kept = weir_nft_batch_keep(batch, name);
	struct weir_nft_chain chain = { .name = name };

	if (!kept)
		return;
	if (add)
		weir_nft_batch_add_chain(batch, weir_nft_chain_build(&chain, comment), kept);
	else
		weir_nft_batch_delete_chain(batch, kept);
}

static void put_class(struct weir_nft_batch *batch, const struct weir_entry *class)
{
	struct weir_nft_policy_rule rule;
	char name[WEIR_NFT_CHAIN_MAX];

	put_chain(batch, true, weir_nft_class_chain(class->class, name), class->owner);
	for (size_t i = 0; i < WEIR_NFT_CLASS_SETS; i++) {
		const struct weir_nft_set *set = weir_nft_batch_class_set(batch, i, class->class);
		if (set)
			weir_nft_batch_add_set(
				batch, weir_nft_set_build(set, weir_nft_batch_set_id(batch)),
				set->name);
	}
	for (size_t i = 0; i < WEIR_NFT_CLASS_SETS; i++) {
		weir_nft_class_rule(class->class, i, &rule);
		weir_nft_batch_add_rule(batch, weir_nft_rule_build(&rule.rule),
					weir_nft_batch_keep(batch, rule.chain));
	}
}

static void put_cell(struct weir_nft_batch *batch, const struct weir_entry *cell)
{
	struct weir_nft_policy_rule rules[WEIR_NFT_CELL_RULES];
	size_t n = weir_nft_cell_rules(cell, rules);

	for (size_t i = 0; i < n; i++)
		weir_nft_batch_add_rule(batch, weir_nft_rule_build(&rules[i].rule),
					weir_nft_batch_keep(batch, rules[i].chain));
}

/* The first cell of its list among the entries, which are sorted by list. */
static bool opens_list(const struct weir_entry *const *entries, size_t i)
{
	return i == 0 || entries[i - 1]->kind != WEIR_ENTRY_CELL ||
	       entries[i - 1]->list != entries[i]->list;
}

void weir_nft_policies_add(struct weir_nft_batch *batch, const struct weir_entry *const *entries,
			   size_t n)
{
	char name[WEIR_NFT_CHAIN_MAX];

	for (size_t i = 0; i < n; i++) {
		if (entries[i]->kind == WEIR_ENTRY_CELL && opens_list(entries, i))
			put_chain(batch, true, weir_nft_list_chain(entries[i]->list, name), NULL);
		if (entries[i]->kind == WEIR_ENTRY_CELL)
			put_cell(batch, entries[i]);
		if (entries[i]->kind == WEIR_ENTRY_CLASS)
			put_class(batch, entries[i]);
	}
}

void weir_nft_policies_remove(struct weir_nft_batch *batch, const struct weir_entry *const *entries,
			      size_t n)
{
	char name[WEIR_NFT_CHAIN_MAX];

	for (size_t i = 0; i < n; i++) {
		if (entries[i]->kind == WEIR_ENTRY_CELL && opens_list(entries, i))
			put_chain(batch, false, weir_nft_list_chain(entries[i]->list, name), NULL);
		if (entries[i]->kind != WEIR_ENTRY_CLASS)
			continue;
		put_chain(batch, false, weir_nft_class_chain(entries[i]->class, name), NULL);
		for (size_t k = 0; k < WEIR_NFT_CLASS_SETS; k++) {
			const struct weir_nft_set *set =
				weir_nft_batch_class_set(batch, k, entries[i]->class);
			if (set)
				weir_nft_batch_delete_set(batch, set->name);
		}
	}
}
