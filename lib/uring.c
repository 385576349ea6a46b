/* SPDX-License-Identifier: MIT */
/*
 * Opcodes in use: CONNECT RECV SEND CLOSE OPENAT STATX READ POLL_ADD FUTEX_WAIT ASYNC_CANCEL. Never IOPOLL, registered
 * buffers, zero-copy or splice: the kernel could write into, or send from, a slot that has changed hands.
 */
#include "uring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Newer than Debian 12's liburing 2.3. */
#define STRAIT_IORING_OP_FUTEX_WAIT 51
#define STRAIT_FUTEX2_SIZE_U32      2 /* and not FUTEX2_PRIVATE: bells lie in shared memory */

#define STRAIT_URING_ENTRIES 256
#define STRAIT_URING_MOST    4096

struct strait_uring {
    struct io_uring ring;
    bool futex;
    bool poll_first; /* a receive may be told that nothing is there yet */
    int fd;          /* eventfd that completions are told to, for somebody else's loop; -1 = nobody asked */
};

static const uint8_t strait_uring_needs[] = {IORING_OP_CONNECT, IORING_OP_RECV,     IORING_OP_SEND,
                                             IORING_OP_CLOSE,   IORING_OP_OPENAT,   IORING_OP_STATX,
                                             IORING_OP_READ,    IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL};

static const char *strait_uring_excuse(int error)
{
    switch (error) {
    case -EPERM:
    case -EACCES:
        return "io_uring is forbidden here: a container's seccomp filter, or sysctl kernel.io_uring_disabled";
    case -ENOSYS:
        return "this kernel has no io_uring";
    case -ENOMEM:
        return "no memory for an io_uring: on kernels before 5.12 raise the locked-memory limit (ulimit -l)";
    default:
        return "io_uring_setup failed";
    }
}

/* DEFER_TASKRUN saves interrupts and wakes where the kernel (6.1) has it; the plain ring is the same to us. */
static int strait_uring_setup(struct io_uring *ring, uint32_t entries, bool *deferred)
{
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                     .cq_entries = entries * 4};
    int error = io_uring_queue_init_params(entries, ring, &params);

    *deferred = error == 0;
    if (error == -EINVAL) {
        params = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE, .cq_entries = entries * 4};
        error = io_uring_queue_init_params(entries, ring, &params);
    }
    if (error == 0 &&
        (params.features & (IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP)) != (IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP)) {
        io_uring_queue_exit(ring);
        return -ENOSYS;
    }
    return error;
}

static int strait_uring_check(struct io_uring *ring, bool *futex)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    int error = 0;

    if (!probe)
        return -ENOSYS;
    for (size_t i = 0; i < sizeof strait_uring_needs; i++)
        if (!io_uring_opcode_supported(probe, strait_uring_needs[i]))
            error = -ENOSYS;
    *futex = io_uring_opcode_supported(probe, STRAIT_IORING_OP_FUTEX_WAIT);
    io_uring_free_probe(probe);
    return error;
}

static int strait_uring_begin(struct strait_uring *io, uint32_t entries, bool *deferred, const char **why)
{
    int error = strait_uring_setup(&io->ring, entries, deferred);

    io->poll_first = *deferred; /* of 5.19, and that of 6.1 */
    if (error) {
        *why = strait_uring_excuse(error);
        return error;
    }
    error = strait_uring_check(&io->ring, &io->futex);
    if (error) {
        *why = "this kernel's io_uring lacks an operation that the loop needs";
        io_uring_queue_exit(&io->ring);
    }
    return error;
}

int strait_uring_probe(struct strait_uring_features *features, const char **why)
{
    struct strait_uring io;
    bool deferred;
    int error = strait_uring_begin(&io, 2, &deferred, why);

    if (error)
        return error;
    io_uring_queue_exit(&io.ring);
    *features = (struct strait_uring_features){.futex = io.futex, .defer_taskrun = deferred};
    return 0;
}

static int strait_uring_open(uint32_t ops, void **io, const char **why)
{
    uint32_t entries = ops ? ops : STRAIT_URING_ENTRIES;
    struct strait_uring *self = calloc(1, sizeof *self);
    bool deferred;
    int error;

    if (!self)
        return -ENOMEM;
    if (entries > STRAIT_URING_MOST)
        entries = STRAIT_URING_MOST;
    error = strait_uring_begin(self, entries, &deferred, why);
    if (error) {
        free(self);
        return error;
    }
    io_uring_ring_dontfork(&self->ring);
    self->fd = -1;
    *io = self;
    return 0;
}

static void strait_uring_close(void *io)
{
    struct strait_uring *self = io;

    io_uring_queue_exit(&self->ring);
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}

/* The ring's memory was not mapped into the child, but its descriptor was inherited, and would keep the parent's ring. */
static void strait_uring_forget(void *io)
{
    struct strait_uring *self = io;

    close(self->ring.ring_fd);
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}

/* Not the ring's own descriptor: polled with epoll, a DEFER_TASKRUN ring misses wakes of futexes. */
static int strait_uring_fd(void *io)
{
    struct strait_uring *self = io;
    int fd, error;

    if (self->fd >= 0)
        return self->fd;
    fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    error = io_uring_register_eventfd(&self->ring, fd);
    if (error) {
        close(fd);
        return error;
    }
    self->fd = fd;
    return fd;
}

static bool strait_uring_bells(void *io)
{
    return ((struct strait_uring *)io)->futex;
}

/* Moves the completions that are there into the loop. Only remembers them: no done runs here. */
static uint32_t strait_uring_harvest(struct strait_uring *self)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    uint32_t n = 0;

    io_uring_for_each_cqe(&self->ring, head, cqe)
    {
        struct strait_op *op = io_uring_cqe_get_data(cqe);
        n++;
        if (op) /* else the answer to a cancel: the op itself answers too */
            strait_op_complete(op, op->kind == STRAIT_OP_BELL && cqe->res == -EAGAIN ? 1 : cqe->res);
    }
    io_uring_cq_advance(&self->ring, n);
    return n;
}

static struct io_uring_sqe *strait_uring_sqe(struct strait_uring *self)
{
    for (int tries = 0; tries < 8; tries++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
        if (sqe)
            return sqe;
        /* Full: hand over what is there. -EBUSY wants the completions taken first. */
        io_uring_submit(&self->ring);
        strait_uring_harvest(self);
    }
    return NULL;
}

static void strait_uring_prepare_bell(struct io_uring_sqe *sqe, const struct strait_op *op)
{
    io_uring_prep_rw(STRAIT_IORING_OP_FUTEX_WAIT, sqe, STRAIT_FUTEX2_SIZE_U32, op->addr, 0, op->arg);
    sqe->addr3 = UINT32_MAX; /* futex bitset: any waker */
}

static void strait_uring_prepare(const struct strait_uring *self, struct io_uring_sqe *sqe, const struct strait_op *op)
{
    switch (op->kind) {
    case STRAIT_OP_CONNECT:
        io_uring_prep_connect(sqe, op->fd, op->addr, op->bytes);
        break;
    case STRAIT_OP_RECV:
        io_uring_prep_recv(sqe, op->fd, op->addr, op->bytes, 0);
        if (op->arg && self->poll_first)
            sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
        break;
    case STRAIT_OP_SEND:
        io_uring_prep_send(sqe, op->fd, op->addr, op->bytes, MSG_NOSIGNAL);
        break;
    case STRAIT_OP_CLOSE:
        io_uring_prep_close(sqe, op->fd);
        break;
    case STRAIT_OP_OPEN:
        io_uring_prep_openat(sqe, op->fd, op->addr, (int)op->arg, 0);
        break;
    case STRAIT_OP_STAT:
        io_uring_prep_statx(sqe, op->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, op->addr);
        break;
    case STRAIT_OP_READ:
        io_uring_prep_read(sqe, op->fd, op->addr, op->bytes, op->offset);
        break;
    case STRAIT_OP_POLL:
        io_uring_prep_poll_add(sqe, op->fd, op->arg);
        break;
    default:
        strait_uring_prepare_bell(sqe, op);
        break;
    }
}

static int strait_uring_start(void *io, struct strait_op *op)
{
    struct io_uring_sqe *sqe = strait_uring_sqe(io);

    if (!sqe)
        return -EAGAIN;
    strait_uring_prepare(io, sqe, op);
    io_uring_sqe_set_data(sqe, op);
    return 0;
}

/* By the op's address. Safe although the op may complete and start anew before the cancel is submitted: the queue keeps
 * order, so the cancel runs before the new flight begins. */
static int strait_uring_cancel(void *io, struct strait_op *op)
{
    struct io_uring_sqe *sqe = strait_uring_sqe(io);

    if (!sqe)
        return -EAGAIN;
    io_uring_prep_cancel(sqe, op, 0);
    io_uring_sqe_set_data(sqe, NULL);
    return 0;
}

static int strait_uring_wait(void *io, uint64_t timeout_ns)
{
    struct strait_uring *self = io;
    struct io_uring_cqe *cqe;
    struct __kernel_timespec ts = {.tv_sec = (int64_t)(timeout_ns / 1000000000),
                                   .tv_nsec = (long long)(timeout_ns % 1000000000)};
    eventfd_t count;
    int error;

    if (self->fd >= 0) /* before the look, or its news would be taken back */
        eventfd_read(self->fd, &count);
    if (timeout_ns == STRAIT_FOREVER)
        error = io_uring_submit_and_wait(&self->ring, 1);
    else if (timeout_ns)
        error = io_uring_submit_and_wait_timeout(&self->ring, &cqe, 1, &ts, NULL);
    else
        error = io_uring_submit_and_get_events(&self->ring);
    if (strait_uring_harvest(self))
        return 0;
    /* -ETIME: nothing came. -EBUSY, -EAGAIN: the kernel wants us to come again, which the loop does. */
    return error >= 0 || error == -ETIME || error == -EBUSY || error == -EAGAIN ? 0 : error;
}

const struct strait_io_method strait_uring_method = {
    .name = "uring",
    .open = strait_uring_open,
    .close = strait_uring_close,
    .forget = strait_uring_forget,
    .start = strait_uring_start,
    .cancel = strait_uring_cancel,
    .wait = strait_uring_wait,
    .fd = strait_uring_fd,
    .bells = strait_uring_bells,
};
