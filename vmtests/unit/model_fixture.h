/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Models by hand. */
#ifndef WEIR_UNIT_MODEL_FIXTURE_H
#define WEIR_UNIT_MODEL_FIXTURE_H

#include "vmtests/unit/cm.h"

#include "core/model.h"

static inline struct weir_addr addr(const char *text)
{
	struct weir_addr a = { 0 };

	assert_int_equal(weir_addr_parse(text, &a, NULL), 0);
	return a;
}

static inline struct weir_network *add_network(struct weir_model *model, const char *name,
					       const char *subnet)
{
	struct weir_network *net = weir_model_add_network(model);

	net->name = name;
	net->subnets = weir_arena_alloc(&model->arena, sizeof(*net->subnets));
	net->n_subnets = 1;
	assert_int_equal(weir_prefix_parse(subnet, &net->subnets[0].prefix, NULL), 0);
	return net;
}

static inline struct weir_attachment *attach(struct weir_model *model, struct weir_endpoint *ep,
					     const char *network, int priority)
{
	struct weir_attachment *att = weir_endpoint_add_attachment(model, ep);

	att->network = network;
	att->priority = priority;
	return att;
}

static inline void publish(struct weir_model *model, struct weir_endpoint *ep, const char *text)
{
	assert_int_equal(weir_mapping_parse(text, weir_endpoint_add_mapping(model, ep), NULL), 0);
}

#endif
