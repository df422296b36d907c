// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose `table inet weir` is, and whether its chains, sets and rules are as they should be. */
#include "backends/nftables/read.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backends/nftables/element.h"
#include "backends/nftables/fields.h"
#include "backends/nftables/frame.h"
#include "backends/nftables/read_policies.h"

/* ---- the table and its epoch ---- */

struct table {
	uint32_t flags;
	char comment[WEIR_NFT_COMMENT_MAX];
};

static int take_table(const struct nlmsghdr *answer, void *ctx)
{
	struct table *ret = ctx;
	struct nftnl_table *table WEIR_CLEAN_NFT_TABLE = nftnl_table_alloc();
	uint32_t len = 0;
	if (!table)
		return -ENOMEM;
	if (nftnl_table_nlmsg_parse(answer, table) < 0)
		return -EBADMSG;
	const void *userdata = nftnl_table_get_data(table, NFTNL_TABLE_USERDATA, &len);
	ret->flags = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS);
	(void)weir_nft_comment_read(userdata, userdata ? len : 0, ret->comment,
				    sizeof(ret->comment));
	return 0;
}

static int read_table(struct weir_nft_wire *wire, struct table *ret)
{
	char buf[WEIR_NFT_REQUEST_SIZE] = { 0 };
	struct nlmsghdr *request = weir_nft_request(wire, buf, NFT_MSG_GETTABLE, 0);
	mnl_attr_put_strz(request, NFTA_TABLE_NAME, WEIR_NFT_TABLE);
	return weir_nft_ask(wire, request, take_table, ret);
}

/* "<store> <boot>" */
static bool split_epoch(const char *comment, struct weir_epoch *ret)
{
	const char *space = strchr(comment, ' ');
	if (!space || (size_t)(space - comment) >= sizeof(ret->store) ||
	    strlen(space + 1) >= sizeof(ret->boot))
		return false;
	(void)snprintf(ret->store, sizeof(ret->store), "%.*s", (int)(space - comment), comment);
	(void)snprintf(ret->boot, sizeof(ret->boot), "%s", space + 1);
	return true;
}

/* The one with the highest counter; those of two stores are as unreadable as none. */
struct epochs {
	struct weir_epoch epoch;
	bool mixed;
};

static int take_epoch(const struct nlmsghdr *answer, void *ctx)
{
	struct epochs *ret = ctx;
	struct weir_nft_element element;
	const struct nlattr *list, *attr;
	mnl_attr_for_each(list, answer, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(attr, list)
		{
			struct weir_epoch epoch = { 0 };
			if (!weir_nft_element_parse(attr, &element) ||
			    element.key_len != sizeof(epoch.counter) ||
			    !split_epoch(element.comment, &epoch))
				continue;
			memcpy(&epoch.counter, element.key, sizeof(epoch.counter));
			ret->mixed |= ret->epoch.store[0] &&
				      strcmp(ret->epoch.store, epoch.store) != 0;
			if (!ret->epoch.store[0] || epoch.counter > ret->epoch.counter)
				ret->epoch = epoch;
		}
	}
	return 0;
}

static int read_epoch(struct weir_nft_wire *wire, struct weir_epoch *ret)
{
	char buf[WEIR_NFT_REQUEST_SIZE] = { 0 };
	struct epochs epochs = { 0 };
	struct nlmsghdr *request = weir_nft_request(wire, buf, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, WEIR_NFT_TABLE);
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, weir_nft_epoch_set.name);
	int r = weir_nft_ask(wire, request, take_epoch, &epochs);
	*ret = r == 0 && !epochs.mixed ? epochs.epoch : (struct weir_epoch){ 0 };
	return r == -ENOENT ? 0 : r;
}

int weir_nft_read_presence(struct weir_nft_wire *wire, bool *ret)
{
	struct table table;
	int r = read_table(wire, &table);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = r == 0;
	return 0;
}

int weir_nft_read_state(struct weir_nft_wire *wire, struct weir_firewall_state *ret,
			struct weir_err *err)
{
	struct weir_firewall_state state = { 0 };
	struct table table;
	/* the generation first: what happens after that makes the commit fail, not go wrong */
	int r = weir_nft_generation(wire, &state.generation);
	if (r == -EINVAL) /* nfnetlink's word for a subsystem that nobody has registered */
		return weir_err_set(err, EOPNOTSUPP,
				    "this kernel does not answer for nf_tables (CONFIG_NF_TABLES; "
				    "modprobe nf_tables)");
	if (r < 0)
		return weir_err_errno(
			err, r, "asking nf_tables for its generation%s",
			r == -EPERM ? ": this needs CAP_NET_ADMIN in the network namespace" : "");
	r = read_table(wire, &table);
	state.present = r == 0;
	if (r == 0)
		r = read_epoch(wire, &state.epoch);
	if (r < 0 && r != -ENOENT)
		return weir_err_errno(err, r, "reading the owner of table inet " WEIR_NFT_TABLE);
	*ret = state;
	return 0;
}

/* ---- the frame ---- */

enum { CHAINS_MAX = 32, SETS_MAX = 64 }; /* bits of what was seen */

struct frame {
	struct weir_err *err;
	int status; /* 0 or -ESTALE; only the first difference is told */
	uint64_t chains_seen, sets_seen;
	struct weir_nft_policy_chains policies;
	size_t rules_seen[CHAINS_MAX]; /* by chain */
	size_t chains, foreign_chains;
	bool read_policies;
	struct weir_nft_drops *drops;
};

__attribute__((format(printf, 2, 3))) static void differ(struct frame *frame, const char *fmt, ...)
{
	char text[512];
	va_list args;
	if (frame->status)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* the message is cut to less anyway */
	va_end(args);
	frame->status = weir_err_set(frame->err, ESTALE,
				     "table inet " WEIR_NFT_TABLE " was changed: %s (weir repair)",
				     text);
}

static size_t chain_index(const char *name)
{
	size_t i = 0;
	while (i < weir_nft_n_chains && strcmp(weir_nft_chains[i].name, name) != 0)
		i++;
	return i;
}

static bool chain_is_right(const struct nftnl_chain *got, const struct weir_nft_chain *want)
{
	const char *type = nftnl_chain_get_str(got, NFTNL_CHAIN_TYPE);
	if (!want->type)
		return !nftnl_chain_is_set(got, NFTNL_CHAIN_HOOKNUM);
	return nftnl_chain_is_set(got, NFTNL_CHAIN_HOOKNUM) && type && !strcmp(type, want->type) &&
	       nftnl_chain_get_u32(got, NFTNL_CHAIN_HOOKNUM) == want->hooknum &&
	       nftnl_chain_get_s32(got, NFTNL_CHAIN_PRIO) == want->priority &&
	       nftnl_chain_get_u32(got, NFTNL_CHAIN_POLICY) == NF_ACCEPT;
}

static int take_chain(const struct nlmsghdr *answer, void *ctx)
{
	struct frame *frame = ctx;
	struct nftnl_chain *chain WEIR_CLEAN_NFT_CHAIN = nftnl_chain_alloc();
	if (!chain)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(answer, chain) < 0)
		return -EBADMSG;
	if (strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), WEIR_NFT_TABLE) != 0)
		return 0; /* older kernels dump those of every table */
	const char *name = nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME);
	size_t i = chain_index(name);
	frame->chains++;
	if (i == weir_nft_n_chains && frame->read_policies) {
		int r = weir_nft_policy_chain_take(&frame->policies, chain);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (i == weir_nft_n_chains) {
		frame->foreign_chains++;
		differ(frame, "chain %s was added", name);
	} else if (!chain_is_right(chain, &weir_nft_chains[i])) {
		differ(frame, "chain %s has another type, hook, priority or policy", name);
	}
	if (i < weir_nft_n_chains)
		frame->chains_seen |= UINT64_C(1) << i;
	return 0;
}

static int read_chains(struct weir_nft_wire *wire, struct frame *frame)
{
	char buf[WEIR_NFT_REQUEST_SIZE] = { 0 };
	struct nlmsghdr *request = weir_nft_request(wire, buf, NFT_MSG_GETCHAIN, NLM_F_DUMP);
	mnl_attr_put_strz(request, NFTA_CHAIN_TABLE, WEIR_NFT_TABLE);
	return weir_nft_ask(wire, request, take_chain, frame);
}

static bool set_is_right(const struct nftnl_set *got, const struct weir_nft_set *set)
{
	static const uint16_t attrs[] = { NFTNL_SET_KEY_TYPE, NFTNL_SET_KEY_LEN,
					  NFTNL_SET_DATA_TYPE, NFTNL_SET_DATA_LEN };
	struct nftnl_set *want WEIR_CLEAN_NFT_SET = weir_nft_set_build(set, 1);
	/* the kernel adds flags of its own (NFT_SET_EXPR) */
	uint32_t flags = NFT_SET_MAP | NFT_SET_INTERVAL | NFT_SET_CONCAT | NFT_SET_TIMEOUT |
			 NFT_SET_EVAL | NFT_SET_CONSTANT | NFT_SET_OBJECT;
	if (!want || (nftnl_set_get_u32(got, NFTNL_SET_FLAGS) & flags) !=
			     nftnl_set_get_u32(want, NFTNL_SET_FLAGS))
		return false;
	/* of a verdict the kernel says how long it is itself */
	size_t n = sizeof(attrs) / sizeof(attrs[0]) - weir_nft_set_is_verdict(set);
	for (size_t i = 0; i < n; i++)
		if (nftnl_set_get_u32(got, attrs[i]) != nftnl_set_get_u32(want, attrs[i]))
			return false;
	return true;
}

static uint64_t set_bit(const struct weir_nft_set *set)
{
	size_t i = set == &weir_nft_epoch_set ? weir_nft_n_sets : (size_t)(set - weir_nft_sets);
	return UINT64_C(1) << i;
}

static int take_set(const struct nlmsghdr *answer, void *ctx)
{
	struct frame *frame = ctx;
	struct nftnl_set *got WEIR_CLEAN_NFT_SET = nftnl_set_alloc();
	if (!got)
		return -ENOMEM;
	if (nftnl_set_nlmsg_parse(answer, got) < 0)
		return -EBADMSG;
	const char *name = nftnl_set_get_str(got, NFTNL_SET_NAME);
	const struct weir_nft_set *set = weir_nft_set_find(name);
	struct weir_nft_set of_class;
	char of_name[WEIR_NFT_CHAIN_MAX];
	if (!set && weir_nft_policy_set_take(&frame->policies, name, of_name, &of_class)) {
		if (!set_is_right(got, &of_class))
			differ(frame, "set %s has another type", name);
		return 0;
	}
	if (!set)
		differ(frame, "set %s was added", name);
	else if (!set_is_right(got, set))
		differ(frame, "set %s has another type", name);
	if (set)
		frame->sets_seen |= set_bit(set);
	return 0;
}

static int read_sets(struct weir_nft_wire *wire, struct frame *frame)
{
	char buf[WEIR_NFT_REQUEST_SIZE] = { 0 };
	struct nlmsghdr *request = weir_nft_request(wire, buf, NFT_MSG_GETSET, NLM_F_DUMP);
	mnl_attr_put_strz(request, NFTA_SET_TABLE, WEIR_NFT_TABLE);
	return weir_nft_ask(wire, request, take_set, frame);
}

/* The n-th rule of a chain, or NULL. */
static const struct weir_nft_rule *expected_rule(const char *chain, size_t n)
{
	for (size_t i = 0; i < weir_nft_n_rules; i++)
		if (!strcmp(weir_nft_rule_chain(weir_nft_rule_at(i)), chain) && n-- == 0)
			return weir_nft_rule_at(i);
	return NULL;
}

/* nft turns the byte order of a protocol, one byte, where an interval is asked: that does nothing. */
static bool does_nothing(const struct nftnl_expr *expr, const char *name)
{
	return strcmp(name, "byteorder") == 0 &&
	       nftnl_expr_get_u32(expr, NFTNL_EXPR_BYTEORDER_LEN) == 1 &&
	       nftnl_expr_get_u32(expr, NFTNL_EXPR_BYTEORDER_SREG) ==
		       nftnl_expr_get_u32(expr, NFTNL_EXPR_BYTEORDER_DREG);
}

/* Leaves of a rule what counts in a comparison; notes its figures. */
static int strip(struct nftnl_expr *expr, void *ctx)
{
	struct weir_nft_element *figures = ctx;
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);
	if (does_nothing(expr, name)) {
		nftnl_rule_del_expr(expr);
		nftnl_expr_free(expr);
		return 0;
	}
	if (strcmp(name, "counter") != 0)
		return 0;
	figures->packets = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_PACKETS);
	figures->bytes = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_BYTES);
	nftnl_expr_set_u64(expr, NFTNL_EXPR_CTR_PACKETS, 0);
	nftnl_expr_set_u64(expr, NFTNL_EXPR_CTR_BYTES, 0);
	return 0;
}

static void count_drop(struct frame *frame, const struct nftnl_rule *rule,
		       const struct weir_nft_element *figures)
{
	char comment[WEIR_NFT_COMMENT_MAX];
	uint32_t len = 0;
	const void *userdata = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);
	size_t skip = strlen(WEIR_NFT_DROP_PREFIX);
	if (!frame->drops || !userdata)
		return;
	(void)weir_nft_comment_read(userdata, len, comment, sizeof(comment));
	if (strncmp(comment, WEIR_NFT_DROP_PREFIX, skip) != 0)
		return;
	for (int i = 0; i < WEIR_NUM_DROPS; i++) {
		if (strcmp(comment + skip, weir_drop_reason(i)) != 0)
			continue;
		frame->drops->packets[i] += figures->packets;
		frame->drops->bytes[i] += figures->bytes;
	}
}

static bool rule_is_right(const struct nftnl_rule *got, const struct weir_nft_rule *rule)
{
	char a[WEIR_NFT_RULE_WORDS], b[WEIR_NFT_RULE_WORDS];
	struct nftnl_rule *want WEIR_CLEAN_NFT_RULE = weir_nft_rule_build(rule);
	return want && weir_nft_rule_words(got, a) && weir_nft_rule_words(want, b) && !strcmp(a, b);
}

static void judge_rule(struct frame *frame, struct nftnl_rule *got, size_t i)
{
	const char *chain = nftnl_rule_get_str(got, NFTNL_RULE_CHAIN);
	unsigned long long handle = nftnl_rule_get_u64(got, NFTNL_RULE_HANDLE);
	char text[WEIR_NFT_RULE_TEXT];
	const struct weir_nft_rule *want = expected_rule(chain, frame->rules_seen[i]++);
	if (!want) {
		differ(frame, "a rule was added at the end of chain %s (handle %llu)", chain,
		       handle);
		return;
	}
	nftnl_rule_unset(got, NFTNL_RULE_HANDLE);
	nftnl_rule_unset(got, NFTNL_RULE_POSITION);
	if (!rule_is_right(got, want))
		differ(frame, "in chain %s, handle %llu stands where \"%s\" should", chain, handle,
		       weir_nft_rule_text(want, text));
}

static int take_rule(const struct nlmsghdr *answer, void *ctx)
{
	struct frame *frame = ctx;
	struct weir_nft_element figures = { 0 };
	struct nftnl_rule *rule WEIR_CLEAN_NFT_RULE = nftnl_rule_alloc();
	if (!rule)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(answer, rule) < 0)
		return -EBADMSG;
	(void)nftnl_expr_foreach(rule, strip, &figures); /* cannot fail: the callback does not */
	count_drop(frame, rule, &figures);
	size_t i = chain_index(nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
	if (i == weir_nft_n_chains) /* or the whole chain is not ours: that is told already */
		return weir_nft_policy_rule_take(&frame->policies, rule, figures.packets,
						 figures.bytes);
	judge_rule(frame, rule, i);
	return 0;
}

static int read_rules(struct weir_nft_wire *wire, struct frame *frame)
{
	char buf[WEIR_NFT_REQUEST_SIZE] = { 0 };
	struct nlmsghdr *request = weir_nft_request(wire, buf, NFT_MSG_GETRULE, NLM_F_DUMP);
	mnl_attr_put_strz(request, NFTA_RULE_TABLE, WEIR_NFT_TABLE);
	return weir_nft_ask(wire, request, take_rule, frame);
}

static void find_missing(struct frame *frame)
{
	char text[WEIR_NFT_RULE_TEXT];
	for (size_t i = 0; i < weir_nft_n_chains; i++) {
		const char *name = weir_nft_chains[i].name;
		if (!(frame->chains_seen & UINT64_C(1) << i))
			differ(frame, "chain %s is missing", name);
		const struct weir_nft_rule *rule = expected_rule(name, frame->rules_seen[i]);
		if (rule)
			differ(frame, "chain %s lacks \"%s\"", name,
			       weir_nft_rule_text(rule, text));
	}
	for (size_t i = 0; i < weir_nft_n_sets; i++)
		if (!(frame->sets_seen & UINT64_C(1) << i))
			differ(frame, "set %s is missing", weir_nft_sets[i].name);
	if (!(frame->sets_seen & set_bit(&weir_nft_epoch_set)))
		differ(frame, "set %s is missing", weir_nft_epoch_set.name);
}

int weir_nft_read_frame(struct weir_nft_wire *wire, struct weir_nft_drops *drops,
			struct weir_nft_items *items, struct weir_err *err)
{
	struct frame frame = { .err = err, .drops = drops, .read_policies = true };
	char odd[256] = "";
	struct table table = { 0 };
	assert(weir_nft_n_chains <= CHAINS_MAX && weir_nft_n_sets < SETS_MAX);
	int r = read_table(wire, &table);
	if (r == -ENOENT)
		return weir_err_set(err, ENOENT, "there is no table inet " WEIR_NFT_TABLE);
	if (table.flags & NFT_TABLE_F_DORMANT)
		differ(&frame, "it is dormant");
	if (r == 0)
		r = read_chains(wire, &frame);
	if (r == 0)
		r = read_sets(wire, &frame);
	if (r == 0)
		r = read_rules(wire, &frame);
	if (r == 0)
		r = weir_nft_policy_chains_judge(&frame.policies, drops, items, odd, sizeof(odd));
	weir_nft_policy_chains_free(&frame.policies);
	if (r < 0)
		return weir_err_errno(err, r, "listing table inet " WEIR_NFT_TABLE);
	if (odd[0])
		differ(&frame, "%s", odd);
	find_missing(&frame);
	return frame.status;
}

int weir_nft_read_ownership(struct weir_nft_wire *wire, const char *store, struct weir_err *err)
{
	struct frame frame = { 0 };
	struct table table = { 0 };
	char comment[WEIR_NFT_TABLE_COMMENT];
	int r = read_table(wire, &table);
	if (r == 0)
		r = read_chains(wire, &frame);
	if (r == -ENOENT)
		return 0; /* gone meanwhile: nobody's */
	if (r < 0)
		return weir_err_errno(err, r, "listing table inet " WEIR_NFT_TABLE);
	if (!strcmp(table.comment, weir_nft_table_comment(store, comment)))
		return 0;
	if (!strncmp(table.comment, WEIR_NFT_TABLE_PREFIX, strlen(WEIR_NFT_TABLE_PREFIX)))
		return weir_err_set(err, EBUSY,
				    "table inet " WEIR_NFT_TABLE
				    " belongs to another store, %s; this one is %s "
				    "(use that store, or remove the table: nft delete table "
				    "inet " WEIR_NFT_TABLE ")",
				    table.comment + strlen(WEIR_NFT_TABLE_PREFIX), store);
	if (frame.chains > 0 && frame.foreign_chains == 0)
		return 0;
	return weir_err_set(err, EBUSY,
			    "there is a table inet " WEIR_NFT_TABLE
			    " that weir did not make (look at it: "
			    "nft list table inet " WEIR_NFT_TABLE
			    "; remove it: nft delete table inet " WEIR_NFT_TABLE ")");
}
