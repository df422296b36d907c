/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, prefixes, ports, protocols and MAC addresses: text, order, arithmetic. */
#include "core/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { QUOTE_MAX = 80 }; /* of what a user wrote, in a message */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- families and protocols ---- */

static const struct {
	const char *name;
	unsigned bits;
} families[] = {
	[WEIR_NO_FAMILY] = { "no family", 0 },
	[WEIR_IPV4] = { "IPv4", 32 },
	[WEIR_IPV6] = { "IPv6", 128 },
};
static_assert(sizeof(families) / sizeof(families[0]) == WEIR_NUM_FAMILIES, "all families");

static const char *const protos[] = {
	[WEIR_NO_PROTO] = "",
	[WEIR_TCP] = "tcp",
	[WEIR_UDP] = "udp",
	[WEIR_SCTP] = "sctp",
};
static_assert(sizeof(protos) / sizeof(protos[0]) == WEIR_NUM_PROTOS, "all protocols");

const char *weir_family_name(enum weir_family family)
{
	return families[family].name;
}

unsigned weir_family_bits(enum weir_family family)
{
	return families[family].bits;
}

const char *weir_proto_name(enum weir_proto proto)
{
	return protos[proto];
}

int weir_proto_parse(const char *text, enum weir_proto *ret, struct weir_err *err)
{
	for (int proto = WEIR_TCP; proto < WEIR_NUM_PROTOS; proto++)
		if (strcmp(text, protos[proto]) == 0) {
			*ret = (enum weir_proto)proto;
			return 0;
		}
	return weir_err_set(err, EINVAL, "unknown protocol \"%.*s\": expected tcp, udp or sctp",
			    QUOTE_MAX, text);
}

/* ---- addresses ---- */

/* What people write in the place of an address, and what to tell them. */
static const char *address_hint(const char *text)
{
	if (!text[0])
		return "it is empty";
	if (strchr(text, '/'))
		return "that is a prefix; leave \"/\" and the length out";
	if (strchr(text, '['))
		return "brackets belong to a published port only";
	if (strchr(text, '%'))
		return "a zone has no meaning here";
	if (strchr(text, ':'))
		return "an IPv6 address looks like fd00:88:1::10";
	return "expected four numbers from 0 to 255 without leading zeros, like 10.88.1.10, or "
	       "IPv6";
}

int weir_addr_parse(const char *text, struct weir_addr *ret, struct weir_err *err)
{
	struct weir_addr addr = { .family = WEIR_IPV4 };

	if (inet_pton(AF_INET, text, addr.bytes) != 1) {
		addr = (struct weir_addr){ .family = WEIR_IPV6 };
		if (inet_pton(AF_INET6, text, addr.bytes) != 1)
			return weir_err_set(err, EINVAL, "\"%.*s\" is not an address: %s",
					    QUOTE_MAX, text, address_hint(text));
	}
	*ret = addr;
	return 0;
}

const char *weir_addr_text(const struct weir_addr *addr, char buf[WEIR_ADDR_TEXT])
{
	buf[0] = '\0';
	if (addr->family)
		(void)inet_ntop(addr->family == WEIR_IPV4 ? AF_INET : AF_INET6, addr->bytes, buf,
				WEIR_ADDR_TEXT);
	return buf;
}

bool weir_addr_is_set(const struct weir_addr *addr)
{
	return addr->family != WEIR_NO_FAMILY;
}

int weir_addr_cmp(const struct weir_addr *a, const struct weir_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* 127.0.0.0/8 dressed as IPv6 means the same to a socket, so it counts. */
bool weir_addr_is_loopback(const struct weir_addr *addr)
{
	static const uint8_t one[16] = { [15] = 1 };
	static const uint8_t mapped[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };

	if (addr->family == WEIR_IPV4)
		return addr->bytes[0] == 127;
	return addr->family == WEIR_IPV6 && (memcmp(addr->bytes, one, sizeof(one)) == 0 ||
					     memcmp(addr->bytes, mapped, sizeof(mapped)) == 0);
}

bool weir_addr_is_multicast(const struct weir_addr *addr)
{
	if (addr->family == WEIR_IPV4)
		return (addr->bytes[0] & 0xf0) == 0xe0;
	return addr->family == WEIR_IPV6 && addr->bytes[0] == 0xff;
}

bool weir_addr_is_link_local(const struct weir_addr *addr)
{
	return addr->family == WEIR_IPV6 && addr->bytes[0] == 0xfe &&
	       (addr->bytes[1] & 0xc0) == 0x80;
}

bool weir_addr_is_any(const struct weir_addr *addr)
{
	static const uint8_t zero[16];

	return addr->family && memcmp(addr->bytes, zero, sizeof(zero)) == 0;
}

bool weir_addr_add(const struct weir_addr *addr, uint64_t n, struct weir_addr *ret)
{
	struct weir_addr sum = *addr;
	unsigned carry = 0;

	for (unsigned i = weir_family_bits(addr->family) / 8; i-- > 0; n >>= 8) {
		unsigned byte = addr->bytes[i] + (unsigned)(n & 0xff) + carry;
		sum.bytes[i] = (uint8_t)byte;
		carry = byte >> 8;
	}
	if (carry || n || !addr->family)
		return false;
	*ret = sum;
	return true;
}

/* ---- prefixes ---- */

/* One to three digits, without leading zeros; -1 otherwise. */
static int parse_length(const char *text)
{
	int len = 0;

	if (!is_digit(text[0]) || (text[0] == '0' && text[1]))
		return -1;
	for (const char *c = text; *c; c++) {
		if (!is_digit(*c) || c - text > 2)
			return -1;
		len = len * 10 + (*c - '0');
	}
	return len;
}

int weir_prefix_parse(const char *text, struct weir_prefix *ret, struct weir_err *err)
{
	const char *slash = strchr(text, '/');
	char base[WEIR_ADDR_TEXT];
	struct weir_prefix prefix = { 0 };

	if (!slash || (size_t)(slash - text) >= sizeof(base))
		return weir_err_set(
			err, EINVAL,
			"\"%.*s\" is not a prefix: expected an address, \"/\" and a length, "
			"like 10.88.1.0/24 or fd00:88:1::/64",
			QUOTE_MAX, text);
	memcpy(base, text, (size_t)(slash - text));
	base[slash - text] = '\0';
	int r = weir_addr_parse(base, &prefix.addr, err);
	if (r < 0)
		return weir_err_wrap(err, r, "prefix \"%.*s\"", QUOTE_MAX, text);
	int len = parse_length(slash + 1);
	int most = (int)weir_family_bits(prefix.addr.family);
	if (len < 0 || len > most)
		return weir_err_set(
			err, EINVAL,
			"\"%.*s\" is not a prefix: the length of an %s prefix is a number "
			"from 0 to %d",
			QUOTE_MAX, text, weir_family_name(prefix.addr.family), most);
	prefix.len = (uint8_t)len;
	*ret = prefix;
	return 0;
}

const char *weir_prefix_text(const struct weir_prefix *prefix, char buf[WEIR_PREFIX_TEXT])
{
	char addr[WEIR_ADDR_TEXT];

	buf[0] = '\0';
	if (prefix->addr.family)
		(void)snprintf(buf, WEIR_PREFIX_TEXT, "%s/%u", weir_addr_text(&prefix->addr, addr),
			       prefix->len);
	return buf;
}

/* The bits of byte i that belong to the host. */
static uint8_t host_bits(const struct weir_prefix *prefix, unsigned i)
{
	if (prefix->len >= (i + 1) * 8)
		return 0;
	return prefix->len <= i * 8 ? 0xff : (uint8_t)(0xff >> (prefix->len - i * 8));
}

struct weir_addr weir_prefix_base(const struct weir_prefix *prefix)
{
	struct weir_addr addr = prefix->addr;

	for (unsigned i = 0; i < weir_family_bits(addr.family) / 8; i++)
		addr.bytes[i] &= (uint8_t)~host_bits(prefix, i);
	return addr;
}

struct weir_addr weir_prefix_last(const struct weir_prefix *prefix)
{
	struct weir_addr addr = prefix->addr;

	for (unsigned i = 0; i < weir_family_bits(addr.family) / 8; i++)
		addr.bytes[i] |= host_bits(prefix, i);
	return addr;
}

bool weir_prefix_contains(const struct weir_prefix *prefix, const struct weir_addr *addr)
{
	if (!addr->family || prefix->addr.family != addr->family)
		return false;
	for (unsigned i = 0; i < weir_family_bits(addr->family) / 8; i++)
		if ((prefix->addr.bytes[i] ^ addr->bytes[i]) & (uint8_t)~host_bits(prefix, i))
			return false;
	return true;
}

bool weir_prefix_overlaps(const struct weir_prefix *a, const struct weir_prefix *b)
{
	return a->len <= b->len ? weir_prefix_contains(a, &b->addr)
				: weir_prefix_contains(b, &a->addr);
}

int weir_prefix_cmp(const struct weir_prefix *a, const struct weir_prefix *b)
{
	int order = weir_addr_cmp(&a->addr, &b->addr);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* ---- MAC addresses ---- */

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_mac(const char *text, uint8_t bytes[6])
{
	if (strlen(text) != WEIR_MAC_TEXT - 1)
		return false;
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex_value(text[0]), low = hex_value(text[1]);
		if (high < 0 || low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int weir_mac_parse(const char *text, struct weir_mac *ret, struct weir_err *err)
{
	struct weir_mac mac = { 0 };

	if (!read_mac(text, mac.bytes))
		return weir_err_set(
			err, EINVAL,
			"\"%.*s\" is not a MAC address: expected six pairs of hexadecimal "
			"digits, like 02:00:00:00:00:10",
			QUOTE_MAX, text);
	if (!weir_mac_is_set(&mac))
		return weir_err_set(err, EINVAL,
				    "MAC address %s is all zeros: no interface can have it", text);
	if (mac.bytes[0] & 1)
		return weir_err_set(
			err, EINVAL,
			"MAC address %s is a multicast one: its first byte must be even, "
			"like 02:00:00:00:00:10",
			text);
	*ret = mac;
	return 0;
}

const char *weir_mac_text(const struct weir_mac *mac, char buf[WEIR_MAC_TEXT])
{
	const uint8_t *b = mac->bytes;

	(void)snprintf(buf, WEIR_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
		       b[4], b[5]);
	return buf;
}

bool weir_mac_is_set(const struct weir_mac *mac)
{
	static const struct weir_mac none;

	return weir_mac_cmp(mac, &none) != 0;
}

int weir_mac_cmp(const struct weir_mac *a, const struct weir_mac *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

struct weir_addr weir_link_local(const struct weir_mac *mac)
{
	const uint8_t *m = mac->bytes;

	if (!weir_mac_is_set(mac))
		return (struct weir_addr){ 0 };
	return (struct weir_addr){
		.family = WEIR_IPV6,
		.bytes = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3],
			   m[4], m[5] },
	};
}

/* ---- ports ---- */

/* Digits up to the end of text or a '-'; NULL with err set. */
static const char *parse_port(const char *text, uint16_t *ret, struct weir_err *err)
{
	unsigned long value = 0;
	const char *c = text;

	for (; is_digit(*c) && value <= UINT16_MAX; c++)
		value = value * 10 + (unsigned)(*c - '0');
	bool number = c != text && (*c == '\0' || *c == '-' || is_digit(*c));
	if (number && value >= 1 && value <= UINT16_MAX && text[0] != '0') {
		*ret = (uint16_t)value;
		return c;
	}
	if (number)
		(void)weir_err_set(err, EINVAL, "port \"%.*s\" is not a number from 1 to 65535%s",
				   (int)strcspn(text, "-") < QUOTE_MAX ? (int)strcspn(text, "-")
								       : QUOTE_MAX,
				   text, text[0] == '0' && text[1] ? " without leading zeros" : "");
	else
		(void)weir_err_set(err, EINVAL,
				   "\"%.*s\" is not a port: expected a number from 1 to "
				   "65535 or a range like 8000-8010",
				   QUOTE_MAX, text);
	return NULL;
}

int weir_ports_parse(const char *text, struct weir_ports *ret, struct weir_err *err)
{
	struct weir_ports ports;
	const char *end = parse_port(text, &ports.lo, err);

	if (!end)
		return -EINVAL;
	ports.hi = ports.lo;
	if (*end == '-') {
		end = parse_port(end + 1, &ports.hi, err);
		if (!end)
			return -EINVAL;
	}
	if (*end)
		return weir_err_set(err, EINVAL, "\"%.*s\" is not a port range: expected LOW-HIGH",
				    QUOTE_MAX, text);
	if (ports.lo > ports.hi)
		return weir_err_set(err, EINVAL, "port range %u-%u is upside down: write %u-%u",
				    ports.lo, ports.hi, ports.hi, ports.lo);
	*ret = ports;
	return 0;
}

static char *put_port(char *at, uint16_t port)
{
	char digits[5];
	size_t n = 0;

	for (unsigned left = port; left || !n; left /= 10)
		digits[n++] = (char)('0' + left % 10);
	while (n)
		*at++ = digits[--n];
	return at;
}

/* By hand: printf() would be a tenth of the work of publishing 10,000 ports. */
const char *weir_ports_text(struct weir_ports ports, char buf[WEIR_PORTS_TEXT])
{
	char *end = ports.lo ? put_port(buf, ports.lo) : buf;

	if (ports.lo && ports.lo != ports.hi) {
		*end++ = '-';
		end = put_port(end, ports.hi);
	}
	*end = '\0';
	return buf;
}
