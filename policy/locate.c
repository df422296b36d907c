/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an address is: in which network, whose, the host's own. */
#include "policy/locate.h"

#include <string.h>

bool weir_locate_is_hosted(const struct weir_network *net)
{
	return weir_mode_traits(net->mode)->host && !net->gateway_endpoint;
}

bool weir_locate_is_trusted(const struct weir_network *net, const char *ifname)
{
	for (size_t i = 0; i < net->n_trusted; i++)
		if (strcmp(net->trusted[i], ifname) == 0)
			return true;
	return false;
}

const struct weir_network *weir_locate_network(const struct weir_model *model,
					       const struct weir_addr *addr)
{
	for (size_t i = 0; i < model->n_networks; i++)
		if (weir_locate_is_hosted(&model->networks[i]) &&
		    weir_network_subnet_of(&model->networks[i], addr))
			return &model->networks[i];
	return NULL;
}

bool weir_locate_is_gateway(const struct weir_network *net, const struct weir_addr *addr)
{
	const struct weir_subnet *subnet = weir_network_subnet_of(net, addr);

	return weir_locate_is_hosted(net) && subnet && weir_addr_cmp(&subnet->gateway, addr) == 0;
}

const struct weir_network *weir_locate_gateway(const struct weir_model *model,
					       const struct weir_addr *addr)
{
	const struct weir_network *net = weir_locate_network(model, addr);

	return net && weir_locate_is_gateway(net, addr) ? net : NULL;
}

bool weir_locate_is_local(const struct weir_model *model, const struct weir_eval_host *host,
			  const struct weir_addr *addr)
{
	for (size_t i = 0; i < host->n_addrs; i++)
		if (weir_addr_cmp(&host->addrs[i], addr) == 0)
			return true;
	return weir_addr_is_loopback(addr) || weir_locate_gateway(model, addr);
}

const struct weir_endpoint *weir_locate_owner(const struct weir_model *model,
					      const struct weir_network *net,
					      const struct weir_addr *addr)
{
	for (size_t i = 0; i < model->n_endpoints; i++) {
		const struct weir_attachment *att =
			weir_endpoint_attachment(&model->endpoints[i], net->name);
		if (att && weir_addr_cmp(&att->addrs[addr->family], addr) == 0)
			return &model->endpoints[i];
	}
	return NULL;
}
