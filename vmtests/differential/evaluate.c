/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The evaluator's answers for the flows of one model.
 *
 *	evaluate SPEC < lines
 *
 *	host ADDR					one of the host's own addresses
 *	guard FAMILY					4 or 6: weir switched forwarding on
 *	bridged						bridge-nf-call is on, for all bridges
 *	flow FROM WHERE SRC DST PROTO DPORT		-> one line, below
 *
 * FROM is endpoint (WHERE: the network), outside (the host's interface) or host ("-"). PROTO is tcp,
 * ack (TCP that opens nothing), udp or icmp, whose DPORT is the type (0: an echo request). The answer is
 *
 *	accept|drop|refuse local|on DST DPORT SRC|- REASON…	SRC "-": the address of the interface it leaves by
 *
 * The spec names every address and bridge, so that nothing has to be resolved but gateways. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/selector.h"
#include "core/spec.h"
#include "policy/eval.h"

enum { WORDS = 7, LINE = 512, HOST_ADDRS = 32 };

static struct weir_model model;
static struct weir_addr host_addrs[HOST_ADDRS];
static char host_ifnames[HOST_ADDRS][WEIR_IFNAME_SIZE];
static struct weir_eval_host host = { .addrs = host_addrs, .ifnames = (const void *)host_ifnames };

static _Noreturn void die(const char *what, const struct weir_err *err)
{
	fprintf(stderr, "evaluate: %s: %s\n", what, err->text);
	exit(1);
}

static struct weir_addr addr(const char *text)
{
	struct weir_addr a = { 0 };
	struct weir_err err = { 0 };

	if (weir_addr_parse(text, &a, &err) < 0)
		die(text, &err);
	return a;
}

static void read_model(const char *file)
{
	struct weir_err err = { 0 };
	int r = weir_spec_read(file, &model, &err);

	for (size_t i = 0; r == 0 && i < model.n_networks; i++)
		r = weir_network_resolve_gateways(&model.networks[i], &err);
	if (r < 0)
		die(file, &err);
	weir_model_sort(&model);
	if (weir_policies_bind(&model, &err) < 0)
		die(file, &err);
}

static void do_host(char **words)
{
	if (host.n_addrs == HOST_ADDRS)
		return;
	(void)snprintf(host_ifnames[host.n_addrs], WEIR_IFNAME_SIZE, "%s", words[2]);
	host_addrs[host.n_addrs++] = addr(words[1]);
}

static void do_guard(char **words)
{
	host.guard[words[1][0] == '6' ? WEIR_IPV6 : WEIR_IPV4] = true;
}

static void do_bridged(char **words)
{
	(void)words;
	host.filter_bridged[WEIR_IPV4] = host.filter_bridged[WEIR_IPV6] = true;
}

static const struct {
	const char *name;
	enum weir_proto proto;
	bool opens;
} protocols[] = {
	{ "tcp", WEIR_TCP, true },
	{ "ack", WEIR_TCP, false },
	{ "udp", WEIR_UDP, true },
	{ "icmp", WEIR_NO_PROTO, true },
};

static void set_proto(struct weir_flow *flow, const char *name)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		if (strcmp(protocols[i].name, name) != 0)
			continue;
		flow->proto = protocols[i].proto;
		flow->opens = protocols[i].opens;
		return;
	}
	die(name, &(struct weir_err){ .text = "no such protocol" });
}

static void set_origin(struct weir_flow *flow, const char *from, const char *where)
{
	flow->origin = WEIR_FROM_HOST;
	if (strcmp(from, "endpoint") == 0) {
		flow->origin = WEIR_FROM_ENDPOINT;
		flow->network = where;
	} else if (strcmp(from, "outside") == 0) {
		flow->origin = WEIR_FROM_OUTSIDE;
		(void)snprintf(flow->ifname, sizeof(flow->ifname), "%s", where);
	}
}

static const char *const verdicts[WEIR_NUM_VERDICTS] = {
	[WEIR_ACCEPT] = "accept",
	[WEIR_DROP] = "drop",
	[WEIR_REFUSE] = "refuse",
};

static void do_flow(char **words)
{
	struct weir_flow flow = { .src = addr(words[3]), .dst = addr(words[4]) };
	struct weir_answer answer;
	struct weir_err err = { 0 };
	char dst[WEIR_ADDR_TEXT], src[WEIR_ADDR_TEXT];

	set_origin(&flow, words[1], words[2]);
	set_proto(&flow, words[5]);
	unsigned long number = strtoul(words[6], NULL, 10);
	if (flow.proto == WEIR_NO_PROTO)
		flow.icmp_type = (uint8_t)number;
	else
		flow.dport = (uint16_t)number;
	if (weir_eval(&model, &host, &flow, &answer, &err) < 0)
		die("flow", &err);
	printf("%s %s %s %u %s %s\n", verdicts[answer.verdict], answer.local ? "local" : "on",
	       weir_addr_text(&answer.dst, dst), answer.dport,
	       weir_addr_is_set(&answer.src) ? weir_addr_text(&answer.src, src) : "-", answer.text);
}

static const struct {
	const char *name;
	int words;
	void (*run)(char **words);
} commands[] = {
	{ "host", 3, do_host },
	{ "guard", 2, do_guard },
	{ "bridged", 1, do_bridged },
	{ "flow", WORDS, do_flow },
};

static void run(char *line)
{
	char *words[WORDS] = { 0 }, *rest = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " \n", &rest); word && n < WORDS;
	     word = strtok_r(NULL, " \n", &rest))
		words[n++] = word;
	for (size_t i = 0; n && i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, words[0]) == 0 && commands[i].words == n) {
			commands[i].run(words);
			return;
		}
	}
	die(n ? words[0] : "", &(struct weir_err){ .text = "what?" });
}

int main(int argc, char **argv)
{
	char line[LINE];

	if (argc != 2) {
		fprintf(stderr, "usage: evaluate SPEC < flows\n");
		return 2;
	}
	read_model(argv[1]);
	while (fgets(line, sizeof(line), stdin))
		run(line);
	weir_model_free(&model);
	return 0;
}
