/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a backend says, in words, each message that it sends. Backends never print. */
#ifndef WEIR_CORE_TRACE_H
#define WEIR_CORE_TRACE_H

struct weir_trace {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

/* Does nothing when trace is NULL; formats only when somebody listens. */
void weir_trace(const struct weir_trace *trace, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
