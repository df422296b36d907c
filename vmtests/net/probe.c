/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe's main loop; probe.h has its language. */
#include "probe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

const char *probe_name;

static void probe_mark(char **words)
{
	(void)words;
	printf("ok\n");
}

static const struct command {
	const char *name;
	int words; /* the verb included */
	void (*run)(char **words);
} commands[] = {
	{ "serve", 5, probe_serve }, { "connect", 8, probe_connect }, { "open", 6, probe_open },
	{ "say", 4, probe_say },     { "watch", 2, probe_watch },     { "frames", 1, probe_frames },
	{ "raw", 3, probe_raw },     { "mark", 1, probe_mark },	      { "listen", 1, probe_listen },
	{ "lines", 1, probe_lines }, { "shout", 2, probe_shout },     { "hangup", 1, probe_hangup },
};

static void run_line(char *line)
{
	char *words[PROBE_WORDS] = { 0 };
	char *rest = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " \n", &rest); word && n < PROBE_WORDS;
	     word = strtok_r(NULL, " \n", &rest))
		words[n++] = word;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (n == commands[i].words && strcmp(words[0], commands[i].name) == 0) {
			commands[i].run(words);
			fflush(stdout);
			return;
		}
	}
	printf("error what?\n");
	fflush(stdout);
}

/* Takes the whole lines out of what was read; false at the end of the input. */
static bool read_commands(void)
{
	static char buf[4 * PROBE_LINE];
	static size_t used;
	ssize_t n = read(STDIN_FILENO, buf + used, sizeof(buf) - 1 - used);
	char *line = buf, *end;

	if (n <= 0)
		return false;
	used += (size_t)n;
	buf[used] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		run_line(line);
		line = end + 1;
	}
	used = strlen(line);
	memmove(buf, line, used);
	return used < sizeof(buf) - 1;
}

static void loop(void)
{
	struct pollfd fds[16] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };

	for (;;) {
		fds[1].fd = probe_serve_fd();
		if (poll(fds, 2 + probe_frames_poll(fds + 2, sizeof(fds) / sizeof(fds[0]) - 2),
			 -1) < 0)
			continue;
		probe_frames_ready();
		if (fds[1].revents)
			probe_serve_ready();
		if (fds[0].revents && !read_commands())
			return;
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "enter") == 0)
		return probe_enter(argc, argv);
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "flood") == 0)
		return probe_flood(argv + 2); /* argv ends with NULL */
	if (argc == 5 && strcmp(argv[1], "stream") == 0)
		return probe_stream(argv + 2);
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "texts") == 0)
		return probe_texts(argv + 2);
	if (argc != 2) {
		fprintf(stderr,
			"usage: probe NAME | probe enter MOUNTS NETWORK FOLDER COMMAND... | "
			"probe flood ADDR PORT [PAUSE-US] | probe stream PROTO ADDR PORT | "
			"probe texts FOLDER [EXCEPT]\n");
		return 2;
	}
	probe_name = argv[1];
	signal(SIGCHLD, SIG_IGN); /* children answer for themselves */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	printf("ready\n");
	fflush(stdout);
	loop();
	return 0;
}
