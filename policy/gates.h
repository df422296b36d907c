/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What policies say of a flow: which one speaks first at the sender's gate, and which at the receiver's.
 * Private to the evaluator. */
#ifndef WEIR_POLICY_GATES_H
#define WEIR_POLICY_GATES_H

#include "core/model.h"

/* An end of a flow: an endpoint's address, the host, or else somebody outside. */
struct weir_peer {
	bool host;
	const struct weir_endpoint *ep;
	const struct weir_attachment *att; /* with ep */
	struct weir_addr addr;		   /* unused by the host */
};

struct weir_gates {
	const struct weir_policy *egress, *ingress; /* NULL: none speaks */
};

/* number: the port, or the ICMP type. The model is sorted. */
void weir_gates_ask(const struct weir_model *model, const struct weir_peer *from,
		    const struct weir_peer *to, enum weir_l4 l4, uint16_t number,
		    struct weir_gates *ret);

#endif
