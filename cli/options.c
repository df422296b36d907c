/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options and verbs from the words of the command line; help from the same tables. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backends.h"
#include "cli/cli.h"
#include "core/spec.h"

enum { DEFAULT_TIMEOUT_MS = 60000, LONGEST_TIMEOUT_S = 86400 };

struct option_def {
	const char *name;
	char letter;
	const char *arg; /* what its value is called; NULL: a flag */
	bool global;
	const char *help;
	bool may; /* a flag that may have a value, behind '=' */
};

static const struct option_def defs[] = {
	[OPT_BACKEND] = { "backend", 0, "auto|nftables|iptables", true,
			  "the packet filter (default: $WEIR_BACKEND, else auto)" },
	[OPT_STATE_DIR] = { "state-dir", 0, "DIR", true,
			    "where the store is (default: $WEIR_STATE_DIR, else /var/lib/weir)" },
	[OPT_JSON] = { "json", 0, NULL, true, "answer in JSON" },
	[OPT_DRY_RUN] = { "dry-run", 'n', NULL, true,
			  "say what would change and stop; exit 3 if anything would" },
	[OPT_QUIET] = { "quiet", 'q', NULL, true, "print nothing but errors" },
	[OPT_VERBOSE] = { "verbose", 'v', NULL, true,
			  "tell each step; -vv: every message to the kernel as well" },
	[OPT_TIMEOUT] = { "timeout", 0, "SECONDS", true,
			  "how long to wait for another weir (default: 60)" },
	[OPT_HELP] = { "help", 'h', NULL, true, "this help" },
	[OPT_VERSION] = { "version", 'V', NULL, true, "the version" },
	[OPT_PRUNE] = { "prune", 0, NULL, false,
			"also remove what an earlier apply declared and FILE does not" },
	[OPT_ALL] = { "all", 0, NULL, false,
		      "everything: networks, endpoints, rules, sysctls, the store" },
	[OPT_KEEP_FORWARDING] = { "keep-forwarding", 0, NULL, false,
				  "the host forwards for others too, and goes on when weir goes" },
	[OPT_SUBNET] = { "subnet", 0, "PREFIX", false,
			 "a subnet; again for more (default: one per family from the pools)" },
	[OPT_GATEWAY] = { "gateway", 0, "ADDR|ENDPOINT", false,
			  "the host's address, or the endpoint that routes" },
	[OPT_MODE] = { "mode", 0, "MODE", false,
		       "network: bridge, p2p, macvlan, ipvlan, vlan, routed; endpoint: host, "
		       "none" },
	[OPT_MTU] = { "mtu", 0, "BYTES", false, "of the network's links" },
	[OPT_NAT] = { "nat", 0, "masquerade|none|ADDR[,ADDR][,random]", false,
		      "the source address outside (default: masquerade)" },
	[OPT_INTERNAL] = { "internal", 0, NULL, false, "nothing in or out" },
	[OPT_ISOLATE] = { "isolate", 0, NULL, false, "endpoints cannot reach each other" },
	[OPT_HOST] = { "host", 0, "allow|deny", false,
		       "may endpoints reach the host? (default: allow)" },
	[OPT_BRIDGE] = { "bridge", 0, "IFNAME", false, "the bridge's name (default: wb-NAME)" },
	[OPT_EXCLUDE] = { "exclude", 0, "ADDR|RANGE|PREFIX", false,
			  "addresses never handed out; again for more" },
	[OPT_TRUSTED] = { "trusted", 0, "IFNAME", false,
			  "a host interface that may reach endpoints directly" },
	[OPT_FILTER_BRIDGED] = { "filter-bridged", 0, NULL, false,
				 "bridged traffic meets the host's filters as well" },
	[OPT_NO_SPOOF_GUARD] = { "no-spoof-guard", 0, NULL, false,
				 "endpoints may send with others' addresses" },
	[OPT_NETWORK] = { "network", 0,
			  "NET[,ip=A,mac=M,ifname=I,priority=N,mtu=N,sysctl=KEY=VALUE,isolated,"
			  "locked]",
			  false, "attach to a network; again for more" },
	[OPT_NETNS] = { "netns", 0, "NAME|PATH", false,
			"use this namespace instead of an own one" },
	[OPT_PID] = { "pid", 0, "N", false, "use the namespace of this process" },
	[OPT_PUBLISH] = { "publish", 'p', "SPEC", false,
			  "publish a port: [[HOST:]PORTS:]PORTS[/PROTO]; again for more" },
	[OPT_LABEL] = { "label", 0, "KEY=VALUE", false, "a label; again for more" },
	[OPT_DNS] = { "dns", 0, "ADDR", false,
		      "a resolver for the namespace's resolv.conf; again for more" },
	[OPT_ROUTE] = { "route", 0, "PREFIX,via=ADDR", false, "an extra route; again for more" },
	[OPT_RATE] = { "rate", 0, "RATE[/RATE]", false,
		       "of each interface: towards[/from] the endpoint, as 10mbit/5mbit" },
	[OPT_FORWARD] = { "forward", 0, NULL, false, "the endpoint is a router" },
	[OPT_NET] = { "net", 0, "NET", false, "the network of the endpoint to publish from" },
	[OPT_PARENT] = { "parent", 0, "IFNAME", false,
			 "the host's interface beneath macvlan, ipvlan and vlan" },
	[OPT_VLAN] = { "vlan", 0, "N", false, "the VLAN id, 1 to 4094" },
	[OPT_ADOPT] = { "adopt", 0, NULL, false,
			"the bridge is there: use it as it is, and leave it so" },
	[OPT_STRICT] = { "strict", 0, NULL, false,
			 "only by interfaces that have the published address" },
	[OPT_FORMAT] = { "format", 0, "text|dot|mermaid", false, "how to draw (default: text)" },
	[OPT_FROM] = { "from", 0, "SEL", false, "who sends; again for more (default: any)" },
	[OPT_TO] = { "to", 0, "SEL", false, "who receives; again for more (default: any)" },
	[OPT_PORT] = { "port", 0, "PORTS/PROTO|PROTO|icmp/TYPE", false,
		       "what is sent, as the receiver sees it; again for more (default: "
		       "everything)" },
	[OPT_ACTION] = { "action", 0, "allow|deny|reject", false,
			 "what happens to it; reject tells the sender" },
	[OPT_DIRECTION] = { "direction", 0, "both|egress|ingress", false,
			    "at the sender's gate, the receiver's, or both (default)" },
	[OPT_LOG] = { "log", 0, NULL, false,
		      "log what it decides, some lines a second, by NFLOG; --log=kernel: in the "
		      "kernel's log",
		      true },
	[OPT_PRIORITY] = { "priority", 0, "N", false,
			   "the highest decides; at the same, deny and reject do (default: 0)" },
	[OPT_SPEC] = { "spec", 0, "FILE", false,
		       "ask of this file, as on an empty host; again for more (default: what is)" },
	[OPT_DEFAULT_INGRESS] = { "default-ingress", 0, "allow|deny|usual", false,
				  "what reaches endpoints where no policy speaks" },
	[OPT_DEFAULT_EGRESS] = { "default-egress", 0, "allow|deny|usual", false,
				 "what endpoints may send where no policy speaks" },
	[OPT_NO_NETWORK] = { "no-network", 0, "NET", false,
			     "detach from a network; again for more" },
	[OPT_NO_ROUTE] = { "no-route", 0, "PREFIX", false, "without this route; again for more" },
	[OPT_NO_DNS] = { "no-dns", 0, NULL, false, "without resolvers of its own" },
	[OPT_NO_RATE] = { "no-rate", 0, NULL, false, "without a limit" },
	[OPT_NO_FORWARD] = { "no-forward", 0, NULL, false, "the endpoint is no router" },
	[OPT_NO_INTERNAL] = { "no-internal", 0, NULL, false,
			      "the outside can be reached; the host as --host says" },
	[OPT_NO_ISOLATE] = { "no-isolate", 0, NULL, false, "endpoints reach each other" },
	[OPT_NO_FILTER_BRIDGED] = { "no-filter-bridged", 0, NULL, false,
				    "bridged traffic passes the host's filters by" },
	[OPT_NO_TRUSTED] = { "no-trusted", 0, NULL, false, "no interface is trusted" },
	[OPT_NO_STRICT] = { "no-strict", 0, NULL, false,
			    "published ports answer on every interface" },
	[OPT_SPOOF_GUARD] = { "spoof-guard", 0, NULL, false,
			      "endpoints send with their own addresses only" },
};
static_assert(sizeof(defs) / sizeof(*defs) == WEIR_NUM_OPTIONS, "one for each option");

/* ---- finding ---- */

static int find_long(const char *name, size_t len)
{
	for (int i = 0; i < WEIR_NUM_OPTIONS; i++)
		if (strlen(defs[i].name) == len && strncmp(defs[i].name, name, len) == 0)
			return i;
	return -1;
}

static int find_letter(char letter)
{
	for (int i = 0; i < WEIR_NUM_OPTIONS; i++)
		if (defs[i].letter == letter)
			return i;
	return -1;
}

static int unknown_option(const char *word, struct weir_err *err)
{
	const char *names[WEIR_NUM_OPTIONS];
	for (int i = 0; i < WEIR_NUM_OPTIONS; i++)
		names[i] = defs[i].name;
	const char *near = word[0] == '-' && word[1] == '-'
				   ? weir_spec_nearest(word + 2, names, WEIR_NUM_OPTIONS)
				   : NULL;
	return weir_err_set(err, EINVAL, "unknown option %s%s%s%s", word,
			    near ? " (did you mean --" : "", near ? near : "",
			    near ? "?)" : " (weir --help)");
}

static bool verb_takes(const struct weir_verb *verb, enum weir_option_id id)
{
	if (defs[id].global)
		return true;
	for (const enum weir_option_id *own = verb->options; own && *own != OPT_HELP; own++)
		if (*own == id)
			return true;
	return false;
}

/* "network add" is two words, "apply" one. Returns how many words the verb took. */
static size_t match_verb(const struct weir_verb *verb, const char **words, size_t n)
{
	char first[32];
	const char *space = strchr(verb->name, ' ');
	if (!n)
		return 0;
	if (!space)
		return strcmp(verb->name, words[0]) == 0 ? 1 : 0;
	(void)snprintf(first, sizeof(first), "%.*s", (int)(space - verb->name), verb->name);
	return n > 1 && strcmp(first, words[0]) == 0 && strcmp(space + 1, words[1]) == 0 ? 2 : 0;
}

/* "network" begins "network add" and others. */
static bool begins(const char *word, const struct weir_verb *verb)
{
	size_t len = strlen(word);
	return strncmp(verb->name, word, len) == 0 && verb->name[len] == ' ';
}

static bool begins_any(const char *word)
{
	for (size_t i = 0; i < weir_n_verbs; i++)
		if (begins(word, &weir_verbs[i]))
			return true;
	return false;
}

static int unknown_verb(const char **words, size_t n, struct weir_err *err)
{
	enum { VERBS_MAX = 64 };
	const char *names[VERBS_MAX];
	char text[64];
	size_t n_names = 0;
	bool family = begins_any(words[0]);
	for (size_t i = 0; i < weir_n_verbs && n_names < VERBS_MAX; i++)
		names[n_names++] = weir_verbs[i].name;
	(void)snprintf(text, sizeof(text), "%.20s%s%.20s", words[0], n > 1 ? " " : "",
		       n > 1 ? words[1] : "");
	if (family && n == 1)
		return weir_err_set(err, EINVAL, "weir %s: what? (weir %s --help)", text, text);
	const char *near = weir_spec_nearest(text, names, n_names);
	if (!near)
		near = weir_spec_nearest(words[0], names, n_names);
	return weir_err_set(err, EINVAL, "unknown command \"%s\"%s%s%s", text,
			    near ? " (did you mean \"" : "", near ? near : "",
			    near ? "\"?)" : " (weir --help)");
}

/* ---- parsing ---- */

static int add_option(struct weir_cli *cli, enum weir_option_id id, const char *value,
		      struct weir_err *err)
{
	struct weir_option *more =
		weir_arena_grow(&cli->arena, cli->options, cli->n_options, sizeof(*more));
	if (!more)
		return weir_err_set(err, ENOMEM, "out of memory");
	cli->options = more;
	more[cli->n_options++] = (struct weir_option){ .id = id, .value = value };
	return 0;
}

static int missing_value(int id, const char *word, struct weir_err *err)
{
	return weir_err_set(err, EINVAL, "%s needs a value: %s", word, defs[id].arg);
}

/* --name, --name=value, --name value; returns how many words it took. */
static int parse_long(struct weir_cli *cli, char **argv, int left, struct weir_err *err)
{
	const char *name = argv[0] + 2, *equals = strchr(name, '=');
	int id = find_long(name, equals ? (size_t)(equals - name) : strlen(name));
	if (id < 0)
		return unknown_option(argv[0], err);
	if (!defs[id].arg) {
		if (equals && !defs[id].may)
			return weir_err_set(err, EINVAL, "--%s takes no value", defs[id].name);
		return add_option(cli, id, equals ? equals + 1 : NULL, err) < 0 ? -ENOMEM : 1;
	}
	if (!equals && left < 2)
		return missing_value(id, argv[0], err);
	int r = add_option(cli, id, equals ? equals + 1 : argv[1], err);
	return r < 0 ? r : equals ? 1 : 2;
}

/* -p VALUE, -pVALUE, -qv */
static int parse_letters(struct weir_cli *cli, char **argv, int left, struct weir_err *err)
{
	for (const char *c = argv[0] + 1; *c; c++) {
		char word[] = { '-', *c, '\0' };
		int id = find_letter(*c);
		if (id < 0)
			return unknown_option(word, err);
		if (!defs[id].arg) {
			if (add_option(cli, id, NULL, err) < 0)
				return -ENOMEM;
			continue;
		}
		if (!c[1] && left < 2)
			return missing_value(id, word, err);
		int r = add_option(cli, id, c[1] ? c + 1 : argv[1], err);
		return r < 0 ? r : c[1] ? 1 : 2;
	}
	return 1;
}

static int split(int argc, char **argv, struct weir_cli *cli, struct weir_err *err)
{
	cli->words = weir_arena_alloc(&cli->arena, (size_t)(argc + 1) * sizeof(*cli->words));
	if (!cli->words)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (int i = 1; i < argc;) {
		int took = 1;
		if (strcmp(argv[i], "--") == 0) {
			cli->command = argv + i + 1;
			break;
		}
		if (strncmp(argv[i], "--", 2) == 0)
			took = parse_long(cli, argv + i, argc - i, err);
		else if (argv[i][0] == '-' && argv[i][1])
			took = parse_letters(cli, argv + i, argc - i, err);
		else
			cli->words[cli->n_words++] = argv[i];
		if (took < 0)
			return took;
		i += took;
	}
	return 0;
}

/* "weir help VERB" is "weir VERB --help". */
static int take_help(struct weir_cli *cli, struct weir_err *err)
{
	if (!cli->n_words || strcmp(cli->words[0], "help") != 0)
		return 0;
	cli->words++;
	cli->n_words--;
	return add_option(cli, OPT_HELP, NULL, err);
}

static int find_verb(struct weir_cli *cli, struct weir_err *err)
{
	for (size_t i = 0; i < weir_n_verbs; i++) {
		size_t took = match_verb(&weir_verbs[i], cli->words, cli->n_words);
		if (!took)
			continue;
		cli->verb = &weir_verbs[i];
		cli->words += took;
		cli->n_words -= took;
		if (cli->verb->run != weir_verb_exec) /* "--" ends the options, no more */
			for (; cli->command && *cli->command; cli->command++)
				cli->words[cli->n_words++] = *cli->command;
		return 0;
	}
	if (weir_cli_flag(cli, OPT_HELP) && cli->n_words == 1 && begins_any(cli->words[0]))
		return 0;
	return cli->n_words ? unknown_verb(cli->words, cli->n_words, err) : 0;
}

static int parse_timeout(const char *text, unsigned *ret_ms, struct weir_err *err)
{
	char *end;
	errno = 0;
	double seconds = strtod(text, &end);
	if (!*text || *end || errno || !(seconds >= 0 && seconds <= LONGEST_TIMEOUT_S))
		return weir_err_set(err, EINVAL, "--timeout %s: expected seconds, 0 to %d", text,
				    LONGEST_TIMEOUT_S);
	*ret_ms = (unsigned)(seconds * 1000);
	return 0;
}

static const char *env_or(const char *name, const char *otherwise)
{
	const char *value = getenv(name);
	return value && *value ? value : otherwise;
}

static int read_globals(struct weir_cli *cli, struct weir_err *err)
{
	const char *timeout = weir_cli_value(cli, OPT_TIMEOUT);
	const char *backend = weir_cli_value(cli, OPT_BACKEND);
	const char *dir = weir_cli_value(cli, OPT_STATE_DIR);
	cli->json = weir_cli_flag(cli, OPT_JSON);
	cli->quiet = weir_cli_flag(cli, OPT_QUIET);
	cli->dry_run = weir_cli_flag(cli, OPT_DRY_RUN);
	cli->backend = backend ? backend : env_or("WEIR_BACKEND", "auto");
	cli->state_dir = dir ? dir : env_or("WEIR_STATE_DIR", "/var/lib/weir");
	cli->timeout_ms = DEFAULT_TIMEOUT_MS;
	for (size_t i = 0; i < cli->n_options; i++)
		cli->verbose += cli->options[i].id == OPT_VERBOSE;
	return timeout ? parse_timeout(timeout, &cli->timeout_ms, err) : 0;
}

/* Of "backend": "backend use". */
static const struct weir_verb *longer_one(const struct weir_verb *verb)
{
	for (size_t i = 0; i < weir_n_verbs; i++)
		if (begins(verb->name, &weir_verbs[i]))
			return &weir_verbs[i];
	return NULL;
}

static int wrong_words(const struct weir_verb *verb, struct weir_err *err)
{
	const struct weir_verb *longer = longer_one(verb);
	const char *space = verb->usage[0] ? " " : "";
	if (longer)
		return weir_err_set(err, EINVAL, "usage: weir %s%s%s, or weir %s %s", verb->name,
				    space, verb->usage, longer->name, longer->usage);
	return weir_err_set(err, EINVAL, "usage: weir %s%s%s", verb->name, space, verb->usage);
}

static int check_usage(const struct weir_cli *cli, struct weir_err *err)
{
	const struct weir_verb *verb = cli->verb;
	for (size_t i = 0; i < cli->n_options; i++)
		if (!verb_takes(verb, cli->options[i].id))
			return weir_err_set(err, EINVAL, "weir %s takes no --%s (weir %s --help)",
					    verb->name, defs[cli->options[i].id].name, verb->name);
	if (cli->n_words < verb->min_words || cli->n_words > verb->max_words)
		return wrong_words(verb, err);
	return 0;
}

/* Whatever the verb makes of them: a wrong word must not pass because today nobody asks. */
static int check_globals(const struct weir_cli *cli, struct weir_err *err)
{
	const struct weir_firewall_ops *unused = NULL;
	if (!cli->state_dir[0])
		return weir_err_set(err, EINVAL, "--state-dir \"\": expected a folder");
	if (strcmp(cli->backend, "auto") == 0 || weir_backend_find(cli->backend))
		return 0;
	(void)weir_backend_pick(cli->backend, &unused, err); /* says which there are */
	return weir_cli_blame(err, -EINVAL, OPT_BACKEND, cli->backend);
}

int weir_cli_parse(int argc, char **argv, struct weir_cli *cli, struct weir_err *err)
{
	int r = split(argc, argv, cli, err);
	cli->json = weir_cli_flag(cli, OPT_JSON); /* errors from here on know how to look */
	if (r == 0)
		r = take_help(cli, err);
	if (r == 0)
		r = find_verb(cli, err);
	if (r == 0)
		r = read_globals(cli, err);
	if (r == 0 && cli->verb && !weir_cli_flag(cli, OPT_HELP))
		r = check_usage(cli, err);
	if (r == 0 && cli->verb && !weir_cli_flag(cli, OPT_HELP))
		r = check_globals(cli, err);
	return r;
}

const char *weir_cli_value(const struct weir_cli *cli, enum weir_option_id id)
{
	const char *value = NULL;
	for (size_t i = 0; i < cli->n_options; i++)
		if (cli->options[i].id == id)
			value = cli->options[i].value;
	return value;
}

bool weir_cli_flag(const struct weir_cli *cli, enum weir_option_id id)
{
	for (size_t i = 0; i < cli->n_options; i++)
		if (cli->options[i].id == id)
			return true;
	return false;
}

int weir_cli_blame(struct weir_err *err, int code, enum weir_option_id id, const char *value)
{
	char word[128];
	unsigned column = err->at.column ? err->at.column : 1;
	const char *backend = getenv("WEIR_BACKEND");
	if (id == OPT_BACKEND && backend && value == backend) /* where no option says it */
		(void)snprintf(word, sizeof(word), "WEIR_BACKEND");
	else
		(void)snprintf(word, sizeof(word), defs[id].letter ? "-%.1s" : "--%s",
			       defs[id].letter ? &defs[id].letter : defs[id].name);
	(void)weir_err_wrap(err, code, "%s %s", word, *value ? value : "\"\"");
	err->at = weir_place_make(value, 0, column);
	return code;
}

const char *weir_cli_option_name(enum weir_option_id id)
{
	return defs[id].name;
}

const char *weir_cli_option_arg(enum weir_option_id id)
{
	return defs[id].arg;
}

const char *weir_cli_option_help(enum weir_option_id id)
{
	return defs[id].help;
}

char weir_cli_option_letter(enum weir_option_id id)
{
	return defs[id].letter;
}

bool weir_cli_option_is_global(enum weir_option_id id)
{
	return defs[id].global;
}

/* ---- help ---- */

/* What an option of several verbs means to one of them, where that is not the same. */
static const struct {
	const char *verb;
	enum weir_option_id id;
	const char *help;
} own_help[] = {
	{ "network add", OPT_MODE, "bridge (default), p2p, macvlan, ipvlan, vlan, routed" },
	{ "endpoint add", OPT_MODE, "host: the host's namespace; none: loopback only" },
};

static const char *help_of(enum weir_option_id id, const struct weir_verb *verb)
{
	for (size_t i = 0; verb && i < sizeof(own_help) / sizeof(own_help[0]); i++)
		if (own_help[i].id == id && strcmp(own_help[i].verb, verb->name) == 0)
			return own_help[i].help;
	return defs[id].help;
}

static void option_help(enum weir_option_id id, const struct weir_verb *verb, FILE *out)
{
	const char *help = help_of(id, verb);
	char left[128];
	char letter[] = { '-', defs[id].letter, ',', ' ', '\0' };
	(void)snprintf(left, sizeof(left), "%s--%s%s%s", defs[id].letter ? letter : "    ",
		       defs[id].name, defs[id].arg ? " " : "", defs[id].arg ? defs[id].arg : "");
	if (strlen(left) > 30)
		fprintf(out, "  %s\n  %-30s %s\n", left, "", help);
	else
		fprintf(out, "  %-30s %s\n", left, help);
}

static void verb_help(const struct weir_verb *verb, FILE *out)
{
	fprintf(out, "usage: weir %s%s%s\n\n%s\n", verb->name, verb->usage[0] ? " " : "",
		verb->usage, verb->summary);
	if (verb->more)
		fprintf(out, "\n%s", verb->more);
	if (verb->options && *verb->options != OPT_HELP)
		fputs("\nOptions:\n", out);
	for (const enum weir_option_id *id = verb->options; id && *id != OPT_HELP; id++)
		option_help(*id, verb, out);
}

static void overview(const char *word, FILE *out)
{
	if (word)
		fprintf(out, "usage: weir %s COMMAND …\n\nCommands:\n", word);
	else
		fputs("usage: weir COMMAND …\n\n"
		      "Networks for containers and network namespaces, published ports and "
		      "isolation.\n\n"
		      "Commands:\n",
		      out);
	for (size_t i = 0; i < weir_n_verbs; i++)
		if (!word || begins(word, &weir_verbs[i]))
			fprintf(out, "  %-14s %s\n", weir_verbs[i].name, weir_verbs[i].summary);
}

void weir_help(const struct weir_cli *cli, FILE *out)
{
	const struct weir_verb *verb = cli->verb;
	if (verb)
		verb_help(verb, out);
	else
		overview(cli->n_words ? cli->words[0] : NULL, out);
	fputs("\nGlobal options:\n", out);
	for (int i = 0; i < WEIR_NUM_OPTIONS; i++)
		if (defs[i].global)
			option_help(i, verb, out);
	if (!verb)
		fputs("\nweir help COMMAND tells more; weir(8) and weir.yaml(5) all of it.\n"
		      "Exit codes: 0 done, 1 failed, 2 usage, 3 there are changes, 4 this host "
		      "cannot.\n",
		      out);
}
