/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interface aliases: how weir's interfaces and namespaces are told from others'. */
#ifndef WEIR_BACKENDS_NETLINK_ALIAS_H
#define WEIR_BACKENDS_NETLINK_ALIAS_H

#include "core/link.h"

enum { WEIR_ALIAS_SIZE = 256 }; /* IFALIASZ, linux/if.h */

/* "weir <store> network <name>"; with an endpoint "weir <store> endpoint <name> network <name>";
 * without a network, on the loopback of a namespace that weir made: "weir <store> endpoint <name>". */
struct weir_alias {
	char store[40];
	char endpoint[WEIR_NAME_MAX + 1];
	char network[WEIR_NAME_MAX + 1];
};

/* The text; endpoint or network may be NULL. Returns buf. */
const char *weir_alias_text(const char *store, const char *endpoint, const char *network,
			    char buf[WEIR_ALIAS_SIZE]);
/* False (ret untouched): not an alias of weir's. */
bool weir_alias_parse(const char *text, struct weir_alias *ret);
/* 0 when alias is `wanted`, or when the interface is a remnant: in weir's group, but killed before
 * its alias was set. Else -EEXIST with whose the interface is. */
int weir_alias_check(const char *ifname, const char *alias, uint32_t group, const char *wanted,
		     struct weir_err *err);

#endif
