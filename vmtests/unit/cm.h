/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka with what it wants included before it. */
#ifndef WEIR_UNIT_CM_H
#define WEIR_UNIT_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
