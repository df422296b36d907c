/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this kernel has legacy iptables, and its modules. */
#include <errno.h>
#include <unistd.h>

#include "backends/iptables/iptc.h"
#include "backends/iptables/table.h"
#include "backends/modprobe.h"

bool weir_ipt_family_exists(enum weir_family family)
{
	return family != WEIR_IPV6 || access("/proc/thread-self/net/if_inet6", F_OK) == 0;
}

int weir_ipt_load(enum weir_family family, bool dry, struct weir_err *err)
{
	const struct weir_iptc *iptc = &weir_iptc[family];
	if (access(iptc->names, F_OK) == 0)
		return 0;
	if (weir_modprobe(iptc->module, dry) == 0 && (dry || access(iptc->names, F_OK) == 0))
		return 0;
	return weir_err_set(err, EOPNOTSUPP,
			    "this kernel has no legacy iptables for %s and no module %s to load "
			    "(CONFIG_NETFILTER_XTABLES_LEGACY; use --backend nftables)",
			    weir_family_name(family), iptc->module);
}
