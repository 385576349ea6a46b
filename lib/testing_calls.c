/* SPDX-License-Identifier: MIT */
/* What stands in for the library's calls in code that includes strait/testing.h. */
#define STRAIT_TESTING_PLAIN
#include "testing.h"

#include <errno.h>

/* Make the call in slices of real time, until it says something else than -ETIMEDOUT or the test's clock has come to its
 * deadline. `until` is what the call is given. */
#define IN_SLICES(type, deadline_ns, call)                                                                             \
    do {                                                                                                               \
        bool last;                                                                                                     \
        type r;                                                                                                        \
        do {                                                                                                           \
            uint64_t until = testing_slice(deadline_ns, &last);                                                        \
            r = (call);                                                                                                \
        } while (r == -ETIMEDOUT && !last);                                                                            \
        return r;                                                                                                      \
    } while (0)

#define UNLESS_FAULT(call, deadline_ns)                                                                                \
    do {                                                                                                               \
        int fault = testing_fault(call, deadline_ns);                                                                  \
        if (fault < 0)                                                                                                 \
            return fault;                                                                                              \
    } while (0)

/* ---- sending ---- */

int strait_testing_try_send(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes)
{
    UNLESS_FAULT(STRAIT_TESTING_SEND, STRAIT_NOW);
    return strait_try_send(tx, tag, data, bytes);
}

int strait_testing_send_tagged(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes,
                               uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_SEND, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_send_tagged(tx, tag, data, bytes, until));
}

int strait_testing_send(struct strait_tx *tx, const void *data, uint32_t bytes, uint64_t deadline_ns)
{
    return strait_testing_send_tagged(tx, 0, data, bytes, deadline_ns);
}

int strait_testing_send_many(struct strait_tx *tx, const struct strait_out *out, uint32_t n, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_SEND, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_send_many(tx, out, n, until));
}

int strait_testing_send_array(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint32_t n,
                              uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_SEND, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_send_array(tx, tag, data, bytes, n, until));
}

int strait_testing_send_key(struct strait_tx *tx, uint64_t key, uint16_t tag, const void *data, uint32_t bytes,
                            uint64_t deadline_ns)
{
    int r = strait_tx_key(tx, key);
    return r < 0 ? r : strait_testing_send_tagged(tx, tag, data, bytes, deadline_ns);
}

int strait_testing_claim(struct strait_tx *tx, struct strait_claim *claim, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_SEND, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_claim(tx, claim, until));
}

/* ---- receiving ---- */

int64_t strait_testing_try_recv(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info)
{
    UNLESS_FAULT(STRAIT_TESTING_RECV, STRAIT_NOW);
    return strait_try_recv(rx, to, size, info);
}

int64_t strait_testing_recv_info(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info,
                                 uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_RECV, deadline_ns);
    IN_SLICES(int64_t, deadline_ns, strait_recv_info(rx, to, size, info, until));
}

int64_t strait_testing_recv(struct strait_rx *rx, void *to, uint32_t size, uint64_t deadline_ns)
{
    return strait_testing_recv_info(rx, to, size, NULL, deadline_ns);
}

int strait_testing_recv_many(struct strait_rx *rx, struct strait_in *in, uint32_t n, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_RECV, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_recv_many(rx, in, n, until));
}

int strait_testing_recv_array(struct strait_rx *rx, void *to, uint32_t bytes, uint32_t n, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_RECV, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_recv_array(rx, to, bytes, n, until));
}

int strait_testing_peek(struct strait_rx *rx, struct strait_msg *msg, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_RECV, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_peek(rx, msg, until));
}

/* ---- requests and answers ---- */

int strait_testing_request(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes,
                           uint64_t job_deadline_ns, struct strait_reply_rx *reply, uint64_t deadline_ns)
{
    uint64_t job_ns = testing_real(job_deadline_ns);

    UNLESS_FAULT(STRAIT_TESTING_REQUEST, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_request(tx, tag, data, bytes, job_ns, reply, until));
}

/* A call is made once, whatever its parts take: its deadline is where the clock stood at its beginning. */
int64_t strait_testing_call(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, void *to,
                            uint32_t size, struct strait_msg *info, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_REQUEST, deadline_ns);
    return strait_call(tx, tag, data, bytes, to, size, info, testing_real(deadline_ns));
}

int64_t strait_testing_reply_recv(struct strait_reply_rx *reply, void *to, uint32_t size, struct strait_msg *info,
                                  uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_REPLY, deadline_ns);
    IN_SLICES(int64_t, deadline_ns, strait_reply_recv(reply, to, size, info, until));
}

int strait_testing_reply_peek(struct strait_reply_rx *reply, struct strait_msg *msg, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_REPLY, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_reply_peek(reply, msg, until));
}

int strait_testing_answer_send(struct strait_answer *answer, uint16_t tag, uint16_t flags, const void *data,
                               uint32_t bytes, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_ANSWER, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_answer_send(answer, tag, flags, data, bytes, until));
}

int strait_testing_answer_claim(struct strait_answer *answer, struct strait_claim *claim, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_ANSWER, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_answer_claim(answer, claim, until));
}

int strait_testing_task_answer(struct strait_task *task, uint16_t flags, const void *data, uint32_t bytes)
{
    UNLESS_FAULT(STRAIT_TESTING_ANSWER, STRAIT_FOREVER);
    return strait_task_answer(task, flags, data, bytes);
}

int64_t strait_testing_pool_execute(struct strait_pool *pool, uint16_t tag, const void *data, uint32_t bytes, void *to,
                                    uint32_t size, int *remote, uint64_t deadline_ns)
{
    UNLESS_FAULT(STRAIT_TESTING_REQUEST, deadline_ns);
    return strait_pool_execute(pool, tag, data, bytes, to, size, remote, testing_real(deadline_ns));
}

int strait_testing_pool_submit(struct strait_pool *pool, uint16_t tag, const void *data, uint32_t bytes,
                               uint64_t job_deadline_ns, struct strait_reply_rx *reply, uint64_t deadline_ns)
{
    uint64_t job_ns = testing_real(job_deadline_ns);

    UNLESS_FAULT(STRAIT_TESTING_REQUEST, deadline_ns);
    IN_SLICES(int, deadline_ns, strait_pool_submit(pool, tag, data, bytes, job_ns, reply, until));
}

/* ---- locks ---- */

/* A fault of LOCK: 0, or what to answer. A death is a real one: then the lock itself tells of it. */
static int lock_fault(struct strait_region *region, uint64_t deadline_ns)
{
    int r = testing_fault(STRAIT_TESTING_LOCK, deadline_ns);
    return r == -EOWNERDEAD ? testing_die_inside(region) : r;
}

int strait_testing_region_lock(struct strait_region *region, uint64_t deadline_ns)
{
    int fault = lock_fault(region, deadline_ns);

    if (fault < 0)
        return fault;
    IN_SLICES(int, deadline_ns, strait_region_lock(region, until));
}

int strait_testing_region_lock_for_heal(struct strait_region *region, uint64_t deadline_ns)
{
    int fault = lock_fault(region, deadline_ns);

    if (fault < 0)
        return fault;
    IN_SLICES(int, deadline_ns, strait_region_lock_for_heal(region, until));
}

int strait_testing_region_read_lock(struct strait_region *region, uint64_t deadline_ns)
{
    int fault = lock_fault(region, deadline_ns);

    if (fault < 0)
        return fault;
    IN_SLICES(int, deadline_ns, strait_region_read_lock(region, until));
}

int strait_testing_region_lock_all(struct strait_region *const *regions, unsigned n, uint64_t deadline_ns)
{
    int fault = n ? lock_fault(regions[0], deadline_ns) : 0;

    if (fault < 0)
        return fault;
    IN_SLICES(int, deadline_ns, strait_region_lock_all(regions, n, until));
}
