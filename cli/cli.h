/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: what a verb is given and how it answers. Only this room prints and exits. */
#ifndef WEIR_CLI_CLI_H
#define WEIR_CLI_CLI_H

#include <jansson.h>

#include "core/engine.h"
#include "core/store.h"

enum weir_exit { /* of the process */
		 WEIR_EXIT_DONE = 0,
		 WEIR_EXIT_FAILED = 1,
		 WEIR_EXIT_USAGE = 2,
		 WEIR_EXIT_CHANGES = 3,
		 WEIR_EXIT_CANNOT = 4, /* this host */
};

enum { WEIR_JSON_VERSION = 1 };

/* Options, of all verbs; the table in options.c says which takes what and where it may stand. */
enum weir_option_id {
	OPT_BACKEND,
	OPT_STATE_DIR,
	OPT_JSON,
	OPT_DRY_RUN,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_TIMEOUT,
	OPT_HELP,
	OPT_VERSION,
	OPT_PRUNE,
	OPT_ALL,
	OPT_KEEP_FORWARDING,
	OPT_SUBNET,
	OPT_GATEWAY,
	OPT_MODE,
	OPT_MTU,
	OPT_NAT,
	OPT_INTERNAL,
	OPT_ISOLATE,
	OPT_HOST,
	OPT_BRIDGE,
	OPT_EXCLUDE,
	OPT_TRUSTED,
	OPT_FILTER_BRIDGED,
	OPT_NO_SPOOF_GUARD,
	OPT_NETWORK,
	OPT_NETNS,
	OPT_PID,
	OPT_PUBLISH,
	OPT_LABEL,
	OPT_DNS,
	OPT_ROUTE,
	OPT_FORWARD,
	OPT_RATE,
	OPT_NET,
	OPT_STRICT,
	OPT_FORMAT,
	OPT_PARENT,
	OPT_VLAN,
	OPT_ADOPT,
	OPT_FROM,
	OPT_TO,
	OPT_PORT,
	OPT_ACTION,
	OPT_DIRECTION,
	OPT_LOG,
	OPT_PRIORITY,
	OPT_DEFAULT_INGRESS,
	OPT_DEFAULT_EGRESS,
	OPT_SPEC,
	OPT_NO_NETWORK,
	OPT_NO_ROUTE,
	OPT_NO_DNS,
	OPT_NO_RATE,
	OPT_NO_FORWARD,
	OPT_NO_INTERNAL,
	OPT_NO_ISOLATE,
	OPT_NO_FILTER_BRIDGED,
	OPT_NO_TRUSTED,
	OPT_NO_STRICT,
	OPT_SPOOF_GUARD,
	WEIR_NUM_OPTIONS
};

struct weir_option {
	enum weir_option_id id;
	const char *value; /* NULL for flags */
};

struct weir_verb;

struct weir_cli {
	const struct weir_verb *verb;
	const char **words; /* after the verb, without options */
	size_t n_words;
	char **command;		     /* after "--", NULL-terminated */
	struct weir_option *options; /* in the order of writing */
	size_t n_options;
	bool json, quiet, dry_run;
	bool usage;   /* an error now is one of the command line's words */
	bool changed; /* the host is no longer as it was, whatever comes now */
	bool telling; /* a line about how far the work is stands on the terminal */
	int verbose;
	const char *backend; /* "auto" or a name */
	const char *state_dir;
	unsigned timeout_ms;
	mode_t umask; /* the caller's, for the command that exec becomes */
	struct weir_arena arena;
	struct weir_engine engine;	   /* after weir_cli_engine() */
	struct weir_firewall_ops firewall; /* what it points to: traced ones with -vv */
	const struct weir_firewall_ops *const *firewalls; /* all, traced ones with -vv */
	struct weir_link_ops links;
	struct weir_trace trace;
};

struct weir_verb {
	const char *name;    /* "network add" */
	const char *usage;   /* what follows it */
	const char *summary; /* one line */
	const char *more;    /* paragraphs of --help, may be NULL */
	size_t min_words, max_words;
	int (*run)(struct weir_cli *cli,
		   struct weir_err *err);   /* an exit code, or a negative errno */
	const enum weir_option_id *options; /* its own, OPT_HELP-terminated */
};

extern const struct weir_verb weir_verbs[];
extern const size_t weir_n_verbs;

/* Fills cli from the words of the command line. -EINVAL: usage. */
int weir_cli_parse(int argc, char **argv, struct weir_cli *cli, struct weir_err *err);
/* The value of an option given at most once, or NULL; and whether a flag is there. */
const char *weir_cli_value(const struct weir_cli *cli, enum weir_option_id id);
bool weir_cli_flag(const struct weir_cli *cli, enum weir_option_id id);
/* An error in an option's value: its place becomes the option's name, with the column in the value. */
int weir_cli_blame(struct weir_err *err, int code, enum weir_option_id id, const char *value);

void weir_help(const struct weir_cli *cli, FILE *out); /* of the verb, or of what its words begin */
const char *weir_cli_option_name(enum weir_option_id id);
const char *weir_cli_option_arg(
	enum weir_option_id id); /* what its value is called; NULL: a flag */
const char *weir_cli_option_help(enum weir_option_id id);
char weir_cli_option_letter(enum weir_option_id id); /* 0: none */
bool weir_cli_option_is_global(enum weir_option_id id);

/* Fills cli->engine; a backend that was asked for is picked and probed. -EPERM without the capability, before anything. */
int weir_cli_engine(struct weir_cli *cli, struct weir_err *err);
/* ctx is the cli. Makes cli->firewall the backend that was asked for, or for "auto" the one that this host's rules are in
 * already (`stored`; "": none), else the first that this kernel can. The engine calls it by itself. */
int weir_cli_choose(void *ctx, const char *stored, struct weir_err *err);
/* Makes it the one that the host's rules are in, whatever was asked for; without any it stays as it is. */
int weir_cli_choose_stored(void *ctx, const char *stored, struct weir_err *err);
/* For looking only, all of it as at one moment: what `scope` asks of the store's model, empty when there is
 * no store, and its meta (zero then). */
int weir_cli_load(struct weir_cli *cli, const struct weir_scope *scope, struct weir_model *ret,
		  struct weir_store_meta *ret_meta, struct weir_err *err);
/* The sysctls that weir has changed on the host as well; they live as long as the cli. */
int weir_cli_load_host(struct weir_cli *cli, const struct weir_scope *scope, struct weir_model *ret,
		       struct weir_store_meta *ret_meta, struct weir_stored_sysctl **ret_sysctls,
		       size_t *ret_n, struct weir_err *err);

/* Adds the frames that the endpoint's spoof guards have dropped to *sum. */
int weir_cli_spoofed(struct weir_cli *cli, struct weir_links *links, const struct weir_endpoint *ep,
		     uint64_t *sum, struct weir_err *err);

/* The kernel's counters, through the backend that meta names, without the engine. */
int weir_cli_counters(struct weir_cli *cli, const struct weir_store_meta *meta,
		      struct weir_counters *ret, struct weir_err *err);

/* What an engine's call came to: its error (r) as it is, or the plan printed and the exit code. */
int weir_cli_tell(struct weir_cli *cli, int r, const struct weir_plan *plan, const char *nothing);
/* Runs a change as the flags say and prints what it did. Returns the exit code or an errno. */
int weir_cli_change(struct weir_cli *cli, const struct weir_change *change, struct weir_err *err);
/* Removes what the words name, once each, however often it is named. */
int weir_cli_remove(struct weir_cli *cli, enum weir_op_kind kind, struct weir_err *err);
/* What a model's objects are put by, or removed, as one change in cli's arena. */
int weir_cli_ops(struct weir_cli *cli, const struct weir_model *model, bool remove,
		 struct weir_change *ret, struct weir_err *err);
/* Prints a plan: steps and drift; `nothing` when there are none. */
void weir_print_plan(const struct weir_cli *cli, const struct weir_plan *plan, const char *nothing);

/* Errors, for people on stderr, with a caret under a word; with --json on stdout. */
void weir_print_error(const struct weir_cli *cli, const struct weir_err *err);
int weir_exit_of(const struct weir_err *err, bool usage);

/* What a policy has decided, in both families. */
struct weir_policy_count {
	uint64_t connections, bytes;
};
struct weir_policy_count weir_policy_count(const struct weir_counters *counters,
					   const struct weir_policy *policy);

/* JSON: takes the object, adds "version", prints it on one line, frees it. */
void weir_print_json(json_t *object);
json_t *weir_json_network(const struct weir_network *net, size_t endpoints);
json_t *weir_json_endpoint(const struct weir_model *model, const struct weir_endpoint *ep);
json_t *weir_json_mapping(const struct weir_model *model, const struct weir_endpoint *ep,
			  const struct weir_mapping *m);
json_t *weir_json_policy(const struct weir_policy *policy, const struct weir_counters *counters);
json_t *weir_json_steps(const struct weir_step *steps, size_t n);
json_t *weir_json_warnings(const struct weir_step *warnings, size_t n);
json_t *weir_json_place(const struct weir_place *at);

/* A table for people: rows of n_columns cells, columns as wide as needed. */
struct weir_table {
	struct weir_arena arena;
	const char **cells;
	size_t n_cells, n_columns;
};
void weir_table_cell(struct weir_table *table, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void weir_table_print(struct weir_table *table); /* and frees it */

/* The verbs, one file each. */
int weir_verb_apply(struct weir_cli *cli, struct weir_err *err);
int weir_verb_plan(struct weir_cli *cli, struct weir_err *err);
int weir_verb_delete(struct weir_cli *cli, struct weir_err *err);
int weir_verb_network_add(struct weir_cli *cli, struct weir_err *err);
int weir_verb_network_rm(struct weir_cli *cli, struct weir_err *err);
int weir_verb_network_ls(struct weir_cli *cli, struct weir_err *err);
int weir_verb_network_show(struct weir_cli *cli, struct weir_err *err);
int weir_verb_endpoint_add(struct weir_cli *cli, struct weir_err *err);
int weir_verb_network_set(struct weir_cli *cli, struct weir_err *err);
int weir_verb_endpoint_set(struct weir_cli *cli, struct weir_err *err);
int weir_verb_endpoint_rm(struct weir_cli *cli, struct weir_err *err);
int weir_verb_endpoint_ls(struct weir_cli *cli, struct weir_err *err);
int weir_verb_endpoint_show(struct weir_cli *cli, struct weir_err *err);
int weir_verb_port_add(struct weir_cli *cli, struct weir_err *err);
int weir_verb_port_rm(struct weir_cli *cli, struct weir_err *err);
int weir_verb_port_ls(struct weir_cli *cli, struct weir_err *err);
int weir_verb_policy_add(struct weir_cli *cli, struct weir_err *err);
int weir_verb_policy_rm(struct weir_cli *cli, struct weir_err *err);
int weir_verb_policy_ls(struct weir_cli *cli, struct weir_err *err);
int weir_verb_policy_test(struct weir_cli *cli, struct weir_err *err);
int weir_verb_policy_show(struct weir_cli *cli, struct weir_err *err);
int weir_verb_exec(struct weir_cli *cli, struct weir_err *err);
int weir_verb_status(struct weir_cli *cli, struct weir_err *err);
int weir_verb_render(struct weir_cli *cli, struct weir_err *err);
int weir_verb_version(struct weir_cli *cli, struct weir_err *err);
int weir_verb_graph(struct weir_cli *cli, struct weir_err *err);
int weir_verb_completion(struct weir_cli *cli, struct weir_err *err);
int weir_verb_repair(struct weir_cli *cli, struct weir_err *err);
int weir_verb_restore(struct weir_cli *cli, struct weir_err *err);
int weir_verb_backend(struct weir_cli *cli, struct weir_err *err);
int weir_verb_backend_use(struct weir_cli *cli, struct weir_err *err);

#endif
