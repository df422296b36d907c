// SPDX-License-Identifier: GPL-2.0-or-later
/* The whole table as a file for `nft -f`. */
#include "backends/nftables/render.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "backends/nftables/fields.h"
#include "backends/nftables/frame.h"
#include "backends/nftables/pack.h"
#include "backends/nftables/policies.h"

/* nft has no escapes within quotes. */
static int check_owners(const struct weir_ruleset *rules, struct weir_err *err)
{
	char text[WEIR_ENTRY_TEXT];
	for (size_t i = 0; i < rules->n; i++) {
		const struct weir_entry *entry = &rules->entries[i];
		for (const char *c = entry->owner ? entry->owner : ""; *c; c++)
			if (*c == '"' || !isprint((unsigned char)*c))
				return weir_err_at(err, EINVAL, &entry->origin,
						   "%s: a quote or a control character in a name",
						   weir_entry_text(entry, text));
	}
	return 0;
}

/* "elements = { a,\n b }"; several lines since there may be thousands. */
static void render_elements(const struct weir_nft_set *set, const struct weir_ruleset *rules,
			    FILE *out)
{
	char text[WEIR_NFT_ELEMENT_TEXT];
	bool any = false;
	for (size_t i = 0; i < rules->n; i++) {
		const struct weir_entry *entry = &rules->entries[i];
		size_t n = weir_nft_set_holds(set, entry) ? weir_nft_set_count(set, entry) : 0;
		for (size_t j = 0; j < n; j++) {
			fprintf(out, "%s%s", any ? ",\n\t\t\t     " : "\t\telements = { ",
				weir_nft_set_text(set, entry, j, text));
			any = true;
		}
	}
	if (any)
		fputs(" }\n", out);
}

static void render_head(const struct weir_nft_set *set, FILE *out)
{
	char key[128], data[128];
	bool map = weir_nft_set_is_map(set);
	fprintf(out, "\t%s %s {\n\t\ttype %s%s%s\n", map ? "map" : "set", set->name,
		weir_nft_fields_type_text(set, set->key, key, sizeof(key)), map ? " : " : "",
		weir_nft_fields_type_text(set, set->data, data, sizeof(data)));
	if (weir_nft_set_is_interval(set))
		fputs("\t\tflags interval\n", out);
	if (set->kind == WEIR_ENTRY_MAPPING)
		fputs("\t\tcounter\n", out);
}

static void render_set(const struct weir_nft_set *set, const struct weir_ruleset *rules, FILE *out)
{
	fputs("\n", out);
	render_head(set, out);
	render_elements(set, rules, out);
	fputs("\t}\n", out);
}

static void render_class_sets(const struct weir_ruleset *rules, FILE *out)
{
	struct weir_nft_set set;
	char name[WEIR_NFT_CHAIN_MAX];
	for (size_t i = 0; i < rules->n; i++)
		for (size_t k = 0; k < WEIR_NFT_CLASS_SETS; k++) {
			if (rules->entries[i].kind != WEIR_ENTRY_CLASS)
				break;
			weir_nft_class_set(k, rules->entries[i].class, name, &set);
			render_set(&set, rules, out);
		}
}

static void render_class(const struct weir_entry *class, FILE *out)
{
	struct weir_nft_policy_rule rule;
	char name[WEIR_NFT_CHAIN_MAX];
	fprintf(out, "\n\tchain %s {\n\t\tcomment \"%s\"\n",
		weir_nft_class_chain(class->class, name), class->owner);
	for (size_t i = 0; i < WEIR_NFT_CLASS_SETS; i++) {
		weir_nft_class_rule(class->class, i, &rule);
		fprintf(out, "\t\t%s\n", rule.text);
	}
	fputs("\t}\n", out);
}

/* The cells of one list, from the first on; returns how many. */
static size_t render_list(const struct weir_entry *cells, size_t n, FILE *out)
{
	struct weir_nft_policy_rule rules[WEIR_NFT_CELL_RULES];
	char name[WEIR_NFT_CHAIN_MAX];
	size_t i = 0;
	fprintf(out, "\n\tchain %s {\n", weir_nft_list_chain(cells->list, name));
	for (; i < n && cells[i].list == cells->list; i++) {
		size_t count = weir_nft_cell_rules(&cells[i], rules);
		for (size_t k = 0; k < count; k++)
			fprintf(out, "\t\t%s\n", rules[k].text);
	}
	fputs("\t}\n", out);
	return i;
}

static void render_policies(const struct weir_ruleset *rules, FILE *out)
{
	for (size_t i = 0; i < rules->n;) {
		const struct weir_entry *entry = &rules->entries[i];
		if (entry->kind == WEIR_ENTRY_CLASS)
			render_class(entry, out);
		i += entry->kind == WEIR_ENTRY_CELL ? render_list(entry, rules->n - i, out) : 1;
	}
}

static void render_epoch(const struct weir_epoch *epoch, FILE *out)
{
	render_head(&weir_nft_epoch_set, out);
	fprintf(out, "\t\telements = { 0x%08x comment \"%s %s\" }\n\t}\n", epoch->counter,
		epoch->store, epoch->boot);
}

static void render_chain(const struct weir_nft_chain *chain, FILE *out)
{
	char text[WEIR_NFT_RULE_TEXT];
	fprintf(out, "\n\tchain %s {\n", chain->name);
	if (chain->type)
		fprintf(out, "\t\ttype %s hook %s priority %s; policy accept;\n", chain->type,
			chain->hook, chain->priority_text);
	for (size_t i = 0; i < weir_nft_n_rules; i++) {
		const struct weir_nft_rule *rule = weir_nft_rule_at(i);
		if (!strcmp(weir_nft_rule_chain(rule), chain->name))
			fprintf(out, "\t\t%s\n", weir_nft_rule_text(rule, text));
	}
	fputs("\t}\n", out);
}

int weir_nft_render(const struct weir_ruleset *rules, const struct weir_epoch *epoch, FILE *out,
		    struct weir_err *err)
{
	char comment[WEIR_NFT_TABLE_COMMENT];
	int r = check_owners(rules, err);
	if (r < 0)
		return r;
	/* the first line makes the second one possible where there is no such table yet */
	fputs("#!/usr/sbin/nft -f\n"
	      "table inet " WEIR_NFT_TABLE "\n"
	      "delete table inet " WEIR_NFT_TABLE "\n\n"
	      "table inet " WEIR_NFT_TABLE " {\n",
	      out);
	fprintf(out, "\tcomment \"%s\"\n", weir_nft_table_comment(epoch->store, comment));
	render_epoch(epoch, out);
	for (size_t i = 0; i < weir_nft_n_sets; i++)
		render_set(&weir_nft_sets[i], rules, out);
	render_class_sets(rules, out);
	for (size_t i = 0; i < weir_nft_n_chains; i++)
		render_chain(&weir_nft_chains[i], out);
	render_policies(rules, out);
	fputs("}\n", out);
	return ferror(out) ? weir_err_set(err, EIO, "writing the ruleset") : 0;
}
