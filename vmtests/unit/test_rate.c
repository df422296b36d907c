/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates: what is one, what is none, and back into words. */
#include "vmtests/unit/cm.h"

#include "core/rate.h"

static void test_words(void **state)
{
	static const struct {
		const char *text;
		struct weir_rate rate;
		const char *back; /* NULL: the same */
	} rows[] = {
		{ "10mbit", { 10000000, 10000000 }, NULL },
		{ "10mbit/5mbit", { 10000000, 5000000 }, NULL },
		{ "8kbit/100gbit", { 8000, UINT64_C(100000000000) }, NULL },
		{ "8000bit", { 8000, 8000 }, "8kbit" },
		{ "1500kbit/1500kbit", { 1500000, 1500000 }, "1500kbit" },
		{ "9001bit/1000mbit", { 9001, 1000000000 }, "9001bit/1gbit" },
	};
	char text[WEIR_RATE_TEXT];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_rate rate;
		assert_int_equal(weir_rate_parse(rows[i].text, &rate, NULL), 0);
		assert_true(weir_rate_equal(&rate, &rows[i].rate));
		assert_string_equal(weir_rate_text(&rate, text),
				    rows[i].back ? rows[i].back : rows[i].text);
	}
	assert_string_equal(weir_rate_text(&(struct weir_rate){ 0 }, text), "");
}

static void test_no_rates(void **state)
{
	static const char *const rows[] = {
		"",
		"0mbit",
		"10",
		"mbit",
		"10mbit/",
		"/10mbit",
		"10mbit/5mbit/",
		"-1mbit",
		"1.5mbit",
		"10 mbit",
		"10Mbit",
		"7999bit",
		"101gbit",
		"1mbit/0kbit",
		"10mbits",
		"1kbit",
		"10mbit/x",
		"1e3kbit",
		"999999999999gbit",
		"18446744073709551617bit",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_rate rate = { 7, 7 };
		struct weir_err err;
		assert_int_not_equal(weir_rate_parse(rows[i], &rate, &err), 0);
		assert_int_equal(rate.to, 7); /* outputs only on success */
		assert_non_null(strstr(err.text, "rate"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_no_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
