/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The floor's rules in legacy iptables: one commit of nat and one of filter, by libip4tc, under the lock.
 * ci/bench has made chains FLOOR-EPOCH and FLOOR-SRC in filter, FLOOR-TCP and FLOOR-HAIRPIN in nat.
 *
 * The rules are appended, and taken from the end: a list, where weir keeps a tree in order. */
#include <libiptc/libiptc.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_tcpudp.h>

#include "floor.h"

static struct {
	struct ipt_entry entry;
	uint8_t room[640];
} rule;

static void start_rule(void)
{
	memset(&rule, 0, sizeof(rule));
	rule.entry.target_offset = rule.entry.next_offset = sizeof(rule.entry);
}

static void set_source(uint32_t addr_be)
{
	rule.entry.ip.src.s_addr = addr_be;
	rule.entry.ip.smsk.s_addr = 0xffffffff;
}

/* A match or, being last, the target; returns its data. */
static void *put_part(const char *name, uint8_t revision, size_t size, bool target)
{
	struct xt_entry_match *part = (void *)((uint8_t *)&rule + rule.entry.next_offset);
	part->u.match_size = (uint16_t)(XT_ALIGN(sizeof(*part) + size));
	part->u.user.revision = revision;
	(void)strncpy(part->u.user.name, name, sizeof(part->u.user.name) - 1);
	rule.entry.next_offset = (uint16_t)(rule.entry.next_offset + part->u.match_size);
	if (!target)
		rule.entry.target_offset = rule.entry.next_offset;
	return part->data;
}

static void put_comment(const char *text)
{
	struct xt_comment_info *info = put_part("comment", 0, sizeof(*info), false);
	(void)snprintf(info->comment, sizeof(info->comment), "%s", text);
}

static void append(struct xtc_handle *table, const char *name)
{
	char chain[32] = "";
	(void)snprintf(chain, sizeof(chain), "%s", name);
	if (!iptc_append_entry(chain, &rule.entry, table))
		err(1, "%s", name);
}

/* -p tcp --dport PORT -j DNAT --to-destination ADDRESS:80 */
static void append_mapping(struct xtc_handle *table, const struct job *job, unsigned port)
{
	start_rule();
	rule.entry.ip.proto = IPPROTO_TCP;
	struct xt_tcp *tcp = put_part("tcp", 0, sizeof(*tcp), false);
	tcp->spts[1] = 0xffff;
	tcp->dpts[0] = tcp->dpts[1] = (uint16_t)port;
	struct nf_nat_range2 *range = put_part("DNAT", 2, sizeof(*range), true);
	range->flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED;
	range->min_addr.ip = range->max_addr.ip = job->addr_be;
	range->min_proto.tcp.port = range->max_proto.tcp.port = htons(80);
	append(table, "FLOOR-TCP");
}

/* -s ADDRESS -j MASQUERADE */
static void append_hairpin(struct xtc_handle *table, const struct job *job)
{
	start_rule();
	set_source(job->addr_be);
	struct nf_nat_ipv4_multi_range_compat *range =
		put_part("MASQUERADE", 0, sizeof(*range), true);
	range->rangesize = 1;
	append(table, "FLOOR-HAIRPIN");
}

/* -s ADDRESS -i br-floor -j RETURN, with the endpoint's name */
static void append_source(struct xtc_handle *table, const struct job *job)
{
	start_rule();
	set_source(job->addr_be);
	(void)snprintf(rule.entry.ip.iniface, sizeof(rule.entry.ip.iniface), "br-floor");
	memset(rule.entry.ip.iniface_mask, 0xff, sizeof("br-floor"));
	put_comment(job->name);
	(void)put_part("RETURN", 0, sizeof(int), true);
	append(table, "FLOOR-SRC");
}

/* -j RETURN in FLOOR-EPOCH, with NUMBER */
static void append_epoch(struct xtc_handle *table, const struct job *job)
{
	char text[128];
	(void)snprintf(
		text, sizeof(text),
		"00000000-0000-0000-0000-000000000000 00000000-0000-0000-0000-000000000000 %u",
		job->number);
	start_rule();
	put_comment(text);
	(void)put_part("RETURN", 0, sizeof(int), true);
	append(table, "FLOOR-EPOCH");
}

static struct xtc_handle *open_table(const char *name)
{
	struct xtc_handle *table = iptc_init(name);
	if (!table)
		errx(1, "%s: %s", name, iptc_strerror(errno));
	return table;
}

static void commit(struct xtc_handle *table)
{
	if (!iptc_commit(table))
		errx(1, "commit: %s", iptc_strerror(errno));
	iptc_free(table);
}

static void delete_last(struct xtc_handle *table, const char *name, unsigned n)
{
	char chain[32] = "";
	unsigned len = 0;
	(void)snprintf(chain, sizeof(chain), "%s", name);
	for (const struct ipt_entry *e = iptc_first_rule(chain, table); e;
	     e = iptc_next_rule(e, table))
		len++;
	while (n-- > 0)
		if (!iptc_delete_num_entry(chain, --len, table))
			err(1, "%s", name);
}

static void change_nat(const struct job *job, bool add)
{
	struct xtc_handle *nat = open_table("nat");
	if (add) {
		for (unsigned i = 0; i < job->count; i++)
			append_mapping(nat, job, job->port + i);
		append_hairpin(nat, job);
	} else {
		delete_last(nat, "FLOOR-TCP", job->count);
		delete_last(nat, "FLOOR-HAIRPIN", 1);
	}
	commit(nat);
}

static void change_filter(const struct job *job, bool add)
{
	struct xtc_handle *filter = open_table("filter");
	char epoch[32] = "FLOOR-EPOCH";
	if (!iptc_flush_entries(epoch, filter))
		err(1, "FLOOR-EPOCH");
	append_epoch(filter, job);
	if (add)
		append_source(filter, job);
	else
		delete_last(filter, "FLOOR-SRC", 1);
	commit(filter);
}

void floor_rules(const struct job *job, bool add)
{
	int lock = open("/run/xtables.lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		err(1, "/run/xtables.lock");
	if (!add)
		change_filter(job, add);
	change_nat(job, add);
	if (add)
		change_filter(job, add);
	(void)close(lock);
}
