/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel table by way of libip4tc or libip6tc: read what is weir's, change it, commit. */
#include "backends/iptables/table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/iptables/entry.h"
#include "backends/iptables/iptc.h"

/* How it works
 * libiptc holds a whole table in memory, ours and everybody's, and commits it whole; the kernel
 * refuses when the table has another number of rules than the snapshot. Of chains that are not ours
 * only the rules that lead into ours are looked at. A change goes through both images chain by
 * chain: equal rules are left where they are, so that libiptc carries their counters over. */

enum { LABEL = 32 }; /* libiptc copies so much whatever the text's length */

static const char *const table_names[] = { [WEIR_IPT_FILTER] = "filter", [WEIR_IPT_NAT] = "nat" };

static const struct weir_iptc *iptc_of(const struct weir_ipt_place *place)
{
	return &weir_iptc[place->family];
}

const char *weir_ipt_place_name(const struct weir_ipt_place *place)
{
	static const char *const names[][WEIR_NUM_FAMILIES] = {
		[WEIR_IPT_FILTER] = { "", "filter (IPv4)", "filter (IPv6)" },
		[WEIR_IPT_NAT] = { "", "nat (IPv4)", "nat (IPv6)" },
	};
	return names[place->table][place->family];
}

static const char *label(char buf[LABEL], const char *text)
{
	memset(buf, 0, LABEL);
	(void)strncpy(buf, text, LABEL - 1);
	return buf;
}

static int refuse(const struct weir_ipt_place *place, struct weir_err *err, const char *doing,
		  const char *chain)
{
	int code = errno ? errno : EIO;
	return weir_err_set(err, code, "%s%s%s in table %s: %s", doing, chain ? " " : "",
			    chain ? chain : "", weir_ipt_place_name(place),
			    iptc_of(place)->strerror(code));
}

/* ---- opening ---- */

bool weir_ipt_table_exists(const struct weir_ipt_place *place)
{
	char line[64];
	bool found = false;
	FILE *names = fopen(iptc_of(place)->names, "re");
	if (!names)
		return false;
	while (!found && fgets(line, sizeof(line), names)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, table_names[place->table]) == 0;
	}
	(void)fclose(names); /* only read */
	return found;
}

int weir_ipt_table_open(const struct weir_ipt_place *place, struct weir_ipt_handle *ret,
			struct weir_err *err)
{
	void *iptc = iptc_of(place)->init(table_names[place->table]);
	if (iptc) {
		*ret = (struct weir_ipt_handle){ place, iptc };
		return 0;
	}
	if (errno == EPERM || errno == EACCES)
		return weir_err_set(err, EPERM,
				    "legacy iptables: weir needs to be root (CAP_NET_ADMIN)");
	if (errno == ENOENT || errno == ENOPROTOOPT)
		return weir_err_set(
			err, EOPNOTSUPP,
			"this kernel has no legacy table %s (CONFIG_NETFILTER_XTABLES_LEGACY; "
			"use --backend nftables)",
			weir_ipt_place_name(place));
	return refuse(place, err, "reading rules", NULL);
}

void weir_ipt_table_close(struct weir_ipt_handle *handle)
{
	if (handle->iptc)
		iptc_of(handle->place)->free(handle->iptc);
	*handle = (struct weir_ipt_handle){ 0 };
}

/* FNV-1a */
bool weir_ipt_table_stir(const struct weir_ipt_place *place, uint32_t *hash)
{
	struct weir_iptc_info info;
	if (!weir_ipt_table_exists(place))
		return true;
	if (!iptc_of(place)->info(table_names[place->table], &info))
		return false;
	for (size_t i = 0; i < sizeof(info); i++)
		*hash = (*hash ^ ((const uint8_t *)&info)[i]) * 0x01000193U;
	return true;
}

/* ---- reading ---- */

static bool is_ours(const char *chain)
{
	return strncmp(chain, WEIR_IPT_PREFIX, strlen(WEIR_IPT_PREFIX)) == 0;
}

static size_t count_rules(const struct weir_ipt_handle *handle, const char *chain)
{
	const struct weir_iptc *iptc = iptc_of(handle->place);
	size_t n = 0;
	for (const void *e = iptc->first_rule(chain, handle->iptc); e;
	     e = iptc->next_rule(e, handle->iptc))
		n++;
	return n;
}

static int read_chain(const struct weir_ipt_handle *handle, const char *name,
		      struct weir_ipt_image *image)
{
	const struct weir_iptc *iptc = iptc_of(handle->place);
	bool ours = is_ours(name);
	size_t chain = SIZE_MAX;
	unsigned line = 0;
	if (ours) {
		chain = weir_ipt_image_chain(image, name);
		weir_ipt_image_reserve(image, chain, count_rules(handle, name));
	}
	for (const void *e = iptc->first_rule(name, handle->iptc); e;
	     e = iptc->next_rule(e, handle->iptc)) {
		const char *target = iptc->target(e, handle->iptc);
		struct weir_ipt_rule rule;
		line++;
		if (!ours && !is_ours(target))
			continue;
		if (chain == SIZE_MAX)
			chain = weir_ipt_image_chain(image, name);
		int r = weir_ipt_entry_read(handle->place->family, e, target, &image->arena, &rule);
		if (r < 0)
			return r;
		weir_ipt_image_rule(image, chain, &rule, ours ? 0 : line);
	}
	return 0;
}

static bool is_builtin(const char *name)
{
	static const char *const builtin[] = { "PREROUTING", "INPUT", "FORWARD", "OUTPUT",
					       "POSTROUTING" };
	for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++)
		if (strcmp(name, builtin[i]) == 0)
			return true;
	return false;
}

int weir_ipt_table_read(const struct weir_ipt_handle *handle, const char *only,
			struct weir_ipt_image *ret, struct weir_err *err)
{
	const struct weir_iptc *iptc = iptc_of(handle->place);
	struct weir_ipt_image image = { 0 };
	int r = 0;
	/* a jump into our chains from somebody's own chain is theirs */
	for (const char *c = iptc->first_chain(handle->iptc); r == 0 && c;
	     c = iptc->next_chain(handle->iptc))
		if (only ? strcmp(c, only) == 0 : is_ours(c) || is_builtin(c))
			r = read_chain(handle, c, &image);
	if (r == 0)
		r = weir_ipt_image_finish(&image);
	if (r < 0) {
		weir_ipt_image_free(&image);
		return weir_err_set(err, r, "no memory to read table %s",
				    weir_ipt_place_name(handle->place));
	}
	*ret = image;
	return 0;
}

/* ---- changing ---- */

struct change {
	struct weir_ipt_handle *handle;
	const struct weir_iptc *iptc;
	const struct weir_trace *trace;
	struct weir_err *err;
	size_t n;
};

/* Before the library's call: its errno is to be told. */
static void tell(struct change *c, const char *what, const char *chain,
		 const struct weir_ipt_rule *rule)
{
	char text[WEIR_IPT_RULE_TEXT] = "";
	c->n++;
	if (!c->trace || !c->trace->line)
		return;
	weir_trace(c->trace, "%s -t %s -%s %s%s%s",
		   c->handle->place->family == WEIR_IPV4 ? "iptables-legacy" : "ip6tables-legacy",
		   table_names[c->handle->place->table], what, chain, rule ? " " : "",
		   rule ? weir_ipt_rule_text(rule, text) : "");
}

/* position counts from 0; at the chain's end it appends. */
static int insert(struct change *c, const char *chain, size_t position, size_t len,
		  const struct weir_ipt_rule *rule)
{
	uint8_t entry[WEIR_IPT_ENTRY_SIZE] __attribute__((aligned(8)));
	char name[LABEL];
	const void *e = entry;
	if (rule->raw)
		e = rule->raw;
	else
		(void)weir_ipt_entry_write(c->handle->place->family, rule, entry);
	(void)label(name, chain);
	tell(c, position == len ? "A" : "I", chain, rule);
	bool done = position == len ? c->iptc->append(name, e, c->handle->iptc)
				    : c->iptc->insert(name, e, (unsigned)position, c->handle->iptc);
	return done ? 0 : refuse(c->handle->place, c->err, "adding a rule to", chain);
}

static int take_out(struct change *c, const char *chain, size_t position,
		    const struct weir_ipt_rule *rule)
{
	char name[LABEL];
	tell(c, "D", chain, rule);
	bool done = c->iptc->delete_rule(label(name, chain), (unsigned)position, c->handle->iptc);
	return done ? 0 : refuse(c->handle->place, c->err, "deleting a rule of", chain);
}

/* Is the rule further on in the chain? */
static bool comes_later(const struct weir_ipt_chain *chain, size_t from,
			const struct weir_ipt_rule *rule)
{
	for (size_t i = from; i < chain->n; i++)
		if (weir_ipt_rule_equal(&chain->rules[i], rule))
			return true;
	return false;
}

/* One of our chains. What is not wanted goes, what is missing comes in its place. */
static int change_chain(struct change *c, const struct weir_ipt_chain *there,
			const struct weir_ipt_chain *wanted)
{
	size_t position = 0, len = there->n;
	int r = 0;
	for (size_t i = 0, j = 0; r == 0 && (i < there->n || j < wanted->n);) {
		const struct weir_ipt_rule *have = i < there->n ? &there->rules[i] : NULL;
		const struct weir_ipt_rule *want = j < wanted->n ? &wanted->rules[j] : NULL;
		if (have && want && weir_ipt_rule_equal(have, want)) {
			i++, j++, position++;
		} else if (!have ||
			   (want && comes_later(wanted, j, have) && !comes_later(there, i, want))) {
			r = insert(c, there->name, position++, len++, want);
			j++;
		} else { /* not wanted, or wanted later: it is made anew there */
			r = take_out(c, there->name, position, have);
			i++, len--;
		}
	}
	return r;
}

/* A built-in chain: our jump stays where it is, and comes first when it is new. */
static int change_builtin(struct change *c, const struct weir_ipt_chain *there,
			  const struct weir_ipt_chain *wanted)
{
	const char *name = there ? there->name : wanted->name;
	int r = 0;
	if (there && wanted && weir_ipt_chain_equal(there, wanted))
		return 0;
	for (size_t i = there ? there->n : 0; r == 0 && i-- > 0;)
		r = take_out(c, name, there->lines[i] - 1, &there->rules[i]);
	for (size_t i = wanted ? wanted->n : 0; r == 0 && i-- > 0;)
		r = insert(c, name, 0, SIZE_MAX, &wanted->rules[i]);
	return r;
}

static int create(struct change *c, const char *chain)
{
	char name[LABEL];
	tell(c, "N", chain, NULL);
	bool done = c->iptc->create_chain(label(name, chain), c->handle->iptc);
	return done ? 0 : refuse(c->handle->place, c->err, "making chain", chain);
}

static int flush(struct change *c, const char *chain)
{
	char name[LABEL];
	tell(c, "F", chain, NULL);
	bool done = c->iptc->flush(label(name, chain), c->handle->iptc);
	return done ? 0 : refuse(c->handle->place, c->err, "emptying chain", chain);
}

static int destroy(struct change *c, const char *chain)
{
	char name[LABEL];
	tell(c, "X", chain, NULL);
	bool done = c->iptc->delete_chain(label(name, chain), c->handle->iptc);
	if (!done && errno == EMLINK)
		return weir_err_set(
			c->err, EBUSY,
			"chain %s in table %s is still used by a rule that is not weir's "
			"(remove that rule)",
			chain, weir_ipt_place_name(c->handle->place));
	return done ? 0 : refuse(c->handle->place, c->err, "removing chain", chain);
}

/* What each pass does with a chain of which one or both are there. */
typedef int (*pass)(struct change *c, const struct weir_ipt_chain *there,
		    const struct weir_ipt_chain *wanted);

static int pass_create(struct change *c, const struct weir_ipt_chain *there,
		       const struct weir_ipt_chain *wanted)
{
	return !there && !wanted->builtin ? create(c, wanted->name) : 0;
}

static int pass_change(struct change *c, const struct weir_ipt_chain *there,
		       const struct weir_ipt_chain *wanted)
{
	struct weir_ipt_chain empty = { .name = wanted ? wanted->name : NULL };
	if ((there ? there : wanted)->builtin)
		return change_builtin(c, there, wanted);
	if (!wanted)
		return there->n ? flush(c, there->name) : 0;
	return change_chain(c, there ? there : &empty, wanted);
}

static int pass_destroy(struct change *c, const struct weir_ipt_chain *there,
			const struct weir_ipt_chain *wanted)
{
	return !wanted && !there->builtin ? destroy(c, there->name) : 0;
}

static int walk(struct change *c, const struct weir_ipt_image *there,
		const struct weir_ipt_image *wanted, pass what)
{
	int r = 0;
	for (size_t i = 0, j = 0; r == 0 && (i < there->n || j < wanted->n);) {
		const struct weir_ipt_chain *old = i < there->n ? &there->chains[i] : NULL;
		const struct weir_ipt_chain *new = j < wanted->n ? &wanted->chains[j] : NULL;
		int order = !old ? 1 : !new ? -1 : weir_ipt_chain_cmp(old, new);
		assert(old || new);
		r = what(c, order <= 0 ? old : NULL, order >= 0 ? new : NULL);
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}

int weir_ipt_table_change(struct weir_ipt_handle *handle, const struct weir_ipt_image *there,
			  const struct weir_ipt_image *wanted, const struct weir_trace *trace,
			  size_t *ret_changes, struct weir_err *err)
{
	struct change c = {
		.handle = handle, .iptc = iptc_of(handle->place), .trace = trace, .err = err
	};
	/* chains before what leads to them, and after it when they go */
	int r = walk(&c, there, wanted, pass_create);
	if (r == 0)
		r = walk(&c, there, wanted, pass_change);
	if (r == 0)
		r = walk(&c, there, wanted, pass_destroy);
	if (r == 0)
		*ret_changes = c.n;
	return r;
}

int weir_ipt_table_commit(struct weir_ipt_handle *handle, struct weir_err *err)
{
	const struct weir_ipt_place *place = handle->place;
	errno = 0;
	int r = iptc_of(place)->commit(handle->iptc) ? 0 : -(errno ? errno : EIO);
	weir_ipt_table_close(handle);
	if (r == -EAGAIN)
		return weir_err_set(err, EAGAIN, "table %s was changed by somebody else meanwhile",
				    weir_ipt_place_name(place));
	if (r == -ENOENT)
		return weir_err_set(
			err, EOPNOTSUPP,
			"this kernel lacks a match or target that weir needs in table %s "
			"(conntrack, addrtype, comment, sctp, DNAT, MASQUERADE)",
			weir_ipt_place_name(place));
	if (r < 0)
		return weir_err_errno(err, r, "committing table %s", weir_ipt_place_name(place));
	return 0;
}
