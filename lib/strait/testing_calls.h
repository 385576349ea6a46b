/* SPDX-License-Identifier: MIT */
/** What testing.h puts in the place of the calls of strait. Each does what the call does, by the test's clock, with its faults. */
#ifndef STRAIT_TESTING_CALLS_H
#define STRAIT_TESTING_CALLS_H

#include <strait/strait.h>

STRAIT_BEGIN_DECLS

/* In place of the calls of the same name without `testing_`. */
uint64_t strait_testing_now_ns(void);
uint64_t strait_testing_after_ns(uint64_t ns);
int strait_testing_attach(const char *name, const struct strait_segment_options *options,
                          struct strait_segment **segment);
int strait_testing_attach_unnamed(const struct strait_segment_options *options, struct strait_segment **segment);
int strait_testing_attach_fd(int fd, const struct strait_segment_options *options, struct strait_segment **segment);
int strait_testing_segment_remove(const char *name, const char *directory);
int strait_testing_try_send(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes);
int strait_testing_send(struct strait_tx *tx, const void *data, uint32_t bytes, uint64_t deadline_ns);
int strait_testing_send_tagged(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes,
                               uint64_t deadline_ns);
int strait_testing_send_many(struct strait_tx *tx, const struct strait_out *out, uint32_t n, uint64_t deadline_ns);
int strait_testing_send_array(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, uint32_t n,
                              uint64_t deadline_ns);
int strait_testing_send_key(struct strait_tx *tx, uint64_t key, uint16_t tag, const void *data, uint32_t bytes,
                            uint64_t deadline_ns);
int strait_testing_claim(struct strait_tx *tx, struct strait_claim *claim, uint64_t deadline_ns);
int64_t strait_testing_try_recv(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info);
int64_t strait_testing_recv(struct strait_rx *rx, void *to, uint32_t size, uint64_t deadline_ns);
int64_t strait_testing_recv_info(struct strait_rx *rx, void *to, uint32_t size, struct strait_msg *info,
                                 uint64_t deadline_ns);
int strait_testing_recv_many(struct strait_rx *rx, struct strait_in *in, uint32_t n, uint64_t deadline_ns);
int strait_testing_recv_array(struct strait_rx *rx, void *to, uint32_t bytes, uint32_t n, uint64_t deadline_ns);
int strait_testing_peek(struct strait_rx *rx, struct strait_msg *msg, uint64_t deadline_ns);
int strait_testing_request(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes,
                           uint64_t job_deadline_ns, struct strait_reply_rx *reply, uint64_t deadline_ns);
int64_t strait_testing_call(struct strait_tx *tx, uint16_t tag, const void *data, uint32_t bytes, void *to,
                            uint32_t size, struct strait_msg *info, uint64_t deadline_ns);
int64_t strait_testing_reply_recv(struct strait_reply_rx *reply, void *to, uint32_t size, struct strait_msg *info,
                                  uint64_t deadline_ns);
int strait_testing_reply_peek(struct strait_reply_rx *reply, struct strait_msg *msg, uint64_t deadline_ns);
int strait_testing_answer_send(struct strait_answer *answer, uint16_t tag, uint16_t flags, const void *data,
                               uint32_t bytes, uint64_t deadline_ns);
int strait_testing_answer_claim(struct strait_answer *answer, struct strait_claim *claim, uint64_t deadline_ns);
int strait_testing_task_answer(struct strait_task *task, uint16_t flags, const void *data, uint32_t bytes);
int64_t strait_testing_pool_execute(struct strait_pool *pool, uint16_t tag, const void *data, uint32_t bytes, void *to,
                                    uint32_t size, int *remote, uint64_t deadline_ns);
int strait_testing_pool_submit(struct strait_pool *pool, uint16_t tag, const void *data, uint32_t bytes,
                               uint64_t job_deadline_ns, struct strait_reply_rx *reply, uint64_t deadline_ns);
int strait_testing_region_lock(struct strait_region *region, uint64_t deadline_ns);
int strait_testing_region_lock_for_heal(struct strait_region *region, uint64_t deadline_ns);
int strait_testing_region_read_lock(struct strait_region *region, uint64_t deadline_ns);
int strait_testing_region_lock_all(struct strait_region *const *regions, unsigned n, uint64_t deadline_ns);

STRAIT_END_DECLS

#ifndef STRAIT_TESTING_PLAIN /* the kit itself: no calls are replaced */
#define strait_now_ns               strait_testing_now_ns
#define strait_after_ns             strait_testing_after_ns
#define strait_attach               strait_testing_attach
#define strait_attach_unnamed       strait_testing_attach_unnamed
#define strait_attach_fd            strait_testing_attach_fd
#define strait_segment_remove       strait_testing_segment_remove
#define strait_try_send             strait_testing_try_send
#define strait_send                 strait_testing_send
#define strait_send_tagged          strait_testing_send_tagged
#define strait_send_many            strait_testing_send_many
#define strait_send_array           strait_testing_send_array
#define strait_send_key             strait_testing_send_key
#define strait_claim(...)           strait_testing_claim(__VA_ARGS__) /* `struct strait_claim` stays */
#define strait_try_recv             strait_testing_try_recv
#define strait_recv                 strait_testing_recv
#define strait_recv_info            strait_testing_recv_info
#define strait_recv_many            strait_testing_recv_many
#define strait_recv_array           strait_testing_recv_array
#define strait_peek                 strait_testing_peek
#define strait_request              strait_testing_request
#define strait_call                 strait_testing_call
#define strait_reply_recv           strait_testing_reply_recv
#define strait_reply_peek           strait_testing_reply_peek
#define strait_answer_send          strait_testing_answer_send
#define strait_answer_claim         strait_testing_answer_claim
#define strait_task_answer          strait_testing_task_answer
#define strait_pool_execute         strait_testing_pool_execute
#define strait_pool_submit          strait_testing_pool_submit
#define strait_region_lock          strait_testing_region_lock
#define strait_region_lock_for_heal strait_testing_region_lock_for_heal
#define strait_region_read_lock     strait_testing_region_read_lock
#define strait_region_lock_all      strait_testing_region_lock_all
#endif

#endif
