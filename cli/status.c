/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status: is the host what it should be? */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* What the kernel has of a sysctl. */
struct present {
	long value;
	bool gone; /* with its interface */
};

struct status {
	struct weir_model model;
	struct weir_store_meta meta;
	struct weir_plan drift;
	struct weir_counters counters;
	struct weir_link_info *strays; /* interfaces of a store that is not here */
	size_t n_strays;
	const char **deaf; /* switches of interfaces from which the host forwards nothing */
	size_t n_deaf;
	uint64_t spoofed; /* frames that spoof guards have dropped */
	struct weir_stored_sysctl *sysctls;
	struct present *now; /* of each of them */
	size_t n_sysctls;
};

static int read_store(struct weir_cli *cli, struct status *st, struct weir_err *err)
{
	struct weir_scope all = { .all = true, .policies = true };
	return weir_cli_load_host(cli, &all, &st->model, &st->meta, &st->sysctls, &st->n_sysctls,
				  err);
}

static int read_sysctls(struct weir_cli *cli, struct weir_links *links, struct status *st,
			struct weir_err *err)
{
	st->now = weir_arena_alloc(&cli->arena, (st->n_sysctls + 1) * sizeof(*st->now));
	if (!st->now)
		return weir_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < st->n_sysctls; i++) {
		struct weir_err why = { 0 };
		int r = cli->links.sysctl_get(links, st->sysctls[i].key, &st->now[i].value, &why);
		st->now[i].gone = r == -ENOENT;
		if (r < 0 && r != -ENOENT) {
			*err = why;
			return r;
		}
	}
	return 0;
}

/* The kernel forwards IPv4 that comes from an interface whose own switch is on. Somebody has switched that
 * one off; it may be meant. */
static int read_deaf(struct weir_cli *cli, struct weir_links *links, struct status *st,
		     const char *ifname, struct weir_err *err)
{
	const char *key = weir_arena_printf(&cli->arena, "net/ipv4/conf/%s/forwarding", ifname);
	const char **keys = weir_arena_grow(&cli->arena, st->deaf, st->n_deaf, sizeof(*keys));
	struct weir_addr *addrs = NULL;
	size_t n = 0;
	long forwards = 1;
	if (!key || !keys)
		return weir_err_set(err, ENOMEM, "out of memory");
	st->deaf = keys;
	if (cli->links.sysctl_get(links, key, &forwards, NULL) < 0 || forwards)
		return 0; /* or it is gone */
	int r = cli->links.addresses(links, ifname, &cli->arena, &addrs, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (addrs[i].family == WEIR_IPV4) {
			st->deaf[st->n_deaf++] = key;
			break;
		}
	return r;
}

static int read_all_deaf(struct weir_cli *cli, struct weir_links *links, struct status *st,
			 struct weir_err *err)
{
	char(*uplinks)[WEIR_IFNAME_SIZE] = NULL;
	bool needed = false;
	long on = 0;
	size_t n = 0;
	for (size_t i = 0; i < st->model.n_networks; i++)
		needed |= weir_network_forwards(&st->model.networks[i], WEIR_IPV4);
	if (!needed || cli->links.sysctl_get(links, "net/ipv4/ip_forward", &on, NULL) < 0 || !on)
		return 0; /* what is wrong there is drift */
	int r = cli->links.uplinks(links, &cli->arena, &uplinks, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_deaf(cli, links, st, uplinks[i], err);
	return r;
}

static int read_links(struct weir_cli *cli, struct status *st, struct weir_err *err)
{
	struct weir_links *links = NULL;
	int r = cli->links.open(st->meta.uuid, cli->engine.trace, &links, err);
	if (r == 0)
		r = read_sysctls(cli, links, st, err);
	if (r == 0)
		r = read_all_deaf(cli, links, st, err);
	for (size_t i = 0; r == 0 && i < st->model.n_endpoints; i++)
		r = weir_cli_spoofed(cli, links, &st->model.endpoints[i], &st->spoofed, err);
	cli->links.close(links);
	return r;
}

/* A host where nothing is to be may have what a lost store has left. Where something is, what carries
 * another store's mark is left to that one. */
static int read_strays(struct weir_cli *cli, struct status *st, struct weir_err *err)
{
	struct weir_links *links = NULL;
	size_t n = 0;
	if (st->model.n_networks || st->model.n_endpoints)
		return 0;
	int r = cli->links.open(st->meta.uuid, cli->engine.trace, &links, err);
	if (r == 0)
		r = cli->links.list(links, &cli->arena, &st->strays, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (strcmp(st->strays[i].store, st->meta.uuid) != 0)
			st->strays[st->n_strays++] = st->strays[i];
	cli->links.close(links);
	return r;
}

static int read_kernel(struct weir_cli *cli, struct status *st, struct weir_err *err)
{
	struct weir_firewall *fw = NULL;
	int r = weir_engine_repair(&cli->engine, true, &st->drift, err);
	if (r == 0)
		r = read_strays(cli, st, err);
	if (r < 0 || !st->meta.uuid[0])
		return r;
	r = cli->firewall.open(st->meta.uuid, cli->engine.trace, &fw, err);
	if (r == 0)
		r = cli->firewall.counters(fw, &st->counters, err);
	cli->firewall.close(fw);
	return r < 0 ? r : read_links(cli, st, err);
}

static size_t count_mappings(const struct weir_model *model)
{
	size_t n = 0;
	for (size_t i = 0; i < model->n_endpoints; i++)
		n += model->endpoints[i].n_mappings;
	return n;
}

static json_t *sysctls_json(const struct status *st)
{
	json_t *list = json_array();
	for (size_t i = 0; i < st->n_sysctls; i++) {
		const struct weir_stored_sysctl *sysctl = &st->sysctls[i];
		json_t *now = st->now[i].gone ? json_null() : json_integer(st->now[i].value);
		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:o}", "key", sysctl->key,
						      "old", (json_int_t)sysctl->old, "set",
						      (json_int_t)sysctl->set, "now", now));
	}
	return list;
}

static void print_sysctls(const struct status *st)
{
	for (size_t i = 0; i < st->n_sysctls; i++) {
		const struct weir_stored_sysctl *sysctl = &st->sysctls[i];
		if (st->now[i].gone)
			continue;
		printf("sysctl    %s = %ld (was %ld", sysctl->key, st->now[i].value, sysctl->old);
		if (st->now[i].value != sysctl->set)
			printf(", weir has set %ld", sysctl->set);
		puts(")");
	}
}

static const char spoofed_words[] = "spoofed source";

static json_t *drops_json(const struct status *st)
{
	json_t *list = json_array();
	for (size_t i = 0; i < st->counters.n; i++)
		if (st->counters.items[i].reason)
			json_array_append_new(
				list,
				json_pack("{s:s, s:I, s:I}", "reason", st->counters.items[i].reason,
					  "packets", (json_int_t)st->counters.items[i].packets,
					  "bytes", (json_int_t)st->counters.items[i].bytes));
	json_array_append_new(list, json_pack("{s:s, s:I, s:n}", "reason", spoofed_words, "packets",
					      (json_int_t)st->spoofed, "bytes")); /* not counted */
	return list;
}

static void drift_words(const struct weir_step *step, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s%s%s: %s%s", step->object, step->name[0] ? " " : "",
		       step->name,
		       step->action == WEIR_ACTION_REMOVE ? "too much: "
		       : step->action == WEIR_ACTION_ADD  ? "missing: "
							  : "",
		       step->detail);
}

static void stray_words(const struct weir_link_info *link, char *buf, size_t size)
{
	bool port = link->endpoint[0];
	(void)snprintf(buf, size, "interface %s: of %s \"%s\" in store %s, which is not here",
		       link->ifname, port ? "endpoint" : "network",
		       port ? link->endpoint : link->network, link->store);
}

static void deaf_words(const char *key, char *buf, size_t size)
{
	(void)snprintf(
		buf, size,
		"%s is 0: nothing that arrives there is forwarded, not to published ports either",
		key);
}

static bool differs(const struct status *st)
{
	return st->drift.n_drift || st->n_strays;
}

static void print_json(const struct weir_cli *cli, const struct status *st)
{
	json_t *drift = json_array();
	char text[512];
	for (size_t i = 0; i < st->drift.n_drift; i++) {
		drift_words(&st->drift.drift[i], text, sizeof(text));
		json_array_append_new(drift, json_string(text));
	}
	for (size_t i = 0; i < st->n_strays; i++) {
		stray_words(&st->strays[i], text, sizeof(text));
		json_array_append_new(drift, json_string(text));
	}
	json_t *notes = json_array();
	for (size_t i = 0; i < st->n_deaf; i++) {
		deaf_words(st->deaf[i], text, sizeof(text));
		json_array_append_new(notes, json_string(text));
	}
	weir_print_json(json_pack(
		"{s:s, s:s, s:s?, s:s, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o}", "backend",
		cli->firewall.name, "container", cli->firewall.container, "store",
		st->meta.uuid[0] ? st->meta.uuid : NULL, "state_dir", cli->state_dir, "networks",
		(json_int_t)st->model.n_networks, "endpoints", (json_int_t)st->model.n_endpoints,
		"mappings", (json_int_t)count_mappings(&st->model), "policies",
		(json_int_t)st->model.n_policies, "in_sync", !differs(st), "drift", drift, "drops",
		drops_json(st), "sysctls", sysctls_json(st), "notes", notes));
}

static void print_text(const struct weir_cli *cli, const struct status *st)
{
	char text[512];
	printf("backend   %s (%s)\nstore     %s %s\nobjects   %zu networks, %zu endpoints, %zu "
	       "mappings, %zu policies\n",
	       cli->firewall.name, cli->firewall.container, cli->state_dir,
	       st->meta.uuid[0] ? st->meta.uuid : "(nothing yet)", st->model.n_networks,
	       st->model.n_endpoints, count_mappings(&st->model), st->model.n_policies);
	print_sysctls(st);
	for (size_t i = 0; i < st->counters.n; i++)
		if (st->counters.items[i].reason && st->counters.items[i].packets)
			printf("dropped   %llu packets: %s\n",
			       (unsigned long long)st->counters.items[i].packets,
			       st->counters.items[i].reason);
	if (st->spoofed)
		printf("dropped   %llu packets: %s\n", (unsigned long long)st->spoofed,
		       spoofed_words);
	for (size_t i = 0; i < st->n_deaf; i++) {
		deaf_words(st->deaf[i], text, sizeof(text));
		printf("note      %s\n", text);
	}
	for (size_t i = 0; i < st->drift.n_drift; i++) {
		drift_words(&st->drift.drift[i], text, sizeof(text));
		printf("drift     %s\n", text);
	}
	for (size_t i = 0; i < st->n_strays; i++) {
		stray_words(&st->strays[i], text, sizeof(text));
		printf("drift     %s\n", text);
	}
	puts(st->n_strays
		     ? "The host has what another store made: use its --state-dir, or where that "
		       "is lost, `ip link del` and `ip netns del`."
	     : st->drift.n_drift ? "The host is not what it should be: run `weir repair`."
				 : "The host is what it should be.");
}

static void free_status(struct status *st)
{
	weir_model_free(&st->model);
	weir_plan_free(&st->drift);
	weir_counters_free(&st->counters);
}

int weir_verb_status(struct weir_cli *cli, struct weir_err *err)
{
	__attribute__((cleanup(free_status))) struct status st = { 0 };
	int r = weir_cli_engine(cli, err);
	if (r == 0)
		r = read_store(cli, &st, err);
	if (r == 0)
		r = read_kernel(cli, &st, err);
	if (r < 0)
		return r;
	if (cli->json)
		print_json(cli, &st);
	else if (!cli->quiet)
		print_text(cli, &st);
	return differs(&st) ? WEIR_EXIT_FAILED : WEIR_EXIT_DONE;
}
