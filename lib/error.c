/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char sentence[512];

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

int strait_fail(int error, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(sentence, sizeof sentence, format, list);
    va_end(list);
    return error;
}
