/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan says of a policy. */
#include "core/selector.h"
#include "core/wording.h"

static void say_action(FILE *out, const void *policy)
{
	fputs(weir_policy_action_name(((const struct weir_policy *)policy)->action), out);
}

static void say_from(FILE *out, const void *object)
{
	const struct weir_policy *policy = object;
	weir_selectors_print(policy->from, policy->n_from, out);
}

static void say_to(FILE *out, const void *object)
{
	const struct weir_policy *policy = object;
	weir_selectors_print(policy->to, policy->n_to, out);
}

static void say_services(FILE *out, const void *object)
{
	const struct weir_policy *policy = object;
	char text[WEIR_SERVICE_TEXT];
	if (!policy->n_services)
		fputs("all", out);
	for (size_t i = 0; i < policy->n_services; i++)
		fprintf(out, "%s%s", i ? " " : "", weir_service_text(&policy->services[i], text));
}

static void say_gate(FILE *out, const void *policy)
{
	fputs(weir_policy_gate_name(((const struct weir_policy *)policy)->gate), out);
}

static void say_log(FILE *out, const void *policy)
{
	fputs(weir_policy_log_name(((const struct weir_policy *)policy)->log), out);
}

static void say_priority(FILE *out, const void *policy)
{
	fprintf(out, "%d", ((const struct weir_policy *)policy)->priority);
}

static const struct weir_aspect aspects[] = {
	{ "action", say_action },     { "from", say_from },	 { "to", say_to },
	{ "ports", say_services },    { "direction", say_gate }, { "log", say_log },
	{ "priority", say_priority },
};

static void say_policy(FILE *out, const void *object)
{
	const struct weir_policy *policy = object;
	say_action(out, policy);
	fputs(" from ", out);
	say_from(out, policy);
	fputs(" to ", out);
	say_to(out, policy);
	if (policy->n_services) {
		fputs(" ports ", out);
		say_services(out, policy);
	}
	if (policy->gate != WEIR_BOTH_GATES)
		fprintf(out, ", %s only", weir_policy_gate_name(policy->gate));
	if (policy->log != WEIR_LOG_NONE)
		fprintf(out, ", log %s", weir_policy_log_name(policy->log));
	if (policy->priority)
		fprintf(out, ", priority %d", policy->priority);
}

static void say_change(FILE *out, const void *before, const void *after)
{
	struct weir_changes c = { .out = out };
	weir_changes_say(&c, aspects, sizeof(aspects) / sizeof(*aspects), before, after);
}

const struct weir_wording weir_policy_wording = { "policy", say_policy, say_change };
