/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The floor's rules in nf_tables: one batch. ci/bench has made table inet floor with sets sources4 and
 * epoch and map published4 (with counters). */
#include <arpa/inet.h>
#include <err.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/set.h>

#include "floor.h"

enum {
	BATCH_SIZE = 1 << 20,
	ELEMENTS_PER_SET = 1000, /* one message's nested attribute ends at 64 kB */
	COMMENT_TYPE = 0,	 /* of nft's user data */
};

static struct mnl_socket *open_netlink(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		err(1, "netlink");
	return nl;
}

static void await_ack(struct mnl_socket *nl)
{
	char buf[8192];
	ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		err(1, "nf_tables");
}

static void put_batch_edge(char **at, uint16_t type, uint32_t *seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(*at);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = (*seq)++;
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	*nfg = (struct nfgenmsg){ .nfgen_family = AF_UNSPEC,
				  .res_id = htons(NFNL_SUBSYS_NFTABLES) };
	*at += nlh->nlmsg_len;
}

static void put_set(char **at, bool add, struct nftnl_set *set, uint32_t *seq, bool last)
{
	uint16_t type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
	uint16_t flags = (uint16_t)((add ? NLM_F_CREATE : 0) | (last ? NLM_F_ACK : 0));
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(*at, type, NFPROTO_INET, flags, (*seq)++);
	nftnl_set_elems_nlmsg_build_payload(nlh, set);
	*at += nlh->nlmsg_len;
	nftnl_set_free(set);
}

static struct nftnl_set *new_set(const char *name)
{
	struct nftnl_set *set = nftnl_set_alloc();
	if (!set)
		err(1, "set");
	nftnl_set_set_str(set, NFTNL_SET_TABLE, "floor");
	nftnl_set_set_str(set, NFTNL_SET_NAME, name);
	return set;
}

static void add_element(struct nftnl_set *set, const void *key, uint32_t key_len, const void *data,
			uint32_t data_len, const char *comment)
{
	struct nftnl_set_elem *elem = nftnl_set_elem_alloc();
	struct {
		uint8_t type, len;
		char text[128];
	} user_data = { COMMENT_TYPE, (uint8_t)(strlen(comment) + 1), "" };
	if (!elem)
		err(1, "element");
	(void)snprintf(user_data.text, sizeof(user_data.text), "%s", comment);
	nftnl_set_elem_set(elem, NFTNL_SET_ELEM_USERDATA, &user_data, 2U + user_data.len);
	nftnl_set_elem_set(elem, NFTNL_SET_ELEM_KEY, key, key_len);
	if (data)
		nftnl_set_elem_set(elem, NFTNL_SET_ELEM_DATA, data, data_len);
	nftnl_set_elem_add(set, elem);
}

/* "br-floor" . ADDRESS in sources4 */
static struct nftnl_set *source(const struct job *job)
{
	struct nftnl_set *set = new_set("sources4");
	char key[IFNAMSIZ + 4] = "br-floor";
	memcpy(key + IFNAMSIZ, &job->addr_be, sizeof(job->addr_be));
	add_element(set, key, sizeof(key), NULL, 0, job->name);
	return set;
}

/* NUMBER in epoch */
static struct nftnl_set *epoch(const struct job *job)
{
	struct nftnl_set *set = new_set("epoch");
	add_element(set, &job->number, sizeof(job->number), NULL, 0,
		    "00000000-0000-0000-0000-000000000000 00000000-0000-0000-0000-000000000000");
	return set;
}

/* tcp . PORT : ADDRESS . 80 in published4, up to ELEMENTS_PER_SET of them */
static struct nftnl_set *published(const struct job *job, unsigned from, unsigned n)
{
	struct nftnl_set *set = new_set("published4");
	for (unsigned i = from; i < from + n; i++) {
		uint32_t key[2] = { 0 }, data[2] = { job->addr_be, 0 };
		uint16_t port = htons((uint16_t)(job->port + i)), to = htons(80);
		((uint8_t *)key)[0] = IPPROTO_TCP;
		memcpy(&key[1], &port, sizeof(port));
		memcpy(&data[1], &to, sizeof(to));
		char comment[96];
		(void)snprintf(comment, sizeof(comment), "%s %u:80", job->name, job->port + i);
		add_element(set, key, sizeof(key), data, sizeof(data), comment);
	}
	return set;
}

void floor_rules(const struct job *job, bool add)
{
	static char batch[BATCH_SIZE];
	struct mnl_socket *nl = open_netlink();
	uint32_t seq = 1;
	char *at = batch;

	put_batch_edge(&at, NFNL_MSG_BATCH_BEGIN, &seq);
	for (unsigned i = 0; i < job->count; i += ELEMENTS_PER_SET) {
		unsigned left = job->count - i;
		unsigned n = left < ELEMENTS_PER_SET ? left : ELEMENTS_PER_SET;
		put_set(&at, add, published(job, i, n), &seq, false);
	}
	put_set(&at, add, source(job), &seq, false);
	put_set(&at, add, epoch(job), &seq, true);
	put_batch_edge(&at, NFNL_MSG_BATCH_END, &seq);
	if (mnl_socket_sendto(nl, batch, (size_t)(at - batch)) < 0)
		err(1, "nf_tables");
	await_ack(nl);
	(void)mnl_socket_close(nl);
}
