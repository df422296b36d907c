/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a walk ends, with the words for it. */
#include "policy/walk.h"

#include <stdio.h>

void weir_walk_answer(struct weir_walk *w, enum weir_verdict verdict, const char *reason,
		      const char *what, const char *name, const struct weir_place *origin)
{
	struct weir_answer *a = w->answer;

	a->verdict = verdict;
	a->reason = reason;
	if (origin)
		a->origin = *origin;
	if (name)
		(void)snprintf(a->text, sizeof(a->text), "%s: %s \"%s\"", reason, what, name);
	else
		(void)snprintf(a->text, sizeof(a->text), "%s", reason);
}

void weir_walk_drop(struct weir_walk *w, enum weir_drop why, const struct weir_network *net)
{
	weir_walk_answer(w, WEIR_DROP, weir_drop_reason(why), "network", net ? net->name : NULL,
			 net ? &net->origin : NULL);
}

void weir_walk_accept(struct weir_walk *w, const char *reason, const struct weir_network *net)
{
	weir_walk_answer(w, WEIR_ACCEPT, reason, "network", net ? net->name : NULL,
			 net ? &net->origin : NULL);
}

void weir_walk_accept_published(struct weir_walk *w)
{
	char text[WEIR_MAPPING_TEXT];

	w->answer->verdict = WEIR_ACCEPT;
	w->answer->reason = "published";
	w->answer->origin = w->mapping->origin;
	(void)snprintf(w->answer->text, sizeof(w->answer->text), "published: %s %s",
		       w->published->name, weir_mapping_text(w->mapping, text));
}
