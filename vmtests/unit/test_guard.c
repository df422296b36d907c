/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spoof guard, frame by frame: the kernel runs the program over each as a socket's filter, which
 * keeps as many bytes of a message as the program answers. No link is needed, and no permission. */
#include <errno.h>
#include <linux/pkt_cls.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmtests/unit/cm.h"

#include "backends/netlink/guard.h"

/* Frames are written in hexadecimal, from these. */
#define US "020a58010002"
#define THEM "020a58010003"
#define TO "020a58010001"
#define US4 "0a580102"
#define THEM4 "0a580103"
#define NONE4 "00000000"
#define US6 "fd008800000100000000000000000002"
#define THEM6 "fd008800000100000000000000000003"
#define US_LL "fe80000000000000000a58fffe010002"
#define THEM_LL "fe80000000000000000a58fffe010003"
#define NONE6 "00000000000000000000000000000000"
#define ALL6 "ff020000000000000000000000000001"

#define ETHER(from, type) TO from type
#define UDP "1000002000080000"
#define REDIRECT4 "050100000a580102"
#define IPV4(version, fragment, protocol, source) \
	ETHER(US, "0800") version "00001c0001" fragment "40" protocol "0000" source "0a580101"
#define ARP_(head, op, mac, ip) ETHER(US, "0806") head op mac ip "000000000000" THEM4
#define ARP(op, mac, ip)  \
	ARP_("0001080006" \
	     "04",        \
	     op, mac, ip)
#define IPV6(length, next, source) ETHER(US, "86dd") "60000000" length next "ff" source ALL6
#define ICMP6(type)   \
	type "000000" \
	     "00000000"
#define OPTION(kind, mac) kind "01" mac
#define NA(source, target, option) IPV6("0020", "3a", source) ICMP6("88") target option
#define NS(source, option) IPV6("0020", "3a", source) ICMP6("87") THEM6 option

enum { PLAIN, IPV4_ONLY, ROUTER, GATEWAY, NUM_GUARDS };
#define NOBODY 0U
#define ONLY(guard) (1U << (guard))
#define DUAL (ONLY(PLAIN) | ONLY(ROUTER) | ONLY(GATEWAY))
#define ALL (DUAL | ONLY(IPV4_ONLY))
#define ROUTERS (ONLY(ROUTER) | ONLY(GATEWAY))

static const struct row {
	const char *what, *frame;
	unsigned passes; /* whose guard lets it through */
} rows[] = {
	{ "unknown type", ETHER(US, "88b5") "00", ALL },
	{ "unknown type, another's MAC", ETHER(THEM, "88b5") "00", NOBODY },
	{ "802.3 length", ETHER(US, "0026") "4242030000000000", ALL },
	{ "802.1Q",
	  ETHER(US, "8100") "00010800"
			    "4500",
	  NOBODY },
	{ "802.1ad",
	  ETHER(US, "88a8") "00018100"
			    "00020800",
	  NOBODY },
	{ "QinQ of old",
	  ETHER(US, "9100") "00010800"
			    "4500",
	  NOBODY },

	{ "IPv4", ETHER(US, "0800") "4500001c0001000040110000" US4 "0a580101" UDP, ALL },
	{ "IPv4 of another", ETHER(US, "0800") "4500001c0001000040110000" THEM4 "0a580101" UDP,
	  ROUTERS },
	{ "IPv4 without an address",
	  ETHER(US, "0800") "4500001c0001000040110000" NONE4 "ffffffff" UDP, ROUTERS },
	{ "IPv4, another's MAC", ETHER(THEM, "0800") "4500001c0001000040110000" US4 "0a580101" UDP,
	  NOBODY },

	{ "redirect of IPv4", IPV4("45", "0000", "01", US4) REDIRECT4, ALL },
	{ "redirect of IPv4 as another", IPV4("45", "0000", "01", THEM4) REDIRECT4, NOBODY },
	{ "redirect of IPv4 as another, behind options",
	  IPV4("46", "0000", "01", THEM4) "01010101" REDIRECT4, NOBODY },
	{ "redirect of IPv4 as another, in a first fragment",
	  IPV4("45", "2000", "01", THEM4) REDIRECT4, NOBODY },
	{ "ICMP of another", IPV4("45", "0000", "01", THEM4) "0300000000000000", ROUTERS },
	{ "UDP of another like a redirect", IPV4("45", "0000", "11", THEM4) REDIRECT4, ROUTERS },
	{ "a fragment of another's behind the first", IPV4("45", "0001", "01", THEM4) REDIRECT4,
	  ROUTERS },

	{ "ARP question", ARP("0001", US, US4), ALL },
	{ "ARP answer", ARP("0002", US, US4), ALL },
	{ "ARP probe", ARP("0001", US, NONE4), ALL },
	{ "ARP answer for nobody", ARP("0002", US, NONE4), NOBODY },
	{ "ARP of another's address", ARP("0002", US, THEM4), NOBODY },
	{ "ARP question as another", ARP("0001", US, THEM4), NOBODY },
	{ "ARP with another's MAC inside", ARP("0002", THEM, US4), NOBODY },
	{ "ARP with another's MAC outside",
	  ETHER(THEM, "0806") "00010800060400"
			      "02" US US4 "000000000000" THEM4,
	  NOBODY },
	{ "ARP of another protocol",
	  ARP_("0001"
	       "86dd"
	       "0610",
	       "0002", US, US4),
	  NOBODY },
	{ "ARP, cut", ETHER(US, "0806") "0001080006040002" US, NOBODY },

	{ "IPv6", IPV6("0008", "11", US6) UDP, DUAL },
	{ "IPv6, link-local", IPV6("0008", "11", US_LL) UDP, DUAL },
	{ "IPv6 of another", IPV6("0008", "11", THEM6) UDP, ROUTERS },
	{ "IPv6 of another's link-local", IPV6("0008", "11", THEM_LL) UDP, ROUTERS },
	{ "IPv6 without an address", IPV6("0008", "11", NONE6) UDP, ROUTERS },
	{ "ping", IPV6("0008", "3a", US6) ICMP6("80"), DUAL },
	{ "ping from nobody", IPV6("0008", "3a", NONE6) ICMP6("80"), ROUTERS },
	{ "ICMPv6 without its header", IPV6("0000", "3a", US6), NOBODY },

	{ "advertisement", NA(US6, US6, OPTION("02", US)), DUAL },
	{ "advertisement of the link-local", NA(US_LL, US_LL, OPTION("02", US)), DUAL },
	{ "advertisement without the MAC", IPV6("0018", "3a", US6) ICMP6("88") US6, DUAL },
	{ "advertisement for another", NA(US6, THEM6, OPTION("02", US)), NOBODY },
	{ "advertisement for another's link-local", NA(US6, THEM_LL, OPTION("02", US)), NOBODY },
	{ "advertisement of another's MAC", NA(US6, US6, OPTION("02", THEM)), NOBODY },
	{ "advertisement as another", NA(THEM6, US6, OPTION("02", US)), NOBODY },
	{ "advertisement from nobody", NA(NONE6, US6, OPTION("02", US)), NOBODY },
	{ "the second option is another's MAC",
	  IPV6("0028", "3a", US6) ICMP6("88") US6 OPTION("02", US) OPTION("02", THEM), NOBODY },
	{ "another option before ours",
	  IPV6("0028", "3a", US6) ICMP6("88") US6 OPTION("0e", THEM) OPTION("02", US), DUAL },
	{ "a long option before another's MAC",
	  IPV6("0030", "3a", US6) ICMP6("88") US6 "0e02"
						  "000000000000"
						  "0000000000000000" OPTION("02", THEM),
	  NOBODY },
	{ "an option of no length",
	  IPV6("0028", "3a", US6) ICMP6("88") US6 "0e00000000000000" OPTION("02", US), NOBODY },
	{ "half an option", IPV6("001c", "3a", US6) ICMP6("88") US6 "0201020a", NOBODY },
	{ "five options",
	  IPV6("0040", "3a", US6) ICMP6("88") US6 OPTION("0e", US) OPTION("0e", US) OPTION("0e", US)
		  OPTION("0e", US) OPTION("02", THEM),
	  NOBODY },
	{ "advertisement of length zero",
	  IPV6("0000", "3a", US6) ICMP6("88") US6 OPTION("02", THEM), NOBODY },

	{ "solicitation", NS(US6, OPTION("01", US)), DUAL },
	{ "duplicate address detection", IPV6("0018", "3a", NONE6) ICMP6("87") US6, DUAL },
	{ "solicitation with another's MAC", NS(US6, OPTION("01", THEM)), NOBODY },
	{ "solicitation as another", NS(THEM6, OPTION("01", US)), NOBODY },
	{ "solicitation as another's link-local", NS(THEM_LL, OPTION("01", US)), NOBODY },
	{ "solicitation as another without a MAC", IPV6("0018", "3a", THEM6) ICMP6("87") US6,
	  NOBODY },
	{ "router solicitation", IPV6("0010", "3a", US_LL) ICMP6("85") OPTION("01", US), DUAL },
	{ "router solicitation with another's MAC",
	  IPV6("0010", "3a", US_LL) ICMP6("85") OPTION("01", THEM), NOBODY },
	{ "router solicitation as another",
	  IPV6("0010", "3a", THEM_LL) ICMP6("85") OPTION("01", US), NOBODY },
	{ "router solicitation from nobody", IPV6("0008", "3a", NONE6) ICMP6("85"), DUAL },
	{ "router advertisement",
	  IPV6("0018", "3a", US_LL) ICMP6("86") "0000000000000000" OPTION("01", US),
	  ONLY(GATEWAY) },
	{ "router advertisement of another's MAC",
	  IPV6("0018", "3a", US_LL) ICMP6("86") "0000000000000000" OPTION("01", THEM), NOBODY },
	{ "router advertisement as another",
	  IPV6("0018", "3a", THEM_LL) ICMP6("86") "0000000000000000" OPTION("01", US), NOBODY },
	{ "router advertisement from nobody",
	  IPV6("0018", "3a", NONE6) ICMP6("86") "0000000000000000" OPTION("01", US), NOBODY },
	{ "redirect as another", IPV6("0030", "3a", THEM_LL) ICMP6("89") US6 THEM6 OPTION("02", US),
	  NOBODY },
	{ "redirect", IPV6("0030", "3a", US_LL) ICMP6("89") THEM6 THEM6 OPTION("02", THEM),
	  ONLY(GATEWAY) },

	{ "MLDv2 report", IPV6("0010", "00", NONE6) "3a00050200000000" ICMP6("8f"), DUAL },
	{ "MLDv2 report, own address", IPV6("0010", "00", US_LL) "3a00050200000000" ICMP6("8f"),
	  DUAL },
	{ "MLDv1 report", IPV6("0010", "00", NONE6) "3a00050200000000" ICMP6("83"), DUAL },
	{ "UDP behind options", IPV6("0010", "00", US6) "1100010400000000" UDP, DUAL },
	{ "UDP from nobody behind options", IPV6("0010", "00", NONE6) "1100010400000000" UDP,
	  ROUTERS },
	{ "ping behind destination options", IPV6("0010", "3c", US6) "3a00010400000000" ICMP6("80"),
	  DUAL },
	{ "advertisement behind options",
	  IPV6("0028", "00", US6) "3a00010400000000" ICMP6("88") US6 OPTION("02", US), NOBODY },
	{ "router advertisement behind destination options",
	  IPV6("0018", "3c", US_LL) "3a00010400000000" ICMP6("86") "0000000000000000", NOBODY },
	{ "router advertisement behind a routing header",
	  IPV6("0018", "2b", US_LL) "3a00010400000000" ICMP6("86") "0000000000000000", NOBODY },
	{ "router advertisement behind AH",
	  IPV6("001c", "33", US_LL) "3a01000000000000"
				    "00000000" ICMP6("86") "0000000000000000",
	  DUAL },
	{ "router advertisement behind five headers",
	  IPV6("0038", "3c", US_LL) "3c00010400000000"
				    "3c00010400000000"
				    "3c00010400000000"
				    "3c00010400000000"
				    "3a00010400000000" ICMP6("86") "0000000000000000",
	  NOBODY },
	{ "UDP behind six headers",
	  IPV6("0038", "3c", US6) "3c00010400000000"
				  "3c00010400000000"
				  "3c00010400000000"
				  "3c00010400000000"
				  "3c00010400000000"
				  "1100010400000000" UDP,
	  NOBODY },
	{ "router advertisement in a first fragment",
	  IPV6("0018", "2c", US_LL) "3a00000100000001" ICMP6("86") "0000000000000000", NOBODY },
	{ "an atomic fragment of an advertisement",
	  IPV6("0028", "2c", US6) "3a00000000000001" ICMP6("88") US6 OPTION("02", US), NOBODY },
	{ "UDP in a first fragment", IPV6("0010", "2c", US6) "1100000100000001" UDP, DUAL },
	{ "a first fragment without its upper header",
	  IPV6("0010", "2c", US6) "3c00000100000001"
				  "3a00010400000000",
	  NOBODY },
	{ "a fragment behind the first", IPV6("0010", "2c", US6) "3a00001100000001" UDP, DUAL },
	{ "a fragment of another's", IPV6("0010", "2c", THEM6) "1100001100000001" UDP, ROUTERS },
	{ "no next header", IPV6("0000", "3b", US6), DUAL },
	{ "ESP", IPV6("0008", "32", US6) "0000000100000001", DUAL },
};

static int guards[NUM_GUARDS]
		 [2]; /* what is sent into the first comes out of the second, or does not */

static struct weir_addr addr(const char *text)
{
	struct weir_addr ret;

	assert_int_equal(weir_addr_parse(text, &ret, NULL), 0);
	return ret;
}

static void attach(int guard, struct weir_classic *program)
{
	struct sock_fprog filter = { .len = (unsigned short)program->n, .filter = program->insns };

	assert_false(program->broken);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, guards[guard]), 0);
	if (setsockopt(guards[guard][1], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0)
		fail_msg("guard %d: %s", guard, strerror(errno));
}

static int load_guards(void **state)
{
	struct weir_guard base = { .addrs[WEIR_IPV4] = addr("10.88.1.2"),
				   .addrs[WEIR_IPV6] = addr("fd00:8800:1::2") };
	static struct weir_classic program;

	(void)state;
	assert_int_equal(weir_mac_parse("02:0a:58:01:00:02", &base.mac, NULL), 0);
	for (int i = 0; i < NUM_GUARDS; i++) {
		struct weir_guard guard = base;
		if (i == IPV4_ONLY)
			guard.addrs[WEIR_IPV6] = (struct weir_addr){ 0 };
		guard.router = i == ROUTER || i == GATEWAY;
		guard.gateway = i == GATEWAY;
		weir_guard_write(&guard, &program);
		attach(i, &program);
	}
	return 0;
}

static size_t unhex(const char *text, unsigned char *bytes, size_t size)
{
	size_t n = strlen(text) / 2;

	assert_true(n <= size && strlen(text) % 2 == 0);
	for (size_t i = 0; i < n; i++) {
		unsigned byte;
		assert_int_equal(sscanf(&text[2 * i], "%2x", &byte), 1);
		bytes[i] = (unsigned char)byte;
	}
	return n;
}

/* What the program says of the frame: a pass keeps the whole, a drop the first bytes. */
static int run_bytes(int guard, const unsigned char *bytes, size_t n)
{
	unsigned char kept[512];

	assert_int_equal(send(guards[guard][0], bytes, n, 0), n);
	ssize_t left = recv(guards[guard][1], kept, sizeof(kept), 0);
	if (left == (ssize_t)n)
		return TC_ACT_UNSPEC;
	return left < 0 ? TC_ACT_OK : (int)left; /* nothing: it read beyond the end */
}

static int run(int guard, const char *frame)
{
	unsigned char bytes[256];

	return run_bytes(guard, bytes, unhex(frame, bytes, sizeof(bytes)));
}

static void test_rows(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		for (int guard = 0; guard < NUM_GUARDS; guard++) {
			int want = rows[i].passes & ONLY((unsigned)guard) ? TC_ACT_UNSPEC
									  : TC_ACT_SHOT;
			int got = run(guard, rows[i].frame);
			if (got == want)
				continue;
			wrong++;
			(void)fprintf(stderr, "guard %d: %s: %d, not %d\n", guard, rows[i].what,
				      got, want);
		}
	assert_int_equal(wrong, 0);
}

/* What is cut anywhere is never let through where the whole is not; and nothing is read beyond the end. */
static void test_cut_frames(void **state)
{
	unsigned char bytes[256];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		for (size_t n = 3, size = unhex(rows[i].frame, bytes, sizeof(bytes)); n < size; n++)
			for (int guard = 0; guard < NUM_GUARDS; guard++) {
				int got = run_bytes(guard, bytes, n);
				bool may = rows[i].passes & ONLY((unsigned)guard);
				if (got != TC_ACT_SHOT && !(may && got == TC_ACT_UNSPEC))
					fail_msg("guard %d: %s, cut to %zu bytes: %d", guard,
						 rows[i].what, n, got);
			}
}

/* Frames with a few bytes changed, and cut: whatever they say, nothing is read beyond the end. */
static void test_frames_at_random(void **state)
{
	unsigned char bytes[256];
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		size_t n = unhex(rows[(size_t)i % N_OF(rows)].frame, bytes, sizeof(bytes));
		for (int changes = rand_r(&seed) % 4; changes > 0; changes--)
			bytes[12 + (size_t)rand_r(&seed) % (n - 12)] = (unsigned char)rand_r(&seed);
		if (rand_r(&seed) % 2)
			n = 3 + (size_t)rand_r(&seed) % (n - 2);
		int got = run_bytes(i / 7 % NUM_GUARDS, bytes, n);
		if (got != TC_ACT_SHOT && got != TC_ACT_UNSPEC)
			fail_msg("round %d: %d", i, got);
	}
}

static void test_programs_differ(void **state)
{
	static struct weir_classic program, other;
	struct weir_guard guard = { .addrs[WEIR_IPV4] = addr("10.88.1.2"), .mac.bytes = { 2 } };

	(void)state;
	weir_guard_write(&guard, &program);
	weir_guard_write(&guard, &other);
	assert_memory_equal(&program, &other, sizeof(program));
	guard.mac.bytes[5] = 1;
	weir_guard_write(&guard, &other);
	assert_memory_not_equal(&program, &other, sizeof(program));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cut_frames),
		cmocka_unit_test(test_frames_at_random),
		cmocka_unit_test(test_programs_differ),
	};

	return cmocka_run_group_tests(tests, load_guards, NULL);
}
