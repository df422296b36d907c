/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spoof guard: the program on a port that lets an endpoint speak for itself only.
 *
 * How it works: the program runs on each frame that comes out of the endpoint, before the bridge sees
 * it. The endpoint's addresses are constants in it: no map to fill, to find again and to keep in step,
 * and a change is one program in the place of another. It is written in classic BPF: the kernel's
 * verifier for the other kind walks every path, which would cost each attach more than all of its links.
 *
 * Frames carry the endpoint's MAC and no VLAN tag, in front of which a neighbour's VLAN interface would
 * sit. IPv4 and IPv6 have the endpoint's source address, unless it is a router, whose redirects have it
 * even so; ARP says nothing else about the sender. Neighbour discovery comes from the endpoint's own
 * addresses and says what is true about them, a router's too; routers' messages come from the network's
 * gateway only. Other types of frames carry no address that a neighbour would believe, and pass.
 *
 * What cannot be read to the end is dropped: discovery behind extension headers or in fragments (nobody
 * needs it, RFC 6980 forbids it), a first fragment without its upper header (RFC 7112), headers
 * beyond three. What is behind AH or ESP only the holder of a key can send.
 *
 * A load beyond the frame's end would end the program with 0, which lets the frame pass: so each load
 * stands behind a comparison with the frame's length. */
#include "backends/netlink/guard.h"

#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <string.h>

#include "backends/netlink/family.h"

enum {
	ETHER_SOURCE = 6,
	ETHER_TYPE = 12,
	IP = ETH_HLEN,
	IPV4_SIZE = 20,
	IPV4_FRAGMENT = IP + 6,
	IPV4_PROTOCOL = IP + 9,
	IPV4_SOURCE = IP + 12,
	IPV4_REDIRECT = 5, /* ICMP's type */
	ARP_OPERATION = IP + 6,
	ARP_SENDER_MAC = IP + 8,
	ARP_SENDER_IP = IP + 14,
	ARP_SIZE = 28,
	IPV6_LENGTH = IP + 4,
	IPV6_NEXT = IP + 6,
	IPV6_SOURCE = IP + 8,
	IPV6_SIZE = 40,
	ICMPV6 = IP + IPV6_SIZE, /* without extension headers, as discovery has to be */
	ND_TARGET = ICMPV6 + 8,

	EXTENSIONS_MAX = 3,
	OPTIONS_MAX = 2, /* a MAC and a nonce */
	GATEWAY_OPTIONS_MAX = 6,
};

/* Of linux/icmpv6.h and RFC 4861, 2710, 3810. */
enum {
	MLD_REPORT = 131,
	MLD_DONE = 132,
	ROUTER_SOLICITATION = 133,
	ROUTER_ADVERTISEMENT = 134,
	NEIGHBOUR_SOLICITATION = 135,
	NEIGHBOUR_ADVERTISEMENT = 136,
	REDIRECT = 137,
	MLD2_REPORT = 143
};

/* Instructions; B, H and W are bytes in network byte order, by the frame's offset or behind X. */
enum {
	LOAD_B = BPF_LD | BPF_B | BPF_ABS,
	LOAD_H = BPF_LD | BPF_H | BPF_ABS,
	LOAD_W = BPF_LD | BPF_W | BPF_ABS,
	LOAD_B_AT_X = BPF_LD | BPF_B | BPF_IND,
	LOAD_H_AT_X = BPF_LD | BPF_H | BPF_IND,
	LOAD_W_AT_X = BPF_LD | BPF_W | BPF_IND,
	LOAD_LENGTH = BPF_LD | BPF_W | BPF_LEN,
	LOAD = BPF_LD | BPF_MEM,
	STORE = BPF_ST,
	SET_X = BPF_LDX | BPF_IMM, /* of a word: BPF_W is 0 */
	X_LOAD = BPF_LDX | BPF_MEM,
	X_LOAD_IPV4_SIZE = BPF_LDX | BPF_B | BPF_MSH,
	X_LOAD_LENGTH = BPF_LDX | BPF_W | BPF_LEN,
	X_STORE = BPF_STX,
	A_TO_X = BPF_MISC | BPF_TAX,
	X_TO_A = BPF_MISC | BPF_TXA,
	ADD = BPF_ALU | BPF_K, /* BPF_ADD is 0 */
	ADD_X = BPF_ALU | BPF_ADD | BPF_X,
	SHIFT_LEFT = BPF_ALU | BPF_LSH | BPF_K,
	ANSWER = BPF_RET | BPF_K,
	IF_EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
	IF_AT_LEAST = BPF_JMP | BPF_JGE | BPF_K,
	IF_ABOVE = BPF_JMP | BPF_JGT | BPF_K,
	IF_ABOVE_X = BPF_JMP | BPF_JGT | BPF_X,
	IF_ANY_BIT = BPF_JMP | BPF_JSET | BPF_K
};

/* Words of the program's memory. */
enum { NEXT_HEADER, OFFSET, END };

enum { NEXT = WEIR_CLASSIC_NEXT };

struct writing {
	const struct weir_guard *guard;
	struct weir_classic *p;
	int pass, drop; /* labels */
	struct weir_addr link_local;
};

/* ---- pieces ---- */

static void add(const struct writing *w, int code, uint32_t k)
{
	weir_classic_add(w->p, code, k);
}

static void jump_if(const struct writing *w, int op, uint32_t k, int yes, int no)
{
	weir_classic_jump_if(w->p, op, k, yes, no);
}

/* What jumps to pass and drop so far ends here; jumps reach no further than 255 instructions. */
static void write_ends(const struct writing *w)
{
	weir_classic_here(w->p, w->pass);
	add(w, ANSWER, (uint32_t)TC_ACT_UNSPEC);
	weir_classic_here(w->p, w->drop);
	add(w, ANSWER, TC_ACT_SHOT);
}

/* The frame has this many bytes, or is dropped. */
static void need(const struct writing *w, uint32_t size)
{
	add(w, LOAD_LENGTH, 0);
	jump_if(w, IF_AT_LEAST, size, NEXT, w->drop);
}

/* The same, counted from X, which is kept. */
static void need_at_x(const struct writing *w, uint32_t size)
{
	add(w, X_STORE, OFFSET);
	add(w, X_TO_A, 0);
	add(w, ADD, size);
	add(w, X_LOAD_LENGTH, 0);
	jump_if(w, IF_ABOVE_X, 0, w->drop, NEXT);
	add(w, X_LOAD, OFFSET);
}

static uint32_t big_endian(const uint8_t *bytes, int size)
{
	uint32_t ret = 0;

	for (int i = 0; i < size; i++)
		ret = ret << 8 | bytes[i];
	return ret;
}

/* Goes to `differs` unless the frame holds these bytes at `at`; size is even. */
static void compare(const struct writing *w, uint32_t at, const uint8_t *bytes, int size,
		    int differs)
{
	for (int done = 0; done < size;) {
		int n = size - done >= 4 ? 4 : 2;

		add(w, n == 4 ? LOAD_W : LOAD_H, at + (uint32_t)done);
		jump_if(w, IF_EQUAL, big_endian(bytes + done, n), NEXT, differs);
		done += n;
	}
}

static void compare_mac(const struct writing *w, uint32_t at)
{
	compare(w, at, w->guard->mac.bytes, ETH_ALEN, w->drop);
}

/* Goes to `equal` when the frame holds these bytes. */
static void jump_if_same(const struct writing *w, uint32_t at, const struct weir_addr *addr,
			 int equal)
{
	int other = weir_classic_label(w->p);

	compare(w, at, addr->bytes, (int)weir_family_bits(addr->family) / 8, other);
	weir_classic_jump(w->p, equal);
	weir_classic_here(w->p, other);
}

static bool has(const struct writing *w, enum weir_family family)
{
	return weir_addr_is_set(&w->guard->addrs[family]);
}

/* ---- IPv4 and ARP ---- */

/* Goes on at a redirect; all else that a router sends passes. */
static void write_router_ipv4(const struct writing *w)
{
	need(w, IP + IPV4_SIZE);
	add(w, LOAD_B, IPV4_PROTOCOL);
	jump_if(w, IF_EQUAL, IPPROTO_ICMP, NEXT, w->pass);
	add(w, LOAD_H, IPV4_FRAGMENT);
	jump_if(w, IF_ANY_BIT, 0x1fff, w->pass, NEXT); /* not the first */
	add(w, X_LOAD_IPV4_SIZE, IP);
	need_at_x(w, IP + 1);
	add(w, LOAD_B_AT_X, IP);
	jump_if(w, IF_EQUAL, IPV4_REDIRECT, NEXT, w->pass);
}

static void write_ipv4(const struct writing *w)
{
	if (w->guard->router)
		write_router_ipv4(w);
	if (!has(w, WEIR_IPV4)) {
		weir_classic_jump(w->p, w->drop);
		return;
	}
	need(w, IPV4_SOURCE + 4);
	compare(w, IPV4_SOURCE, w->guard->addrs[WEIR_IPV4].bytes, 4, w->drop);
	weir_classic_jump(w->p, w->pass);
}

static void write_arp(const struct writing *w)
{
	static const uint8_t ethernet_ipv4[] = { 0, 1, 8, 0, 6, 4 };

	if (!has(w, WEIR_IPV4)) {
		weir_classic_jump(w->p, w->drop);
		return;
	}
	need(w, IP + ARP_SIZE);
	compare(w, IP, ethernet_ipv4, sizeof(ethernet_ipv4), w->drop);
	compare_mac(w, ARP_SENDER_MAC);
	jump_if_same(w, ARP_SENDER_IP, &w->guard->addrs[WEIR_IPV4], w->pass);
	jump_if(w, IF_EQUAL, 0, NEXT, w->drop); /* a probe: "does anybody have it?" */
	add(w, LOAD_H, ARP_OPERATION);
	jump_if(w, IF_EQUAL, 1, w->pass, w->drop);
}

/* ---- IPv6 ---- */

/* From :: come only the questions and reports of a host without an address. */
static void write_unspecified(const struct writing *w, int known)
{
	static const uint8_t any[16];
	int report = weir_classic_label(w->p);

	compare(w, IPV6_SOURCE, any, sizeof(any), w->drop);
	add(w, LOAD_B, IPV6_NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_HOPOPTS, report, NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_ICMPV6, NEXT, w->drop);
	need(w, ICMPV6 + 1);
	add(w, LOAD_B, ICMPV6);
	jump_if(w, IF_EQUAL, NEIGHBOUR_SOLICITATION, known, NEXT);
	jump_if(w, IF_EQUAL, ROUTER_SOLICITATION, known, w->drop);
	weir_classic_here(w->p, report); /* behind the router alert, which takes 8 bytes */
	need(w, ICMPV6 + 9);
	add(w, LOAD_H, ICMPV6);
	jump_if(w, IF_EQUAL, IPPROTO_ICMPV6 << 8, NEXT, w->drop);
	add(w, LOAD_B, ICMPV6 + 8);
	jump_if(w, IF_EQUAL, MLD2_REPORT, w->pass, NEXT);
	jump_if(w, IF_EQUAL, MLD_REPORT, w->pass, NEXT);
	jump_if(w, IF_EQUAL, MLD_DONE, w->pass, w->drop);
}

static void write_ipv6_source(const struct writing *w)
{
	int known = weir_classic_label(w->p);

	jump_if_same(w, IPV6_SOURCE, &w->guard->addrs[WEIR_IPV6], known);
	jump_if_same(w, IPV6_SOURCE, &w->link_local, known);
	write_unspecified(w, known);
	weir_classic_here(w->p, known);
}

/* Steps over an extension header, whose length is in units of 8 bytes without the first. */
static void write_extension(const struct writing *w)
{
	need_at_x(w, 2);
	add(w, LOAD_B_AT_X, 0);
	add(w, STORE, NEXT_HEADER);
	add(w, LOAD_B_AT_X, 1);
	add(w, SHIFT_LEFT, 3);
	add(w, ADD, 8);
	add(w, ADD_X, 0);
	add(w, A_TO_X, 0);
	add(w, LOAD, NEXT_HEADER);
}

/* A first fragment is read on; those behind it say nothing by themselves. */
static void write_fragment(const struct writing *w)
{
	need_at_x(w, 4);
	add(w, LOAD_H_AT_X, 2);
	jump_if(w, IF_ANY_BIT, 0xfff8, w->pass, NEXT);
	add(w, LOAD_B_AT_X, 0);
	add(w, STORE, NEXT_HEADER);
	add(w, X_TO_A, 0);
	add(w, ADD, 8);
	add(w, A_TO_X, 0);
	add(w, LOAD, NEXT_HEADER);
}

/* One step along the chain of headers, of the type in A, at X; ends at icmpv6, or passes. */
static void write_step(const struct writing *w, int icmpv6)
{
	int extension = weir_classic_label(w->p), fragment = weir_classic_label(w->p);
	int next = weir_classic_label(w->p);

	jump_if(w, IF_EQUAL, IPPROTO_ICMPV6, icmpv6, NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_HOPOPTS, extension, NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_ROUTING, extension, NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_DSTOPTS, extension, NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_FRAGMENT, fragment, w->pass);
	weir_classic_here(w->p, extension);
	write_extension(w);
	weir_classic_jump(w->p, next);
	weir_classic_here(w->p, fragment);
	write_fragment(w);
	weir_classic_here(w->p, next);
}

/* Options at X that name a link-layer address name ours. */
static void write_options(const struct writing *w)
{
	int max = w->guard->gateway ? GATEWAY_OPTIONS_MAX : OPTIONS_MAX;
	const uint8_t *mac = w->guard->mac.bytes;

	for (int i = 0; i < max; i++) {
		int link_layer = weir_classic_label(w->p), next = weir_classic_label(w->p);

		add(w, LOAD, END);
		jump_if(w, IF_ABOVE_X, 0, NEXT, w->pass);
		need_at_x(w, 8);
		add(w, LOAD_B_AT_X, 1);
		jump_if(w, IF_EQUAL, 0, w->drop, NEXT);
		add(w, LOAD_B_AT_X, 0);
		jump_if(w, IF_EQUAL, 1, link_layer, NEXT); /* source */
		jump_if(w, IF_EQUAL, 2, NEXT, next);	   /* target */
		weir_classic_here(w->p, link_layer);
		add(w, LOAD_W_AT_X, 2);
		jump_if(w, IF_EQUAL, big_endian(mac, 4), NEXT, w->drop);
		add(w, LOAD_H_AT_X, 6);
		jump_if(w, IF_EQUAL, big_endian(mac + 4, 2), NEXT, w->drop);
		weir_classic_here(w->p, next);
		add(w, LOAD_B_AT_X, 1);
		add(w, SHIFT_LEFT, 3);
		add(w, ADD_X, 0);
		add(w, A_TO_X, 0);
	}
	add(w, LOAD, END);
	jump_if(w, IF_ABOVE_X, 0, w->drop, w->pass);
}

/* A: the message's type. Leaves in X where its options begin. */
static void write_discovery(const struct writing *w, int options)
{
	int advertisement = weir_classic_label(w->p), solicitation = weir_classic_label(w->p);

	add(w, SET_X, ND_TARGET);
	jump_if(w, IF_EQUAL, ROUTER_SOLICITATION, options, NEXT);
	jump_if(w, IF_EQUAL, NEIGHBOUR_SOLICITATION, solicitation, NEXT);
	jump_if(w, IF_EQUAL, NEIGHBOUR_ADVERTISEMENT, advertisement, NEXT);
	if (w->guard->gateway) {
		jump_if(w, IF_EQUAL, REDIRECT, w->pass, NEXT); /* names another's MAC */
		add(w, SET_X, ND_TARGET + 8);
		weir_classic_jump(w->p, options);
	} else {
		weir_classic_jump(w->p, w->drop);
	}
	weir_classic_here(w->p, advertisement);
	need(w, ND_TARGET + 16);
	jump_if_same(w, ND_TARGET, &w->guard->addrs[WEIR_IPV6], solicitation);
	compare(w, ND_TARGET, w->link_local.bytes, 16, w->drop);
	weir_classic_here(w->p, solicitation);
	add(w, SET_X, ND_TARGET + 16);
	weir_classic_here(w->p, options);
}

static void write_icmpv6(const struct writing *w)
{
	int options = weir_classic_label(w->p);

	need(w, ICMPV6 + 1);
	add(w, LOAD_B, ICMPV6);
	jump_if(w, IF_AT_LEAST, ROUTER_SOLICITATION, NEXT, w->pass);
	jump_if(w, IF_ABOVE, REDIRECT, w->pass, NEXT);
	if (w->guard->router) { /* whoever is asked learns where the source is */
		write_ipv6_source(w);
		add(w, LOAD_B, ICMPV6);
	}
	write_discovery(w, options);
	/* a length of zero would be a jumbogram's: no message has that */
	add(w, LOAD_H, IPV6_LENGTH);
	jump_if(w, IF_EQUAL, 0, w->drop, NEXT);
	add(w, ADD, ICMPV6);
	add(w, STORE, END);
	write_options(w);
}

/* No discovery at X, behind other headers. */
static void write_icmpv6_behind(const struct writing *w)
{
	need_at_x(w, 1);
	add(w, LOAD_B_AT_X, 0);
	jump_if(w, IF_AT_LEAST, ROUTER_SOLICITATION, NEXT, w->pass);
	jump_if(w, IF_ABOVE, REDIRECT, w->pass, w->drop);
}

static void write_ipv6(const struct writing *w)
{
	int icmpv6 = weir_classic_label(w->p), behind = weir_classic_label(w->p);

	if (!has(w, WEIR_IPV6)) {
		weir_classic_jump(w->p, w->drop);
		return;
	}
	need(w, IP + IPV6_SIZE);
	if (!w->guard->router)
		write_ipv6_source(w);
	add(w, SET_X, ICMPV6);
	add(w, LOAD_B, IPV6_NEXT);
	for (int i = 0; i < EXTENSIONS_MAX; i++)
		write_step(w, i == 0 ? icmpv6 : behind);
	jump_if(w, IF_EQUAL, IPPROTO_ICMPV6, behind, NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_HOPOPTS, w->drop, NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_ROUTING, w->drop, NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_DSTOPTS, w->drop, NEXT);
	jump_if(w, IF_EQUAL, IPPROTO_FRAGMENT, w->drop, w->pass);
	weir_classic_here(w->p, behind);
	write_icmpv6_behind(w);
	write_ends(w);
	weir_classic_here(w->p, icmpv6);
	write_icmpv6(w);
}

/* ---- the whole ---- */

static void write_frame(const struct writing *w)
{
	static const uint16_t tags[] = { ETH_P_8021Q, ETH_P_8021AD, ETH_P_QINQ1, ETH_P_QINQ2,
					 ETH_P_QINQ3 };
	int arp = weir_classic_label(w->p), ipv4 = weir_classic_label(w->p);
	int ipv6 = weir_classic_label(w->p);

	add(w, LOAD_B, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT));
	jump_if(w, IF_EQUAL, 0, NEXT, w->drop);
	need(w, ETH_HLEN);
	compare_mac(w, ETHER_SOURCE);
	add(w, LOAD_H, ETHER_TYPE);
	jump_if(w, IF_EQUAL, ETH_P_IP, ipv4, NEXT);
	jump_if(w, IF_EQUAL, ETH_P_IPV6, ipv6, NEXT);
	jump_if(w, IF_EQUAL, ETH_P_ARP, arp, NEXT);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		jump_if(w, IF_EQUAL, tags[i], w->drop, NEXT);
	weir_classic_jump(w->p, w->pass);
	weir_classic_here(w->p, ipv4);
	write_ipv4(w);
	weir_classic_here(w->p, arp);
	write_arp(w);
	write_ends(w);
	weir_classic_here(w->p, ipv6);
	write_ipv6(w);
	write_ends(w);
}

void weir_guard_write(const struct weir_guard *guard, struct weir_classic *ret)
{
	struct writing w = { .guard = guard, .p = ret, .link_local = weir_link_local(&guard->mac) };

	*ret = (struct weir_classic){ 0 };
	w.pass = weir_classic_label(ret);
	w.drop = weir_classic_label(ret);
	write_frame(&w);
	weir_classic_finish(ret);
}
