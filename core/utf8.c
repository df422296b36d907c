/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that people and programs can be shown. */
#include "core/utf8.h"

#include <string.h>

/* The well-formed sequences of more than one byte (RFC 3629 4): nothing longer than need be, no surrogates. */
static const struct form {
	unsigned char first_lo, first_hi, second_lo, second_hi;
	size_t len;
} forms[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t weir_utf8_length(const char *text, size_t left)
{
	const unsigned char *at = (const unsigned char *)text;

	if (left && at[0] && at[0] < 0x80)
		return 1;
	for (size_t i = 0; left && i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct form *form = &forms[i];
		if (at[0] < form->first_lo || at[0] > form->first_hi)
			continue;
		if (left < form->len || at[1] < form->second_lo || at[1] > form->second_hi)
			return 0;
		for (size_t j = 2; j < form->len; j++)
			if ((at[j] & 0xc0) != 0x80)
				return 0;
		return form->len;
	}
	return 0;
}

/* C0, DEL, and C1 (U+0080 to U+009F). */
static bool is_control(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
}

/* The bytes of the character at `at`; 0 when it has no place in plain text. */
static size_t plain_length(const char *at, size_t left)
{
	return is_control(at) ? 0 : weir_utf8_length(at, left);
}

bool weir_utf8_is_plain(const char *text)
{
	size_t left = strlen(text);

	for (size_t len; left; text += len, left -= len)
		if (!(len = plain_length(text, left)))
			return false;
	return true;
}

void weir_utf8_scrub(char *text)
{
	size_t left = strlen(text);

	for (size_t len; left; text += len, left -= len) {
		len = plain_length(text, left);
		if (!len) {
			*text = '?';
			len = 1;
		}
	}
}
