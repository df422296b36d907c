/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens on a port, the host's end of an attachment: whose frames it lets in, and how fast.
 *
 * How it works: the spoof guard is a classifier of the port's clsact qdisc, where frames arrive from the
 * endpoint. It is there before the port goes up, for every packet filter the same, and no flush of rules
 * takes it away. The classifier's name tells the program: the endpoint's addresses for people, and a number
 * made of the instructions, so that one look shows whether it is the right one. A new program takes the
 * place of the old one in one step: no frame finds none.
 *
 * Towards the endpoint a token bucket (shape.c) delays what is above the rate. What comes from the endpoint is
 * delayed where it can be, by one inside; and since root inside may take that away, the program drops
 * here what is above the rate. So no further device is needed. */
#include "backends/netlink/port.h"

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
#include "backends/netlink/shape.h"

enum {
	GUARD_PRIORITY = 1, /* before any other classifier */
	GUARD_HANDLE = 1,
	NAME_SIZE = 192 /* CLS_BPF_NAME_LEN, 256 in the kernel, holds it */
};

static const char guard_word[] = "weir guard";

/* A program and the name of its classifier. */
struct program {
	struct weir_bpf bpf;
	char name[NAME_SIZE];
};

static bool has_program(const struct weir_attach *a)
{
	return !a->net->no_spoof_guard || a->ep->rate.from;
}

static void make_program(const struct weir_attach *a, struct program *ret)
{
	const char *gateway = a->net->gateway_endpoint;
	struct weir_guard guard = {
		.mac = weir_attach_mac(a),
		.router = a->ep->forward,
		.gateway = gateway && strcmp(gateway, a->ep->name) == 0,
		.open = a->net->no_spoof_guard,
		.rate = a->ep->rate.from,
	};
	char mac[WEIR_MAC_TEXT], ipv4[WEIR_ADDR_TEXT], ipv6[WEIR_ADDR_TEXT];

	memcpy(guard.addrs, a->att->addrs, sizeof(guard.addrs));
	weir_guard_write(&guard, &ret->bpf);
	(void)snprintf(ret->name, sizeof(ret->name), "%s %s %s %s %s%s%016" PRIx64, guard_word,
		       weir_mac_text(&guard.mac, mac),
		       weir_addr_text(&guard.addrs[WEIR_IPV4], ipv4),
		       weir_addr_text(&guard.addrs[WEIR_IPV6], ipv6), guard.router ? "router " : "",
		       guard.gateway ? "gateway "
		       : guard.open  ? "open "
				     : "",
		       weir_bpf_hash(&ret->bpf));
}

/* ---- what is there ---- */

/* The first classifier that frames from the endpoint meet. */
struct first {
	bool is_there;
	uint32_t handle, priority;
	char name[NAME_SIZE]; /* of a program; else empty */
};

static void take_program(struct nlattr *options, struct first *first)
{
	struct nlattr *attrs[TCA_BPF_MAX + 1];

	if (nla_parse_nested(attrs, TCA_BPF_MAX, options, NULL) < 0 || !attrs[TCA_BPF_NAME] ||
	    !attrs[TCA_BPF_FLAGS] || nla_len(attrs[TCA_BPF_FLAGS]) != 4 ||
	    !(nla_get_u32(attrs[TCA_BPF_FLAGS]) & TCA_BPF_FLAG_ACT_DIRECT))
		return;
	(void)nla_strlcpy(first->name, attrs[TCA_BPF_NAME], sizeof(first->name));
}

static int take_first(const struct nlmsghdr *message, void *ctx)
{
	struct first *first = ctx;
	struct nlattr *attrs[TCA_MAX + 1];
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */
	struct tcmsg header;

	if (!message) {
		*first = (struct first){ 0 };
		return 0;
	}
	if (first->is_there || message->nlmsg_type != RTM_NEWTFILTER ||
	    nlmsg_parse(from, sizeof(header), attrs, TCA_MAX, NULL) < 0)
		return 0;
	memcpy(&header, nlmsg_data(message), sizeof(header));
	if (header.tcm_handle == 0) /* the list that classifiers of one priority are in */
		return 0;
	first->is_there = true;
	first->handle = header.tcm_handle;
	first->priority = TC_H_MAJ(header.tcm_info) >> 16;
	if (attrs[TCA_KIND] && nla_strcmp(attrs[TCA_KIND], "bpf") == 0 && attrs[TCA_OPTIONS])
		take_program(attrs[TCA_OPTIONS], first);
	return 0;
}

static struct tcmsg arriving(int index, uint32_t handle, uint32_t priority)
{
	return (struct tcmsg){
		.tcm_ifindex = index,
		.tcm_handle = handle,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
		.tcm_info = TC_H_MAKE(priority << 16, htons(ETH_P_ALL)),
	};
}

static int find_first(const struct weir_attach *a, int index, struct first *ret,
		      struct weir_err *err)
{
	struct tcmsg header = arriving(index, 0, 0);
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETTFILTER, NLM_F_DUMP, &header, sizeof(header));

	header.tcm_info = 0;
	return weir_request_walk(&a->links->host, &request, take_first, ret, err,
				 "filter list %s ingress", a->att->host_ifname);
}

static bool is_ours(const struct first *first)
{
	return first->priority == GUARD_PRIORITY && first->handle == GUARD_HANDLE &&
	       strncmp(first->name, guard_word, sizeof(guard_word) - 1) == 0;
}

/* ---- making it so ---- */

/* What to do without the program, after the kernel's reason. */
static int refuse(const struct weir_attach *a, int r, struct weir_err *err)
{
	bool forbidden = r == -EPERM || r == -EACCES;

	if (!forbidden && r != -ENOSYS && r != -ENOENT && r != -EOPNOTSUPP)
		return r;
	return weir_err_set(err, forbidden ? EPERM : EOPNOTSUPP,
			    "no spoof guard is possible: %s (do without: \"spoof_guard: false\" "
			    "in network \"%s\"%s)",
			    forbidden ? "weir may load no BPF program here"
				      : "this kernel lacks BPF, cls_bpf or sch_ingress",
			    a->net->name, a->ep->rate.from ? ", no rate" : "");
}

static int add_qdisc(const struct weir_attach *a, int index, struct weir_err *err)
{
	struct tcmsg header = { .tcm_ifindex = index,
				.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
				.tcm_parent = TC_H_CLSACT };
	struct weir_err why = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	weir_request_text(&request, TCA_KIND, "clsact");
	int r = weir_request_send(&a->links->host, &request, &why, "qdisc add %s clsact",
				  a->att->host_ifname);
	return weir_request_allow(r, EEXIST, &why, err);
}

/* Adds it, or puts it in the place of the one that is there. */
static int put_filter(const struct weir_attach *a, int index, const char *name, int fd,
		      struct weir_err *err)
{
	struct tcmsg header = arriving(index, GUARD_HANDLE, GUARD_PRIORITY);
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWTFILTER, NLM_F_CREATE, &header, sizeof(header));

	weir_request_text(&request, TCA_KIND, "bpf");
	struct nlattr *options = weir_request_open(&request, TCA_OPTIONS);
	weir_request_u32(&request, TCA_BPF_FD, (uint32_t)fd);
	weir_request_text(&request, TCA_BPF_NAME, name);
	weir_request_u32(&request, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	weir_request_close(&request, options);
	return weir_request_send(&a->links->host, &request, err, "filter replace %s ingress %s",
				 a->att->host_ifname, name);
}

static int remove_filter(const struct weir_attach *a, int index, const struct first *first,
			 struct weir_err *err)
{
	struct tcmsg header = arriving(index, first->handle, first->priority);
	struct weir_err why = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_DELTFILTER, 0, &header, sizeof(header));

	int r = weir_request_send(&a->links->host, &request, &why, "filter del %s ingress",
				  a->att->host_ifname);
	return weir_request_allow(r, ENOENT, &why, err);
}

static int install(const struct weir_attach *a, int index, const struct program *program,
		   struct weir_err *err)
{
	int fd = -1;
	int r = add_qdisc(a, index, err);

	if (r == 0)
		r = weir_bpf_load(&program->bpf, "weir_guard", a->links->trace, &fd, err);
	if (r < 0)
		return refuse(a, r, err);
	r = put_filter(a, index, program->name, fd, err);
	(void)close(fd); /* the classifier holds the program */
	return r < 0 ? refuse(a, r, err) : 0;
}

static struct weir_shaped shaped(const struct weir_attach *a, int index)
{
	return (struct weir_shaped){ &a->links->host, a->att->host_ifname, index,
				     weir_attach_mtu(a) };
}

int weir_port_ensure(const struct weir_attach *a, int index, bool fresh, bool *changed,
		     struct weir_err *err)
{
	struct program program;
	struct first first = { 0 };
	const struct weir_shaped port = shaped(a, index);
	int r = weir_shape_ensure(&port, a->ep->rate.to, fresh, changed, err);

	if (r == 0 && !fresh)
		r = find_first(a, index, &first, err);
	if (r < 0 || (!has_program(a) && !is_ours(&first)))
		return r;
	if (!has_program(a)) {
		*changed = true;
		return remove_filter(a, index, &first, err);
	}
	make_program(a, &program);
	if (is_ours(&first) && strcmp(first.name, program.name) == 0)
		return 0;
	*changed = true;
	return install(a, index, &program, err);
}

int weir_port_check(const struct weir_attach *a, int index, struct weir_err *err)
{
	struct program program;
	struct first first;
	const struct weir_shaped port = shaped(a, index);
	int r = weir_shape_check(&port, a->ep->rate.to, err);

	if (r == 0)
		r = find_first(a, index, &first, err);

	if (r < 0 || (!has_program(a) && !is_ours(&first)))
		return r;
	if (!has_program(a))
		return weir_err_set(err, ESTALE, "interface %s has a spoof guard",
				    a->att->host_ifname);
	make_program(a, &program);
	if (!first.is_there)
		return weir_err_set(err, ESTALE, "interface %s has lost its spoof guard",
				    a->att->host_ifname);
	if (!is_ours(&first) || strcmp(first.name, program.name) != 0)
		return weir_err_set(err, ESTALE, "interface %s has \"%s\", not \"%s\"",
				    a->att->host_ifname, first.name, program.name);
	return 0;
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
