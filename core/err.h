/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors as values: what was wanted, what happened, what to do, and where in the user's words. */
#ifndef WEIR_CORE_ERR_H
#define WEIR_CORE_ERR_H

#include <stdarg.h>

/* A place in the user's input. Lines and columns count from 1; 0 means unknown. Every object and every
 * entry has one, so the file is a number; weir_place_file() tells which. */
struct weir_place {
	unsigned line;
	unsigned column;
	unsigned file;
};

/* Lives on the caller's stack; nothing to free. { 0 } is "no error". */
struct weir_err {
	int code; /* a negative errno, 0 when there is no error */
	char text[640];
	struct weir_place at;
};

/* Every function below returns its negative errno, so that callers write
 * `return weir_err_set(err, ENOENT, "no network named \"%s\"", name);`.
 * code may be given positive or negative; err may be NULL.
 * The text is one lower-case sentence without a full stop, and plain (core/utf8.h). */
int weir_err_set(struct weir_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, with the place in the user's input that is to blame (copied). */
int weir_err_at(struct weir_err *err, int code, const struct weir_place *at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same, appending ": " and the words of errno value `code` (strerror). */
int weir_err_errno(struct weir_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "<text>: " before an error that a callee has already set; code and place stay. */
int weir_err_wrap(struct weir_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Gives an error a place if it has none yet. */
void weir_err_place(struct weir_err *err, const struct weir_place *at);

/* A place from its parts. file is a path, "-" for standard input, or the user's word; it is remembered
 * until the program ends, and cut to what a message holds. */
struct weir_place weir_place_make(const char *file, unsigned line, unsigned column);
/* Its file; "" when there is none. */
const char *weir_place_file(const struct weir_place *at);

/* "web.yaml:14:5", "web.yaml:14", "-p" or "" into buf; returns buf. */
const char *weir_place_text(const struct weir_place *at, char *buf, unsigned long size);

#endif
