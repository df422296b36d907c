/* SPDX-License-Identifier: GPL-2.0-or-later */
/* completion: what a shell needs to complete weir's commands, from the same tables as --help.
 *
 * How it works: a script is a few functions that hold the tables as text (commands, a command's options,
 * an option's values), and one constant function that looks at the words so far and asks them. Names of
 * networks, endpoints and policies are asked of weir itself while completing. */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"

/* ---- what the tables say ---- */

/* "allow|deny" are words to choose from; "ADDR|ENDPOINT" are not. */
static bool is_choice(const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (word[i] < 'a' || word[i] > 'z')
			return false;
	return len > 0;
}

/* The kind of object that an argument begins with: "NET[,…" and "ENDPOINT"; NULL: none. */
static const char *kind_of(const char *arg)
{
	static const struct {
		const char *arg, *kind;
	} kinds[] = { { "NET", "network" }, { "ENDPOINT", "endpoint" } };
	size_t len = strspn(arg, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (len == strlen(kinds[i].arg) && strncmp(arg, kinds[i].arg, len) == 0)
			return kinds[i].kind;
	return NULL;
}

/* The kind of object whose names follow a verb: "network rm" takes networks; "file"; NULL: none. */
static const char *words_of(const struct weir_verb *verb, char buf[32])
{
	const char *space = strchr(verb->name, ' ');
	if (strncmp(verb->usage, "FILE", 4) == 0)
		return "file";
	if (space && strncmp(verb->usage, "NAME", 4) == 0 && strcmp(space, " add") != 0) {
		(void)snprintf(buf, 32, "%.*s", (int)(space - verb->name), verb->name);
		return buf;
	}
	return kind_of(verb->usage + (verb->usage[0] == '['));
}

static void print_choices(const char *arg, FILE *out)
{
	for (size_t len; *arg; arg += len + (arg[len] == '|')) {
		len = strcspn(arg, "|");
		if (is_choice(arg, len))
			fprintf(out, " %.*s", (int)len, arg);
	}
}

/* ---- both shells ---- */

/* A function that prints what belongs to a word. */
static void print_options_of_verbs(FILE *out)
{
	fputs("_weir_options() {\n\tcase $1 in\n", out);
	for (size_t i = 0; i < weir_n_verbs; i++) {
		const enum weir_option_id *id = weir_verbs[i].options;
		fprintf(out, "\t\"%s\") echo", weir_verbs[i].name);
		for (; id && *id != OPT_HELP; id++)
			fprintf(out, " --%s", weir_cli_option_name(*id));
		fputs(" ;;\n", out);
	}
	fputs("\tesac\n\techo", out);
	for (int id = 0; id < WEIR_NUM_OPTIONS; id++)
		if (weir_cli_option_is_global(id))
			fprintf(out, " --%s", weir_cli_option_name(id));
	fputs("\n}\n", out);
}

/* What follows an option; it fails for one that stands alone. */
static void print_values_of_options(FILE *out)
{
	fputs("_weir_values() {\n\tcase $1 in\n", out);
	for (int id = 0; id < WEIR_NUM_OPTIONS; id++) {
		const char *arg = weir_cli_option_arg(id), *kind = arg ? kind_of(arg) : NULL;
		if (!arg)
			continue;
		fprintf(out, "\t--%s", weir_cli_option_name(id));
		if (weir_cli_option_letter(id))
			fprintf(out, "|-%c", weir_cli_option_letter(id));
		fputs(") echo", out);
		print_choices(arg, out);
		if (kind)
			fprintf(out, "; _weir_names %s", kind);
		if (strcmp(arg, "SEL") == 0) /* a selector, or who is asked about */
			fputs("; [ \"$2\" != \"policy test\" ] || _weir_ends", out);
		fputs(" ;;\n", out);
	}
	fputs("\t*) return 1 ;;\n\tesac\n}\n", out);
}

/* Behind an endpoint stand ports, of which there are some to choose from unless they are new. */
static void print_ports(const struct weir_verb *verb, FILE *out)
{
	bool new = strcmp(verb->name, "port add") == 0;
	if (strstr(verb->usage, "SPEC"))
		fprintf(out, "[ -n \"$2\" ] && echo word %s || ",
			new ? "" : "$(_weir_ports \"$2\")");
}

/* What a verb takes next, behind the first of its words. */
static void print_words_of_verbs(FILE *out)
{
	char buf[32];
	fputs("_weir_words() {\n\tcase $1 in\n", out);
	for (size_t i = 0; i < weir_n_verbs; i++) {
		const char *kind = words_of(&weir_verbs[i], buf);
		fprintf(out, "\t\"%s\") ", weir_verbs[i].name);
		print_ports(&weir_verbs[i], out);
		fprintf(out, "echo %s", kind ? kind : "word");
		if (!kind)
			print_choices(weir_verbs[i].usage, out);
		fputs(" ;;\n", out);
	}
	fputs("\tesac\n}\n", out);
}

/* ---- families: verbs with one first word, which stand together in the table ---- */

static int first_len(size_t i)
{
	return (int)strcspn(weir_verbs[i].name, " ");
}

/* "add" of "network add"; NULL: it is one word. */
static const char *second_word(size_t i)
{
	const char *space = strchr(weir_verbs[i].name, ' ');
	return space ? space + 1 : NULL;
}

/* The verb behind the last one of the family that begins at i. */
static size_t family_end(size_t i)
{
	size_t end = i + 1;
	while (end < weir_n_verbs && first_len(end) == first_len(i) &&
	       strncmp(weir_verbs[end].name, weir_verbs[i].name, (size_t)first_len(i)) == 0)
		end++;
	return end;
}

static bool has_second_words(size_t i)
{
	return second_word(i) || second_word(family_end(i) - 1);
}

static void print_tables(FILE *out)
{
	fputs("# The first column of a list, without its head.\n"
	      "_weir_names() { weir \"$1\" ls 2>/dev/null | awk 'NR > 1 { print $1 }'; }\n"
	      "_weir_ports() { weir port ls \"$1\" 2>/dev/null | awk 'NR > 1 { print $2 }'; }\n"
	      "_weir_ends() { echo outside host; _weir_names endpoint; }\n",
	      out);
	print_options_of_verbs(out);
	print_values_of_options(out);
	print_words_of_verbs(out);
}

/* ---- bash ---- */

static void print_verbs_bash(FILE *out)
{
	fputs("_weir_verbs() {\n\tcase $1 in\n\t\"\") echo", out);
	for (size_t i = 0; i < weir_n_verbs; i = family_end(i))
		fprintf(out, " %.*s", first_len(i), weir_verbs[i].name);
	fputs(" ;;\n", out);
	for (size_t i = 0; i < weir_n_verbs; i = family_end(i)) {
		if (!has_second_words(i))
			continue;
		fprintf(out, "\t%.*s) echo", first_len(i), weir_verbs[i].name);
		for (size_t j = i; j < family_end(i); j++)
			if (second_word(j))
				fprintf(out, " %s", second_word(j));
		fputs(" ;;\n", out);
	}
	fputs("\tesac\n}\n", out);
}

static const char bash_function[] =
	"_weir() {\n"
	"\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\tlocal verb=\"\" more=\"\" first=\"\" i word values kind\n"
	"\tCOMPREPLY=()\n"
	"\t# --name=value comes as three words\n"
	"\t[[ $current == = ]] && current=\n"
	"\t[[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\t# so does 8080:80, whose rest bash would put behind what is there\n"
	"\t[[ $current == : || $before == : ]] && return\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\t[[ $word == -- ]] && return\n"
	"\t\tif [[ $word == -* ]]; then\n"
	"\t\t\tif _weir_values \"$word\" >/dev/null; then\n"
	"\t\t\t\t[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))\n"
	"\t\t\t\t((i++))\n"
	"\t\t\tfi\n"
	"\t\telif [[ $word == help && -z $verb ]]; then\n"
	"\t\t\tcontinue\n"
	"\t\telif [[ -z $verb ]]; then\n"
	"\t\t\tverb=$word more=$(_weir_verbs \"$word\")\n"
	"\t\telif [[ -n $more ]]; then\n"
	"\t\t\tverb=\"$verb $word\" more=\n"
	"\t\telif [[ -z $first ]]; then\n"
	"\t\t\tfirst=$word\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif values=$(_weir_values \"$before\" \"$verb\"); then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\")\n"
	"\telif [[ $current == -* ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_weir_options \"$verb\")\" -- \"$current\")\n"
	"\telif [[ -z $verb || -n $more ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_weir_verbs \"$verb\")\" -- \"$current\")\n"
	"\telse\n"
	"\t\tkind=$(_weir_words \"$verb\" \"$first\")\n"
	"\t\tif [[ $kind == file ]]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
	"\t\telif [[ $kind == word* ]]; then\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -W \"${kind#word}\" -- \"$current\")\n"
	"\t\telse\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_weir_names \"$kind\")\" -- \"$current\")\n"
	"\t\tfi\n"
	"\tfi\n"
	"}\n"
	"complete -F _weir weir\n";

static void print_bash(FILE *out)
{
	fputs("# bash completion for weir; `weir completion bash` prints it\n", out);
	print_tables(out);
	print_verbs_bash(out);
	fputs(bash_function, out);
}

/* ---- zsh ---- */

/* 'name:what it is' in single quotes. */
static void print_described(const char *name, int len, const char *what, FILE *out)
{
	fprintf(out, " '%.*s:", len, name);
	for (; *what; what++)
		fprintf(out, *what == '\'' ? "'\\''" : *what == ':' ? "\\:" : "%c", *what);
	fputc('\'', out);
}

static void print_verbs_zsh(FILE *out)
{
	char what[64];
	fputs("_weir_verbs() {\n\tlocal -a verbs\n\tcase $1 in\n\t\"\") verbs=(", out);
	for (size_t i = 0; i < weir_n_verbs; i = family_end(i)) {
		(void)snprintf(what, sizeof(what), "%.*ss", first_len(i), weir_verbs[i].name);
		print_described(weir_verbs[i].name, first_len(i),
				second_word(i) ? what : weir_verbs[i].summary, out);
	}
	fputs(" ) ;;\n", out);
	for (size_t i = 0; i < weir_n_verbs; i = family_end(i)) {
		if (!has_second_words(i))
			continue;
		fprintf(out, "\t%.*s) verbs=(", first_len(i), weir_verbs[i].name);
		for (size_t j = i; j < family_end(i); j++)
			if (second_word(j))
				print_described(second_word(j), (int)strlen(second_word(j)),
						weir_verbs[j].summary, out);
		fputs(" ) ;;\n", out);
	}
	fputs("\tesac\n\t_describe command verbs\n}\n", out);
}

static void print_help_zsh(FILE *out)
{
	fputs("typeset -gA _weir_help=(\n", out);
	for (int id = 0; id < WEIR_NUM_OPTIONS; id++) {
		fprintf(out, "\t--%s '", weir_cli_option_name(id));
		for (const char *c = weir_cli_option_help(id); *c; c++)
			fprintf(out, *c == '\'' ? "'\\''" : *c == ':' ? "\\:" : "%c", *c);
		fputs("'\n", out);
	}
	fputs(")\n", out);
}

static const char zsh_function[] =
	"_weir() {\n"
	"\tlocal current=${words[CURRENT]} before=${words[CURRENT - 1]}\n"
	"\tlocal verb= more= first= word values kind i\n"
	"\tlocal -a options families=(@FAMILIES@)\n"
	"\tfor ((i = 2; i < CURRENT; i++)); do\n"
	"\t\tword=${words[i]}\n"
	"\t\t[[ $word == -- ]] && return\n"
	"\t\tif [[ $word == -* ]]; then\n"
	"\t\t\t_weir_values \"$word\" >/dev/null && ((i++))\n"
	"\t\telif [[ $word == help && -z $verb ]]; then\n"
	"\t\t\tcontinue\n"
	"\t\telif [[ -z $verb ]]; then\n"
	"\t\t\tverb=$word more=${families[(r)$word]}\n"
	"\t\telif [[ -n $more ]]; then\n"
	"\t\t\tverb=\"$verb $word\" more=\n"
	"\t\telif [[ -z $first ]]; then\n"
	"\t\t\tfirst=$word\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif values=$(_weir_values \"$before\" \"$verb\"); then\n"
	"\t\tcompadd -- ${=values}\n"
	"\telif [[ $current == -* ]]; then\n"
	"\t\tfor word in ${=\"$(_weir_options \"$verb\")\"}; do\n"
	"\t\t\toptions+=(\"$word:${_weir_help[$word]}\")\n"
	"\t\tdone\n"
	"\t\t_describe option options\n"
	"\telif [[ -z $verb || -n $more ]]; then\n"
	"\t\t_weir_verbs \"$verb\"\n"
	"\telse\n"
	"\t\tkind=$(_weir_words \"$verb\" \"$first\")\n"
	"\t\tif [[ $kind == file ]]; then\n"
	"\t\t\t_files\n"
	"\t\telif [[ $kind == word* ]]; then\n"
	"\t\t\tcompadd -- ${=kind#word}\n"
	"\t\telse\n"
	"\t\t\tcompadd -- ${=\"$(_weir_names \"$kind\")\"}\n"
	"\t\tfi\n"
	"\tfi\n"
	"}\n"
	"# autoloaded from $fpath this file is the function itself; sourced, it registers it\n"
	"if [[ ${funcstack[1]} == _weir ]]; then\n"
	"\t_weir \"$@\"\n"
	"else\n"
	"\tcompdef _weir weir\n"
	"fi\n";

static void print_families(FILE *out)
{
	for (size_t i = 0; i < weir_n_verbs; i = family_end(i))
		if (has_second_words(i))
			fprintf(out, "%.*s ", first_len(i), weir_verbs[i].name);
}

static void print_zsh(FILE *out)
{
	const char *hole = strstr(zsh_function, "@FAMILIES@");
	fputs("#compdef weir\n# zsh completion for weir; `weir completion zsh` prints it\n", out);
	print_tables(out);
	print_verbs_zsh(out);
	print_help_zsh(out);
	fprintf(out, "%.*s", (int)(hole - zsh_function), zsh_function);
	print_families(out);
	fputs(hole + strlen("@FAMILIES@"), out);
}

int weir_verb_completion(struct weir_cli *cli, struct weir_err *err)
{
	static const struct {
		const char *shell;
		void (*print)(FILE *out);
	} shells[] = { { "bash", print_bash }, { "zsh", print_zsh } };
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(cli->words[0], shells[i].shell) != 0)
			continue;
		shells[i].print(stdout);
		return WEIR_EXIT_DONE;
	}
	cli->usage = true;
	return weir_err_set(err, EINVAL, "no completion for \"%s\": bash or zsh", cli->words[0]);
}
