// SPDX-License-Identifier: GPL-2.0-or-later
/* Connections that a change of the ruleset has cut, taken out of conntrack. */
#include "backends/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/flowset.h"

/* How it works
 * The kernel deletes by exact tuple or by family, nothing between, and its dump filters by family
 * only. So each family asked for is dumped once, whatever the number of matches (flowset.c); what
 * matches is kept and deleted afterwards, since deleting within a dump disturbs it. */

struct search {
	const struct weir_flowset *set;
	/* instead of a set: who is asked, and the host's addresses */
	bool (*is_cut)(const void *ctx, const struct weir_connection *conn);
	const void *ctx;
	const struct ifaddrs *host;
	enum weir_family family;
	struct nf_conntrack **found;
	size_t n_found, room;
	bool no_memory;
};

static const uint8_t protocols[WEIR_NUM_PROTOS] = {
	[WEIR_TCP] = IPPROTO_TCP, [WEIR_UDP] = IPPROTO_UDP, [WEIR_SCTP] = IPPROTO_SCTP
};

/* Attributes of libnetfilter_conntrack by family. */
struct attrs {
	enum nf_conntrack_attr src, dst, reply_src;
	uint8_t l3;
	size_t len;
};

static const struct attrs family_attrs[WEIR_NUM_FAMILIES] = {
	[WEIR_IPV4] = { ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV4_DST, ATTR_REPL_IPV4_SRC, AF_INET, 4 },
	[WEIR_IPV6] = { ATTR_ORIG_IPV6_SRC, ATTR_ORIG_IPV6_DST, ATTR_REPL_IPV6_SRC, AF_INET6, 16 },
};

static bool get_addr(const struct nf_conntrack *ct, enum nf_conntrack_attr attr,
		     enum weir_family family, struct weir_addr *ret)
{
	const void *bytes = nfct_get_attr(ct, attr);
	if (!bytes)
		return false;
	*ret = (struct weir_addr){ .family = (uint8_t)family };
	memcpy(ret->bytes, bytes, family_attrs[family].len);
	return true;
}

static enum weir_proto get_proto(const struct nf_conntrack *ct)
{
	uint8_t number = nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO);
	for (enum weir_proto proto = WEIR_TCP; proto < WEIR_NUM_PROTOS; proto++)
		if (protocols[proto] == number)
			return proto;
	return WEIR_NO_PROTO;
}

static bool matches_any(const struct nf_conntrack *ct, const struct search *search)
{
	const struct attrs *attrs = &family_attrs[search->family];
	uint16_t port = ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST));
	struct weir_flow_match conn = {
		.family = search->family,
		.proto = get_proto(ct),
		.dst_ports = { port, port },
		.untranslated = !(nfct_get_attr_u32(ct, ATTR_STATUS) & (IPS_SRC_NAT | IPS_DST_NAT)),
	};
	return get_addr(ct, attrs->src, search->family, &conn.src.addr) &&
	       get_addr(ct, attrs->dst, search->family, &conn.dst) &&
	       get_addr(ct, attrs->reply_src, search->family, &conn.reply_src.addr) &&
	       weir_flowset_matches(search->set, &conn);
}

/* ---- as who talks to whom ---- */

static bool is_own(const struct search *search, const struct weir_addr *addr)
{
	int family = family_attrs[search->family].l3;
	if (weir_addr_is_loopback(addr))
		return true;
	for (const struct ifaddrs *item = search->host; item; item = item->ifa_next) {
		if (!item->ifa_addr || item->ifa_addr->sa_family != family)
			continue;
		const void *bytes =
			family == AF_INET
				? (const void *)&((const struct sockaddr_in *)item->ifa_addr)
					  ->sin_addr
				: (const void *)&((const struct sockaddr_in6 *)item->ifa_addr)
					  ->sin6_addr;
		if (memcmp(bytes, addr->bytes, family_attrs[search->family].len) == 0)
			return true;
	}
	return false;
}

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/* Who answers sends from the port that the first packet went to, as translated. */
static bool describe(const struct search *search, const struct nf_conntrack *ct,
		     struct weir_connection *ret)
{
	const struct attrs *attrs = &family_attrs[search->family];
	struct weir_connection conn = { .family = search->family };
	struct weir_addr dst;
	if (!get_addr(ct, attrs->src, search->family, &conn.from) ||
	    !get_addr(ct, attrs->dst, search->family, &dst) ||
	    !get_addr(ct, attrs->reply_src, search->family, &conn.to))
		return false;
	conn.protocol = nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO);
	conn.port = is_icmp(conn.protocol) ? nfct_get_attr_u8(ct, ATTR_ICMP_TYPE)
					   : ntohs(nfct_get_attr_u16(ct, ATTR_REPL_PORT_SRC));
	conn.from_host = is_own(search, &conn.from);
	conn.to_host = is_own(search, &conn.to);
	conn.published = weir_addr_cmp(&dst, &conn.to) != 0;
	conn.expected = nfct_get_attr_u32(ct, ATTR_STATUS) & IPS_EXPECTED;
	*ret = conn;
	return true;
}

static bool is_wanted(const struct nf_conntrack *ct, const struct search *search)
{
	struct weir_connection conn;
	if (!search->is_cut)
		return matches_any(ct, search);
	return describe(search, ct, &conn) && search->is_cut(search->ctx, &conn);
}

/* ---- listing and deleting ---- */

static bool make_room(struct search *search)
{
	if (search->n_found < search->room)
		return true;
	size_t room = search->room ? search->room * 2 : 64;
	struct nf_conntrack **found = realloc(search->found, room * sizeof(*found));
	if (!found)
		return false;
	search->found = found;
	search->room = room;
	return true;
}

static int take_flow(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *ctx)
{
	struct search *search = ctx;
	(void)type;
	if (nfct_get_attr_u8(ct, ATTR_ORIG_L3PROTO) != family_attrs[search->family].l3 ||
	    !is_wanted(ct, search))
		return NFCT_CB_CONTINUE;
	if (!make_room(search)) {
		search->no_memory = true;
		return NFCT_CB_CONTINUE;
	}
	search->found[search->n_found++] = ct;
	return NFCT_CB_STOLEN;
}

static void search_free(struct search *search)
{
	for (size_t i = 0; i < search->n_found; i++)
		nfct_destroy(search->found[i]);
	free(search->found);
}

static void handle_clean(struct nfct_handle **handle)
{
	if (*handle)
		(void)nfct_close(*handle); /* nothing is pending */
}

static int open_handle(struct nfct_handle **ret, struct weir_err *err)
{
	struct nfct_handle *handle = nfct_open(CONNTRACK, 0);
	if (!handle)
		return weir_err_errno(err, errno, "opening conntrack");
	(void)fcntl(nfct_fd(handle), F_SETFD, FD_CLOEXEC); /* cannot fail on an open descriptor */
	*ret = handle;
	return 0;
}

static int dump(struct search *search, struct weir_err *err)
{
	struct nfct_handle *handle __attribute__((cleanup(handle_clean))) = NULL;
	int r = open_handle(&handle, err);
	if (r < 0)
		return r;
	struct nfct_filter_dump *filter = nfct_filter_dump_create();
	if (!filter || nfct_callback_register(handle, NFCT_T_ALL, take_flow, search) < 0) {
		if (filter)
			nfct_filter_dump_destroy(filter);
		return weir_err_set(err, ENOMEM, "no memory to list connections");
	}
	nfct_filter_dump_set_attr_u8(filter, NFCT_FILTER_DUMP_L3NUM,
				     family_attrs[search->family].l3);
	r = nfct_query(handle, NFCT_Q_DUMP_FILTER, filter) < 0 ? -errno : 0;
	nfct_filter_dump_destroy(filter);
	if (r == 0 && search->no_memory)
		r = -ENOMEM;
	return r < 0 ? weir_err_errno(err, r, "listing connections") : 0;
}

/* By the original tuple and zone alone: what else a listing says may have changed since. */
static int forget_one(struct nfct_handle *handle, const struct nf_conntrack *flow)
{
	struct nf_conntrack *tuple = nfct_new();
	if (!tuple)
		return -ENOMEM;
	nfct_copy(tuple, flow, NFCT_CP_ORIG);
	if (nfct_attr_is_set(flow, ATTR_ZONE) > 0)
		nfct_set_attr_u16(tuple, ATTR_ZONE, nfct_get_attr_u16(flow, ATTR_ZONE));
	int r = nfct_query(handle, NFCT_Q_DESTROY, tuple) < 0 ? -errno : 0;
	nfct_destroy(tuple);
	return r;
}

/* Goes on after an error: the more is cut the better. Returns the first. */
static int forget_found(const struct search *search, size_t *forgotten, struct weir_err *err)
{
	struct nfct_handle *handle __attribute__((cleanup(handle_clean))) = NULL;
	int first = 0, r = search->n_found ? open_handle(&handle, err) : 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < search->n_found; i++) {
		r = forget_one(handle, search->found[i]);
		*forgotten += r == 0;
		if (r < 0 && r != -ENOENT && first == 0)
			first = weir_err_errno(err, r, "deleting a connection");
	}
	return first;
}

/* `like` says what is looked for; its results stay empty. */
static int forget_family(const struct search *like, enum weir_family family, size_t *forgotten,
			 struct weir_err *err)
{
	struct search search __attribute__((cleanup(search_free))) = *like;
	search.family = family;
	int r = dump(&search, err);
	return r < 0 ? r : forget_found(&search, forgotten, err);
}

static bool asks_for(enum weir_family family, const struct weir_flow_match *matches, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (matches[i].family == family)
			return true;
	return false;
}

int weir_conntrack_forget(const struct weir_flow_match *matches, size_t n, size_t *ret_forgotten,
			  struct weir_err *err)
{
	WEIR_CLEAN_FLOWSET struct weir_flowset set = { 0 };
	const struct search like = { .set = &set };
	size_t forgotten = 0;
	int r = weir_flowset_make(matches, n, &set, err);
	for (enum weir_family family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++)
		if (asks_for(family, matches, n))
			r = forget_family(&like, family, &forgotten, err);
	if (r == 0 && ret_forgotten)
		*ret_forgotten = forgotten;
	return r;
}

static void free_addrs(struct ifaddrs **addrs)
{
	if (*addrs)
		freeifaddrs(*addrs);
}

int weir_conntrack_forget_if(bool (*is_cut)(const void *ctx, const struct weir_connection *conn),
			     const void *ctx, size_t *ret_forgotten, struct weir_err *err)
{
	__attribute__((cleanup(free_addrs))) struct ifaddrs *host = NULL;
	if (getifaddrs(&host) < 0)
		return weir_err_errno(err, errno, "reading the host's addresses");
	const struct search like = { .is_cut = is_cut, .ctx = ctx, .host = host };
	size_t forgotten = 0;
	int r = 0;
	for (enum weir_family family = WEIR_IPV4; r == 0 && family < WEIR_NUM_FAMILIES; family++)
		r = forget_family(&like, family, &forgotten, err);
	if (r == 0 && ret_forgotten)
		*ret_forgotten = forgotten;
	return r;
}
