/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a published port: what is taken prints and parses back to itself, what is refused
 * points into the text. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_taken(const struct weir_mapping *m)
{
	char text[WEIR_MAPPING_TEXT], again_text[WEIR_MAPPING_TEXT];
	struct weir_mapping again;

	assert(m->proto > WEIR_NO_PROTO && m->proto < WEIR_NUM_PROTOS);
	assert(m->ports.lo >= 1 && m->ports.lo <= m->ports.hi);
	assert(m->host_ports.lo <= m->host_ports.hi);
	weir_mapping_text(m, text);
	int r = weir_mapping_parse(text, &again, NULL);
	assert(r == 0);
	(void)r;
	assert(weir_mapping_cmp(m, &again) == 0);
	assert(strcmp(weir_mapping_text(&again, again_text), text) == 0);
	assert(weir_mapping_is_open(m) == weir_mapping_is_open(&again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_err err = { 0 };
	struct weir_mapping m;
	char *text = malloc(size + 1); /* exactly as large as it is */

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (weir_mapping_parse(text, &m, &err) == 0) {
		check_taken(&m);
	} else {
		assert(err.text[0]);
		assert(err.at.column >= 1 && err.at.column <= strlen(text) + 1);
	}
	free(text);
	return 0;
}
