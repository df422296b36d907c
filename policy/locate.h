/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an address is. Private to the evaluator. */
#ifndef WEIR_POLICY_LOCATE_H
#define WEIR_POLICY_LOCATE_H

#include "policy/eval.h"

/* Does the host route for this network? */
bool weir_locate_is_hosted(const struct weir_network *net);
/* Does the network let in whatever comes by the interface? */
bool weir_locate_is_trusted(const struct weir_network *net, const char *ifname);
/* The network that the host would send addr into; NULL: none. */
const struct weir_network *weir_locate_network(const struct weir_model *model,
					       const struct weir_addr *addr);
/* Is addr the host's own in the network? */
bool weir_locate_is_gateway(const struct weir_network *net, const struct weir_addr *addr);
/* The network in which it is; NULL: none. */
const struct weir_network *weir_locate_gateway(const struct weir_model *model,
					       const struct weir_addr *addr);
/* Is it the host's own anywhere? */
bool weir_locate_is_local(const struct weir_model *model, const struct weir_eval_host *host,
			  const struct weir_addr *addr);
/* Whose addr is in the network; NULL: nobody's. */
const struct weir_endpoint *weir_locate_owner(const struct weir_model *model,
					      const struct weir_network *net,
					      const struct weir_addr *addr);

#endif
