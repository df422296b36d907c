/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of classic BPF, written instruction by instruction.
 *
 * They have an accumulator A, an index X and 16 words of memory, and jump forward only. So the kernel
 * checks one in a single pass, and it needs no permission but that to attach it.
 *
 * What does not fit makes the program `broken`, so that writers need not check each instruction. */
#ifndef WEIR_BACKENDS_NETLINK_CLASSIC_H
#define WEIR_BACKENDS_NETLINK_CLASSIC_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_CLASSIC_INSNS = 512, WEIR_CLASSIC_LABELS = 64 };

struct weir_classic {
	struct sock_filter insns[WEIR_CLASSIC_INSNS];
	/* the labels that a jump goes to, + 1; 0: there it is resolved */
	uint8_t yes[WEIR_CLASSIC_INSNS], no[WEIR_CLASSIC_INSNS];
	size_t n;
	int n_labels;
	bool broken;
};

enum { WEIR_CLASSIC_NEXT = -1 }; /* the label of the next instruction */

int weir_classic_label(struct weir_classic *program);
/* The label is here, for all jumps to it so far; later ones go to where it is put again. */
void weir_classic_here(struct weir_classic *program, int label);

void weir_classic_add(struct weir_classic *program, int code, uint32_t k);
/* op: BPF_JMP | BPF_JEQ | BPF_K, …; goes to one of two labels, within 255 instructions. */
void weir_classic_jump_if(struct weir_classic *program, int op, uint32_t k, int yes, int no);
void weir_classic_jump(struct weir_classic *program, int label);

/* Once, when the program is complete: one with a label that was put nowhere is broken. */
void weir_classic_finish(struct weir_classic *program);

#endif
