/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset's text, an entry in a line. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/ruleset.h"

static void print_network(const struct weir_entry *e, char *buf)
{
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "network %s%s%s%s%s%s", e->ifname,
		       e->from_ifname[0] ? " of " : "", e->from_ifname,
		       e->flags & WEIR_CLOSED ? " closed" : "",
		       e->flags & WEIR_ISOLATED ? " isolated" : "",
		       e->flags & WEIR_HOST_DENY ? " host-deny" : "");
	static const struct {
		uint8_t flag;
		const char *word;
	} policies[] = { { WEIR_FILTERED, " filtered" },
			 { WEIR_EGRESS_DENY, " egress-deny" },
			 { WEIR_INGRESS_DENY, " ingress-deny" },
			 { WEIR_INGRESS_ALLOW, " ingress-allow" } };
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (e->flags & policies[i].flag)
			(void)snprintf(buf + strlen(buf), WEIR_ENTRY_TEXT - strlen(buf), "%s",
				       policies[i].word);
}

static void print_subnet(const struct weir_entry *e, char *buf)
{
	struct weir_prefix prefix = { .addr = e->addr, .len = e->prefix_len };
	char text[WEIR_PREFIX_TEXT], to[WEIR_ADDR_TEXT];

	(void)snprintf(buf, WEIR_ENTRY_TEXT, "subnet %s on %s nat %s%s",
		       weir_prefix_text(&prefix, text), e->ifname,
		       e->nat == WEIR_NAT_MASQUERADE ? "masquerade"
		       : e->nat == WEIR_NAT_ADDRESS  ? weir_addr_text(&e->to, to)
						     : "none",
		       e->flags & WEIR_NAT_RANDOM ? " random" : "");
}

static void print_gateway(const struct weir_entry *e, char *buf)
{
	char addr[WEIR_ADDR_TEXT];
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "gateway %s on %s", weir_addr_text(&e->addr, addr),
		       e->ifname);
}

static void print_source(const struct weir_entry *e, char *buf)
{
	char addr[WEIR_ADDR_TEXT];
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "source %s on %s", weir_addr_text(&e->addr, addr),
		       e->ifname);
}

static void print_isolated(const struct weir_entry *e, char *buf)
{
	char addr[WEIR_ADDR_TEXT];
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "isolated %s on %s", weir_addr_text(&e->addr, addr),
		       e->ifname);
}

static void print_trusted(const struct weir_entry *e, char *buf)
{
	struct weir_prefix prefix = { .addr = e->addr, .len = e->prefix_len };
	char text[WEIR_PREFIX_TEXT];
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "trusted %s to %s%s%s", e->from_ifname, e->ifname,
		       e->family ? " " : "", e->family ? weir_prefix_text(&prefix, text) : "");
}

static void print_segment(const struct weir_entry *e, char *buf)
{
	struct weir_prefix from = { .addr = e->addr, .len = e->prefix_len };
	struct weir_prefix to = { .addr = e->to, .len = e->to_len };
	char text[WEIR_PREFIX_TEXT], other[WEIR_PREFIX_TEXT];
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "segment %s to %s on %s",
		       weir_prefix_text(&from, text), weir_prefix_text(&to, other), e->ifname);
}

/* IPv6 in brackets, as users write it. */
static const char *host_text(const struct weir_addr *addr, char buf[WEIR_ADDR_TEXT + 2])
{
	char text[WEIR_ADDR_TEXT];
	bool six = addr->family == WEIR_IPV6;

	(void)snprintf(buf, WEIR_ADDR_TEXT + 2, "%s%s%s", six ? "[" : "",
		       weir_addr_text(addr, text), six ? "]" : "");
	return buf;
}

static void print_mapping(const struct weir_entry *e, char *buf)
{
	char host[WEIR_ADDR_TEXT + 2], to[WEIR_ADDR_TEXT + 2], ports[WEIR_PORTS_TEXT];
	char to_ports[WEIR_PORTS_TEXT];
	struct weir_ports target = { e->to_port,
				     (uint16_t)(e->to_port + (e->ports.hi - e->ports.lo)) };

	(void)snprintf(buf, WEIR_ENTRY_TEXT, "mapping %s:%s/%s -> %s:%s",
		       weir_addr_is_set(&e->addr) ? host_text(&e->addr, host) : "any",
		       weir_ports_text(e->ports, ports), weir_proto_name(e->proto),
		       host_text(&e->to, to), weir_ports_text(target, to_ports));
}

static void print_strict(const struct weir_entry *e, char *buf)
{
	char host[WEIR_ADDR_TEXT + 2], ports[WEIR_PORTS_TEXT];
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "strict %s:%s/%s", host_text(&e->addr, host),
		       weir_ports_text(e->ports, ports), weir_proto_name(e->proto));
}

static void print_guard(const struct weir_entry *e, char *buf)
{
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "guard %s", weir_family_name(e->family));
}

static const char *peer_text(const struct weir_entry *e, char buf[WEIR_PREFIX_TEXT])
{
	struct weir_prefix prefix = { .addr = e->addr, .len = e->prefix_len };
	return weir_prefix_text(&prefix, buf);
}

static void print_class(const struct weir_entry *e, char *buf)
{
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "class %016" PRIx64, e->class);
}

static void print_member(const struct weir_entry *e, char *buf)
{
	char text[WEIR_PREFIX_TEXT];
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "member %s%s of class %016" PRIx64,
		       e->flags & WEIR_OUTSIDE ? "outside " : "", peer_text(e, text), e->class);
}

static void print_pair(const struct weir_entry *e, char *buf)
{
	char text[WEIR_PREFIX_TEXT];
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "pair class %016" PRIx64 " to %s%s: list %016" PRIx64,
		       e->class, e->flags & WEIR_OUTSIDE ? "outside " : "", peer_text(e, text),
		       e->list);
}

static void print_host_pair(const struct weir_entry *e, char *buf)
{
	char addr[WEIR_ADDR_TEXT], text[WEIR_ADDR_TEXT + WEIR_IFNAME_SIZE];
	bool from_host = e->flags & WEIR_FROM_HOST_PAIR;
	(void)snprintf(text, sizeof(text), "%s%s%s", weir_addr_text(&e->addr, addr),
		       e->ifname[0] ? "%" : "", e->ifname);
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "pair %s to %s: list %016" PRIx64,
		       from_host ? "host" : text, from_host ? text : "host", e->list);
}

static const char *const cell_verdicts[] = {
	[WEIR_CELL_CONTINUE] = "continue",
	[WEIR_CELL_ACCEPT] = "accept",
	[WEIR_CELL_ACCEPT_EGRESS] = "accept at egress",
	[WEIR_CELL_ACCEPT_INGRESS] = "accept at ingress",
	[WEIR_CELL_DROP] = "drop",
	[WEIR_CELL_REJECT] = "reject",
};
static_assert(sizeof(cell_verdicts) / sizeof(cell_verdicts[0]) == WEIR_NUM_CELL_VERDICTS,
	      "a word for each");

static void print_cell(const struct weir_entry *e, char *buf)
{
	char ports[WEIR_PORTS_TEXT];
	(void)snprintf(buf, WEIR_ENTRY_TEXT, "list %016" PRIx64 " %s%s%s: %s%s%s", e->list,
		       weir_l4_name(e->l4), e->l4 ? " " : "",
		       e->l4 ? weir_ports_text(e->ports, ports) : "", cell_verdicts[e->verdict],
		       e->log ? " log " : "", e->log ? weir_policy_log_name(e->log) : "");
}

static void (*const printers[])(const struct weir_entry *e, char *buf) = {
	[WEIR_ENTRY_NETWORK] = print_network,	[WEIR_ENTRY_SUBNET] = print_subnet,
	[WEIR_ENTRY_GATEWAY] = print_gateway,	[WEIR_ENTRY_SOURCE] = print_source,
	[WEIR_ENTRY_TRUSTED] = print_trusted,	[WEIR_ENTRY_MAPPING] = print_mapping,
	[WEIR_ENTRY_STRICT] = print_strict,	[WEIR_ENTRY_GUARD] = print_guard,
	[WEIR_ENTRY_CLASS] = print_class,	[WEIR_ENTRY_MEMBER] = print_member,
	[WEIR_ENTRY_PAIR] = print_pair,		[WEIR_ENTRY_HOST_PAIR] = print_host_pair,
	[WEIR_ENTRY_CELL] = print_cell,		[WEIR_ENTRY_SEGMENT] = print_segment,
	[WEIR_ENTRY_ISOLATED] = print_isolated,
};
static_assert(sizeof(printers) / sizeof(printers[0]) == WEIR_NUM_ENTRY_KINDS, "a printer for each");

const char *weir_entry_text(const struct weir_entry *entry, char buf[WEIR_ENTRY_TEXT])
{
	assert((unsigned)entry->kind < WEIR_NUM_ENTRY_KINDS);
	printers[entry->kind](entry, buf);
	if (entry->owner && entry->owner[0]) {
		size_t used = strlen(buf);
		(void)snprintf(buf + used, WEIR_ENTRY_TEXT - used, " (%.*s)", WEIR_OWNER_MAX,
			       entry->owner);
	}
	return buf;
}

void weir_ruleset_print(const struct weir_ruleset *rules, FILE *out)
{
	char text[WEIR_ENTRY_TEXT];

	for (size_t i = 0; i < rules->n; i++)
		(void)fprintf(out, "%s\n", weir_entry_text(&rules->entries[i], text));
}
