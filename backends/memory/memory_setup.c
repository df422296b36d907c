/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How bridges and attachments are set up, in words that are equal when the set-up is. */
#include "backends/memory/memory_host.h"

#include <stdarg.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void say(char buf[WEIR_MEMORY_SETUP], const char *fmt,
						      ...)
{
	size_t used = strlen(buf);
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(buf + used, WEIR_MEMORY_SETUP - used, fmt, args);
	va_end(args);
}

static void say_addr(char buf[WEIR_MEMORY_SETUP], const struct weir_addr *addr, unsigned len)
{
	char text[WEIR_ADDR_TEXT];
	if (weir_addr_is_set(addr))
		say(buf, " at %s/%u", weir_addr_text(addr, text), len);
}

void weir_memory_describe_bridge(const struct weir_network *net, char buf[WEIR_MEMORY_SETUP])
{
	char mac[WEIR_MAC_TEXT];

	buf[0] = '\0';
	say(buf, "bridge mac %s mtu %u filter %d", weir_mac_text(&net->mac, mac), net->mtu,
	    weir_network_is_filtered(net));
	for (size_t i = 0; !net->gateway_endpoint && i < net->n_subnets; i++)
		say_addr(buf, &net->subnets[i].gateway, net->subnets[i].prefix.len);
}

void weir_memory_describe_attachment(const struct weir_network *net,
				     const struct weir_attachment *att, char buf[WEIR_MEMORY_SETUP])
{
	char mac[WEIR_MAC_TEXT];

	buf[0] = '\0';
	say(buf, "port of \"%s\" isolated %d locked %d guarded %d, inside %s mac %s mtu %u",
	    net->ifname, net->isolate || att->isolated, att->locked, !net->no_spoof_guard,
	    att->ifname, weir_mac_text(&att->mac, mac), att->mtu ? att->mtu : net->mtu);
	for (unsigned family = WEIR_IPV4; family < WEIR_NUM_FAMILIES; family++) {
		const struct weir_subnet *subnet = weir_network_subnet_of(net, &att->addrs[family]);
		say_addr(buf, &att->addrs[family],
			 subnet ? subnet->prefix.len : weir_family_bits(family));
	}
}

static void describe_default(const struct weir_model *model, const struct weir_endpoint *ep,
			     const struct weir_attachment *att, enum weir_family family,
			     char buf[WEIR_MEMORY_SETUP])
{
	char via[WEIR_ADDR_TEXT];
	const struct weir_attachment *chosen = weir_endpoint_default(model, ep, family);
	const struct weir_network *net = weir_model_network(model, att->network);
	const struct weir_subnet *subnet = net ? weir_network_subnet(net, family) : NULL;

	if (subnet && chosen && strcmp(chosen->network, att->network) == 0)
		say(buf, " default via %s", weir_addr_text(&subnet->gateway, via));
}

void weir_memory_describe_routes(const struct weir_model *model, const struct weir_endpoint *ep,
				 const struct weir_attachment *att, char buf[WEIR_MEMORY_SETUP])
{
	const struct weir_network *net = weir_model_network(model, att->network);
	char to[WEIR_PREFIX_TEXT], via[WEIR_ADDR_TEXT];

	buf[0] = '\0';
	describe_default(model, ep, att, WEIR_IPV4, buf);
	describe_default(model, ep, att, WEIR_IPV6, buf);
	for (size_t i = 0; net && i < ep->n_routes; i++)
		if (weir_network_subnet_of(net, &ep->routes[i].via))
			say(buf, " %s via %s", weir_prefix_text(&ep->routes[i].to, to),
			    weir_addr_text(&ep->routes[i].via, via));
}
