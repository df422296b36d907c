/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The token bucket (tbf) in front of an interface: what it sends is delayed to a rate.
 *
 * The burst is what 10 ms let through, so that a rate of gigabits needs no finer timer, and two full frames at
 * least. The queue holds 50 ms, but never less than one packet of TCP's largest size (64 kB): of that
 * tbf makes frames before it queues them, and dropping half of each would stop TCP at low rates. */
#include "backends/netlink/shape.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

enum { HANDLE = 0x77650000, QUEUE_MIN = 80 * 1024, FRAME_OVERHEAD = ETH_HLEN + 4 };
enum { TICK_NS = 64 /* PSCHED_SHIFT, in every kernel */ };

/* A bucket as it should be, or is. */
struct bucket {
	bool is_there;
	uint64_t rate; /* bytes per second */
	uint32_t burst, queue;
	uint64_t ticks; /* that the burst takes: so the kernel tells it */
};

uint64_t weir_shape_burst(uint64_t rate, unsigned mtu)
{
	uint64_t burst = rate / 8 / 100, frames = 2 * (uint64_t)(mtu + FRAME_OVERHEAD);

	return burst > frames ? burst : frames;
}

/* rate 0: none */
static struct bucket wanted(const struct weir_shaped *iface, uint64_t rate)
{
	struct bucket bucket = { .is_there = rate != 0, .rate = rate / 8 };

	if (rate == 0)
		return bucket;
	uint64_t burst = weir_shape_burst(rate, iface->mtu), queue = bucket.rate / 20 + burst;
	bucket.burst = (uint32_t)burst;
	bucket.ticks = burst * 1000000000 / bucket.rate / TICK_NS;
	bucket.queue = (uint32_t)(queue > QUEUE_MIN ? queue : QUEUE_MIN);
	return bucket;
}

static int take_bucket(const struct nlmsghdr *message, void *ctx)
{
	struct bucket *bucket = ctx;
	struct nlattr *attrs[TCA_MAX + 1], *options[TCA_TBF_MAX + 1];
	struct nlmsghdr *from = (void *)(uintptr_t)message; /* libnl reads, but takes no const */
	struct tc_tbf_qopt parms;

	if (!message) {
		*bucket = (struct bucket){ 0 };
		return 0;
	}
	if (message->nlmsg_type != RTM_NEWQDISC ||
	    nlmsg_parse(from, sizeof(struct tcmsg), attrs, TCA_MAX, NULL) < 0 || !attrs[TCA_KIND] ||
	    nla_strcmp(attrs[TCA_KIND], "tbf") != 0 || !attrs[TCA_OPTIONS] ||
	    nla_parse_nested(options, TCA_TBF_MAX, attrs[TCA_OPTIONS], NULL) < 0 ||
	    !options[TCA_TBF_PARMS] || nla_len(options[TCA_TBF_PARMS]) < (int)sizeof(parms))
		return 0;
	memcpy(&parms, nla_data(options[TCA_TBF_PARMS]), sizeof(parms));
	bucket->is_there = true;
	bucket->rate = options[TCA_TBF_RATE64] ? nla_get_u64(options[TCA_TBF_RATE64])
					       : parms.rate.rate;
	bucket->queue = parms.limit;
	bucket->ticks = parms.buffer;
	return 0;
}

static int find_bucket(const struct weir_shaped *iface, struct bucket *ret, struct weir_err *err)
{
	struct tcmsg header = { .tcm_ifindex = iface->index, .tcm_parent = TC_H_ROOT };
	struct weir_err why = { 0 };
	/* without ECHO kernels of old tell only those who listen to changes */
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_GETQDISC, NLM_F_ECHO, &header, sizeof(header));
	int r = weir_request_walk(iface->channel, &request, take_bucket, ret, &why,
				  "qdisc get %s root", iface->ifname);

	return weir_request_allow(r, ENOENT, &why, err);
}

static int put_bucket(const struct weir_shaped *iface, const struct bucket *bucket,
		      struct weir_err *err)
{
	struct tcmsg header = { .tcm_ifindex = iface->index,
				.tcm_handle = HANDLE,
				.tcm_parent = TC_H_ROOT };
	struct tc_tbf_qopt parms = { .limit = bucket->queue };
	WEIR_CLEAN_REQUEST struct weir_request request = weir_request_make(
		RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));

	parms.rate.linklayer = TC_LINKLAYER_ETHERNET;
	parms.rate.rate = bucket->rate < UINT32_MAX ? (uint32_t)bucket->rate : UINT32_MAX;
	weir_request_text(&request, TCA_KIND, "tbf");
	struct nlattr *options = weir_request_open(&request, TCA_OPTIONS);
	weir_request_bytes(&request, TCA_TBF_PARMS, &parms, sizeof(parms));
	if (bucket->rate >= UINT32_MAX)
		weir_request_bytes(&request, TCA_TBF_RATE64, &bucket->rate, sizeof(bucket->rate));
	weir_request_u32(&request, TCA_TBF_BURST, bucket->burst);
	weir_request_close(&request, options);
	return weir_request_send(iface->channel, &request, err,
				 "qdisc replace %s root tbf rate %" PRIu64 "bps", iface->ifname,
				 bucket->rate);
}

static int remove_bucket(const struct weir_shaped *iface, struct weir_err *err)
{
	struct tcmsg header = { .tcm_ifindex = iface->index, .tcm_parent = TC_H_ROOT };
	struct weir_err why = { 0 };
	WEIR_CLEAN_REQUEST struct weir_request request =
		weir_request_make(RTM_DELQDISC, 0, &header, sizeof(header));
	int r = weir_request_send(iface->channel, &request, &why, "qdisc del %s root",
				  iface->ifname);

	return weir_request_allow(r, ENOENT, &why, err);
}

/* Kernels round, each in its own way. */
static bool is_about(uint64_t now, uint64_t want)
{
	uint64_t off = now > want ? now - want : want - now;

	return off <= 1 + want / 1000;
}

static bool is_so(const struct bucket *now, const struct bucket *want)
{
	return now->is_there == want->is_there && now->rate == want->rate &&
	       now->queue == want->queue && is_about(now->ticks, want->ticks);
}

int weir_shape_ensure(const struct weir_shaped *iface, uint64_t rate, bool fresh, bool *changed,
		      struct weir_err *err)
{
	const struct bucket want = wanted(iface, rate);
	struct bucket now = { 0 };
	int r = fresh ? 0 : find_bucket(iface, &now, err);

	if (r < 0 || is_so(&now, &want))
		return r;
	*changed = true;
	return rate ? put_bucket(iface, &want, err) : remove_bucket(iface, err);
}

int weir_shape_check(const struct weir_shaped *iface, uint64_t rate, struct weir_err *err)
{
	const struct bucket want = wanted(iface, rate);
	struct bucket now = { 0 };
	int r = find_bucket(iface, &now, err);

	if (r < 0 || is_so(&now, &want))
		return r;
	if (!rate)
		return weir_err_set(err, ESTALE,
				    "interface %s has a rate limit, tbf rate %" PRIu64 "bps",
				    iface->ifname, now.rate);
	return weir_err_set(err, ESTALE,
			    "interface %s has %s tbf rate %" PRIu64 "bps burst %u limit %u",
			    iface->ifname,
			    now.is_there ? "another rate limit than" : "lost its rate limit,",
			    want.rate, want.burst, want.queue);
}
