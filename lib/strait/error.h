/* SPDX-License-Identifier: MIT */
/** What went wrong, in words: every call answers >= 0 or -errno, and these explain. And which build this is. */
#ifndef STRAIT_ERROR_H
#define STRAIT_ERROR_H

#include <strait/base.h>

STRAIT_BEGIN_DECLS

/** What -errno (or errno) means to this library, as a short constant text. Any thread; never NULL. */
STRAIT_API const char *strait_strerror(int error);

/**
 * The calling thread's last failure as a sentence that names the object, the limit and the remedy. Valid until its next
 * failing call; "" if there was none. Never NULL. Calls of the fast path (-EAGAIN, -ETIMEDOUT) leave it alone.
 */
STRAIT_API const char *strait_error(void);

/* ---- the log ---- */

enum strait_log_level {
    STRAIT_LOG_ERROR = 1, /**< a call of this process failed: what strait_error() says */
    STRAIT_LOG_DEATH = 2  /**< another process has died, and this one has undone what it left half done */
};

/** Gets a sentence without a line end. Runs in whichever thread it happens in, perhaps under locks: be quick, call nothing
 * of strait but strait_strerror. */
typedef void strait_log_hook(enum strait_log_level level, const char *text, void *context);

/**
 * Have `hook` told of every failed call and every death that this process notices; NULL = no more. One hook a process, in
 * addition to strait_on_death. What is not a failure (-EAGAIN, -ETIMEDOUT, -EPIPE of the fast path) is not told. Never fails.
 */
STRAIT_API void strait_on_log(strait_log_hook *hook, void *context);

/* ---- versions ---- */

/* Of these headers; strait_version() is the library's that runs. */
#define STRAIT_VERSION_MAJOR 0
#define STRAIT_VERSION_MINOR 1
#define STRAIT_VERSION_PATCH 0

/** The library's version: "0.1.0". Programs built with another patch or an older minor version of the headers may use it. */
STRAIT_API const char *strait_version(void);

/** The version of the shared bytes. Processes whose libraries differ in it, or in any offset, refuse each other's segments
 * with -ESTALE (the rolling upgrade in docs/OPERATION.md). */
STRAIT_API uint32_t strait_layout_version(void);

STRAIT_END_DECLS

#endif
