/* SPDX-License-Identifier: MIT */
/* The command line: options of all commands, those of one, and what is done with them. */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shmctl.h"

#define COMMON 4 /* options of all commands */

/* getopt's values of options without a letter */
enum { OPTION_COLOR = 256, OPTION_OWN };

volatile bool ctl_stop;

void ctl_say(const char *format, ...)
{
    va_list list;

    fputs("shmctl: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    putc('\n', stderr);
}

int ctl_usage(const char *format, ...)
{
    va_list list;

    fputs("shmctl: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputs("; try 'shmctl --help'\n", stderr);
    return CTL_USAGE;
}

void ctl_print_options(const struct ctl_command *command)
{
    for (const struct ctl_option *o = command ? command->options : NULL; o && o->name; o++) {
        char left[48];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? "," : " ", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        printf("  %-20s  %s\n", left, o->help);
    }
    puts("  -d, --directory DIR   where segments lie (default: $STRAIT_DIR, else /dev/shm)\n"
         "  -j, --json            JSON instead of text\n"
         "      --color WHEN      auto (a terminal, and NO_COLOR is not set), always, never\n"
         "  -h, --help            this, or a subcommand's own page\n"
         "\n"
         "exit: 0 good, 1 not found or something to look at, 2 a deadlock or as bad, 3 not a segment or damaged, 64 "
         "usage");
}

/* ---- parse ---- */

static bool want_colours(const char *when)
{
    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && (no == NULL || *no == 0);
}

/* getopt's tables: ours, then the command's. */
static unsigned tables(const struct ctl_command *command, struct option *longs, char *letters)
{
    static const struct option common[COMMON] = {{"directory", required_argument, NULL, 'd'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"color", required_argument, NULL, OPTION_COLOR},
                                                 {"help", no_argument, NULL, 'h'}};
    unsigned n = 0;

    memcpy(longs, common, sizeof common);
    strcpy(letters, "d:jh");
    for (const struct ctl_option *o = command->options; o && o->name && n < CTL_OPTIONS; o++, n++) {
        longs[COMMON + n] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL,
                                            o->letter ? o->letter : OPTION_OWN + (int)n};
        if (o->letter)
            sprintf(letters + strlen(letters), "%c%s", o->letter, o->argument ? ":" : "");
    }
    longs[COMMON + n] = (struct option){NULL, 0, NULL, 0};
    return n;
}

static void give(struct ctl *ctl, int value, const char *argument)
{
    const struct ctl_option *o = ctl->command->options;

    for (unsigned i = 0; o && o[i].name && i < CTL_OPTIONS; i++)
        if (value == (o[i].letter ? o[i].letter : OPTION_OWN + (int)i))
            ctl->given[i] = argument ? argument : "";
}

int ctl_parse(int argc, char **argv, struct ctl *ctl)
{
    struct option longs[COMMON + CTL_OPTIONS + 1];
    char letters[3 * (COMMON + CTL_OPTIONS)];
    const char *when = "auto";
    int o;

    ctl->directory = getenv("STRAIT_DIR");
    tables(ctl->command, longs, letters);
    while ((o = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (o == 'd')
            ctl->directory = optarg;
        else if (o == 'j')
            ctl->json = true;
        else if (o == OPTION_COLOR)
            when = optarg;
        else if (o == 'h' || o == '?')
            return o == 'h' ? 'h' : -1;
        else
            give(ctl, o, optarg);
    }
    assert(when); /* getopt has no option without the argument that it requires */
    if (ctl->directory == NULL || *ctl->directory == 0)
        ctl->directory = STRAIT_DIRECTORY_DEFAULT;
    if (strcmp(when, "auto") != 0 && strcmp(when, "always") != 0 && strcmp(when, "never") != 0)
        return ctl_usage("--color is auto, always or never, not %s", when), -1;
    ctl->colours = want_colours(when);
    ctl->words = (unsigned)(argc - optind);
    ctl->word = argv + optind;
    return 0;
}

/* ---- what was given ---- */

const char *ctl_given(const struct ctl *ctl, const char *name)
{
    const struct ctl_option *o = ctl->command->options;

    for (unsigned i = 0; o && o[i].name && i < CTL_OPTIONS; i++)
        if (strcmp(o[i].name, name) == 0)
            return ctl->given[i];
    return NULL;
}

uint64_t ctl_number(const struct ctl *ctl, const char *name, uint64_t otherwise, uint64_t least, uint64_t most)
{
    const char *text = ctl_given(ctl, name);
    char *end;
    uint64_t n;

    if (text == NULL)
        return otherwise;
    errno = 0;
    n = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || n < least || n > most)
        exit(ctl_usage("--%s is a number from %llu to %llu, not '%s'", name, (unsigned long long)least,
                       (unsigned long long)most, text));
    return n;
}

double ctl_seconds(const struct ctl *ctl, const char *name, double otherwise)
{
    const char *text = ctl_given(ctl, name);
    char *end;
    double n;

    if (text == NULL)
        return otherwise;
    n = strtod(text, &end);
    if (*end || end == text || !(n >= 0.001) || !(n <= 1e9))
        exit(ctl_usage("--%s is a number of seconds, not '%s'", name, text));
    return n;
}

/* ---- signals ---- */

static void stop(int sig)
{
    (void)sig;
    ctl_stop = true;
}

void ctl_catch_signals(void)
{
    struct sigaction act = {.sa_handler = stop};

    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

void ctl_sleep(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    if (!ctl_stop)
        nanosleep(&t, NULL); /* a signal ends it */
}
