/* SPDX-License-Identifier: MIT */
/* Operations on segments and names, and the sweep itself, each with its line of the contract. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cast.h"

#define SECOND "d" /* a channel that comes or goes */

static bool refused(struct stage *st, const char *what, int r)
{
    return stage_fail(st, VERDICT_BROKEN, "%s: %s", what, strait_strerror(r));
}

/* ---- segments ---- */

static int attach_how(struct stage *st, enum strait_attach_mode how)
{
    struct strait_segment_options o = {.attach = how, .bytes = 256 * 1024, .directory_max = 8, .directory = "/dev/shm"};
    char name[STRAIT_NAME_BYTES];
    cast_name(st, name);
    return strait_attach(name, &o, &me.segment);
}

static int act_attach(struct stage *st, int who)
{
    (void)who;
    return attach_how(st, STRAIT_OPEN_ONLY);
}

static void judge_good(struct stage *st, int who, struct ledger *l)
{
    (void)l;
    if (st->actor[who].returned && st->actor[who].result < 0)
        refused(st, "the operation", st->actor[who].result);
}

const struct operation op_attach = {.row = "attach", .bare = true, .act = act_attach, .judge = judge_good};

/* The dead one held whatever one process can hold; it says which message. */
static bool hold_all(struct stage *st)
{
    if (strait_claim(me.tx, &me.claim, STRAIT_NOW) < 0 || strait_peek(me.rx, &me.msg, STRAIT_NOW) < 0)
        return false;
    st->actor[0].facts[1] = ledger_read(me.msg.data, me.msg.bytes);
    return true;
}

static bool enter_dead(struct stage *st, const struct setting *s, int who)
{
    bool died = play_dead(st, s, ROLE_SENDER | ROLE_RECEIVER, hold_all);
    st->actor[who].facts[0] = st->actor[0].facts[1];
    return died;
}

/* The message that the dead one had peeked comes again, with the mark. Twice: a sole receiver's death is noticed by
 * every successor until one has taken the mark down. */
static void judge_dead(struct stage *st, int who, struct ledger *l)
{
    struct ledger_entry *e = ledger_find(l, st->actor[who].facts[0]);
    judge_good(st, who, l);
    if (e)
        e->attempts_least = e->attempts_most = 1;
}

const struct operation op_attach_sweep = {.row = "attach, sweeping",
                                          .takes = ROLE_SENDER | ROLE_RECEIVER,
                                          .bare = true,
                                          .enter = enter_dead,
                                          .act = act_attach,
                                          .judge = judge_dead};

static bool enter_peeked_closed(struct stage *st, const struct setting *s, int who)
{
    (void)s;
    (void)who;
    if (strait_peek(me.rx, &me.msg, STRAIT_NOW) < 0)
        return false;
    strait_rx_close(me.rx);
    me.rx = NULL;
    return st != NULL;
}

static int act_detach(struct stage *st, int who)
{
    (void)st;
    (void)who;
    strait_detach(me.segment);
    me.segment = NULL;
    return 0;
}

/* Peeked and never released: never lost; marked where the sweep of the leaver has seen it. */
static void judge_detach(struct stage *st, int who, struct ledger *l)
{
    (void)st;
    (void)who;
    for (uint32_t i = 0; i < l->entries_n; i++)
        l->entries[i].attempts_most = 1;
}

const struct operation op_detach = {
    .row = "detach", .roles = ROLE_RECEIVER, .enter = enter_peeked_closed, .act = act_detach, .judge = judge_detach};

static int act_create(struct stage *st, int who)
{
    (void)who;
    return attach_how(st, STRAIT_CREATE_ONLY);
}

/* The name is absent or fully usable: that the survivor could attach, and what follows, is the check. */
const struct operation op_create = {
    .row = "create a segment", .bare = true, .unborn = true, .act = act_create, .judge = judge_good};

static int act_remove(struct stage *st, int who)
{
    char name[STRAIT_NAME_BYTES];
    (void)who;
    cast_name(st, name);
    return strait_segment_remove(name, "/dev/shm");
}

/* Gone with all messages, or there with all of them. */
static void judge_remove(struct stage *st, int who, struct ledger *l)
{
    const struct actor *a = &st->actor[who];
    if (a->returned && a->result != 1)
        refused(st, "remove", a->result);
    for (uint32_t i = 0; i < l->entries_n; i++)
        l->entries[i].least = 0;
    if (a->returned)
        for (uint32_t i = 0; i < l->entries_n; i++)
            l->entries[i].most = 0;
}

const struct operation op_remove = {
    .row = "remove a segment", .bare = true, .deserted = true, .act = act_remove, .judge = judge_remove};

/* ---- named channels ---- */

static int act_channel_create(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_channel_create(me.segment, SECOND, NULL);
}

/* Whether it is there or not: it can be opened and used, and its name be taken away. */
static bool look_second(struct stage *st, const struct setting *s, int who)
{
    struct strait_tx *tx;
    struct strait_rx *rx;
    uint64_t in = 7, out = 0;
    (void)s;
    int r = strait_channel_create(me.segment, SECOND, NULL);
    if (r != 0 && r != -EEXIST)
        return refused(st, "create again", r);
    if (st->actor[who].returned && r == 0)
        return stage_fail(st, VERDICT_LOST, "the channel is not there");
    if ((r = strait_tx_open(me.segment, SECOND, NULL, &tx)) < 0 ||
        (r = strait_rx_open(me.segment, SECOND, NULL, &rx)) < 0)
        return refused(st, "open the new channel", r);
    r = strait_send(tx, &in, sizeof(in), STRAIT_NOW);
    if (r < 0 || strait_recv(rx, &out, sizeof(out), STRAIT_NOW) != sizeof(out) || in != out)
        return refused(st, "use the new channel", r);
    strait_tx_close(tx);
    strait_rx_close(rx);
    r = strait_channel_unlink(me.segment, SECOND);
    return r == 0 || refused(st, "unlink the new channel", r);
}

const struct operation op_channel_create = {
    .row = "create a channel", .act = act_channel_create, .judge = judge_good, .look = look_second};

static bool enter_second(struct stage *st, const struct setting *s, int who)
{
    (void)st;
    (void)s;
    (void)who;
    return strait_channel_create(me.segment, SECOND, NULL) == 0;
}

static int act_unlink(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_channel_unlink(me.segment, SECOND);
}

/* There or not; and its memory is free if it is not (the audit looks for entries that are neither). */
static bool look_unlinked(struct stage *st, const struct setting *s, int who)
{
    (void)s;
    int r = strait_channel_unlink(me.segment, SECOND);
    if (r != 0 && r != -ENOENT)
        return refused(st, "unlink again", r);
    if (st->actor[who].returned && r == 0)
        return stage_fail(st, VERDICT_BROKEN, "the name is still there");
    return true;
}

const struct operation op_unlink = {
    .row = "unlink a channel", .enter = enter_second, .act = act_unlink, .judge = judge_good, .look = look_unlinked};

static int act_hold(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_channel_hold(me.segment, CAST_CHANNEL, &me.hold);
}

const struct operation op_hold = {.row = "hold a channel", .act = act_hold, .judge = judge_good};

/* ---- the sweep ---- */

static int act_sweep(struct stage *st, int who)
{
    (void)st;
    (void)who;
    return strait_sweep_dead(me.segment);
}

const struct operation op_sweep = {
    .row = "sweep", .takes = ROLE_SENDER | ROLE_RECEIVER, .enter = enter_dead, .act = act_sweep, .judge = judge_dead};

/* Dies asleep, counted in at the receivers' bell. */
static bool enter_dead_sleeper(struct stage *st, const struct setting *s, int who)
{
    char payload[LEDGER_PAYLOAD];
    int status;
    pid_t pid = fork();
    (void)who;
    if (pid == 0) {
        memset(&me, 0, sizeof(me));
        if (cast_attach(st, STRAIT_OPEN_ONLY) && cast_open(st, s, ROLE_RECEIVER)) {
            __atomic_store_n(&st->actor[0].facts[1], 1, __ATOMIC_SEQ_CST);
            strait_recv(me.rx, payload, sizeof(payload), STRAIT_FOREVER);
        }
        _exit(1);
    }
    while (!__atomic_load_n(&st->actor[0].facts[1], __ATOMIC_SEQ_CST) || !step_asleep(pid))
        if (waitpid(pid, &status, WNOHANG) == pid)
            return false;
    kill(pid, SIGKILL);
    return waitpid(pid, &status, 0) == pid;
}

const struct operation op_sweep_sleeper = {.row = "sweep, of a sleeper",
                                           .takes = ROLE_RECEIVER,
                                           .enter = enter_dead_sleeper,
                                           .act = act_sweep,
                                           .judge = judge_good};
