/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libip4tc and libip6tc behind one table of functions. */
#ifndef WEIR_BACKENDS_IPTABLES_IPTC_H
#define WEIR_BACKENDS_IPTABLES_IPTC_H

#include "core/addr.h"

/* How large a table is and where its chains begin and end. No padding: it is compared as bytes. */
struct weir_iptc_info {
	uint32_t valid_hooks, hook_entry[5], underflow[5], entries, size;
};

/* As in libiptc.h; entries are struct ipt_entry or struct ip6t_entry. Labels are char[32], whole. */
struct weir_iptc {
	/* What the kernel tells of a table without copying it; false: it does not. Makes the table. */
	bool (*info)(const char *table, struct weir_iptc_info *ret);
	void *(*init)(const char *table);
	void (*free)(void *handle);
	const char *(*first_chain)(void *handle);
	const char *(*next_chain)(void *handle);
	const void *(*first_rule)(const char *chain, void *handle);
	const void *(*next_rule)(const void *entry, void *handle);
	const char *(*target)(const void *entry, void *handle);
	int (*insert)(const char *chain, const void *entry, unsigned position, void *handle);
	int (*append)(const char *chain, const void *entry, void *handle);
	int (*delete_rule)(const char *chain, unsigned position, void *handle);
	int (*flush)(const char *chain, void *handle);
	int (*create_chain)(const char *chain, void *handle);
	int (*delete_chain)(const char *chain, void *handle);
	int (*commit)(void *handle);
	const char *(*strerror)(int code);
	const char *names;  /* of tables that exist */
	const char *module; /* that libiptc needs */
};

extern const struct weir_iptc weir_iptc[WEIR_NUM_FAMILIES];

#endif
