/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An arena: memory for one graph (a spec, a model, a ruleset, a plan) that lives and dies whole. */
#ifndef WEIR_CORE_ARENA_H
#define WEIR_CORE_ARENA_H

#include <stddef.h>

struct weir_arena_block;

/* { 0 } is an empty arena. */
struct weir_arena {
	struct weir_arena_block *blocks;
};

/* Zeroed memory of `size` bytes, aligned for any type; NULL when there is none. */
void *weir_arena_alloc(struct weir_arena *arena, size_t size);

/* Copies; NULL when there is no memory, or when text is NULL. */
char *weir_arena_strdup(struct weir_arena *arena, const char *text);
char *weir_arena_strndup(struct weir_arena *arena, const char *text, size_t len);
char *weir_arena_printf(struct weir_arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Makes room for one more item of `size` bytes in an array that holds n items (its room is
 * always the next power of two from n); returns the array, moved if it had to grow, or NULL. */
void *weir_arena_grow(struct weir_arena *arena, void *items, size_t n, size_t size);

/* A copy of n items, with room as weir_arena_grow() expects it; NULL when there is no memory, or no item. */
void *weir_arena_copy(struct weir_arena *arena, const void *items, size_t n, size_t size);

/* Frees everything; the arena is empty again. */
void weir_arena_free(struct weir_arena *arena);

#define WEIR_CLEAN_ARENA __attribute__((cleanup(weir_arena_free)))

#endif
