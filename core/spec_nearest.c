/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which known word was meant. */
#include "core/spec.h"

#include <string.h>

enum { WORD_MAX = 31 }; /* longer words are not near to any of ours */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edit distance with neighbours swapped as one step ("subent"): the whole table, since words are
 * short. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= n_a; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= n_b; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n_a; i++)
		for (size_t j = 1; j <= n_b; j++) {
			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
					d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[n_a][n_b];
}

const char *weir_spec_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word);
	const char *best = NULL;
	unsigned best_distance = len < 3 ? 2 : (unsigned)len / 3 + 1; /* what is too far */

	for (size_t i = 0; len && len <= WORD_MAX && i < n; i++) {
		size_t candidate_len = strlen(candidates[i]);
		if (candidate_len > WORD_MAX)
			continue;
		unsigned steps = distance(word, len, candidates[i], candidate_len);
		if (steps < best_distance && steps < candidate_len) {
			best = candidates[i];
			best_distance = steps;
		}
	}
	return best;
}
