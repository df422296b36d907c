/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Golden files: vmtests/golden/spec/NAME.yaml beside NAME.err, NAME.model or NAME.rules. With
 * WEIR_GOLDEN=write in the environment they are written instead of compared; look at the
 * difference. */
#ifndef WEIR_UNIT_GOLDEN_H
#define WEIR_UNIT_GOLDEN_H

#include "vmtests/unit/cm.h"

#include <glob.h>
#include <stdbool.h>

/* The whole file; NULL when absent. The caller frees it. */
static inline char *golden_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t len = 0, room = 0;

	if (!file)
		return NULL;
	do {
		if (len + 1 >= room) {
			room = room ? room * 2 : 4096;
			text = realloc(text, room);
			assert_non_null(text);
		}
		len += fread(text + len, 1, room - len - 1, file);
	} while (!feof(file));
	text[len] = '\0';
	(void)fclose(file);
	return text;
}

/* NAME.yaml with another ending. */
static inline void golden_beside(char *buf, size_t size, const char *yaml, const char *ending)
{
	(void)snprintf(buf, size, "%.*s%s", (int)(strlen(yaml) - strlen(".yaml")), yaml, ending);
}

/* True when the file says the same, or has just been written. */
static inline bool golden_same(const char *path, const char *text)
{
	const char *mode = getenv("WEIR_GOLDEN");

	if (mode && strcmp(mode, "write") == 0) {
		FILE *file = fopen(path, "we");
		assert_non_null(file);
		assert_true(fputs(text, file) >= 0);
		assert_int_equal(fclose(file), 0);
		return true;
	}
	char *want = golden_read(path);
	bool same = want && strcmp(want, text) == 0;
	if (!same)
		print_error("%s\n--- wanted\n%s--- got\n%s---\n", path, want ? want : "(no file)\n",
			    text);
	free(want);
	return same;
}

/* Calls check(yaml) for each file that matches; returns how many failed. Run from the project's
 * root. */
static inline size_t golden_each(const char *pattern, bool (*check)(const char *yaml))
{
	glob_t files;
	size_t failed = 0;

	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		failed += !check(files.gl_pathv[i]);
	globfree(&files);
	return failed;
}

#endif
