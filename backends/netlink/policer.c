/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policer: the program on a port that drops what an endpoint sends above its rate.
 *
 * How it works: a frame costs time. The program's memory holds until when it is spent; no frame passes
 * while that is further ahead than what the sender's own bucket lets through at once takes, and a little more:
 * so whoever keeps to that one loses no frame here. */
#include "backends/netlink/policer.h"

#include <linux/pkt_cls.h>

enum { R0, R1, R2, R3, CONTEXT = 6 };

enum {
	COST_SHIFT = 10,
	MORE_NS = 250000000, /* what it sends before its bucket is there, or misses */
	TICK_SHIFT = 20,     /* a limit is a number of these: an instruction holds 32 bits */
	SLACK = 16	     /* 1/16 above the rate: clocks and timers are not exact */
};

static void write_end(struct weir_bpf *p, int verdict)
{
	weir_bpf_add(p, WEIR_BPF_SET(R0, verdict));
	weir_bpf_add(p, WEIR_BPF_EXIT());
}

void weir_policer_write(uint64_t rate, uint64_t burst, struct weir_bpf *ret)
{
	const uint64_t cost =
		(UINT64_C(8000000000) << COST_SHIFT) / (rate + rate / SLACK); /* of a byte */
	const uint64_t limit = MORE_NS + (burst * cost >> COST_SHIFT);

	*ret = (struct weir_bpf){ 0 };
	int ahead = weir_bpf_label(ret), late = weir_bpf_label(ret);
	weir_bpf_add(ret, WEIR_BPF_COPY(CONTEXT, R1));
	weir_bpf_add(ret, WEIR_BPF_CALL(BPF_FUNC_ktime_get_ns));
	weir_bpf_memory(ret, R3);
	weir_bpf_add(ret, WEIR_BPF_LOAD(BPF_DW, R1, R3, 0));
	weir_bpf_jump_if(ret, BPF_JGE, R1, R0, ahead);
	weir_bpf_add(ret, WEIR_BPF_INSN(BPF_STX | BPF_MEM | BPF_DW, R3, R0, 0, 0));
	weir_bpf_add(ret, WEIR_BPF_COPY(R1, R0));
	weir_bpf_set_label(ret, ahead);
	weir_bpf_add(ret, WEIR_BPF_DO_REG(BPF_SUB, R1, R0));
	weir_bpf_add(ret, WEIR_BPF_SET(R2, (limit >> TICK_SHIFT) + 1));
	weir_bpf_add(ret, WEIR_BPF_DO(BPF_LSH, R2, TICK_SHIFT));
	weir_bpf_jump_if(ret, BPF_JGT, R1, R2, late);
	weir_bpf_add(ret, WEIR_BPF_LOAD(BPF_W, R2, CONTEXT, offsetof(struct __sk_buff, len)));
	weir_bpf_add(ret, WEIR_BPF_DO(BPF_MUL, R2, cost));
	weir_bpf_add(ret, WEIR_BPF_DO(BPF_RSH, R2, COST_SHIFT));
	/* atomic: other processors charge as well */
	weir_bpf_add(ret, WEIR_BPF_INSN(BPF_STX | BPF_XADD | BPF_DW, R3, R2, 0, 0));
	write_end(ret, TC_ACT_UNSPEC);
	weir_bpf_set_label(ret, late);
	write_end(ret, TC_ACT_STOLEN); /* gone, but not a lie: those are counted as drops */
	weir_bpf_finish(ret);
}
