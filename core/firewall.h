/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firewall contract: how the engine puts a ruleset into a packet filter and reads it back.
 *
 * A handle is OPEN; prepare() makes it PREPARED; commit() and abort() make it OPEN again. The
 * engine keeps to that order (core/engine.c), backends assert it. Nothing reaches the kernel's
 * rules before commit(), and commit() is one transaction: all or nothing.
 *
 * Ownership: a backend's tables and chains carry the epoch of the store that made them. What carries
 * another store's UUID is refused with -EBUSY by prepare(), naming both. */
#ifndef WEIR_CORE_FIREWALL_H
#define WEIR_CORE_FIREWALL_H

#include "core/ruleset.h"
#include "core/trace.h"

enum { WEIR_UUID_SIZE = 37 }; /* 8-4-4-4-12 and the closing zero */

/* Whose rules these are and how old; kept in the kernel beside them. */
struct weir_epoch {
	char store[WEIR_UUID_SIZE];
	char boot[WEIR_UUID_SIZE];
	uint32_t counter; /* one more with every commit */
};

/* What can be told without listing rules. */
struct weir_firewall_state {
	bool present;		 /* our tables or chains are there */
	struct weir_epoch epoch; /* valid when present; empty strings when unreadable */
	/* Equal to what commit() said: nobody has written since. nft's; of legacy iptables, made of the size
	 * of its tables and where their chains begin; 0 where the filter cannot tell. */
	uint32_t generation;
};

/* Counters, as read from the kernel. */
struct weir_counter {
	const struct weir_entry *mapping; /* a mapping; or NULL */
	const char *reason;		  /* a reason of a drop, e.g. "isolation"; or NULL */
	const char *policy;		  /* a policy's name: all of its cells; or NULL */
	uint64_t packets;		  /* of a mapping and a policy: connections */
	uint64_t bytes;
};

struct weir_counters {
	struct weir_ruleset mappings; /* owns what the counters point to, policies' names too */
	struct weir_counter *items;   /* from malloc */
	size_t n;
};
void weir_counters_free(struct weir_counters *counters);
#define WEIR_CLEAN_COUNTERS __attribute__((cleanup(weir_counters_free)))
/* Sorts the counters of policies' cells by the policy, and makes those of each one. Returns how many are left. */
size_t weir_counters_join(struct weir_counter *items, size_t n);

/* Connections to forget: every field that is set must match. src and dst are those of the original
 * direction. A prefix without a family: any; proto none: any; ports { 0, 0 }: any. */
struct weir_flow_match {
	enum weir_family family;
	struct weir_prefix src;	      /* original source */
	struct weir_addr dst;	      /* original destination */
	struct weir_prefix reply_src; /* who answers: the endpoint behind a mapping */
	enum weir_proto proto;
	struct weir_ports dst_ports; /* original destination ports */
	bool untranslated;	     /* only connections that no NAT has touched */
	bool published;		     /* only those whose destination is not who answers */
	bool outside; /* never for forget(): weir_flows_cut() asks who is at the other end */
};

/* A connection that is there, as who opened it to whom, seen from behind every translation. */
struct weir_connection {
	enum weir_family family;
	uint8_t protocol;	   /* IP's number */
	struct weir_addr from, to; /* who sends, who answers */
	uint16_t port;		   /* at who answers; of ICMP: the type */
	bool from_host, to_host;   /* the address is one of this host's own */
	bool published;		   /* its destination is translated */
	bool expected;		   /* another connection has announced it */
	bool distrusted; /* an interface by which it may have come is not trusted any more */
};

struct weir_firewall;

/* capabilities, as data */
enum {
	WEIR_FW_DRY_VALIDATE = 1 << 0, /* validate() asks the kernel */
	WEIR_FW_GENERATION = 1 << 1, /* commit() refuses with -EAGAIN when others have committed */
	WEIR_FW_COUNTERS = 1 << 2,
	WEIR_FW_ONE_COMMIT = 1 << 3, /* else several, in an order that fails closed */
};

/* The words for the i-th capability, from 0; NULL: there are no more. */
const char *weir_firewall_capability(unsigned i);

/* how prepare() builds a transaction */
enum {
	WEIR_FW_WHOLE = 1 << 0, /* what is there is replaced */
	/* The same rules are in force in another packet filter meanwhile: where one commit after the other
	 * is needed, none has to be more closed than what is there or what is to come. */
	WEIR_FW_COVERED = 1 << 1,
};

struct weir_firewall_ops {
	const char *name;      /* "nftables" */
	const char *container; /* what a user finds it under: "table inet weir" */
	unsigned capabilities;

	/* 0: this kernel can; -EPERM, -EOPNOTSUPP with what is missing and what to do. Leaves nothing. */
	int (*probe)(struct weir_err *err);
	/* Opens a handle in the caller's network namespace. trace may be NULL; it outlives the handle.
	 * store is the UUID that owns what is made. */
	int (*open)(const char *store, const struct weir_trace *trace, struct weir_firewall **ret,
		    struct weir_err *err);
	void (*close)(struct weir_firewall *fw); /* NULL is fine; aborts what is prepared */

	int (*state)(struct weir_firewall *fw, struct weir_firewall_state *ret,
		     struct weir_err *err);
	/* Our base chains and rules are as they should be, elements not looked at: 0; -ESTALE: something
	 * is missing, changed or added (named in err). */
	int (*check)(struct weir_firewall *fw, struct weir_err *err);
	/* Reads everything back, sorted. Nothing there: an empty ruleset. -ESTALE when the frame of
	 * chains and rules is not as it should be: only a prepare() with WEIR_FW_WHOLE mends that; what could
	 * be read is returned all the same. */
	int (*list)(struct weir_firewall *fw, struct weir_ruleset *ret,
		    struct weir_firewall_state *state, struct weir_err *err);

	/* How long a commit may wait for others who hold the filter's own lock. NULL: there is none. */
	void (*set_timeout)(struct weir_firewall *fw, unsigned timeout_ms);

	/* Builds the whole transaction. With WEIR_FW_WHOLE, what is there is replaced and delta->added is all
	 * of it (an empty one removes weir's tables altogether); else delta is applied to what is there.
	 * delta and what it points to outlive commit() or abort(): the kernel's errors are led back to
	 * it. The tables' frame is made when absent. `old` is what state() or list() said, `epoch` is written
	 * beside the rules. With old->generation not 0, commit() fails with -EAGAIN if anybody else has
	 * committed since. Errors carry the origin of the entry to blame: the
	 * delta's entries must live until commit() or abort(). */
	int (*prepare)(struct weir_firewall *fw, const struct weir_delta *delta, unsigned how,
		       const struct weir_firewall_state *old, const struct weir_epoch *epoch,
		       struct weir_err *err);
	/* Asks the kernel whether it would take what is prepared, changing nothing; stays PREPARED. */
	int (*validate)(struct weir_firewall *fw, struct weir_err *err);
	/* ret_generation: that of struct weir_firewall_state after the commit.
	 * -EAGAIN: somebody was faster, prepare again from a new state. Any error: nothing changed.
	 * The handle is OPEN afterwards either way. */
	int (*commit)(struct weir_firewall *fw, uint32_t *ret_generation, struct weir_err *err);
	void (*abort)(struct weir_firewall *fw);

	/* The ruleset as a file that the native tool loads. No handle, no kernel. */
	int (*render)(const struct weir_ruleset *rules, const struct weir_epoch *epoch, FILE *out,
		      struct weir_err *err);
	int (*counters)(struct weir_firewall *fw, struct weir_counters *ret, struct weir_err *err);

	/* Deletes the connections that match any of n; ret_forgotten may be NULL. A connection that is
	 * gone already is no error. */
	int (*forget)(struct weir_firewall *fw, const struct weir_flow_match *matches, size_t n,
		      size_t *ret_forgotten, struct weir_err *err);
	/* The same, by exact tuple, of those that `is_cut` says so of. Every connection of this network
	 * namespace is shown to it once. */
	int (*forget_if)(struct weir_firewall *fw,
			 bool (*is_cut)(const void *ctx, const struct weir_connection *conn),
			 const void *ctx, size_t *ret_forgotten, struct weir_err *err);
};

#endif
