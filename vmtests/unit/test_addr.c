/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, prefixes, MAC addresses and ports: text both ways, order, arithmetic. */
#include "vmtests/unit/cm.h"

#include <errno.h>

#include "core/addr.h"

static struct weir_addr addr(const char *text)
{
	struct weir_addr a;

	assert_int_equal(weir_addr_parse(text, &a, NULL), 0);
	return a;
}

static struct weir_prefix prefix(const char *text)
{
	struct weir_prefix p;

	assert_int_equal(weir_prefix_parse(text, &p, NULL), 0);
	return p;
}

static void addresses_print_as_they_are_written(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "10.88.1.10", NULL },
		{ "0.0.0.0", NULL },
		{ "255.255.255.255", NULL },
		{ "::", NULL },
		{ "::1", NULL },
		{ "fd00:88:1::10", NULL },
		{ "FD00:0088:0001:0:0:0:0:10", "fd00:88:1::10" },
		{ "::ffff:10.0.0.1", NULL },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
	};
	char text[WEIR_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_addr a = addr(rows[i].in);
		assert_string_equal(weir_addr_text(&a, text),
				    rows[i].out ? rows[i].out : rows[i].in);
	}
	assert_string_equal(weir_addr_text(&(struct weir_addr){ 0 }, text), "");
}

static void wrong_addresses_are_refused(void **state)
{
	static const char *const rows[] = {
		"",	      "10.88.1",      "10.88.1.256", "10.88.1.010",
		"010.0.0.1",  "10.88.1.10 ",  " 10.0.0.1",   "10.88.1.10/24",
		"[::1]",      "fe80::1%eth0", ":::",	     "1:2:3:4:5:6:7:8:9",
		"0x0a.0.0.1", "167772161",    "10.1",	     "a",
		"::g",	      "10.0.0.1\n",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_addr a = { .family = 77 };
		struct weir_err err = { 0 };
		assert_int_equal(weir_addr_parse(rows[i], &a, &err), -EINVAL);
		assert_int_equal(a.family, 77); /* outputs only on success */
		assert_non_null(strstr(err.text, "is not an address"));
	}
}

static void prefixes_know_their_ends(void **state)
{
	static const struct {
		const char *prefix, *base, *last;
	} rows[] = {
		{ "10.88.1.7/24", "10.88.1.0", "10.88.1.255" },
		{ "10.88.1.7/32", "10.88.1.7", "10.88.1.7" },
		{ "10.88.1.7/0", "0.0.0.0", "255.255.255.255" },
		{ "10.88.1.7/31", "10.88.1.6", "10.88.1.7" },
		{ "10.88.129.7/17", "10.88.128.0", "10.88.255.255" },
		{ "fd00::1234/64", "fd00::", "fd00::ffff:ffff:ffff:ffff" },
		{ "fd00::1234/127", "fd00::1234", "fd00::1235" },
		{ "fd00:ffff::/20", "fd00:f000::", "fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	char text[WEIR_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_prefix p = prefix(rows[i].prefix);
		struct weir_addr base = weir_prefix_base(&p), last = weir_prefix_last(&p);
		char whole[WEIR_PREFIX_TEXT];

		assert_string_equal(weir_addr_text(&base, text), rows[i].base);
		assert_string_equal(weir_addr_text(&last, text), rows[i].last);
		assert_string_equal(weir_prefix_text(&p, whole),
				    rows[i].prefix); /* host bits as given */
		assert_true(weir_prefix_contains(&p, &base));
		assert_true(weir_prefix_contains(&p, &last));
		if (weir_addr_add(&last, 1, &last))
			assert_false(weir_prefix_contains(&p, &last));
	}
}

static void wrong_prefixes_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"10.88.1.0",
		"10.88.1.0/",
		"10.88.1.0/33",
		"10.88.1.0/024",
		"10.88.1.0/-1",
		"10.88.1.0/24/",
		"10.88.1/24",
		"fd00::/129",
		"/24",
		"10.88.1.0/ 24",
		"10.88.1.0/2x",
		"10.88.1.0/4294967320",
		"[fd00::]/64",
		"10.88.1.0/0000000000000000000000000000000000000000000000000000000000000000000024",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_prefix p = { .len = 77 };
		struct weir_err err = { 0 };
		assert_int_equal(weir_prefix_parse(rows[i], &p, &err), -EINVAL);
		assert_int_equal(p.len, 77);
		assert_true(err.text[0]);
	}
}

static void prefixes_overlap_either_way(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{ "10.0.0.0/8", "10.88.1.0/24", true },	   { "10.88.1.0/24", "10.88.1.0/24", true },
		{ "10.88.0.0/24", "10.88.1.0/24", false }, { "0.0.0.0/0", "10.0.0.0/8", true },
		{ "10.88.0.0/23", "10.88.1.0/24", true },  { "::/0", "10.0.0.0/8", false },
		{ "fd00::/48", "fd00:0:0:5::/64", true },  { "fd00::/48", "fd00:0:1::/64", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_prefix a = prefix(rows[i].a), b = prefix(rows[i].b);
		assert_int_equal(weir_prefix_overlaps(&a, &b), rows[i].overlap);
		assert_int_equal(weir_prefix_overlaps(&b, &a), rows[i].overlap);
	}
}

static void adding_carries_and_ends_with_the_family(void **state)
{
	static const struct {
		const char *addr;
		uint64_t n;
		const char *sum;
	} rows[] = {
		{ "10.88.1.255", 1, "10.88.2.0" },
		{ "10.255.255.255", 1, "11.0.0.0" },
		{ "10.0.0.0", 65536, "10.1.0.0" },
		{ "255.255.255.255", 1, NULL },
		{ "0.0.0.0", 0xffffffff, "255.255.255.255" },
		{ "0.0.0.0", 0x100000000, NULL },
		{ "fd00::ffff:ffff:ffff:ffff", 1, "fd00:0:0:1::" },
		{ "fd00::", UINT64_MAX, "fd00::ffff:ffff:ffff:ffff" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, NULL },
	};
	char text[WEIR_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_addr a = addr(rows[i].addr), sum = { 0 };
		assert_int_equal(weir_addr_add(&a, rows[i].n, &sum), rows[i].sum != NULL);
		assert_string_equal(weir_addr_text(&sum, text), rows[i].sum ? rows[i].sum : "");
	}
	assert_false(weir_addr_add(&(struct weir_addr){ 0 }, 0, &(struct weir_addr){ 0 }));
}

static void kinds_of_addresses_are_told_apart(void **state)
{
	static const struct {
		const char *addr;
		bool loopback, multicast, any;
	} rows[] = {
		{ "127.0.0.1", true, false, false },
		{ "127.255.0.1", true, false, false },
		{ "128.0.0.1", false, false, false },
		{ "::1", true, false, false },
		{ "::ffff:127.0.0.1", true, false, false },
		{ "::2", false, false, false },
		{ "224.0.0.1", false, true, false },
		{ "239.255.255.255", false, true, false },
		{ "240.0.0.1", false, false, false },
		{ "ff02::1", false, true, false },
		{ "fe80::1", false, false, false },
		{ "0.0.0.0", false, false, true },
		{ "::", false, false, true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct weir_addr a = addr(rows[i].addr);
		assert_int_equal(weir_addr_is_loopback(&a), rows[i].loopback);
		assert_int_equal(weir_addr_is_multicast(&a), rows[i].multicast);
		assert_int_equal(weir_addr_is_any(&a), rows[i].any);
	}
	assert_false(weir_addr_is_any(&(struct weir_addr){ 0 }));
	assert_false(weir_addr_is_set(&(struct weir_addr){ 0 }));
}

static void order_is_by_family_then_value(void **state)
{
	static const char *const sorted[] = { "0.0.0.0",   "9.255.0.0", "10.0.0.0",
					      "255.0.0.1", "::",	"fd00::" };

	(void)state;
	for (size_t i = 0; i < N_OF(sorted); i++)
		for (size_t j = 0; j < N_OF(sorted); j++) {
			struct weir_addr a = addr(sorted[i]), b = addr(sorted[j]);
			int order = weir_addr_cmp(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
}

static void mac_addresses(void **state)
{
	static const char *const wrong[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:1",
		"02:00:00:00:00:10:",
		"02-00-00-00-00-10",
		"0g:00:00:00:00:10",
		"01:00:00:00:00:10",
		"00:00:00:00:00:00",
		"ff:ff:ff:ff:ff:ff",
		"020000000010",
		"02:00:00:00:00:100",
	};
	struct weir_mac mac;
	char text[WEIR_MAC_TEXT];

	(void)state;
	assert_int_equal(weir_mac_parse("02:Aa:bB:00:00:10", &mac, NULL), 0);
	assert_string_equal(weir_mac_text(&mac, text), "02:aa:bb:00:00:10");
	assert_true(weir_mac_is_set(&mac));
	assert_false(weir_mac_is_set(&(struct weir_mac){ 0 }));
	for (size_t i = 0; i < N_OF(wrong); i++)
		assert_int_equal(weir_mac_parse(wrong[i], &mac, NULL), -EINVAL);
}

static void ports_and_ranges(void **state)
{
	static const char *const wrong[] = { "",
					     "0",
					     "65536",
					     "080",
					     "80-",
					     "-80",
					     "90-80",
					     "80-90-100",
					     "8o",
					     " 80",
					     "80 ",
					     "+80",
					     "99999999999999999999",
					     "0-5" };
	struct weir_ports ports;
	char text[WEIR_PORTS_TEXT];

	(void)state;
	assert_int_equal(weir_ports_parse("80", &ports, NULL), 0);
	assert_string_equal(weir_ports_text(ports, text), "80");
	assert_int_equal(weir_ports_parse("1-65535", &ports, NULL), 0);
	assert_string_equal(weir_ports_text(ports, text), "1-65535");
	assert_string_equal(weir_ports_text((struct weir_ports){ 0 }, text), "");
	for (size_t i = 0; i < N_OF(wrong); i++)
		assert_int_equal(weir_ports_parse(wrong[i], &ports, NULL), -EINVAL);
}

static void protocols(void **state)
{
	enum weir_proto proto = WEIR_NO_PROTO;

	(void)state;
	assert_int_equal(weir_proto_parse("sctp", &proto, NULL), 0);
	assert_int_equal(proto, WEIR_SCTP);
	assert_string_equal(weir_proto_name(WEIR_UDP), "udp");
	assert_int_equal(weir_proto_parse("TCP", &proto, NULL), -EINVAL);
	assert_int_equal(weir_proto_parse("", &proto, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_print_as_they_are_written),
		cmocka_unit_test(wrong_addresses_are_refused),
		cmocka_unit_test(prefixes_know_their_ends),
		cmocka_unit_test(wrong_prefixes_are_refused),
		cmocka_unit_test(prefixes_overlap_either_way),
		cmocka_unit_test(adding_carries_and_ends_with_the_family),
		cmocka_unit_test(kinds_of_addresses_are_told_apart),
		cmocka_unit_test(order_is_by_family_then_value),
		cmocka_unit_test(mac_addresses),
		cmocka_unit_test(ports_and_ranges),
		cmocka_unit_test(protocols),
	};
	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
