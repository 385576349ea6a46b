/* SPDX-License-Identifier: MIT */
/* The checker checked: the classical litmus tests of C11, each with the outcomes that must be found and those that must
 * not. */
#include <stdio.h>

#include "engine.h"
#include "strait/atomic.h"

static struct {
    _Alignas(64) uint64_t x, y, z, plain;
} s;
static struct {
    uint64_t a, b, c, d;
} r;
static uint32_t outcomes; /* bit per outcome, over all runs */

static void setup(void)
{
    memset(&s, 0, sizeof s);
    memset(&r, 0, sizeof r);
    model_share(&s, sizeof s);
    model_private(&r, sizeof r);
    model_label(&s.x, 8, NULL, "x");
    model_label(&s.y, 8, NULL, "y");
    model_label(&s.z, 8, NULL, "z");
    model_label(&s.plain, 8, NULL, "plain");
    outcomes = 0;
}

/* a, b, c, d are 0 or 1 each, or (two results only) 0 to 3 */
static void collect(void)
{
    outcomes |= UINT32_C(1) << (r.a | r.b << 1 | r.c << 2 | r.d << 3);
}
static void collect_wide(void)
{
    outcomes |= UINT32_C(1) << (r.a | r.b << 2);
}
#define O(a, b)       (UINT32_C(1) << ((a) | (b) << 1))
#define W(a, b)       (UINT32_C(1) << ((a) | (b) << 2))
#define Q(a, b, c, d) (UINT32_C(1) << ((a) | (b) << 1 | (c) << 2 | (d) << 3))
#define ACTOR(name)   static void name(void *arg __attribute__((unused)))

/* ---- message passing ---- */

ACTOR(mp_send_release)
{
    strait_store64_relaxed(&s.x, 1);
    strait_store64_release(&s.y, 1);
}
ACTOR(mp_send_relaxed)
{
    strait_store64_relaxed(&s.x, 1);
    strait_store64_relaxed(&s.y, 1);
}
ACTOR(mp_send_fence)
{
    strait_store64_relaxed(&s.x, 1);
    strait_fence_release();
    strait_store64_relaxed(&s.y, 1);
}
ACTOR(mp_recv_acquire)
{
    r.a = strait_load64_acquire(&s.y);
    r.b = strait_load64_relaxed(&s.x);
}
ACTOR(mp_recv_relaxed)
{
    r.a = strait_load64_relaxed(&s.y);
    r.b = strait_load64_relaxed(&s.x);
}
ACTOR(mp_recv_fence)
{
    r.a = strait_load64_relaxed(&s.y);
    strait_fence_acquire();
    r.b = strait_load64_relaxed(&s.x);
}
ACTOR(mp_send_plain)
{
    uint64_t v = 1;
    strait_payload_write(&s.plain, &v, sizeof v);
    strait_store64_release(&s.y, 1);
}
ACTOR(mp_send_plain_relaxed)
{
    uint64_t v = 1;
    strait_payload_write(&s.plain, &v, sizeof v);
    strait_store64_relaxed(&s.y, 1);
}
ACTOR(mp_recv_plain)
{
    r.a = strait_load64_acquire(&s.y);
    if (r.a)
        strait_payload_read(&r.b, &s.plain, sizeof r.b);
}
ACTOR(mp_recv_plain_relaxed)
{
    r.a = strait_load64_relaxed(&s.y);
    if (r.a)
        strait_payload_read(&r.b, &s.plain, sizeof r.b);
}
/* the other direction: read, hand back, overwrite */
ACTOR(back_reader)
{
    strait_payload_read(&r.a, &s.plain, sizeof r.a);
    strait_store64_release(&s.y, 1);
}
ACTOR(back_reader_relaxed)
{
    strait_payload_read(&r.a, &s.plain, sizeof r.a);
    strait_store64_relaxed(&s.y, 1);
}
ACTOR(back_writer)
{
    uint64_t v = 1;
    if (strait_load64_acquire(&s.y))
        strait_payload_write(&s.plain, &v, sizeof v);
}

/* ---- release sequences ---- */

ACTOR(sequence_middle)
{
    strait_add64_relaxed(&s.y, 1);
}
ACTOR(sequence_end)
{
    r.a = strait_load64_acquire(&s.y) >> 1; /* 1 only if both have happened */
    r.b = strait_load64_relaxed(&s.x);
}

/* ---- store buffering ---- */

ACTOR(sb_x)
{
    strait_store64_relaxed(&s.x, 1);
    r.a = strait_load64_relaxed(&s.y);
}
ACTOR(sb_y)
{
    strait_store64_relaxed(&s.y, 1);
    r.b = strait_load64_relaxed(&s.x);
}
ACTOR(sb_x_release)
{
    strait_store64_release(&s.x, 1);
    r.a = strait_load64_acquire(&s.y);
}
ACTOR(sb_y_release)
{
    strait_store64_release(&s.y, 1);
    r.b = strait_load64_acquire(&s.x);
}
ACTOR(sb_x_fence)
{
    strait_store64_relaxed(&s.x, 1);
    strait_fence_seq_cst();
    r.a = strait_load64_relaxed(&s.y);
}
ACTOR(sb_y_fence)
{
    strait_store64_relaxed(&s.y, 1);
    strait_fence_seq_cst();
    r.b = strait_load64_relaxed(&s.x);
}
ACTOR(sb_x_seq_cst)
{
    strait_store64_seq_cst(&s.x, 1);
    r.a = strait_load64_seq_cst(&s.y);
}
ACTOR(sb_y_seq_cst)
{
    strait_store64_seq_cst(&s.y, 1);
    r.b = strait_load64_seq_cst(&s.x);
}
ACTOR(sb_x_membarrier)
{
    strait_store64_relaxed(&s.x, 1);
    strait_model_membarrier();
    r.a = strait_load64_relaxed(&s.y);
}

/* ---- coherence, two writers ---- */

ACTOR(co_write)
{
    strait_store64_relaxed(&s.x, 1);
    strait_store64_relaxed(&s.x, 2);
}
ACTOR(co_read)
{
    r.a = strait_load64_relaxed(&s.x);
    r.b = strait_load64_relaxed(&s.x);
}
ACTOR(ww_x)
{
    strait_store64_relaxed(&s.x, 1);
    strait_store64_relaxed(&s.y, 2);
}
ACTOR(ww_y)
{
    strait_store64_relaxed(&s.y, 1);
    strait_store64_relaxed(&s.x, 2);
}
static void collect_ww(void)
{
    r.a = model_peek(&s.x, 8);
    r.b = model_peek(&s.y, 8);
    collect_wide();
}
ACTOR(add)
{
    strait_add64_relaxed(&s.x, 1);
}
static void collect_sum(void)
{
    r.a = model_peek(&s.x, 8);
    collect_wide();
}

/* ---- independent reads of independent writes; causality ---- */

ACTOR(iriw_x)
{
    strait_store64_seq_cst(&s.x, 1);
}
ACTOR(iriw_y)
{
    strait_store64_seq_cst(&s.y, 1);
}
ACTOR(iriw_xy)
{
    r.a = strait_load64_seq_cst(&s.x);
    r.b = strait_load64_seq_cst(&s.y);
}
ACTOR(iriw_yx)
{
    r.c = strait_load64_seq_cst(&s.y);
    r.d = strait_load64_seq_cst(&s.x);
}
ACTOR(iriw_x_release)
{
    strait_store64_release(&s.x, 1);
}
ACTOR(iriw_y_release)
{
    strait_store64_release(&s.y, 1);
}
ACTOR(iriw_xy_acquire)
{
    r.a = strait_load64_acquire(&s.x);
    r.b = strait_load64_acquire(&s.y);
}
ACTOR(iriw_yx_acquire)
{
    r.c = strait_load64_acquire(&s.y);
    r.d = strait_load64_acquire(&s.x);
}
ACTOR(iriw_xy_fence)
{
    r.a = strait_load64_relaxed(&s.x);
    strait_fence_seq_cst();
    r.b = strait_load64_relaxed(&s.y);
}
ACTOR(iriw_yx_fence)
{
    r.c = strait_load64_relaxed(&s.y);
    strait_fence_seq_cst();
    r.d = strait_load64_relaxed(&s.x);
}
ACTOR(wrc_middle)
{
    if (strait_load64_acquire(&s.x))
        strait_store64_release(&s.y, 1);
}
ACTOR(wrc_end)
{
    r.a = strait_load64_acquire(&s.y);
    r.b = strait_load64_relaxed(&s.x);
}

/* ---- compare-and-swap ---- */

ACTOR(cas_a)
{
    uint64_t seen = 0;
    r.a = strait_cas64(&s.x, &seen, 1);
}
ACTOR(cas_b)
{
    uint64_t seen = 0;
    r.b = strait_cas64(&s.x, &seen, 2);
}

/* ---- load buffering: C11 allows a = b = 1 for relaxed, this checker does not show it ---- */

ACTOR(lb_x)
{
    r.a = strait_load64_relaxed(&s.x);
    strait_store64_relaxed(&s.y, 1);
}
ACTOR(lb_y)
{
    r.b = strait_load64_relaxed(&s.y);
    strait_store64_relaxed(&s.x, 1);
}

struct litmus {
    const char *name;
    enum model_memory memory;
    void (*actor[4])(void *);
    void (*end)(void);
    uint32_t must, never; /* outcomes */
    bool violation;       /* a data race must be found */
};

static const struct litmus tests[] = {
    {"mp release/acquire",
     MODEL_WEAK,
     {mp_send_release, mp_recv_acquire},
     collect,
     O(0, 0) | O(0, 1) | O(1, 1),
     O(1, 0),
     false},
    {"mp relaxed/acquire", MODEL_WEAK, {mp_send_relaxed, mp_recv_acquire}, collect, O(1, 0), 0, false},
    {"mp release/relaxed", MODEL_WEAK, {mp_send_release, mp_recv_relaxed}, collect, O(1, 0), 0, false},
    {"mp relaxed, one order", MODEL_SC, {mp_send_relaxed, mp_recv_relaxed}, collect, O(0, 1) | O(1, 1), O(1, 0), false},
    {"mp fences", MODEL_WEAK, {mp_send_fence, mp_recv_fence}, collect, O(1, 1), O(1, 0), false},
    {"mp fence/acquire", MODEL_WEAK, {mp_send_fence, mp_recv_acquire}, collect, O(1, 1), O(1, 0), false},
    {"mp fence/relaxed", MODEL_WEAK, {mp_send_fence, mp_recv_relaxed}, collect, O(1, 0), 0, false},
    {"mp plain", MODEL_WEAK, {mp_send_plain, mp_recv_plain}, collect, O(1, 1), O(1, 0), false},
    {"mp plain, relaxed store", MODEL_WEAK, {mp_send_plain_relaxed, mp_recv_plain}, collect, 0, 0, true},
    {"mp plain, relaxed load", MODEL_WEAK, {mp_send_plain, mp_recv_plain_relaxed}, collect, 0, 0, true},
    {"read before overwrite", MODEL_WEAK, {back_reader, back_writer}, collect, O(0, 0), O(1, 0), false},
    {"read before overwrite, relaxed", MODEL_WEAK, {back_reader_relaxed, back_writer}, collect, 0, 0, true},
    {"release sequence",
     MODEL_WEAK,
     {mp_send_release, sequence_middle, sequence_end},
     collect,
     O(1, 1),
     O(1, 0),
     false},
    {"sb relaxed", MODEL_WEAK, {sb_x, sb_y}, collect, O(0, 0) | O(1, 0) | O(0, 1) | O(1, 1), 0, false},
    {"sb release/acquire", MODEL_WEAK, {sb_x_release, sb_y_release}, collect, O(0, 0), 0, false},
    {"sb relaxed, one order", MODEL_SC, {sb_x, sb_y}, collect, O(1, 0) | O(0, 1) | O(1, 1), O(0, 0), false},
    {"sb seq_cst fences", MODEL_WEAK, {sb_x_fence, sb_y_fence}, collect, O(1, 0) | O(0, 1) | O(1, 1), O(0, 0), false},
    {"sb one fence", MODEL_WEAK, {sb_x_fence, sb_y}, collect, O(0, 0), 0, false},
    {"sb seq_cst accesses", MODEL_WEAK, {sb_x_seq_cst, sb_y_seq_cst}, collect, O(1, 1), O(0, 0), false},
    {"sb fence and accesses", MODEL_WEAK, {sb_x_fence, sb_y_seq_cst}, collect, O(1, 1), O(0, 0), false},
    {"sb membarrier", MODEL_WEAK, {sb_x_membarrier, sb_y}, collect, O(1, 0) | O(0, 1) | O(1, 1), O(0, 0), false},
    {"coherence",
     MODEL_WEAK,
     {co_write, co_read},
     collect_wide,
     W(0, 1) | W(1, 2) | W(0, 2),
     W(1, 0) | W(2, 0) | W(2, 1),
     false},
    {"2+2w", MODEL_WEAK, {ww_x, ww_y}, collect_ww, W(1, 1) | W(2, 2) | W(1, 2) | W(2, 1), 0, false},
    {"2+2w, one order", MODEL_SC, {ww_x, ww_y}, collect_ww, W(2, 2) | W(1, 2) | W(2, 1), W(1, 1), false},
    {"adds are not lost", MODEL_WEAK, {add, add}, collect_sum, W(2, 0), W(0, 0) | W(1, 0), false},
    {"one cas wins", MODEL_WEAK, {cas_a, cas_b}, collect, O(1, 0) | O(0, 1), O(0, 0) | O(1, 1), false},
    {"iriw seq_cst",
     MODEL_WEAK,
     {iriw_x, iriw_y, iriw_xy, iriw_yx},
     collect,
     Q(1, 0, 0, 0) | Q(1, 1, 1, 0),
     Q(1, 0, 1, 0),
     false},
    {"iriw release/acquire",
     MODEL_WEAK,
     {iriw_x_release, iriw_y_release, iriw_xy_acquire, iriw_yx_acquire},
     collect,
     Q(1, 0, 1, 0),
     0,
     false},
    {"iriw fences",
     MODEL_WEAK,
     {iriw_x_release, iriw_y_release, iriw_xy_fence, iriw_yx_fence},
     collect,
     Q(1, 1, 1, 0),
     Q(1, 0, 1, 0),
     false},
    {"wrc", MODEL_WEAK, {iriw_x_release, wrc_middle, wrc_end}, collect, O(1, 1), O(1, 0), false},
    {"lb (a stated limit)", MODEL_WEAK, {lb_x, lb_y}, collect, O(0, 0) | O(0, 1) | O(1, 0), O(1, 1), false},
};

static bool check(const struct litmus *t, bool merge)
{
    struct model m = {.name = t->name, .memory = t->memory, .bounds = {8, 0, 8, 0}, .setup = setup, .end = t->end};
    struct model_result result;
    bool good;

    for (unsigned i = 0; i < 4 && t->actor[i]; i++)
        m.actors[i] = (struct model_actor){.name = (const char *[]){"A", "B", "C", "D"}[i], .run = t->actor[i]};
    model_merge(merge);
    model_explore(&m, &m.bounds, 20, &result);
    good = result.violated == t->violation &&
           (result.violated || (result.exhaustive && (outcomes & t->must) == t->must && !(outcomes & t->never)));
    printf("%s %-32s %8llu schedules, outcomes %04x%s%s\n", good ? "ok    " : "FAILED", t->name,
           (unsigned long long)result.schedules, outcomes, result.violated ? ", " : "",
           result.violated ? result.violation : "");
    return good;
}

int main(void)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        failed += !check(&tests[i], false);
        failed += !check(&tests[i], true);
    }
    return failed != 0;
}
