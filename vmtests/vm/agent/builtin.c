/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent does itself, in a forked process: files in and out, the kernel's log, a terminal.
 *
 *	@put PATH MODE	stdin into the file	@get PATH	the file to stdout
 *	@stat PATH	mode inode size device uid gid mtime, numbers on one line
 *	@kmsg SEQ	records of the kernel's log from that number on
 *	@tty DEVICE COMMAND…	the command on that terminal
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int copy(int from, int to)
{
	static char buf[64 * 1024];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0) {
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(to, buf + done, (size_t)(n - done));
			if (w < 0)
				return errno;
		}
	}
	return n < 0 ? errno : 0;
}

static void make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

static int put(char **argv)
{
	mode_t mode = (mode_t)strtoul(argv[2], NULL, 8);
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, fd, r;

	make_parents(argv[1]);
	fd = open(argv[1], flags, 0600);
	if (fd < 0 &&
	    errno == ETXTBSY) { /* a program that still runs: the new one is another file */
		unlink(argv[1]);
		fd = open(argv[1], flags, 0600);
	}
	if (fd < 0)
		return errno;
	r = copy(STDIN_FILENO, fd);
	/* what is below /proc has its own modes */
	if (r == 0 && mode && fchmod(fd, mode) < 0 && errno != EPERM)
		return errno;
	return close(fd) < 0 && r == 0 ? errno : r;
}

static int get(char **argv)
{
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : copy(fd, STDOUT_FILENO);
}

static int stat_file(char **argv)
{
	struct stat st;

	if (stat(argv[1], &st) < 0)
		return errno;
	printf("%u %ju %jd %ju %u %u %jd.%09ld\n", (unsigned)st.st_mode, (uintmax_t)st.st_ino,
	       (intmax_t)st.st_size, (uintmax_t)st.st_dev, (unsigned)st.st_uid, (unsigned)st.st_gid,
	       (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return fflush(stdout) ? EIO : 0;
}

/* A record is "priority,sequence,time,flags;text\n", with more lines that begin with a blank. */
static int kmsg(char **argv)
{
	unsigned long long from = strtoull(argv[1], NULL, 10), sequence;
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	static char record[16 * 1024];
	ssize_t n;

	if (fd < 0)
		return errno;
	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue; /* records were lost while it was read: go on with the next */
		record[n] = '\0';
		if (sscanf(record, "%*u,%llu", &sequence) == 1 && sequence >= from &&
		    write(STDOUT_FILENO, record, (size_t)n) != n)
			return EIO;
	}
	return errno == EAGAIN ? 0 : errno;
}

static int tty(char **argv)
{
	int fd = open(argv[1], O_RDWR);

	if (fd < 0)
		return errno;
	ioctl(fd, TIOCSCTTY, 1);
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		dup2(fd, i);
	execvp(argv[2], argv + 2);
	return errno;
}

static const struct builtin {
	const char *name;
	int argc; /* at least, the name included */
	int (*run)(char **argv);
} builtins[] = {
	{ "@put", 3, put },   { "@get", 2, get }, { "@stat", 2, stat_file },
	{ "@kmsg", 2, kmsg }, { "@tty", 3, tty },
};

int builtin_run(char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		if (strcmp(builtins[i].name, argv[0]) == 0 && argc >= builtins[i].argc)
			return builtins[i].run(argv);
	}
	return ENOSYS;
}
