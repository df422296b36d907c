/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar of a published port, as in `-p`:
 *
 *	[[HOST-ADDRESS:]HOST-PORTS:]PORTS[/PROTO]
 *
 * 80                          a free host port for the endpoint's 80
 * 8080:80                     host 8080, all addresses, both families
 * 127.0.0.1:8080:80           host 8080 of one address
 * 127.0.0.1::80               a free host port of one address
 * [2001:db8::1]:8443:443/tcp  IPv6 in brackets
 * 8000-8010:9000-9010/udp     a range; both sides of the same length, the offset is kept
 * 8000-9000:80                one free host port out of a range
 */
#ifndef WEIR_CORE_PUBLISH_H
#define WEIR_CORE_PUBLISH_H

#include "core/addr.h"

struct weir_mapping {
	struct weir_addr host; /* none: every address of the host */
	enum weir_proto proto;
	struct weir_ports host_ports; /* { 0, 0 }: weir chooses; a range with one port: out of it */
	struct weir_ports ports;      /* the endpoint's */
	const char *network;	      /* NULL: that of the endpoint's default route */
	bool strict; /* with host: only by an interface of the host's that has this address */
	struct weir_place origin;
};

enum { WEIR_MAPPING_TEXT = 80 };

/* Parses text whole. On error -EINVAL, err->at.column is the byte (from 1) that is to blame, and
 * err->at.line is 0: the caller adds where the text stands.
 * [::1] is refused: no kernel translates connections to it.
 * network, strict and origin are left zero. */
int weir_mapping_parse(const char *text, struct weir_mapping *ret, struct weir_err *err);

/* The canonical text, which parses back to the same mapping; /tcp is not printed. Returns buf. */
const char *weir_mapping_text(const struct weir_mapping *mapping, char buf[WEIR_MAPPING_TEXT]);

/* True while the host port still has to be chosen. */
bool weir_mapping_is_open(const struct weir_mapping *mapping);

/* Order by host address, protocol, host ports, ports, network, strict. */
int weir_mapping_cmp(const struct weir_mapping *a, const struct weir_mapping *b);
/* Is it one of n in that order? */
bool weir_mappings_hold(const struct weir_mapping *sorted, size_t n, const struct weir_mapping *m);
/* Is each port of it, which has host ports, one of whole's, and leads to the same? */
bool weir_mapping_is_within(const struct weir_mapping *m, const struct weir_mapping *whole);
/* Could an open mapping, whose host ports are still to be chosen, have those of m? */
bool weir_mapping_could_be(const struct weir_mapping *open, const struct weir_mapping *m);

#endif
