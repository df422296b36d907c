/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet filter and a network that live in memory: the contracts of core/firewall.h and
 * core/link.h without a kernel, with faults on demand.
 *
 * What the handles work on is one "kernel" for the whole process. As a kernel does, it survives
 * close() and open(); weir_memory_reset() boots it anew. */
#ifndef WEIR_BACKENDS_MEMORY_H
#define WEIR_BACKENDS_MEMORY_H

#include <stdio.h>

#include "core/firewall.h"
#include "core/link.h"

extern const struct weir_firewall_ops weir_memory_firewall;
extern const struct weir_firewall_ops weir_memory_other; /* beside it, with a kernel of its own */
extern const struct weir_link_ops weir_memory_links;

/* Nothing there, no faults, no calls counted. */
void weir_memory_reset(void);
/* All that is there, in words, the same text for the same state: rules, epoch counters apart. */
void weir_memory_print(FILE *out);

/* ---- faults ----
 * Every contract call that may fail is counted, over both tables; one that is made to fail does
 * nothing first. */

/* The n-th call from now fails with errno value `code`; n == 0: none. Counting starts again. */
void weir_memory_fail_at(unsigned n, int code);
/* The same, and so do all calls after it: what the kernel then holds is what a killed process leaves. */
void weir_memory_fail_from(unsigned n, int code);
/* Calls since the last weir_memory_fail_at() or weir_memory_reset(). */
unsigned weir_memory_calls(void);
/* The next n commits find that somebody else has committed just before. */
void weir_memory_race(unsigned n);

/* ---- what others do to the filter; each is a commit of theirs ---- */

enum weir_memory_damage {
	WEIR_MEMORY_OTHER,    /* somebody commits something of their own */
	WEIR_MEMORY_FLUSHED,  /* the whole table is gone */
	WEIR_MEMORY_EMPTIED,  /* all entries are gone, chains and rules stand */
	WEIR_MEMORY_BROKEN,   /* a rule of ours is gone */
	WEIR_MEMORY_NO_EPOCH, /* the epoch cannot be read any more */
	WEIR_MEMORY_NUM_DAMAGES
};
void weir_memory_damage(enum weir_memory_damage damage);
/* Deletes the i-th entry; false when there is none. */
bool weir_memory_drop_entry(size_t i);
/* What stands in the filter; valid until the next change. */
const struct weir_ruleset *weir_memory_rules(void);
const struct weir_ruleset *weir_memory_other_rules(void); /* of the other one */
/* A connection for forget() to find; every field set, ports.lo == ports.hi. -ENOMEM. */
int weir_memory_add_flow(const struct weir_flow_match *flow);
size_t weir_memory_flows(void);

/* ---- what others do to links ---- */

/* An interface of somebody else: of another store, or with store NULL without an alias. -ENOMEM. */
int weir_memory_add_link(const char *ifname, const char *store);
/* The interface vanishes, or is configured otherwise; false when there is none. */
bool weir_memory_drop_link(const char *ifname);
bool weir_memory_spoil_link(const char *ifname);
/* A namespace of somebody else, e.g. "/run/netns/pod1". -ENOMEM. */
int weir_memory_add_netns(const char *path);
/* A namespace vanishes with what is in it; false when there is none. */
bool weir_memory_drop_netns(const char *path);
int weir_memory_add_route(const struct weir_host_route *route);
int weir_memory_add_socket(const struct weir_host_socket *sock);
/* With accept_ra 1 and forwarding 0. -ENOMEM. */
int weir_memory_add_uplink(const char *ifname);
/* Makes or changes a sysctl. A new kernel has those of forwarding, 0. -ENOMEM. */
int weir_memory_set_sysctl(const char *key, long value);

/* ---- for the tables themselves ---- */

/* Counts a call; 0, or the fault that was asked for, with `what` before its words. */
int weir_memory_step(const char *what, struct weir_err *err);
/* True as often as weir_memory_race() asked for. */
bool weir_memory_lose_race(void);
void weir_memory_reset_firewall(void);
void weir_memory_reset_links(void);
void weir_memory_print_firewall(FILE *out);
void weir_memory_print_links(FILE *out);

#endif
