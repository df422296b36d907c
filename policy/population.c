/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everybody whom policies can pick, and which ones do.
 *
 * How it works: an attachment's address is a point. The rest of the world is cut into ranges at every
 * block's and every exception's ends, so that a policy picks all of a range or none of it.
 *
 * Most policies go by networks and labels, and thousands of endpoints carry the same few of these: what they
 * say is asked once for each combination. Policies that name endpoints or addresses are asked for each point. */
#include "policy/population.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/selector.h"

struct selection {
	const struct weir_selector *items;
	size_t n;
};

/* What policies that go by networks and labels say of all who have these. */
struct kind {
	const char *network;
	const struct weir_endpoint *ep; /* the first of them */
	uint64_t digest;
	uint64_t *from, *to;
};

struct census {
	struct weir_population *to;
	struct kind *kinds;
	size_t n_kinds;
	size_t *single; /* policies that do not go by networks and labels alone */
	size_t n_single;
	uint64_t *from, *to_bits; /* being filled */
	struct weir_addr *cuts;
	size_t n_cuts;
};

static struct selection senders(const struct weir_policy *policy)
{
	return (struct selection){ policy->from, policy->n_from };
}

static struct selection receivers(const struct weir_policy *policy)
{
	return (struct selection){ policy->to, policy->n_to };
}

/* ---- sets ---- */

static void put(uint64_t *bits, size_t i)
{
	bits[i / 64] |= UINT64_C(1) << i % 64;
}

static uint64_t *new_bits(const struct weir_population *p)
{
	return weir_arena_alloc(p->arena, (p->words + 1) * sizeof(uint64_t));
}

/* The set with these bits, which are copied when it is a new one. */
static int intern(struct weir_population *p, const uint64_t *bits, size_t *ret)
{
	size_t size = p->words * sizeof(*bits);
	uint64_t digest = weir_digest(WEIR_DIGEST_START, bits, size);

	for (size_t i = 0; i < p->n_sets; i++)
		if (p->sets[i].digest == digest && memcmp(p->sets[i].bits, bits, size) == 0) {
			*ret = i;
			return 0;
		}
	struct weir_picks *sets = weir_arena_grow(p->arena, p->sets, p->n_sets, sizeof(*sets));
	uint64_t *copy = sets ? new_bits(p) : NULL;
	if (!copy)
		return -ENOMEM;
	memcpy(copy, bits, size);
	p->sets = sets;
	sets[p->n_sets] = (struct weir_picks){ copy, digest };
	*ret = p->n_sets++;
	return 0;
}

static int add_inhabitant(struct census *c, const struct weir_inhabitant *who)
{
	struct weir_population *p = c->to;
	struct weir_inhabitant *items = weir_arena_grow(p->arena, p->items, p->n, sizeof(*items));

	if (!items)
		return -ENOMEM;
	p->items = items;
	items[p->n] = *who;
	int r = intern(p, c->from, &items[p->n].from);
	if (r == 0)
		r = intern(p, c->to_bits, &items[p->n].to);
	p->n++;
	return r;
}

/* ---- endpoints ---- */

/* Does it depend on nothing but networks and labels? */
static bool goes_by_kind(struct selection sel)
{
	for (size_t i = 0; i < sel.n; i++)
		if (sel.items[i].kind == WEIR_SELECT_BLOCKS || sel.items[i].n_endpoints)
			return false;
	return true;
}

static int find_single(struct census *c)
{
	const struct weir_model *model = c->to->model;

	c->single = weir_arena_alloc(c->to->arena, (model->n_policies + 1) * sizeof(*c->single));
	for (size_t i = 0; c->single && i < model->n_policies; i++)
		if (!goes_by_kind(senders(&model->policies[i])) ||
		    !goes_by_kind(receivers(&model->policies[i])))
			c->single[c->n_single++] = i;
	return c->single ? 0 : -ENOMEM;
}

static uint64_t digest_of_kind(const struct weir_endpoint *ep, const char *network)
{
	uint64_t d = weir_digest_text(WEIR_DIGEST_START, network);
	for (size_t i = 0; i < ep->n_labels; i++) {
		d = weir_digest_text(d, ep->labels[i].key);
		d = weir_digest_text(d, ep->labels[i].value);
	}
	return d;
}

static bool is_of_kind(const struct kind *kind, const struct weir_endpoint *ep, const char *network,
		       uint64_t digest)
{
	if (kind->digest != digest || kind->ep->n_labels != ep->n_labels ||
	    strcmp(kind->network, network) != 0)
		return false;
	for (size_t i = 0; i < ep->n_labels; i++)
		if (strcmp(kind->ep->labels[i].key, ep->labels[i].key) != 0 ||
		    strcmp(kind->ep->labels[i].value, ep->labels[i].value) != 0)
			return false;
	return true;
}

static void ask_kind(const struct weir_model *model, const struct weir_endpoint *ep,
		     const struct weir_attachment *att, enum weir_family family, struct kind *kind)
{
	for (size_t i = 0; i < model->n_policies; i++) {
		struct selection from = senders(&model->policies[i]);
		struct selection to = receivers(&model->policies[i]);
		if (goes_by_kind(from) && weir_selectors_pick(from.items, from.n, ep, att, family))
			put(kind->from, i);
		if (goes_by_kind(to) && weir_selectors_pick(to.items, to.n, ep, att, family))
			put(kind->to, i);
	}
}

/* NULL: no memory. */
static const struct kind *kind_of(struct census *c, const struct weir_endpoint *ep,
				  const struct weir_attachment *att, enum weir_family family)
{
	uint64_t digest = digest_of_kind(ep, att->network);
	for (size_t i = 0; i < c->n_kinds; i++)
		if (is_of_kind(&c->kinds[i], ep, att->network, digest))
			return &c->kinds[i];
	struct kind *kinds = weir_arena_grow(c->to->arena, c->kinds, c->n_kinds, sizeof(*kinds));
	if (!kinds)
		return NULL;
	c->kinds = kinds;
	struct kind *kind = &kinds[c->n_kinds];
	*kind = (struct kind){
		.network = att->network,
		.ep = ep,
		.digest = digest,
		.from = new_bits(c->to),
		.to = new_bits(c->to),
	};
	if (!kind->from || !kind->to)
		return NULL;
	ask_kind(c->to->model, ep, att, family, kind);
	c->n_kinds++;
	return kind;
}

static int take_address(struct census *c, const struct weir_endpoint *ep,
			const struct weir_attachment *att, enum weir_family family,
			const struct weir_network *net)
{
	const struct weir_model *model = c->to->model;
	const struct kind *kind = kind_of(c, ep, att, family);
	struct weir_inhabitant who = {
		.family = family,
		.name = ep->name,
		.lo = att->addrs[family],
		.hi = att->addrs[family],
		.meets_host = !net->gateway_endpoint,
		.ifname = weir_mode_traits(net->mode)->routed ? att->host_ifname : net->ifname,
		.origin = att->origin,
	};

	if (!kind)
		return -ENOMEM;
	if (family == WEIR_IPV6)
		who.link_local = weir_link_local(&att->mac);
	memcpy(c->from, kind->from, c->to->words * sizeof(c->from[0]));
	memcpy(c->to_bits, kind->to, c->to->words * sizeof(c->to_bits[0]));
	for (size_t k = 0; k < c->n_single; k++) {
		size_t i = c->single[k];
		struct selection from = senders(&model->policies[i]);
		struct selection to = receivers(&model->policies[i]);
		if (!goes_by_kind(from) && weir_selectors_pick(from.items, from.n, ep, att, family))
			put(c->from, i);
		if (!goes_by_kind(to) && weir_selectors_pick(to.items, to.n, ep, att, family))
			put(c->to_bits, i);
	}
	return add_inhabitant(c, &who);
}

/* A pair of endpoints without a bridge never meets the host. */
static int take_attachment(struct census *c, const struct weir_endpoint *ep,
			   const struct weir_attachment *att)
{
	const struct weir_network *net = weir_model_network(c->to->model, att->network);
	int r = 0;

	if (!net || !weir_mode_traits(net->mode)->host)
		return 0;
	for (enum weir_family f = WEIR_IPV4; r == 0 && f < WEIR_NUM_FAMILIES; f++)
		if (weir_addr_is_set(&att->addrs[f]))
			r = take_address(c, ep, att, f, net);
	return r;
}

/* ---- the outside ---- */

static int compare_addrs(const void *a, const void *b)
{
	return weir_addr_cmp(a, b);
}

static int add_cut(struct census *c, const struct weir_addr *addr)
{
	struct weir_addr *cuts = weir_arena_grow(c->to->arena, c->cuts, c->n_cuts, sizeof(*cuts));
	if (!cuts)
		return -ENOMEM;
	c->cuts = cuts;
	cuts[c->n_cuts++] = *addr;
	return 0;
}

/* Where it begins, and where what comes behind it does. */
static int cut_at(struct census *c, const struct weir_prefix *prefix, enum weir_family family)
{
	struct weir_addr base = weir_prefix_base(prefix), last = weir_prefix_last(prefix), behind;
	int r = prefix->addr.family == family ? add_cut(c, &base) : 0;

	if (r == 0 && prefix->addr.family == family && weir_addr_add(&last, 1, &behind))
		r = add_cut(c, &behind);
	return r;
}

static int cut_selection(struct census *c, struct selection sel, enum weir_family family)
{
	int r = 0;
	for (size_t i = 0; i < sel.n; i++)
		for (size_t k = 0; r == 0 && k < sel.items[i].n_blocks; k++) {
			const struct weir_block *block = &sel.items[i].blocks[k];
			r = cut_at(c, &block->prefix, family);
			for (size_t e = 0; r == 0 && e < block->n_except; e++)
				r = cut_at(c, &block->except[e], family);
		}
	return r;
}

static bool picks_outside(struct selection sel, const struct weir_addr *addr)
{
	for (size_t i = 0; i < sel.n; i++) {
		const struct weir_selector *s = &sel.items[i];
		if (s->kind == WEIR_SELECT_OUTSIDE)
			return true;
		for (size_t k = 0; s->kind == WEIR_SELECT_BLOCKS && k < s->n_blocks; k++)
			if (weir_block_holds(&s->blocks[k], addr))
				return true;
	}
	return sel.n == 0;
}

/* The address before one that is not the first. */
static struct weir_addr before(struct weir_addr addr)
{
	size_t i = weir_family_bits(addr.family) / 8;
	while (i-- > 0 && addr.bytes[i]-- == 0)
		continue;
	return addr;
}

static int take_range(struct census *c, const struct weir_addr *lo, const struct weir_addr *hi)
{
	const struct weir_model *model = c->to->model;
	struct weir_inhabitant who = { .family = lo->family, .lo = *lo, .hi = *hi };

	memset(c->from, 0, c->to->words * sizeof(c->from[0]));
	memset(c->to_bits, 0, c->to->words * sizeof(c->to_bits[0]));
	for (size_t i = 0; i < model->n_policies; i++) {
		if (picks_outside(senders(&model->policies[i]), lo))
			put(c->from, i);
		if (picks_outside(receivers(&model->policies[i]), lo))
			put(c->to_bits, i);
	}
	return add_inhabitant(c, &who);
}

static int take_outside(struct census *c, enum weir_family family)
{
	const struct weir_model *model = c->to->model;
	struct weir_addr first = { .family = (uint8_t)family };
	struct weir_prefix all = { .addr = first };

	c->cuts = NULL;
	c->n_cuts = 0;
	int r = add_cut(c, &first);
	for (size_t i = 0; r == 0 && i < model->n_policies; i++) {
		r = cut_selection(c, senders(&model->policies[i]), family);
		if (r == 0)
			r = cut_selection(c, receivers(&model->policies[i]), family);
	}
	if (r == 0)
		qsort(c->cuts, c->n_cuts, sizeof(c->cuts[0]), compare_addrs);
	for (size_t i = 0; r == 0 && i < c->n_cuts; i++) {
		bool last = i + 1 == c->n_cuts;
		if (!last && weir_addr_cmp(&c->cuts[i], &c->cuts[i + 1]) == 0)
			continue;
		struct weir_addr hi = last ? weir_prefix_last(&all) : before(c->cuts[i + 1]);
		r = take_range(c, &c->cuts[i], &hi);
	}
	return r;
}

/* ---- the host ---- */

static bool names_host(struct selection sel)
{
	for (size_t i = 0; i < sel.n; i++)
		if (sel.items[i].kind == WEIR_SELECT_HOST)
			return true;
	return false;
}

static int take_host(struct census *c)
{
	struct weir_population *p = c->to;

	memset(c->from, 0, p->words * sizeof(c->from[0]));
	memset(c->to_bits, 0, p->words * sizeof(c->to_bits[0]));
	for (size_t i = 0; i < p->model->n_policies; i++) {
		if (names_host(senders(&p->model->policies[i])))
			put(c->from, i);
		if (names_host(receivers(&p->model->policies[i])))
			put(c->to_bits, i);
	}
	int r = intern(p, c->from, &p->host_from);
	return r < 0 ? r : intern(p, c->to_bits, &p->host_to);
}

int weir_population_take(const struct weir_model *model, struct weir_arena *arena,
			 struct weir_population *ret)
{
	struct weir_population p = { .model = model,
				     .arena = arena,
				     .words = (model->n_policies + 63) / 64 };
	struct census c = { .to = &p, .from = new_bits(&p), .to_bits = new_bits(&p) };
	int r = c.from && c.to_bits ? find_single(&c) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < model->n_endpoints; i++)
		for (size_t k = 0; r == 0 && k < model->endpoints[i].n_attachments; k++)
			r = take_attachment(&c, &model->endpoints[i],
					    &model->endpoints[i].attachments[k]);
	for (enum weir_family f = WEIR_IPV4; r == 0 && f < WEIR_NUM_FAMILIES; f++)
		r = take_outside(&c, f);
	if (r == 0)
		r = take_host(&c);
	if (r == 0)
		*ret = p;
	return r;
}
