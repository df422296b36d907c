/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine: carries a change of the model through to the store and the kernel, all or nothing.
 *
 * The order of work is the same for every change: lock; converge if the kernel is not what the store
 * says; apply the change inside a store transaction, which checks it; compile what it touches; links
 * down; the firewall in one transaction; connections of what was withdrawn forgotten; links up; what
 * is no longer wanted removed; the store commits. A step that fails undoes those before it. */
#ifndef WEIR_CORE_ENGINE_H
#define WEIR_CORE_ENGINE_H

#include "core/firewall.h"
#include "core/link.h"
#include "core/ruleset.h"

/* What an engine works with. Filled by the caller; everything outlives the calls. */
struct weir_engine {
	const char *state_dir;
	const char *holder;  /* for the lock: "weir apply" */
	unsigned timeout_ms; /* for the lock */
	int (*compile)(const struct weir_model *model, struct weir_ruleset *ret,
		       struct weir_err *err);
	/* The policies' part of the ruleset (CLASS, MEMBER, PAIR, HOST_PAIR, CELL), appended, of a model that
	 * holds everybody, without ports. compile adds the same where its model has policies. NULL: none. */
	int (*compile_policies)(const struct weir_model *everybody, struct weir_ruleset *ret,
				struct weir_err *err);
	/* Would this connection be refused if it came now? `everybody` as above, a const struct weir_model *.
	 * NULL: nobody can tell, and what only closes cuts nothing. */
	bool (*refuses)(const void *everybody, const struct weir_connection *conn);
	const struct weir_firewall_ops *firewall;
	/* Called when the store has told which backend this host's rules are in ("": none yet), before
	 * `firewall` is looked at, which it may fill; NULL: that is chosen already. */
	int (*choose)(void *ctx, const char *stored, struct weir_err *err);
	void *choose_ctx;
	/* All that there are, NULL at the end: where a move that was killed may have left rules; or NULL. */
	const struct weir_firewall_ops *const *firewalls;
	const struct weir_link_ops *links;
	/* repair: what weir has recorded of forwarding is the host's own from now on: nothing is put back when
	 * no network needs it any more, and what is forwarded for others is not dropped. */
	bool keep_forwarding;
	const struct weir_trace *trace; /* or NULL */
	/* Long work tells how far it is; NULL: nobody listens. */
	void (*progress)(void *ctx, const char *what, size_t done, size_t total);
	void *progress_ctx;
};

enum weir_op_kind {
	WEIR_PUT_NETWORK, /* make, or change to be so */
	WEIR_PUT_ENDPOINT,
	WEIR_REMOVE_NETWORK, /* by name; -ENOENT when absent */
	WEIR_REMOVE_ENDPOINT,
	WEIR_ADD_MAPPING, /* of an endpoint; present already: nothing */
	WEIR_REMOVE_MAPPING,
	WEIR_PUT_POLICY,
	WEIR_REMOVE_POLICY,
	WEIR_NUM_OP_KINDS
};

struct weir_op {
	enum weir_op_kind kind;
	const char *name;		      /* of the network, endpoint or policy */
	const struct weir_network *network;   /* PUT_NETWORK */
	const struct weir_endpoint *endpoint; /* PUT_ENDPOINT */
	const struct weir_mapping *mapping;   /* ADD_, REMOVE_MAPPING */
	const struct weir_policy *policy;     /* PUT_POLICY: sorted */
	bool add;	     /* PUT: it must not be there in another form: -EEXIST */
	bool absent_is_fine; /* REMOVE_ */
	bool though_named; /* REMOVE_ENDPOINT: even if a policy names it, which then picks nobody there */
};

/* Ops in any order; the engine takes removals of endpoints first, then networks, then endpoints, then
 * policies. What a policy names must be there when all is done. */
struct weir_change {
	struct weir_op *ops;
	size_t n_ops;
	bool converge; /* compare everything with the kernel and mend it first, however fresh it looks */
	bool prune;		       /* also remove every declared object that no PUT names */
	const struct weir_pool *pools; /* replaces the store's when n_pools > 0 */
	size_t n_pools;
	const struct weir_edit *edit; /* instead of ops; or NULL */
};

/* A change of one object, told by what differs from what is there: under the lock `fn` is given a
 * model that holds it, and what fn makes of it is put. */
struct weir_edit {
	const char *network, *endpoint; /* the name of one of them */
	int (*fn)(void *ctx, struct weir_model *model, struct weir_err *err);
	void *ctx;
};

enum weir_action { WEIR_ACTION_ADD, WEIR_ACTION_CHANGE, WEIR_ACTION_REMOVE, WEIR_NUM_ACTIONS };

struct weir_step {
	enum weir_action action;
	const char *object; /* "network", "endpoint", "mapping", "policy", "rule", "interface", … */
	const char *name;
	const char *detail; /* in words, may be empty */
	struct weir_place origin;
};

/* What a change does, or did. */
struct weir_plan {
	struct weir_arena arena;
	struct weir_step *steps;
	size_t n_steps;
	struct weir_step *drift; /* what the kernel had lost, or had too much */
	size_t n_drift;
	struct weir_step
		*warnings; /* what is done, and may not be what is meant; action says nothing */
	size_t n_warnings;
	size_t n_unmended; /* of the warnings: objects that stay as they are, though the rest was mended */
	struct weir_model after; /* the objects that were made or changed, with what was chosen */
};
void weir_plan_free(struct weir_plan *plan);
#define WEIR_CLEAN_PLAN __attribute__((cleanup(weir_plan_free)))

/* Carries the change through; with dry_run only says what it would do (and has the kernel validate
 * the firewall's part), leaving everything as it is.
 * -EINVAL, -EEXIST, -ENOENT, -EBUSY, -ENOSPC with the place to blame; -ETIMEDOUT: the lock;
 * -EPERM, -EOPNOTSUPP: this host cannot. The host is as before on any error; where undoing failed as
 * well, the text says so and the next command converges. */
int weir_engine_change(const struct weir_engine *engine, const struct weir_change *change,
		       bool dry_run, struct weir_plan *ret, struct weir_err *err);

/* Makes the kernel what the store says, whatever it is now. Endpoints whose foreign namespace is gone
 * are dropped from the store. ret->drift tells what was mended (dry_run: is to be mended); a network or
 * endpoint that cannot be is warned of, and the rest mended. */
int weir_engine_repair(const struct weir_engine *engine, bool dry_run, struct weir_plan *ret,
		       struct weir_err *err);

/* The same, to be the first in a new boot: endpoints that were made at run time in an earlier one, and not
 * declared by a spec, are dropped instead of made anew. */
int weir_engine_restore(const struct weir_engine *engine, bool dry_run, struct weir_plan *ret,
			struct weir_err *err);

/* Moves everything from the packet filter in charge (engine->choose) to another one, which is in charge
 * from then on. The old rules go when the new ones are in force; what is established goes on. In charge
 * already: nothing. On any error the old one is in charge, with all its rules. */
int weir_engine_move(const struct weir_engine *engine, const struct weir_firewall_ops *to,
		     bool dry_run, struct weir_plan *ret, struct weir_err *err);

struct weir_stored_sysctl;
/* The GUARD entries of a host on which weir has changed these sysctls. */
int weir_engine_guards(const struct weir_stored_sysctl *sysctls, size_t n,
		       struct weir_ruleset *rules, struct weir_err *err);

/* Removes every object, every rule, restores every sysctl, and removes the state folder. */
int weir_engine_delete_all(const struct weir_engine *engine, bool dry_run, struct weir_plan *ret,
			   struct weir_err *err);

#endif
