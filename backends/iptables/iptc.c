/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libip4tc and libip6tc behind one table of functions. */
#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/iptables/iptc.h"

/* libiptc has no call for it. struct ipt_getinfo and ip6t_getinfo are the same behind their name. */
static bool get_info(int family, int level, const char *table, struct weir_iptc_info *ret)
{
	struct ipt_getinfo info = { .name = "" };
	socklen_t len = sizeof(info);
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		return false;
	(void)strncpy(info.name, table, sizeof(info.name) - 1);
	int r = getsockopt(fd, level, IPT_SO_GET_INFO, &info, &len);
	(void)close(fd); /* nothing was sent */
	if (r < 0)
		return false;
	*ret = (struct weir_iptc_info){ .valid_hooks = info.valid_hooks,
					.entries = info.num_entries,
					.size = info.size };
	memcpy(ret->hook_entry, info.hook_entry, sizeof(ret->hook_entry));
	memcpy(ret->underflow, info.underflow, sizeof(ret->underflow));
	return true;
}

static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
		      IPT_SO_GET_INFO == IP6T_SO_GET_INFO,
	      "one function serves both families");

static bool info4(const char *table, struct weir_iptc_info *ret)
{
	return get_info(AF_INET, IPPROTO_IP, table, ret);
}

static bool info6(const char *table, struct weir_iptc_info *ret)
{
	return get_info(AF_INET6, IPPROTO_IPV6, table, ret);
}

/* Both libraries have the same functions with entries of different types. */
#define WRAP(v, lib, entry_type)                                                               \
	static void *init##v(const char *table)                                                \
	{                                                                                      \
		return lib##_init(table);                                                      \
	}                                                                                      \
	static void free##v(void *h)                                                           \
	{                                                                                      \
		lib##_free(h);                                                                 \
	}                                                                                      \
	static const char *first_chain##v(void *h)                                             \
	{                                                                                      \
		return lib##_first_chain(h);                                                   \
	}                                                                                      \
	static const char *next_chain##v(void *h)                                              \
	{                                                                                      \
		return lib##_next_chain(h);                                                    \
	}                                                                                      \
	static const void *first_rule##v(const char *chain, void *h)                           \
	{                                                                                      \
		return lib##_first_rule(chain, h);                                             \
	}                                                                                      \
	static const void *next_rule##v(const void *entry, void *h)                            \
	{                                                                                      \
		return lib##_next_rule((const entry_type *)entry, h);                          \
	}                                                                                      \
	static const char *target##v(const void *entry, void *h)                               \
	{                                                                                      \
		return lib##_get_target((const entry_type *)entry, h);                         \
	}                                                                                      \
	static int insert##v(const char *chain, const void *entry, unsigned position, void *h) \
	{                                                                                      \
		return lib##_insert_entry(chain, (const entry_type *)entry, position, h);      \
	}                                                                                      \
	static int append##v(const char *chain, const void *entry, void *h)                    \
	{                                                                                      \
		return lib##_append_entry(chain, (const entry_type *)entry, h);                \
	}                                                                                      \
	static int delete_rule##v(const char *chain, unsigned position, void *h)               \
	{                                                                                      \
		return lib##_delete_num_entry(chain, position, h);                             \
	}                                                                                      \
	static int flush##v(const char *chain, void *h)                                        \
	{                                                                                      \
		return lib##_flush_entries(chain, h);                                          \
	}                                                                                      \
	static int create_chain##v(const char *chain, void *h)                                 \
	{                                                                                      \
		return lib##_create_chain(chain, h);                                           \
	}                                                                                      \
	static int delete_chain##v(const char *chain, void *h)                                 \
	{                                                                                      \
		return lib##_delete_chain(chain, h);                                           \
	}                                                                                      \
	static int commit##v(void *h)                                                          \
	{                                                                                      \
		return lib##_commit(h);                                                        \
	}

WRAP(4, iptc, struct ipt_entry)
WRAP(6, ip6tc, struct ip6t_entry)

#define FUNCTIONS(v)                                                                         \
	.info = info##v, .init = init##v, .free = free##v, .first_chain = first_chain##v,    \
	.next_chain = next_chain##v, .first_rule = first_rule##v, .next_rule = next_rule##v, \
	.target = target##v, .insert = insert##v, .append = append##v,                       \
	.delete_rule = delete_rule##v, .flush = flush##v, .create_chain = create_chain##v,   \
	.delete_chain = delete_chain##v, .commit = commit##v

const struct weir_iptc weir_iptc[WEIR_NUM_FAMILIES] = {
	[WEIR_IPV4] = { FUNCTIONS(4), .strerror = iptc_strerror,
			.names = "/proc/thread-self/net/ip_tables_names", .module = "ip_tables" },
	[WEIR_IPV6] = { FUNCTIONS(6), .strerror = ip6tc_strerror,
			.names = "/proc/thread-self/net/ip6_tables_names", .module = "ip6_tables" },
};
