/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates of an endpoint's interfaces: "10mbit", or "10mbit/5mbit" towards and from the endpoint. */
#include "core/rate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	const char *name;
	uint64_t bits;
} units[] = { { "gbit", 1000000000 }, { "mbit", 1000000 }, { "kbit", 1000 }, { "bit", 1 } };

enum { N_UNITS = sizeof(units) / sizeof(units[0]) };

static int expected(const char *text, struct weir_err *err)
{
	return weir_err_set(err, EINVAL,
			    "\"%.40s\" is no rate: a number and bit, kbit, mbit or gbit, as in "
			    "10mbit, or two of them, towards and from the endpoint, as in "
			    "10mbit/5mbit",
			    text);
}

/* One number with its unit, len bytes of text. */
static int parse_one(const char *text, const char *one, size_t len, uint64_t *ret,
		     struct weir_err *err)
{
	size_t digits = strspn(one, "0123456789");
	uint64_t number = 0;

	if (digits == 0 || digits >= len || digits > 12)
		return expected(text, err);
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint64_t)(one[i] - '0');
	for (size_t i = 0; i < N_UNITS; i++) {
		if (strlen(units[i].name) != len - digits ||
		    strncmp(one + digits, units[i].name, len - digits) != 0)
			continue;
		if (number * units[i].bits < WEIR_RATE_MIN ||
		    number > WEIR_RATE_MAX / units[i].bits)
			return weir_err_set(err, EINVAL,
					    "rate %.40s: from 8kbit to 100gbit is possible", text);
		*ret = number * units[i].bits;
		return 0;
	}
	return expected(text, err);
}

int weir_rate_parse(const char *text, struct weir_rate *ret, struct weir_err *err)
{
	size_t len = strcspn(text, "/");
	struct weir_rate rate;
	int r = parse_one(text, text, len, &rate.to, err);

	rate.from = rate.to;
	if (r == 0 && text[len])
		r = parse_one(text, text + len + 1, strlen(text + len + 1), &rate.from, err);
	if (r == 0)
		*ret = rate;
	return r;
}

static void one_text(uint64_t bits, char *buf, size_t size)
{
	const struct unit *unit = units;

	while (bits % unit->bits)
		unit++;
	(void)snprintf(buf, size, "%" PRIu64 "%s", bits / unit->bits, unit->name);
}

const char *weir_rate_text(const struct weir_rate *rate, char buf[WEIR_RATE_TEXT])
{
	buf[0] = '\0';
	if (!rate->to)
		return buf;
	one_text(rate->to, buf, WEIR_RATE_TEXT);
	size_t used = strlen(buf);
	if (rate->from == rate->to || used + 2 > WEIR_RATE_TEXT)
		return buf;
	buf[used] = '/';
	one_text(rate->from, buf + used + 1, WEIR_RATE_TEXT - used - 1);
	return buf;
}

bool weir_rate_equal(const struct weir_rate *a, const struct weir_rate *b)
{
	return a->to == b->to && a->from == b->from;
}
