/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Modules that the kernel does not load by itself. */
#ifndef WEIR_BACKENDS_MODPROBE_H
#define WEIR_BACKENDS_MODPROBE_H

#include <stdbool.h>

/* Loads it by the program that /proc/sys/kernel/modprobe names. 0; -ENOENT: there is no such program or
 * module; -errno. With dry, nothing is loaded, only asked whether it could be. */
int weir_modprobe(const char *module, bool dry);

#endif
