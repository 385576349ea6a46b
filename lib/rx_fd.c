/* SPDX-License-Identifier: MIT */
#include "rx_fd.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "doorbell.h"
#include "endpoint.h"
#include "error.h"
#include "strait/fd.h"
#include "sweep.h"

#define PULSE_NS    STRAIT_SLEEP_NS
#define PATIENCE_NS 5000000 /* for the admin lock: the helper has other bells */
#define PULSES_TELL 10      /* armed for so many pulses, the fd is made readable, whatever the bell says */

/* One receiver's fd. Between arm and the ring the helper may call rung and pulse; the rest is the receiver's thread's. */
struct strait_rx_fd {
    struct strait_watch watch;
    struct strait_bell *bell;
    struct strait_bell_ticket ticket;
    struct strait_segment_map *map;
    uint32_t pulses;
    bool armed;
    int fd;
};

/* ---- one doorbell for all receivers of the process ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct strait_doorbell *doorbell; /* lock; made at first use, never closed */
static const uint32_t *maker;            /* lock; home of the process that made it: 0 in its children */

static int get_doorbell(const uint32_t *home, struct strait_doorbell **out)
{
    int r = 0;

    pthread_mutex_lock(&lock);
    if (doorbell == NULL || *maker == 0) { /* a child's helpers stayed with the parent */
        r = strait_doorbell_open(&doorbell);
        maker = home;
    }
    *out = doorbell;
    pthread_mutex_unlock(&lock);
    return r;
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

/* ---- the helper's side ---- */

static struct strait_rx_fd *of_watch(struct strait_watch *w)
{
    return (struct strait_rx_fd *)(void *)((char *)w - offsetof(struct strait_rx_fd, watch));
}

/* Counted out at once: who sends while the user's loop is on its way makes no system call. */
static void rung(struct strait_watch *w)
{
    struct strait_rx_fd *f = of_watch(w);

    strait_bell_leave(f->bell, &f->ticket);
    eventfd_write(f->fd, 1);
}

static void pulse(struct strait_watch *w)
{
    struct strait_rx_fd *f = of_watch(w);

    strait_sweep_after_sleep(f->map, PULSE_NS, strait_after_ns(PATIENCE_NS));
    if (++f->pulses % PULSES_TELL == 0)
        eventfd_write(f->fd, 1);
}

/* ---- the receiver's side ---- */

static int make(struct strait_rx *rx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct strait_rx_fd *f;

    if (rx->busy)
        return strait_fail(-EOPNOTSUPP, "channel %s is busy: nobody rings there, so no fd can tell",
                           rx->endpoint->name);
    pthread_once(&once, watch_forks);
    f = calloc(1, sizeof *f);
    if (f == NULL)
        return strait_fail(-ENOMEM, "channel %s: out of memory", rx->endpoint->name);
    f->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (f->fd < 0) {
        int error = -errno;
        free(f);
        return strait_fail(error, "channel %s: no descriptor is left for its fd", rx->endpoint->name);
    }
    f->bell = rx->bell;
    f->map = &rx->endpoint->segment->map;
    rx->endpoint->fd = f;
    return 0;
}

int strait_rx_fd(struct strait_rx *rx)
{
    int r = strait_process_check(rx->endpoint->segment);

    if (r == 0 && rx->endpoint->fd == NULL)
        r = make(rx);
    return r < 0 ? r : rx->endpoint->fd->fd;
}

/* Counted out, by us or by the helper; a doorbell of the parent's is not ours to touch. */
static void disarm(struct strait_rx_fd *f)
{
    if (f->armed && strait_doorbell_remove(doorbell, &f->watch))
        strait_bell_leave(f->bell, &f->ticket);
    f->armed = false;
}

int strait_rx_arm(struct strait_rx *rx)
{
    struct strait_endpoint *e = rx->endpoint;
    struct strait_doorbell *d;
    struct strait_rx_fd *f;
    eventfd_t count;
    int r = strait_rx_fd(rx);

    if (r >= 0)
        r = get_doorbell(rx->home, &d);
    if (r < 0)
        return r;
    f = e->fd;
    disarm(f);
    eventfd_read(f->fd, &count); /* before the look: what comes after it is told anew */
    strait_bell_enter(f->bell, &f->ticket, strait_mood_mode(&e->mood, f->map, strait_now_ns()));
    if (strait_rx_look(rx) != -EAGAIN) {
        strait_bell_leave(f->bell, &f->ticket);
        return 1;
    }
    f->watch = (struct strait_watch){.word = &f->bell->seq, .expected = f->ticket.seq, .rung = rung, .pulse = pulse};
    f->pulses = 0;
    r = strait_doorbell_add(d, &f->watch);
    if (r != 0)
        strait_bell_leave(f->bell, &f->ticket);
    f->armed = r == 0;
    return r;
}

void strait_rx_fd_close(struct strait_endpoint *e)
{
    struct strait_rx_fd *f = e->fd;

    if (f == NULL)
        return;
    e->fd = NULL;
    if (*e->segment->home) {
        disarm(f);
        strait_bell_wake(f->bell, 1); /* a wake that we did not use is somebody else's */
    }
    close(f->fd);
    free(f);
}
