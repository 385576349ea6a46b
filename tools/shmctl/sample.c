/* SPDX-License-Identifier: MIT */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "lease.h"
#include "strait/atomic.h"
#include "strait/bell.h"
#include "strait/ring_pack.h"

/* A slot keeps the head of its last message, or pack. */
static void add_pack(const struct strait_ring_end *end, const struct strait_slot *slot, struct ctl_sample *s)
{
    uint64_t head = strait_load64_relaxed(&slot->head);

    s->packs += head != 0;
    s->packed +=
        strait_head_is_pack(head) && strait_pack_good(head, end->slot_bytes) ? strait_pack_count(head) : head != 0;
}

/* A slot's turn says how often it was freed; what is in it now was sent, and not received. Turns wrap at 2^40: so do the
 * sums, and only differences are used. */
static void add_ring(const struct strait_channel_view *view, uint32_t i, struct ctl_sample *s)
{
    struct strait_ring_end end;

    if (strait_channel_end(view, i, &end) < 0)
        return;
    for (uint32_t slot = 0; slot <= end.mask; slot++) {
        const struct strait_slot *at = strait_ring_slot(&end, slot);
        uint64_t word = strait_load64_relaxed(&at->word);
        bool used = strait_slot_state(word) != STRAIT_SLOT_FREE;
        s->received += word >> STRAIT_TURN_SHIFT;
        s->sent += (word >> STRAIT_TURN_SHIFT) + used;
        s->used += used;
        if (end.flags & STRAIT_RING_PACKED)
            add_pack(&end, at, s);
    }
    s->capacity += (uint64_t)end.mask + 1;
    s->senders_asleep += strait_bell_count(strait_load64_relaxed(&end.ring->writable.sleepers));
}

static void fill(struct ctl_segment *seg, const struct strait_channel_view *v, struct ctl_sample *s)
{
    const struct strait_channel *c = v->shared;
    const struct strait_dead_letters *d =
        (const struct strait_dead_letters *)(const void *)(seg->map.base + v->dead_off);
    const struct strait_entry *e = strait_segment_entry(&seg->map, v->object.entry);

    *s = (struct ctl_sample){.unlinked = strait_load32_relaxed(&e->state) == STRAIT_ENTRY_UNLINKED,
                             .ns = ctl_mono_ns(seg),
                             .id = strait_load64_relaxed(&strait_segment_header(&seg->map)->id) ^
                                   (uint64_t)v->object.entry << 32 ^ strait_load32_relaxed(&e->serial),
                             .senders = strait_set_count(&c->senders),
                             .receivers = strait_set_count(&c->receivers),
                             .receivers_asleep = strait_bell_count(strait_load64_relaxed(&c->readable.sleepers)),
                             .dropped =
                                 strait_load64_relaxed(&c->dropped_new) + strait_load64_relaxed(&c->dropped_oldest),
                             .redelivered = strait_load64_relaxed(&c->redelivered),
                             .dead_letters = strait_load64_relaxed(&d->count),
                             .status = strait_load32_relaxed(&c->status)};
    snprintf(s->segment, sizeof s->segment, "%s", ctl_segment_name(seg));
    snprintf(s->channel, sizeof s->channel, "%s", ctl_object_name(seg, v->object.entry));
    for (uint32_t i = 0; i < v->rings; i++)
        add_ring(v, i, s);
}

static struct ctl_sample *next(struct ctl_samples *all)
{
    if (all->n == all->room) {
        unsigned room = all->room ? 2 * all->room : 64;
        struct ctl_sample *more = realloc(all->sample, room * sizeof *more);
        if (more == NULL)
            return NULL;
        all->sample = more;
        all->room = room;
    }
    return &all->sample[all->n++];
}

int ctl_sample(const struct ctl *ctl, struct ctl_segment *seg, void *arg)
{
    struct ctl_samples *all = arg;
    struct strait_channel_view view;
    struct strait_object o;
    struct ctl_sample *s;

    (void)ctl;
    for (uint32_t i = 0; i < seg->map.directory_max; i++) {
        if (strait_directory_at(&seg->map, i, &o) < 0 || o.kind != STRAIT_KIND_CHANNEL ||
            strait_channel_view(&seg->map, &o, &view) < 0)
            continue;
        if (all->channel && strncmp(strait_segment_entry(&seg->map, i)->name, all->channel, STRAIT_NAME_BYTES) != 0)
            continue;
        s = next(all);
        if (s == NULL)
            return CTL_FINDING;
        fill(seg, &view, s);
    }
    return CTL_GOOD;
}

const struct ctl_sample *ctl_sample_find(const struct ctl_samples *all, const struct ctl_sample *like)
{
    for (unsigned i = 0; i < all->n; i++)
        if (all->sample[i].id == like->id && strcmp(all->sample[i].segment, like->segment) == 0)
            return &all->sample[i];
    return NULL;
}

double ctl_sample_rate(const struct ctl_sample *before, const struct ctl_sample *now, bool received)
{
    uint64_t n = received ? now->received - before->received : now->sent - before->sent;

    /* the slots of a moving ring are not read at one moment: a little may come out backwards */
    if (now->ns <= before->ns || (int64_t)n < 0)
        return 0;
    return (double)n * (now->packs ? (double)now->packed / (double)now->packs : 1) * 1e9 /
           (double)(now->ns - before->ns);
}

void ctl_samples_free(struct ctl_samples *all)
{
    free(all->sample);
    *all = (struct ctl_samples){.channel = all->channel};
}

const char *ctl_rate_text(double rate)
{
    static char texts[4][16];
    static unsigned next;
    char *text = texts[next++ % 4];

    if (rate >= 1e6)
        snprintf(text, sizeof texts[0], "%.1f M", rate / 1e6);
    else if (rate >= 1e4)
        snprintf(text, sizeof texts[0], "%.1f k", rate / 1e3);
    else
        snprintf(text, sizeof texts[0], "%.0f", rate);
    return text;
}
