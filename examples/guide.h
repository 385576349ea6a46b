/* SPDX-License-Identifier: MIT */
/* What the examples of docs/GUIDE.md have in common: a segment of their own, a few processes, an exit status. */
#ifndef GUIDE_H
#define GUIDE_H

#include <stdio.h>
#include <stdlib.h>
#include <strait/strait.h>
#include <sys/wait.h>
#include <unistd.h>

static struct strait_segment *segment;
static char guide_name[32];

static inline void must(int r)
{
    if (r >= 0)
        return;
    fprintf(stderr, "%s\n", *strait_error() ? strait_error() : strait_strerror(r));
    exit(1);
}

/* Attach; a forked child calls it again, with the name that it inherited. */
static inline void join(void)
{
    if (*guide_name == 0)
        snprintf(guide_name, sizeof guide_name, "guide-%d", getpid());
    must(strait_attach(guide_name, NULL, &segment));
}

/* n processes that each run part(i), to their ends: how many of them failed. */
static inline int in_parallel(int n, void (*part)(int i))
{
    int status, failed = 0;

    for (int i = 0; i < n; i++)
        if (fork() == 0) {
            join();
            part(i);
            strait_detach(segment);
            _exit(0);
        }
    while (wait(&status) > 0)
        failed += status != 0;
    return failed;
}

/* The same, around a channel that stays open until all have run: the first one to come may be the first one to go. */
static inline int in_parallel_at(const char *channel, const struct strait_channel_options *options, int n,
                                 void (*part)(int i))
{
    struct strait_hold *hold;
    struct strait_tx *tx;
    int failed;

    must(strait_tx_open(segment, channel, options, &tx));
    must(strait_channel_hold(segment, channel, &hold));
    strait_tx_close(tx);
    failed = in_parallel(n, part);
    strait_channel_unhold(hold);
    return failed;
}

static inline int leave(int failed)
{
    strait_detach(segment);
    strait_segment_remove(guide_name, NULL);
    return failed != 0;
}

#endif
