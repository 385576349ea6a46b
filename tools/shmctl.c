/* SPDX-License-Identifier: MIT */
#include "shmctl.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ctl_command *const commands[] = {&ctl_ls, &ctl_show, &ctl_verify};

#define COMMANDS (sizeof commands / sizeof commands[0])

static const char options_help[] = "\n"
                                   "  -d, --directory DIR  where segments lie (default: $STRAIT_DIR, else /dev/shm)\n"
                                   "  -j, --json           one JSON document instead of tables\n"
                                   "      --color WHEN     auto (a terminal, and NO_COLOR is not set), always, never\n"
                                   "  -h, --help           this, or a subcommand's own page\n"
                                   "\n"
                                   "exit: 0 good, 1 not found, 2 usage, 3 not a segment, or damaged\n";

static int help(void)
{
    puts("usage: shmctl SUBCOMMAND [OPTION]… [NAME]…\n"
         "Shows what is in strait's shared memory, also when everybody who uses it is stopped or dead.\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-6s %-14s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->summary);
    fputs(options_help, stdout);
    return CTL_GOOD;
}

static int help_command(const struct ctl_command *c)
{
    printf("usage: shmctl %s [OPTION]… %s\n%s.\n\n%s", c->name, c->arguments, c->summary, c->help);
    fputs(options_help, stdout);
    return CTL_GOOD;
}

static int usage(const char *problem, const char *what)
{
    fprintf(stderr, "shmctl: %s%s; try 'shmctl --help'\n", problem, what);
    return CTL_USAGE;
}

/* A peer may truncate the file while we read it. */
static void truncated(int sig)
{
    static const char text[] = "shmctl: the file became shorter while it was read\n";

    (void)sig;
    _exit(write(STDERR_FILENO, text, sizeof text - 1) < 0 ? CTL_DAMAGED : CTL_DAMAGED);
}

static const struct ctl_command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static bool colours(const char *when)
{
    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && (no == NULL || *no == 0);
}

/* 0, 'h' help was asked for, or -1 after a complaint. */
static int parse(int argc, char **argv, struct ctl *ctl)
{
    static const struct option options[] = {{"directory", required_argument, NULL, 'd'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"color", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *when = "auto";
    int o;

    ctl->directory = getenv("STRAIT_DIR");
    while ((o = getopt_long(argc, argv, "d:jh", options, NULL)) != -1) {
        if (o == 'd')
            ctl->directory = optarg;
        else if (o == 'j')
            ctl->json = true;
        else if (o == 'c')
            when = optarg;
        else
            return o == 'h' ? 'h' : -1;
    }
    if (ctl->directory == NULL || *ctl->directory == 0)
        ctl->directory = STRAIT_DIRECTORY_DEFAULT;
    if (strcmp(when, "auto") != 0 && strcmp(when, "always") != 0 && strcmp(when, "never") != 0)
        return usage("--color is auto, always or never, not ", when), -1;
    ctl->colours = colours(when);
    ctl->words = (unsigned)(argc - optind);
    ctl->word = argv + optind;
    return 0;
}

int main(int argc, char **argv)
{
    struct sigaction act = {.sa_handler = truncated};
    const struct ctl_command *command;
    struct ctl ctl = {0};
    int r;

    if (argc < 2)
        return usage("which subcommand?", "");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help();
    command = find(argv[1]);
    if (command == NULL)
        return usage("there is no subcommand ", argv[1]);
    r = parse(argc - 1, argv + 1, &ctl);
    if (r != 0)
        return r == 'h' ? help_command(command) : CTL_USAGE;
    if (ctl.words < command->least || ctl.words > command->most)
        return usage(ctl.words < command->least ? "a name is missing after " : "too many names after ", command->name);
    sigaction(SIGBUS, &act, NULL);
    r = command->run(&ctl);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("shmctl: standard output");
        return CTL_FINDING;
    }
    return r;
}
