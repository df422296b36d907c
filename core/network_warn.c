/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is legal in a network, and yet worth a word: an adopted bridge carries others too, and weir binds
 * these by accident or not at all. */
#include "core/plan.h"

#include <stdio.h>

static bool is_adopted(const struct weir_network *net)
{
	return net->adopt;
}

static bool denies_by_default(const struct weir_network *net)
{
	return net->adopt &&
	       (net->ingress == WEIR_DEFAULT_DENY || net->egress == WEIR_DEFAULT_DENY);
}

static bool isolates(const struct weir_network *net)
{
	return net->adopt && net->isolate;
}

static bool closes_host(const struct weir_network *net)
{
	return net->adopt && (net->host_deny || net->internal);
}

static const struct {
	bool (*holds)(const struct weir_network *net);
	const char *detail;
} words[] = {
	{ is_adopted, "the host forwards for the network's endpoints only" },
	{ denies_by_default, "no default binds what passes within it" },
	{ isolates, "endpoints are isolated from each other only" },
	{ closes_host, "the host is closed to all that is on it" },
};

int weir_plan_warn_network(struct weir_plan *plan, const struct weir_network *prev,
			   const struct weir_network *net, struct weir_err *err)
{
	char detail[256];
	const struct weir_step step = {
		.object = "network", .name = net->name, .detail = detail, .origin = net->origin
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
		if (!words[i].holds(net) || (prev && words[i].holds(prev)))
			continue;
		(void)snprintf(detail, sizeof(detail), "bridge %s is somebody else's: %s",
			       net->ifname, words[i].detail);
		r = weir_plan_add_warning(plan, &step, err);
	}
	return r;
}
