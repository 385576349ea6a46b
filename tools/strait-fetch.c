/* SPDX-License-Identifier: MIT */
#include "strait-fetch.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define IN_FLIGHT_MOST 4096
#define WORKERS_MOST   256

static const char help_text[] =
    "strait-fetch: fetch many URLs with several worker processes that hand bodies over in shared memory.\n"
    "\n"
    "  strait-fetch -o pages http://127.0.0.1:8080/a http://127.0.0.1:8080/b\n"
    "                                    bodies as pages/00001-a, pages/00002-b, each whole or not at all\n"
    "  strait-fetch -w 8 -c 256 -i urls.txt -o pages\n"
    "                                    8 workers, 256 transfers at once in each; a URL a line, # begins a comment\n"
    "  find /usr/share/doc -name copyright -printf 'file://%p\\n' | strait-fetch -i - --json\n"
    "                                    counts only (no -o), the summary for machines\n"
    "  strait-fetch --timeout 5 --max-bytes 1000000 http://127.0.0.1:8080/big\n"
    "                                    5 seconds from asking to the last byte; no body larger than 1 MB\n"
    "  strait-fetch --demo               the main job: thousands of files from an embedded origin; one worker is\n"
    "                                    killed on the way, and every body is checked\n"
    "\n"
    "  -w N  workers (4)      -c N  transfers at once in each (64)      -q  no progress\n"
    "  --timeout S (60)       --max-bytes N (no limit)\n"
    "\n"
    "Schemes: http, file. Each URL that fails is named on stderr with its kind: url resolve connect protocol status\n"
    "timeout too-large file local worker. Exit status: 0 all fetched, 1 some failed, 2 wrong use, 3 could not start.\n";

struct list {
    char **urls;
    uint32_t n;
};

static void add(struct list *list, const char *url)
{
    if ((list->n & (list->n - 1)) == 0) { /* full at every power of two */
        char **more = realloc(list->urls, (list->n ? 2 * (size_t)list->n : 1) * sizeof *more);
        if (!more)
            exit(3);
        list->urls = more;
    }
    list->urls[list->n] = strdup(url);
    if (!list->urls[list->n++])
        exit(3);
}

/* A URL a line; blanks around it, empty lines and lines that begin with # do not count. */
static int read_list(struct list *list, const char *name)
{
    FILE *in = strcmp(name, "-") ? fopen(name, "re") : stdin;
    char *line = NULL;
    size_t bytes = 0;

    if (!in) {
        fprintf(stderr, "strait-fetch: %s: %s\n", name, strerror(errno));
        return -errno;
    }
    while (getline(&line, &bytes, in) >= 0) {
        char *at = line + strspn(line, " \t\r\n");
        size_t n = strlen(at);
        while (n && strchr(" \t\r\n", at[n - 1]))
            at[--n] = 0;
        if (n && *at != '#')
            add(list, at);
    }
    free(line);
    if (in != stdin)
        fclose(in);
    return 0;
}

static bool number(const char *text, double least, double most, double *value)
{
    char *end;

    *value = strtod(text, &end);
    return *text && *end == 0 && *value >= least && *value <= most;
}

static const struct option long_options[] = {
    {"timeout", required_argument, NULL, 't'}, {"max-bytes", required_argument, NULL, 'm'},
    {"json", no_argument, NULL, 'j'},          {"demo", no_argument, NULL, 'd'},
    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};

/* One option. 0, or the exit status + 1. */
static int take_option(struct options *o, struct list *list, int letter, const char *value)
{
    double n = 0;
    bool good = true;

    switch (letter) {
    case 'w':
        good = number(value, 1, WORKERS_MOST, &n);
        o->workers = (uint32_t)n;
        break;
    case 'c':
        good = number(value, 1, IN_FLIGHT_MOST, &n);
        o->in_flight = (uint32_t)n;
        break;
    case 't':
        good = number(value, 0.001, 1e9, &n);
        o->timeout_ns = (uint64_t)(n * 1e9);
        break;
    case 'm':
        good = number(value, 1, 9e15, &n);
        o->max_bytes = (uint64_t)n;
        break;
    case 'o':
        o->directory = value;
        break;
    case 'i':
        return read_list(list, value) ? 3 : 0;
    case 'j':
        o->json = o->quiet = true;
        break;
    case 'q':
        o->quiet = true;
        break;
    case 'd':
        o->demo = true;
        break;
    case 'h':
        fputs(help_text, stdout);
        return 1;
    default:
        fprintf(stderr, "strait-fetch --help shows how\n");
        return 3;
    }
    if (!good)
        fprintf(stderr, "strait-fetch: -%c: '%s' is out of range or no number\n", letter, value);
    return good ? 0 : 3;
}

static void raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void name_failures(const struct run *run)
{
    for (uint32_t i = 0; i < run->n; i++)
        if (run->jobs[i].ends && run->jobs[i].kind != STRAIT_FETCH_OK)
            fprintf(stderr, "strait-fetch: %s: %s: %s\n", run->jobs[i].url, strait_fetch_kind_name(run->jobs[i].kind),
                    run->jobs[i].why ? run->jobs[i].why : "");
}

static int fetch(const struct options *o, struct list *list)
{
    struct run run = {0};
    int status;

    if (list->n == 0) {
        fprintf(stderr, "strait-fetch: no URL given; strait-fetch --help shows how\n");
        return 2;
    }
    if (o->directory && mkdir(o->directory, 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "strait-fetch: %s: %s\n", o->directory, strerror(errno));
        return 3;
    }
    status = run_all(&run, o, list->urls, list->n);
    if (status == 0) {
        if (!o->json)
            name_failures(&run);
        report(&run, stdout);
        status = run.interrupted ? 130 : run.failed > 0;
    } else {
        status = 3;
    }
    run_free(&run);
    return status;
}

int main(int argc, char **argv)
{
    struct options o = {.workers = 4, .in_flight = 64, .timeout_ns = UINT64_C(60000000000)};
    struct list list = {0};
    int letter, status = 0;

    while (status == 0 && (letter = getopt_long(argc, argv, "w:c:o:i:qh", long_options, NULL)) >= 0)
        status = take_option(&o, &list, letter, optarg);
    for (; status == 0 && optind < argc; optind++)
        add(&list, argv[optind]);
    signal(SIGPIPE, SIG_IGN); /* a reader of our output that leaves early does not keep us from cleaning up */
    raise_file_limit();
    if (status == 0)
        status = 1 + (o.demo ? demo(&o) : fetch(&o, &list));
    for (uint32_t i = 0; i < list.n; i++)
        free(list.urls[i]);
    free(list.urls);
    return status - 1;
}
