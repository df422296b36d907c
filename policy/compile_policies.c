/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies as entries of a ruleset.
 *
 * How it works: senders that the same policies pick are a class, named by a digest of these policies'
 * names; so what a policy says can change without anybody's class changing. For a class and a receiver
 * there is a list of cells: what the policies that pick both say together (cells.c). Lists are named by a
 * digest of what they say, so that pairs that mean the same share one. A class nothing is said of, and a pair
 * whose list is empty, do not appear at all.
 *
 * So an endpoint that comes with labels that are known already is a MEMBER, and a PAIR in each class that
 * something is said to: elements of sets in a filter, never rules. */
#include "policy/compile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/digest.h"
#include "policy/cells.h"
#include "policy/population.h"

/* The list of a set of policies; several sets may share what they say. */
struct known {
	const uint64_t *bits;
	uint64_t digest;
	const struct weir_cells *cells;
};

/* What a class may say to the receivers of one set. */
struct row {
	const struct weir_cells *cells[WEIR_NUM_FAMILIES];
	bool found[WEIR_NUM_FAMILIES];
};

/* Whom a class can meet: from an endpoint one gets to endpoints and outside, from outside to endpoints. */
struct reach {
	bool endpoints[WEIR_NUM_FAMILIES], outside[WEIR_NUM_FAMILIES];
};

struct policies {
	struct weir_population who;
	struct weir_arena *arena;
	struct weir_ruleset *rules;
	struct weir_err *err;
	/* by family and use */
	struct known *known[WEIR_NUM_FAMILIES][WEIR_NUM_CELLS_USES];
	size_t n_known[WEIR_NUM_FAMILIES][WEIR_NUM_CELLS_USES];
	const struct weir_cells **lists; /* different ones */
	size_t n_lists;
	struct row *row; /* by receivers' set: of the class that is being compiled */
	uint64_t *both;	 /* room for a set */
	const struct weir_policy **chosen;
};

static int no_memory(struct policies *p)
{
	return weir_err_set(p->err, ENOMEM, "no memory for %zu policies", p->who.model->n_policies);
}

static int add(struct policies *p, const struct weir_entry *entry)
{
	return weir_ruleset_add(p->rules, entry, p->err);
}

/* ---- lists ---- */

static int add_cells(struct policies *p, const struct weir_cells *cells)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < cells->n; i++)
		r = add(p, &cells->items[i]);
	return r;
}

/* The one that says the same, or this one, whose cells then become entries. */
static int share_list(struct policies *p, const struct weir_cells *cells,
		      const struct weir_cells **ret)
{
	for (size_t i = 0; i < p->n_lists; i++) {
		if (p->lists[i]->id != cells->id)
			continue;
		if (!weir_cells_equal(p->lists[i], cells))
			return weir_err_set(p->err, EEXIST,
					    "two lists of policies have one digest, %016" PRIx64
					    " (rename one of the policies)",
					    cells->id);
		*ret = p->lists[i];
		return 0;
	}
	const struct weir_cells **lists =
		weir_arena_grow(p->arena, p->lists, p->n_lists, sizeof(*lists));
	if (!lists)
		return no_memory(p);
	p->lists = lists;
	lists[p->n_lists++] = cells;
	*ret = cells;
	return cells->n ? add_cells(p, cells) : 0;
}

static size_t choose(struct policies *p)
{
	const struct weir_model *model = p->who.model;
	size_t n = 0;
	for (size_t i = 0; i < model->n_policies; i++)
		if (p->both[i / 64] >> i % 64 & 1)
			p->chosen[n++] = &model->policies[i];
	return n;
}

static int make_list(struct policies *p, enum weir_family family, enum weir_cells_use use,
		     const struct weir_cells **ret)
{
	struct weir_cells *cells = weir_arena_alloc(p->arena, sizeof(*cells));
	if (!cells || weir_cells_flatten(p->chosen, choose(p), family, use, p->arena, cells) < 0)
		return no_memory(p);
	return share_list(p, cells, ret);
}

/* What the policies of both sets say; NULL: nothing. */
static int find_list(struct policies *p, size_t from, size_t to, enum weir_family family,
		     enum weir_cells_use use, const struct weir_cells **ret)
{
	const uint64_t *a = p->who.sets[from].bits, *b = p->who.sets[to].bits;
	size_t size = p->who.words * sizeof(*a), *n = &p->n_known[family][use];
	uint64_t any = 0;

	for (size_t i = 0; i < p->who.words; i++)
		any |= p->both[i] = a[i] & b[i];
	*ret = NULL;
	if (!any)
		return 0;
	uint64_t digest = weir_digest(WEIR_DIGEST_START, p->both, size);
	struct known *known = p->known[family][use];
	for (size_t i = 0; i < *n; i++)
		if (known[i].digest == digest && memcmp(known[i].bits, p->both, size) == 0) {
			*ret = known[i].cells->n ? known[i].cells : NULL;
			return 0;
		}
	known = weir_arena_grow(p->arena, known, *n, sizeof(*known));
	uint64_t *bits = known ? weir_arena_alloc(p->arena, size) : NULL;
	if (!bits)
		return no_memory(p);
	p->known[family][use] = known;
	memcpy(bits, p->both, size);
	known[*n] = (struct known){ .bits = bits, .digest = digest };
	int r = make_list(p, family, use, &known[*n].cells);
	if (r < 0)
		return r;
	*ret = known[*n].cells->n ? known[*n].cells : NULL;
	(*n)++;
	return 0;
}

/* ---- who ---- */

/* "front-to-api, api-to-pg", cut where it is long: of the class alone, whoever comes into it. */
static void name_class(const struct policies *p, const uint64_t *bits, char *buf, size_t size)
{
	const struct weir_model *model = p->who.model;
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < model->n_policies && used < size - 1; i++) {
		if (!(bits[i / 64] >> i % 64 & 1))
			continue;
		int n = snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
				 model->policies[i].name);
		used = n > 0 && (size_t)n < size - used ? used + (size_t)n : size - 1;
	}
}

static uint64_t class_id(const struct policies *p, const uint64_t *bits)
{
	const struct weir_model *model = p->who.model;
	uint64_t d = WEIR_DIGEST_START;

	for (size_t i = 0; i < model->n_policies; i++)
		if (bits[i / 64] >> i % 64 & 1)
			d = weir_digest_text(d, model->policies[i].name);
	return d;
}

static int add_class(struct policies *p, size_t set, uint64_t id)
{
	char owner[WEIR_OWNER_MAX + 1];
	struct weir_entry entry = { .kind = WEIR_ENTRY_CLASS, .class = id, .owner = owner };

	name_class(p, p->who.sets[set].bits, owner, sizeof(owner));
	return add(p, &entry);
}

static struct weir_entry entry_of(const struct weir_inhabitant *who, enum weir_entry_kind kind)
{
	return (struct weir_entry){
		.kind = kind,
		.family = who->family,
		.flags = who->name ? 0 : WEIR_OUTSIDE,
		.addr = who->lo,
		.prefix_len = (uint8_t)weir_family_bits(who->family),
		.owner = who->name ? who->name : "outside",
		.origin = who->origin,
	};
}

/* The longest run of addresses from lo, not beyond hi, that a prefix can name. */
static struct weir_prefix prefix_from(const struct weir_addr *lo, const struct weir_addr *hi)
{
	struct weir_prefix prefix = { *lo, (uint8_t)weir_family_bits(lo->family) };

	for (struct weir_prefix wider = prefix; wider.len-- > 0; prefix = wider) {
		struct weir_addr base = weir_prefix_base(&wider), last = weir_prefix_last(&wider);
		if (weir_addr_cmp(&base, lo) != 0 || weir_addr_cmp(&last, hi) > 0)
			break;
	}
	return prefix;
}

/* An entry for each of the prefixes that a range is made of. */
static int add_range(struct policies *p, struct weir_entry *entry, struct weir_addr lo,
		     const struct weir_addr *hi)
{
	for (;;) {
		struct weir_prefix prefix = prefix_from(&lo, hi);
		struct weir_addr last = weir_prefix_last(&prefix);
		entry->addr = lo;
		entry->prefix_len = prefix.len;
		int r = add(p, entry);
		if (r < 0 || weir_addr_cmp(&last, hi) >= 0 || !weir_addr_add(&last, 1, &lo))
			return r;
	}
}

/* The i-th inhabitant, as a member; ranges side by side that are of one class are one. Returns how many were
 * taken, or an error. */
static int add_member(struct policies *p, size_t i, uint64_t class)
{
	const struct weir_inhabitant *who = &p->who.items[i];
	struct weir_entry entry = entry_of(who, WEIR_ENTRY_MEMBER);
	size_t last = i;

	entry.class = class;
	while (!who->name && last + 1 < p->who.n && p->who.items[last + 1].family == who->family &&
	       p->who.items[last + 1].from == who->from)
		last++;
	int r = add_range(p, &entry, who->lo, &p->who.items[last].hi);
	return r < 0 ? r : (int)(last - i + 1);
}

static int add_members(struct policies *p, size_t set, uint64_t class)
{
	for (size_t i = 0; i < p->who.n;) {
		int r = p->who.items[i].from == set ? add_member(p, i, class) : 1;
		if (r < 0)
			return r;
		i += (size_t)r;
	}
	return 0;
}

/* ---- pairs ---- */

static struct reach reach_of(const struct policies *p, size_t set)
{
	struct reach reach = { 0 };
	for (size_t i = 0; i < p->who.n; i++) {
		const struct weir_inhabitant *who = &p->who.items[i];
		if (who->from != set)
			continue;
		reach.endpoints[who->family] = true;
		reach.outside[who->family] |= who->name != NULL;
	}
	return reach;
}

static bool reaches(const struct reach *reach, const struct weir_inhabitant *who)
{
	return who->name ? reach->endpoints[who->family] : reach->outside[who->family];
}

static int pair_list(struct policies *p, size_t set, const struct weir_inhabitant *who,
		     const struct weir_cells **ret)
{
	struct row *row = &p->row[who->to];
	int r = row->found[who->family] ? 0
					: find_list(p, set, who->to, who->family,
						    WEIR_CELLS_FORWARD, &row->cells[who->family]);
	row->found[who->family] = r == 0;
	*ret = row->cells[who->family];
	return r;
}

/* What the class may say to the i-th, and to the ranges beside it of which the same is said. */
static int add_pair(struct policies *p, size_t set, size_t i, uint64_t class, bool *ret_any)
{
	const struct weir_inhabitant *who = &p->who.items[i];
	struct weir_entry entry = entry_of(who, WEIR_ENTRY_PAIR);
	const struct weir_cells *cells, *next;
	size_t last = i;

	int r = pair_list(p, set, who, &cells);
	while (r == 0 && !who->name && last + 1 < p->who.n &&
	       p->who.items[last + 1].family == who->family) {
		r = pair_list(p, set, &p->who.items[last + 1], &next);
		if (next != cells)
			break;
		last++;
	}
	if (r == 0 && cells) {
		entry.class = class;
		entry.list = cells->id;
		*ret_any = true;
		r = add_range(p, &entry, who->lo, &p->who.items[last].hi);
	}
	return r < 0 ? r : (int)(last - i + 1);
}

static int compile_class(struct policies *p, size_t set)
{
	const struct reach reach = reach_of(p, set);
	uint64_t id = class_id(p, p->who.sets[set].bits);
	bool any = false;

	memset(p->row, 0, p->who.n_sets * sizeof(*p->row));
	for (size_t i = 0; i < p->who.n;) {
		int r = reaches(&reach, &p->who.items[i]) ? add_pair(p, set, i, id, &any) : 1;
		if (r < 0)
			return r;
		i += (size_t)r;
	}
	if (!any)
		return 0;
	int r = add_class(p, set, id);
	return r < 0 ? r : add_members(p, set, id);
}

/* By its link-local address it is the same one. */
static int add_host_pair(struct policies *p, const struct weir_inhabitant *who, bool from_host)
{
	struct weir_entry entry = entry_of(who, WEIR_ENTRY_HOST_PAIR);
	const struct weir_cells *cells = NULL;
	int r = find_list(p, from_host ? p->who.host_from : who->from,
			  from_host ? who->to : p->who.host_to, who->family, WEIR_CELLS_HOST,
			  &cells);

	if (r < 0 || !cells)
		return r;
	entry.flags = from_host ? WEIR_FROM_HOST_PAIR : 0;
	entry.prefix_len = 0; /* an address, never a prefix */
	entry.list = cells->id;
	r = add(p, &entry);
	if (r < 0 || !weir_addr_is_set(&who->link_local))
		return r;
	entry.addr = who->link_local;
	(void)snprintf(entry.ifname, sizeof(entry.ifname), "%s", who->ifname);
	return add(p, &entry);
}

static int compile_host(struct policies *p)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < p->who.n; i++) {
		const struct weir_inhabitant *who = &p->who.items[i];
		if (!who->name || !who->meets_host)
			continue;
		r = add_host_pair(p, who, false);
		if (r == 0)
			r = add_host_pair(p, who, true);
	}
	return r;
}

int weir_compile_policies(const struct weir_model *model, struct weir_ruleset *ret,
			  struct weir_err *err)
{
	WEIR_CLEAN_ARENA struct weir_arena arena = { 0 };
	struct policies p = { .who.model = model, .arena = &arena, .rules = ret, .err = err };

	if (!model->n_policies)
		return 0;
	p.chosen = weir_arena_alloc(&arena, model->n_policies * sizeof(*p.chosen));
	p.both = weir_arena_alloc(&arena, (model->n_policies / 64 + 1) * sizeof(*p.both));
	if (!p.chosen || !p.both || weir_population_take(model, &arena, &p.who) < 0)
		return no_memory(&p);
	p.row = weir_arena_alloc(&arena, p.who.n_sets * sizeof(*p.row));
	if (!p.row)
		return no_memory(&p);
	int r = 0;
	for (size_t set = 0; r == 0 && set < p.who.n_sets; set++)
		r = compile_class(&p, set);
	return r < 0 ? r : compile_host(&p);
}
