/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that rules.c is written in: one step is one expression of the kernel's. */
#ifndef WEIR_BACKENDS_NFTABLES_STEPS_H
#define WEIR_BACKENDS_NFTABLES_STEPS_H

#include "backends/nftables/frame.h"

enum weir_nft_op {
	WEIR_NFT_OP_END,
	WEIR_NFT_OP_META,
	WEIR_NFT_OP_CT,
	WEIR_NFT_OP_FIB,
	WEIR_NFT_OP_PAYLOAD,
	WEIR_NFT_OP_MASK,
	WEIR_NFT_OP_CMP,
	WEIR_NFT_OP_LOOKUP,
	WEIR_NFT_OP_MAP,
	WEIR_NFT_OP_VERDICT,
	WEIR_NFT_OP_NAT,
	WEIR_NFT_OP_MASQUERADE,
	WEIR_NFT_OP_COUNTER,
	WEIR_NFT_OP_VMAP,
	WEIR_NFT_OP_LIMIT,
	WEIR_NFT_OP_LOG,
	WEIR_NFT_OP_REJECT,
	WEIR_NFT_NUM_OPS
};

struct weir_nft_step {
	uint8_t op;		   /* enum weir_nft_op */
	uint8_t reg;		   /* that is loaded or looked at */
	uint8_t next_reg;	   /* NAT: the port's, 0: none */
	uint8_t base, offset, len; /* of payload; len also of the value compared */
	bool inverted;
	bool random;	  /* NAT, MASQUERADE: another source port, by chance */
	uint8_t compare;  /* NFT_CMP_; 0: equal, or not where inverted */
	int32_t value;	  /* key, flags, mask, verdict or value compared; of LOG: a group, or -1 */
	uint8_t family;	  /* NAT: NFPROTO_ */
	const char *name; /* set, chain, name compared or prefix of a log */
};

enum { WEIR_NFT_STEPS_MAX = 16 };

struct weir_nft_rule {
	const char *chain;
	const char *text; /* without the drop */
	struct weir_nft_step steps[WEIR_NFT_STEPS_MAX];
	bool drops; /* counted, with the reason for a comment */
	enum weir_drop drop;
	const char *comment; /* where it does not drop; NULL: none */
};

extern const struct weir_nft_rule weir_nft_rules[];

#define STEPS(...) .steps = { __VA_ARGS__ }
#define META(key, to)                                         \
	{                                                     \
		WEIR_NFT_OP_META, .reg = (to), .value = (key) \
	}
#define CT(key)                                                  \
	{                                                        \
		WEIR_NFT_OP_CT, .reg = NFT_REG_1, .value = (key) \
	}
#define FIB(flags)                                                  \
	{                                                           \
		WEIR_NFT_OP_FIB, .reg = NFT_REG_1, .value = (flags) \
	}
#define PAYLOAD(from, at, size, to)                                                             \
	{                                                                                       \
		WEIR_NFT_OP_PAYLOAD, .base = (from), .offset = (at), .len = (size), .reg = (to) \
	}
#define NETWORK_HEADER(at, size, to) PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, at, size, to)
#define TRANSPORT_HEADER(at, size, to) PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, at, size, to)
#define MASK(bits, size)                                                           \
	{                                                                          \
		WEIR_NFT_OP_MASK, .reg = NFT_REG_1, .value = (bits), .len = (size) \
	}
#define MASK_U8(bits) MASK(bits, 1)
#define MASK_U32(bits) MASK(bits, 4)
#define CMP(what, size, not )                                                      \
	{                                                                          \
		WEIR_NFT_OP_CMP, .reg = NFT_REG_1, .value = (what), .len = (size), \
				 .inverted = (not )                                \
	}
#define IS_IPV6_LAST(what) CMP(what, 16, false) /* ::what */
#define IS_U8(what) CMP(what, 1, false)
#define IS_U16(what) CMP(what, 2, false)
#define IS_U32(what) CMP(what, 4, false)
#define NOT_U8(what) CMP(what, 1, true)
#define NOT_U32(what) CMP(what, 4, true)
#define IS_NAME(what)                                                                      \
	{                                                                                  \
		WEIR_NFT_OP_CMP, .reg = NFT_REG_1, .name = (what), .len = WEIR_IFNAME_SIZE \
	}
#define LOOKUP(from, set)                                        \
	{                                                        \
		WEIR_NFT_OP_LOOKUP, .reg = (from), .name = (set) \
	}
#define LOOKUP_NOT(from, set)                                                      \
	{                                                                          \
		WEIR_NFT_OP_LOOKUP, .reg = (from), .name = (set), .inverted = true \
	}
#define VMAP(from, set)                                        \
	{                                                      \
		WEIR_NFT_OP_VMAP, .reg = (from), .name = (set) \
	}
#define MAP(from, set)                                        \
	{                                                     \
		WEIR_NFT_OP_MAP, .reg = (from), .name = (set) \
	}
#define VERDICT(what)                                \
	{                                            \
		WEIR_NFT_OP_VERDICT, .value = (what) \
	}
#define GOTO(chain)                                                     \
	{                                                               \
		WEIR_NFT_OP_VERDICT, .value = NFT_GOTO, .name = (chain) \
	}
#define JUMP(chain)                                                     \
	{                                                               \
		WEIR_NFT_OP_VERDICT, .value = NFT_JUMP, .name = (chain) \
	}
#define NAT(type, nfproto, addr, port)                                                \
	{                                                                             \
		WEIR_NFT_OP_NAT, .value = (type), .family = (nfproto), .reg = (addr), \
				 .next_reg = (port)                                   \
	}
#define DNAT(ip, addr, port) NAT(NFT_NAT_DNAT, NFPROTO_##ip, addr, port)
#define DNAT_ADDR(ip, addr) NAT(NFT_NAT_DNAT, NFPROTO_##ip, addr, 0)
#define SNAT_ADDR(ip, addr) NAT(NFT_NAT_SNAT, NFPROTO_##ip, addr, 0)
#define SNAT_ADDR_RANDOM(ip, addr)                                                             \
	{                                                                                      \
		WEIR_NFT_OP_NAT, .value = NFT_NAT_SNAT, .family = NFPROTO_##ip, .reg = (addr), \
				 .random = true                                                \
	}
#define MASQUERADE_RANDOM                                        \
	{                                                        \
		WEIR_NFT_OP_MASQUERADE, .reg = 0, .random = true \
	}
#define MASQUERADE                               \
	{                                        \
		WEIR_NFT_OP_MASQUERADE, .reg = 0 \
	}
#define COUNTER                               \
	{                                     \
		WEIR_NFT_OP_COUNTER, .reg = 0 \
	}
#define FROM_TO(lowest, highest, size)                                                \
	{ WEIR_NFT_OP_CMP, .reg = NFT_REG_1, .value = (lowest), .len = (size),        \
	  .compare = NFT_CMP_GTE },                                                   \
	{                                                                             \
		WEIR_NFT_OP_CMP, .reg = NFT_REG_1, .value = (highest), .len = (size), \
				 .compare = NFT_CMP_LTE                               \
	}
#define REJECT(how, what)                                         \
	{                                                         \
		WEIR_NFT_OP_REJECT, .value = (how), .reg = (what) \
	}
#define DROPS(why) .drops = true, .drop = WEIR_DROP_##why

#endif
