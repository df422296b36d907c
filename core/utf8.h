/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that people and programs can be shown: UTF-8 (RFC 3629) without control characters, which a terminal
 * would obey, and JSON cannot hold otherwise. */
#ifndef WEIR_CORE_UTF8_H
#define WEIR_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* How many bytes the character at `text` has, of `left` that there are; 0 when it is none. */
size_t weir_utf8_length(const char *text, size_t left);

/* Is all of it well-formed, without control characters (those beyond ASCII included)? */
bool weir_utf8_is_plain(const char *text);

/* Makes it so: each byte that does not belong becomes '?'. */
void weir_utf8_scrub(char *text);

#endif
