/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one line between a backend and whoever listens. */
#include "core/trace.h"

#include <stdarg.h>
#include <stdio.h>

void weir_trace(const struct weir_trace *trace, const char *fmt, ...)
{
	if (!trace || !trace->line)
		return;
	char text[1024];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut line is still a line */
	va_end(args);
	trace->line(trace->ctx, text);
}
