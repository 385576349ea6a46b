/* SPDX-License-Identifier: MIT */
/**
 * The harness on trial. Four small rings of eight slots: one that survives any kill, and three with a known fault, each of
 * which must be found, by the right verdict, at the right instructions. A harness that finds nothing proves nothing.
 *
 *   slot ring     owner and claim in one compare-and-swap                     no failure
 *   ticket ring   Vyukov's: ticket first, publication later                   hung: nobody knows who holds the ticket
 *   split commit  the slot's word is stored before its payload                torn
 *   early free    the consumer frees the slot, then copies                    (preempted) torn
 *   keen sweep    a sweep returns messages that the dead had already freed    duplicated
 *   sleeper       sleeps 30 ms in the window                                  killed asleep once, and stepped behind it
 *   mute          a survivor that never finishes                              hung
 */
#include <stdio.h>
#include <string.h>

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "explore.h"
#include "report.h"

#define SLOTS 8u
#define WORDS 6u

enum kind { RING_SLOT, RING_TICKET, RING_SPLIT, RING_EARLY, RING_KEEN };

struct toy_slot {
    uint64_t word; /* ticket ring: sequence; else turn 32 | state 16 | owner 16 */
    uint64_t payload[WORDS];
    uint64_t last; /* keen sweep: the value last delivered from here */
};

struct toy {
    uint64_t tail, head;
    struct toy_slot slot[SLOTS];
};

enum { FREE, CLAIMED, READY };

static struct toy *toy_of(struct stage *st)
{
    return (struct toy *)(void *)st->memory;
}

static uint64_t word(uint64_t turn, uint64_t state, uint64_t owner)
{
    return turn << 32 | state << 16 | owner;
}

static void write_payload(struct toy_slot *s, uint64_t value)
{
    for (unsigned i = 0; i < WORDS; i++)
        *(volatile uint64_t *)&s->payload[i] = value + i;
}

static bool ticket_send(struct toy *q, uint64_t value)
{
    uint64_t pos = __atomic_load_n(&q->tail, __ATOMIC_RELAXED);
    for (;;) {
        struct toy_slot *s = &q->slot[pos % SLOTS];
        int64_t gap = (int64_t)(__atomic_load_n(&s->word, __ATOMIC_ACQUIRE) - pos);
        if (gap < 0)
            return false;
        if (gap == 0 &&
            __atomic_compare_exchange_n(&q->tail, &pos, pos + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            write_payload(s, value);
            __atomic_store_n(&s->word, pos + 1, __ATOMIC_RELEASE);
            return true;
        }
        if (gap > 0)
            pos = __atomic_load_n(&q->tail, __ATOMIC_RELAXED);
    }
}

static bool slot_send(struct toy *q, uint64_t value, uint64_t me, bool split)
{
    for (uint64_t pos = q->head; pos < q->head + 2 * SLOTS; pos++) {
        struct toy_slot *s = &q->slot[pos % SLOTS];
        uint64_t free_word = word(pos / SLOTS, FREE, 0);
        if (!__atomic_compare_exchange_n(&s->word, &free_word, word(pos / SLOTS, CLAIMED, me), false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED))
            continue;
        if (split)
            __atomic_store_n(&s->word, word(pos / SLOTS, READY, 0), __ATOMIC_RELEASE);
        write_payload(s, value);
        if (!split)
            __atomic_store_n(&s->word, word(pos / SLOTS, READY, 0), __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

static bool toy_send(struct toy *q, enum kind kind, uint64_t value, uint64_t me)
{
    return kind == RING_TICKET ? ticket_send(q, value) : slot_send(q, value, me, kind == RING_SPLIT);
}

/* One consumer; claims of the dead (owner 1, when `dead`) are stepped over. */
static bool toy_recv(struct toy *q, enum kind kind, bool dead, uint64_t out[WORDS])
{
    for (;;) {
        uint64_t pos = q->head;
        struct toy_slot *s = &q->slot[pos % SLOTS];
        uint64_t is = __atomic_load_n(&s->word, __ATOMIC_ACQUIRE);
        bool ticket = kind == RING_TICKET, early = kind == RING_EARLY;
        uint64_t next = ticket ? pos + SLOTS : word(pos / SLOTS + 1, FREE, 0);
        if (is == (ticket ? pos + 1 : word(pos / SLOTS, READY, 0))) {
            if (early)
                __atomic_store_n(&s->word, next, __ATOMIC_RELEASE);
            for (unsigned i = 0; i < WORDS; i++)
                out[i] = *(volatile uint64_t *)&s->payload[i];
            *(volatile uint64_t *)&s->last = out[0];
            if (!early)
                __atomic_store_n(&s->word, next, __ATOMIC_RELEASE);
            *(volatile uint64_t *)&q->head = pos + 1;
            return true;
        }
        if (ticket || !dead || is != word(pos / SLOTS, CLAIMED, 1))
            return false;
        __atomic_store_n(&s->word, next, __ATOMIC_RELEASE);
        q->head = pos + 1;
    }
}

static enum kind kind_of(const void *arg)
{
    return *(const enum kind *)arg;
}

static bool prepare(struct stage *st, const void *arg)
{
    struct toy *q = toy_of(st);
    for (unsigned i = 0; kind_of(arg) == RING_TICKET && i < SLOTS; i++)
        q->slot[i].word = i;
    bool ok = toy_send(q, kind_of(arg), 1000, 2);
    for (unsigned i = 1; kind_of(arg) == RING_EARLY && i < SLOTS; i++)
        ok = ok && toy_send(q, kind_of(arg), 1000, 2);
    return ok;
}

static bool enter(struct stage *st, const void *arg, int actor)
{
    (void)st;
    (void)arg;
    (void)actor;
    return true;
}

/* Actor 0 sends, or receives where the fault is the consumer's; actor 1 sends. */
static int act(struct stage *st, const void *arg, int actor)
{
    enum kind kind = kind_of(arg);
    if (actor == 1)
        return toy_send(toy_of(st), kind, 3000, 3);
    if (kind == RING_EARLY || kind == RING_KEEN)
        return toy_recv(toy_of(st), kind, false, st->actor[0].facts);
    return toy_send(toy_of(st), kind, 2000, 1);
}

static void sweep_keenly(struct toy *q)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (q->slot[i].last && q->slot[i].word == word(1, FREE, 0)) {
            q->slot[i].word = word(0, READY, 0);
            q->head = i;
        }
}

static bool whole(const uint64_t got[WORDS])
{
    for (unsigned i = 1; i < WORDS; i++)
        if (got[i] != got[0] + i)
            return false;
    return true;
}

/* The consumer was stopped, the producer ran: has what the consumer got been overwritten meanwhile? */
static void check_pair(struct stage *st, const void *arg)
{
    (void)arg;
    if (st->actor[0].returned && (!whole(st->actor[0].facts) || st->actor[0].facts[0] != 1000))
        stage_fail(st, VERDICT_TORN, "torn");
}

static void check(struct stage *st, const void *arg)
{
    enum kind kind = kind_of(arg);
    struct toy *q = toy_of(st);
    unsigned seen[4] = {0};
    uint64_t got[WORDS];
    if (kind == RING_KEEN && st->actor[0].returned)
        seen[1]++; /* the operation returned 1000 to the victim */
    if (kind == RING_KEEN)
        sweep_keenly(q);
    if (!toy_send(q, kind, 3000, 2))
        stage_fail(st, VERDICT_HUNG, "nothing can be sent any more");
    while (toy_recv(q, kind, true, got)) {
        if (!whole(got))
            stage_fail(st, VERDICT_TORN, "torn");
        if (got[0] / 1000 < 4)
            seen[got[0] / 1000]++;
    }
    if (seen[3] != 1)
        stage_fail(st, VERDICT_HUNG, "a message sent after the death never arrives");
    if (seen[1] > 1 || seen[2] > 1)
        stage_fail(st, VERDICT_DUPLICATED, "%u + %u deliveries", seen[1], seen[2]);
    if (kind != RING_KEEN && (!seen[1] || (st->actor[0].returned && !seen[2])))
        stage_fail(st, VERDICT_LOST, "a committed message is gone");
}

/* ---- the stepper itself ---- */

static bool prepare_nothing(struct stage *st, const void *arg)
{
    (void)st;
    (void)arg;
    return true;
}

static int act_sleep(struct stage *st, const void *arg, int actor)
{
    struct timespec t = {0, 30000000};
    (void)arg;
    (void)actor;
    __atomic_store_n(&st->memory[0], 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &st->memory[4096], 0 /* FUTEX_WAIT */, 0, &t, NULL, 0);
    __atomic_store_n(&st->memory[0], 2, __ATOMIC_SEQ_CST);
    return 7;
}

/* Every state of the window is seen: before, asleep or woken, after; and the result comes through. */
static void check_sleep(struct stage *st, const void *arg)
{
    (void)arg;
    if (st->actor[0].returned && (st->memory[0] != 2 || st->actor[0].result != 7))
        stage_fail(st, VERDICT_BROKEN, "returned, and wrote %u", st->memory[0]);
    if (!st->actor[0].returned && st->memory[0] == 2)
        stage_fail(st, VERDICT_ORDER, "killed behind its sleep");
    if (!st->actor[0].returned && st->memory[0] == 1)
        stage_fail(st, VERDICT_LOST, "killed before or in its sleep");
}

static void check_mute(struct stage *st, const void *arg)
{
    (void)arg;
    gate_wait((uint32_t *)(void *)&st->memory[8192], UINT64_MAX / 2);
}

static const enum kind kinds[] = {RING_SLOT, RING_TICKET, RING_SPLIT, RING_KEEN, RING_EARLY};

#define TOY(i, name)                                                                                                   \
    {                                                                                                                  \
        .row = name, .state = "one message", .arg = &kinds[i], .prepare = prepare, .enter = enter, .act = act,         \
        .check = check                                                                                                 \
    }

static const struct scene scenes[] = {
    TOY(0, "slot ring send"),
    TOY(1, "ticket ring send"),
    TOY(2, "split commit send"),
    TOY(3, "keen sweep receive"),
    {.row = "early free receive",
     .state = "full",
     .arg = &kinds[4],
     .prepare = prepare,
     .enter = enter,
     .act = act,
     .check = check_pair,
     .pair = true},
    {.row = "sleeper",
     .state = "-",
     .prepare = prepare_nothing,
     .enter = enter,
     .act = act_sleep,
     .check = check_sleep},
    {.row = "mute",
     .state = "-",
     .arg = &kinds[0],
     .prepare = prepare_nothing,
     .enter = enter,
     .act = act,
     .check = check_mute,
     .check_ns = 20000000},
};

static int expect(bool ok, const char *what)
{
    printf("%s  %s\n", ok ? "ok  " : "FAIL", what);
    return ok ? 0 : 1;
}

int main(void)
{
    struct explore_options options = {.jobs = 2, .kills = true, .schedules = true};
    if (!step_supported()) {
        printf("SKIPPED: this machine's single-stepping is not known to the harness\n");
        return 77;
    }
    struct totals *t = explore(scenes, sizeof(scenes) / sizeof(*scenes), &options);
    if (!t)
        return 1;
    report_failures(stdout, scenes, t);
    report_summary(stdout, t);
    int bad = expect(t->scene[0].points > 20 && !t->scene[0].failures, "the slot ring survives every kill");
    bad += expect(t->scene[1].failures && t->verdicts[VERDICT_HUNG], "the harness finds the wedge of a ticket ring");
    bad += expect(t->scene[2].failures && t->verdicts[VERDICT_TORN], "the harness finds a split commit");
    bad += expect(t->scene[3].failures && t->verdicts[VERDICT_DUPLICATED], "the harness finds a sweep that duplicates");
    bad += expect(t->scene[4].failures > 0, "the harness finds a slot that is freed before it is read");
    bad += expect(t->verdicts[VERDICT_LOST] && t->verdicts[VERDICT_ORDER] &&
                      t->scene[5].points > t->scene[5].failures && !t->verdicts[VERDICT_BROKEN],
                  "a sleeping victim is killed asleep, and behind its sleep");
    bad += expect(t->scene[6].failures == t->scene[6].points, "a survivor that hangs is seen");
    bad += expect(t->scene[0].elsewhere == 0 && t->scene[4].elsewhere == 0, "stops are where they were recorded");
    explore_free(t);
    return bad != 0;
}
