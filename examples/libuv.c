/* SPDX-License-Identifier: MIT */
/* A channel in a libuv loop, beside a timer. The rule is the same as with epoll: drain to -EAGAIN, arm, return to the loop. */
#include <errno.h>
#include <stdio.h>
#include <strait/strait.h>
#include <uv.h>

static uv_timer_t timer;

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct strait_rx *rx = poll->data;
    char text[48];
    int64_t n;

    (void)status;
    (void)events;
    do {
        while ((n = strait_recv(rx, text, sizeof text, STRAIT_NOW)) >= 0)
            puts(text);
        if (n != -EAGAIN) { /* -EPIPE: the last sender has left */
            uv_close((uv_handle_t *)poll, NULL);
            uv_close((uv_handle_t *)&timer, NULL);
            return;
        }
    } while (strait_rx_arm(rx) == 1);
}

static void on_tick(uv_timer_t *t)
{
    (void)t; /* whatever else the program does */
}

int main(void)
{
    struct strait_segment *segment;
    struct strait_rx *rx;
    uv_poll_t poll;

    if (strait_attach("hello", NULL, &segment) < 0 || strait_rx_open(segment, "greetings", NULL, &rx) < 0 ||
        strait_rx_fd(rx) < 0)
        return fprintf(stderr, "%s\n", strait_error()), 1;
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, on_tick, 10, 10);
    uv_poll_init(uv_default_loop(), &poll, strait_rx_fd(rx));
    poll.data = rx;
    uv_poll_start(&poll, UV_READABLE, on_readable);
    puts("waiting");
    fflush(stdout);
    on_readable(&poll, 0, 0); /* the first drain and arm */
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    strait_rx_close(rx);
    strait_detach(segment);
}
