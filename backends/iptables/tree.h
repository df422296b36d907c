/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long lists of rules as trees of chains. */
#ifndef WEIR_BACKENDS_IPTABLES_TREE_H
#define WEIR_BACKENDS_IPTABLES_TREE_H

#include "backends/iptables/image.h"

enum { WEIR_IPT_KEY_SIZE = 16 };

/* A rule and the values that it is for: those that begin with the first `bits` bits of key, or, in a
 * tree of ports, ports.lo to ports.hi. No two items of a tree overlap. */
struct weir_ipt_item {
	uint8_t key[WEIR_IPT_KEY_SIZE]; /* rest zero */
	uint8_t bits;
	uint16_t last; /* of a range: its last port; key and bits are of the first one */
	struct weir_ipt_rule rule;
};

/* What the values of a tree are. */
struct weir_ipt_dimension {
	uint8_t bits; /* of a whole value */
	uint8_t step; /* of a split: at most so many bits; 8: always a whole byte */
	/* Lets a rule match what begins with the first `bits` bits of key. */
	void (*narrow)(struct weir_ipt_rule *rule, const uint8_t *key, unsigned bits);
	/* The end of a node's name: "8192/4". */
	void (*name)(const uint8_t *key, unsigned bits, char *buf, size_t size);
};

extern const struct weir_ipt_dimension weir_ipt_ports; /* "8192/4" */
extern const struct weir_ipt_dimension weir_ipt_in;    /* "wb-a+", by -i */
extern const struct weir_ipt_dimension weir_ipt_out;   /* by -o */
/* by -s, -d and --ctorigdst; "10.88.0.0/16" or, since names are short, a number for IPv6 */
extern const struct weir_ipt_dimension weir_ipt_src4, weir_ipt_src6;
extern const struct weir_ipt_dimension weir_ipt_dst4, weir_ipt_dst6;
extern const struct weir_ipt_dimension weir_ipt_orig_dst4, weir_ipt_orig_dst6;

struct weir_ipt_tree {
	const struct weir_ipt_dimension *dimension;
	const char *root; /* the chain's name */
	const char *stem; /* of the nodes' names: "WEIR-TCP-" */
	/* What every rule that leads further asks for as well, e.g. -p tcp. */
	struct weir_ipt_rule common;
	/* The last rule of every chain: for values that are in no item. NULL: back to where the tree was
	 * jumped to from. */
	const struct weir_ipt_rule *otherwise;
};

/* "wr1a2b3-+": all that begin so. */
void weir_ipt_item_ifname(struct weir_ipt_item *item, const char *ifname);
void weir_ipt_item_prefix(struct weir_ipt_item *item, const struct weir_addr *addr, uint8_t len);
void weir_ipt_item_ports(struct weir_ipt_item *item, struct weir_ports ports);

/* A chain's name for an address: "WEIR-X-192.0.2.1/32", or a number where that is too long. */
const char *weir_ipt_address_name(struct weir_ipt_image *image, const char *stem,
				  const struct weir_addr *addr);

/* Makes the chain and those beneath it. Sorts the items. */
void weir_ipt_tree_make(struct weir_ipt_image *image, const struct weir_ipt_tree *tree,
			struct weir_ipt_item *items, size_t n);

#endif
