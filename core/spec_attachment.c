/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attachments in a spec: an endpoint's interface in one network. */
#include "core/spec.h"
#include "core/spec_read.h"

#include <stdio.h>
#include <string.h>

#include "core/model_check.h"
#include "core/names.h"
#include "core/sysctl.h"

enum {
	WHAT_TEXT = 2 * WEIR_NAME_MAX + 64,
	PRIORITY_MIN = -32768, /* any order is possible within */
	PRIORITY_MAX = 32767
};

static int read_ip(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_attachment *att = object;

	return weir_spec_read_addr_slot(spec, value, att->addrs);
}

/* A MAC address that was derived from the address goes with it. */
static void forget_derived_mac(struct weir_attachment *att)
{
	struct weir_mac derived;
	int first = weir_addr_is_set(&att->addrs[WEIR_IPV4]) ? WEIR_IPV4 : WEIR_IPV6;

	if (!weir_addr_is_set(&att->addrs[first]))
		return;
	weir_names_mac(&att->addrs[first], &derived);
	if (weir_mac_cmp(&derived, &att->mac) == 0)
		att->mac = (struct weir_mac){ 0 };
}

/* A family that is not named keeps the address that it has. */
static int read_ips(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_attachment *att = object;
	struct weir_addr had[WEIR_NUM_FAMILIES];

	forget_derived_mac(att);
	memcpy(had, att->addrs, sizeof(had));
	memset(att->addrs, 0, sizeof(att->addrs));
	int r = weir_spec_read_one_or_more(spec, value, "an address or a list of addresses",
					   read_ip, object);
	for (int family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++)
		if (!weir_addr_is_set(&att->addrs[family]))
			att->addrs[family] = had[family];
	return r;
}

static int read_mac(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_mac(spec, value, &((struct weir_attachment *)object)->mac);
}

static int read_ifname(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_ifname(spec, value, ((struct weir_attachment *)object)->ifname);
}

static int read_priority(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	long priority;

	int r = weir_spec_read_number(spec, value, PRIORITY_MIN, PRIORITY_MAX, &priority);
	if (r == 0)
		((struct weir_attachment *)object)->priority = (int)priority;
	return r;
}

static int read_mtu(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	long mtu;

	int r = weir_spec_read_number(spec, value, WEIR_MTU_MIN, WEIR_MTU_MAX, &mtu);
	if (r == 0)
		((struct weir_attachment *)object)->mtu = (unsigned)mtu;
	return r;
}

static int read_sysctl(struct weir_spec *spec, const struct weir_spec_node *key,
		       const struct weir_spec_node *value, void *object)
{
	struct weir_attachment *att = object;
	struct weir_arena *arena = &spec->model->arena;

	if (value->kind != WEIR_SPEC_SCALAR || weir_spec_is_null(value))
		return weir_spec_expected(spec, value, "a number or a word");
	struct weir_sysctl sysctl = { weir_arena_strdup(arena, key->text),
				      weir_arena_strdup(arena, value->text) };
	if (!sysctl.key || !sysctl.value)
		return weir_spec_no_memory(spec);
	int r = weir_sysctl_check(&sysctl, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, key, r);
	for (size_t i = 0; i < att->n_sysctls; i++)
		if (strcmp(att->sysctls[i].key, sysctl.key) == 0) {
			att->sysctls[i] = sysctl;
			return 0;
		}
	struct weir_sysctl *more =
		weir_arena_grow(arena, att->sysctls, att->n_sysctls, sizeof(*more));
	if (!more)
		return weir_spec_no_memory(spec);
	more[att->n_sysctls++] = sysctl;
	att->sysctls = more;
	return 0;
}

static int read_sysctls(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_names(spec, value, "a map of sysctls", read_sysctl, object);
}

static int read_isolated(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_bool(spec, value, &((struct weir_attachment *)object)->isolated);
}

static int read_locked(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_bool(spec, value, &((struct weir_attachment *)object)->locked);
}

static const struct weir_spec_key attachment_keys[] = {
	{ "ip", read_ips },
	{ "mac", read_mac },
	{ "ifname", read_ifname },
	{ "priority", read_priority },
	{ "mtu", read_mtu },
	{ "sysctls", read_sysctls },
	{ "isolated", read_isolated },
	{ "locked", read_locked },
};

static struct weir_attachment *add_attachment(struct weir_spec *spec, struct weir_endpoint *ep,
					      const struct weir_spec_node *name)
{
	struct weir_attachment *att = weir_endpoint_add_attachment(spec->model, ep);

	if (!att)
		return NULL;
	att->network = weir_arena_strdup(&spec->model->arena, name->text);
	att->origin = weir_spec_place(spec, name);
	return att->network ? att : NULL;
}

int weir_spec_read_attachment(struct weir_spec *spec, const struct weir_spec_node *key,
			      const struct weir_spec_node *value, struct weir_endpoint *ep)
{
	char what[WHAT_TEXT];

	int r = weir_name_check("network", key->text, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, key, r);
	struct weir_attachment *att = weir_endpoint_attachment(ep, key->text);
	if (!att)
		att = add_attachment(spec, ep, key);
	if (!att)
		return weir_spec_no_memory(spec);
	(void)snprintf(what, sizeof(what), "network \"%s\" of endpoint \"%s\"", key->text,
		       ep->name);
	return weir_spec_read_keys(spec, value, what, attachment_keys,
				   sizeof(attachment_keys) / sizeof(attachment_keys[0]), att);
}

int weir_spec_read_attachment_name(struct weir_spec *spec, const struct weir_spec_node *value,
				   struct weir_endpoint *ep)
{
	const char *name;

	int r = weir_spec_read_name(spec, value, "network", &name);
	if (r < 0)
		return r;
	return add_attachment(spec, ep, value) ? 0 : weir_spec_no_memory(spec);
}
