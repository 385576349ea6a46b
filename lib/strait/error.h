/* SPDX-License-Identifier: MIT */
/** What went wrong, in words. Every call answers >= 0 or -errno; these two explain. */
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

STRAIT_END_DECLS

#endif
