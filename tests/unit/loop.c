/* SPDX-License-Identifier: MIT */
#include <strait/loop.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define MS        UINT64_C(1000000)
#define SOON      strait_after_ns(5000 * MS) /* a test that gets here has failed */
#define UNTOUCHED 12345678

struct probe {
    struct strait_op op;
    int res, calls;
    struct strait_loop *loop;
};

static void note(struct strait_op *op, int res)
{
    struct probe *probe = (struct probe *)op;

    probe->res = res;
    probe->calls++;
}

static struct probe fresh(void)
{
    return (struct probe){.op.done = note, .res = UNTOUCHED};
}

static struct strait_loop *make(void)
{
    struct strait_loop *loop;

    assert_int_equal(strait_loop_create(&loop, 8), 0);
    return loop;
}

static void pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static int finish(struct strait_loop *loop, struct probe *probe)
{
    while (!probe->calls)
        if (strait_loop_step(loop, SOON) <= 0)
            fail_msg("nothing came");
    assert_int_equal(probe->calls, 1);
    return probe->res;
}

static void send_and_receive(void **state)
{
    struct strait_loop *loop = make();
    struct probe in = fresh(), out = fresh();
    char got[8] = "";
    int fds[2];

    (void)state;
    pair(fds);
    assert_int_equal(strait_op_recv(loop, &in.op, fds[0], got, sizeof got, STRAIT_FOREVER), 0);
    assert_true(strait_op_pending(&in.op));
    assert_int_equal(strait_loop_step(loop, STRAIT_NOW), 0);
    assert_int_equal(strait_op_send(loop, &out.op, fds[1], "hello", 6, STRAIT_FOREVER), 0);
    assert_int_equal(out.calls, 0); /* never from inside a start */
    assert_int_equal(finish(loop, &out), 6);
    assert_int_equal(finish(loop, &in), 6);
    assert_string_equal(got, "hello");
    out = fresh();
    close(fds[0]);
    assert_int_equal(strait_op_send(loop, &out.op, fds[1], "hello", 6, STRAIT_FOREVER), 0);
    assert_int_equal(finish(loop, &out), -EPIPE); /* and no SIGPIPE */
    out = fresh();
    assert_int_equal(strait_op_close(loop, &out.op, fds[1]), 0);
    assert_int_equal(finish(loop, &out), 0);
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
    strait_loop_destroy(loop);
}

static void files(void **state)
{
    struct strait_loop *loop = make();
    struct probe p = fresh();
    struct statx st;
    char got[4];
    int fd;

    (void)state;
    assert_int_equal(strait_op_open(loop, &p.op, AT_FDCWD, "/nowhere/at/all", O_RDONLY, SOON), 0);
    assert_int_equal(finish(loop, &p), -ENOENT);
    p = fresh();
    assert_int_equal(strait_op_open(loop, &p.op, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, SOON), 0);
    fd = finish(loop, &p);
    assert_true(fd >= 0);
    p = fresh();
    assert_int_equal(strait_op_stat(loop, &p.op, fd, &st, SOON), 0);
    assert_int_equal(finish(loop, &p), 0);
    assert_true(S_ISREG(st.stx_mode));
    p = fresh();
    assert_int_equal(strait_op_read(loop, &p.op, fd, got, 3, 1, SOON), 0);
    assert_int_equal(finish(loop, &p), 3);
    assert_memory_equal(got, "ELF", 3);
    p = fresh();
    assert_int_equal(strait_op_read(loop, &p.op, fd, got, 3, st.stx_size, SOON), 0);
    assert_int_equal(finish(loop, &p), 0);
    close(fd);
    strait_loop_destroy(loop);
}

static void deadlines(void **state)
{
    struct strait_loop *loop = make();
    struct probe a = fresh(), b = fresh(), c = fresh(), t = fresh();
    uint64_t from_ns = strait_now_ns();
    char got;
    int fds[2];

    (void)state;
    pair(fds);
    assert_int_equal(strait_op_recv(loop, &a.op, fds[0], &got, 1, from_ns + 20 * MS), 0);
    assert_int_equal(strait_op_recv(loop, &b.op, fds[1], &got, 1, 1), 0); /* long past: not tried */
    assert_int_equal(strait_op_poll(loop, &c.op, fds[1], POLLIN, from_ns + 10 * MS), 0);
    assert_int_equal(strait_op_timer(loop, &t.op, from_ns + 30 * MS), 0);
    assert_int_equal(b.calls, 0);
    assert_int_equal(strait_loop_run(loop, SOON), 0);
    assert_int_equal(a.res, -ETIMEDOUT);
    assert_int_equal(b.res, -ETIMEDOUT);
    assert_int_equal(c.res, -ETIMEDOUT);
    assert_int_equal(t.res, 0);
    assert_true(strait_now_ns() >= from_ns + 30 * MS);
    t = fresh();
    assert_int_equal(strait_op_timer(loop, &t.op, 1), 0);
    assert_int_equal(finish(loop, &t), 0);
    close(fds[0]);
    close(fds[1]);
    strait_loop_destroy(loop);
}

static void cancel(void **state)
{
    struct strait_loop *loop = make();
    struct probe in = fresh(), t = fresh();
    char got;
    int fds[2];

    (void)state;
    pair(fds);
    assert_int_equal(strait_op_cancel(&in.op), -ENOENT); /* never started */
    assert_int_equal(strait_op_recv(loop, &in.op, fds[0], &got, 1, STRAIT_FOREVER), 0);
    assert_int_equal(strait_op_timer(loop, &t.op, STRAIT_FOREVER), 0);
    assert_int_equal(strait_op_cancel(&in.op), 0);
    assert_int_equal(strait_op_cancel(&in.op), -EALREADY);
    assert_int_equal(strait_op_cancel(&t.op), 0);
    assert_int_equal(strait_op_cancel(&t.op), -EALREADY);
    assert_int_equal(t.calls, 0); /* never from inside a cancel */
    assert_int_equal(strait_loop_run(loop, SOON), 0);
    assert_int_equal(in.res, -ECANCELED);
    assert_int_equal(t.res, -ECANCELED);
    assert_int_equal(strait_op_cancel(&in.op), -ENOENT); /* after its completion */
    /* a cancel that is still queued does not hit the next flight */
    in = fresh();
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(strait_op_recv(loop, &in.op, fds[0], &got, 1, STRAIT_FOREVER), 0);
    int r = strait_op_cancel(&in.op);
    assert_true(r == 0 || r == -EALREADY); /* epoll has it at once */
    assert_int_equal(finish(loop, &in), 1);
    in = fresh();
    assert_int_equal(strait_op_recv(loop, &in.op, fds[0], &got, 1, strait_after_ns(20 * MS)), 0);
    assert_int_equal(finish(loop, &in), -ETIMEDOUT);
    close(fds[0]);
    close(fds[1]);
    strait_loop_destroy(loop);
}

static void busy_and_nonsense(void **state)
{
    struct strait_loop *loop = make();
    struct probe in = fresh();
    struct strait_op none = {0};
    char got = 0;
    int fds[2];

    (void)state;
    pair(fds);
    assert_int_equal(strait_op_timer(loop, &none, STRAIT_NOW), -EINVAL);
    assert_int_equal(strait_op_recv(loop, &in.op, fds[0], &got, 1, STRAIT_FOREVER), 0);
    assert_int_equal(strait_op_recv(loop, &in.op, fds[0], NULL, 0, STRAIT_FOREVER), -EBUSY);
    assert_int_equal(strait_op_timer(loop, &in.op, STRAIT_NOW), -EBUSY);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(finish(loop, &in), 1); /* the first flight went on unharmed */
    assert_int_equal(got, 'x');
    close(fds[0]);
    close(fds[1]);
    strait_loop_destroy(loop);
}

static struct probe last_words;
static int last_start;

static void restart(struct strait_op *op, int res)
{
    note(op, res);
    last_start = strait_op_timer(((struct probe *)op)->loop, &last_words.op, STRAIT_NOW);
}

static void destroyed_with_ops_in_flight(void **state)
{
    struct strait_loop *loop = make();
    struct probe *many = calloc(1000, sizeof *many);
    struct probe t = fresh();
    uint32_t word = 7;
    char got[500];
    int fds[2], spare = dup(0);

    (void)state;
    pair(fds);
    last_words = fresh();
    for (int i = 0; i < 1000; i++) {
        many[i].op.done = note;
        if (i % 2)
            assert_int_equal(strait_op_recv(loop, &many[i].op, fds[0], &got[i / 2], 1, strait_after_ns(9000 * MS)), 0);
        else
            assert_int_equal(strait_op_bell(loop, &many[i].op, &word, 7, STRAIT_FOREVER), 0);
    }
    t.op.done = restart;
    t.loop = loop;
    assert_int_equal(strait_op_timer(loop, &t.op, STRAIT_FOREVER), 0);
    many[0].op.done = note;
    last_start = UNTOUCHED;
    struct probe closing = fresh();
    assert_int_equal(strait_op_close(loop, &closing.op, spare), 0);
    assert_int_equal(strait_loop_pending(loop), 1002);
    strait_loop_destroy(loop);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(many[i].calls, 1);
        assert_int_equal(many[i].res, -ECANCELED);
    }
    assert_int_equal(t.res, -ECANCELED);
    assert_int_equal(last_start, -ECANCELED); /* nothing starts in a loop that goes */
    assert_int_equal(closing.res, 0);         /* a close is a close */
    close(fds[0]);
    close(fds[1]);
    free(many);
}

static void *ring_the_bell(void *arg)
{
    uint32_t *word = arg;

    __atomic_store_n(word, 8, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
    return NULL;
}

static void bell(void **state)
{
    struct strait_loop *loop = make();
    struct probe p = fresh();
    static uint32_t word = 7;
    pthread_t thread;

    (void)state;
    assert_int_equal(strait_op_bell(loop, &p.op, &word, 6, STRAIT_FOREVER), 0);
    assert_int_equal(finish(loop, &p), 1); /* the word is not 6 */
    p = fresh();
    assert_int_equal(strait_op_bell(loop, &p.op, &word, 7, strait_after_ns(10 * MS)), 0);
    assert_int_equal(finish(loop, &p), -ETIMEDOUT);
    p = fresh();
    assert_int_equal(strait_op_bell(loop, &p.op, &word, 7, STRAIT_FOREVER), 0);
    assert_int_equal(strait_loop_step(loop, STRAIT_NOW), 0); /* armed */
    pthread_create(&thread, NULL, ring_the_bell, &word);
    assert_int_equal(finish(loop, &p), 0);
    pthread_join(thread, NULL);
    strait_loop_destroy(loop);
}

static struct strait_loop *alarmed;

static void on_alarm(int signal)
{
    (void)signal;
    strait_loop_stop(alarmed);
}

static void *poke(void *arg)
{
    pthread_kill(*(pthread_t *)arg, SIGUSR1);
    return NULL;
}

/* The signal is sent once a timer has shown that the loop is inside its step; it may still come before the sleep, which
 * is why the step after it is short, and either answer right. */
static void signals(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct strait_loop *loop = alarmed = make();
    struct probe p = fresh();
    pthread_t self = pthread_self(), thread;
    int fds[2], ran;
    char got;

    (void)state;
    pair(fds);
    sigaction(SIGUSR1, &action, NULL);
    assert_int_equal(strait_op_recv(loop, &p.op, fds[0], &got, 1, STRAIT_FOREVER), 0);
    pthread_create(&thread, NULL, poke, &self);
    ran = strait_loop_step(loop, strait_after_ns(1000 * MS));
    assert_true(ran == -EINTR || ran == 0);
    pthread_join(thread, NULL);
    assert_int_equal(strait_loop_run(loop, SOON), 0); /* stopped by the handler, the op still in flight */
    assert_int_equal(p.calls, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(strait_loop_run(loop, SOON), 0);
    assert_int_equal(p.res, 1);
    assert_int_equal(strait_loop_run(loop, SOON), 0); /* nothing to wait for */
    close(fds[0]);
    close(fds[1]);
    strait_loop_destroy(loop);
}

static void run_ends_in_time(void **state)
{
    struct strait_loop *loop = make();
    struct probe p = fresh();

    (void)state;
    assert_int_equal(strait_op_timer(loop, &p.op, STRAIT_FOREVER), 0);
    assert_int_equal(strait_loop_run(loop, strait_after_ns(10 * MS)), -ETIMEDOUT);
    assert_int_equal(strait_loop_run(loop, STRAIT_NOW), -ETIMEDOUT);
    strait_loop_destroy(loop);
}

static void forked_child_is_refused(void **state)
{
    struct strait_loop *loop = make();
    struct probe p = fresh();
    int status;
    pid_t child;

    (void)state;
    assert_int_equal(strait_op_timer(loop, &p.op, STRAIT_FOREVER), 0);
    child = fork();
    if (child == 0) {
        struct probe mine = fresh();
        bool good = strait_loop_step(loop, STRAIT_NOW) == -ECHILD && strait_op_cancel(&p.op) == -ECHILD &&
                    strait_op_timer(loop, &mine.op, STRAIT_NOW) == -ECHILD && strait_loop_run(loop, SOON) == -ECHILD;
        strait_loop_destroy(loop);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(p.calls, 0);
    assert_int_equal(strait_op_cancel(&p.op), 0);
    assert_int_equal(finish(loop, &p), -ECANCELED);
    strait_loop_destroy(loop);
}

/* Thousands of deadlines in random order come out sorted, with half of them taken out on the way. */
static uint64_t latest_ns;
static int out_of_order;

static void in_order(struct strait_op *op, int res)
{
    note(op, res);
    if (res == 0 && op->deadline_ns < latest_ns)
        out_of_order++;
    if (res == 0)
        latest_ns = op->deadline_ns;
}

static void thousands_of_deadlines(void **state)
{
    enum { N = 5000 };
    struct strait_loop *loop = make();
    struct probe *many = calloc(N, sizeof *many);
    uint64_t from_ns = strait_after_ns(20 * MS);

    (void)state;
    srandom(1);
    latest_ns = 0;
    out_of_order = 0;
    for (int i = 0; i < N; i++) {
        many[i].op.done = in_order;
        assert_int_equal(strait_op_timer(loop, &many[i].op, from_ns + (uint64_t)(random() % 1000) * 20000), 0);
    }
    for (int i = 0; i < N; i += 2)
        assert_int_equal(strait_op_cancel(&many[i].op), 0);
    assert_int_equal(strait_loop_run(loop, SOON), 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(many[i].calls, 1);
        assert_int_equal(many[i].res, i % 2 ? 0 : -ECANCELED);
    }
    assert_int_equal(out_of_order, 0);
    free(many);
    strait_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(send_and_receive),
        cmocka_unit_test(files),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(cancel),
        cmocka_unit_test(busy_and_nonsense),
        cmocka_unit_test(destroyed_with_ops_in_flight),
        cmocka_unit_test(bell),
        cmocka_unit_test(signals),
        cmocka_unit_test(run_ends_in_time),
        cmocka_unit_test(forked_child_is_refused),
        cmocka_unit_test(thousands_of_deadlines),
    };
    struct strait_loop *loop;

    if (strait_loop_create(&loop, 0) == -EPERM) {
        print_message("SKIPPED %s\n", strait_loop_why());
        return 77;
    }
    strait_loop_destroy(loop);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
