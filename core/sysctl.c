/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sysctls of an attachment: which ones may be set inside an endpoint's namespace, and to what. */
#include "core/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LEAF_MAX = 48 }; /* the longest name in the kernel has about 40 */

static const char placeholder[] = "IFNAME";

/* Whole keys, or beginnings that end in '.' or '_'. */
static const char *const allowed[] = {
	"net.ipv4.conf.IFNAME.",     "net.ipv4.neigh.IFNAME.",
	"net.ipv6.conf.IFNAME.",     "net.ipv6.neigh.IFNAME.",
	"net.core.somaxconn",	     "net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range", "net.ipv4.tcp_",
};

/* What weir sets by itself: two that set one thing would never agree. */
static const struct {
	const char *key, *instead;
} taken[] = {
	{ "net.ipv4.conf.IFNAME.forwarding", "forward: true makes the endpoint a router" },
	{ "net.ipv6.conf.IFNAME.forwarding", "forward: true makes the endpoint a router" },
	{ "net.ipv4.conf.IFNAME.arp_notify", "weir sets it" },
	{ "net.ipv6.conf.IFNAME.ndisc_notify", "weir sets it" },
	{ "net.ipv6.conf.IFNAME.disable_ipv6", "the network's subnets say so" },
	{ "net.ipv6.conf.IFNAME.accept_ra", "addresses and routes are weir's" },
	{ "net.ipv6.conf.IFNAME.accept_dad", "weir sets it" },
	{ "net.ipv6.conf.IFNAME.addr_gen_mode", "weir sets it" },
	{ "net.ipv6.conf.IFNAME.mtu", "mtu: is the key for it" },
};

static bool is_leaf(const char *text)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t len = strlen(text);

	return len > 0 && len <= LEAF_MAX && !text[strspn(text, alphabet)];
}

static bool is_allowed(const char *key)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		size_t len = strlen(allowed[i]);
		bool open = strchr("._", allowed[i][len - 1]) != NULL;
		if (open ? strncmp(key, allowed[i], len) == 0 && is_leaf(key + len)
			 : strcmp(key, allowed[i]) == 0)
			return true;
	}
	return false;
}

/* Plain text that reads back as it was written. */
static bool is_value(const char *text)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t len = strlen(text);

	if (!len || len > WEIR_SYSCTL_VALUE_MAX || text[0] == ' ' || text[len - 1] == ' ' ||
	    strstr(text, "  "))
		return false;
	for (const char *c = text; *c; c++)
		if (*c != ' ' && !strchr(alphabet, *c))
			return false;
	return true;
}

int weir_sysctl_check(const struct weir_sysctl *sysctl, struct weir_err *err)
{
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(sysctl->key, taken[i].key) == 0)
			return weir_err_set(err, EINVAL, "sysctl %s cannot be set: %s", sysctl->key,
					    taken[i].instead);
	if (!is_allowed(sysctl->key))
		return weir_err_set(
			err, EINVAL,
			"sysctl \"%.80s\" is not one that may be set: net.ipv4.conf.IFNAME.*, "
			"net.ipv6.conf.IFNAME.*, neigh.IFNAME.* of both, net.core.somaxconn, "
			"net.ipv4.ip_unprivileged_port_start, net.ipv4.ping_group_range and "
			"net.ipv4.tcp_* are (IFNAME stands for the interface)",
			sysctl->key);
	if (!is_value(sysctl->value))
		return weir_err_set(err, EINVAL,
				    "sysctl %s: its value is numbers or words with single spaces "
				    "between, at most %d bytes",
				    sysctl->key, WEIR_SYSCTL_VALUE_MAX);
	return 0;
}

bool weir_sysctl_is_shared(const char *key)
{
	return !strstr(key, placeholder);
}

void weir_sysctl_path(const char *key, const char *ifname, char ret[WEIR_SYSCTL_PATH])
{
	const char *at = strstr(key, placeholder);
	size_t head = at ? (size_t)(at - key) : strlen(key);
	size_t n = (size_t)snprintf(ret, WEIR_SYSCTL_PATH, "%.*s", (int)head, key);

	for (size_t i = 0; i < n && i < WEIR_SYSCTL_PATH; i++)
		if (ret[i] == '.')
			ret[i] = '/';
	if (!at)
		return;
	const char *leaf = at + strlen(placeholder) + 1; /* behind a dot; has none itself */
	(void)snprintf(ret + n, WEIR_SYSCTL_PATH - n, "%s/%s", ifname, leaf); /* fits */
}
