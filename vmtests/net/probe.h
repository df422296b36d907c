/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe: one small process in each network namespace of a test world, told what to do by lines
 * on its standard input, answering by lines on its standard output. It dies with its parent.
 *
 *	serve PROTO ADDR LO HI			-> ok PORT
 *	connect PROTO SRC SPORT DST LO HI MS	-> what each port answered, a word each
 *	open ID PROTO DST PORT MS		-> ok | refused | timeout | error ERRNO
 *	say ID WORD MS				-> the echo | timeout | reset | closed
 *	shout WORD				-> ok
 *	hangup					-> ok
 *	watch IFNAME				-> ok
 *	frames					-> the number of lines that follow, then a frame a line
 *	raw IFNAME HEX				-> ok
 *	mark					-> ok
 *	listen					-> ok
 *	lines					-> the number of lines that follow, then what NFLOG said
 *
 * PROTO is tcp or udp, SRC "-" for any. A server's answer is NAME|CLIENT|CLIENT-PORT|LOCAL-PORT: the
 * name of the probe that answered, and the client as it was seen there. */
#ifndef WEIR_PROBE_H
#define WEIR_PROBE_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
	PROBE_WORDS = 10,
	PROBE_LINE = 8192,   /* a raw frame in hexadecimal fits */
	PROBE_STREAMS = 4096 /* those of a range of a thousand ports, and held ones */
};

union probe_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

extern const char *probe_name;

/* addr.c: false when text is no address; "-" is the any-address of `family`. */
bool probe_addr_parse(const char *text, unsigned port, int family, union probe_addr *ret);
socklen_t probe_addr_len(const union probe_addr *addr);
void probe_addr_text(const union probe_addr *addr, char *buf, size_t size, unsigned *ret_port);
int probe_socket(const char *proto, int family, int flags);

/* serve.c: listening sockets and what they accepted, behind one descriptor for the main loop to poll;
 * -1 before there is any. */
void probe_serve(char **words);
void probe_shout(char **words);
void probe_hangup(char **words);
int probe_serve_fd(void);
void probe_serve_ready(void);

/* connect.c */
void probe_connect(char **words);
void probe_open(char **words);
void probe_say(char **words);

/* frames.c: packet sockets */
void probe_watch(char **words);
size_t probe_frames_poll(struct pollfd *fds, size_t max);
void probe_frames_ready(void);
void probe_frames(char **words);
void probe_raw(char **words);

/* logs.c: what rules log by NFLOG's group 0 */
void probe_listen(char **words);
void probe_lines(char **words);

/* enter.c: run a command in another mount and network namespace. Returns only on failure. */
int probe_enter(int argc, char **argv);

/* flood.c: datagrams, a new flow each, until it is killed; and one flow that goes on. */
int probe_flood(char **words);
int probe_stream(char **words);

/* texts.c: FOLDER [EXCEPT]: the lines of every file below, each behind its path; but for what is in
 * folders of that name. */
int probe_texts(char **words);

#endif
