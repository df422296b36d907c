/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sysctls of an attachment: which ones may be set inside an endpoint's namespace, and to what.
 *
 * A key is written with dots, and IFNAME stands for the interface: "net.ipv4.conf.IFNAME.arp_ignore". */
#ifndef WEIR_CORE_SYSCTL_H
#define WEIR_CORE_SYSCTL_H

#include "core/model.h"

enum {
	WEIR_SYSCTLS_MAX = 64,	    /* per attachment: no real one has so many */
	WEIR_SYSCTL_VALUE_MAX = 60, /* with its end of line the text of one read */
	WEIR_SYSCTL_PATH = 128
};

/* Is the key on the list, and the value numbers or words with single spaces between? -EINVAL. */
int weir_sysctl_check(const struct weir_sysctl *sysctl, struct weir_err *err);
/* Is there one for the whole namespace, which all attachments of an endpoint share? */
bool weir_sysctl_is_shared(const char *key);
/* "net/ipv4/conf/eth0/arp_ignore"; of a key that has been checked. */
void weir_sysctl_path(const char *key, const char *ifname, char ret[WEIR_SYSCTL_PATH]);

#endif
