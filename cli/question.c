/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question's words: who asks whom. */
#include "cli/flows.h"

#include <errno.h>
#include <string.h>

/* Addresses for documentation (RFC 5737, RFC 3849, RFC 9637): few have them, so one can stand for all. */
static const struct weir_addr strangers[] = {
	{ WEIR_IPV4, { 203, 0, 113, 1 } },
	{ WEIR_IPV4, { 198, 51, 100, 1 } },
	{ WEIR_IPV4, { 192, 0, 2, 1 } },
	{ WEIR_IPV4, { 203, 0, 113, 254 } },
	{ WEIR_IPV4, { 198, 51, 100, 254 } },
	{ WEIR_IPV4, { 192, 0, 2, 254 } },
	{ WEIR_IPV6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } },
	{ WEIR_IPV6, { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, [15] = 1 } },
	{ WEIR_IPV6, { 0x3f, 0xff, [15] = 1 } },
	{ WEIR_IPV6, { 0x3f, 0xff, 0x0f, 0xff, 0xff, 0xff, [15] = 1 } },
};

/* What is published at it is the host's own, whether the host is known or not. */
static bool is_published_at(const struct weir_endpoint *ep, const struct weir_addr *addr)
{
	for (size_t i = 0; i < ep->n_mappings; i++)
		if (weir_addr_cmp(&ep->mappings[i].host, addr) == 0)
			return true;
	return false;
}

static bool is_somebodys(const struct weir_scene *scene, const struct weir_addr *addr)
{
	const struct weir_model *model = scene->model;

	for (size_t i = 0; i < scene->host.n_addrs; i++)
		if (weir_addr_cmp(&scene->host.addrs[i], addr) == 0)
			return true;
	for (size_t i = 0; i < model->n_networks; i++)
		for (size_t k = 0; k < model->networks[i].n_subnets; k++)
			if (weir_prefix_contains(&model->networks[i].subnets[k].prefix, addr))
				return true;
	for (size_t i = 0; i < model->n_endpoints; i++)
		if (is_published_at(&model->endpoints[i], addr))
			return true;
	return false;
}

struct weir_addr weir_scene_stranger(const struct weir_scene *scene, enum weir_family family)
{
	for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++)
		if (strangers[i].family == family && !is_somebodys(scene, &strangers[i]))
			return strangers[i];
	return (struct weir_addr){ 0 };
}

const char *weir_verdict_word(enum weir_verdict verdict)
{
	static const char *const words[WEIR_NUM_VERDICTS] = {
		[WEIR_ACCEPT] = "allow",
		[WEIR_DROP] = "deny",
		[WEIR_REFUSE] = "reject",
	};

	return words[verdict];
}

/* ---- words ---- */

/* NAME[@NETWORK] */
static int parse_endpoint(const struct weir_scene *scene, const char *text, struct weir_end *ret,
			  struct weir_err *err)
{
	char *name = weir_arena_strdup(scene->arena, text), *at = name ? strchr(name, '@') : NULL;

	if (!name)
		return weir_err_set(err, ENOMEM, "out of memory");
	if (at)
		*at++ = '\0';
	ret->ep = weir_model_endpoint(scene->model, name);
	ret->network = at;
	if (!ret->ep)
		return weir_err_set(
			err, ENOENT,
			"\"%s\" is no endpoint, address, prefix, \"outside\" or \"host\" "
			"(weir endpoint ls)",
			name);
	if (at && !weir_endpoint_attachment(ret->ep, at))
		return weir_err_set(err, ENOENT, "endpoint \"%s\" is not in network \"%s\"", name,
				    at);
	return 0;
}

/* An address of an endpoint's is that endpoint. */
static void find_owner(const struct weir_model *model, struct weir_end *end)
{
	for (size_t i = 0; i < model->n_endpoints; i++)
		for (size_t k = 0; k < model->endpoints[i].n_attachments; k++) {
			const struct weir_attachment *att = &model->endpoints[i].attachments[k];
			if (weir_addr_cmp(&att->addrs[end->addr.family], &end->addr) != 0)
				continue;
			end->ep = &model->endpoints[i];
			end->network = att->network;
		}
}

/* The first address that somebody could have. */
static struct weir_addr first_of(const struct weir_prefix *prefix)
{
	struct weir_addr addr = weir_prefix_base(prefix);

	if (prefix->len < weir_family_bits(addr.family) - 1)
		(void)weir_addr_add(&addr, 1, &addr);
	return addr;
}

static int parse_end(const struct weir_scene *scene, const char *text, struct weir_end *ret,
		     struct weir_err *err)
{
	struct weir_end end = { .text = text };
	struct weir_prefix prefix;
	int r = 0;

	end.host = strcmp(text, "host") == 0;
	end.outside = strcmp(text, "outside") == 0;
	if (strchr(text, '/')) {
		r = weir_prefix_parse(text, &prefix, err);
		if (r == 0)
			end.addr = first_of(&prefix);
	} else if (!end.host && !end.outside && weir_addr_parse(text, &end.addr, NULL) < 0) {
		r = parse_endpoint(scene, text, &end, err);
	}
	if (r < 0)
		return r;
	if (weir_addr_is_set(&end.addr))
		find_owner(scene->model, &end);
	*ret = end;
	return 0;
}

/* Where the end stops and ":PORT/PROTO" begins; NULL: there is no port. */
static const char *find_service(const char *text)
{
	struct weir_addr addr;
	struct weir_prefix prefix;
	const char *bracket = strchr(text, ']');

	if (text[0] == '[' && bracket)
		return bracket[1] == ':' ? bracket + 1 : NULL;
	if (weir_addr_parse(text, &addr, NULL) == 0 || weir_prefix_parse(text, &prefix, NULL) == 0)
		return NULL;
	return strrchr(text, ':');
}

static int parse_service(const char *text, struct weir_service *ret, struct weir_err *err)
{
	int r = weir_service_parse(text, ret, err);
	bool icmp = r == 0 && (ret->l4 == WEIR_L4_ICMP || ret->l4 == WEIR_L4_ICMPV6);

	if (r < 0 || ret->ports.lo == ret->ports.hi)
		return r;
	if (icmp && ret->ports.lo == 0 && ret->ports.hi == WEIR_ICMP_TYPE_MAX) {
		ret->ports.lo = ret->ports.hi = ret->l4 == WEIR_L4_ICMP ? 8 : 128; /* echo */
		return 0;
	}
	return weir_err_set(err, EINVAL, "\"%s\": name one port", text);
}

/* A piece of the user's word cannot be read; its parser knows the column in the piece only. */
static int blame(struct weir_err *err, const char *word, const char *piece, int code)
{
	unsigned column = err && err->at.column ? err->at.column : 1;

	if (err && code == -EINVAL)
		err->at = weir_place_make(word, 0, (unsigned)(piece - word) + column);
	return code;
}

int weir_question_parse(const struct weir_scene *scene, const char *from, const char *to,
			struct weir_question *ret, struct weir_err *err)
{
	struct weir_question question = { 0 };
	const char *colon = find_service(to);
	bool bracket = to[0] == '[' && strchr(to, ']');
	size_t len = bracket ? (size_t)(strchr(to, ']') - to - 1)
		     : colon ? (size_t)(colon - to)
			     : strlen(to);
	const char *end = weir_arena_strndup(scene->arena, to + bracket, len);

	if (!end)
		return weir_err_set(err, ENOMEM, "out of memory");
	int r = parse_end(scene, from, &question.from, err);
	if (r < 0)
		return blame(err, from, from, r);
	r = parse_end(scene, end, &question.to, err);
	if (r < 0)
		return blame(err, to, to + bracket, r);
	if (colon)
		r = parse_service(colon + 1, &question.service, err);
	if (r < 0)
		return blame(err, to, colon + 1, r);
	if ((question.from.host || (question.from.outside && !question.to.ep)) &&
	    (question.to.host || question.to.outside))
		return weir_err_set(
			err, EINVAL,
			"one end must be an endpoint: what passes by them is not weir's");
	*ret = question;
	return 0;
}
