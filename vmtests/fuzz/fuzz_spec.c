/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a spec: a refusal says where; a model that is taken passes its own checks, copies
 * to an equal one, and compiles or says why not. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/selector.h"
#include "core/spec.h"
#include "policy/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_networks(const struct weir_model *model, struct weir_model *copies)
{
	for (size_t i = 0; i < model->n_networks; i++) {
		const struct weir_network *net = &model->networks[i];
		struct weir_network *copy = weir_model_add_network(copies);

		assert(weir_network_check(net, NULL) == 0);
		assert(!i || strcmp(model->networks[i - 1].name, net->name) < 0);
		assert(copy && weir_network_copy(copies, copy, net) == 0);
		assert(weir_network_equal(copy, net));
		assert(weir_model_network(model, net->name) == net);
	}
}

static void check_endpoints(const struct weir_model *model, struct weir_model *copies)
{
	for (size_t i = 0; i < model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &model->endpoints[i];
		struct weir_endpoint *copy = weir_model_add_endpoint(copies);

		assert(weir_endpoint_check(ep, NULL) == 0);
		assert(!i || strcmp(model->endpoints[i - 1].name, ep->name) < 0);
		assert(copy && weir_endpoint_copy(copies, copy, ep) == 0);
		assert(weir_endpoint_equal(copy, ep));
	}
}

static void check_policies(struct weir_model *model, struct weir_model *copies)
{
	for (size_t i = 0; i < model->n_policies; i++) {
		const struct weir_policy *policy = &model->policies[i];
		struct weir_policy *copy = weir_model_add_policy(copies);

		assert(weir_policy_check(policy, NULL) == 0);
		assert(!i || weir_policy_cmp(&model->policies[i - 1], policy) < 0);
		assert(copy && weir_policy_copy(copies, copy, policy) == 0);
		assert(weir_policy_equal(copy, policy));
		assert(weir_model_policy(model, policy->name) == policy);
	}
	assert(weir_policies_bind(model, NULL) == 0);
}

/* Just enough that the compiler has something to do. */
static void resolve(struct weir_model *model)
{
	uint16_t port = 1;

	for (size_t i = 0; i < model->n_networks; i++) {
		struct weir_network *net = &model->networks[i];
		(void)snprintf(net->ifname, sizeof(net->ifname), "wb-%u", (unsigned)i % 100000);
		(void)weir_network_resolve_gateways(net, NULL);
	}
	for (size_t i = 0; i < model->n_endpoints; i++) {
		struct weir_endpoint *ep = &model->endpoints[i];
		for (size_t j = 0; j < ep->n_mappings; j++, port++)
			if (weir_mapping_is_open(&ep->mappings[j]))
				ep->mappings[j].host_ports = (struct weir_ports){ port, port };
	}
}

static void check_compiles(struct weir_model *model)
{
	WEIR_CLEAN_RULESET struct weir_ruleset rules = { 0 };
	struct weir_err err = { 0 };
	char text[WEIR_ENTRY_TEXT];

	resolve(model);
	if (weir_compile(model, &rules, &err) < 0) {
		assert(err.text[0]);
		return;
	}
	for (size_t i = 0; i < rules.n; i++) {
		assert(weir_entry_text(&rules.entries[i], text)[0]);
		assert(!i || weir_entry_key_cmp(&rules.entries[i - 1], &rules.entries[i]) < 0);
	}
}

static unsigned count_lines(const uint8_t *data, size_t size)
{
	unsigned lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n' || data[i] == '\r';
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 }, copies = { 0 };
	struct weir_err err = { 0 };

	if (weir_spec_parse((const char *)data, size, "fuzz", &model, &err) < 0) {
		assert(err.text[0]);
		/* U+0085, U+2028 and U+2029 end lines as well for libfyaml: at least two bytes
		 * each */
		assert(err.at.line <= count_lines(data, size) + size / 2 + 1);
		return 0;
	}
	check_networks(&model, &copies);
	check_endpoints(&model, &copies);
	check_policies(&model, &copies);
	check_compiles(&model);
	return 0;
}
