/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule's comparison and its line as iptables writes it. */
#include "backends/iptables/rule.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "backends/iptables/words.h"

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool prefix_equal(const struct weir_prefix *a, const struct weir_prefix *b)
{
	return a->len == b->len && weir_addr_cmp(&a->addr, &b->addr) == 0;
}

static bool ports_equal(struct weir_ports a, struct weir_ports b)
{
	return a.lo == b.lo && a.hi == b.hi;
}

static bool conntrack_equal(const struct weir_ipt_rule *a, const struct weir_ipt_rule *b)
{
	return a->states == b->states && a->not_states == b->not_states &&
	       a->direction == b->direction && a->not_expected == b->not_expected &&
	       prefix_equal(&a->orig_dst, &b->orig_dst);
}

static bool target_equal(const struct weir_ipt_rule *a, const struct weir_ipt_rule *b)
{
	return a->verdict == b->verdict && text_equal(a->target, b->target) &&
	       text_equal(a->prefix, b->prefix) && weir_addr_cmp(&a->to, &b->to) == 0 &&
	       ports_equal(a->to_ports, b->to_ports) && a->base_port == b->base_port &&
	       a->random == b->random;
}

static bool service_equal(const struct weir_ipt_rule *a, const struct weir_ipt_rule *b)
{
	return a->proto == b->proto && ports_equal(a->ports, b->ports) &&
	       a->from_zero == b->from_zero && a->by_type == b->by_type &&
	       a->icmp_type == b->icmp_type && a->not_syn == b->not_syn;
}

bool weir_ipt_rule_equal(const struct weir_ipt_rule *a, const struct weir_ipt_rule *b)
{
	if (a->raw || b->raw)
		return a->raw && b->raw && a->raw_len == b->raw_len &&
		       memcmp(a->raw, b->raw, a->raw_len) == 0;
	return service_equal(a, b) && target_equal(a, b) && strcmp(a->in, b->in) == 0 &&
	       strcmp(a->out, b->out) == 0 && a->not_in == b->not_in && a->local == b->local &&
	       a->not_local_here == b->not_local_here && a->limited == b->limited &&
	       prefix_equal(&a->src, &b->src) && prefix_equal(&a->dst, &b->dst) &&
	       conntrack_equal(a, b) && text_equal(a->comment, b->comment);
}

void weir_ipt_say_quoted(const char *text, FILE *out)
{
	fputs("\"", out);
	for (const char *c = text; *c; c++)
		fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	fputs("\"", out);
}

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "ipv6-icmp";
	default:
		return NULL;
	}
}

static void say_header(const struct weir_ipt_rule *rule, FILE *out)
{
	char text[WEIR_PREFIX_TEXT];
	if (weir_addr_is_set(&rule->src.addr))
		fprintf(out, " -s %s", weir_prefix_text(&rule->src, text));
	if (weir_addr_is_set(&rule->dst.addr))
		fprintf(out, " -d %s", weir_prefix_text(&rule->dst, text));
	if (rule->in[0])
		fprintf(out, "%s -i %s", rule->not_in ? " !" : "", rule->in);
	if (rule->out[0])
		fprintf(out, " -o %s", rule->out);
	if (rule->proto && proto_name(rule->proto))
		fprintf(out, " -p %s", proto_name(rule->proto));
	else if (rule->proto)
		fprintf(out, " -p %u", rule->proto);
}

static void say_matches(const struct weir_ipt_rule *rule, FILE *out)
{
	for (size_t i = 0; i < weir_ipt_n_matches; i++) {
		const struct weir_ipt_word *match = &weir_ipt_matches[i];
		if (!match->wanted(rule))
			continue;
		fprintf(out, " -m %s", match->name);
		match->text(rule, out);
	}
}

static void say_target(const struct weir_ipt_rule *rule, FILE *out)
{
	static const char *const verdicts[WEIR_NUM_IPT_VERDICTS] = {
		[WEIR_IPT_ACCEPT] = "ACCEPT",
		[WEIR_IPT_DROP] = "DROP",
		[WEIR_IPT_RETURN] = "RETURN",
	};
	if (verdicts[rule->verdict])
		fprintf(out, " -j %s", verdicts[rule->verdict]);
	else if (rule->target)
		fprintf(out, " %s %s", rule->verdict == WEIR_IPT_GOTO ? "-g" : "-j", rule->target);
	for (size_t i = 0; i < weir_ipt_n_targets; i++) {
		const struct weir_ipt_word *target = &weir_ipt_targets[i];
		if (rule->verdict != target->verdict ||
		    (target->family &&
		     target->family != (rule->to.family ? rule->to.family : WEIR_IPV4)))
			continue;
		fprintf(out, " -j %s", target->name);
		target->text(rule, out);
	}
}

const char *weir_ipt_rule_text(const struct weir_ipt_rule *rule, char buf[WEIR_IPT_RULE_TEXT])
{
	FILE *out;

	(void)snprintf(buf, WEIR_IPT_RULE_TEXT, "%s", "something that weir does not write");
	out = rule->raw ? NULL : fmemopen(buf, WEIR_IPT_RULE_TEXT, "w");
	if (!out)
		return buf;
	say_header(rule, out);
	say_matches(rule, out);
	say_target(rule, out);
	(void)fclose(out);		    /* a text that is too long is cut: only messages are */
	memmove(buf, buf + 1, strlen(buf)); /* each part begins with a space */
	return buf;
}
