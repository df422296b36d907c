/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An arena: blocks that double, freed together. */
#include "core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_BLOCK = 4096,	    /* one small change fits */
	LARGEST_BLOCK = 1024 * 1024 /* beyond this, doubling would waste more than it saves */
};

struct weir_arena_block {
	struct weir_arena_block *next;
	size_t used, size;
	max_align_t data[];
};

static struct weir_arena_block *add_block(struct weir_arena *arena, size_t need)
{
	size_t size = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
	if (size > LARGEST_BLOCK)
		size = LARGEST_BLOCK;
	if (size < need)
		size = need;
	/* Zeros, of which the kernel gives the large ones as they come: nothing is touched ahead of use. */
	struct weir_arena_block *block = calloc(1, sizeof(*block) + size);
	if (!block)
		return NULL;
	block->next = arena->blocks;
	block->size = size;
	arena->blocks = block;
	return block;
}

static size_t round_up(size_t size)
{
	const size_t align = _Alignof(max_align_t);
	return (size + align - 1) / align * align;
}

void *weir_arena_alloc(struct weir_arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = round_up(size);
	struct weir_arena_block *block = arena->blocks;
	if (!block || block->size - block->used < size) {
		block = add_block(arena, size);
		if (!block)
			return NULL;
	}
	void *item = (char *)block->data + block->used;
	block->used += size;
	return item;
}

char *weir_arena_strndup(struct weir_arena *arena, const char *text, size_t len)
{
	if (!text)
		return NULL;
	char *copy = weir_arena_alloc(arena, len + 1);
	return copy ? memcpy(copy, text, len) : NULL;
}

char *weir_arena_strdup(struct weir_arena *arena, const char *text)
{
	return text ? weir_arena_strndup(arena, text, strlen(text)) : NULL;
}

char *weir_arena_printf(struct weir_arena *arena, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	char *text = len < 0 ? NULL : weir_arena_alloc(arena, (size_t)len + 1);
	if (text)
		(void)vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return text;
}

/* A large array that was moved leaves a block of its own behind: without this, half of the arena would
 * be old copies. */
static void give_back(struct weir_arena *arena, const void *items, size_t size)
{
	if (size < LARGEST_BLOCK)
		return;
	/* the first block holds what it was moved to */
	for (struct weir_arena_block **at = &arena->blocks->next; *at; at = &(*at)->next) {
		struct weir_arena_block *block = *at;
		if ((const void *)block->data != items)
			continue;
		if (block->used == round_up(size)) {
			*at = block->next;
			free(block);
		}
		return;
	}
}

void *weir_arena_grow(struct weir_arena *arena, void *items, size_t n, size_t size)
{
	if (n & (n - 1)) /* not a power of two: there is room */
		return items;
	if (n > SIZE_MAX / 4 / size)
		return NULL;
	void *more = weir_arena_alloc(arena, (n ? n * 2 : 1) * size);
	if (more && n) {
		memcpy(more, items, n * size);
		give_back(arena, items, n * size);
	}
	return more;
}

void *weir_arena_copy(struct weir_arena *arena, const void *items, size_t n, size_t size)
{
	size_t room = 1;
	while (room < n)
		room *= 2;
	void *copy = n ? weir_arena_alloc(arena, room * size) : NULL;
	return copy ? memcpy(copy, items, n * size) : NULL;
}

void weir_arena_free(struct weir_arena *arena)
{
	for (struct weir_arena_block *block = arena->blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	arena->blocks = NULL;
}
