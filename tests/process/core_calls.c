/* SPDX-License-Identifier: MIT */
/*
 * Callers and workers: every call is answered once and whole, answers stream through a ring of two parts, and workers
 * are killed on the way. Usage: core-calls [kill].
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <strait/strait.h>

#include "peer.h"
#include "place.h"

#define CALLERS 3
#define WORKERS 3

struct stage {
    gate ready, over;
    uint32_t calls; /* of each caller, at least */
    uint32_t asked, answered, restarted, abandoned;
    uint32_t killed;
    gate holding; /* a worker that is to be killed has answered half a job */
    uint32_t victim;
};

struct question {
    uint32_t caller, serial, parts;
};

struct part {
    uint32_t caller, serial, index;
};

static const struct strait_channel_options options = {.slot_bytes = 64,
                                                      .depth = 4,
                                                      .replies = 8,
                                                      .reply_bytes = sizeof(struct part),
                                                      .reply_depth = 2,
                                                      .max_attempts = 20};

/* ---- workers ---- */

static void answer(struct stage *stage, struct strait_rx *rx, const struct strait_msg *msg)
{
    struct question q;
    struct strait_answer a;
    int r = strait_answer_accept(rx, msg, &a);

    memcpy(&q, msg->data, sizeof q);
    if (r == -EPIPE || r == -EALREADY)
        return; /* the caller has gone, or a worker died between its answer and its release */
    CHECK_IS(r, 0);
    for (uint32_t i = 0; i < q.parts; i++) {
        struct part p = {q.caller, q.serial, i};
        if (i == q.parts / 2 && __atomic_load_n(&stage->victim, __ATOMIC_ACQUIRE) == (uint32_t)getpid()) {
            gate_open(&stage->holding);
            pause(); /* to be killed here */
        }
        r = strait_answer_send(&a, 0, i + 1 == q.parts ? STRAIT_MSG_LAST : 0, &p, sizeof p, soon());
        if (r == -EPIPE)
            return;
        CHECK_IS(r, 0);
    }
}

static void work(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment *s;
    struct strait_rx *rx;
    struct strait_msg msg;
    int r;

    CHECK_IS(strait_attach("calls", NULL, &s), 0);
    CHECK_IS(strait_rx_open(s, "jobs", &options, &rx), 0);
    gate_count(&stage->ready);
    while ((r = strait_peek(rx, &msg, soon())) == 0) {
        answer(stage, rx, &msg);
        CHECK_IS(strait_release(rx, &msg), 0);
    }
    CHECK_IS(r, -EPIPE);
    strait_rx_close(rx);
    strait_detach(s);
}

/* ---- callers ---- */

static void collect(struct stage *stage, struct strait_reply_rx *reply, const struct question *q)
{
    uint32_t next = 0;
    struct strait_msg info;
    struct part p;

    do {
        CHECK_IS(strait_reply_recv(reply, &p, sizeof p, &info, soon()), sizeof p);
        if (info.flags & STRAIT_MSG_RESTART) {
            next = 0; /* forget what came before */
            __atomic_fetch_add(&stage->restarted, 1, __ATOMIC_RELAXED);
        }
        CHECK_IS(p.caller, q->caller);
        CHECK_IS(p.serial, q->serial);
        CHECK_IS(p.index, next);
        next++;
    } while (!(info.flags & STRAIT_MSG_LAST));
    CHECK_IS(next, q->parts);
    __atomic_fetch_add(&stage->answered, 1, __ATOMIC_RELAXED);
}

static void call(void *arg)
{
    struct stage *stage = arg;
    struct strait_segment *s;
    struct strait_tx *tx;
    uint32_t me;

    CHECK_IS(strait_attach("calls", NULL, &s), 0);
    CHECK_IS(strait_tx_open(s, "jobs", &options, &tx), 0);
    me = (uint32_t)getpid();
    gate_count(&stage->ready);
    for (uint32_t i = 0; i < stage->calls || !gate_is_open(&stage->over); i++) { /* who is killed needs a job */
        struct question q = {me, i, 1 + i % 7};
        struct strait_reply_rx reply;
        CHECK_IS(strait_request(tx, 0, &q, sizeof q, STRAIT_FOREVER, &reply, soon()), 0);
        __atomic_fetch_add(&stage->asked, 1, __ATOMIC_RELAXED);
        if (i % 11 == 10) /* no longer interested */
            __atomic_fetch_add(&stage->abandoned, 1, __ATOMIC_RELAXED);
        else
            collect(stage, &reply, &q);
        strait_reply_close(&reply);
    }
    strait_tx_close(tx);
    strait_detach(s);
}

/* ---- the play ---- */

/* Picks a worker, lets it stop in the middle of an answer, kills it, and starts another. */
static void kill_one(struct stage *stage, pid_t workers[WORKERS], uint32_t which, struct strait_segment *s)
{
    __atomic_store_n(&stage->holding, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&stage->victim, (uint32_t)workers[which], __ATOMIC_RELEASE);
    gate_wait(&stage->holding);
    __atomic_store_n(&stage->victim, 0, __ATOMIC_RELEASE);
    peer_kill(workers[which]);
    CHECK(strait_sweep_dead(s) >= 0); /* as a supervisor does on SIGCHLD */
    workers[which] = peer_start(work, stage);
    stage->killed++;
}

static void play(struct stage *stage, uint32_t calls, uint32_t kills)
{
    struct strait_segment *s;
    struct strait_hold *hold;
    pid_t workers[WORKERS], callers[CALLERS];

    memset(stage, 0, sizeof *stage);
    stage->calls = calls;
    CHECK_IS(strait_attach("calls", NULL, &s), 0);
    CHECK_IS(strait_channel_create(s, "jobs", &options), 0);
    CHECK_IS(strait_channel_hold(s, "jobs", &hold), 0);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = peer_start(work, stage);
    for (int i = 0; i < CALLERS; i++)
        callers[i] = peer_start(call, stage);
    for (uint32_t i = 0; i < kills; i++)
        kill_one(stage, workers, i % WORKERS, s);
    gate_open(&stage->over);
    for (int i = 0; i < CALLERS; i++)
        peer_join(callers[i]);
    strait_channel_unhold(hold); /* the callers have gone: the workers end */
    for (int i = 0; i < WORKERS; i++)
        peer_join(workers[i]);
    strait_detach(s);
    CHECK_IS(strait_segment_remove("calls", NULL), 1);
    CHECK(stage->asked >= CALLERS * calls);
    CHECK_IS(stage->answered + stage->abandoned, stage->asked);
    printf("%u calls answered once and whole, %u not waited for, %u workers killed, %u restarts\n", stage->answered,
           stage->abandoned, stage->killed, stage->restarted);
}

int main(int argc, char **argv)
{
    struct stage *stage = shared_new(sizeof *stage);
    bool kills = argc > 1 && strcmp(argv[1], "kill") == 0;

    place_new();
    play(stage, test_rounds(kills ? 1000 : 2000), kills ? test_rounds(10) : 0);
    if (kills)
        CHECK(stage->restarted > 0);
    CHECK_IS(place_files(), 0);
    place_free();
    return 0;
}
