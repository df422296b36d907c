/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spoof guard: the program on a port that lets an endpoint speak for itself only.
 *
 * How it works: the program runs on each frame that comes out of the endpoint, before the bridge sees
 * it. The endpoint's addresses are constants in it: no map to fill, to find again and to keep in step,
 * and a change is one program in the place of another.
 *
 * Frames carry the endpoint's MAC and no VLAN tag, in front of which a neighbour's VLAN interface would
 * sit. IPv4 and IPv6 have the endpoint's source address; ARP says nothing else about the sender. Neighbour
 * discovery says what is true about the endpoint's own addresses; routers' messages come from the network's
 * gateway only. Other types of frames carry no address that a neighbour would believe, and pass.
 *
 * What cannot be read to the end is dropped: discovery behind extension headers or in fragments (nobody
 * needs it, RFC 6980 forbids it), a first fragment without its upper header (RFC 7112), headers
 * beyond three. What is behind AH or ESP only the holder of a key can send. Bytes are fetched by
 * bpf_skb_load_bytes, which fails where the frame ends.
 *
 * The kernel's verifier walks every path whenever a program is loaded, once for each value that it knows of
 * a register: so what was found out is said by where the program is, not by flags that it keeps. */
#include "backends/netlink/guard.h"

#include <arpa/inet.h>
#include <assert.h>
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
	IPV4_SOURCE = IP + 12,
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

	/* Each costs the verifier some 50 us whenever a program is loaded. */
	EXTENSIONS_MAX = 3,
	OPTIONS_MAX = 2, /* a MAC and a nonce */
	GATEWAY_OPTIONS_MAX = 6,

	/* The frame's bytes on the stack: offset o at FRAME + o, so that the IP header is aligned. */
	FRAME = -126,
	SCRATCH = -16, /* for what lies further behind */
	SCRATCH_SIZE = 8
};
static_assert((FRAME + IP) % 8 == 0, "the verifier wants aligned loads from the stack");

enum { R0, R1, R2, R3, R4, R5, CONTEXT, OFFSET, NEXT, R9, STACK };

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

struct writing {
	const struct weir_guard *guard;
	struct weir_bpf *p;
	int pass, drop; /* labels */
	struct weir_addr link_local;
};

/* ---- pieces ---- */

/* size bytes at `reg` (0: none) + offset of the frame to the stack at `to`. */
static void fetch(const struct writing *w, int reg, int offset, int to, int size)
{
	weir_bpf_add(w->p, WEIR_BPF_COPY(R1, CONTEXT));
	if (reg) {
		weir_bpf_add(w->p, WEIR_BPF_COPY(R2, (uint8_t)reg & 15));
		if (offset)
			weir_bpf_add(w->p, WEIR_BPF_DO(BPF_ADD, R2, offset));
	} else {
		weir_bpf_add(w->p, WEIR_BPF_SET(R2, offset));
	}
	weir_bpf_add(w->p, WEIR_BPF_COPY(R3, STACK));
	weir_bpf_add(w->p, WEIR_BPF_DO(BPF_ADD, R3, to));
	weir_bpf_add(w->p, WEIR_BPF_SET(R4, size));
	weir_bpf_add(w->p, WEIR_BPF_CALL(BPF_FUNC_skb_load_bytes));
	weir_bpf_jump_if(w->p, BPF_JNE, R0, 0, w->drop);
}

static void fetch_frame(const struct writing *w, int offset, int size)
{
	fetch(w, 0, offset, FRAME + offset, size);
}

/* Goes to `differs` unless the stack holds these bytes at `at`, which is even. */
static void compare(const struct writing *w, int at, const void *bytes, int size, int differs)
{
	for (int done = 0; done < size;) {
		const unsigned char *next = (const unsigned char *)bytes + done;
		uint32_t word = 0;
		uint16_t half;

		if ((at + done) % 4 == 0 && size - done >= 4) {
			memcpy(&word, next, 4);
			weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_W, R1, STACK, at + done));
			done += 4;
		} else {
			memcpy(&half, next, 2);
			word = half;
			weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_H, R1, STACK, at + done));
			done += 2;
		}
		weir_bpf_jump_if(w->p, BPF_JNE, R1, word, differs);
	}
}

static void compare_mac(const struct writing *w, int at)
{
	compare(w, at, w->guard->mac.bytes, ETH_ALEN, w->drop);
}

/* Goes to `equal` when the stack holds these bytes. */
static void jump_if_same(const struct writing *w, int at, const void *bytes, int size, int equal)
{
	int other = weir_bpf_label(w->p);

	compare(w, at, bytes, size, other);
	weir_bpf_jump(w->p, equal);
	weir_bpf_set_label(w->p, other);
}

static bool has(const struct writing *w, enum weir_family family)
{
	return weir_addr_is_set(&w->guard->addrs[family]);
}

/* ---- IPv4 and ARP ---- */

static void write_ipv4(const struct writing *w)
{
	if (!has(w, WEIR_IPV4) || w->guard->router) {
		weir_bpf_jump(w->p, w->guard->router ? w->pass : w->drop);
		return; /* the verifier refuses what cannot be reached */
	}
	fetch_frame(w, IPV4_SOURCE, 4);
	compare(w, FRAME + IPV4_SOURCE, w->guard->addrs[WEIR_IPV4].bytes, 4, w->drop);
	weir_bpf_jump(w->p, w->pass);
}

static void write_arp(const struct writing *w)
{
	static const uint8_t ethernet_ipv4[] = { 0, 1, 8, 0, 6, 4 };
	static const uint8_t any[4], request[] = { 0, 1 };

	if (!has(w, WEIR_IPV4)) {
		weir_bpf_jump(w->p, w->drop);
		return;
	}
	fetch_frame(w, IP, ARP_SIZE);
	compare(w, FRAME + IP, ethernet_ipv4, sizeof(ethernet_ipv4), w->drop);
	compare_mac(w, FRAME + ARP_SENDER_MAC);
	jump_if_same(w, FRAME + ARP_SENDER_IP, w->guard->addrs[WEIR_IPV4].bytes, 4, w->pass);
	/* a probe: "does anybody have it?" */
	compare(w, FRAME + ARP_SENDER_IP, any, sizeof(any), w->drop);
	compare(w, FRAME + ARP_OPERATION, request, sizeof(request), w->drop);
	weir_bpf_jump(w->p, w->pass);
}

/* ---- IPv6 ---- */

/* From :: come only the questions and reports of a host without an address. */
static void write_unspecified(const struct writing *w, int known)
{
	static const uint8_t any[16];
	int report = weir_bpf_label(w->p);

	compare(w, FRAME + IPV6_SOURCE, any, 16, w->drop);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_HOPOPTS, report);
	weir_bpf_jump_if(w->p, BPF_JNE, NEXT, IPPROTO_ICMPV6, w->drop);
	fetch(w, 0, ICMPV6, SCRATCH, 1);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, R1, STACK, SCRATCH));
	weir_bpf_jump_if(w->p, BPF_JEQ, R1, NEIGHBOUR_SOLICITATION, known);
	weir_bpf_jump_if(w->p, BPF_JEQ, R1, ROUTER_SOLICITATION, known);
	weir_bpf_jump(w->p, w->drop);
	weir_bpf_set_label(w->p, report); /* behind the router alert, which takes 8 bytes */
	fetch(w, 0, ICMPV6, SCRATCH, 2);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_H, R1, STACK, SCRATCH));
	weir_bpf_jump_if(w->p, BPF_JNE, R1, htons(IPPROTO_ICMPV6 << 8), w->drop);
	fetch(w, 0, ICMPV6 + 8, SCRATCH, 1);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, R1, STACK, SCRATCH));
	weir_bpf_jump_if(w->p, BPF_JEQ, R1, MLD2_REPORT, w->pass);
	weir_bpf_jump_if(w->p, BPF_JEQ, R1, MLD_REPORT, w->pass);
	weir_bpf_jump_if(w->p, BPF_JNE, R1, MLD_DONE, w->drop);
	weir_bpf_jump(w->p, w->pass);
}

static void write_ipv6_source(const struct writing *w)
{
	int known = weir_bpf_label(w->p);
	int at = FRAME + IPV6_SOURCE;

	if (w->guard->router)
		return;
	jump_if_same(w, at, w->guard->addrs[WEIR_IPV6].bytes, 16, known);
	jump_if_same(w, at, w->link_local.bytes, 16, known);
	write_unspecified(w, known);
	weir_bpf_set_label(w->p, known);
}

/* Steps over an extension header, whose length is in units of 8 bytes without the first. */
static void write_extension(const struct writing *w)
{
	fetch(w, OFFSET, 0, SCRATCH, 2);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, NEXT, STACK, SCRATCH));
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, R1, STACK, SCRATCH + 1));
	weir_bpf_add(w->p, WEIR_BPF_DO(BPF_LSH, R1, 3));
	weir_bpf_add(w->p, WEIR_BPF_DO_REG(BPF_ADD, OFFSET, R1));
	weir_bpf_add(w->p, WEIR_BPF_DO(BPF_ADD, OFFSET, 8));
}

/* A first fragment is read on; those behind it say nothing by themselves. */
static void write_fragment(const struct writing *w, int other)
{
	fetch(w, OFFSET, 0, SCRATCH, 4);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, NEXT, STACK, SCRATCH));
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_H, R1, STACK, SCRATCH + 2));
	weir_bpf_jump_if(w->p, BPF_JSET, R1, htons(0xfff8), other);
	weir_bpf_add(w->p, WEIR_BPF_DO(BPF_ADD, OFFSET, 8));
}

/* One step along the chain of headers; goes to icmpv6 or other where it ends. */
static void write_step(const struct writing *w, int icmpv6, int other)
{
	int extension = weir_bpf_label(w->p), fragment = weir_bpf_label(w->p);
	int next = weir_bpf_label(w->p);

	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_ICMPV6, icmpv6);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_HOPOPTS, extension);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_ROUTING, extension);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_DSTOPTS, extension);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_FRAGMENT, fragment);
	weir_bpf_jump(w->p, other);
	weir_bpf_set_label(w->p, extension);
	write_extension(w);
	weir_bpf_jump(w->p, next);
	weir_bpf_set_label(w->p, fragment);
	write_fragment(w, other);
	weir_bpf_set_label(w->p, next);
}

/* Options that name a link-layer address name ours. OFFSET: where they begin; NEXT: where they end. */
static void write_options(const struct writing *w)
{
	int max = w->guard->gateway ? GATEWAY_OPTIONS_MAX : OPTIONS_MAX;

	for (int i = 0; i < max; i++) {
		int link_layer = weir_bpf_label(w->p), next = weir_bpf_label(w->p);

		weir_bpf_jump_if_reg(w->p, BPF_JGE, OFFSET, NEXT, w->pass);
		fetch(w, OFFSET, 0, SCRATCH, SCRATCH_SIZE);
		weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, R2, STACK, SCRATCH + 1));
		weir_bpf_jump_if(w->p, BPF_JEQ, R2, 0, w->drop);
		weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, R1, STACK, SCRATCH));
		weir_bpf_jump_if(w->p, BPF_JEQ, R1, 1, link_layer); /* source */
		weir_bpf_jump_if(w->p, BPF_JNE, R1, 2, next);	    /* target */
		weir_bpf_set_label(w->p, link_layer);
		compare_mac(w, SCRATCH + 2);
		weir_bpf_set_label(w->p, next);
		weir_bpf_add(w->p, WEIR_BPF_DO(BPF_LSH, R2, 3));
		weir_bpf_add(w->p, WEIR_BPF_DO_REG(BPF_ADD, OFFSET, R2));
	}
	weir_bpf_jump_if_reg(w->p, BPF_JGE, OFFSET, NEXT, w->pass);
	weir_bpf_jump(w->p, w->drop);
}

/* NEXT: the message's type. */
static void write_discovery(const struct writing *w, int options)
{
	int advertisement = weir_bpf_label(w->p), solicitation = weir_bpf_label(w->p);

	weir_bpf_add(w->p, WEIR_BPF_SET(OFFSET, ND_TARGET));
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, ROUTER_SOLICITATION, options);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, NEIGHBOUR_SOLICITATION, solicitation);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, NEIGHBOUR_ADVERTISEMENT, advertisement);
	if (w->guard->gateway) {
		weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, REDIRECT, w->pass); /* names another's MAC */
		weir_bpf_add(w->p, WEIR_BPF_DO(BPF_ADD, OFFSET, 8));
		weir_bpf_jump(w->p, options);
	} else {
		weir_bpf_jump(w->p, w->drop);
	}
	weir_bpf_set_label(w->p, advertisement);
	fetch_frame(w, ND_TARGET, 16);
	jump_if_same(w, FRAME + ND_TARGET, w->guard->addrs[WEIR_IPV6].bytes, 16, solicitation);
	compare(w, FRAME + ND_TARGET, w->link_local.bytes, 16, w->drop);
	weir_bpf_set_label(w->p, solicitation);
	weir_bpf_add(w->p, WEIR_BPF_DO(BPF_ADD, OFFSET, 16));
}

static void write_icmpv6(const struct writing *w)
{
	int options = weir_bpf_label(w->p);

	fetch(w, 0, ICMPV6, SCRATCH, 1);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, NEXT, STACK, SCRATCH));
	weir_bpf_jump_if(w->p, BPF_JLT, NEXT, ROUTER_SOLICITATION, w->pass);
	weir_bpf_jump_if(w->p, BPF_JGT, NEXT, REDIRECT, w->pass);
	write_discovery(w, options);
	weir_bpf_set_label(w->p, options);
	/* a length of zero would be a jumbogram's: no message has that */
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_H, NEXT, STACK, FRAME + IPV6_LENGTH));
	weir_bpf_add(w->p, WEIR_BPF_NTOH(NEXT, 16));
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, 0, w->drop);
	weir_bpf_add(w->p, WEIR_BPF_DO(BPF_ADD, NEXT, ICMPV6));
	write_options(w);
}

/* No discovery there. */
static void write_icmpv6_behind(const struct writing *w)
{
	fetch(w, OFFSET, 0, SCRATCH, 1);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, R1, STACK, SCRATCH));
	weir_bpf_jump_if(w->p, BPF_JLT, R1, ROUTER_SOLICITATION, w->pass);
	weir_bpf_jump_if(w->p, BPF_JGT, R1, REDIRECT, w->pass);
	weir_bpf_jump(w->p, w->drop);
}

static void write_ipv6(const struct writing *w)
{
	int icmpv6 = weir_bpf_label(w->p), behind = weir_bpf_label(w->p);

	if (!has(w, WEIR_IPV6)) {
		weir_bpf_jump(w->p, w->drop);
		return;
	}
	fetch_frame(w, IP, IPV6_SIZE);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_B, NEXT, STACK, FRAME + IPV6_NEXT));
	write_ipv6_source(w);
	weir_bpf_add(w->p, WEIR_BPF_SET(OFFSET, ICMPV6));
	for (int i = 0; i < EXTENSIONS_MAX; i++)
		write_step(w, i == 0 ? icmpv6 : behind, w->pass);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_ICMPV6, behind);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_HOPOPTS, w->drop);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_ROUTING, w->drop);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_DSTOPTS, w->drop);
	weir_bpf_jump_if(w->p, BPF_JEQ, NEXT, IPPROTO_FRAGMENT, w->drop);
	weir_bpf_jump(w->p, w->pass);
	weir_bpf_set_label(w->p, behind);
	write_icmpv6_behind(w);
	weir_bpf_set_label(w->p, icmpv6);
	write_icmpv6(w);
}

/* ---- the rate ---- */

/* label -1: falls through to here */
static void write_end(const struct writing *w, int label, int verdict)
{
	if (label >= 0)
		weir_bpf_set_label(w->p, label);
	weir_bpf_add(w->p, WEIR_BPF_SET(R0, verdict));
	weir_bpf_add(w->p, WEIR_BPF_EXIT());
}

enum {
	COST_SHIFT = 10,
	BURST_NS = 250000000, /* in which as much may come at once, or be missed */
	SLACK = 16	      /* 1/16 above the rate: whoever keeps to it never loses a frame */
};

/* A frame costs time. The memory holds until when it is spent; no frame passes while that is further
 * ahead than the burst. */
static void write_rate(const struct writing *w)
{
	const uint64_t rate = w->guard->rate + w->guard->rate / SLACK;
	const uint64_t cost = (UINT64_C(8000000000) << COST_SHIFT) / rate; /* of a byte */
	int ahead = weir_bpf_label(w->p), late = weir_bpf_label(w->p);

	weir_bpf_add(w->p, WEIR_BPF_CALL(BPF_FUNC_ktime_get_ns));
	weir_bpf_memory(w->p, R3);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_DW, R1, R3, 0));
	weir_bpf_jump_if_long(w->p, BPF_JGE, R1, R0, ahead);
	weir_bpf_add(w->p, WEIR_BPF_INSN(BPF_STX | BPF_MEM | BPF_DW, R3, R0, 0, 0));
	weir_bpf_add(w->p, WEIR_BPF_COPY(R1, R0));
	weir_bpf_set_label(w->p, ahead);
	weir_bpf_add(w->p, WEIR_BPF_DO_REG(BPF_SUB, R1, R0));
	weir_bpf_add(w->p, WEIR_BPF_SET(R2, BURST_NS));
	weir_bpf_jump_if_long(w->p, BPF_JGT, R1, R2, late);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_W, R2, CONTEXT, offsetof(struct __sk_buff, len)));
	weir_bpf_add(w->p, WEIR_BPF_DO(BPF_MUL, R2, cost));
	weir_bpf_add(w->p, WEIR_BPF_DO(BPF_RSH, R2, COST_SHIFT));
	/* atomic: other processors charge as well */
	weir_bpf_add(w->p, WEIR_BPF_INSN(BPF_STX | BPF_XADD | BPF_DW, R3, R2, 0, 0));
	write_end(w, -1, TC_ACT_UNSPEC);
	write_end(w, late, TC_ACT_STOLEN); /* gone, but not a lie: those are counted as drops */
}

/* ---- the whole ---- */

static void write_frame(const struct writing *w)
{
	static const uint16_t tags[] = { ETH_P_8021Q, ETH_P_8021AD, ETH_P_QINQ1, ETH_P_QINQ2,
					 ETH_P_QINQ3 };
	int arp = weir_bpf_label(w->p), ipv4 = weir_bpf_label(w->p), ipv6 = weir_bpf_label(w->p);

	weir_bpf_add(w->p, WEIR_BPF_COPY(CONTEXT, R1));
	weir_bpf_add(w->p,
		     WEIR_BPF_LOAD(BPF_W, R1, CONTEXT, offsetof(struct __sk_buff, vlan_present)));
	weir_bpf_jump_if(w->p, BPF_JNE, R1, 0, w->drop);
	fetch_frame(w, 0, ETH_HLEN);
	compare_mac(w, FRAME + ETHER_SOURCE);
	weir_bpf_add(w->p, WEIR_BPF_LOAD(BPF_H, R1, STACK, FRAME + ETHER_TYPE));
	weir_bpf_jump_if(w->p, BPF_JEQ, R1, htons(ETH_P_IP), ipv4);
	weir_bpf_jump_if(w->p, BPF_JEQ, R1, htons(ETH_P_IPV6), ipv6);
	weir_bpf_jump_if(w->p, BPF_JEQ, R1, htons(ETH_P_ARP), arp);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		weir_bpf_jump_if(w->p, BPF_JEQ, R1, htons(tags[i]), w->drop);
	weir_bpf_jump(w->p, w->pass);
	weir_bpf_set_label(w->p, ipv4);
	write_ipv4(w);
	weir_bpf_set_label(w->p, arp);
	write_arp(w);
	weir_bpf_set_label(w->p, ipv6);
	write_ipv6(w);
}

void weir_guard_write(const struct weir_guard *guard, struct weir_bpf *ret)
{
	struct writing w = { .guard = guard, .p = ret, .link_local = weir_link_local(&guard->mac) };

	*ret = (struct weir_bpf){ 0 };
	w.pass = weir_bpf_label(ret);
	w.drop = weir_bpf_label(ret);
	weir_bpf_add(ret, WEIR_BPF_COPY(CONTEXT, R1));
	if (!guard->open) {
		write_frame(&w);
		write_end(&w, w.drop, TC_ACT_SHOT);
	}
	weir_bpf_set_label(ret, w.pass);
	if (guard->rate)
		write_rate(&w);
	else
		write_end(&w, -1, TC_ACT_UNSPEC);
	weir_bpf_finish(ret);
}
