/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar of published ports: what is taken, what is refused and at which byte. */
#include "vmtests/unit/cm.h"

#include <errno.h>

#include "core/publish.h"

static void good_words_print_back(void **state)
{
	static const struct {
		const char *in, *out;
		bool open;
	} rows[] = {
		{ "80", "80", true },
		{ "80/tcp", "80", true },
		{ "53/udp", "53/udp", true },
		{ "8080:80", "8080:80", false },
		{ "65535:1", "65535:1", false },
		{ "8080-8080:80-80", "8080:80", false },
		{ "127.0.0.1:8080:80", "127.0.0.1:8080:80", false },
		{ "127.0.0.1::80", "127.0.0.1::80", true },
		{ "127.0.0.1:8000-9000:80", "127.0.0.1:8000-9000:80", true },
		{ "[2001:db8::1]:8443:443/tcp", "[2001:db8::1]:8443:443", false },
		{ "[2001:DB8:0::1]::443", "[2001:db8::1]::443", true },
		{ "8000-8010:9000-9010/udp", "8000-8010:9000-9010/udp", false },
		{ "192.0.2.1:8000-8010:8000-8010", "192.0.2.1:8000-8010:8000-8010", false },
		{ "8000-9000:80", "8000-9000:80", true },
		{ "3868:3868/sctp", "3868:3868/sctp", false },
		{ "1-65535:1-65535", "1-65535:1-65535", false },
		{ "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:10000-10009:20000-20009/sctp", NULL,
		  false },
	};
	char text[WEIR_MAPPING_TEXT];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_mapping m, again;
		struct weir_err err = { 0 };

		if (weir_mapping_parse(rows[i].in, &m, &err) < 0)
			fail_msg("%s: %s", rows[i].in, err.text);
		assert_string_equal(weir_mapping_text(&m, text),
				    rows[i].out ? rows[i].out : rows[i].in);
		assert_int_equal(weir_mapping_is_open(&m), rows[i].open);
		assert_null(m.network);
		assert_int_equal(weir_mapping_parse(text, &again, NULL), 0);
		assert_int_equal(weir_mapping_cmp(&m, &again), 0);
	}
}

static void bad_words_name_the_byte(void **state)
{
	static const struct {
		const char *word;
		unsigned column;
		const char *says;
	} rows[] = {
		{ "", 1, "empty" },
		{ ":80", 1, "host port is missing" },
		{ ":", 1, "host port is missing" },
		{ "8080:", 6, "port is missing" },
		{ "8080:/tcp", 6, "port is missing" },
		{ "/tcp", 1, "port is missing" },
		{ "80/", 4, "protocol is missing" },
		{ "80/icmp", 4, "icmp" },
		{ "80/TCP", 4, "TCP" },
		{ "80/tcp/udp", 4, "tcp/udp" },
		{ "0", 1, "between 1 and 65535" },
		{ "0:80", 1, "port 0" },
		{ "8080:0", 6, "port 0" },
		{ "65536:80", 1, "port 65536" },
		{ "8080:99999999999999999999", 6, "between 1 and 65535" },
		{ "8080:80x", 8, "\"x\"" },
		{ "x:80", 1, "expected a port" },
		{ "080:80", 1, "leading zero" },
		{ "-80", 1, "expected a port" },
		{ "80-", 4, "missing" },
		{ "80--90", 4, "expected a port" },
		{ "80-90-100", 6, "\"-\"" },
		{ "8010-8000:9000-9010", 6, "upside down: write 8000-8010" },
		{ "8000-8010:9010-9000", 16, "upside down" },
		{ "8000-8010:9000-9011", 1, "same length" },
		{ "8080:80-81", 1, "same length" },
		{ "8000-8010", 1, "8000-8010:8000-8010" },
		{ "127.0.0.1::8000-8010", 12, "host ports of its own" },
		{ "8080:80 ", 8, "spaces" },
		{ " 8080:80", 1, "spaces" },
		{ "8080:80,81", 8, "one published port at a time" },
		{ "8080:80\n", 8, "0x0a" },
		{ "8080\x1b[31m:80", 5, "0x1b" },
		{ "+80:80", 1, "\"+\"" },
		{ "0x50:80", 2, "\"x\"" },
		{ "$(id):80", 1, "\"$\"" },
		{ "\xc3\xa9:80", 1, "0xc3" },
		{ "192.0.2.1:80", 1, "192.0.2.1::80 for a free host port, or 192.0.2.1:80:80" },
		{ "[2001:db8::1]:80", 1, "[2001:db8::1]::80" },
		{ "192.0.2.256:8080:80", 1, "192.0.2.256" },
		{ "192.0.2.01:8080:80", 1, "192.0.2.01" },
		{ "localhost:8080:80", 1, "localhost" },
		{ "192.0.2.1:8080:80:1", 18, "too many colons" },
		{ "1:2:3:4", 6, "too many colons" },
		{ ":8080:80", 1, "host address is missing" },
		{ "[::1]:8080:80", 2, "no kernel" },
		{ "[0:0::1]:8080:80", 2, "no kernel" },
		{ "[2001:db8::1:8080:80", 1, "never closed" },
		{ "[", 1, "never closed" },
		{ "[]:8080:80", 2, "missing" },
		{ "[192.0.2.1]:8080:80", 2, "IPv6" },
		{ "[2001:db8::g]:8080:80", 2, "2001:db8::g" },
		{ "[2001:db8::1]8080:80", 14, "expected \":\"" },
		{ "[2001:db8::1]", 14, "expected \":\"" },
		{ "[2001:db8::1]:", 1, "either side" },
		{ "[2001:db8::1]::", 16, "port is missing" },
		{ "[2001:db8::1]:1:2:3", 18, "too many colons" },
		{ "2001:db8::1:8080:80", 1, "brackets" },
		{ "::1:8080:80", 1, "brackets" },
		{ "fd00::1", 1, "brackets" },
		{ "[fe80::1%eth0]:8080:80", 9, "zone" },
		{ "[fe80::1]:8080:80", 2, "link-local" },
		{ "[ff02::1]:8080:80", 2, "multicast" },
		{ "[::ffff:10.0.0.1]:8080:80", 2, "IPv4 address as itself" },
		{ "[::]:8080:80", 2, "every address" },
		{ "0.0.0.0:8080:80", 1, "every address" },
		{ "224.0.0.1:8080:80", 1, "multicast" },
		{ "255.255.255.255:8080:80", 1, "broadcast" },
		{ "80]", 3, "\"]\"" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_mapping m = { .proto = WEIR_SCTP };
		struct weir_err err = { 0 };

		if (weir_mapping_parse(rows[i].word, &m, &err) != -EINVAL)
			fail_msg("%s was taken", rows[i].word);
		if (err.at.column != rows[i].column || !strstr(err.text, rows[i].says))
			fail_msg("\"%s\": expected column %u and \"%s\", got %u: %s", rows[i].word,
				 rows[i].column, rows[i].says, err.at.column, err.text);
		assert_int_equal(err.at.line, 0);
		assert_int_equal(m.proto, WEIR_SCTP); /* outputs only on success */
		assert_int_equal(weir_mapping_parse(rows[i].word, &m, NULL), -EINVAL);
	}
}

static void huge_words_are_refused(void **state)
{
	static char word[100000];
	struct weir_mapping m;
	struct weir_err err = { 0 };

	(void)state;
	memset(word, '1', sizeof(word) - 1);
	assert_int_equal(weir_mapping_parse(word, &m, &err), -EINVAL);
	assert_int_equal(err.at.column, 129);
	memset(word, ':', sizeof(word) - 1);
	assert_int_equal(weir_mapping_parse(word, &m, &err), -EINVAL);
}

static void order_is_total(void **state)
{
	static const char *const sorted[] = {
		"80",
		"81",
		"8080:80",
		"8080:81",
		"8080-8081:80-81",
		"8081:80",
		"80/udp",
		"8080:80/udp",
		"127.0.0.1::80",
		"127.0.0.1:1:1",
		"192.0.2.1:1:1",
		"[2001:db8::1]:1:1",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(sorted); i++)
		for (size_t j = 0; j < N_OF(sorted); j++) {
			struct weir_mapping a, b;
			assert_int_equal(weir_mapping_parse(sorted[i], &a, NULL), 0);
			assert_int_equal(weir_mapping_parse(sorted[j], &b, NULL), 0);
			int order = weir_mapping_cmp(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
}

static void networks_are_part_of_the_order(void **state)
{
	struct weir_mapping none, db, web;

	(void)state;
	assert_int_equal(weir_mapping_parse("80", &none, NULL), 0);
	db = web = none;
	db.network = "db";
	web.network = "web";
	assert_true(weir_mapping_cmp(&none, &db) < 0);
	assert_true(weir_mapping_cmp(&db, &web) < 0);
	assert_int_equal(weir_mapping_cmp(&web, &web), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_words_print_back),
		cmocka_unit_test(bad_words_name_the_byte),
		cmocka_unit_test(huge_words_are_refused),
		cmocka_unit_test(order_is_total),
		cmocka_unit_test(networks_are_part_of_the_order),
	};
	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
