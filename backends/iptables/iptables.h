/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The legacy iptables backend: the firewall contract over chains WEIR-… in filter and nat, for IPv4
 * and IPv6.
 *
 * render() prints one file that both iptables-legacy-restore and ip6tables-legacy-restore load as it
 * is (with --noflush, beside what others have): rules of one family begin with -4 or -6, which the
 * other tool skips.
 *
 * commit() takes up to three commits a family; each is atomic in its table, and their order fails
 * closed. A failure in the middle puts back what was committed before. */
#ifndef WEIR_BACKENDS_IPTABLES_H
#define WEIR_BACKENDS_IPTABLES_H

#include "core/firewall.h"

extern const struct weir_firewall_ops weir_iptables;

#endif
