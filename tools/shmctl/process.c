/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool slurp(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n;

    if (f == NULL)
        return false;
    n = fread(text, 1, size - 1, f);
    fclose(f);
    text[n] = 0;
    return n > 0;
}

bool ctl_process_look(uint32_t pid, struct ctl_process *p)
{
    enum { STATE = 1, THREADS = 18, STARTED = 20 }; /* words after the name, see proc_pid_stat(5) */
    char path[64], text[1024], *at, *rest;

    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    if (pid == 0 || !slurp(path, text, sizeof text))
        return false;
    at = strrchr(text, ')'); /* the name may hold anything */
    at = at ? strtok_r(at + 1, " ", &rest) : NULL;
    for (int word = STATE; at && word < STARTED; at = strtok_r(NULL, " ", &rest), word++)
        if (word == STATE)
            p->state = *at;
        else if (word == THREADS)
            p->threads = (uint32_t)strtoul(at, NULL, 10);
    if (at)
        p->started = strtoull(at, NULL, 10);
    return at != NULL;
}

uint64_t ctl_process_namespace(void)
{
    static uint64_t inode;
    struct stat st;

    if (inode == 0 && stat("/proc/self/ns/pid", &st) == 0)
        inode = st.st_ino;
    return inode;
}

/* "lock:	1: OFDLCK ADVISORY  WRITE -1 00:17:42 2305843009213693952 2305843009213693952" */
static bool fd_locks(const char *path, uint64_t inode, uint64_t byte)
{
    char line[256], wanted[64];
    bool found = false;
    FILE *f = fopen(path, "re");

    if (f == NULL)
        return false;
    snprintf(wanted, sizeof wanted, ":%" PRIu64 " %" PRIu64 " ", inode, byte);
    while (!found && fgets(line, sizeof line, f))
        found = strncmp(line, "lock:", 5) == 0 && strstr(line, "OFDLCK") && strstr(line, wanted);
    fclose(f);
    return found;
}

bool ctl_process_locks(uint32_t pid, uint64_t inode, uint64_t byte)
{
    char folder[64], path[sizeof folder + 264];
    struct dirent *e;
    bool found = false;
    DIR *d;

    snprintf(folder, sizeof folder, "/proc/%u/fdinfo", pid);
    d = pid ? opendir(folder) : NULL;
    if (d == NULL)
        return false;
    while (!found && (e = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        found = e->d_name[0] != '.' && fd_locks(path, inode, byte);
    }
    closedir(d);
    return found;
}
