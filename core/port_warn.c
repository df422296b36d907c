/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is legal in a published port, and yet worth a word: an address of the host's is no interface of the
 * host's. */
#include <stdio.h>
#include <string.h>

#include "core/plan.h"

static bool is_strict(const struct weir_model *model, const struct weir_endpoint *ep,
		      const struct weir_mapping *m)
{
	const struct weir_attachment *att =
		m->network ? weir_endpoint_attachment(ep, m->network)
			   : weir_endpoint_default(model, ep, (enum weir_family)m->host.family);
	const struct weir_network *net = att ? weir_model_network(model, att->network) : NULL;

	return m->strict || (net && net->strict);
}

int weir_plan_warn_mapping(struct weir_plan *plan, const struct weir_model *model,
			   const struct weir_endpoint *ep, const struct weir_mapping *m,
			   struct weir_err *err)
{
	char text[WEIR_MAPPING_TEXT], detail[256], host[WEIR_ADDR_TEXT];
	const struct weir_step step = {
		.object = "mapping", .name = ep->name, .detail = detail, .origin = m->origin
	};
	bool any = !weir_addr_is_set(&m->host);

	(void)weir_mapping_text(m, text);
	if (any && m->strict)
		(void)snprintf(detail, sizeof(detail),
			       "%s: strict says nothing of a port on every address", text);
	else if (any || weir_addr_is_loopback(&m->host) || is_strict(model, ep, m))
		return 0;
	else
		(void)snprintf(detail, sizeof(detail),
			       "%s can be reached by every interface of the host, not only by that "
			       "with %s (strict closes the others)",
			       text, weir_addr_text(&m->host, host));
	return weir_plan_add_warning(plan, &step, err);
}
