/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan says of an object: all of it in short, or what has changed. Private to plan.c. */
#ifndef WEIR_CORE_WORDING_H
#define WEIR_CORE_WORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Of one kind of object; what the functions are given are two such objects, or one. */
struct weir_wording {
	const char *object; /* "network" */
	void (*say)(FILE *out, const void *object);
	void (*say_change)(FILE *out, const void *before, const void *after);
};
extern const struct weir_wording weir_network_wording, weir_endpoint_wording, weir_policy_wording;

/* One thing that can differ, as text. What differs in text is told, so nothing changes unsaid. */
struct weir_aspect {
	const char *name;
	void (*say)(FILE *out, const void *object);
};

/* What has changed, with commas between. */
struct weir_changes {
	FILE *out;
	bool any;
};
/* Where the next change is to be written. */
FILE *weir_changes_next(struct weir_changes *c);
/* Every aspect in which a and b differ, with b's text; "none" where that is empty. */
void weir_changes_say(struct weir_changes *c, const struct weir_aspect *aspects, size_t n,
		      const void *a, const void *b);

void weir_say_switch(FILE *out, bool on);

#endif
