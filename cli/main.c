/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place that prints errors and exits. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

static const enum weir_option_id no_options[] = { OPT_HELP };
static const enum weir_option_id apply_options[] = { OPT_PRUNE, OPT_HELP };
static const enum weir_option_id delete_options[] = { OPT_ALL, OPT_HELP };
static const enum weir_option_id repair_options[] = { OPT_KEEP_FORWARDING, OPT_HELP };
static const enum weir_option_id network_options[] = {
	OPT_SUBNET,	    OPT_GATEWAY,
	OPT_MODE,	    OPT_NAT,
	OPT_INTERNAL,	    OPT_ISOLATE,
	OPT_HOST,	    OPT_MTU,
	OPT_BRIDGE,	    OPT_EXCLUDE,
	OPT_TRUSTED,	    OPT_FILTER_BRIDGED,
	OPT_PARENT,	    OPT_VLAN,
	OPT_ADOPT,	    OPT_NO_SPOOF_GUARD,
	OPT_STRICT,	    OPT_DEFAULT_INGRESS,
	OPT_DEFAULT_EGRESS, OPT_HELP,
};
static const enum weir_option_id endpoint_options[] = {
	OPT_NETWORK, OPT_PUBLISH, OPT_NETNS,   OPT_PID,	 OPT_MODE, OPT_LABEL,
	OPT_DNS,     OPT_ROUTE,	  OPT_FORWARD, OPT_RATE, OPT_HELP,
};
static const enum weir_option_id network_set_options[] = {
	OPT_SUBNET,
	OPT_GATEWAY,
	OPT_NAT,
	OPT_INTERNAL,
	OPT_NO_INTERNAL,
	OPT_ISOLATE,
	OPT_NO_ISOLATE,
	OPT_HOST,
	OPT_MTU,
	OPT_EXCLUDE,
	OPT_TRUSTED,
	OPT_NO_TRUSTED,
	OPT_FILTER_BRIDGED,
	OPT_NO_FILTER_BRIDGED,
	OPT_SPOOF_GUARD,
	OPT_NO_SPOOF_GUARD,
	OPT_STRICT,
	OPT_NO_STRICT,
	OPT_DEFAULT_INGRESS,
	OPT_DEFAULT_EGRESS,
	OPT_HELP,
};
static const enum weir_option_id endpoint_set_options[] = {
	OPT_NETWORK,  OPT_NO_NETWORK, OPT_LABEL,   OPT_DNS,	OPT_NO_DNS,	OPT_ROUTE,
	OPT_NO_ROUTE, OPT_RATE,	      OPT_NO_RATE, OPT_FORWARD, OPT_NO_FORWARD, OPT_HELP,
};
static const enum weir_option_id port_options[] = { OPT_NET, OPT_HELP };
static const enum weir_option_id publish_options[] = { OPT_NET, OPT_STRICT, OPT_HELP };

static const enum weir_option_id graph_options[] = { OPT_FORMAT, OPT_HELP };

static const enum weir_option_id policy_options[] = {
	OPT_FROM, OPT_TO, OPT_PORT, OPT_ACTION, OPT_DIRECTION, OPT_LOG, OPT_PRIORITY, OPT_HELP,
};

static const enum weir_option_id policy_test_options[] = { OPT_FROM, OPT_TO, OPT_SPEC, OPT_HELP };

static const char test_help[] =
	"X and Y are an endpoint (api, api@web), an address, a prefix (10.0.0.0/8: its first\n"
	"address), outside, or host; IPv6 stands in brackets before a port.\n"
	"Without a port, an echo request is asked about.\n"
	"FILE is a YAML list of {from: X, to: Y:PORT/PROTO, expect: allow|deny|reject, policy: "
	"NAME}.\n";

static const char selector_help[] =
	"SEL is one of:\n"
	"  any                         every endpoint and the outside (not the host)\n"
	"  endpoints, outside, host    all of a kind\n"
	"  endpoint:api|web            by name, any of these\n"
	"  network:db                  by network, any of these\n"
	"  label:role=api,env=a|b      by labels, all of these; of the values any\n"
	"  network:db+label:role=api   both must hold\n"
	"  cidr:10.0.0.0/8,except=10.1.0.0/16   by address, whoever has it\n";

static const char publish_help[] =
	"SPEC is [[HOST-ADDRESS:]HOST-PORTS:]PORTS[/PROTO]:\n"
	"  80                          a free host port for the endpoint's 80\n"
	"  8080:80                     host port 8080, all addresses, IPv4 and IPv6\n"
	"  127.0.0.1:8080:80           one address of the host\n"
	"  [2001:db8::1]:8443:443/tcp  IPv6 in brackets\n"
	"  8000-8010:9000-9010/udp     a range, the offset is kept\n"
	"  8000-9000:80                one free host port out of a range\n";

static const char endpoint_set_help[] =
	"What no option names stays as it is, and what does not change is not touched: streams\n"
	"and counters go on. --network changes what follows the name in an attachment that is\n"
	"there, --label KEY- takes a label away. Ports: weir port add, weir port rm.\n";

static const char network_set_help[] =
	"What no option names stays as it is. An option that may be given again replaces the\n"
	"whole list. Mode, bridge, parent and VLAN cannot change.\n";

static const char repair_help[] =
	"Where weir has switched forwarding on, it drops what is forwarded for others than its\n"
	"networks. With --keep-forwarding that ends: what it recorded is the host's own from now\n"
	"on. Until the next boot; net.ipv4.ip_forward = 1 in /etc/sysctl.d says it for good.\n";

static const char backend_help[] =
	"The new rules are in force before the old ones go, and what is established goes on.\n"
	"From then on this packet filter is the one that auto takes. --backend and WEIR_BACKEND\n"
	"do not matter here.\n";

const struct weir_verb weir_verbs[] = {
	{ "apply", "FILE… [--prune]", "make the host what the files say", NULL, 1, SIZE_MAX,
	  weir_verb_apply, apply_options },
	{ "plan", "FILE… [--prune]", "what apply would do; exit 3 if anything", NULL, 1, SIZE_MAX,
	  weir_verb_plan, apply_options },
	{ "delete", "FILE… | --all", "remove what the files declare, or everything", NULL, 0,
	  SIZE_MAX, weir_verb_delete, delete_options },
	{ "network add", "NAME [OPTIONS]", "make a network", NULL, 1, 1, weir_verb_network_add,
	  network_options },
	{ "network set", "NAME OPTIONS", "change a network that is there", network_set_help, 1, 1,
	  weir_verb_network_set, network_set_options },
	{ "network rm", "NAME…", "remove networks that no endpoint uses", NULL, 1, SIZE_MAX,
	  weir_verb_network_rm, no_options },
	{ "network ls", "", "list networks", NULL, 0, 0, weir_verb_network_ls, no_options },
	{ "network show", "NAME", "a network, its members, forwarding database and neighbours",
	  NULL, 1, 1, weir_verb_network_show, no_options },
	{ "endpoint add", "NAME [OPTIONS]", "make an endpoint: a namespace attached to networks",
	  publish_help, 1, 1, weir_verb_endpoint_add, endpoint_options },
	{ "endpoint set", "NAME OPTIONS", "change an endpoint that is there", endpoint_set_help, 1,
	  1, weir_verb_endpoint_set, endpoint_set_options },
	{ "endpoint rm", "NAME…", "remove endpoints", NULL, 1, SIZE_MAX, weir_verb_endpoint_rm,
	  no_options },
	{ "endpoint ls", "", "list endpoints", NULL, 0, 0, weir_verb_endpoint_ls, no_options },
	{ "endpoint show", "NAME", "an endpoint", NULL, 1, 1, weir_verb_endpoint_show, no_options },
	{ "port add", "ENDPOINT SPEC…", "publish ports of an endpoint", publish_help, 2, SIZE_MAX,
	  weir_verb_port_add, publish_options },
	{ "port rm", "ENDPOINT SPEC…", "take published ports back", NULL, 2, SIZE_MAX,
	  weir_verb_port_rm, port_options },
	{ "port ls", "[ENDPOINT]", "list published ports with their counters", NULL, 0, 1,
	  weir_verb_port_ls, no_options },
	{ "port show", "ENDPOINT [SPEC]", "published ports of one endpoint", NULL, 1, 2,
	  weir_verb_port_ls, no_options },
	{ "policy add", "NAME [OPTIONS]", "make a policy: who may talk to whom", selector_help, 1,
	  1, weir_verb_policy_add, policy_options },
	{ "policy rm", "NAME…", "remove policies", NULL, 1, SIZE_MAX, weir_verb_policy_rm,
	  no_options },
	{ "policy ls", "", "list policies in their order, with their counters", NULL, 0, 0,
	  weir_verb_policy_ls, no_options },
	{ "policy show", "NAME", "a policy: whom it picks, its counters, the rules it became", NULL,
	  1, 1, weir_verb_policy_show, no_options },
	{ "policy test", "--from X --to Y[:PORT/PROTO] | FILE…",
	  "would it pass, and why; or do the expectations of FILE hold", test_help, 0, SIZE_MAX,
	  weir_verb_policy_test, policy_test_options },
	{ "exec", "ENDPOINT -- COMMAND…", "run a command inside an endpoint", NULL, 1, SIZE_MAX,
	  weir_verb_exec, no_options },
	{ "status", "", "is the host what it should be? exit 1 if not", NULL, 0, 0,
	  weir_verb_status, no_options },
	{ "render", "", "the rules as a file that the native tool loads", NULL, 0, 0,
	  weir_verb_render, no_options },
	{ "repair", "[--keep-forwarding]", "make the host what it should be", repair_help, 0, 0,
	  weir_verb_repair, repair_options },
	{ "restore", "", "after a reboot: bring back what was declared", NULL, 0, 0,
	  weir_verb_restore, no_options },
	{ "backend use", "nftables|iptables|auto", "move everything to another packet filter",
	  backend_help, 1, 1, weir_verb_backend_use, no_options },
	{ "backend", "", "which packet filter is in use, and which could be", NULL, 0, 0,
	  weir_verb_backend, no_options },
	{ "graph", "[--format text|dot|mermaid]", "draw what is there", NULL, 0, 0, weir_verb_graph,
	  graph_options },
	{ "completion", "bash|zsh", "print what the shell completes weir's commands with", NULL, 1,
	  1, weir_verb_completion, no_options },
	{ "version", "", "the version", NULL, 0, 0, weir_verb_version, no_options },
};
const size_t weir_n_verbs = sizeof(weir_verbs) / sizeof(*weir_verbs);

int weir_verb_version(struct weir_cli *cli, struct weir_err *err)
{
	(void)err;
	if (cli->json)
		weir_print_json(json_pack("{s:s}", "weir", WEIR_VERSION));
	else
		puts("weir " WEIR_VERSION);
	return WEIR_EXIT_DONE;
}

static int run(struct weir_cli *cli)
{
	struct weir_err err = { 0 };
	int r = cli->verb->run(cli, &err);
	if (r >= 0)
		return r;
	weir_print_error(cli, &err);
	return weir_exit_of(&err, cli->usage);
}

static int start(int argc, char **argv, struct weir_cli *cli)
{
	struct weir_err err = { 0 };
	if (weir_cli_parse(argc, argv, cli, &err) < 0) {
		weir_print_error(cli, &err);
		return weir_exit_of(&err, true);
	}
	if (weir_cli_flag(cli, OPT_VERSION))
		return weir_verb_version(cli, NULL);
	if (weir_cli_flag(cli, OPT_HELP) || !cli->verb) {
		bool asked = weir_cli_flag(cli, OPT_HELP);
		if (!asked && cli->json) {
			(void)weir_err_set(&err, EINVAL, "weir: what? (weir --help)");
			weir_print_error(cli, &err);
			return WEIR_EXIT_USAGE;
		}
		weir_help(cli, asked ? stdout : stderr);
		return asked ? WEIR_EXIT_DONE : WEIR_EXIT_USAGE;
	}
	return run(cli);
}

/* What is opened later must not become somebody's standard output. */
static void fill_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

/* 0, or why not all of the answer was written. */
static int write_error(void)
{
	if (fflush(stdout) != 0)
		return errno;
	if (!ferror(stdout))
		return 0;
	/* An earlier write has failed, and nobody kept its errno: one byte more meets the same. */
	return putchar('\n') == EOF || fflush(stdout) != 0 ? errno : EIO;
}

int main(int argc, char **argv)
{
	struct weir_cli cli = { 0 };
	fill_descriptors();
	cli.umask = umask(022); /* everybody in a namespace reads its hosts and resolv.conf */
	(void)signal(SIGPIPE,
		     SIG_IGN); /* a reader that goes away must not stop a change half-way */
	int code = start(argc, argv, &cli);
	weir_arena_free(&cli.arena);
	int unwritten = write_error();
	if (!unwritten)
		return code;
	fprintf(stderr, "weir: cannot write the answer: %s%s\n", strerror(unwritten),
		cli.changed ? "; the change was made" : "");
	return code ? code : WEIR_EXIT_FAILED;
}
