/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers under /proc/sys/net of the calling thread's namespace. */
#ifndef WEIR_BACKENDS_NETLINK_SYSCTL_H
#define WEIR_BACKENDS_NETLINK_SYSCTL_H

#include "backends/netlink/iface.h"

/* key: "net/ipv4/ip_forward", only below net/. -EINVAL: another key; -ENOENT: there is none here. */
int weir_sysctl_read(const char *key, long *ret, struct weir_err *err);
int weir_sysctl_write(const struct weir_trace *trace, const char *key, long value,
		      struct weir_err *err);
/* Writes only what differs; without such a key and with value 0 there is nothing to do. */
int weir_sysctl_ensure(const struct weir_trace *trace, const char *key, long value,
		       bool *ret_changed, struct weir_err *err);

/* The same with text: words, whatever blanks the kernel puts between them. _check: -ESTALE. */
int weir_sysctl_ensure_text(const struct weir_trace *trace, const char *key, const char *value,
			    bool *ret_changed, struct weir_err *err);
int weir_sysctl_check_text(const char *key, const char *value, struct weir_err *err);

/* The IPv6 settings of an interface: those of want that are not -1 and differ from have. */
int weir_sysctl_ipv6_ensure(const struct weir_trace *trace, const char *ifname,
			    const struct weir_ipv6_conf *have, const struct weir_ipv6_conf *want,
			    struct weir_err *err);

/* Two numbers in one file, as net/ipv4/ip_local_port_range has them. */
int weir_sysctl_read_pair(const char *key, long ret[2], struct weir_err *err);

#endif
