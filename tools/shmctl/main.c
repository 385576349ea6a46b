/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "complete.h"
#include "shmctl.h"
#include "terminal.h"

/* clang-format off */
const struct ctl_command *const ctl_commands[] = {
    &ctl_ls, &ctl_show, &ctl_ps, &ctl_tree, &ctl_limits, &ctl_letters, &ctl_numa,
    &ctl_top, &ctl_hz, &ctl_tap, &ctl_record, &ctl_replay, &ctl_send, &ctl_recv, &ctl_call, &ctl_latency,
    &ctl_blame, &ctl_deadlock, &ctl_errors, &ctl_snapshot,
    &ctl_verify, &ctl_gc, &ctl_repair, &ctl_heal, &ctl_drain, &ctl_close_channel, &ctl_rm,
    &ctl_doctor, &ctl_check, &ctl_exporter, &ctl_bridge,
    NULL};
/* clang-format on */

static int help(void)
{
    puts(
        "usage: shmctl SUBCOMMAND [OPTION]… [NAME]…\n"
        "Shows what is in strait's shared memory, also when everybody who uses it is stopped or dead. (Not the system\n"
        "call shmctl(2).)\n");
    for (unsigned i = 0; ctl_commands[i]; i++)
        printf("  %-9s %-28s %s\n", ctl_commands[i]->name, ctl_commands[i]->arguments, ctl_commands[i]->summary);
    puts("\n  completion bash|zsh|fish               a script for the shell to complete all this");
    puts("");
    ctl_print_options(NULL);
    return CTL_GOOD;
}

static int help_command(const struct ctl_command *c)
{
    printf("usage: shmctl %s [OPTION]… %s\n%s.\n\n%s\n", c->name, c->arguments, c->summary, c->help);
    ctl_print_options(c);
    return CTL_GOOD;
}

/* A peer may truncate the file while we read it. */
static void truncated(int sig)
{
    static const char text[] = "shmctl: the file became shorter while it was read\n";

    (void)sig;
    terminal_end();
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) {
        /* nobody to tell */
    }
    _exit(CTL_DAMAGED);
}

static const struct ctl_command *find(const char *name)
{
    for (unsigned i = 0; ctl_commands[i]; i++)
        if (strcmp(ctl_commands[i]->name, name) == 0)
            return ctl_commands[i];
    return NULL;
}

static int finish(int r)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return r;
    perror("shmctl: standard output");
    return CTL_FINDING;
}

static int run(int argc, char **argv)
{
    struct ctl ctl = {.command = find(argv[1])};
    int r;

    if (ctl.command == NULL)
        return ctl_usage("there is no subcommand %s", argv[1]);
    r = ctl_parse(argc - 1, argv + 1, &ctl);
    if (r != 0)
        return r == 'h' ? help_command(ctl.command) : CTL_USAGE;
    if (ctl.words < ctl.command->least)
        return ctl_usage("a word is missing: %s %s", ctl.command->name, ctl.command->arguments);
    if (ctl.words > ctl.command->most)
        return ctl_usage("too many words: %s %s", ctl.command->name, ctl.command->arguments);
    return ctl.command->run(&ctl);
}

int main(int argc, char **argv)
{
    struct sigaction act = {.sa_handler = truncated};

    if (argc < 2)
        return ctl_usage("which subcommand?");
    sigaction(SIGBUS, &act, NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return finish(help());
    if (strcmp(argv[1], "completion") == 0)
        return finish(ctl_completion(argc, argv));
    if (strcmp(argv[1], "--manual") == 0)
        return finish(ctl_manual());
    return finish(run(argc, argv));
}
