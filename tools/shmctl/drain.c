/* SPDX-License-Identifier: MIT */
/* shmctl drain and letters: messages that are in the way, and those that killed their receivers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "commands.h"
#include "message.h"

/* ---- drain ---- */

/* Whoever asked is told that nobody will answer. */
static void refuse(struct strait_rx *rx, const struct strait_msg *msg)
{
    struct strait_answer answer;

    if (msg->flags & STRAIT_MSG_REQUEST && strait_answer_accept(rx, msg, &answer) == 0)
        strait_answer_abandon(&answer);
}

static int drain(const struct ctl *ctl, struct strait_rx *rx)
{
    uint64_t most = ctl_number(ctl, "count", UINT64_MAX, 1, UINT64_MAX), n = 0;
    struct ctl_message_format how;
    struct strait_msg msg;
    int r = 0;

    ctl_message_format(ctl, &how);
    while (n < most && (r = strait_peek(rx, &msg, STRAIT_NOW)) == 0) {
        if (ctl_given(ctl, "print"))
            ctl_message_print(&how, &(struct ctl_message){.data = msg.data,
                                                          .bytes = msg.bytes,
                                                          .tag = msg.tag,
                                                          .flags = msg.flags,
                                                          .attempts = msg.attempts,
                                                          .number = n});
        refuse(rx, &msg);
        strait_release(rx, &msg);
        n++;
    }
    if (ctl->json)
        ctl_json_line(ctl);
    printf(ctl->json ? "\"dropped\": %llu}\n" : "%llu messages dropped\n", (unsigned long long)n);
    return r == 0 || r == -EAGAIN || r == -EPIPE ? CTL_GOOD : ctl_say_failed(ctl->word[1], r);
}

static int run_drain(const struct ctl *ctl)
{
    return ctl_as_receiver(ctl, drain);
}

const struct ctl_command ctl_drain = {
    .name = "drain",
    .arguments = "NAME CHANNEL",
    .summary = "Receive and drop what is in a channel",
    .help =
        "As one more receiver: a channel with one receiver must not have it. Callers whose requests are dropped get\n"
        "-EOWNERDEAD. shmctl recv keeps what it receives; shmctl tap only looks.\n"
        "\n"
        "  shmctl drain demo jobs\n"
        "  shmctl drain demo jobs --count 1 --print      the one that is in the way\n",
    .least = 2,
    .most = 2,
    .run = run_drain,
    .writes = true,
    .options = (const struct ctl_option[]){{"count", 'n', "N", "at most so many"},
                                           {"print", 'p', NULL, "print what is dropped"},
                                           CTL_MESSAGE_OPTIONS,
                                           {NULL}},
};

/* ---- letters ---- */

static int run_letters(const struct ctl *ctl)
{
    struct ctl_message_format how;
    struct strait_channel_view view;
    struct strait_dead_letter head;
    struct strait_object o;
    struct ctl_segment s;
    unsigned char *bytes;
    uint64_t n = 0;
    int r = ctl_open(ctl, ctl->word[0], &s);

    if (r != CTL_GOOD)
        return r;
    ctl_message_format(ctl, &how);
    r = ctl_object(&s, ctl->word[1], STRAIT_KIND_CHANNEL, &o);
    if (r == CTL_GOOD && strait_channel_view(&s.map, &o, &view) < 0)
        r = CTL_DAMAGED;
    bytes = r == CTL_GOOD ? malloc(view.slot_bytes) : NULL;
    for (; bytes; n++) {
        int64_t length = strait_channel_dead_letter(&view, n, &head, bytes, view.slot_bytes);
        if (length < 0)
            break;
        ctl_message_print(&how, &(struct ctl_message){.data = bytes,
                                                      .bytes = (uint32_t)length,
                                                      .tag = head.tag,
                                                      .flags = head.flags,
                                                      .attempts = head.attempts,
                                                      .number = n});
    }
    if (r == CTL_GOOD && n == 0 && !ctl->json)
        printf("no dead letters\n");
    free(bytes);
    ctl_close(&s);
    return r != CTL_GOOD ? r : n ? CTL_FINDING : CTL_GOOD;
}

const struct ctl_command ctl_letters = {
    .name = "letters",
    .arguments = "NAME CHANNEL",
    .summary = "Show a channel's dead letters: messages whose receivers died max_attempts times",
    .help = "The newest first; a channel keeps its last 8, unless it was made otherwise. Reads only. Exit 1: there are "
            "some.\n"
            "\n"
            "  shmctl letters demo jobs --hex\n",
    .least = 2,
    .most = 2,
    .run = run_letters,
    .options = (const struct ctl_option[]){CTL_MESSAGE_OPTIONS, {NULL}},
};
