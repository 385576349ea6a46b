/* SPDX-License-Identifier: MIT */
#ifndef STRAIT_LIB_ERROR_H
#define STRAIT_LIB_ERROR_H

#include "strait/error.h"

/** Remember a sentence for strait_error(); returns `error`, so that a failing call ends with it. */
int strait_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
