/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "cast.h"
#include "channel.h"
#include "process.h"

#define SEGMENT_BYTES (256 * 1024)
#define OBSERVER      1

struct cast me;

/* ---- this process's handles ---- */

void cast_name(const struct stage *st, char name[STRAIT_NAME_BYTES])
{
    snprintf(name, STRAIT_NAME_BYTES, "crash-%llx", (unsigned long long)st->serial);
}

bool cast_attach(struct stage *st, enum strait_attach_mode how)
{
    struct strait_segment_options o = {
        .attach = how, .bytes = SEGMENT_BYTES, .directory_max = 8, .directory = "/dev/shm"};
    char name[STRAIT_NAME_BYTES];
    cast_name(st, name);
    int r = strait_attach(name, &o, &me.segment);
    return r == 0 || stage_fail(st, r == -ETIMEDOUT ? VERDICT_HUNG : VERDICT_BROKEN, "attach: %s", strait_strerror(r));
}

struct strait_channel_options cast_options(const struct setting *s)
{
    return (struct strait_channel_options){.slot_bytes =
                                               LEDGER_PAYLOAD * (s->packed ? CAST_BATCH : 1u) + (s->replies ? 16u : 0),
                                           .depth = s->depth,
                                           .senders = s->senders,
                                           .receivers = s->receivers,
                                           .full = s->full,
                                           .lanes = s->lanes,
                                           .shards = s->shards,
                                           .spread = s->spread,
                                           .packed = s->packed,
                                           .max_attempts = s->max_attempts,
                                           .replies = s->replies,
                                           .reply_bytes = LEDGER_PAYLOAD,
                                           .reply_depth = 2,
                                           .first_turn = s->first_turn};
}

bool cast_open(struct stage *st, const struct setting *s, unsigned roles)
{
    struct strait_channel_options o = cast_options(s);
    int r = 0;
    if ((roles & ROLE_SENDER) && !me.tx)
        r = strait_tx_open(me.segment, CAST_CHANNEL, &o, &me.tx);
    if (r == 0 && (roles & ROLE_RECEIVER) && !me.rx)
        r = strait_rx_open(me.segment, CAST_CHANNEL, &o, &me.rx);
    return r == 0 || stage_fail(st, r == -ETIMEDOUT ? VERDICT_HUNG : VERDICT_BROKEN, "open: %s (%s)",
                                strait_strerror(r), strait_error());
}

static void cast_close(unsigned roles)
{
    if (roles & ROLE_SENDER) {
        strait_tx_close(me.tx);
        me.tx = NULL;
    }
    if (roles & ROLE_RECEIVER) {
        strait_rx_close(me.rx);
        me.rx = NULL;
    }
}

void cast_leave(void)
{
    cast_close(ROLE_SENDER | ROLE_RECEIVER);
    strait_detach(me.segment);
    me.segment = NULL;
}

int cast_send(uint64_t value, uint64_t deadline_ns)
{
    unsigned char payload[LEDGER_PAYLOAD];
    uint32_t bytes = ledger_write(value, payload);
    return strait_send_tagged(me.tx, (uint16_t)value, payload, bytes, deadline_ns);
}

int64_t cast_receive(struct stage *st, uint64_t deadline_ns)
{
    unsigned char payload[LEDGER_PAYLOAD];
    struct strait_msg info;
    int64_t r = strait_recv_info(me.rx, payload, sizeof(payload), &info, deadline_ns);
    if (r < 0)
        return r;
    uint64_t value = ledger_read(payload, (uint32_t)r);
    if (value && info.tag != (uint16_t)value && info.tag != CAST_ARRAY_TAG)
        value = 0;
    ledger_see(ledger_of(st), value, info.attempts, OBSERVER);
    return r;
}

/* ---- before ---- */

/* What the survivor must not hold, for the actors to have it, or because the scene is about its absence. */
static unsigned given_up(const struct play *p)
{
    const struct setting *s = p->setting;
    unsigned roles = 0, alone = 0;
    for (int i = 0; i < STAGE_ACTORS; i++) {
        if (!p->op[i])
            continue;
        roles |= p->op[i]->roles | p->op[i]->takes;
        alone |= p->op[i]->alone ? p->op[i]->roles | p->op[i]->takes : 0;
    }
    if (s->senders == STRAIT_MANY)
        roles &= ~(unsigned)ROLE_SENDER;
    if (s->receivers == STRAIT_MANY)
        roles &= ~(unsigned)ROLE_RECEIVER;
    if (s->sleeper == RECEIVER_ASLEEP)
        alone |= ROLE_SENDER;
    if (s->sleeper == SENDER_ASLEEP)
        alone |= ROLE_RECEIVER;
    return roles | alone;
}

static bool send_own(struct stage *st, bool counted)
{
    struct ledger *l = ledger_of(st);
    uint64_t value = CAST_OWN(l->own++);
    if (cast_send(value, STRAIT_NOW) != 0)
        return false;
    if (counted)
        ledger_expect(l, value);
    return true;
}

/* A channel whose first shard says of itself that it lies here, so that it is everybody's nearest. */
static bool make_homely(struct stage *st, const struct setting *s)
{
    struct strait_channel_options o = cast_options(s);
    struct strait_channel_view v;
    struct strait_object object;
    int here = strait_node_here(), r = here < 0 ? here : strait_channel_create(me.segment, CAST_CHANNEL, &o);

    if (r == 0)
        r = strait_directory_find(&me.segment->map, CAST_CHANNEL, STRAIT_KIND_CHANNEL, &object);
    if (r == 0)
        r = strait_channel_view(&me.segment->map, &object, &v);
    if (r < 0)
        return stage_fail(st, VERDICT_BROKEN, "make the channel: %s", strait_strerror(r));
    ((struct strait_ring *)(void *)(me.segment->map.base + v.rings_off))->node = here;
    return true;
}

/* An array has messages of one length. */
static bool send_own_pack(struct stage *st)
{
    struct ledger *l = ledger_of(st);
    unsigned char payload[CAST_BATCH][LEDGER_PAYLOAD];
    uint64_t value;
    for (uint32_t i = 0; i < CAST_BATCH; i++) {
        do
            value = CAST_OWN(l->own++);
        while (ledger_write(value, payload[i]) != LEDGER_PAYLOAD);
        ledger_expect(l, value);
    }
    return strait_send_array(me.tx, CAST_ARRAY_TAG, payload, LEDGER_PAYLOAD, CAST_BATCH, STRAIT_NOW) == CAST_BATCH;
}

bool play_prepare(struct stage *st, const void *arg)
{
    const struct play *p = arg;
    char name[STRAIT_NAME_BYTES], payload[LEDGER_PAYLOAD];
    cast_name(st, name);
    snprintf(st->object, sizeof(st->object), "/strait.%s", name);
    if (p->op[0]->unborn)
        return true;
    if (!cast_attach(st, STRAIT_CREATE_ONLY) || (p->setting->at_home && !make_homely(st, p->setting)) ||
        !cast_open(st, p->setting, ROLE_SENDER | ROLE_RECEIVER))
        return false;
    ledger_of(st)->drops = p->setting->full == STRAIT_FULL_DROP_OLDEST;
    ledger_of(st)->unordered = p->setting->spread == STRAIT_SPREAD_TURN;
    for (uint32_t i = 0; i < p->setting->turned; i++)
        if (!send_own(st, false) || strait_recv(me.rx, payload, sizeof(payload), STRAIT_NOW) < 0)
            return false;
    for (uint32_t i = 0; i < p->setting->unread; i++)
        if (!(p->setting->packed ? send_own_pack(st) : send_own(st, true)))
            return false;
    if (p->op[0]->calls && !play_prepare_call(st))
        return false;
    cast_close(given_up(p));
    if (p->op[0]->deserted)
        cast_leave();
    return true;
}

bool play_enter(struct stage *st, const void *arg, int who)
{
    const struct play *p = arg;
    if (!p->op[who]->bare && (!cast_attach(st, STRAIT_OPEN_ONLY) || !cast_open(st, p->setting, p->op[who]->roles)))
        return false;
    return !p->op[who]->enter || p->op[who]->enter(st, p->setting, who);
}

int play_act(struct stage *st, const void *arg, int who)
{
    return ((const struct play *)arg)->op[who]->act(st, who);
}

void play_after(struct stage *st, const void *arg, int who)
{
    const struct operation *op = ((const struct play *)arg)->op[who];
    if (op->after)
        op->after(st, who);
}

void play_leave(struct stage *st, const void *arg, int who)
{
    const struct operation *op = ((const struct play *)arg)->op[who];
    if (op->leave)
        op->leave(st, who);
    cast_leave();
}

/* ---- after ---- */

static bool in_time(struct stage *st, uint64_t begun_ns, uint64_t ended_ns, const char *what)
{
    uint64_t ns = ended_ns > begun_ns ? ended_ns - begun_ns : 0;
    if (ns > st->waited_ns)
        st->waited_ns = ns;
    return ns <= CAST_WAIT_NS ||
           stage_fail(st, VERDICT_HUNG, "%s took %llu ms", what, (unsigned long long)ns / 1000000);
}

/* The survivor was asleep in the operation when the actor did its part or died. */
static bool sleep_through(struct stage *st, const struct setting *s)
{
    struct ledger *l = ledger_of(st);
    uint64_t value = CAST_OWN(l->own++);
    int64_t r;
    __atomic_store_n(&st->sleeping, 1, __ATOMIC_SEQ_CST);
    if (s->sleeper == RECEIVER_ASLEEP)
        r = cast_receive(st, strait_after_ns(5 * CAST_WAIT_NS));
    else
        r = cast_send(value, strait_after_ns(5 * CAST_WAIT_NS));
    uint64_t woke = step_now_ns();
    gate_wait(&st->go, UINT64_MAX / 2);
    if (s->sleeper == SENDER_ASLEEP && r == 0)
        ledger_expect(l, value);
    if (r < 0 && r != -EPIPE)
        return stage_fail(st, r == -ETIMEDOUT ? VERDICT_HUNG : VERDICT_BROKEN, "the sleeper got %s",
                          strait_strerror((int)r));
    return in_time(st, st->decided_ns, woke, "waking up");
}

/* The contract of each actor, and what holds for any dead receiver. */
static void judge(struct stage *st, const struct play *p, bool newcomer)
{
    struct ledger *l = ledger_of(st);
    l->slack_any = p->op[1] != NULL || l->unordered; /* of two receivers, one may have had the second message */
    for (int i = 0; i < STAGE_ACTORS; i++) {
        const struct operation *op = p->op[i];
        if (!op || st->actor[i].fate == FATE_OPEN)
            continue;
        if (op->judge)
            op->judge(st, i, l);
    }
    for (int i = 0; i < STAGE_ACTORS; i++) {
        const struct operation *op = p->op[i];
        bool dead = st->actor[i].fate == FATE_KILLED || st->actor[i].fate == FATE_RAN;
        bool marks = dead || (p->setting->packed && p->setting->receivers == STRAIT_MANY); /* who leaves a pack, too */
        bool received = op && marks && ((op->roles | op->takes) & ROLE_RECEIVER);
        for (uint32_t k = 0; (received || newcomer) && k < l->entries_n; k++)
            if (l->entries[k].attempts_most == 0) /* a newcomer's predecessor was a receiver, and died, too */
                l->entries[k].attempts_most = 1;
    }
}

bool play_drain(struct stage *st)
{
    int64_t r;
    do
        r = cast_receive(st, STRAIT_NOW);
    while (r >= 0);
    return r == -EAGAIN || r == -EPIPE || stage_fail(st, VERDICT_BROKEN, "drain: %s", strait_strerror((int)r));
}

/* The only senders are dead or gone: after what they left, -EPIPE, by itself. */
static bool wait_for_pipe(struct stage *st)
{
    for (;;) {
        uint64_t begun = step_now_ns();
        int64_t r = cast_receive(st, strait_after_ns(5 * CAST_WAIT_NS));
        if (!in_time(st, begun, step_now_ns(), r == -EPIPE ? "learning that the last sender is gone" : "receiving"))
            return false;
        if (r == -EPIPE)
            return true;
        if (r < 0)
            return stage_fail(st, r == -ETIMEDOUT ? VERDICT_HUNG : VERDICT_BROKEN,
                              "no -EPIPE after the last sender: %s", strait_strerror((int)r));
    }
}

/* Sends one more message, making room as it goes. 0, -EPIPE, or 1 dropped. False: neither within the time. */
static bool probe_send(struct stage *st, uint64_t value, int *result)
{
    uint64_t begun = step_now_ns();
    do {
        *result = cast_send(value, strait_after_ns(CAST_WAIT_NS / 5));
        if (*result == 0 || *result == 1 || *result == -EPIPE)
            return in_time(st, begun, step_now_ns(), "the next send");
        if (!play_drain(st))
            return false;
    } while (step_now_ns() - begun < 2 * CAST_WAIT_NS);
    return stage_fail(st, VERDICT_HUNG, "the next send: %s", strait_strerror(*result));
}

static bool probe_recv(struct stage *st, uint64_t value)
{
    struct ledger *l = ledger_of(st);
    uint64_t begun = step_now_ns();
    for (;;) {
        int64_t r = cast_receive(st, strait_after_ns(5 * CAST_WAIT_NS));
        if (!in_time(st, begun, step_now_ns(), "the next receive"))
            return false;
        if (r < 0)
            return stage_fail(st, VERDICT_BROKEN, "the next receive: %s", strait_strerror((int)r));
        if (l->seen_n && l->seen[l->seen_n - 1].value == value)
            return true;
    }
}

bool play_alive(struct stage *st, const struct setting *s)
{
    struct ledger *l = ledger_of(st);
    if (!cast_open(st, s, ROLE_SENDER | ROLE_RECEIVER) || !play_drain(st))
        return false;
    for (int i = 0; i < 2; i++) {
        uint64_t value = CAST_OWN(l->own++);
        int r;
        if (!probe_send(st, value, &r))
            return false;
        if (r == -EPIPE && l->closed) {
            strait_sweep_dead(me.segment);
            break;
        }
        if (r == -EPIPE || (r == 0 && l->closed == 2))
            return stage_fail(st, VERDICT_BROKEN, "the next send: %s", strait_strerror(r));
        struct ledger_entry *e = ledger_expect(l, value);
        if (r == 1) { /* a dead receiver's slot is in the way of drop-oldest: allowed once, before the sweep */
            e->least = 0;
            if (i == 1)
                return stage_fail(st, VERDICT_BROKEN, "a message is dropped after the sweep");
        } else if (!probe_recv(st, value)) {
            return false;
        }
        if ((r = strait_sweep_dead(me.segment)) < 0)
            return stage_fail(st, VERDICT_BROKEN, "sweep: %s", strait_strerror(r));
        if (!play_drain(st))
            return false;
    }
    return play_drain(st);
}

/* "The lease is reusable": another process joins, sends, receives and leaves. */
static bool join_again(struct stage *st)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        struct strait_segment *segment = NULL;
        char name[STRAIT_NAME_BYTES];
        cast_name(st, name);
        int r = strait_attach(name, &(struct strait_segment_options){.attach = STRAIT_OPEN_ONLY}, &segment);
        strait_detach(segment);
        _exit(r ? 1 : 0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        return stage_fail(st, VERDICT_LEAKED, "nobody can join any more");
    return true;
}

void play_epilogue(struct stage *st)
{
    struct audit a;
    char name[STRAIT_NAME_BYTES];
    if (st->verdict || (st->flavour % 4 == 0 && !join_again(st)))
        return;
    cast_leave();
    if (!audit_open(&a, st))
        return;
    bool clean = audit_clean(&a, st, 0);
    audit_close(&a);
    cast_name(st, name);
    int r = clean && st->flavour % 4 == 0 ? strait_segment_remove(name, "/dev/shm") : 1; /* it asks for 511 leases */
    if (r != 1)
        stage_fail(st, VERDICT_LEAKED, "the segment cannot be removed: %d", r);
}

bool play_dead(struct stage *st, const struct setting *s, unsigned roles, bool (*act)(struct stage *st))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        memset(&me, 0, sizeof(me)); /* the handles of the parent */
        if (!cast_attach(st, STRAIT_OPEN_ONLY) || !cast_open(st, s, roles) || (act && !act(st)))
            _exit(1);
        raise(SIGKILL);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

static bool look(struct stage *st, const struct play *p)
{
    for (int i = 0; i < STAGE_ACTORS; i++)
        if (p->op[i] && p->op[i]->look && !p->op[i]->look(st, p->setting, i))
            return false;
    return true;
}

/* Whoever looks is attached: the one who prepared, or a newcomer. */
static bool arrive(struct stage *st, const struct play *p)
{
    bool absent = p->op[0]->unborn || p->op[0]->deserted;
    return cast_attach(st, absent ? STRAIT_OPEN_OR_CREATE : STRAIT_OPEN_ONLY) &&
           cast_open(st, p->setting, ROLE_RECEIVER | (absent ? ROLE_SENDER : 0));
}

void play_check(struct stage *st, const void *arg)
{
    const struct play *p = arg;
    const struct setting *s = p->setting;
    if (s->sleeper != AWAKE && !sleep_through(st, s))
        return;
    bool newcomer = !me.segment;
    if (newcomer && !arrive(st, p))
        return;
    judge(st, p, newcomer);
    /* mostly nobody calls anything, and the survivor's own waits must find the death; now and then a supervisor sweeps */
    if (st->flavour % 8 == 1 && strait_sweep_dead(me.segment) < 0)
        stage_fail(st, VERDICT_BROKEN, "sweep: %s", strait_error());
    if (!look(st, p))
        return;
    /* a channel that everybody has left begins afresh: a newcomer waits for senders, not for their end */
    if (me.rx && !me.tx && !newcomer && st->flavour % 4 == 0 && !wait_for_pipe(st))
        return;
    if (!play_alive(st, s) || !ledger_close(st))
        return;
    play_epilogue(st);
}
