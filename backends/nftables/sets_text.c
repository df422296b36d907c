// SPDX-License-Identifier: GPL-2.0-or-later
/* Elements of the sets in nft's words. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "backends/nftables/fields.h"

struct text {
	char *buf;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *to, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(to->buf + to->used, to->size - to->used, fmt, args);
	va_end(args);
	if (n > 0)
		to->used = to->used + (size_t)n < to->size ? to->used + (size_t)n : to->size - 1;
}

static void put_field(struct text *to, enum weir_nft_field field, const struct weir_entry *e,
		      size_t i)
{
	char addr[WEIR_ADDR_TEXT], chain[WEIR_NFT_CHAIN_MAX];
	switch (field) {
	case WEIR_NFT_IFNAME:
		put(to, "\"%s\"", e->ifname);
		break;
	case WEIR_NFT_FROM:
		put(to, "\"%s\"", e->from_ifname);
		break;
	case WEIR_NFT_ADDR:
		put(to, "%s", weir_addr_text(&e->addr, addr));
		break;
	case WEIR_NFT_PREFIX:
	case WEIR_NFT_BLOCK:
		put(to, "%s/%u", weir_addr_text(&e->addr, addr), e->prefix_len);
		break;
	case WEIR_NFT_TO:
		put(to, "%s", weir_addr_text(&e->to, addr));
		break;
	case WEIR_NFT_TO_BLOCK:
		put(to, "%s/%u", weir_addr_text(&e->to, addr), e->to_len);
		break;
	case WEIR_NFT_PROTO:
		put(to, "%s", weir_proto_name(e->proto));
		break;
	case WEIR_NFT_PORT:
		put(to, "%u", (unsigned)(e->ports.lo + i));
		break;
	case WEIR_NFT_PORTS:
		put(to, "%u-%u", e->ports.lo, e->ports.hi);
		break;
	case WEIR_NFT_TO_PORT:
		put(to, "%u", (unsigned)(e->to_port + i));
		break;
	case WEIR_NFT_NFPROTO:
		put(to, "%s", e->family == WEIR_IPV6 ? "ipv6" : "ipv4");
		break;
	case WEIR_NFT_CLASS:
		put(to, "jump %s", weir_nft_class_chain(e->class, chain));
		break;
	case WEIR_NFT_LIST:
		put(to, "jump %s", weir_nft_list_chain(e->list, chain));
		break;
	default:
		assert(!"a field that entries do not have");
	}
}

static void put_fields(struct text *to, const uint8_t *fields, const struct weir_entry *e, size_t i)
{
	for (const uint8_t *field = fields; *field; field++) {
		put(to, "%s", field == fields ? "" : " . ");
		put_field(to, *field, e, i);
	}
}

const char *weir_nft_set_text(const struct weir_nft_set *set, const struct weir_entry *entry,
			      size_t i, char buf[WEIR_NFT_ELEMENT_TEXT])
{
	struct text to = { buf, WEIR_NFT_ELEMENT_TEXT, 0 };
	const char *owner = entry->owner ? entry->owner : "";
	put_fields(&to, set->key, entry, i);
	if (set->comment == WEIR_NFT_OWNER && *owner)
		put(&to, " comment \"%s\"", owner);
	else if (set->comment == WEIR_NFT_IFNAME_OWNER)
		put(&to, " comment \"%s %s\"", entry->ifname, owner);
	else if (set->comment == WEIR_NFT_FROM_OWNER && (*owner || entry->from_ifname[0]))
		put(&to, " comment \"%s%s%s\"", entry->from_ifname,
		    entry->from_ifname[0] ? " " : "", owner);
	if (weir_nft_set_is_map(set)) {
		put(&to, " : ");
		put_fields(&to, set->data, entry, i);
	}
	return buf;
}
