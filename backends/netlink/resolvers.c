/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's own name servers.
 *
 * How it works: systemd-resolved answers on 127.0.0.53 and writes down whom it asks itself
 * (systemd-resolved.service(8), /etc/resolv.conf). Other resolvers on the loopback tell nobody whom they
 * ask; then an endpoint has what the host has, and --dns is the user's way. */
#include "backends/netlink/resolvers.h"

#include <string.h>

#include "core/addr.h"

#define HOST_FILE "/etc/resolv.conf"
#define UPSTREAM_FILE "/run/systemd/resolve/resolv.conf"

enum { LINE_SIZE = 512 };

/* The address of a "nameserver" line; false: another line. */
static bool is_server(const char *line, bool *ret_loopback)
{
	char word[16], text[WEIR_ADDR_TEXT + 32];
	struct weir_addr addr;

	if (sscanf(line, " %15s %77s", word, text) != 2 || strcmp(word, "nameserver") != 0)
		return false;
	text[strcspn(text, "%")] = '\0'; /* a zone: fe80::1%eth0 */
	*ret_loopback = weir_addr_parse(text, &addr, NULL) == 0 && weir_addr_is_loopback(&addr);
	return true;
}

/* Copies the servers that are not on the loopback, or all but servers. */
static void copy_lines(const char *path, bool servers, FILE *out)
{
	char line[LINE_SIZE];
	FILE *in = fopen(path, "re");

	while (in && fgets(line, sizeof(line), in)) {
		bool loopback = false, server = is_server(line, &loopback);
		if (strchr(line, '\n') && line[0] != '#' && line[0] != ';' && !loopback &&
		    server == servers)
			(void)fputs(line, out);
	}
	if (in)
		(void)fclose(in); /* only read */
}

/* How many servers a file names, and how many of these are on the loopback. */
static void count_servers(const char *path, size_t *ret_all, size_t *ret_loopback)
{
	char line[LINE_SIZE];
	bool loopback;
	FILE *in = fopen(path, "re");

	*ret_all = *ret_loopback = 0;
	while (in && fgets(line, sizeof(line), in))
		if (is_server(line, &loopback)) {
			++*ret_all;
			*ret_loopback += loopback;
		}
	if (in)
		(void)fclose(in); /* only read */
}

bool weir_resolvers_are_out_of_reach(void)
{
	size_t all, loopback, upstream, useless;

	count_servers(HOST_FILE, &all, &loopback);
	if (all == 0 || loopback < all)
		return false;
	count_servers(UPSTREAM_FILE, &upstream, &useless);
	return upstream > useless;
}

void weir_resolvers_write(FILE *out)
{
	copy_lines(UPSTREAM_FILE, true, out);
	copy_lines(HOST_FILE, false, out);
}
