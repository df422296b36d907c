/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs for the kernel's packet path: written instruction by instruction, loaded by bpf(2). */
#include "backends/netlink/bpf.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void weir_bpf_add(struct weir_bpf *program, struct bpf_insn insn)
{
	if (program->n == WEIR_BPF_INSNS) {
		program->broken = true;
		return;
	}
	program->target[program->n] = 0;
	program->insns[program->n++] = insn;
}

int weir_bpf_label(struct weir_bpf *program)
{
	if (program->n_labels == WEIR_BPF_LABELS) {
		program->broken = true;
		return 0;
	}
	return (int)program->n_labels++;
}

void weir_bpf_set_label(struct weir_bpf *program, int label)
{
	program->labels[label] = (uint16_t)program->n;
}

void weir_bpf_jump_if(struct weir_bpf *program, int op, int dst, int src, int label)
{
	weir_bpf_add(program, WEIR_BPF_INSN(BPF_JMP | op | BPF_X, (uint8_t)dst & 15,
					    (uint8_t)src & 15, 0, 0));
	if (!program->broken)
		program->target[program->n - 1] = (uint8_t)(label + 1);
}

void weir_bpf_memory(struct weir_bpf *program, int dst)
{
	weir_bpf_add(program, WEIR_BPF_INSN(BPF_LD | BPF_DW | BPF_IMM, (uint8_t)dst & 15,
					    BPF_PSEUDO_MAP_VALUE, 0, 0));
	program->memory = program->n;
	weir_bpf_add(program, WEIR_BPF_INSN(0, 0, 0, 0, 0));
}

void weir_bpf_finish(struct weir_bpf *program)
{
	for (size_t i = 0; i < program->n; i++)
		if (program->target[i])
			program->insns[i].off =
				(int16_t)(program->labels[program->target[i] - 1] - (int)i - 1);
}

/* FNV-1a */
uint64_t weir_bpf_hash(const struct weir_bpf *program)
{
	const unsigned char *bytes = (const void *)program->insns;
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < program->n * sizeof(program->insns[0]); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

/* Until 5.11 programs count against RLIMIT_MEMLOCK, of which 64 kB hold 16 of them. */
static bool raise_limit(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_MEMLOCK, &all) == 0;
}

/* -1 with errno */
static int call(int command, union bpf_attr *attr)
{
	int fd = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));

	if (fd < 0 && errno == EPERM && raise_limit())
		fd = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
	return fd;
}

static int make_memory(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr)); /* the kernel wants the padding zero, too */
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(uint64_t);
	attr.max_entries = 1;
	return call(BPF_MAP_CREATE, &attr);
}

static int load(const struct weir_bpf *program, const struct bpf_insn *insns, const char *name)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)program->n;
	attr.license = (uintptr_t) "GPL";
	(void)strncpy(attr.prog_name, name, sizeof(attr.prog_name) - 1);
	return call(BPF_PROG_LOAD, &attr);
}

static int load_with_memory(const struct weir_bpf *program, const char *name)
{
	struct bpf_insn insns[WEIR_BPF_INSNS];
	int memory = make_memory();

	if (memory < 0)
		return memory;
	memcpy(insns, program->insns, sizeof(insns));
	insns[program->memory - 1].imm = memory;
	int fd = load(program, insns, name), e = errno;
	(void)close(memory); /* the program holds it */
	errno = e;
	return fd;
}

int weir_bpf_load(const struct weir_bpf *program, const char *name, const struct weir_trace *trace,
		  int *ret_fd, struct weir_err *err)
{
	if (program->broken)
		return weir_err_set(err, ENOMEM, "the BPF program \"%s\" is too long", name);
	int fd = program->memory ? load_with_memory(program, name)
				 : load(program, program->insns, name);
	int e = errno;
	weir_trace(trace, fd < 0 ? "bpf load %s: %s" : "bpf load %s", name, strerror(e));
	if (fd < 0)
		return weir_err_errno(err, e, "loading the BPF program \"%s\"", name);
	*ret_fd = fd;
	return 0;
}
