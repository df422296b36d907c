/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Derived names: stable, distinct, and what the kernel takes. */
#include "core/names.h"

#include <stdio.h>
#include <string.h>

#include "vmtests/unit/cm.h"

static void bridge_is_named_after_its_network(void **state)
{
	char name[WEIR_IFNAME_SIZE];

	(void)state;
	weir_names_bridge("web", 0, name);
	assert_string_equal(name, "wb-web");
	weir_names_bridge("twelve-chars", 0, name);
	assert_string_equal(name, "wb-twelve-chars");
}

static void long_or_taken_names_are_shortened(void **state)
{
	char a[WEIR_IFNAME_SIZE], b[WEIR_IFNAME_SIZE], c[WEIR_IFNAME_SIZE];

	(void)state;
	weir_names_bridge("a-network-of-many-letters", 0, a);
	weir_names_bridge("a-network-of-many-letterz", 0, b);
	assert_string_not_equal(a, b);
	assert_int_equal(strncmp(a, "wb-a-net-", strlen("wb-a-net-")), 0);
	assert_int_equal(weir_ifname_check(a, NULL), 0);
	weir_names_bridge("web", 1, b);
	weir_names_bridge("web", 2, c);
	assert_string_not_equal(b, c);
	assert_string_not_equal(b, "wb-web");
}

static void veth_is_stable_and_its_own(void **state)
{
	char a[WEIR_IFNAME_SIZE], again[WEIR_IFNAME_SIZE], other[WEIR_IFNAME_SIZE];

	(void)state;
	weir_names_veth("nginx", "web", 0, a);
	weir_names_veth("nginx", "web", 0, again);
	assert_string_equal(a, again);
	assert_int_equal(weir_ifname_check(a, NULL), 0);
	weir_names_veth("nginx", "web", 1, other);
	assert_string_not_equal(a, other);
	/* the border between the two words counts */
	weir_names_veth("ngin", "xweb", 0, other);
	assert_string_not_equal(a, other);
}

static void macs_are_local_unicast(void **state)
{
	struct weir_mac a, b, bridge;
	struct weir_addr v4, v6;

	(void)state;
	assert_int_equal(weir_addr_parse("10.88.1.2", &v4, NULL), 0);
	assert_int_equal(weir_addr_parse("fd00:88:1::2", &v6, NULL), 0);
	weir_names_mac(&v4, &a);
	weir_names_mac(&v6, &b);
	weir_names_bridge_mac("web", &bridge);
	const struct weir_mac *all[] = { &a, &b, &bridge };
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(all[i]->bytes[0] & 3, 2); /* IEEE 802: local, not a group */
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(weir_mac_cmp(all[i], all[k]), 0);
	}
	char text[WEIR_MAC_TEXT];
	assert_string_equal(weir_mac_text(&a, text), "02:77:0a:58:01:02");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bridge_is_named_after_its_network),
		cmocka_unit_test(long_or_taken_names_are_shortened),
		cmocka_unit_test(veth_is_stable_and_its_own),
		cmocka_unit_test(macs_are_local_unicast),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
