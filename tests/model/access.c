/* SPDX-License-Identifier: MIT */
/* The seam of strait/atomic.h: a choice point, then the access, in one memory or the other. */
#include "internal.h"

#include "strait/atomic.h"

static uint64_t read_now(const volatile void *p, unsigned bytes)
{
    switch (bytes) {
    case 1:
        return *(const volatile uint8_t *)p;
    case 2:
        return *(const volatile uint16_t *)p;
    case 4:
        return *(const volatile uint32_t *)p;
    default:
        return *(const volatile uint64_t *)p;
    }
}

static void write_now(volatile void *p, unsigned bytes, uint64_t v)
{
    switch (bytes) {
    case 1:
        *(volatile uint8_t *)p = (uint8_t)v;
        break;
    case 2:
        *(volatile uint16_t *)p = (uint16_t)v;
        break;
    case 4:
        *(volatile uint32_t *)p = (uint32_t)v;
        break;
    default:
        *(volatile uint64_t *)p = v;
    }
}

static uint64_t cut(uint64_t v, unsigned bytes)
{
    return bytes == 8 ? v : v & ((UINT64_C(1) << (bytes * 8)) - 1);
}

uint64_t model_peek(const volatile void *p, unsigned bytes)
{
    return read_now(p, bytes);
}

static bool scheduled(const volatile void *p)
{
    return model_in_actor() && model_is_shared(p);
}

static bool weak(void)
{
    return model_now->memory == MODEL_WEAK;
}

static __attribute__((noinline)) uint64_t load(const volatile void *p, unsigned bytes, int order)
{
    uint64_t v;

    MODEL_ENTER((uintptr_t)p, bytes, order);
    model_point(false);
    v = weak() ? model_weak_load(p, bytes, order) : read_now(p, bytes);
    model_trace_access("load", p, bytes, v, order);
    return v;
}

uint64_t strait_model_load(const volatile void *p, unsigned bytes, int order)
{
    return scheduled(p) ? load(p, bytes, order) : read_now(p, bytes);
}

void strait_model_store(volatile void *p, unsigned bytes, uint64_t v, int order)
{
    MODEL_ENTER((uintptr_t)p, v, order);
    if (!scheduled(p)) {
        write_now(p, bytes, v);
        return;
    }
    model_point(true);
    model_trace_access("store", p, bytes, v, order);
    if (weak())
        model_weak_store(p, bytes, v, order);
    else
        write_now(p, bytes, v);
    model_wrote();
}

bool strait_model_cas(volatile void *p, unsigned bytes, uint64_t *seen, uint64_t v, int order)
{
    uint64_t expected = *seen;
    bool done;

    MODEL_ENTER((uintptr_t)p, v, expected);
    if (scheduled(p))
        model_point(true);
    if (scheduled(p) && weak()) {
        done = model_weak_cas(p, bytes, seen, v, order);
    } else {
        *seen = read_now(p, bytes);
        done = *seen == cut(expected, bytes);
        if (done)
            write_now(p, bytes, v);
    }
    if (!scheduled(p))
        return done;
    model_trace_access(done ? "cas" : "cas fails", p, bytes, done ? v : *seen, order);
    if (done)
        model_wrote();
    return done;
}

static uint64_t modify(volatile void *p, unsigned bytes, uint64_t v, int order, bool add)
{
    uint64_t was;

    if (scheduled(p) && weak())
        return model_weak_rmw(p, bytes, v, order, add);
    was = read_now(p, bytes);
    write_now(p, bytes, cut(add ? was + v : v, bytes));
    return was;
}

uint64_t strait_model_exchange(volatile void *p, unsigned bytes, uint64_t v, int order)
{
    uint64_t was;

    MODEL_ENTER((uintptr_t)p, v, order);
    if (!scheduled(p))
        return modify(p, bytes, v, order, false);
    model_point(true);
    was = modify(p, bytes, v, order, false);
    model_trace_access("exchange", p, bytes, v, order);
    model_wrote();
    return was;
}

uint64_t strait_model_add(volatile void *p, unsigned bytes, uint64_t v, int order)
{
    uint64_t was;

    MODEL_ENTER((uintptr_t)p, v, order);
    if (!scheduled(p))
        return modify(p, bytes, v, order, true);
    model_point(true);
    was = modify(p, bytes, v, order, true);
    model_trace_access("add", p, bytes, cut(was + v, bytes), order);
    model_wrote();
    return was;
}

void strait_model_fence(int order)
{
    if (!model_in_actor() || !weak()) /* in one order of everything a fence is nothing */
        return;
    MODEL_ENTER(order, 1, 0);
    model_point(false);
    model_weak_fence(model_run.current, order);
    model_trace_line("fence     %s", order == __ATOMIC_SEQ_CST ? "seq_cst" : "");
}

/* Every other actor passes a full fence, one after the other, between two of ours. */
void strait_model_membarrier(void)
{
    if (!model_in_actor() || !weak())
        return;
    MODEL_ENTER(0, 2, 0);
    model_point(false);
    model_weak_fence(model_run.current, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < model_actor_count; i++)
        if (i != model_run.current) {
            model_weak_fence(i, __ATOMIC_SEQ_CST);
            model_pending[2] = i + 1;
            model_point(false);
        }
    model_weak_fence(model_run.current, __ATOMIC_SEQ_CST);
    model_trace_line("membarrier");
}

/* Plain bytes go over in pieces of a word, so that a torn message can be seen; a race in weak memory fails at once. */
static void copy(void *to, const void *from, size_t bytes, const void *shared, bool write)
{
    size_t at = 0, piece;

    if (!model_in_actor() || !model_is_shared(shared)) {
        memcpy(to, from, bytes);
        return;
    }
    if (weak()) {
        model_weak_plain(shared, bytes, write);
        model_trace_access(write ? "write" : "read", shared, 8, 0, -1);
        memcpy(to, from, bytes);
        return;
    }
    for (; at < bytes; at += piece) {
        piece = bytes - at < 8 ? bytes - at : 8;
        model_pending[2] = bytes - at;
        model_point(write);
        memcpy((char *)to + at, (const char *)from + at, piece);
        model_trace_access(write ? "write" : "read", (const char *)shared + at, 8,
                           piece == 8 ? read_now((const char *)shared + at, 8) : 0, -1);
    }
    if (write)
        model_wrote();
}

void strait_model_read(void *to, const void *from, size_t bytes)
{
    MODEL_ENTER((uintptr_t)to, (uintptr_t)from, bytes);
    copy(to, from, bytes, from, false);
}

void strait_model_write(void *to, const void *from, size_t bytes)
{
    MODEL_ENTER((uintptr_t)to, (uintptr_t)from, bytes);
    copy(to, from, bytes, to, true);
}

void strait_model_pause(void)
{
    MODEL_ENTER(0, 3, 0);
    if (!model_in_actor())
        return;
    model_trace_line("pause");
    if (++model_steps_of_run > MODEL_STEPS)
        model_fail("%s: livelock in a pause", model_now->actors[model_run.current].name);
    model_block(ACTOR_PAUSED);
}
