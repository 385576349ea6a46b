/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "strait/layout.h"

void ctl_message_format(const struct ctl *ctl, struct ctl_message_format *how)
{
    const char *format = ctl_given(ctl, "format");

    *how = (struct ctl_message_format){ctl->json ? CTL_JSON_LINE : CTL_TEXT, format, ctl};
    if (ctl_given(ctl, "hex"))
        how->how = CTL_HEX;
    if (ctl_given(ctl, "raw"))
        how->how = CTL_RAW;
    if (format == NULL)
        return;
    how->how = CTL_FORMAT;
    for (; *format; format++)
        if ((*format == '%' && (!format[1] || !strchr("sxltanTr%", *++format))) ||
            (*format == '\\' && (!format[1] || !strchr("nt\\", *++format))))
            exit(ctl_usage("--format knows %%s %%x %%l %%t %%a %%n %%r %%T %%%% \\n \\t, not what stands in '%s'",
                           how->format));
}

/* Printable characters, as the table does it, but of any length. */
static void put_text(const char *data, uint32_t bytes)
{
    while (bytes) {
        uint32_t n = bytes < 96 ? bytes : 96;
        char piece[97];
        /* not in the middle of a character */
        while (n > 1 && n < bytes && ((unsigned char)data[n] & 0xC0) == 0x80)
            n--;
        memcpy(piece, data, n);
        for (uint32_t i = 0; i < n; i++)
            piece[i] = piece[i] ? piece[i] : '?';
        piece[n] = 0;
        fputs(table_text(piece, n), stdout);
        data += n;
        bytes -= n;
    }
}

static void put_hex(const unsigned char *data, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        printf("%02x", data[i]);
}

static void put_time(uint64_t ns)
{
    static time_t last = -1; /* thousands of messages share a second, and time zones are dear */
    static char text[32];
    time_t s = (time_t)(ns / 1000000000);
    struct tm tm;

    if (s != last) {
        localtime_r(&s, &tm);
        strftime(text, sizeof text, "%H:%M:%S", &tm);
        last = s;
    }
    printf("%s.%06u", text, (unsigned)(ns % 1000000000 / 1000));
}

static void print_head(const struct ctl_message *m)
{
    if (m->time_ns) {
        put_time(m->time_ns);
        putchar(' ');
    }
    printf("#%" PRIu64 " tag %u, %u bytes%s", m->number, m->tag, m->bytes,
           m->flags & STRAIT_MSG_REQUEST ? ", request" : "");
    if (m->attempts)
        printf(", attempts %u", m->attempts);
    if (m->late)
        printf(", late");
}

static void print_hex(const struct ctl_message *m)
{
    const unsigned char *at = m->data;

    print_head(m);
    putchar('\n');
    for (uint32_t i = 0; i < m->bytes; i += 16) {
        uint32_t n = m->bytes - i < 16 ? m->bytes - i : 16;
        printf("  %06x ", i);
        for (uint32_t b = 0; b < 16; b++)
            printf(b < n ? " %02x" : "   ", b < n ? at[i + b] : 0);
        printf("  |");
        for (uint32_t b = 0; b < n; b++)
            putchar(at[i + b] >= ' ' && at[i + b] < 0x7F ? at[i + b] : '.');
        printf("|\n");
    }
}

static void print_field(char field, const struct ctl_message *m)
{
    switch (field) {
    case 's':
        put_text(m->data, m->bytes);
        break;
    case 'x':
        put_hex(m->data, m->bytes);
        break;
    case 'l':
        printf("%u", m->bytes);
        break;
    case 't':
        printf("%u", m->tag);
        break;
    case 'a':
        printf("%u", m->attempts);
        break;
    case 'n':
        printf("%" PRIu64, m->number);
        break;
    case 'r':
        printf("%u", m->ring);
        break;
    case 'T':
        put_time(m->time_ns ? m->time_ns : ctl_real_ns(NULL));
        break;
    default:
        putchar('%');
    }
}

static void print_format(const char *format, const struct ctl_message *m)
{
    for (; *format; format++) {
        if (*format == '%')
            print_field(*++format, m);
        else if (*format == '\\')
            putchar(*++format == 'n' ? '\n' : *format == 't' ? '\t' : '\\');
        else
            putchar(*format);
    }
}

/* One line: a stream of documents, as jq likes it. */
static void print_json(const struct ctl *ctl, const struct ctl_message *m)
{
    ctl_json_line(ctl);
    printf("\"number\": %" PRIu64 ", \"time_ns\": %" PRIu64 ", \"ring\": %u, \"tag\": %u, \"flags\": %u, "
           "\"attempts\": %u, \"late\": %s, \"bytes\": %u, \"hex\": \"",
           m->number, m->time_ns, m->ring, m->tag, m->flags, m->attempts, m->late ? "true" : "false", m->bytes);
    put_hex(m->data, m->bytes);
    printf("\"}\n");
}

void ctl_message_print(const struct ctl_message_format *how, const struct ctl_message *m)
{
    switch (how->how) {
    case CTL_HEX:
        print_hex(m);
        break;
    case CTL_RAW:
        fwrite(m->data, 1, m->bytes, stdout);
        putchar('\n');
        break;
    case CTL_FORMAT:
        print_format(how->format, m);
        break;
    case CTL_JSON_LINE:
        print_json(how->ctl, m);
        break;
    default:
        print_head(m);
        fputs("  ", stdout);
        put_text(m->data, m->bytes);
        putchar('\n');
    }
}
