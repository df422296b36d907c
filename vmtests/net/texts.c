/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of files, as `grep -rs '' FOLDER` gives them. grep reads with a large buffer, and the kernel
 * clears as much for each setting: half of what a look at an emulated machine took. */
#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void file(int folder, const char *name, const char *path)
{
	enum { STEP = 4096 }; /* a setting's longest */
	static char text[64 * STEP];
	int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = fd >= 0 ? STEP : 0;
	char *rest = text;

	for (; n == STEP && used + STEP<sizeof(text); used += n> 0 ? (size_t)n : 0)
		n = read(fd, text + used, STEP);
	if (fd >= 0)
		close(fd);
	if (used == 0)
		return;
	text[used - (text[used - 1] == '\n')] = '\0';
	for (char *line; (line = strsep(&rest, "\n"));)
		printf("%s/%s:%s\n", path, name, line);
}

static void folder(int fd, const char *path, const char *except)
{
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	char inner[4096];

	if (!dir)
		return;
	for (const struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_type == DT_REG)
			file(dirfd(dir), entry->d_name, path);
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
		    strcmp(entry->d_name, except) == 0)
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		folder(openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), inner,
		       except);
	}
	closedir(dir);
}

int probe_texts(char **words)
{
	folder(open(words[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC), words[0],
	       words[1] ? words[1] : "");
	return 0;
}
