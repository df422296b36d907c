// SPDX-License-Identifier: GPL-2.0-or-later
/* One transaction: messages collected in memory, sent at once, their errors walked back. */
#include "backends/nftables/batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/nftables/frame.h"

/* How it works
 * All messages stand one behind the other in one buffer, since nf_tables takes a transaction as one
 * datagram. The n-th message has sequence number n, the batch's begin 0 + first; an error names the
 * number. Only the last message asks for an acknowledgement: with one on each, a few hundred fill
 * the socket, and the transaction looks failed although it is committed. The kernel queues all its
 * answers before sendmsg returns.
 *
 * Elements of one set share a message, up to what the length of a nested attribute can say. */

enum {
	OBJECT_MAX = 4096, /* a rule of sixteen expressions takes about 1 kB */
	NEST_MAX = UINT16_MAX - WEIR_NFT_ELEMENT_WIRE_MAX - 1,
	FIRST_ROOM = 64 * 1024,
	SNDBUF_FLOOR =
		128 * 1024, /* below the default of net.core.wmem_default nothing need be asked */
	FIRST_SEQ = 1,	    /* of the batch's begin */
};

void weir_nft_batch_free(struct weir_nft_batch *batch)
{
	free(batch->data);
	free(batch->messages);
	weir_arena_free(&batch->arena);
	*batch = (struct weir_nft_batch){ 0 };
}

const char *weir_nft_batch_keep(struct weir_nft_batch *batch, const char *name)
{
	const char *kept = weir_arena_strdup(&batch->arena, name);
	batch->no_memory |= !kept;
	return kept;
}

const struct weir_nft_set *weir_nft_batch_class_set(struct weir_nft_batch *batch, size_t i,
						    uint64_t class)
{
	struct weir_nft_set *set = weir_arena_alloc(&batch->arena, sizeof(*set));
	char *name = weir_arena_alloc(&batch->arena, WEIR_NFT_CHAIN_MAX);
	if (set && name) {
		weir_nft_class_set(i, class, name, set);
		return set;
	}
	batch->no_memory = true;
	return NULL;
}

uint32_t weir_nft_batch_set_id(struct weir_nft_batch *batch)
{
	return ++batch->set_id;
}

/* Zeroed room for `more` bytes behind the end. */
static bool reserve(struct weir_nft_batch *batch, size_t more)
{
	if (batch->no_memory)
		return false;
	if (batch->room - batch->len >= more)
		return true;
	size_t room = batch->room ? batch->room * 2 : FIRST_ROOM;
	while (room - batch->len < more)
		room *= 2;
	char *data = realloc(batch->data, room);
	if (!data) {
		batch->no_memory = true;
		return false;
	}
	memset(data + batch->room, 0, room - batch->room);
	batch->data = data;
	batch->room = room;
	return true;
}

static struct weir_nft_message *note(struct weir_nft_batch *batch, const char *verb,
				     const char *object)
{
	if (batch->n == batch->messages_room) {
		size_t room = batch->messages_room ? batch->messages_room * 2 : 128;
		struct weir_nft_message *messages =
			realloc(batch->messages, room * sizeof(*messages));
		if (!messages) {
			batch->no_memory = true;
			return NULL;
		}
		batch->messages = messages;
		batch->messages_room = room;
	}
	struct weir_nft_message *message = &batch->messages[batch->n++];
	*message = (struct weir_nft_message){ .verb = verb, .object = object };
	return message;
}

static struct nlmsghdr *start(struct weir_nft_batch *batch, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(batch->data + batch->len, type, NFPROTO_INET, flags,
				     FIRST_SEQ + (uint32_t)batch->n);
}

/* Closes the message that elements are being added to. */
static void close_elements(struct weir_nft_batch *batch)
{
	if (!batch->open || batch->no_memory)
		return;
	struct nlmsghdr *message = (struct nlmsghdr *)(batch->data + batch->open);
	mnl_attr_nest_end(message, (struct nlattr *)((char *)message + batch->elements));
	batch->len = batch->open + message->nlmsg_len;
	batch->open = 0;
}

/* A message with an object that libnftnl writes; NULL: no memory. */
static struct nlmsghdr *start_object(struct weir_nft_batch *batch, uint16_t type, uint16_t flags,
				     const char *verb, const char *object)
{
	close_elements(batch);
	if (!reserve(batch, OBJECT_MAX) || !note(batch, verb, object))
		return NULL;
	weir_trace(batch->trace, "nft %s %s", verb, object);
	return start(batch, type, flags);
}

static void finish_object(struct weir_nft_batch *batch, const struct nlmsghdr *message)
{
	batch->len += message->nlmsg_len;
}

void weir_nft_batch_begin(struct weir_nft_batch *batch, uint32_t generation)
{
	if (!reserve(batch, OBJECT_MAX))
		return;
	struct nlmsghdr *message = nftnl_batch_begin(batch->data + batch->len, FIRST_SEQ);
	if (generation)
		mnl_attr_put_u32(message, NFNL_BATCH_GENID, htonl(generation));
	batch->len += message->nlmsg_len;
}

void weir_nft_batch_add_table(struct weir_nft_batch *batch, struct nftnl_table *table_given)
{
	struct nftnl_table *table WEIR_CLEAN_NFT_TABLE = table_given;
	struct nlmsghdr *message = start_object(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL,
						"add table", "inet " WEIR_NFT_TABLE);
	batch->no_memory |= !table;
	if (!message || !table)
		return;
	nftnl_table_nlmsg_build_payload(message, table);
	finish_object(batch, message);
}

void weir_nft_batch_delete_table(struct weir_nft_batch *batch)
{
	struct nlmsghdr *message =
		start_object(batch, NFT_MSG_DELTABLE, 0, "delete table", "inet " WEIR_NFT_TABLE);
	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, WEIR_NFT_TABLE);
	finish_object(batch, message);
}

void weir_nft_batch_add_chain(struct weir_nft_batch *batch, struct nftnl_chain *chain_given,
			      const char *name)
{
	struct nftnl_chain *chain WEIR_CLEAN_NFT_CHAIN = chain_given;
	struct nlmsghdr *message =
		start_object(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, "add chain", name);
	batch->no_memory |= !chain;
	if (!message || !chain)
		return;
	nftnl_chain_nlmsg_build_payload(message, chain);
	finish_object(batch, message);
}

void weir_nft_batch_delete_chain(struct weir_nft_batch *batch, const char *name)
{
	struct nlmsghdr *message = start_object(batch, NFT_MSG_DELCHAIN, 0, "delete chain", name);
	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, WEIR_NFT_TABLE);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, name);
	finish_object(batch, message);
}

void weir_nft_batch_delete_set(struct weir_nft_batch *batch, const char *name)
{
	struct nlmsghdr *message = start_object(batch, NFT_MSG_DELSET, 0, "delete set", name);
	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_SET_TABLE, WEIR_NFT_TABLE);
	mnl_attr_put_strz(message, NFTA_SET_NAME, name);
	finish_object(batch, message);
}

void weir_nft_batch_add_set(struct weir_nft_batch *batch, struct nftnl_set *set_given,
			    const char *name)
{
	struct nftnl_set *set WEIR_CLEAN_NFT_SET = set_given;
	struct nlmsghdr *message =
		start_object(batch, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, "add set", name);
	batch->no_memory |= !set;
	if (!message || !set)
		return;
	nftnl_set_nlmsg_build_payload(message, set);
	finish_object(batch, message);
}

void weir_nft_batch_add_rule(struct weir_nft_batch *batch, struct nftnl_rule *rule_given,
			     const char *chain)
{
	struct nftnl_rule *rule WEIR_CLEAN_NFT_RULE = rule_given;
	struct nlmsghdr *message = start_object(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
						"add rule to", chain);
	batch->no_memory |= !rule;
	if (!message || !rule)
		return;
	nftnl_rule_nlmsg_build_payload(message, rule);
	finish_object(batch, message);
}

static bool start_elements(struct weir_nft_batch *batch, bool add, const struct weir_nft_set *set)
{
	close_elements(batch);
	if (!reserve(batch, OBJECT_MAX))
		return false;
	struct weir_nft_message *about =
		note(batch, add ? "add element to" : "delete element from", set->name);
	if (!about)
		return false;
	about->set = set;
	struct nlmsghdr *message = start(batch, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
					 add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, WEIR_NFT_TABLE);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set->name);
	struct nlattr *nest = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	batch->open = batch->len;
	batch->elements = (size_t)((char *)nest - (char *)message);
	batch->len += message->nlmsg_len;
	return true;
}

/* True if another element fits the open message and belongs there. */
static bool continues(const struct weir_nft_batch *batch, bool add, const struct weir_nft_set *set,
		      const struct weir_entry *entry)
{
	if (!batch->open || batch->no_memory)
		return false;
	const struct weir_nft_message *about = &batch->messages[batch->n - 1];
	const struct nlmsghdr *message = (const struct nlmsghdr *)(batch->data + batch->open);
	uint16_t type = NFNL_SUBSYS_NFTABLES << 8 | (add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM);
	/* the two ends of one interval stay together */
	if (batch->one_by_one && about->entry != entry)
		return false;
	return about->set == set && message->nlmsg_type == type && message->nlmsg_len < NEST_MAX;
}

void weir_nft_batch_element(struct weir_nft_batch *batch, bool add, const struct weir_nft_set *set,
			    const struct weir_nft_element *element, const struct weir_entry *entry)
{
	if (!continues(batch, add, set, entry) && !start_elements(batch, add, set))
		return;
	if (!reserve(batch, WEIR_NFT_ELEMENT_WIRE_MAX))
		return;
	struct weir_nft_message *about = &batch->messages[batch->n - 1];
	if (about->n_entries++ == 0)
		about->entry = entry;
	struct nlmsghdr *message = (struct nlmsghdr *)(batch->data + batch->open);
	weir_nft_element_put(message, element, !add);
	batch->len = batch->open + message->nlmsg_len;
}

void weir_nft_batch_flush_rules(struct weir_nft_batch *batch)
{
	struct nlmsghdr *message =
		start_object(batch, NFT_MSG_DELRULE, 0, "flush table", "inet " WEIR_NFT_TABLE);
	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_RULE_TABLE, WEIR_NFT_TABLE);
	finish_object(batch, message);
}

void weir_nft_batch_flush(struct weir_nft_batch *batch, const struct weir_nft_set *set)
{
	struct nlmsghdr *message =
		start_object(batch, NFT_MSG_DELSETELEM, 0, "flush set", set->name);
	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, WEIR_NFT_TABLE);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set->name);
	finish_object(batch, message);
}

/* The last message is found again by walking: its place is kept by nobody else. */
static void acknowledge_last(struct weir_nft_batch *batch)
{
	size_t last = 0;
	for (size_t at = 0; at < batch->len;) {
		last = at;
		at += MNL_ALIGN(((struct nlmsghdr *)(batch->data + at))->nlmsg_len);
	}
	((struct nlmsghdr *)(batch->data + last))->nlmsg_flags |= NLM_F_ACK;
}

void weir_nft_batch_end(struct weir_nft_batch *batch)
{
	close_elements(batch);
	if (!reserve(batch, OBJECT_MAX))
		return;
	acknowledge_last(batch);
	batch->len += nftnl_batch_end(batch->data + batch->len, FIRST_SEQ + (uint32_t)batch->n + 1)
			      ->nlmsg_len;
}

/* One datagram larger than the socket's buffer is refused. Where the limit cannot be lifted (no
 * CAP_NET_ADMIN in the first user namespace), as much as is allowed is asked for. */
static void make_send_room(struct weir_nft_wire *wire, size_t len)
{
	int fd = mnl_socket_get_fd(wire->socket),
	    size = (int)(len < INT32_MAX / 2 ? len : INT32_MAX / 2);
	if (len < SNDBUF_FLOOR)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size,
				 sizeof(size)); /* sendmsg will tell */
}

static int transmit(struct weir_nft_batch *batch, struct weir_nft_wire *wire, size_t len,
		    struct weir_err *err)
{
	make_send_room(wire, len);
	if (mnl_socket_sendto(wire->socket, batch->data, len) >= 0)
		return 0;
	if (errno == EMSGSIZE || errno == ENOBUFS)
		return weir_err_errno(err, errno,
				      "sending a transaction of %zu bytes to nf_tables (raise "
				      "net.core.wmem_max, or make the change in smaller parts)",
				      len);
	return weir_err_errno(err, errno, "sending a transaction to nf_tables");
}

struct outcome {
	bool acknowledged;
	int error; /* the first one */
	uint32_t seq;
};

static void take_outcome(const char *answers, ssize_t len, uint32_t last, struct outcome *to)
{
	int left = (int)len;
	const struct nlmsghdr *message = (const struct nlmsghdr *)answers;
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_seq < FIRST_SEQ)
			continue;
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
		if (error->error == 0)
			to->acknowledged |= message->nlmsg_seq == last;
		else if (to->error == 0)
			*to = (struct outcome){ to->acknowledged, error->error,
						message->nlmsg_seq };
	}
}

/* Everything that the kernel had to say is queued already. */
static int collect(struct weir_nft_wire *wire, uint32_t last, struct outcome *to,
		   struct weir_err *err)
{
	int fd = mnl_socket_get_fd(wire->socket);
	for (;;) {
		ssize_t len = recv(fd, wire->received, WEIR_NFT_RECEIVE_SIZE, MSG_DONTWAIT);
		if (len >= 0)
			take_outcome(wire->received, len, last, to);
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR &&
			 errno != ENOBUFS) /* ENOBUFS: there were more errors than fit */
			return weir_err_errno(err, errno, "reading nf_tables' answer");
	}
}

int weir_nft_batch_send(struct weir_nft_batch *batch, struct weir_nft_wire *wire, bool dry,
			const struct weir_nft_message **ret_failed, struct weir_err *err)
{
	*ret_failed = NULL;
	if (batch->no_memory)
		return weir_err_set(err, ENOMEM, "no memory for a transaction of %zu messages",
				    batch->n);
	uint32_t last = FIRST_SEQ + (uint32_t)batch->n;
	struct outcome outcome = { 0 };
	size_t len = batch->len - (dry ? MNL_ALIGN(MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg)) : 0);
	int r = transmit(batch, wire, len, err);
	if (r == 0)
		r = collect(wire, last, &outcome, err);
	wire->seq = last + 1; /* later questions must not take a late answer for theirs */
	if (r < 0)
		return r;
	if (outcome.error == -ERESTART)
		return weir_err_set(err, EAGAIN, "somebody else changed nf_tables meanwhile");
	if (outcome.error == 0 && outcome.acknowledged)
		return 0;
	if (outcome.error == 0)
		return weir_err_set(err, EIO, "nf_tables did not answer to a transaction");
	if (outcome.seq > FIRST_SEQ && outcome.seq <= last)
		*ret_failed = &batch->messages[outcome.seq - FIRST_SEQ - 1];
	return weir_err_errno(err, outcome.error, "nf_tables refused a transaction");
}
