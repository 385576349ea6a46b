/* SPDX-License-Identifier: MIT */
/* spawn_blocking: the cell, its waker, the pool's bounds and end. Everything hand-shakes; nothing sleeps to be in time. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "strait/atomic.h"
#include "strait/blocking.h"

#define MS UINT64_C(1000000)

/* ---- work, wakers ---- */

/* A job that says when it runs and ends when it may. */
struct gate {
    sem_t inside, open;
    uint32_t ran, together, most;
};

static void gate_init(struct gate *g)
{
    memset(g, 0, sizeof *g);
    sem_init(&g->inside, 0, 0);
    sem_init(&g->open, 0, 0);
}

static void sem_down(sem_t *s)
{
    while (sem_wait(s) < 0)
        assert_int_equal(errno, EINTR);
}

static void *through(void *arg)
{
    struct gate *g = arg;
    uint32_t n = __atomic_add_fetch(&g->together, 1, __ATOMIC_SEQ_CST);
    uint32_t most = __atomic_load_n(&g->most, __ATOMIC_SEQ_CST);

    while (n > most && !__atomic_compare_exchange_n(&g->most, &most, n, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    sem_post(&g->inside);
    while (sem_wait(&g->open) < 0)
        ;
    __atomic_sub_fetch(&g->together, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&g->ran, 1, __ATOMIC_SEQ_CST);
    return g;
}

static void *same(void *arg)
{
    return arg;
}

/* A waker that counts, and that takes the future's lock itself, whether it wakes or is dropped. */
struct counting {
    struct strait_future *future;
    uint32_t wakes, drops;
    int polled; /* what a poll from inside said */
    void *value;
    sem_t woken;
};

static void counting_wake(void *data)
{
    struct counting *c = data;

    c->wakes++;
    if (c->future)
        c->polled = strait_future_poll(c->future, NULL, &c->value);
    sem_post(&c->woken);
}

static void counting_drop(void *data)
{
    struct counting *c = data;
    void *value;

    c->drops++;
    if (c->future)
        c->polled = strait_future_poll(c->future, NULL, &value);
}

static struct strait_waker counting_waker(struct counting *c, struct strait_future *future)
{
    memset(c, 0, sizeof *c);
    c->future = future;
    c->polled = -1;
    sem_init(&c->woken, 0, 0);
    return (struct strait_waker){counting_wake, counting_drop, c};
}

static struct strait_blocking *pool_of(uint32_t threads, uint32_t futures)
{
    struct strait_blocking_options o = {.threads = threads, .futures = futures};
    struct strait_blocking *pool = NULL;

    assert_int_equal(strait_blocking_create(&pool, &o), 0);
    return pool;
}

static uint32_t dropped_values;
static void *dropped_last;
static sem_t dropped;

static void drop_value(void *value)
{
    __atomic_add_fetch(&dropped_values, 1, __ATOMIC_SEQ_CST);
    dropped_last = value;
    sem_post(&dropped);
}

/* ---- the cell ---- */

static void a_value_comes_back(void **state)
{
    (void)state;
    for (uintptr_t i = 0; i < 2000; i++) {
        struct strait_future *f;
        void *value = NULL;

        assert_int_equal(strait_spawn_blocking(NULL, same, (void *)i, &f), 0);
        assert_int_equal(strait_future_wait(f, &value, STRAIT_FOREVER), 0);
        assert_ptr_equal(value, (void *)i);
        assert_int_equal(strait_future_wait(f, &value, STRAIT_NOW), -ENODATA);
        assert_int_equal(strait_future_poll(f, NULL, &value), -ENODATA);
        strait_future_detach(f, NULL);
    }
}

static void poll_is_pending_then_ready(void **state)
{
    struct strait_blocking *pool = pool_of(1, 4);
    struct strait_future *f;
    struct counting c;
    struct gate g;
    void *value = NULL;

    (void)state;
    gate_init(&g);
    assert_int_equal(strait_spawn_blocking(pool, through, &g, &f), 0);
    struct strait_waker w = counting_waker(&c, f);
    assert_int_equal(strait_future_poll(f, &w, &value), STRAIT_PENDING);
    assert_null(value);
    assert_int_equal(strait_future_wait(f, &value, STRAIT_NOW), -EAGAIN);
    sem_post(&g.open);
    sem_down(&c.woken);
    /* the waker polled from inside: the lock was free and the value stored */
    assert_int_equal(c.polled, STRAIT_READY);
    assert_ptr_equal(c.value, &g);
    assert_int_equal(c.wakes, 1);
    assert_int_equal(c.drops, 0);
    strait_future_detach(f, NULL);
    assert_int_equal(strait_blocking_destroy(pool), 0);
    assert_int_equal(c.wakes, 1);
    assert_int_equal(c.drops, 0);
}

static void a_waker_is_replaced_not_leaked(void **state)
{
    struct strait_blocking *pool = pool_of(1, 4);
    struct counting first, second;
    struct strait_future *f;
    struct gate g;
    void *value = NULL;

    (void)state;
    gate_init(&g);
    assert_int_equal(strait_spawn_blocking(pool, through, &g, &f), 0);
    struct strait_waker w1 = counting_waker(&first, f), w2 = counting_waker(&second, NULL);
    assert_int_equal(strait_future_poll(f, &w1, &value), STRAIT_PENDING);
    assert_int_equal(strait_future_poll(f, &w2, &value), STRAIT_PENDING);
    /* dropped once, after the release (its drop polls); that poll left NULL, so the second is dropped, too */
    assert_int_equal(first.drops, 1);
    assert_int_equal(first.polled, STRAIT_PENDING);
    assert_int_equal(second.drops, 1);
    w2 = counting_waker(&second, NULL);
    assert_int_equal(strait_future_poll(f, &w2, &value), STRAIT_PENDING);
    sem_post(&g.open);
    sem_down(&second.woken);
    assert_int_equal(first.wakes, 0);
    assert_int_equal(second.wakes, 1);
    assert_int_equal(second.drops, 0);
    assert_int_equal(strait_future_poll(f, &w2, &value), STRAIT_READY);
    assert_int_equal(second.drops, 0); /* on READY the waker stays the caller's */
    strait_future_detach(f, NULL);
    assert_int_equal(strait_blocking_destroy(pool), 0);
}

static void a_detached_value_is_dropped(void **state)
{
    struct strait_blocking *pool = pool_of(1, 4);
    struct strait_future *f;
    struct counting c;
    struct gate g;
    void *value;

    (void)state;
    gate_init(&g);
    dropped_values = 0;
    sem_init(&dropped, 0, 0);
    /* before it is done: by the thread, and the waker goes at once */
    assert_int_equal(strait_spawn_blocking(pool, through, &g, &f), 0);
    struct strait_waker w = counting_waker(&c, NULL);
    assert_int_equal(strait_future_poll(f, &w, &value), STRAIT_PENDING);
    strait_future_detach(f, drop_value);
    assert_int_equal(c.drops, 1);
    assert_int_equal(dropped_values, 0);
    sem_post(&g.open);
    sem_down(&dropped);
    assert_ptr_equal(dropped_last, &g);
    assert_int_equal(c.wakes, 0);
    /* when it is done: by the caller */
    assert_int_equal(strait_spawn_blocking(pool, same, &c, &f), 0);
    w = counting_waker(&c, NULL);
    if (strait_future_poll(f, &w, &value) == STRAIT_PENDING) {
        sem_down(&c.woken);
        strait_future_detach(f, drop_value);
        assert_int_equal(dropped_values, 2);
        assert_ptr_equal(dropped_last, &c);
    } else {
        strait_future_detach(f, drop_value); /* taken: nothing to drop */
        assert_int_equal(dropped_values, 1);
    }
    /* from the start */
    gate_init(&g);
    assert_int_equal(strait_spawn_blocking(pool, through, &g, NULL), 0);
    sem_post(&g.open);
    assert_int_equal(strait_blocking_destroy(pool), 0);
    assert_int_equal(g.ran, 1);
    strait_future_detach(NULL, drop_value);
}

static void on_signal(int signal)
{
    (void)signal;
}

struct interrupter {
    pthread_t whom;
    uint32_t stop;
};

static void *interrupt(void *arg)
{
    struct interrupter *i = arg;

    while (!strait_load32_acquire(&i->stop)) {
        pthread_kill(i->whom, SIGUSR1);
        usleep(100); /* a pace, not a handshake: until one falls into the sleep */
    }
    return NULL;
}

static void wait_ends_at_deadline_or_signal(void **state)
{
    struct sigaction action = {.sa_handler = on_signal}, old;
    struct strait_blocking *pool = pool_of(1, 4);
    struct interrupter i = {pthread_self(), 0};
    struct strait_future *f;
    pthread_t thread;
    struct gate g;
    void *value = &g;

    (void)state;
    gate_init(&g);
    assert_int_equal(strait_spawn_blocking(pool, through, &g, &f), 0);
    assert_int_equal(strait_future_wait(f, &value, 1), -ETIMEDOUT); /* long past */
    uint64_t until = strait_after_ns(20 * MS);
    assert_int_equal(strait_future_wait(f, &value, until), -ETIMEDOUT);
    assert_true(strait_now_ns() >= until);

    sigaction(SIGUSR1, &action, &old);
    assert_int_equal(pthread_create(&thread, NULL, interrupt, &i), 0);
    assert_int_equal(strait_future_wait(f, &value, STRAIT_FOREVER), -EINTR);
    strait_store32_release(&i.stop, 1);
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &old, NULL);

    assert_ptr_equal(value, &g); /* untouched by failures */
    sem_post(&g.open);
    value = NULL;
    assert_int_equal(strait_future_wait(f, &value, STRAIT_FOREVER), 0);
    assert_ptr_equal(value, &g);
    strait_future_detach(f, NULL);
    assert_int_equal(strait_blocking_destroy(pool), 0);
}

/* ---- the pool ---- */

static void the_pool_is_bounded(void **state)
{
    struct strait_blocking_options many = {.threads = 100000};
    struct strait_blocking *pool = pool_of(3, 10), *none = NULL;
    struct strait_future *f[10], *more = NULL;
    struct gate g;
    void *value;

    (void)state;
    assert_int_equal(strait_blocking_create(&none, &many), -EINVAL);
    assert_null(none);
    gate_init(&g);
    for (int i = 0; i < 10; i++)
        assert_int_equal(strait_spawn_blocking(pool, through, &g, &f[i]), 0);
    assert_int_equal(strait_spawn_blocking(pool, through, &g, &more), -EAGAIN);
    assert_null(more);
    for (int i = 0; i < 3; i++)
        sem_down(&g.inside);
    for (int i = 0; i < 10; i++)
        sem_post(&g.open);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(strait_future_wait(f[i], &value, STRAIT_FOREVER), 0);
        strait_future_detach(f[i], NULL);
    }
    assert_int_equal(g.most, 3);
    assert_int_equal(g.ran, 10);
    assert_int_equal(strait_blocking_destroy(pool), 0);
}

static struct strait_blocking *inner;

static void *shut_own_pool(void *arg)
{
    (void)arg;
    return (void *)(intptr_t)strait_blocking_shutdown(inner, STRAIT_FOREVER);
}

static void shutdown_refuses_drains_joins(void **state)
{
    struct strait_blocking *pool = inner = pool_of(2, 64);
    struct strait_future *f[20], *late = NULL;
    struct gate g;
    void *value = NULL;

    (void)state;
    assert_int_equal(strait_spawn_blocking(pool, shut_own_pool, NULL, &f[0]), 0);
    assert_int_equal(strait_future_wait(f[0], &value, STRAIT_FOREVER), 0);
    assert_int_equal((intptr_t)value, -EDEADLK);
    strait_future_detach(f[0], NULL);

    gate_init(&g);
    for (int i = 0; i < 20; i++)
        assert_int_equal(strait_spawn_blocking(pool, through, &g, &f[i]), 0);
    sem_down(&g.inside);
    assert_int_equal(strait_blocking_shutdown(pool, STRAIT_NOW), -ETIMEDOUT);
    assert_int_equal(strait_spawn_blocking(pool, same, NULL, &late), -ESHUTDOWN);
    assert_int_equal(strait_blocking_shutdown(pool, strait_after_ns(10 * MS)), -ETIMEDOUT);
    assert_int_equal(g.ran, 0);
    for (int i = 0; i < 20; i++)
        sem_post(&g.open);
    assert_int_equal(strait_blocking_shutdown(pool, STRAIT_FOREVER), 0);
    assert_int_equal(g.ran, 20); /* drained, and the threads are gone */
    assert_int_equal(strait_blocking_shutdown(pool, STRAIT_FOREVER), 0);
    assert_int_equal(strait_spawn_blocking(pool, same, NULL, &late), -ESHUTDOWN);
    assert_null(late);
    for (int i = 0; i < 19; i++) {
        assert_int_equal(strait_future_poll(f[i], NULL, &value), STRAIT_READY);
        strait_future_detach(f[i], NULL);
    }
    assert_int_equal(strait_blocking_destroy(pool), 0);
    /* the last future outlives the pool */
    assert_int_equal(strait_future_wait(f[19], &value, STRAIT_FOREVER), 0);
    assert_ptr_equal(value, &g);
    strait_future_detach(f[19], NULL);
    assert_int_equal(strait_blocking_destroy(NULL), 0);
}

/* What is wrong in the child, as its exit status. */
static int in_the_child(struct strait_blocking *pool, struct strait_future *f)
{
    struct strait_future *mine = NULL;
    int cookie = 0;
    void *value = NULL;

    if (strait_spawn_blocking(pool, same, NULL, &mine) != -ECHILD)
        return 1;
    if (strait_future_poll(f, NULL, &value) != -ECHILD || strait_future_wait(f, &value, STRAIT_FOREVER) != -ECHILD)
        return 2;
    if (strait_blocking_shutdown(pool, STRAIT_FOREVER) != -ECHILD || strait_blocking_destroy(pool) != -ECHILD)
        return 3;
    strait_future_detach(f, NULL);
#ifdef STRAIT_TSAN
    return 0; /* ThreadSanitizer cannot follow threads that a forked child starts */
#endif
    /* the process's own pool is a new one */
    if (strait_spawn_blocking(NULL, same, &cookie, &mine) != 0 ||
        strait_future_wait(mine, &value, strait_after_ns(10000 * MS)) != 0 || value != &cookie)
        return 4;
    strait_future_detach(mine, NULL);
    return 0;
}

static void a_child_gets_echild(void **state)
{
    struct strait_blocking *pool = pool_of(1, 4);
    struct strait_future *f, *own;
    struct gate g;
    void *value;
    int status;

    (void)state;
    gate_init(&g);
    assert_int_equal(strait_spawn_blocking(NULL, same, NULL, &own), 0); /* the own pool exists before the fork */
    assert_int_equal(strait_future_wait(own, &value, STRAIT_FOREVER), 0);
    strait_future_detach(own, NULL);
    assert_int_equal(strait_spawn_blocking(pool, through, &g, &f), 0);
    sem_down(&g.inside);
    pid_t child = fork();
    if (child == 0)
        _exit(in_the_child(pool, f));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    sem_post(&g.open);
    assert_int_equal(strait_future_wait(f, &value, STRAIT_FOREVER), 0);
    strait_future_detach(f, NULL);
    assert_int_equal(strait_blocking_destroy(pool), 0);
}

/* ---- many at once ---- */

struct crowd {
    struct strait_blocking *pool;
    uint32_t seed, taken, detached, wakes, drops, wakers;
};

static uint32_t value_drops, waker_calls;

static void count_value(void *value)
{
    __atomic_add_fetch((uint32_t *)value, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&value_drops, 1, __ATOMIC_SEQ_CST);
}

static void count_waker(void *data)
{
    (void)data;
    __atomic_add_fetch(&waker_calls, 1, __ATOMIC_SEQ_CST);
}

static void *mill(void *arg)
{
    static uint32_t cookie;
    struct crowd *c = arg;

    for (int i = 0; i < 3000; i++) {
        struct strait_waker w = {count_waker, count_waker, NULL};
        struct strait_future *f;
        void *value = NULL;
        int r;

        if (strait_spawn_blocking(c->pool, same, &cookie, &f) < 0)
            continue;
        c->seed = c->seed * 1664525 + 1013904223;
        for (uint32_t polls = c->seed >> 30; polls > 0; polls--) {
            r = strait_future_poll(f, &w, &value);
            c->wakers += r == STRAIT_PENDING;
            c->taken += r == STRAIT_READY;
        }
        if (c->seed >> 29 & 1 && strait_future_wait(f, &value, STRAIT_FOREVER) == 0)
            c->taken++;
        c->detached += value == NULL;
        strait_future_detach(f, count_value);
    }
    return NULL;
}

static void nothing_is_lost_or_done_twice(void **state)
{
    struct crowd crowds[4] = {{0}};
    pthread_t threads[4];
    uint32_t detached = 0, wakers = 0;

    (void)state;
    value_drops = waker_calls = 0;
    crowds[0].pool = pool_of(3, 64);
    for (uint32_t i = 0; i < 4; i++) {
        crowds[i].pool = crowds[0].pool;
        crowds[i].seed = i * 7919;
        assert_int_equal(pthread_create(&threads[i], NULL, mill, &crowds[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        detached += crowds[i].detached;
        wakers += crowds[i].wakers;
        assert_true(crowds[i].taken + crowds[i].detached > 1000);
    }
    assert_int_equal(strait_blocking_destroy(crowds[0].pool), 0);
    assert_int_equal(value_drops, detached); /* each value that nobody took, once */
    assert_int_equal(waker_calls, wakers);   /* each waker left: woken or dropped, once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_comes_back),
        cmocka_unit_test(poll_is_pending_then_ready),
        cmocka_unit_test(a_waker_is_replaced_not_leaked),
        cmocka_unit_test(a_detached_value_is_dropped),
        cmocka_unit_test(wait_ends_at_deadline_or_signal),
        cmocka_unit_test(the_pool_is_bounded),
        cmocka_unit_test(shutdown_refuses_drains_joins),
        cmocka_unit_test(a_child_gets_echild),
        cmocka_unit_test(nothing_is_lost_or_done_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
