/* SPDX-License-Identifier: MIT */
/* shmctl completion, and the commands' part of the manual: both from the tables that the commands are parsed by, so that
 * neither can be out of date. */
#include "complete.h"

#include <stdio.h>
#include <string.h>

static const struct ctl_option common[] = {{"directory", 'd', "DIR", "where segments lie"},
                                           {"json", 'j', NULL, "JSON instead of text"},
                                           {"color", 0, "WHEN", "auto, always, never"},
                                           {"help", 'h', NULL, "the subcommand's page"},
                                           {NULL}};

/* Call for every option of a command, and for those of all. */
static void each_option(const struct ctl_command *c, void (*put)(const struct ctl_command *, const struct ctl_option *))
{
    for (const struct ctl_option *o = c->options; o && o->name; o++)
        put(c, o);
    for (const struct ctl_option *o = common; o->name; o++)
        put(c, o);
}

/* ---- bash ---- */

static void bash_option(const struct ctl_command *c, const struct ctl_option *o)
{
    (void)c;
    printf(" --%s", o->name);
}

static void bash(void)
{
    puts("# bash completion for shmctl; written by 'shmctl completion bash'\n"
         "_shmctl() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} dir=${STRAIT_DIR:-/dev/shm} words=\n"
         "    COMPREPLY=()\n"
         "    if ((COMP_CWORD == 1)); then");
    printf("        words='");
    for (unsigned i = 0; ctl_commands[i]; i++)
        printf("%s ", ctl_commands[i]->name);
    puts("completion help'\n"
         "    elif [[ $cur == -* ]]; then\n"
         "        case ${COMP_WORDS[1]} in");
    for (unsigned i = 0; ctl_commands[i]; i++) {
        printf("        %s) words='", ctl_commands[i]->name);
        each_option(ctl_commands[i], bash_option);
        puts("' ;;");
    }
    puts("        esac\n"
         "    else\n"
         "        words=$(cd \"$dir\" 2>/dev/null && for f in strait.*; do [[ ! -f $f ]] || printf '%s ' "
         "\"${f#strait.}\"; done)\n"
         "    fi\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
         "}\n"
         "complete -o default -F _shmctl shmctl");
}

/* ---- zsh ---- */

/* In single quotes, and without what zsh's _arguments takes for its own. */
static void put_quoted(const char *text)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
}

static void zsh_option(const struct ctl_command *c, const struct ctl_option *o)
{
    (void)c;
    printf(" '--%s[", o->name);
    put_quoted(o->help);
    printf(o->argument ? "]:%s'" : "]%.0s'", o->argument ? o->argument : "");
}

static void zsh(void)
{
    puts("#compdef shmctl\n"
         "# zsh completion for shmctl; written by 'shmctl completion zsh'\n"
         "_shmctl() {\n"
         "    local -a commands segments\n"
         "    segments=(${STRAIT_DIR:-/dev/shm}/strait.*(N:t:s/strait./))\n"
         "    commands=(");
    for (unsigned i = 0; ctl_commands[i]; i++) {
        printf("        '%s:", ctl_commands[i]->name);
        put_quoted(ctl_commands[i]->summary);
        puts("'");
    }
    puts("        'completion:A script for the shell'\n"
         "    )\n"
         "    if ((CURRENT == 2)); then\n"
         "        _describe command commands\n"
         "        return\n"
         "    fi\n"
         "    local command=$words[2]\n"
         "    shift words; ((CURRENT--))\n"
         "    case $command in");
    for (unsigned i = 0; ctl_commands[i]; i++) {
        printf("    %s) _arguments", ctl_commands[i]->name);
        each_option(ctl_commands[i], zsh_option);
        puts(" '*:segment:($segments)' ;;");
    }
    puts("    completion) _values shell bash zsh fish ;;\n"
         "    esac\n"
         "}\n"
         "_shmctl \"$@\"");
}

/* ---- fish ---- */

static void put_fish(const char *text)
{
    for (; *text; text++)
        if (*text == '\'' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar(*text);
}

static void fish_option(const struct ctl_command *c, const struct ctl_option *o)
{
    printf("complete -c shmctl -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
    if (o->letter)
        printf(" -s %c", o->letter);
    printf("%s -d '", o->argument ? " -x" : "");
    put_fish(o->help);
    puts("'");
}

static void fish(void)
{
    puts("# fish completion for shmctl; written by 'shmctl completion fish'\n"
         "function __shmctl_segments\n"
         "    set -l dir /dev/shm\n"
         "    set -q STRAIT_DIR; and set dir $STRAIT_DIR\n"
         "    for file in $dir/strait.*\n"
         "        string replace -r '.*/strait\\.' '' $file\n"
         "    end\n"
         "end\n"
         "complete -c shmctl -f -n 'not __fish_use_subcommand' -a '(__shmctl_segments)'");
    for (unsigned i = 0; ctl_commands[i]; i++) {
        printf("complete -c shmctl -f -n __fish_use_subcommand -a %s -d '", ctl_commands[i]->name);
        put_fish(ctl_commands[i]->summary);
        puts("'");
        each_option(ctl_commands[i], fish_option);
    }
    puts("complete -c shmctl -f -n __fish_use_subcommand -a completion -d 'A script for the shell'");
}

int ctl_completion(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[2], "bash") == 0)
        bash();
    else if (argc == 3 && strcmp(argv[2], "zsh") == 0)
        zsh();
    else if (argc == 3 && strcmp(argv[2], "fish") == 0)
        fish();
    else
        return ctl_usage("completion bash, zsh or fish");
    return CTL_GOOD;
}

/* ---- the manual, for scdoc ---- */

/* scdoc's own characters are quoted; a line that it could take for markup begins otherwise. */
static void put_scdoc(const char *text)
{
    for (; *text; text++) {
        if (strchr("*_\\<>#~", *text))
            putchar('\\');
        putchar(*text);
    }
}

static void manual_option(const struct ctl_option *o)
{
    printf("*--%s*", o->name);
    if (o->letter)
        printf(", *-%c*", o->letter);
    if (o->argument)
        printf(" _%s_", o->argument);
    printf("\n\t");
    put_scdoc(o->help);
    printf("\n\n");
}

/* Text as it is, in a literal block. */
static void manual_text(const char *text)
{
    printf("```\n%s%s```\n\n", text + (*text == '\n'), text[strlen(text) - 1] == '\n' ? "" : "\n");
}

int ctl_manual(void)
{
    for (unsigned i = 0; ctl_commands[i]; i++) {
        const struct ctl_command *c = ctl_commands[i];
        printf("## %s ", c->name);
        puts(c->arguments);
        putchar('\n');
        put_scdoc(c->summary);
        printf(".%s\n\n", c->writes ? " Changes the segment." : "");
        manual_text(c->help);
        for (const struct ctl_option *o = c->options; o && o->name; o++)
            manual_option(o);
    }
    printf("# OPTIONS OF ALL SUBCOMMANDS\n\n");
    for (const struct ctl_option *o = common; o->name; o++)
        manual_option(o);
    return CTL_GOOD;
}
