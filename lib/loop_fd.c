/* SPDX-License-Identifier: MIT */
/* A loop in somebody else's loop: one epoll set over what the method would wait for and a timer for the next deadline. */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int strait_loop_outer(struct strait_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = loop->method->fd(loop->io), outer, timer;

    if (fd < 0)
        return fd;
    outer = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (outer < 0 || timer < 0 || epoll_ctl(outer, EPOLL_CTL_ADD, fd, &event) < 0 ||
        epoll_ctl(outer, EPOLL_CTL_ADD, timer, &event) < 0) {
        int error = -errno;
        if (outer >= 0)
            close(outer);
        if (timer >= 0)
            close(timer);
        return error;
    }
    loop->outer = outer;
    loop->timer = timer;
    return 0;
}

int strait_loop_fd(struct strait_loop *loop)
{
    int error;

    if (strait_loop_forked(loop))
        return -ECHILD;
    error = loop->outer < 0 ? strait_loop_outer(loop) : 0;
    return error ? error : loop->outer;
}

int strait_loop_arm(struct strait_loop *loop)
{
    struct itimerspec when = {.it_value = {0, 0}};
    int fd = strait_loop_fd(loop), error;

    if (fd < 0)
        return fd;
    if (!loop->ready) {
        error = loop->method->wait(loop->io, 0);
        if (error < 0 && error != -EINTR)
            return error;
    }
    strait_loop_expire(loop);
    if (loop->ready)
        return 1;
    if (loop->heap) {
        when.it_value.tv_sec = (time_t)(loop->heap->deadline_ns / 1000000000);
        when.it_value.tv_nsec = (long)(loop->heap->deadline_ns % 1000000000);
    }
    return timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}
