/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <poll.h>
#include <strait/error.h>

#include "bridge.h"
#include "keeper.h"
#include "server.h"

#define DRAIN_NS UINT64_C(2000000000)

static const struct link_kind *const kinds[] = {
    [BRIDGE_OUT] = &link_out, [BRIDGE_IN] = &link_in, [BRIDGE_CALL] = &link_call, [BRIDGE_SERVE] = &link_serve};

/* SIGINT and SIGTERM come as bytes, so that the loop need not be interrupted. */
static int signals_fd(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) /* before any thread starts: all inherit it */
        return -errno;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The programs may start later than we do. */
static int attach(struct bridge *b, int signals)
{
    struct strait_segment_options options = {.attach = STRAIT_OPEN_ONLY, .directory = b->options.directory};
    struct pollfd ended = {.fd = signals, .events = POLLIN};
    bool said = false;
    int r;

    while ((r = strait_attach(b->options.segment, &options, &b->segment)) == -ENOENT) {
        if (!said)
            bridge_say(b, "waiting for the segment %s", b->options.segment);
        said = true;
        if (poll(&ended, 1, (int)(BRIDGE_TICK_NS / 1000000)) > 0)
            return -EINTR;
    }
    return r;
}

static void open_links(struct bridge *b)
{
    for (uint32_t i = 0; i < b->options.links && !b->failed && !b->stopping; i++) {
        struct link *l = &b->link[i];
        int r;

        if (l->open)
            continue;
        r = l->kind->open(l);
        if (r == -EAGAIN)
            continue;
        if (r < 0) {
            bridge_fail(b, r, "%s: %s", l->options->name, *strait_error() ? strait_error() : strerror(-r));
            return;
        }
        l->open = true;
        l->status->state = BRIDGE_LINK_OFFLINE;
        if (server_up(b) && server_carries(l))
            l->kind->up(l);
    }
}

static void tick_done(struct strait_op *op, int res)
{
    struct bridge *b = (struct bridge *)(void *)((char *)op - offsetof(struct bridge, tick));
    uint64_t now_ns = strait_now_ns();

    if (res == -ECANCELED)
        return;
    open_links(b);
    for (uint32_t i = 0; i < b->options.links; i++)
        if (b->link[i].open)
            b->link[i].kind->tick(&b->link[i], now_ns);
    status_publish(b, now_ns);
    bin_empty(&b->bin);
    strait_op_timer(b->loop, op, now_ns + BRIDGE_TICK_NS);
}

static bool any_busy(const struct bridge *b)
{
    for (uint32_t i = 0; i < b->options.links; i++)
        if (b->link[i].open && b->link[i].kind->busy(&b->link[i]))
            return true;
    return false;
}

static void signalled_done(struct strait_op *op, int res)
{
    (void)op;
    (void)res; /* run() sees that it is pending no more */
}

static int run(struct bridge *b, int signals)
{
    uint64_t until_ns = STRAIT_FOREVER;

    b->tick.done = tick_done;
    b->signalled.done = signalled_done;
    strait_op_poll(b->loop, &b->signalled, signals, POLLIN, STRAIT_FOREVER);
    strait_op_timer(b->loop, &b->tick, strait_now_ns());
    while (!b->failed) {
        int r;

        server_settle(b);
        r = strait_loop_step(b->loop, STRAIT_FOREVER);
        if (r < 0 && r != -EINTR)
            return r;
        if (!strait_op_pending(&b->signalled) && !b->stopping) {
            b->stopping = true;
            until_ns = strait_after_ns(DRAIN_NS);
        }
        if (b->stopping && (!any_busy(b) || strait_now_ns() > until_ns)) {
            server_settle(b);
            break;
        }
    }
    return b->failed;
}

static void close_all(struct bridge *b)
{
    b->stopping = true;
    strait_loop_destroy(b->loop);
    for (uint32_t i = 0; i < b->options.links; i++)
        if (b->link[i].open)
            b->link[i].kind->close(&b->link[i]);
    bin_empty(&b->bin);
    server_close(b);
    status_close(b);
    strait_detach(b->segment);
}

static void name_links(struct bridge *b, const struct bridge_options *o)
{
    b->options = *o;
    for (uint32_t i = 0; i < o->links; i++) {
        struct link *l = &b->link[i];
        l->options = &b->options.link[i];
        l->kind = kinds[l->options->kind];
        l->bridge = b;
        l->index = i;
        l->status = &b->status.link[i];
        snprintf(l->subject, sizeof l->subject, "strait.%s.%s", o->app, o->link[i].subject);
    }
}

static int start(struct bridge *b)
{
    int r = strait_loop_create(&b->loop, 256);

    if (r < 0) {
        bridge_fail(b, r, "%s", strait_loop_why());
        return r;
    }
    r = status_open(b);
    if (r == -EBUSY)
        bridge_fail(b, r, "another bridge called %s is at work on segment %s: give this one a --name", b->options.name,
                    b->options.segment);
    else if (r < 0)
        bridge_fail(b, r, "%s", *strait_error() ? strait_error() : strerror(-r));
    return r < 0 ? r : server_open(b);
}

static int be_bridge(struct bridge *b)
{
    int signals = signals_fd(), r;

    r = attach(b, signals);
    if (r < 0) {
        if (r != -EINTR)
            bridge_fail(b, r, "%s", strait_error());
        return r != -EINTR;
    }
    r = start(b);
    if (r == 0)
        r = run(b, signals);
    close_all(b);
    return r < 0;
}

int main(int argc, char **argv)
{
    static struct bridge bridge;
    static struct bridge_options options;
    int r = bridge_options_parse(argc, argv, &options);

    if (r)
        return r > 0 ? 0 : 2;
    name_links(&bridge, &options);
    return keeper_run(&bridge, be_bridge);
}
