/* SPDX-License-Identifier: MIT */
/* Messages whose receiver dies on the last attempt: each is delivered or kept as a dead letter, once. */
#include "audit.h"
#include "cast.h"

#define OBSERVER 50

/* The letters are deliveries of a kind: they go into the books. */
bool look_letters(struct stage *st, const struct setting *s, int who)
{
    struct audit a;
    (void)s;
    (void)who;
    int r = strait_sweep_dead(me.segment);
    if (r < 0)
        return stage_fail(st, VERDICT_BROKEN, "sweep: %s", strait_strerror(r));
    if (!audit_open(&a, st))
        return false;
    const struct strait_channel *c = audit_channel(&a, CAST_CHANNEL);
    const struct strait_dead_letters *letters = (const void *)(a.base + c->dead_off);
    for (uint64_t i = 0; i < letters->count && i < c->dead_max; i++) {
        const struct strait_dead_letter *l =
            (const void *)((const unsigned char *)(letters + 1) + i * letters->entry_bytes);
        ledger_see(ledger_of(st), ledger_read(l + 1, l->bytes), l->attempts, OBSERVER);
    }
    audit_close(&a);
    return true;
}

const struct operation op_peek_last = {
    .row = "peek, the last attempt", .roles = ROLE_RECEIVER, .max_attempts = 1, .act = act_peek, .look = look_letters};

static bool peek_one(struct stage *st)
{
    (void)st;
    return strait_peek(me.rx, &me.msg, STRAIT_NOW) == 0;
}

static bool enter_dead_peeker(struct stage *st, const struct setting *s, int who)
{
    (void)who;
    return play_dead(st, s, ROLE_RECEIVER, peek_one);
}

static int act_sweep(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_sweep_dead(me.segment);
}

const struct operation op_sweep_letter = {.row = "sweep, of a last attempt",
                                          .takes = ROLE_RECEIVER,
                                          .max_attempts = 1,
                                          .enter = enter_dead_peeker,
                                          .act = act_sweep,
                                          .look = look_letters};
