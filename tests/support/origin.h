/* SPDX-License-Identifier: MIT */
/**
 * An HTTP origin for tests and for the main job: a process of its own on a loopback port, bodies made from a seed.
 *
 *   /blob/SEED/BYTES      Content-Length        /404     an error page
 *   /chunked/SEED/BYTES   chunked               /close/SEED/BYTES   ends with the connection
 *   /bad/…                misbehaves: origin_bad.c
 *
 * What stands after SEED/BYTES (a dot and a name) is ignored.
 */
#ifndef STRAIT_ORIGIN_H
#define STRAIT_ORIGIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct origin {
    pid_t pid;
    uint16_t port;
};

/* Listens on 127.0.0.1 and serves from a forked child, which dies with its parent. 0 or -errno. */
int origin_start(struct origin *origin);
void origin_stop(struct origin *origin);

/* The bytes of a body, from `offset` on. */
void origin_fill(uint64_t seed, uint64_t offset, void *to, size_t bytes);

/* 64-bit FNV-1a, in pieces: begin with ORIGIN_HASH. */
#define ORIGIN_HASH UINT64_C(0xcbf29ce484222325)
uint64_t origin_hash(uint64_t hash, const void *data, size_t bytes);
uint64_t origin_hash_body(uint64_t seed, uint64_t bytes);

/* What a bad path does. */
enum origin_after { ORIGIN_CLOSE, ORIGIN_STALL, ORIGIN_RESET, ORIGIN_KEEP, ORIGIN_ONCE, ORIGIN_ENDLESS };
struct origin_script {
    const char *path;
    const char *text; /* what it says */
    enum origin_after after;
    const char *more; /* ORIGIN_ENDLESS: again and again */
};
/* The table ends with a NULL path. */
extern const struct origin_script origin_scripts[];

#endif
