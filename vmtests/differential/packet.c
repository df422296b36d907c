/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that carry a number.
 *
 * How it works: the payload is a word of ours and the number; the source port (the identifier of an
 * echo request) is the number again, so that no two flows of a world share a tuple and a TCP reset,
 * which has no payload, can be told by the port that it goes to. */
#include "packet.h"

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

/* What follows the header of the transport. */
struct token {
	char word[4];
	uint32_t id;
};

static const char our_word[4] = { 'w', 'e', 'i', 'r' };

enum { TTL = 64, WINDOW = 4096 };

static const unsigned char protocols[2][PACKET_NUM_KINDS] = {
	{ IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP },
	{ IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6 },
};

static int protocol_of(const struct packet *packet)
{
	return protocols[packet->family == AF_INET6][packet->kind];
}

/* ---- checksums ---- */

static uint32_t sum(const unsigned char *bytes, size_t len, uint32_t so_far)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		so_far += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (len % 2)
		so_far += (uint32_t)(bytes[len - 1] << 8);
	return so_far;
}

static uint16_t finish(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return htons((uint16_t)~total);
}

/* With the pseudo header, which ICMP of IPv4 does not have. */
static uint16_t checksum(const struct packet *packet, const unsigned char *bytes, size_t len)
{
	int protocol = protocol_of(packet);
	size_t size = packet_addr_size(packet->family);
	uint32_t total = 0;

	if (protocol != IPPROTO_ICMP) {
		total = sum(packet->src, size, (uint32_t)protocol + (uint32_t)len);
		total = sum(packet->dst, size, total);
	}
	return finish(sum(bytes, len, total));
}

/* ---- building ---- */

static size_t put_tcp(const struct packet *packet, unsigned char *at)
{
	struct tcphdr tcp = { .source = htons(packet->sport),
			      .dest = htons(packet->dport),
			      .seq = htonl(1000),
			      .doff = sizeof(tcp) / 4,
			      .window = htons(WINDOW) };

	tcp.syn = packet->kind == PACKET_TCP;
	tcp.ack = packet->kind == PACKET_ACK;
	tcp.ack_seq = tcp.ack ? htonl(2000) : 0;
	memcpy(at, &tcp, sizeof(tcp));
	return sizeof(tcp);
}

static size_t put_udp(const struct packet *packet, unsigned char *at)
{
	struct udphdr udp = { .source = htons(packet->sport),
			      .dest = htons(packet->dport),
			      .len = htons(sizeof(udp) + sizeof(struct token)) };

	memcpy(at, &udp, sizeof(udp));
	return sizeof(udp);
}

/* Both families' requests have one layout as far as the token. */
static size_t put_icmp(const struct packet *packet, unsigned char *at)
{
	struct icmphdr icmp = { .type = packet->family == AF_INET6 ? ICMP6_ECHO_REQUEST
								   : ICMP_ECHO };

	if (packet->type)
		icmp.type = packet->type;
	icmp.un.echo.id = htons(packet->sport);
	icmp.un.echo.sequence = htons(1);
	memcpy(at, &icmp, sizeof(icmp));
	return sizeof(icmp);
}

static const struct {
	size_t (*put)(const struct packet *packet, unsigned char *at);
	size_t checksum_at;
} transports[PACKET_NUM_KINDS] = {
	[PACKET_TCP] = { put_tcp, offsetof(struct tcphdr, check) },
	[PACKET_ACK] = { put_tcp, offsetof(struct tcphdr, check) },
	[PACKET_UDP] = { put_udp, offsetof(struct udphdr, check) },
	[PACKET_ICMP] = { put_icmp, offsetof(struct icmphdr, checksum) },
};

static size_t put_ip(const struct packet *packet, size_t len, unsigned char *at)
{
	struct iphdr four = { .version = 4,
			      .ihl = sizeof(four) / 4,
			      .tot_len = htons((uint16_t)(sizeof(four) + len)),
			      .ttl = TTL,
			      .protocol = (uint8_t)protocol_of(packet) };
	struct ip6_hdr six = { .ip6_hops = TTL, .ip6_nxt = (uint8_t)protocol_of(packet) };

	if (packet->family == AF_INET) { /* the kernel fills in number and checksum */
		memcpy(&four.saddr, packet->src, sizeof(four.saddr));
		memcpy(&four.daddr, packet->dst, sizeof(four.daddr));
		memcpy(at, &four, sizeof(four));
		return sizeof(four);
	}
	six.ip6_vfc = 6 << 4;
	six.ip6_plen = htons((uint16_t)len);
	memcpy(&six.ip6_src, packet->src, sizeof(six.ip6_src));
	memcpy(&six.ip6_dst, packet->dst, sizeof(six.ip6_dst));
	memcpy(at, &six, sizeof(six));
	return sizeof(six);
}

size_t packet_build(const struct packet *packet, unsigned char bytes[PACKET_MAX])
{
	struct packet numbered = *packet;
	struct token token = { .id = htonl(packet->id) };
	unsigned char payload[PACKET_MAX - sizeof(struct ip6_hdr)];

	numbered.sport = (uint16_t)(PACKET_FIRST_PORT + packet->id);
	memcpy(token.word, our_word, sizeof(our_word));
	size_t len = transports[packet->kind].put(&numbered, payload);
	memcpy(payload + len, &token, sizeof(token));
	len += sizeof(token);
	uint16_t check = checksum(&numbered, payload, len);
	memcpy(payload + transports[packet->kind].checksum_at, &check, sizeof(check));
	size_t head = put_ip(&numbered, len, bytes);
	memcpy(bytes + head, payload, len);
	return head + len;
}

/* ---- reading ---- */

static bool read_token(const unsigned char *bytes, size_t len, struct packet *ret)
{
	struct token token;

	if (len < sizeof(token))
		return false;
	memcpy(&token, bytes, sizeof(token));
	ret->id = ntohl(token.id);
	return memcmp(token.word, our_word, sizeof(our_word)) == 0 && ret->id < PACKET_IDS;
}

static enum packet_seen read_tcp(const unsigned char *bytes, size_t len, struct packet *ret)
{
	struct tcphdr tcp;

	if (len < sizeof(tcp))
		return PACKET_FOREIGN;
	memcpy(&tcp, bytes, sizeof(tcp));
	ret->kind = tcp.syn ? PACKET_TCP : PACKET_ACK;
	ret->sport = ntohs(tcp.source);
	ret->dport = ntohs(tcp.dest);
	if (tcp.rst && ret->dport >= PACKET_FIRST_PORT) {
		ret->id = ret->dport - (unsigned)PACKET_FIRST_PORT;
		return ret->id < PACKET_IDS ? PACKET_ANSWER : PACKET_FOREIGN;
	}
	return read_token(bytes + sizeof(tcp), len - sizeof(tcp), ret) ? PACKET_OURS
								       : PACKET_FOREIGN;
}

static enum packet_seen read_udp(const unsigned char *bytes, size_t len, struct packet *ret)
{
	struct udphdr udp;

	if (len < sizeof(udp) || !read_token(bytes + sizeof(udp), len - sizeof(udp), ret))
		return PACKET_FOREIGN;
	memcpy(&udp, bytes, sizeof(udp));
	ret->kind = PACKET_UDP;
	ret->sport = ntohs(udp.source);
	ret->dport = ntohs(udp.dest);
	return PACKET_OURS;
}

static bool prohibits(const struct icmphdr *icmp, bool six)
{
	return six ? icmp->type == ICMP6_DST_UNREACH && icmp->code == ICMP6_DST_UNREACH_ADMIN
		   : icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_PKT_FILTERED;
}

static bool answers(const struct icmphdr *icmp, bool six)
{
	return icmp->type == (six ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY);
}

/* An error carries the packet that it is about. */
static enum packet_seen read_icmp(const unsigned char *bytes, size_t len, struct packet *ret)
{
	bool six = ret->family == AF_INET6;
	struct packet inner = { 0 };
	struct icmphdr icmp;

	if (len < sizeof(icmp))
		return PACKET_FOREIGN;
	memcpy(&icmp, bytes, sizeof(icmp));
	if (prohibits(&icmp, six)) {
		if (packet_read(bytes + sizeof(icmp), len - sizeof(icmp), &inner) != PACKET_OURS)
			return PACKET_FOREIGN;
		ret->id = inner.id;
		return PACKET_PROHIBITED;
	}
	if (!read_token(bytes + sizeof(icmp), len - sizeof(icmp), ret))
		return PACKET_FOREIGN;
	ret->kind = PACKET_ICMP;
	ret->sport = ret->dport = 0;
	return answers(&icmp, six) ? PACKET_ANSWER : PACKET_OURS;
}

enum packet_seen packet_read_payload(const unsigned char *bytes, size_t len, int protocol,
				     struct packet *ret)
{
	if (protocol == IPPROTO_TCP)
		return read_tcp(bytes, len, ret);
	if (protocol == IPPROTO_UDP)
		return read_udp(bytes, len, ret);
	if (protocol == (ret->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return read_icmp(bytes, len, ret);
	return PACKET_FOREIGN;
}

enum packet_seen packet_read(const unsigned char *bytes, size_t len, struct packet *ret)
{
	struct iphdr four;
	struct ip6_hdr six;

	if (len >= sizeof(four) && bytes[0] >> 4 == 4) {
		memcpy(&four, bytes, sizeof(four));
		size_t head = four.ihl * 4U;
		ret->family = AF_INET;
		memcpy(ret->src, &four.saddr, sizeof(four.saddr));
		memcpy(ret->dst, &four.daddr, sizeof(four.daddr));
		return head > len
			       ? PACKET_FOREIGN
			       : packet_read_payload(bytes + head, len - head, four.protocol, ret);
	}
	if (len < sizeof(six) || bytes[0] >> 4 != 6)
		return PACKET_FOREIGN;
	memcpy(&six, bytes, sizeof(six));
	ret->family = AF_INET6;
	memcpy(ret->src, &six.ip6_src, sizeof(six.ip6_src));
	memcpy(ret->dst, &six.ip6_dst, sizeof(six.ip6_dst));
	return packet_read_payload(bytes + sizeof(six), len - sizeof(six), six.ip6_nxt, ret);
}
