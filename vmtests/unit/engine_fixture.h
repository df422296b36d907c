/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host in memory with a store in a folder of its own, changed through the engine in the words of
 * specs. For the unit tests of core/engine.h and its parts. */
#ifndef WEIR_VMTESTS_UNIT_ENGINE_FIXTURE_H
#define WEIR_VMTESTS_UNIT_ENGINE_FIXTURE_H

#include "vmtests/unit/cm.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/memory/memory.h"
#include "backends/trace.h"
#include "core/engine.h"
#include "core/spec.h"
#include "core/store.h"
#include "policy/compile.h"
#include "policy/judge.h"

struct host {
	char dir[64];
	char state[80]; /* inside dir; made by the engine */
	struct weir_engine engine;
	struct weir_err err;
	struct weir_plan plan; /* of the last change that succeeded */
};

/* ---- up and down ---- */

static inline int host_set_up(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	assert_non_null(h);
	(void)snprintf(h->dir, sizeof(h->dir), "%s/weir-engine-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(h->dir));
	(void)snprintf(h->state, sizeof(h->state), "%s/state", h->dir);
	h->engine = (struct weir_engine){ .state_dir = h->state,
					  .holder = "weir test",
					  .timeout_ms = 0,
					  .compile = weir_compile,
					  .compile_policies = weir_compile_policies,
					  .refuses = weir_judge_refuses,
					  .firewall = &weir_memory_firewall,
					  .links = &weir_memory_links };
	weir_memory_reset();
	*state = h;
	return 0;
}

static inline int host_tear_down(void **state)
{
	struct host *h = *state;
	char command[128];
	weir_plan_free(&h->plan);
	weir_memory_reset();
	(void)snprintf(command, sizeof(command), "rm -rf %s", h->dir);
	int r = system(command);
	free(h);
	return r;
}

#define HOST_TEST(f) cmocka_unit_test_setup_teardown(f, host_set_up, host_tear_down)

/* ---- changes, in words ---- */

static inline void parse(const char *yaml, struct weir_model *ret)
{
	struct weir_err err = { 0 };
	if (weir_spec_parse(yaml, strlen(yaml), "spec", ret, &err) < 0)
		fail_msg("%u:%u: %s\n%s", err.at.line, err.at.column, err.text, yaml);
}

static inline int finish_change(struct host *h, int r, struct weir_plan *plan)
{
	if (r == 0) {
		weir_plan_free(&h->plan);
		h->plan = *plan;
	}
	return r;
}

static inline int change(struct host *h, const struct weir_change *change_, bool dry_run)
{
	struct weir_plan plan = { 0 };
	h->err = (struct weir_err){ 0 };
	return finish_change(h, weir_engine_change(&h->engine, change_, dry_run, &plan, &h->err),
			     &plan);
}

static inline int change_one(struct host *h, struct weir_op op)
{
	const struct weir_change one = { .ops = &op, .n_ops = 1 };
	return change(h, &one, false);
}

struct how {
	bool prune, dry_run, add;
};

/* Everything that the YAML declares is put. */
static inline int apply_how(struct host *h, const char *yaml, struct how how)
{
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	parse(yaml, &model);
	struct weir_change wanted = { .prune = how.prune,
				      .converge = how.dry_run, /* as `weir plan` */
				      .pools = model.pools,
				      .n_pools = model.n_pools };
	size_t n = model.n_networks + model.n_endpoints + model.n_policies;
	wanted.ops = weir_arena_alloc(&model.arena, (n + 1) * sizeof(*wanted.ops));
	assert_non_null(wanted.ops);
	for (size_t i = 0; i < model.n_endpoints; i++)
		wanted.ops[wanted.n_ops++] = (struct weir_op){ .kind = WEIR_PUT_ENDPOINT,
							       .name = model.endpoints[i].name,
							       .endpoint = &model.endpoints[i],
							       .add = how.add };
	for (size_t i = 0; i < model.n_networks; i++)
		wanted.ops[wanted.n_ops++] = (struct weir_op){ .kind = WEIR_PUT_NETWORK,
							       .name = model.networks[i].name,
							       .network = &model.networks[i],
							       .add = how.add };
	for (size_t i = 0; i < model.n_policies; i++)
		wanted.ops[wanted.n_ops++] = (struct weir_op){ .kind = WEIR_PUT_POLICY,
							       .name = model.policies[i].name,
							       .policy = &model.policies[i],
							       .add = how.add };
	return change(h, &wanted, how.dry_run);
}

static inline int apply(struct host *h, const char *yaml)
{
	return apply_how(h, yaml, (struct how){ 0 });
}

static inline int prune(struct host *h, const char *yaml)
{
	return apply_how(h, yaml, (struct how){ .prune = true });
}

static inline int plan(struct host *h, const char *yaml)
{
	return apply_how(h, yaml, (struct how){ .dry_run = true });
}

static inline int add(struct host *h, const char *yaml)
{
	return apply_how(h, yaml, (struct how){ .add = true });
}

static inline int remove_endpoint(struct host *h, const char *name)
{
	return change_one(h, (struct weir_op){ .kind = WEIR_REMOVE_ENDPOINT, .name = name });
}

static inline int remove_network(struct host *h, const char *name)
{
	return change_one(h, (struct weir_op){ .kind = WEIR_REMOVE_NETWORK, .name = name });
}

static inline int remove_policy(struct host *h, const char *name)
{
	return change_one(h, (struct weir_op){ .kind = WEIR_REMOVE_POLICY, .name = name });
}

static inline int change_port(struct host *h, enum weir_op_kind kind, const char *name,
			      const char *text)
{
	struct weir_mapping mapping = { 0 };
	struct weir_err err = { 0 };
	if (weir_mapping_parse(text, &mapping, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return change_one(h, (struct weir_op){ .kind = kind, .name = name, .mapping = &mapping });
}

static inline int add_port(struct host *h, const char *name, const char *text)
{
	return change_port(h, WEIR_ADD_MAPPING, name, text);
}

static inline int remove_port(struct host *h, const char *name, const char *text)
{
	return change_port(h, WEIR_REMOVE_MAPPING, name, text);
}

static inline int repair_how(struct host *h, bool dry_run)
{
	struct weir_plan plan_ = { 0 };
	h->err = (struct weir_err){ 0 };
	return finish_change(h, weir_engine_repair(&h->engine, dry_run, &plan_, &h->err), &plan_);
}

static inline int repair(struct host *h)
{
	return repair_how(h, false);
}

static inline int restore(struct host *h)
{
	struct weir_plan plan_ = { 0 };
	h->err = (struct weir_err){ 0 };
	return finish_change(h, weir_engine_restore(&h->engine, false, &plan_, &h->err), &plan_);
}

static inline int delete_all(struct host *h)
{
	struct weir_plan plan_ = { 0 };
	h->err = (struct weir_err){ 0 };
	return finish_change(h, weir_engine_delete_all(&h->engine, false, &plan_, &h->err), &plan_);
}

/* Must succeed: shows the error when it does not. */
#define OK(h, call)                                                        \
	do {                                                               \
		int ok_r = (call);                                         \
		if (ok_r < 0)                                              \
			fail_msg("%s: %d %s", #call, ok_r, (h)->err.text); \
	} while (0)

/* Must fail so, saying so. */
#define FAILS(h, code, text_, call)                                           \
	do {                                                                  \
		int fails_r = (call);                                         \
		if (fails_r != -(code) || !strstr((h)->err.text, (text_)))    \
			fail_msg("%s: %d %s", #call, fails_r, (h)->err.text); \
	} while (0)

/* ---- all of it, in words ---- */

static inline bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static inline sqlite3 *open_db(const struct host *h)
{
	char path[128];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof(path), "%s/weir.db", h->state);
	if (exists(path))
		assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL),
				 SQLITE_OK);
	return db;
}

static inline void print_column(sqlite3_stmt *row, int i, FILE *out)
{
	const unsigned char *bytes = sqlite3_column_blob(row, i);
	int n = sqlite3_column_bytes(row, i);
	if (sqlite3_column_type(row, i) != SQLITE_BLOB) {
		(void)fprintf(out, " %s", bytes ? (const char *)sqlite3_column_text(row, i) : "-");
		return;
	}
	(void)fputc(' ', out);
	for (int k = 0; k < n; k++)
		(void)fprintf(out, "%02x", bytes[k]);
}

/* A namespace's inode is the kernel's choice: one that comes back has another. */
static inline void print_row(const char *table, sqlite3_stmt *row, FILE *out)
{
	(void)fputs(table, out);
	for (int i = 0; i < sqlite3_column_count(row); i++)
		if (strcmp(sqlite3_column_name(row, i), "ino") != 0)
			print_column(row, i, out);
	(void)fputc('\n', out);
}

static inline void print_table(sqlite3 *db, const char *table, FILE *out)
{
	char sql[128];
	sqlite3_stmt *row = NULL;
	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1, 2, 3", table);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
	while (sqlite3_step(row) == SQLITE_ROW)
		print_row(table, row, out);
	assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
}

static inline void print_store(const struct host *h, FILE *out)
{
	sqlite3_stmt *name = NULL;
	sqlite3 *db = open_db(h);
	if (!db)
		return;
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT name FROM sqlite_master WHERE type = 'table' "
					    "AND name != 'meta' ORDER BY name",
					    -1, &name, NULL),
			 SQLITE_OK);
	while (sqlite3_step(name) == SQLITE_ROW)
		print_table(db, (const char *)sqlite3_column_text(name, 0), out);
	assert_int_equal(sqlite3_finalize(name), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Another store has another UUID: it is blanked out, so that two hosts can be compared. */
static inline void blank_uuid(const struct host *h, char *text)
{
	WEIR_CLEAN_STORE struct weir_store *store = NULL;
	struct weir_store_meta meta;
	if (weir_store_open(h->state, false, &store, NULL) < 0)
		return;
	assert_int_equal(weir_store_meta(store, &meta, NULL), 0);
	for (char *at = text; (at = strstr(at, meta.uuid));)
		memset(at, 'u', strlen(meta.uuid));
}

/* The store and the kernel; the caller frees it. */
static inline char *dump(const struct host *h)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	print_store(h, out);
	weir_memory_print(out);
	assert_int_equal(fclose(out), 0);
	blank_uuid(h, text);
	return text;
}

static inline bool has_line(const char *text, const char *line, size_t len)
{
	for (; *text; text += strcspn(text, "\n") + 1)
		if (strcspn(text, "\n") == len && strncmp(text, line, len) == 0)
			return true;
	return false;
}

/* The lines that the other text has not. */
static inline void print_lines(const char *sign, const char *text, const char *without)
{
	for (; *text; text += strcspn(text, "\n") + 1) {
		size_t len = strcspn(text, "\n");
		if (!has_line(without, text, len))
			print_error("%s %.*s\n", sign, (int)len, text);
	}
}

#define SAME(want, got, ...)                         \
	do {                                         \
		if (strcmp(want, got) != 0) {        \
			print_lines("-", want, got); \
			print_lines("+", got, want); \
			fail_msg(__VA_ARGS__);       \
		}                                    \
	} while (0)

static inline void sql(const struct host *h, const char *text)
{
	sqlite3 *db = open_db(h);
	char *why = NULL;
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* What the store tells of the kernel is of another boot. */
static inline void boot_anew(struct host *h)
{
	weir_memory_reset();
	sql(h, "UPDATE meta SET boot = '00000000-0000-0000-0000-000000000000';"
	       "UPDATE endpoint SET boot = '00000000-0000-0000-0000-000000000000'");
}

/* The kernel is what the store says. */
static inline void assert_converged(struct host *h)
{
	struct weir_plan plan_ = { 0 };
	struct weir_err err = { 0 };
	if (weir_engine_repair(&h->engine, true, &plan_, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < plan_.n_drift; i++)
		print_error("drift: %s %s: %s\n", plan_.drift[i].object, plan_.drift[i].name,
			    plan_.drift[i].detail);
	assert_int_equal(plan_.n_drift, 0);
	weir_plan_free(&plan_);
}

#endif
