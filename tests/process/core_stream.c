/* SPDX-License-Identifier: MIT */
/*
 * Streams between several senders and receivers: each value is unique, so loss, duplication and disorder are seen.
 * Usage: core-stream processes|threads. Threads (each with handles of its own, on one mapping) are what ThreadSanitizer
 * can follow.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <strait/strait.h>

#include "peer.h"
#include "place.h"

#include "directory.h"
#include "process.h"

#define MOST 4 /* senders, receivers */

enum manner { COPY, IN_PLACE, BATCH, MANNERS };
static const char *const manner_names[] = {"copying", "in place", "in batches"};

struct message {
    uint32_t sender, serial;
    uint64_t check; /* a function of both: a torn message does not have it */
};

struct play {
    struct strait_channel_options options;
    enum manner manner;
    uint32_t senders, receivers, messages; /* of each sender */
    gate ready;
    uint32_t sent[MOST], dropped[MOST], received[MOST];
    uint32_t next_sender, next_receiver;
    uint8_t seen[]; /* senders × messages: how often it arrived */
};

static uint64_t check_of(uint32_t sender, uint32_t serial)
{
    return (((uint64_t)sender << 32 | serial) + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

/* ---- senders ---- */

/* 1: it was dropped, or something was dropped for it. */
static int send_one(const struct play *p, struct strait_tx *tx, const struct message *m)
{
    struct strait_claim claim;
    int r;

    if (p->manner != IN_PLACE)
        return strait_send(tx, m, sizeof *m, soon());
    r = strait_claim(tx, &claim, soon());
    if (r != 0)
        return r;
    memcpy(claim.data, m, sizeof *m);
    return strait_commit(tx, &claim, 0, sizeof *m);
}

static uint32_t send_batch(struct strait_tx *tx, uint32_t sender, uint32_t serial, uint32_t messages)
{
    struct message m[8];
    struct strait_out out[8];
    uint32_t n = messages - serial < 8 ? messages - serial : 8;
    int r;

    for (uint32_t i = 0; i < n; i++) {
        m[i] = (struct message){sender, serial + i, check_of(sender, serial + i)};
        out[i] = (struct strait_out){&m[i], sizeof m[i], 0};
    }
    r = strait_send_many(tx, out, n, soon());
    CHECK(r > 0 || r == -EAGAIN);
    return r > 0 ? (uint32_t)r : 0;
}

static void send_all(void *arg)
{
    struct play *p = arg;
    uint32_t me = __atomic_fetch_add(&p->next_sender, 1, __ATOMIC_RELAXED), serial = 0;
    struct strait_segment *s;
    struct strait_tx *tx;

    CHECK_IS(strait_attach("stream", NULL, &s), 0);
    CHECK_IS(strait_tx_open(s, "c", &p->options, &tx), 0);
    gate_count(&p->ready);
    gate_wait_count(&p->ready, p->senders + p->receivers);
    while (serial < p->messages) {
        struct message m = {me, serial, check_of(me, serial)};
        int r;
        if (p->manner == BATCH && p->options.full <= STRAIT_FULL_FAIL) {
            uint32_t n = send_batch(tx, me, serial, p->messages);
            serial += n;
            p->sent[me] += n;
            if (n == 0)
                sched_yield();
            continue;
        }
        r = send_one(p, tx, &m);
        if (r == -EAGAIN && p->options.full == STRAIT_FULL_FAIL) {
            sched_yield();
            continue;
        }
        CHECK(r == 0 || (r == 1 && p->options.full >= STRAIT_FULL_DROP_NEW));
        p->sent[me]++;
        p->dropped[me] += r == 1;
        serial++;
    }
    strait_tx_close(tx);
    strait_detach(s);
}

/* ---- receivers ---- */

static void note(struct play *p, uint32_t me, const struct message *m, int64_t last[MOST])
{
    CHECK(m->sender < p->senders && m->serial < p->messages);
    CHECK_IS(m->check, check_of(m->sender, m->serial));
    CHECK((int64_t)m->serial > last[m->sender]); /* in order, as far as one receiver sees */
    last[m->sender] = m->serial;
    CHECK_IS(__atomic_fetch_add(&p->seen[m->sender * p->messages + m->serial], 1, __ATOMIC_RELAXED), 0);
    p->received[me]++;
}

static int64_t receive_some(struct play *p, uint32_t me, struct strait_rx *rx, int64_t last[MOST])
{
    struct message m[8];
    struct strait_in in[8];
    struct strait_msg msg;
    int64_t r;

    if (p->manner == COPY) {
        r = strait_recv(rx, m, sizeof m[0], soon());
        if (r == sizeof m[0])
            note(p, me, m, last);
        return r;
    }
    if (p->manner == BATCH) {
        for (int i = 0; i < 8; i++)
            in[i] = (struct strait_in){.data = &m[i], .size = sizeof m[i]};
        r = strait_recv_many(rx, in, 8, soon());
        for (int64_t i = 0; i < r; i++)
            note(p, me, &m[i], last);
        return r;
    }
    r = strait_peek(rx, &msg, soon());
    if (r < 0)
        return r;
    CHECK_IS(msg.bytes, sizeof m[0]);
    note(p, me, msg.data, last);
    CHECK_IS(strait_release(rx, &msg), 0);
    return 0;
}

static void receive_all(void *arg)
{
    struct play *p = arg;
    uint32_t me = __atomic_fetch_add(&p->next_receiver, 1, __ATOMIC_RELAXED);
    int64_t last[MOST] = {-1, -1, -1, -1}, r;
    struct strait_segment *s;
    struct strait_rx *rx;

    CHECK_IS(strait_attach("stream", NULL, &s), 0);
    CHECK_IS(strait_rx_open(s, "c", &p->options, &rx), 0);
    gate_count(&p->ready);
    while ((r = receive_some(p, me, rx, last)) >= 0)
        ;
    CHECK_IS(r, -EPIPE); /* all senders have closed, and it is drained */
    strait_rx_close(rx);
    strait_detach(s);
}

/* ---- the play ---- */

static bool threads;

struct actor {
    void (*act)(void *arg);
    void *arg;
    pthread_t thread;
    pid_t pid;
};

static void *as_thread(void *arg)
{
    struct actor *a = arg;
    a->act(a->arg);
    return NULL;
}

static void start(struct actor *a)
{
    if (threads)
        CHECK_IS(pthread_create(&a->thread, NULL, as_thread, a), 0);
    else
        a->pid = peer_start(a->act, a->arg);
}

static void join(struct actor *a)
{
    if (threads)
        CHECK_IS(pthread_join(a->thread, NULL), 0);
    else
        peer_join(a->pid);
}

/* What the channel says that it dropped: a sender that writes in place is not told of the oldest. */
static uint32_t counted_drops(struct strait_segment *s)
{
    const struct strait_channel *c;
    struct strait_object o;

    CHECK_IS(strait_directory_find(&s->map, "c", STRAIT_KIND_CHANNEL, &o), 0);
    c = (const struct strait_channel *)(const void *)(s->map.base + o.offset);
    return (uint32_t)(c->dropped_new + c->dropped_oldest);
}

static void judge(const struct play *p, struct strait_segment *s)
{
    uint32_t sent = 0, told = 0, dropped = counted_drops(s), received = 0, lost = 0;

    for (uint32_t i = 0; i < MOST; i++) {
        sent += p->sent[i];
        told += p->dropped[i];
        received += p->received[i];
    }
    for (uint32_t i = 0; i < p->senders * p->messages; i++)
        lost += p->seen[i] == 0;
    CHECK_IS(sent, p->senders * p->messages);
    CHECK_IS(received + dropped, sent);
    CHECK_IS(lost, dropped);
    CHECK(p->options.full >= STRAIT_FULL_DROP_NEW || dropped == 0);
    CHECK(told == dropped || (p->manner == IN_PLACE && p->options.full == STRAIT_FULL_DROP_OLDEST));
}

static void stream(const struct strait_channel_options *options, enum manner manner, uint32_t messages)
{
    uint32_t senders = options->senders == STRAIT_ONE ? 1 : 3, receivers = options->receivers == STRAIT_ONE ? 1 : 2;
    size_t bytes = sizeof(struct play) + senders * messages;
    struct play *p = shared_new(bytes);
    struct actor actors[2 * MOST];
    struct strait_segment *s;
    uint32_t n = 0;

    CHECK_IS(strait_attach("stream", NULL, &s), 0);
    p->options = *options;
    p->manner = manner;
    p->senders = senders;
    p->receivers = receivers;
    p->messages = messages;
    for (uint32_t i = 0; i < senders; i++)
        actors[n++] = (struct actor){.act = send_all, .arg = p};
    for (uint32_t i = 0; i < receivers; i++)
        actors[n++] = (struct actor){.act = receive_all, .arg = p};
    for (uint32_t i = 0; i < n; i++)
        start(&actors[i]);
    for (uint32_t i = 0; i < n; i++)
        join(&actors[i]);
    judge(p, s);
    strait_detach(s);
    shared_free(p, bytes);
    CHECK_IS(strait_segment_remove("stream", NULL), 1);
}

int main(int argc, char **argv)
{
    uint32_t messages = test_rounds(3000), plays = 0;

    threads = argc > 1 && strcmp(argv[1], "threads") == 0;
    place_new();
    for (unsigned kind = 0; kind < 4; kind++)
        for (unsigned full = STRAIT_FULL_WAIT; full <= STRAIT_FULL_DROP_OLDEST; full++)
            for (unsigned manner = COPY; manner < MANNERS; manner++, plays++) {
                struct strait_channel_options o = {.senders = (enum strait_ends)(kind & 1),
                                                   .receivers = (enum strait_ends)(kind >> 1),
                                                   .full = (enum strait_full)full,
                                                   .depth = 16,
                                                   .peek_window = 1,
                                                   .first_turn = (UINT64_C(1) << 40) - 2};
                stream(&o, (enum manner)manner, messages);
            }
    for (unsigned manner = COPY; manner < MANNERS; manner++, plays++) {
        struct strait_channel_options lanes = {.lanes = 3, .depth = 16}, busy = {.busy = true, .depth = 256};
        stream(&lanes, (enum manner)manner, messages);
        stream(&busy, (enum manner)manner, messages / 10 + 1);
    }
    CHECK_IS(place_files(), 0);
    place_free();
    printf("%u streams (%s, %s, %s): nothing lost, doubled or out of order\n", plays, manner_names[COPY],
           manner_names[IN_PLACE], manner_names[BATCH]);
    return 0;
}
