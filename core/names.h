/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and MAC addresses that weir derives: stable, so that the same words give the same host. */
#ifndef WEIR_CORE_NAMES_H
#define WEIR_CORE_NAMES_H

#include "core/addr.h"
#include "core/model.h"

/* The bridge of a network: "wb-<name>", shortened with a hash where that is too long or taken
 * (salt > 0: another try). */
void weir_names_bridge(const char *network, unsigned salt, char ret[WEIR_IFNAME_SIZE]);
/* What the ports of a routed network are called together, as iptables has it: "wrb3kf9-+". */
void weir_names_ports(const char *network, unsigned salt, char ret[WEIR_IFNAME_SIZE]);
/* One of them: "wrb3kf9-" and seven letters and digits of a hash. */
void weir_names_port(const char *ports, const char *endpoint, unsigned salt,
		     char ret[WEIR_IFNAME_SIZE]);
/* Is it the name of such ports together? */
bool weir_names_are_ports(const char *name);
/* Could it be the name of one of them? */
bool weir_names_like_port(const char *name);
/* The host's end of an attachment: "wv-" and ten digits of a hash. */
void weir_names_veth(const char *endpoint, const char *network, unsigned salt,
		     char ret[WEIR_IFNAME_SIZE]);

/* Locally administered unicast addresses (IEEE 802, second bit of the first octet). */
void weir_names_bridge_mac(const char *network, struct weir_mac *ret);
void weir_names_mac(const struct weir_addr *addr, struct weir_mac *ret);

#endif
