/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules of policies say: the entries that they stand for. */
#include "backends/iptables/policies.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

/* Goes behind the word when the text begins with it. */
static bool take_word(const char **text, const char *word)
{
	size_t len = strlen(word);
	if (strncmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

/* As weir writes it: 16 small digits. */
static bool take_number(const char **text, uint64_t *ret)
{
	char again[17];
	uint64_t number = strtoull(*text, NULL, 16);
	(void)snprintf(again, sizeof(again), "%016" PRIx64, number);
	if (!take_word(text, again))
		return false;
	*ret = number;
	return true;
}

/* "WEIR-L-0123456789abcdef" */
static bool read_chain_number(const char *chain, const char *prefix, uint64_t *ret)
{
	return chain && take_word(&chain, prefix) && take_number(&chain, ret) && !*chain;
}

/* ---- senders and receivers ---- */

static bool read_side(const char **comment, struct weir_entry *e)
{
	if (take_word(comment, WEIR_IPT_SAYS_OUTSIDE " "))
		e->flags = WEIR_OUTSIDE;
	else if (!take_word(comment, WEIR_IPT_SAYS_ENDPOINT " "))
		return false;
	return true;
}

static void set_prefix(struct weir_entry *e, const struct weir_prefix *prefix,
		       enum weir_family family)
{
	e->addr = prefix->addr;
	e->prefix_len = prefix->len;
	e->addr.family = (uint8_t)family; /* a prefix of every address asks for none */
}

/* "endpoint api" */
static bool read_member(enum weir_family family, const struct weir_ipt_rule *rule,
			struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_MEMBER;
	set_prefix(e, &rule->src, family);
	return e->owner && read_side(&e->owner, e);
}

/* "endpoint 0123456789abcdef pg" */
static bool read_pair(enum weir_family family, const struct weir_ipt_rule *rule,
		      struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_PAIR;
	set_prefix(e, &rule->dst, family);
	return read_side(&e->owner, e) && take_number(&e->owner, &e->class) &&
	       take_word(&e->owner, " ");
}

/* "host api" */
static bool read_host_pair(const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	bool from_host = weir_addr_is_set(&rule->dst.addr);
	if (!take_word(&e->owner, WEIR_IPT_SAYS_HOST " "))
		return false;
	e->kind = WEIR_ENTRY_HOST_PAIR;
	e->flags = from_host ? WEIR_FROM_HOST_PAIR : 0;
	e->addr = from_host ? rule->dst.addr : rule->src.addr;
	if (weir_addr_is_link_local(&e->addr))
		memcpy(e->ifname, from_host ? rule->out : rule->in, sizeof(e->ifname));
	return true;
}

static bool read_goto(const struct weir_ipt_place *place, const char *chain,
		      const struct weir_ipt_rule *rule, struct weir_entry *e)
{
	if (read_chain_number(rule->target, WEIR_IPT_LIST, &e->list))
		return read_host_pair(rule, e) || read_pair(place->family, rule, e);
	if (!read_chain_number(rule->target, WEIR_IPT_CLASS, &e->class))
		return false;
	if (strcmp(chain, WEIR_IPT_CLASSES) != 0)
		return read_member(place->family, rule, e);
	e->kind = WEIR_ENTRY_CLASS;
	e->family = WEIR_NO_FAMILY;
	return place == &weir_ipt_places[WEIR_IPT_HOME];
}

/* ---- lines ---- */

static bool read_l4(const struct weir_ipt_rule *rule, uint8_t *ret)
{
	for (enum weir_l4 l4 = WEIR_L4_ANY; l4 < WEIR_NUM_L4S; l4++) {
		if (weir_ipt_l4_proto(l4) != rule->proto)
			continue;
		*ret = (uint8_t)l4;
		return true;
	}
	return false;
}

static bool read_verdict(const struct weir_ipt_rule *rule, uint8_t *ret)
{
	for (enum weir_cell_verdict verdict = 0; verdict < WEIR_NUM_CELL_VERDICTS; verdict++) {
		const char *target;
		if (weir_ipt_cell_verdict(verdict, &target) != rule->verdict ||
		    (target && strcmp(target, rule->target) != 0))
			continue;
		*ret = (uint8_t)verdict;
		return true;
	}
	return false;
}

/* "types 3-4 " */
static struct weir_ports read_types(const char **comment, const struct weir_ipt_rule *rule)
{
	struct weir_ports types = { rule->icmp_type, rule->icmp_type };
	unsigned lo, hi;
	int len = 0;
	if (!rule->by_type)
		return (struct weir_ports){ 0, WEIR_ICMP_TYPE_MAX };
	if (sscanf(*comment, "types %3u-%3u %n", &lo, &hi, &len) == 2 && len) {
		types = (struct weir_ports){ (uint16_t)lo, (uint16_t)hi };
		*comment += len;
	}
	return types;
}

static struct weir_ports read_ports(const char **comment, const struct weir_ipt_rule *rule,
				    uint8_t l4)
{
	if (l4 == WEIR_L4_ANY)
		return (struct weir_ports){ 0, 0 };
	if (l4 == WEIR_L4_ICMP || l4 == WEIR_L4_ICMPV6)
		return read_types(comment, rule);
	return rule->ports.lo || rule->from_zero ? rule->ports
						 : (struct weir_ports){ 0, WEIR_PORT_MAX };
}

static bool read_cell(const struct weir_ipt_place *place, const struct weir_ipt_rule *rule,
		      struct weir_entry *e)
{
	e->kind = WEIR_ENTRY_CELL;
	e->family = WEIR_NO_FAMILY;
	e->log = take_word(&e->owner, WEIR_IPT_LOGGED)		   ? WEIR_LOG_NFLOG
		 : take_word(&e->owner, WEIR_IPT_LOGGED_BY_KERNEL) ? WEIR_LOG_KERNEL
								   : WEIR_LOG_NONE;
	if (!read_l4(rule, &e->l4) || !read_verdict(rule, &e->verdict))
		return false;
	e->ports = read_ports(&e->owner, rule, e->l4);
	return take_word(&e->owner, WEIR_IPT_POLICY) &&
	       (place == &weir_ipt_places[WEIR_IPT_HOME] || e->l4 == WEIR_L4_ICMPV6);
}

bool weir_ipt_read_policy(const struct weir_ipt_place *place, const char *chain,
			  const struct weir_ipt_rule *rule, struct weir_entry *ret)
{
	struct weir_entry e = { .family = place->family,
				.owner = rule->comment ? rule->comment : "" };
	bool line = read_chain_number(chain, WEIR_IPT_LIST, &e.list);
	if (line ? !read_cell(place, rule, &e)
		 : rule->verdict != WEIR_IPT_GOTO || !read_goto(place, chain, rule, &e))
		return false;
	*ret = e;
	return true;
}

const char *weir_ipt_read_policy_name(const char *chain, const struct weir_ipt_rule *rule)
{
	const char *comment = rule->comment;
	uint64_t list;
	if (!comment || !read_chain_number(chain, WEIR_IPT_LIST, &list))
		return NULL;
	if (!take_word(&comment, WEIR_IPT_ALSO) && !take_word(&comment, WEIR_IPT_LOGGED))
		(void)take_word(&comment, WEIR_IPT_LOGGED_BY_KERNEL);
	(void)read_types(&comment, rule);
	return take_word(&comment, WEIR_IPT_POLICY) ? comment : NULL;
}
