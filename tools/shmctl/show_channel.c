/* SPDX-License-Identifier: MIT */
#include "show_channel.h"

#include <inttypes.h>
#include <stdio.h>

#include "channel.h"
#include "reply.h"
#include "strait/atomic.h"
#include "strait/bell.h"

#define BAR 20 /* characters of the depth bar */

/** A ring's numbers and its slots by state. */
struct ring {
    struct strait_ring checked;
    uint32_t counts[8], producer, consumer, returned;
    const struct strait_bell *writable;
};

static bool ring_of(const struct strait_channel_view *view, uint32_t i, struct ring *ring)
{
    struct strait_ring *shared;
    struct strait_ring_end end;
    unsigned char *slots;

    if (strait_channel_ring(view, i, &shared, &ring->checked, &slots) < 0 || strait_channel_end(view, i, &end) < 0)
        return false;
    strait_ring_count(&end, ring->counts);
    ring->producer = strait_load32_relaxed(&shared->producer);
    ring->consumer = strait_load32_relaxed(&shared->consumer);
    ring->returned = strait_load32_relaxed(&shared->returned);
    ring->writable = &shared->writable;
    return true;
}

bool ctl_channel_good(struct ctl_segment *s, const struct strait_object *object)
{
    struct strait_channel_view view;
    struct ring ring;

    if (strait_channel_view(&s->map, object, &view) < 0)
        return false;
    for (uint32_t i = 0; i < view.rings; i++)
        if (!ring_of(&view, i, &ring) || ring.counts[6] || ring.counts[7])
            return false;
    return true;
}

static const char *full_name(uint32_t full)
{
    static const char *const names[] = {"wait", "fail", "drop-new", "drop-oldest"};
    return full < sizeof names / sizeof names[0] ? names[full] : "?";
}

static void count_replies(const struct strait_channel_view *view, uint32_t counts[6])
{
    struct strait_reply *reply;

    for (uint32_t i = 0; i < view->replies; i++)
        if (strait_reply_at(view, i, &reply) == 0) {
            uint32_t state = strait_reply_state(strait_load64_relaxed(&reply->word));
            counts[state < 6 ? state : STRAIT_REPLY_FREE]++;
        }
}

static uint64_t dead_letters(const struct strait_channel_view *view)
{
    const struct strait_dead_letters *d =
        (const struct strait_dead_letters *)(const void *)(view->map->base + view->dead_off);
    return strait_load64_relaxed(&d->count);
}

/* ---- text ---- */

static void status_text(uint32_t status, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s%s", status ? "" : ", open", status & STRAIT_CHANNEL_CLOSED ? ", closed" : "",
             status & STRAIT_CHANNEL_NO_SENDERS ? ", all senders gone" : "",
             status & STRAIT_CHANNEL_NO_RECEIVERS ? ", all receivers gone" : "");
}

static uint32_t asleep(const struct strait_bell *bell)
{
    return strait_bell_count(strait_load64_relaxed(&bell->sleepers));
}

/* "[#####....]": what is not free. */
static void bar(const struct ring *r, char text[BAR + 3])
{
    uint32_t used = r->checked.capacity - r->counts[STRAIT_SLOT_FREE];
    unsigned n = (unsigned)((uint64_t)used * BAR / r->checked.capacity);

    n += n == 0 && used;
    text[0] = '[';
    for (unsigned i = 0; i < BAR; i++)
        text[1 + i] = i < n ? '#' : '.';
    text[BAR + 1] = ']';
    text[BAR + 2] = 0;
}

static void print_rings(const struct ctl *ctl, const struct strait_channel_view *view)
{
    static const uint32_t shown[] = {STRAIT_SLOT_READY, STRAIT_SLOT_TAKEN,    STRAIT_SLOT_CLAIMED,
                                     STRAIT_SLOT_VOID,  STRAIT_SLOT_RETURNED, STRAIT_SLOT_FREE};
    struct table t;
    struct ring r;

    table_begin(&t, ">RING >NODE DEPTH >READY >TAKEN >CLAIMED >VOID >RETURNED >FREE >SENDERS-ASLEEP");
    for (uint32_t i = 0; i < view->rings; i++) {
        char text[BAR + 3];
        table_cell(&t, TABLE_PLAIN, "%u", i);
        if (!ring_of(view, i, &r)) {
            table_cell(&t, TABLE_RED, "damaged");
            for (int n = 0; n < 8; n++)
                table_cell(&t, TABLE_DIM, "-");
            continue;
        }
        bar(&r, text);
        table_cell(&t, TABLE_DIM, r.checked.node < 0 ? "-" : "%d", r.checked.node);
        table_cell(&t, r.counts[STRAIT_SLOT_FREE] ? TABLE_GREEN : TABLE_RED, "%s", text);
        for (int n = 0; n < 6; n++)
            table_cell(&t, r.counts[shown[n]] ? TABLE_PLAIN : TABLE_DIM, "%u", r.counts[shown[n]]);
        table_cell(&t, asleep(r.writable) ? TABLE_YELLOW : TABLE_DIM, "%u", asleep(r.writable));
    }
    table_end(&t, stdout, 2, ctl->colours);
}

static void print_numbers(const struct strait_channel_view *view)
{
    const struct strait_channel *c = view->shared;
    uint32_t replies[6] = {0};

    printf("  senders %s; receivers %s; holders %s; receivers asleep %u, sleeps so far %" PRIu64 "\n",
           ctl_set_text(&c->senders), ctl_set_text(&c->receivers), ctl_set_text(&c->holders), asleep(&c->readable),
           strait_load64_relaxed(&c->readable.sleeps));
    printf("  dropped %" PRIu64 " new, %" PRIu64 " oldest; redelivered %" PRIu64 "; voided %" PRIu64
           "; dead letters %" PRIu64 "\n",
           strait_load64_relaxed(&c->dropped_new), strait_load64_relaxed(&c->dropped_oldest),
           strait_load64_relaxed(&c->redelivered), strait_load64_relaxed(&c->voided), dead_letters(view));
    if (view->replies == 0)
        return;
    count_replies(view, replies);
    printf("  replies %u: open %u, busy %u, done %u, abandoned %u, failed %u, free %u\n", view->replies,
           replies[STRAIT_REPLY_OPEN], replies[STRAIT_REPLY_BUSY], replies[STRAIT_REPLY_DONE],
           replies[STRAIT_REPLY_ABANDONED], replies[STRAIT_REPLY_FAILED], replies[STRAIT_REPLY_FREE]);
}

void ctl_channel_print(const struct ctl *ctl, struct ctl_segment *s, const struct strait_object *object)
{
    const char *bold = ctl->colours ? "\033[1m" : "", *plain = ctl->colours ? "\033[0m" : "";
    struct strait_channel_view v;
    char status[64];

    printf("\n%schannel %s%s  ", bold, ctl_object_name(s, object->entry), plain);
    if (strait_channel_view(&s->map, object, &v) < 0) {
        printf("damaged: its numbers do not hold together\n");
        return;
    }
    status_text(strait_load32_relaxed(&v.shared->status), status, sizeof status);
    printf("%s to %s%s%s%s, when full %s, messages to %u bytes%s\n",
           v.flags & STRAIT_CHANNEL_MANY_PRODUCERS ? "many" : "one",
           v.flags & STRAIT_CHANNEL_MANY_CONSUMERS ? "many" : "one",
           v.flags & STRAIT_CHANNEL_LANES     ? ", lanes"
           : v.flags & STRAIT_CHANNEL_BY_KEY  ? ", shards by key"
           : v.flags & STRAIT_CHANNEL_SHARDED ? ", shards"
                                              : "",
           v.flags & STRAIT_CHANNEL_PACKED ? ", packed" : "", v.flags & STRAIT_CHANNEL_BUSY ? ", busy" : "",
           full_name(v.full), v.slot_bytes, status);
    print_rings(ctl, &v);
    print_numbers(&v);
}

/* ---- JSON ---- */

static void json_bell(struct json *j, const char *key, const struct strait_bell *bell)
{
    json_object(j, key);
    json_u64(j, "asleep", asleep(bell));
    json_u64(j, "sleeps", strait_load64_relaxed(&bell->sleeps));
    json_close(j);
}

static void json_rings(struct json *j, const struct strait_channel_view *view)
{
    static const char *const states[] = {"free", "claimed", "ready", "taken", "void", "returned", "bad6", "bad7"};
    struct ring r;

    json_array(j, "rings");
    for (uint32_t i = 0; i < view->rings; i++) {
        json_object(j, NULL);
        if (!ring_of(view, i, &r)) {
            json_bool(j, "damaged", true);
            json_close(j);
            continue;
        }
        json_u64(j, "capacity", r.checked.capacity);
        json_u64(j, "stride", r.checked.stride);
        json_i64(j, "node", r.checked.node);
        json_object(j, "slots");
        for (int s = 0; s < 8; s++)
            if (s < 6 || r.counts[s])
                json_u64(j, states[s], r.counts[s]);
        json_close(j);
        json_u64(j, "sole_sender", r.producer);
        json_u64(j, "sole_receiver", r.consumer);
        json_u64(j, "sweeps", r.returned);
        json_bell(j, "writable", r.writable);
        json_close(j);
    }
    json_close(j);
}

static void json_replies(struct json *j, const struct strait_channel_view *view)
{
    static const char *const states[] = {"free", "open", "busy", "done", "abandoned", "failed"};
    uint32_t counts[6] = {0};

    count_replies(view, counts);
    json_object(j, "replies");
    for (int s = 0; s < 6; s++)
        json_u64(j, states[s], counts[s]);
    json_close(j);
}

static void json_statistics(struct json *j, const struct strait_channel_view *view)
{
    const struct strait_channel *c = view->shared;

    json_object(j, "statistics");
    json_u64(j, "dropped_new", strait_load64_relaxed(&c->dropped_new));
    json_u64(j, "dropped_oldest", strait_load64_relaxed(&c->dropped_oldest));
    json_u64(j, "redelivered", strait_load64_relaxed(&c->redelivered));
    json_u64(j, "voided", strait_load64_relaxed(&c->voided));
    json_u64(j, "dead_letters", dead_letters(view));
    json_close(j);
}

void ctl_channel_json(struct json *j, struct ctl_segment *s, const struct strait_object *object)
{
    struct strait_channel_view v;
    uint32_t status;

    json_object(j, "channel");
    if (strait_channel_view(&s->map, object, &v) < 0) {
        json_bool(j, "damaged", true);
        json_close(j);
        return;
    }
    status = strait_load32_relaxed(&v.shared->status);
    json_bool(j, "many_senders", v.flags & STRAIT_CHANNEL_MANY_PRODUCERS);
    json_bool(j, "many_receivers", v.flags & STRAIT_CHANNEL_MANY_CONSUMERS);
    json_bool(j, "lanes", v.flags & STRAIT_CHANNEL_LANES);
    json_bool(j, "sharded", v.flags & STRAIT_CHANNEL_SHARDED);
    json_bool(j, "packed", v.flags & STRAIT_CHANNEL_PACKED);
    json_bool(j, "busy", v.flags & STRAIT_CHANNEL_BUSY);
    json_string(j, "full", full_name(v.full));
    json_u64(j, "slot_bytes", v.slot_bytes);
    json_u64(j, "max_attempts", v.max_attempts);
    json_u64(j, "peek_window", v.peek_window);
    json_bool(j, "closed", status & STRAIT_CHANNEL_CLOSED);
    json_bool(j, "senders_gone", status & STRAIT_CHANNEL_NO_SENDERS);
    json_bool(j, "receivers_gone", status & STRAIT_CHANNEL_NO_RECEIVERS);
    ctl_json_set(j, "senders", &v.shared->senders);
    ctl_json_set(j, "receivers", &v.shared->receivers);
    ctl_json_set(j, "holders", &v.shared->holders);
    json_bell(j, "readable", &v.shared->readable);
    json_rings(j, &v);
    if (v.replies)
        json_replies(j, &v);
    json_statistics(j, &v);
    json_close(j);
}
