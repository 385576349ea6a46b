/* SPDX-License-Identifier: MIT */
/** Who fetches, in the scenarios `fetch…`: a few clients of one nginx, each begun once and then asked again and again. */
#ifndef BENCH_FETCH_H
#define BENCH_FETCH_H

#include <stddef.h>
#include <stdint.h>

#define FETCH_AT_ONCE     64  /* connections, each kept alive */
#define FETCH_SMALL_BYTES 130 /* body of a small answer */

struct bench_fetcher {
    const char *absent; /* the Debian package that was not there at build time; NULL = built */

    /** Before all else. The URLs stay valid. 0 or -errno. */
    int (*begin)(const char *small_url);
    /** So many GETs of the small URL, FETCH_AT_ONCE on the way; each body's length is checked. 0 or -errno. */
    int (*small)(unsigned n);
    /** One GET of a body of so many bytes to a file that is not there yet. 0 or -errno. NULL: does not compete in that. */
    int (*body)(const char *url, const char *file, uint64_t bytes);
    /** CPU time, user and system, of all its processes since it began. */
    uint64_t (*cpu_ns)(void);
    /** Most memory that its fetching process has had resident, in bytes; NULL: does not compete in that. */
    uint64_t (*peak_bytes)(void);
    void (*end)(void);
};

extern const struct bench_fetcher bench_fetcher_raw, bench_fetcher_wrk, bench_fetcher_curl, bench_fetcher_strait;

/* ---- nginx ---- */

/** An nginx of our own on a free port of the loopback, one worker: /small has FETCH_SMALL_BYTES, /large so many. 0, or -errno
 * with a sentence in `why`. */
int bench_nginx_start(uint64_t large_bytes, char *why, size_t why_bytes);

/** http://127.0.0.1:PORT<path>, until the next call. */
const char *bench_nginx_url(const char *path);

/** Where large files may be put: the folder that /large lies in. */
const char *bench_nginx_folder(void);

/** Ends it and removes its folder. */
void bench_nginx_stop(void);

#endif
