/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store: what should be, in SQLite (weir.db in the state folder).
 *
 * WAL, foreign keys on, user_version with migrations. Uniqueness of names, addresses, MACs, interface
 * names and host ports are UNIQUE constraints. All writes stand in one transaction that the caller
 * begins and ends; nothing here touches the network. The caller holds weir's lock (core/lock.h) for
 * writing; reading needs none. */
#ifndef WEIR_CORE_STORE_H
#define WEIR_CORE_STORE_H

#include "core/firewall.h"
#include "core/model.h"

struct weir_store;

/* What the store knows about itself and about the kernel's side of it. */
struct weir_store_meta {
	char uuid[WEIR_UUID_SIZE];  /* made with the store, /proc/sys/kernel/random/uuid */
	struct weir_netns_id owner; /* the network namespace it belongs to; zero until claimed */
	char backend[16];	    /* the firewall in charge; empty until the first change */
	uint32_t counter;	    /* of our last commit's epoch */
	uint32_t generation;	    /* nft's after our last commit */
};

/* Opens weir.db in dir; dir NULL: a new store in memory, which is gone when closed. `create`: makes dir
 * (0700) and the file when absent; without it an absent store is -ENOENT and nothing is made.
 * -EUCLEAN: damaged or not a store of weir's: says so and what to do, never resets it.
 * -EPROTO: made by a newer weir. -ENOSPC, -EACCES, -EROFS as they come. Older: migrated at once when
 * `create`, in one transaction; else -ESTALE. */
int weir_store_open(const char *dir, bool create, struct weir_store **ret, struct weir_err *err);
void weir_store_close(struct weir_store *store); /* rolls back an open transaction; NULL is fine */
static inline void weir_store_closep(struct weir_store **store)
{
	weir_store_close(*store);
}
#define WEIR_CLEAN_STORE __attribute__((cleanup(weir_store_closep)))

/* Removes the store's files from dir; none there: done. Nobody may have it open. */
int weir_store_destroy(const char *dir, struct weir_err *err);

/* Reads every page and every constraint: for `weir repair`, not for the hot path (SQLite finds damage
 * when it meets it, as -EUCLEAN). -EUCLEAN with the first thing that is wrong. */
int weir_store_verify(struct weir_store *store, struct weir_err *err);

/* From here until it is closed all is read as it stands at one moment, that of the first reading, whatever others
 * commit meanwhile. Nobody waits for it. For who does not write. */
int weir_store_begin_reading(struct weir_store *store, struct weir_err *err);

/* durable: what this transaction writes is on disk when its commit returns (synchronous=FULL), else
 * after a power cut the last commits may be missing (never torn). It is said here because SQLite
 * settles it before a transaction begins; syncing after the commit could fail when others already
 * see what was written. -EBUSY: another program holds the store. */
int weir_store_begin(struct weir_store *store, bool durable, struct weir_err *err);
/* All or nothing: after an error the transaction is rolled back. A writing call that failed has
 * spoilt its transaction: the commit then rolls back and returns -ECANCELED. */
int weir_store_commit(struct weir_store *store, struct weir_err *err);
void weir_store_rollback(struct weir_store *store); /* without a transaction it does nothing */

int weir_store_meta(struct weir_store *store, struct weir_store_meta *ret, struct weir_err *err);
int weir_store_set_meta(struct weir_store *store, const struct weir_store_meta *meta,
			struct weir_err *err);

/* What to load. Endpoints bring the networks that they attach to. Absent names are no error. */
struct weir_scope {
	bool all; /* everything */
	const char **networks;
	size_t n_networks;
	const char **endpoints;
	size_t n_endpoints;
	bool members;	    /* also every endpoint that is attached to one of `networks` */
	bool only_networks; /* with all: no endpoints */
	bool policies;	    /* also every policy */
	bool no_mappings; /* leave the endpoints' mappings out: cost then is independent of them */
};

/* Appends to the model (sorted afterwards); objects that it already has by name are left as they are.
 * Places are not stored, but for a policy's own: other objects come back without their origin. */
int weir_store_load(struct weir_store *store, const struct weir_scope *scope,
		    struct weir_model *model, struct weir_err *err);

/* Makes or replaces by name. Every field must be resolved (addresses, interface names, host ports).
 * -EEXIST names who has the subnet, address, MAC, interface name or host port, with the place of the
 * object that asks for it; -ENOENT: an attachment's network is absent. What an object gives up must be
 * written before another gets it. Replacing an endpoint keeps the rows that do not change. */
int weir_store_put_network(struct weir_store *store, const struct weir_network *net,
			   struct weir_err *err);
int weir_store_put_endpoint(struct weir_store *store, const struct weir_endpoint *ep,
			    struct weir_err *err);
/* -ENOENT: no such object. A network in use is -EBUSY, naming an endpoint. */
int weir_store_remove_network(struct weir_store *store, const char *name, struct weir_err *err);
int weir_store_remove_endpoint(struct weir_store *store, const char *name, struct weir_err *err);
/* One mapping of an endpoint, at a cost that does not depend on how many it has
 * (removing one with an open host port looks through the endpoint's).
 * add: -EEXIST as above. remove: ret (may be NULL) is what was removed, in the arena; `mapping` matches
 * as users write it: an open host port matches any; -ENOENT. -EEXIST: it is a part of a range, which goes
 * whole only. */
int weir_store_add_mapping(struct weir_store *store, const char *endpoint,
			   const struct weir_mapping *mapping, struct weir_err *err);
int weir_store_remove_mapping(struct weir_store *store, const char *endpoint,
			      const struct weir_mapping *mapping, struct weir_arena *arena,
			      struct weir_mapping *ret, struct weir_err *err);
/* What remove would remove, leaving it there, or a range of which it is a part. */
int weir_store_find_mapping(struct weir_store *store, const char *endpoint,
			    const struct weir_mapping *mapping, struct weir_arena *arena,
			    struct weir_mapping *ret, struct weir_err *err);
/* Does a spec declare the endpoint? Of none that is not there. */
int weir_store_is_declared(struct weir_store *store, const char *endpoint, bool *ret,
			   struct weir_err *err);
/* Only what the kernel told: the namespace's id. */
int weir_store_set_netns_id(struct weir_store *store, const char *endpoint,
			    const struct weir_netns_id *id, struct weir_err *err);

/* Makes or replaces by name; its place is stored too. Whether there is what it names is not looked at. */
int weir_store_put_policy(struct weir_store *store, const struct weir_policy *policy,
			  struct weir_err *err);
int weir_store_remove_policy(struct weir_store *store, const char *name,
			     struct weir_err *err); /* -ENOENT */
/* Only whether policies bind a network's own traffic. */
int weir_store_set_filtered(struct weir_store *store, const char *network, bool filtered,
			    struct weir_err *err);
/* Is there any policy, or any network with a default of its own? */
int weir_store_has_policies(struct weir_store *store, bool *ret, struct weir_err *err);
/* A policy that names this network or endpoint; *ret_policy (in the arena) NULL: none. */
int weir_store_policy_naming_network(struct weir_store *store, const char *network,
				     struct weir_arena *arena, const char **ret_policy,
				     struct weir_err *err);
int weir_store_policy_naming_endpoint(struct weir_store *store, const char *endpoint,
				      struct weir_arena *arena, const char **ret_policy,
				      struct weir_err *err);

/* Another endpoint than `except` that has this namespace; *ret_name (in the arena) NULL: none. */
int weir_store_netns_owner(struct weir_store *store, const struct weir_netns_id *id,
			   const char *except, struct weir_arena *arena, const char **ret_name,
			   struct weir_err *err);
/* Whose host port is it? ret_owner (in the arena) NULL when free. addr none: the any-address entry. */
int weir_store_port_owner(struct weir_store *store, const struct weir_addr *addr,
			  enum weir_proto proto, uint16_t port, struct weir_arena *arena,
			  const char **ret_owner, struct weir_err *err);
/* A network other than `except` (may be NULL) with a subnet that overlaps prefix; *ret_name NULL: none. */
int weir_store_overlap(struct weir_store *store, const struct weir_prefix *prefix,
		       const char *except, struct weir_arena *arena, const char **ret_name,
		       struct weir_prefix *ret_prefix, struct weir_err *err);
/* How many endpoints are attached to a network. */
int weir_store_count_attached(struct weir_store *store, const char *network, size_t *ret,
			      struct weir_err *err);
/* Is there an object with this interface name (host side)? */
int weir_store_ifname_taken(struct weir_store *store, const char *ifname, bool *ret,
			    struct weir_err *err);

int weir_store_pools(struct weir_store *store, struct weir_model *model, struct weir_err *err);
int weir_store_set_pools(struct weir_store *store, const struct weir_pool *pools, size_t n,
			 struct weir_err *err);

/* Sysctls that weir has changed, with what they were. */
struct weir_stored_sysctl {
	const char *key; /* "net/ipv4/ip_forward" */
	long old, set;
};
int weir_store_sysctls(struct weir_store *store, struct weir_arena *arena,
		       struct weir_stored_sysctl **ret, size_t *ret_n, struct weir_err *err);
int weir_store_put_sysctl(struct weir_store *store, const struct weir_stored_sysctl *sysctl,
			  struct weir_err *err); /* keeps the first `old` */
int weir_store_remove_sysctl(struct weir_store *store, const char *key, struct weir_err *err);

#endif
