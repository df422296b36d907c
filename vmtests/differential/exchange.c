/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sends packets out of many network namespaces and tells where each one arrives.
 *
 *	exchange CPU < lines
 *
 *	host NAME PATH			a namespace; what it delivers to itself counts as arrived
 *	guest NAME PATH			a namespace; what reaches one of its interfaces counts
 *	flow ID NAME IFNAME|- SRC DST PROTO DPORT WANTED
 *	go MS				sends the flows so far: lines as below, then "done"
 *
 *	error ID ERRNO			it could not be sent
 *	at ID NAME SRC DST DPORT	it arrived
 *	back ID NAME SRC SPORT		its answer (a TCP reset, an echo reply) arrived
 *	prohibited ID NAME		ICMP says that it was refused
 *
 * PROTO is tcp, ack, udp or icmp, whose DPORT is the type (0: an echo request). WANTED is how many lines the flow is expected to cause: when all of
 * those have come, or after MS, the round ends.
 *
 * How it works: one process holds sockets in all the namespaces and stays on one CPU. A packet crosses
 * veths and bridges on the CPU that sent it, in order, so that what a later round's packets have
 * passed, an earlier round's have as well: a round of markers proves that nothing is on its way still.
 * Raw sockets see what the input hook has let pass; packet sockets see all that reaches an interface. */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { PLACES = 16, TAPS = 64, WORDS = 9, LINE = 512, NAME = 64, ROUND = 512, BUFFER = 1 << 20 };

struct place {
	char name[NAME];
	int send[2]; /* by family: IPv4, IPv6 */
};

/* A socket that sees packets. */
struct tap {
	int fd, family, protocol; /* family 0: a packet socket */
	const struct place *place;
};

struct flow {
	struct packet packet;
	const struct place *from;
	char ifname[IF_NAMESIZE];
};

static struct place places[PLACES];
static size_t n_places;
static struct tap taps[TAPS];
static struct pollfd fds[TAPS];
static size_t n_taps;
static struct flow flows[ROUND];
static size_t n_flows;
static unsigned wanted, came;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "exchange: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int must(int r, const char *what)
{
	if (r < 0)
		die(what);
	return r;
}

/* ---- sockets ---- */

static void add_tap(const struct place *place, int domain, int type, int protocol)
{
	int one = 1, size = BUFFER;
	int fd = must(socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), "socket");

	if (n_taps == TAPS)
		die("too many namespaces");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (domain == AF_INET6)
		must(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)), "pktinfo");
	taps[n_taps] = (struct tap){ fd, domain == AF_PACKET ? 0 : domain, protocol, place };
	fds[n_taps++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

static int sender(int family)
{
	return must(socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), "raw socket");
}

static void open_place(char **words)
{
	struct place *place = &places[n_places];
	int own = must(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "own namespace");
	int fd = must(open(words[2], O_RDONLY | O_CLOEXEC), words[2]);

	if (++n_places == PLACES)
		die("too many namespaces");
	(void)snprintf(place->name, sizeof(place->name), "%s", words[1]);
	must(setns(fd, CLONE_NEWNET), words[2]);
	place->send[0] = sender(AF_INET);
	place->send[1] = sender(AF_INET6);
	if (strcmp(words[0], "guest") == 0) {
		add_tap(place, AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	} else {
		static const int protocols[2][3] = { { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP },
						     { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6 } };
		for (int i = 0; i < 3; i++) {
			add_tap(place, AF_INET, SOCK_RAW, protocols[0][i]);
			add_tap(place, AF_INET6, SOCK_RAW, protocols[1][i]);
		}
	}
	must(setns(own, CLONE_NEWNET), "own namespace");
	close(fd);
	close(own);
}

/* ---- sending ---- */

static const char *const kinds[PACKET_NUM_KINDS] = { "tcp", "ack", "udp", "icmp" };

static bool parse_addr(const char *text, unsigned char bytes[16], int *ret_family)
{
	*ret_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(*ret_family, text, bytes) == 1;
}

static void add_flow(char **words)
{
	struct flow *flow = &flows[n_flows];
	int family;

	if (n_flows == ROUND)
		die("too many flows");
	*flow = (struct flow){ 0 };
	for (size_t i = 0; i < n_places; i++)
		if (strcmp(places[i].name, words[2]) == 0)
			flow->from = &places[i];
	(void)snprintf(flow->ifname, sizeof(flow->ifname), "%s",
		       words[3][0] == '-' ? "" : words[3]);
	flow->packet.id = (unsigned)strtoul(words[1], NULL, 10);
	flow->packet.dport = (uint16_t)strtoul(words[7], NULL, 10);
	flow->packet.kind = PACKET_NUM_KINDS;
	for (int kind = 0; kind < PACKET_NUM_KINDS; kind++)
		if (strcmp(kinds[kind], words[6]) == 0)
			flow->packet.kind = (enum packet_kind)kind;
	if (flow->packet.kind == PACKET_ICMP) {
		flow->packet.type = (uint8_t)flow->packet.dport;
		flow->packet.dport = 0;
	}
	errno = EINVAL;
	if (!flow->from || flow->packet.kind == PACKET_NUM_KINDS ||
	    !parse_addr(words[4], flow->packet.src, &flow->packet.family) ||
	    !parse_addr(words[5], flow->packet.dst, &family) || family != flow->packet.family)
		die("flow");
	wanted += (unsigned)strtoul(words[8], NULL, 10);
	n_flows++;
}

static ssize_t send_four(int fd, const struct flow *flow, const void *bytes, size_t len)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	memcpy(&to.sin_addr, flow->packet.dst, sizeof(to.sin_addr));
	return sendto(fd, bytes, len, 0, (struct sockaddr *)&to, sizeof(to));
}

static ssize_t send_six(int fd, const struct flow *flow, const void *bytes, size_t len)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };

	memcpy(&to.sin6_addr, flow->packet.dst, sizeof(to.sin6_addr));
	return sendto(fd, bytes, len, 0, (struct sockaddr *)&to, sizeof(to));
}

static void send_flow(const struct flow *flow)
{
	unsigned char bytes[PACKET_MAX] = { 0 };
	size_t len = packet_build(&flow->packet, bytes);
	bool six = flow->packet.family == AF_INET6;
	int fd = flow->from->send[six];

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, flow->ifname,
		       (socklen_t)strlen(flow->ifname)) < 0 ||
	    (six ? send_six : send_four)(fd, flow, bytes, len) != (ssize_t)len)
		printf("error %u %s\n", flow->packet.id, strerrorname_np(errno));
}

/* ---- receiving ---- */

static void tell(const struct tap *tap, enum packet_seen seen, const struct packet *packet)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	if (seen == PACKET_FOREIGN)
		return;
	(void)inet_ntop(packet->family, packet->src, src, sizeof(src));
	(void)inet_ntop(packet->family, packet->dst, dst, sizeof(dst));
	if (seen == PACKET_OURS)
		printf("at %u %s %s %s %u\n", packet->id, tap->place->name, src, dst,
		       packet->dport);
	else if (seen == PACKET_ANSWER)
		printf("back %u %s %s %u\n", packet->id, tap->place->name, src, packet->sport);
	else
		printf("prohibited %u %s\n", packet->id, tap->place->name);
	came++;
}

/* A raw socket of IPv6 gives neither header nor destination in the data. */
static enum packet_seen read_six(const struct tap *tap, struct msghdr *msg, const void *bytes,
				 size_t len, struct packet *packet)
{
	const struct sockaddr_in6 *from = msg->msg_name;

	packet->family = AF_INET6;
	memcpy(packet->src, &from->sin6_addr, sizeof(packet->src));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct in6_pktinfo info;

		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		memcpy(packet->dst, &info.ipi6_addr, sizeof(packet->dst));
	}
	return packet_read_payload(bytes, len, tap->protocol, packet);
}

static bool receive(const struct tap *tap)
{
	unsigned char bytes[PACKET_MAX];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct sockaddr_storage from = { 0 };
	struct iovec data = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr msg = { .msg_name = &from,
			      .msg_namelen = sizeof(from),
			      .msg_iov = &data,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct packet packet = { 0 };
	ssize_t len = recvmsg(tap->fd, &msg, 0);

	if (len < 0)
		return false;
	if (tap->family == AF_INET6)
		tell(tap, read_six(tap, &msg, bytes, (size_t)len, &packet), &packet);
	else if (tap->family || ((struct sockaddr_ll *)&from)->sll_pkttype == PACKET_HOST)
		tell(tap, packet_read(bytes, (size_t)len, &packet), &packet);
	return true;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void go(char **words)
{
	int64_t end = now_ms() + strtol(words[1], NULL, 10);
	int ready = 1;

	for (size_t i = 0; i < n_flows; i++)
		send_flow(&flows[i]);
	while (ready > 0 || (came < wanted && now_ms() < end)) {
		ready = poll(fds, n_taps, came < wanted && now_ms() < end ? 1 : 0);
		for (size_t i = 0; ready > 0 && i < n_taps; i++)
			while (fds[i].revents && receive(&taps[i]))
				;
	}
	printf("done\n");
	fflush(stdout);
	n_flows = 0;
	wanted = came = 0;
}

/* ---- lines ---- */

static const struct {
	const char *name;
	int words;
	void (*run)(char **words);
} commands[] = { { "host", 3, open_place },
		 { "guest", 3, open_place },
		 { "flow", 9, add_flow },
		 { "go", 2, go } };

static void run(char *line)
{
	char *words[WORDS] = { 0 }, *rest = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " \n", &rest); word && n < WORDS;
	     word = strtok_r(NULL, " \n", &rest))
		words[n++] = word;
	for (size_t i = 0; n && i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, words[0]) == 0 && commands[i].words == n) {
			commands[i].run(words);
			return;
		}
	}
	errno = EINVAL;
	die(n ? words[0] : "empty line");
}

int main(int argc, char **argv)
{
	cpu_set_t cpus;
	char line[LINE];

	if (argc != 2) {
		fprintf(stderr, "usage: exchange CPU < lines\n");
		return 2;
	}
	CPU_ZERO(&cpus);
	CPU_SET(strtoul(argv[1], NULL, 10), &cpus);
	must(sched_setaffinity(0, sizeof(cpus), &cpus), "CPU");
	must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
	while (fgets(line, sizeof(line), stdin))
		run(line);
	return 0;
}
