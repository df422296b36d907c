/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent: PID 1 of a throwaway machine, told what to do over a virtio-serial port.
 *
 * How it works: both sides send frames: three little-endian words (length of what follows, the
 * process the frame is about, its kind) and then the payload. The host chooses the numbers of
 * processes and may run many at once. Everything that touches files or namespaces is a process,
 * files put and fetched too (their argv[0] begins with '@'), so that nothing a command does can
 * make the agent itself wait.
 *
 * A process is over when it has been reaped, and what it wrote until then has been sent; whoever
 * inherited its pipes is not waited for. */
#ifndef WEIR_VM_AGENT_H
#define WEIR_VM_AGENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	AGENT_PAYLOAD = 256 * 1024, /* longest frame either side sends */
	AGENT_PROCESSES = 512,
	AGENT_POLLS = 2 + 3 * AGENT_PROCESSES
};

/* Kinds of frames: small letters are the host's, capitals the guest's. */
enum agent_kind {
	AGENT_HELLO = 'h', /* u64 time of day in ns, seed; answered by AGENT_READY */
	AGENT_EXEC = 'x',  /* strings: net, mnt, cwd, number of arguments, arguments, environment */
	AGENT_INPUT = 'i', /* bytes for stdin; none: its end */
	AGENT_KILL = 'k',  /* u32 signal, u32 the whole group? */
	AGENT_REBOOT = 'r',   /* ends this boot */
	AGENT_POWEROFF = 'p', /* ends the machine */
	AGENT_READY = 'H',    /* the kernel's release */
	AGENT_STARTED = 'S',  /* u32 pid */
	AGENT_OUTPUT = 'O',   /* bytes from stdout */
	AGENT_ERRORS = 'E',   /* bytes from stderr */
	AGENT_EXIT = 'X'      /* i32 exit code, or minus the signal */
};

struct agent_frame {
	uint32_t kind, id;
	size_t len;
	unsigned char *data;
};

/* port.c: the channel. */
bool port_open(const char *name);
struct pollfd port_poll(void);
/* Reads what has come; false when nothing more is there. */
bool port_read(void);
/* The next whole frame; its data is valid until the next port_read(). */
bool port_next(struct agent_frame *ret_frame);
void port_send(uint32_t kind, uint32_t id, const void *data, size_t len);

/* process.c: what runs. */
void process_start(const struct agent_frame *frame);
void process_input(const struct agent_frame *frame);
void process_kill(const struct agent_frame *frame);
/* Adds what is to be waited for to fds; its number. */
size_t process_polls(struct pollfd *fds);
void process_pump(void);
void process_reap(void);

/* child.c: in the forked process, never returns. */
struct child {
	const char *net, *mnt, *cwd;
	char **argv, **env;
};
void child_run(const struct child *what) __attribute__((noreturn));

/* builtin.c: the commands that begin with '@'; the exit code is an errno. */
int builtin_run(char **argv);

#endif
