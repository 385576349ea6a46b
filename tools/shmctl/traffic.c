/* SPDX-License-Identifier: MIT */
/* shmctl send, recv, call, latency: as one more process of the segment. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "commands.h"
#include "message.h"

static uint64_t deadline(const struct ctl *ctl)
{
    return ctl_given(ctl, "timeout") ? strait_after_ns((uint64_t)(ctl_seconds(ctl, "timeout", 1) * 1e9))
                                     : STRAIT_FOREVER;
}

/* ---- send ---- */

static int send_lines(const struct ctl *ctl, struct strait_tx *tx, uint16_t tag, uint64_t *done)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int r = 0;

    while (r >= 0 && (n = getline(&line, &room, stdin)) >= 0) {
        if (n && line[n - 1] == '\n')
            n--;
        r = strait_send_tagged(tx, tag, line, n > INT32_MAX ? UINT32_MAX : (uint32_t)n, deadline(ctl));
        done[r > 0] += r >= 0;
    }
    free(line);
    return r;
}

static int send_words(const struct ctl *ctl, struct strait_tx *tx, uint64_t *done)
{
    uint16_t tag = (uint16_t)ctl_number(ctl, "tag", 0, 0, UINT16_MAX);
    int r = 0;

    if (ctl->words == 2)
        return send_lines(ctl, tx, tag, done);
    for (unsigned i = 2; i < ctl->words && r >= 0; i++) {
        r = strait_send_tagged(tx, tag, ctl->word[i], (uint32_t)strlen(ctl->word[i]), deadline(ctl));
        done[r > 0] += r >= 0;
    }
    return r;
}

static int send_all(const struct ctl *ctl, struct strait_tx *tx, void *unused)
{
    uint64_t done[2] = {0, 0}; /* sent, dropped by the channel's policy */
    int r = send_words(ctl, tx, done);
    struct json j;

    (void)unused;
    if (ctl->json) {
        ctl_json_begin(&j, "send");
        json_u64(&j, "sent", done[0]);
        json_u64(&j, "dropped", done[1]);
        json_close(&j);
    }
    return r < 0 ? ctl_say_failed(ctl->word[1], r) : CTL_GOOD;
}

static int run_send(const struct ctl *ctl)
{
    return ctl_as_sender(ctl, send_all, NULL);
}

const struct ctl_command ctl_send = {
    .name = "send",
    .arguments = "NAME CHANNEL [TEXT]…",
    .summary = "Send messages: each TEXT one, or each line of the standard input",
    .help = "As one more sender of an existing channel. If it was the only one, receivers learn that all senders have "
            "gone.\n"
            "\n"
            "  shmctl send demo jobs hello\n"
            "  seq 1000 | shmctl send demo jobs\n",
    .least = 2,
    .most = 64,
    .run = run_send,
    .writes = true,
    .options = (const struct ctl_option[]){{"tag", 't', "N", "of each message; default 0"},
                                           {"timeout", 'T', "S", "seconds that a full channel is waited for"},
                                           {NULL}},
};

/* ---- recv ---- */

static int receive(const struct ctl *ctl, struct strait_rx *rx)
{
    uint64_t most = ctl_number(ctl, "count", UINT64_MAX, 1, UINT64_MAX), n = 0;
    struct ctl_message_format how;
    struct strait_msg msg;
    int r = 0;

    ctl_message_format(ctl, &how);
    ctl_catch_signals();
    while (n < most && !ctl_stop && (r = strait_peek(rx, &msg, deadline(ctl))) == 0) {
        struct ctl_message m = {.data = msg.data,
                                .bytes = msg.bytes,
                                .tag = msg.tag,
                                .flags = msg.flags,
                                .attempts = msg.attempts,
                                .number = n++,
                                .time_ns = ctl_real_ns(NULL)};
        ctl_message_print(&how, &m);
        strait_release(rx, &msg);
        fflush(stdout);
    }
    if (r == -ETIMEDOUT || r == -EINTR || (r == -EPIPE && n))
        return n || r == -EINTR ? CTL_GOOD : CTL_FINDING;
    return r < 0 ? ctl_say_failed(ctl->word[1], r) : CTL_GOOD;
}

static int run_recv(const struct ctl *ctl)
{
    return ctl_as_receiver(ctl, receive);
}

const struct ctl_command ctl_recv = {
    .name = "recv",
    .arguments = "NAME CHANNEL",
    .summary = "Receive messages and print them",
    .help = "As one more receiver: nobody else gets them (shmctl tap only looks). Killed between two messages it loses "
            "none; one\n"
            "that was printed may come again. Exit 1: nothing came in time.\n"
            "\n"
            "  shmctl recv demo jobs --raw\n"
            "  shmctl recv demo jobs --count 1 --timeout 5\n",
    .least = 2,
    .most = 2,
    .run = run_recv,
    .writes = true,
    .options = (const struct ctl_option[]){{"count", 'n', "N", "end after so many"},
                                           {"timeout", 'T', "S", "seconds to wait for each"},
                                           CTL_MESSAGE_OPTIONS,
                                           {NULL}},
};

/* ---- call, latency ---- */

#define ANSWER_BYTES (1 << 20)

static uint64_t call_deadline(const struct ctl *ctl)
{
    return strait_after_ns((uint64_t)(ctl_seconds(ctl, "timeout", 5) * 1e9));
}

static int call(const struct ctl *ctl, struct strait_tx *tx, void *unused)
{
    const char *text = ctl->words > 2 ? ctl->word[2] : "";
    char *answer = malloc(ANSWER_BYTES);
    struct ctl_message_format how;
    struct strait_msg msg;
    int64_t n;

    (void)unused;
    if (answer == NULL)
        return ctl_say_failed("answer", -ENOMEM);
    ctl_message_format(ctl, &how);
    n = strait_call(tx, (uint16_t)ctl_number(ctl, "tag", 0, 0, UINT16_MAX), text, (uint32_t)strlen(text), answer,
                    ANSWER_BYTES, &msg, call_deadline(ctl));
    if (n >= 0)
        ctl_message_print(&how, &(struct ctl_message){.data = answer, .bytes = (uint32_t)n, .tag = msg.tag});
    free(answer);
    return n < 0 ? ctl_say_failed(ctl->word[1], (int)n) : CTL_GOOD;
}

static int run_call(const struct ctl *ctl)
{
    return ctl_as_sender(ctl, call, NULL);
}

const struct ctl_command ctl_call = {
    .name = "call",
    .arguments = "NAME CHANNEL [TEXT]",
    .summary = "Send a request to a pool (or any channel with replies) and print the answer",
    .help = "\n"
            "  shmctl call demo workers ping\n"
            "  shmctl call demo workers ping --timeout 0.5 --hex\n",
    .least = 2,
    .most = 3,
    .run = run_call,
    .writes = true,
    .options = (const struct ctl_option[]){{"tag", 't', "N", "of the request; default 0"},
                                           {"timeout", 'T', "S", "seconds to wait for the answer; default 5"},
                                           CTL_MESSAGE_OPTIONS,
                                           {NULL}},
};

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void print_latency(const struct ctl *ctl, uint64_t *ns, uint64_t n)
{
    static const char *const names[] = {"min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns"};
    uint64_t at[] = {0, n / 2, n * 9 / 10, n * 99 / 100, n - 1};
    struct json j;

    qsort(ns, n, sizeof *ns, ascending);
    if (!ctl->json) {
        printf("%" PRIu64 " calls: min %.1f us, p50 %.1f, p90 %.1f, p99 %.1f, max %.1f us\n", n,
               (double)ns[at[0]] / 1e3, (double)ns[at[1]] / 1e3, (double)ns[at[2]] / 1e3, (double)ns[at[3]] / 1e3,
               (double)ns[at[4]] / 1e3);
        return;
    }
    ctl_json_begin(&j, "latency");
    json_u64(&j, "calls", n);
    for (int i = 0; i < 5; i++)
        json_u64(&j, names[i], ns[at[i]]);
    json_close(&j);
}

static int latency(const struct ctl *ctl, struct strait_tx *tx, void *unused)
{
    uint64_t most = ctl_number(ctl, "count", 1000, 1, 10000000), n = 0, *ns = calloc(most, sizeof *ns);
    double pause = ctl_given(ctl, "interval") ? ctl_seconds(ctl, "interval", 0) : 0;
    char text[16] = "ping", answer[4096];
    int64_t r = ns ? 0 : -ENOMEM;

    (void)unused;
    ctl_catch_signals();
    while (r >= 0 && n < most && !ctl_stop) {
        uint64_t began = strait_now_ns();
        r = strait_call(tx, 0, text, sizeof text, answer, sizeof answer, NULL, call_deadline(ctl));
        if (r >= 0 || r == -EREMOTEIO || r == -EMSGSIZE) { /* an answer is an answer */
            ns[n++] = strait_now_ns() - began;
            r = 0;
        }
        if (pause > 0)
            ctl_sleep(pause);
    }
    if (n)
        print_latency(ctl, ns, n);
    free(ns);
    return r < 0 && r != -EINTR ? ctl_say_failed(ctl->word[1], (int)r) : CTL_GOOD;
}

static int run_latency(const struct ctl *ctl)
{
    return ctl_as_sender(ctl, latency, NULL);
}

const struct ctl_command ctl_latency = {
    .name = "latency",
    .arguments = "NAME CHANNEL",
    .summary = "Ask a pool (or an echo) again and again, and say how long the answers take",
    .help = "16 bytes a request; what is measured includes the worker's work.\n"
            "\n"
            "  shmctl latency demo workers\n"
            "  shmctl latency demo workers --count 100 --interval 0.1\n",
    .least = 2,
    .most = 2,
    .run = run_latency,
    .writes = true,
    .options = (const struct ctl_option[]){{"count", 'n', "N", "calls; default 1000"},
                                           {"interval", 'i', "S", "pause between calls; default none"},
                                           {"timeout", 'T', "S", "seconds to wait for an answer; default 5"},
                                           {NULL}},
};
