/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "step.h"

struct stage *stage_new(void)
{
    void *p = mmap(NULL, sizeof(struct stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void stage_free(struct stage *st)
{
    if (st)
        munmap(st, sizeof(*st));
}

void stage_reset(struct stage *st, uint64_t serial)
{
    memset(st, 0, sizeof(*st));
    st->serial = serial;
}

void gate_open(uint32_t *gate)
{
    __atomic_store_n(gate, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, gate, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

bool gate_wait(uint32_t *gate, uint64_t ns)
{
    uint64_t until = step_now_ns() + ns;
    while (!__atomic_load_n(gate, __ATOMIC_SEQ_CST)) {
        uint64_t now = step_now_ns();
        if (now >= until)
            return false;
        uint64_t left = until - now;
        struct timespec t = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
        syscall(SYS_futex, gate, FUTEX_WAIT, 0, &t, NULL, 0);
    }
    return true;
}

bool stage_fail(struct stage *st, enum verdict v, const char *format, ...)
{
    if (st->verdict != VERDICT_GOOD)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(st->text, sizeof(st->text), format, args);
    va_end(args);
    st->verdict = v;
    return false;
}

const char *verdict_name(enum verdict v)
{
    static const char *const names[VERDICTS] = {"good",  "lost", "duplicated", "torn",
                                                "order", "hung", "leaked",     "broken"};
    return v < VERDICTS ? names[v] : "?";
}
