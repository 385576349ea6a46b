/* SPDX-License-Identifier: MIT */
#ifndef STRAIT_LIB_ERROR_H
#define STRAIT_LIB_ERROR_H

#include "strait/error.h"

/** A sentence for the log hook, if there is one. */
void strait_log(enum strait_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Is there one? Changed under the registry's mutex only. */
bool strait_logs(void);
void strait_log_to(strait_log_hook *hook, void *context);

/** Remember a sentence for strait_error(). */
void strait_explain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The same, and its value is `error`, as the compiler and the analyser can see: a failing call ends with it. */
#define strait_fail(error, ...)                                                                                        \
    ({                                                                                                                 \
        int strait_error_ = (error);                                                                                   \
        strait_explain(__VA_ARGS__);                                                                                   \
        strait_error_;                                                                                                 \
    })

#endif
