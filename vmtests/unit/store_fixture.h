/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store in a folder of its own, and objects to put into it. For the unit tests of core/store.h and
 * core/ipam.h. */
#ifndef WEIR_VMTESTS_UNIT_STORE_FIXTURE_H
#define WEIR_VMTESTS_UNIT_STORE_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/ipam.h"
#include "core/store.h"

struct fixture {
	char dir[64];
	struct weir_store *store;
	struct weir_err err;
	struct weir_arena arena;
};

/* A call that must succeed: shows the error when it does not. */
#define OK(f, call)                                                        \
	do {                                                               \
		int ok_r = (call);                                         \
		if (ok_r < 0)                                              \
			fail_msg("%s: %d %s", #call, ok_r, (f)->err.text); \
	} while (0)

/* A call that must fail so, saying so. */
#define FAILS(f, code, text_, call)                                           \
	do {                                                                  \
		(f)->err = (struct weir_err){ 0 };                            \
		int fails_r = (call);                                         \
		if (fails_r != -(code) || !strstr((f)->err.text, (text_)))    \
			fail_msg("%s: %d %s", #call, fails_r, (f)->err.text); \
	} while (0)

static inline const char *path_of(struct fixture *f, const char *name)
{
	const char *path = weir_arena_printf(&f->arena, "%s/%s", f->dir, name);
	assert_non_null(path);
	return path;
}

static inline void open_store(struct fixture *f)
{
	OK(f, weir_store_open(f->dir, true, &f->store, &f->err));
}

static inline void reopen_store(struct fixture *f)
{
	weir_store_close(f->store);
	f->store = NULL;
	open_store(f);
}

static inline int set_up_folder(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/weir-store-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	*state = f;
	return 0;
}

static inline int set_up(void **state)
{
	int r = set_up_folder(state);
	if (r == 0)
		open_store(*state);
	return r;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	weir_store_close(f->store);
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	int r = system(command);
	weir_arena_free(&f->arena);
	free(f);
	return r;
}

static inline struct weir_addr addr(const char *text)
{
	struct weir_addr parsed = { 0 };
	struct weir_err err = { 0 };
	if (weir_addr_parse(text, &parsed, &err) < 0)
		fail_msg("%s", err.text);
	return parsed;
}

static inline struct weir_prefix prefix(const char *text)
{
	struct weir_prefix parsed = { 0 };
	struct weir_err err = { 0 };
	if (weir_prefix_parse(text, &parsed, &err) < 0)
		fail_msg("%s", err.text);
	return parsed;
}

static inline struct weir_mapping mapping(const char *text)
{
	struct weir_mapping parsed = { 0 };
	struct weir_err err = { 0 };
	if (weir_mapping_parse(text, &parsed, &err) < 0)
		fail_msg("%s", err.text);
	parsed.origin = weir_place_make("spec.yaml", 14, 3);
	return parsed;
}

/* A network whose subnets have their first address as gateway; texts end with NULL. */
static inline struct weir_network network(struct fixture *f, const char *name, ...)
{
	struct weir_network net = { .name = name, .origin = weir_place_make("spec.yaml", 2, 3) };
	(void)snprintf(net.ifname, sizeof(net.ifname), "wb-%s", name);
	va_list args;
	va_start(args, name);
	for (const char *text; (text = va_arg(args, const char *));) {
		net.subnets = weir_arena_grow(&f->arena, net.subnets, net.n_subnets,
					      sizeof(*net.subnets));
		struct weir_subnet *subnet = &net.subnets[net.n_subnets++];
		*subnet = (struct weir_subnet){ .prefix = prefix(text), .origin = net.origin };
		assert_true(weir_addr_add(&subnet->prefix.addr, 1, &subnet->gateway));
	}
	va_end(args);
	return net;
}

/* An endpoint attached to one network, with an address of each family or NULL. */
static inline struct weir_endpoint endpoint(struct fixture *f, const char *name, const char *net,
					    const char *ipv4, const char *ipv6)
{
	struct weir_endpoint ep = { .name = name, .n_attachments = 1 };
	ep.attachments = weir_arena_alloc(&f->arena, sizeof(*ep.attachments));
	struct weir_attachment *att = &ep.attachments[0];
	*att = (struct weir_attachment){ .network = net,
					 .ifname = "eth0",
					 .origin = weir_place_make("spec.yaml", 9, 3) };
	(void)snprintf(att->host_ifname, sizeof(att->host_ifname), "we-%.8s", name);
	if (ipv4)
		att->addrs[WEIR_IPV4] = addr(ipv4);
	if (ipv6)
		att->addrs[WEIR_IPV6] = addr(ipv6);
	return ep;
}

static inline void publish(struct fixture *f, struct weir_endpoint *ep, const char *text)
{
	ep->mappings =
		weir_arena_grow(&f->arena, ep->mappings, ep->n_mappings, sizeof(*ep->mappings));
	ep->mappings[ep->n_mappings++] = mapping(text);
}

static inline void begin(struct fixture *f)
{
	OK(f, weir_store_begin(f->store, false, &f->err));
}

static inline void commit(struct fixture *f)
{
	OK(f, weir_store_commit(f->store, &f->err));
}

/* In a transaction each. */
static inline void put_network(struct fixture *f, const struct weir_network *net)
{
	begin(f);
	OK(f, weir_store_put_network(f->store, net, &f->err));
	commit(f);
}

static inline void put_endpoint(struct fixture *f, const struct weir_endpoint *ep)
{
	begin(f);
	OK(f, weir_store_put_endpoint(f->store, ep, &f->err));
	commit(f);
}

static inline void remove_endpoint(struct fixture *f, const char *name)
{
	begin(f);
	OK(f, weir_store_remove_endpoint(f->store, name, &f->err));
	commit(f);
}

#endif
