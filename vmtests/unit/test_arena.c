/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arenas: zeroed, aligned, and growing arrays keep what they hold. */
#include "vmtests/unit/cm.h"

#include "core/arena.h"

static void memory_is_zeroed_and_aligned(void **state)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };

	(void)state;
	for (size_t size = 0; size < 300; size++) {
		unsigned char *item = weir_arena_alloc(&arena, size);
		assert_non_null(item);
		assert_int_equal((uintptr_t)item % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(item[i], 0);
		memset(item, 0xff, size);
	}
}

enum { LARGE = 10 * 1024 * 1024 };

static void large_items_get_their_own_block(void **state)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	char *small = weir_arena_strdup(&arena, "small");
	char *large = weir_arena_alloc(&arena, LARGE);

	(void)state;
	assert_non_null(large);
	large[LARGE - 1] = 'x';
	assert_string_equal(small, "small");
	assert_null(weir_arena_alloc(&arena, SIZE_MAX));
	assert_null(weir_arena_alloc(&arena, SIZE_MAX / 2 + 1));
}

static void arrays_grow_and_keep_their_items(void **state)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	size_t *items = NULL;

	(void)state;
	for (size_t n = 0; n < 5000; n++) {
		items = weir_arena_grow(&arena, items, n, sizeof(*items));
		assert_non_null(items);
		items[n] = n;
		(void)weir_arena_alloc(&arena, 3); /* a neighbour must survive */
	}
	for (size_t n = 0; n < 5000; n++)
		assert_int_equal(items[n], n);
	assert_null(weir_arena_grow(&arena, items, (size_t)1 << 62, 64));
}

static void strings_are_copies(void **state)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	char text[] = "web";
	char *copy = weir_arena_strdup(&arena, text);

	(void)state;
	text[0] = 'x';
	assert_string_equal(copy, "web");
	assert_string_equal(weir_arena_strndup(&arena, "webserver", 3), "web");
	assert_string_equal(weir_arena_printf(&arena, "%s-%d", "wb", 7), "wb-7");
	assert_null(weir_arena_strdup(&arena, NULL));
}

static void freeing_twice_is_fine(void **state)
{
	struct weir_arena arena = { 0 };

	(void)state;
	(void)weir_arena_alloc(&arena, 1);
	weir_arena_free(&arena);
	assert_null(arena.blocks);
	weir_arena_free(&arena);
	assert_non_null(weir_arena_alloc(&arena, 1)); /* and it can be used again */
	weir_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned),
		cmocka_unit_test(large_items_get_their_own_block),
		cmocka_unit_test(arrays_grow_and_keep_their_items),
		cmocka_unit_test(strings_are_copies),
		cmocka_unit_test(freeing_twice_is_fine),
	};
	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
