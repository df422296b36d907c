/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket addresses from words and back. */
#include "probe.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

bool probe_addr_parse(const char *text, unsigned port, int family, union probe_addr *ret)
{
	*ret = (union probe_addr){ 0 };
	if (strcmp(text, "-") == 0)
		text = family == AF_INET6 ? "::" : "0.0.0.0";
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons((uint16_t)port);
		return true;
	}
	char addr[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "%");
	(void)snprintf(addr, sizeof(addr), "%.*s", (int)len, text);
	if (inet_pton(AF_INET6, addr, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_scope_id = text[len] ? if_nametoindex(text + len + 1) : 0;
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons((uint16_t)port);
		return true;
	}
	return false;
}

socklen_t probe_addr_len(const union probe_addr *addr)
{
	return addr->any.sa_family == AF_INET6 ? sizeof(addr->v6) : sizeof(addr->v4);
}

/* A client that reached a double-stack socket over IPv4 is shown as IPv4. */
void probe_addr_text(const union probe_addr *addr, char *buf, size_t size, unsigned *ret_port)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (addr->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &addr->v4.sin_addr, buf, (socklen_t)size);
		*ret_port = ntohs(addr->v4.sin_port);
		return;
	}
	if (memcmp(&addr->v6.sin6_addr, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, &addr->v6.sin6_addr.s6_addr[12], buf, (socklen_t)size);
	else
		inet_ntop(AF_INET6, &addr->v6.sin6_addr, buf, (socklen_t)size);
	*ret_port = ntohs(addr->v6.sin6_port);
}

int probe_socket(const char *proto, int family, int flags)
{
	int type = strcmp(proto, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
	int number = strcmp(proto, "sctp") == 0 ? IPPROTO_SCTP : 0;

	return socket(family, type | SOCK_CLOEXEC | flags, number);
}
