/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates of an endpoint's interfaces: "10mbit", or "10mbit/5mbit" towards and from the endpoint. */
#ifndef WEIR_CORE_RATE_H
#define WEIR_CORE_RATE_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Below the least, a full frame would wait for seconds; above the most, no clock of the kernel's counts. */
#define WEIR_RATE_MIN UINT64_C(8000)
#define WEIR_RATE_MAX UINT64_C(100000000000)

/* Bits per second; 0: no limit. */
struct weir_rate {
	uint64_t to, from; /* the endpoint */
};

enum { WEIR_RATE_TEXT = 48 };

/* Numbers with bit, kbit, mbit or gbit, by thousands as tc has them; one means both ways. -EINVAL. */
int weir_rate_parse(const char *text, struct weir_rate *ret, struct weir_err *err);
const char *weir_rate_text(const struct weir_rate *rate, char buf[WEIR_RATE_TEXT]);
bool weir_rate_equal(const struct weir_rate *a, const struct weir_rate *b);

#endif
