/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors as values: text, wrapping, places. */
#include "vmtests/unit/cm.h"

#include <errno.h>

#include "core/err.h"
#include "core/utf8.h"

static void sets_code_and_text(void **state)
{
	struct weir_err err = { 0 };

	(void)state;
	assert_int_equal(weir_err_set(&err, ENOENT, "no network named \"%s\"", "web"), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "no network named \"web\"");
	assert_int_equal(weir_err_set(&err, -EINVAL, "x"), -EINVAL); /* either sign */
	assert_int_equal(weir_err_set(NULL, EPERM, "nobody listens"), -EPERM);
}

static void a_new_error_forgets_the_old_place(void **state)
{
	struct weir_place at = weir_place_make("web.yaml", 14, 5);
	struct weir_err err = { 0 };

	(void)state;
	(void)weir_err_at(&err, EINVAL, &at, "first");
	assert_int_equal(err.at.line, 14);
	(void)weir_err_set(&err, EINVAL, "second");
	assert_int_equal(err.at.line, 0);
	assert_string_equal(weir_place_file(&err.at), "");
}

static void wraps_keeping_the_place(void **state)
{
	struct weir_place at = weir_place_make("web.yaml", 14, 5);
	struct weir_err err = { 0 };
	char text[64];

	(void)state;
	(void)weir_err_at(&err, EINVAL, &at, "port 0 is not between 1 and 65535");
	assert_int_equal(weir_err_wrap(&err, -EINVAL, "endpoint \"%s\"", "web"), -EINVAL);
	assert_string_equal(err.text, "endpoint \"web\": port 0 is not between 1 and 65535");
	assert_string_equal(weir_place_text(&err.at, text, sizeof(text)), "web.yaml:14:5");
}

static void an_error_keeps_its_first_place(void **state)
{
	struct weir_place near = weir_place_make("a", 1, 2), far = weir_place_make("b", 3, 4);
	struct weir_err err = { 0 };

	(void)state;
	(void)weir_err_set(&err, EINVAL, "x");
	weir_err_place(&err, &near);
	weir_err_place(&err, &far);
	assert_string_equal(weir_place_file(&err.at), "a");
	weir_err_place(NULL, &near);
}

static void takes_the_words_of_errno(void **state)
{
	struct weir_err err = { 0 };

	(void)state;
	assert_int_equal(weir_err_errno(&err, EACCES, "cannot open %s", "x"), -EACCES);
	assert_string_equal(err.text, "cannot open x: Permission denied");
}

static void control_characters_do_not_pass(void **state)
{
	struct weir_err err = { 0 };
	struct weir_place at = weir_place_make("a\033[31m", 0, 0);

	(void)state;
	(void)weir_err_set(&err, EINVAL, "name \"%s\"", "a\033[31m\n\x7f");
	assert_string_equal(err.text, "name \"a?[31m??\"");
	(void)weir_err_wrap(&err, EINVAL, "%s", "\r");
	assert_string_equal(err.text, "?: name \"a?[31m??\"");
	assert_string_equal(weir_place_file(&at), "a?[31m");
}

static void long_texts_are_cut(void **state)
{
	struct weir_err err = { 0 };
	char text[4 * sizeof(err.text)];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)weir_err_set(&err, EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	(void)weir_err_wrap(&err, EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	(void)weir_err_errno(&err, ENOENT, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void places_have_three_forms(void **state)
{
	const struct {
		struct weir_place at;
		const char *text;
	} rows[] = {
		{ weir_place_make("web.yaml", 14, 5), "web.yaml:14:5" },
		{ weir_place_make("web.yaml", 14, 0), "web.yaml:14" },
		{ weir_place_make("-p", 0, 3), "-p" },
		{ weir_place_make("", 0, 0), "" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_string_equal(weir_place_text(&rows[i].at, text, sizeof(text)), rows[i].text);
}

/* JSON and terminals take well-formed text only, wherever a message was cut. */
static void broken_text_does_not_pass(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{ "gr\xc3\xbc\xc3\x9f \xe2\x86\x92 \xf0\x9f\x8c\x8a",
		  "gr\xc3\xbc\xc3\x9f \xe2\x86\x92 \xf0\x9f\x8c\x8a" },
		{ "\xff\xfe", "??" },
		{ "\xc0\xaf", "??" },	   /* longer than need be */
		{ "\xed\xa0\x80", "???" }, /* a surrogate */
		{ "a\xc2\x9b"
		  "31m",
		  "a??31m" }, /* CSI, as one character */
		{ "cut \xe2\x86", "cut ??" },
	};
	struct weir_err err = { 0 };
	char much[2 * sizeof(err.text)];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)weir_err_set(&err, EINVAL, "%s", cases[i].bytes);
		assert_string_equal(err.text, cases[i].text);
	}
	for (size_t i = 0; i + 2 < sizeof(much); i += 2)
		memcpy(much + i, "\xc3\xbc", 3);
	for (int odd = 0; odd < 2; odd++) {
		(void)weir_err_set(&err, EINVAL, "%s%s", odd ? "x" : "", much);
		assert_true(weir_utf8_is_plain(err.text));
		(void)weir_err_wrap(&err, EINVAL, "%s", odd ? "y" : "yy");
		assert_true(weir_utf8_is_plain(err.text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_code_and_text),
		cmocka_unit_test(a_new_error_forgets_the_old_place),
		cmocka_unit_test(wraps_keeping_the_place),
		cmocka_unit_test(an_error_keeps_its_first_place),
		cmocka_unit_test(takes_the_words_of_errno),
		cmocka_unit_test(control_characters_do_not_pass),
		cmocka_unit_test(broken_text_does_not_pass),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(places_have_three_forms),
	};
	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
