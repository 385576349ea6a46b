/* SPDX-License-Identifier: MIT */
/* The scans of both ends. PROTOCOLS.md, "Producer cursor", "Consumer cursor": each line there is a branch here, and was
 * paid for with a counterexample. */
#include "ring.h"

#include "probe.h"
#include "strait/ring_pack.h"

/* A hint is worth a proof only after this many fruitless steps, and is refreshed every so many messages. */
#define HINT_STEPS     16
#define PATIENCE_SLOTS 4096 /* a try of a ring deeper than this takes no longer */

static int64_t turns_ahead(uint64_t word, uint64_t cursor)
{
    return (int64_t)((word & STRAIT_TURN_MASK) - (cursor & STRAIT_TURN_MASK));
}

/* The cursor just behind slot `at` in turn `turn`. */
static uint64_t behind(const struct strait_ring_end *end, uint64_t turn, uint64_t at)
{
    return strait_ring_next(end, (turn & STRAIT_TURN_MASK) | ((uint32_t)at & end->mask));
}

/* A lying peer could move words under our feet for ever; the honest ones cannot outrun this. Who lags further behind has its
 * cursor moved, and goes on from there with the next try. */
static uint32_t patience(const struct strait_ring_end *end)
{
    return end->mask < PATIENCE_SLOTS ? 4 * (end->mask + 1) + 64 : 4 * PATIENCE_SLOTS;
}

/* Forwards only: who lags would otherwise overwrite, step by step, the very hint that could help it. */
static void hint(uint64_t *shared, uint64_t cursor)
{
    if (((uint32_t)cursor & (HINT_STEPS - 1)) == 0 && (int64_t)(cursor - strait_load64_relaxed(shared)) > 0)
        strait_store64_relaxed(shared, cursor);
}

/* Adopt a shared hint only if the slot before it proves it: that slot's turn is newer, or the same and passed. Where nobody
 * passes a taken slot, only the newer turn says so. */
static bool proven(const struct strait_ring_end *end, uint64_t hinted, bool producer)
{
    uint64_t slot = (uint32_t)hinted & (STRAIT_TURN_ONE - 1), before, word;

    if (slot > end->mask || (int64_t)(hinted - end->cursor) <= 0)
        return false;
    before = slot ? hinted - 1 : ((hinted & STRAIT_TURN_MASK) - STRAIT_TURN_ONE) | end->mask;
    word = strait_load64_acquire(&strait_ring_slot(end, before)->word); /* acquire [R10] <- [R1] strait_ring_commit */
    if (turns_ahead(word, before) != 0)
        return turns_ahead(word, before) > 0;
    if (producer)
        return strait_slot_state(word) != STRAIT_SLOT_FREE;
    if (end->flags & STRAIT_RING_IN_ORDER)
        return false;
    return strait_slot_state(word) == STRAIT_SLOT_TAKEN || strait_slot_state(word) == STRAIT_SLOT_RETURNED;
}

static void adopt(struct strait_ring_end *end, const uint64_t *shared, bool producer)
{
    uint64_t hinted = strait_load64_relaxed(shared);
    if (proven(end, hinted, producer))
        end->cursor = hinted;
}

/* ---- producers ---- */

void strait_ring_commit_again(struct strait_ring_end *end, const struct strait_place *place, uint32_t max_attempts)
{
    uint64_t ready = strait_slot_word(place->word, STRAIT_SLOT_READY, 0);

    /* release [R30] -> [R3] strait_ring_find: payload precedes word */
    strait_store64_release(&place->slot->word, ready | (max_attempts > 1 ? STRAIT_ATTEMPTS_ONE : 0));
    if (!(end->flags & STRAIT_RING_MANY_PRODUCERS))
        end->cursor = strait_ring_next(end, end->cursor);
}

/* Try to make `word`, found at the cursor, ours for the cursor's turn. */
static bool claim(struct strait_ring_end *end, struct strait_slot *slot, uint64_t word, struct strait_place *place)
{
    uint64_t turn = end->cursor & STRAIT_TURN_MASK;
    bool many = end->flags & STRAIT_RING_MANY_PRODUCERS;

    if (!many && word == turn) {
        place->slot = slot;
        place->word = turn;
        return true;
    }
    /* A sole producer turns VOID(t-1) into FREE(t), which it alone may fill: the consumer may be doing the same. */
    /* seq_cst [R11] -> [R6] strait_ring_take: claim and owner in one step */
    if (!strait_cas64(&slot->word, &word, many ? strait_slot_word(turn, STRAIT_SLOT_CLAIMED, end->owner) : turn))
        return false;
    if (many) {
        end->cursor = strait_ring_next(end, end->cursor);
        hint(&end->ring->tail_hint, end->cursor);
    }
    place->slot = slot;
    place->word = turn;
    return true;
}

/* One step of the producers' cursor: 1 claimed, 0 moved or lost a race, -EAGAIN full, -EPROTO. */
static int claim_step(struct strait_ring_end *end, struct strait_place *place)
{
    struct strait_slot *slot = strait_ring_slot(end, end->cursor);
    uint64_t word = strait_load64_acquire(&slot->word); /* acquire [R12] <- [R4] strait_ring_release */
    int64_t ahead = turns_ahead(word, end->cursor);
    enum strait_slot_state state = strait_slot_state(word);

    if (ahead == 0) {
        if (state == STRAIT_SLOT_FREE)
            return claim(end, slot, word, place);
        end->cursor = strait_ring_next(end, end->cursor);
        return 0;
    }
    if (ahead > 0) { /* FREE(w): position of turn w-1 was the last one used here; else that of turn w */
        end->cursor = behind(end, state == STRAIT_SLOT_FREE ? word - STRAIT_TURN_ONE : word, end->cursor);
        return 0;
    }
    if (ahead < -(int64_t)STRAIT_TURN_ONE || state == STRAIT_SLOT_FREE)
        return -EPROTO;
    return state == STRAIT_SLOT_VOID ? claim(end, slot, word, place) : -EAGAIN;
}

int strait_ring_claim_slow(struct strait_ring_end *end, struct strait_place *place)
{
    for (uint32_t step = 0; step < patience(end); step++) {
        int r = claim_step(end, place);
        if (r == -EAGAIN)
            STRAIT_PROBE1(claim_full, end->ring);
        if (r != 0)
            return r > 0 ? 0 : r;
        if (step == HINT_STEPS)
            adopt(end, &end->ring->tail_hint, true);
    }
    return -EAGAIN;
}

/* One scan, like claim_slow: scans inside a scan would let words that a peer wrote hold us up for minutes. */
int strait_ring_claim_oldest(struct strait_ring_end *end, struct strait_place *place)
{
    for (uint32_t step = 0; step < patience(end); step++) {
        int r = claim_step(end, place);
        if (r > 0)
            return 0;
        if (step == HINT_STEPS)
            adopt(end, &end->ring->tail_hint, true);
        if (r == 0)
            continue;
        if (r != -EAGAIN)
            return r;
        struct strait_slot *slot = strait_ring_slot(end, end->cursor);
        uint64_t word = strait_load64_acquire(&slot->word); /* acquire [R13] <- [R4] strait_ring_release */
        enum strait_slot_state state = strait_slot_state(word);
        if (turns_ahead(word, end->cursor) != -(int64_t)STRAIT_TURN_ONE)
            continue; /* it moved: claim again */
        if (state != STRAIT_SLOT_READY && state != STRAIT_SLOT_RETURNED)
            return -EAGAIN;
        if (claim(end, slot, word, place))
            return 1;
    }
    return -EAGAIN;
}

/* ---- consumers ---- */

/* A RETURNED slot comes before newer messages. 0 found; -EAGAIN none, and the generation read before the scan is
 * remembered: a sweep that ends during the scan differs from it again. */
static int find_returned(struct strait_ring_end *end, struct strait_place *place)
{
    /* acquire [R14] <- [R9] strait_ring_sweep_end */
    uint32_t generation = strait_load32_acquire(&end->ring->returned);

    if (generation == end->seen_returned)
        return -EAGAIN;
    /* in order: nobody has passed what was returned, so the cursor finds it */
    for (uint32_t i = 0; i <= end->mask && !(end->flags & STRAIT_RING_IN_ORDER); i++) {
        struct strait_slot *slot = strait_ring_slot(end, i);
        uint64_t word = strait_load64_acquire(&slot->word); /* acquire [R15] <- [R16] repair, [J5] strait_pack_return */
        if (strait_slot_state(word) == STRAIT_SLOT_RETURNED) {
            place->slot = slot;
            place->word = word;
            return 0;
        }
    }
    end->seen_returned = generation;
    return -EAGAIN;
}

/* One step of the consumers' cursor: 1 found, 0 moved, -EAGAIN nothing there, or not yet. */
static int find_step(struct strait_ring_end *end, struct strait_place *place)
{
    struct strait_slot *slot = strait_ring_slot(end, end->cursor);
    uint64_t word = strait_load64_acquire(&slot->word); /* acquire [R17] <- [R1] strait_ring_commit */
    int64_t ahead = turns_ahead(word, end->cursor);

    if (ahead < 0)
        return -EAGAIN;
    if (ahead > 0) {
        end->cursor = behind(end, word - STRAIT_TURN_ONE, end->cursor);
        return 0;
    }
    switch (strait_slot_state(word)) {
    case STRAIT_SLOT_READY:
    case STRAIT_SLOT_RETURNED:
        place->slot = slot;
        place->word = word;
        return 1;
    case STRAIT_SLOT_VOID:
        /* whether we or the producer that needs it recycle it, it is behind us. seq_cst [R18] -> [R2] claim */
        strait_cas64(&slot->word, &word, (word & STRAIT_TURN_MASK) + STRAIT_TURN_ONE);
        break;
    case STRAIT_SLOT_TAKEN:
        if (end->flags & STRAIT_RING_IN_ORDER)
            return -EAGAIN; /* it may be returned yet, and comes before all others then */
        break;
    default:
        return -EAGAIN; /* CLAIMED, FREE: never pass */
    }
    end->cursor = strait_ring_next(end, end->cursor);
    hint(&end->ring->head_hint, end->cursor);
    return 0;
}

int strait_ring_find_slow(struct strait_ring_end *end, struct strait_place *place)
{
    if ((end->flags & STRAIT_RING_MANY_CONSUMERS) && find_returned(end, place) == 0)
        return 0;
    for (uint32_t step = 0; step < patience(end); step++) {
        int r = find_step(end, place);
        if (r != 0)
            return r > 0 ? 0 : r;
        if (step == HINT_STEPS && (end->flags & STRAIT_RING_MANY_CONSUMERS))
            adopt(end, &end->ring->head_hint, false);
    }
    return -EAGAIN;
}

/* ---- whole rings ---- */

uint32_t strait_ring_stride(uint32_t slot_bytes)
{
    uint32_t bytes = slot_bytes + STRAIT_SLOT_HEAD;
    uint32_t unit = bytes > 32 ? STRAIT_LINE : 16;
    return (bytes + unit - 1) / unit * unit;
}

void strait_ring_init(struct strait_ring *ring, unsigned char *slots, uint64_t slots_off, uint32_t capacity,
                      uint32_t stride, uint32_t flags, uint64_t turn)
{
    ring->slots_off = slots_off;
    ring->capacity = capacity;
    ring->stride = stride;
    ring->flags = flags;
    ring->node = -1;
    ring->tail_hint = ring->head_hint = turn << STRAIT_TURN_SHIFT;
    ring->writable.mode = STRAIT_BELL_ASYM; /* a stream should not pay a fence; who sleeps often turns to FENCE */
    if (turn == 0)
        return;
    for (uint32_t i = 0; i < capacity; i++)
        strait_store64_relaxed(&((struct strait_slot *)(void *)(slots + (size_t)i * stride))->word,
                               turn << STRAIT_TURN_SHIFT);
}

int strait_ring_check(const struct strait_ring *ring, uint64_t low, uint64_t high, struct strait_ring *copy)
{
    copy->slots_off = strait_load64_relaxed(&ring->slots_off);
    copy->capacity = strait_load32_relaxed(&ring->capacity);
    copy->stride = strait_load32_relaxed(&ring->stride);
    copy->flags = strait_load32_relaxed(&ring->flags);
    copy->node = (int32_t)strait_load32_relaxed((const uint32_t *)&ring->node);
    if (copy->capacity < 2 || copy->capacity > STRAIT_RING_SLOTS || (copy->capacity & (copy->capacity - 1)))
        return -EPROTO;
    if (copy->stride <= STRAIT_SLOT_HEAD || copy->stride % 16 || copy->slots_off % 16)
        return -EPROTO;
    if (copy->slots_off < low || copy->slots_off > high)
        return -EPROTO;
    if ((uint64_t)copy->capacity * copy->stride > high - copy->slots_off)
        return -EPROTO;
    return 0;
}

static void join(struct strait_ring_end *end, struct strait_ring *ring, const struct strait_ring *checked,
                 unsigned char *slots, uint32_t owner)
{
    end->slots = slots;
    end->mask = checked->capacity - 1;
    end->stride = checked->stride;
    end->slot_bytes = checked->stride - STRAIT_SLOT_HEAD;
    end->flags = checked->flags;
    end->owner = owner;
    end->ring = ring;
    /* whatever was returned before we came is found by our first look */
    end->seen_returned = strait_load32_relaxed(&ring->returned) - 1;
}

/* Positions are compared relative to one observed slot, because turns wrap. */
void strait_ring_join_producer(struct strait_ring_end *end, struct strait_ring *ring, const struct strait_ring *checked,
                               unsigned char *slots, uint32_t owner)
{
    join(end, ring, checked, slots, owner);
    for (uint32_t i = 0; i <= end->mask; i++) {
        /* acquire [R19] <- [R1] strait_ring_commit */
        uint64_t word = strait_load64_acquire(&strait_ring_slot(end, i)->word);
        uint64_t last = strait_slot_state(word) == STRAIT_SLOT_FREE ? word - STRAIT_TURN_ONE : word;
        uint64_t tail = behind(end, last, i);
        if (i == 0 || (int64_t)(tail - end->cursor) > 0)
            end->cursor = tail;
    }
}

void strait_ring_join_consumer(struct strait_ring_end *end, struct strait_ring *ring, const struct strait_ring *checked,
                               unsigned char *slots, uint32_t owner)
{
    join(end, ring, checked, slots, owner);
    for (uint32_t i = 0; i <= end->mask; i++) {
        /* acquire [R20] <- [R1] strait_ring_commit */
        uint64_t word = strait_load64_acquire(&strait_ring_slot(end, i)->word);
        uint64_t head = (word & STRAIT_TURN_MASK) | i;
        if (i == 0 || (int64_t)(head - end->cursor) < 0)
            end->cursor = head;
    }
}

void strait_ring_suspect(struct strait_ring_end *end, uint32_t window)
{
    uint64_t cursor = end->cursor;

    for (uint32_t i = 0; i < window && i <= end->mask; i++, cursor = strait_ring_next(end, cursor)) {
        struct strait_slot *slot = strait_ring_slot(end, cursor);
        uint64_t word = strait_load64_acquire(&slot->word); /* acquire [R21] <- [R1] strait_ring_commit */
        if ((word & (STRAIT_TURN_MASK | STRAIT_STATE_MASK)) != strait_slot_word(cursor, STRAIT_SLOT_READY, 0))
            continue;
        if (strait_slot_attempts(word) < STRAIT_ATTEMPTS_MOST) /* seq_cst [R25] alone: a mark only, orders nothing */
            strait_cas64(&slot->word, &word, word + STRAIT_ATTEMPTS_ONE);
    }
}

void strait_ring_count(const struct strait_ring_end *end, uint32_t counts[8])
{
    memset(counts, 0, 8 * sizeof counts[0]);
    for (uint32_t i = 0; i <= end->mask; i++)
        counts[strait_slot_state(strait_load64_relaxed(&strait_ring_slot(end, i)->word))]++;
}

uint64_t strait_ring_messages(const struct strait_ring_end *end, uint32_t states)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i <= end->mask; i++) {
        const struct strait_slot *slot = strait_ring_slot(end, i);
        uint64_t head = strait_load64_relaxed(&slot->head);
        bool pack = end->flags & STRAIT_RING_PACKED && strait_pack_good(head, end->slot_bytes);
        if (states >> strait_slot_state(strait_load64_relaxed(&slot->word)) & 1)
            n += pack ? strait_pack_count(head) - strait_pack_next(head) : 1;
    }
    return n;
}

bool strait_ring_drained(const struct strait_ring_end *end)
{
    /* seq_cst [R22] <- [R5] strait_ring_claim: a sender claims, then looks at the status; we have looked at the status
     * and now see its claim, or it sees the close */
    if (strait_load64_seq_cst(&strait_ring_slot(end, end->cursor)->word) != (end->cursor & STRAIT_TURN_MASK))
        return false;
    for (uint32_t i = 0; i <= end->mask && (end->flags & STRAIT_RING_MANY_CONSUMERS); i++) {
        uint64_t word = strait_load64_acquire(&strait_ring_slot(end, i)->word); /* acquire [R23] <- [R16] repair */
        if (strait_slot_state(word) == STRAIT_SLOT_RETURNED)
            return false;
        /* ours is one that we have peeked; in a packed ring we hold none when we come here */
        if (strait_slot_state(word) == STRAIT_SLOT_TAKEN &&
            ((word & STRAIT_OWNER_MASK) != end->owner || end->flags & STRAIT_RING_PACKED))
            return false;
    }
    return true;
}

/* ---- sweep ---- */

static bool repair(struct strait_slot *slot, uint64_t word, uint64_t to)
{
    /* seq_cst [R16] -> [R15] find_returned: from the exact dead state, once */
    return strait_cas64(&slot->word, &word, to);
}

/* The message that a dead lease held has used up its attempts. What comes behind it in a pack has not: it is returned.
 * Attempts that no message can have say that the letter is written, the head's flag that next is past it; so a sweeper that
 * dies at any step is followed by one that goes on there. */
static void bury_message(const struct strait_ring_end *end, uint32_t i, uint64_t word, struct strait_ring_bury *bury,
                         struct strait_ring_swept *swept)
{
    struct strait_slot *slot = strait_ring_slot(end, i);
    uint64_t head = strait_load64_relaxed(&slot->head), buried = word | STRAIT_ATTEMPTS_MASK;
    bool last = !(end->flags & STRAIT_RING_PACKED) || !strait_pack_good(head, end->slot_bytes) ||
                strait_pack_next(head) + 1 == strait_pack_count(head);
    const uint64_t flag = (uint64_t)STRAIT_MSG_BURIED << 48;

    if (word != buried || !(end->flags & STRAIT_RING_PACKED)) {
        bury->bury(bury, end, i, word);
        if (last) {
            swept->voided += repair(slot, word, strait_slot_word(word, STRAIT_SLOT_VOID, 0));
            return;
        }
        strait_store64_relaxed(&slot->head, head &= ~flag);
        if (!repair(slot, word, buried))
            return;
    }
    if (!(head & flag))
        strait_store64_relaxed(&slot->head, (head + STRAIT_PACK_ONE) | flag);
    swept->returned += repair(slot, buried, strait_slot_word(word, STRAIT_SLOT_RETURNED, 0));
}

void strait_ring_sweep(const struct strait_ring_end *end, uint32_t dead, uint32_t max_attempts,
                       struct strait_ring_bury *bury, struct strait_ring_swept *swept)
{
    for (uint32_t i = 0; i <= end->mask; i++) {
        struct strait_slot *slot = strait_ring_slot(end, i);
        /* acquire [R24] <- [R1] strait_ring_commit, [J3] strait_pack_advance: what its owner came to */
        uint64_t word = strait_load64_acquire(&slot->word);
        uint32_t attempts = strait_slot_attempts(word) + 1;

        if ((word & STRAIT_OWNER_MASK) != dead)
            continue;
        if (strait_slot_state(word) == STRAIT_SLOT_CLAIMED) {
            swept->voided += repair(slot, word, strait_slot_word(word, STRAIT_SLOT_VOID, 0));
        } else if (strait_slot_state(word) == STRAIT_SLOT_TAKEN) {
            if (attempts >= max_attempts || attempts > STRAIT_ATTEMPTS_MOST) {
                bury_message(end, i, word, bury, swept);
            } else {
                uint64_t to =
                    strait_slot_word(word, STRAIT_SLOT_RETURNED, 0) | ((uint64_t)attempts << STRAIT_ATTEMPTS_SHIFT);
                swept->returned += repair(slot, word, to);
                STRAIT_PROBE2(redelivery, slot, attempts);
            }
        }
    }
}

void strait_pack_return(const struct strait_ring_end *end, const struct strait_place *place)
{
    /* release [J5] -> [R15] find_returned: how far we have come precedes the word */
    strait_store64_release(&place->slot->word, (place->word & (STRAIT_TURN_MASK | STRAIT_ATTEMPTS_MASK)) |
                                                   strait_slot_word(0, STRAIT_SLOT_RETURNED, 0));
    strait_ring_sweep_end(end);
}

void strait_ring_sweep_end(const struct strait_ring_end *end)
{
    /* seq_cst [R9] -> [R8] strait_ring_find, [R14] find_returned */
    strait_add32_seq_cst(&end->ring->returned, 1);
}
