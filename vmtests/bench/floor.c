/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The floor that weir is measured against: the netlink and netfilter work of one attach or detach,
 * written down for one case, and nothing else. No store, no plan, no question that a program which
 * knows the answer would not ask, no way back. What it leaves in the kernel is what weir leaves:
 * interfaces with alias and group, a guard of the endpoint's addresses on its port, rules with what names
 * them, an epoch; and a detach forgets the connections of the endpoint, which only a listing of all
 * connections finds.
 *
 *	floor attach NAME ADDRESS NUMBER PORT COUNT [BRIDGE]	endpoint NAME at ADDRESS (10.99.x.y), COUNT
 *							host ports from PORT on, all to port 80
 *	floor detach NAME ADDRESS NUMBER PORT COUNT
 *
 * It is linked twice, with floor_nftables.c and with floor_iptables.c. ci/bench has made BRIDGE, or
 * br-floor (10.99.0.1/16), and what those two ask for beforehand. NUMBER makes the MAC address and
 * the epoch. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "floor.h"

enum {
	PREFIX_LEN = 16,
	GATEWAY = 0x0a630001, /* 10.99.0.1 */
	GROUP = 99,
};

/* ---- rtnetlink: one request, one answer ---- */

static struct mnl_socket *open_netlink(int family)
{
	struct mnl_socket *nl = mnl_socket_open2(family, SOCK_CLOEXEC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		err(1, "netlink");
	return nl;
}

static void await_ack(struct mnl_socket *nl, const char *what)
{
	char buf[8192];
	ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		err(1, "%s", what);
}

static void send_request(struct mnl_socket *nl, const struct nlmsghdr *nlh, const char *what)
{
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		err(1, "%s", what);
	await_ack(nl, what);
}

static struct nlmsghdr *start_request(void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return nlh;
}

/* ip link set NAME up */
static void set_up(struct mnl_socket *nl, unsigned index)
{
	char buf[256];
	struct nlmsghdr *nlh = start_request(buf, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = (int)index;
	ifi->ifi_change = ifi->ifi_flags = IFF_UP;
	send_request(nl, nlh, "link up");
}

/* ip link set NAME alias ALIAS; a port's flags, no link-local address; or telling of an address */
static void configure(struct mnl_socket *nl, const struct job *job, unsigned index, bool port)
{
	char buf[512];
	struct nlmsghdr *nlh = start_request(buf, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = (int)index;
	mnl_attr_put_strz(nlh, IFLA_IFALIAS, job->alias);
	if (port) {
		struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
		mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, "bridge");
		struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
		mnl_attr_put_u8(nlh, IFLA_BRPORT_ISOLATED, 0);
		mnl_attr_put_u8(nlh, IFLA_BRPORT_MODE, 0);
		mnl_attr_nest_end(nlh, data);
		mnl_attr_nest_end(nlh, info);
	}
	struct nlattr *families = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(nlh, port ? AF_INET6 : AF_INET);
	if (port) {
		mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	} else {
		struct nlattr *conf = mnl_attr_nest_start(nlh, IFLA_INET_CONF);
		mnl_attr_put_u32(nlh, IPV4_DEVCONF_ARP_NOTIFY, 1);
		mnl_attr_nest_end(nlh, conf);
	}
	mnl_attr_nest_end(nlh, family);
	mnl_attr_nest_end(nlh, families);
	send_request(nl, nlh, "link set");
}

/* The carrier counts at once, not when the kernel comes round to it. */
static void settle(struct mnl_socket *nl, const char *ifname)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GLINK };
	struct ifreq request = { .ifr_data = (void *)&value };
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	if (ioctl(mnl_socket_get_fd(nl), SIOCETHTOOL, &request) < 0)
		err(1, "%s", ifname);
}

/* ip link add HOST_END master br-floor type veth peer name eth0 address MAC netns FD */
static void add_veth(struct mnl_socket *nl, const struct job *job, int netns)
{
	char buf[1024];
	struct nlmsghdr *nlh = start_request(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	(void)mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, job->host_end);
	mnl_attr_put_u32(nlh, IFLA_GROUP, GROUP);
	mnl_attr_put_u32(nlh, IFLA_MASTER, if_nametoindex(job->bridge));
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	(void)mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "eth0");
	mnl_attr_put_u32(nlh, IFLA_GROUP, GROUP);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(job->mac), job->mac);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)netns);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	send_request(nl, nlh, "veth");
}

static void add_address(struct mnl_socket *nl, const struct job *job, unsigned index)
{
	char buf[256];
	struct nlmsghdr *nlh = start_request(buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = PREFIX_LEN;
	ifa->ifa_index = index;
	mnl_attr_put_u32(nlh, IFA_LOCAL, job->addr_be);
	mnl_attr_put_u32(nlh, IFA_ADDRESS, job->addr_be);
	mnl_attr_put_u32(nlh, IFA_BROADCAST, job->addr_be | htonl(0xffffffffU >> PREFIX_LEN));
	send_request(nl, nlh, "address");
}

static void add_default_route(struct mnl_socket *nl, unsigned index)
{
	char buf[256];
	struct nlmsghdr *nlh = start_request(buf, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_GATEWAY, htonl(GATEWAY));
	mnl_attr_put_u32(nlh, RTA_OIF, index);
	send_request(nl, nlh, "route");
}

/* tc qdisc add dev HOST_END clsact */
static void add_clsact(struct mnl_socket *nl, unsigned index)
{
	char buf[256];
	struct nlmsghdr *nlh = start_request(buf, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	tcm->tcm_ifindex = (int)index;
	tcm->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	tcm->tcm_parent = TC_H_CLSACT;
	mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
	send_request(nl, nlh, "clsact");
}

/* tc filter add dev HOST_END ingress bpf da bytecode …: its own MAC address, and as IPv4 or in ARP its
 * own address; nothing else */
static void add_guard(struct mnl_socket *nl, const struct job *job, unsigned index)
{
	enum { PASS = 11, DROP = 12 };
	uint32_t mac_high = (uint32_t)job->mac[0] << 24 | (uint32_t)job->mac[1] << 16 |
			    (uint32_t)job->mac[2] << 8 | job->mac[3];
	uint16_t mac_low = (uint16_t)(job->mac[4] << 8 | job->mac[5]);
	const struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETH_ALEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mac_high, 0, DROP - 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETH_ALEN + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mac_low, 0, DROP - 4),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 2 * ETH_ALEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETH_HLEN + 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(job->addr_be), PASS - 8, DROP - 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, DROP - 9),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETH_HLEN + 14),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(job->addr_be), 0, DROP - 11),
		BPF_STMT(BPF_RET | BPF_K, (uint32_t)TC_ACT_UNSPEC),
		BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT),
	};
	char buf[512];
	struct nlmsghdr *nlh = start_request(buf, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	tcm->tcm_ifindex = (int)index;
	tcm->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	tcm->tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
	struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put_u16(nlh, TCA_BPF_OPS_LEN, sizeof(program) / sizeof(program[0]));
	mnl_attr_put(nlh, TCA_BPF_OPS, sizeof(program), program);
	mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(nlh, options);
	send_request(nl, nlh, "guard");
}

static void delete_link(struct mnl_socket *nl, const char *ifname)
{
	char buf[256];
	struct nlmsghdr *nlh = start_request(buf, RTM_DELLINK, 0);
	(void)mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
	send_request(nl, nlh, "link delete");
}

/* ---- the namespace ---- */

/* Before it is up: an unused IPv6 would announce itself to every port of the bridge. */
static void turn_ipv6_off(const char *ifname)
{
	char path[96];
	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", ifname);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) < 0)
		err(1, "%s", path);
	(void)close(fd);
}

static void enter(int netns)
{
	if (setns(netns, CLONE_NEWNET) < 0)
		err(1, "setns");
}

static int make_netns(const struct job *job, int host)
{
	int file = open(job->path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (file < 0 || unshare(CLONE_NEWNET) < 0)
		err(1, "%s", job->path);
	(void)close(file);
	if (mount("/proc/thread-self/ns/net", job->path, NULL, MS_BIND, NULL) < 0)
		err(1, "%s", job->path);
	int netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		err(1, "netns");
	enter(host);
	return netns;
}

static void configure_inside(const struct job *job, int netns, int host)
{
	enter(netns);
	struct mnl_socket *nl = open_netlink(NETLINK_ROUTE);
	unsigned eth0 = if_nametoindex("eth0");
	turn_ipv6_off("eth0");
	set_up(nl, if_nametoindex("lo"));
	configure(nl, job, eth0, false);
	add_address(nl, job, eth0);
	set_up(nl, eth0);
	add_default_route(nl, eth0);
	settle(nl, "eth0");
	(void)mnl_socket_close(nl);
	enter(host);
}

/* ---- conntrack ---- */

struct listing {
	const struct job *job;
	struct nlmsghdr *deletion; /* of the last flow that was found */
	uint32_t found;
};

/* Does the tuple come from the address? */
static bool comes_from(const struct nlattr *tuple, uint32_t addr_be)
{
	const struct nlattr *part, *ip;
	bool found = false;

	mnl_attr_for_each_nested(part, tuple)
	{
		if (mnl_attr_get_type(part) != CTA_TUPLE_IP)
			continue;
		mnl_attr_for_each_nested(ip, part)
		{
			found |= mnl_attr_get_type(ip) == CTA_IP_V4_SRC &&
				 mnl_attr_get_u32(ip) == addr_be;
		}
	}
	return found;
}

/* The original tuple of a flow that the endpoint opened or answers, for its deletion. */
static int take_flow(const struct nlmsghdr *nlh, void *ctx)
{
	struct listing *listing = ctx;
	const struct nlattr *attr, *original = NULL;
	bool ours = false;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		unsigned type = mnl_attr_get_type(attr);
		if (type == CTA_TUPLE_ORIG)
			original = attr;
		if (type == CTA_TUPLE_ORIG || type == CTA_TUPLE_REPLY)
			ours |= comes_from(attr, listing->job->addr_be);
	}
	if (!ours || !original)
		return MNL_CB_OK;
	struct nlmsghdr *del = listing->deletion;
	mnl_nlmsg_put_header(del);
	del->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;
	del->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(del, sizeof(*nfg));
	nfg->nfgen_family = AF_INET;
	mnl_attr_put(del, CTA_TUPLE_ORIG | NLA_F_NESTED, mnl_attr_get_payload_len(original),
		     mnl_attr_get_payload(original));
	listing->found++;
	return MNL_CB_OK;
}

/* conntrack -D -f ipv4 -s ADDRESS; conntrack -D -f ipv4 -r ADDRESS */
static void forget_flows(const struct job *job)
{
	static char buf[65536], del[1024];
	struct listing listing = { .job = job, .deletion = (struct nlmsghdr *)del };
	struct mnl_socket *nl = open_netlink(NETLINK_NETFILTER);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_INET;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		err(1, "conntrack");
	for (int more = 1; more > 0;) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		more = n < 0 ? -1 : mnl_cb_run(buf, (size_t)n, 0, 0, take_flow, &listing);
		if (more < 0)
			err(1, "conntrack");
	}
	if (listing.found > 1)
		errx(1, "%u flows: this is written for one at most", listing.found);
	if (listing.found)
		send_request(nl, listing.deletion, "conntrack");
	(void)mnl_socket_close(nl);
}

/* ---- both jobs ---- */

static void attach(const struct job *job)
{
	int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (host < 0)
		err(1, "/proc/self/ns/net");
	struct mnl_socket *nl = open_netlink(NETLINK_ROUTE);
	int netns = make_netns(job, host);
	add_veth(nl, job, netns);
	unsigned host_end = if_nametoindex(job->host_end);
	configure(nl, job, host_end, true);
	add_clsact(nl, host_end);
	add_guard(nl, job, host_end);
	configure_inside(job, netns, host);
	floor_rules(job, true);
	set_up(nl, host_end);
	settle(nl, job->host_end);
	settle(nl, job->bridge);
	(void)mnl_socket_close(nl);
}

static void detach(const struct job *job)
{
	struct mnl_socket *nl = open_netlink(NETLINK_ROUTE);
	floor_rules(job, false);
	forget_flows(job);
	delete_link(nl, job->host_end);
	if (umount2(job->path, MNT_DETACH) < 0 || unlink(job->path) < 0)
		err(1, "%s", job->path);
	(void)mnl_socket_close(nl);
}

static unsigned read_number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (*end || n > 65535)
		errx(2, "%s is no number up to 65535", text);
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	if (argc < 7 || argc > 8)
		errx(2, "usage: floor attach|detach NAME ADDRESS NUMBER PORT COUNT [BRIDGE]");
	struct job job = { .name = argv[2],
			   .bridge = argc > 7 ? argv[7] : "br-floor",
			   .number = read_number(argv[4]),
			   .port = read_number(argv[5]),
			   .count = read_number(argv[6]) };
	uint8_t mac[6] = { 2, 0, 0, 0x99, (uint8_t)(job.number >> 8), (uint8_t)job.number };
	memcpy(job.mac, mac, sizeof(mac));
	(void)snprintf(job.alias, sizeof(job.alias),
		       "floor 00000000-0000-0000-0000-000000000000 endpoint %s network floor",
		       argv[2]);
	(void)snprintf(job.path, sizeof(job.path), "/run/netns/%s", argv[2]);
	(void)snprintf(job.host_end, sizeof(job.host_end), "v%s", argv[2]);
	if (inet_pton(AF_INET, argv[3], &job.addr_be) != 1)
		errx(2, "%s is no address", argv[3]);
	if (strcmp(argv[1], "attach") == 0)
		attach(&job);
	else if (strcmp(argv[1], "detach") == 0)
		detach(&job);
	else
		errx(2, "%s: attach or detach", argv[1]);
	return 0;
}
