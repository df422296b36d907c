/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a fuzzer's function over the files named as arguments, so that any build replays the
 * corpus. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole file, exactly as large as it is, so that a sanitizer sees one byte too far. */
static uint8_t *read_file(FILE *file, size_t *ret_size)
{
	uint8_t *data;
	long size;

	if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 ||
	    fseek(file, 0, SEEK_SET) != 0)
		return NULL;
	data = malloc(size ? (size_t)size : 1);
	if (data && fread(data, 1, (size_t)size, file) != (size_t)size) {
		free(data);
		return NULL;
	}
	*ret_size = (size_t)size;
	return data;
}

static int replay(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t size = 0;
	uint8_t *data = file ? read_file(file, &size) : NULL;

	if (!data)
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
	else
		(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	if (file)
		(void)fclose(file);
	return data ? 0 : 1;
}

int main(int argc, char **argv)
{
	int failed = argc < 2; /* a pattern that matched nothing must not pass */

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	(void)printf("%d files replayed\n", argc - 1);
	return failed;
}
