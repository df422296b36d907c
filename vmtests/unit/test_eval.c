/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The evaluator: one row per flow, what happens to its first packet and why. */
#include "vmtests/unit/cm.h"

#include <errno.h>

#include "core/ruleset.h"
#include "policy/eval.h"
#include "vmtests/unit/simple.h"

/* Addresses are the next in order of name: api .2, nginx .3, … (simple.h). */
static const char sample[] =
	"networks:\n"
	"  apart: {subnet: 10.4.0.0/24, isolate: true}\n"
	"  db: {subnet: 10.2.0.0/24, internal: true}\n"
	"  deny: {subnet: 10.5.0.0/24, host: deny}\n"
	"  fixed: {subnets: [10.6.0.0/24, \"fd00:6::/64\"], nat: 192.0.2.9}\n"
	"  left: {subnet: 10.8.0.0/24, gateway: router}\n"
	"  plain: {subnet: 10.3.0.0/24, nat: none}\n"
	"  trusting: {subnet: 10.7.0.0/24, trusted: [eth1]}\n"
	"  web: {subnets: [10.1.0.0/24, \"fd00:1::/64\"]}\n"
	"  wire: {mode: p2p, subnet: 10.9.0.0/30}\n"
	"endpoints:\n"
	"  api: {networks: {web: {ip: [10.1.0.10, \"fd00:1::10\"]}, db: {ip: 10.2.0.10}}}\n"
	"  closed: {networks: {deny: {ip: 10.5.0.10}}}\n"
	"  f: {networks: {fixed: {ip: [10.6.0.10, \"fd00:6::10\"]}}}\n"
	"  i1: {networks: {apart: {ip: 10.4.0.10}}, publish: [\"9000:90\"]}\n"
	"  i2: {networks: {apart: {ip: 10.4.0.11}}}\n"
	"  l: {networks: {left: {ip: 10.8.0.10}, wire: {ip: 10.9.0.1}}}\n"
	"  nginx: {networks: {web: {ip: [10.1.0.20, \"fd00:1::20\"]}},\n"
	"    publish: [\"8080:80\", \"192.0.2.1:8080:88\", \"127.0.0.1:8081:81\", \"5353:53/udp\", "
	"\"7000-7009:100-109\"]}\n"
	"  p: {networks: {plain: {ip: 10.3.0.10}}, publish: [\"9100:91\"]}\n"
	"  pg: {networks: {db: {ip: 10.2.0.20}}}\n"
	"  router: {networks: {left: {ip: 10.8.0.1}}, forward: true}\n"
	"  t: {networks: {trusting: {ip: 10.7.0.10}}}\n";

struct row {
	const char *from; /* a network; "lan" by eth0; "lan1" by eth1; "host" */
	const char *src, *dst;
	const char *port; /* "80/tcp", "80/tcp!" (not a SYN), "icmp" */
	const char *want; /* "drop REASON" or "accept REASON" */
	const char *to;	  /* after translation; NULL: not translated */
	const char
		*as; /* the source after translation; "": the interface's; NULL: not translated */
};

static const struct row rows[] = {
	/* P1: same network, other networks, in and out */
	{ "web", "10.1.0.10", "10.1.0.20", "80/tcp", "accept same network", NULL, NULL },
	{ "web", "10.1.0.10", "10.1.0.20", "80/tcp!", "accept same network", NULL, NULL },
	{ "web", "10.1.0.10", "10.3.0.10", "80/tcp", "drop not published", NULL, NULL },
	{ "web", "10.1.0.10", "198.51.100.7", "80/tcp", "accept to the outside", NULL, "" },
	{ "web", "fd00:1::10", "2001:db8:9::7", "80/tcp", "accept to the outside", NULL, "" },
	{ "web", "10.1.0.10", "198.51.100.7", "icmp", "accept to the outside", NULL, "" },
	{ "web", "10.1.0.10", "198.51.100.7", "80/tcp!", "drop not the start of a flow", NULL,
	  NULL },
	{ "web", "10.1.0.99", "198.51.100.7", "80/tcp", "drop not a live source", NULL, NULL },
	{ "web", "10.3.0.10", "198.51.100.7", "80/tcp", "drop not a live source", NULL, NULL },
	{ "web", "10.1.0.10", "10.2.0.20", "5432/tcp", "drop internal network", NULL, NULL },
	/* N2 */
	{ "fixed", "10.6.0.10", "198.51.100.7", "80/tcp", "accept to the outside", NULL,
	  "192.0.2.9" },
	{ "fixed", "fd00:6::10", "2001:db8:9::7", "80/tcp", "accept to the outside", NULL, "" },
	{ "plain", "10.3.0.10", "198.51.100.7", "80/tcp", "accept to the outside", NULL, NULL },
	/* N3, N9, N10 */
	{ "lan", "198.51.100.7", "192.0.2.2", "8080/tcp", "accept published", "10.1.0.20:80",
	  NULL },
	{ "lan", "198.51.100.7", "192.0.2.1", "8080/tcp", "accept published", "10.1.0.20:88",
	  NULL },
	{ "lan", "2001:db8:9::7", "2001:db8::1", "8080/tcp", "accept published", "fd00:1::20:80",
	  NULL },
	{ "lan", "198.51.100.7", "192.0.2.2", "8080/udp", "accept to the host", NULL, NULL },
	{ "lan", "198.51.100.7", "192.0.2.2", "8080/tcp!", "drop not the start of a flow",
	  "10.1.0.20:80", NULL },
	{ "lan", "198.51.100.7", "192.0.2.2", "5353/udp", "accept published", "10.1.0.20:53",
	  NULL },
	{ "lan", "198.51.100.7", "192.0.2.2", "7000/tcp", "accept published", "10.1.0.20:100",
	  NULL },
	{ "lan", "198.51.100.7", "192.0.2.2", "7009/tcp", "accept published", "10.1.0.20:109",
	  NULL },
	{ "lan", "198.51.100.7", "192.0.2.2", "7010/tcp", "accept to the host", NULL, NULL },
	{ "lan", "198.51.100.7", "192.0.2.2", "8081/tcp", "accept to the host", NULL, NULL },
	{ "lan", "198.51.100.7", "192.0.2.2", "9100/tcp", "accept published", "10.3.0.10:91",
	  NULL },
	{ "lan", "198.51.100.7", "192.0.2.2", "icmp", "accept to the host", NULL, NULL },
	/* N5 */
	{ "host", "127.0.0.1", "127.0.0.1", "8080/tcp", "accept published", "10.1.0.20:80", "" },
	{ "host", "127.0.0.1", "127.0.0.1", "8081/tcp", "accept published", "10.1.0.20:81", "" },
	{ "host", "192.0.2.2", "192.0.2.2", "8080/tcp", "accept published", "10.1.0.20:80", NULL },
	{ "host", "::1", "::1", "8080/tcp", "accept to the host", NULL, NULL },
	{ "host", "127.0.0.1", "127.0.0.1", "22/tcp", "accept to the host", NULL, NULL },
	{ "host", "10.2.0.1", "10.2.0.20", "5432/tcp", "accept from the host", NULL, NULL },
	{ "host", "192.0.2.2", "198.51.100.7", "80/tcp", "accept from the host", NULL, NULL },
	{ "host", "10.2.0.1", "10.2.0.20", "5432/tcp!", "drop not the start of a flow", NULL,
	  NULL },
	{ "host", "192.0.2.2", "198.51.100.7", "80/tcp!", "accept from the host", NULL, NULL },
	{ "host", "127.0.0.1", "127.0.0.1", "8080/tcp!", "accept published", "10.1.0.20:80", "" },
	{ "web", "10.1.0.20", "192.0.2.2", "8080/tcp", "accept published", "10.1.0.20:80", "" },
	{ "web", "10.1.0.20", "10.1.0.1", "8080/tcp", "accept published", "10.1.0.20:80", "" },
	{ "web", "fd00:1::10", "2001:db8::1", "8080/tcp", "accept published", "fd00:1::20:80", "" },
	{ "plain", "10.3.0.10", "192.0.2.2", "8080/tcp", "accept published", "10.1.0.20:80", NULL },
	{ "plain", "10.3.0.99", "192.0.2.2", "8080/tcp", "drop not a live source", "10.1.0.20:80",
	  NULL },
	{ "deny", "10.5.0.10", "192.0.2.2", "8080/tcp", "accept published", "10.1.0.20:80", NULL },
	{ "db", "10.2.0.20", "192.0.2.2", "8080/tcp", "drop internal network", "10.1.0.20:80",
	  NULL },
	/* P2 */
	{ "db", "10.2.0.20", "198.51.100.7", "80/tcp", "drop internal network", NULL, NULL },
	{ "db", "10.2.0.20", "10.2.0.10", "80/tcp", "accept same network", NULL, NULL },
	{ "db", "10.2.0.20", "10.2.0.1", "22/tcp", "drop host closed to this network", NULL, NULL },
	{ "db", "10.2.0.20", "10.2.0.1", "53/udp", "accept to the host", NULL, NULL },
	{ "apart", "10.4.0.10", "10.4.0.11", "80/tcp", "drop isolation", NULL, NULL },
	{ "apart", "10.4.0.10", "10.4.0.1", "22/tcp", "accept to the host", NULL, NULL },
	{ "apart", "10.4.0.11", "192.0.2.2", "9000/tcp", "accept published", "10.4.0.10:90", "" },
	{ "apart", "10.4.0.11", "192.0.2.2", "9000/tcp!", "drop not the start of a flow",
	  "10.4.0.10:90", NULL },
	{ "apart", "10.4.0.11", "198.51.100.7", "80/tcp", "accept to the outside", NULL, "" },
	/* the host */
	{ "deny", "10.5.0.10", "10.5.0.1", "22/tcp", "drop host closed to this network", NULL,
	  NULL },
	{ "deny", "10.5.0.10", "192.0.2.2", "22/tcp", "drop host closed to this network", NULL,
	  NULL },
	{ "deny", "10.5.0.10", "10.5.0.1", "53/tcp", "accept to the host", NULL, NULL },
	{ "deny", "10.5.0.10", "10.5.0.1", "53/sctp", "drop host closed to this network", NULL,
	  NULL },
	{ "deny", "10.5.0.10", "10.5.0.1", "icmp", "accept to the host", NULL, NULL },
	{ "web", "10.1.0.10", "10.1.0.1", "22/tcp", "accept to the host", NULL, NULL },
	{ "web", "10.1.0.10", "10.3.0.1", "22/tcp", "drop gateway of another network", NULL, NULL },
	{ "web", "10.1.0.10", "10.3.0.1", "8080/tcp", "drop gateway of another network", NULL,
	  NULL },
	/* S1, S2, S3 */
	{ "lan", "198.51.100.7", "127.0.0.1", "8081/tcp", "drop loopback address from outside",
	  NULL, NULL },
	{ "lan", "2001:db8:9::7", "::1", "80/tcp", "drop loopback address from outside", NULL,
	  NULL },
	{ "web", "10.1.0.10", "127.0.0.1", "8081/tcp", "drop loopback address from outside", NULL,
	  NULL },
	{ "lan", "198.51.100.7", "10.1.0.20", "80/tcp", "drop direct access from outside", NULL,
	  NULL },
	{ "lan", "2001:db8:9::7", "fd00:1::20", "80/tcp", "drop direct access from outside", NULL,
	  NULL },
	{ "lan", "198.51.100.7", "10.1.0.20", "80/tcp!", "drop direct access from outside", NULL,
	  NULL },
	{ "lan", "198.51.100.7", "10.2.0.20", "5432/tcp", "drop direct access from outside", NULL,
	  NULL },
	{ "lan", "198.51.100.7", "10.3.0.10", "80/tcp", "drop not published", NULL, NULL },
	{ "lan", "198.51.100.7", "10.3.0.10", "80/tcp!", "drop not the start of a flow", NULL,
	  NULL },
	{ "lan", "198.51.100.7", "10.1.0.1", "8080/tcp", "drop gateway of another network", NULL,
	  NULL },
	{ "lan", "198.51.100.7", "10.3.0.1", "22/tcp", "drop gateway of another network", NULL,
	  NULL },
	{ "lan1", "198.51.100.7", "10.7.0.10", "80/tcp", "accept trusted interface", NULL, NULL },
	{ "lan1", "198.51.100.7", "10.7.0.10", "80/tcp!", "drop not the start of a flow", NULL,
	  NULL },
	{ "lan1", "198.51.100.7", "10.7.0.1", "22/tcp", "drop gateway of another network", NULL,
	  NULL },
	{ "lan1", "198.51.100.7", "10.1.0.20", "80/tcp", "drop direct access from outside", NULL,
	  NULL },
	{ "lan", "198.51.100.7", "10.7.0.10", "80/tcp", "drop direct access from outside", NULL,
	  NULL },
	/* S6, and what is not weir's */
	{ "lan", "198.51.100.7", "203.0.113.5", "8080/tcp", "accept not for weir", NULL, NULL },
	{ "lan", "198.51.100.7", "203.0.113.5", "8080/tcp!", "accept not for weir", NULL, NULL },
	{ "lan", "2001:db8:9::7", "2001:db8:7::5", "8080/tcp", "drop forwarding not for weir", NULL,
	  NULL },
	/* a gateway that is an endpoint, and a pair: the host has no part in them */
	{ "left", "10.8.0.10", "198.51.100.7", "80/tcp", "accept to the network's gateway", NULL,
	  NULL },
	{ "left", "10.8.0.10", "10.8.0.1", "80/tcp", "accept same network", NULL, NULL },
	{ "lan", "198.51.100.7", "10.8.0.10", "80/tcp", "accept not for weir", NULL, NULL },
	{ "wire", "10.9.0.1", "10.9.0.2", "80/tcp", "accept same network", NULL, NULL },
};

static struct weir_addr addr(const char *text)
{
	struct weir_addr a = { 0 };

	assert_int_equal(weir_addr_parse(text, &a, NULL), 0);
	return a;
}

static void load(struct weir_model *model)
{
	struct weir_err err = { 0 };

	if (weir_spec_parse(sample, sizeof(sample) - 1, "sample", model, &err) < 0)
		fail_msg("%s", err.text);
	simple_resolve(model);
}

static void read_port(const char *text, struct weir_flow *flow)
{
	char proto[8] = "";

	flow->opens = text[strlen(text) - 1] != '!';
	if (strcmp(text, "icmp") == 0)
		return;
	flow->dport = (uint16_t)strtoul(text, NULL, 10);
	(void)snprintf(proto, sizeof(proto), "%.*s", (int)strcspn(strchr(text, '/') + 1, "!"),
		       strchr(text, '/') + 1);
	assert_int_equal(weir_proto_parse(proto, &flow->proto, NULL), 0);
}

static struct weir_flow flow_of(const struct row *row)
{
	struct weir_flow flow = { .src = addr(row->src), .dst = addr(row->dst) };

	flow.origin = WEIR_FROM_ENDPOINT;
	flow.network = row->from;
	if (strcmp(row->from, "host") == 0)
		flow.origin = WEIR_FROM_HOST;
	if (strncmp(row->from, "lan", 3) == 0) {
		flow.origin = WEIR_FROM_OUTSIDE;
		(void)snprintf(flow.ifname, sizeof(flow.ifname), "eth%d", row->from[3] == '1');
	}
	read_port(row->port, &flow);
	return flow;
}

static void check_row(const struct weir_model *model, const struct weir_eval_host *host,
		      const struct row *row)
{
	struct weir_flow flow = flow_of(row);
	struct weir_answer answer;
	struct weir_err err = { 0 };
	char got[256], to[WEIR_ADDR_TEXT + 8], dst[WEIR_ADDR_TEXT], src[WEIR_ADDR_TEXT];

	if (weir_eval(model, host, &flow, &answer, &err) < 0)
		fail_msg("%s %s > %s %s: %s", row->from, row->src, row->dst, row->port, err.text);
	(void)snprintf(got, sizeof(got), "%s %s", answer.verdict == WEIR_ACCEPT ? "accept" : "drop",
		       answer.reason);
	if (strcmp(got, row->want) != 0)
		fail_msg("%s %s > %s %s: wanted %s, got %s (%s)", row->from, row->src, row->dst,
			 row->port, row->want, got, answer.text);
	(void)snprintf(to, sizeof(to), "%s:%u", weir_addr_text(&answer.dst, dst), answer.dport);
	if (strcmp(row->to ? row->to : to, to) != 0 ||
	    (!row->to && weir_addr_cmp(&answer.dst, &flow.dst) != 0))
		fail_msg("%s > %s %s: goes to %s", row->src, row->dst, row->port, to);
	if (answer.verdict == WEIR_ACCEPT &&
	    strcmp(weir_addr_text(&answer.src, src), row->as ? row->as : row->src) != 0)
		fail_msg("%s > %s %s: comes from \"%s\"", row->src, row->dst, row->port, src);
	assert_int_equal(answer.local, strcmp(answer.reason, "to the host") == 0);
	assert_int_equal(strncmp(answer.text, answer.reason, strlen(answer.reason)), 0);
}

static void each_flow_gets_its_answer(void **state)
{
	const struct weir_addr addrs[] = { addr("192.0.2.1"), addr("192.0.2.2"),
					   addr("2001:db8::1") };
	const struct weir_eval_host host = { .addrs = addrs,
					     .n_addrs = N_OF(addrs),
					     .guard = { [WEIR_IPV6] = true } };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };

	(void)state;
	load(&model);
	for (size_t i = 0; i < N_OF(rows); i++)
		check_row(&model, &host, &rows[i]);
}

static void answers_name_what_decides(void **state)
{
	const struct weir_addr addrs[] = { addr("192.0.2.2") };
	const struct weir_eval_host host = { .addrs = addrs, .n_addrs = 1 };
	static const struct row published = { "lan", "198.51.100.7", "192.0.2.2", "8080/tcp",
					      "",    NULL,	     NULL };
	static const struct row internal = { "db", "10.2.0.20", "198.51.100.7", "80/tcp", "",
					     NULL, NULL };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_answer answer;
	struct weir_flow flow = flow_of(&published);

	(void)state;
	load(&model);
	assert_int_equal(weir_eval(&model, &host, &flow, &answer, NULL), 0);
	assert_string_equal(answer.text, "published: nginx 8080:80");
	assert_int_equal(answer.origin.line, 19);
	flow = flow_of(&internal);
	assert_int_equal(weir_eval(&model, &host, &flow, &answer, NULL), 0);
	assert_string_equal(answer.text, "internal network: network \"db\"");
	assert_int_equal(answer.origin.line, 3);
	assert_ptr_equal(answer.reason, weir_drop_reason(WEIR_DROP_INTERNAL));
}

static void flows_that_contradict_themselves_are_refused(void **state)
{
	const struct weir_eval_host host = { 0 };
	const struct weir_flow good = { .origin = WEIR_FROM_ENDPOINT,
					.network = "web",
					.src = addr("10.1.0.10"),
					.dst = addr("10.1.0.20"),
					.proto = WEIR_TCP,
					.dport = 80,
					.opens = true };
	WEIR_CLEAN_MODEL struct weir_model model = { 0 };
	struct weir_answer answer = { .dport = 7 };
	struct weir_flow flow = good;

	(void)state;
	load(&model);
	assert_int_equal(weir_eval(&model, &host, &flow, &answer, NULL), 0);
	answer.dport = 7;
#define REFUSED(change, code)                                                           \
	do {                                                                            \
		flow = good;                                                            \
		flow.change;                                                            \
		assert_int_equal(weir_eval(&model, &host, &flow, &answer, NULL), code); \
		assert_int_equal(answer.dport, 7);                                      \
	} while (0)
	REFUSED(dst = addr("fd00::1"), -EINVAL);
	REFUSED(src = flow.dst = addr("fe80::1"), -EINVAL);
	REFUSED(src = (struct weir_addr){ 0 }, -EINVAL);
	REFUSED(dport = 0, -EINVAL);
	REFUSED(proto = WEIR_NO_PROTO, -EINVAL);
	REFUSED(network = "nowhere", -ENOENT);
	REFUSED(network = NULL, -ENOENT);
	REFUSED(network = "wire", -EINVAL);
	flow = good;
	flow.origin = WEIR_FROM_OUTSIDE;
	memcpy(flow.ifname, "wb-web", 7);
	assert_int_equal(weir_eval(&model, &host, &flow, &answer, NULL), -EINVAL);
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_flow_gets_its_answer),
		cmocka_unit_test(answers_name_what_decides),
		cmocka_unit_test(flows_that_contradict_themselves_are_refused),
	};
	return cmocka_run_group_tests_name("eval", tests, NULL, NULL);
}
