/* SPDX-License-Identifier: MIT */
/** How a message is printed: text, hex, a format given, or a JSON line. */
#ifndef STRAIT_TOOLS_MESSAGE_H
#define STRAIT_TOOLS_MESSAGE_H

#include "shmctl.h"

struct ctl_message {
    const void *data;
    uint32_t bytes;
    uint16_t tag, flags;
    uint32_t attempts;
    uint32_t ring;
    bool late;        /* follow.h: it had been received already, and many send here */
    uint64_t number;  /* since the command began */
    uint64_t time_ns; /* CLOCK_REALTIME, 0 = not known */
};

struct ctl_message_format {
    enum { CTL_TEXT, CTL_HEX, CTL_RAW, CTL_FORMAT, CTL_JSON_LINE } how;
    const char *format;
    const struct ctl *ctl;
};

/** Options of commands that print messages; ctl_message_format reads them. */
#define CTL_MESSAGE_OPTIONS                                                                                            \
    {"hex", 'x', NULL, "bytes in hexadecimal, 16 a line"}, {"raw", 'r', NULL, "the bytes alone, one message a line"},  \
    {                                                                                                                  \
        "format", 'F', "FORMAT", "%s text, %x hex, %l length, %t tag, %a attempts, %n number, %T time, \\n, \\t"       \
    }

/** Text is printed with what a terminal could trip over as '?'. Ends the program with CTL_USAGE on a bad format. */
void ctl_message_format(const struct ctl *ctl, struct ctl_message_format *how);
void ctl_message_print(const struct ctl_message_format *how, const struct ctl_message *m);

#endif
