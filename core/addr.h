/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, prefixes, ports, protocols and MAC addresses, and their text forms. */
#ifndef WEIR_CORE_ADDR_H
#define WEIR_CORE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* weir's own numbers; AF_ and NFPROTO_ appear only where a backend speaks to the kernel. */
enum weir_family { WEIR_NO_FAMILY, WEIR_IPV4, WEIR_IPV6, WEIR_NUM_FAMILIES };
enum weir_proto { WEIR_NO_PROTO, WEIR_TCP, WEIR_UDP, WEIR_SCTP, WEIR_NUM_PROTOS };

/* An address; { 0 } is "none". bytes in network order, IPv4 in the first four, the rest zero. */
struct weir_addr {
	uint8_t family; /* enum weir_family */
	uint8_t bytes[16];
};

/* A prefix with its host bits as given (weir_prefix_base clears them). */
struct weir_prefix {
	struct weir_addr addr;
	uint8_t len; /* bits */
};

struct weir_mac {
	uint8_t bytes[6]; /* all zero: none */
};

/* Inclusive; { 0, 0 } is "none". Host byte order. */
struct weir_ports {
	uint16_t lo, hi;
};

enum { WEIR_ADDR_TEXT = 46, WEIR_PREFIX_TEXT = 50, WEIR_MAC_TEXT = 18, WEIR_PORTS_TEXT = 12 };

/* Parse the whole of text; -EINVAL with what is wrong and how it should look.
 * Only plain forms: four decimal parts without leading zeros (RFC 6943 3.1.1), RFC 4291 for IPv6,
 * no zone, no brackets. */
int weir_addr_parse(const char *text, struct weir_addr *ret, struct weir_err *err);
int weir_prefix_parse(const char *text, struct weir_prefix *ret, struct weir_err *err);
/* "02:00:00:00:00:10"; refuses multicast and all-zero addresses. */
int weir_mac_parse(const char *text, struct weir_mac *ret, struct weir_err *err);
/* "80" or "8000-8010", 1 to 65535, not upside down. */
int weir_ports_parse(const char *text, struct weir_ports *ret, struct weir_err *err);
/* "tcp", "udp", "sctp", in lower case. */
int weir_proto_parse(const char *text, enum weir_proto *ret, struct weir_err *err);

/* Text into buf (sizes above); return buf. An empty address prints as "". */
const char *weir_addr_text(const struct weir_addr *addr, char buf[WEIR_ADDR_TEXT]);
const char *weir_prefix_text(const struct weir_prefix *prefix, char buf[WEIR_PREFIX_TEXT]);
const char *weir_mac_text(const struct weir_mac *mac, char buf[WEIR_MAC_TEXT]);
const char *weir_ports_text(struct weir_ports ports, char buf[WEIR_PORTS_TEXT]);
const char *weir_proto_name(enum weir_proto proto);
const char *weir_family_name(enum weir_family family); /* "IPv4", "IPv6" */

/* 32 or 128; bytes 4 or 16. */
unsigned weir_family_bits(enum weir_family family);

bool weir_addr_is_set(const struct weir_addr *addr);
/* <0, 0, >0: by family, then by value. */
int weir_addr_cmp(const struct weir_addr *a, const struct weir_addr *b);
bool weir_addr_is_loopback(const struct weir_addr *addr);
bool weir_addr_is_multicast(const struct weir_addr *addr);
/* fe80::/10 */
bool weir_addr_is_link_local(const struct weir_addr *addr);
/* all zero bits: 0.0.0.0 or :: */
bool weir_addr_is_any(const struct weir_addr *addr);
/* addr + n, carried; false (ret untouched) when that leaves the family. */
bool weir_addr_add(const struct weir_addr *addr, uint64_t n, struct weir_addr *ret);

bool weir_mac_is_set(const struct weir_mac *mac);
int weir_mac_cmp(const struct weir_mac *a, const struct weir_mac *b);
/* What the kernel makes of a MAC (RFC 4291, appendix A); none of none. */
struct weir_addr weir_link_local(const struct weir_mac *mac);

/* The network address (host bits cleared) and the last address of the prefix. */
struct weir_addr weir_prefix_base(const struct weir_prefix *prefix);
struct weir_addr weir_prefix_last(const struct weir_prefix *prefix);
bool weir_prefix_contains(const struct weir_prefix *prefix, const struct weir_addr *addr);
bool weir_prefix_overlaps(const struct weir_prefix *a, const struct weir_prefix *b);
int weir_prefix_cmp(const struct weir_prefix *a, const struct weir_prefix *b);

#endif
