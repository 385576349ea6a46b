/* SPDX-License-Identifier: MIT */
/* The failing schedule in words. Costs nothing while nobody traces. */
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

#define LABELS 128

struct label {
    const volatile unsigned char *at;
    size_t bytes;
    void (*show)(uint64_t v, char *text, size_t n);
    char name[40];
};

static struct label labels[LABELS];
static unsigned label_count;
static char text[256 * 1024];
static size_t used;

bool model_tracing;

void model_labels_clear(void)
{
    label_count = 0;
}

void model_trace_clear(void)
{
    used = 0;
    text[0] = 0;
}

const char *model_trace(void)
{
    return text;
}

void model_label(const void *at, size_t bytes, void (*show)(uint64_t v, char *text, size_t n), const char *format, ...)
{
    struct label *l = &labels[label_count];
    va_list args;

    if (label_count == LABELS)
        return;
    label_count++;
    l->at = at;
    l->bytes = bytes;
    l->show = show;
    va_start(args, format);
    vsnprintf(l->name, sizeof l->name, format, args);
    va_end(args);
}

static void append(const char *format, va_list args)
{
    int n = vsnprintf(text + used, sizeof text - used, format, args);
    if (n > 0)
        used = used + (size_t)n < sizeof text ? used + (size_t)n : sizeof text - 1;
}

static void piece(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void piece(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append(format, args);
    va_end(args);
}

static void who(void)
{
    unsigned i = model_run.current;
    piece("%4llu  %-10s ", (unsigned long long)model_steps_of_run,
          i < model_actor_count ? model_now->actors[i].name : "-");
}

void model_trace_line(const char *format, ...)
{
    va_list args;

    if (!model_tracing)
        return;
    who();
    va_start(args, format);
    append(format, args);
    va_end(args);
    piece("\n");
}

void model_note(const char *format, ...)
{
    va_list args;

    if (!model_tracing)
        return;
    who();
    va_start(args, format);
    append(format, args);
    va_end(args);
    piece("\n");
}

static const char *order_name(int order)
{
    switch (order) {
    case __ATOMIC_RELAXED:
        return "relaxed";
    case __ATOMIC_ACQUIRE:
        return "acquire";
    case __ATOMIC_RELEASE:
        return "release";
    case __ATOMIC_ACQ_REL:
        return "acq_rel";
    case __ATOMIC_SEQ_CST:
        return "seq_cst";
    default:
        return "plain";
    }
}

static const struct label *label_of(const volatile void *p)
{
    const volatile unsigned char *at = p;

    for (unsigned i = 0; i < label_count; i++)
        if (at >= labels[i].at && at < labels[i].at + labels[i].bytes)
            return &labels[i];
    return NULL;
}

void model_trace_access(const char *what, const volatile void *p, unsigned bytes, uint64_t v, int order)
{
    const struct label *l;
    char value[96];

    if (!model_tracing)
        return;
    l = label_of(p);
    who();
    snprintf(value, sizeof value, "0x%llx", (unsigned long long)v);
    if (l && l->show)
        l->show(v, value, sizeof value);
    if (l && (size_t)((const volatile unsigned char *)p - l->at) > 0)
        piece("%-9s %s+%zu = %s (u%u, %s)\n", what, l->name, (size_t)((const volatile unsigned char *)p - l->at), value,
              bytes * 8, order_name(order));
    else
        piece("%-9s %s = %s (u%u, %s)\n", what, l ? l->name : "shared", value, bytes * 8, order_name(order));
}
