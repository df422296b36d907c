/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel table by way of libip4tc or libip6tc: read what is weir's, change it, commit. */
#ifndef WEIR_BACKENDS_IPTABLES_TABLE_H
#define WEIR_BACKENDS_IPTABLES_TABLE_H

#include "backends/iptables/build.h"
#include "core/trace.h"

/* { 0 } is closed. */
struct weir_ipt_handle {
	const struct weir_ipt_place *place;
	void *iptc;
};

/* "filter (IPv6)" */
const char *weir_ipt_place_name(const struct weir_ipt_place *place);

/* Is the table there? Tells without making it: whoever looks at a table with libiptc creates it. */
bool weir_ipt_table_exists(const struct weir_ipt_place *place);
/* Does this kernel know the family? Where it does not, there is nothing to filter. */
bool weir_ipt_family_exists(enum weir_family family);
/* Loads ip_tables or ip6_tables when /proc does not show it: libiptc does not. 0, or -EOPNOTSUPP.
 * With dry, nothing is loaded, only asked whether it could be. */
int weir_ipt_load(enum weir_family family, bool dry, struct weir_err *err);

/* Opens a snapshot of the table, making the table when absent. -EOPNOTSUPP, -EPERM, …, with words. */
int weir_ipt_table_open(const struct weir_ipt_place *place, struct weir_ipt_handle *ret,
			struct weir_err *err);
void weir_ipt_table_close(struct weir_ipt_handle *handle);

/* What is weir's in the snapshot; figures included. only: this chain alone; NULL: all. -ENOMEM. */
int weir_ipt_table_read(const struct weir_ipt_handle *handle, const char *only,
			struct weir_ipt_image *ret, struct weir_err *err);

/* Stirs what the kernel tells of the table without copying it into *hash: the number of its rules and
 * where its chains begin. False: it does not tell. An absent table says nothing, and stays absent. */
bool weir_ipt_table_stir(const struct weir_ipt_place *place, uint32_t *hash);

/* Turns `there`, which was read from this handle, into `wanted`. Rules that stay keep their counters.
 * *ret_changes: how many. Nothing is committed. */
int weir_ipt_table_change(struct weir_ipt_handle *handle, const struct weir_ipt_image *there,
			  const struct weir_ipt_image *wanted, const struct weir_trace *trace,
			  size_t *ret_changes, struct weir_err *err);
/* -EAGAIN: somebody has committed since the snapshot. Closes the handle. */
int weir_ipt_table_commit(struct weir_ipt_handle *handle, struct weir_err *err);

#endif
