/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers: errors, plans and tables for people; JSON for programs is in json.c. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* ---- errors ---- */

static const char *errno_word(int code)
{
	const char *word = strerrorname_np(-code);
	return word ? word : "EIO";
}

/* A word of the command line has no line, but a column. */
static bool is_word(const struct weir_place *at)
{
	return !at->line && at->column;
}

static void error_json(const struct weir_err *err)
{
	json_t *error = json_pack("{s:s, s:s}", "code", errno_word(err->code), "text", err->text);
	if (err->at.file)
		json_object_set_new(error, is_word(&err->at) ? "word" : "file",
				    json_string(weir_place_file(&err->at)));
	if (err->at.line)
		json_object_set_new(error, "line", json_integer(err->at.line));
	if (err->at.column)
		json_object_set_new(error, "column", json_integer(err->at.column));
	weir_print_json(json_pack("{s:o}", "error", error));
}

void weir_print_error(const struct weir_cli *cli, const struct weir_err *err)
{
	char place[128];
	if (cli->json) {
		error_json(err);
		return;
	}
	weir_place_text(&err->at, place, sizeof(place));
	if (is_word(&err->at))
		fprintf(stderr, "weir: %s\n  %s\n  %*s^\n", err->text, weir_place_file(&err->at),
			(int)err->at.column - 1, "");
	else
		fprintf(stderr, "weir: %s%s%s\n", place, place[0] ? ": " : "", err->text);
}

int weir_exit_of(const struct weir_err *err, bool usage)
{
	if (usage || is_word(&err->at))
		return WEIR_EXIT_USAGE;
	return err->code == -EPERM || err->code == -EOPNOTSUPP ? WEIR_EXIT_CANNOT
							       : WEIR_EXIT_FAILED;
}

/* ---- plans ---- */

static const char signs[WEIR_NUM_ACTIONS] = {
	[WEIR_ACTION_ADD] = '+',
	[WEIR_ACTION_CHANGE] = '~',
	[WEIR_ACTION_REMOVE] = '-',
};

static void print_steps(const struct weir_step *steps, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		printf("%s%c %s%s%s%s%s\n", what, signs[steps[i].action], steps[i].object,
		       steps[i].name[0] ? " " : "", steps[i].name, steps[i].detail[0] ? ": " : "",
		       steps[i].detail);
}

/* Beside the plan, for people: programs read the plan. */
static void print_warnings(const struct weir_step *steps, size_t n)
{
	char place[128];
	(void)fflush(stdout); /* they belong behind it */
	for (size_t i = 0; i < n; i++) {
		weir_place_text(&steps[i].origin, place, sizeof(place));
		fprintf(stderr, "weir: warning: %s%s%s \"%s\": %s\n", place, place[0] ? ": " : "",
			steps[i].object, steps[i].name, steps[i].detail);
	}
}

void weir_print_plan(const struct weir_cli *cli, const struct weir_plan *plan, const char *nothing)
{
	if (cli->json) {
		weir_print_json(json_pack("{s:o, s:o, s:o}", "changes",
					  weir_json_steps(plan->steps, plan->n_steps), "drift",
					  weir_json_steps(plan->drift, plan->n_drift), "warnings",
					  weir_json_warnings(plan->warnings, plan->n_warnings)));
		return;
	}
	if (cli->quiet && !plan->n_unmended)
		return;
	if (!cli->quiet) {
		print_steps(plan->drift, plan->n_drift, cli->dry_run ? "to mend " : "mended ");
		print_steps(plan->steps, plan->n_steps, "");
		if (!plan->n_steps && !plan->n_drift && !plan->n_unmended)
			puts(nothing);
	}
	print_warnings(plan->warnings, plan->n_warnings);
}

/* ---- tables ---- */

void weir_table_cell(struct weir_table *table, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	const char **more =
		weir_arena_grow(&table->arena, table->cells, table->n_cells, sizeof(*more));
	const char *copy = weir_arena_strdup(&table->arena, text);
	if (!more || !copy)
		return; /* a table with a hole: printing goes on without the cell */
	table->cells = more;
	more[table->n_cells++] = copy;
}

void weir_table_print(struct weir_table *table)
{
	size_t columns = table->n_columns, *widths = calloc(columns, sizeof(*widths));
	for (size_t i = 0; widths && i < table->n_cells; i++) {
		size_t len = strlen(table->cells[i]);
		if (len > widths[i % columns])
			widths[i % columns] = len;
	}
	for (size_t i = 0; widths && i < table->n_cells; i++) {
		bool last = i % columns == columns - 1;
		printf("%-*s%s", last ? 0 : (int)widths[i % columns], table->cells[i],
		       last ? "\n" : "  ");
	}
	free(widths);
	weir_arena_free(&table->arena);
}
