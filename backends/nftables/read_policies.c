// SPDX-License-Identifier: GPL-2.0-or-later
/* The chains of classes and lists, read back and judged. */
#include "backends/nftables/read_policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/nftables/policies.h"

/* How it works
 * The rules of a list are first taken for cells by what can be seen of them, then written anew from these and
 * held against what is there, word by word. A list is named by a digest of its cells: one that lacks a cell
 * shows as well. */

struct taken_rule {
	struct weir_nft_cell_guess guess;
	const char *words;
	unsigned long long handle;
	uint64_t packets, bytes;
};

struct weir_nft_policy_chain {
	char name[WEIR_NFT_CHAIN_MAX];
	bool is_class;
	uint64_t id;
	const char *comment;
	unsigned sets_seen; /* bits, of a class */
	struct taken_rule *rules;
	size_t n_rules;
	struct weir_entry *cells;
	size_t n_cells;
};

void weir_nft_policy_chains_free(struct weir_nft_policy_chains *chains)
{
	weir_arena_free(&chains->arena);
}

static struct weir_nft_policy_chain *find_chain(struct weir_nft_policy_chains *chains,
						const char *name)
{
	/* rules come chain by chain */
	if (chains->last < chains->n && strcmp(chains->chains[chains->last].name, name) == 0)
		return &chains->chains[chains->last];
	for (size_t i = 0; i < chains->n; i++)
		if (strcmp(chains->chains[i].name, name) == 0) {
			chains->last = i;
			return &chains->chains[i];
		}
	return NULL;
}

/* ---- taking ---- */

int weir_nft_policy_chain_take(struct weir_nft_policy_chains *chains,
			       const struct nftnl_chain *chain)
{
	const char *name = nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME);
	struct weir_nft_policy_chain new = { 0 };
	char comment[WEIR_NFT_COMMENT_MAX];
	uint32_t len = 0;

	new.is_class = weir_nft_class_of(name, &new.id);
	if ((!new.is_class && !weir_nft_list_of(name, &new.id)) ||
	    nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM))
		return 0;
	const void *userdata = nftnl_chain_get_data(chain, NFTNL_CHAIN_USERDATA, &len);
	(void)weir_nft_comment_read(userdata, userdata ? len : 0, comment, sizeof(comment));
	(void)snprintf(new.name, sizeof(new.name), "%s", name);
	new.comment = weir_arena_strdup(&chains->arena, comment);
	struct weir_nft_policy_chain *items =
		weir_arena_grow(&chains->arena, chains->chains, chains->n, sizeof(*items));
	if (!items || !new.comment)
		return -ENOMEM;
	chains->chains = items;
	items[chains->n++] = new;
	return 1;
}

/* Of the class whose digits end the name. */
bool weir_nft_policy_set_take(struct weir_nft_policy_chains *chains, const char *name,
			      char name_buf[WEIR_NFT_CHAIN_MAX], struct weir_nft_set *ret)
{
	const char *dash = strchr(name, '-');
	char chain_name[WEIR_NFT_CHAIN_MAX];

	if (!dash)
		return false;
	(void)snprintf(chain_name, sizeof(chain_name), "class%s", dash);
	struct weir_nft_policy_chain *chain = find_chain(chains, chain_name);
	for (size_t i = 0; chain && i < WEIR_NFT_CLASS_SETS; i++) {
		weir_nft_class_set(i, chain->id, name_buf, ret);
		if (strcmp(name, name_buf) != 0)
			continue;
		chain->sets_seen |= 1U << i;
		return true;
	}
	return false;
}

/* The policy's name that a rule's comment gives; NULL: it gives none. */
static const char *owner_of(struct weir_arena *arena, const struct nftnl_rule *rule)
{
	char comment[WEIR_NFT_COMMENT_MAX];
	size_t skip = strlen(WEIR_NFT_POLICY_PREFIX);
	uint32_t len = 0;
	const void *userdata = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);

	(void)weir_nft_comment_read(userdata, userdata ? len : 0, comment, sizeof(comment));
	bool policy = strncmp(comment, WEIR_NFT_POLICY_PREFIX, skip) == 0;
	return weir_arena_strdup(arena, policy ? comment + skip : "");
}

int weir_nft_policy_rule_take(struct weir_nft_policy_chains *chains, struct nftnl_rule *rule,
			      uint64_t packets, uint64_t bytes)
{
	struct weir_nft_policy_chain *chain =
		find_chain(chains, nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
	struct taken_rule new = { .packets = packets, .bytes = bytes };
	char words[WEIR_NFT_RULE_WORDS] = "";

	if (!chain)
		return 0;
	new.handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
	nftnl_rule_unset(rule, NFTNL_RULE_HANDLE);
	nftnl_rule_unset(rule, NFTNL_RULE_POSITION);
	(void)weir_nft_rule_words(rule, words); /* what is too long is not ours, and differs */
	weir_nft_cell_guess(rule, &new.guess);
	new.guess.cell.owner = owner_of(&chains->arena, rule);
	new.words = weir_arena_strdup(&chains->arena, words);
	struct taken_rule *rules =
		weir_arena_grow(&chains->arena, chain->rules, chain->n_rules, sizeof(*rules));
	if (!rules || !new.words || !new.guess.cell.owner)
		return -ENOMEM;
	chain->rules = rules;
	rules[chain->n_rules++] = new;
	return 0;
}

/* ---- judging ---- */

struct judgement {
	struct weir_nft_policy_chains *chains;
	struct weir_nft_drops *drops;
	struct weir_nft_items *items;
	char *odd;
	size_t size;
};

static void find_odd(struct judgement *j, const char *what, const char *chain,
		     unsigned long long handle)
{
	if (j->odd[0])
		return;
	if (handle)
		(void)snprintf(j->odd, j->size, "in chain %s, handle %llu %s", chain, handle, what);
	else
		(void)snprintf(j->odd, j->size, "chain %s %s", chain, what);
}

static bool is_written(const struct taken_rule *got, const struct weir_nft_rule *rule)
{
	struct nftnl_rule *want WEIR_CLEAN_NFT_RULE = weir_nft_rule_build(rule);
	char words[WEIR_NFT_RULE_WORDS];

	return want && weir_nft_rule_words(want, words) && strcmp(words, got->words) == 0;
}

static int judge_class(struct judgement *j, const struct weir_nft_policy_chain *chain)
{
	struct weir_entry entry = { .kind = WEIR_ENTRY_CLASS,
				    .class = chain->id,
				    .owner = chain->comment };
	struct weir_nft_policy_rule rule;

	for (size_t i = 0; i < WEIR_NFT_CLASS_SETS; i++) {
		weir_nft_class_rule(chain->id, i, &rule);
		if (i >= chain->n_rules)
			find_odd(j, "lacks a rule", chain->name, 0);
		else if (!is_written(&chain->rules[i], &rule.rule))
			find_odd(j, "is not as weir wrote it", chain->name, chain->rules[i].handle);
		if (!(chain->sets_seen & 1U << i))
			find_odd(j, "lacks a map", chain->name, 0);
	}
	if (chain->n_rules > WEIR_NFT_CLASS_SETS)
		find_odd(j, "was added", chain->name, chain->rules[WEIR_NFT_CLASS_SETS].handle);
	return j->items ? weir_nft_items_add(j->items, &entry, 0, 0) : 0;
}

/* The two rules of a reject of everything look like a cell each. */
static bool completes_reject(const struct weir_entry *last, const struct weir_entry *cell)
{
	return cell->verdict == WEIR_CELL_REJECT && cell->l4 == WEIR_L4_ANY &&
	       last->verdict == WEIR_CELL_REJECT && last->l4 == WEIR_L4_TCP &&
	       last->ports.lo == 0 && last->ports.hi == WEIR_PORT_MAX &&
	       strcmp(last->owner, cell->owner) == 0;
}

/* Rules to cells, each with the figures of its verdicts. */
static int gather_cells(struct judgement *j, struct weir_nft_policy_chain *chain)
{
	uint8_t log = WEIR_LOG_NONE;
	size_t n = 0;

	chain->cells =
		weir_arena_alloc(&j->chains->arena, (chain->n_rules + 1) * sizeof(*chain->cells));
	if (!chain->cells)
		return -ENOMEM;
	for (size_t i = 0; i < chain->n_rules; i++) {
		struct taken_rule *rule = &chain->rules[i];
		struct weir_entry *cell = &chain->cells[n];
		if (!rule->guess.has_verdict) {
			log = rule->guess.cell.log;
			continue;
		}
		*cell = rule->guess.cell;
		cell->list = chain->id;
		cell->log = log;
		log = WEIR_LOG_NONE;
		if (n && completes_reject(cell - 1, cell)) {
			cell->log = cell[-1].log;
			cell[-1] = *cell;
		} else {
			n++;
		}
	}
	chain->n_cells = n;
	return 0;
}

static void judge_cells(struct judgement *j, const struct weir_nft_policy_chain *chain)
{
	struct weir_nft_policy_rule rules[WEIR_NFT_CELL_RULES];
	size_t at = 0;

	for (size_t i = 0; i < chain->n_cells; i++) {
		size_t n = weir_nft_cell_rules(&chain->cells[i], rules);
		for (size_t k = 0; k < n; k++, at++)
			if (at >= chain->n_rules)
				find_odd(j, "lacks a rule", chain->name, 0);
			else if (!is_written(&chain->rules[at], &rules[k].rule))
				find_odd(j, "is not as weir wrote it", chain->name,
					 chain->rules[at].handle);
	}
	if (at < chain->n_rules)
		find_odd(j, "was added", chain->name, chain->rules[at].handle);
	else if (weir_list_id(chain->cells, chain->n_cells) != chain->id)
		find_odd(j, "is not what its name says", chain->name, 0);
}

static void count_drop(struct judgement *j, const struct taken_rule *rule)
{
	uint8_t verdict = rule->guess.cell.verdict;

	if (!j->drops || !rule->guess.has_verdict ||
	    (verdict != WEIR_CELL_DROP && verdict != WEIR_CELL_REJECT))
		return;
	j->drops->packets[WEIR_DROP_POLICY] += rule->packets;
	j->drops->bytes[WEIR_DROP_POLICY] += rule->bytes;
}

/* The figures of a cell are those of its verdict's rules, which follow each other. */
static int add_cells(struct judgement *j, const struct weir_nft_policy_chain *chain)
{
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < chain->n_cells; i++) {
		const struct weir_entry *cell = &chain->cells[i];
		size_t n = (cell->log ? 1 : 0) + 1 +
			   (cell->verdict == WEIR_CELL_REJECT && cell->l4 == WEIR_L4_ANY);
		uint64_t packets = 0, bytes = 0;
		for (; n-- > 0 && at < chain->n_rules; at++) {
			packets += chain->rules[at].packets;
			bytes += chain->rules[at].bytes;
		}
		r = weir_nft_items_add(j->items, cell, packets, bytes);
	}
	return r;
}

static int judge_list(struct judgement *j, struct weir_nft_policy_chain *chain)
{
	int r = gather_cells(j, chain);

	if (r < 0)
		return r;
	judge_cells(j, chain);
	for (size_t i = 0; i < chain->n_rules; i++)
		count_drop(j, &chain->rules[i]);
	return j->items ? add_cells(j, chain) : 0;
}

int weir_nft_policy_chains_judge(struct weir_nft_policy_chains *chains,
				 struct weir_nft_drops *drops, struct weir_nft_items *items,
				 char *odd, size_t size)
{
	struct judgement j = { chains, drops, items, odd, size };
	int r = 0;

	for (size_t i = 0; r == 0 && i < chains->n; i++)
		r = chains->chains[i].is_class ? judge_class(&j, &chains->chains[i])
					       : judge_list(&j, &chains->chains[i]);
	return r;
}
