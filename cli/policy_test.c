/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy test: what the evaluator says of a question, or of a file of expectations.
 *
 * How it works: of --spec's files an engine without a kernel makes the model that `apply` would make of
 * them on an empty host; else the store has it. */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/memory/memory.h"
#include "cli/cli.h"
#include "cli/expect.h"
#include "cli/flows.h"
#include "core/spec.h"
#include "policy/compile.h"

/* What a model is tested in: it lives in the store's, or in a plan. */
struct world {
	struct weir_model stored;
	struct weir_plan plan;
	struct weir_scene scene;
};

static void free_world(struct world *world)
{
	weir_model_free(&world->stored);
	weir_plan_free(&world->plan);
}

/* ---- the host ---- */

static int add_addr(struct weir_cli *cli, struct weir_eval_host *host, const struct weir_addr *addr,
		    struct weir_err *err)
{
	struct weir_addr *more =
		weir_arena_grow(&cli->arena, (void *)host->addrs, host->n_addrs, sizeof(*more));
	if (!more)
		return weir_err_set(err, ENOMEM, "out of memory");
	more[host->n_addrs++] = *addr;
	host->addrs = more;
	return 0;
}

static bool read_addr(const struct sockaddr *from, struct weir_addr *ret)
{
	struct weir_addr addr = { 0 };
	if (from && from->sa_family == AF_INET) {
		addr.family = WEIR_IPV4;
		memcpy(addr.bytes, &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else if (from && from->sa_family == AF_INET6) {
		addr.family = WEIR_IPV6;
		memcpy(addr.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	}
	*ret = addr;
	return weir_addr_is_set(&addr) && !weir_addr_is_loopback(&addr);
}

static int read_addrs(struct weir_cli *cli, struct weir_eval_host *host, struct weir_err *err)
{
	struct ifaddrs *all = NULL;
	struct weir_addr addr;
	int r = getifaddrs(&all) < 0 ? weir_err_errno(err, errno, "reading the host's addresses")
				     : 0;
	for (const struct ifaddrs *item = all; r == 0 && item; item = item->ifa_next)
		if (read_addr(item->ifa_addr, &addr))
			r = add_addr(cli, host, &addr, err);
	if (all)
		freeifaddrs(all);
	return r;
}

static bool is_one(const char *path)
{
	FILE *file = fopen(path, "re");
	bool one = file && fgetc(file) == '1';
	if (file)
		(void)fclose(file); /* nothing was written */
	return one;
}

static bool has_family(const struct weir_eval_host *host, enum weir_family family)
{
	for (size_t i = 0; i < host->n_addrs; i++)
		if (host->addrs[i].family == family)
			return true;
	return false;
}

/* Where nothing is known of it, the host is reached by an address that nobody else has. */
static int make_up(struct weir_cli *cli, struct weir_scene *scene, struct weir_err *err)
{
	int r = 0;
	for (enum weir_family f = WEIR_IPV4; r == 0 && f < WEIR_NUM_FAMILIES; f++) {
		struct weir_addr addr = weir_scene_stranger(scene, f);
		if (!has_family(&scene->host, f) && weir_addr_is_set(&addr))
			r = add_addr(cli, &scene->host, &addr, err);
	}
	return r;
}

static int look_at_host(struct weir_cli *cli, bool real, struct weir_scene *scene,
			struct weir_err *err)
{
	struct weir_eval_host *host = &scene->host;
	int r = real ? read_addrs(cli, host, err) : 0;
	if (real) {
		host->filter_bridged[WEIR_IPV4] =
			is_one("/proc/sys/net/bridge/bridge-nf-call-iptables");
		host->filter_bridged[WEIR_IPV6] =
			is_one("/proc/sys/net/bridge/bridge-nf-call-ip6tables");
	}
	return r < 0 ? r : make_up(cli, scene, err);
}

/* ---- the model ---- */

static int read_specs(struct weir_cli *cli, struct weir_model *model, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < cli->n_options; i++)
		if (cli->options[i].id == OPT_SPEC)
			r = weir_spec_read(cli->options[i].value, model, err);
	return r;
}

/* What applying them to an empty host would make; only in memory, and nothing is made. */
static int resolve_specs(struct weir_cli *cli, struct world *world, struct weir_err *err)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_change change;
	const struct weir_engine engine = {
		.state_dir = "",
		.holder = "weir policy test",
		.compile = weir_compile,
		.compile_policies = weir_compile_policies,
		.firewall = &weir_memory_firewall,
		.links = &weir_memory_links,
	};
	int r = read_specs(cli, &model, err);
	if (r == 0)
		r = weir_cli_ops(cli, &model, false, &change, err);
	change.converge = false;
	if (r == 0)
		r = weir_engine_change(&engine, &change, true, &world->plan, err);
	if (r == 0)
		world->scene.model = &world->plan.after;
	return r;
}

static int find_model(struct weir_cli *cli, struct world *world, struct weir_err *err)
{
	const struct weir_scope all = { .all = true, .policies = true };
	bool spec = weir_cli_flag(cli, OPT_SPEC);
	world->scene.arena = &cli->arena;
	world->scene.model = &world->stored;
	int r = spec ? resolve_specs(cli, world, err)
		     : weir_cli_load(cli, &all, &world->stored, NULL, err);
	return r < 0 ? r : look_at_host(cli, !spec, &world->scene, err);
}

/* ---- one question ---- */

static json_t *end_json(const struct weir_end *end, const struct weir_addr *addr)
{
	char text[WEIR_ADDR_TEXT];
	return json_pack("{s:s?, s:s}", "endpoint", end->ep ? end->ep->name : NULL, "address",
			 weir_addr_text(addr, text));
}

static json_t *case_json(const struct weir_question *question, const struct weir_case *c)
{
	const struct weir_policy *policy = c->answer.policy;
	return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s?, s:s?, s:o, s:s?}", "family",
			 weir_family_name(c->from.family), "from",
			 end_json(&question->from, &c->from), "to", end_json(&question->to, &c->to),
			 "verdict", weir_verdict_word(c->answer.verdict), "reason",
			 c->answer.reason, "text", c->answer.text, "policy",
			 policy ? policy->name : NULL, "direction",
			 policy ? weir_policy_gate_name(c->answer.gate) : NULL, "place",
			 weir_json_place(policy ? &policy->origin : &c->answer.origin), "note",
			 c->note);
}

static void print_case(const struct weir_question *question, const struct weir_case *c)
{
	const struct weir_policy *policy = c->answer.policy;
	char from[WEIR_ADDR_TEXT], to[WEIR_ADDR_TEXT], service[WEIR_SERVICE_TEXT] = "echo request";
	char place[128];
	if (question->service.l4 != WEIR_L4_ANY)
		(void)weir_service_text(&question->service, service);
	printf("%s: %s (%s) to %s (%s) %s: %s\n", weir_family_name(c->from.family),
	       question->from.text, weir_addr_text(&c->from, from), question->to.text,
	       weir_addr_text(&c->to, to), service, weir_verdict_word(c->answer.verdict));
	if (c->note)
		printf("  %s\n", c->note);
	weir_place_text(policy ? &policy->origin : &c->answer.origin, place, sizeof(place));
	printf("  %s%s%s%s\n", c->answer.text, place[0] ? " (" : "", place, place[0] ? ")" : "");
	if (policy && policy->gate == WEIR_BOTH_GATES && c->answer.gate != WEIR_BOTH_GATES)
		printf("  at the %s's gate\n",
		       c->answer.gate == WEIR_EGRESS ? "sender" : "receiver");
}

static int test_one(struct weir_cli *cli, const struct weir_scene *scene, struct weir_err *err)
{
	const char *from = weir_cli_value(cli, OPT_FROM), *to = weir_cli_value(cli, OPT_TO);
	struct weir_question question;
	struct weir_case cases[WEIR_NUM_FAMILIES];
	size_t n = 0;
	int r = weir_question_parse(scene, from, to, &question, err);
	if (r == 0)
		r = weir_question_answer(scene, &question, cases, &n, err);
	if (r < 0)
		return r;
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list, case_json(&question, &cases[i]));
		if (!cli->json && !cli->quiet)
			print_case(&question, &cases[i]);
	}
	if (cli->json)
		weir_print_json(json_pack("{s:O}", "answers", list));
	json_decref(list);
	return WEIR_EXIT_DONE;
}

/* ---- a file of expectations ---- */

static int test_file(struct weir_cli *cli, const struct weir_scene *scene, const char *file,
		     size_t *held, struct weir_err *err)
{
	struct weir_expectation *list = NULL;
	size_t n = 0;
	int r = weir_expect_read(scene, file, &list, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = weir_expect_check(scene, &list[i], err);
		*held += r == 0;
		if (r == 0 && cli->verbose)
			printf("holds: %s to %s: %s\n", list[i].from, list[i].to, list[i].expect);
	}
	return r;
}

static int test_files(struct weir_cli *cli, const struct weir_scene *scene, struct weir_err *err)
{
	size_t held = 0;
	for (size_t i = 0; i < cli->n_words; i++) {
		int r = test_file(cli, scene, cli->words[i], &held, err);
		if (r < 0)
			return r;
	}
	if (cli->json)
		weir_print_json(json_pack("{s:I}", "held", (json_int_t)held));
	else if (!cli->quiet)
		printf("%zu expectations hold\n", held);
	return WEIR_EXIT_DONE;
}

int weir_verb_policy_test(struct weir_cli *cli, struct weir_err *err)
{
	__attribute__((cleanup(free_world))) struct world world = { 0 };
	bool from = weir_cli_flag(cli, OPT_FROM), to = weir_cli_flag(cli, OPT_TO);
	if (from != to || from == (cli->n_words > 0)) {
		(void)weir_err_set(err, EINVAL,
				   "usage: weir policy test --from X --to Y[:PORT/PROTO] | FILE…");
		cli->usage = true;
		return -EINVAL;
	}
	int r = find_model(cli, &world, err);
	if (r < 0)
		return r;
	return from ? test_one(cli, &world.scene, err) : test_files(cli, &world.scene, err);
}
