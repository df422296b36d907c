/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spec reader: goldens of models and of errors, several files, odd files, the nearest word. */
#include "vmtests/unit/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/selector.h"
#include "core/spec.h"
#include "vmtests/unit/golden.h"

/* ---- a model as text ---- */

static void print_addr(FILE *out, const char *what, const struct weir_addr *addr)
{
	char text[WEIR_ADDR_TEXT];

	if (weir_addr_is_set(addr))
		(void)fprintf(out, " %s %s", what, weir_addr_text(addr, text));
}

static void print_addrs(FILE *out, const char *what,
			const struct weir_addr addrs[WEIR_NUM_FAMILIES])
{
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++)
		print_addr(out, what, &addrs[family]);
}

static void print_mac(FILE *out, const struct weir_mac *mac)
{
	char text[WEIR_MAC_TEXT];

	if (weir_mac_is_set(mac))
		(void)fprintf(out, " mac %s", weir_mac_text(mac, text));
}

static void print_network(FILE *out, const struct weir_network *net)
{
	static const char *const nats[] = { "masquerade", "none", "address" };
	char text[WEIR_PREFIX_TEXT];

	(void)fprintf(out, "%u:%u network %s %s nat %s", net->origin.line, net->origin.column,
		      net->name, weir_mode_name(net->mode), nats[net->nat]);
	print_addrs(out, "nat-address", net->nat_addr);
	if (net->nat_random)
		(void)fputs(" random", out);
	print_addrs(out, "gateway", net->gateways);
	(void)fprintf(out, "%s%s%s%s%s%s%s%s%s%s",
		      net->gateway_endpoint ? " gateway-endpoint " : "",
		      net->gateway_endpoint ? net->gateway_endpoint : "",
		      net->internal ? " internal" : "", net->isolate ? " isolate" : "",
		      net->host_deny ? " host-deny" : "",
		      net->filter_bridged ? " filter-bridged" : "",
		      net->no_spoof_guard ? " no-spoof-guard" : "", net->strict ? " strict" : "",
		      net->ifname[0] ? " bridge " : "", net->ifname);
	if (net->ingress || net->egress)
		(void)fprintf(out, " default ingress %s egress %s", weir_default_name(net->ingress),
			      weir_default_name(net->egress));
	(void)fprintf(out, net->mtu ? " mtu %u\n" : "\n", net->mtu);
	for (size_t i = 0; i < net->n_subnets; i++)
		(void)fprintf(out, "  %u:%u subnet %s\n", net->subnets[i].origin.line,
			      net->subnets[i].origin.column,
			      weir_prefix_text(&net->subnets[i].prefix, text));
	for (size_t i = 0; i < net->n_excluded; i++) {
		(void)fprintf(out, "  exclude");
		print_addr(out, "from", &net->excluded[i].lo);
		print_addr(out, "to", &net->excluded[i].hi);
		(void)fprintf(out, "\n");
	}
	for (size_t i = 0; i < net->n_trusted; i++)
		(void)fprintf(out, "  trusted %s\n", net->trusted[i]);
}

static void print_attachment(FILE *out, const struct weir_attachment *att)
{
	(void)fprintf(out, "  %u:%u in %s", att->origin.line, att->origin.column, att->network);
	print_addrs(out, "ip", att->addrs);
	print_mac(out, &att->mac);
	(void)fprintf(out, "%s%s", att->ifname[0] ? " ifname " : "", att->ifname);
	if (att->priority)
		(void)fprintf(out, " priority %d", att->priority);
	if (att->mtu)
		(void)fprintf(out, " mtu %u", att->mtu);
	(void)fprintf(out, "%s%s", att->isolated ? " isolated" : "", att->locked ? " locked" : "");
	(void)fprintf(out, "\n");
}

static void print_routes(FILE *out, const struct weir_endpoint *ep)
{
	char text[WEIR_PREFIX_TEXT];

	for (size_t i = 0; i < ep->n_routes; i++) {
		(void)fprintf(out, "  %u:%u route %s", ep->routes[i].origin.line,
			      ep->routes[i].origin.column,
			      weir_prefix_text(&ep->routes[i].to, text));
		print_addr(out, "via", &ep->routes[i].via);
		(void)fprintf(out, "\n");
	}
	for (size_t i = 0; i < ep->n_dns; i++) {
		(void)fprintf(out, " ");
		print_addr(out, "dns", &ep->dns[i]);
		(void)fprintf(out, "\n");
	}
}

static void print_endpoint(FILE *out, const struct weir_endpoint *ep)
{
	static const char *const kinds[] = { "own", "path", "host" };
	char text[WEIR_MAPPING_TEXT];

	(void)fprintf(out, "%u:%u endpoint %s netns %s%s%s%s\n", ep->origin.line, ep->origin.column,
		      ep->name, kinds[ep->netns], ep->netns_path ? " " : "",
		      ep->netns_path ? ep->netns_path : "", ep->forward ? " forward" : "");
	if (ep->rate.to)
		(void)fprintf(out, "  rate %s\n", weir_rate_text(&ep->rate, text));
	for (size_t i = 0; i < ep->n_attachments; i++)
		print_attachment(out, &ep->attachments[i]);
	for (size_t i = 0; i < ep->n_mappings; i++)
		(void)fprintf(out, "  %u:%u publish %s%s%s%s\n", ep->mappings[i].origin.line,
			      ep->mappings[i].origin.column,
			      weir_mapping_text(&ep->mappings[i], text),
			      ep->mappings[i].network ? " in " : "",
			      ep->mappings[i].network ? ep->mappings[i].network : "",
			      ep->mappings[i].strict ? " strict" : "");
	for (size_t i = 0; i < ep->n_labels; i++)
		(void)fprintf(out, "  label %s=%s\n", ep->labels[i].key, ep->labels[i].value);
	print_routes(out, ep);
}

static void print_selectors(FILE *out, const char *end, const struct weir_selector *sels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		(void)fprintf(out, "  %u:%u %s ", sels[i].origin.line, sels[i].origin.column, end);
		weir_selectors_print(&sels[i], 1, out);
		(void)fprintf(out, "\n");
	}
}

static void print_policy(FILE *out, const struct weir_policy *policy)
{
	char text[WEIR_SERVICE_TEXT];

	(void)fprintf(out, "%u:%u policy %s %s at %s priority %d log %s\n", policy->origin.line,
		      policy->origin.column, policy->name, weir_policy_action_name(policy->action),
		      weir_policy_gate_name(policy->gate), policy->priority,
		      weir_policy_log_name(policy->log));
	print_selectors(out, "from", policy->from, policy->n_from);
	print_selectors(out, "to", policy->to, policy->n_to);
	for (size_t i = 0; i < policy->n_services; i++)
		(void)fprintf(out, "  %u:%u port %s\n", policy->services[i].origin.line,
			      policy->services[i].origin.column,
			      weir_service_text(&policy->services[i], text));
}

static void print_model(FILE *out, const struct weir_model *model)
{
	char text[WEIR_PREFIX_TEXT];

	for (size_t i = 0; i < model->n_networks; i++)
		print_network(out, &model->networks[i]);
	for (size_t i = 0; i < model->n_endpoints; i++)
		print_endpoint(out, &model->endpoints[i]);
	for (size_t i = 0; i < model->n_pools; i++)
		(void)fprintf(out, "%u:%u pool %s in /%u\n", model->pools[i].origin.line,
			      model->pools[i].origin.column,
			      weir_prefix_text(&model->pools[i].prefix, text),
			      model->pools[i].size);
	for (size_t i = 0; i < model->n_policies; i++)
		print_policy(out, &model->policies[i]);
}

/* ---- goldens ---- */

static bool check_golden(const char *yaml)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_err err = { 0 };
	char path[256], place[128], *got = NULL, *text = golden_read(yaml);
	size_t len = 0;

	int r = weir_spec_parse(text, strlen(text), strrchr(yaml, '/') + 1, &model, &err);
	FILE *out = open_memstream(&got, &len);
	if (r < 0)
		(void)fprintf(out, "%s: %s\n", weir_place_text(&err.at, place, sizeof(place)),
			      err.text);
	else
		print_model(out, &model);
	(void)fclose(out);
	golden_beside(path, sizeof(path), yaml, r < 0 ? ".err" : ".model");
	bool same = golden_same(path, got);
	if ((r < 0) != (strstr(yaml, "/bad-") != NULL)) {
		print_error("%s: %s", yaml, r < 0 ? got : "no error\n");
		same = false;
	}
	free(got);
	free(text);
	return same;
}

static void goldens_are_as_they_were(void **state)
{
	(void)state;
	assert_int_equal(golden_each("vmtests/golden/spec/*.yaml", check_golden), 0);
}

/* ---- several files ---- */

static int parse(struct weir_model *model, const char *file, const char *text, struct weir_err *err)
{
	return weir_spec_parse(text, strlen(text), file, model, err);
}

static void files_add_up(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };

	(void)state;
	assert_int_equal(parse(&model, "a", "networks: {web: {}}\nendpoints: {z: , a: }", NULL), 0);
	assert_int_equal(parse(&model, "b", "networks: {db: {}}\nendpoints: {m: {networks: [web]}}",
			       NULL),
			 0);
	assert_int_equal(model.n_networks, 2);
	assert_int_equal(model.n_endpoints, 3);
	assert_string_equal(model.endpoints[1].name, "m");
	assert_string_equal(weir_place_file(&model.endpoints[1].origin), "b");
	assert_true(model.endpoints[1].declared);
	assert_non_null(weir_model_network(&model, "db"));
}

static void policies_are_named_once(void **state)
{
	struct weir_err err = { 0 };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	const char *late = "policies:\n- {name: p, priority: 9, action: deny}";

	(void)state;
	assert_int_equal(parse(&model, "a.yaml", "policies: [{name: p, action: allow}]", NULL), 0);
	assert_int_equal(parse(&model, "b.yaml", late, &err), -EEXIST);
	assert_non_null(strstr(err.text, "policy \"p\" is declared twice"));
}

static void one_name_in_two_files_is_refused(void **state)
{
	struct weir_err err = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		const char *text = i ? "endpoints: {web: }" : "networks:\n  web: {}";
		assert_int_equal(parse(&model, "a.yaml", text, NULL), 0);
		assert_int_equal(parse(&model, "b.yaml", text, &err), -EEXIST);
		assert_non_null(strstr(err.text, "\"web\" is declared twice, first at "));
		assert_string_not_equal(weir_place_file(&err.at), "");
	}
}

static void nothing_declares_nothing(void **state)
{
	static const char *const rows[] = { "",	     "\n\n", "# nothing",
					    "---\n", "{}",   "networks:\nendpoints:\n",
					    "null" };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		assert_int_equal(parse(&model, "a", rows[i], NULL), 0);
		assert_int_equal(model.n_networks + model.n_endpoints + model.n_pools, 0);
	}
}

/* ---- odd bytes and sizes ---- */

static void broken_bytes_are_refused_with_their_line(void **state)
{
	static const char nul[] = "networks:\n  we\0b: {}\n";
	static const char *const rows[] = { "networks:\n  w\xff: {}", "networks:\n  w\xc0\x80: {}",
					    "networks:\n  w\xed\xa0\x80: {}",
					    "networks:\n  w\xe2\x82",
					    "networks:\n  w\xf4\x90\x80\x80: {}" };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_err err = { 0 };

	(void)state;
	assert_int_equal(weir_spec_parse(nul, sizeof(nul) - 1, "a", &model, &err), -EINVAL);
	assert_int_equal(err.at.line, 2);
	for (size_t i = 0; i < N_OF(rows); i++) {
		assert_int_equal(parse(&model, "a", rows[i], &err), -EINVAL);
		assert_int_equal(err.at.line, 2);
		assert_non_null(strstr(err.text, "UTF-8"));
	}
}

/* A kilobyte that would stand for a hundred million values, were aliases followed. */
static void aliases_cannot_blow_up(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_err err = { 0 };
	char text[2048] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";

	(void)state;
	for (int i = 1; i < 9; i++) {
		size_t used = strlen(text);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s*a%d",
						 j ? "," : "", i - 1);
		(void)snprintf(text + used, sizeof(text) - used, "]\n");
	}
	assert_int_equal(parse(&model, "a", text, &err), -EINVAL);
	assert_non_null(strstr(err.text, "aliases"));
	assert_int_equal(err.at.line, 2);
}

/* What the YAML library gets wrong must not become a wrong value. */
static void quotes_are_read_right_or_refused(void **state)
{
	static const struct {
		const char *text, *value; /* NULL: refused */
	} rows[] = {
		{ "'it''s'", "it's" },	  { "'''a'", "'a" },	  { "''", "" },
		{ "'a''b''c'", "a'b'c" }, { "'a''''b'", NULL },	  { "''''''", NULL },
		{ "\"it's\"", "it's" },	  { "\"a''b\"", "a''b" }, { "\"\\\"\\\"x\"", "\"\"x" },
		{ "a''b", "a''b" },	  { "\"\\u00e4\"", "ä" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		WEIR_CLEAN_MODEL struct weir_model model = { 0 };
		char text[128];
		(void)snprintf(text, sizeof(text), "endpoints: {a: {labels: {x: %s}}}",
			       rows[i].text);
		int r = parse(&model, "a", text, NULL);
		if (r != (rows[i].value ? 0 : -EINVAL))
			fail_msg("%s: %d", rows[i].text, r);
		if (rows[i].value)
			assert_string_equal(model.endpoints[0].labels[0].value, rows[i].value);
	}
}

static void depth_is_bounded(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	char text[40001];

	(void)state;
	memset(text, '[', 20000);
	memset(text + 20000, ']', 20000);
	text[40000] = '\0';
	assert_int_equal(parse(&model, "a", text, NULL), -EINVAL);
	for (size_t i = 0; i < 10000; i++)
		memcpy(text + 4 * i, "{a: ", 4);
	assert_int_equal(parse(&model, "a", text, NULL), -EINVAL);
}

static void many_endpoints_are_read(void **state)
{
	enum { N = 20000 };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	(void)fprintf(out, "endpoints:\n");
	for (int i = 0; i < N; i++)
		(void)fprintf(out, "  e%d: {networks: [web], publish: [%d:80]}\n", i, i + 1);
	(void)fclose(out);
	assert_int_equal(weir_spec_parse(text, len, "a", &model, NULL), 0);
	assert_int_equal(model.n_endpoints, N);
	assert_int_equal(weir_model_endpoint(&model, "e19999")->mappings[0].host_ports.lo, N);
	free(text);
}

/* ---- files ---- */

static void absent_and_odd_files_are_told(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_err err = { 0 };

	(void)state;
	assert_int_equal(weir_spec_read("/nonexistent/web.yaml", &model, &err), -ENOENT);
	assert_string_equal(err.text,
			    "cannot open /nonexistent/web.yaml: No such file or directory");
	assert_int_equal(weir_spec_read("/", &model, &err), -EISDIR);
	assert_int_equal(weir_spec_read("/dev/zero", &model, &err), -EFBIG);
	assert_int_equal(weir_spec_read("/dev/null", &model, &err), 0);
}

static void a_file_is_read_whole(void **state)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	char path[] = "/tmp/weir-spec-XXXXXX";
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");

	(void)state;
	for (int i = 0; i < 50000; i++) /* larger than the first read, twice */
		(void)fprintf(out, "# line %d\n", i);
	(void)fprintf(out, "networks: {web: {}}\n");
	assert_int_equal(fclose(out), 0);
	assert_int_equal(weir_spec_read(path, &model, NULL), 0);
	(void)unlink(path);
	assert_int_equal(model.n_networks, 1);
	assert_int_equal(model.networks[0].origin.line, 50001);
	assert_string_equal(weir_place_file(&model.networks[0].origin), path);
}

/* ---- words ---- */

static void the_nearest_word_is_found(void **state)
{
	static const char *const known[] = { "subnet", "subnets", "gateway", "mode",
					     "nat",    "mtu",	  "host" };
	static const struct {
		const char *word, *nearest;
	} rows[] = {
		{ "subnt", "subnet" },
		{ "sbunet", "subnet" },
		{ "Subnet", "subnet" },
		{ "gatway", "gateway" },
		{ "modes", "mode" },
		{ "nta", "nat" },
		{ "mut", "mtu" },
		{ "subnetz", "subnet" },
		{ "policies", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "rate", NULL },
		{ "subnetsubnetsubnetsubnetsubnetsubnet", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *got = weir_spec_nearest(rows[i].word, known, N_OF(known));
		if ((got == NULL) != (rows[i].nearest == NULL) ||
		    (got && strcmp(got, rows[i].nearest) != 0))
			fail_msg("%s: %s", rows[i].word, got ? got : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goldens_are_as_they_were),
		cmocka_unit_test(files_add_up),
		cmocka_unit_test(one_name_in_two_files_is_refused),
		cmocka_unit_test(policies_are_named_once),
		cmocka_unit_test(nothing_declares_nothing),
		cmocka_unit_test(broken_bytes_are_refused_with_their_line),
		cmocka_unit_test(aliases_cannot_blow_up),
		cmocka_unit_test(quotes_are_read_right_or_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(many_endpoints_are_read),
		cmocka_unit_test(absent_and_odd_files_are_told),
		cmocka_unit_test(a_file_is_read_whole),
		cmocka_unit_test(the_nearest_word_is_found),
	};
	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
