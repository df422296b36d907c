/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors as values. */
#include "core/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

static int set_text(struct weir_err *err, int code, const struct weir_place *at, const char *fmt,
		    va_list args)
{
	code = -abs(code);
	if (!err)
		return code;
	char text[sizeof(err->text)];
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut message is still a message */
	weir_utf8_scrub(text); /* what users typed comes back in messages */
	memcpy(err->text, text, sizeof(text));
	err->code = code;
	err->at = at ? *at : (struct weir_place){ 0 };
	return code;
}

int weir_err_set(struct weir_err *err, int code, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	code = set_text(err, code, NULL, fmt, args);
	va_end(args);
	return code;
}

int weir_err_at(struct weir_err *err, int code, const struct weir_place *at, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	code = set_text(err, code, at, fmt, args);
	va_end(args);
	return code;
}

int weir_err_errno(struct weir_err *err, int code, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	code = set_text(err, code, NULL, fmt, args);
	va_end(args);
	if (!err)
		return code;
	size_t used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(-code));
	return code;
}

int weir_err_wrap(struct weir_err *err, int code, const char *fmt, ...)
{
	code = -abs(code);
	if (!err)
		return code;
	char text[2 * sizeof(err->text)];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(err->text), fmt, args);
	va_end(args);
	size_t used = strlen(text);
	(void)snprintf(text + used, sizeof(text) - used, ": %s", err->text);
	text[sizeof(err->text) - 1] = '\0';
	weir_utf8_scrub(text);
	memcpy(err->text, text, sizeof(err->text));
	err->code = code;
	return code;
}

void weir_err_place(struct weir_err *err, const struct weir_place *at)
{
	if (err && at && !err->at.file && !err->at.line)
		err->at = *at;
}

/* ---- places ---- */

enum { FILE_TEXT = 96 };

/* The few files that a run of the program reads; a place holds its number, from 1. */
static struct {
	char **names;
	unsigned n;
} files;

/* 0 when there is no memory: a place without a file is still a place. */
static unsigned remember(const char *file)
{
	char name[FILE_TEXT] = "";
	memcpy(name, file, strnlen(file, sizeof(name) - 1));
	weir_utf8_scrub(name);
	if (!name[0])
		return 0;
	for (unsigned i = files.n; i-- > 0;) /* most likely that of the last place */
		if (strcmp(files.names[i], name) == 0)
			return i + 1;
	char **names = realloc(files.names, (files.n + 1) * sizeof(*names));
	if (!names)
		return 0;
	files.names = names;
	names[files.n] = strdup(name);
	if (!names[files.n])
		return 0;
	return ++files.n;
}

struct weir_place weir_place_make(const char *file, unsigned line, unsigned column)
{
	return (struct weir_place){ .line = line,
				    .column = column,
				    .file = file ? remember(file) : 0 };
}

const char *weir_place_file(const struct weir_place *at)
{
	return at->file ? files.names[at->file - 1] : "";
}

const char *weir_place_text(const struct weir_place *at, char *buf, unsigned long size)
{
	if (at->line && at->column)
		(void)snprintf(buf, size, "%s:%u:%u", weir_place_file(at), at->line, at->column);
	else if (at->line)
		(void)snprintf(buf, size, "%s:%u", weir_place_file(at), at->line);
	else
		(void)snprintf(buf, size, "%s", weir_place_file(at));
	return buf;
}
