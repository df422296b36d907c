/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another packet filter than the one in charge: the one that a host moves to, or the one that a move
 * which was killed has left rules in. Private to the engine. */
#ifndef WEIR_CORE_ASIDE_H
#define WEIR_CORE_ASIDE_H

#include "core/session.h"

/* Lives in the session's arena. */
struct weir_aside {
	struct weir_engine engine; /* the session's, with the other filter */
	/* what the session holds when it is turned to this one */
	const struct weir_engine *at;
	struct weir_firewall *fw;
	struct weir_firewall_state kernel;
};

/* Opens it and asks for its state. */
int weir_aside_open(struct weir_session *s, const struct weir_firewall_ops *ops,
		    struct weir_aside **ret, struct weir_err *err);
void weir_aside_close(struct weir_aside *aside); /* NULL is fine */
static inline void weir_aside_closep(struct weir_aside **aside)
{
	weir_aside_close(*aside);
}
#define WEIR_CLEAN_ASIDE __attribute__((cleanup(weir_aside_closep)))

/* Exchanges the two: the session then works with the other filter, and with the first one again after
 * a second call. */
void weir_aside_turn(struct weir_session *s, struct weir_aside *aside);

/* Takes our rules out of it. The session's account stays that of the filter in charge, whose rules have
 * to be in force. */
int weir_aside_withdraw(struct weir_session *s, struct weir_aside *aside, struct weir_err *err);

/* What other filters hold of ours is told as drift, or without a plan taken out. Only those that
 * the mark names are sure to be there; the others are looked at when s->look_aside, as far as they can
 * be. */
int weir_asides_compare(struct weir_session *s, struct weir_plan *plan, struct weir_err *err);

#endif
