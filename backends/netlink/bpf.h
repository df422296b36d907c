/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs for the kernel's packet path: written instruction by instruction, loaded by bpf(2).
 *
 * Jumps name labels, which may be set later. What does not fit makes the program `broken`, and loading
 * it -ENOMEM, so that writers need not check each instruction. */
#ifndef WEIR_BACKENDS_NETLINK_BPF_H
#define WEIR_BACKENDS_NETLINK_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/trace.h"

enum { WEIR_BPF_INSNS = 64, WEIR_BPF_LABELS = 8 };

struct weir_bpf {
	struct bpf_insn insns[WEIR_BPF_INSNS];
	uint8_t target[WEIR_BPF_INSNS]; /* the label that a jump goes to, + 1 */
	uint16_t labels[WEIR_BPF_LABELS];
	size_t n, n_labels;
	size_t memory; /* the instruction that loads its address, + 1; 0: it has none */
	bool broken;
};

/* ---- instructions; r0 result, r1–r5 arguments (lost by calls), r6–r9 kept, r10 the stack's end ---- */

void weir_bpf_add(struct weir_bpf *program, struct bpf_insn insn);
/* dst = imm; dst = src; dst op= imm; dst op= src (BPF_ADD, BPF_LSH, …) */
#define WEIR_BPF_SET(dst, imm) WEIR_BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define WEIR_BPF_COPY(dst, src) WEIR_BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define WEIR_BPF_DO(op, dst, imm) WEIR_BPF_INSN(BPF_ALU64 | (op) | BPF_K, dst, 0, 0, imm)
#define WEIR_BPF_DO_REG(op, dst, src) WEIR_BPF_INSN(BPF_ALU64 | (op) | BPF_X, dst, src, 0, 0)
/* dst = *(src + off); size BPF_B, BPF_H or BPF_W */
#define WEIR_BPF_LOAD(size, dst, src, off) \
	WEIR_BPF_INSN(BPF_LDX | BPF_MEM | (size), dst, src, off, 0)
#define WEIR_BPF_CALL(helper) WEIR_BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define WEIR_BPF_EXIT() WEIR_BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define WEIR_BPF_INSN(op, dst, src, offset, immediate) \
	((struct bpf_insn){ .code = (uint8_t)(op),     \
			    .dst_reg = (dst),          \
			    .src_reg = (src),          \
			    .off = (int16_t)(offset),  \
			    .imm = (int32_t)(immediate) })

/* A label that is not set yet; below WEIR_BPF_LABELS, or the program is broken. */
int weir_bpf_label(struct weir_bpf *program);
void weir_bpf_set_label(struct weir_bpf *program, int label); /* here */
/* if (dst op src) goto label, by 64 bits; op BPF_JEQ, BPF_JNE, BPF_JGE, … */
void weir_bpf_jump_if(struct weir_bpf *program, int op, int dst, int src, int label);
/* dst = the address of eight bytes that are the program's own, zero at first. Once. */
void weir_bpf_memory(struct weir_bpf *program, int dst);

/* Resolves the jumps. Once, when the program is complete. */
void weir_bpf_finish(struct weir_bpf *program);
/* A number that tells programs apart. */
uint64_t weir_bpf_hash(const struct weir_bpf *program);
/* As a classifier for tc; name: at most 15 letters, digits, '_' and '.'. ret_fd is the caller's to
 * close. -EPERM: not permitted here; -ENOSYS: this kernel has no BPF. */
int weir_bpf_load(const struct weir_bpf *program, const char *name, const struct weir_trace *trace,
		  int *ret_fd, struct weir_err *err);

#endif
