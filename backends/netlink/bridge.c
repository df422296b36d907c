/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network's bridge: with the gateways' addresses, unless an endpoint is the gateway. */
#include "backends/netlink/bridge.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "backends/modprobe.h"
#include "backends/netlink/address.h"
#include "backends/netlink/family.h"
#include "backends/netlink/sysctl.h"
#include "core/model_check.h"
#include "core/names.h"

enum { DEFAULT_MTU = 1500 }; /* ETH_DATA_LEN, linux/if_ether.h */

/* br_netfilter's global switches, which are there when it is. */
static const char *const filter_keys[] = { "net/bridge/bridge-nf-call-iptables",
					   "net/bridge/bridge-nf-call-ip6tables",
					   "net/bridge/bridge-nf-call-arptables" };

/* What a bridge should be, with the memory behind it. */
struct plan {
	struct weir_iface_want want;
	char alias[WEIR_ALIAS_SIZE];
	struct weir_prefix addrs[WEIR_SUBNETS_MAX + 1];
	size_t n_addrs;
};

static void plan_addresses(const struct weir_network *net, struct plan *plan, bool ours)
{
	bool ipv6 = false;
	if (net->gateway_endpoint)
		return;
	for (size_t i = 0; i < net->n_subnets && i < WEIR_SUBNETS_MAX; i++) {
		const struct weir_subnet *subnet = &net->subnets[i];
		if (!weir_addr_is_set(&subnet->gateway))
			continue;
		plan->addrs[plan->n_addrs++] =
			(struct weir_prefix){ .addr = subnet->gateway, .len = subnet->prefix.len };
		if (subnet->gateway.family == WEIR_IPV4)
			plan->want.route_localnet = true; /* ports published on 127.0.0.1 */
		ipv6 |= subnet->gateway.family == WEIR_IPV6;
	}
	/* asking for a neighbour of a packet that it forwards, the kernel speaks from a link-local address,
	 * and without one says nothing (ndisc_solicit) */
	if (ipv6 && ours)
		plan->addrs[plan->n_addrs++] =
			(struct weir_prefix){ weir_link_local(&plan->want.mac), 64 };
}

static void plan_bridge(const struct weir_links *links, const struct weir_network *net,
			struct plan *plan)
{
	bool ipv6 = weir_network_subnet(net, WEIR_IPV6) != NULL;

	*plan = (struct plan){
		.want = {
			.name = net->ifname,
			.what = "bridge",
			.mtu = net->mtu ? net->mtu : DEFAULT_MTU,
			.mac = net->mac, /* else it would follow the lowest port's */
			.addr_gen_none = true,
			.bridge = true,
			.nf_call = weir_network_is_filtered(net),
			.ipv6 = WEIR_IPV6_CONF_ANY,
		},
	};
	plan->want.alias = weir_alias_text(links->store, NULL, net->name, plan->alias);
	plan->want.ipv6.disable_ipv6 = !ipv6;
	if (ipv6)
		plan->want.ipv6.accept_ra = 0;
	if (!weir_mac_is_set(&net->mac))
		weir_names_bridge_mac(net->name, &plan->want.mac);
	plan_addresses(net, plan, true);
}

/* A bridge follows the smallest MTU of its ports until its own is changed (br_change_mtu), and what it is
 * made with is no change: so it is made with another one. */
static uint32_t mtu_to_change(uint32_t mtu)
{
	return mtu < WEIR_MTU_MAX ? mtu + 1 : mtu - 1;
}

static int create_bridge(struct weir_channel *host, const struct weir_iface_want *want,
			 struct weir_err *err)
{
	struct ifinfomsg header = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	weir_request_text(&request, IFLA_IFNAME, want->name);
	weir_request_u32(&request, IFLA_GROUP, WEIR_LINK_GROUP);
	weir_request_mac(&request, IFLA_ADDRESS, &want->mac);
	weir_request_u32(&request, IFLA_MTU, mtu_to_change(want->mtu));
	struct nlattr *info = weir_request_open(&request, IFLA_LINKINFO);
	weir_request_text(&request, IFLA_INFO_KIND, "bridge");
	struct nlattr *data = weir_request_open(&request, IFLA_INFO_DATA);
	weir_iface_put_bridge(&request, want);
	weir_request_close(&request, data);
	weir_request_close(&request, info);
	return weir_request_send(host, &request, err, "link add %s type bridge", want->name);
}

static int check_owner(const struct weir_iface *iface, const struct weir_iface_want *want,
		       struct weir_err *err)
{
	int r = weir_alias_check(want->name, iface->alias, iface->group, want->alias, err);

	if (r == 0 && strcmp(iface->kind, "bridge") != 0)
		return weir_err_set(err, EEXIST, "interface %s is no bridge", want->name);
	return r;
}

static struct weir_addresses plan_to_addresses(const struct plan *plan, int index)
{
	return (struct weir_addresses){
		.what = "bridge",
		.ifname = plan->want.name,
		.index = index,
		.want = plan->addrs,
		.n_want = plan->n_addrs,
	};
}

/* Settings, then addresses. now: as it was found, or as it was made. */
static int mend_bridge(struct weir_links *links, const struct plan *plan, struct weir_iface *now,
		       bool made, bool *changed, struct weir_err *err)
{
	struct weir_addresses addresses = plan_to_addresses(plan, now->index);
	char difference[160];
	bool moved = false;
	int r = weir_iface_widen(&links->host, now, &plan->want, changed, err);

	if (r == 0 && weir_iface_differs(now, &plan->want, difference, sizeof(difference))) {
		*changed = true;
		r = weir_iface_configure(&links->host, now, &plan->want, err);
		if (r == 0)
			r = weir_sysctl_ipv6_ensure(links->trace, plan->want.name, &now->ipv6,
						    &plan->want.ipv6, err);
	}
	if (r == 0)
		r = weir_addresses_ensure(&links->host, &addresses, made, &moved, err);
	*changed |= moved;
	return r;
}

static bool has_filter(void)
{
	long value;
	return weir_sysctl_read(filter_keys[0], &value, NULL) == 0;
}

/* A bridge takes its switches without the module that heeds them, and nobody loads that but us. Loaded, it
 * is on for every bridge of the host: all but weir's are left as they were, off. */
static int load_filter(const struct weir_trace *trace, struct weir_err *err)
{
	if (has_filter())
		return 0;
	if (weir_modprobe("br_netfilter", false) < 0 || !has_filter())
		return weir_err_set(err, EOPNOTSUPP,
				    "traffic within a bridge cannot be filtered: this kernel has "
				    "no br_netfilter "
				    "and no such module to load (CONFIG_BRIDGE_NETFILTER; modprobe "
				    "br_netfilter)");
	for (size_t i = 0; i < sizeof(filter_keys) / sizeof(filter_keys[0]); i++) {
		int r = weir_sysctl_write(trace, filter_keys[i], 0, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int weir_bridge_ensure(struct weir_links *links, const struct weir_network *net, bool *ret_changed,
		       struct weir_err *err)
{
	struct weir_iface now = { 0 };
	struct plan plan;
	bool changed = false;

	plan_bridge(links, net, &plan);
	int r = plan.want.nf_call ? load_filter(links->trace, err) : 0;
	if (r < 0)
		return r;
	r = weir_iface_find(&links->host, net->ifname, &now, err);
	bool made = r == 0 && now.index == 0;
	if (made) {
		r = create_bridge(&links->host, &plan.want, err);
		if (r < 0)
			return r;
		r = weir_iface_get(&links->host, net->ifname, &now, err);
	} else if (r == 0) {
		r = check_owner(&now, &plan.want, err);
	}
	if (r == 0)
		r = mend_bridge(links, &plan, &now, made, &changed, err);
	if (r < 0 && made)
		(void)weir_iface_delete(&links->host, net->ifname, NULL); /* undoing */
	if (r == 0)
		*ret_changed = made || changed;
	return r;
}

/* Somebody else's bridge carries us as it is: an address or a link that it lacks is for its owner to give. */
int weir_bridge_check_adopted(struct weir_links *links, const struct weir_network *net,
			      struct weir_err *err)
{
	struct weir_iface now;
	struct plan plan = { .want = { .name = net->ifname } };

	int r = weir_iface_find(&links->host, net->ifname, &now, err);
	if (r < 0)
		return r;
	if (now.index == 0)
		return weir_err_set(err, ESTALE, "there is no bridge %s to adopt (ip link)",
				    net->ifname);
	if (strcmp(now.kind, "bridge") != 0)
		return weir_err_set(err, ESTALE,
				    "interface %s, which is to be adopted, is no bridge",
				    net->ifname);
	if (!now.up)
		return weir_err_set(err, ESTALE,
				    "the adopted bridge %s is down (ip link set %s up)",
				    net->ifname, net->ifname);
	plan_addresses(net, &plan, false);
	struct weir_addresses addresses = plan_to_addresses(&plan, now.index);
	addresses.others = true;
	return weir_addresses_check(&links->host, &addresses, err);
}

int weir_bridge_check(struct weir_links *links, const struct weir_network *net,
		      struct weir_err *err)
{
	struct weir_iface now;
	struct plan plan;
	char difference[160];

	plan_bridge(links, net, &plan);
	plan.want.up = true;
	plan.want.forwarding = weir_network_forwards(net, WEIR_IPV4);
	int r = weir_iface_find(&links->host, net->ifname, &now, err);
	if (r < 0)
		return r;
	if (now.index == 0)
		return weir_err_set(err, ESTALE, "bridge %s is gone", net->ifname);
	r = check_owner(&now, &plan.want, err);
	if (r < 0)
		return r;
	if (weir_iface_differs(&now, &plan.want, difference, sizeof(difference)))
		return weir_err_set(err, ESTALE, "%s", difference);
	if (plan.want.nf_call && !has_filter())
		return weir_err_set(err, ESTALE, "bridge %s: br_netfilter is gone", net->ifname);
	struct weir_addresses addresses = plan_to_addresses(&plan, now.index);
	return weir_addresses_check(&links->host, &addresses, err);
}

bool weir_bridge_is_filtered(const struct weir_iface *bridge)
{
	long value = 0;

	if (bridge->nf_call_iptables > 0 || bridge->nf_call_ip6tables > 0)
		return true;
	for (size_t i = 0; i < 2; i++) /* IP's two */
		if (weir_sysctl_read(filter_keys[i], &value, NULL) == 0 && value > 0)
			return true;
	return false; /* no br_netfilter, or off everywhere */
}
