/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lets frames in through a locked port: its MAC address in the bridge's forwarding database.
 *
 * How it works: a locked port drops each frame whose source is not in the database as being behind that
 * port, and weir lets it learn nothing: so there is one entry, put there by hand, and `sticky`, or a frame
 * with that source at another port would move it there. An entry of a MAC that the attachment has
 * no more goes, or whoever has it next would be looked for here. Entries go with their port. */
#include "backends/netlink/locked.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

enum {
	STATICS_MAX = 16
}; /* strangers of one port that are removed in one go; the rest next time */

/* Entries of one port that somebody has put there. */
struct statics {
	int port;
	struct weir_mac wanted;
	bool found; /* it is there, and stays at this port */
	struct weir_mac strangers[STATICS_MAX];
	size_t n;
};

static int take_static(const struct nlmsghdr *message, void *ctx)
{
	struct statics *s = ctx;
	struct nlattr *attrs[NDA_MAX + 1];
	struct ndmsg header;
	struct weir_mac mac;
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */

	if (!message) {
		s->found = false;
		s->n = 0;
		return 0;
	}
	if (message->nlmsg_type != RTM_NEWNEIGH ||
	    nlmsg_parse(from, sizeof(header), attrs, NDA_MAX, NULL) < 0)
		return 0;
	memcpy(&header, nlmsg_data(message), sizeof(header));
	if (header.ndm_ifindex != s->port || !(header.ndm_state & NUD_NOARP) || attrs[NDA_VLAN] ||
	    !attrs[NDA_MASTER] || !attrs[NDA_LLADDR] ||
	    nla_len(attrs[NDA_LLADDR]) != sizeof(mac.bytes))
		return 0;
	memcpy(mac.bytes, nla_data(attrs[NDA_LLADDR]), sizeof(mac.bytes));
	if (weir_mac_is_set(&s->wanted) && weir_mac_cmp(&mac, &s->wanted) == 0)
		s->found = header.ndm_flags & NTF_STICKY;
	else if (s->n < STATICS_MAX)
		s->strangers[s->n++] = mac;
	return 0;
}

static int look(const struct weir_attach *a, uint32_t bridge, struct statics *ret,
		struct weir_err *err)
{
	struct ndmsg header = { .ndm_family = AF_BRIDGE };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETNEIGH, NLM_F_DUMP, &header, sizeof(header));

	weir_request_u32(&request, NDA_MASTER, bridge);
	return weir_request_walk(&a->links->host, &request, take_static, ret, err, "fdb list %s",
				 a->net->ifname);
}

static int change_entry(const struct weir_attach *a, int port, const struct weir_mac *mac,
			bool wanted, struct weir_err *err)
{
	struct ndmsg header = { .ndm_family = AF_BRIDGE,
				.ndm_ifindex = port,
				.ndm_state = wanted ? NUD_NOARP : 0,
				.ndm_flags = wanted ? NTF_MASTER | NTF_STICKY : NTF_MASTER };
	char text[WEIR_MAC_TEXT];
	WEIR_CLEAN_REQUEST struct weir_request request = weir_request_make(
		wanted ? RTM_NEWNEIGH : RTM_DELNEIGH, wanted ? NLM_F_CREATE | NLM_F_REPLACE : 0,
		&header, sizeof(header));

	weir_request_mac(&request, NDA_LLADDR, mac);
	return weir_request_send(&a->links->host, &request, err, "fdb %s %s dev %s master%s",
				 wanted ? "replace" : "del", weir_mac_text(mac, text),
				 a->att->host_ifname, wanted ? " static sticky" : "");
}

/* Did the flag take? A kernel that does not know it says nothing. */
static int check_kernel(const struct weir_attach *a, struct weir_iface *ret, struct weir_err *err)
{
	int r = weir_iface_get(&a->links->host, a->att->host_ifname, ret, err);

	if (r == 0 && ret->locked == WEIR_TRI_UNKNOWN)
		r = weir_err_set(
			err, EOPNOTSUPP,
			"this kernel locks no bridge ports: Linux 5.18 and later do (do "
			"without \"locked\"; the spoof guard drops other MAC addresses too)");
	return r;
}

int weir_locked_ensure(const struct weir_attach *a, const struct weir_iface *now, int index,
		       bool *changed, struct weir_err *err)
{
	struct statics statics = { .port = index };
	struct weir_iface port;
	bool fresh = now->index == 0;
	int r = 0;

	if (!a->att->locked && (fresh || now->locked != WEIR_TRI_ON))
		return 0;
	if (a->att->locked) {
		statics.wanted = weir_attach_mac(a);
		r = check_kernel(a, &port, err);
	}
	if (r == 0 && !fresh)
		r = look(a, now->master, &statics, err);
	for (size_t i = 0; r == 0 && i < statics.n; i++)
		r = change_entry(a, index, &statics.strangers[i], false, err);
	bool absent = a->att->locked && !statics.found;
	if (r == 0 && absent)
		r = change_entry(a, index, &statics.wanted, true, err);
	*changed |= statics.n || absent;
	return r;
}

int weir_locked_check(const struct weir_attach *a, const struct weir_iface *now,
		      struct weir_err *err)
{
	struct statics statics = { .port = now->index };
	char text[WEIR_MAC_TEXT];

	if (!a->att->locked)
		return 0;
	statics.wanted = weir_attach_mac(a);
	int r = look(a, now->master, &statics, err);
	if (r == 0 && now->locked == WEIR_TRI_UNKNOWN)
		r = weir_err_set(err, ESTALE, "interface %s is not locked", a->att->host_ifname);
	else if (r == 0 && !statics.found)
		r = weir_err_set(err, ESTALE,
				 "bridge %s does not hold MAC %s behind the locked port %s",
				 a->net->ifname, weir_mac_text(&statics.wanted, text),
				 a->att->host_ifname);
	else if (r == 0 && statics.n)
		r = weir_err_set(err, ESTALE, "the locked port %s lets in MAC %s as well",
				 a->att->host_ifname, weir_mac_text(&statics.strangers[0], text));
	return r;
}
