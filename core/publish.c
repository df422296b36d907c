/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar of a published port.
 *
 * How it works: everything in the text is plain ASCII of one alphabet, which is checked first.
 * The text is then cut at "/" into fields and protocol, and the fields at ":" (an address in
 * brackets is taken off before). What a field means follows from how many there are, so an
 * address without brackets or without a host port never passes for something else: it is refused
 * with the form that was meant. Each complaint knows the byte that it is about. */
#include "core/publish.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT_MAX = 128, /* the longest mapping is 75 bytes */
	FIELDS_MAX = 3, /* address, host ports, ports */
	QUOTE_MAX = 80	/* of the user's text, in a message */
};

struct field {
	const char *start;
	size_t len;
};

struct parser {
	const char *text;
	struct weir_err *err;
};

/* An error that points at the byte `where`. */
#define fail(parser, where, ...)                                                                \
	weir_err_at((parser)->err, EINVAL,                                                      \
		    &(struct weir_place){ .column = (unsigned)((where) - (parser)->text) + 1 }, \
		    __VA_ARGS__)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- bytes ---- */

static bool is_usable(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr(".:-/[]%", c));
}

static int check_alphabet(struct parser *p)
{
	size_t good = 0;
	while (is_usable(p->text[good])) /* strspn() would build a table for so many */
		good++;
	unsigned char bad = (unsigned char)p->text[good];

	if (good == 0 && !bad)
		return fail(p, p->text,
			    "it is empty: expected [[HOST-ADDRESS:]HOST-PORTS:]PORTS[/PROTO], "
			    "like 8080:80");
	if (good > TEXT_MAX)
		return fail(p, p->text + TEXT_MAX, "it is longer than any published port");
	if (!bad)
		return 0;
	if (bad == ' ' || bad == '\t')
		return fail(p, p->text + good, "spaces have no place in it");
	if (bad == ',')
		return fail(p, p->text + good,
			    "one published port at a time: \",\" does not belong here");
	if (bad < 0x20 || bad >= 0x7f)
		return fail(p, p->text + good, "unexpected byte 0x%02x", bad);
	return fail(p, p->text + good, "unexpected \"%c\"", bad);
}

/* ---- ports ---- */

/* One number of a field; moves *at behind it. */
static int read_port(struct parser *p, const char **at, const char *end, uint16_t *ret)
{
	const char *start = *at, *c = start;
	unsigned long value = 0;

	for (; c < end && is_digit(*c); c++)
		value = value > UINT16_MAX ? value : value * 10 + (unsigned)(*c - '0');
	if (c == start && c == end)
		return fail(p, c, "a port is missing here");
	if (c == start)
		return fail(p, c, "expected a port, a number from 1 to 65535");
	if (c < end && *c != '-')
		return fail(p, c, "unexpected \"%c\" after a port", *c);
	if (*start == '0' && c - start > 1)
		return fail(p, start, "port %.*s has a leading zero", (int)(c - start), start);
	if (value < 1 || value > UINT16_MAX)
		return fail(p, start, "port %.*s is not between 1 and 65535", (int)(c - start),
			    start);
	*at = c;
	*ret = (uint16_t)value;
	return 0;
}

static int read_ports(struct parser *p, struct field field, struct weir_ports *ret)
{
	const char *at = field.start, *end = field.start + field.len;
	struct weir_ports ports;

	int r = read_port(p, &at, end, &ports.lo);
	if (r < 0)
		return r;
	ports.hi = ports.lo;
	if (at < end && *at == '-') {
		const char *second = ++at;
		r = read_port(p, &at, end, &ports.hi);
		if (r < 0)
			return r;
		if (ports.hi < ports.lo)
			return fail(p, second, "the range is upside down: write %u-%u", ports.hi,
				    ports.lo);
	}
	if (at < end)
		return fail(p, at, "unexpected \"%c\" after a port", *at);
	*ret = ports;
	return 0;
}

static unsigned count_ports(struct weir_ports ports)
{
	return ports.lo ? (unsigned)(ports.hi - ports.lo) + 1 : 0;
}

/* ---- the host's address ---- */

static bool is_mapped_ipv4(const struct weir_addr *addr)
{
	static const uint8_t start[12] = { [10] = 0xff, [11] = 0xff };

	return addr->family == WEIR_IPV6 && memcmp(addr->bytes, start, sizeof(start)) == 0;
}

static bool is_broadcast(const struct weir_addr *addr)
{
	static const uint8_t ones[4] = { 255, 255, 255, 255 };

	return addr->family == WEIR_IPV4 && memcmp(addr->bytes, ones, sizeof(ones)) == 0;
}

/* Addresses on which nothing can be published, each with its reason. */
static int check_address(struct parser *p, const char *where, const struct weir_addr *addr)
{
	if (weir_addr_is_any(addr))
		return fail(p, where,
			    "every address of the host is meant when none is given: leave the "
			    "address out");
	if (is_mapped_ipv4(addr))
		return fail(p, where, "write an IPv4 address as itself, not inside an IPv6 one");
	if (addr->family == WEIR_IPV6 && weir_addr_is_loopback(addr))
		return fail(p, where,
			    "[::1] cannot be published: no kernel translates connections to it "
			    "(127.0.0.1 can, and so can the host's other IPv6 addresses)");
	if (weir_addr_is_multicast(addr) || is_broadcast(addr))
		return fail(p, where, "a multicast or broadcast address cannot be published");
	if (weir_addr_is_link_local(addr))
		return fail(p, where,
			    "a link-local address means nothing without its interface: name "
			    "another address of the host");
	return 0;
}

static int read_address(struct parser *p, struct field field, enum weir_family family,
			struct weir_addr *ret)
{
	char text[WEIR_ADDR_TEXT] = "";
	struct weir_addr addr;

	if (field.len < sizeof(text))
		memcpy(text, field.start, field.len);
	if (memchr(field.start, '%', field.len))
		return fail(p, (const char *)memchr(field.start, '%', field.len),
			    "an address with a zone cannot be published");
	if (weir_addr_parse(text, &addr, NULL) < 0)
		return fail(p, field.start, "\"%.*s\" is not an %s address", (int)field.len,
			    field.start, weir_family_name(family));
	if (addr.family != family)
		return fail(p, field.start, "brackets are for IPv6 addresses only");
	int r = check_address(p, field.start, &addr);
	if (r < 0)
		return r;
	*ret = addr;
	return 0;
}

/* ---- fields ---- */

static int read_proto(struct parser *p, const char *slash, enum weir_proto *ret)
{
	const char *name = slash + 1;

	if (!*name)
		return fail(p, name,
			    "a protocol is missing after \"/\": expected tcp, udp or sctp");
	if (weir_proto_parse(name, ret, NULL) < 0)
		return fail(p, name, "unknown protocol \"%s\": expected tcp, udp or sctp", name);
	return 0;
}

/* Takes "[address]:" off the front; *at moves behind it. */
static int read_brackets(struct parser *p, const char **at, const char *end, struct weir_addr *ret)
{
	const char *open = *at, *close = memchr(open, ']', (size_t)(end - open));

	if (!close)
		return fail(p, open, "this bracket is never closed");
	struct field inside = { open + 1, (size_t)(close - open) - 1 };
	if (!inside.len)
		return fail(p, close, "an IPv6 address is missing between the brackets");
	int r = read_address(p, inside, WEIR_IPV6, ret);
	if (r < 0)
		return r;
	if (close + 1 == end || close[1] != ':')
		return fail(p, close + 1, "expected \":\" and ports after the address");
	*at = close + 2;
	return 0;
}

/* Cuts at colons; a field more than fits is counted but not kept. */
static size_t cut_fields(const char *at, const char *end, struct field fields[FIELDS_MAX])
{
	size_t n = 0;

	for (;; at++) {
		const char *colon = memchr(at, ':', (size_t)(end - at));
		const char *stop = colon ? colon : end;
		if (n < FIELDS_MAX)
			fields[n] = (struct field){ at, (size_t)(stop - at) };
		n++;
		if (!colon)
			return n;
		at = colon;
	}
}

static bool looks_like_ipv6(struct field first, const char *end)
{
	struct weir_addr addr;
	char text[WEIR_ADDR_TEXT] = "";
	size_t len = (size_t)(end - first.start);

	/* any cut at a colon that leaves an address in front of it */
	for (; len > 0; len--) {
		if (len >= sizeof(text) || (first.start + len != end && first.start[len] != ':'))
			continue;
		memset(text, 0, sizeof(text));
		memcpy(text, first.start, len);
		if (weir_addr_parse(text, &addr, NULL) == 0 && addr.family == WEIR_IPV6)
			return true;
	}
	return false;
}

static int refuse_count(struct parser *p, const struct field *fields, const char *end)
{
	if (looks_like_ipv6(fields[0], end))
		return fail(p, fields[0].start,
			    "an IPv6 address stands in brackets, like "
			    "[2001:db8::1]:8443:443");
	return fail(p, fields[2].start + fields[2].len,
		    "too many colons: expected "
		    "[[HOST-ADDRESS:]HOST-PORTS:]PORTS[/PROTO]");
}

/* ADDRESS:PORTS could mean the host's port or the endpoint's. */
static int refuse_two(struct parser *p, struct field addr, struct field ports)
{
	return fail(p, addr.start,
		    "an address and one port could mean either side: write %.*s::%.*s for "
		    "a free host port, or %.*s:%.*s:%.*s",
		    (int)addr.len, addr.start, (int)ports.len, ports.start, (int)addr.len,
		    addr.start, (int)ports.len, ports.start, (int)ports.len, ports.start);
}

static bool is_address_like(struct field field)
{
	return memchr(field.start, '.', field.len) != NULL;
}

/* The host's ports and the endpoint's must fit each other. */
static int check_lengths(struct parser *p, const struct weir_mapping *m, struct field host,
			 struct field ports)
{
	unsigned n_host = count_ports(m->host_ports), n = count_ports(m->ports);

	if (!n_host && n > 1)
		return fail(p, ports.start, "a range needs host ports of its own: write %.*s:%.*s",
			    (int)ports.len, ports.start, (int)ports.len, ports.start);
	if (n_host && n > 1 && n_host != n)
		return fail(p, host.start,
			    "%u host port%s cannot meet %u ports: both ranges must be of the "
			    "same length",
			    n_host, n_host == 1 ? "" : "s", n);
	return 0;
}

/* HOST-PORTS:PORTS or PORTS; host.start is NULL when there is none. */
static int read_both_ports(struct parser *p, struct field host, struct field ports,
			   bool may_be_empty, struct weir_mapping *m)
{
	int r = 0;

	if (host.start && !host.len && !may_be_empty)
		return fail(p, host.start,
			    "a host port is missing before \":\": leave the colon out for a "
			    "free one");
	if (host.start && host.len)
		r = read_ports(p, host, &m->host_ports);
	if (r == 0)
		r = read_ports(p, ports, &m->ports);
	return r < 0 ? r : check_lengths(p, m, host, ports);
}

static int read_bracketed(struct parser *p, const char *end, struct weir_mapping *m)
{
	struct field fields[FIELDS_MAX] = { 0 };
	const char *at = p->text;

	int r = read_brackets(p, &at, end, &m->host);
	if (r < 0)
		return r;
	size_t n = cut_fields(at, end, fields);
	if (n == 1)
		return refuse_two(p, (struct field){ p->text, (size_t)(at - 1 - p->text) },
				  fields[0]);
	if (n > 2)
		return fail(p, fields[1].start + fields[1].len,
			    "too many colons after the address");
	return read_both_ports(p, fields[0], fields[1], true, m);
}

static int read_plain(struct parser *p, const char *end, struct weir_mapping *m)
{
	static const struct field none;
	struct field fields[FIELDS_MAX] = { 0 };
	size_t n = cut_fields(p->text, end, fields);

	if (n == 1)
		return read_both_ports(p, none, fields[0], false, m);
	if (n == 2 && is_address_like(fields[0]))
		return refuse_two(p, fields[0], fields[1]);
	if (n == 2)
		return read_both_ports(p, fields[0], fields[1], false, m);
	if (n > FIELDS_MAX || !is_address_like(fields[0]))
		if (n > FIELDS_MAX || looks_like_ipv6(fields[0], end))
			return refuse_count(p, fields, end);
	if (!fields[0].len)
		return fail(p, p->text,
			    "a host address is missing before \":\": leave the colon out when "
			    "every address is meant");
	int r = read_address(p, fields[0], WEIR_IPV4, &m->host);
	return r < 0 ? r : read_both_ports(p, fields[1], fields[2], true, m);
}

int weir_mapping_parse(const char *text, struct weir_mapping *ret, struct weir_err *err)
{
	struct parser p = { .text = text, .err = err };
	struct weir_mapping m = { .proto = WEIR_TCP };
	const char *slash = strchr(text, '/');
	const char *end = slash ? slash : text + strlen(text);

	int r = check_alphabet(&p);
	if (r == 0)
		r = text[0] == '[' ? read_bracketed(&p, end, &m) : read_plain(&p, end, &m);
	if (r == 0 && slash)
		r = read_proto(&p, slash, &m.proto);
	if (r < 0)
		return weir_err_wrap(err, r, "published port \"%.*s\"", QUOTE_MAX, text);
	*ret = m;
	return 0;
}

/* ---- text and order ---- */

static char *put_text(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	return at + len;
}

static char *put_host(const struct weir_addr *host, char *at)
{
	char text[WEIR_ADDR_TEXT];
	bool six = host->family == WEIR_IPV6;

	if (six)
		*at++ = '[';
	at = put_text(at, weir_addr_text(host, text));
	if (six)
		*at++ = ']';
	*at++ = ':';
	return at;
}

const char *weir_mapping_text(const struct weir_mapping *mapping, char buf[WEIR_MAPPING_TEXT])
{
	char ports[WEIR_PORTS_TEXT];
	bool addr = weir_addr_is_set(&mapping->host);
	char *end = addr ? put_host(&mapping->host, buf) : buf;

	end = put_text(end, weir_ports_text(mapping->host_ports, ports));
	if (addr || mapping->host_ports.lo)
		*end++ = ':';
	end = put_text(end, weir_ports_text(mapping->ports, ports));
	if (mapping->proto != WEIR_TCP) {
		*end++ = '/';
		end = put_text(end, weir_proto_name(mapping->proto));
	}
	*end = '\0';
	return buf;
}

/* "[", an address, "]:", ports, ":", ports, "/sctp" and the closing zero */
static_assert(1 + WEIR_ADDR_TEXT + 2 + 2 * WEIR_PORTS_TEXT + 6 <= WEIR_MAPPING_TEXT,
	      "every mapping's text fits");

bool weir_mapping_is_open(const struct weir_mapping *mapping)
{
	return count_ports(mapping->host_ports) != count_ports(mapping->ports);
}

static int compare_ports(struct weir_ports a, struct weir_ports b)
{
	int order = (a.lo > b.lo) - (a.lo < b.lo);
	return order ? order : (a.hi > b.hi) - (a.hi < b.hi);
}

int weir_mapping_cmp(const struct weir_mapping *a, const struct weir_mapping *b)
{
	int order = weir_addr_cmp(&a->host, &b->host);

	if (!order)
		order = (a->proto > b->proto) - (a->proto < b->proto);
	if (!order)
		order = compare_ports(a->host_ports, b->host_ports);
	if (!order)
		order = compare_ports(a->ports, b->ports);
	if (!order)
		order = strcmp(a->network ? a->network : "", b->network ? b->network : "");
	return order ? order : a->strict - b->strict;
}

static int compare_mappings(const void *a, const void *b)
{
	return weir_mapping_cmp(a, b);
}

bool weir_mappings_hold(const struct weir_mapping *sorted, size_t n, const struct weir_mapping *m)
{
	return n && bsearch(m, sorted, n, sizeof(*m), compare_mappings);
}

static bool same_network(const struct weir_mapping *a, const struct weir_mapping *b)
{
	return strcmp(a->network ? a->network : "", b->network ? b->network : "") == 0;
}

bool weir_mapping_is_within(const struct weir_mapping *m, const struct weir_mapping *whole)
{
	return m->proto == whole->proto && weir_addr_cmp(&m->host, &whole->host) == 0 &&
	       !weir_mapping_is_open(m) && m->host_ports.lo >= whole->host_ports.lo &&
	       m->host_ports.hi <= whole->host_ports.hi &&
	       m->ports.lo - m->host_ports.lo == whole->ports.lo - whole->host_ports.lo;
}

bool weir_mapping_could_be(const struct weir_mapping *open, const struct weir_mapping *m)
{
	return open->proto == m->proto && weir_addr_cmp(&open->host, &m->host) == 0 &&
	       compare_ports(open->ports, m->ports) == 0 && same_network(open, m) &&
	       (!open->host_ports.lo || (open->host_ports.lo <= m->host_ports.lo &&
					 m->host_ports.hi <= open->host_ports.hi));
}
