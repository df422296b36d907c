/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Services: a protocol and its ports, or ICMP types, in words. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/selector.h"
#include "core/spec.h"

struct icmp_type {
	enum weir_l4 l4;
	uint8_t type;
	const char *name;
};

/* As IANA's registries call them, shortened as everybody does. */
static const struct icmp_type icmp_types[] = {
	{ WEIR_L4_ICMP, 0, "echo-reply" },
	{ WEIR_L4_ICMP, 3, "destination-unreachable" },
	{ WEIR_L4_ICMP, 5, "redirect" },
	{ WEIR_L4_ICMP, 8, "echo-request" },
	{ WEIR_L4_ICMP, 9, "router-advertisement" },
	{ WEIR_L4_ICMP, 10, "router-solicitation" },
	{ WEIR_L4_ICMP, 11, "time-exceeded" },
	{ WEIR_L4_ICMP, 12, "parameter-problem" },
	{ WEIR_L4_ICMP, 13, "timestamp-request" },
	{ WEIR_L4_ICMP, 14, "timestamp-reply" },
	{ WEIR_L4_ICMPV6, 1, "destination-unreachable" },
	{ WEIR_L4_ICMPV6, 2, "packet-too-big" },
	{ WEIR_L4_ICMPV6, 3, "time-exceeded" },
	{ WEIR_L4_ICMPV6, 4, "parameter-problem" },
	{ WEIR_L4_ICMPV6, 128, "echo-request" },
	{ WEIR_L4_ICMPV6, 129, "echo-reply" },
	{ WEIR_L4_ICMPV6, 133, "router-solicitation" },
	{ WEIR_L4_ICMPV6, 134, "router-advertisement" },
	{ WEIR_L4_ICMPV6, 135, "neighbour-solicitation" },
	{ WEIR_L4_ICMPV6, 136, "neighbour-advertisement" },
	{ WEIR_L4_ICMPV6, 137, "redirect" },
};
enum { N_ICMP_TYPES = sizeof(icmp_types) / sizeof(*icmp_types), WORD_MAX = 40 };

static bool is_icmp(enum weir_l4 l4)
{
	return l4 == WEIR_L4_ICMP || l4 == WEIR_L4_ICMPV6;
}

static int blame(struct weir_err *err, size_t offset, int code)
{
	if (err)
		err->at = (struct weir_place){ .column = (unsigned)offset + 1 };
	return code;
}

/* ---- protocols ---- */

static int refuse_protocol(const char *text, size_t offset, struct weir_err *err)
{
	const char *names[WEIR_NUM_L4S];
	size_t n = 0;

	for (int l4 = WEIR_L4_TCP; l4 < WEIR_NUM_L4S; l4++)
		names[n++] = weir_l4_name((enum weir_l4)l4);
	const char *near = weir_spec_nearest(text, names, n);
	(void)weir_err_set(err, EINVAL, "unknown protocol \"%.40s\"%s%s%s", text,
			   near ? " (did you mean \"" : ": expected tcp, udp, sctp, icmp or icmpv6",
			   near ? near : "", near ? "\"?)" : "");
	return blame(err, offset, -EINVAL);
}

static bool find_protocol(const char *text, enum weir_l4 *ret)
{
	for (int l4 = WEIR_L4_TCP; l4 < WEIR_NUM_L4S; l4++)
		if (strcmp(weir_l4_name((enum weir_l4)l4), text) == 0) {
			*ret = (enum weir_l4)l4;
			return true;
		}
	return false;
}

/* ---- ICMP types ---- */

static bool read_number(const char **text, unsigned *ret)
{
	size_t len = strspn(*text, "0123456789");
	unsigned value = 0;

	if (!len || len > 3)
		return false;
	for (size_t i = 0; i < len; i++)
		value = value * 10 + (unsigned)((*text)[i] - '0');
	*text += len;
	*ret = value;
	return value <= WEIR_ICMP_TYPE_MAX;
}

static int refuse_type(enum weir_l4 l4, const char *text, struct weir_err *err)
{
	const char *names[N_ICMP_TYPES];
	size_t n = 0;

	for (size_t i = 0; i < N_ICMP_TYPES; i++)
		if (icmp_types[i].l4 == l4)
			names[n++] = icmp_types[i].name;
	const char *near = weir_spec_nearest(text, names, n);
	return weir_err_set(err, EINVAL, "unknown %s type \"%.40s\"%s%s%s", weir_l4_name(l4), text,
			    near ? " (did you mean \"" : ": expected a name or 0 to 255",
			    near ? near : "", near ? "\"?)" : "");
}

static int parse_types(enum weir_l4 l4, const char *text, struct weir_ports *ret,
		       struct weir_err *err)
{
	const char *at = text;
	unsigned lo, hi;

	for (size_t i = 0; i < N_ICMP_TYPES; i++)
		if (icmp_types[i].l4 == l4 && strcmp(icmp_types[i].name, text) == 0) {
			*ret = (struct weir_ports){ icmp_types[i].type, icmp_types[i].type };
			return 0;
		}
	if (!read_number(&at, &lo))
		return refuse_type(l4, text, err);
	hi = lo;
	if (*at == '-') {
		at++;
		if (!read_number(&at, &hi))
			return refuse_type(l4, text, err);
	}
	if (*at)
		return refuse_type(l4, text, err);
	if (lo > hi)
		return weir_err_set(err, EINVAL, "types %u-%u are upside down: did you mean %u-%u?",
				    lo, hi, hi, lo);
	*ret = (struct weir_ports){ (uint16_t)lo, (uint16_t)hi };
	return 0;
}

/* ---- all of it ---- */

/* PORTS, PORTS/PROTO; the slash's offset or the text's length. */
static int parse_ports(const char *text, size_t slash, struct weir_service *ret,
		       struct weir_err *err)
{
	char ports[WORD_MAX];

	(void)snprintf(ports, sizeof(ports), "%.*s", (int)slash, text);
	if (text[slash] && !find_protocol(text + slash + 1, &ret->l4))
		return refuse_protocol(text + slash + 1, slash + 1, err);
	if (is_icmp(ret->l4)) {
		(void)weir_err_set(err, EINVAL,
				   "%s has no ports: did you mean %s/%s, a type of it?",
				   weir_l4_name(ret->l4), weir_l4_name(ret->l4), ports);
		return blame(err, 0, -EINVAL);
	}
	int r = weir_ports_parse(ports, &ret->ports, err);
	return r < 0 ? blame(err, 0, r) : 0;
}

/* PROTO, icmp/TYPE */
static int parse_protocol(const char *text, size_t slash, struct weir_service *ret,
			  struct weir_err *err)
{
	char word[WORD_MAX];

	(void)snprintf(word, sizeof(word), "%.*s", (int)slash, text);
	if (!find_protocol(word, &ret->l4))
		return refuse_protocol(word, 0, err);
	ret->ports =
		(struct weir_ports){ 0, is_icmp(ret->l4) ? WEIR_ICMP_TYPE_MAX : WEIR_PORT_MAX };
	if (!text[slash])
		return 0;
	if (!is_icmp(ret->l4)) {
		(void)weir_err_set(err, EINVAL, "ports come first: did you mean %s/%s?",
				   text + slash + 1, word);
		return blame(err, slash + 1, -EINVAL);
	}
	int r = parse_types(ret->l4, text + slash + 1, &ret->ports, err);
	return r < 0 ? blame(err, slash + 1, r) : 0;
}

int weir_service_parse(const char *text, struct weir_service *ret, struct weir_err *err)
{
	struct weir_service service = { .l4 = WEIR_L4_TCP };
	size_t slash = strcspn(text, "/");

	if (slash >= WORD_MAX || strlen(text + slash) >= WORD_MAX) {
		(void)weir_err_set(err, EINVAL, "\"%.40s…\" is too long for ports and a protocol",
				   text);
		return blame(err, 0, -EINVAL);
	}
	int r = text[0] >= '0' && text[0] <= '9' ? parse_ports(text, slash, &service, err)
						 : parse_protocol(text, slash, &service, err);
	if (r == 0)
		*ret = service;
	return r;
}

static const char *type_text(const struct weir_service *service, char buf[WEIR_SERVICE_TEXT])
{
	const char *l4 = weir_l4_name(service->l4);
	unsigned lo = service->ports.lo, hi = service->ports.hi;

	for (size_t i = 0; lo == hi && i < N_ICMP_TYPES; i++)
		if (icmp_types[i].l4 == service->l4 && icmp_types[i].type == lo) {
			(void)snprintf(buf, WEIR_SERVICE_TEXT, "%s/%s", l4, icmp_types[i].name);
			return buf;
		}
	(void)snprintf(buf, WEIR_SERVICE_TEXT, lo == hi ? "%s/%u" : "%s/%u-%u", l4, lo, hi);
	return buf;
}

const char *weir_service_text(const struct weir_service *service, char buf[WEIR_SERVICE_TEXT])
{
	unsigned most = is_icmp(service->l4) ? WEIR_ICMP_TYPE_MAX : WEIR_PORT_MAX;
	char ports[WEIR_PORTS_TEXT];

	if (service->ports.lo == 0 && service->ports.hi == most)
		(void)snprintf(buf, WEIR_SERVICE_TEXT, "%s", weir_l4_name(service->l4));
	else if (is_icmp(service->l4))
		return type_text(service, buf);
	else
		(void)snprintf(buf, WEIR_SERVICE_TEXT, "%s/%s",
			       weir_ports_text(service->ports, ports), weir_l4_name(service->l4));
	return buf;
}
