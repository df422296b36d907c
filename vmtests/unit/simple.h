/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolution as simple as can be, for tests of what follows it: what a spec leaves open is
 * filled with the next address and the next port, and nothing is checked against a host. */
#ifndef WEIR_UNIT_SIMPLE_H
#define WEIR_UNIT_SIMPLE_H

#include "vmtests/unit/cm.h"

#include "core/selector.h"
#include "core/spec.h"

/* Each endpoint of a network gets the address 2, 3, … after the base; addresses that users chose
 * in these tests lie elsewhere. */
static inline void simple_address(const struct weir_network *net, struct weir_attachment *att,
				  uint64_t n)
{
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		const struct weir_subnet *subnet =
			weir_network_subnet(net, (enum weir_family)family);
		if (subnet && !weir_addr_is_set(&att->addrs[family]))
			assert_true(weir_addr_add(&subnet->prefix.addr, n, &att->addrs[family]));
	}
}

static inline void simple_attachments(struct weir_model *model, struct weir_network *net)
{
	uint64_t next = 2;

	for (size_t i = 0; i < model->n_endpoints; i++) {
		struct weir_attachment *att =
			weir_endpoint_attachment(&model->endpoints[i], net->name);
		if (!att)
			continue;
		simple_address(net, att, next++);
		if (net->gateway_endpoint &&
		    strcmp(net->gateway_endpoint, model->endpoints[i].name) == 0)
			weir_network_set_gateway(net, att);
	}
}

static inline void simple_ports(struct weir_endpoint *ep, uint16_t *next)
{
	for (size_t i = 0; i < ep->n_mappings; i++) {
		struct weir_mapping *m = &ep->mappings[i];
		if (weir_mapping_is_open(m)) {
			uint16_t port = m->host_ports.lo ? m->host_ports.lo : (*next)++;
			m->host_ports = (struct weir_ports){ port, port };
		}
	}
}

static inline void simple_resolve(struct weir_model *model)
{
	uint16_t next = 49152;

	for (size_t i = 0; i < model->n_networks; i++) {
		struct weir_network *net = &model->networks[i];
		if (net->mode == WEIR_MODE_BRIDGE && !net->ifname[0])
			(void)snprintf(net->ifname, sizeof(net->ifname), "wb-%.12s", net->name);
		assert_int_equal(weir_network_resolve_gateways(net, NULL), 0);
		simple_attachments(model, net);
	}
	for (size_t i = 0; i < model->n_endpoints; i++)
		simple_ports(&model->endpoints[i], &next);
	weir_model_sort(model);
	assert_int_equal(weir_policies_bind(model, NULL), 0);
}

#endif
