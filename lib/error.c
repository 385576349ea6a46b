/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_BYTES 512

static _Thread_local char sentence[SENTENCE_BYTES];
static _Thread_local bool logging; /* the hook runs: what it calls is not logged again */

/* Set under the registry's mutex, read by any thread: the context is stored first. */
static strait_log_hook *log_hook;
static void *log_context;

/* What an errno means here, where strerror(3) would mislead. */
static const struct {
    int error;
    const char *text;
} meanings[] = {
    {0, "success"},
    {EAGAIN, "not now: the channel is full, empty, or held, and the call was not to wait"},
    {ETIMEDOUT, "the deadline has passed"},
    {EPIPE, "closed, or nobody is left on the other side"},
    {EMSGSIZE, "the message does not fit"},
    {ENOSPC, "no room: the segment or its file system is full"},
    {EBADMSG, "not a strait segment, or a message that cannot be"},
    {ESTALE, "made by a build with another layout"},
    {EPROTO, "damaged: a peer wrote what cannot be"},
    {ECHILD, "this handle belongs to the parent process; attach again after fork()"},
    {EOWNERDEAD, "whoever was to finish this has died"},
    {ENOTRECOVERABLE, "its owner died inside and nobody has healed it"},
    {EBUSY, "somebody has it already"},
    {EUSERS, "no lease is left: 511 processes are attached"},
    {EMFILE, "no directory entry is left in the segment"},
    {ENOTUNIQ, "the name belongs to another kind of object"},
    {ENOBUFS, "all of them are in use"},
    {EPROTOTYPE, "a request: peek it, answer it, release it"},
    {EALREADY, "answered already"},
    {ENODATA, "the last part was received already"},
    {EDEADLK, "this order of locks can deadlock"},
};

const char *strait_strerror(int error)
{
    int e = error < 0 ? -error : error;

    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].error == e)
            return meanings[i].text;
#ifdef __GLIBC__
    const char *text = strerrordesc_np(e); /* never translated, never in a buffer */
#else
    const char *text = strerror(e);
#endif
    return text ? text : "unknown error";
}

const char *strait_error(void)
{
    return sentence;
}

/* ---- the log ---- */

bool strait_logs(void)
{
    return __atomic_load_n(&log_hook, __ATOMIC_RELAXED) != NULL;
}

void strait_log_to(strait_log_hook *hook, void *context)
{
    __atomic_store_n(&log_hook, NULL, __ATOMIC_RELEASE);
    __atomic_store_n(&log_context, context, __ATOMIC_RELEASE);
    __atomic_store_n(&log_hook, hook, __ATOMIC_RELEASE);
}

static void tell(enum strait_log_level level, const char *text)
{
    strait_log_hook *hook = __atomic_load_n(&log_hook, __ATOMIC_ACQUIRE);
    int error = errno;

    if (hook == NULL || logging)
        return;
    logging = true;
    hook(level, text, __atomic_load_n(&log_context, __ATOMIC_ACQUIRE));
    logging = false;
    errno = error;
}

void strait_log(enum strait_log_level level, const char *format, ...)
{
    char text[SENTENCE_BYTES];
    va_list list;

    if (!strait_logs())
        return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    tell(level, text);
}

void strait_explain(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(sentence, sizeof sentence, format, list);
    va_end(list);
    tell(STRAIT_LOG_ERROR, sentence);
}
