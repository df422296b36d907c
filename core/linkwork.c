/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: what lies between two models, done in the order that keeps every port closed. */
#include "core/linkwork.h"

#include <errno.h>
#include <string.h>

#include "core/nameset.h"

/* What an undo needs to know: which model holds the object. */
struct link_ref {
	const struct weir_model *model;
	const struct weir_network *net;
	const struct weir_endpoint *ep;
	const struct weir_attachment *att;
	const struct weir_resolution *res;
};

static const struct weir_link_ops *ops_of(const struct weir_session *s)
{
	return s->engine->links;
}

static bool is_wire(const struct weir_network *net)
{
	return weir_mode_traits(net->mode)->wire;
}

/* An interface that is weir's to remove. */
static bool has_own_device(const struct weir_network *net)
{
	return weir_mode_traits(net->mode)->device && !net->adopt;
}

/* No interface of the host's leads to its endpoints: what they have is taken away from inside. */
static bool is_portless(const struct weir_network *net)
{
	return !weir_mode_traits(net->mode)->host;
}

/* ---- taking steps back ---- */

/* Somebody else's interface in the place of weir's was there before. */
static int as_before(int r)
{
	return r == -EEXIST ? 0 : r;
}

static int undo_make_network(struct weir_session *s, const void *a, const void *b)
{
	const struct link_ref *ref = a;
	const char *name = ref->net->ifname;
	(void)b;
	if (!has_own_device(ref->net))
		return 0;
	return ops_of(s)->remove(s->links, &name, 1, NULL, NULL);
}

static int undo_change_network(struct weir_session *s, const void *a, const void *b)
{
	const struct link_ref *ref = a;
	(void)b;
	int r = ops_of(s)->network_ensure(s->links, ref->net, NULL, NULL);
	if (r == 0)
		r = ops_of(s)->network_up(s->links, ref->net, NULL);
	return as_before(r);
}

static int undo_make_netns(struct weir_session *s, const void *a, const void *b)
{
	const struct link_ref *ref = a;
	(void)b;
	return ops_of(s)->netns_remove(s->links, ref->ep, NULL);
}

/* The endpoint in the namespace that stands for its own by now. */
static struct weir_endpoint as_now(const struct weir_session *s, const struct weir_endpoint *ep)
{
	struct weir_endpoint now = *ep;
	for (const struct weir_new_netns *item = s->new_netns; item; item = item->next)
		if (strcmp(item->endpoint, ep->name) == 0) {
			now.netns_id = item->id;
			break;
		}
	return now;
}

/* A foreign namespace that is gone, or is another one now, took along what was in it. */
static bool took_it_along(const struct weir_endpoint *ep, int r)
{
	return ep->netns == WEIR_NETNS_PATH && (r == -ENOENT || r == -ESTALE);
}

/* A namespace that was removed comes back as another one: the store has to know it by its new id. */
static int undo_change_netns(struct weir_session *s, const void *a, const void *b)
{
	const struct weir_endpoint ep = as_now(s, ((const struct link_ref *)a)->ep);
	struct weir_netns_id id;
	(void)b;
	int r = ops_of(s)->netns_ensure(s->links, &ep, &id, NULL, NULL);
	if (r < 0)
		return took_it_along(&ep, r) ? 0 : r;
	if (!weir_netns_id_equal(&id, &ep.netns_id))
		r = weir_session_note_netns(s, ep.name, &id);
	const struct weir_endpoint now = as_now(s, &ep);
	return r < 0 ? r : ops_of(s)->names_ensure(s->links, &now, NULL, NULL);
}

static int undo_attach(struct weir_session *s, const void *a, const void *b)
{
	const struct link_ref *ref = a;
	const char *name = ref->att->host_ifname;
	(void)b;
	int r = is_portless(ref->net) ? ops_of(s)->wire_remove(s->links, ref->ep, ref->att, NULL)
				      : 0;
	if (r == 0 || r == -ENOENT)
		r = ops_of(s)->remove(s->links, &name, 1, NULL, NULL);
	return r;
}

/* What a port does follows from its network's own interface as it is, which comes first. */
static int undo_detach(struct weir_session *s, const void *a, const void *b)
{
	const struct link_ref *ref = a;
	const struct weir_endpoint ep = as_now(s, ref->ep);
	(void)b;
	int r = ops_of(s)->network_ensure(s->links, ref->net, NULL, NULL);
	if (r < 0)
		return as_before(r);
	r = ops_of(s)->attach_ensure(s->links, ref->net, &ep, ref->att, NULL, NULL);
	if (r == 0)
		r = ops_of(s)->attach_up(s->links, ref->model, &ep, ref->att, NULL);
	return took_it_along(&ep, r) ? 0 : as_before(r);
}

static int mend_wires(struct weir_session *s, const struct weir_model *model, struct weir_err *err);

static int undo_wires(struct weir_session *s, const void *a, const void *b)
{
	(void)b;
	return mend_wires(s, ((const struct link_ref *)a)->model, NULL);
}

typedef int undo_fn(struct weir_session *s, const void *a, const void *b);

static int push(struct weir_session *s, undo_fn *undo, const struct weir_model *model,
		const struct weir_network *net, const struct weir_endpoint *ep,
		const struct weir_attachment *att, struct weir_err *err)
{
	struct link_ref *ref = weir_arena_alloc(&s->arena, sizeof(*ref));
	if (!ref)
		return weir_err_set(err, ENOMEM, "out of memory");
	*ref = (struct link_ref){ .model = model, .net = net, .ep = ep, .att = att };
	return weir_session_push_undo(s, undo, ref, NULL, err);
}

/* ---- what differs ---- */

static bool network_differs(const struct weir_resolution *res, const char *name)
{
	const struct weir_network *before = weir_model_network(&res->before, name);
	const struct weir_network *after = weir_model_network(&res->after, name);
	return !before || !after || !weir_network_equal(before, after);
}

static bool same_routes(const struct weir_endpoint *a, const struct weir_endpoint *b)
{
	if (a->n_routes != b->n_routes)
		return false;
	for (size_t i = 0; i < a->n_routes; i++)
		if (weir_prefix_cmp(&a->routes[i].to, &b->routes[i].to) != 0 ||
		    weir_addr_cmp(&a->routes[i].via, &b->routes[i].via) != 0)
			return false;
	return true;
}

static bool same_names(const struct weir_endpoint *a, const struct weir_endpoint *b)
{
	if (a->n_dns != b->n_dns)
		return false;
	for (size_t i = 0; i < a->n_dns; i++)
		if (weir_addr_cmp(&a->dns[i], &b->dns[i]) != 0)
			return false;
	return true;
}

/* An interface cannot change its name or its namespace while it is up. */
static bool same_interface(const struct weir_endpoint *a, const struct weir_attachment *x,
			   const struct weir_endpoint *b, const struct weir_attachment *y)
{
	return weir_endpoint_same_netns(a, b) && strcmp(x->ifname, y->ifname) == 0;
}

/* Does anything of ep's links have to be looked at? A wire's other end counts too. */
static bool links_differ(const struct weir_resolution *res, const struct weir_endpoint *ep)
{
	const struct weir_endpoint *prev = weir_model_endpoint(&res->before, ep->name);
	if (!prev || !weir_endpoint_same_netns(prev, ep) || !same_routes(prev, ep) ||
	    !same_names(prev, ep) || prev->forward != ep->forward ||
	    !weir_rate_equal(&prev->rate, &ep->rate) || prev->n_attachments != ep->n_attachments)
		return true;
	for (size_t i = 0; i < ep->n_attachments; i++) {
		const struct weir_attachment *att = &ep->attachments[i];
		const struct weir_attachment *old = weir_endpoint_attachment(prev, att->network);
		const struct weir_network *net = weir_model_network(&res->after, att->network);
		if (!old || !weir_attachment_equal(old, att) ||
		    network_differs(res, att->network) || (net && is_wire(net)))
			return true;
	}
	return false;
}

/* ---- taking away ---- */

/* The host's end joins `names`, which are removed in one go; where there is none, what is inside goes. */
static int detach(struct weir_session *s, const struct weir_model *model,
		  const struct weir_endpoint *ep, const struct weir_attachment *att,
		  struct weir_nameset *names, struct weir_err *err)
{
	const struct weir_network *net = weir_model_network(model, att->network);
	int r = push(s, undo_detach, model, net, ep, att, err);
	if (r == 0 && is_portless(net))
		r = ops_of(s)->wire_remove(s->links, ep, att, err);
	return r < 0 ? r : weir_nameset_add(names, &s->arena, att->host_ifname, err);
}

static int remove_links(struct weir_session *s, const struct weir_nameset *names,
			struct weir_err *err)
{
	bool *strangers = weir_arena_alloc(&s->arena, names->n + 1);
	if (!strangers)
		return weir_err_set(err, ENOMEM, "out of memory");
	int r = names->n ? ops_of(s)->remove(s->links, names->items, names->n, strangers, err) : 0;
	for (size_t i = 0; r == 0 && i < names->n; i++)
		if (strangers[i])
			r = weir_nameset_add(&s->strangers, &s->arena, names->items[i], err);
	return r;
}

/* Of an endpoint that stays: attachments that go, or have to be made anew. */
static int detach_changed(struct weir_session *s, const struct weir_resolution *res,
			  const struct weir_endpoint *prev, const struct weir_endpoint *ep,
			  struct weir_nameset *names, struct weir_err *err)
{
	for (size_t i = 0; i < prev->n_attachments; i++) {
		const struct weir_attachment *old = &prev->attachments[i];
		const struct weir_attachment *att = weir_endpoint_attachment(ep, old->network);
		if (att && same_interface(prev, old, ep, att))
			continue;
		int r = detach(s, &res->before, prev, old, names, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int clear_the_way(struct weir_session *s, const struct weir_resolution *res,
			 struct weir_err *err)
{
	struct weir_nameset names = { 0 };
	int r = 0;
	for (size_t i = 0; r == 0 && i < res->after.n_endpoints; i++) {
		const struct weir_endpoint *ep = &res->after.endpoints[i];
		const struct weir_endpoint *prev = weir_model_endpoint(&res->before, ep->name);
		if (prev)
			r = detach_changed(s, res, prev, ep, &names, err);
	}
	if (r == 0)
		r = remove_links(s, &names, err);
	for (size_t i = 0; r == 0 && i < res->after.n_endpoints; i++) {
		const struct weir_endpoint *ep = &res->after.endpoints[i];
		const struct weir_endpoint *prev = weir_model_endpoint(&res->before, ep->name);
		if (!prev || weir_endpoint_same_netns(prev, ep) || prev->netns == WEIR_NETNS_HOST)
			continue;
		r = push(s, undo_change_netns, &res->before, NULL, prev, NULL, err);
		if (r == 0)
			r = ops_of(s)->netns_remove(s->links, prev, err);
	}
	return r;
}

/* ---- making ---- */

/* Loaded, the module that filters within a bridge does so in every bridge of the host, until the backend
 * has switched that off again. A kill in between must not leave it on. */
static int note_filter(struct weir_session *s, const struct weir_network *net, bool *ret_noted,
		       struct weir_err *err)
{
	static const char *const keys[] = { "net/bridge/bridge-nf-call-iptables",
					    "net/bridge/bridge-nf-call-ip6tables",
					    "net/bridge/bridge-nf-call-arptables" };
	long now;
	int r = 0;
	if (!weir_mode_traits(net->mode)->bridge || !weir_network_is_filtered(net) ||
	    ops_of(s)->sysctl_get(s->links, keys[0], &now, NULL) != -ENOENT)
		return 0;
	for (size_t i = 0; r == 0 && i < sizeof(keys) / sizeof(keys[0]); i++)
		r = weir_session_note_sysctl(s, keys[i], 0, err);
	*ret_noted = r == 0;
	return r;
}

int weir_links_ensure_network(struct weir_session *s, const struct weir_network *net,
			      struct weir_err *err)
{
	bool noted = false;
	int r = note_filter(s, net, &noted, err);
	if (r == 0)
		r = ops_of(s)->network_ensure(s->links, net, NULL, err);
	if (r == 0 && noted) /* no other is noted as long as links are made */
		weir_lock_settle_sysctls(&s->lock);
	return r;
}

static int prepare_network(struct weir_session *s, const struct weir_resolution *res,
			   const struct weir_network *net, struct weir_err *err)
{
	const struct weir_network *prev = weir_model_network(&res->before, net->name);
	if (!network_differs(res, net->name))
		return 0;
	int r = prev ? push(s, undo_change_network, &res->before, prev, NULL, NULL, err)
		     : push(s, undo_make_network, &res->after, net, NULL, NULL, err);
	if (r == 0)
		r = weir_links_ensure_network(s, net, err);
	if (r < 0)
		weir_err_place(err, &net->origin);
	return r;
}

/* Before it is made, so that a kill leaves no namespace that nobody knows. */
static int note_netns(struct weir_session *s, const struct weir_endpoint *ep, struct weir_err *err)
{
	bool taken = false;
	if (ep->netns != WEIR_NETNS_OWN)
		return 0;
	int r = ops_of(s)->netns_taken(s->links, ep, &taken, err);
	return r < 0 || taken ? r : weir_lock_note_netns(&s->lock, ep->name, err);
}

/* Two endpoints in one namespace would take each other's default route and interfaces. */
static int refuse_shared(struct weir_session *s, const struct weir_endpoint *ep,
			 const struct weir_netns_id *id, struct weir_err *err)
{
	const char *owner = NULL;
	int r = weir_store_netns_owner(s->store, id, ep->name, &s->arena, &owner, err);
	if (r < 0 || !owner)
		return r;
	return weir_err_at(err, EEXIST, &ep->origin,
			   "%s is the namespace of endpoint \"%s\" already", ep->netns_path, owner);
}

static int prepare_netns(struct weir_session *s, const struct weir_resolution *res,
			 struct weir_endpoint *ep, struct weir_err *err)
{
	const struct weir_endpoint *prev = weir_model_endpoint(&res->before, ep->name);
	struct weir_netns_id id = { 0 };
	bool stays = prev && weir_endpoint_same_netns(prev, ep);
	if (strcmp(ep->netns_id.boot, s->here.boot) != 0)
		ep->netns_id = id; /* of an earlier boot: that namespace is gone */
	int r = stays ? push(s, undo_change_netns, &res->before, NULL, prev, NULL, err)
		      : push(s, undo_make_netns, &res->after, NULL, ep, NULL, err);
	if (r == 0)
		r = note_netns(s, ep, err);
	if (r == 0)
		r = ops_of(s)->netns_ensure(s->links, ep, &id, NULL, err);
	if (r < 0)
		return r;
	if (ep->netns == WEIR_NETNS_PATH)
		r = refuse_shared(s, ep, &id, err);
	if (r < 0)
		return r;
	if (!weir_netns_id_equal(&id, &ep->netns_id) || id.cookie != ep->netns_id.cookie) {
		ep->netns_id = id;
		r = weir_store_set_netns_id(s->store, ep->name, &id, err);
		/* Made anew in the place of one that had vanished: going back leaves it there. */
		if (r == 0 && stays && weir_session_note_netns(s, ep->name, &id) < 0)
			r = weir_err_set(err, ENOMEM, "out of memory");
	}
	return r < 0 ? r : ops_of(s)->names_ensure(s->links, ep, NULL, err);
}

/* Before it is made, where a kill would leave what nothing on the host tells of: an interface without another
 * end there, or a namespace of the user's that forwards. What is in a namespace that is made for it goes
 * with that. */
static int note_attachment(struct weir_session *s, const struct weir_network *net,
			   const struct weir_endpoint *prev, const struct weir_endpoint *ep,
			   const struct weir_attachment *att, struct weir_err *err)
{
	bool router = ep->netns == WEIR_NETNS_PATH && ep->forward;
	if ((!is_portless(net) && !router) || (ep->netns == WEIR_NETNS_OWN && !prev))
		return 0;
	return weir_lock_note_attachment(&s->lock, ep, att, err);
}

static int prepare_attachment(struct weir_session *s, const struct weir_resolution *res,
			      const struct weir_endpoint *ep, const struct weir_attachment *att,
			      struct weir_err *err)
{
	const struct weir_network *net = weir_model_network(&res->after, att->network);
	const struct weir_endpoint *prev = weir_model_endpoint(&res->before, ep->name);
	const struct weir_attachment *old = prev ? weir_endpoint_attachment(prev, att->network)
						 : NULL;
	bool stays = old && same_interface(prev, old, ep, att);
	int r = stays ? push(s, undo_detach, &res->before,
			     weir_model_network(&res->before, att->network), prev, old, err)
		      : push(s, undo_attach, &res->after, net, ep, att, err);
	if (r == 0 && !stays)
		r = note_attachment(s, net, prev, ep, att, err);
	return r < 0 ? r : ops_of(s)->attach_ensure(s->links, net, ep, att, NULL, err);
}

/* It only follows a network, and its foreign namespace is gone: `weir repair` drops it. */
static bool is_lost(const struct weir_resolution *res, const struct weir_endpoint *ep, int r)
{
	const struct weir_endpoint *prev = weir_model_endpoint(&res->before, ep->name);
	return took_it_along(ep, r) && prev && weir_endpoint_equal(prev, ep);
}

static int prepare_endpoint(struct weir_session *s, const struct weir_resolution *res,
			    struct weir_endpoint *ep, struct weir_err *err)
{
	struct weir_err why = { 0 };
	if (ep->netns == WEIR_NETNS_HOST || !links_differ(res, ep))
		return 0;
	int r = prepare_netns(s, res, ep, &why);
	if (is_lost(res, ep, r)) {
		ep->netns_id = (struct weir_netns_id){ 0 };
		return 0;
	}
	if (r < 0 && err)
		*err = why;
	for (size_t i = 0; r == 0 && i < ep->n_attachments; i++) {
		r = prepare_attachment(s, res, ep, &ep->attachments[i], err);
		if (r < 0 && ep->attachments[i].origin.file)
			weir_err_place(err, &ep->attachments[i].origin);
	}
	if (r < 0) {
		weir_err_place(err, &ep->origin);
		return weir_err_wrap(err, r, "endpoint \"%s\"", ep->name);
	}
	return 0;
}

int weir_links_prepare(struct weir_session *s, const struct weir_resolution *res,
		       struct weir_err *err)
{
	int r = clear_the_way(s, res, err);
	for (size_t i = 0; r == 0 && i < res->after.n_networks; i++)
		r = prepare_network(s, res, &res->after.networks[i], err);
	for (size_t i = 0; r == 0 && i < res->after.n_endpoints; i++) {
		weir_session_progress(s, "attaching", i, res->after.n_endpoints);
		r = prepare_endpoint(s, res, &res->after.endpoints[i], err);
	}
	return r;
}

/* Going back, new links are gone before the rules that hold them are. */
static int undo_up(struct weir_session *s, const void *a, const void *b)
{
	const struct weir_resolution *res = ((const struct link_ref *)a)->res;
	struct weir_nameset names = { 0 };
	int r = 0;
	(void)b;
	for (size_t i = 0; r == 0 && i < res->after.n_endpoints; i++) {
		const struct weir_endpoint *ep = &res->after.endpoints[i];
		for (size_t k = 0; r == 0 && k < ep->n_attachments; k++)
			if (!weir_model_endpoint(&res->before, ep->name))
				r = weir_nameset_add(&names, &s->arena,
						     ep->attachments[k].host_ifname, NULL);
	}
	return r < 0 ? r : remove_links(s, &names, NULL);
}

int weir_links_up(struct weir_session *s, const struct weir_resolution *res, struct weir_err *err)
{
	struct link_ref *ref = weir_arena_alloc(&s->arena, sizeof(*ref));
	if (!ref)
		return weir_err_set(err, ENOMEM, "out of memory");
	ref->res = res;
	int r = weir_session_push_undo(s, undo_up, ref, NULL, err);
	for (size_t i = 0; r == 0 && i < res->after.n_networks; i++)
		if (network_differs(res, res->after.networks[i].name))
			r = ops_of(s)->network_up(s->links, &res->after.networks[i], err);
	for (size_t i = 0; r == 0 && i < res->after.n_endpoints; i++) {
		const struct weir_endpoint *ep = &res->after.endpoints[i];
		if (ep->netns == WEIR_NETNS_HOST || !ep->netns_id.ino || !links_differ(res, ep))
			continue;
		for (size_t k = 0; r == 0 && k < ep->n_attachments; k++)
			r = ops_of(s)->attach_up(s->links, &res->after, ep, &ep->attachments[k],
						 err);
		if (r < 0)
			return weir_err_wrap(err, r, "endpoint \"%s\"", ep->name);
	}
	return r;
}

/* ---- withdrawing ---- */

/* A wire loses both ends at once: what is left of it is made anew for the one that stays. */
static int mend_wire(struct weir_session *s, const struct weir_model *model,
		     const struct weir_endpoint *ep, const struct weir_attachment *att,
		     struct weir_err *err)
{
	const struct weir_network *net = weir_model_network(model, att->network);
	struct weir_err why = { 0 };
	if (!is_wire(net))
		return 0;
	const struct weir_endpoint now = as_now(s, ep);
	int r = ops_of(s)->attach_ensure(s->links, net, &now, att, NULL, &why);
	if (r == 0)
		r = ops_of(s)->attach_up(s->links, model, &now, att, &why);
	if (took_it_along(ep, r))
		return 0;
	if (r < 0 && err)
		*err = why;
	return r;
}

static int mend_wires(struct weir_session *s, const struct weir_model *model, struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; i < model->n_endpoints; i++) {
		const struct weir_endpoint *ep = &model->endpoints[i];
		for (size_t k = 0; r == 0 && k < ep->n_attachments; k++)
			r = mend_wire(s, model, ep, &ep->attachments[k], err);
	}
	return r;
}

static bool is_gone(const struct weir_resolution *res, const struct weir_endpoint *ep)
{
	return ep->netns != WEIR_NETNS_HOST && !weir_model_endpoint(&res->after, ep->name);
}

static int withdraw_links(struct weir_session *s, const struct weir_resolution *res,
			  struct weir_err *err)
{
	struct weir_nameset names = { 0 };
	int r = 0;
	for (size_t i = 0; r == 0 && i < res->before.n_endpoints; i++) {
		const struct weir_endpoint *ep = &res->before.endpoints[i];
		for (size_t k = 0; r == 0 && is_gone(res, ep) && k < ep->n_attachments; k++)
			r = detach(s, &res->before, ep, &ep->attachments[k], &names, err);
	}
	/* Going back, the bridge comes before what hangs on it: its undo is pushed last. */
	for (size_t i = 0; r == 0 && i < res->before.n_networks; i++) {
		const struct weir_network *net = &res->before.networks[i];
		if (weir_model_network(&res->after, net->name) || !has_own_device(net))
			continue;
		r = push(s, undo_change_network, &res->before, net, NULL, NULL, err);
		if (r == 0)
			r = weir_nameset_add(&names, &s->arena, net->ifname, err);
	}
	return r < 0 ? r : remove_links(s, &names, err);
}

int weir_links_withdraw(struct weir_session *s, const struct weir_resolution *res,
			struct weir_err *err)
{
	int r = push(s, undo_wires, &res->before, NULL, NULL, NULL, err);
	if (r == 0)
		r = withdraw_links(s, res, err);
	return r < 0 ? r : mend_wires(s, &res->after, err);
}

int weir_netns_withdraw(struct weir_session *s, const struct weir_resolution *res,
			struct weir_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < res->before.n_endpoints; i++) {
		const struct weir_endpoint *ep = &res->before.endpoints[i];
		if (!is_gone(res, ep))
			continue;
		weir_session_progress(s, "removing", i, res->before.n_endpoints);
		r = push(s, undo_change_netns, &res->before, NULL, ep, NULL, err);
		if (r == 0)
			r = ops_of(s)->netns_remove(s->links, ep, err);
	}
	return r;
}
