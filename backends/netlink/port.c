/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens on a port: whose frames it lets in, and how fast.
 *
 * How it works: the spoof guard is a classifier of the port's clsact qdisc, where frames arrive from the
 * endpoint. It is there before the port goes up, for every packet filter the same, and no flush of rules
 * takes it away. The kernel shows its instructions, so that one look tells whether it is the right one. A
 * new program takes the place of the old one in one step: no frame finds none.
 *
 * Towards the endpoint a token bucket (shape.c) delays what is above the rate. What comes from the endpoint is
 * delayed where it can be, by one inside; and since root inside may take that away, a second classifier
 * drops here what is above the rate (its instructions do not show: its name has a number made of them).
 * So no further device is needed.
 *
 * Where packets pass the host by, the end inside has both: a bucket for what it sends, the classifier for what
 * it takes. Root inside may take them away; whoever looks next puts them back. */
#include "backends/netlink/port.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/netlink/guard.h"
#include "backends/netlink/policer.h"
#include "backends/netlink/shape.h"

enum {
	PRIORITY = 1, /* before any other classifier */
	NAME_SIZE = 64
};

/* Classifiers of ours, by their handles. */
enum part { GUARD, POLICER, NUM_PARTS };
static const uint32_t handles[] = { [GUARD] = 0x7765, [POLICER] = 0x7766 }; /* "we", "wf" */
static_assert(sizeof(handles) / sizeof(handles[0]) == NUM_PARTS, "a handle for each part");
static const char *const part_words[] = { [GUARD] = "spoof guard", [POLICER] = "policer" };

/* What should be on a port. */
struct programs {
	bool wanted[NUM_PARTS];
	struct weir_classic guard;
	struct weir_bpf policer;
	char name[NAME_SIZE]; /* of the policer's classifier */
};

static void make_programs(const struct weir_port *port, struct programs *ret)
{
	const struct weir_attach *a = port->attach;
	const char *gateway = a->net->gateway_endpoint;
	struct weir_guard guard = {
		.mac = weir_attach_mac(a),
		.router = a->ep->forward,
		.gateway = gateway && strcmp(gateway, a->ep->name) == 0,
	};

	ret->wanted[GUARD] = port->guarded;
	ret->wanted[POLICER] = port->takes != 0;
	memcpy(guard.addrs, a->att->addrs, sizeof(guard.addrs));
	if (ret->wanted[GUARD])
		weir_guard_write(&guard, &ret->guard);
	if (!ret->wanted[POLICER])
		return;
	weir_policer_write(port->takes, weir_shape_burst(port->takes, port->mtu), &ret->policer);
	(void)snprintf(ret->name, sizeof(ret->name), "weir rate %" PRIu64 " %016" PRIx64,
		       port->takes, weir_bpf_hash(&ret->policer));
}

/* ---- what is there ---- */

struct there {
	const struct programs *want;
	bool is_there[NUM_PARTS], is_right[NUM_PARTS];
	bool behind; /* frames meet a classifier before the guard */
};

static bool is_guard(struct nlattr *const *attrs, const struct weir_classic *guard)
{
	const struct nlattr *ops = attrs[TCA_BPF_OPS];
	const size_t size = guard->n * sizeof(guard->insns[0]);

	return ops && (size_t)nla_len(ops) == size &&
	       memcmp(nla_data(ops), guard->insns, size) == 0;
}

static bool is_right(enum part part, struct nlattr *options, const struct programs *want)
{
	struct nlattr *attrs[TCA_BPF_MAX + 1];

	if (!want->wanted[part] || nla_parse_nested(attrs, TCA_BPF_MAX, options, NULL) < 0 ||
	    !attrs[TCA_BPF_FLAGS] || nla_len(attrs[TCA_BPF_FLAGS]) != 4 ||
	    !(nla_get_u32(attrs[TCA_BPF_FLAGS]) & TCA_BPF_FLAG_ACT_DIRECT))
		return false;
	if (part == GUARD)
		return is_guard(attrs, &want->guard);
	return attrs[TCA_BPF_NAME] && nla_strcmp(attrs[TCA_BPF_NAME], want->name) == 0;
}

static int take_filter(const struct nlmsghdr *message, void *ctx)
{
	struct there *there = ctx;
	struct nlattr *attrs[TCA_MAX + 1];
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */
	struct tcmsg header;
	int part = 0;

	if (!message) {
		*there = (struct there){ .want = there->want };
		return 0;
	}
	if (message->nlmsg_type != RTM_NEWTFILTER ||
	    nlmsg_parse(from, sizeof(header), attrs, TCA_MAX, NULL) < 0)
		return 0;
	memcpy(&header, nlmsg_data(message), sizeof(header));
	if (header.tcm_handle == 0) /* the list that classifiers of one priority are in */
		return 0;
	while (part < NUM_PARTS && header.tcm_handle != handles[part])
		part++;
	if (part == NUM_PARTS || TC_H_MAJ(header.tcm_info) >> 16 != PRIORITY || !attrs[TCA_KIND] ||
	    nla_strcmp(attrs[TCA_KIND], "bpf") != 0 || !attrs[TCA_OPTIONS]) {
		there->behind = there->behind || !there->is_there[GUARD];
		return 0;
	}
	there->is_there[part] = true;
	there->is_right[part] = is_right((enum part)part, attrs[TCA_OPTIONS], there->want);
	return 0;
}

/* handle and priority 0: all of them */
static struct tcmsg arriving(int index, uint32_t handle, uint32_t priority)
{
	return (struct tcmsg){
		.tcm_ifindex = index,
		.tcm_handle = handle,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
		.tcm_info = priority ? TC_H_MAKE(priority << 16, htons(ETH_P_ALL)) : 0,
	};
}

static int look(const struct weir_port *port, struct there *there, struct weir_err *err)
{
	struct tcmsg header = arriving(port->index, 0, 0);
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETTFILTER, NLM_F_DUMP, &header, sizeof(header));

	return weir_request_walk(port->channel, &request, take_filter, there, err,
				 "filter list %s ingress", port->ifname);
}

/* ---- making it so ---- */

/* What to do without the program, after the kernel's reason. */
static int refuse(const struct weir_port *port, enum part part, int r, struct weir_err *err)
{
	bool forbidden = r == -EPERM || r == -EACCES;

	if (!forbidden && r != -ENOSYS && r != -ENOENT && r != -EOPNOTSUPP)
		return r;
	const char *why = forbidden ? "weir may load no BPF program here"
				    : "this kernel lacks BPF, cls_bpf or sch_ingress";
	if (part == POLICER)
		return weir_err_set(
			err, forbidden ? EPERM : EOPNOTSUPP,
			"no limit to what endpoint \"%s\" sends or receives is possible: %s (do "
			"without: no rate)",
			port->attach->ep->name, why);
	return weir_err_set(err, forbidden ? EPERM : EOPNOTSUPP,
			    "no spoof guard is possible: %s (do without: \"spoof_guard: false\" "
			    "in network \"%s\")",
			    why, port->attach->net->name);
}

static int add_qdisc(const struct weir_port *port, struct weir_err *err)
{
	struct tcmsg header = { .tcm_ifindex = port->index,
				.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
				.tcm_parent = TC_H_CLSACT };
	struct weir_err why = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	weir_request_text(&request, TCA_KIND, "clsact");
	int r = weir_request_send(port->channel, &request, &why, "qdisc add %s clsact",
				  port->ifname);
	return weir_request_allow(r, EEXIST, &why, err);
}

/* Adds it, or puts it in the place of the one that is there. fd: the policer. */
static int put_filter(const struct weir_port *port, enum part part, const struct programs *programs,
		      int fd, struct weir_err *err)
{
	const struct weir_classic *guard = &programs->guard;
	struct tcmsg header = arriving(port->index, handles[part], PRIORITY);
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWTFILTER, NLM_F_CREATE, &header, sizeof(header));

	weir_request_text(&request, TCA_KIND, "bpf");
	struct nlattr *options = weir_request_open(&request, TCA_OPTIONS);
	if (part == GUARD) {
		weir_request_u16(&request, TCA_BPF_OPS_LEN, (uint16_t)guard->n);
		weir_request_bytes(&request, TCA_BPF_OPS, guard->insns,
				   guard->n * sizeof(guard->insns[0]));
	} else {
		weir_request_u32(&request, TCA_BPF_FD, (uint32_t)fd);
		weir_request_text(&request, TCA_BPF_NAME, programs->name);
	}
	weir_request_u32(&request, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	weir_request_close(&request, options);
	return weir_request_send(port->channel, &request, err, "filter replace %s ingress %s",
				 port->ifname, part_words[part]);
}

static int remove_filter(const struct weir_port *port, enum part part, struct weir_err *err)
{
	struct tcmsg header = arriving(port->index, handles[part], PRIORITY);
	struct weir_err why = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_DELTFILTER, 0, &header, sizeof(header));

	int r = weir_request_send(port->channel, &request, &why, "filter del %s ingress %s",
				  port->ifname, part_words[part]);
	return weir_request_allow(r, ENOENT, &why, err);
}

static int count_filters(const struct nlmsghdr *message, void *ctx)
{
	size_t *n = ctx;

	*n = message ? *n + (message->nlmsg_type == RTM_NEWTFILTER) : 0;
	return 0;
}

/* Not while somebody has a classifier of his own there. */
static int remove_unused_qdisc(const struct weir_port *port, struct weir_err *err)
{
	static const uint32_t hooks[] = { TC_H_MIN_INGRESS, TC_H_MIN_EGRESS };
	struct tcmsg header = { .tcm_ifindex = port->index,
				.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
				.tcm_parent = TC_H_CLSACT };
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && n == 0 && i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		struct tcmsg from = arriving(port->index, 0, 0);
		from.tcm_parent = TC_H_MAKE(TC_H_CLSACT, hooks[i]);
		WEIR_CLEAN_REQUEST struct weir_request request =
			weir_request_make(RTM_GETTFILTER, NLM_F_DUMP, &from, sizeof(from));
		r = weir_request_walk(port->channel, &request, count_filters, &n, err,
				      "filter list %s clsact", port->ifname);
	}
	if (r < 0 || n)
		return r;
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_DELQDISC, 0, &header, sizeof(header));
	return weir_request_send(port->channel, &request, err, "qdisc del %s clsact", port->ifname);
}

static int install(const struct weir_port *port, enum part part, const struct programs *programs,
		   struct weir_err *err)
{
	int fd = -1;

	if (part == GUARD && programs->guard.broken)
		return weir_err_set(err, ENOMEM, "the spoof guard's program is too long");
	int r = add_qdisc(port, err);
	if (r == 0 && part == POLICER)
		r = weir_bpf_load(&programs->policer, "weir_policer", port->attach->links->trace,
				  &fd, err);
	if (r == 0)
		r = put_filter(port, part, programs, fd, err);
	if (fd >= 0)
		(void)close(fd); /* the classifier holds the program */
	return r < 0 ? refuse(port, part, r, err) : 0;
}

/* Where another one came before the guard, the guard is put there again: the last one comes first. */
static int ensure_part(const struct weir_port *port, enum part part, const struct there *there,
		       bool *changed, struct weir_err *err)
{
	bool wanted = there->want->wanted[part];
	bool misplaced = wanted && part == GUARD && there->is_there[part] && there->behind;
	int r = 0;

	if (wanted && there->is_right[part] && !misplaced)
		return 0;
	if (there->is_there[part] && (!wanted || misplaced)) {
		*changed = true;
		r = remove_filter(port, part, err);
	}
	if (r < 0 || !wanted)
		return r;
	*changed = true;
	return install(port, part, there->want, err);
}

/* ---- ports ---- */

struct weir_port weir_port_of_host(const struct weir_attach *a, int index)
{
	return (struct weir_port){ .attach = a,
				   .channel = &a->links->host,
				   .ifname = a->att->host_ifname,
				   .index = index,
				   .mtu = weir_attach_mtu(a),
				   .sends = a->ep->rate.to,
				   .takes = a->ep->rate.from,
				   .guarded = !a->net->no_spoof_guard,
				   .classifies = true };
}

struct weir_port weir_port_inside(const struct weir_attach *a, int index, unsigned mtu)
{
	bool alone = !weir_mode_traits(a->net->mode)->host;

	return (struct weir_port){ .attach = a,
				   .channel = &a->inside->channel,
				   .ifname = a->att->ifname,
				   .index = index,
				   .mtu = mtu,
				   .sends = a->ep->rate.from,
				   .takes = alone ? a->ep->rate.to : 0,
				   .classifies = alone };
}

static struct weir_shaped shaped(const struct weir_port *port)
{
	return (struct weir_shaped){ port->channel, port->ifname, port->index, port->mtu };
}

int weir_port_ensure(const struct weir_port *port, bool fresh, bool *changed, struct weir_err *err)
{
	struct programs programs;
	struct there there = { .want = &programs };
	const struct weir_shaped bucket = shaped(port);
	int r = weir_shape_ensure(&bucket, port->sends, fresh, changed, err);

	if (r < 0 || !port->classifies)
		return r;
	make_programs(port, &programs);
	if (!fresh)
		r = look(port, &there, err);
	for (int part = 0; part < NUM_PARTS && r == 0; part++)
		r = ensure_part(port, (enum part)part, &there, changed, err);
	if (r < 0 || programs.wanted[GUARD] || programs.wanted[POLICER] ||
	    !(there.is_there[GUARD] || there.is_there[POLICER]))
		return r;
	return remove_unused_qdisc(port, err);
}

int weir_port_check(const struct weir_port *port, struct weir_err *err)
{
	struct programs programs;
	struct there there = { .want = &programs };
	const struct weir_shaped bucket = shaped(port);
	int r = weir_shape_check(&bucket, port->sends, err);

	if (r < 0 || !port->classifies)
		return r;
	make_programs(port, &programs);
	r = look(port, &there, err);
	for (int part = 0; part < NUM_PARTS && r == 0; part++) {
		const char *what = !programs.wanted[part]  ? "has a"
				   : !there.is_there[part] ? "has lost its"
				   : !there.is_right[part] ? "has a changed"
							   : NULL;
		if (programs.wanted[part] ? what != NULL : there.is_there[part])
			r = weir_err_set(err, ESTALE, "interface %s %s %s", port->ifname, what,
					 part_words[part]);
	}
	if (r == 0 && programs.wanted[GUARD] && there.behind)
		r = weir_err_set(err, ESTALE,
				 "interface %s has a classifier before its spoof guard",
				 port->ifname);
	return r;
}

/* ---- what it dropped ---- */

static int take_drops(const struct nlmsghdr *message, void *ctx)
{
	struct nlattr *attrs[TCA_MAX + 1], *stats[TCA_STATS_MAX + 1];
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */
	struct gnet_stats_queue queue;

	if (!message) {
		*(uint64_t *)ctx = 0;
		return 0;
	}
	if (message->nlmsg_type != RTM_NEWQDISC ||
	    nlmsg_parse(from, sizeof(struct tcmsg), attrs, TCA_MAX, NULL) < 0 ||
	    !attrs[TCA_STATS2] ||
	    nla_parse_nested(stats, TCA_STATS_MAX, attrs[TCA_STATS2], NULL) < 0 ||
	    !stats[TCA_STATS_QUEUE] || nla_len(stats[TCA_STATS_QUEUE]) < (int)sizeof(queue))
		return 0;
	memcpy(&queue, nla_data(stats[TCA_STATS_QUEUE]), sizeof(queue));
	*(uint64_t *)ctx = queue.drops;
	return 0;
}

int weir_port_drops(struct weir_links *links, const struct weir_attachment *att, uint64_t *ret,
		    struct weir_err *err)
{
	struct weir_err why = { 0 };
	struct weir_iface port;
	uint64_t drops = 0;
	int r = weir_iface_find(&links->host, att->host_ifname, &port, err);

	if (r < 0)
		return r;
	struct tcmsg header = { .tcm_ifindex = port.index, .tcm_parent = TC_H_CLSACT };
	/* without ECHO kernels of old tell only those who listen to changes */
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETQDISC, NLM_F_ECHO, &header, sizeof(header));
	if (port.index)
		r = weir_request_walk(&links->host, &request, take_drops, &drops, &why,
				      "qdisc get %s clsact", att->host_ifname);
	r = weir_request_allow(r, ENOENT, &why, err);
	if (r == 0)
		*ret = drops;
	return r;
}
