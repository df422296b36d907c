/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of policies, every kind and every form of it, for tests of what holds rulesets. */
#ifndef WEIR_UNIT_POLICY_SAMPLE_H
#define WEIR_UNIT_POLICY_SAMPLE_H

#include "vmtests/unit/cm.h"

#include "core/ruleset.h"

#define SAMPLE_CLASS UINT64_C(0x0123456789abcdef)
#define SAMPLE_OUTSIDE_CLASS UINT64_C(0xfedcba9876543210)

static inline void sample_put(struct weir_ruleset *to, struct weir_entry entry)
{
	assert_int_equal(weir_ruleset_add(to, &entry, NULL), 0);
}

static inline struct weir_entry sample_cell(enum weir_l4 l4, unsigned lo, unsigned hi,
					    enum weir_cell_verdict verdict,
					    enum weir_policy_log log, const char *owner)
{
	return (struct weir_entry){ .kind = WEIR_ENTRY_CELL,
				    .l4 = (uint8_t)l4,
				    .ports = { (uint16_t)lo, (uint16_t)hi },
				    .verdict = (uint8_t)verdict,
				    .log = (uint8_t)log,
				    .owner = owner };
}

/* Cells in key order; returns the list's name. */
static inline uint64_t sample_list(struct weir_ruleset *to, struct weir_entry *cells, size_t n)
{
	uint64_t id = weir_list_id(cells, n);
	for (size_t i = 0; i < n; i++) {
		cells[i].list = id;
		sample_put(to, cells[i]);
	}
	return id;
}

static inline void sample_peer(struct weir_ruleset *to, enum weir_entry_kind kind, unsigned flags,
			       const char *text, uint64_t class, uint64_t list, const char *owner)
{
	struct weir_prefix prefix;
	assert_int_equal(weir_prefix_parse(text, &prefix, NULL), 0);
	sample_put(to,
		   (struct weir_entry){ .kind = kind,
					.family = prefix.addr.family,
					.addr = prefix.addr,
					.prefix_len = kind == WEIR_ENTRY_HOST_PAIR ? 0 : prefix.len,
					.flags = (uint8_t)flags,
					.class = class,
					.list = list,
					.owner = owner });
}

static inline void sample_link(struct weir_ruleset *to, unsigned flags, const char *ifname,
			       uint64_t list)
{
	const struct weir_mac mac = { { 2, 0, 0, 0, 0x88, 0x10 } };
	struct weir_entry entry = { .kind = WEIR_ENTRY_HOST_PAIR,
				    .family = WEIR_IPV6,
				    .addr = weir_link_local(&mac),
				    .flags = (uint8_t)flags,
				    .list = list,
				    .owner = "nginx" };

	(void)snprintf(entry.ifname, sizeof(entry.ifname), "%s", ifname);
	sample_put(to, entry);
}

/* Every protocol, every verdict, each log; CONTINUE where everything else is refused. */
static inline uint64_t sample_long_list(struct weir_ruleset *to)
{
	struct weir_entry cells[] = {
		sample_cell(WEIR_L4_TCP, 22, 22, WEIR_CELL_CONTINUE, WEIR_LOG_NONE, ""),
		sample_cell(WEIR_L4_TCP, 80, 80, WEIR_CELL_ACCEPT, WEIR_LOG_NONE, "web"),
		sample_cell(WEIR_L4_TCP, 8000, 8010, WEIR_CELL_ACCEPT_EGRESS, WEIR_LOG_NFLOG,
			    "web-out"),
		sample_cell(WEIR_L4_UDP, 0, 1023, WEIR_CELL_ACCEPT_INGRESS, WEIR_LOG_KERNEL,
			    "web-in"),
		sample_cell(WEIR_L4_UDP, 1024, 65535, WEIR_CELL_DROP, WEIR_LOG_NONE, "no-udp"),
		sample_cell(WEIR_L4_SCTP, 0, 65535, WEIR_CELL_DROP, WEIR_LOG_NFLOG, "no-sctp"),
		sample_cell(WEIR_L4_ICMP, 0, 7, WEIR_CELL_REJECT, WEIR_LOG_NONE, "no-icmp"),
		sample_cell(WEIR_L4_ICMP, 8, 8, WEIR_CELL_ACCEPT, WEIR_LOG_NONE, "ping"),
		sample_cell(WEIR_L4_ANY, 0, 0, WEIR_CELL_REJECT, WEIR_LOG_NFLOG, "nothing-else"),
	};
	return sample_list(to, cells, sizeof(cells) / sizeof(cells[0]));
}

static inline uint64_t sample_six_list(struct weir_ruleset *to)
{
	struct weir_entry cells[] = {
		sample_cell(WEIR_L4_TCP, 0, 65535, WEIR_CELL_REJECT, WEIR_LOG_KERNEL, "no-tcp"),
		sample_cell(WEIR_L4_ICMPV6, 0, 255, WEIR_CELL_ACCEPT, WEIR_LOG_NONE, "ping"),
		sample_cell(WEIR_L4_ANY, 0, 0, WEIR_CELL_DROP, WEIR_LOG_NONE, "nothing-else"),
	};
	return sample_list(to, cells, sizeof(cells) / sizeof(cells[0]));
}

static inline uint64_t sample_short_list(struct weir_ruleset *to, const char *owner)
{
	struct weir_entry cells[] = {
		sample_cell(WEIR_L4_TCP, 5432, 5432, WEIR_CELL_ACCEPT, WEIR_LOG_NONE, owner),
	};
	return sample_list(to, cells, 1);
}

/* `owner` names the one policy of a list of its own, so that two samples can differ in it. */
static inline void sample_policies(struct weir_ruleset *to, const char *owner)
{
	uint64_t many = sample_long_list(to), six = sample_six_list(to);
	uint64_t one = sample_short_list(to, owner);

	sample_put(to, (struct weir_entry){ .kind = WEIR_ENTRY_CLASS,
					    .class = SAMPLE_CLASS,
					    .owner = "web, web-out, ping" });
	sample_put(to, (struct weir_entry){ .kind = WEIR_ENTRY_CLASS,
					    .class = SAMPLE_OUTSIDE_CLASS,
					    .owner = "web" });
	sample_peer(to, WEIR_ENTRY_MEMBER, 0, "10.88.1.2/32", SAMPLE_CLASS, 0, "nginx");
	sample_peer(to, WEIR_ENTRY_MEMBER, 0, "fd00:88:1::2/128", SAMPLE_CLASS, 0, "nginx");
	sample_peer(to, WEIR_ENTRY_MEMBER, WEIR_OUTSIDE, "0.0.0.0/1", SAMPLE_OUTSIDE_CLASS, 0,
		    "outside");
	sample_peer(to, WEIR_ENTRY_MEMBER, WEIR_OUTSIDE, "128.0.0.0/1", SAMPLE_CLASS, 0, "outside");
	sample_peer(to, WEIR_ENTRY_MEMBER, WEIR_OUTSIDE, "::/0", SAMPLE_OUTSIDE_CLASS, 0,
		    "outside");
	sample_peer(to, WEIR_ENTRY_PAIR, 0, "10.88.16.2/32", SAMPLE_CLASS, many, "pg");
	sample_peer(to, WEIR_ENTRY_PAIR, 0, "10.88.16.3/32", SAMPLE_CLASS, one, "pg2");
	sample_peer(to, WEIR_ENTRY_PAIR, 0, "fd00:88:2::2/128", SAMPLE_CLASS, six, "pg");
	sample_peer(to, WEIR_ENTRY_PAIR, WEIR_OUTSIDE, "0.0.0.0/0", SAMPLE_CLASS, one, "outside");
	sample_peer(to, WEIR_ENTRY_PAIR, WEIR_OUTSIDE, "2001:db8::/32", SAMPLE_CLASS, six,
		    "outside");
	sample_peer(to, WEIR_ENTRY_PAIR, 0, "10.88.1.2/32", SAMPLE_OUTSIDE_CLASS, one, "nginx");
	sample_peer(to, WEIR_ENTRY_HOST_PAIR, 0, "10.88.1.2/32", 0, one, "nginx");
	sample_peer(to, WEIR_ENTRY_HOST_PAIR, WEIR_FROM_HOST_PAIR, "10.88.1.2/32", 0, one, "nginx");
	sample_peer(to, WEIR_ENTRY_HOST_PAIR, WEIR_FROM_HOST_PAIR, "fd00:88:1::2/128", 0, six,
		    "nginx");
	sample_link(to, 0, "wb-web", one);
	sample_link(to, WEIR_FROM_HOST_PAIR, "wb-web", six);
	sample_link(to, WEIR_FROM_HOST_PAIR, "wb-x", one); /* the same MAC in another network */
}

#endif
