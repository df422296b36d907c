/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan says of an object. */
#include "core/wording.h"

#include <stdlib.h>
#include <string.h>

FILE *weir_changes_next(struct weir_changes *c)
{
	if (c->any)
		fputs(", ", c->out);
	c->any = true;
	return c->out;
}

static char *aspect_text(const struct weir_aspect *aspect, const void *object)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	aspect->say(out, object);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

void weir_changes_say(struct weir_changes *c, const struct weir_aspect *aspects, size_t n,
		      const void *a, const void *b)
{
	for (size_t i = 0; i < n; i++) {
		char *before = aspect_text(&aspects[i], a), *after = aspect_text(&aspects[i], b);
		if (before && after && strcmp(before, after) != 0)
			fprintf(weir_changes_next(c), "%s %s", aspects[i].name,
				after[0] ? after : "none");
		free(before);
		free(after);
	}
}

void weir_say_switch(FILE *out, bool on)
{
	fputs(on ? "on" : "off", out);
}
