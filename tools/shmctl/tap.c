/* SPDX-License-Identifier: MIT */
/* shmctl tap, record, replay: what goes through a channel, looked at, kept, sent again. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "commands.h"
#include "follow.h"

#define RATE 5000 /* messages a second that tap reads: many more would be felt by those who are tapped */

struct taker {
    void (*message)(struct taker *t, const struct ctl_message *m);
    void (*gap)(struct taker *t, uint64_t missed);
    uint64_t seen, missed; /* in the end */
};

/* As fast as it can, but not at the cost of those who are watched: only CPU time that nobody else wants (sched(7), SCHED_IDLE). */
static void stand_back(void)
{
    sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){.sched_priority = 0});
}

/* Follow until told to stop, `rate` messages a second at most: CTL_GOOD, or why it could not begin. */
static int follow(const struct ctl *ctl, struct taker *t, uint64_t rate)
{
    uint64_t most = ctl_number(ctl, "count", UINT64_MAX, 1, UINT64_MAX), missed = 0;
    double seconds = ctl_seconds(ctl, "seconds", 1e9);
    struct ctl_pace pace = {.rate = ctl_number(ctl, "rate", rate, 0, UINT64_MAX)};
    uint64_t end = strait_after_ns((uint64_t)(seconds * 1e9));
    struct ctl_message m = {.data = NULL};
    struct ctl_segment s;
    struct ctl_follow f;
    int r = ctl_open(ctl, ctl->word[0], &s);

    if (r != CTL_GOOD)
        return r;
    r = ctl_follow_begin(&f, &s, ctl->word[1], ctl_given(ctl, "oldest") != NULL);
    ctl_catch_signals();
    setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* written when it pauses, not line by line */
    while (r == CTL_GOOD && !ctl_stop && f.seen < most && strait_now_ns() < end && !ferror(stdout)) {
        bool found = ctl_follow_next(&f, &m);
        if (f.missed != missed)
            t->gap(t, f.missed - missed);
        missed = f.missed;
        if (found) {
            t->message(t, &m);
            ctl_pace_message(&pace);
        } else if (s.snapshot) {
            break; /* nothing will come */
        } else {
            ctl_pace_idle(&pace);
        }
    }
    if (r == CTL_GOOD)
        fprintf(stderr, "shmctl: %" PRIu64 " messages, %" PRIu64 " missed\n", f.seen, f.missed);
    t->seen = f.seen;
    t->missed = f.missed;
    ctl_follow_end(&f);
    ctl_close(&s);
    return r;
}

#define FOLLOW_OPTIONS                                                                                                 \
    {"count", 'n', "N", "end after so many messages"}, {"seconds", 's', "S", "end after so long"},                     \
        {"oldest", 'o', NULL, "begin with the oldest unread message, not the next new one"},                           \
    {                                                                                                                  \
        "rate", 'R', "N", "messages a second at most, 0 = no limit; tap: 5000, and with 0 on idle CPU time only"       \
    }

/* ---- tap ---- */

struct tap {
    struct taker t; /* first */
    struct ctl_message_format how;
    uint64_t gap, told_ns;
};

static void tap_message(struct taker *t, const struct ctl_message *m)
{
    ctl_message_print(&((struct tap *)(void *)t)->how, m);
}

/* Ten times a second at most: who is lapped all the time would tell nothing else. */
static void tap_gap(struct taker *t, uint64_t missed)
{
    struct tap *tap = (struct tap *)(void *)t;
    uint64_t now = strait_now_ns();

    tap->gap += missed;
    if (now - tap->told_ns < 100000000)
        return;
    if (tap->how.how == CTL_JSON_LINE) {
        ctl_json_line(tap->how.ctl);
        printf("\"gap\": %" PRIu64 "}\n", tap->gap);
    } else {
        fprintf(stderr, "shmctl: gap: %" PRIu64 " messages missed\n", tap->gap);
    }
    tap->gap = 0;
    tap->told_ns = now;
}

static int run_tap(const struct ctl *ctl)
{
    struct tap tap = {.t = {.message = tap_message, .gap = tap_gap}};

    ctl_message_format(ctl, &tap.how);
    if (ctl_number(ctl, "rate", RATE, 0, UINT64_MAX) == 0)
        stand_back();
    return follow(ctl, &tap.t, RATE);
}

const struct ctl_command ctl_tap = {
    .name = "tap",
    .arguments = "NAME CHANNEL",
    .summary = "Follow a channel's messages without taking any",
    .help = "Reads only: senders and receivers are not held up, and do not know. Who is too slow misses messages: gaps "
            "are told,\n"
            "and so is their sum. \"late\": the message had been received when it was read; where many send, a slot "
            "that its\n"
            "sender gave up looks the same. With --json, a line for each message.\n"
            "\n"
            "  shmctl tap demo jobs\n"
            "  shmctl tap demo jobs --format '%T %t %s\\n'\n"
            "  shmctl tap demo jobs --hex --count 1 --oldest\n",
    .least = 2,
    .most = 2,
    .run = run_tap,
    .options = (const struct ctl_option[]){FOLLOW_OPTIONS, CTL_MESSAGE_OPTIONS, {NULL}},
};

/* ---- record ---- */

#define RECORD_MAGIC "straitRC"

struct record_head {
    char magic[8];
    uint32_t version, unused;
};

struct record {
    uint64_t time_ns;
    uint32_t bytes;
    uint16_t tag, flags;
};

struct recorder {
    struct taker t; /* first */
    FILE *file;
};

static void record_message(struct taker *t, const struct ctl_message *m)
{
    struct record head = {m->time_ns, m->bytes, m->tag, m->flags};
    FILE *file = ((struct recorder *)(void *)t)->file;

    if (fwrite(&head, sizeof head, 1, file) != 1 || fwrite(m->data, 1, m->bytes, file) != m->bytes)
        ctl_stop = true; /* fclose says why */
}

static void record_gap(struct taker *t, uint64_t missed)
{
    (void)t;
    (void)missed; /* the sum is told in the end */
}

static int run_record(const struct ctl *ctl)
{
    struct record_head head = {RECORD_MAGIC, 1, 0};
    struct recorder recorder = {.t = {.message = record_message, .gap = record_gap},
                                .file = fopen(ctl->word[2], "wxe")};
    struct json j;
    bool bad;
    int r;

    if (recorder.file == NULL) {
        ctl_say("%s: %s", ctl->word[2], strerror(errno));
        return CTL_FINDING;
    }
    fwrite(&head, sizeof head, 1, recorder.file);
    r = follow(ctl, &recorder.t, 0);
    if (r != CTL_GOOD) { /* it has not begun */
        fclose(recorder.file);
        unlink(ctl->word[2]);
        return r;
    }
    bad = ferror(recorder.file);
    if (fclose(recorder.file) != 0 || bad) {
        ctl_say("%s: %s", ctl->word[2], strerror(errno));
        return CTL_FINDING;
    }
    if (ctl->json) {
        ctl_json_begin(&j, "record");
        json_string(&j, "file", ctl->word[2]);
        json_u64(&j, "messages", recorder.t.seen);
        json_u64(&j, "missed", recorder.t.missed);
        json_close(&j);
    }
    return CTL_GOOD;
}

const struct ctl_command ctl_record = {
    .name = "record",
    .arguments = "NAME CHANNEL FILE",
    .summary = "Follow a channel and keep its messages, with their times, in a file",
    .help = "As tap does it, with no limit of rate. An existing file is not overwritten; shmctl replay sends what is "
            "in it.\n"
            "\n"
            "  shmctl record demo jobs jobs.rec --seconds 60\n",
    .least = 3,
    .most = 3,
    .run = run_record,
    .options = (const struct ctl_option[]){FOLLOW_OPTIONS, {NULL}},
};

/* ---- replay ---- */

static FILE *open_record(const char *name)
{
    struct record_head head;
    FILE *file = fopen(name, "re");

    if (file == NULL) {
        ctl_say("%s: %s", name, strerror(errno));
        return NULL;
    }
    if (fread(&head, sizeof head, 1, file) == 1 && memcmp(head.magic, RECORD_MAGIC, sizeof head.magic) == 0 &&
        head.version == 1)
        return file;
    ctl_say("%s: not a record of messages", name);
    fclose(file);
    return NULL;
}

/* Until the moment at which it is due, `speed` times as fast as it was. */
static void keep_time(uint64_t began, uint64_t offset_ns, double speed)
{
    while (!ctl_stop) {
        uint64_t due = began + (uint64_t)((double)offset_ns / speed), now = strait_now_ns();
        if (now >= due)
            return;
        ctl_sleep((double)(due - now) / 1e9);
    }
}

static int send_record(const struct ctl *ctl, struct strait_tx *tx, void *arg)
{
    FILE *file = arg;
    double speed = ctl_seconds(ctl, "speed", 1);
    uint64_t began = strait_now_ns(), first = 0, n = 0, requests = 0;
    unsigned char *bytes = malloc(tx->slot_bytes);
    struct record head;
    struct json j;
    int r = bytes ? 0 : -ENOMEM;

    while (r >= 0 && !ctl_stop && fread(&head, sizeof head, 1, file) == 1) {
        if (head.bytes > tx->slot_bytes || fread(bytes, 1, head.bytes, file) != head.bytes) {
            r = -EMSGSIZE;
            break;
        }
        first = n ? first : head.time_ns;
        if (!ctl_given(ctl, "fast") && head.time_ns > first)
            keep_time(began, head.time_ns - first, speed);
        if (head.flags & STRAIT_MSG_REQUEST) { /* whoever asked is not waiting any more */
            requests++;
            continue;
        }
        r = strait_send_tagged(tx, head.tag, bytes, head.bytes, STRAIT_FOREVER);
        n += r >= 0;
    }
    free(bytes);
    if (r < 0 && r != -EINTR)
        return ctl_say_failed(ctl->word[1], r);
    fprintf(stderr, "shmctl: %" PRIu64 " messages sent\n", n);
    if (ctl->json) {
        ctl_json_begin(&j, "replay");
        json_u64(&j, "sent", n);
        json_u64(&j, "requests_left_out", requests);
        json_close(&j);
    }
    return CTL_GOOD;
}

static int run_replay(const struct ctl *ctl)
{
    FILE *file = open_record(ctl->word[2]);
    int r;

    if (file == NULL)
        return CTL_FINDING;
    ctl_catch_signals();
    r = ctl_as_sender(ctl, send_record, file);
    fclose(file);
    return r;
}

const struct ctl_command ctl_replay = {
    .name = "replay",
    .arguments = "NAME CHANNEL FILE",
    .summary = "Send the messages of a record again, in the same rhythm",
    .help = "As one more sender. Requests are left out: whoever asked does not wait for the answer any more.\n"
            "\n"
            "  shmctl replay demo jobs jobs.rec\n"
            "  shmctl replay demo jobs jobs.rec --speed 10\n",
    .least = 3,
    .most = 3,
    .run = run_replay,
    .writes = true,
    .options = (const struct ctl_option[]){{"speed", 'x', "N", "so many times as fast"},
                                           {"fast", 'f', NULL, "as fast as the channel takes them"},
                                           {NULL}},
};
