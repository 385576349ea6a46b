/* SPDX-License-Identifier: MIT */
/* The command line and the file behind --config, which has the same options, one a line. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"

#define SECOND_NS UINT64_C(1000000000)

static const char help_text[] =
    "strait-bridge: channels and calls of a segment, carried to other machines over NATS with JetStream. One a "
    "machine; the\n"
    "programs that use the segment do not change.\n"
    "\n"
    "  machine a: what is sent to `jobs` goes out, `results` comes back\n"
    "    strait-bridge --server nats://hub:4222 --app shop --segment shop --out jobs --in results\n"
    "  machines b, c: share the jobs\n"
    "    strait-bridge --server nats://hub:4222 --app shop --segment shop --in jobs --out results\n"
    "  calls: who executes on pool `render` at a is served by the workers at b and c\n"
    "    a: strait-bridge … --call render          b, c: strait-bridge … --serve render\n"
    "  keys: the message's tag is the key, the server's configuration spreads keys over four parts (strait-bridge(1))\n"
    "    a: strait-bridge … --out orders,key=tag   b: --in orders,partition=0 …   c: --in orders,partition=2 …\n"
    "\n"
    "  --server URL[,URL…]    default nats://127.0.0.1:4222\n"
    "  --segment NAME         to attach to; the bridge waits until it is there\n"
    "  --app APP              first part of all subjects: strait.APP.NAME; default: the segment's name\n"
    "  --out CHANNEL --in CHANNEL --call POOL --serve POOL      as often as needed; each may go on with ,OPTION…\n"
    "     as=NAME             its name between machines; default: its own\n"
    "     parallel=N          calls under way at once (64)\n"
    "     limit=N             messages that the stream holds; when full, the channel's policy applies (100000)\n"
    "     storage=memory      the stream dies with the server; default: a file\n"
    "     replicas=N          servers of a cluster that keep it (1)\n"
    "     duplicates=SECONDS  the server's window of message ids (120)\n"
    "     key=tag             out: the message's tag becomes the last token of the subject\n"
    "     partition=N         in: only this part of the keys\n"
    "     ack=commit          in: acknowledge when the message is in the local ring; default: when it was released\n"
    "     ack-wait=SECONDS    in: silence after which the server gives a message to another machine (30)\n"
    "  --config FILE          one option a line, without the dashes: out jobs,limit=1000\n"
    "  --name NAME            of the status in the segment (bridge); two bridges on a segment need two names\n"
    "  --creds FILE           NATS credentials    --ping SECONDS  the server is asked so often (5)\n"
    "  --directory DIR        of segments (/dev/shm)    --quiet\n"
    "\n"
    "shmctl bridge shows what it does. SIGTERM ends it when what is under way is done, or after 2 s.\n"
    "Exit status: 0 ended by a signal, 1 it could not go on (the last line says why), 2 wrong use.\n";

enum { HELP = 1, VERSION, SERVER, SEGMENT, APP, OUT, IN, CALL, SERVE, CONFIG, NAME, CREDS, PING, DIRECTORY, QUIET };

static const struct option long_options[] = {
    {"help", no_argument, NULL, HELP},           {"version", no_argument, NULL, VERSION},
    {"server", required_argument, NULL, SERVER}, {"segment", required_argument, NULL, SEGMENT},
    {"app", required_argument, NULL, APP},       {"out", required_argument, NULL, OUT},
    {"in", required_argument, NULL, IN},         {"call", required_argument, NULL, CALL},
    {"serve", required_argument, NULL, SERVE},   {"config", required_argument, NULL, CONFIG},
    {"name", required_argument, NULL, NAME},     {"creds", required_argument, NULL, CREDS},
    {"ping", required_argument, NULL, PING},     {"directory", required_argument, NULL, DIRECTORY},
    {"quiet", no_argument, NULL, QUIET},         {NULL, 0, NULL, 0}};

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "strait-bridge: %s '%s' cannot be; strait-bridge --help\n", what, value);
    return -EINVAL;
}

/* What may stand in a subject: no blank, no wildcard, and dots only between words. */
static bool good_token(const char *text, bool dots)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c == '*' || *c == '>' || *c == 127 || (*c == '.' && (!dots || c == text || c[1] == 0)))
            return false;
    return *text && strlen(text) < STRAIT_NAME_BYTES;
}

static bool number(const char *text, double least, double most, double *value)
{
    char *end;

    *value = strtod(text, &end);
    return *text && *end == 0 && *value >= least && *value <= most;
}

/* ---- links ---- */

static bool link_option(struct link_options *l, const char *key, const char *value)
{
    double n = 0;

    if (strcmp(key, "as") == 0 && good_token(value, true))
        snprintf(l->subject, sizeof l->subject, "%s", value);
    else if (strcmp(key, "key") == 0 && strcmp(value, "tag") == 0)
        l->key_tag = true;
    else if (strcmp(key, "partition") == 0 && number(value, 0, 65535, &n))
        l->partition = (int32_t)n;
    else if (strcmp(key, "ack") == 0 && (strcmp(value, "commit") == 0 || strcmp(value, "release") == 0))
        l->ack_commit = *value == 'c';
    else if (strcmp(key, "ack-wait") == 0 && number(value, 0.5, 86400, &n))
        l->ack_wait_ns = (uint64_t)(n * (double)SECOND_NS);
    else if (strcmp(key, "limit") == 0 && number(value, 1, 1e12, &n))
        l->limit = (uint64_t)n;
    else if (strcmp(key, "storage") == 0 && (strcmp(value, "memory") == 0 || strcmp(value, "file") == 0))
        l->memory = *value == 'm';
    else if (strcmp(key, "replicas") == 0 && number(value, 1, 5, &n))
        l->replicas = (uint32_t)n;
    else if (strcmp(key, "duplicates") == 0 && number(value, 0.1, 86400, &n))
        l->duplicates_ns = (uint64_t)(n * (double)SECOND_NS);
    else if (strcmp(key, "parallel") == 0 && number(value, 1, 4096, &n))
        l->parallel = (uint32_t)n;
    else
        return false;
    return true;
}

/* A message must not come back the way it went. */
static bool is_circle(const struct bridge_options *o, const struct link_options *l)
{
    for (uint32_t i = 0; i < o->links; i++)
        if (strcmp(o->link[i].name, l->name) == 0 || strcmp(o->link[i].subject, l->subject) == 0)
            return true;
    return false;
}

static int add_link(struct bridge_options *o, enum bridge_link_kind kind, const char *text)
{
    struct link_options *l = &o->link[o->links];
    char copy[512], *save = NULL, *at, *value;

    if (o->links == BRIDGE_LINKS || strlen(text) >= sizeof copy)
        return complain("one link more:", text);
    *l = (struct link_options){.kind = kind,
                               .partition = -1,
                               .ack_wait_ns = 30 * SECOND_NS,
                               .limit = 100000,
                               .replicas = 1,
                               .duplicates_ns = 120 * SECOND_NS,
                               .parallel = 64};
    snprintf(copy, sizeof copy, "%s", text);
    at = strtok_r(copy, ",", &save);
    if (at == NULL || !good_token(at, true))
        return complain("the name", text);
    snprintf(l->name, sizeof l->name, "%s", at);
    snprintf(l->subject, sizeof l->subject, "%s", at);
    while ((at = strtok_r(NULL, ",", &save)) != NULL) {
        value = strchr(at, '=');
        if (value == NULL)
            return complain("the option", at);
        *value++ = 0;
        if (!link_option(l, at, value))
            return complain("the option", text);
    }
    if (is_circle(o, l) && l->partition < 0)
        return complain("a second link with the same channel or subject, which would lead in circles,", text);
    o->links++;
    return 0;
}

/* ---- all ---- */

static int take(struct bridge_options *o, int which, const char *value);

/* One line: an option's name and its value. */
static int take_line(struct bridge_options *o, char *line)
{
    char *save = NULL, *key = strtok_r(line, " \t=\r", &save), *value = NULL, *more = NULL;
    const struct option *l = long_options;

    if (key == NULL || *key == '#')
        return 0;
    value = strtok_r(NULL, " \t\r", &save);
    more = strtok_r(NULL, " \t\r", &save);
    while (l->name && (strcmp(l->name, key) != 0 || l->val <= VERSION || l->val == CONFIG))
        l++;
    if (l->name == NULL || (l->has_arg == no_argument) != (value == NULL) || more)
        return complain("the line that begins with", key);
    return take(o, l->val, value ? value : "");
}

static int take_file(struct bridge_options *o, const char *path)
{
    FILE *file = o->file ? NULL : fopen(path, "re");
    size_t size = 0;
    int r = 0;

    if (file == NULL)
        return complain(o->file ? "a second file" : "the file", path);
    if (getdelim(&o->file, &size, 0, file) < 0)
        r = complain("the empty file", path);
    fclose(file);
    for (char *save = NULL, *line = r == 0 ? strtok_r(o->file, "\n", &save) : NULL; line && r == 0;
         line = strtok_r(NULL, "\n", &save))
        r = take_line(o, line);
    return r;
}

static int take(struct bridge_options *o, int which, const char *value)
{
    double n;

    switch (which) {
    case SERVER:
        o->server = value;
        return 0;
    case SEGMENT:
        o->segment = value;
        return 0;
    case APP:
        o->app = value;
        return good_token(value, false) ? 0 : complain("the application's name", value);
    case OUT:
    case IN:
    case CALL:
    case SERVE:
        return add_link(o, (enum bridge_link_kind)(which - OUT + BRIDGE_OUT), value);
    case CONFIG:
        return take_file(o, value);
    case NAME:
        o->name = value;
        return good_token(value, true) ? 0 : complain("the bridge's name", value);
    case CREDS:
        o->user_credentials = value;
        return 0;
    case PING:
        if (!number(value, 0.1, 3600, &n))
            return complain("--ping", value);
        o->ping_ns = (uint64_t)(n * (double)SECOND_NS);
        return 0;
    case DIRECTORY:
        o->directory = value;
        return 0;
    case QUIET:
        o->quiet = true;
        return 0;
    default:
        return -EINVAL;
    }
}

int bridge_options_parse(int argc, char **argv, struct bridge_options *o)
{
    int which, r = 0;

    *o = (struct bridge_options){
        .server = "nats://127.0.0.1:4222", .name = BRIDGE_STATUS_NAME, .ping_ns = 5 * SECOND_NS};
    while (r == 0 && (which = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
        if (which == HELP || which == VERSION) {
            fputs(which == HELP ? help_text : "strait-bridge 0.1.0\n", stdout);
            return 1;
        }
        r = take(o, which, optarg);
    }
    if (r == 0 && optind < argc)
        r = complain("the word", argv[optind]);
    if (r == 0 && o->segment == NULL)
        r = complain("no segment is given:", "--segment NAME");
    if (r == 0 && o->links == 0)
        r = complain("nothing is to be bridged:", "--out, --in, --call, --serve");
    if (r == 0 && o->app == NULL) {
        o->app = o->segment;
        if (!good_token(o->app, false))
            r = complain("the segment's name has characters that no subject may have: give --app;", o->app);
    }
    return r;
}
