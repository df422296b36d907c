/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that carry a number, so that whoever sees one knows which it is. */
#ifndef WEIR_PACKET_H
#define WEIR_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { PACKET_MAX = 128, PACKET_FIRST_PORT = 20000, PACKET_IDS = 40000 };

enum packet_kind { PACKET_TCP, PACKET_ACK, PACKET_UDP, PACKET_ICMP, PACKET_NUM_KINDS };

/* Addresses are 4 or 16 bytes in network order, by family (AF_INET, AF_INET6). */
struct packet {
	int family;
	unsigned char src[16], dst[16];
	enum packet_kind kind;
	uint16_t sport, dport; /* ICMP: 0 */
	uint8_t type;	       /* of ICMP; 0: an echo request */
	unsigned id;	       /* below PACKET_IDS */
};

/* What a packet that was seen is: one of ours, an answer to one (a reset, an echo reply), or word that one
 * is prohibited. */
enum packet_seen { PACKET_FOREIGN, PACKET_OURS, PACKET_ANSWER, PACKET_PROHIBITED };

/* Writes the packet from its IP header on; its length. The source port is PACKET_FIRST_PORT + id. */
size_t packet_build(const struct packet *packet, unsigned char bytes[PACKET_MAX]);

/* Reads a packet from its IP header on. */
enum packet_seen packet_read(const unsigned char *bytes, size_t len, struct packet *ret);

/* The same for what follows the IP header; ret has family and addresses already. */
enum packet_seen packet_read_payload(const unsigned char *bytes, size_t len, int protocol,
				     struct packet *ret);

static inline size_t packet_addr_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

#endif
