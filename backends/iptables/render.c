/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset as a file for iptables-legacy-restore and ip6tables-legacy-restore.
 *
 * How it works: both tools read the whole file and skip rules that begin with the other's -4 or -6. A
 * chain's declaration cannot be skipped, so a chain of one family is declared for both and removed
 * again, empty, from the other. Declared chains are emptied when they exist, so loading the file twice
 * with --noflush makes only the jumps twice. */
#include "backends/iptables/render.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>

#include "backends/iptables/build.h"

/* A line break would end the rule for iptables-restore. */
static int check_owners(const struct weir_ruleset *rules, struct weir_err *err)
{
	char text[WEIR_ENTRY_TEXT];
	for (size_t i = 0; i < rules->n; i++) {
		const struct weir_entry *entry = &rules->entries[i];
		for (const char *c = entry->owner ? entry->owner : ""; *c; c++)
			if (iscntrl((unsigned char)*c))
				return weir_err_at(err, EINVAL, &entry->origin,
						   "%s: a control character in a name",
						   weir_entry_text(entry, text));
	}
	return 0;
}

struct pair {
	struct weir_ipt_image six, four;
};

static void free_pair(struct pair *pair)
{
	weir_ipt_image_free(&pair->six);
	weir_ipt_image_free(&pair->four);
}

/* Each chain of both, once, in order. */
typedef void (*visit)(const struct weir_ipt_chain *six, const struct weir_ipt_chain *four,
		      FILE *out);

static void each_chain(const struct pair *pair, visit what, FILE *out)
{
	for (size_t i = 0, j = 0; i < pair->six.n || j < pair->four.n;) {
		const struct weir_ipt_chain *six = i < pair->six.n ? &pair->six.chains[i] : NULL;
		const struct weir_ipt_chain *four = j < pair->four.n ? &pair->four.chains[j] : NULL;
		int order = !six ? 1 : !four ? -1 : weir_ipt_chain_cmp(six, four);
		assert(six || four);
		what(order <= 0 ? six : NULL, order >= 0 ? four : NULL, out);
		i += order <= 0;
		j += order >= 0;
	}
}

static void declare(const struct weir_ipt_chain *six, const struct weir_ipt_chain *four, FILE *out)
{
	const struct weir_ipt_chain *chain = six ? six : four;
	if (!chain->builtin)
		fprintf(out, ":%s - [0:0]\n", chain->name);
}

static void print_rules(const struct weir_ipt_chain *chain, const char *only, FILE *out)
{
	char text[WEIR_IPT_RULE_TEXT];
	for (size_t i = 0; i < chain->n; i++)
		fprintf(out, "%s-%c %s %s\n", only, chain->builtin ? 'I' : 'A', chain->name,
			weir_ipt_rule_text(&chain->rules[i], text));
}

static void fill(const struct weir_ipt_chain *six, const struct weir_ipt_chain *four, FILE *out)
{
	if (six && four && weir_ipt_chain_equal(six, four)) {
		print_rules(six, "", out);
		return;
	}
	if (four)
		print_rules(four, "-4 ", out);
	if (six)
		print_rules(six, "-6 ", out);
}

static void remove_again(const struct weir_ipt_chain *six, const struct weir_ipt_chain *four,
			 FILE *out)
{
	if (!six && !four->builtin)
		fprintf(out, "-6 -X %s\n", four->name);
	if (!four && !six->builtin)
		fprintf(out, "-4 -X %s\n", six->name);
}

static int render_table(enum weir_ipt_table table, const char *name,
			const struct weir_ruleset *rules, const struct weir_epoch *epoch, FILE *out)
{
	struct pair pair __attribute__((cleanup(free_pair))) = { 0 };
	int r = 0;
	for (size_t i = 0; r == 0 && i < WEIR_IPT_PLACES; i++)
		if (weir_ipt_places[i].table == table)
			r = weir_ipt_build(&weir_ipt_places[i], rules, epoch,
					   weir_ipt_places[i].family == WEIR_IPV6 ? &pair.six
										  : &pair.four);
	if (r < 0)
		return r;
	fprintf(out, "*%s\n", name);
	each_chain(&pair, declare, out);
	each_chain(&pair, fill, out);
	each_chain(&pair, remove_again, out);
	fputs("COMMIT\n", out);
	return 0;
}

int weir_ipt_render(const struct weir_ruleset *rules, const struct weir_epoch *epoch, FILE *out,
		    struct weir_err *err)
{
	int r = check_owners(rules, err);
	if (r < 0)
		return r;
	fputs("# for iptables-legacy-restore --noflush and for ip6tables-legacy-restore "
	      "--noflush:\n"
	      "# each skips the other's rules\n",
	      out);
	r = render_table(WEIR_IPT_FILTER, "filter", rules, epoch, out);
	if (r == 0)
		r = render_table(WEIR_IPT_NAT, "nat", rules, epoch, out);
	if (r < 0)
		return weir_err_set(err, r, "no memory to render the rules");
	return ferror(out) ? weir_err_set(err, EIO, "writing the ruleset") : 0;
}
