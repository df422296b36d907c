/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selectors: whom they pick, and their short form:
 *
 *	any | endpoints | outside | host
 *	TERM[+TERM]…	TERM: network:NAME[|NAME]…  endpoint:NAME[|NAME]…  label:KEY[=VALUE[|VALUE]…][,KEY…]…
 *	cidr:PREFIX[,except=PREFIX]…[|PREFIX…]…
 *
 * What stands between + must all hold; of what stands between | any one; of labels between commas all.
 */
#ifndef WEIR_CORE_SELECTOR_H
#define WEIR_CORE_SELECTOR_H

#include <stdio.h>

#include "core/model.h"

/* Is the address in the block, and in none of its exceptions? */
bool weir_block_holds(const struct weir_block *block, const struct weir_addr *addr);
/* Does an endpoint carry what the match asks for? Its labels are sorted or not. */
bool weir_label_holds(const struct weir_label_match *match, const struct weir_endpoint *ep);
/* Is the endpoint's address of this family in att's network picked by any of n selectors? With n == 0 every
 * address is. One that it does not have is not; selectors of the outside and of the host pick no endpoint. */
bool weir_selectors_pick(const struct weir_selector *sels, size_t n, const struct weir_endpoint *ep,
			 const struct weir_attachment *att, enum weir_family family);

/* Sets `filtered` of every network: do policies or defaults say anything of traffic between two endpoints
 * of it, or within a bridge of it? The model is whole and sorted. -ENOMEM. */
int weir_policies_bind(struct weir_model *model, struct weir_err *err);

/* Appends what the short form says to an array that is grown in the arena; "any" is two selectors, of
 * endpoints and the outside. -EINVAL with err->at.column at the byte that is to blame. */
int weir_selector_parse(const char *text, struct weir_arena *arena, struct weir_selector **sels,
			size_t *n, struct weir_err *err);
/* The short form; what it cannot hold is printed all the same. None at all: "any". */
void weir_selectors_print(const struct weir_selector *sels, size_t n, FILE *out);

/* "5432/tcp", "8000-8010/udp", "443" (tcp), "sctp", "icmp", "icmp/echo-request", "icmpv6/128".
 * -EINVAL with err->at.column. origin is left zero. */
int weir_service_parse(const char *text, struct weir_service *ret, struct weir_err *err);
enum { WEIR_SERVICE_TEXT = 48 };
/* The canonical text, which parses back. Returns buf. */
const char *weir_service_text(const struct weir_service *service, char buf[WEIR_SERVICE_TEXT]);

#endif
