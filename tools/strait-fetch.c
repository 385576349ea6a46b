/* SPDX-License-Identifier: MIT */
#include "strait-fetch.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define IN_FLIGHT_MOST 4096
#define WORKERS_MOST   256
#define FIELDS_BYTES   3000

static const char help_text[] =
    "strait-fetch: fetch many URLs with several worker processes, none of which can take a transfer down with it.\n"
    "\n"
    "  strait-fetch -o pages https://example.org/a https://example.org/b\n"
    "                                    bodies as pages/00001-a, pages/00002-b, each whole or not at all\n"
    "  strait-fetch -C -O disk.img https://example.org/disk.img\n"
    "                                    one body to one file, going on where the last try ended (-O - is stdout)\n"
    "  crawler | strait-fetch -i - -o pages --per-host 4\n"
    "                                    a URL a line, # begins a comment; each is fetched as soon as it is there\n"
    "  strait-fetch -O x.iso https://example.org/x.iso --checksum sha256:9f86d081884c7d65…\n"
    "                                    or with each URL of a list, after a blank: URL sha256:HEX\n"
    "  strait-fetch -N -o pages -i urls.txt --json\n"
    "                                    only what is newer than the files; the summary for machines\n"
    "  strait-fetch --demo               the main job: thousands of files from an embedded origin; one worker is\n"
    "                                    killed on the way, and every body is checked\n"
    "\n"
    "  -o DIR  -O FILE  -i LIST       -C continue  -N if newer  -I heads only (HEAD)  -q no progress\n"
    "  -w N  workers (4)              -c N  transfers at once in each (64)      --per-host N  at once to one host\n"
    "  --timeout S (60)               --idle S  longest silence (20)            --retry N (2)\n"
    "  --max-bytes N                  --max-redirects N (10)                    -r FROM-[TO]  a range\n"
    "  -H 'Name: value'  -u USER:PASSWORD  (go to the first origin only)       --cacert FILE\n"
    "  --checksum KIND:HEX            --headers  the answers' header fields     --json\n"
    "  --cpu-list 0-3,8               each worker on one of them, NUMA nodes in turn; without: on one node each\n"
    "  --segment NAME                 of the shared memory; with -w 0 whoever serves the pool 'fetch' there fetches\n"
    "\n"
    "Proxies: http_proxy, https_proxy, no_proxy. Schemes: http (1.1), https, file. Each URL that fails is named on "
    "stderr\n"
    "with its kind: url resolve connect protocol status timeout too-large file local worker tls redirect refused "
    "proxy\n"
    "checksum. Exit status: 0 all fetched, 1 some failed, 2 wrong use, 3 could not start, 130 interrupted. More in\n"
    "strait-fetch(1).\n";

/* What options make, beside struct options. */
struct command {
    struct options o;
    struct run *run;
    char fields[FIELDS_BYTES];
    char directory[PATH_MAX], file[PATH_MAX], ca_file[PATH_MAX];
};

static bool number(const char *text, double least, double most, double *value)
{
    char *end;

    *value = strtod(text, &end);
    return *text && *end == 0 && *value >= least && *value <= most;
}

static bool integer(const char *text, double least, double most, uint32_t *value)
{
    double n;
    bool good = number(text, least, most, &n);

    *value = good ? (uint32_t)n : 0;
    return good;
}

static bool seconds(const char *text, uint64_t *ns)
{
    double n;
    bool good = number(text, 0.001, 1e9, &n);

    *ns = good ? (uint64_t)(n * 1e9) : 0;
    return good;
}

/* "FROM-TO", "FROM-" */
static bool range(const char *text, struct strait_fetch_ask *ask)
{
    char *end;
    uint64_t to;

    if (*text < '0' || *text > '9')
        return false;
    ask->from = strtoull(text, &end, 10);
    if (*end != '-')
        return false;
    text = end + 1;
    if (*text == 0)
        return true;
    to = strtoull(text, &end, 10);
    ask->bytes = to - ask->from + 1;
    return *end == 0 && *text >= '0' && *text <= '9' && to >= ask->from;
}

static bool add_field(struct command *c, const char *name, const char *value)
{
    size_t n = strlen(c->fields);
    int more = snprintf(c->fields + n, sizeof c->fields - n, "%s%s\n", name, value);

    c->o.ask.fields = c->fields;
    return more > 0 && (size_t)more < sizeof c->fields - n && !strpbrk(value, "\r\n");
}

/* -u: RFC 7617. */
static bool add_user(struct command *c, const char *user)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[1024], *to = text;
    size_t n = strlen(user);

    if (!strchr(user, ':') || n > 700)
        return false;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = 0;
        for (size_t k = 0; k < 3; k++)
            three = three << 8 | (i + k < n ? (unsigned char)user[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            *to++ = i + k <= n ? digits[three >> (18 - 6 * k) & 63] : '=';
    }
    *to = 0;
    return add_field(c, "Authorization: Basic ", text);
}

/* An existing folder's absolute name and the last part of `name`. Workers are other processes, but have our folder. */
static bool absolute(const char *name, char to[PATH_MAX])
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    char folder[PATH_MAX];
    size_t n;

    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - name + 1) : 1, slash ? name : ".");
    if (!*base || !realpath(folder, to))
        return false;
    n = strlen(to);
    return (size_t)snprintf(to + n, PATH_MAX - n, "/%s", base) < PATH_MAX - n - 16;
}

static bool take_file(struct command *c, const char *name)
{
    c->o.file = strcmp(name, "-") ? c->file : "-";
    return *c->o.file == '-' || absolute(name, c->file);
}

enum {
    TIMEOUT = 256,
    IDLE,
    MAX_BYTES,
    MAX_REDIRECTS,
    PER_HOST,
    RETRY,
    CACERT,
    CHECKSUM,
    CPU_LIST,
    SEGMENT,
    HEADERS,
    JSON,
    DEMO,
    VERSION
};

static const struct option long_options[] = {{"timeout", required_argument, NULL, TIMEOUT},
                                             {"idle", required_argument, NULL, IDLE},
                                             {"max-bytes", required_argument, NULL, MAX_BYTES},
                                             {"max-redirects", required_argument, NULL, MAX_REDIRECTS},
                                             {"per-host", required_argument, NULL, PER_HOST},
                                             {"retry", required_argument, NULL, RETRY},
                                             {"cacert", required_argument, NULL, CACERT},
                                             {"checksum", required_argument, NULL, CHECKSUM},
                                             {"cpu-list", required_argument, NULL, CPU_LIST},
                                             {"segment", required_argument, NULL, SEGMENT},
                                             {"headers", no_argument, NULL, HEADERS},
                                             {"json", no_argument, NULL, JSON},
                                             {"demo", no_argument, NULL, DEMO},
                                             {"version", no_argument, NULL, VERSION},
                                             {"workers", required_argument, NULL, 'w'},
                                             {"concurrency", required_argument, NULL, 'c'},
                                             {"output-dir", required_argument, NULL, 'o'},
                                             {"output", required_argument, NULL, 'O'},
                                             {"input", required_argument, NULL, 'i'},
                                             {"continue", no_argument, NULL, 'C'},
                                             {"newer", no_argument, NULL, 'N'},
                                             {"head", no_argument, NULL, 'I'},
                                             {"range", required_argument, NULL, 'r'},
                                             {"header", required_argument, NULL, 'H'},
                                             {"user", required_argument, NULL, 'u'},
                                             {"quiet", no_argument, NULL, 'q'},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};

static bool take_number(struct command *c, int letter, const char *value)
{
    struct options *o = &c->o;
    double n = 0;

    switch (letter) {
    case 'w':
        return integer(value, 0, WORKERS_MOST, &o->workers);
    case 'c':
        return integer(value, 1, IN_FLIGHT_MOST, &o->in_flight);
    case PER_HOST:
        return integer(value, 1, 1e6, &o->per_host);
    case RETRY:
        return integer(value, 0, 1000, &o->ask.retries);
    case TIMEOUT:
        return seconds(value, &o->ask.deadline_ns);
    case IDLE:
        return seconds(value, &o->ask.idle_ns);
    case MAX_BYTES:
        if (!number(value, 1, 9e15, &n))
            return false;
        o->ask.max_bytes = (uint64_t)n;
        return true;
    default: /* MAX_REDIRECTS */
        if (!integer(value, 0, 1000, &o->ask.redirects))
            return false;
        o->ask.flags |= o->ask.redirects ? 0 : STRAIT_FETCH_STAY;
        return true;
    }
}

static bool take_text(struct command *c, int letter, const char *value)
{
    switch (letter) {
    case 'o':
        c->o.directory = value;
        return true;
    case 'O':
        return take_file(c, value);
    case 'r':
        return range(value, &c->o.ask);
    case 'H':
        return strchr(value, ':') && add_field(c, "", value);
    case 'u':
        return add_user(c, value);
    case CACERT:
        c->o.ca_file = c->ca_file;
        return absolute(value, c->ca_file) && access(c->ca_file, R_OK) == 0;
    case CPU_LIST:
        c->o.cpu_list = value;
        return *value != 0;
    case SEGMENT:
        c->o.segment = value;
        return *value && strlen(value) < STRAIT_NAME_BYTES && !strchr(value, '/');
    default: /* CHECKSUM */
        c->o.checksum = value;
        return true;
    }
}

static bool take_switch(struct options *o, int letter)
{
    switch (letter) {
    case 'C':
        o->resume = true;
        return true;
    case 'N':
        o->newer = true;
        return true;
    case 'I':
        o->ask.flags |= STRAIT_FETCH_HEAD;
        o->heads = true;
        return true;
    case HEADERS:
        o->heads = true;
        return true;
    case JSON:
        o->json = o->quiet = true;
        return true;
    case 'q':
        o->quiet = true;
        return true;
    case DEMO:
        o->demo = true;
        return true;
    default:
        return false;
    }
}

static const char *option_name(int letter)
{
    for (const struct option *l = long_options; l->name; l++)
        if (l->val == letter)
            return l->name;
    return "";
}

/* One option. 0, or the exit status + 1. */
static int take_option(struct command *c, int letter, const char *value)
{
    bool good;

    if (letter == 'h' || letter == VERSION) {
        fputs(letter == 'h' ? help_text : "strait-fetch 0.1.0\n", stdout);
        return 1;
    }
    if (letter == '?') {
        fprintf(stderr, "strait-fetch --help shows how\n");
        return 3;
    }
    if (letter == 'i')
        return list_read(c->run, value) ? 3 : 0;
    if (take_switch(&c->o, letter))
        return 0;
    good = (letter < TIMEOUT && strchr("oOrHu", letter)) || letter == CACERT || letter == CHECKSUM ||
                   letter == SEGMENT || letter == CPU_LIST
               ? take_text(c, letter, value)
               : take_number(c, letter, value);
    if (!good)
        fprintf(stderr, "strait-fetch: --%s: '%s' cannot be: out of range, not there, or not of the right form\n",
                option_name(letter), value);
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
    for (uint32_t i = 0; i < run->n; i++) {
        const struct job *job = run->jobs[i];
        if (job->ends && job->kind != STRAIT_FETCH_OK)
            fprintf(stderr, "strait-fetch: %s: %s: %s\n", job->url, strait_fetch_kind_name(job->kind),
                    job->why ? job->why : "");
    }
}

static int wrong_use(const char *why)
{
    fprintf(stderr, "strait-fetch: %s; strait-fetch --help shows how\n", why);
    return 2;
}

/* 0, or what is wrong together though each is right alone. */
static int check_use(const struct command *c)
{
    const struct options *o = &c->o;
    bool one = c->run->n == 1 && list_is_whole(c->run);

    if (c->run->n == 0 && list_is_whole(c->run))
        return wrong_use("no URL given");
    if (o->directory && o->file)
        return wrong_use("-o and -O exclude each other");
    if ((o->file || o->checksum) && !one)
        return wrong_use("-O and --checksum are for one URL (a list has checksums behind its URLs)");
    if ((o->resume || o->newer) && !o->directory && (!o->file || strcmp(o->file, "-") == 0))
        return wrong_use("-C and -N need files: -o or -O");
    if (o->resume && (o->ask.from || o->ask.bytes))
        return wrong_use("-C and -r exclude each other");
    if (o->workers == 0 && !o->segment)
        return wrong_use("-w 0 leaves the work to others, who must find the segment: --segment NAME");
    return 0;
}

static int make_directory(struct command *c)
{
    if (!c->o.directory)
        return 0;
    if ((mkdir(c->o.directory, 0777) < 0 && errno != EEXIST) || !realpath(c->o.directory, c->directory)) {
        fprintf(stderr, "strait-fetch: %s: %s\n", c->o.directory, strerror(errno));
        return 3;
    }
    c->o.directory = c->directory;
    return 0;
}

static int fetch(struct command *c)
{
    struct run *run = c->run;
    int status = check_use(c);
    FILE *to = c->o.file && strcmp(c->o.file, "-") == 0 ? stderr : stdout;

    if (status == 0)
        status = make_directory(c);
    if (status)
        return status;
    if (run_all(run, &c->o))
        return 3;
    if (!c->o.json)
        name_failures(run);
    report(run, to);
    return run->interrupted ? 130 : run->failed > 0;
}

int main(int argc, char **argv)
{
    struct run run = RUN_EMPTY;
    struct command c = {
        .run = &run,
        .o = {.workers = 4,
              .in_flight = 64,
              .ask = {.deadline_ns = UINT64_C(60000000000), .idle_ns = UINT64_C(20000000000), .retries = 2}}};
    int letter, status = 0;

    while (status == 0 && (letter = getopt_long(argc, argv, "w:c:o:O:i:CNIr:H:u:qh", long_options, NULL)) >= 0)
        status = take_option(&c, letter, optarg);
    for (; status == 0 && optind < argc; optind++)
        status = list_add(&run, argv[optind], NULL) ? 4 : 0;
    signal(SIGPIPE, SIG_IGN); /* a reader of our output that leaves early does not keep us from cleaning up */
    raise_file_limit();
    if (status == 0)
        status = 1 + (c.o.demo ? demo(&c.o) : fetch(&c));
    run_free(&run);
    return status - 1;
}
