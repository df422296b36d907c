/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolving published ports: free ones chosen, ones that a process has bound refused. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "core/resolve.h"

static unsigned count(struct weir_ports ports)
{
	return (unsigned)ports.hi - ports.lo + 1;
}

static bool overlap(struct weir_ports a, struct weir_ports b)
{
	return a.lo <= b.hi && b.lo <= a.hi;
}

static bool same_host(const struct weir_mapping *a, const struct weir_mapping *b)
{
	return a->proto == b->proto && weir_addr_cmp(&a->host, &b->host) == 0;
}

static int look_at_sockets(struct weir_session *s, struct weir_err *err)
{
	int r = 0;
	if (!s->have_sockets)
		r = s->engine->links->sockets(s->links, &s->arena, &s->sockets, &s->n_sockets, err);
	s->have_sockets = r == 0;
	return r;
}

/* Would packets for the mapping have gone to the socket? A mapping on every address takes those of a
 * socket on any one of them. */
static bool takes_from(const struct weir_mapping *m, const struct weir_host_socket *socket)
{
	if (m->proto != socket->proto || socket->port < m->host_ports.lo ||
	    socket->port > m->host_ports.hi)
		return false;
	if (!weir_addr_is_set(&m->host))
		return true;
	if (weir_addr_is_any(&socket->addr))
		return socket->addr.family == m->host.family ||
		       (socket->addr.family == WEIR_IPV6 && !socket->v6only);
	return weir_addr_cmp(&m->host, &socket->addr) == 0;
}

static const struct weir_host_socket *find_socket(const struct weir_session *s,
						  const struct weir_mapping *m)
{
	for (size_t i = 0; i < s->n_sockets; i++)
		if (takes_from(m, &s->sockets[i]))
			return &s->sockets[i];
	return NULL;
}

static int refuse_bound(struct weir_session *s, const struct weir_mapping *m, struct weir_err *err)
{
	int r = look_at_sockets(s, err);
	const struct weir_host_socket *socket = r < 0 ? NULL : find_socket(s, m);
	if (!socket)
		return r;
	char owner[128], text[WEIR_MAPPING_TEXT], addr[WEIR_ADDR_TEXT];
	s->engine->links->socket_owner(s->links, socket->inode, owner, sizeof(owner));
	return weir_err_at(err, EADDRINUSE, &m->origin,
			   "publish %s: port %u/%s is bound on the host by %s, at %s",
			   weir_mapping_text(m, text), socket->port, weir_proto_name(socket->proto),
			   owner, weir_addr_text(&socket->addr, addr));
}

/* Free in the store, on every address as on this one, among what this endpoint asks for, and on the
 * host? */
static int is_free(struct weir_session *s, const struct weir_mapping *wanted,
		   const struct weir_mapping *mappings, size_t n, bool *ret, struct weir_err *err)
{
	*ret = false;
	for (size_t i = 0; i < n; i++)
		if (&mappings[i] != wanted && mappings[i].proto == wanted->proto &&
		    !weir_mapping_is_open(&mappings[i]) &&
		    overlap(mappings[i].host_ports, wanted->host_ports))
			return 0;
	const struct weir_addr every = { 0 };
	for (unsigned port = wanted->host_ports.lo; port <= wanted->host_ports.hi; port++) {
		const char *owner = NULL;
		int r = weir_store_port_owner(s->store, &wanted->host, wanted->proto,
					      (uint16_t)port, &s->arena, &owner, err);
		if (r == 0 && !owner)
			r = weir_store_port_owner(s->store, &every, wanted->proto, (uint16_t)port,
						  &s->arena, &owner, err);
		if (r < 0 || owner)
			return r;
	}
	*ret = !find_socket(s, wanted);
	return 0;
}

static int open_range(struct weir_session *s, const struct weir_mapping *m, struct weir_ports *ret,
		      struct weir_err *err)
{
	*ret = m->host_ports;
	return m->host_ports.lo ? 0 : s->engine->links->port_range(s->links, ret, err);
}

/* The first free block from a random place on, once around. */
static int choose(struct weir_session *s, struct weir_mapping *m,
		  const struct weir_mapping *mappings, size_t n, struct weir_err *err)
{
	struct weir_ports range;
	unsigned need = count(m->ports);
	int r = look_at_sockets(s, err);
	if (r == 0)
		r = open_range(s, m, &range, err);
	if (r < 0)
		return r;
	unsigned places = count(range) >= need ? count(range) - need + 1 : 0, start = 0;
	if (getrandom(&start, sizeof(start), 0) != sizeof(start))
		start = 0; /* any start is right, a random one only meets fewer taken ports */
	struct weir_mapping wanted = *m;
	for (unsigned i = 0; i < places; i++) {
		unsigned lo = range.lo + (start % places + i) % places;
		bool free = false;
		wanted.host_ports = (struct weir_ports){ (uint16_t)lo, (uint16_t)(lo + need - 1) };
		r = is_free(s, &wanted, mappings, n, &free, err);
		if (r < 0)
			return r;
		if (free) {
			m->host_ports = wanted.host_ports;
			return 0;
		}
	}
	char text[WEIR_MAPPING_TEXT], ports[WEIR_PORTS_TEXT];
	return weir_err_at(err, ENOSPC, &m->origin, "publish %s: no %u free port%s in %s",
			   weir_mapping_text(m, text), need, need > 1 ? "s in a row" : "",
			   weir_ports_text(range, ports));
}

static bool in_use(const struct weir_mapping *mappings, size_t n, const struct weir_mapping *prev)
{
	for (size_t i = 0; i < n; i++)
		if (same_host(&mappings[i], prev) && !weir_mapping_is_open(&mappings[i]) &&
		    overlap(mappings[i].host_ports, prev->host_ports))
			return true;
	return false;
}

static bool keep(struct weir_mapping *m, const struct weir_mapping *prev, size_t n_prev,
		 const struct weir_mapping *mappings, size_t n)
{
	for (size_t i = 0; i < n_prev; i++) {
		if (!weir_mapping_could_be(m, &prev[i]) || in_use(mappings, n, &prev[i]))
			continue;
		m->host_ports = prev[i].host_ports;
		return true;
	}
	return false;
}

/* Strict or not: the ports were its own. */
static bool had_ports(const struct weir_mapping *m, const struct weir_mapping *prev, size_t n_prev)
{
	struct weir_mapping other = *m;

	other.strict = !m->strict;
	return weir_mappings_hold(prev, n_prev, m) || weir_mappings_hold(prev, n_prev, &other);
}

int weir_resolve_mappings(struct weir_session *s, const struct weir_mapping *prev, size_t n_prev,
			  struct weir_mapping *mappings, size_t n, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!weir_mapping_is_open(&mappings[i]) && !had_ports(&mappings[i], prev, n_prev))
			r = refuse_bound(s, &mappings[i], err);
	/* Those that may have any port leave to the others what these had. */
	for (int any = 0; any <= 1; any++)
		for (size_t i = 0; r == 0 && i < n; i++) {
			struct weir_mapping *m = &mappings[i];
			if (weir_mapping_is_open(m) && (m->host_ports.lo == 0) == any &&
			    !keep(m, prev, n_prev, mappings, n))
				r = choose(s, m, mappings, n, err);
		}
	return r;
}
