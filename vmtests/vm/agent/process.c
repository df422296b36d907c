/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes that the host has started: their pipes, their input that waits, their end. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN, OUT, ERR, NUM_PIPES };

static struct process {
	uint32_t id;
	pid_t pid; /* 0: an empty place */
	int fd[NUM_PIPES];
	unsigned char *input; /* what its stdin has not taken yet */
	size_t input_len;
	bool input_ends;
} processes[AGENT_PROCESSES];

static const uint32_t kind_of[NUM_PIPES] = { [OUT] = AGENT_OUTPUT, [ERR] = AGENT_ERRORS };

static struct process *process_find(uint32_t id)
{
	for (size_t i = 0; i < AGENT_PROCESSES; i++) {
		if (processes[i].pid && processes[i].id == id)
			return &processes[i];
	}
	return NULL;
}

static void close_pipe(struct process *process, int which)
{
	if (process->fd[which] >= 0)
		close(process->fd[which]);
	process->fd[which] = -1;
}

static void send_exit(uint32_t id, int32_t code)
{
	port_send(AGENT_EXIT, id, &code, sizeof(code));
}

static void refuse(uint32_t id, const char *why)
{
	port_send(AGENT_ERRORS, id, why, strlen(why));
	send_exit(id, 127);
}

/* The strings of the payload, cut into what child_run() takes. `words` has room for all of them. */
static bool read_request(const struct agent_frame *frame, char **words, size_t max,
			 struct child *ret_child)
{
	char *text = (char *)frame->data, *end = text + frame->len;
	size_t n = 0, argc;

	if (frame->len == 0 || end[-1] != '\0')
		return false;
	for (; text < end && n + 2 < max; text += strlen(text) + 1)
		words[n++] = text;
	if (n < 5 || text < end)
		return false;
	argc = strtoul(words[3], NULL, 10);
	if (argc == 0 || argc > n - 4)
		return false;
	/* room for the NULL that ends the arguments: the environment moves up by one */
	memmove(words + 5 + argc, words + 4 + argc, (n - 4 - argc) * sizeof(*words));
	words[4 + argc] = NULL;
	words[n + 1] = NULL;
	*ret_child = (struct child){ words[0], words[1], words[2], words + 4, words + 5 + argc };
	return true;
}

static bool make_pipes(int (*pipes)[2])
{
	for (int i = 0; i < NUM_PIPES; i++) {
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return false;
	}
	return true;
}

static void be_child(int (*pipes)[2], const struct child *child)
{
	sigset_t none;

	setsid();
	dup2(pipes[IN][0], STDIN_FILENO);
	dup2(pipes[OUT][1], STDOUT_FILENO);
	dup2(pipes[ERR][1], STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	child_run(child);
}

static void close_all(int (*pipes)[2])
{
	for (int i = 0; i < NUM_PIPES; i++) {
		for (int end = 0; end < 2; end++) {
			if (pipes[i][end] >= 0)
				close(pipes[i][end]);
		}
	}
}

static void adopt(struct process *process, uint32_t id, pid_t pid, int (*pipes)[2])
{
	*process = (struct process){ .id = id, .pid = pid };
	for (int i = 0; i < NUM_PIPES; i++) {
		int mine = i == IN ? 1 : 0;

		process->fd[i] = pipes[i][mine];
		fcntl(process->fd[i], F_SETFL, O_NONBLOCK);
		close(pipes[i][1 - mine]);
	}
}

void process_start(const struct agent_frame *frame)
{
	static char *words[AGENT_PAYLOAD / 2 + 2];
	int pipes[NUM_PIPES][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct process *process = NULL;
	struct child child;
	uint32_t pid32;
	pid_t pid;

	for (size_t i = 0; i < AGENT_PROCESSES && !process; i++)
		process = processes[i].pid ? NULL : &processes[i];
	if (!process)
		return refuse(frame->id, "agent: too many processes\n");
	if (!read_request(frame, words, sizeof(words) / sizeof(words[0]), &child))
		return refuse(frame->id, "agent: no such request\n");
	pid = make_pipes(pipes) ? fork() : -1;
	if (pid < 0) {
		close_all(pipes);
		return refuse(frame->id, "agent: cannot fork\n");
	}
	if (pid == 0)
		be_child(pipes, &child);
	adopt(process, frame->id, pid, pipes);
	pid32 = (uint32_t)pid;
	port_send(AGENT_STARTED, frame->id, &pid32, sizeof(pid32));
}

static void drop_input(struct process *process)
{
	free(process->input);
	process->input = NULL;
	process->input_len = 0;
}

static void pump_input(struct process *process)
{
	while (process->input_len > 0 && process->fd[IN] >= 0) {
		ssize_t n = write(process->fd[IN], process->input, process->input_len);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) { /* nobody reads it any more */
			drop_input(process);
			return close_pipe(process, IN);
		}
		process->input_len -= (size_t)n;
		memmove(process->input, process->input + n, process->input_len);
	}
	drop_input(process);
	if (process->input_ends)
		close_pipe(process, IN);
}

void process_input(const struct agent_frame *frame)
{
	struct process *process = process_find(frame->id);
	unsigned char *more;

	if (!process || process->fd[IN] < 0)
		return;
	if (frame->len == 0) {
		process->input_ends = true;
		return pump_input(process);
	}
	more = realloc(process->input, process->input_len + frame->len);
	if (!more)
		return;
	memcpy(more + process->input_len, frame->data, frame->len);
	process->input = more;
	process->input_len += frame->len;
	pump_input(process);
}

void process_kill(const struct agent_frame *frame)
{
	struct process *process = process_find(frame->id);
	uint32_t words[2];

	if (!process || frame->len != sizeof(words))
		return;
	memcpy(words, frame->data, sizeof(words));
	kill(words[1] ? -process->pid : process->pid, (int)words[0]);
}

size_t process_polls(struct pollfd *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < AGENT_PROCESSES; i++) {
		const struct process *process = &processes[i];

		if (!process->pid)
			continue;
		for (int which = OUT; which < NUM_PIPES; which++) {
			if (process->fd[which] >= 0)
				fds[n++] = (struct pollfd){ process->fd[which], POLLIN, 0 };
		}
		if (process->input_len > 0 && process->fd[IN] >= 0)
			fds[n++] = (struct pollfd){ process->fd[IN], POLLOUT, 0 };
	}
	return n;
}

/* Sends what can be read now; at most one frame, so that no process starves the others. */
static bool pump_output(struct process *process, int which)
{
	static unsigned char buf[AGENT_PAYLOAD];
	ssize_t n;

	if (process->fd[which] < 0)
		return false;
	n = read(process->fd[which], buf, sizeof(buf));
	if (n > 0)
		port_send(kind_of[which], process->id, buf, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		close_pipe(process, which);
	return n > 0;
}

void process_pump(void)
{
	for (size_t i = 0; i < AGENT_PROCESSES; i++) {
		if (!processes[i].pid)
			continue;
		pump_output(&processes[i], OUT);
		pump_output(&processes[i], ERR);
		pump_input(&processes[i]);
	}
}

static void process_end(struct process *process, int status)
{
	for (int which = OUT; which < NUM_PIPES; which++) {
		while (pump_output(process, which))
			;
	}
	for (int which = 0; which < NUM_PIPES; which++)
		close_pipe(process, which);
	drop_input(process);
	send_exit(process->id, WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
	process->pid = 0;
}

/* Whoever has lost its parent ends here too, and is nobody's process. */
void process_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < AGENT_PROCESSES; i++) {
			if (processes[i].pid == pid) {
				process_end(&processes[i], status);
				break;
			}
		}
	}
}
