/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

static void fault(struct history_verdict *v, uint64_t *count, const char *what, uint64_t value)
{
    if (!v->text[0])
        snprintf(v->text, sizeof(v->text), "%s: value %llu of producer %u", what, (ull)HISTORY_INDEX(value),
                 HISTORY_PRODUCER(value));
    ++*count;
}

/* Within one life of a consumer, what comes for the first time comes in its producer's order. */
static void judge_order(const struct history *h, struct history_verdict *v)
{
    uint64_t *last = calloc(h->producers_n, sizeof(*last));
    for (size_t i = 0; last && i < h->sights_n; i++) {
        const struct history_sight *s = &h->sights[i];
        if (i && (s->consumer != s[-1].consumer || s->life != s[-1].life))
            memset(last, 0, h->producers_n * sizeof(*last));
        uint32_t p = HISTORY_PRODUCER(s->value);
        if (s->attempts || p >= h->producers_n)
            continue;
        if (s->value < last[p])
            fault(v, &v->disordered, "out of order", s->value);
        last[p] = s->value;
    }
    free(last);
}

static int by_value(const void *a, const void *b)
{
    const struct history_sight *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->attempts < y->attempts ? -1 : x->attempts > y->attempts;
}

static enum history_sent sent(const struct history *h, uint64_t value)
{
    uint32_t p = HISTORY_PRODUCER(value);
    if (p >= h->producers_n || HISTORY_INDEX(value) >= h->producers[p].n)
        return HISTORY_UNSENT;
    return (enum history_sent)h->producers[p].sent[HISTORY_INDEX(value)];
}

/* Sorted by value, then attempts: a second delivery is a redelivery, marked, of one that was never released. */
static void judge_sights(const struct history *h, struct history_verdict *v)
{
    for (size_t i = 0; i < h->sights_n; i++) {
        const struct history_sight *s = &h->sights[i];
        enum history_sent is = sent(h, s->value);
        if (is != HISTORY_SENT && is != HISTORY_CUT)
            fault(v, &v->torn, is == HISTORY_REFUSED ? "received, though its send failed" : "nobody's", s->value);
        if (i && s[-1].value == s->value && (s[-1].released || s[-1].attempts == s->attempts))
            fault(v, &v->duplicated, "received twice", s->value);
    }
}

static bool seen(const struct history *h, uint64_t value)
{
    size_t low = 0, high = h->sights_n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (h->sights[mid].value < value)
            low = mid + 1;
        else
            high = mid;
    }
    return low < h->sights_n && h->sights[low].value == value;
}

static void judge_sent(const struct history *h, struct history_verdict *v)
{
    for (uint32_t p = 0; p < h->producers_n; p++)
        for (uint64_t i = 0; i < h->producers[p].n; i++) {
            uint8_t is = h->producers[p].sent[i];
            v->cut += is == HISTORY_CUT;
            v->sent += is == HISTORY_SENT;
            if (is != HISTORY_SENT || seen(h, HISTORY_VALUE(p, i)))
                continue;
            if (h->drops || v->missing < h->slack)
                v->missing++;
            else
                fault(v, &v->lost, "lost", HISTORY_VALUE(p, i));
        }
}

void history_judge(struct history *h, struct history_verdict *v)
{
    memset(v, 0, sizeof(*v));
    v->received = h->sights_n;
    if (!h->unordered)
        judge_order(h, v);
    qsort(h->sights, h->sights_n, sizeof(*h->sights), by_value);
    judge_sights(h, v);
    judge_sent(h, v);
}
