/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of classic BPF, written instruction by instruction. */
#include "backends/netlink/classic.h"

int weir_classic_label(struct weir_classic *program)
{
	if (program->n_labels == WEIR_CLASSIC_LABELS) {
		program->broken = true;
		return 0;
	}
	return program->n_labels++;
}

static uint8_t distance(struct weir_classic *program, size_t from)
{
	size_t n = program->n - from - 1;

	if (n > UINT8_MAX)
		program->broken = true;
	return (uint8_t)n;
}

void weir_classic_here(struct weir_classic *program, int label)
{
	for (size_t i = 0; i < program->n; i++) {
		struct sock_filter *insn = &program->insns[i];
		bool always = insn->code == (BPF_JMP | BPF_JA);

		if (program->yes[i] == label + 1) {
			program->yes[i] = 0;
			if (always)
				insn->k = (uint32_t)(program->n - i - 1);
			else
				insn->jt = distance(program, i);
		}
		if (program->no[i] == label + 1) {
			program->no[i] = 0;
			insn->jf = distance(program, i);
		}
	}
}

void weir_classic_jump_if(struct weir_classic *program, int op, uint32_t k, int yes, int no)
{
	if (program->n == WEIR_CLASSIC_INSNS) {
		program->broken = true;
		return;
	}
	program->insns[program->n] = (struct sock_filter){ .code = (uint16_t)op, .k = k };
	program->yes[program->n] = (uint8_t)(yes + 1);
	program->no[program->n] = (uint8_t)(no + 1);
	program->n++;
}

void weir_classic_add(struct weir_classic *program, int code, uint32_t k)
{
	weir_classic_jump_if(program, code, k, WEIR_CLASSIC_NEXT, WEIR_CLASSIC_NEXT);
}

void weir_classic_jump(struct weir_classic *program, int label)
{
	weir_classic_jump_if(program, BPF_JMP | BPF_JA, 0, label, WEIR_CLASSIC_NEXT);
}

void weir_classic_finish(struct weir_classic *program)
{
	for (size_t i = 0; i < program->n; i++)
		if (program->yes[i] || program->no[i])
			program->broken = true;
}
