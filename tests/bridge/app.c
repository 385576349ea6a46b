/* SPDX-License-Identifier: MIT */
/**
 * The programs of the bridge's tests. They know nothing of a bridge: a producer, a consumer, a caller, a worker, each of
 * the installed headers only.
 *
 *   app produce SEGMENT CHANNEL FROM COUNT [shut|PAUSE_US]   numbers; "sent N" when all are in the ring, else "sent-until N"
 *   app pack    SEGMENT CHANNEL COUNT               as produce … shut, in packs: numbers of one size and tag, 0, 48, 96 …
 *   app consume SEGMENT CHANNEL [PAUSE_US]          "N ATTEMPTS" for each, until the channel closes; peek … release
 *   app work    SEGMENT POOL                        answers N with N * 2 + 1, big ones (tag 7) with N parts
 *   app call    SEGMENT POOL FROM COUNT [DEADLINE_MS]   "N ANSWER", "N -errno" or "N remote -errno"
 *   app big     SEGMENT POOL PARTS PAUSE_US         one call whose answer is a stream; "parts N restarts R"
 *   app make    SEGMENT channel|pool|region|counter NAME [SLOT_BYTES [DEPTH [FULL]]]
 *   app fetch   SEGMENT CHANNEL                     a worker of strait-fetch
 *   app try     SEGMENT CHANNEL                     sends without waiting until it gets -EAGAIN; "full after N"
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strait/error.h>
#include <strait/strait.h>

#define SLOT_BYTES  64
#define DEPTH       256
#define PATIENCE_NS UINT64_C(60000000000)
#define PART_BYTES  1000
#define PACK        8

static int say(int r, const char *what)
{
    fprintf(stderr, "app: %s: %s (%s)\n", what, strait_strerror(-r), strait_error());
    return 1;
}

static const struct strait_channel_options channel = {
    .slot_bytes = SLOT_BYTES, .depth = DEPTH, .max_attempts = 31, .peek_window = 64};

static int send_number(struct strait_tx *tx, uint64_t n, uint64_t deadline_ns)
{
    unsigned char bytes[SLOT_BYTES] = {0};

    memcpy(bytes, &n, sizeof n);
    return strait_send_tagged(tx, (uint16_t)(n % 16), bytes, (uint32_t)(sizeof n + n % 48), deadline_ns);
}

static int produce(struct strait_segment *segment, char **word, int words)
{
    uint64_t from = strtoull(word[1], NULL, 10), count = strtoull(word[2], NULL, 10);
    bool shut = words > 3 && strcmp(word[3], "shut") == 0;
    useconds_t pause_us = words > 3 && !shut ? (useconds_t)atoi(word[3]) : 0;
    struct strait_tx *tx;
    int r = strait_tx_open(segment, word[0], &channel, &tx);

    if (r < 0)
        return say(r, "tx_open");
    for (uint64_t n = from; n < from + count; n++) {
        r = send_number(tx, n, strait_after_ns(PATIENCE_NS));
        if (r < 0) {
            printf("sent-until %llu\n", (unsigned long long)n);
            return say(r, "send");
        }
        if (pause_us)
            usleep(pause_us); /* a slow producer: not all of it is in the stream at once */
    }
    printf("sent %llu\n", (unsigned long long)count);
    fflush(stdout);
    if (shut)
        r = strait_channel_shut(segment, word[0]);
    else
        pause(); /* as long as we are here, the channel has a sender */
    strait_tx_close(tx);
    return r < 0 ? say(r, "shut") : 0;
}

static int pack(struct strait_segment *segment, char **word)
{
    struct strait_channel_options options = {.slot_bytes = PACK * sizeof(uint64_t), .packed = true};
    uint64_t count = strtoull(word[1], NULL, 10), n = 0, numbers[PACK];
    struct strait_tx *tx;
    int r = strait_tx_open(segment, word[0], &options, &tx);

    while (r >= 0 && n < count) {
        for (unsigned i = 0; i < PACK; i++)
            numbers[i] = (n + i) * 48;
        r = strait_send_array(tx, 0, numbers, sizeof numbers[0], PACK, strait_after_ns(PATIENCE_NS));
        n += r > 0 ? (uint64_t)r : 0;
    }
    if (r >= 0)
        r = strait_channel_shut(segment, word[0]);
    return r < 0 ? say(r, "pack") : 0;
}

static int try_send(struct strait_segment *segment, char **word)
{
    struct strait_tx *tx;
    uint64_t n = 0;
    int r = strait_tx_open(segment, word[0], &channel, &tx);

    if (r < 0)
        return say(r, "tx_open");
    while ((r = send_number(tx, n, strait_after_ns(UINT64_C(2000000000)))) == 0)
        n++;
    printf("full after %llu: %d\n", (unsigned long long)n, r);
    strait_tx_close(tx);
    return r == -EAGAIN || r == -ETIMEDOUT ? 0 : say(r, "send");
}

static int consume(struct strait_segment *segment, char **word, int words)
{
    useconds_t pause_us = words > 1 ? (useconds_t)atoi(word[1]) : 0;
    struct strait_rx *rx;
    struct strait_msg msg;
    int r = strait_rx_open(segment, word[0], &channel, &rx);

    if (r < 0)
        return say(r, "rx_open");
    printf("ready\n");
    fflush(stdout);
    while ((r = strait_peek(rx, &msg, STRAIT_FOREVER)) == 0) {
        uint64_t n;

        memcpy(&n, msg.data, sizeof n);
        if (msg.bytes != sizeof n + n % 48 || msg.tag != n % 16)
            return say(-EBADMSG, "a message is not what was sent");
        printf("%llu %u\n", (unsigned long long)n, msg.attempts);
        fflush(stdout); /* written before the release: what is released was seen */
        if (pause_us)
            usleep(pause_us); /* a slow consumer */
        strait_release(rx, &msg);
    }
    strait_rx_close(rx);
    return r == -EPIPE ? 0 : say(r, "peek");
}

static int handle(struct strait_task *task, void *context)
{
    unsigned char bytes[PART_BYTES] = {0};
    uint64_t n;

    (void)context;
    memcpy(&n, task->data, sizeof n);
    if (task->tag == 7) {
        for (uint64_t i = 0; i < n; i++) {
            int r;
            memcpy(bytes, &i, sizeof i);
            r = strait_task_answer(task, i + 1 == n ? STRAIT_MSG_LAST : 0, bytes, sizeof bytes);
            if (r < 0) {
                printf("unwanted after %llu\n", (unsigned long long)i);
                fflush(stdout);
                return r;
            }
        }
        return 0;
    }
    if (task->tag == 8)
        return -EDOM;
    printf("%llu %u\n", (unsigned long long)n, task->attempts);
    fflush(stdout);
    n = n * 2 + 1;
    return strait_task_answer(task, STRAIT_MSG_LAST, &n, sizeof n);
}

static int work(struct strait_segment *segment, char **word)
{
    struct strait_pool *pool;
    int r = strait_pool_open(segment, word[0], NULL, &pool);

    if (r < 0)
        return say(r, "pool_open");
    printf("ready\n");
    fflush(stdout);
    r = strait_pool_serve(pool, handle, NULL, STRAIT_FOREVER);
    return r < 0 ? say(r, "serve") : 0;
}

static int call(struct strait_segment *segment, char **word, int words)
{
    uint64_t from = strtoull(word[1], NULL, 10), count = strtoull(word[2], NULL, 10);
    uint64_t deadline_ns = words > 3 ? strtoull(word[3], NULL, 10) * 1000000 : PATIENCE_NS;
    struct strait_pool *pool;
    int r = strait_pool_open(segment, word[0], NULL, &pool);

    if (r < 0)
        return say(r, "pool_open");
    for (uint64_t n = from; n < from + count; n++) {
        uint64_t answer = 0;
        int remote = 0;
        int64_t got =
            strait_pool_execute(pool, 0, &n, sizeof n, &answer, sizeof answer, &remote, strait_after_ns(deadline_ns));
        if (got == -EREMOTEIO)
            printf("%llu remote %d\n", (unsigned long long)n, remote);
        else if (got == sizeof answer)
            printf("%llu %llu\n", (unsigned long long)n, (unsigned long long)answer);
        else
            printf("%llu %lld\n", (unsigned long long)n, (long long)got);
        fflush(stdout);
    }
    strait_pool_close(pool);
    return 0;
}

static int big(struct strait_segment *segment, char **word)
{
    uint64_t n = strtoull(word[1], NULL, 10), next = 0;
    useconds_t pause_us = (useconds_t)atoi(word[2]);
    struct strait_reply_rx reply;
    struct strait_pool *pool;
    struct strait_msg msg;
    unsigned restarts = 0;
    int r = strait_pool_open(segment, word[0], NULL, &pool);

    if (r == 0)
        r = strait_pool_submit(pool, 7, &n, sizeof n, STRAIT_FOREVER, &reply, strait_after_ns(PATIENCE_NS));
    while (r == 0 && (r = strait_reply_peek(&reply, &msg, strait_after_ns(PATIENCE_NS))) == 0) {
        uint64_t i;
        bool last = msg.flags & STRAIT_MSG_LAST;

        if (msg.flags & STRAIT_MSG_RESTART)
            next = 0, restarts++;
        memcpy(&i, msg.data, sizeof i);
        if (i != next++ || msg.bytes != PART_BYTES)
            return say(-EBADMSG, "a part is missing, twice, or not as it was");
        strait_reply_release(&reply, &msg);
        if (next == 1) {
            printf("begun\n");
            fflush(stdout);
        }
        if (last)
            break;
        if (pause_us)
            usleep(pause_us);
    }
    strait_reply_close(&reply);
    strait_pool_close(pool);
    if (r < 0)
        return say(r, "reply");
    printf("parts %llu restarts %u\n", (unsigned long long)next, restarts);
    return next == n ? 0 : say(-EPROTO, "the answer is too short");
}

static int make(struct strait_segment *segment, char **word, int words)
{
    struct strait_channel_options options = channel;
    struct strait_region_options region = {.bytes = 64};
    struct strait_region *handle_region;
    struct strait_counter *counter;
    struct strait_pool *pool;
    int r;

    if (words > 2)
        options.slot_bytes = (uint32_t)atoi(word[2]);
    if (words > 3)
        options.depth = (uint32_t)atoi(word[3]);
    if (words > 4)
        options.full = (enum strait_full)atoi(word[4]);
    if (strcmp(word[0], "channel") == 0)
        r = strait_channel_create(segment, word[1], &options);
    else if (strcmp(word[0], "pool") == 0)
        r = strait_pool_open(segment, word[1], NULL, &pool);
    else if (strcmp(word[0], "region") == 0)
        r = strait_region_open(segment, word[1], &region, &handle_region);
    else
        r = strait_counter_open(segment, word[1], NULL, &counter);
    if (r < 0)
        return say(r, "make");
    printf("made\n");
    fflush(stdout);
    pause();
    return 0;
}

static int fetch(struct strait_segment *segment, const char *name)
{
    struct strait_channel_options options = strait_fetch_channel(64);
    int r = strait_channel_create(segment, name, &options);

    if (r == 0 || r == -EEXIST)
        r = strait_fetch_serve(segment, name, NULL);
    return r < 0 ? say(r, "fetch") : 0;
}

int main(int argc, char **argv)
{
    struct strait_segment_options options = {.bytes = UINT64_C(64) << 20};
    struct strait_segment *segment;
    char **word = argv + 3;
    int words = argc - 3, r;

    if (argc < 4)
        return 2;
    r = strait_attach(argv[2], &options, &segment);
    if (r < 0)
        return say(r, "attach");
    if (strcmp(argv[1], "produce") == 0 && words >= 3)
        return produce(segment, word, words);
    if (strcmp(argv[1], "pack") == 0 && words >= 2)
        return pack(segment, word);
    if (strcmp(argv[1], "consume") == 0)
        return consume(segment, word, words);
    if (strcmp(argv[1], "work") == 0)
        return work(segment, word);
    if (strcmp(argv[1], "call") == 0 && words >= 3)
        return call(segment, word, words);
    if (strcmp(argv[1], "big") == 0 && words >= 3)
        return big(segment, word);
    if (strcmp(argv[1], "make") == 0 && words >= 2)
        return make(segment, word, words);
    if (strcmp(argv[1], "try") == 0)
        return try_send(segment, word);
    if (strcmp(argv[1], "fetch") == 0)
        return fetch(segment, word[0]);
    return 2;
}
