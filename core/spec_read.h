/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a tree of values to objects: tables of keys, and readers of single values.
 *
 * Every complaint begins with the path of the value ("networks.web.mtu") and carries its place. */
#ifndef WEIR_CORE_SPEC_READ_H
#define WEIR_CORE_SPEC_READ_H

#include "core/model.h"
#include "core/spec_tree.h"

/* What is being read. */
struct weir_spec {
	struct weir_model *model;
	const char *file;
	char path[256]; /* of the value at hand; cut when it does not fit */
	struct weir_err *err;
};

typedef int (*weir_spec_reader)(struct weir_spec *spec, const struct weir_spec_node *value,
				void *object);

/* One key of a map. */
struct weir_spec_key {
	const char *name;
	weir_spec_reader read;
};

/* A place, for origins. */
struct weir_place weir_spec_place(const struct weir_spec *spec, const struct weir_spec_node *node);

/* -EINVAL: "<path>: <text>" at the node. */
int weir_spec_fail(struct weir_spec *spec, const struct weir_spec_node *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "<path>: expected <what>, got <the value>". */
int weir_spec_expected(struct weir_spec *spec, const struct weir_spec_node *node, const char *what);
/* Gives an error that a parser has just set the path and place of the node. */
int weir_spec_blame(struct weir_spec *spec, const struct weir_spec_node *node, int code);

bool weir_spec_is_null(const struct weir_spec_node *node);
bool weir_spec_has_key(const struct weir_spec_node *map, const char *key);

/* Reads every key by the table; unknown ones are refused, with the nearest of the table. `what`
 * is for the message: "network \"web\"". A null value is a map without keys. */
int weir_spec_read_keys(struct weir_spec *spec, const struct weir_spec_node *map, const char *what,
			const struct weir_spec_key *keys, size_t n_keys, void *object);
/* Calls read for each item of a list, with its path ("….subnets[1]"). `what` is the list wished
 * for. */
int weir_spec_read_items(struct weir_spec *spec, const struct weir_spec_node *list,
			 const char *what, weir_spec_reader read, void *object);
/* The same for a list or a single value. */
int weir_spec_read_one_or_more(struct weir_spec *spec, const struct weir_spec_node *node,
			       const char *what, weir_spec_reader read, void *object);
/* Calls read_name(spec, key, value, object) for each key of a map, with its path. */
int weir_spec_read_names(struct weir_spec *spec, const struct weir_spec_node *map, const char *what,
			 int (*read_name)(struct weir_spec *spec, const struct weir_spec_node *key,
					  const struct weir_spec_node *value, void *object),
			 void *object);

/* Single values. Text is copied into the model's arena. */
int weir_spec_read_text(struct weir_spec *spec, const struct weir_spec_node *node, const char *what,
			const char **ret);
int weir_spec_read_bool(struct weir_spec *spec, const struct weir_spec_node *node, bool *ret);
int weir_spec_read_number(struct weir_spec *spec, const struct weir_spec_node *node, long least,
			  long most, long *ret);
/* One of n words; *ret is its index. */
int weir_spec_read_word(struct weir_spec *spec, const struct weir_spec_node *node,
			const char *const *words, size_t n, size_t *ret);
int weir_spec_read_addr(struct weir_spec *spec, const struct weir_spec_node *node,
			struct weir_addr *ret);
int weir_spec_read_prefix(struct weir_spec *spec, const struct weir_spec_node *node,
			  struct weir_prefix *ret);
int weir_spec_read_mac(struct weir_spec *spec, const struct weir_spec_node *node,
		       struct weir_mac *ret);
int weir_spec_read_name(struct weir_spec *spec, const struct weir_spec_node *node, const char *what,
			const char **ret);
int weir_spec_read_ifname(struct weir_spec *spec, const struct weir_spec_node *node,
			  char ret[WEIR_IFNAME_SIZE]);
/* Puts an address in its family's slot; a second one of the family is refused. */
int weir_spec_read_addr_slot(struct weir_spec *spec, const struct weir_spec_node *node,
			     struct weir_addr slots[WEIR_NUM_FAMILIES]);

/* -ENOMEM with its text. */
int weir_spec_no_memory(struct weir_spec *spec);

/* The objects (core/spec_network.c, core/spec_endpoint.c, core/spec_policy.c): one entry of `networks`, of
 * `endpoints`, of `pools`, of `policies`. */
int weir_spec_read_network(struct weir_spec *spec, const struct weir_spec_node *key,
			   const struct weir_spec_node *value, void *unused);
int weir_spec_read_endpoint(struct weir_spec *spec, const struct weir_spec_node *key,
			    const struct weir_spec_node *value, void *unused);
int weir_spec_read_pool(struct weir_spec *spec, const struct weir_spec_node *value, void *unused);
int weir_spec_read_policy(struct weir_spec *spec, const struct weir_spec_node *value, void *unused);

/* An endpoint's attachment (spec_attachment.c): NAME: {ip: …}, in the place of what is said of it already; or
 * NAME alone, a new one. */
int weir_spec_read_attachment(struct weir_spec *spec, const struct weir_spec_node *key,
			      const struct weir_spec_node *value, struct weir_endpoint *ep);
int weir_spec_read_attachment_name(struct weir_spec *spec, const struct weir_spec_node *value,
				   struct weir_endpoint *ep);

#endif
