/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of packet filters, and the choice among them. */
#include "backends/backends.h"

#include <errno.h>
#include <string.h>

#include "backends/iptables/iptables.h"
#include "backends/nftables/nftables.h"

const struct weir_firewall_ops *const weir_firewalls[] = {
	&weir_nftables,
	&weir_iptables,
	NULL,
};

const struct weir_firewall_ops *weir_backend_find(const char *name)
{
	for (size_t i = 0; weir_firewalls[i]; i++)
		if (strcmp(weir_firewalls[i]->name, name) == 0)
			return weir_firewalls[i];
	return NULL;
}

enum { LIST_TEXT = 512, WHY_TEXT = 200 };

/* Adds "; name: why" to a list. */
static void append(char list[LIST_TEXT], const char *name, const char *why)
{
	size_t used = strlen(list);
	if (used < LIST_TEXT - 1) /* a cut list still says what came first */
		(void)snprintf(list + used, LIST_TEXT - used, "%s%s%s%.*s", used ? "; " : "", name,
			       why[0] ? ": " : "", WHY_TEXT, why);
}

static int refuse_name(const char *name, struct weir_err *err)
{
	char names[LIST_TEXT] = "";

	append(names, "auto", "");
	for (size_t i = 0; weir_firewalls[i]; i++)
		append(names, weir_firewalls[i]->name, "");
	return weir_err_set(err, EINVAL, "no backend named \"%s\" (there are: %s)", name, names);
}

/* Every reason is told; the code is the first one's, whose filter would have been preferred. */
static int pick_first(const struct weir_firewall_ops **ret, struct weir_err *err)
{
	char reasons[LIST_TEXT] = "";
	int first = 0;

	for (size_t i = 0; weir_firewalls[i]; i++) {
		struct weir_err why = { 0 };
		int r = weir_firewalls[i]->probe(&why);
		if (r == 0) {
			*ret = weir_firewalls[i];
			return 0;
		}
		first = first ? first : r;
		append(reasons, weir_firewalls[i]->name, why.text);
	}
	return weir_err_set(err, first, "no packet filter that weir can use: %s", reasons);
}

int weir_backend_pick(const char *name, const struct weir_firewall_ops **ret, struct weir_err *err)
{
	/* With nothing to choose from, the first change tells what is missing, and its asking for the whole
	 * frame costs less than the probe's, which the kernel takes back: 15 ms. */
	if (strcmp(name, "auto") == 0 && !weir_firewalls[1]) {
		*ret = weir_firewalls[0];
		return 0;
	}
	if (strcmp(name, "auto") == 0)
		return pick_first(ret, err);
	const struct weir_firewall_ops *found = weir_backend_find(name);
	if (!found)
		return refuse_name(name, err);
	int r = found->probe(err);
	if (r == 0)
		*ret = found;
	return r;
}
