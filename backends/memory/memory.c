/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults on demand, and the switch that boots the kernel in memory anew. */
#include "backends/memory/memory.h"

static struct {
	unsigned calls;
	unsigned fail_at; /* 0: never */
	bool for_good;
	int code;
	unsigned races;
} faults;

void weir_memory_reset(void)
{
	weir_memory_fail_at(0, 0);
	faults.races = 0;
	weir_memory_reset_firewall();
	weir_memory_reset_links();
}

void weir_memory_print(FILE *out)
{
	weir_memory_print_firewall(out);
	weir_memory_print_links(out);
}

void weir_memory_fail_at(unsigned n, int code)
{
	faults.calls = 0;
	faults.fail_at = n;
	faults.for_good = false;
	faults.code = code;
}

void weir_memory_fail_from(unsigned n, int code)
{
	weir_memory_fail_at(n, code);
	faults.for_good = true;
}

unsigned weir_memory_calls(void)
{
	return faults.calls;
}

void weir_memory_race(unsigned n)
{
	faults.races = n;
}

int weir_memory_step(const char *what, struct weir_err *err)
{
	faults.calls++;
	bool late = faults.fail_at && faults.for_good && faults.calls > faults.fail_at;
	if (faults.calls != faults.fail_at && !late)
		return 0;
	return weir_err_errno(err, faults.code, "%s", what);
}

bool weir_memory_lose_race(void)
{
	if (!faults.races)
		return false;
	faults.races--;
	return true;
}
