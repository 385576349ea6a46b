/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "payload.h"

static const char help[] =
    "strait-bench: how fast messages get from process to process here, ours and others'\n"
    "\n"
    "  strait-bench --quick                        everything, 3 minutes; --check: exit 1 if a bar is missed\n"
    "  strait-bench roundtrip                      one scenario, thoroughly\n"
    "  strait-bench stream --size 8,48,1024        other message sizes, in bytes (\"64K\", \"1M\" are fine)\n"
    "  strait-bench stream --size 48 --depth 1024  another ring depth, in slots (a power of two)\n"
    "  strait-bench roundtrip --peers rte,ck,pipe  only these competitors (and ours, and the floors)\n"
    "  strait-bench --json a.json                  keep the figures\n"
    "  strait-bench compare a.json b.json          what changed beyond the noise\n"
    "  strait-bench --plot pictures                draw SVGs into that folder\n"
    "  strait-bench --list                         scenarios and competitors, with what is absent\n"
    "\n"
    "  --rounds N    pieces of ~15 ms for each competitor (default: 15 with --quick, else 60)\n"
    "  --cpus A,B    run on these two CPUs (default: the first two that are not one core)\n"
    "\n"
    "Each row was measured in pieces that alternate with the other competitors' pieces; each piece is filed by what a\n"
    "bare cache line's round trip between the two CPUs took around it: near (one L3), far (two), core (one core),\n"
    "mixed (it changed meanwhile, or somebody else used these CPUs).\n"
    "Exit status: 0 fine, 1 a bar was missed (--check) or a competitor broke, 2 the question was wrong.\n";

static int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("strait-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return -EINVAL;
}

/* ---- names ---- */

static const char *flags_text(unsigned flags)
{
    if (flags & BENCH_OURS)
        return "ours";
    return flags & BENCH_FLOOR ? "floor" : "peer";
}

static void list(void)
{
    puts("scenarios:");
    for (const struct bench_scenario *const *s = bench_scenarios; *s; s++)
        printf("  %-16s %s\n", (*s)->name, (*s)->what);
    puts("\ncompetitors:");
    for (const struct bench_peer *const *p = bench_peers; *p; p++) {
        printf("  %-16s %-6s %s", (*p)->name, flags_text((*p)->flags), (*p)->what);
        if ((*p)->absent)
            printf(" (absent: %s was not installed at build time)", (*p)->absent);
        putchar('\n');
    }
}

/* "idle" means idle and idle-quiet too. */
static bool names_it(const char *given, size_t given_n, const char *name)
{
    return strncmp(given, name, given_n) == 0 && (name[given_n] == 0 || name[given_n] == '-');
}

static int add_scenario(struct bench_options *o, const char *name)
{
    unsigned before = o->scenarios_n;
    for (const struct bench_scenario *const *s = bench_scenarios; *s; s++) {
        if (names_it(name, strlen(name), (*s)->name))
            o->scenarios[o->scenarios_n++] = *s;
        if (o->scenarios_n == sizeof o->scenarios / sizeof o->scenarios[0])
            return complain("too many scenarios");
    }
    if (o->scenarios_n > before)
        return 0;
    complain("there is no scenario '%s'; there are:", name);
    for (const struct bench_scenario *const *s = bench_scenarios; *s; s++)
        fprintf(stderr, "  %-12s %s\n", (*s)->name, (*s)->what);
    return -EINVAL;
}

static int check_peer(const char *name, size_t n)
{
    for (const struct bench_peer *const *p = bench_peers; *p; p++) {
        if (!names_it(name, n, (*p)->name))
            continue;
        if ((*p)->absent)
            return complain("%s is absent: %s was not installed when this was built", (*p)->name, (*p)->absent);
        return 0;
    }
    return complain("there is no competitor '%.*s'; strait-bench --list shows them", (int)n, name);
}

/* Calls `each` for every word of a comma list, until one fails. */
static int each_word(const char *words, int (*each)(const char *word, size_t n, void *arg), void *arg)
{
    for (const char *at = words;; at++) {
        size_t n = strcspn(at, ",");
        int r = n ? each(at, n, arg) : complain("an empty word in '%s'", words);
        at += n;
        if (r < 0 || !*at)
            return r;
    }
}

static int check_peer_word(const char *word, size_t n, void *arg)
{
    (void)arg;
    return n == 4 && strncmp(word, "none", 4) == 0 ? 0 : check_peer(word, n);
}

bool bench_options_wants(const struct bench_options *o, const struct bench_peer *peer)
{
    if (!o->peers || peer->flags & (BENCH_FLOOR | BENCH_OURS))
        return true;
    for (const char *at = o->peers; *at; at++) {
        size_t n = strcspn(at, ",");
        if (names_it(at, n, peer->name))
            return true;
        at += n;
        if (!*at)
            break;
    }
    return false;
}

/* ---- numbers ---- */

static int number(const char *text, size_t n, unsigned long *value)
{
    char *end;
    if (n == 0 || text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    *value = strtoul(text, &end, 10);
    if (errno)
        return -ERANGE;
    if (end < text + n && (*end == 'K' || *end == 'k'))
        *value <<= 10, end++;
    else if (end < text + n && (*end == 'M' || *end == 'm'))
        *value <<= 20, end++;
    return end == text + n ? 0 : -EINVAL;
}

static int add_size(const char *word, size_t n, void *arg)
{
    struct bench_options *o = arg;
    unsigned long bytes;
    if (number(word, n, &bytes) < 0)
        return complain("'%.*s' is not a size in bytes (try 48, 4K or 1M)", (int)n, word);
    if (bytes < BENCH_LEAST)
        return complain("--size %lu: a message has at least %d bytes here, it carries its number", bytes, BENCH_LEAST);
    if (bytes > BENCH_MOST_BYTES)
        return complain("--size %lu: above %u, the largest slot that this program makes", bytes, BENCH_MOST_BYTES);
    if (o->sizes_n == BENCH_SIZES)
        return complain("more than %d sizes", BENCH_SIZES);
    o->sizes[o->sizes_n++] = bytes;
    return 0;
}

static int read_depth(struct bench_options *o, const char *text)
{
    unsigned long depth;
    if (number(text, strlen(text), &depth) < 0 || depth < 2 || depth > 1u << 20 || depth & (depth - 1))
        return complain("--depth %s: not a power of two from 2 to 1048576", text);
    o->depth = (unsigned)depth;
    return 0;
}

static int read_rounds(struct bench_options *o, const char *text)
{
    unsigned long rounds;
    if (number(text, strlen(text), &rounds) < 0 || rounds < 1 || rounds > BENCH_PIECES / 3)
        return complain("--rounds %s: not a number from 1 to %d", text, BENCH_PIECES / 3);
    o->rounds = (unsigned)rounds;
    return 0;
}

static int read_cpus(const char *text)
{
    int a, b, n = 0;
    if (sscanf(text, "%d,%d%n", &a, &b, &n) != 2 || text[n] || bench_machine_pair(a, b) < 0)
        return complain("--cpus %s: not two different CPUs that this process may use", text);
    return 0;
}

/* ---- all ---- */

enum { OPT_SIZE = 256, OPT_DEPTH, OPT_PEERS, OPT_ROUNDS, OPT_JSON, OPT_PLOT, OPT_CPUS, OPT_CHECK, OPT_QUICK, OPT_LIST };

static const struct option longs[] = {
    {"size", required_argument, NULL, OPT_SIZE},
    {"depth", required_argument, NULL, OPT_DEPTH},
    {"peers", required_argument, NULL, OPT_PEERS},
    {"rounds", required_argument, NULL, OPT_ROUNDS},
    {"json", required_argument, NULL, OPT_JSON},
    {"plot", required_argument, NULL, OPT_PLOT},
    {"cpus", required_argument, NULL, OPT_CPUS},
    {"check", no_argument, NULL, OPT_CHECK},
    {"quick", no_argument, NULL, OPT_QUICK},
    {"list", no_argument, NULL, OPT_LIST},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static int read_option(struct bench_options *o, int c)
{
    switch (c) {
    case OPT_SIZE:
        return each_word(optarg, add_size, o);
    case OPT_DEPTH:
        return read_depth(o, optarg);
    case OPT_PEERS:
        o->peers = optarg;
        return each_word(optarg, check_peer_word, NULL);
    case OPT_ROUNDS:
        return read_rounds(o, optarg);
    case OPT_JSON:
        o->json = optarg;
        return 0;
    case OPT_PLOT:
        o->plot = optarg;
        return 0;
    case OPT_CPUS:
        return read_cpus(optarg);
    case OPT_CHECK:
        o->check = true;
        return 0;
    case OPT_QUICK:
        o->quick = true;
        return 0;
    case OPT_LIST:
        list();
        return 1;
    case 'h':
        fputs(help, stdout);
        return 1;
    default: /* getopt has said what is wrong */
        fputs("strait-bench --help shows how it is used\n", stderr);
        return -EINVAL;
    }
}

static void remember(struct bench_options *o, int argc, char **argv)
{
    size_t n = 0;
    for (int i = 0; i < argc && n < sizeof o->command; i++)
        n +=
            (size_t)snprintf(o->command + n, sizeof o->command - n, "%s%s", i ? " " : "", i ? argv[i] : "strait-bench");
}

int bench_options_read(struct bench_options *o, int argc, char **argv)
{
    int c, r = 0;
    *o = (struct bench_options){0};
    remember(o, argc, argv);
    while (r == 0 && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1)
        r = read_option(o, c);
    for (; r == 0 && optind < argc; optind++)
        r = add_scenario(o, argv[optind]);
    for (const struct bench_scenario *const *s = bench_scenarios; r == 0 && o->scenarios_n == 0 && *s;)
        for (; *s; s++)
            o->scenarios[o->scenarios_n++] = *s;
    return r;
}
