/* SPDX-License-Identifier: MIT */
/* A call that blocks, beside a loop that must not: a thread makes it, and its value is one more completion of the loop. */
#include "guide.h"

static struct strait_loop *loop;
static int ends[2], ticks;

static void *read_slowly(void *unused) /* a thread of the process's own pool waits here for the loop's tenth tick */
{
    static char text[8];

    (void)unused;
    must(read(ends[0], text, sizeof text - 1) > 0 ? 0 : -1);
    return text;
}

static void tick(struct strait_op *op, int res)
{
    (void)res;
    if (++ticks < 10)
        must(strait_op_timer(loop, op, strait_after_ns(1000000)));
    else
        must(write(ends[1], "slowly", 6) == 6 ? 0 : -1);
}

static void got(struct strait_op *op, int res)
{
    (void)op;
    must(res);
}

int main(void)
{
    struct strait_await call = {.op.done = got};
    struct strait_op timer = {.done = tick};
    void *value = NULL;

    must(pipe(ends));
    must(strait_loop_create(&loop, 0));
    must(strait_await_blocking(loop, &call, NULL, read_slowly, NULL, &value, STRAIT_FOREVER));
    must(strait_op_timer(loop, &timer, STRAIT_NOW));
    must(strait_loop_run(loop, STRAIT_FOREVER)); /* until nothing is in flight */
    strait_loop_destroy(loop);
    printf("%d ticks while a thread read: %s\n", ticks, (const char *)value);
    return ticks != 10;
}
