/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON for programs: one shape for each object, whatever the verb. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/selector.h"

void weir_print_json(json_t *object)
{
	json_t *answer = json_pack("{s:i}", "version", WEIR_JSON_VERSION);
	if (!answer || !object || json_object_update(answer, object) < 0 ||
	    json_dumpf(answer, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER) < 0) {
		fputs("weir: cannot write JSON: out of memory\n", stderr);
		exit(WEIR_EXIT_FAILED);
	}
	putchar('\n');
	json_decref(answer);
	json_decref(object);
}

json_t *weir_json_place(const struct weir_place *at)
{
	char text[128];
	weir_place_text(at, text, sizeof(text));
	return text[0] ? json_string(text) : json_null();
}

static json_t *addr_json(const struct weir_addr *addr)
{
	char text[WEIR_ADDR_TEXT];
	return weir_addr_is_set(addr) ? json_string(weir_addr_text(addr, text)) : json_null();
}

static json_t *ports_json(struct weir_ports ports)
{
	return json_pack("[i, i]", ports.lo, ports.hi);
}

static json_t *mac_json(const struct weir_mac *mac)
{
	char text[WEIR_MAC_TEXT];
	return weir_mac_is_set(mac) ? json_string(weir_mac_text(mac, text)) : json_null();
}

static json_t *nat_json(const struct weir_network *net)
{
	if (net->nat == WEIR_NAT_MASQUERADE)
		return json_string("masquerade");
	if (net->nat == WEIR_NAT_NONE)
		return json_string("none");
	json_t *list = json_array();
	for (int f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		if (weir_addr_is_set(&net->nat_addr[f]))
			json_array_append_new(list, addr_json(&net->nat_addr[f]));
	return list;
}

static json_t *subnets_json(const struct weir_network *net)
{
	json_t *list = json_array();
	for (size_t i = 0; i < net->n_subnets; i++) {
		char text[WEIR_PREFIX_TEXT];
		weir_prefix_text(&net->subnets[i].prefix, text);
		json_array_append_new(list, json_pack("{s:s, s:o}", "prefix", text, "gateway",
						      addr_json(&net->subnets[i].gateway)));
	}
	return list;
}

json_t *weir_json_network(const struct weir_network *net, size_t endpoints)
{
	json_t *trusted = json_array();
	for (size_t i = 0; i < net->n_trusted; i++)
		json_array_append_new(trusted, json_string(net->trusted[i]));
	return json_pack("{s:s, s:s, s:s, s:o, s:i, s:o, s:o, s:b, s:b, s:s, s:b, s:o, s:s?, s:b, "
			 "s:I, s:s?, s:i, s:b, s:b, s:b, s:{s:s, s:s}, s:b, s:b}",
			 "name", net->name, "mode", weir_mode_name(net->mode), "ifname",
			 net->ifname, "mac", mac_json(&net->mac), "mtu", (int)net->mtu, "subnets",
			 subnets_json(net), "nat", nat_json(net), "internal", net->internal,
			 "isolate", net->isolate, "host",
			 net->host_deny || net->internal ? "deny" : "allow", "filter_bridged",
			 net->filter_bridged, "trusted", trusted, "gateway_endpoint",
			 net->gateway_endpoint, "declared", net->declared, "endpoints",
			 (json_int_t)endpoints, "parent", net->parent[0] ? net->parent : NULL,
			 "vlan", (int)net->vlan, "adopt", net->adopt, "spoof_guard",
			 !net->no_spoof_guard && weir_mode_traits(net->mode)->host, "strict",
			 net->strict, "default", "ingress", weir_default_name(net->ingress),
			 "egress", weir_default_name(net->egress), "filtered",
			 weir_network_is_filtered(net), "nat_random", net->nat_random);
}

json_t *weir_json_mapping(const struct weir_model *model, const struct weir_endpoint *ep,
			  const struct weir_mapping *m)
{
	const struct weir_attachment *att = weir_endpoint_default(model, ep, WEIR_NO_FAMILY);
	const char *network = m->network ? m->network : att ? att->network : NULL;
	char text[WEIR_MAPPING_TEXT];
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:s?, s:b}", "spec", weir_mapping_text(m, text),
			 "host", addr_json(&m->host), "proto", weir_proto_name(m->proto),
			 "host_ports", ports_json(m->host_ports), "ports", ports_json(m->ports),
			 "network", network, "strict", m->strict);
}

static json_t *attachment_json(const struct weir_model *model, const struct weir_endpoint *ep,
			       const struct weir_attachment *att)
{
	json_t *addrs = json_array();
	for (int f = WEIR_IPV4; f < WEIR_NUM_FAMILIES; f++)
		if (weir_addr_is_set(&att->addrs[f]))
			json_array_append_new(addrs, addr_json(&att->addrs[f]));
	json_t *sysctls = json_object();
	for (size_t i = 0; i < att->n_sysctls; i++)
		json_object_set_new(sysctls, att->sysctls[i].key,
				    json_string(att->sysctls[i].value));
	return json_pack("{s:s, s:o, s:o, s:s, s:s, s:i, s:i, s:b, s:o, s:b, s:b}", "network",
			 att->network, "addresses", addrs, "mac", mac_json(&att->mac), "ifname",
			 att->ifname, "host_ifname", att->host_ifname, "mtu", (int)att->mtu,
			 "priority", att->priority, "default",
			 weir_endpoint_default(model, ep, WEIR_NO_FAMILY) == att, "sysctls",
			 sysctls, "isolated", att->isolated, "locked", att->locked);
}

static json_t *routes_json(const struct weir_endpoint *ep)
{
	json_t *list = json_array();
	for (size_t i = 0; i < ep->n_routes; i++) {
		char to[WEIR_PREFIX_TEXT];
		weir_prefix_text(&ep->routes[i].to, to);
		json_array_append_new(list, json_pack("{s:s, s:o}", "to", to, "via",
						      addr_json(&ep->routes[i].via)));
	}
	return list;
}

json_t *weir_json_endpoint(const struct weir_model *model, const struct weir_endpoint *ep)
{
	static const char *const kinds[WEIR_NUM_NETNS_KINDS] = {
		[WEIR_NETNS_OWN] = "own",
		[WEIR_NETNS_PATH] = "path",
		[WEIR_NETNS_HOST] = "host",
	};
	json_t *attachments = json_array(), *published = json_array();
	json_t *labels = json_object(), *dns = json_array();
	for (size_t i = 0; i < ep->n_attachments; i++)
		json_array_append_new(attachments, attachment_json(model, ep, &ep->attachments[i]));
	for (size_t i = 0; i < ep->n_mappings; i++)
		json_array_append_new(published, weir_json_mapping(model, ep, &ep->mappings[i]));
	for (size_t i = 0; i < ep->n_labels; i++)
		json_object_set_new(labels, ep->labels[i].key, json_string(ep->labels[i].value));
	for (size_t i = 0; i < ep->n_dns; i++)
		json_array_append_new(dns, addr_json(&ep->dns[i]));
	char path[128], rate[WEIR_RATE_TEXT];
	(void)snprintf(path, sizeof(path), "/run/netns/%s", ep->name);
	const char *where = ep->netns == WEIR_NETNS_OWN ? path : ep->netns_path;
	return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:s?}", "name",
			 ep->name, "netns", kinds[ep->netns], "netns_path", where, "attachments",
			 attachments, "published", published, "labels", labels, "routes",
			 routes_json(ep), "dns", dns, "forward", ep->forward, "declared",
			 ep->declared, "rate",
			 ep->rate.to ? weir_rate_text(&ep->rate, rate) : NULL);
}

static json_t *selectors_json(const struct weir_selector *sels, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n || i == 0; i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);
		if (!out)
			return list;
		weir_selectors_print(sels + i, n ? 1 : 0, out);
		if (fclose(out) == 0)
			json_array_append_new(list, json_string(text));
		free(text);
	}
	return list;
}

struct weir_policy_count weir_policy_count(const struct weir_counters *counters,
					   const struct weir_policy *policy)
{
	struct weir_policy_count count = { 0 };
	for (size_t i = 0; i < counters->n; i++) {
		const struct weir_counter *counter = &counters->items[i];
		if (!counter->policy || strcmp(counter->policy, policy->name) != 0)
			continue;
		count.connections += counter->packets;
		count.bytes += counter->bytes;
	}
	return count;
}

json_t *weir_json_policy(const struct weir_policy *policy, const struct weir_counters *counters)
{
	struct weir_policy_count count = weir_policy_count(counters, policy);
	json_t *ports = json_array();
	char text[WEIR_SERVICE_TEXT];
	for (size_t i = 0; i < policy->n_services; i++)
		json_array_append_new(ports,
				      json_string(weir_service_text(&policy->services[i], text)));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:i, s:b, s:o, s:I, s:I}", "name",
			 policy->name, "action", weir_policy_action_name(policy->action), "from",
			 selectors_json(policy->from, policy->n_from), "to",
			 selectors_json(policy->to, policy->n_to), "ports", ports, "direction",
			 weir_policy_gate_name(policy->gate), "log",
			 weir_policy_log_name(policy->log), "priority", policy->priority,
			 "declared", policy->declared, "place", weir_json_place(&policy->origin),
			 "connections", (json_int_t)count.connections, "bytes",
			 (json_int_t)count.bytes);
}

json_t *weir_json_warnings(const struct weir_step *warnings, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "object",
						      warnings[i].object, "name", warnings[i].name,
						      "detail", warnings[i].detail, "place",
						      weir_json_place(&warnings[i].origin)));
	return list;
}

json_t *weir_json_steps(const struct weir_step *steps, size_t n)
{
	static const char *const actions[WEIR_NUM_ACTIONS] = {
		[WEIR_ACTION_ADD] = "add",
		[WEIR_ACTION_CHANGE] = "change",
		[WEIR_ACTION_REMOVE] = "remove",
	};
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *step = json_pack("{s:s, s:s, s:s, s:s}", "action", actions[steps[i].action],
					 "object", steps[i].object, "name", steps[i].name, "detail",
					 steps[i].detail);
		if (steps[i].origin.file)
			json_object_set_new(step, "place", weir_json_place(&steps[i].origin));
		json_array_append_new(list, step);
	}
	return list;
}
