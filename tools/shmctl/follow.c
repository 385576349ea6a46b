/* SPDX-License-Identifier: MIT */
#include "follow.h"

#include <stdlib.h>
#include <string.h>

#include "strait/ring_pack.h"

#define IDLE_LEAST 0.0001 /* s between looks at an empty channel: at first, and later */
#define IDLE_MOST  0.002
#define BURST      64 /* messages between two looks at the clock, and steps that one look may take */
#define PER_SECOND 50 /* pauses: each wakes a process, which the followed ones feel */

/* Hardware on which a store that somebody has seen is there for all, and stores are seen in order. */
#if defined(__x86_64__) || defined(__i386__)
#define STORES_IN_ORDER true
#else
#define STORES_IN_ORDER false
#endif

enum found { NOTHING, MESSAGE, SKIPPED };

int ctl_follow_begin(struct ctl_follow *f, struct ctl_segment *s, const char *channel, bool oldest)
{
    struct strait_ring *ring, checked;
    struct strait_object o;
    unsigned char *slots;
    int r = ctl_object(s, channel, STRAIT_KIND_CHANNEL, &o);

    *f = (struct ctl_follow){.next = 0};
    if (r != CTL_GOOD)
        return r;
    if (strait_channel_view(&s->map, &o, &f->view) < 0) {
        ctl_say("channel %s is damaged", table_text(channel, STRAIT_NAME_BYTES));
        return CTL_DAMAGED;
    }
    f->ends = calloc(f->view.rings, sizeof *f->ends);
    f->bytes = malloc(f->view.slot_bytes);
    for (uint32_t i = 0; f->ends && f->bytes && i < f->view.rings; i++) {
        if (strait_channel_ring(&f->view, i, &ring, &checked, &slots) < 0) {
            ctl_say("ring %u of channel %s is damaged", i, table_text(channel, STRAIT_NAME_BYTES));
            ctl_follow_end(f);
            return CTL_DAMAGED;
        }
        (oldest ? strait_ring_join_consumer : strait_ring_join_producer)(&f->ends[i], ring, &checked, slots, 0);
    }
    if (f->ends && f->bytes)
        return CTL_GOOD;
    ctl_follow_end(f);
    ctl_say("out of memory");
    return CTL_FINDING;
}

void ctl_follow_end(struct ctl_follow *f)
{
    free(f->ends);
    free(f->bytes);
    f->ends = NULL;
    f->bytes = NULL;
}

/* ---- one slot ---- */

static int64_t turns_ahead(uint64_t word, uint64_t cursor)
{
    return (int64_t)((word & STRAIT_TURN_MASK) - (cursor & STRAIT_TURN_MASK)) / (int64_t)STRAIT_TURN_ONE;
}

/* Has the slot's payload been written for this turn, and nothing since? */
static bool holds(uint64_t word, uint64_t cursor)
{
    enum strait_slot_state state = strait_slot_state(word);
    return turns_ahead(word, cursor) == 0 &&
           (state == STRAIT_SLOT_READY || state == STRAIT_SLOT_TAKEN || state == STRAIT_SLOT_RETURNED);
}

static bool freed(uint64_t word, uint64_t cursor)
{
    return turns_ahead(word, cursor) == 1 && strait_slot_state(word) == STRAIT_SLOT_FREE;
}

/* A sole sender writes into a free slot without a sign, but only once it has committed the slot before. Has it? */
static bool sender_is_here(const struct strait_ring_end *end)
{
    uint64_t slot = end->cursor & (STRAIT_TURN_ONE - 1), word;
    /* where it writes, a turn from now, and the place before that */
    uint64_t before = slot ? end->cursor + STRAIT_TURN_ONE - 1 : (end->cursor & STRAIT_TURN_MASK) | end->mask;

    /* acquire [T3] <- [R1] strait_ring_commit */
    word = strait_load64_acquire(&strait_ring_slot(end, before)->word);
    return turns_ahead(word, before) > 0 ||
           (turns_ahead(word, before) == 0 && strait_slot_state(word) != STRAIT_SLOT_FREE);
}

/* Do the bytes that we have copied belong to the message, now that the word is this? */
static bool still(const struct strait_ring_end *end, uint64_t before, uint64_t after)
{
    if (holds(after, end->cursor))
        return true;
    if (!freed(after, end->cursor) || (!holds(before, end->cursor) && before != after))
        return false;
    return end->flags & STRAIT_RING_MANY_PRODUCERS ? true : STORES_IN_ORDER && !sender_is_here(end);
}

static bool copy(struct ctl_follow *f, const struct strait_ring_end *end, uint64_t word, struct ctl_message *m)
{
    struct strait_slot *slot = strait_ring_slot(end, end->cursor);
    uint64_t head = strait_load64_relaxed(&slot->head), after;
    bool pack = end->flags & STRAIT_RING_PACKED && strait_pack_good(head, f->view.slot_bytes);
    uint32_t each = pack ? strait_pack_bytes(head) : strait_head_bytes(head), n = pack ? strait_pack_count(head) : 1;
    uint32_t bytes = each * n;

    bytes = bytes < f->view.slot_bytes ? bytes : f->view.slot_bytes;
    strait_payload_read(f->bytes, strait_slot_payload(slot), bytes);
    strait_fence_acquire(); /* acquire fence [T2] alone: the bytes, then the word again */
    after = strait_load64_relaxed(&slot->word);
    if (!still(end, word, after))
        return false;
    *m = (struct ctl_message){.data = f->bytes,
                              .bytes = pack ? each : bytes,
                              .tag = strait_head_tag(head),
                              .flags = pack ? 0 : strait_head_flags(head),
                              .attempts = strait_slot_attempts(after),
                              .late = !holds(word, end->cursor) && (end->flags & STRAIT_RING_MANY_PRODUCERS),
                              .ring = (uint32_t)(end - f->ends),
                              .number = f->seen,
                              .time_ns = ctl_real_ns(NULL)};
    f->pack = *m;
    f->left = n - 1;
    return true;
}

/* We were lapped: the slot under the cursor has a word of a later turn. Go on a quarter behind the oldest that is left. */
static void catch_up(struct ctl_follow *f, struct strait_ring_end *end, uint64_t word)
{
    uint64_t capacity = (uint64_t)end->mask + 1, ahead = (uint64_t)turns_ahead(word, end->cursor);
    uint64_t lost = (ahead - 1) * capacity + capacity / 4 + 1, slot = (end->cursor & end->mask) + lost;

    end->cursor = ((end->cursor & STRAIT_TURN_MASK) + slot / capacity * STRAIT_TURN_ONE) | (slot & end->mask);
    f->missed += lost;
}

static enum found step(struct ctl_follow *f, struct strait_ring_end *end, struct ctl_message *m)
{
    /* acquire [T1] <- [R1] strait_ring_commit: payload follows word */
    uint64_t word = strait_load64_acquire(&strait_ring_slot(end, end->cursor)->word);

    if (holds(word, end->cursor) || freed(word, end->cursor)) {
        if (copy(f, end, word, m)) {
            end->cursor = strait_ring_next(end, end->cursor);
            f->seen++;
            return MESSAGE;
        }
        f->missed++; /* it was overwritten under our hands */
        end->cursor = strait_ring_next(end, end->cursor);
        return SKIPPED;
    }
    if (turns_ahead(word, end->cursor) > 0) {
        catch_up(f, end, word);
        return SKIPPED;
    }
    if (turns_ahead(word, end->cursor) == 0 && strait_slot_state(word) == STRAIT_SLOT_VOID) {
        end->cursor = strait_ring_next(end, end->cursor);
        return SKIPPED;
    }
    return NOTHING;
}

/* The next one of the pack that we have copied. */
static bool unpack(struct ctl_follow *f, struct ctl_message *m)
{
    if (f->left == 0)
        return false;
    f->left--;
    f->pack.data = (const unsigned char *)f->pack.data + f->pack.bytes;
    f->pack.number = f->seen++;
    *m = f->pack;
    return true;
}

bool ctl_follow_next(struct ctl_follow *f, struct ctl_message *m)
{
    if (unpack(f, m))
        return true;
    for (uint32_t i = 0; i < f->view.rings; i++) {
        struct strait_ring_end *end = &f->ends[(f->next + i) % f->view.rings];
        enum found found = NOTHING;
        for (int tries = 0; tries < BURST && (found = step(f, end, m)) == SKIPPED; tries++)
            ;
        if (found == MESSAGE) {
            f->next = (uint32_t)(end - f->ends);
            return true;
        }
    }
    return false;
}

/* ---- pace ---- */

void ctl_pace_message(struct ctl_pace *p)
{
    uint64_t now, burst = p->rate / PER_SECOND ? p->rate / PER_SECOND : 1, burst_ns;

    p->idle = 0;
    if (p->rate == 0 || ++p->n % burst)
        return;
    now = strait_now_ns();
    burst_ns = burst * 1000000000 / p->rate;
    p->due_ns += burst_ns;
    if (p->due_ns + burst_ns < now) /* no credit for old pauses */
        p->due_ns = now + burst_ns;
    if (p->due_ns <= now)
        return;
    fflush(stdout);
    ctl_sleep((double)(p->due_ns - now) / 1e9);
}

void ctl_pace_idle(struct ctl_pace *p)
{
    p->idle = p->idle < IDLE_LEAST ? IDLE_LEAST : p->idle < IDLE_MOST ? 1.5 * p->idle : IDLE_MOST;
    fflush(stdout);
    ctl_sleep(p->idle);
}
