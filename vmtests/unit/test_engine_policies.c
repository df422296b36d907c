/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies through the engine: put, changed, removed; what they name is there; networks are filtered when
 * and as long as policies bind their own traffic; what is legal and odd is warned about. */
#include "vmtests/unit/engine_fixture.h"

#define HOST                                                                  \
	"networks: {web: {subnet: 10.1.0.0/24}, db: {subnet: 10.2.0.0/24}}\n" \
	"endpoints:\n"                                                        \
	"  api: {networks: [web, db], labels: {role: api}}\n"                 \
	"  ui: {networks: [web], labels: {role: front}}\n"                    \
	"  pg: {networks: [db]}\n"

static const struct weir_step *step(const struct host *h, const char *object, const char *name)
{
	for (size_t i = 0; i < h->plan.n_steps; i++)
		if (strcmp(h->plan.steps[i].object, object) == 0 &&
		    strcmp(h->plan.steps[i].name, name) == 0)
			return &h->plan.steps[i];
	return NULL;
}

static void assert_step(const struct host *h, enum weir_action action, const char *object,
			const char *name, const char *detail)
{
	const struct weir_step *found = step(h, object, name);
	if (!found)
		fail_msg("no step for %s %s", object, name);
	assert_int_equal(found->action, action);
	assert_string_equal(found->detail, detail);
}

static bool is_filtered(const struct host *h, const char *bridge)
{
	char want[64], *text = dump(h);
	(void)snprintf(want, sizeof(want), "%s", bridge);
	const char *line = strstr(text, want);
	for (; line; line = strstr(line + 1, want)) {
		const char *filter = strstr(line, "filter ");
		const char *end = strchr(line, '\n');
		if (filter && filter < end) {
			bool on = filter[strlen("filter ")] == '1';
			free(text);
			return on;
		}
	}
	print_error("%s", text);
	free(text);
	fail_msg("no bridge %s", bridge);
	return false;
}

/* ---- as objects ---- */

static void test_put_change_remove(void **state)
{
	struct host *h = *state;
	const char *spec = HOST
		"policies: [{name: p, from: {labels: {role: api}}, to: 'endpoint:pg', "
		"ports: [5432], action: allow}]";
	OK(h, apply(h, spec));
	assert_step(h, WEIR_ACTION_ADD, "policy", "p",
		    "allow from label:role=api to endpoint:pg ports 5432/tcp");
	assert_int_equal(step(h, "policy", "p")->origin.line, 6);
	OK(h, apply(h, spec));
	assert_int_equal(h->plan.n_steps, 0);
	OK(h, plan(h, spec));
	assert_int_equal(h->plan.n_steps, 0);
	OK(h, apply(h, "policies: [{name: p, from: {labels: {role: api}}, to: 'endpoint:pg', "
		       "ports: [5432, 53/udp], action: deny, log: true}]"));
	assert_int_equal(h->plan.n_steps, 1);
	assert_step(h, WEIR_ACTION_CHANGE, "policy", "p",
		    "action deny, ports 5432/tcp 53/udp, log nflog");
	FAILS(h, EEXIST, "policy \"p\" is there already, in another form",
	      add(h, "policies: [{name: p, action: allow}]"));
	assert_converged(h);
	OK(h, remove_policy(h, "p"));
	assert_step(h, WEIR_ACTION_REMOVE, "policy", "p",
		    "deny from label:role=api to endpoint:pg ports 5432/tcp 53/udp, log nflog");
	FAILS(h, ENOENT, "no policy named \"p\"", remove_policy(h, "p"));
	assert_converged(h);
}

/* A file that was edited above a policy: nothing changes, but its place is the new one. */
static void test_places_follow_the_file(void **state)
{
	struct host *h = *state;
	WEIR_CLEAN_STORE struct weir_store *store = NULL;
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	const struct weir_scope policies = { .policies = true };
	OK(h, apply(h, "policies: [{name: p, action: deny}]"));
	OK(h, apply(h, "# a comment\npolicies: [{name: p, action: deny}]"));
	assert_int_equal(h->plan.n_steps, 0);
	OK(h, weir_store_open(h->state, false, &store, &h->err));
	OK(h, weir_store_load(store, &policies, &model, &h->err));
	assert_int_equal(model.policies[0].origin.line, 2);
	assert_string_equal(weir_place_file(&model.policies[0].origin), "spec");
}

static void test_pruned_and_deleted(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, HOST "policies: [{name: a, action: allow}, {name: b, action: deny}]"));
	OK(h, prune(h, HOST "policies: [{name: b, action: deny}]"));
	assert_int_equal(h->plan.n_steps, 1);
	assert_step(h, WEIR_ACTION_REMOVE, "policy", "a", "allow from any to any");
	OK(h, prune(h, "policies: [{name: b, action: deny}]")); /* networks go, it stays */
	assert_null(step(h, "policy", "b"));
	OK(h, apply(h, HOST));
	OK(h, delete_all(h));
	assert_step(h, WEIR_ACTION_REMOVE, "policy", "b", "deny from any to any");
}

static void test_twice_in_one_change(void **state)
{
	struct host *h = *state;
	struct weir_op ops[] = { { .kind = WEIR_REMOVE_POLICY, .name = "p" },
				 { .kind = WEIR_REMOVE_POLICY, .name = "p" } };
	const struct weir_change both = { .ops = ops, .n_ops = 2 };
	FAILS(h, EINVAL, "change policy \"p\" twice", change(h, &both, false));
}

/* ---- names ---- */

static void test_what_is_named_is_there(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, HOST));
	char *before = dump(h);
	FAILS(h, ENOENT, "policy \"p\": no endpoint named \"px\"",
	      apply(h, "policies:\n- name: p\n  action: deny\n  to:\n  - 'endpoint:pg|px'"));
	assert_int_equal(h->err.at.line, 5);
	FAILS(h, ENOENT, "policy \"p\": no network named \"dbx\"",
	      apply(h, "policies: [{name: p, action: deny, from: {network: dbx}}]"));
	FAILS(h, EINVAL, "is a p2p one",
	      apply(h, "networks: {wire: {mode: p2p, subnet: 10.9.0.0/30}}\n"
		       "policies: [{name: p, action: deny, from: 'network:wire'}]"));
	char *after = dump(h);
	SAME(before, after, "refused policies left something");
	free(after);
	free(before);
}

static void test_what_is_named_stays(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, HOST "policies: [{name: p, action: deny, from: 'endpoint:ui', to: "
			    "'network:db'}]"));
	char *before = dump(h);
	FAILS(h, EBUSY, "endpoint \"ui\" is named by policy \"p\"", remove_endpoint(h, "ui"));
	FAILS(h, ENOENT, "no endpoint named \"ui\"",
	      prune(h, "networks: {web: {subnet: 10.1.0.0/24}, db: {subnet: 10.2.0.0/24}}\n"
		       "policies: [{name: p, action: deny, from: 'endpoint:ui', to: "
		       "'network:db'}]"));
	char *after = dump(h);
	SAME(before, after, "refused removals left something");
	free(after);
	free(before);
	OK(h, remove_endpoint(h, "pg")); /* nobody names it */
	struct weir_op ops[] = { { .kind = WEIR_REMOVE_ENDPOINT, .name = "ui" },
				 { .kind = WEIR_REMOVE_POLICY, .name = "p" } };
	OK(h, change(h, &(struct weir_change){ .ops = ops, .n_ops = 2 }, false));
	assert_converged(h);
}

/* ---- filtered networks ---- */

static void test_filtered_while_bound(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, HOST));
	assert_false(is_filtered(h, "wb-db"));
	OK(h, apply(h, "policies: [{name: p, action: deny, from: {labels: {role: api}}, to: "
		       "'endpoint:pg'}]"));
	assert_step(h, WEIR_ACTION_CHANGE, "network", "db", "traffic within filtered by policies");
	assert_null(step(h, "network", "web"));
	assert_true(is_filtered(h, "wb-db"));
	assert_false(is_filtered(h, "wb-web"));
	assert_converged(h);
	/* the network put again, unchanged: it stays as it is */
	OK(h, apply(h, "networks: {db: {subnet: 10.2.0.0/24}}"));
	assert_int_equal(h->plan.n_steps, 0);
	/* nobody of db carries the label any more */
	OK(h, apply(h, "endpoints: {api: {networks: [web, db], labels: {role: x}}}"));
	assert_step(h, WEIR_ACTION_CHANGE, "network", "db", "traffic within passed");
	assert_false(is_filtered(h, "wb-db"));
	OK(h, apply(h, "endpoints: {api: {networks: [web, db], labels: {role: api}}}"));
	assert_true(is_filtered(h, "wb-db"));
	OK(h, remove_policy(h, "p"));
	assert_false(is_filtered(h, "wb-db"));
	assert_converged(h);
}

static void test_defaults_filter(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, HOST));
	OK(h, apply(h, "networks: {db: {subnet: 10.2.0.0/24, default: {ingress: deny}}}"));
	assert_step(h, WEIR_ACTION_CHANGE, "network", "db",
		    "ingress deny, traffic within filtered by policies");
	assert_true(is_filtered(h, "wb-db"));
	assert_false(is_filtered(h, "wb-web"));
	assert_converged(h);
	OK(h, apply(h, "networks: {db: {subnet: 10.2.0.0/24}}"));
	assert_false(is_filtered(h, "wb-db"));
	assert_converged(h);
}

/* ---- warnings ---- */

static void assert_warned(const struct host *h, size_t i, unsigned line, const char *detail)
{
	assert_true(i < h->plan.n_warnings);
	assert_string_equal(h->plan.warnings[i].detail, detail);
	assert_int_equal(h->plan.warnings[i].origin.line, line);
}

static void test_warnings(void **state)
{
	struct host *h = *state;
	const char *odd =
		"policies:\n"
		"- {name: a, action: allow, from: 'label:role=api|nix,tier'}\n"
		"- {name: b, action: allow, from: 'endpoint:ui+network:db'}\n"
		"- {name: c, action: allow, from: 'cidr:10.0.0.0/8', to: 'cidr:fd00::/8'}\n"
		"- {name: d, action: allow, from: 'cidr:10.0.0.0/8', ports: [80, icmpv6]}\n"
		"- {name: e, action: deny, from: host, direction: egress}\n"
		"- {name: f, action: deny, from: 'label:role', to: outside}\n";
	OK(h, apply(h, HOST));
	OK(h, plan(h, odd));
	assert_int_equal(h->plan.n_warnings, 6);
	OK(h, apply(h, odd));
	assert_int_equal(h->plan.n_warnings, 6);
	/* in the order of the policies: what denies is first */
	assert_warned(h, 0, 6,
		      "the host has no gate of its own: leave \"direction\" out, or name the "
		      "endpoint's");
	assert_warned(h, 1, 2, "no endpoint has the label role=nix");
	assert_warned(h, 2, 2, "no endpoint has a label \"tier\"");
	assert_warned(h, 3, 3, "the selector picks no endpoint, as things are");
	assert_warned(h, 4, 4, "it can never match: one end is IPv4 and the other IPv6");
	assert_warned(h, 5, 5, "icmpv6 can never match: the addresses are IPv4");
	OK(h, apply(h, "endpoints: {pg: {networks: [db], labels: {x: y}}}"));
	assert_int_equal(h->plan.n_warnings, 0); /* it is not about them */
}

static void test_wires_are_warned_about(void **state)
{
	struct host *h = *state;
	OK(h, apply(h, "networks: {wire: {mode: p2p, subnet: 10.9.0.0/30}}\n"
		       "endpoints: {a: {networks: [wire], labels: {x: y}}, b: {networks: [wire]}}\n"
		       "policies: [{name: p, action: deny, from: 'label:x'}]"));
	assert_int_equal(h->plan.n_warnings, 1);
	assert_non_null(strstr(h->plan.warnings[0].detail,
			       "picks an endpoint of network \"wire\": what passes there never"));
}

static void test_internal_networks_are_warned_about(void **state)
{
	static const struct {
		const char *policy;
		bool warned;
	} rows[] = {
		{ "action: allow, from: 'network:front', to: 'network:back'", true },
		{ "action: allow, from: 'endpoint:pg', to: 'endpoint:ui'", true },
		{ "action: deny, from: 'network:front', to: 'network:back'", false },
		{ "action: allow, from: 'network:front', to: 'network:other'", false },
		{ "action: allow, from: 'network:back', to: 'endpoint:pg'", false },
		{ "action: allow, from: 'endpoint:both', to: 'network:back'", false },
		{ "action: allow, from: 'endpoint:both+network:front', to: 'network:back'", true },
		{ "action: allow, to: 'network:back'", false },
	};
	struct host *h = *state;
	char spec[256];
	OK(h, apply(h, "networks:\n"
		       "  front: {subnet: 10.1.0.0/24}\n"
		       "  other: {subnet: 10.2.0.0/24}\n"
		       "  back: {subnet: 10.3.0.0/24, internal: true}\n"
		       "endpoints: {ui: {networks: [front]}, pg: {networks: [back]},\n"
		       "  both: {networks: [front, back]}, o: {networks: [other]}}\n"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(spec, sizeof(spec), "policies: [{name: p, %s}]", rows[i].policy);
		OK(h, plan(h, spec));
		if (h->plan.n_warnings != rows[i].warned)
			fail_msg("%s: %zu warnings", rows[i].policy, h->plan.n_warnings);
		if (rows[i].warned)
			assert_non_null(strstr(h->plan.warnings[0].detail, "it allows nothing"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_put_change_remove),
		HOST_TEST(test_internal_networks_are_warned_about),
		HOST_TEST(test_places_follow_the_file),
		HOST_TEST(test_pruned_and_deleted),
		HOST_TEST(test_twice_in_one_change),
		HOST_TEST(test_what_is_named_is_there),
		HOST_TEST(test_what_is_named_stays),
		HOST_TEST(test_filtered_while_bound),
		HOST_TEST(test_defaults_filter),
		HOST_TEST(test_warnings),
		HOST_TEST(test_wires_are_warned_about),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
