/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks and pools in a spec. */
#include "core/spec.h"
#include "core/spec_read.h"

#include <stdio.h>
#include <string.h>

#include "core/model_check.h"

enum { WORD_TEXT = 64 };

/* A network while it is read: what the model cannot tell apart from a default. */
struct reading {
	struct weir_network *net;
	bool has_subnets;
	bool nat_word;				  /* nat: masquerade is in its list */
	const struct weir_spec_node *host_allow;  /* host: allow, said so */
	const struct weir_spec_node *spoof_guard; /* spoof_guard: true, said so */
};

/* ---- addresses ---- */

static int read_subnet(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_network *net = ((struct reading *)object)->net;
	struct weir_prefix prefix;

	int r = weir_spec_read_prefix(spec, value, &prefix);
	if (r < 0)
		return r;
	struct weir_subnet *subnets = weir_arena_grow(&spec->model->arena, net->subnets,
						      net->n_subnets, sizeof(*subnets));
	if (!subnets)
		return weir_spec_no_memory(spec);
	subnets[net->n_subnets++] =
		(struct weir_subnet){ .prefix = prefix, .origin = weir_spec_place(spec, value) };
	net->subnets = subnets;
	return 0;
}

static int read_subnets(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct reading *reading = object;

	if (reading->has_subnets)
		return weir_spec_fail(spec, value,
				      "\"subnet\" and \"subnets\" say the same: keep one");
	reading->has_subnets = true;
	if (weir_spec_is_null(value))
		return weir_spec_expected(spec, value, "a prefix or a list of prefixes");
	return weir_spec_read_one_or_more(spec, value, "a prefix or a list of prefixes",
					  read_subnet, object);
}

static int read_gateway_addr(struct weir_spec *spec, const struct weir_spec_node *value,
			     void *object)
{
	return weir_spec_read_addr_slot(spec, value, ((struct reading *)object)->net->gateways);
}

/* A name may hold digits and dots, but no endpoint is called like a mistyped address. */
static bool means_address(const char *text)
{
	return strpbrk(text, ":/") || !text[strspn(text, "0123456789.")];
}

static int read_gateway(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct reading *reading = object;

	if (value->kind == WEIR_SPEC_SCALAR && !weir_spec_is_null(value) &&
	    !means_address(value->text))
		return weir_spec_read_name(spec, value, "endpoint",
					   &reading->net->gateway_endpoint);
	return weir_spec_read_one_or_more(spec, value, "addresses or the name of an endpoint",
					  read_gateway_addr, object);
}

static int read_nat_item(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct reading *reading = object;
	struct weir_network *net = reading->net;
	bool scalar = value->kind == WEIR_SPEC_SCALAR && !weir_spec_is_null(value);
	bool masquerade = scalar && strcmp(value->text, "masquerade") == 0;

	if (scalar && strcmp(value->text, "random") == 0) {
		net->nat_random = true;
		return 0;
	}
	if (reading->nat_word || (masquerade && net->nat == WEIR_NAT_ADDRESS))
		return weir_spec_fail(spec, value,
				      "masquerade and an address contradict each other: "
				      "keep one");
	reading->nat_word = masquerade;
	if (masquerade)
		return 0;
	net->nat = WEIR_NAT_ADDRESS;
	return weir_spec_read_addr_slot(spec, value, net->nat_addr);
}

static int read_nat(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct reading *reading = object;
	struct weir_network *net = reading->net;
	bool scalar = value->kind == WEIR_SPEC_SCALAR;

	net->nat = WEIR_NAT_MASQUERADE;
	net->nat_random = reading->nat_word = false;
	if (scalar && strcmp(value->text, "none") == 0) {
		net->nat = WEIR_NAT_NONE;
		return 0;
	}
	if (scalar && (weir_spec_is_null(value) ||
		       (!means_address(value->text) && strcmp(value->text, "masquerade") != 0)))
		return weir_spec_expected(spec, value,
					  "masquerade, none or an address of the host's");
	if (value->kind == WEIR_SPEC_LIST && value->n == 0)
		return weir_spec_expected(spec, value, "addresses");
	return weir_spec_read_one_or_more(spec, value,
					  "addresses or masquerade, and random if it is wished",
					  read_nat_item, object);
}

/* ---- excluded addresses ---- */

/* "A-B" */
static int parse_range(const char *text, struct weir_range *ret, struct weir_err *err)
{
	const char *dash = strchr(text, '-');
	char lo[WEIR_ADDR_TEXT] = "";

	if ((size_t)(dash - text) < sizeof(lo))
		memcpy(lo, text, (size_t)(dash - text));
	int r = weir_addr_parse(lo, &ret->lo, err);
	return r < 0 ? r : weir_addr_parse(dash + 1, &ret->hi, err);
}

static int parse_excluded(const char *text, struct weir_range *ret, struct weir_err *err)
{
	struct weir_prefix prefix;
	int r;

	if (strchr(text, '-'))
		return parse_range(text, ret, err);
	if (strchr(text, '/')) {
		r = weir_prefix_parse(text, &prefix, err);
		if (r == 0)
			*ret = (struct weir_range){ weir_prefix_base(&prefix),
						    weir_prefix_last(&prefix) };
		return r;
	}
	r = weir_addr_parse(text, &ret->lo, err);
	if (r == 0)
		ret->hi = ret->lo;
	return r;
}

static int read_excluded(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	struct weir_network *net = ((struct reading *)object)->net;
	struct weir_range range;

	if (value->kind != WEIR_SPEC_SCALAR || weir_spec_is_null(value))
		return weir_spec_expected(spec, value, "an address, a range LOW-HIGH or a prefix");
	int r = parse_excluded(value->text, &range, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, value, r);
	struct weir_range *more =
		weir_arena_grow(&spec->model->arena, net->excluded, net->n_excluded, sizeof(*more));
	if (!more)
		return weir_spec_no_memory(spec);
	more[net->n_excluded++] = range;
	net->excluded = more;
	return 0;
}

static int read_exclude(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_items(spec, value, "a list of addresses, ranges and prefixes",
				    read_excluded, object);
}

/* ---- the rest ---- */

static int read_mode(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	const char *words[WEIR_NUM_MODES];
	size_t mode;

	for (int i = 0; i < WEIR_NUM_MODES; i++)
		words[i] = weir_mode_name((enum weir_mode)i);
	int r = weir_spec_read_word(spec, value, words, WEIR_NUM_MODES, &mode);
	if (r == 0)
		((struct reading *)object)->net->mode = (enum weir_mode)mode;
	return r;
}

static int read_host(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	static const char *const words[] = { "allow", "deny" };
	struct reading *reading = object;
	size_t word;

	int r = weir_spec_read_word(spec, value, words, 2, &word);
	if (r < 0)
		return r;
	reading->net->host_deny = word == 1;
	reading->host_allow = word == 0 ? value : NULL;
	return 0;
}

static int read_internal(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_bool(spec, value, &((struct reading *)object)->net->internal);
}

static int read_isolate(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_bool(spec, value, &((struct reading *)object)->net->isolate);
}

static int read_filter_bridged(struct weir_spec *spec, const struct weir_spec_node *value,
			       void *object)
{
	return weir_spec_read_bool(spec, value, &((struct reading *)object)->net->filter_bridged);
}

static int read_spoof_guard(struct weir_spec *spec, const struct weir_spec_node *value,
			    void *object)
{
	struct reading *reading = object;
	bool on;

	int r = weir_spec_read_bool(spec, value, &on);
	if (r < 0)
		return r;
	reading->net->no_spoof_guard = !on;
	reading->spoof_guard = on ? value : NULL;
	return 0;
}

static int read_mtu(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	long mtu;

	int r = weir_spec_read_number(spec, value, WEIR_MTU_MIN, WEIR_MTU_MAX, &mtu);
	if (r == 0)
		((struct reading *)object)->net->mtu = (unsigned)mtu;
	return r;
}

static int read_parent(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_ifname(spec, value, ((struct reading *)object)->net->parent);
}

static int read_vlan(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	long vlan;

	int r = weir_spec_read_number(spec, value, WEIR_VLAN_MIN, WEIR_VLAN_MAX, &vlan);
	if (r == 0)
		((struct reading *)object)->net->vlan = (unsigned)vlan;
	return r;
}

static int read_adopt(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_bool(spec, value, &((struct reading *)object)->net->adopt);
}

static int read_bridge(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_ifname(spec, value, ((struct reading *)object)->net->ifname);
}

static int read_trusted_one(struct weir_spec *spec, const struct weir_spec_node *value,
			    void *object)
{
	struct weir_network *net = ((struct reading *)object)->net;
	char ifname[WEIR_IFNAME_SIZE];

	int r = weir_spec_read_ifname(spec, value, ifname);
	if (r < 0)
		return r;
	const char **more =
		weir_arena_grow(&spec->model->arena, net->trusted, net->n_trusted, sizeof(*more));
	const char *copy = weir_arena_strdup(&spec->model->arena, ifname);
	if (!more || !copy)
		return weir_spec_no_memory(spec);
	more[net->n_trusted++] = copy;
	net->trusted = more;
	return 0;
}

static int read_trusted(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_items(spec, value, "a list of interface names", read_trusted_one,
				    object);
}

/* ---- defaults ---- */

static int read_default_word(struct weir_spec *spec, const struct weir_spec_node *value,
			     enum weir_default *ret)
{
	const char *words[WEIR_NUM_DEFAULTS];
	size_t word;

	for (int i = 0; i < WEIR_NUM_DEFAULTS; i++)
		words[i] = weir_default_name((enum weir_default)i);
	int r = weir_spec_read_word(spec, value, words, WEIR_NUM_DEFAULTS, &word);
	if (r == 0)
		*ret = (enum weir_default)word;
	return r;
}

static int read_ingress(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return read_default_word(spec, value, &((struct reading *)object)->net->ingress);
}

static int read_egress(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return read_default_word(spec, value, &((struct reading *)object)->net->egress);
}

static const struct weir_spec_key default_keys[] = {
	{ "ingress", read_ingress },
	{ "egress", read_egress },
};

static int read_default(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_keys(spec, value, "the defaults", default_keys,
				   sizeof(default_keys) / sizeof(default_keys[0]), object);
}

static int read_strict(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	return weir_spec_read_bool(spec, value, &((struct reading *)object)->net->strict);
}

static const struct weir_spec_key network_keys[] = {
	{ "subnet", read_subnets },  { "subnets", read_subnets },
	{ "gateway", read_gateway }, { "mode", read_mode },
	{ "nat", read_nat },	     { "internal", read_internal },
	{ "isolate", read_isolate }, { "host", read_host },
	{ "mtu", read_mtu },	     { "bridge", read_bridge },
	{ "adopt", read_adopt },     { "parent", read_parent },
	{ "vlan", read_vlan },	     { "exclude", read_exclude },
	{ "trusted", read_trusted }, { "filter_bridged", read_filter_bridged },
	{ "default", read_default }, { "spoof_guard", read_spoof_guard },
	{ "strict", read_strict },
};

static int finish_network(struct weir_spec *spec, struct reading *reading)
{
	if (reading->net->internal && reading->host_allow)
		return weir_spec_fail(
			spec, reading->host_allow,
			"an internal network is closed to the host: leave \"host: allow\" out");
	if (!weir_mode_traits(reading->net->mode)->host && reading->spoof_guard)
		return weir_spec_fail(
			spec, reading->spoof_guard,
			"a %s network has no port on the host to guard: leave \"spoof_guard\" out",
			weir_mode_name(reading->net->mode));
	reading->net->host_deny |= reading->net->internal;
	return weir_network_check(reading->net, spec->err);
}

int weir_spec_read_network(struct weir_spec *spec, const struct weir_spec_node *key,
			   const struct weir_spec_node *value, void *unused)
{
	struct reading reading = { .net = weir_model_add_network(spec->model) };
	char what[WORD_TEXT + WEIR_NAME_MAX];

	(void)unused;
	if (!reading.net)
		return weir_spec_no_memory(spec);
	reading.net->declared = true;
	reading.net->origin = weir_spec_place(spec, key);
	reading.net->name = weir_arena_strdup(&spec->model->arena, key->text);
	if (!reading.net->name)
		return weir_spec_no_memory(spec);
	int r = weir_name_check("network", key->text, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, key, r);
	(void)snprintf(what, sizeof(what), "network \"%s\"", key->text);
	r = weir_spec_read_keys(spec, value, what, network_keys,
				sizeof(network_keys) / sizeof(network_keys[0]), &reading);
	return r < 0 ? r : finish_network(spec, &reading);
}

/* What is named takes the place of what is there, lists as a whole. */
static void make_way(struct weir_network *net, const struct weir_spec_node *keys)
{
	if (weir_spec_has_key(keys, "subnets"))
		net->n_subnets = 0;
	if (weir_spec_has_key(keys, "exclude"))
		net->n_excluded = 0;
	if (weir_spec_has_key(keys, "trusted"))
		net->n_trusted = 0;
	if (weir_spec_has_key(keys, "nat"))
		memset(net->nat_addr, 0, sizeof(net->nat_addr));
	if (weir_spec_has_key(keys, "gateway")) {
		memset(net->gateways, 0, sizeof(net->gateways));
		net->gateway_endpoint = NULL;
	}
	for (size_t i = 0; i < net->n_subnets; i++) /* chosen anew from what is wished */
		net->subnets[i].gateway = (struct weir_addr){ 0 };
}

int weir_spec_edit_network(const struct weir_spec_node *keys, struct weir_model *model,
			   struct weir_network *net, struct weir_err *err)
{
	struct weir_spec spec = { .model = model, .file = "", .err = err };
	struct reading reading = { .net = net };
	char what[WORD_TEXT + WEIR_NAME_MAX];

	make_way(net, keys);
	(void)snprintf(spec.path, sizeof(spec.path), "networks.%s", net->name);
	(void)snprintf(what, sizeof(what), "network \"%s\"", net->name);
	int r = weir_spec_read_keys(&spec, keys, what, network_keys,
				    sizeof(network_keys) / sizeof(network_keys[0]), &reading);
	return r < 0 ? r : finish_network(&spec, &reading);
}

/* ---- pools ---- */

static int read_pool_prefix(struct weir_spec *spec, const struct weir_spec_node *value,
			    void *object)
{
	return weir_spec_read_prefix(spec, value, &((struct weir_pool *)object)->prefix);
}

static int read_pool_size(struct weir_spec *spec, const struct weir_spec_node *value, void *object)
{
	long size;

	int r = weir_spec_read_number(spec, value, 1, 128, &size);
	if (r == 0)
		((struct weir_pool *)object)->size = (uint8_t)size;
	return r;
}

static const struct weir_spec_key pool_keys[] = {
	{ "prefix", read_pool_prefix },
	{ "size", read_pool_size },
};

int weir_spec_read_pool(struct weir_spec *spec, const struct weir_spec_node *value, void *unused)
{
	struct weir_pool pool = { .origin = weir_spec_place(spec, value) };
	struct weir_model *model = spec->model;
	int r;

	(void)unused;
	if (value->kind == WEIR_SPEC_MAP)
		r = weir_spec_read_keys(spec, value, "a pool", pool_keys,
					sizeof(pool_keys) / sizeof(pool_keys[0]), &pool);
	else
		r = weir_spec_read_prefix(spec, value, &pool.prefix);
	if (r < 0)
		return r;
	if (!weir_addr_is_set(&pool.prefix.addr))
		return weir_spec_fail(spec, value, "a pool needs a \"prefix\"");
	if (!pool.size)
		pool.size = pool.prefix.addr.family == WEIR_IPV4 ? WEIR_POOL_SIZE_IPV4
								 : WEIR_POOL_SIZE_IPV6;
	r = weir_pool_check(&pool, spec->err);
	if (r < 0)
		return weir_spec_blame(spec, value, r);
	struct weir_pool *pools =
		weir_arena_grow(&model->arena, model->pools, model->n_pools, sizeof(*pools));
	if (!pools)
		return weir_spec_no_memory(spec);
	pools[model->n_pools++] = pool;
	model->pools = pools;
	return 0;
}
