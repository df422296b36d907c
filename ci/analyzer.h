/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a static analyzer cannot see from one file: that an error is never 0, so that what "is written
 * only on success" is not read after one. ci/lint includes it before every source but core/err.c,
 * which defines these functions. */
#ifndef WEIR_CI_ANALYZER_H
#define WEIR_CI_ANALYZER_H

#include "core/err.h"

static inline int weir_analyzer_error(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}

#define weir_err_set(...) weir_analyzer_error((weir_err_set)(__VA_ARGS__))
#define weir_err_at(...) weir_analyzer_error((weir_err_at)(__VA_ARGS__))
#define weir_err_errno(...) weir_analyzer_error((weir_err_errno)(__VA_ARGS__))
#define weir_err_wrap(...) weir_analyzer_error((weir_err_wrap)(__VA_ARGS__))

#endif
