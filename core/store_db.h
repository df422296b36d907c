/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the store: its handle, its statements and how they are run. Only core/store*.c and
 * core/ipam.c include this.
 *
 * A statement is prepared when it is first used and kept; its text stands in core/store_sql.c.
 * Arguments are bound by a format, one letter each:
 *	i  int			l  int64_t
 *	t  const char *, may be NULL
 *	a  const struct weir_addr *, as a BLOB of family and bytes: memcmp() order is weir_addr_cmp()
 *	   order; none is an empty BLOB
 *	A  the same, none is NULL
 *	m  const struct weir_mac *, none is NULL
 * What is bound must live until the statement has been run or reset. */
#ifndef WEIR_CORE_STORE_DB_H
#define WEIR_CORE_STORE_DB_H

#include <limits.h>
#include <sqlite3.h>

#include "core/store.h"

enum weir_sql {
	WEIR_SQL_BEGIN,
	WEIR_SQL_COMMIT,
	WEIR_SQL_META,
	WEIR_SQL_SET_META,
	WEIR_SQL_POOLS,
	WEIR_SQL_CLEAR_POOLS,
	WEIR_SQL_ADD_POOL,
	WEIR_SQL_SYSCTLS,
	WEIR_SQL_PUT_SYSCTL,
	WEIR_SQL_REMOVE_SYSCTL,

	WEIR_SQL_NETWORKS,
	WEIR_SQL_NETWORK,
	WEIR_SQL_ADD_NETWORK,
	WEIR_SQL_CHANGE_NETWORK,
	WEIR_SQL_REMOVE_NETWORK,
	WEIR_SQL_NETWORK_ITEMS,
	WEIR_SQL_ADD_NETWORK_ITEM,
	WEIR_SQL_CLEAR_NETWORK_ITEMS,
	WEIR_SQL_SUBNETS,
	WEIR_SQL_PUT_SUBNET,
	WEIR_SQL_MARK_SUBNETS,
	WEIR_SQL_SWEEP_SUBNETS,
	WEIR_SQL_VLAN_OWNER,
	WEIR_SQL_OVERLAP,
	WEIR_SQL_ATTACHED,
	WEIR_SQL_COUNT_ATTACHED,

	WEIR_SQL_IFNAME,
	WEIR_SQL_TAKE_IFNAME,
	WEIR_SQL_RELEASE_IFNAME,

	WEIR_SQL_ENDPOINTS,
	WEIR_SQL_ENDPOINT,
	WEIR_SQL_IS_DECLARED,
	WEIR_SQL_ADD_ENDPOINT,
	WEIR_SQL_CHANGE_ENDPOINT,
	WEIR_SQL_REMOVE_ENDPOINT,
	WEIR_SQL_SET_NETNS,
	WEIR_SQL_NETNS_OWNER,
	WEIR_SQL_ENDPOINT_ITEMS,
	WEIR_SQL_ADD_ENDPOINT_ITEM,
	WEIR_SQL_CLEAR_ENDPOINT_ITEMS,
	WEIR_SQL_ATTACHMENTS,
	WEIR_SQL_ADD_ATTACHMENT,
	WEIR_SQL_REMOVE_ATTACHMENT,
	WEIR_SQL_OWNER_IPV4,
	WEIR_SQL_OWNER_IPV6,
	WEIR_SQL_OWNER_MAC,

	WEIR_SQL_MAPPINGS,
	WEIR_SQL_MAPPING,
	WEIR_SQL_FIND_MAPPING,
	WEIR_SQL_ADD_MAPPING,
	WEIR_SQL_ADD_MANY_MAPPINGS,
	WEIR_SQL_REMOVE_MAPPING,
	WEIR_SQL_TAKE_PORT,
	WEIR_SQL_TAKE_MANY_PORTS,
	WEIR_SQL_RELEASE_PORTS,
	WEIR_SQL_PORT_OWNER,

	WEIR_SQL_CURSOR,
	WEIR_SQL_SET_CURSOR,
	WEIR_SQL_HELD_IPV4,
	WEIR_SQL_HELD_IPV6,
	WEIR_SQL_COUNT_IPV4,
	WEIR_SQL_COUNT_IPV6,
	WEIR_SQL_FREE,
	WEIR_SQL_OLDEST_FREED,
	WEIR_SQL_FORGET_FREED,

	WEIR_SQL_HAS_POLICIES,
	WEIR_SQL_POLICIES,
	WEIR_SQL_PUT_POLICY,
	WEIR_SQL_REMOVE_POLICY,
	WEIR_SQL_POLICY_ITEMS,
	WEIR_SQL_ADD_POLICY_ITEM,
	WEIR_SQL_POLICY_NAMING,
	WEIR_SQL_SET_FILTERED,
	WEIR_NUM_SQL
};

enum { WEIR_STORE_APPLICATION = 0x77656972 }; /* the file's application id: "weir" in ASCII */

enum weir_network_item {
	WEIR_ITEM_EXCLUDED,
	WEIR_ITEM_TRUSTED,
	WEIR_ITEM_PARENT, /* and VLAN id */
	WEIR_ITEM_ADOPTED
};
enum weir_endpoint_item {
	WEIR_ITEM_LABEL,
	WEIR_ITEM_ROUTE,
	WEIR_ITEM_DNS,
	WEIR_ITEM_SYSCTL /* a: the network, b: key=value */
};

/* Each belongs to the last one before it that can have it. */
enum weir_policy_item {
	WEIR_ITEM_FROM, /* a selector; a: its kind */
	WEIR_ITEM_TO,
	WEIR_ITEM_OF_NETWORK,  /* a: the name */
	WEIR_ITEM_OF_ENDPOINT, /* a: the name */
	WEIR_ITEM_LABEL_KEY,   /* a */
	WEIR_ITEM_LABEL_VALUE, /* a */
	WEIR_ITEM_BLOCK,       /* a: the address, b: the length */
	WEIR_ITEM_EXCEPT,      /* the same */
	WEIR_ITEM_SERVICE,     /* a: the protocol, b and c: its ports */
	WEIR_NUM_POLICY_ITEMS
};

struct weir_store {
	sqlite3 *db;
	bool in_transaction;
	bool spoilt;	  /* a write failed: only a rollback is left */
	bool has_written; /* committed something */
	bool normal;	  /* synchronous is NORMAL now; else FULL, as SQLite begins */
	sqlite3_stmt *statements[WEIR_NUM_SQL];
	const struct weir_mapping *const *rows; /* what the table `published` shows now */
	size_t n_rows;
	bool has_published;
	char path[PATH_MAX];
};

extern const char *const weir_store_sql[WEIR_NUM_SQL];

/* Migration i makes version i + 1 out of version i. */
extern const char *const weir_store_migrations[];
extern const int weir_store_version;

/* Brings db from its version up to n, in one transaction. -EPROTO: it is newer. */
int weir_store_migrate(struct weir_store *store, const char *const *migrations, int n,
		       struct weir_err *err);

/* Readies a statement and binds its arguments. Step it; it is reset when ret goes out of scope. */
int weir_store_query(struct weir_store *store, enum weir_sql id, sqlite3_stmt **ret,
		     struct weir_err *err, const char *format, ...);
/* 1: there is a row; 0: no more; -errno. */
int weir_store_step(struct weir_store *store, sqlite3_stmt *query, struct weir_err *err);
/* Runs a statement that writes and gives no rows; it needs a transaction. ret_rows (may be NULL): how
 * many rows it touched. -EEXIST: a constraint, err is not set then: the caller knows which and who. */
int weir_store_exec(struct weir_store *store, enum weir_sql id, int *ret_rows, struct weir_err *err,
		    const char *format, ...);
/* Any SQL, outside of the table: for opening and verifying. */
int weir_store_exec_text(struct weir_store *store, const char *sql, struct weir_err *err);

static inline void weir_store_reset(sqlite3_stmt **query)
{
	if (*query)
		(void)sqlite3_reset(*query); /* repeats the error of the last step */
}
#define WEIR_CLEAN_QUERY __attribute__((cleanup(weir_store_reset)))

/* SQLite's result code, in words that say what a user can do. */
int weir_store_fail(struct weir_store *store, int rc, struct weir_err *err);
/* What was read contradicts what was written. */
int weir_store_damaged(struct weir_store *store, const char *what, struct weir_err *err);
int weir_store_no_memory(struct weir_err *err);
/* The same as `r`, after marking the transaction as good for a rollback only. */
int weir_store_spoil(struct weir_store *store, int r);

/* Columns; an address or MAC of an impossible form reads as none. */
struct weir_addr weir_store_addr(sqlite3_stmt *query, int column);
int weir_store_addr_size(const struct weir_addr *addr); /* of the BLOB; 0: none */
struct weir_mac weir_store_mac(sqlite3_stmt *query, int column);
const char *weir_store_text(sqlite3_stmt *query, int column); /* "" for NULL; until the next step */
void weir_store_ifname(sqlite3_stmt *query, int column, char ret[WEIR_IFNAME_SIZE]);

/* Parts of objects, shared by loading and replacing. They append to what the object has. */
int weir_store_read_attachments(struct weir_store *store, struct weir_model *model,
				struct weir_endpoint *ep, struct weir_err *err);
int weir_store_read_mappings(struct weir_store *store, struct weir_model *model,
			     struct weir_endpoint *ep, struct weir_err *err);

/* Every policy, appended. */
int weir_store_read_policies(struct weir_store *store, struct weir_model *model,
			     struct weir_err *err);

/* Takes a host interface's name, or says who has it. An empty name is nothing to take. */
int weir_store_take_ifname(struct weir_store *store, const char *ifname, const char *network,
			   const char *endpoint, const struct weir_place *at, struct weir_err *err);

/* Who has the address in the network? In text, cut to WEIR_NAME_MAX; empty: nobody. */
int weir_store_addr_owner(struct weir_store *store, const char *network,
			  const struct weir_addr *addr, char ret[WEIR_NAME_MAX + 1],
			  struct weir_err *err);

/* Adds mappings of an endpoint, with their host ports, in the order of weir_mapping_cmp(); all have
 * host ports. -EEXIST: a constraint, err is not set; nothing tells which. */
int weir_store_insert_mappings(struct weir_store *store, const char *endpoint,
			       const struct weir_mapping *const *mappings, size_t n,
			       struct weir_err *err);

/* Replaces what the store has of an endpoint's mappings (`old`, as read) by what it should have. */
int weir_store_replace_mappings(struct weir_store *store, const struct weir_endpoint *old,
				const struct weir_endpoint *ep, struct weir_err *err);

#endif
