/* SPDX-License-Identifier: MIT */
/* shmctl exporter: numbers for machines to collect. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef STRAIT_HAVE_MICROHTTPD
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#endif

#include "commands.h"
#include "health.h"
#include "sample.h"

/* ---- the text ---- */

/* A label's value: backslash, quote and line end are quoted. */
static void put_label(FILE *out, const char *name, const char *value)
{
    fprintf(out, "%s=\"", name);
    for (; *value; value++)
        if (*value == '"' || *value == '\\')
            fprintf(out, "\\%c", *value);
        else
            putc(*value, out);
    putc('"', out);
}

/* As text for Prometheus, or as JSON. */
struct sink {
    FILE *out;
    struct json *json; /* or NULL */
};

static void put_family(const struct sink *to, const char *name, const char *type, const char *help)
{
    if (to->json == NULL)
        fprintf(to->out, "# HELP strait_%s %s\n# TYPE strait_%s %s\n", name, help, name, type);
}

static void put_value(const struct sink *to, const char *name, const struct ctl_sample *of, uint64_t value)
{
    if (to->json) {
        json_object(to->json, NULL);
        json_string(to->json, "name", name);
        if (of) {
            json_string(to->json, "segment", of->segment);
            json_string(to->json, "channel", of->channel);
        }
        json_u64(to->json, "value", value);
        json_close(to->json);
        return;
    }
    fprintf(to->out, "strait_%s", name);
    if (of) {
        put_label(to->out, "{segment", of->segment);
        put_label(to->out, ",channel", of->channel);
        putc('}', to->out);
    }
    fprintf(to->out, " %" PRIu64 "\n", value);
}

static void put_number(const struct sink *to, const char *name, const char *type, const char *help, uint64_t value)
{
    put_family(to, name, type, help);
    put_value(to, name, NULL, value);
}

struct metric {
    const char *name, *type, *help;
    uint64_t (*of)(const struct ctl_sample *s);
};

#define FIELD(field)                                                                                                   \
    static uint64_t of_##field(const struct ctl_sample *s)                                                             \
    {                                                                                                                  \
        return s->field;                                                                                               \
    }

FIELD(sent)
FIELD(received)
FIELD(used)
FIELD(capacity)
FIELD(senders)
FIELD(receivers)
FIELD(senders_asleep)
FIELD(receivers_asleep)
FIELD(dropped)
FIELD(redelivered)
FIELD(dead_letters)

static const struct metric metrics[] = {
    {"channel_sent_total", "counter", "Messages sent, slots given up included; a pack counts once.", of_sent},
    {"channel_received_total", "counter", "Messages received, slots given up included; a pack counts once.",
     of_received},
    {"channel_used_slots", "gauge", "Slots that are not free.", of_used},
    {"channel_slots", "gauge", "Slots of all rings.", of_capacity},
    {"channel_senders", "gauge", "Processes that send.", of_senders},
    {"channel_receivers", "gauge", "Processes that receive.", of_receivers},
    {"channel_senders_asleep", "gauge", "Senders that wait for space.", of_senders_asleep},
    {"channel_receivers_asleep", "gauge", "Receivers that wait for a message.", of_receivers_asleep},
    {"channel_dropped_total", "counter", "Messages dropped because the channel was full.", of_dropped},
    {"channel_redelivered_total", "counter", "Messages given back after a receiver's death.", of_redelivered},
    {"channel_dead_letters_total", "counter", "Messages whose receivers died too often.", of_dead_letters},
};

static void put_all(const struct ctl *ctl, const struct sink *to)
{
    struct ctl_samples all = {.channel = NULL};
    struct ctl_health h = {0};

    ctl_each(ctl, ctl_health_add, &h);
    ctl_each(ctl, ctl_sample, &all);
    put_number(to, "segments", "gauge", "Segments that can be read.", h.segments);
    put_number(to, "segments_unused", "gauge", "Segments that nobody is attached to.", h.unused);
    put_number(to, "segment_bytes", "gauge", "Bytes of all segments.", h.bytes);
    put_number(to, "processes_alive", "gauge", "Attached processes.", h.alive);
    put_number(to, "processes_dead", "gauge", "Dead processes that nobody has swept.", h.dead);
    put_number(to, "processes_stopped", "gauge", "Attached processes that are stopped.", h.stopped);
    put_number(to, "waits_blocked", "gauge", "Threads that somebody holds up.", h.blocked);
    put_number(to, "deadlocks", "gauge", "Deadlocks.", h.deadlocks);
    put_number(to, "regions_poisoned", "gauge", "Poisoned locks.", h.poisoned);
    put_number(to, "regions_suspect", "gauge", "Locks whose owner died inside.", h.suspect);
    for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++) {
        put_family(to, metrics[m].name, metrics[m].type, metrics[m].help);
        for (unsigned i = 0; i < all.n; i++)
            if (!all.sample[i].unlinked) /* its name may be another's by now, and names are all that tells rows apart */
                put_value(to, metrics[m].name, &all.sample[i], metrics[m].of(&all.sample[i]));
    }
    ctl_samples_free(&all);
}

static void put_metrics(const struct ctl *ctl, FILE *out)
{
    put_all(ctl, &(struct sink){.out = out});
}

/* ---- a file, again and again: a half-written one is never seen ---- */

static int write_file(const struct ctl *ctl, const char *name)
{
    char next[4096];
    bool bad;
    FILE *out;

    snprintf(next, sizeof next, "%s.next", name);
    out = fopen(next, "we");
    if (out) {
        put_metrics(ctl, out);
        bad = ferror(out);
        if (fclose(out) == 0 && !bad && rename(next, name) == 0)
            return CTL_GOOD;
    }
    ctl_say("%s: %s", name, strerror(errno));
    return CTL_FINDING;
}

static int keep_file(const struct ctl *ctl, const char *name)
{
    double interval = ctl_given(ctl, "interval") ? ctl_seconds(ctl, "interval", 0) : 0;
    int r = write_file(ctl, name);

    ctl_catch_signals();
    while (r == CTL_GOOD && interval > 0 && !ctl_stop) {
        ctl_sleep(interval);
        r = write_file(ctl, name);
    }
    return r;
}

/* ---- HTTP ---- */

#ifdef STRAIT_HAVE_MICROHTTPD
static enum MHD_Result answer(void *context, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **state)
{
    struct MHD_Response *response;
    enum MHD_Result r;
    char *page = NULL;
    size_t bytes = 0;
    FILE *out;

    (void)version, (void)upload, (void)upload_bytes, (void)state;
    if (strcmp(method, "GET") != 0 || strcmp(url, "/metrics") != 0) {
        static char hint[] = "GET /metrics\n";
        response = MHD_create_response_from_buffer(sizeof hint - 1, hint, MHD_RESPMEM_PERSISTENT);
        r = MHD_queue_response(c, MHD_HTTP_NOT_FOUND, response);
        MHD_destroy_response(response);
        return r;
    }
    out = open_memstream(&page, &bytes);
    if (out == NULL)
        return MHD_NO;
    put_metrics(context, out);
    fclose(out);
    response = MHD_create_response_from_buffer(bytes, page, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4");
    r = MHD_queue_response(c, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return r;
}

static int serve(const struct ctl *ctl, const char *where)
{
    const char *colon = strrchr(where, ':'), *port = colon ? colon + 1 : where;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char host[64] = "127.0.0.1", *end;
    unsigned long n = strtoul(port, &end, 10);
    struct MHD_Daemon *daemon;

    if (colon)
        snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
    if (*end || end == port || n > 65535 || inet_pton(AF_INET, host, &at.sin_addr) != 1)
        return ctl_usage("--listen is PORT or ADDRESS:PORT, not '%s'", where);
    at.sin_port = htons((uint16_t)n);
    daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, (void *)(uintptr_t)ctl,
                              MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
    if (daemon == NULL) {
        ctl_say("cannot listen on %s:%lu: %s", host, n, strerror(errno));
        return CTL_FINDING;
    }
    if (ctl->json)
        ctl_json_line(ctl);
    printf(ctl->json ? "\"url\": \"http://%s:%u/metrics\"}\n" : "http://%s:%u/metrics\n", host,
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    ctl_catch_signals();
    while (!ctl_stop)
        ctl_sleep(1);
    MHD_stop_daemon(daemon);
    return CTL_GOOD;
}
#else
static int serve(const struct ctl *ctl, const char *where)
{
    (void)ctl;
    ctl_say("built without libmicrohttpd, so there is no listening on %s; use --file", where);
    return CTL_FINDING;
}
#endif

static int run_exporter(const struct ctl *ctl)
{
    struct json j;

    if (ctl_given(ctl, "listen"))
        return serve(ctl, ctl_given(ctl, "listen"));
    if (ctl_given(ctl, "file"))
        return keep_file(ctl, ctl_given(ctl, "file"));
    if (!ctl->json) {
        put_metrics(ctl, stdout);
        return CTL_GOOD;
    }
    ctl_json_begin(&j, "exporter");
    json_array(&j, "metrics");
    put_all(ctl, &(struct sink){.json = &j});
    json_close(&j);
    json_close(&j);
    return CTL_GOOD;
}

const struct ctl_command ctl_exporter = {
    .name = "exporter",
    .arguments = "[NAME]…",
    .summary = "Everything in numbers, as Prometheus reads them: once, to a file, or over HTTP",
    .help = "Without an option: to the standard output, once (with --json as a document). A file is replaced as a\n"
            "whole (node_exporter's textfile collector). Over HTTP on 127.0.0.1, unless an address is given: GET "
            "/metrics.\n"
            "\n"
            "  shmctl exporter --listen 9477\n"
            "  shmctl exporter --file /var/lib/node_exporter/strait.prom --interval 15\n",
    .most = 64,
    .run = run_exporter,
    .options = (const struct ctl_option[]){{"listen", 'l', "[ADDR:]PORT", "answer GET /metrics; port 0 = any"},
                                           {"file", 'f', "FILE", "write it there"},
                                           {"interval", 'i', "S", "with --file: again and again"},
                                           {NULL}},
};
